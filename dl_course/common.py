"""What many chapters use and none teaches: prediction, a plain training loop, checks.

Each check is named after what it lets through; it returns that, or raises a ValueError
with the argument's name, what was expected, and what came.
"""

from numbers import Integral

import numpy as np

# ---------------------------------------------------------------- Keras models


def predict(model, x, batch_size=1000):
    """The model's outputs for all rows of x, as NumPy arrays: a list if it has several.

    x: rows, or a list of arrays, one an input. Like Keras's `predict`, but without tracing
    a graph, which takes longer than the work here; dropout and augmentation are off.
    """
    from keras import ops

    several = isinstance(x, list | tuple)
    inputs = [np.asarray(one) for one in (x if several else [x])]
    parts = []
    for start in range(0, max(len(inputs[0]), 1), batch_size):
        batch = [one[start : start + batch_size] for one in inputs]
        outputs = model(batch if several else batch[0], training=False)
        one_output = not isinstance(outputs, list | tuple)
        outputs = [outputs] if one_output else outputs
        parts.append([ops.convert_to_numpy(output) for output in outputs])
    joined = [np.concatenate(output) for output in zip(*parts, strict=True)]
    return joined[0] if one_output else joined


def compiled_step(loss, weights, optimizer):
    """A function step(*batch) that lowers loss(*batch) by a step over `weights`.

    It is compiled by TensorFlow, and returns the loss before the step.
    """
    import tensorflow as tf

    optimizer.build(weights)

    @tf.function(reduce_retracing=True)
    def step(*batch):
        with tf.GradientTape() as tape:
            value = loss(*batch)
        optimizer.apply(tape.gradient(value, weights), weights)
        return value

    return step


def train(model, x, y, rng, *, num_steps, learning_rate=0.003, batch_size=250,
          warp=None, only=None):  # fmt: skip
    """Train scores against labels y by Adam and cross-entropy, the rate sinking to 0.

    For what `fit` does not do: a batch is drawn by `rng` at each step (all of x if it is
    no larger), so that a training is counted in steps, whatever the size of x.

    warp: a function of a batch, such as random distortions; only: a layer (or model)
    whose weights alone move.
    """
    import keras

    if len(x) != len(y):
        raise ValueError(f"y: expected {len(x)} labels, got {len(y)}")
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss(x, y):
        return entropy(y, model(warp(x) if warp else x, training=True))

    weights = (only or model).trainable_variables
    step = compiled_step(loss, weights, keras.optimizers.Adam(schedule))
    for _ in range(num_steps):
        some = rng.integers(0, len(x), batch_size) if batch_size < len(x) else slice(None)
        step(x[some], y[some])


# ---------------------------------------------------------------- checked arguments


def numbers(x, name, *shape, hint=""):
    """x as an array of floats, of its own float type if it has one.

    shape: an entry an axis, a length or a word that stands for any; `...` in front stands
    for any axes before; nothing for any shape. `hint` is added to the message.
    """
    x = np.asarray(x)
    if x.dtype.kind not in "buif" or not _fits(x.shape, shape):
        got = f"{x.dtype} {x.shape}{hint}"
        raise ValueError(f"{name}: expected numbers{_words(shape)}, got {got}")
    return x if x.dtype.kind == "f" else x.astype(float)


def integers(x, name, *shape, below=None):
    """x as an array of integers of this shape (as for `numbers`); from 0, if `below`."""
    x = np.asarray(x)
    wrong = x.dtype.kind not in "iu" or not _fits(x.shape, shape)
    if wrong or (below is not None and x.size and not 0 <= x.min() <= x.max() < below):
        span = "" if below is None else f" 0 to {below - 1}"
        got = f"{x.dtype} {x.shape}"
        if x.dtype.kind in "iu" and x.size:
            got += f", {x.min()} to {x.max()}"
        raise ValueError(f"{name}: expected integers{span}{_words(shape)}, got {got}")
    return x


def alike(x, other, name, other_name):
    """Both as arrays of floats of one shape: (n,) against (n, 1) would broadcast."""
    other, x = numbers(other, other_name), numbers(x, name)
    if x.shape != other.shape:
        expected = f"expected the shape of {other_name}, {other.shape}"
        raise ValueError(f"{name}: {expected}, got {x.shape}")
    return x, other


def count(value, name, least=1):
    """An integer ≥ least."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: expected an integer ≥ {least}, got {value!r}")
    return value


def positive(value, name):
    """A number > 0."""
    if not value > 0:
        raise ValueError(f"{name}: expected a number > 0, got {value!r}")
    return value


def one_of(value, name, options):
    """One of the options."""
    if value not in options:
        raise ValueError(f"{name}: expected one of {', '.join(options)}, got {value!r}")
    return value


def _fits(have, want):
    if want[:1] == (...,):
        have, want = have[max(len(have) - len(want) + 1, 0) :], want[1:]
    pairs = zip(have, want, strict=False)
    same = all(isinstance(w, str) or h == w for h, w in pairs)
    return not want or (len(have) == len(want) and same)


def _words(shape):
    axes = ["..." if axis is ... else str(axis) for axis in shape]
    return f" of shape ({', '.join(axes)}{',' * (len(axes) == 1)})" if axes else ""
