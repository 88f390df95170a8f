"""Open JupyterLab on working copies: `work/` is yours, `notebooks/` stays as it came.

    python -m tools.lab [--port 8888] [--no-browser] [--work FOLDER]

A notebook that you changed is never touched: if the course has a newer version, that one
is laid beside it. One that you only opened or ran is replaced.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

from dl_course.exercises import solved
from tools import start
from tools.environment import use_course_keras
from tools.files import forgive_stdout, make_folder, read_json, reason, write_atomically

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
WORK = ROOT / "work"
SETTINGS = ROOT / "tools" / "jupyter"  # overrides.json: no news, no question about news


# ---------------------------------------------------------------- notebooks


def parse(content):
    """The notebook in the bytes of a file; ValueError if they are none."""
    notebook = json.loads(content.decode("utf-8"))
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("no notebook")
    return notebook


def digest(notebook):
    """A number for what a reader writes in a notebook: its cells, without their outputs.

    Empty cells do not count, nor do metadata: JupyterLab saves both by itself.
    """
    cells = [
        (
            cell.get("cell_type"),
            "".join(cell.get("source", "")),
            cell.get("attachments", {}),
        )
        for cell in notebook["cells"]
    ]
    cells = [cell for cell in cells if cell[1].strip() or cell[2]]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def without_predicted(notebook):
    """The notebook without what its cells tagged `predict` print: pictures stay."""
    for cell in notebook["cells"]:
        if "predict" in cell.get("metadata", {}).get("tags", []) and cell.get("outputs"):
            cell["outputs"] = [o for o in cell["outputs"] if is_picture(o)]
            if not cell["outputs"]:
                cell["execution_count"] = None
    return notebook


def is_picture(output):
    return any(kind.startswith("image/") for kind in output.get("data", {}))


# ---------------------------------------------------------------- copying


def copy_notebooks(source, work):
    """Bring `work` up to date with `source`; return {file name: what was done}.

    Args:
        source: folder of the course's notebooks.
        work: folder of the learner's copies, made if missing. Its file `.originals.json`
            remembers what each copy was when it came.

    done is "new"; "updated" (you had changed nothing); "kept" (you changed it, or it is
    current); "kept, the newer version is NAME"; "new, the damaged one is now NAME"; or
    "kept, it cannot be read (WHY)". SystemExit with one sentence if a file cannot be
    written.
    """
    make_folder(work)
    record = work / ".originals.json"
    originals = read_json(record, {})
    before, done = dict(originals), {}
    try:
        for path in sorted(source.glob("*.ipynb")):
            done[path.name] = bring(path, work, originals)
    finally:
        if originals != before:
            write_atomically(record, json.dumps(originals, indent=1) + "\n")
    return done


def bring(path, work, originals):
    """Copy one notebook unless the learner's is worth more; say what was done."""
    original, copy = parse(path.read_bytes()), work / path.name
    newest = digest(original)
    done = "new"
    if copy.exists():
        try:
            present = digest(parse(copy.read_bytes()))
        except OSError as error:
            return f"kept, it cannot be read ({reason(error)})"
        except (ValueError, TypeError, AttributeError):  # cut off, or something else
            done = f"new, the damaged one is now {move_aside(copy).name}"
        else:
            if newest in (present, originals.get(path.name)):
                originals[path.name] = newest
                return "kept"
            if present != originals.get(path.name):
                return offer(original, copy, originals)
            done = "updated"
    write(original, copy, originals)
    return done


def offer(original, copy, originals):
    """Lay a newer version beside a copy that the learner changed; never over another."""
    newest, number = digest(original), 1
    while True:
        new = copy.with_suffix(f".new{'' if number == 1 else number}.ipynb")
        offered = originals.get(new.name)
        if not new.exists():
            if offered == newest:  # it was there once: deleted on purpose
                return "kept"
            break
        try:
            present = digest(parse(new.read_bytes()))
        except (OSError, ValueError, TypeError, AttributeError):
            present = None
        if present == newest:
            return f"kept, the newer version is {new.name}"
        if present is not None and present == offered:
            break
        number += 1
    write(original, new, originals)
    return f"kept, the newer version is {new.name}"


def write(original, path, originals):
    text = json.dumps(without_predicted(original), indent=1, ensure_ascii=False)
    write_atomically(path, text + "\n")
    originals[path.name] = digest(original)


def move_aside(path):
    """Give a damaged notebook a name that is free; return its new path."""
    number = 1
    while True:
        aside = path.with_suffix(f".damaged{'' if number == 1 else number}.ipynb")
        if not aside.exists():
            try:
                return path.rename(aside)
            except OSError as error:
                raise SystemExit(
                    f"{path} is damaged and cannot be renamed ({reason(error)})."
                ) from error
        number += 1


def report(done, work):
    """Print what happened to the copies: one line, and one for each that needs a look."""
    counts = Counter(what.partition(",")[0] for what in done.values())
    numbers = ", ".join(f"{count} {what}" for what, count in counts.items())
    print(f"Your notebooks are in {work}: {numbers}.")
    for name, what in done.items():
        if "," in what:
            print(f"  {name}: {what}")


# ---------------------------------------------------------------- JupyterLab


def find_homes(work):
    """Let Jupyter keep its files in work/.home if the user's home cannot be written."""
    from jupyter_core import paths

    places = {
        "JUPYTER_CONFIG_DIR": paths.jupyter_config_dir(),
        "JUPYTER_DATA_DIR": paths.jupyter_data_dir(),
        "JUPYTER_RUNTIME_DIR": paths.jupyter_runtime_dir(),
        "IPYTHONDIR": os.environ.get("IPYTHONDIR", "~/.ipython"),
    }
    closed = {}
    for name, place in places.items():
        if not can_write(Path(place).expanduser()):
            closed[name] = place
            os.environ[name] = str(work / ".home" / name.lower())
    if closed:
        places = ", ".join(map(str, closed.values()))
        print(f"Jupyter cannot write to {places}: it uses {work / '.home'} instead.")


def can_write(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def prepare_kernels(work):
    """Let kernels import this course, whatever is installed, and note what is solved."""
    os.environ["DL_COURSE_SOLVED"] = str(work / solved.NAME)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])


def trust(paths):
    """Tell Jupyter that these notebooks come from the course: it warns of others."""
    notary = NotebookNotary(log=logging.getLogger("notary"))
    for path in paths:
        notary.sign(nbformat.read(path, as_version=4))


def has_screen():
    """Whether a browser can be opened here."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main():
    forgive_stdout()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8888, help="the next free one is used")
    parser.add_argument("--no-browser", action="store_true", help="only print the URL")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of your copies")
    parser.add_argument(
        "--copy-only", action="store_true", help="copies and start page, no JupyterLab"
    )
    options, jupyter_options = parser.parse_known_args()
    work = options.work.expanduser().resolve()
    try:
        done = copy_notebooks(NOTEBOOKS, work)
    except SystemExit as error:
        raise SystemExit(
            f"{error} Or name another: make lab ARGS='--work FOLDER'"
        ) from None
    report(done, work)
    backend = "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow"
    use_course_keras(work / ".home", backend)
    find_homes(work)
    prepare_kernels(work)
    ours = [work / name for name, what in done.items() if what in ("new", "updated")]
    trust([*ours, start.write_page(work)])
    if options.copy_only:
        return
    arguments = [f"--notebook-dir={work}", f"--port={options.port}"]
    arguments += [f"--LabApp.default_url=/lab/tree/{start.NAME}"]
    arguments += [f"--LabApp.app_settings_dir={SETTINGS}"]
    arguments += ["--ServerApp.log_level=WARN", "--LabApp.log_level=WARN", *jupyter_options]
    if options.no_browser or not has_screen():
        arguments.append("--no-browser")
        print("No browser is opened: copy the URL with the token below into yours.")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    print("To stop the lab, press Ctrl-C here, twice.", flush=True)
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)


if __name__ == "__main__":
    main()
