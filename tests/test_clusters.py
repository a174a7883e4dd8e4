"""Data-parallel training on real engines: Dask's scheduler, MPI, and loky; with workers and schedulers that die."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import SGD, Callback, Dense, Network, Workers, sweep
from workings.datasets import moons

ROOT = Path(__file__).resolve().parents[1]
X, y = moons(200)

# A training that prints a checksum of its parameters; the last argument is a path, or nothing.
SCRIPT = """
import hashlib
import sys

from workings import Adam, Checkpoint, Dense, Dropout, L2, Network, Workers
from workings.datasets import moons


def digest(engine, epochs=3, callbacks=(), **settings):
    net = Network([Dense(8, "tanh"), Dropout(0.2), Dense(2)], loss="CrossEntropy", regularizer=L2(1e-3), seed=0)
    workers = Workers(engine, shard_rows=10, **settings)
    net.fit(*moons(200), optimizer=Adam(0.01), epochs=epochs, batch_size=64, callbacks=callbacks, workers=workers)
    return hashlib.sha256(net.theta.tobytes()).hexdigest()
"""
NAMESPACE: dict[str, Any] = {}
exec(SCRIPT, NAMESPACE)
digest = NAMESPACE["digest"]


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """Start a cluster of Dask on this machine."""
    distributed = pytest.importorskip("distributed", reason="needs dask[distributed]: pip install '.[cluster]'")
    settings = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=workers, **settings) as started, distributed.Client(started) as client:
        yield client


def environment() -> dict[str, str]:
    """Return the environment of processes that import this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


# -- Dask -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("workers", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4))])
def test_dask(workers: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    with cluster(workers) as client:
        assert digest(client) == digest(None)
        assert digest(client, local_steps=2, data=tmp_path / "rows.npz") == digest(None, local_steps=2)


class KillWorker(Callback):
    """Kills a worker while the second epoch runs."""

    def __init__(self, client: Any, seconds: float) -> None:
        self.pids = list(client.run(os.getpid).values())
        self.timer = threading.Timer(seconds, os.kill, (self.pids[0], signal.SIGKILL))
        self.was_in_time = False

    def on_epoch_begin(self, training: Any) -> None:
        if training.epoch == 1:
            self.timer.start()

    def on_train_end(self, training: Any) -> None:
        self.was_in_time = not self.timer.is_alive()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_changes_nothing(workers: int) -> None:
    with cluster(workers) as client:
        killer = KillWorker(client, 0.1)
        assert digest(client, epochs=12, callbacks=[killer]) == digest(None, epochs=12)
        assert killer.was_in_time
        assert set(client.run(os.getpid).values()) != set(killer.pids)


RESUMED = """
from distributed import Client

with Client(sys.argv[1], timeout=20) as client:
    print(digest(client, epochs=int(sys.argv[2]), callbacks=[Checkpoint(sys.argv[3], resume=True)]))
"""


def start_scheduler(folder: Path) -> tuple[list[subprocess.Popen[bytes]], str]:
    """Start a scheduler and a worker in processes of their own; return them and the address."""
    file, options = folder / "scheduler.json", ["--host", "127.0.0.1", "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *options, "--port", "0"]
    processes = [
        subprocess.Popen([*command, "--scheduler-file", str(file)], env=environment(), stderr=subprocess.DEVNULL)
    ]
    for _ in range(300):
        if file.exists() and file.read_text().strip():
            break
        time.sleep(0.1)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), *options]
    processes.append(subprocess.Popen([*command, "--nthreads", "1"], env=environment(), stderr=subprocess.DEVNULL))
    import json

    return processes, json.loads(file.read_text())["address"]


@pytest.mark.slow
def test_a_training_resumes_after_its_scheduler_was_killed(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs dask[distributed]: pip install '.[cluster]'")
    checkpoint = tmp_path / "run.safetensors"
    for number in (0, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        processes, address = start_scheduler(folder)
        arguments = [sys.executable, "-c", SCRIPT + RESUMED, address, "40", str(checkpoint)]
        training = subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if number == 0:
                while not checkpoint.exists():
                    assert training.poll() is None
                    time.sleep(0.02)
                processes[0].kill()
            printed, errors = training.communicate(timeout=240)
        finally:
            for process in (training, *processes):
                process.kill()
                process.wait()
        if number == 0:
            assert training.returncode
            assert b"WorkersError" in errors
    assert printed.decode().split() == [digest(None, epochs=40)]


# -- MPI ------------------------------------------------------------------------------------

WITH_MPI = """
from mpi4py import MPI

print(digest(MPI.COMM_WORLD), digest(MPI.COMM_WORLD, local_steps=2))
"""


def mpiexec(ranks: int) -> list[str]:
    """Return the command that starts ranks of MPI."""
    pytest.importorskip("mpi4py", reason="needs mpi4py and an MPI: pip install '.[mpi]'")
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("needs mpiexec: pip install '.[mpi]'")
    return [found, "-n", str(ranks)]


def digests(printed: str) -> list[str]:
    """Return the checksums that the ranks printed; their lines may run into each other."""
    return re.findall(r"[0-9a-f]{64}", printed)


@pytest.mark.parametrize("ranks", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4))])
def test_mpi(ranks: int) -> None:
    command = [*mpiexec(ranks), sys.executable, "-c", SCRIPT + WITH_MPI]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=120)
    wanted = [digest(None), digest(None, local_steps=2)]
    assert sorted(digests(done.stdout)) == sorted(wanted * ranks)


INTERRUPTED = """
from mpi4py import MPI

comm = MPI.COMM_WORLD


class Interrupt(Callback):
    only_observes = True

    def on_epoch_begin(self, training):
        if training.epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)


path, pressed = sys.argv[1], int(sys.argv[2])
callbacks = [Checkpoint(path, resume=True), *([Interrupt()] if comm.rank == pressed else [])]
print(digest(comm, epochs=8, callbacks=callbacks), flush=True)
"""


def test_ctrl_c_in_one_rank_of_mpi_ends_all_and_the_checkpoint_is_kept(tmp_path: Path) -> None:
    command = [
        *mpiexec(2),
        sys.executable,
        "-c",
        f"import os, signal{SCRIPT}from workings import Callback{INTERRUPTED}",
    ]
    for pressed, epochs in ((1, 3), (-1, 8)):  # then resumed, without Ctrl-C
        arguments = [*command, str(tmp_path / "run.safetensors"), str(pressed)]
        done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True, timeout=120)
        assert digests(done.stdout) == [digest(None, epochs=epochs)] * 2


# -- loky -----------------------------------------------------------------------------------


def loky_executor(workers: int) -> Any:
    """Return loky's executor, or that of joblib's copy of it."""
    try:
        from loky import get_reusable_executor
    except ImportError:
        get_reusable_executor = pytest.importorskip("joblib.externals.loky").get_reusable_executor
    return get_reusable_executor(max_workers=workers)


def make(units: int, seed: int) -> tuple[Network, dict[str, Any]]:
    """Return a network and the settings of its training."""
    net = Network([Dense(units, "tanh"), Dense(2)], loss="CrossEntropy", seed=seed)
    return net, {"optimizer": SGD(0.5), "epochs": 5}


def test_loky(tmp_path: Path) -> None:
    executor = loky_executor(2)
    try:
        found = sweep(make, {"units": [2, 4]}, X, y, executor=executor, together=1, folder=tmp_path)
        assert [r.val_loss for r in found] == [r.val_loss for r in sweep(make, {"units": [2, 4]}, X, y, together=1)]
        assert digest(executor) == digest(None)
    finally:
        executor.shutdown(kill_workers=True)


def test_workers_shows_its_settings() -> None:
    assert repr(Workers(shard_rows=10)) == "Workers(shard_rows=10, local_steps=1)"
