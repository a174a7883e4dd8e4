"""Whole processes: time from the start of ``python -c`` to a trained network.

Two moons, a 2-3-2 network of tanh, 20,000 full-batch epochs.  Each script in ``scripts/`` is a complete program
for one library; it receives the file with the rows and prints its training accuracy.  A first run of each warms
the disk caches, including compiled code (JAX's own cache is switched on); then they take turns.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs import ROOT
from benchmarks.measure import last_line, ratios, rotated, spread
from benchmarks.processes import environment, pinning, say
from workings.datasets import moons

SCRIPTS = Path(__file__).parent / "scripts"
NEEDS = {"torch": "torch", "sklearn": "sklearn", "jax-step": "jax", "jax-loop": "jax"}
PACKAGES = {"sklearn": "scikit-learn"}
PASSES = 20_000
THREADS = 1
LIMIT = 1.0  # seconds, for the compiled engine
ENOUGH = 0.9  # accuracy above which the network counts as trained


def measure(names: Sequence[str], rounds: int, folder: Path, passes: int = PASSES) -> dict[str, Any]:
    """Measure the seconds of each script."""
    say(f"whole processes: two moons, {passes:,} epochs")
    X, y = moons(200, noise=0.2, seed=0)
    np.savez(folder / "moons.npz", X=X, y=y)
    peers: dict[str, Any] = {name: first_run(name, folder, passes) for name in names}
    ready = [name for name in names if "right" in peers[name]]
    for turn in range(rounds):
        say(f"  round {turn + 1} of {rounds}")
        for name in rotated(ready, turn):
            peers[name].setdefault("seconds", []).append(run(name, folder, passes)[0])
    for name in ready:
        peers[name] |= spread(peers[name]["seconds"])
    return {"passes": passes, "threads": THREADS, "limit": LIMIT, "peers": peers, **ratios(peers)}


def first_run(name: str, folder: Path, passes: int) -> dict[str, Any]:
    """Run a script once; return its training accuracy, or what is missing or failed."""
    library = NEEDS.get(name)
    if library and importlib.util.find_spec(library) is None:
        return {"missing": f"{PACKAGES.get(library, library)} is not installed: pip install '.[bench]'"}
    try:
        right = run(name, folder, passes)[1]
    except subprocess.CalledProcessError as error:
        why = last_line(error.stderr)
        say(f"  {name}: {why}")
        return {"missing" if "engine" in why or "MissingExtraError" in why else "failed": why}
    return {"right": right, "same": right >= ENOUGH}


def run(name: str, folder: Path, passes: int) -> tuple[float, float]:
    """Run a script; return its seconds from start to end, and the number that it printed."""
    script = (SCRIPTS / f"{name.replace('-', '_')}_moons.py").read_text(encoding="utf-8")
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "jax"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "moons.npz"), str(passes)],
        capture_output=True, text=True, check=True, cwd=ROOT, env=environment(THREADS) | cache,
        preexec_fn=pinning(THREADS),
    )  # fmt: skip
    return time.perf_counter() - began, float(done.stdout)
