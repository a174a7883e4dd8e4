"""Checkpoints: a run resumes only with the same settings, functions included."""

from __future__ import annotations

import functools
import io
import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workings import (
    L2,
    SGD,
    Activation,
    Adam,
    Callback,
    Checkpoint,
    CrossEntropy,
    Dense,
    EarlyStopping,
    FileError,
    InputError,
    Network,
    Progress,
    Signals,
    Snapshots,
)
from workings.datasets import moons
from workings.schedules import WarmUp
from workings.support.identity import identity

X, Y = moons(40, seed=0)
X_VAL, Y_VAL = moons(20, seed=1)


def fit(path: Path, epochs: int = 2, layers: Any = None, more: Any = (), **settings: Any) -> Network:
    """Train a network from a checkpoint, if there is one."""
    network = Network(layers or [Dense(3, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
    settings = {"optimizer": SGD(0.1), "batch_size": 20, "engine": "reference", **settings}
    network.fit(X, Y, epochs=epochs, callbacks=[*more, Checkpoint(path, resume=True)], **settings)
    return network


def made(source: str, **names: Any) -> Any:
    """Define the value called "value" by source that is in no file, as in a notebook or with ``python -c``."""
    module = types.ModuleType("__main__")
    module.__dict__.update(names)
    exec(compile(source, "<cell 1>", "exec"), module.__dict__)
    return module.__dict__["value"]


class Falling:
    """A schedule of one's own."""

    def __init__(self, rate: float, *, steps: tuple[int, ...] = (3, 9)) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, t: int) -> float:
        return self.rate / (1 + sum(t >= step for step in self.steps))

    def doubled(self, t: int) -> float:
        """Return twice the rate."""
        return 2 * self(t)


class Slotted:
    """A schedule without a dict of attributes."""

    __slots__ = ("rate",)

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, t: int) -> float:
        return self.rate


class Dispatcher:
    """A function that is compiled, as Numba's: it has a random number of its own, and what it has compiled."""

    def __init__(self, function: Callable[[int], float]) -> None:
        functools.update_wrapper(self, function)
        self.targetoptions = {"nopython": True}
        self.number, self.compiled = os.urandom(8), threading.Lock()

    def __call__(self, t: int) -> float:
        return self.__wrapped__(t)  # type: ignore[attr-defined,no-any-return]


Dispatcher.__module__ = "pytest"  # of an installed package


def closure(rate: float) -> Callable[[int], float]:
    """A function that uses a value of the function around it."""
    return lambda t: rate / (1 + t)


def by_table(t: int, table: Any) -> float:
    """A function for ``functools.partial``."""
    return float(table[t % len(table)])


DEFAULT = "def value(t, rate={0}):\n    return rate"
GLOBAL = "rate = {0}\nvalue = lambda t: rate"
HELPER = "def helper(t):\n    return {0} / (1 + t)\n\ndef value(t):\n    return helper(t)"
NESTED = "def value(t):\n    def inner(s):\n        return {0} + 0 * s\n    return inner(t)"
IN_SET = "value = lambda t: {0} if 'a' in {{'a', 'b', 'c'}} else 1.0"
CLASS = "class Rate:\n    base = {0}\n    def __call__(self, t):\n        return self.base\nvalue = Rate()"
MODULE = "value = lambda t: settings.rate"
CACHED = "import functools\n@functools.lru_cache\ndef value(t):\n    return {0} / (1 + t)"
MEMO = "class Rate:\n    def __init__(self):\n        self.known = {{}}\n    def __call__(self, t):\n" \
       "        return self.known.setdefault(t % 1, {0})\nvalue = Rate()"  # fmt: skip

RATES: dict[str, Callable[[float], Any]] = {
    "lambda": lambda rate: made(f"value = lambda t: {rate}"),
    "default": lambda rate: made(DEFAULT.format(rate)),
    "global": lambda rate: made(GLOBAL.format(rate)),
    "helper": lambda rate: made(HELPER.format(rate)),
    "nested": lambda rate: made(NESTED.format(rate)),
    "set": lambda rate: made(IN_SET.format(rate)),
    "class": lambda rate: made(CLASS.format(rate)),
    "module": lambda rate: made(MODULE, settings=module_with(rate)),
    "closure": closure,
    "cached": lambda rate: made(CACHED.format(rate)),
    "keeps results": lambda rate: made(MEMO.format(rate)),
    "vectorize": lambda rate: np.vectorize(made(f"value = lambda t: {rate}"), otypes=[float]),
    "compiled": lambda rate: Dispatcher(made(f"value = lambda t: {rate}")),
    "static method": lambda rate: made(f"class A:\n    rate = staticmethod(lambda t: {rate})\nvalue = A.rate"),
    "method of an array": lambda rate: np.full(20, rate).__getitem__,
    "polynomial": lambda rate: np.polynomial.Polynomial([rate, 0.0]),
    "partial": lambda rate: functools.partial(by_table, table=np.array([rate, 0.1])),
    "partial of a list": lambda rate: functools.partial(by_table, table=[0.2, rate]),
    "object": Falling,
    "object without a dict": Slotted,
    "bound method": lambda rate: Falling(rate).doubled,
    "schedule of a schedule": lambda rate: WarmUp(Falling(rate), steps=3),
}


def module_with(rate: float) -> types.ModuleType:
    """A module of one's own."""
    module = types.ModuleType("settings")
    module.rate = rate  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize("kind", RATES)
def test_a_learning_rate_of_ones_own_resumes_unless_it_differs(kind: str, tmp_path: Path) -> None:
    make = RATES[kind]
    whole = fit(tmp_path / "whole", 4, optimizer=SGD(make(0.25)))
    fit(tmp_path / "c", 2, optimizer=SGD(make(0.25)))
    resumed = fit(tmp_path / "c", 4, optimizer=SGD(make(0.25)))
    assert resumed.theta.tobytes() == whole.theta.tobytes()
    assert dict(resumed.history) == dict(whole.history)
    with pytest.raises(FileError, match=r"optimizer: .*Move the file to start again"):
        fit(tmp_path / "c", 4, optimizer=SGD(make(0.125)))


IN_ANOTHER_PROCESS = """
import sys
from functools import partial
from workings import *
from workings.datasets import moons

known = {"fast", "slow", "other"}
rate = lambda t, most=0.5: most / (1 + t) if "fast" in known else 0.1
def power(base, t):
    return base ** t
def relu(z):
    return z * (z > 0)
class Share:
    def __init__(self, of): self.of = of
    def __call__(self, true, predicted): return float((predicted == self.of).mean())

X, y = moons(40, seed=0)
mine = Activation("mine", relu, lambda z: 1.0 * (z > 0))
layers = [Dense(4, mine, weights=lambda rng, shape: rng.normal(size=shape)), Dense(2)]
network = Network(layers, loss=CrossEntropy(), seed=0)
stopping = EarlyStopping(lambda network: network.objective(X, y), patience=99)
history = network.fit(
    X, y, optimizer=SGD(rate), epochs=int(sys.argv[2]), batch_size=20, validation=0.2, engine="reference",
    metrics={"ones": Share(1), "zeros": partial(lambda of, true, predicted: float((predicted == of).mean()), 0)},
    callbacks=[stopping, Checkpoint(sys.argv[1], resume=True)],
)
print(history.epochs, network.theta.tobytes().hex(), dict(history))
"""


def test_functions_are_the_same_in_another_process(tmp_path: Path) -> None:
    def go(path: str, epochs: int, seed: int) -> str:
        command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / path), str(epochs)]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    go("cut", 2, 1)
    assert go("cut", 4, 2) == go("whole", 4, 3)


def failing(true: Any, predicted: Any) -> float:
    return 1.0


def mine(slope: float) -> Activation:
    """A user's activation, whose name does not say what it does."""
    return Activation("mine", lambda z: slope * z, lambda z: slope + 0 * z)


class Mine(Callback):
    """A callback of one's own with settings."""

    def __init__(self, share: float) -> None:
        self.share = share

    def settings(self) -> dict[str, Any]:
        return {"share": self.share}


STOPPING = {"more": [EarlyStopping("loss", patience=5)]}
DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "metrics": ({}, {"metrics": ["accuracy"]}, "metrics: {}, not {'accuracy'"),
    "another metric": ({"metrics": {"m": failing}}, {"metrics": {"m": lambda t, p: 2.0}}, "metrics: "),
    "validation": ({}, {"validation": (X_VAL, Y_VAL)}, "validation data: None, not '"),
    "validation rows": ({"validation": (X_VAL, Y_VAL)}, {"validation": (X_VAL[:9], Y_VAL[:9])}, "validation data: '"),
    "validation share": ({"validation": 0.2}, {"validation": 0.3}, "training data or batch size: "),
    "running loss": ({}, {"running_loss": True}, "running_loss: False, not True"),
    "patience": (STOPPING, {"more": [EarlyStopping("loss", patience=9)]}, "'patience': 5"),
    "min_delta": (STOPPING, {"more": [EarlyStopping("loss", patience=5, min_delta=0.1)]}, "'min_delta': 0.1"),
    "monitor": (STOPPING, {"more": [EarlyStopping(lambda network: 1.0, patience=5)]}, "'monitor': function <lambda> #"),
    "settings of one's own": ({"more": [Mine(0.1)]}, {"more": [Mine(0.2)]}, "'share': 0.1"),
    "a callback": ({"more": [Mine(0.1)]}, {}, "callbacks: .*'Mine'"),
    "function of an activation": ({"layers": [Dense(3, mine(1.0)), Dense(2)]},
                                  {"layers": [Dense(3, mine(2.0)), Dense(2)]}, "layer 1: .*#"),
    "units": ({}, {"layers": [Dense(4, "tanh"), Dense(2)]}, "layer 1: .*'units': 3"),
    "number of layers": ({}, {"layers": [Dense(3, "tanh"), Dense(3), Dense(2)]}, "layer 3: none, not "),
    "optimizer": ({}, {"optimizer": Adam(0.1)}, "optimizer: SGD.lr=0.1., not Adam"),
    "batch size": ({}, {"batch_size": 10}, "batches of 20, .* batches of 10"),
    "class weight": ({}, {"class_weight": {0: 3.0}}, "training data"),
    "two at once": ({}, {"metrics": ["accuracy"], "running_loss": True}, "metrics: .*; running_loss: "),
}  # fmt: skip


@pytest.mark.parametrize("difference", DIFFERENT)
def test_other_settings_are_refused_with_what_differs(difference: str, tmp_path: Path) -> None:
    first, second, message = DIFFERENT[difference]
    fit(tmp_path / "c", **first)
    content = (tmp_path / "c").read_bytes()
    with pytest.raises(FileError, match=message):
        fit(tmp_path / "c", 4, **second)
    assert (tmp_path / "c").read_bytes() == content
    assert fit(tmp_path / "c", 3, **first).history.epochs == 3


def drawn(rng: Any, shape: tuple[int, ...]) -> Any:
    return rng.normal(size=shape)


SAME: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an initializer": ({}, {"layers": [Dense(3, "tanh", weights=drawn), Dense(2)]}),
    "an activation by name": ({}, {"layers": [Dense(3, "Tanh".lower()), Dense(2, "identity")]}),
    "a NumPy number": ({}, {"optimizer": SGD(np.float64(0.1))}),
    "progress": ({}, {"more": [Progress(stream=io.StringIO())]}),
    "no progress": ({"more": [Progress(stream=io.StringIO())]}, {}),
    "recorders": ({"more": [Snapshots(every=1)]}, {"more": [Progress(stream=io.StringIO()), Snapshots(every=1)]}),
    "a default": (STOPPING, {"more": [EarlyStopping("loss", patience=5, min_delta=0.0, higher_is_better=False)]}),
}


@pytest.mark.parametrize("case", SAME)
def test_what_does_not_change_the_training_may_differ(case: str, tmp_path: Path) -> None:
    first, second = SAME[case]
    fit(tmp_path / "c", 2, **first)
    resumed = fit(tmp_path / "c", 4, **second)
    assert resumed.theta.tobytes() == fit(tmp_path / "whole", 4, **first).theta.tobytes()


def test_recorders_keep_what_they_recorded_when_others_come_and_go(tmp_path: Path) -> None:
    first, second, signals = Snapshots(every=1), Snapshots(every=1), Signals(X[:9], Y[:9], every=1)
    fit(tmp_path / "c", 2, more=[Progress(stream=io.StringIO()), first])
    fit(tmp_path / "c", 4, more=[signals, second])
    assert second.epochs == [0, 1, 2, 3, 4]
    assert signals.epochs == [2, 3, 4]
    np.testing.assert_array_equal(first.thetas, second.thetas[:3])


def test_a_setting_that_cannot_be_compared_is_refused_at_the_beginning(tmp_path: Path) -> None:
    lock = threading.Lock()

    def locked(t: int) -> float:
        with lock:
            return 0.1

    with pytest.raises(InputError, match=r"cannot compare the optimizer .*lock.*leave out resume=True"):
        fit(tmp_path / "c", optimizer=SGD(locked))
    assert not (tmp_path / "c").exists()
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    network.fit(X, Y, optimizer=SGD(locked), epochs=2, callbacks=[Checkpoint(tmp_path / "c")])
    assert Network.load(tmp_path / "c").score(X, Y) == network.score(X, Y)


class Falls:
    """A rate that is smaller after each call."""

    rate = 0.1

    def __call__(self, t: int) -> float:
        self.rate *= 0.99
        return self.rate


def stateful() -> dict[str, Callable[[int], Any]]:
    """Rates that depend on earlier calls."""
    rates, generator, seen = iter([0.1] * 99), np.random.default_rng(0), []  # type: ignore[var-annotated]
    return {
        "iterator": lambda t: next(rates),
        "random": lambda t: generator.random(),
        "object": Falls(),
        "within a schedule": WarmUp(Falls(), steps=3),
        "list": lambda t: 0.1 / (1 + len(seen)) if seen.append(t) is None else 0.1,  # type: ignore[func-returns-value]
    }


@pytest.mark.parametrize("kind", stateful())
def test_a_rate_that_depends_on_earlier_calls_is_refused_at_the_beginning(kind: str, tmp_path: Path) -> None:
    network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
    with pytest.raises(InputError, match=r"each call changes a value .* from the step alone, or leave out resume=True"):
        network.fit(
            X, Y, optimizer=SGD(stateful()[kind]), epochs=1, callbacks=[Checkpoint(tmp_path / "c", resume=True)]
        )
    assert network.history is None
    assert not (tmp_path / "c").exists()


def test_a_function_that_hides_what_it_computes_is_refused_at_the_beginning(tmp_path: Path) -> None:
    hidden = np.frompyfunc(lambda t: 0.1, 1, 1)
    with pytest.raises(InputError, match=r"cannot compare the optimizer .*ufunc.*leave out resume=True"):
        fit(tmp_path / "c", optimizer=SGD(lambda t: hidden(t)))


def test_a_monitor_may_use_the_network_itself(tmp_path: Path) -> None:
    def go(epochs: int) -> Network:
        network = Network([Dense(2)], loss=CrossEntropy(), seed=0)
        stopping = EarlyStopping(lambda _: network.objective(X_VAL, Y_VAL), patience=99)
        for _ in range(2):  # the second one resumes where nothing is left to do
            network.fit(X, Y, optimizer=SGD(0.1), epochs=epochs, engine="reference",
                        callbacks=[stopping, Checkpoint(tmp_path / "c", resume=True)])  # fmt: skip
        return network

    assert go(2).history.epochs == 2
    assert go(4).history.epochs == 4


def test_the_same_values_have_one_text_and_others_another() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    values = [
        None, True, 1, 1.5, "a", b"a", (1,), [1], {1}, {"a": 1}, loop, np.arange(3), np.arange(3.0), np.sin, np.mean,
        math_module(), Falling, Falling(1.0), Falling(2.0), Slotted(1.0), L2(0.1), L2(0.2), np.random.default_rng(1),
        np.random.default_rng(2), np.array(["a", None], dtype=object), np.float32, slice(1, 2), range(3), "a".join, len,
    ]  # fmt: skip
    texts = [identity(value) for value in values]
    assert len(set(texts)) == len(texts)
    assert not [text for text in texts if " at 0x" in text]
    assert identity(np.float64(1.5)) == identity(1.5)
    assert identity({"b", "a"}) == identity({"a", "b"})


def math_module() -> types.ModuleType:
    import math

    return math


def test_names_and_comments_of_functions_do_not_matter_but_code_does() -> None:
    one = made("def value(t):\n    return 0.1 * t")
    other = made("# comment\n\n\ndef value(t):\n    # another\n    return 0.1 * t")
    third = made("def value(t):\n    return 0.1 + t")
    assert identity(one) == identity(other) != identity(third)
