"""Answers to the exercises of chapter 04: other right ones, and typical wrong ones."""

import math

import numpy as np

from dl_course import optimizers as o


def momentum_in_place(w, g, v, learning_rate, beta):
    v *= beta
    v -= learning_rate * g
    return [w + v, v]


def momentum_by_numbers(w, g, v, learning_rate, beta):
    v = [
        beta * b - learning_rate * a for a, b in zip(np.ravel(g), np.ravel(v), strict=True)
    ]
    return w + np.reshape(v, np.shape(w)), np.reshape(v, np.shape(w))


def average_by_weights(values, beta):
    out = []
    for t in range(1, len(values) + 1):
        weights = [beta ** (t - 1 - i) for i in range(t)]
        total = sum(weight * value for weight, value in zip(weights, values, strict=False))
        out.append(total / sum(weights))
    return out


def plain_ema(values, beta, correct=lambda m, t, beta: m):
    m, out = 0.0, []
    for t, value in enumerate(values, 1):
        m = beta * m + (1 - beta) * value
        out.append(correct(m, t, beta))
    return np.array(out)


def ema_fed_back(values, beta):
    m, out = 0.0, []
    for t, value in enumerate(values, 1):
        m = (beta * m + (1 - beta) * value) / (1 - beta**t)
        out.append(m)
    return out


def clip_with_one_vector(gradients, limit):
    long = np.concatenate([g.ravel() for g in gradients])
    norm = np.linalg.norm(long)
    scaled = long * min(1, limit / norm) if norm > 0 else long
    cuts = np.cumsum([g.size for g in gradients])[:-1]
    pieces = np.split(scaled, cuts)
    return tuple(p.reshape(g.shape) for p, g in zip(pieces, gradients, strict=True))


def norm_of(gradients):
    return np.sqrt(sum((g**2).sum() for g in gradients))


def half_cosine(step, num_steps, warmup_steps, peak):
    if step <= warmup_steps:
        return peak * (step / warmup_steps)
    angle = math.pi * (step - warmup_steps) / (num_steps - warmup_steps)
    return peak * math.cos(angle / 2) ** 2


def only_fall(step, num_steps, warmup_steps, peak):
    return peak * (1 + np.cos(np.pi * step / num_steps)) / 2


def falls_too_early(step, num_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    return only_fall(step, num_steps, warmup_steps, peak)


def quarter_cosine(step, num_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    done = (step - warmup_steps) / (num_steps - warmup_steps)
    return peak * np.cos(np.pi / 2 * done)


def straight_fall(step, num_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (num_steps - step) / (num_steps - warmup_steps)


def starts_at_one(step, num_steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    return half_cosine(step, num_steps, warmup_steps, peak)


def with_minimize(step, num_steps=300, **settings):
    return lambda gradient, w: o.minimize(step, gradient, w, num_steps, **settings)[-1]


def clip_if_longer_than_1(gradients, limit):
    norm = norm_of(gradients)
    return [g * limit / norm if norm > 1 else g for g in gradients]


RIGHT = {
    "04.1": [
        momentum_by_numbers,
        lambda w, g, v, r, b: (w + (b * v - r * g), b * v - r * g),
        lambda w, g, v, r, b: np.stack([w + (b * v - r * g), b * v - r * g]),
    ],
    "04.2": [
        average_by_weights,
        lambda v, b: plain_ema(v, b, lambda m, t, b: m / (1 - b**t)),
    ],
    "04.3": [clip_with_one_vector, o.clip_by_global_norm],
    "04.4": [half_cosine],
    "04.5": [
        with_minimize(o.sgd, learning_rate=o.cosine(0.5, 300), momentum=0.9, nesterov=True)
    ],
}

WRONG = {
    "04.1": [
        (lambda w, g, v, r, b: w + b * v - r * g, "Return two things"),
        (lambda w, g, v, r, b: (b * v - r * g, w + b * v - r * g), "w first"),
        (
            lambda w, g, v, r, b: (w - r * (b * v + (1 - b) * g), b * v + (1 - b) * g),
            "moving average",
        ),
        (lambda w, g, v, r, b: (w + b * v + r * g, b * v + r * g), "uphill"),
        (lambda w, g, v, r, b: (w + v, b * v - r * g), "not by the old one"),
        (lambda w, g, v, r, b: (w - (b * v - r * g), b * v - r * g), "add it to w"),
        (lambda w, g, v, r, b: (w + b * v - 2 * r * g, b * v - r * g), "twice"),
        (momentum_in_place, "changed its input v: work on a copy"),
    ],
    "04.2": [
        (plain_ema, "still shows"),
        (lambda v, b: plain_ema(v, b, lambda m, t, b: m / (1 - b)), "fades"),
        (lambda v, b: plain_ema(v, b, lambda m, t, b: m * (1 - b**t)), "do not multiply"),
        (
            lambda v, b: plain_ema(v, b, lambda m, t, b: m / (1 - b ** max(t - 1, 1))),
            "t starts at 1",
        ),
        (lambda v, b: np.cumsum(v) / np.arange(1, len(v) + 1), "plain average"),
        (ema_fed_back, "uncorrected m"),
        (lambda v, b: plain_ema(v, b)[-1] / (1 - b ** len(v)), "after each"),
    ],
    "04.3": [
        (lambda gs, c: [g * min(1, c / np.linalg.norm(g)) for g in gs], "by itself"),
        (lambda gs, c: [np.clip(g, -c, c) for g in gs], "bends"),
        (lambda gs, c: [g * c / sum(np.linalg.norm(h) for h in gs) for g in gs], "not add"),
        (lambda gs, c: [g * c / norm_of(gs) ** 2 for g in gs], "root"),
        (lambda gs, c: [g * c / norm_of(gs) for g in gs], "shorter than the limit"),
        (lambda gs, c: gs[0], "a list with one array for each"),
        (clip_if_longer_than_1, "not right yet"),
        (
            lambda gs, c: gs if norm_of(gs) < 1.1 * c else clip_with_one_vector(gs, c),
            "Nothing was shortened",
        ),
    ],
    "04.4": [
        (only_fall, "rise is missing"),
        (falls_too_early, "starts at step 0"),
        (quarter_cosine, "quarter"),
        (straight_fall, "straight line"),
        (starts_at_one, "step 0 should be 0"),
        (lambda t, n, w, p: half_cosine(t, n, w, p) if t != n - 1 else 0.0, "is off"),
    ],
    "04.5": [
        (with_minimize(o.sgd, learning_rate=1.0), "calm the noise"),
        (with_minimize(o.sgd, learning_rate=0.01), "too small"),
        (with_minimize(o.sgd, 400, learning_rate=0.5), "budget"),
        (lambda gradient, w: w, "never asked"),
        (lambda gradient, w: gradient(w)[0], "shape (20,)"),
    ],
}
