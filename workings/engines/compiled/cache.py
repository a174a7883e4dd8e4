"""Where compiled programs are kept: one file for each source, in the user's cache directory.

What is compiled is kept next to the file that the source came from, so a source is written to a
file of its own, which can be opened and read.  ``WORKINGS_CACHE`` names another folder; deleting the
folder costs nothing but the time to compile again.
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

COMPILED_INTO = ("vector_math.py", "matmul.py", "work_sharing.py")  # files whose functions become part of every program


def cache_folder() -> Path:
    """The folder: ``WORKINGS_CACHE``, or one in the user's cache directory."""
    import platformdirs

    given = os.environ.get("WORKINGS_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("workings", appauthor=False)) / "compiled"


@functools.cache
def fingerprint() -> bytes:
    """What changes with the functions that become part of every program."""
    here = Path(__file__).parents[1] / "kernels"
    return b"".join((here / name).read_bytes() for name in COMPILED_INTO)


def module_name(text: str) -> str:
    """The name of the module that a source becomes."""
    return f"workings_step_{hashlib.sha256(text.encode() + fingerprint()).hexdigest()[:16]}"


def folders() -> Iterator[Path]:
    """The folder, and one for temporary files, unless others may write to that: what lies there is run."""
    yield cache_folder()
    spare = Path(tempfile.gettempdir()) / f"workings-{getpass.getuser()}"
    if not spare.exists() or is_ours_alone(spare):
        yield spare


def is_ours_alone(folder: Path) -> bool:
    """Whether nobody else can write to a folder."""
    about = folder.lstat()
    owner = os.getuid() if hasattr(os, "getuid") else about.st_uid
    return stat.S_ISDIR(about.st_mode) and about.st_uid == owner and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def load(text: str, function: str = "train") -> Any:
    """Import a source from its file, and give a function in it.

    Raises
    ------
    FileError
        If there is no folder that can be written to.
    """
    name = module_name(text)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, written_file(name, text))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # before it runs: Numba asks for it by its name
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return getattr(sys.modules[name], function)


def written_file(name: str, text: str) -> Path:
    """The file of a source, written if it is not there."""
    for folder in folders():
        path = folder / f"{name}.py"
        try:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_bytes(path, text.encode())
        except OSError:
            continue
        return path
    raise FileError("The compiled engine found no folder to write its source to. Name one with WORKINGS_CACHE.")
