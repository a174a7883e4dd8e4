"""Ctrl-C: a script in a process of its own that is interrupted as soon as it says that it is under way."""

from __future__ import annotations

import signal
import subprocess
import sys


def interrupted(script: str) -> list[str]:
    """Interrupt a script once it prints "under way"; give the words that it prints after that."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "under way"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return rest.split()
