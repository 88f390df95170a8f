"""Keep the README's chapter table and picture as manifests and notebooks have them.

python -m tools.readme
"""

import re
import sys

from tools.files import write_atomically
from tools.notebooks import NOTEBOOKS, ROOT, colab_link, manifest, read_stored, stem

README = ROOT / "README.md"


def groups():
    """[(number of two digits, title, chapters)]: the eleven chapters with their parts."""
    course, chapters, _ = manifest()
    found = {}
    for chapter in chapters:
        found.setdefault(chapter["number"][:2], []).append(chapter)
    return [
        (number, course["titles"].get(number) or parts[0]["title"], parts)
        for number, parts in found.items()
    ]


def table():
    """The chapters as a table: a line for each of the eleven, and one for each part."""
    lines = ["| | chapter | you will see | minutes | claims |", "|---|---|---|--:|--:|"]
    for number, title, parts in groups():
        if parts[0]["number"] != number:  # all its parts have letters
            lines.append(f"| **{number}** | **{title}** | | | |")
        lines += [line_of(c, c["number"] == number) for c in parts]
    chapters = [c for _, _, parts in groups() for c in parts]
    jax = ", ".join(c["number"] for c in chapters if c.get("jax"))
    total = sum(c["cpu_seconds"] for c in chapters)
    return "\n".join(
        [
            *lines,
            "",
            f"All of them together take at most {total} CPU seconds. With JAX beneath "
            f"Keras (`make jax`) these run, too: {jax}.",
        ]
    )


def line_of(c, whole):
    stored = read_stored(NOTEBOOKS / f"{stem(c)}.ipynb")  # None: not executed so far
    claims = stored.metadata.get("dl_course", {}).get("claims", "") if stored else ""
    number = f"**{c['number']}**" if whole else c["number"]
    title = f"[{c['title']}](notebooks/{stem(c)}.ipynb)"
    title = f"**{title}**" if whole else f"↳ {title}"
    colab = f" ([Colab]({colab_link(c)}))" if colab_link(c) else ""
    return (
        f"| {number} | {title}: {c['question']}{colab} | {c['promise']} "
        f"| {c['minutes']} | {claims} |"
    )


def site():
    """Where the pages of the course are."""
    repository = manifest()[0]["repository"]
    if repository:
        owner, _, name = repository.partition("/")
        where = f"https://{owner.lower()}.github.io/{name}/"
        return f"To read it in a browser, without installing anything: [the site]({where})."
    return "To read it in a browser: `make site` writes its pages to `build/site`."


def with_table(readme):
    """The README's text with its chapters, and the way to the site, from the manifests."""
    for name, made in (("chapters", table()), ("site", site())):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        readme = marked.sub(lambda m, made=made: f"{m[1]}{made}\n{m[2]}", readme)
    return readme


def main():
    from tools import picture  # loads matplotlib: `make lab` needs only groups()

    text = README.read_text("utf-8")
    write_atomically(README, picture.with_picture(with_table(text)))
    picture.write()
    print("README.md: table and picture are up to date")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:  # a figure of the picture is gone: it says which
        sys.exit(str(error))
