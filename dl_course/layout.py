"""Where the parts of a concept diagram stand: boxes, frames, arrows, then texts.

`dl_course.diagrams` is what authors use; this is the geometry beneath it. Lengths are
inches, y grows downward, and axis 0 is x. A rectangle is ((x, y) low, (x, y) high).
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Bbox

FONT, SMALL = 10, 9  # points: texts of boxes; labels of arrows and titles of groups
LANE, NEAR, PAD = 0.15, 0.1, 0.24  # from a box to lines, to foreign lines, to a frame
SIDES = {"right": (0, 1), "left": (0, -1), "below": (1, 1), "above": (1, -1)}


@dataclass
class Box:
    """A box of a diagram: what it says, its cells of the grid, its place."""

    kind: str
    label: str
    color: str
    cells: tuple  # ((first column, last column), (first row, last row))
    center: np.ndarray = field(default_factory=lambda: np.zeros(2))
    half: np.ndarray = None  # half the width, half the height

    def corners(self, margin=0.0):
        return self.center + np.array([[-1], [1]]) * (self.half + margin)

    def lines(self, axis):
        quarter = min(0.25, self.half[axis] / 2)
        return self.center[axis] + np.array([0, -quarter, quarter])

    def ports(self, other, side):
        """(point on the border, point just outside, offset) where an arrow may touch.

        The offset from the middle of the side is a share of half the side.
        """
        for axis, sign in [SIDES[side]] if side else SIDES.values():
            half, tip = self.half[1 - axis], self.half[1] / 2
            room = max(half / 2, half - 0.06)
            if self.kind in ("circle", "loss"):
                room = self.half[0] - tip if self.kind == "loss" and axis else tip * 1.2
            for line in {*self.lines(1 - axis), *other.lines(1 - axis)}:
                offset, reach = abs(line - self.center[1 - axis]), self.half[axis]
                if offset > room + 1e-9:
                    continue
                if self.kind == "circle":
                    reach = np.sqrt(reach**2 - offset**2)
                elif self.kind == "loss" and axis == 0:
                    reach -= tip * offset / self.half[1]
                points = np.full((2, 2), line)
                points[0, axis] = self.center[axis] + sign * reach
                points[1, axis] = self.center[axis] + sign * (self.half[axis] + LANE)
                yield *points, offset / half


class Layout:
    """One layout of a Diagram: boxes, then frames, arrows, texts, with this least gap."""

    def __init__(self, boxes, arrows, groups, gap):
        self.boxes, self.arrows = boxes, arrows
        self.canvas = Figure(dpi=100)  # only to measure texts
        levels = [sum(set(g) >= set(inner) for inner, *_ in groups) for g, *_ in groups]
        groups = [(*g, PAD * level) for g, level in zip(groups, levels, strict=True)]
        self.size_boxes()
        self.lanes = [self.place(axis, gap, groups) for axis in (0, 1)]
        self.frames = [self.frame(*group) for group in groups]
        self.lines = self.routes()
        self.texts, self.homeless = [], []
        self.settle()

    def size(self, text, points):
        """(width, height) of a text."""
        artist = self.canvas.text(0, 0, text, fontsize=points)
        box = artist.get_window_extent()
        artist.remove()
        return np.array([box.width, box.height]) / self.canvas.dpi

    # ------------------------------------------------------------ boxes and frames

    def size_boxes(self):
        alike = {}
        for name, box in self.boxes.items():
            w, h = self.size(box.label, FONT)
            box.half = np.array([w + 0.22, max(0.3, h + 0.14)]) / 2
            if box.kind == "circle":
                box.half = np.full(2, max(0.15, np.hypot(w, h) / 2 + 0.02))
            elif box.kind == "note":
                box.half = np.array([w, h]) / 2 + 0.06
            elif box.kind == "loss":
                box.half[0] += 0.09 + h / 8
            free = name if box.kind in ("circle", "note") else None
            alike.setdefault((box.kind, box.cells[0], free), []).append(box)
        for column in alike.values():  # boxes of one kind and column are equally wide
            widest = max(box.half[0] for box in column)
            for box in column:
                box.half[0] = widest

    def place(self, axis, gap, groups):
        """Set the boxes' centers along an axis; return lines halfway between columns."""
        spans = [(box, *box.cells[axis]) for box in self.boxes.values()]
        half = np.full(1 + max(last for *_, last in spans), 0.15)
        for box, first, last in sorted(spans, key=lambda span: span[2] - span[1]):
            lack = box.half[axis] - half[first : last + 1].sum() - (last - first) * gap / 2
            half[first : last + 1] += max(0, lack) / (last - first + 1)
        room, gaps = np.array([half, half]), np.full(len(half) - 1, gap)
        for a, _, b, label, *_ in self.arrows:
            size = self.size(label, SMALL) if label else (0, 0)
            (a0, a1), (b0, b1) = self.boxes[a].cells[axis], self.boxes[b].cells[axis]
            aligned = self.boxes[a].cells[1 - axis] == self.boxes[b].cells[1 - axis]
            if label and max(a0, b0) == min(a1, b1) + 1 and (axis or aligned):
                gaps[min(a1, b1)] = max(gaps[min(a1, b1)], size[axis] + 0.3)
            elif label and axis == 0 and (a0, a1) == (b0, b1):
                room[1, a1] = max(room[1, a1], size[0] + 0.1)
        for names, title, _, pad in groups:
            first, last = np.transpose([self.boxes[name].cells[axis] for name in names])
            first, last = first.min(), last.max()
            above = pad + 0.17 * bool(title) * axis
            room[0, first] = max(room[0, first], half[first] + above)
            room[1, last] = max(room[1, last], half[last] + pad)
        centers = np.concatenate([[0], np.cumsum(room[1, :-1] + gaps + room[0, 1:])])
        low, high = centers - half, centers + half
        for box, first, last in spans:
            box.center[axis] = (low[first] + high[last]) / 2
            if first < last and box.kind not in ("circle", "note"):
                box.half[axis] = (high[last] - low[first]) / 2
        return [low[0] - 0.4, *(high[:-1] + low[1:]) / 2, high[-1] + 0.4]

    def frame(self, names, title, color, pad):
        corners = np.array([self.boxes[name].corners(pad) for name in names])
        low, high = corners[:, 0].min(0), corners[:, 1].max(0)
        low[1] -= 0.17 * bool(title)
        for name, box in self.boxes.items():
            if name not in names and overlap(box.corners(), (low, high)):
                raise ValueError(f"group {title!r}: its frame would enclose {name!r}, too")
        ring = np.array([low, (high[0], low[1]), high, (low[0], high[1]), low])
        return ring, title, color

    # ------------------------------------------------------------ arrows

    def routes(self):
        """A polyline for each arrow; short ones first, so that long ones avoid them."""

        def distance(i):
            a, b = (self.boxes[self.arrows[i][k]].center for k in (0, 2))
            return np.abs(a - b).sum()

        lines, drawn = {}, [(None, ring) for ring, *_ in self.frames]
        for i in sorted(range(len(self.arrows)), key=distance):
            a, sign, b, _, leave, enter, straight, _ = self.arrows[i]
            lines[i] = (
                self.straight(self.boxes[a], self.boxes[b])
                if straight
                else self.bent(a, sign, b, leave, enter, drawn)
            )
            drawn.append(((a, sign), lines[i]))
        return [lines[i] for i in range(len(self.arrows))]

    def straight(self, a, b):
        way = b.center - a.center
        ends = []
        for box, sign in ((a, 1), (b, -1)):
            share = np.min(box.half / np.maximum(np.abs(way), 1e-9))
            if box.kind == "circle":
                share = box.half[0] / np.hypot(*way)
            ends.append(box.center + sign * share * way)
        return np.array(ends)

    def bent(self, a, sign, b, leave, enter, drawn):
        """The cheapest of all ways with at most three legs between two ports' stubs."""
        if a == b:
            leave = enter = leave or enter or "above"
        back = [w for w in self.arrows if (w[2], w[0]) == (a, b)]  # side by side with it
        pair = a == b or (
            leave is enter is None and any(w[4] is w[5] is None for w in back)
        )
        xs, ys = (
            np.unique([*self.lanes[k], *np.ravel([
                box.corners(LANE)[:, k] for box in self.boxes.values()
            ])]) for k in (0, 1)
        )  # fmt: skip
        ways, costs = [], []
        for p, p1, offset in self.boxes[a].ports(self.boxes[b], leave):
            for q, q1, other in self.boxes[b].ports(self.boxes[a], enter):
                if a == b and np.sum(p - q) < 0.01:
                    continue  # a loop leaves on the right of a side's center, or below it
                way = np.tile([p, p1, p1, q1, q1, q], (len(xs) + len(ys) + 2, 1, 1))
                way[: len(xs) + 1, 2:4, 0] = np.array([q1[0], *xs])[:, None]
                way[len(xs) + 1 :, 2:4, 1] = np.array([q1[1], *ys])[:, None]
                ways.append(way)
                aside = 0.6 * (offset + other + pair * ((offset < 0.01) + (other < 0.01)))
                costs += [aside] * len(way)
        ways, costs = np.concatenate(ways), np.array(costs)
        start, end = ways[:, :-1], ways[:, 1:]
        low, high = np.minimum(start, end), np.maximum(start, end)
        free = np.full(len(ways), True)
        for box in self.boxes.values():
            x, y = box.corners(NEAR)
            inside = np.all((high > x + 1e-6) & (low < y - 1e-6), axis=-1)
            free &= ~inside[:, 1:4].any(1)
        if not free.any():
            raise ValueError(f"arrow from {a!r} to {b!r}: found no way, leave a cell empty")
        ways, costs, low, high = ways[free], costs[free], low[free], high[free]
        costs += (high - low).sum((1, 2))
        heading = np.sign(ways[:, 1] - ways[:, 0])
        for k in range(1, 5):
            step = np.sign(np.round(ways[:, k + 1] - ways[:, k], 6))
            moves = step.any(1)
            costs += 0.5 * (moves & (step != heading).any(1))
            heading[moves] = step[moves]
        for start, line in drawn:
            close, across = meetings(low, high, line)
            costs += 0.25 * across
            if start != (a, sign):  # arrows of one source may share their first part
                costs += 2 * close
        return simplified(ways[np.argmin(costs)])

    # ------------------------------------------------------------ texts beside lines

    def settle(self):
        """Find places for titles and labels that touch nothing, or call them homeless."""
        taken = [box.corners(0.02) for box in self.boxes.values()]
        for line in self.lines:  # heads of arrows
            back = line[-2] - line[-1]
            middle = line[-1] + 0.06 * back / np.hypot(*back)
            taken.append(middle + np.array([[-0.08], [0.08]]))
        lines = [Path(line) for line in (*self.lines, *(ring for ring, *_ in self.frames))]
        wanted = [(title, color, within, ring) for ring, title, color in self.frames]
        for (*_, label, _, _, _, color), line in zip(self.arrows, self.lines, strict=True):
            wanted.append((label, color, beside, line))
        for text, color, places, line in wanted:
            half = self.size(text, SMALL) / 2 if text else None
            for center in places(line, half) if text else ():
                rect = center + np.array([[-1], [1]]) * (half + 0.02)
                crossed = any(path.intersects_bbox(Bbox(rect), False) for path in lines)
                if not crossed and not any(overlap(rect, other) for other in taken):
                    taken.append(rect)
                    self.texts.append((text, color, center))
                    break
            else:
                self.homeless += [text] * bool(text)
        self.taken = taken


# ---------------------------------------------------------------- small geometry


def overlap(a, b):
    """Whether two rectangles ((x, y) low, (x, y) high) do."""
    return bool(np.all(a[1] > b[0]) and np.all(a[0] < b[1]))


def meetings(low, high, line):
    """How many legs, of (ways, legs, 2), run along a line, and how many cross it."""
    close, across = 0, 0
    for p, q in pairwise(line):
        x, y = np.minimum(p, q), np.maximum(p, q)
        along = int(y[1] - x[1] > y[0] - x[0])  # the line's axis
        meet, long = (high > x - 1e-6) & (low < y + 1e-6), high - low > 1e-6
        near = np.abs(low[..., 1 - along] - x[1 - along]) < 0.07
        close += (long[..., along] & near & meet[..., along]).sum(1)
        across += (long[..., 1 - along] & meet.all(-1)).sum(1)
    return close, across


def simplified(points):
    """A polyline without the inner points that lie on a straight line."""
    keep = [points[0]]
    for p, q in pairwise(points[1:]):
        (a, b), (c, d) = p - keep[-1], q - p
        if abs(a * d - b * c) > 1e-6:
            keep.append(p)
    return np.array([*keep, points[-1]])


def beside(line, half):
    """Centers for a label of this half size beside a line's legs, the longest first."""
    for p, q in sorted(pairwise(line), key=lambda leg: -np.hypot(*(leg[1] - leg[0]))):
        way = (q - p) / np.hypot(*(q - p))
        normal = np.array([way[1], -way[0]])
        normal *= 1 if normal[0] > normal[1] else -1  # to the right, or above
        for share in (0.5, 0.35, 0.65, 0.2, 0.8):
            for n in (normal, -normal):
                yield p + share * (q - p) + n * (np.abs(n) @ half + 0.06)


def within(ring, half):
    """Centers for a title along a frame's upper, then its lower edge."""
    low, high = ring[0] + half + 0.07, ring[2] - half - 0.07
    return ((x, y) for y in (low[1], high[1]) for x in np.linspace(low[0], high[0], 9))
