"""Make docs/teaching.md: timetables, prerequisites, and notes on each chapter for teachers.

python -m tools.teaching

Objectives, prerequisites and minutes come from the chapters' manifests, exercises from
their sources, and what only a teacher needs from docs/teaching.toml.
"""

import io
import math
import re
import sys
import tomllib
from statistics import median

from dl_course.diagrams import Diagram
from tools.files import write_atomically
from tools.notebooks import NOTEBOOKS, ROOT, manifest, read_stored, stem
from tools.readme import groups
from tools.start import exercises

DOCS = ROOT / "docs"
NOTES = DOCS / "teaching.toml"
PAGE = DOCS / "teaching.md"
HUB = DOCS / "jupyterhub.md"
PICTURE = DOCS / "prerequisites.png"
KEYS = {"show", "wrong", "class"}  # of a chapter in teaching.toml
SERVER = 0.2  # GB of a student's server and the start page's kernel
MEETING, RECALL = 120, 10  # minutes of a meeting, and of the questions at its beginning

HEAD = """\
<!-- Made by `python -m tools.teaching` from docs/teaching.toml and notebooks/src: edit \
those. -->

# Teaching with this course

The course has {chapters} chapters in {notebooks} notebooks, together about {hours} hours \
of a learner's work with all exercises. No class needs all of it. This page proposes two \
timetables, shows which chapter needs which, and says for each notebook what to show, what \
students get wrong and how to meet it, and which exercises are worth the class's time.

## Before the first meeting

Send your students the course's folder and two commands. `make check` tells in ten seconds \
whether a machine is ready, and what to do if it is not; without make it is \
`python -m tools.ready`. `make lab` opens the notebooks as copies of their own. Where \
nobody may install anything, [a JupyterHub](jupyterhub.md) serves the class.

- `make handout CHAPTERS=05` writes notebooks without solutions and without hints to \
`build/handout`; with `HINTS=1` the hints stay in.
- `make slides CHAPTERS=05` writes slides to `build/slides`: headings, figures and key \
lines, which open in a browser without a network.
- `make assignment CHAPTER=05` writes an assignment for nbgrader, and `make grade \
CHAPTER=05 FROM=folder` grades what was handed in with the checks of the course and writes \
a table.

A student's answer is never compared with a stored text: `check` draws inputs, compares \
with an independent result, and names the likely mistake. Every number that a notebook \
claims holds under other random seeds, too, so your screen will agree with the text.
"""
WEEK = """\
## One week, full time

Five days of at most seven hours, two chapters a day. The minutes are those of a learner \
who does all exercises. With the exercises marked for the class alone, time is left for \
questions, or for one of the parts in the last column, which need nothing that comes later.
"""
TERM = f"""\
## Twelve weeks of two hours

Each meeting begins with the notebook's recall questions ({RECALL} minutes), continues \
with what is worth showing live, and gives the rest to exercises in class. Before it, \
students read the notebook's first section; after it they read the others, run every cell, \
and do the exercises that are left.
"""
NEEDS = """\
## What needs what

Arrows lead from a chapter to those that need it. What follows from other arrows is left \
out. A part with a letter deepens its chapter and can be left out, unless an arrow leaves \
it.
"""


def notes():
    """The content of docs/teaching.toml."""
    return tomllib.loads(NOTES.read_text("utf-8"))


# ---------------------------------------------------------------- prerequisites


def needs():
    """{number: set of the numbers of chapters that it needs}, as the manifests say."""
    chapters = manifest()[1]
    numbers = [chapter["number"] for chapter in chapters]
    found = {}
    for chapter in chapters:
        named = set()
        for text in chapter["prerequisites"]:
            for first, last in re.findall(r"\b(\d\d[a-z]?)(?: to (\d\d))?\b", text):
                between = range(int(first[:2]), int(last or first[:2]) + 1)
                named |= {f"{i:02}" for i in between} if last else {first}
        unknown = named - set(numbers)
        if unknown:
            raise ValueError(
                f"prerequisites of {chapter['number']}: no chapter {sorted(unknown)}"
            )
        found[chapter["number"]] = named
    return found


def all_needs(number, direct):
    """Everything that a chapter needs, over any number of steps."""
    found, todo = set(), list(direct[number])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += direct[one]
    return found


def arrows():
    """[(from, to)]: needs, without those that follow from others, in order."""
    direct = needs()
    return [
        (one, number)
        for number in sorted(direct)
        for one in sorted(direct[number])
        if not any(one in all_needs(other, direct) for other in direct[number])
    ]


def diagram():
    """The picture of prerequisites as a Diagram."""
    grid = notes()["picture"]
    placed = re.findall(r"\d\S*", grid)
    numbers = [chapter["number"] for chapter in manifest()[1]]
    if sorted(placed) != sorted(numbers):
        raise ValueError(
            f"picture in {NOTES.name}: expected each chapter once, "
            f"differing: {sorted(set(placed) ^ set(numbers))}"
        )
    drawing = Diagram(re.sub(r"\b(\d)", r"c\1", grid))
    drawing.data(**{f"c{number}": number for number in numbers})
    for one, other in arrows():
        drawing.arrow(f"c{one} -> c{other}")
    return drawing


def listed():
    """The arrows as one line of text."""
    return "; ".join(f"{one} → {other}" for one, other in arrows())


def write_picture():
    file = io.BytesIO()
    metadata = {"Description": f"{listed()} in {notes()['picture']}", "Software": None}
    diagram().draw().savefig(file, dpi=160, metadata=metadata)
    write_atomically(PICTURE, file.getvalue())


# ---------------------------------------------------------------- the page


def page():
    """The text of docs/teaching.md."""
    chapters = manifest()[1]
    hours = round(sum(chapter["minutes"] for chapter in chapters) / 60)
    counts = {"chapters": len(groups()), "notebooks": len(chapters), "hours": hours}
    parts = [
        HEAD.format(**counts),
        f"{WEEK}\n{week_table()}\n",
        f"{TERM}\n{term_table()}\n",
        f"{NEEDS}\n![Which chapter needs which: {listed()}.]({PICTURE.name})\n",
        needs_table() + "\n",
        *(chapter_notes(chapter) for chapter in chapters),
    ]
    return "\n".join(parts)


def by_number():
    return {chapter["number"]: chapter for chapter in manifest()[1]}


def named(chapter):
    """A link to the chapter's part of this page."""
    title = f"{chapter['number']} {chapter['title']}"
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{title}](#{anchor})"


def week_table():
    lines = ["| day | chapters | minutes | if time is left |", "|---|---|--:|---|"]
    known, ours = by_number(), notes()
    for day, plan in enumerate(zip(ours["week"], ours["spare"], strict=True), 1):
        chapters, more = ([known[number] for number in numbers] for numbers in plan)
        minutes = sum(chapter["minutes"] for chapter in chapters)
        titles, others = (", ".join(map(named, one)) for one in (chapters, more))
        lines.append(f"| {day} | {titles} | {minutes} | {others} |")
    return "\n".join(lines)


def term_table():
    lines = ["| week | chapter | shown live | exercises in class | at home |"]
    lines.append("|---|---|--:|---|---|")
    known, ours = by_number(), notes()
    for week, number in enumerate(ours["term"], 1):
        chapter, inside = known[number], ours["chapters"][number]["class"]
        here = [e for e in exercises(chapter) if e.key in inside]
        home = [e for e in exercises(chapter) if e.key not in inside]
        minutes = sum(e.minutes for e in here)
        live = MEETING - RECALL - minutes
        lines.append(
            f"| {week} | {named(chapter)} | {live} min | {keys(here)}, {minutes} min "
            f"| {keys(home)}, {sum(e.minutes for e in home)} min |"
        )
    return "\n".join(lines)


def keys(found):
    return ", ".join(e.key for e in found)


def needs_table():
    lines = ["| chapter | you need | minutes |", "|---|---|--:|"]
    for chapter in manifest()[1]:
        needed = "; ".join(chapter["prerequisites"])
        lines.append(f"| {named(chapter)} | {needed} | {chapter['minutes']} |")
    return "\n".join(lines)


def chapter_notes(chapter):
    """The part of the page on one chapter."""
    number = chapter["number"]
    ours = notes()["chapters"].get(number)
    if ours is None or set(ours) != KEYS:
        raise ValueError(f"{NOTES.name}: chapter {number} needs the keys {sorted(KEYS)}")
    found = {e.key: e for e in exercises(chapter)}
    unknown = set(ours["class"]) - set(found)
    if unknown:
        raise ValueError(f"{NOTES.name}: chapter {number} has no exercise {unknown}")
    lines = [
        f"## {number} {chapter['title']}\n",
        f"*{chapter['question']}* [The notebook](../notebooks/{stem(chapter)}.ipynb) takes "
        f"about {chapter['minutes']} minutes; its {len(found)} exercises take "
        f"{sum(e.minutes for e in found.values())} of them.\n",
        "**Objectives.** Afterwards students can\n",
        *(f"- {text}" for text in chapter["objectives"]),
        f"\n**Show live.** {ours['show']}\n",
        "**What students get wrong, and how to meet it**\n",
        *(f"- *{wrong}* {meet}" for wrong, meet in ours["wrong"]),
        "\n**In class**\n",
        *(
            f"- {key} {found[key].title} ({found[key].minutes} minutes). {how}"
            for key, how in ours["class"].items()
        ),
    ]
    home = [e for e in found.values() if e.key not in ours["class"]]
    if home:
        words = "; ".join(f"{e.key} {e.title} ({e.minutes} minutes)" for e in home)
        lines.append(f"\n**At home.** {words}.")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- memory on a hub


def peaks():
    """{number: GB that its kernel took at most when the notebook was stored}."""
    found = {}
    for chapter in manifest()[1]:
        stored = read_stored(NOTEBOOKS / f"{stem(chapter)}.ipynb")
        took = stored.metadata.get("dl_course", {}) if stored else {}
        if "memory" in took:
            found[chapter["number"]] = float(took["memory"].removesuffix(" GB"))
    return found


def with_memory(text):
    """The text of docs/jupyterhub.md with numbers from the stored notebooks.

    The limit holds the largest notebook, a second one and the server; the guarantee one
    notebook of middle size.
    """
    found, titles = peaks(), by_number()
    lines = ["| notebook | GB |", "|---|--:|"]
    lines += [
        f"| {number} {titles[number]['title']} | {found[number]} |" for number in found
    ]
    middle = median(found.values())
    limit = math.ceil(max(found.values()) + middle + SERVER)
    guarantee = math.ceil(2 * middle) / 2
    marked = re.compile(r"(<!-- memory -->\n).*?(<!-- /memory -->)", re.DOTALL)
    text = marked.sub(lambda m: "\n".join([m[1].strip(), *lines, m[2]]), text)
    text = re.sub(r"(\*\*limit\*\*: )[\d.]+", rf"\g<1>{limit}", text)
    text = re.sub(r"(\*\*guarantee\*\*: )[\d.]+", rf"\g<1>{guarantee:g}", text)
    text = re.sub(r'(mem_limit = ")\d+', rf"\g<1>{1000 * limit}", text)
    return re.sub(r'(mem_guarantee = ")\d+', rf"\g<1>{1000 * guarantee:.0f}", text)


def main():
    write_atomically(PAGE, page())
    write_atomically(HUB, with_memory(HUB.read_text("utf-8")))
    write_picture()
    print("docs: teaching.md, its picture and jupyterhub.md are up to date")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:  # of teaching.toml or a manifest, and it says so
        sys.exit(str(error))
