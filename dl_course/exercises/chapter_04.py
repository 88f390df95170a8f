"""Checks of chapter 04."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 04.1 momentum


def check_momentum_step(answer, rng):
    for shape in ((), (3,), (4, 2)):
        w, g, v = rng.normal(size=(3, *shape))
        rate, beta = rng.uniform(0.01, 0.3), rng.uniform(0.3, 0.95)
        got = parts(
            call(answer, w, g, v, rate, beta), 2, "two things: the new w and the new v"
        )
        new_v = beta * v - rate * g
        swapped = same(got[0], new_v) and same(got[1], w + new_v)
        compare(
            got[1],
            new_v,
            {
                "Return w first, then v.": swapped,
                "That v is a moving average of gradients. A heavy ball adds the whole "
                "step.": beta * v + (1 - beta) * g,
                "The ball rolls uphill: v collects steps, so -learning_rate·g enters "
                "it.": beta * v + rate * g,
            },
            "The new v should be beta·v - learning_rate·g.",
        )
        compare(
            got[0],
            w + new_v,
            {
                "w moves by the new v, not by the old one.": w + v,
                "v is already a step downhill: add it to w.": w - new_v,
                "The gradient is used twice: it is in the new v already.": (
                    w + new_v - rate * g
                ),
            },
            "The new w should be w + v, with the new v.",
        )


# ---------------------------------------------------------------- 04.2 a corrected average


def check_corrected_average(answer, rng):
    for beta, length in ((0.9, 6), (0.5, 4), (0.99, 12), (0.9, 1)):
        values = rng.normal(size=length) + 3
        m, raw = 0.0, []
        for value in values:
            m = beta * m + (1 - beta) * value
            raw.append(m)
        raw, t = np.array(raw), np.arange(1, length + 1)
        fed_back, m = [], 0.0
        for i, value in enumerate(values):
            m = (beta * m + (1 - beta) * value) / (1 - beta ** (i + 1))
            fed_back.append(m)
        got = numbers(call(answer, values, beta), "The result")
        late = raw / (1 - beta ** np.maximum(t - 1, 1))
        compare(
            got,
            raw / (1 - beta**t),
            {
                f"One average after each of the {length} values is expected.": (
                    got.shape != (length,)
                ),
                "The start at 0 still shows: divide by 1 - beta**t.": raw,
                "Divide by 1 - beta**t: the correction fades as t grows.": raw / (1 - beta),
                "Divide by the correction, do not multiply.": raw * (1 - beta**t),
                "t starts at 1: after the first value the correction is 1 - beta.": (
                    got.shape == (length,) and same(got[1:], late[1:])
                ),
                "That is the plain average of all values: it never forgets.": (
                    np.cumsum(values) / t
                ),
                "Keep the uncorrected m for the next step, and correct only what you "
                "report.": fed_back,
            },
            "The averages differ from m / (1 - beta**t).",
        )


# ---------------------------------------------------------------- 04.3 clip


def check_clip_gradients(answer, rng):
    for limit, share in (
        (0.5, 6),
        (2.0, 4),
        (2.0, 0.3),
        (3.0, 0.8),
        (0.5, 1.4),
        (1.0, 1.05),
    ):
        for sizes in (((3, 2), (5,)), ((4,), (2, 2, 2), ())):
            gradients = [np.asarray(rng.normal(size=size)) for size in sizes]
            gradients[0] = gradients[0] / 4  # arrays of different lengths
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            clip_once(answer, [g * share * limit / norm for g in gradients], limit)
    clip_once(answer, [np.zeros((3, 2)), np.zeros(5)], 1.0)


def clip_once(answer, gradients, limit):
    got = call(answer, gradients, limit)
    got = parts(got, len(gradients), "a list with one array for each array given")

    def each(change):
        return all(same(a, change(g)) for a, g in zip(got, gradients, strict=True))

    squares = sum((g**2).sum() for g in gradients)
    norm = np.sqrt(squares)
    if each(lambda g: g * limit / max(norm, limit)):
        return
    expect(norm > 0, "A gradient of zeros should stay zero: is something divided by 0?")
    total = sum(np.linalg.norm(g) for g in gradients)
    mistakes = {
        "Nothing was shortened, though the length is above the limit.": lambda g: g,
        "Each array was shortened by itself. One factor for all keeps the direction.": (
            lambda g: g * min(1, limit / np.linalg.norm(g))
        ),
        "Every component was cut: that bends the direction. Multiply by one factor.": (
            lambda g: np.clip(g, -limit, limit)
        ),
        "Norms do not add. Add the squares, then take one root.": (
            lambda g: g * min(1, limit / total)
        ),
        "The root of the sum of squares is missing.": (
            lambda g: g * min(1, limit / squares)
        ),
    }
    for message, change in mistakes.items():
        expect(not each(change), message)
    raise Wrong(
        "A gradient shorter than the limit should stay as it is."
        if norm < limit
        else "A long gradient should come out with length `limit` and its direction kept: "
        f"its length was {norm / limit:.2f} of the limit."
    )


# ---------------------------------------------------------------- 04.4 a schedule


def check_rate_at(answer, rng):
    for num_steps, warmup, peak in ((100, 20, 0.5), (60, 5, 2.0), (31, 30, 1.0)):

        def right(t, n=num_steps, w=warmup, p=peak):
            done = (t - w) / (n - w)
            return p * t / w if t < w else p * (1 + np.cos(np.pi * done)) / 2

        steps = np.arange(num_steps + 1)
        rates = [call(answer, int(t), num_steps, warmup, peak) for t in steps]
        got = numbers(rates, "The rates", (num_steps + 1,))
        expected = np.array([right(t) for t in steps])
        fall, done = steps >= warmup, (steps - warmup) / (num_steps - warmup)
        whole = peak * (1 + np.cos(np.pi * steps / num_steps)) / 2
        off = int(np.argmax(~np.isclose(got, expected, 1e-6, 1e-6)))

        def falls_as(curve, got=got, fall=fall):
            return same(got[fall], curve[fall])

        compare(
            got,
            expected,
            {
                "The rise is missing: the rate should start at 0 and grow until "
                "warmup_steps.": whole,
                "The rate at step 0 should be 0.": not same(got[0], 0),
                "Before warmup_steps: peak · t / warmup_steps.": (
                    not same(got[~fall], expected[~fall])
                ),
                "The cosine starts at step 0. It should start where the rise ends.": (
                    falls_as(whole)
                ),
                "That is a quarter of a cosine. Half a one, (1 + cos(π·done)) / 2, ends "
                "flat.": falls_as(peak * np.cos(np.pi / 2 * done)),
                "That falls on a straight line. Half a cosine is asked for.": (
                    falls_as(peak * (1 - done))
                ),
                "At step warmup_steps the rate should be the peak.": (
                    not same(got[warmup], peak)
                ),
                "At step num_steps the rate should be 0.": not same(got[-1], 0),
            },
            f"The rate at step {off} of {num_steps} is off.",
        )


# ---------------------------------------------------------------- 04.5 beat the baseline

BUDGET = 300


def check_descend(answer, rng):
    ours, baseline = [], []
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    H = turn * np.logspace(-3, 0, 20) @ turn.T
    for _ in range(30):
        bottom, calls = turn @ (3 * rng.normal(size=20)), [0]

        def gradient(w, bottom=bottom, calls=calls):
            calls[0] += 1
            return H @ (w - bottom) + 0.03 * rng.normal(size=20)

        w = numbers(call(answer, gradient, np.zeros(20)), "The weights", (20,))
        taken = calls[0]
        expect(taken > 0, "The gradient was never asked for.")
        expect(taken <= BUDGET, f"The budget is {BUDGET} gradients; yours took {taken}.")
        ours.append(w - bottom)
        w = np.zeros(20)
        for _ in range(BUDGET):
            w = w - gradient(w)
        baseline.append(w - bottom)
    expect(np.isfinite(ours).all(), "The weights are not finite: the rate is too large.")
    ratio = np.sum(ours @ H * ours) / np.sum(baseline @ H * np.array(baseline))
    less = f"Your loss is {ratio:.2f} of the baseline's; at most 0.7 is asked for. "
    expect(ratio < 2, less + "The steps are too small, or too large, to arrive.")
    expect(ratio < 0.75, less + "Cross the flat directions faster, then calm the noise.")


CHECKS = {
    "04.1": check_momentum_step,
    "04.2": check_corrected_average,
    "04.3": check_clip_gradients,
    "04.4": check_rate_at,
    "04.5": check_descend,
}
