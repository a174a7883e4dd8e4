"""The museum: a mistake trained beside the right network, and what the doctor says of it.

The rooms are small data sets with a network that learns each of them; any mistake that suits the targets can be
shown in any room.  Both networks begin with the same weights and see the same rows in the same order, so whatever
differs comes from the one thing that is wrong.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workings import plots
from workings.checks.findings import Diagnosis
from workings.datasets import circles, digits, moons, spirals
from workings.errors import DivergenceError, InputError, WorkingsWarning, unknown_name
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError
from workings.museum.mistakes import Mistake, both, mistake_named, suits
from workings.museum.setups import Setup
from workings.network import Network
from workings.optimizers import Adam, Momentum
from workings.support.arrays import Array
from workings.support.atomic_files import writable_folder
from workings.tables.columns import standardized
from workings.training.history import History


def moons_room(seed: int) -> Setup:
    """Two moons: tanh and softmax."""
    X, y = moons(300, 0.15, seed=seed)
    layers = (Dense(16, "tanh"), Dense(12, "tanh"), Dense(2))
    settings = {"optimizer": Adam(0.01), "epochs": 80, "batch_size": 32}
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X, y, settings)


def circles_room(seed: int) -> Setup:
    """Two circles: ReLU and one sigmoid output."""
    X, y = circles(300, 0.08, seed=seed)
    layers = (Dense(16, "relu"), Dense(12, "relu"), Dense(1))
    settings = {"optimizer": Adam(0.01), "epochs": 80, "batch_size": 32}
    return Setup(layers, {"loss": BinaryCrossEntropy(), "seed": seed}, X, y, settings)


def spirals_room(seed: int) -> Setup:
    """Two spirals: tanh and softmax."""
    X, y = spirals(400, 0.02, turns=1.0, seed=seed)
    layers = (Dense(32, "tanh"), Dense(16, "tanh"), Dense(2))
    settings = {"optimizer": Adam(0.01), "epochs": 150, "batch_size": 32}
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X, y, settings)


def digits_room(seed: int) -> Setup:
    """Six hundred of scikit-learn's digits: ReLU, softmax, momentum."""
    X, y = digits()
    chosen = np.random.default_rng(seed).permutation(len(X))[:600]
    layers = (Dense(32, "relu"), Dense(24, "relu"), Dense(10))
    settings = {"optimizer": Momentum(0.05), "epochs": 40, "batch_size": 32}
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X[chosen] / 16, y[chosen], settings)


def waves_room(seed: int) -> Setup:
    """A wavy surface over the plane, to be predicted as a number."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.5, 1.5, (400, 2))
    y = standardized(np.sin(2 * X[:, 0]) * np.cos(X[:, 1]) + 0.05 * rng.standard_normal(400))
    return regression(X, y, "tanh", seed)


def friedman_room(seed: int) -> Setup:
    """Friedman's first problem (1991, eq. 61): five columns count and none of them alone."""
    rng = np.random.default_rng(seed)
    U = rng.random((400, 5))
    y = 10 * np.sin(np.pi * U[:, 0] * U[:, 1]) + 20 * (U[:, 2] - 0.5) ** 2 + 10 * U[:, 3] + 5 * U[:, 4]
    return regression((U - 0.5) * np.sqrt(12), standardized(y + 0.3 * rng.standard_normal(400)), "relu", seed)


def hills_room(seed: int) -> Setup:
    """Two hills and a hollow over the plane."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (400, 2))
    tops = ((1.0, (-0.8, -0.8)), (0.8, (0.9, 0.7)), (-0.9, (-0.7, 1.0)))
    y = sum(height * np.exp(-2 * ((X - top) ** 2).sum(axis=1)) for height, top in tops)
    return regression(X, standardized(y + 0.02 * rng.standard_normal(400)), "tanh", seed)


def regression(X: Array, y: Array, activation: str, seed: int) -> Setup:
    """A network for numbers."""
    layers = (Dense(24, activation), Dense(16, activation), Dense(1))
    settings = {"optimizer": Adam(0.01), "epochs": 100, "batch_size": 32}
    return Setup(layers, {"loss": SquaredError(), "seed": seed}, X, y, settings)


ROOMS: dict[str, Callable[[int], Setup]] = {
    "moons": moons_room, "circles": circles_room, "spirals": spirals_room, "digits": digits_room,
    "waves": waves_room, "friedman": friedman_room, "hills": hills_room,
}  # fmt: skip


@functools.cache
def loss_in(room: str) -> Loss:
    """What is made small in a room."""
    loss: Loss = ROOMS[room](0).parts["loss"]
    return loss


def rooms_for(mistake: Mistake) -> list[str]:
    """The rooms in which a mistake can be shown."""
    return [name for name in ROOMS if suits(mistake, loss_in(name))]


@dataclass(frozen=True)
class Run:
    """A training, as far as it came, and what the doctor says of it."""

    network: Network
    setup: Setup
    history: History
    score: float
    diagnosis: Diagnosis

    @property
    def losses(self) -> list[float]:
        """The objective by epoch."""
        return self.history.get("loss", [])


def train(setup: Setup) -> Run:
    """Train, go on where it diverges, and ask the doctor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)
        network = setup.network()
        try:
            history = network.fit(setup.X, setup.y, **setup.settings)
        except DivergenceError as error:
            history = error.history if isinstance(error.history, History) else History()
        score = network.score(setup.X, setup.y)
        return Run(network, setup, history, score, network.diagnose(setup.X, setup.y, history))


@dataclass(frozen=True)
class Exhibit:
    """A mistake beside the right network."""

    mistake: Mistake
    room: str
    wrong: Run
    right: Run

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The wrong lines and the right ones."""
        if self.wrong.setup.rewrite is None:
            return [self.mistake.lines]
        right = self.wrong.setup.right_network.program(self.wrong.setup.settings["optimizer"])
        return [(f"{target} = {text}", str(right[target])) for target, text in self.wrong.setup.edits().items()]

    @property
    def is_named(self) -> bool:
        """Whether the doctor finds the mistake and names it rightly."""
        return self.mistake.is_named_by(self.wrong.diagnosis)

    def draw(self, folder: Path) -> Path:
        """Write a picture with both curves."""
        writable_folder(folder)
        columns = {"loss with the mistake": self.wrong.losses, "loss without it": self.right.losses}
        drawn: dict[str, list[float | None]] = {name: [*values] for name, values in columns.items() if values}
        longest = max(map(len, drawn.values()))
        drawn = {name: values + [None] * (longest - len(values)) for name, values in drawn.items()}
        is_log = all(value is None or value > 0 for values in drawn.values() for value in values)
        axes = plots.curves(drawn, log=is_log)
        axes.set_ylabel("objective")
        axes.set_title(f"{self.mistake.title}, on {self.room}", loc="left")
        return plots.save(axes, folder / f"{self.mistake.name}-{self.room}.png")


def show(name: str, room: str | None = None, seed: int = 0) -> Exhibit:
    """Train a mistake beside the right network.

    Raises
    ------
    InputError
        If there is no such mistake or room, or the mistake cannot be made there.
    """
    mistake = mistake_named(name)
    fitting = rooms_for(mistake)
    chosen = fitting[0] if room is None else room
    if chosen not in ROOMS:
        raise unknown_name("data set", chosen, ROOMS)
    if chosen not in fitting:
        raise InputError(f"{name} cannot be shown with {chosen}; it can with {', '.join(fitting)}.")
    wrong, right = both(mistake, ROOMS[chosen](seed))
    return Exhibit(mistake, chosen, train(wrong), train(right))
