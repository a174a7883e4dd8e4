"""Helpers for error messages about tables."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from workings.errors import InputError, unknown_name
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


def unknown_column(kind: str, name: object, frame: pl.DataFrame) -> InputError:
    """Return the error for an unknown column; it lists all columns, or the most similar names of a wide table."""
    names = frame.columns
    near = difflib.get_close_matches(str(name), names, n=20, cutoff=0.0)
    return unknown_name(kind, name, names if len(names) <= 20 else [*near, f"… ({len(names)} columns)"])
