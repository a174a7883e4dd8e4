"""Columns: the arithmetic between a table's own columns and the numbers that a network takes and gives.

Numbers are standardized, gaps are filled, and what is predicted is turned back into the unit of the table.  Each
formula stands here once: tables run it, scripts print it, exported files are written from it.  ``Columns`` is the
short form in which a network remembers its table, for those who cannot or need not read tables themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import InputError
from workings.support.arrays import Array, Values


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


def likelier(x: Values, mean: Values, std: Values) -> Values:
    """is by how much likelier x is with this mean and spread than with 0 and 1, as a logarithm (Laplace's density)"""
    return np.abs(x) - np.abs(standard(x, mean, std)) - np.log(std)


def is_round(x: Values, error: Values) -> Values:
    """is whether a number has so few digits that it hardly has them by chance, to within its error"""
    grain = 10.0 ** np.ceil(np.log10(np.maximum(10_000 * error, 1e-300)))
    return np.abs(x - grain * np.round(x / grain)) <= error


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

    @property
    def width(self) -> int:
        """How many columns X has."""
        return sum(column.width for column in self.columns)

    def features(self, numbers: Array, codes: Array, dtype: DTypeLike = np.float64) -> Array:
        """X, of shape (n, n_in), for rows of numbers and of categories counted from 0, where -1 is a gap."""
        mean, std, fill = (array.astype(dtype) for array in self.arrays.values())
        scaled = iter(standard(filled(numbers.astype(dtype), fill), mean, std).T[:, :, None])
        coded = iter(codes.T[:, :, None])
        pieces = [
            one_of(next(coded), column) if isinstance(column, Words) else next(scaled) for column in self.columns
        ]  # fmt: skip
        return np.hstack(pieces).astype(dtype)

    def is_near(self, X: Array, numbers: Array, codes: Array, dtype: DTypeLike) -> bool:
        """Whether X is ``features`` of these rows, computed in some precision, in whatever order.

        Eight roundings of the numbers that are subtracted, in standard deviations: a large mean takes digits away.
        """
        exact = self.features(numbers, codes)
        mean, std, fill = self.arrays.values()
        error = np.zeros(exact.shape)
        error[:, self.number_places] = standard(np.abs(filled(numbers, fill)), -np.abs(mean), std)
        return X.shape == exact.shape and bool((np.abs(X - exact) <= 8 * np.finfo(dtype).eps * error).all())

    @property
    def number_places(self) -> list[int]:
        """Which columns of X are numbers."""
        starts = np.cumsum([0, *(column.width for column in self.columns)]).tolist()
        return [start for start, column in zip(starts, self.columns, strict=False) if isinstance(column, Number)]

    def of_table(self, table: Any) -> Array:
        """X, of shape (n, n_in), for a table that gives each of its own columns by name.

        Raises
        ------
        InputError
            For a column that is missing or holds what it should not, a gap that nothing fills, and an unknown word.
        """
        missing = [column.name for column in self.columns if column.name not in column_names(table)]
        if missing:
            known = ", ".join(column.name for column in self.columns)
            raise InputError(f"The table has no column {missing[0]!r}; this network takes the columns {known}.")
        numbers = [numbers_in(table[column.name], column) for column in self.numbers]
        codes = [codes_in(table[column.name], column) for column in self.words]
        lengths = {len(values) for values in (*numbers, *codes)}
        if len(lengths) > 1:
            raise InputError(f"The table's columns have different lengths: {', '.join(map(str, sorted(lengths)))}.")
        (rows,) = lengths
        return self.features(np.array(numbers).reshape(-1, rows).T, np.array(codes, dtype=np.int64).reshape(-1, rows).T)

    def look_raw(self, X: Array) -> bool:
        """Whether rows of X hold a table's own numbers, and not standardized ones.

        A table's own numbers have few digits, and hardly any standardized one has.  So what counts is which of the
        two has few digits, the number or what it is without standardizing; where neither is so, in measurements with
        all their digits, whether most rows are far likelier as they are than as standardized ones.
        """
        arrays = np.array(list(self.arrays.values()))
        is_scaled = (arrays[0] != 0) | (arrays[1] != 1)  # what is taken as it is tells nothing
        places, (mean, std, fill) = np.array(self.number_places, dtype=int)[is_scaled], arrays[:, is_scaled]
        eps = np.finfo(X.dtype).eps
        x = X[X.any(axis=1)][:, places].astype(np.float64)  # all zeros are the average row, or one without anything
        if not x.size:
            return False
        with np.errstate(all="ignore"):  # numbers that are far out are no reason for another warning
            undone = original(x, mean, std)
            error = 4 * eps * (np.abs(x * std) + np.abs(mean))
            own, theirs = is_round(x, 2 * eps * np.abs(x)), is_round(undone, error)
            far_likelier = np.median(likelier(x, mean, std).sum(axis=1)) > FAR_LIKELIER
        # What fills a gap, and a column that never changes, are standardized to few digits by chance.
        own &= ~(np.abs(undone - fill) <= error) & ~((x == 0) & (std == 1))
        raw, scaled = np.count_nonzero(own & ~theirs), np.count_nonzero(theirs & ~own)
        return bool(raw > scaled if raw + scaled >= ENOUGH * x.size else far_likelier)

    def stored(self, classes: Sequence[Any], reason: str) -> dict[str, Any]:
        """What stands in ``network.preprocessing``: what ``columns_in`` reads."""
        columns = [{"kind": KINDS[type(column)], **asdict(column)} for column in self.columns]
        for column in columns:
            column |= {"categories": list(column["categories"])} if "categories" in column else {}
        mean, std = self.scale or (0.0, 1.0)
        about = {"classes": list(classes)} if len(classes) else {"mean": mean, "std": std}
        task = "classification" if len(classes) else "regression"
        return {"columns": columns, "target": {"task": task, "name": self.target, **about}, "reason": reason}


KINDS: dict[type, str] = {Number: "number", Words: "category"}


FAR_LIKELIER = math.log(100)  # for 100 to 1
ENOUGH = 0.1  # the share of numbers whose digits decide whether rows are standardized


def column_names(table: Any) -> tuple[str, ...]:
    """The names of a table's columns: of a dict, a pandas or polars table, a structured array; none of anything else.

    >>> column_names({"age": [30], "colour": ["red"]}), column_names(np.zeros((1, 2)))
    (('age', 'colour'), ())
    """
    if isinstance(table, Mapping):
        return tuple(table)
    names = getattr(getattr(table, "dtype", None), "names", None)
    found = getattr(table, "columns", None) if names is None else names
    known = () if found is None or callable(found) else tuple(found)
    return known if all(isinstance(name, str) for name in known) else ()


def numbers_in(values: Any, column: Number) -> Array:
    """A table's column of numbers as float64, with NaN for a gap."""
    try:
        x = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"The column {column.name!r} must hold numbers: {error}.") from error
    wrong = np.isinf(x) if column.fill is not None else ~np.isfinite(x)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(f"The column {column.name!r} has {x[row]} at row {row}. Fill it in, or remove the row.")
    return x


def codes_in(values: Any, column: Words) -> Array:
    """For each row of a table's column of words which category it is; -1 for a gap that is filled."""
    known = {category: code for code, category in enumerate(column.categories)} | ({"": -1} if column.fill else {})
    texts = [word_of(value) for value in values]
    for row, text in enumerate(texts):
        if text not in known:
            what = f"the category {text!r}, which was not in the training table" if text else "a gap"
            words = ", ".join(column.categories[:8]) + (", …" if column.width > 8 else "")
            raise InputError(f"The column {column.name!r} has {what}, at row {row}. Known are {words}.")
    return np.array([known[text] for text in texts], dtype=np.int64)


def word_of(value: Any) -> str:
    """A value of a column of categories as a word; empty for a gap.

    >>> word_of(" red "), word_of(4.0), word_of(None), word_of(float("nan"))
    ('red', '4', '', '')
    """
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def one_of(codes: Array, column: Words) -> Array:
    """One column for each category, true where it is the row's; a gap is what fills it."""
    filling = -1 if column.fill is None else column.categories.index(column.fill)
    known = np.array([[code if code >= 0 else filling] for code in codes[:, 0].tolist()])
    return np.asarray(np.arange(column.width) == known)


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
