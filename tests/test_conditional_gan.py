"""Chapter 08b's module against Keras, closed forms and finite samples."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import conditional_gan as cg
from dl_course import lesson

MANY = settings(max_examples=50, derandomize=True, deadline=None, database=None)


def weights(model):
    return [v.numpy().tobytes() for v in model.variables]


def batch(n=8, number=0):
    rng = np.random.default_rng(number)
    x = rng.random((n, 28, 28, 1)).astype("float32")
    return (
        x,
        cg.one_hot(np.arange(n) % 10),
        rng.normal(size=(n, cg.NOISE)).astype("float32"),
    )


# ---------------------------------------------------------------- the two players


def test_players_fit_together():
    generator, discriminator = cg.build_generator(), cg.build_discriminator()
    _, c, z = batch(3)
    images = generator([z, c]).numpy()
    assert images.shape == (3, 28, 28, 1)
    assert images.min() >= 0 and images.max() <= 1
    assert generator.count_params() == 42 * 1568 + 4 * 1568 + 9 * 32 * 64 + 4 * 64 + 1604
    hidden = 25 * 16 + 16 + 25 * 16 * 32 + 32 + 1568 * 128 + 128
    assert discriminator.count_params() == hidden + 128 + 1 + 10 * 128 + 128 * 10 + 10
    verdicts, classes = discriminator([images, c])
    assert verdicts.shape == (3, 1) and classes.shape == (3, 10)


def test_unfolding_is_tensorflows_depth_to_space():
    x = np.random.default_rng(1).normal(size=(2, 3, 3, 8)).astype("float32")
    inputs = keras.Input((3, 3, 8))
    ours = keras.Model(inputs, cg._unfold(inputs, 3, 2))(x)
    np.testing.assert_array_equal(ours, tf.nn.depth_to_space(x, 2))


def test_the_verdict_is_a_projection():
    lesson.seed(2)
    discriminator = cg.build_discriminator()
    x, _, _ = batch(1)
    values = [
        float(discriminator([x, c[None]])[0][0, 0]) for c in np.eye(10, dtype="float32")
    ]
    without = float(discriminator([x, np.zeros((1, 10), "float32")])[0][0, 0])
    mixed = float(discriminator([x, np.full((1, 10), 0.1, "float32")])[0][0, 0])
    assert len(set(values)) == 10
    assert mixed == pytest.approx(np.mean(values), abs=1e-5)
    half = np.zeros((1, 10), "float32")
    half[0, 3] = 0.5
    expected = (values[3] + without) / 2
    assert float(discriminator([x, half])[0][0, 0]) == pytest.approx(expected, abs=1e-5)


# ---------------------------------------------------------------- training


def test_a_step_returns_the_losses_it_promises():
    lesson.seed(3)
    generator, discriminator = cg.build_generator(), cg.build_discriminator()
    average = keras.models.clone_model(generator)
    average.set_weights(generator.get_weights())
    x, c, z = batch()
    fakes = generator([z, c], training=True).numpy()
    real, real_class = (v.numpy() for v in discriminator([x, c]))
    fake, fake_class = (v.numpy() for v in discriminator([fakes, c]))
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    ones, zeros = np.ones_like(real), np.zeros_like(real)
    d_loss = float(binary(ones, real) + binary(zeros, fake) + entropy(c, real_class))
    g_loss = float(binary(ones, fake) + entropy(c, fake_class))
    step = cg.make_step(generator, discriminator, average, horizon=10)
    got = [float(loss) for loss in step(x, c, z)]
    assert got == pytest.approx([d_loss, g_loss], rel=1e-4)


def test_each_gradient_goes_to_its_own_player():
    """With D's learning switched off bit for bit nothing of D moves, and vice versa."""
    lesson.seed(4)
    generator, discriminator = cg.build_generator(), cg.build_discriminator()
    average = keras.models.clone_model(generator)
    average.set_weights(generator.get_weights())
    x, c, z = batch()
    for frozen, moving in ((generator, discriminator), (discriminator, generator)):
        frozen.trainable = False
        before = weights(frozen), weights(moving)
        step = cg.make_step(generator, discriminator, average, horizon=10)
        step(x, c, z)
        assert weights(frozen) == before[0]
        count = len(moving.trainable_variables)
        assert sum(a != b for a, b in zip(before[1], weights(moving), strict=True)) >= count
        frozen.trainable = True


def test_the_average_trails_behind():
    lesson.seed(5)
    generator, discriminator = cg.build_generator(), cg.build_discriminator()
    average = keras.models.clone_model(generator)
    average.set_weights(generator.get_weights())
    start = generator.get_weights()
    x, c, z = batch()
    cg.make_step(generator, discriminator, average, horizon=10, decay=0.9)(x, c, z)
    for old, new, got in zip(
        start, generator.get_weights(), average.get_weights(), strict=True
    ):
        np.testing.assert_allclose(got, 0.9 * old + 0.1 * new, atol=1e-6)


def test_training_is_reproducible_and_watched():
    x, _, _ = batch(40, 6)
    y, drawn, rounds = np.arange(40) % 10, [], []
    for _ in range(2):
        rng = np.random.default_rng(lesson.seed(6))
        players = cg.build_generator(), cg.build_discriminator()
        average = cg.train(
            *players, x, y, rng, num_steps=3, batch=8, watch=lambda i, a: rounds.append(i)
        )
        drawn.append(cg.draw(average, [1, 2, 3], np.random.default_rng(7)))
    assert rounds == [1, 2, 3, 1, 2, 3]
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-6)


def test_saved_and_loaded_generator_draws_the_same(tmp_path):
    lesson.seed(7)
    generator = cg.build_generator()
    generator.save(tmp_path / "g.keras")
    again = keras.models.load_model(tmp_path / "g.keras")
    pair = [cg.draw(g, [0, 9], np.random.default_rng(1)) for g in (generator, again)]
    np.testing.assert_array_equal(*pair)


# ---------------------------------------------------------------- judging


def test_with_features_shares_the_judges_answer():
    stack = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(5)]
    judge = keras.Sequential([*stack, keras.layers.Dense(10, "softmax")])
    x, _, _ = batch(4)
    features, probabilities = cg.with_features(judge)(x)
    assert features.shape == (4, 5)
    np.testing.assert_allclose(probabilities, judge(x), atol=1e-6)


def test_recognized_by_class():
    shares = cg.recognized([1, 1, 2, 0], [1, 2, 2, 0])
    np.testing.assert_array_equal(shares[:3], [1, 1, 0.5])
    assert np.isnan(shares[3:]).all()


@given(st.integers(1, 6), st.integers(0, 10_000))
@MANY
def test_frechet_distance_is_symmetric_and_zero_on_itself(d, number):
    rng = np.random.default_rng(number)
    a, b = rng.normal(size=(30, d)), 1 + rng.normal(size=(40, d)) @ rng.normal(size=(d, d))
    assert cg.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    there, back = cg.frechet_distance(a, b), cg.frechet_distance(b, a)
    assert there == pytest.approx(back, rel=1e-6) and there > 0
    turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
    assert cg.frechet_distance(a @ turn, b @ turn) == pytest.approx(there, rel=1e-6)


def test_frechet_distance_of_commuting_covariances():
    rng = np.random.default_rng(8)
    axes, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    spreads = rng.uniform(0.5, 2, (2, 4))
    points = rng.normal(size=(500, 4))
    points -= points.mean(axis=0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T  # covariance is 1
    a, b = (points * s @ axes for s in spreads)
    shift = np.array([1.0, 0, 0, -2])
    expected = 5 + np.sum((spreads[0] - spreads[1]) ** 2)
    assert cg.frechet_distance(a, b + shift) == pytest.approx(expected)


def test_frechet_distance_is_the_trace_formula():
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=(50, 3)), rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
    one, two = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eig(one @ two)  # its root, directly
    root = vectors @ np.diag(np.sqrt(values)) @ np.linalg.inv(vectors)
    np.testing.assert_allclose(root @ root, one @ two, atol=1e-8)
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(one + two - 2 * root)
    assert cg.frechet_distance(a, b) == pytest.approx(expected)


def test_nearest_is_the_brute_force_answer():
    rng = np.random.default_rng(10)
    images, library = rng.random((5, 4, 4, 1)), rng.random((30, 4, 4, 1))
    distances = np.linalg.norm((images[:, None] - library).reshape(5, 30, -1), axis=2)
    index, far = cg.nearest(images, library)
    np.testing.assert_array_equal(index, distances.argmin(axis=1))
    np.testing.assert_allclose(far, distances.min(axis=1), atol=1e-4)
    assert cg.nearest(library[7:8], library)[0] == 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cg.one_hot([10]), "labels"),
        (lambda: cg.one_hot([-1]), "labels"),
        (lambda: cg.one_hot([0.5]), "labels"),
        (lambda: cg.one_hot(3), "labels"),
        (lambda: cg.one_hot([[3]]), "labels"),
        (lambda: cg.recognized([1], [1, 2]), "predicted"),
        (lambda: cg.frechet_distance(np.zeros((5, 2)), np.zeros((5, 3))), "b"),
        (lambda: cg.frechet_distance(np.zeros((5, 2)), np.zeros((1, 2))), "a, b"),
        (lambda: cg.frechet_distance(np.zeros(5), np.zeros((5, 1))), "a"),
        (lambda: cg.frechet_distance(np.zeros((5, 1)), np.zeros(5)), "b"),
        (lambda: cg.checked(np.zeros((2, 28, 28)), [1, 2]), "x"),
        (lambda: cg.checked(np.full((2, 28, 28, 1), 255.0), [1, 2]), "x"),
        (lambda: cg.checked(np.full((2, 28, 28, 1), -1.0), [1, 2]), "x"),
        (lambda: cg.checked(np.zeros((2, 28, 28, 1), int), [1, 2]), "x"),
        (lambda: cg.checked(np.zeros((2, 28, 28, 1)), [1]), "y"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=f"^{message}: expected"):
        call()
