"""Chapter 08's definitions against Keras, tapes, integrals, SVD and finite differences."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tools.chapters import definitions

gan = definitions("08")


def weights(model):
    return [v.numpy().copy() for v in model.variables]


def same(before, after):
    return [a.tobytes() == b.tobytes() for a, b in zip(before, after, strict=True)]


def adams(*rates):
    return [keras.optimizers.Adam(rate) for rate in rates]


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("saturating", [False, True])
def test_generator_slope_is_the_derivative_of_kerass_cross_entropy(saturating):
    logits = tf.constant(np.linspace(-30, 30, 41))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        target = tf.zeros_like(logits) if saturating else tf.ones_like(logits)
        loss = tf.nn.sigmoid_cross_entropy_with_logits(target, logits)
    expected = (-1 if saturating else 1) * tape.gradient(loss, logits).numpy()
    ours = gan.generator_slope(logits.numpy(), saturating=saturating)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    assert gan.generator_slope(np.zeros(1), saturating=saturating) == -0.5


def test_best_verdict_has_the_lowest_loss_of_all_verdicts():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(12))

    def loss(d):
        return -np.sum(p * np.log(d) + q * np.log(1 - d))

    best = gan.best_verdict(p, q)
    for _ in range(200):
        other = np.clip(best + rng.normal(0, 0.1, 12), 1e-6, 1 - 1e-6)
        assert loss(other) >= loss(best)


def test_best_verdict_gives_the_jensen_shannon_divergence_of_the_balls():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
    d, m = gan.best_verdict(p, q), (p + q) / 2
    np.testing.assert_allclose(d, [5 / 6, 1 / 2, 1 / 4])
    value = np.sum(p * np.log(d) + q * np.log(1 - d))
    divergence = np.sum(p * np.log(p / m) + q * np.log(q / m)) / 2
    assert value == pytest.approx(2 * divergence - np.log(4))
    assert divergence == pytest.approx(0.125, abs=0.0005)  # as the text says


def test_a_shift_of_zero_stays_and_a_small_one_shrinks():
    z = np.random.default_rng(3).normal(size=2000)
    path = gan.shift_path(z, False, gan.plain, 0.1)
    assert path[0] == 8 and len(path) == 401 and (np.diff(np.abs(path)) <= 1e-12).all()


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_dirac_path_is_gradient_descent_by_tape(gamma):
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
    path = gan.dirac_path(20, rate=0.1, gamma=gamma, start=(1.2, -0.4))
    np.testing.assert_allclose(path, expected, rtol=1e-10)


@pytest.mark.parametrize(("gamma", "shrinks"), [(0.04, False), (0.06, True)])
def test_a_penalty_above_a_quarter_of_the_rate_turns_the_circle_inward(gamma, shrinks):
    path = gan.dirac_path(2000, rate=0.2, gamma=gamma, start=(0.01, 0.01))
    away = np.linalg.norm(path, axis=1)
    assert (away[-1] < away[0]) == shrinks


# ---------------------------------------------------------------- data and measures


def test_samples_have_the_density_they_claim():
    rng = np.random.default_rng(2)
    x = gan.two_hills((400, 500), rng)
    assert x.shape == (400, 500, 1) and x.dtype == np.float32
    shares, edges = np.histogram(x, 60, range=(-6, 6))
    middles = (edges[1:] + edges[:-1]) / 2
    expected = gan.two_hills_density(middles) * 0.2
    assert abs(expected.sum() - 1) < 1e-3
    assert np.abs(shares / x.size - expected).max() < 3e-3
    points = gan.ring((2, 40_000), rng)
    assert points.shape == (2, 40_000, 2) and points.dtype == np.float32
    assert gan.effective_modes(points[0]) > 7.9


def test_effective_modes_of_known_points():
    centers = gan.CENTERS
    np.testing.assert_allclose(np.linalg.norm(centers, axis=1), 2)
    for k in (1, 2, 8):
        points = centers[:k].repeat(80, axis=0)
        assert gan.effective_modes(points) == pytest.approx(k)
    assert gan.effective_modes(centers + 1) == 0  # near none
    mixed = np.concatenate([centers[:2], 9 + centers])  # those far away do not count
    assert gan.effective_modes(mixed) == pytest.approx(2)
    uneven = np.concatenate([centers[:1].repeat(3, axis=0), centers[1:2]])
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert gan.effective_modes(uneven) == pytest.approx(np.exp(entropy))


def test_wasserstein_distance_is_scipys():
    from scipy.stats import wasserstein_distance

    rng = np.random.default_rng(3)
    points, truth = rng.normal(size=(3, 50, 1)), rng.normal(1, 2, size=(50, 1))
    theirs = [wasserstein_distance(p[:, 0], truth[:, 0]) for p in points]
    np.testing.assert_allclose(gan.wasserstein(points, truth), theirs)


def test_neighbors_of_lines_and_of_noise():
    rng = np.random.default_rng(4)
    rows = np.broadcast_to(rng.normal(size=(300, 28, 1, 1)), (300, 28, 28, 1))
    assert gan.neighbors(rows) == pytest.approx(1, abs=1e-4)
    assert abs(gan.neighbors(rng.normal(size=(300, 28, 28, 1)))) < 0.02


# ---------------------------------------------------------------- layers, players


def test_each_game_has_a_dense_layer_of_its_own():
    keras.utils.set_random_seed(5)
    x = np.random.default_rng(5).normal(size=(3, 7, 4)).astype("float32")
    layer = gan.ManyDense(5, 3)
    out = np.array(layer(x))
    for i in range(3):
        dense = keras.layers.Dense(5)
        dense.build((None, 4))
        dense.set_weights([layer.kernel.numpy()[i], layer.bias.numpy()[i, 0]])
        np.testing.assert_allclose(out[i], np.array(dense(x[i])), rtol=1e-5, atol=1e-5)
    kernels = layer.kernel.numpy()
    assert np.abs(kernels).max() <= (6 / 9) ** 0.5 and not np.allclose(*kernels[:2])


def test_spectral_normalization_divides_by_the_largest_singular_value():
    keras.utils.set_random_seed(6)
    layer = gan.ManyDense(5, 3, spectral=True)
    x = np.broadcast_to(np.eye(4, dtype="float32"), (3, 4, 4))
    for _ in range(200):
        normalized = np.array(layer(x, training=True))  # the kernels themselves
    W = layer.kernel.numpy()
    largest = np.linalg.svd(W, compute_uv=False)[:, 0]
    np.testing.assert_allclose(normalized, W / largest[:, None, None], atol=1e-4)
    v = layer.v.numpy()
    np.testing.assert_array_equal(np.array(layer(x)), np.array(layer(x)))
    np.testing.assert_array_equal(layer.v.numpy(), v)  # it moves in training only


def test_documents_players_fit_together():
    generator, discriminator = gan.build_document_players(widths=(16,), channels=(8, 4))
    assert generator.output_shape == discriminator.input_shape == (None, 28, 28, 1)
    z = np.random.default_rng(7).normal(size=(4, 100)).astype("float32")
    images = np.array(generator(z))
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (4, 1)
    names = [type(layer).__name__ for layer in generator.layers]
    assert "ReLU" not in names and names[:3] == ["Dense", "BatchNormalization", "LeakyReLU"]


# ---------------------------------------------------------------- the two steps


@pytest.mark.parametrize("settings", [{}, {"gamma": 0.5}])
def test_no_step_changes_a_bit_of_the_other_player(settings):
    keras.utils.set_random_seed(3)
    G, D = gan.build_document_players(widths=(8,), channels=(4, 4))
    game = gan.GAN(G, D, **settings)
    game.compile(*adams(0.001, 0.001))
    real = tf.random.uniform((6, 28, 28, 1), -1, 1)
    for _ in range(2):
        g, d = weights(G), weights(D)
        game.d_step(real)
        assert all(same(g, weights(G)))
        assert not any(same(d, weights(D))[: len(D.weights)])
        d = weights(D)
        game.g_step(real)
        assert all(same(d, weights(D)))
        assert not any(same(g, weights(G)))


def players_and_losses(gamma):
    """A game of points, real ones, and the losses by Keras's cross-entropy alone."""
    keras.utils.set_random_seed(4)
    G, D = gan.build_players(2, 2, 3, hidden=4)
    game = gan.GAN(G, D, gamma=gamma, seed=11)
    game.compile(*adams(0.0, 0.0))  # nothing moves: the losses are those of this D, G
    rng = np.random.default_rng(4)
    real = tf.constant(rng.normal(size=(3, 64, 2)), tf.float32)
    random = keras.random.SeedGenerator(11)
    first, second = (keras.random.normal((3, 64, 2), seed=random) for _ in range(2))
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones((3, 64, 1)), np.zeros((3, 64, 1))
    d_loss = float(bce(ones, D(real))) + float(bce(zeros, D(G(first))))
    return game, real, d_loss, float(bce(ones, D(G(second))))


def test_losses_are_kerass_cross_entropy():
    game, real, d_loss, g_loss = players_and_losses(0.0)
    assert float(game.d_step(real)) == pytest.approx(d_loss, rel=1e-5)
    assert float(game.g_step(real)) == pytest.approx(g_loss, rel=1e-5)


def test_penalty_is_half_gamma_times_the_mean_squared_slope_at_real_points():
    game, real, plain, _ = players_and_losses(300.0)
    step, D = 1e-2, game.discriminator
    slopes = [
        np.array(D(real + step * e) - D(real - step * e)) / (2 * step)
        for e in np.eye(2, dtype="float32")
    ]
    penalty = 300 / 2 * np.mean(np.sum(np.square(slopes), axis=0))
    assert penalty > 10 * plain  # not to be lost in the rest of the loss
    assert float(game.d_step(real)) - plain == pytest.approx(penalty, rel=0.02)


def test_the_penalty_flattens_the_discriminator():
    def slope(gamma):
        keras.utils.set_random_seed(8)
        rng = np.random.default_rng(8)
        G, D = gan.build_players(1, 1, 2, hidden=8)
        real = gan.two_hills((2 * 100, 64), rng)
        gan.play(G, D, real, batch_size=2, rates=(0.0, 0.01), gamma=gamma)
        x = np.broadcast_to(gan.GRID[:, None], (2, len(gan.GRID), 1))
        return np.abs(np.diff(np.array(D(x))[..., 0])).mean()

    assert slope(10.0) < 0.3 * slope(0.0)


def test_both_rates_sink_to_zero_and_g_steps_are_taken():
    keras.utils.set_random_seed(9)
    G, D = gan.build_players(1, 1, 2, hidden=4)
    real = gan.two_hills((2 * 10 + 1, 16), np.random.default_rng(9))
    settings = {"batch_size": 2, "rates": (0.01, 0.02), "beta_1": 0.3}
    game = gan.play(G, D, real, g_steps=3, **settings)
    optimizers = game.g_optimizer, game.d_optimizer
    assert [int(o.iterations) for o in optimizers] == [30, 10]
    assert [float(o.learning_rate) for o in optimizers] == [0, 0]
    assert [o.beta_1 for o in optimizers] == [0.3, 0.3]
    game = gan.play(G, D, real, sinking=False, **settings)
    rates = [float(o.learning_rate) for o in (game.g_optimizer, game.d_optimizer)]
    assert rates == pytest.approx([0.01, 0.02])
    assert int(game.g_optimizer.iterations) == 10


def test_a_game_learns_a_mean():
    keras.utils.set_random_seed(6)
    rng = np.random.default_rng(6)
    G, D = gan.build_players(1, 1, 2, hidden=8)
    real = (3 + 0.1 * rng.normal(size=(2 * 300, 64, 1))).astype("float32")
    gan.play(G, D, real, batch_size=2, rates=(0.002, 0.01))
    fake = np.array(G(rng.normal(size=(2, 500, 1)).astype("float32")))
    assert np.abs(fake.mean(axis=1) - 3).max() < 0.7


# ---------------------------------------------------------------- gradients of a pick


SCORES, ANSWERS = np.array([0.3, -1.0, 0.8, 0.1]), np.array([2.0, -1.0, 0.5, 3.0])


def expected_gradient():
    s = tf.Variable(SCORES)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(tf.nn.softmax(s) * ANSWERS)
    return tape.gradient(value, s).numpy()


@pytest.mark.parametrize("baseline", [0.0, 1.5])
def test_the_score_function_is_right_on_average(baseline):
    rng = np.random.default_rng(1)
    each = gan.estimates(SCORES, ANSWERS, 100_000, rng, baseline=baseline)
    error = np.abs(each.mean(axis=0) - expected_gradient())
    assert (error < 5 * each.std(axis=0) / np.sqrt(100_000)).all()


def test_gumbel_softmax_is_the_tapes_gradient_of_its_own_mixture():
    each = gan.estimates(SCORES, ANSWERS, 6, np.random.default_rng(2), 0.7)
    gumbel = np.random.default_rng(2).gumbel(size=(6, 4))
    s = tf.Variable(np.tile(SCORES, (6, 1)))
    with tf.GradientTape() as tape:
        y = tf.nn.softmax((s + gumbel) / 0.7)
        value = tf.reduce_sum(y * ANSWERS)
    np.testing.assert_allclose(each, tape.gradient(value, s).numpy(), atol=1e-10)


def test_bias_and_noise_of_known_estimates():
    exact = np.array([3.0, 4.0])
    each = exact + np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]) + [0.5, 0]
    np.testing.assert_allclose(gan.bias_and_noise(each, exact), [0.1, 0.2])


# ---------------------------------------------------------------- figures


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


def test_the_advised_points_of_the_film_end_near_one_half():
    rounds = list(gan.advised())
    assert [i for i, *_ in rounds][:2] == [0, 10] and rounds[-1][0] == 400
    middle = np.abs(gan.GRID) < 3
    far = [np.abs(verdict[middle] - 0.5).max() for *_, verdict in rounds]
    assert far[0] > 0.35 and far[-1] < 0.1
