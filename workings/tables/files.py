"""Files: a CSV or Parquet file as a table with named, typed columns, and back.

The type of a CSV column follows from all of its values; rows that differ in length, names that come twice and text
that is not UTF-8 are refused with their line.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workings.errors import FileError, InputError, counted
from workings.support.atomic_files import write_bytes
from workings.tables.cells import are_numbers_mostly, load_polars, with_gaps
from workings.tables.plain_csv import first_fields, separator_of
from workings.tables.wording import first_line, some

if TYPE_CHECKING:
    import polars as pl


def read_table(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a CSV or Parquet file as a table with named, typed columns.

    The type of a CSV column follows from all of its values.  Its separator (comma, semicolon or
    tab) is the one that divides the header line into the most names; in a file with semicolons a
    decimal comma is understood, beside marks such as NA too.  Blanks around names and numbers do not matter.

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
    polars = load_polars()
    given = with_gaps(column)
    texts = given.str.replace(",", ".", literal=True) if separator == ";" else given
    for dtype in (polars.Int64, polars.Float64):
        numbers: pl.Series = texts.cast(dtype, strict=False)
        if numbers.null_count() == texts.null_count() < len(texts):
            return numbers
    if separator != ";" or not are_numbers_mostly(texts):
        return column
    return texts.zip_with(numbers.is_not_null(), given)
