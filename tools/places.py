"""Make docs/errata.md and docs/coverage.md: the place of each mistake and of each topic.

    python -m tools.places

The manifest of a chapter has a table `[errata.E001]` for each mistake, found in five widely
copied tutorials, that belongs to it, and `[topics.C001]` for each topic that they name.

document   "first" to "fifth": TUTORIALS says what each is
said       what it says or does, in our words;   fact   what is wrong with it
right      the correction, with its source
how        "shown": a cell has the number among its tags; "tabled": in a table of the
           chapter; "told": the section teaches what is right; "left out": `reason` says why
section    a heading of the chapter: where it is shown, tabled or told
see        more places, where: the places of a topic. A place is a chapter and a heading of
           its notebook, written "05: 3. How large is the output?"
"""

import ast
import re
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
HOW = "shown", "tabled", "told", "left out"
DO_NOT_EDIT = (
    "<!-- Made by `python -m tools.places` from notebooks/src/*.toml: edit those. -->"
)
ERRATA = """\
# Errata: what five tutorials say, and what is so

We ran and read five widely copied tutorials on deep learning, line by line. Many copies
of them exist, so they have numbers here and not names: what counts is the mistake. Each
row says what a tutorial says or does, in our words, what is wrong with it, what is right,
and where in this course you find it. **Shown** means made again in a few lines of code,
run, and mended. **Tabled** means a row in a table of the chapter. **Told** means that the
chapter teaches what is right. **Left out** comes with the reason. A few rows confirm
what is right, so that nobody "mends" it.
"""
COVERAGE = """\
# Coverage: where each topic is taught

The five tutorials of the [errata](errata.md) name these topics, promise them, or use them
without working code. Here is the place of each in this course, and what is shown there.
A topic that several chapters teach stands under the first of them.
"""


def rows(kind):
    """{number: row} of all chapters' "errata" or "topics"; a row knows its chapter."""
    return {
        number: {**row, "chapter": chapter["number"]}
        for chapter in manifest()[1]
        for number, row in chapter.get(kind, {}).items()
    }


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


def page(introduction, kind, columns, cells_of):
    """A page with a table for each chapter, from its rows of a kind."""
    lines = [DO_NOT_EDIT, "", introduction]
    for chapter in manifest()[1]:
        number = chapter["number"]
        if here := [one for one in rows(kind).items() if one[1]["chapter"] == number]:
            lines += [f"## {number} {chapter['title']}", "", line_of(columns)]
            lines += ["|---" * len(columns) + "|"]
            lines += [line_of([name, *cells_of(row, number)]) for name, row in here]
            lines += [""]
    return "\n".join(lines)


def line_of(cells):
    return f"| {' | '.join(cells)} |"


def errata_cells(row, here):
    if row["how"] == "left out":
        where = f"left out: {row['reason']}"
    else:
        place = f"{here}: {row['section']}"
        where = f"{row['how']}: {links([place], here)}"
    if "see" in row:
        where += f"; see {links(row['see'], here)}"
    number = str(list(TUTORIALS).index(row["document"]) + 1)
    return [number, row["said"], row["fact"], row["right"], where]


def errata_page():
    """The text of docs/errata.md."""
    all_rows = rows("errata").values()
    how = Counter(row["how"] for row in all_rows)
    counts = Counter(row["document"] for row in all_rows)
    lines = [ERRATA, "| | tutorial | rows |", "|---|---|--:|"]
    for i, (name, text) in enumerate(TUTORIALS.items(), start=1):
        lines.append(f"| {i} | {text} | {counts[name]} |")
    total = ", ".join(f"{how[kind]} {kind}" for kind in HOW if how[kind])
    lines += ["", f"{how.total()} rows: {total}.", ""]
    columns = ["row", "tutorial", "said", "in fact", "right", "where"]
    return page("\n".join(lines), "errata", columns, errata_cells)


def coverage_page():
    """The text of docs/coverage.md."""
    return page(
        COVERAGE,
        "topics",
        ["row", "topic", "what is shown", "where"],
        lambda row, here: [row["topic"], row["shown"], links(row["where"], here)],
    )


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
