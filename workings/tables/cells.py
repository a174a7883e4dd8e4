"""Cells: what a column holds, and what it may not hold.

Columns come out of here as text or as numbers, with null for every gap; what cannot be understood is refused with its
row, its column and a remedy.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from workings.errors import InputError, MissingExtraError
from workings.tables.columns import missing_values
from workings.tables.plain_csv import GAP_MARKS
from workings.tables.wording import first_row, place

if TYPE_CHECKING:
    import polars as pl


MANY_CATEGORIES = 50  # a text column beyond this whose values hardly repeat is a name, not a category
MOST_CATEGORIES = 1000  # beyond this, one column for each value would drown the network
MISSING_MARKS = ("na", "n/a", "nan", "null", "none", "nil", "?", "-", "--", ".")


def load_polars() -> ModuleType:
    """Import polars, or say which extra brings it."""
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError("polars", "cli") from error
    return polars


def is_text(column: pl.Series) -> bool:
    """Whether a column holds words."""
    polars = load_polars()
    return column.dtype in (polars.String, polars.Categorical, polars.Enum)


def with_gaps(column: pl.Series) -> pl.Series:
    """Give a column with null for every missing value (NaN, empty text) and no blanks around text."""
    if is_text(column):
        texts = column.cast(load_polars().String).str.strip_chars()
        return texts.set(texts == "", None)
    return column.fill_nan(None) if column.dtype.is_float() else column


def marks_as_gaps(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Give a table in which NA, n/a, nan, null and ? are gaps; what held numbers besides is numbers then.

    The target's column is left as it is: there, such a word may be a class.

    >>> import polars
    >>> marks_as_gaps(polars.DataFrame({"a": ["1", "NA", "2.5"], "y": ["na", "b", "b"]}), "y").rows()
    [(1.0, 'na'), (None, 'b'), (2.5, 'b')]
    """
    return frame.with_columns(without_marks(column) for column in frame if is_text(column) and column.name != target)


def without_marks(column: pl.Series) -> pl.Series:
    """One column of text without its marks for gaps, as numbers if nothing else was in the way."""
    texts = with_gaps(column)
    marked = texts.str.to_lowercase().is_in(GAP_MARKS).fill_null(False)
    if not marked.any():
        return column
    rest = texts.set(marked, None)
    if is_zero_padded(rest):
        return rest
    numbers = rest.cast(load_polars().Float64, strict=False)
    return numbers if numbers.null_count() == rest.null_count() < len(rest) else rest


def is_zero_padded(texts: pl.Series) -> bool:
    """Whether text is whole numbers, some of which begin with a zero, as codes do: 007.

    >>> import polars
    >>> [is_zero_padded(polars.Series(texts)) for texts in (["007", None, "12"], ["0", "12"], ["007", "1.5"])]
    [True, False, False]
    """
    given = with_gaps(texts)
    has_zeros = bool(given.str.contains(r"^0\d").any())
    return has_zeros and bool(given.drop_nulls().str.contains(r"^\d+$").all())


def numbers_in_text(column: pl.Series) -> pl.Series:
    """Give text that is numbers throughout as numbers; any other column as it is."""
    polars = load_polars()
    if not is_text(column):
        return column
    texts = with_gaps(column)
    for dtype in (polars.Int64, polars.Float64):
        numbers: pl.Series = texts.cast(dtype, strict=False)
        if numbers.null_count() == texts.null_count() < len(texts):
            return numbers
    return column


def few_or_numbers(column: pl.Series) -> pl.Series:
    """Give whole numbers with leading zeros as numbers if they are too many to be categories: 0830 is a time of day."""
    is_code = is_text(column) and is_zero_padded(column)
    return numbers_in_text(column) if is_code and are_many(with_gaps(column)) else column


def as_texts(column: pl.Series) -> pl.Series:
    """Give a column as text, with null for gaps."""
    refuse_unusable(column)
    return with_gaps(with_gaps(column).cast(load_polars().String))


def as_numbers(column: pl.Series) -> pl.Series:
    """Give a column as float64, with null for gaps.

    Raises
    ------
    InputError
        For text, dates, nested values and infinities, with row and column.
    """
    refuse_unusable(column)
    texts = with_gaps(column)
    if is_text(column) and texts.null_count() < len(texts):
        numbers = texts.cast(load_polars().Float64, strict=False)
        row = first_row(texts.is_not_null() & numbers.is_null()) if numbers.null_count() > texts.null_count() else 0
        raise InputError(
            f"Text {texts[row]!r} in {place(row, column)}: this column must hold numbers. Correct the value."
        )
    numbers = texts.cast(load_polars().Float64)
    if numbers.is_infinite().any():
        row = first_row(numbers.is_infinite())
        raise InputError(
            f"The value {numbers[row]} in {place(row, column)} is not finite. Correct it or remove the row."
        )
    return numbers


def refuse_unusable(column: pl.Series) -> None:
    """Refuse dates, times, lists and whatever else is neither a number nor text."""
    polars = load_polars()
    dtype = column.dtype
    if dtype.is_temporal():
        raise InputError(
            f"Column {column.name!r} holds dates or times ({dtype}), which a network cannot take. Leave it out "
            f"(`--drop`), or put numbers in its place: the month, or the days since some event."
        )
    if not (dtype.is_numeric() or is_text(column) or dtype in (polars.Boolean, polars.Null)):
        raise InputError(
            f"Column {column.name!r} holds values of type {dtype}; a column must hold numbers, text or true/false. "
            f"Leave it out (`--drop`), or spread its parts over columns of their own."
        )


def refuse_stray_text(texts: pl.Series, advice: str = "") -> None:
    """Refuse a column of numbers that became text because of a few values that are none."""
    strays = texts.is_not_null() & texts.cast(load_polars().Float64, strict=False).is_null()
    if not strays.any() or not are_numbers_mostly(texts):
        return
    row = first_row(strays)
    raise InputError(
        f"Text {texts[row]!r} in {place(row, texts)}: {int(strays.sum())} of this column's {len(texts)} values are not "
        f"numbers, all others are. Correct them; for a missing value, leave the cell empty.{advice}"
    )


def are_numbers_mostly(texts: pl.Series) -> bool:
    """Whether text is numbers but for marks of what is missing and at most a fifth of the rest.

    >>> import polars
    >>> are_numbers_mostly(polars.Series(["1", "NA", "?"])), are_numbers_mostly(polars.Series(["1", "2", "S"]))
    (True, False)
    """
    numbers = texts.cast(load_polars().Float64, strict=False)
    marks = texts.str.to_lowercase().is_in(MISSING_MARKS)
    parsed = int((numbers.is_not_null() & ~marks).sum())
    others = int((texts.is_not_null() & numbers.is_null() & ~marks).sum())
    return parsed > 0 and parsed >= 4 * others


def are_many(texts: pl.Series) -> bool:
    """Whether text has too many different values to sort rows into groups."""
    count = texts.drop_nulls().n_unique()
    return count > MOST_CATEGORIES or (count > MANY_CATEGORIES and 2 * count > len(texts))


def refuse_many(texts: pl.Series, advice: str) -> None:
    """Refuse text that identifies a row rather than sorting it into a group."""
    if are_many(texts):
        known = texts.drop_nulls()
        raise InputError(
            f"Column {texts.name!r} is text with {known.n_unique()} different values in {len(texts)} rows, for example "
            f"{known[0]!r}. That names rows rather than grouping them. {advice}"
        )


def refuse_missing(columns: Iterable[pl.Series], fix: str) -> None:
    """Refuse gaps: name the first, and count all."""
    gaps = {column.name: column for column in columns if column.null_count() > 0}
    if not gaps:
        return
    raise missing_values({name: column.is_null().to_numpy() for name, column in gaps.items()}, fix)


def refuse_frame(frame: object) -> None:
    """Refuse what is not a polars table."""
    if not isinstance(frame, load_polars().DataFrame):
        raise InputError(
            f"A table must be a polars.DataFrame, not {type(frame).__name__}. Read a file with read_table, or convert "
            f"it with polars.from_pandas(table) or polars.DataFrame(dict of columns)."
        )
