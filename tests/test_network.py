"""Activations, losses, starting weights and forward passes against Keras."""

import os
from itertools import pairwise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import network

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
            network.binary_crossentropy(one_hot, z, from_logits=True),
            keras.losses.BinaryCrossentropy(from_logits=True)(one_hot, z),
        )
        close(
            network.categorical_crossentropy(one_hot, network.softmax(z)),
            keras.losses.CategoricalCrossentropy()(one_hot, network.softmax(z)),
        )
        close(
            network.binary_crossentropy(one_hot, network.sigmoid(z)),
            keras.losses.BinaryCrossentropy()(one_hot, network.sigmoid(z)),
        )


def test_losses_from_scores_and_from_probabilities_agree_where_both_are_exact():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(9, 3)), np.eye(3)[rng.integers(0, 3, 9)]
    for loss, squash in [
        (network.categorical_crossentropy, network.softmax),
        (network.binary_crossentropy, network.sigmoid),
    ]:
        assert np.isclose(loss(y, z, from_logits=True), loss(y, squash(z)), atol=1e-6)


def test_a_sure_mistake_costs_its_score():
    cost = network.binary_crossentropy([1.0], [-1e4], from_logits=True)
    assert cost == pytest.approx(1e4)
    assert network.binary_crossentropy([1.0], [0.0]) == pytest.approx(-np.log(1e-7))
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


# ---------------------------------------------------------------- figures and errors


def test_figures():
    import matplotlib.pyplot as plt

    hidden = (np.ones((1, 2)), np.array([0.0, -0.5]), "relu")
    layers = [hidden, (np.array([[1.0], [-2.0]]), np.zeros(1), "linear")]
    for figure in (
        network.plot_activations(),
        network.plot_losses(),
        network.plot_hinges(np.sin, layers, [1, 2], [0.5, 0.1]),
        network.plot_powers({s: np.ones(21) for s in ("zeros", "large", "glorot", "he")}),
    ):
        assert all(axis.lines and axis.get_xlabel() for axis in figure.axes)
        plt.close(figure)


ROW = np.ones((2, 3))
RNG = np.random.default_rng(0)
MISTAKES = [
    (lambda: network.activate("reelu", 1.0), "name: expected one of linear"),
    (lambda: network.slope("softmax", ROW), "name: expected an element-wise"),
    (lambda: network.activate("relu", ["a"]), "z: expected numbers"),
    (
        lambda: network.binary_crossentropy(np.ones(4), np.ones((4, 1))),
        "y_pred: expected the shape of y_true, (4,), got (4, 1)",
    ),
    (lambda: network.binary_crossentropy([1.0], [-3.0]), "from_logits=True"),
    (lambda: network.binary_crossentropy([2.0], [0.5]), "y_true: expected numbers in"),
    (lambda: network.binary_crossentropy([5.0], [0.5], from_logits=True), "y_true"),
    (lambda: network.categorical_crossentropy(ROW, ROW / 3), "y_true: expected"),
    (lambda: network.categorical_crossentropy(ROW / 3, ROW), "rows of sum 1"),
    (lambda: network.initial_weights(2, 3, "xavier", RNG), "scheme: expected zeros"),
    (lambda: network.initial_layers([2, 3], ["relu"] * 2, RNG), "one for each layer"),
    (lambda: network.dense(ROW, np.ones((4, 2)), np.ones(2)), "x, weights, bias: expected"),
    (lambda: network.dense(ROW, np.ones((3, 2)), np.ones(3)), "x, weights, bias: expected"),
    (lambda: network.dense(ROW[0], np.ones((3, 2)), np.ones(2)), "x, weights, bias"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError) as error:
        mistake()
    assert message in str(error.value)
