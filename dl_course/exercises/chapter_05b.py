"""Checks of chapter 05b."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 05b.1 factors


def check_factors(answer, rng):
    got = numbers(answer, "The pair (rotation, translation)", (2,))
    right = np.array([15 / 360, 4 / 32])
    turn, move = got
    compare(
        turn,
        right[0],
        {
            "The two are swapped: rotation first.": same(got, right[::-1], 1e-3),
            "That is 15 full turns: the factor counts turns.": 15,
            "That is 15 degrees in radians, not in turns.": np.radians(15),
            "A full turn has 360 degrees, not 180.": 15 / 180,
        },
        f"Rotation: {turn:g} turns are {360 * turn:g}°.",
        tolerance=1e-3,
    )
    compare(
        move,
        right[1],
        {"That is four times the width: the factor is a share of it.": 4},
        f"Translation: {move:g} · 32 = {32 * move:g} pixels.",
        tolerance=1e-3,
    )


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


# ---------------------------------------------------------------- 05b.3 smooth targets


def check_smooth(answer, rng):
    for last_absent in (True, False):
        classes, n = int(rng.integers(5, 9)), int(rng.integers(10, 14))
        y, smoothing = rng.integers(0, classes, size=n), float(rng.uniform(0.1, 0.3))
        y[y == classes - 1] -= last_absent  # a batch need not hold all classes
        hard = np.eye(classes)[y]
        right = (1 - smoothing) * hard + smoothing / classes
        got = numbers(call(answer, y, classes, smoothing), "The targets")
        compare(
            got,
            right,
            {
                f"Shape {right.shape} is expected, not {got.shape}: one column for each "
                "class, also for those that no label of this batch names.": (
                    got.shape != right.shape
                ),
                "Nothing is smoothed: these are plain one-hot rows.": hard,
                "The rest goes to all classes alike, the right one included.": np.where(
                    hard == 1, 1 - smoothing, smoothing / (classes - 1)
                ),
                "Each row must sum to 1.": (
                    got.shape == right.shape and not same(got.sum(axis=1), np.ones(n))
                ),
            },
            "The values are wrong.",
        )
    compare(
        call(answer, np.array([1, 0]), 3, 0.0), np.eye(3)[[1, 0]], {}, "Without smoothing "
        "(0) the rows should be one-hot."
    )  # fmt: skip


# ---------------------------------------------------------------- 05b.4 overlap


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def pixels(box):
    return {(i, j) for i in range(box[0], box[2]) for j in range(box[1], box[3])}


def check_overlap(answer, rng):
    shift = np.tile(rng.integers(0, 9, size=2), 2)
    pairs = [
        ([0, 0, 4, 6], [1, 2, 9, 7]),  # unequal areas
        ([0, 0, 4, 6], [2, 1, 8, 5]),
        ([3, 3, 9, 12], [5, 0, 7, 20]),  # a cross
        ([2, 2, 8, 8], [3, 4, 5, 6]),  # one inside the other
    ]
    for a, b in [*pairs, *(pair[::-1] for pair in pairs)]:
        overlap_once(answer, np.add(a, shift).tolist(), np.add(b, shift).tolist())
    a = np.add([0, 0, 4, 6], shift)
    for move, where in (
        ([20, 20, 20, 20], "far apart"),
        ([0, 9, 0, 9], "side by side"),
        ([9, 0, 9, 0], "one below the other"),
        ([0, 6, 0, 6], "that touch at an edge"),
    ):
        boxes = [a.tolist(), (a + move).tolist()]
        for first, second in (boxes, boxes[::-1]):
            compare(
                call(answer, first, second),
                0,
                {},
                f"Two boxes {where} should give 0. Is a negative side used?",
            )
    compare(call(answer, a.tolist(), a.tolist()), 1, {}, "A box with itself should give 1.")


def overlap_once(answer, a, b):
    common, both = len(pixels(a) & pixels(b)), area(a) + area(b)

    def with_ends(a, b):
        a, b = ([*box[:2], box[2] + 1, box[3] + 1] for box in (a, b))
        return len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))

    got = numbers(call(answer, a, b), "The result", ())
    compare(
        got,
        common / (both - common),
        {
            "That is the common area: divide by the union.": common,
            "The union is the sum of both areas, minus the common area: that is counted "
            "twice in the sum.": common / both,
            "Bottom and right lie outside of the box: no +1.": with_ends(a, b),
            "That divides by the box around both: the union is smaller.": common
            / area([*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:])]),
            "That is the share of one box: divide by the union.": (
                same(got, common / area(a)) or same(got, common / area(b))
            ),
        },
        f"{got:g} is wrong for {a}, {b}.",
    )


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


CHECKS = {
    "05b.1": check_factors,
    "05b.2": check_split,
    "05b.3": check_smooth,
    "05b.4": check_overlap,
    "05b.5": check_mixup,
}
