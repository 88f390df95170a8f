"""Chapter 06's module against Keras, TensorFlow, finite differences and closed forms."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import rnn
from tools.chapters import definitions

checking = definitions("03")

FEW = settings(max_examples=8, derandomize=True, deadline=None, database=None)
LAYERS = {
    "rnn": (rnn.rnn_step, keras.layers.SimpleRNN, {}),
    "relu": (rnn.rnn_step, keras.layers.SimpleRNN, {"activation": "relu"}),
    "lstm": (rnn.lstm_step, keras.layers.LSTM, {}),
    "lstm-relu": (rnn.lstm_step, keras.layers.LSTM, {"activation": "relu"}),
    "gru": (rnn.gru_step, keras.layers.GRU, {}),
    "gru-before": (rnn.gru_step, keras.layers.GRU, {"reset_after": False}),
}
STEPS = [rnn.rnn_step, rnn.lstm_step, rnn.gru_step]


def ours(options):
    return {"activation": rnn.relu} if "activation" in options else options


def random_layer(kind, features, units, rng):
    """Weights of the right shapes; biases are not zero."""
    step, layer_class, options = LAYERS[kind]
    layer = layer_class(units, return_sequences=True, return_state=True, **options)
    layer.build((None, None, features))
    weights = [
        rng.normal(size=w.shape).astype("float32") / np.sqrt(units + features)
        for w in layer.get_weights()
    ]
    layer.set_weights(weights)
    return step, layer, weights, ours(options)


# ---------------------------------------------------------------- steps and sequences


@pytest.mark.parametrize("kind", LAYERS)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(*[st.integers(1, n) for n in (4, 9, 5, 7)]),
    masked=st.booleans(),
)
@FEW
def test_sequences_are_kerass(kind, seed, sizes, masked):
    rng = np.random.default_rng(seed)
    batch, time, features, units = sizes
    step, layer, weights, options = random_layer(kind, features, units, rng)
    x = rng.normal(size=(batch, time, features)).astype("float32")
    mask = rng.random((batch, time)) < 0.6 if masked else None  # holes anywhere
    outputs, state = rnn.run(step, x, weights, mask=mask, **options)
    theirs, *their_state = layer(x, mask=mask)
    assert np.abs(outputs - np.asarray(theirs)).max() <= 1e-5
    for a, b in zip(state, their_state, strict=True):
        assert np.abs(a - np.asarray(b)).max() <= 1e-5


@pytest.mark.parametrize("kind", LAYERS)
def test_a_step_is_that_of_kerass_cell(kind):
    rng = np.random.default_rng(1)
    step, layer, weights, options = random_layer(kind, 3, 5, rng)
    x = rng.normal(size=(4, 3)).astype("float32")
    state = [rng.normal(size=(4, 5)).astype("float32") for _ in layer.cell.state_size] if (
        isinstance(layer.cell.state_size, list)
    ) else [rng.normal(size=(4, 5)).astype("float32")]  # fmt: skip
    _, theirs = layer.cell(x, state)
    for a, b in zip(step(x, state, *weights, **options), theirs, strict=True):
        assert np.abs(a - np.asarray(b)).max() <= 1e-5


@pytest.mark.parametrize("kind", LAYERS)
def test_a_given_state_is_where_keras_starts_too(kind):
    rng = np.random.default_rng(2)
    step, layer, weights, options = random_layer(kind, 2, 4, rng)
    x = rng.normal(size=(3, 6, 2)).astype("float32")
    state = [rng.normal(size=(3, 4)).astype("float32")
             for _ in rnn.initial_state(step, 3, 4)]  # fmt: skip
    theirs = layer(x, initial_state=state)[0]
    outputs, _ = rnn.run(step, x, weights, state=state, **options)
    assert np.abs(outputs - np.asarray(theirs)).max() <= 1e-5


@pytest.mark.parametrize("step", STEPS)
def test_padding_after_the_end_changes_nothing_if_masked(step):
    rng = np.random.default_rng(3)
    weights = rnn.initial_weights(step, 2, 5, rng)
    x = rng.normal(size=(3, 4, 2))
    padded = np.concatenate([x, rng.normal(size=(3, 7, 2))], axis=1)
    mask = np.arange(11) < 4
    short, state = rnn.run(step, x, weights)
    long, padded_state = rnn.run(step, padded, weights, mask=np.tile(mask, (3, 1)))
    assert np.array_equal(short, long[:, :4])
    assert all(map(np.array_equal, state, padded_state))
    _, unmasked = rnn.run(step, padded, weights)
    assert not np.allclose(state[0], unmasked[0])


# ---------------------------------------------------------------- blame through time


def taped(x, weights, target):
    layer = keras.layers.SimpleRNN(len(weights[1]), return_sequences=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights(weights)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(target * layer(x) ** 2)
    return tape.gradient(loss, [v.value for v in layer.trainable_variables] + [x])


@given(st.integers(0, 2**32 - 1), st.tuples(*[st.integers(1, n) for n in (3, 12, 4, 6)]))
@FEW
def test_bptt_is_the_gradient_of_the_tape(seed, sizes):
    rng = np.random.default_rng(seed)
    batch, time, features, units = sizes
    weights = rnn.initial_weights(rnn.rnn_step, features, units, rng)
    weights[2] = rng.normal(size=units)
    x = rng.normal(size=(batch, time, features))
    target = rng.normal(size=(batch, time, units))
    outputs, _ = rnn.run(rnn.rnn_step, x, weights)
    gradients = rnn.rnn_gradients(x, outputs, weights, 2 * target * outputs)
    for a, b in zip(gradients, taped(x, weights, target), strict=True):
        assert checking.relative_error(a, np.asarray(b)) <= 1e-9


def test_bptt_agrees_with_nudging():
    rng = np.random.default_rng(4)
    kernel, recurrent, bias = rnn.initial_weights(rnn.rnn_step, 2, 4, rng)
    x = rng.normal(size=(3, 7, 2))

    def loss(recurrent):
        return np.sum(rnn.run(rnn.rnn_step, x, [kernel, recurrent, bias])[0][:, -1] ** 2)

    outputs, _ = rnn.run(rnn.rnn_step, x, [kernel, recurrent, bias])
    blame = np.zeros_like(outputs)
    blame[:, -1] = 2 * outputs[:, -1]
    ours = rnn.rnn_gradients(x, outputs, [kernel, recurrent, bias], blame)[1]
    assert (
        checking.relative_error(ours, checking.numerical_gradient(loss, recurrent)) <= 1e-6
    )


def test_truncation_cuts_where_it_says():
    rng = np.random.default_rng(5)
    weights = rnn.initial_weights(rnn.rnn_step, 2, 4, rng)
    x = rng.normal(size=(3, 12, 2))
    outputs, _ = rnn.run(rnn.rnn_step, x, weights)
    blame = rng.normal(size=outputs.shape)
    whole = rnn.rnn_gradients(x, outputs, weights, blame)
    long = rnn.rnn_gradients(x, outputs, weights, blame, truncate=12)
    assert all(map(np.allclose, whole, long))
    cut = rnn.rnn_gradients(x, outputs, weights, blame, truncate=4)
    late = blame.copy()
    late[:, :8] = 0  # blame of the last four moments reaches x of those only
    only = rnn.rnn_gradients(x, outputs, weights, late, truncate=4)[3]
    assert np.all(only[:, :8] == 0)
    assert np.allclose(cut[3][:, 8:], whole[3][:, 8:])
    assert not np.allclose(cut[3][:, :8], whole[3][:, :8])


# ---------------------------------------------------------------- Jacobians


@pytest.mark.parametrize("step", STEPS)
def test_the_complex_step_is_the_tapes_jacobian(step):
    rng = np.random.default_rng(6)
    weights = rnn.initial_weights(step, 3, 4, rng)
    names = {rnn.rnn_step: "SimpleRNNCell", rnn.gru_step: "GRUCell"}
    cell = getattr(keras.layers, names.get(step, "LSTMCell"))(4, dtype="float64")
    cell.build((None, 3))
    cell.set_weights(weights)
    state = [rng.normal(size=4) for _ in rnn.initial_state(step, 1, 4)]
    x, flat = rng.normal(size=3), tf.constant(np.concatenate(state)[None])
    with tf.GradientTape() as tape:
        tape.watch(flat)
        _, new = cell(tf.constant(x[None]), tf.split(flat, len(state), axis=1))
        new = tf.concat(new, axis=1)
    theirs = np.asarray(tape.jacobian(new, flat))[0, :, 0]
    next_state, matrix = rnn.jacobian(step, x, state, weights)
    assert np.abs(matrix - theirs).max() <= 1e-12
    assert np.abs(np.concatenate(next_state) - np.asarray(new)[0]).max() <= 1e-12


@pytest.mark.parametrize("gain", [0.9, 1, 1.1])
def test_a_linear_network_forgets_as_powers_of_its_gain(gain):
    rng = np.random.default_rng(7)
    weights = rnn.initial_weights(rnn.rnn_step, 1, 8, rng, gain=gain)
    left = rnn.memory(
        rnn.rnn_step, rng.normal(size=(90, 1)), weights, activation=lambda z: z
    )
    assert np.allclose(left, gain ** np.arange(1, 41))


def test_without_input_tanh_passes_all_and_gates_pass_their_sigmoid():
    rng = np.random.default_rng(8)
    still = np.zeros((60, 1))
    weights = rnn.initial_weights(rnn.rnn_step, 1, 8, rng)
    assert np.allclose(rnn.memory(rnn.rnn_step, still, weights), 1)
    for step in (rnn.lstm_step, rnn.gru_step):
        weights = rnn.initial_weights(step, 1, 8, rng, gain=0, keep=3)
        per_step = (
            rnn.memory(step, still, weights)[1:] / rnn.memory(step, still, weights)[:-1]
        )
        assert np.allclose(per_step, rnn.sigmoid(3))


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_initial_weights_are_of_kerass_kind(kind):
    step, layer_class, _ = LAYERS[kind]
    layer = layer_class(64)
    layer.build((None, None, 10))
    weights = rnn.initial_weights(step, 10, 64, np.random.default_rng(9))
    for a, b in zip(weights, layer.get_weights(), strict=True):
        assert a.shape == b.shape
        assert np.isclose(a.std(), b.std(), rtol=0.1)
        assert np.isclose(a.mean(), b.mean(), atol=0.02)
    assert np.allclose(weights[1] @ weights[1].T, np.eye(64))


def test_the_drawing_names_every_curve_and_keeps_names_apart():
    curves = {name: np.full(10, value) for name, value in [("a", 1), ("b", 1), ("c", 1e9)]}
    figure = rnn.draw_memory(curves, {"d": np.ones(10)})
    names = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert set(names) == {"a", "b", "c"}
    assert min(np.diff(sorted(np.log10(list(names.values()))))) >= 2.99
    plt.close(figure)


# ---------------------------------------------------------------- forecasts


def test_windows_end_before_their_targets():
    pasts, targets = rnn.windows(np.arange(20), 5, ahead=3)
    assert pasts.shape == (13, 5, 1)
    assert np.array_equal(targets, pasts[:, -1, 0] + 3)
    two = np.stack([np.arange(20), -np.arange(20)], axis=1)
    pasts, targets = rnn.windows(two, 4)
    assert pasts.shape == (16, 4, 2)
    assert np.array_equal(targets, np.arange(4, 20))


def test_linear_autoregression_finds_a_linear_law_and_is_least_squares():
    rng = np.random.default_rng(10)
    pasts = rng.normal(size=(200, 6, 2)) * [1, 10] + 3
    targets = pasts.reshape(200, 12) @ np.arange(12) + 5
    predict = rnn.linear_autoregression(pasts, targets, ridge=1e-9)
    assert np.allclose(predict(pasts), targets, rtol=1e-4)
    noisy = targets + rng.normal(size=200)
    design = np.column_stack([pasts.reshape(200, 12), np.ones(200)])
    best = design @ np.linalg.lstsq(design, noisy)[0]
    assert np.allclose(rnn.linear_autoregression(pasts, noisy, 1e-12)(pasts), best)


# ---------------------------------------------------------------- errors

GOOD = rnn.initial_weights(rnn.rnn_step, 2, 3, np.random.default_rng(11))
X = np.zeros((4, 5, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rnn.run(rnn.rnn_step, X[0], GOOD), r"x: .*got float64 \(5, 2\)"),
        (lambda: rnn.run(rnn.rnn_step, X.astype(str), GOOD), "x: expected numbers"),
        (lambda: rnn.run(rnn.rnn_step, X[..., :1], GOOD), "kernel of 1 rows"),
        (lambda: rnn.run(rnn.lstm_step, X, GOOD), r"\(units, 4 units\), got \(3, 3\)"),
        (lambda: rnn.run(rnn.rnn_step, X, GOOD, mask=np.ones(5)), r"mask: .*\(4, 5\)"),
        (lambda: rnn.rnn_gradients(X, np.zeros((4, 5, 3)), GOOD, X), "blame: .*got"),
        (
            lambda: rnn.rnn_gradients(X, *[np.zeros((4, 5, 3))] * 1, GOOD,
                                      np.zeros((4, 5, 3)), truncate=0),
            "truncate: expected an integer ≥ 1",
        ),
        (lambda: rnn.memory(rnn.rnn_step, np.zeros((50, 2)), GOOD), "time > 50"),
        (lambda: rnn.memory(rnn.rnn_step, np.zeros(60), GOOD), "time > 50"),
        (lambda: rnn.windows(np.zeros(5), 5), "series: .*time ≥ 6"),
        (lambda: rnn.windows(np.zeros(5), 0), "length: expected an integer ≥ 1"),
        (lambda: rnn.windows(np.zeros(5), 2, ahead=1.5), "ahead: expected an integer"),
        (lambda: rnn.windows(np.zeros((5, 1, 1)), 2), "series: "),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
