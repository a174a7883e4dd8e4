"""The cache of compiled programs: one file for each generated source, in the user's cache directory.

Each source is a file that can be opened and read; its machine code lies next to it.  ``WORKINGS_CACHE`` names another
folder.  The folder can be deleted at any time; programs are then compiled again.
"""

from __future__ import annotations

import functools
import getpass
import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workings.errors import FileError
from workings.support.atomic_files import write_bytes

INLINED = ("vector_math.py", "matmul.py", "work_sharing.py")  # files whose functions are compiled into programs


def cache_folder() -> Path:
    """Return the cache folder: ``WORKINGS_CACHE``, or a folder in the user's cache directory."""
    import platformdirs

    folder = os.environ.get("WORKINGS_CACHE")
    return Path(folder) if folder else Path(platformdirs.user_cache_dir("workings", appauthor=False)) / "compiled"


@functools.cache
def fingerprint() -> bytes:
    """Return bytes that change whenever a function changes that is compiled into programs."""
    here = Path(__file__).parents[1] / "kernels"
    return b"".join((here / name).read_bytes() for name in INLINED)


def module_name(text: str) -> str:
    """Return the name of the module for a source."""
    return f"workings_step_{hashlib.sha256(text.encode() + fingerprint()).hexdigest()[:16]}"


def folders() -> Iterator[Path]:
    """Yield the cache folder, then a temporary one; that must not be writable for other users, whose code would run."""
    yield cache_folder()
    spare = Path(tempfile.gettempdir()) / f"workings-{getpass.getuser()}"
    if not spare.exists() or is_writable_by_us_only(spare):
        yield spare


def is_writable_by_us_only(folder: Path) -> bool:
    """Whether no other user can write to a folder."""
    about = folder.lstat()
    owner = os.getuid() if hasattr(os, "getuid") else about.st_uid
    return stat.S_ISDIR(about.st_mode) and about.st_uid == owner and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def load(text: str, function: str = "train") -> Any:
    """Import a source from its file, and return one of its functions.

    Raises
    ------
    FileError
        If no folder is writable.
    """
    name = module_name(text)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, source_file(name, text))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs, because Numba looks it up by name
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return getattr(sys.modules[name], function)


def source_file(name: str, text: str) -> Path:
    """Return the file of a source, after writing it if necessary."""
    for folder in folders():
        path = folder / f"{name}.py"
        try:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_bytes(path, text.encode())
        except OSError:
            continue
        return path
    raise FileError("The compiled engine found no writable folder for its source. Name one with WORKINGS_CACHE.")
