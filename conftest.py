"""Tests leave nothing behind: doctests run in a folder of their own, compiled programs are kept in pytest's cache."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
os.environ.setdefault("WORKINGS_CACHE", str(ROOT / ".pytest_cache" / "compiled"))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell sets it for what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests press Ctrl-C
collect_ignore = ["docs/scripts"]  # they train when they are run
if importlib.util.find_spec("llvmlite") is None:  # an extra: these files are nothing without it
    collect_ignore += [f"workings/engines/kernels/{name}.py" for name in ("matmul", "work_sharing")]


def pytest_collect_file(file_path: Path) -> None:
    """Import a module before pytest collects its doctests: else pytest makes a second copy of it.

    Tests would then compare classes of one copy with objects of the other.
    """
    path = file_path.relative_to(ROOT).with_suffix("") if file_path.is_relative_to(ROOT) else file_path
    if path.parts[0] == "workings" and file_path.suffix == ".py" and path.name != "__main__":
        names = path.parts[:-1] if path.name == "__init__" else path.parts
        with contextlib.suppress(ImportError):  # without an extra; pytest reports it
            importlib.import_module(".".join(names))


@pytest.fixture(autouse=True)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change into an empty folder for doctests."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
