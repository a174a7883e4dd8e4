"""The limit: how long a step must take on this machine, whatever the program.

Three things bound it: multiplications and additions at the speed of a large matrix product, bytes that no
cache holds at the speed of reading memory, and exponentials at the speed of NumPy's own.  All three speeds
are measured in the run itself, on the workload's number of threads.  A step needs at least the larger of the
first two, plus the third.  Nothing reaches this; it says how much could be left to gain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import Workload

CACHE = 32 * 2**20  # bytes that are taken to stay in a cache from step to step


def multiplications(workload: Workload) -> int:
    """Additions and multiplications of the matrix products of a step: forward, weights, inputs of later layers."""
    rows = workload.batch_rows
    products = [2 * rows * n_in * n_out for n_in, n_out in workload.layers]
    return 3 * sum(products) - products[0]


def exponentials(workload: Workload) -> int:
    """Exponentials of a step, counting a tanh or a sigmoid as one; a ReLU needs none."""
    hidden = 0 if workload.hidden == "relu" else sum(workload.sizes[1:-1])
    return workload.batch_rows * (hidden + workload.sizes[-1])


def bytes_read(workload: Workload) -> int:
    """Bytes of X that a step reads, once, where they are too many for a cache.

    Once is enough: a block of rows can go forward and back before the next one is read.
    """
    size = workload.batch_rows * workload.sizes[0] * np.dtype(workload.dtype).itemsize
    return size if size > CACHE else 0


def limit(workload: Workload, speeds: dict[str, float]) -> dict[str, float]:
    """The least seconds of a step, and of what they are made."""
    arithmetic = multiplications(workload) / speeds["multiplications"]
    memory = bytes_read(workload) / speeds["bytes"]
    functions = exponentials(workload) / speeds["exponentials"]
    return {
        "seconds": max(arithmetic, memory) + functions,
        "arithmetic": arithmetic, "memory": memory, "functions": functions,
    }  # fmt: skip


def fastest(function: Callable[[], Any], repeats: int = 7) -> float:
    """The least seconds of some calls, after one that warms up."""
    function()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def speeds(dtype: str, threads: int) -> dict[str, float]:
    """Multiplications and additions, bytes, and exponentials in a second, measured here and now."""
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
