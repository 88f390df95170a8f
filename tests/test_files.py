"""Files that survive accidents, and the lock of commands that execute notebooks."""

import errno
import os
import stat
import subprocess
import sys
import time

import pytest

from tools import files

# ---------------------------------------------------------------- writing


def test_text_and_bytes_arrive_as_they_are(tmp_path):
    path = tmp_path / "a.txt"
    files.write_atomically(path, "✓\r\nb\n")
    assert path.read_bytes() == "✓\r\nb\n".encode()
    files.write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("before", ["old", None])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, step, before):
    path = tmp_path / "a.txt"
    if before:
        path.write_text(before, "utf-8")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(SystemExit) as caught:
        files.write_atomically(path, "new")
    rest = "the file is as it was" if before else "there is no such file yet"
    message = f"{path} cannot be written (no space left on device): {rest}."
    assert str(caught.value) == message
    left = [p.read_text("utf-8") for p in tmp_path.iterdir()]
    assert left == ([before] if before else [])


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_really_full_device_is_told_too(tmp_path, monkeypatch):
    monkeypatch.setattr(files.Path, "with_name", lambda self, name: files.Path("/dev/full"))
    monkeypatch.setattr(files.Path, "unlink", lambda self, missing_ok: None)
    path = tmp_path / "a.txt"
    path.write_text("old", "utf-8")
    with pytest.raises(SystemExit, match="no space left on device"):
        files.write_atomically(path, "new")
    assert path.read_text("utf-8") == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")
def test_links_and_modes_stay(tmp_path):
    path, link = tmp_path / "a.sh", tmp_path / "link"
    path.write_text("old", "utf-8")
    path.chmod(0o754)
    link.symlink_to(path)
    files.write_atomically(link, "new")
    assert link.is_symlink() and path.read_text("utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o754


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "work").write_text("not a folder", "utf-8")
    with pytest.raises(SystemExit, match=r"work is a file, but a folder is needed there"):
        files.make_folder(tmp_path / "work")
    with pytest.raises(SystemExit, match=r"below cannot be made \(not a directory\)"):
        files.make_folder(tmp_path / "work" / "below")
    assert (tmp_path / "work").read_text("utf-8") == "not a folder"


# ---------------------------------------------------------------- reading


def test_what_can_be_read_is_read_in_silence(tmp_path, capsys):
    path = tmp_path / "a.json"
    assert files.read_json(path, {}) == {}
    path.write_text('{"a": [1]}', "utf-8")
    assert files.read_json(path, {}) == {"a": [1]}
    assert files.read_json(path, None) == {"a": [1]}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": [1', "it is damaged"),
        (b"", "it is damaged"),
        (b"\xff\xfe{}", "it is damaged"),
        (b"[1]", "expected dict, got list"),
    ],
)
def test_what_is_damaged_counts_as_absent(tmp_path, capsys, content, why):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert files.read_json(path, {"b": 2}) == {"b": 2}
    line = f"{path} cannot be read ({why}): going on without it.\n"
    assert capsys.readouterr().out == line


def test_a_folder_in_the_files_place_counts_as_absent(tmp_path, capsys):
    (tmp_path / "a.json").mkdir()
    assert files.read_json(tmp_path / "a.json", []) == []
    assert "going on without it" in capsys.readouterr().out


# ---------------------------------------------------------------- the lock

QUIET = {"capture_output": True, "text": True, "timeout": 60}
HOLD = """
import sys, time
from tools import files
with files.lock("notebooks", sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path, monkeypatch):
    """A process that holds the lock until it is told to go, or killed."""
    monkeypatch.delenv("DL_COURSE_LOCK_NOTEBOOKS", raising=False)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=files.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def let_go_after(process, seconds, how):
    """Release the lock of `process` while the caller waits for it."""

    def sleep(_):
        if time.monotonic() > started + seconds:
            how(process)
        real_sleep(0.05)

    started, real_sleep = time.monotonic(), time.sleep
    return sleep


def end(process):
    if process.poll() is None:
        process.communicate("\n")


@pytest.mark.parametrize("how", [end, lambda process: process.kill()], ids=["ends", "dies"])
def test_the_second_waits_and_says_for_whom(holder, tmp_path, monkeypatch, capsys, how):
    monkeypatch.setattr(files.time, "sleep", let_go_after(holder, 0.3, how))
    started = time.monotonic()
    with files.lock("notebooks", tmp_path):
        assert time.monotonic() - started >= 0.3
        assert holder.wait(10) is not None
    said = capsys.readouterr().out
    assert said.startswith(f"another command executes notebooks (pid {holder.pid}, since ")
    assert said.endswith("): waiting ...\n") and said.count("\n") == 1


def test_it_is_free_for_the_holder_its_children_and_afterwards(tmp_path, monkeypatch):
    monkeypatch.delenv("DL_COURSE_LOCK_NOTEBOOKS", raising=False)
    child = [sys.executable, "-c", HOLD, str(tmp_path)]
    for _ in range(2):
        with files.lock("notebooks", tmp_path), files.lock("notebooks", tmp_path):
            run = subprocess.run(child, cwd=files.ROOT, input="\n", **QUIET)
            assert run.stdout == "held\n"
        assert "DL_COURSE_LOCK_NOTEBOOKS" not in os.environ


def test_a_place_that_cannot_be_written_is_told_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("DL_COURSE_LOCK_NOTEBOOKS", raising=False)
    (tmp_path / "notebooks.lock").mkdir()
    refused = pytest.raises(SystemExit, match=r"notebooks\.lock cannot be written")
    with refused, files.lock("notebooks", tmp_path):
        raise AssertionError("not reached")


def test_a_command_runs_under_the_lock_and_gives_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.delenv("DL_COURSE_LOCK_NOTEBOOKS", raising=False)
    code = (
        "import pathlib, sys; from tools import files;"
        "files.LOCKS = pathlib.Path(sys.argv.pop(1)); files.main()"
    )
    held = "import os, sys; sys.exit(7 if 'DL_COURSE_LOCK_NOTEBOOKS' in os.environ else 0)"
    command = [sys.executable, "-c", code, tmp_path, sys.executable, "-c", held]
    assert subprocess.run(command, cwd=files.ROOT, **QUIET).returncode == 7
    assert (tmp_path / "notebooks.lock").exists()


# ---------------------------------------------------------------- signs


def test_a_sign_that_a_console_does_not_know_is_no_error():
    code = "from tools import files; files.forgive_stdout(); print('✓ done')"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=files.ROOT, env=environment, capture_output=True
    )
    assert run.stdout.split() == [b"?", b"done"], run.stderr
