"""Attacks on networks, and defenses: adversarial examples, membership, DP-SGD, FedAvg.

Networks are lists of (weights, bias, activation) that end linearly, as in `backprop`.
x is (batch, inputs) in [0, 1], labels are (batch,) integers. Chapter 11d.
"""

from math import comb, log

import numpy as np

from dl_course import backprop, common, network

# ------------------------------------------------------------------ what a network does


def scores(x, layers):
    """The network's outputs before softmax, (batch, classes)."""
    return backprop.remember(x, layers)[0][-1]


def losses(x, labels, layers):
    """Cross-entropy of each example, (batch,): log Σ_k e^(z_k - z_label)."""
    z = scores(x, layers)
    _labels(labels, z)
    return network.log_sum_exp(z - z[np.arange(len(z)), labels][:, None])


def blame_of_each(x, labels, layers):
    """(a, z, blame): the forward pass, and ∂loss_i/∂scores, one example i a row."""
    a, z = backprop.remember(x, layers)
    _labels(labels, a[-1])
    blame = network.softmax(a[-1])  # p, minus 1 at the right class
    blame[np.arange(len(blame)), labels] -= 1
    return a, z, blame


def update(layers, gradients, learning_rate):
    """New layers: W - learning_rate ∂loss/∂W, b alike."""
    return [
        (w - learning_rate * dw, b - learning_rate * db, name)
        for (w, b, name), (dw, db) in zip(layers, gradients, strict=True)
    ]


# ------------------------------------------------------------------ adversarial examples


def input_gradient(x, labels, layers):
    """∂loss_i/∂x_i of each example, (batch, inputs): blame sent down to the pixels."""
    a, z, blame = blame_of_each(x, labels, layers)
    deltas = backprop.backward(layers, a, z, blame)[1]
    return deltas[0] @ layers[0][0].T


def fgsm(x, labels, layers, size):
    """The fast gradient sign method (Goodfellow et al., 2015).

    x + size · sign(∂loss/∂x), cut to [0, 1]: no pixel moves by more than `size`.
    """
    _size(size)
    return np.clip(x + size * np.sign(input_gradient(x, labels, layers)), 0, 1)


def pgd(x, labels, layers, size, *, num_steps=10):
    """Many small sign steps that stay within `size` of x (Madry et al., 2018)."""
    _size(size)
    attacked = x
    for _ in range(num_steps):
        attacked = fgsm(attacked, labels, layers, 2.5 * size / num_steps)
        attacked = np.clip(attacked, x - size, x + size)
    return attacked


def train(x, labels, layers, rng, *, epochs, learning_rate=0.1, batch=64, attack=0.0):
    """SGD in random order; with `attack` > 0 each batch is first attacked by `fgsm`.

    The attack is aimed at the network as it is at that step (adversarial training).
    The rate is a number or a schedule, as for `optimizers.minimize`. Returns new layers
    of x's dtype.
    """
    layers, t = _as(x.dtype, layers), 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            some = fgsm(x[rows], labels[rows], layers, attack) if attack else x[rows]
            gradients = backprop.loss_and_gradients(some, labels[rows], layers)[1]
            rate = learning_rate(t) if callable(learning_rate) else learning_rate
            layers, t = update(layers, gradients, rate), t + 1
    return layers


# ------------------------------------------------------------------ private training


def gradient_norms(x, labels, layers):
    """The length of each example's own gradient, (batch,), without building it.

    Example i's gradient of a dense layer is a_i δ_iᵀ (and δ_i for the bias), so that its
    square is (‖a_i‖² + 1) ‖δ_i‖², added over the layers (Goodfellow, 2015).
    """
    a, z, blame = blame_of_each(x, labels, layers)
    deltas = backprop.backward(layers, a, z, blame)[1]
    squares = [
        ((before**2).sum(axis=1) + 1) * (delta**2).sum(axis=1)
        for before, delta in zip(a, deltas, strict=False)
    ]
    return np.sqrt(sum(squares))


def clipped_sum(x, labels, layers, limit):
    """Σ_i g_i · min(1, limit / ‖g_i‖): nobody contributes more than `limit`.

    Backward is linear in the blame: scaling an example's blame scales its gradient.
    Returns [(∂W, ∂b), ...].
    """
    common.positive(limit, "limit")
    norms = gradient_norms(x, labels, layers)
    a, z, blame = blame_of_each(x, labels, layers)
    share = np.minimum(1, limit / np.maximum(norms, 1e-12)).astype(blame.dtype)
    return backprop.backward(layers, a, z, blame * share[:, None])[0]


def train_privately(
    x, labels, layers, rng, *, num_steps, rate, noise, limit=1.0, learning_rate=0.1
):
    """DP-SGD (Abadi et al., 2016): clip each example's gradient, add noise to the sum.

    rate: each example takes part in a step with this chance, independently of all others.
    noise: the noise's standard deviation, in units of `limit`.
    The sum is divided by the expected batch, rate · n. Returns new layers.
    """
    _chance(rate)
    layers = _as(x.dtype, layers)
    for _ in range(num_steps):
        rows = rng.random(len(x)) < rate
        total = clipped_sum(x[rows], labels[rows], layers, limit)
        noisy = [
            tuple(
                (g + noise * limit * rng.standard_normal(g.shape, "float32"))
                / (rate * len(x))
                for g in pair
            )
            for pair in total
        ]
        layers = update(layers, noisy, learning_rate)
    return layers


def renyi(noise, rate, order):
    """Rényi divergence, of an integer order ≥ 2, that one step of DP-SGD can cause.

    log( Σ_k C(α,k) (1-q)^(α-k) q^k e^(k(k-1) / 2σ²) ) / (α-1)    (Mironov et al., 2019)

    with σ = noise, q = rate, α = order. For q = 1 it is α / 2σ².
    """
    _chance(rate)
    common.positive(noise, "noise")
    if order != int(order) or order < 2:
        raise ValueError(f"order: expected an integer ≥ 2, got {order!r}")
    order = int(order)
    if rate == 1:
        return order / (2 * noise**2)
    k = range(order + 1)
    terms = [
        log(comb(order, i)) + (order - i) * log(1 - rate) + i * log(rate)
        + i * (i - 1) / (2 * noise**2)
        for i in k
    ]  # fmt: skip
    return float(network.log_sum_exp(terms) / (order - 1))


def epsilon(noise, rate, num_steps, delta, *, orders=range(2, 257)):
    """ε of num_steps steps of DP-SGD: outputs' chances change by at most e^ε, but for δ.

    Divergences add up over the steps. Each order α gives a valid
    ε = D + log((α-1)/α) - log(δ α) / (α-1)  (Canonne et al., 2020); the least is taken.
    """
    _chance(delta)
    return min(
        num_steps * renyi(noise, rate, order)
        + log((order - 1) / order)
        - log(delta * order) / (order - 1)
        for order in orders
    )


# ------------------------------------------------------------------ federated averaging


def split_by_label(labels, clients, rng, *, shards=2):
    """Index arrays, one a client, each with few classes (McMahan et al., 2017).

    All examples, sorted by label, are cut into clients · shards runs of one length; a
    client gets `shards` of them.
    """
    if not 1 <= clients * shards <= len(labels):
        raise ValueError(f"clients: expected 1 to {len(labels) // shards}, got {clients!r}")
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    runs = np.array_split(order, clients * shards)
    mixed = rng.permutation(clients * shards).reshape(clients, shards)
    return [np.concatenate([runs[r] for r in mine]) for mine in mixed]


def average(networks, sizes):
    """The weighted mean of networks of one shape; `sizes`: one weight ≥ 0 a network."""
    if len(networks) != len(sizes) or not sum(sizes) > 0:
        raise ValueError(f"sizes: expected {len(networks)} weights, got {sizes!r}")
    shares = np.asarray(sizes, float) / sum(sizes)
    mean = []
    for copies in zip(*networks, strict=True):
        w, b = (
            sum(share * copy[i] for share, copy in zip(shares, copies, strict=True))
            for i in (0, 1)
        )
        mean.append(
            (w.astype(copies[0][0].dtype), b.astype(copies[0][1].dtype), copies[0][2])
        )
    return mean


def federated_round(x, labels, parts, layers, rng, **settings):
    """Every client trains a copy on its own rows (`parts`); the copies are averaged."""
    trained = [train(x[rows], labels[rows], layers, rng, **settings) for rows in parts]
    return average(trained, [len(rows) for rows in parts])


# ------------------------------------------------------------------ checked arguments


def _as(dtype, layers):
    return [(w.astype(dtype), b.astype(dtype), name) for w, b, name in layers]


def _size(size):
    if not 0 <= size <= 1:
        raise ValueError(f"size: expected a number from 0 to 1, got {size!r}")


def _chance(value):
    if not 0 < value <= 1:
        raise ValueError(
            f"rate, delta: expected a chance above 0, at most 1, got {value!r}"
        )


def _labels(labels, z):
    common.integers(labels, "labels", len(z), below=z.shape[1])
