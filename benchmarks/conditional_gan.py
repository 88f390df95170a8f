"""Digits on demand: the official Keras example and chapter 08b's recipe, over compute.

    python -m benchmarks.conditional_gan            about 40 minutes on two cores
    python -m benchmarks.conditional_gan --short    one seed, a quarter epoch of the
                                                    example, a hastier judge: about 4

Each row asks for 10,000 digits and gives: CPU seconds of training so far (this process,
all threads), the share that an independent classifier reads as ordered, the same for the
worst of the ten classes, and the Fréchet distance from the real test digits on that
classifier's features.

The example is `conditional_gan` of keras.io (Paul, 2021), written anew. It has 20 epochs;
three of them (here in the full run) already cost more than ten times what ours does. Two
things differ from its published code: neither recipe sees the test digits here, and the
label becomes ten planes of the image, as its text says, where its code spreads it over
rows by a reshape.
"""

import sys

import numpy as np

from benchmarks import table
from dl_course import cnn, common, data, lesson
from dl_course import conditional_gan as cg

ROUNDS = [375, 750, 1500, 3000, 6000]
OFFICIAL = "keras.io/examples/generative/conditional_gan, Paul 2021"
OFFICIAL_EPOCHS, EPOCH = 20, 1094  # batches of 64 in the example's 70,000 digits


def official_players():
    """The example's two networks: noise of 128 beside the one-hot class; labels as ten
    more channels of the image. Sizes, kernels and slopes are those of its code."""
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
    """Its two alternating steps: cross-entropy on logits, Adam at 0.0003 for each.

    All as published, in batches of 64; both steps of a round see the same labels.
    """
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


def official_curve(x, y, seed, marks, score):
    """Points after so many steps of the example, batches of 64."""
    rng = np.random.default_rng(lesson.seed(seed))
    watch, curve = table.Stopwatch(), []
    generator, discriminator = official_players()
    step = official_step(generator, discriminator)

    def draw(labels):
        z = np.random.default_rng(0).standard_normal((len(labels), 128), dtype="float32")
        inputs = np.concatenate([z, cg.one_hot(labels)], axis=1)
        return common.predict(generator, inputs)

    for i in range(1, marks[-1] + 1):
        at = rng.integers(0, len(x), 64)
        z, z_again = rng.standard_normal((2, 64, 128), dtype="float32")
        step(x[at], cg.one_hot(y[at]), z, z_again)
        if i in marks:
            curve.append(table.Point(i, watch.pause(), score(draw)))
            watch.resume()
    return curve


def our_curve(x, y, seed, marks, score):
    """The same for chapter 08b's recipe."""
    rng = np.random.default_rng(lesson.seed(seed))
    stopwatch, curve = table.Stopwatch(), []

    def watch(i, average):
        if i in marks:
            used = stopwatch.pause()
            quality = score(
                lambda labels: cg.draw(average, labels, np.random.default_rng(0))
            )
            curve.append(table.Point(i, used, quality))
            stopwatch.resume()

    players = cg.build_generator(), cg.build_discriminator()
    cg.train(*players, x, y, rng, num_steps=marks[-1], watch=watch)
    return curve


def judged(digits, saved, epochs):
    """A function that scores a generator; says on stderr how good its classifier is."""
    import keras

    (x, y), (x_test, y_test) = digits
    if saved:
        judge = keras.models.load_model(saved)
    else:
        lesson.seed(100)
        judge = cnn.build_mnist_cnn()
        cnn.train_mnist_cnn(judge, x, y, epochs=epochs)
    reader = cg.with_features(judge)
    features, probabilities = common.predict(reader, x_test)
    accuracy = np.mean(probabilities.argmax(axis=1) == y_test)
    floor = cg.frechet_distance(features[::2], features[1::2])
    print(f"Judge: {accuracy:.4f} of the test digits. Floor of the distance: {floor:.2f}.",
          file=sys.stderr)  # fmt: skip
    asked = np.arange(10).repeat(1000)

    def score(draw):
        points, probabilities = common.predict(reader, draw(asked))
        shares = cg.recognized(probabilities.argmax(axis=1), asked)
        return {
            "share as ordered": float(shares.mean()),
            "worst class": float(shares.min()),
            "Fréchet distance": float(cg.frechet_distance(points, features)),
        }

    return score


def runs(options):
    """A run a seed of ours, and one of the example."""
    digits = data.mnist()
    x, y = digits[0]
    score = judged(digits, options.judge, epochs=2 if options.short else 6)
    seeds = options.seeds or ([1] if options.short else [1, 2, 3, 4, 5])
    last = 1500 if options.short else options.rounds
    marks = [*(mark for mark in ROUNDS if mark < last), last]
    for seed in seeds:
        yield table.Run(
            task="conditional GAN on MNIST",
            recipe=f"chapter 08b, {last} rounds",
            side="ours",
            seed=seed,
            curve=our_curve(x, y, seed, marks, score),
            note="The judge has 2 epochs instead of 6." if options.short else "",
        )
    if options.ours:
        return
    parts = [1 / 16, 1 / 8, 1 / 4] if options.short else [1 / 8, 1 / 4, 1 / 2, 1, 2, 3]
    marks = [int(part * EPOCH) for part in parts if part <= options.epochs]
    yield table.Run(
        task="conditional GAN on MNIST",
        recipe=f"official example, {marks[-1]} steps",
        side="peer",
        seed=seeds[0],
        curve=official_curve(x, y, seeds[0], marks, score),
        source=OFFICIAL,
        note=f"The example has {OFFICIAL_EPOCHS} epochs of {EPOCH} steps.",
    )


def show(runs):
    table.print_head("recipe", ">seed", ">steps", ">CPU s", ">as ordered", ">worst class",
                     ">Fréchet")  # fmt: skip
    for run in runs:
        for steps, cpu, quality in run.curve:
            share, worst, distance = quality.values()
            cells = f"{run.seed} | {steps} | {cpu:.0f} | {share:.4f} | {worst:.3f}"
            print(f"| {run.recipe} | {cells} | {distance:.2f} |", flush=True)


def main():
    parser = table.parser(__doc__, "one seed, a quarter epoch of the example")
    parser.add_argument("--ours", action="store_true", help="without the example")
    parser.add_argument("--seeds", type=int, nargs="*", help="1 2 3 4 5 if not given")
    parser.add_argument("--rounds", type=int, default=ROUNDS[-1], help="of our recipe")
    parser.add_argument("--epochs", type=int, choices=(1, 2, 3), default=3,
                        help="of the example")  # fmt: skip
    parser.add_argument("--judge", help="a saved classifier, to save its training")
    options = parser.parse_args()
    table.report(runs(options), options, show)


if __name__ == "__main__":
    main()
