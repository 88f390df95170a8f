"""Checks of chapter 10."""

import numpy as np

from dl_course.exercises import Wrong, call, expect


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


def random_facts(relations=("r", "s"), people="abcdef", count=9):
    rng = np.random.default_rng()
    pick = [rng.choice(list(names), count) for names in (people, relations, people)]
    return {tuple(map(str, fact)) for fact in zip(*pick, strict=True)}


# ---------------------------------------------------------------- 10.1 the other way round


def add_inverse(answer):
    plain = {("a", "r", "b"), ("b", "s", "c"), ("d", "r", "d")}
    for facts in (plain, *(random_facts() | plain for _ in range(4))):
        got = as_set(call(answer, facts, "r", "back"), 3, "facts")
        turned = {(t, "back", h) for h, r, t in facts if r == "r"}
        if got == facts | turned:
            continue
        expect(
            got != turned,
            "The facts that were there are gone: unite them with the new ones.",
        )
        expect(
            got != facts | {(h, "back", t) for h, r, t in facts if r == "r"},
            "The relation has a new name, but head and tail have not changed places.",
        )
        expect(
            got != facts | {(t, "back", h) for h, _, t in facts},
            "Facts of other relations were turned, too.",
        )
        expect(
            got != facts | {(t, "r", h) for h, r, t in facts if r == "r"},
            "The turned facts kept the old name: theirs is `inverse`.",
        )
        expect(facts <= got, "Facts that were there are missing.")
        raise Wrong("The turned facts are not those expected.")
    expect(as_set(call(answer, set(), "r", "back"), 3, "facts") == set(), "Nothing in?")


# ---------------------------------------------------------------- 10.2 within k steps


def within(answer):
    rng = np.random.default_rng()
    for n, k in ((5, 1), (7, 2), (8, 3), (9, 5)):
        A = rng.random((n, n)) < 1.2 / n
        A |= np.eye(n, k=1, dtype=bool)  # a chain, so that length matters
        A[:, 0] = False  # ... that does not close
        exactly, right = A, A
        for _ in range(k - 1):
            exactly = exactly @ A
            right = right | exactly
        got = np.asarray(call(answer, A, k))
        expect(got.shape == (n, n), f"Shape {(n, n)} is expected, not {got.shape}.")
        positive = got > 0 if got.dtype.kind in "biuf" else None
        expect(positive is not None, "A matrix of booleans is expected.")
        if k > 1 and (exactly != right).any():
            expect(
                (positive != exactly).any(),
                "Those are paths of exactly k steps: unite all.",
            )
        expect(
            (positive != (right | np.eye(n, dtype=bool))).any(),
            "Everyone reaches themselves, it says. But a path has at least one step.",
        )
        expect(
            (positive != (right | exactly @ A)).any() or not (exactly @ A & ~right).any(),
            "That is one step too many.",
        )
        expect(got.dtype == bool, f"Yes or no is asked, but the matrix is {got.dtype}.")
        expect((got == right).all(), f"Pairs are missing, or too many, for k = {k}.")


# ---------------------------------------------------------------- 10.3 brothers and sisters


def siblings(answer):
    facts = {("x", "parent_of", c) for c in "abc"} | {("y", "parent_of", "c")}
    facts |= {("y", "parent_of", "d"), ("a", "married", "d"), ("x", "married", "y")}
    for _ in range(3):
        got = as_set(call(answer, facts, *()), 2, "pairs")
        some = [{t for h, r, t in facts if (h, r) == (p, "parent_of")} for p in "abcdefxy"]
        right = {(p, q) for group in some for p in group for q in group if p != q}
        loops = right | {(p, p) for group in some for p in group}
        expect(got != loops, "People are not their own siblings: leave x == y out.")
        expect(
            got != {(p, q) for p, q in right if p < q}
            and got != {(p, q) for p, q in right if p > q},
            "Both orders are asked for: (x, y) and (y, x).",
        )
        parents = {(h, t) for h, r, t in facts if r == "parent_of"}
        share = {(p, q) for p, c in parents for q, d in parents if c == d and p != q}
        expect(got != share, "Those are couples with a common child: walk up, then down.")
        wrong = [{t for h, _, t in facts if h == p} for p in "abcdefxy"]
        mixed = {(p, q) for group in wrong for p in group for q in group if p != q}
        expect(got == right or got != mixed, "Only `parent_of` counts, not every relation.")
        expect(got == right, "Pairs are missing, or too many.")
        facts = random_facts(("parent_of", "married")) | facts
    expect(as_set(call(answer, set()), 2, "pairs") == set(), "No facts, no siblings.")


# ---------------------------------------------------------------- 10.4 a way back


def has_cycle(answer):
    rng = np.random.default_rng()

    def says(graph):
        got = call(answer, graph)
        expect(isinstance(got, bool | np.bool_), "True or False is expected.")
        return got

    diamond = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    expect(not says(diamond), "Two ways to one node are no cycle: a → b → d, a → c → d.")
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


def spans_of(answer):
    rng = np.random.default_rng()

    def got(tags):
        spans = call(answer, list(tags))
        expect(isinstance(spans, list | tuple | set), "Return a list of (start, end).")
        as_set(spans, 2, "spans (start, end)")
        return [(int(a), int(b)) for a, b in spans]

    expect(got("OBIO") != [(1, 2)], "The end is the first place *after* the span.")
    expect(got("OBIO") != [(1, 1)], "An I belongs to the span, and the end comes after it.")
    expect(got("OBI") == [(1, 3)], "A span at the end of the sentence is lost.")
    expect(got("BB") == [(0, 1), (1, 2)], "A second B begins a second span.")
    expect(got("OIIO") == [(1, 3)], "An I after an O should begin a span: forgive it.")
    expect(got("I") == [(0, 1)], "An I at the beginning should begin a span.")
    expect(got("OOO") == [], "Without B and I there is no span.")
    for _ in range(30):
        tags = rng.choice(list("BIO"), rng.integers(1, 9)).tolist()
        expect(got(tags) == plain_spans(tags), f"For {tags}: {plain_spans(tags)}.")


CHECKS = {
    "10.1": add_inverse,
    "10.2": within,
    "10.3": siblings,
    "10.4": has_cycle,
    "10.5": spans_of,
}
