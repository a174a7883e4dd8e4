"""Exhibits of the museum: a network trained with a mistake and without, and the doctor's diagnosis.

A room is a small data set with a network that learns it.  A mistake can be shown in every room whose targets it
applies to.  Both networks start from the same weights and see the same rows in the same order, so every difference
comes from the mistake.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workings.checks.findings import Diagnosis
from workings.datasets import circles, digits, moons, spirals
from workings.errors import DivergenceError, InputError, WorkingsWarning, entry_named, unknown_name
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, CrossEntropy, Loss, SquaredError
from workings.museum.code_exhibits import code_exhibit
from workings.museum.code_mistakes import CODE_MISTAKES, CodeMistake
from workings.museum.exhibits import Exhibit
from workings.museum.mistakes import MISTAKES, Mistake, both, suits
from workings.museum.setups import Setup
from workings.network import Network
from workings.optimizers import Adam, Momentum
from workings.support.arrays import Array
from workings.support.notebook import Readable
from workings.tables.columns import standardized
from workings.training.history import History
from workings.training.recipe import Recipe


def moons_room(seed: int) -> Setup:
    """Two moons, classified with tanh and softmax."""
    X, y = moons(300, 0.15, seed=seed)
    layers = (Dense(16, "tanh"), Dense(12, "tanh"), Dense(2))
    recipe = Recipe(Adam(0.01), epochs=80, batch_size=32)
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X, y, recipe)


def circles_room(seed: int) -> Setup:
    """Two circles, classified with ReLU and one sigmoid output."""
    X, y = circles(300, 0.08, seed=seed)
    layers = (Dense(16, "relu"), Dense(12, "relu"), Dense(1))
    recipe = Recipe(Adam(0.01), epochs=80, batch_size=32)
    return Setup(layers, {"loss": BinaryCrossEntropy(), "seed": seed}, X, y, recipe)


def spirals_room(seed: int) -> Setup:
    """Two spirals, classified with tanh and softmax."""
    X, y = spirals(400, 0.02, turns=1.0, seed=seed)
    layers = (Dense(32, "tanh"), Dense(16, "tanh"), Dense(2))
    recipe = Recipe(Adam(0.01), epochs=150, batch_size=32)
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X, y, recipe)


def digits_room(seed: int) -> Setup:
    """600 of scikit-learn's digits, classified with ReLU and softmax, trained with momentum."""
    X, y = digits()
    chosen = np.random.default_rng(seed).permutation(len(X))[:600]
    layers = (Dense(32, "relu"), Dense(24, "relu"), Dense(10))
    recipe = Recipe(Momentum(0.05), epochs=40, batch_size=32)
    return Setup(layers, {"loss": CrossEntropy(), "seed": seed}, X[chosen] / 16, y[chosen], recipe)


def waves_room(seed: int) -> Setup:
    """Regression on a wavy function of two inputs."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1.5, 1.5, (400, 2))
    y = standardized(np.sin(2 * X[:, 0]) * np.cos(X[:, 1]) + 0.05 * rng.standard_normal(400))
    return regression(X, y, "tanh", seed)


def friedman_room(seed: int) -> Setup:
    """Regression on Friedman's first problem (1991, eq. 61), which needs all five columns."""
    rng = np.random.default_rng(seed)
    U = rng.random((400, 5))
    y = 10 * np.sin(np.pi * U[:, 0] * U[:, 1]) + 20 * (U[:, 2] - 0.5) ** 2 + 10 * U[:, 3] + 5 * U[:, 4]
    return regression((U - 0.5) * np.sqrt(12), standardized(y + 0.3 * rng.standard_normal(400)), "relu", seed)


def hills_room(seed: int) -> Setup:
    """Regression on a function of two inputs with two maxima and a minimum."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (400, 2))
    tops = ((1.0, (-0.8, -0.8)), (0.8, (0.9, 0.7)), (-0.9, (-0.7, 1.0)))
    y = sum(height * np.exp(-2 * ((X - top) ** 2).sum(axis=1)) for height, top in tops)
    return regression(X, standardized(y + 0.02 * rng.standard_normal(400)), "tanh", seed)


def regression(X: Array, y: Array, activation: str, seed: int) -> Setup:
    """Return a setup with a small regression network."""
    layers = (Dense(24, activation), Dense(16, activation), Dense(1))
    recipe = Recipe(Adam(0.01), epochs=100, batch_size=32)
    return Setup(layers, {"loss": SquaredError(), "seed": seed}, X, y, recipe)


ROOMS: dict[str, Callable[[int], Setup]] = {
    "moons": moons_room,
    "circles": circles_room,
    "spirals": spirals_room,
    "digits": digits_room,
    "waves": waves_room,
    "friedman": friedman_room,
    "hills": hills_room,
}


PIECES: dict[str, Mistake | CodeMistake] = {**MISTAKES, **CODE_MISTAKES}  # all mistakes of the museum


@functools.cache
def loss_in(room: str) -> Loss:
    """Return the loss of a room's network."""
    loss: Loss = ROOMS[room](0).parts["loss"]
    return loss


def rooms_for(mistake: Mistake | CodeMistake) -> list[str]:
    """Return the rooms in which a mistake can be shown."""
    if isinstance(mistake, CodeMistake):
        return list(mistake.rooms)
    return [name for name in ROOMS if suits(mistake, loss_in(name))]


@dataclass(frozen=True, repr=False)
class ExhibitRun(Readable):
    """A finished or diverged training with its diagnosis."""

    network: Network
    setup: Setup
    history: History
    score: float
    diagnosis: Diagnosis

    def __str__(self) -> str:
        return f"{self.history!r}\nscore {self.score:.4f}\n\n{self.diagnosis}"

    @property
    def losses(self) -> list[float]:
        """The objective by epoch."""
        return self.history.get("loss", [])


def fitted(setup: Setup) -> tuple[Network, History]:
    """Train a setup; return the network and its history, even if the training diverges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)
        network = setup.network()
        try:
            return network, setup.fit(network)
        except DivergenceError as error:
            return network, error.history if isinstance(error.history, History) else History()


def train(setup: Setup) -> ExhibitRun:
    """Train a setup and diagnose the result, even if the training diverges."""
    network, history = fitted(setup)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WorkingsWarning)
        score = network.score(setup.X, setup.y)
        return ExhibitRun(network, setup, history, score, network.diagnose(setup.X, setup.y, history))


def marked_lines(mistake: Mistake, wrong: Setup) -> list[tuple[str, str]]:
    """Return pairs of the wrong line and the right line."""
    if wrong.rewrite is None:
        return [mistake.lines]
    right = wrong.right_network.program(wrong.optimizer)
    return [(f"{target} = {text}", str(right[target])) for target, text in wrong.edits().items()]


@dataclass(frozen=True, repr=False)
class NetworkExhibit(Exhibit):
    """A mistake in a network, its data or its training, next to the correct network."""

    mistake: Mistake
    room: str
    wrong: ExhibitRun
    right: ExhibitRun

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Pairs of the wrong line and the right line."""
        return marked_lines(self.mistake, self.wrong.setup)

    @property
    def told(self) -> str:
        """The diagnosis of the network with the mistake."""
        return str(self.wrong.diagnosis)

    @property
    def found(self) -> str:
        """The names of the findings."""
        return f"the doctor finds {', '.join(self.wrong.diagnosis.names) or 'nothing'}"

    @property
    def is_named(self) -> bool:
        """Whether the doctor identifies the mistake."""
        return self.mistake.is_named_by(self.wrong.diagnosis)


def piece_named(name: str) -> Mistake | CodeMistake:
    """Return the mistake with this name, in a network or in your own code.

    Raises
    ------
    InputError
        If there is no mistake with this name; the message suggests the most similar name.

    Examples
    --------
    >>> piece_named("log10-for-log").title
    'np.log10 in the loss'
    """
    return entry_named("mistake", name, PIECES)


def show(name: str, room: str | None = None, seed: int = 0) -> Exhibit:
    """Train a network with a mistake, and the correct network.

    Raises
    ------
    InputError
        If the mistake or the room does not exist, or the mistake does not apply to the room.
    """
    mistake = piece_named(name)
    suitable = rooms_for(mistake)
    chosen = suitable[0] if room is None else room
    if chosen not in ROOMS:
        raise unknown_name("data set", chosen, ROOMS)
    if chosen not in suitable:
        raise InputError(f"{name} does not apply to the data set {chosen}; choose {', '.join(suitable)}.")
    setup = ROOMS[chosen](seed)
    if isinstance(mistake, CodeMistake):
        return code_exhibit(mistake, chosen, setup.X, setup.y, seed)
    wrong, right = both(mistake, setup)
    return NetworkExhibit(mistake, chosen, train(wrong), train(right))
