"""Measures of data: signs of identifiers, target leaks, codes for missing values, overflow, duplicates, label noise.

Each function takes plain arrays and returns numbers, so checks of arrays and checks of tables share them.  Comments
give the source of each threshold.
"""

from __future__ import annotations

import numpy as np

from workings.metrics import ranks
from workings.support.arrays import Array

FEWEST_ROWS = 20  # with fewer rows, a pattern can be chance
# An identifier numbers the rows: its values are distinct and evenly spaced.  Rows of a random subset keep their
# numbers, so up to two of three numbers may be missing.
LARGEST_SPAN = 3.0  # values from the smallest to the largest, per row
SMOOTH = 0.95  # lag-1 correlation from which a column is a curve over the other
# Kaufman, Rosset, Perlich & Stitelman 2012, "Leakage in Data Mining": look for single columns that predict too well.
LEAK = 0.985  # accuracy, or absolute rank correlation, of one column alone
COPY = 0.99  # absolute correlation with the class number
FEW_VALUES = 20  # a column with at most as many values is compared value by value
# Codes for missing values: SPSS and R users' guides recommend values that cannot occur, such as these.
CODES = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0)
FEWEST_CODES, CODE_SHARE = 3, 0.005  # a code must repeat, a single extreme value is an outlier
FEWEST_VALUES, LARGE = 10, 100  # distinct other values, if the code is not a negative number beyond -100
# The distance to the other values, divided by their range.  In a column of sizes that double, such as memory, the
# largest value is one range away from the others.
FAR, FAR_FOR_CODES, VERY_FAR = 1.5, 0.5, 20.0  # the last: for a large code beside few other values
BEYOND_GAPS = 3.0  # distance to the other values, divided by the largest gap between these
FAR_BEYOND_GAPS = 0.25  # for codes so far beyond the gaps: 99 beside ages up to 80
NEAR = 0.01  # distance to the nearest row, divided by that to the second nearest; by chance less than once in 100 rows
MOST_QUERIES, MOST_SEARCHED = 500, 20_000  # rows whose nearest rows are searched, and rows among which
BYTE = 256  # the number of values of an 8-bit integer


def correlation(a: Array, b: Array) -> float:
    """Compute Pearson's correlation; 0 if one of the arrays is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def numbers_rows(column: Array) -> bool:
    """Whether a column numbers the rows, in any order, also after scaling or in a random subset of the rows.

    Its values are distinct, and multiples of one step apart; or they rise from row to row.

    >>> numbers_rows(np.random.default_rng(0).permutation(50) * 0.5 - 3)
    True
    >>> numbers_rows(np.random.default_rng(0).normal(size=50))
    False
    """
    n = len(column)
    if n < FEWEST_ROWS:
        return False
    gaps = np.diff(np.sort(column))
    if gaps.min() <= 0:
        return False
    change = np.diff(column)
    if (change > 0).all() or (change < 0).all():
        return True
    steps = gaps / gaps.min()
    even = bool(np.abs(steps - np.round(steps)).max() < 0.01)
    return even and float(steps.sum()) <= LARGEST_SPAN * n


def identifiers(X: Array) -> list[int]:
    """Return the columns that number the rows; none if the other columns are smooth curves over them.

    ``np.linspace`` as the only column, or beside its powers, is an input and not an identifier.
    """
    found = []
    for j in range(X.shape[1] if X.shape[1] > 1 else 0):
        if numbers_rows(X[:, j]):
            others = np.delete(X, j, axis=1)[np.argsort(X[:, j])]
            varied = others[:, np.ptp(others, axis=0) > 0].T
            if not varied.size or min(correlation(c[1:], c[:-1]) for c in varied) < SMOOTH:
                found.append(j)
    return found


def column_score(column: Array, y: Array, *, is_labels: bool) -> float:
    """Return how well one column alone predicts the target of other rows.

    For class numbers, this is the accuracy of the nearest other value; for a column with few values, the accuracy of
    the most frequent class of each value.  For numbers, it is the absolute rank correlation.

    >>> labels = np.arange(100) % 2
    >>> column_score(3.0 * labels + 1, labels, is_labels=True)
    1.0
    """
    if np.ptp(column) == 0:
        return 0.0
    if not is_labels:
        return abs(correlation(ranks(column), ranks(y)))
    values, place = np.unique(column, return_inverse=True)
    if len(values) <= FEW_VALUES:
        table = np.zeros((len(values), int(y.max()) + 1))
        np.add.at(table, (place.ravel(), y), 1)
        return float(table.max(axis=1).sum() / len(y))
    order = np.argsort(column, kind="stable")
    v, label = column[order], y[order]
    before = np.concatenate([[np.inf], np.diff(v)])
    after = np.concatenate([np.diff(v), [np.inf]])
    index = np.arange(len(v))
    nearest = np.where(before <= after, index - 1, index + 1)
    return float((label[nearest] == label).mean())


def label_copies(X: Array, labels: Array) -> list[int]:
    """Return the columns that are copies of the class numbers, or of one class and the rest.

    They may be scaled, renumbered, or have some noise.

    >>> labels = np.arange(90) % 3
    >>> label_copies(np.column_stack([5.0 - 2 * (labels == 1), labels**2.0, labels % 2 * 0.0]), labels)
    [0, 1]
    """
    kinds = np.unique(labels)
    signs = np.column_stack([labels, *(labels == kind for kind in kinds)]).astype(np.float64)
    agree = np.abs(unit_columns(X).T @ unit_columns(signs)).max(axis=1) > COPY
    return [j for j in range(X.shape[1]) if agree[j] or has_value_for_each(X[:, j], labels, len(kinds))]


def unit_columns(X: Array) -> Array:
    """Return the columns less their means, with length 1; zeros for constant columns."""
    centred = X - X.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(length > 0, length, 1))


def has_value_for_each(column: Array, labels: Array, kinds: int) -> bool:
    """Whether each class has one value in the column, which no other class has."""
    values, place = np.unique(column, return_inverse=True)
    return len(values) == kinds == len(np.unique(place.ravel() * (int(labels.max()) + 1) + labels))


def missing_code(column: Array) -> float | None:
    """Return the number that seems to stand for a missing value, such as -999; None if there is none.

    It is the smallest or largest value, it occurs several times, and it lies far from all others.

    >>> missing_code(np.array([*np.linspace(0, 80, 40), -999, -999, -999]))
    -999.0
    """
    for code in (float(column.min()), float(column.max())):
        rest = column[column != code]
        count = len(column) - len(rest)
        gap, spread = float(np.abs(rest - code).min(initial=np.inf)), float(np.ptp(rest)) if len(rest) else 0.0
        is_large_code = code in CODES and (code < -LARGE or (code > LARGE and gap > VERY_FAR * spread))
        if count < max(FEWEST_CODES, CODE_SHARE * len(column)) or count > len(rest):
            continue
        if len(np.unique(rest)) < (1 if is_large_code else FEWEST_VALUES):
            continue
        is_beyond_gaps = gap >= BEYOND_GAPS * np.diff(np.unique(rest)).max(initial=0)
        if code not in CODES and not is_beyond_gaps:
            continue  # in a skewed column, such as sizes that double, the largest value is far from the next
        sole_negative = code in CODES and code < 0 <= rest.min() and bool((rest == np.round(rest)).all() or gap > 1)
        far_for_code = FAR_BEYOND_GAPS if is_beyond_gaps else FAR_FOR_CODES
        if gap > (far_for_code if code in CODES else FAR) * spread or sole_negative:
            return code
    return None


def wraps_around(X: Array) -> tuple[int, int] | None:
    """Return the largest low value and the smallest high value of 8-bit integers that overflowed; None if none did.

    Differences of small pixels in ``uint8`` wrap around: 3 - 5 is 254.  So there are values near 0 and near 255, and
    none in between.

    >>> wraps_around((np.arange(17, dtype=np.uint8) - np.uint8(8)).reshape(1, -1))
    (8, 248)
    """
    if 0 < X.max() <= 1:
        X = np.round(X * (BYTE - 1), 6)  # pixels that were divided by 255
    if X.min() < 0 or X.max() >= BYTE or X.max() < BYTE - 8 or (np.round(X) != X).any():
        return None
    values = np.unique(X)
    place = int(np.diff(values).argmax()) if len(values) > 1 else 0
    if place < 2 or len(values) - place < 4 or values[place + 1] - values[place] <= BYTE / 2:
        return None
    return int(values[place]), int(values[place + 1])


def row_keys(X: Array, y: Array | None = None) -> Array:
    """Return a key for each row; equal rows have equal keys."""
    rows = np.asarray(X if y is None else np.column_stack([X, y]), dtype=np.float64) + 0.0  # so that -0.0 is 0.0
    rng = np.random.default_rng(0)
    bits = np.ascontiguousarray(rows).view(np.uint64)
    odd = rng.integers(1, 2**63, rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    mixed = (bits ^ (bits >> np.uint64(29))) * odd
    keys: Array = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    return keys


def repeated_rows(X: Array, y: Array) -> tuple[int, int]:
    """Return how many rows repeat an earlier one, with its target, and how many would by chance.

    Chance is measured with each column permuted by itself: columns with few values repeat anyway.

    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> repeated_rows(np.vstack([X, X[:10]]), np.zeros(60))
    (10, 0)
    """
    rng = np.random.default_rng(0)
    both = np.column_stack([X, y])
    mixed = np.column_stack([rng.permutation(column) for column in both.T])
    found, by_chance = (len(rows) - len(np.unique(row_keys(rows))) for rows in (both, mixed))
    return found, by_chance


def near_copies(rows: tuple[Array, Array], others: tuple[Array, Array] | None = None) -> tuple[int, int]:
    """Return how many rows are nearly another row with the same target, and how many were searched for one.

    The nearest row is then far nearer than the second nearest.  ``others`` are the rows to search; by default, the
    rows themselves.  Equal rows do not count.

    >>> X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60)
    >>> near_copies((np.vstack([X, X[:10] + 1e-5]), np.concatenate([y, y[:10]])))
    (20, 70)
    >>> near_copies((X, y))
    (0, 60)
    """
    X, y = rows
    searched, targets = (known[:MOST_SEARCHED] for known in others or rows)
    if len(searched) < FEWEST_ROWS:
        return 0, 0
    scale = np.where(np.ptp(searched, axis=0) > 0, searched.std(axis=0), 1)
    chosen = np.random.default_rng(0).permutation(min(len(X), MOST_SEARCHED))[:MOST_QUERIES]
    points, all_points = X[chosen] / scale, searched / scale
    far = (points**2).sum(axis=1)[:, None] + (all_points**2).sum(axis=1) - 2 * points @ all_points.T
    if others is None:
        far[np.arange(len(chosen)), chosen] = np.inf
    first = np.argpartition(far, 1, axis=1)[:, :2]
    exact = np.column_stack([np.sqrt(((all_points[place] - points) ** 2).sum(axis=1)) for place in first.T])
    order = exact.argsort(axis=1)
    one, two = np.take_along_axis(exact, order, axis=1).T
    same = (targets[first[np.arange(len(chosen)), order[:, 0]]] == y[chosen]).reshape(len(chosen), -1).all(axis=1)
    return int((same & (one > 0) & (one < NEAR * two)).sum()), len(chosen)


def nearest_rows(X: Array, k: int) -> Array:
    """Return the indices of the ``k`` nearest other rows of each row, in any order; fewer if there are fewer rows.

    >>> nearest_rows(np.array([[0.0], [1.0], [5.0]]), 1).tolist()
    [[1], [0], [1]]
    """
    squares = (X**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * X @ X.T
    np.fill_diagonal(distances, np.inf)
    k = min(k, len(X) - 1)
    return np.asarray(np.argpartition(distances, k - 1, axis=1)[:, :k])


def votes(labels: Array, nearest: Array, classes: int) -> Array:
    """Count the labels of the rows around each row, of shape (rows, classes).

    >>> votes(np.array([0, 1, 1]), np.array([[1, 2], [0, 2], [0, 1]]), 2).tolist()
    [[0.0, 2.0], [1.0, 1.0], [1.0, 1.0]]
    """
    counted = np.zeros((len(nearest), classes))
    np.add.at(counted, (np.arange(len(nearest))[:, None], labels[nearest]), 1)
    return counted
