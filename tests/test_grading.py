"""Assignments carry what nbgrader needs, and submissions get the grades they deserve."""

import ast
import builtins
import csv
import json
import re
import symtable

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import grading, notebooks, start

CHAPTERS = notebooks.manifest()[1]
SMALL = '''\
# %%
LIMIT = 3


def twice(x):
    return 2 * x


# %% [markdown]
# ## Exercises
#
# ### Exercise 01.2: a noisier world
#
# *10 minutes.* What is the Bayes rate?


# %% tags=["exercise"]
def bayes_rate(tau):
    """Return a number."""
    raise NotImplementedError


check("01.2", bayes_rate)

# %% [markdown]
# ### Exercise 01.3: equal or not
#
# *10 minutes.* Choose the weights by hand.

# %% tags=["exercise"]
weights_by_hand = ...  # W, b, v, c

check("01.3", weights_by_hand)
'''
RIGHT = {
    "01-2": "def bayes_rate(tau):\n    return 1 - np.arctan(tau / np.sqrt(2)) / np.pi",
    "01-3": "weights_by_hand = ([[1, -1], [1, -1]], [-1.5, 0.5], [1, 1], -0.5)",
}
LOOP = "import time\n\nwhile True:\n    time.sleep(0.05)"


# ---------------------------------------------------------------- assignments


@pytest.fixture(scope="module", params=CHAPTERS, ids=[c["number"] for c in CHAPTERS])
def chapter(request):
    return request.param


@pytest.fixture(scope="module")
def made(chapter):
    """The assignment of a chapter."""
    return grading.assignment(chapter)


def test_an_assignment_has_a_task_an_answer_and_a_test_for_each_exercise(chapter, made):
    notebook = made
    nbformat.validate(notebook)
    ours = [cell.metadata["nbgrader"] for cell in notebook.cells]
    names = [one["grade_id"] for one in ours]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w-]+", name) for name in names)
    expected = ["title", "set-up", "definitions"]
    for exercise in start.exercises(chapter):
        key = exercise.key.replace(".", "-")
        expected += [f"{key}-given", f"{key}-answer", f"{key}-test"]
    assert [name for name in names if not re.search(r"given\d+$", name)] == expected
    for cell, one in zip(notebook.cells, ours, strict=True):
        answer, test = (one["grade_id"].endswith(f"-{end}") for end in ("answer", "test"))
        assert one["solution"] == answer and one["locked"] != answer
        assert one["grade"] == test and one.get("points") == (1 if test else None)
        assert one["schema_version"] == 3 and one["task"] is False
        assert one["cell_type"] == cell.cell_type
        assert ("### BEGIN SOLUTION" in cell.source) == answer
        if cell.cell_type == "code":
            ast.parse("\n".join(notebooks.plain(cell.source)))
            assert "_solution" not in cell.source
            assert not re.search(r"\bcheck\(", cell.source)
        else:
            assert "<summary>Hint" not in cell.source


def test_an_assignment_defines_what_solutions_read(chapter, made):
    known = set(dir(builtins))
    for cell in made.cells:
        if cell.cell_type == "code" and cell.metadata["nbgrader"]["locked"]:
            text = "\n".join(notebooks.plain(cell.source))
            known |= names_bound(symtable.symtable(text, cell.id, "exec"))
    for cell in notebooks.build(chapter).cells:
        if "solution" in notebooks.tags(cell):
            table = symtable.symtable(cell.source, "solution", "exec")
            missing = names_read(table) - names_bound(table) - known
            assert not missing, cell.source


def names_read(table):
    """Names of a module that it reads itself, or in its functions."""
    own = {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
    return own.union(*(names_read(inner) for inner in table.get_children()))


def names_bound(table):
    return {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }


@pytest.mark.parametrize("number", ["05", "11b"])  # with constants out of experiments
def test_the_definitions_run_without_the_chapters_experiments(number):
    chapter = next(c for c in CHAPTERS if c["number"] == number)
    space = {"__name__": "assignment"}
    exec(grading.set_up(chapter), space)
    exec(grading.definitions(chapter), space)
    assert sum(callable(one) for one in space.values()) > 5


def test_what_a_definition_reads_at_once_is_known():
    code = "@a\ndef f(x=b, *, y=c):\n    return d\n\n\nclass G(e):\n    pass\n\n\nH = i + 1"
    read = [grading.read_at_once(node) for node in ast.parse(code).body]
    assert read == [{"a", "b", "c"}, {"e"}, {"i"}]


# ---------------------------------------------------------------- what was handed in


def test_submissions_are_found_in_both_layouts(tmp_path):
    (tmp_path / "ada.ipynb").touch()
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "final version.ipynb").touch()
    assert list(grading.submissions(tmp_path)) == ["ada", "bob"]
    (tmp_path / "bob.ipynb").touch()
    with pytest.raises(SystemExit, match="bob handed in twice"):
        grading.submissions(tmp_path)
    with pytest.raises(SystemExit, match=r"expected NAME.ipynb .* got no notebook"):
        grading.submissions(tmp_path / "nowhere")


def test_the_table_and_the_lines(tmp_path):
    grades = [
        grading.Grade("Ada", {"01.1": 1.0, "01.2": 0.0}, ""),
        grading.Grade("Bo, B.", {"01.1": None, "01.2": None}, "not a notebook"),
    ]
    grading.write_table(grades, tmp_path / "new" / "grades.csv")
    with (tmp_path / "new" / "grades.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["student", "01.1", "01.2", "sum", "of", "remark"],
            ["Ada", "1.0", "0.0", "1.0", "2", ""],
            ["Bo, B.", "", "", "", "2", "not a notebook"],
        ]
    assert grading.line(grades[0]).split() == ["Ada", "1", "of", "2", "not", "yet:", "01.2"]
    assert grading.line(grades[1]).endswith("-  not a notebook")


# ---------------------------------------------------------------- four submissions


@pytest.fixture
def small(small_course, tmp_path, monkeypatch):
    """A course of one chapter with two exercises, whose assignment is built in tmp_path."""
    chapter, source = small_course
    source.write_text(SMALL, "utf-8")
    monkeypatch.setattr(grading, "BUILD", tmp_path / "build")
    return chapter


def hand_in(chapter, path, answers):
    """Write what a student hands in: the assignment with these answers."""
    notebook = grading.assignment(chapter)
    for cell in notebook.cells:
        if cell.id.endswith("-answer"):
            cell.source = answers[cell.id.removesuffix("-answer")]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def test_right_half_broken_and_endless_get_what_they_deserve(small, tmp_path):
    pytest.importorskip("nbgrader")
    handed = tmp_path / "handed in"
    for student, answers in {
        "right": RIGHT,
        "half": RIGHT | {"01-3": "weights_by_hand = ...\nraise NotImplementedError()"},
        "broken": {"01-2": "def bayes_rate(tau:\n    return 1", "01-3": "import torch_"},
        "endless": RIGHT | {"01-2": LOOP},
    }.items():
        hand_in(small, handed / student / "my answers.ipynb", answers)
    (handed / "text.ipynb").write_text("no notebook", "utf-8")
    other = new_notebook(cells=[new_code_cell("1")])
    nbformat.write(other, handed / "other.ipynb")

    grades = {one.student: one for one in grading.grade(small, handed, limit=15)}
    assert grades["right"] == ("right", {"01.2": 1.0, "01.3": 1.0}, "")
    assert grades["half"] == ("half", {"01.2": 1.0, "01.3": 0.0}, "")
    assert grades["broken"] == ("broken", {"01.2": 0.0, "01.3": 0.0}, "")
    assert grades["endless"].points == {"01.2": 0.0, "01.3": 1.0}
    assert grades["endless"].remark == "too slow, stopped: 1 of its cells"
    assert grades["text"] == ("text", {"01.2": None, "01.3": None}, "not a notebook")
    assert grades["other"].remark.startswith("not this assignment")

    released = tmp_path / "build" / "01" / "release" / "01_small" / "01_small.ipynb"
    cells = {cell.id: cell for cell in nbformat.read(released, as_version=4).cells}
    stub = cells["01-2-answer"].source
    assert stub.endswith("    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert "SOLUTION" not in stub


def test_a_submission_that_never_ends_is_stopped(small, tmp_path, monkeypatch):
    pytest.importorskip("nbgrader")
    hand_in(small, tmp_path / "in" / "slow.ipynb", RIGHT | {"01-2": LOOP})
    monkeypatch.setattr(grading, "course", lambda chapter, limit: tmp_path / "build" / "01")
    monkeypatch.setattr(grading, "LIMIT", 0.5)
    (tmp_path / "build" / "01").mkdir(parents=True)
    (one,) = grading.grade(small, tmp_path / "in")
    assert one.remark == "stopped after 0.5 s in all" and set(one.points.values()) == {None}


def test_without_nbgrader_it_is_asked_for(small, monkeypatch):
    monkeypatch.setattr(grading, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"nbgrader is missing: .*requirements-test"):
        grading.course(small)


def test_wrong_arguments_are_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["grading", "grade", "05", "--from", "nowhere"])
    with pytest.raises(SystemExit):
        grading.main()
    assert "expected a folder of notebooks, got nowhere" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["grading", "grade", "77"])
    with pytest.raises(SystemExit, match="no chapter '77'"):
        grading.main()


def test_the_assignment_of_a_chapter_is_json_like_any_notebook():
    text = nbformat.writes(grading.assignment(CHAPTERS[0]))
    assert json.loads(text)["cells"][0]["metadata"]["nbgrader"]["grade_id"] == "title"
