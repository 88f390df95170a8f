"""dl_course.plots: grids, confusion matrices, and figures with alt texts."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from dl_course import plots


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_the_style_is_set():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == plots.CYCLE
        assert plt.rcParams["image.interpolation"] == "nearest"


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 4, 4, 1), (5, 4, 4, 3)])
def test_images_shows_every_picture_once(shape):
    pictures = np.random.default_rng(0).random(shape)
    figure = plots.images(pictures, [str(i) for i in range(5)], columns=3)
    drawn = [axis for axis in figure.axes if axis.images]
    assert len(figure.axes) == 6  # two rows of three
    assert [axis.get_title() for axis in drawn] == list("01234")
    for axis, picture in zip(drawn, pictures, strict=True):
        assert np.array_equal(axis.images[0].get_array(), picture.squeeze())


def test_images_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"images: expected shape .* got \(4, 4\)"):
        plots.images(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="images: expected shape"):
        plots.images(np.zeros((2, 4, 4, 2)))
    with pytest.raises(ValueError, match="titles: expected 2 of them, got 1"):
        plots.images(np.zeros((2, 4, 4)), ["one"])


def test_confusion_writes_the_counts_where_they_belong():
    matrix = np.array([[5, 1, 0], [0, 7, 2], [3, 0, 9]])
    axis = plots.confusion(matrix, ["a", "b", "c"]).axes[0]
    written = {text.get_position(): int(text.get_text()) for text in axis.texts}
    assert written == {(0, 0): 5, (1, 0): 1, (1, 1): 7, (2, 1): 2, (0, 2): 3, (2, 2): 9}
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b", "c"]
    assert axis.images[0].get_array().trace() == 0  # the diagonal is not shaded
    with pytest.raises(ValueError, match="matrix: expected shape"):
        plots.confusion(np.zeros((2, 3)))


def test_show_displays_a_small_sharp_picture_with_its_alt_text(monkeypatch):
    shown = {}
    monkeypatch.setattr(
        "IPython.display.display", lambda data, **options: shown.update(options, data=data)
    )
    figure, axis = plt.subplots(figsize=(4, 3))
    axis.plot([0, 1], [0, 1])
    plots.show(figure, alt="A straight line that rises from zero to one.")
    assert shown["data"]["text/plain"].startswith("[figure] A straight line")
    picture = Image.open(io.BytesIO(base64.b64decode(shown["data"]["image/png"])))
    details = shown["metadata"]["image/png"]
    assert details["alt"].startswith("A straight line")
    assert picture.width == pytest.approx(2 * details["width"], abs=1)
    assert picture.mode == "P"
    assert not plt.fignum_exists(figure.number)


@pytest.mark.parametrize("alt", ["", "plot", None])
def test_show_asks_for_an_alt_text(alt):
    with pytest.raises(ValueError, match="alt: expected a sentence"):
        plots.show(plt.figure(), alt=alt)
