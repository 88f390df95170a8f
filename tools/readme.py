"""Keep the README's chapter table and picture as the manifest and the notebooks have them.

python -m tools.readme
"""

import re

import nbformat

from tools import picture
from tools.course import claims_of
from tools.notebooks import NOTEBOOKS, ROOT, manifest, stem

README = ROOT / "README.md"


def with_table(readme):
    """The README's text with its chapter table made from the manifest."""
    lines = [
        "| | chapter | you will see | minutes | seconds | memory | claims |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    course, chapters, _ = manifest()
    for c in chapters:
        notebook = nbformat.read(NOTEBOOKS / f"{stem(c)}.ipynb", as_version=4)
        memory = notebook.metadata.get("dl_course", {}).get("memory", "")
        lines.append(
            f"| {c['number']} | [{c['title']}](notebooks/{stem(c)}.ipynb): "
            f"{c['question']} | {c['promise']} | {c['minutes']} | ≤ {c['seconds']} "
            f"| {memory} | {len(claims_of(notebook)[0])} |"
        )
    jax = ", ".join(course["jax"])
    lines += ["", f"With JAX beneath Keras (`make jax`) these run, too: {jax}."]
    marked = re.compile(r"(<!-- chapters -->\n).*?(<!-- /chapters -->)", re.DOTALL)
    return marked.sub(lambda m: m[1] + "\n".join(lines) + "\n" + m[2], readme)


def main():
    text = README.read_text("utf-8")
    text = picture.with_picture(with_table(text))
    README.write_text(text, "utf-8", newline="\n")
    picture.write()
    print("README.md: table and picture are up to date")


if __name__ == "__main__":
    main()
