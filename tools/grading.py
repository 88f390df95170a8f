"""Assignments for a class, and their grades: nbgrader underneath, our checks inside.

    python -m tools.grading assignment 05          what students get, in build/assignment
    python -m tools.grading grade 05 --from FOLDER  a table of what they handed in

FOLDER holds NAME.ipynb or NAME/anything.ipynb for each student. An assignment has a
chapter's definitions and exercises, but none of its experiments, so it is graded in
seconds. Students' code runs on this machine: grade in an account that owns nothing dear.
"""

import argparse
import ast
import builtins
import csv
import os
import re
import shutil
import subprocess
import sys
import textwrap
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import chapters, notebooks
from tools.files import forgive_stdout, make_folder, write_atomically
from tools.notebooks import chapters_named, stem, tags
from tools.start import exercises

BUILD = notebooks.ROOT / "build" / "assignment"
CELL_LIMIT = 60  # seconds for a cell of a submission
LIMIT = 600  # seconds for a whole submission
TITLE = """\
# Assignment {number} · {title}

{question}

Write your answers into the cells below the tasks; remove `raise NotImplementedError()` \
when you begin. The cell after each answer tells whether it is right. Run all cells from \
top to bottom before you hand in, and leave all cells in their places.

The chapter's own functions are defined in a folded cell below; chapter {number} explains \
them."""
TEST = """\
from dl_course import exercises

words = exercises.verdict("{key}", {name})
print("Exercise {key}:", words)
assert words == exercises.CORRECT, words"""
CONFIG = """\
c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.db_url = {database!r}
c.Execute.timeout = {limit}
c.Execute.raise_on_iopub_timeout = False
c.OverwriteCells.add_missing_cells = True
c.NbGraderConfig.logfile = ""
"""


# ---------------------------------------------------------------- the assignment


def assignment(chapter):
    """The assignment of a chapter as a notebook with nbgrader's metadata.

    Solutions are no part of it: nbgrader's own command puts its stub between the marks.
    """
    keys = {exercise.key for exercise in exercises(chapter)}
    cells = [
        marked(new_markdown_cell(TITLE.format(**chapter)), "title"),
        marked(new_code_cell(set_up(chapter)), "set-up"),
        folded(marked(new_code_cell(definitions(chapter)), "definitions")),
    ]
    made = notebooks.build(chapter)
    key, given = None, 0  # the exercise, and how many cells with it are not the student's
    for cell in made.cells:
        source = notebooks.HINT.sub("", cell.source).strip()
        heading = re.search(r"^### Exercise (\S+):", source, re.MULTILINE)
        if heading:  # the first exercise shares a cell with the title of them all
            key, given = heading[1], 0
            source = source[heading.start() :].replace("###", "##", 1)
        elif cell.cell_type == "markdown" and source.startswith("## "):
            key = None
        if key is None or not source or "solution" in tags(cell):
            continue
        if "exercise" in tags(cell):
            cells += answer_and_test(source, key)
            keys.remove(key)
        else:
            new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
            cells.append(marked(new(source), f"{key}-given{given or ''}"))
            given += 1
    if keys:
        raise ValueError(f"chapter {chapter['number']}: no cell for exercises {keys}")
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = made.metadata["kernelspec"]
    return notebook


def set_up(chapter):
    """The chapter's set-up cell without what only its experiments need: seed and style."""
    return notebooks.set_up(chapter).partition("\nseed(")[0].rstrip()


def answer_and_test(source, key):
    """A stub as the cell to answer in, and the cell that checks and counts the answer."""
    call = ast.parse(source).body[-1]
    name = ast.unparse(call.value.args[1])
    text = "\n".join(source.splitlines()[: call.lineno - 1]).rstrip()
    missing = re.compile(r"^( *)raise NotImplementedError$", re.MULTILINE)
    text, changed = missing.subn(
        r"\1### BEGIN SOLUTION\n\1raise NotImplementedError\n\1### END SOLUTION", text
    )
    if not changed:
        text += "\n### BEGIN SOLUTION\n### END SOLUTION"
    test = new_code_cell(TEST.format(key=key, name=name))
    return [
        marked(new_code_cell(text), f"{key}-answer", solution=True),
        marked(test, f"{key}-test", points=1),
    ]


def marked(cell, name, *, solution=False, points=None):
    """The cell with nbgrader's metadata: locked unless it is for the student's solution."""
    cell.id = name.replace(".", "-")
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": cell.id,
        "grade": points is not None,
        "solution": solution,
        "locked": not solution,
        "task": False,
        "cell_type": cell.cell_type,
        **({} if points is None else {"points": points}),
    }
    return cell


def folded(cell):
    cell.metadata["jupyter"] = {"source_hidden": True}
    return cell


def definitions(chapter):
    """The source of what a chapter imports and defines, in order, without experiments."""
    source = chapters.source(chapter["number"])
    nodes = {id(node): node for node, _ in source.names.values()}.values()
    ours = [node for node in nodes if not is_set_up(node)]
    ours.sort(key=lambda n: (not isinstance(n, chapters.IMPORT), n.lineno))
    text, known = "", set(source.names) | set(dir(builtins))
    for node in ours:
        if not read_at_once(node) <= known:  # a constant that comes out of an experiment
            known -= set(chapters.binds(node))
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        lines = source.lines[first - 1 : node.end_lineno]
        gap = "\n" if isinstance(node, chapters.IMPORT) else "\n\n\n"
        text += gap + textwrap.dedent("\n".join(lines))
    return text.strip() or "# This chapter defines nothing that exercises need."


def read_at_once(node):
    """Names that a definition reads when it is run, not when it is called."""
    parts = [*getattr(node, "decorator_list", []), *getattr(node, "bases", [])]
    if isinstance(node, ast.FunctionDef):
        parts += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    elif isinstance(node, ast.Assign):
        parts.append(node.value)
    return set().union(*map(chapters.reads, parts))


def is_set_up(node):
    return ast.unparse(node) in chapters.set_up_imports().splitlines()


# ---------------------------------------------------------------- nbgrader


def course(chapter, limit=CELL_LIMIT):
    """Make nbgrader's folder for a chapter's assignment anew; return its path.

    The version for students lies in release/NAME/NAME.ipynb.
    """
    if find_spec("nbgrader") is None:
        raise SystemExit(
            "nbgrader is missing: python -m pip install -r requirements-test.txt"
        )
    folder, name = BUILD / chapter["number"], stem(chapter)
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder / "source" / name)
    text = nbformat.writes(assignment(chapter)) + "\n"
    write_atomically(folder / "source" / name / f"{name}.ipynb", text)
    database = f"sqlite:///{folder / 'gradebook.db'}"
    config = CONFIG.format(root=str(folder), database=database, limit=limit)
    write_atomically(folder / "nbgrader_config.py", config)
    done = nbgrader(folder, "generate_assignment", name)
    if done.returncode:
        raise SystemExit(f"nbgrader generate_assignment failed:\n{done.stderr[-2000:]}")
    return folder


def nbgrader(folder, *arguments):
    """Run a command of nbgrader in its folder, in a process group of its own.

    Raises subprocess.TimeoutExpired after LIMIT seconds; kernels end with it.
    """
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(notebooks.ROOT),
        "DL_COURSE_QUIET": "1",
        "MPLBACKEND": "agg",
        "JUPYTER_CONFIG_DIR": str(folder / ".jupyter"),
    }
    for name in ("DL_COURSE_SOLVED", "DL_COURSE_CLAIMS"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        stop(process)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def stop(process):
    """End a process and, where the system knows groups, those that it started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)
        process.kill()
    process.communicate()


# ---------------------------------------------------------------- grading


class Grade(NamedTuple):
    """What one student reached: points for each key, None where nothing was graded."""

    student: str
    points: dict
    remark: str


def submissions(folder):
    """{student: path of the notebook} in a folder of what was handed in."""
    found = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    for path in sorted(folder.glob("*/*.ipynb")):
        student = path.parent.name
        if student in found:
            raise SystemExit(f"{student} handed in twice: {found[student]} and {path}")
        found[student] = path
    if not found:
        raise SystemExit(
            f"{folder}: expected NAME.ipynb or NAME/anything.ipynb for each student, "
            "got no notebook"
        )
    return found


def grade(chapter, folder, *, limit=CELL_LIMIT):
    """Grade each submission in `folder`; yield a Grade for each, in order of names."""
    found = submissions(folder)
    where, name = course(chapter, limit), stem(chapter)
    for student, path in found.items():
        target = where / "submitted" / student / name / f"{name}.ipynb"
        make_folder(target.parent)
        shutil.copyfile(path, target)
        yield grade_one(where, chapter, student)


def grade_one(folder, chapter, student):
    keys = [exercise.key for exercise in exercises(chapter)]
    nothing = dict.fromkeys(keys)
    name = stem(chapter)
    path = folder / "submitted" / student / name / f"{name}.ipynb"
    try:
        cells = nbformat.read(path, as_version=4).cells
    except Exception:  # whatever nbformat says of what is no notebook
        return Grade(student, nothing, "not a notebook")
    if not any("nbgrader" in cell.metadata for cell in cells):
        return Grade(student, nothing, "not this assignment: its cells carry no marks")
    try:
        done = nbgrader(folder, "autograde", name, "--student", student, "--create")
    except subprocess.TimeoutExpired:
        return Grade(student, nothing, f"stopped after {LIMIT} s in all")
    points = scores(folder, name, student)
    if not points:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Grade(student, nothing, f"not graded: {last}")
    return Grade(
        student, {key: points.get(key, 0.0) for key in keys}, slow(folder, student)
    )


def scores(folder, name, student):
    """{key: points} of a graded submission, from nbgrader's gradebook; {} without one."""
    from nbgrader.api import Gradebook, MissingEntry

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        try:
            submission = gradebook.find_submission(name, student)
        except MissingEntry:
            return {}
        return {
            one.name.removesuffix("-test").replace("-", "."): one.auto_score or 0.0
            for notebook in submission.notebooks
            for one in notebook.grades
        }


def slow(folder, student):
    """What a graded notebook shows beside its points: cells that were stopped."""
    path = next((folder / "autograded" / student).glob("*/*.ipynb"))
    cells = nbformat.read(path, as_version=4).cells
    names = {"CellTimeoutError", "KeyboardInterrupt"}
    stopped = sum(
        any(output.get("ename") in names for output in cell.get("outputs", []))
        for cell in cells
    )
    return f"too slow, stopped: {stopped} of its cells" if stopped else ""


def write_table(grades, path):
    """Write the grades as a table that spreadsheets read."""
    make_folder(path.parent)
    keys = list(grades[0].points)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", *keys, "sum", "of", "remark"])
        for one in grades:
            given = [one.points[key] for key in keys]
            total = "" if None in given else sum(given)
            writer.writerow([one.student, *given, total, len(keys), one.remark])


def line(one):
    """A grade as one line of text."""
    given = [p for p in one.points.values() if p is not None]
    total = f"{sum(given):g} of {len(one.points)}" if given else "-"
    wrong = ", ".join(key for key, points in one.points.items() if points == 0)
    parts = [f"{one.student:20} {total:>8}", wrong and f"not yet: {wrong}", one.remark]
    return "  ".join(filter(None, parts))


def main():
    forgive_stdout()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["assignment", "grade"])
    parser.add_argument("chapter", help="its number, such as 05")
    parser.add_argument("--from", dest="folder", type=Path, help="what was handed in")
    parser.add_argument("--limit", type=int, default=CELL_LIMIT, help="seconds for a cell")
    options = parser.parse_args()
    (chapter,) = chapters_named([options.chapter])
    if options.what == "assignment":
        path = course(chapter, options.limit) / "release" / stem(chapter)
        print(f"Hand out {path / stem(chapter)}.ipynb")
        return
    if options.folder is None or not options.folder.is_dir():
        parser.error(f"--from: expected a folder of notebooks, got {options.folder}")
    grades = []
    for one in grade(chapter, options.folder, limit=options.limit):
        print(line(one), flush=True)
        grades.append(one)
    path = BUILD / chapter["number"] / "grades.csv"
    write_table(grades, path)
    print(f"Table: {path}\nGraded notebooks: {path.parent / 'autograded'}")


if __name__ == "__main__":
    main()
