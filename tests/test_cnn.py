"""Chapter 05's definitions against Keras, TensorFlow and closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tools.chapters import definitions

cnn = definitions("05")
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
    down, right = both(strides)  # if they differ, TensorFlow's CPU kernel leaves outputs of
    assume(down == right or fits(x, size, "valid", dilation))  # tiny images unwritten
    shape = (*both(size), x.shape[3], filters)
    kernel = (rng.normal(size=shape) / math.sqrt(math.prod(shape[:3]))).astype("float32")
    bias = rng.normal(size=filters).astype("float32") if has_bias else 0.0
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    ours = cnn.conv2d(x, kernel, bias, **options)
    theirs = tf.nn.conv2d(
        x, kernel, both(strides), padding.upper(), dilations=both(dilation)
    )
    close(ours, theirs + bias)


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


def test_empty_batches_are_welcome():
    empty = np.zeros((0, 4, 4, 2))
    assert cnn.conv2d(empty, np.zeros((3, 3, 2, 5))).shape == (0, 2, 2, 5)
    assert cnn.max_pool2d(empty).shape == (0, 2, 2, 2)


def test_the_loop_is_the_product():
    rng = np.random.default_rng(4)
    x, kernel, bias = (rng.normal(size=s) for s in [(1, 9, 8, 2), (3, 2, 2, 3), (3,)])
    for strides, dilation in [(1, 1), (2, 1), (1, 2), (2, 3)]:
        loop = cnn.conv2d_loop(x[0], kernel, bias, s=strides, d=dilation)
        product = cnn.conv2d(x, kernel, bias, strides=strides, dilation=dilation)
        assert np.allclose(loop, product[0])


def test_correlate_is_a_convolution_of_one_channel():
    rng = np.random.default_rng(5)
    x, k = rng.normal(size=(6, 7)), rng.normal(size=(3, 2))
    y = cnn.conv2d(x[None, ..., None], k[..., None, None], 0.5)[0, ..., 0]
    assert np.allclose(cnn.correlate(x, k, 0.5), y)


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


# ---------------------------------------------------------------- principles


def test_all_windows_of_a_picture_make_a_dense_layer():
    rng = np.random.default_rng(6)
    x, dense = rng.normal(size=(80, 4, 4)), rng.normal(size=(16, 16))
    y = (x.reshape(-1, 16) @ dense).reshape(x.shape)
    fitted = cnn.fit_layer(x, y, 3, False)
    assert cnn.relative_error(fitted, x, y, 3) < 1e-20
    assert cnn.relative_error(cnn.fit_layer(x, y, 3, True), x, y, 3) > 0.1


def test_a_shared_local_layer_is_a_convolution():
    rng = np.random.default_rng(7)
    x, k = rng.normal(size=(3, 6, 5)), rng.normal(size=(3, 3))
    y = cnn.conv2d(x[..., None], k[..., None, None], padding="same")[..., 0]
    fitted = cnn.fit_layer(x, y, 1, True)
    assert np.allclose(fitted, k.ravel()) and fitted.shape == (30, 9)


# ---------------------------------------------------------------- backward


def gradients(layer, *arrays):
    """(δ drawn at random, gradients of Σ y δ by GradientTape) in double precision."""
    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = layer(*tensors)
        delta = np.random.default_rng(y.shape[1]).normal(size=y.shape)
        loss = tf.reduce_sum(y * delta)
    return delta, tape.gradient(loss, tensors)


@given(
    images(), pairs(3), st.integers(1, 3), st.integers(1, 3), PADDINGS, st.integers(1, 3)
)
@settings(EXACT, max_examples=60)
def test_backward_of_conv2d_is_gradient_tapes(drawn, size, filters, s, padding, dilation):
    x, rng = drawn
    assume(fits(x, size, padding, dilation))
    s = s if dilation == 1 else 1  # TensorFlow's gradient knows one of the two
    x, kernel = x.astype(float), rng.normal(size=(*both(size), x.shape[3], filters))
    options = {"strides": s, "padding": padding, "dilation": dilation}

    def layer(x, kernel):
        return tf.nn.convolution(x, kernel, s, padding.upper(), dilations=dilation)

    delta, theirs = gradients(layer, x, kernel)
    ours = cnn.conv2d_backward(x, kernel, delta, **options)
    for mine, right in zip(ours, theirs, strict=False):
        assert np.abs(mine - right).max() <= 1e-10
    assert np.allclose(ours[2], delta.sum(axis=(0, 1, 2)))
    if not x.shape[0]:
        return
    spread = cnn.transposed_conv2d(delta, kernel, x.shape, **options)
    assert np.array_equal(spread, ours[0])


@given(images(), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 4)))
@settings(EXACT, max_examples=60)
def test_backward_of_max_pooling_is_gradient_tapes(drawn, size, strides):
    x = drawn[0].astype(float)
    assume(fits(x, size, "valid"))
    steps = strides or size
    delta, (theirs,) = gradients(lambda x: tf.nn.max_pool2d(x, size, steps, "VALID"), x)
    ours = cnn.max_pool2d_backward(x, delta, size, strides=strides)
    assert np.abs(ours - theirs).max() <= 1e-12


def test_of_equal_numbers_the_first_one_wins():
    x = np.ones((1, 2, 2, 1))
    ours = cnn.max_pool2d_backward(x, np.full((1, 1, 1, 1), 3.0))
    assert ours.ravel().tolist() == [3, 0, 0, 0]


# ---------------------------------------------------------------- batch norm, controls


def test_batch_norm_is_kerass_in_training():
    x = np.random.default_rng(8).normal(2, 3, size=(5, 4, 3, 6)).astype("float32")
    layer = keras.layers.BatchNormalization()
    gamma, beta = np.arange(6) + 1.0, np.arange(6) - 2.0
    layer.build(x.shape)
    layer.set_weights([gamma, beta, np.zeros(6), np.ones(6)])
    theirs = np.array(layer(x, training=True))
    assert np.abs(cnn.normalize_batch(x, gamma, beta) - theirs).max() <= 1e-5


def test_random_layers_share_their_kernels_or_not():
    x = np.zeros((250, 28, 28, 1), "float32")
    x[0, 4:9, 4:9], x[1, 12:17, 12:17] = 1, 1  # one square, 8 pixels apart: 2 cells
    shared = cnn.random_layers(x, np.random.default_rng(0), True)
    local = cnn.random_layers(x, np.random.default_rng(0), False)
    assert shared.shape == local.shape == (250, 5, 5, 64)
    assert np.allclose(shared[0, :3, :3], shared[1, 2:, 2:], atol=1e-5)
    assert not np.allclose(local[0, :3, :3], local[1, 2:, 2:], atol=0.1)


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
        (lambda: cnn.build_mnist_cnn(batch_norm=False, translation=0), 98_698),
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


# ---------------------------------------------------------------- mistakes

X = np.zeros((1, 6, 6, 2))
K = np.zeros((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: cnn.conv2d(X[0], K), r"x: .*\(6, 6, 2\)"),
        (lambda: cnn.conv2d(X[..., :1], K), r"x: .*width, 2\), got \(1, 6, 6, 1\)"),
        (lambda: cnn.conv2d(X, K, padding="SAME"), "padding: "),
        (lambda: cnn.max_pool2d(X, padding="full"), "padding: "),
        (lambda: cnn.output_size(2, 3), "size: expected ≥ 3"),
        (lambda: cnn.output_size(5, 3, padding="none"), "padding: "),
    ],
)
def test_mistakes_are_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()
