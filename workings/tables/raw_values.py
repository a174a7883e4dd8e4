"""Read the columns that an estimator is fitted on: decide for each whether it holds numbers or categories.

The values come from Python or from any table library; polars is not needed.  Text is read as on the command
line: numbers such as $1.50 are numbers, codes such as 007 are categories.  What the command line refuses, or takes
apart as dates, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from workings.errors import InputError, some
from workings.support.arrays import Array
from workings.support.conversion import DATE_FIX, is_real
from workings.tables.dates import find_date_format
from workings.tables.number_text import (
    NumberFormat,
    are_mostly_numbers,
    find_format,
    is_number_text,
    is_usual_number,
    may_be_grouped,
    with_suffix,
)
from workings.tables.plain_csv import unmarked
from workings.tables.values import (
    as_list,
    as_word,
    is_gap,
    place_of,
    plain_numbers,
    read_numbers,
    refuse_unusable,
)

CATEGORY_TYPES = ("category", "categorical", "enum")
AS_CATEGORIES = 'Or take it as categories: `astype("category")` in pandas, `cast(polars.Categorical)` in polars.'
CONVERT_FIX = f"Convert the column to numbers before. {AS_CATEGORIES}"
FEW_CODES, SHARE_OF_CODES = 50, 0.5  # more codes that hardly repeat are numbers


def numbers_in(values: object, name: str) -> tuple[Array, NumberFormat | None] | None:
    """Return the numbers of a column, with NaN for gaps, and their format; None for a column of categories.

    Parameters
    ----------
    values : list, array or column
        The column's values.
    name : str
        The column's name, for messages.

    Raises
    ------
    InputError
        For dates, nested values and infinities, and for text that is a number or a date in a way that is not clear:
        with two readings, with a suffix such as 1.5M, or with other text among numbers.

    Examples
    --------
    >>> numbers_in(["$1.50", None, "$2"], "price")
    (array([1.5, nan, 2. ]), NumberFormat(decimal='.', thousands='', unit='$'))
    >>> numbers_in(["007", "7"], "code"), numbers_in(["red", 7], "colour")
    (None, None)
    """
    if str(getattr(values, "dtype", "")).lower().startswith(CATEGORY_TYPES):
        return None
    if plain_numbers(values) is not None:
        return read_numbers(values, name), None
    given = as_list(values)
    for row, value in enumerate(given):
        if not is_gap(value):
            refuse_unusable(value, row, name)
            refuse_complex(value, row, name)
    known = [value for value in given if not is_gap(value) and not (isinstance(value, str) and is_mark(value))]
    if all(map(is_real, known)):
        return read_numbers(given, name, marks=True), None
    texts = list(dict.fromkeys(as_word(value) for value in known))
    if is_text_of_codes(texts, len(known)):
        return None
    form = text_format(texts, name)
    if form is not None or all(is_usual_number(text) or is_logical(text) for text in texts):
        return read_numbers(given, name, marks=True, form=form), form
    refuse_unclear(texts, given, name)
    return None


def is_logical(text: str) -> bool:
    """Return whether a text is true or false."""
    return text.lower() in ("true", "false")


def is_mark(text: str) -> bool:
    """Return whether a text is a marker of a missing value, such as NA."""
    return not unmarked(text.strip())


def refuse_complex(value: object, row: int, name: str) -> None:
    """Raise for a complex number."""
    if isinstance(value, (complex, np.complexfloating)):
        raise InputError(f"The value in {place_of(row, name)} is a complex number; a column must hold real numbers.")


def is_text_of_codes(texts: Sequence[str], count: int) -> bool:
    """Return whether ``count`` values with these different texts are whole numbers that only name something.

    They have a leading zero, such as 007, and are few, or have so many digits that float64 would make some equal.

    >>> is_text_of_codes(["007", "7"], 2), is_text_of_codes(["1.5", "0"], 2), is_text_of_codes(["1" * 39, "1" * 40], 2)
    (True, False, False)
    """
    if not all(re.fullmatch(r"[+-]?\d+", text) for text in texts):
        return False
    has_zeros = any(re.match(r"0\d", text) for text in texts) and all(text.isdigit() for text in texts)
    are_few = len(texts) <= FEW_CODES or len(texts) <= SHARE_OF_CODES * count
    are_long = any(len(text.lstrip("+-")) > 15 for text in texts)
    return (has_zeros and are_few) or (are_long and len(set(map(float, texts))) < len(texts))


def text_format(texts: Sequence[str], name: str) -> NumberFormat | None:
    """Return the format of a column's different texts; None for the usual one, and for text that is no number."""
    if all(map(is_usual_number, texts)) and not may_be_grouped(texts):
        return None
    return find_format(texts, name, fix=CONVERT_FIX)


def refuse_unclear(texts: Sequence[str], given: Sequence[object], name: str) -> None:
    """Raise for texts that are dates, numbers with a suffix, or mostly numbers."""
    if is_date(texts, name):
        raise InputError(
            f"Column {name!r} holds dates or times, such as {texts[0]!r}, which a network cannot use. {DATE_FIX} "
            f"{AS_CATEGORIES}"
        )
    suffixed = with_suffix(texts)
    if suffixed:
        raise InputError(
            f"Column {name!r} holds numbers with a suffix, such as {some(map(repr, suffixed[:2]))}, which are not read "
            f"as numbers. {CONVERT_FIX}"
        )
    words = [as_word(value) for value in given if not is_gap(value)]
    if are_mostly_numbers(words):
        row, text = next((row, value) for row, value in enumerate(given) if not is_gap(value) and is_word(value))
        raise InputError(
            f"Text {text!r} in {place_of(row, name)}: most values of this column are numbers. Correct it; for a "
            f"missing value, use None or NaN. {AS_CATEGORIES}"
        )


def is_word(value: object) -> bool:
    """Return whether a value is text that is no number and no marker of a missing value."""
    text = as_word(value)
    return not is_number_text(text) and not is_mark(text)


def is_date(texts: Sequence[str], name: str) -> bool:
    """Return whether a column's different texts are dates or times; raise if some are not and all others are."""
    return find_date_format(texts, name, "day-first") is not None


def unmasked(X: Any) -> Any:
    """Return an array, or a list of rows, whose masked values are gaps: NaN among numbers, else None.

    Anything else is unchanged.

    >>> unmasked(np.ma.array([[1.0, -9999.0]], mask=[[False, True]]))
    array([[ 1., nan]])
    """
    if isinstance(X, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray) for row in X):
        X = np.ma.array([np.ma.getdata(row) for row in X], mask=[np.ma.getmaskarray(row) for row in X])
    if not isinstance(X, np.ma.MaskedArray) or X.dtype.names:
        return X
    are_numbers = X.dtype.kind in "biuf"
    found = np.array(X.data, dtype=np.promote_types(X.dtype, np.float64) if are_numbers else object)
    found[np.ma.getmaskarray(X)] = np.nan if are_numbers else None
    return found
