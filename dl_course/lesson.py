"""What turns a notebook into a lesson: seeds, claims, checks, revealed sources.

- `seed(n)` makes a run repeatable; `DL_COURSE_SEED` shifts it, to try claims on others.
- `claim(...)` states a fact and checks it; `report(...)` prints what was measured.
- `check("01.2", answer)` gives feedback on an exercise.
- `reveal(f)` shows the source of a function where it is taught.
- `progress`, `progress_bar` show that a long cell is alive, and leave no trace.
"""

import contextlib
import inspect
import json
import logging
import math
import os
import sys

SEEDS_APART = 1000  # DL_COURSE_SEED=1 moves every seed by this much: no two runs share one


class ClaimError(AssertionError):
    """A claim of the course does not hold."""


# ---------------------------------------------------------------- seeds


def seed(n=0):
    """Seed Python, NumPy and Keras; return the number used.

    Args:
        n: the experiment's own seed, an integer ≥ 0. The number used is
            `n + 1000 * DL_COURSE_SEED` (environment variable, 0 if unset).

    On a GPU it also asks for deterministic kernels and full float32 precision.
    Raises ValueError for a negative `n`, RuntimeError if `DL_COURSE_REQUIRE_GPU=1`
    is set and there is no GPU.
    """
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"n: expected an integer ≥ 0, got {n!r}")
    number = n + SEEDS_APART * _seed_shift()
    keras = _import_keras()
    if keras.backend.backend() == "tensorflow":
        _prepare_gpu()
    keras.utils.set_random_seed(number)
    return number


def _seed_shift():
    text = os.environ.get("DL_COURSE_SEED", "0")
    if not text.isdecimal():
        raise ValueError(f"DL_COURSE_SEED: expected an integer ≥ 0, got {text!r}")
    return int(text)


def _import_keras():
    """Import Keras without TensorFlow's log lines and advice (errors still show)."""
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            with _no_c_stderr():
                import keras
        except (ImportError, ValueError) as error:
            name = os.environ.get("KERAS_BACKEND", "that of ~/.keras/keras.json")
            raise ImportError(
                f"Keras cannot start with the backend {name}: {error}. Set "
                "KERAS_BACKEND=tensorflow before the kernel starts, or use `make lab`."
            ) from error
        _check_settings(keras)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return sys.modules["keras"]


def _check_settings(keras):
    """Say what a learner's own Keras settings (~/.keras/keras.json) would change."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        _print(
            f"Keras runs on {backend} here, with which the course was not tested: set "
            "KERAS_BACKEND=tensorflow before the kernel starts."
        )
    if keras.config.image_data_format() != "channels_last":
        keras.config.set_image_data_format("channels_last")
        _print("Keras was set to channels_first: for this notebook it is channels_last.")
    if keras.config.floatx() != "float32":
        keras.config.set_floatx("float32")
        _print("Keras was set to another precision: for this notebook it is float32.")


@contextlib.contextmanager
def _no_c_stderr():
    """Send file descriptor 2 to nowhere: TensorFlow logs there before it reads settings."""
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all, e.g. pythonw
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _prepare_gpu():
    """Repeatable float32 results and shared memory on a GPU; nothing to do on a CPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        if os.environ.get("DL_COURSE_REQUIRE_GPU") == "1":
            raise RuntimeError("DL_COURSE_REQUIRE_GPU=1 is set, but TensorFlow sees no GPU")
        return
    with contextlib.suppress(RuntimeError):  # the GPU is already in use: settings stay
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.experimental.enable_op_determinism()


# ---------------------------------------------------------------- claims and reports


def claim(name, value, *, at_least=None, at_most=None, equals=None, tolerance=None):
    """State a fact about a measured value, and check it.

    Args:
        name: what is claimed, in words.
        value: a number, or a bool (which needs no bound).
        at_least, at_most: the interval that the number must lie in; one side is enough.
        equals, tolerance: the number must lie within `equals ± tolerance`.

    Prints one line, such as `✓ CNN test accuracy 0.9912, claimed ≥ 0.99`, or with ✗ if the
    value lies outside (or is NaN). So you can change a number and go on. Where the course
    is tested (`DL_COURSE_STRICT=1`) a claim that fails raises ClaimError instead. If
    `DL_COURSE_CLAIMS` names a file, it gets a line of JSON: name, value, bounds, held.

    Raises ValueError if no bound is given.
    """
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's bool too
        if (at_least, at_most, equals, tolerance) != (None,) * 4:
            raise ValueError(
                f"value: expected a number when a bound is given, got {value!r}"
            )
        value, low, high, held = bool(value), None, None, bool(value)
        line = name if held else f"{name}: claimed, but not so"
    else:
        value = float(value)
        low, high, words = _interval(at_least, at_most, equals, tolerance)
        held = bool(low <= value <= high)  # NaN is outside
        line = f"{name} {_short(value)}, claimed {words}"
    _record(name, value, low, high, held)
    line = f"{'✓' if held else '✗'} {line}"
    if not held and os.environ.get("DL_COURSE_STRICT") == "1":
        raise ClaimError(line)
    _print(line)


def report(name, *values):
    """Print measured numbers under a name, such as `→ test accuracy: 0.9912`.

    Args:
        name: what was measured, in words, without a colon.
        values: numbers or arrays of them; floats are shown with four digits.

    The numbers differ a little between machines. Tests know these lines and compare the
    name alone: what must hold about the numbers is claimed.
    """
    if ":" in name:
        raise ValueError(f"name: expected words without a colon, got {name!r}")
    if not values:
        raise ValueError("values: expected at least one number, got none")
    shown = [_short(number) for value in values for number in _flat(value)]
    _print(f"→ {name}: {', '.join(shown)}")


def _flat(value):
    if hasattr(value, "numpy"):  # a tensor
        value = value.numpy()
    if hasattr(value, "tolist"):  # an array, or NumPy's own number
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [number for one in value for number in _flat(one)]
    return [value]


def _print(line):
    """Print, and do without the signs where the terminal has none for them."""
    try:
        print(line)
    except UnicodeEncodeError:
        print(line.encode("ascii", "replace").decode())


def _record(name, value, low, high, held):
    path = os.environ.get("DL_COURSE_CLAIMS")
    if not path:
        return
    bounds = [None if b is None or math.isinf(b) else float(b) for b in (low, high)]
    number = value if isinstance(value, bool) or math.isfinite(value) else str(value)
    row = {"name": name, "value": number, "at_least": bounds[0], "at_most": bounds[1]}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps({**row, "held": held}, ensure_ascii=False) + "\n")


def _interval(at_least, at_most, equals, tolerance):
    if equals is not None:
        if at_least is not None or at_most is not None:
            raise ValueError(
                "equals: give either equals and tolerance, or at_least/at_most"
            )
        if tolerance is None or not tolerance >= 0:
            raise ValueError(
                f"tolerance: expected a number ≥ 0 beside equals, got {tolerance!r}"
            )
        return equals - tolerance, equals + tolerance, f"{equals:g} ± {tolerance:g}"
    if tolerance is not None:
        raise ValueError("tolerance: only goes with equals")
    if at_least is None and at_most is None:
        raise ValueError("at_least, at_most, equals: expected at least one of them")
    if at_most is None:
        return at_least, math.inf, f"≥ {at_least:g}"
    if at_least is None:
        return -math.inf, at_most, f"≤ {at_most:g}"
    if at_least > at_most:
        raise ValueError(
            f"at_least: expected a value ≤ at_most = {at_most:g}, got {at_least:g}"
        )
    return at_least, at_most, f"{at_least:g} to {at_most:g}"


def _short(value):
    if isinstance(value, int | str):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1e-2 or abs(value) >= 1 else f"{value:.4f}"


# ---------------------------------------------------------------- exercises


def check(key, answer, *, seed=None, solution=False):
    """Say whether an exercise is solved: correct, not done yet, or what seems wrong.

    Args:
        key: chapter and number, such as `"01.2"`.
        answer: your function or value.
        seed: draws the inputs of an earlier verdict again; by default they are fresh.
        solution: whether `answer` is the course's own, so that the verdict says so.

    A wrong answer is no error: it prints a hint and returns. A right one of yours is
    remembered where `make lab` asks for it. Raises ValueError for an unknown key or a seed
    that is no integer ≥ 0.
    """
    from dl_course import exercises
    from dl_course.exercises import solved

    whose = ", our solution" if solution else ""
    verdict = exercises.verdict(key, answer, seed)
    print(f"Exercise {key}{whose}: {verdict}")
    if verdict == exercises.CORRECT and not solution:
        solved.remember(key)


# ---------------------------------------------------------------- sources and progress


def reveal(*things):
    """Show the source of functions, classes or modules, highlighted, where it is taught."""
    from IPython.display import Markdown, display

    for thing in things:
        try:
            source = inspect.getsource(thing)
        except (TypeError, OSError):
            raise ValueError(
                f"reveal: expected something written in Python, got {thing!r}"
            ) from None
        display(Markdown(f"```python\n{source.rstrip()}\n```"))


def _quiet():
    return os.environ.get("DL_COURSE_QUIET") == "1" or not sys.stdout


def progress(iterable, label=""):
    """Pass `iterable` through, with a progress bar that vanishes at the end.

    Silent where notebooks are stored or tested (`DL_COURSE_QUIET=1`).
    """
    if _quiet():
        return iterable
    from tqdm import tqdm

    return tqdm(iterable, desc=label, leave=False)


def progress_bar(label=""):
    """The same as a Keras callback: `fit(..., callbacks=[progress_bar("CNN")])`."""
    keras = _import_keras()

    class ProgressBar(keras.callbacks.Callback):
        bar = None

        def on_train_begin(self, logs=None):
            if not _quiet():
                from tqdm import tqdm

                steps = (self.params["steps"] or 0) * self.params["epochs"]
                self.bar = tqdm(total=steps or None, desc=label, leave=False)

        def on_train_batch_end(self, batch, logs=None):
            if self.bar:
                self.bar.update(1)

        def on_train_end(self, logs=None):
            if self.bar:
                self.bar.close()

    return ProgressBar()
