"""The contract of an engine: it runs a sequence of training steps, beginning with given values.

An engine contains no mathematics and no random numbers.  The statements come from the program; the order of the rows,
the dropout masks and the learning rates are computed outside and passed in, so that all engines get the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workings.support.arrays import Array

CACHE_LINE = 64  # bytes; arrays start at a multiple of it, so that no vector lies across two cache lines
SPARSE = "X is sparse, and compiled code needs dense arrays; engine='reference' multiplies sparse rows directly"
PANELS = 2**18  # bytes that a matrix product packs at a time, so that they stay in a core's cache

FEWEST_TO_SHARE = 2**19  # multiplications in a matrix product from which several threads share it


@dataclass(frozen=True)
class Stretch:
    """A sequence of training steps.

    Attributes
    ----------
    X, y : arrays of shape (rows, n_in) and (rows, n_out)
        The data from which the batches come.
    batches : sequence of (start, stop), or int array of shape (steps, 2)
        The range of positions in ``order`` that make each batch.
    lr : sequence of float, or array
        The learning rate of each step.
    first_step : int
        The number of the first step, counted from 1 since the start of the training.
    order : int array or None
        Row indices in the order in which they are used; None for the order of the data.
    w : array of shape (rows, 1) or None
        The weight of each row.
    draws : mapping of str to array
        Random numbers for each position of ``order``, such as dropout masks.
    kept : mapping of str to array of shape (any, …)
        Arrays in which the engine records values of the program after some of the steps.
    kept_at : int array of shape (steps,), or None
        The index in these arrays for each step, -1 for none; None to record every step.
    outputs : mapping of str to array of shape (steps, rows, …) or (steps,)
        Arrays in which a compiled engine records values of each step: arrays with rows, or single numbers.
    batch_sizes : tuple of int or None
        The batch sizes of the whole training, for which all its stretches run the same code; None for those here.
    """

    X: Array
    y: Array
    batches: Sequence[tuple[int, int]] | Array
    lr: Sequence[float] | Array
    first_step: int
    order: Array | None = None
    w: Array | None = None
    draws: Mapping[str, Array] = field(default_factory=dict)
    kept: Mapping[str, Array] = field(default_factory=dict)
    kept_at: Array | None = None
    outputs: Mapping[str, Array] = field(default_factory=dict)
    batch_sizes: tuple[int, ...] | None = None


class Engine(Protocol):
    """Runs training steps of one program."""

    name: str

    def run(self, stretch: Stretch, values: dict[str, Array]) -> Sequence[float] | Array:
        """Run the steps; return the objective J of each step, if the program computes it.

        The new values replace the old ones in ``values``; no array is changed in place.
        """
        ...
