"""Parse the values of one column: a list, a pandas or polars column, or a NumPy array.

Numbers become float64 with NaN for missing values; categories become their index.  Each value is parsed independently
of the other rows, so the encoding of a row never depends on the type that other rows give the column: the text "2.5"
is always a number, and true is the category "true".
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.support.conversion import DATE_FIX, is_missing, is_real
from workings.tables.number_text import NumberFormat
from workings.tables.plain_csv import number_in, plain_text, unmarked

GAP, UNKNOWN = -1, -2  # instead of the index of a category
LARGEST_EXACT = 2**53  # up to here, each integer is a float


LINE_OF: ContextVar[Callable[[int], int]] = ContextVar("LINE_OF")  # the line of a row in the file being read
TEMPORAL_TYPES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def place_of(row: int, name: str) -> str:
    """Describe the position of a cell, from the index of its row.

    >>> place_of(2, "age")
    "row 3 (line 4 of a CSV file), column 'age'"
    """
    line = LINE_OF.get(usual_line)(row)
    return f"row {row + 1} (line {line} of a CSV file), column {name!r}"


def usual_line(row: int) -> int:
    """Return the line of a row in a file whose first line holds the column names."""
    return row + 2


def naming_lines(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function of a table: its errors name the lines of the table's file.

    A table from ``read_table`` has the attribute ``line_of``.
    """

    @functools.wraps(function)
    def with_lines(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        tables = [*args, *kwargs.values()]
        found = [lines for table in tables if (lines := getattr(table, "__dict__", {}).get("line_of")) is not None]
        token = LINE_OF.set(found[0] if found else usual_line)
        try:
            return function(*args, **kwargs)
        finally:
            LINE_OF.reset(token)

    return with_lines


def is_gap(value: object) -> bool:
    """Return whether a value is missing: None, NaN, masked, pandas' NA and NaT, or blank text.

    >>> [is_gap(value) for value in (None, float("nan"), " ", 0, "NA")]
    [True, True, True, False, False]
    """
    return not value.strip() if isinstance(value, str) else is_missing(value)


def as_list(values: Any) -> list[object]:
    """Return the values as Python objects where the column can convert them; dates stay dates."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in ("m", "M"):  # NumPy converts some of them to integers
        return list(values)
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)


# -- numbers ---------------------------------------------------------------------------------


def read_numbers(values: object, name: str, *, marks: bool = False, form: NumberFormat | None = None) -> Array:
    """Parse a numeric column as float64, with NaN for missing values; true and false are 1 and 0.

    Parameters
    ----------
    values : list, array or column
        Numbers, or text that is a number.
    name : str
        The column's name, for messages.
    marks : bool
        Whether a marker such as "NA" is a missing value.
    form : NumberFormat, optional
        How text is written, if not in the usual way.

    Raises
    ------
    InputError
        For other text, dates, nested values and infinities, with row and column.

    Examples
    --------
    >>> read_numbers([1, None, "2.5", True, "false"], "age")
    array([1. , nan, 2.5, 1. , 0. ])
    """
    x = plain_numbers(values)
    if x is None:
        found = [read_number(value, row, name, form, marks=marks) for row, value in enumerate(as_list(values))]
        x = np.array(found, dtype=np.float64)
    if np.isinf(x).any():
        row = int(np.flatnonzero(np.isinf(x))[0])
        raise InputError(f"The value {x[row]} in {place_of(row, name)} is not finite. Correct it or remove the row.")
    return x


def plain_numbers(values: object) -> Array | None:
    """Return a column that holds only numbers as float64; None for any other."""
    try:
        array = np.asarray(values)
    except Exception:  # other libraries' types can raise any exception
        return None
    if np.ma.is_masked(values):
        return None
    with np.errstate(over="ignore"):  # a long double may become infinite, which raises later
        return array.astype(np.float64) if array.ndim == 1 and array.dtype.kind in "biuf" else None


def read_number(value: Any, row: int, name: str, form: NumberFormat | None, *, marks: bool) -> float:
    """Parse one value as a number; NaN if it is missing."""
    if is_gap(value) or (marks and isinstance(value, str) and not unmarked(value.strip())):
        return np.nan
    refuse_unusable(value, row, name)
    if isinstance(value, str):
        return number_in_text(value, row, name, form)
    if not is_real(value):
        raise InputError(
            f"The value in {place_of(row, name)} is a {type(value).__name__}, but this column must hold numbers."
        )
    try:
        return float(value)
    except (OverflowError, ValueError) as error:
        raise InputError(f"The value in {place_of(row, name)} is too large. Correct it or remove the row.") from error


def number_in_text(text: str, row: int, name: str, form: NumberFormat | None) -> float:
    """Parse text as a number; true and false are 1 and 0."""
    try:
        return number_in(text.strip(), ".") if form is None else form.number(text)
    except ValueError as error:
        expected = "numbers, or true and false" if form is None else f"{form.describe()}, as in training"
        raise InputError(
            f"Text {text!r} in {place_of(row, name)}: this column must hold {expected}. Correct the value."
        ) from error


def refuse_unusable(value: object, row: int, name: str) -> None:
    """Raise for dates, times, bytes and nested values."""
    if isinstance(value, TEMPORAL_TYPES) or type(value).__name__ == "Period":  # of pandas
        raise InputError(
            f"Column {name!r} holds dates or times ({type(value).__name__} in row {row + 1}), which a network "
            f"cannot use. {DATE_FIX}"
        )
    refuse_nested(value, row, name)


def refuse_nested(value: object, row: int, name: str) -> None:
    """Raise for bytes and nested values."""
    if isinstance(value, (bytes, Mapping, np.ndarray)) or (isinstance(value, Sequence) and not isinstance(value, str)):
        raise InputError(
            f"Column {name!r} holds values of type {type(value).__name__} (row {row + 1}); a column must hold "
            f"numbers, text or true/false."
        )


# -- words -----------------------------------------------------------------------------------


def read_codes(values: Any, name: str, categories: Sequence[str], *, marks: bool = False) -> Array:
    """Parse a categorical column: return each value's category index, ``GAP`` or ``UNKNOWN``.

    Parameters
    ----------
    values : list, array or column
        Text, or values whose text is one of the categories.
    name : str
        The column's name, for messages.
    categories : sequence of str
        The known categories.
    marks : bool
        Whether a marker such as "NA" is a missing value, unless it is one of the categories.

    Raises
    ------
    InputError
        For bytes and nested values.

    Examples
    --------
    >>> read_codes(["007", 7, 7.0, " A ", None, "007A"], "code", ("007", "7", "A"))
    array([ 0,  1,  1,  2, -1, -2])
    >>> read_codes([True, "false", "unknown"], "smoker", ("false", "true", "unknown"))
    array([1, 0, 2])
    """
    if str(getattr(values, "dtype", "")) == "String" and hasattr(values, "replace_strict"):  # polars: each text once
        texts = values.unique()
        codes = read_codes(texts.to_list(), name, categories, marks=marks)
        return np.asarray(values.replace_strict(texts, codes), dtype=np.int64)
    known = {category: code for code, category in enumerate(categories)}
    found = [code_of(value, row, name, known, marks=marks) for row, value in enumerate(as_list(values))]
    return np.array(found, dtype=np.int64)


def code_of(value: object, row: int, name: str, known: Mapping[str, int], *, marks: bool) -> int:
    """Return the category index of one value, ``GAP`` or ``UNKNOWN``."""
    if isinstance(value, str) and value in known:
        return known[value]
    if is_gap(value):
        return GAP
    refuse_nested(value, row, name)
    for text in spellings(value):
        if text in known:
            return known[text]
    is_mark = marks and isinstance(value, str) and not unmarked(value.strip())
    return GAP if is_mark else UNKNOWN


def as_word(value: object) -> str:
    """Return a value as the text of a category.

    >>> as_word(" red "), as_word(4.0), as_word(True)
    ('red', '4.0', 'true')
    """
    return plain_text(spellings(value)[0])


def spellings(value: object) -> tuple[str, ...]:
    """Return the possible spellings of a value as text, the most exact first.

    >>> spellings(" red "), spellings(4.0), spellings(4), spellings(True), spellings(datetime.datetime(2024, 1, 5))
    ((' red ', 'red', 'red'), ('4.0', '4'), ('4', '4.0'), ('true', 'True'),
     ('2024-01-05 00:00:00', '2024-01-05T00:00:00', '2024-01-05'))
    """
    value = 0.0 if isinstance(value, (float, np.floating)) and value == 0 else value  # not -0.0, which is equal
    text = str(value)
    if isinstance(value, str):
        return text, text.strip(), plain_text(text)
    if isinstance(value, (bool, np.bool_)):
        return text.lower(), text
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return text, str(int(value))  # libraries convert integers to floats in columns with missing values
    if isinstance(value, (int, np.integer)):  # a model may know the column as floats
        return (text, str(float(text))) if abs(int(text)) <= LARGEST_EXACT else (text,)
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime.datetime):
        is_day = value.time() == datetime.time()
        return (text, value.isoformat(), *([value.date().isoformat()] if is_day else []))
    return (text,)
