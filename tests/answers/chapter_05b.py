"""Chapter 05b: second right solutions, typical wrong ones with the message they get."""

import itertools

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


# ---------------------------------------------------------------- 05b.7


def suppress_by_dropping(boxes, scores, threshold):
    """As the text says: keep the best, drop what overlaps it, go on with the rest."""

    def overlap(a, b):
        high, low = np.minimum(a[2:], b[2:]), np.maximum(a[:2], b[:2])
        shared = np.prod(np.clip(high - low, 0, None))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)

    left, kept = list(range(len(boxes))), []
    while left:
        best = max(left, key=lambda i: (scores[i], -i))
        kept.append(best)
        left = [
            i for i in left if i != best and overlap(boxes[best], boxes[i]) <= threshold
        ]
    return kept


def best_first(scores):
    return np.argsort(-scores, kind="stable")


def suppress_with(rivals="kept", strict=False, order=best_first, share=None):
    def suppress(boxes, scores, threshold):
        kept, seen = [], []
        for i in order(scores):
            others = {"kept": kept, "seen": seen, "last": kept[-1:]}[rivals]
            values = [
                share(boxes[i], boxes[j]) if share else iou_of(boxes[i], boxes[j])
                for j in others
            ]
            if all(v < threshold if strict else v <= threshold for v in values):
                kept.append(int(i))
            seen.append(i)
        return kept

    return suppress


def iou_of(a, b, outside=0):
    high, low = np.minimum(a[2:], b[2:]) + outside, np.maximum(a[:2], b[:2])
    shared = np.prod(np.clip(high - low, 0, None))
    areas = [np.prod(c[2:] - c[:2] + outside) for c in (a, b)]
    return shared / (sum(areas) - shared)


def share_of_smaller(a, b):
    high, low = np.minimum(a[2:], b[2:]), np.maximum(a[:2], b[:2])
    shared = np.prod(np.clip(high - low, 0, None))
    return shared / min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))


def negative_iou(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(sides)
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


# ---------------------------------------------------------------- 05b.8


def projection_with(relu=(1, 0, 0, 1), steps=(1, 0, 1), biases=(1, 1, 1), plain=False):
    """Which of first, second, shortcut, sum have a ReLU, and which have strides."""
    from keras import ops

    def block(x, first, second, shortcut, strides):
        def conv(h, weights, k):
            stride = strides if steps[k] else 1
            h = ops.conv(h, weights[0], stride, padding="same") + biases[k] * weights[1]
            return ops.relu(h) if relu[k] else h

        f = conv(conv(x, first, 0), second, 1)
        total = f + (x[:, ::strides, ::strides] if plain else conv(x, shortcut, 2))
        return ops.convert_to_numpy(ops.relu(total) if relu[3] else total)

    return block


# ---------------------------------------------------------------- 05b.9


def leaked_by_broadcasting(x_train, x_test, tolerance):
    both = np.concatenate([x_train, x_train[:, :, ::-1]])
    far = np.abs(x_test[:, None].astype(float) - both[None]).max(axis=(2, 3, 4))
    return (far.min(axis=1) <= tolerance).tolist()


def leaked_with(mirrors=(lambda x: x, lambda x: x[:, :, ::-1]), measure=np.max):
    def leaked(x_train, x_test, tolerance):
        every = np.concatenate([m(x_train) for m in mirrors])
        far = [[measure(np.abs(a - b)) for a in every] for b in x_test]
        return np.min(far, axis=1) <= tolerance

    return leaked


# ---------------------------------------------------------------- 05b.10


def flips_by_bits(a, b):
    d, count = [p - q for p, q in zip(a, b, strict=True)], 0
    for bits in range(2 ** len(d)):
        total = sum(v if bits >> i & 1 else -v for i, v in enumerate(d))
        count += abs(total) >= abs(sum(d)) - 1e-9
    return np.array([sum(d) / len(d), count / 2 ** len(d)])


def flips_with(sign=1, one_sided=False, strict=False, measured=True, tolerance=1e-9):
    def flips(a, b):
        d = sign * (a - b)
        means = [
            np.mean(np.array(s) * d) for s in itertools.product([1, -1], repeat=len(d))
        ]
        means = np.array(means if measured else means[1:])
        size = means if one_sided else abs(means)
        limit = d.mean() if one_sided else abs(d.mean())
        far = size > limit + tolerance if strict else size >= limit - tolerance
        return d.mean(), far.sum() / 2 ** len(d)

    return flips


RIGHT = {
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
    "05b.5": [mixup_by_loop],
    "05b.6": [[4352, 278528, 16.94], np.array([4352.0, 4352 * 64, 288 / 17])],
    "05b.7": [suppress_by_dropping, lambda *a: np.array(suppress_by_dropping(*a), int)],
    "05b.8": [projection_with()],
    "05b.9": [leaked_by_broadcasting],
    "05b.10": [flips_by_bits],
}

WRONG = {
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
    "05b.6": [
        ((4448, 278528, 16.94), "biases"),
        ((2 * 1024 + 9 * 64 * 64, 1, 1), "16 channels in and 16 out"),
        ((3328, 1, 1), "last convolution is missing"),
        ((73728, 1, 1), "compared with"),
        ((4352, 4352, 16.94), "at every place"),
        ((4352, 557056, 16.94), "additions"),
        ((4352, 278528, 17 / 288), "other way round"),
        ((4352, 278528, 8.47), "there are two"),
        ((4352, 278528), "three numbers"),
    ],
    "05b.7": [
        (suppress_with("seen"), "kept boxes only"),
        (suppress_with("last"), "all kept boxes"),
        (suppress_with(order=np.argsort), "highest"),
        (suppress_with(order=lambda s: best_first(s)[::-1]), "highest"),
        (suppress_with(strict=True), "exactly the threshold"),
        (lambda b, s, t: sorted(suppress_by_dropping(b, s, t)), "order of their scores"),
        (suppress_with(order=lambda s: np.lexsort((-np.arange(len(s)), -s))), "kept"),
        (suppress_with(share=share_of_smaller), "it should be"),
        (suppress_with(share=negative_iou), "it should be"),
        (suppress_with(share=lambda a, b: iou_of(a, b, 1)), "it should be"),
        (lambda b, s, t: b[suppress_by_dropping(b, s, t)], "not the boxes themselves"),
        (lambda b, s, t: suppress_by_dropping(b, s, 0.5), "it should be"),
        (lambda b, s, t: [int(np.argmax(s))] if len(s) else [], "it should be"),
    ],
    "05b.8": [
        (projection_with(relu=(1, 0, 0, 0)), "sum needs a ReLU"),
        (projection_with(relu=(1, 1, 0, 1)), "behind the second"),
        (projection_with(relu=(0, 0, 0, 1)), "first convolution needs"),
        (projection_with(relu=(1, 0, 1, 1)), "no ReLU of its own"),
        (projection_with(biases=(1, 1, 0)), "shortcut's bias"),
        (projection_with(biases=(0, 0, 0)), "A bias is missing"),
        (projection_with(steps=(0, 1, 1)), "which convolutions have strides"),
        (projection_with(steps=(0, 0, 0)), "should have shape"),
        (projection_with(plain=True), "raised"),
    ],
    "05b.9": [
        (leaked_with(mirrors=[lambda x: x]), "Mirrored copies are not found"),
        (leaked_with(mirrors=[lambda x: x[:, :, ::-1]]), "Only mirrored"),
        (leaked_with(mirrors=[lambda x: x, lambda x: x[:, ::-1]]), "axis 2"),
        (leaked_with(mirrors=[lambda x: x, lambda x: x[..., ::-1]]), "axis 2"),
        (leaked_with(measure=np.mean), "small mean"),
        (lambda a, b, t: ~np.array(leaked_by_broadcasting(a, b, t)), "exchanged"),
        (lambda a, b, t: leaked_by_broadcasting(a, b, 0.0), "with the tolerance"),
        (lambda a, b, t: leaked_by_broadcasting(a, b, 0.02), "judged wrongly"),
        (lambda a, b, t: leaked_by_broadcasting(b, a, t), "One value for each test"),
    ],
    "05b.10": [
        (flips_with(sign=-1), "not b - a"),
        (flips_with(one_sided=True), "both sides"),
        (flips_with(strict=True), "equally far"),
        (flips_with(measured=False), "measured pattern itself"),
        (lambda a, b: (np.mean(a - b), flips_by_bits(a, b)[1] * 2 ** len(a)), "number of"),
        (lambda a, b: (np.sum(a - b), flips_by_bits(a, b)[1]), "the sum"),
        (lambda a, b: np.mean(a - b), "two numbers"),
        (flips_with(tolerance=0), "rounding"),
    ],
}
