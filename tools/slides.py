"""Slides of chapters, from their headings, figures and key lines: reveal.js, no network.

    python -m tools.slides 05       build/slides/05_convolutional_networks.html

Down leads through a section, right to the next one. The stored notebook is what is shown:
what it claims has been executed.
"""

import argparse
import base64
import html
import re
import shutil
from itertools import takewhile
from typing import NamedTuple

import nbformat
from nbconvert.filters.markdown import markdown2html

from tools.files import forgive_stdout, make_folder, write_atomically
from tools.notebooks import NOTEBOOKS, ROOT, chapters_named, manifest, stem, tags
from tools.start import exercises

SLIDES = ROOT / "build" / "slides"
ASSETS = ROOT / "tools" / "reveal"
MATHJAX = ROOT / "docs" / "_static" / "mathjax"
LONGEST = 420  # characters of key lines on one slide
CAPTION = 180  # characters of a caption, if its first sentence is not longer
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
FORMULA = re.compile(r"\$\$.*?\$\$|\\begin\{align.*?\\end\{align\*?\}", re.DOTALL)
SKIPPED = ("Recall", "Exercises", "Key points", "References")  # slides of their own
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/reveal.css">
<link rel="stylesheet" href="assets/slides.css">
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script>
window.MathJax = {{tex: {{inlineMath: [["$", "$"], ["\\\\(", "\\\\)"]]}}}};
</script>
<script src="assets/mathjax/tex-chtml-full.js"></script>
<script src="assets/reveal.js"></script>
<script src="assets/slides.js"></script>
"""


class Slide(NamedTuple):
    """What one slide shows, from top to bottom."""

    heading: str  # Markdown
    parts: (
        tuple | list
    ) = ()  # (kind, Markdown); kind is "line", "formula", "predict" or "small"
    picture: str = ""  # an <img> element, above the parts


# ---------------------------------------------------------------- what is shown


def deck(chapter, notebook):
    """[[Slide, ...], ...]: for each column of the deck its slides, from top to bottom.

    Args:
        chapter: its manifest.
        notebook: the stored notebook, with outputs.
    """
    columns = [[title(chapter), *opening(chapter, notebook)]]
    columns += [[recall(cell)] for cell in notebook.cells if is_section(cell, "Recall")]
    for heading, cells in sections(notebook):
        columns.append(list(section(heading, cells)))
    listed = "\n".join(
        f"- **{e.key}** {e.title} ({e.minutes} min)" for e in exercises(chapter)
    )
    points = "\n".join(f"- {text}" for text in chapter["key_points"])
    columns.append([Slide("## Exercises", [("line", listed)])])
    columns.append([Slide("## Key points", [("line", points)])])
    return columns


def title(chapter):
    parts = ("line", f"**{chapter['question']}**"), ("line", chapter["promise"])
    course = ("small", manifest()[0]["title"])
    return Slide(f"# {chapter['number']} · {chapter['title']}", [*parts, course])


def opening(chapter, notebook):
    """The figures above the first section: where the chapter is going."""
    cells = list(takewhile(lambda cell: not is_section(cell, ""), notebook.cells))
    for place, cell in enumerate(cells):
        for picture in pictures(cell):
            text = caption(cells, place)
            parts = [("small", text)] if text else []
            yield Slide(f"## {chapter['question']}", parts, picture)


def is_section(cell, name):
    return cell.cell_type == "markdown" and cell.source.startswith(f"## {name}")


def recall(cell):
    heading, _, questions = FOLDED.sub("", cell.source).partition("\n")
    return Slide(heading, [("line", questions)])


def sections(notebook):
    """(heading, cells) of each section that is shown, in order."""
    heading, found = None, []
    for cell in notebook.cells:
        first = re.match(r"## (.+)", cell.source) if cell.cell_type == "markdown" else None
        if first:
            if found and not heading.startswith(SKIPPED):
                yield heading, found
            heading, found = first[1], []
        if heading is not None:
            found.append(cell)
    if found and not heading.startswith(SKIPPED):
        yield heading, found


def section(heading, cells):
    """The slides of a section: its heading with key lines, formulas, questions, figures."""
    parts, shown = [], False
    for place, cell in enumerate(cells):
        found = key_lines(cell.source) if cell.cell_type == "markdown" else []
        for part in found:
            if parts and len(part[1]) + sum(len(text) for _, text in parts) > LONGEST:
                yield Slide(f"## {heading}", parts)
                parts, shown = [], True
            parts.append(part)
        for picture in pictures(cell):
            if parts or not shown:
                yield Slide(f"## {heading}", parts)
            text = caption(cells, place)
            yield Slide(f"## {heading}", [("small", text)] if text else [], picture)
            parts, shown = [], True
    if parts or not shown:
        yield Slide(f"## {heading}", parts)


def key_lines(source):
    """("predict", "formula" or "line", Markdown) of what matters in a Markdown cell.

    What matters: questions to predict, formulas, sentences with a term in bold type, and
    headings below the section's.
    """
    for paragraph in re.split(r"\n\s*\n", FOLDED.sub("", source)):
        paragraph = paragraph.strip()
        if paragraph.startswith("**Predict."):
            yield "predict", paragraph
        elif paragraph.startswith("### "):
            yield "line", f"**{paragraph[4:]}**"
        elif paragraph.startswith(("#", "|", "```", "!", "<")) or not paragraph:
            continue
        elif FORMULA.search(paragraph):
            for formula in FORMULA.findall(paragraph):
                yield "formula", formula
        elif re.match(r"([-*]|\d+\.) ", paragraph):
            if "**" in paragraph:
                yield "line", paragraph
        else:
            told = [s for s in sentences(paragraph) if "**" in s]
            if told:
                yield "line", " ".join(told)


def sentences(paragraph):
    """The sentences of a paragraph; one within $ or parentheses is not cut."""
    text = " ".join(paragraph.split())
    pieces, found = re.split(r"(?<=[.?!:]) (?=[A-Z*`$\"])", text), []
    for piece in pieces:
        whole = not found or (
            found[-1].count("$") % 2 == 0
            and found[-1].count("**") % 2 == 0
            and found[-1].count("(") == found[-1].count(")")
        )
        if whole:
            found.append(piece)
        else:
            found[-1] += f" {piece}"
    return found


def pictures(cell):
    """<img> elements of a cell's pictures."""
    for output in cell.get("outputs", []):
        for kind in ("image/png", "image/gif"):
            if kind in output.get("data", {}):
                data = "".join(output["data"][kind].split())
                base64.b64decode(data, validate=True)
                about = output.get("metadata", {}).get(kind, {})
                alt = html.escape(about.get("alt", ""), quote=True)
                yield f'<img alt="{alt}" src="data:{kind};base64,{data}">'
                break


def caption(cells, place):
    """The first sentences of the text below a figure; "" if no text follows."""
    for cell in cells[place + 1 :]:
        if cell.cell_type == "markdown":
            text = FOLDED.sub("", cell.source).strip()
            if text.startswith(("#", "|", "**Predict")) or not text:
                return ""
            first, *more = sentences(re.split(r"\n\s*\n", text)[0])
            for sentence in more:
                if len(first) + len(sentence) > CAPTION:
                    break
                first += f" {sentence}"
            return first
        if tags(cell) != ["claims"] and list(pictures(cell)):
            return ""
    return ""


# ---------------------------------------------------------------- the page


def page(chapter, notebook):
    """The HTML of a chapter's slides."""
    columns = []
    for column in deck(chapter, notebook):
        inner = "\n".join(render(slide) for slide in column)
        columns.append(f"<section>\n{inner}\n</section>" if len(column) > 1 else inner)
    name = f"{chapter['number']} {chapter['title']}"
    return PAGE.format(title=html.escape(name), slides="\n".join(columns))


def render(slide):
    parts = [slide.picture] if slide.picture else []
    parts += [f'<div class="{kind}">{as_html(text)}</div>' for kind, text in slide.parts]
    return f"<section>{as_html(slide.heading)}{''.join(parts)}</section>"


def as_html(text):
    """Markdown as HTML; links to other notebooks lead nowhere here and become text."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\.ipynb[^)]*\)", r"\1", text)
    return re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(text))


def write(chapter):
    """Write a chapter's slides and what they need; return the page's path."""
    notebook = nbformat.read(NOTEBOOKS / f"{stem(chapter)}.ipynb", as_version=4)
    assets = SLIDES / "assets"
    make_folder(assets)
    shutil.copytree(MATHJAX, assets / "mathjax", dirs_exist_ok=True)
    for path in ASSETS.glob("*.*s"):
        shutil.copy(path, assets)
    for path in (ASSETS / "LICENSE", ASSETS / "README.md"):
        shutil.copy(path, assets)
    target = SLIDES / f"{stem(chapter)}.html"
    write_atomically(target, page(chapter, notebook))
    return target


def main():
    forgive_stdout()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    options = parser.parse_args()
    for chapter in chapters_named(options.chapters):
        print(f"Open {write(chapter).relative_to(ROOT)} in a browser")


if __name__ == "__main__":
    main()
