"""Pictures: MNIST, emoji, CIFAR-10."""

import contextlib
import io
import lzma
import os
import socket
import threading
from pathlib import Path

import numpy as np

from dl_course.data.files import own_folder, read_bytes, read_rows

CIFAR10_CLASSES = [
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
]
CIFAR10_ROWS = {"train": 50000, "test": 10000}
CIFAR10_SERVER = "www.cs.toronto.edu"
CIFAR10_ARCHIVE = "datasets/cifar-10-batches-py-target_archive", 170_498_071  # bytes
CIFAR10_HELP = """CIFAR-10 is not on this machine, and its server cannot be reached.
Go online and try again, or put cifar10.npz (x_train, y_train, x_test, y_test) into a
folder and set the environment variable DL_COURSE_DATA to that folder.
Without it, use the embedded pictures: data.emoji(), or data.color_images(), which takes
CIFAR-10 where it can be had and the emoji where not."""


def mnist():
    """Handwritten digits (LeCun et al., 1998).

    Returns (x_train, y_train), (x_test, y_test): x (60000 or 10000, 28, 28, 1) float32,
    0 = paper, 1 = ink; y (60000 or 10000,) int64, the digit.
    """
    splits = []
    for split in ("train", "test"):
        pixels = _unpack(f"mnist-{split}-images.u8.xz").reshape(-1, 28, 28, 1)
        labels = _unpack(f"mnist-{split}-labels.u8.xz")
        splits.append((_to_unit(pixels), labels.astype(np.int64)))
    return tuple(splits)


def emoji():
    """The same 1,852 concepts drawn by two artists (Noto Emoji and Twemoji).

    Returns a dict:
    - "google", "twitter": (1852, 32, 32, 3) float32 in [0, 1]; row i is concept i
    - "labels": (1852,) int64, index into "categories", a list of 9 names
    - "names", "subcategories": lists of 1,852 strings
    - "is_test": (1852,) bool, a fixed split; man, woman and person of one name together
    """
    rows = read_rows("emoji-names.tsv")[1:]
    _, names, category, subcategories, split = map(list, zip(*rows, strict=True))
    categories = list(dict.fromkeys(category))
    pictures = {}
    for style in ("google", "twitter"):
        content = _unpack(f"emoji-{style}.u8.xz")
        palette = _to_unit(content[:768].reshape(256, 3))
        pictures[style] = palette[content[768:].reshape(-1, 32, 32)]  # (n, 32, 32, 3)
    return pictures | {
        "labels": np.array([categories.index(name) for name in category], np.int64),
        "categories": categories,
        "names": names,
        "subcategories": subcategories,
        "is_test": np.array(split) == "test",
    }


def cifar10():
    """CIFAR-10 photographs (Krizhevsky, 2009); not embedded.

    Taken from cifar10.npz in $DL_COURSE_DATA (x_train, y_train, x_test, y_test; pixels
    as bytes), else from Keras's cache, else downloaded by Keras (170 MB, once; never if
    $DL_COURSE_OFFLINE is set). Class names: CIFAR10_CLASSES.

    Returns (x_train, y_train), (x_test, y_test): x (50000 or 10000, 32, 32, 3) float32
    in [0, 1], together 0.7 GB; y (50000 or 10000,) int64. Raises ConnectionError within
    seconds if it cannot be had, ValueError if cifar10.npz is not as described.
    """
    own = own_folder()
    if own and (path := own / "cifar10.npz").is_file():
        arrays, source = _cifar10_from_file(path), str(path)
    else:
        arrays, source = _cifar10_from_keras(), "Keras's CIFAR-10"
    splits = []
    for split, rows in CIFAR10_ROWS.items():
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"].reshape(-1)
        shape = (rows, 32, 32, 3)
        if x.shape != shape or x.dtype != np.uint8:
            got = f"got {x.shape} {x.dtype}"
            raise ValueError(f"{source}, x_{split}: expected {shape} uint8, {got}")
        integers = y.shape == (rows,) and y.dtype.kind in "iu"
        if not integers or y.min() < 0 or y.max() > 9:
            wanted = f"expected {rows} integers from 0 to 9"
            raise ValueError(f"{source}, y_{split}: {wanted}, got {y.shape} {y.dtype}")
        splits.append((_to_unit(x), y.astype(np.int64)))
    return tuple(splits)


def color_images():
    """CIFAR-10 where it can be had, else the emoji; prints one line saying which.

    Returns four things, (x_train, y_train), (x_test, y_test), classes, name:
    x (n, 32, 32, 3) float32 in [0, 1]; y (n,) int64, index into the list `classes` (10
    or 9 names); name "CIFAR-10" or "emoji". Of the emoji both styles are there, and no
    test concept is in training.
    """
    try:
        train, test = cifar10()
        classes, name = list(CIFAR10_CLASSES), "CIFAR-10"
    except ConnectionError:
        drawn, splits = emoji(), []
        for rows in (~drawn["is_test"], drawn["is_test"]):
            x = np.concatenate([drawn["google"][rows], drawn["twitter"][rows]])
            splits.append((x, np.tile(drawn["labels"][rows], 2)))
        (train, test), classes, name = splits, drawn["categories"], "emoji"
    sizes = f"{len(train[0]):,} to train, {len(test[0]):,} to test"
    print(f"Color images: {name}, {sizes}.")
    return train, test, classes, name


def _unpack(name):
    return np.frombuffer(lzma.decompress(read_bytes(name)), np.uint8)


def _to_unit(pixels):
    """Bytes 0 to 255 as float32 from 0 to 1."""
    floats = pixels.astype(np.float32)
    floats /= 255
    return floats


def _cifar10_from_file(path):
    keys = [f"{letter}_{split}" for split in CIFAR10_ROWS for letter in "xy"]
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in keys}
    except Exception as error:  # no zip file, cut off, a key missing, pickled objects
        wanted = f"expected arrays {', '.join(keys)}"
        raise ValueError(f"{path}: {wanted}; {error}") from error


def _cifar10_from_keras():
    archive, size = CIFAR10_ARCHIVE
    path = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / archive
    if not path.is_file() or path.stat().st_size != size:
        if os.environ.get("DL_COURSE_OFFLINE") or not _reachable(CIFAR10_SERVER):
            raise ConnectionError(CIFAR10_HELP)
        print("Downloading CIFAR-10 (170 MB, once) ...")
    import keras

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # seconds of silence before a download is given up
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # no progress bar
            splits = keras.datasets.cifar10.load_data()
    except Exception as error:
        raise ConnectionError(f"Keras could not load CIFAR-10: {error}") from error
    finally:
        socket.setdefaulttimeout(patience)
    arrays = {}
    for split, (x, y) in zip(CIFAR10_ROWS, splits, strict=True):
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    return arrays


def _reachable(host, seconds=3.0):
    """True if a connection opens in time. A name lookup that hangs is left behind."""
    opened = threading.Event()

    def connect():
        with contextlib.suppress(Exception):
            socket.create_connection((host, 443), timeout=seconds).close()
            opened.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return opened.is_set()
