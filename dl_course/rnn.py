"""Recurrent cells in NumPy, blame through time, Jacobians, forecasts: chapter 06.

Sequences are (batch, time, features). A step takes one moment (batch, features), the
state, a list of arrays (batch, units), and the weights in Keras's order; it returns the
next state. `state[0]` is the output. Weights: kernel (features, gates units), recurrent
kernel (units, gates units), bias; the gates stand side by side.
"""

import numpy as np

from dl_course import common
from dl_course.linear import sigmoid

# ------------------------------------------------------------------------- the cells


def relu(z):
    """max(z, 0), by the real part: so that `jacobian` can use it."""
    return np.where(np.real(z) > 0, z, 0)


def rnn_step(x, state, kernel, recurrent, bias, *, activation=np.tanh):
    """h ← f(x W + h U + b): Keras's SimpleRNN (Elman, 1990)."""
    (h,) = state
    return [activation(x @ kernel + h @ recurrent + bias)]  # (batch, units)


def lstm_step(x, state, kernel, recurrent, bias, *, activation=np.tanh):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    c ← f ⊙ c + i ⊙ g,   h ← o ⊙ tanh(c); i, f, g, o in Keras's order of gates.
    """
    h, c = state
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * activation(g)  # (batch, units)
    return [sigmoid(o) * activation(c), c]


def gru_step(x, state, kernel, recurrent, bias, *, reset_after=True):
    """Gated recurrent unit (Cho et al., 2014).

    h ← z ⊙ h + (1 - z) ⊙ g; z, r, g in Keras's order of gates. With `reset_after`
    the bias is (2, 3 units), for inputs and state, and r acts after the product with U.
    """
    (h,) = state
    inputs, recalled = np.broadcast_to(bias, (2, bias.shape[-1])) * [[1], [reset_after]]
    xz, xr, xg = np.split(x @ kernel + inputs, 3, axis=1)
    Uz, Ur, Ug = np.split(recurrent, 3, axis=1)
    bz, br, bg = np.split(recalled, 3)
    z, r = sigmoid(xz + h @ Uz + bz), sigmoid(xr + h @ Ur + br)
    from_h = r * (h @ Ug + bg) if reset_after else (r * h) @ Ug
    return [z * h + (1 - z) * np.tanh(xg + from_h)]


def run(step, x, weights, *, state=None, mask=None, **settings):
    """Take `step` at every moment, the same weights each time.

    Args:
        step: `rnn_step`, `lstm_step`, `gru_step`, or another of their form.
        x: (batch, time, features).
        weights: [kernel, recurrent kernel, bias], as `layer.get_weights()` gives them.
        state: arrays (batch, units) to start from; zeros if None.
        mask: (batch, time), False where there is nothing to read; the state then stays.
        settings: go to `step`.

    Returns (outputs, state): (batch, time, units) and the last state.
    """
    x, weights = _sequence(x), [np.asarray(w) for w in weights]
    _check_weights(step, x, weights)
    batch, time, _ = x.shape
    if mask is not None and np.shape(mask) != (batch, time):
        raise ValueError(f"mask: expected shape {(batch, time)}, got {np.shape(mask)}")
    state = initial_state(step, batch, len(weights[1])) if state is None else state
    outputs = []
    for t in range(time):
        new = step(x[:, t], state, *weights, **settings)
        if mask is not None:
            reads = np.asarray(mask, bool)[:, t, None]  # (batch, 1)
            new = [np.where(reads, n, s) for n, s in zip(new, state, strict=True)]
        state = new
        outputs.append(state[0])
    return np.stack(outputs, axis=1), state


def initial_state(step, batch, units):
    """Zeros: one array (batch, units), for an LSTM two."""
    return [np.zeros((batch, units)) for _ in range(2 if step is lstm_step else 1)]


# ----------------------------------------------------------------- blame through time


def rnn_gradients(x, outputs, weights, blame, *, truncate=None):
    """Back-propagation through time for `rnn_step` with tanh (Werbos, 1990).

    δ_t = (∂L/∂h_t + δ_{t+1} Uᵀ) ⊙ (1 - h_t²), and each weight sums over all moments.

    Args:
        x, outputs, weights: as they went into and came out of `run`, from zeros.
        blame: ∂L/∂h_t of the loss alone, (batch, time, units): 0 where it asks nothing.
        truncate: cut the way back at every `truncate` moments; never if None.

    Returns gradients of kernel, recurrent kernel, bias and of x.
    """
    x, outputs = _sequence(x), _sequence(outputs, "outputs")
    blame, (kernel, recurrent, _) = _sequence(blame, "blame"), weights
    common.alike(blame, outputs, "blame", "outputs")
    if truncate is not None:
        common.count(truncate, "truncate")
    before = np.concatenate([np.zeros_like(outputs[:, :1]), outputs[:, :-1]], axis=1)
    delta = np.zeros_like(outputs)  # (batch, time, units)
    later = np.zeros_like(outputs[:, 0])  # what the future says about h_t
    for t in reversed(range(x.shape[1])):
        if truncate and (t + 1) % truncate == 0:
            later = np.zeros_like(later)
        delta[:, t] = (blame[:, t] + later) * (1 - outputs[:, t] ** 2)
        later = delta[:, t] @ recurrent.T
    dkernel = np.einsum("bti,btj->ij", x, delta)
    drecurrent = np.einsum("bti,btj->ij", before, delta)
    return dkernel, drecurrent, delta.sum(axis=(0, 1)), delta @ np.transpose(kernel)


def jacobian(step, x, state, weights, **settings):
    """∂ new state / ∂ old state of one example, by the complex step: exact to rounding.

    f(s + iε e_j) = f(s) + iε ∂f/∂s_j + O(ε²): nothing is subtracted, so ε may be 1e-30.

    Args:
        x: (features,).
        state: arrays (units,), one or two.

    Returns (new state, matrix): matrix[a, b] = ∂ new_a / ∂ old_b, where a and b run
    through all arrays of the state, one after the other.
    """
    sizes = np.cumsum([len(s) for s in state])
    flat = np.concatenate(state)
    nudged = flat + 1e-30j * np.eye(len(flat))  # one nudge a row
    parts = np.split(nudged, sizes[:-1], axis=1)
    new = np.concatenate(step(x[None], parts, *weights, **settings), axis=1)
    return np.split(new[0].real, sizes[:-1]), new.imag.T / 1e-30


def memory(step, x, weights, *, warm_up=50, **settings):
    """How much of a nudge of the state is left after 1, 2, ... steps.

    Args:
        x: (time, features): the inputs of one sequence; `warm_up` of them come before
            the nudge.
        weights: [kernel, recurrent kernel, bias].

    Returns (time - warm_up,) spectral norms of ∂s_{t+n}/∂s_t.
    """
    x = np.asarray(x)
    if x.ndim != 2 or len(x) <= warm_up:
        raise ValueError(f"x: expected (time > {warm_up}, features), got {x.shape}")
    state = [s[0] for s in initial_state(step, 1, len(weights[1]))]
    product, norms = None, []
    for t, moment in enumerate(x):
        state, matrix = jacobian(step, moment, state, weights, **settings)
        if t >= warm_up:
            product = matrix if product is None else matrix @ product
            norms.append(np.linalg.norm(product, 2))
    return np.array(norms)


def initial_weights(step, features, units, rng, *, gain=1.0, keep=None):
    """Glorot kernel, orthogonal recurrent kernels times `gain`, zero bias, as in Keras.

    `keep`: the bias of the gate that keeps the state, f or z. If None it is 1 for an
    LSTM (Keras's default) and 0 for a GRU.
    """
    gates = {rnn_step: 1, gru_step: 3, lstm_step: 4}[step]
    limit = np.sqrt(6 / (features + gates * units))
    kernel = rng.uniform(-limit, limit, (features, gates * units))
    tall, _ = np.linalg.qr(rng.normal(size=(gates * units, units)))
    recurrent = gain * tall.T  # its rows are orthonormal, over all gates
    bias = np.zeros(gates * units)
    if step is lstm_step:
        bias[units : 2 * units] = 1 if keep is None else keep
    elif step is gru_step:
        bias = np.stack([bias, bias])
        bias[0, :units] = keep or 0
    return [kernel, recurrent, bias]


def draw_memory(*panels):
    """Curves of `memory`, a panel for each dict {name: norms}, named at their ends.

    A name has the color of its line, and a thin line leads to it.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(8, 3.4), sharey=True)
    for axis, curves in zip(np.ravel(axes), panels, strict=True):
        below = -np.inf  # names keep a distance of three powers of ten
        for i, (name, norms) in enumerate(sorted(curves.items(), key=lambda c: c[1][-1])):
            n, style = len(norms), ["-", "--", ":", "-."][i % 4]
            (line,) = axis.semilogy(range(1, n + 1), norms, style)
            below = max(np.log10(norms[-1]), below + 3)
            color = line.get_color()
            axis.plot([n, 1.08 * n], [norms[-1], 10**below], color=color, lw=0.6)
            axis.text(1.1 * n, 10**below, name, va="center", fontsize=8, color=color)
        axis.set(xlabel="moments after the nudge", xlim=(0, 1.65 * len(norms)))
        axis.set_xticks(range(0, len(norms) + 1, 20))
    np.ravel(axes)[0].set_ylabel("what is left of it")
    return figure


# -------------------------------------------------------------------------- forecasts


def windows(series, length, ahead=1):
    """Pasts and futures of a series.

    Args:
        series: (time,) or (time, features); of features the first is forecast.
        length: moments in a window.
        ahead: how far the target lies behind the window's last moment.

    Returns (pasts, targets): (n, length, features) and (n,), oldest first.
    """
    series = np.asarray(series)
    series = series[:, None] if series.ndim == 1 else series
    common.count(length, "length")
    common.count(ahead, "ahead")
    if series.ndim != 2 or len(series) < length + ahead:
        raise ValueError(
            f"series: expected (time ≥ {length + ahead}, features), got {series.shape}"
        )
    starts = np.arange(len(series) - length - ahead + 1)
    pasts = series[starts[:, None] + np.arange(length)]  # (n, length, features)
    return pasts, series[starts + length + ahead - 1, 0]


def linear_autoregression(pasts, targets, ridge=1e-2):
    """Least squares of targets on all numbers of the window; returns predict(pasts)."""
    mean, scale = pasts.mean(axis=(0, 1)), pasts.std(axis=(0, 1)) + 1e-9

    def design(pasts):  # -> (n, length features + 1)
        rows = ((pasts - mean) / scale).reshape(len(pasts), -1)
        return np.column_stack([rows, np.ones(len(rows))])

    rows = design(pasts)
    penalty = ridge * len(rows) * np.eye(rows.shape[1])
    penalty[-1, -1] = 0  # the constant is free
    weights = np.linalg.solve(rows.T @ rows + penalty, rows.T @ targets)
    return lambda pasts: design(pasts) @ weights


# ------------------------------------------------------------------ checked arguments


def _sequence(x, name="x"):
    hint = " (x[..., None] adds a missing features axis)"
    return common.numbers(x, name, "batch", "time", "features", hint=hint)


def _check_weights(step, x, weights):
    units = len(weights[1])
    gates = {rnn_step: 1, gru_step: 3, lstm_step: 4}.get(step)
    if weights[0].shape[0] != x.shape[2]:
        raise ValueError(
            f"weights: expected a kernel of {x.shape[2]} rows, one a feature of x, got "
            f"{weights[0].shape}"
        )
    if gates and weights[1].shape != (units, gates * units):
        raise ValueError(
            f"weights: expected a recurrent kernel (units, {gates} units), got "
            f"{weights[1].shape}"
        )
