"""Helpers for error messages about tables."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
from workings.tables.columns import Columns
from workings.tables.number_text import is_usual_number
from workings.tables.plain_csv import unmarked
from workings.tables.values import place_of

if TYPE_CHECKING:
    import polars as pl


def first_row(where: pl.Series) -> int:
    """Return the index of the first row for which a condition holds."""
    return int(np.flatnonzero(where.fill_null(False).to_numpy())[0])


def place(row: int, column: pl.Series) -> str:
    """Describe the position of a cell, from the index of its row.

    >>> import polars
    >>> place(2, polars.Series("age", [1, 2, 3]))
    "row 3 (line 4 of a CSV file), column 'age'"
    """
    return place_of(row, column.name)


def reading_notes(columns: Columns) -> list[str]:
    """Say how columns were read whose values have a format of their own, or a category that may be a missing value.

    >>> from workings.tables.columns import CategoryColumn, NumberColumn
    >>> from workings.tables.number_text import NumberFormat
    >>> price, kind = NumberColumn("price", form=NumberFormat(".", ",", "$")), CategoryColumn("kind", ("?", "a"))
    >>> for note in reading_notes(Columns((price, kind), "y", None)):
    ...     print(note)
    price: read as money ($), thousands separator ','
    kind: '?' is read as a category; with `--impute` (marks_as_gaps in Python), it is a missing value
    """
    forms = {column.name: column.form for column in columns.numbers} | {columns.target: columns.target_form}
    notes = [f"{name}: read as {form.describe()}" for name, form in forms.items() if form is not None]
    for column in columns.words:
        marks = [category for category in column.categories if not unmarked(category)]
        if marks and column.fill is None:
            listed = " and ".join(map(repr, marks))
            are, they = ("are", "categories; with"), ("they are", "missing values")
            one = ("is", "a category; with"), ("it is", "a missing value")
            (verb, noun), (pronoun, gap) = one if len(marks) == 1 else (are, they)
            notes.append(
                f"{column.name}: {listed} {verb} read as {noun} `--impute` (marks_as_gaps in Python), {pronoun} {gap}"
            )
    return notes


def unknown_column(kind: str, name: object, frame: pl.DataFrame) -> InputError:
    """Return the error for an unknown column; it lists all columns, or the most similar names of a wide table."""
    names = frame.columns
    signs = [sign for sign in "|:~^ " if len(names) == 1 and names[0].count(sign) and str(name) in names[0].split(sign)]
    if signs:
        return InputError(
            f"Unknown {kind} {name!r}: the table has only one column, {names[0]!r}. If {signs[0]!r} stands between the "
            f"columns, name it: `--delimiter '{signs[0]}'` (delimiter= in Python)."
        )
    if is_usual_number(str(names[0])) or sum(map(is_usual_number, map(str, names))) > 1:
        return InputError(
            f"{unknown_name(kind, name, names[:20])} The first line must hold the column names, and these look like "
            f"values. Add a line with names."
        )
    near = difflib.get_close_matches(str(name), names, n=20, cutoff=0.0)
    return unknown_name(kind, name, names if len(names) <= 20 else [*near, f"… ({len(names)} columns)"])
