"""Run the whole course as a learner would, and report.

    python -m tools.course            every chapter -> build/course/*.ipynb, summary.md
    python -m tools.course 01 05      these chapters only
    DL_COURSE_SEED=3 python -m tools.course     with other seeds: do all claims hold?
    python -m tools.course --jax      the chapters marked `jax`, with JAX beneath Keras

Exits with 1 if a claim fails or is not reached, or a cell raises that should not; with
130 after Ctrl-C.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from tools import notebooks
from tools.environment import seed_shift, use_course_keras
from tools.files import forgive_stdout, lock, make_folder, write_atomically
from tools.notebooks import (
    ANSI,
    ROOT,
    build,
    chapters_named,
    claims_in,
    execute,
    fingerprint,
    manifest,
    read_stored,
    stem,
    tags,
)

COURSE = ROOT / "build" / "course"


# ---------------------------------------------------------------- one chapter


def run(chapter):
    """Execute a chapter, keep its notebook, return its row of the table.

    A row has chapter, held, failed (names), claims (how many a whole run states; None if
    nobody knows), errors (a sentence each), seconds, memory (MB; None if the kernel died).
    """
    notebook, errors, took = build(chapter), [], {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "claims"  # ours: it outlives a kernel that dies
        own = {"DL_COURSE_CLAIMS": str(record)}
        try:
            took = execute(notebook, stem(chapter), strict=False, environment=own)
        except DeadKernelError:
            errors.append(f"the kernel died in {place(notebook)} (out of memory?)")
        except CellTimeoutError:
            errors.append(f"{place(notebook)} took too long and was given up")
        claims = claims_in(record)
        seconds = took.get("seconds", time.monotonic() - started)
    write_atomically(COURSE / f"{stem(chapter)}.ipynb", nbformat.writes(notebook) + "\n")
    errors = errors_of(notebook) + errors
    return {
        "chapter": f"{chapter['number']} {chapter['title']}",
        "held": sum(claim["held"] for claim in claims),
        "failed": [claim["name"] for claim in claims if not claim["held"]],
        "claims": expected_claims(chapter, notebook, claims, errors),
        "errors": errors,
        "seconds": seconds,
        "memory": took.get("memory"),
    }


def place(notebook):
    """Where a run ended: the first code cell that was not finished."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    done = sum(cell.execution_count is not None for cell in cells)
    return f"code cell {min(done + 1, len(cells))} of {len(cells)}"


def expected_claims(chapter, notebook, claims, errors):
    """How many claims a whole run of this code states, as far as that is known.

    The stored notebook of the same code says it; if there is none, a run without errors.
    """
    stored = read_stored(notebooks.NOTEBOOKS / f"{stem(chapter)}.ipynb")
    known = stored.metadata.get("dl_course", {}) if stored else {}
    if "claims" in known and known.get("outputs_of") == fingerprint(notebook):
        return max(known["claims"], len(claims))
    return None if errors else len(claims)


def errors_of(notebook):
    """Errors in cells that are not meant to raise, first line each."""
    return [
        f"{output.ename}: {ANSI.sub('', output.evalue)}".splitlines()[0]
        for cell in notebook.cells
        if "raises-exception" not in tags(cell)
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]


# ---------------------------------------------------------------- the table


def with_jax(numbers):
    """The chapters to run with JAX: those marked `jax`, unless `numbers` names some."""
    if not importlib.util.find_spec("jax"):
        raise SystemExit("JAX is missing: `make jax` installs it, or pip install jax")
    return numbers or [chapter["number"] for chapter in manifest()[1] if chapter.get("jax")]


def missing(row):
    """How many claims of a chapter were not reached; None if nobody knows."""
    if row["claims"] is None:
        return None
    return row["claims"] - row["held"] - len(row["failed"])


def is_good(row):
    return not (row["errors"] or row["failed"] or missing(row))


def table(rows):
    lines = [
        "| chapter | claims held | failed | not reached | errors | seconds | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        cells = [
            row["chapter"],
            f"{row['held']} of {'?' if row['claims'] is None else row['claims']}",
            len(row["failed"]),
            "?" if missing(row) is None else missing(row),
            len(row["errors"]),
            f"{row['seconds']:.0f}",
            "?" if row["memory"] is None else f"{row['memory']:.0f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def summary(rows, chosen, heading):
    """The text of summary.md: what ran, the table, and each thing that went wrong."""
    ran = f"All {len(chosen)} chapters ran."
    if len(rows) < len(chosen):
        ran = f"Only {len(rows)} of {len(chosen)} chapters ran."
    wrong = [
        f"- {row['chapter']}: {text}"
        for row in rows
        for text in [*(f"✗ {name}" for name in row["failed"]), *row["errors"]]
    ]
    wrong += [
        f"- {row['chapter']}: {missing(row)} claims were not reached"
        for row in rows
        if missing(row)
    ]
    held = "Every claim held." if len(rows) == len(chosen) else "So far every claim held."
    verdict = "\n".join(wrong) or held
    return f"{heading} {ran}\n\n{table(rows)}\n\n{verdict}\n"


def commit():
    """What the checkout holds, in words."""
    commands = ["git", "rev-parse", "--short", "HEAD"], ["git", "status", "--porcelain"]
    try:
        head, changes = (
            subprocess.run(
                command, cwd=ROOT, check=True, capture_output=True, text=True
            ).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "a folder without git"
    return f"commit {head}" + (" with changes" if changes else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    parser.add_argument("--jax", action="store_true", help="JAX beneath Keras")
    options = parser.parse_args()
    forgive_stdout()
    shift = seed_shift()
    numbers = with_jax(options.chapters) if options.jax else options.chapters
    chosen, rows, code = chapters_named(numbers), [], 0
    backend = "JAX" if options.jax else "TensorFlow"
    heading = (
        f"Made on {time.strftime('%Y-%m-%d at %H:%M')} from {commit()}. "
        f"Seeds shifted by {shift}, {backend} beneath Keras."
    )
    make_folder(COURSE)
    path = COURSE / "summary.md"
    try:
        with lock():
            use_course_keras(ROOT / "build", backend.lower())
            path.unlink(missing_ok=True)  # no old table passes for the new one
            for chapter in chosen:
                (COURSE / f"{stem(chapter)}.ipynb").unlink(missing_ok=True)
            for chapter in chosen:
                rows.append(run(chapter))
                write_atomically(path, summary(rows, chosen, heading))
                print(table(rows[-1:]).splitlines()[-1], flush=True)
        code = 0 if all(map(is_good, rows)) else 1
    except KeyboardInterrupt:
        print(f"\nStopped by Ctrl-C after {len(rows)} of {len(chosen)} chapters.")
        code = 130
    except SystemExit as error:  # a file that cannot be written
        print(error)
        code = 1
    if rows:
        print(f"\n{summary(rows, chosen, heading)}\nNotebooks and this table: {COURSE}")
    sys.exit(code)


if __name__ == "__main__":
    main()
