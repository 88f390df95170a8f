"""What docs/errata.md says of chapters 01 to 04, proved.

Each test makes the mistake again in a few lines of our own, sees it fail, and sees the
correction hold. tools/places.py finds the numbers in the names.
"""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from dl_course import backprop, network
from tools.chapters import definitions

linear, checking, opt = definitions("01"), definitions("03"), definitions("04")


def line(x):
    return 2 * x + 1


def climbs(sign, num_steps=1000):
    """(w, b) after each step of fitting `line`, with sign · (target − prediction)."""
    rng = np.random.default_rng(0)
    w, b, path = rng.normal(), rng.normal(), []
    for _ in range(num_steps):
        x = rng.normal(size=32)
        error = sign * (line(x) - (w * x + b))
        w, b = w - 0.01 * np.mean(x * error), b - 0.01 * np.mean(error)
        path.append((w, b))
    return np.array(path)


def third_tutorials_data():
    """Its 100 noisy points (x, y), and the weights and bias that it starts from."""
    draw = np.random.RandomState(0)  # as its seed
    x = draw.rand(100, 1)
    y = 2 * x + 1 + draw.randn(100, 1) * 0.33
    return x, y[:, 0], draw.randn(), draw.randn()


def third_tutorials_losses(num_steps=1000):
    """(losses, w, b): its descent, the loss before each step."""
    x, y, w, b = third_tutorials_data()
    losses = []
    for _ in range(num_steps):
        error = w * x[:, 0] + b - y
        losses.append(np.mean(error**2) / 2)
        w, b = w - 0.01 * np.mean(x[:, 0] * error), b - 0.01 * np.mean(error)
    return losses, w, b


def labels_of(x, rng):
    """Labels 0 and 1 that a line separates, but for noise."""
    return (x.sum(axis=1) + rng.normal(size=len(x)) > 0).astype(float)


def nudged(f, w, h=1e-6):
    """Slopes of f at w by central differences."""
    steps = h * np.eye(w.size).reshape(w.size, *w.shape)
    return np.reshape([(f(w + d) - f(w - d)) / (2 * h) for d in steps], w.shape)


# ---------------------------------------------------------------- chapter 01


def test_E001_reversed_sign_climbs():
    away = np.abs(climbs(+1) - [2, 1]).sum(axis=1)  # target minus prediction
    assert 15e3 < away[-1] / away[0] < 25e3
    assert np.abs(climbs(-1)[-1] - [2, 1]).max() < 0.01  # prediction minus target


def test_E003_divergence_goes_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = climbs(+1)
    grid = np.linspace(-5, 5, 100)
    w, b = path[-1]
    assert np.abs(line(grid)).max() == 11
    assert np.abs(w * grid + b).max() > 1e4  # only the axis of a plot would show it
    losses = [np.mean((w * grid + b - line(grid)) ** 2) for w, b in path]
    assert losses[500] > 10 * losses[0]  # a recorded loss shows it half-way


def test_E002_is_tested_where_it_was_not_trained():
    trained, tested = np.random.default_rng(0).normal(size=32_000), np.linspace(-5, 5, 100)
    assert np.mean(np.abs(trained) > 3) < 0.004
    assert np.mean(np.abs(tested) > 3) == 0.4


def test_E004_default_font_has_no_chinese():
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def missing(label):
        with matplotlib.rc_context({"font.family": ["DejaVu Sans"]}):
            canvas = FigureCanvasAgg(Figure())
            canvas.figure.subplots().set_xlabel(label)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                canvas.draw()
        return sum("missing from" in str(warning.message) for warning in caught)

    assert missing("真实值") == 3
    assert missing("true value") == 0


def test_E005_rounded_sums_are_no_labels():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(1000, 2)), rng.integers(0, 100, (1000, 2)).astype(float)
    tested, trained = (
        np.round(x.sum(axis=1) + rng.normal(size=1000)) for x in (small, large)
    )
    assert -8 <= tested.min() < -2 and 2 < tested.max() <= 8
    assert trained.min() < 20 and 180 < trained.max() < 203
    scores = np.array([1.0, 10, 100, 1000])
    losses = network.softplus(scores) - 2 * scores  # cross-entropy of a "label" 2
    assert (np.diff(losses) < -8).all()  # no minimum
    labels = labels_of(small, rng)
    assert (network.softplus(scores) - 1 * scores).min() >= 0  # of a label 1
    with pytest.raises(ValueError, match="labels 0 and 1"):
        linear.logistic_regression_gd(small, tested)
    weights, bias, _ = linear.logistic_regression_gd(small, labels)
    assert np.mean((small @ weights + bias > 0) == labels) > 0.75


def test_E006_without_negative_inputs_every_label_is_1():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (32_000, 2)).astype(float)
    assert labels_of(x, rng).mean() > 0.999
    spread = (x - x.mean(axis=0)) / x.std(axis=0)
    assert 0.45 < labels_of(spread, rng).mean() < 0.55


def test_E007_shapes_broadcast_in_silence():
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 100, (32, 2)), rng.integers(0, 2, 32).astype(float)
    w, b = np.zeros((2, 1)), 0.1
    error = network.sigmoid(x @ w + b) - labels  # (32, 1) minus (32,)
    assert error.shape == (32, 32)
    assert (w - 0.01 * x.T @ error / 32).shape == (2, 32)
    right = network.sigmoid(x @ w + b)[:, 0] - labels
    assert right.shape == (32,)
    assert error.sum() / 32 == pytest.approx(32 * right.mean())
    with pytest.raises(ValueError, match="shape"):
        linear.binary_cross_entropy(labels, x @ w + b)


def test_E008_the_plot_of_two_shapes_fails():
    from matplotlib.figure import Figure

    axis = Figure().subplots()
    with pytest.raises(ValueError, match="same size"):
        axis.scatter(np.zeros(100), np.zeros((100, 32)))
    axis.scatter(np.zeros(100), np.zeros((100, 1))[:, 0])


def test_E009_clip_is_no_gradient_of_cross_entropy():
    scores, labels = np.array([-1.0, 2.0, -1.0, 2.0]), np.array([1.0, 1.0, 0.0, 0.0])
    p = network.sigmoid(scores)
    slopes = nudged(lambda z: (network.softplus(z) - labels * z).sum(), scores)
    np.testing.assert_allclose(slopes, p - labels, atol=1e-8)
    printed = np.clip(labels - p, 0, 1) - labels
    np.testing.assert_allclose(printed, [-p[0], -p[1], 0, 0])
    assert np.abs(printed - slopes).min() > 0.2


def printed_logistic_regression(num_steps):
    """Weights and bias of the first tutorial's program after so many steps."""
    rng = np.random.default_rng(0)
    w, b = np.zeros((2, 1)), np.zeros((1, 1))
    for _ in range(num_steps):
        x = rng.integers(0, 100, (32, 2))
        y = np.round(x.sum(axis=1) + rng.normal(size=32))
        slope = np.clip(y - network.sigmoid(x @ w + b), 0, 1) - y
        w, b = w - 0.01 * x.T @ slope / 32, b - 0.01 * slope.sum() / 32
    return w, b


def test_E010_the_sigmoid_as_printed_overflows():
    w, b = printed_logistic_regression(1000)
    z = np.random.default_rng(1).normal(size=(100, 2)) @ w + b  # its last prediction
    assert z.min() < -709
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="overflow"):
            1 / (1 + np.exp(-z))
        assert network.sigmoid(z).min() == 0
        assert network.softplus(z).max() == z.max()  # the loss, from the score


def test_E011_thousand_steps_are_too_few():
    half, whole = (np.abs(printed_logistic_regression(n)[0]).max() for n in (500, 1000))
    assert whole > 1.9 * half > 1e4
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 2))
    y = labels_of(x, rng)
    fit = linear.logistic_regression_gd
    *_, timid = fit(x, y, learning_rate=0.01, max_steps=1000)
    *_, patient = fit(x, y, learning_rate=1.0, max_steps=1000)
    assert len(timid) == 1000 and len(patient) < 1000  # the second stops by itself
    assert timid[-1] > 1.05 * patient[-1]


def test_E120_timid_descent_stops_on_the_way():
    x, y, *_ = third_tutorials_data()
    _, w, b = third_tutorials_losses()
    (best_w,), best_b = linear.least_squares(x, y)
    assert (round(w, 2), round(b, 2)) == (1.53, 1.30)
    assert (round(best_w, 2), round(best_b, 2)) == (1.98, 1.07)
    assert round(linear.learning_rate_limit(x), 1) == 1.6
    (w,), b, _ = linear.linear_regression_gd(x, y, learning_rate=0.5)
    assert abs(w - best_w) + abs(b - best_b) < 1e-4


def test_E122_the_dropped_loss_is_still_falling():
    x, y, *_ = third_tutorials_data()
    losses, *_ = third_tutorials_losses()
    floor = linear.squared_error(x, y, *linear.least_squares(x, y))
    assert losses[-1] - floor < 0.97 * (losses[-101] - floor)  # in the last 100 steps
    assert losses[-1] > 1.1 * floor


def test_E226_noise_is_the_floor_of_a_loss():
    x, y, *_ = third_tutorials_data()
    floor = linear.squared_error(x, y, *linear.least_squares(x, y))
    assert round(floor, 3) == 0.054
    losses, *_ = third_tutorials_losses(20_000)
    assert min(losses) > floor  # a threshold below is never reached
    steps = sum(loss > 0.07 for loss in losses)  # one above: reached, but too early
    _, w, _ = third_tutorials_losses(steps)
    assert steps < 1000 and abs(w - linear.least_squares(x, y)[0][0]) > 0.4


def test_E121_the_second_test_point_lies_outside():
    x, y, *_ = third_tutorials_data()
    assert 0.5 < x.max() < 1 < 1.5
    ends = [np.polyval(np.polyfit(x[i::10, 0], y[i::10], 1), (0.5, 1.5)) for i in range(10)]
    inside, outside = np.std(ends, axis=0)
    assert outside > 3 * inside  # ten samples agree inside, and not outside


def test_E126_keras_has_no_half():
    import keras

    y, p = np.array([[1.0, 2.0, 5.0]]), np.array([[0.0, 2.5, 3.0]])
    half = np.sum((p - y) ** 2) / (2 * y.size)
    assert float(keras.losses.mean_squared_error(y, p)[0]) == pytest.approx(2 * half)


def test_E135_E220_keras_knows_no_theano_and_no_cntk():
    for backend in ("theano", "cntk"):
        run = subprocess.run(
            [sys.executable, "-c", "import keras"],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
        )
        assert f"Unable to import backend : {backend}" in run.stderr


# ---------------------------------------------------------------- chapter 02


def features(x, knots):
    """Hinges max(0, x − k) of points x, one column a knot: a hidden layer, fixed."""
    return np.maximum(0, x[:, None] - knots)


def smallest_fit(a, y):
    """Weights of least length among those with the smallest squared error on (a, y)."""
    return np.linalg.pinv(a, rcond=1e-10) @ y


def test_E131_relu_is_not_bounded():
    assert network.activate("relu", 1e6) == 1e6
    z = np.linspace(-1e6, 1e6, 1001)
    assert np.abs(network.activate("tanh", z)).max() <= 1
    assert np.ptp(network.activate("sigmoid", z)) <= 1


def test_E043_linear_layers_in_a_row_are_one():
    rng = np.random.default_rng(0)
    x, A, B = rng.normal(size=(5, 3)), rng.normal(size=(3, 8)), rng.normal(size=(8, 2))
    np.testing.assert_allclose(x @ A @ B, x @ (A @ B))
    bent = np.maximum(x @ A, 0) @ B
    best = np.linalg.lstsq(x, bent, rcond=None)[0]  # the best single layer
    assert np.abs(x @ best - bent).max() > 0.1


def test_E123_linear_regression_draws_a_line_only():
    x = np.linspace(-1, 1, 101)
    y = np.abs(x)
    weights, bias = linear.least_squares(x[:, None], y)
    assert np.abs(x[:, None] @ weights + bias - y).max() > 0.45
    hidden = np.maximum(x[:, None] @ [[1, -1]], 0)  # two units
    np.testing.assert_allclose(hidden @ [1, 1], y)


def test_E070_one_layer_cannot_do_xor():
    corners, targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    rng = np.random.default_rng(0)
    scores = corners @ rng.normal(size=(2, 100_000)) + rng.normal(size=100_000)
    right = ((scores > 0) == targets[:, None]).sum(axis=0)
    assert right.max() == 3  # never all four, whatever the weights
    np.testing.assert_allclose(scores[0] + scores[3], scores[1] + scores[2])  # so, why
    hidden = np.maximum(corners @ np.ones((2, 2)) + [0, -1], 0)
    assert np.array_equal(hidden @ [1, -2], targets)  # two layers


def test_E084_forward_moves_no_trainable_weight():
    import keras
    from keras import layers

    stack = [keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()]
    model = keras.Sequential([*stack, layers.Dropout(0.5)])
    values = [v.numpy().copy() for v in model.variables]
    learned = [v.numpy().copy() for v in model.trainable_variables]
    model(np.random.default_rng(0).normal(size=(8, 4)), training=True)
    moved = {
        v.name
        for v, old in zip(model.variables, values, strict=True)
        if (v != old).numpy().any()
    }
    assert {"moving_mean", "moving_variance"} <= moved
    now = [v.numpy() for v in model.trainable_variables]
    assert all(np.array_equal(*pair) for pair in zip(learned, now, strict=True))


def test_E234_the_loss_of_training_is_not_the_goal():
    rng = np.random.default_rng(0)
    x, new = np.linspace(-1, 1, 10), np.linspace(-0.95, 0.95, 100)
    y = np.sin(3 * x) + rng.normal(scale=0.3, size=10)
    errors = {}
    for degree in (3, 9):
        curve = np.polynomial.Polynomial.fit(x, y, degree)
        errors[degree] = np.std(curve(x) - y), np.std(curve(new) - np.sin(3 * new))
    assert errors[9][0] < 1e-9 < errors[3][0]  # the smaller loss in training
    assert errors[9][1] > 1.5 * errors[3][1]  # is the worse model


def test_E231_longer_training_makes_it_worse():
    rng = np.random.default_rng(0)
    x, new = rng.normal(size=(40, 60)), rng.normal(size=(1000, 60))
    truth = rng.normal(size=60) / 8
    y, y_new = x @ truth + rng.normal(size=40), new @ truth
    w, old_errors, new_errors = np.zeros(60), [], []
    for _ in range(3000):
        old_errors.append(np.mean((x @ w - y) ** 2))
        new_errors.append(np.mean((new @ w - y_new) ** 2))
        w = w - 0.05 * x.T @ (x @ w - y) / 40
    best = int(np.argmin(new_errors))
    assert 0 < best < 300  # here one should stop
    assert new_errors[-1] > 1.5 * new_errors[best]
    assert old_errors[-1] < 0.01 * old_errors[best]  # while in training it seems to gain


def test_E093_the_same_model_memorizes_and_generalizes():
    rng = np.random.default_rng(0)
    knots, x, new = np.linspace(-1, 1, 300), rng.uniform(-1, 1, 60), rng.uniform(-1, 1, 500)
    a, a_new = features(x, knots), features(new, knots)
    for truth, holds in ((np.sin(4 * x), True), (rng.normal(size=60), False)):
        w = smallest_fit(a, truth)
        assert np.abs(a @ w - truth).max() < 1e-3  # learned by heart, both
        meant = np.sin(4 * new) if holds else rng.normal(size=500)
        share = 1 - np.mean((a_new @ w - meant) ** 2) / np.var(meant)
        assert share > 0.95 if holds else share < 0  # but only one says anything


def test_E052_many_parameters_few_examples():
    rng = np.random.default_rng(0)
    knots, x, new = (
        np.linspace(-1, 1, 2000),
        rng.uniform(-1, 1, 40),
        np.linspace(-0.9, 0.9, 99),
    )
    a = features(x, knots)
    assert a.shape[1] == 50 * a.shape[0]  # fifty parameters for each example
    w = smallest_fit(a, np.cos(3 * x))
    assert np.abs(features(new, knots) @ w - np.cos(3 * new)).max() < 0.1


def test_E063_scaling_in_place_repeats_itself():
    raw = np.random.default_rng(0).uniform(0, 255, 1000)
    pixels = raw.copy()
    deviations = []
    for _ in range(2):  # the cell, run twice
        pixels /= 255
        pixels -= pixels.mean()
        deviations.append(pixels.std())
    assert deviations[0] == pytest.approx(255 * deviations[1])

    def scaled(x):
        return x / 255 - (x / 255).mean()

    scaled(raw)
    assert scaled(raw).std() == pytest.approx(deviations[0])  # run as often as you like


def test_E042_E128_a_weight_a_connection_a_bias_a_unit():
    import keras

    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    assert [tuple(v.shape) for v in layer.weights] == [(4, 3), (3,)]
    assert layer.count_params() == 4 * 3 + 3 != 3 + 3  # not one of each a node


def test_E129_the_product_alone_is_not_the_unit():
    import keras

    layer = keras.layers.Dense(1, "relu")
    layer.build((None, 3))
    w, b, x = np.array([1.0, 3, 2]), 0.5, np.array([2.0, -1, 0.5])
    layer.set_weights([w[:, None], np.array([b])])
    unit = float(layer(x[None])[0, 0])
    assert unit == max(0, sum(w * x) + b) == 0.5
    assert np.maximum(0, w * x).shape == (3,)  # three products, no output yet
    assert unit != np.maximum(0, w * x).sum()


def test_E232_the_bias_comes_before_the_activation():
    import keras

    b = 0.7
    for name, output in (("sigmoid", network.sigmoid(b)), ("tanh", np.tanh(b))):
        layer = keras.layers.Dense(1, name, bias_initializer=keras.initializers.Constant(b))
        silent = float(layer(np.zeros((1, 3)))[0, 0])
        assert silent == pytest.approx(output, abs=1e-6)
        assert abs(silent - b) > 0.01


def test_E175_one_sum_is_one_unit():
    import keras

    layer = keras.layers.Dense(10)
    x = np.random.default_rng(0).normal(size=(1, 4))
    scores = layer(x).numpy()
    W, b = layer.get_weights()
    assert scores.shape == (1, 10)
    sums = [sum(W[i, j] * x[0, i] for i in range(4)) + b[j] for j in range(10)]
    np.testing.assert_allclose(scores[0], sums, atol=1e-6)  # the printed sum, ten times


def test_E130_some_layers_have_no_weights():
    import keras
    from keras import layers

    bare = [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4, 4, 1)), *bare, layers.Dense(2)])
    assert [layer.count_params() for layer in model.layers] == [0, 0, 0, 4 * 2 + 2]
    assert model.count_params() == 10  # so the input has none either


# ---------------------------------------------------------------- chapter 03


def test_E192_slopes_are_largest_near_zero():
    z = np.linspace(-10, 10, 2001)
    for name, largest in (("sigmoid", 0.25), ("tanh", 1)):
        slopes = network.slope(name, z)
        assert slopes.max() == pytest.approx(largest)
        assert abs(z[slopes.argmax()]) < 1e-9
        assert slopes[[0, -1]].max() < 1e-4  # far from zero they fade


def two_layers(seed=0):
    """x (8, 4), weights of two tanh layers (4, 5) and (5, 3), and a loss of both."""
    rng = np.random.default_rng(seed)
    x, W1, W2 = (rng.normal(size=shape) for shape in ((8, 4), (4, 5), (5, 3)))
    return x, W1, W2, lambda W1, W2: np.mean(np.tanh(np.tanh(x @ W1) @ W2) ** 2)


def test_E235_the_layer_below_needs_its_own_delta():
    x, W1, W2, loss = two_layers()
    a1 = np.tanh(x @ W1)
    a2 = np.tanh(a1 @ W2)
    delta2 = 2 * a2 / a2.size * (1 - a2**2)
    delta1 = delta2 @ W2.T * (1 - a1**2)  # the missing line
    ours = checking.relative_error(x.T @ delta1, nudged(lambda W: loss(W, W2), W1))
    assert ours < 1e-6
    with pytest.raises(ValueError, match="broadcast"):  # δ of the last layer as it is
        W1 - x.T @ delta2


def test_E071_the_dot_is_a_sum_over_all_outputs():
    rng = np.random.default_rng(0)
    x, W, dL_dy = (rng.normal(size=shape) for shape in ((8, 4), (4, 3), (8, 3)))
    slope = 1 - np.tanh(x @ W) ** 2  # f', with y = tanh(xW)
    dy_dW = np.einsum("nj,ni,jk->njik", slope, x, np.eye(3))
    i = np.unravel_index(7, W.shape)
    step = np.zeros_like(W)
    step[i] = 1e-6
    by_nudging = (np.tanh(x @ (W + step)) - np.tanh(x @ (W - step))) / 2e-6
    np.testing.assert_allclose(dy_dW[..., i[0], i[1]], by_nudging, atol=1e-8)
    with pytest.raises(ValueError):
        dL_dy @ dy_dW  # as matrices
    summed = np.einsum("nj,njik->ik", dL_dy, dy_dW)
    np.testing.assert_allclose(summed, x.T @ (dL_dy * slope), atol=1e-12)  # xᵀδ


def test_E072_a_bias_without_a_sum_grows():
    x, W1, *_ = two_layers()
    delta = np.tanh(x @ W1)  # any (8, 5)
    b = np.zeros(5)
    assert (b - 0.1 * delta).shape == (8, 5)  # silently, a row for each example
    assert (b - 0.1 * delta.sum(axis=0)).shape == (5,)
    slopes = nudged(lambda b: np.sum((x @ W1 + b) ** 2) / 2, b)
    np.testing.assert_allclose(slopes, (x @ W1 + b).sum(axis=0), atol=1e-6)


def test_E086_the_gradient_changes_no_weight():
    rng = np.random.default_rng(0)
    layers = network.initial_layers([4, 5, 3], ["tanh", "linear"], rng)
    before = [(w.copy(), b.copy()) for w, b, _ in layers]
    x, labels = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
    loss, gradients = backprop.loss_and_gradients(x, labels, layers)
    assert all(
        np.array_equal(w, w0) and np.array_equal(b, b0)
        for (w, b, _), (w0, b0) in zip(layers, before, strict=True)
    )
    stepped = [
        (w - 0.1 * dw, b - 0.1 * db, name)
        for (w, b, name), (dw, db) in zip(layers, gradients, strict=True)
    ]
    assert backprop.loss_and_gradients(x, labels, stepped)[0] < loss  # the separate step


def test_E237_a_loss_outside_of_the_tape_has_no_gradient():
    import tensorflow as tf

    w, x, y = tf.Variable(2.0), 3.0, 5.0
    with tf.GradientTape(persistent=True) as tape:
        output = w * x
        inside = (output - y) ** 2
    outside = (output - y) ** 2  # "the first step of the backward pass"
    assert tape.gradient(outside, w) is None
    assert float(tape.gradient(inside, w)) == 2 * (2 * 3 - 5) * 3
    assert float(tape.gradient(inside, inside)) == 1  # where the way back starts


# ---------------------------------------------------------------- chapter 04


def parabola(w):  # slope of 5 w²
    return 10 * w


def test_E075_adagrad_with_the_old_sum_leaps():
    w, G, path = 5.0, 0.0, []
    for _ in range(2000):
        g = parabola(w)
        w, G = w - 0.001 / np.sqrt(G + 1e-7) * g, G + g**2  # the old sum divides
        path.append(w)
    assert path[0] == pytest.approx(5 - 0.001 / np.sqrt(1e-7) * 50)
    assert round(path[0]) == round(path[-1]) == -153
    w = path[0]
    for _ in range(5):  # nothing is ever added
        w, before = w - 0.001 / np.sqrt(1e-7) * parabola(w), w
        assert abs(w) > 10 * abs(before)
    first, *_, last = opt.minimize(opt.adagrad, parabola, 5, 2000, learning_rate=0.1)[1:]
    assert 4.8 < first < 5 and abs(last) < 0.2


def test_E077_rmsprop_with_the_old_mean_leaps():
    w, G = 5.0, 0.0
    g = parabola(w)
    assert w - 0.001 / np.sqrt(G + 1e-7) * g < -150  # as AdaGrad's line: it is the same
    first, *_, last = opt.minimize(opt.rmsprop, parabola, 5, 100, learning_rate=0.1)[1:]
    assert 4.6 < first < 5 and abs(last) < 0.1
    ada = opt.minimize(opt.adagrad, parabola, 5, 100, learning_rate=0.1)[-1]
    assert ada > 1  # a sum and a moving average are two paths


def test_E239_adagrads_steps_never_grow_back():
    gradients = [1.0] * 100 + [0.01] * 300

    def lengths(step):
        g = iter(gradients)
        path = opt.minimize(step, lambda w: np.float64(next(g)), 0, len(gradients))
        return np.abs(np.diff(path))

    ada, rms = lengths(opt.adagrad), lengths(opt.rmsprop)
    assert ada[-1] < 0.02 * ada[99] and rms[100] < 0.02 * rms[99]  # both shrink
    assert rms[-1] > 0.95 * rms[99]  # one comes back
    assert (np.diff(ada[100:]) < 0).all()


def test_E074_a_moving_average_gains_little_at_the_old_rate():
    H = np.diag([0.01, 0.1, 1.0])
    start = np.ones(3)

    def distances(step, **settings):
        path = opt.minimize(step, lambda w: H @ w, start, 400, **settings)
        return np.linalg.norm(path, axis=1)

    plain = distances(opt.sgd, learning_rate=0.1)
    mean = distances(opt.ema_momentum, learning_rate=0.1)
    ball = distances(opt.sgd, learning_rate=0.1, momentum=0.9)
    assert mean[10] > 1.05 * plain[10]  # it starts late
    assert 0.9 < mean[400] / plain[400] < 1.1  # and gains little
    assert ball[400] < 0.1 * plain[400]  # the larger rate is the speed
    same = distances(opt.sgd, learning_rate=0.01, momentum=0.9)
    np.testing.assert_allclose(same, mean)  # α(1 − β) in the usual form


def test_E076_epsilon_guards_a_divisor_of_zero():
    zero = np.float64(0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(0.1 * zero / np.sqrt(zero))  # all gradients were zero, no ε
    assert 0.1 * zero / np.sqrt(zero + 1e-7) == 0
    G = np.float64(4)  # after other gradients
    assert 0.1 * zero / np.sqrt(G) == 0  # a zero gradient harms nothing


def test_E087_adam_can_walk_away_from_the_optimum():
    def end(**settings):
        w, state = np.zeros(1), {}
        for t in range(600):  # linear losses on [-1, 1]; they sum up to a slope of +1
            g = np.array([3.0 if t % 3 == 0 else -1.0])
            rate = 0.5 / np.sqrt(t + 1)
            step = {"learning_rate": rate, "beta_1": 0, "beta_2": 0.1, **settings}
            w, state = opt.adam(w, g, state, **step)
            w = np.clip(w, -1, 1)
        return w[0]

    assert end() > 0.9  # the worst place
    assert end(amsgrad=True) < -0.9  # the best


def test_E073_a_batch_is_a_random_part_of_the_gradient():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(320, 3)), rng.normal(size=320)
    w = np.zeros(3)

    def gradient(rows):
        return linear.squared_error_gradient(x[rows], y[rows], w, 0.0)[0]

    whole = gradient(np.arange(320))
    batches = np.array([gradient(rows) for rows in rng.permutation(320).reshape(10, 32)])
    assert np.abs(batches - whole).max() > 0.1  # one is off,
    np.testing.assert_allclose(batches.mean(axis=0), whole)  # their mean is right


def test_E065_adam_has_no_lr():
    import keras

    with pytest.raises(ValueError, match="lr"):
        keras.optimizers.Adam(lr=0.001)
    rate = keras.optimizers.Adam(learning_rate=0.001).learning_rate
    assert float(rate) == pytest.approx(0.001)
