"""Checks of chapter 11d."""

import numpy as np

from dl_course.exercises import call, expect, numbers, same

RNG = np.random.default_rng()  # fresh inputs on every call


# ---------------------------------------------------------------- 11d.1 a sign step


def check_sign_step(answer):
    x = np.array([0.0, 1.0, 0.02, 0.97, *RNG.uniform(0.3, 0.7, 6)])
    gradient = RNG.uniform(0.1, 0.9, 10) * np.array([-1, 1, -1, 1, 1, -1, 1, -1, 1, 0])
    s = RNG.uniform(0.05, 0.2)
    got = call(answer, x, gradient, s)
    right = np.clip(x + s * np.sign(gradient), 0, 1)
    expect(
        not same(got, np.clip(x - s * np.sign(gradient), 0, 1)),
        "This lowers the loss: the attacker goes up the gradient.",
    )
    expect(
        not same(got, np.clip(x + s * gradient, 0, 1)),
        "Each pixel should move by s, whatever its gradient's size: take the sign.",
    )
    expect(
        not same(got, x + s * np.sign(gradient)),
        "Pixels leave the range from 0 to 1: clip them.",
    )
    expect(same(got, right), "It differs from clip(x + s sign(gradient), 0, 1).")


# ---------------------------------------------------------------- 11d.2 a guarantee


def check_lowest_margin(answer):
    for y in (1, -1):
        w, x = RNG.uniform(0.5, 2, (2, 6)) * RNG.choice([-1, 1], (2, 6))
        b, s = RNG.uniform(0.5, 1), RNG.uniform(0.1, 0.4)
        got = call(answer, x, y, w, b, s)
        margin, drop = y * (w @ x + b), s * np.abs(w).sum()
        expect(not same(got, margin), "This is the margin without any attack.")
        expect(not same(got, margin + drop), "This is the highest margin, not the lowest.")
        expect(
            not same(got, margin - s * np.linalg.norm(w)),
            "Each pixel has its own limit s: the length of w is not the right norm here.",
        )
        expect(
            y == 1 or not same(got, w @ x + b - drop),
            "For y = -1 the margin is -(w·x + b), and the attacker pushes the other way.",
        )
        expect(same(got, margin - drop), "It differs from the margin minus s times Σ|w|.")


# ---------------------------------------------------------------- 11d.3 clip and add


def check_clip_and_add(answer):
    limit, d = RNG.uniform(0.5, 2), 5
    long, short = RNG.normal(size=(2, 4, d))
    long *= limit * RNG.uniform(2, 4, (4, 1)) / np.linalg.norm(long, axis=1, keepdims=True)
    short *= (
        limit * RNG.uniform(0.3, 0.6, (4, 1)) / np.linalg.norm(short, axis=1, keepdims=True)
    )
    rows = np.concatenate([long, short])
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    right = (rows * np.minimum(1, limit / norms)).sum(axis=0)
    got = call(answer, rows, limit)
    total = rows.sum(axis=0)
    expect(not same(got, right / len(rows)), "This is the mean; the sum is asked for.")
    expect(
        not same(got, (rows * limit / norms).sum(axis=0)),
        "Short gradients got longer: only those above the limit change.",
    )
    expect(
        not same(got, total * min(1, limit / np.linalg.norm(total))),
        "The sum was clipped. Clip each row, then add.",
    )
    expect(
        not same(got, np.clip(rows, -limit, limit).sum(axis=0)),
        "Single numbers were clipped: it is the length of a row that counts.",
    )
    expect(not same(got, total), "Nothing was clipped.")
    expect(same(got, right), "It differs from the sum of the shortened rows.")
    with np.errstate(all="ignore"):
        zero = call(answer, np.zeros((2, d)), limit)
    expect(same(zero, np.zeros(d)), "A zero gradient should stay zero, not become NaN.")


# ---------------------------------------------------------------- 11d.4 how much noise


def check_noise_for(answer):
    epsilon, delta = RNG.uniform(0.5, 5), 10 ** RNG.uniform(-7, -4)
    num_steps = int(RNG.integers(50, 500))
    root = np.sqrt(epsilon + np.log(1 / delta)) - np.sqrt(np.log(1 / delta))
    right = np.sqrt(num_steps / 2) / root
    got = numbers(call(answer, epsilon, delta, num_steps), "σ")
    expect(got.shape == (), "One number is expected.")
    expect(not same(got, root**2), "This is ρ: one step remains, to σ.")
    expect(not same(got, right**2), "This is σ²: take the root.")
    expect(
        not same(got, right / np.sqrt(num_steps)),
        "This is enough noise for a single step: costs add up over all of them.",
    )
    expect(got > 0, "A noise multiplier is positive.")
    rho = num_steps / (2 * got**2)
    spent = rho + 2 * np.sqrt(rho * np.log(1 / delta))
    expect(
        same(spent, epsilon, 1e-5),
        f"With this σ one gets ε = {spent:.3g}, not {epsilon:.3g}.",
    )


# ---------------------------------------------------------------- 11d.5 liars


def check_combine(answer):
    for clients, liars in ((7, 3), (9, 4), (8, 3)):
        middle = RNG.uniform(1, 2, 4) * RNG.choice([-1, 1], 4)  # longer than 1
        honest = middle + RNG.uniform(-0.1, 0.1, (clients - liars, 4))
        push = RNG.choice([-1.0, 1], 4)
        small = honest.mean(axis=0) + push * RNG.uniform(0.5, 1, (liars, 4))
        for lies in (small, 1e6 * push * RNG.uniform(1, 2, (liars, 4))):
            updates = RNG.permutation(np.concatenate([honest, lies]))
            got = numbers(call(answer, updates), "The update")
            expect(got.shape == (4,), f"Shape (4,) is expected, not {got.shape}.")
            expect(
                not same(got, updates.mean(axis=0)),
                "The plain mean follows the liars anywhere.",
            )
            inside = (got >= honest.min(axis=0) - 1e-9) & (got <= honest.max(axis=0) + 1e-9)
            expect(
                inside.all(),
                "A minority of liars moved it out of the range of the honest clients.",
            )


CHECKS = {
    "11d.1": check_sign_step,
    "11d.2": check_lowest_margin,
    "11d.3": check_clip_and_add,
    "11d.4": check_noise_for,
    "11d.5": check_combine,
}
