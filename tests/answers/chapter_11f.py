"""Other right answers to chapter 11f's exercises, and typical wrong ones."""

import numpy as np


def right_combine(gradients, counts):
    total = sum(n * g for n, g in zip(counts, gradients, strict=True))
    return (total / sum(counts)).tolist()


def right_rows(rows, worker, workers):
    return np.array_split(np.arange(rows), workers)[worker]


def dropped(rows, worker, workers):
    size = rows // workers
    return list(range(worker * size, (worker + 1) * size))


def last_takes_all(rows, worker, workers):
    size = rows // workers
    end = rows if worker == workers - 1 else (worker + 1) * size
    return list(range(worker * size, end))


def overlapping(rows, worker, workers):
    size = -(-rows // workers)
    start = min(worker * size, rows - size)
    return list(range(start, start + size))


def right_bytes(parameters, item, workers, steps):
    piece = parameters / workers
    return sum(piece * item for _ in range(2 * (workers - 1))) * steps


def right_local(w, a, c, rate, local, rounds):
    for _ in range(rounds):
        ends = []
        for a_i, c_i in zip(a, c, strict=True):
            ends.append(c_i + (1 - rate * a_i) ** local * (w - c_i))
        w = sum(ends) / len(ends)
    return w


def never_meets(w, a, c, rate, local, rounds):
    return right_local(w, a, c, rate, local * rounds, 1)


def always_meets(w, a, c, rate, local, rounds):
    return right_local(w, a, c, rate, 1, local * rounds)


RIGHT = {
    "11f.1": [right_combine],
    "11f.2": [right_rows],
    "11f.3": [right_bytes],
    "11f.4": [right_local],
}

WRONG = {
    "11f.1": [
        (lambda g, n: np.mean(g, axis=0), "plain mean"),
        (lambda g, n: np.sum(g, axis=0), "plain sum"),
        (lambda g, n: n @ g, "divide by the number of all examples"),
        (lambda g, n: n @ g / len(n), "not of workers"),
        (lambda g, n: 1.0, "shape"),
        (lambda g, n: np.average(g, axis=0, weights=np.sqrt(n)), "joined batch"),
    ],
    "11f.2": [
        (dropped, "nobody gets row"),
        (last_takes_all, "sizes"),
        (overlapping, "two workers"),
        (lambda r, i, k: list(range(i, r + k, k)), "do not exist"),
        (lambda r, i, k: i, "list of row numbers"),
    ],
    "11f.3": [
        (lambda p, b, k, s: right_bytes(p, b, k, s) / 2, "factor 2"),
        (lambda p, b, k, s: 2 * (k - 1) * p * b * s, "together"),
        (lambda p, b, k, s: right_bytes(p, 1, k, s), "not bytes"),
        (lambda p, b, k, s: right_bytes(p, 4, k, s), "always four"),
        (lambda p, b, k, s: right_bytes(p, b, k, 1), "one step"),
        (lambda p, b, k, s: 2 * p * b * s, "not workers"),
        (lambda p, b, k, s: 2 * (k - 1) * max(p // k, 1) * b * s, "a piece each"),
    ],
    "11f.4": [
        (never_meets, "very end"),
        (always_meets, "every step"),
        (lambda w, a, c, r, n, k: right_local(w, a, c, r, 1, k), "one step only"),
        (lambda w, a, c, r, n, k: right_local(w, a, c, -r, n, k), "uphill"),
        (lambda w, a, c, r, n, k: right_local(w, a, c, r, n, 1), "one round only"),
        (lambda w, a, c, r, n, k: c, "shape"),
    ],
}
