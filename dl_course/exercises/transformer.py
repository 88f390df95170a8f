"""Checks of chapter 09b."""

import numpy as np

from dl_course import attention
from dl_course.exercises import Wrong, call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call

# ---------------------------------------------------------------- 09b.1 a block's price


def check_block_parameters(answer):
    w = int(RNG.integers(14, 25))
    right = 12 * w * w + 13 * w
    got = numbers(call(answer, w), "The result")
    expect(not same(got, 12 * w * w), "Biases and norms are missing.")
    expect(not same(got, right - 9 * w), "The biases are missing.")
    expect(not same(got, right - 4 * w), "The two norms are missing: gain and shift each.")
    expect(not same(got, right - 2 * w), "There are two norms, with gain and shift each.")
    expect(not same(got, right - w * w - w), "Attention has four matrices, not three.")
    expect(
        not same(got, right - 6 * w * w - 3 * w), "The dense layers are 4 w wide inside."
    )
    expect(same(got, right), f"{right} parameters are expected for width {w}.")


# ---------------------------------------------------------------- 09b.2 the nucleus


def reference_nucleus(p, mass):
    order = np.argsort(-p)
    count = int(np.searchsorted(np.cumsum(p[order]), mass)) + 1
    kept = np.zeros_like(p)
    kept[order[:count]] = p[order[:count]]
    return kept / kept.sum()


def check_nucleus(answer):
    for mass in (0.3, 0.6, 0.9):
        p = RNG.dirichlet(np.full(7, 0.8))
        right = reference_nucleus(p, mass)
        got = numbers(call(answer, p, mass), "The result")
        expect(got.shape == (7,), f"Shape (7,) is expected, not {got.shape}.")
        kept = right > 0
        expect(not same(got, np.where(kept, p, 0)) or same(got, right), "Renormalize.")
        expect(same(got.sum(), 1), "The probabilities must sum to 1.")
        expect(
            not same(got, np.sort(right)[::-1]) or same(got, right),
            "They came back sorted: each id keeps its place.",
        )
        expect(
            (got > 0).sum() >= kept.sum(),
            f"Those kept have less than {mass} together: the id that crosses it stays.",
        )
        expect((got > 0).sum() <= kept.sum(), "Fewer ids already reach the mass.")
        expect(same(got, right), "Keep the likeliest, in proportion to p.")


# ---------------------------------------------------------------- 09b.3 a leak


def make_model(leak, size, time):
    """ids (batch, time) → (batch, time, 3), causal but for one peek at `leak` later."""
    table, mix = RNG.normal(size=(size, 3)), RNG.normal(size=(time, time))

    def model(ids):
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] != time or ids.min() < 0 or ids.max() >= size:
            raise ValueError(
                f"ids: expected integers below {size}, (batch, {time}), got {ids.shape}"
            )
        weights = np.tril(mix)
        if leak is not None:
            weights[leak - 1, leak] = 1e-3
        return np.einsum("ij,bjc->bic", weights, table[ids])

    return model


def check_leaks(answer):
    time, size = int(RNG.integers(5, 8)), 4
    ids = RNG.integers(size, size=(2, time))
    got = call(answer, make_model(None, size, time), ids, size)
    expect(isinstance(got, bool | np.bool_), f"True or False is expected, not {got!r:.60}.")
    expect(not got, "A causal model is called leaky: a place may see itself.")
    for leak in range(1, time):
        got = call(answer, make_model(leak, size, time), ids, size)
        expect(got or leak != time - 1, "A leak from the last place is not found: try all.")
        expect(got or leak != 1, "A leak from place 1 into place 0 is not found.")
        expect(got, f"A leak from place {leak} into place {leak - 1} is not found.")


# ---------------------------------------------------------------- 09b.4 a cache


def check_attend_next(answer):
    d, steps = 4, 5
    q, k, v = (RNG.normal(size=(steps, d)) for _ in range(3))
    right = attention.dot_product_attention(q, k, v, attention.causal_mask(steps))[0]
    cache = (np.zeros((0, d)), np.zeros((0, d)))
    for t in range(steps):
        result = call(answer, q[t], k[t], v[t], cache)
        expect(
            isinstance(result, tuple | list) and len(result) == 2,
            "Return two things: z, and the new cache.",
        )
        z, cache = numbers(result[0], "z"), tuple(result[1])
        expect(z.shape == (d,), f"z should have shape {(d,)}, not {z.shape}.")
        expect(
            len(cache) == 2 and all(np.shape(c) == (t + 1, d) for c in cache),
            f"After {t + 1} steps the cache should hold (keys, values), {(t + 1, d)} each.",
        )
        expect(
            same(cache[0], k[: t + 1]), "The keys in the cache are wrong, or out of order."
        )
        expect(same(cache[1], v[: t + 1]), "The values in the cache are wrong.")
        past = attention.dot_product_attention(q[t : t + 1], k[: t + 1], v[: t + 1])[0][0]
        unscaled = attention.masked_softmax(k[: t + 1] @ q[t]) @ v[: t + 1]
        expect(
            t == 0 or not same(z, unscaled), "Divide the scores by the square root of d."
        )
        if t:
            old = attention.dot_product_attention(q[t : t + 1], k[:t], v[:t])[0][0]
            expect(
                not same(z, old), "The new place must see itself: append first, then look."
            )
        expect(same(z, past) and same(z, right[t]), "z differs from causal attention's.")


# ---------------------------------------------------------------- 09b.5 fill the gaps


def gappy_row(time=8, size=5):
    """A function that predicts, a row with four gaps (id `size`), and where they are."""
    weights = 2 * RNG.normal(size=(time, size + 1, time, size))

    def predict(ids):
        ids = np.asarray(ids)
        if ids.shape != (time,):
            raise ValueError(f"ids: expected shape ({time},), got {ids.shape}")
        return attention.masked_softmax(sum(weights[j, i] for j, i in enumerate(ids)))

    ids = RNG.integers(size, size=time)
    gaps = np.sort(RNG.choice(time, size=4, replace=False))
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


def check_fill(answer):
    ways = {
        "": lambda left, p: max(left, key=lambda i: p[i].max()),
        "From left to right: take the surest gap first.": lambda left, p: left[0],
        "That is the least sure gap first.": lambda left, p: min(
            left, key=lambda i: p[i].max()
        ),
    }
    fits = {**dict.fromkeys(ways, True), "All gaps at once: look again after each.": True}
    for _ in range(30):  # in one row alone, two ways may end alike
        predict, ids, gaps = gappy_row()
        got = numbers(call(answer, predict, ids, 5), "The result")
        expect(got.shape == ids.shape, f"Shape {ids.shape} is expected, not {got.shape}.")
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
