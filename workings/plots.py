"""Pictures of data, training and networks, drawn to be printed in a book.

Each function draws one thing and gives back its axes, or its figure where there are several
panels; ``ax=`` draws into axes of your own.  They take arrays, and any model with
``predict_proba`` or ``predict``.  Colours are those of Okabe and Ito and the map is blue to
orange, which people who cannot tell red from green can tell apart; classes differ in marker as
well.  Matplotlib is imported when the first picture is drawn, without pyplot, so nothing is kept
open and no window appears: ``save`` writes a file, and a notebook shows a figure that ends a cell.
"""

from __future__ import annotations

import base64
import importlib
import io
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from workings.arrays import Array, describe
from workings.errors import InputError, MissingExtraError
from workings.writing import write_bytes

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
BLUE_TO_ORANGE = ("#053A5C", BLUE, "#8CBFDD", "#F7F7F7", "#F0B98A", VERMILION, "#6B2F00")
DPI = 150


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


def diverging() -> Any:
    """Make the colour map from blue (negative) through white to orange (positive)."""
    return matplotlib_part("colors").LinearSegmentedColormap.from_list("blue-white-orange", BLUE_TO_ORANGE)


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


# Training


def curves(
    history: Mapping[str, Sequence[float | None]],
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw how the loss, or anything else that was recorded, went from epoch to epoch.

    Parameters
    ----------
    history : mapping of str to list of float
        One value for each epoch, counted from 0 as in the history's table; None where nothing was recorded.
    names : sequence of str, optional
        What to draw; by default every entry with "loss" in its name, or all if there is none.
        What belongs to validation (``val_…``) is dashed, and stands one epoch later than ``loss``:
        it was measured after the epoch, ``loss`` at its beginning.
    log : bool
        Draw the values on a logarithmic scale.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If a name was not recorded.

    Examples
    --------
    >>> ax = curves({"loss": [0.7, 0.4, 0.3], "val_loss": [0.7, None, 0.4], "lr": [0.1, 0.1, 0.05]})
    >>> [text.get_text() for text in ax.texts], ax.get_ylabel()
    (['training', 'validation'], 'loss')
    """
    chosen = list(names) if names is not None else [name for name in history if "loss" in name] or list(history)
    for name in chosen:
        if name not in history:
            raise InputError(f"The history has no {name!r}. It has: {', '.join(history)}.")
    kinds = {name.removeprefix("val_") for name in chosen}
    ax = tidy(ax or new_axes(6, 3.6), "epoch", readable(kinds.pop()) if len(kinds) == 1 else "value")
    if log:
        ax.set_yscale("log")
    later = [int(name.startswith("val_") and "loss" in history) for name in chosen]  # measured after the epoch
    ends = [
        draw_curve(ax, history[name], name, LINES[i % len(LINES)], first)
        for i, (name, first) in enumerate(zip(chosen, later, strict=True))
    ]
    alone = len({name.removeprefix("val_") for name in chosen}) == 1
    label_ends(ax, [(*end, role(name) if alone else readable(name)) for end, name in zip(ends, chosen, strict=True)])
    ax.xaxis.set_major_locator(matplotlib_part("ticker").MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return ax


def readable(name: str) -> str:
    """Write a history's name as a person would.

    >>> readable("val_accuracy"), readable("lr")
    ('validation accuracy', 'learning rate')
    """
    name = f"validation {name.removeprefix('val_')}" if name.startswith("val_") else name
    return {"lr": "learning rate"}.get(name, name).replace("_", " ")


def role(name: str) -> str:
    """Say what a recorded value was measured on."""
    return "validation" if name.startswith("val_") else "training"


def draw_curve(
    ax: Axes, values: Sequence[float | None], name: str, colour: str, first: int = 0
) -> tuple[float, float, str]:
    """Draw one curve through the epochs that have a value; give its last point and its colour."""
    points = [
        (epoch, value) for epoch, value in enumerate(values, start=first) if value is not None and math.isfinite(value)
    ]
    if not points:
        raise InputError(f"The history's {name!r} holds no number, so there is nothing to draw.")
    x, y = zip(*points, strict=True)
    dashes = (0, (4, 1.5)) if name.startswith("val_") else "-"
    ax.plot(
        x, y, color=colour, linestyle=dashes, linewidth=1.8, label=readable(name), marker="o" if len(x) == 1 else ""
    )
    return x[-1], y[-1], colour


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str]], apart: float = 13) -> None:
    """Write (x, y, colour, text) to the right of where each curve ends, at least ``apart`` points from each other."""
    per_point = ax.figure.dpi / 72
    ax.autoscale_view()
    lowest = -math.inf
    for height, x, y, colour, text in sorted((ax.transData.transform((e[0], e[1]))[1] / per_point, *e) for e in ends):
        lowest = max(height, lowest + apart)
        ax.annotate(
            text,
            (x, y),
            (7, lowest - height),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )


def orbit(losses: ArrayLike, ax: Axes | None = None, *, last: int = 60, xlabel: str = "epoch") -> Axes:
    """Draw the last values of a loss that has stopped falling and jumps between two values.

    That is what gradient descent does at the edge of stability: the step is just too long for the
    valley, so every step lands on the other side of it.

    Parameters
    ----------
    losses : array of shape (epochs,)
    ax : Axes, optional
    last : int
        How many values to draw, counted from the end.
    xlabel : str
        What the values are counted in.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If there are fewer than two values.

    Examples
    --------
    >>> ax = orbit([0.9, 0.5, 0.7, 0.5, 0.7, 0.5, 0.7], last=4)
    >>> [text.get_text() for text in ax.texts]
    ['0.5', '0.7']
    """
    values = vector(losses, "losses").astype(float)
    if len(values) < 2 or last < 2:
        raise InputError(f"An orbit needs two values or more; there are {len(values)} and last={last}.")
    shown, epochs = values[-last:], np.arange(len(values))[-last:]
    ax = tidy(ax or new_axes(6, 3.2), xlabel, "loss")
    ax.plot(epochs, shown, color=PALE, linewidth=0.8, zorder=1)
    for start, colour, marker in ((0, BLUE, "o"), (1, VERMILION, "s")):
        ax.scatter(epochs[start::2], shown[start::2], s=18, color=colour, marker=marker, zorder=2)
    label_orbit(ax, epochs[-1], float(np.median(shown[0::2])), float(np.median(shown[1::2])))
    return ax


def label_orbit(ax: Axes, x: float, first: float, second: float) -> None:
    """Write the two values beside the last points; one, if they are the same."""
    middle = (first + second) / 2
    if abs(first - second) <= 1e-6 * abs(middle):
        ax.set_ylim(middle - 0.01 * abs(middle) - 1e-12, middle + 0.01 * abs(middle) + 1e-12)
        label_ends(ax, [(x, middle, GREY, f"settled at {middle:.4g}")])
    else:
        digits = max(4, 2 + math.ceil(math.log10(abs(middle) / abs(first - second) + 1)))
        label_ends(ax, [(x, first, BLUE, f"{first:.{digits}g}"), (x, second, VERMILION, f"{second:.{digits}g}")])


# What a model says, over the plane


def boundary(
    model: Any, X: ArrayLike, y: ArrayLike, *, steps: int = 200, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what a classifier says at every point of the plane, with the data over it.

    The tint is the likelier class, the deeper the surer; the black line is where the two likeliest
    classes are equally probable.

    Parameters
    ----------
    model
        Anything with ``predict_proba(X)``, giving (n, classes) or the probability of class 1, or
        else with ``predict(X)``.
    X : array of shape (n, 2)
    y : array of shape (n,)
        Classes.
    steps : int
        Points of the grid in each direction.
    title : str, optional
    ax : Axes, optional
        With axes of your own, no legend and no colour bar are added; ``ax.legend()`` adds one.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If ``X`` has not two columns, or the model's classes are not those of ``y``.

    Examples
    --------
    >>> class RightOfZero:
    ...     def predict_proba(self, X):
    ...         return 1 / (1 + np.exp(-X[:, 0]))
    >>> ax = boundary(RightOfZero(), [[-1, 0], [1, 0]], [0, 1], title="right of zero")
    >>> ax.get_title(loc="left"), ax.get_legend_handles_labels()[1]
    ('right of zero', ['class 0', 'class 1'])
    """
    X, y = plane(X, y)
    target = tidy(ax or new_axes(5.6, 1.1 + 4.1 * proportions(X)), "$x_1$", "$x_2$")
    classes = draw_boundary(target, model, X, y, steps)
    if title is not None:
        target.set_title(title, loc="left", fontsize=11)
    if ax is None:
        add_key(target.figure, [target], classes, hasattr(model, "predict_proba"))
    return target


def boundaries(
    models: Mapping[str, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    captions: Mapping[str, str] | None = None,
    columns: int = 4,
    steps: int = 150,
) -> Figure:
    """Draw the decision boundaries of several classifiers on the same data, side by side.

    Parameters
    ----------
    models : mapping of str to model
        Each title and its model; see :func:`boundary`.
    X : array of shape (n, 2)
    y : array of shape (n,)
    captions : mapping of str to str, optional
        A second line for some of the titles, such as "training accuracy 0.975".
    columns : int
        Panels in a row.
    steps : int
        Points of the grid in each direction.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If there is no model, a caption has no model, or as in :func:`boundary`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> models = {f"above {c}": SimpleNamespace(predict=lambda X, c=c: (X[:, 1] > c) * 1) for c in (0, 1)}
    >>> figure = boundaries(models, [[0, -1], [0, 2]], [0, 1], steps=20)
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['above 0', 'above 1']
    """
    X, y = plane(X, y)
    captions = captions or {}
    if not models or captions.keys() - models.keys():
        raise InputError(
            f"There must be a model for each caption, but models: {list(models)}, captions: {list(captions)}."
        )
    height = 2.1 * proportions(X) + (0.85 if captions else 0.65)
    figure, axes = panels(len(models), columns, 2.35, height, shared=True)
    for ax, (title, model) in zip(axes, models.items(), strict=True):
        classes = draw_boundary(ax, model, X, y, steps, size=12)
        ax.set_aspect("auto")  # the figure's height makes it nearly equal; a fixed one pushes titles out of the figure
        add_title(ax, title, captions.get(title))
    for ax in axes[-min(columns, len(axes)) :]:
        ax.set_xlabel("$x_1$")
    for ax in axes[::columns]:
        ax.set_ylabel("$x_2$")
    add_key(figure, axes, classes, all(hasattr(model, "predict_proba") for model in models.values()))
    return figure


def plane(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Check points in the plane and their classes."""
    X = matrix(X, "X", "an array of shape (n, 2): a boundary is drawn over two inputs")
    if X.shape[1] != 2:
        raise InputError(f"A boundary is drawn over two inputs, but X has {X.shape[1]} columns (shape {X.shape}).")
    return X, vector(y, "y", len(X))


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


def add_title(ax: Axes, title: str, caption: str | None) -> None:
    """Write a title and, smaller and below it, a caption."""
    ax.set_title(title, loc="left", fontsize=10, pad=17 if caption else 5)
    if caption:
        ax.annotate(caption, (0, 1), (0, 5), "axes fraction", "offset points", fontsize=8.5, color=GREY)


def draw_boundary(ax: Axes, model: Any, X: Array, y: Array, steps: int, size: float = 22) -> Array:
    """Tint the plane, draw the lines between classes and the points; give the classes."""
    x1, x2 = (np.linspace(*padded(column), steps) for column in X.T)
    points = np.column_stack([axis.ravel() for axis in np.meshgrid(x1, x2)])
    p, classes = probabilities(model, points.astype(X.dtype if X.dtype.kind == "f" else float), y)
    p = p.reshape(steps, steps, len(classes))
    edges = (x1[0], x1[-1], x2[0], x2[-1])
    ax.imshow(tints(p), extent=edges, origin="lower", interpolation="bilinear", aspect=aspect(X))
    for k in range(1 if len(classes) == 2 else 0, len(classes)):
        lead = p[..., k] - np.delete(p, k, axis=-1).max(axis=-1, initial=0)
        if lead.min() < 0 < lead.max():
            ax.contour(x1, x2, lead, levels=[0], colors="black", linewidths=1.1)
    for k, label in enumerate(classes):
        ax.scatter(
            X[y == label, 0], X[y == label, 1], s=size, label=f"class {class_name(label)}", zorder=3, **point_style(k)
        )
    return classes


def aspect(X: Array) -> Literal["equal", "auto"]:
    """Keep circles round, unless one input varies so much more than the other that the picture would be a stripe."""
    (left, right), (low, high) = (padded(column) for column in X.T)
    return "equal" if 0.4 < (high - low) / (right - left) < 2.5 else "auto"


def proportions(X: Array) -> float:
    """Give the height of the picture of some points, as a share of its width."""
    (left, right), (low, high) = (padded(column) for column in X.T)
    return (high - low) / (right - left) if aspect(X) == "equal" else 0.8


def padded(values: Array) -> tuple[float, float]:
    """Give the range of some values with a margin of 8 % on both sides."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin


def probabilities(model: Any, points: Array, y: Array) -> tuple[Array, Array]:
    """Ask a model for (n, classes) probabilities, and name the classes; a bare ``predict`` is sure of itself."""
    if not hasattr(model, "predict_proba"):
        said = np.asarray(model.predict(points)).ravel()
        classes = np.union1d(said, y)
        return (said[:, None] == classes).astype(float), classes
    p = np.asarray(model.predict_proba(points), dtype=float).reshape(len(points), -1)
    p = np.hstack([1 - p, p]) if p.shape[1] == 1 else p
    found = np.unique(y)
    classes = np.asarray(getattr(model, "classes_", found if len(found) == p.shape[1] else np.arange(p.shape[1])))
    if len(classes) != p.shape[1] or not np.isin(found, classes).all():
        raise InputError(
            f"The model gives {p.shape[1]} probabilities, for the classes {classes.tolist()}, "
            f"but y has {found.tolist()}."
        )
    return p, classes


def tints(p: Array) -> Array:
    """Give each point the colour of its likeliest class, white where all are equally likely; shape (…, 3)."""
    colours = np.array([matplotlib_part("colors").to_rgb(COLOURS[k % len(COLOURS)]) for k in range(p.shape[-1])])
    sure = (p.max(axis=-1) - 1 / p.shape[-1]) / max(1 - 1 / p.shape[-1], 1e-12)
    mixed: Array = 1 - 0.55 * np.clip(sure, 0, 1)[..., None] * (1 - colours[p.argmax(axis=-1)])
    return mixed


def point_style(k: int) -> dict[str, Any]:
    """Give class ``k`` its marker and colour, with a white rim so that it shows on its own tint."""
    return {
        "marker": MARKERS[k % len(MARKERS)],
        "color": COLOURS[k % len(COLOURS)],
        "edgecolors": "white",
        "linewidths": 0.6,
    }


def class_name(label: Any) -> str:
    """Write a class without the ``.0`` of a float.

    >>> class_name(np.float64(1)), class_name("cat")
    ('1', 'cat')
    """
    return f"{label:g}" if isinstance(label, (float, np.floating)) else str(label)


def add_key(figure: Any, axes: list[Axes], classes: Array, shades: bool) -> None:
    """Explain markers below the panels and, for two classes, the tint beside them."""
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    if shades and len(classes) == 2:
        colours = matplotlib_part("colors").LinearSegmentedColormap.from_list(
            "two classes", tints(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]))
        )
        scale = matplotlib_part("cm").ScalarMappable(matplotlib_part("colors").Normalize(0, 1), colours)
        bar = figure.colorbar(scale, ax=axes, label=f"probability of class {class_name(classes[1])}", aspect=30)
        bar.outline.set_visible(False)


# Images, weights and networks


def images(
    X: ArrayLike, shape: tuple[int, int] | None = None, titles: Sequence[str] | None = None, columns: int = 10
) -> Figure:
    """Draw samples as small images, dark ink on white paper.

    Parameters
    ----------
    X : array of shape (n, height * width) or (n, height, width)
        At most 400 samples.
    shape : (height, width), optional
        Taken to be square when it is not given.
    titles : sequence of str, optional
        What to write above each, such as "true 4, said 9 (0.99)".
    columns : int
        Images in a row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the pixels do not fill the shape, there are too many samples, or not a title for each.

    Examples
    --------
    >>> figure = images(np.eye(9), titles=[f"pixel {i}" for i in range(9)], columns=3)
    >>> len(figure.axes), figure.axes[8].get_title()
    (9, 'pixel 8')
    """
    pictures = as_pictures(X, shape)
    if len(pictures) > 400:
        raise InputError(f"X has {len(pictures):,} samples; 400 can be drawn at most. Choose some, such as X[:50].")
    if titles is not None and len(titles) != len(pictures):
        raise InputError(f"There are {len(titles)} titles for {len(pictures)} images; there must be one for each.")
    figure, axes = panels(len(pictures), columns, 0.7 if titles is None else 0.98, 0.7 if titles is None else 1.15)
    highest = float(pictures.max()) or 1.0
    for i, ax in enumerate(axes):
        bare(ax).imshow(pictures[i], cmap="gray_r", vmin=min(0.0, float(pictures.min())), vmax=highest)
        if titles is not None:
            ax.set_title(titles[i].replace(", ", ",\n") if len(titles[i]) > 14 else titles[i], fontsize=8, pad=3)
    return figure


def as_pictures(X: ArrayLike, shape: tuple[int, int] | None) -> Array:
    """Give pixels the shape (n, height, width); a row of pixels is taken to be square unless told otherwise."""
    array = np.asarray(X)
    if array.ndim == 3:
        shape, array = shape or (array.shape[1], array.shape[2]), array.reshape(len(array), -1)
    array = matrix(array, "X", "an array of shape (n, pixels) or (n, height, width)")
    side = math.isqrt(array.shape[1])
    height, width = shape or (side, side)
    if height * width != array.shape[1]:
        raise InputError(
            f"{array.shape[1]} pixels do not make {height}×{width}: say shape=(height, width) "
            f"whose product is {array.shape[1]}."
        )
    return array.reshape(-1, height, width)


def weights(W: ArrayLike, shape: tuple[int, int] | None = None, *, limit: int = 32) -> Figure:
    """Draw what each unit of a layer looks for: its weights as an image, orange for more ink, blue for less.

    Parameters
    ----------
    W : array of shape (n_in, units)
        When ``n_in`` is no square number and no shape is given, one heat map of all of it is drawn.
    shape : (height, width), optional
        The shape of the layer's input, (28, 28) for 784 inputs.
    limit : int
        Units to draw at most; a unit's number is its column in ``W``.

    Returns
    -------
    Figure
        All panels have the same scale, with white at zero.

    Raises
    ------
    InputError
        If ``W`` is not two-dimensional or does not fill the shape.

    Examples
    --------
    >>> figure = weights(np.random.default_rng(0).normal(size=(16, 3)))
    >>> [ax.get_title() for ax in figure.axes[:3]], figure.axes[3].get_ylabel()
    (['unit 0', 'unit 1', 'unit 2'], 'weight')
    """
    W = matrix(W, "W", "an array of shape (n_in, units)")
    if shape is None and math.isqrt(W.shape[0]) ** 2 != W.shape[0]:
        return heat_map(W)
    pictures = as_pictures(W[:, :limit].T, shape)
    figure, axes = panels(
        len(pictures), 8 if len(pictures) > 10 else 5, *((1.05, 1.2) if len(pictures) > 8 else (1.5, 1.65))
    )
    scale = symmetric(W[:, :limit])
    for unit, (ax, picture) in enumerate(zip(axes, pictures, strict=True)):
        drawn = bare(ax).imshow(picture, **scale)
        ax.set_title(f"unit {unit}", fontsize=8, pad=3)
    figure.colorbar(drawn, ax=axes, label="weight", aspect=30).outline.set_visible(False)
    if W.shape[1] > limit:
        figure.supxlabel(f"the first {limit} of {W.shape[1]} units", fontsize=9, color=GREY)
    return figure


def symmetric(values: Array) -> dict[str, Any]:
    """Give the settings of a colour scale that is white at zero."""
    highest = float(np.abs(values).max()) or 1.0
    return {"cmap": diverging(), "vmin": -highest, "vmax": highest}


def heat_map(W: Array) -> Figure:
    """Draw a matrix as it is written, with its numbers if there are at most 100."""
    figure = new_figure(min(2.4 + 0.5 * W.shape[1], 8), min(1.2 + 0.36 * W.shape[0], 8))
    ax: Axes = figure.subplots()
    drawn = ax.imshow(W, aspect="auto", interpolation="nearest", **symmetric(W))
    ax.set_xlabel("unit")
    ax.set_ylabel("input")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(matplotlib_part("ticker").MaxNLocator(integer=True))
    if W.size <= 100:
        strong = np.abs(W) > 0.6 * np.abs(W).max()
        write_cells(ax, [[f"{value:.2f}" for value in row] for row in W], np.where(strong, "white", "black"))
    figure.colorbar(drawn, ax=ax, label="weight").outline.set_visible(False)
    return figure


def write_cells(ax: Axes, texts: Sequence[Sequence[str]], colours: Array, size: float = 8) -> None:
    """Write a text in each cell of a drawn matrix."""
    for (row, column), colour in np.ndenumerate(colours):
        ax.text(column, row, texts[row][column], ha="center", va="center", color=colour, fontsize=size)


def confusion(
    y_true: ArrayLike, y_pred: ArrayLike, labels: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how often each class was taken for each other: counts in the cells, shares of the row as colour.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        The classes, and what was predicted.
    labels : sequence of str, optional
        What to call the classes, in their sorted order.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the two have different lengths, or there is not a label for each class.

    Examples
    --------
    >>> ax = confusion([0, 0, 1], [0, 1, 1], labels=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '1']
    """
    y_true = vector(y_true, "y_true")
    y_pred = vector(y_pred, "y_pred", len(y_true))
    classes, numbers = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    k = len(classes)
    if labels is not None and len(labels) != k:
        raise InputError(f"There are {len(labels)} labels for {k} classes: {[class_name(c) for c in classes]}.")
    counts = np.bincount(numbers[: len(y_true)] * k + numbers[len(y_true) :], minlength=k * k).reshape(k, k)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    target = ax or new_axes(2.4 + 0.42 * k, 1.5 + 0.42 * k)
    norm = matplotlib_part("colors").PowerNorm(0.5, 0, 1)  # a root: a few mistakes in a hundred must show
    drawn = target.imshow(shares, cmap="Blues", norm=norm)
    colours = np.where(counts == 0, PALE, np.where(shares > 0.3, "white", "black"))
    write_cells(target, [[f"{count:,}" for count in row] for row in counts], colours, 9 if k <= 12 else 6)
    name_cells(target, list(labels) if labels is not None else [class_name(c) for c in classes])
    if ax is None:
        bar = target.figure.colorbar(
            drawn, ax=target, label="share of the true class", ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]
        )
        bar.ax.set_yticklabels(["0", "1 %", "10 %", "25 %", "50 %", "100 %"])
        bar.outline.set_visible(False)
    return target


def name_cells(ax: Axes, names: list[str]) -> None:
    """Name the rows and columns of a confusion matrix; long names are set at an angle."""
    long = max(map(len, names)) > 4
    ax.set_xticks(range(len(names)), names, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def network(
    sizes: Sequence[int],
    weights: Sequence[ArrayLike] | None = None,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a network of dense layers: a circle for each unit, a line for each weight.

    Biases are not drawn.  Of a layer with more than 16 units, the first five and the last five are.

    Parameters
    ----------
    sizes : sequence of int
        Units in each layer, beginning with the inputs, such as [2, 3, 2].
    weights : sequence of arrays of shape (sizes[i], sizes[i + 1]), optional
        The larger a weight, the thicker its line; orange is positive, blue negative.
    names : sequence of str, optional
        What to call the layers.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If a size is not above 0, or names or weights do not fit the sizes.

    Examples
    --------
    >>> ax = network([784, 3, 2])
    >>> [text.get_text() for text in ax.texts]
    ['⋮', 'input\\n784', 'hidden\\n3', 'output\\n2']
    """
    sizes = check_sizes(sizes, names, weights)
    heights = [unit_heights(size) for size in sizes]
    tallest = max(max(h.values()) - min(h.values()) + 1 for h in heights)
    apart = max(4.0, 0.45 * tallest)
    target = bare(
        ax or new_axes(0.36 * (apart * (len(sizes) - 1) + 3), 0.36 * (tallest + (2.2 if weights is None else 3.2)))
    )
    target.set_aspect("equal")
    matrices = [None] * (len(sizes) - 1) if weights is None else [np.asarray(W) for W in weights]
    largest = max((float(np.abs(W).max()) for W in matrices if W is not None), default=0.0) or 1.0
    for i, W in enumerate(matrices):
        draw_weights(target, (i * apart, heights[i]), ((i + 1) * apart, heights[i + 1]), W, largest)
    for i, layer in enumerate(heights):
        draw_units(target, i * apart, layer, sizes[i])
    for i, name in enumerate(names or layer_names(len(sizes))):
        target.text(i * apart, -tallest / 2 - 0.4, f"{name}\n{sizes[i]:,}", ha="center", va="top", fontsize=9)
    target.set_xlim(-1.2, apart * (len(sizes) - 1) + 1.2)
    target.set_ylim(-tallest / 2 - 1.7, tallest / 2 + 0.3)
    if weights is not None:
        add_sign_key(target)
    return target


def check_sizes(sizes: Sequence[int], names: Sequence[str] | None, weights: Sequence[ArrayLike] | None) -> list[int]:
    """Refuse sizes that make no network, and names or weights that do not fit them."""
    if len(sizes) < 2 or any(size < 1 or size != int(size) for size in sizes):
        raise InputError(f"sizes must be two or more whole numbers above 0, such as [2, 3, 2], not {list(sizes)}.")
    if names is not None and len(names) != len(sizes):
        raise InputError(f"There are {len(names)} names for {len(sizes)} layers (the inputs count as one).")
    wanted = list(pairwise(sizes))
    given = wanted if weights is None else [np.shape(W) for W in weights]
    if given != wanted:
        raise InputError(f"The weights have the shapes {given}, but the sizes {list(sizes)} need {wanted}.")
    return [int(size) for size in sizes]


def layer_names(count: int) -> list[str]:
    """Name the layers of a network.

    >>> layer_names(4)
    ['input', 'hidden 1', 'hidden 2', 'output']
    """
    hidden = ["hidden"] if count == 3 else [f"hidden {i}" for i in range(1, count - 1)]
    return ["input", *hidden, "output"]


def unit_heights(size: int) -> dict[int, float]:
    """Give the units that are drawn their heights, the first at the top, centred at 0.

    >>> unit_heights(3)
    {0: 1.0, 1: 0.0, 2: -1.0}
    >>> list(unit_heights(784))
    [0, 1, 2, 3, 4, 779, 780, 781, 782, 783]
    """
    if size <= 16:
        return {unit: (size - 1) / 2 - unit for unit in range(size)}
    top = {unit: 5.0 - unit for unit in range(5)}
    return top | {size - 5 + i: -1.0 - i for i in range(5)}


Column = tuple[float, dict[int, float]]


def draw_weights(ax: Axes, left: Column, right: Column, W: Array | None, largest: float) -> None:
    """Draw the lines between two columns of units, the strongest on top."""
    pairs = [(i, j) for i in left[1] for j in right[1]]
    values = np.zeros(len(pairs)) if W is None else np.array([W[pair] for pair in pairs]) / largest
    order = np.argsort(np.abs(values))
    lines = [((left[0], left[1][pairs[i][0]]), (right[0], right[1][pairs[i][1]])) for i in order]
    strength = np.abs(values[order])
    style: dict[str, Any] = {"colors": PALE, "linewidths": 0.6}
    if W is not None:
        style = {"colors": np.where(values[order] < 0, BLUE, VERMILION), "linewidths": 0.15 + 2.6 * strength}
    ax.add_collection(matplotlib_part("collections").LineCollection(lines, zorder=1, **style))


def draw_units(ax: Axes, x: float, layer: dict[int, float], size: int) -> None:
    """Draw a column of circles, with dots where units were left out."""
    circle = matplotlib_part("patches").Circle
    for y in layer.values():
        ax.add_patch(circle((x, y), 0.34, facecolor="white", edgecolor="black", linewidth=1, zorder=2))
    if len(layer) < size:
        ax.text(x, 0, "⋮", ha="center", va="center", fontsize=15)


def add_sign_key(ax: Axes) -> None:
    """Say below a network what the colours mean."""
    line = matplotlib_part("lines").Line2D
    handles = [line([], [], color=VERMILION, lw=2, label="positive"), line([], [], color=BLUE, lw=2, label="negative")]
    ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False, fontsize=9)


# The landscape, and comparisons


def landscape(
    losses: ArrayLike, alphas: ArrayLike, betas: ArrayLike, path: ArrayLike | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the loss over a plane through the space of all weights, as a map with contour lines.

    Parameters
    ----------
    losses : array of shape (A, B)
        ``losses[i, j]`` is the loss at ``alphas[i]``, ``betas[j]``; the lines are spaced evenly in
        its logarithm.  Values that are not finite leave a hole.
    alphas : array of shape (A,)
        Distances along the first direction.
    betas : array of shape (B,)
        Distances along the second.
    path : array of shape (steps, 2), optional
        Where training went, in the same two distances.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the shapes do not fit each other.

    Examples
    --------
    >>> along = np.linspace(-1, 1, 21)
    >>> bowl = 0.1 + along[:, None] ** 2 + 3 * along**2
    >>> ax = landscape(bowl, along, along, path=[[1, 1], [0.2, 0.1], [0, 0]])
    >>> [text.get_text() for text in ax.texts]
    ['start', 'end']

    Source: Li et al., "Visualizing the loss landscape of neural nets", 2018.
    """
    alphas, betas = vector(alphas, "alphas"), vector(betas, "betas")
    grid = np.ma.masked_invalid(matrix(losses, "losses", "an array of shape (len(alphas), len(betas))").astype(float))
    if grid.shape != (len(alphas), len(betas)) or min(grid.shape) < 2 or grid.count() == 0:
        raise InputError(
            f"losses has the shape {grid.shape} and {grid.count()} finite values; {len(alphas)} alphas and "
            f"{len(betas)} betas need ({len(alphas)}, {len(betas)}), and at least 2 of each."
        )
    target = tidy(ax or new_axes(5.6, 4.4), "distance along direction 1 (α)", "distance along direction 2 (β)")
    levels, norm = contour_levels(float(grid.min()), float(grid.max()))
    drawn = target.contourf(alphas, betas, grid.T, levels=levels, norm=norm, cmap="cividis")
    target.contour(alphas, betas, grid.T, levels=levels[1:-1:2], colors="white", linewidths=0.4, alpha=0.6)
    bar = target.figure.colorbar(drawn, ax=target, label="loss", ticks=round_levels(levels), format="%.4g")
    bar.minorticks_off()
    bar.outline.set_visible(False)
    if path is not None:
        draw_path(target, matrix(path, "path", "an array of shape (steps, 2)"))
    return target


def contour_levels(low: float, high: float) -> tuple[Array, Any]:
    """Give 25 levels, evenly spaced in the logarithm, or evenly if the loss is not above 0 or hardly differs."""
    colors = matplotlib_part("colors")
    if low <= 0 or high < 1.01 * low:
        high = max(high, low + 1e-9 + 1e-9 * abs(low))
        return np.linspace(low, high, 25), colors.Normalize(low, high)
    return np.geomspace(low, high, 25), colors.LogNorm(low, high)


def round_levels(levels: Array) -> Array:
    """Choose numbers for the colour bar: 1, 2, 5, 10 … if three of them are in it, else some of the levels."""
    if levels[0] <= 0:
        return levels[::4]
    ticks = matplotlib_part("ticker").LogLocator(subs=(1, 2, 5)).tick_values(levels[0], levels[-1])
    inside: Array = ticks[(ticks >= levels[0]) & (ticks <= levels[-1])]
    return inside if len(inside) >= 3 else levels[::4]


def draw_path(ax: Axes, path: Array) -> None:
    """Draw where training went, with its two ends marked."""
    if path.shape[1] != 2:
        raise InputError(f"path must have two columns, the distances α and β; its shape is {path.shape}.")
    rim = [matplotlib_part("patheffects").withStroke(linewidth=3, foreground="white")]
    limits = ax.get_xlim(), ax.get_ylim()
    ax.plot(*path.T, color=VERMILION, linewidth=1.6, path_effects=rim)
    if len(path) <= 60:
        ax.plot(*path.T, color=VERMILION, linestyle="", marker="o", markersize=3.5)
    for text, point, marker in (("start", path[0], "o"), ("end", path[-1], "*")):
        size = 60 if marker == "o" else 150
        ax.scatter(
            point[0], point[1], s=size, marker=marker, color=VERMILION, edgecolors="white", linewidths=1, zorder=3
        )
        above = text == "end" or path[1:2, 1].sum() <= point[1]  # not on the line itself
        ax.annotate(
            text, tuple(point), (8, 6 if above else -14), textcoords="offset points", fontsize=10, path_effects=rim
        )
    ax.set(xlim=limits[0], ylim=limits[1])


def bars(
    names: Sequence[str],
    means: ArrayLike,
    spreads: ArrayLike | None = None,
    baseline: float | str | None = None,
    xlabel: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Draw a table of variants: a dot for each mean, a bar for its spread, a dashed line for the baseline.

    Parameters
    ----------
    names : sequence of str
        The variants, from top to bottom.
    means : array of shape (n,)
    spreads : array of shape (n,), optional
        Half the length of each bar, such as the standard deviation over seeds.
    baseline : float or str, optional
        A value to compare with, or the name of the variant whose mean it is.
    xlabel : str
        What the means are, with their unit.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the lengths differ, a spread is negative, or the baseline is none of the names.

    Examples
    --------
    >>> ax = bars(["plain", "with L2"], [0.971, 0.9753], [0.002, 0.0041], baseline="plain")
    >>> [text.get_text() for text in ax.texts]
    ['0.971 ± 0.002', '0.975 ± 0.004']
    """
    middle = vector(means, "means", len(names)).astype(float)
    spread = np.zeros(len(names)) if spreads is None else vector(spreads, "spreads", len(names)).astype(float)
    if not (spread >= 0).all():
        raise InputError(f"spreads are half lengths, numbers from 0; the smallest is {spread.min()}.")
    target = tidy(ax or new_axes(6.4, 0.9 + 0.34 * len(names)), xlabel)
    line = baseline_value(baseline, names, middle)
    if line is not None:
        target.axvline(line, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    rows = np.arange(len(names))
    colours = [GREY if name == baseline else BLUE for name in names]
    target.hlines(rows, middle - spread, middle + spread, colors=colours, linewidth=3, alpha=0.45)
    target.scatter(middle, rows, s=38, color=colours, zorder=3)
    for row, text in enumerate(written(middle, None if spreads is None else spread)):
        target.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    target.set_yticks(rows, list(names))
    target.set_ylim(len(names) - 0.5, -0.5)
    target.tick_params(axis="y", length=0)
    target.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    target.set_axisbelow(True)
    return target


def baseline_value(baseline: float | str | None, names: Sequence[str], means: Array) -> float | None:
    """Give the value of the baseline, which may be the name of a variant."""
    if not isinstance(baseline, str):
        return baseline
    if baseline not in names:
        raise InputError(f"The baseline {baseline!r} is none of the names: {', '.join(names)}.")
    return float(means[list(names).index(baseline)])


def written(means: Array, spreads: Array | None) -> list[str]:
    """Write means with as many decimals as the smallest spread has a say about.

    >>> written(np.array([97.53, 96.0]), np.array([0.4, 1.25]))
    ['97.5 ± 0.4', '96.0 ± 1.2']
    """
    if spreads is None or not spreads.any():
        return [f"{mean:.4g}" for mean in means]
    decimals = max(0, -math.floor(math.log10(spreads[spreads > 0].min())))
    return [f"{mean:.{decimals}f} ± {spread:.{decimals}f}" for mean, spread in zip(means, spreads, strict=True)]


# Files


def save(figure_or_axes: Figure | Axes, path: str | Path) -> Path:
    """Write a picture as a PNG file of 150 dots per inch, whole or not at all.

    Parameters
    ----------
    figure_or_axes : Figure or Axes
        Of axes, the whole figure is written.
    path : str or Path
        Must end in ``.png``; folders that are missing are made.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    InputError
        If the name does not end in ``.png``.
    FileError
        If the file cannot be written; what was there before is left as it was.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(network([2, 3, 2]), Path(folder) / "pictures" / "network.png").name
    'network.png'
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"Pictures are written as PNG, so the name must end in .png; it is {path.name!r}.")
    write_bytes(path, png(figure_or_axes))
    return path


def png(figure_or_axes: Figure | Axes) -> bytes:
    """Give a picture as the bytes of a PNG file."""
    figure: Any = figure_or_axes
    while not hasattr(figure, "savefig"):  # axes lie in a figure, perhaps in one of its parts
        figure = figure.figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def as_data_uri(figure_or_axes: Figure | Axes) -> str:
    """Give a picture as a text that an HTML page can hold: ``<img src="…">``.

    Parameters
    ----------
    figure_or_axes : Figure or Axes

    Returns
    -------
    str
        Begins with ``data:image/png;base64,``.

    Examples
    --------
    >>> as_data_uri(network([2, 3, 2]))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    return f"data:image/png;base64,{base64.b64encode(png(figure_or_axes)).decode('ascii')}"
