"""Statistics of a table's columns, learned in one pass over its rows, with bounded memory.

Each block of rows gives a count, a mean and a sum of squared deviations.  Those of two blocks are merged by the formula
of Chan, Golub and LeVeque (1979, "Updating formulae and a pairwise algorithm for computing sample variances").  The
result is the mean and the variance of all rows, exact up to rounding, whatever the blocks are.  Different texts are
counted, up to ``MOST_COUNTED``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.tables.cells import (
    MOST_CATEGORIES,
    as_numbers,
    as_texts,
    is_text,
    load_polars,
    too_many_categories,
)
from workings.tables.columns import CategoryColumn, Column, NumberColumn
from workings.tables.dates import PARTS, DatePart
from workings.tables.features import gap_category
from workings.tables.screening import LEAST_ROWS_OF_WORD, NEARLY_EMPTY, USUAL_CATEGORIES, YEARS, ColumnChoices

if TYPE_CHECKING:
    import polars as pl

MOST_COUNTED = 100_000  # different values of a column


@dataclass(frozen=True)
class Moments:
    """The count, mean, sum of squared deviations, minimum and maximum of some numbers.

    Examples
    --------
    >>> some, others = Moments.of(np.array([1.0, 3.0])), Moments.of(np.array([5.0]))
    >>> both = some.merged(others)
    >>> both.count, both.mean, round(both.std, 3), float(np.std([1.0, 3.0, 5.0]).round(3))
    (3, 3.0, 1.633, 1.633)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, x: Array) -> Moments:
        """Return the moments of numbers."""
        if not len(x):
            return cls()
        mean = float(x.mean())
        return cls(len(x), mean, float(((x - mean) ** 2).sum()), float(x.min()), float(x.max()))

    def merged(self, other: Moments) -> Moments:
        """Return the moments of the numbers of both."""
        if not self.count or not other.count:
            return self if self.count else other
        n, delta = self.count + other.count, other.mean - self.mean
        mean = self.mean + delta * other.count / n
        squares = self.squares + other.squares + delta**2 * self.count * other.count / n
        return Moments(n, mean, squares, min(self.low, other.low), max(self.high, other.high))

    @property
    def std(self) -> float:
        """The standard deviation, divided by the count."""
        return math.sqrt(self.squares / self.count) if self.count else math.nan

    @property
    def are_equal(self) -> bool:
        """Whether all numbers are equal."""
        return self.low == self.high


class NumberStatistics:
    """Statistics of a numeric column, or of a part of a column of dates.

    ``rises`` and ``falls`` say whether each number is above, or below, the one before it.
    """

    def __init__(self, name: str, *, is_whole: bool = False, date: DatePart | None = None) -> None:
        self.name, self.is_whole, self.date = name, is_whole, date
        self.moments, self.gaps = Moments(), 0
        self.last, self.rises, self.falls = math.nan, True, True

    def add(self, column: pl.Series) -> None:
        """Add the numbers of a block."""
        if self.date is None:
            x = as_numbers(column).to_numpy().astype(np.float64)
        else:
            x = self.date.read(column, marks=False)
        known = x[~np.isnan(x)]
        self.gaps += len(x) - len(known)
        with np.errstate(all="ignore"):
            self.moments = self.moments.merged(Moments.of(known))
        if self.is_whole and len(known) and (self.rises or self.falls):
            steps = np.diff(known if math.isnan(self.last) else np.concatenate([[self.last], known]))
            self.rises, self.falls = self.rises and bool((steps > 0).all()), self.falls and bool((steps < 0).all())
            self.last = float(known[-1])

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.moments.count + self.gaps

    def reason_to_leave_out(self) -> str:
        """Return why the column says nothing about other rows; empty if it may."""
        if self.gaps == self.rows or (self.rows >= 20 and self.gaps >= NEARLY_EMPTY * self.rows):
            return f"{100 * self.gaps / self.rows:.3g} % of its values are missing"
        if self.moments.are_equal and not self.gaps:
            return "the same value in every row"
        low, high = self.moments.low, self.moments.high
        is_in_order = self.is_whole and not self.gaps and self.rows >= 20 and (self.rises or self.falls)
        if is_in_order and not (YEARS[0] <= low and high <= YEARS[1]):
            return "whole numbers in order, which only number the rows"
        return ""

    def column(self, choices: ColumnChoices) -> NumberColumn:
        """Return the encoding; missing values are filled with the mean."""
        m, indicates = self.moments, choices.missing == "indicate" and self.gaps > 0
        fill = m.mean if self.gaps or choices.missing == "fill" else None
        std = math.sqrt(m.squares / self.rows)  # of the filled column: a gap adds no deviation
        if not np.isfinite([m.mean, std]).all():
            raise InputError(f"Column {self.name!r} has values up to {m.high:g}, too large to standardize. Rescale it.")
        return NumberColumn(self.name, m.mean, std or 1.0, fill, indicator=indicates, date=self.date)


class CategoryStatistics:
    """How often each text of a column occurs."""

    def __init__(self, name: str) -> None:
        self.name, self.counts, self.gaps, self.rows = name, Counter[str](), 0, 0

    def add(self, column: pl.Series) -> None:
        """Add the texts of a block."""
        texts = as_texts(column)
        self.rows, self.gaps = self.rows + len(texts), self.gaps + texts.null_count()
        if len(self.counts) <= MOST_COUNTED:
            found = texts.drop_nulls().rename("text").value_counts(name="count")
            self.counts.update(dict(zip(found["text"].to_list(), found["count"].to_list(), strict=True)))

    @property
    def are_many(self) -> bool:
        """Whether there are too many different texts for categories."""
        return too_many_categories(len(self.counts), self.rows)

    def reason_to_leave_out(self) -> str:
        """Return why the column says nothing about other rows; empty if it may."""
        if self.gaps == self.rows or (self.rows >= 20 and self.gaps >= NEARLY_EMPTY * self.rows):
            return f"{100 * self.gaps / self.rows:.3g} % of its values are missing"
        if len(self.counts) > MOST_COUNTED:
            return f"text with more than {MOST_COUNTED:,} different values, which names the rows"
        if len(self.counts) == 1 and not self.gaps:
            return "the same value in every row"
        if self.are_many and max(self.counts.values()) < LEAST_ROWS_OF_WORD:
            return "text that names the rows instead of grouping them"
        return ""

    def column(self, choices: ColumnChoices) -> CategoryColumn:
        """Return the encoding: the most frequent categories, and one of missing values."""
        if len(self.counts) > MOST_COUNTED:
            raise InputError(f"Column {self.name!r} has more than {MOST_COUNTED:,} different texts. Leave it out.")
        most = choices.max_categories or (USUAL_CATEGORIES if self.are_many else len(self.counts))
        by_count = sorted(self.counts, key=lambda word: (-self.counts[word], word))
        kept = by_count[:most]
        fill = kept[0] if choices.missing == "fill" else None
        if choices.missing != "fill" and self.gaps:
            fill = gap_category(self.counts)
            kept.append(fill)
        unknown = "error" if most >= len(self.counts) else "zeros"
        return CategoryColumn(self.name, tuple(sorted(kept)), fill, unknown)


Statistics = NumberStatistics | CategoryStatistics


def statistics_of(column: pl.Series) -> list[Statistics]:
    """Return empty statistics for a column: one, or one for each part of dates."""
    polars = load_polars()
    if column.dtype.is_temporal() and column.dtype != polars.Duration:
        parts = PARTS[4:] if column.dtype == polars.Time else PARTS
        form = "%H:%M:%S" if column.dtype == polars.Time else ""
        names = [(f"{column.name} ({part})", DatePart(column.name, part, form)) for part in parts]
        return [NumberStatistics(name, date=part) for name, part in names]
    if is_text(column):
        return [CategoryStatistics(column.name)]
    return [NumberStatistics(column.name, is_whole=column.dtype.is_integer())]


def learned(statistics: Iterable[Statistics], choices: ColumnChoices) -> tuple[list[Column], list[str]]:
    """Return the columns that are features, and a note for each column that is left out or whose gaps are filled."""
    columns, notes = list[Column](), list[str]()
    for each in statistics:
        why = each.reason_to_leave_out()
        if why and each.name not in choices.use:
            notes += (
                []
                if isinstance(each, NumberStatistics) and each.date is not None
                else [f"{each.name}: left out, {why}"]
            )
            continue
        column = each.column(choices)
        columns.append(column)
        if each.gaps and isinstance(column, NumberColumn):
            marks = ", and marked in a column of their own" if column.indicator else ""
            notes.append(f"{each.name}: {each.gaps:,} missing values filled with the mean {column.fill:.6g}{marks}")
        elif each.gaps:
            notes.append(f"{each.name}: {each.gaps:,} missing values read as the category {column.fill!r}")
    return columns, notes


class TargetStatistics:
    """Statistics of the target: moments of numbers, and the different values if they may be classes."""

    def __init__(self, column: pl.Series) -> None:
        self.name, self.is_number = column.name, column.dtype.is_numeric()
        self.is_whole = column.dtype.is_integer()
        self.values, self.moments, self.rows = set[Any](), Moments(), 0

    def add(self, column: pl.Series) -> None:
        """Add the targets of a block, which has no missing values."""
        self.rows += len(column)
        if self.is_number:
            self.moments = self.moments.merged(Moments.of(as_numbers(column).to_numpy().astype(np.float64)))
        if len(self.values) <= MOST_CATEGORIES:
            self.values.update(column.unique().to_list())
