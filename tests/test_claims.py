"""`make seeds` and `make sabotage` on a toy: a good, a vacuous and a flickering claim."""

import ast
import json
import subprocess
import sys

import pytest

from tools import notebooks, sabotage, seeds

TOY = f"""\
# %%
import os
import sys

sys.path.insert(0, {str(notebooks.ROOT)!r})
from dl_course.lesson import claim

shift = int(os.environ.get("DL_COURSE_SEED", 0))
luck = np.random.default_rng(shift).normal()
idea = 1.0

# %% tags=["claims"]
claim("good", 5 * idea + 0.1 * luck, at_least=2)
claim("vacuous", abs(idea), at_least=-1)
claim("flickering", luck, at_least=0)
claim("always the same", 3, at_least=1, at_most=4)
claim("yes", True)

# %% tags=["solution"]
raise RuntimeError("never executed: a solution claims nothing")
"""
CONCLUSIONS = """
[[conclusions]]
says = "The idea makes it good."
claim = "good"
without = ["idea = 1.0", "idea = 0.0"]

[[conclusions]]
says = "The idea makes it vacuous."
claim = "vacuous"
without = ["idea = 1.0", "idea = 0.0"]

[[conclusions]]
says = "Nothing states it."
claim = "never stated"
without = ["idea = 1.0", "idea = 0.0"]

[[conclusions]]
says = "Without the idea the chapter breaks."
claim = "good"
without = ["idea = 1.0", "idea = no_such_name"]
"""


@pytest.fixture
def toy(small_course, monkeypatch):
    """The small chapter with the toy's claims; returns the chapter."""
    small_course[1].write_text(TOY, "utf-8")
    manifest = small_course[1].with_suffix(".toml")
    manifest.write_text(manifest.read_text("utf-8") + CONCLUSIONS, "utf-8")
    monkeypatch.setattr(notebooks, "set_up", lambda chapter: "import numpy as np")
    return notebooks.manifest()[1][0]


def test_seeds_tell_the_good_from_the_flickering(toy):
    runs = [seeds.run(toy, shift) for shift in range(1, 9)]
    assert [error for _, error in runs] == [None] * 8
    rows = {r["name"]: r for r in seeds.margins([claims for claims, _ in runs])}
    assert list(rows) == ["good", "vacuous", "flickering", "always the same", "yes"]
    assert rows["good"]["apart"] > seeds.WANTED and not rows["good"]["failed"]
    assert 0 < rows["flickering"]["failed"] < 8
    assert rows["flickering"]["apart"] < seeds.WANTED
    assert rows["always the same"]["apart"] is None
    assert rows["always the same"]["bound"] == "≤ 4"
    assert "mean" not in rows["yes"]
    table = seeds.table(list(rows.values()))
    assert "flickering  ← near  ✗ failed in" in table
    assert "good\n" in table + "\n" and "yes or no  yes" in table


def test_the_row_of_a_claim_is_that_of_its_nearer_bound():
    runs = [
        [{"name": "x", "value": v, "at_least": 0.0, "at_most": 10.0, "held": True}]
        for v in (7.0, 8.0, 9.0)
    ]
    (row,) = seeds.margins(runs)
    assert row == {
        "name": "x", "runs": 3, "failed": 0, "mean": 8.0, "deviation": 1.0, "worst": 9.0,
        "bound": "≤ 10", "apart": 2.0,
    }  # fmt: skip


def test_claims_of_one_name_get_a_row_each_and_nan_is_no_number():
    def record(value):
        return {"name": "x", "value": value, "at_least": 1, "at_most": None, "held": False}

    rows = seeds.margins([[record(0.0), record("nan")], [record(0.5), record(2.0)]])
    assert [r["name"] for r in rows] == ["x", "x (2)"]
    assert "mean" in rows[0] and "mean" not in rows[1] and rows[1]["failed"] == 2


def test_sabotage_finds_the_vacuous(toy):
    good, vacuous, unstated, broken = (
        sabotage.verdict(toy, conclusion) for conclusion in toy["conclusions"]
    )
    assert good["noticed"] and good["value"] < 2
    assert not vacuous["noticed"] and vacuous["why"] == "it holds all the same"
    assert not unstated["noticed"] and unstated["why"] == "no cell states it"
    assert not broken["noticed"] and "no_such_name" in broken["why"]


def test_a_text_that_does_not_occur_once_is_an_error(toy):
    for old, times in (("no such text", 0), ("claim(", 5)):
        with pytest.raises(SystemExit, match=f"occurs {times} times"):
            sabotage.without(toy, {"claim": "good", "without": [old, "x"]})


def test_the_commands_report_and_exit_as_they_found(toy, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sabotage, "SABOTAGE", tmp_path / "sabotage")
    monkeypatch.setattr(sabotage, "ROOT", tmp_path)
    monkeypatch.setattr(seeds, "SEEDS", tmp_path / "seeds")
    monkeypatch.setattr(sys, "argv", ["sabotage", "01"])
    with pytest.raises(SystemExit) as ended:
        sabotage.main()
    said = capsys.readouterr().out
    assert ended.value.code == 1 and "3 went unnoticed" in said
    assert "✓ 01 good (value" in said and "✗ 01 vacuous" in said
    assert len(json.loads((tmp_path / "sabotage/01.json").read_text("utf-8"))) == 4
    monkeypatch.setattr(sys, "argv", ["seeds", "01", "--runs", "4"])
    with pytest.raises(SystemExit) as ended:
        seeds.main()
    assert ended.value.code == 1 and "flickering" in capsys.readouterr().out
    stored = json.loads((tmp_path / "seeds/01.json").read_text("utf-8"))
    assert stored["runs"] == 4 and len(stored["claims"]) == 5


# ---------------------------------------------------------------- the course's own


@pytest.mark.parametrize("chapter", notebooks.manifest()[1], ids=notebooks.stem)
def test_conclusions_name_a_claim_and_a_text_that_occurs_once(chapter):
    source = notebooks.source_path(chapter).read_text("utf-8")
    claims = list(stated(source))
    for conclusion in chapter.get("conclusions", []):
        assert set(conclusion) == {"says", "claim", "without"}
        assert conclusion["says"].endswith("."), conclusion["says"]
        (keywords,) = (words for name, words in claims if name == conclusion["claim"])
        assert keywords & {"at_least", "at_most", "equals"}, "a bare yes proves little"
        assert sabotage.without(chapter, conclusion) != source


def stated(source):
    """(name, keywords) of every call of `claim` with a name that is a literal."""
    for node in ast.walk(ast.parse(source)):
        is_claim = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim"
        if is_claim and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value, {keyword.arg for keyword in node.keywords}


def test_help_costs_nothing():
    for tool in ("seeds", "sabotage"):
        command = [sys.executable, "-m", f"tools.{tool}", "--help"]
        run = subprocess.run(command, cwd=notebooks.ROOT, capture_output=True, text=True)
        assert run.returncode == 0 and "claim" in run.stdout
