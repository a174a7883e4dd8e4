"""Pictures of how training went: curves by epoch, and the orbit on which it may end."""

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
    label_ends,
    matplotlib_part,
    new_axes,
    tidy,
    vector,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
