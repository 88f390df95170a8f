"""The files in data/, what the loaders return, and what fails how."""

import ast
import collections
import contextlib
import errno
import hashlib
import itertools
import pickle
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dl_course import data
from dl_course.data import files, images

FOLDER = Path(__file__).parents[1] / "data"
MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("DL_COURSE_DATA", "DL_COURSE_OFFLINE", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_network(monkeypatch):
    """Every way out raises, as in a machine without a network."""

    def refuse(*args, **kwargs):
        raise OSError("network is unreachable")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def digits():
    return data.mnist()


@pytest.fixture(scope="module")
def sentences():
    return data.brown()


# ---------------------------------------------------------------- the folder data/


def embedded_files():
    helpers = {"README.md", "manifest.toml", ".gitattributes"}
    return sorted(p.name for p in FOLDER.iterdir() if p.is_file() and p.name not in helpers)


def test_data_folder_is_small():
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    assert size <= 25 * MEGABYTE


def test_each_file_is_in_the_manifest_with_its_size_and_checksum():
    listed = [
        file for entry in files.manifest().values() for file in entry.get("files", [])
    ]
    assert sorted(file["name"] for file in listed) == embedded_files()
    for file in listed:
        content = (FOLDER / file["name"]).read_bytes()
        assert len(content) == file["bytes"], file["name"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"], file["name"]


def test_readme_holds_each_card_and_nothing_after():
    """After a change of manifest.toml print the cards again, as README.md says."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    cards = "\n".join(map(data.card, data.names()))
    printed = readme[readme.index("\n## ") + 1 :]
    assert printed == cards, "print the cards again, as data/README.md says"


def test_license_texts_are_there_and_used():
    used = {text for entry in files.manifest().values() for text in entry["notices"]}
    assert used == {path.name for path in (FOLDER / "licenses").iterdir()}
    for name in used:
        assert len((FOLDER / "licenses" / name).read_text(encoding="utf-8")) > 1000


def test_card_says_what_one_must_know():
    assert "Open Database License" in data.card("geokg")
    assert "Twitter, Inc and other contributors" in " ".join(data.card("emoji").split())
    assert "teaching and other non-commercial use" in data.card("brown")
    assert "Princeton University" in data.card("wordnet_glosses")
    for name in data.names():
        card = data.card(name)
        assert all(f"- {field}: " in card for field in ("Rows", "License", "Source"))
        assert "Citation: " in card and "Defects: " in card


def test_card_of_an_unknown_set():
    with pytest.raises(ValueError, match=r"name: expected one of mnist, .*, got 'mnits'"):
        data.card("mnits")


def test_every_set_has_a_loader():
    for entry in files.manifest().values():
        call = ast.parse(entry["loader"].split(", ")[0]).body[0].value
        assert callable(getattr(data, call.func.id))


def test_nothing_is_unpickled():
    for path in Path(files.__file__).parent.glob("*.py"):
        code = path.read_text(encoding="utf-8")
        assert "import pickle" not in code
        assert code.count("np.load(") == code.count("allow_pickle=False")


def test_import_needs_no_keras():
    source = "import sys; from dl_course import data; print('keras' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


# ---------------------------------------------------------------- unsound files


def test_a_file_in_the_learners_folder_wins(tmp_path, monkeypatch):
    shutil.copy(FOLDER / "co2.csv", tmp_path)
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path))
    opened = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))
    data.co2()
    data.el_nino()  # not there: the embedded one
    tables = [path for path in opened if path.suffix == ".csv"]
    assert tables == [tmp_path / "co2.csv", FOLDER / "el-nino.csv"]


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b[:-1] + b"?"])
def test_damaged_file(tmp_path, monkeypatch, damage):
    content = damage((FOLDER / "alice.txt.xz").read_bytes())
    (tmp_path / "alice.txt.xz").write_bytes(content)
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path))
    with pytest.raises(ValueError) as caught:
        data.alice()
    message = str(caught.value)
    assert message.startswith(
        f"{tmp_path / 'alice.txt.xz'} is damaged: expected 48528 bytes"
    )
    assert f"got {len(content)} bytes" in message
    assert hashlib.sha256(content).hexdigest() in message
    assert "delete this file" in message


def checkout(folder, name="data"):
    """A folder as in a checkout ("data") or a wheel ("_data"), without data files."""
    (folder / "dl_course").mkdir()
    home = folder / name if name == "data" else folder / "dl_course" / name
    home.mkdir()
    shutil.copy(FOLDER / "manifest.toml", home)
    return folder / "dl_course", home


def test_missing_file_in_a_checkout(tmp_path, monkeypatch):
    package, home = checkout(tmp_path)
    monkeypatch.setattr(files, "PACKAGE", package)
    with pytest.raises(FileNotFoundError) as caught:
        data.sunspots()
    assert f"sunspots.csv is not in {home}: expected 38242 bytes" in str(caught.value)
    assert "git checkout -- data/sunspots.csv" in str(caught.value)


def test_damaged_file_in_a_checkout(tmp_path, monkeypatch):
    package, home = checkout(tmp_path)
    monkeypatch.setattr(files, "PACKAGE", package)
    crlf = (FOLDER / "el-nino.csv").read_bytes().replace(b"\n", b"\r\n")
    (home / "el-nino.csv").write_bytes(crlf)
    with pytest.raises(ValueError, match=r"git checkout -- data/el-nino\.csv"):
        data.el_nino()


def test_installed_wheel(tmp_path, monkeypatch):
    package, home = checkout(tmp_path, "_data")
    monkeypatch.setattr(files, "PACKAGE", package)
    shutil.copy(FOLDER / "el-nino.csv", home)
    assert len(data.el_nino()[0]) == 61
    with pytest.raises(FileNotFoundError, match="run the notebook's set-up cell"):
        data.co2()


def test_a_folder_of_the_learner_that_is_not_there_is_not_passed_over(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "nowhere"))
    for load in (data.co2, data.cifar10, data.color_images):
        with pytest.raises(FileNotFoundError) as caught:
            load()
        message = str(caught.value)
        assert message.startswith("DL_COURSE_DATA: expected a folder, got ")
        assert "nowhere" in message


@pytest.mark.parametrize("name", ["co2.csv", "manifest.toml"])
def test_a_file_without_the_right_to_read(tmp_path, monkeypatch, name):
    package, home = checkout(tmp_path)
    monkeypatch.setattr(files, "PACKAGE", package)
    shutil.copy(FOLDER / "co2.csv", home)
    read = Path.read_bytes

    def refuse(path):  # also for root, whom no mode keeps out
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PermissionError) as caught:
        data.co2()
    assert str(caught.value).startswith(f"{home / name} cannot be read: Permission denied.")


CUTS = [lambda b: b[:2000], lambda b: b[:-20], lambda b: b[:100] + b"\xff" + b]
CUTS += [lambda b: b[: b.index(b"\n[co2]")]]  # still TOML


@pytest.mark.parametrize("damage", CUTS)
@pytest.mark.parametrize("folder", ["data", "_data"])
def test_a_damaged_manifest(tmp_path, monkeypatch, damage, folder):
    package, home = checkout(tmp_path, folder)
    monkeypatch.setattr(files, "PACKAGE", package)
    path = home / "manifest.toml"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError) as caught:
        data.co2()
    message = str(caught.value)
    assert message.startswith(f"{path} is damaged (")
    restore = {
        "data": "run `git checkout -- data/manifest.toml`.",
        "_data": "start a new session and run the notebook's set-up cell.",
    }
    assert message.endswith(f"To restore: {restore[folder]}")


def test_no_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACKAGE", tmp_path / "dl_course")
    with pytest.raises(
        FileNotFoundError, match=r"manifest\.toml, the list of all data sets"
    ):
        data.alice()


# ---------------------------------------------------------------- pictures


def test_mnist(digits):
    for (x, y), rows in zip(digits, (60000, 10000), strict=True):
        assert x.shape == (rows, 28, 28, 1) and x.dtype == np.float32
        assert y.shape == (rows,) and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1 and x.flags.writeable
    (x, y), (_, y_test) = digits
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y).tolist() == counts
    assert np.bincount(y_test).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert x.mean(dtype=np.float64) == pytest.approx(0.1307, abs=1e-4)  # well known
    assert np.sqrt(np.mean(x[:10000] ** 2) - x[:10000].mean() ** 2) == pytest.approx(
        0.308, abs=2e-3
    )


def test_emoji():
    drawn = data.emoji()
    for style in ("google", "twitter"):
        x = drawn[style]
        assert x.shape == (1852, 32, 32, 3) and x.dtype == np.float32
        assert x.min() >= 0 and x.max() == 1
        assert np.mean(x[:, 0, 0] == 1) > 0.5  # on white
        assert len({picture.tobytes() for picture in x}) == 1852
    assert drawn["labels"].shape == (1852,) and drawn["labels"].dtype == np.int64
    assert len(drawn["categories"]) == 9 and len(set(drawn["subcategories"])) == 98
    counts = dict(zip(drawn["categories"], np.bincount(drawn["labels"]), strict=True))
    assert counts["Flags"] == 261 and counts["Activities"] == 85
    assert drawn["names"][0] == "GRINNING FACE" and drawn["categories"][0].startswith(
        "Smileys"
    )
    assert not any("MIDDLE FINGER EXTENDED" in name for name in drawn["names"])
    smile = drawn["google"][0, 16].mean(axis=0)
    assert smile[0] > smile[2]  # a yellow face: more red than blue, so RGB, not BGR


def test_emoji_split_separates_concepts():
    drawn = data.emoji()
    assert drawn["is_test"].dtype == bool and drawn["is_test"].sum() == 366
    sex = {"MAN", "WOMAN", "PERSON", "MEN", "WOMEN", "PEOPLE"}
    sides = collections.defaultdict(set)
    for name, side in zip(drawn["names"], drawn["is_test"], strict=True):
        sides[" ".join(word for word in name.split() if word not in sex)].add(bool(side))
    assert all(len(side) == 1 for side in sides.values())
    assert set(drawn["labels"][drawn["is_test"]]) == set(range(9))


# ---------------------------------------------------------------- CIFAR-10


@pytest.fixture
def small_cifar10(monkeypatch):
    """Lets 50 + 10 pictures pass for CIFAR-10; returns such arrays, of random bytes."""
    monkeypatch.setattr(images, "CIFAR10_ROWS", {"train": 50, "test": 10})
    rng = np.random.default_rng(0)
    arrays = {}
    for split, rows in (("train", 50), ("test", 10)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (rows, 32, 32, 3)).astype(np.uint8)
        arrays[f"y_{split}"] = (np.arange(rows) % 10).astype(np.uint8)
    return arrays


def save_cifar10(folder, monkeypatch, arrays):
    np.savez(folder / "cifar10.npz", **arrays)
    monkeypatch.setenv("DL_COURSE_DATA", str(folder))


@pytest.mark.parametrize("label_type", [np.uint8, np.int64])
@pytest.mark.parametrize("label_shape", [(-1,), (-1, 1)])
def test_cifar10_from_a_file(
    tmp_path, monkeypatch, small_cifar10, no_network, capsys, label_type, label_shape
):
    saved = small_cifar10.copy()
    for key in ("y_train", "y_test"):
        saved[key] = saved[key].astype(label_type).reshape(label_shape)
    save_cifar10(tmp_path, monkeypatch, saved)
    (x_train, y_train), (x_test, y_test) = data.cifar10()
    assert x_train.dtype == x_test.dtype == np.float32
    assert y_train.shape == (50,) and y_test.shape == (10,)
    assert y_train.dtype == y_test.dtype == np.int64
    np.testing.assert_allclose(x_test * 255, small_cifar10["x_test"], rtol=1e-6)
    assert capsys.readouterr().out == ""

    train, test, classes, name = data.color_images()
    assert name == "CIFAR-10" and classes == data.CIFAR10_CLASSES and len(classes) == 10
    assert np.array_equal(train[0], x_train) and np.array_equal(test[1], y_test)
    assert capsys.readouterr().out == "Color images: CIFAR-10, 50 to train, 10 to test.\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"x_train": np.zeros((50, 3, 32, 32), np.uint8)},
            r"x_train: expected \(50, 32, 32",
        ),
        ({"x_test": np.zeros((10, 32, 32, 3), np.float32)}, "uint8, got .* float32"),
        ({"y_test": np.zeros(9, np.uint8)}, "y_test: expected 10 integers from 0 to 9"),
        (
            {"y_train": np.full(50, 10, np.uint8)},
            "y_train: expected 50 integers from 0 to 9",
        ),
        ({"y_train": np.full(50, -1)}, "y_train: expected 50 integers"),
        ({"y_train": np.zeros(50)}, r"y_train: .* got \(50,\) float64"),
        ({"y_train": None}, "allow_pickle=False"),
    ],
)
def test_cifar10_file_with_wrong_content(
    tmp_path, monkeypatch, small_cifar10, change, message
):
    save_cifar10(tmp_path, monkeypatch, small_cifar10 | change)
    with pytest.raises(ValueError, match=message) as caught:
        data.color_images()  # what the learner asked for is broken: no silent replacement
    assert str(tmp_path / "cifar10.npz") in str(caught.value)


def test_cifar10_file_cut_off_or_no_archive(tmp_path, monkeypatch, small_cifar10):
    save_cifar10(tmp_path, monkeypatch, small_cifar10)
    path = tmp_path / "cifar10.npz"
    for content in (path.read_bytes()[:-1000], pickle.dumps([1]), b""):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"cifar10\.npz: expected arrays x_train, y_train"
        ):
            data.cifar10()
    del small_cifar10["x_test"]
    save_cifar10(tmp_path, monkeypatch, small_cifar10)
    with pytest.raises(ValueError, match="x_test"):
        data.cifar10()


def test_no_network_no_cache(tmp_path, monkeypatch, no_network, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        data.cifar10()
    assert time.monotonic() - start < 2
    for hint in (
        "cifar10.npz",
        "DL_COURSE_DATA",
        "data.emoji()",
        "data.color_images()",
    ):
        assert hint in str(caught.value)

    train, test, classes, name = data.color_images()
    assert name == "emoji" and len(classes) == 9
    for (x, y), rows in ((train, 2972), (test, 732)):
        assert x.shape == (rows, 32, 32, 3) and x.dtype == np.float32
        assert y.shape == (rows,) and y.dtype == np.int64
    assert not {p.tobytes() for p in train[0]} & {p.tobytes() for p in test[0]}
    drawn = data.emoji()
    assert np.array_equal(train[0][1486:], drawn["twitter"][~drawn["is_test"]])
    assert np.array_equal(train[1][1486:], drawn["labels"][~drawn["is_test"]])
    out = capsys.readouterr().out
    assert out == "Color images: emoji, 2,972 to train, 732 to test.\n"


def test_a_network_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: time.sleep(20))
    start = time.monotonic()
    assert not images._reachable("example.invalid", seconds=0.1)
    assert time.monotonic() - start < 2


def test_offline_by_wish_asks_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("DL_COURSE_OFFLINE", "1")
    monkeypatch.setattr(images, "_reachable", lambda host: pytest.fail("asked the network"))
    with pytest.raises(ConnectionError):
        data.cifar10()


@pytest.fixture
def fake_keras(monkeypatch, small_cifar10):
    """A keras module with a noisy load_data; `problem` makes it fail."""
    fake = SimpleNamespace(calls=0, problem=None)

    def load_data():
        fake.calls += 1
        print("Downloading data from ...\n 10% ====>")
        if fake.problem:
            raise fake.problem
        a = small_cifar10
        return (a["x_train"], a["y_train"][:, None]), (
            a["x_test"],
            a["y_test"][:, None],
        )

    module = SimpleNamespace(
        datasets=SimpleNamespace(cifar10=SimpleNamespace(load_data=load_data))
    )
    monkeypatch.setitem(sys.modules, "keras", module)
    return fake


def make_cache(folder, monkeypatch, size):
    monkeypatch.setenv("KERAS_HOME", str(folder))
    archive = folder / images.CIFAR10_ARCHIVE[0]
    archive.parent.mkdir()
    with archive.open("wb") as file:
        file.truncate(size)


def test_cifar10_from_the_cache(tmp_path, monkeypatch, fake_keras, no_network, capsys):
    make_cache(tmp_path, monkeypatch, images.CIFAR10_ARCHIVE[1])
    (x_train, y_train), _ = data.cifar10()
    assert x_train.shape == (50, 32, 32, 3) and y_train.shape == (50,)
    assert fake_keras.calls == 1
    assert capsys.readouterr().out == ""  # Keras's own lines are not shown


def test_a_half_downloaded_cache_is_no_cache(tmp_path, monkeypatch, fake_keras, no_network):
    make_cache(tmp_path, monkeypatch, 1000)
    with pytest.raises(ConnectionError, match="server cannot be reached"):
        data.cifar10()
    assert fake_keras.calls == 0


def test_cifar10_downloaded(tmp_path, monkeypatch, fake_keras, capsys):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    link = contextlib.nullcontext()
    link.close = lambda: None
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: link)
    patience = socket.getdefaulttimeout()
    data.cifar10()
    assert capsys.readouterr().out == "Downloading CIFAR-10 (170 MB, once) ...\n"
    fake_keras.problem = Exception("URL fetch failure")
    with pytest.raises(ConnectionError, match="Keras could not load CIFAR-10: URL fetch"):
        data.cifar10()
    assert data.color_images()[3] == "emoji"
    assert socket.getdefaulttimeout() == patience


# ---------------------------------------------------------------- tables


def test_cars():
    cars = data.cars()
    assert len(cars) == 406 and all(len(car) == 9 for car in cars)
    missing = {name: sum(car[name] is None for car in cars) for name in cars[0]}
    assert missing.pop("Miles_per_Gallon") == 8 and missing.pop("Horsepower") == 6
    assert set(missing.values()) == {0}
    origins = collections.Counter(car["Origin"] for car in cars)
    assert origins == {"USA": 254, "Japan": 79, "Europe": 73}
    known = [car["Miles_per_Gallon"] for car in cars if car["Miles_per_Gallon"] is not None]
    assert min(known) == 9 and max(known) == 46.6
    years = collections.Counter(int(car["Year"][:4]) for car in cars)
    assert years[1981] == 0 and years[1982] == 61 and min(years) == 1970
    assert {k: cars[24][k] for k in cars[24] if k != "Year"} == {
        k: cars[35][k] for k in cars[35] if k != "Year"
    }


def check_series(times, values, rows, step):
    assert times.shape == (rows,) and values.dtype == np.float64
    assert np.all(np.diff(times) == np.timedelta64(*step))
    assert values.flags.writeable


def test_sunspots():
    months, numbers = data.sunspots()
    check_series(months, numbers, 3126, (1, "M"))
    assert str(months[0]) == "1749-01" and str(months[-1]) == "2009-06"
    assert numbers[0] == 58.0 and numbers.min() == 0 and numbers.max() == 253.8
    assert numbers.shape == (3126,)


def test_co2():
    weeks, values = data.co2()
    check_series(weeks, values, 2284, (7, "D"))
    assert str(weeks[0]) == "1958-03-29" and str(weeks[-1]) == "2001-12-29"
    assert np.isnan(values).sum() == 59
    assert np.nanmin(values) == 313.0 and np.nanmax(values) == 373.9


def test_seattle_weather():
    table = data.seattle_weather()
    assert list(table) == [
        "date",
        "precipitation",
        "temp_max",
        "temp_min",
        "wind",
        "weather",
    ]
    check_series(table["date"], table["wind"], 1461, (1, "D"))
    assert str(table["date"][0]) == "2012-01-01"
    ranges = {"precipitation": (0, 55.9), "temp_max": (-1.6, 35.6)}
    ranges |= {"temp_min": (-7.1, 18.3), "wind": (0.4, 9.5)}
    for name, (low, high) in ranges.items():
        assert table[name].dtype == np.float64 and table[name].shape == (1461,)
        assert (table[name].min(), table[name].max()) == (low, high)
    assert np.all(table["temp_min"] <= table["temp_max"])
    words = dict(zip(*np.unique(table["weather"], return_counts=True), strict=True))
    assert words == {"drizzle": 54, "fog": 411, "rain": 259, "snow": 23, "sun": 714}


def test_el_nino():
    years, temperatures = data.el_nino()
    assert years.tolist() == list(range(1950, 2011)) and years.dtype == np.int64
    assert temperatures.shape == (61, 12) and temperatures.dtype == np.float64
    assert temperatures.min() == 18.95 and temperatures.max() == 29.24
    assert temperatures[0, 0] == 23.11 and temperatures[0, -1] == 21.8


# ---------------------------------------------------------------- texts


def test_brown(sentences):
    assert len(sentences) == 57340
    assert sum(len(words) for _, words, _ in sentences) == 1161192
    assert all(len(words) == len(tags) for _, words, tags in sentences)
    assert len({document for document, _, _ in sentences}) == 500
    document, words, tags = sentences[0]
    assert document == "ca01" and words[:3] == ["The", "Fulton", "County"]
    assert tags[:3] == ["at", "np-tl", "nn-tl"]
    assert all(
        w and t for _, words, tags in sentences for w, t in zip(words, tags, strict=True)
    )
    documents = [document for document, _ in itertools.groupby(s[0] for s in sentences)]
    assert documents == sorted(documents) and len(documents) == 500  # in one piece each


def test_coarse_tags(sentences):
    counts = collections.Counter(tag for _, _, tags in sentences for tag in tags)
    assert len(counts) == 472
    coarse = collections.Counter()
    for tag, count in counts.items():
        coarse[data.coarse_tag(tag)] += count
    assert len(coarse) == 12
    assert coarse["X"] < 1000 and coarse.most_common(2)[0][0] == "NOUN"
    examples = {
        "np-tl": "NOUN", "nr": "NOUN", "md*-hl": "VERB", "bedz": "VERB", "jjt": "ADJ",
        "wrb": "ADV", "*": "ADV", "ppss+ber": "PRON", "wp$": "PRON", "wdt": "DET",
        "fw-at": "DET", "in-tl": "ADP", "cs": "CONJ", "od": "NUM", "to": "PRT", ",": ".",
        "``": ".", "--": ".", "(-hl": ".", "nil": "X", "fw-uh": "X",
    }  # fmt: skip
    assert {tag: data.coarse_tag(tag) for tag in examples} == examples


def test_movie_snippets():
    texts, scores = data.movie_snippets()
    assert len(texts) == 10605 and scores.shape == (10605,) and scores.dtype == np.float64
    assert scores.min() == -3.875 and scores.max() == 3.9412
    assert np.sum(np.abs(scores) > 0.5) == 10043 and np.sum(scores > 0.5) == 4982
    assert len(set(texts)) == 10603 and all(text.strip() for text in texts)


def test_books():
    alice, play = data.alice(), data.as_you_like_it()
    assert len(alice) == 148480 and alice.endswith("THE END\n")
    assert "Alice was beginning to get very tired" in alice
    assert len(set(alice)) == 72 and not {"\r", "\x1a"} & set(alice)
    assert len(play) == 125179 and "All the world's a stage" in play


def test_tang_quatrains():
    poems = data.tang_quatrains()
    assert len(poems) == 14136 == len({poem for _, _, poem in poems})
    widths = collections.Counter()
    for author, _, poem in poems:
        lines = [
            line
            for line in poem.translate(str.maketrans("，？；", "。。。")).split("。")
            if line
        ]
        assert author and len(lines) == 4 and len(set(map(len, lines))) == 1
        widths[len(lines[0])] += 1
    assert widths == {7: 10346, 5: 3790}
    assert len({sign for _, _, poem in poems for sign in poem}) == 5366


def test_cmudict():
    words = data.cmudict()
    assert len(words) == 126052
    assert sum(map(len, words.values())) == 135166
    assert words["a"] == [["AH0"], ["EY1"]]
    assert words["attention"] == [["AH0", "T", "EH1", "N", "SH", "AH0", "N"]]
    symbols = {symbol for ways in words.values() for way in ways for symbol in way}
    assert len(symbols) == 69 and len({symbol.rstrip("012") for symbol in symbols}) == 39
    assert not any("(" in word for word in words)


def test_wordnet_glosses():
    glosses = data.wordnet_glosses()
    assert len(glosses) == 20000 and len({" ".join(g[2]) for g in glosses}) == 19905
    assert len({word_class for _, word_class, _, _ in glosses}) == 26
    for lemma, word_class, tokens, (start, end) in glosses:
        assert lemma and word_class.startswith("noun.") and 3 <= len(tokens) <= 25
        assert 0 <= start < end <= len(tokens) and end - start <= 3
    marked = {g[0]: g[2][slice(*g[3])] for g in glosses}
    assert marked["Chrysaora_quinquecirrha"] == ["jellyfish"]


# ---------------------------------------------------------------- graphs

SIZES = {  # train, valid, test, entities, relations
    "nations": (1592, 199, 201, 14, 55),
    "kinships": (8544, 1068, 1074, 104, 25),
    "umls": (5216, 652, 661, 135, 46),
    "countries_s1": (1115, 24, 24, 274, 2),
    "countries_s2": (1067, 24, 24, 274, 2),
    "countries_s3": (978, 24, 24, 274, 2),
    "geokg": (4306, 409, 409, 2168, 10),
    "wn_mini": (7588, 722, 723, 3763, 11),
    "wn_mini_rand": (7589, 722, 722, 3763, 11),
}


@pytest.mark.parametrize("name", data.GRAPHS)
def test_knowledge_graph(name):
    splits = data.knowledge_graph(name)
    facts = [fact for split in splits for fact in split]
    assert all(isinstance(fact, tuple) and len(fact) == 3 and all(fact) for fact in facts)
    entities = {entity for head, _, tail in facts for entity in (head, tail)}
    relations = {relation for _, relation, _ in facts}
    assert (*map(len, splits), len(entities), len(relations)) == SIZES[name]
    assert len(set(facts)) == len(facts)  # no fact twice, none in two splits
    trained = {entity for head, _, tail in splits[0] for entity in (head, tail)}
    assert trained == entities


def turned_round(splits):
    train, _, test = map(set, splits)
    return sum((tail, relation, head) in train for head, relation, tail in test)


def test_wn_mini_does_not_leak_and_its_random_split_does():
    train, valid, test = data.knowledge_graph("wn_mini")
    assert turned_round((train + valid, [], test)) == turned_round((train, [], valid)) == 0
    assert turned_round(data.knowledge_graph("wn_mini_rand")) == 371


def test_leaks_named_in_the_cards():
    counts = {"nations": 106, "kinships": 254, "umls": 97, "geokg": 0}
    assert {name: turned_round(data.knowledge_graph(name)) for name in counts} == counts
    train, _, test = data.knowledge_graph("geokg")
    pairs = {(head, tail) for head, _, tail in train}
    assert sum((tail, head) in pairs for head, _, tail in test) == 71


def test_countries_get_harder():
    splits = [data.knowledge_graph(f"countries_s{step}") for step in (1, 2, 3)]
    assert set(splits[0][0]) > set(splits[1][0]) > set(splits[2][0])
    assert splits[0][1:] == splits[1][1:] == splits[2][1:]


def test_labels_fit_the_graphs():
    labels = data.geokg_labels()
    facts = itertools.chain(*data.knowledge_graph("geokg"))
    assert {entity for head, _, tail in facts for entity in (head, tail)} == set(labels)
    assert all(english for english, _ in labels.values())
    assert sum(bool(chinese) for _, chinese in labels.values()) == 1305
    assert labels["country:FRA"] == ("France", "法国")

    meanings = data.wn_mini_entities()
    facts = itertools.chain(*data.knowledge_graph("wn_mini"))
    assert {entity for head, _, tail in facts for entity in (head, tail)} == set(meanings)
    word_class, lemmas, gloss = meanings["ability.n.01"]
    assert (
        word_class == "noun.attribute" and lemmas == ["ability"] and gloss.startswith("the")
    )


def test_unknown_graph():
    with pytest.raises(ValueError, match=r"name: expected one of nations, .*, got 'fb15k'"):
        data.knowledge_graph("fb15k")


def test_definition_graph():
    graph = data.definition_graph()
    assert graph["features"].shape == (2046, 910) and graph["features"].dtype == np.float32
    assert set(np.unique(graph["features"])) == {0, 1}
    assert graph["labels"].shape == (2046,) and graph["labels"].dtype == np.int64
    assert np.bincount(graph["labels"]).tolist() == [193, 953, 39, 188, 209, 120, 344]
    edges = graph["edges"]
    assert edges.shape == (6982, 2) and edges.dtype == np.int64
    assert edges.min() == 0 and edges.max() == 2045 and np.all(edges[:, 0] < edges[:, 1])
    assert len(np.unique(edges, axis=0)) == 6982
    same = graph["labels"][edges[:, 0]] == graph["labels"][edges[:, 1]]
    assert same.mean() == pytest.approx(0.611, abs=1e-3)
    splits = [graph[name] for name in ("train", "valid", "test")]
    assert [len(split) for split in splits] == [140, 500, 1000]
    assert len(np.unique(np.concatenate(splits))) == 1640  # disjoint
    assert np.bincount(graph["labels"][splits[0]]).tolist() == [20] * 7
    assert (len(graph["classes"]), len(graph["names"]), len(graph["vocabulary"])) == (
        7,
        2046,
        910,
    )


def test_family_verses():
    verses = data.family_verses()
    assert len(verses) == 1054
    read = [(verse, facts) for _, verse, facts in verses if facts is not None]
    assert len(read) == 100 and sum(len(facts) for _, facts in read) == 164
    for verse, facts in read:
        for parent, relation, child in facts:
            assert relation == "parent_of" and parent in verse and child in verse
