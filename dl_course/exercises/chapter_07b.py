"""Checks of chapter 07b."""

from functools import cache

import numpy as np
from scipy.signal import upfirdn
from scipy.special import logsumexp
from scipy.stats import entropy

from dl_course import data
from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 07b.1 a tighter bound


def check_tighter_bound(answer, rng):
    log_w = rng.normal(size=(4, 6)) * 2
    right = logsumexp(log_w, axis=1) - np.log(6)
    compare(
        call(answer, log_w),
        right,
        {
            "One bound for each row is expected.": right.mean(),
            "That is the mean of logarithms, the ELBO: take the logarithm of the mean.": (
                log_w.mean(axis=1)
            ),
            "The mean of the weights is asked, not the sum.": right + np.log(6),
            "The logarithm is missing.": np.exp(right),
            "That is the largest weight only.": log_w.max(axis=1),
        },
        "Not the logarithm of the mean weight of each row.",
    )
    far = rng.normal(size=(5, 3)) * 2 + np.array([[-1000], [0], [900], [-5000], [-1000]])
    far[4] = rng.permutation([-1000, -4000, -4003])  # one weight outweighs all
    got = numbers(call(answer, far), "The result")
    expect(
        np.all(np.isfinite(got)),
        "Rows at −1000 beside rows at 900 give inf or NaN: take off each row's largest.",
    )
    right = logsumexp(far, axis=1) - np.log(3)
    compare(got, right, {}, "Rows at −1000 beside rows at 900 give a wrong bound.")
    one = rng.normal(size=(3, 1))
    compare(call(answer, one), one[:, 0], {}, "With one weight a row, that is the bound.")


# ---------------------------------------------------------------- 07b.3 an alarm


def check_alarm(answer, rng):
    for skewed in (False, True):
        alarm_once(answer, rng, skewed)


def alarm_once(answer, rng, skewed):
    """skewed: scores that no normal distribution fits, and few of them strange."""
    normal, strange = rng.normal(size=1001), rng.normal(2.5, 1, size=700)
    rate = float(rng.uniform(0.03, 0.2))
    if skewed:
        normal, strange = -np.exp(1.5 * normal), -np.exp(1.5 * strange[:301] - 4.5)
        rate = float(rng.uniform(0.3, 0.6))
    got = parts(
        call(answer, normal, strange, rate),
        2,
        "two numbers: the threshold, then the share",
    )
    threshold, share = (
        float(numbers(part, name, ()))
        for part, name in zip(got, ("The threshold", "The share"), strict=True)
    )
    rung, right = np.mean(normal > threshold), np.mean(strange > threshold)
    if abs(rung - rate) > 0.003:
        expect(
            not same(threshold, np.quantile(normal, rate)),
            "So almost all normal scores ring: the share above is asked, not below.",
        )
        everything = np.quantile(np.r_[normal, strange], 1 - rate)
        expect(
            not same(threshold, np.quantile(strange, 1 - rate))
            and not same(threshold, everything),
            "The threshold looked at strange scores: it may know normal ones only.",
        )
        hint = " Are these scores normally distributed?" if skewed else ""
        raise Wrong(f"{rung:.1%} of normal scores ring, not {rate:.1%}.{hint}")
    if abs(share - right) > 0.5 / len(strange):
        expect(not same(share, 1 - right), "That is the share that does not ring.")
        expect(
            not same(share, np.sum(strange > threshold)),
            "That is a count: a share is asked.",
        )
        raise Wrong(f"{right:.1%} of the strange scores ring.")


# ---------------------------------------------------------------- 07b.4 another digit


def check_move(answer, rng):
    for sizes in ((6, 9, 7), (1, 2, 12)):
        move_once(answer, rng, sizes)


def move_once(answer, rng, sizes):
    """sizes: how many known codes each of the three classes has."""
    a, b, c = (int(label) for label in rng.permutation(10)[:3])
    labels = rng.permutation(np.repeat([a, b, c], sizes))
    known = rng.normal(size=(len(labels), 4)) + labels[:, None]
    codes = rng.normal(size=(5, 4))
    old, new = (known[labels == digit].mean(axis=0) for digit in (a, b))
    compare(
        call(answer, codes, known, labels, a, b),
        codes + new - old,
        {
            "The walk runs backwards: new minus old mean.": codes + old - new,
            "Take off the mean of the old class, too.": codes + new,
            "Add the mean of the new class, too.": codes - old,
            "All hands became one: keep what differs from the mean.": np.tile(new, (5, 1)),
            "Take means over rows only: each dimension has its own.": (
                codes + known[labels == b].mean() - known[labels == a].mean()
            ),
            "Take off the mean of the old class of the known codes, not of `codes`.": (
                codes + new - codes.mean(axis=0)
            ),
        },
        "codes + new mean - old mean is expected.",
    )


# ---------------------------------------------------------------- 07b.5 the account


def check_account(answer, rng):
    by_hand = np.array([[1.0, 0.0], [0.5, 0.5]])
    tables = [
        (by_hand, np.array([0.25, 0.75])),
        (rng.dirichlet(np.ones(3), size=4), rng.dirichlet(np.full(3, 3.0))),
        (rng.dirichlet(np.full(5, 0.3), size=3), rng.dirichlet(np.full(5, 3.0))),
        (np.eye(3)[rng.permutation(3)], np.full(3, 1 / 3)),
        (rng.dirichlet(np.ones(2), size=1), rng.dirichlet(np.full(2, 3.0))),
    ]
    for q, prior in tables:
        account_once(answer, q, prior)


def account_once(answer, q, prior):
    mixture = q.mean(axis=0)
    charged = entropy(q, np.tile(prior, (len(q), 1)), base=2, axis=1).mean()
    wasted = entropy(mixture, prior, base=2)
    right = np.array([charged, charged - wasted, wasted])
    what = "three numbers: charged, carried, wasted"
    got = np.array([numbers(p, "Each", ()) for p in parts(call(answer, q, prior), 3, what)])
    if same(got, right):
        return
    expect(
        np.all(np.isfinite(got)),
        "A probability of 0 gives inf or NaN: what never happens costs nothing.",
    )
    backwards = entropy(np.tile(prior, (len(q), 1)), q, base=2, axis=1).mean()
    compare(
        got,
        right,
        {
            "Those are nats: a bit is log 2 of them.": right * np.log(2),
            "Average over the images, do not sum.": np.array(
                [len(q) * charged, len(q) * right[1], wasted]
            ),
            "Carried and wasted are swapped.": right[[0, 2, 1]],
            "Charged is right, but it is not all carried: see the mixture of the rows.": (
                same(got[0], charged) and same(got[1], charged)
            ),
            "The divergence is not symmetric: log of q over the prior, weighed by q.": (
                bool(np.isfinite(backwards)) and same(got[0], backwards)
            ),
            "Charged is right; carried or wasted is not.": same(got[0], charged),
        },
        "Charged is not the mean KL divergence of the rows from the prior, in bits.",
    )


# ------------------------------------------------ 07b.6 a transposed convolution


def check_transposed(answer, rng):
    cases = [(4, 3, 2), (3, 2, 3), (5, 4, 2), (1, 3, 2), (4, 3, 1), (2, 5, 3), (3, 1, 1)]
    for n, k, stride in cases:
        transposed_once(answer, rng, n, k, stride)


def transposed_once(answer, rng, n, k, stride):
    x, kernel = rng.normal(size=n), rng.normal(size=k)
    size = (n - 1) * stride + max(k, stride)

    def of(x, kernel):
        full = upfirdn(kernel, x, up=stride)
        return np.r_[full, np.zeros(size)][:size]

    right, last = of(x, kernel), np.zeros(size)
    for i, value in enumerate(x):
        last[i * stride : i * stride + k] = value * kernel
    told = f"With {n} inputs, a kernel of {k} and stride {stride}: "
    compare(
        call(answer, x, kernel, stride),
        right,
        {
            told + "copies that overlap must add up, not replace each other.": last,
            told + "the kernel came out turned around.": of(x, kernel[::-1]),
            told + "that is without stride.": np.convolve(x, kernel),
        },
        told + "input i writes x[i] · kernel from place i · stride on.",
    )


# ---------------------------------------------------------------- 07b.7 find the leak

PENALTIES = (0.01, 1.0, 100.0, 10_000.0)


def ridge_probe(fit, valid, test, *, center_of=None, choose_on=None, final=None):
    """(penalty, accuracy) of the honest probe, or with a slip for each keyword."""
    seen = fit[0] if center_of is None else center_of
    choose_on = valid if choose_on is None else choose_on
    center, scale = seen.mean(axis=0), seen.std(axis=0)
    a, best = (fit[0] - center) / scale, None
    for penalty in PENALTIES:
        w = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (2 * fit[1] - 1))
        score = np.mean(((choose_on[0] - center) / scale @ w > 0) == choose_on[1])
        if best is None or score > best[0]:
            best = score, penalty, w
    test = test if final is None else final
    return best[1], np.mean(((test[0] - center) / scale @ best[2] > 0) == test[1])


def check_honest_probe(answer, rng):
    for turned in (False, True) * 4:
        honest_once(answer, rng, turned)


def honest_once(answer, rng, turned):
    """turned: validation and test digits want different penalties."""
    sets = probe_sets(rng, turned)
    fit, valid, test = sets
    right = ridge_probe(*sets)
    joined = np.concatenate([part[0] for part in sets])
    got = parts(call(answer, *sets), 2, "two numbers: the penalty, then the accuracy")
    penalty, accuracy = (
        numbers(part, name, ())
        for part, name in zip(got, ("The penalty", "The accuracy"), strict=True)
    )
    got = np.array([penalty, accuracy])
    slips = {
        "Both leaks are still there: what is learned from `test` before the end?": (
            {"center_of": joined, "choose_on": test}
        ),
        "The penalty is still chosen on `test`.": {"choose_on": test},
        "Center and scale still come from all data: a new picture could not be scaled.": (
            {"center_of": joined}
        ),
        "Center and scale may come from `fit` only; `valid` stands for unseen data.": (
            {"center_of": np.concatenate([fit[0], valid[0]])}
        ),
        "The penalty is chosen on `fit`, where the smallest always looks best.": (
            {"choose_on": fit}
        ),
        "The accuracy is that on `valid`: report the one on `test`.": {"final": valid},
    }
    compare(
        got,
        np.array(right),
        {text: np.array(ridge_probe(*sets, **slip)) for text, slip in slips.items()},
        "Fit on `fit`, choose on `valid`, report on `test`, and keep everything else.",
        tolerance=1e-9,
    )


def probe_sets(rng, turned):
    """Three sets on which each leak changes penalty or accuracy."""
    while True:
        direction = rng.normal(size=12)
        sets = []
        for n, shift in ((14, 0.0), (80, 1.0), (90, -2.5)):
            x = rng.normal(size=(n, 12)) * rng.uniform(0.5, 2, 12) + shift
            noise = rng.normal(size=n) * (4 if n == 14 else 1)
            y = ((x - shift) @ direction + noise > 0).astype(int)
            sets.append((x, 1 - y if turned and n == 90 else y))
        fit, valid, test = sets
        if not 3 <= fit[1].sum() <= 11:
            continue
        joined = np.concatenate([part[0] for part in sets])
        two = np.concatenate([fit[0], valid[0]])
        wrong = [
            ridge_probe(*sets, **slip)
            for slip in (
                {"choose_on": test},
                {"center_of": joined},
                {"center_of": joined, "choose_on": test},
                {"center_of": two},
                {"choose_on": fit},
                {"final": valid},
            )
        ]
        if len({ridge_probe(*sets), *wrong}) == 7:  # no two of them look alike
            return sets


# ------------------------------------------------ 07b.8 ten alarms without a model


@cache
def ink_of_digits():
    return [
        ((x[:10_000].reshape(-1, 784) > 0.5).astype("float32"), y[:10_000])
        for x, y in data.mnist()
    ]


@cache
def alarms(kind="right"):
    """(10, 2): AUC of ink and of the mean image's cost, or with a slip named by `kind`."""
    from sklearn.metrics import roc_auc_score

    (train, labels), (test, kinds) = ink_of_digits()
    table = np.empty((10, 2))
    for digit in range(10):
        if kind == "test":
            seen = test[kinds != digit]
        else:
            seen = {
                "right": train[labels != digit],
                "all": train,
                "only": train[labels == digit],
            }[kind]
        p = np.clip(seen.mean(axis=0), 0.001, 0.999)
        cost = -(test @ np.log(p) + (1 - test) @ np.log(1 - p))
        table[digit] = [
            roc_auc_score(kinds == digit, score) for score in (test.sum(axis=1), cost)
        ]
    return table


def check_ten_alarms(answer, rng):
    got = numbers(answer, "The table", (10, 2))
    right = alarms()
    if same(got, right, 5e-4):
        return
    close = 5e-4
    compare(
        got,
        right,
        {
            "Normal and strange are swapped: each AUC is 1 minus what it should be.": (
                1 - right
            ),
            "The columns are swapped: ink first, then the mean image.": right[:, ::-1],
            "The mean image has seen the strange digit: leave it out.": alarms("all"),
            "The mean image is that of the strange digit: take that of the others.": (
                alarms("only")
            ),
            "The mean image is made of test digits: use the training digits.": (
                alarms("test")
            ),
            "The ink is right, the cost of the mean image is not.": same(
                got[:, 0], right[:, 0], close
            ),
            "The cost of the mean image is right, the ink is not.": same(
                got[:, 1], right[:, 1], close
            ),
        },
        "Not the AUCs of ink (gray above ½) and of the mean image's cost on test digits.",
        tolerance=close,
    )


CHECKS = {
    "07b.1": check_tighter_bound,
    "07b.3": check_alarm,
    "07b.4": check_move,
    "07b.5": check_account,
    "07b.6": check_transposed,
    "07b.7": check_honest_probe,
    "07b.8": check_ten_alarms,
}
