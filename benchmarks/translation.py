"""Dates in thirteen languages, and English words as sounds: chapter 09's translator.

    python -m benchmarks.translation            five seeds of dates; about 10 minutes
    python -m benchmarks.translation --short    one seed of dates, a fifth of the words
    python -m benchmarks.translation --only dates --seeds 3

Dates: exact match on 1,000 days that were never seen, with attention and without, after
24,000 dates. Words: word and phoneme error rates on 2,000 held-out words of CMUdict, for
the share of the dictionary given; the digits that mark stress are dropped. Published, on
splits of their own: Yao & Zweig (2015) 23.55 % and 5.45 %, Rao et al. (2015) 21.3 %. CPU
seconds.
"""

import argparse
import time

import numpy as np

from dl_course import data, dates, lesson, translation

PLANS = {
    "fifth": {"share": 0.2, "epochs": 3, "units": 64, "batch_size": 96},
    "all": {
        "share": 0.95,
        "epochs": 4,
        "units": 128,
        "batch_size": 128,
        "learning_rate": 0.004,
    },
}


def dates_exact(seed, attention):
    """(exact match, CPU seconds) of one training on dates."""
    lesson.seed(seed)
    train, test = dates.date_pairs(24_000, 1000, np.random.default_rng(seed))
    letters = translation.number_symbols([dates.alphabet()])
    digits = translation.number_symbols(["0123456789-"])

    def numbers(pairs):
        sources = translation.encode([text for text, _, _ in pairs], letters, 32)
        return sources, translation.encode([iso for _, iso, _ in pairs], digits, 11)

    sizes = len(letters) + 2, len(digits) + 2
    model = translation.build_translator(*sizes, attention=attention)
    seconds = fit(model, *numbers(train), epochs=1, batch_size=64, learning_rate=0.01)
    sources, targets = numbers(test)
    found = translation.translate(model, sources, 11)
    return np.mean(np.all(found == targets, axis=1)), seconds


def words(share, epochs, *, units, batch_size, seed=0, learning_rate=0.01):
    """(word error rate, phoneme error rate, share of CMUdict trained on, CPU seconds)."""
    lesson.seed(seed)
    pairs = translation.pronunciations(data.cmudict(), np.random.default_rng(seed))
    test, rest = pairs[:2000], pairs[2000:]
    train = [pair for pair in rest if max(map(len, pair)) <= 12][: int(share * len(pairs))]
    letters = translation.number_symbols(word for word, _ in pairs)
    sounds = translation.number_symbols(spoken for _, spoken in pairs)
    sizes = len(letters) + 2, len(sounds) + 2
    model = translation.build_translator(*sizes, units=units, both_ways=True)
    sources = translation.encode([word for word, _ in train], letters, 13)
    targets = translation.encode([spoken for _, spoken in train], sounds, 13)
    options = {"batch_size": batch_size, "learning_rate": learning_rate}
    seconds = fit(model, sources, targets, epochs=epochs, **options)
    asked = translation.encode([word for word, _ in test], letters, 40)
    found = translation.decode(translation.translate(model, asked, 30), sounds)
    rates = translation.error_rates(found, [spoken for _, spoken in test])
    return *rates, len(train) / len(pairs), seconds


def fit(model, sources, targets, *, epochs, batch_size, learning_rate):
    """Train; return CPU seconds."""
    steps = epochs * -(-len(sources) // batch_size)
    translation.compile_translator(model, steps, learning_rate=learning_rate)
    start = time.process_time()
    given = [sources, translation.shift_right(targets)]
    model.fit(given, targets, batch_size=batch_size, epochs=epochs, verbose=0)
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one seed of dates, few words")
    parser.add_argument("--only", choices=["dates", *PLANS], help="one part only")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="of the dates, such as 1,2")
    options = parser.parse_args()
    seeds = [1] if options.short else [int(n) for n in options.seeds.split(",")]
    parts = ["dates", "fifth"] if options.short else ["dates", *PLANS]
    parts = [options.only] if options.only else parts
    if "dates" in parts:
        print("| dates, seed | attention | exact match | CPU s |")
        print("|--:|---|--:|--:|")
        for seed in seeds:
            for attention in (True, False):
                exact, seconds = dates_exact(seed, attention)
                name = "with" if attention else "without"
                print(f"| {seed} | {name} | {exact:.3f} | {seconds:.0f} |", flush=True)
        print()
    if set(parts) & set(PLANS):
        print("| words, share of CMUdict | units | epochs | WER | PER | CPU s |")
        print("|--:|--:|--:|--:|--:|--:|")
    for plan in (PLANS[part] for part in parts if part in PLANS):
        word_rate, sound_rate, share, seconds = words(**plan)
        row = f"{share:.0%} | {plan['units']} | {plan['epochs']} | {word_rate:.3f}"
        print(f"| {row} | {sound_rate:.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
