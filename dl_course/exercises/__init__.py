"""The checks behind `check("01.2", answer)`: one file for each chapter.

A check is a function `check(answer, rng)`. It takes the learner's answer, draws its inputs
from `rng`, returns None if the answer is right, and raises `Wrong("what seems to be the
mistake")` or `NotDone` otherwise. It tests properties and reference values, and tolerates
every right answer.

A hint never outranks correctness: `compare` tests the right value first, and looks for
the mistake only if that failed.
"""

import _thread
import contextlib
import copy
import importlib
import inspect
import numbers as number_types
import pkgutil
import random
import threading
import warnings

import numpy as np

TIME_LIMIT = 20.0  # seconds for one verdict, where a right answer takes less than one
CORRECT = "correct."  # the verdict on a right answer
SEEDS = 10_000  # seeds are drawn below this number: short enough to type


class Wrong(AssertionError):
    """The answer is wrong; the message names the likely mistake."""


class NotDone(Exception):
    """The exercise has not been started."""


# ---------------------------------------------------------------- a verdict


def verdict(key, answer, seed=None):
    """A sentence or two on `answer` to exercise `key`.

    Args:
        key: chapter and number, such as "01.2".
        answer: a function or a value.
        seed: an integer ≥ 0 draws the inputs of an earlier verdict again; by default they
            are fresh. A wrong verdict on drawn inputs names its seed.

    While it runs, Python's and NumPy's global generators are seeded, too. Their states,
    NumPy's error settings and the filters of warnings are afterwards what they were.
    Raises ValueError for an unknown key or a wrong seed.
    """
    check = find(key)
    if seed is None:
        seed = int(np.random.default_rng().integers(SEEDS))
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected an integer from 0 to 2³² - 1, got {seed!r}")
    rng = np.random.default_rng(seed)
    untouched = rng.bit_generator.state
    try:
        if is_missing(answer):
            raise NotDone
        with seeded(int(seed)), unchanged_settings(all="ignore"), time_limit(TIME_LIMIT):
            check(answer, rng)
    except NotDone:
        return "not done yet."
    except Wrong as error:
        mistake = str(error)
    except Exception as error:  # an answer so odd that the check stumbled over it
        mistake = f"It could not be checked: {type(error).__name__}: {error}"
    else:
        return CORRECT
    if rng.bit_generator.state != untouched:
        mistake += (
            f'\nInputs drawn with seed {seed}: check("{key}", answer, seed={seed}) draws '
            "them again."
        )
    return f"not right yet. {mistake}"


def chapters():
    """The numbers of the chapters that have checks, in order: "01", "02", ..."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(n.removeprefix("chapter_") for n in names if n.startswith("chapter_"))


def find(key):
    """The check of exercise `key`, such as "01.2"; ValueError if there is none."""
    chapter = str(key).partition(".")[0]
    if chapter not in chapters():
        raise ValueError(
            f"key: expected a chapter out of {', '.join(chapters())}, got {key!r}"
        )
    checks = importlib.import_module(f"{__name__}.chapter_{chapter}").CHECKS
    if key not in checks:
        raise ValueError(f"key: expected one of {', '.join(checks)}, got {key!r}")
    return checks[key]


def is_missing(answer):
    return answer is None or answer is Ellipsis


# ---------------------------------------------------------------- calling an answer


def call(function, *args, **kwargs):
    """What the learner's function returns for copies of the arguments.

    Raises NotDone if it raises NotImplementedError, as a stub does, and Wrong if it raises
    anything else, returns None, or changes an argument.
    """
    if not callable(function):
        raise Wrong(f"A function is expected, but this is a {type(function).__name__}.")
    given, named = copy.deepcopy((args, kwargs))
    try:
        with unchanged_settings():
            result = function(*given, **named)
    except NotImplementedError:
        raise NotDone from None
    except Wrong:  # of a function that the check handed in
        raise
    except (Exception, SystemExit) as error:
        raise Wrong(f"Your function raised {type(error).__name__}: {error}") from error
    before, after = [*args, *kwargs.values()], [*given, *named.values()]
    for number, pair in enumerate(zip(before, after, strict=True)):
        if not alike(*pair):
            name = argument_name(function, number, list(kwargs), len(args))
            raise Wrong(f"Your function changed its input {name}: work on a copy.")
    if is_missing(result):
        raise Wrong("Your function returned None: is `return` missing?")
    return result


def argument_name(function, number, keywords, positional):
    """How the function calls the argument with this number; keywords stand last."""
    if number >= positional:
        return keywords[number - positional]
    with contextlib.suppress(TypeError, ValueError):  # a built-in may have no signature
        parameters = list(inspect.signature(function).parameters.values())
        if number < len(parameters) and parameters[number].kind in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            return parameters[number].name
    return f"number {number + 1}"


def alike(a, b, seen=()):
    """True unless `b`, once a deep copy of `a`, has been changed. NaN equals itself.

    Looks into arrays, tables, lists, tuples, sets, dicts, and the public attributes of
    objects. What changes by being used (a generator of random numbers) may have changed.
    """
    if a is b or id(a) in seen:
        return True
    if type(a) is not type(b):
        return False
    seen = (*seen, id(a))
    if isinstance(a, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.hasobject:
            return alike(a.tolist(), b.tolist(), seen)
        return a.tobytes() == b.tobytes()
    if isinstance(a, number_types.Number):
        return bool(a == b or (a != a and b != b))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(
            alike(x, y, seen) for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key], seen) for key in a)
    if isinstance(a, set | frozenset | str | bytes | bytearray):
        return a == b
    if hasattr(a, "__array__"):  # a tensor, a variable, a table
        return alike(np.asarray(a), np.asarray(b), seen)
    public = [name for name in getattr(a, "__dict__", ()) if not name.startswith("_")]
    theirs = getattr(b, "__dict__", {})
    return all(
        name in theirs and alike(vars(a)[name], theirs[name], seen) for name in public
    )


@contextlib.contextmanager
def unchanged_settings(**settings):
    """NumPy's error settings and the filters of warnings end with the block."""
    with warnings.catch_warnings(), np.errstate(**settings):
        yield


@contextlib.contextmanager
def seeded(seed):
    """Seed Python's and NumPy's global generators, and give them their states back.

    Keras takes the seeds of its layers from Python's generator.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002


@contextlib.contextmanager
def time_limit(seconds):
    """Raise Wrong in the main thread once so many seconds have passed.

    A second thread interrupts the block as Ctrl-C would, again and again in case that the
    block catches it, but never after its end. A Ctrl-C of the learner stays one. There is
    no limit outside of the main thread, which alone can be interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ended, rang, lock = threading.Event(), threading.Event(), threading.Lock()

    def ring():
        waited = ended.wait(seconds)
        while not waited:
            with lock:
                if ended.is_set():
                    return
                rang.set()
                _thread.interrupt_main()
            waited = ended.wait(1.0)

    clock = threading.Thread(target=ring, daemon=True)
    try:
        clock.start()
        try:
            yield
        finally:
            with lock:  # an interrupt is either sent by now, or never
                ended.set()
            clock.join()
            for _ in range(1000 if rang.is_set() else 0):  # let it arrive in this block
                pass
    except KeyboardInterrupt:
        with lock:
            ended.set()
        if not rang.is_set():
            raise
    if rang.is_set():
        raise Wrong(
            f"It took longer than {seconds:g} s and was stopped: is there a loop that "
            "never ends?"
        )


# ---------------------------------------------------------------- judging a value


def expect(condition, message):
    """Raise Wrong(message) unless the condition holds, as it does for right answers."""
    if not condition:
        raise Wrong(message)


def compare(got, right, mistakes, otherwise, tolerance=1e-6):
    """Raise Wrong unless `got` is `right`; only then look for the mistake.

    Args:
        got: what the learner's function returned.
        right: the number or array that it should be.
        mistakes: {message: what the mistake gives}, the likeliest first. A bool stands for
            a condition instead: True says that this mistake was made.
        otherwise: the message if none of them fits.
        tolerance: as in `same`, for the right value and for mistakes.
    """
    if same(got, right, tolerance):
        return
    got = numbers(got, "The result")
    for message, sign in mistakes.items():
        made = sign if isinstance(sign, bool | np.bool_) else same(got, sign, tolerance)
        if made:
            raise Wrong(message)
    if got.shape != np.shape(right):
        raise Wrong(wrong_shape("The result", np.shape(right), got.shape))
    raise Wrong(otherwise)


def same(actual, expected, tolerance=1e-6):
    """True if both have one shape and values within `tolerance`, absolute and relative.

    For single precision the tolerance is at least 1e-5. False for what holds no numbers,
    is ragged, or is not finite where it should be.
    """
    try:
        actual, single = as_floats(actual)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=float)
    tolerance = max(tolerance, 1e-5) if single else tolerance
    return actual.shape == expected.shape and np.allclose(
        actual, expected, rtol=tolerance, atol=tolerance
    )


def numbers(answer, name, shape=None):
    """The answer as a float array, of this shape if one is given, or Wrong.

    Sets become rows of numbers, in any order.
    """
    if isinstance(answer, set | frozenset):
        answer = list(answer)
    try:
        array, _ = as_floats(answer)
    except ValueError:
        raise Wrong(f"{name} should be numbers, in rows of one length.") from None
    except TypeError as error:
        raise Wrong(f"{name} should be numbers, not {error}.") from None
    if shape is not None and array.shape != shape:
        raise Wrong(wrong_shape(name, shape, array.shape))
    return array


def wrong_shape(name, shape, got):
    if shape == ():
        return f"{name} should be one number, not an array of shape {got}."
    return f"{name} should have shape {shape}, not {got}."


def as_floats(thing):
    """(`thing` as a float array, whether it came in single or half precision).

    Takes arrays, tensors, tables and nested lists of real numbers or bools. Raises
    ValueError for ragged lists, TypeError with the name of what came for anything else.
    """
    array = np.asarray(thing)
    if array.dtype == object and all(
        isinstance(value, number_types.Real) for value in array.flat
    ):
        array = array.astype(float)  # fractions, and integers of more than 64 bits
    if array.dtype.kind == "c":
        raise TypeError("complex numbers")
    if array.dtype.kind not in "biuf":
        raise TypeError(type(thing).__name__)
    return array.astype(float), array.dtype.kind == "f" and array.dtype.itemsize <= 4


def parts(answer, count, what):
    """The answer as a list of `count` things, or Wrong: "Return {what}."."""
    if isinstance(answer, np.ndarray) and answer.ndim:
        answer = list(answer)
    expect(isinstance(answer, tuple | list) and len(answer) == count, f"Return {what}.")
    return list(answer)
