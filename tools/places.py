"""Make docs/errata.md and docs/coverage.md: the place of each mistake and of each topic.

    python -m tools.places

The manifest of a chapter has a table `[errata.E001]` for each mistake, found in five widely
copied tutorials, that belongs to it, and `[topics.C001]` for each topic that they name.

document   "first" to "fifth": TUTORIALS says what each is
quote      a few of its words or signs, by which its reader finds the place: at most
           LONGEST_QUOTE signs, as they stand there
said       what it says or does, in our words;   fact   what is wrong with it
right      the correction
source     who says so: author and year, or whose documentation. Needed where no test proves
           it; a test does if its name begins with `test_E001_`, in tests/errata/
how        "shown": a cell has the number among its tags; "tabled": in a table of the
           chapter; "told": the section teaches what is right
section    a heading of the chapter: where it is shown, tabled or told
see        more places, where: the places of a topic. A place is a chapter and a heading of
           its notebook, written "05: 3. How large is the output?"
named      true for a topic that is only named there, not taught

On the page the mistakes of a chapter come in the order of its manifest: what teaches most
comes first.

notebooks/dropped.toml has the numbers that are no mistake (any more). `[E004]` was one
once: `was` is what it said, `reason` why it is not; if it lives on in another row, the
reason names that. `[confirmed.E094]` is right, and looks wrong: `document`, `quote` and
`said` as above, `why` it is right.
"""

import ast
import re
import tomllib
from collections import Counter
from functools import cache

from tools.files import write_atomically
from tools.notebooks import NOTEBOOKS, ROOT, last_cells, manifest

DOCS = ROOT / "docs"
TUTORIALS = {
    "first": "An overview with five small programs, from a line to attention.",
    "second": "An introduction with formulas of optimizers, a network for CIFAR-10, "
    "and a long bibliography.",
    "third": "A short introduction, with linear regression from scratch.",
    "fourth": "Six methods with formulas, from convolution to knowledge graphs, and four "
    "programs.",
    "fifth": "An overview of uses, challenges and trends, without code.",
}
HOW = "shown", "tabled", "told"
LONGEST_QUOTE = 20
DO_NOT_EDIT = (
    "<!-- Made by `python -m tools.places` from notebooks/src/*.toml: edit those. -->"
)
ERRATA = """\
# Errata: what five tutorials say, and what is so

We read five tutorials on deep learning line by line, and ran their programs. They are in
Chinese, and so many copies of them exist that they have numbers here and not names: what
counts is the mistake. You need not have seen them.

Each entry begins with a few words or signs of the tutorial, by which whoever has it finds
the place. Then it says, in our words, what the tutorial says or does; what is wrong with
that; what is right; and where in this course you find it. There, **shown** means made
again in a few lines of code, run, and mended; **tabled** means a row in a table of the
chapter; **told** means that the chapter teaches what is right. What can be run or computed
is proved by a test of this course, in `tests/errata`; for the rest a source is named.

The entries come in the order of the chapters. Within a chapter, what teaches most comes
first, and references that are cited wrongly come last. The numbers are older than this
order, and some are no longer used: the end of the page says why.
"""
NO_MISTAKES = """\
## Right, though it may look wrong

So that nobody mends it:
"""
DROPPED = """\
## Numbers that are no longer used

These entries were on the list once, and are no mistakes; or they are now a part of
another entry.
"""
COVERAGE = """\
# Coverage: where each topic is taught

The five tutorials of the [errata](errata.md) name these topics, promise them, or use them
without working code. Here is the place of each in this course, and what is shown there.
A topic that several chapters teach stands under the first of them. A topic that is only
*named* has its words explained, and nothing more.
"""


def rows(kind):
    """{number: row} of all chapters' "errata" or "topics"; a row knows its chapter."""
    return {
        number: {**row, "chapter": chapter["number"]}
        for chapter in manifest()[1]
        for number, row in chapter.get(kind, {}).items()
    }


def no_mistakes():
    """({number: row} dropped, {number: row} confirmed): notebooks/dropped.toml."""
    dropped = tomllib.loads((NOTEBOOKS / "dropped.toml").read_text("utf-8"))
    confirmed = dropped.pop("confirmed", {})
    return dict(sorted(dropped.items())), dict(sorted(confirmed.items()))


@cache
def proofs():
    """{E number: names of the tests that prove it}, from tests/errata/test_*.py.

    A test may prove several, such as `test_E007_E008_one_column_too_many`.
    """
    found = {}
    for path in sorted((ROOT / "tests" / "errata").glob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if named := re.match(r"test_((?:E\d{3}_)+)\w", getattr(node, "name", "")):
                for number in re.findall(r"E\d{3}", named[1]):
                    found.setdefault(number, []).append(node.name)
    return found


# ---------------------------------------------------------------- places


@cache
def sources():
    """{chapter: file name without suffix}, such as {"05b": "05b_color_images"}."""
    stems = sorted(path.stem for path in (NOTEBOOKS / "src").glob("[0-9]*.py"))
    return {stem.partition("_")[0]: stem for stem in stems}


@cache
def sections(chapter):
    """{heading: the text under it} of a chapter; smaller headings belong to the text."""
    source = (NOTEBOOKS / "src" / f"{sources()[chapter]}.py").read_text("utf-8")
    found, text, prose = {}, {2: [], 3: []}, False
    for line in source.splitlines():
        if line.startswith("# %%"):
            prose = "[markdown]" in line
        elif prose and (heading := re.fullmatch("# (##|###) (.+)", line)):
            level, title = len(heading[1]), heading[2]
            if title in found:
                raise ValueError(f"chapter {chapter}: two headings {title!r}")
            found[title] = text[level] = []
            if level == 2:
                text[3] = []
        text[2].append(line)
        text[3].append(line)
    return {title: "\n".join(lines) for title, lines in found.items()} | generated()


@cache
def tagged(chapter):
    """{E number: headings over the cells that have it among their tags} of a chapter."""
    source = (NOTEBOOKS / "src" / f"{sources()[chapter]}.py").read_text("utf-8")
    found, over, prose = {}, {}, False
    for line in source.splitlines():
        if line.startswith("# %%"):
            prose = "[markdown]" in line
            if marked := re.search(r"tags=(\[.*\])", line):
                for tag in ast.literal_eval(marked[1]):
                    if re.fullmatch(r"E\d{3}", tag):
                        found.setdefault(tag, set()).update(over.values())
        elif prose and (heading := re.fullmatch("# (##|###) (.+)", line)):
            over = {level: title for level, title in over.items() if level < heading[1]}
            over[heading[1]] = heading[2]
    return found


@cache
def generated():
    """The same for the cells that end each notebook."""
    cells = [cell.source.partition("\n") for cell in last_cells(manifest()[1][0])]
    return {heading.removeprefix("## "): text for heading, _, text in cells}


def anchor(heading):
    """The end of an address that Jupyter and GitHub give to a heading of a notebook."""
    return heading.replace("`", "").replace(" ", "-").replace('"', "%22")


def links(places, here):
    """Markdown that leads to places; those of the chapter `here` go without its number."""
    made = []
    for place in places:
        chapter, _, heading = place.partition(": ")
        address = f"../notebooks/{sources()[chapter]}.ipynb#{anchor(heading)}"
        made.append(f"[{heading if chapter == here else place}]({address})")
    return ", ".join(made)


# ---------------------------------------------------------------- pages


def by_chapter(kind):
    """(chapter, its rows of a kind) of each chapter that has some."""
    for chapter in manifest()[1]:
        if here := chapter.get(kind):
            yield chapter, here


def line_of(cells):
    return f"| {' | '.join(cells)} |"


def tutorial(row):
    """Which one, and the words there: the beginning of an entry."""
    number = list(TUTORIALS).index(row["document"]) + 1
    return f"tutorial {number}: `{row['quote']}`"


def entry(number, row, here):
    """The Markdown of one mistake, with what proves it."""
    place = f"{here}: {row['section']}"
    where = f"{row['how']} in {links([place], here)}"
    if "see" in row:
        where += f"; see {links(row['see'], here)}"
    ends = [f"- Here: {where}."]
    if tests := proofs().get(number):
        ends.append(f"- Proved by {', '.join(f'`{name}`' for name in tests)}.")
    if "source" in row:
        ends.append(f"- Source: {row['source']}.")
    return [
        f"**{number}** · {tutorial(row)}",
        "",
        f"- Said or done: {row['said']}.",
        f"- In fact: {row['fact']}.",
        f"- Right: {row['right']}.",
        *ends,
        "",
    ]


def errata_page():
    """The text of docs/errata.md."""
    all_rows, (dropped, confirmed) = rows("errata"), no_mistakes()
    counts = Counter(row["document"] for row in all_rows.values())
    proved = len(all_rows.keys() & proofs().keys())
    lines = [DO_NOT_EDIT, "", ERRATA, "| | tutorial | mistakes |", "|---|---|--:|"]
    for i, (name, text) in enumerate(TUTORIALS.items(), start=1):
        lines.append(f"| {i} | {text} | {counts[name]} |")
    lines += ["", f"{len(all_rows)} mistakes; {proved} are proved by a test.", ""]
    for chapter, here in by_chapter("errata"):
        lines += [f"## {chapter['number']} {chapter['title']}", ""]
        for number, row in here.items():
            lines += entry(number, row, chapter["number"])
    lines += [NO_MISTAKES]
    for number, row in confirmed.items():
        lines.append(f"- **{number}** · {tutorial(row)}. {row['said']}. {row['why']}.")
    lines += ["", DROPPED]
    for number, row in dropped.items():
        lines.append(f"- **{number}**: {row['was']}. {row['reason']}.")
    return "\n".join([*lines, ""])


def coverage_page():
    """The text of docs/coverage.md."""
    lines = [DO_NOT_EDIT, "", COVERAGE]
    for chapter, here in by_chapter("topics"):
        lines += [f"## {chapter['number']} {chapter['title']}", ""]
        lines += [line_of(["row", "topic", "what is shown", "where"]), "|---" * 4 + "|"]
        for number, row in here.items():
            shown = f"*named*: {row['shown']}" if row.get("named") else row["shown"]
            where = links(row["where"], chapter["number"])
            lines.append(line_of([number, row["topic"], shown, where]))
        lines.append("")
    return "\n".join(lines)


def main():
    DOCS.mkdir(exist_ok=True)
    for name, kind, make in (
        ("errata", "errata", errata_page),
        ("coverage", "topics", coverage_page),
    ):
        write_atomically(DOCS / f"{name}.md", make())
        print(f"docs/{name}.md: {len(rows(kind))} rows")


if __name__ == "__main__":
    main()
