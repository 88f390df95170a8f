"""Right and wrong answers to chapter 02's exercises."""

import numpy as np

# ---------------------------------------------------------------- right


def log_softmax_by_logaddexp(z):
    return z - np.logaddexp.reduce(z, axis=-1, keepdims=True)


def hinges_by_solving(knots, heights):
    hinges = np.maximum(0, knots[1:, None] - knots[:-1])
    return list(np.linalg.solve(hinges, heights[1:] - heights[0])), [heights[0]]


def min_max_by_rows(train, new):
    low, high = np.array([min(c) for c in train.T]), np.array([max(c) for c in train.T])
    width = np.where(high > low, high - low, 1)
    return [[(row - low) / width for row in rows] for rows in (train, new)]


def early_stopping_by_slices(losses, patience):
    for epoch in range(len(losses)):
        best = int(np.argmin(losses[: epoch + 1]))
        if epoch - best == patience:
            return epoch, best
    return epoch, best


def log_softmax_of_three(z):
    """Three classes are built in."""
    return z - np.logaddexp(np.logaddexp(z[:, 0], z[:, 1]), z[:, 2]).reshape(
        -1, 1
    ) * np.ones(3)


def little_is_constant(train, new):
    low, width = train.min(axis=0), np.ptp(train, axis=0)
    return tuple((x - low) / np.where(width < 0.01, 1, width) for x in (train, new))


def stopping(losses, patience, start=None, min_delta=0.0):
    best, lowest = 0, losses[0] if start is None else start
    for epoch, loss in enumerate(losses):
        if loss < lowest - min_delta:
            best, lowest = epoch, loss
        if epoch - best >= patience:
            break
    return epoch, best


def with_min_delta(losses, patience):
    return stopping(losses, patience, min_delta=1e-3)


def starting_at_100(losses, patience):
    return stopping(losses, patience, start=100.0)


def best_twice_at_the_end(losses, patience):
    epoch, best = stopping(losses, patience)
    return (epoch, best) if epoch - best >= patience else (best, best)


RIGHT = {
    "02.1": [
        log_softmax_by_logaddexp,
        lambda z: log_softmax_by_logaddexp(z.astype("float32")),
    ],
    "02.2": [hinges_by_solving],
    "02.3": [
        min_max_by_rows,
        lambda train, new: [np.asarray(x, "float32") for x in min_max_by_rows(train, new)],
    ],
    "02.4": [
        early_stopping_by_slices,
        lambda losses, patience: np.array(early_stopping_by_slices(losses, patience)),
    ],
}

# ---------------------------------------------------------------- wrong


def naive_log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_of_softmax(z):
    return np.log(softmax(z))


def log_softmax_of_columns(z):
    return z - np.log(np.exp(z).sum(axis=0))


def log_softmax_of_all(z):
    return z - np.log(np.exp(z).sum())


def slopes(knots, heights):
    return np.diff(heights) / np.diff(knots), heights[0]


def height_changes(knots, heights):
    return np.diff(np.diff(heights), prepend=0), heights[0]


def no_bias(knots, heights):
    return np.diff(np.diff(heights) / np.diff(knots), prepend=0), 0.0


def scale(x, like):
    low, width = like.min(axis=0), np.ptp(like, axis=0)
    return (x - low) / np.where(width > 0, width, 1)


def scaled_by_all(train, new):
    both = np.concatenate([train, new])
    return scale(train, both), scale(new, both)


def stop_at_best_of_all(losses, patience):
    return early_stopping_by_slices(losses, patience)[0], int(np.argmin(losses))


def patience_never_reset(losses, patience):
    waited, best = 0, 0
    for epoch in range(1, len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        else:
            waited += 1
        if waited == patience:
            break
    return epoch, best


def ties_improve(losses, patience):
    best = 0
    for epoch in range(len(losses)):
        if losses[epoch] <= losses[best]:
            best = epoch
        if epoch - best == patience:
            break
    return epoch, best


WRONG = {
    "02.1": [
        (naive_log_softmax, "overflows"),
        (log_of_softmax, "became 0 before its logarithm"),
        (log_softmax_of_columns, "each row is one example"),
        (log_softmax_of_all, "each row has its own"),
        (softmax, "This is softmax"),
        (lambda z: z.sum(axis=1), "should have shape"),
        (7, "A function is expected"),
        (lambda z: log_softmax_of_three(z), "raised ValueError"),
        (lambda z: z - z.max(axis=1, keepdims=True), "differ"),
    ],
    "02.2": [
        (slopes, "These are the slopes"),
        (height_changes, "changes of height"),
        (no_bias, "look at the bias"),
        (lambda knots, heights: heights, "Return two things"),
        (lambda knots, heights: (np.zeros(5), heights[0]), "does not go through"),
    ],
    "02.3": [
        (scaled_by_all, "the new rows leak"),
        (lambda train, new: (scale(train, train), scale(new, new)), "their own minimum"),
        (
            lambda train, new: (
                scale(train, train),
                np.clip(scale(new, train), 0, 1),
            ),
            "cut off",
        ),
        (
            lambda train, new: tuple(
                (x - train.min(axis=0)) / np.ptp(train, axis=0) for x in (train, new)
            ),
            "divided by 0",
        ),
        (lambda train, new: (train, new), "The training rows are not"),
        (lambda train, new: train, "Return two arrays"),
        (little_is_constant, "varies only a little"),
    ],
    "02.4": [
        (stop_at_best_of_all, "training never got there"),
        (
            lambda losses, patience: early_stopping_by_slices(losses, patience)[::-1],
            "swapped",
        ),
        (patience_never_reset, "starts anew"),
        (ties_improve, "no improvement"),
        (lambda losses, patience: 3, "Return two epochs"),
        (with_min_delta, "as small as it likes"),
        (starting_at_100, "as large"),
        (best_twice_at_the_end, "outlasts"),
    ],
}
