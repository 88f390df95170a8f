"""Chapter 07's definitions against Keras, GradientTape, brute force and closed forms."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import data
from tools.chapters import definitions

vae = definitions("07")
EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(7)
DIGITS = RNG.uniform(size=(64, 784)).astype("float32") ** 4  # gray, mostly dark


@pytest.fixture(scope="module")
def trained():
    """A small VAE and its halves, after a short training."""
    keras.utils.set_random_seed(1)
    encoder = vae.build_encoder(2, (16,))
    decoder = vae.build_decoder(2, (16,), mean_image=DIGITS.mean(axis=0))
    model = vae.build_vae(encoder, decoder)
    history = vae.train(model, np.repeat(DIGITS, 8, axis=0), epochs=4)
    return encoder, decoder, model, history


# ---------------------------------------------------------------- densities, divergences


@given(SEEDS)
@EXACT
def test_normal_density_is_the_product_of_textbook_densities(number):
    rng = np.random.default_rng(number)
    z, mean, log_variance = rng.normal(size=(3, 4, 5))
    deviation = np.exp(log_variance / 2)
    textbook = np.exp(-(((z - mean) / deviation) ** 2) / 2) / np.sqrt(2 * np.pi) / deviation
    ours = vae.log_normal(z, mean, log_variance)
    np.testing.assert_allclose(ours, np.log(textbook).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(vae.log_normal(z), vae.log_normal(z, 0 * z, 0 * z))


@given(SEEDS, st.integers(1, 20))
@EXACT
def test_kl_is_the_integral_of_its_definition(number, dimensions):
    rng = np.random.default_rng(number)
    mean, log_variance = rng.normal(size=(2, dimensions))
    z = np.linspace(-60, 60, 30_001)
    total = 0.0
    for m, v in zip(mean, log_variance, strict=True):
        log_q, log_p = (vae.log_normal(z[:, None], *a) for a in ((m, v), ()))
        total += np.sum(np.exp(log_q) * (log_q - log_p)) * (z[1] - z[0])
    assert float(vae.gaussian_kl(mean, log_variance)) == pytest.approx(total, rel=1e-6)


@given(SEEDS)
@EXACT
def test_kl_is_never_negative_and_zero_at_the_prior(number):
    mean, log_variance = np.random.default_rng(number).normal(size=(2, 6, 3)) * 3
    assert np.all(np.asarray(vae.gaussian_kl(mean, log_variance)) >= 0)
    assert float(vae.gaussian_kl(np.zeros(3), np.zeros(3))) == 0


def test_the_wrong_kl_is_infinite_at_zero_and_never_below_one_half():
    z = np.linspace(-4, 4, 801)[:, None]
    values = vae.wrong_kl(z)
    assert np.isinf(vae.wrong_kl(np.zeros(1)))
    assert values.min() == pytest.approx(0.5)
    assert abs(z[values.argmin(), 0]) == pytest.approx(1)


def test_kl_divergence_of_distributions_is_kerass():
    q, p = RNG.dirichlet(np.ones(5), size=(2, 7))
    theirs = keras.losses.kl_divergence(q, p)
    np.testing.assert_allclose(vae.kl_divergence(q, p), theirs, rtol=1e-5)


@given(SEEDS)
@EXACT
def test_bernoulli_is_keras_binary_crossentropy(number):
    rng = np.random.default_rng(number)
    x, logits = rng.uniform(size=(3, 9)), rng.normal(size=(3, 9)) * 8
    theirs = 9 * keras.losses.binary_crossentropy(x, logits, from_logits=True)
    np.testing.assert_allclose(-vae.log_bernoulli(x, logits), theirs, rtol=1e-5)
    images = x.reshape(3, 3, 3, 1), logits.reshape(3, 3, 3, 1)
    np.testing.assert_allclose(vae.reconstruction_loss(*images), theirs, rtol=1e-5)


def test_bernoulli_survives_huge_logits():
    assert vae.log_bernoulli(np.array([[0.0, 1.0]]), np.array([[-1e4, 1e4]])) == 0
    assert np.isfinite(vae.log_bernoulli(np.array([[1.0]]), np.array([[-1e4]])))


def test_what_would_broadcast_without_a_word_is_an_error():
    with pytest.raises(ValueError, match=r"^logits: expected the shape of x"):
        vae.log_bernoulli(np.zeros((2, 28, 28)), np.zeros((2, 28, 28, 1)))


def test_the_gray_cost_is_the_mean_cost_of_coin_throws():
    x, logits = RNG.uniform(size=(1, 30)), RNG.normal(size=(1, 30))
    throws = (RNG.random((100_000, 30)) < x).astype(float)
    each = np.asarray(vae.log_bernoulli(throws, np.repeat(logits, len(throws), axis=0)))
    error = each.std() / math.sqrt(len(each))
    assert abs(each.mean() - float(vae.log_bernoulli(x, logits)[0])) < 4 * error


# ---------------------------------------------------------------- PCA, cells, normals


def test_pca_is_the_singular_value_decomposition():
    x = RNG.normal(size=(60, 8)) @ RNG.normal(size=(8, 8)) + 3
    mean, axes = vae.fit_pca(x, 3)
    codes, back = vae.apply_pca(x, mean, axes)
    u, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(back - mean, (u[:, :3] * s[:3]) @ v[:3], atol=1e-9)
    np.testing.assert_allclose(np.abs(codes), np.abs(u[:, :3] * s[:3]), atol=1e-9)
    np.testing.assert_allclose(vae.apply_pca(x, *vae.fit_pca(x, 8))[1], x, atol=1e-9)


def test_the_four_points_of_the_text():
    points = np.array([[2.0, 1], [1, 2], [-2, -1], [-1, -2]])
    codes, back = vae.apply_pca(points, *vae.fit_pca(points, 1))
    np.testing.assert_allclose(np.abs(codes[:, 0]), 3 / np.sqrt(2))
    np.testing.assert_allclose(back[0], [1.5, 1.5])
    np.testing.assert_allclose(np.linalg.eigvalsh(points.T @ points / 4), [0.5, 4.5])


def test_normal_codes_are_even_and_others_are_not():
    codes = RNG.normal(size=(40_000, 2))
    assert 0 <= vae.unevenness(codes) < 0.01
    assert vae.unevenness(codes / 10) > 2
    assert vae.unevenness(np.zeros((5, 2)), cells=4) == pytest.approx(np.log(16))
    np.testing.assert_allclose(vae.normal_quantiles([0.5, 0.975]), [0, 1.95996], atol=1e-5)


def test_whitened_codes_have_mean_zero_and_unit_covariance():
    codes = RNG.normal(size=(500, 2)) @ RNG.normal(size=(2, 2)) + 5
    white = vae.whiten(codes, *vae.fit_normal(codes))
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.cov(white.T), np.eye(2), atol=1e-9)


def test_whitened_pca_codes_are_uneven_more_by_dependence_than_by_their_columns():
    x = data.mnist()[0][0].reshape(-1, 784)[:20_000]
    codes = vae.apply_pca(x, *vae.fit_pca(x, 2))[0]
    white = vae.whiten(codes, *vae.fit_normal(codes))
    shuffled = np.stack([RNG.permutation(white[:, 0]), white[:, 1]], axis=1)
    columns, total = vae.unevenness(shuffled), vae.unevenness(white)
    assert total - columns > 1.5 * columns > 0


# ---------------------------------------------------------------- a gradient through a draw


def test_reparameterized_gradient_is_that_of_finite_differences():
    # d/dμ and d/dlog σ² of E[f(z)], f(z) = sin(z) + z³/3; E[f] in closed form.
    def expected(mean, log_variance):
        variance = np.exp(log_variance)
        return np.exp(-variance / 2) * np.sin(mean) + (mean**3 + 3 * mean * variance) / 3

    n, h = 200_000, 1e-5
    for mean, log_variance in RNG.normal(size=(5, 2)):
        sample = vae.Sampling(beta=0.0, seed=3)
        inputs = [tf.fill((n, 1), np.float32(v)) for v in (mean, log_variance)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            z = sample(*inputs)
            value = tf.reduce_sum(tf.sin(z) + z**3 / 3)
        for i, each in enumerate(tape.gradient(value, inputs)):
            step = np.eye(2)[i] * h
            up = expected(mean + step[0], log_variance + step[1])
            down = expected(mean - step[0], log_variance - step[1])
            each = np.ravel(each)
            error = each.std(ddof=1) / np.sqrt(n)
            assert abs(each.mean() - (up - down) / (2 * h)) <= 4 * error


def test_sampling_is_random_right_on_average_and_adds_the_kl():
    sample = vae.Sampling(seed=1)
    mean = np.tile([1.0, -2.0], (100_000, 1)).astype("float32")
    log_variance = np.tile(np.log([0.25, 4.0]), (100_000, 1)).astype("float32")
    first, second = (np.asarray(sample(mean, log_variance)) for _ in range(2))
    assert not np.allclose(first, second)
    np.testing.assert_allclose(first.mean(axis=0), [1, -2], atol=0.03)
    np.testing.assert_allclose(first.std(axis=0), [0.5, 2], rtol=0.02)
    (loss,) = sample.losses
    expected = float(vae.gaussian_kl(mean[0], log_variance[0]))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------- networks


def test_a_decoder_begins_with_the_mean_image():
    mean = DIGITS.mean(axis=0)
    decoder = vae.build_decoder(2, (8,), mean_image=mean)
    logits = decoder.predict(np.zeros((1, 2), "float32"), verbose=0)[0]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), mean, atol=1e-3)


def test_an_encoder_begins_as_wide_as_the_prior():
    mean, log_variance = vae.build_encoder(3).predict(DIGITS, verbose=0)
    assert mean.shape == log_variance.shape == (64, 3)
    assert not log_variance.any() and mean.std() > 0


def test_the_loss_of_fit_is_the_negative_elbo(trained):
    encoder, decoder, model, history = trained
    assert history.history["loss"][-1] < history.history["loss"][0]
    loss = model.evaluate(DIGITS, DIGITS, verbose=0)
    fit, kl = vae.elbo_terms(encoder, decoder, DIGITS, samples=10)
    assert loss == pytest.approx(np.mean(kl - fit), rel=0.01)
    assert kl.shape == fit.shape == (64,)


def test_the_terms_are_repeatable(trained):
    encoder, decoder, *_ = trained
    first, again, other = (
        vae.elbo_terms(encoder, decoder, DIGITS, seed=s)[0] for s in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_beta_weighs_the_kl():
    keras.utils.set_random_seed(2)
    encoder, decoder = vae.build_encoder(2, (8,)), vae.build_decoder(2, (8,))
    losses = {}
    for beta in (0.0, 1.0, 4.0):
        model = vae.build_vae(encoder, decoder, beta=beta)
        model.compile(loss=vae.reconstruction_loss)
        losses[beta] = model.evaluate(DIGITS, DIGITS, verbose=0)
    kl = np.mean(vae.gaussian_kl(*encoder.predict(DIGITS, verbose=0)))
    assert losses[1.0] - losses[0.0] == pytest.approx(kl, rel=1e-2)
    assert losses[4.0] - losses[0.0] == pytest.approx(4 * kl, rel=1e-2)


def test_gradients_reach_both_heads(trained):
    encoder, _, model, _ = trained
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.reconstruction_loss(DIGITS, model(DIGITS)))
    heads = [layer.kernel.value for layer in encoder.layers[-2:]]
    for gradient in tape.gradient(loss, heads):
        assert np.abs(gradient).max() > 0


def test_halves_are_saved_and_loaded(trained, tmp_path):
    encoder, decoder, *_ = trained
    for network, inputs in ((encoder, DIGITS), (decoder, DIGITS[:, :2])):
        network.save(tmp_path / "half.keras")
        again = keras.models.load_model(tmp_path / "half.keras")
        before, after = (n.predict(inputs, verbose=0) for n in (network, again))
        np.testing.assert_array_equal(before, after)


# ---------------------------------------------------------------- log p(x)


def test_the_grid_finds_log_p_where_z_does_not_matter():
    logits = np.arange(-3.0, 3.0)
    x = RNG.uniform(size=(3, 6))
    log_p, posterior = vae.log_evidence(lambda z: np.tile(logits, (len(z), 1)), x)
    expected = vae.log_bernoulli(x, np.tile(logits, (3, 1)))
    np.testing.assert_allclose(log_p, expected, atol=2e-4)  # the prior's share outside
    np.testing.assert_allclose(posterior.sum(axis=(1, 2)), 1)
    side = np.linspace(-4, 4, 121)  # the posterior is the prior
    np.testing.assert_allclose(posterior[0].sum(axis=0) @ side**2, 1, atol=2e-3)


def test_bounds_rise_from_the_elbo_to_the_grids_log_p(trained):
    encoder, decoder, *_ = trained
    binary = (RNG.random(DIGITS.shape) < DIGITS).astype("float32")
    log_p, _ = vae.log_evidence(lambda z: decoder.predict(z, verbose=0), binary)
    log_w = vae.log_weights(encoder, decoder, binary, 256)
    bounds = [vae.importance_bound(log_w, k).mean() for k in (1, 16, 256)]
    assert bounds[0] < bounds[1] < bounds[2] <= log_p.mean() + 0.01
    assert bounds[2] == pytest.approx(log_p.mean(), abs=0.3)
    fit, kl = vae.elbo_terms(encoder, decoder, binary, samples=100)
    assert bounds[0] == pytest.approx(np.mean(fit - kl), abs=0.1)


def test_the_bound_of_k_is_the_log_of_the_mean_weight():
    log_w = RNG.normal(size=(5, 12)) - 700
    by_hand = np.log(np.exp(log_w + 700).reshape(5, 4, 3).mean(axis=2)).mean(axis=1) - 700
    np.testing.assert_allclose(vae.importance_bound(log_w, 3), by_hand)
