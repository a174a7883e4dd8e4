"""The playground as a process of its own: Ctrl-C ends it, and closed tabs give their memory back."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'play' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'play' is not installed")
client = pytest.importorskip("websockets.sync.client", reason="the extra 'play' is not installed")
pytest.importorskip("typer", reason="the extra 'cli' is not installed")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a single process")
STATM = Path("/proc/self/statm")
TABS, WARM_UP, ALLOWED = 100, 10, 20 * 2**20


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A playground that the command has started, and its address."""
    command = [sys.executable, "-m", "workings", "play", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"127\.0\.0\.1:\d+", line)
        assert address is not None, line
        yield process, address[0]
        process.kill()


def open_tab(address: str) -> Any:
    return client.connect(f"ws://{address}/session", origin=f"http://{address}", max_size=None)


def ask(tab: Any, do: str, **fields: Any) -> dict[str, Any]:
    tab.send(json.dumps({"id": 1, "do": do, **fields}))
    found: dict[str, Any] = json.loads(tab.recv())["reply"]
    return found


@pytest.mark.parametrize("tabs", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_ctrl_c_ends_cleanly(server: tuple[subprocess.Popen[str], str], tabs: int) -> None:
    """Also with tabs that are open, and training: no traceback, and the exit code of every command after Ctrl-C."""
    process, address = server
    with contextlib.ExitStack() as stack:
        for _ in range(tabs):
            tab = stack.enter_context(open_tab(address))
            assert ask(tab, "hello")["frame"]["step"] == 0
            tab.send(json.dumps({"id": 2, "do": "advance", "steps": 300}))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, 130), errors
    assert "Traceback" not in errors
    assert "Error" not in errors


def memory_of(pid: int) -> int:
    """The bytes that a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def use_tab(address: str) -> None:
    with open_tab(address) as tab:
        ask(tab, "hello")
        ask(tab, "keep")
        for _ in range(5):
            ask(tab, "advance", steps=20)
        ask(tab, "statement", index=3, unit=0)
        ask(tab, "weight", name="W1", index=[0, 1])


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="no /proc, to read the memory of a process")
def test_a_hundred_tabs_give_their_memory_back(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    for _ in range(WARM_UP):
        use_tab(address)
    before = memory_of(process.pid)
    for _ in range(TABS):
        use_tab(address)
    time.sleep(1)
    after = memory_of(process.pid)
    assert after - before < ALLOWED, f"{(after - before) / 2**20:.1f} MB more than after {WARM_UP} tabs"
