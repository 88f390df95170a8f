"""Chapter 09b's module against Keras, and for leaks."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import attention
from dl_course import transformer as tf_

SOME = settings(max_examples=50, derandomize=True, deadline=None, database=None)
SIZE, LENGTH = 11, 12


@functools.cache
def model(causal=True, local=3):
    keras.utils.set_random_seed(3)
    return tf_.build_transformer(SIZE, LENGTH, width=8, heads=2, causal=causal, local=local)


def ids(n=2, time=LENGTH, seed=0):
    return np.random.default_rng(seed).integers(SIZE, size=(n, time)).astype("int32")


# ---------------------------------------------------------------- the block


@given(st.integers(1, 4), st.integers(1, 5), st.integers(2, 6), st.integers(0, 99))
@SOME
def test_layer_norm_is_kerass(batch, time, width, seed):
    rng = np.random.default_rng(seed)
    x = 3 * rng.normal(size=(batch, time, width)).astype("float32")
    layer = keras.layers.LayerNormalization()
    layer.build(x.shape)
    layer.set_weights([rng.normal(size=width), rng.normal(size=width)])
    ours = tf_.layer_norm(x, *layer.get_weights())
    assert np.abs(ours - layer(x)).max() <= 1e-5


@pytest.mark.parametrize("causal", [True, False])
def test_the_block_is_kerass(causal):
    """The whole network, from embedding to logits, in NumPy with Keras's weights."""
    network = model(causal=causal, local=0)
    rng = np.random.default_rng(1)
    network.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in network.get_weights()])
    weights = network.get_weights()
    table, places, *rest = weights
    rows = ids()
    x = table[rows] + places[: rows.shape[1]]
    mask = attention.causal_mask(rows.shape[1]) if causal else None
    for number in range(2):
        x = tf_.transformer_block(x, rest[16 * number : 16 * (number + 1)], mask)
    gain, shift, kernel, bias = rest[32:]
    ours = tf_.layer_norm(x, gain, shift) @ kernel + bias
    assert np.abs(ours - network(rows)).max() <= 1e-4 * np.abs(ours).max()


@pytest.mark.parametrize("local", [0, 3])
@pytest.mark.parametrize("t", [1, 5, LENGTH - 1])
def test_no_place_sees_the_future(local, t):
    before = np.array(model(local=local)(ids()))
    changed = ids()
    changed[:, t] = (changed[:, t] + 1) % SIZE
    after = np.array(model(local=local)(changed))
    np.testing.assert_array_equal(before[:, :t], after[:, :t])
    assert np.abs(before[:, t:] - after[:, t:]).max() > 1e-3


def test_a_model_of_the_next_id_is_the_default():
    network = tf_.build_transformer(SIZE, LENGTH, width=8, heads=2)
    changed = ids()
    changed[:, -1] = (changed[:, -1] + 1) % SIZE
    before, after = np.array(network(ids())), np.array(network(changed))
    np.testing.assert_array_equal(before[:, :-1], after[:, :-1])


def test_without_a_causal_mask_every_place_sees_the_future():
    changed = ids()
    changed[:, -1] = (changed[:, -1] + 1) % SIZE
    difference = np.abs(np.array(model(causal=False)(ids()) - model(causal=False)(changed)))
    assert np.all(difference.max(axis=-1) > 0)


def test_a_shorter_text_is_the_beginning_of_a_longer_one():
    whole, part = np.array(model()(ids())), np.array(model()(ids()[:, :5]))
    np.testing.assert_allclose(whole[:, :5], part, atol=1e-5)


def test_attention_maps_are_triangular():
    maps = tf_.attention_maps(model(), ids())
    assert [m.shape for m in maps] == [(2, 2, LENGTH, LENGTH)] * 2
    for m in maps:
        np.testing.assert_allclose(m.sum(axis=-1), 1, atol=1e-5)
        assert np.all(m[..., ~attention.causal_mask(LENGTH)] == 0)


def test_attention_maps_of_a_single_block_are_a_list_too():
    single = tf_.build_transformer(SIZE, LENGTH, width=8, heads=2, blocks=1)
    assert [m.shape for m in tf_.attention_maps(single, ids())] == [(2, 2, LENGTH, LENGTH)]


def test_the_chapters_model_has_fewer_than_500000_parameters():
    assert tf_.build_transformer(70, 128).count_params() < 500_000


# ---------------------------------------------------------------- text


def test_bits_are_the_cross_entropy():
    rows = ids(5, 9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    nats = float(loss(rows[:, 1:], model()(rows[:, :-1])))
    assert np.isclose(tf_.bits_per_character(model(), rows, 2), nats / np.log(2), atol=1e-5)


def test_temperature_and_top_k():
    logits = np.array([2.0, 0.0, 1.0, -1.0])
    p = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(tf_.next_probabilities(logits), p)
    sharper = tf_.next_probabilities(logits, temperature=0.5)
    np.testing.assert_allclose(sharper, p**2 / np.sum(p**2))
    best = tf_.next_probabilities(logits, top_k=2)
    np.testing.assert_allclose(best, np.where(p > 0.2, p, 0) / p[[0, 2]].sum())
    np.testing.assert_array_equal(tf_.next_probabilities(logits, top_k=1), [1, 0, 0, 0])
    almost = tf_.next_probabilities(logits, temperature=1e-6)
    np.testing.assert_allclose(almost, [1, 0, 0, 0])


def test_samples_follow_the_models_probabilities():
    start = np.repeat(ids(1, 4), 4000, axis=0)
    new = tf_.sample(model(), start, 1, np.random.default_rng(0), length=LENGTH)
    assert new.shape == (4000, 5)
    np.testing.assert_array_equal(new[:, :4], start)
    p = tf_.next_probabilities(np.array(model()(start[:1]))[0, -1])
    shares = np.bincount(new[:, -1], minlength=SIZE) / 4000
    assert np.abs(shares - p).max() < 0.04


def test_greedy_samples_are_repeatable_and_may_outgrow_the_window():
    options = {"length": LENGTH, "top_k": 1}
    first, second = (
        tf_.sample(model(), ids(2, 3), 20, np.random.default_rng(seed), **options)
        for seed in (0, 1)
    )
    assert first.shape == (2, 23)
    np.testing.assert_array_equal(first, second)


# ---------------------------------------------------------------- masked tokens


def test_masking_hides_eight_of_ten_of_the_chosen():
    rows = ids(200, 100)
    inputs, chosen = tf_.mask_tokens(rows, SIZE, SIZE, np.random.default_rng(0))
    assert abs(chosen.mean() - 0.15) < 0.01
    np.testing.assert_array_equal(inputs[~chosen], rows[~chosen])
    gaps = inputs[chosen] == SIZE
    assert abs(gaps.mean() - 0.8) < 0.02
    kept = inputs[chosen] == rows[chosen]
    assert abs(kept.mean() - (0.1 + 0.1 / SIZE)) < 0.02
    assert inputs.max() == SIZE


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: tf_.layer_norm(np.zeros((2, 3)), np.ones(2), np.zeros(2)), "gain"),
        (lambda: tf_.layer_norm(np.zeros((2, 3)), np.ones(3), np.zeros(2)), "gain"),
        (lambda: tf_.transformer_block(np.zeros((1, 2, 3)), []), "weights"),
        (lambda: tf_.build_transformer(5, 5, width=10, heads=3), "heads"),
        (lambda: tf_.next_probabilities([1, 2], temperature=0), "temperature"),
        (lambda: tf_.next_probabilities([1, 2], top_k=3), "top_k"),
        (lambda: tf_.sample(None, [1, 2], 1, None, length=3), "start"),
        (lambda: tf_.sample(None, [[]], 1, None, length=3), "start"),
        (lambda: tf_.mask_tokens(ids(), SIZE, SIZE, None, share=0), "share"),
        (lambda: tf_.mask_tokens(ids() - 1, SIZE, SIZE, None), "ids"),
        (lambda: tf_.mask_tokens(ids() + 1, SIZE, SIZE, None), "ids"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
