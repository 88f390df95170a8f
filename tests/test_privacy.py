"""Chapter 11d's module against GradientTape, integrals and published values."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import backprop, network, optimizers, privacy
from tools.chapters import definitions

gradients = definitions("03")

MANY = settings(max_examples=40, derandomize=True, deadline=None, database=None)


def case(seed=0, sizes=(6, 5, 4), batch=7):
    rng = np.random.default_rng(seed)
    layers = network.initial_layers(sizes, ["relu", "linear"], rng, scheme="he")
    layers = [(w, rng.normal(size=b.shape), name) for w, b, name in layers]
    return rng.uniform(0.2, 0.8, (batch, sizes[0])), rng.integers(0, 4, batch), layers, rng


def flat(gradients):
    return np.concatenate([g.ravel() for pair in gradients for g in pair])


def one_by_one(x, labels, layers):
    """Each example's gradient by TensorFlow, (batch, weights)."""
    twin, rows = network.build_twin(layers), []
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for i in range(len(x)):
        with tf.GradientTape() as tape:
            value = loss(labels[i : i + 1], twin(x[i : i + 1]))
        gradients = tape.gradient(value, twin.trainable_variables)
        rows.append(np.concatenate([np.ravel(g) for g in gradients]))
    return np.array(rows)


# ---------------------------------------------------------------- adversarial examples


def test_losses_scores_and_input_gradient_are_tensorflows():
    x, labels, layers, _ = case()
    twin = network.build_twin(layers)
    v = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(v)
        z = twin(v)
        each = keras.losses.sparse_categorical_crossentropy(labels, z, from_logits=True)
        total = tf.reduce_sum(each)
    np.testing.assert_allclose(privacy.scores(x, layers), z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        privacy.losses(x, labels, layers), each, rtol=1e-4, atol=1e-6
    )
    ours = privacy.input_gradient(x, labels, layers)
    np.testing.assert_allclose(ours, tape.gradient(total, v), rtol=1e-4, atol=1e-6)


def test_input_gradient_is_that_of_finite_differences():
    x, labels, layers, _ = case(1)
    numeric = gradients.numerical_gradient(
        lambda x: privacy.losses(x, labels, layers).sum(), x
    )
    assert (
        gradients.relative_error(privacy.input_gradient(x, labels, layers), numeric) < 1e-6
    )


def test_losses_of_huge_scores_are_finite():
    layers = [(np.eye(2) * 1e4, np.zeros(2), "linear")]
    assert privacy.losses(np.array([[1.0, 0]]), [1], layers) == pytest.approx(1e4)


def test_fgsm_is_the_worst_change_of_a_linear_network():
    """With two classes and no bounds in reach, it beats every corner of the cube."""
    rng = np.random.default_rng(2)
    layers = [(rng.normal(size=(6, 2)), np.zeros(2), "linear")]
    x, labels, size = rng.uniform(0.3, 0.7, (1, 6)), np.array([1]), 0.1
    attacked = privacy.fgsm(x, labels, layers, size)
    corners = np.array(np.meshgrid(*[[-size, size]] * 6)).reshape(6, -1).T
    worst = privacy.losses(x + corners, np.ones(64, int), layers).max()
    assert privacy.losses(attacked, labels, layers)[0] == pytest.approx(worst)
    w = layers[0][0]
    drop = size * np.abs(w[:, 1] - w[:, 0]).sum()
    margin = [float(np.diff(privacy.scores(p, layers))[0, 0]) for p in (x, attacked)]
    assert margin[0] - margin[1] == pytest.approx(drop)


@given(st.floats(0, 0.3), st.integers(0, 20))
@MANY
def test_attacks_stay_in_their_box_and_raise_the_loss(size, seed):
    x, labels, layers, _ = case(seed)
    before = privacy.losses(x, labels, layers)
    for attack in (privacy.fgsm, privacy.pgd):
        attacked = attack(x, labels, layers, size)
        assert np.abs(attacked - x).max() <= size + 1e-12
        assert attacked.min() >= 0 and attacked.max() <= 1
        if size < 1e-3:
            assert np.all(privacy.losses(attacked, labels, layers) >= before - 1e-9)
    assert privacy.losses(attacked, labels, layers).sum() >= before.sum() - 1e-9


def test_pgd_of_one_full_step_is_fgsm_and_more_steps_are_not_weaker():
    x, labels, layers, _ = case(3, batch=50)
    one = privacy.pgd(x, labels, layers, 0.1, num_steps=1)
    np.testing.assert_allclose(one, privacy.fgsm(x, labels, layers, 0.1))
    loss = [privacy.losses(a(x, labels, layers, 0.1), labels, layers).mean()
            for a in (privacy.fgsm, privacy.pgd)]  # fmt: skip
    assert loss[1] >= loss[0] - 1e-9


def test_training_is_keras_sgd_on_the_same_batches():
    x, labels, layers, _ = case(4, batch=24)
    order = np.random.default_rng(9).permutation(24)
    twin = network.build_twin(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile(keras.optimizers.SGD(0.1), loss)
    twin.fit(x[order], labels[order], batch_size=8, epochs=1, shuffle=False, verbose=0)
    settings = {"epochs": 1, "batch": 8, "learning_rate": 0.1}
    ours = privacy.train(x, labels, layers, np.random.default_rng(9), **settings)
    for (w, b, _), layer in zip(ours, twin.layers, strict=True):
        for mine, theirs in zip((w, b), layer.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


def test_training_leaves_the_start_alone_takes_schedules_and_can_be_attacked():
    x, labels, layers, rng = case(5, batch=40)
    start = flat([(w, b) for w, b, _ in layers])
    still = privacy.train(x, labels, layers, rng, epochs=1, learning_rate=lambda t: 0.0)
    assert np.array_equal(flat([(w, b) for w, b, _ in still]), start)
    rate = optimizers.cosine(0.3, 60)
    settings = {"epochs": 12, "batch": 8, "learning_rate": rate, "attack": 0.2}
    hard = privacy.train(x, labels, layers, rng, **settings)
    assert np.array_equal(flat([(w, b) for w, b, _ in layers]), start)
    loss = [privacy.losses(privacy.fgsm(x, labels, n, 0.2), labels, n).mean()
            for n in (layers, hard)]  # fmt: skip
    assert loss[1] < loss[0]


def test_an_attacked_batch_is_trained_on_as_fgsm_leaves_it():
    x, labels, layers, _ = case(6, batch=24)
    settings = {"epochs": 1, "batch": 24}
    hard, plain = (
        privacy.train(
            inputs, labels, layers, np.random.default_rng(0), attack=s, **settings
        )
        for inputs, s in ((x, 0.2), (privacy.fgsm(x, labels, layers, 0.2), 0.0))
    )
    for a, b in zip(hard, plain, strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-12)
        np.testing.assert_allclose(a[1], b[1], atol=1e-12)


def test_hardened_by_attacks_a_network_withstands_them_better_than_a_plain_one():
    x, labels, layers, _ = case(5, batch=40)
    settings = {"epochs": 30, "batch": 8, "learning_rate": 0.3}
    loss = []
    for attack in (0.2, 0.0):  # the same start, in the same order
        rng = np.random.default_rng(1)
        trained = privacy.train(x, labels, layers, rng, attack=attack, **settings)
        attacked = privacy.fgsm(x, labels, trained, 0.2)
        loss.append(privacy.losses(attacked, labels, trained).mean())
    assert loss[0] < 0.9 * loss[1]


# ---------------------------------------------------------------- private training


def test_gradient_norms_and_clipped_sum_are_those_of_gradients_one_by_one():
    x, labels, layers, _ = case(6)
    rows = one_by_one(x, labels, layers)
    norms = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(privacy.gradient_norms(x, labels, layers), norms, rtol=1e-4)
    for limit in (0.01, float(np.median(norms)), 1e6):
        expected = (rows * np.minimum(1, limit / norms)[:, None]).sum(axis=0)
        got = flat(privacy.clipped_sum(x, labels, layers, limit))
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-6)


@given(st.floats(0.01, 5), st.integers(0, 20))
@MANY
def test_one_example_moves_the_clipped_sum_by_at_most_the_limit(limit, seed):
    x, labels, layers, _ = case(seed)
    with_it = flat(privacy.clipped_sum(x, labels, layers, limit))
    without = flat(privacy.clipped_sum(x[1:], labels[1:], layers, limit))
    assert np.linalg.norm(with_it - without) <= limit * (1 + 1e-9)


def test_dp_sgd_without_noise_and_clipping_is_gradient_descent():
    x, labels, layers, rng = case(7)
    settings = {"num_steps": 3, "rate": 1.0, "noise": 0.0, "limit": 1e9}
    ours = privacy.train_privately(x, labels, layers, rng, learning_rate=0.1, **settings)
    theirs = layers
    for _ in range(3):
        gradients = backprop.loss_and_gradients(x, labels, theirs)[1]
        theirs = privacy.update(theirs, gradients, 0.1)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=1e-10)


def test_dp_sgd_adds_noise_of_the_stated_size_even_to_an_empty_batch():
    layers = [(np.zeros((400, 300)), np.zeros(300), "linear")]
    x, labels, rng = np.zeros((5, 400)), np.zeros(5, int), np.random.default_rng(0)
    settings = {"num_steps": 1, "rate": 1e-9, "noise": 2.0, "limit": 0.5}
    w = privacy.train_privately(x, labels, layers, rng, learning_rate=1e-9, **settings)
    assert w[0][0].std() == pytest.approx(2 * 0.5 / 5, rel=0.02)


# ---------------------------------------------------------------- the accountant


def renyi_by_integral(noise, rate, order):
    """log E_{z ~ N(0, σ²)} ((1-q) + q e^((2z-1) / 2σ²))^α / (α-1), any order > 1."""
    z = np.linspace(-40 * noise, (40 + order) * noise + order, 400_001)
    log_density = -(z**2) / (2 * noise**2) - np.log(noise * np.sqrt(2 * np.pi))
    ratio = np.logaddexp(np.log1p(-rate), np.log(rate) + (2 * z - 1) / (2 * noise**2))
    terms = log_density + order * ratio
    top = terms.max()
    return (top + np.log(np.sum(np.exp(terms - top)) * (z[1] - z[0]))) / (order - 1)


@pytest.mark.parametrize("noise", [0.8, 1.5, 4.0])
@pytest.mark.parametrize("rate", [0.01, 0.04, 0.5])
@pytest.mark.parametrize("order", [2, 3, 8, 32])
def test_renyi_divergence_is_the_integral(noise, rate, order):
    expected = renyi_by_integral(noise, rate, order)
    assert privacy.renyi(noise, rate, order) == pytest.approx(expected, rel=1e-6, abs=1e-10)


def test_a_whole_order_may_be_a_float():
    assert privacy.renyi(1.5, 0.04, 2.0) == privacy.renyi(1.5, 0.04, 2)


def test_without_sampling_it_is_the_divergence_of_two_gaussians():
    assert privacy.renyi(2.0, 1.0, 5) == 5 / (2 * 4)
    assert privacy.renyi(2.0, 1 - 1e-12, 5) == pytest.approx(5 / 8)


def test_epsilon_is_the_published_one():
    """Opacus, opacus/tests/accountants_test.py: 7.32911117143, with fractional orders."""
    published = 7.32911117143
    ours = privacy.epsilon(1.5, 0.04, 2250, 1e-5)
    assert published <= ours <= published + 0.002
    orders = [1 + i / 10 for i in range(1, 100)]  # Opacus's; the integral takes them
    finer = min(
        2250 * renyi_by_integral(1.5, 0.04, a)
        + np.log((a - 1) / a) - np.log(1e-5 * a) / (a - 1)
        for a in orders[20:50]
    )  # fmt: skip
    assert finer == pytest.approx(published, abs=1e-8)


def test_epsilon_is_below_that_of_the_simple_rule_and_above_the_exact_one():
    """Without sampling: Bun & Steinke's bound, and Balle & Wang's exact curve."""
    noise, steps, delta = 20.0, 100, 1e-5
    rho = steps / (2 * noise**2)
    simple = rho + 2 * np.sqrt(rho * np.log(1 / delta))
    ours = privacy.epsilon(noise, 1.0, steps, delta)
    mu = np.sqrt(steps) / noise

    def exact_delta(epsilon):
        a, b = -epsilon / mu + mu / 2, -epsilon / mu - mu / 2
        phi = [0.5 * float(tf.math.erfc(tf.constant(-v / np.sqrt(2), tf.float64)))
               for v in (a, b)]  # fmt: skip
        return phi[0] - np.exp(epsilon) * phi[1]

    assert ours < simple
    assert exact_delta(ours) <= delta


def test_epsilon_falls_with_noise_and_rises_with_steps_and_rate():
    base = privacy.epsilon(2.0, 0.1, 100, 1e-5)
    assert privacy.epsilon(3.0, 0.1, 100, 1e-5) < base
    assert privacy.epsilon(2.0, 0.1, 200, 1e-5) > base
    assert privacy.epsilon(2.0, 0.2, 100, 1e-5) > base


# ---------------------------------------------------------------- federated averaging


@given(st.integers(2, 8), st.integers(1, 3), st.integers(0, 50))
@MANY
def test_a_split_by_label_is_a_partition_with_few_classes_each(clients, shards, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(10), 60)[rng.permutation(600)]
    parts = privacy.split_by_label(labels, clients, rng, shards=shards)
    assert len(parts) == clients
    assert sorted(np.concatenate(parts)) == list(range(600))
    runs = clients * shards
    most = shards * (np.ceil(10 / runs) + 1)  # a run of n/runs records meets few classes
    assert all(len(np.unique(labels[part])) <= most for part in parts)


def test_average_is_weighted_keeps_dtypes_and_one_network():
    _, _, layers, _ = case(8)
    other = [(w + 3, b - 3, name) for w, b, name in layers]
    mean = privacy.average([layers, other], [1, 2])
    np.testing.assert_allclose(mean[0][0], layers[0][0] + 2)
    np.testing.assert_allclose(mean[1][1], layers[1][1] - 2)
    small = [(w.astype("float32"), b.astype("float32"), name) for w, b, name in layers]
    assert privacy.average([small, small], [1, 1])[0][0].dtype == np.float32
    np.testing.assert_allclose(privacy.average([layers], [5])[0][0], layers[0][0])


def test_a_round_of_one_full_step_is_a_step_of_the_pool():
    x, labels, layers, rng = case(9, batch=30)
    parts = [np.arange(5), np.arange(5, 18), np.arange(18, 30)]
    settings = {"epochs": 1, "batch": 30, "learning_rate": 0.3}
    ours = privacy.federated_round(x, labels, parts, layers, rng, **settings)
    pooled = privacy.update(layers, backprop.loss_and_gradients(x, labels, layers)[1], 0.3)
    for a, b in zip(ours, pooled, strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-12)
        np.testing.assert_allclose(a[1], b[1], atol=1e-12)


# ---------------------------------------------------------------- errors


def test_errors_name_the_argument():
    x, labels, layers, rng = case(10)
    private = {"num_steps": 1, "noise": 1.0}
    for call, name in [
        (lambda: privacy.fgsm(x, labels, layers, -0.1), "size"),
        (lambda: privacy.pgd(x, labels, layers, 2), "size"),
        (lambda: privacy.clipped_sum(x, labels, layers, 0), "limit"),
        (
            lambda: privacy.train_privately(x, labels, layers, rng, rate=0, **private),
            "rate",
        ),
        (lambda: privacy.renyi(0, 0.1, 2), "noise"),
        (lambda: privacy.renyi(1, 1.5, 2), "rate"),
        (lambda: privacy.renyi(1, 0.1, 1), "order"),
        (lambda: privacy.renyi(1, 0.1, 2.5), "order"),
        (lambda: privacy.epsilon(1, 0.1, 5, 0), "delta"),
        (lambda: privacy.split_by_label(np.arange(5), 4, rng), "clients"),
        (lambda: privacy.average([layers], [1, 2]), "sizes"),
        (lambda: privacy.average([layers], [0]), "sizes"),
        (lambda: privacy.losses(x, labels + 9, layers), "labels"),
    ]:
        with pytest.raises(ValueError, match=name):
            call()
