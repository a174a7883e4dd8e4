"""Progress: a line on the terminal while a network trains."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from workings.training.callbacks import Callback, RunningTraining


class Progress(Callback):
    """Print the epoch, the loss and the speed on one line, by default at most five times a second.

    It writes to standard error by default.  Use ``net.fit(..., callbacks=[Progress()])``.

    >>> Progress(every=1.0).every
    1.0
    """

    only_observes = True
    every_epoch = False

    def __init__(self, every: float = 0.2, stream: TextIO | None = None) -> None:
        self.every, self.stream = every, stream
        self.last, self.began, self.first = 0.0, 0.0, 0

    def on_train_begin(self, training: RunningTraining) -> None:
        self.began, self.last, self.first = time.monotonic(), 0.0, training.epoch

    def on_epoch_end(self, training: RunningTraining) -> None:
        now = time.monotonic()
        if now - self.last >= self.every:
            self.last = now
            self.write_line(training, end="")

    def on_train_end(self, training: RunningTraining) -> None:
        if training.history.epochs:
            self.write_line(training, end="\n")

    def write_line(self, training: RunningTraining, end: str) -> None:
        """Write the line over the previous one."""
        done = training.history.epochs
        rate = (done - self.first) / max(time.monotonic() - self.began, 1e-9)
        numbers = "  ".join(f"{name} {values[-1]:.4g}" for name, values in training.history.items() if name != "lr")
        line = f"\repoch {done}/{training.epochs}  {numbers}  {rate:,.0f} epochs/s"
        (self.stream or sys.stderr).write(f"{line:<79}{end}")
        (self.stream or sys.stderr).flush()
