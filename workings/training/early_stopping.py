"""Early stopping: stop training when a monitored value stops improving, and restore the best parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workings.errors import InputError, count_of
from workings.metrics import LOWER_IS_BETTER, METRICS
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.ranges import as_number, as_plain, as_whole_number
from workings.training.callbacks import Callback, RunningTraining


class EarlyStopping(Callback):
    """Stop training when a monitored value has not improved for ``patience`` epochs.

    At the end of training, for whatever reason, the parameters of the best epoch are restored (Prechelt
    1998).

    Parameters
    ----------
    monitor : str or callable
        A column of the history, such as ``"val_loss"`` or ``"val_accuracy"``, or a function of the
        network that returns a number.
    patience : int
        The number of epochs without improvement before training stops.
    min_delta : float
        The minimum change that counts as an improvement.
    higher_is_better : bool or None
        Whether a higher value is better.  Known for losses and built-in metrics; for a function, the default
        is False.

    Examples
    --------
    >>> EarlyStopping("val_accuracy", patience=5).higher_is_better
    True
    """

    looks_back = True

    def __init__(
        self,
        monitor: str | Callable[[Model], float] = "val_loss",
        *,
        patience: int = 10,
        min_delta: float = 0.0,
        higher_is_better: bool | None = None,
    ) -> None:
        epochs, delta, higher_is_better = as_whole_number(patience), as_number(min_delta), as_plain(higher_is_better)
        if epochs is None or epochs < 0:
            raise InputError(f"patience must be a whole number from 0, not {patience!r}.")
        if delta is None:
            raise InputError(f"min_delta must be a number, not {min_delta!r}.")
        self.monitor, self.patience, self.min_delta = as_plain(monitor), epochs, delta
        if higher_is_better is None:
            metric = monitor.removeprefix("val_") if isinstance(monitor, str) else "loss"
            if metric in METRICS or metric in LOWER_IS_BETTER:
                higher_is_better = metric not in LOWER_IS_BETTER
        self.higher_is_better = higher_is_better
        # A function needs the network at each epoch, and a subclass may need anything.
        self.every_epoch = not isinstance(monitor, str) or type(self) is not EarlyStopping
        self.reset()

    def reset(self) -> None:
        """Reset the state."""
        self.best, self.best_epoch, self.wait = math.inf, -1, 0
        self.kept: dict[str, Array] = {}

    def on_train_begin(self, training: RunningTraining) -> None:
        self.reset()

    def on_epoch_end(self, training: RunningTraining) -> None:
        values = self.values(training)
        if self.higher_is_better is None:
            raise InputError(
                f"EarlyStopping cannot know whether a higher {self.monitor} is better. "
                "Say higher_is_better=True or False."
            )
        state, kept = self.follow((self.best, self.best_epoch, self.wait), training.ran.start, values), self.kept
        if state[1] != self.best_epoch:  # the loss is measured at the parameters that an epoch begins with
            kept = training.parameters_at(state[1], at_its_end=self.monitor != "loss")
        (self.best, self.best_epoch, self.wait), self.kept = state, kept
        if self.wait >= self.longest_wait:
            waited = count_of(self.wait, "epoch")
            what = f"{self.what} was not better for {waited}; best at epoch {self.best_epoch}"
            training.stop(what, self.best_epoch + self.wait)

    def follow(self, state: tuple[float, int, int], first: int, values: Sequence[float]) -> tuple[float, int, int]:
        """Update the best value (lower is better), its epoch, and the number of epochs since, with values of epochs.

        It ends at the epoch at which training stops, if it is one of these.
        """
        best, best_epoch, _ = state
        most, delta = self.longest_wait, self.min_delta
        bound = best - delta if best_epoch >= 0 else math.nan
        lows = [-value for value in values] if self.higher_is_better else values
        for epoch, low in enumerate(lows, first):  # a fast loop: there may be a million epochs per second
            if low < bound or (not low >= bound and (best_epoch < 0 or math.isnan(best) > math.isnan(low))):
                best, best_epoch, bound = low, epoch, low - delta
            elif epoch - best_epoch >= most:
                break
        return best, best_epoch, epoch - best_epoch

    @property
    def longest_wait(self) -> int:
        """The number of epochs without improvement after which training stops, at least 1."""
        return max(self.patience, 1)

    def fewest_to_come(self) -> int:
        return self.longest_wait - self.wait

    @property
    def what(self) -> str:
        """The name of the monitored value, for messages."""
        return self.monitor if isinstance(self.monitor, str) else getattr(self.monitor, "__name__", "the monitor")

    def values(self, training: RunningTraining) -> list[float]:
        """Return the monitored value of each epoch since callbacks were last called."""
        if not isinstance(self.monitor, str):
            return [float(self.monitor(training.network))]
        if self.monitor not in training.history:
            raise training.not_recorded("EarlyStopping", self.monitor)
        return training.history[self.monitor][-len(training.ran) :]

    def on_train_end(self, training: RunningTraining) -> None:
        was_cut_short = training.history.stopped.startswith("interrupted")
        if was_cut_short and self.best_epoch + self.wait < training.history.epochs - 1:
            self.on_epoch_end(training)  # it did not see the last epoch
        if self.kept:
            training.network.set_values(self.kept)

    def settings(self) -> dict[str, object]:
        names = ("monitor", "patience", "min_delta", "higher_is_better")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, **self.kept}

    def restore(self, state: dict[str, Any]) -> None:
        self.kept = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        if int(state["best_epoch"]) >= 0 and not self.kept:
            raise InputError("The parameters of the best epoch are missing.")
        self.best, self.best_epoch, self.wait = float(state["best"]), int(state["best_epoch"]), int(state["wait"])
