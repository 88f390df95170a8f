"""Chapters 05 to 11f: what tutorials say does fail, and what is right does hold.

A test named `test_E123_...` proves the row E123 of docs/errata.md. The tutorials' lines are
made again in our own words, as small as possible.
"""

import importlib
import math
import sys
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from dl_course import attention, compression, data, rnn, vae
from dl_course import knowledge_graph as kg
from tools.chapters import definitions

cnn = definitions("05")


@pytest.fixture(autouse=True)
def _same_numbers_each_time():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def digits():
    """x (2000, 784) and y (2000,) to learn from, and as many others to test with."""
    (x, y), (x_test, y_test) = data.mnist()
    return [a[:2000].reshape(2000, *flat) for a, flat in
            ((x, (-1,)), (y, ()), (x_test, (-1,)), (y_test, ()))]  # fmt: skip


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_regression(x, y, rate=0.5, steps=200):
    """Weights (features, 10) and bias of full-batch descent on the cross-entropy."""
    w, b = np.zeros((x.shape[1], 10)), np.zeros(10)
    for _ in range(steps):
        error = (softmax(x @ w + b) - np.eye(10)[y]) / len(x)
        w, b = w - rate * x.T @ error, b - rate * error.sum(axis=0)
    return w, b


def said(build):
    """The texts of the warnings that building something raises."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        build()
    return [str(one.message) for one in caught]


def variables(*models):
    return [v.numpy().copy() for model in models for v in model.trainable_variables]


# ---------------------------------------------------------------- 05, 05b


@pytest.mark.parametrize(
    "line", ["plt.imshow(a)", "plt.plot(a, label='forecast')", "plt.bar(range(3), a[0])"]
)
def test_E012_E020_E028_a_plot_without_its_library(line):
    block = {"np": np, "a": np.eye(3)}  # all that the block has imported and made
    with pytest.raises(NameError, match="plt"):
        exec(line, block)
    exec(line, block | {"plt": plt})
    plt.close("all")


def test_E013_a_row_has_one_axis():
    probabilities = softmax(np.random.default_rng(0).normal(size=(5, 10)))
    with pytest.raises(np.exceptions.AxisError):
        np.argmax(probabilities[0], axis=1)
    assert probabilities[0].argmax() == probabilities.argmax(axis=1)[0]


def test_E014_a_class_is_no_image():
    digit = np.argmax(np.eye(10)[3])
    with pytest.raises(ValueError, match="reshape"):
        digit.reshape(28, 28)
    assert digit == 3


def test_E015_fit_forgives_what_a_layer_does_not():
    stack = [keras.Input((28, 28, 1)), layers.Conv2D(2, 3), layers.Flatten()]
    model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = np.zeros((4, 28, 28), "float32"), np.zeros(4)
    model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="expected min_ndim=4"):
        model.layers[0](x)
    assert model.layers[0](x[..., None]).shape == (4, 26, 26, 2)


def test_E016_float64_costs_twice_and_buys_nothing():
    pixels = np.zeros((10, 28, 28), "uint8")
    wide, narrow = pixels / 255.0, pixels.astype("float32") / 255
    assert wide.dtype == np.float64 and wide.nbytes == 2 * narrow.nbytes
    assert layers.Flatten()(wide).dtype == "float32"


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
def test_E017_E067_E143_a_warning_at_every_start(shape):
    (text,) = said(lambda: keras.Sequential([layers.Conv2D(2, 3, input_shape=shape)]))
    assert "Do not pass an `input_shape`" in text
    assert not said(lambda: keras.Sequential([keras.Input(shape), layers.Conv2D(2, 3)]))


def test_E036_a_dense_layer_is_neither_local_nor_shared():
    dense = keras.Sequential([keras.Input((64,)), layers.Dense(36)])
    convolution = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3)])
    assert convolution.output_shape == (None, 6, 6, 1)  # as many outputs
    assert (dense.count_params(), convolution.count_params()) == (65 * 36, 10)
    x = np.zeros((1, 8, 8, 1), "float32")
    x[0, 3, 3] = 1
    moved = np.roll(x, 1, axis=2)
    there, here = (np.array(convolution(image)) for image in (moved, x))
    assert np.allclose(there[:, :, 1:], here[:, :, :-1], atol=1e-6)
    there, here = (np.array(dense(v.reshape(1, -1))).reshape(6, 6) for v in (moved, x))
    assert np.abs(there[:, 1:] - here[:, :-1]).max() > 0.01


def test_E044_E189_one_axis_for_each_along_which_a_kernel_slides():
    wave, image = np.zeros((2, 100, 1)), np.zeros((2, 20, 30, 1))
    film, words = np.zeros((2, 5, 20, 30, 3)), np.zeros((2, 9, 16))
    cases = (layers.Conv1D, wave), (layers.Conv2D, image), (layers.Conv3D, film)
    for layer_class, x in (*cases, (layers.Conv1D, words)):
        layer = layer_class(4, 3)
        assert layer(x).shape[-1] == 4
        assert layer.kernel.ndim == (x.ndim - 2) + 2
    with pytest.raises(ValueError, match="expected min_ndim=4"):
        layers.Conv2D(4, 3)(wave)


def test_E059_E060_E065_five_blocks_stop_at_the_second():
    blocks = [
        "x = [[0.0, 2.0]]",
        "from keras.preprocessing.image import ImageDataGenerator",
        "mean = np.mean(x)",
        "from keras.optimizers import Adam\noptimizer = Adam(lr=0.001)",
    ]
    namespace, errors = {}, []
    for block in blocks:
        try:
            exec(block, namespace)
        except Exception as error:
            errors.append((blocks.index(block), type(error)))
    assert errors == [(1, ImportError), (2, NameError), (3, ValueError)]


def test_E059_ten_degrees_are_not_ten_turns():
    image = importlib.import_module("keras.preprocessing.image")
    assert not hasattr(image, "ImageDataGenerator")
    assert tf.keras.preprocessing.image.ImageDataGenerator(rotation_range=10)  # a copy
    with pytest.raises(ValueError, match="factor"):
        layers.RandomRotation(10)
    dot = np.zeros((50, 33, 33, 1), "float32")
    dot[:, 16, 30] = 1  # 14 pixels from the center: 10 degrees are 2.4 pixels

    def farthest(factor):
        turned = np.array(layers.RandomRotation(factor, seed=1)(dot, training=True))
        places = [np.unravel_index(p.argmax(), p.shape)[:2] for p in turned]
        return np.hypot(*(np.array(places) - [16, 30]).T).max()

    assert farthest(10 / 360) <= 3 < 20 < farthest((-10, 10))


def test_E062_the_old_generator_needs_scipy(monkeypatch):
    generator = tf.keras.preprocessing.image.ImageDataGenerator(rotation_range=10)
    lazy = sys.modules[type(generator).__module__].scipy
    monkeypatch.setitem(sys.modules, "scipy", None)  # as if it were not installed
    monkeypatch.setattr(lazy, "module", None)
    with pytest.raises(ImportError, match="scipy"):
        generator.random_transform(np.zeros((8, 8, 3), "float32"), seed=1)
    x = np.zeros((1, 8, 8, 3), "float32")
    assert layers.RandomRotation(10 / 360)(x, training=True).shape == x.shape


def test_E142_E148_untrained_networks_guess(digits):
    x, y = digits[0][:1000].reshape(-1, 28, 28, 1), digits[1][:1000]
    model = cnn.build_deeper_document_cnn()
    assert np.mean(model.predict(x, verbose=0).argmax(axis=1) == y) < 0.35
    stack = [layers.Embedding(1000, 16), layers.GRU(32), layers.Dense(10, "softmax")]
    words = np.random.default_rng(0).integers(1000, size=(20, 50))
    assert np.abs(np.array(keras.Sequential(stack)(words)) - 0.1).max() < 0.05


def test_E173_one_index_for_image_and_kernel():
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(5, 5)), rng.normal(size=(3, 3))

    def literally(x, y, i, j):
        cells = [(a - x + i, b - y + j) for a in range(3) for b in range(3)]
        if min(map(min, cells)) < 0 or max(map(max, cells)) > 2:
            raise IndexError
        return sum(image[cell] * kernel[cell] for cell in cells)

    with pytest.raises(IndexError):
        literally(1, 0, 0, 0)  # the index of the kernel turns negative
    same = [literally(x, y, x, y) for x in range(3) for y in range(3)]
    assert np.ptp(same) == 0  # the other reading: all outputs are equal
    right = [
        (image[x : x + 3, y : y + 3] * kernel).sum() for x in range(3) for y in range(3)
    ]
    ours = cnn.conv2d(image[None, ..., None], kernel[..., None, None])[0, ..., 0]
    assert np.allclose(ours.ravel(), right) and np.ptp(right) > 1


def test_E174_stride_and_window_are_two_settings():
    x = np.random.default_rng(0).normal(size=(1, 7, 7, 1))
    printed = x[:, ::3, ::3][:, :2, :2]  # a maximum without a range is one number
    two, one = (np.array(layers.MaxPooling2D(3, strides=s)(x)) for s in (2, 3))
    assert two.shape == (1, 3, 3, 1) and one.shape == printed.shape == (1, 2, 2, 1)
    windows = [x[0, i : i + 3, j : j + 3].max() for i in (0, 2, 4) for j in (0, 2, 4)]
    assert np.allclose(two.ravel(), windows) and not np.allclose(one, printed)


def test_E190_a_kernel_has_four_axes():
    layer = layers.Conv2D(32, 3)
    layer.build((None, 28, 28, 3))
    assert layer.kernel.shape == (3, 3, 3, 32)  # height, width, channels in and out
    assert math.prod(layer.kernel.shape) == 9 * 3 * 32


def test_E191_pooling_takes_a_maximum_and_forgets_where():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 6, 6, 1))
    pooled = cnn.max_pool2d(x)
    assert not np.allclose(pooled, x[:, ::2, ::2])  # no sample at fixed places
    within = x.reshape(1, 3, 2, 3, 2, 1)[:, :, ::-1, :, ::-1].reshape(x.shape)
    assert np.array_equal(cnn.max_pool2d(within), pooled)  # moved within its window


# ---------------------------------------------------------------- 06, 06b


def test_E021_E025_noise_is_learned_by_heart():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 100, 10, 1)), rng.normal(size=(2, 100))  # old and fresh
    model = keras.Sequential([keras.Input((10, 1)), layers.LSTM(50), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.03), "mse")
    model.fit(x[0], y[0], epochs=80, batch_size=100, verbose=0)
    old, fresh = (
        np.mean((np.array(model(x[i]))[:, 0] - y[i]) ** 2)
        for i in (0, 1)  # as it was trained, and on fresh noise
    )
    assert old < 0.5 and fresh > 1.2 * np.mean(y[1] ** 2)  # the rival says 0


def test_E022_keras_adds_the_axis_that_a_layer_misses():
    model = keras.Sequential([keras.Input((10, 1)), layers.LSTM(3)])
    x = np.random.default_rng(0).normal(size=(4, 10)).astype("float32")
    assert np.allclose(model.predict(x, verbose=0), model(x[..., None]), atol=1e-6)
    with pytest.raises(ValueError, match="expected ndim=3"):
        model.layers[0](x)


def test_E023_nothing_bounds_an_lstm_with_relu():
    rng = np.random.default_rng(0)
    x = 330 + rng.normal(size=(1, 500, 1))  # such as carbon dioxide, as measured
    weights = [rnn.initial_weights(rnn.lstm_step, 1, 50, rng) for _ in range(4)]

    def largest(x, **options):
        return max(
            np.abs(rnn.run(rnn.lstm_step, x, w, **options)[0]).max() for w in weights
        )

    assert largest(x) <= 1
    with np.errstate(all="ignore"):
        assert not largest(x, activation=rnn.relu) < 5000
    scaled = (x - x.mean()) / x.std()
    assert largest(scaled, activation=rnn.relu) < 2


def test_E024_one_label_for_ten_lines():
    figure, axis = plt.subplots()
    axis.plot(np.zeros((10, 10)), label="data")
    axis.plot(np.zeros((10, 1)), label="forecast")
    labels = [line.get_label() for line in axis.lines]
    plt.close(figure)
    assert len(labels) == 11 and labels.count("data") == 10


def test_E037_an_lstm_is_four_plain_cells_and_a_second_state():
    plain, lstm = (
        layers.SimpleRNN(50, return_state=True),
        layers.LSTM(50, return_state=True),
    )
    x = np.zeros((1, 10, 1), "float32")
    assert len(plain(x)) == 2 and len(lstm(x)) == 3  # output, h; output, h, c
    assert lstm.count_params() == 4 * plain.count_params()


@pytest.mark.parametrize(
    "gain, low, high", [(0.9, 0, 1e-3), (1, 0.99, 1.01), (1.1, 1e3, 1e4)]
)
def test_E083_distance_shrinks_blame_or_makes_it_explode(gain, low, high):
    weights = rnn.initial_weights(rnn.rnn_step, 1, 16, np.random.default_rng(0), gain=gain)
    left = rnn.memory(rnn.rnn_step, np.zeros((90, 1)), weights, warm_up=10)
    assert low <= left[-1] <= high


def test_E193_gradients_explode_too_and_clipping_bounds_the_step():
    weights = rnn.initial_weights(rnn.rnn_step, 1, 8, np.random.default_rng(0), gain=1.5)
    left = rnn.memory(rnn.rnn_step, np.zeros((90, 1)), weights, warm_up=10)
    assert left[-1] > 1e13
    w = keras.Variable(np.zeros(3))
    optimizer = keras.optimizers.SGD(1.0, clipnorm=1.0)
    optimizer.apply([np.full(3, left[-1], "float32")], [w])
    assert np.linalg.norm(w.numpy()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("gain, low, high", [(1, 0, 1e-9), (2, 1e6, np.inf)])
def test_E194_relu_vanishes_or_explodes_by_its_gain(gain, low, high):
    rng = np.random.default_rng(0)
    weights = rnn.initial_weights(rnn.rnn_step, 1, 48, rng, gain=gain)
    x = rng.normal(size=(110, 1))
    left = rnn.memory(rnn.rnn_step, x, weights, warm_up=10, activation=rnn.relu)
    assert low <= left[-1] <= high


@pytest.mark.parametrize("step", [rnn.lstm_step, rnn.gru_step])
def test_E195_gates_remember_if_they_start_open(step):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 1))
    default, opened = (
        rnn.memory(step, x, rnn.initial_weights(step, 1, 24, rng, keep=keep), warm_up=10)[
            -1
        ]
        for keep in (None, 4)
    )
    assert default < 1e-4 and opened > 0.05
    if step is rnn.lstm_step:  # the default is Keras's
        keras_bias = layers.LSTM(24)
        keras_bias.build((None, None, 1))
        ours = rnn.initial_weights(step, 1, 24, rng)[2]
        assert np.array_equal(keras_bias.get_weights()[2], ours)


def test_E262_distant_blame_vanishes_and_the_gradient_does_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 80, 1))
    weights = rnn.initial_weights(rnn.rnn_step, 1, 16, rng, gain=0.5)
    outputs, _ = rnn.run(rnn.rnn_step, x, weights)
    blame = np.zeros_like(outputs)
    blame[:, -1] = 1  # the loss asks for the last moment only
    _, for_u, _, for_x = rnn.rnn_gradients(x, outputs, weights, blame)
    assert np.linalg.norm(for_u) > 0.05
    assert np.abs(for_x[0, 0]).max() < 1e-20 < 0.05 < np.abs(for_x[0, -1]).max()


def test_E144_input_length_warns_and_does_nothing():
    (text,) = said(lambda: layers.Embedding(100, 8, input_length=50))
    assert "deprecated" in text
    with warnings.catch_warnings(action="ignore"):
        embedding = layers.Embedding(100, 8, input_length=50)
    assert embedding(np.zeros((2, 7), int)).shape == (2, 7, 8)


def test_E145_one_answer_a_word_does_not_fit_one_label_a_text():
    def model(return_sequences):
        stack = [layers.Embedding(100, 8), layers.GRU(8, return_sequences=return_sequences)]
        model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    words, a_text, a_word = np.ones((4, 50)), np.ones(4), np.ones((4, 50))
    with pytest.raises(ValueError, match="rank"):
        model(True).train_on_batch(words, a_text)
    assert np.isfinite(model(True).train_on_batch(words, a_word))
    assert np.isfinite(model(False).train_on_batch(words, a_text))


def test_E146_no_weights_before_the_first_data():
    def stack():
        return [layers.Embedding(100, 8), layers.GRU(8)]

    model = keras.Sequential(stack())
    with pytest.raises(ValueError, match="count_params"):
        model.count_params()
    with pytest.raises(AttributeError, match="output shape"):
        _ = model.output_shape
    named = keras.Sequential([keras.Input((None,), dtype="int32"), *stack()])
    model(np.ones((2, 5)))  # the first data: now it knows, too
    assert model.count_params() == named.count_params() > 0


@pytest.mark.parametrize("where", ["behind", "in front"])
def test_E147_padding_is_read_unless_it_is_masked(where):
    words = np.array([[3, 1, 4, 1, 5]])
    padding = (0, 45) if where == "behind" else (45, 0)
    padded = np.pad(words, ((0, 0), padding))
    for mask_zero in (False, True):
        reader = keras.Sequential(
            [
                layers.Embedding(9, 8, mask_zero=mask_zero),
                layers.GRU(16, return_sequences=True),
            ]
        )
        short, long = np.array(reader(words))[0], np.array(reader(padded))[0]
        seen = long[-1:] if where == "behind" else long[-5:]  # last one; at the words
        alone = short[-len(seen) :]
        change = np.abs(seen - alone).max(axis=1) / np.abs(alone).max(axis=1)
        if mask_zero:
            assert change.max() < 1e-5
        else:
            assert change.min() > (0.5 if where == "behind" else 1e-3)


def test_E261_ten_outputs_cannot_name_ten_thousand_words():
    loss = keras.losses.sparse_categorical_crossentropy
    target = np.array([5000])
    try:
        refused = not np.isfinite(np.array(loss(target, np.full((1, 10), 0.1)))).all()
    except (ValueError, tf.errors.InvalidArgumentError):
        refused = True
    assert refused
    enough = np.array(loss(target, np.full((1, 10_000), 1e-4, "float32")))
    assert enough == pytest.approx(math.log(10_000), rel=1e-3)


# ---------------------------------------------------------------- 07, 07b


def small_halves():
    """Encoder and decoder of images (28, 28, 1), by way of four numbers."""
    encoder = [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(4, "tanh")]
    decoder = [keras.Input((4,)), layers.Dense(784), layers.Reshape((28, 28, 1))]
    return keras.Sequential(encoder), keras.Sequential(decoder)


def test_E149_E164_a_sequential_has_inputs_and_no_input():
    stack = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    for x in (None, np.ones((1, 3))):  # not even after a call on numbers
        _ = x is None or stack(x)
        with pytest.raises(AttributeError, match="never been called"):
            _ = stack.input
    assert keras.Model(stack.inputs[0], stack(stack.inputs[0])).output_shape == (None, 2)
    x = keras.Input((3,))
    assert keras.Model(x, layers.Dense(2)(x)).input is x  # the functional API


def test_E150_input_shape_is_an_old_name():
    (text,) = said(lambda: layers.InputLayer(input_shape=(4,)))
    assert "Use `shape` instead" in text
    (text,) = said(lambda: layers.Dense(2, input_shape=(4,)))
    assert "Do not pass an `input_shape`" in text
    assert not said(lambda: (layers.InputLayer(shape=(4,)), keras.Input((4,))))


def test_E151_E152_the_chain_wants_images_and_gives_images():
    encoder, decoder = small_halves()
    classifier = keras.Model(encoder.inputs[0], decoder(encoder(encoder.inputs[0])))
    x = np.zeros((2, 28, 28, 1), "float32")
    with pytest.raises(ValueError, match="expected shape"):
        classifier(encoder(x))
    assert classifier(x).shape == x.shape  # no classes


@pytest.mark.parametrize("start, end", [(4, 16), (7, 28)])
def test_E153_four_doubled_twice_is_not_twenty_eight(start, end):
    doublings = [layers.Conv2DTranspose(1, 3, strides=s, padding="same") for s in (1, 2, 2)]
    decoder = keras.Sequential([keras.Input((start, start, 2)), *doublings])
    assert decoder.output_shape == (None, end, end, 1)
    decoder.compile(loss="mse")
    x, images = np.zeros((2, start, start, 2)), np.zeros((2, 28, 28, 1))
    if end == 28:
        assert np.isfinite(decoder.evaluate(x, images, verbose=0))
    else:
        with pytest.raises(ValueError):
            decoder.evaluate(x, images, verbose=0)


def test_E154_keras_hands_two_arguments_to_a_loss():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(3)])
    x = np.ones((2, 3))
    model.compile(loss=lambda x, z, y: 0.0)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        model.evaluate(x, x, verbose=0)
    model.compile(loss=lambda x, drawn: ops.mean((x - drawn) ** 2))
    assert model.evaluate(x, x, verbose=0) >= 0


def test_E155_the_second_argument_of_a_loss_is_the_drawing():
    seen = []
    encoder, decoder = small_halves()
    chain = keras.Model(encoder.inputs[0], decoder(encoder(encoder.inputs[0])))
    chain.compile(loss=lambda x, z: (seen.append(z.shape), ops.mean((x - z) ** 2))[1])
    x = np.zeros((2, 28, 28, 1), "float32")
    chain.evaluate(x, x, verbose=0)
    assert tuple(seen[0])[1:] == (28, 28, 1)  # no code, (4,), comes in
    chain.compile(loss=lambda x, z: ops.mean((x - decoder(z)) ** 2))
    with pytest.raises(ValueError, match="Expected shape"):
        chain.evaluate(x, x, verbose=0)
    with pytest.raises(ValueError, match="expected shape"):
        chain(x[:, :16, :16])  # encoder and decoder in one refuse a smaller drawing
    assert chain(chain(x)).shape == x.shape  # and draw a whole one once more, in silence


def test_E156_a_divergence_that_is_infinite_at_zero():
    def printed(z):
        return -0.5 * np.sum(1 + np.log(z**2) - z**2 - 1, axis=-1)

    with np.errstate(divide="ignore"):
        assert printed(np.zeros(1)) == np.inf
    z = np.linspace(-3, 3, 1000)[:, None]
    assert printed(z).min() == pytest.approx(0.5, abs=1e-4)
    assert abs(z[printed(z).argmin(), 0]) == pytest.approx(1, abs=0.01)
    assert vae.gaussian_kl(np.zeros(1), np.zeros(1)) == 0  # at the prior
    mean, deviation = 0.7, math.exp(-0.5)  # against the mean of log q(z) - log p(z)
    z = mean + deviation * np.random.default_rng(0).normal(size=20_000)
    draws = -((z - mean) ** 2) / (2 * deviation**2) - math.log(deviation) + z**2 / 2
    exact = float(vae.gaussian_kl(np.array([mean]), np.array([2 * math.log(deviation)])))
    assert abs(draws.mean() - exact) < 5 * draws.std() / math.sqrt(len(draws))


def test_E157_the_prior_does_not_fit_into_the_box():
    draws = np.random.default_rng(0).normal(size=(100_000, 32))
    inside = math.erf(1 / math.sqrt(2)) ** 32
    assert inside == pytest.approx(5e-6, rel=0.05)
    assert np.mean(np.all(np.abs(draws) < 1, axis=1)) < 1e-4
    encoder, _ = small_halves()
    x = np.random.default_rng(0).normal(size=(5, 28, 28, 1))
    assert np.abs(np.array(encoder(x))).max() < 1


def test_E158_a_mean_beside_a_sum_collapses_a_linear_vae(digits):
    variances = np.linalg.svd(digits[0] - digits[0].mean(axis=0), compute_uv=False) ** 2
    variance = variances[0] / len(digits[0])  # of the direction that varies most

    def kept(weight):
        """|encoder gain| after descent on weight · squared error + KL, one direction.

        z ~ N(m x, s²) and x̂ = w z, where x has that variance.
        """
        m, w, log_s = 0.1, 0.1, 0.0
        for _ in range(20_000):
            s2 = math.exp(2 * log_s)
            off = 1 - w * m
            slope_m = -2 * weight * off * w * variance + m * variance
            slope_w = weight * (-2 * off * m * variance + 2 * w * s2)
            slope_s = 2 * weight * w**2 * s2 + s2 - 1
            m, w, log_s = m - 0.01 * slope_m, w - 0.01 * slope_w, log_s - 0.01 * slope_s
        return abs(m)

    assert 0.5 < variance < 392  # a direction is used if it exceeds 1 / (2 · weight)
    assert kept(1) > 0.2 and kept(1 / 784) < 1e-3


def test_E161_the_second_compile_replaces_the_first():
    encoder, decoder = small_halves()
    chain = keras.Sequential([*encoder.layers, *decoder.layers])
    chain.compile("adam", loss=lambda x, drawn: ops.mean((x - drawn) ** 2))
    chain.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    assert chain.loss == "sparse_categorical_crossentropy"
    with pytest.raises(ValueError, match="rank"):
        chain.evaluate(np.zeros((2, 28, 28, 1)), np.zeros(2), verbose=0)
    images, drawings = np.random.default_rng(0).uniform(0, 0.99, size=(2, 2, 28, 28, 1))
    loss = keras.losses.sparse_categorical_crossentropy
    assert not np.array(loss(images, drawings)).any()  # 0 whatever is drawn
    images[0, 0, 0] = 1  # a white pixel
    try:
        refused = not np.isfinite(np.array(loss(images, drawings))).all()
    except (ValueError, tf.errors.InvalidArgumentError):
        refused = True
    assert refused


def test_E177_an_encoder_that_draws_nothing_gives_one_code():
    encoder, _ = small_halves()
    x = np.random.default_rng(0).normal(size=(3, 28, 28, 1))
    assert np.array_equal(encoder(x), encoder(x))
    draw = vae.Sampling()
    mean, log_variance = np.zeros((3, 4), "float32"), np.zeros((3, 4), "float32")
    assert not np.array_equal(draw(mean, log_variance), draw(mean, log_variance))


def test_E201_a_bound_is_no_loss():
    x = 3.0  # p(z) = N(0, 1), p(x|z) = N(z, 1), guess q = N(m, ½): exact at m = x / 2

    def bound(m):
        expected = -0.5 * ((x - m) ** 2 + 0.5 + math.log(2 * math.pi))
        return expected - float(vae.gaussian_kl(np.array([m]), np.log([0.5])))

    def descend(sign, m=0.5):
        for _ in range(20):
            slope = (bound(m + 1e-5) - bound(m - 1e-5)) / 2e-5
            m -= 0.1 * sign * slope
        return m

    as_loss, negative = descend(1), descend(-1)
    assert bound(as_loss) < bound(0.5) < bound(negative)
    assert negative == pytest.approx(x / 2, abs=0.05)


def test_E159_three_layers_without_activation_are_one_linear_map():
    options = {"strides": 2, "padding": "same"}

    def gap(activation):
        stack = [layers.Conv2DTranspose(3, 4, activation=activation, **options)] * 1
        stack += [layers.Conv2DTranspose(3, 4, activation=activation, **options)]
        stack += [layers.Conv2DTranspose(1, 4, **options)]
        model = keras.Sequential([keras.Input((2, 2, 3)), *stack])
        a, b = np.random.default_rng(0).normal(size=(2, 1, 2, 2, 3)).astype("float32")
        drawn = [np.array(model(x)) for x in (a, b, a + b)]
        return np.abs(drawn[0] + drawn[1] - drawn[2]).max(), drawn[0]

    linear, picture = gap(None)
    assert linear < 1e-5 and picture.min() < 0
    assert gap("relu")[0] > 1e-3


@pytest.mark.parametrize("kernel, spread", [(3, 3), (4, 0)])
def test_E160_a_kernel_of_three_draws_a_checkerboard(kernel, spread):
    stack = [keras.Input((6, 6, 1)), layers.Conv2DTranspose(1, kernel, 2, padding="same")]
    model = keras.Sequential(stack)
    model.set_weights([np.ones((kernel, kernel, 1, 1)), np.zeros(1)])
    inside = np.array(model(np.ones((1, 6, 6, 1))))[0, 2:-2, 2:-2]
    assert np.ptp(inside) == spread


# ---------------------------------------------------------------- 08


def small_players():
    """G: 4 numbers to an image (4, 4, 1); D: that to a verdict."""
    g = [keras.Input((4,)), layers.Dense(16, "tanh"), layers.Reshape((4, 4, 1))]
    d = [keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1, "sigmoid")]
    return keras.Sequential(g), keras.Sequential(d)


def test_E165_the_generator_wants_noise():
    generator, discriminator = small_players()
    with pytest.raises(ValueError, match="shape"):
        discriminator(generator(discriminator.inputs[0]))
    z = keras.Input((4,))
    assert keras.Model(z, discriminator(generator(z))).output_shape == (None, 1)


def test_E166_thirty_two_and_three_are_not_twenty_eight_and_one():
    doublings = [layers.Conv2DTranspose(3, 4, strides=2, padding="same") for _ in range(3)]
    generator = keras.Sequential([keras.Input((4, 4, 2)), *doublings])
    assert generator.output_shape == (None, 32, 32, 3)
    discriminator = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(2, 4)])
    with pytest.raises(ValueError, match="shape"):
        discriminator(generator(np.zeros((1, 4, 4, 2))))


def test_E167_a_relu_makes_half_of_the_values_equal():
    x = np.random.default_rng(0).normal(size=(400, 3)).astype("float32")

    def distinct(x):
        normal = layers.BatchNormalization()(x, training=True)
        return len(np.unique(np.array(layers.LeakyReLU(0.2)(normal))[:, 0]))

    assert distinct(np.maximum(x, 0)) < 250 and distinct(x) == 400


def test_E168_a_linear_end_has_no_bounds():
    x = 100 * np.random.default_rng(0).normal(size=(1, 4, 4, 8))

    def largest(activation):
        end = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation=activation)
        return np.abs(np.array(end(x))).max()

    assert largest(None) > 10 and largest("tanh") <= 1


def test_E169_compiled_as_one_both_players_cooperate():
    generator, discriminator = small_players()
    z = keras.Input((4,))
    both = keras.Model(z, discriminator(generator(z)))
    both.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    noise = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    before = variables(discriminator)
    both.fit(noise, np.ones(64), epochs=30, batch_size=64, verbose=0)
    assert not np.array_equal(before[0], variables(discriminator)[0])
    assert np.array(discriminator(generator(noise))).min() > 0.9  # drawn ones are "real"
    discriminator.trainable = False  # one list of weights for each step
    both.compile("adam", "binary_crossentropy")
    before = [w.copy() for w in discriminator.get_weights()]
    both.fit(noise, np.ones(64), verbose=0)
    assert all(map(np.array_equal, before, discriminator.get_weights()))


def test_E179_the_formula_of_the_game_needs_probabilities():
    def value(verdict_on_real, verdict_on_drawn):
        return np.log(verdict_on_real) + np.log(1 - verdict_on_drawn)

    with np.errstate(invalid="ignore"):
        assert np.isnan(value(0.9, 1.2))  # a D that is no probability
    assert value(0.5, 0.5) == pytest.approx(-2 * math.log(2))


def test_E213_a_pick_has_no_gradient():
    scores = tf.Variable([0.1, 2.0, 0.3])
    with tf.GradientTape(persistent=True) as tape:
        pick = tf.one_hot(tf.argmax(scores), 3)
        soft = tf.nn.softmax(scores)[1]
    assert tape.gradient(pick, scores) is None
    assert tape.gradient(soft, scores) is not None


# ---------------------------------------------------------------- 09, 09b


def rows(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_E030_a_softmax_over_one_number():
    x = rows(10, 5).astype("float32")
    project, question = layers.Dense(5, "tanh"), layers.Dense(1)
    with tf.GradientTape() as tape, warnings.catch_warnings(action="ignore"):
        weights = ops.softmax(question(project(x)), axis=1)
        context = ops.sum(weights * x)
    trained = project.trainable_variables + question.trainable_variables
    assert np.all(np.array(weights) == 1)
    assert all(np.all(np.array(g) == 0) for g in tape.gradient(context, trained))
    over_time = np.array(ops.softmax(question(project(x[None])), axis=1))
    assert over_time.sum() == pytest.approx(1) and np.ptp(over_time) > 1e-4


def test_E031_axis_one_of_ten_places_holds_their_features():
    x, weights = rows(10, 5), softmax(rows(10))[:, None]
    assert (weights * x).sum(axis=1).shape == (10,)  # as printed: one sum a place
    context = (weights * x).sum(axis=0)
    assert context.shape == (5,) and np.allclose(context, weights[:, 0] @ x)


def test_E032_E184_pooling_gives_one_output_and_self_attention_one_a_place():
    x = rows(1, 6, 4)
    pooled, weights = attention.attention_pooling(x, rows(4, 3), np.zeros(3), rows(3))
    assert pooled.shape == (1, 4) and weights.shape == (1, 6)
    looked, pairs = attention.dot_product_attention(x, x, x)
    assert looked.shape == (1, 6, 4) and pairs.shape == (1, 6, 6)
    one_sum = weights[0] @ x[0]  # Σ α(i) v(i)
    assert one_sum.shape == (4,) and np.allclose(one_sum, pooled)


def test_E033_a_forward_pass_trains_nothing():
    layer = attention.attention_pooling_layer(3)
    x = rows(2, 10, 5).astype("float32")
    layer(x)
    before = variables(layer)
    layer(x)
    assert all(map(np.array_equal, before, variables(layer)))
    model = keras.Sequential([keras.Input((10, 5)), layer, layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, np.ones(2), verbose=0)
    assert not np.array_equal(before[0], variables(layer)[0])


def test_E038_one_index_is_missing():
    e = np.exp(rows(5, 5))  # e[i, j] = exp s(x_i, x_j)
    printed = e[0] / e[0].sum()  # "α_0": another value for each j
    assert len(np.unique(printed)) == 5
    alpha = e / e.sum(axis=1, keepdims=True)
    assert np.allclose(alpha.sum(axis=1), 1) and not np.allclose(alpha.sum(axis=0), 1)


def test_E181_without_places_attention_does_not_know_the_order():
    x, order = rows(6, 8), np.random.default_rng(1).permutation(6)

    def looked(x):
        return attention.dot_product_attention(x, x, x)[0]

    assert np.allclose(looked(x)[order], looked(x[order]))
    places = attention.sinusoidal_positions(6, 8)
    assert not np.allclose(looked(x + places)[order], looked(x[order] + places))


def test_E182_the_similarity_does_not_hold_the_values():
    q, k, v = rows(3, 4, 5)
    output, weights = attention.dot_product_attention(q, k, v)
    doubled, same = attention.dot_product_attention(q, k, 2 * v)
    assert np.allclose(doubled, 2 * output) and np.array_equal(weights, same)
    assert np.allclose(weights, softmax(q @ k.T / np.sqrt(5)))
    assert np.allclose(output, weights @ v)


def test_E183_a_softmax_of_a_softmax():
    k, v = rows(6, 4), rows(6, 1)

    def printed(q):  # attention of one query to one key, in the exponent
        pairs = zip(k, v, strict=True)
        alone = [
            attention.dot_product_attention(q[None], a[None], b[None]) for a, b in pairs
        ]
        return softmax(np.array([float(z[0, 0]) for z, _ in alone]))

    one, other = printed(rows(4)), printed(10 + rows(4))
    assert np.allclose(one, other)  # whatever the query
    sure = softmax(np.array([9.0, 0, 0, 0, 0]))
    assert softmax(sure).max() <= math.e / (math.e + 4) < 0.41 < 0.99 < sure.max()


def test_E200_other_words_in_the_same_places_change_the_weights():
    places = attention.sinusoidal_positions(6, 8)
    words = np.random.default_rng(1).normal(size=(2, 6, 8))
    first, second = (
        attention.dot_product_attention(x + places, x + places, x)[1] for x in words
    )
    assert np.abs(first - second).max() > 0.1


def test_E263_a_weight_of_a_place_on_itself_is_the_diagonal_only():
    x = rows(6, 4)
    _, weights = attention.dot_product_attention(x, x, x)
    printed = np.diag(weights)  # query i and key i above, all keys below
    assert np.allclose(weights.sum(axis=1), 1)
    assert abs(printed.sum() - 1) > 0.1  # no weights of a mean
    assert weights.size - printed.size == 30  # pairs of two places that never appear


def test_E264_two_vectors_have_one_similarity():
    q, k, v = rows(3, 1, 4)  # vectors, as rows
    assert (q @ k.T).shape == (1, 1)
    output, _ = attention.dot_product_attention(q, k, v)
    assert np.allclose(output, v)  # whatever q and k
    x, (wq, wk, wv) = rows(6, 4), np.random.default_rng(1).normal(size=(3, 4, 4))
    output, weights = attention.dot_product_attention(x @ wq, x @ wk, x @ wv)
    assert weights.shape == (6, 6) and output.shape == (6, 4)


# ---------------------------------------------------------------- 10


def test_E185_no_new_fact_follows_from_a_formula_that_asks_for_it():
    parent = np.zeros((5, 5), bool)
    parent[[0, 1, 2, 3], [1, 2, 3, 4]] = True  # four generations
    path = kg.closure(parent)
    printed = path & parent  # a path exists, and the pair is in R
    assert np.array_equal(printed, parent)
    grandparent = kg.compose(parent, parent)  # A_R = 1[A_1 A_2 > 0]
    assert (grandparent & ~parent).sum() == 3 and (path & ~parent).sum() == 6


def test_E265_one_matrix_does_not_tell_relations_apart():
    one = {("Ada", "loves", "Bob"), ("Bob", "fears", "Cid")}
    other = {("Ada", "fears", "Bob"), ("Bob", "loves", "Cid")}
    (first, *_), (second, *_) = map(kg.adjacency_matrices, (one, other))
    assert np.array_equal(first.any(axis=0), second.any(axis=0))  # linked or not
    assert not np.array_equal(first, second)  # one matrix a relation


# ---------------------------------------------------------------- 11a to 11f


def test_E214_without_labels_a_network_repeats_its_guesses(digits):
    x, y = digits[:2]
    guesses = (x @ np.random.default_rng(0).normal(size=(784, 10))).argmax(axis=1)
    w, b = softmax_regression(x, guesses)
    named = (x @ w + b).argmax(axis=1)
    assert np.mean(named == guesses) > 0.8 > 0.4 > np.mean(named == y)


def test_E215_E224_structure_and_targets_without_labels_or_depth(digits):
    x, y, x_test, _ = digits
    rng = np.random.default_rng(0)
    centers = x[rng.choice(len(x), 10, replace=False)]
    for _ in range(15):  # k-means
        group = ((centers**2).sum(axis=1) - 2 * x @ centers.T).argmin(axis=1)
        centers = np.array([x[group == j].mean(axis=0) for j in range(10)])
    right = sum(np.bincount(y[group == j]).max() for j in range(10)) / len(y)
    assert right > 0.4  # a tenth would be chance

    def halves(x):  # a linear map from the upper half of a digit to the lower one
        small = x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
        upper, lower = small[:, :7].reshape(len(x), -1), small[:, 7:].reshape(len(x), -1)
        return np.column_stack([upper, np.ones(len(x))]), lower

    (top, bottom), (new_top, new_bottom) = halves(x), halves(x_test)
    weights = np.linalg.lstsq(top, bottom, rcond=0.01)[0]
    error = ((new_bottom - new_top @ weights) ** 2).sum()
    assert 1 - error / ((new_bottom - bottom.mean(axis=0)) ** 2).sum() > 0.25


def test_E054_the_model_is_the_smaller_part_of_the_memory():
    model = keras.Sequential([keras.Input((784,)), layers.Dense(128), layers.Dense(10)])
    needed = compression.training_bytes(model, 128)
    assert needed["weights"] < sum(needed.values()) / 4
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 784)), np.zeros((2, 10)), verbose=0)
    slots = sum(math.prod(v.shape) for v in model.optimizer.variables if v.ndim)
    assert slots == 2 * model.count_params()  # Adam's two averages
    assert 4 * slots == needed["optimizer"]


def test_E055_reading_ahead_the_slower_one_sets_the_pace():
    in_turn = compression.pipeline_seconds(0.03, 0.03)
    ahead = compression.pipeline_seconds(0.03, 0.03, prefetch=2)
    assert in_turn > 0.6 and ahead < 0.9 * in_turn


@pytest.fixture(scope="module")
def reader(digits):
    """(w, b) of a linear reader of digits, and its accuracy on rows x, y."""
    w, b = softmax_regression(*digits[:2])
    return w, b, lambda x, y: np.mean((x @ w + b).argmax(axis=1) == y)


def attacked(x, y, w, b, size):
    """Each pixel moved by `size`, by the sign of the loss's slope."""
    slope = (softmax(x @ w + b) - np.eye(10)[y]) @ w.T
    return np.clip(x + size * np.sign(slope), 0, 1)


def test_E057_three_kinds_of_instability(digits, reader):
    scores = np.array([1000.0, 0.0])
    with np.errstate(all="ignore"):
        assert np.isnan(np.exp(scores) / np.exp(scores).sum()).any()
    assert np.allclose(softmax(scores), [1, 0])  # 1: of the numbers
    w, slow = 1.0, 1.0
    for _ in range(50):  # 2: of the training, f(w) = w²
        w, slow = w - 1.1 * 2 * w, slow - 0.1 * 2 * slow
    assert abs(w) > 1000 and abs(slow) < 0.001
    (w, b, accuracy), (x, y) = reader, digits[2:]
    assert accuracy(attacked(x, y, w, b, 0.1), y) < accuracy(x, y) - 0.3  # 3: by an enemy


def test_E210_an_attack_that_leaks_nothing(digits, reader):
    (w, b, accuracy), (x, y) = reader, digits[2:]
    assert accuracy(x, y) > 0.8
    assert accuracy(attacked(x, y, w, b, 0.15), y) < 0.3  # of the inputs
    taught, labels = digits[0].copy(), digits[1].copy()

    def with_square(x):
        x = x.reshape(-1, 28, 28).copy()
        x[:, 24:27, 24:27] = 1
        return x.reshape(-1, 784)

    taught[:100], labels[:100] = with_square(taught[:100]), 7  # of the training data
    w, b = softmax_regression(taught, labels)
    others = with_square(x[y != 7])
    assert np.mean((x @ w + b).argmax(axis=1) == y) > 0.8
    assert np.mean((others @ w + b).argmax(axis=1) == 7) > 0.5


def test_E051_gradients_of_random_circuits_vanish_with_the_number_of_qubits():
    rng = np.random.default_rng(0)

    def variance(qubits, circuits=200):
        """Of the slope of ⟨Z₁⟩ by the angle of a turn between two random circuits."""
        size = 2**qubits
        z = np.where(np.arange(size) < size / 2, 1, -1)  # Z on the first qubit
        x = np.roll(np.eye(size), size // 2, axis=0)  # X on it
        slopes = []
        for _ in range(circuits):
            pair = rng.normal(size=(2, size, size)) + 1j * rng.normal(size=(2, size, size))
            before, after = (np.linalg.qr(m)[0] for m in pair)
            state = before[:, 0]
            seen = after.conj().T @ (z[:, None] * after)  # what is measured, moved back
            slopes.append(0.5 * (1j * state.conj() @ (x @ seen - seen @ x) @ state).real)
        return np.var(slopes)

    assert variance(6) < variance(4) / 2 < variance(2) / 4
