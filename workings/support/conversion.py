"""Conversion of lists, tables and columns to NumPy arrays, without changing a value.

NumPy's own conversion changes some values in silence: it drops the mask of a masked array, turns a missing
value beside text into the text "nan", and rounds large integers beside floats.  A polars table's dates become
integers.  Everything that takes an array from users converts it here, so these values are kept or raise an
``InputError``.
"""

from __future__ import annotations

import decimal
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workings.errors import InputError, first_line

DATE_FIX = "Replace them with numbers, such as the month or the days since some event, or leave them out."
GAP_FIX = "Remove that row, or fill the gap (for example with the column's mean), before training."
TEMPORAL_TYPES = ("date", "time", "duration")  # also datetime and timestamp
NESTED_TYPES = ("list", "struct", "array", "fixed_size_list", "map")
EXACT_AS_FLOAT = 2.0**53  # from here on, float64 does not hold every integer


def as_array(values: object, name: str) -> NDArray[Any]:
    """Convert a list, a table or a column to an array.

    Raises
    ------
    InputError
        For values that NumPy would change (see ``convertible``), or cannot convert.

    Examples
    --------
    >>> as_array(["a", float("nan")], "y")
    array(['a', nan], dtype=object)
    """
    given = convertible(values, name)
    try:
        array = np.asarray(given)
    except InputError:  # of a stream of rows that are too many for an array
        raise
    except Exception as error:  # other libraries' types can raise any exception
        if "inhomogeneous" in str(error):
            raise InputError(f"{name} has rows of different lengths: every row must have the same columns.") from error
        raise InputError(
            f"{name} ({type(values).__name__}) cannot be converted to a NumPy array: {first_line(error)}. "
            f"Pass an array of numbers or text."
        ) from error
    array = array.astype(object) if array.dtype.kind == "T" else array  # NumPy's StringDType
    if array.dtype.kind == "O":
        refuse_final_nul(array.ravel().tolist(), name)
    elif array.dtype.kind == "U":
        methods = [getattr(values, method, None) for method in ("to_list", "to_pylist")]  # polars, Arrow
        refuse_final_nul(next((convert() for convert in methods if callable(convert)), ()), name)
    return array


def convertible(values: object, name: str) -> object:
    """Return values that ``np.asarray`` converts without changing one; raise for others.

    Raises
    ------
    InputError
        For masked values, dates and times, a LazyFrame, a list of dicts, nested values in a polars or Arrow table,
        and missing values in a pandas table with categories.

    Examples
    --------
    >>> convertible(np.ma.array([1, -9999], mask=[False, True]), "y")
    Traceback (most recent call last):
    workings.errors.InputError: y has a masked value at row 1. Remove that row, or fill the gap.
    """
    refuse_lazy(values, name)
    refuse_records(values, name)
    if isinstance(values, np.ma.MaskedArray):
        refuse_masked(values, (), name)
        return values.data
    if isinstance(values, (list, tuple)):
        return convertible_list(values, name)
    refuse_types(values, name)
    return values


def convertible_list(values: Any, name: str) -> object:
    """Return a list, or an object array of it if NumPy would change a value."""
    if any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, values))):
        for row, each in enumerate(values):
            refuse_masked(each, (row,), name)
    try:
        found = np.asarray(values)
    except Exception:  # ``as_array`` reports it
        return values
    has_text = found.dtype.kind in "US"
    if not has_text and (found.dtype.kind != "f" or not (np.abs(found) >= EXACT_AS_FLOAT).any()):
        return found
    kept = np.array(values, dtype=object)
    each = kept.ravel().tolist()
    refuse_final_nul(each, name)
    changes = len(set(map(type, each))) > 1 if has_text else any(map(is_large_integer, each))
    return kept if changes and kept.shape == found.shape else found


def refuse_final_nul(values: Iterable[object], name: str) -> None:
    """Raise for text that ends with the character of number 0, which NumPy drops: "a" and "a\\0" would become equal."""
    for row, value in enumerate(values):
        if isinstance(value, str) and value.endswith("\0"):
            raise InputError(
                f"{name} has the text {value!r} at {position((row,))}. NumPy drops the character \\0 at the end of "
                f"text, so different texts could become equal. Remove it."
            )


def is_large_integer(value: object) -> bool:
    """Return whether float64 may not hold an integer exactly."""
    return isinstance(value, int) and abs(value) >= EXACT_AS_FLOAT


def refuse_types(values: Any, name: str) -> None:
    """Raise for types of columns that NumPy converts to something else."""
    if getattr(getattr(values, "dtype", None), "kind", "") in ("m", "M"):
        raise InputError(f"{name} holds dates or times ({values.dtype}). {DATE_FIX}")
    if isinstance(values, np.ndarray) and values.dtype.kind == "O":
        kinds = set(map(type, values.ravel().tolist())) & {np.datetime64, np.timedelta64}
        if kinds:
            raise InputError(f"{name} holds dates or times ({kinds.pop().__name__}). {DATE_FIX}")
    types = column_types(values)
    for column, kind in types:
        if kind.startswith(TEMPORAL_TYPES):
            raise InputError(f"{name} holds dates or times (column {column!r}: {kind}). {DATE_FIX}")
        if kind.startswith(NESTED_TYPES):
            raise InputError(f"{name} has the column {column!r} of type {kind}, but it must hold numbers or text.")
    if any(kind == "category" for _, kind in types):  # of pandas; its gaps may become integers, or true
        are_missing = values.isna().to_numpy()
        if are_missing.any():
            raise InputError(f"{name} has nan{at_position(tuple(np.argwhere(are_missing)[0].tolist()))}. {GAP_FIX}")


def column_types(table: Any) -> list[tuple[str, str]]:
    """Return the names and types of the columns of a table, or of a polars Series of structs."""
    pairs: Any = ()
    if is_arrow(table):
        pairs = [(field.name, field.type) for field in table.schema]
    elif hasattr(type(table), "schema") and hasattr(table.schema, "items"):  # polars
        pairs = table.schema.items()
    elif hasattr(type(table), "dtypes") and hasattr(table.dtypes, "items"):  # pandas
        pairs = table.dtypes.items()
    elif str(getattr(table, "dtype", "")).startswith(("Struct(", "Date", "Time", "Duration")):  # a polars Series
        pairs = [(getattr(table, "name", ""), table.dtype)]
    return [(str(column), str(kind).lower()) for column, kind in pairs]


def is_arrow(table: object) -> bool:
    """Return whether an object is a table of Arrow; the class is examined, because a table may have such a column."""
    return hasattr(type(table), "column_names") and hasattr(type(table), "schema")


def refuse_lazy(values: object, name: str) -> None:
    """Raise for a LazyFrame: a polars query that was not run."""
    if type(values).__name__ == "LazyFrame":
        raise InputError(f"{name} is a LazyFrame, a query that was not run. Call its collect() first.")


def refuse_records(values: Any, name: str) -> None:
    """Raise for rows as dicts, as JSON has them: a table is meant.

    >>> refuse_records([{"a": 1.0}, {"a": 2.0}], "X")
    Traceback (most recent call last):
    workings.errors.InputError: X is a list of dicts, one for each row. Pass them as a table: pandas.DataFrame(rows).
    """
    is_column = getattr(getattr(values, "dtype", None), "kind", "") == "O" and getattr(values, "ndim", 0) == 1
    is_sequence = isinstance(values, Iterable) and (is_column or isinstance(values, (list, tuple)))
    if is_sequence and isinstance(next(iter(values), None), Mapping):
        raise InputError(f"{name} is a list of dicts, one for each row. Pass them as a table: pandas.DataFrame(rows).")


def refuse_masked(values: Any, row: tuple[int, ...], name: str) -> None:
    """Raise if a value of a masked array is masked; ``row`` is the array's place in a list."""
    mask = np.ma.getmaskarray(values)
    are_masked = np.array(mask.tolist(), dtype=bool) if mask.dtype.names else mask
    if are_masked.any():
        place = (*row, *np.argwhere(are_masked)[0].tolist())
        raise InputError(f"{name} has a masked value{at_position(place)}. Remove that row, or fill the gap.")


# -- single values ---------------------------------------------------------------------------


def is_missing(value: object) -> bool:
    """Return whether a value is missing: None, NaN, masked, or pandas' NA and NaT.

    >>> [is_missing(value) for value in (None, float("nan"), np.ma.masked, 0, "")]
    [True, True, True, False, False]
    """
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas' NA neither equals itself nor differs
        return True
    except Exception:  # an array, or another type that cannot be compared
        return False


def is_real(value: object) -> bool:
    """Return whether a value is a real number; NumPy counts durations as integers.

    >>> [is_real(value) for value in (1, np.float32(2), True, np.timedelta64(1, "D"), 1j, "3")]
    [True, True, True, False, False, False]
    """
    is_number = isinstance(value, (numbers.Real, decimal.Decimal, np.bool_))
    return is_number and not isinstance(value, np.timedelta64)


def position(place: tuple[int, ...]) -> str:
    """Describe an index into an array, for error messages.

    >>> position((3, 1))
    'row 3, column 1'
    """
    return ", ".join(f"{axis} {index}" for axis, index in zip(("row", "column"), place, strict=False))


def at_position(place: tuple[int, ...]) -> str:
    """Return the words " at row …" for an error message; empty for the only value of an array without rows.

    >>> at_position((3,)), at_position(())
    (' at row 3', '')
    """
    return f" at {position(place)}" if place else ""
