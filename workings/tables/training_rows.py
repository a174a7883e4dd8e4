"""What a model keeps of its training rows: the distribution of each column, and the errors on held-out rows.

Both are small: at most 33 points of each column, and at most 1,000 errors.  They tell whether a later table differs
from the training table (drift), and how far a prediction may be off (intervals).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.support.json_values import JsonObject
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, values_in
from workings.tables.schema import damaged, stored_entries, stored_list, stored_number, stored_text
from workings.tables.values import GAP, UNKNOWN

POINTS, MOST_RESIDUALS = 32, 1000
RARE = 0.001  # the chance of a false alarm in a whole table
SMALLEST_DRIFT = 0.1  # of the share of values; smaller ones hardly matter, however certain they are
FEWEST_ROWS = 20  # of a table that is compared with the training rows


@dataclass(frozen=True)
class ColumnShares:
    """The distribution of a column: the share of rows for each of several answers.

    Attributes
    ----------
    name : str
    points : tuple of float
        Numbers: the share of rows with at most this value is given.  Empty for categories, in the column's order.
    shares : tuple of float
        The shares of the categories; the last entry is the share of missing values.
    """

    name: str
    points: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def learn(cls, column: NumberColumn | CategoryColumn, values: object) -> ColumnShares:
        """Learn the distribution of a column's values."""
        if isinstance(column, CategoryColumn):
            return cls(column.name, (), tuple(category_shares(column, values).tolist()))
        x = column.read(values)
        known = x[~np.isnan(x)]
        points = (
            np.unique(np.percentile(known, np.linspace(0, 100, POINTS + 1), method="lower")) if len(known) else known
        )
        return cls(column.name, tuple(points.tolist()), tuple(number_shares(points, x).tolist()))

    def drawn(self, u: Array) -> Array:
        """Return values with this distribution for uniform random numbers: numbers, or the numbers of categories.

        >>> ColumnShares("a", (1.0, 2.0), (0.5, 1.0, 0.25)).drawn(np.array([0.1, 0.3, 0.6, 0.9]))
        array([ 1.,  1.,  2., nan])
        """
        known, missing = np.array(self.shares[:-1]), self.shares[-1]
        if self.points:
            steps, values = [*known * (1 - missing)], [*self.points, np.nan]
        elif not len(known):  # numbers that are all missing
            steps, values = [], [np.nan]
        else:
            steps, values = [*np.cumsum(self.shares)], [*range(len(known)), GAP, UNKNOWN]
        return np.array(values, dtype=np.float64)[np.searchsorted(steps, u, side="right")]

    def to_dict(self) -> JsonObject:
        """Return a dict that JSON can store."""
        return {"name": self.name, "points": list(self.points), "shares": list(self.shares)}

    @classmethod
    def from_dict(cls, stored: object) -> ColumnShares:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        name, points, shares = stored_entries(stored, ("name", "points", "shares"))
        if not isinstance(points, list):
            raise damaged("the points of a distribution", "a list", points)
        numbers = tuple(stored_number(point, "a point of a distribution") for point in points)
        found = tuple(stored_number(share, "a share") for share in stored_list(shares, "the shares"))
        if (numbers and len(found) != len(numbers) + 1) or list(numbers) != sorted(set(numbers)):
            raise damaged("a distribution", "increasing points with a share each", f"{len(numbers)} points")
        return cls(stored_text(name, "a column's name"), numbers, found)


def number_shares(points: Array, x: Array) -> Array:
    """Return the share of the known values up to each point, and the share of missing values."""
    known = np.sort(x[~np.isnan(x)])
    below = np.searchsorted(known, points, side="right") / max(len(known), 1)
    return np.append(below, 1 - len(known) / max(len(x), 1))


def category_shares(column: CategoryColumn, values: object) -> Array:
    """Return the shares of the categories and of missing values; unknown categories have the rest."""
    codes = column.read(values)
    counts = np.bincount(codes[codes >= 0], minlength=column.width)
    return np.append(counts, np.count_nonzero(codes == GAP)) / max(len(codes), 1)


@dataclass(frozen=True)
class TrainingRows:
    """The training rows' distributions, and the absolute errors of held-out rows.

    Attributes
    ----------
    rows : int
        The number of training rows.
    columns : tuple of ColumnShares
    residuals : tuple of float
        Absolute errors in the target's unit, in increasing order; empty for classes.
    """

    rows: int
    columns: tuple[ColumnShares, ...]
    residuals: tuple[float, ...] = ()

    def drawn(self, columns: Columns, rows: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Draw rows with these distributions, column by column; return them as ``Columns.features`` takes them."""
        found: dict[type, list[Array]] = {NumberColumn: [], CategoryColumn: []}
        for column, shares in zip(columns.columns, self.columns, strict=True):
            found[type(column)].append(shares.drawn(rng.random(rows)))
        numbers, codes = (np.array(kind).reshape(len(kind), rows).T for kind in found.values())
        return numbers, codes.astype(np.int64)

    @classmethod
    def learn(cls, columns: Columns, table: object, rows: int, residuals: Array | None = None) -> TrainingRows:
        """Learn the distributions of a table's columns; of many errors, evenly spaced ones are kept."""
        values = values_in(table, columns.columns)
        found = tuple(ColumnShares.learn(column, values[column.source]) for column in columns.columns)
        errors = np.sort(np.abs(residuals)) if residuals is not None else np.empty(0)
        if len(errors) > MOST_RESIDUALS:
            errors = errors[np.linspace(0, len(errors) - 1, MOST_RESIDUALS).round().astype(int)]
        return cls(rows, found, tuple(errors.tolist()))

    def to_dict(self) -> JsonObject:
        """Return a dict that JSON can store."""
        columns = [column.to_dict() for column in self.columns]
        return {"rows": self.rows, "columns": columns, "residuals": list(self.residuals)}

    @classmethod
    def from_dict(cls, stored: object) -> TrainingRows:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        rows, columns, residuals = stored_entries(stored, ("rows", "columns", "residuals"))
        if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1 or not isinstance(residuals, list):
            raise damaged("the training rows", "a number of rows, columns and residuals", rows)
        found = tuple(ColumnShares.from_dict(column) for column in stored_list(columns, "the distributions"))
        errors = tuple(stored_number(error, "a residual") for error in residuals)
        if list(errors) != sorted(map(abs, errors)):
            raise damaged("the residuals", "increasing and not negative", "others")
        return cls(rows, found, errors)

    def half_width(self, coverage: float) -> float:
        """Return half the width of intervals that hold this share of new values: split-conformal intervals.

        Source: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, "Distribution-Free Predictive Inference for
        Regression", algorithm 2.

        >>> TrainingRows(9, (), tuple(map(float, range(1, 10)))).half_width(0.8)
        8.0
        """
        if not 0 < coverage < 1:
            raise InputError(f"--intervals is the share of values inside, above 0 and below 1, not {coverage:g}.")
        n = len(self.residuals)
        rank = math.ceil((n + 1) * coverage - 1e-9)
        if rank > n:
            raise InputError(
                f"Intervals for {coverage:g} of the values need at least {math.ceil(coverage / (1 - coverage) - 1e-9)} "
                f"held-out rows; the model has the errors of {n}. Train with more validation rows or with --folds, or "
                f"ask for a smaller share."
            )
        return self.residuals[rank - 1]

    def drift(self, columns: Columns, table: object, rows: int) -> list[str]:
        """Return a sentence for each column whose distribution differs from that of the training rows.

        The largest difference of shares is compared with what chance gives: by the bound of Dvoretzky, Kiefer and
        Wolfowitz for numbers, and by Hoeffding's for categories, for all columns together.
        """
        if rows < FEWEST_ROWS:
            return []
        values = values_in(table, columns.columns)
        kept = {column.name: column for column in self.columns}
        found = []
        for column in columns.columns:
            if column.name not in kept:
                continue
            known, given = kept[column.name], values[column.source]
            now = (
                category_shares(column, given)
                if isinstance(column, CategoryColumn)
                else number_shares(np.array(known.points), column.read(given))
            )
            before = np.array(known.shares)
            if len(now) == len(before) and self.is_drift(np.abs(now - before).max(), rows, len(self.columns)):
                found.append(drift_sentence(column, known, before, now))
        return found

    def is_drift(self, difference: float, rows: int, tests: int) -> bool:
        """Return whether a difference of shares is too large for chance, and large enough to matter."""
        both = rows * self.rows / (rows + self.rows)
        chance = 2 * math.exp(-2 * difference**2 * both) * tests
        return difference > SMALLEST_DRIFT and chance < RARE


def drift_sentence(column: NumberColumn | CategoryColumn, known: ColumnShares, before: Array, now: Array) -> str:
    """Describe the largest difference between two distributions of a column.

    >>> age = ColumnShares("age", (20.0, 40.0), (0.5, 1.0, 0.0))
    >>> drift_sentence(NumberColumn("age"), age, np.array([0.5, 1.0, 0.0]), np.array([0.1, 0.9, 0.0]))
    "column 'age': 10 % of the values are at most 20; in training 50 %"
    """
    place = int(np.abs(now - before).argmax())
    if place == len(before) - 1:
        what = "are missing"
    elif isinstance(column, CategoryColumn):
        what = f"are {column.categories[place]!r}"
    else:
        what = f"are at most {known.points[place]:.6g}"
    shares = 100 * now[place], 100 * before[place]
    return f"column {column.name!r}: {shares[0]:.0f} % of the values {what}; in training {shares[1]:.0f} %"


def training_rows_in(stored: Mapping[str, object] | None) -> TrainingRows | None:
    """Read what ``network.preprocessing`` keeps of the training rows; None if it keeps nothing."""
    return None if stored is None or "training" not in stored else TrainingRows.from_dict(stored["training"])
