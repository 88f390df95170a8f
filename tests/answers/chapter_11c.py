"""Other right answers to chapter 11c's exercises, and typical wrong ones."""

import numpy as np


def right_price(height, width, channels, filters, size):
    one = size**2 * channels
    rows, columns = height - size + 1, width - size + 1
    return [filters * (one + 1), filters * one * rows * columns * 2]


def no_bias(height, width, channels, filters, size):
    parameters, flops = right_price(height, width, channels, filters, size)
    return parameters - filters, flops


def same_padding(height, width, channels, filters, size):
    parameters = right_price(height, width, channels, filters, size)[0]
    return parameters, 2 * size**2 * channels * filters * height * width


def right_columns(w, kept):
    result = np.zeros_like(w)
    for j, column in enumerate(w.T):
        best = np.argsort(-np.abs(column))[:kept]
        result[best, j] = column[best]
    return result.tolist()


def smallest(w, kept):
    return np.where(np.abs(w) <= np.sort(np.abs(w), axis=0)[kept - 1], w, 0)


def signed(w, kept):
    return np.where(w >= np.sort(w, axis=0)[-kept], w, 0)


def one_threshold(w, kept):
    return np.where(np.abs(w) >= np.sort(np.abs(w).ravel())[-kept * w.shape[1]], w, 0)


def right_byte(x):
    low, high = min(x), max(x)
    return [round((v - low) / (high - low) * 255) for v in x], low, (high - low) / 255


def cut_off(x):
    low, step = x.min(), (x.max() - x.min()) / 255
    return ((x - low) / step + 1e-9).astype(int), low, step


def steps_256(x):
    low, step = x.min(), (x.max() - x.min()) / 256
    return np.round((x - low) / step), low, step


def from_zero(x):
    step = x.max() / 255
    return np.round(x / step), 0.0, step


def runs_over(x):
    codes, low, step = right_byte(x)
    return np.array(codes).astype(np.uint8).astype(np.int8), low, step


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def right_listen(student, teacher, t, factor=None):
    z = student / t
    top = z.max(axis=1)
    normalizer = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    entropy = normalizer - np.einsum("nk,nk->n", softmax(teacher / t), z)
    return entropy.mean() * (t**2 if factor is None else factor)


def overflowing(student, teacher, t):
    with np.errstate(all="ignore"):
        q = np.exp(student / t) / np.exp(student / t).sum(axis=1, keepdims=True)
        p = softmax(teacher / t)
        return -(t**2) * np.mean(np.sum(p * np.log(q), axis=1))


def divergence(student, teacher, t):
    p = softmax(teacher / t)
    entropy = -np.mean(np.sum(p * np.log(p), axis=1))
    return right_listen(student, teacher, t) - t**2 * entropy


def cut(w, r):
    u, s, vt = np.linalg.svd(w, full_matrices=False)
    return u[:, :r], np.diag(s[:r]) @ vt[:r]


def right_thin(w, allowed):
    for r in range(1, min(w.shape) + 1):
        a, b = cut(w, r)
        if np.linalg.norm(w - a @ b) <= allowed * np.linalg.norm(w):
            break
    return a, b


def too_many(w, allowed):
    return cut(w, min(right_thin(w, allowed)[0].shape[1] + 1, min(w.shape)))


def threshold_below(w, kept):
    """Fails where all rows are kept: no entry lies below."""
    limit = (
        np.sort(np.abs(w), axis=0)[-kept - 1] if kept < len(w) else np.abs(w).min(axis=0)
    )
    return np.where(np.abs(w) > limit, w, 0)


def teacher_overflows(student, teacher, t):
    p = np.exp(teacher / t) / np.exp(teacher / t).sum(axis=1, keepdims=True)
    z = student / t - (student / t).max(axis=1, keepdims=True)
    log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(t**2) * np.mean(np.sum(p * log_q, axis=1))


def one_maximum(student, teacher, t):
    z = student / t - (student / t).max()
    log_q = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(t**2) * np.mean(np.sum(softmax(teacher / t) * log_q, axis=1))


def thin_by(error):
    def thin(w, allowed):
        s = np.append(np.linalg.svd(w, compute_uv=False), 0.0)
        return cut(w, next(r for r in range(1, len(s)) if error(s, r) <= allowed))

    return thin


RIGHT = {
    "11c.1": [right_price],
    "11c.2": [right_columns],
    "11c.3": [right_byte],
    "11c.4": [right_listen],
    "11c.5": [
        right_thin,
        lambda w, e: [x.astype("float32") for x in right_thin(w, e)],
    ],
}

WRONG = {
    "11c.1": [
        (no_bias, "lack the biases"),
        (same_padding, "fewer places"),
        (lambda *n: (right_price(*n)[0], right_price(*n)[1] // 2), "once"),
        (lambda *n: right_price(*n)[::-1], "swapped"),
        (lambda *n: right_price(*n)[0], "2 values"),
    ],
    "11c.2": [
        (smallest, "kept the smallest"),
        (signed, "far from zero"),
        (one_threshold, "one threshold for all"),
        (lambda w, k: np.abs(right_columns(w, k)), "signs"),
        (lambda w, k: w - right_columns(w, k), "zeroed the largest"),
        (lambda w, k: np.array(right_columns(w, k)) != 0, "mask"),
        (threshold_below, "nothing changes"),
    ],
    "11c.3": [
        (cut_off, "cut off"),
        (steps_256, "255 steps"),
        (from_zero, "Start at the smallest"),
        (runs_over, "runs over"),
        (lambda x: x, "3 values"),
        (
            lambda x: (
                lambda c, low, step: (np.array(c), low, np.array(step).astype(x.dtype))
            )(*right_byte(x)),
            "step should be",
        ),
    ],
    "11c.4": [
        (lambda s, t, T: right_listen(s, t, T, 1), "T² is missing"),
        (lambda s, t, T: right_listen(t, s, T), "swapped"),
        (lambda s, t, T: -right_listen(s, t, T), "sign"),
        (lambda s, t, T: right_listen(s, t, 1, T**2), "Divide"),
        (lambda s, t, T: right_listen(s, t, T) / 5, "Sum over"),
        (divergence, "divergence"),
        (overflowing, "overflows"),
        (teacher_overflows, "of the teacher"),
        (one_maximum, "subtract the largest"),
    ],
    "11c.5": [
        (lambda w, e: cut(w, min(w.shape)), "fewest"),
        (too_many, "fewest"),
        (lambda w, e: cut(w, 1), "is allowed"),
        (lambda w, e: right_thin(w, e)[::-1], "does not work"),
        (lambda w, e: w, "2 values"),
        (thin_by(lambda s, r: s[r] / s[0]), "not right yet"),
        (thin_by(lambda s, r: s[r] / np.linalg.norm(s)), "not right yet"),
        (thin_by(lambda s, r: s[r:].sum() / s.sum()), "not right yet"),
    ],
}
