"""The one table of `python -m benchmarks`: built from runs, without training."""

import dataclasses
import importlib
import json
import sys

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import color_images, table, transformer
from benchmarks.table import Point, Run

LOSS = "loss in nats"


def run(side, *points, seed=1, **more):
    curve = [Point(i, cpu, {LOSS: loss}) for i, (cpu, loss) in enumerate(points, 1)]
    return Run("a task", f"recipe of {side}", side, seed, curve, **more)


def cells(text):
    """Rows of a Markdown table as dicts of cells."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line[:1] == "|"]
    rows = [[cell.strip() for cell in line] for line in lines[2:]]
    return [dict(zip(table.HEAD, row + [""] * 7, strict=False)) for row in rows]


def test_a_table_compares_costs_and_qualities_at_the_cost_of_the_cheaper():
    peer = run("peer", (20, 8.0), (60, 4.0), (200, 2.0), source="A 2020", note="cut")
    ours = [run("ours", (10, 5.0), (40, 3.0)), run("ours", (60, 1.0), seed=2)]
    first, second = cells(table.markdown([peer, *ours]))
    assert first["recipe"] == "ours: recipe of ours" and first["runs"] == "2"
    assert first["quality at the end"] == f"{LOSS} 2.000 (1.000 to 3.000)"
    assert (first["CPU s"], first["cost ours / peer"]) == ("50", "0.25")
    assert second["recipe"] == "peer: recipe of peer (A 2020) [1]"
    assert second["quality at the end"] == f"{LOSS} 2.000"
    assert (second["CPU s"], second["cost ours / peer"]) == ("200", "")
    # At 50 s on average ours end; the peer is three quarters of its way from 8 to 4.
    assert first["at equal CPU s"] == f"{LOSS} 2.000, peer 5.000, after 50 s"
    text = table.markdown([peer, ours[0]])
    assert text.endswith("\n\n[1] cut")
    # Ours ends after 40 s; the peer is half way from 8 to 4 there.
    assert cells(text)[0]["at equal CPU s"] == f"{LOSS} 3.000, peer 6.000, after 40 s"


def test_a_target_counts_from_the_first_point_that_reaches_it():
    ours = run("ours", (1.0, 9.0), (2.0, 5.0), (3.0, 4.0), target=5.0)
    peer = run("peer", (30.0, 6.0), (90.0, 5.5), target=5.0)
    assert table.seconds_to_target(ours) == 2 and table.seconds_to_target(peer) is None
    (first, _) = cells(table.markdown([ours, peer]))
    # Nothing is known of the peer before its first point: no comparison at equal cost.
    assert first["at equal CPU s"] == "to 5: 2.0 s, peer not reached"


def test_stored_figures_are_marked_and_a_missing_peer_leaves_gaps():
    stored = run("peer", (20, 1.0), measured=False)
    ours, peer = cells(table.markdown([run("ours", (5, 1.0)), stored]))
    assert ours["cost ours / peer"] == "0.25 (stored)" and peer["CPU s"] == "20 (stored)"
    assert ours["at equal CPU s"] == ""  # two ends say nothing about equal cost
    (alone,) = cells(table.markdown([run("ours", (5, 1.0))]))
    assert alone["cost ours / peer"] == alone["at equal CPU s"] == ""


def test_a_run_survives_json():
    original = run("ours", (1.5, 2.0), (3.0, 1.0), target=1.0, facts={"wall": 2.5})
    assert table.read(json.dumps(dataclasses.asdict(original))) == original


@pytest.mark.parametrize("name", benchmarks.PLAN)
@pytest.mark.parametrize("short", [False, True])
def test_every_command_of_the_plan_is_understood(monkeypatch, name, short):
    module = importlib.import_module(f"benchmarks.{name}")
    python, dash_m, called, *arguments = benchmarks.command(name, short)
    assert (python, dash_m, called) == (sys.executable, "-m", module.__name__)
    seen = []
    monkeypatch.setattr(module.table, "report", lambda *args: seen.append(args))
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    try:
        module.main()
    except SystemExit as end:
        assert not end.code
    (_, options, show) = seen[0]  # the runs are a generator: nothing was trained
    assert options.json and options.short == short and show is module.show


def test_the_short_plan_is_shorter():
    assert all("--short" in short and "--short" not in full
               for full, short in benchmarks.PLAN.values())  # fmt: skip


def child(text):
    """A command that prints `text` and ends with 3 if it is empty."""
    return [
        sys.executable,
        "-c",
        f"import sys; print({text!r}); sys.exit({3 * (not text)})",
    ]


def test_runs_come_from_a_process_each_and_only_chooses(monkeypatch, capsys):
    line = json.dumps(dataclasses.asdict(run("ours", (1.0, 2.0))))
    asked = []
    monkeypatch.setattr(
        benchmarks,
        "command",
        lambda name, short: (
            asked.append((name, short))
            or child(f"a remark\n{line}" if name == "vae" else "")
        ),
    )
    assert benchmarks.main(["--short", "--only", "vae"]) == 0
    out, err = capsys.readouterr()
    assert "| a task | ours: recipe of ours | 1 | loss in nats 2.000 |" in out
    assert out.startswith("Short plan") and "a remark" in err and "vae (1 of 1)" in err
    assert benchmarks.main(["--only", "numpy_mlp", "vae"]) == 1
    out, err = capsys.readouterr()
    assert "ended with 3" in err and "Not finished: numpy_mlp." in out and "a task" in out
    assert asked == [("vae", True), ("numpy_mlp", False), ("vae", False)]
    with pytest.raises(SystemExit):
        benchmarks.main(["--only", "no such benchmark"])


def test_every_peer_says_where_its_numbers_come_from():
    from benchmarks import conditional_gan, link_prediction, mnist_cnn, vae

    for module in (conditional_gan, mnist_cnn, vae):
        assert module.OFFICIAL.startswith("keras.io/examples/")
    assert "version 1.11.1" in " ".join(link_prediction.__doc__.split())
    for row in link_prediction.ROWS:
        stored = row[-3:]
        assert all(value > 0 for value in stored)


def test_ten_looks_are_five_moves_and_their_mirror_images():
    x = np.zeros((2, 8, 8, 3), "float32")
    x[0, 3, 4] = 1
    seen = []

    def predict(x):
        seen.append(tuple(map(int, np.argwhere(x[0, ..., 0])[0])))
        return x.sum(axis=(1, 2)) / 3

    p = color_images.ten_looks(predict, x)
    assert np.allclose(p, [[1 / 3] * 3, [0] * 3])
    moved = [(3, 4), (1, 4), (5, 4), (3, 2), (3, 6)]
    assert set(seen) == {*moved, *((i, 7 - j) for i, j in moved)} and len(seen) == 10


def test_pieces():
    np.testing.assert_array_equal(
        transformer.pieces(np.arange(7), 3), [[0, 1, 2], [3, 4, 5]]
    )
    np.testing.assert_array_equal(
        transformer.pieces(np.arange(5), 3, 1), [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    )
    with pytest.raises(ValueError, match="ids: expected one row of at least 5"):
        transformer.pieces(np.arange(3), 5)
