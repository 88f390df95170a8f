"""Other right answers to chapter 03's exercises, and typical wrong ones."""

import math

import numpy as np

from dl_course.backprop import Value

# ---------------------------------------------------------------- other right answers


def slope_by_cases(z):
    return [1 / (1 - v) ** 2 if v < 0 else 1 / (1 + v) ** 2 for v in z]


def sine_by_a_list(v):
    return Value(np.sin(v.data), parents=[(v, np.cos(v.data))])


def check_one_by_one(f, gradient, x):
    g = gradient(x)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = 1e-5
        e = e.reshape(x.shape)
        slope = (f(x + e) - f(x - e)) / 2e-5
        if abs(slope - g.flat[i]) > 1e-3 * np.abs(g).max():
            return False
    return True


def blame_by_tanh(z, y):
    return [[(0.5 + 0.5 * math.tanh(0.5 * a) - b) / len(z)] for (a,), (b,) in zip(z, y)]  # noqa: B905


def two_layers(x, y, w1, b1, w2, b2, *, factor=None, slope=None, db=np.sum):
    a = np.tanh(x @ w1 + b1)
    p = a @ w2 + b2
    delta2 = (2 / y.size if factor is None else factor(y)) * (p - y)
    delta1 = delta2 @ w2.T * (1 - a**2 if slope is None else slope(a))
    dw1, dw2 = x.T @ delta1, a.T @ delta2
    return np.mean((p - y) ** 2), dw1, db(delta1, axis=0), dw2, delta2.sum(axis=0)


def sine_by_root(v):
    s = math.sin(v.data)
    return Value(s, [(v, math.sqrt(1 - s * s))])


def sine_by_taylor(v):
    x = v.data
    s = x - x**3 / 6 + x**5 / 120 - x**7 / 5040 + x**9 / 362880
    return Value(s, [(v, 1 - x**2 / 2 + x**4 / 24 - x**6 / 720 + x**8 / 40320)])


def judge_with(tolerance):
    def judge(f, gradient, x):
        a, b = central(f, x), gradient(x)
        return bool(np.linalg.norm(a - b) <= tolerance * np.linalg.norm(a))

    return judge


def first_number(f, gradient, x):
    a, b = central(f, x).flat[0], gradient(x).flat[0]
    return bool(abs(a - b) <= 1e-3 * abs(a))


def largest_number(f, gradient, x):
    a, b = central(f, x), gradient(x)
    place = np.abs(a).argmax()
    return bool(abs(a.flat[place] - b.flat[place]) <= 1e-3 * np.abs(a).max())


RIGHT = {
    "03.1": [slope_by_cases, lambda z: (1 + np.abs(z)) ** -2.0],
    "03.2": [sine_by_a_list],
    "03.3": [
        check_one_by_one,
        lambda f, gradient, x: (
            np.linalg.norm(central(f, x) - gradient(x))
            <= 1e-3 * np.linalg.norm(central(f, x))
        ),
    ],
    "03.4": [blame_by_tanh],
    "03.5": [two_layers],
}

# ---------------------------------------------------------------- typical mistakes


def central(f, x, step=1e-5):
    slopes = np.zeros(x.size)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        slopes[i] = (f(x + e) - f(x - e)) / (2 * step)
    return slopes.reshape(x.shape)


def absolute_tolerance(f, gradient, x):
    return np.abs(central(f, x) - gradient(x)).max() < 1e-4


def compare_sums(f, gradient, x):
    a, b = central(f, x).sum(), gradient(x).sum()
    return abs(a - b) <= 1e-3 * max(abs(a), abs(b))


def compare_sizes(f, gradient, x):
    a, b = np.abs(central(f, x)), np.abs(gradient(x))
    return np.abs(a - b).max() < 1e-3 * a.max()


def wide_step(f, gradient, x):
    a, b = central(f, x, 1.0), gradient(x)
    return np.abs(a - b).max() < 1e-3 * np.abs(a).max()


def probability(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def broken(x, y, w1, b1, w2, b2):
    return two_layers(
        x, y, w1, b1, w2, b2,
        factor=lambda y: 1 / len(y), slope=lambda a: 1 - a, db=np.mean,
    )  # fmt: skip


WRONG = {
    "03.1": [
        (lambda z: z / (1 + np.abs(z)), "softsign itself"),
        (lambda z: 1 / (1 + np.abs(z)), "quotient rule squares it"),
        (lambda z: 1 / (1 + z) ** 2, "absolute value is missing"),
        (lambda z: np.sign(z) / (1 + np.abs(z)) ** 2, "softsign rises everywhere"),
        (lambda z: np.ones_like(z), "differs from the numerical gradient"),
        ("1 / (1 + |z|)²", "A function is expected"),
    ],
    "03.2": [
        (lambda v: math.sin(v.data), "Return a Value, not a float"),
        (lambda v: Value(math.sin(v.data)), "does not descend from v"),
        (lambda v: Value(math.sin(v.data), [(v, math.sin(v.data))]), "not the sine again"),
        (lambda v: Value(math.sin(v.data), [(v, -math.cos(v.data))]), "is +cos"),
        (lambda v: Value(math.cos(v.data), [(v, math.cos(v.data))]), "math.sin of v.data"),
        (lambda v: Value(math.sin(v), [(v, math.cos(v))]), "raised TypeError"),
        (
            lambda v: Value(math.sin(math.radians(v.data)), [(v, 1.0)]),
            "math.sin takes radians",
        ),
        (sine_by_root, "loses its sign"),
        (sine_by_taylor, "not right yet"),
        (lambda v: Value(math.sin(v.data), [(Value(v.data), math.cos(v.data))]), "no copy"),
    ],
    "03.3": [
        (absolute_tolerance, "relative"),
        (compare_sums, "number by number"),
        (compare_sizes, "wrong sign passes"),
        (wide_step, "central differences with a step near 1e-5"),
        (lambda f, gradient, x: True, "wrong sign passes"),
        (lambda f, gradient, x: central(f, x) - gradient(x), "Return True or False"),
        (judge_with(2e-2), "0.5 % off passes"),
        (judge_with(1e-6), "0.03 % off is refused"),
        (first_number, "not right yet"),
        (largest_number, "not right yet"),
    ],
    "03.4": [
        (lambda z, y: probability(z) - y, "division by the batch"),
        (lambda z, y: (y - probability(z)) / len(z), "sign is reversed"),
        (
            lambda z, y: (
                (probability(z) - y) * probability(z) * (1 - probability(z)) / len(z)
            ),
            "A factor p (1 - p) too much",
        ),
        (lambda z, y: (z - y) / len(z), "no probability yet"),
        (lambda z, y: (np.exp(z) / (1 + np.exp(z)) - y) / len(z), "At z = ±10,000"),
    ],
    "03.5": [
        (broken, "off by a factor of 1.5"),
        (
            lambda *args: two_layers(*args, factor=lambda y: 2 / len(y)),
            "off by a factor of 3",
        ),
        (
            lambda *args: two_layers(*args, slope=lambda a: 1 - a, db=np.mean),
            "dw1 not: what is the slope of tanh",
        ),
        (lambda *args: two_layers(*args, db=np.mean), "Only db1 is left"),
        (lambda *args: two_layers(*args)[1:], "Return 5 results"),
        (lambda *args: two_layers(*args, factor=lambda y: 2 / 15), "off by a factor"),
    ],
}
