"""Other right answers to chapter 11e's exercises, and typical wrong ones."""

import numpy as np


def right_to_go(rewards, discount):
    n = len(rewards)
    gap = np.arange(n)[None] - np.arange(n)[:, None]
    return np.where(gap >= 0, discount ** np.maximum(gap, 0), 0) @ rewards


def powers(rewards, discount):
    return discount ** np.arange(len(rewards)) * rewards


def right_step(Q, s, a, reward, after, over, rate, discount):
    new = np.array(Q)
    future = 0.0 if over else max(Q[after]) * discount
    new[s, a] = (1 - rate) * Q[s, a] + rate * (reward + future)
    return new


def in_place(Q, s, a, reward, after, over, rate, discount):
    Q[s, a] += rate * (reward + (0 if over else discount * Q[after].max()) - Q[s, a])
    return Q


def right_joint(main, other, known, balance):
    count = np.sum(known)
    first = np.sum(np.where(known, main, 0)) / max(count, 1)
    return first + balance * np.sum(other) / len(other)


def unit(t):
    return t / np.sqrt((t**2).sum(axis=1))[:, None]


def right_recall(a, b, k):
    order = np.argsort(-unit(a) @ unit(b).T, axis=1)[:, :k]
    return sum(i in row for i, row in enumerate(order.tolist())) / len(a)


def rank_of(a, b):
    scores = a @ b.T
    return (scores > np.diag(scores)[:, None]).sum(axis=1)


def right_complete(ratings):
    """Alternating least squares, started from the table with zeros in its holes."""
    known = ~np.isnan(ratings)
    table = np.where(known, ratings, 0)
    u, s, v = np.linalg.svd(table, full_matrices=False)
    users, items = u[:, :2] * s[:2], v[:2].T

    def solve(table, known, theirs):
        squares = np.einsum("ij,jk,jl->ikl", known * 1.0, theirs, theirs)
        right = (table @ theirs)[..., None]
        return np.linalg.solve(squares + 0.1 * np.eye(2), right)[..., 0]

    for _ in range(30):
        users = solve(table, known, items)
        items = solve(table.T, known.T, users)
    return users @ items.T


def item_means(ratings):
    return np.where(np.isnan(ratings), np.nanmean(ratings, axis=0), ratings)


def divided_by_powers(rewards, discount):
    p = discount ** np.arange(len(rewards))
    return np.cumsum((p * rewards)[::-1])[::-1] / p


def best_from_0(Q, s, a, reward, after, over, rate, discount):
    best = 0.0
    for value in Q[after]:
        best = max(best, value)
    new = Q.copy()
    new[s, a] += rate * (reward + (0 if over else discount * best) - Q[s, a])
    return new


RIGHT = {
    "11e.1": [right_to_go],
    "11e.2": [right_step],
    "11e.3": [right_joint],
    "11e.4": [right_recall],
    "11e.5": [right_complete],
}

WRONG = {
    "11e.1": [
        (lambda r, d: np.cumsum(powers(r, d)), "looks back"),
        (lambda r, d: np.cumsum(r[::-1])[::-1], "Nothing is discounted"),
        (lambda r, d: np.cumsum(powers(r, d)[::-1])[::-1], "start anew"),
        (lambda r, d: right_to_go(r, d) - r, "own reward"),
        (lambda r, d: right_to_go(r, d)[0], "should have shape"),
        (divided_by_powers, "go backwards"),
    ],
    "11e.2": [
        (lambda Q, s, a, r, n, o, t, d: right_step(Q, s, a, r, n, False, t, d), "is over"),
        (lambda Q, s, a, r, n, o, t, d: right_step(Q, s, a, r, n, o, t, 1.0), "discounted"),
        (lambda Q, s, a, r, n, o, t, d: right_step(Q, s, a, r, n, o, 1.0, d), "jumps"),
        (in_place, "changed its input Q"),
        (lambda Q, s, a, r, n, o, t, d: r + d * Q[n].max(), "whole table"),
        (best_from_0, "only negative values"),
    ],
    "11e.3": [
        (lambda m, o, k, b: (m * k).mean() + b * o.mean(), "known labels"),
        (lambda m, o, k, b: m.mean() + b * o.mean(), "Missing labels"),
        (lambda m, o, k, b: m[k].mean() + b * o[k].mean(), "all examples"),
        (lambda m, o, k, b: m[k].mean() + o.mean(), "λ is missing"),
        (lambda m, o, k, b: b * m[k].mean() + o.mean(), "belongs"),
        (lambda m, o, k, b: np.divide(m[k].sum(), k.sum()) + b * o.mean(), "NaN"),
    ],
    "11e.4": [
        (lambda a, b, k: np.mean(rank_of(a, b) < k), "length 1"),
        (lambda a, b, k: np.mean(rank_of(unit(b), unit(a)) < k), "from b to a"),
        (lambda a, b, k: np.mean(rank_of(unit(a), unit(b)) <= k), "fewer than k"),
        (lambda a, b, k: np.mean(rank_of(unit(a), unit(b)) < k - 1), "k-th place"),
        (lambda a, b, k: np.sum(rank_of(unit(a), unit(b)) < k), "count"),
    ],
    "11e.5": [
        (item_means, "no better"),
        (lambda r: r, "NaN"),
        (lambda r: np.nan_to_num(r), "no better"),
        (lambda r: r.T, "should have shape"),
        (lambda r: item_means(r) + 1e-9, "no better"),
    ],
}
