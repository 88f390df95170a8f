"""Acting for a reward, and relating: grid worlds, CartPole, two heads, two towers.

Policies are networks of `network`/`backprop`: lists of (weights, bias, activation).
Chapter 11e.
"""

import itertools
import math
from collections import Counter

import numpy as np

from dl_course import backprop, common, network, optimizers

# ------------------------------------------------------------------------- a grid world

MOVES = {"↑": (-1, 0), "→": (0, 1), "↓": (1, 0), "←": (0, -1)}
CLIFF = ["......", "......", "......", "SxxxxG"]  # S start, G goal, x abyss, # wall


def world(rows, *, slip=0.0):
    """(P, prize, ends) of a grid; cells are numbered row by row.

    P (cells, 4, cells): chance of each next cell for each of MOVES; with chance `slip`
    a move goes in a random direction instead. Walls (#) and the border stop a move.
    prize (cells,): reward for entering, 1 at G, -1 at x. ends (cells,): game over there.
    """
    if len({len(row) for row in rows}) != 1 or not set("".join(rows)) <= set(".SGx#"):
        raise ValueError(f"rows: expected equally long rows out of .SGx#, got {rows!r}")
    if not 0 <= slip <= 1:
        raise ValueError(f"slip: expected a chance from 0 to 1, got {slip!r}")
    height, width, symbols = len(rows), len(rows[0]), np.array(list("".join(rows)))
    leads = np.zeros((height * width, 4), int)  # where each move leads
    for cell in range(height * width):
        for action, (down, right) in enumerate(MOVES.values()):
            i, j = cell // width + down, cell % width + right
            free = 0 <= i < height and 0 <= j < width and rows[i][j] != "#"
            leads[cell, action] = i * width + j if free else cell
    sure = np.eye(height * width)[leads]
    P = (1 - slip) * sure + slip * sure.mean(axis=1, keepdims=True)
    ends = np.isin(symbols, ["G", "x", "#"])
    P[ends] = 0  # nothing happens after the end, and nobody is in a wall
    return P, (symbols == "G") * 1.0 - (symbols == "x"), ends


def value_iteration(P, prize, *, discount=0.95, tolerance=1e-12):
    """Q* (cells, 4): repeat Q ← Σ P (prize + γ max Q) until nothing changes."""
    _discount(discount)
    Q = np.zeros(P.shape[:2])
    while True:
        new = P @ (prize + discount * Q.max(axis=1))
        if np.abs(new - Q).max() <= tolerance:
            return new
        Q = new


def q_learning(P, prize, ends, rng, *, num_steps, discount=0.95, explore=0.3, power=0.0):
    """Q (cells, 4) from experience alone (Watkins & Dayan, 1992).

    Q[s,a] ← Q[s,a] + α (r + γ max Q[s'] - Q[s,a]),  α = 1 / (visits of s,a)^power

    The world is only played, never read. Games start in any cell. With chance `explore`
    a move is random, else the best so far.
    """
    _discount(discount)
    starts, ladder = np.flatnonzero(~ends), P.cumsum(axis=2)
    Q, visits, s = np.zeros(P.shape[:2]), np.zeros(P.shape[:2]), rng.choice(starts)
    random_moves, tries = rng.integers(0, 4, num_steps), rng.random(num_steps) < explore
    for t, luck in enumerate(rng.random(num_steps)):
        a = random_moves[t] if tries[t] else Q[s].argmax()
        after = int(np.searchsorted(ladder[s, a], luck * ladder[s, a, -1], "right"))
        visits[s, a] += 1
        target = prize[after] + discount * Q[after].max()  # Q stays 0 where it ends
        Q[s, a] += (target - Q[s, a]) / visits[s, a] ** power
        s = rng.choice(starts) if ends[after] else after
    return Q


# ----------------------------------------------------------------------------- CartPole


def cartpole(states, actions, *, gravity=9.8, length=0.5, force=10.0):
    """One fiftieth of a second of many carts (Barto, Sutton & Anderson, 1983).

    states (n, 4): position in m, velocity, angle in radians (0 is upright), its velocity.
    actions (n,): 0 pushes left, 1 right. A 1 kg cart, a 0.1 kg pole of half-length
    `length`, no friction; the Euler step of Gymnasium's CartPole. Returns (n, 4).
    """
    states, actions = common.numbers(states, "states", "n", 4), np.asarray(actions)
    if actions.shape != states.shape[:1] or not np.isin(actions, (0, 1)).all():
        raise ValueError(f"actions: expected {len(states)} zeros and ones, got {actions!r}")
    _, speed, angle, spin = states.T
    cos, sin = np.cos(angle), np.sin(angle)
    pole, total = 0.1, 1.1  # kg
    push = (np.where(actions == 1, force, -force) + pole * length * spin**2 * sin) / total
    twist = (gravity * sin - cos * push) / (length * (4 / 3 - pole * cos**2 / total))
    slide = push - pole * length * twist * cos / total
    return states + 0.02 * np.stack([speed, slide, spin, twist], axis=1)


def over(states):
    """Where an episode ends: 2.4 m off the center, or 12 degrees off upright."""
    return (np.abs(states[:, 0]) > 2.4) | (np.abs(states[:, 2]) > math.radians(12))


def play(act, games, rng, *, limit=500, delay=0, **world):
    """Many games at once: (states seen, actions, alive), each (time, games, ...).

    act(states) gives actions; it sees the world as it was `delay` steps ago. A game's
    return is the number of steps it was alive. `world`: settings of `cartpole`.
    """
    now = rng.uniform(-0.05, 0.05, (games, 4))
    alive, past, record = np.ones(games, bool), [], []
    for t in range(limit):
        past.append(now)
        seen = past[max(0, t - delay)]
        actions = np.asarray(act(seen))
        record.append((seen, actions, alive))
        now = cartpole(now, actions, **world)
        alive = alive & ~over(now)
        now = np.where(alive[:, None], now, 0)
        if not alive.any():
            break
    return tuple(np.array(part) for part in zip(*record, strict=True))


SCALE = np.array([0.5, 0.5, 5.0, 0.5])  # brings all four numbers to about one


def policy(layers, rng=None):
    """act(states) of a network with two outputs: by chance, or the likelier if no rng."""

    def act(states):
        z = network.forward(states * SCALE, layers)[-1]
        right = network.sigmoid(z[:, 1] - z[:, 0])  # softmax of two
        return (right > (0.5 if rng is None else rng.random(len(right)))).astype(int)

    return act


def returns_to_go(alive, discount=0.99):
    """Σ_k γ^k r_{t+k} for each time and game, with reward 1 a step; 0 after the end."""
    _discount(discount)
    total, result = np.zeros(alive.shape[1]), np.zeros(alive.shape)
    for t in reversed(range(len(alive))):
        total = alive[t] * (1 + discount * total)
        result[t] = total
    return result


def policy_gradient(layers, states, actions, weights):
    """Gradients of -mean(weight · log p(action)) for layers (Williams, 1992).

    states (n, 4), actions (n,), weights (n,): how much better than usual it went.
    """
    a, z = backprop.remember(states * SCALE, layers)
    blame = network.softmax(a[-1])  # p - 1 at the action: the slope of -log p
    blame[np.arange(len(actions)), actions] -= 1
    return backprop.backward(layers, a, z, blame * weights[:, None] / len(actions))[0]


def learn_to_balance(rng, *, rounds=30, games=32, learning_rate=0.03, hidden=32, **world):
    """REINFORCE with a baseline: (layers, mean return of each round).

    Each round plays `games` games at once. The baseline is the mean return-to-go of all
    games that are alive at that time. `world`: settings of `play`.
    """
    layers = network.initial_layers([4, hidden, 2], ["tanh", "linear"], rng)
    layers[1] = (layers[1][0] * 0.1, *layers[1][1:])  # at first, both actions alike
    memory, path = [{} for _ in range(4)], []
    for _ in range(rounds):
        states, actions, alive = play(policy(layers, rng), games, rng, **world)
        path.append(alive.sum(axis=0).mean())
        gain = returns_to_go(alive)
        gain -= gain.sum(axis=1, keepdims=True) / np.maximum(
            alive.sum(axis=1, keepdims=True), 1
        )
        gain = gain[alive] / (gain[alive].std() + 1e-8)
        gradients = policy_gradient(layers, states[alive], actions[alive], gain)
        layers = adam_step(layers, gradients, memory, learning_rate)
    return layers, np.array(path)


def adam_step(layers, gradients, memory, learning_rate):
    """New layers after a step of Adam; memory: one dict a weight or bias, kept up."""
    numbers = [n for w, b, _ in layers for n in (w, b)]
    slopes = [g for pair in gradients for g in pair]
    for i, (n, g) in enumerate(zip(numbers, slopes, strict=True)):
        numbers[i], memory[i] = optimizers.adam(
            n, g, memory[i], learning_rate=learning_rate
        )
    pairs = zip(numbers[::2], numbers[1::2], layers, strict=True)
    return [(w, b, name) for w, b, (_, _, name) in pairs]


# ----------------------------------------------------------------- two heads, two towers


def build_two_heads(inputs, classes, other):
    """One trunk, two heads of scores: "main" (classes) and "other". Uncompiled."""
    import keras
    from keras import layers

    x = keras.Input((inputs,))
    trunk = layers.Dense(128, "relu")(x)
    trunk = layers.Dense(64, "relu")(trunk)  # (batch, 64), shared by both
    heads = {"main": classes, "other": other}
    return keras.Model(
        x, {name: layers.Dense(n, name=name)(trunk) for name, n in heads.items()}
    )


def pairs_of_symbols(sequences, known=None):
    """((n, columns) float32, columns): which symbols and neighbors each sequence has.

    "at" has a, t, <a, at, t>. Columns are those of `known`, or all that come three times;
    rows are scaled to length 1.
    """
    found = []
    for sequence in sequences:
        padded = ["<", *sequence, ">"]
        found.append({*sequence, *itertools.pairwise(padded)})
    if known is None:
        count = Counter(gram for grams in found for gram in grams)
        known = sorted((g for g in count if count[g] >= 3), key=repr)
    place = {gram: i for i, gram in enumerate(known)}
    x = np.zeros((len(found), len(known)), np.float32)
    for row, grams in zip(x, found, strict=True):
        row[[place[g] for g in grams if g in place]] = 1
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9), known


def contrastive_loss(a, b, temperature=0.07):
    """Each row of a should find its partner in b, and the other way (Radford et al., 2021).

    a, b (batch, d), rows of length 1; row i of one belongs to row i of the other. The mean
    cross-entropy of the scores a bᵀ / temperature, over rows and over columns.
    """
    a = common.numbers(a, "a", "batch", "d")
    b = common.numbers(b, "b", *a.shape)
    scores, right = a @ b.T / temperature, np.arange(len(a))
    both = [backprop.softmax_cross_entropy(s, right)[0] for s in (scores, scores.T)]
    return float(sum(both) / 2)


def build_tower(inputs, width=64):
    """One linear layer, then length 1. Uncompiled."""
    import keras
    from keras import layers

    stack = [keras.Input((inputs,)), layers.Dense(width), layers.UnitNormalization()]
    return keras.Sequential(stack)


def train_towers(first, second, x, y, rng, *, epochs=15, batch_size=250, temperature=0.07):
    """Train two towers so that row i of x lands near row i of y (`contrastive_loss`)."""
    import keras
    from keras import ops

    right = np.arange(batch_size)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(x, y):
        scores = ops.matmul(first(x), ops.transpose(second(y))) / temperature
        return entropy(right, scores) + entropy(right, ops.transpose(scores))

    weights = first.trainable_variables + second.trainable_variables
    step = common.compiled_step(loss, weights, keras.optimizers.Adam(0.003))
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            step(x[rows], y[rows])


def recall_at(scores, k=1):
    """Share of rows whose partner, column i of row i, is among the k best; ties lose."""
    scores = common.numbers(scores, "scores", len(scores), len(scores))
    return float(np.mean((scores >= np.diag(scores)[:, None]).sum(axis=1) <= k))


def _discount(discount):
    if not 0 <= discount < 1:
        raise ValueError(f"discount: expected 0 to below 1, got {discount!r}")
