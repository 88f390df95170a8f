"""Right and wrong answers to chapter 02's exercises."""

import math

import numpy as np
from scipy import stats

# ---------------------------------------------------------------- right


def hinges_by_solving(knots, heights):
    hinges = np.maximum(0, knots[1:, None] - knots[:-1])
    return list(np.linalg.solve(hinges, heights[1:] - heights[0])), [heights[0]]


def early_stopping_by_slices(losses, patience):
    for epoch in range(len(losses)):
        best = int(np.argmin(losses[: epoch + 1]))
        if epoch - best == patience:
            return epoch, best
    return epoch, best


def stopping(losses, patience, start=None, min_delta=0.0):
    best, lowest = 0, losses[0] if start is None else start
    for epoch, loss in enumerate(losses):
        if loss < lowest - min_delta:
            best, lowest = epoch, loss
        if epoch - best >= patience:
            break
    return epoch, best


def with_min_delta(losses, patience):
    return stopping(losses, patience, min_delta=1e-3)


def starting_at_100(losses, patience):
    return stopping(losses, patience, start=100.0)


def best_twice_at_the_end(losses, patience):
    epoch, best = stopping(losses, patience)
    return (epoch, best) if epoch - best >= patience else (best, best)


def area_by_ranks(labels, scores):
    """Mann and Whitney's way: the ranks of the yes, less what they would be at least."""
    yes = labels == 1
    ranks = stats.rankdata(scores)
    n = yes.sum()
    return (ranks[yes].sum() - n * (n + 1) / 2) / (n * (~yes).sum())


def encoding_by_sums(makers, y, fold, fallback=None):
    kinds, index = np.unique(makers, return_inverse=True)
    encoding = np.empty(len(y))
    for k in np.unique(fold):
        part = fold != k
        total = np.bincount(index[part], y[part], minlength=len(kinds))
        count = np.bincount(index[part], minlength=len(kinds))
        other = y[part].mean() if fallback is None else fallback
        by_kind = np.where(count > 0, total / np.maximum(count, 1), other)
        encoding[~part] = by_kind[index[~part]]
    return encoding


def encoding_without_itself(makers, y, fold):
    rows = np.arange(len(y))
    same = [(makers == makers[i]) & (rows != i) for i in rows]
    return np.array([y[s].mean() if s.any() else np.delete(y, i).mean()
                     for i, s in enumerate(same)])  # fmt: skip


def ridge_simulated(repeats=3000, number=1):
    x, places = (np.arange(30) + 0.5) / 30, np.linspace(0.02, 0.98, 200)
    knots = np.arange(1, 27) / 27
    F, F_new = (np.column_stack([np.ones(len(u)), u, np.maximum(0, u[:, None] - knots)])
                for u in (x, places))  # fmt: skip
    wave, at = (np.sin(2 * np.pi * u) + 0.5 * np.cos(5 * np.pi * u) for u in (x, places))
    y = wave[:, None] + np.random.default_rng(number).normal(scale=0.4, size=(30, repeats))
    rows = []
    for alpha in (1e-6, 0.01, 100):
        tall = np.vstack([F, np.sqrt(alpha) * np.eye(28)])  # the penalty as more rows
        targets = np.vstack([y, np.zeros((28, repeats))])
        fits = F_new @ np.linalg.lstsq(tall, targets, rcond=None)[0]
        rows.append((np.mean((fits.mean(axis=1) - at) ** 2), fits.var(axis=1).mean()))
    return np.array(rows)


RIGHT = {
    "02.2": [
        hinges_by_solving,
        lambda knots, heights: (
            np.array(hinges_by_solving(knots, heights)[0])[
                :, None
            ],  # as `dense` takes them
            heights[:1],
        ),
    ],
    "02.4": [
        early_stopping_by_slices,
        lambda losses, patience: np.array(early_stopping_by_slices(losses, patience)),
    ],
    "02.5": [(0, 3, math.log(7 / 2), 15), [0.0, 3.0, -np.log(1 / 3.5), 15.0]],
    "02.6": [area_by_ranks, lambda labels, scores: [area_by_ranks(labels, scores)][0]],
    "02.7": [
        lambda inputs, s, r: (1 - r) / (inputs * (0.5 + 0.5 * s * s)),
        lambda inputs, s, r: np.array(2 / inputs / (1 + s**2) * (1 - r)),
    ],
    "02.8": [encoding_by_sums, lambda m, y, f: encoding_by_sums(m, y, f).tolist()],
    "02.9": [ridge_simulated(), [list(row) for row in ridge_simulated(1000, 5)]],
}

# ---------------------------------------------------------------- wrong


def slopes(knots, heights):
    return np.diff(heights) / np.diff(knots), heights[0]


def height_changes(knots, heights):
    return np.diff(np.diff(heights), prepend=0), heights[0]


def no_bias(knots, heights):
    return np.diff(np.diff(heights) / np.diff(knots), prepend=0), 0.0


def stop_at_best_of_all(losses, patience):
    return early_stopping_by_slices(losses, patience)[0], int(np.argmin(losses))


def patience_never_reset(losses, patience):
    waited, best = 0, 0
    for epoch in range(1, len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        else:
            waited += 1
        if waited == patience:
            break
    return epoch, best


def ties_improve(losses, patience):
    best = 0
    for epoch in range(len(losses)):
        if losses[epoch] <= losses[best]:
            best = epoch
        if epoch - best == patience:
            break
    return epoch, best


WRONG = {
    "02.2": [
        (slopes, "These are the slopes"),
        (height_changes, "changes of height"),
        (no_bias, "look at the bias"),
        (lambda knots, heights: heights, "Return two things"),
        (lambda knots, heights: (np.zeros(5), heights[0]), "does not go through"),
        (
            lambda knots, heights: (
                np.diff(np.diff(heights) / np.diff(knots), append=0),
                heights[0],
            ),
            "does not go through",
        ),
    ],
    "02.4": [
        (stop_at_best_of_all, "training never got there"),
        (
            lambda losses, patience: early_stopping_by_slices(losses, patience)[::-1],
            "swapped",
        ),
        (patience_never_reset, "starts anew"),
        (ties_improve, "no improvement"),
        (lambda losses, patience: 3, "Return two epochs"),
        (with_min_delta, "as small as it likes"),
        (starting_at_100, "as large"),
        (best_twice_at_the_end, "outlasts"),
        (lambda losses, patience: stopping(np.round(losses, 3), patience), "as small"),
        (lambda losses, patience: stopping(losses, max(patience, 2)), "with patience 1"),
        (lambda losses, patience: stopping(losses, min(patience, 4)), "last moment"),
    ],
    "02.5": [
        ((-0.5, 3, np.log(3.5), 15), "negative sum into 0"),
        ((0, 4, np.log(3.5), 15), "-1, is missing"),
        ((0, 3, 1 / 3.5, 15), "This is the probability"),
        ((0, 3, -np.log(3.5), 15), "The sign"),
        ((0, 3, np.log(1.75), 15), "first class"),
        ((0, 3, np.log(3.5), 10), "biases are learnable"),
        ((0, 3, np.log(3.5), 17), "inputs have nothing"),
        ((0, 3, 15), "four numbers"),
    ],
    "02.6": [
        (lambda y, s: np.mean(s[y == 1][:, None] > s[y == 0]), "not nothing"),
        (lambda y, s: np.mean(s[y == 1][:, None] >= s[y == 0]), "not as a win"),
        (lambda y, s: 1 - area_by_ranks(y, s), "swapped"),
        (lambda y, s: np.mean((s > 0) == y), "the area is"),
        (lambda y, s: max(area_by_ranks(y, s), 1 - area_by_ranks(y, s)), "below ½"),
        (lambda y, s: area_by_ranks(y, np.round(s, 3)), "close"),
    ],
    "02.7": [
        (lambda n, s, r: 2 / ((1 + s**2) * n), "Dropout raises the mean square"),
        (lambda n, s, r: 2 * (1 - r) ** 2 / ((1 + s**2) * n), "not by 1/(1 - r)²"),
        (lambda n, s, r: 2 / ((1 + s**2) * n * (1 - r)), "smaller, not larger"),
        (lambda n, s, r: 2 * (1 - r) / ((1 + s) * n), "not s."),
        (lambda n, s, r: 2 * (1 - r) / n, "not lost"),
        (lambda n, s, r: (2 * (1 - r) / ((1 + s**2) * n)) ** 0.5, "standard deviation"),
        (lambda n, s, r: (1 - r) / ((1 + s**2) * n), "half of z"),
    ],
    "02.8": [
        (lambda m, y, f: np.array([y[m == k].mean() for k in m]), "leaky encoding"),
        (encoding_without_itself, "Only the row itself"),
        (lambda m, y, f: encoding_by_sums(m, y, f, fallback=y.mean()), "leaks its fold"),
        (lambda m, y, f: encoding_by_sums(m, y, f, fallback=0.0), "gets the mean"),
        (lambda m, y, f: y, "targets themselves"),
        (lambda m, y, f: [y[f != k].mean() for k in f], "not the mean target"),
        (lambda m, y, f: 2 * encoding_by_sums(m, y, f), "not the mean target"),
    ],
    "02.9": [
        (ridge_simulated()[:, ::-1], "swapped"),
        (ridge_simulated()[::-1], "order of α"),
        (ridge_simulated() ** [1, 0.5], "square of the deviation"),
        (ridge_simulated() ** [0.5, 1], "bias is squared"),
        (ridge_simulated() @ [[1, 0], [1, 1]], "whole error"),
        (ridge_simulated() / [1, 0.16], "not 0.4"),
        (1.3 * ridge_simulated(), "is not near"),
        (ridge_simulated()[:2], "should have shape"),
    ],
}
