"""Checks of chapter 06b: Recurrent networks that read and write."""

import string

import numpy as np

from dl_course.exercises import call, expect, same

RNG = np.random.default_rng()


# ---------------------------------------------------------------- 06b.1 pad


def check_pad(answer):
    for length in RNG.integers(3, 9, 4):
        length = int(length)
        sizes = [*RNG.integers(1, 12, 5), 1, length, length + 3, 0]
        lists = [RNG.integers(1, 99, size).tolist() for size in sizes]
        right = np.array([(some + [0] * length)[:length] for some in lists])
        before = np.array([([0] * length + some[:length])[-length:] for some in lists])
        ends = [(some[-length:] + [0] * length)[:length] for some in lists]
        got = call(answer, lists, length)
        expect(
            np.shape(got) == right.shape,
            f"Shape {right.shape} is expected, not {np.shape(got)}: cut the long ones.",
        )
        expect(not same(got, before), "The padding stands before; it must be behind.")
        expect(not same(got, ends), "Long lists keep their beginning, not their end.")
        expect(same(got, right), "Some rows are not the list, cut or padded with 0.")
        kind = np.asarray(got).dtype.kind
        expect(kind in "iu", "Ids are integers; np.zeros makes floats unless told.")


# ---------------------------------------------------------------- 06b.2 accuracy


def check_accuracy(answer):
    for _ in range(4):
        probabilities = RNG.dirichlet(np.ones(5), (6, 9))
        probabilities[1, 8] = [0.8, 0.05, 0.05, 0.05, 0.05]  # padding, taken for tag 0
        best = probabilities.argmax(axis=-1)
        tags = np.where(RNG.random((6, 9)) < 0.6, best, RNG.integers(0, 5, (6, 9)))
        mask = np.arange(9) < np.array([9, 1, 4, 7, 2, 5])[:, None]
        tags[~mask] = 0
        right = best == tags
        got = call(answer, probabilities, tags, mask)
        share = right[mask].mean()
        expect(np.ndim(got) == 0, "One number is expected.")
        expect(
            same(got, share) or not same(got, right.mean()),
            "Padding is counted too: ask only where the mask is True.",
        )
        expect(
            same(got, share) or not same(got, (right & mask).mean()),
            "Divide by the number of tokens, not by all places.",
        )
        rows = [r[m].mean() for r, m in zip(right, mask, strict=True)]
        expect(
            same(got, share) or not same(got, np.mean(rows)),
            "That is a mean over sentences; short ones count too much in it.",
        )
        expect(
            same(got, share) or not same(got, right[mask].sum()),
            "That is how many are right; their share is asked.",
        )
        expect(same(got, share), "Not the share of tokens whose likeliest tag is right.")


# ---------------------------------------------------------------- 06b.3 bits


def check_bits(answer):
    for scale in (1, 3, 2000):
        logits = scale * RNG.normal(size=(50, 7))
        ids = logits.argmax(axis=1)
        ids[:9] = RNG.integers(0, 7, 9)
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        nats = -log_p[np.arange(50), ids].mean()
        with np.errstate(all="ignore"):
            got = call(answer, logits, ids)
        expect(np.ndim(got) == 0, "One number is expected: the mean.")
        expect(
            np.isfinite(got), "With large logits it is not a number: subtract the largest."
        )
        expect(not same(got, nats), "Those are nats: divide by log 2.")
        expect(not same(got, -nats / np.log(2)), "Bits are positive: the sign is missing.")
        expect(not same(got, 50 * nats / np.log(2)), "That is the sum; take the mean.")
        mean_p = np.exp(log_p)[np.arange(50), ids].mean()
        expect(
            not same(got, -np.log2(mean_p)),
            "The mean of the logs is asked, not the log of the mean.",
        )
        expect(same(got, nats / np.log(2)), "Not the mean of -log2 p.")


# ---------------------------------------------------------------- 06b.4 temperature


def check_temperature(answer):
    for T in RNG.uniform(0.3, 3, 5):
        p = RNG.dirichlet(np.ones(6))
        powers = p ** (1 / T)
        wrong = p**T
        got = call(answer, p, float(T))
        expect(not same(got, powers), "The powers do not sum to 1 yet.")
        expect(
            not same(got, wrong / wrong.sum()), "The power is 1 / T: cold must be sharper."
        )
        soft = np.exp(p / T)
        expect(
            not same(got, soft / soft.sum()),
            "Softmax wants logits: p is a distribution already.",
        )
        expect(same(got, powers / powers.sum()), f"Not p^(1/T), renormalized, at {T:.2f}.")


# ---------------------------------------------------------------- 06b.5 a rival


def story(length=30_000):
    """Random sentences of an invented language with about 4.2 bits, 2.6 in context."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    syllables += [s + c for s in syllables[::3] for c in "nrs"]
    words = ["".join(RNG.choice(syllables, RNG.integers(1, 4))) for _ in range(300)]
    weights = 1 / np.arange(3, 303)
    text = " ".join(RNG.choice(words, length // 3, p=weights / weights.sum()))
    return text[:length], text[length : length + 3000]


def check_rival(answer):
    old, new = story()
    p = call(answer, old)
    expect(callable(p), "learn must return a function p(context, character).")
    alphabet = sorted(set(old))
    for context in ("", old[:1], old[:50], new[:7], "zzqx", string.punctuation):
        values = np.array([call(p, context, c) for c in alphabet], dtype=float)
        expect(np.all(values >= 0), "A probability is negative.")
        expect(
            np.isclose(values.sum(), 1, atol=1e-3),
            f"After {context[-5:]!r} probabilities sum to {values.sum():.3f}, not 1.",
        )
    some = [float(p(new[:i], new[i])) for i in range(20, 1500) if new[i] in alphabet]
    expect(min(some) > 0, "A character that came has probability 0: infinitely many bits.")
    bits = -np.mean(np.log2(some))
    expect(bits <= 3.0, f"{bits:.2f} bits per character on new text; 3.0 are asked.")


CHECKS = {
    "06b.1": check_pad,
    "06b.2": check_accuracy,
    "06b.3": check_bits,
    "06b.4": check_temperature,
    "06b.5": check_rival,
}
