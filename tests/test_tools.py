"""What `make` calls to build, execute and store notebooks; the course's own folder."""

import json
import os
import re
import sys
import types

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import dl_course
from tests.conftest import SMALL
from tools import notebooks, publish

# ---------------------------------------------------------------- storing


def cost_free(path):
    """A stored notebook's text without what depends on the moment."""
    return re.sub(r'"(cpu_seconds|memory)": .*', "", path.read_text("utf-8"))


def test_only_changed_code_is_executed_again(small_course):
    chapter, source = small_course
    path = notebooks.NOTEBOOKS / "01_small.ipynb"
    assert notebooks.store(chapter).startswith("executed in")
    first = cost_free(path)
    assert notebooks.store(chapter) == "unchanged"
    source.write_text(SMALL.replace("Is it small?", "Is it tiny?"), "utf-8")
    assert notebooks.store(chapter).startswith("outputs kept")
    assert "Is it tiny?" in path.read_text("utf-8")
    source.write_text(SMALL.replace("1 + 1", "1 + 2"), "utf-8")
    assert notebooks.store(chapter).startswith("executed in")
    assert nbformat.read(path, 4).cells[3].outputs[0].text == "3\n"
    source.write_text(SMALL, "utf-8")
    notebooks.store(chapter)
    assert cost_free(path) == first  # nothing of the moment is stored


def test_outputs_of_other_code_are_never_kept(small_course):
    chapter, _ = small_course
    notebooks.store(chapter)
    stored = nbformat.read(notebooks.NOTEBOOKS / "01_small.ipynb", 4)
    stored.cells[3].source = "print(5)"  # edited by hand in the .ipynb
    assert not notebooks.keep_outputs(notebooks.build(chapter), stored)
    assert not notebooks.keep_outputs(notebooks.build(chapter), None)


def test_outputs_depend_on_made_modules_and_not_on_set_up(small_course, monkeypatch):
    chapter, source = small_course
    monkeypatch.setattr(notebooks, "PACKAGE", notebooks.NOTEBOOKS)
    source.write_text(SMALL + "\n# %%\nfrom dl_course import one\n", "utf-8")
    one, two = (notebooks.NOTEBOOKS / f"{name}.py" for name in ("one", "two"))
    first = f'"""A module. {notebooks.MADE}01_small.py: edit there."""\n'
    one.write_text(f"{first}from dl_course.two import f\n", "utf-8")
    two.write_text(f"{first}f = 1\n", "utf-8")
    before = notebooks.fingerprint(notebooks.build(chapter))
    two.write_text(f"{first}f = 2\n", "utf-8")
    after = notebooks.fingerprint(notebooks.build(chapter))
    assert before != after
    two.write_text('"""Written by hand."""\nf = 3\n', "utf-8")
    by_hand = notebooks.fingerprint(notebooks.build(chapter))
    two.write_text('"""Written by hand."""\nf = 4\n', "utf-8")
    assert notebooks.fingerprint(notebooks.build(chapter)) == by_hand
    monkeypatch.setattr(notebooks, "SET_UP", "import math as m{install:.0}{get:.0}")
    assert notebooks.fingerprint(notebooks.build(chapter)) == by_hand


def test_a_damaged_notebook_is_made_again(small_course, capsys):
    chapter, _ = small_course
    notebooks.store(chapter)
    path = notebooks.NOTEBOOKS / "01_small.ipynb"
    path.write_text(path.read_text("utf-8")[:200], "utf-8")
    assert notebooks.store(chapter).startswith("executed in")
    assert "01_small.ipynb could not be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os._exit(1)", "the kernel died"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_run_that_fails_leaves_the_stored_notebook(
    small_course, monkeypatch, code, message
):
    chapter, source = small_course
    monkeypatch.setattr(notebooks, "SET_UP", "import math{install:.0}{get:.0}")
    notebooks.store(chapter)
    path = notebooks.NOTEBOOKS / "01_small.ipynb"
    before = path.read_bytes()
    source.write_text(f"# %%\n{code}\n", "utf-8")
    with pytest.raises(SystemExit) as caught:
        notebooks.tell(chapter, False)
    assert message in str(caught.value)
    assert str(caught.value).endswith("\n01_small was not stored: it is as it was.")
    assert path.read_bytes() == before


def test_ctrl_c_is_one_sentence(small_course, monkeypatch, capsys):
    def stop(chapter, always):
        raise KeyboardInterrupt

    monkeypatch.setattr(notebooks, "store", stop)
    with pytest.raises(SystemExit) as caught:
        notebooks.tell(small_course[0], False)
    assert caught.value.code == 130
    assert capsys.readouterr().out == "\nStopped by Ctrl-C in 01_small: it is as it was.\n"


def test_first_and_last_cells_come_from_the_manifest(small_course):
    cells = notebooks.build(small_course[0]).cells
    assert cells[0].source.startswith("# 01 · Small\n\n**Why?**")
    assert cells[-2].source == "## Key points\n\n- It is small."
    assert "Someone (2000). *Title*. <https://example.org>" in cells[-1].source


def test_what_is_not_read_first_is_folded(small_course):
    chapter, source = small_course
    source.write_text(
        SMALL + '\n# %% tags=["claims"]\nclaim()\n\n# %% tags=["figure"]\nplot()\n',
        "utf-8",
    )
    cells = [c for c in notebooks.build(chapter).cells if c.cell_type == "code"]
    titles = {c.source.partition("\n")[0] for c in cells if "jupyter" in c.metadata}
    assert titles == {
        "# @title Set-up",
        "# @title Solution",
        "# @title What is claimed, and checked",
        "# @title Drawing",
    }
    for cell in cells:
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert hidden == cell.source.startswith("# @title ")
        assert hidden == (cell.metadata.get("cellView") == "form")  # Colab's word for it


def test_handouts_have_no_solutions(small_course):
    handout = notebooks.build(small_course[0], handout=True)
    assert "answer" not in "".join(cell.source for cell in handout.cells)


def test_handouts_import_what_later_cells_need(small_course):
    chapter, source = small_course
    answer = '\n# %% tags=["export", "core"]\ndef core():\n    return 42\n'
    source.write_text(SMALL + answer, "utf-8")
    texts = {
        handout: "\n".join(c.source for c in notebooks.build(chapter, handout).cells)
        for handout in (False, True)
    }
    assert "return 42" in texts[False] and "@title Ours: write yours first" in texts[False]
    assert "return 42" not in texts[True]
    assert f"from dl_course.{chapter['module']} import core" in texts[True]


HINTED = """

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# A first hint.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Another.
#
# </details>

# %% [markdown]
# Text. <details><summary>Answer</summary>stays</details>
"""


def test_handouts_keep_hints_on_request_only(small_course):
    chapter, source = small_course
    source.write_text(SMALL + HINTED, "utf-8")
    texts = {
        hints: "".join(c.source for c in notebooks.build(chapter, True, hints=hints).cells)
        for hints in (True, False)
    }
    assert "A first hint." in texts[True] and "Another." in texts[True]
    assert "hint" not in texts[False].lower().replace("handout", "")
    assert "stays" in texts[True] and "stays" in texts[False]
    assert all(c.source for c in notebooks.build(chapter, True, hints=False).cells)


def test_handouts_say_how_to_get_the_package(small_course):
    chapter, _ = small_course
    first = notebooks.build(chapter, handout=True).cells[0].source
    assert "Get the course's folder, put this file into" in first
    assert "://" not in first and "To run this handout" not in (
        notebooks.build(chapter).cells[0].source
    )
    publish.publish("owner/name", "v2.0.0")
    first = notebooks.build(chapter, handout=True).cells[0].source
    assert "folder from <https://github.com/owner/name/tree/v2.0.0>, put" in first
    assert "On Colab the next cell gets it." in first


def test_execute_reports_costs_and_hides_this_machines_paths(small_course):
    cell = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    work = (
        "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: 1"
    )
    notebook = new_notebook(cells=[new_code_cell(work), cell])
    took = notebooks.execute(notebook, "x")
    assert took["seconds"] >= 0.5 and 0.5 < took["cpu"] < 20 and 20 < took["memory"] < 2000
    assert cell.outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert len(notebook.cells) == 2


def test_an_unknown_chapter_is_named(small_course):
    with pytest.raises(SystemExit, match="no chapter '7': there are 01"):
        notebooks.chapters_named(["7"])


# ---------------------------------------------------------------- set-up, publishing


def run_set_up(source, monkeypatch, *, colab, package):
    """Execute a set-up cell as a kernel would; return the lines that were installed.

    package: what `import dl_course` finds: "ours", "theirs" or None.
    """
    installed = []
    source = re.sub(r"^( *)%pip (.+)$", r"\1pip(r'''\2''')", source, flags=re.MULTILINE)
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    if colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    present = {"is": package is not None}

    def pip(line):
        installed.append(line)
        if "git+https" in line:
            present["is"] = True

    theirs = types.ModuleType("dl_course")
    theirs.__file__ = "somewhere/dl_course/__init__.py"
    if package == "theirs":
        monkeypatch.setitem(sys.modules, "dl_course", theirs)
    import importlib.util

    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: object() if present["is"] else None
    )
    exec(source.partition("import matplotlib")[0], {"pip": pip})
    return installed


@pytest.mark.parametrize("colab", [False, True])
def test_unpublished_nothing_is_installed_from_anywhere(monkeypatch, colab):
    course, *rest = notebooks.manifest()
    unpublished = {**course, "repository": "", "tag": ""}
    monkeypatch.setattr(notebooks, "manifest", lambda: (unpublished, *rest))
    for chapter in notebooks.manifest()[1]:
        source = notebooks.set_up(chapter)
        assert "pip" not in source and "://" not in source and "git+" not in source
        assert notebooks.colab_link(chapter) is None
    assert run_set_up(source, monkeypatch, colab=colab, package="ours") == []
    with pytest.raises(ImportError, match="dl_course is missing"):
        run_set_up(source, monkeypatch, colab=colab, package=None)
    with pytest.raises(ImportError, match="is not this course's package"):
        run_set_up(source, monkeypatch, colab=colab, package="theirs")


def test_published_it_installs_on_colab_alone_and_at_the_tag(small_course, monkeypatch):
    chapter = {**small_course[0], "packages": ["rdflib==7.1.4"]}
    name = "owner/name"
    publish.publish(name, "v2.0.0")
    source = notebooks.set_up(chapter)
    address = f'git+https://github.com/{name}@v2.0.0"'
    lines = run_set_up(source, monkeypatch, colab=True, package=None)
    assert len(lines) == 2 and address in lines[0] and "--no-deps" in lines[0]
    assert lines[1] == "install -q rdflib==7.1.4"
    assert run_set_up(source, monkeypatch, colab=True, package="ours") == []
    with pytest.raises(ImportError, match="dl_course is missing"):
        run_set_up(source, monkeypatch, colab=False, package=None)
    with pytest.raises(ImportError, match="is not this course's package"):
        run_set_up(source, monkeypatch, colab=True, package="theirs")
    colab = "colab.research.google.com/github"
    link = f"{colab}/{name}/blob/v2.0.0/notebooks/01_small.ipynb"
    assert link in notebooks.colab_link(chapter)
    assert link in notebooks.first_cells(chapter)[0].source
    publish.publish("", "")
    assert notebooks.colab_link(chapter) is None


@pytest.mark.parametrize(
    ("repository", "tag", "message"),
    [
        ("owner", "v1", "REPO: expected owner/name"),
        ("owner/na me", "v1", "REPO: expected owner/name"),
        ("owner/name", "main branch", "TAG: expected"),
        ("owner/name", "", "TAG: expected"),
        ("owner/name", "main", "TAG: expected"),
        ("", "v1", "REPO: expected owner/name"),
    ],
)
def test_publish_says_what_is_wrong(small_course, repository, tag, message):
    before = (notebooks.NOTEBOOKS / "course.toml").read_text("utf-8")
    with pytest.raises(SystemExit, match=message):
        publish.publish(repository, tag)
    assert (notebooks.NOTEBOOKS / "course.toml").read_text("utf-8") == before


def test_packages_that_colab_lacks_are_pinned_as_for_everybody():
    pins = (notebooks.ROOT / "requirements.txt").read_text("utf-8").splitlines()
    for chapter in notebooks.manifest()[1]:
        for package in chapter.get("packages", []):
            assert package in pins, f"chapter {chapter['number']}: {package}"


def test_the_package_knows_that_it_is_the_course():
    assert notebooks.manifest()[0]["title"] == dl_course.COURSE


# ---------------------------------------------------------------- claims on file


def test_claims_reach_the_file_they_are_asked_to(tmp_path, small_course):
    code = (
        f"import sys; sys.path.insert(0, {str(notebooks.ROOT)!r})\n"
        "from dl_course.lesson import claim\n"
        "claim('high', 3, at_least=1)\nclaim('so', True)\n"
        "claim('near', 2.0, equals=1, tolerance=0.5)\nclaim('no', float('nan'), at_most=1)"
    )
    notebook = new_notebook(cells=[new_code_cell(code)])
    took = notebooks.execute(notebook, "x", strict=False)
    assert [(c["name"], c["held"]) for c in took["claims"]] == [
        ("high", True), ("so", True), ("near", False), ("no", False),
    ]  # fmt: skip
    assert took["claims"][2] == {
        "name": "near", "value": 2.0, "at_least": 0.5, "at_most": 1.5, "held": False,
    }  # fmt: skip
    assert json.dumps(took["claims"])  # NaN travels as text
    with pytest.raises(Exception, match="ClaimError"):
        notebooks.execute(new_notebook(cells=[new_code_cell(code)]), "x")


def test_the_user_environment_is_not_changed_by_executing(small_course):
    before = dict(os.environ)
    notebooks.execute(new_notebook(cells=[new_code_cell("1")]), "x")
    assert dict(os.environ) == before
