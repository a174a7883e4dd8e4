"""Exhibits of mistakes in your own code: the gradient check, and gradient descent with the given functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings.checks.gradients import GradientReport
from workings.checks.own_code import check_my_gradients
from workings.errors import InputError
from workings.layers import Dense
from workings.losses import BinaryCrossEntropy, SquaredError
from workings.museum.code_mistakes import NUMBERS, CodeMistake
from workings.museum.exhibits import Exhibit
from workings.network import Network
from workings.support.arrays import Array
from workings.support.notebook import Readable

UNITS, EPOCHS, ROWS_CHECKED = 8, 400, 10
RATES = {"classes": 1.0, "numbers": 0.1}


@dataclass(frozen=True, repr=False)
class CodeRun(Readable):
    """A training with your own program, and what the gradient check says of it.

    ``network`` holds the trained weights; ``report`` is an error if the check refused the functions.
    """

    network: Network
    program: str
    losses: list[float]
    score: float
    report: GradientReport | InputError

    def __str__(self) -> str:
        return f"{self.program}\nscore {self.score:.4f}\n\n{self.told}"

    @property
    def told(self) -> str:
        """The text of the report, or of the error."""
        return f"InputError: {self.report}" if isinstance(self.report, InputError) else str(self.report)

    @property
    def is_right(self) -> bool:
        """Whether all gradients agree with the finite differences."""
        return isinstance(self.report, GradientReport) and self.report.ok

    @property
    def explanations(self) -> list[str]:
        """The explanations of the report, or the error."""
        return [self.told] if isinstance(self.report, InputError) else list(self.report.reading)


@dataclass(frozen=True, repr=False)
class CodeExhibit(Exhibit):
    """A mistake in your own code, trained next to the right code."""

    mistake: CodeMistake
    room: str
    wrong: CodeRun
    right: CodeRun
    heading = "check_my_gradients"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Pairs of the wrong line and the right line."""
        return list(self.mistake.lines)

    @property
    def told(self) -> str:
        """The text of the gradient check."""
        return self.wrong.told

    @property
    def found(self) -> str:
        """What the gradient check says, in short."""
        return "\n".join(["check_my_gradients says", *self.wrong.explanations])

    @property
    def is_named(self) -> bool:
        """Whether the gradient check identifies the mistake."""
        return all(word in self.told for word in self.mistake.words)


def code_exhibit(mistake: CodeMistake, room: str, X: Array, y: Array, seed: int) -> CodeExhibit:
    """Train with a program that has a mistake, and with the right one."""
    wrong, right = (run_code(mistake, program, X, y, seed) for program in (mistake.wrong, mistake.right))
    return CodeExhibit(mistake, room, wrong, right)


def run_code(mistake: CodeMistake, program: str, X: Array, y: Array, seed: int) -> CodeRun:
    """Check the gradients of a program, and train with it by gradient descent on all rows."""
    is_number = mistake.rooms == NUMBERS
    loss = SquaredError() if is_number else BinaryCrossEntropy()
    network = Network([Dense(UNITS, "tanh"), Dense(1)], loss=loss, seed=seed).built_for(X, y)
    targets = y if is_number else y.reshape(-1, 1).astype(np.float64)
    parameters = {name: value.copy() for name, value in network.parameters.items()}
    inputs = X
    if mistake.has_samples_as_columns:
        inputs, targets = X.T, targets.T
        parameters = {name: as_column(value) for name, value in parameters.items()}
    some = np.s_[..., :ROWS_CHECKED] if mistake.has_samples_as_columns else np.s_[:ROWS_CHECKED]
    report = checked(*functions_of(program), parameters, inputs[some], targets[some])
    rate = RATES["numbers" if is_number else "classes"]
    losses, last = descend(*functions_of(program), parameters, inputs.copy(), targets.copy(), rate)
    set_parameters(network, last, mistake)
    return CodeRun(network, program, losses, float(network.score(X, y)), report)


def set_parameters(network: Network, parameters: dict[str, Array], mistake: CodeMistake) -> None:
    """Give a network the parameters of a program, so that it predicts what the program computes."""
    for name, value in network.parameters.items():
        found = parameters[name].T if mistake.has_samples_as_columns else parameters[name]
        value[...] = found.reshape(value.shape)
    network.parameters["b1"][...] -= mistake.shift * network.parameters["W1"].sum(axis=0)


def as_column(value: Array) -> Array:
    """Return a parameter for samples as columns: the transposed weights, or the biases as a column."""
    return np.ascontiguousarray(value.T) if value.ndim == 2 else value.reshape(-1, 1)


def functions_of(program: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Run a program; return its functions forward and backward."""
    names: dict[str, Any] = {"np": np}
    exec(program, names)
    return names["forward"], names["backward"]


def checked(
    forward: Callable[..., Any], backward: Callable[..., Any], parameters: dict[str, Array], X: Array, y: Array
) -> GradientReport | InputError:
    """Check the gradients; return the report, or the error that refuses the functions."""
    try:
        return check_my_gradients(forward, backward, parameters, X, y)
    except InputError as error:
        return error


def descend(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    parameters: dict[str, Array],
    X: Array,
    y: Array,
    rate: float,
) -> tuple[list[float], dict[str, Array]]:
    """Train by gradient descent; return the losses and the last parameters that are finite real numbers.

    Training ends early if a function raises an error, or returns no finite real number.
    """
    losses: list[float] = []
    with np.errstate(all="ignore"):
        for _ in range(EPOCHS):
            try:
                loss = forward(parameters, X, y)
                if not (np.isrealobj(loss) and np.isfinite(loss)):
                    break
                losses.append(float(loss))
                gradients = backward(parameters, X, y)
                stepped = {name: value - rate * gradients[name] for name, value in parameters.items()}
            except (TypeError, ValueError):
                break
            if not all(is_step(stepped[name], value) for name, value in parameters.items()):
                break
            parameters = stepped
    return losses, parameters


def is_step(new: Array, old: Array) -> bool:
    """Whether the new value of a parameter has finite real numbers and the shape of the old one."""
    return bool(new.shape == old.shape and np.isrealobj(new) and np.isfinite(new).all())
