"""Features: how one column becomes numbers: a number is standardized, a word becomes one column for each word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.tables.cells import (
    as_numbers,
    as_texts,
    is_text,
    refuse_many,
    refuse_missing,
    refuse_stray_text,
    refuse_unusable,
    with_gaps,
)
from workings.tables.columns import standard
from workings.tables.schema import (
    damaged,
    stored_entries,
    stored_list,
    stored_number,
    stored_order,
    stored_spread,
    stored_text,
)
from workings.tables.wording import place, some

if TYPE_CHECKING:
    import polars as pl


TRAIN_FIX = (
    "Fill the gaps, remove those rows, or use --impute (impute=True), which fills numbers with the column's "
    "median and categories with the most frequent one."
)


def mean_and_spread(values: Array, name: str) -> tuple[float, float]:
    """Give mean and standard deviation, (mean, 1) if all values are equal.

    >>> mean_and_spread(np.array([1.0, 3.0]), "age"), mean_and_spread(np.array([0.1, 0.1]), "age")
    ((2.0, 1.0), (0.1, 1.0))
    """
    if values.min() == values.max():
        return float(values[0]), 1.0
    with np.errstate(all="ignore"):
        mean, std = float(values.mean()), float(values.std())
    if not np.isfinite([mean, std]).all():
        raise InputError(
            f"Column {name!r} has values up to {np.abs(values).max():g}, too large to standardize. Rescale it."
        )
    return mean, std or 1.0  # a spread that underflows to 0 is left as it is


def standardized(values: Array, mean: float, std: float, name: str) -> Array:
    """Give (values - mean) / std, of the shape of ``values``; refuse what overflows."""
    with np.errstate(all="ignore"):
        scaled = standard(values, mean, std)
    if not np.isfinite(scaled).all():
        row = int(np.flatnonzero(~np.isfinite(scaled))[0])
        raise InputError(
            f"The value {values[row]:g} in row {row + 1}, column {name!r} is too far from {mean:g} ± {std:g}."
        )
    return np.asarray(scaled)


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, or of true and false as 1 and 0: it becomes (x - mean) / std.

    Parameters
    ----------
    name : str
        The column.
    mean, std : float
        Of the training table, gaps filled; ``std`` is 1 if all values were equal.
    fill : float or None
        What stands for a gap: the training table's median.  None refuses gaps.

    Examples
    --------
    >>> import polars
    >>> age = NumberColumn.learn(polars.Series("age", [20.0, 40.0, None, 30.0]), impute=True)
    >>> age.fill, age.encode(polars.Series("age", [30.0, 30.0 + age.std])).tolist()
    (30.0, [[0.0], [1.0]])
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    std: float
    fill: float | None = None

    @classmethod
    def learn(cls, column: pl.Series, *, impute: bool) -> NumberColumn:
        """Learn mean, standard deviation and, to impute, the median of a column of n numbers."""
        values = as_numbers(column)
        fill = None
        if impute:
            with np.errstate(over="ignore"):
                fill = float(np.median(values.drop_nulls().to_numpy()))
            values = values.fill_null(fill)
        return cls(column.name, *mean_and_spread(values.to_numpy(), column.name), fill)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The one feature it becomes."""
        return (self.name,)

    def standardized_on(self, column: pl.Series) -> NumberColumn:
        """The same with mean, standard deviation and fill of these rows only."""
        return type(self).learn(with_gaps(column), impute=self.fill is not None)

    def read(self, column: pl.Series) -> pl.Series:
        """Give a column of a later table as float64, with null for what is missing."""
        return as_numbers(column)

    def encode(self, values: pl.Series, unknown: str = "error") -> Array:
        """Give the standardized values, of shape (n, 1)."""
        filled = values if self.fill is None else values.fill_null(self.fill)
        return standardized(filled.to_numpy(), self.mean, self.std, self.name).reshape(-1, 1)

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, "name": self.name, "mean": self.mean, "std": self.std, "fill": self.fill}

    @classmethod
    def from_dict(cls, stored: object) -> NumberColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, mean, std, fill = stored_entries(stored, ("kind", "name", "mean", "std", "fill"))
        name = stored_text(name, "a column's name")
        return cls(
            name,
            stored_number(mean, f"the mean of {name!r}"),
            stored_spread(std, f"the std of {name!r}"),
            None if fill is None else stored_number(fill, f"the fill of {name!r}"),
        )


@dataclass(frozen=True)
class CategoryColumn:
    """A column of words: it becomes one column for each word, 1 where it stands and 0 elsewhere.

    Parameters
    ----------
    name : str
        The column.
    categories : tuple of str
        The words of the training table, in sorted order.
    fill : str or None
        What stands for a gap: the most frequent category.  None refuses gaps.

    Examples
    --------
    >>> import polars
    >>> colour = CategoryColumn.learn(polars.Series("colour", ["red", "blue", "red"]), impute=False)
    >>> colour.feature_names
    ('colour=blue', 'colour=red')
    >>> colour.encode(polars.Series("colour", ["red", "blue"]))
    array([[0., 1.],
           [1., 0.]])
    """

    kind: ClassVar[str] = "category"
    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    @classmethod
    def learn(cls, column: pl.Series, *, impute: bool) -> CategoryColumn:
        """Learn the categories of a column of n words and, to impute, the most frequent one."""
        texts = as_texts(column)
        refuse_stray_text(texts)
        refuse_many(texts, f"Leave it out: `--drop {column.name}`.")
        counts = Counter(sorted(texts.drop_nulls().to_list()))
        return cls(column.name, tuple(counts), counts.most_common(1)[0][0] if impute else None)

    def standardized_on(self, column: pl.Series) -> CategoryColumn:
        """The same: categories are those of the whole table."""
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features it becomes, one for each category."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def read(self, column: pl.Series) -> pl.Series:
        """Give a column of a later table as text, with null for what is missing."""
        return as_texts(column)

    def encode(self, values: pl.Series, unknown: str = "error") -> Array:
        """Give one column for each category, of shape (n, categories)."""
        filled = values if self.fill is None else values.fill_null(self.fill)
        index = {category: i for i, category in enumerate(self.categories)}
        codes = np.array([index.get(text, -1) for text in filled.to_list()], dtype=np.int64)
        if unknown == "error" and (codes < 0).any():
            self.refuse_category(values, int(np.flatnonzero(codes < 0)[0]))
        one_hot: Array = codes[:, None] == np.arange(len(self.categories))
        return one_hot.astype(np.float64)

    def refuse_category(self, values: pl.Series, row: int) -> None:
        """Refuse a word that was not in the training table."""
        raise InputError(
            f"The category {values[row]!r} in {place(row, values)} was not in the training table; known are "
            f"{some(self.categories)}. Correct it, train again with such rows, or let it be all zeros "
            f"(`--unknown ignore`)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories), "fill": self.fill}

    @classmethod
    def from_dict(cls, stored: object) -> CategoryColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, categories, fill = stored_entries(stored, ("kind", "name", "categories", "fill"))
        name = stored_text(name, "a column's name")
        words = tuple(
            stored_text(word, f"a category of {name!r}") for word in stored_list(categories, "the categories")
        )
        stored_order(words, f"the categories of {name!r}")
        if fill is not None and fill not in words:
            raise damaged(f"the fill of {name!r}", "one of its categories", fill)
        return cls(name, words, fill)


FeatureColumn = NumberColumn | CategoryColumn
COLUMN_KINDS: dict[str, type[FeatureColumn]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn)}


def learned_column(column: pl.Series, *, impute: bool) -> FeatureColumn:
    """Learn how one column becomes numbers."""
    kind: type[FeatureColumn] = CategoryColumn if is_text(column) else NumberColumn
    return kind.learn(column, impute=impute)


def refuse_gaps(columns: Sequence[pl.Series], impute: bool) -> None:
    """Refuse columns without any value and, unless they are to be filled, single gaps."""
    for column in columns:
        refuse_unusable(column)
    gapped = [with_gaps(column) for column in columns]
    for column in gapped:
        if column.null_count() == len(column):
            raise InputError(f"Column {column.name!r} has no values at all. Leave it out: `--drop {column.name}`.")
    if not impute:
        refuse_missing(gapped, TRAIN_FIX)
