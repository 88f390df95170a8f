"""Settings of Sphinx; `make site` (tools/site.py) lays the pages out and runs it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the workers of Sphinx import tools and dl_course

from dl_course import COURSE, __version__  # noqa: E402
from tools import site  # noqa: E402

project = COURSE
release = __version__
html_title = COURSE
language = "en"
extensions = ["myst_nb", "sphinx_copybutton"]
nb_execution_mode = "off"  # the outputs are stored in the notebooks
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
myst_heading_slug_func = "tools.site.slug"  # as Jupyter names headings
mathjax_path = "mathjax/tex-chtml-full.js"
copybutton_selector = "div.highlight pre:not(.cell_output pre)"
templates_path = []
html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_use_index = False
html_copy_source = True  # for the button that downloads a notebook
html_sourcelink_suffix = ""
html_show_copyright = html_show_sphinx = False
html_context = {"default_mode": "auto"}  # light or dark, as the system is
html_theme_options = {
    "show_navbar_depth": 2,  # chapters and their parts
    "navbar_persistent": [],  # a second search field above each page
    "use_fullscreen_button": False,
    "footer_content_items": ["extra-footer.html"],
    "extra_footer": site.FOOTER,
    **site.launch(),
}


def setup(app):
    site.setup(app)
