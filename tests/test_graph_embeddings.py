"""Chapter 10b's module against loops, complex arithmetic, Keras and closed forms."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import data
from dl_course import graph_embeddings as ge

MANY = settings(max_examples=100, derandomize=True, deadline=None, database=None)
graphs = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 5)),
    min_size=1, max_size=15, unique=True,
)  # fmt: skip
seeds = st.integers(0, 2**32 - 1)


def model_of(kind, width=8, entities=6, relations=3, **settings):
    keras.utils.set_random_seed(1)
    return ge.build_predictor(kind, entities, relations, width=width, **settings)


def embeddings_of(kind, model, rows):
    """The NumPy embeddings h, r of questions, and all entities, as `score` wants them."""
    model(rows[:, :2])
    entities, relations = (
        w.numpy().astype(float) for w in (model.entities, model.relations)
    )
    if kind in ("complex", "rotate"):
        half = entities.shape[1] // 2
        entities = entities[:, :half] + 1j * entities[:, half:]
    if kind == "complex":
        relations = relations[:, :half] + 1j * relations[:, half:]
    return entities[rows[:, 0]], relations[rows[:, 1]], entities


# ---------------------------------------------------------------- facts as numbers


def test_numbers_stand_for_names():
    (train, test), entities, relations = ge.number(
        [("b", "s", "a"), ("a", "r", "a")], [("c", "r", "a")]
    )
    assert entities == ["a", "b", "c"] and relations == ["r", "s"]
    assert train.tolist() == [[1, 1, 0], [0, 0, 0]] and test.tolist() == [[2, 0, 0]]
    (empty,), entities, _ = ge.number([])
    assert empty.shape == (0, 3) and entities == []


@given(graphs)
@MANY
def test_both_ways_is_its_own_reversal(facts):
    rows = ge.both_ways(np.array(facts), 3)
    back = rows[len(facts) :]
    assert (rows[: len(facts)] == facts).all()
    assert (np.stack([back[:, 2], back[:, 1] - 3, back[:, 0]], axis=1) == facts).all()


# ---------------------------------------------------------------- scores


@pytest.mark.parametrize("kind", ge.KINDS)
def test_scores_are_their_formulas(kind):
    rng = np.random.default_rng(0)
    h, r, t = rng.normal(size=(3, 5)) + 1j * rng.normal(size=(3, 5))
    if kind in ("transe", "distmult"):
        h, r, t = h.real, r.real, t.real
    if kind == "rotate":
        r = r.real
    total = 0.0
    for a, b, c in zip(h, r, t, strict=True):
        if kind == "transe":
            total -= abs(a + b - c)
        elif kind == "rotate":
            total += abs(a * complex(np.cos(b), np.sin(b)) - c) ** 2
        else:
            total += (a * b * np.conj(c)).real
    total = -np.sqrt(total) if kind == "rotate" else total
    assert np.isclose(ge.score(kind, h, r, t), total)
    many = ge.score(kind, h[None], r, np.stack([t, t, h]))
    assert many.shape == (3,) and np.isclose(many[0], total)


@pytest.mark.parametrize("kind", ge.KINDS)
def test_the_model_in_keras_answers_as_numpy_does(kind):
    rng = np.random.default_rng(1)
    rows = np.stack([rng.integers(0, 6, 9), rng.integers(0, 6, 9)], axis=1)
    model = model_of(kind)
    h, r, entities = embeddings_of(kind, model, rows)
    got = keras.ops.convert_to_numpy(model(rows))
    expected = ge.score(kind, h[:, None], r[:, None], entities)
    assert got.shape == (9, 6)
    assert np.abs(got - expected).max() <= 1e-5


@pytest.mark.parametrize("kind", ["distmult", "complex"])
def test_scores_of_relations_are_those_of_facts(kind):
    rows = np.array([[0, 1, 2], [3, 0, 3], [5, 4, 1]])
    model = model_of(kind)
    h, r, entities = embeddings_of(kind, model, rows)
    tails, relations = (keras.ops.convert_to_numpy(x) for x in model(rows))
    assert np.abs(tails - keras.ops.convert_to_numpy(model(rows[:, :2]))).max() <= 1e-6
    of_facts = ge.score(kind, h, r, entities[rows[:, 2]])
    assert np.abs(relations[range(3), rows[:, 1]] - of_facts).max() <= 1e-6
    assert relations.shape == (3, 6)


def test_the_penalty_is_the_sum_of_cubes():
    rows = np.array([[0, 1], [3, 0]])
    model = model_of("complex", penalty=0.5)
    h, r, _ = embeddings_of("complex", model, rows)
    expected = 0.5 * (2 * np.abs(h) ** 3 + np.abs(r) ** 3).sum(axis=1).mean()
    model(rows)
    assert np.isclose(float(model.losses[-1]), expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ge.KINDS)
def test_a_few_facts_are_learned(kind):
    facts = np.array([[i, 0, (i + 1) % 6] for i in range(5)])
    model = model_of(kind, width=16)
    rate = 0.05 if hasattr(model, "bias") else 0.3
    rows = ge.both_ways(facts, 3)
    ge.train(model, np.tile(rows, (80, 1)), epochs=1, learning_rate=rate, batch_size=10)
    of_distances = kind in ("transe", "rotate")
    optimizer = keras.optimizers.Adam if of_distances else keras.optimizers.Adagrad
    assert isinstance(model.optimizer, optimizer)
    known = ge.known_answers(rows)
    found = ge.evaluate(lambda q: np.asarray(model(q)), facts, known, 3)
    assert ge.summary(found)["MRR"] >= 0.95


# ---------------------------------------------------------------- relation patterns


@given(seeds)
@MANY
def test_what_each_score_can_and_cannot_express(number):
    rng = np.random.default_rng(number)
    h, t, r = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
    angle = rng.uniform(-3, 3, size=4)
    a, b, c = h.real, r.real, t.real
    same = np.isclose
    assert same(ge.score("distmult", a, b, c), ge.score("distmult", c, b, a))
    assert same(ge.score("complex", h, b, t), ge.score("complex", t, b, h))
    assert same(ge.score("complex", h, 1j * b, t), -ge.score("complex", t, 1j * b, h))
    assert same(ge.score("complex", h, r, t), ge.score("complex", t, np.conj(r), h))
    assert same(ge.score("rotate", h, angle, t), ge.score("rotate", t, -angle, h))
    assert same(ge.score("transe", a, b, c), ge.score("transe", c, -b, a))
    half_turn = np.pi * (angle > 0)
    assert same(ge.score("rotate", h, half_turn, t), ge.score("rotate", t, half_turn, h))


# ---------------------------------------------------------------- ranks


def slow_rank(scores, tail, others):
    """The mean place of the tail over all orders in which ties could be written down."""
    rivals = [s for e, s in enumerate(scores) if e == tail or e not in others]
    tied = [s for s in rivals if s == scores[tail]]
    better = sum(s > scores[tail] for s in rivals)
    return np.mean([better + place for place in range(1, len(tied) + 1)])


@given(graphs, seeds, st.integers(1, 4))
@MANY
def test_ranks_are_the_slow_ones(facts, number, batch_size):
    facts = np.array(facts)
    table = (
        np.random.default_rng(number).integers(0, 3, (6, 6, 6)).astype(float)
    )  # many ties
    rows = ge.both_ways(facts, 3)
    known = ge.known_answers(rows)
    test = facts[: max(1, len(facts) // 3)]
    got = ge.evaluate(
        lambda q: table[q[:, 0], q[:, 1]], test, known, 3, batch_size=batch_size
    )
    expected, all_facts = [], {tuple(row) for row in facts.tolist()}
    for h, r, t in test.tolist():
        others = {e for e in range(6) if (h, r, e) in all_facts and e != t}
        expected.append(slow_rank(table[h, r], t, others))
    for h, r, t in test.tolist():
        others = {e for e in range(6) if (e, r, t) in all_facts and e != h}
        expected.append(slow_rank(table[t, r + 3], h, others))
    assert np.allclose(got, expected)


def test_a_constant_score_earns_no_better_than_chance():
    rows = np.array([[0, 0, 1], [1, 0, 2]])
    known = ge.known_answers(rows)
    assert ge.ranks(np.zeros((2, 9)), rows, known).tolist() == [5, 5]


def test_other_right_answers_do_not_count_and_infinite_scores_do():
    facts = np.array([[0, 0, 1], [0, 0, 2]])
    known = ge.known_answers(facts)
    scores = np.array([[0.0, 1, 2, -np.inf], [np.inf, 5, 1, 3]])
    assert ge.ranks(scores, facts, known).tolist() == [1, 3]
    assert scores[0, 2] == 2  # our own copy was changed, not the caller's


def test_summary_counts():
    got = ge.summary([1, 2, 4, 20])
    assert np.isclose(got["MRR"], (1 + 1 / 2 + 1 / 4 + 1 / 20) / 4)
    assert [got[f"hits@{k}"] for k in (1, 3, 10)] == [0.25, 0.5, 0.75]


def reversed_in_training(name):
    train, _, test = data.knowledge_graph(name)
    train = set(train)
    return sum((t, r, h) in train for h, r, t in test), len(test)


@pytest.mark.parametrize(
    ("name", "leaks", "questions"),
    [
        ("nations", 106, 201),
        ("umls", 97, 661),
        ("wn_mini", 0, 723),
        ("wn_mini_rand", 371, 722),
    ],
)
def test_how_many_test_facts_stand_turned_round_in_training(name, leaks, questions):
    assert reversed_in_training(name) == (leaks, questions)


# ---------------------------------------------------------------- graph convolution


@given(seeds, st.integers(1, 7))
@MANY
def test_normalized_adjacency_is_the_loop_over_edges(number, size):
    rng = np.random.default_rng(number)
    edges = rng.integers(0, size, (rng.integers(0, 9), 2))
    linked = {frozenset(e) for e in edges.tolist()} | {frozenset([i]) for i in range(size)}
    degree = [sum(i in e for e in linked) for i in range(size)]
    A = ge.normalized(edges, size)
    for i, j in itertools.product(range(size), repeat=2):
        expected = (frozenset([i, j]) in linked) / np.sqrt(degree[i] * degree[j])
        assert np.isclose(A[i, j], expected, atol=1e-6)
    assert np.linalg.eigvalsh(A.astype(float))[-1] <= 1 + 1e-6


@given(seeds)
@MANY
def test_numbering_the_nodes_otherwise_changes_only_the_order(number):
    rng = np.random.default_rng(number)
    edges, H, W = (
        rng.integers(0, 6, (8, 2)),
        rng.normal(size=(6, 3)),
        rng.normal(size=(3, 2)),
    )
    order = rng.permutation(6)
    A = ge.normalized(edges, 6)
    moved = ge.graph_convolution(A[np.ix_(order, order)], H[order], W)
    assert np.allclose(moved, ge.graph_convolution(A, H, W)[order])


def test_the_gcn_in_keras_is_ours():
    rng = np.random.default_rng(3)
    A = ge.normalized(rng.integers(0, 7, (9, 2)), 7)
    model = ge.build_gcn(A, 5, 3, hidden=4)
    X = rng.normal(size=(7, 5)).astype("float32")
    W, b, V, c = model.get_weights()
    b, c = (rng.normal(size=x.shape).astype("float32") for x in (b, c))
    model.set_weights([W, b, V, c])
    hidden = np.maximum(A @ (X @ W + b), 0)
    scores = A @ (hidden @ V + c)
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.abs(model.predict(X, batch_size=7, verbose=0) - expected).max() <= 1e-5
    assert np.allclose(A @ (X @ W), ge.graph_convolution(A, X, W), atol=1e-6)


# ---------------------------------------------------------------- wrong arguments

FACTS = np.array([[0, 0, 1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ge.number([("a", "r")]), "splits: expected"),
        (lambda: ge.number(["arb"]), "splits: expected"),
        (lambda: ge.both_ways(FACTS[0], 1), "facts: expected integers"),
        (lambda: ge.both_ways(FACTS * 1.0, 1), "facts: expected integers"),
        (lambda: ge.both_ways(FACTS + 1, 1), "facts: expected relations < 1"),
        (lambda: ge.score("transd", 0, 0, 0), "kind: expected one of"),
        (lambda: ge.build_predictor("x", 1, 1), "kind: expected one of"),
        (lambda: ge.build_predictor("transe", 0, 1), "num_entities: expected"),
        (lambda: ge.build_predictor("transe", 2, 1.5), "num_relations: expected"),
        (lambda: model_of("transe")(FACTS), r"rows: expected \(batch, 2\)"),
        (
            lambda: ge.ranks(np.zeros((2, 3)), FACTS, {}),
            r"scores: expected \(1, entities\)",
        ),
        (lambda: ge.ranks(np.full((1, 3), np.nan), FACTS, {}), "scores: expected numbers"),
        (lambda: ge.ranks(np.zeros((1, 3)), FACTS, {}), "known: expected every fact"),
        (lambda: ge.summary([]), "ranks: expected"),
        (lambda: ge.summary([0.5]), "ranks: expected"),
        (lambda: ge.normalized([0, 1], 2), r"edges: expected .* of shape \(n, 2\)"),
        (lambda: ge.normalized([[0, 2]], 2), "edges: expected integers 0 to 1 .*, 0 to 2$"),
        (
            lambda: ge.normalized([[-1, 0]], 2),
            "edges: expected integers 0 to 1 .*, -1 to 0$",
        ),
        (lambda: ge.graph_convolution(np.eye(2), np.eye(3), np.eye(3)), "A: expected"),
        (
            lambda: ge.graph_convolution(np.eye(2), np.eye(2), np.eye(3)),
            r"W: expected .* \(2, new features\)",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
