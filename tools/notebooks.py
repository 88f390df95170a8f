"""Make notebooks/*.ipynb from notebooks/src/*.py and their manifests; execute what changed.

    python -m tools.notebooks             write all, execute those whose code changed
    python -m tools.notebooks 05 --all    write and execute chapter 05 in any case
    python -m tools.notebooks --handout   copies without solutions, in build/handout
                                          (with --hints also with the hints)

A notebook is: generated first cells, the source's cells, generated last cells. Stored
outputs stay as long as the code that made them does.
"""

import argparse
import ast
import contextlib
import hashlib
import json
import os
import platform
import re
import tempfile
import time
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tqdm import tqdm

from tools.environment import use_course_keras
from tools.files import forgive_stdout, lock, write_atomically

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
PACKAGE = ROOT / "dl_course"
MADE = "Made from notebooks/src/"  # in the first line of a module that a chapter makes
ANSI = re.compile(r"\x1b\[[0-9;]*m")
NEEDED = {  # keys of every chapter's manifest
    *("title", "question", "promise", "objectives", "prerequisites", "data", "minutes"),
    *("cpu_seconds", "module", "key_points", "references"),
}


# ---------------------------------------------------------------- the manifest


def manifest():
    """(course, chapters, references): what the TOML files of notebooks/ say.

    A chapter is the content of src/NN_name.toml, with `number` and `name` from the file's
    name; chapters are in the order of their numbers. Raises SystemExit with one sentence
    if a file is no TOML, or a chapter lacks a key or names an unknown reference.
    """
    course = read_toml(NOTEBOOKS / "course.toml")
    references = read_toml(NOTEBOOKS / "references.toml")
    chapters = []
    for path in sorted((NOTEBOOKS / "src").glob("[0-9]*.toml")):
        number, _, name = path.stem.partition("_")
        content = read_toml(path)
        if lacking := NEEDED - set(content):
            raise SystemExit(f"{path.name}: these keys are missing: {sorted(lacking)}")
        for key in content["references"]:
            if key not in references:
                raise SystemExit(f"{path.name}: {key!r} is not in references.toml")
        chapters.append({"number": number, "name": name, **content})
    return course, chapters, references


def read_toml(path):
    """The content of a TOML file; SystemExit with file and line if it is none."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SystemExit(f"{path.name}: {error}") from None


def stem(chapter):
    return f"{chapter['number']}_{chapter['name']}"


def source_path(chapter):
    return NOTEBOOKS / "src" / f"{stem(chapter)}.py"


def chapters_named(numbers):
    """The manifest's chapters with these numbers, all if there are none."""
    chapters = manifest()[1]
    known = [chapter["number"] for chapter in chapters]
    for number in numbers:
        if number not in known:
            raise SystemExit(f"no chapter {number!r}: there are {', '.join(known)}")
    return [c for c in chapters if not numbers or c["number"] in numbers]


# ---------------------------------------------------------------- building

INSTALL = """\
if "google.colab" in sys.modules and not importlib.util.find_spec("dl_course"):
    %pip install -q --no-deps "git+https://github.com/{repository}@{tag}"{packages}
"""
SET_UP = """\
import importlib.util
import sys

{install}\
if not importlib.util.find_spec("dl_course"):
    raise ImportError("dl_course is missing. {get}")

import dl_course

if not hasattr(dl_course, "COURSE"):  # another package has this name, too
    raise ImportError(f"{{dl_course.__file__}} is not this course's package. {get}")

import matplotlib.pyplot as plt
import numpy as np

from dl_course import plots
from dl_course.lesson import check, claim, progress, progress_bar, report, reveal, seed

seed(0)
plots.use_style()"""
HINT = re.compile(r"<details><summary>Hint.*?</details>", re.DOTALL)
HANDOUT = """\


**To run this handout** you need the course's package. Get the course's folder{where}, \
put this file into its folder `work`, and run `make lab` there.{colab}"""
GET = "It comes with the course: get its folder, and open this notebook with `make lab`."
FOLDED = {  # tag of a cell: the title that stands in place of its code
    "setup": "Set-up",
    "solution": "Solution",
    "worked": "One way to write it: try the exercise first",
    "claims": "What is claimed, and checked",
    "figure": "Drawing",
}


def build(chapter, handout=False, source=None, hints=True):
    """The notebook of a chapter, without outputs; for a handout without solutions.

    `source`: the text of the chapter's .py, if not the one that is stored. `hints`:
    whether a handout keeps the folded hints.
    """
    import jupytext  # not among what a learner's commands need

    source = source_path(chapter).read_text("utf-8") if source is None else source
    middle = jupytext.reads(source, fmt="py:percent").cells
    cells = [*first_cells(chapter), *middle, *last_cells(chapter)]
    if handout:
        cells = for_handout(cells, hints, chapter)
    notebook = new_notebook(cells=[finish(cell) for cell in cells])
    seen = {}
    for cell in notebook.cells:  # an id depends on the text alone: quiet diffs
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}"
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
        "colab": {"toc_visible": True},
    }
    return notebook


def for_handout(cells, hints, chapter):
    """The cells without solutions; the first says how to get the course's package.

    Later cells need what a cell tagged `worked` defines: a handout imports it.
    """
    cells = [cell for cell in cells if "solution" not in tags(cell)]
    for cell in cells:
        if "worked" in tags(cell):
            names = re.findall(r"^(?:def|class) (\w+)", cell.source, re.MULTILINE)
            cell.source = f"from dl_course.{chapter['module']} import {', '.join(names)}"
    course = manifest()[0]
    address = "<https://github.com/{repository}/tree/{tag}>".format(**course)
    cells[0].source += HANDOUT.format(
        where=f" from {address}" if course["repository"] else "",
        colab=" On Colab the next cell gets it." if course["repository"] else "",
    )
    if not hints:
        for cell in cells:
            cell.source = HINT.sub("", cell.source).strip()
    return [cell for cell in cells if cell.source]


def finish(cell):
    """Fold what is not read first, in JupyterLab and in Colab."""
    cell.metadata.pop("lines_to_next_cell", None)
    for tag in tags(cell):
        if tag in FOLDED:
            key = re.search(r'check\("([^"]+)"', cell.source) if tag == "solution" else None
            title = f"{FOLDED[tag]} {key[1]}" if key else FOLDED[tag]
            cell.source = f"# @title {title}\n{cell.source}"
            cell.metadata["cellView"] = "form"
            cell.metadata["jupyter"] = {"source_hidden": True}
            break
    return cell


def tags(cell):
    return cell.metadata.get("tags", [])


def colab_link(chapter):
    """The address that opens a chapter on Colab; None before the course is published."""
    course = manifest()[0]
    if not course["repository"]:
        return None
    return (
        f"https://colab.research.google.com/github/{course['repository']}"
        f"/blob/{course['tag']}/notebooks/{stem(chapter)}.ipynb"
    )


def set_up(chapter):
    """The source of the set-up cell: it installs on Colab only, and only once published."""
    course = manifest()[0]
    packages = "".join(
        f"\n    %pip install -q {name}" for name in chapter.get("packages", [])
    )
    install = INSTALL.format(**course, packages=packages) if course["repository"] else ""
    return SET_UP.format(install=install, get=GET)


def first_cells(chapter):
    objectives = "\n".join(f"- {text}" for text in chapter["objectives"])
    colab = colab_link(chapter)
    colab = (
        f" To use Colab, [open this chapter there]({colab}) and choose "
        "*File → Save a copy*."
        if colab
        else ""
    )
    title = f"""\
# {chapter["number"]} · {chapter["title"]}

**{chapter["question"]}**

{chapter["promise"]}

You will

{objectives}

**You need** {", ".join(chapter["prerequisites"])}.
**Data**: {", ".join(chapter["data"])}, embedded in the course.
**Time**: about {chapter["minutes"]} minutes with the exercises.

Run the cells from top to bottom. Before a cell under **Predict**, say your guess aloud.\
{colab}"""
    cell = new_code_cell(set_up(chapter), metadata={"tags": ["setup"]})
    return [new_markdown_cell(title), cell]


def last_cells(chapter):
    _, chapters, references = manifest()
    points = "\n".join(f"- {text}" for text in chapter["key_points"])
    sources = "\n".join(
        f"- {references[key]['text']} <{references[key]['url']}>"
        for key in chapter["references"]
    )
    later = [c for c in chapters if c["number"] > chapter["number"]]
    end = (
        f"Next: [{later[0]['number']} {later[0]['title']}]({stem(later[0])}.ipynb): "
        f"{later[0]['question'][0].lower()}{later[0]['question'][1:]}"
        if later
        else "This is the last chapter so far."
    )
    return [
        new_markdown_cell(f"## Key points\n\n{points}"),
        new_markdown_cell(f"## References\n\n{sources}\n\n{end}"),
    ]


# ---------------------------------------------------------------- executing


def execute(notebook, label, *, strict=True, until=None, environment=None):
    """Run the cells in place, in a fresh kernel in notebooks/; return what it took.

    Args:
        notebook: the notebook; its cells get their outputs.
        label: what the progress bar shows.
        strict: a claim that fails, or a cell that raises, ends the run with its error.
            Otherwise the run goes on.
        until: stop after the cell that reaches the claim of this name.
        environment: more variables for the kernel, such as {"DL_COURSE_SEED": "3"}.

    Returns {"seconds": wall time without the kernel's start, "cpu": seconds of CPU time of
    the kernel and its children, "memory": peak MB of the kernel, "claims": the records that
    `claim` wrote, in order}.
    """
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        record_timing=False,
        coalesce_streams=True,
        allow_errors=not strict,
        extra_arguments=["--log-level=50"],  # the kernel itself says nothing
    )
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "claims"
        variables = {
            **os.environ,
            "DL_COURSE_QUIET": "1",
            "DL_COURSE_CLAIMS": str(record),
            "DL_COURSE_STRICT": str(int(strict)),
            **(environment or {}),
        }
        with client.setup_kernel(env=variables):
            started = time.monotonic()
            for i, cell in enumerate(tqdm(notebook.cells, label, unit="cell", leave=False)):
                client.execute_cell(cell, i)
                if until and until in (claim["name"] for claim in claims_in(record)):
                    break
            seconds = time.monotonic() - started
            cpu, memory = costs(client)
        claims = claims_in(record)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # the long story names this machine's paths
                output.traceback = [ANSI.sub("", output.traceback[-1])]
    return {"seconds": seconds, "cpu": cpu, "memory": memory, "claims": claims}


def claims_in(path):
    """The records of a file that `claim` appended to: one JSON object a line."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


COSTS = """\
import sys as _sys
if _sys.platform == "win32":
    import psutil as _psutil
    _me = _psutil.Process()
    print(sum(_me.cpu_times()[:4]), _me.memory_info().peak_wset)
else:
    import resource as _resource
    _who = _resource.RUSAGE_SELF, _resource.RUSAGE_CHILDREN
    _all = [_resource.getrusage(one) for one in _who]
    _unit = 1 if _sys.platform == "darwin" else 1024
    print(sum(u.ru_utime + u.ru_stime for u in _all), _all[0].ru_maxrss * _unit)
"""


def costs(client):
    """(CPU seconds of the kernel and its children, peak resident memory of it in MB)."""
    probe = new_code_cell(COSTS)
    client.nb.cells.append(probe)
    client.execute_cell(probe, len(client.nb.cells) - 1)
    client.nb.cells.pop()
    cpu, memory = probe.outputs[0].text.split()
    return float(cpu), int(memory) / 1e6


# ---------------------------------------------------------------- storing


def made_modules(code):
    """{name: text} of the made modules that code imports, and of those that they import."""
    found, todo = {}, [code]
    while todo:
        for name in imported(todo.pop()) - set(found):
            path = PACKAGE / f"{name}.py"
            text = path.read_text("utf-8") if path.is_file() else ""
            if MADE in text.partition("\n")[0]:
                found[name] = text
                todo.append(text)
    return found


def imported(code):
    """Names of the modules of dl_course that code imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module == "dl_course":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.removeprefix("dl_course."))
        elif isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("dl_course.") for alias in node.names}
    return names


def fingerprint(notebook):
    """What outputs depend on: code cells (not set-up) and the made modules they import."""
    code = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and "setup" not in tags(cell)
    ]
    modules = made_modules("\n".join(line for cell in code for line in plain(cell)))
    texts = [*code, *(modules[name] for name in sorted(modules))]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def plain(source):
    """Lines of a cell without those that only IPython understands."""
    return [line for line in source.splitlines() if not re.match(r"\s*[%!]", line)]


def keep_outputs(notebook, stored):
    """Copy outputs from the stored notebook if its code is the same; say whether it was."""
    if stored is None:
        return False
    made_by = stored.metadata.get("dl_course", {}).get("outputs_of")
    if not made_by == fingerprint(notebook) == fingerprint(stored):
        return False
    old = [cell for cell in stored.cells if cell.cell_type == "code"]
    new = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, before in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    notebook.metadata["dl_course"] = stored.metadata["dl_course"]
    return True


def store(chapter, always=False):
    """Write a chapter's .ipynb, executing it if its code changed; return what was done."""
    path = NOTEBOOKS / f"{stem(chapter)}.ipynb"
    before = path.read_text("utf-8") if path.exists() else None
    stored = read_stored(path)
    notebook = build(chapter)
    action = "outputs kept"
    if always or not keep_outputs(notebook, stored):
        took = execute(notebook, stem(chapter))
        notebook.metadata["dl_course"] = {
            "outputs_of": fingerprint(notebook),
            "memory": f"{took['memory'] / 1000:.1f} GB",
            "cpu_seconds": round(took["cpu"]),
            "claims": len(took["claims"]),
            "versions": versions(),
        }
        action = (
            f"executed in {took['seconds']:.0f} s, {took['cpu']:.0f} CPU seconds of "
            f"{chapter['cpu_seconds']}, {took['memory']:.0f} MB"
        )
    text = nbformat.writes(notebook) + "\n"
    if text == before:
        return "unchanged"
    write_atomically(path, text)
    return f"{action}, {len(text) / 1000:.0f} kB"


def versions():
    """What executes the notebooks here, such as "Python 3.12.3, Keras 3.15.1"."""
    found = [f"Python {platform.python_version()}"]
    for package in ("Keras", "TensorFlow", "NumPy"):
        for name in (package, f"{package}-cpu"):
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.append(f"{package} {metadata.version(name)}")
                break
    return ", ".join(found)


def read_stored(path):
    """The notebook stored at a path; None if there is none, or none that can be read."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        return None
    except Exception:  # cut or damaged: it is made again
        print(f"{path.name} could not be read: it is made again")
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    parser.add_argument("--all", action="store_true", help="execute unchanged ones too")
    parser.add_argument("--handout", action="store_true", help="without solutions")
    parser.add_argument("--hints", action="store_true", help="handouts keep the hints")
    options = parser.parse_args()
    forgive_stdout()
    if os.environ.get("DL_COURSE_SEED", "0") != "0":
        raise SystemExit("stored outputs belong to seed 0: unset DL_COURSE_SEED")
    if options.handout:
        for chapter in chapters_named(options.chapters):
            path = ROOT / "build" / "handout" / f"{stem(chapter)}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            notebook = build(chapter, handout=True, hints=options.hints)
            write_atomically(path, nbformat.writes(notebook) + "\n")
            print(path.relative_to(ROOT))
        return
    with lock():
        use_course_keras(ROOT / "build")
        for chapter in chapters_named(options.chapters):
            print(f"notebooks/{stem(chapter)}.ipynb: {tell(chapter, options.all)}")


def tell(chapter, always):
    """`store`, and where that is not possible one sentence: the old notebook stays."""
    try:
        return store(chapter, always)
    except DeadKernelError:
        why = "the kernel died (out of memory?)"
    except (CellExecutionError, CellTimeoutError) as error:
        why = ANSI.sub("", str(error))
    except KeyboardInterrupt:
        print(f"\nStopped by Ctrl-C in {stem(chapter)}: it is as it was.")
        raise SystemExit(130) from None
    raise SystemExit(f"{why.strip()}\n{stem(chapter)} was not stored: it is as it was.")


if __name__ == "__main__":
    main()
