"""Chapter 07's module against Monte Carlo, finite differences, SciPy-free closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import vae

EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(7)
DIGITS = RNG.uniform(size=(64, 784)).astype("float32") ** 4  # gray, mostly dark


@pytest.fixture(scope="module")
def trained():
    """A small VAE and its halves, trained for a moment."""
    keras.utils.set_random_seed(1)
    encoder = vae.build_encoder(2, (16,))
    decoder = vae.build_decoder(2, (16,), mean_image=DIGITS.mean(axis=0))
    model = vae.build_vae(encoder, decoder)
    history = vae.train(model, np.repeat(DIGITS, 8, axis=0), epochs=4)
    return encoder, decoder, model, history


# ---------------------------------------------------------------- densities, KL


@given(SEEDS)
@EXACT
def test_normal_density_is_the_product_of_textbook_densities(number):
    rng = np.random.default_rng(number)
    z, mean, log_variance = rng.normal(size=(3, 4, 5))
    deviation = np.exp(log_variance / 2)
    textbook = np.exp(-(((z - mean) / deviation) ** 2) / 2) / np.sqrt(2 * np.pi) / deviation
    ours = vae.log_normal(z, mean, log_variance)
    np.testing.assert_allclose(ours, np.log(textbook).sum(axis=1), atol=1e-9)


@given(SEEDS, st.integers(1, 20))
@EXACT
def test_kl_is_its_monte_carlo_estimate_within_three_standard_errors(number, dimensions):
    rng = np.random.default_rng(number)
    mean, log_variance = rng.normal(size=(2, dimensions))
    estimate, error = vae.monte_carlo_kl(mean, log_variance, 20_000, rng)
    assert abs(vae.gaussian_kl(mean, log_variance) - estimate) <= 3 * error


@given(SEEDS)
@EXACT
def test_kl_is_never_negative_and_zero_at_the_prior(number):
    mean, log_variance = np.random.default_rng(number).normal(size=(2, 6, 3)) * 3
    assert np.all(vae.gaussian_kl(mean, log_variance) >= 0)
    assert vae.gaussian_kl(np.zeros(3), np.zeros(3)) == 0


def test_the_documents_kl_is_infinite_at_zero_and_never_below_one_half():
    z = np.linspace(-4, 4, 801)[:, None]
    values = vae.document_kl(z)
    assert np.isinf(vae.document_kl([0.0]))
    assert values.min() == pytest.approx(0.5)
    assert abs(z[values.argmin(), 0]) == pytest.approx(1)


@given(SEEDS)
@EXACT
def test_bernoulli_is_keras_binary_crossentropy(number):
    rng = np.random.default_rng(number)
    x, logits = rng.uniform(size=(3, 9)), rng.normal(size=(3, 9)) * 8
    keras_loss = keras.losses.binary_crossentropy(x, logits, from_logits=True)
    np.testing.assert_allclose(-vae.log_bernoulli(x, logits), 9 * keras_loss, rtol=1e-5)
    ours = keras.ops.convert_to_numpy(vae.reconstruction_loss(x, logits))
    np.testing.assert_allclose(ours, -vae.log_bernoulli(x, logits), rtol=1e-5)


def test_bernoulli_survives_huge_logits():
    assert vae.log_bernoulli([0.0, 1.0], [-1e4, 1e4]) == 0
    assert np.isfinite(vae.log_bernoulli([1.0], [-1e4]))


def test_gray_values_sum_over_two_images_of_ink():
    # -log p of a gray pixel is the mean cost of ink and paper: no distribution over
    # grays, but the same minimum.
    logits = np.array([0.7])
    ink, paper = (vae.log_bernoulli([v], logits) for v in (1.0, 0.0))
    assert vae.log_bernoulli([0.3], logits) == pytest.approx(0.3 * ink + 0.7 * paper)


# ---------------------------------------------------------------- ELBO, reparameterization


@given(SEEDS)
@EXACT
def test_elbo_is_below_log_p_and_reaches_it_at_the_posterior(number):
    # z ~ N(0, 1), x | z ~ N(a z, s²): everything in closed form.
    rng = np.random.default_rng(number)
    a, s, x = rng.normal(), rng.uniform(0.2, 2), rng.normal() * 2

    def elbo(mean, log_variance):
        square = (x - a * mean) ** 2 + a**2 * np.exp(log_variance)
        fit = -0.5 * (np.log(2 * np.pi * s**2) + square / s**2)
        return fit - vae.gaussian_kl([mean], [log_variance])

    log_p = vae.log_normal([x], 0, np.log([a**2 + s**2]))
    variance = s**2 / (s**2 + a**2)
    best = elbo(a * x * variance / s**2, np.log(variance))
    assert best == pytest.approx(log_p, abs=1e-9)
    for mean, log_variance in rng.normal(size=(5, 2)) * 2:
        assert elbo(mean, log_variance) <= log_p + 1e-9


def test_reparameterized_gradient_is_that_of_finite_differences():
    # d/dμ and d/dlog σ² of E[f(z)], f(z) = sin(z) + z³/3; E[f] in closed form.
    def expected(mean, log_variance):
        variance = np.exp(log_variance)
        return np.exp(-variance / 2) * np.sin(mean) + (mean**3 + 3 * mean * variance) / 3

    n, h = 200_000, 1e-5
    for mean, log_variance in RNG.normal(size=(5, 2)):
        sample = vae.sampler()(beta=0.0, seed=3)
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


def test_sample_is_stochastic_and_right_on_average():
    sample = vae.sampler()(seed=1)
    mean = np.tile([1.0, -2.0], (100_000, 1)).astype("float32")
    log_variance = np.tile(np.log([0.25, 4.0]), (100_000, 1)).astype("float32")
    first, second = (np.asarray(sample(mean, log_variance)) for _ in range(2))
    assert not np.allclose(first, second)
    np.testing.assert_allclose(first.mean(axis=0), [1, -2], atol=0.03)
    np.testing.assert_allclose(first.std(axis=0), [0.5, 2], rtol=0.02)
    (loss,) = sample.losses
    expected = vae.gaussian_kl(mean[0], log_variance[0])
    assert float(loss) == pytest.approx(expected, rel=1e-5)


# ---------------------------------------------------------------- PCA, cells


def test_pca_is_the_singular_value_decomposition():
    x = RNG.normal(size=(60, 8)) @ RNG.normal(size=(8, 8)) + 3
    mean, axes = vae.fit_pca(x, 3)
    codes, back = vae.apply_pca(x, mean, axes)
    u, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(back - mean, (u[:, :3] * s[:3]) @ v[:3], atol=1e-9)
    np.testing.assert_allclose(np.abs(codes), np.abs(u[:, :3] * s[:3]), atol=1e-9)


def test_pca_with_all_axes_loses_nothing():
    x = RNG.normal(size=(20, 5))
    np.testing.assert_allclose(vae.apply_pca(x, *vae.fit_pca(x, 5))[1], x, atol=1e-9)


def test_normal_codes_are_even_and_narrow_ones_are_not():
    codes = RNG.normal(size=(40_000, 2))
    assert 0 <= vae.unevenness(codes) < 0.01
    assert vae.unevenness(codes / 10) > 2
    assert vae.unevenness(np.zeros((5, 2)), cells=4) == pytest.approx(np.log(16))


def test_quantiles():
    np.testing.assert_allclose(vae.normal_quantiles([0.5, 0.975]), [0, 1.95996], atol=1e-5)


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


def test_the_score_is_repeatable(trained):
    encoder, decoder, *_ = trained
    first, again, other = (
        vae.negative_elbo(encoder, decoder, DIGITS, seed=s) for s in (1, 1, 2)
    )
    assert first == again != other


def test_beta_weighs_the_kl():
    keras.utils.set_random_seed(2)
    encoder, decoder = vae.build_encoder(2, (8,)), vae.build_decoder(2, (8,))
    losses = {}
    for beta in (0.0, 1.0, 4.0):
        model = vae.build_vae(encoder, decoder, beta=beta)
        model.compile(loss=vae.reconstruction_loss)
        losses[beta] = model.evaluate(DIGITS, DIGITS, verbose=0)
    kl = vae.gaussian_kl(*encoder.predict(DIGITS, verbose=0)).mean()
    assert losses[1.0] - losses[0.0] == pytest.approx(kl, rel=1e-2)
    assert losses[4.0] - losses[0.0] == pytest.approx(4 * kl, rel=1e-2)


def test_gradients_reach_both_heads(trained):
    encoder, _, model, _ = trained
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(vae.reconstruction_loss(DIGITS, model(DIGITS)))
    heads = [encoder.get_layer(name).kernel.value for name in ("mean", "log_variance")]
    for gradient in tape.gradient(loss, heads):
        assert np.abs(gradient).max() > 0


def test_saving_and_loading_keeps_the_outputs(trained, tmp_path):
    encoder, decoder, model, _ = trained
    z = RNG.normal(size=(5, 2)).astype("float32")
    for network, inputs in ((encoder, DIGITS), (decoder, z)):
        path = tmp_path / f"{network.name}.keras"
        network.save(path)
        again = keras.models.load_model(path)
        before, after = (n.predict(inputs, verbose=0) for n in (network, again))
        np.testing.assert_array_equal(before, after)
    model.save(tmp_path / "whole.keras")
    whole = keras.models.load_model(tmp_path / "whole.keras", compile=False)
    before, after = (m.get_weights() for m in (model, whole))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    for network in (model, whole):  # equal noise, so the outputs must be equal
        (noise,) = (n for n in network.layers if isinstance(n, vae.sampler()))
        assert (noise.beta, noise.seed) == (1.0, 0)
        noise.generator.state.assign([5, 0])
    before, after = (n.predict(DIGITS, verbose=0) for n in (model, whole))
    np.testing.assert_array_equal(before, after)


def test_the_grid_finds_log_p_of_a_decoder_that_ignores_z():
    decoder = vae.build_decoder(2, (4,), pixels=6)
    decoder.layers[-1].set_weights([np.zeros((4, 6)), np.arange(-3.0, 3.0)])
    x = RNG.uniform(size=(3, 6)).astype("float32")
    evidence, posterior = vae.grid_posterior(decoder, x)
    logits = np.tile(np.arange(-3.0, 3), (3, 1))
    np.testing.assert_allclose(evidence, vae.log_bernoulli(x, logits), atol=1e-4)
    assert posterior.shape == (3, 201, 201)
    np.testing.assert_allclose(posterior.sum(axis=(1, 2)), 1)
    side = np.linspace(-5, 5, 201)  # the posterior is the prior
    np.testing.assert_allclose(posterior[0].sum(axis=0) @ side**2, 1, atol=1e-3)


def test_the_elbo_is_below_the_grids_log_p(trained):
    encoder, decoder, *_ = trained
    evidence, _ = vae.grid_posterior(decoder, DIGITS)
    fit, kl = vae.elbo_terms(encoder, decoder, DIGITS, samples=20)
    assert np.mean(fit - kl) <= evidence.mean()


# ---------------------------------------------------------------- wrong arguments


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: vae.gaussian_kl(np.zeros(2), np.zeros(3)), "log_variance"),
        (lambda: vae.gaussian_kl(0.0, 0.0), "mean"),
        (lambda: vae.monte_carlo_kl(np.zeros(2), np.zeros(2), 1, RNG), "samples"),
        (lambda: vae.log_bernoulli(np.zeros(3), np.zeros(4)), "logits"),
        (lambda: vae.log_bernoulli(np.zeros((5, 3)), np.zeros((1, 3))), "logits"),
        (lambda: vae.log_bernoulli([255.0], [0.0]), "x"),
        (lambda: vae.log_bernoulli([np.nan], [0.0]), "x"),
        (lambda: vae.fit_pca(np.zeros((4, 3)), 4), "dimensions"),
        (lambda: vae.fit_pca(np.zeros((4, 3)), 0), "dimensions"),
        (lambda: vae.fit_pca(np.zeros(3), 1), "dimensions"),
        (lambda: vae.unevenness(np.zeros(4)), "codes"),
        (lambda: vae.unevenness(np.zeros((4, 3))), "codes"),
        (lambda: vae.build_vae(None, None, beta=-1), "beta"),
        (lambda: vae.elbo_terms(None, None, DIGITS, samples=0), "samples"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
