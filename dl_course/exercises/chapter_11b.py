"""Checks of chapter 11b."""

import numpy as np

from dl_course.exercises import call, compare, numbers, same

# ---------------------------------------------------------------- 11b.1 differences


def check_differences(answer, rng):
    for shape, step, integers in (
        ((2, 3), 0.1, False),
        ((4,), 0.3, False),
        ((2, 2), 0.2, True),
    ):
        w, x = rng.uniform(0.5, 2, shape), rng.uniform(0.5, 1, shape)
        if integers:
            x = rng.integers(1, 5, shape)
        differences_once(answer, w, x, step)


def differences_once(answer, w, x, step):
    def f(v):
        """Cubes, so that the step can be seen in the result, and a product."""
        return np.sum(w * np.asarray(v) ** 3) + np.prod(v)

    def differences(ahead, behind, distance):
        slopes = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            move = np.zeros(x.shape)
            move[place] = 1
            slopes[place] = (f(x + ahead * move) - f(x - behind * move)) / distance
        return slopes

    right = differences(step, step, 2 * step)
    got = numbers(call(answer, f, x, step), "The result")
    compare(
        got,
        right,
        {
            "This is the forward difference: also step back, and divide by 2h.": (
                differences(step, 0, step)
            ),
            "Twice too large: the distance is 2h.": 2 * right,
            "The sign is reversed: ahead minus behind.": -right,
            "This is a difference of values: divide by the distance, 2h.": (
                2 * right * step
            ),
            "Divide by the distance, 2h, not by 2.": right * step,
            "`step` is ignored.": same(got, 3 * w * x**2 + np.prod(x) / x, 1e-3),
            "x holds integers, and the moved copy lost the step: make it a float.": (
                x.dtype.kind == "i"
            ),
        },
        "It is not (f(x + h) - f(x - h)) / 2h of each entry.",
    )


# ---------------------------------------------------------------- 11b.2 integrate


def check_attributions(answer, rng):
    for below in (False, True):
        n = int(rng.integers(3, 6))
        x, baseline = rng.uniform(2, 3, 5), rng.uniform(0.5, 1, 5)
        if below:
            x[:2] = rng.uniform(-2, -1, 2)  # below the baseline
        mixer = np.eye(5) + 0.3 * rng.normal(size=(5, 5))

        def gradient(v, mixer=mixer):
            """Entries hang together; one point at a time, as the text says."""
            v = np.asarray(v)
            if v.shape != (5,):
                raise ValueError(f"gradient: expected one point, (5,), got {v.shape}")
            return 3 * mixer @ (v * v)

        def with_points(t, start=baseline, x=x, gradient=gradient):
            return np.mean([gradient(start + s * (x - start)) for s in t], axis=0)

        middle, way = (np.arange(n) + 0.5) / n, x - baseline
        got = call(answer, gradient, x, baseline, n)
        off_middle = (np.arange(n) / n, (np.arange(n) + 1) / n, np.linspace(0, 1, n))
        compare(
            got,
            way * with_points(middle),
            {
                "Multiply by the distance, x - baseline.": with_points(middle),
                "Multiply by x - baseline, not by x.": x * with_points(middle),
                "x may lie below the baseline: keep the sign of x - baseline.": (
                    np.abs(way) * with_points(middle)
                ),
                "Take the mean over the points, not the sum.": (
                    n * way * with_points(middle)
                ),
                "These are not the midpoints: t = (k + ½) / n.": any(
                    same(got, way * with_points(points)) for points in off_middle
                ),
                "The way begins at the baseline, not at zero.": (
                    way * with_points(middle, 0 * baseline)
                ),
            },
            "It differs from mean gradient × way.",
        )


# ---------------------------------------------------------------- 11b.3 the same order


def check_order(answer, rng):
    while True:  # until all mistakes give another result
        a, b = np.exp(rng.permutation(9) * 0.7), rng.permutation(9) ** 3.0
        right = np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1]
        once = np.corrcoef(a.argsort(), b.argsort())[0, 1]
        values = np.corrcoef(a, b)[0, 1]
        others = [once, values, 1.0]
        if right < -0.1 and min(abs(abs(v) + right) for v in others) > 0.05:
            break
    compare(
        call(answer, a, b),
        right,
        {
            "`argsort` once gives the order of places; ranks need it twice.": once,
            "This correlates the values; take their ranks.": values,
            "Opposite orders give less than 0: keep the sign.": -right,
        },
        "It is not the correlation of the ranks.",
    )
    a = rng.normal(size=5)
    compare(call(answer, a, np.exp(a)), 1, {}, "The same order should give 1.")
    compare(call(answer, a, -(a**3)), -1, {}, "Opposite orders should give -1.")


# ---------------------------------------------------------------- 11b.4 a group


def check_growth(answer, rng):
    for group in ([0, 1], [0, 2], [3, 1], [1]):
        growth_once(answer, rng, group)


def growth_once(answer, rng, group):
    n = 12
    x = rng.normal(size=(n, 4)) + np.arange(4) * 2
    w = rng.uniform(1, 2, 4)
    order = rng.permutation(n)

    def predict(rows):
        return rows @ w + rows[:, 0] * rows[:, 1] + rows[:, 1] * rows[:, 3]

    y = predict(x) + rng.normal(size=n)

    def error(rows):
        return np.mean((predict(rows) - y) ** 2)

    def with_columns(columns):
        """Their rows in the given order, each column alike."""
        shuffled = x.copy()
        shuffled[:, columns] = x[order][:, columns]
        return shuffled

    right = error(with_columns(group)) - error(x)
    compare(
        call(answer, predict, x, y, group, order),
        right,
        {
            "Subtract the error before the shuffle.": right + error(x),
            "The sign is reversed: after minus before.": -right,
            "All columns were shuffled: leave those outside the group alone.": (
                error(x[order]) - error(x)
            ),
            "Nothing was shuffled, or `x` and its copy are one array.": 0.0,
            "The group lists columns; it is no range from the first to the last.": (
                error(with_columns(list(range(min(group), max(group) + 1)))) - error(x)
            ),
        },
        "It is not the growth for columns that move together, in the given order.",
    )


CHECKS = {
    "11b.1": check_differences,
    "11b.2": check_attributions,
    "11b.3": check_order,
    "11b.4": check_growth,
}
