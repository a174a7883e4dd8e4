"""Choose the feature columns of a table: those that say nothing about other rows are left out, and a note says why.

A column is left out if it is nearly empty, has the same value in every row, or only numbers or names the rows.
``use`` takes a column all the same.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workings.errors import InputError, count_of, shortened, some, unknown_name
from workings.support.keywords import CheckedKeywords
from workings.tables.cells import (
    are_many,
    are_numbers,
    is_text,
    is_zero_padded,
    load_polars,
    numbers_with_suffix,
    with_gaps,
)
from workings.tables.dates import ORDERS
from workings.tables.scaling import SCALINGS, STANDARD

if TYPE_CHECKING:
    import polars as pl

MISSING = ("indicate", "fill", "refuse")
NEARLY_EMPTY = 0.95  # share of missing values from which a column is left out
FEWEST_ROWS = 20  # in shorter tables, different values are no sign of an identifier
LEAST_ROWS_OF_WORD = 3  # a text column without a value in so many rows names the rows instead of grouping them
USUAL_CATEGORIES = 50  # of a column with too many, that many are kept
MOST_LINES = 10  # columns that are left out for one reason and get a line each
YEARS = (1500, 2200)  # whole numbers in order that are probably years
IDENTIFIER_NAMES = re.compile(
    r"(?i)(.*[\W_])?(id|ids|uid|uuid|guid|index|idx|key|nr|no|num|number|row|rownames|row_?id|serial)$"
)
CAMEL_IDENTIFIERS = re.compile(r".*[a-z](Id|ID|Nr|No|Key|Index|Number)$")


@dataclass(frozen=True)
class ColumnChoices(CheckedKeywords):
    """Which columns of a table are features, and how their gaps and rare categories are treated.

    Parameters
    ----------
    missing : str
        What to do with missing values: ``"indicate"`` fills numbers with the median and marks them in a column of
        their own, and makes them a category of their own; ``"fill"`` only fills, with the median or the most frequent
        category; ``"refuse"`` raises an error.
    drop : tuple of str
        Columns to leave out.
    use : tuple of str
        Columns to use, although they would be left out or, for numbers with a suffix such as 1.5M, refused.
    max_categories : int or None
        The most categories of a column; others are encoded as zeros.
    dates : str or None
        ``"day-first"``, ``"month-first"`` or ``"year-first"``, for dates such as 05/01/2024 and 05.01.24.
    scaling : str
        How numbers are scaled: ``"standard"`` subtracts the mean and divides by the standard deviation, ``"robust"``
        subtracts the median and divides by the interquartile range.

    Examples
    --------
    >>> ColumnChoices(missing="refuse").missing
    'refuse'
    """

    missing: str = "indicate"
    drop: tuple[str, ...] = ()
    use: tuple[str, ...] = ()
    max_categories: int | None = None
    dates: str | None = None
    scaling: str = STANDARD

    def __post_init__(self) -> None:
        if self.missing not in MISSING:
            raise unknown_name("treatment of missing values", self.missing, MISSING)
        if self.max_categories is not None and not (
            isinstance(self.max_categories, int) and not isinstance(self.max_categories, bool)
        ):
            raise InputError(f"max_categories is a whole number, not {self.max_categories!r}.")
        if self.max_categories is not None and self.max_categories < 1:
            raise InputError(f"max_categories is at least 1, not {self.max_categories}.")
        if self.scaling not in SCALINGS:
            raise unknown_name("scaling", self.scaling, SCALINGS)
        if self.dates not in (None, *ORDERS):
            raise unknown_name("order of dates", self.dates, ORDERS)
        both = [name for name in self.use if name in self.drop]
        if both:
            raise InputError(f"Column {both[0]!r} is to be used and to be dropped. Name it in one of the two.")


def screened(
    columns: Sequence[pl.Series], choices: ColumnChoices, dates: Container[str] = ()
) -> tuple[list[pl.Series], list[str]]:
    """Return the columns to learn from, and a note for each that is left out; ``dates`` are no identifiers.

    If no column would be left, all that have different values are kept, and notes say so.

    >>> import polars
    >>> values = {"id": range(30), "unit": ["kg"] * 30, "a": [i % 7 for i in range(30)]}
    >>> kept, notes = screened(polars.DataFrame(values).get_columns(), ColumnChoices())
    >>> [column.name for column in kept]
    ['a']
    >>> for note in notes:
    ...     print(note)
    id: left out, whole numbers that only number the rows, such as 0, 1, 2; `--use id` takes it
    unit: left out, the same value in every row; `--use unit` takes it
    """
    reasons = {
        column.name: "" if column.name in choices.use else reason_to_leave_out(column, is_date=column.name in dates)
        for column in columns
    }
    if all(reasons.values()):
        kept = [column for column in columns if not is_nearly_empty(column)]
        varied = [column for column in kept if with_gaps(column).drop_nulls().n_unique() > 1]
        notes = [f"{column.name}: {reasons[column.name]}, but used, as no other column is left" for column in varied]
        if varied:
            rest = {name: reason for name, reason in reasons.items() if name not in [each.name for each in varied]}
            return varied, [*notes, *notes_of(rest)]
        return kept, [f"{column.name}: {reasons[column.name]}, but used, as no other column is left" for column in kept]
    return [column for column in columns if not reasons[column.name]], notes_of(reasons)


def notes_of(reasons: dict[str, str]) -> list[str]:
    """Return one line for each column that is left out; one for all of them where many share a reason."""
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            groups.setdefault(reason, []).append(name)
    notes = []
    for reason, names in groups.items():
        if len(names) > MOST_LINES:
            listed = some(names, most=MOST_LINES)
            notes.append(f"{count_of(len(names), 'column')} left out, {reason}: {listed}; `--use COLUMN` takes one")
        else:
            notes += [f"{name}: left out, {reason}; `--use {name}` takes it" for name in names]
    return notes


def reason_to_leave_out(column: pl.Series, *, is_date: bool = False) -> str:
    """Return why a column is left out; empty for a column to learn from."""
    given = with_gaps(column)
    known = given.drop_nulls()
    if not len(known):
        return "no values at all"
    if is_nearly_empty(column):
        return f"{column_share(given)} of its values are missing"
    if is_nested(column):
        return ""
    if known.n_unique() == 1 and not given.null_count():
        return "the same value in every row"
    if is_date:
        return ""
    shown = some(known.head(3).to_list(), most=3)
    if numbers_the_rows(given):
        return f"whole numbers that only number the rows, such as {shown}"
    if names_the_rows(given):
        first = some([repr(shortened(text)) for text in known.head(2)])
        return f"text that names the rows instead of grouping them, such as {first}"
    return ""


def is_nearly_empty(column: pl.Series) -> bool:
    """Return whether a column has hardly any values."""
    given = with_gaps(column)
    missing = given.null_count()
    return missing == len(given) or (len(given) >= FEWEST_ROWS and missing >= NEARLY_EMPTY * len(given))


def column_share(given: pl.Series) -> str:
    """Return the share of missing values as text."""
    return f"{100 * given.null_count() / len(given):.3g} %"


def is_nested(column: pl.Series) -> bool:
    """Return whether a column holds lists or other values that have no order."""
    is_plain = column.dtype.is_numeric() or column.dtype.is_temporal() or is_text(column)
    return not (is_plain or column.dtype == load_polars().Boolean)


def numbers_the_rows(given: pl.Series) -> bool:
    """Return whether a column holds different whole numbers that identify the rows.

    They do if they are in order, unless they are probably years, or if the column's name says so.

    >>> import polars
    >>> [numbers_the_rows(polars.Series(name, values)) for name, values in {
    ...     "a": range(30), "year": range(1990, 2020), "customer_id": [i * 7 % 31 for i in range(30)]}.items()]
    [True, False, True]
    """
    if not given.dtype.is_integer() or given.null_count() or not is_all_different(given):
        return False
    if looks_like_identifier(given.name):
        return True
    is_in_order = given.is_sorted() or given.is_sorted(descending=True)
    first, last = sorted((int(given[0]), int(given[-1])))
    return bool(is_in_order) and not (YEARS[0] <= first and last <= YEARS[1])


def names_the_rows(given: pl.Series) -> bool:
    """Return whether a text column identifies rows: all values differ, or hardly any occurs several times.

    >>> import polars
    >>> [names_the_rows(polars.Series("a", words)) for words in ([f"n{i}" for i in range(30)], ["x", "y"] * 15)]
    [True, False]
    """
    if not is_text(given):
        return False
    known = given.drop_nulls()
    if numbers_with_suffix(known):  # which are refused
        return False
    if not is_zero_padded(known) and 2 * int(are_numbers(known).sum()) > len(known):
        return False
    if is_all_different(known):
        return True
    most = int(known.value_counts(name="count")["count"].max())  # type: ignore[arg-type]
    return are_many(given) and most < LEAST_ROWS_OF_WORD


def is_all_different(known: pl.Series) -> bool:
    """Return whether a column of enough rows has no value twice."""
    return len(known) >= FEWEST_ROWS and known.n_unique() == len(known)


def looks_like_identifier(name: str) -> bool:
    """Return whether a column's name says that it identifies rows.

    >>> [looks_like_identifier(name) for name in ("id", "customer_id", "CustomerID", "paid", "solid", "age")]
    [True, True, True, False, False, False]
    """
    return bool(IDENTIFIER_NAMES.fullmatch(name) or CAMEL_IDENTIFIERS.fullmatch(name))
