"""Checks of chapter 01."""

import numpy as np

from dl_course.exercises import call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 01.1 the gradient of mse


def check_gradient(answer, rng):
    n, features = int(rng.integers(6, 10)), int(rng.integers(3, 6))
    x, y = rng.normal(size=(n, features)), rng.normal(size=n)
    weights, bias = rng.normal(size=features), rng.normal()
    error = x @ weights + bias - y
    right_w, right_b = 2 * x.T @ error / n, 2 * error.mean()
    by_w, by_b = parts(
        call(answer, x, y, weights, bias),
        2,
        "two things: the slope by weights, then the slope by bias",
    )
    by_w = numbers(by_w, "The slope by weights")
    compare(
        by_w,
        right_w,
        {
            "The two are swapped: weights first, then bias.": (
                same(by_w, right_b) and same(by_b, right_w)
            ),
            f"The slope by weights has the shape of the weights, {(features,)}; "
            f"yours has {by_w.shape}. Is the transpose of x missing?": (
                by_w.shape != (features,)
            ),
            "The sign is reversed: a step against this climbs. Error is prediction minus "
            "y.": -right_w,
            "Half of it: Keras's loss has no ½.": right_w / 2,
            "A sum over the examples: divide it by n.": right_w * n,
        },
        "The slope by weights differs from a finite difference.",
    )
    compare(
        by_b,
        right_b,
        {"The slope by bias is a mean, not a sum.": right_b * n},
        "The slope by bias differs from a finite difference.",
    )


# ---------------------------------------------------------------- 01.2 the Bayes rate


def check_bayes_rate(answer, rng):
    tau = float(rng.uniform(0.3, 0.8))
    right = 1 - np.arctan(tau / np.sqrt(2)) / np.pi
    compare(
        call(answer, tau),
        right,
        {
            "That is how often the noise flips the label.": 1 - right,
            "There are two wedges, opposite to each other.": (
                1 - np.arctan(tau / np.sqrt(2)) / (2 * np.pi)
            ),
            "x1 + x2 has the standard deviation √2, not 1.": 1 - np.arctan(tau) / np.pi,
            "Degrees and π do not go together: stay with radians.": (
                1 - np.degrees(np.arctan(tau / np.sqrt(2))) / np.pi
            ),
            "It should depend on tau.": 1 - np.arctan(1 / np.sqrt(2)) / np.pi,
        },
        f"For tau = {tau:.3f} the rate is {right:.4f}.",
    )
    compare(call(answer, 0.0), 1.0, {}, "Without noise (tau = 0) the rate is 1.")


# ---------------------------------------------------------------- 01.3 equal or not

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
SHAPES = {"W": (2, 2), "b": (2,), "v": (2,), "c": ()}


def check_equal(answer, rng):
    given = zip(SHAPES.items(), parts(answer, 4, "four things: W, b, v, c"), strict=True)
    W, b, v, c = (numbers(part, name, shape) for (name, shape), part in given)
    hidden = (CORNERS @ W + b > 0).astype(float)  # (4, 2)
    output = (hidden @ v + c > 0).astype(int)
    compare(
        output,
        [1, 0, 0, 1],
        {
            "That is XOR: 1 where the inputs differ.": [0, 1, 1, 0],
            "That is AND: it forgets 0, 0.": [0, 0, 0, 1],
            "It says 1 for 0, 0 alone: it forgets 1, 1.": [1, 0, 0, 0],
            f"It says {output[0]} to everything.": len(set(output)) == 1,
        },
        f"For 00, 01, 10, 11 it says {output.tolist()}, not [1, 0, 0, 1].",
    )


# ---------------------------------------------------------------- 01.4 how many images


def check_images_needed(answer, rng):
    factor, slope = rng.uniform(1, 3), -rng.uniform(0.3, 0.6)
    sizes = np.array([100, 400, 1600, 6400, 60000])
    wobble = np.exp(rng.normal(scale=0.05, size=5))
    errors = factor * sizes**slope * wobble
    target = float(factor * 1e6**slope)  # near a million images
    fitted, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
    right = np.exp((np.log(target) - intercept) / fitted)
    line = np.polyfit(sizes, errors, 1)
    ends = np.log(errors[-1] / errors[0]) / np.log(sizes[-1] / sizes[0])
    compare(
        call(answer, sizes, errors, target),
        right,
        {
            "That is the logarithm of the answer.": np.log(right),
            "A straight line through the bare numbers: take logarithms of both first.": (
                (target - line[1]) / line[0]
            ),
            "That is the error at a size: solve the equation for the size.": (
                np.exp(intercept) * target**fitted
            ),
            "A line through the first and last point alone: fit all of them.": (
                sizes[0] * (target / errors[0]) ** (1 / ends)
            ),
        },
        f"Here {right:,.0f} images are needed.",
        tolerance=1e-3,
    )


# ---------------------------------------------------------------- 01.5 nearest neighbors


def check_neighbors_vote(answer, rng):
    centers = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 9.0]])
    labels = np.repeat([4, 7, 9], 20)
    x_train = np.repeat(centers, 20, axis=0) + rng.normal(scale=0.5, size=(60, 3))
    x = centers[[2, 0, 1, 0]] + rng.normal(scale=0.3, size=(4, 3))
    right = [9, 4, 7, 4]
    shuffled = rng.permutation(60)
    x_train, labels = x_train[shuffled], labels[shuffled]
    got = numbers(call(answer, x_train, labels, x, 5), "The result")
    expect(
        got.shape == (4,),
        f"One label for each row of x is expected, shape (4,), not {got.shape}.",
    )
    expect(
        np.isin(got, labels).all(),
        "Some answers are no labels. Are they places in x_train, or a mean of labels?",
    )
    compare(got, right, {}, "These are not the nearest: small distances come first.")
    intruders = np.concatenate([x_train, x])  # each x sits on an example of a wrong label
    mixed = np.concatenate([labels, [4, 7, 9, 9]])
    compare(
        call(answer, intruders, mixed, x, 5),
        right,
        {},
        "One mislabeled neighbor decides alone: let all k of them vote.",
    )
    compare(
        call(answer, intruders, mixed, x, 1),
        [4, 7, 9, 9],
        {},
        "With k = 1 the nearest one decides. Does k count at all?",
    )


CHECKS = {
    "01.1": check_gradient,
    "01.2": check_bayes_rate,
    "01.3": check_equal,
    "01.4": check_images_needed,
    "01.5": check_neighbors_vote,
}
