"""Columns: the arithmetic between a table's own columns and the numbers that a network takes and gives.

Numbers are standardized, gaps are filled, and what is predicted is turned back into the unit of the table.  Each
formula stands here once: tables run it, scripts print it, exported files are written from it.  ``Columns`` is the
short form in which a network remembers its table, for those who cannot or need not read tables themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.arrays import Array, Values
from workings.errors import InputError


def filled(x: Values, fill: Values) -> Values:
    """are the values, with the fill where there is a gap"""
    return np.where(x == x, x, fill)  # a gap is NaN, the one number that differs from itself


def standard(x: Values, mean: Values, std: Values) -> Values:
    """are the values less their mean, counted in standard deviations"""
    return (x - mean) / std


def standardized(x: Array) -> Array:
    """Give columns of numbers, or one, mean 0 and standard deviation 1; what never changes becomes 0.

    >>> standardized(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    spread = x.std(axis=0)
    numbers: Array = standard(x, x.mean(axis=0), np.where(spread > 0, spread, 1))
    return numbers


def original(p: Values, mean: Values, std: Values) -> Values:
    """is the prediction in the target's own unit"""
    return p * std + mean


def drawn_rows(n: int, rows: int, seed: int) -> Array:
    """are the numbers of some of n rows, drawn at random

    >>> drawn_rows(10, 3, 0).tolist()
    [2, 4, 6]
    """
    return np.sort(np.random.default_rng(seed).permutation(n)[:rows])


@dataclass(frozen=True)
class Number:
    """A column of numbers: its name, what it is standardized with, and what fills a gap."""

    name: str
    mean: float
    std: float
    fill: float | None

    @property
    def width(self) -> int:
        """How many columns of X it becomes."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """What the one column of X is called."""
        return (self.name,)


@dataclass(frozen=True)
class Words:
    """A column of words: its name, its categories in order, and which of them fills a gap."""

    name: str
    categories: tuple[str, ...]
    fill: str | None

    @property
    def width(self) -> int:
        """How many columns of X it becomes."""
        return len(self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of X are called, one for each category."""
        return tuple(f"{self.name}={category}" for category in self.categories)


@dataclass(frozen=True)
class Columns:
    """What a network remembers of the table that it was trained on.

    Attributes
    ----------
    columns : tuple of Number and Words
        In the order in which they make X.
    target : str
        The column that is predicted.
    scale : (mean, std) or None
        What turns a prediction into the target's own unit; None for classes.
    """

    columns: tuple[Number | Words, ...]
    target: str
    scale: tuple[float, float] | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of X."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """The columns of numbers."""
        return tuple(column for column in self.columns if isinstance(column, Number))

    @property
    def words(self) -> tuple[Words, ...]:
        """The columns of words."""
        return tuple(column for column in self.columns if isinstance(column, Words))

    @property
    def arrays(self) -> dict[str, Array]:
        """Mean, standard deviation and fill of all columns of numbers, each of shape (numbers,)."""
        fills = [np.nan if column.fill is None else column.fill for column in self.numbers]
        return {
            "column_mean": np.array([column.mean for column in self.numbers], dtype=np.float64),
            "column_std": np.array([column.std for column in self.numbers], dtype=np.float64),
            "column_fill": np.array(fills, dtype=np.float64),
        }

    @property
    def have_fills(self) -> bool:
        """Whether gaps among the numbers are filled."""
        return any(column.fill is not None for column in self.numbers)


def columns_in(stored: Mapping[str, Any] | None) -> Columns | None:
    """Read what ``Preprocessing.to_dict`` gave; None where a network has no table.

    Raises
    ------
    InputError
        For anything else that stands in ``network.preprocessing``.

    Examples
    --------
    >>> stored = {"columns": [{"kind": "number", "name": "age", "mean": 30.0, "std": 5.0, "fill": None}],
    ...           "target": {"task": "regression", "name": "price", "mean": 1.0, "std": 2.0}, "reason": ""}
    >>> columns_in(stored).numbers
    (Number(name='age', mean=30.0, std=5.0, fill=None),)
    """
    if stored is None:
        return None
    try:
        columns = tuple(column_in(column) for column in stored["columns"])
        target = stored["target"]
        is_number = target["task"] == "regression"
        scale = (number_in(target["mean"]), number_in(target["std"])) if is_number else None
        return Columns(columns, text_in(target["name"]), scale)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            "network.preprocessing holds something else than `Preprocessing.to_dict()` gives, so nobody can tell how "
            "a table becomes X. Set it to None, and give X as the network takes it."
        ) from error


def column_in(stored: Mapping[str, Any]) -> Number | Words:
    """Read one column."""
    name, fill = text_in(stored["name"]), stored["fill"]
    if stored["kind"] == "number":
        filling = None if fill is None else number_in(fill)
        return Number(name, number_in(stored["mean"]), number_in(stored["std"]), filling)
    categories = tuple(text_in(category) for category in stored["categories"])
    if fill is not None and fill not in categories:
        raise ValueError("a gap is filled with one of the categories")
    return Words(name, categories, fill)


def number_in(value: Any) -> float:
    """A finite number, and nothing that only looks like one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise ValueError("there should be a finite number")
    return float(value)


def text_in(value: Any) -> str:
    """Text, and nothing else."""
    if not isinstance(value, str):
        raise TypeError("there should be text")
    return value
