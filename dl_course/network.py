"""What a network is made of, in NumPy: activations, losses, starts, layers.

One example a row, as in Keras: x is (batch, inputs), weights are (inputs, units), a bias
is (units,). Results keep the dtype of x. y_true and y_pred stand in Keras's order.
"""

import numpy as np

from dl_course import common
from dl_course.linear import sigmoid

# ---------------------------------------------------------------- activations


def softplus(z):
    """log(1 + e^z), a smooth ReLU, in (0, ∞); without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softmax(z):
    """e^z_k / Σ_j e^z_j along the last axis: probabilities that sum to 1.

    A constant added to a row cancels. We subtract its maximum: no power exceeds 1.
    """
    z = np.asarray(z)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_sum_exp(z, axis=-1):
    """log Σ e^z along an axis; without overflow, as for `softmax`."""
    z = np.asarray(z)
    top = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - top).sum(axis=axis)) + top.squeeze(axis)


ACTIVATIONS = {  # name: f(z), f'(z)
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.heaviside(z, 0)),
    "leaky_relu": (lambda z: np.maximum(z, 0.2 * z),
                   lambda z: 0.2 + 0.8 * np.heaviside(z, 0)),
    "softplus": (softplus, sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softmax": (softmax, None),  # not element by element: its derivative is a matrix
}  # fmt: skip


def activate(name, z):
    """f(z) of the activation called `name`, a key of ACTIVATIONS; the shape of z."""
    common.one_of(name, "name", ACTIVATIONS)
    return ACTIVATIONS[name][0](common.numbers(z, "z"))


def slope(name, z):
    """f'(z) of the activation called `name`, which works element by element."""
    _, derivative = ACTIVATIONS[common.one_of(name, "name", ACTIVATIONS)]
    if derivative is None:
        raise ValueError(f"name: expected an element-wise activation, got {name!r}")
    return derivative(common.numbers(z, "z"))


# ---------------------------------------------------------------- losses


def binary_crossentropy(y_true, y_pred, *, from_logits=False):
    """mean of -y log p - (1 - y) log(1 - p), with y in [0, 1].

    y_pred holds probabilities p, clipped to [1e-7, 1 - 1e-7] as in Keras, or, with
    `from_logits`, scores z with p = sigmoid(z): then the loss is softplus(z) - y z.
    """
    p, y = common.alike(y_pred, y_true, "y_pred", "y_true")
    _probabilities("y_true", y)
    if from_logits:
        return np.mean(softplus(p) - y * p)
    _probabilities("y_pred", p)
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def categorical_crossentropy(y_true, y_pred, *, from_logits=False):
    """mean over the rows of -Σ_k y_k log p_k, with one-hot (or soft) labels y.

    y_true and y_pred are (batch, classes). y_pred holds probabilities, clipped as in
    Keras, or, with `from_logits`, scores z: then the loss is log Σ_k e^(z_k - Σ_j y_j z_j).
    """
    p, y = common.alike(y_pred, y_true, "y_pred", "y_true")
    _probabilities("y_true", y, rows=True)
    if from_logits:
        return np.mean(log_sum_exp(p - (y * p).sum(axis=-1, keepdims=True)))
    _probabilities("y_pred", p, rows=True)
    return -np.mean((y * np.log(np.clip(p, 1e-7, 1 - 1e-7))).sum(axis=-1))


# ---------------------------------------------------------------- layers


def initial_weights(inputs, units, scheme, rng):
    """Weights of shape (inputs, units) to start from.

    `scheme`: "zeros"; "ones"; "large", normal with deviation 1; "glorot", uniform in
    ±√(6 / (inputs + units)); "he", uniform in ±√(6 / inputs). `rng`: a NumPy Generator.
    """
    shape = (inputs, units)
    if scheme in ("zeros", "ones"):
        return np.full(shape, float(scheme == "ones"))
    if scheme == "large":
        return rng.normal(size=shape)
    if scheme not in ("glorot", "he"):
        raise ValueError(f"scheme: expected zeros, ones, large, glorot, he; got {scheme!r}")
    limit = np.sqrt(6 / (inputs + units if scheme == "glorot" else inputs))
    return rng.uniform(-limit, limit, shape)


def dense(x, weights, bias, activation="linear"):
    """A layer: a = f(x W + b).

    x (batch, inputs), weights (inputs, units), bias (units,) -> a (batch, units).
    """
    x, weights, bias = common.numbers(x, "x"), np.asarray(weights), np.asarray(bias)
    shapes = x.shape[1:], weights.shape, bias.shape
    if x.ndim != 2 or weights.ndim != 2 or shapes[1] != (*shapes[0], *shapes[2]):
        got = f"{x.shape}, {weights.shape}, {bias.shape}"
        expected = "(batch, inputs), (inputs, units), (units,)"
        raise ValueError(f"x, weights, bias: expected {expected}, got {got}")
    return activate(activation, x @ weights + bias)  # (batch, units)


def initial_layers(sizes, activations, rng, *, scheme="glorot"):
    """A network: a list of (weights, bias, activation), biases 0.

    `sizes`: inputs, then the units of each layer; `activations`: one name a layer.
    """
    if len(activations) != len(sizes) - 1:
        got = f"{len(activations)} for {len(sizes) - 1} layers"
        raise ValueError(f"activations: expected one for each layer, got {got}")
    return [
        (initial_weights(inputs, units, scheme, rng), np.zeros(units), name)
        for inputs, units, name in zip(sizes, sizes[1:], activations, strict=False)
    ]


def forward(x, layers):
    """All activations [a0 = x, a1, ..., aL]: each layer takes the one before."""
    activations = [common.numbers(x, "x")]
    for weights, bias, name in layers:
        activations.append(dense(activations[-1], weights, bias, name))
    return activations


def build_twin(layers):
    """The same network in Keras, with the same weights. Uncompiled."""
    import keras

    model = keras.Sequential([keras.Input((len(layers[0][0]),))])
    for weights, bias, name in layers:
        model.add(keras.layers.Dense(len(bias), activation=name))
        model.layers[-1].set_weights([weights, bias])
    return model


# ---------------------------------------------------------------- figures


def plot_activations(names=("sigmoid", "tanh", "relu", "silu")):
    """f(z) and its slope f'(z) side by side. Returns a matplotlib Figure."""
    import matplotlib.pyplot as plt

    z = np.linspace(-6, 6, 601)
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3), sharex=True)
    for name, style in zip(names, ["-", "--", "-.", ":"], strict=True):
        axes[0].plot(z, activate(name, z), style, label=name)
        axes[1].plot(z, slope(name, z), style)
    axes[0].set(ylim=(-1.3, 3), xlabel="z", title="f(z)")
    axes[1].set(xlabel="z", title="slope f′(z)")
    axes[0].legend(loc="upper left")
    return figure


def plot_losses():
    """Cross-entropy and squared error of a true example by its score. Returns a Figure."""
    import matplotlib.pyplot as plt

    z = np.linspace(-8, 4, 200)
    figure, axis = plt.subplots(figsize=(6, 2.9))
    axis.plot(z, softplus(-z), label="cross-entropy")
    axis.plot(z, (1 - sigmoid(z)) ** 2, "--", label="squared error of the probability")
    axis.set(xlabel="score z of an example whose answer is yes", ylabel="loss")
    axis.legend()
    return figure


def plot_hinges(curve, layers, widths, errors):
    """A sum of hinges, one more at a time, beside the largest error by width.

    `layers`: a hidden ReLU layer and a linear output for x in [0, 1], as in chapter 02.
    Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.1), width_ratios=[3, 2])
    x = np.linspace(0, 1, 801)[:, None]
    hidden, (weights, bias, _) = layers
    knots = -hidden[1]
    for count in range(1, len(weights) + 1):
        first = np.where(np.arange(len(weights)) < count, weights[:, 0], 0)[:, None]
        full = count == len(weights)
        y = forward(x, [hidden, (first, bias, "linear")])[-1]
        axes[0].plot(x, y, color="#D55E00", lw=2 if full else 1, alpha=1 if full else 0.3)
    axes[0].plot(x, curve(x), "--", color="#0072B2", label="curve")
    heights = forward(knots[:, None], layers)[-1]
    axes[0].plot(knots, heights, "o", color="#D55E00", label="knots of the hinges")
    axes[0].set(ylim=(-2, 2), xlabel="x", title=f"1, 2, … {len(weights)} hinges added up")
    axes[0].legend(loc="lower left")
    axes[1].loglog(widths, errors, "o-")
    axes[1].set(xlabel="hinges", title="largest error")
    return figure


def plot_powers(powers):
    """Mean square of the signal after each layer; `powers`: {scheme: one number a layer}.

    Zeros are drawn at 1e-12. Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    for (scheme, power), style in zip(powers.items(), "s^vo", strict=True):
        (line,) = axis.semilogy(np.maximum(power, 1e-12), f"{style}-", markevery=2)
        end = (len(power) - 0.4, max(power[-1], 1e-12))
        axis.text(*end, scheme, color=line.get_color(), va="center")
    axis.set(xlabel="layer", ylabel="mean square of the signal", ylim=(1e-14, 1e46))
    axis.set_xticks(range(0, 21, 5))
    return figure


# ---------------------------------------------------------------- checked arguments


def _probabilities(name, p, rows=False):
    p = np.asarray(p)
    if p.min() < 0 or p.max() > 1 or (rows and np.abs(p.sum(-1) - 1).max() > 1e-3):
        got = f"{p.min():.4g} to {p.max():.4g} (scores need from_logits=True)"
        sums = ", rows of sum 1" * rows
        raise ValueError(f"{name}: expected numbers in [0, 1]{sums}, got {got}")
