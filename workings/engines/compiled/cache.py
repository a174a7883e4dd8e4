"""The cache of machine code: one file for each compiled source, in the user's cache directory.

``WORKINGS_CACHE`` names another folder.  The folder can be deleted at any time; programs are then compiled again.
Next to the machine code lies the source, which can be opened and read.

Machine code is loaded only if nobody else can have written it: the folder and the file belong to the user, and nobody
else may write to them.  A file records its key and a checksum; a damaged file is compiled anew.  If no folder can be
used, programs are compiled in each process.  Beyond ``MOST_BYTES``, the files that were used longest ago are deleted.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"workings machine code 1\n"
MOST_BYTES = 2**26  # 64 MB, which hold the machine code of two thousand structures or more
PREFIX = "workings_"  # of the names of all files in the cache
A_DAY = 86_400  # seconds after which the use of a file is recorded again


def cache_folder() -> Path:
    """Return the cache folder: ``WORKINGS_CACHE``, or a folder in the user's cache directory."""
    import platformdirs

    folder = os.environ.get("WORKINGS_CACHE")
    return Path(folder) if folder else Path(platformdirs.user_cache_dir("workings", appauthor=False)) / "compiled"


def folders() -> Iterator[Path]:
    """Yield the cache folder, then a folder for temporary files."""
    yield cache_folder()
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
        yield Path(tempfile.gettempdir()) / f"workings-{getpass.getuser()}"


@functools.cache
def fingerprint() -> str:
    """Return a hash of the files of which a source becomes machine code."""
    here = Path(__file__).parents[1]
    files = sorted([*here.glob("kernels/*.py"), *here.glob("compiled/*.py"), here / "contract.py"])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def is_ours_alone(about: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else may write to it."""
    owner = os.getuid() if hasattr(os, "getuid") else about.st_uid
    return about.st_uid == owner and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def is_trusted(folder: Path) -> bool:
    """Whether a folder exists, is no link, and only this user can write to it."""
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and is_ours_alone(about)


def file_name(key: str) -> str:
    """Return the name of the file with a key."""
    return f"{PREFIX}{key[:32]}.o"


def find(key: str) -> bytes | None:
    """Return the machine code with a key, from the first folder that has it; None if there is none to trust."""
    found = (read(folder / file_name(key), key) for folder in folders() if is_trusted(folder))
    return next(filter(None, found), None)


def read(path: Path, key: str) -> bytes | None:
    """Return the machine code in a file; None if it is not this user's, is damaged, or has another key."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            about = os.fstat(handle)
            content = file.read() if stat.S_ISREG(about.st_mode) and is_ours_alone(about) else b""
        if time.time() - about.st_mtime > A_DAY:
            os.utime(path)
    except OSError:
        return None
    code = content[len(MAGIC) + 64 :]
    return code if code and content == recorded(key, code) else None


def recorded(key: str, code: bytes) -> bytes:
    """Return the content of a file: a hash of the key and of the machine code, then the machine code."""
    return MAGIC + hashlib.sha256(key.encode() + code).hexdigest().encode() + code


def keep(key: str, code: bytes, source: str) -> None:
    """Write machine code and its source to the first folder that this user alone can write to, if there is one."""
    for folder in folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_trusted(folder):
                continue
            path = folder / file_name(key)
            write(path.with_suffix(".py"), source.encode())
            write(path, recorded(key, code))
            limit(folder)
        except OSError:  # a full disk, or a folder that cannot be written to
            continue
        return


def write(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that another process reads the old or the new one; only this user can read it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{PREFIX}")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def limit(folder: Path) -> None:
    """Delete the files that were used longest ago until the others fit."""
    found = []
    for name in os.listdir(folder):  # in one call: a Ctrl-C leaves no open handle
        with contextlib.suppress(OSError):  # another process may delete files, too
            about = os.lstat(folder / name)
            if name.lstrip(".").startswith(PREFIX) and stat.S_ISREG(about.st_mode):
                found.append((about.st_mtime, about.st_size, folder / name))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= MOST_BYTES:
            return
        total -= size
        with contextlib.suppress(OSError):
            os.unlink(path)
