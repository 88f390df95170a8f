"""What makes a concept diagram legible, measured on the figure as matplotlib draws it.

`problems(figure)` is for every diagram of the course; `diagrams_in(source)` gives those
that a chapter's source draws. Artists are known by their gid: "box a", "text a",
"arrow a -> b", "head arrow a -> b", "label (28, 28, 1)", "group × N".
"""

import re
from itertools import combinations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.path import Path

PHONE, LEAST = 390, 8  # pixels: a narrow screen, and the smallest letters on it
CSS = 96  # pixels an inch where a figure is shown in its own size


def problems(figure):
    """Sentences that say what is wrong; none if all is well."""
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    paths, extents, texts = {}, {}, {}
    for patch in axes.patches:
        path = patch.get_transform().transform_path(patch.get_path())
        paths.setdefault(patch.get_gid(), path)
        extents.setdefault(patch.get_gid(), path.get_extents())
    for text in axes.texts:
        gid = text.get_gid()
        if (
            gid.startswith("text ") and f"box {gid[5:]}" not in paths
        ):  # a note has no outline
            box = text.get_window_extent().padded(6)
            paths[f"box {gid[5:]}"] = path_of(box)
            extents[f"box {gid[5:]}"] = box
        texts[gid, *text.get_position()] = text

    boxes = {gid[4:]: box for gid, box in extents.items() if gid.startswith("box ")}
    frames = {gid: box for gid, box in extents.items() if gid.startswith("group ")}
    arrows = {gid: path for gid, path in paths.items() if gid.startswith("arrow ")}
    heads = {f"head {gid}": gid for gid in arrows}
    strokes = [*arrows.items(), *((a, paths[h]) for h, a in heads.items() if h in paths)]
    labels = {
        k: t.get_window_extent() for k, t in texts.items() if k[0].startswith("label ")
    }
    inner = {k: t.get_window_extent() for k, t in texts.items() if k[0].startswith("text ")}

    # boxes, frames, texts
    for (a, box), (b, other) in combinations(boxes.items(), 2):
        if overlap(box, other):
            yield f"boxes {a} and {b} overlap"
    for (gid, *_), extent in inner.items():
        if not paths[f"box {gid[5:]}"].contains_points(extent.corners(), radius=1).all():
            yield f"{gid} leaves its box"
    for key, label in labels.items():
        for name, box in boxes.items():
            if overlap(label, box):
                yield f"{key[0]} overlaps box {name}"
        for gid, path in (*strokes, *((g, path_of(f)) for g, f in frames.items())):
            if path.intersects_bbox(label, filled=False):
                yield f"{key[0]} overlaps {gid}"
    for (key, label), (other_key, other) in combinations(labels.items(), 2):
        if overlap(label, other):
            yield f"{key[0]} and {other_key[0]} overlap"
    for gid, frame in frames.items():
        for name, box in boxes.items():
            held = frame.contains(*box.min) and frame.contains(*box.max)
            if overlap(frame, box) and not held:
                yield f"{gid} cuts box {name}"
    for gid, extent in (*extents.items(), *((key[0], box) for key, box in labels.items())):
        if not (figure.bbox.contains(*extent.min) and figure.bbox.contains(*extent.max)):
            yield f"{gid} leaves the figure"

    # arrows
    for gid, path in arrows.items():
        a, sign, b = gid.split()[1:]
        tip = paths[f"head {gid}"].vertices[0] if sign != "--" else path.vertices[-1]
        for name, point in ((a, path.vertices[0]), (b, tip)):
            if (far := distance(point, paths[f"box {name}"])) > 2:
                yield f"{gid} ends {far:.0f} pixels from the border of box {name}"
    for gid, path in strokes:
        a, _, b = gid.split()[1:]
        for name, box in boxes.items():
            own = name in (a, b)
            if path.intersects_bbox(box.padded(-0.25 * box.height if own else 3), False):
                yield f"{gid} runs through box {name}"

    # legible on a phone
    scale = min(1, PHONE / (figure.get_figwidth() * CSS))
    for (gid, *_), text in texts.items():
        if (size := text.get_fontsize() * CSS / 72 * scale) < LEAST:
            yield f"{gid} is {size:.1f} pixels high on a screen of {PHONE} pixels"
        if contrast(text.get_color()) < 4.5:
            yield f"{gid} has too little contrast"


def diagrams_in(source):
    """The figures that the diagram cells of a chapter's source (py:percent) show.

    Such cells need nothing but `Diagram` and `plots`.
    """
    from dl_course import plots
    from dl_course.diagrams import Diagram

    class Plots:
        """plots, but what is shown is kept."""

        def __getattr__(self, name):
            return getattr(plots, name)

        def show(self, figure, alt):
            figures.append(figure)

    figures = []
    for cell in re.split(r"^# %%.*$", source, flags=re.MULTILINE):
        if re.search(r"^[^#\n]*\bDiagram\(", cell, flags=re.MULTILINE):
            names = {"Diagram": Diagram, "plots": Plots()}
            code = re.sub(r"^(from dl_course import plots)$", "", cell, flags=re.MULTILINE)
            exec(code, names)
    return figures


def overlap(a, b):
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


def path_of(box):
    return Path([*box.corners()[[0, 1, 3, 2]], box.corners()[0]])


def distance(point, path):
    """From a point to the outline of a path, in pixels."""
    outline = path.to_polygons()[0]
    start, way = outline[:-1], np.diff(outline, axis=0)
    length = np.maximum((way**2).sum(1), 1e-9)
    share = np.clip(((point - start) * way).sum(1) / length, 0, 1)
    return np.hypot(*(start + share[:, None] * way - point).T).min()


# ---------------------------------------------------------------- colors

# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB
SEEN_WITH = {
    "all cones": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip
XYZ = np.array([
    [0.4124, 0.3576, 0.1805],
    [0.2126, 0.7152, 0.0722],
    [0.0193, 0.1192, 0.9505],
])  # fmt: skip


def linear(color):
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(color):
    """Of a color with white, as WCAG defines it."""
    return 1.05 / (XYZ[1] @ linear(color) + 0.05)


def difference(a, b, eyes="all cones"):
    """Euclidean distance in CIELAB of two colors (some 2.3 are just noticeable)."""

    def lab(color):
        xyz = XYZ @ np.clip(SEEN_WITH[eyes] @ linear(color), 0, 1) / XYZ.sum(1)
        f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
        return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])

    return np.linalg.norm(lab(a) - lab(b))
