"""Atomic writes: a file is replaced completely or not at all.

Content is first written to a temporary file in the same folder, because a rename is atomic only within one
file system.  The previous file stays in place until the rename.  A process that is killed leaves its
temporary file behind; the next process that writes the same file removes it.  Files that are being written
are locked, so they stay.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from workings.errors import FileError, InputError, InputTypeError
from workings.support.arrays import describe
from workings.support.interruption import interrupted_afterwards

PARTIAL = ".partial"  # the end of the name of a temporary file
CLEARED: set[Path] = set()  # the paths whose old temporary files this process has removed


def as_path(path: object) -> Path:
    """Return the path of a file or folder.

    Raises
    ------
    InputTypeError
        For anything but text and paths.
    InputError
        For empty text, and for the address of a file on the internet.

    Examples
    --------
    >>> as_path("https://example.com/fruit.csv")
    Traceback (most recent call last):
    workings.errors.InputError: 'https://example.com/fruit.csv' is an address on the internet. Download the file first,
    and pass its path.
    """
    named = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(named, str):
        raise InputTypeError(f"A file is named by text or a path, such as 'fruit.csv', not by {describe(path)}.")
    if not named:
        raise InputError("The name of a file is empty. Name one, such as 'fruit.csv'.")
    if ADDRESS.match(named):
        raise InputError(f"{named!r} is an address on the internet. Download the file first, and pass its path.")
    return Path(named)


ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def write_bytes(path: Path, content: bytes) -> None:
    """Write to a temporary file in the same folder, then rename it; create missing folders.

    Raises
    ------
    FileError
        If the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        with interrupted_afterwards():  # Ctrl-C waits, so that no temporary file is left
            replace(path, content)
    except OSError as error:
        raise FileError(
            f"Cannot write {path}: {error.strerror or error}. Choose a folder that can be written to."
        ) from error


def replace(path: Path, content: bytes) -> None:
    """Write to a temporary file beside a path, and rename it; remove it after an error."""
    with replaced_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that replaces the file at a path after the block; after an error it is removed."""
    opened, temporary = locked_file(path)
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~current_umask())
            if os.name == "posix":  # elsewhere, an open file cannot be renamed
                os.replace(temporary, path)
        if os.name != "posix":
            os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def locked_file(path: Path) -> tuple[IO[bytes], str]:
    """Open a temporary file beside a path, and lock it; return it with its name."""
    while True:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
        file = open(number, "wb")  # noqa: SIM115 (the caller closes it)
        lock(file, waits=True)
        if os.path.exists(name):  # else another process took it for abandoned before it was locked
            return file, name
        file.close()


def remove_abandoned(path: Path) -> None:
    """Remove temporary files that a killed process left while it wrote a path; once in each process."""
    if path.absolute() in CLEARED:
        return
    CLEARED.add(path.absolute())
    name = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}{re.escape(PARTIAL)}")
    found: list[str] = []
    with contextlib.suppress(OSError):
        found = os.listdir(path.parent)  # in one call: a Ctrl-C leaves no open handle
    for abandoned in filter(name.fullmatch, found):
        with contextlib.suppress(OSError), open(path.parent / abandoned, "rb") as file:  # gone, or of another user
            if lock(file):
                os.unlink(path.parent / abandoned)


def lock(file: IO[bytes], *, waits: bool = False) -> bool:
    """Lock a file until it is closed or the process ends; return whether that was possible.

    If another process has locked it, wait for that process or give up.

    Windows has no such locks, but there an open file cannot be removed.
    """
    try:
        import fcntl
    except ImportError:
        return os.name == "nt"
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


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
