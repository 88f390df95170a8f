"""Checks of chapter 08."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same


def sigmoid(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)


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


# ---------------------------------------------------------------- 08.6 the hinge game


def check_hinge(answer, rng):
    for n in (6, 3, 11):
        p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
        q[0] = 0  # only real ones there
        q[1:-1] *= (1 - p[-1]) / q[1:-1].sum()
        q[-1] = p[-1]  # as often real as generated
        got = parts(call(answer, p, q), 2, "two values: h at each point, then the loss")
        h = numbers(got[0], "h", (n,))
        tries = np.linspace(-1, 1, 201)[:, None]  # brute force, at each point alone
        costs = p * np.maximum(0, 1 - tries) + q * np.maximum(0, 1 + tries)
        best = tries[costs.argmin(axis=0), 0] * (p != q)
        left = costs.min(axis=0).sum()
        compare(
            h,
            best,
            {
                "h is reversed: it should be high where real ones are commoner.": -best,
                "This is the best probability of section 1; the hinge loss has another "
                "best answer.": p / (p + q),
                "A straight line is lowest at one of its ends.": p - q,
                "Where p equals q, h should be 0.": np.where(p >= q, 1.0, -1.0),
                "Where p equals q, h should be 0: not -1.": np.where(p > q, 1.0, -1.0),
            },
            "h is not the best answer at every point.",
        )
        compare(
            numbers(got[1], "The loss", ()),
            left,
            {
                "This is half of the loss: at h = ±1 the larger hinge is 2.": left / 2,
                "Sum over the points, do not average: the shares are weights.": left / n,
                "This is the gain over h = 0; the loss that is left was asked.": 2 - left,
                "That is the loss of the worst answer.": 4 - left,
            },
            "The loss that is left is wrong.",
        )


# ---------------------------------------------------------------- 08.7 a wrong penalty


def check_penalty(answer, rng):
    import tensorflow as tf

    for shape in ((5, 3), (4, 6, 6, 2), (1, 7), (9, 1)):
        x = rng.normal(size=shape).astype("float32")
        w = rng.normal(size=shape[1:]).astype("float32")
        gamma = float(rng.uniform(0.5, 4))
        axes = tuple(range(1, len(shape)))

        def discriminator(x, w=w, axes=axes, **_):  # ℓ = Σ w x + ½ Σ x²: its slope is w + x
            return tf.reduce_sum(w * x + x**2 / 2, axis=axes)[:, None]

        each = np.sum((w + x) ** 2, axis=axes)
        right, n, size = gamma / 2 * each.mean(), shape[0], x[0].size
        got = call(answer, discriminator, tf.constant(x), gamma)
        if tf.is_tensor(got):
            got = got.numpy()
        got = numbers(got, "The penalty", ())
        if np.isclose(got, right, rtol=1e-3):
            continue
        mistakes = {
            "Both mistakes are still there.": right / n**2 / size,
            "One mistake is left: the gradient of the mean has the factor 1/batch.": (
                right / n**2
            ),
            "One mistake is left: sum a sample's own squares, do not average them.": (
                right / size
            ),
            "Average over the samples: this is their sum.": right * n,
            "The slope must be squared.": gamma / 2 * np.sqrt(each).mean(),
            "The factor is γ/2.": 2 * right,
            "This is the slope of the mean, squared; each sample has a slope of its own.": (
                gamma / 2 * np.sum(np.mean(w + x, axis=0) ** 2)
            ),
        }
        for message, value in mistakes.items():
            if np.isclose(got, value, rtol=1e-3) and not np.isclose(
                value, right, rtol=1e-2
            ):
                raise Wrong(message)
        raise Wrong("It is not γ/2 times the mean over samples of the squared slope.")


# ---------------------------------------------------------------- 08.8 the best penalty


def check_best_penalty(answer, rng):
    got = parts(call(answer), 3, "three values: the best γ, two distances")
    best, control, strong = (float(numbers(value, "A value", ())) for value in got)

    def shrunk(gamma, slope):
        point = start = np.array([0.01, 0.01])
        for _ in range(100):
            theta, psi = point
            s = slope(psi * theta)
            point = np.array([theta + 0.2 * psi * s, psi - 0.2 * (theta * s + gamma * psi)])
        return np.linalg.norm(point) / np.linalg.norm(start)

    right = shrunk(0, sigmoid), shrunk(4, sigmoid)
    if same((control, strong), right[::-1], tolerance=0.02):
        raise Wrong("The two distances are swapped: the control, γ = 0, comes first.")
    start = 0.01 * np.sqrt(2)
    if same((control, strong), (right[0] * start, right[1] * start), tolerance=0.02):
        raise Wrong("Divide the distances at the end by the distance at the start.")
    expect(
        control > 1,
        "With γ = 0 both players who step at the same time move away from the goal: "
        "compare your control with section 3.",
    )
    compare(
        (control,),
        right[:1],
        {},
        "The control is off: 100 steps, rate 0.2?",
        tolerance=0.02,
    )
    compare((strong,), right[1:], {}, "The distance with γ = 4 is off.", tolerance=0.02)
    expect(best < 3.5, "The largest γ is not the best one: plot the distance over γ.")
    expect(best > 0.5, "A larger γ than this one comes nearer within 100 steps.")
    # 1 is best in the long run; after 100 steps the swing may favor a little less
    expect(0.75 <= best <= 1.1, "Another γ between 0 and 4 comes nearer.")


CHECKS = {
    "08.4": check_both_step,
    "08.5": check_estimate,
    "08.6": check_hinge,
    "08.7": check_penalty,
    "08.8": check_best_penalty,
}
