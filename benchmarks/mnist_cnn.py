"""MNIST digits: the documents' network, the official Keras example, chapter 05's recipe.

    python -m benchmarks.mnist_cnn            about 20 minutes on two cores
    python -m benchmarks.mnist_cnn --short    one seed each, about 6 minutes

Accuracy on the 10,000 test digits after the last epoch, and what training cost: CPU
seconds of this process (all threads) and wall seconds. The official example is
`mnist_convnet` of keras.io (Chollet, 2015): architecture and settings as published.
"""

import argparse
import time

import numpy as np

from dl_course import cnn, data, lesson

OFFICIAL_EPOCHS = 15


def official_example(x, y):
    """keras.io/examples/vision/mnist_convnet, as published: 34,826 parameters."""
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
    settings = {"batch_size": 128, "epochs": OFFICIAL_EPOCHS, "validation_split": 0.1}
    model.fit(x, one_hot, verbose=0, **settings)
    return model


def documents_network(x, y, optimizer="adam"):
    """Document 000's network in its own setting: Adam, batches of 128, 5 epochs."""
    model = cnn.build_document_cnn()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=128, epochs=5, verbose=0)
    return model


def documents_network_repaired(x, y):
    """The same with a learning rate that sinks to zero, as in chapter 05."""
    import keras

    rate = keras.optimizers.schedules.CosineDecay(0.002, 5 * 469)
    return documents_network(x, y, keras.optimizers.Adam(rate))


def our_recipe(x, y):
    """Chapter 05's better recipe."""
    model = cnn.build_mnist_cnn()
    cnn.train_mnist_cnn(model, x, y)
    return model


def measure(train, seeds, digits):
    """(accuracies, CPU seconds, wall seconds, parameters), one value a seed."""
    (x, y), (x_test, y_test) = digits
    accuracies, cpu, wall = [], [], []
    for number in seeds:
        lesson.seed(number)
        started = time.process_time(), time.perf_counter()
        model = train(x, y)
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
        predicted = model.predict(x_test, batch_size=500, verbose=0).argmax(axis=1)
        accuracies.append(np.mean(predicted == y_test))
    return np.array(accuracies), np.array(cpu), np.array(wall), model.count_params()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed each")
    options = parser.parse_args()
    seeds = [1] if options.short else [1, 2, 3, 4, 5]
    digits = data.mnist()
    rows = [
        (f"official example, {OFFICIAL_EPOCHS} epochs", official_example, [1]),
        ("documents' network, 5 epochs, as published", documents_network, seeds),
        ("... with a sinking learning rate", documents_network_repaired, seeds),
        ("chapter 05's recipe", our_recipe, seeds),
    ]
    print("| MNIST | seeds | mean accuracy | worst | CPU s | wall s | parameters |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    costs = []
    for name, train, its_seeds in rows:
        accuracies, cpu, wall, parameters = measure(train, its_seeds, digits)
        costs.append(cpu.mean())
        quality = f"{accuracies.mean():.4f} | {accuracies.min():.4f}"
        cost = f"{cpu.mean():.0f} | {wall.mean():.0f} | {parameters:,}"
        print(f"| {name} | {len(its_seeds)} | {quality} | {cost} |", flush=True)
    print(
        f"\nOur recipe costs {costs[-1] / costs[0]:.2f} of the official example's CPU time."
    )


if __name__ == "__main__":
    main()
