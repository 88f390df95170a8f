"""Run chapters with many seeds: how far is each claim from its bound?

    python -m tools.seeds 07b --runs 20       seeds shifted by 1 to 20
    python -m tools.seeds 07b --first 1000    shifted by 1000, 1001, ...

Prints for each claim the mean and the sample deviation of its value, its worst value, its
bound, and how many deviations lie between mean and bound: at least six are wanted. The rows
also go to build/seeds/NN.json. Exits with 1 if a claim failed or a cell raised.
"""

import argparse
import json
import math
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor

from tools.environment import use_course_keras
from tools.files import forgive_stdout, lock, make_folder, write_atomically
from tools.notebooks import ROOT, build, chapters_named, execute, stem, tags

SEEDS = ROOT / "build" / "seeds"
WANTED = 6  # sample deviations between the mean of a claim's value and its bound


def experiment(chapter, source=None):
    """A chapter's notebook without exercises and solutions, which claim nothing."""
    notebook = build(chapter, source=source)
    notebook.cells = [
        c for c in notebook.cells if not {"exercise", "solution"} & set(tags(c))
    ]
    return notebook


def run(chapter, shift):
    """(records of the claims, first error or None) of one run with shifted seeds."""
    notebook = experiment(chapter)
    environment = {"DL_COURSE_SEED": str(shift)}
    took = execute(
        notebook, f"{stem(chapter)}, {shift}", strict=False, environment=environment
    )
    return took["claims"], first_error(notebook)


def first_error(notebook):
    """What the first cell says that raised and should not; None if there is none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                return f"{output.ename}: {output.evalue}".splitlines()[0]
    return None


def margins(runs):
    """Rows of the table, in the order of the chapter, from the records of several runs.

    Args:
        runs: a list of lists of records, as `claim` writes them.

    A claim that is stated several times gets a row for each time. A row has name, runs,
    failed, mean, deviation, worst, bound (the nearer one), apart (deviations between mean
    and bound; None if the value never varies).
    """
    found = {}
    for records in runs:
        seen = {}
        for record in records:
            name = record["name"]
            seen[name] = seen.get(name, 0) + 1
            key = name if seen[name] == 1 else f"{name} ({seen[name]})"
            found.setdefault(key, []).append(record)
    return [row(name, records) for name, records in found.items()]


def row(name, records):
    made = {
        "name": name,
        "runs": len(records),
        "failed": sum(not record["held"] for record in records),
    }
    values = [float(record["value"]) for record in records]  # "nan" is a number, too
    sides = [
        (sign, records[0][key])
        for sign, key in ((1, "at_least"), (-1, "at_most"))
        if records[0][key] is not None
    ]
    if not sides or not all(map(math.isfinite, values)):
        return made
    mean = statistics.fmean(values)
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    if deviation < 1e-12 * max(1, abs(mean)):
        deviation = 0.0
    sign, bound = min(sides, key=lambda side: side[0] * (mean - side[1]))
    gap = sign * (mean - bound)
    apart = gap / deviation if deviation else None
    worst = min(values, key=lambda value: sign * value)
    return {
        **made,
        "mean": mean,
        "deviation": deviation,
        "worst": worst,
        "bound": f"{'≥' if sign > 0 else '≤'} {bound:g}",
        "apart": apart,
    }


def table(rows):
    """The rows as lines of text, those that failed or are too near first marked."""
    lines = [f"{'mean':>10} {'dev.':>9} {'worst':>10} {'bound':>12} {'apart':>6}  claim"]
    for r in rows:
        if "mean" not in r:
            lines.append(f"{'yes or no':>51}  {r['name']}{failed(r)}")
            continue
        apart = "-" if r["apart"] is None else f"{r['apart']:.1f}"
        near = "  ← near" if r["apart"] is not None and r["apart"] < WANTED else ""
        lines.append(
            f"{r['mean']:>10.4g} {r['deviation']:>9.2g} {r['worst']:>10.4g} "
            f"{r['bound']:>12} {apart:>6}  {r['name']}{near}{failed(r)}"
        )
    return "\n".join(lines)


def failed(r):
    return f"  ✗ failed in {r['failed']} of {r['runs']} runs" if r["failed"] else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="numbers such as 05; all if none")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first shift of the seeds")
    parser.add_argument("--workers", type=int, default=2, help="kernels at once")
    options = parser.parse_args()
    forgive_stdout()
    make_folder(SEEDS)
    use_course_keras(ROOT / "build")
    share = max(1, (os.cpu_count() or 1) // options.workers)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(share))
    shifts = range(options.first, options.first + options.runs)
    bad = False
    with lock(), ThreadPoolExecutor(options.workers) as pool:
        for chapter in chapters_named(options.chapters):
            results = list(pool.map(lambda shift, c=chapter: run(c, shift), shifts))
            rows = margins([claims for claims, _ in results])
            print(f"\n{stem(chapter)}, {options.runs} runs\n{table(rows)}", flush=True)
            for shift, (_, error) in zip(shifts, results, strict=True):
                if error:
                    print(f"seeds shifted by {shift}: {error}")
            bad |= any(error for _, error in results) or any(r["failed"] for r in rows)
            content = {"first": options.first, "runs": options.runs, "claims": rows}
            text = json.dumps(content, ensure_ascii=False, indent=1)
            write_atomically(SEEDS / f"{chapter['number']}.json", text)
    sys.exit(bad)


if __name__ == "__main__":
    main()
