"""Chapter 07b's definitions against SciPy, scikit-learn, closed forms and brute force."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, ndimage, stats
from sklearn.metrics import roc_auc_score

from dl_course import latent, vae
from tools.chapters import definitions

EXACT = settings(max_examples=50, derandomize=True, deadline=None, database=None)
SEEDS = st.integers(0, 2**32 - 1)
RNG = np.random.default_rng(11)
DIGITS = (RNG.uniform(size=(40, 784)) < 0.2).astype("float32")
chapter = definitions("07b")


@pytest.fixture(scope="module")
def halves():
    """Encoder and decoder with two latent variables, trained for a moment."""
    keras.utils.set_random_seed(1)
    pair = vae.build_encoder(2, (16,)), vae.build_decoder(2, (16,))
    vae.train(vae.build_vae(*pair), np.repeat(DIGITS, 10, axis=0), epochs=4)
    return pair


# ---------------------------------------------------------------- binarization


def test_binarized_pixels_are_ink_as_often_as_they_are_gray():
    gray = RNG.uniform(size=(20_000, 2, 3)) * np.array([0.0, 0.5, 1.0])
    binary = chapter.binarize(gray, RNG)
    assert binary.shape == (20_000, 6) and set(np.unique(binary)) == {0, 1}
    np.testing.assert_allclose(binary.mean(0), gray.reshape(-1, 6).mean(0), atol=0.02)
    black = chapter.binarize(np.ones((3, 2, 2)), RNG)
    assert black.min() == 1


# ---------------------------------------------------------------- what a code carries


@given(SEEDS, st.integers(1, 6), st.integers(1, 4))
@EXACT
def test_log_q_is_scipys_normal_density(number, images, d):
    rng = np.random.default_rng(number)
    mean, log_variance = rng.normal(size=(2, images, d)) * 2
    z = rng.normal(size=(3, d)) * 2
    right = [
        [stats.norm.logpdf(code, m, np.exp(v / 2)).sum() for m, v in zip(*q, strict=True)]
        for code in z
        for q in [(mean, log_variance)]
    ]
    got = chapter.log_q(z, mean, log_variance)
    np.testing.assert_allclose(got, right, rtol=1e-7, atol=1e-7)


def test_carried_and_wasted_add_up_to_the_kl_divergence():
    mean, log_variance = RNG.normal(size=(2, 3000, 2))
    carried, wasted = chapter.carried_and_wasted(mean, log_variance)
    charged = np.mean(vae.gaussian_kl(mean, log_variance))
    assert carried + wasted == pytest.approx(charged, abs=0.1)
    assert carried > 0 and wasted > 0


def test_codes_without_information_carry_nothing_and_far_ones_log_n():
    same = np.full((500, 2), 3.0)
    carried, wasted = chapter.carried_and_wasted(same, np.zeros((500, 2)))
    assert carried == pytest.approx(0, abs=1e-9)
    assert wasted == pytest.approx(9, abs=0.4)  # KL of N(3, I) from N(0, I)
    far = np.arange(500.0)[:, None] * 100
    carried, _ = chapter.carried_and_wasted(far, np.zeros((500, 1)))
    assert carried == pytest.approx(np.log(500))


def test_the_mutual_information_of_a_gaussian_channel():
    # z = m + noise with m ~ N(0, 3): ½ log(1 + 3) nats
    mean = RNG.normal(size=(4000, 1)) * np.sqrt(3)
    carried, _ = chapter.carried_and_wasted(mean, np.zeros((4000, 1)))
    assert carried == pytest.approx(0.5 * np.log(4), abs=0.03)


# ---------------------------------------------------------------- bounds


@given(SEEDS, st.integers(1, 9))
@EXACT
def test_log_mean_is_the_log_of_the_mean(number, k):
    log_w = np.random.default_rng(number).normal(size=(3, k)) * 2
    right = np.log(np.exp(log_w).mean(axis=1))
    np.testing.assert_allclose(chapter.log_mean(log_w), right, atol=1e-9)
    shifted = chapter.log_mean(log_w - 1e5)
    np.testing.assert_allclose(shifted, right - 1e5)


def test_the_truth_lies_between_the_two_bounds(halves):
    """With two latent variables a grid knows log p(x)."""
    z = RNG.normal(size=(300, 2))
    x = (RNG.random((300, 784)) < 1 / (1 + np.exp(-halves[1].predict(z, verbose=0)))) * 1.0
    side = np.linspace(-6, 6, 121)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = halves[1].predict(grid, verbose=0, batch_size=2000)
    joint = x @ logits.T - np.logaddexp(0, logits).sum(axis=1)
    joint += stats.norm.logpdf(grid).sum(axis=1) + 2 * np.log(side[1] - side[0])
    truth = np.logaddexp.reduce(joint, axis=1).mean()
    own = chapter.log_weight_of(z, *halves, x.astype("float32"))
    others = vae.log_weights(*halves, x.astype("float32"), 32)
    lower, upper = zip(*[chapter.two_bounds(own, others, k) for k in (1, 32)], strict=True)
    assert lower[0] < lower[1] <= truth + 0.1
    assert upper[0] > upper[1] >= truth - 0.1


# ---------------------------------------------------------------- rate and distortion


def test_copied_networks_have_weights_of_their_own(halves):
    copies = chapter.copied(halves)
    x = DIGITS[:3]
    before = halves[0].predict(x, verbose=0)[0]
    np.testing.assert_array_equal(copies[0].predict(x, verbose=0)[0], before)
    chapter.rate_and_distortion(copies, 1.0, DIGITS, x)
    np.testing.assert_array_equal(halves[0].predict(x, verbose=0)[0], before)
    assert np.abs(copies[0].predict(x, verbose=0)[0] - before).max() > 1e-4


# ---------------------------------------------------------------- probe, AUC, costs


def test_the_probe_chooses_its_penalty_on_validation_data_only():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 5))
    y = (x[:, 0] + 0.1 * rng.normal(size=300) > 0).astype(int)
    parts = [(x[a : a + 100], y[a : a + 100]) for a in (0, 100, 200)]
    score = chapter.probe(*parts)
    assert score > 0.9
    turned = parts[2][0], 1 - parts[2][1]  # no penalty is chosen to please the test
    assert chapter.probe(parts[0], parts[1], turned) == pytest.approx(1 - score)


@given(SEEDS)
@EXACT
def test_auc_is_scikit_learns(number):
    rng = np.random.default_rng(number)
    normal, strange = rng.integers(0, 6, 20), rng.integers(1, 8, 15)
    right = roc_auc_score(np.repeat([0, 1], [20, 15]), np.r_[normal, strange])
    assert latent.auc(normal, strange) == pytest.approx(right)
    assert latent.auc(strange, normal) == pytest.approx(1 - right)


@pytest.mark.parametrize(
    ("normal", "strange", "name"),
    [([], [1.0], "normal"), ([1.0], [np.nan], "strange"), ([1.0], [[1.0]], "strange")],
)
def test_wrong_scores_are_named(normal, strange, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        latent.auc(normal, strange)


def test_the_fixed_cost_is_scipys_bernoulli():
    p = RNG.uniform(0.01, 0.99, 784)
    right = -stats.bernoulli.logpmf(DIGITS.astype(int), p).sum(axis=1)
    np.testing.assert_allclose(chapter.fixed_cost(DIGITS, p), right, rtol=1e-5)
    assert np.isfinite(chapter.fixed_cost(DIGITS, np.zeros(784))).all()


def test_the_area_under_the_gray_bernoulli_is_that_of_an_integral():
    for p in (0.001, 0.2, 0.49999, 0.5, 0.500001, 0.7, 0.999):
        right, _ = integrate.quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)
        assert chapter.area(p) == pytest.approx(right, rel=1e-7)


# ---------------------------------------------------------------- networks


def test_convolutional_halves_fit_the_digits_and_train(tmp_path):
    keras.utils.set_random_seed(2)
    pair = chapter.build_convolutional_halves(4, 0.2)
    images = DIGITS.reshape(-1, 28, 28, 1)
    assert pair[1].output_shape == (None, 28, 28, 1)
    fresh = 1 / (1 + np.exp(-pair[1].predict(np.zeros((1, 4)), verbose=0)))
    np.testing.assert_allclose(fresh, 0.2, atol=1e-5)  # it begins with the mean of ink

    def cost(halves):
        fit, kl = vae.elbo_terms(*halves, images)
        return np.mean(kl - fit)

    before = cost(pair)
    vae.train(vae.build_vae(*pair), images, epochs=4, learning_rate=0.002)
    assert cost(pair) < before
    for name, half in zip("ed", pair, strict=True):
        half.save(tmp_path / f"{name}.keras")
    again = [keras.models.load_model(tmp_path / f"{name}.keras") for name in "ed"]
    assert cost(again) == cost(pair)


def test_multiplications_are_those_of_loops():
    dense = chapter.build_halves(20, np.full(784, 0.1))
    weights = sum(w.size for half in dense for w in half.get_weights() if w.ndim == 2)
    assert sum(map(chapter.multiplications, dense)) == weights
    encoder, decoder = chapter.build_convolutional_halves(5, 0.1)
    windows = 14 * 14 * (4 * 4 * 1 * 16), 7 * 7 * (4 * 4 * 16 * 32)
    assert chapter.multiplications(encoder) == sum(windows) + 2 * 7 * 7 * 32 * 5
    assert chapter.multiplications(decoder) == sum(windows) + 5 * 7 * 7 * 32


def test_wider_strokes_are_a_largest_value_over_neighbors():
    x = (RNG.random((3, 28, 28)) < 0.1) * 1.0
    x[:, -1], x[:, :, -1] = 0, 0  # nothing runs over the edge
    right = ndimage.maximum_filter(x, size=(1, 2, 2), origin=(0, 0, 0), mode="constant")
    np.testing.assert_array_equal(chapter.wider(x.reshape(3, 784)), right.reshape(3, 784))


def test_dense_halves_begin_with_the_mean_image():
    encoder, decoder = chapter.build_halves(20, np.linspace(0.1, 0.9, 784))
    assert encoder.output_shape == [(None, 20), (None, 20)]
    fresh = 1 / (1 + np.exp(-decoder.predict(np.zeros((1, 20)), verbose=0)[0]))
    np.testing.assert_allclose(fresh, np.linspace(0.1, 0.9, 784), atol=1e-5)


@pytest.mark.parametrize("width", [3, 4])
def test_spread_ones_counts_overlapping_kernels(width):
    count = np.zeros(20)
    for i in range(6):  # "same" takes off (width - 2) // 2 at the left
        count[4 + 2 * i - (width - 2) // 2 : 4 + 2 * i - (width - 2) // 2 + width] += 1
    inside = count[4:16][3:-3]
    np.testing.assert_allclose(chapter.spread_ones(width), np.outer(inside, inside))
