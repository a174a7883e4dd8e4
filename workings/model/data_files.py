"""Data given as a path: the arrays, memory maps or table that it names.

The second argument then names the targets: a second ``.npy`` file, an array of an ``.npz`` file, or a column of a
table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import FileError, InputError, first_line
from workings.support.arrays import Array, Features, describe
from workings.support.json_values import JsonObject
from workings.support.npz import read_arrays


class OpenedData(NamedTuple):
    """Inputs and targets of files.

    Attributes
    ----------
    X, y : arrays, memory maps or row streams
        ``y`` is None if it was not asked for.
    preprocessing : dict or None
        How a table's columns are encoded; None for arrays.
    """

    X: Features
    y: Features
    preprocessing: JsonObject | None = None


def is_path(given: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether data is given as the path of a file."""
    return isinstance(given, (str, os.PathLike))


def is_table(path: object) -> bool:
    """Whether a path is that of a table: a Parquet file, or a folder."""
    return is_path(path) and (Path(path).suffix.lower() == ".parquet" or Path(path).is_dir())


def open_files(
    X: str | os.PathLike[str],
    y: object,
    preprocessing: Mapping[str, object] | None,
    *,
    dtype: DTypeLike = np.float64,
    needs_targets: bool = True,
    learns: bool = False,
) -> OpenedData:
    """Open the files that hold inputs and targets.

    Parameters
    ----------
    X : path
        A ``.npy`` file, an ``.npz`` file with an array X, or a table: a Parquet file or a folder of them.
    y : path, name, array or None
        For ``.npy``, the path of a second file, or an array; for ``.npz``, "y" or None; for a table, the target column.
    preprocessing : dict or None
        How the network's tables are encoded.
    dtype : dtype
        The precision of the inputs of a table.
    needs_targets : bool
        Whether targets are needed.
    learns : bool
        Whether the encoding of a table may be learned.

    Raises
    ------
    FileError
        If a file does not exist or is damaged.
    InputError
        For other kinds of files, and other targets.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(folder + "/rows.npz", X=[[0.0], [1.0]], y=[1, 2])
    ...     open_files(folder + "/rows.npz", "y", None).y
    array([1, 2])
    """
    kind = Path(X).suffix.lower()
    if is_table(X):
        return open_table(X, y, preprocessing, dtype, needs_targets=needs_targets, learns=learns)
    if kind == ".npy":
        return OpenedData(memory_map(X), memory_map(y, "y") if is_path(y) else y)
    if kind == ".npz":
        if y is not None and y != "y":
            raise InputError(f'The targets of an .npz file are its array "y", so y must be "y", not {describe(y)}.')
        arrays = read_arrays(Path(X), *("Xy" if needs_targets else "X"))
        return OpenedData(arrays[0], arrays[1] if needs_targets else None)
    raise InputError(
        f"X is the path {str(X)!r}, but only .npy, .npz and .parquet files, and folders of .parquet files, are read. "
        "Read another table with workings.tables.read_table, and pass its columns."
    )


def open_table(
    X: str | os.PathLike[str],
    y: object,
    known: Mapping[str, object] | None,
    dtype: DTypeLike,
    *,
    needs_targets: bool,
    learns: bool,
) -> OpenedData:
    """Open a table on disk, encoded as a network knows it; a training may learn the encoding."""
    from workings.tables.stream import stream

    if (known is None and not learns) or (known is not None and "array_width" in known):
        raise InputError(
            f"{str(X)!r} is a table, and this network was not trained on one. Pass an array, or "
            "workings.tables.stream(path, preprocessing=…).X."
        )
    if needs_targets and not isinstance(y, str):
        raise InputError(f"With the table {str(X)!r} as X, y must be the name of its target column, not {describe(y)}.")
    target = str(y) if needs_targets else None
    data = stream(X, target, preprocessing=known, dtype=dtype)
    if needs_targets and data.preprocessing.target.name != target:
        raise InputError(
            f"This network was trained on the target column {data.preprocessing.target.name!r}, not {target!r}."
        )
    if needs_targets and data.y is None:
        raise InputError(f"{str(X)!r} has no target column {target!r}.")
    return OpenedData(data.X, data.y, data.preprocessing.to_dict())


def opened_array(values: object, name: str) -> Features:
    """Return the array of a ``.npy`` file that is given as a path; anything else that is no path is unchanged."""
    return memory_map(values, name) if is_path(values) else values


def memory_map(path: str | os.PathLike[str], name: str = "X") -> Array:
    """Return the array of a ``.npy`` file, which stays on disk."""
    if Path(path).suffix.lower() != ".npy":
        which = "a second" if name == "y" else "a"
        raise InputError(f"{name} must be an array or {which} .npy file, not {os.fspath(path)!r}.")
    try:
        found: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return found
    except FileNotFoundError as error:
        raise FileError(f"The file {os.fspath(path)} does not exist.") from error
    except Exception as error:  # a damaged file can raise any exception
        raise FileError(f"{os.fspath(path)} cannot be read as an array of numbers: {first_line(error)}.") from error
