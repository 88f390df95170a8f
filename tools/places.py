"""Make docs/errata.md and docs/coverage.md: the place of each mistake and of each topic.

    python -m tools.places

notebooks/errata.toml has a row for each mistake found in five widely copied tutorials,
notebooks/coverage.toml a row for each topic that they name. A place is a chapter and a
heading of its notebook, written "05: 3. How large is the output?".
"""

import re
import tomllib
from collections import Counter
from functools import cache

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
DO_NOT_EDIT = "<!-- Made by `python -m tools.places` from notebooks/{}: edit that file. -->"
ERRATA = """\
# Errata: what five tutorials say, and what is so

We ran and read five widely copied tutorials on deep learning, line by line. Many copies
of them exist, so they have numbers here and not names: what counts is the mistake. Each
row says what a tutorial says or does, in our words, what is wrong with it, what is right,
and where in this course you find it. **Shown** means made again in a few lines of code,
run, and mended. **Tabled** means a row in a table of the chapter. **Left out** comes with
the reason. A few rows confirm what is right, so that nobody "mends" it.
"""
COVERAGE = """\
# Coverage: where each topic is taught

The five tutorials of the [errata](errata.md) name these topics, promise them, or use them
without working code. Here is the place of each in this course, and what is shown there.
A topic that several chapters teach stands under the first of them.
"""


def rows(name):
    """{number: row} of a data file in notebooks/."""
    return tomllib.loads((NOTEBOOKS / name).read_text("utf-8"))


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


def page(introduction, name, columns, chapter_of, cells_of):
    """A page with a table for each chapter, from the rows of a data file."""
    titles = {chapter["number"]: chapter["title"] for chapter in manifest()[1]}
    lines = [DO_NOT_EDIT.format(name), "", introduction]
    for chapter, stem in sources().items():
        here = [item for item in rows(name).items() if chapter_of(item[1]) == chapter]
        if here:
            plain = stem.partition("_")[2].replace("_", " ").capitalize()
            lines += [f"## {chapter} {titles.get(chapter, plain)}", "", line_of(columns)]
            lines += ["|---" * len(columns) + "|"]
            lines += [line_of([number, *cells_of(row, chapter)]) for number, row in here]
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
    all_rows = rows("errata.toml").values()
    how = Counter(row["how"] for row in all_rows)
    counts = Counter(row["document"] for row in all_rows)
    lines = [ERRATA, "| | tutorial | rows |", "|---|---|--:|"]
    for i, (name, text) in enumerate(TUTORIALS.items(), start=1):
        lines.append(f"| {i} | {text} | {counts[name]} |")
    total = ", ".join(f"{how[kind]} {kind}" for kind in ("shown", "tabled", "left out"))
    lines += ["", f"{how.total()} rows: {total}.", ""]
    columns = ["row", "tutorial", "said", "in fact", "right", "where"]
    introduction = "\n".join(lines)
    return page(
        introduction, "errata.toml", columns, lambda row: row["chapter"], errata_cells
    )


def coverage_page():
    """The text of docs/coverage.md."""
    return page(
        COVERAGE,
        "coverage.toml",
        ["row", "topic", "what is shown", "where"],
        lambda row: row["where"][0].partition(": ")[0],
        lambda row, here: [row["topic"], row["shown"], links(row["where"], here)],
    )


def main():
    DOCS.mkdir(exist_ok=True)
    for name, make in (("errata", errata_page), ("coverage", coverage_page)):
        (DOCS / f"{name}.md").write_text(make(), "utf-8", newline="\n")
        print(f"docs/{name}.md: {len(rows(f'{name}.toml'))} rows")


if __name__ == "__main__":
    main()
