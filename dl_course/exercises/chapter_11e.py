"""Checks of chapter 11e."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers

# ---------------------------------------------------------------- 11e.1 still to come


def check_to_go(answer, rng):
    for n, discount in (
        (7, rng.uniform(0.5, 0.9)),
        (2000, 0.5),
        (5, 0.0),
        (4, 1.0),
        (1, 0.9),
    ):
        rewards = rng.uniform(0.5, 2, n)
        powers = discount ** np.arange(n)
        right, total = np.zeros(n), 0.0
        for t in reversed(range(n)):
            total = rewards[t] + discount * total
            right[t] = total
        compare(
            call(answer, rewards, discount),
            right,
            {
                "This looks back: the return counts what is still to come.": np.cumsum(
                    powers * rewards
                ),
                "Nothing is discounted: a reward k steps later counts γ^k.": (
                    np.cumsum(rewards[::-1])[::-1]
                ),
                "The discount counts from the start of the game; it should start anew "
                "each step.": np.cumsum((powers * rewards)[::-1])[::-1],
                "The step's own reward is missing.": right - rewards,
                "A power of γ became 0 and something was divided by it: go backwards "
                "instead, step by step.": n > 1000 or discount == 0,
            },
            "It differs from r_t + γ r_{t+1} + γ² r_{t+2} + ...",
        )


# ---------------------------------------------------------------- 11e.2 a step


def check_learn_from(answer, rng):
    for over, shift in ((False, 0), (True, 0), (False, -9), (True, -9)):
        Q = rng.uniform(0.5, 1, (5, 3))
        a = int(rng.integers(3))
        Q[2, (a + 1) % 3] = rng.uniform(2, 3)  # the best move of cell 2 is another one
        Q += shift
        reward, rate, discount = rng.uniform(0.2, 0.9, 3)
        learn_once(answer, Q, a, reward + 3, over, rate, discount)


def learn_once(answer, Q, a, reward, over, rate, discount):
    s = 1

    def step(future, rate=rate):
        new = Q.copy()
        new[s, a] += rate * (reward + future - Q[s, a])
        return new

    best = Q[2].max()
    ending = {
        "The game is over: nothing comes after, so the target is the reward.": (
            step(discount * best)
        )
    }
    going_on = {
        "The best move in the next cell counts, not the same move again.": step(
            discount * Q[2, a]
        ),
        "The future is not discounted.": step(best),
        "It jumps: move by `rate` only.": step(discount * best, rate=1.0),
        "The mean over the next moves is taken, not their maximum.": step(
            discount * Q[2].mean()
        ),
        "The best of only negative values is negative, too: begin from none of them at "
        "0.": step(0) if best < 0 else False,
    }
    got = numbers(call(answer, Q, s, a, reward, 2, over, rate, discount), "The result")
    if got.shape != Q.shape:
        raise Wrong(f"The whole table is expected, {Q.shape}, not {got.shape}.")
    compare(
        got,
        step(0 if over else discount * best),
        ending if over else going_on,
        "The new entry is wrong, or others changed as well.",
    )


# ---------------------------------------------------------------- 11e.3 two losses


def check_joint_loss(answer, rng):
    for n in (12, 5):
        main, other = rng.uniform(1, 2, n), rng.uniform(0.2, 0.8, n)
        known = rng.permutation(np.arange(n) < rng.integers(2, 4))
        balance = rng.uniform(2, 3)
        first, second = main[known].mean(), other.mean()
        compare(
            call(answer, main, other, known, balance),
            first + balance * second,
            {
                "Divide by the number of known labels, not by n.": (
                    (main * known).mean() + balance * second
                ),
                "Missing labels were counted.": main.mean() + balance * second,
                "The second task has labels for all examples: use them.": (
                    first + balance * other[known].mean()
                ),
                "The weight λ is missing.": first + second,
                "λ belongs to the second task's loss.": balance * first + second,
            },
            "It differs from L₁ + λ L₂.",
        )
    compare(
        call(answer, main, other, np.zeros(n, bool), balance),
        balance * second,
        {},
        "Without any known label, L₁ should be 0; the mean of nothing is NaN.",
    )
    compare(
        call(answer, main, other, np.ones(n, bool), balance),
        main.mean() + balance * second,
        {},
        "With all labels known, L₁ is the plain mean.",
    )


# ---------------------------------------------------------------- 11e.4 recall


def towers(rng, n=40):
    """Pairs whose recall differs for cosines, plain products, and the other way."""
    while True:
        b = rng.normal(size=(n, 4))
        a = b + rng.normal(0, 0.8, (n, 4))
        b = b * np.exp(rng.normal(0, 1, (n, 1)))
        k = int(rng.integers(2, 4))
        values = [recall_of(a, b, k), recall_of(b, a, k), products(a, b, k)]
        values += [recall_of(a, b, k + 1), recall_of(a, b, k - 1)]
        if len({round(v * n) for v in values}) == 5:
            return a, b, k, values


def products(a, b, k):
    scores = a @ b.T
    return float(np.mean((scores > np.diag(scores)[:, None]).sum(axis=1) < k))


def recall_of(a, b, k):
    unit = [t / np.linalg.norm(t, axis=1, keepdims=True) for t in (a, b)]
    return products(*unit, k)


def check_recall(answer, rng):
    a, b, k, (right, back, plain, more, less) = towers(rng)
    compare(
        call(answer, a, b, k),
        right,
        {
            "Long rows win: bring all rows to length 1 first.": plain,
            "This searches from b to a.": back,
            "The k best are k, not k + 1: fewer than k may be better.": more,
            "The partner may also be in k-th place.": less,
            "This is a count: divide by the number of rows.": right * len(a),
        },
        f"The recall@{k} is {right:.3f} here.",
    )
    compare(call(answer, a, b, len(a)), 1, {}, "With k as large as n every row is found.")
    compare(call(answer, a, b, 1), recall_of(a, b, 1), {}, "It is wrong for k = 1.")


# ---------------------------------------------------------------- 11e.5 a recommender


def check_complete(answer, rng):
    users, items = 40, 30
    table = rng.normal(1, 1, (users, 2)) @ rng.normal(size=(2, items))
    hidden = rng.random((users, items)) < 0.3
    ratings = np.where(hidden, np.nan, table)
    got = numbers(call(answer, ratings), "The table", table.shape)
    expect(not np.isnan(got).any(), "There are still NaNs in the table.")

    def error(guess):
        return np.sqrt(np.mean((guess - table)[hidden] ** 2))

    means = np.broadcast_to(np.nanmean(ratings, axis=0), table.shape)
    expect(
        error(got) < 0.95 * error(means),
        "For the missing ratings it is no better than each item's mean.",
    )
    expect(
        error(got) < error(means) / 3,
        "It beats the items' means, but by less than a factor of three: use both traits.",
    )


CHECKS = {
    "11e.1": check_to_go,
    "11e.2": check_learn_from,
    "11e.3": check_joint_loss,
    "11e.4": check_recall,
    "11e.5": check_complete,
}
