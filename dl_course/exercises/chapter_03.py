"""Checks of chapter 03."""

import tracemalloc
import weakref
from itertools import pairwise

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def central_differences(f, x):
    """∂f/∂x, one number of the array x at a time."""
    gradient = np.empty(np.shape(x))
    for i in np.ndindex(gradient.shape):
        h = np.zeros(gradient.shape)
        h[i] = 6e-6
        gradient[i] = (f(x + h) - f(x - h)) / 1.2e-5
    return gradient


def relative_error(a, b):
    """‖a - b‖ over the larger of both lengths; 0 if both are zero."""
    largest = max(np.linalg.norm(a), np.linalg.norm(b))
    return np.linalg.norm(a - b) / largest if largest else 0.0


# ---------------------------------------------------------------- 03.6 by hand


def check_on_paper(answer, rng):
    expect(not callable(answer), "Three arrays are expected, not a function.")
    names = ("∂L/∂W1", "∂L/∂W2", "∂L/∂x")
    by_W1, by_W2, by_x = parts(answer, 3, f"three things: {', '.join(names)}")
    compare(
        np.ravel(numbers(by_W2, names[1])),
        [6, 0],
        {
            "∂L/∂W2: ReLU sets the second hidden unit to 0.": [6, -2],
            "∂L/∂W2: δ is said minus true, so its sign is +.": [-6, 0],
            "∂L/∂W2: δ is z - 3 = 2. The ½ has cancelled the 2 of the square.": [12, 0],
            "∂L/∂W2 is a times δ, with a from the forward pass: multiply by δ = 2.": [3, 0],
        },
        "∂L/∂W2 should be aᵀδ, with a = relu(xW1 + b1).",
    )
    compare(
        numbers(by_W1, names[0]),
        [[8, 0], [-4, 0]],
        {
            "∂L/∂W1: the second hidden unit is off, and its slope 0.": [[8, 12], [-4, -6]],
            "∂L/∂W1 is transposed: inputs in rows, units in columns.": [[8, -4], [0, 0]],
            "∂L/∂W1: δ of the first layer is that of the second times W2.": [
                [4, 0],
                [-2, 0],
            ],
        },
        "∂L/∂W1 should be xᵀδ, with δ = (2 W2ᵀ) ⊙ relu'(z1).",
    )
    compare(
        np.ravel(numbers(by_x, names[2])),
        [4, -4],
        {
            "∂L/∂x: the second hidden unit is off, and its slope 0.": [4, 8],
            "∂L/∂x is δ W1ᵀ: with W1 in place of its transpose it is another one.": [4, 0],
        },
        "∂L/∂x should be δ W1ᵀ.",
    )


# ---------------------------------------------------------------- 03.7 L layers

ACTIVATIONS = [  # f, f'
    (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    (np.sin, np.cos),
    (lambda z: np.log1p(np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    (lambda z: z + z**2 / 4, lambda z: 1 + z / 2),
]


def check_deep_gradients(answer, rng):
    deep = (1, (2, 5, 3)), (3, (2, 4, 3, 5, 2)), (3, (3, 3, 3, 2))  # the last one: squares
    for batch, sizes in ((4, (3, 2)), (5, (4, 3, 2)), *deep):
        layers = []
        for i, shape in enumerate(pairwise(sizes)):
            W, b = rng.normal(size=shape) / 2, rng.normal(size=shape[1])
            layers.append((W, b, *ACTIVATIONS[i % 4]))
        check_depth(answer, rng.normal(size=(batch, sizes[0])), layers, rng)


def check_depth(answer, x, layers, rng):
    weight = rng.normal(size=(len(x), len(layers[-1][1])))

    def loss(arrays):  # W and b of each layer in turn
        a = x
        for i, (_, _, f, _) in enumerate(layers):
            a = f(a @ arrays[2 * i] + arrays[2 * i + 1])
        return np.sum(weight * a + a**2 / 2)

    depth = len(layers)
    got = parts(
        call(answer, x, layers, lambda a: weight + a),
        depth,
        "a pair (∂L/∂W, ∂L/∂b) for each layer, in a list",
    )
    pairs = [parts(pair, 2, "a pair (∂L/∂W, ∂L/∂b) for each layer") for pair in got]
    arrays = [array for W, b, *_ in layers for array in (W, b)]
    right = [
        central_differences(lambda p, i=i: loss([*arrays[:i], p, *arrays[i + 1 :]]), array)
        for i, array in enumerate(arrays)
    ]
    first = numbers(pairs[0][0], "∂L/∂W of the first layer")
    if depth > 1 and first.shape != right[0].shape == numbers(pairs[-1][0], "∂L/∂W").shape:
        raise Wrong("The last layer comes first: return them in the order of `layers`.")
    for l in reversed(range(depth)):
        which = "the top layer" if l == depth - 1 else f"layer {l + 1} of {depth}"
        name = f"∂L/∂b of {which}"
        b, right_b = numbers(pairs[l][1], name, right[2 * l + 1].shape), right[2 * l + 1]
        if relative_error(b, right_b) > 1e-5:
            expect(
                relative_error(b * len(x), right_b) > 1e-5,
                f"{name} is a mean over the batch: the loss decides that, sum here.",
            )
            expect(
                l < depth - 1,
                f"{name} is wrong: δ is the slope of the loss times f' at z, in the top "
                "layer as well.",
            )
            raise Wrong(
                f"All layers above are right, {name} is not: send δ through the weights of "
                "the layer above, transposed, then multiply by this layer's f' at its z."
            )
        W = numbers(pairs[l][0], f"∂L/∂W of {which}", right[2 * l].shape)
        expect(
            relative_error(W, right[2 * l]) <= 1e-5,
            f"δ of {which} is right, ∂L/∂W is not: it takes the *input* of this layer.",
        )


# ---------------------------------------------------------------- 03.8 layer norm


def check_layer_norm_vjp(answer, rng):
    for batch, units, epsilon in ((5, 4, 0.5), (1, 6, 1e-3), (4, 4, 1e-5)):
        x, u = rng.normal(size=(2, batch, units)) * 2
        gamma, beta = rng.normal(size=(2, units)) + 0.5
        check_layer_norm_once(answer, x, gamma, beta, u, epsilon)


def check_layer_norm_once(answer, x, gamma, beta, u, epsilon):
    names = ("∂L/∂x", "∂L/∂gamma", "∂L/∂beta")

    def loss(x, gamma, beta):
        s = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
        return np.sum(u * (gamma * (x - x.mean(axis=1, keepdims=True)) / s + beta))

    got = parts(call(answer, x, gamma, u, epsilon), 3, f"3 results: {', '.join(names)}")
    arrays = (x, gamma, beta)
    right = [
        central_differences(lambda p, i=i: loss(*arrays[:i], p, *arrays[i + 1 :]), array)
        for i, array in enumerate(arrays)
    ]

    def norm(z, axis, epsilon=epsilon):
        s = np.sqrt(z.var(axis=axis, keepdims=True) + epsilon)
        return (z - z.mean(axis=axis, keepdims=True)) / s, s

    def back(g, x_hat, s, axis=1, along=True):
        mean = g.mean(axis=axis, keepdims=True)
        part = np.mean(g * x_hat, axis=axis, keepdims=True) * along
        return (g - mean - x_hat * part) / s

    rows, s = norm(x, 1)
    compare(
        got[2],
        right[2],
        {
            "∂L/∂beta: beta serves all examples, so sum over the batch.": (
                u.shape[0] == u.shape[1] and same(got[2], u.sum(axis=1))
            ),
            "∂L/∂beta is a sum over the batch, no mean.": u.mean(axis=0),
        },
        "∂L/∂beta is wrong: beta enters each row, with the factor 1.",
    )
    compare(
        got[1],
        right[1],
        {
            "∂L/∂gamma: normalize each row, not each column.": np.sum(
                u * norm(x, 0)[0], axis=0
            ),
            "∂L/∂gamma takes the normalized x, not x.": np.sum(u * x, axis=0),
            "∂L/∂gamma: epsilon stands under the root, too.": np.sum(
                u * norm(x, 1, 1e-12)[0], axis=0
            ),
            "∂L/∂gamma is a sum over the batch, no mean.": np.mean(u * rows, axis=0),
        },
        "∂L/∂gamma is wrong: gamma enters each row, with the normalized x as its factor.",
        tolerance=1e-5,
    )
    compare(
        got[0],
        right[0],
        {
            "∂L/∂x: gamma is missing.": back(u, rows, s),
            "∂L/∂x: multiply by gamma before the means over a row, not after.": (
                back(u, rows, s) * gamma
            ),
            "∂L/∂x: mean and variance are those of rows, so the means are, too.": back(
                u * gamma, rows, s, axis=0
            ),
            "∂L/∂x: the part along the normalized x is missing (through the variance).": (
                back(u * gamma, rows, s, along=False)
            ),
            "∂L/∂x: mean and variance depend on x as well.": u * gamma / s,
            "∂L/∂x: the division by s is missing.": back(u * gamma, rows, 1),
        },
        "∂L/∂x is wrong: follow the five steps of section 5 along a row.",
        tolerance=1e-5,
    )


# ---------------------------------------------------------------- 03.3 a gradient check


def check_gradient_check(answer, rng):
    for scale, shape in ((1e-9, (3, 2)), (1, (3, 2)), (1, (5,)), (1e6, (3, 2))):
        x, size = rng.uniform(0.2, 0.5, shape), int(np.prod(shape))
        c = rng.permutation(np.linspace(0.5, 2, size)) * rng.choice([-1, 1], size)
        judge_once(answer, scale * c.reshape(shape), x, rng, small=scale < 1)


def judge_once(answer, c, x, rng, small):
    """Gradients of Σ c sin 5x and a constant, right and wrong ones."""
    constant = 10 * np.sum(np.abs(c))  # with it, too short a step drowns in rounding

    def f(x):
        return constant + np.sum(c * np.sin(5 * x)) / 5

    def gradient(x):
        return c * np.cos(5 * x)

    def part(x):
        g = gradient(x)
        g.flat[rng.permutation(x.size)[: x.size // 2]] = 0
        return g

    def off_by(error, place):
        def almost(x):
            g = gradient(x)
            g.flat[place] += error * np.linalg.norm(g)
            return g

        return almost

    wrong = {
        "A gradient of the wrong sign passes.": [lambda x: -gradient(x)],
        "A gradient twice too large passes.": [lambda x: 2 * gradient(x)],
        "A gradient passes of which half the numbers were replaced by 0. A step along it "
        "cannot notice that: perturb every number.": [part],
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
        central_differences(lambda w, i=i: loss_of([*weights[:i], w, *weights[i + 1 :]]), w)
        for i, w in enumerate(weights)
    ]
    errors = [relative_error(g, r) for g, r in zip(gradients, right, strict=True)]
    ratio = np.sum(gradients[3] * right[3]) / np.sum(right[3] ** 2)
    expect(
        errors[3] <= 1e-5,
        f"db2 is off by a factor of {ratio:.3g}: start at the top. How many numbers does "
        "the mean run over, and what is the derivative of a square?",
    )
    expect(errors[2] <= 1e-5, "db2 is right, dw2 not: δ times the layer's input.")
    expect(
        errors[0] <= 1e-5,
        "The top layer is right, dw1 not: what is the slope of tanh, written with a?",
    )
    expect(
        errors[1] <= 1e-5,
        "Only db1 is left: over the batch, do derivatives add up?",
    )


# ---------------------------------------------------------------- 03.9 residual


def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def share_of_gradient(weights, x, u, keep):
    """‖∂L/∂x‖ / ‖u‖ by central differences of u · h."""

    def top(x):
        h = x
        for W in weights:
            h = keep * h + sigmoid(h @ W)
        return np.sum(u * h)

    return np.linalg.norm(central_differences(top, x)) / np.linalg.norm(u)


def check_gradient_left(answer, rng):
    for depth, batch, units in ((1, 2, 3), (3, 4, 5), (5, 1, 4)):
        weights = [rng.normal(size=(units, units)) * 1.5 for _ in range(depth)]
        x, u = rng.normal(size=(2, batch, units)) * 2
        got = parts(call(answer, weights, x, u), 2, "two numbers: plain, residual")
        shares = np.array([numbers(each, "Each share", ()) for each in got])
        right = np.array([share_of_gradient(weights, x, u, keep) for keep in (0, 1)])
        control = same(shares[0] / right[0], 1, 1e-4)
        compare(
            shares / right,
            [1, 1],
            {
                "The two are exchanged: first plain, then residual.": right[::-1] / right,
                "Divide the length of ∂L/∂x by the length of u.": [np.linalg.norm(u)] * 2,
                "Both shares are equal: the connection is missing, forward or on the way "
                "back.": control and same(shares[1] / right[0], 1, 1e-4),
                "The control is right, the residual network not: h is used twice, so its "
                "adjoint is a sum; and its sums need a forward pass of their own.": control,
            },
            "The control is wrong, without residual connections: ∂L/∂h = (∂L/∂a ⊙ σ') Wᵀ, "
            "layer by layer, with σ' at the sums of the forward pass.",
            tolerance=1e-4,
        )


# ---------------------------------------------------------------- 03.10 checkpointing


class Chain:
    """Layers a -> tanh(a W), which count their runs and their outputs alive."""

    def __init__(self, weights):
        self.weights, self.runs = weights, [0] * len(weights)
        self.alive, self.most = 0, 0

    def layers(self):
        return [(self.forward(i), self.vjp(i)) for i in range(len(self.weights))]

    def forward(self, i):
        def run(a):
            self.runs[i] += 1
            out = np.array(np.tanh(np.asarray(a) @ self.weights[i])).view(Output)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(out, self.gone)
            return out

        return run

    def gone(self):
        self.alive -= 1

    def vjp(self, i):
        def back(a, u):
            slope = 1 - np.tanh(np.asarray(a) @ self.weights[i]) ** 2
            return (np.asarray(u) * slope) @ self.weights[i].T

        return back


class Output(np.ndarray):
    """An array whose end can be noticed."""


def check_checkpointed(answer, rng):
    for depth, every in ((1, 1), (6, 6), (7, 3), (6, 1), (5, 9), (30, 5), (50, 7)):
        weights = [rng.normal(size=(8, 8)) / 2 for _ in range(depth)]
        x, u = rng.normal(size=(2, 500, 8))
        chain = Chain(weights)
        tracemalloc.start()
        try:
            got = call(answer, x, chain.layers(), u, every)
            peak = tracemalloc.get_traced_memory()[1] / x.nbytes
        finally:
            tracemalloc.stop()
        outputs = [x]
        for W in weights:
            outputs.append(np.tanh(outputs[-1] @ W))
        right = u
        for W, out in zip(reversed(weights), reversed(outputs[1:]), strict=True):
            right = (right * (1 - out**2)) @ W.T
        where = f"With {depth} layers and every = {every}"
        expect(
            relative_error(numbers(got, "The result", x.shape), right) <= 1e-8,
            f"{where} the result is not ∂L/∂x: does each vjp get the input of its own "
            "layer, and is a short last piece right?",
        )
        expect(
            max(chain.runs) <= 2,
            f"{where} a layer ran {max(chain.runs)} times: start each piece at its own "
            "checkpoint, and compute it only once more.",
        )
        allowed = -(-depth // every) + every + 2
        expect(
            chain.most <= allowed,
            f"{where} up to {chain.most} outputs were alive at once, where {allowed} are "
            "allowed: keep only checkpoints on the way forward, and let go of a piece "
            "before you begin the next.",
        )
        expect(
            peak
            <= allowed + 9,  # x and u as `call` keeps them, and what a vjp computes with
            f"{where} the memory of {peak:.0f} arrays was taken at once: copies of outputs "
            "count as well.",
        )


CHECKS = {
    "03.6": check_on_paper,
    "03.7": check_deep_gradients,
    "03.8": check_layer_norm_vjp,
    "03.3": check_gradient_check,
    "03.5": check_mended,
    "03.9": check_gradient_left,
    "03.10": check_checkpointed,
}
