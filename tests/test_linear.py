"""Chapter 01 against what is not ours: lstsq, Keras, finite differences, TensorFlow."""

import math
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from dl_course import linear, plots

REAL = st.floats(-1e4, 1e4)


def problem(seed, n=60, features=3, noise=0.3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features))
    return x, x @ rng.normal(size=features) + rng.normal() + noise * rng.normal(size=n)


def yes_or_no(seed, n=400):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    return x, (x.sum(axis=1) + rng.normal(size=n) > 0).astype(int)


def nudged(loss, weights, bias, h=1e-5):
    """Slopes of loss(weights, bias) by central differences."""
    by_w = [
        (loss(weights + step, bias) - loss(weights - step, bias)) / (2 * h)
        for step in h * np.eye(len(weights))
    ]
    return np.array(by_w), (loss(weights, bias + h) - loss(weights, bias - h)) / (2 * h)


def assert_same_slopes(actual, expected):
    actual, expected = np.append(*actual), np.append(*expected)
    assert np.abs(actual - expected).max() <= 1e-6 * np.abs(expected).max()


# ---------------------------------------------------------------- linear regression


@pytest.mark.parametrize(("n", "features"), [(20, 1), (60, 3), (60, 10)])
def test_least_squares_is_numpys(n, features):
    x, y = problem(0, n, features)
    expected = np.linalg.lstsq(np.c_[x, np.ones(n)], y, rcond=None)[0]
    weights, bias = linear.least_squares(x, y)
    np.testing.assert_allclose(np.append(weights, bias), expected, rtol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_gradient_of_squared_error_is_the_slope(seed, n, features):
    x, y = problem(seed, n, features)
    rng = np.random.default_rng(seed + 1)
    weights, bias = rng.normal(size=features), rng.normal()
    assert_same_slopes(
        linear.squared_error_gradient(x, y, weights, bias),
        nudged(lambda w, b: linear.squared_error(x, y, w, b), weights, bias),
    )


def test_squared_error_is_half_of_keras_mse():
    x, y = problem(1)
    weights = np.array([1.0, -2.0, 0.5])
    theirs = keras.losses.MeanSquaredError()(y, x @ weights + 3)
    assert float(theirs) == pytest.approx(2 * linear.squared_error(x, y, weights, 3), 1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_gradient_descent_arrives_at_least_squares(seed):
    x, y = problem(seed)
    weights, bias, losses = linear.linear_regression_gd(x, y)
    expected_weights, expected_bias = linear.least_squares(x, y)
    np.testing.assert_allclose(weights, expected_weights, atol=1e-4)
    assert bias == pytest.approx(expected_bias, abs=1e-4)
    assert (np.diff(losses) <= 0).all()
    assert len(losses) < 10_000, "the tolerance should stop it"


def test_gradient_descent_repeats_itself():
    x, y = problem(2)
    first, second = (linear.linear_regression_gd(x, y)[2] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_reversed_sign_makes_the_loss_grow():
    x, y = problem(3)
    weights, bias, losses = np.zeros(3), 0.0, []
    for _ in range(200):
        losses.append(linear.squared_error(x, y, weights, bias))
        by_w, by_b = linear.squared_error_gradient(x, y, weights, bias)
        weights, bias = weights + 0.1 * by_w, bias + 0.1 * by_b  # plus: uphill
    assert (np.diff(losses) > 0).all()
    assert losses[-1] > 100 * losses[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_learning_rate_limit_divides_falling_from_growing(seed):
    x, y = problem(seed)
    limit = linear.learning_rate_limit(x)
    curvature = np.c_[x, np.ones(60)].T @ np.c_[x, np.ones(60)] / 60
    assert limit == pytest.approx(2 / np.linalg.norm(curvature, ord=2))
    options = {"tolerance": 0, "max_steps": 2000}
    lowest = linear.squared_error(x, y, *linear.least_squares(x, y))
    for share, falls in ((0.99, True), (1.01, False)):
        losses = linear.linear_regression_gd(x, y, learning_rate=share * limit, **options)[
            2
        ]
        assert (losses[-1] - lowest < losses[100] - lowest) == falls


def test_dense_of_one_unit_takes_the_same_steps():
    x, y = problem(4)
    weights, bias, _ = linear.linear_regression_gd(
        x, y, learning_rate=0.1, tolerance=0, max_steps=101
    )
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.05), loss="mse")  # mse has no ½
    for _ in range(101):
        model.train_on_batch(x, y)
    kernel, offset = model.get_weights()
    np.testing.assert_allclose(kernel[:, 0], weights, atol=1e-4)
    assert offset[0] == pytest.approx(bias, abs=1e-4)


def test_exploding_descent_says_so():
    x, y = problem(5)
    with pytest.raises(
        ValueError, match=r"learning_rate: expected one that lowers .* 9\.0"
    ):
        linear.linear_regression_gd(x, y, learning_rate=9.0)


@pytest.mark.parametrize("rate", [0, -0.1, math.nan])
def test_learning_rate_must_be_positive(rate):
    x, y = problem(5)
    for fit, labels in (
        (linear.linear_regression_gd, y),
        (linear.logistic_regression_gd, y > 0),
    ):
        with pytest.raises(ValueError, match="learning_rate: expected a number > 0, got"):
            fit(x, labels, learning_rate=rate)


# ---------------------------------------------------------------- logistic regression


def test_sigmoid_keeps_float32_takes_lists_and_complex_numbers():
    z = np.array([-700, -1, 0, 1, 700])
    assert linear.sigmoid(z.astype(np.float32)).dtype == np.float32
    assert linear.sigmoid(z.tolist()) == pytest.approx(1 / (1 + np.exp(-z.astype(float))))
    slope = linear.sigmoid(z[1:4] + 1e-30j).imag / 1e-30  # the complex step
    p = linear.sigmoid(z[1:4])
    assert slope == pytest.approx(p * (1 - p), rel=1e-14)


@given(REAL)
def test_sigmoid_is_right_and_never_warns(z):
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        p = float(linear.sigmoid(z))
        assert 0 <= p <= 1
        assert p + float(linear.sigmoid(-z)) == pytest.approx(1, abs=1e-15)
    if abs(z) < 30:
        assert p == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-14)


@given(st.lists(st.tuples(st.booleans(), REAL), min_size=1, max_size=20))
def test_binary_cross_entropy_is_keras(pairs):
    y, logits = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs])
    with np.errstate(all="raise", under="ignore"):
        ours = linear.binary_cross_entropy(y, logits)
    theirs = keras.losses.BinaryCrossentropy(from_logits=True)(y, logits)
    assert ours >= 0
    assert ours == pytest.approx(float(theirs), rel=1e-5, abs=1e-6)


def test_binary_cross_entropy_equals_the_formula_where_that_works():
    x, y = yes_or_no(0)
    p = linear.sigmoid(x[:, 0])
    naive = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert linear.binary_cross_entropy(y, x[:, 0]) == pytest.approx(naive, rel=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_gradient_of_logistic_loss_is_the_slope(seed):
    x, y = yes_or_no(seed, 30)
    weights = np.random.default_rng(seed + 1).normal(size=2)
    assert_same_slopes(
        linear.logistic_gradient(x, y, weights, 0.3),
        nudged(lambda w, b: linear.logistic_loss(x, y, w, b), weights, 0.3),
    )


def test_logistic_regression_arrives_where_newton_does():
    x, y = yes_or_no(1)
    weights, bias, losses = linear.logistic_regression_gd(x, y)
    ones = np.c_[x, np.ones(len(x))]
    theta = np.zeros(3)
    for _ in range(20):  # Newton's method: curvature XᵀDX with D = p(1 - p)
        p = 1 / (1 + np.exp(-ones @ theta))
        theta += np.linalg.solve((ones.T * p * (1 - p)) @ ones, ones.T @ (y - p))
    np.testing.assert_allclose(np.append(weights, bias), theta, atol=5e-3)
    best = linear.logistic_loss(x, y, theta[:2], theta[2])
    assert losses[-1] == pytest.approx(best, abs=1e-5)
    assert (np.diff(losses) <= 0).all()


def test_logistic_regression_comes_near_the_bayes_rate():
    x, y = yes_or_no(2, 2000)
    weights, bias, _ = linear.logistic_regression_gd(x, y)
    new_x, new_y = yes_or_no(3, 20_000)
    accuracy = np.mean((new_x @ weights + bias > 0) == new_y)
    assert abs(accuracy - (1 - math.atan(1 / math.sqrt(2)) / math.pi)) < 0.02


# ---------------------------------------------------------------- perceptron, nearest mean

CORNERS = [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_perceptron_learns_every_gate_but_xor_and_its_opposite():
    for number in range(16):
        labels = [number >> i & 1 for i in range(4)]
        weights, bias, mistakes = linear.perceptron(CORNERS, labels, max_epochs=50)
        if labels in ([0, 1, 1, 0], [1, 0, 0, 1]):
            assert min(mistakes) > 0 and len(mistakes) == 50
        else:
            assert mistakes[-1] == 0
            assert ((np.array(CORNERS) @ weights + bias > 0) == labels).all()


def test_perceptron_keeps_novikoffs_bound():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    distance = x @ [0.6, 0.8] + 0.2
    x, distance = x[abs(distance) > 0.1], distance[abs(distance) > 0.1]  # a clear margin
    _, _, mistakes = linear.perceptron(x, distance > 0, max_epochs=1000)
    margin = abs(distance).min() / math.hypot(0.6, 0.8, 0.2)
    assert mistakes[-1] == 0
    assert sum(mistakes) <= (1 + (x**2).sum(axis=1).max()) / margin**2


def test_nearest_mean_is_the_naive_one():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)
    means = linear.class_means(x, y)
    for label in range(3):
        np.testing.assert_allclose(means[label], x[y == label].mean(axis=0), rtol=1e-5)
    naive = np.linalg.norm(x[:, None] - means[None], axis=-1).argmin(axis=1)
    np.testing.assert_array_equal(linear.nearest_mean(means, x), naive)


# ---------------------------------------------------------------- what learning costs


def test_forward_flops_of_small_layers_by_hand():
    dense = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dense(2)])
    assert linear.forward_flops(dense) == 2 * (5 * 3 + 3 * 2)
    conv = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(4, 3)])
    assert linear.forward_flops(conv) == 2 * (4 * 4 * 4) * (3 * 3 * 2)
    series = keras.Sequential([keras.Input((10, 3)), layers.Conv1D(7, 4), layers.Dense(5)])
    assert linear.forward_flops(series) == 2 * 7 * (7 * 4 * 3 + 7 * 5)


def test_forward_flops_are_tensorflows():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow counts its own graphs only")
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 5, strides=2, padding="same", use_bias=False),
            layers.Conv2D(4, 3, use_bias=False),
            layers.Flatten(),
            layers.Dense(10, use_bias=False),
        ]
    )
    graph = tf.function(model).get_concrete_function(tf.zeros((1, 12, 12, 3))).graph
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    theirs = profiler.profile(graph, options=options).total_float_ops
    assert linear.forward_flops(model) == theirs


def test_forward_flops_refuses_what_it_cannot_count():
    model = keras.Sequential([keras.Input((5, 2)), layers.GRU(3)])
    with pytest.raises(ValueError, match="model: expected Dense and Conv layers, got GRU"):
        linear.forward_flops(model)
    image = keras.Input((8, 8, 2))
    wider = keras.Model(image, layers.Conv2DTranspose(2, 3)(image))
    dot = keras.Model(image, layers.Dot(3)([image, image]))  # products without weights
    for model, kind in ((wider, "Conv2DTranspose"), (dot, "Dot")):
        with pytest.raises(ValueError, match=f"got {kind}$"):
            linear.forward_flops(model)


@given(st.floats(0.1, 10), st.floats(-2, 2))
def test_power_law_finds_factor_and_exponent(factor, exponent):
    n = np.array([10, 100, 500, 8000])
    found = linear.power_law(n, factor * n**exponent)
    assert found == pytest.approx((factor, exponent), rel=1e-6, abs=1e-9)


def test_power_law_is_polyfit_on_logarithms():
    rng = np.random.default_rng(0)
    n, error = rng.uniform(1, 100, 9), rng.uniform(0.1, 1, 9)
    slope, intercept = np.polyfit(np.log(n), np.log(error), 1)
    assert linear.power_law(n, error) == pytest.approx((math.exp(intercept), slope))


# ---------------------------------------------------------------- figures


def test_timeline_shows_every_event_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = linear.plot_timeline()
        figure.canvas.draw()
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)
    assert all(f"{year} {flag}" in texts for year, _, flag in linear.EVENTS)
    assert all(name in texts for *_, name in linear.WAVES)


def test_no_pole_of_the_timeline_crosses_a_flag():
    with plt.rc_context(plots.STYLE):
        figure = linear.plot_timeline()
        figure.canvas.draw()
    axis = figure.axes[0]
    to_years = axis.transData.inverted()
    for text in axis.texts[len(linear.WAVES) :]:
        box = text.get_window_extent().transformed(to_years)
        crossing = [
            year
            for year, height, _ in linear.EVENTS
            if box.x0 < year < box.x1 and height > box.y0
        ]
        assert not crossing, text.get_text()
    plt.close(figure)


def test_regions_mark_every_example():
    figure, axis = plt.subplots()
    x = np.array(CORNERS, float)
    linear.plot_regions(
        axis, lambda points: linear.sigmoid(points @ [1, 1] - 1), x, [0, 1, 1, 1]
    )
    marked = [np.transpose(line.get_data()) for line in axis.lines]
    plt.close(figure)
    assert [len(points) for points in marked] == [1, 3]
    np.testing.assert_array_equal(marked[0], [[0, 0]])


# ---------------------------------------------------------------- what a learner gets wrong

X, Y = problem(0, n=4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: linear.least_squares(X[:, 0], Y),
            r"x: expected .* \(4,\); .*x\[:, None\]",
        ),
        (
            lambda: linear.least_squares(X, Y[:, None]),
            r"y: expected shape \(4,\), .*\(4, 1\)",
        ),
        (
            lambda: linear.least_squares(X, Y[:3]),
            r"y: expected shape \(4,\), .* got \(3,\)",
        ),
        (lambda: linear.least_squares(X * np.nan, Y), "x, y: expected finite numbers"),
        (
            lambda: linear.least_squares(X[:0], Y[:0]),
            "x, y: expected finite numbers, got none",
        ),
        (lambda: linear.squared_error(X, Y[:, None], X[0], 0), r"y: expected shape \(4,\)"),
        (
            lambda: linear.squared_error(X, Y, np.zeros((3, 1)), 0),
            r"weights: expected shape \(3,\), got \(3, 1\)",
        ),
        (
            lambda: linear.logistic_loss(X, Y > 0, np.zeros(2), 0),
            r"weights: expected shape \(3,\), got \(2,\)",
        ),
        (
            lambda: linear.learning_rate_limit(Y),
            r"x: expected numbers of shape \(n, features\)",
        ),
        (
            lambda: linear.binary_cross_entropy([0, 2], [0.0, 1.0]),
            "y: expected labels 0 and 1",
        ),
        (
            lambda: linear.binary_cross_entropy(np.zeros(32), np.zeros((32, 1))),
            r"logits: expected the shape of y, \(32,\), got \(32, 1\)",
        ),
        (
            lambda: linear.logistic_gradient(X, np.round(Y * 9), X[0], 0),
            "y: expected labels",
        ),
        (
            lambda: linear.logistic_regression_gd(X, np.round(Y * 9)),
            "y: expected labels 0 and 1",
        ),
        (lambda: linear.logistic_regression_gd(X, [-1, 1, -1, 1]), r"got \[-1\.  1\.\]"),
        (lambda: linear.perceptron(X, [-1, 1, -1, 1]), "y: expected labels 0 and 1 only"),
        (
            lambda: linear.class_means(X, [0, 2, 2, 0]),
            "y: expected labels 0, 1, … without a gap",
        ),
        (lambda: linear.class_means(X, [0, 1]), r"x, y: expected shapes .* and \(2,\)"),
        (lambda: linear.nearest_mean(X[:2], X[:, :2]), r"x: expected shape \(n, 3\), got"),
        (lambda: linear.power_law([1, 0], [1, 1]), "n: expected positive numbers"),
        (lambda: linear.power_law([1, 2], [[1, 1]]), "error: expected positive numbers"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_the_module_loads_no_keras():
    import subprocess
    import sys

    code = "import sys, dl_course.linear; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
