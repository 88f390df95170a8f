"""Find, check and describe the embedded files."""

import hashlib
import lzma
import os
import textwrap
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def home():
    """The folder of the embedded files: data/ in a checkout, _data in a wheel."""
    folders = PACKAGE.parent / "data", PACKAGE / "_data"
    for folder in folders:
        if (folder / "manifest.toml").is_file():
            return folder
    raise FileNotFoundError(
        f"manifest.toml, the list of all data sets, is neither in {folders[0]} nor in "
        f"{folders[1]}. Run `git checkout -- data` or install dl-course again."
    )


def manifest():
    """{name of a data set: its card and files}, from manifest.toml."""
    return tomllib.loads((home() / "manifest.toml").read_text(encoding="utf-8"))


def read_bytes(name):
    """The content of embedded file `name`, from $DL_COURSE_DATA if it is there.

    Raises FileNotFoundError if it is nowhere, ValueError if its SHA-256 is wrong.
    """
    folder = home()
    own = os.environ.get("DL_COURSE_DATA")
    folders = [Path(own), folder] if own else [folder]
    files = [file for entry in manifest().values() for file in entry.get("files", [])]
    file = next(file for file in files if file["name"] == name)
    expected = f"expected {file['bytes']} bytes with SHA-256 {file['sha256']}"
    restore = "install dl-course again"
    if folder.name == "data":
        restore = f"run `git checkout -- data/{name}`"

    path = next((f / name for f in folders if (f / name).is_file()), None)
    if path is None:
        places = " and ".join(map(str, folders))
        raise FileNotFoundError(
            f"{name} is not in {places}: {expected}. To restore: {restore}."
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != file["sha256"]:
        if path.parent != folder:
            restore = f"delete this file, or copy {name} from {folder}"
        raise ValueError(
            f"{path} is damaged: {expected}, got {len(content)} bytes with SHA-256 "
            f"{digest}. To restore: {restore}."
        )
    return content


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
