"""Color images. Made from notebooks/src/05b_color_images.py: edit there."""

import keras
import numpy as np
from keras import layers

from dl_course.common import predict


def augmentation():
    """Mirror left and right, turn by up to 10 degrees, move by up to a tenth of the size.

    Three Keras layers for color pictures; in use they do nothing.
    """
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="nearest"),  # in full turns
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
    ]


def standardization(x_train):
    """A layer for (x - mean) / deviation by channel, from float pictures (n, h, w, 3)."""
    if x_train.ndim != 4 or x_train.shape[3] != 3 or x_train.dtype.kind != "f":
        wanted = "expected floats of shape (n, height, width, 3)"
        raise ValueError(f"x_train: {wanted}, got {x_train.dtype} {x_train.shape}")
    mean = x_train.mean(axis=(0, 1, 2), dtype=float)
    variance = x_train.var(axis=(0, 1, 2), dtype=float)
    return layers.Normalization(mean=mean, variance=variance)


def build_document_color_cnn(x_train, classes, augment=()):
    """The CIFAR-10 network for pictures like `x_train` (n, h, w, 3). Not compiled.

    `augment`: layers to come first. 315,722 trained weights for 32 x 32 and 10 classes.
    """
    stack = [
        keras.Input(x_train.shape[1:]),
        *augment,
        standardization(x_train),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(stack)


def train_color_cnn(
    model, x, y, *, epochs=10, learning_rate=0.001, batch_size=64, callbacks=()
):
    """Compile with Adam and cross-entropy, fit to labels y (n,), return the history."""
    adam = keras.optimizers.Adam(learning_rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    return model.fit(x, y, callbacks=[*callbacks], **options)


def evaluate(model, x, y):
    """(share of right answers, mean of -log p of the label y) on pictures it is shown."""
    p = predict(model, x)  # (n, classes), random layers silent
    truth = np.clip(p[np.arange(len(y)), y], 1e-12, 1)
    return np.mean(p.argmax(axis=1) == y), -np.mean(np.log(truth))
