"""Chapter 11e's module against closed forms, physics, GradientTape and brute force."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import agents, network
from tools.chapters import definitions

gradients = definitions("03")

MANY = settings(max_examples=60, derandomize=True, deadline=None, database=None)
MAZE = ["S.#.", "..#G", "...."]


def rng(seed=0):
    return np.random.default_rng(seed)


# ---------------------------------------------------------------- the grid world


@pytest.mark.parametrize("slip", [0.0, 0.3, 1.0])
def test_a_world_has_chances_and_ends(slip):
    P, prize, ends = agents.world(agents.CLIFF, slip=slip)
    assert P.shape == (24, 4, 24)
    np.testing.assert_allclose(P.sum(axis=2), np.where(ends, 0, 1)[:, None] * np.ones(4))
    assert ends.sum() == 5 and prize[23] == 1 and np.all(prize[19:23] == -1)
    assert P[0, 0, 0] >= 1 - slip  # up at the border: stays


def test_walls_stop_a_move():
    P, _, _ = agents.world(MAZE)
    right = [*agents.MOVES].index("→")
    assert P[1, right, 1] == 1 and P[0, right, 1] == 1


def distances(rows):
    """Steps to G by breadth-first search from it; walls and x are closed."""
    height, width, far = len(rows), len(rows[0]), {}
    queue = [(i, j) for i in range(height) for j in range(width) if rows[i][j] == "G"]
    far = dict.fromkeys(queue, 0)
    for i, j in queue:
        for down, side in agents.MOVES.values():
            cell = i + down, j + side
            inside = 0 <= cell[0] < height and 0 <= cell[1] < width
            if inside and rows[cell[0]][cell[1]] in "S." and cell not in far:
                far[cell] = far[i, j] + 1
                queue.append(cell)
    return far


@pytest.mark.parametrize("rows", [agents.CLIFF, MAZE])
def test_without_slip_the_value_is_the_discount_to_the_distance(rows):
    P, prize, ends = agents.world(rows)
    value = agents.value_iteration(P, prize, discount=0.9).max(axis=1)
    for (i, j), steps in distances(rows).items():
        if steps:
            assert value[i * len(rows[0]) + j] == pytest.approx(0.9 ** (steps - 1))
    settings = {"num_steps": 20_000, "discount": 0.9, "explore": 1.0}
    learned = agents.q_learning(P, prize, ends, rng(), **settings)
    np.testing.assert_allclose(learned.max(axis=1), value, atol=1e-9)


def test_value_iteration_solves_bellmans_equation_and_no_policy_beats_it():
    P, prize, _ = agents.world(MAZE, slip=0.4)
    Q = agents.value_iteration(P, prize, discount=0.8)
    np.testing.assert_allclose(Q, P @ (prize + 0.8 * Q.max(axis=1)), atol=1e-10)
    for seed in range(50):
        choice = rng(seed).integers(0, 4, len(P))
        chosen = P[np.arange(len(P)), choice]
        worth = np.linalg.solve(np.eye(len(P)) - 0.8 * chosen, chosen @ prize)
        assert np.all(worth <= Q.max(axis=1) + 1e-9)


def test_q_learning_comes_near_on_ice():
    P, prize, ends = agents.world(MAZE, slip=0.3)
    Q = agents.q_learning(P, prize, ends, rng(1), num_steps=40_000, power=0.7)
    best = agents.value_iteration(P, prize)
    reachable = [i for i, s in enumerate("".join(MAZE)) if s in "S."]
    assert np.abs(Q.max(axis=1) - best.max(axis=1))[reachable].max() < 0.1


# ---------------------------------------------------------------- CartPole


def reference_step(state, action):
    """The equations solved as a linear system for both accelerations.

    (M+m) ẍ + m l θ̈ cos θ = F + m l θ̇² sin θ and (4/3) l θ̈ + ẍ cos θ = g sin θ.
    """
    _, speed, angle, spin = state
    m, total, half = 0.1, 1.1, 0.5
    force = 10.0 if action else -10.0
    matrix = [[total, m * half * np.cos(angle)], [np.cos(angle), 4 / 3 * half]]
    right = [force + m * half * spin**2 * np.sin(angle), 9.8 * np.sin(angle)]
    slide, twist = np.linalg.solve(matrix, right)
    return state + 0.02 * np.array([speed, slide, spin, twist])


@given(st.integers(0, 1000))
@MANY
def test_cartpole_follows_the_equations_of_motion(seed):
    states = rng(seed).normal(size=(5, 4)) * [1, 2, 0.2, 2]
    actions = rng(seed).integers(0, 2, 5)
    expected = [reference_step(s, a) for s, a in zip(states, actions, strict=True)]
    np.testing.assert_allclose(agents.cartpole(states, actions), expected, atol=1e-12)


def test_cartpole_is_symmetric_and_gravity_and_force_matter():
    state = np.array([[0.3, -0.2, 0.05, 0.4]])
    right, left = agents.cartpole(state, [1]), agents.cartpole(-state, [0])
    np.testing.assert_allclose(right, -left)
    assert agents.cartpole(state, [1], gravity=20)[0, 3] > right[0, 3]
    assert agents.cartpole(state, [1], force=20)[0, 1] > right[0, 1]


def test_games_end_where_they_should():
    states = np.array([[2.5, 0, 0, 0], [0, 0, 0.21, 0], [2.3, 0, 0.2, 0]])
    assert agents.over(states).tolist() == [True, True, False]
    states, actions, alive = agents.play(lambda s: np.ones(len(s), int), 6, rng(2))
    assert states.shape == (len(alive), 6, 4) and actions.shape == alive.shape
    assert 7 <= alive.sum(axis=0).max() <= 12  # always right: over within ten steps or so
    assert np.all(np.diff(alive.astype(int), axis=0) <= 0)
    assert not agents.over(states[alive]).any()
    long = agents.play(lambda s: (s[:, 2] + s[:, 3] > 0).astype(int), 3, rng(2), limit=50)
    assert len(long[0]) == 50


def test_a_delayed_player_sees_the_past():
    shown = []

    def act(states):
        shown.append(states)
        return np.ones(len(states), int)

    now, _, _ = agents.play(lambda s: np.ones(len(s), int), 2, rng(3), limit=6)
    late, _, _ = agents.play(act, 2, rng(3), limit=6, delay=2)
    np.testing.assert_array_equal(late, shown)
    np.testing.assert_array_equal(late[2:], now[:-2])
    np.testing.assert_array_equal(late[:3], [now[0]] * 3)


def test_returns_to_go_are_the_sums():
    alive = np.array([[1, 1], [1, 1], [1, 0]], bool)
    got = agents.returns_to_go(alive, 0.5)
    np.testing.assert_allclose(got, [[1.75, 1.5], [1.5, 1], [1, 0]])


def test_policy_gradient_is_tensorflows():
    layers = network.initial_layers([4, 5, 2], ["tanh", "linear"], rng(4))
    states, actions = rng(5).normal(size=(9, 4)), rng(5).integers(0, 2, 9)
    weights, twin = rng(6).normal(size=9), network.build_twin(layers)
    with tf.GradientTape() as tape:
        logp = tf.nn.log_softmax(twin(states * agents.SCALE))
        chosen = tf.reduce_sum(logp * tf.one_hot(actions, 2), axis=1)
        loss = -tf.reduce_mean(chosen * weights.astype("float32"))
    theirs = tape.gradient(loss, twin.trainable_variables)
    ours = [g for pair in agents.policy_gradient(layers, states, actions, weights)
            for g in pair]  # fmt: skip
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-6)


def test_a_policy_draws_by_its_chances():
    layers = [(np.zeros((4, 2)), np.array([0.0, np.log(3)]), "linear")]  # right: 3 of 4
    states = np.zeros((20_000, 4))
    assert agents.policy(layers, rng(7))(states).mean() == pytest.approx(0.75, abs=0.02)
    assert agents.policy(layers)(states).all()


def test_a_few_rounds_improve_a_player():
    _, path = agents.learn_to_balance(rng(8), rounds=12, games=16)
    assert path[:3].mean() < 45 and path[-3:].mean() > 60


# ---------------------------------------------------------------- heads and towers


def test_two_heads_share_their_trunk():
    model = agents.build_two_heads(6, 2, 3)
    out = model(np.ones((4, 6)))
    assert out["main"].shape == (4, 2) and out["other"].shape == (4, 3)
    assert model.count_params() == 6 * 128 + 128 + 128 * 64 + 64 + 64 * 5 + 5


def test_symbols_and_pairs_of_a_word():
    x, known = agents.pairs_of_symbols(["at", "at", "at", "ta"])
    assert set(known) == {"a", "t", ("<", "a"), ("a", "t"), ("t", ">")}
    np.testing.assert_allclose(x[0], np.full(5, 1 / np.sqrt(5)))
    assert np.count_nonzero(x[3]) == 2
    again, _ = agents.pairs_of_symbols(["at", "zz"], known)
    np.testing.assert_allclose(again[0], x[0])
    assert not again[1].any()


def test_contrastive_loss_is_kerass_both_ways():
    a, b = rng(9).normal(size=(2, 8, 3))
    logits = a @ b.T / 0.2
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs = float(entropy(np.arange(8), logits)) + float(entropy(np.arange(8), logits.T))
    assert agents.contrastive_loss(a, b, 0.2) == pytest.approx(theirs / 2, rel=1e-5)
    assert agents.contrastive_loss(np.eye(4), np.eye(4), 0.01) < 1e-9
    same = np.ones((4, 2))
    assert agents.contrastive_loss(same, same) == pytest.approx(np.log(4))


@given(st.integers(0, 200), st.integers(1, 6))
@MANY
def test_recall_is_that_of_sorting(seed, k):
    scores = rng(seed).normal(size=(12, 12))
    hits = [i in np.argsort(-row)[:k] for i, row in enumerate(scores)]
    assert agents.recall_at(scores, k) == np.mean(hits)


def test_ties_are_no_hits():
    assert agents.recall_at(np.zeros((5, 5)), 4) == 0


def test_towers_learn_to_find_their_partners():
    keras.utils.set_random_seed(0)
    x = rng(10).normal(size=(120, 20)).astype("float32")
    y = x @ rng(11).normal(size=(20, 15)).astype("float32")
    first, second = agents.build_tower(20, 16), agents.build_tower(15, 16)

    def recall():
        a, b = (np.array(t(rows)) for t, rows in ((first, x), (second, y)))
        np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, rtol=1e-4)
        return agents.recall_at(a @ b.T)

    before = recall()
    agents.train_towers(first, second, x, y, rng(12), epochs=80, batch_size=60)
    assert before < 0.2 and recall() > 0.5


def test_policy_gradient_is_that_of_finite_differences():
    layers = network.initial_layers([4, 2], ["linear"], rng(13))
    states, actions = rng(14).normal(size=(6, 4)), rng(14).integers(0, 2, 6)
    weights = rng(15).normal(size=6)

    def loss(w):
        z = states * agents.SCALE @ w
        return -np.mean(weights * np.log(network.softmax(z))[np.arange(6), actions])

    numeric = gradients.numerical_gradient(loss, layers[0][0])
    ours = agents.policy_gradient(layers, states, actions, weights)[0][0]
    assert gradients.relative_error(ours, numeric) < 1e-6


# ---------------------------------------------------------------- errors


def test_errors_name_the_argument():
    P, prize, ends = agents.world(MAZE)
    for call, name in [
        (lambda: agents.world(["..", "."]), "rows"),
        (lambda: agents.world([".?"]), "rows"),
        (lambda: agents.world(MAZE, slip=2), "slip"),
        (lambda: agents.value_iteration(P, prize, discount=1), "discount"),
        (
            lambda: agents.q_learning(P, prize, ends, rng(), num_steps=1, discount=-1),
            "discount",
        ),
        (lambda: agents.cartpole(np.zeros(4), [0]), "states"),
        (lambda: agents.cartpole(np.zeros((2, 3)), [0, 0]), "states"),
        (lambda: agents.cartpole(np.zeros((2, 4)), [0]), "actions"),
        (lambda: agents.cartpole(np.zeros((1, 4)), [2]), "actions"),
        (lambda: agents.returns_to_go(np.ones((2, 2)), 1), "discount"),
        (lambda: agents.contrastive_loss(np.ones((2, 3)), np.ones((3, 3))), "b"),
        (lambda: agents.contrastive_loss(np.ones(3), np.ones(3)), "a"),
        (lambda: agents.recall_at(np.ones((2, 3))), "scores"),
        (lambda: agents.recall_at([1.0, 2.0]), "scores"),
    ]:
        with pytest.raises(ValueError, match=name):
            call()
