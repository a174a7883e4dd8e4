"""Callbacks: your code while a network trains, which may end the training.

The whole contract is the class ``Callback``: four methods, each called with the running training.  ``RunningTraining``
says what a callback can use of it: ``history``, ``network``, ``epoch``, ``stop(reason)`` and more.  What a callback
remembers it returns from ``state``, so that a checkpoint can keep it.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Protocol

from workings.errors import InputError
from workings.model.model import Model
from workings.optimizers import LBFGS, Part
from workings.support.arrays import Array, Features
from workings.training.history import History


class RunningTraining(Protocol):
    """What callbacks see of a training.

    Attributes
    ----------
    network : Model
        It holds the parameters of the current epoch.
    history : History
    optimizer : optimizer
    epoch, epochs : int
        The current epoch, from 0, and how many there are to be.
    ran : range
        The epochs since callbacks were last called; several, where no callback needs each.
    step : int
        How many steps have been made.
    stopped : str
        Why training is to end after this epoch; empty while it goes on.
    lr : float
        The learning rate of the last step.
    """

    network: Model
    history: History
    epoch: int
    epochs: int
    stopped: str

    @property
    def optimizer(self) -> Part | LBFGS:
        """The optimizer."""

    @property
    def ran(self) -> range:
        """The epochs since callbacks were last called."""

    @property
    def step(self) -> int:
        """How many steps have been made."""

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""

    @property
    def X(self) -> Features:
        """The inputs of the training set."""

    @property
    def values(self) -> dict[str, Array]:
        """Parameters, statistics and the optimizer's state by name."""

    def stop(self, reason: str, after: int | None = None) -> None:
        """End training after this epoch, or after one of those ``ran``."""

    def rate(self, t: int) -> float:
        """Return the learning rate of step ``t``, from 0."""

    def set_rate(self, lr: float) -> None:
        """Set the learning rate from the next step on, whatever the schedule says."""

    def parameters_at(self, epoch: int, *, at_its_end: bool = True) -> dict[str, Array]:
        """Return a copy of the parameters and statistics at the end, or the beginning, of one of the epochs ``ran``."""

    def not_recorded(self, owner: str, monitor: str) -> InputError:
        """Return the error for a monitor that the history has no column for."""


class Callback:
    """The contract: each method may be left out.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, training):
    ...         if training.history["loss"][-1] < 0.1:
    ...             training.stop("good enough")
    """

    runs_last: ClassVar[bool] = False  # after all others, to see what they have done
    only_observes: ClassVar[bool] = False  # whether it never changes the training: a script leaves it out
    every_epoch: bool = True  # False for one that only looks on: epochs of one step may come many at a time
    looks_back: ClassVar[bool] = False  # whether it then goes through ``training.ran``, and may end at one of them

    def on_train_begin(self, training: RunningTraining) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, training: RunningTraining) -> None:
        """Before each epoch; the network holds the parameters that the epoch begins with."""

    def on_epoch_end(self, training: RunningTraining) -> None:
        """After each epoch, when its row of the history is complete."""

    def on_train_end(self, training: RunningTraining) -> None:
        """At the end, however it came: done, stopped, interrupted or diverged."""

    def next_look(self, epoch: int) -> int:
        """For one that only looks on: the next epoch, this one or a later one, whose beginning it must be told of."""
        return sys.maxsize

    def fewest_to_come(self) -> int:
        """For one that looks back: how many more epochs there are to be, whatever they bring."""
        return 1

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep: numbers, text and arrays by name."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up again what ``state`` gave."""


def sees_every_epoch(callback: Callback) -> bool:
    """Whether a callback is to be told of each epoch by itself."""
    kind, moments = type(callback), ("on_epoch_begin", "on_epoch_end")
    return callback.every_epoch and any(getattr(kind, moment) is not getattr(Callback, moment) for moment in moments)
