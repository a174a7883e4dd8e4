"""What an engine is: it takes a stretch of steps and the values they begin with, and runs them.

An engine contains no mathematics and no chance.  The statements come from the program; orders,
masks and learning rates are drawn and computed outside and handed in, so that all engines see the
same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workings.support.arrays import Array

CACHE_LINE = 64  # bytes: where arrays are to begin, so that no vector lies across two lines
SPARSE = "X is sparse, and compiled code takes arrays: engine='reference' multiplies it as it is"
PANELS = 2**18  # bytes of what a product packs at a time, which are to stay in a core's cache

FEWEST_TO_SHARE = 2**19  # multiplications in a product, from which several threads share it


@dataclass(frozen=True)
class Stretch:
    """Some training steps, one after the other.

    Attributes
    ----------
    X, y : arrays of shape (rows, n_in) and (rows, n_out)
        The data from which the batches are taken.
    batches : sequence of (start, stop), or int array of shape (steps, 2)
        Which positions of ``order`` make each batch.
    lr : sequence of float, or array
        The learning rate of each step.
    first_step : int
        The number of the first step, counted from 1 over the whole training.
    order : int array or None
        Row numbers in the order in which they are used; None for the rows as they stand.
    w : array of shape (rows, 1) or None
        A weight for each row.
    draws : mapping of str to array
        What was drawn for each position of ``order``, such as dropout masks.
    kept : mapping of str to array of shape (any, …)
        Arrays that the engine fills with what a value is after some of the steps.
    kept_at : int array of shape (steps,), or None
        The place in them for what each step has led to, -1 for none; None if each step has the next place.
    outputs : mapping of str to array of shape (steps, rows, …) or (steps,)
        Arrays that a compiled engine fills with what a name is in each step: with rows, or a single number.
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


class Engine(Protocol):
    """Runs the steps of one program."""

    name: str

    def run(self, stretch: Stretch, values: dict[str, Array]) -> Sequence[float] | Array:
        """Run the steps; give each step's objective J, if the program computes it.

        The new values take the places of the old ones in ``values``; no array is written into.
        """
        ...
