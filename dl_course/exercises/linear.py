"""Checks of chapter 01."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, same

RNG = np.random.default_rng()  # fresh inputs on every call

# ---------------------------------------------------------------- 01.1 the gradient of mse


def check_gradient(answer):
    n, features = int(RNG.integers(6, 10)), int(RNG.integers(3, 6))
    x, y = RNG.normal(size=(n, features)), RNG.normal(size=n)
    weights, bias = RNG.normal(size=features), RNG.normal()
    error = x @ weights + bias - y
    right_w, right_b = 2 * x.T @ error / n, 2 * error.mean()
    result = call(answer, x, y, weights, bias)
    expect(
        isinstance(result, tuple | list) and len(result) == 2,
        "Return two things: the slope by weights, then the slope by bias.",
    )
    by_w, by_b = result
    expect(
        not (same(by_w, right_b) and same(by_b, right_w)),
        "The two are swapped: weights first, then bias.",
    )
    expect(
        np.shape(by_w) == (features,),
        f"The slope by weights has the shape of the weights, {(features,)}; "
        f"yours has {np.shape(by_w)}. Is the transpose of x missing?",
    )
    expect(
        not same(by_w, -right_w),
        "The sign is reversed: a step against this climbs. Error is prediction minus y.",
    )
    expect(not same(by_w, right_w / 2), "Half of it: Keras's loss has no ½.")
    expect(not same(by_w, right_w * n), "A sum over the examples: divide it by n.")
    expect(same(by_w, right_w), "The slope by weights differs from a finite difference.")
    expect(not same(by_b, right_b * n), "The slope by bias is a mean, not a sum.")
    expect(same(by_b, right_b), "The slope by bias differs from a finite difference.")


# ---------------------------------------------------------------- 01.2 the Bayes rate


def check_bayes_rate(answer):
    tau = float(RNG.uniform(0.3, 0.8))
    right = 1 - np.arctan(tau / np.sqrt(2)) / np.pi
    got = call(answer, tau)
    expect(np.shape(got) == (), f"One number is expected, not shape {np.shape(got)}.")
    expect(not same(got, 1 - right), "That is how often the noise flips the label.")
    expect(
        not same(got, 1 - np.arctan(tau / np.sqrt(2)) / (2 * np.pi)),
        "There are two wedges, opposite to each other.",
    )
    expect(
        not same(got, 1 - np.arctan(tau) / np.pi),
        "x1 + x2 has the standard deviation √2, not 1.",
    )
    expect(
        not same(got, 1 - np.degrees(np.arctan(tau / np.sqrt(2))) / np.pi),
        "Degrees and π do not go together: stay with radians.",
    )
    expect(not same(got, 1 - np.arctan(1 / np.sqrt(2)) / np.pi), "It should depend on tau.")
    expect(same(got, right), f"For tau = {tau:.3f} the rate is {right:.4f}.")
    expect(same(call(answer, 0.0), 1.0), "Without noise (tau = 0) the rate is 1.")


# ---------------------------------------------------------------- 01.3 equal or not

CORNERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
SHAPES = {"W": (2, 2), "b": (2,), "v": (2,), "c": ()}


def check_equal(answer):
    expect(
        isinstance(answer, tuple | list) and len(answer) == 4,
        "Give four things: W, b, v, c.",
    )
    parts = {}
    for (name, shape), part in zip(SHAPES.items(), answer, strict=True):
        try:
            parts[name] = np.asarray(part, dtype=float)
        except (TypeError, ValueError):
            raise Wrong(f"{name} should hold numbers.") from None
        expect(
            parts[name].shape == shape,
            f"{name} should have shape {shape}, not {parts[name].shape}.",
        )
    hidden = (CORNERS @ parts["W"] + parts["b"] > 0).astype(float)  # (4, 2)
    output = (hidden @ parts["v"] + parts["c"] > 0).astype(int).tolist()
    expect(output != [0, 1, 1, 0], "That is XOR: 1 where the inputs differ.")
    expect(output != [0, 0, 0, 1], "That is AND: it forgets 0, 0.")
    expect(output != [1, 0, 0, 0], "It says 1 for 0, 0 alone: it forgets 1, 1.")
    expect(len(set(output)) == 2, f"It says {output[0]} to everything.")
    expect(
        output == [1, 0, 0, 1], f"For 00, 01, 10, 11 it says {output}, not [1, 0, 0, 1]."
    )


# ---------------------------------------------------------------- 01.4 how many images


def check_images_needed(answer):
    factor, slope = RNG.uniform(1, 3), -RNG.uniform(0.3, 0.6)
    sizes = np.array([100, 400, 1600, 6400, 60000])
    wobble = np.exp(RNG.normal(scale=0.05, size=5))
    errors = factor * sizes**slope * wobble
    target = float(factor * 1e6**slope)  # near a million images
    fitted, intercept = np.polyfit(np.log(sizes), np.log(errors), 1)
    right = np.exp((np.log(target) - intercept) / fitted)
    got = call(answer, sizes, errors, target)
    expect(np.shape(got) == (), f"One number is expected, not shape {np.shape(got)}.")
    expect(not same(got, np.log(right), 1e-3), "That is the logarithm of the answer.")
    line = np.polyfit(sizes, errors, 1)
    expect(
        not same(got, (target - line[1]) / line[0], 1e-3),
        "A straight line through the bare numbers: take logarithms of both first.",
    )
    expect(
        not same(got, np.exp(intercept) * target**fitted, 1e-3),
        "That is the error at a size: solve the equation for the size.",
    )
    ends = np.log(errors[-1] / errors[0]) / np.log(sizes[-1] / sizes[0])
    expect(
        not same(got, sizes[0] * (target / errors[0]) ** (1 / ends), 1e-6),
        "A line through the first and last point alone: fit all of them.",
    )
    expect(same(got, right, 1e-3), f"Here {right:,.0f} images are needed, not {got:,.0f}.")


# ---------------------------------------------------------------- 01.5 nearest neighbors


def check_neighbors_vote(answer):
    centers = np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 9.0, 9.0]])
    labels = np.repeat([4, 7, 9], 20)
    x_train = np.repeat(centers, 20, axis=0) + RNG.normal(scale=0.5, size=(60, 3))
    x = centers[[2, 0, 1, 0]] + RNG.normal(scale=0.3, size=(4, 3))
    right = [9, 4, 7, 4]
    shuffled = RNG.permutation(60)
    x_train, labels = x_train[shuffled], labels[shuffled]
    got = np.asarray(call(answer, x_train, labels, x, 5))
    expect(
        got.shape == (4,),
        f"One label for each row of x is expected, shape (4,), not {got.shape}.",
    )
    expect(
        np.isin(got, labels).all(),
        "Some answers are no labels. Are they places in x_train, or a mean of labels?",
    )
    expect(same(got, right), "These are not the nearest: small distances come first.")
    intruders = np.concatenate([x_train, x])  # each x sits on an example of a wrong label
    mixed = np.concatenate([labels, [4, 7, 9, 9]])
    expect(
        same(call(answer, intruders, mixed, x, 5), right),
        "One mislabeled neighbor decides alone: let all k of them vote.",
    )
    expect(
        same(call(answer, intruders, mixed, x, 1), [4, 7, 9, 9]),
        "With k = 1 the nearest one decides. Does k count at all?",
    )


CHECKS = {
    "01.1": check_gradient,
    "01.2": check_bayes_rate,
    "01.3": check_equal,
    "01.4": check_images_needed,
    "01.5": check_neighbors_vote,
}
