"""`make course`: a table that tells the truth, whatever happens while it is made."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from tests.conftest import MANIFEST
from tools import course, files, notebooks

CLAIM = f"import sys; sys.path.insert(0, {str(notebooks.ROOT)!r})\n"
CLAIM += "from dl_course.lesson import claim\n"
GOOD = f"# %%\n{CLAIM}claim('one', True)\n\n# %%\nclaim('two', 2, at_least=1)\n"
FAILING = GOOD.replace("at_least=1", "at_least=3")
RAISING = GOOD.replace("claim('two', 2", "1 / 0\nclaim('two', 2")
DYING = GOOD.replace("claim('two', 2", "import os; os._exit(9)\nclaim('two', 2")


@pytest.fixture
def two_chapters(small_course, tmp_path, monkeypatch):
    """A course of two tiny chapters; returns a function that writes their sources."""
    monkeypatch.setattr(notebooks, "SET_UP", "import math{install:.0}{get:.0}")
    monkeypatch.setattr(course, "COURSE", tmp_path / "course")
    monkeypatch.setattr(course, "use_course_keras", lambda folder, backend: None)
    monkeypatch.setenv("DL_COURSE_LOCK_NOTEBOOKS", "0")  # nobody is waited for
    monkeypatch.delenv("DL_COURSE_SEED", raising=False)
    monkeypatch.setattr(course.sys, "argv", ["course"])
    sources = tmp_path / "src"
    (sources / "02_next.toml").write_text(MANIFEST.replace("Small", "Next"), "utf-8")

    def write(first, second=GOOD):
        (sources / "01_small.py").write_text(first, "utf-8")
        (sources / "02_next.py").write_text(second, "utf-8")

    return write


def run_course():
    """(exit code, the text of summary.md or None)."""
    with pytest.raises(SystemExit) as caught:
        course.main()
    path = course.COURSE / "summary.md"
    return caught.value.code, path.read_text("utf-8") if path.exists() else None


def row_of(text, chapter):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {chapter} ")]
    return [cell.strip() for cell in line.strip("| ").split("|")][1:5]


def test_a_good_run(two_chapters, capsys):
    two_chapters(GOOD)
    code, text = run_course()
    assert code == 0
    for chapter in ("01", "02"):
        assert row_of(text, chapter) == ["2 of 2", "0", "0", "0"]
    today = time.strftime("%Y-%m-%d")
    assert re.match(rf"Made on {today} at \d\d:\d\d from (commit [0-9a-f]+|a folder)", text)
    assert "Seeds shifted by 0, TensorFlow beneath Keras. All 2 chapters ran." in text
    assert text.endswith("Every claim held.\n")
    cells = nbformat.read(course.COURSE / "01_small.ipynb", as_version=4).cells
    assert "✓ one" in "".join(
        o.get("text", "") for c in cells for o in c.get("outputs", [])
    )
    assert str(course.COURSE) in capsys.readouterr().out.splitlines()[-1]


def test_a_claim_that_fails_is_counted_and_the_chapter_runs_on(two_chapters):
    two_chapters(FAILING + "\n# %%\nclaim('three', True)\n")
    code, text = run_course()
    assert code == 1
    assert row_of(text, "01") == ["2 of 3", "1", "0", "0"]
    assert text.endswith("\n- 01 Small: ✗ two\n")


def test_a_claim_after_an_error_is_not_reached_and_not_forgotten(two_chapters):
    two_chapters(RAISING)
    code, text = run_course()
    assert code == 1
    assert row_of(text, "01") == ["1 of ?", "0", "?", "1"]  # nobody knows how many
    assert "- 01 Small: ZeroDivisionError: division by zero\n" in text
    store_as_whole("01_small", 2)
    code, text = run_course()
    assert row_of(text, "01") == ["1 of 2", "0", "1", "1"]
    assert "- 01 Small: 1 claims were not reached\n" in text
    assert row_of(text, "02") == ["2 of 2", "0", "0", "0"]


def store_as_whole(stem, claims):
    """Store a notebook as if a run of the same code had stated so many claims."""
    (chapter,) = [c for c in notebooks.manifest()[1] if notebooks.stem(c) == stem]
    notebook = notebooks.build(chapter)
    made_by = notebooks.fingerprint(notebook)
    notebook.metadata["dl_course"] = {"outputs_of": made_by, "claims": claims}
    nbformat.write(notebook, notebooks.NOTEBOOKS / f"{stem}.ipynb")


def test_claims_that_go_missing_without_an_error_count_too(two_chapters):
    two_chapters(GOOD)
    store_as_whole("01_small", 5)
    code, text = run_course()
    assert code == 1 and row_of(text, "01") == ["2 of 5", "0", "3", "0"]
    two_chapters(GOOD + "\n# %%\nclaim('new', True)\n")  # other code: not comparable
    code, text = run_course()
    assert code == 0 and row_of(text, "01") == ["3 of 3", "0", "0", "0"]


def test_errors_that_are_meant_are_none(two_chapters):
    meant = '\n# %% tags=["raises-exception"]\nraise ValueError("meant")\n'
    two_chapters(GOOD + meant)
    code, text = run_course()
    assert code == 0 and row_of(text, "01") == ["2 of 2", "0", "0", "0"]


def test_a_kernel_that_dies_ends_its_chapter_alone(two_chapters):
    two_chapters(DYING)
    code, text = run_course()
    assert code == 1
    assert row_of(text, "01") == ["1 of ?", "0", "?", "1"]
    line = "- 01 Small: the kernel died in code cell 3 of 3 (out of memory?)\n"
    assert line in text
    assert row_of(text, "02") == ["2 of 2", "0", "0", "0"]
    assert (course.COURSE / "01_small.ipynb").exists()


def test_an_old_table_does_not_pass_for_the_new_one(two_chapters, monkeypatch):
    two_chapters(GOOD)
    course.COURSE.mkdir()
    for name in ("summary.md", "01_small.ipynb", "02_next.ipynb"):
        (course.COURSE / name).write_text("old", "utf-8")

    def stop(chapter):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "run", stop)
    assert run_course() == (130, None)
    assert list(course.COURSE.iterdir()) == []


def test_ctrl_c_leaves_a_partial_table(two_chapters, monkeypatch, capsys):
    two_chapters(GOOD)
    run = course.run

    def stop_at_second(chapter):
        if chapter["number"] == "02":
            raise KeyboardInterrupt
        return run(chapter)

    monkeypatch.setattr(course, "run", stop_at_second)
    code, text = run_course()
    assert code == 130
    assert "Only 1 of 2 chapters ran." in text and "So far every claim held." in text
    assert row_of(text, "01") == ["2 of 2", "0", "0", "0"]
    assert "Stopped by Ctrl-C after 1 of 2 chapters." in capsys.readouterr().out


STOPPED = """
import json, pathlib, sys
from tools import course, notebooks
notebooks.NOTEBOOKS, course.COURSE = map(pathlib.Path, sys.argv[1:3])
notebooks.SET_UP = "import math{install:.0}{get:.0}"
course.use_course_keras = lambda folder, backend: None
del sys.argv[1:]
course.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_in_the_middle_of_a_cell_is_one_sentence(two_chapters, tmp_path):
    started = tmp_path / "started"
    wait = f"# %%\nopen({str(started)!r}, 'w').close()\nimport time\ntime.sleep(60)\n"
    two_chapters(GOOD, wait)
    command = [sys.executable, "-c", STOPPED, str(tmp_path), str(course.COURSE)]
    process = subprocess.Popen(
        command,
        cwd=notebooks.ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # and not pytest's group
    )
    try:
        while not started.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "Stopped by Ctrl-C after 1 of 2 chapters." in out
    assert "Only 1 of 2 chapters ran." in out


def test_a_full_disk_is_told_with_the_table_so_far(two_chapters, monkeypatch, capsys):
    two_chapters(GOOD)
    replace = os.replace

    def fail(new, path):
        if path.name == "02_next.ipynb":
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(new, path)

    monkeypatch.setattr(files.os, "replace", fail)
    code, text = run_course()
    assert code == 1 and "Only 1 of 2 chapters ran." in text
    out = capsys.readouterr().out
    assert "02_next.ipynb cannot be written (no space left on device)" in out
    assert out.count("| 01 Small | 2 of 2 |") == 2  # as it came, and in the table


def test_a_build_folder_that_cannot_be_written_is_told_before_anything_runs(
    two_chapters, monkeypatch
):
    two_chapters(GOOD)
    course.COURSE.write_text("a file", "utf-8")
    monkeypatch.setattr(course, "run", lambda chapter: pytest.fail("it ran"))
    with pytest.raises(SystemExit, match="course is a file, but a folder is needed"):
        course.main()


def test_a_seed_that_is_none_is_told_before_anything_runs(two_chapters, monkeypatch):
    two_chapters(GOOD)
    monkeypatch.setenv("DL_COURSE_SEED", "abc")
    monkeypatch.setattr(course, "run", lambda chapter: pytest.fail("it ran"))
    with pytest.raises(SystemExit, match="DL_COURSE_SEED: expected an integer ≥ 0"):
        course.main()
    assert not course.COURSE.exists()


def test_jax_runs_the_marked_chapters_or_what_is_asked(monkeypatch):
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="JAX is missing: `make jax`"):
        course.with_jax([])
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: name)
    assert course.with_jax(["03"]) == ["03"]
    numbers = course.with_jax([])
    marked = [c["number"] for c in notebooks.manifest()[1] if c.get("jax")]
    assert numbers == marked and "01" in numbers and "03" not in numbers
