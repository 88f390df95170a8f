"""Characters of Tang quatrains and of Alice: chapter 09b's Transformer beside 06b's GRU.

    python -m benchmarks.transformer             three seeds, about 15 minutes
    python -m benchmarks.transformer --short     one seed of the quatrains, about 2 minutes
    python -m benchmarks.transformer --only quatrains --seeds 2

Both models read the same text in batches of 32. The GRU trains again, with more passes,
until one run has cost it the Transformer's CPU seconds or more: that run counts. Bits per
character on text that was held out.
"""

import argparse
import time
from collections import Counter

import numpy as np

from benchmarks import character_models
from dl_course import data, lesson, text_rnn, transformer


def quatrains():
    """(rows of 25 ids, number of training rows): as in chapters 06b and 09b."""
    poems = [poem for _, _, poem in data.tang_quatrains() if len(poem) == 24]
    np.random.default_rng(2).shuffle(poems)
    cut = int(0.9 * len(poems))
    ranked = Counter("".join(poems[:cut])).most_common(1000)
    ids = {character: i for i, (character, _) in enumerate(ranked, start=2)}
    return np.pad(text_rnn.encode(poems, ids, 24), ((0, 0), (1, 0))), cut


def alice(window=64):
    """(rows of window + 1 ids, number of training rows, number of characters)."""
    ids, alphabet = character_models.book()
    cut = int(character_models.SHARE * len(ids))
    train = transformer.pieces(ids[:cut], window + 1, window // 2)
    test = transformer.pieces(ids[cut:], window + 1, window)
    return np.concatenate([train, test]), len(train), len(alphabet)


def train(model, rows, epochs, rate, size):
    """Train; return CPU seconds."""
    start = time.process_time()
    text_rnn.train_writer(model, rows, epochs=epochs, rate=rate, size=size)
    return time.process_time() - start


def compare(name, seed, rows, cut, size, epochs, sizes, units):
    """Print both models' rows of the table."""
    lesson.seed(seed)
    length = rows.shape[1] - 1
    model = transformer.build_transformer(size, length, **sizes)
    budget = train(model, rows[:cut], epochs, 0.005, 32)
    row(name, seed, "Transformer", model, rows[cut:], epochs, budget)
    passes, ran, seconds = epochs, 0, 0
    while seconds < budget:
        lesson.seed(seed)
        model = text_rnn.build_writer(size, units=units)
        ran, seconds = passes, train(model, rows[:cut], passes, 0.006, 32)
        passes = max(passes + 1, int(passes * budget / seconds))
    row(name, seed, "GRU", model, rows[cut:], ran, seconds)


def row(name, seed, kind, model, rows, epochs, seconds):
    bits = transformer.bits_per_character(model, rows)
    sizes = f"{model.count_params():,} | {epochs}"
    print(
        f"| {name} | {seed} | {kind} | {sizes} | {bits:.3f} | {seconds:.0f} |", flush=True
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed of the quatrains")
    parser.add_argument("--only", choices=["quatrains", "Alice"], help="one text only")
    parser.add_argument("--seeds", default="0,1,2", help="such as 1,2")
    options = parser.parse_args()
    seeds = [0] if options.short else [int(n) for n in options.seeds.split(",")]
    texts = [options.only] if options.only else ["quatrains", "Alice"][: 2 - options.short]
    print("| text | seed | model | parameters | passes | bits per character | CPU s |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for seed in seeds:
        if "quatrains" in texts:
            rows, cut = quatrains()
            compare("quatrains", seed, rows, cut, 1002, 3, {"width": 120, "blocks": 1}, 192)
        if "Alice" in texts:
            rows, cut, size = alice()
            compare("Alice", seed, rows, cut, size, 8, {"width": 128}, 256)


if __name__ == "__main__":
    main()
