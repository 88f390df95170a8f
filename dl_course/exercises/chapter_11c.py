"""Checks of chapter 11c."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def softmax(z):
    return np.exp(log_softmax(z))


# ---------------------------------------------------------------- 11c.1 a price


def check_price(answer, rng):
    for size in (5, 7, 1, 2):
        height, width, channels = (
            int(rng.integers(*between)) for between in ((20, 30), (31, 40), (3, 9))
        )
        filters = int(rng.integers(11, 20))
        got = parts(
            call(answer, height, width, channels, filters, size),
            2,
            "2 values: parameters, then FLOPs",
        )
        weights = size * size * channels * filters
        places = (height - size + 1) * (width - size + 1)
        right = weights + filters, 2 * weights * places
        compare(
            got[0],
            right[0],
            {
                "The two are swapped: parameters come first.": same(got, right[::-1]),
                "The parameters lack the biases, one for each filter.": weights,
            },
            "The parameters are wrong.",
        )
        compare(
            got[1],
            right[1],
            {
                "The FLOPs count a product once: multiplication and addition are two.": (
                    right[1] / 2
                ),
                'These are the FLOPs with padding "same"; "valid" has fewer places.': (
                    2 * weights * height * width
                ),
                "The biases are not counted here.": right[1] + filters * places,
            },
            "The FLOPs are wrong.",
        )


# ---------------------------------------------------------------- 11c.2 each column


def check_prune_columns(answer, rng):
    for kept in (3, 1, 8):
        w = rng.permutation(np.arange(1, 41)).reshape(8, 5) * rng.choice([-1.0, 1], (8, 5))
        w[:, 0] = np.abs(w[:, 0])
        w[:, 1] = -np.abs(w[:, 1])
        w[:, 2:] *= 10  # one threshold for all would empty the first columns
        order = np.argsort(np.abs(w), axis=0)
        right, small = np.zeros_like(w), w.copy()
        np.put_along_axis(right, order[-kept:], np.take_along_axis(w, order[-kept:], 0), 0)
        np.put_along_axis(small, order[kept:], 0, 0)
        compare(
            call(answer, w, kept),
            right,
            {
                "You zeroed the largest and kept the rest.": w - right,
                "You kept the smallest.": small,
                "The entries lost their signs.": np.abs(right),
                "This is the mask; multiply w by it.": right != 0,
                "Large means far from zero: a large negative weight counts, too.": np.where(
                    w >= np.sort(w, axis=0)[-kept], w, 0
                ),
                "This is one threshold for all, not one for each column.": np.where(
                    np.abs(w) >= np.sort(np.abs(w), axis=None)[-kept * 5], w, 0
                ),
                "If all rows are kept, nothing changes.": kept == len(w),
            },
            f"Some entries are wrong, with {kept} of {len(w)} kept.",
        )


# ---------------------------------------------------------------- 11c.3 one byte


def check_to_byte(answer, rng):
    x = np.concatenate([rng.uniform(1.1, 5.9, 60), [1.0, 6.0]])[rng.permutation(62)]
    byte_once(answer, x)
    byte_once(answer, rng.permutation([0, 3, 7, 20, 100, 254]))  # integers
    byte_once(answer, 1e-6 * x)


def byte_once(answer, x):
    codes, low, step = parts(call(answer, x), 3, "3 values: codes, low, step")
    codes = numbers(codes, "The codes", x.shape)
    bottom, top = float(x.min()), float(x.max())
    unit = top - bottom
    step, low = (
        float(numbers(part, name, ())) / unit
        for part, name in ((step, "The step"), (low, "low"))
    )
    compare(
        255 * step,
        1,
        {
            "256 codes have 255 steps between them, so divide by 255.": 255 / 256,
            "Start at the smallest number, not at 0: low = x.min().": (
                same(255 * step, top / unit) or same(127 * step, top / unit)
            ),
        },
        "step should be (largest - smallest) / 255.",
        tolerance=1e-5,
    )
    compare(
        low,
        bottom / unit,
        {},
        "low should be the smallest number, which gets the code 0.",
        tolerance=1e-5,
    )
    expect(same(codes, np.round(codes)), "The codes should be integers.")
    right = (x - bottom) / unit * 255
    if codes.min() < 0 or codes.max() > 255:
        raise Wrong("Codes should lie between 0 and 255: a signed byte runs over.")
    if np.abs(codes - right).max() > 0.5 + 1e-4:
        expect(
            not same(codes, np.floor(right + 1e-9)),
            "These codes are cut off, not rounded: errors are up to a whole step.",
        )
        raise Wrong("Some codes are wrong.")


# ---------------------------------------------------------------- 11c.4 the teacher


def loss(student, teacher, t, factor):
    return -factor * np.mean(np.sum(softmax(teacher / t) * log_softmax(student / t), 1))


def check_listen(answer, rng):
    batch, classes = 6, 5
    student, teacher = rng.normal(0, 4, (2, batch, classes))
    t = rng.uniform(2, 4)
    right = loss(student, teacher, t, t * t)
    p, q = softmax(teacher / t), softmax(student / t)
    compare(
        call(answer, student, teacher, t),
        right,
        {
            "The factor T² is missing.": loss(student, teacher, t, 1),
            "The factor is T², not T.": loss(student, teacher, t, t),
            "The sign is wrong: a loss is positive here.": -right,
            "Teacher and student are swapped.": loss(teacher, student, t, t * t),
            "Divide the logits by T first.": loss(student, teacher, 1, t * t),
            "Sum over the classes; the mean is too small.": right / classes,
            "Take the mean over the batch, not the sum.": batch * right,
            "This is the divergence, which lacks the teacher's entropy.": (
                t * t * np.mean(np.sum(p * np.log(p / q), 1))
            ),
            "These are hard labels: use all of the teacher's probabilities.": (
                t * t * -np.mean(np.log(q[np.arange(batch), p.argmax(1)]))
            ),
        },
        "The value is wrong.",
    )
    far = np.array([[3e4, 0], [0, 0.0]])  # rows far apart
    cases = [
        (far, np.zeros((2, 2)), "student"),
        (np.array([[1.0, 2], [0, 1]]), far, "teacher"),
        (far - 6e4, far[::-1] + 6e4, "student and teacher"),
    ]
    for student, teacher, whose in cases:
        got = numbers(call(answer, student, teacher, 2.0), "The loss")
        expect(
            np.isfinite(got).all(),
            f"It overflows for logits of 30,000 of the {whose}: subtract the largest of "
            "each row.",
        )
        compare(
            got,
            loss(student, teacher, 2.0, 4.0),
            {},
            f"It is wrong for logits of 30,000 of the {whose}: subtract the largest of "
            "each row, and take no logarithm of 0.",
        )


# ---------------------------------------------------------------- 11c.5 two thin layers


def check_thin(answer, rng):
    for inputs, units, rank in ((14, 9, 3), (9, 14, 5), (10, 10, 4)):
        small = min(inputs, units)
        sharp = np.where(np.arange(small) < rank, 10.0 - np.arange(small), 0.3)
        slow = 0.8 ** np.arange(small)
        for spectrum in (sharp, slow):
            thin_once(answer, rng, inputs, units, rank, rng.uniform(0.5, 2) * spectrum)


def thin_once(answer, rng, inputs, units, rank, s):
    """A matrix with the singular values s, and an error that `rank` columns just meet."""
    u = np.linalg.qr(rng.normal(size=(inputs, len(s))))[0]
    v = np.linalg.qr(rng.normal(size=(units, len(s))))[0]
    w = (u * s) @ v.T
    size = np.linalg.norm(w)
    exact = np.sqrt(np.sum(s[rank:] ** 2)) / size
    above = np.sqrt(np.sum(s[rank - 1 :] ** 2)) / size
    for allowed in (0.9 * exact + 0.1 * above, 0.1 * exact + 0.9 * above):
        a, b = (
            numbers(part, "Each of a and b")
            for part in parts(call(answer, w, allowed), 2, "2 values: a and b")
        )
        if a.ndim != 2 or b.ndim != 2 or a.shape[1:] != b.shape[:1]:
            raise Wrong(f"a @ b does not work for shapes {a.shape} and {b.shape}.")
        if (a @ b).shape != w.shape:
            raise Wrong(
                f"a @ b should have the shape of w, {w.shape}, not {(a @ b).shape}."
            )
        error = np.linalg.norm(w - a @ b) / size
        if not error <= allowed + 1e-5:
            raise Wrong(f"The relative error is {error:.3f}; {allowed:.3f} is allowed.")
        if a.shape[1] != rank:
            raise Wrong(
                f"{a.shape[1]} columns are not the fewest: for an error of {allowed:.3f} "
                f"{rank} are enough."
            )
    a, _ = parts(call(answer, w, 0.9999), 2, "2 values: a and b")
    a = numbers(a, "a")
    expect(a.shape[1:] == (1,), "If nearly all error is allowed, one column is enough.")


CHECKS = {
    "11c.1": check_price,
    "11c.2": check_prune_columns,
    "11c.3": check_to_byte,
    "11c.4": check_listen,
    "11c.5": check_thin,
}
