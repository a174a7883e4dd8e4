"""Time all peers (the libraries that are compared) on a workload.

Each peer runs in a warm process.  First its parameters after some steps are compared with those of the reference
engine.  Then the number of steps is chosen so that a timing takes a fifth of a second.  Then the peers take turns;
each round begins with another peer, so that a slow minute of the machine affects all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import jobs
from benchmarks.limits import limit
from benchmarks.peers import OTHERS, OURS
from benchmarks.peers.contract import MissingError
from benchmarks.processes import Child, ChildError, say
from benchmarks.workloads import Workload

SHORTEST = 0.2  # seconds of one timing


@contextmanager
def prepared(names: Sequence[str], file: Path, threads: int, out: dict[str, Any]) -> Iterator[dict[str, Child]]:
    """Start a child process for each available peer; ``out`` receives the reasons for the others."""
    with ExitStack() as stack:
        children: dict[str, Child] = {}
        for name in names:
            child = stack.enter_context(Child(threads))
            try:
                out[name] = child.ask("prepare", peer=name, job=str(file))
                children[name] = child
            except (MissingError, ChildError) as error:
                out[name] = failure(error)
                say(f"  {name}: {last_line(str(error))}")
        yield children


def failure(error: Exception) -> dict[str, str]:
    """Return the result of a peer that is missing or failed."""
    return {"missing" if isinstance(error, MissingError) else "failed": last_line(str(error))}


def last_line(text: str) -> str:
    """Return the last line of a traceback, which names the error."""
    return text.strip().splitlines()[-1] if text.strip() else "no message"


def measure(workload: Workload, names: Sequence[str], rounds: int, folder: Path, clock: str = "wall") -> dict[str, Any]:
    """Measure one workload: times of each peer by a clock, "wall" or "cpu", the check, the lower bound."""
    say(f"{workload.name}: {workload.describe()}")
    job, checked = jobs.make(workload), workload.checked
    file = job.save(folder / f"{workload.name}.npz")
    with Child(workload.threads) as child:
        speeds = child.call("benchmarks.limits:speeds", dtype=workload.dtype, threads=workload.threads)
    peers: dict[str, Any] = {}
    with prepared(names, file, workload.threads, peers) as children:
        check(children, peers, workload, folder)
        for name, found in timed(workload, file, children, rounds, clock=clock).items():
            peers[name] |= found
    return {
        "about": workload.describe(), "threads": workload.threads, "source": job.source, "target": workload.target,
        "check": {"steps": workload.check_steps, "dtype": checked.dtype, "tolerance": checked.tolerance},
        "speeds": speeds, "limit": limit(workload, speeds), "peers": peers, **ratios(peers),
    }  # fmt: skip


def timed(
    workload: Workload,
    file: Path,
    children: dict[str, Child],
    rounds: int,
    shortest: float = SHORTEST,
    clock: str = "wall",
) -> dict[str, dict[str, Any]]:
    """Choose the number of steps of each peer, then time the peers in turn; a peer that fails is left out."""
    found: dict[str, dict[str, Any]] = {}
    steps: dict[str, int] = {}
    for name, child in children.items():
        try:
            child.ask("prepare", peer=name, job=str(file))
            steps[name] = steps_for(child, max(workload.fewest_steps, workload.batches), shortest)
        except (MissingError, ChildError) as error:
            found[name] = failure(error)
            say(f"  {name}: {last_line(str(error))}")
    for name, times in take_turns(workload, {name: children[name] for name in steps}, steps, rounds, clock).items():
        if len(times) == rounds:
            found[name] = {"steps": steps[name], "seconds": times, **spread(times)}
        else:
            found[name] = {"failed": "the worker process ended early"}
    return found


def check(children: dict[str, Child], peers: dict[str, Any], workload: Workload, folder: Path) -> None:
    """Compare the parameters of peers with equal computation with the reference engine's."""
    file = jobs.make(workload.checked).save(folder / "checked.npz")
    with Child(workload.threads) as child:
        expected = parameters(child, "reference", workload, file)
    for name, child in children.items():
        if not peers[name]["note"]:
            try:
                apart = distance(parameters(child, name, workload, file), expected)
            except (MissingError, ChildError) as error:
                peers[name] |= failure(error)
                continue
            peers[name] |= {"apart": apart, "same": bool(apart <= workload.checked.tolerance)}


def parameters(child: Child, name: str, workload: Workload, file: Path) -> dict[str, Any]:
    """Return a peer's parameters after the steps of the check."""
    child.ask("prepare", peer=name, job=str(file))
    with np.load(child.ask("check", steps=workload.check_steps, file=str(file.with_name("found.npz")))) as found:
        return dict(found)


def distance(found: dict[str, Any], expected: dict[str, Any]) -> float:
    """Return the largest difference in any array, relative to that array's largest entry."""
    if set(found) != set(expected):
        return float("inf")
    largest = {name: max(float(np.abs(array).max()), 1e-300) for name, array in expected.items()}
    shares = [float(np.abs(found[name] - array).max()) / largest[name] for name, array in expected.items()]
    return float(max(shares)) if np.isfinite(shares).all() else float("inf")


def steps_for(child: Child, fewest: int, shortest: float) -> int:
    """Return the number of steps for a timing of sufficient length; also warms up the process."""
    steps = fewest
    child.ask("steps", steps=steps)
    while (seconds := child.ask("steps", steps=steps)) < shortest:
        steps = max(2 * steps, int(1.2 * shortest / max(seconds, 1e-6) * steps)) if seconds > 0.01 else 8 * steps
    return steps


def take_turns(
    workload: Workload, children: dict[str, Child], steps: dict[str, int], rounds: int, clock: str = "wall"
) -> dict[str, list[float]]:
    """Time every peer once per round, beginning with another one each time; return seconds per step."""
    times: dict[str, list[float]] = {name: [] for name in children}
    for turn in range(rounds):
        say(f"  round {turn + 1} of {rounds}")
        for name in rotated(list(children), turn):
            with suppress(ChildError):  # it has fewer times than the others, then
                times[name].append(
                    children[name].ask("cost", steps=steps[name])[clock] / workload.steps_of(steps[name])
                )
    return times


def rotated(names: list[str], turn: int) -> list[str]:
    """Return the names rotated by the number of the turn."""
    start = turn % max(len(names), 1)
    return names[start:] + names[:start]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    return {"median": float(median), "low": float(low), "high": float(high)}


def ratios(peers: dict[str, Any]) -> dict[str, Any]:
    """Return the fastest other library and the speedup of each engine over it."""
    medians = {name: found["median"] for name, found in peers.items() if "median" in found}
    others = [name for name in OTHERS if name in medians]
    if not others:
        return {"best": None, "faster": {}}
    best = min(others, key=medians.__getitem__)
    return {"best": best, "faster": {name: medians[best] / medians[name] for name in OURS if name in medians}}
