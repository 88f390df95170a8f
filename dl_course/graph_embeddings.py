"""Facts as geometry: scores that complete a knowledge graph, and graph convolution.

A fact is a row (head, relation, tail) of integers. A question is a row (head, relation):
which tail? "Which head?" is asked as (tail, relation + num_relations): every relation has a
reciprocal one (Lacroix et al., 2018). A model gives a score for every entity.
"""

import numpy as np

from dl_course import common

KINDS = ("transe", "distmult", "complex", "rotate")


def number(*splits):
    """Number the names in lists of (head, relation, tail).

    Returns (arrays, entities, relations): an (n, 3) int32 array for each list, and the
    names in order. Raises ValueError if something is not a triple.
    """
    for triple in (triple for split in splits for triple in split):
        if isinstance(triple, str) or len(triple) != 3:
            raise ValueError(f"splits: expected (head, relation, tail), got {triple!r}")
    entities = sorted({e for split in splits for h, _, t in split for e in (h, t)})
    relations = sorted({r for split in splits for _, r, _ in split})
    place = {name: i for i, name in enumerate(entities)}
    kind = {name: i for i, name in enumerate(relations)}
    rows = [[(place[h], kind[r], place[t]) for h, r, t in split] for split in splits]
    arrays = [np.array(row, dtype=np.int32).reshape(-1, 3) for row in rows]
    return arrays, entities, relations


def both_ways(facts, num_relations):
    """The facts, then their reciprocals (tail, relation + num_relations, head): (2n, 3)."""
    h, r, t = common.integers(facts, "facts", "n", 3).T
    if len(r) and r.max() >= num_relations:
        raise ValueError(f"facts: expected relations < {num_relations}, got {r.max()}")
    return np.concatenate([facts, np.stack([t, r + num_relations, h], axis=1)])


# ---------------------------------------------------------------------- scores in NumPy


def score(kind, h, r, t):
    """How plausible a fact is: large means plausible. Sums run over the last axis.

    transe     -Σ |h + r - t|            a relation shifts (Bordes et al., 2013)
    distmult    Σ h r t                  ... weighs (Yang et al., 2015)
    complex     Re Σ h r conj(t)         ... weighs and turns (Trouillon et al., 2016)
    rotate     -√ Σ |h exp(i r) - t|²    ... turns (Sun et al., 2019, without the square)

    h and t are real for the first two, complex for the others; r is complex for "complex"
    only. Arrays are broadcast against each other.
    """
    common.one_of(kind, "kind", KINDS)
    if kind == "transe":
        return -np.abs(h + r - t).sum(axis=-1)
    if kind == "rotate":
        return -np.linalg.norm(h * np.exp(1j * np.asarray(r)) - t, axis=-1)
    return np.real(np.sum(h * r * np.conj(t), axis=-1))  # a real t is its own conjugate


# ---------------------------------------------------------------------- ranks


def known_answers(facts):
    """{(head, relation): array of all tails} of rows (head, relation, tail)."""
    answers = {}
    for h, r, t in common.integers(facts, "facts", "n", 3).tolist():
        answers.setdefault((h, r), set()).add(t)
    return {question: np.array(sorted(tails)) for question, tails in answers.items()}


def ranks(scores, facts, known):
    """The realistic, filtered rank of each fact's tail: (n,) floats, 1 is best.

    rank = 1 + how many other entities score higher + half of those that score the same

    Args:
        scores: (n, entities), for the questions of these facts.
        facts: (n, 3); ask in both directions by giving `both_ways(...)`.
        known: `known_answers` of all splits. Other entities that are right as well do not
            count: a model must not suffer for knowing them.

    Raises ValueError for scores that are not numbers: NaN would win every comparison.
    """
    facts, scores = (
        common.integers(facts, "facts", "n", 3),
        np.array(scores, dtype=float),
    )  # a copy: we write into it
    if scores.ndim != 2 or len(scores) != len(facts):
        raise ValueError(f"scores: expected ({len(facts)}, entities), got {scores.shape}")
    if np.isnan(scores).any():
        raise ValueError("scores: expected numbers, got NaN")
    rows = np.arange(len(facts))
    right = scores[rows, facts[:, 2]][:, None]
    keep = np.ones(scores.shape, dtype=bool)
    for row, (h, r, t) in enumerate(facts.tolist()):
        if t not in known.get((h, r), ()):
            raise ValueError(f"known: expected every fact itself, {(h, r, t)} is missing")
        keep[row, known[h, r]] = False
    higher, equal = (scores > right) & keep, (scores == right) & keep
    return 1 + higher.sum(axis=1) + equal.sum(axis=1) / 2


def evaluate(predict, facts, known, num_relations, *, batch_size=1024):
    """Ranks (2n,): of tails, then of heads. `predict`: questions -> (batch, entities)."""
    rows = both_ways(facts, num_relations)
    parts = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
    found = [ranks(predict(part[:, :2]), part, known) for part in parts]
    return np.concatenate([*found, np.zeros(0)])


def summary(ranks):
    """{"MRR": mean of 1 / rank, "hits@1", "hits@3", "hits@10": share up to that rank}."""
    ranks = np.asarray(ranks, dtype=float)
    if not ranks.size or not (ranks >= 1).all():
        raise ValueError(f"ranks: expected one or more numbers ≥ 1, got {ranks}")
    hits = {f"hits@{k}": float(np.mean(ranks <= k)) for k in (1, 3, 10)}
    return {"MRR": float(np.mean(1 / ranks)), **hits}


# ---------------------------------------------------------------------- models in Keras


def build_predictor(kind, num_entities, num_relations, *, width=100, penalty=0.0, drop=0.0):
    """A Keras model that answers questions: (batch, 2) -> scores (batch, entities).

    Given facts (batch, 3), it returns [those scores, scores of all relations (batch,
    2 num_relations) between head and tail], to be trained on both.

    Args:
        kind: one of KINDS.
        num_entities, num_relations: sizes; reciprocal relations are added.
        width: numbers an entity has; complex ones for "complex" and "rotate".
        penalty: weight of the cubed moduli of what a question uses (Lacroix et al., 2018).
        drop: share of a question's numbers that are dropped in training.

    Scores are those of `score`; all but TransE's come from one matrix product. Distances
    get a learned scale for each relation and a bias for each answer. Uncompiled.
    """
    common.one_of(kind, "kind", KINDS)
    common.count(num_entities, "num_entities")
    common.count(num_relations, "num_relations")
    import keras
    from keras import ops

    parts = 2 if kind in ("complex", "rotate") else 1  # real and imaginary
    far = kind in ("transe", "rotate")  # they score by distance
    normal = keras.initializers.RandomNormal(stddev=0.1 if kind == "rotate" else 0.01)
    circle = keras.initializers.RandomUniform(-np.pi, np.pi)

    class Predictor(keras.Model):
        def __init__(self):
            super().__init__()
            self.entities = self.add_weight((num_entities, parts * width), normal)
            first = (width, circle) if kind == "rotate" else (parts * width, normal)
            self.relations = self.add_weight((2 * num_relations, first[0]), first[1])
            if far:
                self.scale = self.add_weight((2 * num_relations,), "ones")
                self.bias = self.add_weight((num_entities,), "zeros")
            self.dropout = keras.layers.Dropout(drop)

        def call(self, rows, training=False):
            h = ops.take(self.entities, rows[:, 0], axis=0)  # (batch, parts * width)
            r = ops.take(self.relations, rows[:, 1], axis=0)
            if penalty:
                cubes = 2 * _cubes(h, parts) + _cubes(r, parts)  # every tail is a head, too
                self.add_loss(penalty * ops.mean(cubes))
            aim = self.dropout(_times(kind, h, r), training=training)
            tails = self.answers(aim, rows[:, 1])
            if rows.shape[1] == 2:
                return tails
            if far:
                raise ValueError(f"rows: expected (batch, 2) for {kind}, got {rows.shape}")
            t = ops.take(self.entities, rows[:, 2], axis=0)
            between = h * t if parts == 1 else _product(t, h, -1)
            return [tails, ops.matmul(between, ops.transpose(self.relations))]

        def answers(self, aim, relation):  # (batch, entities)
            if kind == "transe":
                gaps = ops.sum(ops.abs(aim[:, None] - self.entities), axis=-1)
            else:
                like = ops.matmul(aim, ops.transpose(self.entities))
                if not far:
                    return like
                a, e = (ops.sum(x * x, axis=-1) for x in (aim, self.entities))
                gaps = ops.sqrt(ops.maximum(a[:, None] + e - 2 * like, 1e-6))  # |a - e|
            return self.bias - ops.take(self.scale, relation)[:, None] * gaps

    return Predictor()


def _times(kind, h, r):
    from keras import ops

    if kind == "transe":
        return h + r
    if kind == "distmult":
        return h * r
    if kind == "rotate":
        r = ops.concatenate([ops.cos(r), ops.sin(r)], axis=-1)
    return _product(h, r, 1)


def _product(x, y, sign):
    """x y of complex numbers as (real | imaginary), x conj(y) if sign is -1."""
    from keras import ops

    (a, b), (c, d) = ops.split(x, 2, axis=-1), ops.split(y, 2, axis=-1)
    return ops.concatenate([a * c - sign * b * d, sign * a * d + b * c], axis=-1)


def _cubes(x, parts):
    from keras import ops

    squares = sum(part * part for part in ops.split(x, parts, axis=-1)) + 1e-12
    return ops.sum(squares * ops.sqrt(squares), axis=-1)  # (batch,)


def train(model, rows, *, epochs, learning_rate, batch_size=256, relation_weight=0.0):
    """Train a predictor on rows (n, 3), mostly from `both_ways`; returns fit's history.

    A question is a choice among all entities: softmax and cross-entropy. relation_weight
    adds the choice of the relation between head and tail (Chen et al., 2021). Adagrad for
    products, Adam for distances. Call it again to go on.
    """
    import keras

    rows, both = common.integers(rows, "rows", "n", 3), bool(relation_weight)
    if getattr(model, "optimizer", None) is None:
        optimizer = keras.optimizers.Adam(learning_rate)
        if not hasattr(model, "bias"):  # starts from next to nothing: first steps are whole
            optimizer = keras.optimizers.Adagrad(learning_rate, 1e-10, epsilon=1e-10)
        choice = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        weights = [1.0, relation_weight] if both else None
        loss = [choice, choice] if both else choice
        model.compile(optimizer, loss, loss_weights=weights, steps_per_execution=8)
    x, y = (rows, [rows[:, 2], rows[:, 1]]) if both else (rows[:, :2], rows[:, 2])
    return model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)


# ---------------------------------------------------------------------- graph convolution


def normalized(edges, num_nodes):
    """D^-½ (A + I) D^-½ of undirected edges (n, 2): (nodes, nodes) float32.

    I lets a node hear itself; D counts edges (Kipf & Welling, 2017).
    """
    edges = common.integers(edges, "edges", "n", 2, below=num_nodes)
    A = np.eye(num_nodes, dtype=np.float32)
    A[edges[:, 0], edges[:, 1]] = A[edges[:, 1], edges[:, 0]] = 1
    scale = 1 / np.sqrt(A.sum(axis=1))
    return scale[:, None] * A * scale


def graph_convolution(A, H, W, b=0.0):
    """A H W + b: mix each node with its neighbors, then the features: (nodes, features)."""
    H = common.numbers(H, "H", "nodes", "features")
    A = common.numbers(A, "A", len(H), len(H))
    W = common.numbers(W, "W", H.shape[1], "new features")
    return A @ (H @ W) + b


def build_gcn(A, num_features, num_classes, *, hidden=32, drop=0.5):
    """Two graph convolutions: features (nodes, features) -> probabilities (nodes, classes).

    The nodes are the batch. With the identity as A it is an MLP. Uncompiled.
    """
    import keras
    from keras import layers, ops

    A = ops.convert_to_tensor(np.asarray(A, dtype="float32"))
    x = inputs = keras.Input((num_features,), batch_size=len(A))
    x = ops.matmul(A, layers.Dense(hidden)(layers.Dropout(drop)(x)))
    x = layers.Dropout(drop)(ops.relu(x))
    x = ops.softmax(ops.matmul(A, layers.Dense(num_classes)(x)))
    return keras.Model(inputs, x)
