"""What the benchmarks have in common: a run, its cost, and the one table made of runs.

A benchmark yields `Run`s, ours and the peer's. Its own table and that of
`python -m benchmarks` print the same ones. Costs are CPU seconds of the process, all
threads together; time spent on scoring is left out.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass, field
from itertools import groupby, pairwise
from statistics import mean
from typing import NamedTuple

HEAD = (
    "task",
    "recipe",
    "runs",
    "quality at the end",
    "CPU s",
    "cost ours / peer",
    "at equal CPU s",
)


class Point(NamedTuple):
    """What a run had cost and reached at a mark, such as an epoch."""

    mark: int
    cpu: float  # seconds so far
    quality: dict  # name with its unit -> value


@dataclass(frozen=True)
class Run:
    """One training of one recipe."""

    task: str
    recipe: str
    side: str  # "ours" or "peer"
    seed: int
    curve: list  # Points; the last is the end
    source: str = ""  # who published the recipe
    note: str = ""  # what was cut, or is not measured here
    measured: bool = True  # False: figures of another day
    target: float | None = None  # the first quality counts as reached when at most this
    facts: dict = field(default_factory=dict)  # more columns of the benchmark's own table

    @property
    def end(self):
        return self.curve[-1]


def seconds_to_target(run):
    """CPU seconds at the first point whose first quality is at most the target, or None."""
    reached = (p.cpu for p in run.curve if next(iter(p.quality.values())) <= run.target)
    return next(reached, None)


# ------------------------------------------------------------------------ cost and scores


class Stopwatch:
    """CPU and wall seconds while it runs; it starts at once."""

    def __init__(self):
        self.cpu = self.wall = 0.0
        self.resume()

    def pause(self):
        """CPU seconds so far."""
        self.cpu += time.process_time() - self.since[0]
        self.wall += time.perf_counter() - self.since[1]
        return self.cpu

    def resume(self):
        self.since = time.process_time(), time.perf_counter()


def scorer(score, every=1):
    """A Keras callback with the `curve` of a training: a Point after the first, the last
    and each `every`th epoch. `score(subject)` gives the quality, where `subject` is the
    model unless set otherwise. Its clock starts now."""
    import keras

    class Scorer(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.curve, self.subject, self.watch = [], None, Stopwatch()

        def on_epoch_end(self, epoch, logs=None):
            cpu, epoch = self.watch.pause(), epoch + 1
            if epoch in (1, self.params["epochs"]) or epoch % every == 0:
                self.curve.append(Point(epoch, cpu, score(self.subject or self.model)))
            self.watch.resume()

    return Scorer()


# ---------------------------------------------------------------------- a script's options


def parser(doc, short):
    """A parser with the options that all five benchmarks share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--short", action="store_true", help=short)
    parser.add_argument("--json", action="store_true", help="one run a line, no table")
    return parser


def report(runs, options, show):
    """Print runs as they come: by `show`, or as JSON. Returns what `show` returns."""
    if not options.json:
        return show(runs)
    for run in runs:
        print(json.dumps(asdict(run)), flush=True)


def read(line):
    """The run in a line of JSON."""
    run = json.loads(line)
    return Run(**run | {"curve": [Point(*point) for point in run["curve"]]})


def print_head(*columns):
    """The first two lines of a Markdown table. A column named ">..." holds numbers."""
    print("| " + " | ".join(column.lstrip(">") for column in columns) + " |")
    print(
        "|" + "|".join("--:" if c[0] == ">" else "---" for c in columns) + "|", flush=True
    )


# ------------------------------------------------------------------------- the one table


def markdown(runs):
    """The table of all runs, ours above the peer's in each task, with numbered notes."""
    lines, notes = [HEAD, ["---"] * 2 + ["--:"] + ["---"] + ["--:"] * 2 + ["---"]], []
    for task in grouped(runs, lambda run: run.task):
        recipes = grouped(sorted(task, key=lambda run: run.side), lambda run: run.recipe)
        peer = next((group for group in recipes if group[0].side == "peer"), None)
        for group in recipes:
            marks = ""
            for note in dict.fromkeys(run.note for run in group if run.note):
                notes += [note] * (note not in notes)
                marks += f" [{notes.index(note) + 1}]"
            ours = peer is not None and group[0].side == "ours"
            lines.append(
                (
                    group[0].task,
                    recipe_cell(group[0]) + marks,
                    str(len(group)),
                    quality_cell([run.end.quality for run in group]),
                    cost_cell(group),
                    ratio_cell(group, peer) if ours else "",
                    equal_cell(group, peer) if ours else "",
                )
            )
    table = ["| " + " | ".join(lines[0]) + " |", "|" + "|".join(lines[1]) + "|"]
    table += ["| " + " | ".join(line) + " |" for line in lines[2:]]
    return "\n".join(
        table + [""] * bool(notes) + [f"[{i}] {n}" for i, n in enumerate(notes, 1)]
    )


def grouped(runs, key):
    """Lists of runs with an equal key, in the order in which the keys come up."""
    groups = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return list(groups.values())


def grouped_as_they_come(runs, key):
    """The same one by one, as soon as each is complete, if its runs are neighbors."""
    return (list(group) for _, group in groupby(runs, key))


def recipe_cell(run):
    return f"{run.side}: {run.recipe}" + f" ({run.source})" * bool(run.source)


def quality_cell(qualities):
    """Means, with the range if there are several runs."""
    cells = []
    for name in qualities[0]:
        values = [quality[name] for quality in qualities]
        cell = f"{name} {mean(values):#.4g}"
        if len(values) > 1:
            cell += f" ({min(values):#.4g} to {max(values):#.4g})"
        cells.append(cell)
    return "; ".join(cells)


def mean_cost(group):
    return mean(run.end.cpu for run in group)


def cost_cell(group):
    return seconds(mean_cost(group)) + ("" if group[0].measured else " (stored)")


def ratio_cell(ours, peer):
    stored = "" if peer[0].measured else " (stored)"
    return f"{mean_cost(ours) / mean_cost(peer):.2f}{stored}"


def equal_cell(ours, peer):
    """First qualities at the cost of the cheaper, and what it cost to reach the target."""
    cells, cheaper = [], min(ours, peer, key=mean_cost)
    cost, values = mean_cost(cheaper), []
    for group in (ours, peer):  # the cheaper is at its end
        values.append(
            [quality_after(run, None if group is cheaper else cost) for run in group]
        )
    if None not in values[0] + values[1]:
        (a, b), name = map(mean, values), next(iter(ours[0].end.quality))
        cells.append(f"{name} {a:#.4g}, peer {b:#.4g}, after {seconds(cost)} s")
    if ours[0].target is not None:
        costs = [[seconds_to_target(run) for run in group] for group in (ours, peer)]
        text = [seconds(mean(c)) + " s" if None not in c else "not reached" for c in costs]
        cells.append(f"to {ours[0].target:g}: {text[0]}, peer {text[1]}")
    return "; ".join(cells)


def quality_after(run, cpu):
    """The first quality after so many CPU seconds: between two marks, on a straight line.

    At the end if `cpu` is None or later. None before the first mark.
    """
    points = [(point.cpu, next(iter(point.quality.values()))) for point in run.curve]
    if cpu is None or cpu >= points[-1][0]:
        return points[-1][1]
    for (left, before), (right, after) in pairwise(points):
        if left <= cpu <= right:
            return before + (after - before) * (cpu - left) / ((right - left) or 1)
    return None


def seconds(value):
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
