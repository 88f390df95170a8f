"""Checks of chapter 07."""

import itertools

import numpy as np

from dl_course import vae
from dl_course.exercises import call, compare, expect, numbers, same

# ---------------------------------------------------------------- 07.1 the charge of a code


def check_charge(answer, rng):
    mean, log_variance = rng.normal(size=(2, 5, 3))
    got, right = call(answer, mean, log_variance), vae.gaussian_kl(mean, log_variance)
    variance = np.exp(log_variance)
    each = -0.5 * (1 + log_variance - mean**2 - variance)

    def charge(mean_term, variance_term):
        return -0.5 * np.sum(1 + log_variance - mean_term - variance_term, axis=1)

    compare(
        got,
        right,
        {
            "One number for each row is expected: do not sum or average over the batch.": (
                same(got, each.sum()) or same(got, right.mean())
            ),
            "The sum over the code's dimensions is missing.": each,
            "Sum over the dimensions, do not average.": each.mean(axis=1),
            "The sign is reversed: a charge is never negative.": -right,
            "The factor ½ is missing.": 2 * right,
            "log σ² was squared: σ² is its exponential.": charge(mean**2, log_variance**2),
            "exp(log σ²) is σ² already: do not square it.": charge(mean**2, variance**2),
            "The mean enters squared.": charge(mean, variance),
        },
        "Not the formula of section 4, for (5, 3) inputs.",
    )


# ---------------------------------------------------------------- 07.2 the trick


def check_draw(answer, rng):
    mean, log_variance, noise = rng.normal(size=(3, 4, 2))
    deviation = np.exp(log_variance / 2)
    got = call(answer, mean, log_variance, noise)
    compare(
        got,
        mean + deviation * noise,
        {
            "That multiplies the noise by the variance: its root, σ, is needed.": (
                mean + np.exp(log_variance) * noise
            ),
            "log σ² is not σ: take the exponential of its half.": (
                mean + log_variance * noise
            ),
            "Scale the noise, not the mean.": (
                same(got, mean * deviation + noise) or same(got, (mean + noise) * deviation)
            ),
            "Where is the noise?": mean,
        },
        "z = μ + σ ε is expected, of shape (4, 2).",
    )


# ---------------------------------------------------------------- 07.3 a drawing's cost


def check_drawing_cost(answer, rng):
    x, logits = rng.uniform(size=(4, 6)), rng.normal(size=(4, 6)) * 3
    got, right = call(answer, x, logits), -vae.log_bernoulli(x, logits)
    p = np.clip(logits, 1e-7, 1 - 1e-7)
    as_if = -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)
    compare(
        got,
        right,
        {
            "Sum over the pixels: a mean belongs to E158.": right / 6,
            "The sign is reversed: a cost is positive.": -right,
            "One cost for each image is expected.": (
                same(got, right.sum()) or same(got, right.mean())
            ),
            "Logits were taken for probabilities.": same(got, as_if, 1e-3),
        },
        "Not the cost of a coin, for logits about ±3.",
        tolerance=1e-5,
    )
    x, logits = np.array([[0.0, 1.0, 0.25]]), np.array([[-1e3, -1e3, 1e3]])
    got = numbers(call(answer, x, logits), "The result")
    expect(np.all(np.isfinite(got)), "Logits of ±1000 give inf or NaN: exp overflowed.")
    compare(
        got,
        [1750.0],
        {},
        "Logits of ±1000 give a wrong cost: was a probability clipped?",
        tolerance=1e-4,
    )


# ---------------------------------------------------------------- 07.4 any two normals


def check_divergence(answer, rng):
    m1, m2 = rng.normal(size=2) * 2
    s1, s2 = float(rng.uniform(0.3, 0.8)), float(rng.uniform(1.2, 2.5))
    zero = call(answer, 1.5, 0.7, 1.5, 0.7)

    def divergence(m1, s1, m2, s2):
        return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5

    compare(
        call(answer, m1, s1, m2, s2),
        divergence(m1, s1, m2, s2),
        {
            "That is the divergence of p from q: the two are not alike.": (
                divergence(m2, s2, m1, s1)
            ),
            "s1 and s2 are standard deviations, not variances.": (
                divergence(m1, np.sqrt(s1), m2, np.sqrt(s2))
            ),
            "p is ignored: that is the divergence from N(0, 1).": divergence(m1, s1, 0, 1),
            "A constant is off: between equal distributions it must be 0.": (
                not same(zero, 0)
            ),
        },
        "Not D(q || p) of two random ones.",
    )
    compare(zero, 0, {}, "Between equal distributions it must be 0.")


# ---------------------------------------------------------------- 07.5 walk through digits


def check_tour(answer, rng):
    n, steps = int(rng.integers(3, 5)), int(rng.integers(2, 5))
    mixer, images = rng.normal(size=(6, 2)), rng.normal(size=(n, 6))

    def encode(images):
        return np.tanh(np.asarray(images) @ mixer)

    def decode(codes):
        return np.tanh(np.asarray(codes) @ mixer.T)

    def mixed(ends, t):
        pairs = itertools.pairwise(ends)
        return np.array([(1 - u) * a + u * b for a, b in pairs for u in t])

    codes, even = encode(images), np.arange(steps) / steps
    drawn = decode(codes)
    right = np.concatenate([decode(mixed(codes, even)), drawn[-1:]])
    got = numbers(call(answer, encode, decode, images, steps), "The film")
    compare(
        got,
        right,
        {
            "The last image is missing.": right[:-1],
            "Images in the middle appear twice.": decode(
                mixed(codes, np.linspace(0, 1, steps + 1))
            ),
            "Those are codes: decode them before you return.": (
                got.shape == (len(right), 2)
            ),
            "Drawings were mixed: mix the codes.": [*mixed(drawn, even), drawn[-1]],
            "Images were mixed: mix the codes.": (
                got.shape == right.shape
                and same(got[:-1], decode(encode(mixed(images, even))))
            ),
            "The walk runs backwards.": right[::-1],
        },
        "Steps should be equal, in codes, from image to image.",
    )


CHECKS = {
    "07.1": check_charge,
    "07.2": check_draw,
    "07.3": check_drawing_cost,
    "07.4": check_divergence,
    "07.5": check_tour,
}
