"""Chapter 09b: second right solutions, and typical wrong ones with their messages."""

import keras
import numpy as np

# ---------------------------------------------------------------- 09b.1


def block_by_parts(width):
    attention = 4 * (width * width + width)
    dense = width * 4 * width + 4 * width + 4 * width * width + width
    return np.int64(attention + dense + 2 * 2 * width)


# ---------------------------------------------------------------- 09b.2


def nucleus_by_loop(p, mass):
    kept, total = [0.0] * len(p), 0.0
    for i in sorted(range(len(p)), key=lambda i: -p[i]):
        if total < mass:
            kept[i] = p[i]
            total += p[i]
    return [value / total for value in kept]


def nucleus_with(extra=0, renormalize=True, ordered=False):
    def nucleus(p, mass):
        order = np.argsort(-p)
        count = int(np.searchsorted(np.cumsum(p[order]), mass)) + 1 + extra
        kept = np.zeros_like(p)
        kept[order[:count]] = p[order[:count]]
        kept = np.sort(kept)[::-1] if ordered else kept
        return kept / kept.sum() if renormalize else kept

    return nucleus


# ---------------------------------------------------------------- 09b.3


def leaks_by_cutting(model, ids, size):
    """Change all from place t on, and compare all before."""
    ids = np.array(ids)
    before = np.array(model(ids))
    for t in range(1, ids.shape[1]):
        changed = ids.copy()
        changed[:, t:] = (changed[:, t:] + 1) % size
        if np.any(np.array(model(changed))[:, :t] != before[:, :t]):
            return np.True_
    return np.False_


def leaks_with(places, until=0):
    def leaks(model, ids, size):
        before = np.array(model(ids))
        for t in places(ids.shape[1]):
            changed = np.array(ids)
            changed[:, t] = (changed[:, t] + 1) % size
            after = np.array(model(changed))
            if np.any(after[:, : t + until] != before[:, : t + until]):
                return True
        return False

    return leaks


# ---------------------------------------------------------------- 09b.4


def attend_by_lists(q, k, v, cache):
    keys, values = [*cache[0], k], [*cache[1], v]
    powers = [np.exp(q @ key / len(q) ** 0.5) for key in keys]
    mean = sum(p * value for p, value in zip(powers, values, strict=True)) / sum(powers)
    return mean.tolist(), [keys, values]


def attend_with(scale=True, see_itself=True, front=False, keep=True):
    def attend(q, k, v, cache):
        pairs = [
            np.vstack([new, old] if front else [old, new])
            for old, new in zip(cache, (k, v), strict=True)
        ]
        seen = pairs if see_itself or not len(cache[0]) else cache
        scores = seen[0] @ q / (np.sqrt(len(q)) if scale else 1)
        powers = np.exp(scores - scores.max())
        return powers / powers.sum() @ seen[1], tuple(pairs) if keep else cache

    return attend


# ---------------------------------------------------------------- 09b.5


def fill_by_masking(predict, ids, gap):
    row = np.array(ids)
    while np.any(row == gap):
        p = np.where((row == gap)[:, None], predict(row), -1)
        place, best = np.unravel_index(p.argmax(), p.shape)
        row[place] = best
    return row.tolist()


def fill_with(choose, once=False):
    def fill(predict, ids, gap):
        row = np.array(ids)
        p = predict(row)
        while np.any(row == gap):
            p = p if once else predict(row)
            left = np.flatnonzero(row == gap)
            place = choose(left, p)
            row[place] = p[place].argmax()
        return row

    return fill


def fill_everything(predict, ids, gap):
    return predict(ids).argmax(axis=1)


def fill_nothing(predict, ids, gap):
    return ids


def leaks_at_the_neighbor(model, ids, size):
    before = np.array(model(ids))
    for t in range(1, ids.shape[1]):
        changed = ids.copy()
        changed[:, t] = (changed[:, t] + 1) % size
        if np.any(np.array(model(changed))[:, t - 1] != before[:, t - 1]):
            return True
    return False


def leaks_setting(value):
    def leaks(model, ids, size):
        before = np.array(model(ids))
        for t in range(1, ids.shape[1]):
            changed = ids.copy()
            changed[:, t] = value
            if np.any(np.array(model(changed))[:, :t] != before[:, :t]):
                return True
        return False

    return leaks


RIGHT = {
    "09b.1": [block_by_parts],
    "09b.2": [nucleus_by_loop],
    "09b.3": [
        leaks_by_cutting,
        lambda *given: keras.ops.convert_to_tensor(leaks_by_cutting(*given)),
    ],
    "09b.4": [attend_by_lists],
    "09b.5": [fill_by_masking],
}

WRONG = {
    "09b.1": [
        (lambda w: 12 * w * w, "Biases and norms"),
        (lambda w: 12 * w * w + 4 * w, "biases are missing"),
        (lambda w: 12 * w * w + 9 * w, "two norms are missing"),
        (lambda w: 12 * w * w + 11 * w, "There are two norms"),
        (lambda w: 11 * w * w + 12 * w, "four matrices"),
        (lambda w: 6 * w * w + 10 * w, "4 w wide"),
    ],
    "09b.2": [
        (nucleus_with(renormalize=False), "Renormalize"),
        (nucleus_with(extra=1), "already reach"),
        (nucleus_with(ordered=True), "sorted"),
        (lambda p, mass: np.eye(7)[p.argmin()], "not right yet"),
        (lambda p, mass: p, "already reach"),
        (
            lambda p, mass: (
                np.where(p >= (1 - mass) * p.max(), p, 0)
                / p[p >= (1 - mass) * p.max()].sum()
            ),
            "not right yet",
        ),
    ],
    "09b.3": [
        (leaks_with(range, until=1), "may see itself"),
        (leaks_with(lambda time: [1]), "is not found"),
        (leaks_with(lambda time: [time - 1]), "place 1 into place 0"),
        (leaks_with(lambda time: range(2, time)), "place 1 into place 0"),
        (lambda model, ids, size: np.array(model(ids)), "True or False"),
        (leaks_at_the_neighbor, "into place 0"),
        (leaks_setting(0), "is not found"),
        (leaks_setting(3), "is not found"),
    ],
    "09b.4": [
        (attend_with(scale=False), "square root"),
        (attend_with(see_itself=False), "see itself"),
        (attend_with(front=True), "out of order"),
        (attend_with(keep=False), "each part of the cache should have shape"),
        (lambda q, k, v, cache: v, "two things"),
    ],
    "09b.5": [
        (fill_with(lambda left, p: left[0], once=True), "at once"),
        (fill_with(lambda left, p: left[0]), "left to right"),
        (fill_with(lambda left, p: left[p[left].max(axis=1).argmin()]), "least sure"),
        (fill_everything, "have changed"),
        (fill_nothing, "gaps are left"),
    ],
}
