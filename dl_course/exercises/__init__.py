"""The checks behind `check("01.2", answer)`: one file a chapter, named as its module.

A check is a function that takes the learner's answer, returns None if it is right, and
raises `Wrong("what seems to be the mistake")` or `NotDone` otherwise. It tests properties
and reference values on fresh random inputs, and tolerates every right answer.
"""

import copy
import importlib

import numpy as np

MODULES = {
    "01": "linear",
    "02": "network",
    "03": "backprop",
    "04": "optimizers",
    "05": "cnn",
    "05b": "vision",
    "06": "rnn",
    "06b": "text_rnn",
    "07": "vae",
    "07b": "latent",
    "08": "gan",
    "08b": "conditional_gan",
    "09": "attention",
    "09b": "transformer",
    "10": "knowledge_graph",
    "10b": "graph_embeddings",
    "11a": "few_labels",
    "11b": "insight",
    "11c": "compression",
    "11d": "privacy",
    "11e": "agents",
    "11f": "scaling",
}


class Wrong(AssertionError):
    """The answer is wrong; the message names the likely mistake."""


class NotDone(Exception):
    """The exercise has not been started."""


def verdict(key, answer):
    """One sentence on `answer` to exercise `key`. Raises ValueError for an unknown key."""
    check = find(key)
    try:
        if is_missing(answer):
            raise NotDone
        check(answer)
    except NotDone:
        return "not done yet."
    except Wrong as mistake:
        return f"not right yet. {mistake}"
    except Exception as error:  # an answer so odd that the check stumbled over it
        return f"not right yet. It could not be checked: {type(error).__name__}: {error}"
    return "correct."


def find(key):
    """The check function of exercise `key`, such as "01.2"."""
    chapter = str(key).partition(".")[0]
    if chapter not in MODULES:
        raise ValueError(
            f"key: expected a chapter out of {', '.join(MODULES)}, got {key!r}"
        )
    checks = importlib.import_module(f"{__name__}.{MODULES[chapter]}").CHECKS
    if key not in checks:
        raise ValueError(f"key: expected one of {', '.join(checks)}, got {key!r}")
    return checks[key]


def is_missing(answer):
    return answer is None or answer is Ellipsis


def call(function, *args, **kwargs):
    """Call the learner's function on copies of the arguments: it cannot change ours."""
    if not callable(function):
        raise Wrong(f"A function is expected, but this is a {type(function).__name__}.")
    try:
        result = function(*copy.deepcopy(args), **copy.deepcopy(kwargs))
    except NotImplementedError:
        raise NotDone from None
    except Exception as error:
        raise Wrong(f"Your function raised {type(error).__name__}: {error}") from error
    if is_missing(result):
        raise NotDone
    return result


def expect(condition, message):
    """Raise Wrong(message) unless the condition holds."""
    if not condition:
        raise Wrong(message)


def same(actual, expected, tolerance=1e-6):
    """True if both have one shape and values within `tolerance`, absolute and relative."""
    try:
        actual = np.asarray(actual, dtype=float)
    except (TypeError, ValueError):
        return False
    expected = np.asarray(expected, dtype=float)
    return actual.shape == expected.shape and np.allclose(
        actual, expected, rtol=tolerance, atol=tolerance
    )


def numbers(answer, name):
    """The answer as a float array, or Wrong."""
    try:
        return np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"{name} should be numbers, not {type(answer).__name__}.") from None
