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
from docutils import nodes
from myst_parser.slugs import github_slugify
from sphinx.cmd.build import build_main

from dl_course import data
from tools.bibtex import bibtex
from tools.files import forgive_stdout, make_folder, read_json, write_atomically
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
from tools.places import DOCS, anchor
from tools.readme import groups
from tools.sabotage import SABOTAGE
from tools.seeds import SEEDS

SITE = ROOT / "build" / "site"
STATUS = DOCS / "status.json"
FOOTER = (
    "Code: MIT. Text and figures: CC BY 4.0. Data: each set has its own license, see "
    "the data cards."
)


# ---------------------------------------------------------------- where it is published


def published():
    """(owner/name, branch or tag) that launch buttons lead to; ("", "") if none."""
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
    for kind in ("solution", "worked", "claims", "setup"):
        if kind in kinds:
            return "hide-cell", title or FOLDED[kind]
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


def slug(heading):
    """The end of an address of a heading, as links in notebooks and in docs/ write it."""
    return anchor(heading).replace("%22", '"')


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
                for output in doctree.findall(nodes.container)
                if "cell_output" in output["classes"]
                for image in output.findall(nodes.image)
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
            toctree(map(entry, LOOK_UP), "Look up"),
            toctree(map(entry, others()), "Around the course"),
        ]
    )


LOOK_UP = ("glossary", "notation", "errata", "coverage", "data", "bibliography")


def entry(name):
    """A line of the side bar: a short title for the pages that we know."""
    known = (*LOOK_UP, "teaching", "status")
    return f"{name.capitalize()} <docs/{name}>" if name in known else f"docs/{name}"


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
        "The terms of the course, each with the chapter that introduces it: there it "
        "stands in bold, with an example.",
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


# ---------------------------------------------------------------- the status page

STATUS_TEXT = """\
# Status

Every number that a chapter claims is checked when the chapter is executed: a chapter with a
claim that fails is not stored. Here is what the last runs found.
"""
LAST_RUN = """\
## The stored notebooks

Claims that hold, CPU seconds of the last run beside those that the chapter may take, and
the memory of its kernel at the peak. A dash stands where the last run recorded nothing.
"""
SEEDS_TEXT = """\
## Other seeds

A claim must hold with any seed. Each chapter was run with many; for each claim we know the
mean and the standard deviation of its value. The last columns show the claim that comes
nearest to its bound, and how many standard deviations lie between its mean and the bound:
at least six are wanted.
"""
SABOTAGE_TEXT = """\
## Ideas switched off

A claim proves a conclusion only if it fails when the idea behind it is switched off. So we
switch each idea off, execute the chapter, and look.
"""


def record():
    """What docs/status.json keeps of the last runs of `make seeds` and `make sabotage`."""
    return {"seeds": {}, "sabotage": {}} | read_json(STATUS, {})


def keep_status():
    """Bring what build/seeds and build/sabotage say into docs/status.json.

    Chapters without a file there keep what is recorded. `of` tells which code was run.
    """
    kept = record()
    for chapter in manifest()[1]:
        number = chapter["number"]
        if found := read_json(SEEDS / f"{number}.json", {}):
            content = {"runs": found["runs"], **nearest(found)}
            kept["seeds"][number] = {"of": fingerprint(build(chapter)), **content}
        if rows := read_json(SABOTAGE / f"{number}.json", []):
            noticed = {row["claim"]: row["noticed"] for row in rows}
            kept["sabotage"][number] = {
                "of": fingerprint(build(chapter)),
                "noticed": noticed,
            }
    write_atomically(STATUS, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")


def nearest(found):
    """How many claims there are, those that failed, and the one nearest to its bound."""
    rows = found["claims"]
    measured = [row for row in rows if row.get("apart") is not None]
    near = min(measured, key=lambda row: row["apart"], default=None)
    return {
        "claims": len(rows),
        "failed": [row["name"] for row in rows if row["failed"]],
        "nearest": near and {key: near[key] for key in ("name", "worst", "bound", "apart")},
    }


def status_page():
    """The page of the last runs: claims, costs, seeds, ideas switched off, versions."""
    chapters = manifest()[1]
    stored = {
        c["number"]: nbformat.read(NOTEBOOKS / f"{stem(c)}.ipynb", as_version=4)
        for c in chapters
    }
    last = {number: n.metadata.get("dl_course", {}) for number, n in stored.items()}
    lines = [
        STATUS_TEXT,
        LAST_RUN,
        *table(
            "chapter | claims held | CPU seconds | at most | memory",
            ":--|--:|--:|--:|--:",
            (
                (
                    link(c, "../notebooks/"),
                    last[c["number"]].get("claims", "–"),
                    last[c["number"]].get("cpu_seconds", "–"),
                    c["cpu_seconds"],
                    last[c["number"]].get("memory", "–"),
                )
                for c in chapters
            ),
        ),
    ]
    made = sorted({of["versions"] for of in last.values() if "versions" in of})
    lines += [f"They were made with {'; '.join(made)}.", ""] if made else []
    return "\n".join([*lines, *seeds_part(chapters), *sabotage_part(chapters), ""])


def seeds_part(chapters):
    kept, rows = record()["seeds"], []
    for c in chapters:
        if found := kept.get(c["number"]):
            near = found["nearest"] or {"name": "", "apart": None}
            apart = "" if near["apart"] is None else f"{near['apart']:.1f}"
            failed = "; ".join(found["failed"]) or "none"
            rows.append(
                (
                    link(c, "../notebooks/") + outdated(c, found),
                    found["runs"],
                    found["claims"],
                    failed,
                    near["name"],
                    apart,
                )
            )
    head = "chapter | runs | claims | failed | nearest to its bound | deviations apart"
    return [SEEDS_TEXT, *(table(head, ":--|--:|--:|:--|:--|--:", rows) or [NOT_YET]), ""]


def sabotage_part(chapters):
    kept, rows = record()["sabotage"], []
    for c in chapters:
        if found := kept.get(c["number"]):
            says = {row["claim"]: row["says"] for row in c.get("conclusions", [])}
            rows += [
                (
                    link(c, "../notebooks/") + outdated(c, found),
                    says.get(claim, claim),
                    "noticed" if noticed else "**not noticed**",
                )
                for claim, noticed in found["noticed"].items()
            ]
    head = "chapter | conclusion | its idea switched off"
    return [SABOTAGE_TEXT, *(table(head, ":--|:--|:--", rows) or [NOT_YET]), ""]


NOT_YET = "No run is recorded yet."


def outdated(chapter, found):
    return "" if found["of"] == fingerprint(build(chapter)) else " (changed since)"


def table(head, align, rows):
    """Lines of a Markdown table; none if there are no rows."""
    cells = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {line} |" for line in (head, align, *cells)] + [""] if cells else []


# ---------------------------------------------------------------- building


def for_pages(text):
    """A page of docs/ whose links hold on the site, too.

    A heading of the page itself is named there as in notebooks, and here as on GitHub. A
    file of the repository that is no page is named, and not linked.
    """
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    names = {github_slugify(heading): slug(heading) for heading in headings}
    text = re.sub(r"\]\(#([^)]+)\)", lambda m: f"](<#{names.get(m[1], m[1])}>)", text)
    return re.sub(r"\[([^\]]+)\]\(\.\./(?!notebooks/)([^)]+)\)", r"\1 (`\2`)", text)


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
            made[f"docs/{path.name}"] = for_pages(path.read_text("utf-8"))
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
    for picture in DOCS.glob("*.png"):
        shutil.copy2(picture, source / "docs")


def run_sphinx(source, target):
    """Build the pages of a source folder; return an exit code: a warning is an error."""
    cache = target.with_name(f"{target.name}-doctrees")
    for folder in (target, cache):
        shutil.rmtree(folder, ignore_errors=True)
    strict = ["-q", "-W", "--keep-going", "-n"]
    folders = ["-c", str(DOCS), "-d", str(cache), str(source), str(target)]
    return build_main(["-b", "html", *strict, "-j", "auto", *folders])


def make(target):
    """Lay out and build the whole site in a folder; return the exit code."""
    source = target.with_name(f"{target.name}-source")
    lay_out(source)
    return run_sphinx(source, target)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=SITE, help="the folder of the pages")
    parser.add_argument("--status", action="store_true", help="write docs/status.json")
    options = parser.parse_args()
    forgive_stdout()
    if options.status:
        keep_status()
        print(f"{STATUS.relative_to(ROOT)}: written")
        return
    code = make(options.to.resolve())
    if not code:
        print(f"The site is ready: {options.to / 'index.html'}")
    sys.exit(code)


if __name__ == "__main__":
    main()
