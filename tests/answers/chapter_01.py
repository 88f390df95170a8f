"""Chapter 01: second right solutions, and typical wrong ones with the message they get."""

import math

import numpy as np

# ---------------------------------------------------------------- 01.2


def bayes_by_correlation(tau):
    correlation = math.sqrt(2 / (2 + tau**2))
    return 0.5 + math.asin(correlation) / math.pi


def bayes_simulated(tau):
    s, e = np.random.default_rng(0).normal(size=(2, 100_000))
    return np.mean((2**0.5 * s + tau * e > 0) == (s > 0))


# ---------------------------------------------------------------- 01.3

XOR = ([[1, 1], [1, 1]], [-0.5, -1.5], [1, -1], -0.5)
NOT_XOR = ([[1, 1], [1, 1]], [-0.5, -1.5], [-1, 1], 0.5)
AND = ([[1, 1], [1, 1]], [-1.5, -1.5], [1, 1], -0.5)
NEITHER = ([[-1, 0], [-1, 0]], [0.5, 0], [1, 0], -0.5)
LAZY = (np.zeros((2, 2)), np.zeros(2), np.zeros(2), 1)
FIRST = ([[1, 0], [0, 1]], [-0.5, -0.5], [1, 0], -0.5)

# ---------------------------------------------------------------- 01.5


def neighbors_by_loop(x_train, y_train, x, k):
    answers = []
    for point in x:
        distances = np.linalg.norm(x_train - point, axis=1)
        votes = y_train[np.argpartition(distances, k - 1)[:k]].tolist()
        answers.append(max(set(votes), key=votes.count))
    return answers


def sorted_neighbors(x_train, x, k, power=2, sign=1):
    distances = (abs(x[:, None] - x_train[None]) ** power).sum(axis=-1)
    return np.argsort(sign * distances, axis=1)[:, :k]


def majority(votes):
    return np.array([np.bincount(row).argmax() for row in votes])


def neighbors_with(**options):
    def neighbors(x_train, y_train, x, k):
        return majority(y_train[sorted_neighbors(x_train, x, k, **options)])

    return neighbors


def neighbors_places(x_train, y_train, x, k):
    return sorted_neighbors(x_train, x, k)[:, 0] + 100


def neighbors_fixed(count):
    def neighbors(x_train, y_train, x, k):
        return majority(y_train[sorted_neighbors(x_train, x, count)])

    return neighbors


def neighbors_all_votes(x_train, y_train, x, k):
    return y_train[sorted_neighbors(x_train, x, k)]


def neighbors_mean(x_train, y_train, x, k):
    return y_train[sorted_neighbors(x_train, x, k)].mean(axis=1) + 0.5


def neighbors_median(x_train, y_train, x, k):
    return np.median(y_train[sorted_neighbors(x_train, x, k)], axis=1)


def neighbors_by_product(x_train, y_train, x, k):
    return majority(y_train[np.argsort(-x @ x_train.T, axis=1)[:, :k]])


def neighbors_of_all(x_train, y_train, x, k):
    return np.full(len(x), np.bincount(y_train).argmax())


def neighbors_squared_sum(x_train, y_train, x, k):
    distances = (x[:, None] - x_train[None]).sum(axis=-1) ** 2
    return majority(y_train[np.argsort(distances, axis=1)[:, :k]])


# ---------------------------------------------------------------- 01.6


def poisson_by_loop(x, y, weights, bias):
    loss, by_weights, by_bias = 0.0, np.zeros(len(weights)), 0.0
    for row, count in zip(x, y, strict=True):
        rate = math.exp(row @ weights + bias)
        loss += (rate - count * math.log(rate)) / len(x)
        by_weights += (rate - count) * row / len(x)
        by_bias += (rate - count) / len(x)
    return [loss, list(by_weights), by_bias]


def poisson_with(sign=1.0, scale=1.0, loss_sign=1.0, link=np.exp, extra=False):
    def poisson(x, y, weights, bias):
        z = x @ weights + bias
        error = link(z) - y
        n = len(x) if scale == "n" else 1.0
        loss = loss_sign * n * np.mean(np.exp(z) - y * z)
        if extra:
            loss += np.mean([math.lgamma(count + 1) for count in y])
        return loss, sign * n * x.T @ error / len(x), sign * n * error.mean()

    return poisson


def poisson_sum_by_bias(x, y, weights, bias):
    loss, by_weights, by_bias = poisson_by_loop(x, y, weights, bias)
    return loss, by_weights, by_bias * len(x)


def poisson_gradient_alone(x, y, weights, bias):
    return poisson_by_loop(x, y, weights, bias)[1:]


# ---------------------------------------------------------------- 01.7


def softmax_by_columns(x, y, classes, learning_rate, steps):
    """The same with the bias as one more weight, and log-sum-exp."""
    x = np.column_stack([x, np.ones(len(x))]).astype(np.longdouble)
    W = np.zeros((x.shape[1], classes), np.longdouble)
    for _ in range(steps):
        z = x @ W
        z -= z.max(axis=1)[:, None]
        p = np.exp(z - np.log(np.exp(z).sum(axis=1))[:, None])
        p[np.arange(len(y)), y] -= 1
        W -= learning_rate * (x.T @ p) / len(x)
    return W[:-1].astype(float), W[-1].astype(float)


def softmax_with(
    sign=-1, mean=True, shift=True, bias=True, found=False, extra=0, start=0.0, axis=1
):
    def fit(x, y, classes, learning_rate, steps):
        classes = y.max() + 1 if found else classes
        W, b = np.full((x.shape[1], classes), start), np.zeros(classes)
        for _ in range(steps + extra):
            z = x @ W + b
            powers = np.exp(z - z.max(axis=1, keepdims=True) * shift)
            error = powers / powers.sum(axis=axis, keepdims=True) - np.eye(classes)[y]
            scale = sign * learning_rate / (len(x) if mean else 1)
            W, b = W + scale * x.T @ error, b + scale * error.sum(axis=0) * bias
        return W, b

    return fit


def softmax_one_by_one(x, y, classes, learning_rate, steps):
    W, b = np.zeros((x.shape[1], classes)), np.zeros(classes)
    for _ in range(steps):
        for i in range(len(x)):
            error = np.exp(x[i] @ W + b - (x[i] @ W + b).max())
            error = error / error.sum() - np.eye(classes)[y[i]]
            W, b = W - learning_rate * np.outer(x[i], error), b - learning_rate * error
    return W, b


# ---------------------------------------------------------------- 01.8


def honest_by_loop(x_train, y_train, x_test, y_test):
    best, chosen = -1.0, None
    for j in range(x_train.shape[1]):
        for flip in (0, 1):
            right = np.mean(((x_train[:, j] > 0) != flip) == y_train)
            if right > best:
                best, chosen = right, (j, flip)
    j, flip = chosen
    return float(np.mean(((x_test[:, j] > 0) != flip) == y_test))


def agreements(x_train, y_train, x_test, y_test):
    return [
        np.mean((x > 0) == y[:, None], axis=0)
        for x, y in ((x_train, y_train), (x_test, y_test))
    ]


def still_leaking(*rows):
    old, new = agreements(*rows)
    return np.where(old < 0.5, 1 - new, new).max()


def direction_from_test(*rows):
    old, new = agreements(*rows)
    best = np.argmax(np.maximum(old, 1 - old))
    return max(new[best], 1 - new[best])


def in_training(*rows):
    old, _ = agreements(*rows)
    return np.maximum(old, 1 - old).max()


def without_direction(*rows):
    old, new = agreements(*rows)
    return new[np.argmax(old)]


def direction_forgotten(*rows):
    old, new = agreements(*rows)
    return new[np.argmax(np.maximum(old, 1 - old))]


def chosen_by_all(x_train, y_train, x_test, y_test):
    every = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    return honest_by_loop(*every, x_test, y_test)


def all_vote(*rows):
    old, new = agreements(*rows)
    return np.where(old < 0.5, 1 - new, new).mean()


# ---------------------------------------------------------------- 01.9

CONTROL, LINE, MIDDLE = 2.907143, 3.315542, 3.5

RIGHT = {
    "01.2": [bayes_by_correlation, lambda tau: 0.5 + np.arctan2(2**0.5, tau) / np.pi],
    "01.3": [NOT_XOR, [np.array([[-3, 2], [-3, 2]]), (1, -3), np.array([5, 4]), -1.0]],
    "01.5": [neighbors_by_loop],
    "01.6": [poisson_by_loop],
    "01.7": [softmax_by_columns],
    "01.8": [honest_by_loop],
    "01.9": [[CONTROL, LINE, MIDDLE], np.array([CONTROL, LINE, MIDDLE + 0.1])],
}

WRONG = {
    "01.2": [
        (lambda tau: np.arctan(tau / np.sqrt(2)) / np.pi, "flips the label"),
        (lambda tau: 1 - np.arctan(tau / np.sqrt(2)) / (2 * np.pi), "two wedges"),
        (lambda tau: 1 - np.arctan(tau) / np.pi, "standard deviation √2"),
        (lambda tau: 1 - np.degrees(np.arctan(tau / 2**0.5)) / np.pi, "radians"),
        (lambda tau: 1 - np.arctan(1 / np.sqrt(2)) / np.pi, "depend on tau"),
        (lambda tau: 1 - tau / 4, "the rate is 0."),
        (lambda tau: 1 - np.arctan(min(tau, 1) / 2**0.5) / np.pi, "depend on tau"),
        (bayes_simulated, "A simulation is not exact"),
    ],
    "01.3": [
        (XOR, "That is XOR"),
        (AND, "That is AND"),
        (NEITHER, "forgets 1, 1"),
        (LAZY, "It says 1 to everything"),
        (FIRST, "it says [0, 0, 1, 1]"),
        (XOR[:3], "four things"),
        (([1, 1], *NOT_XOR[1:]), "W should have shape (2, 2)"),
        (("a", *NOT_XOR[1:]), "W should be numbers"),
    ],
    "01.5": [
        (neighbors_with(sign=-1), "farthest"),
        (neighbors_with(power=1), "squared one"),
        (neighbors_places, "no labels"),
        (neighbors_mean, "no labels"),
        (neighbors_fixed(1), "let all k of them vote"),
        (neighbors_fixed(5), " vote"),
        (neighbors_all_votes, "One label for each row"),
        (neighbors_median, "most votes"),
        (neighbors_by_product, "squared one"),
        (neighbors_of_all, "most votes"),
        (neighbors_squared_sum, "most votes"),
    ],
    "01.6": [
        (poisson_with(sign=-1.0), "sign is reversed"),
        (poisson_with(scale="n"), "take the mean"),
        (poisson_with(loss_sign=-1.0), "minus it is the loss"),
        (poisson_with(link=lambda z: z), "exp(z), not z"),
        (poisson_with(extra=True), "Leave out log y!"),
        (poisson_sum_by_bias, "mean, not a sum"),
        (poisson_gradient_alone, "three things"),
        (poisson_with(link=lambda z: 1 / (1 + np.exp(-z))), "finite difference"),
    ],
    "01.7": [
        (softmax_with(sign=1), "climbs"),
        (softmax_with(mean=False), "not the sum"),
        (softmax_with(shift=False), "overflows"),
        (softmax_with(bias=False), "bias does not learn"),
        (softmax_with(extra=1), "too many"),
        (softmax_with(found=True), "should have shape"),
        (softmax_with(start=0.01), "not where the descent ends"),
        (softmax_with(axis=0), "not where the descent ends"),
        (softmax_one_by_one, "not where the descent ends"),
    ],
    "01.8": [
        (still_leaking, "the leak is still there"),
        (direction_from_test, ""),
        (in_training, ""),
        (without_direction, ""),
        (direction_forgotten, ""),
        (chosen_by_all, ""),
        (all_vote, ""),
    ],
    "01.9": [
        ([CONTROL**2, LINE, MIDDLE], "without the root"),
        ([CONTROL, 2.780236, MIDDLE], "learned from all days"),
        ([CONTROL, LINE, 2.75], "what three such networks give"),
        ([CONTROL, LINE], "three numbers"),
        ([CONTROL, LINE, LINE], "of another rival"),
        ([LINE, CONTROL, MIDDLE], "take today's highest"),
        ([0.0, LINE, MIDDLE], "compared with today"),
    ],
}
