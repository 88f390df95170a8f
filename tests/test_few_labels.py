"""Contrast, pseudo-labels, questions, adaptation: against closed forms and GradientTape."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import few_labels, lesson


def rng(n=0):
    return np.random.default_rng(n)


# ---------------------------------------------------------------- data


def test_shrink_is_average_pooling():
    x = rng(1).uniform(size=(3, 8, 6, 2)).astype("float32")
    pooled = keras.layers.AveragePooling2D(2)(x)
    for given_as in (x, x.tolist()):
        np.testing.assert_allclose(few_labels.shrink(given_as), np.array(pooled), atol=1e-6)


def test_classes_get_equal_shares_without_repeats():
    labels = rng(2).integers(0, 5, 200)
    rows = few_labels.pick_per_class(labels, 7, rng(3))
    assert len(set(rows.tolist())) == 35
    assert np.bincount(labels[rows]).tolist() == [7] * 5


def test_other_camera_keeps_the_digit_but_not_its_look():
    x = np.repeat([[0.0], [1.0]], 5000, axis=1).reshape(2, 50, 100, 1)
    got = few_labels.other_camera(x, rng(4))
    assert got.dtype == np.float32 and got.min() >= 0 and got.max() <= 1
    np.testing.assert_allclose(got.mean(axis=(1, 2, 3)), [0.35, 0.75], atol=0.01)
    np.testing.assert_allclose(got.std(axis=(1, 2, 3)), [0.1, 0.1], atol=0.01)


def test_distort_moves_but_keeps_an_image_in_place_when_limits_are_zero():
    lesson.seed(1)
    x = rng(8).uniform(size=(4, 14, 14, 1)).astype("float32")
    still = few_labels.distort(x, turn=0.0, shear=0.0, zoom=0.0, shift=0.0)
    np.testing.assert_allclose(np.array(still), x, atol=1e-5)
    moved = np.array(few_labels.distort(x))
    assert moved.shape == x.shape and np.abs(moved - x).mean() > 0.05
    ring = np.hypot(*(np.mgrid[:14, :14] - 6.5))  # turning a disk changes little
    disk = (ring < 4).astype("float32")[None, ..., None]
    turned = few_labels.distort(disk, turn=3.0, shear=0.0, zoom=0.0, shift=0.0)
    assert np.abs(np.array(turned) - disk).mean() < 0.05


# ---------------------------------------------------------------- contrast


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(1, 5), st.floats(0.05, 2), st.integers(0, 99))
def test_contrastive_loss_is_a_cross_entropy_over_all_others(n, d, temperature, seed):
    z = rng(seed).normal(size=(2 * n, d))
    losses = []
    for i in range(2 * n):
        others = [j for j in range(2 * n) if j != i]
        cosines = [
            z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j]) for j in others
        ]
        logits = np.array([cosines]) / temperature
        target = np.array([others.index((i + n) % (2 * n))])
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        losses.append(float(entropy(target, logits)))
    got = few_labels.contrastive_loss(z, temperature)
    assert got == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-5)


def test_contrastive_loss_closed_forms():
    alike = np.ones((8, 3))  # no row can be told from another: log of the 7 others
    assert few_labels.contrastive_loss(alike) == pytest.approx(np.log(7))
    apart = np.tile(np.eye(4), (2, 1))
    expected = np.log(1 + 6 * np.exp(-1 / 0.2))
    assert few_labels.contrastive_loss(apart) == pytest.approx(expected)


def test_pretraining_brings_views_together():
    generator = rng(lesson.seed(2))
    encoder = few_labels.build_encoder()
    assert encoder.count_params() == 56_320
    blots = generator.integers(0, 2, (64, 3, 3, 1)).repeat(4, axis=1).repeat(4, axis=2)
    x = np.pad(blots, [(0, 0), (1, 1), (1, 1), (0, 0)]).astype("float32")
    losses = few_labels.pretrain(encoder, x, generator, epochs=15, batch_size=32)
    assert len(losses) == 30
    assert losses[0] == pytest.approx(np.log(63), abs=1.0)  # guessing among 63
    assert losses[-4:].mean() < losses[:4].mean() - 0.3


def test_features_are_centered_and_linear_scores_solve_least_squares():
    encoder = few_labels.build_encoder()
    x = rng(9).uniform(size=(30, 14, 14, 1)).astype("float32")
    f = few_labels.features_of(encoder, x, like=x)
    assert f.shape == (30, 64) and np.abs(f.mean(axis=0)).max() < 1e-6
    part = few_labels.features_of(encoder, x[:7], like=x)
    np.testing.assert_allclose(part, f[:7], atol=1e-4)
    f, y = rng(10).normal(size=(40, 5)), rng(11).integers(0, 3, 40)
    weights = few_labels.fit_linear(f, y, 3, penalty=0.7)
    tall = np.vstack([np.column_stack([f, np.ones(40)]), np.sqrt(0.7) * np.eye(6)])
    wide = np.vstack([np.eye(3)[y], np.zeros((6, 3))])
    expected = np.linalg.lstsq(tall, wide, rcond=None)[0]
    np.testing.assert_allclose(weights, expected, atol=1e-9)
    scores = few_labels.linear_scores(weights, f)
    np.testing.assert_allclose(scores, tall[:40] @ expected, atol=1e-9)


# ---------------------------------------------------------------- labels


def test_pseudo_labels_and_margins():
    scores = np.log([[0.5, 0.3, 0.2], [0.05, 0.92, 0.03], [0.9, 0.05, 0.05]])
    numbers, labels = few_labels.pseudo_labels(scores, 0.89)
    assert numbers.tolist() == [1, 2] and labels.tolist() == [1, 0]
    assert few_labels.margins([[3, 1, 2], [0, 5, -1]]).tolist() == [1, 5]


@pytest.mark.parametrize("unsure", [True, False])
def test_ask_buys_each_label_once(unsure):
    f, y = rng(12).normal(size=(100, 4)), rng(13).integers(0, 2, 100)
    start = [0, 1, 2, 3]
    steps = list(few_labels.ask(f, y, start, rng(14), rounds=3, count=5, unsure=unsure))
    assert [len(known) for known, _ in steps] == [4, 9, 14, 19]
    assert all(len(set(known.tolist())) == len(known) for known, _ in steps)
    known, weights = steps[1]
    if unsure:
        margin = few_labels.margins(few_labels.linear_scores(weights, f))
        asked = steps[2][0][9:]
        rest = np.setdiff1d(np.arange(100), np.concatenate([known, asked]))
        assert margin[asked].max() <= margin[rest].min()


# ---------------------------------------------------------------- another domain


def test_refreshed_statistics_are_those_of_the_data_layer_by_layer():
    lesson.seed(4)
    encoder = few_labels.build_encoder(normalize=True)
    assert encoder.count_params() == 56_320 + 2 * 96
    x = rng(15).normal(2, 3, size=(200, 14, 14, 1)).astype("float32")
    weights = [w.numpy() for w in encoder.trainable_weights]
    few_labels.refresh_statistics(encoder, x)
    first, norm, _, second, norm2 = encoder.layers[:5]
    maps = np.array(first(x))
    np.testing.assert_allclose(norm.moving_mean, maps.mean(axis=(0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(norm.moving_variance, maps.var(axis=(0, 1, 2)), rtol=1e-3)
    z = (maps - maps.mean(axis=(0, 1, 2))) / np.sqrt(maps.var(axis=(0, 1, 2)) + 1e-3)
    maps = np.array(second(np.maximum(z, 0)))
    np.testing.assert_allclose(norm2.moving_mean, maps.mean(axis=(0, 1, 2)), atol=1e-3)
    assert norm.momentum == 0.99
    same = zip(weights, encoder.trainable_weights, strict=True)
    assert all(np.array_equal(a, b.numpy()) for a, b in same)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: few_labels.shrink(np.zeros((2, 7, 8, 1))), "images"),
        (lambda: few_labels.shrink(np.zeros((2, 8, 7, 2))), "images"),
        (lambda: few_labels.shrink(np.zeros((8, 8, 2))), "images"),
        (lambda: few_labels.pick_per_class([0, 0, 1], 2, rng()), "count"),
        (
            lambda: few_labels.refresh_statistics(
                few_labels.build_encoder(), np.zeros((2, 14, 14, 1))
            ),
            "encoder",
        ),
        (lambda: few_labels.contrastive_loss(np.zeros((5, 2))), "z"),
        (lambda: few_labels.contrastive_loss(np.zeros((2, 2))), "z"),
        (lambda: few_labels.contrastive_loss(np.zeros(4)), "z"),
        (lambda: few_labels.pretrain(None, np.zeros((9, 14, 14, 1)), rng()), "x"),
        (lambda: few_labels.fit_linear(np.zeros((3, 2)), [0, 1], 2), "labels"),
        (lambda: few_labels.margins([1.0, 2.0]), "scores"),
        (lambda: few_labels.margins([[1.0], [2.0]]), "scores"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=f"^{message}: expected"):
        call()
