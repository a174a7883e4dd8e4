"""Columns: the one description of a table's columns, and the arithmetic between them and a network's numbers.

Numbers are standardized, gaps are filled, words become one column for each category, and a prediction is turned back
into the unit of the table.  Each formula stands here once: tables run it, scripts print it, exported files are written
from it.  ``Columns`` is what a network remembers of its table.  It encodes tables of any kind, and it reads and writes
the stored form (``network.preprocessing``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import FileError, InputError, some, unknown_name
from workings.support.arrays import Array, Values
from workings.tables.schema import (
    damaged,
    stored_entries,
    stored_kind,
    stored_label,
    stored_list,
    stored_number,
    stored_spread,
    stored_word,
)
from workings.tables.values import GAP, UNKNOWN, as_list, place_of, read_codes, read_numbers, spellings

PREDICT_FIX = "Fill the gaps, or train again with --impute (impute=True), so that the model knows how to fill them."


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
class NumberColumn:
    """A column of numbers, or of true and false as 1 and 0: it becomes (x - mean) / std.

    Parameters
    ----------
    name : str
        The column.
    mean, std : float
        Of the training table, gaps filled; ``std`` is 1 if all values were equal.  With 0 and 1 the numbers stay
        as they are.
    fill : float or None
        What stands for a gap: the training table's median.  None refuses gaps.
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float = 0.0
    std: float = 1.0
    fill: float | None = None

    @property
    def width(self) -> int:
        """How many columns of X it becomes."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """What the one column of X is called."""
        return (self.name,)

    def scaled(self, mean: float, std: float) -> NumberColumn:
        """The same, standardized once more."""
        return replace(self, mean=float(original(mean, self.mean, self.std)), std=float(self.std * std))

    def filled(self, value: float) -> NumberColumn:
        """The same with its gaps filled, if they are not yet; the value is a standardized one."""
        return self if self.fill is not None else replace(self, fill=float(original(value, self.mean, self.std)))

    def read(self, values: Any) -> Array:
        """The column of a table as float64, with NaN for a gap."""
        return read_numbers(values, self.name, marks=self.fill is not None)

    def gaps(self, x: Array) -> Array:
        """Which of the values that were read are gaps that nothing fills."""
        return np.isnan(x) if self.fill is None else np.zeros(len(x), dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, stored: object) -> NumberColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, mean, std, fill = stored_entries(stored, ("kind", "name", "mean", "std", "fill"))
        name = stored_word(name, "a column's name")
        return cls(
            name,
            stored_number(mean, f"the mean of {name!r}"),
            stored_spread(std, f"the std of {name!r}"),
            None if fill is None else stored_number(fill, f"the fill of {name!r}"),
        )


@dataclass(frozen=True)
class CategoryColumn:
    """A column of words: it becomes one column for each word, 1 where it stands and 0 elsewhere.

    Parameters
    ----------
    name : str
        The column.
    categories : tuple of str
        The words of the training table, in sorted order.
    fill : str or None
        What stands for a gap: the most frequent category.  None refuses gaps.
    """

    kind: ClassVar[str] = "category"
    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    @property
    def width(self) -> int:
        """How many columns of X it becomes."""
        return len(self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of X are called, one for each category."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def read(self, values: Any) -> Array:
        """For each row of a table which category it is, ``GAP``, or ``UNKNOWN``."""
        return read_codes(values, self.name, self.categories, marks=self.fill is not None)

    def gaps(self, codes: Array) -> Array:
        """Which of the values that were read are gaps that nothing fills."""
        return codes == GAP if self.fill is None else np.zeros(len(codes), dtype=bool)

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories), "fill": self.fill}

    @classmethod
    def from_dict(cls, stored: object) -> CategoryColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, categories, fill = stored_entries(stored, ("kind", "name", "categories", "fill"))
        name = stored_word(name, "a column's name")
        listed = stored_list(categories, f"the categories of {name!r}")
        words = tuple(stored_word(word, f"a category of {name!r}") for word in listed)
        if fill is not None and fill not in words:
            raise damaged(f"the fill of {name!r}", "one of its categories", fill)
        return cls(name, words, fill)


Column = NumberColumn | CategoryColumn
COLUMN_KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn)}
Number, Words = NumberColumn, CategoryColumn  # shorter names of the same two classes


@dataclass(frozen=True)
class Columns:
    """What a network remembers of the table that it was trained on.

    Attributes
    ----------
    columns : tuple of NumberColumn and CategoryColumn
        In the order in which they make X.
    target : str
        The column that is predicted.
    scale : (mean, std) or None
        What turns a prediction into the target's own unit; None for classes.
    """

    columns: tuple[Column, ...]
    target: str
    scale: tuple[float, float] | None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of X."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def numbers(self) -> tuple[NumberColumn, ...]:
        """The columns of numbers."""
        return tuple(column for column in self.columns if isinstance(column, NumberColumn))

    @property
    def words(self) -> tuple[CategoryColumn, ...]:
        """The columns of words."""
        return tuple(column for column in self.columns if isinstance(column, CategoryColumn))

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
            next(scaled) if isinstance(column, NumberColumn) else one_of(next(coded), column) for column in self.columns
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
        return [start for start, column in zip(starts, self.columns, strict=False) if isinstance(column, NumberColumn)]

    def encode(self, table: Any, *, unknown: str = "error") -> Array:
        """X, of shape (n, n_in), float64, for a table of any kind that gives its own columns by name.

        Parameters
        ----------
        table : dict, pandas or polars table, or structured array
            n rows, with every column; others are ignored.  Of a table that ``read_table`` read from a CSV file, words
            are the text that stands in the file.
        unknown : str
            For a word that is not among the categories: ``"error"`` or ``"ignore"``, which gives zeros for all of them.

        Raises
        ------
        InputError
            For a missing column, text among numbers, infinities, unknown words, and gaps that nothing fills.

        Examples
        --------
        >>> columns = Columns((NumberColumn("age", 40.0, 10.0), CategoryColumn("code", ("007", "7"))), "y", None)
        >>> columns.encode({"age": [30, "55.5"], "code": ["007", 7]})
        array([[-1.  ,  1.  ,  0.  ],
               [ 1.55,  0.  ,  1.  ]])
        """
        if unknown not in ("error", "ignore"):
            raise unknown_name("way with unknown categories", unknown, ("error", "ignore"))
        values = values_in(table, self.columns)
        read = [column.read(values[column.name]) for column in self.columns]
        self.refuse_lengths(read)
        self.refuse_gaps(read)
        if unknown == "error":
            self.refuse_unknown(read, values)
        numbers, codes = self.of_kind(NumberColumn, read), self.of_kind(CategoryColumn, read)
        with np.errstate(all="ignore"):
            X = self.features(numbers, codes)
        self.refuse_far(X, numbers)
        return X

    def of_kind(self, kind: type[Column], read: Sequence[Array]) -> Array:
        """The columns of one kind side by side, of shape (n, columns)."""
        chosen = [values for values, column in zip(read, self.columns, strict=True) if isinstance(column, kind)]
        return np.array(chosen, dtype=None if chosen else np.int64).reshape(len(chosen), len(read[0])).T

    def refuse_lengths(self, read: Sequence[Array]) -> None:
        """Refuse columns of different lengths."""
        lengths = sorted({len(values) for values in read})
        if len(lengths) > 1:
            raise InputError(f"The table's columns have different lengths: {', '.join(map(str, lengths))}.")

    def refuse_gaps(self, read: Sequence[Array]) -> None:
        """Refuse gaps that nothing fills: name the first, and count all."""
        gaps = {
            column.name: found
            for column, values in zip(self.columns, read, strict=True) if (found := column.gaps(values)).any()
        }  # fmt: skip
        if gaps:
            raise missing_values(gaps, PREDICT_FIX)

    def refuse_unknown(self, read: Sequence[Array], values: Mapping[str, Any]) -> None:
        """Refuse words that were not in the training table."""
        for column, codes in zip(self.columns, read, strict=True):
            if not isinstance(column, CategoryColumn) or not (codes == UNKNOWN).any():
                continue
            row = int(np.flatnonzero(codes == UNKNOWN)[0])
            word = spellings(as_list(values[column.name])[row])[0].strip()
            raise InputError(
                f"The category {word!r} in {place_of(row, column.name)} was not in the training table; known are "
                f"{some(column.categories)}. Correct it, train again with such rows, or let it be all zeros "
                f"(`workings predict --unknown ignore`)."
            )

    def refuse_far(self, X: Array, numbers: Array) -> None:
        """Refuse numbers so far from the mean that standardizing them overflows."""
        for column, place, x in zip(self.numbers, self.number_places, numbers.T, strict=True):
            if not np.isfinite(X[:, place]).all():
                row = int(np.flatnonzero(~np.isfinite(X[:, place]))[0])
                raise InputError(
                    f"The value {x[row]:g} in {place_of(row, column.name)} is too far from {column.mean:g} ± "
                    f"{column.std:g}."
                )

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
        """What stands in ``network.preprocessing``: what ``columns_in`` and ``Preprocessing.from_dict`` read."""
        mean, std = self.scale or (0.0, 1.0)
        about = {"classes": list(classes)} if len(classes) else {"mean": mean, "std": std}
        task = "classification" if len(classes) else "regression"
        columns = [column.to_dict() for column in self.columns]
        return {"columns": columns, "target": {"task": task, "name": self.target, **about}, "reason": reason}


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


def values_in(table: Any, columns: Sequence[Column]) -> dict[str, Any]:
    """The values of some columns of a table; words of a CSV file as the text that stands there."""
    refuse_absent((column.name for column in columns), column_names(table))
    text = getattr(table, "__dict__", {}).get("file_text")
    known = {} if text is None else text.known(table, columns)
    return {column.name: known.get(column.name, table[column.name]) for column in columns}


def refuse_absent(wanted: Iterable[str], names: Sequence[str]) -> None:
    """Refuse a table that lacks a column that the model was trained on."""
    absent = [name for name in wanted if name not in names]
    if absent:
        raise InputError(
            f"The table lacks {some([repr(name) for name in absent])}, which the model was trained on. "
            f"The columns that arrived: {some(names) or 'none'}. Add what is missing, or correct its name."
        )


def missing_values(gaps: Mapping[str, Array], fix: str) -> InputError:
    """Make the error for missing values: it names the first, and counts all.

    >>> print(missing_values({"age": np.array([False, True])}, "Fill it in."))
    There is no value in row 2 (line 3 of a CSV file), column 'age'. Missing in all: 1 (age: 1). Fill it in.
    """
    name, first = next(iter(gaps.items()))
    counts = {name: int(np.count_nonzero(where)) for name, where in gaps.items()}
    listed = some([f"{name}: {count}" for name, count in counts.items()])
    place = place_of(int(np.flatnonzero(first)[0]), name)
    return InputError(f"There is no value in {place}. Missing in all: {sum(counts.values())} ({listed}). {fix}")


def one_of(codes: Array, column: CategoryColumn) -> Array:
    """One column for each category, true where it is the row's; a gap is what fills it."""
    filling = UNKNOWN if column.fill is None else column.categories.index(column.fill)
    return np.asarray(np.arange(column.width) == np.where(codes == GAP, filling, codes))


def columns_in(stored: Mapping[str, Any] | None) -> Columns | None:
    """Read what ``Columns.stored`` or ``Preprocessing.to_dict`` gave; None where a network has no table.

    Raises
    ------
    InputError
        For anything else that stands in ``network.preprocessing``.

    Examples
    --------
    >>> stored = {"columns": [{"kind": "number", "name": "age", "mean": 30.0, "std": 5.0, "fill": None}],
    ...           "target": {"task": "regression", "name": "price", "mean": 1.0, "std": 2.0}, "reason": ""}
    >>> columns_in(stored).numbers
    (NumberColumn(name='age', mean=30.0, std=5.0, fill=None),)
    """
    if stored is None:
        return None
    try:
        return read_stored(stored)[0]
    except FileError as error:
        raise InputError(
            "network.preprocessing holds something else than `Preprocessing.to_dict()` gives, so nobody can tell how "
            "a table becomes X. Set it to None, and give X as the network takes it."
        ) from error


def read_stored(stored: object) -> tuple[Columns, tuple[Any, ...], str]:
    """Read the stored form of columns: the columns, the classes of the target (none of numbers), and the reason.

    Raises
    ------
    FileError
        For anything that ``Columns.stored`` cannot have written.
    """
    listed, target, reason = stored_entries(stored, ("columns", "target", "reason"))
    columns = tuple(
        stored_kind(column, "kind", COLUMN_KINDS).from_dict(column) for column in stored_list(listed, "the columns")
    )
    if not isinstance(reason, str):
        raise damaged("the reason", "text", reason)
    name, classes, scale = stored_kind(target, "task", TARGET_TASKS)(target)
    return Columns(columns, name, scale), classes, reason


def stored_classes(stored: object) -> tuple[str, tuple[Any, ...], None]:
    """The name and the classes of a stored target."""
    _, name, classes = stored_entries(stored, ("task", "name", "classes"))
    labels = tuple(stored_label(label) for label in stored_list(classes, "the classes"))
    return stored_word(name, "the target's name"), labels, None


def stored_scale(stored: object) -> tuple[str, tuple[Any, ...], tuple[float, float]]:
    """The name of a stored target of numbers, its mean and its standard deviation."""
    _, name, mean, std = stored_entries(stored, ("task", "name", "mean", "std"))
    scale = stored_number(mean, "the target's mean"), stored_spread(std, "the target's std")
    return stored_word(name, "the target's name"), (), scale


TARGET_TASKS = {"classification": stored_classes, "regression": stored_scale}
