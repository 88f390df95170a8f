"""Digits on demand: a generator and a discriminator that know the class; how to judge them.

Images are (n, 28, 28, 1) in [0, 1]; labels are integers 0 to 9.
"""

import numpy as np

from dl_course import common

NOISE = 32  # numbers that a digit is made of, besides its class
CLASSES = 10

# ------------------------------------------------------------------------ the two players


def build_generator():
    """Noise (batch, 32) and a one-hot class (batch, 10) to images. Uncompiled.

    It computes at 7 x 7 and 14 x 14 only: `unfold` turns channels into pixels.
    """
    import keras
    from keras import layers

    def normalized(layer, x):
        return layers.Activation("relu")(layers.BatchNormalization()(layer(x)))

    z, label = keras.Input((NOISE,)), keras.Input((CLASSES,))
    x = layers.Concatenate()([z, label])
    x = normalized(layers.Dense(7 * 7 * 32, use_bias=False), x)
    x = layers.Reshape((7, 7, 32))(x)
    x = normalized(layers.Conv2D(64, 3, padding="same", use_bias=False), x)
    x = _unfold(x, 7, 16)  # (batch, 14, 14, 16)
    x = layers.Conv2D(4, 5, padding="same")(x)
    x = _unfold(x, 14, 1)  # (batch, 28, 28, 1)
    return keras.Model([z, label], layers.Activation("sigmoid")(x))


def _unfold(x, side, channels):
    """(batch, side, side, 4 channels) to (batch, 2 side, 2 side, channels)."""
    from keras import layers

    x = layers.Reshape((side, side, 2, 2, channels))(x)
    x = layers.Permute((1, 3, 2, 4, 5))(x)
    return layers.Reshape((2 * side, 2 * side, channels))(x)


def build_discriminator():
    """Image and one-hot class to (logit of "real", ten logits of the class). Uncompiled.

    With features f(x), the first is  w·f(x) + b + label·E f(x): the row of E that belongs
    to the class says what is real for it (Miyato & Koyama, 2018). The ten say which
    digit D sees (Odena et al., 2017).
    """
    import keras
    from keras import layers

    image, label = keras.Input((28, 28, 1)), keras.Input((CLASSES,))
    x = image
    for filters in (16, 32):
        x = layers.Conv2D(filters, 5, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    features = layers.Dense(128)(layers.Flatten()(x))
    features = layers.LeakyReLU(negative_slope=0.2)(features)
    row = layers.Dense(128, use_bias=False)(label)
    real = layers.Add()([layers.Dense(1)(features), layers.Dot(1)([row, features])])
    return keras.Model([image, label], [real, layers.Dense(CLASSES)(features)])


# ------------------------------------------------------------------------------- training


def make_step(generator, discriminator, average, *, horizon=6000, rate=0.001, decay=0.99):
    """A function step(images, one_hot, z) that moves both players once, and the average.

    D lowers softplus(-D(x)) + softplus(D(G(z))) + cross-entropy of the class it sees in
    real images; G lowers softplus(-D(G(z))) + cross-entropy of the class D sees in its
    own. One pass through G serves both; each gradient goes to its own player's weights.
    `average` is a copy of the generator that trails behind it: a ← 0.99 a + 0.01 g.
    The rate sinks along a cosine and is zero after `horizon` steps.
    """
    import keras
    import tensorflow as tf

    softplus, mean = keras.ops.softplus, keras.ops.mean
    g_weights, d_weights = generator.trainable_variables, discriminator.trainable_variables
    sinking = keras.optimizers.schedules.CosineDecay(rate, horizon)
    g_optimizer, d_optimizer = (keras.optimizers.Adam(sinking, beta_1=0.5) for _ in "gd")
    g_optimizer.build(g_weights)
    d_optimizer.build(d_weights)

    def wrong(logits, one_hot):
        return mean(
            keras.losses.categorical_crossentropy(one_hot, logits, from_logits=True)
        )

    @tf.function
    def step(images, one_hot, z):
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fakes = generator([z, one_hot], training=True)
            real, real_class = discriminator([images, one_hot], training=True)
            fake, fake_class = discriminator([fakes, one_hot], training=True)
            d_loss = mean(softplus(-real)) + mean(softplus(fake))
            d_loss += wrong(real_class, one_hot)
            g_loss = mean(softplus(-fake)) + wrong(fake_class, one_hot)
        d_slopes = d_tape.gradient(d_loss, d_weights)
        g_slopes = g_tape.gradient(g_loss, g_weights)
        d_optimizer.apply(d_slopes, d_weights)
        g_optimizer.apply(g_slopes, g_weights)
        for old, new in zip(average.weights, generator.weights, strict=True):
            old.assign(decay * old + (1 - decay) * new)
        return d_loss, g_loss

    return step


def train(generator, discriminator, x, y, rng, *, num_steps=1200, batch=64, watch=None):
    """Play `num_steps` rounds on random batches; return the averaged generator.

    As it is an average, one may stop early: 6000 rounds are the whole course.
    `watch`, if given, is called as watch(round, average) after each round.
    """
    import keras

    x, y = checked(x, y)
    average = keras.models.clone_model(generator)
    average.set_weights(generator.get_weights())
    step = make_step(generator, discriminator, average)
    for i in range(num_steps):
        rows = rng.integers(0, len(x), batch)
        step(x[rows], one_hot(y[rows]), rng.standard_normal((batch, NOISE), "float32"))
        if watch:
            watch(i + 1, average)
    return average


def one_hot(labels):
    """(n,) integers 0 to 9 to (n, 10) float32."""
    labels = common.integers(labels, "labels", "n", below=CLASSES)
    return np.eye(CLASSES, dtype="float32")[labels]


def draw(generator, labels, rng):
    """One image for each label: (n, 28, 28, 1)."""
    labels = one_hot(labels)
    z = rng.standard_normal((len(labels), NOISE), dtype="float32")
    return common.predict(generator, [z, labels])


# -------------------------------------------------------------------------------- judging


def with_features(judge):
    """A classifier that returns (features before its last layer, probabilities)."""
    import keras

    return keras.Model(judge.inputs[0], [judge.layers[-2].output, judge.outputs[0]])


def recognized(predicted, asked):
    """For each class, the share of images asked for that were recognized as it: (10,).

    NaN for a class that nobody asked for.
    """
    asked = common.integers(asked, "asked", "n", below=CLASSES)
    predicted = common.integers(predicted, "predicted", len(asked))
    right = np.bincount(asked[predicted == asked], minlength=CLASSES)
    counts = np.bincount(asked, minlength=CLASSES)
    return np.where(counts > 0, right / np.maximum(counts, 1), np.nan)


def frechet_distance(a, b):
    """Distance of two clouds of points (n, d), as if they were Gaussian.

    |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½)   (Dowson & Landau, 1982)

    On features of a classifier it is the yardstick of Heusel et al. (2017). With few
    points it is too large: compare with the distance of two real samples of that size.
    """
    a = common.numbers(a, "a", "n", "d").astype(float)
    b = common.numbers(b, "b", "n", a.shape[1]).astype(float)
    common.count(min(len(a), len(b)), "a, b", 2)
    covariances = [np.atleast_2d(np.cov(cloud.T)) for cloud in (a, b)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T  # Σ_a^½
    product = np.linalg.eigvalsh(root @ covariances[1] @ root)  # as those of Σ_a Σ_b
    gap = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    cross = np.sqrt(np.maximum(product, 0)).sum()
    return float(gap + np.trace(covariances[0] + covariances[1]) - 2 * cross)


def nearest(images, library):
    """Index of, and distance to, the closest image of `library` for each image."""
    a, b = (np.reshape(x, (len(x), -1)) for x in (images, library))
    lengths = [np.einsum("ij,ij->i", x, x) for x in (a, b)]
    squares = lengths[0][:, None] - 2 * a @ b.T + lengths[1]
    index = squares.argmin(axis=1)
    closest = np.maximum(squares[np.arange(len(a)), index], 0)
    return index, np.sqrt(closest)


# -------------------------------------------------------------------- checked arguments


def checked(x, y):
    """x as images (n, 28, 28, 1) in [0, 1] and y as labels (n,); or ValueError."""
    x, y = np.asarray(x), np.asarray(y)
    if x.shape[1:] != (28, 28, 1) or x.dtype.kind != "f" or x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"x: expected floats in [0, 1] of shape (n, 28, 28, 1), got {x.dtype} {x.shape}"
        )
    if len(y) != len(x):
        raise ValueError(f"y: expected {len(x)} labels, one an image, got {len(y)}")
    return x, y
