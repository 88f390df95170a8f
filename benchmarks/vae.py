"""MNIST digits: the official Keras VAE, chapter 07's with 2 and 07b's with 20 numbers.

    python -m benchmarks.vae            about 30 minutes on two cores
    python -m benchmarks.vae --short    one seed each, the official example for 3 epochs

All are trained on the 60,000 training digits only and scored alike: -ELBO in nats on the
10,000 test digits, Bernoulli likelihood on gray values, seeded noise. Costs are CPU
seconds of this process (all threads), scoring left out.
"""

import argparse
import math
import time

import numpy as np

from dl_course import data, latent, lesson, vae

OFFICIAL_EPOCHS, TARGET = 30, 152.0


def official_halves():
    """keras.io/examples/generative/vae (Chollet, 2020), from its published description.

    Its decoder ends in a sigmoid; ours in the same logits. (Its authors trained on the
    test digits, too; here it sees the training digits only.)
    """
    import keras
    from keras import layers

    def half_size(filters):
        return layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")

    def double_size(filters):
        return layers.Conv2DTranspose(
            filters, 3, strides=2, padding="same", activation="relu"
        )

    x = keras.Input((28, 28, 1))
    h = layers.Flatten()(half_size(64)(half_size(32)(x)))
    h = layers.Dense(16, activation="relu")(h)
    encoder = keras.Model(x, [layers.Dense(2)(h), layers.Dense(2)(h)])
    z = keras.Input((2,))
    h = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(z))
    h = double_size(32)(double_size(64)(h))
    return encoder, keras.Model(z, layers.Conv2DTranspose(1, 3, padding="same")(h))


def official(x, epochs, callback):
    """As published: Adam with rate 0.001, batches of 128."""
    encoder, decoder = official_halves()
    model = vae.build_vae(encoder, decoder)
    model.compile("adam", vae.reconstruction_loss)
    callback.watch(encoder, decoder)
    model.fit(x, x, batch_size=128, epochs=epochs, verbose=0, callbacks=[callback])
    return model


def two_numbers(x, epochs, callback):
    """Chapter 07's network and recipe."""
    x = x.reshape(-1, 784)
    encoder, decoder = vae.build_encoder(2), vae.build_decoder(2, mean_image=x.mean(axis=0))
    return ours(encoder, decoder, x, epochs, callback)


def twenty_numbers(x, epochs, callback):
    """Chapter 07b's network and recipe."""
    x = x.reshape(-1, 784)
    halves = latent.build_dense_halves(20, mean_image=x.mean(axis=0))
    return ours(*halves, x, epochs, callback, rate=0.003)


def ours(encoder, decoder, x, epochs, callback, **options):
    model = vae.build_vae(encoder, decoder)
    callback.watch(encoder, decoder)
    vae.train(model, x, epochs=epochs, callbacks=[callback], **options)
    return model


def scorer(x_test, every):
    """A Keras callback that keeps (epoch, CPU seconds, -ELBO), scoring not counted."""
    import keras

    class Scorer(keras.callbacks.Callback):
        def watch(self, encoder, decoder):
            self.halves, self.rows = (encoder, decoder), []
            self.input_shape = encoder.input_shape[1:]

        def on_train_begin(self, logs=None):
            self.started = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            now = time.process_time()
            last = epoch + 1 == self.params["epochs"]
            if last or not self.rows or (epoch + 1) % every == 0:
                images = x_test.reshape(-1, *self.input_shape)
                score = vae.negative_elbo(*self.halves, images)
                self.rows.append((epoch + 1, now - self.started, score))
            self.started += time.process_time() - now

    return Scorer()


def measure(train, epochs, seeds, digits, every):
    """For each seed: [(epoch, CPU seconds, -ELBO), ...], and the number of parameters."""
    (x, _), (x_test, _) = digits
    runs = []
    for number in seeds:
        lesson.seed(number)
        callback = scorer(x_test, every)
        model = train(x, epochs, callback)
        runs.append(callback.rows)
    return runs, model.count_params()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed, 3 official epochs")
    parser.add_argument("--only", choices=["official", "2", "20"], help="one row only")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="such as 1,2")
    options = parser.parse_args()
    seeds = [1] if options.short else [int(n) for n in options.seeds.split(",")]
    official_epochs = 3 if options.short else OFFICIAL_EPOCHS
    rows = {
        "official": (
            "official example, 2 numbers",
            official,
            official_epochs,
            seeds[:1],
            3,
        ),
        "2": ("chapter 07, 2 numbers", two_numbers, 16, seeds, 1),
        "20": ("chapter 07b, 20 numbers", twenty_numbers, 20, seeds, 5),
    }
    rows = {k: row for k, row in rows.items() if options.only in (None, k)}
    digits = data.mnist()
    print(
        "| MNIST, -ELBO in nats | epochs | parameters | seed | at the end | CPU s "
        f"| CPU s to {TARGET:g} |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, train, epochs, its_seeds, every in rows.values():
        runs, parameters = measure(train, epochs, its_seeds, digits, every)
        for number, run in zip(its_seeds, runs, strict=True):
            reached = min(
                (cpu for _, cpu, score in run if score <= TARGET), default=math.inf
            )
            _, cpu, score = run[-1]
            reached = f"{reached:.0f}" if math.isfinite(reached) else "-"
            cells = f"{epochs} | {parameters:,} | {number} | {score:.1f} | {cpu:.0f}"
            print(f"| {name} | {cells} | {reached} |", flush=True)
        worst = np.max([run[-1][2] for run in runs])
        print(f"| {name}, worst | | | | {worst:.1f} | | |", flush=True)


if __name__ == "__main__":
    main()
