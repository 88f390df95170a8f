"""The page for teachers says what the manifests say, and its timetables can be held."""

import json
import re
import subprocess
import sys
from itertools import chain
from types import SimpleNamespace

import jsonschema
import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

import dl_course
from dl_course.exercises import solved
from tools import lab, start, teaching
from tools.notebooks import ROOT, manifest

CHAPTERS = manifest()[1]
NUMBERS = [chapter["number"] for chapter in CHAPTERS]


def test_the_page_is_what_its_sources_make():
    assert teaching.PAGE.read_text("utf-8") == teaching.page(), "run `make notebooks`"


def test_the_picture_is_drawn_from_the_manifests():
    drawn = Image.open(teaching.PICTURE).text["Description"]
    layout = teaching.notes()["picture"]
    assert drawn == f"{teaching.listed()} in {layout}", "run `make notebooks`"
    assert teaching.diagram().draw().axes


@pytest.mark.parametrize("chapter", CHAPTERS, ids=NUMBERS)
def test_each_chapter_has_notes_of_its_own(chapter):
    text = teaching.chapter_notes(chapter)
    for objective in chapter["objectives"]:
        assert f"- {objective}" in text
    for exercise in start.exercises(chapter):
        assert f"{exercise.key} {exercise.title} ({exercise.minutes} minutes)" in text
    notes = teaching.notes()["chapters"][chapter["number"]]
    assert len(notes["wrong"]) >= 3, "at least three mistakes of students"
    assert len(notes["class"]) >= 2, "at least two exercises for the class"
    sentences = [notes["show"], *notes["class"].values(), *chain(*notes["wrong"])]
    for sentence in sentences:
        assert sentence[0].isupper() or sentence[0] == "`", sentence
        assert sentence.endswith((".", "?")), sentence
        assert len(sentence.split()) >= 4, f"no whole sentence: {sentence}"
        assert "\n" not in sentence, sentence


def test_there_are_no_notes_on_chapters_that_are_gone():
    notes = teaching.notes()["chapters"]
    assert sorted(notes) == NUMBERS
    assert len({note["show"] for note in notes.values()}) == len(notes)


def test_a_day_has_seven_hours_and_a_meeting_time_to_show():
    minutes = {chapter["number"]: chapter["minutes"] for chapter in CHAPTERS}
    assert len(teaching.notes()["week"]) == 5 and len(teaching.notes()["term"]) == 12
    for day in teaching.notes()["week"]:
        assert sum(minutes[number] for number in day) <= 7 * 60, day
    for live in re.findall(r"\| (-?\d+) min \|", teaching.term_table()):
        assert 40 <= int(live) <= 100


@pytest.mark.parametrize("plan", ["week", "term"])
def test_what_a_chapter_needs_comes_before_it(plan):
    notes, needs = teaching.notes(), teaching.needs()
    days = notes["week"] if plan == "week" else [[number] for number in notes["term"]]
    order = list(chain(*days))
    assert len(set(order)) == len(order)
    assert {f"{i:02}" for i in range(1, 11)} <= set(order)
    for place, number in enumerate(order):
        missing = needs[number] - set(order[:place])
        assert not missing, f"{number} needs {missing}"
    if plan == "week":
        for day, more in enumerate(notes["spare"]):
            for number in more:
                missing = needs[number] - set(chain(*days[: day + 1]))
                assert not missing and number not in order, f"{number} needs {missing}"


def test_needs_are_read_out_of_sentences(small_course, monkeypatch):
    def chapter(number, *prerequisites):
        return {"number": number, "prerequisites": list(prerequisites)}

    course = [
        chapter("01", "Python 3"),
        chapter("02", "softmax (chapter 01)"),
        chapter("02b", "chapters 01 and 02", "2 × 2 matrices"),
        chapter("03", "chapters 01 to 02"),
        chapter("04", "more (chapters 02, 02b)"),
    ]
    monkeypatch.setattr(teaching, "manifest", lambda: ({}, course, {}))
    assert teaching.needs() == {
        "01": set(), "02": {"01"}, "02b": {"01", "02"}, "03": {"01", "02"},
        "04": {"02", "02b"},
    }  # fmt: skip
    assert teaching.arrows() == [("01", "02"), ("02", "02b"), ("02", "03"), ("02b", "04")]
    course.append(chapter("05", "chapter 77"))
    with pytest.raises(ValueError, match="prerequisites of 05: no chapter"):
        teaching.needs()


def test_notes_that_do_not_fit_are_named(monkeypatch):
    notes = teaching.notes()
    notes["chapters"]["01"]["class"]["01.77"] = "No such exercise."
    notes["picture"] = notes["picture"].replace("11f", ".")
    del notes["chapters"]["02"]["show"]
    monkeypatch.setattr(teaching, "notes", lambda: notes)
    with pytest.raises(ValueError, match=r"chapter 01 has no exercise \{'01.77'\}"):
        teaching.chapter_notes(CHAPTERS[0])
    with pytest.raises(ValueError, match="chapter 02 needs the keys"):
        teaching.chapter_notes(CHAPTERS[1])
    with pytest.raises(ValueError, match=r"expected each chapter once, .*\['11f'\]"):
        teaching.diagram()


def test_links_within_the_page_lead_somewhere():
    text = teaching.page()
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    for path in re.findall(r"\]\((?!#)([^)]+)\)", text):
        assert (teaching.DOCS / path).exists(), path


def test_the_hubs_table_is_that_of_the_stored_notebooks():
    text = teaching.HUB.read_text("utf-8")
    assert text == teaching.with_memory(text), "run `make notebooks`"
    peaks = sorted(float(gb) for gb in re.findall(r"\| ([\d.]+) \|$", text, re.MULTILINE))
    assert len(peaks) == len(CHAPTERS)
    limit, guarantee = (
        float(re.search(rf"\*\*{name}\*\*: ([\d.]+) GB", text)[1])
        for name in ("limit", "guarantee")
    )
    assert peaks[-1] + peaks[len(peaks) // 2] <= limit <= 2 * peaks[-1] + 2
    assert peaks[len(peaks) // 2 - 1] <= guarantee < limit
    assert f'mem_limit = "{1000 * limit:.0f}M"' in text
    assert f'mem_guarantee = "{1000 * guarantee:.0f}M"' in text


def test_the_hubs_settings_are_those_of_the_lab(tmp_path, monkeypatch):
    text = teaching.HUB.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    settings = SimpleNamespace(Spawner=SimpleNamespace())
    exec(code, {"c": settings})
    spawner = settings.Spawner
    assert spawner.default_url.endswith(f"/{start.NAME}")
    assert spawner.environment["DL_COURSE_SOLVED"].endswith(solved.NAME)
    assert (ROOT / "tools" / "jupyter" / "overrides.json").exists()
    monkeypatch.setattr("sys.argv", ["lab", "--copy-only", "--work", str(tmp_path / "w")])
    for name in ("PYTHONPATH", "DL_COURSE_SOLVED", "KERAS_BACKEND", "KERAS_HOME"):
        monkeypatch.setenv(name, "")
    lab.main()
    assert (tmp_path / "w" / start.NAME).exists()
    assert len(list((tmp_path / "w").glob("*.ipynb"))) == len(CHAPTERS) + 1


def test_an_idle_kernel_is_as_small_as_the_page_says():
    manager, client = start_new_kernel()
    try:
        client.execute_interactive("1", timeout=60, output_hook=lambda message: None)
        kernel = psutil.Process(manager.provisioner.process.pid).memory_info().rss
    finally:
        manager.shutdown_kernel(now=True)
    assert kernel < 0.08e9


# ---------------------------------------------------------------- files of the repository

PATTERN = {"type": "string", "pattern": r"^\d+([tgmk]b)?$"}
COMMAND = {"type": ["string", "array", "object"]}
DEVCONTAINER = {  # what this course uses of the format, see containers.dev
    "type": "object",
    "required": ["name", "image", "onCreateCommand"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "image": {"type": "string", "pattern": r"^[\w./-]+:[\w.-]+$"},
        "hostRequirements": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "cpus": {"type": "integer", "minimum": 1},
                "memory": PATTERN,
                "storage": PATTERN,
            },
        },
        "onCreateCommand": COMMAND,
        "postAttachCommand": COMMAND,
        "forwardPorts": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 65535},
        },
        "portsAttributes": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "label": {"type": "string"},
                    "onAutoForward": {
                        "enum": ["notify", "openBrowser", "silent", "ignore"]
                    },
                },
            },
        },
        "customizations": {"type": "object"},
    },
}


def test_the_development_container_is_well_formed():
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    jsonschema.validate(content, DEVCONTAINER)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for key in ("onCreateCommand", "postAttachCommand"):
        assert content[key].split()[:1] == ["make"] and content[key].split()[1] in targets
    broken = content | {"hostRequirements": {"memory": "4 GB"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, DEVCONTAINER)


def test_the_citation_is_well_formed_and_names_this_version():
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    path = str(ROOT / "CITATION.cff")
    run = subprocess.run([sys.executable, *command, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {dl_course.__version__}\n" in text
    assert f'\ntitle: "{dl_course.COURSE}"\n' in text
    assert "://" not in text, "published: add the repository's address, and say so here"


def test_the_change_log_begins_with_this_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first = re.search(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)[1]
    assert dl_course.__version__.startswith(first)


def test_binder_gets_the_pins_of_a_learner():
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert "- -r requirements.txt\n" in text and "- -e .\n" in text
