"""Checks of chapter 10b."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers

# ---------------------------------------------------------------- 10b.1 shifts


def check_score_tails(answer, rng):
    for n, entities, d in ((3, 5, 2), (1, 4, 6), (4, 4, 4)):
        h, r, E = (rng.normal(size=(k, d)) for k in (n, n, entities))
        right = -np.sqrt((((h + r)[:, None] - E) ** 2).sum(axis=-1))
        compare(
            call(answer, h, r, E),
            right,
            {
                "Questions are rows, entities are columns: looks like the transpose.": (
                    right.T
                ),
                "Near is plausible: a minus is missing.": -right,
                "The root is missing: squared distances.": -(right**2),
                "Those are sums of absolute values. Euclidean: squares, sum, root.": (
                    -np.abs((h + r)[:, None] - E).sum(axis=-1)
                ),
                "That is h - r: the shift has the wrong sign.": (
                    -np.linalg.norm((h - r)[:, None] - E, axis=-1)
                ),
            },
            "The scores differ from -‖h + r - t‖.",
        )


# ---------------------------------------------------------------- 10b.2 an honest rank


def check_honest_rank(answer, rng):
    def got(scores, right, others):
        rank = call(answer, np.array(scores, dtype=float), right, others)
        return float(numbers(rank, "The rank", ()))

    expect(got([3, 1, 2], 0, []) != 0, "The best rank is 1, not 0.")
    expect(got([3, 1, 2], 1, []) != 1, "A large score is a good one.")
    expect(got([3, 1, 2], 1, []) == 3, "With 3, 1, 2 the smallest one has rank 3.")
    expect(got([3, 1, 2], 2, []) == 2, "With 3, 1, 2 the last one has rank 2.")
    tied = got([5, 5, 5], 1, [])
    expect(tied != 1, "Ties were won: three equals, and the right one first.")
    expect(tied != 3, "Ties were lost: three equals, and the right one last.")
    expect(tied != 2.5, "The right one equals itself: do not count it.")
    expect(tied == 2, "Half of the other equals count as better: 1 + 2/2 = 2 is expected.")
    known = "Other right answers should not count as better"
    expect(got([9, 8, 7, 1], 2, [0, 1]) == 1, f"{known}.")
    expect(
        got([-1, -3, -2, -4], 1, [0, 2]) == 1, f"{known}, also where scores are negative."
    )
    expect(
        got([-9, -8, -7, -1], 0, [3]) == 3,
        "Only the others are to be ignored, nobody else.",
    )
    expect(
        got([9, 8, 7, 1], 3, [0]) == 3, "Only the others are to be ignored, nobody else."
    )
    expect(
        got([4, 4, 4, 1], 0, [1]) == 1.5, "Other right answers should not count in ties."
    )
    for number in range(30):
        n = int(rng.integers(2, 9))
        scores, right = rng.integers(-2, 2, n) - 5 * (number % 2), int(rng.integers(n))
        others = [int(i) for i in np.flatnonzero(rng.random(n) < 0.3) if i != right]
        rivals = [scores[i] for i in range(n) if i != right and i not in others]
        rank = 1 + sum((s > scores[right]) + (s == scores[right]) / 2 for s in rivals)
        expect(
            got(scores, right, others) == rank,
            f"Scores {scores.tolist()}, right {right}, others {others}: {rank:g} expected.",
        )


# ---------------------------------------------------------------- 10b.3 one turn for two


def check_both_turns(answer, rng):
    small = rng.uniform(0.1, 1, (2, 4))
    large = np.array([[3.0, -3.0, 2.0, 0.5], [2.0, -2.0, 2.5, -0.2]])
    for r, s in (small, large, rng.uniform(-3.1, 3.1, (2, 9))):
        right = np.angle(np.exp(1j * (r + s)))
        got = numbers(call(answer, r, s), "The angles", r.shape)
        turn = np.abs(np.exp(1j * got) - np.exp(1j * (r + s))).max()
        inside = np.abs(got).max() <= np.pi + 1e-6
        if turn < 1e-5 and inside:
            continue
        compare(
            got,
            right,
            {
                "Angles add when turns follow each other.": r * s,
                "That turns back: a minus too many.": r - s,
                "Right, up to full turns: bring the angles back between -π and π.": r + s,
                "Those lie between 0 and 2π.": (r + s) % (2 * np.pi),
                "The turn is another one.": turn >= 1e-5,
            },
            "The angles leave the interval.",
        )


# ---------------------------------------------------------------- 10b.4 ask around


def check_mean_of_neighbors(answer, rng):
    for n in (4, 6, 7):
        pairs = [(i, j) for i in range(n - 1) for j in range(i + 1, n - 1)]  # last: alone
        chosen = rng.permutation(len(pairs))[: max(2, len(pairs) // 2)]
        edges = np.array([pairs[k] for k in chosen])
        edges[::2] = edges[::2, ::-1]
        H = rng.normal(size=(n, 3))
        A = np.zeros((n, n))
        A[edges[:, 0], edges[:, 1]] = 1
        one_way, both = A + np.eye(n), A + A.T + np.eye(n)
        scale = 1 / np.sqrt(both.sum(axis=1))
        others = (A + A.T) @ H / np.maximum((A + A.T).sum(axis=1, keepdims=True), 1)
        got = numbers(call(answer, edges, H), "The result", H.shape)
        compare(
            got,
            both @ H / both.sum(axis=1, keepdims=True),
            {
                "A node without edges divides by zero: it should hear itself.": (
                    not np.isfinite(got).all()
                ),
                "That is the sum: divide by how many were added.": both @ H,
                "Those are Kipf and Welling's weights. A plain mean is asked for.": (
                    scale[:, None] * both * scale @ H
                ),
                "An edge works both ways: j hears i, and i hears j.": (
                    one_way @ H / one_way.sum(axis=1, keepdims=True)
                ),
                "The node itself is missing in the mean.": others,
            },
            "The means are not those of nodes and neighbors.",
        )


# ---------------------------------------------------------------- 10b.5 symmetric relations


def check_symmetric_relations(answer, rng):
    train = [("a", "near", "b"), ("b", "near", "a"), ("c", "near", "a")]  # 2 of 3
    train += [("a", "likes", "a"), ("b", "likes", "b"), ("a", "likes", "d")]  # loops only
    train += [("a", "self", "a"), ("b", "self", "b")]  # nothing but loops
    train += [("a", "over", "b"), ("b", "under", "a")]  # twins of another name
    train += [("x", "twin", "y"), ("y", "twin", "x"), ("x", "twin", "x")]
    train += [("a", "kin", "b"), ("b", "kin", "a"), ("c", "kin", "d"), ("d", "kin", "c")]
    train += [("e", "kin", "a"), ("e", "kin", "b"), ("e", "kin", "c")]  # 4 of 7

    def got(share):
        order = rng.permutation(len(train))
        relations = call(answer, [train[i] for i in order], share)
        expect(
            isinstance(relations, set | frozenset | list | tuple),
            f"A set of relations is expected, not {type(relations).__name__}.",
        )
        names = [relation for relation in relations if isinstance(relation, str)]
        expect(len(names) == len(relations), "Each relation should be its name, a string.")
        return set(names)

    half = got(0.5)
    if half != {"near", "twin", "kin"}:
        expect(
            "likes" not in half, "A fact about oneself is its own twin: do not count it."
        )
        expect("self" not in half, "A relation of nothing but loops is not symmetric.")
        expect(
            not half & {"over", "under"},
            "The twin must have the same relation, turned round.",
        )
        expect("near" in half, "Two of three facts of `near` have a twin: more than half.")
        expect("twin" in half, "`twin` is symmetric throughout, its loop aside.")
        raise Wrong(
            f"At 0.5 near, twin and kin are symmetric, where 4 of 7 facts have a twin; "
            f"yours: {', '.join(sorted(map(str, half))) or 'none'}."
        )
    expect(
        got(0.6) == {"near", "twin"},
        "At 0.6 near (two of three) and twin are left; count facts, not pairs of people.",
    )
    strict = got(0.9)
    expect("near" not in strict, "`near` has two twins in three: less than 0.9.")
    expect(strict == {"twin"}, "At 0.9 only twin is left.")
    expect("twin" in got(1.0), "*At least* the share: all of them is enough for 1.")


CHECKS = {
    "10b.1": check_score_tails,
    "10b.2": check_honest_rank,
    "10b.3": check_both_turns,
    "10b.4": check_mean_of_neighbors,
    "10b.5": check_symmetric_relations,
}
