"""Text as sequences: ids, padding, a tagger, n-grams, a model that writes: chapter 06b.

Id 0 is padding, id 1 any unknown token; a vocabulary counts from 2. Arrays of ids are
int32 (batch, time).
"""

import functools
import math
import re
from collections import Counter

import numpy as np

from dl_course import common, data, optimizers, rnn

PADDING, UNKNOWN = 0, 1
TOKEN = re.compile(r"[a-z]+(?=n't)|n't|'?[a-z]+|\d+|[!?.]")

# ------------------------------------------------------------------- words and numbers


def tokens(text):
    """Lower-case words, numbers and ends of sentences: "It isn't!" → it is n't !"""
    return TOKEN.findall(text.lower())


def vocabulary(sequences, minimum=1):
    """Ids of all tokens that come at least `minimum` times, the most frequent first.

    Returns a dict {token: id}, with ids from 2.
    """
    counts = Counter(token for sequence in sequences for token in sequence)
    kept = [token for token, count in counts.most_common() if count >= minimum]
    return {token: number for number, token in enumerate(kept, start=2)}


def encode(sequences, ids, length):
    """Ids of each sequence, cut or padded behind to `length`: (batch, length) int32."""
    rows = np.full((len(sequences), common.count(length, "length")), PADDING, np.int32)
    for row, sequence in zip(rows, sequences, strict=True):
        row[: len(sequence)] = [ids.get(token, UNKNOWN) for token in sequence[:length]]
    return rows


def quatrains(rng):
    """Tang quatrains of four times five characters, shuffled, and their rows of ids.

    Ids: 0 starts a poem, from 2 the thousand most frequent characters of the first nine
    tenths of the poems (the training poems), 1 for any other.

    Returns (poems, cut, rows, ids): texts of 24 characters, marks included; how many are
    for training; int32 (poems, 25); {character: id}.
    """
    poems = [poem for _, _, poem in data.tang_quatrains() if len(poem) == 24]
    rng.shuffle(poems)
    cut = int(0.9 * len(poems))
    ranked = Counter("".join(poems[:cut])).most_common(1000)
    ids = {character: i for i, (character, _) in enumerate(ranked, start=2)}
    return poems, cut, np.pad(encode(poems, ids, 24), ((0, 0), (1, 0))), ids


def word_shape(word):
    """How a word looks, 1 to 9: 1984, 3rd, ?!, low, low-life, USA, I, Alice, iPod."""
    if word.isdigit():
        return 1
    if any(letter.isdigit() for letter in word):
        return 2
    if not any(letter.isalpha() for letter in word):
        return 3
    if word == word.lower():
        return 5 if "-" in word else 4
    if word == word.upper():
        return 6 if len(word) > 1 else 7
    return 8 if word[0].isupper() else 9


def word_features(sentences, words, suffixes):
    """(word id, id of the last three letters, shape) of each token.

    Args:
        sentences: lists of words.
        words, suffixes: vocabularies of lower-case words and of their last three letters.

    Returns a list of int32 arrays (tokens, 3).
    """
    known, rows = {}, []
    for sentence in sentences:
        for word in sentence:
            if word not in known:
                low = word.lower()
                pair = words.get(low, UNKNOWN), suffixes.get(low[-3:], UNKNOWN)
                known[word] = (*pair, word_shape(word))
        rows.append(np.array([known[word] for word in sentence], np.int32))
    return rows


def batches(features, labels, size, rng=None):
    """Batches of sentences of about one length: hardly any padding.

    Args:
        features: arrays (tokens, 3); labels: arrays (tokens,).
        rng: shuffles the batches, and sentences of equal length; None keeps the order.

    Yields (x, y, weights): (batch, time, 3), (batch, time), and 1 for a token, 0 for
    padding. The time is rounded up to a multiple of 8.
    """
    luck = np.arange(len(features)) if rng is None else rng.permutation(len(features))
    order = sorted(luck, key=lambda i: len(features[i]))
    starts = np.arange(0, len(order), size)
    for start in starts if rng is None else rng.permutation(starts):
        chosen = order[start : start + size]
        time = -(-max(len(features[i]) for i in chosen) // 8) * 8
        x, y = np.zeros((len(chosen), time, 3), np.int32), np.zeros((len(chosen), time))
        for row, i in enumerate(chosen):
            x[row, : len(features[i])], y[row, : len(labels[i])] = features[i], labels[i]
        yield x, y.astype(np.int32), (x[:, :, 0] != PADDING).astype(np.float32)


# ------------------------------------------------------------------------- the models


def most_frequent(sentences, tags, unknown):
    """The tag that each word had most often; returns a function words → tags.

    Words never seen get the tag `unknown`.
    """
    counts = {}
    for words, their_tags in zip(sentences, tags, strict=True):
        for word, tag in zip(words, their_tags, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
    best = {word: tally.most_common(1)[0][0] for word, tally in counts.items()}
    return lambda words: [best.get(word, unknown) for word in words]


def build_sentiment(size, *, units=32, width=32, drop=0.5):
    """Token ids (batch, time) → one logit a sequence. Uncompiled.

    A GRU reads in both directions; the mean of its states over time goes on.
    """
    import keras
    from keras import layers

    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(size, width, mask_zero=True)(ids)
    x = layers.Dropout(drop)(x)
    x = layers.Bidirectional(layers.GRU(units, return_sequences=True))(x)
    x = layers.GlobalAveragePooling1D()(x)  # knows the mask
    return keras.Model(ids, layers.Dense(1)(layers.Dropout(drop)(x)))


def build_tagger(words, suffixes, tags, *, units=48):
    """Features (batch, time, 3) → logits (batch, time, tags). Uncompiled.

    `words`, `suffixes`, `tags`: how many there are, the two special ids included.
    """
    import keras
    from keras import layers

    x = keras.Input((None, 3), dtype="int32")
    parts = [  # all three need the mask: joined, one without it would mean "all count"
        layers.Embedding(words, 48, mask_zero=True)(x[:, :, 0]),
        layers.Embedding(suffixes, 32, mask_zero=True)(x[:, :, 1]),
        layers.Embedding(10, 8, mask_zero=True)(x[:, :, 2]),
    ]
    h = layers.Dropout(0.1)(layers.Concatenate()(parts))
    h = layers.Bidirectional(layers.GRU(units, return_sequences=True))(h)
    return keras.Model(x, layers.Dense(tags)(layers.Dropout(0.1)(h)))


def build_writer(size, *, units=192, width=64, drop=0.3):
    """Ids (batch, time) → logits of the *next* id (batch, time, size). Uncompiled."""
    import keras
    from keras import layers

    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(size, width)(ids)
    x = layers.GRU(units, return_sequences=True)(layers.Dropout(0.1)(x))
    return keras.Model(ids, layers.Dense(size)(layers.Dropout(drop)(x)))


def train_writer(
    model, ids, *, epochs, learning_rate=0.006, batch_size=32, callbacks=(), optimizer=None
):
    """Fit the next id at every place of `ids` (n, time). The learning rate rises, falls.

    optimizer: a function of the learning rate's schedule; AdamW if None.
    """
    import keras

    steps = epochs * math.ceil(len(ids) / batch_size)
    schedule = optimizers.cosine_decay(learning_rate, steps, warmup_steps=steps // 10)
    settings = {"weight_decay": 0.02, "global_clipnorm": 1.0}
    optimizer = optimizer or functools.partial(keras.optimizers.AdamW, **settings)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(schedule), loss)
    settings = {"batch_size": batch_size, "epochs": epochs, "verbose": 0}
    model.fit(ids[:, :-1], ids[:, 1:], callbacks=[*callbacks], **settings)


def write(model, start, length, rng, *, temperature=1.0, without=()):
    """Let `build_writer`'s model go on: draw an id, read it, draw the next.

    Args:
        start: ids (batch, time ≥ 1) to begin with.
        temperature: probabilities become p^(1 / temperature), renormalized.
        without: ids that are never drawn.

    The GRU steps are chapter 06's, with the model's weights. Returns (batch, length).
    """
    common.positive(temperature, "temperature")
    weights = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    (table,), gru, (dense, bias) = weights
    ids = np.array(start)
    _, state = rnn.run(rnn.gru_step, table[ids], gru)
    while ids.shape[1] < length:
        logits = (state[0] @ dense + bias) / temperature
        logits[:, list(without)] = -np.inf
        gumbel = -np.log(-np.log(rng.random(logits.shape)))  # argmax draws from softmax
        new = np.argmax(logits + gumbel, axis=1)
        ids = np.column_stack([ids, new])
        state = rnn.gru_step(table[new], state, *gru)
    return ids


# --------------------------------------------------------------------------- n-grams


def count_ngrams(sequences, order):
    """Kneser-Ney counts: tables[k] tells what followed each k tokens.

    The highest order counts how often; each lower one, after how many different tokens.
    Returns a list of dicts {context: Counter of next tokens}, for contexts of 0 … order.
    """
    grams = Counter(
        tuple(s[i : i + order + 1]) for s in sequences for i in starts(s, order)
    )
    tables = []
    for _ in range(order + 1):
        table = {}
        for gram, count in grams.items():
            table.setdefault(gram[:-1], Counter())[gram[-1]] += count
        tables.append(table)
        grams = Counter(gram[1:] for gram in grams)
    return tables[::-1]


def starts(sequence, order):
    """Where n-grams of order + 1 tokens begin."""
    return range(len(sequence) - order)


def ngram_probability(tables, context, token, size, discount=0.9):
    """Interpolated Kneser-Ney (1995): p(token | context) over `size` tokens.

    p_k = (max(count - d, 0) + d · kinds · p_{k-1}) / total, from p = 1 / size upward.
    """
    p = 1 / size
    for k, table in enumerate(tables):
        followers = table.get(tuple(context[len(context) - k :]))
        if followers is None:
            break
        seen = max(followers[token] - discount, 0) + discount * len(followers) * p
        p = seen / followers.total()
    return p


def ngram_draw(tables, context, rng, discount=0.9):
    """Draw a token with `ngram_probability`, but none that was never seen.

    It comes from the longest context, or from one shorter.
    """
    for k in reversed(range(len(tables))):
        followers = tables[k].get(tuple(context[len(context) - k :]))
        if followers is None:
            continue
        total = followers.total()
        if rng.random() * total >= discount * len(followers) or k == 0:
            choices, counts = zip(*followers.items(), strict=True)
            weights = np.maximum(np.array(counts) - discount, 1e-9)
            return choices[rng.choice(len(choices), p=weights / weights.sum())]
    raise ValueError("tables: expected counts of at least one token")


def ngram_bits(tables, sequences, size, discount=0.9):
    """Mean of -log₂ p over all tokens that have a whole context before them."""
    order, bits = len(tables) - 1, []
    for s in sequences:
        for i in range(order, len(s)):
            p = ngram_probability(tables, s[i - order : i], s[i], size, discount)
            bits.append(-np.log2(p))
    return float(np.mean(bits))
