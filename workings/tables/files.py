"""Files: a CSV or Parquet file as a table with named, typed columns, and back.

The type of a CSV column follows from all of its values, or from the columns that a model knows.  A table keeps the text
of its file, so a model reads a column of words as it stands there, whatever type its values look like.  Rows that
differ in length, names that come twice and text that is not UTF-8 are refused with their line.
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

from workings.errors import FileError, InputError, counted, some
from workings.support.atomic_files import write_bytes
from workings.tables.cells import are_numbers_mostly, is_text, is_zero_padded, load_polars, numbers_in_text, with_gaps
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, columns_in, refuse_absent
from workings.tables.plain_csv import first_fields, separator_of
from workings.tables.wording import first_line

if TYPE_CHECKING:
    import polars as pl


def read_table(path: str | os.PathLike[str], *, columns: Columns | Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Read a CSV or Parquet file as a table with named, typed columns.

    The type of a CSV column follows from all of its values.  Its separator (comma, semicolon or
    tab) is the one that divides the header line into the most names; in a file with semicolons a
    decimal comma is understood, beside marks such as NA too.  Blanks around names and numbers do not matter.
    Whole numbers with a leading zero, such as 007, are text.  A first column without a name that counts the
    rows from 0 is pandas' index and is called ``Unnamed: 0``.

    Parameters
    ----------
    path : str or path
        A file in UTF-8 whose name ends in .csv, .tsv or .txt, with a header line; or in .parquet.
    columns : Columns or dict, optional
        The columns that a model knows (``network.preprocessing``).  Only these and the target are read: words as
        they stand in the file, numbers as numbers.

    Returns
    -------
    polars.DataFrame
        n rows, one column for each name.  Its attribute ``file_text`` holds the text of a CSV file, from which
        a network reads its columns of words; tables that are made from this one do not have it.

    Raises
    ------
    FileError
        For a file that is missing, empty, damaged, of an unknown kind, not UTF-8, or whose rows
        differ in length.
    InputError
        If a column has no name, two have the same one, one that the model knows is missing, or there are no rows.
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


def read_parquet(content: bytes, path: Path, known: Columns | None) -> pl.DataFrame:
    """Read the content of a Parquet file; of a model's columns only these."""
    polars = load_polars()
    try:
        frame: pl.DataFrame = polars.read_parquet(io.BytesIO(content))
    except (Exception, polars.exceptions.PanicException) as error:  # damage can surface as anything
        raise FileError(
            f"'{path}' is not a readable Parquet file: {first_line(error)}. Write or copy it again."
        ) from error
    refuse_names(frame.columns, path)
    return frame if known is None else frame.select(known_names(frame.columns, known))


def read_separated(content: bytes, path: Path, known: Columns | None) -> pl.DataFrame:
    """Read the content of a CSV file; of a model's columns only these, as the model knows them."""
    polars = load_polars()
    text = decoded(content, path)
    names, separator = read_header(text, path)
    text = text.rstrip("\r\n") + "\n" if len(names) > 1 else text  # in a single column, an empty line is a gap
    n = count_rows(text, separator, len(names), path)
    if not names[0] and (known is not None or counts_rows(text, separator)):
        names[0] = index_name(names)
    refuse_names(names, path)
    file = FileText(text.encode(), tuple(names), separator)
    try:
        frame = file.guessed() if known is None else file.as_known(known)
    except polars.exceptions.PolarsError as error:
        raise FileError(f"'{path}' is not a readable CSV file: {first_line(error)}. Check its quotes.") from error
    if frame.height != n:
        raise FileError(
            f"'{path}' has {n} rows or {frame.height}, as one reads its quotes and line ends. Save it again."
        )
    if known is None:
        vars(frame)["file_text"] = replace(file, table=frame.clone())
    return frame


@dataclass(frozen=True, eq=False)
class FileText:
    """The text of a CSV file, for columns whose type is known better than their values tell.

    Attributes
    ----------
    content : bytes
        The file in UTF-8, with its header line.
    names : tuple of str
        The names of its columns.
    separator : str
        What is between the columns.
    table : polars.DataFrame or None
        The table that was read from it.  A column that was changed since then has no text here.
    """

    content: bytes
    names: tuple[str, ...]
    separator: str
    table: pl.DataFrame | None = None

    def texts(self, names: Iterable[str]) -> pl.DataFrame:
        """Some columns as they stand in the file, without blanks around, with null for gaps."""
        places = sorted({self.names.index(name) for name in names})
        frame: pl.DataFrame = load_polars().read_csv(
            self.content, separator=self.separator, infer_schema=False, columns=places
        )
        frame.columns = [self.names[place] for place in places]
        return frame.with_columns([with_gaps(column) for column in frame])

    def guessed(self) -> pl.DataFrame:
        """All columns, with the type that follows from all of their values."""
        polars = load_polars()
        frame: pl.DataFrame = polars.read_csv(
            self.content, separator=self.separator, infer_schema_length=None, try_parse_dates=True
        )
        frame = frame.rename(dict(zip(frame.columns, self.names, strict=False)))
        frame = frame.with_columns([retyped(each, self.separator) for each in frame if each.dtype == polars.String])
        whole = [column.name for column in frame if column.dtype.is_integer()]
        if not whole or not LEADING_ZERO.search(self.content):
            return frame
        return frame.with_columns([texts for texts in self.texts(whole) if is_zero_padded(texts)])

    def as_known(self, known: Columns) -> pl.DataFrame:
        """The columns that a model knows, and its target: words as they stand in the file, numbers as numbers."""
        names = known_names(self.names, known)
        are_numbers = {column.name for column in known.numbers} | ({known.target} if known.scale else set())
        texts = self.texts(names)
        return texts.with_columns([numbers_of(texts[name], self.separator) for name in names if name in are_numbers])

    def known(self, table: Any, columns: Sequence[Column]) -> dict[str, pl.Series]:
        """Some columns as a model knows them, where the table still holds what was read from the file.

        A column of numbers that was read as numbers needs no other reading.
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
            each.name: numbers_of(each, self.separator) if isinstance(wanted[each.name], NumberColumn) else each
            for each in texts
        }


LEADING_ZERO = re.compile(rb'(?m)(?:^|[\s,;"])0\d')  # where a value may begin


def known_names(names: Sequence[str], known: Columns) -> list[str]:
    """The columns of a file that a model knows, its target too; refuse a file that lacks one that it needs."""
    wanted = [column.name for column in known.columns]
    refuse_absent(wanted, names)
    return [name for name in names if name in {*wanted, known.target}]


def column_text(frame: pl.DataFrame, name: str) -> pl.Series:
    """A column as it stands in the CSV file that a table was read from; as it is in any other table."""
    file = vars(frame).get("file_text")
    column = frame[name]
    return column if file is None else file.known(frame, [CategoryColumn(name, ())]).get(name, column)


# -- pandas' index ---------------------------------------------------------------------------

INDEX_NAMES = re.compile(r"__index_level_\d+__|Unnamed: 0(\.\d+)*")


def index_columns(frame: pl.DataFrame) -> list[str]:
    """The columns in which pandas numbered the rows: known by their name and, in CSV, different whole numbers.

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
    """The name that pandas gives an index without one: Unnamed: 0, or Unnamed: 0.1 where this is there already."""
    number = 0
    while (name := f"Unnamed: 0.{number}" if number else "Unnamed: 0") in names:
        number += 1
    return name


def counts_rows(text: str, separator: str) -> bool:
    """Whether the first column of a CSV file holds 0, 1, 2 … and nothing else."""
    _, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    return [row[0].strip() for row in rows if row] == [str(number) for number in range(len(rows))]


READERS: dict[str, Callable[[bytes, Path, Columns | None], pl.DataFrame]] = {
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
    refuse_names([names[0] or index_name(names), *names[1:]], path)  # pandas' index has no name
    return names, separator


def count_rows(text: str, separator: str, width: int, path: Path) -> int:
    """Count the rows below the header; refuse one that is not ``width`` values long."""
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
    """Give text that is numbers throughout, such as ' 2', '+2', '.5' or '2,5' beside semicolons, as numbers.

    Where something else stands among such numbers, a mark of what is missing or a slip, the column stays text, and
    its numbers have a point: so they are numbers to whatever understands the mark or names the slip.
    """
    given = with_gaps(column)
    if is_zero_padded(given):
        return given
    numbers = numbers_of(given, separator)
    is_mixed = separator == ";" and is_text(numbers) and are_numbers_mostly(numbers)
    return numbers if is_mixed or not is_text(numbers) else column


def numbers_of(texts: pl.Series, separator: str) -> pl.Series:
    """Give text that is numbers throughout as numbers; in other text give its numbers a decimal point."""
    points = texts.str.replace(",", ".", literal=True) if separator == ";" else texts
    numbers = numbers_in_text(points)
    if not is_text(numbers):
        return numbers
    return points.zip_with(points.cast(load_polars().Float64, strict=False).is_not_null(), texts)
