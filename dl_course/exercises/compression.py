"""Checks of chapter 11c."""

import numpy as np

from dl_course.exercises import Wrong, call, expect, numbers, same
from dl_course.network import softmax

RNG = np.random.default_rng()  # fresh inputs on every call


def parts(got, count, names):
    expect(
        isinstance(got, tuple | list | np.ndarray) and len(got) == count,
        f"Return {count} values: {names}.",
    )
    return got


# ---------------------------------------------------------------- 11c.1 a price


def check_price(answer):
    height, width, channels = (int(RNG.integers(*r)) for r in ((20, 30), (31, 40), (3, 9)))
    filters, size = int(RNG.integers(11, 20)), int(RNG.choice([5, 7]))
    sizes = height, width, channels, filters, size
    got = parts(call(answer, *sizes), 2, "parameters, then FLOPs")
    weights = size * size * channels * filters
    places = (height - size + 1) * (width - size + 1)
    right = weights + filters, 2 * weights * places
    expect(not same(got, right[::-1]), "The two are swapped: parameters come first.")
    expect(not same(got[0], weights), "The parameters lack the biases, one a filter.")
    expect(same(got[0], right[0]), "The parameters are wrong.")
    expect(
        not same(got[1], right[1] / 2),
        "The FLOPs count a product once: multiplication and addition are two.",
    )
    expect(
        not same(got[1], 2 * weights * height * width),
        'These are the FLOPs with padding "same"; "valid" has fewer places.',
    )
    expect(same(got[1], right[1]), "The FLOPs are wrong.")


# ---------------------------------------------------------------- 11c.2 each column


def check_prune_columns(answer):
    w = RNG.permutation(np.arange(1, 41)).reshape(8, 5) * RNG.choice([-1.0, 1], (8, 5))
    w[:, 0] = np.abs(w[:, 0])
    w[:, 1] = -np.abs(w[:, 1])
    w[:, 2:] *= 10  # one threshold for all would empty the first columns
    kept = 3
    got = numbers(call(answer, w, kept), "The matrix")
    expect(got.shape == w.shape, f"Its shape should stay {w.shape}, not {got.shape}.")
    order = np.argsort(np.abs(w), axis=0)
    right, small = np.zeros_like(w), w.copy()
    np.put_along_axis(right, order[-kept:], np.take_along_axis(w, order[-kept:], 0), 0)
    np.put_along_axis(small, order[kept:], 0, 0)
    signed = np.where(w >= np.sort(w, axis=0)[-kept], w, 0)
    every = np.where(np.abs(w) >= np.sort(np.abs(w), axis=None)[-kept * 5], w, 0)
    expect(not same(got, w - right), "You zeroed the largest and kept the rest.")
    expect(not same(got, small), "You kept the smallest.")
    expect(not same(got, np.abs(right)), "The entries lost their signs.")
    expect(not same(got, right != 0), "This is the mask; multiply w by it.")
    expect(
        not same(got, signed),
        "Large means far from zero: a large negative weight counts, too.",
    )
    expect(not same(got, every), "This is one threshold for all, not one for each column.")
    expect(same(got, right), "Some entries are wrong.")


# ---------------------------------------------------------------- 11c.3 one byte


def check_to_byte(answer):
    x = np.concatenate([RNG.uniform(1.1, 5.9, 60), [1.0, 6.0]])[RNG.permutation(62)]
    codes, low, step = parts(call(answer, x), 3, "codes, low, step")
    codes = numbers(codes, "The codes")
    expect(codes.shape == x.shape, f"The codes' shape should be {x.shape}.")
    expect(
        not same(step, 5 / 256), "256 codes have 255 steps between them, so divide by 255."
    )
    expect(
        not same(step, 6 / 255) and not same(step, 6 / 127),
        "Start at the smallest number, not at 0: low = x.min().",
    )
    expect(same(low, 1.0), "low should be the smallest number, which gets the code 0.")
    expect(same(step, 5 / 255), "step should be (largest - smallest) / 255.")
    expect(same(codes, np.round(codes)), "The codes should be integers.")
    right = (x - 1) / (5 / 255)
    expect(
        not same(codes, np.floor(right + 1e-9)),
        "These codes are cut off, not rounded: errors are up to a whole step.",
    )
    expect(
        codes.min() >= 0 and codes.max() <= 255,
        "Codes should lie between 0 and 255: a signed byte runs over.",
    )
    expect(np.abs(codes - right).max() <= 0.5 + 1e-6, "Some codes are wrong.")


# ---------------------------------------------------------------- 11c.4 the teacher


def loss(student, teacher, t, factor):
    z = student / t
    z = z - z.max(axis=1, keepdims=True)
    log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -factor * np.mean(np.sum(softmax(teacher / t) * log_q, axis=1))


def check_listen(answer):
    student, teacher = RNG.normal(0, 4, (2, 6, 5))
    t = RNG.uniform(2, 4)
    got = numbers(call(answer, student, teacher, t), "The loss")
    expect(got.shape == (), "A loss is one number: take the mean over the batch.")
    right = loss(student, teacher, t, t * t)
    p, q = softmax(teacher / t), softmax(student / t)
    wrongs = [
        (loss(student, teacher, t, 1), "The factor T² is missing."),
        (loss(student, teacher, t, t), "The factor is T², not T."),
        (-right, "The sign is wrong: a loss is positive here."),
        (loss(teacher, student, t, t * t), "Teacher and student are swapped."),
        (loss(student, teacher, 1, t * t), "Divide the logits by T first."),
        (t * t * -np.mean(p * np.log(q)), "Sum over the classes; the mean is too small."),
        (6 * right, "Take the mean over the batch, not the sum."),
        (t * t * np.mean(np.sum(p * np.log(p / q), 1)),
         "This is the divergence, which lacks the teacher's entropy."),
        (t * t * -np.mean(np.log(q[np.arange(6), p.argmax(1)])), "These are hard labels: "
         "use all of the teacher's probabilities."),
    ]  # fmt: skip
    for wrong, message in wrongs:
        expect(not same(got, wrong, 1e-9), message)
    expect(same(got, right), "The value is wrong.")
    large = call(answer, np.array([[3e4, 0]]), np.array([[0.0, 0]]), 2.0)
    expect(np.isfinite(large), "It overflows for logits of 30,000: subtract the largest.")
    expect(same(large, 3e4), "It is wrong for logits of 30,000.")


# ---------------------------------------------------------------- 11c.5 two thin layers


def check_thin(answer):
    inputs, units, rank = 14, 9, int(RNG.integers(3, 6))
    u = np.linalg.qr(RNG.normal(size=(inputs, units)))[0]
    v = np.linalg.qr(RNG.normal(size=(units, units)))[0]
    s = np.where(np.arange(units) < rank, 10.0 - np.arange(units), 0.3)
    s *= RNG.uniform(0.5, 2)
    w = (u * s) @ v
    size = np.linalg.norm(w)
    exact = np.sqrt(np.sum(s[rank:] ** 2)) / size
    above = np.sqrt(np.sum(s[rank - 1 :] ** 2)) / size
    a, b = (numbers(part, "a and b") for part in parts(
        call(answer, w, (exact + above) / 2), 2, "a and b"))  # fmt: skip
    if a.ndim != 2 or b.ndim != 2 or a.shape[1:] != b.shape[:1]:
        raise Wrong(f"a @ b does not work for shapes {a.shape} and {b.shape}.")
    expect(
        (a @ b).shape == w.shape,
        f"a @ b should have the shape of w, {w.shape}, not {(a @ b).shape}.",
    )
    error = np.linalg.norm(w - a @ b) / size
    if error > (exact + above) / 2 + 1e-9:
        raise Wrong(f"The relative error is {error:.3f}, more than what is allowed.")
    expect(a.shape[1] >= rank, "The error is met with fewer columns than possible?")
    expect(
        a.shape[1] == rank, f"{a.shape[1]} columns are not the fewest: {rank} are enough."
    )
    a, b = call(answer, w, 0.9999)
    expect(np.shape(a)[1] == 1, "If nearly all error is allowed, one column is enough.")


CHECKS = {
    "11c.1": check_price,
    "11c.2": check_prune_columns,
    "11c.3": check_to_byte,
    "11c.4": check_listen,
    "11c.5": check_thin,
}
