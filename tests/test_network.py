"""Activations, losses, layers against Keras; cleaning, splitting, scaling, judging."""

import os
from itertools import pairwise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import common, data, network
from tools.chapters import definitions

ELEMENTWISE = [name for name, (_, slope) in network.ACTIVATIONS.items() if slope]
numpy = keras.ops.convert_to_numpy
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 12)


def logits(rng, shape):
    """float32 scores, some of them ±10,000."""
    z = rng.normal(scale=3, size=shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([-1e4, 1e4], shape), z).astype("f4")


def close(ours, theirs, tolerance=1e-5):
    ours, theirs = np.asarray(ours), numpy(theirs)
    assert np.isfinite(ours).all()
    assert ours.shape == theirs.shape
    assert (np.abs(ours - theirs) <= tolerance * np.maximum(1, np.abs(theirs))).all()


# ---------------------------------------------------------------- activations


@pytest.mark.parametrize("name", network.ACTIVATIONS)
@settings(max_examples=20, deadline=None)
@given(rows=sizes, columns=st.integers(2, 12), number=seeds)
def test_activations_equal_keras_and_keep_float32(name, rows, columns, number):
    z = logits(np.random.default_rng(number), (rows, columns))
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        ours = network.activate(name, z)
    assert ours.dtype == np.float32
    close(ours, keras.activations.get(name)(z))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes_equal_central_differences(name):
    z = np.linspace(-4, 4, 82)  # without 0, where some have a kink
    difference = network.activate(name, z + 1e-6) - network.activate(name, z - 1e-6)
    assert np.abs(network.slope(name, z) - difference / 2e-6).max() < 1e-8


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes_keep_the_dtype(name):
    for dtype in (np.float32, np.float64):
        assert network.slope(name, np.array([-2, 0, 2], dtype)).dtype == dtype


@pytest.mark.parametrize(("name", "at_zero"), [("relu", 0), ("leaky_relu", 0.2)])
def test_a_kink_has_the_slope_of_its_left_side(name, at_zero):
    slopes = network.slope(name, [-1e-9, 0, 1e-9])
    np.testing.assert_allclose(slopes, [at_zero, at_zero, 1], rtol=1e-15)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_slopes_survive_extreme_scores(name):
    with np.errstate(all="raise", under="ignore"):
        slopes = network.slope(name, np.array([-1e4, 1e4], "f4"))
    low = {"linear": 1, "leaky_relu": 0.2}.get(name, 0)
    high = 0 if name in ("sigmoid", "tanh") else 1
    np.testing.assert_allclose(slopes, [low, high], atol=1e-6)


@pytest.mark.parametrize(("name", "low", "high"), [("sigmoid", 0, 1), ("tanh", -1, 1)])
def test_only_sigmoid_and_tanh_have_a_fixed_range(name, low, high):
    f = network.activate(name, np.linspace(-1e4, 1e4, 1001))
    assert (f.min(), f.max()) == (low, high)
    assert network.activate("relu", 1e6) == 1e6


@settings(max_examples=50, deadline=None)
@given(rows=sizes, classes=sizes, shift=st.floats(-1e3, 1e3), number=seeds)
def test_softmax_is_a_distribution_and_ignores_shifts(rows, classes, shift, number):
    z = np.random.default_rng(number).normal(scale=5, size=(rows, classes))
    p = network.softmax(z)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(network.softmax(z + shift), p, atol=1e-11)


def test_integers_are_taken_as_numbers():
    assert network.activate("sigmoid", [0, 0]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("axis", [0, -1])
@settings(max_examples=30, deadline=None)
@given(rows=sizes, columns=sizes, number=seeds)
def test_log_sum_exp_is_kerass_and_cannot_overflow(axis, rows, columns, number):
    z = logits(np.random.default_rng(number), (rows, columns))
    ours = network.log_sum_exp(z, axis=axis)
    assert ours.dtype == np.float32
    close(ours, keras.ops.logsumexp(z, axis=axis))
    assert network.log_sum_exp([-np.inf, 3]) == 3
    assert network.log_sum_exp(np.zeros((4, 1, 3))).shape == (4, 1)


# ---------------------------------------------------------------- losses


@settings(max_examples=30, deadline=None)
@given(rows=sizes, columns=st.integers(2, 6), number=seeds)
def test_losses_equal_keras(rows, columns, number):
    rng = np.random.default_rng(number)
    z = logits(rng, (rows, columns))
    one_hot = np.eye(columns, dtype="f4")[rng.integers(0, columns, rows)]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        close(
            network.categorical_crossentropy(one_hot, z, from_logits=True),
            keras.losses.CategoricalCrossentropy(from_logits=True)(one_hot, z),
        )
        close(
            network.categorical_crossentropy(one_hot, network.softmax(z)),
            keras.losses.CategoricalCrossentropy()(one_hot, network.softmax(z)),
        )


def test_losses_from_scores_and_from_probabilities_agree_where_both_are_exact():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(9, 3)), np.eye(3)[rng.integers(0, 3, 9)]
    loss = network.categorical_crossentropy
    from_p = loss(y, network.softmax(z))
    assert np.isclose(loss(y, z, from_logits=True), from_p, atol=1e-6)


def test_a_sure_mistake_costs_its_score():
    cost = network.categorical_crossentropy([[1, 0]], [[0.0, 1.0]])
    assert cost == pytest.approx(-np.log(1e-7))
    scores = np.array([[1e4, -1e4]])
    cost = network.categorical_crossentropy([[0, 1]], scores, from_logits=True)
    assert cost == pytest.approx(2e4)


def test_soft_labels():
    y, z = np.array([[0.2, 0.8]]), np.array([[0.3, -0.4]])
    right = -(y * np.log(network.softmax(z))).sum()
    loss = network.categorical_crossentropy(y, z, from_logits=True)
    assert loss == pytest.approx(right)


# ---------------------------------------------------------------- starting weights


@settings(max_examples=10, deadline=None)
@given(inputs=st.integers(30, 90), units=st.integers(30, 90), number=st.integers(0, 9999))
def test_starting_weights_are_distributed_as_in_keras(inputs, units, number):
    rng = np.random.default_rng(number)
    twins = {
        "zeros": keras.initializers.Zeros(),
        "ones": keras.initializers.Ones(),
        "large": keras.initializers.RandomNormal(stddev=1.0, seed=number),
        "glorot": keras.initializers.GlorotUniform(seed=number),
        "he": keras.initializers.HeUniform(seed=number),
    }
    shares = np.linspace(0.05, 0.95, 7)
    for scheme, twin in twins.items():
        ours = network.initial_weights(inputs, units, scheme, rng)
        theirs = numpy(twin((inputs, units)))
        assert ours.shape == theirs.shape == (inputs, units)
        scale = max(theirs.std(), 1e-9)
        distance = np.quantile(ours, shares) - np.quantile(theirs, shares)
        assert np.abs(distance).max() < 0.3 * scale
        if scheme in ("glorot", "he"):
            fan = inputs + units if scheme == "glorot" else inputs
            assert np.abs(ours).max() <= np.sqrt(6 / fan)
            assert ours.var() == pytest.approx(2 / fan, rel=0.15)


def test_only_he_carries_a_signal_through_twenty_relu_layers():
    rng = np.random.default_rng(0)
    x, power = rng.normal(size=(100, 256)), {}
    for scheme in ("zeros", "large", "glorot", "he"):
        deep = network.initial_layers([256] * 21, ["relu"] * 20, rng, scheme=scheme)
        power[scheme] = np.mean(network.forward(x, deep)[-1] ** 2)
    assert power["zeros"] == 0
    assert power["glorot"] < 1e-4
    assert 0.02 < power["he"] < 50
    assert power["large"] > 1e38


# ---------------------------------------------------------------- layers


@settings(max_examples=20, deadline=None)
@given(
    widths=st.lists(sizes, min_size=2, max_size=6),
    rows=sizes,
    number=seeds,
    data=st.data(),
)
def test_forward_equals_keras(widths, rows, number, data):
    rng = np.random.default_rng(number)
    names = [data.draw(st.sampled_from(list(network.ACTIVATIONS))) for _ in widths[1:]]
    layers = network.initial_layers(widths, names, rng)
    layers = [
        (w.astype("f4"), rng.normal(size=b.shape).astype("f4"), n) for w, b, n in layers
    ]
    x = rng.normal(size=(rows, widths[0])).astype("f4")
    activations = network.forward(x, layers)
    assert [a.shape for a in activations] == [(rows, width) for width in widths]
    assert all(a.dtype == np.float32 for a in activations)
    twin = network.build_twin(layers)
    close(activations[-1], twin(x))
    learned = sum((inputs + 1) * units for inputs, units in pairwise(widths))
    assert twin.count_params() == learned


def test_a_hand_made_network():
    x = np.array([[1.0, 2.0]])
    layers = [
        (np.array([[1.0, -1.0], [1.0, -1.0]]), np.array([0.0, 1.0]), "relu"),
        (np.array([[2.0], [5.0]]), np.array([0.5]), "linear"),
    ]
    assert [a.tolist() for a in network.forward(x, layers)] == [[[1, 2]], [[3, 0]], [[6.5]]]


def test_linear_layers_collapse_to_one():
    rng = np.random.default_rng(2)
    layers = network.initial_layers([4, 9, 7, 2], ["linear"] * 3, rng)
    x = rng.normal(size=(5, 4))
    product = layers[0][0] @ layers[1][0] @ layers[2][0]
    np.testing.assert_allclose(network.forward(x, layers)[-1], x @ product, atol=1e-12)


# ------------------------------------------------- what the chapter defines for itself


@settings(max_examples=10, deadline=None)
@given(width=st.integers(1, 40), number=seeds)
def test_hinges_pass_through_the_points_of_any_curve(width, number):
    heights = np.random.default_rng(number).normal(size=width + 1)
    knots = np.linspace(0, 1, width + 1)
    layers = definitions("02").hinge_network(lambda x: np.interp(x, knots, heights), width)
    drawn = network.forward(knots[:, None], layers)[-1][:, 0]
    np.testing.assert_allclose(drawn, heights, atol=1e-9 * width**2)


def test_bias_and_variance_are_those_of_the_closed_form():
    chapter, x = definitions("02"), (np.arange(30) + 0.5) / 30
    places = np.linspace(0.02, 0.98, 200)
    for k in (0, 4, 12):
        fit = chapter.hinge_features(places, k) @ np.linalg.pinv(
            chapter.hinge_features(x, k)
        )
        bias = np.mean((fit @ chapter.wave(x) - chapter.wave(places)) ** 2)
        variance = 0.4**2 * np.mean(np.sum(fit**2, axis=1))
        rng = np.random.default_rng(k)
        measured = chapter.bias_and_variance(k, rng, repeats=4000)
        np.testing.assert_allclose(measured, (bias, variance), rtol=0.05, atol=1e-4)


def test_only_equal_incoming_and_outgoing_weights_keep_units_equal():
    unlike = definitions("02").unlike
    for incoming, outgoing in ((True, True), (True, False), (False, True)):
        apart = unlike(incoming, outgoing, np.random.default_rng(1), steps=20)
        assert (apart == 0) == (incoming and outgoing)


# ---------------------------------------------------------------- a table

RNG = np.random.default_rng(0)
ROWS = data.cars()
CLEAN = network.clean_cars(ROWS)
NAMES = [row["Name"] for row in CLEAN]
FRACTIONS = (0.5, 0.2, 0.3)


# ---------------------------------------------------------------- cleaning


def test_what_cleaning_does_to_the_real_table():
    missing = sum(row["Miles_per_Gallon"] is None for row in ROWS)
    assert (len(ROWS), missing, len(CLEAN)) == (406, 8, 406 - 8 - 1)
    gone = {row["Name"] for row in ROWS if row["Miles_per_Gallon"] is not None}
    assert "datsun pl510" in gone and NAMES.count("datsun pl510") == 1
    makers = {name.split()[0] for name in NAMES}
    assert not makers & set(network.MISSPELLED)
    assert sum(row["Horsepower"] is None for row in CLEAN) == 6  # a hole is no reason to go


def test_cleaning_is_idempotent_and_leaves_its_input_alone():
    before = [dict(row) for row in ROWS]
    assert network.clean_cars(network.clean_cars(ROWS)) == CLEAN
    assert before == ROWS


@settings(max_examples=30, deadline=None)
@given(number=seeds)
def test_known_dirt_is_found(number):
    rng = np.random.default_rng(number)
    copies = [dict(CLEAN[i]) for i in rng.integers(0, len(CLEAN), 30)]
    later = [row | {"Year": "1999-01-01"} for row in copies]
    dirty = [*CLEAN, *(copies + later)]
    assert network.clean_cars(dirty) == CLEAN
    column = rng.choice(list(network.CAR_LIMITS))
    slip = CLEAN[0] | {"Name": "new car", column: 1e6}
    result = network.clean_cars([*CLEAN, slip])
    if column == "Miles_per_Gallon":
        assert result == CLEAN
    else:
        assert result[-1][column] is None
    assert network.clean_cars(result) == result


@settings(max_examples=20, deadline=None)
@given(number=seeds)
def test_the_order_of_rows_does_not_matter(number):
    order = np.random.default_rng(number).permutation(len(CLEAN))
    shuffled = network.clean_cars([CLEAN[i] for i in order])
    assert sorted(map(str, shuffled)) == sorted(map(str, CLEAN))


# ---------------------------------------------------------------- splitting


@settings(max_examples=50, deadline=None)
@given(number=seeds, groups=st.integers(30, 300))
def test_a_split_covers_all_rows_once_and_tears_no_group(number, groups):
    rng = np.random.default_rng(number)
    names = rng.integers(0, groups, 400)
    parts = network.split_groups(names, FRACTIONS, rng)
    assert sorted(np.concatenate(parts)) == list(range(400))
    for i, part in enumerate(parts):
        for other in parts[:i]:
            assert not set(names[part]) & set(names[other])
        assert abs(len(part) / 400 - FRACTIONS[i]) < 0.1


def test_a_split_depends_on_names_alone():
    order = np.random.default_rng(1).permutation(len(NAMES))
    once = network.split_groups(NAMES, FRACTIONS, np.random.default_rng(2))
    again = network.split_groups(
        [NAMES[i] for i in order], FRACTIONS, np.random.default_rng(2)
    )
    for part, other in zip(once, again, strict=True):
        assert set(part) == set(order[other])


# ---------------------------------------------------------------- the whole pipeline


def pipeline(rows, number):
    """Rows as they come -> (train inputs, train miles, statistics, test inputs)."""
    clean = network.clean_cars(rows)
    names = [row["Name"] for row in clean]
    split = network.split_groups(names, FRACTIONS, np.random.default_rng(number))
    raw, miles, _ = network.car_arrays(clean)
    statistics = network.fit_statistics(raw[split[0]])
    x = network.preprocess(raw, statistics)
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
    first = network.fit_statistics(network.car_arrays(clean)[0])
    clean[train_row] = clean[train_row] | {"Weight_in_lbs": 6400}
    assert not equal(first, network.fit_statistics(network.car_arrays(clean)[0]))


def test_the_pipeline_is_idempotent():
    once = pipeline(ROWS, 4)
    again = pipeline(network.clean_cars(ROWS), 4)
    assert np.array_equal(once[0], again[0]) and equal(once[2], again[2])


def test_preprocessing_standardizes_and_fills_with_training_numbers():
    raw = network.car_arrays(CLEAN)[0]
    statistics = network.fit_statistics(raw)
    before = raw.copy()
    x = network.preprocess(raw, statistics)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)
    assert np.array_equal(before, raw, equal_nan=True)
    assert np.array_equal(x, network.preprocess(raw, statistics))
    hole = np.full((1, 6), np.nan)
    expected = (statistics["median"] - statistics["mean"]) / statistics["deviation"]
    np.testing.assert_allclose(network.preprocess(hole, statistics)[0], expected, rtol=1e-6)


def test_preprocessing_equals_keras_normalization():
    x = np.random.default_rng(5).normal(3, 9, (80, 4)).astype("float32")
    layer = keras.layers.Normalization()
    layer.adapt(x)
    theirs = keras.ops.convert_to_numpy(layer(x))
    assert np.abs(network.preprocess(x, network.fit_statistics(x)) - theirs).max() < 1e-5


def test_a_constant_column_becomes_zero():
    x = np.full((3, 1), 7.0)
    assert network.preprocess(x, network.fit_statistics(x)).tolist() == [[0], [0], [0]]


# ---------------------------------------------------------------- judging


def test_confusion_precision_and_recall_of_a_known_case():
    matrix = network.confusion_matrix([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 0], 3)
    assert matrix.tolist() == [[2, 1, 0], [1, 1, 0], [1, 0, 0]]
    precision, recall = network.precision_recall(matrix)
    np.testing.assert_allclose(precision, [0.5, 0.5, np.nan])
    np.testing.assert_allclose(recall, [2 / 3, 0.5, 0])


@settings(max_examples=15, deadline=None)
@given(number=seeds)
def test_precision_and_recall_equal_keras(number):
    rng = np.random.default_rng(number)
    true, said = rng.integers(0, 2, (2, 60))
    matrix = network.confusion_matrix(true, said, 2)
    precision, recall = network.precision_recall(matrix)
    for metric, ours in [
        (keras.metrics.Precision(), precision),
        (keras.metrics.Recall(), recall),
    ]:
        metric.update_state(true, said)
        assert float(metric.result()) == pytest.approx(ours[1], abs=1e-6)


def test_calibration_of_honest_and_boasting_networks():
    gap = definitions("02").calibration_gap
    rng = np.random.default_rng(6)
    confidence = rng.uniform(0.3, 1, 50_000)
    assert gap(confidence, rng.random(50_000) < confidence) < 0.02
    assert gap(np.ones(4), np.array([1, 0, 0, 0])) == pytest.approx(0.75)
    bins = [([0.1, 0.3], [0, 1]), ([0.1, 0.3], [1, 0])]  # two bins, one answer each
    for (confidence, correct), right in zip(bins, (0.4, 0.6), strict=True):
        assert gap(np.array(confidence), np.array(correct)) == pytest.approx(right)


def test_a_perfect_models_gap_shrinks_with_the_root_of_the_number_of_answers():
    chance = definitions("02").gaps_by_chance
    p = network.softmax(np.random.default_rng(7).normal(size=(6400, 3)))
    small, large = (chance(p[:n], np.random.default_rng(8), 60).mean() for n in (100, 6400))
    assert 5 < small / large < 11  # √64 = 8


# ---------------------------------------------------------------- networks and their layers


def test_build_mlp():
    assert network.build_mlp(784, 10, units=512, depth=1).count_params() == 407_050
    model = network.build_mlp(3, 2, units=4, depth=2, dropout=0.5, decay=0.1)
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
        assert network.accuracy(model, x, y) == pytest.approx(right)
    assert 0 < right < 1
    with pytest.raises(ValueError, match="y: expected integers of shape"):
        network.accuracy(by_hand, x, y[:, None])


def test_dropout_is_inverted():
    layer = keras.layers.Dropout(0.4, seed=1)
    x = keras.ops.convert_to_numpy(layer(np.ones((200, 200), "float32"), training=True))
    assert set(np.unique(x).round(5)) == {0, np.float32(1 / 0.6).round(5)}
    assert x.mean() == pytest.approx(1, abs=0.03)


TABLE_MISTAKES = [
    (lambda: network.split_groups(NAMES, (0.5, 0.6), None), "fractions: expected parts"),
    (lambda: network.split_groups(NAMES, (1.2, -0.2), None), "fractions: expected parts"),
    (lambda: network.split_groups([*"aabb"], FRACTIONS, RNG), "groups: expected some"),
    (lambda: network.split_groups([], FRACTIONS, RNG), "groups: expected some for each"),
    (
        lambda: network.split_groups([*"aaaaaaaabc"], FRACTIONS, RNG),
        "expected some for each",
    ),
    (lambda: network.fit_statistics(np.ones(3)), "x: expected (rows, columns)"),
    (lambda: network.fit_statistics(np.full((2, 1), np.nan)), "in each column a number"),
    (
        lambda: network.confusion_matrix([0, 3], [0, 1], 3),
        "y_true: expected integers 0 to 2",
    ),
    (lambda: network.confusion_matrix([0, 1], [0.5, 1], 3), "y_pred: expected integers"),
    (lambda: network.confusion_matrix([[0]], [[0]], 3), "y_true: expected integers 0 to 2"),
]


# ---------------------------------------------------------------- errors

ROW = np.ones((2, 3))
MISTAKES = [
    (lambda: network.activate("reelu", 1.0), "name: expected one of linear"),
    (lambda: network.slope("softmax", ROW), "name: expected an element-wise"),
    (lambda: network.activate("relu", ["a"]), "z: expected numbers"),
    (
        lambda: network.categorical_crossentropy(np.ones(4), np.ones((4, 1))),
        "y_pred: expected the shape of y_true, (4,), got (4, 1)",
    ),
    (lambda: network.categorical_crossentropy(ROW / 3, ROW), "rows of sum 1; logits need"),
    (lambda: network.initial_weights(2, 3, "xavier", RNG), "scheme: expected one of zeros"),
    (lambda: network.initial_layers([2, 3], ["relu"] * 2, RNG), "one for each layer"),
    (lambda: network.dense(ROW, np.ones((4, 2)), np.ones(2)), "x, weights, bias: expected"),
    (lambda: network.dense(ROW, np.ones((3, 2)), np.ones(3)), "x, weights, bias: expected"),
    (lambda: network.dense(ROW[0], np.ones((3, 2)), np.ones(2)), "x, weights, bias"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES + TABLE_MISTAKES)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError) as error:
        mistake()
    assert message in str(error.value)
