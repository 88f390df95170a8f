"""Other right answers to chapter 08's exercises, and typical wrong ones."""

import numpy as np


def softmax(scores):
    p = np.exp(scores - np.max(scores))
    return p / p.sum()


def right_losses(real, fake):
    def softplus(x):
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    return [np.mean(softplus(-real)) + np.mean(softplus(fake)), np.mean(softplus(-fake))]


def naive_losses(real, fake):
    p, q = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    return -np.log(p).mean() - np.log(1 - q).mean(), -np.log(q).mean()


def right_diversity(labels):
    shares = [np.mean(labels == c) for c in set(labels.tolist())]
    return len(shares), sum(-p * np.log(p) for p in shares)


def nan_diversity(labels):
    p = np.bincount(labels, minlength=10) / len(labels)
    with np.errstate(all="ignore"):
        return np.sum(p > 0), -np.sum(p * np.log(p))


def bits(labels):
    count, entropy = right_diversity(labels)
    return count, entropy / np.log(2)


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


RIGHT = {
    "08.1": [lambda p, q: 1 / (1 + q / p)],
    "08.2": [right_losses],
    "08.3": [right_diversity],
    "08.4": [right_step],
    "08.5": [
        right_estimate,
        lambda s, p, r: weighted(s, p, r, 10),
        lambda s, p, r: weighted(s, p, r, 9.5),
    ],
}

WRONG = {
    "08.1": [
        (lambda p, q: q / (p + q), "drawn"),
        (lambda p, q: p / q, "ratio"),
        (lambda p, q: p > q, "decision"),
        (lambda p, q: p * q, "differs"),
        (lambda p, q: p / (p + q + 1e-8), "add nothing"),
    ],
    "08.2": [
        (naive_losses, "overflows"),
        (lambda r, f: right_losses(r, f)[::-1], "swapped"),
        (lambda r, f: (right_losses(r, f)[0] / 2, right_losses(r, f)[1]), "average"),
        (lambda r, f: (right_losses(r, f)[0], -np.logaddexp(0, f).mean()), "saturating"),
        (lambda r, f: (right_losses(r, f)[0], np.logaddexp(0, f).mean()), "high"),
        (lambda r, f: (right_losses(-r, -f)[0], 0.0), "signs reversed"),
        (lambda r, f: 1.0, "two values"),
    ],
    "08.3": [
        (nan_diversity, "NaN"),
        (bits, "bits"),
        (lambda x: (10, right_diversity(x)[1]), "different digits"),
        (lambda x: (right_diversity(x)[0], -right_diversity(x)[1]), "minus"),
        (lambda x: (len(set(x.tolist())), len(set(x.tolist()))), "entropy is wrong"),
    ],
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
}
