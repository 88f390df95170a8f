"""Other right answers to chapter 08's exercises, and typical wrong ones."""

import numpy as np
import tensorflow as tf


def softmax(scores):
    p = np.exp(scores - np.max(scores))
    return p / p.sum()


def game(theta, psi, rate, gamma):
    s = 1 / (1 + np.exp(-psi * theta))
    return s, rate * (theta * s + gamma * psi), rate * psi


def right_step(theta, psi, rate, gamma):
    s, down, push = game(theta, psi, rate, gamma)
    return np.array([theta + push * (1 - s), psi - down])


def saturating(theta, psi, rate, gamma):
    s, down, push = game(theta, psi, rate, gamma)
    return theta + push * s, psi - down


def in_turn(theta, psi, rate, gamma):
    psi = psi - game(theta, psi, rate, gamma)[1]
    return theta + rate * psi / (1 + np.exp(psi * theta)), psi


def weighted(scores, picks, rewards, baseline):
    slopes = np.eye(len(scores))[picks] - softmax(scores)
    return (rewards - baseline) @ slopes / len(picks)


def right_estimate(scores, picks, rewards):
    centered = rewards - rewards.mean()
    n = len(rewards)
    return weighted(scores, picks, centered * n / (n - 1), 0)


def right_hinge(p, q):
    h = np.select([p > q, p < q], [1.0, -1.0], 0.0)
    return [h, 2 * np.minimum(p, q).sum()]


def right_penalty(discriminator, x, gamma):
    """Slope by slope, a sample at a time."""
    total = 0.0
    for one in tf.unstack(x):
        with tf.GradientTape() as tape:
            tape.watch(one)
            logit = discriminator(one[None])[0, 0]
        total += float(tf.reduce_sum(tape.gradient(logit, one) ** 2))
    return gamma / 2 * total / len(x)


def slopes_of(discriminator, x, reduce):
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = reduce(discriminator(x))
    return tape.gradient(logits, x)


def listed_penalty(discriminator, x, gamma):
    slopes = slopes_of(discriminator, x, tf.reduce_mean)
    return gamma / 2 * tf.reduce_mean(slopes**2)


def half_mended(discriminator, x, gamma):  # the sum of logits, the mean of squares
    return gamma / 2 * tf.reduce_mean(slopes_of(discriminator, x, tf.reduce_sum) ** 2)


def other_half(discriminator, x, gamma):
    slopes = slopes_of(discriminator, x, tf.reduce_mean)
    return gamma / 2 * tf.reduce_sum(slopes**2) / len(x)


def summed(discriminator, x, gamma):
    return gamma / 2 * tf.reduce_sum(slopes_of(discriminator, x, tf.reduce_sum) ** 2)


def dirac_distances(in_turn=False, rate=0.2, gammas=None, absolute=False):
    """The best gamma, and the distances with gamma 0 and 4, by a loop over all at once."""
    gammas = np.arange(41) / 10 if gammas is None else gammas
    theta, psi = np.full((2, len(gammas)), 0.01)
    for _ in range(100):
        s = 1 / (1 + np.exp(-psi * theta))
        new = psi - rate * (theta * s + gammas * psi)
        theta, psi = theta + rate * (new if in_turn else psi) * s, new
    away = np.hypot(theta, psi) / (1 if absolute else 0.01 * np.sqrt(2))
    return gammas[away.argmin()], away[0], away[-1]


def swapped_distances():
    best, control, strong = dirac_distances()
    return best, strong, control


RIGHT = {
    "08.4": [right_step],
    "08.5": [
        right_estimate,
        lambda s, p, r: weighted(s, p, r, 10),
        lambda s, p, r: weighted(s, p, r, 9.5),
    ],
    "08.6": [right_hinge],
    "08.7": [right_penalty],
    "08.8": [dirac_distances],
}

WRONG = {
    "08.4": [
        (saturating, "saturating"),
        (in_turn, "old point"),
        (lambda t, p, r, g: right_step(t, p, r, 0), "penalty"),
        (lambda t, p, r, g: right_step(t, p, r, g)[::-1], "swapped"),
        (lambda t, p, r, g: right_step(t, p, r, -g), "new ψ is wrong"),
    ],
    "08.5": [
        (lambda s, p, r: weighted(s, p, r, 0), "too noisy"),
        (lambda s, p, r: weighted(s, p, r, r.mean()), "own reward"),
        (lambda s, p, r: -right_estimate(s, p, r), "not the gradient"),
        (lambda s, p, r: right_estimate(s, p, r).sum(), "shape"),
        (lambda s, p, r: weighted(s, p, r, r.min()), "own reward"),
        (lambda s, p, r: len(p) * right_estimate(s, p, r), "too large"),
    ],
    "08.6": [
        (lambda p, q: (-right_hinge(p, q)[0], right_hinge(p, q)[1]), "reversed"),
        (lambda p, q: (p / (p + q), right_hinge(p, q)[1]), "section 1"),
        (lambda p, q: (p - q, right_hinge(p, q)[1]), "ends"),
        (lambda p, q: (np.where(p >= q, 1, -1), right_hinge(p, q)[1]), "should be 0"),
        (lambda p, q: (right_hinge(p, q)[0], np.minimum(p, q).sum()), "half"),
        (lambda p, q: (right_hinge(p, q)[0], 2 * np.minimum(p, q).mean()), "average"),
        (lambda p, q: (right_hinge(p, q)[0], np.abs(p - q).sum()), "gain"),
        (lambda p, q: right_hinge(p, q)[0], "two values"),
    ],
    "08.7": [
        (listed_penalty, "Both"),
        (half_mended, "own squares"),
        (other_half, "1/batch"),
        (summed, "their sum"),
        (lambda d, x, g: 2 * right_penalty(d, x, g), "γ/2"),
        (lambda d, x, g: right_penalty(d, x, 1), "not γ/2"),
    ],
    "08.8": [
        (swapped_distances, "swapped"),
        (lambda: dirac_distances(absolute=True), "at the start"),
        (lambda: dirac_distances(in_turn=True), "control"),
        (lambda: (4.0, *dirac_distances()[1:]), "largest"),
        (lambda: (0.3, *dirac_distances()[1:]), "larger"),
        (lambda: (2.0, *dirac_distances()[1:]), "Another"),
        (lambda: dirac_distances(rate=0.1), "control is off"),
    ],
}
