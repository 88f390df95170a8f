"""`make check` says that this machine is ready, and names each thing that is not."""

import json
import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from tools import ready


def said(check):
    """What a check says that fails: (what is wrong, what to do)."""
    with pytest.raises(ready.NotReady) as error:
        check()
    return str(error.value), error.value.todo


def test_this_machine_is_ready_and_every_line_says_so(capsys):
    assert ready.main() == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ready.CHECKS) + 1
    assert all(line.startswith("✓ ") for line in lines[:-1])
    assert lines[-1].startswith("Ready: `make lab`")


def test_it_needs_nothing_but_python():
    """No package, and no error, with a Python that knows none."""
    code = "import sys, tools.ready; print(sorted(m for m in sys.modules if 'numpy' in m))"
    command = [sys.executable, "-S", "-c", code]
    run = subprocess.run(command, cwd=ready.ROOT, capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0), (2, 7, 18)])
def test_a_wrong_python_is_all_that_is_told(monkeypatch, capsys, version):
    monkeypatch.setattr(sys, "version_info", version)
    assert ready.main() == 1
    first, todo, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"✗ Python {'.'.join(map(str, version))}, but")
    assert "python.org" in todo and last.startswith("Not ready")


def test_a_console_without_the_signs_gets_others(monkeypatch, capsys):
    monkeypatch.setattr(ready, "CHECKS", (ready.disk,))
    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    assert ready.main() == 0
    assert capsys.readouterr().out.startswith("+ disk")


# ---------------------------------------------------------------- packages


def test_the_list_is_that_of_the_learner():
    names = ready.needed()
    assert {"tensorflow", "keras", "numpy", "matplotlib", "jupyterlab"} <= set(names)
    assert "tensorflow-cpu" not in names and len(set(names)) == len(names)
    assert set(names) <= set(ready.pins())


def test_missing_old_and_broken_packages_are_named(monkeypatch):
    found = {name: ready.pins()[name] for name in ready.needed()}
    found |= {"numpy": "1.26.4", "rdflib": None, "matplotlib": "999.1"}
    monkeypatch.setattr(ready, "installed", found.get)
    monkeypatch.setattr(ready, "trouble", lambda m: "no DLL" if m == "PIL" else None)
    what, todo = said(ready.packages)
    oldest = ready.pins()["numpy"]
    assert what == (
        f"missing: rdflib; too old: numpy 1.26.4 (needs {oldest}); broken: pillow (no DLL)"
    )
    assert "requirements.txt" in todo


def test_another_python_than_that_of_the_folder_is_told(monkeypatch, tmp_path):
    (tmp_path / ".venv").mkdir()
    for name in ("requirements.in", "requirements.txt"):
        (tmp_path / name).write_text("numpy==2.0\n", "utf-8")
    monkeypatch.setattr(ready, "ROOT", tmp_path)
    monkeypatch.setattr(ready, "installed", lambda name: None)
    assert f"use the Python in {tmp_path / '.venv'}" in said(ready.packages)[1]


def test_versions_are_compared_by_numbers():
    assert ready.numbers("2.10.0") > ready.numbers("2.9.9")
    assert ready.pins()["numpy"].startswith("2.4")  # the lower of two
    assert ready.trouble("no_such_module").startswith("ModuleNotFoundError: ")


# ---------------------------------------------------------------- Keras, the course


@pytest.fixture
def run(monkeypatch):
    """run(stdout, stderr, code): what the process that tries Keras shall have done."""

    def fake(stdout="", stderr="", code=0):
        done = subprocess.CompletedProcess([], code, stdout, stderr)
        monkeypatch.setattr(ready.subprocess, "run", lambda *a, **k: done)

    return fake


def result(**changes):
    found = {"package": str(ready.ROOT / "dl_course" / "__init__.py"), "ours": True}
    found |= {"keras": "3", "backend": "tensorflow", "losses": [1.0, 0.1], "seconds": 1.0}
    return json.dumps(found | changes)


def test_keras_that_learns(run):
    run("a line of somebody else\n" + result())
    assert ready.keras() == "Keras 3 on tensorflow learns, 1 s with loading"
    run(result(package=None))
    assert ready.keras().endswith("dl_course comes from this folder")
    run(result(package="/elsewhere/dl_course/__init__.py"))
    assert "dl_course comes from " in ready.keras()


@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "what"),
    [
        (result(losses=[0.1, float("nan")]), "", 0, "did not learn: 0.1, then nan"),
        (result(ours=False), "", 0, "is installed under the name of this course's"),
        ("", "x\nImportError: DLL load failed", 1, "Keras does not run: ImportError: DLL"),
        ("", "", 1, "Keras does not run: no message"),
        ("", "", -signal.SIGILL, "ended by SIGILL while TensorFlow was loaded"),
    ],
)
def test_keras_that_does_not(run, stdout, stderr, code, what):
    run(stdout, stderr, code)
    assert what in said(ready.keras)[0]


def test_keras_that_takes_for_ever(monkeypatch):
    def slow(*args, **kwargs):
        raise subprocess.TimeoutExpired("python", kwargs["timeout"])

    monkeypatch.setattr(ready.subprocess, "run", slow)
    assert "two minutes" in said(ready.keras)[0]


def test_damaged_data_are_named(monkeypatch, tmp_path):
    name = "mnist-test-labels.u8.xz"
    (tmp_path / name).write_bytes(b"cut")
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path))
    what, _ = said(ready.data)
    assert name in what and "is damaged" in what
    monkeypatch.setenv("DL_COURSE_DATA", str(tmp_path / "none"))
    assert "expected a folder" in said(ready.data)[0]


def test_a_lab_that_is_missing_or_runs_another_python(monkeypatch, tmp_path):
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    kernel = {"argv": [str(tmp_path / "bin" / "python"), "-m", "ipykernel_launcher"]}
    (spec / "kernel.json").write_text(json.dumps(kernel), "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    what, todo = said(ready.jupyter)
    assert str(tmp_path / "bin" / "python") in what and str(spec) in todo
    monkeypatch.setattr(ready, "installed", lambda name: None)
    assert said(ready.jupyter)[0] == "JupyterLab is missing"


# ---------------------------------------------------------------- the machine


def test_too_little_memory_or_disk(monkeypatch):
    monkeypatch.setattr(ready, "total_memory", lambda: 2.0)
    monkeypatch.setattr(ready, "largest_notebook", lambda: 1.8)
    assert said(ready.memory)[0].startswith("memory: 2.0 GB, but the largest notebook ")
    monkeypatch.setattr(ready, "total_memory", lambda: None)
    assert ready.memory().startswith("memory: unknown here")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(ready.shutil, "disk_usage", lambda path: usage(9, 9, 4e8))
    assert said(ready.disk) == ("disk: 0.4 GB free, 1 GB needed", "make room")


def test_memory_is_that_of_the_machine_or_its_container(monkeypatch):
    assert 0.5 < ready.total_memory() < 10_000
    assert 0.5 < ready.largest_notebook() < 3
    if Path("/proc").exists():
        monkeypatch.setattr(ready.Path, "read_text", lambda self: "3000000000\n")
        assert ready.total_memory() == 3.0


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(ready, "WORK", tmp_path)
    assert str(tmp_path) in ready.work()
    closed = tmp_path / "a file"
    closed.touch()
    monkeypatch.setattr(ready, "WORK", closed)
    what, todo = said(ready.work)
    assert "cannot be written" in what and "--work" in todo


def test_a_check_that_falls_over_is_a_line_too(monkeypatch, capsys):
    def fall():
        raise RuntimeError("something odd")

    monkeypatch.setattr(ready, "CHECKS", (fall, ready.disk))
    assert ready.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✗ fall: RuntimeError: something odd"
    assert lines[2].startswith("✓ disk")


def test_the_user_environment_is_left_alone():
    before = dict(os.environ)
    ready.backend(), ready.disk(), ready.work(), ready.memory()
    assert dict(os.environ) == before
