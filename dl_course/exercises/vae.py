"""Checks of chapter 07."""

import itertools

import numpy as np

from dl_course import vae
from dl_course.exercises import call, expect, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 07.1 the charge of a code


def check_charge(answer):
    mean, log_variance = RNG.normal(size=(2, 5, 3))
    got, right = call(answer, mean, log_variance), vae.gaussian_kl(mean, log_variance)
    variance = np.exp(log_variance)
    each = -0.5 * (1 + log_variance - mean**2 - variance)
    expect(
        not same(got, each.sum()) and not same(got, right.mean()),
        "One number for each row is expected: do not sum or average over the batch.",
    )
    expect(not same(got, each), "The sum over the code's dimensions is missing.")
    expect(not same(got, each.mean(axis=1)), "Sum over the dimensions, do not average.")
    expect(not same(got, -right), "The sign is reversed: a charge is never negative.")
    expect(not same(got, 2 * right), "The factor ½ is missing.")
    expect(
        not same(got, -0.5 * np.sum(1 + log_variance - mean**2 - log_variance**2, axis=1)),
        "log σ² was squared: σ² is its exponential.",
    )
    expect(
        not same(got, -0.5 * np.sum(1 + log_variance - mean**2 - variance**2, axis=1)),
        "exp(log σ²) is σ² already: do not square it.",
    )
    expect(
        not same(got, -0.5 * np.sum(1 + log_variance - mean - variance, axis=1)),
        "The mean enters squared.",
    )
    expect(same(got, right), "Not the formula of section 4, for (5, 3) inputs.")


# ---------------------------------------------------------------- 07.2 the trick


def check_draw(answer):
    mean, log_variance, noise = RNG.normal(size=(3, 4, 2))
    got = call(answer, mean, log_variance, noise)
    expect(
        not same(got, mean + np.exp(log_variance) * noise),
        "That multiplies the noise by the variance: its root, σ, is needed.",
    )
    expect(
        not same(got, mean + log_variance * noise),
        "log σ² is not σ: take the exponential of its half.",
    )
    expect(
        not same(got, mean * np.exp(log_variance / 2) + noise)
        and not same(got, (mean + noise) * np.exp(log_variance / 2)),
        "Scale the noise, not the mean.",
    )
    expect(not same(got, mean), "Where is the noise?")
    right = mean + np.exp(log_variance / 2) * noise
    expect(same(got, right), "z = μ + σ ε is expected, of shape (4, 2).")


# ---------------------------------------------------------------- 07.3 a drawing's cost


def check_drawing_cost(answer):
    x, logits = RNG.uniform(size=(4, 6)), RNG.normal(size=(4, 6)) * 3
    got, right = call(answer, x, logits), -vae.log_bernoulli(x, logits)
    expect(not same(got, right / 6, 1e-4), "Sum over the pixels: a mean belongs to E158.")
    expect(not same(got, -right, 1e-4), "The sign is reversed: a cost is positive.")
    expect(
        not same(got, right.sum(), 1e-4) and not same(got, right.mean(), 1e-4),
        "One cost for each image is expected.",
    )
    p = np.clip(logits, 1e-7, 1 - 1e-7)
    as_if = -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1)
    expect(not same(got, as_if, 1e-3), "Logits were taken for probabilities.")
    expect(same(got, right, 1e-5), "Not the cost of a coin, for logits about ±3.")
    with np.errstate(all="ignore"):
        huge = call(answer, np.array([[0.0, 1.0, 0.25]]), np.array([[-1e3, -1e3, 1e3]]))
    expect(
        np.all(np.isfinite(np.asarray(huge, float))),
        "Logits of ±1000 give inf or NaN: exp overflowed.",
    )
    expect(
        same(huge, [1750.0], 1e-4),
        "Logits of ±1000 give a wrong cost: was a probability clipped?",
    )


# ---------------------------------------------------------------- 07.4 any two normals


def check_divergence(answer):
    expect_zero = call(answer, 1.5, 0.7, 1.5, 0.7)
    m1, m2 = RNG.normal(size=2) * 2
    s1, s2 = float(RNG.uniform(0.3, 0.8)), float(RNG.uniform(1.2, 2.5))

    def right(m1, s1, m2, s2):
        return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5

    got = call(answer, m1, s1, m2, s2)
    expect(
        not same(got, right(m2, s2, m1, s1)),
        "That is the divergence of p from q: the two are not alike.",
    )
    expect(
        not same(got, right(m1, np.sqrt(s1), m2, np.sqrt(s2))),
        "s1 and s2 are standard deviations, not variances.",
    )
    expect(
        not same(got, vae.gaussian_kl([m1], [2 * np.log(s1)])),
        "p is ignored: that is the divergence from N(0, 1).",
    )
    expect(
        same(expect_zero, 0),
        "A constant is off: between equal distributions it must be 0.",
    )
    expect(same(got, right(m1, s1, m2, s2)), "Not D(q || p) of two random ones.")


# ---------------------------------------------------------------- 07.5 walk through digits


def check_tour(answer):
    n, steps = int(RNG.integers(3, 5)), int(RNG.integers(2, 5))
    mixer, images = RNG.normal(size=(6, 2)), RNG.normal(size=(n, 6))

    def encode(images):
        return np.tanh(np.asarray(images) @ mixer)

    def decode(codes):
        return np.tanh(np.asarray(codes) @ mixer.T)

    def walk(a, b, t):
        return [decode((1 - u) * a + u * b) for u in t]

    codes, even = encode(images), np.arange(steps) / steps
    got = np.asarray(call(answer, encode, decode, images, steps), float)
    pairs = list(itertools.pairwise(codes))
    right = np.array([*(p for a, b in pairs for p in walk(a, b, even)), decode(codes[-1])])
    doubled = [p for a, b in pairs for p in walk(a, b, np.linspace(0, 1, steps + 1))]
    pixels = [
        decode(encode((1 - u) * a + u * b))
        for a, b in itertools.pairwise(images)
        for u in even
    ]
    expect(not same(got, right[:-1]), "The last image is missing.")
    expect(not same(got, doubled), "Images in the middle appear twice.")
    expect(got.shape != (len(right), 2), "Those are codes: decode them before you return.")
    expect(got.shape == right.shape, f"Shape {right.shape} expected, not {got.shape}.")
    ends = right[::steps]  # the drawings of the images themselves
    mixed = [(1 - u) * a + u * b for a, b in itertools.pairwise(ends) for u in even]
    expect(not same(got, [*mixed, ends[-1]]), "Drawings were mixed: mix the codes.")
    expect(not same(got[:-1], pixels), "Images were mixed: mix the codes.")
    expect(not same(got, right[::-1]), "The walk runs backwards.")
    expect(same(got, right), "Steps should be equal, in codes, from image to image.")


CHECKS = {
    "07.1": check_charge,
    "07.2": check_draw,
    "07.3": check_drawing_cost,
    "07.4": check_divergence,
    "07.5": check_tour,
}
