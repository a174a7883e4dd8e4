"""Workings with the compiled engine and the defaults of ``fit``: the loss of all rows before each epoch."""

from __future__ import annotations

from typing import Any

from benchmarks.jobs import Job
from benchmarks.peers.ours import Fit


class DefaultFit(Fit):
    """The same ``fit`` without ``running_loss=True``."""

    def run(self, steps: int, **more: Any) -> None:
        super().run(steps, **{"running_loss": False, **more})


def prepare(job: Job) -> Fit:
    """A network that the compiled engine trains."""
    return DefaultFit(job, "compiled")
