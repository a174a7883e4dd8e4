"""What a peer is: a training that can be put back to its start, run, and asked for its parameters.

``run`` makes steps over the rows in their order, batch after batch, from the first row; when the rows
are used up, it begins again.  ``reset`` is not timed, ``run`` is.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

from benchmarks.jobs import Job
from workings.support.arrays import Array


class MissingError(Exception):
    """A peer that cannot take part, and why."""


class Peer(Protocol):
    """A prepared training.  ``note`` says where it does not compute the same, and is empty where it does."""

    note: str
    job: Job

    def reset(self) -> None:
        """Go back to the first parameters, and forget what the optimizer has kept."""
        ...

    def run(self, steps: int) -> None:
        """Make the steps, and return when they are done."""
        ...

    def parameters(self) -> dict[str, Array]:
        """The parameters by our names: W1 of shape (n_in, n_out), b1 …"""
        ...

    def forward(self, X: Array) -> Array:
        """The predictions of all rows, of shape (n, n_out), as a NumPy array."""
        ...


def library(name: str, package: str) -> Any:
    """Import a peer's library, or say what to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"{package} is not installed: pip install '.[bench]'") from error
