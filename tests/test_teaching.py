"""The page for teachers says what the manifests say, and its timetables can be held."""

import re
from itertools import chain

import pytest
from PIL import Image

from tools import start, teaching
from tools.notebooks import manifest

CHAPTERS = manifest()[1]
NUMBERS = [chapter["number"] for chapter in CHAPTERS]


def test_the_page_is_what_its_sources_make():
    assert teaching.PAGE.read_text("utf-8") == teaching.page(), "run `make notebooks`"


def test_the_picture_is_drawn_from_the_manifests():
    drawn = Image.open(teaching.PICTURE).text["Description"]
    layout = teaching.notes()["picture"]
    assert drawn == f"{teaching.listed()} in {layout}", "run `make notebooks`"
    assert teaching.diagram().draw().axes


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NUMBERS)
def test_each_chapter_has_notes_of_its_own(chapter):
    text = teaching.chapter_notes(chapter)
    for objective in chapter["objectives"]:
        assert f"- {objective}" in text
    for exercise in start.exercises(chapter):
        assert f"{exercise.key} {exercise.title} ({exercise.minutes} minutes)" in text
    notes = teaching.notes()["chapters"][chapter["number"]]
    assert len(notes["wrong"]) >= 3 and len(notes["class"]) >= 2
    sentences = [notes["show"], *notes["class"].values(), *chain(*notes["wrong"])]
    for sentence in sentences:
        assert sentence[0].isupper() or sentence[0] == "`", sentence
        assert sentence.endswith((".", "?")), sentence
        assert len(sentence.split()) >= 4 and "\n" not in sentence, sentence


def test_there_are_no_notes_on_chapters_that_are_gone():
    notes = teaching.notes()["chapters"]
    assert sorted(notes) == NUMBERS
    assert len({note["show"] for note in notes.values()}) == len(notes)


def test_a_day_has_seven_hours_and_a_meeting_time_to_show():
    minutes = {chapter["number"]: chapter["minutes"] for chapter in CHAPTERS}
    assert len(teaching.notes()["week"]) == 5 and len(teaching.notes()["term"]) == 12
    for day in teaching.notes()["week"]:
        assert sum(minutes[number] for number in day) <= 7 * 60, day
    for live in re.findall(r"\| (-?\d+) min \|", teaching.term_table()):
        assert 40 <= int(live) <= 100


@pytest.mark.parametrize("plan", ["week", "term"])
def test_what_a_chapter_needs_comes_before_it(plan):
    order = teaching.notes()[plan]
    order = list(chain(*order)) if plan == "week" else order
    assert len(set(order)) == len(order)
    assert {
        c["number"] for c in CHAPTERS if c["number"] <= "10" and len(c["number"]) == 2
    } <= (set(order))
    for place, number in enumerate(order):
        missing = teaching.needs()[number] - set(order[:place])
        assert not missing, f"{number} needs {missing}"


def test_needs_are_read_out_of_sentences(small_course, monkeypatch):
    def chapter(number, *prerequisites):
        return {"number": number, "prerequisites": list(prerequisites)}

    course = [
        chapter("01", "Python 3"),
        chapter("02", "softmax (chapter 01)"),
        chapter("02b", "chapters 01 and 02", "2 × 2 matrices"),
        chapter("03", "chapters 01 to 02"),
        chapter("04", "more (chapters 02, 02b)"),
    ]
    monkeypatch.setattr(teaching, "manifest", lambda: ({}, course, {}))
    assert teaching.needs() == {
        "01": set(), "02": {"01"}, "02b": {"01", "02"}, "03": {"01", "02"},
        "04": {"02", "02b"},
    }  # fmt: skip
    assert teaching.arrows() == [("01", "02"), ("02", "02b"), ("02", "03"), ("02b", "04")]
    course.append(chapter("05", "chapter 77"))
    with pytest.raises(ValueError, match="prerequisites of 05: no chapter"):
        teaching.needs()


def test_notes_that_do_not_fit_are_named(monkeypatch):
    notes = teaching.notes()
    notes["chapters"]["01"]["class"]["01.77"] = "No such exercise."
    notes["picture"] = notes["picture"].replace("11f", ".")
    del notes["chapters"]["02"]["show"]
    monkeypatch.setattr(teaching, "notes", lambda: notes)
    with pytest.raises(ValueError, match=r"chapter 01 has no exercise \{'01.77'\}"):
        teaching.chapter_notes(CHAPTERS[0])
    with pytest.raises(ValueError, match="chapter 02 needs the keys"):
        teaching.chapter_notes(CHAPTERS[1])
    with pytest.raises(ValueError, match=r"expected each chapter once, .*\['11f'\]"):
        teaching.diagram()


def test_links_within_the_page_lead_somewhere():
    text = teaching.page()
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    for path in re.findall(r"\]\((?!#)([^)]+)\)", text):
        assert (teaching.DOCS / path).exists(), path
