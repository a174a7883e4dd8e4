"""Separated text: the columns of a CSV file, with the standard library alone.

The files of ``tables/`` read a table with all care and give every column its type.  A script that stands by itself
cannot take them along; what it needs of a file whose columns are known stands here, and is copied into it whole.  Both
find the separator by the same rule, and for both a gap is an empty cell, and where gaps are filled also a mark such
as NA.
"""

from __future__ import annotations

import csv
import io
import math
from typing import Any

SEPARATORS = ",;\t"
GAP_MARKS = ("na", "n/a", "nan", "null", "?")  # gaps in any column that is to be imputed


def first_fields(text: str, separator: str) -> list[str]:
    """The fields of the first line of a text."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def separator_of(text: str) -> str:
    """The separator that finds the most names in the first line: , ; or tab.

    >>> separator_of("a;'b,c';d\\n1;2;3\\n")
    ';'
    """
    return max(SEPARATORS, key=lambda each: len(first_fields(text, each)))


def number_in(text: str, decimal: str) -> float:
    """A number, or true and false as 1 and 0; nan for a gap.

    >>> number_in("2,5", ","), number_in("true", "."), number_in("", ".")
    (2.5, 1.0, nan)
    """
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    return float(text.replace(decimal, ".", 1)) if text else math.nan


def unmarked(text: str) -> str:
    """Text, but nothing where there is a mark for a gap.

    >>> unmarked("red"), unmarked("N/A")
    ('red', '')
    """
    return "" if text.lower() in GAP_MARKS else text


def read_columns(path: str, numbers: tuple[str, ...], marked: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """The columns of a CSV file by name, as numbers or as text without blanks around.

    Parameters
    ----------
    path : str
        A file in UTF-8 with a header line.
    numbers : tuple of str
        The columns that hold numbers.
    marked : tuple of str
        The columns in which marks such as NA are gaps.

    Returns
    -------
    dict of list
        The columns, each as long as the table.

    Raises
    ------
    ValueError
        For text among numbers.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fruit.csv")
    ...     _ = path.write_text("weight, colour\\n150,red\\n,NA\\n")
    ...     read_columns(str(path), ("weight",), ("weight", "colour"))
    {'weight': [150.0, nan], 'colour': ['red', '']}
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    separator = separator_of(text)
    decimal = "," if separator == ";" else "."
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: dict[str, list[Any]] = {}
    for place, name in enumerate(map(str.strip, header)):
        columns[name] = [row[place].strip() for row in rows if row]
        if name in marked:
            columns[name] = [unmarked(value) for value in columns[name]]
        if name in numbers:
            columns[name] = [number_in(value, decimal) for value in columns[name]]
    return columns
