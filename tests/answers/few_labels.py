"""Other right answers to chapter 11a's exercises, and typical wrong ones."""

import numpy as np


def similarities(z):
    z = np.asarray(z, float)
    return z @ z.T / np.outer(np.linalg.norm(z, axis=1), np.linalg.norm(z, axis=1))


def right_partners(z):
    s, n, found = similarities(z), len(z) // 2, 0
    for i in range(len(z)):
        others = [j for j in range(len(z)) if j != i]
        found += max(others, key=lambda j: s[i, j]) == (i + n) % (2 * n)
    return found / len(z)


def with_itself(z):
    return np.mean(similarities(z).argmax(1) == np.roll(np.arange(len(z)), len(z) // 2))


def not_normalized(z):
    s = z @ z.T - 1e9 * np.eye(len(z))
    return np.mean(s.argmax(1) == np.roll(np.arange(len(z)), len(z) // 2))


def right_balanced(p, count):
    label, order = p.argmax(1), np.argsort(-p.max(1))
    picked = np.concatenate([order[label[order] == c][:count] for c in range(p.shape[1])])
    return picked[::-1], label[picked[::-1]]


def surest(p, count):
    rows = np.argsort(-p.max(1))[: count * p.shape[1]]
    return rows, p[rows].argmax(1)


def least_sure(p, count):
    return right_balanced_by(p, count, np.argsort(p.max(1)))


def right_balanced_by(p, count, order):
    label = p.argmax(1)
    picked = np.concatenate([order[label[order] == c][:count] for c in range(p.shape[1])])
    return picked, label[picked]


def unsorted_labels(p, count):
    rows, labels = right_balanced(p, count)
    return rows, labels[::-1]


def right_entropy(p, count):
    entropy = [-sum(x * np.log(x) for x in row if x > 0) for row in p]
    return sorted(range(len(p)), key=lambda i: entropy[i])[-count:]


def nan_entropy(p, count):
    with np.errstate(all="ignore"):
        return np.argsort(-np.sum(p * np.log(p), axis=1))[-count:]


def right_match(source, target):
    columns = []
    for s, t in zip(source.T, target.T, strict=True):
        columns.append((t - t.mean()) * (s.std() / t.std()) + s.mean())
    return np.stack(columns, axis=1)


RIGHT = {
    "11a.1": [right_partners],
    "11a.2": [right_balanced],
    "11a.3": [right_entropy],
    "11a.4": [right_match],
}

WRONG = {
    "11a.1": [
        (with_itself, "its own best match"),
        (not_normalized, "Long rows win"),
        (lambda z: round(right_partners(z) * len(z)), "count"),
        (lambda z: similarities(z).argmax(1), "one number"),
    ],
    "11a.2": [
        (surest, "easy class"),
        (least_sure, "least"),
        (unsorted_labels, "do not belong"),
        (lambda p, count: right_balanced(p, count)[0], "two arrays"),
        (lambda p, count: right_balanced(p, 1), "rows are expected"),
    ],
    "11a.3": [
        (nan_entropy, "NaN"),
        (lambda p, count: np.argsort(p.max(1))[:count], "margin"),
        (lambda p, count: np.argsort(-p.max(1))[:count], "surest"),
        (lambda p, count: right_entropy(p, 1), "Two rows"),
    ],
    "11a.4": [
        (lambda s, t: right_match(t, s), "came back"),
        (lambda s, t: (t - t.mean(0)) / t.std(0), "Mean 0"),
        (lambda s, t: t - t.mean(0) + s.mean(0), "deviations"),
        (lambda s, t: (t - t.mean()) / t.std() * s.std() + s.mean(), "axis=0"),
        (lambda s, t: t, "source's mean"),
    ],
}
