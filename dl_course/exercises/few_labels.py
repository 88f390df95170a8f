"""Checks of chapter 11a."""

import numpy as np

from dl_course.exercises import call, expect, numbers, same
from dl_course.network import softmax

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 11a.1 find the partner


def check_partners(answer):
    n = 8
    angles = 2 * np.pi * (np.arange(n) + RNG.uniform(0, 1)) / n  # far apart
    codes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    wrong = int(RNG.integers(2, 4))  # that many second views are someone else's
    swapped = RNG.choice(n, wrong, replace=False)
    second = codes.copy()
    second[swapped] = codes[np.roll(swapped, 1)]
    second = second + RNG.normal(0, 0.01, second.shape)
    sound = ~np.isin(np.arange(n), swapped)
    long = np.flatnonzero(sound & np.roll(sound, -1))[0]  # it and the next have partners
    lengths = np.where(np.arange(2 * n) == long, 9.0, 1.0)
    z = np.concatenate([codes, second]) * lengths[:, None]
    got = numbers(call(answer, z), "The share")
    expect(got.shape == (), "Return one number, the share of all 2n rows.")
    right = 1 - wrong / n
    expect(not same(got, 0.0), "No row finds its partner: is each row its own best match?")
    raw = z @ z.T
    np.fill_diagonal(raw, -np.inf)
    partner = np.roll(np.arange(2 * n), n)
    by_product = np.mean(raw.argmax(axis=1) == partner)
    expect(
        same(got, right) or not same(got, by_product),
        "Long rows win: divide each row by its length first.",
    )
    expect(not same(got, 2 * n * right), "This is a count of rows; a share is at most 1.")
    expect(same(got, right), "It is not the share of rows whose best match is row i ± n.")


# ---------------------------------------------------------------- 11a.2 balanced labels


def check_balanced(answer):
    classes, count = 3, 2
    label = RNG.permutation(np.repeat(np.arange(classes), 5))
    sure = np.where(label == 0, 6.0, 2.0) + RNG.permutation(15) * 0.1  # class 0 is easy
    scores = RNG.uniform(-0.2, 0.2, (15, classes))
    scores[np.arange(15), label] += sure
    p = softmax(scores)
    got = call(answer, p, count)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Return two arrays: numbers of rows, and their labels.",
    )
    rows, labels = (numbers(part, "The result") for part in got)
    expect(
        rows.shape == labels.shape == (classes * count,),
        f"{classes * count} rows are expected: {count} of each class.",
    )
    best = p.max(axis=1)
    right = {
        int(i) for c in range(classes)
        for i in sorted(np.flatnonzero(label == c), key=lambda i: -best[i])[:count]
    }  # fmt: skip
    top = set(np.argsort(-best)[: classes * count].tolist())
    chosen = {int(i) for i in rows}
    expect(
        chosen != top, "These are the surest rows of all: the easy class takes them all."
    )
    least = {
        int(i) for c in range(classes)
        for i in sorted(np.flatnonzero(label == c), key=lambda i: best[i])[:count]
    }  # fmt: skip
    expect(chosen != least, "These are the *least* sure rows of each class.")
    expect(chosen == right, "These are not the surest rows of each predicted class.")
    expect(
        same(labels, label[rows.astype(int)]),
        "The rows are right, but the labels do not belong to them, row by row.",
    )


# ---------------------------------------------------------------- 11a.3 the best questions


def check_entropy(answer):
    torn = RNG.uniform(0.47, 0.49)  # between two classes: its margin is smallest
    p = np.array(
        [
            [torn, 0.98 - torn, 0.01, 0.01],
            [0.52, 0.16, 0.16, 0.16],  # surer of its best class, but more open
            [0.55, 0.15, 0.15, 0.15],
            [0.97, 0.01, 0.01, 0.01],
            [0.89, 0.05, 0.03, 0.03],
            [0.02, 0.94, 0.02, 0.02],
        ]
    )
    for zeros in (False, True):
        if zeros:  # one row of three becomes certain of what it is not
            p[RNG.integers(3, 6)] = [0.9, 0.1, 0.0, 0.0]
        order = RNG.permutation(len(p))
        inputs = p[order][:, RNG.permutation(4)]
        with np.errstate(all="ignore"):
            got = numbers(call(answer, inputs, 2), "The rows").reshape(-1)
        expect(len(got) == 2, "Two rows were asked for.")
        chosen = {int(order[int(i)]) for i in got}
        expect(
            zeros or not chosen <= {3, 4, 5},
            "These rows are the surest: ask where the entropy is largest.",
        )
        expect(
            0 not in chosen,
            "This looks like the smallest best probability, or margin; entropy sees all p.",
        )
        expect(
            not zeros or not chosen & {3, 4, 5},
            "A row with a zero was chosen: is its entropy NaN? 0 log 0 counts as 0.",
        )
        expect(chosen == {1, 2}, "These are not the two largest entropies.")


# ---------------------------------------------------------------- 11a.4 match statistics


def check_match(answer):
    source = RNG.normal(RNG.uniform(2, 4, 3), RNG.uniform(1, 3, 3), (40, 3))
    target = RNG.normal(RNG.uniform(-4, -2, 3), RNG.uniform(4, 6, 3), (30, 3))
    got = numbers(call(answer, source, target), "The result")
    expect(
        got.shape != source.shape,
        "The source came back, or was changed: move the target features.",
    )
    expect(got.shape == target.shape, f"A shape of {target.shape} is expected.")
    s, t = (source.mean(0), source.std(0)), (target.mean(0), target.std(0))
    expect(
        not same(got, (target - t[0]) / t[1]),
        "Mean 0 and deviation 1 are not the source's: scale and move once more.",
    )
    expect(not same(got, target - t[0] + s[0]), "The means match, but not the deviations.")
    whole = (target - target.mean()) / target.std() * source.std() + source.mean()
    expect(not same(got, whole), "Treat each column by itself: use axis=0.")
    expect(
        same(got, (target - t[0]) / t[1] * s[1] + s[0], 1e-2),
        "Columns should have the source's mean and deviation.",
    )


CHECKS = {
    "11a.1": check_partners,
    "11a.2": check_balanced,
    "11a.3": check_entropy,
    "11a.4": check_match,
}
