"""Variational autoencoders. Made from notebooks/src/07_variational_autoencoders.py: edit there."""  # noqa: E501

import math

import keras
import numpy as np
from keras import ops

from dl_course.common import predict
from dl_course.optimizers import cosine_decay


def fit_pca(x, dimensions):
    """The plane nearest to the rows of x: its mean (features,) and axes (d, features)."""
    mean = x.mean(axis=0)
    covariance = (x - mean).T @ (x - mean) / len(x)  # (features, features)
    _, vectors = np.linalg.eigh(covariance)  # in columns, smallest eigenvalue first
    return mean, vectors.T[::-1][:dimensions]


def apply_pca(x, mean, axes):
    """Codes (rows, d) of the rows of x, and their reconstructions (rows, features)."""
    codes = (x - mean) @ axes.T
    return codes, mean + codes @ axes


def hidden_layers(h, units):
    """Dense layers with ReLU, one for each number of units, on top of h."""
    for n in units:
        h = keras.layers.Dense(n, activation="relu")(h)
    return h


def build_encoder(latent_dim, hidden_units=(256, 128, 64), *, pixels=784):
    """Rows of pixels -> [mean, log-variance], each (batch, latent_dim). Not compiled.

    Log-variances start at 0 for every input: q(z|x) begins as wide as the prior.
    """
    x = keras.Input((pixels,))
    h = hidden_layers(x, hidden_units)
    mean = keras.layers.Dense(latent_dim)(h)
    log_variance = keras.layers.Dense(latent_dim, kernel_initializer="zeros")(h)
    return keras.Model(x, [mean, log_variance], name="encoder")


def build_decoder(latent_dim, hidden_units=(64, 128, 256), *, mean_image=None, pixels=784):
    """Codes z -> logits of the pixels (batch, pixels). Not compiled.

    With the training set's `mean_image` (pixels,) it begins by drawing that image.
    """
    start = "zeros"
    if mean_image is not None:
        p = np.clip(mean_image, 1e-3, 1 - 1e-3)
        start = keras.initializers.Constant(np.log(p / (1 - p)))
    z = keras.Input((latent_dim,))
    h = hidden_layers(z, hidden_units)
    logits = keras.layers.Dense(pixels, bias_initializer=start)(h)
    return keras.Model(z, logits, name="decoder")


def log_bernoulli(x, logits):
    """Σ x log p + (1 - x) log(1 - p) with p = sigmoid(logits): (batch,), in nats.

    Both are (batch, ...), x within [0, 1]; the sum is over all axes but the first.
    """
    # (28, 28) against (28, 28, 1) would broadcast
    if x.shape[1:] != logits.shape[1:]:
        raise ValueError(f"logits: expected the shape of x, {x.shape}, got {logits.shape}")
    each = x * logits - ops.softplus(logits)
    return ops.sum(each, axis=tuple(range(1, len(each.shape))))


def reconstruction_loss(x, logits):
    """The cost of a reconstruction in nats, summed over pixels: a loss for `compile`."""
    return -log_bernoulli(x, logits)


def train(
    model,
    x,
    *,
    epochs,
    loss=reconstruction_loss,
    learning_rate=0.004,
    batch_size=250,
    callbacks=(),
):
    """Compile a VAE or an autoencoder, fit it to x, and return its history.

    Adam. The learning rate climbs for a twentieth of all steps, then sinks to zero along
    a cosine.
    """
    steps = epochs * math.ceil(len(x) / batch_size)
    warm_up = max(steps // 20, 1)
    schedule = cosine_decay(
        learning_rate, steps, warmup_steps=warm_up, start=learning_rate / 10
    )
    model.compile(keras.optimizers.Adam(schedule), loss)
    # Once: `fit` would copy each NumPy batch
    x = ops.convert_to_tensor(x, "float32")
    options = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
    return model.fit(x, x, callbacks=[*callbacks], **options)


def gaussian_kl(mean, log_variance):
    """KL(q || p) of q = N(mean, diag exp(log_variance)) from p = N(0, I), in nats.

    ½ Σ_d (μ_d² + σ_d² - 1 - log σ_d²). Both are (..., d); the result is (...).
    """
    return 0.5 * ops.sum(mean**2 + ops.exp(log_variance) - 1 - log_variance, axis=-1)


class Sampling(keras.layers.Layer):
    """Draws z from q(z|x), and adds beta times the KL divergence to the model's loss."""

    def __init__(self, beta=1.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.beta = beta
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, mean, log_variance):  # each (batch, latent_dim)
        self.add_loss(self.beta * ops.mean(gaussian_kl(mean, log_variance)))
        noise = keras.random.normal(ops.shape(mean), seed=self.generator)  # ε
        return mean + ops.exp(log_variance / 2) * noise  # z = μ + σ ε


def build_vae(encoder, decoder, *, beta=1.0, seed=0):
    """Encoder, noise and decoder as one model x -> logits, to be trained by `train`.

    Its loss is reconstruction plus beta KL, in nats per image. The halves keep their
    weights in common with it. `seed` starts the noise.
    """
    x = keras.Input(encoder.input_shape[1:])
    mean, log_variance = encoder(x)
    z = Sampling(beta, seed)(mean, log_variance)
    return keras.Model(x, decoder(z))


def elbo_terms(encoder, decoder, x, *, samples=1, seed=0):
    """What the ELBO of each row is made of: (E_q log p(x|z), KL), both (rows,).

    The expectation is a mean over `samples` draws of z; equal seeds draw equal noise.
    """
    rng = np.random.default_rng(seed)
    mean, log_variance = predict(encoder, x)
    fit = 0.0
    for _ in range(samples):
        z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        logits = predict(decoder, z)
        fit += log_bernoulli(x, logits) / samples
    kl = gaussian_kl(mean, log_variance)
    return ops.convert_to_numpy(fit), ops.convert_to_numpy(kl)


def log_normal(z, mean=0.0, log_variance=0.0):
    """log N(z; mean, diag exp(log_variance)), summed over the last axis."""
    squares = (z - mean) ** 2 / np.exp(log_variance)
    return -0.5 * np.sum(math.log(2 * math.pi) + log_variance + squares, axis=-1)


def log_weights(encoder, decoder, x, samples, *, seed=0):
    """log p(x|z) + log p(z) - log q(z|x) for draws z from q(z|x): (rows, samples).

    The mean of the weights themselves is p(x), without bias.
    """
    rng = np.random.default_rng(seed)
    mean, log_variance = predict(encoder, x)
    log_w = np.empty((len(x), samples))
    for k in range(samples):
        z = mean + np.exp(log_variance / 2) * rng.normal(size=mean.shape)
        logits = predict(decoder, z)
        fit = ops.convert_to_numpy(log_bernoulli(x, logits))
        log_w[:, k] = fit + log_normal(z) - log_normal(z, mean, log_variance)
    return log_w
