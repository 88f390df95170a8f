"""What dl_course.lesson does to a fresh process: its stderr, its GPU.

Stand-ins for Keras and TensorFlow make noise on import and tell what was asked of them:
the real ones are imported before any test runs, and there may be no GPU.
"""

import json
import os
import subprocess
import sys

import pytest

from tools import notebooks

KERAS = """
import os
from types import SimpleNamespace

os.write(2, b"noise of a library\\n")
seeds = []
backend = SimpleNamespace(backend=lambda: "tensorflow")
config = SimpleNamespace(
    image_data_format=lambda: "channels_last", floatx=lambda: "float32"
)
utils = SimpleNamespace(set_random_seed=seeds.append)
"""
TENSORFLOW = """
from types import SimpleNamespace

asked = []
GPUS = ["first", "second"]


def note(name):
    return lambda *arguments: asked.append([name, *arguments])


config = SimpleNamespace(
    list_physical_devices=lambda kind: GPUS if kind == "GPU" else [],
    experimental=SimpleNamespace(
        set_memory_growth=note("memory growth"),
        enable_tensor_float_32_execution=note("short floats"),
        enable_op_determinism=note("determinism"),
    ),
)
"""
PROGRAM = """
import json, os
from dl_course import lesson

os.write(2, b"before\\n")
number = lesson.seed(3)
os.write(2, b"after\\n")
import keras, tensorflow

print(json.dumps([number, keras.seeds, tensorflow.asked]))
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """(stdout, stderr) of PROGRAM in a process of its own."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "keras.py").write_text(KERAS, "utf-8")
    (folder / "tensorflow.py").write_text(TENSORFLOW, "utf-8")
    path = os.pathsep.join([str(folder), str(notebooks.ROOT)])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DL_COURSE_")}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, run.stderr


def test_libraries_are_imported_silently_and_stderr_comes_back(fresh):
    assert fresh[1].splitlines() == ["before", "after"]


def test_a_gpu_is_shared_exact_and_repeatable(fresh):
    number, seeds, asked = json.loads(fresh[0])
    assert seeds == [number] == [3]
    growth = [["memory growth", gpu, True] for gpu in ("first", "second")]
    assert sorted(asked) == [["determinism"], *growth, ["short floats", False]]
