"""Chapter 01's definitions against lstsq, Keras, finite differences, SciPy-free Newton,
TensorFlow and arithmetic by hand."""

import math
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from dl_course import plots
from tools.chapters import definitions

linear = definitions("01")

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


# ---------------------------------------------------------------- logistic regression


def test_sigmoid_keeps_float32_takes_lists_and_complex_numbers():
    z = np.array([-700, -1, 0, 1, 700])
    assert linear.sigmoid(z.astype(np.float32)).dtype == np.float32
    assert linear.sigmoid(z.tolist()) == pytest.approx(1 / (1 + np.exp(-z.astype(float))))
    slope = linear.sigmoid(z[1:4] + 1e-30j).imag / 1e-30  # the complex step
    p = linear.sigmoid(z[1:4])
    assert slope == pytest.approx(p * (1 - p), rel=1e-14)


@given(REAL)
@settings(deadline=None)
def test_sigmoid_is_right_and_never_warns(z):
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        p = float(linear.sigmoid(z))
        assert 0 <= p <= 1
        assert p + float(linear.sigmoid(-z)) == pytest.approx(1, abs=1e-15)
    if abs(z) < 30:
        assert p == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-14)


@given(st.lists(st.tuples(st.booleans(), REAL), min_size=1, max_size=20))
@settings(deadline=None)
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
        weights, bias, mistakes = linear.perceptron(
            np.array(CORNERS), labels, max_epochs=50
        )
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
    _, _, mistakes = linear.perceptron(x, (distance > 0).astype(int), max_epochs=1000)
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


# ---------------------------------------------------------------- softmax


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 12), st.floats(0.1, 1e3))
@settings(max_examples=40, deadline=None)
def test_softmax_and_its_loss_are_keras(seed, n, classes, scale):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(scale=scale, size=(n, classes)), rng.integers(0, classes, n)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p, loss = linear.softmax(logits), linear.cross_entropy(labels, logits)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p, keras.ops.softmax(logits.astype("float32")), atol=1e-4)
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss == pytest.approx(float(keras_loss(labels, logits)), rel=1e-4, abs=1e-5)


def test_softmax_of_two_classes_is_the_sigmoid_of_the_difference():
    logits = np.random.default_rng(0).normal(size=(50, 2))
    np.testing.assert_allclose(
        linear.softmax(logits)[:, 0], linear.sigmoid(logits[:, 0] - logits[:, 1])
    )
    np.testing.assert_allclose(linear.softmax(logits + 1e4), linear.softmax(logits))


# ---------------------------------------------------------------- what learning costs


def test_flops_of_small_networks_by_hand():
    dense = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.Dense(2)])
    assert [linear.layer_flops(layer) for layer in dense.layers] == [30, 12]
    assert linear.forward_flops(dense) == 30 + 12
    assert linear.training_flops(dense) == 2 * 30 + 3 * 12
    conv = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)]
    )
    first, last = 2 * (4 * 4) * (3 * 3 * 2 * 4), 2 * 64 * 5
    assert linear.training_flops(conv) == 2 * first + 3 * last
    series = keras.Sequential([keras.Input((10, 3)), layers.Conv1D(7, 4), layers.Dense(5)])
    assert linear.forward_flops(series) == 2 * 7 * (7 * 4 * 3 + 7 * 5)


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


def test_training_flops_are_tensorflows():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow counts its own graphs only")

    def network(**options):
        return keras.Sequential(
            [
                keras.Input((12, 12, 3)),
                layers.Conv2D(8, 5, use_bias=False, **options),
                layers.Conv2D(4, 3, use_bias=False, **options),
                layers.Flatten(),
                layers.Dense(10, use_bias=False),
            ]
        )

    def gradient(x):  # TensorFlow counts it right for stride 1 and padding "same" alone
        with tf.GradientTape() as tape:
            y = model(x)
        return tape.gradient(y, model.trainable_weights)

    def counted(function):
        graph = tf.function(function).get_concrete_function(tf.zeros((1, 12, 12, 3))).graph
        profiler = tf.compat.v1.profiler
        options = profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        return profiler.profile(graph, options=options).total_float_ops

    model = network(strides=2)
    assert linear.forward_flops(model) == counted(model)
    model = network(padding="same")
    # the traced graph has the gradient of the image, too; it is cut off before it runs
    needed = counted(gradient) - linear.layer_flops(model.layers[0])
    assert linear.training_flops(model) == pytest.approx(needed, rel=0.01)


# ---------------------------------------------------------------- figures


def test_timeline_shows_every_event_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = linear.plot_timeline()
        figure.canvas.draw()
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    plt.close(figure)
    assert all(f"{year}  {text}" in texts for year, text in linear.EVENTS)
    assert all(name in texts for *_, name in linear.WAVES)


def test_no_texts_of_the_timeline_overlap():
    with plt.rc_context(plots.STYLE):
        figure = linear.plot_timeline()
        figure.canvas.draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts]
    plt.close(figure)
    assert len(boxes) == len(linear.EVENTS) + len(linear.WAVES)
    for i, (name, box) in enumerate(boxes):
        for other, second in boxes[:i]:
            assert not box.overlaps(second), (name, other)


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
            lambda: linear.linear_regression_gd(X, Y[:, None]),
            r"y: expected shape \(4,\), like x, got \(4, 1\)",
        ),
        (
            lambda: linear.logistic_regression_gd(X, Y[:3] > 0),
            r"y: expected shape \(4,\), like x, got \(3,\)",
        ),
        (
            lambda: linear.binary_cross_entropy(np.zeros(32), np.zeros((32, 1))),
            r"logits: expected the shape of y, \(32,\), got \(32, 1\)",
        ),
        (
            lambda: linear.logistic_regression_gd(X, np.round(Y * 9)),
            "y: expected labels 0 and 1",
        ),
        (lambda: linear.logistic_regression_gd(X, [-1, 1, -1, 1]), r"got \[-1  1\]"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
