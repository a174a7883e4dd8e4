"""Shared drawing helpers: colours, markers, figures, axes, labels.

The colours come from Okabe and Ito, and the colour map goes from blue to orange; both are safe
for red-green colour blindness.  Matplotlib is imported with the first plot, without pyplot, so no
window opens and no figure stays open.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import unicodedata
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, MissingExtraError
from workings.support.arrays import Array, describe
from workings.support.colours import BLUE_TO_ORANGE
from workings.support.escaping import in_latex, in_plot, visible
from workings.support.keywords import wrong_call

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure

# Okabe & Ito, "Color Universal Design", 2008; ordered so that the first colours differ most.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, YELLOW = "#56B4E9", "#D55E00", "#F0E442"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, "#000000", "#7F7F7F", "#A6611A")
LINES = (BLUE, VERMILION, GREEN, PURPLE, "#000000", SKY, ORANGE)  # dark colours first, because lines are thin
MARKERS = "os^DvP*Xph"
GREY, PALE = "#555555", "#BBBBBB"
PALE_BLUE_TO_ORANGE = ("#7DB9DE", "#B5D8EE", "#FFFFFF", "#FBD3B5", "#F2A56F")  # points are visible on these
P = ParamSpec("P")
R = TypeVar("R")
LONGEST_TITLE = 120  # letters of a title
LONGEST_PANEL_TITLE = 28  # letters of the title of one of several panels
LONGEST_NAME = 40  # letters of a name from data, in plots
INCHES_PER_LETTER = 0.085  # about the width of a letter in the size of labels
LABEL_REACH = 80  # in points: labels of curves that end closer to the last one than this are aligned in one column


def matplotlib_part(name: str) -> Any:  # a module, or its settings
    """Import a module of matplotlib, or raise an error that names the extra to install."""
    try:
        matplotlib = importlib.import_module("matplotlib")
        return getattr(matplotlib, name) if name.startswith("rc") else importlib.import_module(f"matplotlib.{name}")
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plots") from error


def canvas() -> ModuleType:
    """Import the figures that notebooks display."""
    matplotlib_part("figure")  # a clear error if Matplotlib is missing
    return importlib.import_module("workings.plots.canvas")


def plot(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a plot function: a figure of ours is on white paper; the user's axes get fonts for their texts."""
    signature = inspect.signature(draw)

    @functools.wraps(draw)
    def drawn(*arguments: P.args, **settings: P.kwargs) -> R:
        if problem := wrong_call(draw.__name__, draw, arguments, settings):
            raise problem
        parts = canvas()
        given = signature.bind(*arguments, **settings).arguments.get("ax")
        if given is None:
            with matplotlib_part("rc_context")(parts.ON_PAPER):
                return draw(*arguments, **settings)
        result = draw(*arguments, **settings)
        parts.fit_fonts(given)
        return result

    return drawn


def as_text(text: object, keep: str = "", most: int = LONGEST_NAME) -> str:
    """Return text from data for a plot, so that it is drawn as it is; of a long text, the beginning and the end.

    Matplotlib takes text between dollar signs for mathematics; with the user's setting ``text.usetex``, in
    the user's axes, it takes all text for LaTeX.

    >>> print(as_text("$50k-$100k"))
    \\$50k-\\$100k
    """
    words = visible(text, keep)
    words = canvas().drawable(words)
    words = words if len(words) <= most else f"{words[: most * 2 // 3]}…{words[-(most // 3) :]}"
    return in_latex(words) if matplotlib_part("rcParams")["text.usetex"] else in_plot(words, keep)


def letter_count(text: str) -> int:
    """Return the width of a text in letters: a Chinese or Japanese character is as wide as two.

    >>> letter_count("cat"), letter_count("猫")
    (3, 2)
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def legend_columns(figure: Figure | SubFigure, names: Sequence[str], most: int = 5) -> int:
    """Return the number of columns of a legend below the panels that fits into the width of the figure."""
    longest = INCHES_PER_LETTER * max(map(letter_count, names), default=0) + 0.45
    return max(1, min(most, int(figure.bbox.width / figure.dpi / longest)))


def new_figure(width: float, height: float) -> Figure:
    """Create an empty figure outside pyplot, whose layout makes room for all labels; its size is in inches."""
    figure: Figure = canvas().ShownFigure(figsize=(width, height), layout="compressed")
    return figure


def new_axes(width: float, height: float) -> Axes:
    """Create a figure with one set of axes."""
    return new_figure(width, height).subplots()


def panels(count: int, columns: int, width: float, height: float, shared: bool = False) -> tuple[Figure, list[Axes]]:
    """Create a figure with ``count`` panels; ``width`` and ``height`` of a panel are in inches."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = new_figure(max(columns * width, 2.4), max(rows * height, 1.6))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).ravel()
    for ax in axes[count:]:
        ax.set_axis_off()
    for ax in axes[max(count - columns, 0) : count]:
        ax.tick_params(labelbottom=True)
    return figure, list(axes[:count])


def diverging(shades: Sequence[str] = BLUE_TO_ORANGE) -> Colormap:
    """Return the colour map from blue (negative) through white to orange (positive)."""
    found: Colormap = matplotlib_part("colors").LinearSegmentedColormap.from_list("blue-white-orange", shades)
    return found


class ColourScale(TypedDict):
    """The colour map of an image, and the values at its ends."""

    cmap: Colormap
    vmin: float
    vmax: float


def symmetric(values: Array, shades: Sequence[str] = BLUE_TO_ORANGE) -> ColourScale:
    """Return the ``imshow`` settings of a colour scale that is white at zero."""
    highest = float(np.abs(values).max()) or 1.0
    return {"cmap": diverging(shades), "vmin": -highest, "vmax": highest}


def tidy(ax: Axes, xlabel: str = "", ylabel: str = "") -> Axes:
    """Label the axes and hide the top and right spines."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def bare(ax: Axes) -> Axes:
    """Hide ticks and spines."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def add_title(ax: Axes, title: str, caption: str | None) -> None:
    """Add a title, and a smaller caption below it."""
    ax.set_title(as_text(title, most=LONGEST_PANEL_TITLE), loc="left", fontsize=10, pad=17 if caption else 5)
    if caption:
        caption = as_text(caption, most=LONGEST_PANEL_TITLE + 6)
        ax.annotate(caption, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5, color=GREY)


def write_cells(ax: Axes, texts: Sequence[Sequence[str]], colours: Array, size: float = 8) -> None:
    """Write a text into each cell of a plotted matrix."""
    for (row, column), colour in np.ndenumerate(colours):
        ax.text(column, row, texts[row][column], ha="center", va="center", color=colour, fontsize=size)


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]], apart: float = 13) -> None:
    """Label the right end of each curve, given as (x, y, colour, text), with at least ``apart`` points between labels.

    The label of a curve that ends slightly earlier is aligned with that of the longest curve.
    """
    per_point = ax.figure.dpi / 72
    ax.autoscale_view()
    places = [ax.transData.transform((end[0], end[1])) / per_point for end in ends]
    furthest, lowest = max(place[0] for place in places), -math.inf
    for (across, height), (x, y, colour, text) in sorted(zip(places, ends, strict=True), key=lambda end: end[0][1]):
        lowest = max(height, lowest + apart)
        shift = furthest - across if furthest - across < LABEL_REACH else 0
        ax.annotate(
            text,
            (x, y),
            (7 + shift, lowest - height),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def class_name(label: object) -> str:
    """Format a class label, a float without ``.0``.

    >>> class_name(np.float64(1)), class_name("cat")
    ('1', 'cat')
    """
    return f"{label:g}" if isinstance(label, (float, np.floating)) else visible(label)


def matrix(values: ArrayLike, name: str, meaning: str) -> Array:
    """Return a two-dimensional array of numbers, or raise an error that states what was expected."""
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be {meaning}; it is {describe(array)}.")
    return array


def vector(values: ArrayLike, name: str, length: int | None = None) -> Array:
    """Return a one-dimensional array of the expected length, or raise an error that states what was received."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or (length is not None and len(array) != length):
        expected = "at least one value" if length is None else f"{length} values"
        raise InputError(f"{name} must have one dimension and {expected}; it is {describe(array)}.")
    return array
