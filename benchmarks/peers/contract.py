"""The interface of a peer: a training that can be reset, run and asked for its parameters.

``run`` makes steps over the rows in their order, batch after batch, and starts again after the last row.
``run`` is timed, ``reset`` is not.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from benchmarks.jobs import Job
from workings.support.arrays import Array


class MissingError(Exception):
    """A peer is not available; the message says why."""


class Peer(Protocol):
    """A prepared training.  ``note`` says how its computation differs; it is empty if it does not."""

    note: str
    job: Job

    def reset(self) -> None:
        """Restore the initial parameters and clear the optimizer's state."""
        ...

    def run(self, steps: int) -> None:
        """Run the steps and return when they are complete."""
        ...

    def parameters(self) -> dict[str, Array]:
        """Return the parameters by their names in Workings: W1 of shape (n_in, n_out), b1 …"""
        ...

    def forward(self, X: Array) -> Array:
        """Return the predictions of all rows as a NumPy array of shape (n, n_out)."""
        ...


def library(name: str, package: str) -> Any:
    """Import a peer's library; the error says what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"{package} is not installed: pip install '.[bench]'") from error
