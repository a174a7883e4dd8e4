"""Read and write tables as CSV and Parquet files.

The type of a CSV column is inferred from all of its values, or given by the columns of a model.  A table keeps the
text of its file, so that a model can read a categorical column as text, whatever type was inferred.  Rows of
different lengths, duplicate names and text that is not UTF-8 raise an error that names the line.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workings.errors import FileError, InputError, counted, first_line, some
from workings.support.atomic_files import write_bytes
from workings.tables.cells import are_numbers_mostly, is_text, is_zero_padded, load_polars, numbers_in_text, with_gaps
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, columns_in, refuse_absent
from workings.tables.plain_csv import first_fields, separator_of

if TYPE_CHECKING:
    import polars as pl


def read_table(path: str | os.PathLike[str], *, columns: Columns | Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Read a CSV or Parquet file as a table with named, typed columns.

    The type of a CSV column is inferred from all of its values.  The separator (comma, semicolon or tab) is the one
    that splits the header line into the most names.  In a file with semicolons, numbers may have a decimal comma,
    also in columns with markers such as NA.  Blanks around names and numbers are ignored.  Whole numbers with a
    leading zero, such as 007, are text.  An unnamed first column of different whole numbers is pandas' index, and
    is named ``Unnamed: 0``.

    Parameters
    ----------
    path : str or path
        A file in UTF-8 whose name ends in .csv, .tsv or .txt, with a header line; or in .parquet.
    columns : Columns or dict, optional
        The columns of a model (``network.preprocessing``).  Only these and the target are read: categories as text,
        numbers as numbers.

    Returns
    -------
    polars.DataFrame
        n rows, one column per name.  Its attribute ``file_text`` holds the text of a CSV file, from which a network
        reads its categorical columns; tables derived from this one do not have it.

    Raises
    ------
    FileError
        For a file that is missing, empty, damaged, of an unknown type or not UTF-8, and for rows of different lengths.
    InputError
        If a column has no name, a name occurs twice, a column of the model is missing, or there are no rows.
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
    known = columns if isinstance(columns, Columns | None) else columns_in(columns)
    frame = read(file_bytes(path), path, known)
    if frame.height == 0:
        raise InputError(f"'{path}' has column names ({some(frame.columns)}) but no rows. Add at least one.")
    return frame


def write_table(frame: pl.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as CSV or Parquet, depending on the suffix; the write is atomic.

    Parameters
    ----------
    frame : polars.DataFrame
        The table.
    path : str or path
        Ends in .csv or .txt (commas), .tsv (tabs) or .parquet.  An existing file is replaced.

    Raises
    ------
    FileError
        If the folder is not writable, or the file type is unknown or cannot hold the table.
        An existing file is then unchanged.

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
        raise FileError(f"'{path}' cannot hold this table: {error}. Choose another file type.") from error
    write_bytes(path, content.getvalue())


def known_suffix(path: Path) -> str:
    """Return the suffix of a table's file; raise for an unknown one."""
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


def read_parquet(content: bytes, path: Path, known: Columns | None) -> pl.DataFrame:
    """Read a Parquet file; with ``known``, only the model's columns."""
    polars = load_polars()
    try:
        frame: pl.DataFrame = polars.read_parquet(io.BytesIO(content))
    except (Exception, polars.exceptions.PanicException) as error:  # a damaged file can raise any exception
        raise FileError(
            f"'{path}' is not a readable Parquet file: {first_line(error)}. Write or copy it again."
        ) from error
    refuse_names(frame.columns, path)
    return frame if known is None else frame.select(known_names(frame.columns, known))


def read_csv_file(content: bytes, path: Path, known: Columns | None) -> pl.DataFrame:
    """Read a CSV file; with ``known``, only the model's columns, with the model's types."""
    polars = load_polars()
    text = decode_utf8(content, path)
    names, separator = read_header(text, path)
    text = (
        text.rstrip("\r\n") + "\n" if len(names) > 1 else text
    )  # in a single column, an empty line is a missing value
    n = count_rows(text, separator, len(names), path)
    if not names[0] and (known is not None or is_row_index(text, separator)):
        names[0] = index_name(names)
    refuse_names(names, path)
    file = FileText(text.encode(), tuple(names), separator)
    try:
        frame = file.inferred() if known is None else file.typed_for(known)
    except polars.exceptions.PolarsError as error:
        raise FileError(f"'{path}' is not a readable CSV file: {first_line(error)}. Check its quotes.") from error
    if frame.height != n:
        raise FileError(
            f"'{path}' has {n} or {frame.height} rows, depending on how its quotes and line ends are read. "
            f"Save it again."
        )
    if known is None:
        vars(frame)["file_text"] = replace(file, table=frame.clone())
    return frame


@dataclass(frozen=True, eq=False)
class FileText:
    """The text of a CSV file, for columns that are read again with the type that a model expects.

    Attributes
    ----------
    content : bytes
        The file in UTF-8, with its header line.
    names : tuple of str
        The names of its columns.
    separator : str
        The separator between columns.
    table : polars.DataFrame or None
        The table that was read from it.  A column that has changed since then is not read again.
    """

    content: bytes
    names: tuple[str, ...]
    separator: str
    table: pl.DataFrame | None = None

    def texts(self, names: Iterable[str]) -> pl.DataFrame:
        """Return some columns as text without surrounding blanks, with null for missing values."""
        places = sorted({self.names.index(name) for name in names})
        frame: pl.DataFrame = load_polars().read_csv(
            self.content, separator=self.separator, infer_schema=False, columns=places
        )
        frame.columns = [self.names[place] for place in places]
        return frame.with_columns([with_gaps(column) for column in frame])

    def inferred(self) -> pl.DataFrame:
        """Return all columns, with types inferred from all of their values."""
        polars = load_polars()
        frame: pl.DataFrame = polars.read_csv(
            self.content, separator=self.separator, infer_schema_length=None, try_parse_dates=True
        )
        frame = frame.rename(dict(zip(frame.columns, self.names, strict=False)))
        texts = [each for each in frame if each.dtype == polars.String]
        frame = frame.with_columns([parse_text_column(each, self.separator) for each in texts])
        whole = [column.name for column in frame if column.dtype.is_integer()]
        if not whole or not LEADING_ZERO.search(self.content):
            return frame
        return frame.with_columns([texts for texts in self.texts(whole) if is_zero_padded(texts)])

    def typed_for(self, known: Columns) -> pl.DataFrame:
        """Return the columns and the target of a model: categories as text, numbers as numbers."""
        names = known_names(self.names, known)
        are_numbers = {column.name for column in known.numbers} | ({known.target} if known.scale else set())
        texts = self.texts(names)
        return texts.with_columns([parse_numbers(texts[name], self.separator) for name in names if name in are_numbers])

    def model_columns(self, table: Any, columns: Sequence[Column]) -> dict[str, pl.Series]:
        """Read some columns again with a model's types, if the table's values are unchanged since reading.

        A numeric column that was read as numbers is not read again.
        """
        assert self.table is not None
        wanted = {
            column.name: column
            for column in columns
            if column.name in self.table.columns
            and not (isinstance(column, NumberColumn) and self.table[column.name].dtype.is_numeric())
            and table[column.name].equals(self.table[column.name])
        }
        texts: Iterable[pl.Series] = self.texts(wanted) if wanted else ()
        return {
            each.name: parse_numbers(each, self.separator) if isinstance(wanted[each.name], NumberColumn) else each
            for each in texts
        }


LEADING_ZERO = re.compile(rb'(?m)(?:^|[\s,;"])0\d')  # at the beginning of a value


def known_names(names: Sequence[str], known: Columns) -> list[str]:
    """Return the names of a model's columns and target in a file; raise if a feature column is missing."""
    wanted = [column.name for column in known.columns]
    refuse_absent(wanted, names)
    return [name for name in names if name in {*wanted, known.target}]


def column_text(frame: pl.DataFrame, name: str) -> pl.Series:
    """Return a column as text if the table was read from a CSV file, else unchanged."""
    file = vars(frame).get("file_text")
    column = frame[name]
    return column if file is None else file.model_columns(frame, [CategoryColumn(name, ())]).get(name, column)


# -- pandas' index ---------------------------------------------------------------------------

INDEX_NAMES = re.compile(r"__index_level_\d+__|Unnamed: 0(\.\d+)*")


def index_columns(frame: pl.DataFrame) -> list[str]:
    """Return the names of pandas' index columns: known by name and, in CSV, by distinct whole numbers.

    >>> import polars
    >>> index_columns(polars.DataFrame({"Unnamed: 0": [0, 1], "a": [0, 1]}))
    ['Unnamed: 0']
    """
    named = [column for column in frame if INDEX_NAMES.fullmatch(column.name)]
    return [
        column.name
        for column in named
        if column.name.startswith("__") or (column.dtype.is_integer() and column.n_unique() == len(column))
    ]


def index_name(names: Sequence[str]) -> str:
    """Return the name that pandas gives an unnamed index: Unnamed: 0, or Unnamed: 0.1 if that is taken."""
    number = 0
    while (name := f"Unnamed: 0.{number}" if number else "Unnamed: 0") in names:
        number += 1
    return name


def is_row_index(text: str, separator: str) -> bool:
    """Return whether the first column of a CSV file numbers the rows: different whole numbers."""
    _, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found = [row[0].strip() for row in rows if row]
    return len(set(found)) == len(found) and all(text.isascii() and text.isdigit() for text in found)


READERS: dict[str, Callable[[bytes, Path, Columns | None], pl.DataFrame]] = {
    ".csv": read_csv_file,
    ".tsv": read_csv_file,
    ".txt": read_csv_file,
    ".parquet": read_parquet,
}

WRITERS: dict[str, Callable[[pl.DataFrame, io.BytesIO], None]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    ".txt": lambda frame, file: frame.write_csv(file),
    ".parquet": lambda frame, file: frame.write_parquet(file),
}


def decode_utf8(content: bytes, path: Path) -> str:
    """Decode UTF-8, with or without the byte order mark that spreadsheets write."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(
            f"'{path}' is not UTF-8 text: byte {content[error.start]:#04x} in line {line}. Save it as 'CSV UTF-8'."
        ) from error


def read_header(text: str, path: Path) -> tuple[list[str], str]:
    """Return the column names and the separator: the one that splits the first line into the most names.

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
    refuse_names([names[0] or index_name(names), *names[1:]], path)  # pandas' index column may have no name
    return names, separator


def count_rows(text: str, separator: str, width: int, path: Path) -> int:
    """Count the rows below the header; raise for a row that does not have ``width`` values."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    n = -1
    try:
        for row in rows:
            if len(row) != width and (row or width > 1):
                raise FileError(
                    f"'{path}' has {counted(len(row), 'value')} in line {rows.line_num}, but {width} column names. "
                    f"Give every line one value for each column; a value with {separator!r} in it needs quotes."
                )
            n += 1
    except csv.Error as error:
        raise FileError(
            f"'{path}' is not readable in line {rows.line_num}: {error}. Check the quotes there."
        ) from error
    return n


def refuse_names(names: Sequence[str], path: Path) -> None:
    """Raise for columns without a name and for duplicate names."""
    for index, name in enumerate(names, start=1):
        if not name.strip():
            raise InputError(
                f"Column {index} of '{path}' has no name. Name it in the first line, or leave it out: "
                f"in pandas, to_csv(..., index=False) does."
            )
        if name in names[: index - 1]:
            raise InputError(f"'{path}' has two columns named {name!r}. Rename one; or is the header line missing?")


def parse_text_column(column: pl.Series, separator: str) -> pl.Series:
    """Convert text to numbers if all values are numbers, such as ' 2', '+2', '.5', or '2,5' in a file with semicolons.

    A column that also holds markers of missing values or typing errors stays text, but its decimal commas become
    points, so that later steps can parse the numbers.
    """
    given = with_gaps(column)
    if is_zero_padded(given):
        return given
    numbers = parse_numbers(given, separator)
    is_mixed = separator == ";" and is_text(numbers) and are_numbers_mostly(numbers)
    return numbers if is_mixed or not is_text(numbers) else column


def parse_numbers(texts: pl.Series, separator: str) -> pl.Series:
    """Convert text to numbers if all values are numbers; otherwise only replace decimal commas in its numbers."""
    points = texts.str.replace(",", ".", literal=True) if separator == ";" else texts
    numbers = numbers_in_text(points)
    if not is_text(numbers):
        return numbers
    return points.zip_with(points.cast(load_polars().Float64, strict=False).is_not_null(), texts)
