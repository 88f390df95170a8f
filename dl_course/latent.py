"""Latent spaces in chapter 07b: tighter bounds, rate and distortion, anomalies, pictures.

Encoders, decoders and costs are those of chapter 07 (`dl_course.vae`): nats a row.
"""

import math

import numpy as np

from dl_course import common, network, plots, vae
from dl_course.linear import sigmoid

# ----------------------------------------------------------- importance-weighted bounds


def log_weights(encoder, decoder, x, samples, *, seed=0):
    """log w = log p(x|z) + log p(z) - log q(z|x) for z drawn from q(z|x).

    x is (rows, pixels). Returns (rows, samples). The mean of w is p(x), without bias.
    """
    common.count(samples, "samples")
    rng = np.random.default_rng(seed)
    x = np.asarray(x, "float32")
    mean, log_variance = common.predict(encoder, x)
    result = np.empty((len(x), samples))
    for k in range(samples):
        noise = rng.normal(size=mean.shape)
        z = mean + np.exp(log_variance / 2) * noise
        logits = common.predict(decoder, z)
        log_q = vae.log_normal(z, mean, log_variance)
        result[:, k] = vae.log_bernoulli(x, logits) + vae.log_normal(z) - log_q
    return result


def importance_bound(log_w, k=None):
    """The bound of Burda et al. (2016) on log p(x), from (rows, samples) log weights.

    L_k = E log (1/k Σ_i w_i): the ELBO for k = 1, never lower for larger k, log p(x) in
    the limit. All samples are used, in groups of k (all in one group if None; what does
    not fill a group is left out). Returns (rows,).
    """
    log_w = common.numbers(log_w, "log_w", "rows", "samples")
    samples = log_w.shape[1]
    k = samples if k is None else k
    if not isinstance(k, int | np.integer) or not 1 <= k <= samples:
        raise ValueError(f"k: expected an integer from 1 to {samples}, got {k!r}")
    groups = log_w[:, : samples // k * k].reshape(len(log_w), -1, k)
    means = network.log_sum_exp(groups) - math.log(k)  # (rows, groups): log of a mean
    return means.mean(axis=1)


# -------------------------------------------------------------------- rate, active units


def rate_of_each_unit(mean, log_variance):
    """KL of each latent dimension, averaged over rows (d,): nats that it carries."""
    mean, log_variance = np.asarray(mean, float), np.asarray(log_variance, float)
    return vae.gaussian_kl(mean[..., None], log_variance[..., None]).mean(axis=0)


def spherical_path(start, end, steps):
    """From `start` to `end` (d,) along an arc: (steps, d), ends included.

    In many dimensions N(0, I) lies near a sphere. A straight line cuts through the
    inside, where there is hardly any probability; the arc (White, 2016) does not.
    """
    common.count(steps, "steps", 2)
    start, end = np.asarray(start, float), np.asarray(end, float)
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if start.shape != end.shape or start.ndim != 1 or not all(lengths):
        raise ValueError(f"end: expected a vector like start, not 0, got {end.shape}")
    cosine = np.clip(start @ end / lengths[0] / lengths[1], -1, 1)
    angle, t = math.acos(cosine), np.linspace(0, 1, steps)[:, None]
    if angle < 1e-6 or math.pi - angle < 1e-6:  # one direction or opposite: a line
        return (1 - t) * start + t * end
    return (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / math.sin(angle)


# ----------------------------------------------------------------------------- anomalies


def auc(normal, strange):
    """The chance that a random strange score is above a random normal one; ties count ½.

    1: perfect, 0.5: coin. Both are 1-D and not empty (the Mann-Whitney statistic).
    """
    normal, strange = np.asarray(normal, float), np.asarray(strange, float)
    for name, scores in (("normal", normal), ("strange", strange)):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            raise ValueError(f"{name}: expected scores (n,), got shape {scores.shape}")
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, strange, "left")
    not_above = np.searchsorted(ordered, strange, "right")
    return float((below + not_above).mean() / 2 / len(normal))


# ---------------------------------------------------------------------- Keras networks


def build_dense_halves(latent_dim=20, *, mean_image=None):
    """Encoder and decoder of the chapter's best network for `latent_dim` ≥ 10."""
    encoder = vae.build_encoder(latent_dim, (400, 200))
    return encoder, vae.build_decoder(latent_dim, (200, 400), mean_image=mean_image)


def build_document_halves(latent_dim=32):
    """Encoder and decoder of a tutorial, repaired; images (28, 28, 1).

    Two heads where one tanh stood; 7 x 7 (not 4 x 4) doubles twice to 28 x 28; ReLU
    inside; kernels of 4, which strides of 2 divide; logits at the end.
    """
    import keras
    from keras import layers

    x = keras.Input((28, 28, 1))
    h = layers.Conv2D(32, 3, activation="relu")(x)
    h = layers.MaxPooling2D(2)(h)  # (batch, 13, 13, 32)
    h = layers.Conv2D(64, 3, activation="relu")(h)
    h = layers.Flatten()(layers.MaxPooling2D(2)(h))  # (batch, 5 * 5 * 64)
    mean = layers.Dense(latent_dim)(h)
    log_variance = layers.Dense(latent_dim, kernel_initializer="zeros")(h)
    encoder = keras.Model(x, [mean, log_variance], name="encoder")

    options = {"padding": "same", "activation": "relu"}
    z = keras.Input((latent_dim,))
    h = layers.Dense(7 * 7 * 64, activation="relu")(z)
    h = layers.Conv2DTranspose(64, 3, **options)(layers.Reshape((7, 7, 64))(h))
    h = layers.Conv2DTranspose(32, 4, strides=2, **options)(h)  # (batch, 14, 14, 32)
    logits = layers.Conv2DTranspose(1, 4, strides=2, padding="same")(h)
    return encoder, keras.Model(z, logits, name="decoder")  # (batch, 28, 28, 1)


# ------------------------------------------------------------------------------- figures


def decode(decoder, z):
    """Codes -> images of p(pixel = 1) (rows, 28, 28)."""
    logits = common.predict(decoder, z)
    return sigmoid(logits.reshape(-1, 28, 28))


def draw_rows(rows, *, size=0.62):
    """Rows of pictures, {name: (n, 28, 28)}, each with its name at the left."""
    columns = max(len(pictures) for pictures in rows.values())
    blank = np.zeros((28, 28))
    table = [
        [*pictures] + [blank] * (columns - len(pictures)) for pictures in rows.values()
    ]
    cells = np.reshape(np.array(table), (-1, 28, 28))
    figure = plots.images(cells, columns=columns, size=size)
    for row, name in enumerate(rows):
        axis = figure.axes[row * columns]
        axis.text(-4, 14, name, ha="right", va="center")
    return figure
