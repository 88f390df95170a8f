"""Checks of chapter 08b."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 08b.1 a telephone number


def check_orders(answer, rng):
    digits = rng.integers(0, 10, 7)
    text = "".join(f"{d} " if i % 3 == 2 else str(d) for i, d in enumerate(digits))
    with_signs = "".join(f"{d}{sign}" for d, sign in zip("0451700", "-/ x()+", strict=True))
    for some in (text, "0451 70", "90", "00 7", "0451-70", f"tel. {with_signs}", "3"):
        orders_once(answer, some)


def orders_once(answer, text):
    digits = np.array([int(c) for c in text if c in "0123456789"])
    count, right = len(digits), np.eye(10)[digits]
    got = numbers(call(answer, text), f"The result for {text!r}")
    rows = got.shape[0] if got.ndim else 0
    compare(
        got,
        right,
        {
            "These are the digits themselves: a one-hot row for each is asked for.": (
                digits
            ),
            "It looks transposed: one row for each digit, ten columns.": right.T,
            f"The text {text!r} has {count} digits, zeros in front included, but {rows} "
            "rows came.": rows != count,
        },
        f"The rows for {text!r} are wrong.",
    )


# ---------------------------------------------------------------- 08b.2 unfold


def check_unfold(answer, rng):
    for batch, s in ((2, 3), (1, 1), (3, 2)):
        x = rng.normal(size=(batch, s, s, 4))
        split = x.reshape(batch, s, s, 2, 2)
        right = split.transpose(0, 1, 3, 2, 4).reshape(batch, 2 * s, 2 * s)
        compare(
            call(answer, x),
            right,
            {
                "A reshape alone lays the four channels side by side in one row.": (
                    x.reshape(right.shape)
                ),
                "Channel 1 went below channel 0: it belongs to its right.": (
                    split.transpose(0, 1, 4, 2, 3).reshape(right.shape)
                ),
            },
            "The right numbers are not in the right places.",
        )


# ---------------------------------------------------------------- 08b.3 a distance


def check_diagonal(answer, rng):
    for n, m, d in ((6, 9, 3), (5, 5, 1), (2, 7, 4)):
        a = rng.normal(0, 1, (n, d)) * rng.uniform(0.5, 2, d)
        b = rng.normal(1, 2, (m, d))
        means = (a.mean(axis=0) - b.mean(axis=0)) ** 2

        def distance(ddof=1, power=1, a=a, b=b, means=means):
            pair = [x.std(axis=0, ddof=ddof) ** power for x in (a, b)]
            return np.sum(means + (pair[0] - pair[1]) ** 2)

        whole = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
        compare(
            call(answer, a, b),
            distance(),
            {
                "σ is the standard deviation, not its square.": distance(power=2),
                "The deviations divide by n: use ddof=1.": distance(ddof=0),
                "The deviations are missing.": means.sum(),
                "No root: the distance is the sum itself.": np.sqrt(distance()),
                "Sum over the features, do not average.": distance() / d,
                "Mean and deviation belong to each column: axis=0.": whole,
            },
            "The sum is wrong.",
        )


# ---------------------------------------------------------------- 08b.4 trail behind


def check_trail(answer, rng):
    for decay in (float(rng.uniform(0.7, 0.95)), 0.0, 1.0):
        shapes = [(2, 3), (4,), ()]
        old, new = ([np.asarray(rng.normal(size=s)) for s in shapes] for _ in range(2))

        def mix(keep, take, old=old, new=new):
            return [keep * a + take * w for a, w in zip(old, new, strict=True)]

        got = parts(call(answer, old, new, decay), 3, "a list of three arrays, as came in")

        def equal(other, got=got):
            return all(same(x, y) for x, y in zip(got, other, strict=True))

        if equal(mix(decay, 1 - decay)):
            continue
        expect(
            not equal(mix(1 - decay, decay)),
            "The shares are swapped: the average keeps `decay` of itself.",
        )
        expect(
            not equal(mix(decay, 1)),
            "The weights enter in full: their share is 1 - decay.",
        )
        raise Wrong("It differs from decay · average + (1 - decay) · weights.")


# ---------------------------------------------------------------- 08b.5 a catalog


def farthest(x, n, score):
    """n indices, from 0 on: each the new one with the largest score of its distances."""
    chosen = [0]
    while len(chosen) < n:
        far = score(np.linalg.norm(x[:, None] - x[chosen], axis=2))
        far[chosen] = -1
        chosen.append(int(far.argmax()))
    return chosen


def check_choose(answer, rng):
    right = means = last = None
    while right in (means, last) or means == last:  # a draw that tells them apart
        x = rng.normal(size=(40, 3))
        right = farthest(x, 6, lambda distances: distances.min(axis=1))
        means = farthest(x, 6, lambda distances: distances.sum(axis=1))
        last = farthest(x, 6, lambda distances: distances[:, -1].copy())
    got = numbers(call(answer, x, 6), "The indices")
    chosen = got.ravel().tolist()
    compare(
        got,
        right,
        {
            f"Six indices were asked for, {len(chosen)} came.": len(chosen) != 6,
            "Begin with the first point, index 0.": chosen[:1] != [0],
            "A point was chosen twice.": len(set(chosen)) < len(chosen),
            "It goes by the *sum* of distances to all chosen points: take the nearest "
            "one.": means,
            "It looks at the last choice only: the nearest of *all* chosen points "
            "counts.": last,
        },
        "A chosen point is not the one farthest from those before.",
    )
    one = numbers(call(answer, x, 1), "The indices")
    expect(same(one, [0]), "For n = 1 only the first point is asked for.")
    compare(call(answer, x, 2), right[:2], {}, "For n = 2 the second point is wrong.")
    few = x[:5]
    all_of_them = farthest(few, 5, lambda distances: distances.min(axis=1))
    compare(call(answer, few, 5), all_of_them, {}, "Of five points all five are asked for.")


CHECKS = {
    "08b.1": check_orders,
    "08b.2": check_unfold,
    "08b.3": check_diagonal,
    "08b.4": check_trail,
    "08b.5": check_choose,
}
