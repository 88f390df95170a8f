"""Checks of chapter 05b."""

from fractions import Fraction
from itertools import combinations

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 05b.2 a split by concept


def check_split(answer, rng):
    for share, count in ((0.25, 200), (0.2485, 200), (0.5, 7), (0.1, 41)):
        split_once(answer, rng, share, count)


def split_once(answer, rng, share, count):
    """Some concepts have one picture, some three; names stand in any order."""
    concepts = rng.permutation(np.repeat(np.arange(count), rng.integers(1, 4, count)))
    names = np.char.add("concept ", concepts.astype(str))
    seeds = rng.choice(10_000, 40 if count >= 100 else 3, replace=False).tolist()
    masks = [split_with(answer, names, share, seed) for seed in [seeds[0], *seeds]]
    for mask in masks:
        judge_split(names, mask, share)
    expect(
        np.array_equal(masks[0], masks[1]), "The same rng state must give the same split."
    )
    expect(
        any(not np.array_equal(masks[0], mask) for mask in masks[2:]),
        "The split does not depend on rng.",
    )
    if count >= 100:
        first = np.unique(names, return_index=True)[1]
        for order in (first, np.sort(first)):  # by name, and as they come
            judge_scatter(np.array([mask[order] for mask in masks[1:]]))


def judge_scatter(drawn):
    """drawn (splits, concepts): each concept alike, and neighbors not together.

    Bounds are more than eight standard deviations away for splits by shuffling.
    """
    share = drawn.mean()
    pairs = np.mean(drawn[:, 1:] & drawn[:, :-1])
    expect(
        abs(pairs - share**2) < share**2 / 2,
        "Concepts that stand next to each other are drawn together or never: shuffle them.",
    )
    doubt = np.sqrt(share * (1 - share) / len(drawn))
    expect(
        0.5 * doubt < drawn.mean(axis=0).std() < 1.6 * doubt,
        "Some concepts are drawn more often than others: each should have the same chance.",
    )


def split_with(answer, names, share, seed):
    mask = call(answer, names, share, np.random.default_rng(seed))
    values = numbers(mask, "The mask")
    expect(
        values.shape == names.shape,
        f"One value for each picture is expected, shape {names.shape}, not {values.shape}.",
    )
    expect(
        np.asarray(mask).dtype == bool,
        "True or False is expected: is it a test picture?",
    )
    return np.asarray(mask)


def judge_split(names, mask, share):
    test, train = set(names[mask]), set(names[~mask])
    both, count = len(test & train), len(test | train)
    if both:
        raise Wrong(f"{both} concepts are in both parts: draw concepts, not pictures.")
    right = {int(np.rint(share * count)), int(np.floor(share * count + 0.5))}  # halves
    if len(test) in right:
        return
    expect(len(test) > 0, "No picture is for testing.")
    expect(len(train) > 0, "No picture is left for training.")
    expect(count - len(test) not in right, "The parts are exchanged: True is for testing.")
    found = f"{len(test)} of {count} concepts are for testing, not {max(right)}"
    if len(test) < max(right) - 1:
        raise Wrong(f"{found}. Was one drawn twice? Draw without replacement.")
    raise Wrong(f"{found}, which is {share:g} · {count}, rounded.")


# ---------------------------------------------------------------- 05b.5 mixup


def check_mixup(answer, rng):
    for integers in (False, True):
        n, classes = int(rng.integers(5, 8)), 4
        x = rng.uniform(size=(n, 6, 5, 3))
        y = np.eye(classes)[(np.arange(n) + rng.integers(classes)) % classes]
        if integers:
            x, y = np.round(255 * x).astype(np.uint8), y.astype(int)
        weight = rng.uniform(0.1, 0.9, size=n)
        weight[rng.permutation(n)[:2]] = 0.2, 0.8
        mixup_once(answer, x, y, np.roll(np.arange(n), 2), weight)


def mixup_once(answer, x, y, partner, weight):
    got = parts(call(answer, x, y, partner, weight), 2, "two things: x and y")
    x, y = x.astype(float), y.astype(float)
    w, v = weight[:, None, None, None], weight[:, None]
    mean, larger = weight.mean(), np.maximum(w, 1 - w)
    compare(
        got[0],
        w * x + (1 - w) * x[partner],
        {
            "The weights are exchanged: `weight` belongs to the picture itself.": (
                (1 - w) * x + w * x[partner]
            ),
            "Each picture has a weight of its own.": (
                same(got[0], mean * x + (1 - mean) * x[partner])
                or same(got[0], weight[0] * x + (1 - weight[0]) * x[partner])
            ),
            "The pictures are not mixed.": x,
            "The weight is used as it is, even below ½.": (
                larger * x + (1 - larger) * x[partner]
            ),
        },
        "The pictures are mixed, but not with their partners. Or was the result rounded?",
    )
    compare(
        got[1],
        v * y + (1 - v) * y[partner],
        {"The labels must be mixed too.": y},
        "The labels must be mixed as the pictures are.",
    )


# ---------------------------------------------------------------- 05b.6 a bottleneck


def check_bottleneck(answer, rng):
    got = parts(answer, 3, "three numbers: weights, multiplications, times fewer")
    got = numbers(got, "The answer", (3,))
    weights, plain = 2 * 64 * 16 + 9 * 16**2, 2 * 9 * 64**2
    compare(
        got[0],
        weights,
        {
            "Weights: biases are counted, but there are none.": weights + 16 + 16 + 64,
            "Weights: the convolution in the middle has 16 channels in and 16 out.": (
                same(got[0], 2 * 64 * 16 + 9 * 64**2)
                or same(got[0], 2 * 64 * 16 + 9 * 16 * 64)
            ),
            "Weights: a 3 × 3 kernel has nine numbers for each pair of channels.": (
                2 * 64 * 16 + 3 * 16**2
            ),
            "Weights: the last convolution is missing.": 64 * 16 + 9 * 16**2,
            "Weights: those are the two 3 × 3 convolutions it is compared with.": plain,
        },
        "Weights: kernel height · kernel width · channels in · channels out, three times.",
    )
    compare(
        got[1],
        64 * weights,
        {
            "Multiplications: each weight is used at every place of the map.": weights,
            "Multiplications: the map has 8 · 8 places.": 8 * weights,
            "Multiplications: count additions apart.": 2 * 64 * weights,
        },
        "Multiplications: the weights, once for each of the 8 · 8 places.",
    )
    compare(
        got[2],
        plain / weights,
        {
            "Times fewer: divide the other way round.": weights / plain,
            "Times fewer: there are two 3 × 3 convolutions.": plain / 2 / weights,
        },
        "Times fewer: those of two 3 × 3 convolutions from 64 to 64, over yours.",
        tolerance=6e-3,
    )


# ---------------------------------------------------------------- 05b.7 suppression


def exact_iou(a, b):
    """Of boxes with whole numbers, as a fraction: no rounding at the threshold."""
    height = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    width = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return Fraction(height * width, area(a) + area(b) - height * width)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def suppression(boxes, scores, threshold, by="kept"):
    """The rule, written as the definition: right, or with one typical mistake."""
    boxes = [[int(v) for v in box] for box in boxes]
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    for place, i in enumerate(order):
        rivals = {"kept": kept, "all": order[:place], "last": kept[-1:]}[by]
        if all(exact_iou(boxes[i], boxes[j]) <= threshold for j in rivals):
            kept.append(i)
    return kept


def suppress_once(answer, boxes, scores, threshold):
    boxes, scores = np.array(boxes).reshape(-1, 4), np.array(scores, float)
    right = suppression(boxes, scores, threshold)
    got = call(answer, boxes, scores, float(threshold))
    got = numbers(got, "The kept boxes").tolist()
    if got == right:
        return
    where = f"for {boxes.tolist()} with scores {scores.tolist()}, threshold {threshold}"
    expect(len(boxes) > 0, "Without boxes nothing is kept: an empty list.")
    expect(isinstance(got, list), "A list of numbers of boxes is expected.")
    flat = [tuple(np.atleast_1d(v)) for v in got]
    if any(len(v) > 1 for v in flat):
        raise Wrong("Return the numbers of the boxes, not the boxes themselves.")
    expect(np.isfinite(got).all(), f"Numbers of boxes are 0, 1, …; got {got}.")
    got = [int(v) for v in got]
    if sorted(got) == sorted(right):
        expect(
            len(set(scores)) == len(scores), "Equal scores: the first in the list first."
        )
        raise Wrong("The right boxes are kept, but not in the order of their scores.")
    if got == suppression(boxes, scores, threshold, "all"):
        raise Wrong("A box that was dropped drops others: compare with kept boxes only.")
    if got == suppression(boxes, scores, threshold, "last"):
        raise Wrong("Compare with all kept boxes, not with the last one only.")
    if got == suppression(boxes, -scores, threshold):
        raise Wrong("The box with the *highest* score goes first.")
    if len(got) < len(right) and touches(boxes[right], threshold):
        raise Wrong(f"An overlap of exactly the threshold is allowed, {where}.")
    raise Wrong(f"{got} is kept, and it should be {right}, {where}.")


def touches(boxes, threshold):
    """True if two of the boxes overlap by exactly the threshold."""
    return any(exact_iou(a, b) == threshold for a, b in combinations(boxes.tolist(), 2))


def check_suppression(answer, rng):
    suppress_once(answer, [[0, 0, 10, 10], [0, 2, 10, 12]], [0.9, 0.4], 0.5)
    suppress_once(answer, [[0, 0, 10, 10], [3, 3, 6, 6]], [0.9, 0.4], 0.5)  # one inside
    chain = [[0, 0, 10, 10], [0, 2, 10, 12], [0, 4, 10, 14], [20, 0, 30, 10]]
    suppress_once(answer, chain, [0.9, 0.8, 0.7, 0.6], 0.5)
    suppress_once(answer, chain, [0.6, 0.7, 0.8, 0.9], 0.5)
    suppress_once(answer, chain, [0.6, 0.7, 0.8, 0.9], 0.7)
    suppress_once(answer, [[0, 0, 4, 4], [0, 2, 4, 6]], [0.5, 0.9], 1 / 3 + 1e-9)
    suppress_once(answer, [[0, 0, 2, 4], [0, 0, 2, 2]], [0.5, 0.9], 0.5)  # exactly
    suppress_once(answer, [[0, 0, 2, 4], [0, 1, 2, 4]], [-3.0, -2.0], 0.5)
    same_score = [[0, 0, 5, 5], [1, 0, 6, 5], [40, 0, 41, 9]]
    suppress_once(answer, same_score, [0.5, 0.5, 0.5], 0.5)
    suppress_once(answer, [[3, 3, 9, 9]] * 3, [0.1, 0.3, 0.2], 0.5)
    suppress_once(answer, [[2, 3, 4, 5]], [0.2], 0.5)
    suppress_once(answer, [], [], 0.5)
    for threshold in (0.137, 0.313, 0.617):  # no overlap is equal to these
        for n in (6, 15, 25):
            low = rng.integers(0, 12, size=(n, 2))
            boxes = np.hstack([low, low + rng.integers(1, 9, size=(n, 2))])
            suppress_once(answer, boxes, rng.permutation(n) / 7 - 1, threshold)


# ---------------------------------------------------------------- 05b.8 a projection


def keras_projection(
    x, first, second, shortcut, strides, *, relu=(True, False, False, True)
):
    """The block by Keras's convolution: ReLU behind first, second, shortcut and sum."""
    from keras import ops

    def conv(h, weights, steps, on):
        h = ops.conv(h, weights[0], steps, padding="same") + weights[1]
        return ops.relu(h) if on else h

    hidden = conv(x, first, strides, relu[0])
    f = conv(hidden, second, 1, relu[1])
    total = f + conv(x, shortcut, strides, relu[2])
    return ops.convert_to_numpy(ops.relu(total) if relu[3] else total)


def check_projection(answer, rng):
    for strides, size, c, filters in (
        (2, (8, 6), 3, 5),
        (2, (7, 9), 2, 2),
        (1, (5, 4), 3, 4),
    ):
        x = rng.normal(size=(2, *size, c)).astype("float32")
        first, second, shortcut = (
            [rng.normal(size=(k, k, i, filters)).astype("float32") / 2,
             rng.normal(size=filters).astype("float32")]
            for k, i in ((3, c), (3, filters), (1, c))
        )  # fmt: skip
        block = (x, tuple(first), tuple(second), tuple(shortcut), strides)
        got = call(answer, *block)
        right = keras_projection(*block)
        no_bias = [(kernel, 0 * bias) for kernel, bias in block[1:4]]
        taken = x[:, ::strides, ::strides]
        f_only = keras_projection(
            x, *block[1:3], (0 * shortcut[0], 0 * shortcut[1]), strides
        )
        compare(
            got,
            right,
            {
                "The sum needs a ReLU.": keras_projection(*block, relu=(1, 0, 0, 0)),
                "No ReLU behind the second convolution: only behind the sum.": (
                    keras_projection(*block, relu=(1, 1, 0, 1))
                ),
                "The first convolution needs a ReLU.": keras_projection(
                    *block, relu=(0, 0, 0, 1)
                ),
                "The projection has no ReLU of its own.": keras_projection(
                    *block, relu=(1, 0, 1, 1)
                ),
                "The shortcut is missing.": f_only,
                "A bias is missing.": keras_projection(x, *no_bias, strides),
                "The shortcut's bias is missing.": keras_projection(
                    *block[:3], no_bias[2], strides
                ),
                "x is added as it is: it has to pass the projection.": (
                    taken.shape == right.shape
                    and same(got, residual_of(block, taken), 1e-4)
                ),
            },
            "The shapes are right, the values are not: which convolutions have strides?",
            tolerance=1e-4,
        )


def residual_of(block, shortcut):
    """max(0, F(x) + shortcut) for a shortcut that is given."""
    from keras import ops

    x, first, second, _, strides = block
    hidden = ops.relu(ops.conv(x, first[0], strides, padding="same") + first[1])
    f = ops.conv(hidden, second[0], 1, padding="same") + second[1]
    return ops.convert_to_numpy(ops.relu(f + shortcut))


# ---------------------------------------------------------------- 05b.9 find the leak


def check_leak(answer, rng):
    for m, n, size in ((9, 8, (4, 6)), (2, 7, (5, 5)), (7, 1, (3, 2))):
        train = rng.uniform(size=(m, *size, 3)).astype("float32")
        test = rng.uniform(size=(n, *size, 3)).astype("float32")
        noise = rng.uniform(-0.009, 0.009, size=test.shape).astype("float32")
        kind = rng.permutation(np.arange(n) % 8)
        source = train[rng.integers(0, m, n)]
        near, turned = source + noise, source[:, ::-1] + noise
        mirrored, one_off = source[:, :, ::-1] + noise, source + noise
        one_off[:, 0, 0, 1] = source[:, 0, 0, 1] + 0.014  # one number only
        swapped = source[..., ::-1]
        shifted = source + 0.014
        for k, made in enumerate((near, mirrored, one_off, turned, swapped, shifted)):
            test[kind == k] = made[kind == k]
        leak_once(answer, train, test, 0.01)
    train = rng.integers(0, 256, size=(4, 4, 4, 3)).astype(float)
    leak_once(answer, train, np.concatenate([train[2:, :, ::-1], 255 - train[:1]]), 0.0)


def leak_once(answer, train, test, tolerance):
    def found(change, measure=np.max):
        pictures = change(test)
        far = [[measure(np.abs(a - b)) for a in train] for b in pictures]
        return np.min(far, axis=1) <= tolerance

    as_is, mirrored = found(lambda x: x), found(lambda x: x[:, :, ::-1])
    flipped = found(lambda x: x[:, ::-1])
    right = as_is | mirrored
    got = numbers(call(answer, train, test, tolerance), "The mask")
    expect(
        got.shape == right.shape,
        f"One value for each test picture is expected: {right.shape}, not {got.shape}.",
    )
    compare(
        got,
        right,
        {
            "Mirrored copies are not found.": as_is,
            "Only mirrored copies are found: look for pictures as they are, too.": mirrored,
            "That mirrors top and bottom: left and right is axis 2.": as_is | flipped,
            "That reverses the colors: left and right is axis 2.": (
                same(got, as_is | found(lambda x: x[..., ::-1]))
            ),
            "No number may differ by more: a small mean is not enough.": (
                found(lambda x: x, np.mean) | found(lambda x: x[:, :, ::-1], np.mean)
            ),
            "True and False are exchanged.": ~right,
            "Saving may change numbers a little: compare with the tolerance.": (
                np.array([any(np.array_equal(a, c) for a in train for c in (b, b[:, ::-1]))
                          for b in test])
            ),
        },
        "Some test pictures are judged wrongly.",
    )  # fmt: skip


# ---------------------------------------------------------------- 05b.10 luck


def check_luck(answer, rng):
    cases = [np.array([[1.0, 2.0, -1.5], [0.0, 0.0, 0.0]])]
    cases += [rng.normal(0.4, 1, size=(2, n)) for n in (2, 5, 9)]
    cases += [np.array([[0.61, 0.60, 0.63], [0.60, 0.59, 0.62]])]  # equal up to rounding
    cases += [np.array([[0.7, -0.6, -0.8, 0.7, -0.9], np.zeros(5)])]  # so are these
    cases += [np.array([[1.0], [3.0]]), np.array([[2.0, 1.0, 5.0], [2.0, 1.0, 5.0]])]
    cases += [np.array([[3.0, 1.0, 4.0, 2.0], [1.0, 3.0, 2.0, 4.0]])]  # a mean of 0
    for a, b in cases:
        luck_once(answer, a, b)


def luck_once(answer, a, b):
    """The oracle is SciPy's exact test, in whole units where rounding could decide."""
    from scipy.stats import permutation_test

    exact = np.round((a - b) * 1e9)
    mean, n = np.mean(a - b), len(a)

    def by_scipy(alternative):
        if not exact.any():
            return 1.0
        if n == 1:
            return 1.0 if alternative == "two-sided" else (0.5 if mean > 0 else 1.0)
        result = permutation_test(
            (exact,), np.sum, permutation_type="samples", alternative=alternative,
            n_resamples=np.inf, vectorized=False,
        )  # fmt: skip
        return min(result.pvalue, 1.0)

    right = by_scipy("two-sided")
    got = parts(call(answer, a, b), 2, "two numbers: the mean and the share")
    compare(
        got[0],
        mean,
        {"The mean difference is a - b, not b - a.": -mean, "That is the sum.": n * mean},
        "The first number is the mean of a - b.",
    )
    got = numbers(got[1], "The share", ())
    patterns = 2**n
    compare(
        got,
        right,
        {
            "Count both sides: compare absolute values.": by_scipy("greater"),
            "The measured pattern itself is one of all patterns: it counts.": (
                same(got, right - 1 / patterns)
                or same(got, (right * patterns - 1) / max(patterns - 1, 1))
            ),
            "Patterns that are equally far count. Is there a tolerance for rounding?": (
                bool(got < right)
            ),
            "That is a number of patterns: divide by all of them.": right * patterns,
        },
        f"The share is wrong for differences {np.round(a - b, 3).tolist()}.",
    )


CHECKS = {
    "05b.2": check_split,
    "05b.5": check_mixup,
    "05b.6": check_bottleneck,
    "05b.7": check_suppression,
    "05b.8": check_projection,
    "05b.9": check_leak,
    "05b.10": check_luck,
}
