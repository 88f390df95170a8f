"""The site: built whole and offline, and looked at by a browser, wide and narrow."""

import functools
import hashlib
import html.parser
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import site
from tools.notebooks import NOTEBOOKS, ROOT, manifest, stem, tags

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
CHAPTERS = manifest()[1]
STEMS = [stem(chapter) for chapter in CHAPTERS]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of the site, built once; a warning of Sphinx is an error."""
    folder = tmp_path_factory.mktemp("site") / "site"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for name in ("DL_COURSE_REPOSITORY", "DL_COURSE_REF"):
        environment.pop(name, None)
    run = subprocess.run(
        [sys.executable, "-m", "tools.site", "--to", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def html_files(pages):
    """The pages, without the theme's own files."""
    return sorted(p for p in pages.rglob("*.html") if "_static" not in p.parts)


class Links(html.parser.HTMLParser):
    """What a page has: addresses that it leads to or loads, and the ids in it."""

    def __init__(self, text):
        super().__init__()
        self.leads, self.loads, self.ids = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        if tag == "a":
            self.leads.append(attrs.get("href"))
        else:
            self.loads += filter(None, (attrs.get("src"), attrs.get("href")))


# ---------------------------------------------------------------- what is built


def test_every_chapter_and_every_page_is_there_and_all_links_lead_somewhere(pages):
    found = {p: Links(p.read_text("utf-8")) for p in html_files(pages)}
    names = {p.relative_to(pages).with_suffix("").as_posix() for p in found}
    assert {f"notebooks/{name}" for name in STEMS} <= names
    look_up = {f"docs/{name}" for name in (*site.LOOK_UP, *site.others())}
    assert {"index", "search", *look_up} <= names
    lost = []
    for path, page in found.items():
        for address in [*page.leads, *page.loads]:
            if not address or re.match(r"(https?|mailto|data):", address):
                continue
            file, _, heading = unquote(address.partition("?")[0]).partition("#")
            target = (path.parent / file).resolve() if file else path
            ids = found[target].ids if target in found else {heading}
            if not target.is_file() or heading not in ids | {""}:
                lost.append((path.name, address))
    assert not lost


def test_nothing_is_loaded_from_elsewhere(pages):
    for path in html_files(pages):
        loads = Links(path.read_text("utf-8")).loads
        assert not [address for address in loads if re.match("(https?:)?//", address)]


def test_the_side_bar_has_eleven_chapters_with_their_parts(pages):
    text = (pages / "index.html").read_text("utf-8")
    bar = text[text.index('<nav class="bd-links') :]
    bar = bar[: bar.index("</nav>")]
    level = r'toctree-l{}[^>]*><a[^>]* href="notebooks/([^"]+)\.html"'
    whole = re.findall(level.format(1), bar)
    assert [name[:2] for name in whole] == [f"{n:02}" for n in range(1, 12)]
    assert re.findall(level.format(2), bar) == [n for n in STEMS if n not in whole]


def test_a_notebook_is_downloaded_as_it_is_stored(pages):
    for name in STEMS:
        copy = pages / "_sources" / "notebooks" / f"{name}.ipynb"
        assert copy.read_bytes() == (NOTEBOOKS / copy.name).read_bytes()


def test_no_form_titles_are_shown(pages):
    for name in STEMS:
        assert "@title" not in (pages / "notebooks" / f"{name}.html").read_text("utf-8")


def test_the_bibliography_can_be_taken_away(pages):
    page = Links((pages / "docs" / "bibliography.html").read_text("utf-8"))
    (address,) = [a for a in page.leads if a and a.endswith(".bib")]
    text = (pages / "docs" / address).read_text("utf-8")
    assert text.count("\n@") + 1 == len(manifest()[2])


def test_mathjax_is_the_one_that_its_readme_names():
    folder = site.DOCS / "_static" / "mathjax"
    lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = dict(reversed(line.split()) for line in lines)
    others = {"SHA256SUMS", "README.md", "LICENSE"}
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files - others == set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


# ---------------------------------------------------------------- parts of it


def cell(source, *kinds, outputs=()):
    metadata = {"tags": list(kinds)}
    return new_code_cell(source, metadata=metadata, outputs=list(outputs))


@pytest.mark.parametrize(
    ("kinds", "hide", "title"),
    [
        (["setup"], "hide-cell", "Title"),
        (["solution"], "hide-cell", "Title"),
        (["claims"], "hide-cell", "Title"),
        (["figure", "diagram"], "hide-input", "Title"),
        (["predict"], "hide-output", "What comes out"),
        (["predict", "figure"], "hide-cell", "What comes out, and its drawing"),
    ],
)
def test_what_is_not_read_first_is_folded(kinds, hide, title):
    made = cell("# @title Title\nx = 1", *kinds)
    site.for_site(new_notebook(cells=[made]))
    assert made.source == "x = 1"
    assert tags(made) == [*kinds, hide]
    assert made.metadata["mystnb"]["code_prompt_show"] == title


@pytest.mark.parametrize("kinds", [[], ["exercise"], ["export"], ["raises-exception"]])
def test_what_is_read_stays_open(kinds):
    made = cell("x = 1", *kinds)
    site.for_site(new_notebook(cells=[made]))
    assert made.source == "x = 1" and tags(made) == kinds


def test_links_of_a_page_hold_on_the_site():
    links = "[a](#01-a-new) [b](../notebooks/x.ipynb#C) [d](../E.md)"
    text = f"# Page\n\n## 01 A (new)\n\n{links}"
    made = site.for_pages(text).splitlines()[-1]
    assert made == "[a](<#01-A-(new)>) [b](../notebooks/x.ipynb#C) d (`E.md`)"


def test_terms_come_by_the_alphabet_with_their_chapters(monkeypatch):
    one = {
        "number": "01",
        "name": "a",
        "title": "A",
        "terms": {"weight": "W.", "bias": "B."},
    }
    two = {"number": "02", "name": "b", "title": "B", "terms": {"Adam": "An optimizer."}}
    monkeypatch.setattr(site, "manifest", lambda: ({}, [one, two], {}))
    text = site.glossary_page()
    places = [text.index(f"**{term}**") for term in ("Adam", "bias", "weight")]
    assert places == sorted(places)
    assert "**Adam**: An optimizer. [02 · B](../notebooks/02_b.ipynb)" in text
    assert "**weight**: W. [01 · A](../notebooks/01_a.ipynb)" in text


@pytest.fixture
def last_runs(tmp_path, monkeypatch):
    """Folders of seeds and sabotage, and a docs/status.json, of their own."""
    for name in ("SEEDS", "SABOTAGE"):
        monkeypatch.setattr(site, name, tmp_path / name)
        (tmp_path / name).mkdir()
    monkeypatch.setattr(site, "STATUS", tmp_path / "status.json")
    return tmp_path


def claim(name, apart, failed=0):
    row = {"name": name, "runs": 5, "failed": failed}
    return row if apart is None else row | {"apart": apart, "worst": 0.5, "bound": "≥ 0.4"}


def test_the_last_runs_are_kept_and_shown(last_runs):
    number = CHAPTERS[0]["number"]
    claims = [claim("far", 20.0), claim("near | by", 7.25), claim("bad", None, failed=2)]
    seeds = {"first": 1, "runs": 5, "claims": claims}
    (last_runs / "SEEDS" / f"{number}.json").write_text(json.dumps(seeds), "utf-8")
    rows = [{"claim": "a", "noticed": True}, {"claim": "b", "noticed": False}]
    (last_runs / "SABOTAGE" / f"{number}.json").write_text(json.dumps(rows), "utf-8")
    site.keep_status()
    text = site.status_page()
    assert "| 5 | 3 | bad | near \\| by | 7.2 |" in text
    assert "| a | noticed |" in text and "| b | **not noticed** |" in text
    assert "changed since" not in text
    kept = json.loads(site.STATUS.read_text("utf-8"))
    kept["seeds"][number]["of"] = "older code"
    site.STATUS.write_text(json.dumps(kept), "utf-8")
    shutil.rmtree(last_runs / "SEEDS")
    site.keep_status()  # nothing new: what is recorded stays
    assert json.loads(site.STATUS.read_text("utf-8")) == kept
    assert site.status_page().count("(changed since)") == 1


def test_without_runs_the_status_page_says_so(last_runs):
    assert site.status_page().count(site.NOT_YET) == 2


# ---------------------------------------------------------------- launch buttons


@pytest.fixture
def small_site(tmp_path, monkeypatch):
    """A function that builds a site of one notebook; returns the HTML of its page."""

    def build(**course):
        published = {"repository": "", "tag": "", **course}
        monkeypatch.setattr(site, "manifest", lambda: (published, CHAPTERS, {}))
        link = "https://elsewhere" if published["repository"] else None
        monkeypatch.setattr(site, "colab_link", lambda chapter: link)
        source = tmp_path / "source"
        (source / "notebooks").mkdir(parents=True)
        (source / "index.md").write_text(
            "# Start\n\n```{toctree}\nnotebooks/small\n```\n", "utf-8"
        )
        notebook = new_notebook(cells=[new_markdown_cell("# Small"), *CELLS])
        notebook.metadata["language_info"] = {"name": "python"}
        nbformat.write(notebook, source / "notebooks" / "small.ipynb")
        assert site.run_sphinx(source, tmp_path / "made") == 0
        return (tmp_path / "made" / "notebooks" / "small.html").read_text("utf-8")

    for name in ("DL_COURSE_REPOSITORY", "DL_COURSE_REF"):
        monkeypatch.delenv(name, raising=False)
    return build


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
CELLS = [
    cell(
        "plot()",
        "figure",
        outputs=[
            new_output(
                "display_data",
                data={"image/png": PIXEL, "text/plain": "figure"},
                metadata={"image/png": {"alt": f"{name} dot"}},
            )
            for name in ("First", "Second")
        ],
    )
]
COLAB = "https://colab.research.google.com/github/"
BINDER = "https://mybinder.org/v2/gh/"


def test_before_it_is_published_nothing_leads_anywhere(small_site):
    page = small_site()
    assert "mybinder" not in page and "colab.research" not in page and "github" not in page
    assert 'alt="First dot"' in page and 'alt="Second dot"' in page


def test_a_published_course_has_launch_buttons(small_site):
    page = small_site(repository="some-one/course", tag="v2.0.0")
    assert f"{COLAB}some-one/course/blob/v2.0.0/notebooks/small.ipynb" in page
    assert f"{BINDER}some-one/course/v2.0.0?urlpath=lab/tree/notebooks/small.ipynb" in page


def test_a_workflow_names_its_own_repository(small_site, monkeypatch):
    monkeypatch.setenv("DL_COURSE_REPOSITORY", "a-fork/of.it")
    monkeypatch.setenv("DL_COURSE_REF", "main")
    page = small_site()
    assert f"{BINDER}a-fork/of.it/main?urlpath=lab/tree/notebooks/small.ipynb" in page
    assert "colab.research" not in page  # a notebook could not install the package there


def test_a_wrong_name_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setenv("DL_COURSE_REPOSITORY", "no name")
    with pytest.raises(SystemExit, match="expected owner/name, got 'no name'"):
        site.launch()


# ---------------------------------------------------------------- in a browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address(pages):
    handler = functools.partial(Quiet, directory=str(pages))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome here (apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as p:
        found = p.chromium.launch(executable_path=BROWSER, args=options)
        yield found
        found.close()


@pytest.fixture
def page(browser, address):
    """A new window; `page.heard` collects errors of scripts and requests to elsewhere."""
    page = browser.new_page(viewport={"width": 1400, "height": 900}, base_url=address)
    page.heard = []
    page.on("pageerror", lambda error: page.heard.append(f"error: {error}"))
    page.on(
        "console",
        lambda m: page.heard.append(f"console: {m.text}") if m.type == "error" else None,
    )
    page.on(
        "request",
        lambda r: (
            page.heard.append(f"request: {r.url}")
            if not r.url.startswith((address, "data:", "blob:"))
            else None
        ),
    )
    yield page
    page.close()


LOOK = """async () => {
    if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
    const all = (selector) => [...document.querySelectorAll(selector)];
    return {
        formulas: all('.math').filter(f => !f.querySelector('mjx-container')).length,
        wrong: all('mjx-merror').map(e => e.title || e.textContent),
        pictures: all('img').filter(i => !i.alt || !i.complete || !i.naturalWidth)
            .map(i => i.src),
    };
}"""
WIDE = """() => {
    const width = document.documentElement.clientWidth, found = [];
    const scrolls = (e) => /auto|scroll/.test(getComputedStyle(e).overflowX);
    if (document.documentElement.scrollWidth > width) found.push('the page');
    for (const e of document.querySelectorAll(
        'article :is(p, pre, table, img, li, h1, h2, h3, summary, mjx-container, code)')) {
        if (e.getBoundingClientRect().right <= width + 1) continue;
        let box = e;
        while (box && !scrolls(box)) box = box.parentElement;
        if (!box || box.matches('html, body')) found.push(e.outerHTML.slice(0, 80));
    }
    return found;
}"""


def test_every_page_is_whole_wide_and_narrow(page, pages):
    problems = {}
    for path in html_files(pages):
        name = path.relative_to(pages).as_posix()
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(f"/{name}")
        looked = page.evaluate(LOOK)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        looked["wide"] = page.evaluate(WIDE)
        page.set_viewport_size({"width": 390, "height": 844})
        looked["narrow"] = page.evaluate(WIDE)
        if any(looked.values()) or page.heard:
            problems[name] = {k: v for k, v in looked.items() if v}, page.heard[:]
            page.heard.clear()
    assert not problems


def test_formulas_are_on_the_pages(page):
    page.goto(f"/notebooks/{STEMS[0]}.html")
    page.evaluate(LOOK)
    assert page.locator("mjx-container").count() > 20


def test_folded_parts_are_folded_and_open_on_a_click(page):
    name = STEMS[0]
    page.goto(f"/notebooks/{name}.html")
    assert page.locator("article details").count() > 30
    assert not page.locator("article details[open]").count()
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    kinds = {"setup", "solution", "claims", "figure", "predict"}
    expected = sum(
        cell.cell_type == "code" and bool(kinds & set(tags(cell)))
        for cell in notebook.cells
    )
    assert page.locator("article details.hide").count() == expected
    for title, inside in (("Set-up", "pre"), ("Hint 1", "p"), ("Solution", "pre")):
        fold = page.locator("article details", has_text=re.compile(f"^\\s*{title}")).first
        content = fold.locator(f":scope > :not(summary) {inside}, :scope > {inside}").first
        assert not content.is_visible()
        fold.locator("summary").click()
        assert content.is_visible()


def test_search_finds_gradient(page):
    page.goto("/search.html?q=gradient")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert any("Backpropagation" in text for text in results.all_inner_texts())
    results.first.click()
    page.wait_for_load_state()
    assert "notebooks/" in page.url
    assert not page.heard


def test_dark_mode_switches(page):
    def background():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.goto("/index.html")
    light = background()
    page.locator(".theme-switch-button:visible").first.click()
    page.locator(".theme-change-button[data-mode=dark]:visible").first.click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto(f"/notebooks/{STEMS[0]}.html")  # it stays so
    dark = background()
    assert [sum(map(int, re.findall(r"\d+", c)[:3])) > 382 for c in (light, dark)] == [
        True,
        False,
    ]


def test_code_can_be_copied_and_one_page_leads_to_the_next(page):
    page.goto(f"/notebooks/{STEMS[0]}.html")
    assert page.locator("button.copybtn").count() > 10
    assert not page.locator(".cell_output button.copybtn").count()
    page.locator("a.right-next").click()
    page.wait_for_load_state()
    assert page.url.endswith(f"{STEMS[1]}.html")
    page.locator("a.left-prev").click()
    page.wait_for_load_state()
    assert page.url.endswith(f"{STEMS[0]}.html")


def test_on_a_phone_the_side_bar_opens(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/index.html")
    chapter = page.locator(f".bd-links a[href*='{STEMS[1]}']")
    assert not chapter.first.is_visible()
    page.locator(".primary-toggle:visible").first.click()
    chapter.first.wait_for(state="visible")
