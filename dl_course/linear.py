"""Chapter 01: the models that came before depth, and two measures of what learning costs.

Linear regression, logistic regression, the perceptron and the nearest mean in NumPy;
a counter of arithmetic, a power-law fit and the timeline of three waves.

Features `x` (n, features), targets `y` (n,); a model is `weights` (features,) and `bias`.
"""

import math

import numpy as np

from dl_course import common

# ---------------------------------------------------------------- linear regression


def least_squares(x, y):
    """The (weights, bias) with the smallest squared error, in closed form.

    Legendre (1805): at the minimum all derivatives are 0, and these equations are linear.
    """
    x, y = _examples(x, y)
    with_ones = np.column_stack([x, np.ones(len(x))])  # (n, features + 1)
    *weights, bias = np.linalg.lstsq(with_ones, y, rcond=None)[0]
    return np.array(weights), bias


def squared_error(x, y, weights, bias):
    """L = 1/(2n) Σ (ŷ - y)². Keras's "mse" has no ½: it is twice as large."""
    x, y = _examples(x, y, weights)
    return np.mean((x @ weights + bias - y) ** 2) / 2


def squared_error_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `squared_error`: mean of error times input."""
    x, y = _examples(x, y, weights)
    error = x @ weights + bias - y  # (n,): prediction minus target
    return x.T @ error / len(x), error.mean()


def learning_rate_limit(x):
    """2/λmax: with a larger learning rate, gradient descent on `squared_error` diverges.

    λmax is the largest eigenvalue of the second derivative, XᵀX/n with a column of ones.
    """
    x = _features(x)
    with_ones = np.column_stack([x, np.ones(len(x))])
    return 2 / np.linalg.eigvalsh(with_ones.T @ with_ones / len(x))[-1]


def linear_regression_gd(x, y, *, learning_rate=0.1, tolerance=1e-6, max_steps=10_000):
    """Fit a line by gradient descent on all examples: (weights, bias, losses).

    Starts at zero, stops when no slope is steeper than `tolerance`. `losses` holds the loss
    before every step. Raises ValueError if the loss leaves the range of numbers.
    """
    return _descend(
        x, y, squared_error, squared_error_gradient, learning_rate, tolerance, max_steps
    )


def _descend(x, y, loss, gradient, learning_rate, tolerance, max_steps):
    """Downhill from zero: subtract the gradient, until it is flat."""
    common.positive(learning_rate, "learning_rate")  # a negative one climbs
    x, y = _examples(x, y)
    weights, bias, losses = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_steps):
        losses.append(loss(x, y, weights, bias))
        if not losses[-1] < 1e200:
            raise ValueError(
                f"learning_rate: expected one that lowers the loss, got {learning_rate}; "
                f"after {len(losses)} steps the loss is {losses[-1]:.3g}"
            )
        grad_w, grad_b = gradient(x, y, weights, bias)
        if max(abs(grad_w).max(), abs(grad_b)) <= tolerance:
            break
        weights = weights - learning_rate * grad_w
        bias = bias - learning_rate * grad_b
    return weights, bias, np.array(losses)


# ---------------------------------------------------------------- logistic regression


def sigmoid(z):
    """1 / (1 + exp(-z)), without overflow: exp only ever sees numbers ≤ 0.

    z: any shape; float32 stays float32. Of complex numbers the real part decides.
    """
    z = 1.0 * np.asarray(z)
    up = np.real(z) >= 0
    small = np.exp(np.where(up, -z, z))
    return np.where(up, 1, small) / (1 + small)


def binary_cross_entropy(y, logits):
    """Mean of -[y log p + (1 - y) log(1 - p)], p = sigmoid(logits), finite for any logit.

    Args:
        y: (n,) labels 0 or 1.
        logits: (n,) real numbers, before the sigmoid.

    Raises ValueError for other labels, and for (n,) against (n, 1), which would broadcast.
    """
    y, logits = _labels(y), np.asarray(logits, dtype=float)
    if logits.shape != y.shape:
        raise ValueError(f"logits: expected the shape of y, {y.shape}, got {logits.shape}")
    return np.mean(np.maximum(logits, 0) - logits * y + np.log1p(np.exp(-abs(logits))))


def logistic_loss(x, y, weights, bias):
    """Binary cross-entropy of the model P(y = 1 | x) = sigmoid(x·weights + bias)."""
    x, y = _examples(x, _labels(y), weights)
    return binary_cross_entropy(y, x @ weights + bias)


def logistic_gradient(x, y, weights, bias):
    """(∂L/∂weights, ∂L/∂bias) of `logistic_loss`: again mean of error times input."""
    x, y = _examples(x, _labels(y), weights)
    error = sigmoid(x @ weights + bias) - y  # (n,): probability minus label
    return x.T @ error / len(x), error.mean()


def logistic_regression_gd(x, y, *, learning_rate=0.5, tolerance=1e-4, max_steps=10_000):
    """Fit P(y = 1 | x) by gradient descent on all examples: (weights, bias, losses).

    As `linear_regression_gd`, with labels `y` (n,) of 0 and 1.
    """
    _labels(y)
    return _descend(
        x, y, logistic_loss, logistic_gradient, learning_rate, tolerance, max_steps
    )


# ---------------------------------------------------------------- perceptron, nearest mean


def perceptron(x, y, *, max_epochs=100):
    """Rosenblatt's rule (1958): after each mistake, move the weights by the input.

    Returns (weights, bias, mistakes), with the number of mistakes in every pass through the
    data. It stops after a pass without any: the last number is 0 if a line was found.
    """
    x, y = _examples(x, _labels(y))
    weights, bias, mistakes = np.zeros(x.shape[1]), 0.0, []
    for _ in range(max_epochs):
        wrong = 0
        for inputs, label in zip(x, y, strict=True):
            error = label - (inputs @ weights + bias > 0)  # -1, 0 or 1
            weights, bias = weights + error * inputs, bias + error
            wrong += int(error != 0)
        mistakes.append(wrong)
        if wrong == 0:
            break
    return weights, bias, mistakes


def class_means(x, y):
    """The mean example of each class 0, 1, …: (classes, features)."""
    x, y = np.asarray(x), np.asarray(y)  # no conversion: x may be large
    if x.ndim != 2 or y.shape != (len(x),):
        raise ValueError(
            f"x, y: expected shapes (n, features) and (n,), got {x.shape} and {y.shape}"
        )
    labels = np.unique(y)
    if not np.array_equal(labels, np.arange(len(labels))):
        raise ValueError(f"y: expected labels 0, 1, … without a gap, got {labels[:10]}")
    return np.stack([x[y == label].mean(axis=0, dtype=float) for label in labels])


def nearest_mean(means, x):
    """For each example the class whose mean is nearest: (n,) integers."""
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1:] != means.shape[1:]:
        raise ValueError(f"x: expected shape (n, {means.shape[1]}), got {x.shape}")
    return np.argmin((means**2).sum(axis=1) - 2 * x @ means.T, axis=1)  # |x|² is common


# ---------------------------------------------------------------- what learning costs

NO_PRODUCTS = {  # at most a few operations a number: nothing beside a product of matrices
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Dropout", "Flatten",
    "GlobalAveragePooling2D", "Identity", "InputLayer", "LeakyReLU", "MaxPooling2D",
    "Normalization", "RandomContrast", "RandomFlip", "RandomHue", "RandomRotation",
    "RandomTranslation", "RandomZoom", "ReLU", "Reshape", "Softmax",
}  # fmt: skip


def forward_flops(model):
    """Additions and multiplications of one example's way through a Keras model.

    Dense and convolution layers alone: two for each weight, at each place it is used.
    Raises ValueError for a layer that is neither one of these nor in NO_PRODUCTS.
    """
    total = 0
    for layer in model.layers:
        kind = type(layer).__name__
        if kind in ("Dense", "Conv1D", "Conv2D", "Conv3D"):
            places = math.prod(layer.output.shape[1:-1])  # 1 for a Dense on vectors
            total += 2 * places * math.prod(layer.kernel.shape)
        elif kind not in NO_PRODUCTS:
            raise ValueError(f"model: expected Dense and Conv layers, got {kind}")
    return total


def power_law(n, error):
    """(factor, exponent) of error ≈ factor · n^exponent: a line on log-log paper."""
    n, error = np.asarray(n, dtype=float), np.asarray(error, dtype=float)
    for name, values in (("n", n), ("error", error)):
        if values.ndim != 1 or not (values > 0).all():
            raise ValueError(f"{name}: expected positive numbers in a row, got {values}")
    (exponent,), log_factor = least_squares(np.log(n)[:, None], np.log(error))
    return np.exp(log_factor), exponent


# ---------------------------------------------------------------- figures


def plot_regions(axis, probability, x, y):
    """Shade the plane by `probability`, points (n, 2) to (n,), around examples `x`, `y`.

    The black line is where it crosses ½; label 0 is marked o, label 1 is marked +.
    """
    x, y = _examples(x, _labels(y))
    side = np.linspace(x.min() - 0.5, x.max() + 0.5, 201)
    points = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)  # (201 · 201, 2)
    shades = np.reshape(probability(points), (201, 201))
    axis.contourf(side, side, shades, np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.5)
    axis.contour(side, side, shades, [0.5], colors="#222222")
    for label, marker in ((0, "o"), (1, "P")):
        axis.plot(*x[y == label].T, marker, mec="white", label=f"label {label}")
    axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axis.grid(False)


WAVES = [  # first and last year, name, as Goodfellow et al. (2016) tell it
    (1943, 1969, "Cybernetics"),
    (1980, 1995, "Connectionism"),
    (2006, 2026, "Deep learning"),
]
EVENTS = [  # year, height, flag; later flags hang lower, so that no pole crosses one
    (1943, 4, "McCulloch & Pitts\na neuron as logic"),
    (1958, 3, "Rosenblatt\nperceptron"),
    (1965, 2, "Ivakhnenko\nmany layers"),
    (1969, 1, "Minsky &\nPapert: limits"),
    (1980, 4, "Fukushima\nNeocognitron"),
    (1986, 3, "Rumelhart et al.\nbackpropagation"),
    (1989, 2, "LeCun et al.\nhandwritten digits"),
    (1997, 1, "LSTM\nHochreiter &\nSchmidhuber"),
    (2006, 4, "Hinton et al.\ndeep belief nets"),
    (2012, 3, "Krizhevsky et al.\nImageNet on two GPUs"),
    (2017, 2, "Vaswani et al.\nTransformer"),
]


def plot_timeline():
    """Three waves of neural networks and eleven works, as a matplotlib Figure."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8.4, 3.6))
    for (start, end, name), color in zip(WAVES, ("C4", "C2", "C0"), strict=True):
        axis.axvspan(start, end, color=color, alpha=0.15, lw=0)
        axis.text((start + end) / 2, 4.6, name, ha="center", fontweight="bold")
    for year, height, flag in EVENTS:
        axis.vlines(year, 0, height, color="#666666", lw=1)
        axis.text(year + 0.6, height, f"{year} {flag}", fontsize=7.5, va="top")
    axis.set(xlim=(1941, 2030), ylim=(0, 5), yticks=[])
    axis.spines["left"].set_visible(False)
    axis.grid(False)
    return figure


# ---------------------------------------------------------------- checks


def _features(x):
    x = common.numbers(x, "x", "n", "features", hint="; one feature is x[:, None]")
    return x.astype(float)


def _examples(x, y, weights=None):
    """x and y as float arrays (n, features) and (n,); one weight for each feature."""
    x, y = _features(x), np.asarray(y, dtype=float)
    if y.shape != (len(x),):
        raise ValueError(
            f"y: expected shape {(len(x),)}, one number for each row of x, got {y.shape}"
        )
    if not (len(x) and np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x, y: expected finite numbers, got none, NaN or infinity")
    if weights is not None and np.shape(weights) != x.shape[1:]:
        raise ValueError(f"weights: expected shape {x.shape[1:]}, got {np.shape(weights)}")
    return x, y


def _labels(y):
    y = np.asarray(y, dtype=float)
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y: expected labels 0 and 1 only, got {np.unique(y)[:5]}")
    return y
