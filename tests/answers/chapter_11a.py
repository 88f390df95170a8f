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
        factor = s.std() / t.std() if t.std() else 0.0
        columns.append((t - t.mean()) * factor + s.mean())
    return np.stack(columns, axis=1)


def match_with(ddof=(0, 0), added=0.0, unmoved=False):
    def match(source, target):
        deviation = target.std(axis=0, ddof=ddof[1]) + added
        constant = target.std(axis=0) == 0
        scaled = (target - target.mean(axis=0)) / np.where(deviation == 0, 1, deviation)
        moved = scaled * source.std(axis=0, ddof=ddof[0]) + source.mean(axis=0)
        return np.where(constant & unmoved, target, moved)

    return match


def match_dividing_by_0(source, target):
    standard = (target - target.mean(axis=0)) / target.std(axis=0)
    return standard * source.std(axis=0) + source.mean(axis=0)


def first_half_only(z):
    s, n = similarities(z) - 9 * np.eye(len(z)), len(z) // 2
    return np.mean(s[:n].argmax(1) == np.arange(n) + n)


def across_only(z):
    n = len(z) // 2
    return np.mean(similarities(z)[:n, n:].argmax(1) == np.arange(n))


def filled_up(p, count):
    """By column: the rows where each class is likeliest, whatever is predicted."""
    rows = np.concatenate([np.argsort(-p[:, c])[:count] for c in range(p.shape[1])])
    labels = np.repeat(np.arange(p.shape[1]), count)
    return (rows, labels)


def entropy_by_nan_to_num(p, count):
    with np.errstate(all="ignore"):
        return np.argsort(np.nansum(p * np.log(p), axis=1))[:count]


def by_doubt(doubt):
    return lambda p, count: np.argsort(-doubt(p))[:count]


RIGHT = {
    "11a.1": [right_partners],
    "11a.2": [
        right_balanced,
        lambda p, count: np.stack(right_balanced(p, count)),
    ],
    "11a.3": [
        right_entropy,
        lambda p, count: {int(i) for i in right_entropy(p, count)},
        entropy_by_nan_to_num,
    ],
    "11a.4": [
        right_match,
        match_with(ddof=(1, 1)),
        match_with(added=1e-9),
    ],
}

WRONG = {
    "11a.1": [
        (with_itself, "its own best match"),
        (not_normalized, "Long rows win"),
        (lambda z: round(right_partners(z) * len(z)), "count"),
        (lambda z: similarities(z).argmax(1), "one number"),
        (first_half_only, "one half only"),
        (across_only, "other views alone"),
    ],
    "11a.2": [
        (surest, "easy class"),
        (least_sure, "least"),
        (unsorted_labels, "do not belong"),
        (lambda p, count: right_balanced(p, count)[0], "two arrays"),
        (lambda p, count: right_balanced(p, 1), "rows and as many labels are expected"),
        (filled_up, "or all if it has fewer"),
    ],
    "11a.3": [
        (nan_entropy, "NaN"),
        (lambda p, count: np.argsort(p.max(1))[:count], "smallest best probability"),
        (lambda p, count: np.argsort(-p.max(1))[:count], "surest"),
        (lambda p, count: right_entropy(p, 1), "different rows"),
        (by_doubt(lambda p: 1 - (p**2).sum(1)), "1 - Σ p²"),
        (by_doubt(lambda p: -p.std(1)), "deviation"),
        (by_doubt(lambda p: 1 - np.sort(p, axis=1)[:, -2:].sum(1)), "two largest"),
        (by_doubt(lambda p: np.sort(p, axis=1)[:, -2] - p.max(1)), "smallest margin"),
        (by_doubt(lambda p: np.nan_to_num(-np.sum(p * np.log(p), axis=1))), "come last"),
        (lambda p, count: np.zeros(count, int), "not right yet"),
        (lambda p, count: p[:count], "not right yet"),
    ],
    "11a.4": [
        (lambda s, t: right_match(t, s), "came back"),
        (lambda s, t: (t - t.mean(0)) / t.std(0), "Mean 0"),
        (lambda s, t: t - t.mean(0) + s.mean(0), "deviations"),
        (lambda s, t: (t - t.mean()) / t.std() * s.std() + s.mean(), "axis=0"),
        (lambda s, t: t, "source's mean"),
        (match_dividing_by_0, "Only move it"),
        (match_with(unmoved=True), "can still be moved"),
        (match_with(added=0.01), "Something was added"),
        (match_with(ddof=(1, 0)), "the source's mean and deviation"),
        (lambda s, t: np.nan_to_num(match_dividing_by_0(s, t)), "can still be moved"),
    ],
}
