"""MNIST digits: the official Keras VAE, chapter 07's with 2 and 07b's with 20 numbers.

    python -m benchmarks.vae            about 30 minutes on two cores
    python -m benchmarks.vae --short    one seed, the official example for 2 epochs: about 3

All are trained on the 60,000 training digits only and scored alike: -ELBO in nats on the
10,000 test digits, with the binary cross-entropy of gray values as reconstruction term,
and seeded noise. For gray values that is a cost in nats, no log-likelihood. Costs in time
are CPU seconds of this process (all threads), scoring left out.

The target of 152 nats is no published figure: it is the training loss at which the official
example's 30 epochs ended when it ran as published, on all 70,000 digits, test digits
included (152.0, 686 CPU seconds).
"""

import numpy as np

from benchmarks import table
from dl_course import data, lesson, vae
from tools.chapters import definitions

OFFICIAL_EPOCHS, TARGET = 30, 152.0
NATS = "-ELBO in nats"
OFFICIAL = "keras.io/examples/generative/vae, Chollet 2020"


def official_halves():
    """The example's encoder and decoder, from its published code.

    Convolutions of 32 and 64 kernels, 3 x 3, stride 2, ReLU; 16 dense units; two latent
    numbers. The decoder mirrors them from a dense layer of 7 x 7 x 64. It ends in a
    sigmoid there, in the same logits here.
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
    """As published: Adam at Keras' default rate of 0.001, batches of 128, 30 epochs; the
    loss is cross-entropy summed over pixels plus KL. Its authors train on all 70,000
    digits; here it sees the 60,000 training digits only, as ours do."""
    encoder, decoder = official_halves()
    model = vae.build_vae(encoder, decoder)
    model.compile("adam", vae.reconstruction_loss)
    callback.subject = encoder, decoder
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
    halves = definitions("07b").build_halves(20, x.mean(axis=0))
    return ours(*halves, x, epochs, callback, learning_rate=0.003)


def ours(encoder, decoder, x, epochs, callback, **options):
    model = vae.build_vae(encoder, decoder)
    callback.subject = encoder, decoder
    vae.train(model, x, epochs=epochs, callbacks=[callback], **options)
    return model


# name -> recipe, how it is trained, epochs (in the short run, too), scored every so many
RECIPES = {
    "official": ("official example, 2 numbers", official, OFFICIAL_EPOCHS, 2, 3),
    "2": ("chapter 07, 2 numbers", two_numbers, 16, 16, 1),
    "20": ("chapter 07b, 20 numbers", twenty_numbers, 20, 20, 5),
}


def measured(name, seed, digits, short=False):
    """The run of one recipe."""
    (x, _), (x_test, _) = digits
    recipe, train, full_epochs, short_epochs, every = RECIPES[name]
    epochs = short_epochs if short else full_epochs

    def score(halves):
        images = x_test.reshape(-1, *halves[0].input_shape[1:])
        fit, kl = vae.elbo_terms(*halves, images)
        return {NATS: float(np.mean(kl - fit))}

    lesson.seed(seed)
    callback = table.scorer(score, every)
    model = train(x, epochs, callback)
    official = name == "official"
    return table.Run(
        task="VAE on MNIST",
        recipe=f"{recipe}, {epochs} epochs",
        side="peer" if official else "ours",
        seed=seed,
        curve=callback.curve,
        source=OFFICIAL if official else "",
        note="" if epochs == full_epochs else f"The example has {full_epochs} epochs.",
        target=TARGET,
        facts={"recipe": recipe, "parameters": model.count_params()},
    )


def runs(options):
    """A run a recipe and seed; one seed only of the official example."""
    digits = data.mnist()
    seeds = [1] if options.short else [int(n) for n in options.seeds.split(",")]
    for name in RECIPES:
        if options.only in (None, name):
            for seed in seeds[:1] if name == "official" else seeds:
                yield measured(name, seed, digits, options.short)


def show(runs):
    table.print_head("MNIST, -ELBO in nats", ">epochs", ">parameters", ">seed",
                     ">at the end", ">CPU s", f">CPU s to {TARGET:g}")  # fmt: skip
    for group in table.grouped_as_they_come(runs, lambda run: run.facts["recipe"]):
        for run in group:
            end, reached = run.end, table.seconds_to_target(run)
            cells = f"{end.mark} | {run.facts['parameters']:,} | {run.seed}"
            cells += f" | {end.quality[NATS]:.1f} | {end.cpu:.0f}"
            reached = "-" if reached is None else f"{reached:.0f}"
            print(f"| {run.facts['recipe']} | {cells} | {reached} |", flush=True)
        worst = max(run.end.quality[NATS] for run in group)
        print(f"| {group[0].facts['recipe']}, worst | | | | {worst:.1f} | | |", flush=True)


def main():
    parser = table.parser(__doc__, "one seed, the official example for 2 epochs")
    parser.add_argument("--only", choices=RECIPES, help="one row only")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="such as 1,2")
    options = parser.parse_args()
    table.report(runs(options), options, show)


if __name__ == "__main__":
    main()
