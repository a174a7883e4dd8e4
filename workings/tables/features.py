"""Learn the encoding of each feature column from the training table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.tables.cells import (
    are_many,
    as_numbers,
    as_texts,
    booleans_in_text,
    is_text,
    load_polars,
    number_format,
    numbers_without_marks,
    parse_numbers,
    refuse_missing,
    refuse_stray_text,
    refuse_suffixes,
    refuse_unusable,
    with_gaps,
)
from workings.tables.columns import CategoryColumn, Column, NumberColumn, standard
from workings.tables.dates import DatePart, parts_of
from workings.tables.scaling import STANDARD, scale_and_fill
from workings.tables.screening import USUAL_CATEGORIES, ColumnChoices

if TYPE_CHECKING:
    import polars as pl


TRAIN_FIX = (
    'Fill the gaps, remove those rows, or leave out `--missing refuse` (missing="refuse"): then numbers are filled '
    "with the column's median and marked, and missing categories are a category of their own."
)
MISSING_CATEGORY = "(missing)"


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


def learn_column(
    column: pl.Series,
    *,
    missing: str = "indicate",
    decimal: str | None = None,
    max_categories: int | None = None,
    scaling: str = STANDARD,
) -> Column:
    """Learn the encoding of one column; ``decimal`` is the decimal sign of numbers in text, if it is known.

    The other settings are as in :class:`workings.tables.screening.ColumnChoices`.

    >>> import polars
    >>> learn_column(polars.Series("age", [20.0, 40.0, None, 30.0])).fill
    30.0
    >>> learn_column(polars.Series("colour", ["red", None, "red"])).categories
    ('(missing)', 'red')
    """
    column = booleans_in_text(column, marks=missing != "refuse")
    column = column if missing == "refuse" else numbers_without_marks(column)
    form = number_format(column, decimal)
    if form is not None:
        numbers = parse_numbers(with_gaps(column), form)
        return replace(learn_numbers(numbers, missing=missing, scaling=scaling), form=form)
    if is_text(column):
        return learn_categories(column, missing=missing, max_categories=max_categories)
    return learn_numbers(column, missing=missing, scaling=scaling)


def learn_numbers(column: pl.Series, *, missing: str, scaling: str = STANDARD) -> NumberColumn:
    """Learn the scaling of a numeric column, and its median if missing values are filled."""
    return number_column(column.name, as_numbers(column).fill_null(np.nan).to_numpy(), missing=missing, scaling=scaling)


def number_column(name: str, x: Array, *, missing: str, scaling: str = STANDARD) -> NumberColumn:
    """Learn a numeric column from float64 numbers, with NaN for missing values.

    >>> number_column("age", np.array([20.0, np.nan, 40.0, 30.0]), missing="indicate", scaling="robust").names
    ('age', 'age is missing')
    """
    has_gaps = bool(np.isnan(x).any())
    is_filled = missing == "fill" or has_gaps
    mean, std, fill = scale_and_fill(x, name, scaling=scaling, is_filled=is_filled)
    return NumberColumn(name, mean, std, fill, indicator=missing == "indicate" and has_gaps, scaling=scaling)


def learn_categories(column: pl.Series, *, missing: str, max_categories: int | None = None) -> CategoryColumn:
    """Learn the categories of a text column, and the category of missing values."""
    texts = as_texts(column)
    refuse_stray_text(texts)
    counts = Counter(sorted(texts.drop_nulls().to_list()))
    most = max_categories or (USUAL_CATEGORIES if are_many(texts) else len(counts))
    kept = [word for word, _ in counts.most_common(most)]
    fill = kept[0] if missing == "fill" else None
    if missing != "fill" and texts.null_count():
        fill = gap_category(counts)
        kept.append(fill)
    return CategoryColumn(column.name, tuple(sorted(kept)), fill, "error" if most >= len(counts) else "zeros")


def learn_dates(column: pl.Series, form: str, *, missing: str, scaling: str = STANDARD) -> list[NumberColumn]:
    """Learn a column of dates: one numeric column for each part that differs from row to row.

    >>> import polars
    >>> days = polars.Series("day", ["31.12.2024", "1.1.2025"])
    >>> [column.name for column in learn_dates(days, "%d.%m.%Y", missing="fill")]
    ['day (year)', 'day (month)', 'day (day)', 'day (weekday)']
    """
    series = load_polars().Series
    learned: list[NumberColumn] = []
    for part, x in parts_of(column, column.name, form, marks=missing != "refuse").items():
        parts = series(f"{column.name} ({part})", x).fill_nan(None)
        numbers = learn_numbers(parts, missing=missing, scaling=scaling)
        marked = numbers.indicator and not learned  # one mark is enough
        learned.append(replace(numbers, date=DatePart(column.name, part, form), indicator=marked))
    return learned


def gap_category(known: Container[str]) -> str:
    """Return the name of the category of missing values, which no other category has.

    >>> gap_category({"red"}), gap_category({"(missing)"})
    ('(missing)', '(missing 2)')
    """
    number, name = 1, MISSING_CATEGORY
    while name in known:
        number += 1
        name = f"{MISSING_CATEGORY[:-1]} {number})"
    return name


def restandardize(known: Column, column: pl.Series) -> Column:
    """Learn the scaling and the fill value again from other rows; categories are kept."""
    if isinstance(known, CategoryColumn):
        return known
    values = load_polars().Series(known.name, known.read(column)).fill_nan(None)
    if values.null_count() == len(values):
        return known
    missing = "refuse" if known.fill is None else "fill"
    numbers = learn_numbers(values, missing=missing, scaling=known.scaling)
    return replace(known, mean=numbers.mean, std=numbers.std, fill=numbers.fill)


def learn_columns(
    columns: Sequence[pl.Series], choices: ColumnChoices, dates: Mapping[str, str], decimal: str | None = None
) -> tuple[list[Column], list[InputError]]:
    """Learn the encoding of all feature columns; return it with all problems of the columns.

    ``dates`` holds the format of each column of dates.  A column with missing values that are refused is learned as if
    they were filled, to find its other problems.
    """
    most, scaling = choices.max_categories, choices.scaling
    learned: list[Column] = []
    problems: list[InputError] = []
    gapped: list[pl.Series] = []
    for column in columns:
        try:
            refuse_empty(column, is_date=column.name in dates)
            gapped.append(with_gaps(column))
            if column.name in dates:
                learned += learn_dates(column, dates[column.name], missing=choices.missing, scaling=scaling)
                continue
            found = learn_column(column, missing=choices.missing, decimal=decimal, max_categories=most, scaling=scaling)
            if isinstance(found, CategoryColumn) and column.name not in choices.use:
                refuse_suffixes(column)
            learned.append(found)
        except InputError as problem:
            problems.append(problem)
    if choices.missing == "refuse":
        try:
            refuse_missing(gapped, TRAIN_FIX)
        except InputError as problem:
            problems.insert(0, problem)
    return learned, problems


def refuse_empty(column: pl.Series, *, is_date: bool) -> None:
    """Raise for a column that cannot be used, and for one without any value."""
    if not is_date:
        refuse_unusable(column)
    if with_gaps(column).null_count() == len(column):
        raise InputError(f"Column {column.name!r} has no values at all. Leave it out: `--drop {column.name}`.")
