"""Checks of chapter 09."""

import warnings

import numpy as np

from dl_course import attention
from dl_course.exercises import Wrong, call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call

# ---------------------------------------------------------------- 09.1 one look


def check_look(answer):
    q, keys, values = RNG.normal(size=6), RNG.normal(size=(4, 6)), RNG.normal(size=(4, 3))
    scores = keys @ q
    right = attention.masked_softmax(scores / np.sqrt(6)) @ values
    got = numbers(call(answer, q, keys, values), "The result")
    expect(got.shape != (4,), "Those are the weights: use them to average the values.")
    expect(got.shape == (3,), f"Shape (3,) is expected, not {got.shape}.")
    expect(
        not same(got, attention.masked_softmax(scores) @ values),
        "The scores are not divided by the square root of d_k.",
    )
    expect(
        not same(got, attention.masked_softmax(scores / 6) @ values),
        "Divide by the square root of d_k, not by d_k.",
    )
    expect(
        not same(got, np.exp(scores / np.sqrt(6)) @ values),
        "The weights do not sum to 1.",
    )
    expect(
        not same(got, attention.masked_softmax(scores / np.sqrt(4)) @ values),
        "That is the square root of the number of keys; d_k is their size.",
    )
    expect(same(got, right), "The values differ from softmax(keys @ q / √d_k) @ values.")
    with np.errstate(all="ignore"):
        got = numbers(call(answer, 1e5 * keys[0], keys, values), "The result")
    expect(
        np.all(np.isfinite(got)), "Large scores overflow: subtract the largest before exp."
    )


# ---------------------------------------------------------------- 09.2 a window


def check_window_mask(answer):
    n = int(RNG.integers(6, 9))
    w = int(RNG.integers(2, 4))
    back = np.arange(n)[:, None] - np.arange(n)
    right = (back >= 0) & (back < w)
    got = np.asarray(call(answer, n, w))
    expect(got.shape == (n, n), f"Shape {(n, n)} is expected, not {got.shape}.")
    expect(
        got.dtype == bool or set(np.unique(got)) <= {0, 1}, "True and False are expected."
    )
    got = got.astype(bool)
    expect(not np.array_equal(got, right.T), "Looks like the transpose: rows are queries.")
    expect(not np.array_equal(got, ~right), "True and False are swapped.")
    expect(not np.array_equal(got, back >= 0), "That is a causal mask: w is not used.")
    expect(
        not np.array_equal(got, (back >= 0) & (back <= w)),
        "One too many: itself and w - 1 before it are w places.",
    )
    expect(not np.array_equal(got, (back > 0) & (back < w)), "A place may look at itself.")
    expect(not np.array_equal(got, np.abs(back) < w), "It may look ahead.")
    expect(np.array_equal(got, right), f"Some cells are wrong for n = {n}, w = {w}.")


# ---------------------------------------------------------------- 09.3 what heads cost


def check_parameters(answer):
    features, heads, d_k, d_v = RNG.permutation([11, 2, 3, 5]).tolist()
    asking, values = features * heads * d_k, features * heads * d_v
    biases = 2 * heads * d_k + heads * d_v + features
    right = 2 * asking + 2 * values + biases
    got = numbers(call(answer, features, heads, d_k, d_v), "The result")
    expect(not same(got, right - biases), "The biases are missing.")
    expect(
        not same(got, right - values - features),
        "The matrix that puts the heads together is missing.",
    )
    expect(
        not same(got, right - asking - heads * d_k),
        "Queries and keys have a matrix each.",
    )
    one = 2 * features * (d_k + d_v) + 2 * d_k + d_v + features
    expect(not same(got, one), "That is one head.")
    expect(
        not same(got, heads * one), "The output has one bias a feature, not one a head too."
    )
    arguments = f"({features}, {heads}, {d_k}, {d_v})"
    expect(same(got, right), f"{right} parameters are expected for {arguments}.")


# ---------------------------------------------------------------- 09.4 additive scores


def check_additive(answer):
    q, k = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4))
    w_q, w_k, v = RNG.normal(size=(4, 6)), RNG.normal(size=(4, 6)), RNG.normal(size=6)
    right = attention.additive_scores(q, k, w_q, w_k, v)
    got = numbers(call(answer, q, k, w_q, w_k, v), "The result")
    expect(got.shape != (5, 3), "Looks like the transpose: rows are queries.")
    expect(got.shape != (3, 5, 6), "Six numbers a pair: the product with v is missing.")
    expect(got.shape == (3, 5), f"Shape (3, 5) is expected, not {got.shape}.")
    hidden = (q @ w_q)[:, None] + k @ w_k
    expect(not same(got, hidden @ v), "The tanh is missing: without it, it is linear.")
    apart = np.tanh(q @ w_q)[:, None] + np.tanh(k @ w_k)
    expect(not same(got, apart @ v), "The tanh comes after the sum, not before.")
    expect(not same(got, np.tanh(hidden @ v)), "The tanh comes before the product with v.")
    expect(not same(got, attention.masked_softmax(right)), "Those are weights, not scores.")
    expect(same(got, right), "The scores differ from v · tanh(q W_q + k W_k).")


# ---------------------------------------------------------------- 09.5 a safe softmax


def check_safe_softmax(answer):
    scores = RNG.normal(size=(5, 4)) + np.array([[0], [0], [5e3], [-5e3], [0]])
    mask = RNG.random((5, 4)) < 0.7
    mask[:, 0], mask[4], mask[0, 1] = True, False, False
    hidden = np.where(mask, scores, np.nan)
    right = attention.masked_softmax(np.nan_to_num(hidden), mask)
    with warnings.catch_warnings(record=True, action="always") as caught:
        got = numbers(call(answer, hidden, mask), "The result")
    expect(got.shape == (5, 4), f"Shape (5, 4) is expected, not {got.shape}.")
    expect(
        not np.any(np.isnan(got[4])), "A row that may look nowhere gives NaN, not zeros."
    )
    expect(not np.any(np.isnan(got)), "NaN: large scores, or hidden ones, get through.")
    expect(
        not np.any(got[4]), "A row that may look nowhere gives zeros, not equal weights."
    )
    expect(not np.any(got[~mask]), "Hidden cells must have weight 0.")
    expect(same(got[:4].sum(axis=1), np.ones(4)), "Rows must sum to 1.")
    expect(same(got, right), "Some weights are wrong.")
    expect(not caught, f"It warns: {caught[0].message if caught else ''}.")


# ---------------------------------------------------------------- 09.6 beam search


def language(size):
    """A function that gives random log probabilities, the same for the same beginning."""
    tables = {}

    def next_logs(beginning):
        beginning = tuple(int(symbol) for symbol in beginning)
        if beginning not in tables:
            logits = RNG.normal(size=size)
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


def check_beam_search(answer):
    got = call(answer, trap, 2, 2)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Return two things: the symbols, and the log probability.",
    )
    symbols = read_symbols(got[0])
    expect(symbols != (0, 0) and symbols != (0, 1), "With width 2 it is still greedy.")
    expect(symbols == (1, 0), f"(1, 0) is the likeliest of the small test, not {symbols}.")
    total = numbers(got[1], "The log probability")
    expect(not same(total, 0.36), "That is a probability; its logarithm is expected.")
    expect(same(total, np.log(0.36)), f"log 0.36 = -1.0217 is expected, not {total:.4f}.")
    for width in [*(1,) * 40, *(2, 3) * 4, 3**4]:
        check_beam_once(answer, language(3), 4, width)


def check_beam_once(answer, next_logs, length, width):
    best, right = reference_beam(next_logs, length, width)
    symbols, total = call(answer, next_logs, length, width)
    symbols = read_symbols(symbols)
    expect(len(symbols) == length, f"{length} symbols are expected, not {len(symbols)}.")
    expect(
        symbols == best or width != 1,
        "With width 1 it should take the likeliest symbol each time.",
    )
    expect(symbols == best, f"Width {width}: a likelier beginning was dropped, or kept.")
    expect(same(float(total), right), f"The log probability should be {right:.4f}.")


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
