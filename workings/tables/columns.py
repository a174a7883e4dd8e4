"""Description of a table's columns, and the formulas that encode them.

Numbers are standardized, missing values are filled, categories are one-hot encoded, and predictions are converted
back to the target's unit.  Each formula is defined once here: tables compute it, scripts print it, and exported files
are generated from it.  ``Columns`` holds what a network needs to know about its table.  It encodes tables of any
library, and it reads and writes the stored form (``network.preprocessing``).
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import FileError, InputError, all_of, some, unknown_name
from workings.support.arrays import Array, Values, describe
from workings.support.conversion import as_array, is_arrow, refuse_lazy
from workings.support.json_values import JsonObject
from workings.support.keywords import CheckedKeywords
from workings.support.sparse import is_sparse
from workings.tables.dates import DatePart
from workings.tables.number_text import NumberFormat
from workings.tables.scaling import SCALING_WORDS, SCALINGS, STANDARD
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
from workings.tables.values import GAP, UNKNOWN, as_list, as_word, naming_lines, place_of, read_codes, read_numbers

PREDICT_FIX = "Fill the gaps, or train again with --impute (impute=True), so that the model knows how to fill them."


def filled(x: Values, fill: Values) -> Values:
    """are the values, with the fill value where one is missing"""
    return np.where(x == x, x, fill)  # a missing value is NaN, the only number that differs from itself


def missing(x: Values) -> Values:
    """is 1 where a value is missing, and 0 elsewhere"""
    return np.where(x == x, 0.0, 1.0)


def standard(x: Values, mean: Values, std: Values) -> Values:
    """are the values minus their mean, divided by their standard deviation"""
    return (x - mean) / std


def standardized(x: Array) -> Array:
    """Standardize each column to mean 0 and standard deviation 1; a constant column becomes 0.

    >>> standardized(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    spread = x.std(axis=0)
    numbers: Array = standard(x, x.mean(axis=0), np.where(spread > 0, spread, 1))
    return numbers


def log_likelihood_ratio(x: Values, mean: Values, std: Values) -> Values:
    """is the log-likelihood ratio of a Laplace density with this mean and scale to one with mean 0 and scale 1"""
    return np.abs(x) - np.abs(standard(x, mean, std)) - np.log(std)


def is_round(x: Values, error: Values) -> Values:
    """is whether a number has too few digits for chance, to within its error"""
    grain = 10.0 ** np.ceil(np.log10(np.maximum(10_000 * error, 1e-300)))
    return np.abs(x - grain * np.round(x / grain)) <= error


def original(p: Values, mean: Values, std: Values) -> Values:
    """is the prediction in the target's original unit"""
    return p * std + mean


def shuffled_rows(n: int, seed: int) -> Array:
    """are the indices of n rows in random order

    >>> shuffled_rows(4, 0).tolist()
    [2, 0, 1, 3]
    """
    return np.random.default_rng(seed).permutation(n)


@dataclass(frozen=True)
class NumberColumn(CheckedKeywords):
    """A numeric column, encoded as (x - mean) / std; true and false count as 1 and 0.

    With ``indicator``, it becomes a second column of X, which is 1 where a value is missing and 0 elsewhere.

    Parameters
    ----------
    name : str
        The column's name.
    mean, std : float
        Mean and standard deviation in the training table, after filling; ``std`` is 1 if all values were equal.
        With 0 and 1 the numbers are unchanged.  With robust scaling, the median and the interquartile range.
    fill : float or None
        Value for missing entries: the training table's median.  With None, missing values raise an error.
    form : NumberFormat or None
        How text in this column is written, such as $1,163.74; None for the usual way.
    indicator : bool
        Whether a second column of X marks the missing values; only with ``fill``.
    date : DatePart or None
        The part of a column of dates that this column holds, such as the month; None for a column of numbers.
    scaling : str
        How ``mean`` and ``std`` are learned: ``"standard"`` or ``"robust"``; see ``workings/tables/scaling.py``.
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float = 0.0
    std: float = 1.0
    fill: float | None = None
    form: NumberFormat | None = field(default=None, repr=False)
    indicator: bool = field(default=False, repr=False)
    date: DatePart | None = field(default=None, repr=False)
    scaling: str = field(default=STANDARD, repr=False)

    @property
    def source(self) -> str:
        """The name of the table's column that it reads."""
        return self.name if self.date is None else self.date.source

    @property
    def scaling_words(self) -> tuple[str, str]:
        """What ``mean`` and ``std`` are."""
        return SCALING_WORDS[self.scaling]

    @property
    def width(self) -> int:
        """The number of columns of X that this column becomes."""
        return 2 if self.indicator else 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the resulting columns of X."""
        return (self.name, f"{self.name} is missing") if self.indicator else (self.name,)

    def scaled(self, mean: float, std: float) -> NumberColumn:
        """Return this column followed by another standardization."""
        return replace(self, mean=float(original(mean, self.mean, self.std)), std=float(self.std * std))

    def filled(self, value: float) -> NumberColumn:
        """Return this column with a fill value, unless it has one; ``value`` is standardized."""
        return self if self.fill is not None else replace(self, fill=float(original(value, self.mean, self.std)))

    def read(self, values: object) -> Array:
        """Return the column of a table as float64, with NaN for missing values."""
        if self.date is not None:
            return self.date.read(values, marks=self.fill is not None)
        return read_numbers(values, self.name, marks=self.fill is not None, form=self.form)

    def gap_mask(self, values: object) -> Array:
        """Return a mask of the missing values of the column of a table."""
        return np.isnan(self.read(values))

    def gaps(self, x: Array) -> Array:
        """Return a mask of the missing values that are not filled."""
        return np.isnan(x) if self.fill is None else np.zeros(len(x), dtype=bool)

    def to_dict(self) -> JsonObject:
        """Return a dict that JSON can store."""
        plain = {"kind": self.kind, "name": self.name, "mean": self.mean, "std": self.std, "fill": self.fill}
        more: dict[str, Any] = {"indicator": True} if self.indicator else {}
        more |= {"date": self.date.to_dict()} if self.date else {}
        more |= {} if self.scaling == STANDARD else {"scaling": self.scaling}
        return {**plain, **format_entry(self.form), **more}

    @classmethod
    def from_dict(cls, stored: object) -> NumberColumn:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        stored, form = split_format(stored)
        usual = {"indicator": False, "date": None, "scaling": STANDARD}
        full = {**usual, **stored} if isinstance(stored, dict) else stored
        keys = ("kind", "name", "mean", "std", "fill", "indicator", "date", "scaling")
        _, name, mean, std, fill, indicator, date, scaling = stored_entries(full, keys)
        name = stored_word(name, "a column's name")
        if not isinstance(indicator, bool) or (indicator and fill is None):
            raise damaged(f"the indicator of {name!r}", "true or false, and true only with a fill value", indicator)
        if scaling not in SCALINGS:
            raise damaged(f"the scaling of {name!r}", f"one of {some(SCALINGS)}", scaling)
        return cls(
            name,
            stored_number(mean, f"the mean of {name!r}"),
            stored_spread(std, f"the std of {name!r}"),
            None if fill is None else stored_number(fill, f"the fill of {name!r}"),
            form,
            indicator,
            None if date is None else DatePart.from_dict(date),
            scaling,
        )


@dataclass(frozen=True)
class CategoryColumn(CheckedKeywords):
    """A categorical column, one-hot encoded: one column of X per category, 1 where it is the row's and 0 elsewhere.

    Parameters
    ----------
    name : str
        The column's name.
    categories : tuple of str
        The categories of the training table, in sorted order.
    fill : str or None
        Category for missing entries: the most frequent one.  With None, missing values raise an error.
    unknown : str
        What other categories become: ``"error"``, or ``"zeros"``, as missing values then do, too, without a ``fill``.
    """

    kind: ClassVar[str] = "category"
    name: str
    categories: tuple[str, ...]
    fill: str | None = None
    unknown: str = "error"

    @property
    def source(self) -> str:
        """The name of the table's column that it reads."""
        return self.name

    @property
    def width(self) -> int:
        """The number of columns of X that this column becomes."""
        return len(self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the resulting columns of X, one per category."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def read(self, values: object) -> Array:
        """Return each row's category as a number, ``GAP`` or ``UNKNOWN``."""
        return read_codes(values, self.name, self.categories, marks=self.fill is not None)

    def gap_mask(self, values: object) -> Array:
        """Return a mask of the missing values of the column of a table."""
        return np.asarray(self.read(values) == GAP)

    def gaps(self, codes: Array) -> Array:
        """Return a mask of the missing values that are not filled."""
        is_refused = self.fill is None and self.unknown == "error"
        return codes == GAP if is_refused else np.zeros(len(codes), dtype=bool)

    def to_dict(self) -> JsonObject:
        """Return a dict that JSON can store."""
        about: JsonObject = {
            "kind": self.kind,
            "name": self.name,
            "categories": list(self.categories),
            "fill": self.fill,
        }
        return about if self.unknown == "error" else {**about, "unknown": self.unknown}

    @classmethod
    def from_dict(cls, stored: object) -> CategoryColumn:
        """Read the result of ``to_dict``; raise FileError for anything else."""
        closed = {"unknown": "error", **stored} if isinstance(stored, dict) else stored
        keys = ("kind", "name", "categories", "fill", "unknown")
        _, name, categories, fill, unknown = stored_entries(closed, keys)
        name = stored_word(name, "a column's name")
        listed = stored_list(categories, f"the categories of {name!r}")
        words = tuple(stored_word(word, f"a category of {name!r}") for word in listed)
        if fill is not None and fill not in words:
            raise damaged(f"the fill of {name!r}", "one of its categories", fill)
        if unknown not in ("error", "zeros"):
            raise damaged(f"the unknown categories of {name!r}", "'error' or 'zeros'", unknown)
        return cls(name, words, fill, unknown)


def format_entry(form: NumberFormat | None) -> dict[str, Any]:
    """Return the entry of a number's format in a stored record; none for the usual format."""
    return {} if form is None else {"format": form.to_dict()}


def split_format(stored: object) -> tuple[object, NumberFormat | None]:
    """Return a stored record without its format, and the format; None if it has none."""
    if not isinstance(stored, dict) or "format" not in stored:
        return stored, None
    rest = {key: value for key, value in stored.items() if key != "format"}
    return rest, NumberFormat.from_dict(stored["format"])


Column = NumberColumn | CategoryColumn
COLUMN_KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn)}


@dataclass(frozen=True)
class Columns(CheckedKeywords):
    """The columns and the target's scale of the table that a network was trained on.

    Attributes
    ----------
    columns : tuple of NumberColumn and CategoryColumn
        In the order of the columns of X.
    target : str
        The target column.
    scale : (mean, std) or None
        Converts a prediction to the target's original unit; None for classes.
    target_form : NumberFormat or None
        How text in the target column is written; None for the usual way.
    array_width : int or None
        The number of columns of an array that is such a table, with the columns x0, x1 and so on; None if only
        tables with names are.
    """

    columns: tuple[Column, ...]
    target: str
    scale: tuple[float, float] | None
    target_form: NumberFormat | None = None
    array_width: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of X."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def numbers(self) -> tuple[NumberColumn, ...]:
        """The numeric columns."""
        return tuple(column for column in self.columns if isinstance(column, NumberColumn))

    @property
    def words(self) -> tuple[CategoryColumn, ...]:
        """The categorical columns."""
        return tuple(column for column in self.columns if isinstance(column, CategoryColumn))

    @property
    def arrays(self) -> dict[str, Array]:
        """The means, standard deviations and fill values of the numeric columns, each of shape (numbers,)."""
        fills = [np.nan if column.fill is None else column.fill for column in self.numbers]
        return {
            "column_mean": np.array([column.mean for column in self.numbers], dtype=np.float64),
            "column_std": np.array([column.std for column in self.numbers], dtype=np.float64),
            "column_fill": np.array(fills, dtype=np.float64),
        }

    @property
    def have_fills(self) -> bool:
        """Whether any numeric column fills missing values."""
        return any(column.fill is not None for column in self.numbers)

    @property
    def have_indicators(self) -> bool:
        """Whether any numeric column marks missing values."""
        return any(column.indicator for column in self.numbers)

    @property
    def width(self) -> int:
        """The number of columns of X."""
        return sum(column.width for column in self.columns)

    @property
    def are_unscaled(self) -> bool:
        """Whether X holds the numbers of the table's columns, in the order of an array's columns."""
        places = tuple(column.name for column in self.columns) == position_names(len(self.columns))
        plain = [isinstance(each, NumberColumn) and (each.mean, each.std) == (0.0, 1.0) for each in self.columns]
        return places and all(plain) and not self.have_indicators

    def named(self, X: object) -> Any:
        """Return an array with the columns of such a table as a table with names; anything else unchanged."""
        if self.array_width is None or is_sparse(X) or column_names(X):
            return X
        array = as_array(X, "X")
        if array.ndim != 2 or array.shape[1] != self.array_width:
            return X
        return dict(zip(position_names(self.array_width), array.T, strict=True))

    def features(self, numbers: Array, codes: Array, dtype: DTypeLike = np.float64) -> Array:
        """Encode numbers and category numbers as X, of shape (n, n_in); category -1 is a missing value."""
        mean, std, fill = (array.astype(dtype) for array in self.arrays.values())
        scaled = iter(standard(filled(numbers.astype(dtype, copy=False), fill), mean, std).T[:, :, None])
        given, coded = iter(numbers.T[:, :, None]), iter(codes.T[:, :, None])
        pieces = []
        for column in self.columns:
            if isinstance(column, CategoryColumn):
                pieces.append(category_indicators(next(coded), column))
                continue
            pieces.append(next(scaled))
            x = next(given)
            pieces += [missing(x)] if column.indicator else []
        return np.hstack(pieces).astype(dtype, copy=False)

    def is_near(self, X: Array, numbers: Array, codes: Array, dtype: DTypeLike) -> bool:
        """Return whether X equals ``features`` of these rows, up to the rounding of ``dtype``.

        The tolerance is eight roundings of the numbers that are subtracted, in standard deviations, because
        subtracting a large mean cancels digits.
        """
        exact = self.features(numbers, codes)
        mean, std, fill = self.arrays.values()
        error = np.zeros(exact.shape)
        error[:, self.number_places] = standard(np.abs(filled(numbers, fill)), -np.abs(mean), std)
        return X.shape == exact.shape and bool((np.abs(X - exact) <= 8 * np.finfo(dtype).eps * error).all())

    @property
    def number_places(self) -> list[int]:
        """The indices of the numeric columns of X."""
        starts = np.cumsum([0, *(column.width for column in self.columns)]).tolist()
        return [start for start, column in zip(starts, self.columns, strict=False) if isinstance(column, NumberColumn)]

    @naming_lines
    def encode(self, table: object, *, unknown: str = "error") -> Array:
        """Encode a table as X, of shape (n, n_in), float64.

        Parameters
        ----------
        table : dict, pandas, polars or Arrow table, or structured array
            n rows with every column; others are ignored.  For a table from ``read_table``, categories are compared
            with the text of the CSV file.
        unknown : str
            What to do with unknown categories: ``"error"``, or ``"ignore"``, which encodes them as zeros.

        Raises
        ------
        InputError
            For a missing column, text in a numeric column, infinities, unknown categories, and missing values that are
            not filled.

        Examples
        --------
        >>> columns = Columns((NumberColumn("age", 40.0, 10.0), CategoryColumn("code", ("007", "7"))), "y", None)
        >>> columns.encode({"age": [30, "55.5"], "code": ["007", 7]})
        array([[-1.  ,  1.  ,  0.  ],
               [ 1.55,  0.  ,  1.  ]])
        """
        if unknown not in ("error", "ignore"):
            raise unknown_name("value of unknown", unknown, ("error", "ignore"))
        values = values_in(table, self.columns)
        read = self.read(values)
        self.refuse_lengths(read)
        problems = [*self.gap_problems(read), *(self.unknown_problems(read, values) if unknown == "error" else [])]
        if problems:
            raise all_of(problems)
        numbers, codes = self.of_kind(NumberColumn, read), self.of_kind(CategoryColumn, read)
        with np.errstate(all="ignore"):
            X = self.features(numbers, codes)
        self.refuse_overflow(X, numbers)
        return X

    def read(self, values: Mapping[str, object]) -> list[Array]:
        """Read each column; one error lists all columns that cannot be read."""
        read: list[Array] = []
        problems: list[InputError] = []
        for column in self.columns:
            try:
                read.append(column.read(values[column.source]))
            except InputError as problem:
                if str(problem) not in map(str, problems):  # parts of one date
                    problems.append(problem)
        if problems:
            raise all_of(problems)
        return read

    def of_kind(self, kind: type[Column], read: Sequence[Array]) -> Array:
        """Stack the columns of one kind, of shape (n, columns)."""
        chosen = [values for values, column in zip(read, self.columns, strict=True) if isinstance(column, kind)]
        return np.array(chosen, dtype=None if chosen else np.int64).reshape(len(chosen), len(read[0])).T

    def refuse_lengths(self, read: Sequence[Array]) -> None:
        """Raise for columns of different lengths."""
        lengths = sorted({len(values) for values in read})
        if len(lengths) > 1:
            raise InputError(f"The table's columns have different lengths: {', '.join(map(str, lengths))}.")

    def gap_problems(self, read: Sequence[Array]) -> list[InputError]:
        """Return the error for missing values that are not filled, which names the first and counts all."""
        gaps = {
            column.source: found
            for column, values in zip(self.columns, read, strict=True)
            if (found := column.gaps(values)).any()
        }
        return [missing_values(gaps, PREDICT_FIX)] if gaps else []

    def unknown_problems(self, read: Sequence[Array], values: Mapping[str, object]) -> list[InputError]:
        """Return an error for each column with a category that was not in the training table."""
        problems = []
        for column, codes in zip(self.columns, read, strict=True):
            if not isinstance(column, CategoryColumn) or column.unknown != "error" or not (codes == UNKNOWN).any():
                continue
            row = int(np.flatnonzero(codes == UNKNOWN)[0])
            word = as_word(as_list(values[column.name])[row])
            problem = InputError(
                f"The category {word!r} in {place_of(row, column.name)} was not in the training table; known are "
                f"{some(column.categories)}. Correct it, train again with such rows, or encode it as zeros "
                f"(`workings predict --unknown ignore`)."
            )
            problems.append(problem)
        return problems

    def refuse_overflow(self, X: Array, numbers: Array) -> None:
        """Raise for numbers so far from the mean that standardizing them overflows."""
        if np.isfinite(X).all():
            return
        for column, place, x in zip(self.numbers, self.number_places, numbers.T, strict=True):
            if not np.isfinite(X[:, place]).all():
                row = int(np.flatnonzero(~np.isfinite(X[:, place]))[0])
                raise InputError(
                    f"The value {x[row]:g} in {place_of(row, column.name)} is too far from {column.mean:g} ± "
                    f"{column.std:g}."
                )

    def look_raw(self, X: Array) -> bool:
        """Return whether X holds raw values of the table instead of standardized ones.

        Raw values usually have few digits and standardized ones do not.  So each number is compared with its
        inverse-standardized value: the one with few digits is the raw one.  Where too few numbers decide that way,
        rows count as raw if, in the median, their likelihood under the table's distributions is at least 100 times
        their likelihood under standard ones.  If less than half of the numbers decide, the likelihoods must agree.
        """
        arrays = np.array(list(self.arrays.values()))
        is_scaled = (arrays[0] != 0) | (arrays[1] != 1)  # unscaled columns do not distinguish the two
        places, (mean, std, fill) = np.array(self.number_places, dtype=int)[is_scaled], arrays[:, is_scaled]
        eps = np.finfo(X.dtype).eps
        x = X[X.any(axis=1)][:, places].astype(np.float64)  # a row of zeros is ambiguous
        if not x.size:
            return False
        with np.errstate(all="ignore"):  # overflow of outliers needs no warning of its own
            undone = original(x, mean, std)
            error = 4 * eps * (np.abs(x * std) + np.abs(mean))
            own, theirs = is_round(x, 2 * eps * np.abs(x)), is_round(undone, error)
            log_ratio = np.median(log_likelihood_ratio(x, mean, std).sum(axis=1))
        # Fill values and constant columns may have few digits after standardization by coincidence.
        own &= ~(np.abs(undone - fill) <= error) & ~((x == 0) & (std == 1))
        raw, scaled = np.count_nonzero(own & ~theirs), np.count_nonzero(theirs & ~own)
        decided = (raw + scaled) / x.size
        if decided < MIN_DECIDED_SHARE:
            return bool(log_ratio > RAW_LOG_RATIO)
        return bool(raw > scaled and (decided >= CLEAR_SHARE or log_ratio > 0))

    def stored(self, classes: Sequence[object], reason: str) -> dict[str, Any]:
        """Return the dict for ``network.preprocessing``, which ``columns_in`` and ``Preprocessing.from_dict`` read."""
        mean, std = self.scale or (0.0, 1.0)
        about = {"classes": list(classes)} if len(classes) else {"mean": mean, "std": std}
        about |= format_entry(self.target_form)
        task = "classification" if len(classes) else "regression"
        columns = [column.to_dict() for column in self.columns]
        more = {} if self.array_width is None else {"array_width": self.array_width}
        return {"columns": columns, "target": {"task": task, "name": self.target, **about}, "reason": reason, **more}


RAW_LOG_RATIO = math.log(100)  # a likelihood ratio of 100 to 1
MOST_COLUMNS = 10**7  # of an array
POSITION_NAME = re.compile(r"x(0|[1-9]\d{0,6})")
MIN_DECIDED_SHARE = 0.1  # the share of numbers whose digits decide whether rows are standardized
CLEAR_SHARE = 0.5  # likewise, from which the digits decide alone


def position_names(count: int) -> tuple[str, ...]:
    """Return the names of the columns of an array.

    >>> position_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{place}" for place in range(count))


def column_names(table: object) -> tuple[object, ...]:
    """Return the column names of a dict, a pandas, polars or Arrow table, or a structured array.

    The result is empty for anything else, and for a table whose names are only the numbers of its columns.

    >>> column_names({"age": [30], "colour": ["red"]}), column_names(np.zeros((1, 2)))
    (('age', 'colour'), ())
    """
    refuse_lazy(table, "X")
    found = table if isinstance(table, Mapping) else getattr(getattr(table, "dtype", None), "names", None)
    if found is None:
        found = getattr(table, "column_names" if is_arrow(table) else "columns", None)
    names = () if found is None or callable(found) else tuple(found)
    return () if all(isinstance(name, numbers.Integral) for name in names) else names


def values_in(table: Any, columns: Sequence[Column]) -> dict[str, object]:
    """Return the values of some columns of a table; categories from a CSV file as the file's text."""
    names = column_names(table)
    wanted = list(dict.fromkeys(column.source for column in columns))
    refuse_absent(wanted, names)
    for name in wanted:
        if names.count(name) > 1:
            raise InputError(f"The table has two columns named {name!r}. Rename one, or leave it out.")
    text = getattr(table, "__dict__", {}).get("file_text")
    known = {} if text is None else text.model_columns(table, columns)
    values = {name: known.get(name, table[name]) for name in wanted}
    for name, given in values.items():
        if not hasattr(given, "__len__") or isinstance(given, (str, bytes, Mapping, Set)):
            raise InputError(
                f"Column {name!r} is {describe(given)}, but it must be a list with one value for each row."
            )
    return values


def refuse_absent(wanted: Iterable[str], names: Sequence[object]) -> None:
    """Raise for a table that lacks a column that the model was trained on."""
    absent = [name for name in wanted if name not in names]
    if absent:
        raise InputError(
            f"The table lacks {some([repr(name) for name in absent])}, which the model was trained on. "
            f"Its columns: {some(names) or 'none'}. Add the missing columns, or correct their names."
        )


def missing_values(gaps: Mapping[str, Array], fix: str) -> InputError:
    """Return the error for missing values, which names the first and counts all.

    >>> print(missing_values({"age": np.array([False, True])}, "Fill it in."))
    There is no value in row 2 (line 3 of a CSV file), column 'age'. Missing in all: 1 (age: 1). Fill it in.
    """
    name, first = next(iter(gaps.items()))
    counts = {name: int(np.count_nonzero(where)) for name, where in gaps.items()}
    listed = some([f"{name}: {count}" for name, count in counts.items()])
    place = place_of(int(np.flatnonzero(first)[0]), name)
    return InputError(f"There is no value in {place}. Missing in all: {sum(counts.values())} ({listed}). {fix}")


def category_indicators(codes: Array, column: CategoryColumn) -> Array:
    """One-hot encode category numbers as booleans; a missing value becomes the fill category."""
    filling = UNKNOWN if column.fill is None else column.categories.index(column.fill)
    return np.asarray(np.arange(column.width) == np.where(codes == GAP, filling, codes))


def columns_in(stored: Mapping[str, object] | None) -> Columns | None:
    """Read the columns from ``network.preprocessing``; None if the network has no table.

    Raises
    ------
    InputError
        If ``network.preprocessing`` does not hold the result of ``Preprocessing.to_dict``.

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
            "network.preprocessing does not hold the result of `Preprocessing.to_dict()`, so tables cannot be encoded. "
            "Set it to None, and pass X as an encoded array."
        ) from error


def read_stored(stored: object) -> tuple[Columns, tuple[object, ...], str]:
    """Read the stored form: the columns, the classes of the target (empty for numbers), and the reason for the task.

    Raises
    ------
    FileError
        For anything that ``Columns.stored`` cannot have written.
    """
    if isinstance(stored, dict):  # what a model keeps of its training rows is read by training_rows.py
        stored = {"array_width": None, **{key: value for key, value in stored.items() if key != "training"}}
    listed, target, reason, width = stored_entries(stored, ("columns", "target", "reason", "array_width"))
    columns = tuple(
        stored_kind(column, "kind", COLUMN_KINDS).from_dict(column) for column in stored_list(listed, "the columns")
    )
    if not isinstance(reason, str):
        raise damaged("the reason", "text", reason)
    target, form = split_format(target)
    name, classes, scale = stored_kind(target, "task", TARGET_TASKS)(target)
    found = Columns(columns, name, scale, form, stored_array_width(width, columns))
    return found, classes, reason


def stored_array_width(width: object, columns: Sequence[Column]) -> int | None:
    """Return a stored number of columns of an array, which has all columns; None for a table with names."""
    if width is None:
        return None
    places = [POSITION_NAME.fullmatch(column.source) for column in columns]
    if type(width) is not int or not all(
        place is not None and int(place[1]) < width <= MOST_COLUMNS for place in places
    ):
        raise damaged("the array's width", "above the number of each column, such as x0", str(width))
    return width


def stored_classes(stored: object) -> tuple[str, tuple[object, ...], None]:
    """Return the name and the classes of a stored classification target."""
    _, name, classes = stored_entries(stored, ("task", "name", "classes"))
    labels = tuple(stored_label(label) for label in stored_list(classes, "the classes"))
    return stored_word(name, "the target's name"), labels, None


def stored_scale(stored: object) -> tuple[str, tuple[object, ...], tuple[float, float]]:
    """Return the name, the mean and the standard deviation of a stored regression target."""
    _, name, mean, std = stored_entries(stored, ("task", "name", "mean", "std"))
    scale = stored_number(mean, "the target's mean"), stored_spread(std, "the target's std")
    return stored_word(name, "the target's name"), (), scale


TARGET_TASKS = {"classification": stored_classes, "regression": stored_scale}
