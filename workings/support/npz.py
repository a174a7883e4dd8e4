"""Read arrays of an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workings.errors import FileError
from workings.support.arrays import Array


def read_npz(path: Path) -> tuple[Array, Array]:
    """Read the arrays X and y of an ``.npz`` file, without unpickling.

    Raises
    ------
    FileError
        If the file does not exist, is damaged, or lacks one of the arrays.
    """
    X, y = read_arrays(path, "X", "y")
    return X, y


def read_arrays(path: Path, *names: str) -> list[Array]:
    """Read some arrays of an ``.npz`` file, without unpickling; raise FileError as ``read_npz`` does."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except FileNotFoundError as error:
        raise FileError(f"The file {path} does not exist.") from error
    except Exception as error:  # a damaged file can raise any exception
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip("'\".")
        wanted = f"the arrays {' and '.join(names)}" if len(names) > 1 else f"the array {names[0]}"
        raise FileError(f"{path} is not an .npz file with {wanted}: {reason}.") from error
