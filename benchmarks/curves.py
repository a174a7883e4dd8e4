"""Growth curves: the time of a step against width, depth, batch and rows, one varied at a time.

The base case is a 20-32-10 network of tanh with batches of 32 out of 2,048 rows, in float64.  An engine may change
its method with the size, but its curve must not jump: no point may be more than 1.3 times above the straight line
between its two neighbours, on logarithmic axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import jobs
from benchmarks.measure import prepared, timed
from benchmarks.processes import Child, say
from benchmarks.workloads import CURVE_BASE, Workload

PEERS = ("compiled", "reference", "jax-loop", "torch")
CLIFF = 1.3
SHORTEST = 0.1
PATIENCE = 2.5  # seconds per timing; slower peers are left out of larger sizes, except the compiled engine
BATCH_ROWS = 8192  # so that the largest batch, too, is one of several


def doubled(first: int, last: int) -> list[int]:
    """Return first, 2 · first, 4 · first and so on, up to last."""
    return list(itertools.takewhile(lambda n: n <= last, (first << k for k in itertools.count())))


def widths(base: Workload) -> Iterator[tuple[int, Workload]]:
    """4 to 2,048 hidden units."""
    return ((n, replace(base, sizes=(base.sizes[0], n, base.sizes[-1]))) for n in doubled(4, 2048))


def depths(base: Workload) -> Iterator[tuple[int, Workload]]:
    """1 to 16 hidden layers."""
    first, hidden, last = base.sizes
    return ((n, replace(base, sizes=(first, *[hidden] * n, last))) for n in (1, 2, 3, 4, 6, 8, 12, 16))


def batches(base: Workload) -> Iterator[tuple[int, Workload]]:
    """1 to 4,096 rows in a batch."""
    return ((n, replace(base, rows=BATCH_ROWS, batch=n)) for n in doubled(1, 4096))


def rows(base: Workload) -> Iterator[tuple[int, Workload]]:
    """128 to a million rows, all in one batch."""
    return ((n, replace(base, rows=n, batch=None)) for n in [*doubled(128, 524_288), 1_000_000])


AXES = {"width": widths, "depth": depths, "batch": batches, "rows": rows}
LABELS = {
    "width": "hidden units", "depth": "hidden layers", "batch": "batch size", "rows": "rows, full batch",
}  # fmt: skip


def measure(names: Sequence[str], rounds: int, folder: Path, threads: int = 1, thin: int = 1) -> dict[str, Any]:
    """Measure all four curves; ``thin`` = k measures only every kth point, for a quick look."""
    base = replace(CURVE_BASE, threads=threads)
    found: dict[str, Any] = {"base": base.describe(), "threads": threads, "rounds": rounds, "missing": {}, "axes": {}}
    file = jobs.make(base).save(folder / "curve.npz")
    peers: dict[str, Any] = {}
    with prepared([name for name in PEERS if name in names], file, threads, peers) as children:
        found["missing"] = {name: peers[name] for name in peers if name not in children}
        for axis, points in AXES.items():
            found["axes"][axis] = measure_axis(axis, list(points(base))[::thin], children, rounds, folder)
    return found


def measure_axis(
    axis: str, points: Iterable[tuple[int, Workload]], children: dict[str, Child], rounds: int, folder: Path
) -> dict[str, Any]:
    """Measure one curve for each peer, and its largest jump."""
    curves: dict[str, list[dict[str, Any]]] = {name: [] for name in children}
    left = dict(children)
    for n, workload in points:
        say(f"curves: {axis} {n:,}")
        file = jobs.make(workload).save(folder / "curve.npz")
        for name, figures in timed(workload, file, left, rounds, SHORTEST).items():
            if "median" in figures:
                curves[name].append({"n": n, **figures})
            if name != "compiled" and figures.get("median", np.inf) * figures.get("steps", 1) > PATIENCE:
                del left[name]
    return {"curves": curves, "cliffs": {name: worst(curve) for name, curve in curves.items()}}


def suggested(before: tuple[float, float], after: tuple[float, float], n: float) -> float:
    """Return the value at n of the straight line between two points, on logarithmic axes."""
    (x0, y0), (x1, y1) = np.log(before), np.log(after)
    return float(np.exp(y0 + (y1 - y0) * (np.log(n) - x0) / (x1 - x0)))


def worst(curve: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the point with the largest ratio to the line between its two neighbours."""
    found = []
    for before, here, after in zip(curve, curve[1:], curve[2:], strict=False):
        line = suggested((before["n"], before["median"]), (after["n"], after["median"]), here["n"])
        found.append({"n": here["n"], "ratio": here["median"] / line})
    return max(found, key=lambda point: point["ratio"], default=None)
