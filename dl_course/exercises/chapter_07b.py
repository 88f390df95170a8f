"""Checks of chapter 07b."""

import numpy as np

from dl_course import latent, vae
from dl_course.exercises import call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 07b.1 a tighter bound


def check_tighter_bound(answer, rng):
    log_w = rng.normal(size=(4, 6)) * 2
    right = latent.importance_bound(log_w)
    compare(
        call(answer, log_w),
        right,
        {
            "One bound for each row is expected.": right.mean(),
            "That is the mean of logarithms, the ELBO: take the logarithm of the mean.": (
                log_w.mean(axis=1)
            ),
            "The mean of the weights is asked, not the sum.": right + np.log(6),
            "The logarithm is missing.": np.exp(right),
            "That is the largest weight only.": log_w.max(axis=1),
        },
        "Not the logarithm of the mean weight of each row.",
    )
    far = numbers(call(answer, log_w - 1000), "The result")
    expect(
        np.all(np.isfinite(far)), "Weights of exp(-1000) give inf or NaN: exp underflowed."
    )
    compare(far, right - 1000, {}, "Weights of exp(-1000) give a wrong bound.")


# ---------------------------------------------------------------- 07b.2 bits a digit


def check_bits(answer, rng):
    mean, log_variance = rng.normal(size=(2, 7, 3))
    kl = vae.gaussian_kl(mean, log_variance)
    nats = kl.mean()
    compare(
        call(answer, mean, log_variance),
        nats / np.log(2),
        {
            "Those are nats: a bit is log 2 of them.": nats,
            "Divide by log 2, do not multiply.": nats * np.log(2),
            "Average over the rows, do not sum.": kl.sum() / np.log(2),
            "Sum over the code, do not average.": nats / 3 / np.log(2),
        },
        "Not the mean KL in bits.",
    )


# ---------------------------------------------------------------- 07b.3 an alarm


def check_alarm(answer, rng):
    normal, strange = rng.normal(size=1001), rng.normal(2.5, 1, size=700)
    rate = float(rng.uniform(0.03, 0.2))
    got = parts(
        call(answer, normal, strange, rate),
        2,
        "two numbers: the threshold, then the share",
    )
    threshold, share = (
        float(numbers(part, name, ()))
        for part, name in zip(got, ("The threshold", "The share"), strict=True)
    )
    rung, right = np.mean(normal > threshold), np.mean(strange > threshold)
    if abs(rung - rate) > 0.003:
        expect(
            not same(threshold, np.quantile(normal, rate)),
            "So almost all normal scores ring: the share above is asked, not below.",
        )
        everything = np.quantile(np.r_[normal, strange], 1 - rate)
        expect(
            not same(threshold, np.quantile(strange, 1 - rate))
            and not same(threshold, everything),
            "The threshold looked at strange scores: it may know normal ones only.",
        )
        expect(False, f"{rung:.1%} of normal scores ring, not {rate:.1%}.")
    if abs(share - right) > 0.002:
        expect(not same(share, 1 - right), "That is the share that does not ring.")
        expect(
            not same(share, np.sum(strange > threshold)),
            "That is a count: a share is asked.",
        )
        expect(False, f"{right:.1%} of the strange scores ring.")


# ---------------------------------------------------------------- 07b.4 another digit


def check_move(answer, rng):
    labels = rng.permutation(np.repeat([3, 5, 8], [6, 9, 7]))
    known, codes = rng.normal(size=(22, 4)) + labels[:, None], rng.normal(size=(5, 4))
    old, new = (known[labels == digit].mean(axis=0) for digit in (5, 8))
    compare(
        call(answer, codes, known, labels, 5, 8),
        codes + new - old,
        {
            "The walk runs backwards: new minus old average.": codes + old - new,
            "Take off the average of the old class, too.": codes + new,
            "Add the average of the new class, too.": codes - old,
            "All hands became one: keep what differs from the average.": np.tile(
                new, (5, 1)
            ),
            "Average over rows only: each dimension has its own mean.": (
                codes + known[labels == 8].mean() - known[labels == 5].mean()
            ),
        },
        "codes + new average - old average is expected.",
    )


CHECKS = {
    "07b.1": check_tighter_bound,
    "07b.2": check_bits,
    "07b.3": check_alarm,
    "07b.4": check_move,
}
