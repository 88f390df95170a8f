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


# ---------------------------------------------------------------- 05.7


def depthwise_by_windows(x, k, delta, s):
    kh, kw, _ = k.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))
    windows = windows[:, ::s, ::s]  # (n, i, j, c, u, v)
    y = np.einsum("nijcuv,uvc->nijc", windows, k)
    by_k = np.einsum("nijcuv,nijc->uvc", windows, delta)
    by_x = np.zeros_like(x)
    for i, j in np.ndindex(*delta.shape[1:3]):
        part = delta[:, i, j, None, None] * k
        by_x[:, s * i : s * i + kh, s * j : s * j + kw] += part
    return y, by_x, by_k


def depthwise_float32(x, k, delta, s):
    return [a.astype("float32") for a in depthwise_by_windows(x, k, delta, s)]


def depthwise_with(flip=(False, False, False), mean=False, overwrite=False, first=False):
    def depthwise(x, k, delta, s):
        turned = k[::-1, ::-1]
        y, by_x, by_k = depthwise_by_windows(x, k, delta, s)
        if flip[0]:
            y = depthwise_by_windows(x, turned, delta, s)[0]
        if flip[1]:
            by_x = depthwise_by_windows(x, turned, delta, s)[1]
        if flip[2]:
            by_k = by_k[::-1, ::-1]
        if mean:
            by_k = by_k / len(x)
        if first:
            by_k = depthwise_by_windows(x[:1], k, delta[:1], s)[2]
        if overwrite:
            by_x = np.zeros_like(x)
            for i, j in np.ndindex(*delta.shape[1:3]):
                place = slice(s * i, s * i + len(k)), slice(s * j, s * j + k.shape[1])
                by_x[:, place[0], place[1]] = delta[:, i, j, None, None] * k
        return y, by_x, by_k

    return depthwise


def depthwise_changes_x(x, k, delta, s):
    answers = depthwise_by_windows(x, k, delta, s)
    x[:] = answers[1]
    return answers


# ---------------------------------------------------------------- 05.8


def moved_by_einsum(x, kernel, bias):
    x = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    y = np.einsum("ncijuv,mcuv->nmij", windows[:, :, ::2, ::2], kernel)
    return y + bias[:, None, None]


def moved_with(x_axes=True, kernel_axes=(2, 3, 1, 0), pads=True, bias_kept=True, back=True):
    def moved_layer(x, kernel, bias):
        n, c, height, width = x.shape
        x = x.transpose(0, 2, 3, 1) if x_axes else x.reshape(n, height, width, c)
        if kernel_axes:
            kernel = kernel.transpose(kernel_axes)
        else:
            kernel = kernel.reshape(3, 3, c, -1)
        kernel = kernel.transpose(3, 2, 0, 1)
        before = [1 if pads or size % 2 else 0 for size in (height, width)]
        x = np.pad(x, [(0, 0), (before[0], 1), (before[1], 1), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        y = np.einsum("nijcuv,mcuv->nmij", windows[:, ::2, ::2], kernel)
        y = y + (bias[:, None, None] if bias_kept else 0)
        return y if back else np.moveaxis(y, 1, -1)

    return moved_layer


# ---------------------------------------------------------------- 05.9


def gains_by_lists(train, ingredients, seeds):
    gains = {}
    for name in ingredients:
        pairs = [train([name], s) - train([], s) for s in seeds]
        mean = sum(pairs) / len(pairs)
        square = sum((pair - mean) ** 2 for pair in pairs) / (len(pairs) - 1)
        gains[name] = [mean, (square / len(pairs)) ** 0.5]
    return gains


def gains_with(
    start=lambda names, name: (set(), {name}),
    center=np.mean,
    error=lambda new, old: np.std(new - old, ddof=1) / np.sqrt(len(new)),
):
    def add_one_in(train, ingredients, seeds):
        gains = {}
        for name in ingredients:
            base, more = start(ingredients, name)
            old, new = (np.array([train(some, s) for s in seeds]) for some in (base, more))
            gains[name] = center(new - old), error(new, old)
        return gains

    return add_one_in


def gains_from_all(names, name):
    return set(names) - {name}, set(names)


def gains_one_by_one(names, name):
    at = list(names).index(name)
    return set(names[:at]), set(names[: at + 1])


RIGHT = {
    "05.1": [
        LEFT_EDGE,
        LEFT_EDGE_NARROW,
        1e-7 * np.array(LEFT_EDGE),
        np.array(LEFT_EDGE, "float32"),
    ],
    "05.2": [price_by_counting],
    "05.5": [((3, 2), (2, 2), (3, 1), (3, 1)), [[2, 2], [3, 2], [3, 1], [3, 1]]],
    "05.7": [depthwise_by_windows, depthwise_float32],
    "05.8": [moved_by_einsum, moved_with()],
    "05.9": [gains_by_lists, gains_with()],
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
    "05.5": [
        ([(3, 1)] * 4, "sees 9"),
        ([(3, 2)] * 4, "too few"),
        ([(3, 2), (3, 2), (3, 2), (2, 1)], "Only 1"),
        ([(7, 2), (7, 1), (3, 1), (3, 1)], "larger than 3"),
        ([(3, 2)] * 3, "Four layers"),
        ([3, 3, 3, 3], "pairs"),
        ([(3, 2.5), (3, 2), (3, 1), (3, 1)], "whole numbers"),
        ([(2, 3), (3, 1), (3, 1), (3, 1)], "skips some"),
        (["32", "32", "31", "31"], "numbers"),
        ([(3, 0)] * 4, "1 or more"),
    ],
    "05.7": [
        (depthwise_with(flip=(True, False, False)), "y: the kernel is flipped"),
        (depthwise_with(flip=(False, True, False)), "∂L/∂x: the kernel is flipped"),
        (depthwise_with(flip=(False, False, True)), "∂L/∂k: the kernel is flipped"),
        (depthwise_with(overwrite=True), "must be added up"),
        (depthwise_with(mean=True), "do not average"),
        (depthwise_with(first=True), "only the first picture"),
        (depthwise_changes_x, "changed its input"),
        (lambda x, k, delta, s: depthwise_by_windows(x, k, delta, 1), "raised"),
        (lambda x, k, delta, s: depthwise_by_windows(x, k, delta, s)[:2], "three arrays"),
        (
            lambda x, k, delta, s: [
                a.sum(axis=-1, keepdims=True) + 0 * a
                for a in depthwise_by_windows(x, k, delta, s)
            ],
            "keeps to itself",
        ),
    ],
    "05.8": [
        (moved_with(x_axes=False, kernel_axes=None, pads=False), "Nothing has changed"),
        (moved_with(pads=False), "third bug"),
        (moved_with(x_axes=False), "x is still cut"),
        (moved_with(kernel_axes=None), "kernel is still cut"),
        (moved_with(x_axes=False, kernel_axes=None), "x and the kernel are still"),
        (moved_with(kernel_axes=(3, 2, 1, 0)), "exchanged"),
        (moved_with(bias_kept=False), "bias is missing"),
        (moved_with(back=False), "(batch, filters, rows, columns)"),
        (lambda x, kernel, bias: moved_with()(x, kernel[..., ::-1, ::-1], bias), "wrong"),
    ],
    "05.9": [
        (gains_with(gains_from_all), "left out of all"),
        (gains_with(gains_one_by_one), "joins those before"),
        (gains_with(lambda names, name: ({name}, set())), "sign is reversed"),
        (
            gains_with(error=lambda new, old: np.std(new - old, ddof=1)),
            "divide by the root",
        ),
        (gains_with(error=lambda a, b: np.std(a - b) / np.sqrt(len(a))), "n - 1"),
        (
            gains_with(
                error=lambda a, b: np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a))
            ),
            "not paired",
        ),
        (gains_with(center=lambda gain: gain[0]), "all seeds"),
        (gains_with(center=np.sum), "take the mean"),
        (gains_with(center=lambda gain: np.abs(gain).mean()), "keep the signs"),
        (lambda train, names, seeds: [(0.0, 0.0)] * len(names), "dict"),
        (lambda train, names, seeds: gains_with()(train, names[:1], seeds), "ingredients"),
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
