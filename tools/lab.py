"""Open JupyterLab on working copies: `work/` is yours, `notebooks/` stays as it came.

    python -m tools.lab [--port 8888] [--no-browser]

A notebook that you changed is never touched. One that you left as it came is replaced when
the course has a newer version.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
WORK = ROOT / "work"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def copy_notebooks(source, work):
    """Bring `work` up to date with `source`; return {file name: what was done}.

    Args:
        source: folder of the course's notebooks.
        work: folder of the learner's copies, made if missing. Its file `.originals.json`
            remembers what each copy was when it came.

    done is "new", "updated" (your copy was untouched), "kept" (you changed it, or it is
    current), or "kept, the course has a newer version".
    """
    work.mkdir(parents=True, exist_ok=True)
    record = work / ".originals.json"
    originals = json.loads(record.read_text("utf-8")) if record.exists() else {}
    done = {}
    for path in sorted(source.glob("*.ipynb")):
        copy, newest = work / path.name, digest(path)
        if not copy.exists():
            done[path.name] = "new"
        elif originals.get(path.name) == newest or digest(copy) == newest:
            done[path.name] = "kept"
            continue
        elif originals.get(path.name) == digest(copy):
            done[path.name] = "updated"
        else:
            done[path.name] = "kept, the course has a newer version"
            continue
        shutil.copyfile(path, copy)
        originals[path.name] = newest
    record.write_text(json.dumps(originals, indent=1), "utf-8")
    return done


def has_screen():
    """Whether a browser can be opened here."""
    if sys.platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8888, help="the next free one is used")
    parser.add_argument("--no-browser", action="store_true", help="only print the URL")
    options, jupyter_options = parser.parse_known_args()
    for name, what in copy_notebooks(NOTEBOOKS, WORK).items():
        print(f"work/{name}: {what}")
        if "newer" in what:
            print(f"  to get it, rename yours and run `make lab` again: work/{name}")
    arguments = [f"--notebook-dir={WORK}", f"--port={options.port}"]
    arguments += ["--LabApp.news_url=None"]
    arguments += ["--ServerApp.log_level=WARN", "--LabApp.log_level=WARN", *jupyter_options]
    if options.no_browser or not has_screen():
        arguments.append("--no-browser")
        print("No browser is opened: copy the URL with the token below into yours.")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments)


if __name__ == "__main__":
    main()
