"""Chapter 11c's module against Keras, TensorFlow's profiler, SVD and closed forms."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import common, compression, craft, lesson

MANY = settings(max_examples=60, derandomize=True, deadline=None, database=None)


@pytest.fixture(scope="module")
def model():
    lesson.seed(0)
    return craft.build_mlp(6, 3, units=8, depth=1)


# ---------------------------------------------------------------- costs


def test_profiler_counts_a_product_twice_in_every_round_of_an_unrolled_loop():
    counted = compression.profiled_flops(craft.build_mlp(6, 3, units=8, depth=1))
    assert counted["MatMul"] == 2 * (6 * 8 + 8 * 3)
    conv = keras.layers.Conv2D(4, 3, strides=2)
    model = keras.Sequential([keras.Input((9, 11, 2)), conv])
    assert compression.product_flops(model) == 2 * (4 * 5) * (9 * 2 * 4)
    rnn = keras.layers.SimpleRNN(5, unroll=True)
    model = keras.Sequential([keras.Input((7, 3)), rnn])
    assert compression.product_flops(model) == 2 * 7 * (3 + 5) * 5


def test_the_profiler_sees_a_network_in_use_not_in_training():
    sizes = {"inputs": 6, "outputs": 3, "units": 8, "depth": 1}
    dropping, plain = (
        compression.profiled_flops(craft.build_mlp(**sizes, dropout=rate))
        for rate in (0.5, 0)
    )
    assert dropping == plain


def test_training_memory_is_that_of_keras_variables(model):
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    slots = sum(int(np.prod(v.shape)) for v in optimizer.variables if len(v.shape))
    memory = compression.training_bytes(model, 5)
    assert memory["weights"] == memory["gradients"] == 4 * model.count_params()
    assert memory["optimizer"] == 4 * slots
    assert memory["activations"] == 4 * 5 * (8 + 8 + 3)  # a dropout layer is among them
    assert compression.training_bytes(model, 5, slots=0, item=2)["optimizer"] == 0


def test_energy_is_the_table_times_the_counts():
    work, fetch = compression.joules(1000, 10, "int8", examples=3)
    assert work == pytest.approx(3 * 500 * 0.23e-12)
    assert fetch == pytest.approx(10 * 160e-12)


def test_stored_bytes_see_zeros():
    noise = np.random.default_rng(0).normal(size=4000).astype("float32")
    assert compression.stored_bytes([noise]) > 0.8 * noise.nbytes
    assert compression.stored_bytes([noise * 0]) < 0.01 * noise.nbytes


@pytest.mark.parametrize("repeats", [1, 4])
def test_time_is_that_of_the_calls(repeats):
    calls = []

    def wait(x):
        calls.append(len(x))
        time.sleep(0.2 if len(calls) <= 2 else 0.03)  # the first two are to warm up
        return x

    def slow(x, training):
        assert not training
        return tf.numpy_function(wait, [x], tf.float32)

    taken = compression.milliseconds(slow, np.ones((2, 6), "float32"), repeats)
    assert calls == [2] * (repeats + 2)
    assert 30 <= taken < 100


# ---------------------------------------------------------------- pruning


@given(st.integers(0, 10_000), st.floats(0, 0.99))
@MANY
def test_pruning_keeps_the_largest(number, sparsity):
    rng = np.random.default_rng(number)
    weights = [rng.normal(size=(7, 5)), rng.normal(size=5), rng.normal(size=(5, 3))]
    pruned = compression.prune(weights, sparsity)
    np.testing.assert_array_equal(pruned[1], weights[1])
    old = np.concatenate([weights[0].ravel(), weights[2].ravel()])
    new = np.concatenate([pruned[0].ravel(), pruned[2].ravel()])
    zeros = new == 0
    assert zeros.sum() == min(round(sparsity * 50), 49)  # one always stays
    assert np.abs(old[zeros]).max(initial=0) <= np.abs(new[~zeros]).min()
    np.testing.assert_array_equal(new[~zeros], old[~zeros])
    by_lot = compression.prune(weights, sparsity, rng)
    assert sum((w == 0).sum() for w in by_lot) == zeros.sum()


def test_training_holds_the_zeros(model):
    twin = compression.copy(model)
    twin.set_weights(compression.prune(twin.get_weights(), 0.5))
    before = twin.get_weights()
    compression.hold_zeros(twin)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(256, 6)).astype("float32"), rng.integers(0, 3, 256)
    compression.train(twin, x, y, epochs=2, learning_rate=0.01)
    for old, new in zip(before[::2], twin.get_weights()[::2], strict=True):
        np.testing.assert_array_equal(new == 0, old == 0)
        assert not np.allclose(old, new)


# ---------------------------------------------------------------- fewer bits


@given(st.integers(0, 10_000), st.integers(2, 8))
@MANY
def test_rounding_errs_by_half_a_step(number, bits):
    w = np.random.default_rng(number).normal(size=(9, 4))
    codes, scale = compression.quantize(w, bits)
    assert codes.dtype == np.int8 and np.abs(codes).max() == 2 ** (bits - 1) - 1
    assert (np.abs(w - codes * scale) <= scale / 2 * (1 + 1e-9)).all()


def test_codes_are_kerass():
    w = np.random.default_rng(1).normal(size=(50, 20)).astype("float32")
    theirs, step = keras.quantizers.abs_max_quantize(w, axis=0)
    codes, scale = compression.quantize(w)
    assert np.abs(np.asarray(theirs, int) - codes).max() <= 1
    assert np.mean(np.asarray(theirs) == codes) > 0.99
    np.testing.assert_allclose(1 / np.asarray(step)[0], scale, rtol=1e-5)


def test_a_column_of_zeros_is_no_division_by_zero():
    codes, scale = compression.quantize(np.zeros((3, 2)))
    assert not codes.any() and not scale.any()


def test_keras_quantizes_a_copy(model):
    small = compression.quantize_model(model)
    assert {w.dtype.name for w in small.get_weights()} == {"int8", "float32"}
    assert {w.dtype.name for w in model.get_weights()} == {"float32"}
    x = np.random.default_rng(2).normal(size=(20, 6)).astype("float32")
    gap = np.abs(common.predict(small, x) - common.predict(model, x)).max()
    assert gap < 0.1


# ---------------------------------------------------------------- distillation


@pytest.mark.parametrize("temperature", [1.0, 3.0, 8.0])
def test_distillation_loss_is_the_scaled_cross_entropy(temperature):
    rng = np.random.default_rng(3)
    teacher, student = rng.normal(0, 3, (2, 6, 4)).astype("float32")
    soft = compression.soften(teacher, temperature)
    np.testing.assert_allclose(soft, tf.nn.softmax(teacher / temperature), rtol=1e-5)
    loss = np.mean(compression.distillation_loss(temperature)(soft, student))
    logs = np.log(compression.soften(student.astype(float), temperature))
    assert loss == pytest.approx(
        -(temperature**2) * np.mean((soft * logs).sum(1)), rel=1e-5
    )


def test_at_a_high_temperature_the_gradient_is_the_logits_difference():
    student, teacher = tf.Variable([[1.0, -2.0, 1.0]]), np.array([[2.0, 0.0, -2.0]])
    with tf.GradientTape() as tape:
        loss = compression.distillation_loss(1e3)(compression.soften(teacher, 1e3), student)
    gradient = np.asarray(tape.gradient(loss, student))
    np.testing.assert_allclose(gradient, (student - teacher) / 3, atol=0.02)


def test_prefetching_overlaps():
    in_turn = compression.pipeline_seconds(0.05, 0.05, batches=6)
    assert in_turn >= 0.6
    assert compression.pipeline_seconds(0.05, 0.05, batches=6, prefetch=2) < in_turn


def test_figure_has_a_panel_for_size_and_for_time():
    figure = compression.draw_tradeoff({"a": (0.9, 1000, 2.0), "b": (0.8, 300, 1.0)})
    assert [len(axis.lines) for axis in figure.axes] == [2, 2]


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (compression.prune, ([np.ones((2, 2))], 1.0), "sparsity"),
        (compression.quantize, (np.ones(3),), "w"),
        (compression.quantize, (np.ones((2, 2), int),), "w"),
        (compression.quantize, (np.ones((2, 2)), 9), "bits"),
        (compression.soften, (np.ones(3), 0), "temperature"),
        (compression.joules, (1, 1, "float8"), "number"),
        (compression.training_bytes, (None, 0), "batch_size"),
    ],
)
def test_mistakes_are_named(function, arguments, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        function(*arguments)
