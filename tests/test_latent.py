"""Chapter 07b's module against closed forms, brute force and chapter 07."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import latent, vae

EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(11)
DIGITS = RNG.uniform(size=(40, 784)).astype("float32") ** 4


@pytest.fixture(scope="module")
def halves():
    """Encoder and decoder with two numbers, trained for a moment."""
    keras.utils.set_random_seed(1)
    pair = vae.build_encoder(2, (16,)), vae.build_decoder(2, (16,))
    vae.train(vae.build_vae(*pair), np.repeat(DIGITS, 10, axis=0), epochs=4)
    return pair


# ---------------------------------------------------------------- bounds


@given(SEEDS, st.integers(1, 9))
@EXACT
def test_bound_is_the_log_of_means_of_groups(number, k):
    log_w = np.random.default_rng(number).normal(size=(3, 9)) * 2
    groups = [log_w[:, i : i + k] for i in range(0, 9 // k * k, k)]
    right = np.mean([np.log(np.exp(g).mean(axis=1)) for g in groups], axis=0)
    np.testing.assert_allclose(latent.importance_bound(log_w, k), right, atol=1e-9)


@given(SEEDS)
@EXACT
def test_doubling_the_samples_never_lowers_the_bound(number):
    # Not only on average: groups of 2k are pairs of groups of k, and log is concave.
    log_w = np.random.default_rng(number).normal(size=(5, 16)) * 3
    bounds = [latent.importance_bound(log_w, k) for k in (1, 2, 4, 8, 16)]
    assert np.all(np.diff(bounds, axis=0) >= -1e-9)


def test_bounds_rise_from_the_elbo_to_log_p(halves):
    log_w = latent.log_weights(*halves, DIGITS, 64)
    fit, kl = vae.elbo_terms(*halves, DIGITS, samples=40)
    evidence, _ = vae.grid_posterior(halves[1], DIGITS)
    bounds = [latent.importance_bound(log_w, k).mean() for k in (1, 4, 16, 64)]
    assert bounds[0] == pytest.approx(np.mean(fit - kl), abs=0.3)  # both are estimates
    assert bounds == sorted(bounds)
    assert bounds[-1] <= evidence.mean() + 0.1


def test_bound_of_tiny_weights_is_finite():
    log_w = RNG.normal(size=(3, 8))
    shifted = latent.importance_bound(log_w - 1e5)
    np.testing.assert_allclose(shifted, latent.importance_bound(log_w) - 1e5)


# ---------------------------------------------------------------- rate, paths


def test_rates_add_up_to_the_kl():
    mean, log_variance = RNG.normal(size=(2, 30, 5))
    rates = latent.rate_of_each_unit(mean, log_variance)
    assert rates.shape == (5,) and np.all(rates >= 0)
    assert rates.sum() == pytest.approx(vae.gaussian_kl(mean, log_variance).mean())


@given(SEEDS, st.integers(2, 30))
@EXACT
def test_a_path_keeps_its_ends_and_its_distance_from_the_center(number, dimensions):
    start, end = np.random.default_rng(number).normal(size=(2, dimensions))
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    path = latent.spherical_path(start, end, 7)
    np.testing.assert_allclose(path[[0, -1]], [start, end], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(start))


def test_a_path_between_parallel_codes_is_a_line():
    path = latent.spherical_path([1.0, 1.0], [3.0, 3.0], 3)
    np.testing.assert_allclose(path, [[1, 1], [2, 2], [3, 3]])


# ---------------------------------------------------------------- AUC


@given(SEEDS)
@EXACT
def test_auc_is_the_share_of_pairs(number):
    rng = np.random.default_rng(number)
    normal, strange = rng.integers(0, 6, 20), rng.integers(1, 8, 15)
    pairs = strange[:, None] - normal
    right = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert latent.auc(normal, strange) == pytest.approx(right)
    assert latent.auc(strange, normal) == pytest.approx(1 - right)


# ---------------------------------------------------------------- networks, figures


def test_document_networks_fit_the_digits_and_train(tmp_path):
    keras.utils.set_random_seed(2)
    encoder, decoder = latent.build_document_halves(4)
    images = DIGITS.reshape(-1, 28, 28, 1)
    assert decoder.output_shape == (None, 28, 28, 1)
    before = vae.negative_elbo(encoder, decoder, images)
    vae.train(vae.build_vae(encoder, decoder), images, epochs=4, learning_rate=0.002)
    assert vae.negative_elbo(encoder, decoder, images) < before
    encoder.save(tmp_path / "encoder.keras")
    decoder.save(tmp_path / "decoder.keras")
    again = [keras.models.load_model(tmp_path / f"{n}coder.keras") for n in ("en", "de")]
    assert vae.negative_elbo(*again, images) == vae.negative_elbo(encoder, decoder, images)


def test_dense_halves():
    encoder, decoder = latent.build_dense_halves(20)
    assert encoder.output_shape == [(None, 20), (None, 20)]
    assert decoder.output_shape == (None, 784)


def test_figures(halves):
    pictures = latent.decode(halves[1], np.zeros((3, 2)))
    assert pictures.shape == (3, 28, 28)
    assert pictures.min() >= 0 and pictures.max() <= 1
    figure = latent.draw_rows({"three": pictures, "two": pictures[:2]})
    assert len(figure.axes) == 6


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: latent.log_weights(None, None, DIGITS, 0), "samples"),
        (lambda: latent.importance_bound(np.zeros(3)), "log_w"),
        (lambda: latent.importance_bound(np.zeros((2, 3)), 4), "k"),
        (lambda: latent.importance_bound(np.zeros((2, 3)), 0), "k"),
        (lambda: latent.importance_bound(np.zeros((2, 3)), 1.5), "k"),
        (lambda: latent.spherical_path([1.0], [2.0], 1), "steps"),
        (lambda: latent.spherical_path([1.0, 0.0], [0.0, 0.0], 3), "end"),
        (lambda: latent.spherical_path([1.0, 0.0], [1.0], 3), "end"),
        (lambda: latent.auc([], [1.0]), "normal"),
        (lambda: latent.spherical_path([[1.0]], [[1.0]], 3), "end"),
        (lambda: latent.auc([1.0], [np.nan]), "strange"),
        (lambda: latent.auc([1.0], [[1.0]]), "strange"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
