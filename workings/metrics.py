"""Metrics: one number that says how well predictions match targets.

Training minimizes a loss; a metric is only reported.  Each metric takes the true values, the predicted values
and, optionally, a weight for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from workings.errors import InputError
from workings.losses import absolute_error, squared_error
from workings.support.arrays import Array, Values
from workings.support.keywords import checked_keywords

Metric = Callable[..., float]
IN_CACHE = 2**18  # bytes of predictions that are processed at a time


def is_right(y_true: Array, y_pred: Array) -> Values:
    """is whether the predicted label is the true label"""
    return y_true == y_pred


@checked_keywords
def accuracy(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """Return the share of correctly predicted rows; if a row has several labels, all must be correct.

    >>> accuracy(np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1]))
    0.75
    """
    return float(of_each(accuracy, y_true, y_pred[None], w)[0])


def accuracies(y_true: Array, y_pred: Array, w: Array | None = None) -> Array:
    """Return the accuracy of each of several predictions, of shape (several, n, …)."""
    each = is_right(y_true, y_pred)
    right = each.all(axis=-1) if y_true.ndim > 1 else each
    if w is None:
        shares: Array = right.sum(axis=-1, dtype=np.uint32) / right.shape[-1]  # takes half the time of a mean
        return shares
    shares = np.average(right, axis=-1, weights=w)
    return shares


@checked_keywords
def r2(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """Return R², 1 - (squared error) / (variance of the targets), averaged over the outputs.

    A perfect prediction has R² = 1; predicting the mean has R² = 0.  If all targets of an output are equal,
    its R² is 1 for a perfect prediction and 0 otherwise.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return float(of_each(r2, y_true, y_pred[None], w)[0])


def r2s(y_true: Array, y_pred: Array, w: Array | None = None) -> Array:
    """Return the R² of each of several predictions, of shape (several, n, …)."""
    true, predicted = y_true.reshape(len(y_true), -1), y_pred.reshape(*y_pred.shape[:2], -1)
    error = np.average(squared_error(predicted, true), axis=1, weights=w)
    spread = np.average(squared_error(np.average(true, axis=0, weights=w), true), axis=0, weights=w)
    return r2_scores(error, spread, np.ptp(true, axis=0) > 0)


def r2_scores(error: Array, spread: Array, varied: Array) -> Array:
    """Return R² from the mean squared error and the variance of each output, and whether its targets differ."""
    scores: Array = np.where(varied, 1 - error / np.where(varied, spread, 1), error == 0).mean(axis=-1)
    return scores


def merged_score(metric: Metric, parts: Iterable[tuple[Array, Array, Array | None]]) -> float:
    """Return a metric of all rows from the true values, the predictions and the weights of their parts.

    Accuracy, R² and mean errors are merged exactly, up to rounding.  For other metrics, the parts are put together.

    >>> y = np.array([1.0, 2.0, 4.0])
    >>> parts = [(y[:1], y[:1], None), (y[1:], y[1:] + 1, None)]
    >>> round(merged_score(r2, parts), 6), round(r2(y, y + [0, 1, 1]), 6)
    (0.571429, 0.571429)
    """
    return score_of_parts(metric, [part_of_score(metric, *part) for part in parts])


def part_of_score(metric: Metric, y_true: Array, y_pred: Array, w: Array | None) -> tuple[object, ...]:
    """Return what ``score_of_parts`` needs to know of some rows; for a metric of one's own, these rows."""
    size = float(len(y_true) if w is None else w.sum())
    if metric not in OF_SEVERAL:
        return y_true, y_pred, w
    if metric is not r2:
        return size, metric(y_true, y_pred, w)
    true, predicted = y_true.reshape(len(y_true), -1), y_pred.reshape(len(y_pred), -1)
    mean = np.average(true, axis=0, weights=w)
    error, spread = (np.average(squared_error(other, true), axis=0, weights=w) for other in (predicted, mean))
    return size, error, mean, spread, true.min(axis=0), true.max(axis=0)


def score_of_parts(metric: Metric, parts: Sequence[tuple[object, ...]]) -> float:
    """Return a metric of all rows from the results of ``part_of_score``.

    The variance in R² is the mean variance in the parts plus the variance of their means.
    """
    columns = list(zip(*parts, strict=True))
    if metric not in OF_SEVERAL:
        weights = [] if columns[2][0] is None else [np.concatenate(columns[2])]
        return float(metric(np.concatenate(columns[0]), np.concatenate(columns[1]), *weights))
    sizes, *values = (np.array(column) for column in columns)
    if metric is not r2:
        return float(np.average(values[0], weights=sizes))
    errors, means, spreads, lows, highs = values
    between = squared_error(means, np.average(means, axis=0, weights=sizes))
    error, spread = (np.average(each, axis=0, weights=sizes) for each in (errors, spreads + between))
    return float(r2_scores(error, spread, highs.max(axis=0) > lows.min(axis=0)))


@checked_keywords
def mean_squared_error(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """Return the mean of (true - predicted)² over rows and outputs."""
    return float(of_each(mean_squared_error, y_true, y_pred[None], w)[0])


def mean_squared_errors(y_true: Array, y_pred: Array, w: Array | None = None) -> Array:
    """Return the mean squared error of each of several predictions, of shape (several, n, …)."""
    errors = np.average(squared_error(y_pred, y_true), axis=1, weights=w)
    means: Array = errors.reshape(len(errors), -1).mean(axis=1)
    return means


@checked_keywords
def mean_absolute_error(y_true: Array, y_pred: Array, w: Array | None = None) -> float:
    """Return the mean of |true - predicted| over rows and outputs."""
    return float(of_each(mean_absolute_error, y_true, y_pred[None], w)[0])


def mean_absolute_errors(y_true: Array, y_pred: Array, w: Array | None = None) -> Array:
    """Return the mean absolute error of each of several predictions, of shape (several, n, …)."""
    errors = np.average(absolute_error(y_pred, y_true), axis=1, weights=w)
    means: Array = errors.reshape(len(errors), -1).mean(axis=1)
    return means


def of_each(metric: Metric, y_true: Array, y_pred: Array, w: Array | None = None) -> Array:
    """Return a metric of each of several predictions, of shape (several, n, …)."""
    if metric not in OF_SEVERAL:
        return np.array([metric(y_true, one) if w is None else metric(y_true, one, w) for one in y_pred])
    match(y_true, y_pred[0])
    at_a_time = max(IN_CACHE // max(y_pred[0].nbytes, 1), 1)
    parts = [y_pred[first : first + at_a_time] for first in range(0, len(y_pred), at_a_time)]
    return np.concatenate([OF_SEVERAL[metric](y_true, part, w) for part in parts])


def match(y_true: Array, y_pred: Array) -> None:
    """Raise an error for arrays of different shapes, which NumPy would broadcast."""
    if np.shape(y_true) != np.shape(y_pred):
        raise InputError(f"The true values have shape {np.shape(y_true)}, the predictions {np.shape(y_pred)}.")


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "r2": r2,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
}
LOWER_IS_BETTER = frozenset({"loss", "mean_squared_error", "mean_absolute_error"})
OF_SEVERAL: dict[Metric, Callable[..., Array]] = {  # the versions for several predictions at once
    accuracy: accuracies,
    r2: r2s,
    mean_squared_error: mean_squared_errors,
    mean_absolute_error: mean_absolute_errors,
}


# -- from counts and probabilities -----------------------------------------------------------


def confusion_counts(y_true: Array, y_pred: Array, classes: Array) -> Array:
    """Return how many rows of each true class (rows) are predicted as each class (columns).

    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([0, 1])).tolist()
    [[1, 1], [0, 1]]
    """
    k = len(classes)
    places = np.searchsorted(classes, y_true) * k + np.searchsorted(classes, y_pred)
    return np.bincount(places, minlength=k * k).reshape(k, k)


def precision_of(counts: Array) -> Array:
    """Return each class's share of right predictions among its predictions, from confusion counts; 0 without any.

    >>> precision_of(np.array([[1, 1], [0, 1]])).tolist()
    [1.0, 0.5]
    """
    return share_of(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2))


def recall_of(counts: Array) -> Array:
    """Return each class's share of right predictions among its rows, from confusion counts; 0 without any.

    >>> recall_of(np.array([[1, 1], [0, 1]])).tolist()
    [0.5, 1.0]
    """
    return share_of(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def f1_of(counts: Array) -> Array:
    """Return each class's F1 score, the harmonic mean of precision and recall, from confusion counts.

    >>> f1_of(np.array([[1, 1], [0, 1]])).round(3).tolist()
    [0.667, 0.667]
    """
    return share_of(2 * np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2) + counts.sum(axis=-1))


def share_of(part: Array, whole: Array) -> Array:
    """Return part / whole; 0 where both are 0."""
    shares: Array = part / np.maximum(whole, 1)
    return shares


def area_under_roc(is_positive: Array, score: Array) -> float:
    """Return the area under the ROC curve: the chance that a positive row has a higher score than a negative one.

    Equal scores count half.  NaN if all rows are of one kind.

    >>> area_under_roc(np.array([False, True, True]), np.array([0.1, 0.4, 0.1]))
    0.75
    """
    positive = int(is_positive.sum())
    negative = len(score) - positive
    if not positive or not negative:
        return float("nan")
    return float((ranks(score)[is_positive].sum() - positive * (positive - 1) / 2) / (positive * negative))


def ranks(values: Array) -> Array:
    """Return the rank of each value, from 0; equal values share their mean rank.

    >>> ranks(np.array([30.0, 10.0, 30.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2)[place.ravel()])


def wilson_interval(count: int, n: int, errors: float) -> tuple[float, float]:
    """Return Wilson's interval of a share, ``count`` of ``n`` rows, within a number of standard errors (Wilson 1927).

    Unlike the share plus and minus its standard error, it has a width even if all rows are counted, or none.

    >>> [round(end, 3) for end in wilson_interval(30, 30, errors=1.96)]
    [0.886, 1.0]
    """
    middle, half = count + errors**2 / 2, errors * (count * (n - count) / n + errors**2 / 4) ** 0.5
    return max((middle - half) / (n + errors**2), 0.0), min((middle + half) / (n + errors**2), 1.0)


def log_losses(labels: Array, probabilities: Array) -> Array:
    """Return each row's -log of the probability of its true class, given as a column number.

    >>> log_losses(np.array([1]), np.array([[0.5, 0.5]])).round(4).tolist()
    [0.6931]
    """
    p = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    losses: Array = -np.log(np.clip(p, np.finfo(np.float64).eps, None))
    return losses
