"""Reading definitions out of a chapter's source, and making modules of its export cells."""

import ast

import pytest

from tools import chapters, notebooks

SOURCE = '''\
# %% [markdown]
# ## 1. Does it double?

# %%
import math
from collections import Counter, OrderedDict

import numpy as np

SCALE = 2.0
measured = expensive()

# %% tags=["export"]
LIMIT = 10


def double(x):
    """Twice x."""
    return np.multiply(SHIFT + x, 2)


# %% tags=["export"]
SHIFT = 0


class Doubler:
    """Doubles."""

    def __call__(self, x):
        return Counter([double(x)])


# %%
def area(r):
    return SCALE * math.pi * r**2


print(double(measured))

# %% tags=["exercise"]
def double(x):
    raise NotImplementedError
'''


@pytest.fixture
def write(small_course):
    """A function that gives the small chapter a source; returns its path."""

    def write(text):
        small_course[1].write_text(text, "utf-8")
        chapters.definitions.cache_clear()
        return small_course[1]

    yield write
    chapters.definitions.cache_clear()


def chapter():
    return notebooks.manifest()[1][0]


# ---------------------------------------------------------------- definitions


def test_definitions_run_no_experiment(write):
    path = write(SOURCE)
    found = chapters.definitions("01")
    assert found.double(3) == 6  # `expensive` does not exist
    assert found.area(1) == pytest.approx(2 * 3.14159265)
    assert found.Doubler()(2) == {4: 1}
    assert (found.SCALE, found.LIMIT) == (2.0, 10)
    assert found.double.__code__.co_filename == str(path)
    assert found.double.__code__.co_firstlineno == 1 + SOURCE[
        : SOURCE.index("def double")
    ].count("\n")


@pytest.mark.parametrize("name", ["measured", "nothing", "expensive"])
def test_what_is_no_definition_is_named(write, name):
    write(SOURCE)
    with pytest.raises(AttributeError, match=f"chapter 01 defines no '{name}'"):
        getattr(chapters.definitions("01"), name)


def test_a_name_defined_twice_is_an_error(write):
    write("# %%\ndef f():\n    return 1\n\n\n# %%\ndef f():\n    return 2\n")
    with pytest.raises(
        chapters.ChapterError, match=r"01_small\.py:7: f is defined a second"
    ):
        _ = chapters.definitions("01").f
    write("# %%\nimport f\n\n# %%\ndef f():\n    return 2\n")
    with pytest.raises(chapters.ChapterError, match="f is defined a second time"):
        _ = chapters.definitions("01").f
    write(
        '# %%\ndef f():\n    return 1\n\n\n# %% tags=["solution"]\ndef f():\n    return 2\n'
    )
    assert chapters.definitions("01").f() == 1


def test_a_mark_that_is_not_read_is_an_error(write):
    write('# %% slideshow={"a": 1}\nx = 1\n')
    with pytest.raises(chapters.ChapterError, match=r"01_small\.py:1: a mark"):
        _ = chapters.definitions("01").f


def test_set_up_imports_are_there(write):
    write("# %%\ndef f():\n    return np.zeros(2).sum()\n")
    assert chapters.definitions("01").f() == 0


@pytest.mark.parametrize("number", [c["number"] for c in notebooks.manifest()[1]])
def test_every_chapter_can_be_read(number):
    assert chapters.source(number).names


# ---------------------------------------------------------------- modules


def test_a_module_is_the_export_cells_and_the_imports_they_need(write):
    write(SOURCE)
    text = chapters.module_text(chapter())
    first = '"""Small. Made from notebooks/src/01_small.py: edit there."""'
    assert text.startswith(
        f"{first}\n\nfrom collections import Counter\n\nimport numpy as np\n"
    )
    names = [
        n.name
        for n in ast.parse(text).body
        if isinstance(n, ast.FunctionDef | ast.ClassDef)
    ]
    assert names == ["double", "Doubler"]
    assert "OrderedDict" not in text and "math" not in text and "SCALE" not in text
    space = {}
    exec(text, space)
    assert space["double"](4) == 8


def test_a_chapter_without_export_makes_no_module(write):
    write("# %%\ndef f():\n    return 1\n")
    assert chapters.module_text(chapter()) is None


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("def f():\n    return 1\n\n\nprint(f())", "holds definitions only, not 'print"),
        ("result = 3", "holds definitions only, not 'result = 3'"),
        ("import math\n\n\ndef f():\n    return math.pi", "definitions only, not 'import"),
        ("def f():\n    return helper()", "reads helper, which no export cell defines"),
        ("def f():\n    return result", "Undefined name `result`"),
    ],
)
def test_an_export_cell_that_cannot_be_a_module_is_an_error(write, cell, message):
    write(
        "# %%\ndef helper():\n    return 1\n\n\nresult = 5\n\n"
        f'# %% tags=["export"]\n{cell}\n'
    )
    with pytest.raises(chapters.ChapterError, match=message):
        chapters.module_text(chapter())


def test_modules_are_written_once(write, monkeypatch, tmp_path):
    write(SOURCE)
    monkeypatch.setattr(notebooks, "PACKAGE", tmp_path)
    assert chapters.write_modules() == ["linear.py"]
    assert chapters.write_modules() == []
    write(SOURCE.replace("LIMIT = 10", "LIMIT = 11"))
    assert chapters.write_modules() == ["linear.py"]
    assert "LIMIT = 11" in (tmp_path / "linear.py").read_text("utf-8")


def test_the_modules_are_what_the_chapters_make():
    for chapter in notebooks.manifest()[1]:
        text = chapters.module_text(chapter)
        path = notebooks.PACKAGE / f"{chapter['module']}.py"
        if text is not None:
            assert path.read_text("utf-8") == text, f"{path.name}: run `make notebooks`"
        elif path.exists():
            assert notebooks.MADE not in path.read_text("utf-8").partition("\n")[0]
