"""Sequences to sequences: numbers for symbols, a GRU translator, edit distances.

Number 0 is padding, number 1 marks the boundary: it ends each target, and starts the
decoder. Symbols count from 2 on. Chapter 09 reads dates and pronounces words with it.
"""

import numpy as np

from dl_course import optimizers

PADDING, BOUNDARY = 0, 1


def number_symbols(sequences):
    """{symbol: number}, from 2 on, of all symbols in `sequences`, in sorted order."""
    symbols = sorted({symbol for sequence in sequences for symbol in sequence})
    return {symbol: number for number, symbol in enumerate(symbols, start=2)}


def encode(sequences, numbers, length):
    """Sequences of symbols as rows of numbers, (n, length) int32: boundary, then padding.

    Raises ValueError for an unknown symbol, and for a sequence that does not fit.
    """
    rows = np.full((len(sequences), length), PADDING, "int32")
    for row, sequence in zip(rows, sequences, strict=True):
        unknown = [symbol for symbol in sequence if symbol not in numbers]
        if unknown:
            raise ValueError(f"sequences: expected known symbols, got {unknown[0]!r}")
        if len(sequence) >= length:
            raise ValueError(
                f"length: expected > {len(sequence)} for {sequence!r}, got {length}"
            )
        row[: len(sequence)] = [numbers[symbol] for symbol in sequence]
        row[len(sequence)] = BOUNDARY
    return rows


def decode(rows, numbers):
    """The lists of symbols in rows of numbers, each up to its first boundary or padding."""
    symbols = {number: symbol for symbol, number in numbers.items()}
    sequences = []
    for row in np.asarray(rows).tolist():
        ends = [i for i, number in enumerate(row) if number in (PADDING, BOUNDARY)]
        sequences.append([symbols[number] for number in row[: (ends or [len(row)])[0]]])
    return sequences


def shift_right(targets):
    """What the decoder sees: the boundary, then each target but the last. (n, length)"""
    targets = np.asarray(targets)
    return np.concatenate([np.full_like(targets[:, :1], BOUNDARY), targets[:, :-1]], axis=1)


def build_translator(num_inputs, num_outputs, *, units=48, attention=True, both_ways=False):
    """A GRU encoder and a GRU decoder, with attention between them or without.

    Inputs: sources (batch, n) and targets shifted right (batch, m), int32 numbers below
    `num_inputs` and `num_outputs`. Output: logits (batch, m, num_outputs).

    Without attention, all that the decoder learns of a source is the encoder's last
    state. With it, each decoder state also asks all encoder states (Luong et al., 2015).
    `both_ways` adds an encoder that reads backwards. Uncompiled.
    """
    import keras

    source = keras.Input((None,), dtype="int32", name="source")
    shifted = keras.Input((None,), dtype="int32", name="shifted")
    encoder = _build_encoder(num_inputs, units, both_ways)
    memory, state = encoder(source)
    decoder = _build_decoder(num_outputs, units, memory.shape[-1], attention)
    given = [shifted, state, memory, source]  # the first two do without attention
    logits, _ = decoder(given[: len(decoder.inputs)])
    return keras.Model([source, shifted], logits)


def _build_encoder(num_inputs, units, both_ways):
    import keras
    from keras import layers

    source = keras.Input((None,), dtype="int32")
    gru = {"units": units, "return_sequences": True, "return_state": True}
    x = layers.Embedding(num_inputs, units, mask_zero=True)(source)
    if not both_ways:
        return keras.Model(source, layers.GRU(**gru)(x), name="encoder")
    memory, ahead, back = layers.Bidirectional(layers.GRU(**gru))(x)
    state = layers.Dense(units, "tanh")(layers.concatenate([ahead, back]))
    return keras.Model(source, [memory, state], name="encoder")


def _build_decoder(num_outputs, units, memory_size, attention):
    import keras
    from keras import layers, ops

    shifted = keras.Input((None,), dtype="int32")
    state = keras.Input((units,))
    given = [shifted, state]
    y = layers.Embedding(num_outputs, units)(shifted)
    y, new_state = layers.GRU(units, return_sequences=True, return_state=True)(
        y, initial_state=state
    )  # (batch, m, units)
    if attention:
        memory = keras.Input((None, memory_size))
        source = keras.Input((None,), dtype="int32")
        given += [memory, source]
        mask = ops.not_equal(source, PADDING)  # (batch, n): nobody asks padding
        context, _ = layers.MultiHeadAttention(1, units, name="attention")(
            y, memory, value_mask=mask, return_attention_scores=True
        )
        y = layers.Dense(units, "tanh")(layers.concatenate([y, context]))
    logits = layers.Dense(num_outputs)(y)
    return keras.Model(given, [logits, new_state], name="decoder")


def compile_translator(model, num_steps, *, learning_rate=0.005):
    """Cross-entropy without padding; Adam whose rate climbs, then sinks to zero."""
    import keras

    warm = num_steps // 10
    schedule = optimizers.cosine_decay(learning_rate, num_steps, warmup_steps=warm)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=PADDING
    )
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss)


def translate(model, sources, length):
    """The likeliest next symbol, again and again: (batch, length) numbers.

    Each symbol is fed back. What stands after the first boundary means nothing: `decode`
    drops it.
    """
    from keras import ops

    sources = ops.convert_to_tensor(sources, "int32")
    memory, state = map(ops.stop_gradient, model.get_layer("encoder")(sources))
    decoder = model.get_layer("decoder")
    symbols, rows = BOUNDARY * ops.ones_like(sources[:, :1]), []
    for _ in range(length):
        given = [symbols, state, memory, sources][: len(decoder.inputs)]
        logits, state = decoder(given)
        symbols = ops.argmax(logits, axis=-1)  # (batch, 1)
        rows.append(np.array(symbols))
    return np.concatenate(rows, axis=1)


def alignment(model, sources, targets):
    """Attention weights (batch, m, n) while the model writes `targets` (batch, m)."""
    import keras

    decoder = model.get_layer("decoder")
    weights = decoder.get_layer("attention").output[1]  # (batch, heads, m, n)
    viewer = keras.Model(decoder.inputs, weights)
    memory, state = map(np.array, model.get_layer("encoder")(np.asarray(sources)))
    given = [shift_right(targets), state, memory, np.asarray(sources)]
    return np.array(viewer(given))[:, 0]


# ---------------------------------------------------------------- pronunciation


def pronunciations(dictionary, rng):
    """Spelling and sound of every plain word, in random order: a list of pairs.

    Args:
        dictionary: `data.cmudict()`.
        rng: a `numpy.random.Generator`, for the order.

    Only words of the letters a to z; of each its first pronunciation, without the digits
    that mark stress, as in most published results.
    """
    words = sorted(w for w in dictionary if w.isascii() and w.isalpha() and w.islower())
    pairs = [(w, [p.rstrip("012") for p in dictionary[w][0]]) for w in words]
    return [pairs[i] for i in rng.permutation(len(pairs))]


def edit_distance(a, b):
    """Fewest insertions, deletions and replacements from a to b (Levenshtein, 1966)."""
    row = list(range(len(b) + 1))  # from nothing to b's beginnings
    for i, x in enumerate(a, start=1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]


def error_rates(found, right):
    """Shares of wrong words (WER), and of wrong symbols (PER: edits / length of `right`).

    found, right: lists of sequences.
    """
    if len(found) != len(right) or not right:
        raise ValueError(f"found: expected {len(right)} ≥ 1 sequences, got {len(found)}")
    edits = [edit_distance(a, b) for a, b in zip(found, right, strict=True)]
    return np.mean(np.array(edits) > 0), sum(edits) / sum(map(len, right))
