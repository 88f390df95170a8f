"""Checks of chapter 08."""

import numpy as np

from dl_course import gan
from dl_course.exercises import call, expect, same
from dl_course.network import sigmoid, softmax

RNG = np.random.default_rng()  # fresh inputs on every call


def two(got, names):
    expect(
        isinstance(got, tuple | list | np.ndarray) and len(got) == 2,
        f"Return two values: {names}.",
    )
    return got


# ---------------------------------------------------------------- 08.1 the perfect verdict


def check_verdict(answer):
    p, q = RNG.uniform(0.1, 2, (2, 7))
    got = call(answer, p, q)
    expect(not same(got, q / (p + q)), 'This is the probability of "drawn", not real.')
    expect(not same(got, p / q), "p / q is a ratio, not a probability: it may exceed 1.")
    expect(
        not same(got, p > q),
        "A verdict is a probability here, not a decision for one side.",
    )
    expect(same(got, p / (p + q)), "It differs from p / (p + q).")


# ---------------------------------------------------------------- 08.2 losses from logits


def check_losses(answer):
    real, fake = RNG.normal(size=9), RNG.normal(1, 1, size=9)
    got = two(call(answer, real, fake), "D's loss, then G's")
    right = gan.discriminator_loss(real, fake), gan.generator_loss(fake)
    expect(not same(got, right[::-1]), "The two are swapped: D's loss comes first.")
    expect(
        np.ndim(got[0]) == np.ndim(got[1]) == 0, "Each loss is one number: take the mean."
    )
    expect(
        not same(got[0], gan.discriminator_loss(-real, -fake)),
        "D's loss has its signs reversed: it should be low for high real logits.",
    )
    expect(
        not same(got[0], right[0] / 2),
        "D's loss is the sum of its two means here, not their average.",
    )
    expect(same(got[0], right[0]), "D's loss is wrong.")
    expect(
        not same(got[1], gan.generator_loss(fake, saturating=True)),
        "G's loss is the saturating one, log(1 - D).",
    )
    expect(
        not same(got[1], np.logaddexp(0, fake).mean()),
        "G's loss should be low for *high* logits of its samples.",
    )
    expect(same(got[1], right[1]), "G's loss is wrong.")
    with np.errstate(all="ignore"):
        extreme = call(answer, np.array([-1000.0, 1000]), np.array([-1000.0, 1000]))
    expect(
        np.all(np.isfinite(extreme)),
        "It overflows for logits of ±1000: use np.logaddexp instead of log and exp.",
    )
    expect(same(extreme, (1000, 500)), "It is wrong for logits of ±1000.")


# ---------------------------------------------------------------- 08.3 diversity


def check_diversity(answer):
    kinds = RNG.choice(10, 4, replace=False)
    for labels in (RNG.choice(kinds, 50), np.arange(10), np.full(5, 3)):
        got = two(call(answer, labels), "a count, then an entropy")
        counts = np.bincount(labels, minlength=10)
        seen, entropy = int(np.sum(counts > 0)), gan.entropy(counts)
        expect(
            not np.any(np.isnan(np.asarray(got, float))),
            "The entropy is NaN: leave digits out that never came, as 0 log 0 counts as 0.",
        )
        expect(same(got[0], seen), f"There are {seen} different digits, not {got[0]}.")
        if entropy > 0:
            expect(
                not same(got[1], entropy / np.log(2)),
                "This entropy is in bits: use the natural logarithm.",
            )
            expect(
                not same(got[1], -entropy), "An entropy is not negative: mind the minus."
            )
        expect(same(got[1], entropy), "The entropy is wrong: -Σ p log p, with Σ p = 1.")


# ---------------------------------------------------------------- 08.4 tame the circle


def check_both_step(answer):
    for _ in range(5):
        theta, psi = RNG.uniform(0.3, 2, 2) * RNG.choice([-1, 1], 2)
        rate, gamma = RNG.uniform(0.1, 0.9, 2)
        got = two(call(answer, theta, psi, rate, gamma), "θ, then ψ")
        real = sigmoid(np.array(psi * theta))
        d_slope, g_slope = theta * real + gamma * psi, -psi * (1 - real)
        right = theta - rate * g_slope, psi - rate * d_slope
        expect(not same(got, right[::-1]), "The two are swapped: θ comes first.")
        expect(
            not same(got[1], psi - rate * theta * real),
            "ψ moves without the penalty: its slope is γ ψ.",
        )
        expect(
            not same(got[1], psi + rate * d_slope),
            "ψ moves uphill: D also lowers its loss.",
        )
        expect(same(got[1], right[1]), "The new ψ is wrong.")
        expect(
            not same(got[0], theta + rate * psi * real),
            "θ moves as the saturating forger would: its slope has σ(-ψθ).",
        )
        expect(
            not same(got[0], theta + rate * right[1] * (1 - sigmoid(right[1] * theta))),
            "θ saw the new ψ: both slopes belong to the old point.",
        )
        expect(same(got[0], right[0]), "The new θ is wrong.")


# ---------------------------------------------------------------- 08.5 a quieter estimate


def check_estimate(answer):
    k, n, trials = 4, 6, 3000
    scores = RNG.normal(size=k)
    p, likes = softmax(scores[None])[0], 10 + RNG.normal(0, 0.5, k)
    exact = p * (likes - p @ likes)
    picks = RNG.choice(k, (trials, n), p=p)
    first = np.asarray(call(answer, scores, picks[0], likes[picks[0]]), float)
    expect(first.shape == (k,), f"An array of shape ({k},) is expected, not {first.shape}.")
    got = np.array([answer(scores, row, likes[row]) for row in picks])
    slopes = np.eye(k)[picks] - p
    plain = np.mean(likes[picks][..., None] * slopes, axis=1)
    noise, allowed = (np.sqrt(x.var(axis=0).sum()) for x in (got, plain))
    error, length = np.linalg.norm(got.mean(axis=0) - exact), np.linalg.norm(exact)
    doubt = 5 * noise / np.sqrt(trials)
    summed = np.linalg.norm(got.mean(axis=0) - n * exact)
    expect(summed > n * doubt or length < n * doubt or noise > allowed / 3 or error < doubt,
           "It is too large: take the mean over the letters, not the sum.")  # fmt: skip
    expect(
        noise <= allowed / 3,
        "It is too noisy: take off what is usual from all rewards.",
    )
    own = np.mean((likes[picks] - likes[picks].mean(axis=1, keepdims=True))[..., None]
                  * slopes, axis=1)  # fmt: skip
    expect(
        not np.allclose(got, own),
        "On average it is too short: each letter's own reward is part of its baseline.",
    )
    expect(
        error <= doubt + 1e-9, "On average it is not the gradient of the expected reward."
    )


CHECKS = {
    "08.1": check_verdict,
    "08.2": check_losses,
    "08.3": check_diversity,
    "08.4": check_both_step,
    "08.5": check_estimate,
}
