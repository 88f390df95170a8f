"""Convolution and pooling in NumPy, the arithmetic around them, chapter 05's networks.

Images are (batch, height, width, channels); kernels are (height, width, channels in,
channels out), as in Keras. A size, stride or dilation is one integer ≥ 1 for both
directions, or a pair (down, right). Padding is "valid" (none) or "same" (TensorFlow's).
"""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dl_course import common, optimizers, plots

# ---------------------------------------------------------- sizes, along one direction


def output_size(size, kernel_size, *, strides=1, padding="valid", dilation=1):
    """How many positions a window has: ⌊(size + padded - extent) / strides⌋ + 1.

    The extent of a dilated kernel is dilation (kernel_size - 1) + 1. With "same"
    padding the result is ⌈size / strides⌉. Raises ValueError if the kernel is too large.
    """
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    padded = size + sum(pad_amounts(size, kernel_size, **options))
    extent = dilation * (kernel_size - 1) + 1
    if padded < extent:
        raise ValueError(f"size: expected ≥ {extent}, the kernel's extent, got {size}")
    return (padded - extent) // strides + 1


def pad_amounts(size, kernel_size, *, strides=1, padding="valid", dilation=1):
    """Cells that are added (before, after).

    "same" adds just enough for ⌈size / strides⌉ positions; an odd cell goes after.
    """
    named = {"size": size, "kernel_size": kernel_size, "strides": strides}
    for name, value in {**named, "dilation": dilation}.items():
        common.count(value, name)
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: expected 'valid' or 'same', got {padding!r}")
    if padding == "valid":
        return 0, 0
    positions = math.ceil(size / strides)
    extent = dilation * (kernel_size - 1) + 1
    total = max((positions - 1) * strides + extent - size, 0)
    return total // 2, total - total // 2


def receptive_field(layers):
    """How many input pixels, along one direction, a unit above these layers sees.

    r = 1 + Σ_l (kernel_l - 1) dilation_l Π_{i<l} stride_i

    `layers`: (kernel_size, strides) or (kernel_size, strides, dilation) of each
    convolution and pooling, the first layer first.
    """
    if not isinstance(layers, tuple | list):
        raise ValueError(f"layers: expected a list, got {layers!r}")
    field, jump = 1, 1  # jump: input pixels from one unit to the next
    for layer in layers:
        if not isinstance(layer, tuple | list) or len(layer) not in (2, 3):
            raise ValueError(f"layers: expected two or three integers each, got {layer!r}")
        kernel_size, strides, dilation = (*layer, 1)[:3]
        for number in (kernel_size, strides, dilation):
            common.count(number, "layers")
        field += (kernel_size - 1) * dilation * jump
        jump *= strides
    return field


# ------------------------------------------------------------- convolution and pooling


def patches(x, kernel_size, *, strides=1, padding="valid", dilation=1, fill=0.0):
    """Every window of `x` that a kernel sees; the pixels are not copied.

    `fill` is the value of padded cells. Returns (batch, rows, columns, kernel height,
    kernel width, channels), read only.
    """
    pairs = {"kernel_size": kernel_size, "strides": strides, "dilation": dilation}
    pairs = [_pair(value, name) for name, value in pairs.items()]
    x, borders, extents = _images(x), [(0, 0)], []
    for size, k, s, d in zip(x.shape[1:3], *pairs, strict=True):
        borders.append(pad_amounts(size, k, strides=s, padding=padding, dilation=d))
        extents.append(d * (k - 1) + 1)
        if size + sum(borders[-1]) < extents[-1]:
            raise ValueError(f"x: expected height and width ≥ {extents}, got {x.shape}")
    x = np.pad(x, [*borders, (0, 0)], constant_values=fill)
    windows = sliding_window_view(x, extents, axis=(1, 2))  # one at every pixel ...
    _, (sh, sw), (dh, dw) = pairs
    windows = windows[:, ::sh, ::sw, :, ::dh, ::dw]  # ... of which we keep some
    return np.moveaxis(windows, 3, -1)


def conv2d(x, kernel, bias=None, *, strides=1, padding="valid", dilation=1):
    """A convolution layer as one matrix product over all patches ("im2col").

    y[n,i,j,m] = bias[m] + Σ_u Σ_v Σ_c kernel[u,v,c,m] x[n, s i + d u, s j + d v, c]

    Args:
        x: images (batch, height, width, channels), padded as `padding` says.
        kernel: (kernel height, kernel width, channels, filters).
        bias: (filters,), or None for zeros.
        strides, padding, dilation: s, the border, d: see the head of this module.

    Returns (batch, rows, columns, filters). As in Keras and PyTorch it is a
    cross-correlation: the kernel is not flipped. Raises ValueError if shapes do not fit.
    """
    x, kernel, bias = _conv_arguments(x, kernel, bias)
    kh, kw, channels, filters = kernel.shape
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    windows = patches(x, (kh, kw), **options)  # (batch, rows, columns, kh, kw, channels)
    matrix = windows.reshape(-1, kh * kw * channels)  # one patch a row
    y = matrix @ kernel.reshape(-1, filters) + bias  # one position a row
    return y.reshape(*windows.shape[:3], filters)


def max_pool2d(x, pool_size=2, *, strides=None, padding="valid"):
    """The largest value of each window and channel; padded cells never win.

    y[n,i,j,c] = max over u < pool height, v < pool width of x[n, s i + u, s j + v, c]

    `strides` is `pool_size` if None. Returns (batch, rows, columns, channels).
    """
    pool_size = _pair(pool_size, "pool_size")
    strides = pool_size if strides is None else strides
    windows = patches(x, pool_size, strides=strides, padding=padding, fill=-np.inf)
    return windows.max(axis=(3, 4))


def average_pool2d(x, pool_size=2, *, strides=None, padding="valid"):
    """The mean of each window and channel; padded cells do not count.

    Arguments and result as `max_pool2d`.
    """
    pool_size = _pair(pool_size, "pool_size")
    options = {"strides": pool_size if strides is None else strides, "padding": padding}
    total = patches(x, pool_size, **options).sum(axis=(3, 4))
    ones = np.ones_like(_images(x)[:1, :, :, :1])
    return total / patches(ones, pool_size, **options).sum(axis=(3, 4))


# -------------------------------------------------------------------- Keras networks


def build_document_cnn():
    """A tutorial's network (document 000) for 28 x 28 digits. Uncompiled."""
    import keras
    from keras import layers

    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)  # 34,826 parameters


def build_deeper_document_cnn():
    """A deeper one (document 003) for 28 x 28 digits. Uncompiled."""
    import keras
    from keras import layers

    stack = [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)  # 93,322 parameters


def build_mnist_cnn():
    """The chapter's better network for 28 x 28 digits. Uncompiled.

    Only in training it shifts each digit by up to two pixels, and normalizes by batch.
    """
    import keras
    from keras import layers

    def block(filters, size, *pool):
        conv = layers.Conv2D(filters, size, use_bias=False)
        return [conv, *pool, layers.BatchNormalization(), layers.Activation("relu")]

    stack = [
        keras.Input((28, 28, 1)),
        layers.RandomTranslation(0.08, 0.08, fill_mode="constant"),
        *block(16, 5, layers.MaxPooling2D(2)),  # (batch, 12, 12, 16)
        *block(32, 3, layers.MaxPooling2D(2)),  # (batch, 5, 5, 32)
        *block(64, 3),  # (batch, 3, 3, 64)
        *block(128, 3),  # (batch, 1, 1, 128): dense over all 3 x 3 places
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
    return keras.Sequential(stack)  # 99,418 parameters


def train_mnist_cnn(model, x, y, *, epochs=6, callbacks=()):
    """Compile and train `build_mnist_cnn()`; return the history of `fit`.

    AdamW (weight decay 0.05), batches of 128. The learning rate climbs to 0.015 in the
    first fifth of all steps, then sinks to zero along a cosine.
    """
    import keras

    steps = epochs * math.ceil(len(x) / 128)
    schedule = optimizers.cosine_decay(0.015, steps, warmup_steps=steps // 5)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, y, batch_size=128, epochs=epochs, verbose=0, callbacks=[*callbacks])


def draw_maps(maps, titles=None, *, columns=8, size=1.1):
    """Signed pictures (n, height, width): blue is positive, red negative, white zero."""
    figure = plots.images(maps, titles, columns=columns, cmap="RdBu", size=size)
    for picture in (picture for axis in figure.axes for picture in axis.images):
        limit = np.abs(picture.get_array()).max() or 1
        picture.set_clim(-limit, limit)
    return figure


def draw_stencil(image, kernel, row, column):
    """A window of an image, times a kernel, gives one cell of the map; all are 2-D."""
    import matplotlib.pyplot as plt

    side = len(kernel)
    window = image[row : row + side, column : column + side]
    feature_map = conv2d(image[None, ..., None], kernel[..., None, None])[0, ..., 0]
    pictures = {"image $x$": image, "window": window, "× kernel $k$": kernel}
    pictures["summed: map $y$"] = feature_map
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.2), width_ratios=[2, 1.2, 1.2, 2])
    for axis, (title, cells) in zip(axes, pictures.items(), strict=True):
        signed, limit = cells.min() < 0, np.abs(cells).max()
        axis.imshow(cells, "RdBu" if signed else "gray_r", vmin=-limit * signed, vmax=limit)
        axis.set_title(title, loc="center")
        axis.set_axis_off()
        if cells.shape == kernel.shape:
            for (i, j), value in np.ndenumerate(cells):
                color = "white" if abs(value) > limit / 2 else "black"
                axis.text(j, i, f"{value:.1f}", ha="center", va="center", color=color)
    corner = column - 0.5, row - 0.5
    for axis, n in [(axes[0], side), (axes[3], 1)]:
        axis.add_patch(plt.Rectangle(corner, n, n, fill=False, ec=plots.ORANGE, lw=2))
    return figure


# ------------------------------------------------------------------ checked arguments


def _pair(value, name):
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name}: expected one integer or a pair, got {value!r}")
    for number in pair:
        common.count(number, name)
    return pair


def _images(x):
    hint = " (x[..., None] adds a missing channel axis)"
    return common.numbers(x, "x", "batch", "height", "width", "channels", hint=hint)


def _conv_arguments(x, kernel, bias):
    x = _images(x)
    kernel = common.numbers(kernel, "kernel", "height", "width", x.shape[3], "filters")
    bias = np.zeros(kernel.shape[3], x.dtype) if bias is None else bias
    return x, kernel, common.numbers(bias, "bias", kernel.shape[3])
