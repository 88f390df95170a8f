"""Generative adversarial networks. Made from notebooks/src/08_adversarial_networks.py: edit there."""  # noqa: E501

import keras


def normalized(layer):
    """The layer, batch normalization, then the activation: no ReLU before either."""
    leaky = keras.layers.LeakyReLU(negative_slope=0.2)
    return [layer, keras.layers.BatchNormalization(), leaky]


def build_document_players(*, noise=100, widths=(256, 512), channels=(64, 32)):
    """(G, D) of a tutorial, put right for digits (28, 28, 1) in [-1, 1]. Not compiled.

    G: dense layers, 7 x 7, two transposed convolutions to 14 x 14 and 28 x 28, tanh. D
    returns a logit. `widths` and `channels` are smaller than the tutorial's.
    """
    layers, (first, second) = keras.layers, channels
    stride = {"kernel_size": 4, "strides": 2, "padding": "same"}
    g = [keras.Input((noise,))]
    for units in (*widths, 7 * 7 * first):
        g += normalized(layers.Dense(units, use_bias=False))
    g += [layers.Reshape((7, 7, first))]
    g += normalized(layers.Conv2DTranspose(second, use_bias=False, **stride))
    g += [layers.Conv2DTranspose(1, activation="tanh", **stride)]
    d = [keras.Input((28, 28, 1))]
    for filters in (second, first):
        leaky = layers.LeakyReLU(negative_slope=0.2)
        d += [layers.Conv2D(filters, **stride), leaky, layers.Dropout(0.3)]
    d += [layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(g), keras.Sequential(d)
