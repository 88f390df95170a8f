"""Chapter 08's module against Keras, TensorFlow, integrals and finite differences."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from dl_course import gan, lesson

MANY = settings(max_examples=100, derandomize=True, deadline=None, database=None)
LOGITS = hnp.arrays(float, st.integers(1, 20), elements=st.floats(-40, 40))


def weights(model):
    return [v.numpy() for v in model.variables]


def same(before, after):
    return [a.tobytes() == b.tobytes() for a, b in zip(before, after, strict=True)]


# ---------------------------------------------------------------- losses, closed forms


@given(LOGITS, LOGITS)
@MANY
def test_losses_are_kerass_cross_entropy(real, fake):
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones_like(fake), np.zeros_like(fake)
    theirs = float(entropy(np.ones_like(real), real)) + float(entropy(zeros, fake))
    assert gan.discriminator_loss(real, fake) == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    theirs = float(entropy(ones, fake))
    assert gan.generator_loss(fake[:, None]) == pytest.approx(theirs, rel=1e-5, abs=1e-6)
    theirs = -float(entropy(zeros, fake))
    ours = gan.generator_loss(fake, saturating=True)
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("saturating", [False, True])
@given(logits=LOGITS)
@MANY
def test_generator_slope_is_the_derivative(logits, saturating):
    step = 1e-5
    up, down = (
        [gan.generator_loss([x + h], saturating=saturating) for x in logits]
        for h in (step, -step)
    )
    slopes = (np.array(up) - down) / (2 * step)
    ours = gan.generator_slope(logits, saturating=saturating)
    np.testing.assert_allclose(ours, slopes, rtol=1e-6, atol=1e-7)


def test_losses_of_a_clueless_discriminator():
    assert gan.discriminator_loss([0.0, 0], [0.0]) == pytest.approx(2 * np.log(2))
    assert gan.generator_slope([0.0]) == gan.generator_slope([0.0], saturating=True) == -0.5


def test_losses_of_extreme_logits_are_finite():
    assert gan.discriminator_loss([-1e4], [1e4]) == pytest.approx(2e4)
    assert gan.generator_loss([-1e4]) == pytest.approx(1e4)


def test_best_verdict_has_the_lowest_loss_of_all_verdicts():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(12))

    def loss(d):
        return -np.sum(p * np.log(d) + q * np.log(1 - d))

    best = gan.best_verdict(p, q)
    for _ in range(200):
        other = np.clip(best + rng.normal(0, 0.1, 12), 1e-6, 1 - 1e-6)
        assert loss(other) >= loss(best)


def test_best_verdict_gives_the_jensen_shannon_divergence():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(9))
    d, m = gan.best_verdict(p, q), (p + q) / 2
    value = np.sum(p * np.log(d) + q * np.log(1 - d))
    divergence = np.sum(p * np.log(p / m) + q * np.log(q / m)) / 2
    assert value == pytest.approx(2 * divergence - np.log(4))


def test_best_verdict_where_nothing_is():
    np.testing.assert_array_equal(gan.best_verdict([0, 1, 0], [0, 0, 2]), [0.5, 1, 0])


def test_dirac_path_is_gradient_descent_by_tape():
    for gamma in (0.0, 0.7):
        theta, psi = tf.Variable(1.2, dtype=tf.float64), tf.Variable(-0.4, dtype=tf.float64)
        expected = [(1.2, -0.4)]
        for _ in range(20):
            with tf.GradientTape(persistent=True) as tape:
                d_loss = tf.nn.softplus(psi * theta) + gamma / 2 * psi**2
                g_loss = -tf.nn.softplus(psi * theta)
            d_slope, g_slope = tape.gradient(d_loss, psi), tape.gradient(g_loss, theta)
            psi.assign_sub(0.1 * d_slope)
            theta.assign_sub(0.1 * g_slope)
            expected.append((float(theta), float(psi)))
        path = gan.dirac_path(20, gamma=gamma, start=(1.2, -0.4))
        np.testing.assert_allclose(path, expected, rtol=1e-10)


def test_dirac_game_leaves_circles_or_arrives():
    away = np.linalg.norm(gan.dirac_path(500), axis=1)
    assert (np.diff(away) > 0).all()
    orbit = np.linalg.norm(gan.dirac_path(2000, alternating=True), axis=1)
    assert orbit.min() > 0.8 * orbit[0] and orbit.max() < 1.3 * orbit[0]
    assert np.linalg.norm(gan.dirac_path(500, gamma=0.5)[-1]) < 1e-3


# ---------------------------------------------------------------- modes


def test_modes_of_known_points():
    centers = gan.ring_centers()
    covered, entropy, near = gan.modes(np.repeat(centers, 10, axis=0), centers, 0.1)
    assert (covered, near) == (8, 1) and entropy == pytest.approx(np.log(8))
    assert gan.modes(centers[:1].repeat(80, axis=0), centers, 0.1) == (1, 0, 1)
    assert gan.modes(centers + 1, centers, 0.1) == (0, 0, 0)
    half = np.concatenate([centers[:4], 9 + centers[:4]])
    assert gan.modes(half, centers, 0.1)[2] == 0.5


def test_a_stray_point_covers_nothing():
    centers = gan.ring_centers()
    points = np.concatenate([centers[:1].repeat(799, axis=0), centers[1:2]])
    assert gan.modes(points, centers, 0.1)[0] == 1


@given(st.lists(st.integers(0, 50), min_size=2, max_size=10))
@MANY
def test_entropy_is_kerass_cross_entropy_with_itself(counts):
    entropy = gan.entropy(counts)
    assert -1e-9 <= entropy <= np.log(len(counts)) + 1e-9
    if sum(counts):
        p = np.array(counts) / sum(counts)
        theirs = float(keras.losses.CategoricalCrossentropy()(p[None], p[None]))
        assert entropy == pytest.approx(theirs, abs=1e-4)
    else:
        assert entropy == 0


def test_samples_have_the_density_they_claim():
    rng = np.random.default_rng(2)
    x = gan.two_hills(200_000, rng)[:, 0]
    shares, edges = np.histogram(x, 60, range=(-6, 6))
    middles = (edges[1:] + edges[:-1]) / 2
    expected = gan.two_hills_density(middles) * 0.2
    assert abs(expected.sum() - 1) < 1e-3
    assert np.abs(shares / len(x) - expected).max() < 3e-3
    points = gan.ring(80_000, rng)
    assert points.shape == (80_000, 2) and points.dtype == np.float32
    covered, entropy, near = gan.modes(points, gan.ring_centers(), 0.3)
    assert covered == 8 and entropy > np.log(8) - 1e-3 and 0.98 < near < 0.995


# ---------------------------------------------------------------- the two steps


@pytest.mark.parametrize("settings", [{}, {"gamma": 0.5}, {"saturating": True}])
def test_no_step_changes_a_bit_of_the_other_player(settings):
    lesson.seed(3)
    generator, discriminator = gan.build_document_players(widths=(8,), channels=(4, 4))
    d_step, g_step = gan.make_steps(generator, discriminator, **settings)
    rng = np.random.default_rng(3)
    real = rng.uniform(-1, 1, (6, 28, 28, 1)).astype("float32")
    z = rng.normal(size=(6, 100)).astype("float32")
    for _ in range(2):
        g, d = weights(generator), weights(discriminator)
        d_step(real, z)
        assert all(same(g, weights(generator)))
        assert not any(same(d, weights(discriminator))[: len(discriminator.weights)])
        d = weights(discriminator)
        g_step(z)
        assert all(same(d, weights(discriminator)))
        assert not any(same(g, weights(generator)))


def test_steps_are_gradient_descent_on_the_losses():
    lesson.seed(4)
    generator, discriminator = gan.build_players(2, 1, hidden=4)
    rng = np.random.default_rng(4)
    real, z = (rng.normal(size=(16, n)).astype("float32") for n in (1, 2))
    d_step, g_step = gan.make_steps(generator, discriminator)
    real_logits, fake_logits = (np.array(discriminator(x)) for x in (real, generator(z)))
    expected = gan.discriminator_loss(real_logits, fake_logits)
    assert float(d_step(real, z)) == pytest.approx(expected, rel=1e-5)
    expected = gan.generator_loss(np.array(discriminator(generator(z))))
    assert float(g_step(z)) == pytest.approx(expected, rel=1e-5)


def test_penalty_is_the_squared_slope_at_real_points():
    lesson.seed(5)
    generator, discriminator = gan.build_players(1, 2)
    rng = np.random.default_rng(5)
    real, z = (rng.normal(size=(64, n)).astype("float32") for n in (2, 1))
    step = 1e-2
    slopes = [
        np.array(discriminator(real + step * e) - discriminator(real - step * e))
        / (2 * step)
        for e in np.eye(2, dtype="float32")
    ]
    plain = gan.discriminator_loss(
        *(np.array(discriminator(x)) for x in (real, generator(z)))
    )
    d_step, _ = gan.make_steps(generator, discriminator, gamma=3.0)
    penalty = 3 / 2 * np.mean(np.sum(np.square(slopes), axis=0))
    assert float(d_step(real, z)) - plain == pytest.approx(penalty, rel=0.02)


def test_play_takes_all_rounds_and_learns_a_mean():
    rng = np.random.default_rng(lesson.seed(6))
    generator, discriminator = gan.build_players(1, 1, hidden=8)
    real = (3 + 0.1 * rng.normal(size=(64 * 300, 1))).astype("float32")
    rounds = []
    settings = {"batch": 64, "watch": rounds.append, "num_steps": 300}
    losses = gan.play(generator, discriminator, real, rng, **settings)
    assert rounds == list(range(1, 301)) and losses.shape == (300, 2)
    fake = np.array(generator(rng.normal(size=(500, 1)).astype("float32")))
    assert abs(fake.mean() - 3) < 0.7


@pytest.mark.parametrize(("settings", "g_steps"), [({}, 1), ({"g_steps": 2}, 2)])
def test_play_returns_the_losses_of_its_own_steps(settings, g_steps):
    losses = []
    for by_hand in (False, True):
        rng = np.random.default_rng(lesson.seed(7))
        players = gan.build_players(1, 1, hidden=4)
        real = rng.normal(size=(16 * 3, 1)).astype("float32")
        if by_hand:
            d_step, g_step = gan.make_steps(*players)

            def noise(rng=rng):
                return rng.standard_normal((16, 1), dtype="float32")

            losses.append([])
            for i in range(3):
                d_loss = float(d_step(real[16 * i : 16 * (i + 1)], noise()))
                g_losses = [float(g_step(noise())) for _ in range(g_steps)]
                losses[1].append((d_loss, g_losses[-1]))
        else:
            losses.append(gan.play(*players, real, rng, batch=16, **settings))
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_documents_players_fit_together():
    generator, discriminator = gan.build_document_players(widths=(16,), channels=(8, 4))
    assert generator.output_shape == discriminator.input_shape == (None, 28, 28, 1)
    z = np.random.default_rng(7).normal(size=(4, 100)).astype("float32")
    images = np.array(generator(z))
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (4, 1)


# ---------------------------------------------------------------- figures, errors


def test_animation_has_all_frames():
    import matplotlib.pyplot as plt

    def figures():
        for i in range(3):
            figure, axis = plt.subplots(figsize=(2, 1))
            axis.bar([0, 1], [1, i])
            yield figure

    already_open = plt.get_fignums()  # by other tests
    film = Image.open(io.BytesIO(gan.animate(figures())))
    assert film.n_frames == 3 and plt.get_fignums() == already_open


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gan.discriminator_loss([[1, 2]], [1]), "logits"),
        (lambda: gan.generator_loss(1.0), "logits"),
        (lambda: gan.best_verdict([1, 2], [1]), "fake_density"),
        (lambda: gan.best_verdict([1], [-1]), "fake_density"),
        (lambda: gan.best_verdict([-1], [1]), "real_density"),
        (lambda: gan.modes([[0.0, 0]], [[0.0]], 1), "points"),
        (lambda: gan.modes([0.0], [[0.0]], 1), "points"),
        (lambda: gan.modes([[0.0]], [[[0.0]]], 1), "centers"),
        (lambda: gan.modes([[0.0]], [[0.0]], 0), "radius"),
        (lambda: gan.modes(np.zeros((0, 2)), gan.ring_centers(), 1), "points"),
        (lambda: gan.modes([[0.0]], np.zeros((0, 1)), 1), "centers"),
        (lambda: gan.entropy([-1, 2]), "counts"),
        (lambda: gan.entropy(3), "counts"),
        (lambda: gan.play(*gan.build_players(1, 1), np.zeros((9, 1)), None), "real"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=f"^{message}: expected"):
        call()
