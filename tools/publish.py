"""Say where the course is published; until then nothing points anywhere.

    python -m tools.publish owner/name v2.0.0     set-up cells and links lead there
    python -m tools.publish --not                 and nowhere again

The tag must name a version (v2.0.0): a branch moves, and with it what learners would run.
"""

import argparse
import re

from tools import notebooks
from tools.files import write_atomically


def publish(repository, tag):
    """Write repository and tag into notebooks/course.toml, or empty both.

    Raises SystemExit with one sentence, and changes nothing, if they are no such names.
    """
    if repository or tag:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[\w.-]{1,100}", repository):
            raise SystemExit(f"REPO: expected owner/name, got {repository!r}")
        if not re.fullmatch(r"v\d+(\.\w+)*", tag):
            raise SystemExit(f"TAG: expected a version such as v2.0.0, got {tag!r}")
    path = notebooks.NOTEBOOKS / "course.toml"
    text = path.read_text("utf-8")
    for name, value in (("repository", repository), ("tag", tag)):
        text = re.sub(rf'^{name} = ".*"$', f'{name} = "{value}"', text, flags=re.MULTILINE)
    write_atomically(path, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repository", nargs="?", default="", help="owner/name on GitHub")
    parser.add_argument("tag", nargs="?", default="", help="such as v2.0.0")
    parser.add_argument("--not", action="store_true", dest="nowhere")
    options = parser.parse_args()
    if not options.nowhere and not options.repository:
        raise SystemExit("usage: make publish REPO=owner/name TAG=v2.0.0")
    publish(options.repository, options.tag)
    where = f"{options.repository} at {options.tag}" if options.repository else "nowhere"
    print(f"notebooks/course.toml: the course is published {where}. Now `make notebooks`.")


if __name__ == "__main__":
    main()
