"""What tests share: a course of one tiny chapter, in a folder of its own."""

import pytest

from tools import notebooks

COURSE = 'title = "A course"\nrepository = ""\ntag = ""\n\n[titles]\n'
MANIFEST = """\
title = "Small"
question = "Why?"
promise = "You will see."
objectives = ["see"]
prerequisites = ["Python"]
minutes = 1
cpu_seconds = 1
data = ["none"]
module = "linear"
key_points = ["It is small."]
references = ["someone2000"]
"""
REFERENCES = (
    '[someone2000]\ntext = "Someone (2000). *Title*."\nurl = "https://example.org"\n'
)
SMALL = """\
# %% [markdown]
# ## 1. Is it small?

# %%
print(1 + 1)

# %% tags=["solution"]
print("answer")
"""


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    """A course of one tiny chapter; returns the chapter and the path of its source."""
    (tmp_path / "src").mkdir()
    (tmp_path / "course.toml").write_text(COURSE, "utf-8")
    (tmp_path / "references.toml").write_text(REFERENCES, "utf-8")
    (tmp_path / "src" / "01_small.toml").write_text(MANIFEST, "utf-8")
    source = tmp_path / "src" / "01_small.py"
    source.write_text(SMALL, "utf-8")
    monkeypatch.setattr(notebooks, "NOTEBOOKS", tmp_path)
    return notebooks.manifest()[1][0], source
