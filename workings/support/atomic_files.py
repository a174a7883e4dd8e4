"""Atomic writes: a file is replaced completely or not at all.

Content is first written to a temporary file in the same folder, because a rename is atomic only within one file
system.  The previous file stays in place until the rename.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from workings.errors import FileError


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it; create missing folders.

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
    finally:  # also after Ctrl-C
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def current_umask() -> int:
    """Return the process's umask: the permissions that new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def writable_folder(folder: Path) -> Path:
    """Create a folder and check that it is writable, before a long run that writes its results there.

    Raises
    ------
    FileError
        If it is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise FileError(f"Cannot write to {folder}: {error.strerror or error}. Choose another folder.") from error
    return folder
