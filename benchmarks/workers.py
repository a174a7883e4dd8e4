"""``python -m benchmarks.workers``: measure training with workers, and compute what to expect from more of them.

The network is 784-512-512-10 with ReLU and SGD, in float64, with batches of 1,024 rows in shards of 256.  Each
measurement runs in a process of its own, in turn.  It reports the wall time per step (the median and the smallest of
several epochs), the CPU time per step of all processes together, and the load of the machine.  The model takes CPU
times, which depend less on the load.  Dask and MPI are left
out where they are not installed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from workings import SGD, Callback, Dense, Network, Workers
from workings.training.parallel import shard_tasks
from workings.training.parallel.sharded_engine import gradient_job

SIZES, BATCH, SHARD, EPOCHS, STEPS = (784, 512, 512, 10), 1024, 256, 5, 16
ROUNDS = 3
NETWORK_RATE = 1.25e9  # bytes per second of a link with 10 Gbit/s, for the model
NETWORK_DELAY = 50e-6  # seconds until a message arrives, for the model
WORKERS = (1, 2, 4, 8, 16, 64, 256, 1000)


def network(sizes: tuple[int, ...] = SIZES) -> Network:
    """Return a network with these sizes."""
    layers = [Dense(units, "relu") for units in sizes[1:-1]]
    return Network([*layers, Dense(sizes[-1])], loss="CrossEntropy", n_in=sizes[0], seed=0)


def rows(count: int, sizes: tuple[int, ...] = SIZES) -> tuple[Any, Any]:
    """Return random rows and labels."""
    rng = np.random.default_rng(0)
    return rng.random((count, sizes[0])), np.arange(count) % sizes[-1]


class Clock(Callback):
    """Notes the time at the end of each epoch."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, training: Any) -> None:
        self.times.append(time.perf_counter())

    def on_epoch_end(self, training: Any) -> None:
        self.times.append(time.perf_counter())


def steps_with(engine: Any, cpu: Callable[[], float]) -> dict[str, float]:
    """Time steps with an engine; ``cpu`` returns the CPU seconds of all processes."""
    net, clock, (X, y) = network(), Clock(), rows(BATCH * STEPS)
    workers, settings = Workers(engine, shard_rows=SHARD), {"batch_size": BATCH, "running_loss": True}
    settings |= {"optimizer": SGD(0.01), "engine": "reference"}
    net.fit(X, y, epochs=1, workers=workers, **settings)
    before = cpu()
    net.fit(X, y, epochs=EPOCHS, workers=workers, callbacks=[clock], **settings)
    used = cpu() - before
    found = np.diff(clock.times)[1:] / STEPS
    return {"median": float(np.median(found)), "least": float(found.min()), "cpu": used / (EPOCHS * STEPS)}


def least(function: Callable[[], Any], clock: Callable[[], float] = time.thread_time, repeats: int = 30) -> float:
    """Return the smallest time of a call, by default the CPU time of this thread."""
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


# -- what a process of its own measures -----------------------------------------------------


def alone(count: int) -> dict[str, float]:
    """Measure this process alone: whole steps, and the parts of a step."""
    net, (X, y) = network(), rows(SHARD)
    data = shard_tasks.Rows(X, np.eye(SIZES[-1])[y])
    job, values = gradient_job(net, SGD(0.01), False), dict(net.parameters)
    bounds, one = np.array([[0, SHARD]]), np.ones(1)
    shard = shard_tasks.Shard(0, slice(0, SHARD), bounds, 0.25, one, [0.01], 1, {})
    found = shard_tasks.contribution(job, values, data, [shard], (1, 1))
    inputs, progress = {"n": SHARD, "lr": 0.01, "t": 1}, shard_tasks.StepResults(values, [])
    parts = {
        "shard": least(lambda: shard_tasks.contribution(job, values, data, [shard], (1, 1))),
        "update": least(lambda: shard_tasks.advance(job, progress, inputs, found)),
        "bytes": float(found.total.parts.nbytes),
    }
    return steps_with(None, time.process_time) | parts


def with_mpi(count: int) -> dict[str, float]:
    """Measure the ranks of MPI."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    found = steps_with(comm, lambda: float(comm.allreduce(time.process_time())))
    send = np.zeros(network().theta.size)
    receive = np.empty_like(send)
    found["sum"] = least(lambda: comm.Allreduce(send, receive), time.perf_counter)
    return found if comm.rank == 0 else {}


def with_dask(count: int) -> dict[str, float]:
    """Measure workers of Dask on this machine."""
    from distributed import Client, LocalCluster

    settings = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with LocalCluster(n_workers=count, **settings) as cluster, Client(cluster) as client:

        def cpu() -> float:
            return time.process_time() + float(sum(client.run(time.process_time).values()))

        found = steps_with(client, cpu)
        small, (X, y) = (4, 8, 2), rows(64, (4, 8, 2))
        net = network(small)
        fit = functools.partial(net.fit, X, y, optimizer=SGD(0.01), epochs=1, running_loss=True)
        parts = {"batch_size": 2, "workers": Workers(client, shard_rows=2)}
        found["round"] = least(lambda: fit(**parts), time.process_time, 5) / 32  # of the client and the scheduler
        return found


MEASURED = {"this process": alone, "MPI": with_mpi, "Dask": with_dask}


def measured(kind: str, count: int) -> dict[str, float]:
    """Run a measurement in a process of its own, or in several of MPI."""
    command = [sys.executable, "-m", "benchmarks.workers", "--one", kind, str(count)]
    beside = Path(sys.executable).with_name("mpiexec")
    if kind == "MPI":
        command = [str(beside) if beside.exists() else "mpiexec", "-n", str(count), *command]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"')))
    return found


def is_there(kind: str) -> bool:
    """Whether an engine is installed."""
    beside = Path(sys.executable).with_name("mpiexec")
    if kind == "MPI":
        return importlib.util.find_spec("mpi4py") is not None and (beside.exists() or bool(shutil.which("mpiexec")))
    return kind != "Dask" or importlib.util.find_spec("distributed") is not None


# -- the model ------------------------------------------------------------------------------


def with_sums(workers: int, shards: int, parts: dict[str, float], per_link: float) -> float:
    """Return the seconds of a step with MPI: shards, a ring that adds up, and the update in every process."""
    ring = 2 * (workers - 1) / workers * parts["bytes"] / per_link + 2 * math.log2(max(workers, 1)) * NETWORK_DELAY
    return math.ceil(shards / workers) * parts["shard"] + ring + parts["update"]


def with_scheduler(workers: int, shards: int, parts: dict[str, float], per_link: float) -> float:
    """Return the seconds of a step with Dask: tasks, parameters to all workers, and a tree that adds up."""
    levels = math.ceil(math.log(workers, 4)) if workers > 1 else 0
    transfers = (math.ceil(math.log2(workers)) + 3 * levels) * parts["bytes"] / per_link if workers > 1 else 0.0
    scheduling = parts["round"] / 2 * (1 + 4 / 3 * workers)  # a round with one worker has two tasks
    return math.ceil(shards / workers) * parts["shard"] + transfers + scheduling + parts["update"]


def show_model(parts: dict[str, float]) -> None:
    """Print the rows per second to expect, relative to one worker, with one shard of a batch for each worker."""
    one, two = (math.ceil(4 / k) * parts["shard"] + parts["update"] + (k - 1) * parts.get("sum", 0.0) for k in (1, 2))
    print(f"model on an idle machine, batches of {BATCH:,}: {one * 1e3:.1f} ms with one, {two * 1e3:.1f} ms with two")
    print(f"\nmodel, {SHARD} rows for each worker, {NETWORK_RATE * 8 / 1e9:g} Gbit/s between machines")
    models = {"MPI": with_sums, **({"Dask": with_scheduler} if "round" in parts else {})}
    print("workers  batch rows  " + "  ".join(f"{name:>24}" for name in models))
    for count in WORKERS:
        cells = []
        for model in models.values():
            seconds, one = (model(k, k, parts, NETWORK_RATE) for k in (count, 1))
            cells.append(f"{seconds * 1e3:7.1f} ms, {count * one / seconds:7.1f} ×")
        print(f"{count:>7}  {count * SHARD:>10,}  " + "  ".join(f"{cell:>24}" for cell in cells))


def main() -> None:
    """Measure all engines, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"measurements of each kind (default {ROUNDS})")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        own = MEASURED[options.one[0]](int(options.one[1]))
        if own:  # of the ranks of MPI, the first has the results
            print(json.dumps(own))
        return
    machine = describe()
    print(f"{machine['processor']}, {machine['cores']} cores; load {os.getloadavg()[0]:.1f} at the beginning")
    kinds = [
        (kind, count) for kind in MEASURED if is_there(kind) for count in ((1,) if kind == "this process" else (1, 2))
    ]
    found: dict[tuple[str, int], list[dict[str, float]]] = {one: [] for one in kinds}
    for _ in range(options.rounds):
        for one in kinds:
            found[one].append(measured(*one))
    parts: dict[str, float] = {}
    print("                     wall ms a step            CPU ms a step")
    print("                     median    least           all processes")
    for (kind, count), several in found.items():
        least_of = {name: min(one[name] for one in several) for name in several[0]}
        parts |= least_of
        middle = statistics.median(one["median"] for one in several)
        print(f"{kind:<13} {count}  {middle * 1e3:10.1f} {least_of['least'] * 1e3:8.1f} {least_of['cpu'] * 1e3:15.1f}")
    names = {
        "shard": "CPU time of a shard",
        "update": "of the update",
        "round": "of Dask's client and scheduler for a round",
        "sum": "wall time of Allreduce on two ranks",
    }
    print("; ".join(f"{words} {parts[name] * 1e3:.1f} ms" for name, words in names.items() if name in parts))
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    show_model(parts)


if __name__ == "__main__":
    main()
