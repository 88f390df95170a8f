"""Find, check and describe the embedded files."""

import hashlib
import lzma
import os
import textwrap
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
RESTORE_ELSEWHERE = "start a new session and run the notebook's set-up cell"


def home():
    """The folder of the embedded files: data/ in a checkout, _data in a wheel."""
    folders = PACKAGE.parent / "data", PACKAGE / "_data"
    for folder in folders:
        if (folder / "manifest.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"manifest.toml, the list of all data sets, is neither in {folders[0]} nor in "
        f"{folders[1]}. In a checkout, `git checkout -- data` restores it; elsewhere, "
        f"{RESTORE_ELSEWHERE}."
    )


def manifest():
    """{name of a data set: its card and files}, from manifest.toml.

    Raises ValueError if the file is damaged, OSError if it cannot be read.
    """
    path = home() / "manifest.toml"
    try:
        return tomllib.loads(_read(path).decode("utf-8"))
    except ValueError as error:  # not UTF-8, or no TOML
        raise _damaged(path, error) from None


def read_bytes(name):
    """The content of embedded file `name`, from $DL_COURSE_DATA if it is there.

    Raises FileNotFoundError if it is nowhere, OSError if it cannot be read, ValueError
    if its SHA-256 is wrong.
    """
    folder, own = home(), own_folder()
    folders = [own, folder] if own else [folder]
    files = [file for entry in manifest().values() for file in entry.get("files", [])]
    file = next((file for file in files if file["name"] == name), None)
    if file is None:  # cut between two entries it is still TOML
        raise _damaged(folder / "manifest.toml", f"it does not list {name}")
    expected = f"expected {file['bytes']} bytes with SHA-256 {file['sha256']}"

    path = next((f / name for f in folders if (f / name).is_file()), None)
    if path is None:
        places = " and ".join(map(str, folders))
        raise FileNotFoundError(
            f"{name} is not in {places}: {expected}. To restore: {_restore(folder / name)}."
        )
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != file["sha256"]:
        restore = _restore(path)
        if path.parent != folder:
            restore = f"delete this file, or copy {name} from {folder}"
        raise ValueError(
            f"{path} is damaged: {expected}, got {len(content)} bytes with SHA-256 "
            f"{digest}. To restore: {restore}."
        )
    return content


def own_folder():
    """The learner's folder of data files, $DL_COURSE_DATA; None if it is not set.

    Raises FileNotFoundError if it names no folder.
    """
    own = os.environ.get("DL_COURSE_DATA")
    if not own:
        return None
    if not Path(own).is_dir():
        raise FileNotFoundError(
            f"DL_COURSE_DATA: expected a folder, got {own!r}, which is none. Make it, or "
            "unset this environment variable: the course brings its own data."
        )
    return Path(own)


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise type(error)(
            f"{path} cannot be read: {error.strerror}. Do you have the right to read it?"
        ) from None


def _damaged(manifest, why):
    restore = f"To restore: {_restore(manifest)}."
    return ValueError(f"{manifest} is damaged ({why}). {restore}")


def _restore(path):
    if path.parent.name == "data":
        return f"run `git checkout -- data/{path.name}`"
    return RESTORE_ELSEWHERE


def read_text(name):
    """An embedded text file, unpacked if its name ends in .xz."""
    content = read_bytes(name)
    if name.endswith(".xz"):
        content = lzma.decompress(content)
    return content.decode("utf-8")


def read_rows(name, separator="\t"):
    """An embedded table as a list of rows, each a list of strings."""
    return [line.split(separator) for line in read_text(name).split("\n") if line]


def names():
    """The names of all data sets, as `card` takes them."""
    return list(manifest())


def card(name):
    """The card of data set `name`, one of `names()`: Markdown text to print.

    Raises ValueError for an unknown name.
    """
    sets = manifest()
    if name not in sets:
        raise ValueError(f"name: expected one of {', '.join(sets)}, got {name!r}")
    entry = sets[name]
    lines = []
    for field in ("rows", "license", "attribution", "source", "citation", "defects"):
        if field in entry:
            lines.append(f"- {field.capitalize()}: {entry[field]}")
    if entry["notices"]:
        links = ", ".join(f"[{text}](licenses/{text})" for text in entry["notices"])
        lines.append(f"- License texts: {links}")
    for file in entry.get("files", []):
        size, digest = f"{file['bytes']:,} bytes", file["sha256"]
        lines.append(f"- `{file['name']}`: {size}, SHA-256 `{digest}`")
    wrap = textwrap.TextWrapper(88, break_long_words=False, break_on_hyphens=False)
    head = f"## {entry['title']}\n\n`data.{entry['loader']}`\n\n"
    what = wrap.fill(entry["what"])
    wrap.subsequent_indent = "  "
    return head + what + "\n\n" + "\n".join(map(wrap.fill, lines)) + "\n"
