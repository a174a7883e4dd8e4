"""Prediction: time for many rows, and memory beyond the result.

Each peer makes its forward pass over all rows in one call, as a user would; for Workings that is ``predict_proba``.
The memory is the growth of the process's peak during a first call, minus the size of the result; the second
call is timed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import jobs
from benchmarks.measure import distance, last_line, prepared, ratios, rotated, spread
from benchmarks.memory import forget_peak, give_back, peak
from benchmarks.peers.contract import Peer
from benchmarks.processes import Child, ChildError, say
from benchmarks.workloads import WORKLOADS, Workload
from workings.support.arrays import Array

CASES = {"moons-50": 1_000_000, "mnist": 100_000, "mlp-sgd": 20_000}  # network: rows
FEW = 64


def predict(peer: Peer, rows: int, file: str | None) -> dict[str, float]:
    """Predict random rows, once for the memory and once for the time, in the worker process."""
    X = random_rows(rows, peer.job.X)
    peer.forward(X[: rows // 10])  # compiles what is to be compiled
    give_back()
    forget_peak()
    before = peak()
    p = peer.forward(X)
    beyond = peak() - before - p.nbytes
    if file is not None:
        np.savez(file, p=p)
    del p
    began = time.perf_counter()
    peer.forward(X)
    return {"seconds": time.perf_counter() - began, "beyond": beyond}


def random_rows(rows: int, like: Array) -> Array:
    """Return random rows, drawn in place so that drawing does not raise the memory peak."""
    X = np.empty((rows, like.shape[1]), like.dtype)
    np.random.default_rng(0).random(out=X, dtype=X.dtype)
    return X


def measure(names: Sequence[str], rounds: int, folder: Path) -> dict[str, Any]:
    """Measure all cases."""
    return {case: measure_case(case, rows, names, rounds, folder) for case, rows in CASES.items()}


def measure_case(case: str, rows: int, names: Sequence[str], rounds: int, folder: Path) -> dict[str, Any]:
    """Measure one untrained network with all peers in turn."""
    say(f"prediction: {case}, {rows:,} rows")
    workload = replace(WORKLOADS[case], data="random", rows=256, batch=None)
    file = jobs.make(workload).save(folder / "predict.npz")
    peers: dict[str, Any] = {}
    with prepared(names, file, workload.threads, peers) as children:
        check(children, peers, workload, file)
        for turn in range(rounds):
            say(f"  round {turn + 1} of {rounds}")
            for name in rotated(list(children), turn):
                note(peers[name], children[name], rows)
    for found in peers.values():
        if "seconds" in found:
            found |= spread(found["seconds"])
    return {"rows": rows, "net": workload.describe(), "threads": workload.threads, "peers": peers, **ratios(peers)}


def note(found: dict[str, Any], child: Child, rows: int) -> None:
    """Measure a peer once; record the seconds and the largest memory."""
    try:
        answer = child.ask("predict", rows=rows)
    except ChildError as error:
        found["failed"] = last_line(str(error))
        return
    found.setdefault("seconds", []).append(answer["seconds"])
    found["beyond"] = max(found.get("beyond", 0), answer["beyond"])


def check(children: dict[str, Child], peers: dict[str, Any], workload: Workload, file: Path) -> None:
    """Compare predictions of a few rows with the reference engine's, for peers with the same network."""
    with Child(workload.threads) as child:
        child.ask("prepare", peer="reference", job=str(file))
        expected = predictions(child, file)
    for name, child in children.items():
        if not peers[name]["note"]:
            found = predictions(child, file)
            apart = distance(found, expected)
            peers[name] |= {"apart": apart, "same": bool(apart <= (1e-9 if found["p"].dtype == np.float64 else 1e-3))}


def predictions(child: Child, file: Path) -> dict[str, Array]:
    """Return a peer's predictions for a few rows."""
    into = file.with_name("p.npz")
    child.ask("predict", rows=2 * FEW, file=str(into))
    with np.load(into) as found:
        return dict(found)
