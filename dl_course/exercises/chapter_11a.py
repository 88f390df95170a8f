"""Checks of chapter 11a."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- 11a.1 find the partner


def check_partners(answer, rng):
    for views_alike in (False, True):
        partners_once(answer, rng, views_alike)


def partners_once(answer, rng, views_alike):
    """Some pairs are torn apart; all views are points on a circle.

    views_alike: the first views of two pairs are more alike than each with its partner.
    """
    n = 8
    first = 2 * np.pi * (np.arange(n) + rng.uniform(0, 1)) / n  # far apart
    swapped = rng.choice(n, int(rng.integers(2, 4)), replace=False)
    second = first.copy()
    second[swapped] = first[np.roll(swapped, 1)]
    second = second + rng.normal(0, 0.01, n)
    sound = ~np.isin(np.arange(n), swapped)
    if views_alike:  # in the order second a, first a, first b, second b
        a, b = np.flatnonzero(sound)[:2]
        first[b] = first[a] + 0.05
        second[a], second[b] = first[a] - 0.08, first[b] + 0.08
    long = np.flatnonzero(sound & np.roll(sound, -1))[0]  # it and the next have partners
    lengths = np.where(np.arange(2 * n) == long, 9.0, 1.0)
    angles = np.concatenate([first, second])
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    z = unit * lengths[:, None]

    def found(z):
        similar = z @ z.T
        np.fill_diagonal(similar, -np.inf)
        return similar.argmax(axis=1) == np.roll(np.arange(2 * n), n)

    hits = found(unit)
    right = hits.mean()
    across = np.mean((unit[:n] @ unit[n:].T).argmax(axis=1) == np.arange(n))
    got = call(answer, z)
    compare(
        got,
        right,
        {
            "No row finds its partner: is each row its own best match?": 0.0,
            "Search among all other rows, not among the other views alone.": across,
            "This asks the rows of one half only: all 2n look for their partner.": (
                same(got, hits[:n].mean()) or same(got, hits[n:].mean())
            ),
            "Long rows win: divide each row by its length first.": found(z).mean(),
            "This is a count of rows; a share is at most 1.": 2 * n * right,
        },
        "It is not the share of rows whose best match is row i ± n.",
    )


# ---------------------------------------------------------------- 11a.2 balanced labels


def check_balanced(answer, rng):
    for sizes, count in (((5, 5, 5), 2), ((6, 1, 4), 3), ((4, 0, 4), 2)):
        balanced_once(answer, rng, sizes, count)


def balanced_once(answer, rng, sizes, count):
    """sizes: how many rows are predicted to be of each class, some fewer than `count`."""
    classes, n = len(sizes), sum(sizes)
    label = rng.permutation(np.repeat(np.arange(classes), sizes))
    sure = np.where(label == 0, 6.0, 2.0) + rng.permutation(n) * 0.1  # class 0 is easy
    scores = rng.uniform(-0.2, 0.2, (n, classes))
    scores[np.arange(n), label] += sure
    p = softmax(scores)
    got = parts(call(answer, p, count), 2, "two arrays: numbers of rows, and their labels")
    rows, labels = (numbers(part, "Each of the two arrays") for part in got)
    best = p.max(axis=1)

    def of_each_class(sign):
        return {
            int(i)
            for c in range(classes)
            for i in sorted(np.flatnonzero(label == c), key=lambda i: sign * best[i])[
                :count
            ]
        }

    right = of_each_class(-1)
    chosen = rows.ravel().tolist()
    if len(chosen) != len(right) or rows.ndim != 1 or rows.shape != labels.shape:
        few = min(sizes) < count
        raise Wrong(
            f"{len(right)} rows and as many labels are expected: {count} of each class"
            + (", or all if it has fewer." if few else ".")
        )
    if set(chosen) != right:
        top = set(np.argsort(-best)[: classes * count].tolist())
        expect(
            set(chosen) != top,
            "These are the surest rows of all: the easy class takes them all.",
        )
        expect(
            set(chosen) != of_each_class(1),
            "These are the *least* sure rows of each class.",
        )
        raise Wrong("These are not the surest rows of each predicted class.")
    compare(
        labels,
        label[rows.astype(int)],
        {},
        "The rows are right, but the labels do not belong to them, row by row.",
    )


# ---------------------------------------------------------------- 11a.3 the best questions


def plogp(p):
    return p * np.log(np.where(p > 0, p, 1))


ROWS = np.array(
    [
        [0.75, 0.08, 0.08, 0.09],  # entropy 0.84
        [0.62, 0.38, 0.0, 0.0],  # 0.66
        [0.51, 0.49, 0.0, 0.0],  # 0.69
        [0.505, 0.475, 0.01, 0.01],  # 0.79
        [0.34, 0.33, 0.33, 0.0],  # 1.10: smallest margin and best probability
        [0.60, 0.14, 0.13, 0.13],  # 1.11: the largest entropy
        [0.90, 0.10, 0.0, 0.0],  # 0.33
        [0.97, 0.01, 0.01, 0.01],  # 0.17
        [1.0, 0.0, 0.0, 0.0],  # 0
    ]
)
SUREST = "These rows are the surest: ask where the entropy is largest."
DOUBTS = [  # each chooses other rows than the entropy, for one count at least
    (SUREST, lambda p: plogp(p).sum(axis=1)),
    (SUREST, lambda p: p.max(axis=1)),
    (
        "This looks like the smallest best probability; entropy sees all p.",
        lambda p: -p.max(axis=1),
    ),
    (
        "This looks like the smallest margin; entropy sees all p.",
        lambda p: np.sort(p, axis=1)[:, -2] - p.max(axis=1),
    ),
    (
        "This looks like 1 minus the two largest p; entropy sees all.",
        lambda p: 1 - np.sort(p, axis=1)[:, -2:].sum(axis=1),
    ),
    (
        "This looks like 1 - Σ p², or the deviation of p; the entropy is -Σ p log p.",
        lambda p: 1 - (p**2).sum(axis=1),
    ),
]


def check_entropy(answer, rng):
    choices = []  # of probabilities, and the rows that were chosen
    for count in (1, 2, 3, 5) * 2:
        p = ROWS[rng.permutation(len(ROWS))][:, rng.permutation(4)]
        got = numbers(call(answer, p, count), "The numbers of rows").ravel().tolist()
        if not set(got) <= set(range(len(p))):
            raise Wrong("Return numbers of rows, counted from 0.")
        chosen = {int(row) for row in got}
        if len(got) != count or len(chosen) != count:
            raise Wrong(f"Asked for {count} different rows, it gave {len(chosen)}.")
        choices.append((p, chosen))

    def chosen_by(doubt):
        return all(
            chosen == set(np.argsort(-doubt(p), kind="stable")[: len(chosen)].tolist())
            for p, chosen in choices
        )

    if chosen_by(lambda p: -plogp(p).sum(axis=1)):
        return
    for message, doubt in DOUBTS:
        expect(not chosen_by(doubt), message)
    with_zero = [(p[list(chosen)] == 0).any(axis=1) for p, chosen in choices]
    nan = "is their entropy NaN? 0 log 0 counts as 0."
    if all(zero.all() for zero in with_zero):
        raise Wrong(f"Rows with a zero are always chosen: {nan}")
    if not any(zero.any() for zero in with_zero if len(zero) <= 3):
        raise Wrong(f"Rows with a zero come last: {nan}")
    raise Wrong("These are not the rows of largest entropy.")


# ---------------------------------------------------------------- 11a.4 match statistics


def check_match(answer, rng):
    for number in range(3):
        source = rng.normal(rng.uniform(2, 4, 4), rng.uniform(1, 3, 4), (40, 4))
        target = rng.normal(rng.uniform(-4, -2, 4), rng.uniform(4, 6, 4), (30, 4))
        if number:  # a feature that never changes, and one that hardly does
            target[:, 0] = -7.25
            target[:, 1] = -3 + 1e-3 * (target[:, 1] + 3)
        if number == 2:
            source[:, 2] = 1.5
        match_once(answer, source, target)


def match_once(answer, source, target):
    got = numbers(call(answer, source, target), "The result")
    deviations = [x.std(axis=0) for x in (source, target)]
    constant = np.ptp(target, axis=0) == 0

    def moved(by_deviation):
        return (target - target.mean(axis=0)) * by_deviation + source.mean(axis=0)

    with np.errstate(all="ignore"):
        factor = np.where(constant, 1, deviations[0] / deviations[1])
    right = moved(factor)
    n, m = source.shape[0], target.shape[0]
    by_ddof = np.sqrt(n / (n - 1) / (m / (m - 1)))  # deviations with ddof=1, both
    if same(got, moved(np.where(constant, 1, factor * by_ddof)), 1e-4):
        return
    whole = (target - target.mean()) / target.std() * source.std() + source.mean()
    sound = ~constant
    softened = deviations[0] / (deviations[1] + 0.01)
    compare(
        got,
        right,
        {
            "The source came back, or was changed: move the target features.": (
                got.shape == source.shape
            ),
            "A feature that never changes gives NaN: its deviation is 0. Only move it.": (
                got.shape == target.shape and not np.isfinite(got[:, constant]).all()
            ),
            "Mean 0 and deviation 1 are not the source's: scale and move once more.": (
                got.shape == target.shape
                and same(
                    got[:, sound],
                    ((target - target.mean(axis=0)) / deviations[1])[:, sound],
                )
            ),
            "The means match, but not the deviations.": moved(1),
            "Treat each column by itself: use axis=0.": whole,
            "A feature that never changes can still be moved: its mean should be the "
            "source's.": (
                got.shape == target.shape
                and bool(constant.any())
                and same(got[:, sound], right[:, sound], 1e-3)
            ),
            "Something was added to the deviation: small ones come out too small.": (
                got.shape == target.shape
                and same(got[:, sound], moved(softened)[:, sound], 1e-3)
            ),
        },
        "Columns should have the source's mean and deviation.",
        tolerance=1e-4,
    )


CHECKS = {
    "11a.1": check_partners,
    "11a.2": check_balanced,
    "11a.3": check_entropy,
    "11a.4": check_match,
}
