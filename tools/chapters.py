"""A chapter's source is a Python file: read its definitions out, and write its module.

    from tools.chapters import definitions
    definitions("11a").k_means        a function of chapter 11a, for tests and benchmarks

    python -m tools.chapters          writes dl_course/<module>.py: cells tagged `export`

`definitions` compiles what a name needs (imports, functions, classes, constants) and runs
no experiment. A constant is a name of two or more capital letters, assigned once.
"""

import ast
import re
import subprocess
import sys
from functools import cache

from tools import notebooks
from tools.files import write_atomically

MARK = re.compile(r"# %%(?: \[(?P<kind>\w+)\])?(?: tags=(?P<tags>\[.*\]))?\s*$")
LEFT_OUT = {"exercise", "solution", "raises-exception"}
IMPORT = ast.Import | ast.ImportFrom


class ChapterError(ValueError):
    """A chapter's source is not as it must be; the message names file and line."""


def binds(node):
    """Names that a top-level statement binds if it imports, defines or sets a constant."""
    if isinstance(node, IMPORT):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        names = [n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        return [name for name in names if name.isupper() and len(name) > 1]
    return []


def only(node, name):
    """The import statement that binds this one name of an import statement."""
    names = [a for a in node.names if (a.asname or a.name).partition(".")[0] == name]
    if isinstance(node, ast.ImportFrom):
        return ast.ImportFrom(node.module, names, node.level)
    return ast.Import(names)


def reads(node):
    """Names that a statement reads, in any of its parts."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


class Source:
    """The source of a chapter, taken apart.

    path, lines: the file and its text. cells: (first line, last line, tags) of its code
    cells. names: {name: (statement, tags of its cell)}; tags are ["import"] for imports.
    """

    def __init__(self, path):
        self.path = path
        self.lines = path.read_text("utf-8").splitlines()
        self.cells = list(self._cells())
        self.names = {
            name: (node, ["import"])
            for node in ast.parse(set_up_imports()).body
            for name in binds(node)
        }
        for node in ast.parse("\n".join(self.lines)).body:
            tags = next(t for a, b, t in self.cells if a <= node.lineno <= b)
            if not LEFT_OUT & set(tags):
                self._add(node, tags)

    def _cells(self):
        marks = [i for i, line in enumerate(self.lines, 1) if line.startswith("# %%")]
        for start, stop in zip(marks, [*marks[1:], len(self.lines) + 1], strict=True):
            mark = MARK.match(self.lines[start - 1])
            if mark is None:
                raise ChapterError(f"{self.path.name}:{start}: a mark that is not read")
            if mark["kind"] is None:
                yield start, stop - 1, ast.literal_eval(mark["tags"] or "[]")

    def _add(self, node, tags):
        for name in binds(node):
            first, kind = self.names.get(name, (None, None))
            if isinstance(node, IMPORT):
                if first is not None and kind == ["import"]:
                    continue
                tags = ["import"]
            if first is not None:
                raise ChapterError(
                    f"{self.path.name}:{node.lineno}: {name} is defined a second time "
                    f"(first in line {first.lineno}): tests could not tell which is meant"
                )
            self.names[name] = (node, tags)

    def exported(self):
        """The texts of the cells tagged `export`, in order."""
        return [
            "\n".join(self.lines[a:b]).strip()
            for a, b, tags in self.cells
            if "export" in tags
        ]


def set_up_imports():
    """The imports of every chapter's set-up cell."""
    return "\n".join(re.findall(r"^(?:import|from) .+$", notebooks.SET_UP, re.MULTILINE))


@cache
def source_of(path, changed):  # `changed`: the file's time, so that an edit is seen
    return Source(path)


def source(number):
    """The Source of a chapter by its number, such as "05b"."""
    (chapter,) = notebooks.chapters_named([number])
    path = notebooks.source_path(chapter)
    return source_of(path, path.stat().st_mtime_ns)


# ---------------------------------------------------------------- definitions


class Definitions:
    """The definitions of a chapter as attributes, each compiled with what it needs."""

    def __init__(self, number):
        self._number, self._space = number, {"__name__": f"chapter_{number}"}

    def __getattr__(self, name):
        if name.startswith("__"):  # asked by Python itself, not by a test
            raise AttributeError(name)
        if name not in self._space:
            chapter = source(self._number)
            if name not in chapter.names:
                raise AttributeError(f"chapter {self._number} defines no {name!r}")
            needed, todo = {}, [name]
            while todo:
                one = todo.pop()
                if one in chapter.names and one not in needed and one not in self._space:
                    needed[one] = chapter.names[one][0]
                    todo += reads(needed[one])
            nodes = sorted(
                set(needed.values()),
                key=lambda n: (not isinstance(n, IMPORT), n.lineno, n.col_offset),
            )
            code = compile(ast.Module(nodes, []), chapter.path, "exec")
            exec(code, self._space)
        return self._space[name]


@cache
def definitions(number):
    """The definitions of chapter `number` as attributes: `definitions("11a").k_means`.

    Tracebacks point into the chapter's source. AttributeError for a name that the chapter
    does not define at the top level of a cell (exercises and solutions do not count).
    """
    return Definitions(number)


# ---------------------------------------------------------------- modules


def module_text(chapter):
    """The text of dl_course/<module>.py: a chapter's export cells, and their imports.

    None if the chapter exports nothing. Raises ChapterError if an export cell holds more
    than definitions, or reads a name that no export cell and no import gives.
    """
    made = source(chapter["number"])
    bodies = made.exported()
    if not bodies:
        return None
    where = made.path.name
    tree = ast.parse("\n\n\n".join(bodies))
    for node in tree.body:
        if not binds(node) or isinstance(node, IMPORT):
            raise ChapterError(
                f"{where}: an export cell holds definitions only, not "
                f"{ast.unparse(node)[:60]!r}"
            )
    own = {name for node in tree.body for name in binds(node)}
    imports = set()
    for name in sorted(reads(tree) - own):
        node, tags = made.names.get(name, (None, []))
        if tags == ["import"]:
            imports.add(ast.unparse(only(node, name)))
        elif node is not None:
            raise ChapterError(
                f"{where}: an export cell reads {name}, which no export cell defines"
            )
    first = f'"""{chapter["title"]}. {notebooks.MADE}{where}: edit there."""'
    first += "  # noqa: E501" * (len(first) > 92)
    text = "\n".join(
        [
            f"{first}\n",
            *sorted(imports),
            "",
            "",
            "\n\n\n".join(bodies),
            "",
        ]
    )
    for command in (
        ["check", "-q", "--select", "I,F401", "--fix", "-"],
        ["format", "-q", "-"],
    ):
        text = ruff(command, text, f"dl_course/{chapter['module']}.py")
    undefined = ["check", "-q", "--select", "F821", "--output-format", "concise", "-"]
    ruff(undefined, text, f"dl_course/{chapter['module']}.py")
    return text


def ruff(command, text, name):
    run = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", name],
        input=text,
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=notebooks.ROOT,
    )
    if run.returncode:
        raise ChapterError(f"{name}: {run.stdout}{run.stderr}")
    return run.stdout


def write_modules():
    """Write the module of each chapter that exports; return the names that changed."""
    changed = []
    for chapter in notebooks.manifest()[1]:
        text = module_text(chapter)
        if text is not None:
            target = notebooks.PACKAGE / f"{chapter['module']}.py"
            if not target.exists() or target.read_text("utf-8") != text:
                write_atomically(target, text)
                changed.append(target.name)
    return changed


if __name__ == "__main__":
    try:
        names = write_modules()
    except ChapterError as error:
        sys.exit(str(error))
    print(f"dl_course: {', '.join(names) + ' written' if names else 'up to date'}")
