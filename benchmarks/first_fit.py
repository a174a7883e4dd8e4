"""The first fit of a known structure in a new process: linked machine code compared with Numba's own cache.

``python -m benchmarks.first_fit`` runs whole processes in turn, pinned to one core.  Each trains a network whose
machine code a process before it has cached: as a shared library, linked by a C compiler, or in Numba's cache, which
is used where no C compiler is found.  The reference engine, which compiles nothing, serves for comparison.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.jobs import ROOT
from benchmarks.measure import rotated, spread
from benchmarks.processes import environment, pinning, say
from benchmarks.report import table

SCRIPT = """
import sys, time
import numpy as np
from workings import SGD, CrossEntropy, Dense, Network

sizes, engine = list(map(int, sys.argv[1].split("-"))), sys.argv[2]
rng = np.random.default_rng(0)
X, y = rng.normal(size=(256, sizes[0])), rng.integers(sizes[-1], size=256)
network = Network([*(Dense(n, "tanh") for n in sizes[1:-1]), Dense(sizes[-1])], loss=CrossEntropy(), seed=0)
wall, cpu = time.perf_counter(), time.process_time()
network.fit(X, y, optimizer=SGD(0.01), epochs=3, batch_size=32, engine=engine)
print(time.perf_counter() - wall, time.process_time() - cpu, "numba" in sys.modules)
"""
STRUCTURES = {"2-3-2": "no large product", "64-200-10": "large products"}
WAYS = {"shared library": "compiled", "Numba's cache": "compiled", "reference engine": "reference"}
FIGURES = {"fit, wall": "ms", "fit, CPU": "ms", "process, wall": "ms", "process, CPU": "ms", "peak memory": "MB"}


def run(structure: str, way: str, folder: Path) -> dict[str, float]:
    """Run a process; return its seconds, and the largest memory that it took."""
    given = environment(1) | {"WORKINGS_CACHE": str(folder / way.replace(" ", "-"))}
    given |= {"PATH": ""} if way == "Numba's cache" else {}  # then no C compiler is found
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, structure, WAYS[way]],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env=given, preexec_fn=pinning(1),
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        words = process.stdout.read().split()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"the process of {way} failed")
    figures = [float(words[0]), float(words[1]), seconds, usage.ru_utime + usage.ru_stime]
    figures = [1e3 * figure for figure in figures] + [usage.ru_maxrss / 1024]
    return {**dict(zip(FIGURES, figures, strict=True)), "numba": float(words[2] == "True")}


def measure(structure: str, rounds: int, folder: Path) -> dict[str, Any]:
    """Compile once in each way, then run processes in turn; return the first figures and the spread of the others."""
    say(f"{structure}: {STRUCTURES[structure]}")
    first = {way: run(structure, way, folder) for way in WAYS}
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in rotated(list(WAYS), turn):
            found[way].append(run(structure, way, folder))
    if found["shared library"][0]["numba"]:
        raise RuntimeError("there is no shared library: a C compiler is missing, or linking failed")
    medians = {way: {name: spread([one[name] for one in all_of]) for name in FIGURES} for way, all_of in found.items()}
    return {"first": first, "later": medians}


def markdown(results: dict[str, Any]) -> str:
    """Return the table."""
    rows = []
    for structure, found in results.items():
        for way, figures in found["later"].items():
            cells = [f"{one['median']:.0f} ({one['low']:.0f}–{one['high']:.0f})" for one in figures.values()]
            rows.append([f"{structure} ({STRUCTURES[structure]})", way, *cells])
            rows[-1].append(f"{found['first'][way]['process, CPU'] / 1e3:.1f}")
    head = ["structure", "machine code from", *(f"{name}, {unit}" for name, unit in FIGURES.items())]
    return "\n".join([*table([*head, "first process, CPU, s"], rows), ""])


def main(given: Sequence[str] | None = None) -> int:
    """Measure both structures and print the table."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.first_fit", description=str(__doc__).split("\n")[0])
    made.add_argument("--rounds", type=int, default=9, help="processes of each kind (default 9)")
    arguments = made.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        results = {structure: measure(structure, arguments.rounds, Path(folder)) for structure in STRUCTURES}
    print(markdown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
