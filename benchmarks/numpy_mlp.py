"""Backpropagation by hand against Keras: one network, one start, the same batches.

    python -m benchmarks.numpy_mlp [runs]

Both train a 784-128-10 network on the 60,000 digits of MNIST by plain stochastic gradient
descent, in float32, with equal batches in equal order. Keras gets one warm-up call before
the clock starts, so that building its graph does not count. The runs alternate; the best
seconds of each side are compared, and both must reach the same bar on the 10,000 test
digits. Exits with 1 if one does not, or if NumPy takes longer.
"""

import os
import sys
import time

# One thread: in products as small as these, a second one waits more than it works.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy only, before its import

import numpy as np

from dl_course import backprop, data, lesson, network

SIZES, ACTIVATIONS = [784, 128, 10], ["relu", "linear"]
EPOCHS, BATCH, RATE = 5, 64, 0.2
BAR = 0.97  # test accuracy


def by_hand(x, y, layers):
    return backprop.train(x, y, layers, epochs=EPOCHS, batch_size=BATCH, learning_rate=RATE)


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


def timed(train, x, y, layers):
    """(seconds, CPU seconds, trained layers)"""
    seconds, cpu = time.perf_counter(), time.process_time()
    trained = train(x, y, layers)
    return time.perf_counter() - seconds, time.process_time() - cpu, trained


def accuracy(x, y, layers):
    return float(np.mean(network.forward(x, layers)[-1].argmax(axis=1) == y))


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    (x, y), (x_test, y_test) = data.mnist()
    x, x_test = x.reshape(-1, 784), x_test.reshape(-1, 784)
    best, good = {}, True
    print(f"{EPOCHS} epochs, batches of {BATCH}, learning rate {RATE}, {runs} runs\n")
    print(f"{'run':3} {'by':8} {'seconds':>8} {'CPU s':>8} {'test accuracy':>14}")
    for run in range(runs):
        rng = np.random.default_rng(lesson.seed(run))
        layers = network.initial_layers(SIZES, ACTIVATIONS, rng, scheme="he")
        for name, train in {"NumPy": by_hand, "fit": prepared_fit(x, y, layers)}.items():
            seconds, cpu, trained = timed(train, x, y, layers)
            reached = accuracy(x_test, y_test, trained)
            good &= reached >= BAR
            best[name] = min(best.get(name, (seconds, cpu)), (seconds, cpu))
            print(f"{run:3} {name:8} {seconds:8.2f} {cpu:8.2f} {reached:14.4f}")
    ratios = [a / b for a, b in zip(best["NumPy"], best["fit"], strict=True)]
    print(f"\nNumPy / fit: {ratios[0]:.2f} in seconds, {ratios[1]:.2f} in CPU seconds")
    print(f"Bar of {BAR} {'reached' if good else 'MISSED'} by every run.")
    sys.exit(not good or ratios[0] > 1)


if __name__ == "__main__":
    main()
