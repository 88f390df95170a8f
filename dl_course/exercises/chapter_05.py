"""Checks of chapter 05."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 05.1 an edge kernel


def check_left_edge(answer, rng):
    k = numbers(answer, "The kernel", (3, 3))
    expect(np.any(k), "All weights are zero: this kernel finds nothing.")
    k = k / np.abs(k).max()  # kernels of small numbers are kernels, too
    expect(
        same(k.sum(), 0),
        "On plain ink it answers something: the nine weights must sum to zero.",
    )
    falling = np.array([[0, 0, 1], [0, 1, 1]])  # paper left, ink right
    answers = falling @ k.sum(axis=0)
    plain_columns, plain_rows = (same(k.sum(axis=axis), np.zeros(3)) for axis in (0, 1))
    expect(
        not plain_columns or not plain_rows,
        "It answers to no straight edge at all, neither a vertical nor a horizontal one.",
    )
    expect(
        not plain_columns,
        "It answers to horizontal edges, but to no vertical ones: looks like the "
        "transpose.",
    )
    expect(
        plain_rows,
        "It also answers to horizontal edges: each row must sum to zero.",
    )
    expect(
        answers.max() > 1e-6 or answers.min() >= -1e-6,
        "The sign is reversed: it is negative where paper lies left of ink.",
    )
    expect(
        answers.min() >= -1e-6,
        "Where paper lies left of ink, it is positive at one place of the edge and "
        "negative at the next.",
    )


# ---------------------------------------------------------------- 05.2 the price of a layer


def check_price(answer, rng):
    for k, s, over in ((4, 2, 1), (5, 3, 1), (3, 1, 0), (3, 2, 0), (3, 3, 2), (1, 2, 1)):
        channels, filters = int(rng.integers(2, 6)), int(rng.integers(7, 12))
        rows, columns = int(rng.integers(4, 8)), int(rng.integers(9, 12))
        height, width = (rows - 1) * s + k + over, (columns - 1) * s + k + over
        weights = k * k * channels * filters
        right = weights + filters, rows * columns * weights
        got = parts(
            call(answer, height, width, channels, filters, k, s),
            2,
            "two numbers: parameters, then multiplications",
        )
        compare(
            got[0],
            right[0],
            {
                "The two are swapped: parameters first.": same(got, right[::-1]),
                "The biases are missing: one for each filter.": weights,
                "A kernel sees all channels: it has a weight for each.": (
                    k * k * filters + filters
                ),
                "One bias for each filter, not one for each channel and filter.": (
                    weights + weights // (k * k)
                ),
            },
            f"{right[0]:,} parameters are expected for {k} x {k}.",
        )
        sizes = f"height {height}, width {width}, kernel_size {k}, strides {s}"
        compare(
            got[1],
            right[1],
            {
                "That is one place a pixel: without padding there are fewer.": (
                    height * width * weights
                ),
                "The stride is ignored: it leaves out places.": (
                    (height - k + 1) * (width - k + 1) * weights
                ),
                "One place too many in both directions: round down.": (
                    (rows + 1) * (columns + 1) * weights
                ),
                "One place is missing in both directions: the first one counts, too.": (
                    (rows - 1) * (columns - 1) * weights
                ),
                "Biases are added, not multiplied.": rows * columns * right[0],
            },
            f"{right[1]:,} multiplications are expected for {sizes}.",
        )


# ---------------------------------------------------------------- 05.3 a strided window


def correlation(x, k, b, s):
    """By loops over the window: y[i, j] = Σ x[s i + u, s j + v] k[u, v] + b."""
    rows, columns = ((n - m) // s + 1 for n, m in zip(x.shape, k.shape, strict=True))
    y = np.full((rows, columns), float(b))
    for u, v in np.ndindex(k.shape):
        y += k[u, v] * x[u : u + s * rows : s, v : v + s * columns : s]
    return y


def check_strided_correlate(answer, rng):
    for s, integers in ((1, False), (2, False), (3, False), (2, True), (5, False)):
        shape = int(rng.integers(8, 10)), int(rng.integers(11, 13))
        x, k, b = rng.normal(size=shape), rng.normal(size=(2, 3)), rng.uniform(1, 2)
        if integers:
            x, k = rng.integers(0, 200, shape).astype(np.uint8), np.array([[1, -1, 2]] * 2)
        correlate_once(answer, x, k, b, s)


def correlate_once(answer, x, k, b, s):
    right = correlation(x.astype(float), k, b, s)
    got = numbers(call(answer, x, k, b, s), "The result")
    without_bias, stepless = right - b, correlation(x.astype(float), k, b, 1)
    compare(
        got,
        right,
        {
            "The stride is ignored: each place is kept.": (
                s > 1 and got.shape == stepless.shape
            ),
            "The stride must count in both directions.": (
                s > 1 and got.shape != right.shape and bool({*got.shape} & {*right.shape})
            ),
            "The kernel is flipped.": correlation(x.astype(float), k[::-1, ::-1], b, s),
            "The bias b is missing.": without_bias,
            "The bias is added once a sum, not once a pixel.": right + (k.size - 1) * b,
            "The result has the type of x: integers lose all behind the point.": (
                x.dtype.kind in "iu" and same(got, np.floor(got))
            ),
        },
        f"The values are wrong, with stride {s}.",
        tolerance=1e-4,
    )


# ------------------------------------------------------------ 05.4 pooling at the border


def check_max_pool_row(answer, rng):
    for size in (1, 3, 5, 7):
        for low, high, ends in ((-3, -1, -3.5), (-500, -400, -600), (-2, 2, 9)):
            x = rng.uniform(low, high, size=int(rng.integers(8, 12)))
            x[[0, -1]] = ends, ends - 0.1
            pool_once(answer, x, size)


def pool_once(answer, x, size):
    half, n = size // 2, len(x)

    def pooled(fill, mode="constant"):
        filled = {"constant_values": fill} if mode == "constant" else {}
        row = np.pad(x, half, mode, **filled)
        return np.lib.stride_tricks.sliding_window_view(row, size)

    got = numbers(call(answer, x, size), "The result")
    compare(
        got,
        pooled(-np.inf).max(axis=1),
        {
            "Fewer numbers than came in: that is valid padding.": (
                got.shape == (n - size + 1,) and size > 1
            ),
            f"{n} numbers are expected, not shape {got.shape}.": got.shape != (n,),
            "Zeros at the border win: they are no data.": pooled(0).max(axis=1),
            "Those are the smallest numbers.": pooled(np.inf).min(axis=1),
            "The window should be centered, not begin at x[i].": [
                x[i : i + size].max() for i in range(n)
            ],
            "Those are means, not the largest numbers.": pooled(0).mean(axis=1),
            "The row is no ring: its other end is no neighbor.": (
                pooled(0, "wrap").max(axis=1)
            ),
        },
        f"Wrong for a window of {size}, for example at the ends.",
    )


# ---------------------------------------------------------------- 05.5 a design


def check_design(answer, rng):
    try:
        design = [(int(k), int(s)) for k, s in answer]
    except (TypeError, ValueError):
        raise Wrong("A list of pairs (kernel_size, strides) is expected.") from None
    expect(len(design) == 4, f"Four layers are expected, not {len(design)}.")
    expect(min(map(min, design)) >= 1, "Sizes and strides are 1 or more.")
    expect(max(k for k, _ in design) <= 3, "A kernel is larger than 3.")
    left, sees, step = 28, 1, 1
    for number, (k, s) in enumerate(design, start=1):
        expect(left >= k, f"Layer {number} gets {left} pixels: too few for its kernel.")
        left = (left - k) // s + 1
        sees, step = sees + (k - 1) * step, step * s
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


def check_nine_looks(answer, rng):
    for channels in (1, 2):
        nine_looks_once(answer, rng, channels)


def nine_looks_once(answer, rng, channels):
    shape = (6, 5, channels)
    images = rng.normal(size=(400, *shape))
    weights = rng.normal(size=(30 * channels, 4))

    def predict(x):
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[1:] != shape:
            raise ValueError(f"predict: expected images (n, *{shape}), got {x.shape}")
        scores = np.exp(x.reshape(len(x), -1) @ weights / np.sqrt(channels))
        return scores / scores.sum(axis=1, keepdims=True)

    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]

    def looks(steps, wrap=False):
        return np.stack([predict(moved(images, i, j, wrap)) for i, j in steps])

    def answers(*how):
        return looks(*how).mean(axis=0).argmax(axis=1)

    votes = looks(steps).argmax(axis=2)  # (9, images)
    counts = [np.bincount(column, minlength=4) for column in votes.T]
    got = numbers(call(answer, predict, images), "The result")
    compare(
        got,
        answers(steps),
        {
            "Those are probabilities: answer with the likeliest class.": (
                got.shape == (400, 4)
            ),
            "That is one look, not nine.": predict(images).argmax(axis=1),
            "Pixels that leave on one side come in on the other: np.roll wraps around.": (
                answers(steps, True)
            ),
            "The four diagonal moves are missing.": answers([s for s in steps if 0 in s]),
            "The image in its place is one of the nine.": answers(
                [step for step in steps if step != (0, 0)]
            ),
            "Average the probabilities; counting votes forgets how sure each look was.": (
                np.argmax(counts, axis=1)
            ),
        },
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
