"""Checks of chapter 08."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)


# ---------------------------------------------------------------- 08.1 the perfect verdict


def check_verdict(answer, rng):
    for scale in (1, 1e-12, 1e6):
        p, q = scale * rng.uniform(0.1, 2, (2, 7))
        p[rng.integers(4)], q[rng.integers(4, 7)] = 0, 0
        compare(
            call(answer, p, q),
            p / (p + q),
            {
                'This is the probability of "drawn", not real.': q / (p + q),
                "p / q is a ratio, not a probability: it may exceed 1.": p / q,
                "A verdict is a probability here, not a decision for one side.": p > q,
                "Densities may be as small as 1e-12: add nothing to them.": (
                    p / (p + q + 1e-8)
                ),
            },
            "It differs from p / (p + q).",
        )


# ---------------------------------------------------------------- 08.2 losses from logits


def check_losses(answer, rng):
    def softplus(x):
        return np.logaddexp(0, x).mean()

    for n in (9, 4):
        real, fake = rng.normal(size=n), rng.normal(1, 1, size=n)
        got = parts(call(answer, real, fake), 2, "two values: D's loss, then G's")
        d_loss, g_loss = softplus(-real) + softplus(fake), softplus(-fake)
        compare(
            got[0],
            d_loss,
            {
                "The two are swapped: D's loss comes first.": same(got, (g_loss, d_loss)),
                "Each loss is one number: take the mean.": numbers(got[0], "D's loss").ndim
                > 0,
                "D's loss has its signs reversed: it should be low for high real logits.": (
                    softplus(real) + softplus(-fake)
                ),
                "D's loss is the sum of its two means here, not their average.": d_loss / 2,
            },
            "D's loss is wrong.",
        )
        compare(
            got[1],
            g_loss,
            {
                "Each loss is one number: take the mean.": numbers(got[1], "G's loss").ndim
                > 0,
                "G's loss is the saturating one, log(1 - D).": -softplus(fake),
                "G's loss should be low for *high* logits of its samples.": softplus(fake),
            },
            "G's loss is wrong.",
        )
    far = np.array([-1000.0, 1000])
    got = parts(call(answer, far, far), 2, "two values: D's loss, then G's")
    expect(
        np.all(np.isfinite(numbers(got, "The losses"))),
        "It overflows for logits of ±1000: use np.logaddexp instead of log and exp.",
    )
    compare(got, (1000, 500), {}, "It is wrong for logits of ±1000.")


# ---------------------------------------------------------------- 08.3 diversity


def check_diversity(answer, rng):
    kinds = rng.choice(10, 4, replace=False)
    for labels in (rng.choice(kinds, 50), np.arange(10), np.full(5, 3), np.array([0, 9])):
        got = parts(call(answer, labels), 2, "two values: a count, then an entropy")
        counts = np.bincount(labels)
        p = counts[counts > 0] / len(labels)
        entropy = -np.sum(p * np.log(p))
        compare(
            got[0],
            len(p),
            {},
            f"There are {len(p)} different digits, not {got[0]}.",
        )
        compare(
            got[1],
            entropy,
            {
                "The entropy is NaN: leave digits out that never came, as 0 log 0 counts "
                "as 0.": np.any(np.isnan(numbers(got[1], "The entropy"))),
                "This entropy is in bits: use the natural logarithm.": entropy / np.log(2),
                "An entropy is not negative: mind the minus.": -entropy,
            },
            "The entropy is wrong: -Σ p log p, with Σ p = 1.",
        )


# ---------------------------------------------------------------- 08.4 tame the circle


def check_both_step(answer, rng):
    for _ in range(5):
        theta, psi = rng.uniform(0.3, 2, 2) * rng.choice([-1, 1], 2)
        rate, gamma = rng.uniform(0.1, 0.9, 2)
        got = parts(call(answer, theta, psi, rate, gamma), 2, "two values: θ, then ψ")
        real = sigmoid(psi * theta)
        d_slope, g_slope = theta * real + gamma * psi, -psi * (1 - real)
        right = theta - rate * g_slope, psi - rate * d_slope
        compare(
            got[1],
            right[1],
            {
                "The two are swapped: θ comes first.": same(got, right[::-1]),
                "ψ moves without the penalty: its slope is γ ψ.": psi - rate * theta * real,
                "ψ moves uphill: D also lowers its loss.": psi + rate * d_slope,
            },
            "The new ψ is wrong.",
        )
        compare(
            got[0],
            right[0],
            {
                "θ moves as the saturating forger would: its slope has σ(-ψθ).": (
                    theta + rate * psi * real
                ),
                "θ saw the new ψ: both slopes belong to the old point.": (
                    theta + rate * right[1] * (1 - sigmoid(right[1] * theta))
                ),
            },
            "The new θ is wrong.",
        )


# ---------------------------------------------------------------- 08.5 a quieter estimate


def check_estimate(answer, rng):
    """Averages over many trials: a baseline must neither bias nor leave the noise."""
    k, n, trials = 4, 6, 3000
    scores = rng.normal(size=k)
    p, likes = np.exp(scores) / np.exp(scores).sum(), 10 + rng.normal(0, 0.5, k)
    likes[p.argmax()] -= 2  # a baseline that one letter sets alone is far off
    exact = p * (likes - p @ likes)
    picks = rng.choice(k, (trials, n), p=p)
    numbers(call(answer, scores, picks[0], likes[picks[0]]), "The result", (k,))
    with np.errstate():
        got = [answer(scores.copy(), row.copy(), likes[row]) for row in picks]
    got = numbers(got, "The results", (trials, k))
    slopes = np.eye(k)[picks] - p
    rewards = likes[picks]
    plain = np.mean(rewards[..., None] * slopes, axis=1)
    noise, allowed = (np.sqrt(x.var(axis=0).sum()) for x in (got, plain))
    error = np.linalg.norm(got.mean(axis=0) - exact)
    doubt = 6 * noise / np.sqrt(trials)

    def baseline(values):
        return np.mean((rewards - values[:, None])[..., None] * slopes, axis=1)

    usual = [f(rewards, axis=1) for f in (np.mean, np.median, np.min, np.max)]
    own = any(np.allclose(got, baseline(values)) for values in usual)
    if error <= doubt + 1e-9 and noise <= allowed / 3 and not own:
        return
    mistakes = {
        "On average it is off: each letter's own reward is part of its baseline.": own,
        "It is too large: take the mean over the letters, not the sum.": (
            np.linalg.norm(got.mean(axis=0) - n * exact) <= doubt
            and np.linalg.norm(exact) > 2 * doubt / n
        ),
        "It is too noisy: take off what is usual from all rewards.": noise > allowed / 3,
    }
    for message, made in mistakes.items():
        if made:
            raise Wrong(message)
    raise Wrong("On average it is not the gradient of the expected reward.")


CHECKS = {
    "08.1": check_verdict,
    "08.2": check_losses,
    "08.3": check_diversity,
    "08.4": check_both_step,
    "08.5": check_estimate,
}
