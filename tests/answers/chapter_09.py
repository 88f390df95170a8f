"""Chapter 09: second right solutions, and typical wrong ones with the message they get."""

import itertools
import math

import numpy as np

# ---------------------------------------------------------------- 09.1


def look_by_loops(q, keys, values):
    scores = [sum(a * b for a, b in zip(q, key, strict=True)) for key in keys]
    scores = [score / math.sqrt(len(q)) for score in scores]
    powers = [math.exp(score - max(scores)) for score in scores]
    rows = zip(powers, values, strict=True)
    return sum(power / sum(powers) * value for power, value in rows).tolist()


def look_with(
    divide=lambda q, keys: np.sqrt(len(q)), sums=True, values_used=True, top=True
):
    def look(q, keys, values):
        scores = keys @ q / divide(q, keys)
        powers = np.exp(scores - (scores.max() if top else 0))
        weights = powers / powers.sum() if sums else np.exp(scores)
        return weights @ values if values_used else weights

    return look


# ---------------------------------------------------------------- 09.2


def window_by_bands(n, w):
    return (np.tri(n) - np.tri(n, k=-w)).astype(int).tolist()


def back(n):
    return np.arange(n)[:, None] - np.arange(n)


# ---------------------------------------------------------------- 09.3


def parameters_of_each(features, heads, d_k, d_v):
    shapes = [(features, heads * d_k)] * 2 + [(features, heads * d_v)]
    shapes.append((heads * d_v, features))
    return float(sum(rows * columns + columns for rows, columns in shapes))


def no_biases(features, heads, d_k, d_v):
    return 2 * features * heads * (d_k + d_v)


def no_output(features, heads, d_k, d_v):
    return (features + 1) * heads * (2 * d_k + d_v)


def one_for_both(features, heads, d_k, d_v):
    return (features + 1) * heads * (d_k + d_v) + (heads * d_v + 1) * features


def one_head(features, heads, d_k, d_v):
    return parameters_of_each(features, 1, d_k, d_v)


# ---------------------------------------------------------------- 09.4


def additive_by_loops(q, k, w_q, w_k, v, f=np.tanh):
    return [[v @ f(a @ w_q + b @ w_k) for b in k] for a in q]


def additive_apart(q, k, w_q, w_k, v):
    return (np.tanh(q @ w_q) @ v)[:, None] + np.tanh(k @ w_k) @ v


def additive_late(q, k, w_q, w_k, v):
    return np.tanh(additive_by_loops(q, k, w_q, w_k, v, lambda h: h))


def additive_softmax(q, k, w_q, w_k, v):
    powers = np.exp(additive_by_loops(q, k, w_q, w_k, v))
    return powers / powers.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------- 09.5


def softmax_by_rows(scores, mask):
    weights = np.zeros(np.shape(scores))
    for row, score, allowed in zip(weights, scores, mask, strict=True):
        if allowed.any():
            powers = np.exp(score[allowed] - score[allowed].max())
            row[allowed] = powers / powers.sum()
    return weights


def softmax_by_infinity(scores, mask):
    with np.errstate(all="ignore"):
        scores = np.where(mask, scores, -np.inf)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def softmax_by_a_large_number(scores, mask):
    scores = np.where(mask, scores, -1e9)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def softmax_unstable(scores, mask):
    with np.errstate(all="ignore"):
        powers = np.exp(np.where(mask, scores, -np.inf))
        total = powers.sum(axis=1, keepdims=True)
        return powers / np.where(total == 0, 1, total)


def softmax_then_mask(scores, mask):
    scores = np.nan_to_num(scores)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return mask * powers / powers.sum(axis=1, keepdims=True)


def softmax_warning(scores, mask):
    scores = np.where(mask, scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.nan_to_num(powers / powers.sum(axis=1, keepdims=True))


# ---------------------------------------------------------------- 09.6


def beam_by_arrays(next_logs, length, width):
    starts, totals = [[]], np.zeros(1)
    for _ in range(length):
        logs = totals[:, None] + np.array([next_logs(tuple(s)) for s in starts])
        best = np.argsort(-logs, axis=None)[:width]
        rows, symbols = np.unravel_index(best, logs.shape)
        pairs = zip(rows, symbols, strict=True)
        starts, totals = [[*starts[i], s] for i, s in pairs], logs.flat[best]
    return starts[0], totals[0]


def greedy(next_logs, length, width):
    symbols, total = (), 0.0
    for _ in range(length):
        logs = next_logs(symbols)
        symbols, total = (*symbols, int(np.argmax(logs))), total + logs.max()
    return symbols, total


def beam_of_probabilities(next_logs, length, width):
    symbols, total = beam_by_arrays(next_logs, length, width)
    return symbols, np.exp(total)


def exhaustive(next_logs, length, width):
    """The best of all: not what a narrow beam finds."""
    size, best = len(next_logs(())), (None, -np.inf)
    for symbols in itertools.product(range(size), repeat=length):
        total = sum(next_logs(symbols[:i])[s] for i, s in enumerate(symbols))
        best = max(best, (symbols, total), key=lambda pair: pair[1])
    return best


def look_clipped(q, keys, values):
    powers = np.exp(np.clip(keys @ q / np.sqrt(len(q)), -50, 50))
    return powers / powers.sum() @ values


def look_patched(q, keys, values):
    powers = np.exp(keys @ q / np.sqrt(len(q)))
    return np.nan_to_num(powers / powers.sum()) @ values


def softmax_with_minus_10000(scores, mask):
    scores = np.where(mask, scores, -1e4)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = powers / powers.sum(axis=1, keepdims=True)
    return weights * mask.any(axis=1, keepdims=True)


def last_log_only(next_logs, length, width):
    symbols, _ = beam_by_arrays(next_logs, length, width)
    return symbols, next_logs(tuple(symbols[:-1]))[symbols[-1]]


RIGHT = {
    "09.1": [look_by_loops],
    "09.2": [window_by_bands],
    "09.3": [parameters_of_each],
    "09.4": [additive_by_loops],
    "09.5": [
        softmax_by_rows,
        lambda scores, mask: softmax_by_rows(scores, mask).astype("float32"),
        lambda scores, mask: softmax_by_rows(scores.astype("float32"), mask).astype(
            "float32"
        ),
    ],
    "09.6": [beam_by_arrays],
}

WRONG = {
    "09.1": [
        (look_with(divide=lambda q, keys: 1), "not divided"),
        (look_with(divide=lambda q, keys: len(q)), "not by d_k"),
        (look_with(divide=lambda q, keys: np.sqrt(len(keys))), "number of keys"),
        (look_with(sums=False, top=False), "sum to 1"),
        (look_with(values_used=False), "Those are the weights"),
        (look_with(top=False), "overflow"),
        (lambda q, keys, values: values @ q, "raised ValueError"),
        (look_clipped, "cut nothing off"),
        (look_patched, "cut nothing off"),
    ],
    "09.2": [
        (lambda n, w: (back(n).T >= 0) & (w > back(n).T), "transpose"),
        (lambda n, w: ~((back(n) >= 0) & (back(n) < w)), "swapped"),
        (lambda n, w: np.tri(n, dtype=bool), "w is not used"),
        (lambda n, w: (back(n) >= 0) & (back(n) <= w), "One too many"),
        (lambda n, w: (back(n) > 0) & (back(n) < w), "at itself"),
        (lambda n, w: np.abs(back(n)) < w, "ahead"),
        (lambda n, w: np.ones((n, w)), "should have shape"),
        (lambda n, w: (back(n) >= 0) & (back(n) < 2), "Some cells are wrong"),
    ],
    "09.3": [
        (no_biases, "biases are missing"),
        (no_output, "puts the heads together"),
        (one_for_both, "a matrix each"),
        (one_head, "one head"),
        (lambda f, h, k, v: h * one_head(f, h, k, v), "bias for each feature"),
        (lambda f, h, k, v: f * h, "are expected"),
    ],
    "09.4": [
        (lambda *given: np.transpose(additive_by_loops(*given)), "transpose"),
        (lambda q, k, w_q, w_k, v: np.tanh((q @ w_q)[:, None] + k @ w_k), "with v"),
        (lambda *given: additive_by_loops(*given, f=lambda h: h), "tanh is missing"),
        (additive_apart, "after the sum"),
        (additive_late, "before the product"),
        (additive_softmax, "not scores"),
    ],
    "09.5": [
        (softmax_by_infinity, "gives NaN"),
        (softmax_by_a_large_number, "equal weights"),
        (softmax_unstable, "get through"),
        (softmax_then_mask, "sum to 1"),
        (softmax_warning, "It warns"),
        (softmax_with_minus_10000, "weight 0"),
    ],
    "09.6": [
        (greedy, "still greedy"),
        (beam_of_probabilities, "its logarithm"),
        (lambda *given: beam_by_arrays(*given)[1], "two things"),
        (exhaustive, "With width 1"),
        (lambda f, n, w: beam_by_arrays(f, n, min(w, 2)), "Width"),
        (last_log_only, "log 0.36"),
    ],
}
