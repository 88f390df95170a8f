"""The game of two networks: losses, closed forms, training steps, chapter 08's networks.

D returns a logit l; its verdict "real" has the probability σ(l). G turns noise z into
samples: (batch, features) or (batch, height, width, channels).
"""

import io

import numpy as np

from dl_course import common
from dl_course.network import sigmoid, softplus

# ------------------------------------------------------------- losses and closed forms


def discriminator_loss(real_logits, fake_logits):
    """-mean log σ(real) - mean log(1 - σ(fake)): cross-entropy, real against fake.

    Both (n,) or (n, 1). It is 2 log 2 if all logits are 0. In logits, log σ(l) is
    -softplus(-l) and log(1 - σ(l)) is -softplus(l).
    """
    real_logits, fake_logits = _logits(real_logits), _logits(fake_logits)
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(fake_logits, *, saturating=False):
    """-mean log σ(fake); or, saturating, mean log(1 - σ(fake)), as in the minimax game."""
    fake_logits = _logits(fake_logits)
    return -softplus(fake_logits).mean() if saturating else softplus(-fake_logits).mean()


def generator_slope(fake_logits, *, saturating=False):
    """Derivative of one sample's generator loss with respect to its logit.

    -(1 - σ(l)), the non-saturating one, or -σ(l). Goodfellow et al. (2014), section 3.
    """
    verdict = sigmoid(_logits(fake_logits))
    return -verdict if saturating else verdict - 1


def best_verdict(real_density, fake_density):
    """D*(x) = p(x) / (p(x) + q(x)), the best answer to a fixed generator.

    Densities at the same points, not negative. Where both are 0 nobody ever asks: ½.
    """
    q, p = common.alike(fake_density, real_density, "fake_density", "real_density")
    for name, density in {"real_density": p, "fake_density": q}.items():
        if not (density >= 0).all():
            raise ValueError(f"{name}: expected numbers ≥ 0, got {density.min()}")
    total = p + q
    return np.where(total > 0, p / np.where(total > 0, total, 1), 0.5)


def dirac_path(num_steps, *, rate=0.1, gamma=0.0, alternating=False, start=(1.0, 1.0)):
    """The smallest game: real data is the point 0, G owns a point θ, D's logit is ψ x.

    D lowers softplus(ψ θ) + γ/2 ψ², G lowers -softplus(ψ θ) (saturating), by gradient
    steps at the same time, or G after D. Returns θ, ψ: (num_steps + 1, 2). Mescheder,
    Geiger & Nowozin (2018).
    """
    theta, psi = start
    path = [(theta, psi)]
    for _ in range(num_steps):
        new_psi = psi - rate * (theta * sigmoid(psi * theta) + gamma * psi)
        seen = new_psi if alternating else psi
        theta = theta + rate * seen * sigmoid(seen * theta)
        psi = new_psi
        path.append((theta, psi))
    return np.array(path)


def modes(points, centers, radius):
    """How well `points` (n, d) cover `centers` (k, d).

    A mode is covered if at least one point in 10 k lies within `radius` of it. Returns
    (modes covered, entropy of their shares in nats, share of points near a mode).
    """
    centers = common.numbers(centers, "centers", "k", "d")
    points = common.numbers(points, "points", "n", centers.shape[1])
    for name, rows in {"points": points, "centers": centers}.items():
        if not len(rows):
            raise ValueError(f"{name}: expected at least one, got none")
    common.positive(radius, "radius")
    distances = np.linalg.norm(points[:, None] - centers, axis=2)  # (n, k)
    near = distances.min(axis=1) <= radius
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(centers))
    covered = int(np.sum(counts >= len(points) / (10 * len(centers))))
    return covered, entropy(counts), float(near.mean())


def entropy(counts):
    """-Σ p log p in nats, of the shares p = counts / sum; 0 if nothing was counted."""
    counts = np.asarray(counts, float)
    if counts.ndim != 1 or (counts < 0).any():
        raise ValueError(f"counts: expected a list of numbers ≥ 0, got {counts}")
    shares = counts[counts > 0] / max(counts.sum(), 1e-300)
    return float(-np.sum(shares * np.log(shares))) + 0.0


# --------------------------------------------------------------------- data to imitate


def two_hills(n, rng):
    """(n, 1) samples: half from N(-2, 0.6²), half from N(1.5, 0.9²)."""
    low = rng.random(n) < 0.5
    x = np.where(low, rng.normal(-2, 0.6, n), rng.normal(1.5, 0.9, n))
    return x[:, None].astype("float32")


def two_hills_density(x):
    """The density that `two_hills` draws from."""
    low, high = (x + 2) / 0.6, (x - 1.5) / 0.9
    return (np.exp(-(low**2) / 2) / 0.6 + np.exp(-(high**2) / 2) / 0.9) / np.sqrt(8 * np.pi)


def ring_centers(k=8, radius=2.0):
    """(k, 2) points on a circle."""
    angles = 2 * np.pi * np.arange(k) / k
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ring(n, rng, *, k=8, radius=2.0, spread=0.1):
    """(n, 2) samples around `ring_centers(k, radius)`, each center equally often."""
    centers = ring_centers(k, radius)[rng.integers(0, k, n)]
    return (centers + rng.normal(0, spread, (n, 2))).astype("float32")


# ---------------------------------------------------------------------------- training


def make_steps(
    generator, discriminator, *, rates=(0.002, 0.01), beta_1=0.0, gamma=0.0,
    saturating=False, num_steps=None,
):  # fmt: skip
    """One training step for each player: functions d_step(real, z) and g_step(z).

    D lowers softplus(-D(x)) + softplus(D(G(z))) + γ/2 |∇D(x)|², G lowers
    softplus(-D(G(z))), on the mean over a batch; both return their loss. The penalty γ
    is R1 of Mescheder et al. (2018).

    A step changes nothing of the other player, not even the moving averages of batch
    normalization or the seed of dropout: `stateless_call` computes and forgets them.

    Args:
        generator, discriminator: Keras models; D returns logits (batch, 1).
        rates: learning rates of G and D; each player has an Adam with `beta_1`.
        saturating: give G the loss of the minimax game, log(1 - σ(D(G(z)))).
        num_steps: if given, both rates sink to zero along a cosine in so many steps.
    """
    import keras
    import tensorflow as tf

    softplus, mean = keras.ops.softplus, keras.ops.mean
    sinking = keras.optimizers.schedules.CosineDecay
    rates = [sinking(rate, num_steps) if num_steps else rate for rate in rates]
    g_optimizer, d_optimizer = (keras.optimizers.Adam(r, beta_1, 0.99) for r in rates)
    g_weights, d_weights = generator.trainable_variables, discriminator.trainable_variables
    g_optimizer.build(g_weights)
    d_optimizer.build(d_weights)

    def look(model, x):  # as in training, but nothing in the model changes
        state = model.trainable_variables, model.non_trainable_variables
        return model.stateless_call(*state, x, training=True)[0]

    @tf.function
    def d_step(real, z):
        fake = look(generator, z)
        with tf.GradientTape() as tape:
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(real)
                real_logits = discriminator(real, training=True)
            fake_logits = discriminator(fake, training=True)
            loss = mean(softplus(-real_logits)) + mean(softplus(fake_logits))
            if gamma:
                slopes = inner.gradient(real_logits, real)
                loss += gamma / 2 * keras.ops.sum(slopes**2) / len(slopes)
        d_optimizer.apply(tape.gradient(loss, d_weights), d_weights)
        return loss

    @tf.function
    def g_step(z):
        with tf.GradientTape() as tape:
            logits = look(discriminator, generator(z, training=True))
            loss = -mean(softplus(logits)) if saturating else mean(softplus(-logits))
        g_optimizer.apply(tape.gradient(loss, g_weights), g_weights)
        return loss

    return d_step, g_step


def play(generator, discriminator, real, rng, *, batch=128, g_steps=1, watch=None, **more):
    """Both step in turn over `real`, a batch a round. Returns (rounds, 2) losses of D, G.

    Args:
        real: (n, ...) float32 samples in random order; n // batch rounds are played.
        rng: numpy Generator that draws the noise, standard normal.
        g_steps: steps of G after each step of D.
        watch: called as watch(round) after each round, 1 to the last.
        more: settings of `make_steps`.
    """
    rounds, width, losses = len(real) // batch, generator.input_shape[1], []
    if rounds < 1:
        raise ValueError(f"real: expected ≥ {batch} samples, one batch, got {len(real)}")
    d_step, g_step = make_steps(generator, discriminator, **more)

    def noise():
        return rng.standard_normal((batch, width), dtype="float32")

    for i in range(rounds):
        d_loss = d_step(real[i * batch : (i + 1) * batch], noise())
        for _ in range(g_steps):
            g_loss = g_step(noise())
        losses.append((float(d_loss), float(g_loss)))
        if watch:
            watch(i + 1)
    return np.array(losses)


# ------------------------------------------------------------------------------ networks


def build_players(noise, features, *, hidden=32):
    """(G, D) for points: two hidden layers of `hidden` LeakyReLU units each. Uncompiled."""
    import keras
    from keras import layers

    def build(inputs, outputs):
        stack = [keras.Input((inputs,))]
        for _ in range(2):
            stack += [layers.Dense(hidden), layers.LeakyReLU(negative_slope=0.2)]
        return keras.Sequential([*stack, layers.Dense(outputs)])

    return build(noise, features), build(features, 1)


def build_document_players(*, noise=100, widths=(256, 512), channels=(64, 32)):
    """(G, D) of a tutorial, corrected for digits (28, 28, 1) in [-1, 1]. Uncompiled.

    G: dense layers, 7 x 7, two transposed convolutions to 14 x 14 and 28 x 28, tanh; the
    normalization comes before the LeakyReLU, and no ReLU before either. D returns a
    logit. `widths` and `channels` are smaller than the tutorial's.
    """
    import keras
    from keras import layers

    def normalized(layer):
        return [layer, layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.2)]

    first, second = channels
    stride = {"kernel_size": 4, "strides": 2, "padding": "same"}
    g = [keras.Input((noise,))]
    for units in (*widths, 7 * 7 * first):
        g += normalized(layers.Dense(units, use_bias=False))
    g += [layers.Reshape((7, 7, first))]
    g += normalized(layers.Conv2DTranspose(second, use_bias=False, **stride))
    g += [layers.Conv2DTranspose(1, activation="tanh", **stride)]  # (batch, 28, 28, 1)
    d = [keras.Input((28, 28, 1))]
    for filters in (second, first):
        bend = layers.LeakyReLU(negative_slope=0.2)
        d += [layers.Conv2D(filters, **stride), bend, layers.Dropout(0.3)]
    return keras.Sequential(g), keras.Sequential([*d, layers.Flatten(), layers.Dense(1)])


# ------------------------------------------------------------------------------- figures


def animate(figures, milliseconds=250):
    """Figures as one animated PNG (bytes), over and over; they are closed."""
    import matplotlib.pyplot as plt
    from PIL import Image

    pictures = []
    for figure in figures:
        figure.set_dpi(110)
        figure.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]))
        plt.close(figure)
    palette = pictures[0].quantize(48)
    palette.putpalette([255 if v > 248 else v for v in palette.getpalette()])  # pure white
    pictures = [p.quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    file, durations = io.BytesIO(), [milliseconds] * (len(pictures) - 1) + [3000]
    pictures[0].save(file, "PNG", save_all=True, append_images=pictures[1:], loop=0,
                     duration=durations, optimize=True)  # fmt: skip
    return file.getvalue()


# ------------------------------------------------------------------- checked arguments


def _logits(logits):
    logits = np.asarray(logits, float)
    if logits.ndim not in (1, 2) or logits.shape[1:] not in ((), (1,)):
        raise ValueError(f"logits: expected shape (n,) or (n, 1), got {logits.shape}")
    return logits
