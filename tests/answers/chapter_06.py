"""Chapter 06: second right solutions, and typical wrong ones with the message they get."""

import numpy as np

# ---------------------------------------------------------------- 06.1


def count_by_shapes(kind, features, units):
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    shapes = [(features, gates * units), (units, gates * units)]
    shapes.append((2, 3 * units) if kind == "gru" else (gates * units,))
    return sum(int(np.prod(shape)) for shape in shapes)


def count_with(sets=None, bias=1, recurrent=True):
    sets = sets or {"rnn": 1, "lstm": 4, "gru": 3}

    def count(kind, features, units):
        inputs = features + (units if recurrent else 0)
        return sets[kind] * units * (inputs + bias)

    return count


# ---------------------------------------------------------------- 06.2


def bias_by_bisection(n):
    low, high = -50.0, 50.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + np.exp(-middle)) ** -n < 0.5 else (low, middle)
    return low


# ---------------------------------------------------------------- 06.3


def last_by_loop(outputs, mask):
    return [row[np.flatnonzero(keep)[-1]] for row, keep in zip(outputs, mask, strict=True)]


def last_by_counting(outputs, mask):
    return outputs[np.arange(len(mask)), mask.sum(axis=1) - 1]


def first_output(outputs, mask):
    return outputs[np.arange(len(mask)), mask.argmax(axis=1)]


# ---------------------------------------------------------------- 06.4


def growth_by_target(series, period, ahead):
    target = len(series) - 1 + ahead
    return float(series[target - period] + (series[-1] - series[-1 - period]))


# ---------------------------------------------------------------- 06.5


def leak_forward(x, a, blame):
    h = dh = slope = 0.0
    for value, b in zip(x, blame, strict=True):
        dh = h + a * dh - value
        h = a * h + (1 - a) * value
        slope += b * dh
    return slope


def leak_with(later=1, inputs=1, after=False):
    def leak_gradient(x, a, blame):
        h = [0.0]
        for value in x:
            h.append(a * h[-1] + (1 - a) * value)
        slope = delta = 0.0
        for t in reversed(range(len(x))):
            delta = blame[t] + later * a * delta
            slope += delta * (h[t + after] - inputs * x[t])
        return slope

    return leak_gradient


# ---------------------------------------------------------------- 06.6


def latch_with(write=20, shut=-10, forget=-20, keep=10, content=5, show=10):
    def latch():
        kernel = [[0, 0, content, 0], [write, forget, 0, 0]]
        return kernel, [[0, 0, 0, 0]], [shut, keep, 0, show]

    return latch


def skips_moment_0(outputs, mask):
    last = [max([t for t in range(1, len(m)) if m[t]], default=1) for m in mask]
    return outputs[np.arange(len(mask)), last]


def empty_slice(series, period, ahead):
    return series[-1 - period + ahead : -1][0] + series[-1] - series[-1 - period]


RIGHT = {
    "06.1": [count_by_shapes],
    "06.2": [bias_by_bisection],
    "06.3": [last_by_loop],
    "06.4": [growth_by_target],
    "06.5": [leak_forward],
    "06.6": [latch_with(write=30, shut=-15, forget=-30, keep=15, content=9, show=5)],
}

WRONG = {
    "06.1": [
        (count_with(), "two biases"),
        (count_with(bias=0), "biases are missing"),
        (count_with({"rnn": 1, "lstm": 3, "gru": 3}), "four sets"),
        (count_with({"rnn": 1, "lstm": 4, "gru": 4}), "three sets"),
        (count_with(recurrent=False), "recurrent kernel"),
    ],
    "06.2": [
        (lambda n: 0.5 ** (1 / n), "gate's value"),
        (np.log, "rule of thumb"),
        (lambda n: -bias_by_bisection(n), "sign"),
        (lambda n: 1.0, "should be 0.5"),
        (lambda n: np.log(n / np.log(2)), "should be 0.5"),
    ],
    "06.3": [
        (lambda outputs, mask: outputs[:, -1], "before the padding"),
        (last_by_counting, "counting True"),
        (first_output, "first moments"),
        (lambda outputs, mask: outputs, "should have shape (7, 3)"),
        (skips_moment_0, "it is the last, too"),
    ],
    "06.4": [
        (lambda s, period, ahead: s[-1 + ahead - period], "growth is missing"),
        (lambda s, period, ahead: 2 * s[-1] - s[-1 - period], "persistence with growth"),
        (
            lambda s, period, ahead: s[-1 + ahead - period] - s[-1] + s[-1 - period],
            "wrong sign",
        ),
        (lambda s, period, ahead: s[-period:], "one number"),
        (empty_slice, "not right yet"),
        (
            lambda s, period, ahead: s[ahead - period] + s[-1] - s[-1 - period],
            "one moment too late",
        ),
    ],
    "06.5": [
        (leak_with(later=0), "direct blame"),
        (leak_with(inputs=0), "that road is missing"),
        (leak_with(after=True), "before the moment"),
        (lambda x, a, blame: blame * x, "one number"),
    ],
    "06.6": [
        (latch_with(content=-5), "sign is wrong"),
        (latch_with(content=0.3), "smaller than 0.5"),
        (latch_with(shut=10), "shut the input gate"),
        (latch_with(forget=0), "close the forget gate"),
        (latch_with(keep=3), "open the forget gate"),
        (lambda: np.zeros((2, 4)), "three arrays"),
        (
            lambda: [np.zeros((4, 2)), np.zeros((4, 1)), np.zeros(4)],
            "The kernel should have shape",
        ),
        (latch_with(write=20, forget=-10), "close the forget gate"),
    ],
}
