"""Checks of chapter 05b."""

import numpy as np

from dl_course.exercises import call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 05b.1 factors


def check_factors(answer):
    got = numbers(answer, "The factors")
    expect(got.shape == (2,), "Two numbers are expected: rotation, then translation.")
    right = np.array([15 / 360, 4 / 32])
    expect(not same(got, right[::-1]), "The two are swapped: rotation first.")
    turn, move = got
    expect(not same(turn, 15), "That is 15 full turns: the factor counts turns.")
    expect(not same(turn, np.radians(15)), "That is 15 degrees in radians, not in turns.")
    expect(not same(turn, 15 / 180), "A full turn has 360 degrees, not 180.")
    expect(same(turn, right[0], 1e-3), f"Rotation: {turn:g} turns are {360 * turn:g}°.")
    expect(not same(move, 4), "That is four times the width: the factor is a share of it.")
    expect(
        same(move, right[1], 1e-3), f"Translation: {move:g} · 32 = {32 * move:g} pixels."
    )


# ---------------------------------------------------------------- 05b.2 a split by concept


def check_split(answer):
    concepts = RNG.permutation(np.repeat(np.arange(200), RNG.integers(1, 4, size=200)))
    names = np.char.add("concept ", concepts.astype(str))
    masks = []
    for number in (1, 1, 2):
        mask = np.asarray(call(answer, names, 0.25, np.random.default_rng(number)))
        expect(mask.shape == names.shape, f"One value a picture: shape {names.shape}.")
        expect(mask.dtype == bool, "True or False is expected: is it a test picture?")
        masks.append(mask)
    mask = masks[0]
    expect(mask.any(), "No picture is for testing.")
    expect(not mask.all(), "No picture is left for training.")
    both = set(names[mask]) & set(names[~mask])
    expect(
        not both, f"{len(both)} concepts are in both parts: draw concepts, not pictures."
    )
    share = len(set(names[mask])) / len(set(names))
    expect(
        not same(share, 0.75, 0.01), "Three quarters are for testing: True is for testing."
    )
    expect(0.2 <= share <= 0.3, f"{share:.0%} of the concepts are for testing, not 25%.")
    expect(np.array_equal(mask, masks[1]), "The same rng state must give the same split.")
    expect(not np.array_equal(mask, masks[2]), "The split does not depend on rng.")


# ---------------------------------------------------------------- 05b.3 smooth targets


def check_smooth(answer):
    classes, n = int(RNG.integers(5, 9)), int(RNG.integers(10, 14))
    y, smoothing = RNG.integers(0, classes, size=n), float(RNG.uniform(0.1, 0.3))
    hard = np.eye(classes)[y]
    right = (1 - smoothing) * hard + smoothing / classes
    got = numbers(call(answer, y, classes, smoothing), "The targets")
    expect(got.shape == right.shape, f"Shape {right.shape} expected, not {got.shape}.")
    expect(not same(got, hard), "Nothing is smoothed: these are plain one-hot rows.")
    others = np.where(hard == 1, 1 - smoothing, smoothing / (classes - 1))
    expect(
        not same(got, others),
        "The rest goes to all classes alike, the right one included.",
    )
    expect(
        same(got.sum(axis=1), np.ones(n)),
        f"Each row must sum to 1; the first sums to {got[0].sum():.3f}.",
    )
    expect(same(got, right), "The values are wrong.")


# ---------------------------------------------------------------- 05b.4 overlap


def check_overlap(answer):
    a, b = np.array([0, 0, 4, 6]), np.array([2, 1, 8, 5])
    shift = RNG.integers(0, 9, size=2)
    a, b = (box + np.tile(shift, 2) for box in (a, b))
    common, area_a, area_b = 8, 24, 24
    got = float(numbers(call(answer, a.tolist(), b.tolist()), "The result").reshape(-1)[0])
    expect(not same(got, common), "That is the common area: divide by the union.")
    expect(
        not same(got, common / (area_a + area_b)),
        "The common area is counted twice in the union.",
    )
    expect(
        not same(got, 15 / (35 + 35 - 15)),
        "Bottom and right lie outside of the box: no +1.",
    )
    expect(
        same(got, common / (area_a + area_b - common)), f"{got:g} is wrong for {a}, {b}."
    )
    far = np.array([20, 20, 23, 24]) + np.tile(shift, 2)
    got = float(numbers(call(answer, a.tolist(), far.tolist()), "The result"))
    expect(
        same(got, 0),
        f"Two boxes far apart have {got:g} in common: a negative side, times another.",
    )
    beside = a + np.array([0, 9, 0, 9])
    got = float(numbers(call(answer, a.tolist(), beside.tolist()), "The result"))
    expect(same(got, 0), f"Two boxes side by side: {got:g}, not 0.")
    expect(same(call(answer, a.tolist(), a.tolist()), 1), "A box with itself: not 1.")


# ---------------------------------------------------------------- 05b.5 mixup


def check_mixup(answer):
    n, classes = int(RNG.integers(5, 8)), 4
    x = RNG.uniform(size=(n, 6, 6, 3))
    y = np.eye(classes)[(np.arange(n) + RNG.integers(classes)) % classes]
    partner = np.roll(np.arange(n), 2)
    weight = RNG.uniform(0.6, 0.9, size=n)
    got = call(answer, x, y, partner, weight)
    expect(isinstance(got, tuple | list) and len(got) == 2, "Return two things: x and y.")
    got_x, got_y = numbers(got[0], "x"), numbers(got[1], "y")
    expect(got_x.shape == x.shape, f"x: shape {x.shape} expected, not {got_x.shape}.")
    expect(got_y.shape == y.shape, f"y: shape {y.shape} expected, not {got_y.shape}.")
    w = weight[:, None, None, None]
    right_x = w * x + (1 - w) * x[partner]
    right_y = weight[:, None] * y + (1 - weight[:, None]) * y[partner]
    expect(
        not same(got_x, (1 - w) * x + w * x[partner]),
        "The weights are exchanged: `weight` belongs to the picture itself.",
    )
    mean = weight.mean()
    expect(
        not same(got_x, mean * x + (1 - mean) * x[partner])
        and not same(got_x, weight[0] * x + (1 - weight[0]) * x[partner]),
        "Each picture has a weight of its own.",
    )
    expect(not same(got_x, x), "The pictures are not mixed.")
    expect(same(got_x, right_x), "The pictures are mixed, but not with their partners.")
    expect(not same(got_y, y), "The labels must be mixed too.")
    expect(same(got_y, right_y), "The labels must be mixed as the pictures are.")


CHECKS = {
    "05b.1": check_factors,
    "05b.2": check_split,
    "05b.3": check_smooth,
    "05b.4": check_overlap,
    "05b.5": check_mixup,
}
