"""Checks of chapter 07."""

import itertools
from statistics import NormalDist

import numpy as np

from dl_course.exercises import call, compare, numbers, parts, same


def standard_kl(mean, log_variance):
    """KL of N(mean, exp(log_variance)) from N(0, 1), summed over the last axis."""
    return np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=-1) / 2


# ---------------------------------------------------------------- 07.4 any two normals


def check_divergence(answer, rng):
    def right(m1, s1, m2, s2):
        return np.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5

    m1, m2 = rng.uniform(0.5, 2, size=2) * [1, -1]
    small, large = rng.uniform(0.3, 0.8), rng.uniform(1.2, 2.5)
    cases = [(m1, small, m2, large), (m1, large, m2, small), (m2, small, m2, large),
             (m1, large, m2, large), (m1, small, m1, small)]  # fmt: skip
    for case in cases:
        m1, s1, m2, s2 = case = tuple(map(float, case))
        got = numbers(call(answer, *case), "The divergence", ())
        compare(
            got,
            right(*case),
            {
                "That is the divergence of p from q: the two are not alike.": (
                    right(m2, s2, m1, s1)
                ),
                "s1 and s2 are standard deviations, not variances.": (
                    right(m1, np.sqrt(s1), m2, np.sqrt(s2))
                ),
                "p is ignored: that is the divergence from N(0, 1).": right(m1, s1, 0, 1),
                "A constant is off: between equal distributions it must be 0.": (
                    same(got - right(*case), call(answer, 0.5, 1.5, 0.5, 1.5))
                ),
            },
            f"Not the divergence of N({m1:.2f}, {s1:.2f}²) from N({m2:.2f}, {s2:.2f}²).",
        )


# ---------------------------------------------------------------- 07.5 walk through digits


def check_tour(answer, rng):
    for n, steps in [(3, int(rng.integers(2, 5))), (4, 1), (2, 3)]:
        mixer, images = rng.normal(size=(6, 2)), rng.normal(size=(n, 6))

        def network(x, weights):
            x = np.asarray(x)
            if x.ndim != 2 or x.shape[1] != len(weights):
                raise ValueError(f"expected shape (n, {len(weights)}), got {x.shape}")
            return np.tanh(x @ weights)

        def encode(images, weights=mixer):
            return network(images, weights)

        def decode(codes, weights=mixer.T):
            return network(codes, weights)

        judge_tour(
            call(answer, encode, decode, images, steps), encode, decode, images, steps
        )


def judge_tour(got, encode, decode, images, steps):
    def mixed(ends, t):
        pairs = itertools.pairwise(ends)
        return np.array([(1 - u) * a + u * b for a, b in pairs for u in t])

    codes, even = encode(images), np.arange(steps) / steps
    drawn = decode(codes)
    right = np.concatenate([decode(mixed(codes, even)), drawn[-1:]])
    got = numbers(got, "The film")
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


# ---------------------------------------------------------------- 07.6 a bound by hand


def check_by_hand(answer, rng):
    joint, q = np.array([1 / 6, 1 / 4]), np.array([1 / 2, 1 / 2])
    log_p, posterior = np.log(joint.sum()), joint / joint.sum()
    elbo, gap = np.sum(q * np.log(joint / q)), np.sum(q * np.log(q / posterior))
    got = parts(answer, 3, "three numbers: log p(x), the ELBO, the gap")
    got = numbers(got, "The answer", (3,))
    compare(
        got[0],
        log_p,
        {
            "log p(x): logarithms to the base 2 give bits; nats are asked for.": (
                log_p / np.log(2)
            ),
            "log p(x): that is p(x) itself.": joint.sum(),
            "log p(x): the coins are not equally likely here.": np.log(1 / 2),
        },
        "log p(x) is the logarithm of the sum of the two joint probabilities.",
        tolerance=2e-4,
    )
    compare(
        got[1],
        elbo,
        {
            "The ELBO: the joint probability is to be divided by q.": (
                np.sum(q * np.log(joint))
            ),
            "The ELBO: the mean is over q, not over the posterior.": (
                np.sum(posterior * np.log(joint / q))
            ),
            "The ELBO: take the mean of the logarithms, not the logarithm of the mean.": (
                log_p
            ),
            "The ELBO: the sign is reversed.": -elbo,
        },
        "The ELBO is the mean over q of log(p(x, z) / q(z)).",
        tolerance=2e-4,
    )
    compare(
        got[2],
        gap,
        {
            "The gap: it is never negative.": -gap,
        },
        "The gap is log p(x) minus the ELBO.",
        tolerance=2e-4,
    )


# ---------------------------------------------------------------- 07.7 another VAE's ELBO


def check_gaussian_elbo(answer, rng):
    for samples, batch, features, d in [(1, 4, 3, 2), (3, 2, 5, 1), (4, 1, 2, 3)]:
        x, noise = rng.normal(size=(batch, features)), rng.normal(size=(samples, batch, d))
        into, out = rng.normal(size=(2, features, d)), rng.normal(size=(d, features))
        s = float(rng.uniform(0.3, 0.7) if samples == 3 else rng.uniform(1.5, 2.5))

        def encode(x, into=into):
            return np.asarray(x) @ into[0], np.tanh(np.asarray(x) @ into[1]) - 0.5

        def decode(z, out=out):
            return np.sin(np.asarray(z) @ out)

        judge_elbo(
            call(answer, x, encode, decode, noise, s), x, encode(x), decode, noise, s
        )


def judge_elbo(got, x, q, decode, noise, s):
    mean, log_variance = q
    kl = standard_kl(mean, log_variance)

    def fit(deviation, s=s, parts=(1, 1)):
        """E log p(x|z) with what may be wrong about it."""
        x_hat = decode(mean + deviation * noise)  # (samples, batch, features)
        constant = parts[0] * np.log(s) + parts[1] * np.log(2 * np.pi) / 2
        each = -constant - (x - x_hat) ** 2 / (2 * s**2)
        return each.sum(axis=-1).mean(axis=0)

    sigma, n = np.exp(log_variance / 2), len(noise)
    good = fit(sigma)
    compare(
        got,
        good - kl,
        {
            "That is its negative, the cost.": kl - good,
            "The KL divergence is to be subtracted, not added.": good + kl,
            "The KL divergence is missing.": good,
            "The noise was scaled by the variance: σ is its root.": fit(sigma**2) - kl,
            "Without noise: z is to be drawn.": fit(0 * sigma) - kl,
            "log 2π/2 is missing for each feature.": fit(sigma, parts=(1, 0)) - kl,
            "The term -log s is missing for each feature.": fit(sigma, parts=(0, 1)) - kl,
            "The density's own constant, -log s - log 2π/2, is missing for each feature.": (
                fit(sigma, parts=(0, 0)) - kl
            ),
            "s is a standard deviation: its square stands below the squared error.": (
                fit(sigma, np.sqrt(s)) - kl
            ),
            "Take the mean over the samples, not the sum.": n > 1 and same(
                got, n * good - kl
            ),
            "Only the first sample was used.": same(
                got, judge_first(x, mean, sigma, decode, noise, s) - kl
            ),
            "Sum over features and latent variables, do not average.": same(
                got, (good - kl) / x.shape[1]
            ) or same(got, good / x.shape[1] - kl / mean.shape[1]),
            "One ELBO for each row is expected.": same(got, np.mean(good - kl))
            or same(got, np.sum(good - kl)),
        },
        "Not the mean of log p(x|z) over the samples minus the KL divergence.",
    )  # fmt: skip


def judge_first(x, mean, sigma, decode, noise, s):
    each = -np.log(s) - np.log(2 * np.pi) / 2
    return np.sum(each - (x - decode(mean + sigma * noise[0])) ** 2 / (2 * s**2), axis=1)


# ---------------------------------------------------------------- 07.8 the gap on a grid


def check_gap_on_a_grid(answer, rng):
    for rows, columns, level, hole in [(6, 9, 0, False), (8, 5, -1200, True)]:
        cell = float(rng.uniform(0.02, 0.4))
        log_joint = rng.normal(size=(rows, columns)) * 2 + level
        q = rng.dirichlet(np.ones(rows * columns)).reshape(rows, columns) / cell
        if hole:
            q[rng.random(q.shape) < 0.3] = 0
            q[0, 0] = 1.0
            q /= q.sum() * cell
        with np.errstate(divide="ignore"):
            log_q = np.log(q)
        judge_gap(call(answer, log_joint, log_q, cell), log_joint, q, cell)


def judge_gap(got, log_joint, q, cell):
    some, top = q > 0, log_joint.max()
    log_p = top + np.log(np.sum(np.exp(log_joint - top)) * cell)
    weight, log_ratio = q[some] * cell, np.log(q[some]) - log_joint[some]
    elbo = -np.sum(weight * log_ratio)
    posterior = np.exp(log_joint - log_p)
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = np.sum(posterior * (np.log(posterior) - np.log(q))) * cell
    got = parts(got, 3, "three numbers: log p(x), the ELBO, the KL divergence")
    got = [numbers(value, "Each of the three", ()) for value in got]
    compare(
        got[0],
        log_p,
        {
            "log p(x): multiply each density by the area of a cell.": log_p - np.log(cell),
            "log p(x) is not finite: exp(-1000) is 0 for a computer.": (
                not np.isfinite(got[0])
            ),
            "log p(x): that is the largest term, not the sum.": top + np.log(cell),
        },
        "log p(x) is the logarithm of the sum of p(x, z) times the cell's area.",
    )
    compare(
        got[1],
        elbo,
        {
            "The ELBO: where q is 0, a cell contributes 0, not NaN.": np.isnan(got[1]),
            "The ELBO: multiply each density by the area of a cell.": elbo / cell,
            "The ELBO: -log q(z) is missing.": np.sum(weight * log_joint[some]),
            "The ELBO: the sign is reversed.": -elbo,
        },
        "The ELBO is the mean over q of log p(x, z) - log q(z).",
    )
    compare(
        got[2],
        log_p - elbo,
        {
            "The KL divergence: where q is 0, a cell contributes 0, not NaN.": (
                np.isnan(got[2])
            ),
            "That is the divergence of the posterior from q.": (
                np.isfinite(turned) and same(got[2], turned)
            ),
            "The KL divergence: the sign is reversed.": elbo - log_p,
            "That is the divergence from p(x, z): divide it by p(x) first.": -elbo,
        },
        "The KL divergence is the mean over q of log q(z) - log p(z|x).",
    )


# ---------------------------------------------------------------- 07.9 a fair baseline


def check_fair_gradient(answer, rng):
    for draws, d in [(2, 1), (3, 2), (5, 5)]:
        f, score = rng.normal(size=draws) + 3, rng.normal(size=(draws, d))
        others = np.array([np.delete(f, i).mean() for i in range(draws)])
        right = np.sum((f - others)[:, None] * score, axis=0) / draws
        own = np.mean((f - f.mean())[:, None] * score, axis=0)
        compare(
            call(answer, f, score),
            right,
            {
                "That is the baseline that cheats: each draw's own f is in it.": own,
                "Without a baseline.": np.mean(f[:, None] * score, axis=0),
                "The sum over the draws: take their mean.": right * draws,
                "The sign is reversed: the baseline is subtracted from f.": -right,
                "Divide the sum of the others by their number, one less than all.": (
                    np.mean((f - (f.sum() - f) / draws)[:, None] * score, axis=0)
                ),
                "Each draw's baseline is the mean of the others, not their median.": (
                    np.mean(
                        [(f[i] - np.median(np.delete(f, i))) * score[i]
                         for i in range(draws)], axis=0)
                ),
            },
            f"Not the estimate with each baseline from the others, for {draws} draws.",
        )  # fmt: skip


# ---------------------------------------------------------------- 07.10 why uneven?


def shares(z):
    """Shares (8, 8) of codes in cells that are equally likely under N(0, I)."""
    edges = [NormalDist().inv_cdf(i / 8) for i in range(1, 8)]
    cell = [np.searchsorted(edges, np.asarray(z)[:, i]) for i in (0, 1)]
    return np.bincount(cell[0] * 8 + cell[1], minlength=64).reshape(8, 8) / len(z)


def divergence_of(p, q):
    return np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0]))


def uneven(z):
    return divergence_of(shares(z), np.full((8, 8), 1 / 64))


def check_reasons(answer, rng):
    for shape, depend in [(0.6, 0.5), (0.0, 0.8), (0.5, 0.0)]:
        x, y = rng.normal(size=(2, 20_000))
        y = np.where(rng.random(len(y)) < depend, np.abs(y) * np.sign(np.abs(x) - 0.7), y)
        z = np.stack([x, y], axis=1)
        z = np.exp(z * [shape, -1.5 * shape]) if shape else z
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        judge_reasons(call(answer, z, uneven), z)


def judge_reasons(got, z):
    p = shares(z)
    total = uneven(z)
    dependence = divergence_of(p, np.outer(p.sum(axis=1), p.sum(axis=0)))
    got = parts(got, 2, "two numbers: from the columns, from their dependence")
    got = numbers(got, "The answer", (2,))
    compare(
        got,
        [total - dependence, dependence],
        {
            "The two are swapped.": [dependence, total - dependence],
            "The dependence is still there. Were both columns shuffled in the same way?": (
                [total, 0]
            ),
            "The dependence adds the unevenness as it is, minus the control's.": (
                [total - dependence, total]
            ),
            "The values of the columns have changed: a control changes one thing.": (
                abs(got[0] + got[1] - total) < 0.005
            ),
        },
        "Shuffle one column, so that each keeps its values, and measure again.",
        tolerance=0.006,
    )


CHECKS = {
    "07.6": check_by_hand,
    "07.4": check_divergence,
    "07.7": check_gaussian_elbo,
    "07.8": check_gap_on_a_grid,
    "07.9": check_fair_gradient,
    "07.10": check_reasons,
    "07.5": check_tour,
}
