"""What kernels see: the course's settings of Keras, not those of the user's other work."""

import os
from contextlib import suppress
from pathlib import Path

from tools.files import make_folder, read_json

KERAS = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
SHORTENED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")  # for debugging elsewhere


def use_course_keras(folder, backend="tensorflow"):
    """Make kernels that start from now on use Keras as the course does.

    Args:
        folder: where to keep Keras' own folder, `keras`, if the user's keras.json asks
            for anything but KERAS. Its downloads, `datasets`, stay shared with the user's.
        backend: "tensorflow" or "jax".

    Prints a sentence for each setting that is set aside; changes no file of the user's.
    """
    asked = os.environ.get("KERAS_BACKEND") or backend
    if asked != backend:
        print(f"KERAS_BACKEND={asked} is set aside: the course runs on {backend}.")
    os.environ["KERAS_BACKEND"] = backend
    for name in SHORTENED:
        if os.environ.pop(name, None):
            print(f"{name} is set aside: the course trains to the end.")
    home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    config = read_json(home / "keras.json", {})
    foreign = [
        f"{key}: {config[key]}"
        for key in KERAS
        if config.get(key, KERAS[key]) != KERAS[key]
    ]
    if not foreign:
        return
    own = Path(folder) / "keras"
    print(f"{home / 'keras.json'} ({', '.join(foreign)}) is set aside: see {own}.")
    make_folder(own)
    make_folder(home / "datasets")
    with suppress(OSError):  # there already, or a system without links: download again
        (own / "datasets").symlink_to(home / "datasets", target_is_directory=True)
    os.environ["KERAS_HOME"] = str(own)


def seed_shift():
    """DL_COURSE_SEED as a number ≥ 0; SystemExit with one sentence if it is none."""
    text = os.environ.get("DL_COURSE_SEED") or "0"
    if not text.isdecimal():
        raise SystemExit(f"DL_COURSE_SEED: expected an integer ≥ 0, got {text!r}")
    return int(text)
