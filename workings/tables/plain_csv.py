"""Read CSV files with the standard library alone.

``tables/files.py`` validates a file and infers the column types, with polars.  The functions here read a file whose
columns are known, and generated scripts contain copies of them.  Both choose the separator by the same rule.  For
both, an empty cell is a missing value and, in columns that are imputed, so is a marker such as NA.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from typing import Any

SEPARATORS = ",;\t"
SEPARATOR_LINE = '"?[sS][eE][pP]=([^\r\n])"?\r?'  # the first line of some files for Excel
GROUPED = r"(?!0)\d{1,3}(?:SEPARATOR\d{2,3})*SEPARATOR\d{3}|"  # 1,234 or, in India, 12,34,567
# What some languages write for a minus, a blank (three of them), an apostrophe, a decimal sign and a comma.
OTHER_SIGNS, USUAL_SIGNS = "\u2212\u00a0\u202f\u2009\u2019\u066b\u066c", "-   '.,"
GAP_MARKS = (  # missing values in columns that are imputed; the last ones are errors of spreadsheets
    *("na", "n/a", "#n/a", "<na>", "nan", "null", "?"),
    *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
)


def first_fields(text: str, separator: str) -> list[str]:
    """Return the fields of the first line of a text."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def separator_of(text: str) -> str:
    """Return the separator that splits the first line into the most names: , ; or tab.

    >>> separator_of("a;'b,c';d\\n1;2;3\\n")
    ';'
    """
    return max(SEPARATORS, key=lambda each: count_fields(text, each))


def count_fields(text: str, separator: str) -> int:
    """Return the number of fields in the first line of a text; 0 if one is too long for the csv module."""
    try:
        return len(first_fields(text, separator))
    except csv.Error:
        return 0


def table_text(text: str) -> tuple[str, str]:
    """Return the text from its header line on, with line feeds as line ends, and its separator.

    A first line such as ``sep=;``, which Excel understands, names the separator.  Carriage returns end lines if the
    text has no line feeds.

    >>> table_text("a;b\\n1;2\\n"), table_text("sep=|\\ra|b\\r1|2\\r")
    (('a;b\\n1;2\\n', ';'), ('a|b\\n1|2\\n', '|'))
    """
    text = text if "\n" in text else text.replace("\r", "\n")
    first, _, rest = text.partition("\n")
    named = re.fullmatch(SEPARATOR_LINE, first)
    return (rest, named[1]) if named else (text, separator_of(text))


def number_in(text: str, decimal: str, thousands: str | None = None, unit: str = "") -> float:
    """Parse a number, or true and false as 1 and 0; empty text is nan.

    With ``thousands``, which may be empty, the number must be written in exactly this format.

    >>> number_in("2,5", ","), number_in("true", "."), number_in("", ".")
    (2.5, 1.0, nan)
    >>> number_in("-$1,163.74", ".", ",", "$"), number_in("(5,5 %)", ",", "", "%")
    (-1163.74, -5.5)
    """
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    if "_" in text:  # Python would ignore it
        raise ValueError(text)
    if text and thousands is not None:
        text, decimal = plain_number(text, decimal, thousands, unit), "."
    return float(text.replace(decimal, ".", 1)) if text else math.nan


def plain_number(text: str, decimal: str, thousands: str, unit: str) -> str:
    """Return a number of this format in plain notation; raise ValueError for any other text.

    A number in round brackets is negative, as in accounting.  The unit stands before or after the number.

    >>> plain_number("1.163,74 €", ",", ".", "€"), plain_number("(12 500)", ".", " ", "")
    ('1163.74', '-12500')
    """
    number = text.strip().translate(str.maketrans(OTHER_SIGNS, USUAL_SIGNS))
    if number[:1] + number[-1:] == "()":
        number = "-" + number[1:-1]
    if unit:
        before, _, after = number.partition(unit)
        if before + after == number or (before.strip(" +-") and after.strip()):
            raise ValueError(text)
        number = (before + after).strip()
    grouped = GROUPED.replace("SEPARATOR", re.escape(thousands)) if thousands else ""
    point = re.escape(decimal)
    amount = "(?:" + grouped + r"\d+)(?:" + point + r"\d*)?|" + point + r"\d+"
    found = re.fullmatch("([+-]?) *(" + amount + r")((?:[eE][+-]?\d+)?)", number)
    if not found:
        raise ValueError(text)
    digits = found[2].replace(thousands, "") if thousands else found[2]
    return found[1] + digits.replace(decimal, ".") + found[3]


def unmarked(text: str) -> str:
    """Return the text, or empty text for a marker of a missing value such as NA.

    >>> unmarked("red"), unmarked("N/A")
    ('red', '')
    """
    return "" if text.lower() in GAP_MARKS else text


def plain_text(text: str) -> str:
    """Return a text without surrounding blanks, and with composed characters: é is one character, not e and an accent.

    >>> len(plain_text(" cafe\u0301 "))
    4
    """
    return unicodedata.normalize("NFC", text.strip())


def read_columns(
    path: str, numbers: tuple[str, ...], marked: tuple[str, ...] = (), formats: tuple[tuple[str, ...], ...] = ()
) -> dict[str, list[object]]:
    """Read the columns of a CSV file by name, as numbers or as text without surrounding blanks (see ``plain_text``).

    Parameters
    ----------
    path : str
        A file in UTF-8 with a header line.
    numbers : tuple of str
        The numeric columns.
    marked : tuple of str
        The columns in which markers such as NA are missing values.
    formats : tuple of tuple
        The numeric columns that are not written in the file's usual format: name, decimal sign, thousands separator,
        unit.

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
    text, separator = table_text(text)
    decimal = "," if separator == ";" else "."
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    columns: dict[str, list[Any]] = {}
    for place, name in enumerate(map(str.strip, header)):
        columns[name] = [plain_text(row[place]) for row in rows if row]
        if name in marked:
            columns[name] = [unmarked(value) for value in columns[name]]
        if name in numbers:
            given = next((each[1:] for each in formats if each[0] == name), (decimal,))
            columns[name] = [number_in(value, *given) for value in columns[name]]
    return columns
