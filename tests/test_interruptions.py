"""Interruptions: after Ctrl-C or a kill at any moment, the network and its history end with a whole epoch."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import interrupting
from tests.interrupting import CASES, Beginning, X, Y, at_line, press, pressing, raise_interrupt, trial
from workings import SGD, Callback, CrossEntropy, Dense, EarlyStopping, Network
from workings.engines.compiled.engine import is_installed
from workings.support import interruption
from workings.support.interruption import Interruption, interrupted_afterwards

needs_llvm = pytest.mark.skipif(not is_installed(), reason="llvmlite is not installed")
QUICK = [
    "reference full", "reference stopping with dropout", "L-BFGS",
    pytest.param("compiled full", marks=needs_llvm), pytest.param("compiled stopping", marks=needs_llvm),
]  # fmt: skip


def lines_of(name: str, epochs: int, file: str = "") -> int:
    """The number of lines of training, or of one of its files, that a fit runs."""
    CASES[name].fit(CASES[name].network(), epochs)  # later fits share its programs
    with at_line(-1, press, file) as lines:
        CASES[name].fit(CASES[name].network(), epochs)
    return lines[0]


@pytest.mark.parametrize("name", QUICK)
def test_ctrl_c_at_any_line_leaves_whole_epochs(name: str) -> None:
    count = lines_of(name, 4)
    endings = Counter(trial(CASES[name], at_line(line, press), epochs=4) for line in range(5, count, count // 16))
    assert endings["interrupted"] >= 6
    assert endings.keys() <= {"interrupted", "before the first step", "all", "L-BFGS"}


@pytest.mark.parametrize("name", ["reference full", "reference dropout", "L-BFGS"])
def test_a_handler_of_ones_own_may_raise_at_any_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "is_replaceable", lambda handler: False)
    count = lines_of(name, 4)
    endings = Counter(
        trial(CASES[name], at_line(line, raise_interrupt), epochs=4) for line in range(9, count, count // 12)
    )
    assert endings["interrupted"] >= 6


@pytest.mark.parametrize("name", ["reference stopping", "reference stopping with dropout"])
def test_a_handler_of_ones_own_may_raise_in_early_stopping(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "is_replaceable", lambda handler: False)
    count = lines_of(name, 4, "early_stopping.py")
    lines = range(count - 60, count, 5)
    endings = Counter(
        trial(CASES[name], at_line(line, raise_interrupt, "early_stopping.py"), epochs=4) for line in lines
    )
    assert endings["interrupted"] >= 3


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_with_a_checkpoint(presses: int, tmp_path: Path) -> None:
    case = CASES["reference stopping with dropout"]
    begins = Beginning()
    ending = trial(case, pressing(0.1, presses, after=begins), path=tmp_path / "c.safetensors", more=[begins])
    assert ending in {"interrupted", "ended by a second Ctrl-C"}
    assert {path.name for path in tmp_path.iterdir()} <= {"c.safetensors"}, "no temporary file"


class Press(Callback):
    """Presses Ctrl-C in one of its methods, once or twice."""

    def __init__(self, method: str, presses: int = 1, epoch: int = 2) -> None:
        self.presses, self.epoch, self.went_on = presses, epoch, False
        setattr(self, method, self.press)

    def press(self, training: Any) -> None:
        if training.epoch != self.epoch:
            return
        for _ in range(self.presses):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)
        self.went_on = True

    def on_epoch_begin(self, training: Any) -> None:
        """Replaced in some instances."""

    def on_epoch_end(self, training: Any) -> None:
        """Replaced in some instances."""


def fitted(*callbacks: Callback, epochs: int = 5) -> Network:
    """A small network after a training."""
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(0.1), epochs=epochs, batch_size=20, callbacks=[*callbacks])
    return network


@pytest.mark.parametrize(("method", "epochs"), [("on_epoch_begin", 2), ("on_epoch_end", 3)])
def test_a_callback_comes_to_its_end_before_ctrl_c_takes_effect(method: str, epochs: int) -> None:
    callback = Press(method)
    network = fitted(callback)
    assert callback.went_on
    assert (network.history.epochs, network.history.stopped) == (epochs, "interrupted in epoch 2")
    assert network.theta.tobytes() == fitted(epochs=epochs).theta.tobytes()


@pytest.mark.parametrize(("method", "epochs"), [("on_epoch_begin", 2), ("on_epoch_end", 3)])
def test_a_second_ctrl_c_ends_a_callback_and_fit(method: str, epochs: int) -> None:
    callback = Press(method, presses=2)
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=5, batch_size=20, callbacks=[callback])
    assert not callback.went_on
    assert network.history.epochs == epochs
    assert network.theta.tobytes() == fitted(epochs=epochs).theta.tobytes()


@pytest.mark.parametrize("method", ["on_train_begin", "on_train_end"])
def test_ctrl_c_before_the_first_and_after_the_last_epoch(method: str) -> None:
    callback = Press(method, epoch=0 if method == "on_train_begin" else 4)
    network = fitted(callback)
    assert network.history.stopped.startswith("interrupted in epoch")
    assert network.history.epochs == (0 if method == "on_train_begin" else 5)
    assert network.is_fresh == (method == "on_train_begin")


def test_the_handler_of_the_program_comes_back_and_is_left_alone() -> None:
    usual = signal.getsignal(signal.SIGINT)
    fitted(Press("on_epoch_end"))
    assert signal.getsignal(signal.SIGINT) is usual
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        assert fitted(Press("on_epoch_end")).history.stopped == "all 5 epochs done"
    finally:
        signal.signal(signal.SIGINT, usual)
    assert seen == [signal.SIGINT]


def test_a_training_within_a_callback_is_interrupted_alone() -> None:
    inner: list[Network] = []

    class Fit(Callback):
        def on_epoch_end(self, training: Any) -> None:
            inner.append(fitted(Press("on_epoch_end", epoch=1)))

    outer = fitted(Fit(), epochs=3)
    assert [network.history.epochs for network in inner] == [2, 2, 2]
    assert outer.history.stopped == "all 3 epochs done"


def test_a_training_in_another_thread_is_not_interrupted() -> None:
    usual = signal.getsignal(signal.SIGINT)
    found: list[Network] = []
    thread = threading.Thread(target=lambda: found.append(fitted(epochs=50)))
    thread.start()
    assert signal.getsignal(signal.SIGINT) is usual
    thread.join()
    assert found[0].history.epochs == 50


def test_ctrl_c_waits_for_the_end_of_an_import() -> None:
    done = []

    def slowly_imported() -> None:
        with interrupted_afterwards():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("imported")

    with pytest.raises(KeyboardInterrupt):
        slowly_imported()
    assert done == ["imported"]
    with Interruption() as training, interrupted_afterwards():
        os.kill(os.getpid(), signal.SIGINT)
    assert training.count == 1


def test_a_callback_that_stops_does_not_hide_parameters_that_are_useless() -> None:
    class Stop(Callback):
        def on_epoch_end(self, training: Any) -> None:
            training.stop("enough")

    network = Network([Dense(1)], loss="SquaredError", seed=0, n_in=2)
    start = network.theta.copy()
    with pytest.raises(ArithmeticError, match="after step 1 the objective J was inf"):
        network.fit(X, X[:, 0], optimizer=SGD(1e200), epochs=9, batch_size=None, callbacks=[Stop()])
    assert np.array_equal(network.theta, start)


@pytest.mark.parametrize("batch_size", [None, 20])
def test_a_training_can_start_again_after_it_diverged(batch_size: int | None) -> None:
    network = Network([Dense(1)], loss="SquaredError", seed=0)
    with pytest.raises(ArithmeticError, match="The network has the parameters") as caught:
        network.fit(X, X[:, 0], optimizer=SGD(30.0), epochs=500, batch_size=batch_size)
    assert "their objective is" in str(caught.value)
    history = network.fit(X, X[:, 0], optimizer=SGD(0.1), epochs=50, batch_size=batch_size)
    assert history["loss"][-1] < history["loss"][0] < 100


def test_an_error_in_a_metric_leaves_the_last_recorded_epoch() -> None:
    def failing(y_true: Any, y_pred: Any) -> float:
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("not today")
        return 0.0

    calls: list[int] = []
    network = Network([Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    with pytest.raises(ValueError, match="not today"):
        network.fit(X, Y, optimizer=SGD(0.1), epochs=5, batch_size=20, metrics={"m": failing}, engine="reference")
    assert network.history.epochs == 2
    assert network.theta.tobytes() == fitted(epochs=2).theta.tobytes()


def test_early_stopping_restores_the_best_epoch_after_ctrl_c() -> None:
    stopping = EarlyStopping("loss", patience=100)
    network = fitted(stopping, Press("on_epoch_end", epoch=3))
    assert network.history.epochs == 4
    assert stopping.best_epoch == int(np.argmin(network.history["loss"]))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_fifty_interruptions_at_random(
    part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """Fifty of two hundred."""
    monkeypatch.setenv("WORKINGS_CACHE", str(tmp_path / "cache"))
    numbers = range(50 * part, 50 * part + 50)
    endings = Counter(interrupting.random_trial(number, tmp_path) for number in numbers)
    for ending, count in endings.items():
        record_property(f"interruptions: {ending}", count)
    assert endings["interrupted"] > 10


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_fifty_kills_at_random(part: int, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Fifty of two hundred."""
    expected: dict[str, str] = {}
    numbers = range(50 * part, 50 * part + 50)
    left = Counter(interrupting.kill_trial(number, tmp_path, expected) for number in numbers)
    for state, count in left.items():
        record_property(f"kills: {state}", count)
    assert left["killed after a checkpoint"] > 10
