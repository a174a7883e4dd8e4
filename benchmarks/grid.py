"""The grid: networks of 1 to 3 hidden layers, of all sizes and kinds, in single steps over all rows.

Cells are drawn with a fixed seed, so that every level of every factor occurs equally often.  Seven rows that were
once slower than JAX come first.  In each cell the peers take turns.  The time of a step is the difference of the CPU
times of two lengths of training, divided by the difference of their steps, so the fixed cost of a call does not count.
Every peer has one process, which goes from cell to cell.  A line of ``grid.jsonl`` is written after each cell, and a
run that was stopped goes on with the next one.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import jobs, machine
from benchmarks.measure import distance, failure, rotated, spread
from benchmarks.peers.contract import MissingError
from benchmarks.processes import Child, ChildError, say
from benchmarks.workloads import Workload

CELLS = 160  # that are drawn, besides the seven rows
SEED = 23
FACTORS: dict[str, tuple[Any, ...]] = {
    "layers": (1, 2, 3),
    "width": (4, 8, 16, 32, 64),
    "hidden": ("tanh", "relu", "sigmoid", "gelu"),
    "dtype": ("float32", "float64"),
    "rows": (32, 100, 320, 1000, 3200, 10_000),
    "optimizer": ("sgd", "adam"),
    "inputs": (2, 8, 20),
    "outputs": (2, 4, 10),
    "loss": ("cross-entropy", "squared error"),
}
PEERS = ("compiled", "jax-loop", "torch")
SHORTEST = 0.05  # CPU seconds of the shorter training; the longer one has three times its steps
TOLERANCE = {"float64": 1e-8, "float32": 1e-2}  # Adam's first steps follow the signs of gradients
CHECKED = 10  # steps after which the parameters are compared


def cell(
    sizes: Sequence[int], hidden: str, dtype: str, loss: str, optimizer: str, rows: int, name: str = ""
) -> Workload:
    """Return the workload of a cell."""
    data, last, reduction = ("random", "", "mean") if loss == "cross-entropy" else ("numbers", "identity", "sum")
    rate = 1e-3 if optimizer == "adam" else 0.01 if reduction == "mean" else 0.01 / rows
    short = {"float64": "f64", "float32": "f32", "cross-entropy": "entropy", "squared error": "squared"}
    words = ("-".join(map(str, sizes)), hidden, short[dtype], short[loss], optimizer, str(rows))
    return Workload(
        name or " ".join(words), tuple(sizes), hidden, rows, rate,
        data=data, loss=loss, last=last, reduction=reduction, optimizer=optimizer, dtype=dtype, check_steps=CHECKED,
    )  # fmt: skip


# Rows that were slower than JAX, or hardly faster, when the compiled engine was built on Numba.
KNOWN_ROWS = (
    cell((2, 16, 16, 2), "tanh", "float64", "cross-entropy", "sgd", 1000),
    cell((4, 32, 16, 4), "tanh", "float32", "squared error", "adam", 10_000),  # the benchmark of SimpleChains
    cell((4, 16, 16, 4), "tanh", "float32", "squared error", "sgd", 10_000),
    cell((4, 16, 16, 4), "relu", "float32", "squared error", "sgd", 10_000),
    cell((20, 32, 10), "tanh", "float64", "cross-entropy", "sgd", 2048),
    cell((20, 32, 16, 3), "relu", "float32", "cross-entropy", "adam", 1000),
    cell((20, 32, 16, 3), "relu", "float64", "cross-entropy", "adam", 1000),
)


def cells(count: int = CELLS, seed: int = SEED) -> list[Workload]:
    """Return the known rows and ``count`` different drawn cells, with the levels of each factor equally often."""
    rng = np.random.default_rng(seed)
    found: dict[str, Workload] = {}
    while len(found) < count:
        length = math.lcm(*map(len, FACTORS.values()))
        columns = {name: rng.permutation(np.resize(np.arange(len(levels)), length)) for name, levels in FACTORS.items()}
        for number in range(length):
            drawn = {name: FACTORS[name][column[number]] for name, column in columns.items()}
            sizes = [drawn["inputs"], *[drawn["width"]] * drawn["layers"], drawn["outputs"]]
            made = cell(sizes, drawn["hidden"], drawn["dtype"], drawn["loss"], drawn["optimizer"], drawn["rows"])
            if len(found) < count:
                found.setdefault(made.name, made)
    return [*KNOWN_ROWS, *found.values()]


def measure(
    count: int, rounds: int, folder: Path, results: Path, pythons: Mapping[str, str] | None = None, again: str = ""
) -> dict[str, Any]:
    """Measure the cells that are not in the file of results, and cells with ``again`` in their name once more.

    ``pythons`` are further peers: a name, and the interpreter with another version of JAX.
    """
    peers = {name: (name, sys.executable) for name in PEERS}
    peers |= {name: ("jax-loop", path) for name, path in (pythons or {}).items()}
    done = read(results)
    wanted = cells(count)
    waiting = [one for one in wanted if one.name not in done or (again and again in one.name)]
    with Crew(peers) as crew:
        for number, workload in enumerate(waiting, start=1):
            line = measure_cell(workload, crew, rounds, folder)
            done[workload.name] = line
            results.parent.mkdir(parents=True, exist_ok=True)
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            say(f"{number} of {len(waiting)}: {workload.name}: {ratio_text(line)}")
    return {name: done[name] for name in (one.name for one in wanted) if name in done}


def read(results: Path) -> dict[str, Any]:
    """Return the last line of each cell in a file of results."""
    if not results.exists():
        return {}
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {line["name"]: line for line in lines}


class Crew:
    """One process for each peer, started when it is first needed, and started anew after an error."""

    def __init__(self, peers: Mapping[str, tuple[str, str]]) -> None:
        self.peers, self.stack = peers, ExitStack()
        self.children: dict[str, Child] = {}
        self.versions: dict[str, Any] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        self.stack.close()

    def child(self, name: str) -> Child:
        """Return the process of a peer."""
        if name not in self.children:
            python = self.peers[name][1] if name in self.peers else sys.executable
            self.children[name] = self.stack.enter_context(Child(1, python))
            self.versions[name] = self.children[name].call("benchmarks.machine:versions")
        return self.children[name]

    def prepare(self, name: str, file: Path) -> Child:
        """Prepare a peer for a job."""
        child = self.child(name)
        child.ask("prepare", peer=self.peers.get(name, (name,))[0], job=str(file))
        return child

    def drop(self, name: str) -> None:
        """Forget the process of a peer, whose state is unknown after an error."""
        if name in self.children:
            self.children.pop(name).close(patience=0.1)


def measure_cell(workload: Workload, crew: Crew, rounds: int, folder: Path) -> dict[str, Any]:
    """Measure one cell with all peers in turn; return its line of the results."""
    file = jobs.make(workload).save(folder / "cell.npz")
    expected = parameters(crew, "reference", file, folder)
    peers: dict[str, Any] = {}
    steps: dict[str, int] = {}
    for name in crew.peers:
        try:
            apart = distance(parameters(crew, name, file, folder), expected)
            steps[name] = fitting_steps(crew.child(name))
            peers[name] = {"apart": apart, "same": apart <= TOLERANCE[workload.dtype], "steps": steps[name]}
        except (MissingError, ChildError) as error:
            peers[name] = failure(error)
            crew.drop(name)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds):
        for name in rotated(list(steps), turn):
            times[name].append(slope(crew.child(name), steps[name]))
    for name, seconds in times.items():
        peers[name] |= {"seconds": seconds, **spread(seconds)}
        peers[name]["versions"] = crew.versions[name]
    about = {"name": workload.name, "workload": asdict(workload), "machine": crew_machine(), "peers": peers}
    return {**about, "ratio": ratio_of(peers)}


def crew_machine() -> dict[str, Any]:
    """Return the processor, and whether it was restricted."""
    return {"processor": machine.processor(), "features": machine.features(), "restricted": machine.restricted()}


def parameters(crew: Crew, name: str, file: Path, folder: Path) -> dict[str, Any]:
    """Return a peer's parameters after the steps of the check; it stays prepared."""
    child = crew.prepare(name, file)
    with np.load(child.ask("check", steps=CHECKED, file=str(folder / "found.npz"))) as found:
        return dict(found)


def fitting_steps(child: Child) -> int:
    """Return the number of steps that take ``SHORTEST`` seconds or more; also warms up the process."""
    steps, cpu = 8, child.ask("cost", steps=8)["cpu"]
    while cpu < SHORTEST:
        steps = max(2 * steps, int(1.2 * SHORTEST / max(cpu, 1e-3) * steps))
        cpu = child.ask("cost", steps=steps)["cpu"]
    return steps


def slope(child: Child, steps: int) -> float:
    """Return the CPU seconds of a step: the difference of a training and one of three times its length."""
    short, long = (child.ask("cost", steps=times * steps)["cpu"] for times in (1, 3))
    return float(long - short) / (2 * steps)


def ratio_of(peers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fastest other peer and its time relative to ours: medians of the ratios of each round."""
    ours = peers.get("compiled", {})
    others = {name: found for name, found in peers.items() if name != "compiled" and "median" in found}
    if "median" not in ours or not others:
        return {}
    ratios = {
        name: statistics.median(theirs / mine for theirs, mine in zip(found["seconds"], ours["seconds"], strict=True))
        for name, found in others.items()
    }
    best = min(ratios, key=ratios.__getitem__)
    return {"best": best, "speedup": ratios[best], "all": ratios}


def ratio_text(line: Mapping[str, Any]) -> str:
    """Describe the result of a cell in a few words."""
    ratio, peers = line["ratio"], line["peers"]
    wrong = [name for name, found in peers.items() if not found.get("same", False)]
    words = f"{ratio['speedup']:.2f} × {ratio['best']}" if ratio else "no ratio"
    times = ", ".join(f"{name} {1e6 * found['median']:.3g} µs" for name, found in peers.items() if "median" in found)
    return f"{words} ({times})" + (f"; not the same: {', '.join(wrong)}" if wrong else "")


def losses(found: Mapping[str, Any], below: float = 1.0) -> Iterator[tuple[str, Any]]:
    """Yield the cells with a speedup below a limit, the lowest first."""
    measured = {name: line for name, line in found.items() if line["ratio"]}
    for name in sorted(measured, key=lambda name: measured[name]["ratio"]["speedup"]):
        if measured[name]["ratio"]["speedup"] < below:
            yield name, measured[name]
