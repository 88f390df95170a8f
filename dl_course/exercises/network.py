"""Checks of chapter 02's exercises."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, same


def _numbers(value, shape, name):
    """The learner's `value` as floats of this shape, or Wrong."""
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"{name} should be numbers, got {type(value).__name__}.") from None
    expect(
        array.shape == shape, f"{name} should have the shape {shape}, got {array.shape}."
    )
    return array


def check_log_softmax(answer):
    """02.1: log softmax without overflow."""
    rng = np.random.default_rng()
    z = rng.normal(scale=2, size=(4, 3))
    right = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        got = _numbers(call(answer, z), z.shape, "The result")
        far = _numbers(call(answer, z + 1e4), z.shape, "The result")
        apart = np.array([[0.0, -1e4, 1e4], [5.0, 5.0, 5.0]])
        wide = _numbers(call(answer, apart), apart.shape, "The result")
    columns = z - np.log(np.exp(z).sum(axis=0))
    expect(not same(got, columns), "The sum runs over the rows: each row is one example.")
    whole = z - np.log(np.exp(z).sum())
    expect(not same(got, whole), "The sum runs over all numbers: each row has its own.")
    expect(not same(got, np.exp(right)), "This is softmax: its logarithm is asked for.")
    expect(same(got, right), "The values differ from log(exp(z) / sum of exp(z)) a row.")
    expect(
        np.isfinite(far).all() and same(far, right, 1e-5),
        "With scores around 10,000 it overflows: subtract each row's maximum first.",
    )
    expected = [[-1e4, -2e4, 0], [-np.log(3)] * 3]
    expect(
        same(wide, expected, 1e-5),
        "A tiny probability became 0 before its logarithm was taken: log of exp(z) is z, "
        "so only the sum needs a logarithm.",
    )


def check_hinges(answer):
    """02.2: a ReLU network through given points."""
    rng = np.random.default_rng()
    knots = np.cumsum(rng.uniform(0.2, 1.5, 6))
    heights = rng.normal(size=6)
    result = call(answer, knots, heights)
    expect(
        isinstance(result, tuple | list) and len(result) == 2,
        "Return two things: the 5 output weights and the output bias.",
    )
    weights = _numbers(result[0], (5,), "The first result, one weight for each hinge,")
    bias = _numbers(np.squeeze(result[1]), (), "The second result, the bias,")
    hinges = np.maximum(0, knots[:, None] - knots[:-1])
    curve = hinges @ weights + bias
    slopes = np.diff(heights) / np.diff(knots)
    expect(
        not same(weights, slopes),
        "These are the slopes. Hinges add up: each must bring the change of slope only.",
    )
    steps = np.diff(np.diff(heights), prepend=0)
    expect(
        not same(weights, steps),
        "These are changes of height. A slope is height divided by width: knots may be "
        "unevenly spaced.",
    )
    expect(
        not same(curve, heights - heights[0]) or same(curve, heights),
        "The shape is right, but it starts at 0 instead of heights[0]: look at the bias.",
    )
    expect(same(curve, heights), "The curve does not go through the points.")


def check_min_max(answer):
    """02.3: scaling to [0, 1] with the training rows' numbers."""
    rng = np.random.default_rng()
    train, new = rng.normal(3, 2, (9, 3)), rng.normal(5, 9, (5, 3))
    train[:, 2] = 7.0
    with np.errstate(all="ignore"):
        result = call(answer, train, new)
    expect(
        isinstance(result, tuple | list) and len(result) == 2,
        "Return two arrays: the scaled training rows and the scaled new rows.",
    )
    got = [
        _numbers(part, raw.shape, "Each result")
        for part, raw in zip(result, (train, new), strict=True)
    ]
    low, width = train.min(axis=0), np.ptp(train, axis=0)
    expect(
        np.isfinite(got[0]).all() and np.isfinite(got[1]).all(),
        "A column that is constant in training was divided by 0: divide it by 1.",
    )
    both = np.concatenate([train, new])[:, :2]
    leak = (train[:, :2] - both.min(axis=0)) / np.ptp(both, axis=0)
    expect(
        not same(got[0][:, :2], leak),
        "The minimum and maximum were taken over all rows: the new rows leak.",
    )
    own = (new[:, :2] - new[:, :2].min(axis=0)) / np.ptp(new[:, :2], axis=0)
    expect(
        not same(got[1][:, :2], own),
        "The new rows were scaled with their own minimum and maximum, not training's.",
    )
    clipped = np.clip((new[:, :2] - low[:2]) / width[:2], 0, 1)
    expect(
        not same(got[1][:, :2], clipped),
        "The new rows were cut off at 0 and 1: they may lie outside.",
    )
    width[width == 0] = 1
    right = [(raw - low) / width for raw in (train, new)]
    for part, expected, name in zip(got, right, ("training", "new"), strict=True):
        expect(same(part, expected), f"The {name} rows are not (x - min) / (max - min).")


def check_early_stopping(answer):
    """02.4: when to stop, and which epoch's weights to keep."""
    rng = np.random.default_rng()
    cases = [
        ([5.0, 4.0, 3.0, 3.5, 3.2, 2.0, 1.0], 2, (4, 2), "stop"),
        ([3.0, 2.0, 1.0], 2, (2, 2), "end"),
        ([3.0, 1.0, 2.0, 0.5, 0.6, 0.4, 0.7, 0.8, 0.9, 0.1], 3, (8, 5), "reset"),
        ([2.0, 2.0, 2.0, 2.0], 2, (2, 0), "ties"),
    ]
    messages = {
        "stop": "losses 5, 4, 3, 3.5, 3.2, 2, 1 with patience 2 stop at epoch 4 (counted "
        "from 0) and keep epoch 2",
        "end": "if losses fall to the end, the last epoch is both",
        "reset": "the patience starts anew after each new best",
        "ties": "an equal loss is no improvement",
    }
    for losses, patience, right, kind in cases:
        result = call(answer, losses, patience)
        expect(
            isinstance(result, tuple | list) and len(result) == 2,
            "Return two epochs: the one after which to stop, and the best one.",
        )
        got = tuple(int(epoch) for epoch in result)
        expect(got != right[::-1] or got == right, "The two epochs are swapped.")
        expect(got[1] != got[0] or got == right, f"Look at both epochs: {messages[kind]}.")
        whole = (right[0], int(np.argmin(losses)))
        expect(
            got == right or got != whole,
            "The best epoch lies after the stop: training never got there.",
        )
        expect(got == right, f"Got {got}, expected {right}: {messages[kind]}.")
    losses, patience = list(rng.random(30)), int(rng.integers(2, 6))
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best >= patience:
            break
    got = tuple(int(e) for e in call(answer, losses, patience))
    expect(got == (epoch, best), f"On random losses: got {got}, expected {(epoch, best)}.")


CHECKS = {
    "02.1": check_log_softmax,
    "02.2": check_hinges,
    "02.3": check_min_max,
    "02.4": check_early_stopping,
}
