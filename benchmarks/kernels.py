"""The compiled engine's own matrix product compared with BLAS in its place.

``python -m benchmarks.kernels`` trains networks with large products by the engine as it is and with BLAS, in turn,
and prints a table for ``workings/engines/kernels/README.md``.  Without OPENBLAS_CORETYPE in the environment, OpenBLAS
chooses its kernels by the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import jobs, machine
from benchmarks.measure import check, prepared, rotated, spread, steps_for
from benchmarks.processes import in_threads, say
from benchmarks.report import amount, table
from benchmarks.workloads import WORKLOADS, Workload

OWN = "compiled"
PEERS = {1: ("blas-shared",), 2: ("blas", "blas-shared")}  # with one thread, both are the same
TITLES = {OWN: "own", "blas": "BLAS, its threads", "blas-shared": "BLAS, engine's threads"}
OF_BLAS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # they would replace its choice of kernels
SHORTEST = 0.3  # seconds of one timing
LIBRARIES = "benchmarks.machine:libraries"


def cases() -> dict[str, Workload]:
    """Return the workloads by name: those with large products, and larger batches, in both precisions."""
    large = WORKLOADS["mlp-sgd"]
    chosen = {
        "digits-32": WORKLOADS["digits-32"],
        "mlp-sgd": large,
        "mlp-adam": WORKLOADS["mlp-adam"],
        "mlp-1024": replace(large, name="mlp-1024", batch=1024),
        "mnist": replace(WORKLOADS["mnist"], fewest_steps=3),
    }
    return {
        f"{name}-{dtype}": replace(workload, name=f"{name}-{dtype}", dtype=dtype)
        for name, workload in chosen.items()
        for dtype in ("float32", "float64")
    }


def measure(workload: Workload, threads: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Time a workload with the own product and with BLAS, in turn; compare the parameters with the reference's."""
    say(f"{workload.name}, {in_threads(threads)}: {workload.describe()}")
    workload = replace(workload, threads=threads)
    names = [OWN, *PEERS[min(threads, 2)]]
    peers: dict[str, Any] = {}
    file = jobs.make(workload).save(folder / f"{workload.name}.npz")
    with prepared(names, file, threads, peers) as children:
        check(children, peers, workload, folder)
        costs: dict[str, list[dict[str, float]]] = {name: [] for name in children}
        steps = {}
        for name, child in children.items():
            child.ask("prepare", peer=name, job=str(file))
            steps[name] = steps_for(child, max(workload.fewest_steps, workload.batches), SHORTEST)
        for turn in range(rounds):
            for name in rotated(list(children), turn):
                cost = children[name].ask("cost", steps=steps[name])
                done = workload.steps_of(steps[name])
                costs[name].append({key: seconds / done for key, seconds in cost.items()})
        blas = {name: child.call(LIBRARIES) for name, child in children.items()}
    for name, found in costs.items():
        peers[name] |= {"libraries": blas[name], **{key: compared(costs, name, key) for key in ("wall", "cpu")}}
        peers[name]["rounds"] = found
    return {"about": workload.describe(), "threads": threads, "peers": peers}


def compared(costs: dict[str, list[dict[str, float]]], name: str, key: str) -> dict[str, Any]:
    """Return the spread of a peer's seconds, and of their ratio to those of the own product in the same round."""
    seconds, own = ([cost[key] for cost in costs[which]] for which in (name, OWN))
    return {**spread(seconds), "ratio": spread([a / b for a, b in zip(seconds, own, strict=True)])}


def rows_of(results: dict[str, Any], threads: int) -> Iterable[list[str]]:
    """Return the rows of the table for a number of threads."""
    for name, found in results.items():
        if found["threads"] != threads:
            continue
        cells = [name.split("/")[0]]
        for key in ("wall", "cpu"):
            cells += [amount(found["peers"][OWN][key]["median"] * 1e6)]
            for peer in PEERS[min(threads, 2)]:
                cost = found["peers"][peer][key]
                low, high = cost["ratio"]["low"], cost["ratio"]["high"]
                cells += [f"{amount(cost['median'] * 1e6)}: {cost['ratio']['median']:.2f} × ({low:.2f}–{high:.2f})"]
        yield cells


def markdown(results: dict[str, Any]) -> str:
    """Return the tables, one for each number of threads."""
    lines: list[str] = []
    for threads in sorted({found["threads"] for found in results.values()}):
        titles = [TITLES[name] for name in (OWN, *PEERS[min(threads, 2)])]
        head = ["workload", *(f"{title}, {key}" for key in ("wall", "CPU") for title in titles)]
        lines += ["", f"{in_threads(threads)}, µs for each step", "", *table(head, rows_of(results, threads))]
    return "\n".join([*lines, ""])


def kernels_of_blas(results: dict[str, Any]) -> set[str]:
    """Return the versions of OpenBLAS that were loaded, NumPy's and SciPy's, and the kernels that they chose."""
    loaded = [about for found in results.values() for peer in found["peers"].values() for about in peer["libraries"]]
    names = ("internal_api", "version", "architecture")
    return {" ".join(about[name] for name in names) for about in loaded if about["internal_api"] == "openblas"}


def different(results: dict[str, Any]) -> list[str]:
    """Return the measurements whose parameters differ from the reference engine's."""
    return [
        f"{name}: {peer}"
        for name, found in results.items()
        for peer, about in found["peers"].items()
        if not about.get("same")
    ]


def main(given: Sequence[str] | None = None) -> int:
    """Measure the selected cases and print the tables."""
    known = cases()
    made = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=str(__doc__).split("\n")[0])
    made.add_argument("cases", nargs="*", default=list(known), help=f"any of {', '.join(known)}")
    made.add_argument("--threads", default="1,2", help="numbers of threads (default 1,2)")
    made.add_argument("--rounds", type=int, default=9, help="timings of each product (default 9)")
    made.add_argument("--out", type=Path, default=Path("workings-bench/kernels.json"), help="file for raw figures")
    arguments = made.parse_args(given)
    if set_here := [name for name in OF_BLAS if name in os.environ]:
        say(f"unset {', '.join(set_here)} first: OpenBLAS would not choose its kernels by the processor")
        return 2
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, arguments.threads.split(",")):
            for name in arguments.cases:
                found = measure(known[name], threads, arguments.rounds, Path(folder))
                results[f"{name}/{threads}"] = found
                written = {"machine": machine.describe(), "results": results}
                arguments.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"{machine.processor()}, {', '.join(machine.features())}; {'; '.join(sorted(kernels_of_blas(results)))}")
    print(markdown(results))
    if bad := different(results):
        say(f"parameters differ from the reference engine's: {', '.join(bad)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
