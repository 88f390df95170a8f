"""Nothing points to a name, of a package or a repository, that is not the course's."""

import re
import subprocess
import sys
import tarfile
import tomllib

import pytest

from tools import notebooks

ROOT = notebooks.ROOT
BINARY = {".xz", ".npz", ".webp", ".png", ".woff"}
OWNED = notebooks.manifest()[0].get("repository", "")  # empty until somebody publishes
FOREIGN = "dl-" + "course"  # a package of another course on PyPI
# What runs code of a repository in a reader's session: to install from, or to open there.
RUNS = re.compile(
    r"(?:git\+(?:https|ssh|git)://(?:\w+@)?github\.com"
    r"|pip3?\s+install[^\n]*github\.com|git\s+clone[^\n]*github\.com"
    r"|colab\.research\.google\.com/github|mybinder\.org/v2/gh)"
    r"[/:]([\w.{}$-]+/[\w.{}$-]+)"
)
INSTALLS = re.compile(
    rf"\binstall(?:ing)?\b(?: +-\S+)* +{FOREIGN}(?![/\w])"
    r"|\bpip3? +install\b[^\n]*?(?<![/\w])dl_course(?![/\w])",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def tracked():
    """(name, text) of all text files that git tracks."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if run.returncode:
        pytest.skip("not a git checkout")
    names = run.stdout.decode("utf-8").rstrip("\0").split("\0")
    paths = [ROOT / name for name in names if (ROOT / name).is_file()]
    return [
        (path.relative_to(ROOT), path.read_text("utf-8"))
        for path in paths
        if path.suffix not in BINARY
    ]


def addresses(text):
    """The repositories that a text installs from or opens; {name} in f-strings passes."""
    found = [name.removesuffix(".git").rstrip(".") for name in RUNS.findall(text)]
    return [name for name in found if "{" not in name and "$" not in name]


def test_no_line_installs_from_or_opens_a_repository_that_is_not_ours(tracked):
    for path, text in tracked:
        if path.name == "test_names.py":
            continue
        for name in addresses(text):
            assert OWNED and f"{name}/".startswith(f"{OWNED}/"), f"{path}: {name}"


def test_no_line_advises_a_package_that_is_not_ours(tracked):
    for path, text in tracked:
        assert not INSTALLS.search(text), path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('%pip install -q "git+https://github.com/some/one@main"', ["some/one"]),
        ("pip install https://github.com/some/one/archive/main.zip", ["some/one"]),
        ("git clone https://github.com/some/one.git", ["some/one"]),
        ("git clone git@github.com:some/one.git", ["some/one"]),
        ("https://colab.research.google.com/github/some/one/blob/main/x", ["some/one"]),
        ("https://mybinder.org/v2/gh/some/one/HEAD", ["some/one"]),
        ('f"git+https://github.com/{repository}@{tag}"', []),
        ("the source is https://github.com/some/one", []),
    ],
)
def test_such_lines_are_found(text, names):
    assert addresses(text) == names


@pytest.mark.parametrize(
    "verb", ["pip install {}", "install {} again", "pip install -U {}"]
)
def test_such_advice_is_found(verb):
    assert INSTALLS.search(verb.format(FOREIGN))


def test_the_distribution_has_a_name_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "deep-learning-cannot-rot"


def test_the_source_distribution_has_all_that_its_tests_need(tracked, tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("deep_learning_cannot_rot-*.tar.gz")
    with tarfile.open(archive) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert {path.as_posix() for path, _ in tracked} <= inside
