"""Texts: a tagged corpus, rated sentences, books, poems, a pronouncing dictionary."""

import numpy as np

from dl_course.data.files import read_rows, read_text

COARSE_TAGS = {
    "NOUN": ("nn", "np", "nr"),
    "VERB": ("vb", "be", "do", "hv", "md"),
    "ADJ": ("jj",),
    "ADV": ("rb", "rn", "ql", "wrb", "wql", "*"),
    "PRON": ("pp", "pn", "wp"),
    "DET": ("at", "dt", "ab", "ap", "wdt", "ex"),
    "ADP": ("in",),
    "CONJ": ("cc", "cs"),
    "NUM": ("cd", "od"),
    "PRT": ("to", "rp"),
}


def brown():
    """The tagged Brown corpus (Francis & Kučera, 1964, 1979): 57,340 sentences.

    Returns a list of (document, words, tags): the document's name, such as "ca01" (its
    second letter is the genre), a list of words and an equally long list of Brown tags.
    """
    sentences = []
    for document, line in read_rows("brown.txt.xz"):
        pairs = [token.rsplit("/", 1) for token in line.split(" ")]
        sentences.append((document, [p[0] for p in pairs], [p[1] for p in pairs]))
    return sentences


def coarse_tag(tag):
    """One of 12 word classes for a Brown tag: "nn-tl" → "NOUN", "," → ".".

    In the manner of the universal tag set (Petrov, Das & McDonald, 2012): NOUN, VERB,
    ADJ, ADV, PRON, DET, ADP, CONJ, NUM, PRT, "." (punctuation) and X (anything else).
    Of a joined tag the first part counts: "ppss+ber" (you're) → "PRON".
    """
    tag = tag.removeprefix("fw-")
    for coarse, starts in COARSE_TAGS.items():
        if tag.startswith(starts):
            return coarse
    return "X" if tag[:1].isalpha() else "."


def movie_snippets():
    """Sentences from movie reviews, each rated by 20 people (Hutto & Gilbert, 2014).

    Returns (texts, scores): a list of 10,605 strings and (10605,) float64, the mean
    rating from -4 (very negative) to 4 (very positive).
    """
    rows = read_rows("movie-snippets.tsv.xz")
    return [text for _, text in rows], np.array([float(score) for score, _ in rows])


def alice():
    """Alice's Adventures in Wonderland (Carroll, 1865), one string with line breaks."""
    return read_text("alice.txt.xz").replace("\r\n", "\n").rstrip("\x1a")


def as_you_like_it():
    """As You Like It (Shakespeare, 1623), one string with line breaks and tabs."""
    return read_text("as-you-like-it.txt.xz")


def tang_quatrains():
    """Chinese poems of four lines of five or seven characters, traditional script.

    Returns a list of 14,136 (author, title, poem), from the Complete Tang Poems (1707).
    A poem is one string; each of its lines ends with a punctuation mark.
    """
    return [tuple(row) for row in read_rows("tang-quatrains.tsv.xz")]


def cmudict():
    """The CMU Pronouncing Dictionary: how 126,052 English words are spoken.

    Returns {word: list of pronunciations}, the usual one first; a pronunciation is a
    list of ARPAbet phonemes, with stress digits on vowels: "a" → [["AH0"], ["EY1"]].
    """
    words = {}
    for entry, phonemes in read_rows("cmudict.tsv.xz"):
        word = entry[:-3] if entry.endswith(")") else entry  # "a(2)": a second way
        words.setdefault(word, []).append(phonemes.split(" "))
    return words


def wordnet_glosses():
    """Definitions of nouns; the words that say what kind of thing it is are marked.

    Returns a list of 20,000 (lemma, word class, tokens, (start, end)) from WordNet 3.0:
    tokens[start:end] names the hypernym, as "jellyfish" in "a type of jellyfish".
    """
    glosses = []
    for lemma, word_class, text, span in read_rows("wordnet-glosses.tsv.xz"):
        start, end = map(int, span.split(":"))
        glosses.append((lemma, word_class, text.split(" "), (start, end)))
    return glosses
