"""Epoch blocks: run several epochs in one engine call when no callback needs every epoch.

An epoch of a small network takes less time than Python needs to report it.  The parameters after each epoch
of a block are kept in memory, so that they can be evaluated, and so that early stopping can go back to any of
them.  Part of a block is evaluated on a second processor, if one is idle, while the next part is trained.  A
block takes a state and returns the state after it; the results are bit for bit those of its epochs run one by
one.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from workings.model.model import Model
from workings.support.arrays import Array
from workings.training.background import BackgroundTask, BackgroundThread
from workings.training.batches import Batches, Position, State
from workings.training.evaluation import Evaluation
from workings.training.learning_rate import LearningRate
from workings.training.step_runners import Steps, Waiting, epoch_of_one

MANY_EPOCHS = 0.2  # maximum seconds per block
FEW_EPOCHS = 1e-3  # maximum seconds per block if training may go back to one of its epochs …
WASTED_SHARE = 0.2  # … or this share of the training time so far, if that is longer
MAX_KEPT_BYTES = 2**24  # maximum memory for the parameters and outputs of a block
SHORTEST_PIECE = 5e-4  # minimum seconds of evaluation for which a second thread pays off
LARGEST_SHARE = 0.75  # maximum length of a piece relative to the one before it


@dataclass(frozen=True)
class Block:
    """The result of running several epochs.

    Attributes
    ----------
    epochs : int
        The number of epochs.
    before, after : State
        The states before the first step and after the last one.
    position : Position or None
        The state of the random draws before the block; None if training cannot go back.
    kept : dict of str to array of shape (epochs, …)
        The parameters and statistics after each epoch, if they were kept.
    columns : dict of str to list
        The values of each epoch for the history.
    """

    epochs: int
    before: State
    after: State
    position: Position | None = None
    kept: Mapping[str, Array] = field(default_factory=dict)
    columns: Mapping[str, list[float]] = field(default_factory=dict)

    def values_at(self, index: int) -> Mapping[str, Array]:
        """Return the parameters and statistics after an epoch of the block, counted from 0; before the first at -1."""
        if index < 0:
            return self.before.values
        return {name: array[index] for name, array in self.kept.items()} or self.after.values


class Measured(NamedTuple):
    """The measured values of several epochs.

    Attributes
    ----------
    J : array of shape (epochs,) or (0,)
        The objective on all rows at the end of each epoch, if the steps do not compute it.
    columns : dict of str to list
        The values of each epoch for the history.
    seconds : float
        The time that the evaluation took.
    """

    J: Array
    columns: dict[str, list[float]]
    seconds: float


class EpochBlocks:
    """Run several epochs at once.

    Parameters
    ----------
    model, steps, batches, evaluation, rate :
        The parts of the training.
    background : BackgroundThread
        The second thread.
    is_allowed : bool
        Whether blocks may have more than one epoch: no callback or schedule needs every epoch.
    looks_back : bool
        Whether training may go back to an epoch of a block.
    """

    def __init__(
        self,
        model: Model,
        steps: Steps,
        batches: Batches,
        evaluation: Evaluation,
        rate: LearningRate,
        *,
        background: BackgroundThread,
        is_allowed: bool,
        looks_back: bool,
    ) -> None:
        self.model, self.steps, self.batches, self.evaluation, self.rate = model, steps, batches, evaluation, rate
        self.background = background
        self.step_outputs = steps.outputs if evaluation.engines else ()
        self.most = 1 if is_allowed and self.can_measure(looks_back) else 0  # epochs per block at most; 0: no blocks
        needs_parameters = (evaluation.is_needed and not self.step_outputs) or evaluation.validation is not None
        self.keeps_parameters = (needs_parameters or looks_back) and bool(evaluation.engines)  # of each epoch
        self.began, self.epoch_seconds = time.perf_counter(), math.inf  # start time; seconds per epoch
        self.evaluation_ratio = 0.5  # seconds of evaluation for each second of training
        self.adapt_to_engine()
        self.buffers: dict[str, dict[str, Array]] = {}  # "kept": parameters; "outputs": outputs of the steps

    def can_measure(self, looks_back: bool) -> bool:
        """Whether the epochs of a block can be evaluated: by compiled code, or because there is nothing to evaluate."""
        if self.evaluation.engines:
            return True
        return len(self.batches) == 1 and not self.batches.draws and not self.evaluation.is_needed and not looks_back

    # -- how many epochs ---------------------------------------------------------------------

    def adapt(self, epochs: int, seconds: float) -> None:
        """Choose the maximum size of the next block from the duration of the last epochs."""
        if self.steps.waits and self.steps.allows_background:
            self.adapt_to_engine()
        elif self.most:
            self.epoch_seconds = max(seconds, 1e-9) / epochs
            self.most = max(min(int(MANY_EPOCHS / self.epoch_seconds), 8 * epochs), 1)

    def adapt_to_engine(self) -> None:
        """Choose the maximum size of the next block from the duration of earlier steps of the engine, if it is known.

        Other networks with the same description may have used the engine.  A user's metric may take any time.
        """
        seconds = self.steps.seconds(len(self.batches))
        if self.most and self.steps.allows_background and seconds < math.inf:
            self.epoch_seconds = max(seconds, 1e-9) * (1 + self.evaluation_ratio)
            self.most = max(int(MANY_EPOCHS / self.epoch_seconds), 1)

    def next_epochs(self, fewest_to_come: int | None) -> int:
        """Return the maximum number of epochs of the next block.

        If training goes back to an epoch of the block, the later ones are wasted; they must be a small part
        of the training.  At least ``fewest_to_come`` epochs are needed in any case.
        """
        if fewest_to_come is None or self.most <= 1:
            return self.most
        few = max(WASTED_SHARE * (time.perf_counter() - self.began), FEW_EPOCHS) / self.epoch_seconds
        return min(self.most, max(int(few), fewest_to_come))

    # -- running -----------------------------------------------------------------------------

    def run(self, start: State, epochs: int, position: Position) -> Waiting[Block | None]:
        """Run at most ``epochs`` epochs: those that fit into memory and stay finite.

        ``position`` is the present state of the random draws.  Return None, with no change, if only the first or none
        of the epochs stays finite.
        """
        began, state = time.perf_counter(), start.copy()
        epochs, kept, chosen = self.buffers_for(epochs, start)
        try:
            finite, columns = yield from self.run_and_evaluate(state, epochs, kept, chosen)
        except BaseException:  # Ctrl-C, or a metric that fails: discard these epochs
            self.batches.go_to(position)
            raise
        if finite < epochs:
            self.batches.go_to(position)
            return (yield from self.run(start, finite, position)) if finite > 1 else None
        self.adapt(epochs, time.perf_counter() - began)
        return Block(epochs, start, state, position, kept, columns)

    def run_and_evaluate(
        self, state: State, epochs: int, kept: dict[str, Array], outputs: dict[str, Array]
    ) -> Waiting[tuple[int, dict[str, list[float]]]]:
        """Run and evaluate epochs; return how many stayed finite, and the columns of the history."""
        evaluation, self.objectives, self.rates = self.evaluation, np.zeros(epochs), np.zeros(epochs)
        cuts = self.cuts(epochs) if self.uses_background() else [0, epochs]
        do: Callable[..., BackgroundTask[Any]] = self.background.task if len(cuts) > 2 else BackgroundTask
        first, waiting, measured, seconds = (
            list[BackgroundTask[tuple[float, Array]]](),
            list[BackgroundTask[Measured]](),
            0,
            0.0,
        )
        if evaluation.passes_for_loss:
            first = [do(evaluation.measure, evaluation.rows, epoch_of_one(self.model, state.values))]
        for start, stop in pairwise(cuts):
            began = time.perf_counter()
            finite = yield from self.run_steps(state, start, stop, kept, outputs)
            if finite < stop:
                return finite, {}
            seconds += time.perf_counter() - began
            ready = self.outputs_until(state, stop, epochs, outputs)
            if ready > measured:
                waiting.append(do(self.evaluate, measured, ready, kept, outputs))
                measured = ready
        found = [task.result() for task in reversed(waiting)][::-1]  # the background thread starts at the front
        if not self.steps.waits:
            self.evaluation_ratio = sum(piece.seconds for piece in found) / seconds
        columns = found[0].columns  # of the longest piece; the others are appended
        for name, column in chain.from_iterable(piece.columns.items() for piece in found[1:]):
            columns[name] += column
        for task in first:
            objectives = finite_part(np.concatenate([task.result()[0], *(piece.J for piece in found)])[:-1])
            finite, columns["loss"] = len(objectives), (objectives / evaluation.divisor).tolist()
        return finite, columns

    def cuts(self, epochs: int) -> list[int]:
        """Return the bounds of pieces of epochs, so that one piece is evaluated while the next is trained.

        Let r be the seconds of evaluation per second of training.  Each piece is r times as long as the one
        before it, so training it takes as long as evaluating that one.  After the last step, two pieces
        remain, and each thread evaluates one.  They are cut at (1 + r) / (1 + 2r), so that both end at the
        same time, r² / (1 + 2r) after the last step.
        """
        r, least, cuts = self.evaluation_ratio, SHORTEST_PIECE / self.epoch_seconds, [0]
        while r * (left := epochs - cuts[-1]) > least:
            if r**2 / (1 + 2 * r) * left <= least:
                cuts.append(cuts[-1] + round(left * (1 + r) / (1 + 2 * r)))
                break
            cuts.append(cuts[-1] + max(round(left * (1 - min(r, LARGEST_SHARE))), 1))
        return [*dict.fromkeys([*cuts, epochs])]

    def uses_background(self) -> bool:
        """Whether epochs are evaluated on a second processor now."""
        return self.evaluation.is_needed and self.steps.allows_background and self.background.is_free

    def run_steps(
        self, state: State, start: int, stop: int, kept: Mapping[str, Array], outputs: Mapping[str, Array]
    ) -> Waiting[int]:
        """Run the steps of epochs ``start`` to ``stop``; return the end of the epochs whose results are finite."""
        objectives_of_steps, rates = list[Array](), list[Array]()
        keeps, chosen = ({name: array[start:stop] for name, array in arrays.items()} for arrays in (kept, outputs))
        for stretch in self.batches.stretches(stop - start, state, self.rate, keeps, chosen):
            objectives_of_steps.append((yield from self.steps.advance(state, stretch)))
            rates.append(np.asarray(stretch.lr))
        steps = len(self.batches)
        self.rates[start:stop] = np.concatenate(rates)[steps - 1 :: steps]
        objectives = np.concatenate(objectives_of_steps)
        if len(objectives):
            self.objectives[start:stop] = self.batches.mean_objectives(objectives.reshape(-1, steps))
            return start + len(finite_part(self.objectives[start:stop]))
        finite = [np.isfinite(array.reshape(stop - start, -1)).all(axis=1) for array in keeps.values()]
        return start + len(finite_part(np.where(np.all(finite, axis=0), 0, np.nan)))

    # -- measuring ---------------------------------------------------------------------------

    def evaluate(self, start: int, stop: int, kept: Mapping[str, Array], outputs: Mapping[str, Array]) -> Measured:
        """Evaluate the epochs ``start`` to ``stop``."""
        evaluation, J, began = self.evaluation, np.empty(0), time.perf_counter()
        values = {name: array[start:stop] for name, array in kept.items()}
        chosen = next((array[start + 1 : stop + 1] for array in outputs.values()), None)
        if evaluation.passes_for_loss:
            J, chosen = evaluation.measure(evaluation.rows, values)
        columns = evaluation.columns(values, chosen) if evaluation.is_needed else {}
        loss = self.objectives[start:stop] / evaluation.divisor
        columns = {"loss": loss, **columns, "lr": self.rates[start:stop]}
        found = {name: numbers(column) for name, column in columns.items()}
        return Measured(J, found, time.perf_counter() - began)

    def outputs_until(self, state: State, stop: int, epochs: int, outputs: Mapping[str, Array]) -> int:
        """Return the end of the epochs whose outputs are known; compute the outputs of the block's last epoch.

        A step returns the outputs at its start, so those at the end of an epoch come from the next epoch.
        """
        if outputs and stop < epochs:
            return stop - 1
        for array in outputs.values():
            array[stop] = self.evaluation.measure(self.evaluation.rows, epoch_of_one(self.model, state.values))[1][0]
        return stop

    # -- memory ------------------------------------------------------------------------------

    def buffers_for(self, epochs: int, state: State) -> tuple[int, dict[str, Array], dict[str, Array]]:
        """Return how many epochs fit into memory, the buffer for parameters, and the buffer for outputs of steps.

        A buffer is empty if nothing uses its contents.  A single epoch gets buffers too, so that its steps
        run the same code and return the same bits.
        """
        now = epoch_of_one(self.model, state.values)
        epochs = max(min(epochs, MAX_KEPT_BYTES // max(self.bytes_of_epoch(now), 1)), 1)
        kept = self.buffer("kept", epochs, functools.partial(make_kept, now)) if self.keeps_parameters else {}
        return epochs, kept, self.buffer("outputs", epochs + 1, self.make_outputs) if self.step_outputs else {}

    def buffer(self, what: str, epochs: int, make: Callable[[int], dict[str, Array]]) -> dict[str, Array]:
        """Return a buffer for ``epochs`` epochs; reuse the last one if it is large enough, to save time."""
        if len(next(iter(self.buffers.get(what, {}).values()), ())) < epochs:
            self.buffers[what] = make(epochs)
        return {name: array[:epochs] for name, array in self.buffers[what].items()}

    def make_outputs(self, epochs: int) -> dict[str, Array]:
        """Allocate a buffer for the outputs on the training set in several epochs."""
        return self.evaluation.buffer(self.evaluation.rows, epochs)

    def bytes_of_epoch(self, now: Mapping[str, Array]) -> int:
        """Return the bytes of memory needed per epoch until it is evaluated."""
        of_parameters = sum(array.nbytes for array in now.values()) if self.keeps_parameters else 0
        return of_parameters + self.bytes_of_outputs

    @functools.cached_property
    def bytes_of_outputs(self) -> int:
        """The bytes of memory needed for the outputs of an epoch."""
        return self.evaluation.bytes_of_outputs()


def make_kept(now: Mapping[str, Array], epochs: int) -> dict[str, Array]:
    """Allocate a buffer for the parameters and statistics after each of several epochs."""
    return {name: np.empty((epochs, *value.shape[1:]), value.dtype) for name, value in now.items()}


def numbers(column: Array) -> list[float]:
    """Return a column as a list; fast if all values are equal, as learning rates often are."""
    first: list[float] = column[:1].tolist()
    return first * len(column) if (column == first).all() else column.tolist()


def finite_part(values: Array) -> Array:
    """Return the values before the first one that is not finite."""
    finite = np.isfinite(values)
    return values if finite.all() else values[: int(finite.argmin())]
