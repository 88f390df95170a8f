"""Slides: what they take from a notebook, and whether a browser shows them whole."""

import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.test_lab import BROWSER
from tools import notebooks, slides

CHAPTERS = notebooks.manifest()[1]
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


def picture(alt="a dot"):
    data, about = {"image/png": DOT, "text/plain": "x"}, {"image/png": {"alt": alt}}
    output = new_output("display_data", data=data, metadata=about)
    return new_code_cell("draw()", outputs=[output], metadata={"tags": ["figure"]})


def small_deck(small_course, *cells):
    chapter, _ = small_course
    return slides.deck(chapter, new_notebook(cells=list(cells)))


def test_a_section_becomes_a_column_of_key_lines_and_figures(small_course):
    text = (
        "## 1. Why?\n\nNothing matters here. A **term** does. Not this.\n\n"
        "$$x = 1$$\n\nPlain text.\n\n**Predict.** How\nmany?"
    )
    below = "A dot of one pixel. It is small.\n\nMore."
    columns = small_deck(
        small_course, new_markdown_cell(text), picture(), new_markdown_cell(below)
    )
    first, second = columns[1]
    assert first.heading == second.heading == "## 1. Why?" and not first.picture
    assert first.parts == [
        ("line", "A **term** does."),
        ("formula", "$$x = 1$$"),
        ("predict", "**Predict.** How\nmany?"),
    ]
    assert 'alt="a dot"' in second.picture
    assert second.parts == [("small", "A dot of one pixel. It is small.")]


def test_what_is_folded_or_a_table_stays_out(small_course):
    cell = new_markdown_cell(
        "## 2. What?\n\n<details><summary>Answer</summary>\n\nThe **answer**.\n\n</details>"
        "\n\n| **a** | b |\n|---|---|\n\n```python\n**kwargs\n```"
    )
    assert small_deck(small_course, cell)[1] == [slides.Slide("## 2. What?", [])]


def test_first_and_last_slides_come_from_the_manifest(small_course):
    chapter, _ = small_course
    recall = new_markdown_cell("## Recall\n\n1. Why?\n\n<details>because</details>")
    columns = small_deck(small_course, recall, new_markdown_cell("## References\n\nx"))
    assert columns[0][0].heading == "# 01 · Small"
    assert ("line", chapter["promise"]) in columns[0][0].parts
    assert "because" not in str(columns) and "Why?" in str(columns[1])
    assert columns[-1] == [slides.Slide("## Key points", [("line", "- It is small.")])]
    assert len(columns) == 4


def test_long_sections_are_spread_over_slides(small_course):
    cells = [new_markdown_cell("## 1. Long?")]
    cells += [new_markdown_cell(f"A **term {i}** " + "word " * 40 + ".") for i in range(6)]
    column = small_deck(small_course, *cells)[1]
    assert len(column) >= 3
    assert all(sum(len(t) for _, t in s.parts) <= slides.LONGEST for s in column)


@pytest.mark.parametrize(
    ("paragraph", "found"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        ("For $a. B$ it holds. So.", ["For $a. B$ it holds.", "So."]),
        ("See (A. Bee, 2001) there. So.", ["See (A. Bee, 2001) there.", "So."]),
        ("It is **one. Two** words.", ["It is **one. Two** words."]),
    ],
)
def test_sentences_are_cut_at_their_ends_only(paragraph, found):
    assert slides.sentences(paragraph) == found


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[c["number"] for c in CHAPTERS])
def test_each_chapter_has_slides_with_all_figures_and_alt_text(chapter):
    path = notebooks.NOTEBOOKS / f"{notebooks.stem(chapter)}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    text = slides.page(chapter, notebook)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    images = re.findall(r"<img [^>]*>", text)
    assert images and all(re.search(r'alt="[^"]{5,}"', image) for image in images)
    expected, inside = [], True
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            inside = not cell.source[3:].startswith(slides.SKIPPED)
        expected += list(slides.pictures(cell)) if inside else []
    assert images == expected
    assert 12 <= text.count("<section>") <= 90


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome here (apt install chromium)"
)
@pytest.mark.parametrize(("width", "height"), [(1400, 800), (390, 800)])
def test_a_browser_shows_every_slide_whole_without_a_network(
    tmp_path, monkeypatch, width, height
):
    playwright = pytest.importorskip("playwright.sync_api")
    monkeypatch.setattr(slides, "SLIDES", tmp_path / "slides")
    path = slides.write(next(c for c in CHAPTERS if c["number"] == "07"))
    messages, requests = [], []
    with playwright.sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = p.chromium.launch(executable_path=BROWSER, args=options)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
        large, total = [], page.evaluate("deck.getTotalSlides()")
        for number in range(total):
            wrong = page.evaluate("tooLarge(deck.getCurrentSlide())")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wrong or wide > width:
                large.append(number)
            page.evaluate("deck.next()")
        formulas = page.locator("mjx-container").count()
        browser.close()
    assert total > 15 and large == []
    assert formulas > 20 and messages == []
    assert all(url.startswith(("file:", "data:")) for url in requests)


def test_slides_can_be_moved_to_another_place(tmp_path, monkeypatch):
    monkeypatch.setattr(slides, "SLIDES", tmp_path / "slides")
    slides.write(CHAPTERS[0])
    moved = tmp_path / "moved"
    shutil.move(tmp_path / "slides", moved)
    (page,) = moved.glob("*.html")
    for name in re.findall(r'(?:src|href)="([^":]+)"', page.read_text("utf-8")):
        assert (moved / name).exists(), name
    assert "MIT" in (moved / "assets" / "README.md").read_text("utf-8")
    assert (moved / "assets" / "LICENSE").exists()
