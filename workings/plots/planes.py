"""Pictures over the plane of two inputs: what a model says there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from workings.arrays import Array
from workings.errors import InputError
from workings.plots.drawing import (
    COLOURS,
    MARKERS,
    add_title,
    class_name,
    matplotlib_part,
    matrix,
    new_axes,
    panels,
    tidy,
    vector,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
