"""Read CSV files with the standard library alone.

``tables/files.py`` validates a file and infers the column types, with polars.  The functions here read a file whose
columns are known, and generated scripts contain copies of them.  Both choose the separator by the same rule.  For
both, an empty cell is a missing value and, in columns that are imputed, so is a marker such as NA.
"""

from __future__ import annotations

import csv
import io
import math
from typing import Any

SEPARATORS = ",;\t"
GAP_MARKS = ("na", "n/a", "nan", "null", "?")  # missing values in columns that are imputed


def first_fields(text: str, separator: str) -> list[str]:
    """Return the fields of the first line of a text."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def separator_of(text: str) -> str:
    """Return the separator that splits the first line into the most names: , ; or tab.

    >>> separator_of("a;'b,c';d\\n1;2;3\\n")
    ';'
    """
    return max(SEPARATORS, key=lambda each: len(first_fields(text, each)))


def number_in(text: str, decimal: str) -> float:
    """Parse a number, or true and false as 1 and 0; empty text is nan.

    >>> number_in("2,5", ","), number_in("true", "."), number_in("", ".")
    (2.5, 1.0, nan)
    """
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    return float(text.replace(decimal, ".", 1)) if text else math.nan


def unmarked(text: str) -> str:
    """Return the text, or empty text for a marker of a missing value such as NA.

    >>> unmarked("red"), unmarked("N/A")
    ('red', '')
    """
    return "" if text.lower() in GAP_MARKS else text


def read_columns(path: str, numbers: tuple[str, ...], marked: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """Read the columns of a CSV file by name, as numbers or as text without surrounding blanks.

    Parameters
    ----------
    path : str
        A file in UTF-8 with a header line.
    numbers : tuple of str
        The numeric columns.
    marked : tuple of str
        The columns in which markers such as NA are missing values.

    Returns
    -------
    dict of list
        The columns, each as long as the table.

    Raises
    ------
    ValueError
        For text in a numeric column.

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
