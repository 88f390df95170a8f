"""Digits on demand: the official Keras example and chapter 08b's recipe, over compute.

    python -m benchmarks.conditional_gan            about 50 minutes on two cores
    python -m benchmarks.conditional_gan --short    one seed, shorter: about 10

Each row asks for 10,000 digits and gives: CPU seconds of training so far (this process,
all threads), the share that an independent classifier reads as ordered, the same for the
worst of the ten classes, and the Fréchet distance from the real test digits on that
classifier's features. The example is `conditional_gan` of keras.io (Paul, 2021), written
anew: its architecture and settings, but here neither recipe sees the test digits.
"""

import argparse
import time

import numpy as np

from dl_course import cnn, data, lesson
from dl_course import conditional_gan as cg

ROUNDS = [750, 1500, 3000, 6000]


def official_players():
    """Noise of 128 beside the one-hot class; labels as ten more channels of the image."""
    import keras
    from keras import layers

    def leaky():
        return layers.LeakyReLU(negative_slope=0.2)

    up = {"kernel_size": 4, "strides": 2, "padding": "same"}
    generator = keras.Sequential(
        [
            keras.Input((138,)),
            layers.Dense(7 * 7 * 138),
            leaky(),
            layers.Reshape((7, 7, 138)),
            layers.Conv2DTranspose(128, **up),
            leaky(),
            layers.Conv2DTranspose(128, **up),
            leaky(),
            layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input((28, 28, 11)),
            layers.Conv2D(64, 3, strides=2, padding="same"),
            leaky(),
            layers.Conv2D(128, 3, strides=2, padding="same"),
            leaky(),
            layers.GlobalMaxPooling2D(),
            layers.Dense(1),
        ]
    )
    return generator, discriminator


def official_step(generator, discriminator):
    """Its two alternating steps: cross-entropy on logits, Adam at 0.0003 for each."""
    import keras
    import tensorflow as tf

    ops, weights = (
        keras.ops,
        (generator.trainable_variables, discriminator.trainable_variables),
    )
    optimizers = [keras.optimizers.Adam(0.0003) for _ in weights]
    for optimizer, variables in zip(optimizers, weights, strict=True):
        optimizer.build(variables)

    def labelled(images, one_hot):
        planes = ops.broadcast_to(one_hot[:, None, None], (len(images), 28, 28, 10))
        return ops.concatenate([images, planes], axis=-1)

    def draw(one_hot, z):
        return generator(ops.concatenate([z, one_hot], axis=1), training=True)

    @tf.function
    def step(images, one_hot, z, z_again):
        fakes = draw(one_hot, z)
        with tf.GradientTape() as tape:
            real = discriminator(labelled(images, one_hot), training=True)
            fake = discriminator(labelled(fakes, one_hot), training=True)
            loss = (ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))) / 2
        optimizers[1].apply(tape.gradient(loss, weights[1]), weights[1])
        with tf.GradientTape() as tape:
            fake = discriminator(labelled(draw(one_hot, z_again), one_hot), training=True)
            loss = ops.mean(ops.softplus(-fake))
        optimizers[0].apply(tape.gradient(loss, weights[0]), weights[0])

    return step


class Stopwatch:
    """CPU seconds while it runs."""

    def __init__(self):
        self.total, self.since = 0.0, time.process_time()

    def pause(self):
        self.total += time.process_time() - self.since
        return self.total

    def resume(self):
        self.since = time.process_time()


def official_curve(x, y, number, marks, score):
    """Rows (CPU seconds, scores) after so many steps of the example, batches of 64."""
    rng = np.random.default_rng(lesson.seed(number))
    generator, discriminator = official_players()
    step, rows, watch = official_step(generator, discriminator), [], Stopwatch()

    def draw(labels):
        z = np.random.default_rng(0).standard_normal((len(labels), 128), dtype="float32")
        inputs = np.concatenate([z, cg.one_hot(labels)], axis=1)
        return generator.predict(inputs, batch_size=1000, verbose=0)

    for i in range(1, marks[-1] + 1):
        at = rng.integers(0, len(x), 64)
        z, z_again = rng.standard_normal((2, 64, 128), dtype="float32")
        step(x[at], cg.one_hot(y[at]), z, z_again)
        if i in marks:
            rows.append((i, watch.pause(), *score(draw)))
            watch.resume()
    return rows


def our_curve(x, y, number, marks, score):
    """The same for chapter 08b's recipe."""
    rng = np.random.default_rng(lesson.seed(number))
    rows, stopwatch = [], Stopwatch()

    def watch(i, average):
        if i in marks:
            used = stopwatch.pause()
            scores = score(
                lambda labels: cg.draw(average, labels, np.random.default_rng(0))
            )
            rows.append((i, used, *scores))
            stopwatch.resume()

    players = cg.build_generator(), cg.build_discriminator()
    cg.train(*players, x, y, rng, num_steps=marks[-1], watch=watch)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed, shorter")
    parser.add_argument("--ours", action="store_true", help="without the example")
    parser.add_argument("--seeds", type=int, nargs="*", help="1 2 3 4 5 if not given")
    parser.add_argument("--judge", help="a saved classifier, to save its training")
    options = parser.parse_args()
    (x, y), (x_test, y_test) = data.mnist()
    seeds = options.seeds or ([1] if options.short else [1, 2, 3, 4, 5])
    import keras

    if options.judge:
        judge = keras.models.load_model(options.judge)
    else:
        lesson.seed(100)
        judge = cnn.build_mnist_cnn()
        cnn.train_mnist_cnn(judge, x, y)
    reader = cg.with_features(judge)
    features, probabilities = reader.predict(x_test, batch_size=1000, verbose=0)
    accuracy = np.mean(probabilities.argmax(axis=1) == y_test)
    floor = cg.frechet_distance(features[::2], features[1::2])
    asked = np.arange(10).repeat(1000)

    def score(draw):
        points, probabilities = reader.predict(draw(asked), batch_size=1000, verbose=0)
        shares = cg.recognized(probabilities.argmax(axis=1), asked)
        return shares.mean(), shares.min(), cg.frechet_distance(points, features)

    print(
        f"Judge: {accuracy:.4f} of the test digits. Floor of the distance: {floor:.2f}.\n"
    )
    print("| recipe | seed | steps | CPU s | as ordered | worst class | Fréchet |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    rounds = ROUNDS[:3] if options.short else ROUNDS
    plan = [("chapter 08b", our_curve, number, rounds) for number in seeds]
    if not options.ours:
        epoch = 1094  # batches of 64 in the example's 70,000 digits
        marks = [epoch // 4, epoch // 2, epoch]
        marks += [] if options.short else [2 * epoch, 3 * epoch]
        plan.append(("keras.io example", official_curve, seeds[0], marks))
    for name, curve, number, marks in plan:
        for steps, seconds, share, worst, distance in curve(x, y, number, marks, score):
            quality = f"{share:.4f} | {worst:.3f} | {distance:.2f}"
            print(
                f"| {name} | {number} | {steps} | {seconds:.0f} | {quality} |", flush=True
            )


if __name__ == "__main__":
    main()
