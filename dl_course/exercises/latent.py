"""Checks of chapter 07b."""

import numpy as np

from dl_course import latent, vae
from dl_course.exercises import call, expect, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 07b.1 a tighter bound


def check_tighter_bound(answer):
    log_w = RNG.normal(size=(4, 6)) * 2
    got, right = call(answer, log_w), latent.importance_bound(log_w)
    expect(not same(got, right.mean()), "One bound for each row is expected.")
    expect(
        not same(got, log_w.mean(axis=1)),
        "That is the mean of logarithms, the ELBO: take the logarithm of the mean.",
    )
    expect(
        not same(got, right + np.log(6)), "The mean of the weights is asked, not the sum."
    )
    expect(not same(got, np.exp(right)), "The logarithm is missing.")
    expect(not same(got, log_w.max(axis=1)), "That is the largest weight only.")
    expect(same(got, right), "Not the logarithm of the mean weight of each row.")
    with np.errstate(all="ignore"):
        far = call(answer, log_w - 1000)
    expect(
        np.all(np.isfinite(np.asarray(far, float))),
        "Weights of exp(-1000) give inf or NaN: exp underflowed.",
    )
    expect(same(far, right - 1000), "Weights of exp(-1000) give a wrong bound.")


# ---------------------------------------------------------------- 07b.2 bits a digit


def check_bits(answer):
    mean, log_variance = RNG.normal(size=(2, 7, 3))
    got, kl = call(answer, mean, log_variance), vae.gaussian_kl(mean, log_variance)
    nats = kl.mean()
    expect(np.ndim(got) == 0, "One number is expected: average over the rows.")
    expect(not same(got, nats), "Those are nats: a bit is log 2 of them.")
    expect(not same(got, nats * np.log(2)), "Divide by log 2, do not multiply.")
    expect(not same(got, kl.sum() / np.log(2)), "Average over the rows, do not sum.")
    expect(not same(got, nats / 3 / np.log(2)), "Sum over the code, do not average.")
    expect(same(got, nats / np.log(2)), "Not the mean KL in bits.")


# ---------------------------------------------------------------- 07b.3 an alarm


def check_alarm(answer):
    normal, strange = RNG.normal(size=1001), RNG.normal(2.5, 1, size=700)
    rate = float(RNG.uniform(0.03, 0.2))
    got = call(answer, normal, strange, rate)
    expect(
        isinstance(got, tuple | list | np.ndarray) and len(got) == 2,
        "Return two numbers: the threshold, then the share.",
    )
    threshold, share = map(float, got)
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
    rung = np.mean(normal > threshold)
    expect(abs(rung - rate) <= 0.003, f"{rung:.1%} of normal scores ring, not {rate:.1%}.")
    right = np.mean(strange > threshold)
    expect(not same(share, 1 - right), "That is the share that does not ring.")
    expect(
        not same(share, np.sum(strange > threshold)), "That is a count: a share is asked."
    )
    expect(abs(share - right) <= 0.002, f"{right:.1%} of the strange scores ring.")


# ---------------------------------------------------------------- 07b.4 another digit


def check_move(answer):
    labels = RNG.permutation(np.repeat([3, 5, 8], [6, 9, 7]))
    known, codes = RNG.normal(size=(22, 4)) + labels[:, None], RNG.normal(size=(5, 4))
    got = call(answer, codes, known, labels, 5, 8)
    old, new = (known[labels == digit].mean(axis=0) for digit in (5, 8))
    expect(
        not same(got, codes + old - new), "The walk runs backwards: new minus old average."
    )
    expect(not same(got, codes + new), "Take off the average of the old class, too.")
    expect(not same(got, codes - old), "Add the average of the new class, too.")
    expect(
        not same(got, np.tile(new, (5, 1))),
        "All hands became one: keep what differs from the average.",
    )
    expect(
        not same(got, codes + known[labels == 8].mean() - known[labels == 5].mean()),
        "Average over rows only: each dimension has its own mean.",
    )
    expect(same(got, codes + new - old), "codes + new average - old average is expected.")


CHECKS = {
    "07b.1": check_tighter_bound,
    "07b.2": check_bits,
    "07b.3": check_alarm,
    "07b.4": check_move,
}
