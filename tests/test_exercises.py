"""Every check in four states: the stub, our solution, another right one, wrong ones.

Stub and solution are taken from the chapter's source, so what is tested is what is shown.
The others stand in tests/answers/<module>.py: RIGHT = {key: [answer, ...]} and
WRONG = {key: [(answer, part of the message it gets), ...]}.
"""

import importlib
import re

import keras
import numpy as np
import pytest

from dl_course import exercises
from tools import notebooks

CHAPTERS = notebooks.manifest()[1]
ANSWERS = {
    chapter["number"]: importlib.import_module(f"tests.answers.{chapter['module']}")
    for chapter in CHAPTERS
}
KEYS = [key for module in ANSWERS.values() for key in module.RIGHT]


def cells(key, tag):
    """Sources of the cells with this tag that check exercise `key`."""
    chapter = next(c for c in CHAPTERS if c["number"] == key.partition(".")[0])
    return [
        cell.source
        for cell in notebooks.build(chapter).cells
        if tag in notebooks.tags(cell) and f'check("{key}"' in cell.source
    ]


def answer_in(source):
    """Run a cell as the notebook would; return what it hands to `check`."""
    handed_in = []
    names = {
        "np": np,
        "keras": keras,
        "check": lambda key, answer: handed_in.append(answer),
    }
    exec(source, names)
    assert len(handed_in) == 1
    return handed_in[0]


def test_every_exercise_has_checks_and_answers():
    for chapter in CHAPTERS:
        number = chapter["number"]
        assert exercises.MODULES[number] == chapter["module"]
        checks = importlib.import_module(f"dl_course.exercises.{chapter['module']}").CHECKS
        text = "\n".join(cell.source for cell in notebooks.build(chapter).cells)
        assert list(checks) == re.findall(r"^### Exercise ([\da-z.]+):", text, re.MULTILINE)
        assert list(checks) == list(ANSWERS[number].RIGHT) == list(ANSWERS[number].WRONG)
        assert all(len(wrong) >= 3 for wrong in ANSWERS[number].WRONG.values())


@pytest.mark.parametrize("key", KEYS)
def test_the_stub_is_not_done_yet(key):
    (stub,) = cells(key, "exercise")
    assert exercises.verdict(key, answer_in(stub)) == "not done yet."


@pytest.mark.parametrize("key", KEYS)
def test_our_solution_is_right(key):
    (solution,) = cells(key, "solution")
    for _ in range(3):  # checks draw fresh random inputs
        assert exercises.verdict(key, answer_in(solution)) == "correct."


@pytest.mark.parametrize("key", KEYS)
def test_another_right_solution_is_right(key):
    assert ANSWERS[key.partition(".")[0]].RIGHT[key]
    for answer in ANSWERS[key.partition(".")[0]].RIGHT[key]:
        for _ in range(3):
            assert exercises.verdict(key, answer) == "correct."


@pytest.mark.parametrize(
    ("key", "number"),
    [
        (k, i)
        for m in ANSWERS.values()
        for k, wrong in m.WRONG.items()
        for i in range(len(wrong))
    ],
)
def test_a_typical_mistake_is_named(key, number):
    answer, message = ANSWERS[key.partition(".")[0]].WRONG[key][number]
    for _ in range(3):
        said = exercises.verdict(key, answer)
        assert said.startswith("not right yet. ") and message in said
    generic = {exercises.verdict(key, wrong) for wrong, _ in
               ANSWERS[key.partition(".")[0]].WRONG[key]}  # fmt: skip
    assert len(generic) > 1, "every mistake gets the same message"
