"""Checks of chapter 04."""

import numpy as np

from dl_course.exercises import call, expect, same


def momentum_step(answer):
    rng = np.random.default_rng()
    for shape in ((), (3,), (4, 2)):
        w, g, v = rng.normal(size=(3, *shape))
        rate, beta = rng.uniform(0.01, 0.3), rng.uniform(0.3, 0.95)
        got = call(answer, w, g, v, rate, beta)
        expect(
            isinstance(got, tuple | list) and len(got) == 2,
            "Return two things: the new w and the new v.",
        )
        new_v = beta * v - rate * g
        expect(
            not same(got[1], beta * v + (1 - beta) * g),
            "That v is a moving average of gradients. A heavy ball adds the whole step.",
        )
        expect(
            not same(got[1], beta * v + rate * g),
            "The ball rolls uphill: v collects steps, so -learning_rate·g enters it.",
        )
        expect(not same(got[0], new_v) or same(w, 0), "Return w first, then v.")
        expect(same(got[1], new_v), "The new v should be beta·v - learning_rate·g.")
        expect(not same(got[0], w + v), "w moves by the new v, not by the old one.")
        expect(not same(got[0], w - new_v), "v is already a step downhill: add it to w.")
        expect(
            not same(got[0], w + new_v - rate * g),
            "The gradient is used twice: it is in the new v already.",
        )
        expect(same(got[0], w + new_v), "The new w should be w + v, with the new v.")


def corrected_average(answer):
    rng = np.random.default_rng()
    for beta, length in ((0.9, 6), (0.5, 4), (0.99, 12)):
        values = rng.normal(size=length) + 3
        got = call(answer, values, beta)
        m, raw = 0.0, []
        for value in values:
            m = beta * m + (1 - beta) * value
            raw.append(m)
        raw, t = np.array(raw), np.arange(1, length + 1)
        expect(
            np.shape(got) == (length,),
            f"One average after each of the {length} values is expected, got shape "
            f"{np.shape(got)}.",
        )
        expect(not same(got, raw), "The start at 0 still shows: divide by 1 - beta**t.")
        expect(
            not same(got, raw / (1 - beta)),
            "Divide by 1 - beta**t: the correction fades as t grows.",
        )
        expect(
            not same(got, raw * (1 - beta**t)), "Divide by the correction, do not multiply."
        )
        expect(
            not same(np.asarray(got)[1:], (raw / (1 - beta ** np.maximum(t - 1, 1)))[1:]),
            "t starts at 1: after the first value the correction is 1 - beta.",
        )
        expect(
            not same(got, np.cumsum(values) / t),
            "That is the plain average of all values: it never forgets.",
        )
        fed_back, m = [], 0.0
        for i, value in enumerate(values):
            m = (beta * m + (1 - beta) * value) / (1 - beta ** (i + 1))
            fed_back.append(m)
        expect(
            not same(got, fed_back),
            "Keep the uncorrected m for the next step, and correct only what you report.",
        )
        expect(
            same(got, raw / (1 - beta**t)), "The averages differ from m / (1 - beta**t)."
        )


def clip_gradients(answer):
    rng = np.random.default_rng()
    for limit in (0.5, 2.0):
        gradients = [rng.normal(size=(3, 2)), 4 * rng.normal(size=5)]
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        got = _two(call(answer, gradients, limit), gradients)

        def each(change, got=got, gradients=gradients):
            return all(same(a, change(g)) for a, g in zip(got, gradients, strict=True))

        expect(
            not each(lambda g, c=limit: g * min(1, c / np.linalg.norm(g))),
            "Each array was shortened by itself. One factor for all keeps the direction.",
        )
        expect(
            not each(lambda g, c=limit: np.clip(g, -c, c)),
            "Every component was cut: that bends the direction. Multiply by one factor.",
        )
        total = sum(np.linalg.norm(g) for g in gradients)
        expect(
            not each(lambda g, c=limit, n=total: g * c / n),
            "Norms do not add. Add the squares, then take one root.",
        )
        expect(
            not each(lambda g, c=limit, n=norm: g * c / n**2),
            "The root of the sum of squares is missing.",
        )
        expect(
            each(lambda g, c=limit, n=norm: g * c / n),
            "A long gradient should come out with length `limit` and its direction kept.",
        )
        short = [g * 0.3 * limit / norm for g in gradients]
        got = _two(call(answer, short, limit), short)
        expect(
            all(same(a, b) for a, b in zip(got, short, strict=True)),
            "A gradient shorter than the limit should stay as it is.",
        )
        zeros = [np.zeros_like(g) for g in gradients]
        got = _two(call(answer, zeros, limit), zeros)
        expect(
            all(same(a, b) for a, b in zip(got, zeros, strict=True)),
            "A gradient of zeros should stay zero: is something divided by 0?",
        )


def _two(got, gradients):
    expect(
        isinstance(got, list | tuple) and len(got) == len(gradients),
        "Return a list with one array for each array given.",
    )
    return got


def rate_at(answer):
    for num_steps, warmup, peak in ((100, 20, 0.5), (60, 5, 2.0)):

        def rate(t, n=num_steps, w=warmup, p=peak):
            done = (t - w) / (n - w)
            return p * t / w if t < w else p * (1 + np.cos(np.pi * done)) / 2

        def got(t, n=num_steps, w=warmup, p=peak):
            return call(answer, t, n, w, p)

        rise, middle = warmup // 2, (warmup + num_steps) // 2
        expect(
            not same(got(rise), peak * (1 + np.cos(np.pi * rise / num_steps)) / 2),
            "The rise is missing: the rate should start at 0 and grow until warmup_steps.",
        )
        expect(same(got(0), 0), "The rate at step 0 should be 0.")
        expect(same(got(rise), rate(rise)), "Before warmup_steps: peak · t / warmup_steps.")
        expect(
            not same(got(middle), peak * (1 + np.cos(np.pi * middle / num_steps)) / 2),
            "The cosine starts at step 0. It should start where the rise ends.",
        )
        expect(
            not same(
                got(middle),
                peak * np.cos(np.pi / 2 * (middle - warmup) / (num_steps - warmup)),
            ),
            "That is a quarter of a cosine. Half a one, (1 + cos(π·done)) / 2, ends flat.",
        )
        expect(
            not same(got(middle), peak * (num_steps - middle) / (num_steps - warmup))
            or same(got(middle + 7), rate(middle + 7)),
            "That falls on a straight line. Half a cosine is asked for.",
        )
        expect(same(got(warmup), peak), "At step warmup_steps the rate should be the peak.")
        expect(same(got(num_steps), 0), "At step num_steps the rate should be 0.")
        for t in range(num_steps + 1):
            expect(same(got(t), rate(t)), f"The rate at step {t} of {num_steps} is off.")


BUDGET = 300


def descend(answer):
    rng, ours, baseline = np.random.default_rng(), [], []
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    H = turn * np.logspace(-3, 0, 20) @ turn.T
    for _ in range(30):
        bottom, calls = turn @ (3 * rng.normal(size=20)), [0]

        def gradient(w, bottom=bottom, calls=calls):
            calls[0] += 1
            return H @ (w - bottom) + 0.03 * rng.normal(size=20)

        w = call(answer, gradient, np.zeros(20))
        expect(np.shape(w) == (20,), f"Return weights of shape (20,), got {np.shape(w)}.")
        taken = calls[0]
        expect(taken > 0, "The gradient was never asked for.")
        expect(taken <= BUDGET, f"The budget is {BUDGET} gradients; yours took {taken}.")
        ours.append(np.asarray(w, float) - bottom)
        w = np.zeros(20)
        for _ in range(BUDGET):
            w = w - gradient(w)
        baseline.append(w - bottom)
    expect(np.isfinite(ours).all(), "The weights are not finite: the rate is too large.")
    ratio = np.sum(ours @ H * ours) / np.sum(baseline @ H * np.array(baseline))
    less = f"Your loss is {ratio:.2f} of the baseline's; at most 0.7 is asked for. "
    expect(ratio < 2, less + "The steps are too small, or too large, to arrive.")
    expect(ratio < 0.7, less + "Cross the flat directions faster, then calm the noise.")


CHECKS = {
    "04.1": momentum_step,
    "04.2": corrected_average,
    "04.3": clip_gradients,
    "04.4": rate_at,
    "04.5": descend,
}
