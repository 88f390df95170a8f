"""Facts: their forms, walks along them, rules over them, and how to read them from text.

A fact is a triple of strings (head, relation, tail), a graph is a set of facts. All
functions take any iterable of triples. Nodes are those that occur in a fact.
"""

import re
from collections import deque
from urllib.parse import quote, unquote

import numpy as np

# ------------------------------------------------------------------------------- forms


def adjacency_list(facts):
    """{entity: {(relation, tail), ...}}; every entity is a key, in order."""
    facts = checked(facts)
    graph = {entity: set() for entity in sorted({e for h, _, t in facts for e in (h, t)})}
    for h, r, t in facts:
        graph[h].add((r, t))
    return graph


def adjacency_matrices(facts):
    """One boolean matrix a relation: A[r, h, t] says whether (h, r, t) is a fact.

    Returns (A, entities, relations): (relations, entities, entities) bool, and the names
    in order.
    """
    facts = checked(facts)
    entities = sorted({e for h, _, t in facts for e in (h, t)})
    relations = sorted({r for _, r, _ in facts})
    row = {name: i for i, name in enumerate(entities)}
    layer = {name: i for i, name in enumerate(relations)}
    A = np.zeros((len(relations), len(entities), len(entities)), dtype=bool)
    for h, r, t in facts:
        A[layer[r], row[h], row[t]] = True
    return A, entities, relations


def facts_of_list(graph):
    """The set of facts of an adjacency list. An entity without any fact gets lost."""
    return {(h, r, t) for h, edges in graph.items() for r, t in edges}


def facts_of_matrices(A, entities, relations):
    """The set of facts of boolean matrices. Raises ValueError if sizes do not fit."""
    A, expected = np.asarray(A), (len(relations), len(entities), len(entities))
    if A.shape != expected or A.dtype != bool:
        raise ValueError(f"A: expected bool {expected}, got {A.dtype} {A.shape}")
    where = zip(*(i.tolist() for i in np.nonzero(A)), strict=True)
    return {(entities[h], relations[r], entities[t]) for r, h, t in where}


SPACE = "https://example.org/"  # RDF names things by addresses; nothing need be there


def to_ntriples(facts):
    """The facts as RDF, in the format N-Triples: a line each, odd letters as %xx."""
    lines = []
    for fact in sorted(checked(facts)):
        lines.append(" ".join(f"<{SPACE}{quote(name, safe='')}>" for name in fact) + " .\n")
    return "".join(lines)


def from_ntriples(text):
    """The set of facts of such a text. Raises ValueError at a line of another form."""
    name = f"<{re.escape(SPACE)}([^<>\\s]*)>"
    facts = set()
    for i, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(rf"\s*{name}\s+{name}\s+{name}\s*\.\s*", line)
        if match:
            facts.add(tuple(map(unquote, match.groups())))
        elif line.strip() and line.strip()[0] != "#":
            raise ValueError(f"text: expected <…> <…> <…> . in line {i}, got {line!r}")
    return facts


# ------------------------------------------------------------------------------- walks


def neighbors(facts, relation=None, *, both_ways=False):
    """{entity: sorted list of tails}, of one relation or of all.

    `both_ways` lets one walk from tail to head as well.
    """
    facts = checked(facts)
    graph = {entity: set() for entity in sorted({e for h, _, t in facts for e in (h, t)})}
    for h, r, t in facts:
        if relation in (None, r):
            graph[h].add(t)
            if both_ways:
                graph[t].add(h)
    return {entity: sorted(tails) for entity, tails in graph.items()}


def breadth_first(graph, start):
    """{node: steps from start}, in the order of visits: near ones first.

    `graph` is {node: list of nodes}. Raises ValueError if `start` is no node of it.
    """
    _node(graph, start, "start")
    steps, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()  # the one that waits longest
        for following in graph[node]:
            if following not in steps:
                steps[following] = steps[node] + 1
                queue.append(following)
    return steps


def depth_first(graph, start):
    """All nodes that can be reached, in the order of visits: on and on, then back."""
    _node(graph, start, "start")
    order, stack = {}, [start]  # a dict keeps the order, and knows what it holds
    while stack:
        node = stack.pop()  # the one that came last
        if node not in order:
            order[node] = True
            stack.extend(reversed(graph[node]))
    return list(order)


def shortest_path(graph, start, goal):
    """The nodes of a shortest path, both ends included; None if there is no path."""
    _node(graph, goal, "goal")
    steps, path = breadth_first(graph, start), [goal]
    if goal not in steps:
        return None
    while path[0] != start:  # back, always to a node that is one step nearer
        near = (node for node in steps if steps[node] == steps[path[0]] - 1)
        path.insert(0, next(node for node in near if path[0] in graph[node]))
    return path


# ------------------------------------------------------------------------------- rules


def compose(A, B):
    """The boolean product: C[x, z] = ∃ y: A[x, y] ∧ B[y, z]."""
    A, B = _bool(A, "A"), _bool(B, "B")
    if A.shape[1] != B.shape[0]:
        raise ValueError(f"B: expected {A.shape[1]} rows, got shape {B.shape}")
    return A.astype(np.float32) @ B.astype(np.float32) > 0  # counts of ways, then yes or no


def closure(A):
    """Who reaches whom in one step or more: A ∨ A² ∨ A³ ∨ …, by squaring."""
    A = _bool(A, "A")
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"A: expected a square matrix, got shape {A.shape}")
    while True:
        longer = A | compose(A, A)  # paths of up to twice the length
        if (longer == A).all():
            return A
        A = longer


def join(first, second):
    """Pairs (x, z) with (x, y) in `first` and (y, z) in `second`, as databases do it."""
    onward = {}
    for y, z in second:
        onward.setdefault(y, set()).add(z)
    return {(x, z) for x, y in first for z in onward.get(y, ())}


def path_pairs(facts, path):
    """The pairs that a path of relations connects: R(x₀, xₙ) ⇐ r₁(x₀, x₁) ∧ … ∧ rₙ(…, xₙ).

    `path`: a list of relations; "^" before a name walks against it, as in SPARQL.
    """
    facts, pairs = checked(facts), None
    if isinstance(path, str) or not path:
        raise ValueError(f"path: expected a list of one or more relations, got {path!r}")
    for step in path:
        name = step.removeprefix("^")
        edges = {(h, t) for h, r, t in facts if r == name}
        edges = {(t, h) for h, t in edges} if step != name else edges
        pairs = edges if pairs is None else join(pairs, edges)
    return pairs


# ------------------------------------------------------------------- reading from text

NAME = r"(?!(?:The|These|This|Of|And|Now|Then)\b)[A-Z][\w-]++"
NAMES = rf"{NAME}(?: the \w+)?(?:(?:, and|,| and) {NAME}(?! his| became)(?: the \w+)?)*"
CHILD = r"(?:firstborn|(?:firstborn )?(?:son|daughter))"
OF = f"{CHILD} of "
PATTERNS = (
    rf"(?P<parent>{NAME}) (?:became|was|is) the father of (?P<child>{NAMES})",
    rf"(?P<parent>{NAME}) (?:bore|gave birth to) (?P<child>{NAME})",
    rf"[Ss]ons of (?P<parent>{NAME})(?: were:?|:|,) (?P<child>{NAMES})",
    rf"[Ss]on of (?P<parent>{NAME})(?: was:?|:) (?P<child>{NAME})",
    rf"(?<!the )(?P<child>{NAME})(?=(?: the {NAME})?,?(?: the)? {OF}(?P<parent>{NAME}))",
    rf"(?P<child>{NAME}), (?P<parent>{NAME})’s? {CHILD}",
)


def parents(text):
    """Facts (parent, "parent_of", child) that a few patterns find in an English text.

    "Cush became the father of Nimrod", "Sarah bore Isaac", "The sons of Levi: Gershom,
    Kohath, and Merari", "Joshua the son of Nun", "Jonathan, Saul’s son". No more grammar.
    """
    matches = [match for pattern in PATTERNS for match in re.finditer(pattern, text)]
    return {
        (match["parent"], "parent_of", child)
        for match in matches
        for child in re.findall(NAME, match["child"])
    }


def scores(gold, found):
    """(precision, recall, F1) of found things. A share of nothing counts as 1.

    Args:
        gold, found: two lists of sets, such as one set a sentence.
    """
    if len(gold) != len(found):
        raise ValueError(f"found: expected {len(gold)} sets, got {len(found)}")
    right = sum(len(g & f) for g, f in zip(gold, found, strict=True))
    given, wanted = sum(map(len, found)), sum(map(len, gold))
    precision, recall = right / given if given else 1.0, right / wanted if wanted else 1.0
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


ENDS = r"\W|that|wh.+|of|with|for|in|from|by|on|at|to|having|made|found|is|are|as|or|and"


def genus_by_rule(tokens, nouns):
    """The span (start, end) of the words that say what kind of thing a definition defines.

    The longest known noun, of up to three words, at the end of the first noun phrase: skip
    articles, stop before a word of ENDS or a participle. `nouns`: known ones, lower case.
    """
    _tokens(tokens)
    words = [token.lower() for token in tokens]
    start = words.index(")") + 1 if words[0] == "(" and ")" in words[:-1] else 0
    while start < len(words) - 1 and re.fullmatch(f"an?|the|one|{ENDS}", words[start]):
        start += 1
    end = start + 1
    while end < len(words) and not re.fullmatch(ENDS, words[end]):
        participle = words[end].endswith(("ed", "ing")) and words[end] not in nouns
        if participle and words[end - 1] in nouns:
            break
        end += 1
    longest = [n for n in (3, 2) if " ".join(words[max(start, end - n) : end]) in nouns]
    return max(start, end - (longest or [1])[0]), end


def to_tags(length, start, end):
    """A span of tokens as tags: B begins it, I is inside, O is outside."""
    if not 0 <= start < end <= length:
        raise ValueError(f"start: expected 0 ≤ start < end ≤ {length}, got {start, end}")
    return ["O"] * start + ["B"] + ["I"] * (end - start - 1) + ["O"] * (length - end)


def to_span(tags):
    """The first span that tags mark, (start, end); None if all are O. An I may begin it."""
    _tokens(tags)
    start = next((i for i, tag in enumerate(tags) if tag != "O"), None)
    if start is None:
        return None
    end = start + 1
    while end < len(tags) and tags[end] == "I":
        end += 1
    return start, end


# --------------------------------------------------------------------- checked arguments


def checked(facts):
    """A set of triples of strings, or ValueError."""
    facts = list(facts)
    for fact in facts:
        texts = isinstance(fact, tuple) and [name for name in fact if isinstance(name, str)]
        if not texts or not len(fact) == len(texts) == 3:
            raise ValueError(f"facts: expected three strings in a tuple, got {fact!r}")
    return set(facts)


def _node(graph, node, name):
    if node not in graph:
        raise ValueError(f"{name}: expected a node of the graph, got {node!r}")


def _bool(A, name):
    A = np.asarray(A)
    if A.ndim != 2 or A.dtype != bool:
        raise ValueError(f"{name}: expected a boolean matrix, got {A.dtype} {A.shape}")
    return A


def _tokens(tokens):
    if isinstance(tokens, str) or not len(tokens):
        raise ValueError(f"tokens: expected a list of one or more strings, got {tokens!r}")
