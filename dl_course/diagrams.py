"""Concept diagrams: boxes on a grid of names, and arrows that find their own way.

    d = Diagram('''
        image   .
        conv    kernel
        maps    .
    ''')
    d.data(image="image", maps="feature maps")
    d.operation(conv="convolution")
    d.parameter(kernel="kernel")
    d.arrow("image -> conv -> maps", "(batch, 28, 28, 1)", "(batch, 26, 26, 8)")
    d.arrow("kernel -> conv")
    plots.show(d.draw(), alt="An image and a kernel enter a convolution, maps leave it.")

The grid says where each box stands; a dot is an empty cell, and a name that fills several
neighboring cells makes one wide or tall box. Sizes, gaps and routes follow from the texts.
Kinds of boxes differ in shape as well as in color. `layout` finds the places.
"""

import re
from functools import partialmethod

import numpy as np
from matplotlib import patches
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.path import Path

from dl_course.layout import FONT, SIDES, SMALL, Box, Layout
from dl_course.plots import BLACK, BLUE, GREEN, RED

GAP = 0.36  # inches from box to box, where no label needs more
MAX_WIDTH = 5.8  # wider, labels would fall below 8 pixels where a figure is 390 wide
COLORS = {"operation": BLUE, "parameter": GREEN, "loss": RED}  # the other kinds: black


class Diagram:
    """A drawing that grows by boxes, arrows and groups, until `draw` makes a figure of it.

    `operation`, `data`, `parameter`, `loss`, `circle` and `note` (text alone) take
    name="text to show" and, if wanted, color; texts may hold $math$ and line breaks.
    """

    def __init__(self, grid):
        rows = [line.split() for line in grid.splitlines() if line.strip()]
        if len({len(row) for row in rows}) != 1:
            widths = [len(row) for row in rows]
            raise ValueError(f"grid: expected rows of equally many cells, got {widths}")
        self._cells, self._boxes, self._arrows, self._groups = {}, {}, [], []
        for name in {name for row in rows for name in row} - {"."}:
            r, c = np.nonzero(np.array(rows) == name)
            self._cells[name] = ((c.min(), c.max()), (r.min(), r.max()))
            if len(r) != (np.ptp(r) + 1) * (np.ptp(c) + 1):
                raise ValueError(f"grid: expected one rectangle of cells named {name!r}")

    def _check(self, names, where):
        for name in names:
            if name not in self._cells:
                known = ", ".join(sorted(self._cells))
                raise ValueError(
                    f"{where}: expected names of the grid ({known}), got {name!r}"
                )

    def _add(self, kind, /, color=None, **labels):
        self._check(labels, kind)
        for name, label in labels.items():
            if name in self._boxes:
                raise ValueError(f"{kind}: expected a new box, got {name!r} again")
            color = color or COLORS.get(kind, BLACK)
            self._boxes[name] = Box(kind, label, color, self._cells[name])

    operation = partialmethod(_add, "operation")
    data = partialmethod(_add, "data")
    parameter = partialmethod(_add, "parameter")
    loss = partialmethod(_add, "loss")
    circle = partialmethod(_add, "circle")
    note = partialmethod(_add, "note")

    def arrow(self, path, *labels, leave=None, enter=None, straight=False, color=None):
        """Arrows along a path of names, with a label each, as far as there are any.

        Args:
            path: "a -> b -> c"; "a -- b" is a line without a head, and "b ~> a" the dashed
                arrow of a gradient.
            labels: such as "(batch, 28, 28, 1)", in the order of the arrows.
            leave, enter: "left", "right", "above" or "below": the sides of the boxes that
                arrows use; the shortest way decides if None.
            straight: go straight from box to box, at any angle.
        """
        where = f"arrow {path!r}"
        names = re.split(r"\s*(->|--|~>)\s*", path.strip())
        self._check(names[::2], where)
        if not len(labels) <= len(names) // 2 > 0:
            count = f"{len(names) // 2} arrows and {len(labels)} labels"
            raise ValueError(f"{where}: expected an arrow for each label, got {count}")
        if not {leave, enter} <= {*SIDES, None}:
            raise ValueError(f"{where}: expected sides of {[*SIDES]}, got {leave}, {enter}")
        for a, sign, b in zip(names[:-2:2], names[1::2], names[2::2], strict=True):
            label, labels = (labels[0], labels[1:]) if labels else ("", ())
            if straight and a == b:
                raise ValueError(f"{where}: expected two boxes, a loop cannot be straight")
            shade = color or (RED if sign == "~>" else BLACK)
            self._arrows.append((a, sign, b, label, leave, enter, straight, shade))

    def group(self, names, title="", color=BLACK):
        """A frame around the boxes whose names stand in one string, with a title."""
        self._check(names.split(), f"group {title!r}")
        self._groups.append((names.split(), title, color))

    def draw(self):
        """The matplotlib Figure. Raises ValueError if it would not be legible."""
        if missing := sorted(self._cells.keys() - self._boxes.keys()):
            raise ValueError(f"grid: expected a box for each name, got none for {missing}")
        for gap in (GAP, 1.3 * GAP, 1.7 * GAP):  # until every text finds room
            drawing = Layout(self._boxes, self._arrows, self._groups, gap)
            if not drawing.homeless:
                break
        else:
            raise ValueError(f"{drawing.homeless[0]!r}: found no room, leave a cell empty")
        figure = painted(drawing)
        if (width := figure.get_figwidth()) > MAX_WIDTH:
            raise ValueError(
                f"diagram: expected at most {MAX_WIDTH} inches of width, got {width:.1f}: "
                "break lines, or place boxes below each other"
            )
        return figure


# ---------------------------------------------------------------- drawing


def painted(layout):
    """The matplotlib Figure of a layout, as large as its contents."""
    rings = [ring for ring, *_ in layout.frames]
    points = np.concatenate([*layout.lines, *layout.taken, *rings])
    low, high = points.min(0) - 0.06, points.max(0) + 0.06
    figure = Figure(figsize=high - low, layout="none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    axes.set_axis_off()
    for ring, title, color in layout.frames:
        frame = rounded_box(ring[0], *(ring[2] - ring[0]), gid=f"group {title}")
        frame.set(ec=color, fc=(*to_rgb(color), 0.04), zorder=0.5)
        axes.add_patch(frame)
    for (a, sign, b, *_, color), line in zip(layout.arrows, layout.lines, strict=True):
        paint_arrow(axes, f"arrow {a} {sign} {b}", line, sign, color)
    for name, box in layout.boxes.items():
        fill = [1 - 0.22 * (1 - c) for c in to_rgb(box.color)]
        fill = "white" if box.color == BLACK else fill
        for shape in shapes(box):
            shape.set(ec=box.color, fc=fill, lw=1.4, gid=f"box {name}")
            axes.add_patch(shape)
        write(axes, box.label, box.center, FONT, BLACK, f"text {name}")
    for text, color, center in layout.texts:
        write(axes, text, center, SMALL, color, f"label {text}")
    return figure


def write(axes, text, center, size, color, gid):
    """A text around its center, darker than its color."""
    color = [0.65 * c for c in to_rgb(color)]  # thin letters need more contrast
    middle = {"ha": "center", "va": "center"}
    axes.text(*center, text, fontsize=size, color=color, gid=gid, **middle)


def paint_arrow(axes, gid, line, sign, color):
    """A rounded line, and a head unless its sign is "--"."""
    ahead = (line[-1] - line[-2]) / np.hypot(*(line[-1] - line[-2]))
    shaft = line.copy()
    if sign != "--":
        base, aside = line[-1] - 0.12 * ahead, 0.045 * ahead[::-1] * (1, -1)
        head = [line[-1], base + aside, base - aside]
        axes.add_patch(patches.Polygon(head, fc=color, lw=0, gid=f"head {gid}"))
        shaft[-1] = base
    style = {"ec": color, "lw": 1.3, "ls": "--" if sign == "~>" else "-", "gid": gid}
    axes.add_patch(patches.PathPatch(rounded(shaft), fill=False, **style))


def rounded(points):
    """A Path along a polyline, with its corners rounded."""
    vertices, codes = [points[0]], [Path.MOVETO]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        start, end = (
            at + min(0.5, 0.08 / np.hypot(*way)) * way for way in (before - at, after - at)
        )
        vertices += [start, at, end]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, points[-1]], [*codes, Path.LINETO])


def rounded_box(low, width, height, **style):
    """A rectangle with round corners."""
    return patches.FancyBboxPatch(
        low, width, height, "round,pad=0,rounding_size=0.1", **style
    )


def shapes(box):
    """The patches of a box, by its kind."""
    (x, y), (w, h) = box.corners()[0], 2 * box.half
    if box.kind == "circle":
        return [patches.Circle(box.center, w / 2)]
    if box.kind == "operation":
        return [rounded_box((x, y), w, h)]
    if box.kind == "loss":
        left = [(x + h / 4, y + h), (x, y + h / 2), (x + h / 4, y)]
        right = [(x + w - h / 4, y), (x + w, y + h / 2), (x + w - h / 4, y + h)]
        return [patches.Polygon(left + right)]
    inner = [patches.Rectangle((x + 0.04, y + 0.04), w - 0.08, h - 0.08)]
    outer = [patches.Rectangle((x, y), w, h)]
    return {"data": outer, "parameter": outer + inner}.get(box.kind, [])
