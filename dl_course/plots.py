"""Figures that more than one chapter draws, and the style they share.

Colors are those of Okabe & Ito (2008), told apart by color-blind readers too; meaning
never hangs on color alone: lines carry labels or markers as well.
"""

import math

import numpy as np

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    "#222222", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
CYCLE = [BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK]

STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.dpi": 96,
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "image.cmap": "gray_r",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "savefig.facecolor": "white",
}


def use_style():
    """Set the course's matplotlib style for this notebook."""
    import matplotlib as mpl

    mpl.rcParams.update(STYLE, **{"axes.prop_cycle": mpl.cycler(color=CYCLE)})


def show(figure, alt):
    """Display a figure with a text for readers who cannot see it, then close it.

    Args:
        figure: a matplotlib Figure.
        alt: one or two sentences that say what the figure shows.

    The picture is a PNG of at most 256 colors with two pixels a point: sharp on any
    screen, and small in a stored notebook.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    if not isinstance(alt, str) or len(alt.split()) < 4:
        raise ValueError(f"alt: expected a sentence that says what is seen, got {alt!r}")
    data, width, height = _png(figure)
    plt.close(figure)
    display(
        {"image/png": data, "text/plain": f"[figure] {alt}"},
        metadata={"image/png": {"width": width, "height": height, "alt": alt}},
        raw=True,
    )


def _png(figure):
    """(base64 text, width, height): twice as many pixels as the size shown."""
    import base64
    import io

    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=2 * STYLE["figure.dpi"], bbox_inches="tight")
    picture = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    data = base64.b64encode(small.getvalue()).decode("ascii")
    return data, picture.width // 2, picture.height // 2


def images(images, titles=None, *, columns=8, cmap="gray_r", size=1.1):
    """A grid of pictures without axes, every pixel sharp.

    Args:
        images: (n, height, width), (n, height, width, 1) or (n, height, width, 3).
        titles: n short strings, or None.
        columns: pictures in a row.
        size: inches a picture takes.

    Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.shape[3:] not in ((), (1,), (3,)):
        raise ValueError(
            "images: expected shape (n, height, width), (n, height, width, 1) or "
            f"(n, height, width, 3), got {images.shape}"
        )
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles: expected {len(images)} of them, got {len(titles)}")
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    height = size * (1.0 if titles is None else 1.25)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, height * rows))
    for axis in np.ravel(axes):
        axis.set_axis_off()
    for i, (axis, image) in enumerate(zip(np.ravel(axes), images, strict=False)):
        image = image[..., 0] if image.shape[-1] == 1 else image
        axis.imshow(image, cmap=cmap, interpolation="nearest")
        if titles is not None:
            axis.set_title(titles[i], fontsize=9, loc="center")
    return figure


def confusion(matrix, labels=None):
    """A confusion matrix: true classes in rows, predicted classes in columns.

    Args:
        matrix: (classes, classes) counts; the diagonal is right.
        labels: names of the classes; 0, 1, 2 … if None.

    Shades show mistakes only: the diagonal would drown them. Returns a matplotlib Figure.
    """
    import matplotlib.pyplot as plt

    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix: expected shape (classes, classes), got {matrix.shape}")
    classes = len(matrix)
    labels = range(classes) if labels is None else labels
    mistakes = np.where(np.eye(classes, dtype=bool), 0, matrix)
    figure, axis = plt.subplots(figsize=(0.5 * classes + 0.8, 0.5 * classes + 0.4))
    axis.imshow(mistakes, cmap="Oranges", vmax=max(1, 1.5 * mistakes.max()))
    for row in range(classes):
        for column in range(classes):
            if matrix[row, column]:
                axis.text(
                    column, row, matrix[row, column], ha="center", va="center", fontsize=9,
                    fontweight="bold" if row == column else "normal",
                )  # fmt: skip
    axis.set_xticks(range(classes), labels)
    axis.set_yticks(range(classes), labels)
    axis.set(xlabel="predicted class", ylabel="true class")
    axis.grid(False)
    return figure
