"""Checks of chapter 02."""

import numpy as np

from dl_course.exercises import call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 02.1 log softmax


def check_log_softmax(answer, rng):
    for shape in ((4, 3), (3, 7), (5, 1)):
        z = rng.normal(scale=2, size=shape)
        right = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        compare(
            call(answer, z),
            right,
            {
                "The sum runs over the rows: each row is one example.": (
                    z - np.log(np.exp(z).sum(axis=0))
                ),
                "The sum runs over all numbers: each row has its own.": (
                    z - np.log(np.exp(z).sum())
                ),
                "This is softmax: its logarithm is asked for.": np.exp(right),
            },
            "The values differ from log(exp(z) / sum of exp(z)), for each row.",
        )
        far = numbers(call(answer, z + 1e4), "The result", shape)
        expect(
            np.isfinite(far).all(),
            "With scores around 10,000 it overflows: subtract each row's maximum first.",
        )
        # in single precision, scores around 10,000 are known to about a thousandth
        compare(far, right, {}, "With scores around 10,000 the values are wrong.", 1e-2)
    apart = np.array([[0.0, -1e4, 1e4], [5.0, 5.0, 5.0], [-1e4, -1e4, -1e4 + 3]])
    z = apart[2] - apart[2].max()
    compare(
        call(answer, apart),
        [[-1e4, -2e4, 0], [-np.log(3)] * 3, z - np.log(np.exp(z).sum())],
        {},
        "A tiny probability became 0 before its logarithm was taken: log of exp(z) is z, "
        "so only the sum needs a logarithm.",
        tolerance=2e-3,  # single precision again
    )


# ---------------------------------------------------------------- 02.2 hinges


def check_hinges(answer, rng):
    knots = np.cumsum(rng.uniform(0.2, 1.5, 6)) - 3
    heights = rng.normal(size=6)
    result = parts(
        call(answer, knots, heights), 2, "two things: the 5 output weights, and the bias"
    )
    weights = numbers(result[0], "The first result, one weight for each hinge,", (5,))
    bias = numbers(result[1], "The second result, the bias,")
    expect(bias.size == 1, "The second result, the bias, should be one number.")
    hinges = np.maximum(0, knots[:, None] - knots[:-1])
    curve = hinges @ weights + bias.reshape(())
    compare(
        curve,
        heights,
        {
            "These are the slopes. Hinges add up: each must bring the change of slope "
            "only.": same(weights, np.diff(heights) / np.diff(knots)),
            "These are changes of height. A slope is height divided by width: knots may be "
            "unevenly spaced.": same(weights, np.diff(np.diff(heights), prepend=0)),
            "The shape is right, but it starts at 0 instead of heights[0]: look at the "
            "bias.": heights - heights[0],
        },
        "The curve does not go through the points.",
    )


# ---------------------------------------------------------------- 02.3 min-max


def check_min_max(answer, rng):
    for width_of_last, spread in ((0, 2), (1e-3, 2), (0, 1e-4)):
        train = rng.normal(3, spread, (9, 3))
        train[:, 2] = 7.0 + width_of_last * np.arange(9) / 8
        new = rng.normal(5, 9, (5, 3))
        check_min_max_once(answer, train, new)


def check_min_max_once(answer, train, new):
    result = parts(
        call(answer, train, new),
        2,
        "two arrays: the scaled training rows and the scaled new rows",
    )
    got = [
        numbers(part, f"The array of the {name} rows", raw.shape)
        for part, raw, name in zip(result, (train, new), ("training", "new"), strict=True)
    ]
    expect(
        np.isfinite(got[0]).all() and np.isfinite(got[1]).all(),
        "A column that is constant in training was divided by 0: divide it by 1.",
    )
    both = np.concatenate([train, new])

    def scaled(x, like):
        low, width = like.min(axis=0), np.ptp(like, axis=0)
        return (x - low) / np.where(width == 0, 1, width)

    right = scaled(new, train)
    little = "A column that varies only a little is not constant: scale it as well."
    small = np.where(np.ptp(train, axis=0) < 1e-2, 1, np.ptp(train, axis=0))
    compare(
        got[0],
        scaled(train, train),
        {
            "The minimum and maximum were taken over all rows: the new rows leak.": (
                scaled(train, both)
            ),
            little: (train - train.min(axis=0)) / small,
        },
        "The training rows are not (x - min) / (max - min).",
    )
    compare(
        got[1],
        right,
        {
            little: (new - train.min(axis=0)) / small,
            "The new rows were scaled with their own minimum and maximum.": (
                scaled(new, new)
            ),
            "The new rows were cut off at 0 and 1: they may lie outside.": (
                same(got[1][:, :2], np.clip(right, 0, 1)[:, :2])
            ),
        },
        "The new rows are not (x - min) / (max - min) of the training rows.",
    )


# ---------------------------------------------------------------- 02.4 early stopping


def stop_and_best(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best >= patience:
            break
    return epoch, best


def check_early_stopping(answer, rng):
    cases = [
        (
            [5.0, 4.0, 3.0, 3.5, 3.2, 2.0, 1.0],
            2,
            "losses 5, 4, 3, 3.5, 3.2, 2, 1 with patience 2 stop at epoch 4 (counted from "
            "0) and keep epoch 2",
        ),
        ([3.0, 2.0, 1.0], 2, "if losses fall to the end, the last epoch is both"),
        (
            [3.0, 1.0, 2.0, 0.5, 0.6, 0.4, 0.7, 0.8, 0.9, 0.1],
            3,
            "the patience starts anew after each new best",
        ),
        ([2.0, 2.0, 2.0, 2.0], 2, "an equal loss is no improvement"),
        (
            [300.0, 299.9995, 299.999, 299.9985],
            2,
            "an improvement may be as small as it likes, and losses as large",
        ),
        (
            [3.0, 1.0, 2.0, 2.0],
            5,
            "if the patience outlasts the losses, training stops at the last epoch and "
            "keeps the best",
        ),
        ([4.0], 1, "a single epoch is both"),
    ]
    cases += [
        (rng.random(30).tolist(), int(rng.integers(2, 6)), "those are random losses")
        for _ in range(3)
    ]
    for losses, patience, why in cases:
        result = parts(
            call(answer, losses, patience),
            2,
            "two epochs: the one after which to stop, and the best one",
        )
        right = stop_and_best(losses, patience)
        got = numbers(result, "The two epochs", (2,))
        compare(
            got,
            right,
            {
                "The two epochs are swapped.": right[::-1],
                f"Look at both epochs: {why}.": len(set(got.tolist())) == 1,
                "The best epoch lies after the stop: training never got there.": (
                    right[0],
                    int(np.argmin(losses)),
                ),
            },
            f"Got ({got[0]:g}, {got[1]:g}), expected {right}: {why}.",
        )


CHECKS = {
    "02.1": check_log_softmax,
    "02.2": check_hinges,
    "02.3": check_min_max,
    "02.4": check_early_stopping,
}
