"""Chapter 05b: second right solutions, typical wrong ones with the message they get."""

import numpy as np

# ---------------------------------------------------------------- 05b.2


def split_by_sorting(concepts, share, rng):
    different = sorted(set(concepts))
    rank = dict(zip(different, rng.random(len(different)), strict=True))
    limit = sorted(rank.values())[round(share * len(rank)) - 1]
    return [bool(rank[concept] <= limit) for concept in concepts]


def split_pictures(concepts, share, rng):
    return rng.random(len(concepts)) < share


def split_reversed(concepts, share, rng):
    different = np.unique(concepts)
    chosen = rng.permutation(different)[: round(share * len(different))]
    return ~np.isin(concepts, chosen)


def split_unseeded(concepts, share, rng):
    return split_by_sorting(concepts, share, np.random.default_rng())


def split_fixed(concepts, share, rng):
    return split_by_sorting(concepts, share, np.random.default_rng(0))


def split_names(concepts, share, rng):
    return np.unique(concepts)[: round(share * len(np.unique(concepts)))]


# ---------------------------------------------------------------- 05b.3


def smooth_by_loop(y, classes, smoothing):
    targets = np.full((len(y), classes), smoothing / classes)
    for row, label in enumerate(y):
        targets[row, label] += 1 - smoothing
    return targets.tolist()


# ---------------------------------------------------------------- 05b.4


def overlap_by_pixels(a, b):
    def pixels(box):
        top, left, bottom, right = box
        return {(i, j) for i in range(top, bottom) for j in range(left, right)}

    return len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))


def overlap_with(clip=0, outside=0, twice=0, divide=True):
    def overlap(a, b):
        height = max(min(a[2], b[2]) - max(a[0], b[0]) + outside, clip)
        width = max(min(a[3], b[3]) - max(a[1], b[1]) + outside, clip)
        areas = [(c[2] - c[0] + outside) * (c[3] - c[1] + outside) for c in (a, b)]
        common = height * width
        return common / (sum(areas) - (1 - twice) * common) if divide else common

    return overlap


# ---------------------------------------------------------------- 05b.5


def mixup_by_loop(x, y, partner, weight):
    pairs = list(zip(weight, range(len(x)), partner, strict=True))
    mixed = [np.stack([w * a[i] + (1 - w) * a[j] for w, i, j in pairs]) for a in (x, y)]
    return mixed[0].astype("float64"), mixed[1].tolist()


def mixup_with(of_x=lambda w: w, of_y=lambda w: w, partner_of=lambda p: p):
    def mixup(x, y, partner, weight):
        a, b = of_x(weight)[:, None, None, None], of_y(weight)[:, None]
        other = partner_of(partner)
        return a * x + (1 - a) * x[other], b * y + (1 - b) * y[other]

    return mixup


def ones(weight):
    return np.ones_like(weight)


def split_with_replacement(concepts, share, rng):
    different = np.unique(concepts)
    return np.isin(concepts, rng.choice(different, round(share * len(different))))


def split_rounding_down(concepts, share, rng):
    different = rng.permutation(np.unique(concepts))
    return np.isin(concepts, different[: int(share * len(different))])


def split_each_by_chance(concepts, share, rng):
    different = np.unique(concepts)
    return np.isin(concepts, different[rng.random(len(different)) < share])


def split_a_block(concepts, share, rng):
    different = np.unique(concepts)
    rolled = np.roll(different, rng.integers(len(different)))
    return np.isin(concepts, rolled[: round(share * len(different))])


def split_every_kth(concepts, share, rng):
    different = np.unique(concepts)
    count = round(share * len(different))
    places = (np.arange(count) * len(different) // count + rng.integers(1000)) % len(
        different
    )
    return np.isin(concepts, different[places])


def split_in_order(concepts, share, rng):
    different = np.unique(concepts)
    return np.isin(concepts, different[: round(share * len(different))])


def split_favouring(concepts, share, rng):
    """Frequent concepts first, so that many pictures are for testing."""
    different, counts = np.unique(concepts, return_counts=True)
    order = np.argsort(-counts + 0.5 * rng.random(len(counts)))
    return np.isin(concepts, different[order[: round(share * len(different))]])


def overlap_of_equals(a, b):
    """Takes the area of a for that of b."""
    height = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    width = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return height * width / (2 * (a[2] - a[0]) * (a[3] - a[1]) - height * width)


def overlap_by_the_hull(a, b):
    hull = [min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]
    union = (hull[2] - hull[0]) * (hull[3] - hull[1])
    return overlap_with(divide=False)(a, b) / union


RIGHT = {
    "05b.1": [np.array([1 / 24, 1 / 8]), [0.0417, 0.125]],
    "05b.2": [
        split_by_sorting,
        lambda concepts, share, rng: np.isin(
            concepts,
            rng.choice(
                np.unique(concepts),
                round(share * len(set(concepts.tolist()))),
                replace=False,
            ),
        ),
    ],
    "05b.3": [smooth_by_loop],
    "05b.4": [overlap_by_pixels],
    "05b.5": [mixup_by_loop],
}

WRONG = {
    "05b.1": [
        ((15, 0.125), "15 full turns"),
        ((np.radians(15), 0.125), "radians"),
        ((15 / 180, 0.125), "not 180"),
        ((15 / 360, 4), "share of it"),
        ((0.125, 15 / 360), "swapped"),
        (15 / 360, "should have shape (2,)"),
        ((15 / 360, 1 / 4), "8 pixels"),
    ],
    "05b.2": [
        (split_pictures, "in both parts"),
        (split_reversed, "True is for testing"),
        (split_unseeded, "same split"),
        (split_fixed, "depend on rng"),
        (split_names, "should be numbers"),
        (lambda concepts, share, rng: np.zeros(len(concepts), bool), "No picture"),
        (split_with_replacement, "Draw without replacement"),
        (split_rounding_down, "rounded"),
        (split_each_by_chance, "are for testing, not"),
        (split_a_block, "next to each other"),
        (split_every_kth, "next to each other"),
        (split_in_order, "depend on rng"),
        (split_favouring, "same chance"),
        (lambda concepts, share, rng: rng.random(9) < 0.5, "One value for each picture"),
    ],
    "05b.3": [
        (lambda y, classes, smoothing: np.eye(classes)[y], "Nothing is smoothed"),
        (
            lambda y, classes, smoothing: np.where(
                np.eye(classes)[y] == 1, 1 - smoothing, smoothing / (classes - 1)
            ),
            "the right one included",
        ),
        (
            lambda y, classes, smoothing: np.eye(classes)[y] + smoothing / classes,
            "sum to 1",
        ),
        (lambda y, classes, smoothing: np.eye(classes)[y].T, "Shape"),
        (
            lambda y, classes, smoothing: smooth_by_loop(y, max(y) + 1, smoothing),
            "one column for each",
        ),
    ],
    "05b.4": [
        (overlap_with(divide=False), "divide by the union"),
        (overlap_with(twice=1), "counted twice"),
        (overlap_with(outside=1), "no +1"),
        (overlap_with(clip=-100), "far apart"),
        (lambda a, b: overlap_by_pixels(a, b) if a[0] < b[0] else 0.0, "is wrong for"),
        (overlap_of_equals, "is wrong for"),
        (lambda a, b: [1, 2], "one number"),
        (lambda a, b: "half", "should be numbers"),
        (overlap_by_the_hull, "box around both"),
    ],
    "05b.5": [
        (mixup_with(of_x=lambda w: 1 - w, of_y=lambda w: 1 - w), "exchanged"),
        (mixup_with(of_x=lambda w: w.mean() + 0 * w), "weight of its own"),
        (mixup_with(of_y=ones), "labels must be mixed too"),
        (mixup_with(of_x=ones), "not mixed"),
        (mixup_with(partner_of=lambda p: p[::-1]), "partners"),
        (lambda x, y, partner, weight: x, "two things"),
        (
            mixup_with(
                of_x=lambda w: np.maximum(w, 1 - w), of_y=lambda w: np.maximum(w, 1 - w)
            ),
            "even below ½",
        ),
        (
            lambda x, y, p, w: [
                np.array(m).astype(a.dtype)
                for m, a in zip(mixup_by_loop(x, y, p, w), (x, y), strict=True)
            ],
            "rounded",
        ),
    ],
}
