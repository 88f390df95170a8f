"""dl_course.diagrams: legible by measure, told apart by all eyes, clear about mistakes."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from dl_course import plots
from dl_course.diagrams import Diagram
from tests import diagram_checks, example_diagrams
from tests.diagram_checks import SEEN_WITH, difference, problems

KINDS = ["operation", "data", "parameter", "loss", "circle", "note"]


def patch(figure, gid):
    return next(p for p in figure.axes[0].patches if p.get_gid() == gid)


def text(figure, gid):
    return next(t for t in figure.axes[0].texts if t.get_gid() == gid)


def two_boxes(*labels):
    d = Diagram("a\nb\nc")
    d.data(a="image")
    d.operation(b="layer", c="layer")
    d.arrow("a -> b -> c", *labels)
    return d.draw()


@pytest.mark.parametrize("example", example_diagrams.ALL, ids=lambda f: f.__name__)
def test_examples_are_legible(example):
    assert list(problems(example().draw())) == []


@pytest.mark.parametrize("number", range(12))
def test_any_diagram_is_legible_or_refused(number):
    rng = np.random.default_rng(number)
    rows, columns = rng.integers(2, 6), rng.integers(2, 4)
    cells = [[f"n{i}_{j}" for j in range(columns)] for i in range(rows)]
    names = [c for row in cells for c in row if rng.random() < 0.7] or [cells[0][0]]
    grid = "\n".join(" ".join(c if c in names else "." for c in row) for row in cells)
    d = Diagram(grid)
    for name in names:
        says = str(rng.choice(["+", "layer", "attention\nheads", "$x_t$"]))
        getattr(d, str(rng.choice(KINDS)))(**{name: says})
    for _ in range(len(names)):
        a, b = rng.choice(names, 2)
        d.arrow(
            f"{a} {rng.choice(['->', '~>'])} {b}", str(rng.choice(["", "(28, 28)", "2"]))
        )
    try:
        figure = d.draw()
    except ValueError as error:
        assert "no room" in str(error) or "inches" in str(error)
    else:
        assert list(problems(figure)) == []


# ---------------------------------------------------------------- the measure measures


def test_the_checks_see_boxes_that_overlap_and_arrows_that_end_elsewhere():
    figure = two_boxes()
    box = patch(figure, "box b")
    box.set_y(box.get_y() + 0.5)
    found = " | ".join(problems(figure))
    assert "boxes b and c overlap" in found
    assert "text b leaves its box" in found
    assert "arrow a -> b ends 50 pixels from the border of box b" in found
    assert "arrow b -> c runs through box b" in found


def test_the_checks_see_labels_that_overlap():
    figure = two_boxes("(28, 28)", "(26, 26)")
    first, second = text(figure, "label (28, 28)"), text(figure, "label (26, 26)")
    second.set_position(first.get_position())
    assert "label (28, 28) and label (26, 26) overlap" in list(problems(figure))
    second.set_position(text(figure, "text b").get_position())
    assert "label (26, 26) overlaps box b" in list(problems(figure))
    second.set_position((0, -9))
    assert "label (26, 26) leaves the figure" in list(problems(figure))
    figure = two_boxes("(28, 28)")
    text(figure, "label (28, 28)").set_x(0.0)  # where the arrow is
    assert "label (28, 28) overlaps arrow a -> b" in list(problems(figure))


def test_the_checks_see_small_pale_and_foreign_things():
    figure = two_boxes()
    text(figure, "text b").set(fontsize=5, color="#999999")
    found = list(problems(figure))
    assert "text b is 6.7 pixels high on a screen of 390 pixels" in found
    assert "text b has too little contrast" in found
    d = Diagram("a\nb\nc")
    d.data(a="a", b="b", c="c")
    d.arrow("a -> c")
    figure = d.draw()
    assert list(problems(figure)) == []
    straight = d._boxes["a"].center[0]
    path = patch(figure, "arrow a -> c").get_path()
    path.vertices[:, 0] = straight
    assert "arrow a -> c runs through box b" in list(problems(figure))
    d.group("a b", "two")
    figure = d.draw()
    frame = patch(figure, "group two")
    frame.set_height(frame.get_height() - 0.4)
    assert "group two cuts box b" in list(problems(figure))


def test_diagrams_are_found_in_a_chapters_source():
    source = """
# %% [markdown]
# Diagram( in words
# %% tags=["figure"]
from dl_course import plots
from dl_course.diagrams import Diagram

d = Diagram("a b")
d.data(a="a", b="b")
d.arrow("a -> b")
plots.show(d.draw(), alt="An arrow from a box to a box.")
# %%
undefined_elsewhere
"""
    (figure,) = diagram_checks.diagrams_in(source)
    assert list(problems(figure)) == []
    assert patch(figure, "box a") and patch(figure, "arrow a -> b")


# ---------------------------------------------------------------- what is drawn


def test_arrows_start_and_end_where_they_are_told():
    d = Diagram("a b\n. c")
    d.data(a="a", b="b", c="c")
    d.arrow("a -> c", leave="below", enter="below")
    start, *_, end = patch(d.draw(), "arrow a -> c").get_path().vertices
    a, c = d._boxes["a"], d._boxes["c"]
    assert start[1] == pytest.approx(a.center[1] + a.half[1])
    assert end[1] > c.center[1] + c.half[1]
    assert end[1] - 0.12 == pytest.approx(c.center[1] + c.half[1])  # a head is 0.12 long


def test_a_gradient_is_dashed_and_a_line_has_no_head():
    d = Diagram("a b")
    d.data(a="a", b="b")
    d.arrow("a -> b ~> a")
    d.arrow("a -- b")
    figure = d.draw()
    assert patch(figure, "arrow b ~> a").get_linestyle() == "--"
    assert patch(figure, "arrow a -> b").get_linestyle() == "-"
    heads = {p.get_gid() for p in figure.axes[0].patches if p.get_gid().startswith("head")}
    assert heads == {"head arrow a -> b", "head arrow b ~> a"}


def test_a_name_in_several_cells_makes_a_wide_box():
    d = Diagram("a b\nc c")
    d.data(a="a", b="b", c="c")
    d.draw()
    boxes = d._boxes
    assert boxes["c"].corners()[0, 0] == pytest.approx(boxes["a"].corners()[0, 0])
    assert boxes["c"].corners()[1, 0] == pytest.approx(boxes["b"].corners()[1, 0])


def test_groups_may_hold_groups():
    d = Diagram("a b\nc c")
    d.data(a="a", b="b", c="c")
    d.group("a b", "inner")
    d.group("a b c", "outer")
    figure = d.draw()
    assert list(problems(figure)) == []
    inner, outer = (patch(figure, f"group {t}").get_extents() for t in ("inner", "outer"))
    assert outer.contains(*inner.min) and outer.contains(*inner.max)


def test_drawing_twice_gives_the_same_figure():
    d = example_diagrams.gated_cell()
    first, second = d.draw(), d.draw()
    for a, b in zip(first.axes[0].patches, second.axes[0].patches, strict=True):
        assert np.array_equal(a.get_path().vertices, b.get_path().vertices)


def test_a_diagram_leaves_pyplot_alone_and_loads_no_tensorflow():
    code = (
        "import sys; from dl_course.diagrams import Diagram; d = Diagram('a');"
        "d.data(a='a'); d.draw();"
        "print({'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stderr


def test_show_takes_a_diagram(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    plots.show(two_boxes(), alt="An image passes through two layers.")
    assert "image/png" in shown[0]


# ---------------------------------------------------------------- told apart


def outlines():
    d = Diagram("operation data parameter loss")
    for kind in ("operation", "data", "parameter", "loss"):
        getattr(d, kind)(**{kind: kind})
    found = {}
    for p in d.draw().axes[0].patches:
        found.setdefault(p.get_gid()[4:], []).append(p)
    return found


@pytest.mark.parametrize("eyes", SEEN_WITH)
def test_kinds_differ_in_color_for_all_eyes(eyes):
    colors = {kind: found[0].get_edgecolor()[:3] for kind, found in outlines().items()}
    for a, b in combinations(colors, 2):
        assert difference(colors[a], colors[b], eyes) > 30, (a, b)


def test_the_simulation_of_eyes_works():
    red, green = "#D00000", "#5C8A00"  # far apart, but not without red or green cones
    assert difference(red, green) > 90
    assert (
        difference("#AA5500", "#777700", "deuteranopia")
        < 20
        < difference("#AA5500", "#777700")
    )
    assert difference(to_rgb("white"), "#FFFFFF", "protanopia") == 0


def test_kinds_differ_in_shape():
    shapes = {
        kind: (len(found), *(len(p.get_path().vertices) for p in found))
        for kind, found in outlines().items()
    }
    assert all(isinstance(p, Patch) for found in outlines().values() for p in found)
    assert len(set(shapes.values())) == 4, shapes


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    "grid, message",
    [
        ("a b\nc", r"grid: expected rows of equally many cells, got \[2, 1\]"),
        ("", r"grid: expected rows of equally many cells, got \[\]"),
        ("a b\nb a", "grid: expected one rectangle of cells named '[ab]'"),
    ],
)
def test_a_grid_that_is_none(grid, message):
    with pytest.raises(ValueError, match=message):
        Diagram(grid)


@pytest.mark.parametrize(
    "use, message",
    [
        (lambda d: d.data(q="x"), r"data: expected names of the grid \(a, b, c\), got 'q'"),
        (lambda d: d.data(a="again"), "data: expected a new box, got 'a' again"),
        (lambda d: d.arrow("a -> q"), r"arrow 'a -> q': expected names .*a, b, c.* 'q'"),
        (lambda d: d.arrow("a => b"), "arrow 'a => b': expected names .* got 'a => b'"),
        (lambda d: d.arrow("a"), "arrow 'a': expected an arrow .* 0 arrows and 0 labels"),
        (lambda d: d.arrow("a -> b", "1", "2"), "got 1 arrows and 2 labels"),
        (lambda d: d.arrow("a -> b", leave="top"), "expected sides of .*'above'.* got top"),
        (lambda d: d.arrow("a -> a", straight=True), "a loop cannot be straight"),
        (lambda d: d.group("a q", "two"), "group 'two': expected names .* got 'q'"),
    ],
)
def test_mistakes_are_named_at_once(use, message):
    d = Diagram("a b c")
    d.data(a="a", b="b", c="c")
    with pytest.raises(ValueError, match=message):
        use(d)


def test_mistakes_are_named_when_drawn():
    d = Diagram("a b c")
    d.data(a="a", b="b")
    with pytest.raises(
        ValueError, match=r"expected a box for each name, got none for \['c'\]"
    ):
        d.draw()
    d.data(c="c")
    d.group("a c", "two")
    with pytest.raises(ValueError, match="group 'two': its frame would enclose 'b', too"):
        d.draw()
    d = Diagram("a b c")
    d.data(
        a="a very wide box of text", b="another box of much text", c="and a third one, too"
    )
    with pytest.raises(ValueError, match=r"expected at most 5.8 inches of width, got 6"):
        d.draw()
