"""Checks of chapter 11e."""

import numpy as np

from dl_course.exercises import call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 11e.1 still to come


def check_to_go(answer):
    rewards, discount = RNG.uniform(0.5, 2, 7), RNG.uniform(0.5, 0.9)
    powers = discount ** np.arange(7)
    right = np.array([powers[: 7 - t] @ rewards[t:] for t in range(7)])
    got = call(answer, rewards, discount)
    expect(np.shape(got) == (7,), f"Shape (7,) is expected, not {np.shape(got)}.")
    expect(
        not same(got, np.cumsum(powers * rewards)),
        "This looks back: the return counts what is still to come.",
    )
    expect(
        not same(got, np.cumsum(rewards[::-1])[::-1]),
        "Nothing is discounted: a reward k steps later counts γ^k.",
    )
    expect(
        not same(got, np.cumsum((powers * rewards)[::-1])[::-1]),
        "The discount counts from the start of the game; it should start anew each step.",
    )
    expect(
        not same(got, right - rewards),
        "The step's own reward is missing.",
    )
    expect(same(got, right), "It differs from r_t + γ r_{t+1} + γ² r_{t+2} + ...")


# ---------------------------------------------------------------- 11e.2 a step


def check_learn_from(answer):
    for over in (False, True):
        Q = RNG.uniform(0.5, 1, (5, 3))
        Q[2, RNG.integers(3)] = RNG.uniform(2, 3)  # a clear best move of cell 2
        reward, rate, discount = RNG.uniform(0.2, 0.9, 3)
        reward += 3
        s, a = 1, int(RNG.integers(3))
        mine = Q.copy()

        def step(future, rate=rate, Q=mine, s=s, a=a, reward=reward):
            new = Q.copy()
            new[s, a] += rate * (reward + future - Q[s, a])
            return new

        future = discount * mine[2].max()
        right = step(0 if over else future)
        got = call(answer, Q, s, a, reward, 2, over, rate, discount)
        expect(
            np.shape(got) == (5, 3), f"The whole table is expected, not {np.shape(got)}."
        )
        if over:
            expect(
                not same(got, step(future)),
                "The game is over: nothing comes after, so the target is the reward.",
            )
        else:
            expect(
                not same(got, step(discount * mine[2, a])),
                "The best move in the next cell counts, not the same move again.",
            ) if mine[2].argmax() != a else None
            expect(not same(got, step(mine[2].max())), "The future is not discounted.")
            expect(not same(got, step(future, rate=1.0)), "It jumps: move by `rate` only.")
            expect(
                not same(got, step(discount * mine[2].mean())),
                "The mean over the next moves is taken, not their maximum.",
            )
        expect(same(got, right), "The new entry is wrong, or others changed as well.")
    original = Q.copy()
    result = answer(Q, s, a, reward, 2, True, rate, discount)
    expect(
        same(Q, original) and result is not Q, "Your function changed Q itself: copy it."
    )


# ---------------------------------------------------------------- 11e.3 two losses


def check_joint_loss(answer):
    n = 12
    main, other = RNG.uniform(1, 2, n), RNG.uniform(0.2, 0.8, n)
    known = np.arange(n) < RNG.integers(3, 6)
    known = known[RNG.permutation(n)]
    balance = RNG.uniform(2, 3)
    first, second = main[known].mean(), other.mean()
    got = numbers(call(answer, main, other, known, balance), "The loss")
    expect(got.shape == (), "One number is expected.")
    expect(
        not same(got, (main * known).mean() + balance * second),
        "Divide by the number of known labels, not by n.",
    )
    expect(not same(got, main.mean() + balance * second), "Missing labels were counted.")
    expect(
        not same(got, first + balance * other[known].mean()),
        "The second task has labels for all examples: use them.",
    )
    expect(not same(got, first + second), "The weight λ is missing.")
    expect(not same(got, balance * first + second), "λ belongs to the second task's loss.")
    expect(same(got, first + balance * second), "It differs from L₁ + λ L₂.")
    with np.errstate(all="ignore"):
        none = call(answer, main, other, np.zeros(n, bool), balance)
    expect(
        same(none, balance * second),
        "Without any known label, L₁ should be 0; the mean of nothing is NaN.",
    )


# ---------------------------------------------------------------- 11e.4 recall


def towers(n=40):
    """Pairs whose recall differs for cosines, plain products, and the other way."""
    while True:
        b = RNG.normal(size=(n, 4))
        a = b + RNG.normal(0, 0.8, (n, 4))
        b = b * np.exp(RNG.normal(0, 1, (n, 1)))
        k = int(RNG.integers(2, 4))
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


def check_recall(answer):
    a, b, k, (right, back, plain, more, less) = towers()
    got = numbers(call(answer, a, b, k), "The recall")
    expect(got.shape == (), "One number is expected.")
    expect(not same(got, plain), "Long rows win: bring all rows to length 1 first.")
    expect(not same(got, back), "This searches from b to a.")
    expect(not same(got, more), "The k best are k, not k + 1: fewer than k may be better.")
    expect(not same(got, less), "The partner may also be in k-th place.")
    expect(not same(got, right * len(a)), "This is a count: divide by the number of rows.")
    expect(same(got, right), f"The recall@{k} is {right:.3f} here, not {float(got):.3f}.")


# ---------------------------------------------------------------- 11e.5 a recommender


def check_complete(answer):
    users, items = 40, 30
    table = RNG.normal(1, 1, (users, 2)) @ RNG.normal(size=(2, items))
    hidden = RNG.random((users, items)) < 0.3
    ratings = np.where(hidden, np.nan, table)
    got = numbers(call(answer, ratings), "The table")
    expect(got.shape == table.shape, f"Shape {table.shape} is expected, not {got.shape}.")
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
