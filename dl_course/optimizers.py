"""Optimizers. Made from notebooks/src/04_optimizers.py: edit there."""

import numpy as np

from dl_course import common


def walk(step, gradient, w, num_steps, *, learning_rate=0.01, clip=None, **settings):
    """Yield the weights w, and what they are after each of `num_steps` steps.

    step: a function of weights, gradient and memory that returns new weights and memory;
    gradient: a function of w, which may draw a batch of its own at each call;
    learning_rate: a number, or a schedule, a function of the step 0, 1, 2, …; clip: a
    function applied to each gradient; settings: what `step` takes.
    """
    memory = {}
    yield w
    for t in range(num_steps):
        g = gradient(w) if clip is None else clip(gradient(w))
        rate = learning_rate(t) if callable(learning_rate) else learning_rate
        w, memory = step(w, g, memory, learning_rate=rate, **settings)
        yield w


def minimize(step, gradient, w, num_steps, **settings):
    """The path of `walk` as one array, (num_steps + 1, *w.shape)."""
    w = np.array(w)
    w = w if w.dtype.kind == "f" else w.astype(float)
    return np.stack([*walk(step, gradient, w, num_steps, **settings)])


def sgd(w, g, memory, *, learning_rate=0.01, momentum=0.0, nesterov=False):
    """One step of gradient descent, with momentum (Polyak, 1964), or Nesterov's (1983).

    Weights w and gradient g have one shape. It is *stochastic* gradient descent if g comes
    from a random part of the data.
    """
    w, g = same_shape(w, g)
    v = momentum * memory.get("v", 0) - learning_rate * g
    step = momentum * v - learning_rate * g if nesterov else v
    return w + step, {"v": v}


def same_shape(w, g):
    """Both as arrays. ValueError if their shapes differ: (n,) with (n, 1) would spread."""
    g, w = common.alike(g, w, "g", "w")
    return w, g


def adagrad(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    initial_accumulator_value=0.1,
    epsilon=1e-7,
):
    """One step of AdaGrad (Duchi et al., 2011): divide by the root of *all* g² so far."""
    w, g = same_shape(w, g)
    G = memory.get("G", initial_accumulator_value) + g**2
    return w - learning_rate * g / np.sqrt(G + epsilon), {"G": G}


def rmsprop(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    rho=0.9,
    momentum=0.0,
    epsilon=1e-7,
    centered=False,
):
    """One step of RMSprop (Tieleman & Hinton, 2012): divide by the root of *recent* g².

    centered: divide by the standard deviation of recent gradients.
    """
    w, g = same_shape(w, g)
    G = rho * memory.get("G", 0) + (1 - rho) * g**2
    mean = rho * memory.get("mean", 0) + (1 - rho) * g
    scale = np.sqrt((G - mean**2 if centered else G) + epsilon)
    v = momentum * memory.get("v", 0) + learning_rate * g / scale
    return w - v, {"G": G, "mean": mean, "v": v}


def adam(
    w,
    g,
    memory,
    *,
    learning_rate=0.001,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-7,
    amsgrad=False,
):
    """One step of Adam (Kingma & Ba, 2015), or AMSGrad (Reddi et al., 2018).

    As in Keras, epsilon stands beside the root of v before its bias is corrected.
    """
    w, g = same_shape(w, g)
    t = memory.get("t", 0) + 1
    m = beta_1 * memory.get("m", 0) + (1 - beta_1) * g
    v = beta_2 * memory.get("v", 0) + (1 - beta_2) * g**2
    largest = np.maximum(memory.get("largest", 0), v)
    corrected = learning_rate * ((1 - beta_2**t) ** 0.5 / (1 - beta_1**t))
    root = np.sqrt(largest if amsgrad else v)
    w = w - corrected * m / (root + epsilon)
    return w, {"t": t, "m": m, "v": v, "largest": largest}


def adamw(w, g, memory, *, learning_rate=0.001, weight_decay=0.004, **settings):
    """One step of AdamW (Loshchilov & Hutter, 2019): shrink the weights, then Adam."""
    w = w - learning_rate * weight_decay * w
    return adam(w, g, memory, learning_rate=learning_rate, **settings)


def cosine(learning_rate, num_steps, *, warmup_steps=0, final=0.0):
    """Schedule: a line from 0 up to `learning_rate`, then half a cosine down to `final`.

    A function of the step; `num_steps` counts all steps.
    """
    if not 0 <= warmup_steps < num_steps:
        raise ValueError(
            f"warmup_steps: expected 0 to {num_steps - 1}, got {warmup_steps!r}"
        )

    def rate(t):
        if t < warmup_steps:
            return learning_rate * t / warmup_steps
        done = min(1, (t - warmup_steps) / (num_steps - warmup_steps))
        return final + (learning_rate - final) * (1 + np.cos(np.pi * done)) / 2

    return rate


def cosine_decay(learning_rate, num_steps, *, warmup_steps=0, start=0.0):
    """The same for Keras, down to 0; the line up begins at the learning rate `start`."""
    # Imported here, because modules without Keras use the others.
    from keras.optimizers.schedules import CosineDecay

    down = num_steps - warmup_steps
    return CosineDecay(start, down, warmup_target=learning_rate, warmup_steps=warmup_steps)


def clip_by_global_norm(gradients, limit):
    """Shorten a list of arrays, taken as one long vector, to length `limit` if longer."""
    common.positive(limit, "limit")
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
    return [np.asarray(g) * (limit / max(norm, limit)) for g in gradients]
