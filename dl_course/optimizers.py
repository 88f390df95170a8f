"""Optimizers: gradient descent, momentum, Nesterov, AdaGrad, RMSprop, Adam, AMSGrad, AdamW.

A step is a function of weights w, gradient g and what it remembers, a dict that starts
empty. It returns the new weights and the new memory:

    w, state = sgd(w, g, {}, learning_rate=0.1, momentum=0.9)

`minimize` repeats a step and keeps the path. Settings have the names, defaults and exact
formulas of keras.optimizers; tests/test_optimizers.py holds the two together.
"""

import io

import numpy as np

from dl_course import common

# ---------------------------------------------------------------- steps


def sgd(w, g, state, *, learning_rate=0.01, momentum=0.0, nesterov=False):
    """One step of gradient descent, with momentum (Polyak, 1964), or Nesterov's (1983).

    It is *stochastic* gradient descent if g comes from a random part of the data.
    """
    w, g = _arrays(w, g, learning_rate, momentum=momentum)
    v = momentum * state.get("v", 0) - learning_rate * g
    step = momentum * v - learning_rate * g if nesterov else v
    return w + step, {"v": v}


def ema_momentum(w, g, state, *, learning_rate=0.01, beta=0.9, corrected=True):
    """One step along the moving average of the gradients, started without bias or not."""
    w, g = _arrays(w, g, learning_rate, beta=beta)
    t = state.get("t", 0) + 1
    m = beta * state.get("m", 0) + (1 - beta) * g
    mean = m / (1 - beta**t) if corrected else m
    return w - learning_rate * mean, {"t": t, "m": m}


def adagrad(w, g, state, *, learning_rate=0.001, initial_accumulator_value=0.1,
            epsilon=1e-7):  # fmt: skip
    """One step of AdaGrad (Duchi et al., 2011): divide by the root of *all* g² so far."""
    w, g = _arrays(w, g, learning_rate)
    G = state.get("G", initial_accumulator_value) + g**2
    return w - learning_rate * g / np.sqrt(G + epsilon), {"G": G}


def rmsprop(w, g, state, *, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7,
            centered=False):  # fmt: skip
    """One step of RMSprop (Tieleman & Hinton, 2012): divide by the root of *recent* g².

    centered: divide by the standard deviation of recent gradients (Graves, 2013).
    """
    w, g = _arrays(w, g, learning_rate, rho=rho, momentum=momentum)
    G = rho * state.get("G", 0) + (1 - rho) * g**2
    mean = rho * state.get("mean", 0) + (1 - rho) * g
    scale = np.sqrt((G - mean**2 if centered else G) + epsilon)
    v = momentum * state.get("v", 0) + learning_rate * g / scale
    return w - v, {"G": G, "mean": mean, "v": v}


def adam(w, g, state, *, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7,
         amsgrad=False):  # fmt: skip
    """One step of Adam (Kingma & Ba, 2015), or AMSGrad (Reddi et al., 2018).

    As in Keras, epsilon stands beside the root of v before its bias is corrected.
    """
    w, g = _arrays(w, g, learning_rate, beta_1=beta_1, beta_2=beta_2)
    t = state.get("t", 0) + 1
    m = beta_1 * state.get("m", 0) + (1 - beta_1) * g
    v = beta_2 * state.get("v", 0) + (1 - beta_2) * g**2
    largest = np.maximum(state.get("largest", 0), v)
    corrected = learning_rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    root = np.sqrt(largest if amsgrad else v)
    w = w - corrected * m / (root + epsilon)
    return w, {"t": t, "m": m, "v": v, "largest": largest}


def adamw(w, g, state, *, learning_rate=0.001, weight_decay=0.004, **settings):
    """One step of AdamW (Loshchilov & Hutter, 2019): shrink the weights, then Adam."""
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay: expected a number ≥ 0, got {weight_decay!r}")
    w, g = _arrays(w, g, learning_rate)
    w = w - learning_rate * weight_decay * w
    return adam(w, g, state, learning_rate=learning_rate, **settings)


def minimize(step, gradient, w, num_steps, *, learning_rate=0.01, clip=None, **settings):
    """Repeat a step from w; return the path, of shape (num_steps + 1, *w.shape).

    Args:
        step: `sgd`, `adam`, … or your own function with the same signature.
        gradient: function of w; it may draw a batch of its own at each call.
        learning_rate: a number, or a schedule: a function of the step 0, 1, 2, …
        clip: function applied to each gradient before the step, or None.
        settings: what `step` takes.
    """
    w = np.array(w)
    w = w if w.dtype.kind == "f" else w.astype(float)
    path, state = np.empty((num_steps + 1, *w.shape), w.dtype), {}
    path[0] = w
    for t in range(num_steps):
        g = gradient(w) if clip is None else clip(gradient(w))
        rate = learning_rate(t) if callable(learning_rate) else learning_rate
        w, state = step(w, g, state, learning_rate=rate, **settings)
        path[t + 1] = w
    return path


def _arrays(w, g, learning_rate, **fractions):
    """w and g as arrays, after the checks that all steps share."""
    g, w = common.alike(g, w, "g", "w")
    if not 0 <= learning_rate < np.inf:
        raise ValueError(f"learning_rate: expected a number ≥ 0, got {learning_rate!r}")
    for name, value in fractions.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name}: expected a number from 0 to below 1, got {value!r}")
    return w, g


def gap_to_keras(step, keras_class, gradient, w, *variants, num_steps=200):
    """Largest difference to Keras over dicts of settings; both get them in 32 bits."""
    import keras

    gap = 0.0
    for settings in variants:
        rounded = {name: value if value is True else float(np.float32(value))
                   for name, value in settings.items()}  # fmt: skip
        optimizer, weights = keras_class(**rounded), keras.Variable(w, dtype="float64")
        for point in minimize(step, gradient, w, num_steps, **rounded):
            theirs = keras.ops.convert_to_numpy(weights)
            gap = np.maximum(gap, np.abs(point - theirs).max())  # keeps NaN
            optimizer.apply([keras.ops.convert_to_tensor(gradient(theirs))], [weights])
    return gap


# ---------------------------------------------------------------- clipping


def clip_by_norm(g, limit):
    """Shorten g to Euclidean length `limit` if it is longer: the direction stays."""
    return clip_by_global_norm([g], limit)[0]


def clip_by_global_norm(gradients, limit):
    """Shorten a list of arrays, taken as one long vector, to length `limit` if longer."""
    common.positive(limit, "limit")
    norm = np.sqrt(sum(np.sum(np.square(g)) for g in gradients))
    return [np.asarray(g) * (limit / max(norm, limit)) for g in gradients]


# ---------------------------------------------------------------- schedules


def cosine_decay(learning_rate, num_steps, *, warmup_steps=0, start=0.0):
    """`cosine` for Keras, down to 0; the line up begins at the learning rate `start`."""
    import keras

    down = num_steps - warmup_steps
    return keras.optimizers.schedules.CosineDecay(
        start, down, warmup_target=learning_rate, warmup_steps=warmup_steps
    )


def cosine(learning_rate, num_steps, *, warmup_steps=0, final=0.0):
    """Schedule: a line from 0 up to `learning_rate`, then half a cosine down to `final`.

    `num_steps` counts all steps (Goyal et al., 2017; Loshchilov & Hutter, 2017).
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


def one_cycle(learning_rate, num_steps, *, up=0.3, start=1 / 25, end=1e-4):
    """Schedule: half a cosine up to `learning_rate`, half a cosine down.

    The rise takes the part `up` of the steps; `start` and `end` are parts of the peak
    (Smith & Topin, 2019).
    """
    if not 0 < up < 1:
        raise ValueError(f"up: expected a number between 0 and 1, got {up!r}")
    peak = up * num_steps

    def rate(t):
        low, done = (start, 1 - t / peak) if t < peak else (
            end, min(1, (t - peak) / (num_steps - peak)))  # fmt: skip
        return learning_rate * (low + (1 - low) * (1 + np.cos(np.pi * done)) / 2)

    return rate


# ---------------------------------------------------------------- the race on a plane

SURFACES = {  # name: loss of points (..., 2), gradient at one point, start, window
    "long valley": (
        lambda p: (p[..., 0] ** 2 + 30 * p[..., 1] ** 2) / 2,
        lambda p: p * [1, 30],
        np.array([-4.0, 1.0]), (-4.5, 2.0, -1.5, 1.5),
    ),
    "banana": (
        lambda p: (1 - p[..., 0]) ** 2 + 100 * (p[..., 1] - p[..., 0] ** 2) ** 2,
        lambda p: np.array([2 * (p[0] - 1) - 400 * p[0] * (p[1] - p[0] ** 2),
                            200 * (p[1] - p[0] ** 2)]),
        np.array([-1.2, 1.0]), (-1.8, 1.8, -0.7, 2.2),
    ),
    "saddle": (
        lambda p: (2 * p[..., 0] ** 2 - 2 * p[..., 1] ** 2 + p[..., 1] ** 4 + 1) / 4,
        lambda p: np.array([p[0], p[1] ** 3 - p[1]]),
        np.array([-1.8, 0.001]), (-2.0, 1.0, -0.6, 1.4),
    ),
}  # fmt: skip

RACERS = {  # name: step, its settings
    "gradient descent": (sgd, {}), "momentum": (sgd, {"momentum": 0.9}),
    "AdaGrad": (adagrad, {}), "RMSprop": (rmsprop, {}), "Adam": (adam, {}),
}  # fmt: skip

RATES = [digit * 10.0**power for power in range(-4, 1) for digit in (1, 2, 5)]


def race(surface, num_steps=120):
    """{racer: (rate, path)}: each at the best of `RATES` that keeps it on the map."""
    loss, gradient, start, window = SURFACES[surface]
    (low, high), best = np.reshape(window, (2, 2)).T, {}
    for name, (step, settings) in RACERS.items():
        tried = []
        for rate in RATES:
            with np.errstate(all="ignore"):  # some rates diverge
                path = minimize(step, gradient, start, num_steps,
                                learning_rate=rate, **settings)  # fmt: skip
            if ((low < path) & (path < high)).all():
                tried.append((loss(path[num_steps // 2 :]).mean(), rate, path))
        best[name] = min(tried, key=lambda result: result[0])[1:]
    return best


def draw_race(races):
    """Maps of {surface: race(surface)} with all paths; a matplotlib Figure."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(races), figsize=(8, 3.1), squeeze=False)
    for axis, (surface, results) in zip(axes[0], races.items(), strict=True):
        loss, _, start, (left, right, low, high) = SURFACES[surface]
        grid = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        height = np.log10(loss(np.stack(grid, -1)) + 1e-3)
        axis.contourf(*grid, height, 12, cmap="Greys_r", alpha=0.4)
        axis.plot(*start, "ow", markeredgecolor="black", markersize=9)
        for (name, (_, path)), marker in zip(results.items(), "osD^v", strict=True):
            (line,) = axis.plot(*path.T, linewidth=1.4)
            axis.plot(*path[-1:].T, marker, color=line.get_color(), label=name,
                      markersize=8, markeredgecolor="white")  # fmt: skip
        axis.set(title=surface, xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        axis.grid(False)
    figure.legend(*axis.get_legend_handles_labels(), ncols=5, loc="outside lower center")
    return figure


def animate_race(races, every=3, milliseconds=120):
    """The same as an animated PNG (bytes): a frame every few steps, over and over."""
    import matplotlib.pyplot as plt
    from PIL import Image

    figure = draw_race(races)
    figure.set_dpi(96)
    canvas, unchanged = figure.canvas, 127  # a color that lets the last frame shine through
    movers = [line for axis in figure.axes for line in axis.lines[1:]]  # path, its head, …
    paths = [path for results in races.values() for _, path in results.values()]
    canvas.draw()
    palette = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(unchanged)
    for line in movers:
        line.set_visible(False)
    canvas.draw()
    empty, frames, before = canvas.copy_from_bbox(figure.bbox), [], -1
    for t in [*range(0, len(paths[0]) - 1, every), len(paths[0]) - 1]:
        canvas.restore_region(empty)
        for i, line in enumerate(movers):
            line.set(data=paths[i // 2][(t if i % 2 else 0) : t + 1].T, visible=True)
            line.axes.draw_artist(line)
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        now = np.asarray(picture.quantize(palette=palette, dither=Image.Dither.NONE))
        changes = np.where(now == before, unchanged, now).astype(np.uint8)
        frames.append(Image.fromarray(changes))
        frames[-1].putpalette(palette.getpalette()[: 3 * unchanged] + [255] * 3)
        before = now
    plt.close(figure)
    file, durations = io.BytesIO(), [milliseconds] * (len(frames) - 1) + [3000]
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:], loop=0, blend=1,
                   transparency=unchanged, duration=durations)  # fmt: skip
    return file.getvalue()
