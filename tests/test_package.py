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
CHAPTER_MODULES = [chapter["module"] for chapter in notebooks.manifest()[1]]


def imports(path):
    """Names of the dl_course modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dl_course"):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (n.name for n in node.names if n.name.startswith("dl_course"))


@pytest.mark.parametrize(
    "module", ["", *(f".{m}" for m in CHAPTER_MODULES), ".data", ".plots"]
)
def test_importing_loads_no_tensorflow_and_no_keras(module):
    heavy = "{'tensorflow', 'keras'} & set(sys.modules)"
    code = f"import sys, dl_course{module}; print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stderr


@pytest.mark.parametrize("number", range(len(CHAPTER_MODULES)))
def test_a_module_imports_no_later_chapter_and_no_exercises(number):
    path = PACKAGE / f"{CHAPTER_MODULES[number]}.py"
    later = CHAPTER_MODULES[number + 1 :]
    for name in imports(path):
        assert "exercises" not in name
        assert not set(name.split(".")) & set(later), f"{path.name} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_is_short_and_documented(path):
    text = path.read_text("utf-8")
    if "exercises" not in path.parts:
        assert len(text.splitlines()) <= 300
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name[0] != "_":
            assert ast.get_docstring(node) or "exercises" in path.parts, node.name


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
        if path.suffix in (".xz", ".webp", ".npz", ".png") or not path.exists():
            continue
        text = path.read_text("utf-8")
        for wrong in ("/root/" + "main", "index" + "-url", "pythonhosted" + ".org"):
            assert wrong not in text, f"{name}: {wrong}"
