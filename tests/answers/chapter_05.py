"""Chapter 05: second right solutions, and typical wrong ones with the message they get."""

import numpy as np

# ---------------------------------------------------------------- 05.1

LEFT_EDGE = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]  # Sobel
LEFT_EDGE_NARROW = [[0, 0, 0], [-1, 1, 0], [0, 0, 0]]

# ---------------------------------------------------------------- 05.2


def price_by_counting(height, width, channels, filters, kernel_size, strides):
    rows = len(range(0, height - kernel_size + 1, strides))
    columns = len(range(0, width - kernel_size + 1, strides))
    per_filter = kernel_size**2 * channels
    return np.array([filters * (per_filter + 1), filters * per_filter * rows * columns])


def price_with(
    size=lambda n, k, s: (n - k) // s + 1, bias=1, per_place=0, channels_used=True
):
    def price(height, width, channels, filters, kernel_size, strides):
        weights = kernel_size**2 * (channels if channels_used else 1) * filters
        rows = size(height, kernel_size, strides)
        columns = size(width, kernel_size, strides)
        return weights + bias * filters, rows * columns * (weights + per_place * filters)

    return price


def price_swapped(*sizes):
    return price_by_counting(*sizes)[::-1]


# ---------------------------------------------------------------- 05.3


def correlate_by_windows(x, k, b, s):
    windows = np.lib.stride_tricks.sliding_window_view(x, k.shape)
    return (np.einsum("ijuv,uv->ij", windows, k) + b)[::s, ::s].tolist()


def correlate_by_loops(x, k, b, s, at_each_pixel=0.0):
    height, width = k.shape
    y = np.full(((x.shape[0] - height) // s + 1, (x.shape[1] - width) // s + 1), b)
    for (i, j), (u, v) in (
        (p, w) for p in np.ndindex(y.shape) for w in np.ndindex(k.shape)
    ):
        y[i, j] += x[s * i + u, s * j + v] * k[u, v]
    return y.astype("float32")


def correlate_flipped(x, k, b, s):
    return correlate_by_loops(x, k[::-1, ::-1], b, s)


def correlate_unbiased(x, k, b, s):
    return correlate_by_loops(x, k, 0.0, s)


def correlate_unstrided(x, k, b, s):
    return correlate_by_loops(x, k, b, 1)


def correlate_strided_down(x, k, b, s):
    return correlate_by_loops(x, k, b, 1)[::s]


def correlate_biased_at_each_pixel(x, k, b, s):
    return correlate_by_loops(x, k, b * k.size, s)


def correlate_transposed(x, k, b, s):
    return correlate_by_loops(x.T, k, b, s).T


def correlate_padded(x, k, b, s):
    return correlate_by_loops(np.pad(x, 1), k, b, s)


# ---------------------------------------------------------------- 05.4


def pool_by_padding(x, size):
    half = size // 2
    row = np.pad(x, half, constant_values=-np.inf)
    return np.stack([row[u : u + len(x)] for u in range(size)]).max(axis=0)


def pool_by_repeating_the_ends(x, size):
    """Repeating the end values is right too: they lie in the window anyway."""
    row = np.pad(x, size // 2, mode="edge")
    return [row[i : i + size].max() for i in range(len(x))]


def pool_with(fill, pool=np.max):
    def max_pool_row(x, size):
        row = np.pad(x, size // 2, constant_values=fill)
        return [pool(row[i : i + size]) for i in range(len(x))]

    return max_pool_row


def pool_valid(x, size):
    return [x[i : i + size].max() for i in range(len(x) - size + 1)]


def pool_after(x, size):
    return [x[i : i + size].max() for i in range(len(x))]


# ---------------------------------------------------------------- 05.6


def looks(images, steps, wrap=False):
    height, width = images.shape[1:3]
    for down, right in steps:
        if wrap:
            yield np.roll(images, (down, right), axis=(1, 2))
            continue
        copy = np.zeros_like(images)
        to_rows, to_columns = slice(max(down, 0), height), slice(max(right, 0), width)
        from_rows, from_columns = slice(max(-down, 0), height), slice(max(-right, 0), width)
        part = images[:, from_rows, from_columns]
        part = part[:, : height - abs(down), : width - abs(right)]
        copy[:, to_rows, to_columns][:, : part.shape[1], : part.shape[2]] = part
        yield copy


STEPS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


def nine_looks_at_once(predict, images):
    copies = np.concatenate(list(looks(images, STEPS)))
    probabilities = predict(copies).reshape(9, len(images), -1)
    return [
        int(np.argmax(column.sum(axis=0))) for column in np.moveaxis(probabilities, 1, 0)
    ]


def looks_with(steps=STEPS, wrap=False):
    def nine_looks(predict, images):
        return sum(predict(x) for x in looks(images, steps, wrap)).argmax(axis=1)

    return nine_looks


def looks_probabilities(predict, images):
    return sum(predict(x) for x in looks(images, STEPS)) / 9


def looks_votes(predict, images):
    votes = np.stack([predict(x).argmax(axis=1) for x in looks(images, STEPS)])
    return [np.bincount(column).argmax() for column in votes.T]


def correlate_in_the_type_of_x(x, k, b, s):
    return np.array(correlate_by_windows(x, k, b, s)).astype(x.dtype)


RIGHT = {
    "05.1": [
        LEFT_EDGE,
        LEFT_EDGE_NARROW,
        1e-7 * np.array(LEFT_EDGE),
        np.array(LEFT_EDGE, "float32"),
    ],
    "05.2": [price_by_counting],
    "05.3": [correlate_by_windows, correlate_by_loops],
    "05.4": [pool_by_padding, pool_by_repeating_the_ends],
    "05.5": [((3, 2), (2, 2), (3, 1), (3, 1)), [[2, 2], [3, 2], [3, 1], [3, 1]]],
    "05.6": [nine_looks_at_once],
}

WRONG = {
    "05.1": [
        (np.transpose(LEFT_EDGE), "transpose"),
        (-np.array(LEFT_EDGE), "sign is reversed"),
        ([[0, 0, 1]] * 3, "sum to zero"),
        ([[-2, 0, 0], [0, 1, 0], [0, 0, 1]], "each row"),
        ([[-1, 0, 1]], "(3, 3)"),
        ([[1, -2, 1]] * 3, "at one place"),
        (np.zeros((3, 3)), "finds nothing"),
        ("left", "numbers"),
        ([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], "no straight edge"),
        (1e-7 * np.transpose(LEFT_EDGE), "transpose"),
    ],
    "05.2": [
        (price_with(bias=0), "biases are missing"),
        (price_with(size=lambda n, k, s: n), "one place a pixel"),
        (price_with(size=lambda n, k, s: n - k + 1), "stride is ignored"),
        (price_with(size=lambda n, k, s: -(-(n - k) // s) + 1), "round down"),
        (price_with(per_place=1), "not multiplied"),
        (price_with(channels_used=False), "all channels"),
        (price_swapped, "swapped"),
        (lambda *sizes: price_by_counting(*sizes)[0], "two numbers"),
        (price_with(size=lambda n, k, s: round((n - k) / s) + 1), "not right yet"),
        (price_with(size=lambda n, k, s: (n - k) // s), "the first one counts"),
    ],
    "05.3": [
        (correlate_flipped, "flipped"),
        (correlate_unbiased, "bias b is missing"),
        (correlate_unstrided, "stride is ignored"),
        (correlate_strided_down, "both directions"),
        (correlate_biased_at_each_pixel, "once a pixel"),
        (correlate_transposed, "not ("),
        (correlate_padded, "not ("),
        (lambda x, k, b, s: x @ k, "raised ValueError"),
        (correlate_in_the_type_of_x, "type of x"),
    ],
    "05.4": [
        (pool_with(0), "no data"),
        (pool_valid, "valid padding"),
        (pool_after, "centered"),
        (pool_with(np.inf, np.min), "smallest"),
        (pool_with(0, np.mean), "means"),
        (pool_with(-100), "at the ends"),
        (lambda x, size: pool_with(-np.inf)(x, 3), "window of"),
        (
            lambda x, size: [
                np.pad(x, size // 2, mode="wrap")[i : i + size].max() for i in range(len(x))
            ],
            "no ring",
        ),
    ],
    "05.5": [
        ([(3, 1)] * 4, "sees 9"),
        ([(3, 2)] * 4, "too few"),
        ([(3, 2), (3, 2), (3, 2), (2, 1)], "Only 1"),
        ([(7, 2), (7, 1), (3, 1), (3, 1)], "larger than 3"),
        ([(3, 2)] * 3, "Four layers"),
        ([3, 3, 3, 3], "pairs"),
    ],
    "05.6": [
        (looks_with(wrap=True), "wraps around"),
        (looks_votes, "counting votes"),
        (looks_probabilities, "likeliest class"),
        (looks_with([(0, 0)]), "one look"),
        (looks_with([step for step in STEPS if 0 in step]), "diagonal"),
        (looks_with([step for step in STEPS if step != (0, 0)]), "in its place"),
        (
            lambda predict, x: looks_with()(
                lambda y: predict(np.repeat(y[..., :1], y.shape[-1], -1)), x
            ),
            "differ",
        ),
    ],
}
