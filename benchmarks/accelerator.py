"""``python -m benchmarks.accelerator``: measure ``engine="jax"`` on the device that JAX finds.

For each network it compares ``fit`` with a training loop written by hand in JAX, and with the compiled engine on the
CPU.  First it checks that all end with the same parameters.  Timings are the slope of two numbers of epochs, so that
compiling and the fixed cost of a call do not count; medians of several rounds in turn.  It starts no new
network after 200 seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.jobs import Job, make
from benchmarks.machine import describe
from benchmarks.peers import jax_loop
from benchmarks.peers.contract import Peer
from benchmarks.peers.ours import Fit
from benchmarks.workloads import Workload

SHAPES = (
    ((784, 512, 512, 10), 1024, 16_384),
    ((784, 2048, 2048, 10), 1024, 16_384),
    ((784, 32, 16, 10), 1024, 65_536),
)
LIMIT = 200.0  # seconds for all networks
LEAST = 0.3  # seconds of the longer timing
TOLERANCE = 1e-9  # relative to the largest entry of an array, after one epoch in float64
CHECKED_ROWS = 4096  # rows of that epoch


def workloads() -> list[Workload]:
    """Return the networks, each with plain SGD and Adam."""
    return [
        Workload(
            f"{'-'.join(map(str, sizes))} {optimizer}", sizes, "relu", rows, lr, batch=batch, dtype="float32",
            optimizer=optimizer,
        )
        for sizes, batch, rows in SHAPES
        for optimizer, lr in (("sgd", 0.01), ("adam", 1e-4))
    ]  # fmt: skip


def peers(job: Job, with_compiled: bool) -> dict[str, Peer]:
    """Prepare the trainings of a job."""
    ours: dict[str, Peer] = {"engine=jax": Fit(job, "jax"), "JAX by hand": jax_loop.prepare(job)}
    return ours | ({"engine=compiled": Fit(job, "compiled")} if with_compiled else {})


def disagreement(workload: Workload, with_compiled: bool) -> float:
    """Return the largest difference of parameters after an epoch in float64, relative to the array's largest entry.

    In float32 the order of additions decides on which side of ReLU's corner a number near 0 lies.
    """
    job = make(dataclasses.replace(workload, dtype="float64", rows=CHECKED_ROWS))
    results = []
    for training in peers(job, with_compiled).values():
        training.reset()
        training.run(job.workload.batches)
        results.append(training.parameters())
    first = results[0]
    return max(
        float(np.abs(other[name] - first[name]).max() / np.abs(first[name]).max())
        for other in results[1:]
        for name in first
    )


def seconds(training: Peer, steps: int) -> float:
    """Time some steps."""
    training.reset()
    start = time.perf_counter()
    training.run(steps)
    return time.perf_counter() - start


def slope(training: Peer, steps: int, few: int) -> float:
    """Return the seconds per step, from timings of ``few`` steps and of ``steps``."""
    return (seconds(training, steps) - seconds(training, few)) / (steps - few)


def length_for(training: Peer, batches: int, until: float) -> int:
    """Return a number of steps, whole epochs, that takes long enough to time; all compiled by then."""
    steps = 2 * batches
    seconds(training, steps)
    while seconds(training, steps) < LEAST and time.monotonic() < until:
        steps *= 2
        seconds(training, steps)  # another length may compile again
    return steps


def measure(workload: Workload, rounds: int, with_compiled: bool, until: float, say: Callable[[str], None]) -> None:
    """Check that the trainings agree, time them in turn, and print a line for each."""
    difference, job = disagreement(workload, with_compiled), make(workload)
    trainings, batches = peers(job, with_compiled), workload.batches
    verdict = "agree" if difference <= TOLERANCE else "DIFFER"
    say(f"\n{workload.describe()}: the results {verdict} (largest difference {difference:.1e})")
    steps = {name: length_for(training, batches, until) for name, training in trainings.items()}
    times: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(rounds):
        for name, training in trainings.items():
            times[name].append(slope(training, steps[name], batches))
        if time.monotonic() > until:
            break
    hand = statistics.median(times["JAX by hand"])
    for name, found in times.items():
        middle = statistics.median(found)
        rate = workload.batch_rows / middle
        say(f"  {name:<16} {middle * 1e6:10.1f} µs a step  {rate:14,.0f} rows/s   {hand / middle:5.2f} × JAX by hand")


def main() -> None:
    """Run all networks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accelerator", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="timings of each training (default 5)")
    parser.add_argument("--no-compiled", action="store_true", help="leave out the compiled engine on the CPU")
    parser.add_argument("--batch", type=int, default=None, help="another batch size")
    options = parser.parse_args()
    import jax

    machine = describe()
    devices = ", ".join(device.device_kind for device in jax.devices())
    print(f"devices: {devices}; JAX {jax.__version__}; processor: {machine['processor']}, {machine['cores']} cores")
    until = time.monotonic() + LIMIT
    for workload in workloads():
        if time.monotonic() > until:
            print(f"\n{workload.name}: no time left")
            continue
        chosen = dataclasses.replace(workload, batch=options.batch or workload.batch)
        measure(chosen, options.rounds, not options.no_compiled, until, print)


if __name__ == "__main__":
    main()
