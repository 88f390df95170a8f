"""Checks of chapter 01."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 01.2 the Bayes rate


def check_bayes_rate(answer, rng):
    for tau in (rng.uniform(0.3, 0.8), rng.uniform(1.5, 5), 40.0):
        right = 1 - np.arctan(tau / np.sqrt(2)) / np.pi
        compare(
            call(answer, float(tau)),
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
            f"For tau = {tau:.3f} the rate is {right:.6f}. (A simulation is not exact.)",
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


# ---------------------------------------------------------------- 01.5 nearest neighbors


def winners(x_train, y_train, point, k, sign=1):
    """The labels with the most votes of the k nearest (farthest if sign is -1)."""
    nearest = np.argsort(sign * np.linalg.norm(x_train - point, axis=1))[:k]
    labels, votes = np.unique(y_train[nearest], return_counts=True)
    return labels[votes == votes.max()]  # several at a tie


def check_neighbors_vote(answer, rng):
    for n, features, k in ((60, 3, 5), (40, 2, 1), (50, 6, 3), (7, 4, 7), (80, 3, 11)):
        scale = rng.uniform(0.2, 5, size=(n, 1))  # long and short rows
        x_train = rng.normal(size=(n, features)) * scale + 3
        y_train = rng.choice([0, 4, 7, 12], size=n)
        x = rng.normal(size=(25, features)) * 2 + 3
        got = numbers(call(answer, x_train, y_train, x, k), "The result")

        def fits(k, sign=1, x_train=x_train, y_train=y_train, x=x, got=got):
            ways = [winners(x_train, y_train, point, k, sign) for point in x]
            return all(label in best for label, best in zip(got, ways, strict=True))

        expect(
            got.shape == (25,),
            f"One label for each row of x is expected, shape (25,), not {got.shape}.",
        )
        if fits(k):
            continue
        expect(
            np.isin(got, y_train).all(),
            "Some answers are no labels. Are they places in x_train, or a mean of labels?",
        )
        expect(not fits(k, -1), "These are the farthest: small distances come first.")
        expect(not fits(1), "The nearest one decides alone: let all k of them vote.")
        others = [other for other in range(2, min(n, 12)) if fits(other)]
        expect(not others, f"With k = {k} it lets {others} vote.")
        raise Wrong(
            f"With k = {k} a label does not get the most votes of the nearest. Is the "
            "distance the squared one, smallest first, and has each neighbor one vote?"
        )


# ---------------------------------------------------------------- 01.6 a loss for counts


def check_poisson(answer, rng):
    for n, features in ((8, 3), (1, 2), (20, 1), (5, 6)):
        x, y = rng.normal(size=(n, features)), rng.poisson(2.0, size=n).astype(float)
        y[0] = 0 if n > 1 else 3
        weights, bias = 0.5 * rng.normal(size=features), float(rng.normal())
        z = np.array([sum(a * b for a, b in zip(row, weights, strict=True)) for row in x])
        z += bias
        losses = np.exp(z) - y * z
        by_z = np.exp(z) - y
        by_weights = sum(slope * row for slope, row in zip(by_z, x, strict=True)) / n
        loss, got_weights, got_bias = parts(
            call(answer, x, y, weights, bias),
            3,
            "three things: the loss, the slope by weights, the slope by bias",
        )
        factorials = np.array([np.log(np.arange(1, int(count) + 1)).sum() for count in y])
        compare(
            loss,
            losses.mean(),
            {
                "That is the logarithm of the likelihood: minus it is the loss.": (
                    -losses.mean()
                ),
                "A sum over the examples: take the mean.": losses.sum(),
                "Leave out log y!, which depends on no weight.": (
                    losses + factorials
                ).mean(),
                "The rate is exp(z), not z.": np.mean(z - y * np.log(abs(z))),
            },
            "The loss is not the mean of r - y log r.",
        )
        compare(
            got_weights,
            by_weights,
            {
                "The sign is reversed: prediction minus target.": -by_weights,
                "A sum over the examples: divide it by n.": by_weights * n,
                "The prediction is the rate exp(z), not z.": x.T @ (z - y) / n,
                f"The slope by weights has the shape {(features,)}.": (
                    np.shape(got_weights) != (features,)
                ),
            },
            "The slope by weights differs from a finite difference of the loss.",
        )
        compare(
            got_bias,
            by_z.mean(),
            {
                "The sign of the slope by bias is reversed.": -by_z.mean(),
                "The slope by bias is a mean, not a sum.": by_z.sum(),
            },
            "The slope by bias differs from a finite difference of the loss.",
        )


# ---------------------------------------------------------------- 01.7 softmax regression


def descend(x, y, classes, learning_rate, steps, *, mean=True, sign=-1, bias=True):
    """Our own descent, row by row, with variations that are typical mistakes."""
    W, b = np.zeros((x.shape[1], classes)), np.zeros(classes)
    for _ in range(steps):
        by_W, by_b = np.zeros_like(W), np.zeros_like(b)
        for row, label in zip(x, y, strict=True):
            z = row @ W + b
            powers = np.exp(z - z.max())
            error = powers / powers.sum()
            error[label] -= 1
            by_W += np.outer(row, error)
            by_b += error
        scale = learning_rate / (len(x) if mean else 1)
        W += sign * scale * by_W
        b += sign * scale * by_b * bias
    return W, b


def check_fit_softmax(answer, rng):
    cases = [  # n, features, classes, labels below, size of inputs, learning rate, steps
        (12, 3, 4, 4, 1.0, 0.5, 1),
        (12, 3, 4, 4, 1.0, 0.5, 30),
        (9, 2, 5, 3, 1.0, 0.2, 10),  # classes that never occur
        (7, 5, 2, 2, 2.0, 1.0, 25),
        (1, 2, 3, 3, 1.0, 0.3, 4),
        (8, 4, 3, 3, 300.0, 1.0, 3),  # logits of thousands
        (10, 3, 4, 4, 200.0, 0.5, 5),
        (6, 2, 3, 3, 1.0, 0.5, 0),
    ]
    for n, features, classes, below, size, learning_rate, steps in cases:
        x = rng.normal(size=(n, features)) * size + 0.5 * size
        y = rng.integers(0, below, size=n)
        arguments = x, y, classes, learning_rate, steps
        with np.errstate(all="ignore"):
            W, b = parts(call(answer, *arguments), 2, "two things: W, then b")
        right_W, right_b = descend(*arguments)
        mistakes = {
            "The sign is reversed: it climbs.": {"sign": 1},
            "Take the mean over the examples, not the sum.": {"mean": False},
        }
        where = f"with {n} examples, {classes} classes, {steps} steps"
        compare(
            numbers(W, "W"),
            right_W,
            {
                "W holds NaN: exp overflows. Subtract the largest logit of each row.": bool(
                    np.isnan(numbers(W, "W")).any()
                ),
                **{
                    text: descend(*arguments, **options)[0]
                    for text, options in mistakes.items()
                },
                "The bias does not learn.": descend(*arguments, bias=False)[0],
                "It takes one step too few.": descend(*arguments[:4], max(0, steps - 1))[0],
                "It takes one step too many.": descend(*arguments[:4], steps + 1)[0],
                f"W should have shape {right_W.shape}.": np.shape(W) != right_W.shape,
            },
            f"W is not where the descent ends ({where}).",
        )
        compare(
            numbers(b, "b"),
            right_b,
            {"The bias does not learn.": np.zeros(classes)},
            f"b is not where the descent ends ({where}).",
        )


# ---------------------------------------------------------------- 01.8 find the leak


def check_honest(answer, rng):
    for case in range(30):
        n, m = int(rng.choice([8, 16, 32])), int(rng.integers(8, 20))  # n/2^k: no rounding
        features = int(rng.integers(3, 40))
        x_train, x_test = rng.normal(size=(n, features)), rng.normal(size=(m, features))
        if case % 2:  # whole numbers, so that many are 0
            x_train, x_test = np.round(2 * x_train), np.round(2 * x_test)
        else:
            x_train, x_test = 0.1 * x_train, 0.1 * x_test
        y_train, y_test = rng.integers(0, 2, n), rng.integers(0, 2, m)
        if case % 3 == 1:  # a feature that is right in training, the wrong way round
            x_train[:, 1] = (0.5 - y_train) * rng.uniform(1, 2, n)
        if case % 3 == 2:  # two that are equally good: the first one counts
            x_train[:, features - 1] = (y_train - 0.5) * rng.uniform(1, 2, n)
            x_train[:, 0] = (y_train - 0.5) * rng.uniform(1, 2, n)
        agree_train = np.array([np.mean((c > 0) == y_train) for c in x_train.T])
        agree_test = np.array([np.mean((c > 0) == y_test) for c in x_test.T])
        strength = np.maximum(agree_train, 1 - agree_train)
        if strength.max() == 0.5:
            continue
        best = int(np.argmax(strength))
        right = agree_test[best] if agree_train[best] > 0.5 else 1 - agree_test[best]
        flipped = np.where(agree_train < 0.5, 1 - agree_test, agree_test)
        plain = agree_test[np.argmax(agree_train)]
        compare(
            call(answer, x_train, y_train, x_test, y_test),
            right,
            {
                "That is the best of all features on the test rows: the leak is still "
                "there.": flipped.max(),
                "The direction is chosen on the test rows.": max(
                    agree_test[best], 1 - agree_test[best]
                ),
                "That is the accuracy on the training rows.": strength.max(),
                "A feature may be the wrong way round.": plain,
                "Its direction has to be turned for the test, too.": agree_test[best],
                "That is the mean of all features.": flipped.mean(),
            },
            "That is not the test accuracy of the feature that is best in training (the "
            "first one at a tie).",
        )


# ---------------------------------------------------------------- 01.9 the deeper model

FEW = slice(0, 1095, 36)


def check_deeper(answer, rng):
    from dl_course import data

    days = data.seattle_weather()
    columns = ("temp_max", "temp_min", "precipitation", "wind")
    x = np.column_stack([np.ones(1460), *(days[name][:-1] for name in columns)])
    y = days["temp_max"][1:]
    given = parts(answer, 3, "three numbers: control, line, network")
    control, line, network = (
        float(numbers(part, name, ()))
        for part, name in zip(
            given, ("The control", "The line", "The network"), strict=True
        )
    )

    def error(rows, of=slice(1095, None)):
        weights = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0]
        return np.sqrt(np.mean((x[of] @ weights - y[of]) ** 2))

    change = x[1095:, 1] - y[1095:]
    compare(
        control,
        np.sqrt(np.mean(change**2)),
        {
            "The control: that is the mean squared error, without the root.": np.mean(
                change**2
            ),
            "The control: that is the mean of absolute errors.": np.mean(abs(change)),
            "The control: measured on all days, not on those from 1,095 on.": np.sqrt(
                np.mean((x[:, 1] - y) ** 2)
            ),
            "The control: that is the standard deviation of the errors.": np.std(change),
            "The control is compared with today, not with tomorrow.": control == 0,
        },
        "The control: take today's highest temperature as the guess for tomorrow.",
        tolerance=1e-4,
    )
    compare(
        line,
        error(FEW),
        {
            "The line has learned from all days, not from the few.": error(slice(0, 1095)),
            "The line has learned from test days.": error(slice(None)),
            "The line: that is its error on the days it learned from.": error(FEW, FEW),
            "The line: that is the mean squared error, without the root.": error(FEW) ** 2,
        },
        "The line: fit it on TODAY[FEW_DAYS], TOMORROW[FEW_DAYS], and test from 1095 on.",
        tolerance=1e-4,
    )
    if same(network, line, 1e-4) or same(network, control, 1e-4):
        raise Wrong("The network's error is that of another rival: train three networks.")
    expect(
        NETWORK[0] <= network <= NETWORK[1],
        f"The network: {network:.2f} °C is not what three such networks give on average. "
        "Are features and target scaled by the few days, and is the target scaled back?",
    )


NETWORK = 2.8, 4.4  # °C

CHECKS = {
    "01.2": check_bayes_rate,
    "01.3": check_equal,
    "01.5": check_neighbors_vote,
    "01.6": check_poisson,
    "01.7": check_fit_softmax,
    "01.8": check_honest,
    "01.9": check_deeper,
}
