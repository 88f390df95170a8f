"""Every .ipynb is what its source and the manifest make, and keeps the course's form."""

import re
import statistics

import nbformat
import pytest

from tools import notebooks, picture, readme

COURSE, CHAPTERS, REFERENCES = notebooks.manifest()
PATHS = {c["number"]: notebooks.NOTEBOOKS / f"{notebooks.stem(c)}.ipynb" for c in CHAPTERS}
MARKDOWN_LINK = re.compile(r"\]\((?!https?://)([^)]+)\)")

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=notebooks.stem)


def stored(chapter):
    return nbformat.read(PATHS[chapter["number"]], as_version=4)


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
    assert notebooks.keep_outputs(made, notebook), "outputs are not those of this code"
    assert notebook == made, "run `make notebooks`"


@each_chapter
def test_every_code_cell_was_executed_in_order(chapter):
    counts = [c.execution_count for c in stored(chapter).cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@each_chapter
def test_stored_outputs_are_clean(chapter):
    path = PATHS[chapter["number"]]
    assert path.stat().st_size <= 600_000
    text = path.read_text("utf-8")
    assert "\ufffd" not in text
    assert " at 0x" not in text, "an object's address is another one each time"
    assert str(notebooks.ROOT) not in text
    assert not re.search(r'"(?:/(?:home|root|tmp|Users)/|[A-Z]:\\\\)', text)
    for cell in stored(chapter).cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", f"noise: {output.text}"
            if output.output_type == "error":
                assert "raises-exception" in notebooks.tags(cell)


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
    assert made == sources == {notebooks.stem(chapter) for chapter in CHAPTERS}


# ---------------------------------------------------------------- form


@each_chapter
def test_cells_are_small(chapter):
    lengths = [len(lines) for lines in code(chapter)]
    assert max(lengths) <= 30
    assert statistics.median(lengths) <= 6
    assert 150 <= sum(lengths) <= 300


@each_chapter
def test_code_and_prose_are_balanced(chapter):
    text = prose(chapter).partition("\n## References")[0]
    words = len(re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL).split())
    assert 4 <= words / sum(map(len, code(chapter, without=("setup",)))) <= 12


@each_chapter
def test_chapter_has_all_its_parts_in_order(chapter):
    headings = re.findall(r"^## (.+)$", prose(chapter), flags=re.MULTILINE)
    sections = [h for h in headings if re.match(r"\d+\. ", h)]
    assert 4 <= len(sections) <= 8
    assert [int(h.partition(".")[0]) for h in sections] == list(range(1, len(sections) + 1))
    assert all(h.endswith("?") for h in sections), "a section is headed by its question"
    assert headings == [
        "Recall",
        *sections,
        "Where the tutorials go wrong",
        "Exercises",
        "Key points",
        "References",
    ]
    assert prose(chapter).count("**Predict.**") >= len(sections)


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
    assert 4 <= len(keys) <= 6
    for tag in ("exercise", "solution"):
        sources = [c.source for c in cells if tag in notebooks.tags(c)]
        assert [re.search(r'check\("([^"]+)"', s)[1] for s in sources] == keys
    for exercise in re.split(r"^### Exercise ", text, flags=re.MULTILINE)[1:]:
        assert re.findall(r"<summary>Hint (\d)</summary>", exercise) == ["1", "2", "3"]


@each_chapter
def test_figures_are_shown_with_alt_text_and_caption(chapter):
    cells = stored(chapter).cells
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"].get("alt"), "use plots.show"
                assert after is not None and after.cell_type == "markdown"
        assert "plt.show(" not in cell.source


@each_chapter
def test_markdown_is_portable(chapter):
    text = prose(chapter)
    assert not re.search(r"^:::|\{[a-z:]+\}`|^\(.+\)=$", text, flags=re.MULTILINE)  # MyST
    assert text.count("<details>") == text.count("</details>") == text.count("<summary>")
    assert text.replace("\\$", "").count("$") % 2 == 0


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
            assert not re.search(rf"dl_course(\.| import .*\b){later}\b", source)


def test_references_are_used_and_complete():
    used = {key for chapter in CHAPTERS for key in chapter["references"]}
    assert used == set(REFERENCES)
    for key, reference in REFERENCES.items():
        assert re.search(r"\(\d{4}", reference["text"]), key
        assert reference["url"].startswith("https://"), key
