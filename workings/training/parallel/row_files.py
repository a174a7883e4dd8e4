"""Rows in a file that each worker opens itself, so that no rows pass between processes."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np

from workings.errors import FileError, InputError, MissingExtraError, first_line
from workings.model.targets import Targets
from workings.support.arrays import Array, Features, as_features, describe
from workings.support.json_values import JsonObject
from workings.support.npz import read_npz
from workings.training.rows import Rows

Source = tuple[str, str]  # the path of a file, and a second path or a name in the file


@dataclass(frozen=True)
class RowsInFile:
    """The rows of a file, with the methods of ``Rows`` that tasks use.

    Attributes
    ----------
    source : (str, str)
        The paths of two ``.npy`` files with X and y; the path of an ``.npz`` file; or the path of a Parquet file and
        the name of its target column.
    targets : Targets
        The encoder of the targets, with the labels of the training set.
    n_in : int
        The number of columns of X.
    dtype : str
        The precision of the network.
    preprocessing : str
        How the columns of a table are encoded, as JSON; empty if they are used as they are.
    """

    source: Source
    targets: Targets
    n_in: int
    dtype: str
    preprocessing: str = ""

    def arrays(self) -> tuple[Features, Features]:
        """Return X and y of the file."""
        return arrays_of(self.source, times_of(self.source), self.preprocessing)

    def take(self, chosen: Array | slice) -> Rows:
        """Read and encode some of the rows."""
        X, y = self.arrays()
        rows = np.asarray(X[chosen])
        return Rows(as_features(rows, self.dtype, self.n_in), self.targets.encode(np.asarray(y[chosen]), self.dtype))

    def check(self, rows: Rows, given: int, numbers: Array | None = None) -> None:
        """Check that the file has the rows that ``fit`` was given, on a sample of the training set.

        Parameters
        ----------
        rows : Rows
            The training set.
        given : int
            The number of the rows that ``fit`` was given.
        numbers : int array or None
            The numbers of the training set's rows in the file; None if it has all of them.

        Raises
        ------
        FileError
            If the file cannot be read.
        InputError
            If it has other rows.
        """
        X, y = self.arrays()
        name = Path(self.source[0]).name
        if not len(X) == len(y) == given:
            raise InputError(
                f"{name} has {len(X):,} rows of X and {len(y):,} of y, but fit was given {given:,} rows: give fit "
                "all rows of the file."
            )
        sample = np.unique(np.linspace(0, len(rows.X) - 1, 50).astype(int))
        ours, theirs = rows.take(sample), self.take(sample if numbers is None else numbers[sample])
        if not (np.array_equal(ours.X, theirs.X) and np.array_equal(ours.y, theirs.y)):
            raise InputError(f"{name} has other rows than X and y: give fit the rows of the file, in their order.")


def checked_source(data: object) -> Source | None:
    """Return the paths and names of a file with rows; raise an error for anything else."""
    if data is None:
        return None
    first, second = (data, "") if isinstance(data, (str, Path)) else data if is_pair(data) else ("", "")
    kinds = {".npz": False, ".npy": True, ".parquet": True}
    needs_second = True if Path(first).is_dir() else kinds.get(Path(first).suffix.lower())
    if needs_second is None or bool(second) != needs_second:
        raise InputError(
            'data must be "rows.npz" with arrays X and y, ("X.npy", "y.npy"), or ("rows.parquet", "target column"), '
            f"not {describe(data)}."
        )
    return str(first), str(second)


def is_pair(data: object) -> TypeGuard[tuple[str | Path, str | Path]]:
    """Whether something is a pair of paths or names."""
    return isinstance(data, tuple) and len(data) == 2 and all(isinstance(one, (str, Path)) for one in data)


def times_of(source: Source) -> tuple[int, ...]:
    """Return when the files of a source were changed.

    Raises
    ------
    FileError
        If there is no such file.
    """
    paths = [source[0], *(path for path in source[1:] if source[0].endswith(".npy"))]
    try:
        return tuple(Path(path).stat().st_mtime_ns for path in paths)
    except OSError as error:
        raise FileError(f"A worker cannot open {error.filename}: every worker needs the file at this path.") from error


@functools.lru_cache(maxsize=4)
def arrays_of(source: Source, times: tuple[int, ...], preprocessing: str = "") -> tuple[Features, Features]:
    """Return X and y of files, which a process opens once; arrays of ``.npy`` files stay on disk."""
    path, other = source
    if path.endswith(".npz"):
        return read_npz(Path(path))
    try:
        if path.endswith(".npy"):
            X, y = (np.load(one, mmap_mode="r", allow_pickle=False) for one in source)
            return X, y
        if preprocessing:
            return encoded_arrays(path, json.loads(preprocessing))
        import polars

        table = polars.read_parquet(path)
        return table.drop(other).to_numpy(), table[other].to_numpy()
    except ImportError as error:
        raise MissingExtraError("polars", "cli") from error
    except Exception as error:  # a damaged file can raise any exception
        raise FileError(f"A worker cannot read {path}: {first_line(error)}.") from error


def encoded_arrays(path: str, preprocessing: JsonObject) -> tuple[Array, Array]:
    """Return X and y of a table, encoded as the network knows its columns."""
    from workings.tables.stream import stream

    data = stream(path, preprocessing=preprocessing)
    assert data.y is not None, "fit has read the targets"
    return data.X[0 : len(data)], data.y[0 : len(data)]
