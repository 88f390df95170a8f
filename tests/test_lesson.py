"""dl_course.lesson: seeds, claims, sources, progress. Checks are in test_exercises.py."""

import configparser
import io
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

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


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("DL_COURSE_STRICT", raising=False)


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
def test_a_claim_that_fails_raises_where_the_course_is_tested(
    monkeypatch, capsys, value, bounds
):
    monkeypatch.setenv("DL_COURSE_STRICT", "1")
    with pytest.raises(lesson.ClaimError, match=r"✗ accuracy .*, claimed"):
        lesson.claim("accuracy", value, **bounds)
    monkeypatch.delenv("DL_COURSE_STRICT")  # a learner changed a number, and goes on
    lesson.claim("accuracy", value, **bounds)
    assert capsys.readouterr().out.startswith("✗ accuracy ")


def test_a_yes_or_no_claim(capsys, monkeypatch):
    assert lesson.claim("rows sum to one", np.bool_(True)) is None  # no output of a cell
    assert capsys.readouterr().out == "✓ rows sum to one\n"
    lesson.claim("rows sum to one", False)
    assert capsys.readouterr().out == "✗ rows sum to one: claimed, but not so\n"
    monkeypatch.setenv("DL_COURSE_STRICT", "1")
    with pytest.raises(lesson.ClaimError, match="✗ rows sum to one"):
        lesson.claim("rows sum to one", False)


def test_claims_are_recorded_where_a_tool_asks_for_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DL_COURSE_CLAIMS", str(tmp_path / "claims"))
    lesson.claim("größer", np.float32(2), at_least=np.float32(1))
    lesson.claim("so", False)
    lesson.claim("near", float("inf"), equals=1, tolerance=0.5)
    rows = [
        json.loads(line) for line in (tmp_path / "claims").read_text("utf-8").splitlines()
    ]
    assert rows == [
        {"name": "größer", "value": 2.0, "at_least": 1, "at_most": None, "held": True},
        {"name": "so", "value": False, "at_least": None, "at_most": None, "held": False},
        {"name": "near", "value": "inf", "at_least": 0.5, "at_most": 1.5, "held": False},
    ]


# ---------------------------------------------------------------- report


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.98765,), "0.9877"),
        ((3, 0.00123, 1234.5), "3, 0.00123, 1234"),
        ((np.array([0.5, 2.25]), np.int64(7)), "0.5000, 2.25, 7"),
        ((keras.ops.convert_to_tensor([[1.5]]),), "1.5"),
        (([0.1, (0.2,)], True), "0.1000, 0.2000, True"),
        ((float("nan"),), "nan"),
    ],
)
def test_report_prints_a_line_that_tests_know(capsys, values, shown):
    lesson.report("accuracy, of all", *values)
    line = capsys.readouterr().out
    assert line == f"→ accuracy, of all: {shown}\n"
    config = configparser.RawConfigParser()
    config.read(Path(__file__).with_name("sanitize.cfg"), "utf-8")
    text = line.rstrip("\n")
    for section in config.sections():
        text = re.sub(config[section]["regex"], config[section]["replace"], text)
    assert text == "→ accuracy, of all: VALUES"


def test_report_says_what_is_wrong():
    with pytest.raises(ValueError, match="name: expected words without a colon"):
        lesson.report("loss: mean", 1)
    with pytest.raises(ValueError, match="values: expected at least one number"):
        lesson.report("loss")


def test_a_console_without_the_signs_still_shows_the_line(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    lesson.claim("accuracy", 1, at_least=0)
    sys.stdout.flush()
    assert raw.getvalue().decode().startswith("? accuracy 1, claimed ")


# ---------------------------------------------------------------- Keras settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"backend": "no_such", "image_data_format": "channels_last"}, "cannot start with"),
        ({"image_data_format": "channels_first"}, "for this notebook it is channels_last"),
        ({"floatx": "float64"}, "for this notebook it is float32"),
        ({}, ""),
    ],
)
def test_a_learners_own_keras_settings_are_noticed(tmp_path, settings, said):
    (tmp_path / "keras.json").write_text(json.dumps(settings), "utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    environment["KERAS_HOME"] = str(tmp_path)
    code = (
        "from dl_course import lesson; lesson.seed(0); import keras; "
        "print(keras.config.image_data_format(), keras.config.floatx())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment
    )
    assert said in run.stdout + run.stderr
    if "cannot" in said:
        assert "KERAS_BACKEND=tensorflow" in run.stderr.splitlines()[-1]
    else:
        assert run.stdout.splitlines()[-1] == "channels_last float32"
        assert bool(run.stdout.splitlines()[:-1]) == bool(said)


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
