"""Checks of chapter 10b."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, same

# ---------------------------------------------------------------- 10b.1 shifts


def score_tails(answer):
    rng = np.random.default_rng()
    for n, entities, d in ((3, 5, 2), (1, 4, 6), (4, 4, 4)):
        h, r, E = (rng.normal(size=(k, d)) for k in (n, n, entities))
        got = call(answer, h, r, E)
        right = -np.array([[np.sqrt(((a + b - e) ** 2).sum()) for e in E]
                           for a, b in zip(h, r, strict=True)])  # fmt: skip
        shape = np.shape(got)
        expect(
            n == entities or shape != (entities, n),
            "Questions are rows, entities are columns: looks like the transpose.",
        )
        expect(shape == (n, entities), f"Shape {(n, entities)} is expected, not {shape}.")
        expect(not same(got, -right), "Near is plausible: a minus is missing.")
        expect(not same(got, -(right**2)), "The root is missing: squared distances.")
        absolute = -np.abs((h + r)[:, None] - E).sum(axis=-1)
        expect(
            not same(got, absolute) or same(absolute, right),
            "Those are sums of absolute values. Euclidean: squares, sum, root.",
        )
        turned = -np.linalg.norm((h - r)[:, None] - E, axis=-1)
        expect(not same(got, turned), "That is h - r: the shift has the wrong sign.")
        expect(same(got, right), "The scores differ from -‖h + r - t‖.")


# ---------------------------------------------------------------- 10b.2 an honest rank


def honest_rank(answer):
    rng = np.random.default_rng()

    def got(scores, right, others):
        rank = call(answer, np.array(scores, dtype=float), right, others)
        try:
            return float(rank)
        except (TypeError, ValueError):
            raise Wrong(f"One number is expected, not {type(rank).__name__}.") from None

    expect(got([3, 1, 2], 0, []) != 0, "The best rank is 1, not 0.")
    expect(got([3, 1, 2], 1, []) != 1, "A large score is a good one.")
    expect(got([3, 1, 2], 2, []) == 2, "With 3, 1, 2 the last one has rank 2.")
    tied = got([5, 5, 5], 1, [])
    expect(tied != 1, "Ties were won: three equals, and the right one first.")
    expect(tied != 3, "Ties were lost: three equals, and the right one last.")
    expect(tied != 2.5, "The right one equals itself: do not count it.")
    expect(tied == 2, "Half of the other equals count as better: 1 + 2/2 = 2 is expected.")
    expect(
        got([9, 8, 7, 1], 2, [0, 1]) == 1,
        "Other right answers should not count as better.",
    )
    expect(
        got([9, 8, 7, 1], 3, [0]) == 3, "Only the others are to be ignored, nobody else."
    )
    expect(
        got([4, 4, 4, 1], 0, [1]) == 1.5, "Other right answers should not count in ties."
    )
    for _ in range(30):
        n = int(rng.integers(2, 9))
        scores, right = rng.integers(0, 4, n), int(rng.integers(n))
        others = [int(i) for i in np.flatnonzero(rng.random(n) < 0.3) if i != right]
        rivals = [scores[i] for i in range(n) if i != right and i not in others]
        rank = 1 + sum((s > scores[right]) + (s == scores[right]) / 2 for s in rivals)
        expect(
            got(scores, right, others) == rank,
            f"Scores {scores.tolist()}, right {right}, others {others}: {rank:g} expected.",
        )


# ---------------------------------------------------------------- 10b.3 one turn for two


def both_turns(answer):
    rng = np.random.default_rng()
    small = rng.uniform(0.1, 1, (2, 4))
    large = np.array([[3.0, -3.0, 2.0, 0.5], [2.0, -2.0, 2.5, -0.2]])
    for r, s in (small, large, rng.uniform(-3.1, 3.1, (2, 9))):
        got = call(answer, r, s)
        expect(
            np.shape(got) == r.shape, f"Shape {r.shape} is expected, not {np.shape(got)}."
        )
        expect(
            np.asarray(got).dtype.kind in "fiu",
            "Angles are expected, not complex numbers: take `np.angle`.",
        )
        right = np.angle(np.exp(1j * (r + s)))
        expect(not same(got, r * s), "Angles add when turns follow each other.")
        expect(not same(got, r - s), "That turns back: a minus too many.")
        expect(
            not same(got, r + s) or same(r + s, right),
            "Right, up to full turns: bring the angles back between -π and π.",
        )
        expect(
            not same(got, (r + s) % (2 * np.pi)) or same((r + s) % (2 * np.pi), right),
            "Those lie between 0 and 2π.",
        )
        expect(
            same(np.abs(np.exp(1j * np.asarray(got, float)) - np.exp(1j * (r + s))), 0 * r),
            "The turn is another one.",
        )
        expect(np.abs(got).max() <= np.pi + 1e-9, "The angles leave the interval.")


# ---------------------------------------------------------------- 10b.4 ask around


def mean_of_neighbors(answer):
    rng = np.random.default_rng()
    for n in (4, 6, 7):
        pairs = [(i, j) for i in range(n - 1) for j in range(i + 1, n - 1)]  # last: alone
        chosen = rng.permutation(len(pairs))[: max(2, len(pairs) // 2)]
        edges = np.array([pairs[k] for k in chosen])
        H = rng.normal(size=(n, 3))
        got = call(answer, edges, H)
        expect(
            np.shape(got) == H.shape, f"Shape {H.shape} is expected, not {np.shape(got)}."
        )
        A = np.zeros((n, n))
        A[edges[:, 0], edges[:, 1]] = 1
        one_way, both = A + np.eye(n), A + A.T + np.eye(n)
        right = both @ H / both.sum(axis=1, keepdims=True)
        if same(got, right):  # where all have equally many neighbors, mistakes do not show
            continue
        expect(
            np.isfinite(np.asarray(got, float)).all(),
            "A node without edges divides by zero: it should hear itself.",
        )
        expect(not same(got, both @ H), "That is the sum: divide by how many were added.")
        scale = 1 / np.sqrt(both.sum(axis=1))
        expect(
            not same(got, scale[:, None] * both * scale @ H),
            "Those are Kipf and Welling's weights. A plain mean is asked for.",
        )
        expect(
            not same(got, one_way @ H / one_way.sum(axis=1, keepdims=True)),
            "An edge works both ways: j hears i, and i hears j.",
        )
        others = (A + A.T) @ H / np.maximum((A + A.T).sum(axis=1, keepdims=True), 1)
        expect(not same(got, others), "The node itself is missing in the mean.")
        raise Wrong("The means are not those of nodes and neighbors.")


# ---------------------------------------------------------------- 10b.5 symmetric relations


def symmetric_relations(answer):
    train = [("a", "near", "b"), ("b", "near", "a"), ("c", "near", "a")]  # 2 of 3
    train += [("a", "likes", "a"), ("b", "likes", "b"), ("a", "likes", "d")]  # loops only
    train += [("a", "over", "b"), ("b", "under", "a")]  # twins of another name
    train += [("x", "twin", "y"), ("y", "twin", "x")]

    def got(share):
        relations = call(answer, list(train), share)
        expect(
            isinstance(relations, set | frozenset | list | tuple),
            f"A set of relations is expected, not {type(relations).__name__}.",
        )
        return set(relations)

    half = got(0.5)
    expect("likes" not in half, "A fact about oneself is its own twin: do not count it.")
    expect(
        not half & {"over", "under"}, "The twin must have the same relation, turned round."
    )
    expect("near" in half, "Two of three facts of `near` have a twin: more than half.")
    expect("twin" in half, "`twin` is symmetric throughout.")
    expect(half == {"near", "twin"}, "At 0.5 the answer is near and twin.")
    strict = got(0.9)
    expect("near" not in strict, "`near` has two twins in three: less than 0.9.")
    expect(strict == {"twin"}, "At 0.9 only twin is left.")
    expect("twin" in got(1.0), "*At least* the share: all of them is enough for 1.")


CHECKS = {
    "10b.1": score_tails,
    "10b.2": honest_rank,
    "10b.3": both_turns,
    "10b.4": mean_of_neighbors,
    "10b.5": symmetric_relations,
}
