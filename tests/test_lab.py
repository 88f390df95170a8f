"""`make lab`: working copies that lose nothing, and a chapter run in a real browser."""

import contextlib
import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import environment, files, lab, notebooks, start

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUICKEST = min(notebooks.manifest()[1], key=lambda chapter: chapter["cpu_seconds"])


# ---------------------------------------------------------------- copies


@pytest.fixture
def folders(tmp_path):
    """The path of an original notebook and that of its copy to be."""
    original = tmp_path / "notebooks" / "01.ipynb"
    original.parent.mkdir()
    save(original, "first")
    return original, tmp_path / "work" / "01.ipynb"


def save(path, source, outputs=(), **metadata):
    cell = new_code_cell(source, outputs=list(outputs), execution_count=1)
    cell.id = "a-1"
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), path)


def source_of(path):
    return nbformat.read(path, 4).cells[0].source


def bring(folders):
    original, copy = folders
    return lab.copy_notebooks(original.parent, copy.parent)["01.ipynb"]


def test_copies_are_made_once_and_a_learners_changes_are_never_touched(folders):
    original, copy = folders
    assert bring(folders) == "new" and source_of(copy) == "first"
    assert bring(folders) == "kept"
    save(original, "second")
    assert bring(folders) == "updated" and source_of(copy) == "second"
    save(copy, "mine")
    assert bring(folders) == "kept" and source_of(copy) == "mine"
    save(original, "third")
    assert bring(folders) == "kept, the newer version is 01.new.ipynb"
    assert source_of(copy) == "mine"
    assert source_of(copy.with_name("01.new.ipynb")) == "third"
    copy.unlink()
    assert bring(folders) == "new" and source_of(copy) == "third"


def test_opening_and_running_is_not_changing(folders):
    """What JupyterLab saves by itself: outputs, counts, metadata, an empty last cell."""
    original, copy = folders
    bring(folders)
    notebook = nbformat.read(copy, 4)
    notebook.cells[0].outputs = [new_output("stream", text="1\n")]
    notebook.cells[0].execution_count = 7
    notebook.cells[0].metadata["scrolled"] = True
    notebook.cells.append(new_code_cell("  \n"))
    notebook.metadata["language_info"] = {"name": "python", "version": "3.12.1"}
    nbformat.write(notebook, copy)
    save(original, "second")
    assert bring(folders) == "updated" and source_of(copy) == "second"


@pytest.mark.parametrize(
    "change",
    [
        lambda cells: cells.append(new_code_cell("x")),
        lambda cells: cells.append(new_markdown_cell("a note")),
        lambda cells: cells.__setitem__(0, new_markdown_cell("first")),
        lambda cells: cells[0].__setitem__("source", "first "),
        lambda cells: cells.append(
            new_markdown_cell(" ", attachments={"a.png": {"image/png": "aGk="}})
        ),
        lambda cells: cells.clear(),
    ],
    ids=["a cell", "a note", "another kind", "a blank", "an attached picture", "emptied"],
)
def test_writing_is_changing(folders, change):
    original, copy = folders
    bring(folders)
    notebook = nbformat.read(copy, 4)
    change(notebook.cells)
    nbformat.write(notebook, copy)
    before = copy.read_bytes()
    save(original, "second")
    assert bring(folders).startswith("kept, the newer version is ")
    assert copy.read_bytes() == before


def test_a_copy_without_a_record_is_the_learners(folders):
    _, copy = folders
    copy.parent.mkdir()
    save(copy, "mine")
    assert bring(folders).startswith("kept") and source_of(copy) == "mine"


def test_the_offered_version_follows_the_course_unless_it_is_changed_too(folders):
    original, copy = folders
    bring(folders)
    save(copy, "mine")
    new, new2 = copy.with_name("01.new.ipynb"), copy.with_name("01.new2.ipynb")
    for text in ("second", "third"):
        save(original, text)
        assert bring(folders) == "kept, the newer version is 01.new.ipynb"
        assert bring(folders) == "kept, the newer version is 01.new.ipynb"
        assert source_of(new) == text and not new2.exists()
    save(new, "mine, too")
    save(original, "fourth")
    assert bring(folders) == "kept, the newer version is 01.new2.ipynb"
    assert source_of(copy) == "mine" and source_of(new) == "mine, too"
    assert source_of(new2) == "fourth"


def test_an_offer_can_be_declined_or_taken(folders):
    original, copy = folders
    bring(folders)
    save(copy, "mine")
    save(original, "second")
    bring(folders)
    new = copy.with_name("01.new.ipynb")
    new.unlink()
    assert bring(folders) == "kept" and not new.exists()
    save(original, "third")
    bring(folders)
    os.replace(new, copy)
    assert bring(folders) == "kept" and source_of(copy) == "third"
    save(original, "fourth")
    assert bring(folders) == "updated"


def test_predictions_stay_open_in_copies(folders):
    text = new_output("stream", text="0.97\n")
    value = new_output("execute_result", data={"text/plain": "0.97"}, execution_count=1)
    picture = new_output("display_data", data={"image/png": "aGk=", "text/plain": "x"})
    original, copy = folders
    tags = {"metadata": {"tags": ["predict"]}, "execution_count": 1}
    cells = [
        new_code_cell("a", outputs=[text, picture], **tags),
        new_code_cell("b", outputs=[text, value], **tags),
        new_code_cell("c", outputs=[text], execution_count=3),
    ]
    nbformat.write(new_notebook(cells=cells), original)
    bring(folders)
    a, b, c = nbformat.read(copy, 4).cells
    assert a.outputs == [picture] and a.execution_count == 1
    assert b.outputs == [] and b.execution_count is None
    assert c.outputs == [text]
    assert nbformat.read(original, 4).cells[0].outputs == [text, picture]
    assert bring(folders) == "kept"
    nbformat.validate(nbformat.read(copy, 4))


# ---------------------------------------------------------------- accidents


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"\xff\xfe", b'{"01.ipynb": 3}'])
def test_a_damaged_record_stops_nothing_and_loses_nothing(folders, record):
    original, copy = folders
    bring(folders)
    (copy.parent / ".originals.json").write_bytes(record)
    assert bring(folders) == "kept"  # still as it came: known again
    save(original, "second")
    assert bring(folders) == "updated"
    save(copy, "mine")
    (copy.parent / ".originals.json").write_bytes(record)
    assert bring(folders) == "kept, the newer version is 01.new.ipynb"
    assert source_of(copy) == "mine"


DAMAGES = [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\xff" + b]
DAMAGES += [lambda b: b"[1]", lambda b: b'{"cells": 3}', lambda b: b'{"cells": [3]}']


@pytest.mark.parametrize("damage", DAMAGES)
def test_half_a_notebook_is_moved_aside_and_stays(folders, damage):
    _, copy = folders
    for number in ("", "2"):
        bring(folders)
        half = damage(copy.read_bytes())
        copy.write_bytes(half)
        aside = copy.with_name(f"01.damaged{number}.ipynb")
        assert bring(folders) == f"new, the damaged one is now {aside.name}"
        assert aside.read_bytes() == half and source_of(copy) == "first"


def test_a_full_disk_leaves_the_old_copy_and_remembers_what_was_done(folders, monkeypatch):
    original, copy = folders
    bring(folders)
    save(original, "second")
    save(original.with_name("00.ipynb"), "zero")
    replace = os.replace

    def fail(new, path):
        if path == copy:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(new, path)

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(SystemExit, match=r"01\.ipynb cannot be written \(no space left"):
        bring(folders)
    assert source_of(copy) == "first"
    monkeypatch.undo()
    record = json.loads((copy.parent / ".originals.json").read_text("utf-8"))
    assert set(record) == {"00.ipynb", "01.ipynb"}
    assert bring(folders) == "updated" and source_of(copy) == "second"
    left = {"00.ipynb", "01.ipynb", ".originals.json"}
    assert {path.name for path in copy.parent.iterdir()} == left


def test_work_that_is_a_file_is_told_in_one_sentence(folders):
    _, copy = folders
    copy.parent.write_text("mine", "utf-8")
    with pytest.raises(SystemExit, match="work is a file, but a folder is needed there"):
        bring(folders)
    assert copy.parent.read_text("utf-8") == "mine"


def test_the_report_is_short_and_names_what_needs_a_look(tmp_path, capsys):
    done = {"01": "kept", "02": "new", "03": "kept", "04": "kept, the newer version is x"}
    lab.report(done, tmp_path)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"Your notebooks are in {tmp_path}: 3 kept, 1 new."
    assert second == "  04: kept, the newer version is x"


# ---------------------------------------------------------------- settings of others


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of a user's Keras; all that the lab sets is unset at the end."""
    for name in ("KERAS_BACKEND", "KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras of the user"))
    (tmp_path / "keras of the user").mkdir()
    return tmp_path / "keras of the user"


def test_kernels_use_tensorflow_whatever_is_set(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    environment.use_course_keras(tmp_path / "own")
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert "KERAS_MAX_EPOCHS" not in os.environ
    assert os.environ["KERAS_HOME"] == str(home)  # nothing foreign in it
    said = capsys.readouterr().out
    assert said.startswith(
        "KERAS_BACKEND=torch is set aside: the course runs on tensorflow."
    )
    assert "KERAS_MAX_EPOCHS is set aside" in said


@pytest.mark.parametrize(
    "settings",
    [{"image_data_format": "channels_first"}, {"floatx": "float16"}, {"epsilon": 0.1}],
)
def test_a_keras_json_of_other_work_does_not_leak_in(home, tmp_path, capsys, settings):
    config = home / "keras.json"
    config.write_text(json.dumps({"backend": "torch", **settings}), "utf-8")
    before = config.read_bytes()
    (home / "datasets").mkdir()
    (home / "datasets" / "cifar").write_text("pictures", "utf-8")
    for _ in range(2):
        os.environ["KERAS_HOME"] = str(home)
        environment.use_course_keras(tmp_path / "own")
    own = tmp_path / "own" / "keras"
    assert os.environ["KERAS_HOME"] == str(own)
    assert config.read_bytes() == before
    if sys.platform != "win32":
        assert (own / "datasets" / "cifar").read_text("utf-8") == "pictures"
    ((key, value),) = settings.items()
    line = f"{config} ({key}: {value}) is set aside: see {own}."
    assert capsys.readouterr().out.splitlines() == [line] * 2


def test_an_ordinary_or_damaged_keras_json_stays_in_use(home, tmp_path):
    for text in (json.dumps(environment.KERAS | {"backend": "jax"}), "{", "[]"):
        (home / "keras.json").write_text(text, "utf-8")
        environment.use_course_keras(tmp_path / "own")
        assert os.environ["KERAS_HOME"] == str(home)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("text", ["abc", "-1", "1.5"])
def test_a_seed_that_is_none_is_told_in_one_sentence(monkeypatch, text):
    monkeypatch.setenv("DL_COURSE_SEED", text)
    with pytest.raises(SystemExit, match=f"DL_COURSE_SEED: expected an integer .*{text}"):
        environment.seed_shift()
    monkeypatch.setenv("DL_COURSE_SEED", "")
    assert environment.seed_shift() == 0


def test_a_home_that_cannot_be_written_is_replaced(tmp_path, monkeypatch, capsys):
    closed = tmp_path / "a file"
    closed.write_text("no folder", "utf-8")
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    for name in names:
        monkeypatch.setenv(name, str(closed / "below"))
    lab.find_homes(tmp_path)
    for name in names:
        assert Path(os.environ[name]).is_relative_to(tmp_path / ".home")
        monkeypatch.setenv(name, str(tmp_path / "open"))
    assert "Jupyter cannot write to " in capsys.readouterr().out
    lab.find_homes(tmp_path)
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------- a running lab


@pytest.fixture
def running_lab(tmp_path):
    """Start the lab on copies in a folder of its own; yield its URL and the folder."""
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }
    log = tmp_path / "lab.log"
    command = [sys.executable, "-m", "tools.lab", "--no-browser"]
    command += ["--work", str(tmp_path / "work")]

    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=notebooks.ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        yield wait_for_url(log, server), tmp_path / "work"
    finally:
        server.terminate()
        server.wait(20)


def wait_for_url(log, server, seconds=60):
    """The URL that the lab prints, once it answers there."""
    pattern = r"http://(?:localhost|127\.0\.0\.1):\d+/lab/tree/\w+\.ipynb\?token=\w+"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(pattern, log.read_text("utf-8")):
            with contextlib.suppress(urllib.error.URLError):  # printed, not yet listening
                with urllib.request.urlopen(found[0], timeout=30) as answer:
                    assert answer.status == 200
                return found[0]
        time.sleep(0.3)
    raise AssertionError(f"no answer within {seconds} s:\n{log.read_text('utf-8')}")


def test_no_news_are_fetched_or_asked_for(running_lab):
    url, _ = running_lab
    name = "@jupyterlab/apputils-extension:notification"
    with urllib.request.urlopen(
        re.sub(r"/lab/tree/[^?]*", f"/lab/api/settings/{name}", url)
    ) as answer:
        properties = json.load(answer)["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false"
    assert properties["checkForUpdates"]["default"] is False


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome here (apt install chromium)"
)
def test_a_chapter_runs_to_its_end_in_a_browser(running_lab):
    playwright = pytest.importorskip("playwright.sync_api")
    url, work = running_lab
    path = work / "chapter.ipynb"
    nbformat.write(notebooks.build(QUICKEST), path)  # no outputs yet
    with playwright.sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = p.chromium.launch(executable_path=BROWSER, args=options)
        page = browser.new_page()
        page.goto(url.replace(start.NAME, path.name))
        idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        idle.first.wait_for(timeout=60_000)
        deadline = time.monotonic() + 240
        started = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[[\d*]+\]"))
        accept = page.locator(".jp-Dialog .jp-mod-accept")
        while not started.count():  # a click before the kernel is connected has no effect
            with contextlib.suppress(playwright.Error):
                if accept.count():  # a question, such as which kernel to use
                    accept.first.click(timeout=4000)
                page.get_by_role("menuitem", name="Run", exact=True).click(timeout=4000)
                page.get_by_text("Run All Cells", exact=True).click(timeout=4000)
            page.wait_for_timeout(4000)
            assert time.monotonic() < deadline, "no cell was started"
        while not all(cell.execution_count for cell in code_cells(path)):
            assert time.monotonic() < deadline, "the notebook did not reach its end"
            page.wait_for_timeout(3000)
            page.keyboard.press("Control+s")
        assert not page.get_by_text("Jupyter news").count()
        browser.close()
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        kinds = {output.output_type for output in cell.outputs}
        assert ("error" in kinds) == ("raises-exception" in notebooks.tags(cell))
    assert any("image/png" in o.get("data", {}) for c in cells for o in c.outputs)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]
