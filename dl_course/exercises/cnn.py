"""Checks of chapter 05."""

import numpy as np

from dl_course import cnn
from dl_course.exercises import Wrong, call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 05.1 an edge kernel


def check_left_edge(answer):
    k = numbers(answer, "The kernel")
    expect(k.shape == (3, 3), f"A kernel of shape (3, 3) is expected, not {k.shape}.")
    expect(np.any(k), "All weights are zero: this kernel finds nothing.")
    expect(
        same(k.sum(), 0),
        f"On plain ink it answers {k.sum():.3g}: the nine weights must sum to zero.",
    )
    falling = np.array([[0, 0, 1], [0, 1, 1]])  # paper left, ink right
    answers = falling @ k.sum(axis=0)
    if same(k.sum(axis=0), np.zeros(3)):
        found = "horizontal edges, but no vertical ones: looks like the transpose"
        raise Wrong(f"It answers to {found}.")
    expect(
        same(k.sum(axis=1), np.zeros(3)),
        "It also answers to horizontal edges: each row must sum to zero.",
    )
    expect(
        answers.max() > 0 or answers.min() >= 0,
        "The sign is reversed: it is negative where paper lies left of ink.",
    )
    expect(
        answers.min() >= 0,
        "Where paper lies left of ink, it is positive at one place of the edge and "
        "negative at the next.",
    )


# ---------------------------------------------------------------- 05.2 the price of a layer


def check_price(answer):
    k, s = int(RNG.integers(3, 6)), int(RNG.integers(2, 4))
    channels, filters = int(RNG.integers(2, 6)), int(RNG.integers(7, 12))
    rows, columns = int(RNG.integers(4, 8)), int(RNG.integers(9, 12))
    height, width = (
        (rows - 1) * s + k + 1,
        (columns - 1) * s + k + 1,
    )  # a pixel is left over
    weights = k * k * channels * filters
    right = weights + filters, rows * columns * weights
    got = call(answer, height, width, channels, filters, k, s)
    expect(
        isinstance(got, tuple | list | np.ndarray) and len(got) == 2,
        "Return two numbers: parameters, then multiplications.",
    )
    parameters, products = got
    expect(not same(got, right[::-1]), "The two are swapped: parameters first.")
    expect(not same(parameters, weights), "The biases are missing: one a filter.")
    expect(
        not same(parameters, k * k * filters + filters),
        "A kernel sees all channels: it has a weight for each.",
    )
    expect(
        not same(parameters, weights + weights // (k * k)),
        "One bias a filter, not one for each channel and filter.",
    )
    expect(same(parameters, right[0]), f"{right[0]:,} parameters expected for {k} x {k}.")
    expect(
        not same(products, height * width * weights),
        "That is one place a pixel: without padding there are fewer.",
    )
    expect(
        not same(products, (height - k + 1) * (width - k + 1) * weights),
        "The stride is ignored: it leaves out places.",
    )
    expect(
        not same(products, (rows + 1) * (columns + 1) * weights),
        "One place too many in both directions: round down.",
    )
    expect(
        not same(products, rows * columns * right[0]),
        "Biases are added, not multiplied.",
    )
    expect(same(products, right[1]), f"{right[1]:,} multiplications expected.")


# ---------------------------------------------------------------- 05.3 a strided window


def check_strided_correlate(answer):
    for s in (1, int(RNG.integers(2, 4))):
        check_correlate_once(answer, s)


def check_correlate_once(answer, s):
    shape = int(RNG.integers(8, 10)), int(RNG.integers(11, 13))
    x, k, b = RNG.normal(size=shape), RNG.normal(size=(2, 3)), float(RNG.uniform(1, 2))

    def layer(x, k, s):
        return cnn.conv2d(x[None, :, :, None], k[:, :, None, None], strides=s)[0, :, :, 0]

    right = layer(x, k, s) + b
    got = numbers(call(answer, x, k, b, s), "The result")
    if got.shape != right.shape:
        expect(
            s == 1 or got.shape != layer(x, k, 1).shape,
            "The stride is ignored: each place is kept.",
        )
        expect(
            s == 1 or got.shape[:1] != right.shape[:1],
            "The stride must count in both directions.",
        )
        raise Wrong(
            f"For x {shape}, k (2, 3), s = {s}: shape {right.shape}, not {got.shape}."
        )
    expect(not same(got, layer(x, k[::-1, ::-1], s) + b, 1e-4), "The kernel is flipped.")
    expect(not same(got, right - b, 1e-4), "The bias b is missing.")
    expect(
        not same(got, right + (k.size - 1) * b, 1e-4),
        "The bias is added once a sum, not once a pixel.",
    )
    expect(same(got, right, 1e-4), f"The values are wrong, with stride {s}.")


# ------------------------------------------------------------ 05.4 pooling at the border


def check_max_pool_row(answer):
    n, size = int(RNG.integers(8, 12)), int(RNG.choice([3, 5]))
    x = RNG.uniform(-3, -1, size=n)
    x[[0, -1]] = -3.5, -3.6  # the ends are smallest: no edge value may be repeated outward
    half = size // 2

    def pooled(fill):
        row = np.pad(x, half, constant_values=fill)
        return np.lib.stride_tricks.sliding_window_view(row, size)

    right = pooled(-np.inf).max(axis=1)
    got = numbers(call(answer, x, size), "The result")
    expect(
        got.shape != (n - size + 1,),
        "Fewer numbers than came in: that is valid padding.",
    )
    expect(got.shape == (n,), f"{n} numbers are expected, not shape {got.shape}.")
    expect(
        not same(got, pooled(0).max(axis=1)), "Zeros at the border win: they are no data."
    )
    expect(not same(got, pooled(np.inf).min(axis=1)), "Those are the smallest numbers.")
    after = [x[i : i + size].max() for i in range(n)]
    expect(not same(got, after), "The window should be centered, not begin at x[i].")
    expect(
        not same(got, pooled(0).mean(axis=1)), "Those are means, not the largest numbers."
    )
    expect(same(got, right), f"Wrong for a window of {size}, for example at the ends.")


# ---------------------------------------------------------------- 05.5 a design


def check_design(answer):
    try:
        design = [(int(k), int(s)) for k, s in answer]
    except (TypeError, ValueError):
        raise Wrong("A list of pairs (kernel_size, strides) is expected.") from None
    expect(len(design) == 4, f"Four layers are expected, not {len(design)}.")
    expect(min(map(min, design)) >= 1, "Sizes and strides are 1 or more.")
    expect(max(k for k, _ in design) <= 3, "A kernel is larger than 3.")
    left = 28
    for number, (k, s) in enumerate(design, start=1):
        expect(left >= k, f"Layer {number} gets {left} pixels: too few for its kernel.")
        left = cnn.output_size(left, k, strides=s)
    sees = cnn.receptive_field(design)
    expect(
        sees >= 20,
        f"A unit sees {sees} pixels, not 20. Let earlier layers take larger steps.",
    )
    expect(left >= 2, f"Only {left} unit is left in each direction. Use smaller strides.")


# ---------------------------------------------------------------- 05.6 nine looks


def moved(images, down, right, wrap=False):
    if wrap:
        return np.roll(images, (down, right), axis=(1, 2))
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    height, width = images.shape[1:3]
    return padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]


def check_nine_looks(answer):
    images = RNG.normal(size=(400, 6, 5, 1))
    weights = RNG.normal(size=(30, 4))

    def predict(x):
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[1:] != (6, 5, 1):
            raise ValueError(f"predict: expected images (n, 6, 5, 1), got {x.shape}")
        scores = np.exp(x.reshape(len(x), 30) @ weights)
        return scores / scores.sum(axis=1, keepdims=True)

    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]

    def looks(steps, wrap=False):
        return np.stack([predict(moved(images, i, j, wrap)) for i, j in steps])

    nine = looks(steps)  # (9, images, classes)
    got = numbers(call(answer, predict, images), "The result")
    expect(
        got.shape != (400, 4), "Those are probabilities: answer with the likeliest class."
    )
    expect(got.shape == (400,), f"One class an image is expected, not shape {got.shape}.")
    expect(not same(got, predict(images).argmax(axis=1)), "That is one look, not nine.")
    expect(
        not same(got, looks(steps, wrap=True).mean(axis=0).argmax(axis=1)),
        "Pixels that leave on one side come in on the other: np.roll wraps around.",
    )
    crosses = [step for step in steps if 0 in step]
    expect(
        not same(got, looks(crosses).mean(axis=0).argmax(axis=1)),
        "The four diagonal moves are missing.",
    )
    others = [step for step in steps if step != (0, 0)]
    expect(
        not same(got, looks(others).mean(axis=0).argmax(axis=1)),
        "The image in its place is one of the nine.",
    )
    counts = [np.bincount(votes, minlength=4) for votes in nine.argmax(axis=2).T]
    expect(
        not same(got, np.argmax(counts, axis=1)),
        "Average the probabilities; counting votes forgets how sure each look was.",
    )
    expect(
        same(got, nine.mean(axis=0).argmax(axis=1)),
        "Some classes differ from those of the nine averaged probabilities.",
    )


CHECKS = {
    "05.1": check_left_edge,
    "05.2": check_price,
    "05.3": check_strided_correlate,
    "05.4": check_max_pool_row,
    "05.5": check_design,
    "05.6": check_nine_looks,
}
