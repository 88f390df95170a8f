"""Looking inside: gradients, integrated gradients, Grad-CAM, a sanity check, importance.

Chapter 11b. Networks give scores (logits) of classes; a map has the shape of its image.
"""

import numpy as np

from dl_course import common


def build_digit_cnn(activation="relu"):
    """Three convolutions, a mean over all places, a dense layer of scores. Uncompiled.

    It takes images (batch, height, width, 1) of any size: without a flat layer nothing
    in it depends on the size. 28 x 28 pixels become maps of 7 x 7. 19,418 parameters.
    """
    import keras
    from keras import layers

    options = {"padding": "same", "activation": activation}
    stack = [
        keras.Input((None, None, 1)),
        layers.Conv2D(16, 5, strides=2, **options),
        layers.Conv2D(32, 3, strides=2, **options),
        layers.Conv2D(48, 3, name="maps", **options),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, name="scores"),
    ]
    return keras.Sequential(stack)


def two_digits(left, right):
    """Pairs side by side: (n, 28, 28, 1) twice -> (n, 28, 56, 1)."""
    left = common.numbers(left, "left", "n", "height", "width", "channels")
    right = common.numbers(right, "right", *left.shape)
    return np.concatenate([left, right], axis=2)


# ---------------------------------------------------------------- gradients


def input_gradient(model, x, classes):
    """∂ score of each image's class / ∂ its pixels: (n, height, width, channels).

    `classes`: n integers, the class to explain. The score, not its probability.
    """
    import tensorflow as tf

    x, classes = _checked(x, classes)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = model(x, training=False)
        total = tf.reduce_sum(tf.gather(scores, classes, batch_dims=1))
    return tape.gradient(total, x).numpy()


def integrated_gradients(model, x, classes, *, baseline=0.0, num_steps=32):
    """(x - x₀) times the mean gradient on the straight way from the baseline x₀ to x.

    The integral is a mean over `num_steps` midpoints. The maps of an image add up to
    score(x) - score(x₀), up to the error of that mean (Sundararajan et al., 2017).
    """
    common.count(num_steps, "num_steps")
    x, classes = _checked(x, classes)
    start = np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)
    total = np.zeros_like(x)
    for k in range(num_steps):
        share = (k + 0.5) / num_steps
        total += input_gradient(model, start + share * (x - start), classes)
    return (x - start) * total / num_steps


def guided_relu(z):
    """ReLU whose gradient also drops what is negative on the way back.

    "Guided backpropagation" (Springenberg et al., 2015) has it in place of each ReLU.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def relu(z):
        def backward(dy):
            return tf.where((z > 0) & (dy > 0), dy, 0.0)

        return tf.nn.relu(z), backward

    return relu(z)


def twin(model, *, guided=False, kept=4):
    """The same network: guided or not, with the weights of its first `kept` layers.

    The network has four layers with weights; the others come out newly drawn, from the
    top: kept=3 has new scores, kept=0 is new throughout.
    """
    if not 0 <= kept <= 4:
        raise ValueError(f"kept: expected 0 to 4 layers, got {kept}")
    other = build_digit_cnn(guided_relu if guided else "relu")
    pairs = zip(other.weights, model.weights, strict=True)
    for new, old in list(pairs)[: 2 * kept]:
        new.assign(old)
    return other


def edges(x):
    """How strongly the brightness changes at each pixel (Sobel): no network at all."""
    x = common.numbers(x, "x", "n", "height", "width", 1)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    smooth, slope = np.array([1, 2, 1]), np.array([-1, 0, 1])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    down = np.einsum("nhwcij,i,j->nhwc", windows, slope, smooth)
    right = np.einsum("nhwcij,i,j->nhwc", windows, smooth, slope)
    return np.hypot(down, right)


# ---------------------------------------------------------------- where


def grad_cam(model, x, classes, layer="maps"):
    """Grad-CAM (Selvaraju et al., 2017): (n, rows, columns) ≥ 0, the size of the maps.

    Each map A_k of `layer` weighs as much as the mean of its gradients; then the
    weighted sum, and what is positive of it.
    """
    import keras
    import tensorflow as tf

    x, classes = _checked(x, classes)
    place = [one.name for one in model.layers].index(layer) + 1
    below = keras.Sequential([keras.Input(model.input_shape[1:]), *model.layers[:place]])
    maps = below(x)  # (n, rows, columns, k)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        out = maps
        for one in model.layers[place:]:
            out = one(out)
        total = tf.reduce_sum(tf.gather(out, classes, batch_dims=1))
    weight = tf.reduce_mean(tape.gradient(total, maps), axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weight * maps, axis=-1)).numpy()


def direct_cam(maps, kernel, classes):
    """The same without any gradient, where a mean over places and a dense layer follow.

    score_c = Σ_k w_kc mean(A_k) + b_c, so ∂ score_c / ∂ A_k = w_kc / places.
    maps (n, rows, columns, k), kernel w (k, classes) -> (n, rows, columns)
    """
    maps = common.numbers(maps, "maps", "n", "rows", "columns", "k")
    kernel = common.numbers(kernel, "kernel", maps.shape[3], "classes")
    weight = kernel[:, classes].T / (maps.shape[1] * maps.shape[2])  # (n, k)
    return np.maximum(np.einsum("nhwk,nk->nhw", maps, weight), 0)


# ---------------------------------------------------------------- do they depend?


def ranks(values):
    """Ranks along the last axis, from 1; equal values share the mean of their ranks."""
    values = np.asarray(values)
    flat = values.reshape(-1, values.shape[-1])
    out = np.empty(flat.shape)
    for i, row in enumerate(flat):
        _, group, count = np.unique(row, return_inverse=True, return_counts=True)
        out[i] = (np.cumsum(count) - (count - 1) / 2)[group]
    return out.reshape(values.shape)


def rank_correlation(first, second):
    """Spearman's correlation of two maps, image by image: n numbers in [-1, 1].

    Both (n, ...), of one shape. NaN where a map is constant.
    """
    first = common.numbers(first, "first", ..., "n", "values")
    second = common.numbers(second, "second", *first.shape)
    a, b = (ranks(m.reshape(len(m), -1)) for m in (first, second))
    a, b = (m - m.mean(axis=1, keepdims=True) for m in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


# ---------------------------------------------------------------- tables


def permutation_importance(predict, x, y, columns, rng, *, repeats=20):
    """How much the mean squared error grows when some columns are shuffled together.

    Args:
        predict: a function of x (n, d) that gives n numbers; x, y: data it has not seen.
        columns: a list of lists, such as [[0], [1], [0, 1]]: which columns go together.

    Returns (groups, repeats) increases. The model is not trained again.
    """
    x, y = np.asarray(x), np.asarray(y)
    plain = predict(x)
    if np.shape(plain) != y.shape:
        raise ValueError(f"predict: expected {y.shape} numbers, got {np.shape(plain)}")
    error = np.mean((plain - y) ** 2)
    result = np.empty((len(columns), repeats))
    for i, group in enumerate(columns):
        for j in range(repeats):
            shuffled = x.copy()
            shuffled[:, group] = x[rng.permutation(len(x))][:, group]
            result[i, j] = np.mean((predict(shuffled) - y) ** 2) - error
    return result


def _checked(x, classes):
    return np.asarray(x, np.float32), common.integers(classes, "classes", len(x))
