"""Memory that full-batch training on MNIST needs beyond its data.

A fresh process records its peak three times: after its imports, after a tiny training, in which a library may load
or compile more, and after the full training.  The result is the last peak minus the first and the data.
On Linux the peak is the kernel's VmHWM, elsewhere that of ``resource``.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import jobs
from benchmarks.measure import failure, last_line
from benchmarks.peers.contract import MissingError, library
from benchmarks.processes import Child, ChildError, say
from benchmarks.workloads import WORKLOADS

LIMIT = 60 * 10**6  # bytes beyond the data and the bare process
STEPS = 5
LIBRARIES = {"torch": "torch", "sklearn": "sklearn.neural_network", "jax-step": "jax", "jax-loop": "jax"}
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def give_back() -> None:
    """Return unused memory of the C library to the system, so that it cannot hide later allocations."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_peak() -> None:
    """Reset the peak to the current memory, if the system supports it."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5")


def run(peer: str, tiny: str, full: str) -> dict[str, int]:
    """Record the peaks, in the worker process."""
    if peer in LIBRARIES:
        library(LIBRARIES[peer], peer)
    peers = importlib.import_module("benchmarks.peers")
    bare = peak()
    peers.prepare(peer, jobs.load(tiny)).run(1)
    warm = peak()
    job = jobs.load(full)
    peers.prepare(peer, job).run(STEPS)
    data = job.X.nbytes + job.y.nbytes
    return {"bare": bare, "warm": warm, "data": data, "peak": peak(), "beyond": peak() - bare - data}


def measure(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure the peaks of each peer in a fresh process."""
    say("memory of the mnist workload")
    tiny, mnist = (jobs.make(WORKLOADS[name]) for name in ("moons-3", "mnist"))
    files = {"tiny": str(tiny.save(folder / "tiny.npz")), "full": str(mnist.save(folder / "full.npz"))}
    peers = {name: measure_peer(name, files) for name in names}
    return {"source": mnist.source, "steps": STEPS, "limit": LIMIT, "peers": peers}


def measure_peer(name: str, files: dict[str, str]) -> dict[str, Any]:
    """Measure the peaks of one peer."""
    say(f"  {name}")
    try:
        with Child(WORKLOADS["mnist"].threads) as child:
            return dict(child.call("benchmarks.memory:run", peer=name, **files))
    except (MissingError, ChildError) as error:
        say(f"  {name}: {last_line(str(error))}")
        return failure(error)
