"""Chapter 07: second right solutions, and typical wrong ones with the message they get."""

import itertools

import numpy as np

# ---------------------------------------------------------------- 07.1


def charge_by_rows(mean, log_variance):
    rows = zip(np.asarray(mean), np.asarray(log_variance), strict=True)
    return [sum((m * m + np.exp(v) - 1 - v) / 2 for m, v in zip(*row)) for row in rows]  # noqa: B905


def charge_with(variance=np.exp, factor=-0.5, square=np.square, reduce="sum", axis=1):
    def charge(mean, log_variance):
        each = factor * (1 + log_variance - square(mean) - variance(log_variance))
        return getattr(np, reduce)(each, axis=axis) if reduce else each

    return charge


# ---------------------------------------------------------------- 07.2


def draw_by_root(mean, log_variance, noise):
    return (mean + np.sqrt(np.exp(log_variance)) * noise).tolist()


def draw_by_variance(mean, log_variance, noise):
    return mean + np.exp(log_variance) * noise


def draw_by_logarithm(mean, log_variance, noise):
    return mean + log_variance * noise


def draw_scaling_all(mean, log_variance, noise):
    return (mean + noise) * np.exp(log_variance / 2)


def draw_nothing(mean, log_variance, noise):
    return mean


# ---------------------------------------------------------------- 07.3


def cost_by_cases(x, logits):
    each = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits))) - x * logits
    return each.astype("float32").sum(axis=-1)


def cost_by_mean(x, logits):
    return cost_by_cases(x, logits) / x.shape[1]


def cost_overflowing(x, logits):
    return np.sum(np.log(1 + np.exp(logits)) - x * logits, axis=1)


def cost_of_logits_as_probabilities(x, logits):
    p = np.clip(logits, 1e-7, 1 - 1e-7)
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)


def cost_clipped(x, logits):
    with np.errstate(over="ignore"):
        p = np.clip(1 / (1 + np.exp(-logits)), 1e-12, 1 - 1e-12)
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)


# ---------------------------------------------------------------- 07.4


def divergence_directly(m1, s1, m2, s2):
    return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5


def divergence_reversed(m1, s1, m2, s2):
    return divergence_directly(m2, s2, m1, s1)


def divergence_of_variances(m1, s1, m2, s2):
    return divergence_directly(m1, s1**0.5, m2, s2**0.5)


def divergence_from_standard(m1, s1, m2, s2):
    return divergence_directly(m1, s1, 0, 1)


def divergence_off(m1, s1, m2, s2):
    return divergence_directly(m1, s1, m2, s2) + 0.5


# ---------------------------------------------------------------- 07.5


def tour_by_steps(encode, decode, images, steps):
    codes, film = encode(images), []
    for k in range((len(images) - 1) * steps + 1):
        i, u = min(k // steps, len(images) - 2), 0
        u = k / steps - i
        film.append(decode(((1 - u) * codes[i] + u * codes[i + 1])[None])[0])
    return film


def tour_without_end(encode, decode, images, steps):
    return tour_by_steps(encode, decode, images, steps)[:-1]


def tour_with_doubles(encode, decode, images, steps):
    codes, t = encode(images), np.linspace(0, 1, steps + 1)[:, None]
    pairs = itertools.pairwise(codes)
    return decode(np.concatenate([a + t * (b - a) for a, b in pairs]))


def tour_of_codes(encode, decode, images, steps):
    return tour_by_steps(encode, lambda codes: codes, images, steps)


def tour_of_drawings(encode, decode, images, steps):
    drawn = decode(encode(images))
    return tour_by_steps(lambda images: images, lambda codes: codes, drawn, steps)


RIGHT = {
    "07.1": [charge_by_rows],
    "07.2": [draw_by_root],
    "07.3": [cost_by_cases],
    "07.4": [divergence_directly],
    "07.5": [tour_by_steps],
}

WRONG = {
    "07.1": [
        (charge_with(factor=0.5), "The sign is reversed"),
        (charge_with(factor=-1), "The factor ½ is missing"),
        (charge_with(variance=np.square), "log σ² was squared"),
        (charge_with(variance=lambda v: np.exp(v) ** 2), "do not square it"),
        (charge_with(square=np.positive), "The mean enters squared"),
        (charge_with(reduce="mean"), "do not average"),
        (charge_with(reduce=None), "The sum over the code's dimensions"),
        (charge_with(axis=None), "do not sum or average over the batch"),
        (charge_with(axis=0), "should have shape (5,)"),
        (lambda mean, log_variance: 0 * mean.sum(axis=1), "Not the formula"),
    ],
    "07.2": [
        (draw_by_variance, "by the variance"),
        (draw_by_logarithm, "log σ² is not σ"),
        (draw_scaling_all, "not the mean"),
        (draw_nothing, "Where is the noise?"),
    ],
    "07.3": [
        (cost_by_mean, "a mean belongs to E158"),
        (lambda x, logits: -cost_by_cases(x, logits), "The sign is reversed"),
        (lambda x, logits: cost_by_cases(x, logits).sum(), "One cost for each image"),
        (cost_of_logits_as_probabilities, "Logits were taken for probabilities"),
        (cost_overflowing, "exp overflowed"),
        (cost_clipped, "was a probability clipped?"),
    ],
    "07.4": [
        (divergence_reversed, "of p from q"),
        (divergence_of_variances, "not variances"),
        (divergence_from_standard, "p is ignored"),
        (divergence_off, "A constant is off"),
    ],
    "07.5": [
        (tour_without_end, "The last image is missing"),
        (tour_with_doubles, "appear twice"),
        (tour_of_codes, "Those are codes"),
        (tour_of_drawings, "mix the codes"),
    ],
}
