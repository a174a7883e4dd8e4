"""Callbacks: user code that runs during training and can stop it.

Derive from ``Callback`` and override the methods you need; each receives the running training.
``RunningTraining`` lists what a callback can use: ``history``, ``network``, ``epoch``, ``stop(reason)`` and
more.  A callback with a state of its own returns it from ``state``, so that a checkpoint can save it.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar, Protocol

from workings.errors import InputError
from workings.model.model import Model
from workings.optimizers import LBFGS, Part
from workings.support.arrays import Array, Features
from workings.support.keywords import CheckedKeywords
from workings.training.history import History


class RunningTraining(Protocol):
    """The attributes and methods of a training that callbacks can use.

    Attributes
    ----------
    network : Model
        The network, with the parameters of the current epoch.
    history : History
    optimizer : optimizer
    epoch, epochs : int
        The current epoch, from 0, and the maximum number of epochs.
    ran : range
        The epochs since callbacks were last called; more than one if no callback needs every epoch.
    step : int
        The number of steps made so far.
    stopped : str
        The reason to stop after this epoch; empty while training continues.
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
        """The number of steps made so far."""

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
        """Stop training after this epoch, or after an earlier epoch of ``ran``."""

    def rate(self, t: int) -> float:
        """Return the learning rate of step ``t``, from 0."""

    def set_rate(self, lr: float) -> None:
        """Set the learning rate from the next step on; it replaces the schedule."""

    def parameters_at(self, epoch: int, *, at_its_end: bool = True) -> dict[str, Array]:
        """Return a copy of the parameters and statistics at the end, or the start, of an epoch of ``ran``."""

    def not_recorded(self, owner: str, monitor: str) -> InputError:
        """Return the error for a monitor that the history has no column for."""


class Callback(CheckedKeywords):
    """Base class of callbacks; override the methods you need.

    >>> class Stop(Callback):
    ...     def on_epoch_end(self, training):
    ...         if training.history["loss"][-1] < 0.1:
    ...             training.stop("good enough")
    """

    runs_last: ClassVar[bool] = False  # call it after all other callbacks, so that it sees their changes
    only_observes: ClassVar[bool] = False  # it never changes the training: scripts omit it, checkpoints allow others
    every_epoch: bool = True  # False: ``on_epoch_end`` may be called once for several epochs, which is faster
    looks_back: ClassVar[bool] = False  # it examines each epoch of ``training.ran``, and may stop at one of them

    def on_train_begin(self, training: RunningTraining) -> None:
        """Called before the first epoch."""

    def on_epoch_begin(self, training: RunningTraining) -> None:
        """Called before each epoch; the network has the parameters at the start of the epoch."""

    def on_epoch_end(self, training: RunningTraining) -> None:
        """Called after each epoch, when its row of the history is complete."""

    def on_train_end(self, training: RunningTraining) -> None:
        """Called at the end of training: finished, stopped, interrupted or diverged."""

    def next_look(self, epoch: int) -> int:
        """Return the next epoch, from ``epoch`` on, before which ``on_epoch_begin`` must be called.

        Only used if ``every_epoch`` is False.
        """
        return sys.maxsize

    def fewest_to_come(self) -> int:
        """Return the minimum number of further epochs before this callback can stop training.

        Only used if ``looks_back`` is True.
        """
        return 1

    def settings(self) -> dict[str, object]:
        """Return the settings that change the training, by name; a checkpoint of a run with others is refused."""
        return {}

    def state(self) -> dict[str, Any]:
        """Return the state to save in a checkpoint: numbers, text and arrays by name."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state that ``state`` returned."""


def sees_every_epoch(callback: Callback) -> bool:
    """Whether a callback must be called for each single epoch."""
    kind, methods = type(callback), ("on_epoch_begin", "on_epoch_end")
    return callback.every_epoch and any(getattr(kind, method) is not getattr(Callback, method) for method in methods)
