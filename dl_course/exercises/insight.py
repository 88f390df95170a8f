"""Checks of chapter 11b."""

import numpy as np

from dl_course.exercises import call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 11b.1 differences


def check_differences(answer):
    w, x, step = RNG.uniform(0.5, 2, (2, 3)), RNG.uniform(0.5, 1, (2, 3)), 0.1

    def f(v):
        return np.sum(w * np.asarray(v) ** 2) + np.prod(v)

    got = numbers(call(answer, f, x, step), "The result")
    expect(got.shape == x.shape, f"The shape of x, {x.shape}, is expected.")
    right = 2 * w * x + np.prod(x) / x
    forward = right + w * step
    expect(
        not same(got, forward, 1e-4),
        "This is the forward difference: also step back, and divide by 2h.",
    )
    expect(not same(got, 2 * right, 1e-4), "Twice too large: the distance is 2h.")
    expect(not same(got, -right, 1e-4), "The sign is reversed: ahead minus behind.")
    expect(
        not same(got, right * step, 1e-4) and not same(got, 2 * right * step, 1e-4),
        "This is a difference of values: divide by the distance, 2h.",
    )
    expect(same(got, right, 1e-4), "It is not (f(x + h) - f(x - h)) / 2h of each entry.")


# ---------------------------------------------------------------- 11b.2 integrate


def check_attributions(answer):
    n, power = int(RNG.integers(3, 6)), 2
    x, baseline = RNG.uniform(2, 3, 5), RNG.uniform(0.5, 1, 5)
    got = numbers(call(answer, lambda v: 3 * v**power, x, baseline, n), "The result")
    expect(got.shape == x.shape, f"The shape of x, {x.shape}, is expected.")

    def with_points(t):
        return 3 * np.mean([(baseline + s * (x - baseline)) ** power for s in t], axis=0)

    middle, way = (np.arange(n) + 0.5) / n, x - baseline
    expect(not same(got, with_points(middle)), "Multiply by the distance, x - baseline.")
    expect(not same(got, x * with_points(middle)), "Multiply by x - baseline, not by x.")
    expect(
        not same(got, n * way * with_points(middle)),
        "Take the mean over the points, not the sum.",
    )
    for points in (np.arange(n) / n, (np.arange(n) + 1) / n, np.linspace(0, 1, n)):
        expect(
            not same(got, way * with_points(points)),
            "These are not the midpoints: t = (k + ½) / n.",
        )
    expect(
        not same(got, way * 3 * np.mean([(s * x) ** power for s in middle], axis=0)),
        "The way begins at the baseline, not at zero.",
    )
    expect(same(got, way * with_points(middle)), "It differs from mean gradient × way.")


# ---------------------------------------------------------------- 11b.3 the same order


def check_order(answer):
    while True:  # until all mistakes give another result
        a, b = np.exp(RNG.permutation(9) * 0.7), RNG.permutation(9) ** 3.0
        right = np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1]
        once = np.corrcoef(a.argsort(), b.argsort())[0, 1]
        values = np.corrcoef(a, b)[0, 1]
        others = [once, values, 1.0]
        if right < -0.1 and min(abs(abs(v) + right) for v in others) > 0.05:
            break
    got = numbers(call(answer, a, b), "The result")
    expect(got.shape == (), "Return one number.")
    expect(
        not same(got, once),
        "`argsort` once gives the order of places; ranks need it twice.",
    )
    expect(not same(got, values), "This correlates the values; take their ranks.")
    expect(not same(got, -right), "Opposite orders give less than 0: keep the sign.")
    expect(same(got, right), "It is not the correlation of the ranks.")


# ---------------------------------------------------------------- 11b.4 a group


def check_growth(answer):
    n = 12
    x = RNG.normal(size=(n, 3)) + np.arange(3) * 2
    w = RNG.uniform(1, 2, 3)
    order = np.roll(np.arange(n), int(RNG.integers(1, n)))

    def predict(rows):
        return rows @ w + rows[:, 0] * rows[:, 1]

    y = predict(x) + RNG.normal(size=n)
    mine = x.copy()
    got = call(answer, predict, mine, y, [0, 1], order)
    got = numbers(got, "The growth")
    expect(got.shape == (), "Return one number, the growth of the mean squared error.")

    def error(rows):
        return np.mean((predict(rows) - y) ** 2)

    shuffled = x.copy()
    shuffled[:, [0, 1]] = x[order][:, [0, 1]]
    right = error(shuffled) - error(x)
    expect(not same(got, error(shuffled)), "Subtract the error before the shuffle.")
    expect(not same(got, -right), "The sign is reversed: after minus before.")
    expect(
        not same(got, error(x[order]) - error(x)),
        "All columns were shuffled: leave those outside the group alone.",
    )
    expect(not same(got, 0.0), "Nothing was shuffled, or `x` and its copy are one array.")
    expect(same(got, right), "It is not the growth for columns that move together.")


CHECKS = {
    "11b.1": check_differences,
    "11b.2": check_attributions,
    "11b.3": check_order,
    "11b.4": check_growth,
}
