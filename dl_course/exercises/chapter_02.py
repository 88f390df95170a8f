"""Checks of chapter 02."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 02.2 hinges


def check_hinges(answer, rng):
    knots = np.cumsum(rng.uniform(0.2, 1.5, 6)) - 3
    heights = rng.normal(size=6)
    result = parts(
        call(answer, knots, heights), 2, "two things: the 5 output weights, and the bias"
    )
    name = "The first result, one weight for each hinge,"
    weights = numbers(result[0], name)
    column = weights.shape == (5, 1)  # as `dense` takes them
    weights = numbers(weights[:, 0] if column else weights, name, (5,))
    bias = numbers(result[1], "The second result, the bias,")
    expect(bias.size == 1, "The second result, the bias, should be one number.")
    hinges = np.maximum(0, knots[:, None] - knots[:-1])
    curve = hinges @ weights + bias.reshape(())
    compare(
        curve,
        heights,
        {
            "These are the slopes. Hinges add up: each must bring the change of slope "
            "only.": same(weights, np.diff(heights) / np.diff(knots)),
            "These are changes of height. A slope is height divided by width: knots may be "
            "unevenly spaced.": same(weights, np.diff(np.diff(heights), prepend=0)),
            "The shape is right, but it starts at 0 instead of heights[0]: look at the "
            "bias.": heights - heights[0],
        },
        "The curve does not go through the points.",
    )


# ---------------------------------------------------------------- 02.4 early stopping


def stop_and_best(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best >= patience:
            break
    return epoch, best


def check_early_stopping(answer, rng):
    cases = [
        (
            [5.0, 4.0, 3.0, 3.5, 3.2, 2.0, 1.0],
            2,
            "losses 5, 4, 3, 3.5, 3.2, 2, 1 with patience 2 stop at epoch 4 (counted from "
            "0) and keep epoch 2",
        ),
        ([3.0, 2.0, 1.0], 2, "if losses fall to the end, the last epoch is both"),
        (
            [3.0, 1.0, 2.0, 0.5, 0.6, 0.4, 0.7, 0.8, 0.9, 0.1],
            3,
            "the patience starts anew after each new best",
        ),
        ([2.0, 2.0, 2.0, 2.0], 2, "an equal loss is no improvement"),
        (
            [300.0, 299.9995, 299.999, 299.9985],
            2,
            "an improvement may be as small as it likes, and losses as large",
        ),
        (
            [1.0, 1 - 1e-6, 1 - 2e-6, 1 - 3e-6],
            2,
            "an improvement may be as small as it likes",
        ),
        (
            [3.0, 2.0, 2.5, 1.0, 0.5],
            1,
            "with patience 1 the first epoch without an improvement is the last",
        ),
        (
            [3.0, 1.0, 2.0, 2.0],
            5,
            "if the patience outlasts the losses, training stops at the last epoch and "
            "keeps the best",
        ),
        (
            [2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 4.0],
            6,
            "a new best at the last moment starts the patience anew",
        ),
        ([4.0], 1, "a single epoch is both"),
    ]
    cases += [
        (rng.random(30).tolist(), int(rng.integers(2, 6)), "those are random losses")
        for _ in range(3)
    ]
    for losses, patience, why in cases:
        result = parts(
            call(answer, losses, patience),
            2,
            "two epochs: the one after which to stop, and the best one",
        )
        right = stop_and_best(losses, patience)
        got = numbers(result, "The two epochs", (2,))
        compare(
            got,
            right,
            {
                "The two epochs are swapped.": right[::-1],
                f"Look at both epochs: {why}.": len(set(got.tolist())) == 1,
                "The best epoch lies after the stop: training never got there.": (
                    right[0],
                    int(np.argmin(losses)),
                ),
            },
            f"Got ({got[0]:g}, {got[1]:g}), expected {right}: {why}.",
        )


# ---------------------------------------------------------------- 02.5 a pass on paper


def check_forward_by_hand(answer, rng):
    given = parts(answer, 4, "four numbers: a1, a2, the loss, and the learnable numbers")
    names = "The first activation", "The second activation", "The loss", "The count"
    a1, a2, loss, count = (
        numbers(part, name, ()) for part, name in zip(given, names, strict=True)
    )
    compare(
        a1,
        0.0,
        {
            "ReLU turns the first unit's negative sum into 0.": -0.5,
            "The first bias is missing, and ReLU, too.": -1.0,
        },
        "The first unit's activation is not right: sum, bias, then ReLU.",
    )
    compare(
        a2,
        3.0,
        {"The second bias, -1, is missing.": 4.0},
        "The second unit's activation is not right.",
    )
    z = np.log(2) * np.array([1, 0, -1])
    p = np.exp(z) / np.exp(z).sum()
    compare(
        loss,
        -np.log(p[1]),
        {
            "This is the probability: the loss is its negative logarithm.": p[1],
            "The sign: the logarithm of a probability is negative, the loss is not.": (
                np.log(p[1])
            ),
            "This is the loss of the first class.": -np.log(p[0]),
            "This is the loss of the third class.": -np.log(p[2]),
            "The logarithm is the natural one.": -np.log2(p[1]),
        },
        "The loss is not -log of the second class's softmax.",
    )
    compare(
        count,
        15,
        {
            "The biases are learnable, too.": 10,
            "Each unit has one bias: there are 2 + 3 of them.": 12,
            "The inputs have nothing to learn.": 17,
        },
        "The count of learnable numbers is not right: weights and biases of both layers.",
    )


# ---------------------------------------------------------------- 02.6 area under ROC


def area_by_curve(labels, scores):
    """The area by trapezoids under the curve of all thresholds: no pairs are counted."""
    yes, no = scores[labels == 1], scores[labels == 0]
    steps = [np.inf, *np.unique(scores)[::-1]]
    found = np.array([np.mean(yes >= t) for t in steps])
    false = np.array([np.mean(no >= t) for t in steps])
    return np.sum(np.diff(false) * (found[1:] + found[:-1]) / 2)


def check_area(answer, rng):
    for n, share, kind in (
        (40, 0.5, "plain"), (60, 0.2, "ties"), (30, 0.7, "negative"),
        (2, 0.5, "plain"), (25, 0.5, "equal"), (50, 0.4, "backward"), (40, 0.3, "close"),
    ):  # fmt: skip
        labels = (np.arange(n) < max(1, round(share * n))).astype(int)
        rng.shuffle(labels)
        scores = rng.normal(size=n) + labels
        if kind == "ties":
            scores = np.round(2 * scores).astype(int)
        elif kind == "negative":
            scores = 100 * scores - 1000
        elif kind == "equal":
            scores = np.full(n, 0.5)
        elif kind == "backward":
            scores = -scores
        elif kind == "close":
            scores = 1e-7 * scores
        yes, no = scores[labels == 1][:, None], scores[labels == 0]
        right = area_by_curve(labels, scores)
        compare(
            call(answer, labels, scores),
            right,
            {
                "An area below ½ is possible: the scores may point the other way.": (
                    max(right, 1 - right)
                ),
                "A tie counts half, not nothing.": np.mean(yes > no),
                "A tie counts half, not as a win.": np.mean(yes >= no),
                "Yes and no are swapped.": 1 - right,
                "This is a count: divide by the number of pairs.": right
                * yes.size
                * no.size,
                "All pairs were counted: only those of a yes and a no matter.": (
                    right * yes.size * no.size / (n * (n - 1) / 2)
                ),
            },
            f"For scores of the kind '{kind}' the area is {right:.6f}.",
            tolerance=1e-9,
        )


# ---------------------------------------------------------------- 02.7 a leaky start


def check_starting_variance(answer, rng):
    for s, r in ((0.0, 0.0), (0.3, 0.0), (0.2, 0.4), (1.0, 0.0), (0.0, 0.5), (0.5, 0.8)):
        n = int(rng.integers(20, 900))
        # the power after a layer with Var[w] = 1/n, of inputs of power 1: z is N(0, 1)
        z, weight = np.polynomial.hermite_e.hermegauss(100)
        weight = weight / weight.sum()
        kept = np.sum(weight * np.where(z > 0, z, s * z) ** 2) / (1 - r)
        right = 1 / (n * kept)
        compare(
            call(answer, n, s, r),
            right,
            {
                "Dropout raises the mean square: what remains is divided by 1 - r.": (
                    right / (1 - r)
                ),
                "Dropout with its division multiplies the mean square by 1/(1 - r), "
                "not by 1/(1 - r)².": right * (1 - r),
                "Dropout raises the power, so the variance must be smaller, not larger.": (
                    right / (1 - r) ** 2
                ),
                "The negative half contributes s², not s.": (2 * (1 - r) / ((1 + s) * n)),
                "The negative half is not lost: it contributes s².": 2 * (1 - r) / n,
                "This is the standard deviation: its square is asked for.": np.sqrt(right),
                "Divide by the number of inputs.": right * n,
                "It should be 2 / (…), because half of z is positive.": right / 2,
            },
            f"For {n} inputs, s = {s}, r = {r} the variance is {right:.6g}.",
            tolerance=1e-6 * right,
        )


# ---------------------------------------------------------------- 02.8 a leaky encoding


def encoded(makers, y, fold, *, others=True, fallback=True, own=False):
    """Brute force: the mean by maker over the rows that may speak for each row."""
    result = np.empty(len(y))
    for i in range(len(y)):
        may = [j for j in range(len(y)) if fold[j] != fold[i]]
        if not others:
            may = [j for j in range(len(y)) if own or j != i]
        same = [y[j] for j in may if makers[j] == makers[i]]
        rest = [y[j] for j in may] if fallback else y
        result[i] = np.mean(same) if same else np.mean(rest)
    return result


def check_honest_encoding(answer, rng):
    for n, kinds, folds, words in (
        (60, 12, 5, False),
        (24, 30, 3, False),
        (40, 6, 4, True),
    ):
        makers, fold = rng.integers(0, kinds, n), rng.permutation(np.arange(n) % folds)
        fold = 2 * fold + 3  # folds need not be 0, 1, 2 …
        makers = np.array([f"maker {m}" for m in makers]) if words else makers
        y = rng.normal(size=n) + 10
        zero = np.where(
            [
                np.any((makers == m) & (fold != k))
                for m, k in zip(makers, fold, strict=True)
            ],
            encoded(makers, y, fold),
            0,
        )
        compare(
            call(answer, makers, y, fold),
            encoded(makers, y, fold),
            {
                "This is the leaky encoding: a row's own target is in its number.": (
                    encoded(makers, y, fold, others=False, own=True)
                ),
                "Only the row itself is left out: its fold's other targets still leak.": (
                    encoded(makers, y, fold, others=False)
                ),
                "For a maker that no other fold has, the mean of *all* rows leaks its "
                "fold's targets: take the other folds' mean.": (
                    encoded(makers, y, fold, fallback=False)
                ),
                "A maker that no other fold has gets the mean of the other folds' rows.": (
                    zero
                ),
                "These are the targets themselves.": y,
            },
            "A row's number is not the mean target of its maker in the other folds.",
        )


# ---------------------------------------------------------------- 02.9 ridge's parts


def ridge_parts(alpha, noise=0.4):
    """(squared bias, variance) in closed form: the fit is a matrix times the targets."""

    def features(x):
        hinges = [np.maximum(0, x - i / 27) for i in range(1, 27)]
        return np.stack([x**0, x, *hinges], axis=1)

    def truth(x):
        return np.sin(2 * np.pi * x) + 0.5 * np.cos(5 * np.pi * x)

    x, places = (np.arange(30) + 0.5) / 30, np.linspace(0.02, 0.98, 200)
    F, F_new = features(x), features(places)
    U, d, Vt = np.linalg.svd(F, full_matrices=False)
    H = F_new @ (Vt.T * (d / (d**2 + alpha))) @ U.T  # (places, 30)
    bias = np.mean((H @ truth(x) - truth(places)) ** 2)
    return bias, noise**2 * np.mean(np.sum(H**2, axis=1))


def check_ridge_parts(answer, rng):
    got = numbers(answer, "The result, three rows of two numbers,", (3, 2))
    right = np.array([ridge_parts(alpha) for alpha in (1e-6, 0.01, 100)])
    variances = right[:, 1] / (0.4**2)

    def near(expected, got=got):
        return bool(np.all(np.abs(got - expected) <= 0.1 * expected + 1e-3))

    if near(right):
        return
    for expected, message in (
        (right[:, ::-1], "Bias and variance are swapped."),
        (right[::-1], "The rows are in the order of α: 1e-6, 0.01, 100."),
        (
            np.column_stack([right[:, 0], np.sqrt(right[:, 1])]),
            "Variance is the square of the deviation.",
        ),
        (np.column_stack([np.sqrt(right[:, 0]), right[:, 1]]), "The bias is squared."),
        (
            np.column_stack([right.sum(axis=1), right[:, 1]]),
            "Your first column is the whole error: take the mean of the fits over the "
            "training sets first, then square.",
        ),
        (
            np.column_stack([right[:, 0], variances]),
            "That is the variance for noise of the deviation 1, not 0.4.",
        ),
    ):
        expect(not near(expected), message)
    row, column = np.argwhere(np.abs(got - right) > 0.1 * right + 1e-3)[0]
    name = ("squared bias", "variance")[column]
    raise Wrong(
        f"The {name} for α = {('1e-6', '0.01', '100')[row]} is not near what a long "
        "simulation gives. Does your sum agree with the error measured directly?"
    )


CHECKS = {
    "02.2": check_hinges,
    "02.4": check_early_stopping,
    "02.5": check_forward_by_hand,
    "02.6": check_area,
    "02.7": check_starting_variance,
    "02.8": check_honest_encoding,
    "02.9": check_ridge_parts,
}
