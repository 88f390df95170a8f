"""The steps of chapter 04 against keras.optimizers and against closed forms."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from dl_course import cnn, compression, plots, text_rnn, vae
from tools.chapters import definitions

o = definitions("04")

NUM_STEPS = 200
RATES = st.sampled_from([0.001, 0.01, 0.1])
FRACTIONS = st.sampled_from([0.0, 0.3, 0.9, 0.99])
SLOW = st.sampled_from([0.9, 0.99])  # at 0, Adam jumps where a gradient changes its sign


def exact(options):
    """Keras rounds some settings to float32, even for float64 weights: round them all."""
    return {
        name: float(np.float32(value)) if isinstance(value, float) else value
        for name, value in options.items()
    }


def problem(seed):
    """A random non-quadratic problem: its gradient and a start, of shape (4, 3)."""
    rng = np.random.default_rng(seed)
    scales = 10 ** rng.uniform(-1, 1, (4, 3))
    center = rng.normal(size=(4, 3))
    return lambda w: scales * np.tanh(w - center) + 0.1 * (w - center), rng.normal(
        size=(4, 3)
    )


def keras_path(optimizer, gradient, w):
    weights, path = keras.Variable(w, dtype="float64"), [w]
    optimizer.build([weights])

    @tf.function  # ten times as fast as calling `apply` itself
    def apply(g):
        optimizer.apply([g], [weights])
        return weights.value

    for _ in range(NUM_STEPS):
        path.append(apply(tf.constant(gradient(path[-1]))).numpy())
    return np.stack(path)


def assert_equal_to_keras(step, optimizer, seed, clip=None, **options):
    gradient, w = problem(seed)
    defaults = o.adam.__kwdefaults__ if step is o.adamw else {}
    options = exact(defaults | step.__kwdefaults__ | options)
    ours = o.minimize(step, gradient, w, NUM_STEPS, clip=clip, **options)
    if clip is not None:
        options |= {"clipnorm": 1.5}
    theirs = keras_path(optimizer(**options), gradient, w)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


# ---------------------------------------------------------------- equal to Keras

few = settings(max_examples=5, deadline=None, phases=[Phase.generate])
seeds = st.integers(0, 10**6)


@few
@given(seeds, RATES, FRACTIONS, st.booleans())
def test_sgd_momentum_and_nesterov_are_those_of_keras(seed, rate, momentum, nesterov):
    options = dict(learning_rate=rate, momentum=momentum, nesterov=nesterov)
    assert_equal_to_keras(o.sgd, keras.optimizers.SGD, seed, **options)


@few
@given(seeds, RATES, st.sampled_from([0.0, 0.1, 2.0]), st.sampled_from([1e-7, 1e-2]))
def test_adagrad_is_that_of_keras(seed, rate, start, epsilon):
    options = dict(learning_rate=rate, initial_accumulator_value=start, epsilon=epsilon)
    assert_equal_to_keras(o.adagrad, keras.optimizers.Adagrad, seed, **options)


@few
@given(seeds, FRACTIONS, FRACTIONS, st.booleans(), st.sampled_from([1e-4, 1e-2]))
def test_rmsprop_is_that_of_keras(seed, rho, momentum, centered, epsilon):
    options = dict(learning_rate=0.001, rho=rho, momentum=momentum)
    options |= dict(centered=centered, epsilon=epsilon)
    assert_equal_to_keras(o.rmsprop, keras.optimizers.RMSprop, seed, **options)


@few
@given(seeds, RATES, FRACTIONS, SLOW, st.booleans(), st.sampled_from([1e-7, 1e-2]))
def test_adam_and_amsgrad_are_those_of_keras(seed, rate, beta_1, beta_2, amsgrad, epsilon):
    options = dict(learning_rate=rate, beta_1=beta_1, beta_2=beta_2)
    options |= dict(amsgrad=amsgrad, epsilon=epsilon)
    assert_equal_to_keras(o.adam, keras.optimizers.Adam, seed, **options)


@few
@given(seeds, RATES, st.sampled_from([0.0, 0.004, 0.5]), st.booleans())
def test_adamw_is_that_of_keras(seed, rate, weight_decay, amsgrad):
    options = dict(learning_rate=rate, weight_decay=weight_decay, amsgrad=amsgrad)
    assert_equal_to_keras(o.adamw, keras.optimizers.AdamW, seed, **options)


@pytest.mark.parametrize(
    ("step", "optimizer"),
    [
        (o.sgd, keras.optimizers.SGD),
        (o.adagrad, keras.optimizers.Adagrad),
        (o.rmsprop, keras.optimizers.RMSprop),
        (o.adam, keras.optimizers.Adam),
        (o.adamw, keras.optimizers.AdamW),
    ],
)
def test_defaults_are_those_of_keras(step, optimizer):
    theirs = optimizer().get_config()
    more = o.adam.__kwdefaults__ if step is o.adamw else {}
    for name, value in (more | step.__kwdefaults__).items():
        assert theirs[name] == pytest.approx(value), name


@few
@given(seeds, st.sampled_from([0.0, 0.9, 0.95]), st.sampled_from([(4, 3), (3, 4), (3, 3)]))
def test_muon_is_that_of_keras(seed, momentum, shape):
    rng = np.random.default_rng(seed)
    w, center = rng.normal(size=(2, *shape))
    center = center + 9  # far away: near the bottom rounding would grow
    gradient = lambda w: np.tanh(w - center) + w / 9  # noqa: E731
    options = exact(dict(learning_rate=0.01, momentum=momentum))
    options |= dict(rms_rate=None)  # Keras's factor is in single precision
    ours = o.minimize(o.muon_matrix, gradient, w, NUM_STEPS, **options)
    theirs = keras_path(keras.optimizers.Muon(weight_decay=None, **options), gradient, w)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_muons_steps_have_the_size_that_keras_gives_them():
    rng = np.random.default_rng(1)
    w, g = rng.normal(size=(2, 6, 3)).astype("float32")
    ours, _ = o.muon_matrix(w, g, {}, learning_rate=0.1)
    theirs = keras.Variable(w)
    keras.optimizers.Muon(0.1, weight_decay=None).apply([tf.constant(g)], [theirs])
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(theirs), atol=1e-6)


def test_orthogonalizing_keeps_directions_and_evens_out_singular_values():
    rng = np.random.default_rng(2)
    for shape in ((5, 9), (9, 5), (2, 4, 6)):
        X = rng.normal(size=shape)
        U, before, Vt = np.linalg.svd(X, full_matrices=False)
        after = np.swapaxes(U, -1, -2) @ o.orthogonalize(X) @ np.swapaxes(Vt, -1, -2)
        diagonal = np.diagonal(after, axis1=-2, axis2=-1)
        off = after - diagonal[..., None] * np.eye(after.shape[-1])
        assert np.abs(off).max() < 1e-9 and (diagonal > 0.6).all()
        assert (diagonal < 1.3).all() and before.max() > 2


def test_a_run_with_clipping_is_that_of_keras():
    clip = lambda g: o.clip_by_global_norm([g], 1.5)[0]  # noqa: E731
    assert_equal_to_keras(o.adam, keras.optimizers.Adam, 3, clip, learning_rate=0.01)


def test_a_run_with_a_schedule_is_that_of_keras():
    gradient, w = problem(4)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, 150, warmup_target=0.1, warmup_steps=50
    )
    theirs = keras_path(keras.optimizers.SGD(schedule, momentum=0.875), gradient, w)
    rate = o.cosine(0.1, NUM_STEPS, warmup_steps=50)
    ours = o.minimize(o.sgd, gradient, w, NUM_STEPS, learning_rate=rate, momentum=0.875)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


# ---------------------------------------------------------------- clipping and schedules


@given(seeds, st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=10, deadline=None)
def test_clipping_is_that_of_keras(seed, limit):
    rng = np.random.default_rng(seed)
    gradients = [rng.normal(size=(3, 2)), 5 * rng.normal(size=4), np.zeros(2)]
    for name, ours in [
        ("clipnorm", [o.clip_by_norm(g.ravel(), limit) for g in gradients]),
        ("global_clipnorm", o.clip_by_global_norm(gradients, limit)),
    ]:
        weights = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradients]
        tensors = [keras.ops.convert_to_tensor(g, dtype="float64") for g in gradients]
        keras.optimizers.SGD(1.0, **{name: limit}).apply(tensors, weights)
        for mine, weight in zip(ours, weights, strict=True):
            theirs = -keras.ops.convert_to_numpy(weight)
            mine = mine.reshape(theirs.shape)
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-12)


def test_schedules_are_those_of_keras():
    keras_schedules = keras.optimizers.schedules
    pairs = [
        (o.cosine(0.1, 100), keras_schedules.CosineDecay(0.1, 100)),
        (o.cosine(0.1, 100, final=0.02), keras_schedules.CosineDecay(0.1, 100, alpha=0.2)),
        (
            o.cosine(0.1, 100, warmup_steps=20),
            keras_schedules.CosineDecay(0.0, 80, warmup_target=0.1, warmup_steps=20),
        ),
        (o.cosine(0.1, 100), o.cosine_decay(0.1, 100)),
        (o.cosine(0.1, 100, warmup_steps=20), o.cosine_decay(0.1, 100, warmup_steps=20)),
    ]
    for ours, theirs in pairs:
        for t in range(0, 121, 5):
            assert ours(t) == pytest.approx(float(theirs(t)), abs=1e-7), t


def trainers():
    """(trains a model of inputs (n, 4) for two epochs, its batch size)."""
    x = np.linspace(0, 1, 4 * 251, dtype="float32").reshape(251, 4)
    labels, epochs = np.arange(251) % 4, {"epochs": 2}
    yield lambda m, n: definitions("05b").train(m, x[:n], labels[:n], **epochs), 32
    yield lambda m, n: cnn.train_mnist_cnn(m, x[:n], labels[:n], **epochs), 128
    yield lambda m, n: compression.train(m, x[:n], labels[:n], **epochs), 128
    yield lambda m, n: vae.train(m, x[:n], **epochs), 250
    yield lambda m, n: vae.train(m, x[:n], batch_size=40, **epochs), 40


def test_a_vae_begins_with_a_tenth_of_its_learning_rate_however_short_it_is():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    vae.train(model, np.ones((5, 4), "float32"), epochs=2, learning_rate=0.5)
    plan = model.optimizer.get_config()["learning_rate"]["config"]
    assert (plan["initial_learning_rate"], plan["warmup_steps"]) == (0.05, 1)


def test_a_writers_schedule_ends_with_its_last_batch():
    model = text_rnn.build_writer(6, units=3, width=2)
    text_rnn.train_writer(model, np.ones((33, 4), int), epochs=6)
    plan = model.optimizer.get_config()["learning_rate"]["config"]
    assert (plan["decay_steps"], plan["warmup_steps"]) == (11, 1)
    assert int(model.optimizer.iterations) == 12


@pytest.mark.parametrize(("train", "batch_size"), [*trainers()])
def test_a_schedule_ends_with_the_last_batch_even_if_that_is_small(train, batch_size):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    train(model, batch_size + 1)
    plan = model.optimizer.get_config()["learning_rate"]["config"]
    assert int(model.optimizer.iterations) == 4
    assert plan["decay_steps"] + (plan["warmup_steps"] or 0) == 4


def test_the_line_up_may_begin_above_zero():
    rates = [float(o.cosine_decay(0.5, 10, warmup_steps=4, start=0.1)(t)) for t in range(5)]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, 0.4, 0.5], rtol=1e-6)


def test_clipping_takes_each_vector_of_a_batch_by_itself():
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(o.clip_by_norm(g, 1), [[0.6, 0.8], [0.3, 0.4], [0, 0]])


# ---------------------------------------------------------------- closed forms


@given(st.floats(0.01, 2.5), st.floats(0.1, 10))
def test_gradient_descent_on_a_parabola_multiplies_by_one_factor(rate, curvature):
    path = o.minimize(o.sgd, lambda w: curvature * w, [1.0], 5, learning_rate=rate)
    np.testing.assert_allclose(path[:, 0], (1 - rate * curvature) ** np.arange(6.0))


def test_ema_momentum_is_heavy_ball_with_a_smaller_rate():
    gradient, w = problem(5)
    ema = o.minimize(o.ema_momentum, gradient, w, 100, learning_rate=0.1, beta=0.9)
    ball = o.minimize(o.sgd, gradient, w, 100, learning_rate=0.01, momentum=0.9)
    np.testing.assert_allclose(ema, ball, atol=1e-12)


def test_a_velocity_is_a_sum_of_past_gradients():
    rng = np.random.default_rng(8)
    gradients, memory = rng.normal(size=(9, 4)), {}
    for g in gradients:
        _, memory = o.sgd(np.zeros(4), g, memory, learning_rate=0.2, momentum=0.7)
    weights = 0.7 ** np.arange(9)
    np.testing.assert_allclose(memory["v"], -0.2 * weights @ gradients[::-1])


def test_polyaks_settings_shrink_all_directions_by_one_factor():
    root = 10.0
    rate, beta = 4 / (1 + root) ** 2, ((root - 1) / (root + 1)) ** 2
    for curvature in (1.0, 3.0, 40.0, 100.0):
        rule = [[1 + beta - rate * curvature, -beta], [1, 0]]
        sizes = np.abs(np.linalg.eigvals(rule))
        np.testing.assert_allclose(sizes, np.sqrt(beta), rtol=1e-5)


def test_the_memory_of_an_average_holds_what_bias_correction_says():
    memory = {}
    for t in range(1, 20):
        _, memory = o.adam(np.zeros(2), np.ones(2), memory, learning_rate=0.1)
        np.testing.assert_allclose(memory["m"], 1 - 0.9**t)
        np.testing.assert_allclose(memory["v"], 1 - 0.999**t)


def test_power_iteration_finds_the_largest_eigenvalue_in_size():
    rng = np.random.default_rng(9)
    half = rng.normal(size=(8, 8))
    for sign in (1, -1):
        H = sign * half @ half.T
        value, v = o.largest_curvature(lambda v, H=H: H @ v, rng.normal(size=8), 500)
        np.testing.assert_allclose(abs(value), np.abs(np.linalg.eigvalsh(H)).max())
        np.testing.assert_allclose(H @ v, value * v, atol=1e-4 * abs(value))


def test_nesterov_is_a_gradient_taken_at_the_point_ahead():
    gradient, w = problem(6)
    ours = o.minimize(
        o.sgd, gradient, w, 100, learning_rate=0.05, momentum=0.9, nesterov=True
    )
    v = np.zeros_like(w)
    for point in ours:  # Sutskever et al. (2013): theta, seen from theta + 0.9 v
        np.testing.assert_allclose(point, w + 0.9 * v, atol=1e-12)
        v = 0.9 * v - 0.05 * gradient(w + 0.9 * v)
        w = w + v


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient():
    for scale in (1e-3, 1.0, 1e6):
        path = o.minimize(
            o.adam, lambda w, s=scale: np.full(3, s), np.zeros(3), 1, epsilon=0.0
        )
        np.testing.assert_allclose(path[1], -0.01)


def test_a_zero_gradient_moves_nothing():
    for step in (o.descent, o.sgd, o.adagrad, o.rmsprop, o.adam):
        path = o.minimize(step, np.zeros_like, np.ones(3), 5, learning_rate=0.1)
        np.testing.assert_array_equal(path, 1.0)


def test_memory_is_no_larger_than_a_few_copies_of_the_weights():
    for step in (o.sgd, o.adagrad, o.rmsprop, o.adam):
        _, state = step(np.ones(7), np.ones(7), {})
        assert all(np.size(value) in (1, 7) for value in state.values())
        assert len(state) <= 4


def test_a_step_changes_neither_the_weights_nor_the_memory_it_was_given():
    w, g = np.ones(3), np.ones(3)
    for step in (o.sgd, o.adagrad, o.rmsprop, o.adam, o.adamw):
        _, state = step(w, g, {})
        before = {key: np.copy(value) for key, value in state.items()}
        step(w, g, state)
        assert all(np.array_equal(before[key], state[key]) for key in before)
    np.testing.assert_array_equal(w, 1.0)


def test_minimize_keeps_the_float_type_and_takes_integers():
    assert o.minimize(o.adam, lambda w: w, np.ones(2, np.float32), 3).dtype == np.float32
    assert o.minimize(o.adam, lambda w: w, [1, 2], 3).shape == (4, 2)


# ---------------------------------------------------------------- the networks


def test_the_gradient_of_the_network_is_that_of_tensorflow():
    rng = np.random.default_rng(10)
    w = np.stack(
        [[o.random_start(rng) for _ in range(3)] for _ in range(2)]
    )  # (2, 3, 6624)
    x = rng.random((3, 5, 197)).astype("float32")
    y = rng.integers(0, 10, (3, 5))
    ours = o.loss_gradient(w, x, y)
    first, second = (tf.Variable(part) for part in o.layers(w))
    with tf.GradientTape() as tape:
        scores = tf.nn.relu(x @ first) @ second
        labels = np.broadcast_to(y, (2, *y.shape))
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
        value = tf.reduce_sum(tf.reduce_mean(each, axis=-1))
    theirs = o.join(*(g.numpy() for g in tape.gradient(value, [first, second])))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_array_equal(o.join(*o.layers(w)), w)


def test_the_scores_of_the_network_are_those_of_each_alone():
    rng = np.random.default_rng(11)
    w = np.stack([o.random_start(rng) for _ in range(3)])
    x, y = rng.random((20, 197)).astype("float32"), rng.integers(0, 10, 20)
    for measure in (o.accuracy, o.loss):
        alone = [measure(one, x, y) for one in w]
        np.testing.assert_allclose(measure(w, x, y), alone, rtol=1e-5)


def test_muon_treats_each_layer_of_each_network_by_itself():
    rng = np.random.default_rng(12)
    w, g = rng.normal(size=(2, 2, 3, 6624))
    rates = np.array([0.1, 0.2])[:, None, None]
    ours, _ = o.muon(w, g, {}, learning_rate=rates)
    for i, j in np.ndindex(2, 3):
        parts = [
            o.muon_matrix(a, b, {}, learning_rate=rates[i, 0, 0])[0]
            for a, b in zip(o.layers(w[i, j]), o.layers(g[i, j]), strict=True)
        ]
        np.testing.assert_allclose(ours[i, j], o.join(*parts), atol=1e-9)


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: o.sgd(np.ones(3), np.ones((3, 1)), {}), "g: expected the shape of w"),
        (lambda: o.adam(np.ones(3), 1.0, {}), "g: expected the shape of w"),
        (lambda: o.clip_by_global_norm([np.ones(2)], 0), "limit"),
        (lambda: o.cosine(0.1, 10, warmup_steps=10), "warmup_steps"),
    ],
)
def test_a_wrong_argument_is_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        wrong()


# ---------------------------------------------------------------- the race


def test_surfaces_have_the_gradients_they_say():
    rng = np.random.default_rng(7)
    for loss, gradient, _, _ in o.SURFACES.values():
        for point in rng.normal(size=(5, 2)):
            sides = [loss(point + d) - loss(point - d) for d in 1e-6 * np.eye(2)]
            np.testing.assert_allclose(gradient(point), np.array(sides) / 2e-6, 1e-6, 1e-6)


def test_a_race_takes_the_best_rate_of_its_grid():
    loss, gradient, start, _ = o.SURFACES["long valley"]
    rate, path = o.race("long valley", num_steps=50)["gradient descent"]
    assert path.shape == (51, 2) and rate in o.RATES
    for other in o.RATES:
        with np.errstate(all="ignore"):
            slower = o.minimize(o.sgd, gradient, start, 50, learning_rate=other)
            assert not loss(slower)[25:].mean() < loss(path)[25:].mean()


def test_the_animation_is_one_small_png_that_keeps_the_colors_apart():
    plots.use_style()
    file = o.film({name: o.race(name) for name in o.SURFACES})
    picture = Image.open(io.BytesIO(file))
    assert picture.format == "PNG" and picture.is_animated and picture.n_frames >= 10
    assert len(file) < 300_000
    picture.seek(picture.n_frames - 1)
    pixels = np.asarray(picture.convert("RGB"), int).reshape(-1, 3)
    for color in plots.CYCLE[: len(o.RACERS)]:
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels - wanted).max(axis=1) < 24).sum() > 100, color


def test_the_still_has_a_map_for_each_surface():
    assert len(o.draw_race({name: o.race(name) for name in o.SURFACES}).axes) == 3
