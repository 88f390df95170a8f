"""Checks of chapter 11d."""

import numpy as np

from dl_course.exercises import Wrong, call, compare, numbers, same

# ---------------------------------------------------------------- 11d.1 a sign step


def check_sign_step(answer, rng):
    x = np.array([0.0, 1.0, 0.02, 0.97, *rng.uniform(0.3, 0.7, 6)])
    gradient = rng.uniform(0.1, 0.9, 10) * np.array([-1, 1, -1, 1, 1, -1, 1, -1, 1, 0])
    for s in (rng.uniform(0.05, 0.2), 0.0):
        compare(
            call(answer, x, gradient, s),
            np.clip(x + s * np.sign(gradient), 0, 1),
            {
                "This lowers the loss: the attacker goes up the gradient.": np.clip(
                    x - s * np.sign(gradient), 0, 1
                ),
                "Each pixel should move by s, whatever its gradient's size: take the "
                "sign.": np.clip(x + s * gradient, 0, 1),
                "Pixels leave the range from 0 to 1: clip them.": (
                    x + s * np.sign(gradient)
                ),
                "Where the gradient is 0, nothing is gained: the pixel stays.": np.clip(
                    x + s * np.where(gradient < 0, -1, 1), 0, 1
                ),
            },
            "It differs from clip(x + s sign(gradient), 0, 1).",
        )


# ---------------------------------------------------------------- 11d.2 a guarantee


def check_lowest_margin(answer, rng):
    for y in (1, -1):
        w, x = rng.uniform(0.5, 2, (2, 6)) * rng.permutation(np.repeat([-1, 1], 3))
        b, s = rng.uniform(0.5, 1), rng.uniform(0.1, 0.4)
        margin, drop = y * (w @ x + b), s * np.abs(w).sum()
        compare(
            call(answer, x, y, w, b, s),
            margin - drop,
            {
                "This is the margin without any attack.": margin,
                "This is the highest margin, not the lowest.": margin + drop,
                "Each pixel has its own limit s: the length of w is not the right norm "
                "here.": margin - s * np.linalg.norm(w),
                "For y = -1 the margin is -(w·x + b), and the attacker pushes the other "
                "way.": w @ x + b - drop,
            },
            "It differs from the margin minus s times Σ|w|.",
        )


# ---------------------------------------------------------------- 11d.3 clip and add


def check_clip_and_add(answer, rng):
    d = 5
    for limit in rng.uniform([1.3, 0.5], [2.0, 0.8]):
        for shares in ((2, 4, 3, 0.3, 0.6), (1.5, 1.1, 0.9, 0.95, 0.7), (0.5,), (1.2,)):
            rows = rng.normal(size=(len(shares), d))
            lengths = limit * np.array(shares)[:, None]
            rows *= lengths / np.linalg.norm(rows, axis=1, keepdims=True)
            clip_once(answer, rows, limit)
    got = call(answer, np.zeros((2, d)), limit)
    compare(got, np.zeros(d), {}, "A zero gradient should stay zero, not become NaN.")


def clip_once(answer, rows, limit):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    right = (rows * np.minimum(1, limit / norms)).sum(axis=0)
    total = rows.sum(axis=0)
    compare(
        call(answer, rows, limit),
        right,
        {
            "This is the mean; the sum is asked for.": right / len(rows),
            "Short gradients got longer: only those above the limit change.": (
                (rows * limit / norms).sum(axis=0)
            ),
            "The sum was clipped. Clip each row, then add.": (
                total * min(1, limit / np.linalg.norm(total))
            ),
            "Single numbers were clipped: it is the length of a row that counts.": (
                np.clip(rows, -limit, limit).sum(axis=0)
            ),
            "Nothing was clipped.": total,
        },
        "It differs from the sum of the shortened rows.",
    )


# ---------------------------------------------------------------- 11d.4 how much noise


def check_noise_for(answer, rng):
    cases = [
        (rng.uniform(0.5, 5), 10 ** rng.uniform(-7, -4), int(rng.integers(50, 500))),
        (0.1, 1e-6, 10_000),
        (8.0, 1e-5, 1),
    ]
    for epsilon, delta, num_steps in cases:
        log_term = np.log(1 / delta)
        root = np.sqrt(epsilon + log_term) - np.sqrt(log_term)
        right = np.sqrt(num_steps / 2) / root
        got = numbers(call(answer, epsilon, delta, num_steps), "σ", ())
        with np.errstate(all="ignore"):
            rho = num_steps / (2 * got**2)
            spent = rho + 2 * np.sqrt(rho * log_term)
        compare(
            got,
            right,
            {
                "This is ρ: one step remains, to σ.": root**2,
                "This is σ²: take the root.": right**2,
                "This is enough noise for a single step: costs add up over all of them.": (
                    right / np.sqrt(num_steps)
                ),
                "A noise multiplier is positive.": bool(got <= 0),
            },
            f"With this σ one gets ε = {spent:.3g}, not {epsilon:.3g}.",
            tolerance=1e-5,
        )


# ---------------------------------------------------------------- 11d.5 liars


def check_combine(answer, rng):
    for clients, liars in ((7, 3), (9, 4), (8, 3), (5, 0), (1, 0)):
        middle = rng.uniform(1, 2, 4) * rng.choice([-1, 1], 4)  # longer than 1
        honest = middle + rng.uniform(-0.1, 0.1, (clients - liars, 4))
        push = rng.choice([-1.0, 1], 4)
        lies = [
            honest.mean(axis=0) + push * rng.uniform(0.5, 1, (liars, 4)),
            1e6 * push * rng.uniform(1, 2, (liars, 4)),
            np.tile(-honest.mean(axis=0), (liars, 1)),  # as long as the honest ones
            np.zeros((liars, 4)),
        ]
        for some in lies:
            updates = rng.permutation(np.concatenate([honest, some]))
            result = call(answer, updates)
            got = numbers(result, "The update", (4,))
            single = np.asarray(result).dtype.itemsize < 8
            room = 1e-6 if single else 1e-9
            low, high = honest.min(axis=0) - room, honest.max(axis=0) + room
            if np.all((got >= low) & (got <= high)):
                continue
            if same(got, updates.mean(axis=0)):
                raise Wrong("The plain mean follows the liars anywhere.")
            raise Wrong(
                "A minority of liars moved it out of the range of the honest clients."
                if liars
                else "Where nobody lies, it leaves the range of the clients."
            )


CHECKS = {
    "11d.1": check_sign_step,
    "11d.2": check_lowest_margin,
    "11d.3": check_clip_and_add,
    "11d.4": check_noise_for,
    "11d.5": check_combine,
}
