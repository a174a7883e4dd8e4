"""Callbacks: what may look on while a network learns, and end it.

The whole contract is the class ``Callback``: four moments, each with the running ``Training``, whose
``history``, ``network``, ``epoch`` and ``stop(reason)`` are there to be used.  What a callback
remembers it gives in ``state``, so that a run that was killed can go on as if nothing had happened.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from workings.errors import InputError, counted
from workings.metrics import LOWER_IS_BETTER, METRICS
from workings.support.arrays import Array

if TYPE_CHECKING:
    from workings.training.training import Training


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

    def on_train_begin(self, training: Training) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, training: Training) -> None:
        """Before each epoch; the network holds the parameters that the epoch begins with."""

    def on_epoch_end(self, training: Training) -> None:
        """After each epoch, when its row of the history is complete."""

    def on_train_end(self, training: Training) -> None:
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


class EarlyStopping(Callback):
    """Ends training when a number has not got better for ``patience`` epochs.

    However training ends, the parameters of the best epoch are put back (Prechelt 1998).

    Parameters
    ----------
    monitor : str or callable
        A column of the history, such as ``"val_loss"`` or ``"val_accuracy"``, or a function of the
        network that gives a number.
    patience : int
        How many epochs without a better value are borne.
    min_delta : float
        By how much a value must be better to count.
    higher_is_better : bool or None
        Known for losses and for our metrics; a function is taken to be better when it is lower.

    Examples
    --------
    >>> EarlyStopping("val_accuracy", patience=5).higher_is_better
    True
    """

    looks_back = True

    def __init__(
        self,
        monitor: str | Callable[[Any], float] = "val_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        higher_is_better: bool | None = None,
    ) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise InputError(f"patience must be a whole number from 0, not {patience!r}.")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        if higher_is_better is None:
            metric = monitor.removeprefix("val_") if isinstance(monitor, str) else "loss"
            if metric in METRICS or metric in LOWER_IS_BETTER:
                higher_is_better = metric not in LOWER_IS_BETTER
        self.higher_is_better = higher_is_better
        # A function looks at the network as it is, and a class derived from this one at what it likes.
        self.every_epoch = not isinstance(monitor, str) or type(self) is not EarlyStopping
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.best, self.best_epoch, self.wait = math.inf, -1, 0
        self.kept: dict[str, Array] = {}

    def on_train_begin(self, training: Training) -> None:
        self.forget()

    def on_epoch_end(self, training: Training) -> None:
        values, before = self.values(training), self.best_epoch
        if self.higher_is_better is None:
            raise InputError(f"Is a higher {self.monitor} better, or a lower one? Say higher_is_better=True or False.")
        state = (self.best, self.best_epoch, self.wait)
        self.best, self.best_epoch, self.wait = self.follow(state, training.ran.start, values)
        if self.wait >= self.longest_wait:
            waited = counted(self.wait, "epoch")
            what = f"{self.what} was not better for {waited}; best at epoch {self.best_epoch}"
            training.stop(what, self.best_epoch + self.wait)
        if self.best_epoch != before:  # the loss is measured at the parameters that an epoch begins with
            self.kept = training.parameters_at(self.best_epoch, at_its_end=self.monitor != "loss")

    def follow(self, state: tuple[float, int, int], first: int, values: Sequence[float]) -> tuple[float, int, int]:
        """The best value (lower is better), its epoch, and the epochs waited since, after some epochs or the last."""
        best, best_epoch, _ = state
        most, delta = self.longest_wait, self.min_delta
        bound = best - delta if best_epoch >= 0 else math.nan
        lows = [-value for value in values] if self.higher_is_better else values
        for epoch, low in enumerate(lows, first):  # of which there may be a million a second
            if low < bound or (not low >= bound and (best_epoch < 0 or math.isnan(best) > math.isnan(low))):
                best, best_epoch, bound = low, epoch, low - delta
            elif epoch - best_epoch >= most:
                break
        return best, best_epoch, epoch - best_epoch

    @property
    def longest_wait(self) -> int:
        """After how many epochs without a better value training ends."""
        return max(self.patience, 1)

    def fewest_to_come(self) -> int:
        return self.longest_wait - self.wait

    @property
    def what(self) -> str:
        """What is monitored, for people."""
        return self.monitor if isinstance(self.monitor, str) else getattr(self.monitor, "__name__", "the monitor")

    def values(self, training: Training) -> list[float]:
        """What is monitored, for the epochs that have been run since it was asked last."""
        if not isinstance(self.monitor, str):
            return [float(self.monitor(training.network))]
        if self.monitor not in training.history:
            raise training.not_recorded("EarlyStopping", self.monitor)
        return training.history[self.monitor][-len(training.ran) :]

    def on_train_end(self, training: Training) -> None:
        if self.kept:
            training.network.keep(self.kept)

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, **self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        self.kept = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        if int(state["best_epoch"]) >= 0 and not self.kept:
            raise InputError("The parameters of the best epoch are missing.")
        self.best, self.best_epoch, self.wait = float(state["best"]), int(state["best_epoch"]), int(state["wait"])


class Progress(Callback):
    """Writes a line with the epoch, the loss and the rate, a few times a second at most.

    By default to standard error; ``net.fit(..., callbacks=[Progress()])``.

    >>> Progress(every=1.0).every
    1.0
    """

    every_epoch = False

    def __init__(self, every: float = 0.2, stream: Any = None) -> None:
        self.every, self.stream = every, stream
        self.last, self.began, self.first = 0.0, 0.0, 0

    def on_train_begin(self, training: Training) -> None:
        self.began, self.last, self.first = time.monotonic(), 0.0, training.epoch

    def on_epoch_end(self, training: Training) -> None:
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            self.say(training, end="")

    def on_train_end(self, training: Training) -> None:
        if training.history.epochs:
            self.say(training, end="\n")

    def say(self, training: Training, end: str) -> None:
        """Write the line over the one before."""
        rate = (training.epoch + 1 - self.first) / max(time.monotonic() - self.began, 1e-9)
        numbers = "  ".join(f"{name} {values[-1]:.4g}" for name, values in training.history.items() if name != "lr")
        line = f"\repoch {training.epoch + 1}/{training.epochs}  {numbers}  {rate:,.0f} epochs/s"
        (self.stream or sys.stderr).write(f"{line:<79}{end}")
        (self.stream or sys.stderr).flush()


def sees_every_epoch(callback: Callback) -> bool:
    """Whether a callback is to be told of each epoch by itself."""
    kind, moments = type(callback), ("on_epoch_begin", "on_epoch_end")
    return callback.every_epoch and any(getattr(kind, moment) is not getattr(Callback, moment) for moment in moments)
