"""Lower bound of the time of a step on this machine.

Three quantities bound it: multiplications and additions at the speed of a large matrix product, bytes that no
cache holds at the speed of reading memory, and exponentials at NumPy's speed.  All three speeds are measured in
the same run, with the workload's number of threads.  The lower bound is the larger of the first two times, plus the
third.  No program reaches it; it shows how much could still be gained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload

CACHE = 32 * 2**20  # bytes assumed to stay in a cache from step to step


def multiplications(workload: Workload) -> int:
    """Return the multiplications and additions in the matrix products of a step, forward and backward."""
    rows = workload.batch_rows
    products = [2 * rows * n_in * n_out for n_in, n_out in workload.layers]
    return 3 * sum(products) - products[0]


def exponentials(workload: Workload) -> int:
    """Return the exponentials of a step; a tanh or sigmoid counts as one, a ReLU as none."""
    hidden = 0 if workload.hidden == "relu" else sum(workload.sizes[1:-1])
    return workload.batch_rows * (hidden + workload.sizes[-1])


def bytes_read(workload: Workload) -> int:
    """Return the bytes of X that a step must read from memory; 0 if X fits into a cache.

    One read is enough: a block of rows can go forward and backward before the next one is read.
    """
    size = workload.batch_rows * workload.sizes[0] * np.dtype(workload.dtype).itemsize
    return size if size > CACHE else 0


def limit(workload: Workload, speeds: dict[str, float]) -> dict[str, float]:
    """Return the lower bound of a step in seconds, and its three parts."""
    arithmetic = multiplications(workload) / speeds["multiplications"]
    memory = bytes_read(workload) / speeds["bytes"]
    functions = exponentials(workload) / speeds["exponentials"]
    return {
        "seconds": max(arithmetic, memory) + functions,
        "arithmetic": arithmetic, "memory": memory, "functions": functions,
    }  # fmt: skip


def fastest(function: Callable[[], Any], repeats: int = 7) -> float:
    """Return the shortest time of some calls, after one warm-up call."""
    function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def speeds(dtype: str, threads: int) -> dict[str, float]:
    """Measure multiplications and additions, bytes read, and exponentials per second."""
    rng = np.random.default_rng(0)
    n = 1536
    A, B = (rng.standard_normal((n, n)).astype(dtype) for _ in range(2))
    C = np.empty_like(A)
    x = rng.standard_normal(4096).astype(dtype)
    y = np.empty_like(x)
    long = np.ones((2**28 // np.dtype(dtype).itemsize // 1024, 1024), dtype)
    vector = np.ones(1024, dtype)
    return {
        "multiplications": 2 * n**3 / fastest(lambda: np.matmul(A, B, out=C)),
        "bytes": long.nbytes / fastest(lambda: np.matmul(long, vector)),
        "exponentials": threads * x.size / fastest(lambda: np.exp(x, out=y), 50),
    }
