"""Checks of chapter 05."""

import numpy as np

from dl_course.exercises import call, compare, expect, numbers, parts, same

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


# ---------------------------------------------------------------- 05.5 a design


def check_design(answer, rng):
    design = numbers(answer, "The design")
    expect(
        design.ndim == 2 and design.shape[1] == 2,
        "A list of pairs (kernel_size, strides) is expected.",
    )
    expect(len(design) == 4, f"Four layers are expected, not {len(design)}.")
    expect(np.all(design % 1 == 0), "Sizes and strides are whole numbers.")
    design = design.astype(int)
    expect(design.min() >= 1, "Sizes and strides are 1 or more.")
    expect(design[:, 0].max() <= 3, "A kernel is larger than 3.")
    left, seen = 28, {0}
    for number, (k, s) in enumerate(design, start=1):
        expect(left >= k, f"Layer {number} gets {left} pixels: too few for its kernel.")
        left = (left - k) // s + 1
    for k, s in design[::-1]:  # which units of the layer below the first unit sees
        seen = {s * unit + step for unit in seen for step in range(k)}
    expect(
        max(seen) + 1 == len(seen) or len(seen) >= 20,
        f"A unit sees only {len(seen)} of the {max(seen) + 1} pixels from its first to its "
        "last: a stride that is longer than the kernel skips some.",
    )
    expect(
        len(seen) >= 20,
        f"A unit sees {len(seen)} pixels, not 20. Let earlier layers take larger steps.",
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


# ---------------------------------------------------------------- 05.7 depthwise


def depthwise(x, k, delta, s, overlap=True):
    """(y, ∂L/∂x, ∂L/∂k), number by number; without `overlap` the last window wins."""
    y, by_x, by_k = np.zeros(delta.shape), np.zeros(x.shape), np.zeros(k.shape)
    for n, i, j, c in np.ndindex(delta.shape):
        for u, v in np.ndindex(k.shape[:2]):
            pixel = n, s * i + u, s * j + v, c
            y[n, i, j, c] += k[u, v, c] * x[pixel]
            by_k[u, v, c] += delta[n, i, j, c] * x[pixel]
            part = delta[n, i, j, c] * k[u, v, c]
            by_x[pixel] = by_x[pixel] + part if overlap else part
    return y, by_x, by_k


def check_depthwise(answer, rng):
    cases = [((2, 5, 6, 2), (2, 3, 2), 1), ((1, 7, 6, 3), (3, 2, 3), 2)]
    cases += [((2, 8, 9, 1), (2, 2, 1), 3), ((1, 4, 4, 2), (1, 1, 2), 2)]
    for shape, kernel_shape, s in cases:
        x, k = rng.normal(size=shape), rng.normal(size=kernel_shape)
        rows, columns = ((shape[i] - kernel_shape[i - 1]) // s + 1 for i in (1, 2))
        delta = rng.normal(size=(shape[0], rows, columns, shape[3]))
        judge_depthwise(call(answer, x, k, delta, s), x, k, delta, s)


def judge_depthwise(got, x, k, delta, s):
    y, by_x, by_k = depthwise(x, k, delta, s)
    flipped, flipped_x, flipped_k = depthwise(x, k[::-1, ::-1], delta, s)
    got = parts(got, 3, "three arrays: y, ∂L/∂x, ∂L/∂k")
    compare(
        got[0],
        y,
        {
            "y: the kernel is flipped.": flipped,
            "y: each channel keeps to itself, do not sum over them.": (
                y.shape[3] > 1 and same(got[0], y.sum(axis=3, keepdims=True) + 0 * y)
            ),
        },
        f"y is wrong, with stride {s}.",
    )
    compare(
        got[1],
        by_x,
        {
            "∂L/∂x: the kernel is flipped.": flipped_x,
            "∂L/∂x: windows overlap, so contributions must be added up.": (
                depthwise(x, k, delta, s, overlap=False)[1]
            ),
            "∂L/∂x: the sign is reversed.": -by_x,
        },
        f"∂L/∂x is wrong, with stride {s}: spread each delta over its window.",
    )
    compare(
        got[2],
        by_k,
        {
            "∂L/∂k: the kernel is flipped.": flipped_k[::-1, ::-1],
            "∂L/∂k: sum over the pictures, do not average.": by_k / len(x),
            "∂L/∂k: sum over the places, do not average.": by_k / delta[0, :, :, 0].size,
            "∂L/∂k: sum over places and pictures, do not average.": (
                by_k / delta[..., 0].size
            ),
            "∂L/∂k: only the first picture counts.": depthwise(x[:1], k, delta[:1], s)[2],
        },
        f"∂L/∂k is wrong, with stride {s}: a weight collects from all its places.",
    )


# ---------------------------------------------------------------- 05.8 a moved layer


def torch_convolution(x, kernel, bias, pads=((1, 1), (1, 1))):
    """By loops: (batch, channels, height, width), stride 2, these zeros at the sides."""
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    rows, columns = ((n - 3) // 2 + 1 for n in x.shape[2:])
    y = np.empty((len(x), len(kernel), rows, columns))
    for n, m, i, j in np.ndindex(y.shape):
        window = x[n, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        y[n, m, i, j] = bias[m] + np.sum(window * kernel[m])
    return y


def check_moved_layer(answer, rng):
    for shape, filters in [((2, 3, 6, 8), 4), ((1, 2, 7, 5), 3), ((2, 1, 4, 7), 1),
                           ((1, 3, 3, 3), 3)]:  # fmt: skip
        x, bias = rng.normal(size=shape), rng.normal(size=filters)
        kernel = rng.normal(size=(filters, shape[1], 3, 3))
        judge_moved(call(answer, x, kernel, bias), x, kernel, bias)


def judge_moved(got, x, kernel, bias):
    batch, channels, height, width = x.shape
    right = torch_convolution(x, kernel, bias)
    same_pads = [(1 - n % 2 == 0, 1) for n in (height, width)]  # of padding "same"
    same_pads = [(int(before), after) for before, after in same_pads]
    cut = np.moveaxis(x.reshape(batch, height, width, channels), -1, 1)
    cut_kernel = kernel.reshape(3, 3, channels, -1).transpose(3, 2, 0, 1)
    got = numbers(got, "The result")
    mistakes = {
        "Nothing has changed: that is what `shaky_layer` gives.": torch_convolution(
            cut, cut_kernel, bias, same_pads
        ),
        'The third bug is left: "same" puts no zero in front of an even side.': (
            torch_convolution(x, kernel, bias, same_pads)
        ),
        "The kernel is still cut anew by reshape.": torch_convolution(x, cut_kernel, bias),
        "x is still cut anew by reshape.": torch_convolution(cut, kernel, bias),
        "x and the kernel are still cut anew by reshape.": torch_convolution(
            cut, cut_kernel, bias
        ),
        "The kernel is still cut anew, and the zeros are in the wrong places.": (
            torch_convolution(x, cut_kernel, bias, same_pads)
        ),
        "x is still cut anew, and the zeros are in the wrong places.": (
            torch_convolution(cut, kernel, bias, same_pads)
        ),
        "Height and width of the kernel are exchanged.": torch_convolution(
            x, kernel.swapaxes(2, 3), bias
        ),
        "The bias is missing.": torch_convolution(x, kernel, 0 * bias),
        "The axes of the result should be (batch, filters, rows, columns).": same(
            got, np.moveaxis(right, 1, -1)
        ),
    }
    if len(kernel) == channels:
        mistakes["Filters and channels of the kernel are exchanged."] = torch_convolution(
            x, kernel.swapaxes(0, 1), bias
        )
    sizes = f"{channels} channels, height {height}, width {width}"
    compare(got, right, mistakes, f"The values are wrong, with {sizes}.")


# ---------------------------------------------------------------- 05.9 add one in


class Trainings:
    """Stands for training: a base, gains, what pairs do together, the luck of a seed."""

    def __init__(self, rng, names):
        gains = rng.uniform(0.015, 0.05, len(names))
        gains[rng.integers(1, len(names))] *= -1  # one does harm, and not the first
        self.gain = dict(zip(names, gains, strict=True))
        self.together = rng.uniform(0.02, 0.04)
        self.luck, self.noise = rng.normal(0, 0.2, 100), rng.normal(0, 0.004, (100, 32))
        self.names = list(names)

    def __call__(self, ingredients, seed):
        unknown = [name for name in ingredients if name not in self.gain]
        if isinstance(ingredients, str) or unknown:
            raise ValueError(f"ingredients: expected a set of names, got {ingredients!r}")
        inside = sorted(self.names.index(name) for name in set(ingredients))
        total = sum(self.gain[self.names[i]] for i in inside)
        total += self.together * len(inside) * (len(inside) - 1) / 2
        return 0.7 + total + self.luck[seed] + self.noise[seed, sum(2**i for i in inside)]


def check_add_one_in(answer, rng):
    for names, count in [(("translation", "batch norm", "decay"), 5), (("a", "b"), 2)]:
        train = Trainings(rng, names)
        seeds = [int(seed) for seed in rng.choice(100, count, replace=False)]
        judge_gains(call(answer, train, list(names), seeds), train, names, seeds)


def judge_gains(got, train, names, seeds):
    expect(isinstance(got, dict), "Return a dict: {ingredient: (mean gain, error)}.")
    expect(set(got) == set(names), f"Expected the ingredients {names}, got {list(got)}.")
    base = np.array([train(set(), seed) for seed in seeds])
    full = np.array([train(set(names), seed) for seed in seeds])
    for number, name in enumerate(names):
        alone = np.array([train({name}, seed) for seed in seeds])
        without = np.array([train(set(names) - {name}, seed) for seed in seeds])
        so_far = [train(set(names[: number + 1]), seed) for seed in seeds]
        before = [train(set(names[:number]), seed) for seed in seeds]
        mean, error = parts(got[name], 2, "(mean gain, standard error) for each")
        judge_gain(mean, error, alone - base, full - without,
                   np.subtract(so_far, before), alone, base)  # fmt: skip


def judge_gain(mean, error, gain, left_out, added_up, alone, base):
    n = len(gain)
    compare(
        mean,
        gain.mean(),
        {
            "That is the loss when it is left out of all: add to none.": left_out.mean(),
            "That is the gain when it joins those before: add a single one.": (
                added_up.mean()
            ),
            "An ingredient can do harm: keep the signs.": np.abs(gain).mean(),
            "The sign is reversed: gain is with it, minus without.": -gain.mean(),
            "That is the accuracy with it: subtract that of the control.": alone.mean(),
            "Use all seeds, not only the first.": gain[0],
            "The sum over the seeds: take the mean.": gain.sum(),
        },
        "The gain is the mean of the differences from training with no ingredient.",
        tolerance=1e-9,
    )
    right = gain.std(ddof=1) / np.sqrt(n)
    unpaired = np.sqrt((alone.var(ddof=1) + base.var(ddof=1)) / n)
    compare(
        error,
        right,
        {
            "The error is not paired: take the deviation of the differences.": unpaired,
            "The error is not paired: that is the spread of the accuracies.": (
                alone.std(ddof=1) / np.sqrt(n)
            ),
            "The standard deviation with n - 1 is asked for.": gain.std() / np.sqrt(n),
            "That is the standard deviation: divide by the root of their number.": (
                gain.std(ddof=1)
            ),
            "Divide by the root of the number of seeds, not by the number.": (
                gain.std(ddof=1) / n
            ),
        },
        "The standard error is the deviation of the paired differences over √n.",
        tolerance=1e-9,
    )


CHECKS = {
    "05.1": check_left_edge,
    "05.2": check_price,
    "05.5": check_design,
    "05.7": check_depthwise,
    "05.8": check_moved_layer,
    "05.9": check_add_one_in,
    "05.6": check_nine_looks,
}
