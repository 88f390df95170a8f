"""Backpropagation by hand against Keras: one network, one start, the same batches.

    python -m benchmarks.numpy_mlp [runs]
    python -m benchmarks.numpy_mlp --short    one run

Both train a 784-128-10 network on the 60,000 digits of MNIST by plain stochastic gradient
descent, in float32, with equal batches in equal order. Keras gets one warm-up call before
the clock starts, so that building its graph does not count. The runs alternate; the best
seconds of each side are compared, and both must reach the same bar on the 10,000 test
digits. Exits with 1 if one does not, or if NumPy takes longer.

The peer is no published recipe but Keras' own `fit` (keras.io/api/models), for the network
and the settings that stand at the top of this file: they are ours, and equal on both sides.
"""

import os
import sys

# One thread: in products as small as these, a second one waits more than it works.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy only, before its import

import numpy as np

from benchmarks import table
from dl_course import craft, data, lesson, network
from tools.chapters import definitions

SIZES, ACTIVATIONS = [784, 128, 10], ["relu", "linear"]
EPOCHS, BATCH, RATE = 5, 64, 0.2
BAR = 0.97  # test accuracy


def by_hand(x, y, layers):
    return definitions("03").train(
        x, y, layers, epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE
    )


def prepared_fit(x, y, layers):
    """A function that trains the Keras twin by `fit`, after a warm-up."""
    import keras

    model = network.build_twin(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss)
    start = model.get_weights()
    model.fit(x[: 2 * BATCH], y[: 2 * BATCH], batch_size=BATCH, verbose=0)
    model.set_weights(start)

    def fit(x, y, layers):
        model.fit(x, y, epochs=EPOCHS, batch_size=BATCH, shuffle=False, verbose=0)
        weights = model.get_weights()
        return list(zip(weights[::2], weights[1::2], ACTIVATIONS, strict=True))

    return fit


def measured(name, seed, train, digits, layers):
    """The run of one side."""
    (x, y), (x_test, y_test) = digits
    watch = table.Stopwatch()
    trained = train(x, y, layers)
    cpu = watch.pause()
    right = craft.accuracy(trained, x_test, y_test)
    point = table.Point(EPOCHS, cpu, {"test accuracy": right})
    return table.Run(
        task="MLP in NumPy",
        recipe=f"{name}, {EPOCHS} epochs",
        side="ours" if train is by_hand else "peer",
        seed=seed,
        curve=[point],
        source="" if train is by_hand else "the same network, start and batches",
        facts={"name": name, "wall": watch.wall},
    )


def runs(options):
    """Both sides in turn."""
    (x, y), (x_test, y_test) = data.mnist()
    digits = (x.reshape(-1, 784), y), (x_test.reshape(-1, 784), y_test)
    for seed in range(1 if options.short else options.runs):
        rng = np.random.default_rng(lesson.seed(seed))
        layers = network.initial_layers(SIZES, ACTIVATIONS, rng, scheme="he")
        yield measured("NumPy", seed, by_hand, digits, layers)
        yield measured("Keras' fit", seed, prepared_fit(*digits[0], layers), digits, layers)


def show(runs):
    """True if a bar is missed, or NumPy takes longer."""
    best, good = {}, True
    print(f"{EPOCHS} epochs, batches of {BATCH}, learning rate {RATE}\n")
    print(f"{'run':3} {'by':10} {'seconds':>8} {'CPU s':>8} {'test accuracy':>14}")
    for run in runs:
        name, seconds, cpu = run.facts["name"], run.facts["wall"], run.end.cpu
        reached = run.end.quality["test accuracy"]
        good &= reached >= BAR
        best[run.side] = min(best.get(run.side, (seconds, cpu)), (seconds, cpu))
        print(
            f"{run.seed:3} {name:10} {seconds:8.2f} {cpu:8.2f} {reached:14.4f}", flush=True
        )
    ratios = [a / b for a, b in zip(best["ours"], best["peer"], strict=True)]
    print(f"\nNumPy / fit: {ratios[0]:.2f} in seconds, {ratios[1]:.2f} in CPU seconds")
    print(f"Bar of {BAR} {'reached' if good else 'MISSED'} by every run.")
    return not good or ratios[0] > 1


def main():
    parser = table.parser(__doc__, "one run")
    parser.add_argument("runs", type=int, nargs="?", default=3)
    options = parser.parse_args()
    sys.exit(table.report(runs(options), options, show))


if __name__ == "__main__":
    main()
