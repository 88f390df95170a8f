"""Answers to the exercises of chapter 04: other right ones, and typical wrong ones."""

import math
import statistics

import numpy as np

from dl_course import optimizers as o

# ---------------------------------------------------------------- 04.7, 04.8


def rmsprop_other(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
    g = np.asarray(g, dtype=float)
    old = memory["squares"] if "squares" in memory else np.zeros_like(g)
    squares = old + (1 - rho) * (np.square(g) - old)
    return np.subtract(w, np.multiply(learning_rate, g) * (squares + epsilon) ** -0.5), {
        "squares": squares
    }


def rmsprop_wrong(average=lambda G, s, r: r * G + (1 - r) * s, scale=None, sign=-1):
    scale = scale or (lambda G, e: np.sqrt(G + e))

    def step(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
        G = average(memory.get("G", 0), g**2, rho)
        return w + sign * learning_rate * g / scale(G, epsilon), {"G": G}

    return step


def rmsprop_late(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
    G = memory.get("G", 0)
    new = rho * G + (1 - rho) * g**2
    return w - learning_rate * g / np.sqrt(G + epsilon), {"G": new}


def rmsprop_in_place(w, g, memory, *, learning_rate, rho=0.9, epsilon=1e-7):
    memory["G"] = rho * memory.get("G", 0) + (1 - rho) * g**2
    return w - learning_rate * g / np.sqrt(memory["G"] + epsilon), memory


def with_defaults(step, **defaults):
    def other(w, g, memory, **settings):
        return step(w, g, memory, **{**defaults, **settings})

    return other


def adam_other(w, g, memory, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """With products of the betas in place of t."""
    p1, p2 = memory.get("p1", 1) * beta_1, memory.get("p2", 1) * beta_2
    m = memory.get("m", 0) + (1 - beta_1) * (g - memory.get("m", 0))
    v = memory.get("v", 0) + (1 - beta_2) * (g * g - memory.get("v", 0))
    step = learning_rate * (m / (1 - p1)) / (np.sqrt(v / (1 - p2)) + epsilon)
    return [w - step, {"p1": p1, "p2": p2, "m": m, "v": v}]


def adam_wrong(top=None, bottom=None, keep=None, shift=0, sign=-1):
    top = top or (lambda m, c, g: m / c)
    bottom = bottom or (lambda v, c, e: np.sqrt(v / c) + e)

    def step(w, g, memory, *, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        t = memory.get("t", 0) + 1
        m = beta_1 * memory.get("m", 0) + (1 - beta_1) * g
        v = beta_2 * memory.get("v", 0) + (1 - beta_2) * g**2
        now = max(t - shift, 1)
        c1, c2 = 1 - beta_1**now, 1 - beta_2**now
        w = w + sign * learning_rate * top(m, c1, g) / bottom(v, c2, epsilon)
        if keep:
            m, v = m / c1, v / c2
        return w, {"t": t, "m": m, "v": v}

    return step


# ---------------------------------------------------------------- 04.9


def decoupled_by_class(step, weight_decay):
    class Step:
        def __call__(self, w, g, memory, **settings):
            share = settings["learning_rate"] * weight_decay
            return step((1 - share) * w, g, memory, **settings)

    return Step()


def decay_in_gradient(step, weight_decay):
    def new(w, g, memory, *, learning_rate, **settings):
        g = g + weight_decay * w
        return step(w, g, memory, learning_rate=learning_rate, **settings)

    return new


def decay_by(share, after=False):
    def decoupled(step, weight_decay):
        def new(w, g, memory, *, learning_rate, **settings):
            part = share(learning_rate, weight_decay)
            start = w
            if not after:
                w = w - part * w
            w, memory = step(w, g, memory, learning_rate=learning_rate, **settings)
            return (w - part * start if after else w), memory

        return new

    return decoupled


def decay_forgets_memory(step, weight_decay):
    def new(w, g, memory, *, learning_rate, **settings):
        w = w - learning_rate * weight_decay * w
        return step(w, g, {}, learning_rate=learning_rate, **settings)

    return new


# ---------------------------------------------------------------- 04.10


def compare_by_loops(run, rates, tuning_seeds, seeds):
    def choose(name):
        best, best_mean = None, -math.inf
        for rate in rates[name]:
            mean = statistics.fmean(run(name, rate, s)[0] for s in tuning_seeds)
            if mean > best_mean:
                best, best_mean = rate, mean
        return best

    a, b = choose("A"), choose("B")
    d = [run("A", a, s)[1] - run("B", b, s)[1] for s in seeds]
    return [statistics.fmean(d), statistics.stdev(d) / math.sqrt(len(d))]


def compare_wrong(
    kind=0, own=True, one_seed=False, on_scored=False, error="paired", by=np.mean
):
    def compare(run, rates, tuning_seeds, seeds):
        score = {}
        on = seeds if on_scored else tuning_seeds[:1] if one_seed else tuning_seeds
        for name in ("A", "B"):
            grid = rates[name] if own else rates["A"]
            means = [by([run(name, r, s)[kind] for s in on]) for r in grid]
            best = grid[int(np.argmax(means))]
            score[name] = np.array([run(name, best, s)[1] for s in seeds])
        d = score["A"] - score["B"]
        errors = {
            "paired": d.std(ddof=1) / len(d) ** 0.5,
            "deviation": d.std(ddof=1),
            "n": d.std() / len(d) ** 0.5,
            "unpaired": np.sqrt((score["A"].var(ddof=1) + score["B"].var(ddof=1)) / len(d)),
        }
        return d.mean(), errors[error]

    return compare


def compare_reversed(run, rates, tuning_seeds, seeds):
    mean, error = compare_by_loops(run, rates, tuning_seeds, seeds)
    return -mean, error


def compare_sorted(run, rates, tuning_seeds, seeds):
    ordered = {name: sorted(grid) for name, grid in rates.items()}
    return compare_by_loops(run, ordered, tuning_seeds, seeds)


def compare_last_of_ties(run, rates, tuning_seeds, seeds):
    turned = {name: grid[::-1] for name, grid in rates.items()}
    return compare_by_loops(run, turned, tuning_seeds, seeds)


# ---------------------------------------------------------------- 04.11


def gain(
    beta=0.9, share=0.1, same_noise=False, upside_down=False, single=False, even=False
):
    """A solution of another style: all rates at once; with options that are mistakes."""

    def losses(noise, beta, rates):
        rng, lam = np.random.default_rng(7), np.logspace(-2, 0, 20)
        walks = 1 if single else 200
        w = np.ones((len(rates), walks, 20))
        v, rate = 0 * w, np.reshape(rates, (-1, 1, 1))
        fixed = rng.normal(size=(walks, 20))
        for _ in range(200):
            xi = fixed if same_noise else rng.normal(size=(walks, 20))
            xi = rng.uniform(-1, 1, (walks, 20)) if even else xi
            v = beta * v - rate * (lam * w + noise * xi)
            w = w + v
        return 0.5 * (lam * w**2).sum(axis=2).mean(axis=1)

    def momentum_gain(noise):
        rates = np.array([1.9, 1, 0.5, 0.2, 0.1, 0.05])
        plain = np.nanmin(losses(noise, 0.0, rates))
        ball = np.nanmin(losses(noise, beta, share * rates))
        return ball / plain if upside_down else plain / ball

    return momentum_gain


# ---------------------------------------------------------------- 04.5


def with_minimize(step, num_steps=300, **settings):
    return lambda gradient, w: o.minimize(step, gradient, w, num_steps, **settings)[-1]


RIGHT = {
    "04.5": [
        with_minimize(o.sgd, learning_rate=o.cosine(0.5, 300), momentum=0.9, nesterov=True)
    ],
    "04.6": [(0.04, 0.03846, 0.9231, 0.6667), [1 / 25, 1 / 26, 12 / 13, 2 / 3]],
    "04.7": [rmsprop_other, o.rmsprop],
    "04.8": [adam_other],
    "04.9": [decoupled_by_class],
    "04.10": [compare_by_loops],
    "04.11": [gain()],
}

WRONG = {
    "04.5": [
        (with_minimize(o.sgd, learning_rate=1.0), "calm the noise"),
        (with_minimize(o.sgd, learning_rate=0.16, momentum=0.9), "calm the noise"),
        (with_minimize(o.sgd, learning_rate=0.01), "too small"),
        (with_minimize(o.sgd, 400, learning_rate=0.5), "budget"),
        (lambda gradient, w: w, "never asked"),
        (lambda gradient, w: gradient(w)[0], "shape (20,)"),
    ],
    "04.6": [
        ((1, 1 / 26, 12 / 13, 2 / 3), "the steepest sets the limit"),
        ((0.02, 1 / 26, 12 / 13, 2 / 3), "done in one step"),
        ((0.04, 0.02, 12 / 13, 2 / 3), "Both ends"),
        ((0.04, 0.26, 12 / 13, 2 / 3), "equally large"),
        ((0.04, 1 / 26, 2 / 3, 2 / 3), "has its root"),
        ((0.04, 1 / 26, 12 / 13, 4 / 9), "That is β"),
        ((0.04, 1 / 26, 12 / 13), "four numbers"),
    ],
    "04.7": [
        (rmsprop_wrong(lambda G, s, r: G + s), "AdaGrad"),
        (rmsprop_wrong(lambda G, s, r: r * G + s), "Both weights"),
        (rmsprop_wrong(lambda G, s, r: (1 - r) * G + r * s), "belongs to the old"),
        (rmsprop_wrong(scale=lambda G, e: np.sqrt(G) + e), "under the root"),
        (rmsprop_wrong(scale=lambda G, e: G + e), "root is missing"),
        (rmsprop_wrong(sign=1), "uphill"),
        (rmsprop_late, "before the step"),
        (rmsprop_in_place, "changed its input memory"),
        (with_defaults(rmsprop_other, rho=0.99), "defaults"),
        (with_defaults(rmsprop_other, epsilon=1e-8), "defaults"),
        (lambda w, g, memory, **s: w, "two things"),
    ],
    "04.8": [
        (adam_wrong(lambda m, c, g: m, lambda v, c, e: np.sqrt(v) + e), "not corrected"),
        (adam_wrong(bottom=lambda v, c, e: np.sqrt(v) + e), "of the squares, too"),
        (adam_wrong(lambda m, c, g: m), "of the gradients, too"),
        (adam_wrong(shift=1), "t starts at 1"),
        (adam_wrong(lambda m, c, g: g), "gradient itself"),
        (adam_wrong(bottom=lambda v, c, e: v / c + e), "root is missing"),
        (adam_wrong(sign=1), "uphill"),
        (adam_wrong(keep=True), "uncorrected in the memory"),
        (with_defaults(adam_other, beta_2=0.99), "defaults"),
        (with_defaults(adam_other, epsilon=1e-7), "defaults"),
    ],
    "04.9": [
        (decay_in_gradient, "another gradient"),
        (decay_by(lambda a, d: d), "learning rate times"),
        (decay_by(lambda a, d: 0), "no decay"),
        (decay_by(lambda a, d: -a * d), "grow"),
        (decay_by(lambda a, d: a * d, after=True), "before the step"),
        (decay_forgets_memory, "memory"),
        (lambda step, weight_decay: step(np.ones(2), np.ones(2), {}, learning_rate=0.1),
         "not its result"),
    ],
    "04.10": [
        (compare_wrong(kind=1), "on the test digits"),
        (compare_wrong(kind=1, on_scored=True), "on test digits, and"),
        (compare_wrong(own=False), "right yet. B was run with a rate of the other's grid"),
        (compare_wrong(by=np.median), "Take their mean"),
        (compare_sorted, "first rate"),
        (compare_wrong(one_seed=True), "All tuning seeds"),
        (compare_wrong(on_scored=True), "use tuning_seeds"),
        (compare_wrong(error="deviation"), "standard error is smaller"),
        (compare_wrong(error="n"), "n - 1"),
        (compare_wrong(error="unpaired"), "paired differences"),
        (compare_reversed, "A minus B"),
        (compare_last_of_ties, "first rate"),
    ],
    "04.11": [
        (gain(share=1.0), "a tenth of the rates"),
        (gain(upside_down=True), "Divide the loss of plain"),
        (gain(same_noise=True), "new at each step"),
        (gain(even=True), "noise normal"),
        (gain(beta=0.5), "should be about"),
        (lambda noise: 1.0, "should be about"),
    ],
}  # fmt: skip
