"""The package as a whole: cheap to import, layered, small, complete in a wheel."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import notebooks

ROOT = notebooks.ROOT
PACKAGE = ROOT / "dl_course"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
CHAPTERS = notebooks.manifest()[1]
CHAPTER_MODULES = [chapter["module"] for chapter in CHAPTERS]
# Chapters whose code still stands in hand-written modules. This list may only shrink: a
# chapter that leaves it is the source of its code from then on.
NOT_MOVED = [
    *("06", "06b", "08b"),
    *("09", "09b", "10", "10b", "11a", "11b", "11c", "11d", "11e", "11f"),
]
BY_HAND = [c["module"] for c in CHAPTERS if c["number"] in NOT_MOVED]


def imports(path):
    """Names of the dl_course modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dl_course"):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (n.name for n in node.names if n.name.startswith("dl_course"))


def loads_keras(module):
    """Whether a module imports Keras at its top, or another of ours that does."""
    path = PACKAGE / f"{module}.py"
    if not path.exists():
        return False
    nodes = ast.parse(path.read_text("utf-8")).body
    if any(isinstance(n, ast.Import) and n.names[0].name == "keras" for n in nodes):
        return True
    ours = {word for name in imports(path) for word in name.split(".")[1:2]}
    return any(loads_keras(other) for other in ours)


LIGHT = [module for module in BY_HAND if not loads_keras(module)]  # made ones may load it


@pytest.mark.parametrize(
    "module", ["", ".lesson", ".data", ".plots", *(f".{module}" for module in LIGHT)]
)
def test_importing_loads_no_tensorflow_and_no_keras(module):
    heavy = "{'tensorflow', 'keras'} & set(sys.modules)"
    code = f"import sys, dl_course{module}; print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stderr


def test_importing_the_package_is_quick():
    code = (
        "import time; t = time.process_time(); import dl_course; "
        "print(time.process_time() - t)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert float(run.stdout) <= 0.3, run.stderr


@pytest.mark.parametrize("number", range(len(CHAPTER_MODULES)))
def test_a_module_imports_no_later_chapter_and_no_exercises(number):
    path = PACKAGE / f"{CHAPTER_MODULES[number]}.py"
    if not path.exists():
        pytest.skip("this chapter exports nothing")
    later = CHAPTER_MODULES[number + 1 :]
    for name in imports(path):
        assert "exercises" not in name
        assert not set(name.split(".")) & set(later), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_documented(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
            assert ast.get_docstring(node) or "exercises" in path.parts, node.name


# ---------------------------------------------------------------- small, by a test

# Modules that are no chapter's: what makes a notebook a lesson, and what all share.
LESSON = {"__init__", "common", "diagrams", "layout", "lesson", "plots"}
# ... and second modules of chapters that have not moved, by chapter.
# "craft" passes names of 02 on to chapters that import them from there.
SECOND = {"craft": "11f", "dates": "09", "translation": "09"}


def is_made(path):
    return notebooks.MADE in path.read_text("utf-8").partition("\n")[0]


def test_hand_written_modules_are_those_of_chapters_that_have_not_moved():
    expected = set(LESSON)
    for chapter in CHAPTERS:
        if chapter["number"] in NOT_MOVED:
            expected.add(chapter["module"])
    expected |= {module for module, number in SECOND.items() if number in NOT_MOVED}
    found = {path.stem for path in PACKAGE.glob("*.py") if not is_made(path)}
    assert found <= expected, "a chapter that moved has no hand-written module"
    assert expected - found <= {"common"}, "strike it off the list"
    assert set(NOT_MOVED) <= {chapter["number"] for chapter in CHAPTERS}


def code_of_others(own):
    """(number, path) of other chapters' sources, and of modules written by hand."""
    for chapter in CHAPTERS:
        if chapter["number"] != own:
            yield chapter["number"], notebooks.source_path(chapter)
            if chapter["number"] in NOT_MOVED:
                yield chapter["number"], PACKAGE / f"{chapter['module']}.py"
    yield from ((n, PACKAGE / f"{m}.py") for m, n in SECOND.items() if n in NOT_MOVED)


def users_of(module, own):
    """{name: numbers of other chapters whose code uses this name of a module}."""
    used = {}
    for number, path in code_of_others(own):
        if not path.exists():
            continue
        tree = ast.parse(path.read_text("utf-8"))
        called = {module}  # names that the chapter has for the module
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "dl_course":
                called |= {a.asname for a in node.names if a.name == module and a.asname}
            elif isinstance(node, ast.ImportFrom) and node.module == f"dl_course.{module}":
                for alias in node.names:
                    used.setdefault(alias.name, set()).add(number)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in called:
                used.setdefault(node.attr, set()).add(number)
    return used


@pytest.mark.parametrize("chapter", CHAPTERS, ids=notebooks.stem)
def test_what_a_chapter_exports_has_a_second_chapter_or_is_a_documents_program(chapter):
    path = PACKAGE / f"{chapter['module']}.py"
    if chapter["number"] in NOT_MOVED or not path.exists():
        pytest.skip("not moved yet, or exports nothing")
    tree = ast.parse(path.read_text("utf-8"))
    defined = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    programs = chapter.get("programs", [])
    assert set(programs) <= {node.name for node in defined}
    used = set(users_of(chapter["module"], chapter["number"])) | set(programs)
    needed, todo = set(), [node for node in defined if node.name in used]
    while todo:  # and what these call
        node = todo.pop()
        needed.add(node.name)
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        todo += [n for n in defined if n.name in names - needed and n not in todo]
    extra = {node.name for node in defined} - needed
    assert not extra, (
        f"only chapter {chapter['number']} needs {sorted(extra)}: take the tag `export` "
        "off, or let another chapter import it"
    )


def test_the_wheel_carries_the_data_and_works_without_the_checkout(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    in_wheel = {
        p.relative_to(site / "dl_course/_data") for p in files(site / "dl_course/_data")
    }
    assert in_wheel == {p.relative_to(ROOT / "data") for p in files(ROOT / "data")}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import dl_course.data as d;"
        "assert d.__file__.startswith(sys.argv[1]); print(len(d.alice()))"
    )
    run = [sys.executable, "-c", code, str(site)]
    result = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert int(result.stdout) > 100_000, result.stderr


def files(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_no_paths_of_a_machine_and_no_registry_hosts_in_the_repository():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".xz", ".webp", ".npz", ".png", ".woff") or not path.exists():
            continue
        text = path.read_text("utf-8")
        for wrong in ("/root/" + "main", "index" + "-url", "pythonhosted" + ".org"):
            assert wrong not in text, f"{name}: {wrong}"
