"""The BibTeX file of the site's bibliography: whole, well formed, and as the texts say."""

import re

import pytest

from tools.bibtex import bibtex, parse
from tools.notebooks import manifest

REFERENCES = manifest()[2]
PAPER = "Baldi, P., & Hornik, K. (1989). Networks and PCA. *Neural Networks*, 2(1), 53–58."


@pytest.mark.parametrize(
    ("text", "kind", "fields"),
    [
        (
            PAPER,
            "article",
            {
                "author": "Baldi, P. and Hornik, K.",
                "title": "Networks and {PCA}",
                "journal": "Neural Networks",
                "volume": "2",
                "number": "1",
                "pages": "53--58",
                "year": "1989",
            },
        ),
        (
            "Huang, H.-Y., van der Berg, P. J., et al. (2018). Why? *ICML*, PMLR 80, 1–9.",
            "inproceedings",
            {
                "author": "Huang, H.-Y. and van der Berg, P. J. and others",
                "title": "Why?",
                "booktitle": "ICML",
                "series": "PMLR",
                "volume": "80",
                "pages": "1--9",
                "year": "2018",
            },
        ),
        (
            "Zien, A. (Eds.). (2006). *Trees & Leaves* (2nd ed.). MIT Press.",
            "book",
            {
                "editor": "Zien, A.",
                "title": "Trees \\& {Leaves}",
                "edition": "2nd ed.",
                "publisher": "MIT Press",
                "year": "2006",
            },
        ),
        (
            "Ba, J. L. (2016). Layer normalization. *arXiv:1607.06450*.",
            "misc",
            {
                "author": "Ba, J. L.",
                "title": "Layer normalization",
                "eprint": "1607.06450",
                "archiveprefix": "arXiv",
                "year": "2016",
            },
        ),
        (
            "Unicode Consortium (2024). *Emoji*. Technical Report 51.",
            "misc",
            {
                "author": "{Unicode Consortium}",
                "title": "Emoji",
                "howpublished": "Technical Report 51",
                "year": "2024",
            },
        ),
    ],
    ids=["article", "conference", "book", "preprint", "institution"],
)
def test_a_reference_is_taken_apart(text, kind, fields):
    assert parse(text) == (kind, fields)


@pytest.mark.parametrize("text", ["Someone, no year. Title.", "Ba, J. (2016). No venue"])
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(ValueError, match=re.escape(text)):
        parse(text)


NEEDED = {
    "article": {"title", "journal", "year"},
    "inproceedings": {"title", "booktitle", "year"},
    "book": {"title", "year", "publisher"},
    "misc": {"title", "year"},
}


def test_every_work_keeps_what_its_text_says():
    for key, reference in REFERENCES.items():
        kind, fields = parse(reference["text"])
        assert NEEDED[kind] <= set(fields) and {"author", "editor"} & set(fields), key
        kept = re.findall(r"\w+", re.sub(r"[{}\\]", "", " ".join(fields.values())))
        said = set(re.findall(r"\w+", reference["text"])) - {"al", "et", "arXiv", "Eds"}
        assert not said - set(kept), key


def test_the_file_is_well_formed():
    text = bibtex(REFERENCES)
    keys = re.findall(r"^@\w+\{([\w-]+),$", text, re.MULTILINE)
    assert keys == list(REFERENCES)
    for entry in text.split("\n\n"):
        depth = 0
        for sign in re.sub(r"\\.", "", entry):
            depth += (sign == "{") - (sign == "}")
            assert depth >= 0
        assert depth == 0
        head, *lines, end = entry.strip().splitlines()
        assert head.endswith(",") and end == "}"
        assert all(re.fullmatch(r"  \w+ = \{.+\},", line) for line in lines)
        assert not re.search(r"(?<!\\)[&%#$]", re.sub(r"  url = .+", "", entry))
