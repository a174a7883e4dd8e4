"""Messages: the place of a cell in a table, and the first line of another error."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
from workings.tables.values import place_of

if TYPE_CHECKING:
    import polars as pl


def first_row(where: pl.Series) -> int:
    """Give the index of the first row for which a condition holds."""
    return int(np.flatnonzero(where.fill_null(False).to_numpy())[0])


def place(row: int, column: pl.Series) -> str:
    """Name a cell as a person finds it, from the index of its row.

    >>> import polars
    >>> place(2, polars.Series("age", [1, 2, 3]))
    "row 3 (line 4 of a CSV file), column 'age'"
    """
    return place_of(row, column.name)


def first_line(error: BaseException) -> str:
    """Give the first line of an error's message, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def unknown_column(kind: str, name: object, frame: pl.DataFrame) -> InputError:
    """Make the error for a column that is not there; of a wide table the nearest names are listed."""
    names = frame.columns
    near = difflib.get_close_matches(str(name), names, n=20, cutoff=0.0)
    return unknown_name(kind, name, names if len(names) <= 20 else [*near, f"… ({len(names)} columns)"])
