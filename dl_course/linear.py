"""Background. Made from notebooks/src/01_background.py: edit there."""

import math

import numpy as np


def squared_error(x, y, weights, bias):
    """L = 1/(2n) Σ (ŷ - y)², for x (n, features), y (n,) and ŷ = x @ weights + bias.

    Keras's "mse" has no ½: it is twice as large.
    """
    return np.mean((x @ weights + bias - y) ** 2) / 2


def squared_error_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `squared_error`: (features,) and a number."""
    error = x @ weights + bias - y  # (n,): prediction minus target
    return x.T @ error / len(x), error.mean()


def gradient_descent(loss, gradient, x, y, *, learning_rate, tolerance, max_steps):
    """Go down from zero, all examples at each step: (weights, bias, losses).

    Args:
        loss, gradient: functions of (x, y, weights, bias).
        x, y: (n, features) and (n,).
        learning_rate, tolerance: length of a step; stop if no slope is steeper than this.

    `losses` holds the loss before each step. Raises ValueError for y of another shape,
    which would broadcast.
    """
    if np.shape(y) != (len(x),):
        raise ValueError(f"y: expected shape {(len(x),)}, like x, got {np.shape(y)}")
    weights, bias, losses = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_steps):
        losses.append(loss(x, y, weights, bias))
        by_weights, by_bias = gradient(x, y, weights, bias)
        if max(abs(by_weights).max(), abs(by_bias)) <= tolerance:
            break
        weights = weights - learning_rate * by_weights
        bias = bias - learning_rate * by_bias
    return weights, bias, np.array(losses)


def linear_regression_gd(x, y, *, learning_rate=0.1, tolerance=1e-6, max_steps=10_000):
    """Fit ŷ = x @ weights + bias by `gradient_descent` on the squared error."""
    return gradient_descent(
        squared_error, squared_error_gradient, x, y,
        learning_rate=learning_rate, tolerance=tolerance, max_steps=max_steps,
    )  # fmt: skip


def sigmoid(z):
    """1 / (1 + exp(-z)) of any shape, without overflow: exp only sees numbers ≤ 0.

    float32 stays float32. Of complex numbers the real part decides.
    """
    z = 1.0 * np.asarray(z)
    up = np.real(z) >= 0
    small = np.exp(np.where(up, -z, z))
    return np.where(up, 1, small) / (1 + small)


def binary_cross_entropy(y, logits):
    """Mean of log(1 + exp(z)) - y z over labels y, 0 or 1, and logits z, both (n,).

    Raises ValueError for two shapes: (n,) and (n, 1) would broadcast to (n, n).
    """
    if np.shape(logits) != np.shape(y):
        raise ValueError(
            f"logits: expected the shape of y, {np.shape(y)}, got {np.shape(logits)}"
        )
    return np.mean(np.logaddexp(0, logits) - y * logits)


def logistic_loss(x, y, weights, bias):
    """Cross-entropy of the model P(y = 1 | x) = sigmoid(x @ weights + bias)."""
    return binary_cross_entropy(y, x @ weights + bias)


def logistic_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `logistic_loss`: (features,) and a number."""
    error = sigmoid(x @ weights + bias) - y  # (n,): probability minus label
    return x.T @ error / len(x), error.mean()


def logistic_regression_gd(x, y, *, learning_rate=0.5, tolerance=1e-4, max_steps=10_000):
    """Fit P(y = 1 | x) by `gradient_descent` on the cross-entropy.

    Raises ValueError for labels other than 0 and 1: their loss has no minimum.
    """
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y: expected labels 0 and 1 only, got {np.unique(y)[:5]}")
    return gradient_descent(
        logistic_loss, logistic_gradient, x, y,
        learning_rate=learning_rate, tolerance=tolerance, max_steps=max_steps,
    )  # fmt: skip


NO_PRODUCTS = {  # at most a few operations a number: nothing beside a product of matrices
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Dropout", "Flatten",
    "GlobalAveragePooling2D", "Identity", "InputLayer", "LeakyReLU", "MaxPooling2D",
    "Normalization", "RandomContrast", "RandomFlip", "RandomHue", "RandomRotation",
    "RandomTranslation", "RandomZoom", "ReLU", "Reshape", "Softmax",
}  # fmt: skip


def layer_flops(layer):
    """Additions and multiplications of one example in a Dense or convolution layer.

    Two for each weight, at each place where it is used. 0 for layers in NO_PRODUCTS;
    ValueError for others.
    """
    kind = type(layer).__name__
    if kind in ("Dense", "Conv1D", "Conv2D", "Conv3D"):
        # 1 for a Dense layer on vectors
        places = math.prod(layer.output.shape[1:-1])
        return 2 * places * math.prod(layer.kernel.shape)
    if kind not in NO_PRODUCTS:
        raise ValueError(f"model: expected Dense and Conv layers, got {kind}")
    return 0


def forward_flops(model):
    """Additions and multiplications of one example's way through a Keras model."""
    return sum(layer_flops(layer) for layer in model.layers)
