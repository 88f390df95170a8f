"""The start page of `make lab`, and what it counts: exercises solved, in a text file."""

import contextlib
import datetime
import importlib
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from dl_course import exercises, lesson
from dl_course.exercises import chapter_01, solved
from tests.test_lab import BROWSER, running_lab  # noqa: F401
from tools import lab, start
from tools.notebooks import ROOT, manifest

TODAY = str(datetime.date.today())


@pytest.fixture
def note(tmp_path, monkeypatch):
    """The file of solved exercises of a lab, whose chapter 01 has an exercise 01.99."""
    cell = new_markdown_cell('## Exercises\n\n### Exercise 01.99: say "two"\n\nSay it.')
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "01_background.ipynb")

    def check(answer, rng):
        exercises.expect(answer == 2, "Not two.")

    monkeypatch.setitem(chapter_01.CHECKS, "01.99", check)
    monkeypatch.setenv("DL_COURSE_SOLVED", str(tmp_path / "solved.txt"))
    return tmp_path / "solved.txt"


# ---------------------------------------------------------------- the file


def test_a_right_answer_is_noted_once_with_title_and_date(note):
    for _ in range(2):
        lesson.check("01.99", 2)
    assert note.read_text("utf-8") == f'01.99\tsay "two"\t{TODAY}\n'
    assert solved.read(note) == {"01.99": ('say "two"', TODAY)}


@pytest.mark.parametrize("answer", [3, None, ..., "two"])
def test_other_answers_are_not_noted(note, answer):
    lesson.check("01.99", answer)
    assert not note.exists()


def test_our_solution_is_not_noted(note):
    lesson.check("01.99", 2, solution=True)
    assert not note.exists()


def test_nothing_is_written_where_no_lab_asks_for_it(note, monkeypatch, tmp_path):
    before = sorted(tmp_path.iterdir())
    for value in (None, ""):
        monkeypatch.delenv("DL_COURSE_SOLVED", raising=False)
        if value is not None:
            monkeypatch.setenv("DL_COURSE_SOLVED", value)
        lesson.check("01.99", 2)
    assert sorted(tmp_path.iterdir()) == before


def test_no_test_writes_there():
    """Not even one that is started in a terminal of the lab: conftest.py forgets it."""
    code = "import os, conftest; print(os.environ.get('DL_COURSE_SOLVED'))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**lab.os.environ, "DL_COURSE_SOLVED": "x", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "None\n"


def test_damaged_lines_stay_and_do_not_count(note):
    damaged = b"01.1\thalf\n\xff\xfe\n\n05.2\ta title\t2026-01-02\n01.2\tcut off\t20"
    note.write_bytes(damaged)
    lesson.check("01.99", 2)
    assert note.read_bytes() == damaged + f'\n01.99\tsay "two"\t{TODAY}\n'.encode()
    assert sorted(solved.read(note)) == ["01.99", "05.2"]


def test_a_key_with_a_new_title_is_noted_again(note):
    note.write_text("01.99\tsomething else\t2026-01-02\n", "utf-8")
    lesson.check("01.99", 2)
    assert len(note.read_text("utf-8").splitlines()) == 2
    assert solved.read(note)["01.99"] == ('say "two"', TODAY)
    (note.parent / "01_background.ipynb").unlink()  # the title is not known any more
    lesson.check("01.99", 2)
    assert len(note.read_text("utf-8").splitlines()) == 2


def test_without_a_readable_notebook_the_title_is_empty(note):
    (note.parent / "01_background.ipynb").write_text('{"cells": [{}]}', "utf-8")
    lesson.check("01.99", 2)
    assert note.read_text("utf-8") == f"01.99\t\t{TODAY}\n"


def test_a_file_that_cannot_be_written_costs_no_verdict(note, capsys):
    note.mkdir()
    lesson.check("01.99", 2)
    verdict, trouble = capsys.readouterr().out.splitlines()
    assert verdict == "Exercise 01.99: correct."
    assert trouble.startswith(f"(It could not be noted in {note}: ")


def test_an_update_of_the_course_leaves_the_file(note):
    lesson.check("01.99", 2)
    before = note.read_bytes()
    lab.copy_notebooks(ROOT / "notebooks", note.parent)
    start.write_page(note.parent)
    assert note.read_bytes() == before


# ---------------------------------------------------------------- the page


def test_every_exercise_that_has_a_check_is_on_the_page():
    for chapter in manifest()[1]:
        number = chapter["number"]
        checks = importlib.import_module(f"dl_course.exercises.chapter_{number}").CHECKS
        found = start.exercises(chapter)
        keys = [e.key for e in found]
        assert sorted(keys) == sorted(checks), "does each text begin with `*5 minutes.*`?"
        assert all(e.title and 0 < e.minutes <= 60 for e in found)


def test_the_page_shows_chapters_parts_promises_minutes_and_what_is_solved(tmp_path):
    first = manifest()[1][0]
    keys = [e.key for e in start.exercises(first)]
    lines = [f"{key}\tx\t2026-01-02\n" for key in (*keys[:2], "01.77")]  # one is gone
    (tmp_path / "solved.txt").write_text("".join(lines), "utf-8")
    text = start.table(tmp_path)
    for chapter in manifest()[1]:
        name = f"{chapter['number']}_{chapter['name']}.ipynb"
        (line,) = [line for line in text.splitlines() if f"]({name})" in line]
        assert chapter["title"] in line and chapter["promise"] in line
        assert f"| {chapter['minutes']} |" in line
        total = len(start.exercises(chapter))
        done = 2 if chapter is not None and chapter["number"] == "01" else 0
        assert f"{'●' * done}{'○' * (total - done)}<br>{done} of {total} |" in line
    assert re.search(r"\*\*You have solved 2 of \d+ exercises", text)
    numbers = re.findall(r"^\| \*\*(\d\d)\*\* \|", text, re.MULTILINE)
    assert numbers == [f"{i:02}" for i in range(1, 12)]


def test_newer_versions_are_offered_on_the_page(tmp_path):
    assert "newer version" not in start.table(tmp_path)
    (tmp_path / "01_background.new.ipynb").touch()
    assert "- [01_background.new.ipynb](01_background.new.ipynb)" in start.table(tmp_path)


def test_an_unreadable_file_is_told_on_the_page(tmp_path):
    (tmp_path / "solved.txt").mkdir()
    assert "`solved.txt` cannot be read: " in start.table(tmp_path)


def test_the_pages_cell_makes_the_stored_output(tmp_path, monkeypatch):
    notebook = nbformat.read(start.write_page(tmp_path), as_version=4)
    nbformat.validate(notebook)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda thing: shown.append(thing.data))
    monkeypatch.setenv("DL_COURSE_SOLVED", str(tmp_path / "solved.txt"))
    exec(notebook.cells[1].source, {})
    assert shown == [notebook.cells[1].outputs[0].data["text/markdown"]]


def test_the_lab_needs_nothing_that_only_tests_need():
    code = "import sys, tools.lab; print({'jupytext', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "set()\n"


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome here (apt install chromium)"
)
def test_the_lab_opens_on_the_page_and_counts_again(running_lab):  # noqa: F811
    playwright = pytest.importorskip("playwright.sync_api")
    url, work = running_lab
    assert f"/lab/tree/{start.NAME}?" in url
    with playwright.sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        page = p.chromium.launch(executable_path=BROWSER, args=options).new_page()
        page.goto(url)
        table = page.locator(".jp-OutputArea-output table")
        table.wait_for(timeout=60_000)
        links = table.locator("a")
        assert links.count() == len(manifest()[1])
        key = start.exercises(manifest()[1][0])[0].key
        (work / "solved.txt").write_text(f"{key}\tx\t2026-01-02\n", "utf-8")
        told = page.get_by_text("You have solved 1 of")
        for _ in range(15):  # a click before the kernel is connected has no effect
            with contextlib.suppress(playwright.Error):
                page.get_by_role("menuitem", name="Run", exact=True).click(timeout=4000)
                page.get_by_text("Run All Cells", exact=True).click(timeout=4000)
            with contextlib.suppress(playwright.Error):
                told.wait_for(timeout=4000)
                break
        assert told.count() == 1
        links.first.click()
        title = page.get_by_role("heading", name=re.compile(manifest()[1][0]["title"]))
        title.first.wait_for(timeout=30_000)
