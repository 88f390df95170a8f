"""Characters of Alice: a tuned n-gram against a GRU that reads the book many times.

    python -m benchmarks.character_models             two seeds, about 10 minutes
    python -m benchmarks.character_models --short     one seed, 8 epochs, about 1 minute

Bits per character on the last tenth of the book; white space is collapsed. The n-gram
is chapter 06b's interpolated Kneser-Ney, its order and discount chosen on the test text,
which favors it. The GRU reads windows of 64 characters that start anew in each epoch; it
is scored with at least 100 characters before each one that counts. CPU seconds.
"""

import argparse
import time

import numpy as np

from dl_course import common, data, lesson, optimizers, text_rnn

SHARE = 0.9


def book():
    """(ids, alphabet): the whole text, white space collapsed."""
    text = " ".join(data.alice().split())
    alphabet = sorted(set(text))
    return np.array([alphabet.index(c) for c in text], np.int32), alphabet


def best_ngram(ids, size):
    """(bits, order, discount) of the best n-gram model."""
    cut, found = int(SHARE * len(ids)), []
    for order in (4, 5, 6, 7):
        tables = text_rnn.count_ngrams([ids[:cut].tolist()], order)
        for discount in (0.8, 0.9, 0.95):
            bits = text_rnn.ngram_bits(tables, [ids[cut:].tolist()], size, discount)
            found.append((bits, order, discount))
    return min(found)


def train(ids, size, epochs, number, *, units=256, window=64, batch=32):
    """A GRU model of the next character, trained from seed `number`."""
    import keras

    cut, rng = int(SHARE * len(ids)), np.random.default_rng(lesson.seed(number))
    model = text_rnn.build_writer(size, units=units, width=48, drop=0.4)
    steps = epochs * ((cut - 2 * window) // window // batch)
    schedule = optimizers.cosine_decay(0.004, steps, warmup_steps=steps // 10)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.02, global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    for _ in range(epochs):
        starts = np.arange(rng.integers(window), cut - window - 1, window)
        rows = ids[rng.permutation(starts)[:, None] + np.arange(window + 1)]
        settings = {"batch_size": batch, "verbose": 0}
        model.fit(rows[:, :-1], rows[:, 1:], **settings)
    return model


def bits(model, ids, context=100, length=300):
    """Bits per character of the held-out text, each with `context` before it."""
    import keras

    cut = int(SHARE * len(ids))
    starts = np.arange(cut - context, len(ids) - length, length - context)
    rows = ids[starts[:, None] + np.arange(length + 1)]
    logits = common.predict(model, rows[:, :-1], 32)[:, context:]
    each = keras.losses.sparse_categorical_crossentropy(
        rows[:, context + 1 :], logits, from_logits=True
    )
    return float(np.mean(each)) / np.log(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed, eight epochs")
    options = parser.parse_args()
    ids, alphabet = book()
    started = time.process_time()
    found, order, discount = best_ngram(ids, len(alphabet))
    print("| Alice | bits per character | CPU s |")
    print("|---|--:|--:|")
    name = f"n-gram, {order} characters, discount {discount}"
    print(f"| {name} | {found:.3f} | {time.process_time() - started:.0f} |")
    epochs = 8 if options.short else 30
    for number in [0] if options.short else [0, 1]:
        started = time.process_time()
        model = train(ids, len(alphabet), epochs, number)
        seconds = time.process_time() - started
        name = f"GRU of 256 units, {epochs} epochs, seed {number}"
        print(f"| {name} | {bits(model, ids):.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
