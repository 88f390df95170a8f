"""The Makefile: each command sets up .venv, mends it and says so; two lists of packages."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from tools import notebooks

ROOT = notebooks.ROOT
MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(
    MAKE is None or sys.platform == "win32", reason="make and a shell of POSIX"
)
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
OUTER = {"PYTHON", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"}  # of the `make test` around this


@pytest.fixture
def folder(tmp_path):
    """A copy of what set-up reads, without a .venv."""
    for name in ("Makefile", "requirements.txt", "requirements-test.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(folder, *arguments, path=None):
    """(exit code, output) of make with installing switched off; PIP= switches it on."""
    environment = {k: v for k, v in os.environ.items() if k not in OUTER}
    environment |= {"PATH": str(path)} if path else {}
    run = subprocess.run(
        [MAKE, "PIP=echo pip", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return run.returncode, run.stdout


def script(path, *lines):
    """A program that stands for a Python which is not as it should be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), "utf-8")
    path.chmod(0o755)
    return path


def works(folder):
    code = "import sys, pip; print(*sys.version_info[:2], sep='.')"
    python = folder / ".venv" / "bin" / "python"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return run.stdout == f"{VERSION}\n"


@needs_make
def test_every_target_is_explained():
    _, text = make(ROOT, "help")
    targets = re.findall(
        r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert {"setup", "lab", "test", "course", "notebooks", "handout"} <= set(targets)
    for target in set(targets) - {"lint", "broken"}:
        assert f"\n{target} " in "\n" + text


@needs_make
def test_a_learner_gets_the_first_list_and_a_tester_both(folder):
    code, text = make(folder, "setup", f"PYTHON={sys.executable}")
    assert code == 0 and works(folder)
    assert "Setting up .venv" in text and "pip -r requirements.txt" in text
    assert "requirements-test" not in text
    assert text.endswith("Ready: make lab opens the course, make test tests it.\n")
    code, text = make(folder, ".venv/ready-test", f"PYTHON={sys.executable}")
    assert code == 0 and "pip -r requirements-test.txt" in text
    assert "Setting up" not in text  # what is there stays
    code, text = make(folder, "setup")
    assert text == "Ready: make lab opens the course, make test tests it.\n"


@needs_make
@pytest.mark.parametrize("fault", ["dangling", "too old", "no pip", "no python", "a file"])
def test_a_broken_folder_of_packages_is_mended(folder, fault):
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    (folder / ".venv" / "ready").touch()
    if fault == "dangling":
        python.symlink_to(folder / "gone")
    elif fault == "too old":
        script(python, "exit 1")
    elif fault == "no pip":  # interrupted while it was made
        (folder / ".venv" / "ready").unlink()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"])
    elif fault == "a file":
        python.write_text("no program", "utf-8")
    code, text = make(folder, "setup")
    assert code == 0 and "Setting up .venv with " in text
    code = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    assert subprocess.run([python, "-c", code]).returncode == 0


@needs_make
def test_another_version_is_made_only_if_it_is_asked_for(folder):
    make(folder, "setup", f"PYTHON={sys.executable}")
    stamp = folder / ".venv" / "ready"
    made = stamp.stat().st_mtime_ns
    other = script(  # like this Python, but says that it is of another version
        folder / "other",
        f'case "$2" in *print*) echo 3.99;; *) exec {sys.executable} "$@";; esac',
    )
    code, text = make(folder, "setup", f"PYTHON={sys.executable}")
    assert code == 0 and stamp.stat().st_mtime_ns == made
    code, text = make(folder, "setup", f"PYTHON={other}")
    assert code == 0 and f"Setting up .venv with {other}" in text
    assert stamp.stat().st_mtime_ns != made and works(folder)


@needs_make
def test_a_python_that_does_not_fit_is_refused_and_the_old_one_stays(folder):
    make(folder, "setup", f"PYTHON={sys.executable}")
    old = script(folder / "old", 'test "$1" = -V && echo Python 3.10.1', "exit 1")
    code, text = make(folder, "setup", f"PYTHON={old}")
    assert code != 0 and works(folder)
    assert f"PYTHON={old}: expected Python 3.11, 3.12 or 3.13, got Python 3.10.1\n" in text
    code, text = make(folder, "setup", "PYTHON=no-such-python")
    assert code != 0 and works(folder)
    assert "PYTHON=no-such-python: expected Python 3.11, 3.12 or 3.13, got " in text


@needs_make
@pytest.mark.parametrize("debian", [True, False])
def test_advice_about_apt_only_where_there_is_apt(folder, debian):
    lacking = 'case "$2" in *ensurepip*) exit 1;; esac'
    python = script(folder / "bare", lacking, f'exec {sys.executable} "$@"')
    programs = folder / "programs"
    programs.mkdir()
    for name in ("sh", "tail", "sed", "awk"):
        (programs / name).symlink_to(shutil.which(name))
    if debian:
        script(programs / "apt-get", "exit 0")
    code, text = make(folder, "setup", f"PYTHON={python}", path=programs)
    assert code != 0 and f"{python} comes without ensurepip" in text
    assert (f"sudo apt install python{VERSION}-venv" in text) == debian
    assert ("python.org" in text) != debian


@needs_make
def test_an_interrupted_installation_goes_on(folder):
    code, text = make(folder, "setup", "PIP=false")
    assert code != 0 and not (folder / ".venv" / "ready").exists()
    assert "The same command goes on where it stopped; make clean starts anew." in text
    code, text = make(folder, "setup")
    assert code == 0 and "pip -r requirements.txt" in text


@needs_make
def test_clean_leaves_what_the_learner_wrote(folder):
    for name in (".venv", "build", "work"):
        (folder / name).mkdir()
        (folder / name / "a").touch()
    code, text = make(folder, "clean")
    assert code == 0 and (folder / "work" / "a").exists()
    assert not (folder / ".venv").exists() and not (folder / "build").exists()
    assert "work/ are as they were" in text


# ---------------------------------------------------------------- the two lists


def pins(name):
    """{(package, version, where)} of a list of pins."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    found = [re.match(r"([\w.-]+)==(\S+)(?: ; (.*))?$", line) for line in lines]
    return {match.groups() for match in found if match}


@pytest.mark.parametrize("name", ["requirements", "requirements-test"])
def test_every_dependency_has_its_reason(name):
    for line in (ROOT / f"{name}.in").read_text("utf-8").splitlines():
        if line and line[0] not in "#-":
            assert re.search(r"\S +# \S", line), line
    assert "://" not in (ROOT / f"{name}.txt").read_text("utf-8")
    asked = re.findall(r"^[\w-]+", (ROOT / f"{name}.in").read_text("utf-8"), re.MULTILINE)
    assert {package for package in asked if package[0] != "-"} <= {
        p for p, _, _ in pins(f"{name}.txt")
    }


def test_both_lists_agree():
    lab, test = pins("requirements.txt"), pins("requirements-test.txt")
    both = {p for p, _, _ in lab} & {p for p, _, _ in test}
    assert both  # what tools share with the lab
    for package in both:
        versions = {v for p, v, _ in lab if p == package}
        assert {v for p, v, _ in test if p == package} <= versions, package


def test_a_learner_gets_no_tools_of_testers():
    lab = {package for package, _, _ in pins("requirements.txt")}
    assert not lab & {
        "pytest",
        "nbval",
        "hypothesis",
        "ruff",
        "playwright",
        "zizmor",
        "jupytext",
    }
    assert {"jupyterlab", "keras", "scipy", "scikit-learn", "networkx"} <= lab


def test_what_the_package_asks_for_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    assert needed <= {package for package, _, _ in pins("requirements.txt")}


def test_conda_gets_the_learners_list():
    content = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    (pip,) = [entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.txt", "-e ."]
