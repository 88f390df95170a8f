"""Make notebooks/*.ipynb from notebooks/src/*.py and the manifest; execute what changed.

    python -m tools.notebooks             write all, execute those whose code changed
    python -m tools.notebooks 05 --all    write and execute chapter 05 in any case
    python -m tools.notebooks --handout   copies without solutions, in build/handout

A notebook is: generated first cells, the source's cells, generated last cells. Stored
outputs stay as long as the code that made them does.
"""

import argparse
import hashlib
import os
import re
import time
import tomllib
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


# ---------------------------------------------------------------- the manifest


def manifest():
    """(course, chapters, references) out of chapters.toml and references.toml."""
    content = tomllib.loads((NOTEBOOKS / "chapters.toml").read_text("utf-8"))
    references = tomllib.loads((NOTEBOOKS / "references.toml").read_text("utf-8"))
    return content["course"], content["chapter"], references


def stem(chapter):
    return f"{chapter['number']}_{chapter['name']}"


def chapters_named(numbers):
    """The manifest's chapters with these numbers, all if there are none."""
    chapters = manifest()[1]
    known = [chapter["number"] for chapter in chapters]
    for number in numbers:
        if number not in known:
            raise SystemExit(f"no chapter {number!r}: there are {', '.join(known)}")
    return [c for c in chapters if not numbers or c["number"] in numbers]


# ---------------------------------------------------------------- building

SET_UP = """\
try:
    import dl_course
except ModuleNotFoundError:  # on Colab: install the course's package, once
    %pip install -q --no-deps "git+https://github.com/{repository}@{branch}"{packages}

import matplotlib.pyplot as plt
import numpy as np

from dl_course import plots
from dl_course.lesson import check, claim, progress, progress_bar, reveal, seed

seed(0)
plots.use_style()"""


def build(chapter, handout=False):
    """The notebook of a chapter, without outputs; for a handout without solutions."""
    source = jupytext.read(NOTEBOOKS / "src" / f"{stem(chapter)}.py", fmt="py:percent")
    cells = [*first_cells(chapter), *source.cells, *last_cells(chapter)]
    if handout:
        cells = [cell for cell in cells if "solution" not in tags(cell)]
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


def finish(cell):
    """Fold solutions, in JupyterLab and in Colab."""
    cell.metadata.pop("lines_to_next_cell", None)
    if "solution" in tags(cell):
        key = re.search(r'check\("([^"]+)"', cell.source)
        cell.source = f"# @title Solution {key[1] if key else ''}\n{cell.source}"
        cell.metadata["cellView"] = "form"
        cell.metadata["jupyter"] = {"source_hidden": True}
    return cell


def tags(cell):
    return cell.metadata.get("tags", [])


def first_cells(chapter):
    course = manifest()[0]
    colab = (
        f"https://colab.research.google.com/github/{course['repository']}"
        f"/blob/{course['branch']}/notebooks/{stem(chapter)}.ipynb"
    )
    objectives = "\n".join(f"- {text}" for text in chapter["objectives"])
    title = f"""\
# {chapter["number"]} · {chapter["title"]}

**{chapter["question"]}**

{chapter["promise"]}

You will

{objectives}

**You need** {", ".join(chapter["prerequisites"])}.
**Data**: {", ".join(chapter["data"])}, embedded in the course.
**Time**: about {chapter["minutes"]} minutes with the exercises; \
the code itself runs in at most {chapter["seconds"]} seconds on two CPU cores.

Run the cells from top to bottom. Before a cell under **Predict**, say your guess aloud. \
To use Colab, [open this chapter there]({colab}) and choose *File → Save a copy*."""
    packages = "".join(
        f"\n    %pip install -q {name}" for name in chapter.get("packages", [])
    )
    set_up = SET_UP.format(**course, packages=packages)
    set_up = new_code_cell(set_up, metadata={"tags": ["setup"]})
    return [new_markdown_cell(title), set_up]


def last_cells(chapter):
    _, chapters, references = manifest()
    points = "\n".join(f"- {text}" for text in chapter["key_points"])
    sources = "\n".join(
        f"- {references[key]['text']} <{references[key]['url']}>"
        for key in chapter["references"]
    )
    later = chapters[chapters.index(chapter) + 1 :]
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


def execute(notebook, label, allow_errors=False):
    """Run all cells in place, in a fresh kernel in notebooks/; return the costs.

    Returns {"seconds": wall time without kernel start, "memory": peak MB of the kernel}.
    """
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        record_timing=False,
        coalesce_streams=True,
        allow_errors=allow_errors,
        extra_arguments=["--log-level=40"],  # no warnings of the kernel itself
    )
    os.environ["DL_COURSE_QUIET"] = "1"
    with client.setup_kernel():
        started = time.monotonic()
        for i, cell in enumerate(tqdm(notebook.cells, label, unit="cell", leave=False)):
            client.execute_cell(cell, i)
        seconds = time.monotonic() - started
        memory = peak_memory(client)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # the long story names this machine's paths
                output.traceback = [ANSI.sub("", output.traceback[-1])]
    return {"seconds": seconds, "memory": memory}


PEAK_MEMORY = """\
import sys as _sys
if _sys.platform == "win32":
    import psutil as _psutil
    print(_psutil.Process().memory_info().peak_wset)
else:
    import resource as _resource
    _unit = 1 if _sys.platform == "darwin" else 1024
    print(_resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * _unit)
"""


def peak_memory(client):
    """Peak resident memory of the kernel, in MB."""
    probe = new_code_cell(PEAK_MEMORY)
    client.nb.cells.append(probe)
    client.execute_cell(probe, len(client.nb.cells) - 1)
    client.nb.cells.pop()
    return int(probe.outputs[0].text) / 1e6


# ---------------------------------------------------------------- storing


def fingerprint(notebook):
    """What outputs depend on: the code cells, in order."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


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
    stored = nbformat.reads(before, as_version=4) if before else None
    notebook = build(chapter)
    action = "outputs kept"
    if always or not keep_outputs(notebook, stored):
        costs = execute(notebook, stem(chapter))
        notebook.metadata["dl_course"] = {
            "outputs_of": fingerprint(notebook),
            "memory": f"{costs['memory'] / 1000:.1f} GB",
        }
        action = f"executed in {costs['seconds']:.0f} s, {costs['memory']:.0f} MB"
    text = nbformat.writes(notebook) + "\n"
    if text == before:
        return "unchanged"
    path.write_text(text, "utf-8", newline="\n")
    return f"{action}, {len(text) / 1000:.0f} kB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    parser.add_argument("--all", action="store_true", help="execute unchanged ones too")
    parser.add_argument("--handout", action="store_true", help="without solutions")
    options = parser.parse_args()
    if os.environ.get("DL_COURSE_SEED", "0") != "0":
        raise SystemExit("stored outputs belong to seed 0: unset DL_COURSE_SEED")
    for chapter in chapters_named(options.chapters):
        if options.handout:
            path = ROOT / "build" / "handout" / f"{stem(chapter)}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(build(chapter, handout=True), path)
            print(path.relative_to(ROOT))
        else:
            action = store(chapter, options.all)
            print(f"notebooks/{stem(chapter)}.ipynb: {action}")


if __name__ == "__main__":
    main()
