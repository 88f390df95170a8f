"""The translator: numbers for symbols, masks, decoding, edit distances."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_course import attention, data
from dl_course import translation as tr

SOME = settings(max_examples=100, derandomize=True, deadline=None, database=None)
WORDS = st.lists(st.text("abc", max_size=6), min_size=1, max_size=5)


# ---------------------------------------------------------------- numbers


@given(WORDS)
@SOME
def test_encoding_and_decoding_lose_nothing(words):
    numbers = tr.number_symbols(["abc"])
    rows = tr.encode(words, numbers, 7)
    assert rows.shape == (len(words), 7)
    assert ["".join(symbols) for symbols in tr.decode(rows, numbers)] == words
    assert np.all((rows == tr.BOUNDARY).sum(axis=1) == 1)


def test_numbers_count_from_two_in_order():
    assert tr.number_symbols(["ba", "cb"]) == {"a": 2, "b": 3, "c": 4}
    assert tr.number_symbols([["CH", "AA"]]) == {"AA": 2, "CH": 3}


def test_the_decoder_sees_the_past_only():
    rows = np.array([[5, 6, 1, 0], [7, 1, 0, 0]])
    np.testing.assert_array_equal(tr.shift_right(rows), [[1, 5, 6, 1], [1, 7, 1, 0]])


# ---------------------------------------------------------------- the model


@functools.cache
def model(**options):
    keras.utils.set_random_seed(0)
    return tr.build_translator(6, 7, units=5, **options)


def batch():
    rng = np.random.default_rng(0)
    sources = rng.integers(2, 6, size=(3, 8)).astype("int32")
    sources[:, -1] = 1
    return sources, rng.integers(2, 7, size=(3, 4)).astype("int32")


each_kind = pytest.mark.parametrize(
    "options", [{}, {"attention": False}, {"both_ways": True}], ids=str
)


@each_kind
def test_padding_changes_nothing(options):
    sources, shifted = batch()
    padded = np.pad(sources, [(0, 0), (0, 3)])
    np.testing.assert_allclose(
        model(**options)([sources, shifted]), model(**options)([padded, shifted]), atol=1e-5
    )


@each_kind
def test_no_symbol_sees_later_symbols(options):
    sources, shifted = batch()
    before = np.array(model(**options)([sources, shifted]))
    changed = shifted.copy()
    changed[:, 2] = 1
    after = np.array(model(**options)([sources, changed]))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert np.abs(before[:, 2:] - after[:, 2:]).max() > 0


@each_kind
def test_translation_feeds_back_its_own_symbols(options):
    sources, _ = batch()
    rows = tr.translate(model(**options), sources, 5)
    logits = model(**options)([sources, tr.shift_right(rows)])  # all steps at once
    np.testing.assert_array_equal(rows, np.argmax(logits, axis=-1))


def test_without_attention_the_decoder_has_the_last_state_only():
    sources, shifted = batch()
    plain = model(attention=False)
    encoder, decoder = plain.get_layer("encoder"), plain.get_layer("decoder")
    assert len(decoder.inputs) == 2  # Keras 3.13 refuses inputs that nothing uses
    logits, _ = decoder([shifted, np.array(encoder(sources)[1])])
    np.testing.assert_allclose(logits, plain([sources, shifted]), atol=1e-6)
    with pytest.raises(ValueError, match="attention"):
        tr.alignment(plain, sources, shifted)


def test_alignment_is_our_attention():
    sources, targets = batch()
    sources[0, 5:] = [1, 0, 0]
    weights = tr.alignment(model(), sources, targets)
    assert weights.shape == (3, 4, 8)
    np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-5)
    assert np.all(weights[0, :, 6:] == 0)
    memory, state = map(np.array, model().get_layer("encoder")(sources))
    decoder = model().get_layer("decoder")
    inner = keras.Model(decoder.inputs, decoder.get_layer("attention").input[0])
    y = np.array(inner([tr.shift_right(targets), state, memory, sources]))
    _, ours = attention.multi_head_attention(
        y,
        np.array(memory),
        decoder.get_layer("attention").get_weights(),
        (sources != 0)[:, None],
    )
    assert np.abs(ours[:, 0] - weights).max() <= 1e-5


def test_it_learns_to_reverse():
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcd"), size=4)) for _ in range(1200)]
    numbers = tr.number_symbols(["abcd"])
    sources = tr.encode(words, numbers, 5)
    targets = tr.encode([word[::-1] for word in words], numbers, 5)
    reverser = tr.build_translator(6, 6, units=24)
    tr.compile_translator(reverser, 120, learning_rate=0.02)
    reverser.fit(
        [sources, tr.shift_right(targets)], targets, batch_size=40, epochs=4, verbose=0
    )
    found = tr.decode(tr.translate(reverser, sources[:200], 5), numbers)
    right = [list(word[::-1]) for word in words[:200]]
    assert tr.error_rates(found, right)[0] < 0.1


# ---------------------------------------------------------------- pronunciation


@functools.cache
def slow_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    same = a[0] == b[0]
    rest = slow_distance(a[1:], b), slow_distance(a, b[1:])
    return min(1 + min(rest), slow_distance(a[1:], b[1:]) + (not same))


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
@SOME
def test_edit_distance_is_the_recursive_one(a, b):
    assert tr.edit_distance(a, b) == slow_distance(a, b) == tr.edit_distance(b, a)


def test_error_rates():
    right = [["K", "AE", "T"], ["D", "AO", "G"]]
    assert tr.error_rates(right, right) == (0, 0)
    words, symbols = tr.error_rates([["K", "AE"], ["D", "AO", "G"]], right)
    assert (words, symbols) == (0.5, 1 / 6)


def test_pronunciations_are_plain():
    dictionary = data.cmudict()
    pairs = tr.pronunciations(dictionary, np.random.default_rng(0))
    spelled = dict(pairs)
    assert len(spelled) == len(pairs) > 115_000
    assert spelled["cat"] == ["K", "AE", "T"]
    assert "o'clock" in dictionary
    assert "o'clock" not in spelled
    assert len(tr.number_symbols(spelled.values())) == 39


NUMBERS = {"a": 2}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: tr.encode(["ab"], NUMBERS, 5), "sequences"),
        (lambda: tr.encode(["aaa"], NUMBERS, 3), "length"),
        (lambda: tr.error_rates([], []), "found"),
        (lambda: tr.error_rates(["a"], ["a", "b"]), "found"),
    ],
)
def test_a_wrong_argument_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        call()
