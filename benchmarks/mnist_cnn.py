"""MNIST digits: the documents' network, the official Keras example, chapter 05's recipe.

    python -m benchmarks.mnist_cnn            about 20 minutes on two cores
    python -m benchmarks.mnist_cnn --short    one seed, the example for 3 epochs: about 6
    python -m benchmarks.mnist_cnn --only official ours --seeds 1 2 3
    python -m benchmarks.mnist_cnn --ablation about three hours: chapter 05's recipe without
                                              one of its ingredients at a time

Accuracy on the 10,000 test digits after the last epoch, and what training cost: CPU
seconds of this process (all threads) and wall seconds, scoring left out.

In the ablation each variant has its own learning rate: the best of RATES on the last 10,000
training digits, after a training on the others. Then it is trained on all of them, from the
same seeds as the whole recipe.
"""

import numpy as np

from benchmarks import table
from dl_course import cnn, craft, data, lesson

OFFICIAL_EPOCHS = 15
OFFICIAL = "keras.io/examples/vision/mnist_convnet, Chollet 2015"


def official_example(x, y, callback, epochs=OFFICIAL_EPOCHS):
    """The official example, from its published code: 34,826 parameters.

    Two convolutions of 32 and 64 kernels, 3 x 3, ReLU, each with max pooling by 2;
    dropout of a half; softmax. Adam at Keras' default rate, categorical cross-entropy,
    batches of 128, 15 epochs, the last tenth of the training digits held out. All of that
    stands in the example; nothing is changed but that it is scored after each epoch.
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    one_hot = keras.utils.to_categorical(y)
    settings = {"batch_size": 128, "epochs": epochs, "validation_split": 0.1}
    model.fit(x, one_hot, verbose=0, callbacks=[callback], **settings)
    return model


def documents_network(x, y, callback, optimizer="adam"):
    """Document 000's network in its own setting: Adam, batches of 128, 5 epochs."""
    model = cnn.build_document_cnn()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=128, epochs=5, verbose=0, callbacks=[callback])
    return model


def documents_network_repaired(x, y, callback):
    """The same with a learning rate that sinks to zero, as in chapter 05."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(0.002, 5 * 469)
    return documents_network(x, y, callback, keras.optimizers.Adam(rate))


def our_recipe(x, y, callback):
    """Chapter 05's better recipe."""
    model = cnn.build_mnist_cnn()
    cnn.train_mnist_cnn(model, x, y, callbacks=[callback])
    return model


RECIPES = {
    "official": ("official example", official_example),
    "documents": ("documents' network, 5 epochs, as published", documents_network),
    "repaired": ("... with a sinking learning rate", documents_network_repaired),
    "ours": ("chapter 05's recipe", our_recipe),
}


# Name: what `build_mnist_cnn`, and what `train_mnist_cnn` gets. The last has layers of one
# width, with as many multiplications.
LEFT_OUT = {
    "the whole recipe": ({}, {}),
    "without translation": ({"translation": 0.0}, {}),
    "without batch norm": ({"batch_norm": False}, {}),
    "with a constant learning rate": ({}, {"is_constant": True}),
    "without weight decay": ({}, {"weight_decay": 0.0}),
    "with layers of one width": (
        {"blocks": ((24, 5, True), (24, 3, True), (24, 3, False), (24, 3, False))},
        {},
    ),
}
RATES = 0.005, 0.015, 0.03


def trained_without(name, seed, rate, x, y, callback, epochs):
    """The recipe, changed as LEFT_OUT says, after its training."""
    lesson.seed(seed)
    build, train = LEFT_OUT[name]
    model = cnn.build_mnist_cnn(**build)
    settings = {"learning_rate": rate, "epochs": epochs, "callbacks": [callback]}
    cnn.train_mnist_cnn(model, x, y, **settings, **train)
    return model


def ablation_runs(options):
    """A run a variant and seed. Short: one seed, 2,000 digits, one pass."""
    (x, y), (x_test, y_test) = data.mnist()
    seeds, epochs, held_out = (
        ([1], 1, 1000) if options.short else (options.seeds, 6, 10_000)
    )
    if options.short:
        x, y = x[:2000], y[:2000]
    for name in LEFT_OUT:
        on_validation = {}
        for rate in RATES:
            idle = table.scorer(lambda model: {})
            old, new = slice(0, -held_out), slice(-held_out, None)
            model = trained_without(name, 0, rate, x[old], y[old], idle, epochs)
            on_validation[rate] = craft.accuracy(model, x[new], y[new])
        rate = max(on_validation, key=on_validation.get)
        for seed in seeds:
            callback = table.scorer(
                lambda model: {"test accuracy": craft.accuracy(model, x_test, y_test)}
            )
            model = trained_without(name, seed, rate, x, y, callback, epochs)
            yield table.Run(
                task="MNIST CNN, an ingredient left out",
                recipe=f"{name}, rate {rate}",
                side="ours",
                seed=seed,
                curve=callback.curve,
                facts={"wall": callback.watch.wall, "parameters": model.count_params()},
            )


def measured(name, seed, digits, short=False):
    """The run of one recipe."""
    (x, y), (x_test, y_test) = digits
    recipe, train = RECIPES[name]
    peer, note = {}, ""
    if name == "official":
        epochs = 3 if short else OFFICIAL_EPOCHS
        recipe, peer = f"{recipe}, {epochs} epochs", {"epochs": epochs}
        note = f"The example has {OFFICIAL_EPOCHS} epochs." if short else ""

    def accuracy(model):
        return {"test accuracy": craft.accuracy(model, x_test, y_test)}

    lesson.seed(seed)
    callback = table.scorer(accuracy)
    model = train(x, y, callback, **peer)
    return table.Run(
        task="MNIST CNN",
        recipe=recipe,
        side="peer" if peer else "ours",
        seed=seed,
        curve=callback.curve,
        source=OFFICIAL if peer else "",
        note=note,
        facts={"wall": callback.watch.wall, "parameters": model.count_params()},
    )


def runs(options):
    """A run a recipe and seed; one seed only of the official example."""
    digits = data.mnist()
    seeds = [1] if options.short else options.seeds
    for name in RECIPES:
        if name in options.only:
            for seed in seeds[:1] if name == "official" else seeds:
                yield measured(name, seed, digits, options.short)


def show(runs):
    table.print_head("MNIST", ">seeds", ">mean accuracy", ">worst", ">CPU s", ">wall s",
                     ">parameters")  # fmt: skip
    costs = {}
    for group in table.grouped_as_they_come(runs, lambda run: run.recipe):
        accuracies = [run.end.quality["test accuracy"] for run in group]
        cpu, wall = table.mean_cost(group), np.mean([run.facts["wall"] for run in group])
        costs[group[0].recipe] = cpu
        quality = f"{np.mean(accuracies):.4f} | {min(accuracies):.4f}"
        cost = f"{cpu:.0f} | {wall:.0f} | {group[0].facts['parameters']:,}"
        print(f"| {group[0].recipe} | {len(group)} | {quality} | {cost} |", flush=True)
    peer = [cpu for name, cpu in costs.items() if name.startswith(RECIPES["official"][0])]
    ours = costs.get(RECIPES["ours"][0])
    if peer and ours:
        print(
            f"\nOur recipe costs {ours / peer[0]:.2f} of the official example's CPU time."
        )


def main():
    parser = table.parser(__doc__, "one seed, the official example for 3 epochs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument(
        "--ablation", action="store_true", help="leave one ingredient of ours out at a time"
    )
    options = parser.parse_args()
    chosen = ablation_runs if options.ablation else runs
    table.report(chosen(options), options, show)


if __name__ == "__main__":
    main()
