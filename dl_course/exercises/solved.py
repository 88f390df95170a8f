"""What a learner has solved: a text file with one line for each exercise.

`make lab` names the file in the variable DL_COURSE_SOLVED; elsewhere nothing is written.
A line is key, title and date, with a tab between; lines that are damaged are left alone.
"""

import datetime
import json
import os
import re
from pathlib import Path

NAME = "solved.txt"
LINE = re.compile(r"(\d\d[a-z]?\.\d+)\t([^\t]*)\t(\d{4}-\d\d-\d\d)")


def remember(key):
    """Add exercise `key` to the file in DL_COURSE_SOLVED, unless it stands there.

    Prints a sentence if the file cannot be written: an answer stays right without it.
    """
    path = os.environ.get("DL_COURSE_SOLVED")
    if not path:
        return
    path = Path(path).expanduser()
    title = title_of(key, path.parent)
    try:
        known = read(path)
        if key in known and title in ("", known[key][0]):
            return
        append(path, f"{key}\t{title}\t{datetime.date.today()}\n")
    except OSError as error:
        print(f"(It could not be noted in {path}: {error.strerror}.)")


def read(path):
    """{key: (title, date)} of a file of solved exercises; {} if there is none.

    Of two lines for one key the later counts. Damaged lines do not count. Raises OSError
    if the file is there and cannot be read.
    """
    try:
        lines = Path(path).read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    found = (LINE.fullmatch(line.strip()) for line in lines)
    return {match[1]: (match[2], match[3]) for match in found if match}


def append(path, line):
    """Add a line in one write, so that two kernels cannot lose each other's."""
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end:  # a line that was cut off, or written in an editor, stays by itself
            file.seek(end - 1)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode("utf-8"))
        os.fsync(file.fileno())


def title_of(key, folder):
    """The title of an exercise, from the chapter's notebook in `folder`; "" without one."""
    heading = re.compile(rf"^### Exercise {re.escape(key)}: (.+)$", re.MULTILINE)
    for path in sorted(folder.glob(f"{key.partition('.')[0]}_*.ipynb")):
        try:
            cells = json.loads(path.read_text("utf-8"))["cells"]
            found = heading.search("\n".join("".join(cell["source"]) for cell in cells))
        except (OSError, ValueError, KeyError, TypeError):  # damaged: go on without it
            continue
        if found:
            return " ".join(found[1].split())
    return ""
