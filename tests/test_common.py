"""Prediction and the plain loop against Keras, and what the checks let through."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import common, craft, lesson

# ---------------------------------------------------------------- prediction


def case(n=25):
    lesson.seed(1)
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 6)).astype("float32"), rng.integers(0, 3, n)


@pytest.mark.parametrize("batch_size", [1, 7, 25, 1000])
def test_predictions_are_kerass_whatever_the_batch(batch_size):
    x, _ = case()
    model = craft.build_mlp(6, 3, units=8, rate=0.5)
    ours = common.predict(model, x, batch_size)
    assert type(ours) is np.ndarray
    np.testing.assert_allclose(ours, model.predict(x, verbose=0), atol=1e-6)
    assert common.predict(model, x[:0], batch_size).shape == (0, 3)


def test_prediction_silences_random_layers():
    layers = [keras.layers.RandomFlip(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((6, 5, 3)), *layers])
    x = np.random.default_rng(3).random((20, 6, 5, 3)).astype("float32")
    assert np.array_equal(common.predict(model, x), x)


def test_several_inputs_and_outputs_come_in_order():
    x, _ = case()
    first, second = keras.Input((6,)), keras.Input((6,))
    model = keras.Model([first, second], [first + second, first - second])
    total, difference = common.predict(model, [x, 2 * x], batch_size=10)
    np.testing.assert_allclose(total, 3 * x, rtol=1e-6)
    np.testing.assert_allclose(difference, -x, rtol=1e-6)


# ---------------------------------------------------------------- training


@pytest.mark.parametrize("batch_size", [8, 25, 100])
def test_training_is_keras_adam_on_the_batches_that_the_generator_draws(batch_size):
    x, y = case()
    ours, theirs = (craft.build_mlp(6, 3, units=8, depth=1) for _ in range(2))
    theirs.set_weights(ours.get_weights())
    settings = {"num_steps": 12, "learning_rate": 0.01, "batch_size": batch_size}
    common.train(ours, x, y, np.random.default_rng(2), **settings)
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 12)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs.compile(keras.optimizers.Adam(schedule), loss)
    rng = np.random.default_rng(2)
    for _ in range(12):
        some = rng.integers(0, 25, batch_size) if batch_size < 25 else slice(None)
        theirs.train_on_batch(x[some], y[some])
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_only_what_it_may_moves_and_batches_are_warped():
    x, y = case()
    first, second = (craft.build_mlp(6, 3, units=8, depth=1) for _ in range(2))
    second.set_weights(before := first.get_weights())
    settings = {"num_steps": 5, "only": first.layers[-1]}
    common.train(first, x, y, np.random.default_rng(3), warp=lambda x: -x, **settings)
    settings["only"] = second.layers[-1]
    common.train(second, -x, y, np.random.default_rng(3), **settings)
    same = [np.array_equal(*pair) for pair in zip(before, first.get_weights(), strict=True)]
    assert same == [True, True, False, False]
    for mine, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
    with pytest.raises(ValueError, match="y: expected 25 labels, got 24"):
        common.train(first, x, y[1:], None, num_steps=1)


def test_a_step_returns_the_loss_before_it():
    w = keras.Variable(3.0)
    step = common.compiled_step(lambda a: a * w**2, [w], keras.optimizers.SGD(0.1))
    assert float(step(2.0)) == 18
    assert float(w) == pytest.approx(3 - 0.1 * 2 * 2 * 3)


# ---------------------------------------------------------------- checks


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=4), st.sampled_from("?bhilHLfd"))
def test_numbers_of_the_right_shape_pass_and_keep_a_float_type(shape, kind):
    x = np.zeros(shape, kind)
    for pattern in (shape, ["n"] * len(shape), [...], [..., *shape[1:]], []):
        got = common.numbers(x, "x", *pattern)
        assert got.shape == x.shape
        assert got.dtype == (x.dtype if x.dtype.kind == "f" else np.float64)
    assert common.numbers(x.tolist(), "x").dtype == np.float64
    with pytest.raises(ValueError, match=r"^x: expected numbers of shape \("):
        common.numbers(x, "x", *shape, "more")
    with pytest.raises(ValueError, match=r"^x: expected numbers of shape \("):
        common.numbers(x, "x", ..., *["n"] * (len(shape) + 1))


X = np.zeros((2, 3))
MISTAKES = [
    (lambda: common.numbers(["a"], "x"), "x: expected numbers, got <U1 (1,)"),
    (lambda: common.numbers(1j, "x"), "x: expected numbers, got complex128 ()"),
    (
        lambda: common.numbers(X, "x", "n", 4, hint=" (so)"),
        "x: expected numbers of shape (n, 4), got float64 (2, 3) (so)",
    ),
    (
        lambda: common.numbers(X, "x", ..., "n", 4),
        "x: expected numbers of shape (..., n, 4), got float64 (2, 3)",
    ),
    (
        lambda: common.integers([0, 3], "y", 2, below=3),
        "y: expected integers 0 to 2 of shape (2,), got int64 (2,), 0 to 3",
    ),
    (
        lambda: common.integers([0, -1], "y", below=3),
        "y: expected integers 0 to 2, got int64 (2,), -1 to 0",
    ),
    (
        lambda: common.integers([0.5], "y"),
        "y: expected integers, got float64 (1,)",
    ),
    (
        lambda: common.integers([1, 2], "y", 3),
        "y: expected integers of shape (3,), got int64 (2,), 1 to 2",
    ),
    (
        lambda: common.alike(X, X[:, :1], "a", "b"),
        "a: expected the shape of b, (2, 1), got (2, 3)",
    ),
    (lambda: common.alike(X, ["a"], "a", "b"), "b: expected numbers, got <U1 (1,)"),
    (lambda: common.count(0, "n"), "n: expected an integer ≥ 1, got 0"),
    (lambda: common.count(1, "n", 2), "n: expected an integer ≥ 2, got 1"),
    (lambda: common.count(2.0, "n"), "n: expected an integer ≥ 1, got 2.0"),
    (lambda: common.count(True, "n"), "n: expected an integer ≥ 1, got True"),
    (lambda: common.positive(0, "s"), "s: expected a number > 0, got 0"),
    (lambda: common.positive(np.nan, "s"), "s: expected a number > 0, got nan"),
    (lambda: common.one_of("c", "k", "ab"), "k: expected one of a, b, got 'c'"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError) as error:
        mistake()
    assert str(error.value) == message


def test_what_is_right_passes():
    assert common.count(np.int64(1), "n") == 1
    assert common.positive(1e-9, "s") == 1e-9
    assert common.one_of("a", "k", "ab") == "a"
    y = np.array([0, 2], np.uint8)
    assert common.integers(y, "y", "n", below=3) is y
    assert common.integers(np.zeros(0, int), "y", below=3).shape == (0,)
    a, b = common.alike([1, 2], np.float32([3, 4]), "a", "b")
    assert (a.dtype, b.dtype) == (np.float64, np.float32)
