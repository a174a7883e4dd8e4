"""Conversion and validation of polars columns.

Each function returns a column as text or as numbers, with null for every missing value.  A value that cannot be
converted raises an error with its row, its column and a fix.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from workings.errors import InputError, MissingExtraError, shortened, some
from workings.support.keywords import checked_keywords
from workings.tables.columns import missing_values
from workings.tables.dates import find_date_format
from workings.tables.number_text import (
    FEW_LIKE_NUMBERS,
    GROUPED_BY_POINTS,
    MISSING_MARKS,
    NumberFormat,
    find_format,
    is_number_text,
    may_be_grouped,
    with_suffix,
)
from workings.tables.plain_csv import GAP_MARKS, number_in
from workings.tables.wording import first_row, place

if TYPE_CHECKING:
    import polars as pl


MANY_CATEGORIES = 50  # a text column with more values that rarely repeat is an identifier, not a category
MOST_CATEGORIES = 1000  # more one-hot columns than this are refused


def load_polars() -> ModuleType:
    """Import polars; raise an error that names the extra if it is not installed."""
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError("polars", "cli") from error
    return polars


def is_text(column: pl.Series) -> bool:
    """Return whether a column holds text."""
    polars = load_polars()
    return column.dtype in (polars.String, polars.Categorical, polars.Enum)


def with_gaps(column: pl.Series) -> pl.Series:
    """Return a column with null for every missing value (NaN, empty text), and text as ``plain_text`` gives it."""
    if is_text(column):
        texts = column.cast(load_polars().String).str.strip_chars()
        if texts.str.contains(r"[^\x00-\x{ff}]").any():
            texts = texts.str.normalize("NFC")
        return texts.set(texts == "", None)
    return column.fill_nan(None) if column.dtype.is_float() else column


@checked_keywords
def marks_as_gaps(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Return a table in which NA, n/a, nan, null and ? are missing values.

    A column that otherwise holds numbers becomes numeric.  The target column is unchanged, because there such a word
    may be a class.

    >>> import polars
    >>> marks_as_gaps(polars.DataFrame({"a": ["1", "NA", "2.5"], "y": ["na", "b", "b"]}), "y").rows()
    [(1.0, 'na'), (None, 'b'), (2.5, 'b')]
    """
    texts = [column for column in frame if is_text(column) and column.name != target]
    found = frame.with_columns([without_marks(column) for column in texts])
    vars(found)["line_of"] = vars(frame).get("line_of")
    return found


def without_marks(column: pl.Series) -> pl.Series:
    """Replace markers such as NA in a text column with null; return numbers if all other values are numbers."""
    texts = with_gaps(column)
    marked = texts.str.to_lowercase().is_in(GAP_MARKS).fill_null(False)
    if not marked.any():
        return column
    rest = texts.set(marked, None)
    if is_zero_padded(rest):
        return rest
    numbers = parse_numbers(rest)
    return numbers if numbers.null_count() == rest.null_count() < len(rest) else rest


def numbers_without_marks(column: pl.Series) -> pl.Series:
    """Replace markers such as NA in a text column with null if its other values are numbers; else return it unchanged.

    >>> import polars
    >>> numbers_without_marks(polars.Series(["1", "NA", "2.5"])).to_list()
    [1.0, None, 2.5]
    >>> [numbers_without_marks(polars.Series(texts)).to_list() for texts in (["$1", "?"], ["?", "red"])]
    [['$1', None], ['?', 'red']]
    """
    if not is_text(column):
        return column
    rest = without_marks(column)
    return rest if not is_text(rest) or are_numbers_mostly(with_gaps(rest)) else column


def parse_numbers(texts: pl.Series, form: NumberFormat | None = None) -> pl.Series:
    """Parse text as float64, with null for text that is no number; ``form`` is how the numbers are written.

    >>> import polars
    >>> parse_numbers(polars.Series(["1.5", "٣", "x", None])).to_list()
    [1.5, 3.0, None, None]
    >>> parse_numbers(polars.Series(["$1,163.74", "1"]), NumberFormat(".", ",", "$")).to_list()
    [1163.74, None]
    """
    polars = load_polars()
    numbers: pl.Series = texts.cast(polars.Float64, strict=False)
    rest = texts if form is not None else texts.set(numbers.is_not_null(), None)
    if rest.null_count() == len(rest):
        return numbers
    known = {text: parsed(text, form) for text in rest.drop_nulls().unique()}
    own = polars.Series(texts.name, [known.get(text) for text in rest], dtype=polars.Float64)
    return own if form is not None else numbers.zip_with(numbers.is_not_null(), own)


def parsed(text: str, form: NumberFormat | None) -> float | None:
    """Return the number in a text; None for anything else, and for true and false."""
    if text.strip().lower() in ("true", "false"):
        return None
    try:
        return number_in(text.strip(), ".") if form is None else form.number(text)
    except ValueError:
        return None


def booleans_in_text(column: pl.Series, *, marks: bool) -> pl.Series:
    """Convert a text column to booleans if all its values are true or false, or 1 or 0 beside them.

    Any other column is returned unchanged.  With ``marks``, markers such as NA are missing values.

    >>> import polars
    >>> booleans_in_text(polars.Series(["TRUE", " false", "NA", "1"]), marks=True).to_list()
    [True, False, None, True]
    """
    if not is_text(column):
        return column
    texts = with_gaps(column).str.to_lowercase()
    texts = texts.set(texts.is_in(GAP_MARKS), None) if marks else texts
    are_logical = texts.is_in(["true", "false"]).any() and texts.drop_nulls().is_in(["true", "false", "1", "0"]).all()
    return texts.is_in(["true", "1"]) if are_logical else column


def number_format(column: pl.Series, decimal: str | None = None) -> NumberFormat | None:
    """Return how the numbers of a text column are written; None for text, and for numbers in the usual format.

    Numbers such as 1.234, which may have thousands separators, are not in the usual format.

    Raises
    ------
    InputError
        If the numbers can be read in two ways, or are written in different ways.
    """
    if not is_text(column):
        return None
    texts = with_gaps(column).drop_nulls().unique(maintain_order=True)
    is_usual = bool(parse_numbers(texts).is_not_null().all())
    has_groups = bool(texts.str.contains(GROUPED_BY_POINTS).any())
    has_readings = (has_groups and may_be_grouped(texts)) if decimal is None else decimal == ","
    if is_usual and not has_readings:
        return None
    return find_format(texts.to_list(), column.name, decimal)


def date_format(column: pl.Series, order: str | None = None) -> str | None:
    """Return how the dates or times of a column are written, as in ``strptime``; None for a column of other values.

    Empty text stands for ISO 8601, and for a column whose type is a date.

    >>> import polars
    >>> date_format(polars.Series(["31.12.2024", "NA"])), date_format(polars.Series(["1.5", "2.5"]))
    ('%d.%m.%Y', None)
    """
    polars = load_polars()
    if column.dtype in (polars.Date, polars.Datetime, polars.Time):
        return "%H:%M:%S" if column.dtype == polars.Time else ""
    if not is_text(column):
        return None
    texts = with_gaps(column).drop_nulls()
    if not texts.head(10).str.contains(r"\d").any():
        return None
    known = texts.filter(~texts.str.to_lowercase().is_in(GAP_MARKS)).unique(maintain_order=True)
    return find_date_format(known.to_list(), column.name, order)


def is_zero_padded(texts: pl.Series) -> bool:
    """Return whether all values are whole numbers and some have a leading zero, as in codes such as 007.

    >>> import polars
    >>> [is_zero_padded(polars.Series(texts)) for texts in (["007", None, "12"], ["0", "12"], ["007", "1.5"])]
    [True, False, False]
    """
    given = with_gaps(texts)
    has_zeros = bool(given.str.contains(r"^0\d").any())
    return has_zeros and bool(given.drop_nulls().str.contains(r"^\d+$").all())


def numbers_in_text(column: pl.Series) -> pl.Series:
    """Convert a text column to numbers if all its values are numbers; return any other column unchanged."""
    polars = load_polars()
    if not is_text(column):
        return column
    texts = with_gaps(column)
    for numbers in (texts.cast(polars.Int64, strict=False), parse_numbers(texts)):
        if numbers.null_count() == texts.null_count() < len(texts):
            return numbers
    return column


def resolve_zero_padded(column: pl.Series) -> pl.Series:
    """Convert zero-padded whole numbers, such as 0830, to numbers if they have too many values for categories."""
    is_code = is_text(column) and is_zero_padded(column)
    return numbers_in_text(column) if is_code and are_many(with_gaps(column)) else column


def as_texts(column: pl.Series) -> pl.Series:
    """Return a column as text, with null for missing values."""
    refuse_unusable(column)
    return with_gaps(with_gaps(column).cast(load_polars().String))


def as_numbers(column: pl.Series) -> pl.Series:
    """Return a column as float64, with null for missing values.

    Raises
    ------
    InputError
        For text, dates, nested values and infinities, with row and column.
    """
    refuse_unusable(column)
    texts = with_gaps(column)
    if is_text(column) and texts.null_count() < len(texts):
        numbers = parse_numbers(texts)
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
    """Raise for dates, times, lists and other types that are neither numbers nor text."""
    polars = load_polars()
    dtype = column.dtype
    if dtype.is_temporal():
        raise InputError(
            f"Column {column.name!r} holds dates or times ({dtype}), which a network cannot use. Leave it out "
            f"(`--drop`), or replace it with numbers: the month, or the days since some event."
        )
    if not (dtype.is_numeric() or is_text(column) or dtype in (polars.Boolean, polars.Null)):
        raise InputError(
            f"Column {column.name!r} holds values of type {dtype}; a column must hold numbers, text or true/false. "
            f"Leave it out (`--drop`), or split it into several columns."
        )


def refuse_stray_text(texts: pl.Series, advice: str = "") -> None:
    """Raise for a numeric column that was read as text because a few of its values are not numbers."""
    strays = texts.is_not_null() & ~are_numbers(texts)
    if not strays.any() or not are_numbers_mostly(texts):
        return
    row = first_row(strays)
    marks = strays & texts.str.to_lowercase().is_in(GAP_MARKS)
    fix = "Correct them; for a missing value, leave the cell empty."
    if marks.any():
        fix += (
            f' Or read {texts[first_row(marks)]} as a missing value: leave out `--missing refuse` (missing="refuse").'
        )
    raise InputError(
        f"Text {shortened(texts[row])!r} in {place(row, texts)}: {int(strays.sum())} of this column's {len(texts)} "
        f"values are not numbers, all others are. {fix}{advice}"
    )


def are_numbers(texts: pl.Series) -> pl.Series:
    """Return for each text whether it is a number in any format.

    >>> import polars
    >>> are_numbers(polars.Series(["1", "$2.50", "S"])).to_list()
    [True, True, False]
    """
    usual = parse_numbers(texts).is_not_null()
    known = {text for text in texts.set(usual, None).drop_nulls().unique() if is_number_text(text)}
    return usual | texts.is_in(list(known)).fill_null(False)


def are_numbers_mostly(texts: pl.Series) -> bool:
    """Return whether at least four fifths of the values are numbers, not counting markers of missing values.

    >>> import polars
    >>> are_numbers_mostly(polars.Series(["1", "NA", "?"])), are_numbers_mostly(polars.Series(["1", "2", "S"]))
    (True, False)
    """
    marks = texts.str.to_lowercase().is_in(MISSING_MARKS)
    numbers = are_numbers(texts)
    found, others = int((numbers & ~marks).sum()), int((texts.is_not_null() & ~numbers & ~marks).sum())
    return mostly_numbers(found, others)


def mostly_numbers(count: int, others: int) -> bool:
    """is whether a column with count numbers and some other texts is one of numbers with errors"""
    return count > 0 and count >= 4 * others


def begin_like_numbers(known: pl.Series) -> bool:
    """Return whether many different texts all begin like numbers or dates, such as 1.5k and 05.01."""
    return (
        len(known) > FEW_LIKE_NUMBERS
        and bool(known.str.contains(LIKE_NUMBER).all())
        and bool(known.str.contains(r"\D").all())
    )


def refuse_like_numbers(texts: pl.Series, advice: str) -> None:
    """Raise for many different texts that all begin like numbers or dates, such as 1.5k and 05.01.

    >>> import polars
    >>> refuse_like_numbers(polars.Series("price", [f"{i}.5k" for i in range(30)]), "Write numbers.")
    Traceback (most recent call last):
    workings.errors.InputError: The 30 different values of column 'price' begin like numbers, such as '0.5k' and '1.5k',
    but are not numbers or dates in a format that is known. Write numbers.
    """
    known = texts.drop_nulls().unique(maintain_order=True)
    if begin_like_numbers(known):
        first, second = known[:2].to_list()
        raise InputError(
            f"The {len(known)} different values of column {texts.name!r} begin like numbers, such as {first!r} and "
            f"{second!r}, but are not numbers or dates in a format that is known. {advice}"
        )


LIKE_NUMBER = r"^[-+\u2212~<>(]?\s*\p{Sc}?\s*\d"


def numbers_with_suffix(column: pl.Series) -> list[str]:
    """Return the different texts of a column of numbers that have a suffix for thousands, millions or billions.

    The result is empty for any other column; see :func:`workings.tables.number_text.with_suffix`.

    >>> import polars
    >>> numbers_with_suffix(polars.Series(["$1.5M", "$900k", "12", "NA", ""]))
    ['$1.5M', '$900k']
    """
    if not is_text(column):
        return []
    texts = with_gaps(column).drop_nulls()
    known = texts.filter(~texts.str.to_lowercase().is_in(GAP_MARKS)).unique(maintain_order=True)
    return with_suffix(known.to_list()) if known.str.contains(r"\d\s*\p{L}").any() else []


def refuse_suffixes(column: pl.Series) -> None:
    """Raise for a column of numbers with a suffix, such as 1.5k and $2M."""
    found = numbers_with_suffix(column)
    if found:
        raise InputError(
            f"Column {column.name!r} holds numbers with a suffix, such as {some(map(repr, found[:2]))}, which are not "
            f"read as numbers. Write them in full, such as 1500000. Or take them as categories: "
            f'`--use {column.name}` (use=["{column.name}"] in Python).'
        )


def are_many(texts: pl.Series) -> bool:
    """Return whether a text column has too many different values for categories."""
    return too_many_categories(texts.drop_nulls().n_unique(), len(texts))


def too_many_categories(count: int, n: int) -> bool:
    """is whether a text column with count different values in n rows has too many for categories"""
    return count > MOST_CATEGORIES or (count > MANY_CATEGORIES and 2 * count > n)


def refuse_many(texts: pl.Series, advice: str) -> None:
    """Raise for a text column that identifies rows, such as names, instead of grouping them."""
    if are_many(texts):
        known = texts.drop_nulls()
        raise InputError(
            f"Column {texts.name!r} is text with {known.n_unique()} different values in {len(texts)} rows, for example "
            f"{shortened(known[0])!r}. It identifies rows instead of grouping them. {advice}"
        )


def refuse_missing(columns: Iterable[pl.Series], fix: str) -> None:
    """Raise for missing values; the message names the first and counts all."""
    gaps = {column.name: column for column in columns if column.null_count() > 0}
    if not gaps:
        return
    raise missing_values({name: column.is_null().to_numpy() for name, column in gaps.items()}, fix)


def refuse_frame(frame: object) -> None:
    """Raise for anything but a polars DataFrame."""
    if not isinstance(frame, load_polars().DataFrame):
        raise InputError(
            f"A table must be a polars.DataFrame, not {type(frame).__name__}. Read a file with read_table, or convert "
            f"it with polars.from_pandas(table) or polars.DataFrame(dict of columns)."
        )
