"""Autoencoders in chapter 07: PCA, the evidence lower bound in NumPy, VAEs in Keras.

A VAE is two ordinary networks. The encoder gives mean and log-variance of q(z|x), the
decoder gives logits of p(x|z), one a pixel. Images are rows of pixels in [0, 1], values
between are allowed. All densities are natural logarithms; costs are in nats a row.
"""

import functools
import math

import numpy as np

from dl_course import common, network, optimizers

LOG_2PI = math.log(2 * math.pi)

# ----------------------------------------------------------------------- densities, KL


def log_normal(z, mean=0.0, log_variance=0.0):
    """log N(z; mean, diag exp(log_variance)), summed over the last axis."""
    z, mean, log_variance = (np.asarray(a, float) for a in (z, mean, log_variance))
    squares = (z - mean) ** 2 / np.exp(log_variance)
    return -0.5 * np.sum(LOG_2PI + log_variance + squares, axis=-1)


def gaussian_kl(mean, log_variance):
    """KL(q || p) of q = N(mean, diag exp(log_variance)) from p = N(0, I).

    ½ Σ_d (μ_d² + σ_d² - 1 - log σ_d²) (Kingma & Welling, 2014, appendix B)

    Both are (..., d); the result is (...), ≥ 0. Raises ValueError if shapes differ.
    """
    mean, log_variance = _pair(mean, log_variance)
    return 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=-1)


def monte_carlo_kl(mean, log_variance, samples, rng):
    """The same from its definition, the mean of log q(z) - log p(z) for z drawn from q.

    `samples` ≥ 2 draws with the Generator `rng`. Returns (estimate, standard error).
    """
    mean, log_variance = _pair(mean, log_variance)
    common.count(samples, "samples", 2)
    noise = rng.normal(size=(samples, *mean.shape))
    z = mean + np.exp(log_variance / 2) * noise
    draws = log_normal(z, mean, log_variance) - log_normal(z)  # (samples, ...)
    return draws.mean(axis=0), draws.std(axis=0, ddof=1) / math.sqrt(samples)


def document_kl(z):
    """A tutorial's "KL": z serves as mean and as deviation. Wrong.

    -½ Σ_d (1 + log z_d² - z_d² - 1): infinite at 0, and smallest, ½ a number, at ±1.
    """
    squares = np.asarray(z, float) ** 2
    with np.errstate(divide="ignore"):
        return -0.5 * np.sum(1 + np.log(squares) - squares - 1, axis=-1)


def log_bernoulli(x, logits):
    """log p(x|z) = Σ_i x_i log p_i + (1 - x_i) log(1 - p_i), with p = sigmoid(logits).

    Stable for any logits. Both are (..., pixels), x within [0, 1]; the result is (...).
    """
    logits, x = common.alike(logits, x, "logits", "x")
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"x: expected values within [0, 1], got {x.min()} to {x.max()}")
    return np.sum(x * logits - np.logaddexp(0, logits), axis=-1)


# --------------------------------------------------------------------------------- PCA


def fit_pca(x, dimensions):
    """The plane nearest to the rows of x. Returns mean (features,), axes (d, features)."""
    x = np.asarray(x)
    if x.ndim != 2 or not 1 <= dimensions <= x.shape[-1]:
        expected = "x (rows, features) and 1 ≤ dimensions ≤ features"
        raise ValueError(f"dimensions: expected {expected}, got {dimensions}, {x.shape}")
    mean = x.mean(axis=0)
    centered = x - mean
    _, vectors = np.linalg.eigh(centered.T @ centered / len(x))  # smallest first
    return mean, vectors.T[::-1][:dimensions]


def apply_pca(x, mean, axes):
    """The rows' shadows on that plane: codes (rows, d), reconstruction (rows, features)."""
    codes = (np.asarray(x) - mean) @ axes.T
    return codes, codes @ axes + mean


def unevenness(codes, cells=20):
    """How far codes are from N(0, I): 0 if all of `cells` × `cells` regions that are
    equally likely under it hold equally many; log(cells²) if one holds all. In nats.

    It is the KL divergence of the shares from equal shares. `codes` is (rows, 2).
    """
    codes = common.numbers(codes, "codes", "rows", 2)
    edges = normal_quantiles(np.arange(1, cells) / cells)
    counts = np.zeros((cells, cells))
    np.add.at(counts, tuple(np.searchsorted(edges, column) for column in codes.T), 1)
    shares = counts[counts > 0] / len(codes)
    return float(np.sum(shares * np.log(shares * cells**2)))


def normal_quantiles(shares):
    """Where the standard normal distribution has these shares, in (0, 1), to its left."""
    from statistics import NormalDist

    return np.array([NormalDist().inv_cdf(share) for share in np.ravel(shares)])


# ---------------------------------------------------------------------- Keras networks


def build_encoder(latent_dim, hidden_units=(256, 128, 64), pixels=784):
    """Rows of pixels -> [mean, log-variance], each (batch, latent_dim). Uncompiled.

    Log-variances start at 0 for every input: q(z|x) begins as wide as the prior.
    """
    import keras
    from keras import layers

    x = h = keras.Input((pixels,))
    for units in hidden_units:
        h = layers.Dense(units, activation="relu")(h)
    mean = layers.Dense(latent_dim, name="mean")(h)
    log_variance = layers.Dense(latent_dim, kernel_initializer="zeros", name="log_variance")
    return keras.Model(x, [mean, log_variance(h)], name="encoder")


def build_decoder(latent_dim, hidden_units=(64, 128, 256), *, mean_image=None, pixels=784):
    """Codes z -> logits of the pixels (batch, pixels). Uncompiled.

    With the training set's `mean_image` (pixels,) it begins by drawing about that image.
    """
    import keras
    from keras import layers

    start = "zeros"
    if mean_image is not None:
        p = np.clip(np.ravel(mean_image), 1e-3, 1 - 1e-3)
        start = keras.initializers.Constant(np.log(p / (1 - p)).astype("float32"))
    z = h = keras.Input((latent_dim,))
    for units in hidden_units:
        h = layers.Dense(units, activation="relu")(h)
    return keras.Model(z, layers.Dense(pixels, bias_initializer=start)(h), name="decoder")


@functools.cache
def sampler():
    """The layer class that draws z from q(z|x), and adds β KL to the loss."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("dl_course")
    class Sample(keras.layers.Layer):
        def __init__(self, beta=1.0, seed=0, **kwargs):
            super().__init__(**kwargs)
            self.beta, self.seed = beta, seed
            self.generator = keras.random.SeedGenerator(seed)

        def call(self, mean, log_variance):  # both (batch, latent_dim)
            variance = ops.exp(log_variance)
            kl = -0.5 * ops.sum(1 + log_variance - mean**2 - variance, axis=-1)
            self.add_loss(self.beta * ops.mean(kl))
            noise = keras.random.normal(ops.shape(mean), seed=self.generator)
            return mean + ops.sqrt(variance) * noise  # gradients pass; noise is input

        def get_config(self):
            return {**super().get_config(), "beta": self.beta, "seed": self.seed}

    return Sample


def build_vae(encoder, decoder, *, beta=1.0, seed=0):
    """Encoder, noise, decoder as one trainable model x -> logits. Uncompiled.

    The halves keep their weights in common with it. `seed` starts the noise.
    """
    import keras

    if not beta >= 0:
        raise ValueError(f"beta: expected a number ≥ 0, got {beta!r}")
    x = keras.Input(encoder.input_shape[1:])
    z = sampler()(beta, seed)(*encoder(x))
    return keras.Model(x, decoder(z))


def reconstruction_loss(x, logits):
    """-log p(x|z) in nats an image: summed over pixels, not averaged. For Keras.

    Takes (batch, pixels) or images (batch, height, width, channels); returns (batch,).
    """
    from keras import ops

    each = ops.maximum(logits, 0) - x * logits + ops.log1p(ops.exp(-ops.abs(logits)))
    return ops.sum(each, axis=tuple(range(1, len(each.shape))))


def train(
    model, x, *, epochs, loss=reconstruction_loss, learning_rate=0.004, batch_size=250,
    callbacks=(),
):  # fmt: skip
    """Compile and train a VAE or an autoencoder on `x` (rows or images); return history.

    Adam. The learning rate climbs from a tenth for a twentieth of all steps, then sinks
    to zero along a cosine.
    """
    import keras

    steps = epochs * math.ceil(len(x) / batch_size)
    warm = max(steps // 20, 1)
    schedule = optimizers.cosine_decay(
        learning_rate, steps, warmup_steps=warm, start=learning_rate / 10
    )
    model.compile(keras.optimizers.Adam(schedule), loss)
    x = keras.ops.convert_to_tensor(x, "float32")  # once: `fit` copies what is NumPy's
    options = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
    return model.fit(x, x, callbacks=[*callbacks], **options)


# -------------------------------------------------------------------------- evaluation


def elbo_terms(encoder, decoder, x, *, samples=1, seed=0):
    """What the ELBO of each row is made of: (E_q log p(x|z), KL), both (rows,).

    The expectation is the mean over `samples` draws; equal seeds draw equal noise.
    """
    common.count(samples, "samples")
    rng = np.random.default_rng(seed)
    mean, log_variance = common.predict(encoder, x)
    deviation, flat = np.exp(log_variance / 2), np.reshape(x, (len(x), -1))
    fit = np.zeros(len(x))
    for _ in range(samples):
        z = mean + deviation * rng.normal(size=mean.shape).astype("float32")
        logits = common.predict(decoder, z)
        fit += log_bernoulli(flat, logits.reshape(flat.shape)) / samples
    return fit, gaussian_kl(mean, log_variance)


def negative_elbo(encoder, decoder, x, *, samples=1, seed=0):
    """The mean cost of a row in nats: what everything in chapter 07 is scored by."""
    fit, kl = elbo_terms(encoder, decoder, x, samples=samples, seed=seed)
    return float(np.mean(kl - fit))


def grid_posterior(decoder, x, *, reach=5.0, points=201):
    """log p(x) and p(z|x) by brute force: every z of a square grid, two dimensions only.

    Returns log p(x) (rows,) and the posterior's share of each cell (rows, points, points),
    second coordinate first. `reach` is half the side; beyond it the prior has hardly any
    share.
    """
    side = np.linspace(-reach, reach, points)
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype("float32")
    x, fit = np.asarray(x, "float32"), []
    for some in np.array_split(z, points):  # all cells at once would fill the memory
        logits = common.predict(decoder, some)  # (cells, pixels)
        fit.append(x @ logits.T - np.logaddexp(0, logits).sum(axis=1))
    fit = np.concatenate(fit, axis=1)  # (rows, cells) log p(x|z)
    joint = fit + log_normal(z) + 2 * math.log(side[1] - side[0])  # ... + log p(z) dz
    evidence = network.log_sum_exp(joint)
    share = np.exp(joint - evidence[:, None])
    return evidence, share.reshape(-1, points, points)


# ------------------------------------------------------------------- checked arguments


def _pair(mean, log_variance):
    common.alike(log_variance, mean, "log_variance", "mean")
    mean = common.numbers(mean, "mean", ..., "latent_dim")
    return mean.astype(float), np.asarray(log_variance, float)
