"""Attention in NumPy: scores, masks, heads, positions; and pooling as a Keras layer.

A query asks, keys answer, values are fetched. Arrays are (..., length, features), with
any axes in front. A mask is boolean, True where a query may look, and broadcasts to
(..., queries, keys).
"""

import numpy as np

from dl_course import common

ROWS = ..., "length", "features"

# ---------------------------------------------------------------- scores


def dot_scores(q, k):
    """s_ij = q_i · k_j. q: (..., n, d), k: (..., m, d). Returns (..., n, m)."""
    q = common.numbers(q, "q", *ROWS)
    k = common.numbers(k, "k", ..., "length", q.shape[-1])
    return q @ np.swapaxes(k, -1, -2)


def multiplicative_scores(q, k, w):
    """s_ij = q_i W k_j: q and k may differ in size (Luong et al., 2015). w: (d_q, d_k)."""
    q, k = common.numbers(q, "q", *ROWS), common.numbers(k, "k", *ROWS)
    w = common.numbers(w, "w", q.shape[-1], k.shape[-1])
    return dot_scores(q @ w, k)


def additive_scores(q, k, w_q, w_k, v):
    """s_ij = v · tanh(q_i W_q + k_j W_k) (Bahdanau et al., 2015).

    w_q: (d_q, hidden), w_k: (d_k, hidden), v: (hidden,). Returns (..., n, m).
    """
    q, k = common.numbers(q, "q", *ROWS), common.numbers(k, "k", *ROWS)
    v = common.numbers(v, "v", "hidden")
    w_q = common.numbers(w_q, "w_q", q.shape[-1], len(v))
    w_k = common.numbers(w_k, "w_k", k.shape[-1], len(v))
    hidden = (q @ w_q)[..., :, None, :] + (k @ w_k)[..., None, :, :]
    return np.tanh(hidden) @ v  # (..., n, m, hidden) @ (hidden,)


# ---------------------------------------------------------------- masks


def causal_mask(length):
    """Query i may look at keys 0 … i: the past and itself. (length, length), bool."""
    return np.tri(common.count(length, "length"), dtype=bool)


def padding_mask(lengths, length):
    """Nobody looks at padding: row b has `lengths[b]` real keys. (batch, 1, length)."""
    lengths = common.integers(lengths, "lengths", "batch", below=length + 1)
    return np.arange(length) < lengths[:, None, None]


def masked_softmax(scores, mask=None):
    """Softmax along the last axis over allowed cells; the others get weight 0.

    A row that may look nowhere gets zeros, not NaN: its output is the zero vector.
    Keras 3.15 does the same.
    """
    scores = common.numbers(scores, "scores")
    allowed = np.ones((), bool) if mask is None else np.asarray(mask)
    if allowed.dtype != bool:
        raise ValueError(f"mask: expected True and False, got {allowed.dtype}")
    try:
        allowed = np.broadcast_to(allowed, scores.shape)
    except ValueError:
        raise ValueError(
            f"mask: expected a shape that fits scores {scores.shape}, got {allowed.shape}"
        ) from None
    top = np.max(scores, axis=-1, keepdims=True, where=allowed, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)  # a row without an allowed cell
    powers = np.exp(np.where(allowed, scores - top, -np.inf))
    total = powers.sum(axis=-1, keepdims=True)
    return powers / np.where(total == 0, 1, total)


# ---------------------------------------------------------------- attention


def dot_product_attention(q, k, v, mask=None):
    """Z = A V with A = softmax(Q Kᵀ / √d_k), the softmax along each row.

    Args:
        q: queries (..., n, d_k).
        k: keys (..., m, d_k).
        v: values (..., m, d_v): what is fetched where a key fits.
        mask: True where query i may look at key j; None allows all.

    Returns Z (..., n, d_v) and A (..., n, m) (Vaswani et al., 2017).
    """
    scores = dot_scores(q, k)
    v = common.numbers(v, "v", ..., scores.shape[-1], "d_v")
    scale = np.sqrt(np.shape(q)[-1]).astype(scores.dtype)
    weights = masked_softmax(scores / scale, mask)
    return weights @ v, weights


def multi_head_attention(x, memory, weights, mask=None):
    """Several attentions side by side, each in a smaller space of its own.

    Args:
        x: who asks, (batch, n, features).
        memory: who is asked, (batch, m, features): x itself for self-attention.
        weights: eight arrays in the order of Keras's layer: kernel and bias of queries,
            keys and values, (features, heads, d) and (heads, d); then of the output,
            (heads, d_v, features) and (features,).
        mask: broadcasts to (batch, n, m); all heads share it.

    Returns the output (batch, n, features) and A (batch, heads, n, m).
    """
    if len(weights) != 8:
        raise ValueError(f"weights: expected eight arrays, got {len(weights)}")
    w_q, b_q, w_k, b_k, w_v, b_v, w_o, b_o = map(np.asarray, weights)
    x = common.numbers(x, "x", "batch", "n", len(w_q))
    memory = common.numbers(memory, "memory", "batch", "m", len(w_k))
    q = np.einsum("bnf,fhd->bhnd", x, w_q) + b_q[:, None]  # (batch, heads, n, d_k)
    k = np.einsum("bmf,fhd->bhmd", memory, w_k) + b_k[:, None]
    v = np.einsum("bmf,fhd->bhmd", memory, w_v) + b_v[:, None]
    if mask is not None and np.ndim(mask) == 3:
        mask = np.asarray(mask)[:, None]  # (batch, 1, n, m): the same for all heads
    z, a = dot_product_attention(q, k, v, mask)
    return np.einsum("bhnd,hdf->bnf", z, w_o) + b_o, a


# ---------------------------------------------------------------- positions


def sinusoidal_positions(length, features):
    """PE[p, 2i] = sin(p / 10000^(2i/features)), PE[p, 2i + 1] = the cosine.

    Clocks that run ever slower (Vaswani et al., 2017). `features` is even.
    """
    if features < 2 or features % 2:
        raise ValueError(f"features: expected an even number ≥ 2, got {features!r}")
    rates = 10000.0 ** (-np.arange(0, features, 2) / features)  # (features / 2,)
    angles = np.arange(length)[:, None] * rates
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, features)


# ---------------------------------------------------------------- pooling


def attention_pooling(x, w, b, v):
    """One summary a sequence: weights from a learned question, then a weighted mean.

    Args:
        x: (batch, time, features).
        w, b: (features, hidden) and (hidden,).
        v: (hidden,), the question.

    Returns the context (batch, features) and the weights (batch, time), whose rows sum
    to 1. The order of the sequence does not matter. It is additive attention with a
    single learned query (Bahdanau et al., 2015). Lin et al. (2017) called that
    self-attention; today the word means that every place asks all others.
    """
    hint = " (x[None] adds the batch axis)"
    x = common.numbers(x, "x", "batch", "time", "features", hint=hint)
    weights = masked_softmax(np.tanh(x @ w + b) @ v)  # softmax over time
    return np.einsum("bt,btf->bf", weights, x), weights


def attention_pooling_layer(hidden):
    """`attention_pooling` as a Keras layer: (batch, time, features) to (batch, features).

    A mask of its input is heeded. `layer.weights_over(x)` gives the weights.
    """
    import keras
    from keras import ops

    class AttentionPooling(keras.layers.Layer):
        def __init__(self, hidden, **kwargs):
            super().__init__(**kwargs)
            self.project = keras.layers.Dense(hidden, "tanh")
            self.question = keras.layers.Dense(1, use_bias=False)
            self.supports_masking = True

        def build(self, shape):
            self.project.build(shape)
            self.question.build((*shape[:-1], hidden))

        def weights_over(self, x, mask=None):
            scores = self.question(self.project(x))[..., 0]  # (batch, time)
            if mask is not None:
                scores = ops.where(mask, scores, -1e9)
            return ops.softmax(scores, axis=1)

        def call(self, x, mask=None):
            return ops.einsum("bt,btf->bf", self.weights_over(x, mask), x)

        def compute_mask(self, x, mask=None):
            return None  # time is gone

    return AttentionPooling(hidden)


# ---------------------------------------------------------------- figures


def draw_alignment(weights, columns, rows, *, title=None, size=0.24):
    """Who looked where: a row for each query, a column for each key, dark for much.

    weights: (len(rows), len(columns)). Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    weights = common.numbers(weights, "weights", len(rows), len(columns))
    shape = size * len(columns) + 0.8, size * len(rows) + 0.8
    figure, axis = plt.subplots(figsize=shape)
    axis.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.set_xticks(np.arange(len(columns)) - 0.5, minor=True)
    axis.set_yticks(np.arange(len(rows)) - 0.5, minor=True)
    axis.grid(False)
    axis.grid(True, which="minor")
    axis.tick_params(which="minor", length=0)
    if title:
        axis.set_title(title, loc="center", pad=8)
    return figure


def alignment_table(weights, columns, rows):
    """The same as an HTML table (a string), for scripts that a figure's fonts lack."""
    weights = common.numbers(weights, "weights", len(rows), len(columns))
    head = "".join(f"<th>{column}</th>" for column in columns)
    lines = [f"<tr><th></th>{head}</tr>"]
    for label, line in zip(rows, weights, strict=True):
        cells = [f'<td style="background:rgba(0,114,178,{w:.2f})"></td>' for w in line]
        lines.append(f"<tr><th>{label}</th>{''.join(cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"
