"""Checks of chapter 11f."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call

# ---------------------------------------------------------------- 11f.1 one gradient


def check_combine(answer):
    gradients = RNG.uniform(1, 2, (3, 4)) * [[1], [10], [-5]]
    counts = RNG.permutation([5, 11, 30])
    got = numbers(call(answer, gradients, counts), "The gradient")
    right = counts @ gradients / counts.sum()
    expect(
        not same(got, gradients.mean(axis=0)),
        "This is the plain mean: a worker with more examples should count more.",
    )
    expect(not same(got, gradients.sum(axis=0)), "This is the plain sum.")
    expect(
        not same(got, counts @ gradients),
        "This is the gradient of the sum; divide by the number of all examples.",
    )
    expect(
        not same(got, counts @ gradients / 3),
        "Divide by the number of examples, not of workers.",
    )
    expect(got.shape == (4,), f"Its shape should be (4,), not {got.shape}.")
    expect(same(got, right), "It is not the gradient of the joined batch.")


# ---------------------------------------------------------------- 11f.2 your part


def check_my_rows(answer):
    for rows, workers in ((14, 4), (12, 3), (9, 5), (int(RNG.integers(20, 60)), 7)):
        shares = []
        for worker in range(workers):
            share = numbers(call(answer, rows, worker, workers), "The rows")
            expect(share.ndim == 1, "Return a list of row numbers.")
            shares.append(share.tolist())
        every = [row for share in shares for row in share]
        what = f"With {rows} rows and {workers} workers"
        expect(len(every) == len(set(every)), f"{what}, a row is given to two workers.")
        missing = sorted(set(range(rows)) - set(every))
        expect(not missing, f"{what}, nobody gets row {missing[0] if missing else 0}.")
        expect(len(every) == rows, f"{what}, there are row numbers that do not exist.")
        sizes = [len(share) for share in shares]
        expect(max(sizes) - min(sizes) <= 1, f"{what}, the shares have sizes {sizes}.")


# ---------------------------------------------------------------- 11f.3 traffic


def check_bytes_sent(answer):
    parameters, steps = int(RNG.integers(1000, 2000)), int(RNG.integers(50, 90))
    item, workers = int(RNG.choice([3, 5, 7])), int(RNG.integers(5, 12))
    got = numbers(call(answer, parameters, item, workers, steps), "The bytes")
    piece = parameters * item * steps / workers
    right = 2 * (workers - 1) * piece
    wrongs = [
        (right / 2, "There are two phases; the factor 2 is missing."),
        (right * workers, "This is what all workers send together; one is asked for."),
        (right / item, "These are numbers, not bytes."),
        (right / item * 4, "A number has `item` bytes, not always four."),
        (right / steps, "This is one step's traffic."),
        (2 * piece * workers, "Each phase has workers - 1 rounds, not workers."),
    ]
    for wrong, message in wrongs:
        expect(not same(got, wrong, 1e-9), message)
    expect(same(got, right, 1e-9), "Think of 2 (workers - 1) rounds, a piece each.")


# ---------------------------------------------------------------- 11f.4 local SGD


def local_sgd(w, a, c, rate, local, rounds):
    """In closed form: a step brings worker i's distance from c_i to 1 - rate a_i of it."""
    for _ in range(rounds):
        w = (c + (1 - rate * a) ** local * (w - c)).mean(axis=0)
    return w


def check_local_sgd(answer):
    a, c = RNG.uniform(0.5, 3, (3, 4)), RNG.uniform(-4, 4, (3, 4))
    w, rate = RNG.uniform(5, 9, 4), RNG.uniform(0.1, 0.2)
    before = w.copy()
    got = numbers(call(answer, w, a, c, rate, 3, 4), "The weights")
    expect(got.shape == (4,), f"The shape should be {before.shape}, not {got.shape}.")
    wrongs = [
        (local_sgd(w, a, c, rate, 1, 12), "This is a mean after every step; take it "
         "after each worker's `local` steps."),
        (local_sgd(w, a, c, rate, 12, 1), "This is one mean at the very end; take one "
         "after each round."),
        (local_sgd(w, a, c, rate, 1, 4), "Each round has one step only, not `local`."),
        (local_sgd(w, a, c, rate, 3, 1), "There is one round only."),
        (local_sgd(w, a, c, -rate, 3, 4), "The steps go uphill."),
    ]  # fmt: skip
    for wrong, message in wrongs:
        expect(not same(got, wrong, 1e-9), message)
    if not same(got, local_sgd(w, a, c, rate, 3, 4)):
        raise Wrong("The weights are wrong: is each worker's start the last mean?")


CHECKS = {
    "11f.1": check_combine,
    "11f.2": check_my_rows,
    "11f.3": check_bytes_sent,
    "11f.4": check_local_sgd,
}
