"""Chapter 06b: second right solutions, and typical wrong ones with their messages."""

from collections import Counter

import numpy as np

# ---------------------------------------------------------------- 06b.1


def pad_by_lists(lists, length):
    return [list(some[:length]) + [0] * (length - len(some)) for some in lists]


def pad_before(lists, length):
    return [[0] * (length - len(some)) + list(some[:length]) for some in lists]


def pad_keeping_ends(lists, length):
    return pad_by_lists([some[-length:] for some in lists], length)


def pad_to_longest(lists, length):
    return pad_by_lists(lists, 40)


def pad_with_floats(lists, length):
    return np.array(pad_by_lists(lists, length), float)


# ---------------------------------------------------------------- 06b.2


def accuracy_by_weights(probabilities, tags, mask):
    right = np.equal(np.argmax(probabilities, 2), tags)
    return float(np.average(right, weights=mask.astype(float)))


def accuracy_unmasked(probabilities, tags, mask):
    return np.mean(probabilities.argmax(-1) == tags)


def accuracy_by_all_places(probabilities, tags, mask):
    return np.mean((probabilities.argmax(-1) == tags) & mask)


def accuracy_by_sentence(probabilities, tags, mask):
    right = probabilities.argmax(-1) == tags
    return np.mean([r[m].mean() for r, m in zip(right, mask, strict=True)])


def accuracy_counted(probabilities, tags, mask):
    return np.sum((probabilities.argmax(-1) == tags)[mask])


# ---------------------------------------------------------------- 06b.3


def bits_by_logaddexp(logits, ids):
    chosen = np.take_along_axis(logits, np.asarray(ids)[:, None], 1)[:, 0]
    return float(np.mean((np.logaddexp.reduce(logits, axis=1) - chosen) / np.log(2)))


def bits_naive(logits, ids):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log2(p[np.arange(len(ids)), ids]).mean()


def bits_of_mean(logits, ids):
    z = logits - logits.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    return -np.log2(p[np.arange(len(ids)), ids].mean())


# ---------------------------------------------------------------- 06b.4


def temperature_by_logs(p, T):
    z = np.log(p) / T
    z = np.exp(z - z.max())
    return list(z / z.sum())


def temperature_with(power, divide=True):
    def with_temperature(p, T):
        powers = power(p, T)
        return powers / powers.sum() if divide else powers

    return with_temperature


# ---------------------------------------------------------------- 06b.5


def learn_with(order=3, leftover=0.2, floor=True, mix=True):
    """Jelinek and Mercer's mixture: a share goes to one character less."""

    def learn(text):
        tables = [{} for _ in range(order + 1)]
        for k, table in enumerate(tables):
            for i in range(k, len(text)):
                table.setdefault(text[i - k : i], Counter())[text[i]] += 1
        size = len(set(text))

        def p(context, character):
            value = 1 / size if floor else 0.0
            for k, table in enumerate(tables):
                counts = table.get(context[len(context) - k :]) if k <= len(context) else 0
                if counts:
                    share = counts[character] / counts.total()
                    value = (1 - leftover) * share + leftover * value if mix else share
            return value

        return p

    return learn


def learn_unnormalized(text):
    counts = Counter(text)
    return lambda context, character: (counts[character] + 1) / len(text) * 1.1


def accuracy_by_lengths(probabilities, tags, mask):
    lengths = mask.sum(axis=1)
    right = probabilities.argmax(-1) == tags
    return np.concatenate([r[:n] for r, n in zip(right, lengths, strict=True)]).mean()


RIGHT = {
    "06b.1": [pad_by_lists],
    "06b.2": [accuracy_by_weights],
    "06b.3": [bits_by_logaddexp],
    "06b.4": [temperature_by_logs],
    "06b.5": [learn_with()],
}

WRONG = {
    "06b.1": [
        (pad_before, "stands before"),
        (pad_keeping_ends, "keep their beginning"),
        (pad_to_longest, "cut the long ones"),
        (pad_with_floats, "integers"),
        (
            lambda lists, length: np.array(pad_by_lists(lists, length)).astype("int8"),
            "eight bits",
        ),
    ],
    "06b.2": [
        (accuracy_unmasked, "Padding is counted"),
        (accuracy_by_all_places, "number of tokens"),
        (accuracy_by_sentence, "mean over sentences"),
        (accuracy_counted, "their share is asked"),
        (lambda p, tags, mask: p.argmax(-1) == tags, "one number"),
        (accuracy_by_lengths, "in front, too"),
    ],
    "06b.3": [
        (lambda logits, ids: bits_by_logaddexp(logits, ids) * np.log(2), "nats"),
        (bits_naive, "subtract the largest"),
        (lambda logits, ids: -bits_by_logaddexp(logits, ids), "sign is missing"),
        (lambda logits, ids: 50 * bits_by_logaddexp(logits, ids), "take the mean"),
        (bits_of_mean, "log of the mean"),
    ],
    "06b.4": [
        (temperature_with(lambda p, T: p ** (1 / T), divide=False), "sum to 1"),
        (temperature_with(lambda p, T: p**T), "sharper"),
        (temperature_with(lambda p, T: np.exp(p / T)), "Softmax wants logits"),
        (temperature_with(lambda p, T: np.exp(np.log(p + 1e-8) / T)), "must keep it"),
    ],
    "06b.5": [
        (learn_with(order=0), "bits per character on new text"),
        (learn_with(mix=False), "probability 0"),
        (learn_unnormalized, "sum to"),
        (lambda text: 0.5, "must return a function"),
    ],
}
