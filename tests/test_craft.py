"""Cleaning, splitting and scaling without a leak; metrics; the table's networks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import common, craft, data, network

ROWS = data.cars()
CLEAN = craft.clean_cars(ROWS)
NAMES = [row["Name"] for row in CLEAN]
FRACTIONS = (0.5, 0.2, 0.3)
RNG = np.random.default_rng(0)
seeds = st.integers(0, 2**32 - 1)


# ---------------------------------------------------------------- cleaning


def test_what_cleaning_does_to_the_real_table():
    missing = sum(row["Miles_per_Gallon"] is None for row in ROWS)
    assert (len(ROWS), missing, len(CLEAN)) == (406, 8, 406 - 8 - 1)
    gone = {row["Name"] for row in ROWS if row["Miles_per_Gallon"] is not None}
    assert "datsun pl510" in gone and NAMES.count("datsun pl510") == 1
    makers = {name.split()[0] for name in NAMES}
    assert not makers & set(craft.MISSPELLED)
    assert sum(row["Horsepower"] is None for row in CLEAN) == 6  # a hole is no reason to go


def test_cleaning_is_idempotent_and_leaves_its_input_alone():
    before = [dict(row) for row in ROWS]
    assert craft.clean_cars(craft.clean_cars(ROWS)) == CLEAN
    assert before == ROWS


@settings(max_examples=30, deadline=None)
@given(number=seeds)
def test_known_dirt_is_found(number):
    rng = np.random.default_rng(number)
    copies = [dict(CLEAN[i]) for i in rng.integers(0, len(CLEAN), 30)]
    later = [row | {"Year": "1999-01-01"} for row in copies]
    dirty = [*CLEAN, *(copies + later)]
    assert craft.clean_cars(dirty) == CLEAN
    column = rng.choice(list(craft.CAR_LIMITS))
    slip = CLEAN[0] | {"Name": "new car", column: 1e6}
    result = craft.clean_cars([*CLEAN, slip])
    if column == "Miles_per_Gallon":
        assert result == CLEAN
    else:
        assert result[-1][column] is None
    assert craft.clean_cars(result) == result


@settings(max_examples=20, deadline=None)
@given(number=seeds)
def test_the_order_of_rows_does_not_matter(number):
    order = np.random.default_rng(number).permutation(len(CLEAN))
    shuffled = craft.clean_cars([CLEAN[i] for i in order])
    assert sorted(map(str, shuffled)) == sorted(map(str, CLEAN))


# ---------------------------------------------------------------- splitting


@settings(max_examples=50, deadline=None)
@given(number=seeds, groups=st.integers(30, 300))
def test_a_split_covers_all_rows_once_and_tears_no_group(number, groups):
    rng = np.random.default_rng(number)
    names = rng.integers(0, groups, 400)
    parts = craft.split_groups(names, FRACTIONS, rng)
    assert sorted(np.concatenate(parts)) == list(range(400))
    for i, part in enumerate(parts):
        for other in parts[:i]:
            assert not set(names[part]) & set(names[other])
        assert abs(len(part) / 400 - FRACTIONS[i]) < 0.1


def test_a_split_depends_on_names_alone():
    order = np.random.default_rng(1).permutation(len(NAMES))
    once = craft.split_groups(NAMES, FRACTIONS, np.random.default_rng(2))
    again = craft.split_groups(
        [NAMES[i] for i in order], FRACTIONS, np.random.default_rng(2)
    )
    for part, other in zip(once, again, strict=True):
        assert set(part) == set(order[other])


# ---------------------------------------------------------------- the whole pipeline


def pipeline(rows, number):
    """Rows as they come -> (train inputs, train miles, statistics, test inputs)."""
    clean = craft.clean_cars(rows)
    names = [row["Name"] for row in clean]
    split = craft.split_groups(names, FRACTIONS, np.random.default_rng(number))
    raw, miles, _ = craft.car_arrays(clean)
    statistics = craft.fit_statistics(raw[split[0]])
    x = craft.preprocess(raw, statistics)
    return x[split[0]], miles[split[0]], statistics, x[split[2]], split[2], clean


def equal(first, second):
    return all(np.array_equal(first[key], second[key]) for key in first)


@settings(max_examples=15, deadline=None)
@given(number=seeds)
def test_permuting_and_altering_test_rows_changes_nothing_in_training(number):
    x, miles, statistics, _, test, clean = pipeline(ROWS, number)
    rng = np.random.default_rng(number)
    permuted, altered = list(clean), list(clean)
    for i, j in zip(test, rng.permutation(test), strict=True):
        permuted[i] = clean[j]
        altered[i] = clean[i] | {
            "Miles_per_Gallon": float(rng.uniform(6, 59)),
            "Horsepower": None if rng.random() < 0.5 else float(rng.uniform(40, 390)),
            "Weight_in_lbs": float(rng.uniform(1300, 6400)),
            "Year": "1979-01-01",
        }
    for changed in (permuted, altered):
        x2, miles2, statistics2, *_ = pipeline(changed, number)
        assert equal(statistics, statistics2)
        assert np.array_equal(x, x2) and np.array_equal(miles, miles2)


def test_altering_a_training_row_does_change_statistics():
    """The test above would notice a leak."""
    *_, test, clean = pipeline(ROWS, 3)
    train_row = next(i for i in range(len(clean)) if i not in set(test))
    first = craft.fit_statistics(craft.car_arrays(clean)[0])
    clean[train_row] = clean[train_row] | {"Weight_in_lbs": 6400}
    assert not equal(first, craft.fit_statistics(craft.car_arrays(clean)[0]))


def test_the_pipeline_is_idempotent():
    once = pipeline(ROWS, 4)
    again = pipeline(craft.clean_cars(ROWS), 4)
    assert np.array_equal(once[0], again[0]) and equal(once[2], again[2])


def test_preprocessing_standardizes_and_fills_with_training_numbers():
    raw = craft.car_arrays(CLEAN)[0]
    statistics = craft.fit_statistics(raw)
    before = raw.copy()
    x = craft.preprocess(raw, statistics)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)
    assert np.array_equal(before, raw, equal_nan=True)
    assert np.array_equal(x, craft.preprocess(raw, statistics))
    hole = np.full((1, 6), np.nan)
    expected = (statistics["median"] - statistics["mean"]) / statistics["deviation"]
    np.testing.assert_allclose(craft.preprocess(hole, statistics)[0], expected, rtol=1e-6)


def test_preprocessing_equals_keras_normalization():
    x = np.random.default_rng(5).normal(3, 9, (80, 4)).astype("float32")
    layer = keras.layers.Normalization()
    layer.adapt(x)
    theirs = keras.ops.convert_to_numpy(layer(x))
    assert np.abs(craft.preprocess(x, craft.fit_statistics(x)) - theirs).max() < 1e-5


def test_a_constant_column_becomes_zero():
    x = np.full((3, 1), 7.0)
    assert craft.preprocess(x, craft.fit_statistics(x)).tolist() == [[0], [0], [0]]


# ---------------------------------------------------------------- judging


def test_confusion_precision_and_recall_of_a_known_case():
    matrix = craft.confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0], 3)
    assert matrix.tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    precision, recall = craft.precision_recall(matrix)
    np.testing.assert_allclose(precision, [0.5, 0.5, np.nan])
    np.testing.assert_allclose(recall, [2 / 3, 0.5, 0])


@settings(max_examples=15, deadline=None)
@given(number=seeds)
def test_precision_and_recall_equal_keras(number):
    rng = np.random.default_rng(number)
    true, said = rng.integers(0, 2, (2, 60))
    matrix = craft.confusion_matrix(true, said, 2)
    precision, recall = craft.precision_recall(matrix)
    for metric, ours in [
        (keras.metrics.Precision(), precision),
        (keras.metrics.Recall(), recall),
    ]:
        metric.update_state(true, said)
        assert float(metric.result()) == pytest.approx(ours[1], abs=1e-6)


def test_calibration_of_honest_and_boasting_networks():
    rng = np.random.default_rng(6)
    confidence = rng.uniform(0.3, 1, 50_000)
    honest = rng.random(50_000) < confidence
    sure, right, count = craft.calibration(confidence, honest)
    assert count.sum() == 50_000 and len(count) == 7
    assert np.abs(sure - right).max() < 0.03
    sure, right, _ = craft.calibration(np.ones(4), [1, 0, 0, 0])
    assert (sure.tolist(), right.tolist()) == ([1], [0.25])


# ---------------------------------------------------------------- networks and figures


def test_build_mlp():
    assert craft.build_mlp(784, 10, units=512, depth=1).count_params() == 407_050
    model = craft.build_mlp(3, 2, units=4, depth=2, rate=0.5, decay=0.1)
    kernels = [w for w in model.get_weights() if w.ndim == 2][:2]
    penalty = sum(float(loss) for loss in model.losses)
    assert penalty == pytest.approx(0.1 * sum((k**2).sum() for k in kernels), rel=1e-5)
    x = np.ones((1, 3), "float32")
    assert np.array_equal(common.predict(model, x), common.predict(model, x))


def test_accuracy_is_the_share_of_largest_outputs_at_the_label():
    rng = np.random.default_rng(3)
    by_hand = network.initial_layers([4, 5, 3], ["relu", "linear"], rng)
    x, y = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    right = sum(network.forward(x, by_hand)[-1].argmax(axis=1) == y) / 50
    for model in (by_hand, network.build_twin(by_hand)):
        assert craft.accuracy(model, x, y) == pytest.approx(right)
    assert 0 < right < 1
    with pytest.raises(ValueError, match="y: expected integers of shape"):
        craft.accuracy(by_hand, x, y[:, None])


def test_dropout_is_inverted():
    layer = keras.layers.Dropout(0.4, seed=1)
    x = keras.ops.convert_to_numpy(layer(np.ones((200, 200), "float32"), training=True))
    assert set(np.unique(x).round(5)) == {0, np.float32(1 / 0.6).round(5)}
    assert x.mean() == pytest.approx(1, abs=0.03)


def test_figures():
    import matplotlib.pyplot as plt

    history = {"val_accuracy": [0.1, 0.2], "accuracy": [0.3, 0.4]}
    runs = dict.fromkeys(["a", "b", "c", "d"], history)
    for figure in (craft.plot_cars(CLEAN), craft.plot_runs(runs)):
        assert figure.axes[0].get_legend() and figure.axes[0].get_xlabel()
        plt.close(figure)


MISTAKES = [
    (lambda: craft.split_groups(NAMES, (0.5, 0.6), None), "fractions: expected parts"),
    (lambda: craft.split_groups(NAMES, (1.2, -0.2), None), "fractions: expected parts"),
    (lambda: craft.split_groups([*"aabb"], FRACTIONS, RNG), "groups: expected some"),
    (lambda: craft.split_groups([], FRACTIONS, RNG), "groups: expected some for each"),
    (lambda: craft.split_groups([*"aaaaaaaabc"], FRACTIONS, RNG), "expected some for each"),
    (lambda: craft.fit_statistics(np.ones(3)), "x: expected (rows, columns)"),
    (lambda: craft.fit_statistics(np.full((2, 1), np.nan)), "in each column a number"),
    (lambda: craft.confusion_matrix([0, 3], [0, 1], 3), "y_true: expected integers 0 to 2"),
    (lambda: craft.confusion_matrix([0, 1], [0.5, 1], 3), "y_pred: expected integers"),
    (lambda: craft.confusion_matrix([[0]], [[0]], 3), "y_true: expected integers 0 to 2"),
    (lambda: craft.calibration([[0.5]], [1]), "confidence: expected numbers of shape (n,)"),
    (lambda: craft.calibration([-0.5], [1]), "confidence: expected probabilities"),
    (lambda: craft.calibration([1.5], [1]), "confidence: expected probabilities"),
    (lambda: craft.calibration([0.5], [1, 0]), "correct: expected numbers of shape (1,)"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError) as error:
        mistake()
    assert message in str(error.value)
