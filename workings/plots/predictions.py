"""Plots of predictions: calibration of probabilities, numbers against true values, and partial dependence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.plots.drawing import BLUE, GREY, LINES, as_text, new_axes, panels, plot, tidy, vector

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 10  # of a calibration curve, with equal numbers of rows


@plot
def calibration(happened: ArrayLike, probability: ArrayLike, ax: Axes | None = None) -> Axes:
    """Plot how often something happened against the probability that was predicted for it.

    Parameters
    ----------
    happened : array of bool, shape (n,)
    probability : array of shape (n,)
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the arrays have different lengths, or a probability lies outside of 0 to 1.

    Examples
    --------
    >>> ax = calibration([False, True, True], [0.1, 0.8, 0.9])
    >>> ax.get_xlabel()
    'predicted probability'
    """
    p = vector(probability, "probability").astype(float)
    happened = vector(happened, "happened", len(p)).astype(bool)
    if not ((p >= 0) & (p <= 1)).all():
        raise InputError(f"Probabilities lie between 0 and 1; these reach from {p.min():g} to {p.max():g}.")
    target = tidy(ax or new_axes(4.4, 4.0), "predicted probability", "share of rows where it is true")
    order = np.argsort(p, kind="stable")
    bins = [rows for rows in np.array_split(order, min(BINS, max(len(p) // 5, 1))) if len(rows)]
    target.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    middle, share = [p[rows].mean() for rows in bins], np.array([happened[rows].mean() for rows in bins])
    error = np.sqrt(share * (1 - share) / np.array([len(rows) for rows in bins]))
    target.errorbar(middle, share, error, fmt="o-", color=BLUE, markersize=5, linewidth=1.5, elinewidth=1)
    target.set_xlim(-0.02, 1.02)
    target.set_ylim(-0.02, 1.02)
    return target


@plot
def predicted_against_true(y_true: ArrayLike, y_pred: ArrayLike) -> Figure:
    """Plot predicted numbers against true ones, and the residuals (true - predicted) against the predictions.

    Parameters
    ----------
    y_true, y_pred : array of shape (n,)

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        If the arrays have different lengths.

    Examples
    --------
    >>> figure = predicted_against_true([1, 2, 3], [1.1, 2, 2.8])
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['predicted', 'true - predicted']
    """
    true = vector(y_true, "y_true").astype(float)
    predicted = vector(y_pred, "y_pred", len(true)).astype(float)
    figure, (left, right) = panels(2, 2, 4.2, 3.8)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    size = max(4, 36 - len(true) / 50)
    tidy(left, "true", "predicted").scatter(true, predicted, s=size, color=BLUE, alpha=0.6, linewidths=0)
    left.plot(ends, ends, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    residuals = true - predicted
    tidy(right, "predicted", "true - predicted").scatter(
        predicted, residuals, s=size, color=BLUE, alpha=0.6, linewidths=0
    )
    right.axhline(0, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    return figure


@plot
def partial_dependence(
    names: Sequence[str],
    values: Sequence[Sequence[float] | Sequence[str]],
    predictions: Sequence[ArrayLike],
    ylabel: str = "mean prediction",
    labels: Sequence[str] = (),
) -> Figure:
    """Plot the mean prediction for each value of several columns, a panel for each column.

    Parameters
    ----------
    names : sequence of str
        The columns.
    values : sequence of sequences
        The values of each column: numbers, or categories.
    predictions : sequence of arrays
        The mean prediction for each value, of shape (values,) or (values, curves).
    ylabel : str
    labels : sequence of str
        The name of each curve, if there are several.

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = partial_dependence(["age", "kind"], [[20, 40], ["a", "b"]], [[0.1, 0.3], [0.2, 0.2]])
    >>> [ax.get_xlabel() for ax in figure.axes]
    ['age', 'kind']
    """
    if not names or not len(names) == len(values) == len(predictions):
        raise InputError(
            f"There are {len(names)} names, {len(values)} lists of values, {len(predictions)} of predictions."
        )
    figure, axes = panels(len(names), 3, 3.0, 2.6)
    for ax, name, given, curves in zip(axes, names, values, predictions, strict=False):
        tidy(ax, as_text(name), ylabel if ax is axes[0] else "")
        heights = np.asarray(curves, dtype=float).reshape(len(given), -1).T
        is_text = isinstance(given[0], str)
        x = np.arange(len(given)) if is_text else np.asarray(given, dtype=float)
        for place, curve in enumerate(heights):
            label = as_text(labels[place]) if place < len(labels) else None
            ax.plot(x, curve, "o" if is_text else "-", color=LINES[place % len(LINES)], markersize=4, label=label)
        if is_text:
            texts = [as_text(value, most=14) for value in given]
            ax.set_xticks(x, texts, rotation=45 if max(map(len, texts)) > 3 else 0, ha="right", fontsize=7)
    heights = np.concatenate([np.ravel(np.asarray(curves, dtype=float)) for curves in predictions])
    margin = 0.05 * np.ptp(heights) or 1.0
    for ax in axes:
        ax.set_ylim(heights.min() - margin, heights.max() + margin)  # so that the panels can be compared
    if len(labels) > 1:
        axes[0].legend(fontsize=7)
    return figure
