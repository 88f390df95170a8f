"""A small Transformer: its block in NumPy and Keras, sampling, masked-token training.

Ids are int32 (batch, time). A causal model predicts the next id at every place; one that
may look both ways fills gaps. Sizes: `width` features a place, split among the heads.
"""

import warnings

import numpy as np

from dl_course import attention, common, network

# ---------------------------------------------------------------- the block in NumPy


def layer_norm(x, gain, shift, epsilon=1e-3):
    """Each place to mean 0 and variance 1 over its features, then gain and shift.

    x: (..., features); gain, shift: (features,) (Ba et al., 2016).
    """
    x = np.asarray(x)
    if np.shape(gain) != x.shape[-1:] or np.shape(shift) != x.shape[-1:]:
        raise ValueError(f"gain: expected shape {x.shape[-1:]}, got {np.shape(gain)}")
    centered = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centered**2, axis=-1, keepdims=True)
    return gain * centered / np.sqrt(variance + epsilon) + shift


def transformer_block(x, weights, mask=None):
    """x + heads(norm(x)), then x + relu(norm(x) W₁ + b₁) W₂ + b₂.

    Args:
        x: (batch, time, width).
        weights: sixteen arrays in Keras's order: norm (2), heads (8), norm (2), two
            dense layers (4).
        mask: (time, time) or (batch, time, time), True where a place may look.

    The sum lets each part add to what is there, instead of replacing it.
    """
    if len(weights) != 16:
        raise ValueError(f"weights: expected sixteen arrays, got {len(weights)}")
    norm_1, heads, norm_2, dense = weights[:2], weights[2:10], weights[10:12], weights[12:]
    y = layer_norm(x, *norm_1)
    x = x + attention.multi_head_attention(y, y, heads, mask)[0]  # looks around
    w_1, b_1, w_2, b_2 = dense
    y = layer_norm(x, *norm_2)
    return x + np.maximum(y @ w_1 + b_1, 0) @ w_2 + b_2  # thinks, each place for itself


# ---------------------------------------------------------------- the model in Keras


def build_transformer(
    size, length, *, width=128, heads=4, blocks=2, drop=0.1, causal=True, local=3
):
    """Ids (batch, time ≤ length) → logits (batch, time, size). Uncompiled.

    Args:
        size: how many ids there are.
        length: the longest sequence: each place has a learned position.
        width, heads, blocks, drop: features a place, how they are split, depth, dropout.
        causal: True for a model of the next id: no place looks ahead.
        local: a convolution over so many places comes first, so that heads see groups of
            characters; 0 for none.
    """
    import keras
    from keras import layers, ops

    if width % heads:
        raise ValueError(f"heads: expected a divisor of width {width}, got {heads}")
    ids = keras.Input((None,), dtype="int32")
    places = ops.cumsum(ops.ones_like(ids), axis=1) - 1  # 0, 1, 2 ... in each row
    x = layers.Embedding(size, width)(ids) + layers.Embedding(length, width)(places)
    if local:
        padding = "causal" if causal else "same"
        x = x + layers.Conv1D(width, local, padding=padding, activation="relu")(x)
    x = layers.Dropout(drop)(x)
    for number in range(1, blocks + 1):
        x = _block(x, heads, drop, causal, f"heads_{number}")
    x = layers.LayerNormalization()(x)
    return keras.Model(ids, layers.Dense(size)(x))


def _block(x, heads, drop, causal, name):
    from keras import layers

    width = x.shape[-1]
    y = layers.LayerNormalization()(x)
    look = layers.MultiHeadAttention(heads, width // heads, dropout=drop, name=name)
    y, _ = look(y, y, use_causal_mask=causal, return_attention_scores=True)
    x = x + layers.Dropout(drop)(y)
    y = layers.LayerNormalization()(x)
    y = layers.Dense(4 * width, "relu")(y)
    return x + layers.Dropout(drop)(layers.Dense(width)(y))


def attention_maps(model, ids):
    """What each head looks at: one array (batch, heads, time, time) a block."""
    import keras

    maps = [x.output[1] for x in model.layers if x.name.startswith("heads_")]
    weights = keras.Model(model.inputs[0], maps)(np.asarray(ids))
    return [np.array(w) for w in (weights if isinstance(weights, list) else [weights])]


# ---------------------------------------------------------------- text


def bits_per_character(model, rows, batch_size=128):
    """Mean -log₂ p of each id after the first of its row. rows: (n, time)."""
    rows, bits = np.asarray(rows), []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        logits = np.array(model(batch[:, :-1]))  # (batch, time - 1, size)
        right = np.take_along_axis(logits, batch[:, 1:, None], axis=-1)
        bits.append(network.log_sum_exp(logits - right) / np.log(2))
    return float(np.concatenate(bits).mean())


def next_probabilities(logits, *, temperature=1.0, top_k=None):
    """Probabilities of the next id: p^(1 / temperature) of the `top_k` likeliest.

    logits: (..., size). Temperature below 1 sharpens, above 1 flattens. `top_k` None
    keeps all; ties at the border stay.
    """
    logits = np.asarray(logits, float)
    common.positive(temperature, "temperature")
    size = logits.shape[-1]
    if top_k is not None and not 1 <= top_k <= size:
        raise ValueError(f"top_k: expected 1 to {size}, got {top_k!r}")
    kept = None
    if top_k is not None:
        kept = logits >= np.sort(logits, axis=-1)[..., -top_k, None]
    return attention.masked_softmax(logits / temperature, kept)


def sample(model, start, num_new, rng, *, length, temperature=1.0, top_k=None):
    """Let a causal model go on: draw an id, append it, look again.

    Args:
        start: ids (batch, time ≥ 1).
        num_new: how many to draw.
        rng: a `numpy.random.Generator`.
        length: how many of the last ids the model sees.
        temperature, top_k: see `next_probabilities`.

    Returns ids (batch, time + num_new).
    """
    ids = np.array(start, "int32")
    if ids.ndim != 2 or ids.shape[1] < 1:
        raise ValueError(f"start: expected shape (batch, time ≥ 1), got {ids.shape}")
    for _ in range(num_new):
        with warnings.catch_warnings(action="ignore"):  # one place alone has weight 1
            logits = np.array(model(ids[:, -length:]))[:, -1]  # (batch, size)
        p = next_probabilities(logits, temperature=temperature, top_k=top_k)
        new = (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1)
        new = np.minimum(new, p.shape[1] - 1)  # rounding
        ids = np.column_stack([ids, new]).astype("int32")
    return ids


# ---------------------------------------------------------------- masked tokens


def mask_tokens(ids, size, mask_id, rng, *, share=0.15):
    """Hide some ids, as BERT's training does (Devlin et al., 2019).

    Args:
        ids: (batch, time), below `size`.
        mask_id: the id that stands for a gap.
        rng: a `numpy.random.Generator`.
        share: which share is to be guessed. Of these 80 % become gaps, 10 % a random id,
            10 % stay, so that the model cannot trust what it sees.

    Returns (inputs, chosen): what the model sees, and True where it must guess.
    """
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share!r}")
    ids = np.asarray(ids)
    if ids.min() < 0 or ids.max() >= size:
        raise ValueError(f"ids: expected 0 to {size - 1}, got {ids.min()} to {ids.max()}")
    chosen, fate = rng.random(ids.shape) < share, rng.random(ids.shape)
    inputs = np.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = np.where(chosen & (fate >= 0.9), rng.integers(size, size=ids.shape), inputs)
    return inputs.astype("int32"), chosen
