"""Checks of chapter 04."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 04.6 a bowl by hand


def check_bowl(answer, rng):
    got = parts(answer, 4, "four numbers: limit, best rate, and the two factors")
    limit, best, descent, ball = (numbers(one, "Each of the four", ()) for one in got)
    compare(
        limit,
        0.04,
        {
            "That is 2 / the smallest curvature, the steepest sets the limit.": 1,
            "At that rate the steepest direction is done in one step. At the limit its "
            "factor is -1.": 0.02,
        },
        "The limit is 2 / the largest curvature.",
        1e-4,
    )
    compare(
        best,
        1 / 26,
        {
            "That serves the steepest direction alone. Both ends should shrink alike.": (
                0.02
            ),
            "That is the mean of 1/2 and 1/50. Both factors should be equally large.": 0.26,
            "Two over the sum of both curvatures, not one.": 1 / 52,
        },
        "The best rate makes the factors of both ends equally large in size.",
        1e-3,
    )
    compare(
        descent,
        24 / 26,
        {
            "That is the factor of the steepest direction; give its size.": -24 / 26,
            "That is the ball's: descent has κ where the ball has its root.": 4 / 6,
        },
        "The factor of descent is (κ - 1) / (κ + 1), with κ = 25.",
        1e-3,
    )
    compare(
        ball,
        4 / 6,
        {
            "That is β. The distance shrinks by its root.": (4 / 6) ** 2,
            "That is the factor of plain descent.": 24 / 26,
        },
        "The factor of the ball is (√κ - 1) / (√κ + 1), with √κ = 5.",
        1e-3,
    )


# ---------------------------------------------------------------- 04.7, 04.8 steps


def steps_of(answer, gradients, w, **settings):
    """The weights after each step of the learner's function; its memory is kept whole."""
    memory, path = {}, []
    for g in gradients:
        w, memory = parts(
            call(answer, w, g, memory, **settings), 2, "two things: new weights, new memory"
        )
        expect(isinstance(memory, dict), "The memory should come back as a dictionary.")
        w = numbers(w, "The new weights", np.shape(g))
        path.append(w)
    return np.stack(path)


def check_rmsprop_step(answer, rng):
    for shape in ((3,), (), (4, 2)):
        rate, rho, epsilon = rng.uniform(0.01, 0.2), rng.uniform(0.7, 0.95), 1e-3
        gradients, w = rng.normal(size=(6, *shape)) * 2, rng.normal(size=shape)
        if shape:
            gradients[:2, 0] = 0  # a weight without gradients so far
        settings = {"learning_rate": rate, "rho": rho, "epsilon": epsilon}
        got = steps_of(answer, gradients, w, **settings)

        def path(gradients=gradients, w=w, settings=settings, **slip):
            return rmsprop_by_sums(gradients, w, **settings, **slip)

        compare(
            got,
            path(),
            {
                "That is AdaGrad: its sum never forgets.": path(old=1.0, new=1.0),
                "Both weights are needed: rho for the old average, 1 - rho for the new "
                "square.": path(new=1.0),
                "rho belongs to the old average, 1 - rho to the new square.": (
                    path(old=1 - rho, new=rho)
                ),
                "The new square must enter the average before the step divides by it.": (
                    path(late=1)
                ),
                "Epsilon stands under the root, beside G.": path(beside=True),
                "The root is missing.": path(root=1.0),
                "RMSprop does not correct the start of its average; Adam will.": (
                    path(corrected=True)
                ),
                "The walk goes uphill: subtract the step.": 2 * w - path(),
            },
            "The steps differ from w - learning_rate·g / √(G + epsilon) with G = rho·G + "
            "(1 - rho)·g².",
        )
    check_defaults(answer, rng, 3e-4, rmsprop_by_sums, rho=0.9, epsilon=1e-7)


def check_defaults(answer, rng, size, by_sums, **defaults):
    """Gradients so small that the default of epsilon shows, too."""
    gradients, w = size * rng.uniform(1, 2, (4, 3)), np.zeros(3)
    got = steps_of(answer, gradients, w, learning_rate=0.1)
    right = by_sums(gradients, w, learning_rate=0.1, **defaults)
    expect(same(got, right), "Without settings the steps should use the stub's defaults.")


def rmsprop_by_sums(gradients, w, *, learning_rate, rho, epsilon, old=None, new=None,
                    late=0, beside=False, root=0.5, corrected=False):  # fmt: skip
    """A path of RMSprop by weighted sums over all squares so far, perhaps with a slip."""
    old, new, path = rho if old is None else old, new or 1 - rho, []
    for t in range(1, len(gradients) + 1):
        G = sum(new * old ** (k - late) * gradients[t - 1 - k] ** 2 for k in range(late, t))
        G = G + np.zeros(np.shape(w))
        G = G / (1 - rho**t) if corrected else G
        scale = np.sqrt(G) + epsilon if beside else (G + epsilon) ** root
        w = w - learning_rate * gradients[t - 1] / scale
        path.append(w)
    return np.stack(path)


def check_adam_step(answer, rng):
    for shape, epsilon in (((3,), 0.1), ((), 1e-8), ((4, 2), 0.1)):
        rate, b1, b2 = rng.uniform(0.01, 0.2), rng.uniform(0.5, 0.95), 0.98
        gradients = rng.normal(size=(7, *shape)) + 0.5
        w = rng.normal(size=shape)
        settings = {"learning_rate": rate, "beta_1": b1, "beta_2": b2, "epsilon": epsilon}
        got = steps_of(answer, gradients, w, **settings)

        def path(**slip):
            return adam_by_sums(gradients, w, **settings, **slip)  # noqa: B023

        compare(
            got,
            path(),
            {
                "The averages start at 0 and are not corrected.": path(first=1, second=1),
                "Correct the average of the squares, too.": path(second=1),
                "Correct the average of the gradients, too.": path(first=1),
                "t starts at 1: at the first step the corrections are 1 - beta.": (
                    path(shift=1)
                ),
                "The gradient itself is in the step: its average belongs there.": (
                    path(momentum=False)
                ),
                "Epsilon stands beside the corrected root, not under it.": path(under=True),
                "As in Keras, your epsilon is beside the uncorrected root; the task says "
                "beside the corrected one.": path(keras_epsilon=True),
                "The root is missing.": path(root=1.0),
                "The walk goes uphill: subtract the step.": 2 * w - path(),
            },
            "The steps differ from Adam's. Keep the averages uncorrected in the memory, "
            "and correct only what enters the step.",
        )
    check_defaults(answer, rng, 1e-7, adam_by_sums, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    zeros = steps_of(answer, np.zeros((2, 3)), np.ones(3), learning_rate=0.1)
    expect(same(zeros, np.ones((2, 3))), "Without a gradient the weights should stay.")


def adam_by_sums(gradients, w, *, learning_rate, beta_1, beta_2, epsilon, first=None,
                 second=None, shift=0, momentum=True, under=False, keras_epsilon=False,
                 root=0.5):  # fmt: skip
    """A path of Adam by weighted sums over all gradients so far, perhaps with a slip."""
    path = []
    for t in range(1, len(gradients) + 1):
        past = gradients[t - 1 :: -1] if t < len(gradients) else gradients[::-1]
        k = np.arange(t).reshape(-1, *[1] * (gradients.ndim - 1))
        m = np.sum((1 - beta_1) * beta_1**k * past, axis=0)
        v = np.sum((1 - beta_2) * beta_2**k * past**2, axis=0)
        now = max(t - shift, 1)
        c1, c2 = first or 1 - beta_1**now, second or 1 - beta_2**now
        top = m / c1 if momentum else past[0]
        if keras_epsilon:
            bottom = (np.sqrt(v) + epsilon) / np.sqrt(c2)
        elif under:
            bottom = np.sqrt(v / c2 + epsilon)
        else:
            bottom = (v / c2) ** root + epsilon
        w = w - learning_rate * top / bottom
        path.append(w)
    return np.stack(path)


# ---------------------------------------------------------------- 04.9 decoupled decay


def check_decoupled(answer, rng):
    for decay in (0.3, 0.05, 0.0):
        rate = rng.uniform(0.05, 0.3)
        gradients, w = rng.normal(size=(5, 3)), rng.normal(size=3) + 2
        seen = []

        def inner(w, g, memory, *, learning_rate, boost=1.0, seen=seen):
            seen.append(np.array(g))
            count = memory.get("count", 0) + 1
            size = 1 + np.abs(w)  # a step that looks at its weights, too
            w = w - boost * learning_rate * np.sign(g) * count * size / 10
            return w, {"count": count}

        step = call(answer, inner, decay)
        expect(callable(step), "Return a function, a step, not its result.")
        path = steps_of(step, gradients, w, learning_rate=rate, boost=2.0)
        expect(
            all(same(a, g) for a, g in zip(seen, gradients, strict=False)),
            "The inner step saw another gradient. The decay belongs beside the step, not "
            "in its gradient.",
        )
        expect(len(seen) == 5, "Each new step should take one inner step.")

        def path_with(shrink, after=False):
            at, memory, path = w, {}, []  # noqa: B023
            for g in gradients:  # noqa: B023
                start = at
                at = at if after else at - shrink * at
                at, memory = inner(at, g, memory, learning_rate=rate, boost=2.0, seen=[])  # noqa: B023
                at = at - shrink * (at if after == "new" else start) if after else at
                path.append(at)
            return np.stack(path)

        compare(
            path,
            path_with(rate * decay),
            {
                "There is no decay.": path_with(0.0),
                "The share is the learning rate times weight_decay.": path_with(decay),
                "The weights grow: subtract the share.": path_with(-rate * decay),
                "Shrink the weights before the step, and hand it the shrunk ones.": (
                    same(path, path_with(rate * decay, "new"))
                    or same(path, path_with(rate * decay, "old"))
                ),
            },
            "The weights differ from shrinking by learning_rate·weight_decay and then "
            "taking the step with the same gradient, memory and settings.",
        )


# ---------------------------------------------------------------- 04.10 three leaks


class Runs:
    """A table of made-up accuracies: run(name, rate, seed) -> (validation, test)."""

    def __init__(self, rng, rates, seeds):
        self.rates = rates
        luck = {s: rng.normal(0, 0.05) for s in seeds}
        self.table = {
            (name, rate, s): (rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.9) + luck[s])
            for name in "AB"
            for rate in rates[name]
            for s in seeds
        }

    def __call__(self, name, rate, seed):
        expect(name in ("A", "B"), f"run was called with the name {name!r}: A or B.")
        own = rate in self.rates[name]
        expect(own, f"{name} was run with a rate of the other's grid: each has its own.")
        known = (name, rate, int(seed)) in self.table
        expect(known, f"run was called with the seed {seed}, which is not given.")
        return self.table[name, rate, int(seed)]

    def result(self, kind, on, seeds, root=True, ddof=1, by=np.mean):
        """Mean and error if the accuracy `kind` on the seeds `on` chooses the rates."""
        test = {}
        for name, grid in self.rates.items():
            means = [by([self.table[name, r, s][kind] for s in on]) for r in grid]
            best = grid[int(np.argmax(means))]
            test[name] = np.array([self.table[name, best, s][1] for s in seeds])
        d = test["A"] - test["B"]
        return np.array([d.mean(), d.std(ddof=ddof) / (np.sqrt(len(d)) if root else 1)])


def check_compare(answer, rng):
    rates = {"A": [0.2, 0.8, 0.1, 0.4], "B": [0.01, 0.1, 0.001, 0.03, 0.003]}
    for tuning, seeds in (
        ([1, 2, 3], [11, 12, 13, 14]),
        ([5, 6], [21, 22]),
        ([4, 3], [9, 7]),
    ):
        while True:  # until no two mistakes give the same result
            run = Runs(rng, rates, tuning + seeds)
            right = run.result(0, tuning, seeds)
            mistakes = {} if len(tuning) < 3 else {
                "The median over the tuning seeds chose the rate. Take their mean.": (
                    run.result(0, tuning, seeds, by=np.median)
                )
            }  # fmt: skip
            mistakes |= {
                "The difference is A minus B.": right * [-1, 1],
                "The rate is still chosen on the test digits.": run.result(
                    1, tuning, seeds
                ),
                "The rate is chosen on test digits, and with the seeds that are scored.": (
                    run.result(1, seeds, seeds)
                ),
                "The rate was chosen with the seeds that are scored: use tuning_seeds.": (
                    run.result(0, seeds, seeds)
                ),
                "All tuning seeds should have a say, not the first alone.": (
                    run.result(0, tuning[:1], seeds)
                ),
                "A rate needs a good mean over the tuning seeds, not one good run.": (
                    run.result(0, tuning, seeds, by=np.max)
                ),
                "That is scored with the tuning seeds: use seeds.": (
                    run.result(0, tuning, tuning)
                ),
                "That is the standard deviation. The standard error is smaller by √n.": (
                    run.result(0, tuning, seeds, root=False)
                ),
                "The standard deviation of a sample divides by n - 1.": (
                    run.result(0, tuning, seeds, ddof=0)
                ),
            }
            all_means = np.sort([right[0], *(m[0] for m in [*mistakes.values()][:-2])])
            if np.diff(all_means).min() > 1e-3:
                break
        got = parts(
            call(answer, run, rates, tuning, seeds),
            2,
            "two numbers: mean of the differences, and its standard error",
        )
        got = numbers(list(got), "The result", (2,))
        mistakes[
            "The mean is right. The error should be that of the paired differences, "
            "seed by seed."
        ] = same(got[0], right[0])
        compare(
            got,
            right,
            mistakes,
            "Choose by mean validation accuracy over tuning_seeds, score by test accuracy "
            "over seeds.",
        )
    tie = {"A": [0.2, 0.1, 0.4], "B": [2.0, 4.0, 1.0]}
    run = Runs(rng, tie, [1, 2, 3])
    run.table = {key: (0.7, test) for key, (_, test) in run.table.items()}
    got = parts(call(answer, run, tie, [1], [2, 3]), 2, "two numbers")
    first = run.result(0, [1], [2, 3])[0]
    expect(same(got[0], first), "On a tie, take the first rate of the grid.")


# ---------------------------------------------------------------- 04.11 momentum in noise


def best_loss(noise, beta, share, num_steps=200):
    """The lowest expected loss over the rates, from the moments of (w, v): no walks."""
    curvature = np.logspace(-2, 0, 20)  # (20,)
    rate = share * np.array([1.9, 1, 0.5, 0.2, 0.1, 0.05])[:, None]  # (6, 1)
    pull, one = -rate * curvature, np.ones((6, 20))
    step = np.stack([1 + pull, beta * one, pull, beta * one], -1).reshape(6, 20, 2, 2)
    push = (rate * noise)[..., None, None] ** 2 * np.ones((2, 2))
    mean, spread = np.zeros((6, 20, 2, 1)), np.zeros((6, 20, 2, 2))
    mean[..., 0, 0] = 1
    for _ in range(num_steps):
        mean = step @ mean
        spread = step @ spread @ step.swapaxes(-1, -2) + push
    squares = mean[..., 0, 0] ** 2 + spread[..., 0, 0]
    return np.min((curvature * squares).sum(axis=1)) / 2


def check_momentum_gain(answer, rng):
    for noise in (0.0, 0.005, 0.01, 0.1, 1.0):
        ball, descent = best_loss(noise, 0.9, 0.1), best_loss(noise, 0.0, 1.0)
        right, fixed = descent / ball, descent / best_loss(noise, 0.9, 1.0)
        got = float(numbers(call(answer, noise), "The result", ()))
        near = {"right": right, "upside down": 1 / right, "fixed": fixed}
        near = {n: abs(np.log(max(got, 1e-300) / r)) <= 0.12 for n, r in near.items()}
        if near["right"]:
            continue
        expect(
            not near["upside down"], "Divide the loss of plain descent by that of the ball."
        )
        expect(not near["fixed"], "The ball takes a tenth of the rates.")
        raise Wrong(
            f"With the noise {noise:g} the ratio should be about {right:.3g}, yours is "
            f"{got:.3g}. Is the noise normal, new at each step and walk, and is the "
            "best rate chosen by the mean over 200 walks?"
        )


# ---------------------------------------------------------------- 04.5 beat the baseline

BUDGET = 300


def check_descend(answer, rng):
    ours, baseline = [], []
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    H = turn * np.logspace(-3, 0, 20) @ turn.T
    for _ in range(100):
        bottom, calls = turn @ (3 * rng.normal(size=20)), [0]

        def gradient(w, bottom=bottom, calls=calls):
            calls[0] += 1
            return H @ (w - bottom) + 0.03 * rng.normal(size=20)

        w = numbers(call(answer, gradient, np.zeros(20)), "The weights", (20,))
        taken = calls[0]
        expect(taken > 0, "The gradient was never asked for.")
        expect(taken <= BUDGET, f"The budget is {BUDGET} gradients; yours took {taken}.")
        ours.append(w - bottom)
        w = np.zeros(20)
        for _ in range(BUDGET):
            w = w - 1.4 * gradient(w)
        baseline.append(w - bottom)
    expect(np.isfinite(ours).all(), "The weights are not finite: the rate is too large.")
    ratio = np.sum(ours @ H * ours) / np.sum(baseline @ H * np.array(baseline))
    less = f"Your loss is {ratio:.2f} of the baseline's; at most 0.7 is asked for. "
    expect(ratio < 2, less + "The steps are too small, or too large, to arrive.")
    expect(ratio < 0.75, less + "Cross the flat directions faster, then calm the noise.")


CHECKS = {
    "04.5": check_descend,
    "04.6": check_bowl,
    "04.7": check_rmsprop_step,
    "04.8": check_adam_step,
    "04.9": check_decoupled,
    "04.10": check_compare,
    "04.11": check_momentum_gain,
}
