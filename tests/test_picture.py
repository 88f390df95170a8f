"""tools.picture: the README's picture is made of stored figures, and small."""

import pytest
from PIL import Image, ImageDraw

from tools import notebooks, picture

TILES = [tile for row in picture.ROWS for tile in row]


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: tile.chapter)
def test_a_tile_is_a_large_part_of_a_stored_figure(tile):
    figure, part = picture.stored_figure(tile.chapter, tile.alt), picture.cut(tile)
    assert part.width * part.height > 0.2 * figure.width * figure.height
    assert min(part.getextrema()[0][0], part.getextrema()[2][0]) < 150  # it is not empty


def test_it_is_small_and_its_labels_are_read_on_a_phone():
    assert picture.PICTURE.stat().st_size <= 250_000
    with Image.open(picture.PICTURE) as stored:
        assert stored.width > stored.height > 390
        assert picture.LETTERS * 390 / stored.width >= 8


def test_it_shows_many_chapters():
    numbers = [chapter["number"] for chapter in notebooks.manifest()[1]]
    assert {tile.chapter for tile in TILES} <= set(numbers)
    assert len({tile.chapter[:2] for tile in TILES}) >= 7


def test_a_changed_figure_is_noticed_and_noise_is_not(tmp_path, monkeypatch):
    made = picture.compose()
    monkeypatch.setattr(picture, "compose", lambda: made)
    with Image.open(picture.PICTURE) as stored:
        changed = stored.convert("RGB")
    noisy = changed.point(lambda value: max(0, value - 3))
    noisy.save(tmp_path / "noisy.png")
    assert picture.is_current(tmp_path / "noisy.png")
    ImageDraw.Draw(changed).rectangle((100, 150, 190, 240), fill="gray")
    changed.save(tmp_path / "changed.png")
    assert not picture.is_current(tmp_path / "changed.png")
    changed.resize((700, 480)).save(tmp_path / "small.png")
    assert not picture.is_current(tmp_path / "small.png")


def test_the_readmes_line_says_what_is_seen():
    text = picture.with_picture("# Title\n\n![old words](somewhere/opening.png)\n\nText.")
    line = text.splitlines()[2]
    assert line.endswith("](docs/opening.png)") and "old" not in line
    assert all(f"{tile.says} ({tile.chapter})" in line for tile in TILES)
    assert text.startswith("# Title") and text.endswith("Text.")
    assert picture.with_picture(text) == text


def test_a_figure_that_is_gone_is_named(monkeypatch):
    with pytest.raises(
        ValueError, match=r"chapter 07: expected one .*'No such', got 0 among"
    ):
        picture.stored_figure("07", "No such")
    wide = [[picture.ROWS[0][0]._replace(label="far more words than " * 9)]]
    monkeypatch.setattr(picture, "ROWS", wide)
    with pytest.raises(ValueError, match=r"label 'far more words .* expected at most"):
        picture.compose()
