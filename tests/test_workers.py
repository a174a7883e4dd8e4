"""Data-parallel training: the same bits for any number of workers, any engine that runs them, and any failure."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from workings import (
    L1,
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    Callback,
    Chain,
    Checkpoint,
    ClipByNorm,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    FileError,
    Freeze,
    InputError,
    L2PerRow,
    Layer,
    Momentum,
    Network,
    SquaredError,
    Workers,
    WorkersError,
)
from workings.datasets import moons
from workings.training.parallel.exact_sums import MOST, ExactSum, sum_of
from workings.training.parallel.sharded_engine import ParallelEngine

X, y = moons(150)
SPAWN = multiprocessing.get_context("spawn")  # a fork is unsafe once another test has imported JAX


def make(*, seed: int = 0, **settings: Any) -> Network:
    """Return a network with everything that steps may contain."""
    layers = [Dense(6, "tanh"), Dropout(0.2), Dense(2)]
    return Network(layers, loss="CrossEntropy", regularizer=[L2(1e-3), L1(1e-4)], seed=seed, **settings)


def trained(workers: Any, net: Network | None = None, **settings: Any) -> str:
    """Train a network, and return a checksum of its parameters."""
    net = net or make()
    net.fit(X, y, **{"optimizer": Adam(0.01), "epochs": 3, "batch_size": 64} | settings, workers=workers)
    return digest(net)


def digest(net: Network) -> str:
    """Return a checksum of all arrays of a network."""
    arrays = [net.theta, *net.statistics.values()]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


class LossyClient:
    """A client in this process that takes futures as arguments, and fails at some of its tasks."""

    def __init__(self, *failing: int) -> None:
        self.failing, self.submitted = set(failing), 0

    def scatter(self, value: Any, broadcast: bool = False) -> Future[Any]:
        """Return a future with a value."""
        future: Future[Any] = Future()
        future.set_result(value)
        return future

    def submit(self, function: Any, *arguments: Any) -> Future[Any]:
        """Run a task at once."""
        future: Future[Any] = Future()
        self.submitted += 1
        try:
            if self.submitted in self.failing:
                raise RuntimeError("the worker was lost")
            future.set_result(function(*[a.result() if isinstance(a, Future) else a for a in arguments]))
        except Exception as error:
            future.set_exception(error)
        return future

    def gather(self, futures: Any) -> Any:
        """Return the value of a future, or of several."""
        return [self.gather(one) for one in futures] if isinstance(futures, list) else futures.result()


class ThreadComm:
    """One of several communicators that add up the arrays of all threads, in the order in which they come."""

    def __init__(self, rank: int, size: int, shared: dict[str, Any]) -> None:
        self.rank, self.size, self.shared = rank, size, shared

    def Allreduce(self, send: Any, receive: Any) -> None:
        """Add arrays up."""
        with self.shared["lock"]:
            self.shared["total"] = self.shared["total"] + send
        self.shared["barrier"].wait()
        receive[...] = self.shared["total"]
        self.shared["barrier"].wait()
        if self.rank == 0:
            self.shared["total"] = 0.0
        self.shared["barrier"].wait()


def run_ranks(size: int, function: Any) -> list[Any]:
    """Call a function with the communicator of each rank, in threads; return the results."""
    shared = {"lock": threading.Lock(), "barrier": threading.Barrier(size, timeout=30), "total": 0.0}
    with ThreadPoolExecutor(size) as executor:
        futures = [executor.submit(function, ThreadComm(rank, size, shared)) for rank in range(size)]
        return [future.exception() or future.result() for future in futures]


# -- sums -----------------------------------------------------------------------------------


def test_sums_do_not_depend_on_order_or_grouping() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=50) * 10.0 ** rng.integers(-9, 2) for _ in range(40)]
    sums = []
    for order in (range(40), reversed(range(40)), rng.permutation(40)):
        groups = [ExactSum.zero(50) for _ in range(7)]
        for place, index in enumerate(order):
            groups[place % 7].add([arrays[index]], 0.3)
        sums.append(sum_of(groups))
    assert len({total.values().tobytes() for total in sums}) == len({total.bound for total in sums}) == 1
    assert np.allclose(sums[0].values(), 0.3 * np.sum(arrays, axis=0), atol=40 * 2.0**-41, rtol=1e-15)


def test_remainders_make_sums_as_precise_as_numbers() -> None:
    tiny = [np.array([1.7e-19]), np.array([2.9e-19])]
    total = ExactSum.zero(1, precision=2)
    for one in tiny:
        total.add([one], 1.0)
    assert np.allclose(total.values(), 4.6e-19, rtol=1e-5)


def test_sums_that_are_not_exact_are_refused() -> None:
    total = ExactSum.zero(1)
    total.add([np.array([-MOST / 2])], 1.0)
    assert total.is_exact
    total.add([np.array([MOST / 2])], 1.0)
    assert not total.is_exact
    net = Network([Dense(1)], loss=SquaredError(), seed=0)
    before = net.build(2).theta.copy()
    with pytest.raises(InputError, match=r"At step 1 the largest gradients .* below 4,096"):
        net.fit(X, 1e6 * y, optimizer=SGD(1e-3), epochs=1, workers=Workers())
    assert (net.theta == before).all()


# -- the same bits --------------------------------------------------------------------------

ENGINES = {
    "one thread": lambda: ThreadPoolExecutor(1),
    "four threads": lambda: ThreadPoolExecutor(4),
    "a client": LossyClient,
    "a client that loses workers": lambda: LossyClient(1, 9, 40, 80),
}


@pytest.mark.parametrize("local_steps", [1, 2])
@pytest.mark.parametrize("kind", ENGINES)
def test_same_bits_with_any_engine(kind: str, local_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.training.parallel.exchanges.PAUSE", 0.0)
    how = {"shard_rows": 10, "local_steps": local_steps}
    assert trained(Workers(ENGINES[kind](), **how)) == trained(Workers(**how))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_same_bits_on_all_ranks(size: int) -> None:
    how = Workers(shard_rows=10)
    digests = run_ranks(size, lambda comm: trained(Workers(comm, shard_rows=10)))
    assert set(digests) == {trained(how)}
    digests = run_ranks(size, lambda comm: trained(Workers(comm, shard_rows=10, local_steps=2)))
    assert set(digests) == {trained(Workers(shard_rows=10, local_steps=2))}


SETTINGS: dict[str, dict[str, Any]] = {
    "momentum": {"optimizer": Momentum(0.1)},
    "clipping by norm, and frozen": {"optimizer": Chain(Freeze("b1"), ClipByNorm(0.1), SGD(0.5))},
    "sample weights": {"sample_weight": np.linspace(0.0, 2.0, len(X))},
    "class weights": {"class_weight": {0: 1, 1: 3}},
    "validation, metrics, early stopping": {
        "validation": 0.2, "metrics": ["accuracy"], "epochs": 30, "callbacks": [EarlyStopping(patience=2)],
    },
    "no shuffling": {"shuffle": False},
    "a full batch": {"batch_size": None},
    "the running loss": {"running_loss": True},
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_shards_change_only_the_rounding(name: str) -> None:
    """The gradient of a batch is the sum over its shards, with penalties once: all but 2^-40 is as without workers."""
    plain, by_two, by_one = make(), make(), make()
    settings = {"optimizer": Adam(0.01), "epochs": 3, "batch_size": 64, **SETTINGS[name]}
    with ThreadPoolExecutor(2) as executor:
        both = by_two.fit(X, y, **settings, workers=Workers(executor, shard_rows=10))
    one = by_one.fit(X, y, **settings, workers=Workers(shard_rows=10))
    alone = plain.fit(X, y, **settings)
    assert digest(by_one) == digest(by_two)
    assert dict(one) == dict(both)
    assert np.allclose(by_one.theta, plain.theta, rtol=1e-7, atol=1e-8)
    assert np.allclose(one["loss"], alone["loss"])
    assert plain.rng.random() == by_one.rng.random()


@pytest.mark.parametrize(
    "loss", [SquaredError(), SquaredError(reduction="sum"), SquaredError(reduction="mean of rows")]
)
def test_every_reduction_of_the_loss(loss: SquaredError) -> None:
    Y = np.column_stack([y, 1 - y, X[:, 0]]).astype(float)
    nets = [Network([Dense(4, "tanh"), Dense(3)], loss=loss, regularizer=L2PerRow(0.1), seed=0) for _ in "ab"]
    for net, workers in zip(nets, (None, Workers(shard_rows=7)), strict=True):
        net.fit(X, Y, optimizer=SGD(1e-3), epochs=2, batch_size=50, workers=workers)
    assert np.allclose(nets[0].theta, nets[1].theta, rtol=0, atol=1e-9)


def test_float32() -> None:
    nets = [make(dtype="float32") for _ in "abc"]
    with ThreadPoolExecutor(3) as executor:
        for net, workers in zip(nets, (None, Workers(shard_rows=9), Workers(executor, shard_rows=9)), strict=True):
            trained(workers, net)
    assert nets[1].theta.dtype == np.float32
    assert digest(nets[1]) == digest(nets[2])
    assert np.allclose(nets[0].theta, nets[1].theta, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["compiled", "jax"])
def test_other_engines_on_shards(engine: str) -> None:
    pytest.importorskip({"compiled": "llvmlite"}.get(engine, engine))
    wanted = trained(Workers(shard_rows=10), engine=engine)
    with ThreadPoolExecutor(3) as executor:
        assert trained(Workers(executor, shard_rows=10), engine=engine) == wanted
    local = {"shard_rows": 10, "local_steps": 2}
    with ThreadPoolExecutor(3) as executor:
        assert trained(Workers(executor, **local), engine=engine) == trained(Workers(**local), engine=engine)


def test_sparse_rows() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    rows = sparse.csr_array(np.where(np.abs(X) < 0.5, 0, X))
    nets = [make(), make()]
    with ThreadPoolExecutor(2) as executor:
        nets[0].fit(rows, y, optimizer=SGD(0.1), epochs=2, workers=Workers(shard_rows=8))
        nets[1].fit(rows, y, optimizer=SGD(0.1), epochs=2, workers=Workers(executor, shard_rows=8))
    assert digest(nets[0]) == digest(nets[1])


def test_local_steps_average_batch_normalization() -> None:
    nets = [Network([Dense(5, "tanh"), BatchNorm(), Dense(2)], loss="CrossEntropy", seed=0) for _ in "ab"]
    with ThreadPoolExecutor(3) as executor:
        for net, engine in zip(nets, (None, executor), strict=True):
            trained(Workers(engine, shard_rows=16, local_steps=3), net, optimizer=Adam(0.03), epochs=30)
    assert digest(nets[0]) == digest(nets[1])
    assert nets[0].score(X, y) > 0.8


def test_one_shard_with_local_steps_is_plain_training() -> None:
    nets = [make(), make()]
    trained(None, nets[0])
    trained(Workers(shard_rows=1000, local_steps=2), nets[1])
    assert np.allclose(nets[0].theta, nets[1].theta, rtol=1e-12)


# -- files ----------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Any]:
    """Return files with the rows, as ``Workers`` takes them."""
    polars = pytest.importorskip("polars")
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    polars.DataFrame({"a": X[:, 0], "b": X[:, 1], "side": y}).write_parquet(tmp_path / "rows.parquet")
    return {
        "npz": tmp_path / "rows.npz",
        "npy": (str(tmp_path / "X.npy"), tmp_path / "y.npy"),
        "parquet": (tmp_path / "rows.parquet", "side"),
    }


@pytest.mark.parametrize("kind", ["npz", "npy", "parquet"])
def test_workers_open_files_themselves(kind: str, sources: dict[str, Any]) -> None:
    wanted = trained(Workers(shard_rows=10), sample_weight=1 + X[:, 0] ** 2)
    for engine in (None, LossyClient(), ThreadPoolExecutor(2)):
        workers = Workers(engine, shard_rows=10, data=sources[kind])
        assert trained(workers, sample_weight=1 + X[:, 0] ** 2) == wanted


@pytest.mark.parametrize(
    "settings",
    [
        {"validation": 0.2},
        {"sample_weight": np.arange(150) % 3},
        {"validation": 0.3, "sample_weight": np.arange(150) % 4, "running_loss": True},
        {"class_weight": {0: 0, 1: 1}, "validation": (X, y)},
    ],
    ids=["share", "weight 0", "share and weight 0", "class of weight 0"],
)
def test_workers_find_the_training_rows_in_the_file(settings: dict[str, Any], sources: dict[str, Any]) -> None:
    wanted = trained(Workers(shard_rows=10), **settings)
    for kind in ("npz", "npy"):
        for engine in (None, LossyClient(4), ThreadPoolExecutor(2)):
            assert trained(Workers(engine, shard_rows=10, data=sources[kind]), **settings) == wanted

    def of_paths(comm: Any) -> str:
        net = make()
        how = {"optimizer": Adam(0.01), "epochs": 3, "batch_size": 64, "workers": Workers(comm, shard_rows=10)}
        net.fit(*map(str, sources["npy"]), **how, **settings)
        return digest(net)

    assert run_ranks(2, of_paths) == [wanted] * 2


@pytest.mark.parametrize("kind", ["npz", "npy", "parquet", "folder"])
def test_paths_as_X_and_y_are_opened_by_workers(kind: str, sources: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "1.parquet").write_bytes(sources["parquet"][0].read_bytes())
    given = {"npz": (str(sources["npz"]), "y"), "folder": (tmp_path / "folder", "side")}.get(kind, sources.get(kind))
    is_table = kind in ("parquet", "folder")

    def of_paths(engine: Any) -> tuple[str, Any]:
        net = make()
        net.fit(*given, optimizer=Adam(0.01), epochs=3, batch_size=64, workers=Workers(engine, shard_rows=10))
        return digest(net), net.preprocessing

    wanted, preprocessing = of_paths(None)
    assert (preprocessing is not None) == is_table
    if not is_table:
        assert wanted == trained(Workers(shard_rows=10))
    sent = LossyClient()
    for engine in (sent, ThreadPoolExecutor(2)):
        assert of_paths(engine)[0] == wanted
    ranks = run_ranks(2, lambda comm: of_paths(comm)[0])
    assert ranks == [wanted] * 2


def test_files_with_other_rows_are_refused(sources: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "fewer.npz", X=X[:100], y=y[:100])
    for settings in ({}, {"validation": 0.2}, {"sample_weight": np.arange(150.0)}):
        with pytest.raises(InputError, match=r"fewer.npz has 100 rows of X and 100 of y, but fit was given 150 rows"):
            trained(Workers(data=tmp_path / "fewer.npz"), **settings)
    np.savez(tmp_path / "more.npz", X=np.vstack([X, X]), y=np.concatenate([y, y]))
    for settings in ({}, {"validation": 0.2}, {"sample_weight": np.arange(150.0)}):
        with pytest.raises(InputError, match=r"more.npz has 300 rows of X and 300 of y, but fit was given 150 rows"):
            trained(Workers(data=tmp_path / "more.npz"), **settings)
    np.save(tmp_path / "X.npy", X[::-1])
    with pytest.raises(InputError, match=r"X\.npy has other rows"):
        trained(Workers(data=sources["npy"]))
    with pytest.raises(FileError, match=r"cannot open .*none.npy"):
        trained(Workers(data=("none.npy", "y.npy")))
    with pytest.raises(FileError, match="cannot read"):
        trained(Workers(data=(sources["parquet"][0], "other")))


@pytest.mark.parametrize("data", ["rows.csv", "X.npy", ("rows.npz", "y.npy"), 3, (1, 2), "rows.parquet"])
def test_other_kinds_of_files_are_refused(data: Any) -> None:
    with pytest.raises(InputError, match="data must be"):
        Workers(data=data)


@pytest.mark.slow
def test_processes() -> None:
    with ProcessPoolExecutor(2, SPAWN) as executor:
        assert trained(Workers(executor, shard_rows=10)) == trained(Workers(shard_rows=10))


class KillProcess(Callback):
    """Kills a process of an executor after the first epoch."""

    only_observes = True

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self.executor = executor

    def on_epoch_end(self, training: Any) -> None:
        if training.epoch == 0:
            os.kill(next(iter(self.executor._processes)), signal.SIGKILL)


@pytest.mark.slow
def test_a_training_resumes_after_its_executor_broke(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run", resume=True)
    with ProcessPoolExecutor(2, SPAWN) as executor, pytest.raises(WorkersError, match="Restart them"):
        trained(Workers(executor, shard_rows=10), callbacks=[KillProcess(executor), checkpoint])
    with ProcessPoolExecutor(2, SPAWN) as executor:
        assert trained(Workers(executor, shard_rows=10), callbacks=[checkpoint]) == trained(Workers(shard_rows=10))


@pytest.mark.slow
def test_what_cannot_be_sent_to_a_process_is_explained() -> None:
    def square(z: Any) -> Any:
        if z.size:
            return z * z
        return z

    squared = Activation("squared", square, lambda z: 2 * z)
    with ProcessPoolExecutor(1, SPAWN) as executor, pytest.raises(InputError, match="in a module"):
        trained(executor, Network([Dense(3, squared), Dense(2)], loss="CrossEntropy", seed=0))


# -- checkpoints ----------------------------------------------------------------------------


def test_resumes_with_any_number_of_workers(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    trained(Workers(shard_rows=10), epochs=2, callbacks=[Checkpoint(path)])
    with ThreadPoolExecutor(2) as executor:
        again = trained(Workers(executor, shard_rows=10), epochs=4, callbacks=[Checkpoint(path, resume=True)])
    assert again == trained(Workers(shard_rows=10), epochs=4)
    for other in (None, Workers(shard_rows=20), Workers(shard_rows=10, local_steps=2)):
        with pytest.raises(FileError, match="workers: "):
            trained(other, epochs=4, callbacks=[Checkpoint(path, resume=True)])


def test_one_rank_writes_and_all_resume(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"

    def part(epochs: int, path: Path) -> list[Any]:
        def run(comm: ThreadComm) -> str:
            callback = Checkpoint(path, resume=True)
            return trained(Workers(comm, shard_rows=10), epochs=epochs, callbacks=[callback])

        return run_ranks(2, run)

    part(2, path)
    assert set(part(4, path)) == {trained(Workers(shard_rows=10), epochs=4)}


class PressCtrlC(Callback):
    """Counts a press of Ctrl-C in one rank, as its signal handler does, which runs in the main thread alone."""

    only_observes = True

    def __init__(self, method: str, epoch: int) -> None:
        self.method, self.epoch = method, epoch

    def press(self, training: Any, method: str) -> None:
        """Count a press if it is time."""
        if (method, training.epoch) == (self.method, self.epoch):
            training.steps.engine.exchange.interruption.count += 1

    def on_epoch_begin(self, training: Any) -> None:
        self.press(training, "begin")

    def on_epoch_end(self, training: Any) -> None:
        self.press(training, "end")


@pytest.mark.parametrize(("method", "epoch", "recorded"), [("begin", 2, 2), ("end", 0, 1), ("begin", 0, 0)])
@pytest.mark.parametrize("pressed", [0, 1, 2])
def test_ctrl_c_in_one_rank_ends_all_ranks_at_the_same_step(
    pressed: int, method: str, epoch: int, recorded: int, tmp_path: Path
) -> None:
    path = tmp_path / "run.safetensors"

    def rank(comm: ThreadComm) -> tuple[str, str, int]:
        net = make()
        callbacks = [Checkpoint(path, resume=True), *([PressCtrlC(method, epoch)] if comm.rank == pressed else [])]
        trained(Workers(comm, shard_rows=10), net, epochs=5, callbacks=callbacks)
        return digest(net), net.history.stopped, net.history.epochs

    found = run_ranks(3, rank)
    assert len(set(found)) == 1
    assert found[0][1:] == (f"interrupted in epoch {epoch}", recorded)
    assert found[0][0] == trained(Workers(None, shard_rows=10), epochs=recorded) if recorded else True
    resumed = run_ranks(
        2, lambda comm: trained(Workers(comm, shard_rows=10), epochs=5, callbacks=[Checkpoint(path, resume=True)])
    )
    assert resumed == [trained(Workers(None, shard_rows=10), epochs=5)] * 2


def test_ranks_that_see_different_files_are_refused(tmp_path: Path) -> None:
    trained(Workers(shard_rows=10), epochs=2, callbacks=[Checkpoint(tmp_path / "0", resume=True)])
    found = run_ranks(
        2, lambda comm: trained(
            Workers(comm, shard_rows=10), callbacks=[Checkpoint(tmp_path / str(comm.rank), resume=True)]
        ),
    )  # fmt: skip
    assert all(isinstance(error, InputError) and "see the checkpoint" in str(error) for error in found)


# -- what is refused ------------------------------------------------------------------------


def test_ranks_must_agree() -> None:
    found = run_ranks(3, lambda comm: trained(comm, make(seed=comm.rank)))
    assert all(isinstance(error, InputError) and "their parameters" in str(error) for error in found)
    found = run_ranks(2, lambda comm: trained(Workers(comm, shard_rows=8 + comm.rank)))
    assert all(isinstance(error, InputError) and "settings" in str(error) for error in found)


class Centered(Layer):
    """A layer that uses the mean of the batch."""

    @property
    def formulas(self) -> Any:
        """Its formulas."""
        return {"forward": centered, "backward": centered_backward, "inference": centered}


def centered(x: Any) -> Any:
    """are the inputs minus their mean over the batch"""
    return x - x.mean(axis=0)


def centered_backward(dz: Any) -> Any:
    # The mean depends on every row, too.
    dx = dz - dz.mean(axis=0)
    return dx


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "batch normalization": ([BatchNorm(), Dense(2)], {}, r"BatchNorm\('identity'\) needs the mean of a whole batch"),
    "a layer that uses the batch": ([Dense(3), Centered(), Dense(2)], {}, "uses all rows of a batch"),
    "L-BFGS": ([Dense(2)], {"optimizer": LBFGS(), "batch_size": None}, "L-BFGS cannot run with workers"),
    "no engine": ([Dense(2)], {"workers": 4}, "workers must be a client"),
    "a class": ([Dense(2)], {"workers": ThreadPoolExecutor}, "workers must be a client"),
    "no communicator": ([Dense(2)], {"workers": None, "comm": ThreadPoolExecutor(1)}, "comm must be a communicator"),
    "both": ([Dense(2)], {"comm": ThreadComm(0, 1, {})}, "either workers or comm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    layers, settings, words = REFUSED[name]
    net = Network(layers, loss=CrossEntropy(), seed=0)
    with pytest.raises(InputError, match=words):
        net.fit(X, y, **{"optimizer": SGD(0.1), "epochs": 1, "workers": Workers()} | settings)
    assert net.n_in is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"shard_rows": 0}, "shard_rows must be"), ({"local_steps": 1.5}, "local_steps must be"), ({"rows": 3}, "rows")],
)
def test_refused_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Workers(**settings)


def test_edits_and_sums_that_cannot_be_averaged_are_refused() -> None:
    net = make(n_in=2).replacing("dz1", "da1")
    with pytest.raises(InputError, match="replacing"):
        trained(Workers(), net)
    net = Network([Dense(2)], loss=SquaredError(reduction="sum"), seed=0)
    with pytest.raises(InputError, match="must be a mean"):
        net.fit(X, X, optimizer=SGD(0.1), epochs=1, workers=Workers(local_steps=2))


def test_divergence_is_reported_by_name() -> None:
    net = Network([Dense(4, "relu"), Dense(1)], loss="SquaredError", seed=0)
    with pytest.raises(DivergenceError) as error:
        net.fit(1e200 * X, y, optimizer=SGD(0.1), epochs=3, workers=Workers(shard_rows=10))
    assert error.value.name
    assert np.isfinite(net.theta).all()


def test_workers_that_fail_again_and_again_are_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.training.parallel.exchanges.PAUSE", 0.0)
    with pytest.raises(WorkersError, match=r"the worker was lost.* Checkpoint\(path, resume=True\)"):
        trained(LossyClient(*range(10_000)))
    with ThreadPoolExecutor(1) as executor:
        executor.shutdown()
        with pytest.raises(WorkersError, match="Restart them"):
            trained(executor)


def test_the_steps_of_a_stretch_are_cut_after_each_epoch_and_run_once() -> None:
    stretch: Any = SimpleNamespace(batches=[(0, 4)] * 5, kept_at=np.array([-1, 0, -1, 1, -1]))
    engine = object.__new__(ParallelEngine)
    assert list(engine.segments(stretch)) == [(range(2), 0), (range(2, 4), 1), (range(4, 5), -1)]
    stretch.kept_at = None
    assert list(engine.segments(stretch)) == [(range(5), -1)]
