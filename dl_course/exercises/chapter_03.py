"""Checks of chapter 03."""

import math

import numpy as np

from dl_course.backprop import Value, numerical_gradient, relative_error
from dl_course.exercises import call, compare, expect, numbers, parts

# ---------------------------------------------------------------- 03.1 softsign


def check_softsign_slope(answer, rng):
    z = rng.normal(size=20) * 3
    right = 1 / (1 + np.abs(z)) ** 2
    compare(
        call(answer, z),
        right,
        {
            "This is softsign itself, not its slope.": z / (1 + np.abs(z)),
            "The denominator depends on z too: the quotient rule squares it.": (
                1 / (1 + np.abs(z))
            ),
            "For negative z the slope is wrong: the absolute value is missing.": (
                1 / (1 + z) ** 2
            ),
            "The sign is wrong for z < 0: softsign rises everywhere.": np.sign(z) * right,
        },
        "It differs from the numerical gradient of softsign.",
    )
    compare(call(answer, np.zeros(2)), [1, 1], {}, "At z = 0 the slope is 1.")


# ---------------------------------------------------------------- 03.2 the sine of a Value


def check_sine(answer, rng):
    places = (float(rng.uniform(0.2, 1.3)), 2.0, -4.0, 30.0)
    for at in places:
        x = Value(at)
        got = call(lambda x=x: answer(x))  # no copy: the graph must lead to this very x
        expect(isinstance(got, Value), f"Return a Value, not a {type(got).__name__}.")
        compare(
            got.data,
            math.sin(at),
            {"math.sin takes radians, as it is.": math.sin(math.radians(at))},
            "Its data should be math.sin of v.data.",
        )
        expect(
            x in got.history(),
            "The result does not descend from v: no blame can flow back. Give it v as a "
            "parent, v itself and no copy.",
        )
        got.backward()
        compare(
            x.grad,
            math.cos(at),
            {
                "The local derivative is that of the sine, not the sine again.": math.sin(
                    at
                ),
                "The derivative of sin is cos. The root of 1 - sin² loses its sign.": (
                    abs(math.cos(at))
                ),
                "The derivative of sin is +cos.": -math.cos(at),
            },
            "The local derivative should be cos at v.data.",
        )
    for at in places:
        x = Value(at)
        output = call(lambda x=x: answer(x * x) * 3)
        output.backward()
        compare(
            x.grad,
            6 * at * math.cos(at * at),
            {},
            "Alone it is right, inside 3 sin(x²) not: give the local derivative only, "
            "`backward` multiplies it by the rest.",
        )


# ---------------------------------------------------------------- 03.3 a judge


def check_gradient_check(answer, rng):
    for scale, shape in ((1e-4, (3, 2)), (1, (3, 2)), (1, (5,)), (1e4, (3, 2))):
        x, size = rng.uniform(0.2, 0.5, shape), int(np.prod(shape))
        c = rng.permutation(np.linspace(0.5, 2, size)) * rng.choice([-1, 1], size)
        judge_once(answer, scale * c.reshape(shape), x, rng, small=scale < 1)


def judge_once(answer, c, x, rng, small):
    """Gradients of Σ c sin x, right and wrong ones."""

    def f(x):
        return np.sum(c * np.sin(x))

    def gradient(x):
        return c * np.cos(x)

    def off_by(error, place):
        def almost(x):
            g = gradient(x)
            g.flat[place] += error * np.linalg.norm(g)
            return g

        return almost

    wrong = {
        "A gradient of the wrong sign passes.": [lambda x: -gradient(x)],
        "A gradient twice too large passes.": [lambda x: 2 * gradient(x)],
        "A gradient with two numbers swapped passes: compare number by number.": [
            lambda x: gradient(x)[::-1]
        ],
        "A gradient with one number wrong by 5 % of the whole passes.": [
            off_by(0.05, place) for place in range(x.size)
        ],
        "A gradient that is 0.5 % off passes, where 0.1 % is allowed.": [
            lambda x: 1.005 * gradient(x),
            off_by(0.005, int(rng.integers(x.size))),
        ],
    }
    said = call(answer, f, gradient, x)
    expect(
        isinstance(said, bool | np.bool_),
        f"Return True or False, not a {type(said).__name__}.",
    )
    expect(
        said,
        "A right gradient is refused: take central differences with a step near 1e-5, and "
        "measure the error relative to the gradient's size.",
    )
    hint = " If gradients are small: is your tolerance relative?" * small
    for message, some in wrong.items():
        for each in some:
            expect(not call(answer, f, each, x), message + hint)
    for each in (off_by(3e-4, 0), off_by(-3e-4, x.size - 1)):
        expect(
            call(answer, f, each, x),
            "A gradient with one number 0.03 % off is refused, where 0.1 % is allowed.",
        )


# ---------------------------------------------------------------- 03.4 a sigmoid's blame


def check_sigmoid_blame(answer, rng):
    z, y = rng.normal(size=(7, 1)) * 2, rng.integers(0, 2, (7, 1)).astype(float)
    p = 1 / (1 + np.exp(-z))
    right = (p - y) / len(z)
    compare(
        call(answer, z, y),
        right,
        {
            "The loss is a mean: the division by the batch is missing.": p - y,
            "The sign is reversed: blame is p - y, over the batch.": -right,
            "A factor p (1 - p) too much: in cross-entropy it cancels against "
            "1 / (p (1 - p)).": right * p * (1 - p),
            "z is no probability yet: squash it first.": (z - y) / len(z),
        },
        "It differs from the numerical gradient of the mean loss.",
    )
    z, y = np.array([[-1e4], [1e4], [1e4], [-1e4]]), np.array([[1.0], [0.0], [1.0], [0.0]])
    compare(
        call(answer, z, y),
        [[-0.25], [0.25], [0], [0]],
        {},
        "At z = ±10,000 it is not a number, or not p - y over the batch.",
    )


# ---------------------------------------------------------------- 03.5 three mistakes


def check_mended(answer, rng):
    for batch, inputs, hidden, outputs in ((5, 4, 6, 3), (4, *rng.integers(2, 7, 2), 2)):
        shapes = (inputs, hidden), (hidden,), (hidden, outputs), (outputs,)
        x, y = rng.normal(size=(batch, inputs)), rng.normal(size=(batch, outputs))
        check_mended_once(answer, x, y, [rng.normal(size=shape) for shape in shapes])


def check_mended_once(answer, x, y, weights):
    names = ("loss", "dw1", "db1", "dw2", "db2")
    got = parts(call(answer, x, y, *weights), 5, f"5 results: {', '.join(names)}")

    def loss_of(weights):
        w1, b1, w2, b2 = weights
        return np.mean((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)

    compare(got[0], loss_of(weights), {}, "The loss itself was right: leave it as it is.")
    gradients = [
        numbers(part, name, w.shape)
        for part, name, w in zip(got[1:], names[1:], weights, strict=True)
    ]
    right = [
        numerical_gradient(lambda w, i=i: loss_of([*weights[:i], w, *weights[i + 1 :]]), w)
        for i, w in enumerate(weights)
    ]
    errors = [relative_error(g, r) for g, r in zip(gradients, right, strict=True)]
    ratio = np.sum(gradients[3] * right[3]) / np.sum(right[3] ** 2)
    expect(
        errors[3] <= 1e-5,
        f"db2 is off by a factor of {ratio:.3g}: start at the top. How many numbers does "
        "the mean run over, and what is the derivative of a square?",
    )
    expect(errors[2] <= 1e-5, "db2 is right, dw2 not: blame times the layer's input.")
    expect(
        errors[0] <= 1e-5,
        "The top layer is right, dw1 not: what is the slope of tanh, written with a?",
    )
    expect(
        errors[1] <= 1e-5, "Only db1 is left: over the batch, does blame add up or average?"
    )


CHECKS = {
    "03.1": check_softsign_slope,
    "03.2": check_sine,
    "03.3": check_gradient_check,
    "03.4": check_sigmoid_blame,
    "03.5": check_mended,
}
