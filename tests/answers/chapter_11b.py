"""Other right answers to chapter 11b's exercises, and typical wrong ones."""

import numpy as np


def differences(f, x, ahead, behind, distance):
    x = np.array(x, float)
    out = np.empty_like(x)
    for i in range(x.size):
        plus, minus = x.copy(), x.copy()
        plus.flat[i] += ahead
        minus.flat[i] -= behind
        out.flat[i] = (f(plus) - f(minus)) / distance
    return out


def integrate(gradient, x, start, points, factor):
    total = sum(gradient(start + t * (x - start)) for t in points)
    return factor * total / len(points)


def middles(n):
    return np.linspace(0, 1, n + 1)[:-1] + 0.5 / n


def ranks(values):
    return [sum(v > w for w in values) for v in values]


def correlation(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    a, b = a - a.mean(), b - b.mean()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def right_growth(predict, x, y, group, order):
    columns = [x[order, j] if j in group else x[:, j] for j in range(x.shape[1])]
    before = np.square(y - predict(x)).mean()
    return np.square(y - predict(np.stack(columns, axis=1))).mean() - before


def all_columns(predict, x, y, group, order):
    return right_growth(predict, x, y, range(x.shape[1]), order)


def no_copy(predict, x, y, group, order):
    x[:, group] = x[order][:, group]
    return np.mean((predict(x) - y) ** 2) - np.mean((predict(x) - y) ** 2)


def after_only(predict, x, y, group, order):
    return right_growth(predict, x, y, group, order) + np.mean((predict(x) - y) ** 2)


def differences_in_the_type_of_x(f, x, h):
    out = np.zeros(x.shape)
    for i in range(x.size):
        plus, minus = x.copy(), x.copy()
        plus.flat[i] += np.array(h).astype(x.dtype)
        minus.flat[i] -= np.array(h).astype(x.dtype)
        out.flat[i] = (f(plus) - f(minus)) / (2 * h)
    return out


def as_a_slice(predict, x, y, group, order):
    return right_growth(predict, x, y, range(min(group), max(group) + 1), order)


RIGHT = {
    "11b.1": [lambda f, x, h: differences(f, x, h, h, 2 * h)],
    "11b.2": [lambda g, x, b, n: integrate(g, x, b, middles(n), x - b)],
    "11b.3": [lambda a, b: correlation(ranks(a), ranks(b))],
    "11b.4": [right_growth],
}

WRONG = {
    "11b.1": [
        (lambda f, x, h: differences(f, x, h, 0, h), "forward"),
        (lambda f, x, h: differences(f, x, h, h, h), "Twice"),
        (lambda f, x, h: -differences(f, x, h, h, 2 * h), "sign"),
        (lambda f, x, h: differences(f, x, h, h, 1), "divide"),
        (lambda f, x, h: f(x), "should have shape"),
        (lambda f, x, h: differences(f, x, 1e-5, 1e-5, 2e-5), "`step` is ignored"),
        (differences_in_the_type_of_x, "make it a float"),
    ],
    "11b.2": [
        (lambda g, x, b, n: integrate(g, x, b, middles(n), 1), "distance"),
        (lambda g, x, b, n: integrate(g, x, b, middles(n), x), "not by x"),
        (lambda g, x, b, n: n * integrate(g, x, b, middles(n), x - b), "not the sum"),
        (lambda g, x, b, n: integrate(g, x, b, np.arange(n) / n, x - b), "midpoints"),
        (lambda g, x, b, n: integrate(g, x, 0 * b, middles(n), x - b), "not at zero"),
        (lambda g, x, b, n: integrate(g, x, b, middles(n), np.abs(x - b)), "keep the sign"),
        (
            lambda g, x, b, n: (x - b) * g(b + middles(n)[:, None] * (x - b)).mean(axis=0),
            "one point",
        ),
    ],
    "11b.3": [
        (lambda a, b: correlation(np.argsort(a), np.argsort(b)), "twice"),
        (correlation, "values"),
        (lambda a, b: (ranks(a), ranks(b)), "one number"),
        (lambda a, b: abs(correlation(ranks(a), ranks(b))), "sign"),
        (
            lambda a, b: correlation(ranks(a), ranks(b)) if len(a) > 5 else 0.0,
            "same order should give 1",
        ),
    ],
    "11b.4": [
        (all_columns, "outside the group"),
        (no_copy, "changed its input x"),
        (after_only, "before the shuffle"),
        (lambda *a: -right_growth(*a), "sign"),
        (as_a_slice, "no range"),
        (
            lambda f, x, y, group, order: right_growth(
                f, x, y, group, np.roll(np.arange(len(x)), 1)
            ),
            "in the given order",
        ),
    ],
}
