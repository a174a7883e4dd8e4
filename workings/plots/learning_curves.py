"""Plots of a training over time: learning curves, and the oscillation at the edge of stability."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.plots.drawing import (
    BLUE,
    GREY,
    LINES,
    PALE,
    VERMILION,
    as_text,
    label_ends,
    matplotlib_part,
    new_axes,
    plot,
    tidy,
    vector,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@plot
def curves(
    history: Mapping[str, Sequence[float | None]],
    names: Sequence[str] | None = None,
    *,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Plot learning curves: the loss or other recorded metrics by epoch.

    Parameters
    ----------
    history : mapping of str to list of float
        One value per epoch, counted from 0 as in the history's table; None if nothing was recorded.
    names : sequence of str, optional
        Metrics to plot; by default all with "loss" in their name, or all metrics if there is none.
        Validation metrics (``val_…``) are dashed, and are plotted one epoch later than ``loss``:
        they were measured at the end of the epoch, ``loss`` at its beginning.
    log : bool
        Use a logarithmic y-axis.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the history does not contain a name.

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
    ax = tidy(ax or new_axes(6, 3.6), "epoch", as_text(display_name(kinds.pop())) if len(kinds) == 1 else "value")
    if log:
        ax.set_yscale("log")
    later = [int(name.startswith("val_") and "loss" in history) for name in chosen]  # measured after the epoch
    ends = [
        draw_curve(ax, history[name], name, LINES[i % len(LINES)], first)
        for i, (name, first) in enumerate(zip(chosen, later, strict=True))
    ]
    is_one_metric = len({name.removeprefix("val_") for name in chosen}) == 1
    labels = [data_name(name) if is_one_metric else as_text(display_name(name)) for name in chosen]
    label_ends(ax, [(*end, label) for end, label in zip(ends, labels, strict=True)])
    ax.xaxis.set_major_locator(matplotlib_part("ticker").MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    return ax


def display_name(name: str) -> str:
    """Return the display name of a recorded metric.

    >>> display_name("val_accuracy"), display_name("lr")
    ('validation accuracy', 'learning rate')
    """
    name = f"validation {name.removeprefix('val_')}" if name.startswith("val_") else name
    return {"lr": "learning rate"}.get(name, name).replace("_", " ")


def data_name(name: str) -> str:
    """Return the data on which a metric was measured: training or validation."""
    return "validation" if name.startswith("val_") else "training"


def draw_curve(
    ax: Axes, values: Sequence[float | None], name: str, colour: str, first: int = 0
) -> tuple[float, float, str]:
    """Plot one curve over the epochs that have a finite value; return its last point and its colour."""
    known = [(epoch, value) for epoch, value in enumerate(values, start=first) if value is not None]
    points = [(epoch, value) for epoch, value in known if math.isfinite(value)]
    if not points:
        raise InputError(f"The history's {name!r} has no finite value, so there is nothing to plot.")
    x, y = zip(*points, strict=True)
    dashes = (0, (4, 1.5)) if name.startswith("val_") else "-"
    ax.plot(
        x,
        y,
        color=colour,
        linestyle=dashes,
        linewidth=1.8,
        label=as_text(display_name(name)),
        marker="o" if len(x) == 1 else "",
    )
    return x[-1], y[-1], colour


@plot
def orbit(losses: ArrayLike, ax: Axes | None = None, *, last: int = 60, xlabel: str = "epoch") -> Axes:
    """Plot the last values of a loss that alternates between two values.

    Gradient descent at the edge of stability behaves like this: the step is slightly too large for
    the curvature, so every step jumps to the other side of the minimum.

    Parameters
    ----------
    losses : array of shape (epochs,)
    ax : Axes, optional
    last : int
        Number of values to plot, counted from the end.
    xlabel : str
        Label of the x-axis: the unit in which the values are counted.

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
        raise InputError(f"orbit needs at least two values; there are {len(values)}, and last={last}.")
    shown, epochs = values[-last:], np.arange(len(values))[-last:]
    ax = tidy(ax or new_axes(6, 3.2), as_text(xlabel), "loss")
    ax.plot(epochs, shown, color=PALE, linewidth=0.8, zorder=1)
    for start, colour, marker in ((0, BLUE, "o"), (1, VERMILION, "s")):
        ax.scatter(epochs[start::2], shown[start::2], s=18, color=colour, marker=marker, zorder=2)
    label_orbit(ax, epochs[-1], float(np.median(shown[0::2])), float(np.median(shown[1::2])))
    return ax


def label_orbit(ax: Axes, x: float, first: float, second: float) -> None:
    """Write the two values next to the last points, or one value if they are equal."""
    middle = (first + second) / 2
    if abs(first - second) <= 1e-6 * abs(middle):
        ax.set_ylim(middle - 0.01 * abs(middle) - 1e-12, middle + 0.01 * abs(middle) + 1e-12)
        label_ends(ax, [(x, middle, GREY, f"converged to {middle:.4g}")])
    else:
        digits = max(4, 2 + math.ceil(math.log10(abs(middle) / abs(first - second) + 1)))
        label_ends(ax, [(x, first, BLUE, f"{first:.{digits}g}"), (x, second, VERMILION, f"{second:.{digits}g}")])
