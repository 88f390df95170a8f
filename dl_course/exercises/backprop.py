"""Checks of chapter 03's exercises."""

import math

import numpy as np

from dl_course.backprop import Value, numerical_gradient, relative_error
from dl_course.exercises import Wrong, call, expect, same


def _parts(got, names, shapes):
    """The learner's tuple as arrays of these shapes, or Wrong."""
    expect(
        isinstance(got, tuple | list) and len(got) == len(names),
        f"Expected {len(names)} results: {', '.join(names)}.",
    )
    arrays = []
    for value, name, shape in zip(got, names, shapes, strict=True):
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            raise Wrong(f"{name} should be numbers, got {type(value).__name__}.") from None
        expect(
            array.shape == shape,
            f"{name} has the shape {array.shape}, but what it belongs to has {shape}.",
        )
        arrays.append(array)
    return arrays


def check_softsign_slope(answer):
    """03.1: the derivative of z / (1 + |z|)."""
    z = np.random.default_rng().normal(size=20) * 3
    got = call(answer, z)
    right = 1 / (1 + np.abs(z)) ** 2
    expect(not same(got, z / (1 + np.abs(z))), "This is softsign itself, not its slope.")
    expect(
        not same(got, 1 / (1 + np.abs(z))),
        "The denominator depends on z too: the quotient rule squares it.",
    )
    expect(
        not same(got, 1 / (1 + z) ** 2),
        "For negative z the slope is wrong: the absolute value is missing.",
    )
    expect(
        not same(got, np.sign(z) * right),
        "The sign is wrong for z < 0: softsign rises everywhere.",
    )
    expect(same(got, right), "It differs from the numerical gradient of softsign.")
    expect(same(call(answer, np.zeros(2)), [1, 1]), "At z = 0 the slope is 1.")


def check_sine(answer):
    """03.2: the sine as an operation on Values."""
    at = float(np.random.default_rng().uniform(0.2, 1.3))
    x = Value(at)
    got = call(lambda: answer(x))  # no copy: the graph must lead to this very x
    expect(isinstance(got, Value), f"Return a Value, not a {type(got).__name__}.")
    expect(
        not same(got.data, math.sin(math.radians(at))), "math.sin takes radians, as it is."
    )
    expect(same(got.data, math.sin(at)), "Its data should be math.sin of v.data.")
    got.backward()
    expect(x in got.history(), "The result has no parent: no blame can flow back to v.")
    expect(
        not same(x.grad, math.sin(at)),
        "The local derivative is that of the sine, not the sine again.",
    )
    expect(not same(x.grad, -math.cos(at)), "The derivative of sin is +cos.")
    expect(same(x.grad, math.cos(at)), "The local derivative should be cos at v.data.")
    output = call(lambda: answer(x * x) * 3)
    output.backward()
    expect(
        same(x.grad, 6 * at * math.cos(at * at)),
        "Alone it is right, inside 3 sin(x²) not: give the local derivative only, "
        "`backward` multiplies it by the rest.",
    )


def check_gradient_check(answer):
    """03.3: a function that judges gradients."""
    rng = np.random.default_rng()
    c = rng.normal(size=(3, 2)) + 0.1
    x = rng.normal(size=(3, 2))
    right = [(scale, lambda x, s=scale: s * c * np.cos(x)) for scale in (1e-4, 1, 1e4)]
    for scale, gradient in right:
        f = lambda x, s=scale: np.sum(s * c * np.sin(x))  # noqa: E731
        said = call(answer, f, gradient, x)
        expect(
            isinstance(said, bool | np.bool_),
            f"Return True or False, not a {type(said).__name__}.",
        )
        expect(
            said,
            "A right gradient is refused: take central differences with a step near 1e-5, "
            "and measure the error relative to the gradient's size.",
        )

        def one_wrong(x, gradient=gradient):
            g = gradient(x)
            return np.where(np.abs(g) == np.abs(g).max(), 1.05 * g, g)

        wrong = {
            "A gradient of the wrong sign passes.": lambda x, g=gradient: -g(x),
            "A gradient twice too large passes.": lambda x, g=gradient: 2 * g(x),
            "A gradient with two numbers swapped passes: compare number by number.": (
                lambda x, g=gradient: g(x)[::-1]
            ),
            "A gradient with one number wrong by 5 % passes.": one_wrong,
        }
        for message, gradient_of in wrong.items():
            hint = " If gradients are small: is your tolerance relative?" * (scale < 1)
            expect(not call(answer, f, gradient_of, x), message + hint)


def check_sigmoid_blame(answer):
    """03.4: the blame at a sigmoid output under binary cross-entropy."""
    rng = np.random.default_rng()
    z, y = rng.normal(size=(7, 1)) * 2, rng.integers(0, 2, (7, 1)).astype(float)
    p = 1 / (1 + np.exp(-z))
    right = (p - y) / len(z)
    with np.errstate(all="ignore"):
        got = call(answer, z, y)
        far = call(answer, np.array([[-1e4], [1e4]]), np.array([[1.0], [0.0]]))
    expect(
        not same(got, p - y), "The loss is a mean: the division by the batch is missing."
    )
    expect(not same(got, -right), "The sign is reversed: blame is p - y, over the batch.")
    expect(
        not same(got, right * p * (1 - p)),
        "A factor p (1 - p) too much: in cross-entropy it cancels against 1 / (p (1 - p)).",
    )
    expect(not same(got, (z - y) / len(z)), "z is no probability yet: squash it first.")
    expect(same(got, right), "It differs from the numerical gradient of the mean loss.")
    expect(same(far, [[-0.5], [0.5]]), "At z = ±10,000 it is not a number, or not ±1/2.")


def check_mended(answer):
    """03.5: two layers under mean squared error, with three mistakes to mend."""
    rng = np.random.default_rng()
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    numbers = [rng.normal(size=shape) for shape in ((4, 6), (6,), (6, 3), (3,))]
    names = ("loss", "dw1", "db1", "dw2", "db2")
    got = call(answer, x, y, *numbers)
    loss, *gradients = _parts(got, names, ((), *(n.shape for n in numbers)))

    def loss_of(numbers):
        w1, b1, w2, b2 = numbers
        return np.mean((np.tanh(x @ w1 + b1) @ w2 + b2 - y) ** 2)

    expect(same(loss, loss_of(numbers)), "The loss itself was right: leave it as it is.")
    right = [
        numerical_gradient(lambda n, i=i: loss_of([*numbers[:i], n, *numbers[i + 1 :]]), n)
        for i, n in enumerate(numbers)
    ]
    errors = [relative_error(g, r) for g, r in zip(gradients, right, strict=True)]
    ratio = np.sum(gradients[3] * right[3]) / np.sum(right[3] ** 2)
    expect(
        errors[3] <= 1e-6,
        f"db2 is off by a factor of {ratio:.3g}: start at the top. How many numbers does "
        "the mean run over, and what is the derivative of a square?",
    )
    expect(errors[2] <= 1e-6, "db2 is right, dw2 not: blame times the layer's input.")
    expect(
        errors[0] <= 1e-6,
        "The top layer is right, dw1 not: what is the slope of tanh, written with a?",
    )
    expect(
        errors[1] <= 1e-6, "Only db1 is left: over the batch, does blame add up or average?"
    )


CHECKS = {
    "03.1": check_softsign_slope,
    "03.2": check_sine,
    "03.3": check_gradient_check,
    "03.4": check_sigmoid_blame,
    "03.5": check_mended,
}
