"""The references of notebooks/references.toml as BibTeX.

A reference is a text of one form: authors (year). Title. *Journal or conference*, volume
and pages. Or, for a book: authors (year). *Title* (edition). Publisher.
"""

import re

CONFERENCE = re.compile(
    r"Conference|Symposium|Workshop|Meeting|Advances in|Proceedings of the (?:\d|ACM)|Track"
    r"|\b(?:AAAI|AISTATS|AKBC|ACL|CCS|COLING|COLT|CVPR|ECCV|EMNLP|ICASSP|ICCV|ICDAR|ICLR|ICML|ICWSM"
    r"|IJCAI|Interspeech|ISCA|KDD|NAACL|NeurIPS|NIPS|OSDI|SIGMOD|UAI|WWW)\b"
)
INITIALS = r"(?:\w+\.(?:-\w+\.)*\s?)+"  # "J. L." or "H.-Y."
PAGES = re.compile(r"\b(\d+)[–-](\d[\w.]*)")


def bibtex(references):
    """The text of a .bib file (UTF-8), an entry for each of {key: {"text", "url"}}.

    Raises ValueError if a text has not the form that is described above.
    """
    return "\n".join(entry(key, **reference) for key, reference in references.items())


def entry(key, text, url):
    kind, fields = parse(text)
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, f"  url = {{{url}}},", "}", ""])


def parse(text):
    """(kind of entry, {field: value, escaped for TeX}) of a reference."""
    form = re.fullmatch(r"(.+?)( \(Eds\.\)\.)? \((\d{4})\)\. (.+)", text)
    if not form:
        raise ValueError(f"reference: expected 'authors (year). title ...', got {text!r}")
    who, editors, year, rest = form.groups()
    if book := re.fullmatch(r"\*(.+?)\*(?: \((.+?)\))?\.(?: (.+?)\.?)?", rest):
        title, edition, publisher = book.groups()
        kind, more = "book", {"edition": edition, "publisher": publisher}
        if re.search("[Rr]eport|Recommendation|StatLib", publisher or "Report"):
            kind, more = "misc", {"edition": edition, "howpublished": publisher}
    else:
        paper = re.fullmatch(r"(.+?[.?!]) \*?([^*]+?)\*?(?:,? ([^*]*?))?\.?", rest)
        if not paper:
            raise ValueError(f"reference: expected 'title. *venue* ...', got {text!r}")
        title, (kind, more) = paper[1].removesuffix("."), venue(paper[2], paper[3] or "")
    fields = {
        "editor" if editors else "author": " and ".join(people(who)),
        "title": with_capitals(tex(title)),
        **{name: tex(value) for name, value in more.items() if value},
        "year": year,
    }
    return kind, fields


def venue(name, numbers):
    """(kind, fields) of where a paper appeared, and what is left of its numbers."""
    if "arXiv" in name:
        number = re.search(r"\d{4}\.\d{4,5}|[\w-]+/\d{7}", f"{name} {numbers}")[0]
        return "misc", {"eprint": number, "archiveprefix": "arXiv"}
    fields = {}
    if pages := PAGES.search(numbers):
        fields["pages"] = f"{pages[1]}--{pages[2]}"
        numbers = numbers[: pages.start()].rstrip(", ")
    if CONFERENCE.search(name):
        fields = {"booktitle": name, **fields}
        if volume := re.fullmatch(r"(?:([A-Z]+) )?(\d+)(?:\((\d+)\))?", numbers):
            series = dict(zip(("series", "volume", "number"), volume.groups(), strict=True))
            return "inproceedings", {**fields, **series}
        return "inproceedings", {**fields, "note": numbers}
    if volume := re.fullmatch(
        r"([A-Z]*-?\d+)(?:\(([\d–/]+)\))?(?:, (?:Article )?(\w+))?", numbers
    ):
        fields = {"volume": volume[1], "number": volume[2], "pages": volume[3], **fields}
        return "article", {"journal": name, **fields}
    if name.startswith("Transactions"):
        return "article", {"journal": name, **fields}
    return "misc", {"howpublished": name, "note": numbers, **fields}


def people(text):
    """The names in "Last, F., & Other, G. H., et al." in BibTeX's form."""
    text = text.replace(", & ", ", ").replace(" & ", ", ")
    others = ["others"] if re.search(r",? et al\.$", text) else []
    text = re.sub(r",? et al\.$", "", text)
    found, at = [], 0
    for name in re.finditer(rf"([^,]+), ({INITIALS})(?:, |$)", text):
        if name.start() != at:
            break
        found.append(f"{name[1]}, {name[2].strip()}")
        at = name.end()
    if at != len(text):  # an institution
        found = [f"{{{tex(text)}}}"]
    return found + others


def tex(text):
    return re.sub(r"([&%#_$])", r"\\\1", text)


def with_capitals(title):
    """A title whose names and abbreviations keep their capitals in every style."""
    first, *words = title.split(" ")
    keep = [f"{{{w}}}" if any(map(str.isupper, w)) else w for w in words]
    return " ".join([f"{{{first}}}" if any(map(str.isupper, first[1:])) else first, *keep])
