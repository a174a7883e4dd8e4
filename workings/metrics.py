"""Metrics: predictions and targets -> one number that people understand.

A loss is what training follows; a metric is what is reported.  Each takes what is true and what was
predicted, in this order, and an optional weight for each row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workings.arrays import Array
from workings.errors import InputError
from workings.losses import absolute_error, squared_error

Metric = Callable[..., float]


def accuracy(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """The share of rows predicted rightly; with several labels a row, all of them.

    >>> accuracy(np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1]))
    0.75
    """
    match(y_true, y_pred)
    right = (y_true == y_pred).reshape(len(y_true), -1).all(axis=1)
    return float(np.average(right, weights=w))


def r2(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """1 - (squared error) / (spread of the targets), averaged over outputs; 1 is perfect, 0 is the mean.

    Where the targets of an output are all equal, it is 1 for a perfect prediction and else 0.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    match(y_true, y_pred)
    true, predicted = y_true.reshape(len(y_true), -1), y_pred.reshape(len(y_pred), -1)
    error = np.average(squared_error(predicted, true), axis=0, weights=w)
    spread = np.average(squared_error(np.average(true, axis=0, weights=w), true), axis=0, weights=w)
    varied = np.ptp(true, axis=0) > 0
    return float(np.where(varied, 1 - error / np.where(varied, spread, 1), error == 0).mean())


def mean_squared_error(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """The mean of (true - predicted)², over rows and outputs."""
    match(y_true, y_pred)
    return float(np.average(squared_error(y_pred, y_true), axis=0, weights=w).mean())


def mean_absolute_error(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """The mean of |true - predicted|, over rows and outputs."""
    match(y_true, y_pred)
    return float(np.average(absolute_error(y_pred, y_true), axis=0, weights=w).mean())


def match(y_true: Array, y_pred: Array) -> None:
    """Refuse arrays of different shapes, which NumPy would broadcast."""
    if np.shape(y_true) != np.shape(y_pred):
        raise InputError(f"The true values have shape {np.shape(y_true)}, the predictions {np.shape(y_pred)}.")


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "r2": r2,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
}
LOWER_IS_BETTER = frozenset({"loss", "mean_squared_error", "mean_absolute_error"})
