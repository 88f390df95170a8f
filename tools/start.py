"""The page that `make lab` opens: the chapters, and what you have solved.

It is made anew in work/00_start.ipynb at each start; its cell makes it again in the lab.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from dl_course.exercises import solved
from tools.files import write_atomically
from tools.notebooks import manifest, source_path, stem
from tools.readme import groups

NAME = "00_start.ipynb"
HEADING = re.compile(
    r"^# ### Exercise (?P<key>[^:\s]+): (?P<title>.+)\n#\n# \*?(?P<minutes>\d+) minutes",
    re.MULTILINE,
)
WELCOME = """\
# {title}

Click a chapter to open it. These notebooks are your own copies, in the folder `work/`: \
write into them what you like, no update touches what you changed. A part with a letter \
deepens its chapter.

To count again what you have solved, choose **Run → Run All Cells**. This page is made \
anew each time the lab starts: keep your notes elsewhere."""
CODE = "from tools.start import show\n\nshow()"


class Exercise(NamedTuple):
    """An exercise as its chapter's source heads it."""

    key: str
    title: str
    minutes: int


def exercises(chapter):
    """The exercises of a chapter, in order, read from its source."""
    text = source_path(chapter).read_text("utf-8")
    return [
        Exercise(match["key"], sentence(match["title"]), int(match["minutes"]))
        for match in HEADING.finditer(text)
    ]


def sentence(title):
    return title[0].upper() + title[1:]


def table(work):
    """The chapters as Markdown, with the exercises that solved.txt in `work` counts.

    Args:
        work: folder of the learner's copies. If its file of solved exercises cannot be
            read, a sentence says so.
    """
    try:
        known, trouble = solved.read(work / solved.NAME), []
    except OSError as error:
        known, trouble = {}, [f"`{solved.NAME}` cannot be read: {error.strerror}.", ""]
    counts = {
        chapter["number"]: [e.key in known for e in exercises(chapter)]
        for chapter in manifest()[1]
    }
    done = sum(map(sum, counts.values()))
    total = sum(map(len, counts.values()))
    lines = ["| | chapter | what you will do | minutes | solved |"]
    lines += ["|:--|:--|:--|--:|:--|"]
    for number, title, parts in groups():
        if parts[0]["number"] != number:
            lines.append(f"| **{number}** | **{title}** | | | |")
        for part in parts:
            lines.append(row(part, part["number"] == number, counts[part["number"]]))
    head = f"**You have solved {done} of {total} exercises.**"
    return "\n".join([head, "", *trouble, *newer(work), *lines])


def row(chapter, whole, counts):
    link = f"[{chapter['title']}]({stem(chapter)}.ipynb)"
    number, link = (
        (f"**{chapter['number']}**", f"**{link}**")
        if whole
        else (chapter["number"], f"↳ {link}")
    )
    signs = "●" * sum(counts) + "○" * (len(counts) - sum(counts))
    return (
        f"| {number} | {link}<br>{chapter['question']} | {chapter['promise']} "
        f"| {chapter['minutes']} | {signs}<br>{sum(counts)} of {len(counts)} |"
    )


def newer(work):
    """A line for each newer version that lies beside a copy."""
    found = sorted(work.glob("*.new*.ipynb"))
    lines = [f"- [{path.name}]({path.name})" for path in found]
    head = "The course has a newer version of what you changed; it lies beside your copy:"
    return [head, "", *lines, ""] if found else []


def show():
    """Display the table in a notebook, counted now."""
    from IPython.display import Markdown, display

    path = Path(os.environ.get("DL_COURSE_SOLVED", solved.NAME)).expanduser()
    display(Markdown(table(path.parent)))


def write_page(work):
    """Write the start page into the folder of the learner's copies; return its path."""
    output = new_output(
        "display_data", data={"text/markdown": table(work), "text/plain": "the chapters"}
    )
    cells = [
        new_markdown_cell(WELCOME.format(title=manifest()[0]["title"]), id="welcome"),
        new_code_cell(
            CODE,
            id="chapters",
            outputs=[output],
            metadata={"jupyter": {"source_hidden": True}},
        ),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    write_atomically(work / NAME, nbformat.writes(notebook) + "\n")
    return work / NAME
