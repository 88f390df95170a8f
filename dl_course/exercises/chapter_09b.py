"""Checks of chapter 09b."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- 09b.1 a block's price


def check_block_parameters(answer, rng):
    for w in rng.choice(np.arange(14, 50), 3, replace=False).tolist():
        right = 12 * w * w + 13 * w
        compare(
            call(answer, w),
            right,
            {
                "Biases and norms are missing.": 12 * w * w,
                "The biases are missing.": right - 9 * w,
                "The two norms are missing: gain and shift each.": right - 4 * w,
                "There are two norms, with gain and shift each.": right - 2 * w,
                "Attention has four matrices, not three.": right - w * w - w,
                "The dense layers are 4 w wide inside.": right - 6 * w * w - 3 * w,
            },
            f"{right} parameters are expected for width {w}.",
        )


# ---------------------------------------------------------------- 09b.2 the nucleus


def reference_nucleus(p, mass):
    kept, total = np.zeros_like(p), 0.0
    for i in np.argsort(-p):
        if total < mass:
            kept[i] = p[i]
            total += p[i]
    return kept / kept.sum()


def check_nucleus(answer, rng):
    cases = [(mass, rng.dirichlet(np.full(7, 0.8))) for mass in (0.3, 0.6, 0.9, 0.95) * 5]
    cases += [(0.3, np.array([0.1, 0.6, 0.3])), (0.99, np.array([0.4, 0.25, 0.35]))]
    for mass, p in cases:
        right = reference_nucleus(p, mass)
        kept = right > 0
        got = numbers(call(answer, p, mass), "The result", p.shape)
        few, many = (got > 0).sum() < kept.sum(), (got > 0).sum() > kept.sum()
        compare(
            got,
            right,
            {
                "Renormalize.": np.where(kept, p, 0),
                "The probabilities must sum to 1.": not same(got.sum(), 1),
                "They came back sorted: each id keeps its place.": np.sort(right)[::-1],
                f"Those kept have less than {mass} together: the id that crosses it "
                "stays.": few,
                "Fewer ids already reach the mass.": many,
            },
            "Keep the likeliest, in proportion to p.",
        )


# ---------------------------------------------------------------- 09b.3 a leak


def make_model(rng, leak, size, time):
    """ids (batch, time) → (batch, time, 3), causal but for one peek.

    leak: None, or (place that looks, later place that it sees).
    """
    table, mix = rng.normal(size=(size, 3)), rng.normal(size=(time, time))
    weights = np.tril(mix)
    if leak is not None:
        weights[leak] = 1e-3

    def model(ids):
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] != time or ids.min() < 0 or ids.max() >= size:
            raise ValueError(
                f"ids: expected integers below {size}, (batch, {time}), got {ids.shape}"
            )
        return np.einsum("ij,bjc->bic", weights, table[ids])

    return model


def check_leaks(answer, rng):
    time, size = int(rng.integers(5, 8)), 4
    some = [
        rng.integers(size, size=(2, time)),
        np.zeros((1, time), int),
        np.full((3, time), size - 1),
    ]

    def says(leak, ids):
        got = call(answer, make_model(rng, leak, size, time), ids, size)
        yes = numbers(got, "The answer")
        if yes.shape != () or np.asarray(got).dtype != bool:
            raise Wrong(f"True or False is expected, not {got!r:.60}.")
        return bool(yes)

    for ids in some:
        expect(
            not says(None, ids), "A causal model is called leaky: a place may see itself."
        )
    for sees in range(1, time):
        for place in {sees - 1, 0}:
            for ids in some:
                if not says((place, sees), ids):
                    raise Wrong(
                        f"A leak from place {sees} into place {place} is not found"
                        + (": try all." if sees == time - 1 else ".")
                    )


# ---------------------------------------------------------------- 09b.4 a cache


def attend(q, keys, values, scale=True):
    return softmax(keys @ q / (np.sqrt(len(q)) if scale else 1)) @ values


def check_attend_next(answer, rng):
    d, steps = 4, 5
    q, k, v = (rng.normal(size=(steps, d)) for _ in range(3))
    cache = (np.zeros((0, d)), np.zeros((0, d)))
    for t in range(steps):
        result = parts(
            call(answer, q[t], k[t], v[t], cache), 2, "two things: z, and the new cache"
        )
        z = numbers(result[0], "z")
        cache = parts(result[1], 2, "a cache of two things: keys, then values")
        shape = t + 1, d
        keys, values = (
            numbers(part, f"After {t + 1} steps, each part of the cache", shape)
            for part in cache
        )
        compare(keys, k[: t + 1], {}, "The keys in the cache are wrong, or out of order.")
        compare(values, v[: t + 1], {}, "The values in the cache are wrong.")
        compare(
            z,
            attend(q[t], k[: t + 1], v[: t + 1]),
            {
                "Divide the scores by the square root of d.": attend(
                    q[t], k[: t + 1], v[: t + 1], scale=False
                ),
                "The new place must see itself: append first, then look.": (
                    t > 0 and same(z, attend(q[t], k[:t], v[:t]))
                ),
            },
            "z differs from causal attention's.",
        )
        cache = tuple(cache)


# ---------------------------------------------------------------- 09b.5 fill the gaps


def gappy_row(rng, time=8, size=5):
    """A function that predicts, a row with four gaps (id `size`), and where they are."""
    weights = 2 * rng.normal(size=(time, size + 1, time, size))

    def predict(ids):
        ids = np.asarray(ids)
        if ids.shape != (time,):
            raise ValueError(f"ids: expected shape ({time},), got {ids.shape}")
        return softmax(sum(weights[j, i] for j, i in enumerate(ids)))

    ids = rng.integers(size, size=time)
    gaps = np.sort(rng.choice(time, size=4, replace=False))
    ids[gaps] = size
    return predict, ids, gaps


def filled(predict, ids, gaps, choose):
    row, left = ids.copy(), list(gaps)
    while left:
        p = predict(row)
        place = choose(left, p)
        row[place] = p[place].argmax()
        left.remove(place)
    return row


def check_fill(answer, rng):
    ways = {
        "": lambda left, p: max(left, key=lambda i: p[i].max()),
        "From left to right: take the surest gap first.": lambda left, p: left[0],
        "That is the least sure gap first.": lambda left, p: min(
            left, key=lambda i: p[i].max()
        ),
    }
    fits = {**dict.fromkeys(ways, True), "All gaps at once: look again after each.": True}
    for _ in range(60):  # in one row alone, two ways may end alike
        predict, ids, gaps = gappy_row(rng)
        got = numbers(call(answer, predict, ids, 5), "The result", ids.shape)
        given = np.setdiff1d(np.arange(len(ids)), gaps)
        expect(same(got[given], ids[given]), "Ids that were given have changed.")
        expect(not np.any(got == 5), "Some gaps are left.")
        for message, choose in ways.items():
            fits[message] &= same(got, filled(predict, ids, gaps, choose))
        at_once = predict(ids).argmax(axis=1)[gaps]
        fits["All gaps at once: look again after each."] &= same(got[gaps], at_once)
    if not fits.pop(""):
        mistake = [message for message, fit in fits.items() if fit]
        raise Wrong([*mistake, "Not the surest gap first, one at a time."][0])


CHECKS = {
    "09b.1": check_block_parameters,
    "09b.2": check_nucleus,
    "09b.3": check_leaks,
    "09b.4": check_attend_next,
    "09b.5": check_fill,
}
