"""Answers to the exercises of chapter 10b: other right ones, and typical wrong ones."""

import numpy as np

from dl_course import graph_embeddings as ge


def tails_by_product(h, r, E):
    aim = h + r
    squares = (aim**2).sum(axis=1)[:, None] + (E**2).sum(axis=1) - 2 * aim @ E.T
    return -np.sqrt(np.maximum(squares, 0))


def rank_by_module(scores, right, others):
    known = {(0, 0): np.array([right, *others])}
    return ge.ranks(scores[None], np.array([[0, 0, right]]), known)[0]


def rank_by_sorting(scores, right, others):
    rivals = sorted((s for i, s in enumerate(scores) if i not in others), reverse=True)
    places = [place for place, s in enumerate(rivals, 1) if s == scores[right]]
    return sum(places) / len(places)


def rank(scores, right, others, ties):
    left = [s for i, s in enumerate(scores) if i not in others and i != right]
    return (
        1
        + sum(s > scores[right] for s in left)
        + ties(sum(s == scores[right] for s in left))
    )


def with_itself(scores, right, others):
    left = [s for i, s in enumerate(scores) if i not in others]
    same = sum(s == scores[right] for s in left)
    return 1 + sum(s > scores[right] for s in left) + (same / 2 if same > 1 else 0)


def turns_by_modulo(r, s):
    return (r + s + np.pi) % (2 * np.pi) - np.pi


def means_by_lists(edges, H):
    near = {i: {i} for i in range(len(H))}
    for i, j in edges:
        near[i].add(j)
        near[j].add(i)
    return [np.mean([H[j] for j in near[i]], axis=0) for i in range(len(H))]


def adjacency(edges, n, both=True, loops=True):
    A = np.eye(n) * loops
    for i, j in edges:
        A[i, j] = 1
        if both:
            A[j, i] = 1
    return A


def means(edges, H, **options):
    A = adjacency(edges, len(H), **options)
    with np.errstate(all="ignore"):
        return A @ H / A.sum(axis=1, keepdims=True)


def symmetric_by_arrays(train, share):
    facts = {fact for fact in train if fact[0] != fact[2]}
    return [
        relation
        for relation in {r for _, r, _ in facts}
        if np.mean([(t, r, h) in facts for h, r, t in facts if r == relation]) >= share
    ]


def with_loops(train, share):
    facts = set(train)
    some = {r: [(t, r, h) in facts for h, q, t in facts if q == r] for _, r, _ in facts}
    return {r for r, twins in some.items() if np.mean(twins) >= share}


def any_name(train, share):
    pairs = {(h, t) for h, _, t in train}
    facts = {fact for fact in train if fact[0] != fact[2]}
    some = {r: [(t, h) in pairs for h, q, t in facts if q == r] for _, r, _ in facts}
    return {r for r, twins in some.items() if np.mean(twins) >= share}


def more_than(train, share):
    facts = {fact for fact in train if fact[0] != fact[2]}
    some = {r: [(t, r, h) in facts for h, q, t in facts if q == r] for _, r, _ in facts}
    return {r for r, twins in some.items() if np.mean(twins) > share}


def others_at_minus_1(scores, right, others):
    scores = np.array(scores)
    scores[others] = -1
    return rank_by_sorting(scores, right, [])


def symmetric_pairs(train, share):
    some = {}
    for h, r, t in set(train):
        if h != t:
            some.setdefault(r, []).append(frozenset((h, t)))
    twins = {r: [pairs.count(x) == 2 for x in set(pairs)] for r, pairs in some.items()}
    return {r for r, twin in twins.items() if np.mean(twin) >= share}


RIGHT = {
    "10b.1": [tails_by_product],
    "10b.2": [rank_by_module, rank_by_sorting],
    "10b.3": [turns_by_modulo],
    "10b.4": [means_by_lists],
    "10b.5": [symmetric_by_arrays],
}

WRONG = {
    "10b.1": [
        (lambda h, r, E: -tails_by_product(h, r, E), "minus"),
        (lambda h, r, E: -(tails_by_product(h, r, E) ** 2), "root"),
        (lambda h, r, E: -np.abs((h + r)[:, None] - E).sum(axis=-1), "absolute"),
        (lambda h, r, E: tails_by_product(h, -r, E), "h - r"),
        (lambda h, r, E: tails_by_product(h, r, E).T, "transpose"),
    ],
    "10b.2": [
        (lambda s, r, o: rank(s, r, o, lambda ties: 0), "Ties were won"),
        (lambda s, r, o: rank(s, r, o, lambda ties: ties), "Ties were lost"),
        (with_itself, "itself"),
        (lambda s, r, o: rank_by_sorting(s, r, []), "Other right answers"),
        (lambda s, r, o: rank_by_sorting(s, r, o) - 1, "not 0"),
        (lambda s, r, o: rank_by_sorting(-s, r, o), "large score"),
        (others_at_minus_1, "negative"),
    ],
    "10b.3": [
        (lambda r, s: r + s, "full turns"),
        (lambda r, s: (r + s) % (2 * np.pi), "between 0 and 2π"),
        (lambda r, s: np.exp(1j * (r + s)), "not complex numbers"),
        (lambda r, s: r * s, "add"),
        (lambda r, s: r - s, "turns back"),
    ],
    "10b.4": [
        (lambda edges, H: adjacency(edges, len(H)) @ H, "the sum"),
        (lambda edges, H: means(edges, H, both=False), "both ways"),
        (lambda edges, H: means(edges, H, loops=False), "without edges"),
        (lambda edges, H: ge.normalized(edges, len(H)) @ H, "Kipf"),
        (lambda edges, H: H.T, "should have shape"),
    ],
    "10b.5": [
        (with_loops, "its own twin"),
        (any_name, "same relation"),
        (more_than, "At least"),
        (lambda train, share: len(train), "A set of relations"),
        (symmetric_pairs, "4 of 7"),
        (
            lambda train, share: {r for r in symmetric_by_arrays(train, share)} | {"self"},
            "nothing but loops",
        ),
    ],
}
