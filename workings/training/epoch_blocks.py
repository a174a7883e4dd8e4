"""Epoch blocks: run several epochs in one call of the engine when no callback needs to see each of them.

An epoch of a small network takes less time than Python needs to report it.  The parameters after each epoch of a block
are kept, so that they can be evaluated, and so that early stopping can go back to any of them.  Some epochs of a block
are evaluated on a second processor, if there is one, while the next are trained.  A block takes a state and returns the
state after it; the results are the same bits as if its epochs had been run one by one.
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
from workings.training.background import Aside, Task
from workings.training.batches import Batches, Position, State
from workings.training.evaluation import Evaluation
from workings.training.learning_rate import LearningRate
from workings.training.steps import Steps, epoch_of_one

MANY_EPOCHS = 0.2  # seconds that a block may take
FEW_EPOCHS = 1e-3  # seconds likewise, where training may go back to one of its epochs …
IN_VAIN = 0.2  # … or this part of the time that training has taken
MOST_KEPT = 2**24  # bytes that are kept of a block
SHORT_PIECE = 5e-4  # seconds of evaluation that are not worth a second thread
MOST_SHARE = 0.75  # of a piece that the next one is at most, where evaluation takes as long as training or longer


@dataclass(frozen=True)
class Block:
    """Some epochs that have been run.

    Attributes
    ----------
    epochs : int
        How many.
    before, after : State
        What the steps began with and have led to.
    position : Position or None
        Where the drawing of orders and masks stood before; None where training cannot go back.
    kept : dict of str to array of shape (epochs, …)
        The parameters and statistics after each epoch, if they were kept.
    columns : dict of str to list
        What the history records of each epoch.
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
    """What was measured of some epochs.

    Attributes
    ----------
    J : array of shape (epochs,) or (0,)
        The objective on all rows at the end of each, where the steps do not give it.
    columns : dict of str to list
        For the history.
    seconds : float
        How long it took.
    """

    J: Array
    columns: dict[str, list[float]]
    seconds: float


class EpochBlocks:
    """Runs blocks of epochs.

    Parameters
    ----------
    model, steps, batches, evaluation, rate :
        Of the training.
    background : Aside
        The second thread.
    is_allowed : bool
        Whether no callback or schedule needs each epoch by itself.
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
        background: Aside,
        is_allowed: bool,
        looks_back: bool,
    ) -> None:
        self.model, self.steps, self.batches, self.evaluation, self.rate = model, steps, batches, evaluation, rate
        self.background = background
        self.by_steps = steps.outputs if evaluation.engines else ()
        self.most = 1 if is_allowed and self.can_measure(looks_back) else 0  # more, when an epoch's time is known
        looks = (evaluation.is_needed and not self.by_steps) or evaluation.validation is not None or looks_back
        self.looks = looks and bool(evaluation.engines)  # at the parameters of each epoch
        self.began, self.each = time.perf_counter(), math.inf  # seconds: of the clock, and that an epoch takes
        self.looking = 0.5  # seconds of evaluation for each second of training
        self.rooms: dict[str, dict[str, Array]] = {}  # for what is kept, and for what the steps choose

    def can_measure(self, looks_back: bool) -> bool:
        """Whether the epochs of a block can be measured: by compiled code, or because there is nothing to measure."""
        if self.evaluation.engines:
            return True
        return len(self.batches) == 1 and not self.batches.draws and not self.evaluation.is_needed and not looks_back

    # -- how many epochs ---------------------------------------------------------------------

    def adapt(self, epochs: int, seconds: float) -> None:
        """Choose the size of the next block from the time that some epochs have taken."""
        if self.most:
            self.each = max(seconds, 1e-9) / epochs
            self.most = max(min(int(MANY_EPOCHS / self.each), 8 * epochs), 1)

    def next_epochs(self, fewest_to_come: int | None) -> int:
        """Return how many epochs the next block may have.

        Where training may go back to one of them, the epochs beyond it are wasted, and are to be a small part;
        ``fewest_to_come`` is how many are needed in any case.
        """
        if fewest_to_come is None or self.most <= 1:
            return self.most
        few = max(IN_VAIN * (time.perf_counter() - self.began), FEW_EPOCHS) / self.each
        return min(self.most, max(int(few), fewest_to_come))

    # -- running -----------------------------------------------------------------------------

    def run(self, start: State, epochs: int) -> Block | None:
        """Run as many of some epochs as stay finite and fit into memory; None where that is not even two."""
        began, position, state = time.perf_counter(), self.batches.position(), start.copy()
        epochs, kept, chosen = self.rooms_for(epochs, start)
        try:
            finite, columns = self.run_measured(state, epochs, kept, chosen)
        except BaseException:  # Ctrl-C, or a metric that fails: these epochs never were
            self.batches.go_to(position)
            raise
        if finite < epochs:
            self.batches.go_to(position)
            return self.run(start, finite) if finite > 1 else None
        self.adapt(epochs, time.perf_counter() - began)
        return Block(epochs, start, state, position, kept, columns)

    def run_measured(
        self, state: State, epochs: int, kept: dict[str, Array], room: dict[str, Array]
    ) -> tuple[int, dict[str, list[float]]]:
        """Run and measure some epochs; return how many stayed finite, and the columns of the history."""
        evaluation, self.objectives, self.rates = self.evaluation, np.zeros(epochs), np.zeros(epochs)
        cuts = self.cuts(epochs) if self.works_beside() else [0, epochs]
        do: Callable[..., Task[Any]] = self.background.task if len(cuts) > 2 else Task
        first, waiting, measured, seconds = list[Task[Any]](), list[Task[Measured]](), 0, 0.0
        if evaluation.passes_for_loss:
            first = [do(evaluation.look, evaluation.rows, epoch_of_one(self.model, state.values))]
        for start, stop in pairwise(cuts):
            began, finite = time.perf_counter(), self.run_steps(state, start, stop, kept, room)
            if finite < stop:
                return finite, {}
            seconds += time.perf_counter() - began
            ready = self.chosen_until(state, stop, epochs, room)
            if ready > measured:
                waiting.append(do(self.measured, measured, ready, kept, room))
                measured = ready
        found = [task.result() for task in reversed(waiting)][::-1]  # in the background, they are begun from the front
        self.looking = sum(piece.seconds for piece in found) / seconds
        columns = found[0].columns  # by far the longest
        for name, column in chain.from_iterable(piece.columns.items() for piece in found[1:]):
            columns[name] += column
        for task in first:
            objectives = finite_part(np.concatenate([task.result()[0], *(piece.J for piece in found)])[:-1])
            finite, columns["loss"] = len(objectives), (objectives / evaluation.divisor).tolist()
        return finite, columns

    def cuts(self, epochs: int) -> list[int]:
        """Return where epochs are cut, so that pieces can be measured beside the training of the next.

        With r seconds of evaluation for each of training, each piece is r times as long as the one before it, so that
        it is trained while that one is measured.  At the end two pieces are left to be measured, side by side: they are
        cut at (1 + r) / (1 + 2r), so that both are done at once, r² / (1 + 2r) after the last step.
        """
        r, least, cuts = self.looking, SHORT_PIECE / self.each, [0]
        while r * (left := epochs - cuts[-1]) > least:
            if r**2 / (1 + 2 * r) * left <= least:
                cuts.append(cuts[-1] + round(left * (1 + r) / (1 + 2 * r)))
                break
            cuts.append(cuts[-1] + max(round(left * (1 - min(r, MOST_SHARE))), 1))
        return [*dict.fromkeys([*cuts, epochs])]

    def works_beside(self) -> bool:
        """Whether epochs are measured on a second processor now."""
        return self.evaluation.is_needed and self.steps.is_measured_aside and self.background.is_free

    def run_steps(
        self, state: State, start: int, stop: int, kept: Mapping[str, Array], room: Mapping[str, Array]
    ) -> int:
        """Run the steps of some epochs; return up to which all is finite."""
        met, rates = list[Array](), list[Array]()
        keeps, chosen = ({name: array[start:stop] for name, array in arrays.items()} for arrays in (kept, room))
        for stretch in self.batches.stretches(stop - start, state, self.rate, keeps, chosen):
            met.append(self.steps.advance(state, stretch))
            rates.append(np.asarray(stretch.lr))
        steps = len(self.batches)
        self.rates[start:stop] = np.concatenate(rates)[steps - 1 :: steps]
        objectives = np.concatenate(met)
        if len(objectives):
            self.objectives[start:stop] = self.batches.mean_objectives(objectives.reshape(-1, steps))
            return start + len(finite_part(self.objectives[start:stop]))
        finite = [np.isfinite(array.reshape(stop - start, -1)).all(axis=1) for array in keeps.values()]
        return start + len(finite_part(np.where(np.all(finite, axis=0), 0, np.nan)))

    # -- measuring ---------------------------------------------------------------------------

    def measured(self, start: int, stop: int, kept: Mapping[str, Array], room: Mapping[str, Array]) -> Measured:
        """Measure some epochs."""
        evaluation, J, began = self.evaluation, np.empty(0), time.perf_counter()
        values = {name: array[start:stop] for name, array in kept.items()}
        chosen = next((array[start + 1 : stop + 1] for array in room.values()), None)
        if evaluation.passes_for_loss:
            J, chosen = evaluation.look(evaluation.rows, values)
        columns = evaluation.columns(values, chosen) if evaluation.is_needed else {}
        loss = self.objectives[start:stop] / evaluation.divisor
        columns = {"loss": loss, **columns, "lr": self.rates[start:stop]}
        found = {name: numbers(column) for name, column in columns.items()}
        return Measured(J, found, time.perf_counter() - began)

    def chosen_until(self, state: State, stop: int, epochs: int, room: Mapping[str, Array]) -> int:
        """Return up to which epoch the choices at its end are known: steps choose at their beginning."""
        if room and stop < epochs:
            return stop - 1
        for array in room.values():
            array[stop] = self.evaluation.look(self.evaluation.rows, epoch_of_one(self.model, state.values))[1][0]
        return stop

    # -- memory ------------------------------------------------------------------------------

    def rooms_for(self, epochs: int, state: State) -> tuple[int, dict[str, Array], dict[str, Array]]:
        """Return for how many epochs there is memory, that for their parameters, and that for what their steps choose.

        Where nothing looks at these, there is none.  An epoch that is run by itself gets it too: so the steps are the
        same code, and lead to the same bits.
        """
        now = epoch_of_one(self.model, state.values)
        epochs = max(min(epochs, MOST_KEPT // max(self.bytes_of_epoch(now), 1)), 1)
        kept = self.room("kept", epochs, functools.partial(make_kept, now)) if self.looks else {}
        return epochs, kept, self.room("chosen", epochs + 1, self.make_chosen) if self.by_steps else {}

    def room(self, what: str, epochs: int, make: Callable[[int], dict[str, Array]]) -> dict[str, Array]:
        """Return memory for so many epochs: the same again where it is large enough, as new memory costs time."""
        if len(next(iter(self.rooms.get(what, {}).values()), ())) < epochs:
            self.rooms[what] = make(epochs)
        return {name: array[:epochs] for name, array in self.rooms[what].items()}

    def make_chosen(self, epochs: int) -> dict[str, Array]:
        """Allocate memory for what the network chooses for the training set in some epochs."""
        return self.evaluation.room(self.evaluation.rows, epochs)

    def bytes_of_epoch(self, now: Mapping[str, Array]) -> int:
        """How much is kept of an epoch, until it is measured."""
        of_parameters = sum(array.nbytes for array in now.values()) if self.looks else 0
        return of_parameters + self.bytes_of_choices

    @functools.cached_property
    def bytes_of_choices(self) -> int:
        """How much is kept of what is chosen in an epoch."""
        return self.evaluation.bytes_of_choices()


def make_kept(now: Mapping[str, Array], epochs: int) -> dict[str, Array]:
    """Allocate memory for the parameters and statistics after some epochs."""
    return {name: np.empty((epochs, *value.shape[1:]), value.dtype) for name, value in now.items()}


def numbers(column: Array) -> list[float]:
    """Return the numbers of a column; one number, many times, where all are equal, as learning rates often are."""
    first: list[float] = column[:1].tolist()
    return first * len(column) if (column == first).all() else column.tolist()


def finite_part(values: Array) -> Array:
    """Return what comes before the first number that is not finite."""
    finite = np.isfinite(values)
    return values if finite.all() else values[: int(finite.argmin())]
