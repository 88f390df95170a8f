"""Checks of chapter 09."""

import warnings

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- 09.1 one look


def check_look(answer, rng):
    q, keys, values = rng.normal(size=6), rng.normal(size=(4, 6)), rng.normal(size=(4, 3))
    scores = keys @ q
    got = numbers(call(answer, q, keys, values), "The result")
    compare(
        got,
        softmax(scores / np.sqrt(6)) @ values,
        {
            "Those are the weights: use them to average the values.": got.shape == (4,),
            "The scores are not divided by the square root of d_k.": (
                softmax(scores) @ values
            ),
            "Divide by the square root of d_k, not by d_k.": softmax(scores / 6) @ values,
            "The weights do not sum to 1.": np.exp(scores / np.sqrt(6)) @ values,
            "That is the square root of the number of keys; d_k is their size.": (
                softmax(scores / np.sqrt(4)) @ values
            ),
        },
        "The values differ from softmax(keys @ q / √d_k) @ values.",
    )
    keys[1] = 0.9 * keys[0]  # two large scores
    for factor in (1e5, 60.0, -60.0):
        far = numbers(call(answer, factor * keys[0], keys, values), "The result")
        expect(
            np.all(np.isfinite(far)),
            "Large scores overflow: subtract the largest before exp.",
        )
        compare(
            far,
            softmax(factor * keys @ keys[0] / np.sqrt(6)) @ values,
            {},
            "Large scores give wrong weights: subtract the largest, and cut nothing off.",
            tolerance=1e-4,
        )


# ---------------------------------------------------------------- 09.2 a window


def check_window_mask(answer, rng):
    for w in (2, 3, 4, 1, 9):
        n = int(rng.integers(6, 9))
        back = np.arange(n)[:, None] - np.arange(n)
        right = (back >= 0) & (back < w)
        got = numbers(call(answer, n, w), "The mask")
        expect(set(np.unique(got)) <= {0, 1}, "True and False are expected.")
        compare(
            got,
            right,
            {
                "Looks like the transpose: rows are queries.": right.T,
                "True and False are swapped.": ~right,
                "That is a causal mask: w is not used.": back >= 0,
                "One too many: itself and w - 1 before it are w places.": (
                    (back >= 0) & (back <= w)
                ),
                "A place may look at itself.": (back > 0) & (back < w),
                "It may look ahead.": np.abs(back) < w,
            },
            f"Some cells are wrong for n = {n}, w = {w}.",
        )


# ---------------------------------------------------------------- 09.3 what heads cost


def check_parameters(answer, rng):
    for _ in range(3):
        features, heads, d_k, d_v = rng.permutation([11, 2, 3, 5]).tolist()
        asking, values = features * heads * d_k, features * heads * d_v
        biases = 2 * heads * d_k + heads * d_v + features
        right = 2 * asking + 2 * values + biases
        one = 2 * features * (d_k + d_v) + 2 * d_k + d_v + features
        compare(
            call(answer, features, heads, d_k, d_v),
            right,
            {
                "The biases are missing.": right - biases,
                "The matrix that puts the heads together is missing.": (
                    right - values - features
                ),
                "Queries and keys have a matrix each.": right - asking - heads * d_k,
                "That is one head.": one,
                "The output has one bias for each feature, not one for each head too.": (
                    heads * one
                ),
            },
            f"{right} parameters are expected for ({features}, {heads}, {d_k}, {d_v}).",
        )


# ---------------------------------------------------------------- 09.4 additive scores


def check_additive(answer, rng):
    for n, m, d, h in ((3, 5, 4, 6), (4, 4, 2, 3), (1, 2, 5, 1)):
        q, k = rng.normal(size=(n, d)), rng.normal(size=(m, d))
        w_q, w_k, v = rng.normal(size=(d, h)), rng.normal(size=(d, h)), rng.normal(size=h)
        hidden = (q @ w_q)[:, None] + k @ w_k
        right = np.tanh(hidden) @ v
        apart = np.tanh(q @ w_q)[:, None] + np.tanh(k @ w_k)
        got = numbers(call(answer, q, k, w_q, w_k, v), "The result")
        compare(
            got,
            right,
            {
                "Looks like the transpose: rows are queries.": right.T,
                "h numbers for each pair: the product with v is missing.": (
                    got.shape == (n, m, h)
                ),
                "The tanh is missing: without it, it is linear.": hidden @ v,
                "The tanh comes after the sum, not before.": apart @ v,
                "The tanh comes before the product with v.": np.tanh(hidden @ v),
                "Those are weights, not scores.": softmax(right),
            },
            "The scores differ from v · tanh(q W_q + k W_k).",
        )


# ---------------------------------------------------------------- 09.5 a safe softmax


def check_safe_softmax(answer, rng):
    scores = rng.normal(size=(7, 4)) + np.array([[0], [0], [5e3], [-5e3], [0], [-2e4], [0]])
    mask = rng.random((7, 4)) < 0.7
    mask[:, 0], mask[4], mask[0, 1], mask[5, 2] = True, False, False, False
    hidden = np.where(mask, scores, np.nan)
    hidden[6] = rng.normal(size=4)  # hidden scores may also be numbers, and large
    mask[6] = [False, True, True, False]
    hidden[6, [0, 3]] = 1e6, -1e6
    right = np.zeros((7, 4))
    for row in np.flatnonzero(mask.any(axis=1)):
        right[row, mask[row]] = softmax(hidden[row, mask[row]])
    with (
        warnings.catch_warnings(record=True, action="always") as caught,
        np.errstate(all="warn", under="ignore"),
    ):
        result = call(answer, hidden, mask)
    got = numbers(result, "The result", (7, 4))
    single = np.asarray(result).dtype.itemsize < 8  # -20,000 is known to a thousandth
    compare(
        got,
        right,
        {
            "A row that may look nowhere gives NaN, not zeros.": np.any(np.isnan(got[4])),
            "NaN: large scores, or hidden ones, get through.": np.any(np.isnan(got)),
            "A row that may look nowhere gives zeros, not equal weights.": np.any(got[4]),
            "Hidden cells must have weight 0.": np.any(got[~mask]),
            "Rows must sum to 1.": not same(np.delete(got, 4, 0).sum(axis=1), np.ones(6)),
        },
        "Some weights are wrong.",
        tolerance=5e-3 if single else 1e-6,
    )
    expect(not caught, f"It warns: {caught[0].message if caught else ''}.")


# ---------------------------------------------------------------- 09.6 beam search


def language(rng, size):
    """A function that gives random log probabilities, the same for the same beginning."""
    tables = {}

    def next_logs(beginning):
        beginning = tuple(int(symbol) for symbol in beginning)
        if beginning not in tables:
            logits = rng.normal(size=size)
            tables[beginning] = logits - np.log(np.exp(logits).sum())
        return tables[beginning].copy()

    return next_logs


def reference_beam(next_logs, length, width):
    beam = [((), 0.0)]
    for _ in range(length):
        longer = [
            ((*start, symbol), total + log)
            for start, total in beam
            for symbol, log in enumerate(next_logs(start))
        ]
        beam = sorted(longer, key=lambda pair: -pair[1])[:width]
    return beam[0]


def trap(beginning):
    """Greedy search takes symbol 0 first; 1 then 0 is likelier."""
    p = {(): [0.6, 0.4], (0,): [0.5, 0.5], (1,): [0.9, 0.1]}
    return np.log(p[tuple(int(s) for s in beginning)])


def check_beam_search(answer, rng):
    what = "two things: the symbols, and the log probability"
    got = parts(call(answer, trap, 2, 2), 2, what)
    symbols = read_symbols(got[0])
    expect(symbols not in ((0, 0), (0, 1)), "With width 2 it is still greedy.")
    expect(symbols == (1, 0), f"(1, 0) is the likeliest of the small test, not {symbols}.")
    compare(
        got[1],
        np.log(0.36),
        {"That is a probability; its logarithm is expected.": 0.36},
        f"log 0.36 = -1.0217 is expected, not {got[1]}.",
    )
    for width in [*(1,) * 40, *(2, 3) * 5, 3**4]:
        next_logs, length = language(rng, 3), 4
        best, right = reference_beam(next_logs, length, width)
        while width > 1 and best == reference_beam(next_logs, length, min(width - 1, 3))[0]:
            next_logs = language(rng, 3)  # until a narrower beam finds something else
            best, right = reference_beam(next_logs, length, width)
        symbols, total = parts(call(answer, next_logs, length, width), 2, what)
        symbols = read_symbols(symbols)
        if symbols != best:
            if len(symbols) != length:
                raise Wrong(f"{length} symbols are expected, not {len(symbols)}.")
            if width == 1:
                raise Wrong("With width 1 it should take the likeliest symbol each time.")
            raise Wrong(f"Width {width}: a likelier beginning was dropped, or kept.")
        compare(total, right, {}, f"The log probability should be {right:.4f}.")


def read_symbols(symbols):
    try:
        return tuple(int(symbol) for symbol in symbols)
    except (TypeError, ValueError):
        raise Wrong("The symbols should be a tuple of integers.") from None


CHECKS = {
    "09.1": check_look,
    "09.2": check_window_mask,
    "09.3": check_parameters,
    "09.4": check_additive,
    "09.5": check_safe_softmax,
    "09.6": check_beam_search,
}
