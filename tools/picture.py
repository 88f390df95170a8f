"""The README's picture: results of the course, cut out of the stored notebooks' figures.

python -m tools.readme
"""

import base64
import io
import re
from typing import NamedTuple

import nbformat
import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageChops, ImageDraw, ImageFont

from dl_course.plots import BLACK, BLUE
from tools.files import write_atomically
from tools.notebooks import NOTEBOOKS, ROOT, manifest, stem

PICTURE = ROOT / "docs" / "opening.png"
WIDTH, GAP, LETTERS = 1400, 24, 31  # pixels; four of them are one on a phone
TOLERANCE = 12  # of 255: how far a stored and a new square of 50 pixels may be apart


class Tile(NamedTuple):
    """A stored figure, or a part of it, and what is written above."""

    chapter: str
    alt: str  # the start of the figure's alt text
    part: tuple  # left, top, right, bottom, as shares of its width and height
    label: str
    says: str  # what is seen, for readers who cannot see it


ROWS = [
    [
        Tile(
            "07", "A map of 100 drawn digits", (0, 0, 1, 0.69), "imagined digits",
            "a map of drawn digits that turn into each other",
        ),
        Tile(
            "04", "Five paths over a valley", (0.335, 0.085, 1, 0.88), "optimizers race",
            "the paths of five optimizers over a bent valley and a saddle",
        ),
        Tile(
            "05b", "Four rows of eight emoji", (0, 0, 0.74, 1), "what it looks for",
            "emoji that excite a network's channels",
        ),
    ],
    [
        Tile(
            "05", "Four maps of a seven", (0, 0.16, 0.5, 1), "edges of a seven",
            "a seven's edges, found by a convolution",
        ),
        Tile(
            "08b", "Twelve rows of ordered", (0, 0, 1, 0.502), "digits made to order",
            "rows of generated digits from 0 to 9",
        ),
        Tile(
            "11b", "Six digits; speckled maps", (0, 0, 0.668, 1), "why it said so",
            "digits, and which of their pixels speak for the answer",
        ),
    ],
    [
        Tile(
            "09", "Where the decoder looked in 6", (0, 0, 1, 1), "reading a date",
            "where attention looked in a Turkish date",
        ),
        Tile(
            "06", "Forecasts follow the measured", (0, 0, 1, 1), "sunspots, a year ahead",
            "fifty years of sunspots and their forecast",
        ),
        Tile(
            "11e", "Arrows to the goal; on ice", (0.505, 0.09, 1, 1), "a way on ice",
            "arrows that lead around an abyss",
        ),
    ],
]  # fmt: skip


def stored_figure(chapter, alt):
    """The Image of the only stored figure of a chapter whose alt text starts like this."""
    (name,) = (stem(c) for c in manifest()[1] if c["number"] == chapter)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                text = output.metadata.get("image/png", {}).get("alt", "")
                found.setdefault(text, output.data["image/png"])
    matching = [text for text in found if text.startswith(alt)]
    if len(matching) != 1:
        raise ValueError(
            f"chapter {chapter}: expected one figure whose alt text starts with {alt!r}, "
            f"got {len(matching)} among {sorted(found)}: change ROWS in tools/picture.py"
        )
    return Image.open(io.BytesIO(base64.b64decode(found[matching[0]]))).convert("RGB")


def cut(tile):
    """The part of a tile's figure that is shown, without its white margins."""
    figure = stored_figure(tile.chapter, tile.alt)
    size = np.array([figure.width, figure.height] * 2)
    image = figure.crop(tuple((size * tile.part).round().astype(int)))
    ink = np.argwhere(np.asarray(image).min(axis=2) < 250)
    (top, left), (bottom, right) = ink.min(0), ink.max(0) + 1
    return image.crop((left, top, right, bottom))


def compose():
    """The picture: rows of tiles with their labels, each row as wide as the whole."""
    font, bold = (
        ImageFont.truetype(font_manager.findfont(f"DejaVu Sans:{weight}"), LETTERS)
        for weight in ("regular", "bold")
    )
    picture, y = Image.new("RGB", (WIDTH, WIDTH), "white"), GAP
    draw = ImageDraw.Draw(picture)
    for row in ROWS:
        images, x = [cut(tile) for tile in row], GAP
        ratios = [image.width / image.height for image in images]
        height = round((WIDTH - GAP * (len(row) + 1)) / sum(ratios))
        for tile, image, ratio in zip(row, images, ratios, strict=True):
            width = round(height * ratio)
            indent = draw.textlength(f"{tile.chapter} ", bold)
            if indent + draw.textlength(tile.label, font) > width:
                raise ValueError(f"label {tile.label!r}: expected at most {width} pixels")
            draw.text((x, y + LETTERS), tile.chapter, BLUE, bold, anchor="ls")
            draw.text((x + indent, y + LETTERS), tile.label, BLACK, font, anchor="ls")
            tile_size = image.resize((width, height), Image.Resampling.LANCZOS)
            picture.paste(tile_size, (x, y + LETTERS + GAP))
            x += width + GAP
        y += LETTERS + height + 2 * GAP
    return picture.crop((0, 0, WIDTH, y)).quantize(256, kmeans=1, dither=Image.Dither.NONE)


def is_current(path=PICTURE):
    """Whether the stored picture is the one that `compose` makes, to the eye.

    Versions of Pillow and of its FreeType may differ in the edges of letters.
    """
    stored, made = Image.open(path).convert("RGB"), compose().convert("RGB")
    if stored.size != made.size:
        return False
    difference = ImageChops.difference(stored, made).convert("L")
    return difference.reduce(50).getextrema()[1] <= TOLERANCE


def with_picture(readme):
    """The README's text with the picture's line: what it shows, and where."""
    tiles = [f"{tile.says} ({tile.chapter})" for row in ROWS for tile in row]
    alt = f"Figures from the notebooks, each with its chapter: {'; '.join(tiles)}."
    line = f"![{alt}]({PICTURE.relative_to(ROOT).as_posix()})"
    return re.sub(rf"!\[[^\]]*\]\([^)]*{PICTURE.name}\)", lambda _: line, readme)


def write():
    """Store the picture, unless the stored one is current."""
    if not PICTURE.exists() or not is_current():
        made = io.BytesIO()
        compose().save(made, format="png", optimize=True)
        write_atomically(PICTURE, made.getvalue())
