"""Other right answers to chapter 08b's exercises, and typical wrong ones."""

import re

import numpy as np


def right_orders(text):
    digits = [ord(c) - ord("0") for c in text if "0" <= c <= "9"]
    rows = np.zeros((len(digits), 10), "float32")
    rows[np.arange(len(digits)), digits] = 1
    return rows.tolist()


def right_unfold(x):
    batch, s, _, _ = x.shape
    y = np.zeros((batch, 2 * s, 2 * s))
    y[:, 0::2, 0::2], y[:, 0::2, 1::2] = x[..., 0], x[..., 1]
    y[:, 1::2, 0::2], y[:, 1::2, 1::2] = x[..., 2], x[..., 3]
    return y


def right_distance(a, b):
    total = 0.0
    for x, y in zip(a.T, b.T, strict=True):
        total += (x.mean() - y.mean()) ** 2
        total += (np.sqrt(np.var(x, ddof=1)) - np.sqrt(np.var(y, ddof=1))) ** 2
    return total


def distance(a, b, ddof=1, power=1, deviations=1):
    gap = (a.mean(axis=0) - b.mean(axis=0)) ** 2
    spread = a.std(axis=0, ddof=ddof) ** power - b.std(axis=0, ddof=ddof) ** power
    return np.sum(gap + deviations * spread**2)


def right_trail(averages, weights, decay):
    return [a + (1 - decay) * (w - a) for a, w in zip(averages, weights, strict=True)]


def greedy(score):
    def choose(x, n):
        chosen = [0]
        while len(chosen) < n:
            value = score(np.linalg.norm(x[:, None] - x[chosen], axis=2))
            value[chosen] = -1
            chosen.append(int(value.argmax()))
        return np.array(chosen)

    return choose


def orders_by_expression(text):
    return [np.eye(10)[int(c)] for c in re.findall("[0-9]", text)]


def orders_without_spaces(text):
    return np.eye(10)[[int(c) for c in text.replace(" ", "")]]


def orders_of_a_number(text):
    number = int("".join(c for c in text if c.isdigit()))
    return np.eye(10)[[int(c) for c in str(number)]]


RIGHT = {
    "08b.1": [right_orders, orders_by_expression],
    "08b.2": [right_unfold],
    "08b.3": [right_distance],
    "08b.4": [right_trail],
    "08b.5": [
        greedy(lambda d: d.min(axis=1)),
        lambda x, n: greedy(lambda d: d.min(axis=1))(x, n).tolist(),
    ],
}

WRONG = {
    "08b.1": [
        (lambda t: [int(c) for c in t if c.isdigit()], "digits themselves"),
        (lambda t: np.transpose(right_orders(t)), "transposed"),
        (lambda t: np.eye(11)[[int(c) if c.isdigit() else 10 for c in t]], "rows came"),
        (lambda t: np.eye(10)[[9 - int(c) for c in t if c.isdigit()]], "wrong"),
        (orders_without_spaces, "raised ValueError"),
        (orders_of_a_number, "zeros in front"),
        (lambda t: "0451", "should be numbers"),
    ],
    "08b.2": [
        (lambda x: x.reshape(len(x), 2 * x.shape[1], -1), "side by side"),
        (lambda x: right_unfold(x[..., [0, 2, 1, 3]]), "to its right"),
        (lambda x: x, "shape"),
        (lambda x: right_unfold(x[..., ::-1]), "places"),
    ],
    "08b.3": [
        (lambda a, b: distance(a, b, power=2), "standard deviation"),
        (lambda a, b: distance(a, b, ddof=0), "ddof=1"),
        (lambda a, b: distance(a, b, deviations=0), "missing"),
        (lambda a, b: np.sqrt(distance(a, b)), "root"),
        (lambda a, b: distance(a.reshape(-1, 1), b.reshape(-1, 1)), "axis=0"),
    ],
    "08b.4": [
        (lambda a, w, d: right_trail(a, w, 1 - d), "swapped"),
        (lambda a, w, d: [d * x + y for x, y in zip(a, w, strict=True)], "in full"),
        (lambda a, w, d: a, "differs"),
        (
            lambda a, w, d: right_trail(a, w, 1.0) if d == 0 else right_trail(a, w, d),
            "swapped",
        ),
        (lambda a, w, d: right_trail(a, w, d)[:2], "three arrays"),
    ],
    "08b.5": [
        (greedy(lambda d: d.sum(axis=1)), "*sum*"),
        (greedy(lambda d: d[:, -1]), "last choice"),
        (lambda x, n: np.arange(n), "not the one farthest"),
        (lambda x, n: np.zeros(n, int), "twice"),
        (lambda x, n: greedy(lambda d: d.min(axis=1))(x, max(n, 2)), "For n = 1"),
        (lambda x, n: greedy(lambda d: d.min(axis=1))(x, n)[::-1], "Begin with"),
    ],
}
