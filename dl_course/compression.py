"""Smaller and cheaper networks: what they cost, pruning, 8-bit weights, distillation.

A cost counts one example forward; a FLOP is one multiplication or one addition, so a
product that is added up counts two. Sizes are in bytes, energies in joules.
"""

import math
import time
import zlib

import numpy as np

from dl_course import common
from dl_course.network import softmax

# Picojoules for one operation on a chip of 2014, at 45 nm (Horowitz, 2014), and for one
# 32-bit number from memory off the chip: orders of magnitude, not your chip's numbers.
PICOJOULES = {
    "float32": {"multiply": 3.7, "add": 0.9},
    "float16": {"multiply": 1.1, "add": 0.4},
    "int8": {"multiply": 0.2, "add": 0.03},
}
PICOJOULES_PER_BYTE = 640 / 4

# ---------------------------------------------------------------- what a network costs


def profiled_flops(model):
    """FLOPs of one example as TensorFlow's own profiler counts them: {operation: FLOPs}.

    The model becomes one graph of a batch of 1, with weights as constants; loops must be
    unrolled, or the profiler counts them once, and products that TensorFlow keeps as an
    einsum, such as attention's scores, it misses. An independent reference for formulas.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants as freezer

    spec = tf.TensorSpec((1, *model.input_shape[1:]))
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)
    _, frozen = freezer.convert_variables_to_constants_v2_as_graph(function)
    options = tf.compat.v1.profiler.ProfileOptionBuilder
    options = options(options.float_operation()).with_empty_output().build()
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(frozen, name="")
        profile = tf.compat.v1.profiler.profile(graph, cmd="op", options=options)
    rows = list(profile.children)  # each holds the next: a chain, not a tree
    counts = {}
    while rows:
        row = rows.pop()
        rows.extend(row.children)
        if row.float_ops:
            counts[row.name] = counts.get(row.name, 0) + row.float_ops
    return counts


def product_flops(model):
    """The profiler's FLOPs of matrix products and convolutions alone."""
    counts = profiled_flops(model)
    return sum(counts.get(name, 0) for name in ("MatMul", "BatchMatMulV2", "Conv2D"))


def training_bytes(model, batch_size, *, slots=2, item=4):
    """What training keeps in memory: {"weights", "gradients", "optimizer", "activations"}.

    `slots`: numbers the optimizer keeps for each weight (Adam 2, plain SGD 0); `item`:
    bytes a number. Activations: every layer's output, kept for the way back.
    """
    common.count(batch_size, "batch_size")
    common.count(item, "item")
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    outputs = sum(int(np.prod(layer.output.shape[1:])) for layer in model.layers)
    numbers = {
        "weights": weights,
        "gradients": weights,
        "optimizer": slots * weights,
        "activations": batch_size * outputs,
    }
    return {name: item * count for name, count in numbers.items()}


def stored_bytes(weights):
    """Bytes of these arrays in a file, after lossless compression (zlib)."""
    plain = [np.asarray(w) + 0 for w in weights]  # + 0: one kind of zero, not also -0.0
    return len(zlib.compress(b"".join(w.tobytes() for w in plain)))


def milliseconds(model, x, repeats=15):
    """The median time of `model` for all of x at once, in a compiled call."""
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False))
    x = tf.constant(x)
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        np.asarray(function(x))
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[2:]))  # the first ones compile and warm up


def joules(flops, weights, number="float32", *, examples=1):
    """(arithmetic, reading the weights once) for `examples` of `flops` FLOPs each.

    A table's estimate: half the FLOPs multiply, half add; weights come from memory off
    the chip once, and then serve all examples. Nothing else is counted.
    """
    if number not in PICOJOULES:
        raise ValueError(f"number: expected one of {list(PICOJOULES)}, got {number!r}")
    item = {"float32": 4, "float16": 2, "int8": 1}[number]
    arithmetic = examples * flops / 2 * sum(PICOJOULES[number].values())
    return arithmetic * 1e-12, weights * item * PICOJOULES_PER_BYTE * 1e-12


# ---------------------------------------------------------------- training


def train(model, x, targets, *, epochs, learning_rate=0.002, loss=None):
    """Compile and train with Adam, batches of 128; the learning rate sinks along a cosine.

    `targets`: labels (n,), or what `loss` takes. Returns the model.
    """
    import keras

    steps = epochs * math.ceil(len(x) / 128)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=8)
    model.fit(x, targets, batch_size=128, epochs=epochs, verbose=0)
    return model


def copy(model):
    """The same architecture and weights once more, independent of `model`."""
    import keras

    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    return twin


# ---------------------------------------------------------------- pruning


def prune(weights, sparsity, rng=None):
    """Zero a share of all matrices' entries: the smallest, or by lot if `rng` is given.

    `weights`: arrays; biases (one axis) stay. One threshold holds for all matrices.
    Returns new arrays. Raises ValueError for a sparsity outside [0, 1).
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity: expected a share in [0, 1), got {sparsity}")
    ranks = [np.abs(w) if rng is None else rng.random(w.shape) for w in weights]
    every = np.concatenate([r.ravel() for r in ranks if r.ndim > 1])
    smallest = min(round(sparsity * every.size), every.size - 1)
    threshold = np.partition(every, smallest)[smallest]
    pairs = zip(weights, ranks, strict=True)
    return [np.where(r >= threshold, w, 0) if w.ndim > 1 else w.copy() for w, r in pairs]


def hold_zeros(model):
    """From now on each kernel's zeros stay zero in training. Compile afterwards."""
    import keras

    class Hold(keras.constraints.Constraint):
        def __init__(self, kept):
            self.kept = kept

        def __call__(self, kernel):
            return kernel * self.kept

    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            layer.kernel.constraint = Hold((kernel != 0).astype(kernel.dtype))


# ---------------------------------------------------------------- fewer bits


def quantize(w, bits=8):
    """(codes, scale): integers in ±(2^(bits - 1) - 1) and a step a column, w ≈ codes scale.

    scale_j = max_i |w_ij| / (2^(bits - 1) - 1). Rounding to nearest: no entry is off by
    more than scale_j / 2. w (inputs, units); codes int8, scale (units,).
    """
    w = np.asarray(w)
    if w.ndim != 2 or w.dtype.kind != "f":
        raise ValueError(f"w: expected floats (inputs, units), got {w.dtype} {w.shape}")
    if not 2 <= bits <= 8:
        raise ValueError(f"bits: expected 2 to 8, got {bits}")
    scale = np.abs(w).max(axis=0) / (2 ** (bits - 1) - 1)  # (units,)
    codes = np.round(w / np.where(scale > 0, scale, 1)).astype(np.int8)
    return codes, scale.astype(w.dtype)


def quantize_model(model):
    """A copy of `model` after Keras's own `quantize("int8")`."""
    import warnings

    small = copy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of each layer that has no weights
        small.quantize("int8")
    return small


# ---------------------------------------------------------------- distillation


def soften(logits, temperature):
    """softmax(logits / temperature): the higher, the more the also-rans are heard."""
    return softmax(np.asarray(logits) / common.positive(temperature, "temperature"))


def distillation_loss(temperature):
    """A Keras loss: T² times the cross-entropy of the teacher's soft targets.

    It takes `soften(teacher's logits, T)` and the student's logits. T² keeps the gradient
    as large as that of labels (Hinton et al., 2015).
    """
    import keras

    def loss(soft, logits):
        scaled = keras.ops.divide(logits, temperature)
        entropy = keras.losses.categorical_crossentropy(soft, scaled, from_logits=True)
        return temperature**2 * entropy

    return loss


# ---------------------------------------------------------------- the input pipeline


def pipeline_seconds(load, step, *, batches=10, prefetch=0):
    """Wall seconds to fetch `batches` (`load` seconds each) and to work on each (`step`).

    Both only sleep. With `prefetch` batches ahead, tf.data loads while we work.
    """
    import tensorflow as tf

    def read(i):
        time.sleep(load)
        return i

    source = tf.data.Dataset.range(batches)
    source = source.map(lambda i: tf.numpy_function(read, [i], tf.int64))
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False  # what tf.data does itself
    source = (source.prefetch(prefetch) if prefetch else source).with_options(options)
    start = time.perf_counter()
    for _ in source:
        time.sleep(step)
    return time.perf_counter() - start


# ---------------------------------------------------------------- figures


def draw_tradeoff(models):
    """Accuracy against size and against time; {name: (accuracy, bytes, milliseconds)}.

    Both scales are logarithmic; left is better. Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True)
    labels = "stored size (kB)", "time for 1,000 pictures (ms)"
    for axis, column, unit, label in zip(axes, (1, 2), (1000, 1), labels, strict=True):
        for (name, row), marker in zip(models.items(), "osD^vP", strict=False):
            axis.plot(row[column] / unit, 100 * row[0], marker, markersize=9, label=name)
        axis.set(xscale="log", xlabel=label)
        axis.margins(0.15)
        axis.xaxis.set_major_formatter("{x:,g}")
    axes[0].set_ylabel("test accuracy (%)")
    axes[0].legend(loc="lower right")
    return figure
