"""Learn the encoding of each feature column from the training table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.tables.cells import (
    as_numbers,
    as_texts,
    is_text,
    number_format,
    numbers_in_text,
    parse_numbers,
    refuse_many,
    refuse_missing,
    refuse_stray_text,
    refuse_unusable,
    with_gaps,
)
from workings.tables.columns import CategoryColumn, Column, NumberColumn, standard

if TYPE_CHECKING:
    import polars as pl


TRAIN_FIX = (
    "Fill the gaps, remove those rows, or use --impute (impute=True), which fills numbers with the column's "
    "median and categories with the most frequent one."
)


def mean_and_spread(values: Array, name: str) -> tuple[float, float]:
    """Return the mean and standard deviation; (mean, 1) if all values are equal.

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
    return mean, std or 1.0  # a standard deviation that underflows to 0 counts as 1


def standardize(values: Array, mean: float, std: float, name: str) -> Array:
    """Return (values - mean) / std, of the shape of ``values``; raise on overflow."""
    with np.errstate(all="ignore"):
        scaled = standard(values, mean, std)
    if not np.isfinite(scaled).all():
        row = int(np.flatnonzero(~np.isfinite(scaled))[0])
        raise InputError(
            f"The value {values[row]:g} in row {row + 1}, column {name!r} is too far from {mean:g} ± {std:g}."
        )
    return np.asarray(scaled)


def learn_column(column: pl.Series, *, impute: bool, decimal: str | None = None) -> Column:
    """Learn the encoding of one column; ``decimal`` is the decimal sign of numbers in text, if it is known.

    >>> import polars
    >>> learn_column(polars.Series("age", [20.0, 40.0, None, 30.0]), impute=True).fill
    30.0
    >>> learn_column(polars.Series("colour", ["red", "blue", "red"]), impute=False).categories
    ('blue', 'red')
    """
    form = number_format(column, decimal)
    if form is not None:
        return replace(learn_numbers(parse_numbers(with_gaps(column), form), impute=impute), form=form)
    return learn_categories(column, impute=impute) if is_text(column) else learn_numbers(column, impute=impute)


def learn_numbers(column: pl.Series, *, impute: bool) -> NumberColumn:
    """Learn the mean, the standard deviation and, with ``impute``, the median of a numeric column."""
    values = as_numbers(column)
    fill = None
    if impute:
        with np.errstate(over="ignore"):
            fill = float(np.median(values.drop_nulls().to_numpy()))
        values = values.fill_null(fill)
    return NumberColumn(column.name, *mean_and_spread(values.to_numpy(), column.name), fill)


def learn_categories(column: pl.Series, *, impute: bool) -> CategoryColumn:
    """Learn the categories of a text column and, with ``impute``, the most frequent one."""
    texts = as_texts(column)
    refuse_stray_text(texts)
    refuse_many(texts, f"Leave it out: `--drop {column.name}`.")
    counts = Counter(sorted(texts.drop_nulls().to_list()))
    return CategoryColumn(column.name, tuple(counts), counts.most_common(1)[0][0] if impute else None)


def restandardize(known: Column, column: pl.Series) -> Column:
    """Learn mean, standard deviation and fill value again from other rows; categories are kept."""
    if isinstance(known, CategoryColumn):
        return known
    numbers = numbers_in_text(column) if known.form is None else parse_numbers(with_gaps(column), known.form)
    return replace(learn_numbers(with_gaps(numbers), impute=known.fill is not None), form=known.form)


def learn_columns(
    columns: Sequence[pl.Series], *, impute: bool, decimal: str | None = None
) -> tuple[list[Column], list[InputError]]:
    """Learn the encoding of all feature columns; return it with all problems of the columns.

    A column with missing values that are not filled is learned as if they were, to find its other problems.
    """
    learned: list[Column] = []
    problems: list[InputError] = []
    gapped: list[pl.Series] = []
    for column in columns:
        try:
            refuse_empty(column)
            gapped.append(with_gaps(column))
            has_gaps = gapped[-1].null_count() > 0
            learned.append(learn_column(column, impute=impute or has_gaps, decimal=decimal))
        except InputError as problem:
            problems.append(problem)
    if not impute:
        try:
            refuse_missing(gapped, TRAIN_FIX)
        except InputError as problem:
            problems.insert(0, problem)
    return learned, problems


def refuse_empty(column: pl.Series) -> None:
    """Raise for a column that cannot be used, and for one without any value."""
    refuse_unusable(column)
    if with_gaps(column).null_count() == len(column):
        raise InputError(f"Column {column.name!r} has no values at all. Leave it out: `--drop {column.name}`.")
