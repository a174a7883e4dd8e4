"""Overhead of validation, metrics and callbacks relative to a plain ``fit``.

The same ``fit`` is timed without them, with each of them and with all of them, in turn in one process.  The
validation set has a tenth of the training rows; its forward pass is necessary work, so the table also gives its
share of an epoch's multiplications.  Features of ``fit`` that cannot be switched off (the check for finite
numbers, Ctrl-C, the history) are part of the plain training and of every other figure.
The compiled engine evaluates epochs on a second core if one is idle.  Therefore everything is timed with two cores,
of which plain training of these workloads uses one, and with one core.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import jobs
from benchmarks.limits import multiplications
from benchmarks.measure import failure, last_line, rotated, spread
from benchmarks.peers.contract import MissingError
from benchmarks.peers.ours import Fit
from benchmarks.processes import Child, ChildError, say
from benchmarks.workloads import WORKLOADS, Workload
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.progress import Progress

CASES = ("moons-3", "moons-50", "digits-1", "digits-32")
PROCESSORS = {"wall": (2, 1), "cpu": (1,)}  # CPU time does not show what a second core saves
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
LIMIT = 0.05
SHORTEST = 1.0  # seconds of a fit, so that the cost of starting one does not count
NEVER = 10**9  # epochs of patience
Settings = dict[str, Any]


def variants(job: jobs.Job) -> dict[str, Callable[[], Settings]]:
    """Return the arguments of ``fit`` for each variant, as functions that create them anew for each call."""
    tenth = len(job.X) // 10
    held: Settings = {"validation": (job.X[:tenth].copy(), job.y[:tenth].copy())}
    return {
        "bare": dict,
        "no-op callback": lambda: {"callbacks": [Callback()]},
        "reporting callback": lambda: {"callbacks": [Progress(stream=io.StringIO())]},
        "early stopping on the loss": lambda: {"callbacks": [EarlyStopping("loss", patience=NEVER)]},
        "loss on all rows": lambda: {"running_loss": False},
        "training accuracy": lambda: {"metrics": ["accuracy"]},
        "validation (loss, accuracy)": lambda: held,
        "all combined": lambda: {
            **held, "metrics": ["accuracy"], "running_loss": False,
            "callbacks": [EarlyStopping(patience=NEVER), Callback(), Progress(stream=io.StringIO())],
        },
    }  # fmt: skip


def run(engine: str, job: str, rounds: int, clock: str) -> dict[str, Any]:
    """Time all variants in turn, in the worker process; return seconds per step."""
    loaded = jobs.load(job)
    fit, kinds = Fit(loaded, engine), variants(loaded)
    steps = enough_steps(fit, kinds["bare"], clock)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for settings in kinds.values():  # warms each up
        seconds(fit, loaded.workload.batches, settings, clock)
    for turn in range(rounds):
        for name in rotated(list(kinds), turn):
            times[name].append(seconds(fit, steps, kinds[name], clock) / loaded.workload.steps_of(steps))
    bare = np.array(times["bare"])
    cost = {name: float(np.median(np.array(found) / bare)) - 1 for name, found in times.items()}
    return {name: {"seconds": found, **spread(found), "cost": cost[name]} for name, found in times.items()}


def seconds(fit: Fit, steps: int, settings: Callable[[], Settings], clock: str) -> float:
    """Return the seconds of one call of ``fit``."""
    more = settings()
    fit.reset()
    began = CLOCKS[clock]()
    fit.run(steps, **more)
    return CLOCKS[clock]() - began


def enough_steps(fit: Fit, settings: Callable[[], Settings], clock: str) -> int:
    """Return a number of steps that takes long enough to be timed."""
    steps = fit.job.workload.batches
    while seconds(fit, steps, settings, clock) < SHORTEST:
        steps *= 2
    return steps


def share_of_validation(workload: Workload) -> float:
    """Return the multiplications for the validation rows, relative to those of an epoch of training."""
    forward = sum(2 * n_in * n_out for n_in, n_out in workload.layers)
    rows = workload.rows // 10
    return rows * forward / (workload.batches * multiplications(workload))


def measure(names: Sequence[str], rounds: int, folder: Path, clock: str = "wall") -> dict[str, Any]:
    """Measure all cases with each engine."""
    return {
        f"{case}, {engine}, {count}": measure_case(case, engine, count, rounds, folder, clock)
        for count in PROCESSORS[clock] for case in CASES for engine in names
    }  # fmt: skip


def measure_case(case: str, engine: str, processors: int, rounds: int, folder: Path, clock: str) -> dict[str, Any]:
    """Measure one workload with one engine."""
    say(f"overhead: {case}, {engine}, cores: {processors}")
    workload = WORKLOADS[case]
    file = jobs.make(workload).save(folder / "overhead.npz")
    try:
        with Child(processors) as child:
            found = child.call("benchmarks.overhead:run", engine=engine, job=str(file), rounds=rounds, clock=clock)
        return {"variants": found, "validation work": share_of_validation(workload), "limit": LIMIT}
    except (MissingError, ChildError) as error:
        say(f"  {last_line(str(error))}")
        return failure(error)
