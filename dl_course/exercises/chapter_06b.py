"""Checks of chapter 06b."""

import string

import numpy as np

from dl_course.exercises import call, compare, expect, numbers, same

# ---------------------------------------------------------------- 06b.1 pad


def check_pad(answer, rng):
    for length in [*rng.integers(3, 9, 4).tolist(), 1]:
        sizes = [*rng.integers(1, 12, 5), 1, length, length + 3, 0]
        lists = [rng.integers(1, 6000, size).tolist() for size in sizes]
        lists[0][0] = 5000  # as in a vocabulary of thousands
        before = [([0] * length + some[:length])[-length:] for some in lists]
        ends = [(some[-length:] + [0] * length)[:length] for some in lists]
        result = call(answer, lists, length)
        got, shape = numbers(result, "The rows"), (len(lists), length)
        dtype = np.asarray(result).dtype
        compare(
            got,
            [(some + [0] * length)[:length] for some in lists],
            {
                f"Shape {shape} is expected, not {got.shape}: cut the long ones.": (
                    got.shape != shape
                ),
                "The padding stands before; it must be behind.": before,
                "Long lists keep their beginning, not their end.": ends,
                "Large ids have become others: eight bits are too few for them.": (
                    dtype.itemsize == 1
                ),
            },
            "Some rows are not the list, cut or padded with 0.",
        )
        expect(dtype.kind in "iu", "Ids are integers; np.zeros makes floats unless told.")


# ---------------------------------------------------------------- 06b.2 accuracy


def check_accuracy(answer, rng):
    for padding in ("behind", "behind", *("in front",) * 4, "none"):
        probabilities = rng.dirichlet(np.ones(5), (6, 9))
        probabilities[1, [0, 8]] = [0.8, 0.05, 0.05, 0.05, 0.05]  # taken for tag 0
        best = probabilities.argmax(axis=-1)
        tags = np.where(rng.random((6, 9)) < 0.6, best, rng.integers(0, 5, (6, 9)))
        mask = np.arange(9) < np.array([9, 1, 4, 7, 2, 5])[:, None]
        if padding != "behind":
            mask = mask[:, ::-1] if padding == "in front" else np.ones((6, 9), bool)
        tags[~mask] = 0
        right = best == tags
        share = right[mask].mean()
        lengths = mask.sum(axis=1)
        first = np.arange(9) < lengths[:, None]  # as if padding always stood behind
        got = call(answer, probabilities, tags, mask)
        compare(
            got,
            share,
            {
                "Padding may stand in front, too: use the mask itself, not its sum.": (
                    padding == "in front" and same(got, right[first].mean())
                ),
                "Padding is counted too: ask only where the mask is True.": right.mean(),
                "Divide by the number of tokens, not by all places.": (right & mask).mean(),
                "That is a mean over sentences; short ones count too much in it.": np.mean(
                    [r[m].mean() for r, m in zip(right, mask, strict=True)]
                ),
                "That is how many are right; their share is asked.": right[mask].sum(),
            },
            "Not the share of tokens whose likeliest tag is right.",
        )


# ---------------------------------------------------------------- 06b.3 bits


def check_bits(answer, rng):
    for scale, time in ((1, 50), (3, 20), (2000, 50), (1, 1)):
        logits = scale * rng.normal(size=(time, 7))
        ids = logits.argmax(axis=1)
        ids[:9] = rng.integers(0, 7, min(9, time))
        z = logits - logits.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        chosen = log_p[np.arange(time), ids]
        nats = -chosen.mean()
        got = numbers(call(answer, logits, ids), "The result", ())
        compare(
            got,
            nats / np.log(2),
            {
                "With large logits it is not a number: subtract the largest.": (
                    not np.isfinite(got)
                ),
                "Those are nats: divide by log 2.": nats,
                "Bits are positive: the sign is missing.": -nats / np.log(2),
                "That is the sum; take the mean.": time * nats / np.log(2),
                "The mean of the logs is asked, not the log of the mean.": (
                    -np.log2(np.exp(chosen).mean())
                ),
            },
            "Not the mean of -log2 p.",
        )


# ---------------------------------------------------------------- 06b.4 temperature


def check_temperature(answer, rng):
    for T in [*rng.uniform(0.3, 3, 5).tolist(), 3.0, 0.3, 1.0]:
        p = rng.dirichlet(np.ones(6))
        p[rng.integers(6)] = 0.0  # a zero stays one
        p = p / p.sum()
        powers, wrong, soft = p ** (1 / T), p**T, np.exp(p / T)
        logs = np.exp(np.log(p + 1e-8) / T)
        got = call(answer, p, T)
        compare(
            got,
            powers / powers.sum(),
            {
                "The powers do not sum to 1 yet.": powers,
                "The power is 1 / T: cold must be sharper.": wrong / wrong.sum(),
                "Softmax wants logits: p is a distribution already.": soft / soft.sum(),
                "What has probability 0 must keep it: something small was added.": (
                    logs / logs.sum()
                ),
            },
            f"Not p^(1/T), scaled to the sum 1, at T = {T:.2f}.",
        )


# ---------------------------------------------------------------- 06b.5 a rival


def story(rng, length=30_000):
    """Random sentences of an invented language with about 4.2 bits, 2.6 in context."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    syllables += [s + c for s in syllables[::3] for c in "nrs"]
    words = ["".join(rng.choice(syllables, rng.integers(1, 4))) for _ in range(300)]
    weights = 1 / np.arange(3, 303)
    text = " ".join(rng.choice(words, length // 3, p=weights / weights.sum()))
    return text[:length], text[length : length + 3000]


def check_rival(answer, rng):
    old, new = story(rng)
    p = call(answer, old)
    expect(callable(p), "learn must return a function p(context, character).")
    alphabet = sorted(set(old))
    for context in ("", old[:1], old[:50], new[:7], "zzqx", string.punctuation):
        some = [call(p, context, c) for c in alphabet]
        values = numbers(some, "The probabilities", (len(alphabet),))
        expect(np.all(values >= 0), "A probability is negative.")
        expect(
            np.isclose(values.sum(), 1, atol=1e-3),
            f"After {context[-5:]!r} probabilities sum to {values.sum():.3f}, not 1.",
        )
    some = [call(p, new[:i], new[i]) for i in range(20, 1500) if new[i] in alphabet]
    some = numbers(some, "The probabilities")
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
