"""Plots over two inputs: decision boundaries, and the activation of each unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Tracer
from workings.errors import InputError
from workings.model.model import Model
from workings.plots.drawing import (
    COLOURS,
    GREY,
    LINES,
    LONGEST_TITLE,
    MARKERS,
    PALE_BLUE_TO_ORANGE,
    add_title,
    as_text,
    class_name,
    label_ends,
    legend_columns,
    matplotlib_part,
    matrix,
    new_axes,
    new_figure,
    panels,
    plot,
    symmetric,
    tidy,
    vector,
)
from workings.plots.pixels import weights
from workings.program.trace import Trace
from workings.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure, SubFigure


class Predictor(Protocol):
    """A model that predicts, such as a network or an estimator of scikit-learn."""

    def predict(self, X: Array, /) -> ArrayLike:
        """Return the predictions for some points."""
        ...


class ClassPredictor(Protocol):
    """A model that predicts probabilities of classes."""

    def predict_proba(self, X: Array, /) -> ArrayLike:
        """Return the probabilities of the classes for some points."""
        ...


BoundaryModel = Predictor | ClassPredictor
VALUES = {"z": "score", "p": "prediction"}  # what a value of the forward pass is, by its letter; else an activation


@plot
def boundary(
    model: BoundaryModel,
    X: ArrayLike,
    y: ArrayLike,
    *,
    steps: int = 200,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the decision boundary of a classifier over two inputs, with the data.

    With one input, it plots the probability of each class.  For a regression, it plots the predictions: as
    colours over two inputs, as a curve over one.

    The background colour shows the most probable class, deeper for a higher probability.  On the
    black line, the two most probable classes are equally probable.

    Parameters
    ----------
    model
        Any object with ``predict_proba(X)``, which returns (n, classes) or the probability of class 1,
        or else with ``predict(X)``.
    X : array of shape (n, 2) or (n, 1)
    y : array of shape (n,)
        Classes, or the targets of a regression.
    steps : int
        Number of grid points in each direction.
    title : str, optional
    ax : Axes, optional
        Axes to draw into.  They get no legend and no colour bar; ``ax.legend()`` adds a legend.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If ``X`` does not have two columns, or the model's classes differ from those of ``y``.

    Examples
    --------
    >>> class RightOfZero:
    ...     def predict_proba(self, X):
    ...         return 1 / (1 + np.exp(-X[:, 0]))
    >>> ax = boundary(RightOfZero(), [[-1, 0], [1, 0]], [0, 1], title="right of zero")
    >>> ax.get_title(loc="left"), ax.get_legend_handles_labels()[1]
    ('right of zero', ['class 0', 'class 1'])
    """
    if np.ndim(X) == 2 and np.shape(X)[1] == 1:
        return curve_over_one_input(model, one_column(X), targets_of(y, len(np.asarray(X))), steps, title, ax)
    if predicts_numbers(model):
        return surface(cast(Predictor, model), *check_points(X, targets_of(y, len(np.asarray(X)))), steps, title, ax)
    X, y = check_points(X, y)
    target = tidy(ax or new_axes(5.6, 1.1 + 4.1 * proportions(X)), "$x_1$", "$x_2$")
    classes = draw_boundary(target, model, X, y, steps)
    if title is not None:
        target.set_title(as_text(title, most=LONGEST_TITLE), loc="left", fontsize=11)
    if ax is None:
        add_legend(target.figure, [target], classes, hasattr(model, "predict_proba"))
    return target


def surface(model: Predictor, X: Array, y: Array, steps: int, title: str | None, ax: Axes | None) -> Axes:
    """Plot the predictions of a regression over two inputs as colours, with the data in the same colours."""
    target = tidy(ax or new_axes(5.6, 1.1 + 4.1 * proportions(X)), "$x_1$", "$x_2$")
    x1, x2, points = grid_over(X, steps)
    p = targets_of(model.predict(points), len(points)).astype(float).reshape(steps, steps)
    scale = {"cmap": "cividis", "vmin": min(p.min(), y.min()), "vmax": max(p.max(), y.max())}
    image = target.imshow(p, **{**image_settings(x1, x2), "aspect": aspect(X)}, **scale)
    target.scatter(X[:, 0], X[:, 1], c=y, s=22, edgecolors="white", linewidths=0.6, **scale)
    if title is not None:
        target.set_title(as_text(title, most=LONGEST_TITLE), loc="left", fontsize=11)
    if ax is None:
        target.figure.colorbar(image, ax=target, label="prediction and target y").outline.set_visible(False)
    return target


def curve_over_one_input(
    model: BoundaryModel, x: Array, y: Array, steps: int, title: str | None, ax: Axes | None
) -> Axes:
    """Plot a model over its only input: the prediction of a regression, or the probability of each class."""
    target = tidy(ax or new_axes(6, 3.6), "$x_1$", "y" if predicts_numbers(model) else "probability")
    at = np.linspace(*padded_range(x), steps)
    if predicts_numbers(model):
        target.scatter(x, y, s=14, color=LINES[0], edgecolors="white", linewidths=0.5)
        target.plot(at, targets_of(cast(Predictor, model).predict(at[:, None]), steps), color=LINES[1], linewidth=2)
    else:
        p, classes = probabilities(model, at[:, None], y)
        for k, label in enumerate(classes):
            name = as_text(f"class {class_name(label)}")
            target.plot(at, p[:, k], color=COLOURS[k % len(COLOURS)], linewidth=1.8, label=name)
            rows = x[y == label]
            target.scatter(rows, np.full(len(rows), -0.04 - 0.03 * k), s=14, clip_on=False, **point_style(k))
    if title is not None:
        target.set_title(as_text(title, most=LONGEST_TITLE), loc="left", fontsize=11)
    if ax is None and not predicts_numbers(model):
        add_legend(target.figure, [target], y, shades=False)
    return target


@plot
def boundaries(
    models: Mapping[str, BoundaryModel],
    X: ArrayLike,
    y: ArrayLike,
    *,
    captions: Mapping[str, str] | None = None,
    columns: int = 4,
    steps: int = 150,
) -> Figure:
    """Plot the decision boundaries of several classifiers on the same data, one panel each.

    Parameters
    ----------
    models : mapping of str to model
        Panel titles and models; see :func:`boundary`.
    X : array of shape (n, 2)
    y : array of shape (n,)
    captions : mapping of str to str, optional
        Second lines of panel titles, such as "training accuracy 0.975".
    columns : int
        Number of panels per row.
    steps : int
        Number of grid points in each direction.

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
    X, y = check_points(X, y)
    captions = captions or {}
    if not models or captions.keys() - models.keys():
        raise InputError(f"There must be a model for each caption; models: {list(models)}, captions: {list(captions)}.")
    height = 2.1 * proportions(X) + (0.85 if captions else 0.65)
    figure, axes = panels(len(models), columns, max(2.35, 3.6 / len(models)), height, shared=True)
    for ax, (title, model) in zip(axes, models.items(), strict=True):
        classes = draw_boundary(ax, model, X, y, steps, size=12)
        ax.set_aspect("auto")  # nearly equal by the figure's height; a fixed aspect pushes titles out of the figure
        add_title(ax, title, captions.get(title))
    label_edges(axes, columns)
    add_legend(figure, axes, classes, all(hasattr(model, "predict_proba") for model in models.values()))
    return figure


@plot
def units(
    net: Model,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    layer: int | str = 1,
    limit: int = 24,
    columns: int | None = None,
    steps: int = 120,
) -> Figure:
    """Plot the activation of each unit of a layer over two inputs.

    On the black line the unit's weighted sum is 0: the midpoint of a tanh or sigmoid, the kink of a ReLU.
    All panels share one colour scale.  For a network with one input, each unit is a curve.  With more than
    two inputs, the weights of the first layer's units are plotted instead; see :func:`weights`.

    Parameters
    ----------
    net : Model
    X : array of shape (n, n_in)
        Points to plot; their range is the range of the plot.
    y : array of shape (n,), optional
        Classes, for the points' colours and markers; or the targets of a regression, for their shades.
    layer : int or str
        Number of a layer with weights, from 1; or the name of a value of the forward pass with one column per
        unit.
    limit : int
        Maximum number of units.
    columns : int, optional
        Number of panels per row; by default 4, or 6 smaller panels for more than 8 units.
    steps : int
        Number of grid points in each direction.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the layer does not exist, or is not the first layer of a network with more than two inputs.

    Examples
    --------
    >>> from workings import CrossEntropy, Dense, Network
    >>> net = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0, n_in=2)
    >>> figure = units(net, [[-1, 0], [1, 0]], [0, 1], steps=20)
    >>> [ax.get_title() for ax in figure.axes]
    ['unit 0', 'unit 1', 'unit 2', '']
    """
    net.check_built()
    if net.n_in == 1:
        return unit_curves(net, X, layer, limit, steps)
    if net.n_in != 2 and layer == 1:
        return weights(net, limit=limit)
    X = check_two_inputs(net, X)
    labels = np.zeros(len(X)) if y is None else targets_of(y, len(X))
    is_number = y is not None and predicts_numbers(net)
    x1, x2, points = grid_over(X, steps)
    trace = forward(net, points)
    name = layer if isinstance(layer, str) else name_of_layer(net, trace, layer)
    values = columns_of(trace, name, len(points)).reshape(steps, steps, -1)
    sums = trace[f"z{name[1:]}"] if name[0] in "az" and f"z{name[1:]}" in set(trace) else None
    count = min(values.shape[-1], limit)
    columns, width = (columns or 4, 2.05) if count <= 8 else (columns or 6, 1.6)
    height = (width - 0.15) * proportions(X) + 0.3 + 0.75 / math.ceil(count / columns)
    figure, axes = panels(count, columns, width, height, shared=True)
    for unit, ax in enumerate(axes):
        image = ax.imshow(values[..., unit], **image_settings(x1, x2), **symmetric(values, PALE_BLUE_TO_ORANGE))
        if sums is not None:
            draw_zero(ax, x1, x2, sums.reshape(steps, steps, -1)[..., unit])
        points_drawn = draw_targets(ax, X, labels, 12 if width > 2 else 7, is_number)
        ax.set_title(f"unit {unit}", fontsize=9, pad=4)
    label_edges(axes, columns)
    if points_drawn is not None:
        figure.colorbar(points_drawn, ax=axes, label="target y", aspect=30).outline.set_visible(False)
    elif y is not None:
        add_legend(figure, axes, labels, shades=False)
    label = as_text(f"{VALUES.get(name[0], 'activation')} {name}")
    add_scale(figure, axes, image, values, label)
    if values.shape[-1] > limit:
        figure.suptitle(f"the first {limit} of {values.shape[-1]} units", fontsize=9, color=GREY)
    return figure


def unit_curves(net: Model, X: ArrayLike, layer: int | str, limit: int, steps: int) -> Figure:
    """Plot the activation of each unit of a layer over the only input."""
    x = np.linspace(*padded_range(one_column(X)), steps)
    trace = forward(net, x[:, None])
    name = layer if isinstance(layer, str) else name_of_layer(net, trace, layer)
    values = columns_of(trace, name, steps)[:, :limit]
    figure = new_figure(6, 3.6)
    ax = tidy(figure.subplots(), "$x_1$", as_text(f"{VALUES.get(name[0], 'activation')} {name}"))
    for unit, column in enumerate(values.T):
        ax.plot(x, column, color=LINES[unit % len(LINES)], linewidth=1.6)
    if values.shape[1] <= len(LINES):
        ends = [(x[-1], column[-1], LINES[unit], f"unit {unit}") for unit, column in enumerate(values.T)]
        label_ends(ax, ends)
    return figure


def one_column(X: ArrayLike) -> Array:
    """Return the only column of some rows."""
    array = matrix(X, "X", "an array of shape (n, 1): this network has one input")
    if array.shape[1] != 1:
        raise InputError(f"This network has one input, but X has {array.shape[1]} columns.")
    column: Array = array[:, 0].astype(float)
    return column


def predicts_numbers(model: object) -> bool:
    """Whether a model is one of our networks for a regression, or an estimator for one."""
    if isinstance(model, Model):
        return not model.targets.is_classification
    return getattr(model, "_estimator_type", None) == "regressor" or is_sklearn_regressor(model)


def is_sklearn_regressor(model: object) -> bool:
    """Whether scikit-learn's tags say that an estimator is a regressor."""
    tags = getattr(model, "__sklearn_tags__", None)
    return tags is not None and getattr(tags(), "estimator_type", None) == "regressor"


def targets_of(y: ArrayLike, rows: int) -> Array:
    """Return targets as one column: of several outputs, the first."""
    array = np.asarray(y)
    return vector(array[:, 0] if array.ndim == 2 and array.shape[1:] != (0,) else array, "y", rows)


def draw_targets(ax: Axes, X: Array, y: Array, size: float, is_number: bool) -> PathCollection | None:
    """Plot the points: numbers in shades of one colour map, classes each with a marker and a colour."""
    if not is_number:
        draw_points(ax, X, y, size, np.unique(y))
        return None
    return ax.scatter(X[:, 0], X[:, 1], c=y, s=size, cmap="cividis", edgecolors="white", linewidths=0.5, zorder=3)


def check_two_inputs(net: Model, X: ArrayLike) -> Array:
    """Return the points as an array; raise an error unless they and the network have two inputs."""
    X = matrix(X, "X", "an array of shape (n, 2): activations are plotted over two inputs")
    if net.n_in != 2 or X.shape[1] != 2:
        raise InputError(
            f"Activations are plotted over two inputs, but the network takes {net.n_in} inputs and X has {X.shape[1]} "
            f"columns. For more inputs, units(net, X) plots the weights of the first layer."
        )
    return X


def image_settings(x1: Array, x2: Array) -> dict[str, Any]:
    """Return the ``imshow`` settings of an image over the range of two inputs."""
    edges = (x1[0], x1[-1], x2[0], x2[-1])
    return {"extent": edges, "origin": "lower", "interpolation": "bilinear", "aspect": "auto"}


def add_scale(figure: Figure, axes: list[Axes], image: ScalarMappable, values: Array, label: str) -> None:
    """Add a colour bar for several panels, limited to the range of the values."""
    rows = len({ax.get_subplotspec().rowspan.start for ax in axes})  # type: ignore[union-attr]
    bar = figure.colorbar(image, ax=axes, label=label, aspect=22 * rows)
    bar.outline.set_visible(False)
    if values.min() < values.max():
        bar.ax.set_ylim(float(values.min()), float(values.max()))


def grid_over(X: Array, steps: int) -> tuple[Array, Array, Array]:
    """Return a grid over the range of some points: its two axes, and all grid points as rows."""
    x1, x2 = (np.linspace(*padded_range(column), steps) for column in X.T)
    return x1, x2, np.column_stack([axis.ravel() for axis in np.meshgrid(x1, x2)])


def forward(net: Model, X: Array) -> Trace:
    """Trace a prediction (no dropout, running statistics), with all named values."""
    program = net.inference.needed_for("p")
    return Tracer(program)({**net.parameters, **net.statistics, "X": X.astype(net.dtype), "n": len(X)})


def name_of_layer(net: Model, trace: Trace, layer: int) -> str:
    """Return the name of a layer's output: ``a2`` for the second layer with weights, ``z2`` if it has no activation.

    Raises
    ------
    InputError
        If the layer does not exist.
    """
    name = trace.program.aliases.get(f"a{layer}", f"a{layer}")
    if isinstance(layer, bool) or name not in set(trace):
        known = ", ".join(key[1:] for key in trace if key[0] == "z" and key[1:].isdigit())
        raise InputError(
            f"There is no layer {layer!r}. The layers with weights are {known}; the name of a value is also valid."
        )
    return name


def columns_of(trace: Trace, name: str, rows: int) -> Array:
    """Return a value of the trace; raise an error unless it has one row per point."""
    values = np.asarray(trace[name])
    if values.ndim != 2 or len(values) != rows:
        raise InputError(f"{name} has the shape {values.shape}: it does not have one row per point.")
    return values.astype(float)


def draw_zero(ax: Axes, x1: Array, x2: Array, values: Array) -> None:
    """Draw the contour line at 0, if the values change sign."""
    if values.min() < 0 < values.max():
        ax.contour(x1, x2, values, levels=[0], colors="black", linewidths=1.1)


def draw_points(ax: Axes, X: Array, y: Array, size: float, classes: Array) -> None:
    """Plot the points, each class with its own marker and colour."""
    for k, label in enumerate(classes):
        ax.scatter(
            X[y == label, 0],
            X[y == label, 1],
            s=size,
            label=as_text(f"class {class_name(label)}"),
            zorder=3,
            **point_style(k),
        )


def label_edges(axes: list[Axes], columns: int) -> None:
    """Label the x-axes of the bottom panels and the y-axes of the left panels."""
    for ax in axes[-min(columns, len(axes)) :]:
        ax.set_xlabel("$x_1$")
    for ax in axes[::columns]:
        ax.set_ylabel("$x_2$")


def check_points(X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return points and classes as arrays; raise an error unless the points have two columns."""
    X = matrix(X, "X", "an array of shape (n, 2): a boundary is plotted over two inputs")
    if X.shape[1] != 2:
        raise InputError(f"A boundary is plotted over two inputs, but X has {X.shape[1]} columns (shape {X.shape}).")
    return X, vector(y, "y", len(X))


def draw_boundary(ax: Axes, model: BoundaryModel, X: Array, y: Array, steps: int, size: float = 22) -> Array:
    """Draw the background colours, the boundaries and the points; return the classes."""
    x1, x2, points = grid_over(X, steps)
    p, classes = probabilities(model, points.astype(X.dtype if X.dtype.kind == "f" else float), y)
    p = p.reshape(steps, steps, len(classes))
    edges = (x1[0], x1[-1], x2[0], x2[-1])
    ax.imshow(tints(p), extent=edges, origin="lower", interpolation="bilinear", aspect=aspect(X))
    for k in range(1 if len(classes) == 2 else 0, len(classes)):
        lead = p[..., k] - np.delete(p, k, axis=-1).max(axis=-1, initial=0)
        draw_zero(ax, x1, x2, lead)
    draw_points(ax, X, y, size, classes)
    return classes


def aspect(X: Array) -> Literal["equal", "auto"]:
    """Return "equal", or "auto" if the ranges of the inputs differ so much that equal scales give a narrow plot."""
    (left, right), (low, high) = (padded_range(column) for column in X.T)
    return "equal" if 0.4 < (high - low) / (right - left) < 2.5 else "auto"


def proportions(X: Array) -> float:
    """Return the height of a plot of some points relative to its width."""
    (left, right), (low, high) = (padded_range(column) for column in X.T)
    return (high - low) / (right - left) if aspect(X) == "equal" else 0.8


def padded_range(values: Array) -> tuple[float, float]:
    """Return the range of some values with a margin of 8 % on both sides."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.5
    return low - margin, high + margin


def probabilities(model: BoundaryModel, points: Array, y: Array) -> tuple[Array, Array]:
    """Return a model's probabilities, shape (n, classes), and its classes; ``predict`` alone gives 0 and 1."""
    if not hasattr(model, "predict_proba"):
        predicted = np.asarray(model.predict(points)).ravel()
        classes = np.union1d(predicted, y)
        return (predicted[:, None] == classes).astype(float), classes
    p = np.asarray(model.predict_proba(points), dtype=float).reshape(len(points), -1)
    p = np.hstack([1 - p, p]) if p.shape[1] == 1 else p
    found = np.unique(y)
    classes = np.asarray(getattr(model, "classes_", found if len(found) == p.shape[1] else np.arange(p.shape[1])))
    if len(classes) != p.shape[1] or not np.isin(found, classes).all():
        raise InputError(
            f"The model predicts {p.shape[1]} probabilities, for the classes {classes.tolist()}, "
            f"but y has {found.tolist()}."
        )
    return p, classes


def tints(p: Array) -> Array:
    """Return the colour of each point's most probable class, white if all are equally probable; shape (…, 3)."""
    colours = np.array([matplotlib_part("colors").to_rgb(COLOURS[k % len(COLOURS)]) for k in range(p.shape[-1])])
    confidence = (p.max(axis=-1) - 1 / p.shape[-1]) / max(1 - 1 / p.shape[-1], 1e-12)
    mixed: Array = 1 - 0.55 * np.clip(confidence, 0, 1)[..., None] * (1 - colours[p.argmax(axis=-1)])
    return mixed


def point_style(k: int) -> dict[str, Any]:
    """Return the marker and colour of class ``k``, with a white edge to contrast with the background."""
    return {
        "marker": MARKERS[k % len(MARKERS)],
        "color": COLOURS[k % len(COLOURS)],
        "edgecolors": "white",
        "linewidths": 0.6,
    }


def add_legend(figure: Figure | SubFigure, axes: list[Axes], classes: Array, shades: bool) -> None:
    """Add a legend below the panels and, for two classes with probabilities, a colour bar."""
    handles, names = axes[0].get_legend_handles_labels()
    columns = legend_columns(figure, names)
    figure.legend(handles, names, loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
    if shades and len(classes) == 2:
        colours = matplotlib_part("colors").LinearSegmentedColormap.from_list(
            "two classes", tints(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]))
        )
        scale = matplotlib_part("cm").ScalarMappable(matplotlib_part("colors").Normalize(0, 1), colours)
        bar = figure.colorbar(
            scale, ax=axes, label=as_text(f"probability of class {class_name(classes[1])}"), aspect=30
        )
        bar.outline.set_visible(False)
