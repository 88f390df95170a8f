"""The patches of conftest.py: tolerances, what is not compared, a kernel that dies."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from conftest import close_texts, tolerance_of

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("stored", "fresh", "tolerance", "same"),
    [
        ("w = 1.0000", "w = 1.0004", 1e-3, True),
        ("w = 1.0000", "w = 1.0040", 1e-3, False),
        ("w = 100.0", "w = 100.05", 1e-3, True),  # relative above 1
        ("loss 0.4903", "loss 0.4503", 2e-2, False),
        ("a 1.0, b", "a 1.0; b", 1e-3, False),
        ("n = 10", "n = 11", 1e-3, False),  # whole numbers are exact
        ("[ 1.0  2.0]", "[1.0 2.0]", 1e-3, True),
        ("1.0 2.0", "1.0", 1e-3, False),
        ("1.0 nan", "1.0 2.0", 1e-3, False),
        ("x -0.0", "x 0.0", 1e-3, True),
    ],
)
def test_close_texts(stored, fresh, tolerance, same):
    assert close_texts(stored, fresh, tolerance) is same


def test_tolerance_of_a_cell():
    assert tolerance_of(new_code_cell()) == 1e-3
    assert tolerance_of(new_code_cell(metadata={"tags": ["x", "nbval-tol-0.02"]})) == 0.02


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


CELLS = {
    "equal": ("print(2)", stream("2\n")),
    "close": ("print(0.50001)", stream("0.5\n")),
    "far": ("print(0.51)", stream("0.5\n")),
    "claim": (
        "print('✓ accuracy 0.9912, claimed ≥ 0.99')",
        stream("✓ accuracy 0.9934, claimed ≥ 0.99\n"),
    ),
    "other claim": (
        "print('✓ accuracy 0.9912, claimed ≥ 0.99')",
        stream("✓ accuracy 0.9912, claimed ≥ 0.98\n"),
    ),
    "seconds": ("print('took 12.3 s in all')", stream("took 4 s in all\n")),
    "stderr": ("import sys; print('noise', file=sys.stderr)", None),
    "failing claim": (
        "from dl_course.lesson import claim\n"
        "accuracy = 0.5\n"
        "claim('CNN test accuracy', accuracy, at_least=0.99)",
        None,
    ),
    "result": ("0.12345", new_output("execute_result", data={"text/plain": "0.1234"})),
}


def notebook(path, *cells):
    notebook = new_notebook()
    for count, (source, output) in enumerate(cells, 1):
        cell = new_code_cell(source, execution_count=count)
        cell.outputs = [output] if output else []
        notebook.cells.append(cell)
    nbformat.write(notebook, path)


@pytest.fixture
def nbval(pytester, pytestconfig):
    """Run the course's conftest and sanitizer over a small notebook, in another pytest."""
    root = pytestconfig.rootpath
    pytester.makeconftest((root / "conftest.py").read_text("utf-8"))
    (pytester.path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    options = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "--color=no"]
    options.append(f"--nbval-sanitize-with={root / 'tests' / 'sanitize.cfg'}")

    def run(*cells, **kwargs):
        notebook(pytester.path / "chapter.ipynb", *cells)
        return pytester.runpytest_subprocess(*options, "chapter.ipynb", "-v", **kwargs)

    return run


def test_what_nbval_accepts_and_refuses(nbval):
    result = nbval(*CELLS.values())
    said = dict(re.findall(r"Cell (\d+) (PASSED|FAILED)", "\n".join(result.outlines)))
    wrong = [name for i, name in enumerate(CELLS) if said[str(i)] == "FAILED"]
    assert wrong == ["far", "other claim", "failing claim"]
    text = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout.str())
    assert "ClaimError: ✗ CNN test accuracy 0.5000, claimed ≥ 0.99" in text
    assert "----> 3 claim('CNN test accuracy', accuracy, at_least=0.99)" in text


def test_a_dead_kernel_is_noticed_at_once(nbval):
    cells = ("import os; os._exit(1)", None), ("print(1)", stream("1\n"))
    result = nbval(*cells, timeout=60)
    assert "the kernel died (out of memory?)" in result.stdout.str()
