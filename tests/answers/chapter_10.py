"""Answers to the exercises of chapter 10: other right ones, and typical wrong ones."""

import numpy as np

from dl_course import knowledge_graph as kg


def inverse_loop(facts, relation, inverse):
    more = list(facts)
    for h, r, t in facts:
        if r == relation:
            more.append((t, inverse, h))
    return more


def within_powers(A, k):
    counts = np.array(A, dtype=float)
    total, power = counts.copy(), counts
    for _ in range(k - 1):
        power = np.minimum(power @ counts, 1)
        total += power
    return total > 0


def exactly(A, k):
    return np.linalg.matrix_power(A.astype(int), k) > 0


def siblings_by_paths(facts):
    pairs = kg.path_pairs(facts, ["^parent_of", "parent_of"])
    return {(x, y) for x, y in pairs if x != y}


def couples(facts):
    pairs = kg.path_pairs(facts, ["parent_of", "^parent_of"])
    return {(x, y) for x, y in pairs if x != y}


def any_relation(facts):
    some = {}
    for h, _, t in facts:
        some.setdefault(h, set()).add(t)
    return {(x, y) for group in some.values() for x in group for y in group if x != y}


def cycle_by_peeling(graph):
    left = {node: set(following) for node, following in graph.items()}
    while ends := {node for node, following in left.items() if not following}:
        left = {node: f - ends for node, f in left.items() if node not in ends}
    return bool(left)


def seen_before(graph):  # takes two ways for a cycle
    seen = set()
    waiting = list(graph)[:1]
    while waiting:
        node = waiting.pop()
        if node in seen:
            return True
        seen.add(node)
        waiting.extend(graph[node])
    return False


def from_the_first(graph):
    if not graph:
        return False
    start, seen = next(iter(graph)), set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node == start:
            return True
        if node not in seen:
            seen.add(node)
            waiting.extend(graph[node])
    return False


def no_loops(graph):
    return cycle_by_peeling({n: [m for m in f if m != n] for n, f in graph.items()})


def spans_by_while(tags):
    spans, i = [], 0
    while i < len(tags):
        if tags[i] == "O":
            i += 1
            continue
        start, i = i, i + 1
        while i < len(tags) and tags[i] == "I":
            i += 1
        spans.append((start, i))
    return spans


def strict(tags):  # an I without a B is skipped
    spans = []
    for i, tag in enumerate(tags):
        if tag == "B":
            spans.append([i, i + 1])
        elif tag == "I" and spans and spans[-1][1] == i:
            spans[-1][1] = i + 1
    return [tuple(span) for span in spans]


def open_end(tags):  # forgets a span at the end
    return [span for span in spans_by_while(tags) if span[1] < len(tags)]


def merged(tags):  # a B inside goes on
    return spans_by_while(["I" if tag == "B" else tag for tag in tags])


def within_counting(A, k):
    counts = A.astype(int)
    total, power = counts.copy(), counts
    for _ in range(k - 1):
        power = power @ counts
        total += power
    return total > 0


def cycle_by_counting(graph):
    """Takes a second edge between two nodes for a way back."""
    return cycle_by_peeling(graph) or any(len(f) > len(set(f)) for f in graph.values())


RIGHT = {
    "10.1": [inverse_loop],
    "10.2": [within_powers],
    "10.3": [siblings_by_paths],
    "10.4": [cycle_by_peeling],
    "10.5": [spans_by_while, lambda tags: np.reshape(spans_by_while(tags), (-1, 2))],
}

WRONG = {
    "10.1": [
        (lambda f, r, i: {(t, i, h) for h, s, t in f if s == r}, "are gone"),
        (lambda f, r, i: f | {(h, i, t) for h, s, t in f if s == r}, "changed places"),
        (lambda f, r, i: f | {(t, i, h) for h, s, t in f}, "other relations"),
        (lambda f, r, i: f | {(t, r, h) for h, s, t in f if s == r}, "old name"),
        (lambda f, r, i: 3, "A set of facts"),
        (lambda f, r, i: f | {(t, i, h) for h, s, t in f if s in r}, "should not be there"),
        (
            lambda f, r, i: (
                f
                | {(t, i, h) for h, s, t in f if s == r}
                | {(t, r, h) for h, s, t in f if s == i}
            ),
            "turned back",
        ),
    ],
    "10.2": [
        (exactly, "exactly k steps"),
        (
            lambda A, k: within_powers(A, k) | np.eye(len(A), dtype=bool),
            "at least one step",
        ),
        (lambda A, k: within_powers(A, k + 1), "too many"),
        (lambda A, k: within_powers(A, k).astype(int), "Yes or no"),
        (lambda A, k: within_powers(A, k)[0], "should have shape"),
        (within_counting, "run over"),
    ],
    "10.3": [
        (lambda f: kg.path_pairs(f, ["^parent_of", "parent_of"]), "own siblings"),
        (lambda f: {(x, y) for x, y in siblings_by_paths(f) if x < y}, "Both orders"),
        (couples, "walk up, then down"),
        (any_relation, "Only `parent_of`"),
    ],
    "10.4": [
        (seen_before, "Two ways"),
        (from_the_first, "begin at every one"),
        (no_loops, "one step"),
        (lambda graph: "yes", "True or False"),
        (cycle_by_counting, "Two edges"),
    ],
    "10.5": [
        (strict, "forgive"),
        (open_end, "at the end"),
        (merged, "second B"),
        (lambda tags: [(a, a + 1) for a, _ in spans_by_while(tags)], "first place"),
        (lambda tags: [(a, b - 1) for a, b in spans_by_while(tags)], "first place"),
    ],
}
