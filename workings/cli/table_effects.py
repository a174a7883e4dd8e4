"""How the columns of a table change a network's predictions: importance, partial dependence, contributions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, original

REPEATS = 5  # permutations of each column
MOST_VALUES = 2_000_000  # numbers in X that are predicted for one column
BACKGROUND = 100  # rows that contributions are compared with
GRID = 15  # values of a column in a partial dependence
Score = Callable[[Array, Array], float]
Predict = Callable[[Array], Array]


@dataclass(frozen=True)
class Dependence:
    """The mean prediction for each of several values of a column, if all rows had this value."""

    name: str
    values: list[float] | list[str]
    predictions: Array


def places_of(columns: Columns) -> dict[str, list[int]]:
    """Return the columns of X that each column of the table becomes.

    >>> columns = Columns((NumberColumn("a"), CategoryColumn("c", ("x", "y"))), "t", None)
    >>> places_of(columns)
    {'a': [0], 'c': [1, 2]}
    """
    found: dict[str, list[int]] = {}
    start = 0
    for column in columns.columns:
        found.setdefault(column.source, []).extend(range(start, start + column.width))
        start += column.width
    return found


def permutation_importance(columns: Columns, X: Array, y: Array, score: Score) -> dict[str, tuple[float, float]]:
    """Return how much a score falls when a column's values are permuted among the rows: mean and standard deviation.

    The most important column comes first.
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[: max(MOST_VALUES // max(X.shape[1], 1) // 50, 50)]
    X, y = X[rows], y[rows]
    whole = score(X, y)
    found = {}
    for name, places in places_of(columns).items():
        losses = []
        for _ in range(REPEATS):
            changed = X.copy()
            changed[:, places] = X[rng.permutation(len(X))][:, places]
            losses.append(whole - score(changed, y))
        found[name] = (float(np.mean(losses)), float(np.std(losses)))
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def dependences(columns: Columns, X: Array, names: list[str], predict: Predict) -> list[Dependence]:
    """Return the partial dependence of the prediction on some columns; none for dates."""
    found = []
    places = places_of(columns)
    for column in columns.columns:
        if column.name not in names or (isinstance(column, NumberColumn) and column.date is not None):
            continue
        rows = X[np.linspace(0, len(X) - 1, min(len(X), 200)).astype(int)]
        here = places[column.source]
        values, settings = grid_of(column, X[:, here])
        predictions = []
        for setting in settings:
            changed = rows.copy()
            changed[:, here] = setting
            predictions.append(predict(changed).mean(axis=0))
        found.append(Dependence(column.name, values, np.array(predictions)))
    return sorted(found, key=lambda each: names.index(each.name))


def grid_of(column: NumberColumn | CategoryColumn, X: Array) -> tuple[list[float] | list[str], list[Array]]:
    """Return values of a column, as in the table and as they are in X."""
    if isinstance(column, CategoryColumn):
        order = np.argsort(-X.sum(axis=0), kind="stable")[:GRID]
        return [column.categories[place] for place in order], list(np.eye(column.width)[order])
    known = X[X[:, 1] == 0, 0] if column.indicator else X[:, 0]
    known = known if len(known) else X[:, 0]
    grid = np.unique(np.percentile(known, np.linspace(2, 98, GRID), method="nearest"))
    settings = [np.array([value, 0.0][: column.width]) for value in grid]
    return original(grid, column.mean, column.std).tolist(), settings


def contributions(
    columns: Columns, x: Array, background: Array, predict: Predict, seed: int = 0
) -> tuple[float, dict[str, float]]:
    """Return the mean prediction of background rows, and what each column adds to it for one row.

    These are Shapley values, estimated with one random order of the columns for each background row: the columns of
    the row replace those of the background row one after the other, and each change of the prediction is a
    contribution.  They add up to the prediction exactly.  Source: Štrumbelj & Kononenko 2014, "Explaining prediction
    models and individual predictions with feature contributions", algorithm 1.

    Parameters
    ----------
    columns : Columns
    x : array of shape (n_in,)
    background : array of shape (n, n_in)
    predict : callable
        From rows to one number for each row.

    Examples
    --------
    >>> columns = Columns((NumberColumn("a"), NumberColumn("b")), "t", None)
    >>> contributions(columns, np.array([1.0, 2.0]), np.zeros((4, 2)), lambda X: X @ np.array([10.0, 1.0]))
    (0.0, {'a': 10.0, 'b': 2.0})
    """
    rng, places = np.random.default_rng(seed), places_of(columns)
    names = list(places)
    rows, orders = [], []
    for base in background[rng.permutation(len(background))[:BACKGROUND]]:
        order = rng.permutation(len(names))
        changed = base.copy()
        rows.append(changed.copy())
        for index in order:
            changed[places[names[index]]] = x[places[names[index]]]
            rows.append(changed.copy())
        orders.append(order)
    p = predict(np.array(rows)).reshape(len(orders), len(names) + 1)
    changes = np.diff(p, axis=1)
    added = np.zeros(len(names))
    for order, change in zip(orders, changes, strict=True):
        added[order] += change / len(orders)
    return float(p[:, 0].mean()), dict(zip(names, added.tolist(), strict=True))
