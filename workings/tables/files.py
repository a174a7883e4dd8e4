"""Read and write tables as CSV and Parquet files.

The type of a CSV column is inferred from all of its values, or given by the columns of a model.  A table keeps the
text of its file, so that a model can read a categorical column as text, whatever type was inferred.  Rows of
different lengths, duplicate names and text that is not UTF-8 raise an error that names the line.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import importlib
import io
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from workings.errors import FileError, InputError, MissingExtraError, count_of, first_line, some, unknown_name
from workings.support.atomic_files import as_path, write_bytes
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.tables.cells import (
    are_numbers_mostly,
    is_text,
    is_zero_padded,
    load_polars,
    number_format,
    numbers_in_text,
    parse_numbers,
    with_gaps,
)
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, columns_in, refuse_absent
from workings.tables.number_text import DECIMALS, GROUPED_BY_POINTS, NumberFormat
from workings.tables.plain_csv import first_fields, plain_text, table_text

if TYPE_CHECKING:
    import polars as pl


@checked_keywords
def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Columns | Mapping[str, object] | None = None,
    decimal: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> pl.DataFrame:
    """Read a CSV, Excel or Parquet file as a table with named, typed columns.

    The type of a CSV column is inferred from all of its values.  The separator (comma, semicolon or tab) is the one
    that splits the header line into the most names, or the one in a first line such as ``sep=;``.  In a file with
    semicolons, numbers may have a decimal comma, also in columns with markers such as NA.  Blanks around names and
    numbers are ignored.  A column without a name and a value, as a separator at the end of each line makes it, is named
    ``Unnamed: 3``.  Whole numbers with a leading zero, such as 007, are text.  An unnamed first column of
    different whole numbers is pandas' index, and is named ``Unnamed: 0``.  Numbers in other formats, such as $1.50,
    45 % or 1.234,5, stay text; ``Preprocessing.learn`` recognizes them.

    Parameters
    ----------
    path : str or path
        A file whose name ends in .csv, .tsv or .txt, with a header line; or in .parquet; or in .xlsx, .xls or .ods
        (with the extra ``excel``).  A CSV file may be compressed: .csv.gz.
    columns : Columns or dict, optional
        The columns of a model (``network.preprocessing``).  Only these and the target are read: categories as text,
        numbers as numbers.
    decimal : str, optional
        CSV: the decimal sign, ``"."`` or ``","``.  Without ``columns``, pass it to ``Preprocessing.learn``, too.
    delimiter : str, optional
        CSV: the character between columns.
    encoding : str, optional
        CSV: the file's encoding, such as ``"cp1252"``; UTF-8 by default.
    sheet : str, optional
        Excel: the name of the sheet, if the file has several.

    Returns
    -------
    polars.DataFrame
        n rows, one column per name.  Its attribute ``file_text`` holds the text of a CSV file, from which a network
        reads its categorical columns; tables derived from this one do not have it.

    Raises
    ------
    FileError
        For a file that is missing, empty, damaged, of an unknown type or encoding, and for rows of different lengths.
    InputError
        If a column has no name, a name occurs twice, a column of the model is missing, there are no rows, or numbers
        such as 1.234 have two readings.
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
    path = as_path(path)
    suffix = known_suffix(path, READERS)
    options = TextOptions(decimal, delimiter, encoding, sheet)
    known = columns if isinstance(columns, Columns | None) else columns_in(columns)
    if suffix not in EXCEL and sheet is not None:
        raise InputError(f"sheet is {sheet!r}, but '{path}' is no Excel file: leave it out (`--sheet`).")
    frame = READERS[suffix](file_bytes(path), path, known, options)
    if frame.height == 0:
        raise InputError(f"'{path}' has column names ({some(frame.columns)}) but no rows. Add at least one.")
    return frame


@dataclass(frozen=True)
class TextOptions(CheckedKeywords):
    """The format of a CSV file; None for properties that are to be detected."""

    decimal: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (None, *DECIMALS):
            raise InputError(f"The decimal sign is '.' or ',', not {self.decimal!r}.")
        if self.delimiter is not None and (
            len(self.delimiter) != 1 or self.delimiter in '\r\n"' + (self.decimal or "")
        ):
            raise InputError(
                f"The delimiter {self.delimiter!r} is not one character between columns, such as ';'. It is neither a "
                f"quote nor the decimal sign."
            )
        try:
            codecs.lookup(self.encoding or "utf-8")
        except (LookupError, ValueError) as error:
            raise InputError(f"Unknown encoding {self.encoding!r}. Usual are utf-8, cp1252 and utf-16.") from error

    def decode(self, content: bytes, path: Path) -> str:
        """Decode a file: UTF-8, with or without the byte order mark that spreadsheets write, or the given encoding."""
        usual = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        encoding = self.encoding or usual
        if encoding == "utf-8-sig" and 4 * content[:1000].count(0) > len(content[:1000]):
            raise FileError(
                f"'{path}' looks like UTF-16 without the mark at its beginning, because many of its bytes are 0. Name "
                f'its encoding: `--encoding utf-16-le` or `--encoding utf-16-be` (encoding="utf-16-le").'
            )
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise FileError(
                f"'{path}' is not {ENCODING_NAMES.get(encoding, encoding)} text: byte {content[error.start]:#04x} in "
                f"line {line}. Save it as 'CSV UTF-8', or name its encoding, such as `--encoding cp1252` "
                f'(encoding="cp1252").'
            ) from error
        except (UnicodeError, LookupError, TypeError, AssertionError) as error:  # of codecs that are no text encodings
            raise FileError(f"'{path}' cannot be decoded as {encoding!r}: {first_line(error)}.") from error
        return str(text).removeprefix("\ufeff")


ENCODING_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "utf-16": "UTF-16"}


@checked_keywords
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
    path = as_path(path)
    write = WRITERS[known_suffix(path, WRITERS)]
    errors = load_polars().exceptions
    content = io.BytesIO()
    try:
        write(frame, content)
    except errors.PolarsError as error:
        raise FileError(f"'{path}' cannot hold this table: {error}. Choose another file type.") from error
    write_bytes(path, content.getvalue())


def known_suffix(path: Path, known: Iterable[str]) -> str:
    """Return the suffix of a table's file, with that before .gz; raise for an unknown one."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        suffix = Path(path.stem).suffix.lower() + suffix
    if suffix not in known:
        raise FileError(f"'{path}' ends in {suffix!r}, but a table is a file in {', '.join(known)}. Save it as CSV.")
    return suffix


def file_bytes(path: Path) -> bytes:
    """Read a whole file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(f"There is no file '{path}'. Check the name and the folder.") from error
    except (OSError, ValueError) as error:
        raise FileError(f"'{path}' cannot be read: {error}.") from error
    if path.suffix.lower() == ".gz":
        content = unzipped(content, path)
    if not content.strip(b"\r\n\t \xef\xbb\xbf"):
        raise FileError(f"'{path}' is empty: a table has a line of column names and at least one row.")
    return content


def unzipped(content: bytes, path: Path) -> bytes:
    """Decompress a file that ends in .gz."""
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"'{path}' is not a readable .gz file: {first_line(error)}. Compress it again.") from error


def read_excel(content: bytes, path: Path, known: Columns | None, options: TextOptions) -> pl.DataFrame:
    """Read a sheet of an Excel file; with ``known``, only the model's columns."""
    frame = excel_sheet(content, path, options.sheet)
    refuse_names(frame.columns, path)
    texts = [column for column in frame if is_text(column) and not is_zero_padded(column)]
    frame = frame.with_columns([numbers_in_text(column) for column in texts])
    return frame if known is None else frame.select(known_names(frame.columns, known))


def excel_sheet(content: bytes, path: Path, sheet: str | None) -> pl.DataFrame:
    """Return a sheet as a table; without its name, the only one that is not empty."""
    try:
        importlib.import_module("fastexcel")
    except ImportError as error:
        raise MissingExtraError("fastexcel", "excel") from error
    polars = load_polars()
    try:
        found = polars.read_excel(io.BytesIO(content), sheet_id=0, raise_if_empty=False)
    except Exception as error:  # of fastexcel, which has classes of its own
        raise FileError(f"'{path}' is not a readable Excel file: {first_line(error)}. Save it again.") from error
    sheets: dict[str, pl.DataFrame] = {name: frame for name, frame in found.items() if frame.width}
    if sheet is not None and sheet not in found:
        raise unknown_name("sheet", sheet, found)
    if sheet is None and len(sheets) > 1:
        raise InputError(
            f"'{path}' has {len(sheets)} sheets ({some(sheets)}). Name the sheet of the table: `--sheet NAME` (sheet=)."
        )
    if not sheets or (sheet is not None and sheet not in sheets):
        raise FileError(f"'{path}' is empty: a table has a line of column names and at least one row.")
    return sheets[sheet or next(iter(sheets))]


def read_parquet(content: bytes, path: Path, known: Columns | None, options: TextOptions) -> pl.DataFrame:
    """Read a Parquet file; with ``known``, only the model's columns."""
    frame = parquet_frame(content, path)
    refuse_names(frame.columns, path)
    return frame if known is None else frame.select(known_names(frame.columns, known))


READ_PARQUET = """
import io, sys
import polars
try:
    frame = polars.read_parquet(io.BytesIO(sys.stdin.buffer.read()))
    frame.write_ipc_stream(sys.stdout.buffer)
except BaseException as error:
    sys.stderr.write((str(error).splitlines() or [type(error).__name__])[0])
    sys.exit(3)
"""


def parquet_frame(content: bytes, path: Path) -> pl.DataFrame:
    """Read a Parquet file in a process of its own, because a damaged file can make polars end the process."""
    polars = load_polars()
    if content[:4] != b"PAR1" or content[-4:] != b"PAR1" or len(content) < 12:
        raise FileError(f"'{path}' is not a readable Parquet file: it is not complete. Write or copy it again.")
    done = subprocess.run([sys.executable, "-P", "-c", READ_PARQUET], input=content, capture_output=True, check=False)
    if done.returncode == 0:
        frame: pl.DataFrame = polars.read_ipc_stream(io.BytesIO(done.stdout))
        return frame
    reason = first_line(Exception(done.stderr.decode(errors="replace").strip())) if done.returncode == 3 else ""
    raise FileError(
        f"'{path}' is not a readable Parquet file: {reason or 'polars ended while it read it'}. Write or copy it again."
    )


def read_csv_file(content: bytes, path: Path, known: Columns | None, options: TextOptions) -> pl.DataFrame:
    """Read a CSV file; with ``known``, only the model's columns, with the model's types."""
    polars = load_polars()
    refuse_other_kinds(content, path)
    whole = options.decode(content, path)
    text, names, separator = read_header(whole, path, options.delimiter)
    skipped = int(len(text) < len(whole))  # a line such as sep=;
    text = (
        text.rstrip("\r\n") + "\n" if len(names) > 1 else text
    )  # in a single column, an empty line is a missing value
    n = count_rows(text, separator, names, path, skipped)
    if not names[0] and (known is not None or is_row_index(text, separator)):
        names[0] = index_name(names)
    refuse_names(names, path)
    file = FileText(text.encode(), tuple(names), separator, options.decimal, skipped)
    try:
        frame = file.inferred() if known is None else file.typed_for(known)
    except polars.exceptions.PolarsError as error:
        where = stray_quote(text, separator, skipped)
        raise FileError(
            f"'{path}' is not a readable CSV file: {first_line(error)}. Check its quotes{where}."
        ) from error
    if frame.height != n:
        raise FileError(
            f"'{path}' has {n} or {frame.height} rows, depending on how its quotes and line ends are read. "
            f"Save it again."
        )
    vars(frame)["line_of"] = file.line_of
    if known is None:
        vars(frame)["file_text"] = replace(file, table=frame.clone())
    return frame


def stray_quote(text: str, separator: str, skipped: int = 0) -> str:
    """Say which line has the first quote inside a value without quotes; empty if none has.

    >>> stray_quote('a,b\\n1,5" pipe\\n', ",")
    ': line 2 has one inside a value. Double it there, and put the value in quotes'
    """
    inside = re.compile(f'(?:^|{re.escape(separator)})[^"{re.escape(separator)}]+"')
    line = next(
        (number for number, line in enumerate(text.split("\n"), start=1 + skipped) if inside.search(line)), None
    )
    return f": line {line} has one inside a value. Double it there, and put the value in quotes" if line else ""


def refuse_other_kinds(content: bytes, path: Path) -> None:
    """Raise for a file that begins like one of another kind, such as a zip archive."""
    for start, (kind, fix) in OTHER_KINDS.items():
        if content.startswith(start):
            raise FileError(f"'{path}' is no text but {kind}. {fix}")


UNPACK = "Unpack it, and pass the CSV file in it."
OTHER_KINDS = {
    b"\x1f\x8b": ("compressed with gzip", "Name it so that it ends in .csv.gz."),
    b"PK\x03\x04": ("a zip archive or an Excel file", f"{UNPACK} Name an Excel file so that it ends in .xlsx."),
    b"PAR1": ("a Parquet file", "Name it so that it ends in .parquet."),
    b"\xd0\xcf\x11\xe0": ("an Excel file", "Name it so that it ends in .xls."),
    b"(\xb5/\xfd": ("compressed with zstd", UNPACK),
    b"BZh": ("compressed with bzip2", UNPACK),
    b"\xfd7zXZ": ("compressed with xz", UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", UNPACK),
    b"%PDF-": ("a PDF", "Copy its table into a spreadsheet, and save it as CSV."),
}


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
    decimal : str or None
        The decimal sign, if it is known.
    skipped : int
        The number of lines before the header line.
    table : polars.DataFrame or None
        The table that was read from it.  A column that has changed since then is not read again.
    """

    content: bytes
    names: tuple[str, ...]
    separator: str
    decimal: str | None = None
    skipped: int = 0
    table: pl.DataFrame | None = None

    def texts(self, names: Iterable[str], exact: Container[str] = ()) -> pl.DataFrame:
        """Return some columns as text without surrounding blanks, with null for missing values.

        Those in ``exact`` keep their blanks.
        """
        places = sorted({self.names.index(name) for name in names})
        frame: pl.DataFrame = load_polars().read_csv(
            self.content, separator=self.separator, infer_schema=False, columns=places
        )
        frame.columns = [self.names[place] for place in places]
        return frame.with_columns([with_gaps(column) for column in frame if column.name not in exact])

    def line_of(self, row: int) -> int:
        """Return the line of the file in which a row begins; values with line ends and empty lines count."""
        rows = csv.reader(io.StringIO(self.content.decode(), newline=""), delimiter=self.separator)
        count, line = -1, 1
        for values in rows:
            if values or len(self.names) == 1:
                if count == row:
                    break
                count += 1
            line = rows.line_num + 1
        return line + self.skipped

    @property
    def has_commas(self) -> bool:
        """Whether a comma is the decimal sign: in files with semicolons, unless the decimal sign is given."""
        return self.separator == ";" if self.decimal is None else self.decimal == ","

    def inferred(self) -> pl.DataFrame:
        """Return all columns, with types inferred from all of their values."""
        polars = load_polars()
        unusual = self.unusual_columns()
        frame: pl.DataFrame = polars.read_csv(
            self.content, separator=self.separator, infer_schema_length=None, schema_overrides=unusual
        )
        frame = frame.with_columns(self.dates(frame, unusual))
        frame = frame.rename(dict(zip(frame.columns, self.names, strict=False)))
        again = [column.name for column in frame if self.is_read_again(column)]
        if again:
            frame = frame.with_columns(list(self.texts(again)))
        texts = [each for each in frame if each.dtype == polars.String]
        frame = frame.with_columns([self.parse_text_column(each) for each in texts])
        whole = [column.name for column in frame if column.dtype.is_integer()]
        if not whole or not LEADING_ZERO.search(self.content):
            return frame
        return frame.with_columns([texts for texts in self.texts(whole) if is_zero_padded(texts)])

    def dates(self, frame: pl.DataFrame, unusual: Mapping[str, object]) -> list[pl.Series]:
        """Return the text columns that may hold dates in ISO format, converted if all of their values are.

        Other formats stay text, because polars would read 05/01/2024 with the day first.  Only these columns are parsed
        as dates: for all columns of a large file, this takes ten times the time of reading.
        """
        polars = load_polars()
        places = [
            place
            for place, column in enumerate(frame)
            if column.dtype == polars.String and column.name not in unusual and starts_like_iso_date(column)
        ]
        return self.parsed_dates(places)

    def parsed_dates(self, places: list[int]) -> list[pl.Series]:
        """Return columns with their dates converted, without those that also hold other texts."""
        polars = load_polars()
        if not places:
            return []
        try:
            found: pl.DataFrame = polars.read_csv(
                self.content, separator=self.separator, infer_schema_length=None, try_parse_dates=True, columns=places
            )
        except polars.exceptions.ComputeError:
            half = len(places) // 2
            return [*self.parsed_dates(places[:half]), *self.parsed_dates(places[half:])] if half else []
        return found.get_columns()

    def unusual_columns(self) -> dict[str, object]:
        """Return the columns to read as text first: with very long whole numbers, or digits of other scripts."""
        polars = load_polars()
        if not UNUSUAL_DIGITS.search(self.content):
            return {}
        frame = polars.read_csv(self.content, separator=self.separator, infer_schema=False)
        unusual = r"^\s*[+-]?\d{19,}\s*$|[^\x00-\x7f]"
        return {column.name: polars.String for column in frame if column.str.contains(unusual).any()}

    def is_read_again(self, column: pl.Series) -> bool:
        """Return whether numbers with points are read as text: a point may separate thousands."""
        return column.dtype.is_float() and (self.decimal == "," or (self.decimal is None and self.separator == ";"))

    def typed_for(self, known: Columns) -> pl.DataFrame:
        """Return the columns and the target of a model: categories as text, numbers as numbers.

        Numbers in a format of their own stay text; the model's columns parse them.
        """
        names = known_names(self.names, known)
        forms = {column.name: column.form for column in known.numbers if column.date is None}
        forms |= {known.target: known.target_form} if known.scale else {}
        texts = self.texts(names, with_blanks(known.columns))
        return texts.with_columns([self.numbers(texts[name], forms[name]) for name in names if name in forms])

    def model_columns(self, table: Any, columns: Sequence[Column]) -> dict[str, pl.Series]:
        """Read some columns again with a model's types, if the table's values are unchanged since reading.

        A numeric column that was read as numbers is not read again, unless the model knows another format.
        """
        assert self.table is not None
        wanted = {
            column.source: column
            for column in columns
            if column.source in self.table.columns
            and not (
                isinstance(column, NumberColumn)
                and column.form is None
                and self.table[column.source].dtype.is_numeric()
            )
            and table[column.source].equals(self.table[column.source])
        }
        texts: Iterable[pl.Series] = self.texts(wanted, with_blanks(wanted.values())) if wanted else ()
        return {
            each.name: self.numbers(each, column.form) if is_number(column) else each
            for each in texts
            for column in [wanted[each.name]]
        }

    def numbers(self, texts: pl.Series, form: NumberFormat | None) -> pl.Series:
        """Convert the text of a numeric column to numbers, if all its values are numbers in the model's format.

        A given decimal sign replaces the format's.
        """
        if self.decimal is None and form is not None:
            return texts  # the column parses them
        if self.decimal is not None:
            found = number_format(texts, self.decimal)
            if found is not None and (form is None or found.unit == form.unit):
                return parse_numbers(texts, found)
            return texts if form is not None else self.parse_plain(texts)
        if self.separator == ";":
            number_format(texts.filter(texts.str.contains(POINTS_ONLY).fill_null(True)))  # raises if it is ambiguous
        return self.parse_plain(texts)

    def parse_text_column(self, column: pl.Series) -> pl.Series:
        """Convert text to numbers if all values are numbers, such as ' 2', '+2', '.5', or '2,5' beside semicolons.

        A column that also holds markers of missing values or typing errors stays text, but its decimal commas become
        points, so that later steps can parse the numbers.  So does one whose points may separate thousands.
        """
        given = with_gaps(column)
        if is_zero_padded(given) or self.may_have_thousands(given):
            return given
        numbers = self.parse_plain(given)
        if numbers.dtype.is_float() and merges_codes(given, numbers):
            return given
        is_mixed = self.has_commas and is_text(numbers) and are_numbers_mostly(numbers)
        return numbers if is_mixed or not is_text(numbers) else column

    def may_have_thousands(self, texts: pl.Series) -> bool:
        """Return whether a column has separators of thousands, or points that may be."""
        if self.decimal == ",":
            return bool(texts.str.contains(r"\.").any())
        if bool(texts.str.contains(r"\d\.\d.*,|\d,\d.*\.").any()):
            return True
        known = texts.drop_nulls()
        with_points = known.filter(known.str.contains(".", literal=True))
        is_grouped = bool(with_points.str.contains(GROUPED_BY_POINTS).all())
        return self.decimal is None and self.separator == ";" and len(with_points) > 0 and is_grouped

    def parse_plain(self, texts: pl.Series) -> pl.Series:
        """Convert text to numbers if all values are numbers; otherwise only replace decimal commas in its numbers."""
        points = texts.str.replace(",", ".", literal=True) if self.has_commas else texts
        numbers = numbers_in_text(points)
        if not is_text(numbers):
            return numbers
        return points.zip_with(parse_numbers(points).is_not_null(), texts)


def merges_codes(texts: pl.Series, numbers: pl.Series) -> bool:
    """Return whether float64 makes different whole numbers equal, such as account numbers of 39 digits."""
    are_long = bool(texts.str.contains(r"^[+-]?\d{16,}$").any())
    return are_long and numbers.n_unique() < texts.n_unique() and bool(texts.str.contains(r"^[+-]?\d+$").all())


def with_blanks(columns: Iterable[Column]) -> set[str]:
    """Return the categorical columns whose categories are not ``plain_text``, as an imported model's may be."""
    words = [column for column in columns if isinstance(column, CategoryColumn)]
    return {column.source for column in words if any(word != plain_text(word) for word in column.categories)}


UNUSUAL_DIGITS = re.compile(rb"\d{19}|[^\x00-\x7f]")
POINTS_ONLY = r"^[^,]*$"
FEWEST_NAMES = 3  # a row of fewer values may be equal to the names by chance


def starts_like_iso_date(texts: pl.Series) -> bool:
    """Return whether the first value of a text column starts like a date in ISO format."""
    first = texts.drop_nulls().head(1).str.strip_chars(' \t"')
    return bool(first.str.contains(r"^\d{4}-\d").any())


def is_number(column: Column) -> TypeGuard[NumberColumn]:
    """Return whether a column holds numbers, and not dates."""
    return isinstance(column, NumberColumn) and column.date is None


LEADING_ZERO = re.compile(rb'(?m)(?:^|[\s,;"])0\d')  # at the beginning of a value


def known_names(names: Sequence[str], known: Columns) -> list[str]:
    """Return the names of a model's columns and target in a file; raise if a feature column is missing."""
    wanted = [column.source for column in known.columns]
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


EXCEL = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
READERS: dict[str, Callable[[bytes, Path, Columns | None, TextOptions], pl.DataFrame]] = {
    **dict.fromkeys(TEXT, read_csv_file),
    ".parquet": read_parquet,
    **dict.fromkeys(EXCEL, read_excel),
}
WRITERS: dict[str, Callable[[pl.DataFrame, io.BytesIO], None]] = {
    ".csv": lambda frame, file: frame.write_csv(file),
    ".tsv": lambda frame, file: frame.write_csv(file, separator="\t"),
    ".txt": lambda frame, file: frame.write_csv(file),
    ".parquet": lambda frame, file: frame.write_parquet(file),
}


def read_header(text: str, path: Path, delimiter: str | None = None) -> tuple[str, list[str], str]:
    """Return the text from its header line on, the column names, and the separator.

    Unless it is given, the separator is the character that splits the first line into the most names.

    >>> read_header("a;'b,c';d\\n1;2;3\\n", Path("t.csv"))[1:]
    (['a', "'b,c'", 'd'], ';')
    """
    try:
        text, separator = table_text(text)
        separator = delimiter or separator
        names = [name.strip() for name in first_fields(text, separator)]
    except (csv.Error, StopIteration) as error:
        raise FileError(f"'{path}' is not readable in its first line: {error}. Check the quotes there.") from error
    if not names:
        raise FileError(f"The first line of '{path}' is empty, but must hold the column names. Remove it.")
    names = with_names_of_empty(names, text, separator)
    refuse_names([names[0] or index_name(names), *names[1:]], path)  # pandas' index column may have no name
    return text, names, separator


def with_names_of_empty(names: list[str], text: str, separator: str) -> list[str]:
    """Return the names of all columns, as pandas names those that have neither a name nor a value.

    A separator at the end of each line makes such a column.

    >>> with_names_of_empty(["a", "", ""], "a,,\\n1,,2\\n", ",")
    ['a', 'Unnamed: 1', '']
    """
    empty = {place for place, name in enumerate(names) if not name}
    if not empty:
        return names
    try:
        _, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error:  # which a later step names
        return names
    empty -= {place for place in empty for row in rows if "".join(row[place : place + 1]).strip()}
    return [f"Unnamed: {place}" if place in empty else name for place, name in enumerate(names)]


def count_rows(text: str, separator: str, names: Sequence[str], path: Path, skipped: int = 0) -> int:
    """Count the rows below the header; raise for a row without a value for each name, and for a second header."""
    width, repeated = len(names), list[int]()
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    n = -1
    try:
        for row in rows:
            if len(row) != width and (row or width > 1):
                title = " If line 1 is a title, remove it: the names come first." if width == 1 else ""
                raise FileError(
                    f"'{path}' has {count_of(len(row), 'value')} in line {rows.line_num + skipped}, but {width} column "
                    f"names. Give every line one value for each column; a value with {separator!r} in it needs "
                    f"quotes.{title}"
                )
            if n >= 0 and width >= FEWEST_NAMES and row[0].strip() == names[0] and [*map(str.strip, row)] == names:
                repeated.append(rows.line_num + skipped)
            n += 1
    except csv.Error as error:
        raise FileError(
            f"'{path}' is not readable in line {rows.line_num + skipped}: {error}. Check the quotes there."
        ) from error
    if repeated:
        lines = f"line{'s' if len(repeated) > 1 else ''} {some(repeated)}"
        raise FileError(f"'{path}' repeats its column names in {lines}. Remove them there.")
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
