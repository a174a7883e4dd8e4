"""``python -m benchmarks.stream``: measure trainings on data that stays on disk.

- ``speed``: rows per second of a network of 20-64-64-1 on generated float32 rows: in memory, and from a ``.npy`` file.
- ``memory``: the memory that a training on a table of 20 GB needs; the file is sparse: zeros that take no disk space.
- ``resume``: a training on disk is killed after its first epoch, and resumed; the digest is that of a training in one
  piece.
- ``shuffle``: accuracy on MNIST with a permutation of all rows, and with windows, from a file in random order and from
  one that is sorted by class.  The environment variable ``WORKINGS_DATA`` names the folder of MNIST.

Each training runs in a process of its own.  Peak memory is that of the process, with mapped pages, less what it had
before ``fit``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe
from workings import Adam, Callback, Checkpoint, CrossEntropy, Dense, Network, RowStream
from workings.datasets import mnist

COLUMNS = 20
BLOCK = 100_000  # rows that are generated at a time


class Generated:
    """A source of random rows, each block from a seed of its own."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.starts = np.arange(0, rows, BLOCK)

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: slice) -> Any:
        first, last = rows.start // BLOCK, max(rows.stop - 1, rows.start) // BLOCK
        blocks = [self.block(number) for number in range(first, last + 1)]
        all_rows = blocks[0] if first == last else np.concatenate(blocks)
        return all_rows[rows.start - first * BLOCK : rows.stop - first * BLOCK]

    def block(self, number: int) -> Any:
        """Return the rows of a block: uniform numbers, whose drawing takes less time than training on them."""
        return np.random.default_rng([7, number]).random((BLOCK, COLUMNS), dtype=np.float32)


def write_rows(folder: Path, rows: int) -> None:
    """Write generated rows and their targets as ``.npy`` files."""
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (rows, COLUMNS))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.float32, (rows,))
    source, w = Generated(rows), np.linspace(-1, 1, COLUMNS, dtype=np.float32)
    for start in range(0, rows, BLOCK):
        block = source[start : min(start + BLOCK, rows)]
        X[start : start + len(block)], y[start : start + len(block)] = block, block @ w


def write_zeros(folder: Path, rows: int) -> None:
    """Write sparse files of zeros, which take no disk space."""
    np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (rows, COLUMNS))
    np.lib.format.open_memmap(folder / "y.npy", "w+", np.float32, (rows,))


# -- one training, in a process of its own ----------------------------------------------------


def memory(name: str) -> float:
    """Return an entry of the process's memory in MB."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return next(float(line[1]) / 1024 for line in lines if line[0] == f"{name}:")


class KillAfter(Callback):
    """End the process as a crash would, before an epoch."""

    only_observes = True
    runs_last = True

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_begin(self, training: Any) -> None:
        if training.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def train(how: str, folder: Path, sizes: list[int], batch: int, epochs: int, kill: int) -> dict[str, Any]:
    """Train once and return what was measured."""
    X, y = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "Xy")
    rows = {"memory": lambda: (np.array(X), np.array(y)), "disk": lambda: (X, y),
            "stream": lambda: (RowStream(X, window=len(X) // 8), y),
            "generated": lambda: (RowStream(Generated(len(X))), y)}[how]()  # fmt: skip
    callbacks: list[Callback] = [] if kill < -1 else [Checkpoint(folder / "run.safetensors", resume=True)]
    callbacks += [KillAfter(kill)] if kill >= 0 else []
    network = Network([*(Dense(units, "relu") for units in sizes), Dense(1)], loss="SquaredError", seed=0)
    before, began, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    network.fit(
        *rows, optimizer=Adam(1e-3), epochs=epochs, batch_size=batch, running_loss=True, callbacks=callbacks,
        engine="compiled",
    )  # fmt: skip
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    return {
        "rows": len(X),
        "seconds": seconds,
        "cpu": cpu_seconds,
        "rows per second": epochs * len(X) / seconds,
        "peak": memory("VmHWM") - before,
        "digest": hashlib.sha256(network.theta.tobytes()).hexdigest()[:16],
    }


def child(
    how: str, folder: Path, sizes: str = "64,64", batch: int = 256, epochs: int = 1, kill: int = -2
) -> dict[str, Any]:
    """Train in a process of its own; return what it measured, or an empty dict if it was killed."""
    words = ["--how", how, "--folder", str(folder), "--sizes", sizes, "--batch", str(batch), "--epochs", str(epochs),
             "--kill", str(kill)]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "benchmarks.stream", "child", *words], capture_output=True, text=True)
    if done.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


# -- the measurements -------------------------------------------------------------------------


def speed(folder: Path, rows: int, rounds: int) -> None:
    """Compare rows per second in memory and on disk, in turn."""
    write_rows(folder, rows)
    found = [{how: child(how, folder) for how in ("memory", "disk", "generated")} for _ in range(rounds)]
    for how in found[0]:
        per_second = statistics.median(each[how]["rows per second"] for each in found)
        relative = statistics.median(each[how]["rows per second"] / each["memory"]["rows per second"] for each in found)
        cpu = statistics.median(each[how]["cpu"] for each in found)
        work = statistics.median(each["memory"]["cpu"] / each[how]["cpu"] for each in found)
        peak = max(each[how]["peak"] for each in found)
        print(
            f"{how:<10} {per_second:>10,.0f} rows/s {relative:>7.1%} of memory, {cpu:.1f} CPU s ({work:.1%}), "
            f"peak +{peak:.0f} MB"
        )


def needed_memory(folder: Path, rows: int) -> None:
    """Measure the peak memory of an epoch on a table of ``rows`` rows."""
    write_zeros(folder, rows)
    size, used = (folder / "X.npy").stat().st_size, (folder / "X.npy").stat().st_blocks * 512
    found = child("disk", folder, sizes="8", batch=4096)
    print(f"{rows:,} rows, {size / 1e9:.1f} GB (a sparse file: {used / 1e6:.1f} MB on disk), one epoch of 20-8-1:")
    print(f"{found['seconds']:.0f} s, {size / found['seconds'] / 1e6:.0f} MB/s, peak +{found['peak']:.0f} MB")


def resumed(folder: Path, rows: int) -> None:
    """Compare the digest of a training that is killed and resumed with that of one in one piece."""
    write_rows(folder, rows)
    whole = child("stream", folder, epochs=3)
    killed = child("stream", folder, epochs=3, kill=1)
    again = child("stream", folder, epochs=3, kill=-1)
    print(f"{rows:,} rows, 3 epochs: {whole['digest']} in one piece; killed {not killed}; {again['digest']} resumed")
    print("the same bits" if whole["digest"] == again["digest"] else "DIFFERENT BITS")


def accuracy(seeds: int, epochs: int) -> None:
    """Compare the accuracy on MNIST after shuffling all rows, and in windows of several sizes."""
    data, block = mnist("full"), 64
    by_class = np.argsort(data.y_train, kind="stable")
    scale = np.float32(data.X_train.max())
    cases = [("random file", None), ("sorted file", 128), ("sorted file", 32), ("sorted file", 8)]
    for name, blocks in cases:
        rows = by_class if name == "sorted file" else slice(None)
        X, y, found = data.X_train[rows].astype(np.float32) / scale, data.y_train[rows], []
        given = X if blocks is None else RowStream(X, window=blocks * block, block=block)
        for seed in range(seeds):
            network = Network([Dense(64, "relu"), Dense(10)], loss=CrossEntropy(), seed=seed)
            network.fit(given, y, optimizer=Adam(1e-3), epochs=epochs, batch_size=64, running_loss=True)
            found.append(network.score(data.X_test.astype(np.float32) / scale, data.y_test))
        how = "all rows" if blocks is None else f"windows of {blocks} blocks of {block} rows"
        print(f"{name}, {how:<34} {np.mean(found):.4f} ± {np.std(found, ddof=1) / seeds**0.5:.4f}", flush=True)


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "memory", "resume", "shuffle", "child"])
    parser.add_argument("--rows", type=int, help="default: 50 million, for memory 250 million, for resume 5 million")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="folder for the files (default: a temporary one)")
    for name, default in (("how", "disk"), ("sizes", "64,64"), ("batch", 256), ("kill", -2)):
        parser.add_argument(f"--{name}", type=type(default), default=default, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.what == "child":
        sizes = [int(units) for units in given.sizes.split(",")]
        print(json.dumps(train(given.how, given.folder, sizes, given.batch, given.epochs, given.kill)))
        return
    machine = describe()
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['python']}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.what == "speed":
            speed(Path(folder), given.rows or 50_000_000, given.rounds)
        elif given.what == "memory":
            needed_memory(Path(folder), given.rows or 250_000_000)
        elif given.what == "resume":
            resumed(Path(folder), given.rows or 5_000_000)
        else:
            accuracy(given.seeds, given.epochs)


if __name__ == "__main__":
    main()
