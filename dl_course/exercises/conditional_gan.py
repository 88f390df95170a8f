"""Checks of chapter 08b."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 08b.1 a telephone number


def check_orders(answer):
    digits = RNG.integers(0, 10, 7)
    text = "".join(f"{d} " if i % 3 == 2 else str(d) for i, d in enumerate(digits))
    right = np.eye(10)[digits]
    got = call(answer, text)
    expect(
        not same(got, digits),
        "These are the digits themselves: a one-hot row for each is asked for.",
    )
    expect(not same(got, right.T), "It looks transposed: one row a digit, ten columns.")
    expect(
        np.shape(got)[:1] == (7,),
        f"The text {text!r} has 7 digits, but {len(got)} rows came.",
    )
    expect(same(got, right), f"The rows for {text!r} are wrong.")
    expect(same(call(answer, "90"), np.eye(10)[[9, 0]]), 'The rows for "90" are wrong.')


# ---------------------------------------------------------------- 08b.2 unfold


def check_unfold(answer):
    for batch, s in ((1, 1), (2, 3)):
        x = RNG.normal(size=(batch, s, s, 4))
        split = x.reshape(batch, s, s, 2, 2)
        right = split.transpose(0, 1, 3, 2, 4).reshape(batch, 2 * s, 2 * s)
        got = call(answer, x)
        shape = np.shape(got)
        expect(
            shape == right.shape,
            f"For shape {x.shape} the result has shape {right.shape}, not {shape}.",
        )
        swapped = split.transpose(0, 1, 4, 2, 3).reshape(right.shape)
        expect(
            s == 1 or not same(got, x.reshape(right.shape)),
            "A reshape alone lays the four channels side by side in one row.",
        )
        expect(
            not same(got, swapped),
            "Channel 1 went below channel 0: it belongs to its right.",
        )
        expect(same(got, right), "The right numbers are not in the right places.")


# ---------------------------------------------------------------- 08b.3 a distance


def check_diagonal(answer):
    a = RNG.normal(0, 1, (6, 3)) * RNG.uniform(0.5, 2, 3)
    b = RNG.normal(1, 2, (9, 3))
    means = (a.mean(axis=0) - b.mean(axis=0)) ** 2

    def distance(ddof=1, power=1):
        pair = [x.std(axis=0, ddof=ddof) ** power for x in (a, b)]
        return np.sum(means + (pair[0] - pair[1]) ** 2)

    got = call(answer, a, b)
    expect(np.ndim(got) == 0, "One number is expected: sum over the features.")
    expect(not same(got, distance(power=2)), "σ is the standard deviation, not its square.")
    expect(not same(got, distance(ddof=0)), "The deviations divide by n: use ddof=1.")
    expect(not same(got, means.sum()), "The deviations are missing.")
    expect(not same(got, np.sqrt(distance())), "No root: the distance is the sum itself.")
    whole = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    expect(not same(got, whole), "Mean and deviation belong to each column: axis=0.")
    expect(same(got, distance()), "The sum is wrong.")


# ---------------------------------------------------------------- 08b.4 trail behind


def check_trail(answer):
    shapes, decay = [(2, 3), (4,), ()], float(RNG.uniform(0.7, 0.95))
    old, new = ([RNG.normal(size=shape) for shape in shapes] for _ in range(2))

    def mix(beta):
        return [beta * a + (1 - beta) * w for a, w in zip(old, new, strict=True)]

    got = call(answer, old, new, decay)
    expect(isinstance(got, tuple | list), "A list of arrays is expected.")
    expect(len(got) == 3, f"Three arrays went in, {len(got)} came out.")

    def equal(other):
        return all(same(x, y) for x, y in zip(got, other, strict=True))

    expect(
        not equal(mix(1 - decay)),
        "The shares are swapped: the average keeps `decay` of itself.",
    )
    expect(
        not equal([decay * a + w for a, w in zip(old, new, strict=True)]),
        "The weights enter in full: their share is 1 - decay.",
    )
    expect(equal(mix(decay)), "It differs from decay · average + (1 - decay) · weights.")


# ---------------------------------------------------------------- 08b.5 a catalog


def farthest(x, n, score):
    """n indices, from 0 on: each the new one with the largest score of its distances."""
    chosen = [0]
    while len(chosen) < n:
        far = score(np.linalg.norm(x[:, None] - x[chosen], axis=2))
        far[chosen] = -1
        chosen.append(int(far.argmax()))
    return chosen


def check_choose(answer):
    right = means = last = None
    while right in (means, last) or means == last:  # a draw that tells them apart
        x = RNG.normal(size=(40, 3))
        right = farthest(x, 6, lambda distances: distances.min(axis=1))
        means = farthest(x, 6, lambda distances: distances.sum(axis=1))
        last = farthest(x, 6, lambda distances: distances[:, -1].copy())
    got = call(answer, x, 6)
    try:
        got = np.asarray(got, dtype=int).ravel()
    except (TypeError, ValueError):
        raise Wrong("Indices are expected: six integers.") from None
    expect(len(got) == 6, f"Six indices were asked for, {len(got)} came.")
    expect(got[0] == 0, "Begin with the first point, index 0.")
    expect(len(set(got.tolist())) == 6, "A point was chosen twice.")
    alike = got.tolist()
    expect(
        alike != means,
        "It goes by the *sum* of distances to all chosen points: take the nearest one.",
    )
    expect(
        alike != last,
        "It looks at the last choice only: the nearest of *all* chosen points counts.",
    )
    expect(alike == right, "A chosen point is not the one farthest from those before.")


CHECKS = {
    "08b.1": check_orders,
    "08b.2": check_unfold,
    "08b.3": check_diagonal,
    "08b.4": check_trail,
    "08b.5": check_choose,
}
