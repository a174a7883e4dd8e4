"""Writing: a whole file or none.

Everything that is written goes to a temporary name in the same folder first, because only there is
a rename a single step; what was there before stays until then, whatever happens.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from workings.errors import FileError


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary name beside the file, then rename; folders that are missing are made.

    Raises
    ------
    FileError
        If the folder cannot be written to.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(
            f"Cannot write {path}: {error.strerror or error}. Choose a folder that can be written to."
        ) from error
    finally:  # whatever ended it, Ctrl-C too
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def current_umask() -> int:
    """The permissions that new files are not to have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def writable_folder(folder: Path) -> Path:
    """Make a folder, and see to it that it can be written to before hours are spent on what goes there.

    Raises
    ------
    FileError
        If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FileError(f"Cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    return folder
