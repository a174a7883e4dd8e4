"""Explain a network's prediction for a row of a table: what each column adds to the prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workings.cli.table_effects import BACKGROUND, contributions
from workings.ensemble import Ensemble
from workings.errors import InputError, count_of
from workings.network import Network
from workings.support.arrays import Array
from workings.tables import Preprocessing
from workings.tables.training_rows import TrainingRows

if TYPE_CHECKING:
    import polars as pl

MOST_COLUMNS = 12  # that have a line of their own
Contributions = tuple[list[str], list[list[str]]]


def numbers_predicted(predictor: Network | Ensemble, preprocessing: Preprocessing) -> Callable[[Array], Array]:
    """Return the function from rows to numbers: predictions in the target's unit, or probabilities."""
    if not preprocessing.classes:
        return lambda X: preprocessing.untransform_target(predictor.predict(X))
    if len(preprocessing.classes) == 2:
        return lambda X: predictor.predict_proba(X)[:, 1]
    return predictor.predict_proba


def contribution_table(
    predictor: Network | Ensemble,
    preprocessing: Preprocessing,
    x: Array,
    background: Array,
    frame: pl.DataFrame,
    row: int,
) -> Contributions:
    """Return the head and the rows of a table: what each column adds to the mean prediction of background rows.

    Parameters
    ----------
    predictor : Network or Ensemble
    preprocessing : Preprocessing
    x : array of shape (n_in,)
        The encoded row.
    background : array of shape (n, n_in)
        Encoded rows, such as the training rows.
    frame : polars.DataFrame
        The table, whose values are shown.
    row : int
        The row's index in it.
    """
    classes, predict = preprocessing.classes, numbers_predicted(predictor, preprocessing)
    place = int(predict(x[None])[0].argmax()) if len(classes) > 2 else 1
    one = predict if len(classes) <= 2 else lambda X: predict(X)[:, place]
    mean, added = contributions(preprocessing.table_columns, x, background, one)
    what = f"p({classes[place]})" if classes else "the prediction"
    order = sorted(added, key=lambda name: -abs(added[name]))
    lines = [[name, table_value(frame, name, row), f"{added[name]:+.4g}"] for name in order[:MOST_COLUMNS]]
    rest = order[MOST_COLUMNS:]
    lines += [[f"{len(rest)} other columns", "", f"{sum(added[name] for name in rest):+.4g}"]] if rest else []
    total = mean + sum(added.values())
    head = ["column", "value", f"adds to {what}"]
    return head, [["mean", "", f"{mean:.4g}"], *lines, ["sum", "", f"{total:.4g}"]]


def table_value(frame: pl.DataFrame, name: str, row: int) -> str:
    """Return a value of the table as text."""
    value = frame[name][row]
    return "missing" if value is None or value != value else f"{value:.6g}" if isinstance(value, float) else str(value)


def why_lines(
    predictor: Network | Ensemble,
    preprocessing: Preprocessing,
    known: TrainingRows | None,
    X: Array,
    frame: pl.DataFrame,
    row: int,
) -> list[str]:
    """Return lines that say what each column adds to the prediction of a row; ``row`` counts from 1.

    The prediction is compared with the predictions for training rows, as far as the model keeps their distributions,
    or else for the table's rows.
    """
    if not 1 <= row <= len(X):
        raise InputError(f"--why {row}: the table has {count_of(len(X), 'row')}, counted from 1.")
    x, columns = X[row - 1], preprocessing.table_columns
    if known is None:
        background, others = X, "the rows of the table"
    else:
        background = columns.features(*known.drawn(columns, BACKGROUND, np.random.default_rng(0)))
        others = "training rows, with each column drawn independently"
    head, lines = contribution_table(predictor, preprocessing, x, background, frame, row - 1)
    predicted = predictor.predict(x[None])
    shown = predicted[0] if preprocessing.classes else f"{preprocessing.untransform_target(predicted)[0]:.6g}"
    cells = [head, *lines]
    widths = [max(len(line[k]) for line in cells) for k in range(3)]
    return [
        f"row {row}: the prediction is {shown}",
        f"mean: of {others}; the contributions are Shapley values and add up to the prediction",
        "",
        *(f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in cells),
    ]
