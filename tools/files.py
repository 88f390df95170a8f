"""Files that survive an accident, and a lock for commands that execute notebooks.

python -m tools.files COMMAND ...     run a command while holding the lock

Two such commands at once on two cores would spoil each other's times.
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "build"
FAR = 1 << 20  # the byte that Windows locks lies behind the text, which stays readable
HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # what systems say of a lock in use


def write_atomically(path, content):
    """Write a file so that it is either the old or the new one, whatever happens.

    Args:
        path: the file; its folder must exist. A link stays a link.
        content: str, written as UTF-8 with the line ends it has, or bytes.

    Raises SystemExit with one sentence if it cannot be written (disk full, read-only):
    what was there before is still there.
    """
    path = Path(path).resolve()
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    if isinstance(content, str):
        content = content.encode("utf-8")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)
    except OSError as error:
        rest = "the file is as it was" if path.exists() else "there is no such file yet"
        raise SystemExit(f"{path} cannot be written ({reason(error)}): {rest}.") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def make_folder(path):
    """Make a folder and those above it; SystemExit with one sentence if that fails."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise SystemExit(
            f"{path} is a file, but a folder is needed there: rename it."
        ) from error
    except OSError as error:
        raise SystemExit(f"{path} cannot be made ({reason(error)}).") from error


def read_json(path, default):
    """The content of a JSON file; `default` if there is none.

    A file that cannot be read, or holds another type than `default` has, counts as
    absent: one printed sentence says so.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is damaged"
    else:
        if default is None or isinstance(content, type(default)):
            return content
        why = f"expected {type(default).__name__}, got {type(content).__name__}"
    print(f"{path} cannot be read ({why}): going on without it.")
    return default


def reason(error):
    """What an OSError says, in lower case, without numbers and paths."""
    return (error.strerror or str(error)).lower()


def forgive_stdout():
    """Where a console cannot show a sign such as ✓, print ? instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


# ---------------------------------------------------------------- the lock


@contextlib.contextmanager
def lock(name="notebooks", folder=None):
    """Hold the lock `name` of this checkout; wait, and say for whom, while another has it.

    The system drops the lock of a process that died. Within a process that holds it, and
    in its children, it is free. Raises SystemExit with one sentence if `folder`
    (build/ by default) cannot be written.
    """
    mine = f"DL_COURSE_LOCK_{name.upper()}"
    if mine in os.environ:
        yield
        return
    path = Path(folder or LOCKS) / f"{name}.lock"
    make_folder(path.parent)
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"{path} cannot be written ({reason(error)}).") from error
    with file:
        told = False
        while not _locked(file):
            if not told:
                print(f"another command executes {name}{_holder(path)}: waiting ...")
                sys.stdout.flush()
                told = True
            time.sleep(0.5)
        file.truncate(0)
        file.write(f"pid {os.getpid()}, since {time.strftime('%H:%M')}")
        file.flush()
        os.environ[mine] = str(os.getpid())
        try:
            yield
        finally:
            del os.environ[mine]
            file.truncate(0)


def _holder(path):
    try:
        text = path.read_text("utf-8").strip()
    except OSError:
        text = ""
    return f" ({text})" if text else ""


def _locked(file):
    """Take the lock of an open file; False if another process has it.

    True also where the file system knows no locks, as some network folders: there
    nothing could be waited for.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), FAR, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in HELD
    return True


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    try:
        with lock(), subprocess.Popen(sys.argv[1:]) as process:
            while process.returncode is None:
                with contextlib.suppress(KeyboardInterrupt):  # the command ends by itself
                    process.wait()
    except KeyboardInterrupt:  # while waiting for the lock
        raise SystemExit(130) from None
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
