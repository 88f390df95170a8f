"""dl_course.lesson: seeds, claims, sources, progress. Checks are in test_exercises.py."""

import io
import random

import keras
import numpy as np
import pytest

from dl_course import lesson

# ---------------------------------------------------------------- seed


def draws():
    return (
        random.random(),
        np.random.random(),  # noqa: NPY002
        keras.random.uniform(()).numpy().item(),
        keras.layers.Dense(1)(np.ones((1, 2), "float32")).numpy().item(),
    )


def test_one_seed_gives_one_sequence():
    lesson.seed(3)
    first = draws()
    lesson.seed(3)
    assert draws() == first
    lesson.seed(4)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_dl_course_seed_shifts_every_seed(monkeypatch):
    monkeypatch.delenv("DL_COURSE_SEED", raising=False)
    assert lesson.seed(3) == 3
    monkeypatch.setenv("DL_COURSE_SEED", "2")
    assert lesson.seed(3) == 2003


@pytest.mark.parametrize("bad", [-1, 1.5, "1"])
def test_seed_says_what_is_wrong(bad):
    with pytest.raises(ValueError, match="n: expected an integer ≥ 0"):
        lesson.seed(bad)


def test_shift_says_what_is_wrong(monkeypatch):
    monkeypatch.setenv("DL_COURSE_SEED", "two")
    with pytest.raises(ValueError, match="DL_COURSE_SEED: expected an integer"):
        lesson.seed()


def test_a_required_gpu_that_is_missing_is_an_error(monkeypatch):
    import tensorflow as tf

    monkeypatch.setenv("DL_COURSE_REQUIRE_GPU", "1")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(RuntimeError, match="sees no GPU"):
        lesson.seed()


# ---------------------------------------------------------------- claim


@pytest.mark.parametrize(
    ("value", "bounds", "line"),
    [
        (0.9912, {"at_least": 0.99}, "✓ accuracy 0.9912, claimed ≥ 0.99"),
        (1.5, {"at_most": 2}, "✓ accuracy 1.5, claimed ≤ 2"),
        (
            np.float32(0.5),
            {"at_least": 0, "at_most": 1},
            "✓ accuracy 0.5000, claimed 0 to 1",
        ),
        (2.0004, {"equals": 2, "tolerance": 1e-3}, "✓ accuracy 2, claimed 2 ± 0.001"),
        (3e-7, {"at_most": 1e-6}, "✓ accuracy 3e-07, claimed ≤ 1e-06"),
    ],
)
def test_a_claim_that_holds_prints_one_line(capsys, value, bounds, line):
    lesson.claim("accuracy", value, **bounds)
    assert capsys.readouterr().out == line + "\n"


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0.98, {"at_least": 0.99}),
        (3, {"at_most": 2}),
        (2.1, {"equals": 2, "tolerance": 0.05}),
        (float("nan"), {"at_least": 0}),
        (float("nan"), {"at_least": -1, "at_most": 1}),
    ],
)
def test_a_claim_that_fails_raises_with_its_line(value, bounds):
    with pytest.raises(lesson.ClaimError, match=r"✗ accuracy .*, claimed"):
        lesson.claim("accuracy", value, **bounds)


def test_a_yes_or_no_claim(capsys):
    lesson.claim("rows sum to one", np.bool_(True))
    assert capsys.readouterr().out == "✓ rows sum to one\n"
    with pytest.raises(lesson.ClaimError, match="✗ rows sum to one"):
        lesson.claim("rows sum to one", False)


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (1, {}, "expected at least one"),
        (1, {"equals": 1}, "tolerance: expected"),
        (1, {"equals": 1, "tolerance": -1}, "tolerance: expected"),
        (1, {"equals": 1, "tolerance": 1, "at_least": 0}, "equals: give either"),
        (1, {"tolerance": 1}, "tolerance: only goes with equals"),
        (1, {"at_least": 2, "at_most": 1}, "at_least: expected a value ≤ at_most"),
        (True, {"at_least": 0}, "value: expected a number"),
    ],
)
def test_a_claim_without_sense_is_a_value_error(value, bounds, message):
    with pytest.raises(ValueError, match=message):
        lesson.claim("x", value, **bounds)


# ---------------------------------------------------------------- reveal, progress


def test_reveal_shows_the_source(capsys):
    lesson.reveal(lesson.claim)
    assert "Markdown" in capsys.readouterr().out  # no notebook here: the object's name
    with pytest.raises(ValueError, match="reveal: expected something written in Python"):
        lesson.reveal(len)


def test_progress_is_silent_where_notebooks_are_stored(monkeypatch, capfd):
    monkeypatch.setenv("DL_COURSE_QUIET", "1")
    assert list(lesson.progress(range(3), "counting")) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_progress_shows_and_vanishes(monkeypatch):
    monkeypatch.setenv("DL_COURSE_QUIET", "0")
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert list(lesson.progress(range(3), "counting")) == [0, 1, 2]


def test_progress_bar_counts_training_steps(monkeypatch, capfd):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    monkeypatch.setenv("DL_COURSE_QUIET", "1")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[lesson.progress_bar("fit")])
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("DL_COURSE_QUIET", "0")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[lesson.progress_bar("fit")])
    assert "0/2" in (shown := capfd.readouterr().err) and shown.endswith(" \r")
