"""Every .ipynb is what its source and the manifest make, and keeps the course's form."""

import ast
import re

import nbformat
import pytest

from tests.diagram_checks import diagrams_in, problems
from tests.test_package import NOT_MOVED
from tools import notebooks, picture, readme

COURSE, CHAPTERS, REFERENCES = notebooks.manifest()
PATHS = {c["number"]: notebooks.NOTEBOOKS / f"{notebooks.stem(c)}.ipynb" for c in CHAPTERS}
MARKDOWN_LINK = re.compile(r"\]\((?!https?://)([^)]+)\)")

MOVED = [chapter for chapter in CHAPTERS if chapter["number"] not in NOT_MOVED]

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=notebooks.stem)
each_moved = pytest.mark.parametrize("chapter", MOVED, ids=notebooks.stem)


def is_moved(chapter):
    return chapter in MOVED


def stored(chapter):
    path = PATHS[chapter["number"]]
    assert path.exists(), f"run `make notebooks CHAPTERS={chapter['number']}`"
    return nbformat.read(path, as_version=4)


def code(chapter, without=("setup", "solution")):
    """Lines of each code cell that a reader meets; no blank lines, comments, solutions."""
    return [
        [
            line
            for line in cell.source.splitlines()
            if line.strip() and line.strip()[0] != "#"
        ]
        for cell in notebooks.build(chapter).cells
        if cell.cell_type == "code" and not set(without) & set(notebooks.tags(cell))
    ]


def prose(chapter):
    return "\n\n".join(
        cell.source
        for cell in notebooks.build(chapter).cells
        if cell.cell_type == "markdown"
    )


# ---------------------------------------------------------------- source and notebook


@each_chapter
def test_notebook_is_what_its_source_makes(chapter):
    notebook, made = stored(chapter), notebooks.build(chapter)
    nbformat.validate(notebook)
    todo = f"run `make notebooks CHAPTERS={chapter['number']}`"
    kept = notebooks.keep_outputs(made, notebook)
    assert kept, f"the stored outputs are those of other code: {todo}"
    assert notebook == made, f"the source or the manifest was changed: {todo}"


@each_chapter
def test_every_code_cell_was_executed_in_order(chapter):
    counts = [c.execution_count for c in stored(chapter).cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@each_chapter
def test_stored_outputs_are_clean(chapter):
    cells, path = stored(chapter).cells, PATHS[chapter["number"]]
    assert path.stat().st_size <= 800_000, "fewer or smaller figures, less printed text"
    text = path.read_text("utf-8")
    assert "\ufffd" not in text, "a sign that is no UTF-8"
    assert " at 0x" not in text, "an object's address is another one each time"
    of_this_machine = (
        rf'{re.escape(str(notebooks.ROOT))}|"/(home|root|tmp|Users)/|"[A-Z]:\\\\'
    )
    found = re.search(of_this_machine, text)
    assert not found, f"a path of this machine: {text[found.start() :][:80]}"
    for cell in cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"noise: {output.text}"
            if output.output_type == "error":
                assert "raises-exception" in notebooks.tags(cell), cell.source[:80]


def test_the_readmes_table_and_picture_are_those_of_the_course():
    text = readme.README.read_text("utf-8")
    assert all(f"notebooks/{notebooks.stem(chapter)}.ipynb" in text for chapter in CHAPTERS)
    assert text == readme.with_table(text), "run `make notebooks`"
    assert text == picture.with_picture(text), "run `make notebooks`"
    assert picture.PICTURE.name in text
    assert picture.is_current(), "run `make notebooks`"


def test_no_notebook_without_a_source_and_none_forgotten():
    made = {path.stem for path in notebooks.NOTEBOOKS.glob("*.ipynb")}
    sources = {path.stem for path in (notebooks.NOTEBOOKS / "src").glob("*.py")}
    manifests = {notebooks.stem(chapter) for chapter in CHAPTERS}
    assert sources == manifests, "each NN_name.py needs its NN_name.toml, and the reverse"
    assert made == sources, "run `make notebooks`; delete an .ipynb without a source"


# ---------------------------------------------------------------- form


@each_chapter
def test_cells_are_small(chapter):
    for lines in code(chapter):
        assert len(lines) <= 30, f"{len(lines)} lines of code from {lines[0]!r} on"


@each_chapter
def test_chapter_has_all_its_parts_in_order(chapter):
    headings = re.findall(r"^## (.+)$", prose(chapter), flags=re.MULTILINE)
    sections = [h for h in headings if re.match(r"\d+\. ", h)]
    assert 4 <= len(sections) <= 8, f"expected 4 to 8 sections `## 1. ...`: {sections}"
    assert [int(h.partition(".")[0]) for h in sections] == list(range(1, len(sections) + 1))
    assert all(h.endswith("?") for h in sections), "a section is headed by its question"
    mistakes = "Common mistakes" if is_moved(chapter) else "Where the tutorials go wrong"
    assert headings == [
        "Recall",
        *sections,
        mistakes,
        "Exercises",
        "Key points",
        "References",
    ]
    asked = prose(chapter).count("**Predict.**")
    assert asked >= len(sections), f"{asked} times **Predict.** in {len(sections)} sections"


# ------------------------------------------- form of the second edition's chapters


@each_moved
def test_nothing_is_shown_from_elsewhere(chapter):
    source = notebooks.source_path(chapter).read_text("utf-8")
    assert "reveal(" not in source, "show the code itself, in a cell"
    assert not re.search(r"\bE\d{3}\b", prose(chapter)), "numbers of errata are cell tags"


@each_moved
def test_classes_are_small(chapter):
    for node in ast.walk(ast.parse(notebooks.source_path(chapter).read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno < 60, node.name


@each_moved
def test_predictions_are_measured_answered_and_then_claimed(chapter):
    cells = notebooks.build(chapter).cells
    asked = [i for i, c in enumerate(cells) if "**Predict.**" in c.source]
    for i in asked:
        after = cells[i + 1 : i + 8]
        kinds = [
            "predict" if "predict" in notebooks.tags(c)
            else "claims" if "claims" in notebooks.tags(c)
            else "answer" if "<summary>Answer</summary>" in c.source
            else ""
            for c in after
        ]  # fmt: skip
        text = cells[i].source.splitlines()[0]
        assert "predict" in kinds and "answer" in kinds, f"{text}: {kinds}"
        assert kinds.index("predict") < kinds.index("answer"), text
        if "claims" in kinds:
            assert kinds.index("answer") < kinds.index("claims"), f"spoiled: {text}"
        question = cells[i].source.partition("**Predict.**")[2]
        assert "?" in question, text
        for cell in after[: kinds.index("answer")]:
            assert "claim(" not in cell.source, f"spoiled by a bound: {text}"


@each_moved
def test_claims_stand_in_folded_cells(chapter):
    for cell in notebooks.build(chapter).cells:
        if cell.cell_type == "code" and re.search(r"^ *claim\(", cell.source, re.MULTILINE):
            assert "claims" in notebooks.tags(cell), cell.source[:80]


@each_moved
def test_there_are_concept_diagrams(chapter):
    cells = notebooks.build(chapter).cells
    diagrams = [c for c in cells if "diagram" in notebooks.tags(c)]
    assert len(diagrams) >= 2, f"{len(diagrams)} of at least 2 cells are tagged `diagram`"
    assert all("figure" in notebooks.tags(cell) for cell in diagrams), "fold them"


@each_moved
def test_diagrams_are_legible(chapter):
    source = notebooks.source_path(chapter).read_text("utf-8")
    for figure in diagrams_in(source):
        assert not list(problems(figure))


@each_moved
def test_terms_are_marked_where_they_are_introduced(chapter):
    text = prose(chapter)
    assert chapter.get("terms"), "the manifest needs [terms]: those introduced here"
    for term, definition in chapter["terms"].items():
        assert f"**{term}**".lower() in text.lower(), f"no **{term}** in the text"
        assert definition.endswith("."), f"{term}: its definition is a sentence"


@each_moved
def test_conclusions_are_in_the_manifest(chapter):
    stated = chapter.get("conclusions", [])
    assert len(stated) >= 3, f"{len(stated)} of at least 3 [[conclusions]]"
    for conclusion in stated:
        assert set(conclusion) == {"says", "claim", "without"}, conclusion


@each_chapter
def test_cpu_budget_is_kept(chapter):
    took = stored(chapter).metadata["dl_course"]["cpu_seconds"]
    advice = "make it cheaper, or raise `cpu_seconds` in the manifest"
    assert took <= chapter["cpu_seconds"], f"took {took} CPU seconds: {advice}"


def test_all_chapters_together_keep_the_budget():
    assert sum(chapter["cpu_seconds"] for chapter in CHAPTERS) <= 1900


@each_chapter
def test_every_section_claims_something(chapter):
    section, claims = None, {}
    for cell in notebooks.build(chapter).cells:
        if heading := re.match(r"## (\d+)\. ", cell.source):
            section = heading[1]
        elif cell.source.startswith("## "):
            section = None
        if section and cell.cell_type == "code":
            claims[section] = claims.get(section, 0) + cell.source.count("claim(")
    assert claims and all(claims.values()), f"sections without a claim: {claims}"


@each_chapter
def test_exercises_have_all_their_parts(chapter):
    cells = notebooks.build(chapter).cells
    text = prose(chapter).partition("\n## Exercises")[2].partition("\n## Key points")[0]
    keys = re.findall(r"^### Exercise (\d\d[a-z]?\.\d+):", text, flags=re.MULTILINE)
    low, high = (5, 7) if is_moved(chapter) else (4, 6)
    assert low <= len(keys) <= high, f"expected {low} to {high} exercises, got {keys}"
    for tag in ("exercise", "solution"):
        sources = [c.source for c in cells if tag in notebooks.tags(c)]
        checked = [re.findall(r'check\("([^"]+)"', source) for source in sources]
        assert checked == [[key] for key in keys], f"cells tagged {tag}: {checked}"
    for exercise in re.split(r"^### Exercise ", text, flags=re.MULTILINE)[1:]:
        hints = re.findall(r"<summary>Hint (\d)</summary>", exercise)
        assert hints == ["1", "2", "3"], f"{exercise.partition(':')[0]}: hints {hints}"


@each_chapter
def test_figures_are_shown_with_alt_text_and_caption(chapter):
    cells = stored(chapter).cells
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"].get("alt"), "use plots.show"
                captioned = after is not None and after.cell_type == "markdown"
                assert captioned, f"no caption in a Markdown cell after {cell.source[:80]}"
        assert "plt.show(" not in cell.source


@each_chapter
def test_markdown_is_portable(chapter):
    text = prose(chapter)
    assert not re.search(r"^:::|\{[a-z:]+\}`|^\(.+\)=$", text, flags=re.MULTILINE)  # MyST
    folds = [text.count(tag) for tag in ("<details>", "</details>", "<summary>")]
    assert len(set(folds)) == 1, f"<details>, </details>, <summary>: {folds} times"
    assert text.replace("\\$", "").count("$") % 2 == 0, "a $ is open: write \\$ for money"


@each_chapter
def test_links_land(chapter):
    for link in MARKDOWN_LINK.findall(prose(chapter)):
        name, _, anchor = link.partition("#")
        path = notebooks.NOTEBOOKS / name if name else PATHS[chapter["number"]]
        assert path.exists(), link
        if anchor:
            cells = nbformat.read(path, as_version=4).cells
            headings = re.findall(
                r"^#+ (.+)$", "\n".join(c.source for c in cells), flags=re.MULTILINE
            )
            assert anchor in [heading.replace(" ", "-") for heading in headings], link


@each_chapter
def test_references_exist_and_are_cited(chapter):
    text = prose(chapter).partition("\n## References")[0]
    for key in chapter["references"]:
        reference = REFERENCES[key]
        author = reference["text"].partition(",")[0].split()[-1].strip("*.")
        year = re.search(r"\((\d{4})", reference["text"])[1]
        assert author in text and year in text, f"{key} is listed but not cited"


CITATION = re.compile(
    r"([^\W\d_][\w’-]+)(?: et al\.| (?:and|&) [\w’-]+)?(?:, | \()((?:1[89]|20)\d\d)\)"
)


@each_chapter
def test_what_is_cited_is_referenced(chapter):
    text = prose(chapter).partition("\n## References")[0]
    for author, year in CITATION.findall(text):
        if author[0].isupper():
            assert any(
                author in REFERENCES[key]["text"].partition(" (")[0]
                and year in REFERENCES[key]["text"]
                for key in chapter["references"]
            ), f"{author} ({year}) is cited but not among the chapter's references"


@each_chapter
def test_only_keras_never_tf_keras(chapter):
    source = "\n".join("\n".join(lines) for lines in code(chapter))
    assert "tf.keras" not in source and "tensorflow.keras" not in source


def test_no_chapter_uses_a_later_chapters_module():
    modules = [chapter["module"] for chapter in CHAPTERS]
    for i, chapter in enumerate(CHAPTERS):
        source = "\n".join("\n".join(lines) for lines in code(chapter))
        for later in modules[i + 1 :]:
            used = re.search(rf"dl_course(\.| import .*\b){later}\b", source)
            assert not used, f"chapter {chapter['number']} imports {later}, a later one's"


def test_references_are_used_and_complete():
    used = {key for chapter in CHAPTERS for key in chapter["references"]}
    unused = sorted(set(REFERENCES) - used)
    assert not unused, f"no chapter refers to these of references.toml: {unused}"
    for key, reference in REFERENCES.items():
        assert re.search(r"\(\d{4}", reference["text"]), key
        assert reference["url"].startswith("https://"), key
