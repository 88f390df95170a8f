"""Explanations: against finite differences, direct computation, closed forms, Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import common, insight, lesson


def rng(n=0):
    return np.random.default_rng(n)


@pytest.fixture(scope="module")
def model():
    lesson.seed(1)
    return insight.build_digit_cnn()


def images(n, seed=1, shape=(28, 28, 1)):
    return rng(seed).uniform(size=(n, *shape)).astype("float32")


# ---------------------------------------------------------------- network


def test_the_network_takes_any_size_and_learns(model):
    assert model.count_params() == 19_418
    assert model(images(2, shape=(28, 56, 1))).shape == (2, 10)
    lesson.seed(2)
    generator, new = rng(2), insight.build_digit_cnn()
    x, y = images(60), np.repeat([3, 7], 30)
    x[y == 7, ::2] = 0
    settings = {"num_steps": 60, "batch_size": 32, "learning_rate": 0.01}
    common.train(new, x, y, generator, **settings)
    assert np.mean(np.array(new(x)).argmax(axis=1) == y) > 0.95


def test_two_digits_stand_side_by_side():
    a, b = images(3, 1), images(3, 2)
    pair = insight.two_digits(a, b)
    assert pair.shape == (3, 28, 56, 1)
    assert np.array_equal(pair[:, :, :28], a) and np.array_equal(pair[:, :, 28:], b)


# ---------------------------------------------------------------- gradients


def smooth_model():
    """A network without kinks, in float64: finite differences are exact to 1e-6."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    stack = [
        keras.Input((5, 5, 1), dtype="float64"),
        layers.Conv2D(4, 3, activation="tanh", dtype="float64"),
        layers.Flatten(dtype="float64"),
        layers.Dense(3, dtype="float64"),
    ]
    return keras.Sequential(stack)


def test_input_gradient_is_the_limit_of_differences():
    model, x = smooth_model(), images(2, 3, (5, 5, 1))
    classes = np.array([2, 0])
    got = insight.input_gradient(model, x, classes)
    for i in range(2):
        for place in [(0, 0), (2, 3), (4, 4)]:
            values = []
            for move in (1e-5, -1e-5):
                moved = x.astype(float)
                moved[i, place[0], place[1], 0] += move
                values.append(np.array(model(moved))[i, classes[i]])
            slope = (values[0] - values[1]) / 2e-5
            assert got[(i, *place, 0)] == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_integrated_gradients_of_a_linear_score_are_weights_times_distance():
    linear = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    x, classes = images(5, 4, (4, 4, 1)), np.array([0, 1, 2, 0, 1])
    kernel = linear.layers[-1].kernel.numpy()
    expected = (x - 0.3) * kernel[:, classes].T.reshape(x.shape)
    settings = {"baseline": 0.3, "num_steps": 3}
    got = insight.integrated_gradients(linear, x, classes, **settings)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_integrated_gradients_are_complete():
    model, x = smooth_model(), images(6, 5, (5, 5, 1)) * 3
    classes = np.array([0, 1, 2, 0, 1, 2])
    maps = insight.integrated_gradients(model, x, classes, num_steps=60)
    rows = np.arange(6)
    ends = np.array(model(x))[rows, classes] - np.array(model(0 * x))[rows, classes]
    np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), ends, atol=2e-3)


def test_guided_relu_drops_negative_gradients_too():
    z = tf.constant([[-1.0, 2.0, 3.0, -4.0]])
    up = tf.constant([[1.0, 1.0, -1.0, -1.0]])
    with tf.GradientTape() as tape:
        tape.watch(z)
        out = tf.reduce_sum(insight.guided_relu(z) * up)
    assert tape.gradient(out, z).numpy().tolist() == [[0, 1, 0, 0]]
    assert insight.guided_relu(z).numpy().tolist() == [[0, 2, 3, 0]]


def test_guided_backpropagation_equals_a_direct_computation():
    dense = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Flatten(),
         keras.layers.Dense(6, activation=insight.guided_relu), keras.layers.Dense(2)]
    )  # fmt: skip
    x = images(3, 6, (2, 2, 1)) - 0.5
    first, second = dense.layers[1:]
    hidden = x.reshape(3, 4) @ first.kernel.numpy() + first.bias.numpy()
    back = np.maximum(second.kernel.numpy()[:, 1], 0) * (hidden > 0)
    expected = (back @ first.kernel.numpy().T).reshape(x.shape)
    got = insight.input_gradient(dense, x, np.array([1, 1, 1]))
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("kept", range(5))
def test_twin_keeps_the_lower_layers(model, kept):
    other = insight.twin(model, kept=kept, guided=kept == 2)
    kernels = zip(other.weights[::2], model.weights[::2], strict=True)
    same = [np.array_equal(a.numpy(), b.numpy()) for a, b in kernels]
    assert same == [True] * kept + [False] * (4 - kept)


def test_edges_are_the_sobel_convolution():
    x = images(2, 7, (9, 8, 1))
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "float32")
    kernel = np.stack([sobel, sobel.T], axis=-1)[:, :, None]
    both = np.array(keras.ops.conv(x, kernel, padding="same"))
    expected = np.hypot(both[..., 0], both[..., 1])[..., None]
    np.testing.assert_allclose(insight.edges(x), expected, atol=1e-5)


# ---------------------------------------------------------------- where


def test_grad_cam_is_the_direct_computation(model):
    x, classes = images(4, 8), np.array([1, 5, 0, 9])
    below = keras.Sequential([keras.Input((None, None, 1)), *model.layers[:3]])
    maps, kernel = np.array(below(x)), model.layers[-1].kernel.numpy()
    got = insight.grad_cam(model, x, classes)
    assert got.shape == (4, 7, 7) and got.min() >= 0
    by_hand = np.zeros((4, 7, 7))
    for i, c in enumerate(classes):
        for k in range(48):
            by_hand[i] += kernel[k, c] / 49 * maps[i, :, :, k]
    np.testing.assert_allclose(got, np.maximum(by_hand, 0), atol=1e-6)
    np.testing.assert_allclose(insight.direct_cam(maps, kernel, classes), got, atol=1e-6)


# ---------------------------------------------------------------- ranks and tables


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=9))
def test_ranks_share_ties(values):
    expected = [
        1 + sum(v < u for v in values) + (sum(v == u for v in values) - 1) / 2
        for u in values
    ]
    assert insight.ranks(np.array(values)).tolist() == expected


def test_rank_correlation_by_its_formula_without_ties():
    a, b = (np.stack([rng(i + j).permutation(20) for i in range(3)]) for j in (0, 9))
    d = np.sum((a - b) ** 2, axis=1)
    expected = 1 - 6 * d / (20 * (20**2 - 1))
    np.testing.assert_allclose(insight.rank_correlation(a, np.exp(b / 9)), expected)
    assert np.allclose(insight.rank_correlation(a, a**3), 1)
    assert np.isnan(insight.rank_correlation(np.ones((1, 4)), a[:1, :4])).all()


def test_importance_of_a_linear_model_is_twice_the_explained_variance():
    x, w = rng(10).normal(size=(4000, 3)) * [1, 2, 3], np.array([2.0, -1.0, 0.0])
    y = x @ w + rng(11).normal(size=4000)
    growth = insight.permutation_importance(
        lambda rows: rows @ w, x, y, [[0], [1], [2], [0, 1]], rng(12), repeats=20
    )
    assert growth.shape == (4, 20)
    single = 2 * w**2 * x.var(axis=0)
    got = growth.mean(axis=1)
    np.testing.assert_allclose(got[:2], single[:2], rtol=0.06)
    assert got[2] == 0 and got[3] == pytest.approx(single.sum(), rel=0.06)


def test_columns_of_a_group_move_together():
    x = np.repeat(rng(13).normal(size=(50, 1)), 2, axis=1)
    growth = insight.permutation_importance(
        lambda rows: rows[:, 0] - rows[:, 1], x, np.zeros(50), [[0], [0, 1]], rng(14)
    )
    assert growth[0].min() > 0 and np.abs(growth[1]).max() < 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: insight.two_digits(images(2), images(3)), "right"),
        (lambda: insight.input_gradient(None, images(2), [1]), "classes"),
        (lambda: insight.input_gradient(None, images(2), [1.0, 2.0]), "classes"),
        (
            lambda: insight.integrated_gradients(None, images(1), [1], num_steps=0),
            "num_steps",
        ),
        (lambda: insight.twin(None, kept=5), "kept"),
        (lambda: insight.two_digits(images(2)[0], images(2)[0]), "left"),
        (lambda: insight.edges(np.zeros((2, 3, 3))), "x"),
        (lambda: insight.edges(np.zeros((2, 3, 3, 3))), "x"),
        (
            lambda: insight.direct_cam(np.zeros((1, 2, 2, 3)), np.zeros((4, 2)), [0]),
            "kernel",
        ),
        (lambda: insight.direct_cam(np.zeros((2, 2, 3)), np.zeros((3, 2)), [0]), "maps"),
        (lambda: insight.direct_cam(np.zeros((1, 2, 2, 3)), np.zeros(3), [0]), "kernel"),
        (lambda: insight.rank_correlation(np.zeros((2, 3)), np.zeros((2, 4))), "second"),
        (lambda: insight.rank_correlation(np.zeros(3), np.zeros(3)), "first"),
        (
            lambda: insight.permutation_importance(
                lambda rows: rows, np.zeros((3, 2)), np.zeros(3), [[0]], rng()
            ),
            "predict",
        ),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=f"^{message}: expected"):
        call()
