"""Checks of chapter 10."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers


def as_set(got, size, what):
    """The answer as a set of tuples, or Wrong."""
    try:
        things = {tuple(thing) for thing in got}
    except TypeError:
        raise Wrong(f"A set of {what} is expected, not {type(got).__name__}.") from None
    expect(
        all(len(thing) == size for thing in things),
        f"Each element should be a tuple of {size}: {what}.",
    )
    return things


def compare_sets(got, right, mistakes, otherwise):
    """As `compare`, for sets. otherwise: what the elements are, such as "pairs"."""
    if got == right:
        return
    for message, wrong in mistakes.items():
        if got == wrong:
            raise Wrong(message)
    missing, extra = right - got, got - right
    some = f"{min(missing, key=str)} is missing" if missing else ""
    more = f"{min(extra, key=str)} should not be there" if extra else ""
    raise Wrong(f"The {otherwise} are wrong: {' and '.join(filter(None, (some, more)))}.")


def random_facts(rng, relations=("r", "s"), people="abcdef", count=9):
    pick = [rng.choice(list(names), count) for names in (people, relations, people)]
    return {tuple(map(str, fact)) for fact in zip(*pick, strict=True)}


# ---------------------------------------------------------------- 10.1 the other way round


def check_add_inverse(answer, rng):
    plain = {("a", "r", "b"), ("b", "s", "c"), ("d", "r", "d")}
    odd = {("a", "back", "c"), ("b", "rr", "c"), ("c", "", "d"), ("a", "r", "e")}
    cases = [plain, *(random_facts(rng) | plain for _ in range(4)), plain | odd, odd]
    for facts in cases:
        turned = {(t, "back", h) for h, r, t in facts if r == "r"}
        compare_sets(
            as_set(call(answer, facts, "r", "back"), 3, "facts"),
            facts | turned,
            {
                "The facts that were there are gone: unite them with the new ones.": turned,
                "The relation has a new name, but head and tail have not changed places.": (
                    facts | {(h, "back", t) for h, r, t in facts if r == "r"}
                ),
                "Facts of other relations were turned, too.": (
                    facts | {(t, "back", h) for h, _, t in facts}
                ),
                "The turned facts kept the old name: theirs is `inverse`.": (
                    facts | {(t, "r", h) for h, r, t in facts if r == "r"}
                ),
                "Facts of `inverse` were turned back: only those of `relation` count.": (
                    facts | turned | {(t, "r", h) for h, r, t in facts if r == "back"}
                ),
            },
            "facts",
        )
    nothing = as_set(call(answer, set(), "r", "back"), 3, "facts")
    expect(nothing == set(), "No facts, no turned ones.")


# ---------------------------------------------------------------- 10.2 within k steps


def check_within(answer, rng):
    for n, k in ((5, 1), (7, 2), (8, 3), (9, 5), (6, 200), (8, 200)):
        A = rng.random((n, n)) < 1.2 / n
        A |= np.eye(n, k=1, dtype=bool)  # a chain, so that length matters
        A[:, 0] = False  # ... that does not close
        if k == 200:  # many ways, so that counting them runs over
            A = np.ones((n, n), bool) if n == 8 else ~np.eye(n, dtype=bool)
        exactly, right = A, A
        for _ in range(k - 1):
            exactly = exactly @ A
            right = right | exactly
        result = call(answer, A, k)
        got = numbers(result, "The matrix", (n, n))
        positive = got > 0
        compare(
            positive,
            right,
            {
                "Those are paths of exactly k steps: unite all.": exactly,
                "Everyone reaches themselves, it says. But a path has at least one step.": (
                    right | np.eye(n, dtype=bool)
                ),
                "That is one step too many.": right | exactly @ A,
                "Numbers of paths run over, or become infinite: unite booleans.": k == 200,
            },
            f"Pairs are missing, or too many, for k = {k}.",
        )
        dtype = np.asarray(result).dtype
        expect(dtype.kind == "b", f"Yes or no is asked, but the matrix is {dtype}.")


# ---------------------------------------------------------------- 10.3 brothers and sisters


def check_siblings(answer, rng):
    facts = {("x", "parent_of", c) for c in "abc"} | {("y", "parent_of", "c")}
    facts |= {("y", "parent_of", "d"), ("a", "married", "d"), ("x", "married", "y")}
    for _ in range(4):
        parents = {(h, t) for h, r, t in facts if r == "parent_of"}
        some = [{t for h, t in parents if h == p} for p in "abcdefxy"]
        loops = {(p, q) for group in some for p in group for q in group}
        right = {(p, q) for p, q in loops if p != q}
        any_kind = [{t for h, _, t in facts if h == p} for p in "abcdefxy"]
        got = as_set(call(answer, facts), 2, "pairs")
        one_way = {(p, q) for p, q in right if p < q}
        compare_sets(
            got,
            right,
            {
                "People are not their own siblings: leave x == y out.": loops,
                "Both orders are asked for: (x, y) and (y, x).": (
                    one_way if got == one_way else {(q, p) for p, q in one_way}
                ),
                "Those are couples with a common child: walk up, then down.": {
                    (p, q) for p, c in parents for q, d in parents if c == d and p != q
                },
                "Only `parent_of` counts, not every relation.": {
                    (p, q) for group in any_kind for p in group for q in group if p != q
                },
            },
            "pairs",
        )
        facts = random_facts(rng, ("parent_of", "married")) | facts
    expect(as_set(call(answer, set()), 2, "pairs") == set(), "No facts, no siblings.")


# ---------------------------------------------------------------- 10.4 a way back


def check_has_cycle(answer, rng):
    def says(graph):
        got = call(answer, graph)
        expect(isinstance(got, bool | np.bool_), "True or False is expected.")
        return got

    diamond = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    expect(not says(diamond), "Two ways to one node are no cycle: a → b → d, a → c → d.")
    expect(
        not says({"a": ["b", "b"], "b": []}),
        "Two edges from a to b are no cycle: there is no way back.",
    )
    expect(says({"a": ["a"]}), "A node that leads to itself is a cycle of one step.")
    expect(
        says({"a": [], "b": ["c"], "c": ["d"], "d": ["b"]}),
        "The cycle cannot be reached from the first node: begin at every one.",
    )
    expect(not says({}), "An empty graph has no cycle.")
    for _ in range(20):
        n = int(rng.integers(2, 8))
        A = rng.random((n, n)) < 1 / n
        graph = {i: np.flatnonzero(A[i]).tolist() for i in range(n)}
        power, cycle = A, False
        for _ in range(n):
            cycle, power = cycle or bool(power.diagonal().any()), power @ A
        expect(says(graph) == cycle, f"For {graph} the answer is {cycle}.")


# ---------------------------------------------------------------- 10.5 every span


def plain_spans(tags):
    spans, previous = [], "O"
    for i, tag in enumerate(tags):
        if tag == "B" or (tag == "I" and previous == "O"):
            spans.append([i, i + 1])
        elif tag == "I":
            spans[-1][1] = i + 1
        previous = tag
    return [tuple(span) for span in spans]


def check_spans_of(answer, rng):
    def got(tags):
        spans = call(answer, list(tags))
        spans = spans.tolist() if isinstance(spans, np.ndarray) else spans
        expect(isinstance(spans, list | tuple), "Return a list of (start, end), in order.")
        for span in spans:
            numbers(span, "A span", (2,))
        return [(int(a), int(b)) for a, b in spans]

    small = got("OBIO")
    expect(small != [(1, 2)], "The end is the first place *after* the span.")
    expect(small != [(1, 1)], "An I belongs to the span, and the end comes after it.")
    expect(small == [(1, 3)], f"For O, B, I, O: {small}, not [(1, 3)].")
    expect(got("OBI") == [(1, 3)], "A span at the end of the sentence is lost.")
    expect(got("BB") == [(0, 1), (1, 2)], "A second B begins a second span.")
    expect(got("OIIO") == [(1, 3)], "An I after an O should begin a span: forgive it.")
    expect(got("I") == [(0, 1)], "An I at the beginning should begin a span.")
    expect(got("OOO") == [], "Without B and I there is no span.")
    expect(got("") == [], "An empty sentence has no span.")
    for _ in range(30):
        tags = rng.choice(list("BIO"), rng.integers(1, 9)).tolist()
        expect(got(tags) == plain_spans(tags), f"For {tags}: {plain_spans(tags)}.")


CHECKS = {
    "10.1": check_add_inverse,
    "10.2": check_within,
    "10.3": check_siblings,
    "10.4": check_has_cycle,
    "10.5": check_spans_of,
}
