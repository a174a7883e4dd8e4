"""Batches: split the training rows into batches, and build stretches of steps for the engine.

A stretch is a sequence of steps that the engine runs in one call.  Row orders and dropout masks are drawn
here, from the model's random generator, and passed to the engine, so that every engine gets the same numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workings.engines.contract import Stretch
from workings.model.model import Model
from workings.support.arrays import Array, Values, as_random, put_state, state_of
from workings.training.learning_rate import LearningRate
from workings.training.rows import Rows

NUMBERS_AT_A_TIME = 2**22  # numbers of X and masks per stretch (32 MB in float64)


@dataclass
class State:
    """The values that the steps of a training change.

    Attributes
    ----------
    values : dict of str to array
        Parameters, statistics and the optimizer's state by name.  Steps replace arrays and never write into
        them.
    step : int
        The number of steps made so far.
    lr : float
        The learning rate of the last step.
    """

    values: dict[str, Array]
    step: int = 0
    lr: float = math.nan

    def copy(self) -> State:
        """Return a copy that steps can change; it shares the arrays."""
        return State(dict(self.values), self.step, self.lr)

    def after(self, stretch: Stretch) -> None:
        """Update the number of steps and the learning rate after a stretch."""
        self.step, self.lr = self.step + len(stretch.batches), float(stretch.lr[-1])


class Position(NamedTuple):
    """The state of the random draws: the current row order, and the state of the random generator."""

    order: Array | None
    generator: object


class Batches:
    """The training rows, split into batches.

    Attributes
    ----------
    rows : Rows
        The training set.
    bounds : int array of shape (batches, 2)
        The first row of each batch, and the row after its last.
    shuffle : bool
        Whether the rows are shuffled before each epoch.
    draws : tuple of str
        The names of the random arrays with one row per sample, such as dropout masks.
    order : int array or None
        The order of the rows in the last epoch.
    """

    order: Array | None = None

    def __init__(self, model: Model, rows: Rows, bounds: Array, shuffle: bool) -> None:
        self.model, self.rows, self.bounds, self.shuffle = model, rows, bounds, shuffle
        self.draws = tuple(model.draw_masks(1, as_random(0)))

    def __len__(self) -> int:
        return len(self.bounds)

    @property
    def order_settings(self) -> str:
        """What the orders depend on besides the number of rows, for checkpoints."""
        return ""

    # -- drawing -----------------------------------------------------------------------------

    @property
    def is_drawn(self) -> bool:
        """Whether steps use random numbers: a shuffled order, or dropout masks."""
        return self.shuffle or bool(self.draws)

    def next_order(self) -> Array:
        """Draw the order of the rows for an epoch."""
        return self.model.rng.permutation(len(self.rows.X))

    def draw(self, bounds: Array) -> tuple[Array | None, dict[str, Array]]:
        """Draw the row order and the masks of consecutive batches, one batch after the other."""
        if self.shuffle and bounds[0, 0] == 0:
            self.order = self.next_order()
        order = None if self.order is None else self.order[bounds[0, 0] : bounds[-1, 1]]
        return order, self.draw_masks(bounds)

    def draw_masks(self, bounds: Array) -> dict[str, Array]:
        """Draw the masks of consecutive batches, one batch after the other."""
        masks = [self.model.draw_masks(stop - start) for start, stop in bounds.tolist()] if self.draws else []
        return {name: np.concatenate([drawn[name] for drawn in masks]) for name in self.draws}

    def rows_of(self, start: int, stop: int) -> Rows:
        """Return the rows of consecutive batches: all rows if they are shuffled, else the batches' rows alone."""
        has_all = self.shuffle or stop - start == len(self.rows.X)  # one object, which JAX copies to its device once
        return self.rows if has_all else self.rows.take(slice(start, stop))

    def position(self) -> Position:
        """Return the state of the random draws, which ``go_to`` can restore."""
        return Position(self.order, state_of(self.model.rng) if self.is_drawn else None)

    def go_to(self, position: Position) -> None:
        """Restore the state of the random draws."""
        self.order = position.order
        if position.generator is not None:
            put_state(self.model.rng, position.generator)

    def memory(self) -> dict[str, Array]:
        """Return the arrays that the draws of the next epoch depend on, besides the random generator."""
        return {}

    def remember(self, memory: Mapping[str, Array]) -> None:
        """Restore what ``memory`` returned."""

    # -- stretches ---------------------------------------------------------------------------

    def stretches(
        self,
        epochs: int,
        state: State,
        rate: LearningRate,
        kept: Mapping[str, Array] | None = None,
        outputs: Mapping[str, Array] | None = None,
    ) -> Iterator[Stretch]:
        """Yield the stretches of steps for several epochs; each stretch fits into memory with its masks.

        The engine fills ``kept`` with the parameters after each epoch, and ``outputs`` with the outputs of
        each step.
        """
        for these, which in self.cuts(epochs):
            bounds = self.bounds[which]
            drawn = [self.draw(bounds) for _ in these] if self.is_drawn else []
            yield self.stretch(these, bounds, drawn, state.step, rate, kept or {}, outputs or {})

    def stretch(
        self,
        epochs: range,
        bounds: Array,
        drawn: list[tuple[Array | None, dict[str, Array]]],
        step: int,
        rate: LearningRate,
        kept: Mapping[str, Array],
        outputs: Mapping[str, Array],
    ) -> Stretch:
        """Return the stretch with the given batches in each of the given epochs."""
        start, stop = int(bounds[0, 0]), int(bounds[-1, 1])
        kept_at = np.full((len(epochs), len(bounds)), -1)
        kept_at[:, -1] = np.arange(epochs.start, epochs.stop) if stop == len(self.rows.X) else -1
        steps = np.tile(bounds - start, (len(epochs), 1))
        if self.shuffle:
            steps += np.repeat(np.arange(len(epochs)) * (stop - start), len(bounds))[:, None]
        rows = self.rows_of(start, stop)
        return Stretch(
            *rows[:2], steps, rate.of_steps(step, len(steps)), step + 1, w=rows.w,
            order=np.concatenate([order for order, _ in drawn]) if self.shuffle else None,
            draws={name: np.concatenate([masks[name] for _, masks in drawn]) for name in self.draws},
            kept=kept, kept_at=kept_at.ravel(),
            outputs={name: array[epochs.start : epochs.stop] for name, array in outputs.items()},
            batch_sizes=self.batch_sizes,
        )  # fmt: skip

    def cuts(self, epochs: int) -> Iterator[tuple[range, slice]]:
        """Yield the epochs and batches of each stretch: several whole epochs, or a part of one."""
        steps = len(self.bounds)
        largest = int((self.bounds[:, 1] - self.bounds[:, 0]).max())
        steps_per_stretch = max(NUMBERS_AT_A_TIME // (self.numbers_of_row * largest), 1)
        if not self.is_drawn:
            steps_per_stretch, epochs_per_stretch = steps, epochs
        else:  # masks are indexed by position in the order
            epochs_per_stretch = max(steps_per_stretch // steps, 1) if self.shuffle else 1
        for first in range(0, epochs, epochs_per_stretch):
            for begin in range(0, steps, steps_per_stretch):
                yield range(first, min(first + epochs_per_stretch, epochs)), slice(begin, begin + steps_per_stretch)

    @functools.cached_property
    def batch_sizes(self) -> tuple[int, ...]:
        """The different numbers of rows in a batch."""
        return tuple(np.unique(self.bounds[:, 1] - self.bounds[:, 0]).tolist())

    @functools.cached_property
    def numbers_of_row(self) -> int:
        """The number of values per row, with its masks."""
        return int(self.rows.X.shape[1]) + sum(mask.size for mask in self.model.draw_masks(1, as_random(0)).values())

    # -- objectives --------------------------------------------------------------------------

    def mean_objectives(self, objectives: Array) -> Array:
        """Return the mean objective of each epoch; ``objectives`` of the steps have shape (epochs, steps)."""
        if len(self.bounds) == 1:
            return objectives[:, 0]
        return np.array([self.mean_objective(of_epoch) for of_epoch in objectives])

    def mean_objective(self, objectives: Array) -> float:
        """Return the mean objective of an epoch's steps, weighted by their rows; their sum, if the loss is a sum."""
        if len(self.bounds) == 1 or self.model.loss.reduction == "sum":
            return math.fsum(objectives)
        return math.fsum((self.bounds[:, 1] - self.bounds[:, 0]) * objectives) / len(self.rows.X)


def batch_bounds(rows: int, batch_size: int) -> Array:
    """Return the bounds of the batches, of shape (batches, 2): first row, and row after the last."""
    begins = np.arange(0, rows, batch_size)
    return np.column_stack([begins, np.minimum(begins + batch_size, rows)])


def one_batch(stretch: Stretch, index: int) -> dict[str, Values]:
    """Return the inputs of one step of a stretch by name."""
    start, stop = map(int, stretch.batches[index])
    rows = slice(start, stop) if stretch.order is None else stretch.order[start:stop]
    given: dict[str, Values] = {"X": stretch.X[rows], "y": stretch.y[rows], "n": stop - start}
    given["w"] = None if stretch.w is None else stretch.w[rows]
    given |= {name: array[start:stop] for name, array in stretch.draws.items()}
    return given | {"lr": float(stretch.lr[index]), "t": stretch.first_step + index}
