"""Convolutional networks. Made from notebooks/src/05_convolutional_networks.py: edit there."""  # noqa: E501

import math

import keras
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

from dl_course import plots
from dl_course.optimizers import cosine_decay


def draw_maps(maps, titles=None, *, columns=8, size=1.1):
    """Signed pictures (n, height, width): blue is positive, red negative, white zero."""
    figure = plots.images(maps, titles, columns=columns, cmap="RdBu", size=size)
    for picture in (picture for axis in figure.axes for picture in axis.images):
        limit = np.abs(picture.get_array()).max() or 1
        picture.set_clim(-limit, limit)
    return figure


def pad_amounts(size, kernel_size, *, strides=1, padding="valid", dilation=1):
    """How many cells are added (before, after) a row of `size` cells.

    "valid" adds none, "same" just enough for ⌈size / strides⌉ places.
    """
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: expected 'valid' or 'same', got {padding!r}")
    if padding == "valid":
        return 0, 0
    extent = dilation * (kernel_size - 1) + 1
    total = max((math.ceil(size / strides) - 1) * strides + extent - size, 0)
    return total // 2, total - total // 2


def patches(x, size, *, strides=1, padding="valid", dilation=1, fill=0.0):
    """Every window of x (batch, height, width, channels) that a kernel sees.

    size, strides, dilation: an integer, or a pair (down, right); fill: for padded cells.
    Returns (batch, rows, columns, kernel height, kernel width, channels), a view.
    """
    size, s, d = (np.broadcast_to(value, 2) for value in (size, strides, dilation))
    borders = [
        pad_amounts(n, size[i], strides=s[i], padding=padding, dilation=d[i])
        for i, n in enumerate(x.shape[1:3])
    ]
    x = np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=fill)
    seen = sliding_window_view(x, d * (size - 1) + 1, axis=(1, 2))  # at every pixel
    seen = seen[:, :: s[0], :: s[1], :, :: d[0], :: d[1]]  # where strides allow
    return np.moveaxis(seen, 3, -1)


def conv2d(x, kernel, bias=0.0, *, strides=1, padding="valid", dilation=1):
    """A convolution of x (batch, height, width, channels), as Keras has it.

    kernel: (kernel height, kernel width, channels, filters); bias: (filters,). Sizes and
    steps as in `patches`. Returns (batch, rows, columns, filters).
    """
    kh, kw, channels, filters = kernel.shape
    if x.ndim != 4 or x.shape[3] != channels:
        expected = f"expected (batch, height, width, {channels})"
        raise ValueError(f"x: {expected}, got {x.shape}")
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    windows = patches(x, (kh, kw), **options)
    rows = windows.reshape(-1, kh * kw * channels)  # one patch a row
    y = rows @ kernel.reshape(-1, filters) + bias  # one place a row
    return y.reshape(*windows.shape[:3], filters)


def max_pool2d(x, size=2, *, strides=None, padding="valid"):
    """The largest value of each window and channel; padded cells never win."""
    strides = size if strides is None else strides
    windows = patches(x, size, strides=strides, padding=padding, fill=-np.inf)
    return windows.max(axis=(3, 4))


def build_document_cnn():
    """A tutorial's network for 28 x 28 digits, 34,826 parameters. Not compiled."""
    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),  # (batch, 26, 26, 32)
        layers.MaxPooling2D(2),  # (batch, 13, 13, 32)
        layers.Conv2D(64, 3, activation="relu"),  # (batch, 11, 11, 64)
        layers.MaxPooling2D(2),  # (batch, 5, 5, 64)
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)


def build_deeper_document_cnn():
    """Another tutorial's deeper one, 93,322 parameters. Not compiled."""
    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),  # (batch, 3, 3, 64)
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)


BLOCKS = ((16, 5, True), (32, 3, True), (64, 3, False), (128, 3, False))


def build_mnist_cnn(
    side=28, blocks=BLOCKS, *, translation=0.08, batch_norm=True, momentum=0.99
):
    """The better network, for digits of side x side pixels. Not compiled.

    blocks: (filters, kernel size, is there a pooling?) of each convolution;
    translation: the largest move in training, as a part of the side;
    momentum: of batch norm's averages.
    """
    stack = [keras.Input((side, side, 1))]
    if translation:
        move = layers.RandomTranslation
        stack.append(move(translation, translation, fill_mode="constant"))
    for filters, size, is_pooled in blocks:
        stack.append(layers.Conv2D(filters, size, use_bias=not batch_norm))
        if is_pooled:  # before normalizing: fewer places
            stack.append(layers.MaxPooling2D(2))
        if batch_norm:
            stack.append(layers.BatchNormalization(momentum=momentum))
        stack.append(layers.Activation("relu"))
    stack += [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential(stack)


def compile_mnist_cnn(
    model, steps, *, learning_rate=0.015, weight_decay=0.05, is_constant=False
):
    """Compile for a training of so many steps with AdamW.

    The learning rate climbs in the first fifth, then sinks to zero along a cosine,
    unless it is constant.
    """
    schedule = cosine_decay(learning_rate, steps, warmup_steps=steps // 5)
    if is_constant:
        decay = keras.optimizers.schedules.ExponentialDecay
        schedule = decay(learning_rate, steps, 1.0)  # times 1 after each step
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"])


def train_mnist_cnn(model, x, y, *, epochs=6, callbacks=(), **settings):
    """Compile and train the better network; return the history of `fit`."""
    compile_mnist_cnn(model, epochs * math.ceil(len(x) / 128), **settings)
    options = {"batch_size": 128, "epochs": epochs, "verbose": 0}
    return model.fit(x, y, callbacks=[*callbacks], **options)
