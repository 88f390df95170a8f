"""Run the whole course as a learner would, and report.

    python -m tools.course            every chapter -> build/course/*.html and summary.md
    python -m tools.course 01 05      these chapters only
    DL_COURSE_SEED=3 python -m tools.course     with other seeds: do all claims hold?
    python -m tools.course --jax      the manifest's list, with JAX beneath Keras

Exits with 1 if a claim fails or a cell raises that should not.
"""

import argparse
import importlib.util
import os
import re
import sys
from html import escape

import latex2mathml.converter
import nbformat
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter

from tools.notebooks import (
    ANSI,
    ROOT,
    build,
    chapters_named,
    execute,
    manifest,
    stem,
    tags,
)

COURSE = ROOT / "build" / "course"


def claims_of(notebook):
    """(held, failed) lines of `claim` in the outputs of an executed notebook."""
    held, failed = [], []
    for output in outputs(notebook):
        if output.output_type == "stream":
            held += [line for line in output.text.splitlines() if line.startswith("✓")]
        elif output.output_type == "error" and output.ename == "ClaimError":
            failed.append(output.evalue)
    return held, failed


def errors_of(notebook):
    """Errors in cells that are not meant to raise, first line each."""
    return [
        f"{output.ename}: {ANSI.sub('', output.evalue)}".splitlines()[0]
        for cell in notebook.cells
        if "raises-exception" not in tags(cell)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


def outputs(notebook):
    return (output for cell in notebook.cells for output in cell.get("outputs", []))


def run(chapter):
    """Execute a chapter, write its HTML, return its row of the table."""
    notebook = build(chapter)
    costs = execute(notebook, stem(chapter), allow_errors=True)
    (COURSE / f"{stem(chapter)}.html").write_text(page(notebook, chapter), "utf-8")
    nbformat.write(notebook, COURSE / f"{stem(chapter)}.ipynb")
    held, failed = claims_of(notebook)
    return {
        "chapter": f"{chapter['number']} {chapter['title']}",
        "held": len(held),
        "claims": len(held) + len(failed),
        "errors": errors_of(notebook),
        **costs,
    }


FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$", re.DOTALL)
MONOSPACE = ".jp-RenderedMarkdown .highlight pre {font-family: monospace}"


def with_mathml(text):
    """HTML of a text whose formulas, in $ or $$, become MathML."""
    html, end = "", 0
    for found in FORMULA.finditer(text):
        display = "block" if found[1] else "inline"
        html += escape(text[end : found.start()])
        html += latex2mathml.converter.convert(found[1] or found[2], display=display)
        end = found.end()
    return html + escape(text[end:])


def page(notebook, chapter):
    """The chapter as one HTML file that needs no network.

    Adds what nbconvert leaves out, the figures' alt texts, and turns formulas into
    MathML, which browsers show by themselves.
    """
    html, _ = HTMLExporter(template_name="lab").from_notebook_node(
        notebook, resources={"metadata": {"name": chapter["title"]}}
    )
    soup = BeautifulSoup(html, "html.parser")
    alts = [
        output.metadata["image/png"].get("alt", "")
        for output in outputs(notebook)
        if "image/png" in output.get("data", {})
    ]
    for image, alt in zip(soup.select(".jp-RenderedImage img"), alts, strict=True):
        image["alt"] = alt
    for text in soup.find_all(string=FORMULA):
        if text.find_parent(class_="jp-RenderedMarkdown") and not text.find_parent("code"):
            text.replace_with(BeautifulSoup(with_mathml(text), "html.parser"))
    style = soup.new_tag("style")
    style.string = MONOSPACE
    soup.head.append(style)
    return str(soup)


def with_jax(numbers):
    """Set Keras' backend for the kernels to come; return the chapters to run.

    They are those that the manifest lists under `jax`, unless `numbers` names some.
    """
    if not importlib.util.find_spec("jax"):
        raise SystemExit("JAX is missing: `make jax` installs it, or pip install jax")
    os.environ["KERAS_BACKEND"] = "jax"
    return numbers or manifest()[0]["jax"]


def table(rows):
    lines = [
        "| chapter | claims held | seconds | peak MB |",
        "|---|--:|--:|--:|",
    ]
    lines += [
        f"| {row['chapter']} | {row['held']} of {row['claims']} "
        f"| {row['seconds']:.0f} | {row['memory']:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    parser.add_argument("--jax", action="store_true", help="JAX beneath Keras")
    options = parser.parse_args()
    COURSE.mkdir(parents=True, exist_ok=True)
    numbers = with_jax(options.chapters) if options.jax else options.chapters
    rows = [run(chapter) for chapter in chapters_named(numbers)]
    shift = os.environ.get("DL_COURSE_SEED", "0")
    backend = " JAX beneath Keras." if options.jax else ""
    summary = f"Seeds shifted by {shift}.{backend}\n\n{table(rows)}"
    (COURSE / "summary.md").write_text(summary + "\n", "utf-8")
    print(f"{summary}\n")
    for row in rows:
        for error in row["errors"]:
            print(f"{row['chapter']}: {error}")
    print(f"Pages and table: {COURSE.relative_to(ROOT)}/")
    sys.exit(any(row["errors"] for row in rows))


if __name__ == "__main__":
    main()
