"""Characters of Tang quatrains and of Alice: chapter 09b's Transformer beside 06b's GRU.

    python -m benchmarks.transformer             three seeds, about 15 minutes
    python -m benchmarks.transformer --short     one seed of the quatrains, about 2 minutes
    python -m benchmarks.transformer --only quatrains --seeds 2

The Transformer is chapter 09b's, a little wider, with a smaller learning rate and a pass
more than there; then the same with Muon (Jordan et al., 2024). The GRU is chapter 06b's:
it trains again, with more passes, until one run has cost it the CPU seconds of the dearer
Transformer or more: its last row counts. `--muon` lets the GRU have Muon, too. Batches of
32; bits per character on text that was held out.
"""

import argparse
import functools
import time

import numpy as np

from benchmarks import character_models
from dl_course import lesson, text_rnn, transformer


def pieces(ids, length, step=None):
    """Cut a long row of ids into rows of `length`, `step` apart (`length` if None)."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or len(ids) < length:
        raise ValueError(f"ids: expected one row of at least {length}, got {ids.shape}")
    starts = np.arange(0, len(ids) - length + 1, length if step is None else step)
    return ids[starts[:, None] + np.arange(length)]


def alice(window=64):
    """(rows of window + 1 ids, number of training rows, number of characters)."""
    ids, alphabet = character_models.book()
    cut = int(character_models.SHARE * len(ids))
    train = pieces(ids[:cut], window + 1, window // 2)
    test = pieces(ids[cut:], window + 1, window)
    return np.concatenate([train, test]), len(train), len(alphabet)


def train(model, rows, epochs, learning_rate, optimizer=None):
    """Train as the chapters do; return CPU seconds."""
    start = time.process_time()
    settings = {"learning_rate": learning_rate, "optimizer": optimizer}
    text_rnn.train_writer(model, rows, epochs=epochs, **settings)
    return time.process_time() - start


def train_with_muon(model, rows, epochs, adam_share):
    """The same plan, with Muon for the matrices inside.

    Embeddings, vectors and the last layer have Adam, at `adam_share` of the rate.
    """
    import keras

    settings = {"weight_decay": 0.02, "adam_weight_decay": 0.02, "global_clipnorm": 1.0}
    settings |= {"adam_lr_ratio": adam_share, "exclude_layers": [model.layers[-1].name]}
    muon = functools.partial(keras.optimizers.Muon, **settings)
    return train(model, rows, epochs, 0.02, muon)


def compare(name, seed, rows, cut, size, epochs, sizes, units, muon):
    """Print the models' rows of the table."""

    def run(kind, build, train, passes, setting):
        lesson.seed(seed)
        model = build()
        seconds = train(model, rows[:cut], passes, setting)
        row(name, seed, kind, model, rows[cut:], passes, seconds)
        return seconds

    def attention():
        length = rows.shape[1] - 1
        return transformer.build_transformer(size, length, drop=0.0, **sizes)

    def recurrent():
        return text_rnn.build_writer(size, units=units)

    budget = max(
        run("Transformer", attention, train, epochs, 0.0025),
        run("Transformer, Muon", attention, train_with_muon, epochs, 0.15),
    )
    rivals = [("GRU", train, 0.006)] + [("GRU, Muon", train_with_muon, 0.3)] * muon
    for kind, recipe, setting in rivals:
        passes, seconds = epochs, 0
        while seconds < budget:
            seconds = run(kind, recurrent, recipe, passes, setting)
            passes = max(passes + 1, int(passes * budget / seconds))


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
    parser.add_argument("--muon", action="store_true", help="the GRU with Muon, too")
    options = parser.parse_args()
    muon = options.muon
    seeds = [0] if options.short else [int(n) for n in options.seeds.split(",")]
    texts = [options.only] if options.only else ["quatrains", "Alice"][: 2 - options.short]
    print("| text | seed | model | parameters | passes | bits per character | CPU s |")
    print("|---|--:|---|--:|--:|--:|--:|")
    for seed in seeds:
        if "quatrains" in texts:
            _, cut, rows, _ = text_rnn.quatrains(np.random.default_rng(2))
            sizes = {"width": 120, "blocks": 1}
            compare("quatrains", seed, rows, cut, 1002, 3, sizes, 192, muon)
        if "Alice" in texts:
            rows, cut, size = alice()
            compare("Alice", seed, rows, cut, size, 8, {"width": 128}, 256, muon)


if __name__ == "__main__":
    main()
