"""Ours beside other people's recipes: one table, quality and cost of five comparisons.

    python -m benchmarks                   about an hour on two cores
    python -m benchmarks --short           about ten minutes: peers are cut
    python -m benchmarks --only vae        one comparison (or several)

Each comparison is a script of its own (`python -m benchmarks.vae --help`) and runs in a
process of its own, one after the other, so that neither CPU seconds nor memory of one
count for the next. Progress goes to stderr, the table to stdout.

Where the peers' numbers come from is said in each script: `official_example` in
`mnist_cnn`, `official_halves` and `official` in `vae`, `official_players` and
`official_step` in `conditional_gan`, the heads of `numpy_mlp` and `link_prediction`.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version

from benchmarks import table

# arguments of each script: in the full plan, in the short one
PLAN = {
    "mnist_cnn": ("--only official ours --seeds 1 2 3", "--only official ours --short"),
    "numpy_mlp": ("3", "--short"),
    "vae": ("--seeds 1,2,3", "--short"),
    "conditional_gan": ("--seeds 1 2 3 --rounds 3000 --epochs 2", "--short"),
    "link_prediction": ("3", "--short"),
}


def command(name, short):
    """The command line of one comparison."""
    return [
        *(sys.executable, "-m", f"benchmarks.{name}", "--json"),
        *PLAN[name][short].split(),
    ]


def runs_of(name, short):
    """Runs of one comparison as they come; RuntimeError if its process fails."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
    settings = {"stdout": subprocess.PIPE, "text": True, "env": quiet}
    with subprocess.Popen(command(name, short), **settings) as child:
        for line in child.stdout:
            if line.startswith("{"):
                yield table.read(line)
            else:
                print(line, end="", file=sys.stderr)
    if child.returncode:
        raise RuntimeError(f"benchmarks.{name} ended with {child.returncode}")


def collected(names, short):
    """(all runs, names that failed); says on stderr what is going on."""
    started, runs, failed = time.perf_counter(), [], []

    def say(text):
        minutes, seconds = divmod(int(time.perf_counter() - started), 60)
        print(f"{minutes:3}:{seconds:02} {text}", file=sys.stderr, flush=True)

    for number, name in enumerate(names, 1):
        say(f"{name} ({number} of {len(names)}) ...")
        try:
            for run in runs_of(name, short):
                runs.append(run)
                reached = table.quality_cell([run.end.quality])
                cost = table.cost_cell([run])
                say(f"  {run.task}, {run.recipe}: {reached}, {cost} CPU s")
        except RuntimeError as error:
            say(f"  {error}")
            failed.append(name)
        except KeyboardInterrupt:
            say("  stopped: here is what there is")
            failed += names[number - 1 :]
            break
    say("done")
    return runs, failed


def setting(short):
    """One line: what ran, and on what."""
    packages = ", ".join(f"{p} {version(p)}" for p in ("keras", "numpy"))
    plan = "Short plan: one run each, peers cut short" if short else "Full plan"
    return (
        f"{plan}. Python {platform.python_version()}, {packages}, {platform.machine()}, "
        f"{os.cpu_count()} cores. CPU s: training only, all threads, mean of the runs. "
        "At equal CPU s: both at the cost of the cheaper, between two marks on a line."
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--short", action="store_true", help="one run each, peers cut short"
    )
    parser.add_argument("--only", nargs="+", choices=list(PLAN), metavar="NAME",
                        help=", ".join(PLAN))  # fmt: skip
    options = parser.parse_args(arguments)
    runs, failed = collected(options.only or list(PLAN), options.short)
    print(f"{setting(options.short)}\n\n{table.markdown(runs)}")
    if failed:
        print(f"\nNot finished: {', '.join(failed)}.")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
