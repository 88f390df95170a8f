"""Other right answers to chapter 11d's exercises, and typical wrong ones."""

import numpy as np


def right_step(x, gradient, s):
    moved = x + np.where(gradient > 0, s, np.where(gradient < 0, -s, 0))
    return np.minimum(1, np.maximum(0, moved)).tolist()


def right_margin(x, y, w, b, s):
    worst = x - y * s * np.sign(w)
    return y * (np.dot(worst, w) + b)


def right_clip(gradients, limit):
    total = np.zeros(gradients.shape[1])
    for g in gradients:
        norm = np.sqrt(np.sum(g**2))
        total += g if norm <= limit else g * limit / norm
    return total


def clip_all(gradients, limit):
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return (gradients * limit / norms).sum(axis=0)


def careless_zero(gradients, limit):
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return (gradients / norms * np.minimum(norms, limit)).sum(axis=0)


def clip_sum(gradients, limit):
    total = gradients.sum(axis=0)
    return total * min(1, limit / max(np.linalg.norm(total), 1e-12))


def bisect(epsilon, delta, num_steps):
    low, high = 1e-3, 1e6
    for _ in range(200):
        middle = np.sqrt(low * high)
        rho = num_steps / (2 * middle**2)
        if rho + 2 * np.sqrt(rho * np.log(1 / delta)) > epsilon:
            low = middle
        else:
            high = middle
    return high


def rho_of(epsilon, delta):
    log_term = np.log(1 / delta)
    return (np.sqrt(epsilon + log_term) - np.sqrt(log_term)) ** 2


def trimmed(updates):
    cut = (len(updates) - 1) // 2
    return np.sort(updates, axis=0)[cut : len(updates) - cut].mean(axis=0)


def shortened(updates):
    norms = np.linalg.norm(updates, axis=1, keepdims=True)
    return (updates / np.maximum(norms, 1)).mean(axis=0)


def clip_if_above_1(gradients, limit):
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.where(norms > 1, gradients * limit / np.maximum(norms, 1e-9), gradients).sum(
        axis=0
    )


def median_norm_client(updates):
    norms = np.linalg.norm(updates, axis=1)
    return updates[np.argsort(norms)[len(norms) // 2]]


RIGHT = {
    "11d.1": [right_step],
    "11d.2": [right_margin],
    "11d.3": [right_clip],
    "11d.4": [bisect],
    "11d.5": [
        trimmed,
        lambda updates: np.median(updates.astype("float32"), axis=0),
    ],
}

WRONG = {
    "11d.1": [
        (lambda x, g, s: np.clip(x - s * np.sign(g), 0, 1), "lowers"),
        (lambda x, g, s: np.clip(x + s * g, 0, 1), "sign"),
        (lambda x, g, s: x + s * np.sign(g), "clip them"),
        (lambda x, g, s: x, "differs"),
        (lambda x, g, s: np.clip(x + s * np.where(g < 0, -1, 1), 0, 1), "the pixel stays"),
    ],
    "11d.2": [
        (lambda x, y, w, b, s: y * (w @ x + b), "without any attack"),
        (lambda x, y, w, b, s: y * (w @ x + b) + s * np.abs(w).sum(), "highest"),
        (lambda x, y, w, b, s: y * (w @ x + b) - s * np.linalg.norm(w), "norm"),
        (lambda x, y, w, b, s: w @ x + b - s * np.abs(w).sum(), "other way"),
        (lambda x, y, w, b, s: y * (w @ x + b) - s * w.sum(), "differs"),
    ],
    "11d.3": [
        (lambda g, c: right_clip(g, c) / len(g), "mean"),
        (clip_all, "got longer"),
        (clip_sum, "Clip each row"),
        (lambda g, c: np.clip(g, -c, c).sum(axis=0), "Single numbers"),
        (lambda g, c: g.sum(axis=0), "Nothing was clipped"),
        (careless_zero, "NaN"),
        (clip_if_above_1, "not right yet"),
    ],
    "11d.4": [
        (lambda e, d, t: rho_of(e, d), "is ρ"),
        (lambda e, d, t: t / (2 * rho_of(e, d)), "take the root"),
        (lambda e, d, t: np.sqrt(1 / (2 * rho_of(e, d))), "single step"),
        (lambda e, d, t: np.sqrt(2 * np.log(1.25 / d)) / e, "one gets ε"),
        (lambda e, d, t: min(bisect(e, d, t), 1000.0), "one gets ε"),
        (lambda e, d, t: -bisect(e, d, t), "positive"),
    ],
    "11d.5": [
        (lambda u: u.mean(axis=0), "plain mean"),
        (shortened, "minority"),
        (lambda u: np.sort(u, axis=0)[-1], "minority"),
        (lambda u: np.median(u), "should have shape"),
        (median_norm_client, "not right yet"),
    ],
}
