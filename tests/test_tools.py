"""What `make` calls: building, executing, copying for the lab, reporting on the course."""

import os
import subprocess

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import course, notebooks

MANIFEST = """
[course]
title = "A course"
repository = "owner/repository"
branch = "main"

[[chapter]]
number = "01"
name = "small"
title = "Small"
question = "Why?"
promise = "You will see."
objectives = ["see"]
prerequisites = ["Python"]
minutes = 1
seconds = 1
data = ["none"]
module = "linear"
key_points = ["It is small."]
references = ["someone2000"]
"""
REFERENCES = (
    '[someone2000]\ntext = "Someone (2000). *Title*."\nurl = "https://example.org"\n'
)
SOURCE = """\
# %% [markdown]
# ## 1. Is it small?

# %%
print(1 + 1)

# %% tags=["solution"]
print("answer")
"""


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    """A course of one tiny chapter; returns the chapter and the path of its source."""
    (tmp_path / "src").mkdir()
    (tmp_path / "chapters.toml").write_text(MANIFEST, "utf-8")
    (tmp_path / "references.toml").write_text(REFERENCES, "utf-8")
    source = tmp_path / "src" / "01_small.py"
    source.write_text(SOURCE, "utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(notebooks, "SET_UP", "import math")  # no TensorFlow: fast
    return notebooks.manifest()[1][0], source


# ---------------------------------------------------------------- notebooks


def test_only_changed_code_is_executed_again(small_course):
    chapter, source = small_course
    path = notebooks.NOTEBOOKS / "01_small.ipynb"
    assert notebooks.store(chapter).startswith("executed in")
    first = path.read_text("utf-8")
    assert notebooks.store(chapter) == "unchanged"
    source.write_text(SOURCE.replace("Is it small?", "Is it tiny?"), "utf-8")
    assert notebooks.store(chapter).startswith("outputs kept")
    assert "Is it tiny?" in path.read_text("utf-8")
    source.write_text(SOURCE.replace("1 + 1", "1 + 2"), "utf-8")
    assert notebooks.store(chapter).startswith("executed in")
    assert nbformat.read(path, 4).cells[3].outputs[0].text == "3\n"
    source.write_text(SOURCE, "utf-8")
    notebooks.store(chapter)
    assert path.read_text("utf-8") == first  # nothing of the moment is stored


def test_outputs_of_other_code_are_never_kept(small_course):
    chapter, _ = small_course
    notebooks.store(chapter)
    stored = nbformat.read(notebooks.NOTEBOOKS / "01_small.ipynb", 4)
    stored.cells[3].source = "print(5)"  # edited by hand in the .ipynb
    assert not notebooks.keep_outputs(notebooks.build(chapter), stored)
    assert not notebooks.keep_outputs(notebooks.build(chapter), None)


def test_first_and_last_cells_come_from_the_manifest(small_course):
    cells = notebooks.build(small_course[0]).cells
    assert cells[0].source.startswith("# 01 · Small\n\n**Why?**")
    assert "owner/repository/blob/main/notebooks/01_small.ipynb" in cells[0].source
    assert cells[-2].source == "## Key points\n\n- It is small."
    assert "Someone (2000). *Title*. <https://example.org>" in cells[-1].source


def test_solutions_are_folded_and_left_out_of_handouts(small_course):
    solution = notebooks.build(small_course[0]).cells[-3]
    assert solution.source.startswith("# @title Solution")
    assert solution.metadata["jupyter"] == {"source_hidden": True}
    handout = notebooks.build(small_course[0], handout=True)
    assert "answer" not in "".join(cell.source for cell in handout.cells)


def test_execute_reports_costs_and_hides_this_machines_paths(small_course):
    cell = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    notebook = new_notebook(cells=[new_code_cell("import time; time.sleep(0.1)"), cell])
    costs = notebooks.execute(notebook, "x")
    assert costs["seconds"] >= 0.1 and 20 < costs["memory"] < 2000
    assert cell.outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert len(notebook.cells) == 2


def test_an_unknown_chapter_is_named(small_course):
    with pytest.raises(SystemExit, match="no chapter '7': there are 01"):
        notebooks.chapters_named(["7"])


# ---------------------------------------------------------------- course


def test_the_table_counts_claims_and_finds_errors(small_course, tmp_path, monkeypatch):
    chapter, source = small_course
    monkeypatch.setattr(course, "COURSE", tmp_path / "course")
    (tmp_path / "course").mkdir()
    source.write_text(
        "# %%\nfrom dl_course.lesson import claim\nclaim('one', True)\n\n"
        "# %%\nclaim('two', 1, at_least=2)\n\n"
        '# %% tags=["raises-exception"]\nraise ValueError("meant")\n',
        "utf-8",
    )
    row = course.run(chapter)
    assert (row["held"], row["claims"]) == (1, 2)
    assert row["errors"] == ["ClaimError: ✗ two 1, claimed ≥ 2"]
    assert "| 01 Small | 1 of 2 |" in course.table([row])
    assert "<html" in (tmp_path / "course" / "01_small.html").read_text("utf-8")


def test_jax_runs_the_manifests_list_or_what_is_asked(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="JAX is missing: `make jax`"):
        course.with_jax([])
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: name)
    assert course.with_jax(["03"]) == ["03"]
    numbers = course.with_jax([])
    assert [c["number"] for c in notebooks.chapters_named(numbers)] == numbers
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_page_has_its_alt_texts(small_course):
    picture = new_output(
        "display_data",
        data={"image/png": "aGVsbG8=", "text/plain": "x"},
        metadata={"image/png": {"alt": "A line that rises."}},
    )
    notebook = new_notebook(cells=[new_code_cell("x", outputs=[picture])])
    assert 'alt="A line that rises."' in course.page(notebook, small_course[0])


# ---------------------------------------------------------------- make


def test_every_target_is_explained():
    help_text = subprocess.run(
        ["make", "help"], cwd=notebooks.ROOT, capture_output=True, text=True
    ).stdout
    for target in ("setup", "lab", "test", "course", "notebooks", "handout", "bench"):
        assert f"\n{target} " in "\n" + help_text
