"""Make the course's site: build/site, from the stored notebooks and the pages of docs/.

    python -m tools.site              lay the pages out in build/site-source, run Sphinx
    python -m tools.site --status     keep what build/seeds and build/sabotage say, in
                                      docs/status.json, for the page that shows it

The site needs no network: formulas, fonts and search are local files. Launch buttons lead
to the repository that notebooks/course.toml names, or to DL_COURSE_REPOSITORY=owner/name
at DL_COURSE_REF, which a workflow sets; without either there are none.
"""

import argparse
import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from sphinx.cmd.build import build_main

from dl_course import data
from tools.bibtex import bibtex
from tools.files import forgive_stdout, make_folder, write_atomically
from tools.notebooks import (
    FOLDED,
    NOTEBOOKS,
    ROOT,
    build,
    colab_link,
    fingerprint,
    manifest,
    stem,
    tags,
)
from tools.places import DOCS
from tools.readme import groups

SITE = ROOT / "build" / "site"
STATUS = DOCS / "status.json"
FOOTER = (
    "Code: MIT. Text and figures: CC BY 4.0. Data: each set has its own license, see "
    "the data cards."
)


# ---------------------------------------------------------------- where it is published


def published():
    """(owner/name, branch or tag) that launch buttons lead to; ("", "") if there is none."""
    course = manifest()[0]
    repository = os.environ.get("DL_COURSE_REPOSITORY") or course["repository"]
    reference = os.environ.get("DL_COURSE_REF") or course["tag"] or "main"
    if repository and not re.fullmatch(r"[\w-]+/[\w.-]+", repository):
        raise SystemExit(f"DL_COURSE_REPOSITORY: expected owner/name, got {repository!r}")
    return (repository, reference) if repository else ("", "")


def launch():
    """Options of the theme: buttons that open a notebook elsewhere.

    Colab's only once the course is published: before that, a notebook could not install
    the package there.
    """
    repository, reference = published()
    if not repository:
        return {}
    buttons = {
        "binderhub_url": "https://mybinder.org",
        "notebook_interface": "jupyterlab",
    }
    if colab_link(manifest()[1][0]):
        buttons["colab_url"] = "https://colab.research.google.com"
    return {
        "repository_url": f"https://github.com/{repository}",
        "repository_branch": reference,
        "use_repository_button": True,
        "launch_buttons": buttons,
    }


# ---------------------------------------------------------------- notebooks


def folded(cell):
    """(tag of myst-nb that folds a code cell or a part of it, title in its place)."""
    kinds = tags(cell)
    title = re.match(r"# @title (.+)\n", cell.source)
    title = title[1] if title else None
    for kind, hide in (
        ("solution", "hide-cell"),
        ("claims", "hide-cell"),
        ("setup", "hide-cell"),
    ):
        if kind in kinds:
            return hide, title or FOLDED[kind]
    if "figure" in kinds and "predict" in kinds:
        return "hide-cell", "What comes out, and its drawing"
    if "figure" in kinds:
        return "hide-input", title or FOLDED["figure"]
    if "predict" in kinds:
        return "hide-output", "What comes out"
    return None, None


def for_site(notebook, parts=()):
    """Fold, in place, what is not read first; list the chapter's `parts` below it.

    The lines `# @title ...`, which Colab and JupyterLab show as titles, become the titles
    of what is folded.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        hide, title = folded(cell)
        cell.source = re.sub(r"\A# @title .+\n", "", cell.source)
        if hide:
            cell.metadata["tags"] = [*tags(cell), hide]
            cell.metadata["mystnb"] = {"code_prompt_show": title, "code_prompt_hide": title}
    if parts:
        notebook.cells[-1].source += "\n\n" + toctree(map(stem, parts))
    return notebook


def alts(notebook):
    """The texts that stand for the figures of a notebook, in order."""
    return [
        output.metadata.get("image/png", {}).get("alt", "")
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def setup(app):
    """What docs/conf.py connects with Sphinx."""
    parts = {
        f"notebooks/{stem(chapters[0])}": chapters[1:]
        for number, _, chapters in groups()
        if chapters[0]["number"] == number
    }

    def change_source(app, name, source):
        if app.env.doc2path(name).suffix == ".ipynb":
            notebook = nbformat.reads(source[0], as_version=4)
            source[0] = nbformat.writes(for_site(notebook, parts.get(name, ())))

    def add_alts(app, doctree):
        path = app.env.doc2path(app.env.docname)
        if path.suffix == ".ipynb":
            figures = [
                image
                for output in doctree.findall(lambda n: "cell_output" in n.get("classes", ())
                                              if hasattr(n, "get") else False)
                for image in output.findall(lambda n: n.tagname == "image")
            ]
            texts = alts(nbformat.read(path, as_version=4))
            for image, text in zip(figures, texts, strict=True):
                image["alt"] = text

    app.connect("source-read", change_source)
    app.connect("doctree-read", add_alts)
    return {"parallel_read_safe": True}


# ---------------------------------------------------------------- pages


def toctree(names, caption=None):
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *options, "", *names, "```"])


def whole(number, title, chapters):
    """The page of one of the eleven chapters: its notebook, or a list of its parts."""
    if chapters[0]["number"] == number:
        return stem(chapters[0])
    return f"{number}_{title.lower().replace(' ', '_')}"


def link(chapter, folder="notebooks/"):
    return f"[{chapter['number']} · {chapter['title']}]({folder}{stem(chapter)}.ipynb)"


def chapter_list():
    """The eleven chapters with their parts, for the start page."""
    lines = []
    for number, title, chapters in groups():
        page = whole(number, title, chapters)
        own = chapters[0]["number"] == number
        address = f"notebooks/{page}{'.ipynb' if own else '.md'}"
        parts = chapters[1:] if own else chapters
        lines += ["<div>", "", f"**[{number} · {title}]({address})**", ""]
        if own:
            lines += [f"*{chapters[0]['question']}* {chapters[0]['promise']}", ""]
        lines += [f"- {link(part)}: {part['question']}" for part in parts]
        minutes = sum(chapter["minutes"] for chapter in chapters)
        lines += ["", f"{minutes} minutes", "", "</div>"]
    return "\n".join(['<div class="chapters">', *lines, "</div>"])


def parts_page(number, title, chapters):
    """A page for a chapter whose parts all have letters."""
    lines = [f"# {number} · {title}", ""]
    for c in chapters:
        lines += [
            f"## {link(c, folder='')}",
            "",
            f"**{c['question']}** {c['promise']}",
            "",
            f"About {c['minutes']} minutes.",
            "",
        ]
    return "\n".join([*lines, toctree(map(stem, chapters)), ""])


def start_page():
    """docs/start.md with the README's picture, the chapters and the side bar."""
    readme = (ROOT / "README.md").read_text("utf-8")
    picture = re.search(r"^!\[.+\]\(docs/opening\.png\)$", readme, re.MULTILINE)[0]
    text = (DOCS / "start.md").read_text("utf-8")
    repository = published()[0]
    clone = f"git clone https://github.com/{repository}\n" if repository else ""
    for mark, made in (
        ("picture", picture),
        ("chapters", chapter_list()),
    ):
        text = text.replace(f"<!-- {mark} -->", made)
    text = text.replace("make lab ", f"{clone}make lab ", 1)
    chapters = [f"notebooks/{whole(*group)}" for group in groups()]
    return "\n\n".join(
        [
            text,
            toctree(chapters, "Chapters"),
            toctree([f"docs/{n}" for n in LOOK_UP], "Look up"),
            toctree([f"docs/{n}" for n in others()], "Teach, and how we test"),
        ]
    )


LOOK_UP = ("glossary", "notation", "errata", "coverage", "data", "bibliography")


def others():
    """Pages of docs/ that stand in no other place: teaching first, status last."""
    known = {*LOOK_UP, "start", "teaching", "status"}
    found = sorted(p.stem for p in DOCS.glob("*.md") if p.stem not in known)
    teaching = ["teaching"] if (DOCS / "teaching.md").exists() else []
    return [*teaching, *found, "status"]


def glossary_page():
    """All terms that chapters introduce, by the alphabet, each with its chapter."""
    terms = {}
    for chapter in manifest()[1]:
        for term, definition in chapter.get("terms", {}).items():
            terms.setdefault(term, []).append((definition, chapter))
    lines = [
        "# Glossary",
        "",
        "The terms of the course, each with the chapter that introduces it: there it stands "
        "in bold, with an example.",
        "",
    ]
    letter = None
    for term in sorted(terms, key=lambda t: (t.casefold(), t)):
        first = term[0].upper()
        if first != letter:
            lines += [f"## {first}", ""]
            letter = first
        for definition, chapter in terms[term]:
            lines += [f"**{term}**: {definition} {link(chapter, '../notebooks/')}", ""]
    if not terms:
        lines.append("No chapter has marked its terms yet.")
    return "\n".join([*lines, ""])


def data_page():
    """The cards of the data sets."""
    text = "\n".join(map(data.card, data.names()))
    text = re.sub(r"\[([^\]]+)\]\(licenses/[^)]+\)", r"`data/licenses/\1`", text)
    return DATA + "\n" + text


DATA = """\
# Data

All data of the course are embedded in it, with their licenses: no notebook needs the
network. `dl_course.data` has one loader for each set; it checks a file against its SHA-256
before it reads it. The one set that is not embedded is CIFAR-10.
"""


def bibliography_page():
    """All references, with the chapters that cite them."""
    _, chapters, references = manifest()
    lines = [
        "# Bibliography",
        "",
        f"The {len(references)} works that chapters cite. All of them for LaTeX: "
        "[references.bib](references.bib).",
        "",
    ]
    for reference in references:
        by = [c for c in chapters if reference in c["references"]]
        cited = ", ".join(f"[{c['number']}](../notebooks/{stem(c)}.ipynb)" for c in by)
        text, url = references[reference]["text"], references[reference]["url"]
        lines.append(f"- {text} <{url}>" + (f" · Cited in {cited}." if by else ""))
    return "\n".join([*lines, ""])


def status_page():
    return "# Status\n"


# ---------------------------------------------------------------- building


def pages():
    """{path in the source folder: text} of all pages that are no notebooks."""
    made = {
        "index.md": start_page(),
        "docs/glossary.md": glossary_page(),
        "docs/data.md": data_page(),
        "docs/bibliography.md": bibliography_page(),
        "docs/references.bib": bibtex(manifest()[2]),
        "docs/status.md": status_page(),
    }
    for number, title, chapters in groups():
        if chapters[0]["number"] != number:
            made[f"notebooks/{whole(number, title, chapters)}.md"] = parts_page(
                number, title, chapters
            )
    for path in DOCS.glob("*.md"):
        if path.stem != "start":
            made[f"docs/{path.name}"] = path.read_text("utf-8")
    return made


def lay_out(source):
    """Write all that Sphinx reads into a folder, which is emptied before."""
    shutil.rmtree(source, ignore_errors=True)
    make_folder(source / "docs")
    make_folder(source / "notebooks")
    for name, text in pages().items():
        (source / name).write_text(text, "utf-8")
    for chapter in manifest()[1]:
        shutil.copy2(NOTEBOOKS / f"{stem(chapter)}.ipynb", source / "notebooks")
    shutil.copy2(DOCS / "opening.png", source / "docs")


def make(target):
    """Build the site in a folder; return the exit code of Sphinx, which forgives nothing."""
    source = target.with_name(f"{target.name}-source")
    lay_out(source)
    shutil.rmtree(target, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-n", "-j", "auto", "-c", str(DOCS)]
    cache = target.with_name(f"{target.name}-doctrees")
    shutil.rmtree(cache, ignore_errors=True)
    return build_main(["-b", "html", *options, "-d", str(cache), str(source), str(target)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=SITE, help="the folder of the pages")
    parser.add_argument("--status", action="store_true", help="write docs/status.json")
    options = parser.parse_args()
    forgive_stdout()
    code = make(options.to.resolve())
    if not code:
        print(f"The site is ready: {options.to / 'index.html'}")
    sys.exit(code)


if __name__ == "__main__":
    main()
