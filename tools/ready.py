"""Is this machine ready for the course? Ten seconds, and what to do where it is not.

    make check
    python -m tools.ready     without make

It needs nothing but Python itself, changes nothing, and asks no network.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "work"
OLDEST, NEWEST = (3, 11), (3, 13)  # versions of Python
LAB_MEMORY = 1.0  # GB for the system, a browser and JupyterLab beside the largest notebook
LIMITS = (  # of a container's memory
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
DISK = 1.0  # GB for copies, saved models and pictures
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn", "beautifulsoup4": "bs4"}
TENSORFLOW = "tensorflow"  # also installed as tensorflow-cpu
HEAVY = {TENSORFLOW, "keras", "jupyterlab"}  # tried by checks of their own
INSTALL = "run `make setup`, or `python -m pip install -r requirements.txt`"
TRY = """\
import json, os, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
result = {}
try:
    import dl_course
    result["package"] = dl_course.__file__
    result["ours"] = hasattr(dl_course, "COURSE")
except ImportError as error:
    result["package"] = None
started = time.monotonic()
import keras, numpy as np
keras.utils.set_random_seed(0)
x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
model = keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse")
losses = model.fit(x, 2 * x, epochs=10, verbose=0).history["loss"]
result |= {"keras": keras.__version__, "backend": keras.backend.backend()}
result |= {"losses": [losses[0], losses[-1]], "seconds": time.monotonic() - started}
print(json.dumps(result))
"""


class NotReady(Exception):
    """Something is missing: what it is, and what to do about it."""

    def __init__(self, what, todo):
        super().__init__(what)
        self.todo = todo


# ---------------------------------------------------------------- Python and packages


def python():
    version = "Python " + ".".join(map(str, sys.version_info[:3]))
    if not OLDEST <= tuple(sys.version_info[:2]) <= NEWEST:
        raise NotReady(
            f"{version}, but the course runs on 3.11, 3.12 and 3.13",
            "get one of these from python.org, then run `make clean` and "
            "`make setup PYTHON=/path/to/python`",
        )
    return version


def packages():
    """Every package of requirements.in is there, can be imported, and is new enough."""
    missing, old, broken = [], [], []
    oldest = pins()
    for name in needed():
        version = installed(name)
        if version is None:
            missing.append(name)
        elif numbers(version) < numbers(oldest.get(name, "0")):
            old.append(f"{name} {version} (needs {oldest[name]})")
        elif name not in HEAVY and trouble(MODULES.get(name, name)):
            broken.append(f"{name} ({trouble(MODULES.get(name, name))})")
    if missing or old or broken:
        kinds = ("missing: ", missing), ("too old: ", old), ("broken: ", broken)
        what = "; ".join(head + ", ".join(names) for head, names in kinds if names)
        own = ROOT / ".venv"
        todo = INSTALL
        if own.exists() and Path(sys.prefix).resolve() != own.resolve():
            todo = f"use the Python in {own} (`source .venv/bin/activate`), or {todo}"
        raise NotReady(what, todo)
    return f"{len(needed())} packages, as pinned or newer"


def needed():
    """Names of the packages that a learner needs; both names of TensorFlow are one."""
    text = (ROOT / "requirements.in").read_text("utf-8")
    names = re.findall(r"^([A-Za-z][\w.-]*)", text, re.MULTILINE)
    return list(dict.fromkeys(plain(name) for name in names))


def pins():
    """{name: lowest pinned version}, over the systems and versions of Python."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    found = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE):
        found.setdefault(plain(name), []).append(version)
    return {name: min(versions, key=numbers) for name, versions in found.items()}


def plain(name):
    return TENSORFLOW if name == "tensorflow-cpu" else name


def installed(name):
    for one in (name, "tensorflow-cpu") if name == TENSORFLOW else (name,):
        try:
            return importlib.metadata.version(one)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


def trouble(module):
    """Why a module cannot be imported; None if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a broken package raises
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


# ---------------------------------------------------------------- Keras, the course


def try_out():
    """What a Python elsewhere on this machine finds when it runs TRY, as a dict.

    It runs in a process of its own: a TensorFlow that does not fit the processor kills it.
    """
    environment = {**os.environ, "KERAS_BACKEND": backend()}
    environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = subprocess.run(
                [sys.executable, "-c", TRY],
                cwd=folder,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            raise NotReady(
                "a tiny network did not learn within two minutes",
                "close other programs and try again",
            ) from None
    lines = run.stdout.strip().splitlines()
    if run.returncode == 0 and lines:
        return json.loads(lines[-1])
    if run.returncode < 0:
        name = signal.Signals(-run.returncode).name
        raise NotReady(
            f"Python was ended by {name} while TensorFlow was loaded or trained",
            "SIGILL: this processor is too old for TensorFlow's wheels (it needs AVX); "
            "SIGKILL: the memory was not enough",
        )
    last = (run.stderr.strip().splitlines() or ["no message"])[-1]
    raise NotReady(f"Keras does not run: {last}", INSTALL)


def backend():
    return "jax" if os.environ.get("KERAS_BACKEND") == "jax" else "tensorflow"


def keras():
    found = try_out()
    first, last = found["losses"]
    if not last < first:
        raise NotReady(f"a tiny network did not learn: {first:g}, then {last:g}", INSTALL)
    words = f"Keras {found['keras']} on {found['backend']} learns"
    words += f", {found['seconds']:.0f} s with loading"
    if found["package"] is None:
        return f"{words}; dl_course comes from this folder"
    if not found["ours"]:
        raise NotReady(
            f"{found['package']} is installed under the name of this course's package, "
            "and is another one",
            "remove it (`python -m pip uninstall dl_course`), then run "
            "`python -m pip install --no-deps -e .` here",
        )
    elsewhere = Path(found["package"]).resolve().parents[1]
    if elsewhere != ROOT:
        words += f"; outside of `make lab`, dl_course comes from {elsewhere}"
    return words


def data():
    """All embedded files have the SHA-256 of data/manifest.toml."""
    from dl_course.data import files

    try:
        listed = [one["name"] for e in files.manifest().values() for one in e["files"]]
        size = sum(len(files.read_bytes(name)) for name in listed)
    except (OSError, ValueError) as error:
        raise NotReady(str(error), "restore the file as it says") from error
    return f"data: {len(listed)} files, {size / 1e6:.0f} MB, checksums right"


def jupyter():
    version = installed("jupyterlab")
    if version is None:
        raise NotReady("JupyterLab is missing", INSTALL)
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        raise NotReady("JupyterLab knows no kernel `python3`", INSTALL) from None
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    bare = Path(program).name in {"python", "python3", f"python3.{sys.version_info[1]}"}
    if Path(program).parent != Path(sys.executable).parent and not (
        bare and not Path(spec.argv[0]).is_absolute()
    ):
        raise NotReady(
            f"JupyterLab would run notebooks with {program}, not with {sys.executable}",
            f"remove the folder {spec.resource_dir}, or run "
            "`python -m ipykernel install --user` with this Python",
        )
    return f"JupyterLab {version}, with this Python as its kernel"


# ---------------------------------------------------------------- the machine


def memory():
    """The machine's memory, or the limit of a container, holds the largest notebook."""
    need = largest_notebook() + LAB_MEMORY
    have = total_memory()
    if have is None:
        return (
            f"memory: unknown here; the largest notebook needs {need:.1f} GB with the lab"
        )
    if have < need:
        raise NotReady(
            f"memory: {have:.1f} GB, but the largest notebook needs {need:.1f} GB with "
            "the lab",
            "use a machine with more, or leave the largest notebooks out: README's table "
            "of chapters leads to all",
        )
    return f"memory: {have:.1f} GB, {need:.1f} GB needed"


def largest_notebook():
    """GB of memory of the notebook that took most when it was stored."""
    sizes = []
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        text = path.read_text("utf-8")
        sizes += map(float, re.findall(r'"memory": "([\d.]+) GB"', text))
    return max(sizes, default=2.0)


def total_memory():
    """GB that this process may use; None where the system does not tell."""
    found = []
    for limit in (
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ):
        try:
            found.append(int(Path(limit).read_text()))
        except (OSError, ValueError):  # no container, or no limit
            continue
    if sys.platform == "win32":
        found.append(windows_memory())
    else:
        with suppress(OSError, ValueError):
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found) / 1e9 if found else None


def windows_memory():
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024


def disk():
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < DISK:
        raise NotReady(f"disk: {free:.1f} GB free, {DISK:g} GB needed", "make room")
    return f"disk: {free:.0f} GB free"


def work():
    """A file can be written where `make lab` keeps the learner's copies."""
    folder = WORK if WORK.exists() else ROOT
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotReady(
            f"{folder} cannot be written ({(error.strerror or str(error)).lower()})",
            "copy the course to a folder of yours, or name another: "
            "make lab ARGS='--work FOLDER'",
        ) from error
    return f"{folder} can be written"


CHECKS = (python, packages, data, memory, disk, work, jupyter, keras)


def main():
    """Print a line for each check; 0 if all is ready, else 1."""
    signs = "✓✗"
    try:
        signs.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        signs = "+!"
    bad = 0
    for check in CHECKS:
        try:
            print(f"{signs[0]} {check()}", flush=True)
        except NotReady as error:
            bad += 1
            print(f"{signs[1]} {error}\n    What to do: {error.todo}.", flush=True)
            if check is python:  # all else follows from that
                break
        except Exception as error:  # the check itself fell over what is missing
            bad += 1
            print(f"{signs[1]} {check.__name__}: {type(error).__name__}: {error}")
            print(f"    What to do: {INSTALL}.", flush=True)
    if bad:
        print("Not ready: see above.")
    else:
        print("Ready: `make lab` opens the course, or `python -m tools.lab`.")
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
