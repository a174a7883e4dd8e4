"""Scores of a network on held-out rows of a table, with intervals, beside simple models."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from workings.cli.table_training import TrainedOnTable
from workings.metrics import (
    accuracy,
    area_under_roc,
    confusion_counts,
    f1_of,
    log_losses,
    mean_absolute_error,
    mean_squared_error,
    precision_of,
    r2,
    recall_of,
    wilson_interval,
)
from workings.support.arrays import Array

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

RESAMPLES, COVERAGE = 200, 95  # of the bootstrap intervals, in percent
LEAST_ROWS_OF_TREES = 100  # boosted trees need at least 20 rows in each leaf
Scores = dict[str, float]


@dataclass(frozen=True)
class Predictions:
    """Predictions of some rows, and their true values.

    Attributes
    ----------
    true : array of shape (n,)
        Numbers in the target's unit, or the index of each row's class.
    predicted : array of shape (n,)
        Alike.
    probabilities : array of shape (n, classes) or None
        The probabilities of the classes; None for numbers.
    """

    true: Array
    predicted: Array
    probabilities: Array | None = None

    def taken(self, rows: Array) -> Predictions:
        """Return some rows."""
        p = None if self.probabilities is None else self.probabilities[rows]
        return Predictions(self.true[rows], self.predicted[rows], p)

    @property
    def scores(self) -> Scores:
        """The scores by name."""
        return number_scores(self) if self.probabilities is None else class_scores(self)

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The interval of each score: Wilson's for the accuracy, else by the bootstrap.

        The bootstrap draws the rows again, with replacement.  If it finds the same score each time, as the AUC of rows
        that are all right, it knows no interval: both ends are that score.
        """
        rng, n = np.random.default_rng(0), len(self.true)
        drawn = [self.taken(rng.integers(0, n, n)).scores for _ in range(RESAMPLES)]
        ends = ((100 - COVERAGE) / 2, (100 + COVERAGE) / 2)
        found = {}
        for name in self.scores:
            values = np.array([scores[name] for scores in drawn])
            values = values[np.isfinite(values)]
            low, high = np.percentile(values, ends) if len(values) else (np.nan, np.nan)
            found[name] = (float(low), float(high))
        if self.probabilities is not None:
            right = int((self.true == self.predicted).sum())
            found["accuracy"] = wilson_interval(right, n, NormalDist().inv_cdf((100 + COVERAGE) / 200))
        return found


def score_text(value: float, interval: tuple[float, float], digits: int) -> str:
    """Return a score with its interval as text; without one whose ends are equal.

    >>> score_text(0.9, (0.8, 0.95), 3), score_text(1.0, (1.0, 1.0), 3)
    ('0.9 (0.8 to 0.95)', '1')
    """
    low, high = interval
    ends = "" if low == high else f" ({low:.{digits}g} to {high:.{digits}g})"
    return f"{value:.{digits}g}{ends}"


def class_scores(rows: Predictions) -> Scores:
    """Return accuracy, AUC, F1, precision, recall and log loss; for several classes the mean over classes.

    >>> rows = Predictions(np.array([0, 1]), np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    >>> {name: round(score, 3) for name, score in class_scores(rows).items()}
    {'accuracy': 1.0, 'AUC': 1.0, 'F1': 1.0, 'precision': 1.0, 'recall': 1.0, 'log loss': 0.164}
    """
    assert rows.probabilities is not None
    k = rows.probabilities.shape[1]
    counts = confusion_counts(rows.true, rows.predicted, np.arange(k))
    which = np.array([1]) if k == 2 else np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    areas = [area_under_roc(rows.true == label, rows.probabilities[:, label]) for label in which]
    known = [area for area in areas if np.isfinite(area)]
    return {
        "accuracy": accuracy(rows.true, rows.predicted),
        "AUC": float(np.mean(known)) if known else np.nan,
        "F1": float(f1_of(counts)[which].mean()),
        "precision": float(precision_of(counts)[which].mean()),
        "recall": float(recall_of(counts)[which].mean()),
        "log loss": float(log_losses(rows.true, rows.probabilities).mean()),
    }


def number_scores(rows: Predictions) -> Scores:
    """Return R², the mean absolute error and the root mean squared error.

    >>> number_scores(Predictions(np.array([1.0, 3.0]), np.array([1.0, 2.0])))
    {'R²': 0.5, 'MAE': 0.5, 'RMSE': 0.7071067811865476}
    """
    return {
        "R²": r2(rows.true, rows.predicted),
        "MAE": mean_absolute_error(rows.true, rows.predicted),
        "RMSE": mean_squared_error(rows.true, rows.predicted) ** 0.5,
    }


def predictions_of(trained: TrainedOnTable, X: Array, y: Array) -> Predictions:
    """Return the network's predictions of some encoded rows."""
    network, preprocessing = trained.network, trained.preprocessing
    if not preprocessing.classes:
        values = preprocessing.untransform_target
        return Predictions(values(y), values(network.predict(X)))
    classes = np.array(preprocessing.classes)
    p = network.predict_proba(X)
    return Predictions(np.searchsorted(classes, y), np.searchsorted(classes, network.predict(X)), p)


# -- simple models -----------------------------------------------------------------------------


def baselines(trained: TrainedOnTable, X: Array, y: Array) -> dict[str, Predictions]:
    """Return the predictions of simple models that are trained on the same rows.

    Always: the most frequent class or the mean.  With scikit-learn: a linear model, and boosted trees if there are
    enough rows.
    """
    X_train, y_train = trained.training
    classes = np.array(trained.preprocessing.classes)
    if not len(classes):
        mean = np.full(len(y), y_train.mean())
        found = {"the mean": mean, **fitted(trained, X, number_models(len(X_train)))}
        values = trained.preprocessing.untransform_target
        return {name: Predictions(values(y), values(p)) for name, p in found.items()}
    shares = (y_train[:, None] == classes).mean(axis=0)
    found = {"the most frequent class": np.tile(shares, (len(y), 1))}
    found |= fitted(trained, X, class_models(len(X_train)))
    true = np.searchsorted(classes, y)
    return {name: Predictions(true, p.argmax(axis=1), p) for name, p in found.items()}


def number_models(rows: int) -> dict[str, Callable[[], BaseEstimator]]:
    """Return scikit-learn's regressors by name, as functions that make them."""
    linear: Callable[[], BaseEstimator] = lambda: importlib.import_module("sklearn.linear_model").Ridge()  # noqa: E731
    return {"linear": linear, **trees("HistGradientBoostingRegressor", rows)}


def class_models(rows: int) -> dict[str, Callable[[], BaseEstimator]]:
    """Return scikit-learn's classifiers by name, as functions that make them."""

    def linear() -> BaseEstimator:
        return importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=300)

    return {"linear": linear, **trees("HistGradientBoostingClassifier", rows)}


def trees(name: str, rows: int) -> dict[str, Callable[[], BaseEstimator]]:
    """Return scikit-learn's boosted trees by name; none for few rows."""
    if rows < LEAST_ROWS_OF_TREES:
        return {}
    return {"boosted trees": lambda: getattr(importlib.import_module("sklearn.ensemble"), name)(random_state=0)}


def fitted(trained: TrainedOnTable, X: Array, models: dict[str, Callable[[], BaseEstimator]]) -> dict[str, Array]:
    """Fit models on the training rows, and return their predictions; none without scikit-learn."""
    X_train, y_train = trained.training
    classes, found = trained.preprocessing.classes, {}
    if classes and len(np.unique(y_train)) < 2:
        return {}
    for name, make in models.items():
        try:
            model = make()
        except ImportError:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as of steps that did not converge
            model.fit(X_train, y_train)
        if classes:
            p = np.zeros((len(X), len(classes)))
            p[:, np.searchsorted(np.array(classes), model.classes_)] = model.predict_proba(X)
            found[name] = p
        else:
            found[name] = model.predict(X)
    return found
