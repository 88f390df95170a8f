"""Each known mistake and each topic has its place, and the pages say where."""

import re
from functools import cache

import pytest

from tools import places
from tools.notebooks import manifest

ERRATA, COVERAGE = places.rows("errata"), places.rows("topics")
DROPPED, CONFIRMED = places.no_mistakes()
FIRST_COUNT = 225  # mistakes on the first list; new ones have higher numbers


@cache
def numbers_in(chapter, heading):
    """{E number: where it stands under a heading}: in "text", in a "table", or in both."""
    found = {}
    for line in places.sections(chapter).get(heading, "").splitlines():
        numbers = {int(number) for number in re.findall(r"\bE(\d{3})\b", line)}
        for first, last in re.findall(r"\bE(\d{3})–E(\d{3})\b", line):  # all of them
            numbers.update(range(int(first), int(last) + 1))
        for number in numbers:
            kind = "table" if re.match(r"(# )?\|", line) else "text"
            found.setdefault(f"E{number:03}", set()).add(kind)
    return found


def all_places():
    """(number, place) of every row."""
    for number, row in ERRATA.items():
        yield number, f"{row['chapter']}: {row['section']}"
        yield from ((number, place) for place in row.get("see", []))
    for number, row in COVERAGE.items():
        yield from ((number, place) for place in row["where"])


# ---------------------------------------------------------------- the files


def test_each_mistake_and_each_topic_has_one_row():
    all_numbers = [*ERRATA, *DROPPED, *CONFIRMED]
    assert len(set(all_numbers)) == len(all_numbers), "a row is also dropped or confirmed"
    first = {f"E{i:03}" for i in range(1, FIRST_COUNT + 1)}
    assert first <= set(all_numbers), f"lost: {sorted(first - set(all_numbers))}"
    assert all(re.fullmatch(r"E\d{3}", number) for number in all_numbers)
    assert sorted(COVERAGE) == [f"C{i:03}" for i in range(1, 117)]
    for kind, all_rows in (("errata", ERRATA), ("topics", COVERAGE)):
        counts = [len(chapter.get(kind, {})) for chapter in manifest()[1]]
        assert sum(counts) == len(all_rows), "a number stands in two chapters"


def test_rows_are_complete():
    needed = {"document", "quote", "said", "fact", "right", "how", "section", "chapter"}
    for number, row in ERRATA.items():
        assert set(row) - {"see", "source"} == needed, number
        assert row["how"] in places.HOW, number
        assert row["chapter"] in places.sources(), number
    for number, row in COVERAGE.items():
        assert set(row) - {"named"} == {"topic", "where", "shown", "chapter"}, number
        assert row["where"] and row.get("named", True) is True, number
    for number, row in CONFIRMED.items():
        assert set(row) == {"document", "quote", "said", "why"}, number
    for number, row in DROPPED.items():
        assert set(row) == {"was", "reason"}, number


def test_what_is_quoted_is_short_and_fits_between_backticks():
    for number, row in (ERRATA | CONFIRMED).items():
        assert row["document"] in places.TUTORIALS, number
        quote = row["quote"]
        assert 0 < len(quote) <= places.LONGEST_QUOTE, (number, len(quote))
        assert quote.strip() == quote and "`" not in quote and "\n" not in quote, number


def test_each_mistake_is_proved_or_has_a_source():
    for number, row in ERRATA.items():
        assert "source" in row or number in places.proofs(), number
    assert places.proofs().keys() <= ERRATA.keys(), "a test proves what is no row"


def test_what_is_merged_names_a_row():
    for number, row in DROPPED.items():
        for other in re.findall(r"E\d{3}", row["reason"]):
            assert other in ERRATA or other in CONFIRMED, (number, other)


def test_words_fit_the_pages():
    keys = "said", "fact", "right", "source", "why", "was", "reason", "topic", "shown"
    for number, row in (ERRATA | COVERAGE | CONFIRMED | DROPPED).items():
        for key in keys:
            words = row.get(key, "-")
            assert words.strip() == words and words and "\n" not in words, (number, key)
            assert not words.endswith("."), (number, key)
            assert "|" not in words or number in ERRATA, (number, key)  # in no table


# ---------------------------------------------------------------- the notebooks


def test_every_place_is_a_heading():
    for number, place in all_places():
        chapter, _, heading = place.partition(": ")
        assert chapter in places.sources(), f"{number}: no chapter {chapter!r}"
        assert heading in places.sections(chapter), f"{number}: no heading {place!r}"


def test_what_is_shown_has_a_tagged_cell_and_what_is_tabled_its_number_there():
    for number, row in ERRATA.items():
        if row["how"] == "shown":
            assert row["section"] in places.tagged(row["chapter"]).get(number, ()), number
        elif row["how"] == "tabled":
            where = numbers_in(row["chapter"], row["section"])
            assert "table" in where.get(number, ()), number


def test_every_tag_is_a_row_that_is_shown_there():
    for chapter in places.sources():
        for number in places.tagged(chapter):
            assert ERRATA[number]["how"] == "shown", number
            assert ERRATA[number]["chapter"] == chapter, number


def test_every_number_in_a_notebook_is_a_row():
    for chapter in places.sources():
        for heading in places.sections(chapter):
            for number in numbers_in(chapter, heading):
                assert number in ERRATA, f"{number}: chapter {chapter}, {heading!r}"


# ---------------------------------------------------------------- the pages


@pytest.mark.parametrize(
    "name, kind, make",
    [
        ("errata", "errata", places.errata_page),
        ("coverage", "topics", places.coverage_page),
    ],
)
def test_pages_are_what_the_files_make(name, kind, make):
    stored = (places.DOCS / f"{name}.md").read_text("utf-8")
    assert stored == make(), "run `make notebooks`"
    entries = re.findall(r"^(?:\| (C\d{3}) \||\*\*(E\d{3})\*\* ·)", stored, re.MULTILINE)
    entries = ["".join(entry) for entry in entries]
    assert sorted(entries) == sorted(places.rows(kind))
    ends = {
        (stem, places.anchor(heading))
        for chapter, stem in places.sources().items()
        for heading in places.sections(chapter)
    }
    links = re.findall(r"\]\(\.\./notebooks/(\w+)\.ipynb#(\S+)\)[,;| .]", stored)
    assert set(links) <= ends
    assert len(links) == stored.count("](../notebooks/")


def test_a_tag_belongs_to_the_headings_over_its_cell(tmp_path, monkeypatch):
    source = (
        '# %% [markdown]\n# ## One\n# ### Two\n\n# %% tags=["E001", "figure"]\n1\n\n'
        '# %% [markdown]\n# ## Three\n\n# %% tags=["E002"]\n2\n'
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "01_x.py").write_text(source, "utf-8")
    monkeypatch.setattr(places, "sources", lambda: {"x": "01_x"})
    monkeypatch.setattr(places, "NOTEBOOKS", tmp_path)
    assert places.tagged("x") == {"E001": {"One", "Two"}, "E002": {"Three"}}


def test_an_entry_names_its_tests(tmp_path, monkeypatch):
    (tmp_path / "tests" / "errata").mkdir(parents=True)
    source = "def test_E001_E002_shapes():\n    pass\n\n\ndef test_shapes():\n    pass\n"
    (tmp_path / "tests" / "errata" / "test_x.py").write_text(source, "utf-8")
    monkeypatch.setattr(places, "ROOT", tmp_path)
    found = places.proofs.__wrapped__()
    assert found == {number: ["test_E001_E002_shapes"] for number in ("E001", "E002")}


def test_anchors_are_those_of_jupyter():
    assert places.anchor("3. How large is the output?") == "3.-How-large-is-the-output?"
    assert places.anchor("6. Does `fit` do it (E001)?") == "6.-Does-fit-do-it-(E001)?"
    assert places.anchor('"Speed"') == "%22Speed%22"


def test_a_place_without_a_chapter_or_two_headings_alike_are_errors(tmp_path, monkeypatch):
    with pytest.raises(KeyError):
        places.links(["99: 1. Is it there?"], "99")
    (tmp_path / "src").mkdir()
    source = "# %% [markdown]\n# ## Twice\n\n# %%\n# ## not a heading\n"
    (tmp_path / "src" / "01_twice.py").write_text(source * 2, "utf-8")
    monkeypatch.setattr(places, "sources", lambda: {"twice": "01_twice"})
    monkeypatch.setattr(places, "NOTEBOOKS", tmp_path)
    with pytest.raises(ValueError, match="two headings 'Twice'"):
        places.sections("twice")
