"""`make lab` in a real browser: a chapter runs to its end without an error."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from tools import notebooks

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUICKEST = min(notebooks.manifest()[1], key=lambda chapter: chapter["seconds"])


@pytest.fixture
def lab(tmp_path):
    """Start the lab on copies in a folder of its own; yield its URL and the folder."""
    code = (
        "import sys, pathlib; from tools import lab;"
        "lab.WORK = pathlib.Path(sys.argv.pop(1));"
        "lab.main()"
    )
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }
    log = tmp_path / "lab.log"
    command = [sys.executable, "-c", code, str(tmp_path / "work"), "--no-browser"]

    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=notebooks.ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        yield wait_for_url(log, server), tmp_path / "work"
    finally:
        server.terminate()
        server.wait(20)


def wait_for_url(log, server, seconds=60):
    """The URL that the lab prints, once it answers there."""
    pattern = r"http://(?:localhost|127\.0\.0\.1):\d+/lab\?token=\w+"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(pattern, log.read_text("utf-8")):
            with contextlib.suppress(urllib.error.URLError):  # printed, not yet listening
                with urllib.request.urlopen(found[0], timeout=30) as answer:
                    assert answer.status == 200
                return found[0]
        time.sleep(0.3)
    raise AssertionError(f"no answer within {seconds} s:\n{log.read_text('utf-8')}")


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome here (apt install chromium)"
)
def test_a_chapter_runs_to_its_end_in_a_browser(lab):
    playwright = pytest.importorskip("playwright.sync_api")
    url, work = lab
    path = work / "chapter.ipynb"
    nbformat.write(notebooks.build(QUICKEST), path)  # no outputs yet
    with playwright.sync_playwright() as p:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = p.chromium.launch(executable_path=BROWSER, args=options)
        page = browser.new_page()
        page.goto(url.replace("/lab?", "/lab/tree/chapter.ipynb?"))
        idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        idle.first.wait_for(timeout=60_000)
        deadline = time.monotonic() + 240
        started = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[[\d*]+\]"))
        accept = page.locator(".jp-Dialog .jp-mod-accept")
        while not started.count():  # a click before the kernel is connected has no effect
            with contextlib.suppress(playwright.Error):
                if accept.count():  # a question, such as which kernel to use
                    accept.first.click(timeout=4000)
                page.get_by_role("menuitem", name="Run", exact=True).click(timeout=4000)
                page.get_by_text("Run All Cells", exact=True).click(timeout=4000)
            page.wait_for_timeout(4000)
            assert time.monotonic() < deadline, "no cell was started"
        while not all(cell.execution_count for cell in code_cells(path)):
            assert time.monotonic() < deadline, "the notebook did not reach its end"
            page.wait_for_timeout(3000)
            page.keyboard.press("Control+s")
        browser.close()
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        kinds = {output.output_type for output in cell.outputs}
        assert ("error" in kinds) == ("raises-exception" in notebooks.tags(cell))
    assert any("image/png" in o.get("data", {}) for c in cells for o in c.outputs)


def code_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]
