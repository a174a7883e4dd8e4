"""Tables: CSV and Parquet files to arrays, and back.

A network takes an array of numbers; people have files with ages, colours and gaps.  ``read_table``
and ``write_table`` are the way in and out.  ``Preprocessing`` learns from the training table how
each column becomes numbers (numbers are standardized, categories become one column for each value)
and does exactly the same to every later table, so it is stored together with the network.  What
cannot be understood is refused with its row, its column and a remedy; a gap is filled only when
that was asked for.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from workings.arrays import Array
from workings.columns import original, standard
from workings.errors import FileError, InputError, MissingExtraError, unknown_name
from workings.separated import GAP_MARKS, first_fields, separator_of
from workings.writing import write_bytes

if TYPE_CHECKING:
    import polars as pl

TASKS = ("auto", "classification", "regression")
MANY_CATEGORIES = 50  # a text column beyond this whose values hardly repeat is a name, not a category
MOST_CATEGORIES = 1000  # beyond this, one column for each value would drown the network
MISSING_MARKS = ("na", "n/a", "nan", "null", "none", "nil", "?", "-", "--", ".")
TRAIN_FIX = (
    "Fill the gaps, remove those rows, or use --impute (impute=True), which fills numbers with the column's "
    "median and categories with the most frequent one."
)
PREDICT_FIX = "Fill the gaps, or train again with --impute (impute=True), so that the model knows how to fill them."


def load_polars() -> ModuleType:
    """Import polars, or say which extra brings it."""
    try:
        import polars
    except ImportError as error:
        raise MissingExtraError("polars", "cli") from error
    return polars


# -- files ---------------------------------------------------------------------------------


def read_table(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a CSV or Parquet file as a table with named, typed columns.

    The type of a CSV column follows from all of its values.  Its separator (comma, semicolon or
    tab) is the one that divides the header line into the most names; in a file with semicolons a
    decimal comma is understood.  Blanks around names and numbers do not matter.

    Parameters
    ----------
    path : str or path
        A file in UTF-8 whose name ends in .csv, .tsv or .txt, with a header line; or in .parquet.

    Returns
    -------
    polars.DataFrame
        n rows, one column for each name.

    Raises
    ------
    FileError
        For a file that is missing, empty, damaged, of an unknown kind, not UTF-8, or whose rows
        differ in length.
    InputError
        If a column has no name, two have the same one, or there are no rows.
    MissingExtraError
        If polars is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "fruit.csv")
    ...     _ = path.write_text("colour;weight\\nred;150\\ngreen;7,5\\n")
    ...     read_table(path).rows()
    [('red', 150.0), ('green', 7.5)]
    """
    path = Path(path)
    read = READERS[known_suffix(path)]
    frame = read(file_bytes(path), path)
    refuse_names(frame.columns, path)
    if frame.height == 0:
        raise InputError(f"'{path}' has column names ({some(frame.columns)}) but no rows. Add at least one.")
    return frame


def write_table(frame: pl.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as CSV or Parquet, as the end of the name says; all of it or nothing.

    Parameters
    ----------
    frame : polars.DataFrame
        The table.
    path : str or path
        Ends in .csv or .txt (commas), .tsv (tabs) or .parquet.  A file of that name is replaced.

    Raises
    ------
    FileError
        If the folder cannot be written, or the kind of file is unknown or cannot hold the table.
        The old file, if there was one, is then still there.

    Examples
    --------
    >>> import tempfile, polars
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "out.csv")
    ...     write_table(polars.DataFrame({"prediction": ["red", "green"]}), path)
    ...     path.read_text()
    'prediction\\nred\\ngreen\\n'
    """
    path = Path(path)
    write = WRITERS[known_suffix(path)]
    errors = load_polars().exceptions
    content = io.BytesIO()
    try:
        write(frame, content)
    except errors.PolarsError as error:
        raise FileError(f"'{path}' cannot hold this table: {error}. Choose another kind of file.") from error
    write_bytes(path, content.getvalue())


def known_suffix(path: Path) -> str:
    """Give the end of a file's name, which says what is in it."""
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise FileError(f"'{path}' ends in {suffix!r}, but a table is a file in {', '.join(READERS)}. Save it as CSV.")
    return suffix


def file_bytes(path: Path) -> bytes:
    """Read a whole file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"There is no file '{path}'. Check the name and the folder.") from error
    except (OSError, ValueError) as error:
        raise FileError(f"'{path}' cannot be read: {error}.") from error
    if not content.strip(b"\r\n\t \xef\xbb\xbf"):
        raise FileError(f"'{path}' is empty: a table has a line of column names and at least one row.")
    return content


def read_parquet(content: bytes, path: Path) -> pl.DataFrame:
    """Read the content of a Parquet file."""
    polars = load_polars()
    try:
        frame: pl.DataFrame = polars.read_parquet(io.BytesIO(content))
    except (Exception, polars.exceptions.PanicException) as error:  # damage can surface as anything
        raise FileError(
            f"'{path}' is not a readable Parquet file: {first_line(error)}. Write or copy it again."
        ) from error
    return frame


def read_separated(content: bytes, path: Path) -> pl.DataFrame:
    """Read the content of a CSV file."""
    polars = load_polars()
    text = decoded(content, path)
    names, separator = read_header(text, path)
    text = text.rstrip("\r\n") + "\n" if len(names) > 1 else text  # in a single column, an empty line is a gap
    n = count_rows(text, separator, len(names), path)
    try:
        frame: pl.DataFrame = polars.read_csv(
            text.encode(), separator=separator, infer_schema_length=None, try_parse_dates=True
        )
    except polars.exceptions.PolarsError as error:
        raise FileError(f"'{path}' is not a readable CSV file: {first_line(error)}. Check its quotes.") from error
    if frame.height != n:
        raise FileError(
            f"'{path}' has {n} rows or {frame.height}, as one reads its quotes and line ends. Save it again."
        )
    frame.columns = names
    return frame.with_columns([retyped(column, separator) for column in frame if column.dtype == polars.String])


READERS: dict[str, Callable[[bytes, Path], pl.DataFrame]] = {
    ".csv": read_separated,
    ".tsv": read_separated,
    ".txt": read_separated,
    ".parquet": read_parquet,
}

WRITERS: dict[str, Callable[[pl.DataFrame, io.BytesIO], None]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    ".txt": lambda frame, file: frame.write_csv(file),
    ".parquet": lambda frame, file: frame.write_parquet(file),
}


def decoded(content: bytes, path: Path) -> str:
    """Decode UTF-8, with or without the mark that spreadsheets put in front."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(
            f"'{path}' is not UTF-8 text: byte {content[error.start]:#04x} in line {line}. Save it as 'CSV UTF-8'."
        ) from error


def read_header(text: str, path: Path) -> tuple[list[str], str]:
    """Give the column names, and the separator: the one that finds the most names.

    >>> read_header("a;'b,c';d\\n1;2;3\\n", Path("t.csv"))
    (['a', "'b,c'", 'd'], ';')
    """
    try:
        separator = separator_of(text)
        names = [name.strip() for name in first_fields(text, separator)]
    except csv.Error as error:
        raise FileError(f"'{path}' is not readable in its first line: {error}. Check the quotes there.") from error
    if not names:
        raise FileError(f"The first line of '{path}' is empty, but must hold the column names. Remove it.")
    refuse_names(names, path)
    return names, separator


def count_rows(text: str, separator: str, width: int, path: Path) -> int:
    """Count the rows below the header; refuse one that is not ``width`` values long."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    n = -1
    try:
        for row in rows:
            if len(row) != width and (row or width > 1):
                raise FileError(
                    f"'{path}' has {plural(len(row), 'value')} in line {rows.line_num}, but {width} column names. "
                    f"Give every line one value for each column; a value with {separator!r} in it needs quotes."
                )
            n += 1
    except csv.Error as error:
        raise FileError(
            f"'{path}' is not readable in line {rows.line_num}: {error}. Check the quotes there."
        ) from error
    return n


def refuse_names(names: Sequence[str], path: Path) -> None:
    """Refuse columns without a name and names that come twice."""
    for index, name in enumerate(names, start=1):
        if not name.strip():
            raise InputError(
                f"Column {index} of '{path}' has no name. Name it in the first line, or leave it out: "
                f"pandas writes no such column with to_csv(..., index=False)."
            )
        if name in names[: index - 1]:
            raise InputError(f"'{path}' has two columns named {name!r}. Rename one; or is the line of names missing?")


def retyped(column: pl.Series, separator: str) -> pl.Series:
    """Give text that is numbers throughout, such as ' 2', '+2', '.5' or '2,5' beside semicolons, as numbers."""
    polars = load_polars()
    texts = with_gaps(column)
    if separator == ";":
        texts = texts.str.replace(",", ".", literal=True)
    for dtype in (polars.Int64, polars.Float64):
        numbers: pl.Series = texts.cast(dtype, strict=False)
        if numbers.null_count() == texts.null_count() < len(texts):
            return numbers
    return column


# -- what a column holds -------------------------------------------------------------------


def is_text(column: pl.Series) -> bool:
    """Whether a column holds words."""
    polars = load_polars()
    return column.dtype in (polars.String, polars.Categorical, polars.Enum)


def with_gaps(column: pl.Series) -> pl.Series:
    """Give a column with null for every missing value (NaN, empty text) and no blanks around text."""
    if is_text(column):
        texts = column.cast(load_polars().String).str.strip_chars()
        return texts.set(texts == "", None)
    return column.fill_nan(None) if column.dtype.is_float() else column


def marks_as_gaps(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Give a table in which NA, n/a, nan, null and ? are gaps; what held numbers besides is numbers then.

    The target's column is left as it is: there, such a word may be a class.

    >>> import polars
    >>> marks_as_gaps(polars.DataFrame({"a": ["1", "NA", "2.5"], "y": ["na", "b", "b"]}), "y").rows()
    [(1.0, 'na'), (None, 'b'), (2.5, 'b')]
    """
    return frame.with_columns(without_marks(column) for column in frame if is_text(column) and column.name != target)


def without_marks(column: pl.Series) -> pl.Series:
    """One column of text without its marks for gaps, as numbers if nothing else was in the way."""
    texts = with_gaps(column)
    marked = texts.str.to_lowercase().is_in(GAP_MARKS).fill_null(False)
    if not marked.any():
        return column
    rest = texts.set(marked, None)
    numbers = rest.cast(load_polars().Float64, strict=False)
    return numbers if numbers.null_count() == rest.null_count() < len(rest) else rest


def as_texts(column: pl.Series) -> pl.Series:
    """Give a column as text, with null for gaps."""
    refuse_unusable(column)
    return with_gaps(with_gaps(column).cast(load_polars().String))


def as_numbers(column: pl.Series) -> pl.Series:
    """Give a column as float64, with null for gaps.

    Raises
    ------
    InputError
        For text, dates, nested values and infinities, with row and column.
    """
    refuse_unusable(column)
    texts = with_gaps(column)
    if is_text(column) and texts.null_count() < len(texts):
        numbers = texts.cast(load_polars().Float64, strict=False)
        row = first_row(texts.is_not_null() & numbers.is_null()) if numbers.null_count() > texts.null_count() else 0
        raise InputError(
            f"Text {texts[row]!r} in {place(row, column)}: this column must hold numbers. Correct the value."
        )
    numbers = texts.cast(load_polars().Float64)
    if numbers.is_infinite().any():
        row = first_row(numbers.is_infinite())
        raise InputError(
            f"The value {numbers[row]} in {place(row, column)} is not finite. Correct it or remove the row."
        )
    return numbers


def refuse_unusable(column: pl.Series) -> None:
    """Refuse dates, times, lists and whatever else is neither a number nor text."""
    polars = load_polars()
    dtype = column.dtype
    if dtype.is_temporal():
        raise InputError(
            f"Column {column.name!r} holds dates or times ({dtype}), which a network cannot take. Leave it out "
            f"(`--drop`), or put numbers in its place: the month, or the days since some event."
        )
    if not (dtype.is_numeric() or is_text(column) or dtype in (polars.Boolean, polars.Null)):
        raise InputError(
            f"Column {column.name!r} holds values of type {dtype}; a column must hold numbers, text or true/false. "
            f"Leave it out (`--drop`), or spread its parts over columns of their own."
        )


def refuse_stray_text(texts: pl.Series, advice: str = "") -> None:
    """Refuse a column of numbers that became text because of a few values that are none."""
    numbers = texts.cast(load_polars().Float64, strict=False)
    marks = texts.str.to_lowercase().is_in(MISSING_MARKS)
    strays = texts.is_not_null() & numbers.is_null()
    parsed = int((numbers.is_not_null() & ~marks).sum())
    others = int((strays & ~marks).sum())
    if not strays.any() or parsed == 0 or parsed < 4 * others:
        return
    row = first_row(strays)
    raise InputError(
        f"Text {texts[row]!r} in {place(row, texts)}: {int(strays.sum())} of this column's {len(texts)} values are not "
        f"numbers, all others are. Correct them; for a missing value, leave the cell empty.{advice}"
    )


def refuse_many(texts: pl.Series, advice: str) -> None:
    """Refuse text that identifies a row rather than sorting it into a group."""
    count = texts.drop_nulls().n_unique()
    if count > MOST_CATEGORIES or (count > MANY_CATEGORIES and 2 * count > len(texts)):
        raise InputError(
            f"Column {texts.name!r} is text with {count} different values in {len(texts)} rows, for example "
            f"{texts.drop_nulls()[0]!r}. That names rows rather than grouping them. {advice}"
        )


def refuse_missing(columns: Iterable[pl.Series], fix: str) -> None:
    """Refuse gaps: name the first, and count all."""
    gaps = {column.name: column for column in columns if column.null_count() > 0}
    if not gaps:
        return
    first = next(iter(gaps.values()))
    total = sum(column.null_count() for column in gaps.values())
    counts = some([f"{name}: {column.null_count()}" for name, column in gaps.items()])
    raise InputError(
        f"There is no value in {place(first_row(first.is_null()), first)}. Missing in all: {total} ({counts}). {fix}"
    )


def refuse_frame(frame: object) -> None:
    """Refuse what is not a polars table."""
    if not isinstance(frame, load_polars().DataFrame):
        raise InputError(
            f"A table must be a polars.DataFrame, not {type(frame).__name__}. Read a file with read_table, or convert "
            f"it with polars.from_pandas(table) or polars.DataFrame(dict of columns)."
        )


def refuse_absent(frame: pl.DataFrame, names: Iterable[str]) -> None:
    """Refuse a table that lacks a column the model was trained on."""
    refuse_frame(frame)
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise InputError(
            f"The table lacks {some([repr(name) for name in absent])}, which the model was trained on. "
            f"The columns that arrived: {some(frame.columns)}. Add what is missing, or correct its name."
        )


def first_row(where: pl.Series) -> int:
    """Give the index of the first row for which a condition holds."""
    return int(np.flatnonzero(where.fill_null(False).to_numpy())[0])


def place(row: int, column: pl.Series) -> str:
    """Name a cell as a person finds it, from the index of its row.

    >>> import polars
    >>> place(2, polars.Series("age", [1, 2, 3]))
    "row 3 (line 4 of a CSV file), column 'age'"
    """
    return f"row {row + 1} (line {row + 2} of a CSV file), column {column.name!r}"


def some(names: Iterable[object], most: int = 10) -> str:
    """List a few names, and say how many more there are.

    >>> some("abcd", most=3)
    'a, b, c and 1 more'
    """
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest


def plural(count: int, noun: str) -> str:
    """Count things.

    >>> plural(1, "column"), plural(3, "column")
    ('1 column', '3 columns')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def first_line(error: BaseException) -> str:
    """Give the first line of an error's message, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def unknown_column(kind: str, name: object, frame: pl.DataFrame) -> InputError:
    """Make the error for a column that is not there; of a wide table the nearest names are listed."""
    names = frame.columns
    near = difflib.get_close_matches(str(name), names, n=20, cutoff=0.0)
    return unknown_name(kind, name, names if len(names) <= 20 else [*near, f"… ({len(names)} columns)"])


# -- features ------------------------------------------------------------------------------


def mean_and_spread(values: Array, name: str) -> tuple[float, float]:
    """Give mean and standard deviation, (mean, 1) if all values are equal.

    >>> mean_and_spread(np.array([1.0, 3.0]), "age"), mean_and_spread(np.array([0.1, 0.1]), "age")
    ((2.0, 1.0), (0.1, 1.0))
    """
    if values.min() == values.max():
        return float(values[0]), 1.0
    with np.errstate(all="ignore"):
        mean, std = float(values.mean()), float(values.std())
    if not np.isfinite([mean, std]).all():
        raise InputError(
            f"Column {name!r} has values up to {np.abs(values).max():g}, too large to standardize. Rescale it."
        )
    return mean, std or 1.0  # a spread that underflows to 0 is left as it is


def standardized(values: Array, mean: float, std: float, name: str) -> Array:
    """Give (values - mean) / std, of the shape of ``values``; refuse what overflows."""
    with np.errstate(all="ignore"):
        scaled = standard(values, mean, std)
    if not np.isfinite(scaled).all():
        row = int(np.flatnonzero(~np.isfinite(scaled))[0])
        raise InputError(
            f"The value {values[row]:g} in row {row + 1}, column {name!r} is too far from {mean:g} ± {std:g}."
        )
    return np.asarray(scaled)


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, or of true and false as 1 and 0: it becomes (x - mean) / std.

    Parameters
    ----------
    name : str
        The column.
    mean, std : float
        Of the training table, gaps filled; ``std`` is 1 if all values were equal.
    fill : float or None
        What stands for a gap: the training table's median.  None refuses gaps.

    Examples
    --------
    >>> import polars
    >>> age = NumberColumn.learn(polars.Series("age", [20.0, 40.0, None, 30.0]), impute=True)
    >>> age.fill, age.encode(polars.Series("age", [30.0, 30.0 + age.std])).tolist()
    (30.0, [[0.0], [1.0]])
    """

    kind: ClassVar[str] = "number"
    name: str
    mean: float
    std: float
    fill: float | None = None

    @classmethod
    def learn(cls, column: pl.Series, *, impute: bool) -> NumberColumn:
        """Learn mean, standard deviation and, to impute, the median of a column of n numbers."""
        values = as_numbers(column)
        fill = None
        if impute:
            with np.errstate(over="ignore"):
                fill = float(np.median(values.drop_nulls().to_numpy()))
            values = values.fill_null(fill)
        return cls(column.name, *mean_and_spread(values.to_numpy(), column.name), fill)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The one feature it becomes."""
        return (self.name,)

    def standardized_on(self, column: pl.Series) -> NumberColumn:
        """The same with mean, standard deviation and fill of these rows only."""
        return type(self).learn(with_gaps(column), impute=self.fill is not None)

    def read(self, column: pl.Series) -> pl.Series:
        """Give a column of a later table as float64, with null for what is missing."""
        return as_numbers(column)

    def encode(self, values: pl.Series, unknown: str = "error") -> Array:
        """Give the standardized values, of shape (n, 1)."""
        filled = values if self.fill is None else values.fill_null(self.fill)
        return standardized(filled.to_numpy(), self.mean, self.std, self.name).reshape(-1, 1)

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, "name": self.name, "mean": self.mean, "std": self.std, "fill": self.fill}

    @classmethod
    def from_dict(cls, stored: object) -> NumberColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, mean, std, fill = stored_entries(stored, ("kind", "name", "mean", "std", "fill"))
        name = stored_text(name, "a column's name")
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

    Examples
    --------
    >>> import polars
    >>> colour = CategoryColumn.learn(polars.Series("colour", ["red", "blue", "red"]), impute=False)
    >>> colour.feature_names
    ('colour=blue', 'colour=red')
    >>> colour.encode(polars.Series("colour", ["red", "blue"]))
    array([[0., 1.],
           [1., 0.]])
    """

    kind: ClassVar[str] = "category"
    name: str
    categories: tuple[str, ...]
    fill: str | None = None

    @classmethod
    def learn(cls, column: pl.Series, *, impute: bool) -> CategoryColumn:
        """Learn the categories of a column of n words and, to impute, the most frequent one."""
        texts = as_texts(column)
        refuse_stray_text(texts)
        refuse_many(texts, f"Leave it out: `--drop {column.name}`.")
        counts = Counter(sorted(texts.drop_nulls().to_list()))
        return cls(column.name, tuple(counts), counts.most_common(1)[0][0] if impute else None)

    def standardized_on(self, column: pl.Series) -> CategoryColumn:
        """The same: categories are those of the whole table."""
        return self

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features it becomes, one for each category."""
        return tuple(f"{self.name}={category}" for category in self.categories)

    def read(self, column: pl.Series) -> pl.Series:
        """Give a column of a later table as text, with null for what is missing."""
        return as_texts(column)

    def encode(self, values: pl.Series, unknown: str = "error") -> Array:
        """Give one column for each category, of shape (n, categories)."""
        filled = values if self.fill is None else values.fill_null(self.fill)
        index = {category: i for i, category in enumerate(self.categories)}
        codes = np.array([index.get(text, -1) for text in filled.to_list()], dtype=np.int64)
        if unknown == "error" and (codes < 0).any():
            self.refuse_category(values, int(np.flatnonzero(codes < 0)[0]))
        one_hot: Array = codes[:, None] == np.arange(len(self.categories))
        return one_hot.astype(np.float64)

    def refuse_category(self, values: pl.Series, row: int) -> None:
        """Refuse a word that was not in the training table."""
        raise InputError(
            f"The category {values[row]!r} in {place(row, values)} was not in the training table; known are "
            f"{some(self.categories)}. Correct it, train again with such rows, or let it be all zeros "
            f"(`--unknown ignore`)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories), "fill": self.fill}

    @classmethod
    def from_dict(cls, stored: object) -> CategoryColumn:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, categories, fill = stored_entries(stored, ("kind", "name", "categories", "fill"))
        name = stored_text(name, "a column's name")
        words = tuple(
            stored_text(word, f"a category of {name!r}") for word in stored_list(categories, "the categories")
        )
        stored_order(words, f"the categories of {name!r}")
        if fill is not None and fill not in words:
            raise damaged(f"the fill of {name!r}", "one of its categories", fill)
        return cls(name, words, fill)


FeatureColumn = NumberColumn | CategoryColumn
COLUMN_KINDS: dict[str, type[FeatureColumn]] = {kind.kind: kind for kind in (NumberColumn, CategoryColumn)}


def learned_column(column: pl.Series, *, impute: bool) -> FeatureColumn:
    """Learn how one column becomes numbers."""
    kind: type[FeatureColumn] = CategoryColumn if is_text(column) else NumberColumn
    return kind.learn(column, impute=impute)


def refuse_gaps(columns: Sequence[pl.Series], impute: bool) -> None:
    """Refuse columns without any value and, unless they are to be filled, single gaps."""
    for column in columns:
        refuse_unusable(column)
    gapped = [with_gaps(column) for column in columns]
    for column in gapped:
        if column.null_count() == len(column):
            raise InputError(f"Column {column.name!r} has no values at all. Leave it out: `--drop {column.name}`.")
    if not impute:
        refuse_missing(gapped, TRAIN_FIX)


# -- targets -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassTarget:
    """A target that is one out of a list of classes.

    Parameters
    ----------
    name : str
        The column.
    classes : tuple of str, of int or of bool
        In sorted order, as they stand in the table.

    Examples
    --------
    >>> import polars
    >>> label = ClassTarget.learn(polars.Series("label", ["yes", "no", "yes"]))
    >>> label.classes, label.encode(polars.Series("label", ["no"])).tolist()
    (('no', 'yes'), ['no'])
    """

    task: ClassVar[str] = "classification"
    name: str
    classes: tuple[Any, ...]

    @classmethod
    def learn(cls, column: pl.Series) -> ClassTarget:
        """Learn the classes of a column of n labels; there must be at least two."""
        labels = as_labels(column)
        if is_text(labels):
            refuse_many(labels, "Choose another target.")
        classes = tuple(sorted(set(labels.to_list())))
        if len(classes) < 2:
            raise InputError(
                f"The target {column.name!r} has only one class, {classes[0]!r}, in {plural(len(labels), 'row')}: "
                f"there is nothing to tell apart. Add rows of another class, or choose another target."
            )
        if len(classes) > MOST_CATEGORIES:
            raise InputError(
                f"The target {column.name!r} has {len(classes)} classes. Use task='regression' for numbers."
            )
        return cls(column.name, classes)

    def encode(self, column: pl.Series) -> Array:
        """Give labels, of shape (n,); refuse one that is not among the classes."""
        labels = as_texts(column) if isinstance(self.classes[0], str) else as_labels(column)
        known = {label: label for label in self.classes}
        given = labels.to_list()
        for row, label in enumerate(given):
            if label not in known:
                raise InputError(
                    f"The label {label!r} in {place(row, column)} was not in the training table; known are "
                    f"{some(self.classes)}. Correct it, or train again with such rows."
                )
        return np.array([known[label] for label in given], dtype=type(self.classes[0]))

    def describe(self) -> str:
        """Say what the target is."""
        return f"target {self.name!r}: classification, {len(self.classes)} classes ({some(self.classes, most=5)})"

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"task": self.task, "name": self.name, "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, stored: object) -> ClassTarget:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, classes = stored_entries(stored, ("task", "name", "classes"))
        labels = tuple(stored_label(label) for label in stored_list(classes, "the classes"))
        stored_order(labels, "the classes")
        if len(labels) < 2:
            raise damaged("the classes", "at least two", classes)
        return cls(stored_text(name, "the target's name"), labels)


@dataclass(frozen=True)
class NumberTarget:
    """A target that is a number: it is standardized for training, and predictions are turned back.

    Parameters
    ----------
    name : str
        The column.
    mean, std : float
        Of the training table.

    Examples
    --------
    >>> import polars
    >>> price = NumberTarget.learn(polars.Series("price", [100.0, 300.0]))
    >>> price.encode(polars.Series("price", [200, 400])).tolist()
    [0.0, 2.0]
    """

    task: ClassVar[str] = "regression"
    name: str
    mean: float
    std: float

    @classmethod
    def learn(cls, column: pl.Series) -> NumberTarget:
        """Learn mean and standard deviation of a column of n numbers, which must differ."""
        values = as_numbers(column).to_numpy()
        if values.min() == values.max():
            raise InputError(
                f"The target {column.name!r} is {values[0]:g} in {plural(len(values), 'row')}: there is nothing to "
                f"predict. Add rows with other values, or choose another target."
            )
        return cls(column.name, *mean_and_spread(values, column.name))

    def encode(self, column: pl.Series) -> Array:
        """Give standardized numbers, of shape (n,)."""
        return standardized(as_numbers(column).to_numpy(), self.mean, self.std, self.name)

    def describe(self) -> str:
        """Say what the target is."""
        return f"target {self.name!r}: regression, standardized ({self.mean:.4g} ± {self.std:.4g})"

    def to_dict(self) -> dict[str, Any]:
        """Give what a JSON file can hold."""
        return {"task": self.task, "name": self.name, "mean": self.mean, "std": self.std}

    @classmethod
    def from_dict(cls, stored: object) -> NumberTarget:
        """Read what ``to_dict`` gave; refuse anything else with a FileError."""
        _, name, mean, std = stored_entries(stored, ("task", "name", "mean", "std"))
        name = stored_text(name, "the target's name")
        return cls(name, stored_number(mean, "the target's mean"), stored_spread(std, "the target's std"))


Target = ClassTarget | NumberTarget
TARGET_TASKS: dict[str, type[Target]] = {kind.task: kind for kind in (ClassTarget, NumberTarget)}


def as_labels(column: pl.Series) -> pl.Series:
    """Give labels as text, true/false or whole numbers; refuse fractions."""
    refuse_unusable(column)
    polars = load_polars()
    given = with_gaps(column)
    if is_text(column) or column.dtype in (polars.Boolean, polars.Int64):
        return given
    labels: pl.Series = given.cast(polars.Int64, strict=False)
    wrong = labels.is_null() | (labels.cast(polars.Float64) != given.cast(polars.Float64))
    if wrong.any():
        row = first_row(wrong)
        raise InputError(
            f"The label {given[row]} in {place(row, column)} is not text, true/false or a whole number of 64 bits. "
            f"For numbers to be predicted, use task='regression'."
        )
    return labels


def learned_target(column: pl.Series, task: str) -> tuple[Target, str]:
    """Learn the target; give it with the reason for its task."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    refuse_unusable(column)
    gapped = with_gaps(column)
    refuse_missing([gapped], "A row without its target teaches nothing: fill the target in, or remove the row.")
    if task == "auto":
        task, because = decided_task(gapped)
        reason = f"the target {column.name!r} is {because}: {task}"
    else:
        reason = f"task={task!r} was asked for"
    if task == "classification" and not is_text(column) and 20 < column.n_unique() > len(column) / 2:
        raise InputError(
            f"The target {column.name!r} has {column.n_unique()} different values in {len(column)} rows: too many for "
            f"classes. Use task='regression' (`--task regression`), or group the values."
        )
    return TARGET_TASKS[task].learn(column), reason


def decided_task(column: pl.Series) -> tuple[str, str]:
    """Decide between classes and numbers; give the task and what speaks for it.

    Whole numbers are classes if they are few (at most 10, or at most 20 and fewer than 5 % of the
    rows) and occur twice on average.

    >>> import polars
    >>> decided_task(polars.Series([0, 1, 1, 0]))
    ('classification', 'whole numbers with 2 different values in 4 rows')
    """
    n, count = len(column), column.n_unique()
    if is_text(column):
        refuse_stray_text(column, " For classes that look like numbers, use task='classification'.")
        return "classification", f"text with {plural(count, 'value')}"
    if column.dtype == load_polars().Boolean:
        return "classification", "true or false"
    if not column.dtype.is_integer():
        return "regression", "decimal numbers"
    few = 2 * count <= n and (count <= 10 or (count <= 20 and count < 0.05 * n))
    return "classification" if few else "regression", f"whole numbers with {count} different values in {n} rows"


# -- both ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preprocessing:
    """How the columns of a table become the numbers that a network takes, and how they come back.

    Make one with ``Preprocessing.learn``.

    Parameters
    ----------
    columns : tuple of NumberColumn and CategoryColumn
        The features, in the order of the training table.
    target : ClassTarget or NumberTarget
        What is predicted.
    reason : str
        Why the task is classification or regression.

    Examples
    --------
    >>> import polars
    >>> table = polars.DataFrame({"weight": [150, 7, 143], "colour": ["red", "blue", "red"], "fruit": ["a", "b", "a"]})
    >>> preprocessing = Preprocessing.learn(table, "fruit")
    >>> preprocessing.reason
    "the target 'fruit' is text with 2 values: classification"
    >>> preprocessing.feature_names
    ('weight', 'colour=blue', 'colour=red')
    >>> preprocessing.transform(table).round(2)
    array([[ 0.76,  0.  ,  1.  ],
           [-1.41,  1.  ,  0.  ],
           [ 0.65,  0.  ,  1.  ]])
    >>> preprocessing.targets(table).tolist()
    ['a', 'b', 'a']
    """

    columns: tuple[FeatureColumn, ...]
    target: Target
    reason: str

    @classmethod
    def learn(
        cls, frame: pl.DataFrame, target: str, *, task: str = "auto", impute: bool = False, drop: Iterable[str] = ()
    ) -> Preprocessing:
        """Learn from the training table.

        Parameters
        ----------
        frame : polars.DataFrame
            n rows; every column that is not the target or dropped is a feature.
        target : str
            The column to be predicted.
        task : str
            ``"classification"``, ``"regression"``, or ``"auto"``: text, true/false and few whole
            numbers are classes, other numbers are predicted as numbers.
        impute : bool
            Whether gaps are filled, here and in later tables: numbers with the median, categories
            with the most frequent one.  Gaps in the target are always an error.
        drop : iterable of str
            Columns to leave out.

        Raises
        ------
        InputError
            For an unknown column or task, gaps, infinities, text among numbers, dates, nested
            values, text that names each row, and targets that are all equal.
        """
        refuse_frame(frame)
        if target not in frame.columns:
            raise unknown_column("target column", target, frame)
        left_out = {target, *dropped_names(frame, target, drop)}
        features = [column for column in frame if column.name not in left_out]
        if not features:
            raise InputError(f"There is no column beside the target {target!r} to learn from. Add one, or drop fewer.")
        if frame.height == 0:
            raise InputError(f"The table has no rows (columns {some(frame.columns)}). Add at least two.")
        learned, reason = learned_target(frame[target], task)
        refuse_gaps(features, impute)
        return cls(tuple(learned_column(column, impute=impute) for column in features), learned, reason)

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return self.target.task

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes in sorted order; none for regression."""
        return self.target.classes if isinstance(self.target, ClassTarget) else ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns of ``X``, such as ``'age'`` and ``'colour=red'``."""
        return tuple(name for column in self.columns for name in column.feature_names)

    @property
    def n_features(self) -> int:
        """The number of columns of ``X``."""
        return len(self.feature_names)

    def standardized_on(self, frame: pl.DataFrame) -> Preprocessing:
        """Give the same with means and standard deviations of these rows only: of those for training, say.

        Categories and classes stay those that were learned.
        """
        columns = tuple(column.standardized_on(frame[column.name]) for column in self.columns)
        is_number = isinstance(self.target, NumberTarget)
        target = NumberTarget.learn(with_gaps(frame[self.target.name])) if is_number else self.target
        return replace(self, columns=columns, target=target)

    def transform(self, frame: pl.DataFrame, *, unknown: str = "error") -> Array:
        """Give the inputs ``X`` of a network, of shape (n, n_features), float64.

        Parameters
        ----------
        frame : polars.DataFrame
            n rows, with every feature column; others are ignored.
        unknown : str
            For a category that was not in the training table: ``"error"`` or ``"ignore"``, which
            gives zeros for all of its column's categories.

        Raises
        ------
        InputError
            For a missing column, text among numbers, infinities, unknown categories, and gaps if
            no filling was learned.
        """
        if unknown not in ("error", "ignore"):
            raise unknown_name("way with unknown categories", unknown, ("error", "ignore"))
        refuse_absent(frame, (column.name for column in self.columns))
        read = [column.read(frame[column.name]) for column in self.columns]
        refuse_missing(
            [values for column, values in zip(self.columns, read, strict=True) if column.fill is None], PREDICT_FIX
        )
        return np.hstack([column.encode(values, unknown) for column, values in zip(self.columns, read, strict=True)])

    def targets(self, frame: pl.DataFrame) -> Array:
        """Give the targets ``y``, of shape (n,): class labels, or standardized float64 numbers.

        Raises
        ------
        InputError
            If the target column is missing or has gaps, or for a class that was not in the
            training table.
        """
        refuse_absent(frame, [self.target.name])
        column = frame[self.target.name]
        refuse_unusable(column)
        refuse_missing([with_gaps(column)], "Fill the target in, or remove the row.")
        return self.target.encode(column)

    def untransform_target(self, p: ArrayLike) -> Array:
        """Turn a regression network's outputs back to the target's own unit; the shape stays.

        >>> Preprocessing((), NumberTarget("price", 200.0, 100.0), "").untransform_target([0.0, 2.0])
        array([200., 400.])
        """
        if not isinstance(self.target, NumberTarget):
            raise InputError(f"The target {self.target.name!r} is a class: its predictions are labels already.")
        outputs: Array = np.asarray(p, dtype=np.float64)
        return np.asarray(original(outputs, self.target.mean, self.target.std))

    def predictions_frame(self, labels: ArrayLike, probabilities: ArrayLike | None = None) -> pl.DataFrame:
        """Give predictions as a table, to be written to a file.

        Parameters
        ----------
        labels : array, shape (n,) or (n, 1)
            What is predicted: labels, or numbers in the target's own unit.
        probabilities : array, shape (n, classes), optional
            The probability of each class, in the order of ``classes``.

        Returns
        -------
        polars.DataFrame
            n rows: ``prediction`` and, with probabilities, ``p(class)`` for each class.

        Examples
        --------
        >>> preprocessing = Preprocessing((), ClassTarget("fruit", ("apple", "pear")), "")
        >>> preprocessing.predictions_frame(["pear"], [[0.25, 0.75]]).to_dicts()
        [{'prediction': 'pear', 'p(apple)': 0.25, 'p(pear)': 0.75}]
        """
        given = np.asarray(labels)
        if given.shape not in ((given.size,), (given.size, 1)):
            raise InputError(
                f"Predictions have shape {given.shape}, but must have one value for each row: (n,) or (n, 1)."
            )
        table = {"prediction": given.ravel().tolist(), **self.probability_columns(probabilities, given.size)}
        frame: pl.DataFrame = load_polars().DataFrame(table)
        return frame

    def probability_columns(self, probabilities: ArrayLike | None, n: int) -> dict[str, list[float]]:
        """Give one named column for each class; none without probabilities."""
        if probabilities is None:
            return {}
        p = np.asarray(probabilities, dtype=np.float64)
        if p.shape != (n, len(self.classes)) or not self.classes:
            raise InputError(
                f"Probabilities have shape {p.shape}, but with {plural(n, 'prediction')} and "
                f"{len(self.classes)} classes they must have shape {(n, len(self.classes))}. A regression has none."
            )
        texts = [str(label).lower() if isinstance(label, bool) else str(label) for label in self.classes]
        return {f"p({text})": p[:, i].tolist() for i, text in enumerate(texts)}

    def describe(self) -> str:
        """Say in one line what happens to the columns.

        >>> columns = (NumberColumn("age", 30.0, 5.0), CategoryColumn("colour", ("blue", "red")))
        >>> print(Preprocessing(columns, NumberTarget("price", 200.0, 100.0), "").describe())
        1 numeric column standardized, 1 category one-hot encoded (2 values);
        target 'price': regression, standardized (200 ± 100)
        """
        numbers = [column for column in self.columns if isinstance(column, NumberColumn)]
        words = [column for column in self.columns if isinstance(column, CategoryColumn)]
        values = plural(sum(len(column.categories) for column in words), "value")
        noun = "category" if len(words) == 1 else "categories"
        parts = [f"{plural(len(numbers), 'numeric column')} standardized"] if numbers else []
        parts += [f"{len(words)} {noun} one-hot encoded ({values})"] if words else []
        parts += ["gaps filled"] if any(column.fill is not None for column in self.columns) else []
        return f"{', '.join(parts)}; {self.target.describe()}"

    def to_dict(self) -> dict[str, Any]:
        """Give everything as lists, dicts, text and numbers, which JSON keeps exactly."""
        columns = [column.to_dict() for column in self.columns]
        return {"columns": columns, "target": self.target.to_dict(), "reason": self.reason}

    @classmethod
    def from_dict(cls, stored: object) -> Preprocessing:
        """Read what ``to_dict`` gave.

        Raises
        ------
        FileError
            For anything that ``to_dict`` cannot have written.

        Examples
        --------
        >>> import json
        >>> one = Preprocessing((NumberColumn("age", 30.0, 5.0),), ClassTarget("sick", (False, True)), "")
        >>> Preprocessing.from_dict(json.loads(json.dumps(one.to_dict()))) == one
        True
        """
        listed, target, reason = stored_entries(stored, ("columns", "target", "reason"))
        columns = tuple(
            stored_kind(column, "kind", COLUMN_KINDS).from_dict(column) for column in stored_list(listed, "the columns")
        )
        goal = stored_kind(target, "task", TARGET_TASKS).from_dict(target)
        names = [column.name for column in columns] + [goal.name]
        if len(set(names)) < len(names):
            raise damaged("the names of columns and target", "all different", some(names))
        if not isinstance(reason, str):
            raise damaged("the reason", "text", reason)
        return cls(columns, goal, reason)


def dropped_names(frame: pl.DataFrame, target: str, drop: Iterable[str]) -> list[str]:
    """Check the columns to leave out; a single name may stand for itself."""
    names = [drop] if isinstance(drop, str) else list(drop)
    for name in names:
        if name not in frame.columns:
            raise unknown_column("column to drop", name, frame)
        if name == target:
            raise InputError(f"The column {name!r} is the target: it cannot be dropped. Choose another target.")
    return names


# -- what a file may hold ------------------------------------------------------------------


def damaged(what: str, expected: str, value: object) -> FileError:
    """Make the error for a stored value that cannot be what was written."""
    shown = repr(value)[:60] if isinstance(value, (str, float, bool)) else type(value).__name__
    return FileError(
        f"The stored preprocessing is damaged: {what} must be {expected}, not {shown}. Train and save again."
    )


def stored_entries(stored: object, keys: tuple[str, ...]) -> list[Any]:
    """Give the entries of a dict that must have exactly these keys."""
    if not isinstance(stored, dict):
        raise damaged("each record", "a dict", stored)
    if set(stored) != set(keys):
        raise damaged("a record's keys", some(keys), some(stored))
    return [stored[key] for key in keys]


def stored_kind(stored: object, key: str, kinds: dict[str, Any]) -> Any:
    """Look up the class that a stored record belongs to."""
    kind = stored.get(key) if isinstance(stored, dict) else stored
    if not isinstance(kind, str) or kind not in kinds:
        raise damaged(f"a record's {key!r}", f"one of {some(kinds)}", kind)
    return kinds[kind]


def stored_list(value: object, what: str) -> list[Any]:
    """Give a list that must not be empty."""
    if not isinstance(value, list) or not value:
        raise damaged(what, "a list with entries", value)
    return value


def stored_text(value: object, what: str) -> str:
    """Give text that must not be blank."""
    if not isinstance(value, str) or not value.strip():
        raise damaged(what, "text", value)
    return value


def stored_number(value: object, what: str) -> float:
    """Give a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise damaged(what, "a finite number", value)
    return float(value)


def stored_spread(value: object, what: str) -> float:
    """Give a number above 0."""
    number = stored_number(value, what)
    if number <= 0:
        raise damaged(what, "a number above 0", number)
    return number


def stored_label(value: object) -> str | int | bool:
    """Give a class label."""
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return stored_text(value, "a class")


def stored_order(values: tuple[Any, ...], what: str) -> None:
    """Refuse labels of several types, in disorder, twice, or too many."""
    if len({type(value) for value in values}) > 1 or list(values) != sorted(set(values)):
        raise damaged(what, "different, in sorted order and of one type", "a list that is not")
    if len(values) > MOST_CATEGORIES:
        raise damaged(what, f"at most {MOST_CATEGORIES}", f"a list of {len(values)}")
