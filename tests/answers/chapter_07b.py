"""Chapter 07b: second right solutions, and typical wrong ones with the message they get."""

from functools import cache

import numpy as np

from dl_course import data

# ---------------------------------------------------------------- 07b.1


def bound_by_logaddexp(log_w):
    return [float(np.logaddexp.reduce(row)) - np.log(len(row)) for row in log_w]


def bound_naive(log_w):
    return np.log(np.exp(log_w).mean(axis=1))


def bound_of_sum(log_w):
    return np.logaddexp.reduce(log_w, axis=1)


def bound_off_by(shift):
    def bound(log_w):
        top = shift(log_w)
        return np.log(np.exp(log_w - top).mean(axis=1)) + np.squeeze(top)

    return bound


def bound_with_a_floor(log_w):
    return np.log(np.exp(log_w).mean(axis=1) + 1e-300)


def bound_in_place(log_w):
    top = log_w.max(axis=1, keepdims=True)
    log_w -= top
    return top[:, 0] + np.log(np.exp(log_w).mean(axis=1))


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


def by_normal_distribution(normal, strange, rate):
    from statistics import NormalDist

    return NormalDist(np.mean(normal), np.std(normal)).inv_cdf(1 - rate)


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


def move_to_mean(codes, known, labels, old, new):
    return np.tile(known[labels == new].mean(axis=0), (len(codes), 1))


def move_by_one_number(codes, known, labels, old, new):
    return codes + known[labels == new].mean() - known[labels == old].mean()


def move_off_own_mean(codes, known, labels, old, new):
    return codes + known[labels == new].mean(axis=0) - codes.mean(axis=0)


def move_by_medians(codes, known, labels, old, new):
    step = np.median(known[labels == new], axis=0) - np.median(known[labels == old], axis=0)
    return codes + step


# ---------------------------------------------------------------- 07b.5


def plogp_ratio(a, b, log=np.log2):
    with np.errstate(all="ignore"):
        return np.nansum(a * log(a / b), axis=-1)


def account_by_entropies(q, prior):
    def uncertainty(p):
        return -sum(x * np.log2(x) for x in p if x > 0)

    mixture = q.mean(axis=0)
    carried = uncertainty(mixture) - np.mean([uncertainty(row) for row in q])
    wasted = -sum(m * np.log2(p) for m, p in zip(mixture, prior, strict=True))
    wasted -= uncertainty(mixture)
    return carried + wasted, carried, wasted


def account_with(reduce=np.mean, log=np.log2, order=(0, 1, 2)):
    def account(q, prior):
        mixture = q.mean(axis=0)
        three = (
            reduce(plogp_ratio(q, prior, log)),
            reduce(plogp_ratio(q, mixture, log)),
            plogp_ratio(mixture, prior, log),
        )
        return [three[i] for i in order]

    return account


def account_all_carried(q, prior):
    charged = plogp_ratio(q, prior).mean()
    return charged, charged, 0.0


def account_with_nan(q, prior):
    mixture = q.mean(axis=0)

    def divergence(a, b):
        return np.sum(a * np.log2(a / b), axis=-1)

    charged = divergence(q, prior).mean()
    return charged, divergence(q, mixture).mean(), divergence(mixture, prior)


def account_with_a_floor(q, prior):
    return account_with()(q + 1e-4, prior)


# ---------------------------------------------------------------- 07b.6


def transposed_by_matrix(x, kernel, stride):
    n, k = len(x), len(kernel)
    matrix = np.zeros(((n - 1) * stride + max(k, stride), n))
    for i in range(n):
        for j in range(k):
            matrix[i * stride + j, i] = kernel[j]
    return matrix @ x


def transposed_by_convolve(x, kernel, stride):
    spread = np.zeros(len(x) * stride)
    spread[::stride] = x
    full = np.convolve(spread, kernel)
    return full[: (len(x) - 1) * stride + max(len(kernel), stride)]


def transposed_replacing(x, kernel, stride):
    y = np.zeros((len(x) - 1) * stride + max(len(kernel), stride))
    for i, value in enumerate(x):
        y[i * stride : i * stride + len(kernel)] = value * kernel
    return y


def transposed_turned(x, kernel, stride):
    return transposed_by_matrix(x, kernel[::-1], stride)


def transposed_without_stride(x, kernel, stride):
    return np.convolve(x, kernel)


def transposed_short(x, kernel, stride):
    return transposed_by_matrix(x, kernel, stride)[: len(x) * stride]


def transposed_for_wide_kernels(x, kernel, stride):
    y = np.zeros((len(x) - 1) * stride + len(kernel))
    for i, value in enumerate(x):
        y[i * stride : i * stride + len(kernel)] += value * kernel
    return y


# ---------------------------------------------------------------- 07b.7


def probe_by_sklearn_style(fit, valid, test):
    """Another style: functions for scaling and for weights, the best by a sorted list."""

    def scaled(x):
        return (x - np.mean(fit[0], 0)) / np.std(fit[0], 0)

    def accuracy(w, part):
        return float(np.mean((scaled(part[0]) @ w > 0).astype(int) == part[1]))

    a, targets = scaled(fit[0]), np.where(fit[1] == 1, 1.0, -1.0)
    weights = {
        c: np.linalg.inv(a.T @ a + c * np.eye(a.shape[1])) @ a.T @ targets
        for c in (0.01, 1.0, 100.0, 10_000.0)
    }
    best = sorted(weights, key=lambda c: (-accuracy(weights[c], valid), c))[0]
    return [best, accuracy(weights[best], test)]


def probe_with(seen, chosen, final):
    """seen, chosen, final: which sets (0 fit, 1 valid, 2 test) are used for what."""

    def probe(*sets):
        x = np.concatenate([sets[i][0] for i in seen])
        center, scale = x.mean(axis=0), x.std(axis=0)
        a, y = (sets[0][0] - center) / scale, 2 * sets[0][1] - 1
        best = None
        for c in (0.01, 1.0, 100.0, 10_000.0):
            w = np.linalg.solve(a.T @ a + c * np.eye(a.shape[1]), a.T @ y)
            score = [np.mean(((s[0] - center) / scale @ w > 0) == s[1]) for s in sets]
            if best is None or score[chosen] > best[0]:
                best = score[chosen], c, score[final]
        return best[1:]

    return probe


# ---------------------------------------------------------------- 07b.8


@cache
def black_and_white():
    (train, labels), (test, kinds) = data.mnist()
    train, labels = train[:10_000], labels[:10_000]
    return train.reshape(-1, 784) > 0.5, labels, test.reshape(-1, 784) > 0.5, kinds


@cache
def table(kind="right"):
    """By ranks instead of scikit-learn, or with a slip."""
    train, labels, test, kinds = black_and_white()
    rows = []
    for digit in range(10):
        kept = train if kind == "all" else train[labels != digit]
        kept = test[kinds != digit] if kind == "test" else kept
        p = np.clip(kept.mean(axis=0), 0.001, 0.999)
        cost = -np.where(test, np.log(p), np.log(1 - p)).sum(axis=1)
        rows.append([area(s, kinds == digit) for s in (test.sum(axis=1), cost)])
    return np.array(rows)


def area(scores, strange):
    normal = np.sort(scores[~strange])
    below = np.searchsorted(normal, scores[strange], "left")
    below = below + np.searchsorted(normal, scores[strange], "right")
    return below.mean() / 2 / len(normal)


RIGHT = {
    "07b.1": [bound_by_logaddexp],
    "07b.3": [alarm_by_sorting],
    "07b.4": [move_by_loops],
    "07b.5": [account_by_entropies, account_with()],
    "07b.6": [transposed_by_matrix, transposed_by_convolve],
    "07b.7": [probe_by_sklearn_style],
    "07b.8": [table().tolist()],
}

WRONG = {
    "07b.1": [
        (bound_naive, "off each row's largest"),
        (bound_of_sum, "not the sum"),
        (lambda log_w: log_w.mean(axis=1), "mean of logarithms"),
        (lambda log_w: log_w.max(axis=1), "largest weight"),
        (lambda log_w: np.exp(log_w).mean(axis=1), "The logarithm is missing"),
        (bound_off_by(lambda w: w.max()), "off each row's largest"),
        (bound_off_by(lambda w: w.mean(axis=1, keepdims=True)), "off each row's largest"),
        (bound_off_by(lambda w: w.min(axis=1, keepdims=True)), "off each row's largest"),
        (bound_with_a_floor, "off each row's largest"),
        (bound_in_place, "changed its input"),
    ],
    "07b.3": [
        (alarm_at(lambda n, s, r: np.quantile(n, r)), "the share above"),
        (alarm_at(lambda n, s, r: np.quantile(s, 1 - r)), "looked at strange scores"),
        (alarm_at(lambda n, s, r: np.quantile(np.r_[n, s], 1 - r)), "looked at strange"),
        (alarm_at(from_normal, np.sum), "That is a count"),
        (alarm_at(from_normal, lambda above: 1 - np.mean(above)), "does not ring"),
        (alarm_at(by_normal_distribution), "normal scores ring, not"),
        (alarm_at(lambda n, s, r: n.mean() + n.std() * 1.6), "normal scores ring, not"),
    ],
    "07b.4": [
        (move_backwards, "runs backwards"),
        (move_adding, "Take off"),
        (move_to_mean, "All hands became one"),
        (move_by_one_number, "means over rows only"),
        (move_off_own_mean, "not of `codes`"),
        (move_by_medians, "new mean - old mean"),
    ],
    "07b.5": [
        (account_with(log=np.log), "Those are nats"),
        (account_with(reduce=np.sum), "do not sum"),
        (account_with(order=(0, 2, 1)), "are swapped"),
        (account_all_carried, "not all carried"),
        (account_with_nan, "costs nothing"),
        (account_with_a_floor, "Charged"),
        (lambda q, p: account_with()(np.tile(p, (len(q), 1)), q[0]), "gives inf or NaN"),
    ],
    "07b.6": [
        (transposed_replacing, "must add up"),
        (transposed_turned, "turned around"),
        (transposed_without_stride, "without stride"),
        (transposed_short, "should have shape"),
        (transposed_for_wide_kernels, "should have shape"),
    ],
    "07b.7": [
        (probe_with((0, 1, 2), 2, 2), "Both leaks"),
        (probe_with((0,), 2, 2), "still chosen on `test`"),
        (probe_with((0, 1, 2), 1, 2), "Center and scale still"),
        (probe_with((0, 1), 1, 2), "may come from `fit` only"),
        (probe_with((0,), 0, 2), "chosen on `fit`"),
        (probe_with((0,), 1, 1), "is that on `valid`"),
    ],
    "07b.8": [
        (1 - table(), "are swapped"),
        (table()[:, ::-1], "ink first"),
        (table("all"), "leave it out"),
        (table("test"), "use the training digits"),
        (table().T, "should have shape"),
        (np.round(table(), 2), "Not the AUCs"),
        (np.full((10, 2), 0.5), "Not the AUCs"),
    ],
}
