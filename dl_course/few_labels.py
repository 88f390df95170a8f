"""Learning with fewer labels: contrast, pseudo-labels, questions, transfer, adaptation.

Chapter 11a. Digits are shrunk to (n, 14, 14, 1): each experiment is four times cheaper.
Networks give scores, not probabilities.
"""

import numpy as np

from dl_course import common
from dl_course.network import log_sum_exp, softmax

# ---------------------------------------------------------------- data


def shrink(images):
    """The mean of each 2 x 2 square: (n, 28, 28, 1) -> (n, 14, 14, 1) float32."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] % 2 or images.shape[2] % 2:
        wanted = "expected (n, even height, even width, channels)"
        raise ValueError(f"images: {wanted}, got {images.shape}")
    n, height, width, channels = images.shape
    squares = images.reshape(n, height // 2, 2, width // 2, 2, channels)
    return squares.mean(axis=(2, 4), dtype=np.float32)


def pick_per_class(labels, count, rng):
    """Indices of `count` random examples of each class, class by class."""
    labels, chosen = np.asarray(labels), []
    for c in np.unique(labels):
        rows = np.flatnonzero(labels == c)
        if not 1 <= count <= len(rows):
            raise ValueError(f"count: expected 1 to {len(rows)} of class {c}, got {count}")
        chosen.append(rng.choice(rows, count, replace=False))
    return np.concatenate(chosen)


def other_camera(x, rng):
    """The same digits by a worse camera: gray paper, little contrast, noise; in [0, 1]."""
    noise = rng.normal(0, 0.1, np.shape(x))
    return np.clip(0.35 + 0.4 * np.asarray(x) + noise, 0, 1).astype(np.float32)


def distort(x, turn=0.35, shear=0.3, zoom=0.2, shift=0.1):
    """Each image turned, sheared, zoomed and moved at random; empty corners are 0.

    `turn` in radians, `shift` in widths; each is drawn evenly from ± its limit.
    x (batch, side, side, channels), also inside `tf.function`.
    """
    import keras
    import tensorflow as tf

    n, side = tf.shape(x)[0], x.shape[1]
    angle, slant, high, wide, down, right = (
        tf.random.uniform((n,), -limit, limit)
        for limit in (turn, shear, zoom, zoom, shift * side, shift * side)
    )
    cos, sin, middle = tf.cos(angle), tf.sin(angle), (side - 1) / 2
    a, b = cos * (1 + wide), slant - sin * (1 + high)
    c, d = sin * (1 + wide), cos * (1 + high)
    x0 = middle - (a + b) * middle + right  # the middle stays, but for the shift
    y0 = middle - (c + d) * middle + down
    zero = tf.zeros(n)
    transform = tf.stack([a, b, x0, c, d, y0, zero, zero], axis=1)  # (batch, 8)
    return keras.ops.image.affine_transform(x, transform, data_format="channels_last")


# ---------------------------------------------------------------- networks


def build_encoder(normalize=False):
    """14 x 14 images to 64 numbers ≥ 0; with or without batch normalization. Uncompiled.

    Two convolutions, maps of 7 x 7 and 5 x 5, and a dense layer.
    """
    import keras
    from keras import layers

    stack = [
        keras.Input((14, 14, 1)),
        layers.Conv2D(16, 5, strides=2, padding="same"),
        layers.BatchNormalization() if normalize else layers.Identity(),
        layers.ReLU(),
        layers.Conv2D(32, 3),
        layers.BatchNormalization() if normalize else layers.Identity(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
    ]
    return keras.Sequential(stack)  # 56,320 trained parameters, or 96 more


def add_head(encoder, classes):
    """A network of scores: the encoder (not a copy), then one new dense layer."""
    import keras

    return keras.Sequential([encoder, keras.layers.Dense(classes)])


# ---------------------------------------------------------------- contrast


def contrastive_loss(z, temperature=0.2):
    """How hard it is to find each view's partner among all others (NT-Xent).

    z (2n, d): rows i and n + i are views of one image. With s_ij the cosine of rows i, j
    over the temperature, the mean over i of  log Σ_{j≠i} e^{s_ij} - s_{i, partner of i}.
    """
    z = np.asarray(z, float)
    if z.ndim != 2 or len(z) % 2 or len(z) < 4:
        raise ValueError(f"z: expected (2n, d) with n ≥ 2, got {z.shape}")
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    s = z @ z.T / temperature
    np.fill_diagonal(s, -np.inf)
    partner = np.roll(np.arange(len(z)), len(z) // 2)
    return np.mean(log_sum_exp(s) - s[np.arange(len(z)), partner])


def pretrain(
    encoder, x, rng, *, epochs=10, batch_size=250, learning_rate=0.003, temperature=0.2
):
    """Train the encoder without labels: two distorted views of an image shall meet.

    A small head, dropped at the end, makes the codes that are compared (Chen et al.,
    2020). Returns the loss of each step.
    """
    import keras
    import tensorflow as tf

    if len(x) < batch_size:
        raise ValueError(f"x: expected ≥ {batch_size} images, a batch, got {len(x)}")
    head = [keras.layers.Dense(64, "relu"), keras.layers.Dense(32)]
    model = keras.Sequential([encoder, *head])
    num_steps = epochs * (len(x) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    partner = np.roll(np.arange(2 * batch_size), batch_size)

    def loss(x):
        views = tf.concat([distort(x), distort(x)], axis=0)  # (2 batch_size, 14, 14, 1)
        z = tf.math.l2_normalize(model(views, training=True), axis=1)
        s = tf.matmul(z, z, transpose_b=True) / temperature
        s = s - 1e9 * tf.eye(2 * batch_size)  # no row is its own partner
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, s)
        return tf.reduce_mean(entropy)

    optimizer = keras.optimizers.Adam(schedule)
    step = common.compiled_step(loss, model.trainable_variables, optimizer)
    losses = []
    for order in [rng.permutation(len(x)) for _ in range(epochs)]:
        for i in range(0, len(x) - batch_size + 1, batch_size):
            losses.append(float(step(x[order[i : i + batch_size]])))
    return np.array(losses)


def features_of(encoder, x, like):
    """(n, d) features of x, standardized by mean and deviation of those of `like`."""
    f, known = (common.predict(encoder, images).astype(float) for images in (x, like))
    return (f - known.mean(axis=0)) / (known.std(axis=0) + 0.1)


def fit_linear(features, labels, classes, penalty=1.0):
    """Weights (d + 1, classes) that score the classes: least squares in closed form.

    Targets are one-hot; penalty λ Σ w². The last row is the bias.
    """
    f = np.column_stack([features, np.ones(len(features))])
    if len(f) != len(labels):
        raise ValueError(f"labels: expected {len(f)} of them, got {len(labels)}")
    square = f.T @ f + penalty * np.eye(f.shape[1])
    return np.linalg.solve(square, f.T @ np.eye(classes)[labels])


def linear_scores(weights, features):
    """(n, classes) scores by the weights of `fit_linear`."""
    return features @ weights[:-1] + weights[-1]


# ------------------------------------------------- pseudo-labels and questions


def pseudo_labels(scores, threshold):
    """(numbers, labels) of the rows whose best probability is ≥ threshold."""
    p = softmax(np.asarray(scores))
    numbers = np.flatnonzero(p.max(axis=1) >= threshold)
    return numbers, p[numbers].argmax(axis=1)


def margins(scores):
    """Best score minus second best, for each row: small means "unsure"."""
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ValueError(f"scores: expected (n, classes ≥ 2), got {scores.shape}")
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2]


def ask(features, labels, start, rng, *, rounds, count, unsure):
    """Which labels to buy: a linear classifier after each round of `count` questions.

    features (n, d) of the pool; labels (n,), looked up only for what was asked. It
    begins with the rows `start`, then asks about the smallest margins (`unsure`) or at
    random. Yields (rows asked so far, weights), rounds + 1 times.
    """
    known = np.array(start)
    for _ in range(rounds + 1):
        weights = fit_linear(features[known], labels[known], 10)
        yield known, weights
        left = np.setdiff1d(np.arange(len(features)), known)
        order = rng.permutation(len(left))
        if unsure:
            order = np.argsort(margins(linear_scores(weights, features[left])))
        known = np.concatenate([known, left[order[:count]]])


# ---------------------------------------------------------------- another domain


def refresh_statistics(encoder, x):
    """Give each batch normalization of the encoder the mean and variance that x has there.

    No weight is trained, and no label is needed (Li et al., 2018).
    """
    layers = [one for one in encoder.layers if hasattr(one, "moving_mean")]
    if not layers:
        raise ValueError("encoder: expected batch normalization in it, got none")
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # forget the past: the next batch counts alone
    encoder(x, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
