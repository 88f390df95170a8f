"""Chapter 01: second right solutions, and typical wrong ones with the message they get."""

import math

import numpy as np

# ---------------------------------------------------------------- 01.1


def gradient_by_loop(x, y, weights, bias):
    by_w, by_b = np.zeros(len(weights)), 0.0
    for row, target in zip(x, y, strict=True):
        error = bias - target
        for weight, value in zip(weights, row, strict=True):
            error += weight * value
        by_w += 2 * error * row / len(x)
        by_b += 2 * error / len(x)
    return list(by_w), by_b


def gradient_float32(x, y, weights, bias):
    error = np.float64(2) * (y - (x @ weights + bias))
    return [-(error[:, None] * x).mean(axis=0), -error.mean()]


def gradient_with(scale_w=1.0, scale_b=1.0):
    def gradient(x, y, weights, bias):
        by_w, by_b = gradient_by_loop(x, y, weights, bias)
        n = len(x)
        return (
            np.array(by_w) * (n if scale_w == "n" else scale_w),
            by_b * (n if scale_b == "n" else scale_b),
        )

    return gradient


def gradient_swapped(x, y, weights, bias):
    return gradient_by_loop(x, y, weights, bias)[::-1]


def gradient_untransposed(x, y, weights, bias):
    return x @ (x @ weights + bias - y), 0.0


def gradient_shape(x, y, weights, bias):
    error = x @ weights + bias - y
    return 2 * x * error[:, None], 2 * error.mean()


def gradient_weights_alone(x, y, weights, bias):
    return gradient_by_loop(x, y, weights, bias)[0]


# ---------------------------------------------------------------- 01.2


def bayes_by_correlation(tau):
    correlation = math.sqrt(2 / (2 + tau**2))
    return 0.5 + math.asin(correlation) / math.pi


# ---------------------------------------------------------------- 01.3

XOR = ([[1, 1], [1, 1]], [-0.5, -1.5], [1, -1], -0.5)
NOT_XOR = ([[1, 1], [1, 1]], [-0.5, -1.5], [-1, 1], 0.5)
AND = ([[1, 1], [1, 1]], [-1.5, -1.5], [1, 1], -0.5)
NEITHER = ([[-1, 0], [-1, 0]], [0.5, 0], [1, 0], -0.5)
LAZY = (np.zeros((2, 2)), np.zeros(2), np.zeros(2), 1)
FIRST = ([[1, 0], [0, 1]], [-0.5, -0.5], [1, 0], -0.5)

# ---------------------------------------------------------------- 01.4


def needed_by_normal_equations(sizes, errors, target):
    u, v = np.log10(sizes), np.log10(errors)
    slope = ((u - u.mean()) @ (v - v.mean())) / ((u - u.mean()) @ (u - u.mean()))
    return float(10 ** (u.mean() + (math.log10(target) - v.mean()) / slope))


def needed_without_logarithm(sizes, errors, target):
    slope, intercept = np.polyfit(sizes, errors, 1)
    return (target - intercept) / slope


def needed_as_logarithm(sizes, errors, target):
    return np.log(needed_by_normal_equations(sizes, errors, target))


def needed_forward(sizes, errors, target):
    slope, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
    return np.exp(intercept) * target**slope


def needed_two_points(sizes, errors, target):
    slope = np.log(errors[-1] / errors[0]) / np.log(sizes[-1] / sizes[0])
    return sizes[0] * (target / errors[0]) ** (1 / slope)


def needed_wrong_sign(sizes, errors, target):
    slope, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
    return np.exp((np.log(target) - intercept) / -slope)


# ---------------------------------------------------------------- 01.5


def neighbors_by_loop(x_train, y_train, x, k):
    answers = []
    for point in x:
        distances = np.linalg.norm(x_train - point, axis=1)
        votes = y_train[np.argpartition(distances, k - 1)[:k]].tolist()
        answers.append(max(set(votes), key=votes.count))
    return answers


def sorted_neighbors(x_train, x, k, farthest=False):
    distances = ((x[:, None] - x_train[None]) ** 2).sum(axis=-1)
    return np.argsort(-distances if farthest else distances, axis=1)[:, :k]


def majority(votes):
    return np.array([np.bincount(row).argmax() for row in votes])


def neighbors_far(x_train, y_train, x, k):
    return majority(y_train[sorted_neighbors(x_train, x, k, farthest=True)])


def neighbors_places(x_train, y_train, x, k):
    return sorted_neighbors(x_train, x, k)[:, 0] + 100


def neighbors_one(x_train, y_train, x, k):
    return y_train[sorted_neighbors(x_train, x, 1)[:, 0]]


def neighbors_five(x_train, y_train, x, k):
    return majority(y_train[sorted_neighbors(x_train, x, 5)])


def neighbors_all_votes(x_train, y_train, x, k):
    return y_train[sorted_neighbors(x_train, x, k)]


def neighbors_mean(x_train, y_train, x, k):
    return y_train[sorted_neighbors(x_train, x, k)].mean(axis=1) + 0.5


RIGHT = {
    "01.1": [gradient_by_loop, gradient_float32],
    "01.2": [bayes_by_correlation, lambda tau: 0.5 + np.arctan2(2**0.5, tau) / np.pi],
    "01.3": [NOT_XOR, [np.array([[-3, 2], [-3, 2]]), (1, -3), np.array([5, 4]), -1.0]],
    "01.4": [needed_by_normal_equations],
    "01.5": [neighbors_by_loop],
}

WRONG = {
    "01.1": [
        (gradient_with(-1.0, -1.0), "sign is reversed"),
        (gradient_with(0.5, 0.5), "no ½"),
        (gradient_with("n", "n"), "divide it by n"),
        (gradient_with(1.0, "n"), "is a mean, not a sum"),
        (gradient_with(1.0, 0.5), "slope by bias differs"),
        (gradient_swapped, "swapped"),
        (gradient_untransposed, "raised ValueError"),
        (gradient_shape, "Is the transpose of x missing?"),
        (gradient_weights_alone, "two things"),
        (3.0, "A function is expected"),
    ],
    "01.2": [
        (lambda tau: np.arctan(tau / np.sqrt(2)) / np.pi, "flips the label"),
        (lambda tau: 1 - np.arctan(tau / np.sqrt(2)) / (2 * np.pi), "two wedges"),
        (lambda tau: 1 - np.arctan(tau) / np.pi, "standard deviation √2"),
        (lambda tau: 1 - np.degrees(np.arctan(tau / 2**0.5)) / np.pi, "radians"),
        (lambda tau: 1 - np.arctan(1 / np.sqrt(2)) / np.pi, "depend on tau"),
        (lambda tau: 1 - tau / 4, "the rate is 0."),
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
    "01.4": [
        (needed_without_logarithm, "take logarithms"),
        (needed_as_logarithm, "the logarithm of the answer"),
        (needed_forward, "solve the equation for the size"),
        (needed_two_points, "first and last point alone"),
        (needed_wrong_sign, "images are needed."),
    ],
    "01.5": [
        (neighbors_far, "not the nearest"),
        (neighbors_places, "no labels"),
        (neighbors_mean, "no labels"),
        (neighbors_one, "let all k of them vote"),
        (neighbors_five, "Does k count at all?"),
        (neighbors_all_votes, "One label for each row"),
    ],
}
