"""Chapter 07b: second right solutions, and typical wrong ones with the message they get."""

import numpy as np


def kl(mean, log_variance):
    return (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(axis=1) / 2


# ---------------------------------------------------------------- 07b.1


def bound_by_logaddexp(log_w):
    return [float(np.logaddexp.reduce(row)) - np.log(len(row)) for row in log_w]


def bound_naive(log_w):
    return np.log(np.exp(log_w).mean(axis=1))


def bound_of_sum(log_w):
    return np.logaddexp.reduce(log_w, axis=1)


# ---------------------------------------------------------------- 07b.2


def bits_by_log2(mean, log_variance):
    return float(np.mean(kl(mean, log_variance) * np.log2(np.e)))


# ---------------------------------------------------------------- 07b.3


def alarm_by_sorting(normal, strange, false_alarms):
    threshold = np.sort(normal)[::-1][round(false_alarms * len(normal))]
    return [threshold, sum(s > threshold for s in strange) / len(strange)]


def alarm_at(quantile, share=lambda above: np.mean(above)):
    def alarm(normal, strange, false_alarms):
        threshold = quantile(normal, strange, false_alarms)
        return threshold, share(strange > threshold)

    return alarm


def from_normal(normal, strange, rate):
    return np.quantile(normal, 1 - rate)


# ---------------------------------------------------------------- 07b.4


def move_by_loops(codes, known, labels, old, new):
    step = np.mean([c for c, k in zip(known, labels, strict=True) if k == new], axis=0)
    step = step - np.mean(
        [c for c, k in zip(known, labels, strict=True) if k == old], axis=0
    )
    return [code + step for code in codes]


def move_backwards(codes, known, labels, old, new):
    return move_by_loops(codes, known, labels, new, old)


def move_adding(codes, known, labels, old, new):
    return codes + known[labels == new].mean(axis=0)


def move_to_average(codes, known, labels, old, new):
    return np.tile(known[labels == new].mean(axis=0), (len(codes), 1))


def move_by_one_number(codes, known, labels, old, new):
    return codes + known[labels == new].mean() - known[labels == old].mean()


RIGHT = {
    "07b.1": [bound_by_logaddexp],
    "07b.2": [bits_by_log2],
    "07b.3": [alarm_by_sorting],
    "07b.4": [move_by_loops],
}

WRONG = {
    "07b.1": [
        (bound_naive, "exp underflowed"),
        (bound_of_sum, "not the sum"),
        (lambda log_w: log_w.mean(axis=1), "mean of logarithms"),
        (lambda log_w: log_w.max(axis=1), "largest weight"),
        (lambda log_w: np.exp(log_w).mean(axis=1), "The logarithm is missing"),
    ],
    "07b.2": [
        (lambda m, v: kl(m, v).mean(), "Those are nats"),
        (lambda m, v: kl(m, v).mean() * np.log(2), "do not multiply"),
        (lambda m, v: kl(m, v).sum() / np.log(2), "do not sum"),
        (lambda m, v: kl(m, v) / np.log(2), "one number"),
    ],
    "07b.3": [
        (alarm_at(lambda n, s, r: np.quantile(n, r)), "the share above"),
        (alarm_at(lambda n, s, r: np.quantile(s, 1 - r)), "looked at strange scores"),
        (alarm_at(lambda n, s, r: np.quantile(np.r_[n, s], 1 - r)), "looked at strange"),
        (alarm_at(from_normal, np.sum), "That is a count"),
        (alarm_at(from_normal, lambda above: 1 - np.mean(above)), "does not ring"),
    ],
    "07b.4": [
        (move_backwards, "runs backwards"),
        (move_adding, "Take off"),
        (move_to_average, "All hands became one"),
        (move_by_one_number, "Average over rows only"),
    ],
}
