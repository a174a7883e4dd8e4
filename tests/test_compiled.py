"""The compiled engine against the reference engine, which it may only outrun.

Agreement is relative to the largest number of an array.
"""

from __future__ import annotations

import gc
import io
import itertools
import math
import platform
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from tests.interrupting import interrupted
from tests.strategies import optimizers, problems, smooth_activations
from workings import (
    L1,
    L2,
    LBFGS,
    SGD,
    Activation,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Callback,
    Chain,
    ClipByNorm,
    ClipByValue,
    CrossEntropy,
    Decay,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    History,
    Huber,
    InputError,
    L2PerRow,
    Network,
    Progress,
    SquaredError,
)
from workings.activations import ACTIVATIONS
from workings.datasets import moons
from workings.engines.choice import choose
from workings.engines.compiled import machine_code
from workings.engines.compiled.engine import CompiledEngine, call_interruptibly, is_installed
from workings.engines.compiled.source_writer import FAST
from workings.errors import NotCompilableError
from workings.losses import LOSSES
from workings.metrics import accuracy, r2
from workings.optimizers import OPTIMIZERS, Momentum
from workings.program.step import step_program
from workings.regularizers import REGULARIZERS
from workings.schedules import Cosine, Exponential, InverseScaling, Step, WarmUp
from workings.training.background import BackgroundThread
from workings.training.recipe import Recipe
from workings.training.training import Training
from workings.training.training_data import prepare

pytestmark = pytest.mark.skipif(not is_installed(), reason="llvmlite is not installed")
ENGINES = ("compiled", "reference")
AGREES = {"float64": 1e-9, "float32": 1e-4}
X, Y = moons(n=60, seed=0)


@dataclass
class Run:
    """A network and how it was trained."""

    network: Network
    history: History


def trained(engine: str, layers: list[Any], loss: Any, X: np.ndarray = X, y: np.ndarray = Y, **how: Any) -> Run:
    """Train a network with one of the engines."""
    settings = {name: how.pop(name) for name in ("regularizer", "dtype", "seed") if name in how}
    network = Network(layers, loss=loss, **{"seed": 3, **settings})
    history = network.fit(X, y, engine=engine, **how)
    assert history.engine.startswith(engine)
    return Run(network, history)


def agree(ours: Run, reference: Run) -> None:
    """Check parameters, running statistics and history, relative to their largest number."""
    most = AGREES[reference.network.dtype.name]
    assert ours.network.theta.dtype == reference.network.theta.dtype
    pairs = [(ours.network.theta, reference.network.theta)]
    pairs += [(ours.network.statistics[name], array) for name, array in reference.network.statistics.items()]
    assert ours.history.keys() == reference.history.keys()
    pairs += [(np.asarray(ours.history[name]), np.asarray(reference.history[name])) for name in reference.history]
    for found, expected in pairs:
        assert found.shape == expected.shape
        assert np.abs(found - expected).max(initial=0) <= most * np.abs(expected).max(initial=1e-3)


def targets(loss: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Targets for a loss by name."""
    kind = LOSSES[loss].target
    return {
        "classes": np.arange(n) % 3, "labels": np.arange(n) % 2, "counts": rng.poisson(2.0, n).astype(float),
    }.get(kind, rng.normal(size=(n, 2)))  # fmt: skip


def around() -> Iterator[dict[str, Any]]:
    """Problems in which every activation, loss, optimizer and regularizer occurs, in turn."""
    activations, losses = itertools.cycle(sorted(ACTIVATIONS)), itertools.cycle(sorted(LOSSES))
    names = [*sorted(OPTIMIZERS.keys() - {"AdamEpsilonHat"}), "SGD", "Momentum", "AdamEpsilonHat"]
    for number, name in enumerate(names):
        loss = next(losses)
        optimizer: Any = OPTIMIZERS[name](lr=0.01)
        before = [[], [ClipByNorm(0.5)], [ClipByValue(0.1)], [Decay(0.03)]][number % 4]
        layers = [
            Dense(3, next(activations)),
            Dense(9, next(activations), bias=number % 2 == 0),
            Dense(4, next(activations)),
        ]
        if number % 3 == 0:
            layers.insert(1, Dropout(0.3))
        if name == "SGD":
            layers[-1:] = [Dense(4, bias=False), BatchNorm(next(activations))]
        units = {"classes": 3, "labels": 1, "counts": 1}.get(LOSSES[loss].target, 2)
        yield {
            "layers": [*layers, Dense(units)], "loss": LOSSES[loss](reduction=("mean", "sum")[number % 2]),
            "optimizer": Chain(*before, optimizer) if before else optimizer,
            "regularizer": [L2PerRow(0.5)] if number == 9 else [[], [L2(0.01)], [L1(0.01), L2(0.02)]][number % 3],
            "batch_size": (8, 1, None, 20)[number % 4] if name != "SGD" else (8, 20)[number % 2],
            "dtype": ("float64", "float32")[number % 2], "weights": number % 2 == 1,
        }  # fmt: skip


PROBLEMS = list(around())


def test_the_problems_cover_the_registries() -> None:
    text = repr(PROBLEMS)
    for registry in (ACTIVATIONS, OPTIMIZERS, LOSSES, REGULARIZERS):
        missing = [name for name in registry if name not in text]
        assert not missing or (registry is ACTIVATIONS and missing == ["identity"])


@pytest.mark.parametrize("number", range(len(PROBLEMS)))
def test_it_agrees_over_the_registries(number: int) -> None:
    agree(*[of_problem(number, engine) for engine in ENGINES])


def test_where_single_precision_is_poor_it_is_no_poorer_than_the_reference() -> None:
    """Batch normalization of small sums magnifies rounding: float32 is far from float64 with either engine."""
    layers = [Dense(3, "silu"), Dense(9, "softplus", bias=False), Dense(4, bias=False), BatchNorm("elu"), Dense(1)]
    how: dict[str, Any] = {
        "layers": layers,
        "loss": BinaryCrossEntropy(reduction="sum"),
        "batch_size": 20,
        "epochs": 50,
    }
    how |= {"optimizer": Chain(Decay(0.03), SGD(0.01)), "regularizer": [L2PerRow(0.5)], "y": np.arange(40) % 2}
    ratios = []
    for seed in range(9):
        rng = np.random.default_rng(seed)
        how |= {"X": rng.normal(size=(40, 3)), "sample_weight": rng.uniform(0.1, 2, size=40)}
        if seed == 0:
            agree(*[trained(engine, **how, dtype="float64") for engine in ENGINES])
        truth = trained("reference", **how, dtype="float64").network.statistics
        runs = [trained(engine, **how, dtype="float32").network.statistics for engine in ENGINES]
        ours, reference = ([np.abs(run[name] - truth[name]).max() for name in truth] for run in runs)
        ratios += [a / b for a, b in zip(ours, reference, strict=True)]
    assert np.median(ratios) < 1.5, "rounding differs, so in a single training either engine may be nearer"


def of_problem(number: int, engine: str) -> Run:
    """A hundred steps or more of one of the problems."""
    how = dict(PROBLEMS[number])
    rng = np.random.default_rng(number)
    rows, weights = rng.normal(size=(40, 3)), rng.uniform(0.1, 2, size=40) if how.pop("weights") else None
    y = targets(type(how["loss"]).__name__, 40, rng)
    steps = len(range(0, 40, how["batch_size"] or 40))
    return trained(engine, X=rows, y=y, epochs=-(-100 // steps), sample_weight=weights, **how)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(problems(smooth_activations, batch_norm=False), optimizers(), st.sampled_from([None, 1, 3]))
def test_it_agrees_on_any_network(problem: Any, optimizer: Any, batch_size: int | None) -> None:
    network = problem.network
    how: dict[str, Any] = {"optimizer": optimizer, "epochs": 30, "batch_size": batch_size, "sample_weight": problem.w}
    how |= {"X": problem.X, "y": problem.y, "regularizer": network.regularizers}
    try:
        agree(*[trained(engine, network.layers, network.loss, **how) for engine in ENGINES])
    except DivergenceError:
        reject()


@pytest.mark.parametrize(
    "rate",
    [0.1, Step(0.1, every=20), Exponential(0.1, factor=0.99), InverseScaling(0.1), Cosine(0.1, steps=50),
     WarmUp(0.1, steps=10)],
)  # fmt: skip
def test_schedules_come_from_outside(rate: Any) -> None:
    how = {"layers": [Dense(2)], "loss": CrossEntropy(), "optimizer": SGD(rate), "epochs": 60, "batch_size": None}
    agree(*[trained(engine, **how) for engine in ENGINES])


def test_metrics_validation_and_early_stopping_are_as_before() -> None:
    def fit(engine: str) -> Run:
        return trained(
            engine, [Dense(3, "tanh"), Dense(2)], CrossEntropy(), optimizer=SGD(1.0), epochs=400, batch_size=None,
            validation=0.3, metrics=["accuracy"], callbacks=[EarlyStopping(patience=5, min_delta=1e-3)],
        )  # fmt: skip

    ours, reference = fit("compiled"), fit("reference")
    assert ours.history.epochs == reference.history.epochs < 400
    agree(ours, reference)


@pytest.mark.parametrize("optimizer", [SGD(0.05), Momentum(0.05)])
def test_a_wide_network_with_large_products(optimizer: Any) -> None:
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(150, 30)), np.arange(150) % 10
    how = {"layers": [Dense(70, "relu"), Dense(10)], "loss": CrossEntropy(), "optimizer": optimizer}
    agree(*[trained(e, X=rows, y=y, epochs=34, batch_size=60, dtype="float32", **how) for e in ENGINES])


CUT: dict[str, dict[str, Any]] = {
    "weights, and what is measured": {
        "batch_size": None, "class_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "regularizer": L2(0.1), "validation": 0.4,
        "metrics": ["accuracy"],
    },
    "a last batch of some rows": {"batch_size": 2600},  # some sections of it are empty
    "one column of everything": {"batch_size": None, "layers": [Dense(48, "relu"), Dense(1)], "loss": SquaredError()},
    "masks, and the length of the gradient": {
        "batch_size": None, "layers": [Dense(40, "tanh"), Dropout(0.2), Dense(3)], "dtype": "float32",
        "optimizer": Chain(ClipByNorm(0.5), SGD(0.2)),
    },
}  # fmt: skip


@pytest.mark.parametrize("way", CUT)
def test_threads_that_share_the_rows_of_a_step_leave_the_same_bits(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(1).normal(size=(5300, 60))
    how = {"optimizer": Momentum(0.1), "loss": CrossEntropy(), "X": rows, "epochs": 6, **CUT[way]}
    how.setdefault("layers", [Dense(40, "relu"), Dense(20, "tanh"), Dense(3)])
    how["y"] = rows[:, 0] * rows[:, 1] if isinstance(how["loss"], SquaredError) else np.arange(5300) % 3
    runs = []
    for threads in (1, 2, 3, 2):
        monkeypatch.setattr("workings.engines.kernels.threads.threads", lambda threads=threads: threads)
        runs.append(trained("compiled", **how))
    assert len({run.network.theta.tobytes() for run in runs}) == 1
    assert all(run.history == runs[0].history for run in runs)
    agree(runs[0], trained("reference", **how))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors compute them quickly")
@pytest.mark.parametrize(("dtype", "tiny"), [("float32", 1e-20), ("float64", 1e-160)])
def test_results_that_no_normal_number_holds_become_zero(dtype: str, tiny: float) -> None:
    numbers, results = np.array([tiny, -tiny, 3.0], dtype), np.empty(3, dtype)
    source = "def squares(x, y):\n    for i in range(y.shape[0]):\n        y[i] = x[i] * abs(x[i])\n"
    machine_code.MachineCode(source, "squares")(numbers, results)()
    assert results.tolist() == [0.0, 0.0, 9.0]
    assert (numbers * numbers)[0] > 0, "NumPy computes as before"


# Layers, rows and dtype of full batches that are divided into blocks of rows.
BLOCKS = [
    ([Dense(16, "tanh"), Dense(16, "tanh"), Dense(2)], 700, "float64"),
    ([Dense(16, "relu"), Dense(16, "relu"), Dense(16, "relu"), Dense(2)], 600, "float32"),
    ([Dense(16, "sigmoid"), Dense(3)], 1100, "float64"),
]


@pytest.mark.parametrize(("layers", "rows", "dtype"), BLOCKS)
def test_every_block_of_rows_counts(layers: list[Any], rows: int, dtype: str) -> None:
    """The first products of a call once had an arbitrary scale, which hardly showed after many steps."""
    features = np.random.default_rng(rows).normal(size=(rows, 17))
    how = {"layers": layers, "loss": CrossEntropy(), "optimizer": SGD(0.1), "X": features, "y": np.arange(rows) % 2}
    agree(*[trained(engine, epochs=3, batch_size=None, dtype=dtype, **how) for engine in ENGINES])


@pytest.mark.parametrize("dtype", AGREES)
def test_rows_that_whole_vectors_leave_over_count_like_the_others(dtype: str) -> None:
    features, labels = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2
    for rows in range(17, 40):
        runs = [
            trained(
                engine, [Dense(3, "tanh"), Dense(2)], CrossEntropy(), features[:rows], labels[:rows], dtype=dtype,
                optimizer=SGD(0.1), epochs=3, batch_size=None, metrics=["accuracy"], validation=(features, labels),
            )
            for engine in ENGINES
        ]  # fmt: skip
        agree(*runs)


def test_the_same_run_twice_gives_the_same_bits() -> None:
    first, second = (of_problem(1, "compiled") for _ in range(2))
    assert first.network.theta.tobytes() == second.network.theta.tobytes()
    assert first.history == second.history


class Count(Callback):
    """Looks at each epoch, so that each is run by itself."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch_end(self, training: Any) -> None:
        self.epochs.append(training.epoch)


WAYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "validation": {"validation": 0.3},
    "metrics": {"metrics": ["accuracy", "mean_squared_error"], "validation": (X[:7], Y[:7])},
    "weights": {"metrics": ["accuracy"], "class_weight": {0: 1.0, 1: 3.0}, "validation": 0.3},
    "early stopping": {"validation": 0.3, "stopping": {"patience": 5, "min_delta": 1e-3}},
    "early stopping on the loss": {"stopping": {"monitor": "loss", "patience": 3, "min_delta": 2e-3}},
    "early stopping on the last epoch": {"validation": 0.3, "stopping": {"patience": 1000}},
}


@pytest.mark.parametrize("way", WAYS)
def test_epochs_that_are_run_together_leave_the_same_bits(way: str) -> None:
    settings = dict(WAYS[way])
    stopping = settings.pop("stopping", None)
    how = {
        "layers": [Dense(3, "tanh"), Dense(2)],
        "loss": CrossEntropy(),
        "epochs": 300,
        "batch_size": None,
        **settings,
    }

    def run(engine: str, *more: Callback) -> Run:
        return trained(
            engine, optimizer=Momentum(Cosine(1.0, steps=300)),
            callbacks=[*more, *([EarlyStopping(**stopping)] if stopping else [])], **how,
        )  # fmt: skip

    counted = Count()
    together, alone = run("compiled", Progress(stream=io.StringIO())), run("compiled", counted)
    assert counted.epochs == list(range(alone.history.epochs))
    assert (alone.history.epochs < 300) == ("better" in alone.history.stopped) == ("min_delta" in (stopping or {}))
    assert together.network.theta.tobytes() == alone.network.theta.tobytes()
    assert together.history == alone.history
    assert together.history.stopped == alone.history.stopped
    agree(together, run("reference"))


BATCHED: dict[str, dict[str, Any]] = {
    "validation": {"validation": 0.3},
    "validation, in order": {"validation": 0.3, "shuffle": False},
    "metrics": {"metrics": ["accuracy"]},
    "the loss of what the steps met": {"metrics": ["accuracy"], "validation": (X[:7], Y[:7]), "running_loss": True},
    "weights": {"metrics": ["accuracy"], "class_weight": {0: 1.0, 1: 3.0}, "validation": 0.3},
    "early stopping": {"validation": 0.3, "stopping": {"patience": 5, "min_delta": 1e-2}},
    "early stopping on the loss": {"stopping": {"monitor": "loss", "patience": 3, "min_delta": 2e-2}},
    "all rows in a step": {"validation": 0.3, "metrics": ["accuracy"], "batch_size": None},
}


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("way", BATCHED)
def test_epochs_of_many_steps_that_are_run_together_leave_the_same_bits(
    way: str, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workings.training.background.threads", lambda: processors)
    for longest in ("MANY_EPOCHS", "FEW_EPOCHS"):  # however long they take
        monkeypatch.setattr(f"workings.training.epoch_blocks.{longest}", 1e9)
    settings = {"batch_size": 13, **BATCHED[way]}
    stopping = settings.pop("stopping", None)
    layers = [Dense(3, "tanh"), BatchNorm(), Dropout(0.2), Dense(2)]

    def run(*more: Callback) -> tuple[Run, list[int]]:
        told, seed = Told(), np.random.default_rng(7)
        stops = [EarlyStopping(**stopping)] if stopping else []
        found = trained(
            "compiled", layers, CrossEntropy(), optimizer=Adam(0.02), epochs=60, seed=seed,
            callbacks=[*more, told, *stops], **settings,
        )  # fmt: skip
        return found, [*told.epochs, int(seed.integers(2**31))]  # what the next training would draw

    (together, some), (alone, each) = run(), run(Count())
    assert len(some) < len(each) / 2, "epochs were not run together"
    assert some[-1] == each[-1]
    assert (alone.history.epochs < 60) == (stopping is not None)
    assert together.network.theta.tobytes() == alone.network.theta.tobytes()
    assert together.history == alone.history
    for name, value in together.network.statistics.items():
        np.testing.assert_array_equal(value, alone.network.statistics[name])
    monkeypatch.setattr("workings.training.batches.NUMBERS_AT_A_TIME", 5 * 5 * 13)  # five batches of five numbers a row
    cut, _ = run()
    assert cut.network.theta.tobytes() == alone.network.theta.tobytes()
    assert cut.history == alone.history


class Told(Callback):
    """Only looks on."""

    every_epoch = False

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch_end(self, training: Any) -> None:
        self.epochs.append(training.epoch)


def test_what_people_bring_is_not_called_from_another_thread() -> None:
    seen = set()

    def mine(y_true: Any, y_pred: Any, w: Any = None) -> float:
        seen.add(threading.get_ident())
        return 0.0

    how = {"layers": [Dense(3, "tanh"), Dense(2)], "loss": CrossEntropy(), "optimizer": SGD(0.1), "epochs": 200}
    for batch_size in (None, 20):
        trained("compiled", batch_size=batch_size, metrics={"mine": mine}, **how)
    assert seen == {threading.get_ident()}


def test_a_metric_that_fails_leaves_what_was_learned_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workings.training.epoch_blocks.MANY_EPOCHS", 1e9)
    calls = itertools.count()

    def mine(y_true: Any, y_pred: Any, w: Any = None) -> float:
        if next(calls) == 100:
            raise ZeroDivisionError
        return 0.0

    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=3)
    with pytest.raises(ZeroDivisionError):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=200, batch_size=20, metrics={"mine": mine}, engine="compiled")
    history = network.history
    assert history is not None
    assert 0 < history.epochs <= 100
    again = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=3)
    more = {"metrics": {"mine": lambda y_true, y_pred, w=None: 0.0}, "callbacks": [Count()]}
    again.fit(X, Y, optimizer=SGD(0.1), epochs=history.epochs, batch_size=20, engine="compiled", **more)
    assert again.history == history
    np.testing.assert_array_equal(network.theta, again.theta)


WORDS = np.array(["none", "some", "many"])
MEASURED: dict[str, tuple[Any, int, Any]] = {
    "three words": (CrossEntropy(), 3, WORDS[(np.arange(60) + Y) % 3]),
    "two words": (BinaryCrossEntropy(), 1, WORDS[Y]),
    "several labels": (BinaryCrossEntropy(), 2, np.column_stack([Y, X[:, 0] > 0]).astype(int)),
    "numbers": (SquaredError(), 2, X),
    "one number": (Huber(), 1, X[:, 0]),
}


def share_of_the_first(y_true: Any, y_pred: Any, w: Any = None) -> float:
    """A metric that has to know what labels are called."""
    return float(np.mean(np.asarray(y_pred) == np.asarray(y_true).ravel()[0]))


@pytest.mark.parametrize("kind", MEASURED)
@pytest.mark.parametrize("batch_size", [None, 13])
def test_what_is_measured_is_what_the_reference_measures(kind: str, batch_size: int | None) -> None:
    loss, outputs, y = MEASURED[kind]
    usual: Any = accuracy if loss.target in ("classes", "labels") else r2
    runs = [
        trained(
            engine, [Dense(4, "tanh"), Dense(outputs)], loss, y=y, optimizer=Adam(0.01), epochs=40,
            batch_size=batch_size, metrics={"usual": usual, "first": share_of_the_first}, validation=(X[:20], y[:20]),
        )
        for engine in ("compiled", "reference")
    ]  # fmt: skip
    agree(*runs)
    network, history = runs[0].network, runs[0].history
    assert history["usual"][-1] == pytest.approx(usual(y, network.predict(X)), abs=1e-12)
    assert history["val_first"][-1] == share_of_the_first(y[:20], network.predict(X[:20]))


def test_the_first_of_equal_outputs_is_chosen() -> None:
    network = Network([Dense(3)], loss=CrossEntropy(), n_in=2, seed=0)
    network.theta[:] = 0.0  # all probabilities are a third
    history = network.fit(
        X, WORDS[np.arange(60) % 3], optimizer=SGD(1e-300), epochs=5, batch_size=None, metrics=["accuracy"],
        engine="compiled",
    )  # fmt: skip
    assert history["accuracy"] == [1 / 3] * 5


def test_a_metric_of_labels_survives_what_is_not_a_number() -> None:
    with pytest.raises(DivergenceError), np.errstate(all="ignore"):
        trained(
            "compiled", [Dense(3, "relu"), Dense(3)], CrossEntropy(), X=1e150 * X, y=WORDS[np.arange(60) % 3],
            optimizer=SGD(1e200), epochs=50, batch_size=None, metrics={"first": share_of_the_first},
        )  # fmt: skip


def test_a_class_derived_from_early_stopping_sees_each_epoch() -> None:
    class Mine(EarlyStopping):
        seen = 0

        def on_epoch_end(self, training: Any) -> None:
            super().on_epoch_end(training)
            self.seen += 1

    mine = Mine("loss", patience=1000)
    how = {"layers": [Dense(3, "tanh"), Dense(2)], "loss": CrossEntropy(), "optimizer": SGD(0.1), "epochs": 50}
    trained("compiled", batch_size=None, callbacks=[mine], **how)
    assert mine.seen == 50


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("classes", [2, 3, 8, 9])
def test_rows_that_are_right_are_counted_as_numpy_chooses(classes: int, dtype: str) -> None:
    rng = np.random.default_rng(classes)
    X = rng.integers(-1, 2, (90, 2)).astype(float)  # rows at 0 have equal probabilities for all classes
    y = np.concatenate([np.arange(classes), rng.integers(0, classes, 90 - classes)])
    network = Network([Dense(classes)], loss=CrossEntropy(), seed=0, dtype=dtype)
    history = network.fit(
        X, y, optimizer=SGD(1e-30), epochs=3, batch_size=None, metrics=["accuracy"], validation=(X[:11], y[:11]),
        engine="compiled",
    )  # fmt: skip
    chosen = network.outputs(X).argmax(axis=1)
    assert len(set(chosen[(X == 0).all(axis=1)])) == 1
    assert history["accuracy"] == [accuracy(y, chosen)] * 3
    assert history["val_accuracy"] == [accuracy(y[:11], chosen[:11])] * 3


@given(
    epochs=st.integers(1, 10**6), each=st.floats(1e-8, 1e3), ratio=st.floats(0, 1e3, allow_subnormal=False),
)  # fmt: skip
def test_epochs_are_cut_into_pieces_that_become_shorter(epochs: int, each: float, ratio: float) -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    recipe = Recipe(SGD(0.1), epochs=1, batch_size=None, running_loss=True)
    blocks = Training(network, prepare(network, X, Y, recipe), recipe, engine="reference").blocks
    blocks.epoch_seconds, blocks.evaluation_ratio = each, ratio
    cuts = blocks.cuts(epochs)
    lengths = np.diff(cuts)
    assert (cuts[0], cuts[-1]) == (0, epochs)
    assert (lengths > 0).all()
    assert len(cuts) < 100
    if ratio < 0.5:
        assert (np.diff(lengths) <= 1).all(), "up to rounding"


def test_what_has_not_been_begun_aside_is_done_where_it_is_asked_for() -> None:
    went, go = threading.Event(), threading.Event()

    def first() -> int:
        went.set()
        assert go.wait(60)
        return threading.get_ident()

    aside = BackgroundThread()
    with aside:
        begun, waiting = aside.task(first), aside.task(threading.get_ident)
        assert went.wait(60)
        assert waiting.result() == threading.get_ident()
        go.set()
        assert begun.result() != threading.get_ident()


def test_nothing_of_a_training_stays_in_memory() -> None:
    gone: list[Any] = []

    class Follow(Callback):
        every_epoch = False

        def on_train_end(self, training: Any) -> None:
            gone.extend(map(weakref.ref, (training, training.blocks)))

    gc.disable()  # which would find what holds itself, at some time
    try:
        trained(
            "compiled", [Dense(3, "tanh"), Dense(2)], CrossEntropy(), optimizer=SGD(0.1), epochs=50, batch_size=20,
            validation=0.3, metrics=["accuracy"], callbacks=[Follow(), EarlyStopping()],
        )  # fmt: skip
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


def test_the_r2_of_epochs_that_are_run_together() -> None:
    how = {"layers": [Dense(3, "tanh"), Dense(2)], "loss": SquaredError(), "epochs": 50, "batch_size": None}
    how |= {
        "optimizer": SGD(0.1),
        "validation": 0.3,
        "X": X,
        "y": np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 0])], axis=1),
    }
    together, alone = trained("compiled", **how), trained("compiled", callbacks=[Count()], **how)
    agree(together, alone)
    agree(together, trained("reference", **how))


def test_predictions_of_compiled_code() -> None:
    rng = np.random.default_rng(0)
    networks = {
        "classes": ([Dense(3, "tanh"), Dense(2)], CrossEntropy(), "float64"),
        "one output": ([Dense(40, "relu"), BatchNorm(), Dense(1)], BinaryCrossEntropy(), "float64"),
        "wide": ([Dense(70, "sigmoid"), Dropout(0.5), Dense(20)], SquaredError(), "float32"),
    }
    for name, (layers, loss, dtype) in networks.items():
        network = Network(layers, loss=loss, seed=0, dtype=dtype, n_in=30).build(30, np.dtype(dtype))
        for rows in (1, 3, 700):
            given = rng.normal(size=(rows, 30))
            found, expected = (network.outputs(given, engine=engine) for engine in ("compiled", "reference"))
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            most = (1e-5 if dtype == "float32" else 1e-12) * abs(expected).max()
            np.testing.assert_allclose(found, expected, rtol=0, atol=most, err_msg=name)
    with pytest.raises(InputError, match="engine"):
        network.predict(given, engine="fast")


@pytest.mark.parametrize("how", [{"batch_size": None}, {"batch_size": 13, "validation": 0.1}])
def test_divergence_is_found_at_the_same_step(how: dict[str, Any]) -> None:
    found = []
    for engine in ENGINES:
        network = Network([Dense(1)], loss=SquaredError(), seed=0)  # slowly, so that epochs are run together by then
        with pytest.raises(DivergenceError) as caught:
            network.fit(X, X[:, 0], optimizer=SGD(1.0), epochs=2000, engine=engine, **how)
        assert np.isfinite(network.theta).all()
        error = caught.value
        found.append((error.step, error.name, error.history.epochs, str(error)))
    assert found[0] == found[1]


# -- what users bring --------------------------------------------------------------------------


def softsign(z: np.ndarray) -> np.ndarray:
    """z / (1 + |z|)"""
    return z / (1 + np.abs(z))


def softsign_derivative(a: np.ndarray) -> np.ndarray:
    """(1 - |a|)^2"""
    return (1 - np.abs(a)) ** 2


def mish(z: np.ndarray) -> np.ndarray:
    """z times the tanh of its softplus"""
    return z * np.tanh(np.logaddexp(0, z))


def mish_prime(z: np.ndarray) -> np.ndarray:
    """what mish grows by, between -1 and 2"""
    t = np.tanh(np.logaddexp(0, z))
    return np.clip(t + z * (1 - t**2) / (1 + np.exp(-z)), -1, 2)


def forked(z: np.ndarray) -> np.ndarray:
    """z where any is positive, else 0"""
    if z.max() > 0:
        return z
    return 0 * z


def sorted_up(z: np.ndarray) -> np.ndarray:
    """sorted"""
    return np.sort(z, axis=0)


def one(z: np.ndarray) -> np.ndarray:
    """1"""
    return np.ones_like(z)


def test_an_activation_of_ones_own_compiles_with_no_further_work() -> None:
    layers = [
        Dense(3, Activation("softsign", softsign, softsign_derivative)),
        Dense(3, Activation("mish", mish, mish_prime)),
        Dense(2),
    ]
    agree(*[trained(e, layers, CrossEntropy(), optimizer=SGD(0.5), epochs=100, batch_size=None) for e in ENGINES])


@pytest.mark.parametrize(("f", "named"), [(forked, "forked"), (sorted_up, r"np\.sort")])
def test_what_cannot_be_compiled_is_refused_by_name_and_left_to_the_reference(f: Any, named: str) -> None:
    def network() -> Network:
        return Network([Dense(3, Activation(f.__name__, f, one)), Dense(2)], loss=CrossEntropy(), seed=0)

    with pytest.raises(NotCompilableError, match=named):
        network().fit(X, Y, optimizer=SGD(0.1), epochs=3, batch_size=None, engine="compiled")
    history = network().fit(X, Y, optimizer=SGD(0.1), epochs=10**6, batch_size=None, callbacks=[Enough()])
    assert history.epochs == 1
    assert re.match(rf"reference \(.*({named}|switched off)", history.engine)


class Enough(Callback):
    """Ends training after the first epoch."""

    def on_epoch_end(self, training: Any) -> None:
        training.stop("enough seen")


def test_l_bfgs_is_not_for_it() -> None:
    with pytest.raises(InputError, match="L-BFGS"):
        Network([Dense(2)], loss=CrossEntropy()).fit(X, Y, optimizer=LBFGS(), epochs=3, engine="compiled")


# -- the choice, the cache, Ctrl-C -------------------------------------------------------------


def test_auto_is_a_pure_function_of_the_problem() -> None:
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), n_in=2, seed=0)
    program = step_program(network.layers, network.loss, network.regularizers, SGD(0.1))
    values = network.start_values(program)
    few = choose("auto", program, values, 200, 100)
    assert few == choose("auto", program, values, 200, 100)
    assert few[0] == "reference"
    assert "compiling does not pay off for 100 steps of 200 rows" in few[1]
    assert choose("auto", program, values, 200, 10**6)[0] == "compiled"
    assert choose("reference", program, values, 200, 10**6) == ("reference", "as requested")
    history = network.fit(X[:40], Y[:40], optimizer=SGD(0.1), epochs=3, batch_size=10)
    assert history.engine == "reference (compiling does not pay off for 12 steps of 10 rows)"


def test_the_source_is_a_file_that_can_be_read(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKINGS_CACHE", str(tmp_path))
    trained("compiled", [Dense(2, "silu")], SquaredError(), y=X, optimizer=SGD(0.1), epochs=2, batch_size=None)
    (source,) = tmp_path.glob("*.py")
    assert "def train(" in source.read_text(encoding="utf-8")
    assert source.with_suffix(".o").exists(), "the machine code is kept beside it"


def printed(code: str, environment: dict[str, str]) -> list[str]:
    """The words that a process prints."""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


INTERRUPTED = """
import numpy as np
from workings import SGD, Callback, CrossEntropy, Dense, Network, Progress
from workings.datasets import moons

class Tell(Callback):
    every_epoch = False
    def on_epoch_end(self, training):
        if not self.told and training.epoch > 1000:
            self.told = True
            print("under way", flush=True)
    told = False

X, y = moons(seed=0)
network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
history = network.fit(X, y, optimizer=SGD(1.0), epochs=10**7, batch_size=None, callbacks=[Tell()])
print(history.stopped.startswith("interrupted"), history.epochs > 1000, network.score(X, y) > 0.8,
      np.isfinite(network.theta).all(), history.engine.startswith("compiled"), flush=True)
"""


def test_ctrl_c_ends_a_compiled_run_and_keeps_what_was_learned() -> None:
    assert interrupted(INTERRUPTED) == ["True"] * 5


IN_A_LONG_STEP = """
import threading
import numpy as np
from workings import SGD, Callback, Dense, Network, SquaredError

class Tell(Callback):
    def on_epoch_begin(self, training):
        threading.Timer(1.0, lambda: print("under way", flush=True)).start()

network = Network([Dense(1000, "tanh"), Dense(1000, "tanh"), Dense(1)], loss=SquaredError(), seed=0)
X = np.random.default_rng(0).normal(size=(500_000, 8))
y = X[:, 0]
network.fit(X[:5000], y[:5000], optimizer=SGD(0.1), epochs=1, batch_size=None, engine="compiled")
before = network.theta.copy()
history = network.fit(X, y, optimizer=SGD(0.1), epochs=1, batch_size=None, callbacks=[Tell()], engine="compiled")
print(history.stopped.startswith("interrupted"), history.epochs == 0, np.array_equal(before, network.theta), flush=True)
"""


def test_ctrl_c_does_not_wait_for_the_end_of_a_long_step() -> None:
    assert interrupted(IN_A_LONG_STEP) == ["True"] * 3


def test_what_a_call_raises_in_its_thread_is_raised() -> None:
    def call() -> None:
        raise FloatingPointError("in the thread")

    with pytest.raises(FloatingPointError, match="in the thread"):
        call_interruptibly(call, np.zeros(1, np.int64), [])


# -- elementary functions ----------------------------------------------------------------------


APPLY = """
from workings.engines.kernels.vector_math import {function} as function

def apply({arguments}, results):
    for i in range(results.shape[0]):
        results[i] = function({entries})
"""


def applied(name: str, dtype: str, *arguments: np.ndarray) -> np.ndarray:
    """Apply an elementary function to arrays, as machine code."""
    names = "ab"[: len(arguments)]
    entries = ", ".join(f"{letter}[i]" for letter in names)
    source = APPLY.format(function=FAST[dtype][name], arguments=", ".join(names), entries=entries)
    results = np.empty(len(arguments[0]), dtype)
    machine_code.MachineCode(source, "apply")(*arguments, results)()
    return results


@pytest.mark.parametrize(("dtype", "most"), [("float64", 4e-15), ("float32", 5e-7)])
@pytest.mark.parametrize("name", ["exp", "tanh", "log", "log1p", "expm1", "erf"])
def test_fast_functions_are_as_exact_as_they_say(name: str, dtype: str, most: float) -> None:
    ranges = {"exp": (-80, 80), "log": (1e-6, 1e6), "log1p": (-0.9, 50), "erf": (-7, 7)}
    low, high = ranges.get(name, (-20, 20))
    points = np.linspace(low, high, 2001).astype(dtype)
    exact = getattr(np, name)(points.astype(np.longdouble)) if name != "erf" else np.vectorize(math.erf)(points)
    found = applied(name, dtype, points).astype(np.longdouble)
    assert (np.abs(found - exact) <= most * np.abs(exact) + np.finfo(dtype).tiny).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_log_add_exp_has_no_overflow(dtype: str) -> None:
    values = [-np.inf, -1e4, -3.0, 0.0, 1e-5, 2.0, 1e4, np.inf]
    a, b = np.array(list(itertools.product(values, values)), dtype).T
    found, expected = applied("logaddexp", dtype, a.copy(), b.copy()), np.logaddexp(a, b)
    with np.errstate(invalid="ignore"):
        near = np.abs(found - expected) <= 4 * np.finfo(dtype).eps * np.maximum(np.abs(expected), 1e-5)
    assert ((found == expected) | near).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(FAST["float64"]))
def test_special_values_are_numpys(name: str, dtype: str) -> None:
    values = np.array([-np.inf, -1e300, -2.0, -1.0, -0.0, 0.0, 1.0, 1e300, np.inf, np.nan]).clip(-3e38, 3e38)
    values = np.array([*values, -np.inf, np.inf], dtype)
    arguments = (values,) if name != "logaddexp" else (values, np.zeros_like(values))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(*arguments) if name != "erf" else np.vectorize(math.erf)(values)
    np.testing.assert_allclose(applied(name, dtype, *arguments), expected, rtol=1e-6 if dtype == "float32" else 1e-14)


def test_the_engine_takes_a_program_alone() -> None:
    program = step_program([Dense(2)], CrossEntropy(), [], SGD(0.1))
    assert CompiledEngine(program).changed == ["W1", "b1"]
