"""Tables on disk: Parquet files and Arrow datasets, encoded row group by row group.

``stream`` goes through the table once, to learn how its columns are encoded, and returns inputs and targets as row
streams.  ``fit``, ``predict`` and ``score`` read them in blocks; the table is never in memory as a whole.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import FileError, InputError, MissingExtraError, all_of, first_line, some, unknown_name
from workings.support.arrays import Array, working_dtype
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.support.row_stream import RowStream
from workings.tables.cells import MOST_CATEGORIES, load_polars, refuse_missing, with_gaps
from workings.tables.column_statistics import Statistics, TargetStatistics, learned, statistics_of
from workings.tables.columns import refuse_absent
from workings.tables.features import TRAIN_FIX
from workings.tables.files import index_columns
from workings.tables.preprocessing import Preprocessing, index_note, names_in, treatment_of_gaps
from workings.tables.screening import ColumnChoices
from workings.tables.target_column import (
    REGRESSION,
    TASKS,
    ClassTarget,
    NumberTarget,
    Target,
    as_labels,
    decide_task,
    task_of_whole_numbers,
)

if TYPE_CHECKING:
    import polars as pl
    from pyarrow import DataType, Field, Schema
    from pyarrow.dataset import Dataset, Fragment


@dataclass(frozen=True, eq=False)
class TableStream(CheckedKeywords):
    """A table on disk as inputs and targets that are read in blocks; ``stream`` makes it.

    Attributes
    ----------
    X : RowStream
        The encoded inputs, of shape (n, n_features).
    y : RowStream or None
        The encoded targets, of shape (n,); None for a table without the target column.
    preprocessing : Preprocessing
        How the columns are encoded.
    """

    X: RowStream
    y: RowStream | None
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.X)


@checked_keywords
def stream(
    source: object,
    target: str | None = None,
    *,
    preprocessing: Preprocessing | Mapping[str, object] | None = None,
    task: str = "auto",
    missing: str | None = None,
    drop: Iterable[str] = (),
    use: Iterable[str] = (),
    max_categories: int | None = None,
    dtype: DTypeLike = np.float64,
    window: int | None = None,
    unknown: str = "error",
) -> TableStream:
    """Return a table on disk as inputs and targets that ``fit`` reads in blocks.

    One pass over the table learns the columns: exact means and standard deviations, and the categories.  Columns have
    the types of the file: text is a category, never a number.  Missing numbers are filled with the mean, because a
    median would need all values at once.  All else is as in ``Preprocessing.learn``.

    Parameters
    ----------
    source : path, or pyarrow.dataset.Dataset
        A Parquet file, a folder of Parquet files, or an Arrow dataset.  Folders with names such as ``year=2024`` give
        a column ``year``.
    target : str
        The target column.
    preprocessing : Preprocessing or dict, optional
        The columns of a model (``network.preprocessing``), to predict with it; nothing is learned then.
    task, missing, drop, use, max_categories :
        As in :meth:`workings.tables.Preprocessing.learn`.
    dtype : dtype
        float64, or float32 to train in half the memory.
    window : int, optional
        The number of rows that are shuffled together, see :class:`workings.RowStream`.  The blocks are the row groups
        of the file: row groups of 10,000 to 100,000 rows are read fast and shuffled well.
    unknown : str
        As in ``Preprocessing.transform``.

    Raises
    ------
    FileError
        If there is no such table, or if its files have different columns.
    InputError
        For an unknown column or task, missing targets, and columns that cannot be encoded.
    MissingExtraError
        If pyarrow or polars is not installed.

    Examples
    --------
    >>> import tempfile, polars
    >>> from workings import Adam, Dense, Network
    >>> table = polars.DataFrame({"weight": [150, 7, 143, 9], "colour": ["red", "blue", "red", "blue"],
    ...                           "fruit": ["a", "b", "a", "b"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.write_parquet(folder + "/fruit.parquet", row_group_size=2)
    ...     data = stream(folder + "/fruit.parquet", "fruit")
    ...     net = Network([Dense(2)], loss="CrossEntropy", seed=0)
    ...     _ = net.fit(data.X, data.y, optimizer=Adam(0.1), epochs=20, batch_size=2)
    ...     net.score(data.X, data.y)
    1.0
    """
    table = DiskTable.open(source)
    if preprocessing is None:
        if target is None:
            raise InputError("target is missing: name the column to predict, or give the preprocessing of a model.")
        choices = ColumnChoices(treatment_of_gaps(False, missing), tuple(drop), tuple(use), max_categories)
        known = learn(table, target, task, choices)
    else:
        known = preprocessing if isinstance(preprocessing, Preprocessing) else Preprocessing.from_dict(preprocessing)
    numbers = working_dtype(None, dtype)
    X = RowStream(EncodedInputs(table, known, unknown, numbers), window=window)
    has_target = known.target.name in table.names
    y = RowStream(EncodedTargets(table, known, numbers), name="y") if has_target else None
    return TableStream(X, y, known)


def load_datasets() -> Any:
    """Import ``pyarrow.dataset``; raise an error that names the extra if it is not installed."""
    try:
        import pyarrow.dataset as datasets
    except ImportError as error:
        raise MissingExtraError("pyarrow", "stream") from error
    return datasets


class DiskTable:
    """A table of an Arrow dataset, in pieces of consecutive rows: row groups, or whole files of another format.

    Attributes
    ----------
    names : list of str
        The columns.
    schema : pyarrow.Schema
        The columns and their types, equal for all pieces.
    starts : int array
        The first row of each piece.
    """

    def __init__(self, pieces: list[Fragment], rows: list[int], schema: Schema, title: str) -> None:
        self.pieces, self.schema, self.names, self.title = pieces, schema, list(schema.names), title
        self.starts, self.rows = np.cumsum([0, *rows[:-1]]), sum(rows)
        self.kept: dict[tuple[str, ...], tuple[int, Any]] = {}  # the piece that was read last, by its columns
        self.lock = threading.Lock()

    @classmethod
    def open(cls, source: Any) -> DiskTable:
        """Open a Parquet file, a folder of them, or an Arrow dataset.

        Raises
        ------
        FileError
            If there is no such table, it has no rows, or its files have different columns.
        """
        datasets = load_datasets()
        title = repr(str(source)) if isinstance(source, (str, os.PathLike)) else "The dataset"
        if not isinstance(source, datasets.Dataset):
            source = open_parquet(source, datasets)
        pieces: list[Fragment] = []
        rows = list[int]()
        try:
            fragments = list(fragments_of(source))
            schema = common_schema(fragments, source.schema, title)
            for fragment in fragments:
                found = pieces_of(fragment)
                pieces += found
                rows += found.values()
        except FileError:
            raise
        except (OSError, ValueError) as error:  # pyarrow's own errors are of these classes
            raise unreadable(title, error) from error
        if not sum(rows):
            raise FileError(f"{title} has no rows. Add at least two.")
        return cls(pieces, rows, schema, title)

    def frame(self, start: int, stop: int, names: list[str]) -> pl.DataFrame:
        """Read some columns of some rows."""
        polars, frames = load_polars(), []
        first, last = np.searchsorted(self.starts, [start, max(stop - 1, start)], side="right") - 1
        for number in range(first, last + 1):
            begin = int(self.starts[number])
            frames.append(self.piece(number, tuple(names))[max(start - begin, 0) : stop - begin])
        frame: pl.DataFrame = polars.concat(frames)
        return frame

    def piece(self, number: int, names: tuple[str, ...]) -> pl.DataFrame:
        """Read some columns of a piece; the last one that was read is kept, because slices may be smaller."""
        with self.lock:
            if self.kept.get(names, (-1, None))[0] != number:
                self.kept.pop(names, None)  # first, so that two pieces are not in memory at once
                try:
                    read = self.pieces[number].to_table(schema=self.schema, columns=list(names))
                except (OSError, ValueError) as error:
                    raise unreadable(self.title, error) from error
                self.kept[names] = (number, load_polars().from_arrow(read))
            frame: pl.DataFrame = self.kept[names][1]
            return frame

    def blocks(self, names: list[str]) -> Iterator[pl.DataFrame]:
        """Yield some columns of all rows, piece by piece."""
        for start, stop in zip(self.starts.tolist(), [*self.starts[1:].tolist(), self.rows], strict=True):
            if stop > start:
                yield self.frame(start, stop, names)


def open_parquet(source: Any, datasets: Any) -> Any:
    """Open a Parquet file, or a folder of them, as a dataset."""
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"A table on disk is a path of a Parquet file or folder, or a pyarrow.dataset.Dataset, not "
            f"{type(source).__name__}. For arrays on disk, see RowStream."
        )
    path = Path(source)
    files = parquet_files(path) if path.is_dir() else [path]
    if not path.exists():
        raise FileError(f"There is no file {str(path)!r}. Check the name and the folder.")
    if not files or (path.is_file() and path.suffix.lower() != ".parquet"):
        what = "has no .parquet files" if path.is_dir() else "is no Parquet file"
        raise FileError(
            f"{str(path)!r} {what}. Tables on disk are Parquet files: "
            f'polars.scan_csv("table.csv").sink_parquet("table.parquet") converts a CSV file.'
        )
    try:
        folders = {"partitioning": "hive", "partition_base_dir": str(path)} if path.is_dir() else {}
        return datasets.dataset([str(file) for file in files], format="parquet", **folders)
    except (OSError, ValueError) as error:
        raise FileError(f"{str(path)!r} is not readable as Parquet: {first_line(error)}. Write it again.") from error


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder; names that begin with "." or "_" are those of unfinished or other files."""
    names = {file: file.relative_to(folder).parts for file in sorted(folder.rglob("*.parquet"))}
    return [file for file, parts in names.items() if not any(part.startswith((".", "_")) for part in parts)]


def fragments_of(dataset: Dataset) -> Iterator[Fragment]:
    """Return the files of a dataset; raise for a dataset that is filtered, because its rows cannot be counted."""
    try:
        found: Iterator[Fragment] = dataset.get_fragments()
    except ValueError as error:
        raise FileError(
            "The dataset is filtered, so its rows are known only when it is read as a whole. Write the rows once: "
            'pyarrow.dataset.write_dataset(dataset, "folder", format="parquet").'
        ) from error
    return found


def pieces_of(fragment: Fragment) -> dict[object, int]:
    """Return the row groups of a Parquet file, or another file as a whole, with the number of rows of each."""
    if not hasattr(fragment, "split_by_row_group"):
        return {fragment: fragment.count_rows()}
    return {piece: sum(group.num_rows for group in piece.row_groups) for piece in fragment.split_by_row_group()}


def unreadable(title: str, error: Exception) -> FileError:
    """Return an error of pyarrow in words of ours."""
    return FileError(
        f"{title} cannot be read: {first_line(error)}. Write or copy it again, and do not change it while it is in use."
    )


def common_schema(fragments: Sequence[Fragment], schema: Schema, title: str) -> Schema:
    """Return the columns of all files with types that hold the values of each file, such as float64 for int64 as well.

    Columns that names of folders give, as in ``year=2024/rows.parquet``, are in the schema and in no file.

    Raises
    ------
    FileError
        If the files have different columns, or if a column has types that have nothing in common.
    """
    from pyarrow.dataset import get_partition_keys

    for fragment in fragments:
        own, name = fragment.physical_schema, getattr(fragment, "path", "one")
        if {*own.names, *get_partition_keys(fragment.partition_expression)} != set(schema.names):
            raise FileError(
                f"{title} has files with different columns: {name!r} has {some(own.names)}, "
                f"others have {some(schema.names)}. Write all files with the same columns."
            )
        for field in own:
            place = schema.get_field_index(field.name)
            found = common_type(schema.field(place), field)
            if found is None:
                raise FileError(
                    f"{title} has files with different types of column {field.name!r}: {field.type} in {name!r}, "
                    f"{schema.field(place).type} in others. Write all files with the same types."
                )
            schema = schema.set(place, schema.field(place).with_type(found))
    return schema


def common_type(one: Field, other: Field) -> DataType | None:
    """Return a type that holds the values of two columns; None if there is none."""
    import pyarrow

    if one.type == other.type:
        return one.type
    both = [pyarrow.schema([pyarrow.field("", plain_text(field.type))]) for field in (one, other)]
    try:
        return pyarrow.unify_schemas(both, promote_options="permissive").field(0).type
    except (pyarrow.ArrowTypeError, pyarrow.ArrowInvalid):
        return None


def plain_text(kind: DataType) -> DataType:
    """Return the type of the values of a categorical column, and one type for all kinds of text."""
    import pyarrow

    kind = getattr(kind, "value_type", kind) if pyarrow.types.is_dictionary(kind) else kind
    return pyarrow.large_string() if str(kind) in ("string", "string_view") else kind


class EncodedInputs:
    """The source of the encoded inputs of a table."""

    def __init__(self, table: DiskTable, preprocessing: Preprocessing, unknown: str, dtype: np.dtype[Any]) -> None:
        self.table, self.preprocessing, self.unknown, self.dtype = table, preprocessing, unknown, dtype
        self.starts = table.starts
        self.names = list(dict.fromkeys(column.source for column in preprocessing.columns))
        refuse_absent(self.names, table.names)

    def __len__(self) -> int:
        return self.table.rows

    def __getitem__(self, rows: slice) -> Array:
        frame = self.table.frame(rows.start, rows.stop, self.names)
        return self.preprocessing.transform(frame, unknown=self.unknown).astype(self.dtype, copy=False)


class EncodedTargets:
    """The source of the encoded targets of a table: labels, or standardized numbers."""

    def __init__(self, table: DiskTable, preprocessing: Preprocessing, dtype: np.dtype[Any]) -> None:
        self.table, self.preprocessing, self.dtype = table, preprocessing, dtype
        self.starts = table.starts

    @property
    def labels(self) -> Array | None:
        """The labels that occur; None for numbers."""
        return np.array(self.preprocessing.classes) if self.preprocessing.classes else None

    def __len__(self) -> int:
        return self.table.rows

    def __getitem__(self, rows: slice) -> Array:
        targets = self.preprocessing.targets(self.table.frame(rows.start, rows.stop, [self.preprocessing.target.name]))
        return targets if self.preprocessing.classes else targets.astype(self.dtype, copy=False)


def learn(table: DiskTable, target: str, task: str, choices: ColumnChoices) -> Preprocessing:
    """Learn the encoding of the columns and the target in one pass."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    empty = table.frame(0, 0, table.names)
    if target not in table.names:
        raise unknown_name("target column", target, table.names)
    dropped = names_in(empty, target, choices.drop, "drop")
    used = names_in(empty, target, choices.use, "use")
    index = [name for name in index_columns(empty) if name not in (target, *dropped, *used)]
    names = [name for name in table.names if name not in {target, *dropped, *index}]
    if not names:
        raise InputError(f"There is no column except the target {target!r} to learn from. Add one, or drop fewer.")
    statistics = {name: statistics_of(empty[name]) for name in names}
    of_target, row = TargetStatistics(empty[target]), 0
    for frame in table.blocks([*names, target]):
        add_block(statistics, of_target, frame, choices, row)
        row += frame.height
    columns, notes = learned([each for several in statistics.values() for each in several], choices)
    if not columns:
        raise InputError(f"No column is left to learn from: {'; '.join(notes)}. Name one to use it anyway: use=.")
    found, reason = learned_target(of_target, task)
    return Preprocessing(tuple(columns), found, reason + index_note(index), tuple(notes))


def add_block(
    statistics: Mapping[str, list[Statistics]],
    target: TargetStatistics,
    frame: pl.DataFrame,
    choices: ColumnChoices,
    row: int,
) -> None:
    """Add a block of rows to the statistics; one error lists all problems of the block."""
    problems = list[InputError]()
    try:
        refuse_missing([with_gaps(frame[target.name])], "Training needs the target of every row: fill it in.")
        target.add(with_gaps(frame[target.name]))
        if choices.missing == "refuse":
            refuse_missing([with_gaps(frame[name]) for name in statistics], TRAIN_FIX)
    except InputError as problem:
        problems.append(problem)
    for name, several in statistics.items():
        try:
            for each in several:
                each.add(frame[name])
        except InputError as problem:
            problems.append(problem)
    if problems:
        error = all_of(problems)
        raise InputError(f"{error} (Rows are counted from row {row + 1:,}.)" if row else str(error)) from error


def learned_target(found: TargetStatistics, task: str) -> tuple[Target, str]:
    """Return the target, and the reason for its task."""
    polars, count = load_polars(), len(found.values)
    series = polars.Series(found.name, sorted(found.values))
    reason = f"the task {task} was requested"
    if task == "auto":
        task, because = task_of_whole_numbers(count, found.rows) if found.is_whole else decide_task(series)
        reason = f"the target {found.name!r} is {because}: {task}"
    if task == "regression":
        m = found.moments
        if not found.is_number:
            raise InputError(f"The target {found.name!r} holds no numbers, but regression predicts numbers.")
        if m.are_equal:
            raise InputError(f"The target {found.name!r} is {m.low:g} in every row: there is nothing to predict.")
        return NumberTarget(found.name, m.mean, m.std or 1.0), reason
    if count > MOST_CATEGORIES:
        raise InputError(f"The target {found.name!r} has more than {MOST_CATEGORIES} classes. Use {REGRESSION}.")
    classes = tuple(sorted(set(as_labels(series).to_list())))
    if len(classes) < 2:
        raise InputError(f"The target {found.name!r} has one class, {classes[0]!r}: there is nothing to tell apart.")
    return ClassTarget(found.name, classes), reason
