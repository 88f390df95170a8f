"""Chapter 05's module against Keras, TensorFlow and closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dl_course import cnn

EXACT = settings(max_examples=200, derandomize=True, deadline=None, database=None)
PADDINGS = st.sampled_from(["valid", "same"])


def pairs(most):
    """One integer for both directions, or a pair."""
    numbers = st.integers(1, most)
    return st.one_of(numbers, st.tuples(numbers, numbers))


def both(value):
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def images(draw):
    shape = [draw(st.integers(1, most)) for most in (3, 11, 11, 4)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.normal(size=shape).astype("float32"), rng


def fits(x, window, padding, dilation=1):
    extents = [d * (k - 1) + 1 for k, d in zip(both(window), both(dilation), strict=True)]
    return padding == "same" or all(np.array(x.shape[1:3]) >= extents)


def close(ours, theirs):
    theirs = np.asarray(keras.ops.convert_to_numpy(theirs))
    assert ours.shape == theirs.shape
    assert ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= 1e-5


# ---------------------------------------------------------------- convolution


@given(images(), pairs(4), st.integers(1, 5), pairs(4), PADDINGS, pairs(3), st.booleans())
@EXACT
def test_conv2d_is_tensorflows(drawn, size, filters, strides, padding, dilation, has_bias):
    x, rng = drawn
    assume(fits(x, size, padding, dilation))
    shape = (*both(size), x.shape[3], filters)
    kernel = (rng.normal(size=shape) / math.sqrt(math.prod(shape[:3]))).astype("float32")
    bias = rng.normal(size=filters).astype("float32") if has_bias else None
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    ours = cnn.conv2d(x, kernel, bias, **options)
    theirs = tf.nn.conv2d(
        x, kernel, both(strides), padding.upper(), dilations=both(dilation)
    )
    close(ours, theirs if bias is None else theirs + bias)


@given(images(), pairs(4), pairs(3), PADDINGS, st.booleans())
@EXACT
def test_conv2d_is_kerass(drawn, size, steps, padding, dilate):
    x, rng = drawn
    strides, dilation = (
        (1, steps) if dilate else (steps, 1)
    )  # Keras wants one of them to be 1
    assume(fits(x, size, padding, dilation))
    kernel = (rng.normal(size=(*both(size), x.shape[3], 3)) / 6).astype("float32")
    theirs = keras.ops.conv(x, kernel, strides, padding, dilation_rate=dilation)
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    close(cnn.conv2d(x, kernel, **options), theirs)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv2d_is_a_keras_layer(padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 8, 3)).astype("float32")
    layer = keras.layers.Conv2D(4, (3, 2), strides=2, padding=padding)
    layer.build(x.shape)
    layer.set_weights([layer.get_weights()[0], rng.normal(size=4)])
    close(cnn.conv2d(x, *layer.get_weights(), strides=2, padding=padding), layer(x))


def test_conv2d_is_the_sum_of_its_definition():
    rng = np.random.default_rng(1)
    x, kernel, bias = (rng.normal(size=s) for s in [(2, 7, 8, 3), (3, 2, 3, 4), (4,)])
    y = cnn.conv2d(x, kernel, bias, strides=(2, 1), dilation=(1, 3))
    for n, i, j, m in np.ndindex(y.shape):
        value = bias[m]
        for u, v, c in np.ndindex(3, 2, 3):
            value += kernel[u, v, c, m] * x[n, 2 * i + u, j + 3 * v, c]
        assert y[n, i, j, m] == pytest.approx(value, abs=1e-12)


def test_a_flipped_kernel_gives_numpys_convolution():
    rng = np.random.default_rng(2)
    x, k = rng.normal(size=20), rng.normal(size=5)
    ours = cnn.conv2d(x.reshape(1, 1, 20, 1), k[::-1].reshape(1, 5, 1, 1))
    assert np.allclose(ours.ravel(), np.convolve(x, k, "valid"))
    unflipped = cnn.conv2d(x.reshape(1, 1, 20, 1), k.reshape(1, 5, 1, 1))
    assert np.allclose(unflipped.ravel(), np.correlate(x, k, "valid"))


def test_convolution_moves_along_with_its_input():
    rng = np.random.default_rng(3)
    x = np.pad(rng.normal(size=(1, 9, 9, 2)), [(0, 0), (6, 6), (6, 6), (0, 0)])
    kernel = rng.normal(size=(3, 3, 2, 4))
    for stride, step in [(1, 1), (1, 3), (2, 2), (3, 3)]:
        moved = cnn.conv2d(np.roll(x, step, axis=2), kernel, strides=stride)
        still = cnn.conv2d(x, kernel, strides=stride)
        assert np.allclose(moved, np.roll(still, step // stride, axis=2))


def test_whole_numbers_lists_and_empty_batches_are_welcome():
    x = np.arange(16).reshape(1, 4, 4, 1)
    ones = [[[[1]], [[1]]], [[[1]], [[1]]]]
    assert cnn.conv2d(x.tolist(), ones, strides=2).ravel().tolist() == [10, 18, 42, 50]
    assert cnn.max_pool2d(x.astype("uint8")).ravel().tolist() == [5, 7, 13, 15]
    assert cnn.average_pool2d(x).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    empty = np.zeros((0, 4, 4, 2))
    assert cnn.conv2d(empty, np.zeros((3, 3, 2, 5))).shape == (0, 2, 2, 5)


def test_patches_are_a_view_and_cannot_be_changed():
    x = np.zeros((1, 64, 64, 1))
    windows = cnn.patches(x, 5)
    assert windows.shape == (1, 60, 60, 5, 5, 1)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0, 0, 0, 0] = 1


# ---------------------------------------------------------------- pooling


@given(images(), pairs(5), st.one_of(st.none(), pairs(4)), PADDINGS)
@EXACT
def test_max_pooling_is_kerass(drawn, size, strides, padding):
    x, _ = drawn
    assume(fits(x, size, padding))
    theirs = keras.ops.max_pool(x, size, strides, padding)
    close(cnn.max_pool2d(x, size, strides=strides, padding=padding), theirs)


@given(images(), pairs(5), st.one_of(st.none(), pairs(4)), PADDINGS)
@EXACT
def test_average_pooling_is_kerass(drawn, size, strides, padding):
    x, _ = drawn
    assume(fits(x, size, padding))
    theirs = keras.ops.average_pool(x, size, strides, padding)
    close(cnn.average_pool2d(x, size, strides=strides, padding=padding), theirs)


def test_padding_never_counts_in_a_pool():
    ones = np.ones((1, 5, 5, 1))
    assert (cnn.average_pool2d(ones, 3, strides=1, padding="same") == 1).all()
    assert (cnn.max_pool2d(-ones, 3, strides=1, padding="same") == -1).all()


# ---------------------------------------------------------------- sizes


@given(
    st.integers(1, 40), st.integers(1, 7), st.integers(1, 5), PADDINGS, st.integers(1, 4)
)
@EXACT
def test_output_size_counts_places(size, kernel_size, strides, padding, dilation):
    extent = dilation * (kernel_size - 1) + 1
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    before, after = cnn.pad_amounts(size, kernel_size, **options)
    if padding == "valid":
        assert before == after == 0
        assume(size >= extent)
    else:
        assert after - before in (0, 1)
        assert cnn.output_size(size, kernel_size, **options) == math.ceil(size / strides)
    starts = range(0, before + size + after - extent + 1, strides)
    assert cnn.output_size(size, kernel_size, **options) == len(starts)


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 2)), max_size=4)
)
@EXACT
def test_receptive_field_is_what_a_poisoned_pixel_reaches(layers):
    width = cnn.receptive_field(layers)
    x = np.zeros((width + 2, 1, width + 2, 1))
    for pixel in range(width + 2):
        x[pixel, 0, pixel] = np.nan  # image number `pixel` has one NaN, at `pixel`
    x = x[:, :, 1:-1]  # exactly one unit is left at the top
    for kernel_size, strides, dilation in layers:
        kernel = np.ones((1, kernel_size, 1, 1))
        x = cnn.conv2d(x, kernel, strides=(1, strides), dilation=(1, dilation))
    top = np.isnan(x[:, 0, 0, 0])
    assert not top[0] and not top[-1]
    reached = np.flatnonzero(top)
    assert reached.min() == 1 and reached.max() == width


def test_receptive_fields_known_by_hand():
    assert cnn.receptive_field([]) == 1
    assert cnn.receptive_field([(3, 1), (2, 2), (3, 1), (2, 2)]) == 10
    assert cnn.receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)]) == 15


# ---------------------------------------------------------------- networks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (cnn.build_document_cnn, 34_826),
        (cnn.build_deeper_document_cnn, 93_322),
        (cnn.build_mnist_cnn, 99_418),
    ],
)
def test_networks_answer_with_probabilities(build, parameters):
    model = build()
    assert model.count_params() == parameters
    assert not model.compiled
    p = keras.ops.convert_to_numpy(model(np.zeros((3, 28, 28, 1), "float32")))
    assert p.shape == (3, 10)
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)


def test_the_better_network_moves_digits_in_training_only():
    layer = cnn.build_mnist_cnn().layers[0]
    x = np.zeros((64, 28, 28, 1), "float32")
    x[:, 13, 13] = 1
    used = keras.ops.convert_to_numpy(layer(x, training=False))
    moved = keras.ops.convert_to_numpy(layer(x, training=True))
    assert np.array_equal(used, x)
    rows, columns = np.nonzero(moved.max(axis=0)[..., 0])
    assert max(abs(rows - 13).max(), abs(columns - 13).max()) in (2, 3)  # 2.24 pixels
    assert len({picture.tobytes() for picture in moved}) > 32


def test_training_follows_the_schedule_and_learns():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    y = np.arange(384) % 2
    x = rng.normal(scale=0.1, size=(384, 28, 28, 1)).astype("float32")
    x[y == 1, 10:18, 10:18] += 1  # a square, or nothing
    model = cnn.build_mnist_cnn()
    history = cnn.train_mnist_cnn(model, x, y, epochs=5)
    assert history.history["accuracy"][-1] >= 0.95
    rate = model.optimizer.learning_rate  # a schedule shows its present value
    assert float(keras.ops.convert_to_numpy(rate)) == pytest.approx(0, abs=1e-6)


# ---------------------------------------------------------------- figures


def test_maps_are_white_at_zero():
    figure = cnn.draw_maps(np.array([[[-2.0, 0], [1, 0]], [[0, 0], [0, 0]]]), ["a", "b"])
    limits = [axis.images[0].get_clim() for axis in figure.axes]
    assert limits == [(-2, 2), (-1, 1)]


def test_the_stencil_marks_window_and_cell():
    image, kernel = np.eye(8), np.array([[1.0, 0, -1]] * 3)
    figure = cnn.draw_stencil(image, kernel, 2, 3)
    corners = [(box.get_xy(), box.get_width()) for a in figure.axes for box in a.patches]
    assert corners == [((2.5, 1.5), 3), ((2.5, 1.5), 1)]
    assert len(figure.axes[1].texts) == len(figure.axes[2].texts) == 9


# ---------------------------------------------------------------- mistakes

X = np.zeros((1, 6, 6, 2))
K = np.zeros((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: cnn.conv2d(X[0], K), r"x: .*\(6, 6, 2\)"),
        (lambda: cnn.conv2d(X.astype(str), K), "x: expected numbers"),
        (lambda: cnn.conv2d(X, K[:, :, 0]), r"kernel: .*\(3, 3, 4\)"),
        (
            lambda: cnn.conv2d(X, np.zeros((3, 3, 1, 4))),
            r"kernel: .*\(height, width, 2, filters\)",
        ),
        (lambda: cnn.conv2d(X, np.zeros((7, 3, 2, 4))), "x: .*height and width"),
        (lambda: cnn.conv2d(X, K, dilation=3), "x: .*height and width"),
        (lambda: cnn.conv2d(X, K, np.zeros(3)), r"bias: .*\(4,\)"),
        (lambda: cnn.conv2d(X, K, 0.0), "bias: "),
        (lambda: cnn.conv2d(X, K, strides=0), "strides: "),
        (lambda: cnn.conv2d(X, K, strides=1.5), "strides: "),
        (lambda: cnn.conv2d(X, K, strides=(1, 2, 3)), "strides: "),
        (lambda: cnn.conv2d(X, K, dilation=-1), "dilation: "),
        (lambda: cnn.conv2d(X, K, padding="SAME"), "padding: "),
        (lambda: cnn.conv2d(X, K, padding=1), "padding: "),
        (lambda: cnn.patches(X, True), "kernel_size: "),
        (lambda: cnn.patches(X, 7), "x: "),
        (lambda: cnn.max_pool2d(X[..., 0]), r"x: .*x\[\.\.\., None\]"),
        (lambda: cnn.max_pool2d(X, 0), "pool_size: "),
        (lambda: cnn.max_pool2d(X, "2"), "pool_size: "),
        (lambda: cnn.max_pool2d(X, strides=0), "strides: "),
        (lambda: cnn.max_pool2d(X, padding="full"), "padding: "),
        (lambda: cnn.average_pool2d(X[0]), "x: "),
        (lambda: cnn.average_pool2d(X, (2, 2, 1)), "pool_size: "),
        (lambda: cnn.average_pool2d(X, strides=-2), "strides: "),
        (lambda: cnn.average_pool2d(X, padding=None), "padding: "),
        (lambda: cnn.output_size(0, 3), "size: "),
        (lambda: cnn.output_size(2, 3), "size: expected ≥ 3"),
        (lambda: cnn.output_size(5, 0), "kernel_size: "),
        (lambda: cnn.output_size(5, 3, strides=0), "strides: "),
        (lambda: cnn.output_size(5, 3, dilation=0.5), "dilation: "),
        (lambda: cnn.output_size(5, 3, padding="none"), "padding: "),
        (lambda: cnn.pad_amounts(5.0, 3), "size: "),
        (lambda: cnn.receptive_field(3), "layers: "),
        (lambda: cnn.receptive_field([3, 3]), "layers: "),
        (lambda: cnn.receptive_field([(3,)]), "layers: "),
        (lambda: cnn.receptive_field([(3, 0)]), "layers: "),
    ],
)
def test_mistakes_are_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()
