"""The CI's own files: lint them, and hold them to pyproject.toml and the Makefile."""

import os
import re
import shutil
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
YAML_STYLE = (
    "{extends: default, rules: {document-start: disable, "
    "line-length: {max: 100}, truthy: {check-keys: false}}}"
)


def read(path):
    return path.read_text(encoding="utf-8")


def jobs():
    """(label, job) of every job in every workflow."""
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(read(path))["jobs"].items():
            yield f"{path.name}: {name}", job


SCHEMA = "--builtin-schema=vendor."
LINTERS = {
    "zizmor": ["zizmor", "--offline", "--quiet", ".github"],
    "yamllint": [
        "yamllint",
        "--strict",
        "-d",
        YAML_STYLE,
        ".github",
        "environment.yml",
    ],
    "workflows": ["check-jsonschema", SCHEMA + "github-workflows", *WORKFLOWS],
    "dependabot": ["check-jsonschema", SCHEMA + "dependabot", ".github/dependabot.yml"],
}


@pytest.mark.parametrize("command", LINTERS.values(), ids=LINTERS)
def test_linter_finds_nothing(command):
    tool = shutil.which(command[0], path=sysconfig.get_path("scripts"))
    if tool is None:
        pytest.skip(f"{command[0]} is not installed beside this Python")
    run = subprocess.run(
        [tool, *command[1:]],
        cwd=ROOT,
        env=os.environ | {"PYTHONUTF8": "1", "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_commits_and_name_their_version(path):
    for use in re.findall(r"uses: *(.+)", read(path)):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", use), use


def test_jobs_have_a_time_limit_and_state_their_permissions():
    for label, job in jobs():
        assert job.get("timeout-minutes", 360) <= 90, label
        assert "permissions" in job, label


def test_matrix_has_every_python_that_pyproject_promises():
    tests = yaml.safe_load(read(ROOT / ".github" / "workflows" / "tests.yml"))
    matrix = tests["jobs"]["cpu"]["strategy"]["matrix"]["python"]
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    promised = SpecifierSet(project["requires-python"])
    assert matrix == [f"3.{n}" for n in range(30) if f"3.{n}" in promised]
    classifier = "Programming Language :: Python :: "
    assert matrix == [
        c.removeprefix(classifier)
        for c in project["classifiers"]
        if c.startswith(classifier + "3.")
    ]


def test_make_targets_of_workflows_exist():
    makefile = ROOT / "Makefile"
    if not makefile.exists():
        pytest.skip("no Makefile here")
    targets = set(re.findall(r"^([a-z][\w-]*) *:(?!=)", read(makefile), re.MULTILINE))
    steps = [step for _, job in jobs() for step in job["steps"]]
    used = {
        target
        for step in steps
        for target in re.findall(r"\bmake ([a-z][\w-]*)", step.get("run", ""))
    }
    assert used and used <= targets
