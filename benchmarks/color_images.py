"""Color pictures: the documents' network and a residual one, on emoji and on CIFAR-10.

    python -m benchmarks.color_images            emoji, five seeds, about 20 minutes
    python -m benchmarks.color_images --short    emoji, one seed, about 4 minutes
    python -m benchmarks.color_images --cifar    CIFAR-10, one seed, about 10 minutes

Accuracy on test pictures after the last epoch (emoji: halved as in chapter 05b, of
concepts not in training), and CPU seconds of this process (all threads). CIFAR-10 is taken
as `data.cifar10` says: from $DL_COURSE_DATA/cifar10.npz or Keras's cache. --only TEXT:
rows that contain TEXT.
"""

import argparse
import functools
import math
import time

import numpy as np

from dl_course import common, craft, data, lesson
from tools.chapters import definitions

vision = definitions("05b")


def halved_emoji():
    """(x, y), (x_test, y_test): both artists' emoji, no test concept in training."""
    drawn, splits = data.emoji(), []
    for rows in (~drawn["is_test"], drawn["is_test"]):
        x = np.concatenate([drawn[artist][rows] for artist in ("google", "twitter")])
        splits.append((vision.halve(x), np.tile(drawn["labels"][rows], 2)))
    return splits


def documents_network(augment, epochs, batch_size, *, sinking=False):
    """Document 001's network in its own setting: Adam, rate 0.001.

    With `sinking` the rate falls from 0.002 to zero along a cosine, as in chapter 05.
    """

    def make(x, y, classes):
        import keras

        model = vision.build_document_color_cnn(x, classes, augment())
        steps = epochs * math.ceil(len(x) / batch_size)
        rate = keras.optimizers.schedules.CosineDecay(0.002, steps) if sinking else 0.001
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
        return model

    return make


def by_our_recipe(build, epochs):
    """A network trained by `vision.train`."""

    def make(x, y, classes):
        model = build(x, classes)
        vision.train(model, x, y, epochs=epochs)
        return model

    return make


def ten_looks(predict, x, shift=2):
    """Mean probabilities (n, classes) of each picture, in place and moved four ways, and
    of the same five in the mirror. `predict(x)` gives probabilities; borders repeat.
    """
    height, width = x.shape[1:3]
    wide = np.pad(x, [(0, 0), (shift, shift), (shift, shift), (0, 0)], mode="edge")
    total = 0
    for i, j in [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]:
        look = wide[:, shift * i :, shift * j :][:, :height, :width]
        total = total + predict(look) + predict(look[:, :, ::-1])
    return total / 10


def assembled(name, augment=vision.augmentation, filters=(16, 32, 64)):
    """A maker of a network of section 3: five of them differ in their block alone."""

    def build(x, classes):
        if name == "ViT":
            return vision.with_head(vision.build_vit_features(), classes)
        block = getattr(vision, f"{name}_block")
        options = {"filters": filters, "size": x.shape[1]}
        features = vision.build_features(block, augment(), **options)
        return vision.with_head(features, classes)

    return build


def plain(x, classes):
    return vision.build_document_color_cnn(x, classes, vision.augmentation())


EMOJI = {
    "documents' network": documents_network(list, 14, 64),
    "... with augmentation": documents_network(vision.augmentation, 14, 64),
    "... by our recipe": by_our_recipe(plain, 14),
    "residual network by our recipe": by_our_recipe(assembled("residual"), 8),
    "... without augmentation": by_our_recipe(assembled("residual", list), 8),
    "... without shortcuts (VGG)": by_our_recipe(assembled("vgg"), 8),
    "... with Inception's blocks": by_our_recipe(assembled("inception"), 8),
    "... with MobileNet's": by_our_recipe(assembled("separable"), 8),
    "... with ConvNeXt's": by_our_recipe(assembled("convnext"), 8),
    "a vision Transformer, without augmentation": by_our_recipe(assembled("ViT"), 8),
    "residual, wider, 30 epochs": by_our_recipe(
        assembled("residual", filters=(32, 64, 128)), 30
    ),
}
CIFAR10 = {
    "documents' network, augmented, 10 epochs": documents_network(
        vision.augmentation, 10, 32
    ),
    "... with a sinking learning rate": documents_network(
        vision.augmentation, 10, 32, sinking=True
    ),
    "documents' network, 10 epochs": documents_network(list, 10, 32),
    "residual network by our recipe, 7 epochs": by_our_recipe(
        assembled("residual", filters=(32, 64, 128)), 7
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed each")
    parser.add_argument("--cifar", action="store_true", help="CIFAR-10, one seed")
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    if options.cifar:
        (x, y), (x_test, y_test) = data.cifar10()
    else:
        (x, y), (x_test, y_test) = halved_emoji()
    seeds = [1] if options.short or options.cifar else [1, 2, 3, 4, 5]
    name = "CIFAR-10" if options.cifar else "emoji"
    print(f"| {name} | seeds | mean accuracy | worst | ten looks | CPU s | products, M |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for row, make in (CIFAR10 if options.cifar else EMOJI).items():
        if options.only not in row:
            continue
        accuracies, looks, cpu = [], [], []
        for number in seeds:
            lesson.seed(number)
            start = time.process_time()
            model = make(x, y, int(y.max()) + 1)
            cpu.append(time.process_time() - start)
            accuracies.append(craft.accuracy(model, x_test, y_test))
            p = ten_looks(functools.partial(common.predict, model), x_test)
            looks.append(np.mean(p.argmax(axis=1) == y_test))
        quality = (
            f"{np.mean(accuracies):.4f} | {min(accuracies):.4f} | {np.mean(looks):.4f}"
        )
        cost = f"{np.mean(cpu):.0f} | {vision.multiplications(model) / 1e6:.2f}"
        print(f"| {row} | {len(seeds)} | {quality} | {cost} |", flush=True)


if __name__ == "__main__":
    main()
