"""Ctrl-C and kills: trainings that are interrupted at any moment, and what must be whole afterwards.

A trial interrupts one training and compares it with another one that ends by itself after as many epochs: parameters,
statistics and random generator have the same bits, and so does a training that follows.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from workings import (
    LBFGS,
    SGD,
    Adam,
    BatchNorm,
    Callback,
    Checkpoint,
    CrossEntropy,
    Dense,
    Dropout,
    EarlyStopping,
    Momentum,
    Network,
    Snapshots,
)
from workings.datasets import moons
from workings.schedules import Cosine, OnPlateau

ROOT = Path(__file__).resolve().parents[1]
X, Y = moons(60, seed=0)
FOLLOWING = 3  # epochs of the training that follows


def interrupted(script: str) -> list[str]:
    """Interrupt a script once it prints "under way"; give the words that it prints after that."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "under way"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return rest.split()


# -- the trainings --------------------------------------------------------------------------


class Watching(Callback):
    """A callback that is called after each epoch."""

    def on_epoch_end(self, training: Any) -> None:
        self.last = training.epoch


def decreasing(t: int) -> float:
    """A learning rate of one's own."""
    return float(0.1 / (1 + t / 1000))


@dataclass(frozen=True)
class Case:
    """A training of one kind."""

    layers: Callable[[], list[Any]]
    settings: Callable[[], dict[str, Any]]
    callbacks: Callable[[], list[Callback]] = list

    def network(self) -> Network:
        """A new network."""
        return Network(self.layers(), loss=CrossEntropy(), seed=5)

    def fit(self, network: Network, epochs: int, *more: Callback) -> Any:
        """Train a network."""
        return network.fit(X, Y, epochs=epochs, callbacks=[*self.callbacks(), *more], **self.settings())


def plain() -> list[Any]:
    """The layers of a small network."""
    return [Dense(4, "tanh"), Dense(2)]


def lively() -> list[Any]:
    """Layers with statistics and dropout masks."""
    return [Dense(6), BatchNorm("tanh"), Dropout(0.3), Dense(2)]


def stopping() -> list[Callback]:
    """Early stopping that restores the best epoch and never stops."""
    return [EarlyStopping(patience=10**9)]


def cases() -> dict[str, Case]:
    """Trainings of many kinds: engines, optimizers, schedules, layers, batches, validation and callbacks."""
    found = {"L-BFGS": Case(plain, lambda: {"optimizer": LBFGS(), "batch_size": None, "validation": 0.2})}
    for engine in ("reference", "compiled"):
        few, full = {"batch_size": 16, "engine": engine}, {"batch_size": None, "engine": engine}
        found |= {
            f"{engine} full": Case(plain, lambda full=full: {"optimizer": SGD(0.1), **full}),
            f"{engine} batches": Case(plain, lambda few=few: {"optimizer": Momentum(Cosine(0.1, 9000)), **few}),
            f"{engine} dropout": Case(lively, lambda few=few: {"optimizer": Adam(0.01), "validation": 0.2, **few}),
            f"{engine} stopping": Case(
                plain, lambda full=full: {"optimizer": SGD(decreasing), "validation": 0.2, **full}, stopping
            ),
            f"{engine} stopping with dropout": Case(
                lively, lambda few=few: {"optimizer": Adam(), "validation": 0.2, "metrics": ["accuracy"], **few},
                lambda: [*stopping(), Snapshots(every=7)],
            ),
            f"{engine} watched": Case(
                plain, lambda few=few: {"optimizer": SGD(OnPlateau(0.1, patience=3)), "running_loss": True, **few},
                lambda: [Watching()],
            ),
        }  # fmt: skip
    return found


CASES = cases()


def drawn_case(chance: random.Random) -> Case:
    """A training whose program is hardly compiled yet."""
    kinds = [chance.choice(["tanh", "relu", "sigmoid", "elu", "softplus", "silu"]) for _ in range(chance.randint(2, 4))]
    settings = {"optimizer": Adam(0.01), "batch_size": 16, "validation": 0.2, "engine": "compiled"}
    return Case(lambda: [*(Dense(5, kind) for kind in kinds), Dense(2)], lambda: settings, stopping)


def numbers(network: Network) -> tuple[Any, ...]:
    """All numbers of a network, and the state of its random generator."""
    arrays = {**network.parameters, **network.statistics}
    return network.n_in, {name: array.tobytes() for name, array in arrays.items()}, network.rng.bit_generator.state


# -- interruptions --------------------------------------------------------------------------


class Beginning(Callback):
    """Notes that the training has begun."""

    only_observes = True
    every_epoch = False

    def __init__(self) -> None:
        self.event = threading.Event()

    def on_train_begin(self, training: Any) -> None:
        self.event.set()


@contextmanager
def pressing(delay: float, presses: int = 1, gap: float = 0.0, after: Beginning | None = None) -> Iterator[None]:
    """Press Ctrl-C once or more often some time after the block or the training begins, but not after the block."""
    is_over, lock = threading.Event(), threading.Lock()

    def press() -> None:
        if after is not None:
            after.event.wait()
        is_over.wait(delay)
        for _ in range(presses):
            with lock:
                if not is_over.is_set():
                    os.kill(os.getpid(), signal.SIGINT)
            time.sleep(gap)

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        with lock:
            is_over.set()
        if after is not None:
            after.event.set()
        thread.join()


@contextmanager
def at_line(number: int, act: Callable[[], None], file: str = "") -> Iterator[list[int]]:
    """Act before the line with this number, counted over the lines of training that a block runs; count the lines.

    With ``file``, only the lines of this file of training count.
    """
    folder, lines = os.sep + os.path.join("workings", "training", file), [0]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if folder not in frame.f_code.co_filename or frame.f_code.co_filename.endswith("interruption.py"):
            return None
        if event == "line":
            lines[0] += 1
            if lines[0] == number:
                act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def raise_interrupt() -> None:
    """Raise KeyboardInterrupt, as a handler of the program's own would."""
    raise KeyboardInterrupt


def press() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def trial(
    case: Case, interrupting: Any, *, epochs: int = 10**7, path: Path | None = None, more: Sequence[Callback] = ()
) -> str:
    """Interrupt a training; check what is promised, and return how it ended."""
    network = case.network()
    before, fits = numbers(network), 1
    checkpoint = [] if path is None else [Checkpoint(path, every=3)]
    try:
        with interrupting:
            case.fit(network, epochs, *checkpoint, *more)
    except KeyboardInterrupt:
        fits = 0
    history = network.history
    if history is None:
        assert numbers(network) == before, "an interruption before the first step changed the network"
        return "before the first step"
    assert {len(column) for column in history.values()} <= {history.epochs}
    assert fits == 0 or history.stopped.startswith(("interrupted", "all", "L-BFGS")), history.stopped
    check_epochs(case, network, history, is_second=not fits)
    if path is not None and path.exists():
        check_checkpoint(case, path, history)
    return "ended by a second Ctrl-C" if not fits else history.stopped.split()[0]


def check_epochs(case: Case, network: Network, history: Any, *, is_second: bool) -> None:
    """Check that a network and a following training are those after the recorded epochs."""
    twin = case.network()
    if history.epochs:
        expected = case.fit(twin, history.epochs)
        assert {name: list(column) for name, column in history.items()} == dict(expected)
    else:
        twin.build(2)
        twin.rng.bit_generator.state = network.rng.bit_generator.state  # a validation set was drawn, perhaps
    if is_second and numbers(network) != numbers(twin):  # the last epoch instead of the best
        return
    assert numbers(network) == numbers(twin), f"not the parameters after {history.epochs} epochs"
    for each in (network, twin):
        assert case.fit(each, FOLLOWING).epochs == FOLLOWING
    assert numbers(network) == numbers(twin), "the following training differs"


def check_checkpoint(case: Case, path: Path, history: Any) -> None:
    """Check that a checkpoint is whole, and that a training goes on from it to the same bits."""
    epochs, resumed, whole = history.epochs + FOLLOWING, case.network(), case.network()
    case.fit(resumed, epochs, Checkpoint(path, resume=True))
    case.fit(whole, epochs)
    assert numbers(resumed) == numbers(whole), "a resumed training differs"


def random_trial(number: int, folder: Path, names: Sequence[str] = (*CASES, "not compiled yet")) -> str:
    """Press Ctrl-C once or twice at a random moment of a random training."""
    chance = random.Random(number)
    name = names[number % len(names)]
    path = folder / f"{number}.safetensors" if chance.random() < 0.4 and name != "L-BFGS" else None
    presses, gap = chance.choice([1, 1, 2]), chance.choice([0.0, 1e-4, 1e-3])
    case, longest, epochs = CASES.get(name), 0.25, 200 if name == "L-BFGS" else 10**7
    if case is None:
        case, longest = drawn_case(chance), 2.0
    begins = Beginning() if chance.random() < 0.8 else None
    interrupting = pressing(chance.uniform(0, longest), presses, gap, begins)
    return trial(case, interrupting, epochs=epochs, path=path, more=[begins] if begins else [])


# -- kills ----------------------------------------------------------------------------------


class Begun(Callback):
    """Says that the training has begun."""

    only_observes = True
    every_epoch = False

    def on_train_begin(self, training: Any) -> None:
        print("begun", flush=True)


KILLED_CASES = [name for name in CASES if name != "L-BFGS"]
KILLED_EPOCHS = {"reference": 120, "compiled": 1200}


def train_to_the_end(name: str, path: str) -> None:
    """Train with a checkpoint, and print a checksum of everything; this runs in a process that may be killed."""
    network = CASES[name].network()
    every = 2 if name.startswith("reference") else 20
    history = CASES[name].fit(
        network, KILLED_EPOCHS[name.split()[0]], Checkpoint(path, every=every, resume=True), Begun()
    )
    print(hashlib.sha256(repr((numbers(network), dict(history))).encode()).hexdigest(), flush=True)


def start(name: str, path: Path) -> subprocess.Popen[str]:
    """Start a training in a process of its own."""
    folder = str(ROOT / "tests")  # not as a package: an installed one may have the same name
    code = f"import sys; sys.path.insert(1, {folder!r}); from interrupting import train_to_the_end as train; "
    code += f"train({name!r}, {str(path)!r})"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)


def result_of(process: subprocess.Popen[str]) -> str:
    """Wait for a training and return its checksum."""
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return printed.split()[-1]


def kill_trial(number: int, folder: Path, expected: dict[str, str]) -> str:
    """Kill a training at a random moment, perhaps twice, and start it again; return what the first kill left."""
    chance = random.Random(number)
    name = KILLED_CASES[number % len(KILLED_CASES)]
    path, left = folder / f"{number}.safetensors", ""
    if name not in expected:
        expected[name] = result_of(start(name, folder / f"whole {name}.safetensors"))
    for _ in range(chance.choice([1, 1, 2])):
        process = start(name, path)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = left or ("killed after a checkpoint" if path.exists() else "killed before a checkpoint")
        if process.returncode == 0:
            left = "had ended"
        if path.exists():
            Network.load(path)
    assert result_of(start(name, path)) == expected[name], f"{name}: a resumed training differs"
    assert not list(folder.glob(f".{path.name}.*")), "a temporary file was left"
    return left
