"""Core concepts. Made from notebooks/src/02_core_concepts.py: edit there."""

import keras
import numpy as np

from dl_course import common
from dl_course.linear import sigmoid


def softplus(z):
    """log(1 + e^z), a smooth ReLU, in (0, ∞); without overflow."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softmax(z):
    """e^z_k / Σ_j e^z_j along the last axis: probabilities that sum to 1.

    A constant added to a row cancels. We subtract its maximum: no power exceeds 1.
    """
    z = np.asarray(z)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS = {  # name: f(z), f'(z)
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.heaviside(z, 0)),
    "leaky_relu": (
        lambda z: np.maximum(z, 0.2 * z),
        lambda z: 0.2 + 0.8 * np.heaviside(z, 0),
    ),
    "softplus": (softplus, sigmoid),
    "silu": (
        lambda z: z * sigmoid(z),
        lambda z: sigmoid(z) * (1 + z * sigmoid(-z)),
    ),
    "softmax": (softmax, None),  # no function of each number alone
}


def activate(name, z):
    """f(z) of the activation called `name`, a key of ACTIVATIONS; the shape of z."""
    common.one_of(name, "name", ACTIVATIONS)
    return ACTIVATIONS[name][0](common.numbers(z, "z"))


def slope(name, z):
    """f'(z) of the activation called `name`, which works element by element."""
    _, derivative = ACTIVATIONS[common.one_of(name, "name", ACTIVATIONS)]
    if derivative is None:
        raise ValueError(f"name: expected an element-wise activation, got {name!r}")
    return derivative(common.numbers(z, "z"))


def dense(x, weights, bias, activation="linear"):
    """A layer: a = f(x W + b).

    x (batch, inputs), weights (inputs, units), bias (units,) -> a (batch, units).
    """
    x, weights, bias = common.numbers(x, "x"), np.asarray(weights), np.asarray(bias)
    shapes = x.shape[1:], weights.shape, bias.shape
    if x.ndim != 2 or weights.ndim != 2 or shapes[1] != (*shapes[0], *shapes[2]):
        got = f"{x.shape}, {weights.shape}, {bias.shape}"
        expected = "(batch, inputs), (inputs, units), (units,)"
        raise ValueError(f"x, weights, bias: expected {expected}, got {got}")
    return activate(activation, x @ weights + bias)  # (batch, units)


def forward(x, layers):
    """All activations [a0 = x, a1, ..., aL]: each layer takes the one before.

    layers: a list of (weights, bias, name of the activation).
    """
    activations = [common.numbers(x, "x")]
    for weights, bias, name in layers:
        activations.append(dense(activations[-1], weights, bias, name))
    return activations


def initial_weights(inputs, units, scheme, rng):
    """Weights of shape (inputs, units) to start from.

    `scheme`: "zeros"; "ones"; "large", normal with deviation 1; "glorot", uniform in
    ±√(6 / (inputs + units)); "he", uniform in ±√(6 / inputs). `rng`: a NumPy Generator.
    """
    common.one_of(scheme, "scheme", ["zeros", "ones", "large", "glorot", "he"])
    shape = (inputs, units)
    if scheme in ("zeros", "ones"):
        return np.full(shape, float(scheme == "ones"))
    if scheme == "large":
        return rng.normal(size=shape)
    limit = np.sqrt(6 / (inputs + units if scheme == "glorot" else inputs))
    return rng.uniform(-limit, limit, shape)


def initial_layers(sizes, activations, rng, *, scheme="glorot"):
    """A network: a list of (weights, bias, activation), biases 0.

    `sizes`: inputs, then the units of each layer; `activations`: one name a layer.
    """
    if len(activations) != len(sizes) - 1:
        got = f"{len(activations)} for {len(sizes) - 1} layers"
        raise ValueError(f"activations: expected one for each layer, got {got}")
    return [
        (initial_weights(inputs, units, scheme, rng), np.zeros(units), name)
        for inputs, units, name in zip(sizes, sizes[1:], activations, strict=False)
    ]


def build_twin(layers):
    """The same network in Keras, with the same weights. Uncompiled."""
    model = keras.Sequential([keras.Input((len(layers[0][0]),))])
    for weights, bias, name in layers:
        model.add(keras.layers.Dense(len(bias), activation=name))
        model.layers[-1].set_weights([weights, bias])
    return model


def log_sum_exp(z, axis=-1):
    """log Σ e^z along an axis; without overflow, as for `softmax`."""
    z = np.asarray(z)
    top = z.max(axis=axis, keepdims=True)
    return np.log(np.exp(z - top).sum(axis=axis)) + top.squeeze(axis)


def categorical_crossentropy(y_true, y_pred, *, from_logits=False):
    """mean over the rows of -Σ_k y_k log p_k, with one-hot (or soft) labels y.

    y_true and y_pred are (batch, classes). y_pred holds probabilities, clipped as in
    Keras, or, with `from_logits`, logits z: then the loss is log Σ_k e^(z_k - Σ_j y_j z_j).
    """
    p, y = common.alike(y_pred, y_true, "y_pred", "y_true")
    if from_logits:
        return np.mean(log_sum_exp(p - (y * p).sum(axis=-1, keepdims=True)))
    if p.min() < 0 or np.abs(p.sum(axis=-1) - 1).max() > 1e-3:
        raise ValueError("y_pred: expected rows of sum 1; logits need from_logits=True")
    return -np.mean((y * np.log(np.clip(p, 1e-7, 1 - 1e-7))).sum(axis=-1))


ORIGINS = ["USA", "Europe", "Japan"]
MISSPELLED = {
    "chevroelt": "chevrolet",
    "chevy": "chevrolet",
    "vw": "volkswagen",
    "vokswagen": "volkswagen",
    "maxda": "mazda",
    "toyouta": "toyota",
}
CAR_LIMITS = {
    "Miles_per_Gallon": (5, 60),
    "Displacement": (50, 600),
    "Horsepower": (30, 400),
    "Weight_in_lbs": (1200, 6500),
    "Acceleration": (4, 35),
}


def clean_cars(rows):
    """Repair the rows of data.cars(); new rows come back, the old ones stay as they are.

    Makers are spelled in one way; a number that no car of the time had becomes None; rows
    without Miles_per_Gallon go, and rows that repeat one before in all but the year.
    Nothing is estimated from the table. Doing it twice changes nothing.
    """
    clean, seen = [], set()
    for row in rows:
        maker, *model = row["Name"].lower().split()
        row = row | {"Name": " ".join([MISSPELLED.get(maker, maker), *model])}
        for column, (low, high) in CAR_LIMITS.items():
            if row[column] is not None and not low <= row[column] <= high:
                row[column] = None
        key = tuple(row[column] for column in sorted(row) if column != "Year")
        if row["Miles_per_Gallon"] is not None and key not in seen:
            seen.add(key)
            clean.append(row)
    return clean


def car_arrays(rows):
    """(x, miles, origin) of n clean rows, to learn from.

    x (n, 6) float with NaN where missing: cylinders, displacement, horsepower, weight,
    acceleration, year; miles (n,) per gallon; origin (n,), an index into ORIGINS.
    """
    columns = (
        "Cylinders",
        "Displacement",
        "Horsepower",
        "Weight_in_lbs",
        "Acceleration",
    )
    x = np.array([[row[column] for column in columns] for row in rows], float)
    year = [int(row["Year"][:4]) for row in rows]
    miles = np.array([row["Miles_per_Gallon"] for row in rows], float)
    origin = np.array([ORIGINS.index(row["Origin"]) for row in rows])
    return np.column_stack([x, year]), miles, origin


def split_groups(groups, fractions, rng):
    """Index arrays of the parts of a split; all rows of one group go to one part.

    `groups`: one name a row; `fractions`: such as (0.6, 0.2, 0.2). The split depends on
    the names and `rng`, not on the rows' order or values.
    """
    if min(fractions) <= 0 or not np.isclose(sum(fractions), 1):
        raise ValueError(f"fractions: expected parts > 0 of sum 1, got {fractions}")
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    filled = np.empty(len(names))  # share of rows up to the middle of each group
    filled[order] = (np.cumsum(sizes[order]) - sizes[order] / 2) / len(groups)
    part = np.searchsorted(np.cumsum(fractions)[:-1], filled)[group]
    parts = [np.flatnonzero(part == k) for k in range(len(fractions))]
    if not all(map(len, parts)):
        sizes = f"{[*map(len, parts)]} rows out of {len(names)} groups"
        raise ValueError(f"groups: expected some for each part, got {sizes}")
    return parts


def fit_statistics(x):
    """What `preprocess` needs, from training rows alone: x (rows, columns) with NaN."""
    if np.ndim(x) != 2 or np.isnan(x).all(axis=0).any():
        raise ValueError("x: expected (rows, columns), in each column a number")
    median = np.nanmedian(x, axis=0)
    filled = np.where(np.isnan(x), median, x)
    deviation = filled.std(axis=0)
    deviation[deviation == 0] = 1
    return {"median": median, "mean": filled.mean(axis=0), "deviation": deviation}


def preprocess(x, statistics):
    """Missing values become the median, then z = (x - mean) / deviation; x stays."""
    filled = np.where(np.isnan(x), statistics["median"], x)
    return ((filled - statistics["mean"]) / statistics["deviation"]).astype(np.float32)


def build_mlp(inputs, outputs, units=64, depth=2, dropout=0.0, decay=0.0):
    """`depth` ReLU layers, each followed by dropout, and an output of logits. Uncompiled.

    dropout: share of units that dropout silences; decay: λ of the L2 penalty λ Σ w².
    """
    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(depth):
        penalty = keras.regularizers.L2(decay)
        model.add(keras.layers.Dense(units, "relu", kernel_regularizer=penalty))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(outputs))
    return model


def confusion_matrix(y_true, y_pred, classes):
    """Counts (classes, classes): row = true class, column = predicted class."""
    y_true = common.integers(y_true, "y_true", "n", below=classes)
    y_pred = common.integers(y_pred, "y_pred", len(y_true), below=classes)
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


def precision_recall(matrix):
    """(precision, recall) of each class, NaN where there is nothing to divide by.

    Precision: the share of right ones among those predicted as the class (a column);
    recall: among those that are of the class (a row).
    """
    matrix = np.asarray(matrix)
    hits = np.diag(matrix)
    with np.errstate(invalid="ignore"):
        return hits / matrix.sum(axis=0), hits / matrix.sum(axis=1)


def accuracy(model, x, y):
    """The share of rows of x whose largest output is the one at their label y (n,).

    model: a Keras model, or a network as a list of (weights, bias, activation).
    """
    outputs = forward(x, model)[-1] if isinstance(model, list) else common.predict(model, x)
    return float(np.mean(outputs.argmax(axis=1) == common.integers(y, "y", len(x))))
