"""What every picture is drawn with: colours, markers, figures, axes.

Colours are those of Okabe and Ito and the map is blue to orange, which people who cannot tell red
from green can tell apart.  Matplotlib is imported when the first picture is drawn, without pyplot,
so nothing is kept open and no window appears.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, MissingExtraError
from workings.support.arrays import Array, describe
from workings.support.colours import BLUE_TO_ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design", 2008; ordered so that the first ones differ most.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW = "#56B4E9", "#D55E00", "#F0E442"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, "#000000", "#7F7F7F", "#A6611A")
LINES = (BLUE, VERMILION, GREEN, PURPLE, "#000000", SKY, ORANGE)  # the darker ones first: a line is thin
MARKERS = "os^DvP*Xph"
GREY, PALE = "#555555", "#BBBBBB"
PALE_BLUE_TO_ORANGE = ("#7DB9DE", "#B5D8EE", "#FFFFFF", "#FBD3B5", "#F2A56F")  # points can be seen on these
DPI = 150
A_LITTLE = 80  # points: curves that end no further apart have their names below each other


def matplotlib_part(name: str) -> Any:
    """Import a module of matplotlib; say which extra brings it when it is not there."""
    try:
        return importlib.import_module(f"matplotlib.{name}")
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure, its size in inches, that belongs to nobody and arranges itself."""
    figure: Figure = matplotlib_part("figure").Figure(figsize=(width, height), layout="constrained")
    return figure


def new_axes(width: float, height: float) -> Axes:
    """Make a figure with one pair of axes."""
    return new_figure(width, height).subplots()


def panels(count: int, columns: int, width: float, height: float, shared: bool = False) -> tuple[Figure, list[Axes]]:
    """Make a figure of ``count`` panels of this size in inches, with the places that are left over empty."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = new_figure(max(columns * width, 2.4), max(rows * height, 1.6))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).ravel()
    for ax in axes[count:]:
        ax.set_axis_off()
    for ax in axes[max(count - columns, 0) : count]:
        ax.tick_params(labelbottom=True)
    return figure, list(axes[:count])


def diverging(shades: Sequence[str] = BLUE_TO_ORANGE) -> Any:
    """Make the colour map from blue (negative) through white to orange (positive)."""
    return matplotlib_part("colors").LinearSegmentedColormap.from_list("blue-white-orange", shades)


def symmetric(values: Array, shades: Sequence[str] = BLUE_TO_ORANGE) -> dict[str, Any]:
    """Give the settings of a colour scale that is white at zero."""
    highest = float(np.abs(values).max()) or 1.0
    return {"cmap": diverging(shades), "vmin": -highest, "vmax": highest}


def tidy(ax: Axes, xlabel: str = "", ylabel: str = "") -> Axes:
    """Label the axes and leave only the two sides that carry numbers."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def bare(ax: Axes) -> Axes:
    """Leave nothing of the axes but what is drawn in them."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def add_title(ax: Axes, title: str, caption: str | None) -> None:
    """Write a title and, smaller and below it, a caption."""
    ax.set_title(title, loc="left", fontsize=10, pad=17 if caption else 5)
    if caption:
        ax.annotate(caption, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5, color=GREY)


def write_cells(ax: Axes, texts: Sequence[Sequence[str]], colours: Array, size: float = 8) -> None:
    """Write a text in each cell of a drawn matrix."""
    for (row, column), colour in np.ndenumerate(colours):
        ax.text(column, row, texts[row][column], ha="center", va="center", color=colour, fontsize=size)


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]], apart: float = 13) -> None:
    """Write (x, y, colour, text) to the right of where each curve ends, at least ``apart`` points from each other.

    A curve that ends a little before the last has its text where that one's stands, beyond both.
    """
    per_point = ax.figure.dpi / 72
    ax.autoscale_view()
    places = [ax.transData.transform((end[0], end[1])) / per_point for end in ends]
    furthest, lowest = max(place[0] for place in places), -math.inf
    for (across, height), (x, y, colour, text) in sorted(zip(places, ends, strict=True), key=lambda end: end[0][1]):
        lowest = max(height, lowest + apart)
        beyond = furthest - across if furthest - across < A_LITTLE else 0
        ax.annotate(
            text,
            (x, y),
            (7 + beyond, lowest - height),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def class_name(label: Any) -> str:
    """Write a class without the ``.0`` of a float.

    >>> class_name(np.float64(1)), class_name("cat")
    ('1', 'cat')
    """
    return f"{label:g}" if isinstance(label, (float, np.floating)) else str(label)


def matrix(values: ArrayLike, name: str, meaning: str) -> Array:
    """Give a two-dimensional array of numbers, or say what was expected instead."""
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be {meaning}; it is {describe(array)}.")
    return array


def vector(values: ArrayLike, name: str, length: int | None = None) -> Array:
    """Give a one-dimensional array of the expected length, or say what arrived instead."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or (length is not None and len(array) != length):
        wanted = "at least one value" if length is None else f"{length} values"
        raise InputError(f"{name} must have one dimension and {wanted}; it is {describe(array)}.")
    return array
