"""Tests leave nothing behind: doctests run in a folder of their own, compiled programs are kept in pytest's cache."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("WORKINGS_CACHE", str(Path(__file__).parent / ".pytest_cache" / "compiled"))
importlib.import_module("workings")  # first: else pytest makes a second copy of a module whose doctests it collects
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell sets it for what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests press Ctrl-C
collect_ignore = ["docs/scripts"]  # they train when they are run
if importlib.util.find_spec("llvmlite") is None:  # an extra: these files are nothing without it
    collect_ignore += [f"workings/engines/kernels/{name}.py" for name in ("matmul", "work_sharing")]


@pytest.fixture(autouse=True)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change into an empty folder for doctests."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
