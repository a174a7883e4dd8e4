"""Many fits: networks with different seeds, trained one by one and together, in one process on one core.

Both ways take turns.  Each figure is the CPU time of a fit of a new network, in milliseconds, with the program already
compiled.  The results of both ways are compared bit for bit.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.measure import spread
from benchmarks.processes import Child, say
from workings import SGD, CrossEntropy, Dense, Network, fit_many
from workings.datasets import moons

TOGETHER = 32  # networks
SIZES = {"2-16-2, 200 rows": (2, 16, 200), "30-32-2, 569 rows": (30, 32, 569)}
SETTINGS: dict[str, dict[str, Any]] = {
    "1 epoch, batches of 32": {"epochs": 1},
    "10 epochs, batches of 32": {"epochs": 10},
    "100 epochs, batches of 32": {"epochs": 100},
    "100 epochs, full batch": {"epochs": 100, "batch_size": None},
}


def rows(n_in: int, n: int) -> tuple[Any, Any]:
    """Return rows of two classes: the moons, with columns of noise if there are more than two."""
    X, y = moons(n)
    noise = np.random.default_rng(0).normal(size=(n, n_in - 2))
    return np.hstack([X, noise]), y


def networks(units: int) -> list[Network]:
    """Return new networks that differ in their seeds."""
    layers = [Dense(units, "tanh"), Dense(2)]
    return [Network(layers, loss=CrossEntropy(), seed=seed) for seed in range(TOGETHER)]


def milliseconds(size: str, setting: str, rounds: int) -> dict[str, list[float]]:
    """Return the CPU time of a fit in each round, one by one and together."""
    n_in, units, n = SIZES[size]
    (X, y), how = rows(n_in, n), {"optimizer": SGD(0.1), "engine": "compiled", **SETTINGS[setting]}
    found: dict[str, list[float]] = {"one by one": [], "together": []}
    for turn in range(rounds + 1):
        alone, together = networks(units), networks(units)
        began = time.process_time()
        for network in alone:
            network.fit(X, y, **how)
        between = time.process_time()
        fit_many(together, X, y, **how)
        ended = time.process_time()
        if not all((one.theta == other.theta).all() for one, other in zip(alone, together, strict=True)):
            raise AssertionError(f"{size}, {setting}: the results differ")
        if turn:  # the first compiles
            found["one by one"].append((between - began) / TOGETHER * 1e3)
            found["together"].append((ended - between) / TOGETHER * 1e3)
    return found


def measure(rounds: int) -> dict[str, Any]:
    """Measure all sizes and settings, in one process that is pinned to one core."""
    results: dict[str, Any] = {}
    with Child(1) as child:
        for size in SIZES:
            for setting in SETTINGS:
                say(f"many fits: {size}, {setting}")
                found = child.call("benchmarks.many:milliseconds", size=size, setting=setting, rounds=rounds)
                results[f"{size}, {setting}"] = {name: spread(times) for name, times in found.items()}
    return results
