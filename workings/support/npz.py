"""Read the arrays X and y of an ``.npz`` file."""

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
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except FileNotFoundError as error:
        raise FileError(f"The file {path} does not exist.") from error
    except Exception as error:  # a damaged file can raise any exception
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip("'\".")
        raise FileError(f"{path} is not an .npz file with the arrays X and y: {reason}.") from error
