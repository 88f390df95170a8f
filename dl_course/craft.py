"""The craft around a network: clean, split and scale a table; build, judge a model.

Chapter 02's second half. One example a row; y_true and y_pred stand in Keras's order.
"""

import numpy as np

from dl_course import common, network

# ---------------------------------------------------------------- a table

ORIGINS = ["USA", "Europe", "Japan"]
MISSPELLED = {"chevroelt": "chevrolet", "chevy": "chevrolet", "vw": "volkswagen",
              "vokswagen": "volkswagen", "maxda": "mazda", "toyouta": "toyota"}  # fmt: skip
CAR_LIMITS = {"Miles_per_Gallon": (5, 60), "Displacement": (50, 600),
              "Horsepower": (30, 400), "Weight_in_lbs": (1200, 6500),
              "Acceleration": (4, 35)}  # fmt: skip


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
    columns = ["Cylinders", "Displacement", "Horsepower", "Weight_in_lbs", "Acceleration"]
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
    filled = np.empty(len(names))  # share of all rows up to the middle of each group
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


# ---------------------------------------------------------------- judging a model


def accuracy(model, x, y):
    """The share of rows of x whose largest output is the one at their label y (n,).

    model: a Keras model, or a network as a list of (weights, bias, activation).
    """
    by_hand = isinstance(model, list)
    scores = network.forward(x, model)[-1] if by_hand else common.predict(model, x)
    return float(np.mean(scores.argmax(axis=1) == common.integers(y, "y", len(x))))


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


def calibration(confidence, correct, bins=10):
    """Is a network right as often as it says? Equally wide bins of confidence in [0, 1].

    Returns (mean confidence, share correct, count) of those that are not empty.
    """
    confidence = common.numbers(confidence, "confidence", "n")
    correct = common.numbers(correct, "correct", len(confidence))
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError("confidence: expected probabilities in [0, 1]")
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    full = count > 0
    sums = [np.bincount(bin_of, weights=v, minlength=bins) for v in (confidence, correct)]
    return sums[0][full] / count[full], sums[1][full] / count[full], count[full]


# ---------------------------------------------------------------- Keras


def build_mlp(inputs, outputs, units=64, depth=2, rate=0.0, decay=0.0):
    """`depth` ReLU layers, each followed by dropout, and an output of scores. Uncompiled.

    rate: share of units that dropout silences; decay: λ of the penalty λ Σ w².
    """
    import keras

    model = keras.Sequential([keras.Input((inputs,))])
    for _ in range(depth):
        penalty = keras.regularizers.L2(decay)
        model.add(keras.layers.Dense(units, "relu", kernel_regularizer=penalty))
        model.add(keras.layers.Dropout(rate))
    model.add(keras.layers.Dense(outputs))
    return model


# ---------------------------------------------------------------- figures


def plot_cars(rows):
    """Miles per gallon by weight, one marker an origin. Returns a matplotlib Figure."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.4))
    for origin, marker in zip(ORIGINS, "os^", strict=True):
        some = [row for row in rows if row["Origin"] == origin]
        x = [row["Weight_in_lbs"] for row in some]
        y = [row["Miles_per_Gallon"] for row in some]
        axis.scatter(x, y, 18, marker=marker, alpha=0.6, label=origin)
    axis.set(xlabel="weight (pounds)", ylabel="miles per gallon")
    axis.legend()
    return figure


def plot_runs(histories):
    """Validation accuracy by epoch, one line a run; {name: what `fit(...).history` holds}.

    The first run's accuracy on its own training labels is dotted. Returns a Figure.
    """
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7.2, 3.2))
    for (name, history), style in zip(
        histories.items(), ["-", "--", "-.", "o-"], strict=True
    ):
        axis.plot(history["val_accuracy"], style, label=name, alpha=0.9)
    first = next(iter(histories))
    label = f"{first}, on its own labels"
    axis.plot(histories[first]["accuracy"], ":", color="#777777", label=label)
    axis.set(xlabel="epoch, from 0", ylabel="accuracy")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
