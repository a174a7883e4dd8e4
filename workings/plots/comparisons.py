"""Plots of comparisons: confusion matrices, and variants against a baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.plots.drawing import (
    BLUE,
    GREY,
    INCHES_PER_LETTER,
    PALE,
    as_text,
    class_name,
    letter_count,
    matplotlib_part,
    new_axes,
    plot,
    tidy,
    vector,
    write_cells,
)
from workings.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_WRITTEN = 40  # classes of the largest confusion matrix with a count in each cell and a name at each row


@plot
def confusion(
    y_true: ArrayLike, y_pred: ArrayLike, labels: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Plot a confusion matrix; cells show counts, and colours show the fraction of the true class.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)
        The true and the predicted classes.
    labels : sequence of str, optional
        Names of the classes, in the classes' sorted order.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the arrays have different lengths, or the number of labels differs from the number of classes.

    Examples
    --------
    >>> ax = confusion([0, 0, 1], [0, 1, 1], labels=["cat", "dog"])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '1']
    """
    if hasattr(y_true, "predict"):
        raise InputError("confusion compares two arrays of classes: confusion(y, model.predict(X)).")
    y_true = vector(y_true, "y_true")
    y_pred = vector(y_pred, "y_pred", len(y_true))
    check_classes(y_true, "y_true")
    check_classes(y_pred, "y_pred")
    classes, numbers = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    k = len(classes)
    if labels is not None and len(labels) != k:
        raise InputError(f"There are {len(labels)} labels for {k} classes: {[class_name(c) for c in classes]}.")
    counts = np.bincount(numbers[: len(y_true)] * k + numbers[len(y_true) :], minlength=k * k).reshape(k, k)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = list(map(as_text, labels if labels is not None else map(class_name, classes)))
    room = INCHES_PER_LETTER * max(letter_count(name) - 4 for name in [*names, "long"])
    side = 0.42 * min(k, MOST_WRITTEN)
    target = ax or new_axes(2.4 + side + room, 1.5 + side + 0.7 * room)
    norm = matplotlib_part("colors").PowerNorm(0.5, 0, 1)  # square root: makes an error rate of a few % visible
    image = target.imshow(shares, cmap="Blues", norm=norm)
    colours = np.where(counts == 0, PALE, np.where(shares > 0.3, "white", "black"))
    if k <= MOST_WRITTEN:
        write_cells(target, [[f"{count:,}" for count in row] for row in counts], colours, 9 if k <= 12 else 6)
    name_cells(target, names)
    if ax is None:
        bar = target.figure.colorbar(
            image, ax=target, label="fraction of the true class", ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]
        )
        bar.ax.set_yticklabels(["0", "1 %", "10 %", "25 %", "50 %", "100 %"])
        bar.outline.set_visible(False)
    return target


def check_classes(labels: Array, name: str) -> None:
    """Raise an error for numbers that are no classes, such as the targets of a regression."""
    if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
        odd = labels[labels != np.round(labels)]
        raise InputError(
            f"confusion compares classes, but {name} has numbers such as {odd[0]:.6g} ({len(np.unique(labels))} "
            "different ones). For a regression, plot the predictions over the targets: ax.scatter(y_true, y_pred)."
        )


def name_cells(ax: Axes, names: list[str]) -> None:
    """Label the rows and columns of a confusion matrix, not all of them if there are many; long names are rotated."""
    long = max(map(letter_count, names)) > 4
    places = range(0, len(names), -(-len(names) // MOST_WRITTEN))
    shown = [names[place] for place in places]
    ax.set_xticks(places, shown, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_yticks(places, shown)
    ax.set_xlabel("predicted")
    ax.set_ylabel("true")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


@plot
def bars(
    names: Sequence[str],
    means: ArrayLike,
    spreads: ArrayLike | None = None,
    baseline: float | str | None = None,
    xlabel: str = "accuracy",
    ax: Axes | None = None,
) -> Axes:
    """Plot the mean of each variant as a dot with an error bar, and the baseline as a dashed line.

    Parameters
    ----------
    names : sequence of str
        Names of the variants, from top to bottom.
    means : array of shape (n,)
    spreads : array of shape (n,), optional
        Half the length of each error bar, such as the standard deviation over seeds.
    baseline : float or str, optional
        A value to compare with, or the name of the baseline variant.
    xlabel : str
        The quantity, with its unit.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the lengths differ, a spread is negative, or the baseline is not one of the names.

    Examples
    --------
    >>> ax = bars(["plain", "with L2"], [0.971, 0.9753], [0.002, 0.0041], baseline="plain")
    >>> [text.get_text() for text in ax.texts]
    ['0.971 ± 0.002', '0.975 ± 0.004']
    """
    middle = vector(means, "means", len(names)).astype(float)
    spread = np.zeros(len(names)) if spreads is None else vector(spreads, "spreads", len(names)).astype(float)
    if not (spread >= 0).all():
        raise InputError(f"spreads must not be negative; the smallest is {spread.min()}.")
    room = INCHES_PER_LETTER * max((letter_count(name) - 12 for name in map(as_text, names)), default=0)
    target = tidy(ax or new_axes(6.4 + max(room, 0), 0.9 + 0.34 * len(names)), as_text(xlabel))
    line = baseline_value(baseline, names, middle)
    if line is not None:
        target.axvline(line, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    rows = np.arange(len(names))
    colours = [GREY if name == baseline else BLUE for name in names]
    target.hlines(rows, middle - spread, middle + spread, colors=colours, linewidth=3, alpha=0.45)
    target.scatter(middle, rows, s=38, color=colours, zorder=3)
    for row, text in enumerate(format_means(middle, None if spreads is None else spread)):
        target.annotate(text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    target.set_yticks(rows, list(map(as_text, names)))
    target.set_ylim(len(names) - 0.5, -0.5)
    target.tick_params(axis="y", length=0)
    target.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    target.set_axisbelow(True)
    return target


def baseline_value(baseline: float | str | None, names: Sequence[str], means: Array) -> float | None:
    """Return the value of the baseline, which may be the name of a variant."""
    if not isinstance(baseline, str):
        return baseline
    if baseline not in names:
        raise InputError(f"The baseline {baseline!r} is not one of the names: {', '.join(names)}.")
    return float(means[list(names).index(baseline)])


def format_means(means: Array, spreads: Array | None) -> list[str]:
    """Format means with the number of decimals that the smallest spread justifies.

    >>> format_means(np.array([97.53, 96.0]), np.array([0.4, 1.25]))
    ['97.5 ± 0.4', '96.0 ± 1.2']
    """
    if spreads is None or not spreads.any():
        return [f"{mean:.4g}" for mean in means]
    decimals = max(0, -math.floor(math.log10(spreads[spreads > 0].min())))
    return [f"{mean:.{decimals}f} ± {spread:.{decimals}f}" for mean, spread in zip(means, spreads, strict=True)]
