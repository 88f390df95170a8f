"""Chapter 06b's module against Keras, brute force and closed forms."""

from collections import Counter

import keras
import numpy as np
import pytest

from dl_course import rnn, text_rnn

SENTENCES = [["the", "cat", "sat"], ["the", "dog"], ["the", "cat", "ran", "home", "."]]


# ---------------------------------------------------------------- words and numbers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It isn't good!", ["it", "is", "n't", "good", "!"]),
        ("Jackson's film, 1999.", ["jackson", "'s", "film", "1999", "."]),
        ("can't", ["ca", "n't"]),
        ("", []),
    ],
)
def test_tokens(text, expected):
    assert text_rnn.tokens(text) == expected


def test_a_vocabulary_counts_from_two_the_most_frequent_first():
    ids = text_rnn.vocabulary(SENTENCES)
    assert ids["the"] == 2
    assert ids["cat"] == 3
    assert sorted(ids.values()) == list(range(2, 9))
    assert set(text_rnn.vocabulary(SENTENCES, minimum=2)) == {"the", "cat"}


def test_encode_pads_behind_cuts_and_knows_unknown_words():
    ids = text_rnn.vocabulary(SENTENCES, minimum=2)
    rows = text_rnn.encode([["the", "axolotl"], [], SENTENCES[2]], ids, 4)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[2, 1, 0, 0], [0, 0, 0, 0], [2, 3, 1, 1]]


def test_encode_reads_strings_character_by_character():
    assert text_rnn.encode(["aba"], {"a": 2, "b": 3}, 3).tolist() == [[2, 3, 2]]


@pytest.mark.parametrize(
    ("word", "shape"),
    [("1984", 1), ("3rd", 2), ("?!", 3), ("low", 4), ("low-life", 5), ("USA", 6), ("I", 7),
     ("Alice", 8), ("iPod", 9)],
)  # fmt: skip
def test_shapes_of_words(word, shape):
    assert text_rnn.word_shape(word) == shape


def test_features_of_words():
    words, suffixes = {"cats": 2}, {"ats": 2, "ogs": 3}
    (rows,) = text_rnn.word_features([["Cats", "dogs", "42"]], words, suffixes)
    assert rows.tolist() == [[2, 2, 8], [1, 3, 4], [1, 1, 1]]


def test_batches_hold_every_token_once_with_its_label_and_little_padding():
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 60, 101)
    features = [rng.integers(1, 50, (size, 3)).astype(np.int32) for size in sizes]
    labels = [10 * rows[:, 0] + rows[:, 2] for rows in features]
    seen, places = Counter(), 0
    for x, y, weights in text_rnn.batches(features, labels, 10, rng):
        assert x.shape == (*y.shape, 3)
        assert y.shape == weights.shape
        assert x.shape[1] % 8 == 0
        kept = weights > 0
        assert np.array_equal(y[kept], 10 * x[kept][:, 0] + x[kept][:, 2])
        assert not x[~kept].any()
        seen.update(map(tuple, x[kept]))
        places += weights.size
    assert seen == Counter(map(tuple, np.concatenate(features)))
    assert places < 1.6 * sizes.sum()


def test_batches_keep_their_order_without_a_generator():
    features = [np.full((size, 3), size, np.int32) for size in (5, 2, 9)]
    labels = [np.zeros(size) for size in (5, 2, 9)]
    first = [x[:, 0, 0].tolist() for x, _, _ in text_rnn.batches(features, labels, 2)]
    assert first == [[2, 5], [9]]


# ---------------------------------------------------------------- models


def test_most_frequent_is_what_counting_says():
    tag = text_rnn.most_frequent([["a", "b", "a"], ["a", "b"]], [[1, 5, 2], [2, 4]], 9)
    assert tag(["a", "b", "zzz"]) == [2, 5, 9]


@pytest.mark.parametrize("extra", [1, 20])
def test_padding_changes_no_answer(extra):
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(2)
    tagger = text_rnn.build_tagger(50, 30, 12, units=8)
    x = rng.integers(1, 10, (4, 6, 3))
    longer = np.pad(x, ((0, 0), (0, extra), (0, 0)))
    apart = np.array(tagger(longer))[:, :6] - np.array(tagger(x))
    assert np.abs(apart).max() <= 1e-6
    sentiment = text_rnn.build_sentiment(50, units=8)
    words = rng.integers(1, 50, (4, 6))
    apart = np.array(sentiment(np.pad(words, ((0, 0), (0, extra))))) - sentiment(words)
    assert np.abs(apart).max() <= 1e-6


def test_shapes_of_the_models():
    assert text_rnn.build_tagger(50, 30, 12).output_shape == (None, None, 12)
    assert text_rnn.build_sentiment(50).output_shape == (None, 1)
    assert text_rnn.build_writer(50, units=8).output_shape == (None, None, 50)


def test_the_writer_learns_a_cycle_and_writes_it():
    keras.utils.set_random_seed(3)
    rows = (np.arange(9) + np.arange(200)[:, None]) % 4 + 2
    model = text_rnn.build_writer(6, units=16, width=8, drop=0.0)
    text_rnn.train_writer(model, rows, epochs=25, learning_rate=0.03)
    rng = np.random.default_rng(3)
    written = text_rnn.write(model, [[2], [4]], 9, rng, temperature=0.2)
    assert written.shape == (2, 9)
    steps = np.diff(written, axis=1) % 4
    assert np.mean(steps == 1) >= 0.95


def test_writing_draws_from_the_models_own_probabilities():
    keras.utils.set_random_seed(4)
    model = text_rnn.build_writer(5, units=6, width=4)
    model.layers[-1].bias.assign([2.0, 0.0, -1.0, 1.0, 0.0])  # far from all alike
    start = np.tile([[1, 3]], (20_000, 1))
    new = text_rnn.write(model, start, 3, np.random.default_rng(4))[:, 2]
    logits = np.array(model(start[:1]))[0, -1]
    expected = np.exp(logits) / np.exp(logits).sum()
    assert expected.max() > 10 * expected.min()
    assert np.abs(np.bincount(new, minlength=5) / 20_000 - expected).max() <= 0.015


def test_what_is_left_out_is_never_written():
    keras.utils.set_random_seed(5)
    model = text_rnn.build_writer(5, units=6, width=4)
    rng = np.random.default_rng(5)
    written = text_rnn.write(model, np.zeros((50, 1), int), 20, rng, without=(0, 3))
    assert set(np.unique(written[:, 1:])) == {1, 2, 4}


# ---------------------------------------------------------------- n-grams

TEXT = "the cat sat on the mat and the cat ran to the dog that sat on the hat " * 3


@pytest.mark.parametrize("order", [0, 1, 3])
def test_ngram_probabilities_sum_to_one_after_any_context(order):
    tables = text_rnn.count_ngrams([TEXT], order)
    letters = sorted(set(TEXT))
    for context in (TEXT[:10], "zzzz", "e ca", "q th"):
        total = sum(
            text_rnn.ngram_probability(tables, context, c, len(letters), 0.7)
            for c in letters
        )
        assert np.isclose(total, 1)


def test_without_discount_the_highest_order_is_relative_frequency():
    tables = text_rnn.count_ngrams([TEXT], 2)
    after = Counter(TEXT[i + 2] for i in range(len(TEXT) - 2) if TEXT[i : i + 2] == "he")
    p = text_rnn.ngram_probability(tables, "xhe", " ", 15, discount=0.0)
    assert np.isclose(p, after[" "] / after.total())


def test_lower_orders_count_kinds_of_contexts():
    tables = text_rnn.count_ngrams(["abcbcbcdc"], 1)
    assert tables[0][()] == Counter({"c": 2, "b": 2, "d": 1})  # after b, d; a, c; c
    assert tables[1][("b",)] == Counter({"c": 3})


def test_bits_are_the_mean_of_minus_log2():
    tables = text_rnn.count_ngrams([TEXT], 2)
    new = "the dog sat"
    p = [text_rnn.ngram_probability(tables, new[:i], new[i], 20) for i in range(2, 11)]
    assert np.isclose(text_rnn.ngram_bits(tables, [new], 20), -np.mean(np.log2(p)))


@pytest.mark.parametrize("context", ["the", "xa"])  # one successor, and three
def test_draws_follow_the_probabilities(context):
    text = TEXT[:23] + "aaabacac"
    tables = text_rnn.count_ngrams([text], 1)
    letters, rng, d = sorted(set(text)), np.random.default_rng(5), 0.6
    drawn = Counter(text_rnn.ngram_draw(tables, context, rng, d) for _ in range(20_000))
    shorter, longer = tables[0][()], tables[1][(context[-1],)]
    rest = d * len(longer) / longer.total()
    left = shorter.total() - d * len(shorter)  # what was never seen is never drawn
    for c in letters:
        p = max(longer[c] - d, 0) / longer.total() + rest * (shorter[c] - d) / left
        assert abs(drawn[c] / 20_000 - p) <= 0.012


# ---------------------------------------------------------------- quatrains


def test_quatrains_number_what_is_frequent_among_the_training_poems():
    poems, cut, rows, ids = text_rnn.quatrains(np.random.default_rng(0))
    assert rows.shape == (len(poems), 25) and cut == int(0.9 * len(poems))
    assert {len(poem) for poem in poems} == {24} and not rows[:, 0].any()
    counts = Counter("".join(poems[:cut]))
    assert sorted(ids.values()) == list(range(2, 1002))
    rare = max(count for character, count in counts.items() if character not in ids)
    assert min(counts[character] for character in ids) >= rare
    shown = {i: character for character, i in ids.items()}
    for poem, row in zip(poems, rows, strict=True):
        assert all(shown.get(i, c) == c for i, c in zip(row[1:], poem, strict=True))
        assert all((i == 1) == (c not in ids) for i, c in zip(row[1:], poem, strict=True))


def test_quatrains_are_shuffled_by_the_generator():
    first, again, other = (
        text_rnn.quatrains(np.random.default_rng(n))[0] for n in (1, 1, 2)
    )
    assert first == again != other and sorted(first) == sorted(other)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: text_rnn.encode([["a"]], {}, 0), "length: expected an integer ≥ 1, got 0"),
        (lambda: text_rnn.write(None, [[0]], 3, None, temperature=0), "temperature: .*> 0"),
        (lambda: text_rnn.ngram_draw([{}], "a", np.random.default_rng(0)), "tables: "),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_writers_step_is_chapter_06s():
    keras.utils.set_random_seed(6)
    model = text_rnn.build_writer(7, units=5, width=3)
    ids = np.random.default_rng(6).integers(0, 7, (2, 8))
    (table,), gru, (dense, bias) = [
        layer.get_weights() for layer in model.layers if layer.get_weights()
    ]
    states, _ = rnn.run(rnn.gru_step, table[ids], gru)
    assert np.abs(states @ dense + bias - np.array(model(ids))).max() <= 1e-5
