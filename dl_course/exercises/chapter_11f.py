"""Checks of chapter 11f."""

import numpy as np

from dl_course.exercises import call, compare, expect, numbers

# ---------------------------------------------------------------- 11f.1 one gradient


def check_combine(answer, rng):
    for counts in (rng.permutation([5, 11, 30]), np.array([7, 0, 2]), np.array([4])):
        scale = np.array([[1], [10], [-5]])[: len(counts)]
        gradients = rng.uniform(1, 2, (len(counts), 4)) * scale
        compare(
            call(answer, gradients, counts),
            counts @ gradients / counts.sum(),
            {
                "This is the plain mean: a worker with more examples should count more.": (
                    gradients.mean(axis=0)
                ),
                "This is the plain sum.": gradients.sum(axis=0),
                "This is the gradient of the sum; divide by the number of all examples.": (
                    counts @ gradients
                ),
                "Divide by the number of examples, not of workers.": (
                    counts @ gradients / len(counts)
                ),
            },
            "It is not the gradient of the joined batch.",
        )


# ---------------------------------------------------------------- 11f.2 your part


def check_my_rows(answer, rng):
    sizes = ((14, 4), (12, 3), (9, 5), (int(rng.integers(20, 60)), 7), (2, 3), (5, 1))
    for rows, workers in sizes:
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
        lengths = [len(share) for share in shares]
        expect(
            max(lengths) - min(lengths) <= 1, f"{what}, the shares have sizes {lengths}."
        )


# ---------------------------------------------------------------- 11f.3 traffic


def check_bytes_sent(answer, rng):
    for item in rng.permutation([3, 5, 7]).tolist():
        workers, steps = int(rng.integers(5, 12)), int(rng.integers(50, 90))
        parameters = workers * int(rng.integers(150, 250)) + 3  # pieces of unequal size
        piece = parameters * item * steps / workers
        right = 2 * (workers - 1) * piece
        compare(
            call(answer, parameters, item, workers, steps),
            right,
            {
                "There are two phases; the factor 2 is missing.": right / 2,
                "This is what all workers send together; one is asked for.": (
                    right * workers
                ),
                "These are numbers, not bytes.": right / item,
                "A number has `item` bytes, not always four.": right / item * 4,
                "This is one step's traffic.": right / steps,
                "Each phase has workers - 1 rounds, not workers.": 2 * piece * workers,
            },
            "Think of 2 (workers - 1) rounds, a piece each.",
        )
    compare(call(answer, 100, 4, 1, 10), 0, {}, "A single worker sends nothing.")


# ---------------------------------------------------------------- 11f.4 local SGD


def local_sgd(w, a, c, rate, local, rounds):
    """In closed form: a step brings worker i's distance from c_i to 1 - rate a_i of it."""
    for _ in range(rounds):
        w = (c + (1 - rate * a) ** local * (w - c)).mean(axis=0)
    return w


def check_local_sgd(answer, rng):
    for workers, local, rounds in ((3, 3, 4), (1, 2, 2), (4, 1, 3)):
        a, c = rng.uniform(0.5, 3, (workers, 4)), rng.uniform(-4, 4, (workers, 4))
        w, rate = rng.uniform(5, 9, 4), rng.uniform(0.1, 0.2)

        def ends(local, rounds, rate=rate, w=w, a=a, c=c):
            return local_sgd(w, a, c, rate, local, rounds)

        compare(
            call(answer, w, a, c, rate, local, rounds),
            ends(local, rounds),
            {
                "This is a mean after every step; take it after each worker's `local` "
                "steps.": ends(1, local * rounds),
                "This is one mean at the very end; take one after each round.": (
                    ends(local * rounds, 1)
                ),
                "Each round has one step only, not `local`.": ends(1, rounds),
                "There is one round only.": ends(local, 1),
                "The steps go uphill.": ends(local, rounds, -rate),
            },
            "The weights are wrong: is each worker's start the last mean?",
        )


CHECKS = {
    "11f.1": check_combine,
    "11f.2": check_my_rows,
    "11f.3": check_bytes_sent,
    "11f.4": check_local_sgd,
}
