"""Together: epochs that nobody has to see one by one, run as one piece of work.

An epoch of a small network takes less time than Python needs to tell of it.  So where no callback has to be told of
each epoch by itself, several are run in one call before anybody is; the parameters that each has led to are kept, so
that they can be measured, and that early stopping can go back to any of them.  They are measured some epochs at a
time, on a second processor if there is one (``background.py``), while the next are under way.  The results are the
same bits as if it had been done one epoch after the other.
"""

from __future__ import annotations

import functools
import math
import time
import weakref
from collections.abc import Callable, Mapping
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from workings.optimizers import LBFGS
from workings.schedules import OnPlateau
from workings.support.arrays import Array
from workings.training.background import Task
from workings.training.callbacks import sees_every_epoch

if TYPE_CHECKING:
    from workings.training.training import Moment, Training

MANY_EPOCHS = 0.2  # seconds that epochs which nobody looks at may take together
FEW_EPOCHS = 1e-3  # seconds likewise, where training may go back to one of them …
IN_VAIN = 0.2  # … or this part of the time that training has taken
MOST_KEPT = 2**24  # bytes that are kept of epochs that are run together
SHORT_PIECE = 5e-4  # seconds of measuring that are not worth being done beside the training
MOST_SHARE = 0.75  # of a piece that the next one is at most, where measuring takes as long as training or longer


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


class Together:
    """The epochs of a training that were run last, and how more are run at once.

    Attributes
    ----------
    several : int
        How many they were.
    kept : dict of str to array of shape (several, …)
        The parameters and statistics at the end of each, if they were kept.
    """

    def __init__(self, training: Training) -> None:
        self.training: Training = weakref.proxy(training)  # which holds this: both end when training does
        self.by_steps = training.chosen_by_steps() if training.measuring.engines else ()
        self.most = 1 if self.is_allowed() else 0  # at once; more, when it is known how long they take
        self.several, self.kept = 1, dict[str, Array]()
        self.before: Moment | None = None  # when the epochs began
        looks = (self.measures and not self.by_steps) or training.validation is not None
        looks = looks or any(callback.looks_back for callback in training.callbacks)
        self.looks = looks and bool(training.measuring.engines)  # at the parameters of each epoch
        self.began, self.each = time.perf_counter(), math.inf  # seconds: of the clock, and that an epoch takes
        self.looking = 0.5  # seconds of measuring for each second of training
        self.rooms: dict[str, dict[str, Array]] = {}  # for what is kept, and for what the steps choose

    # -- whether ---------------------------------------------------------------------------

    @property
    def measures(self) -> bool:
        """Whether anything is measured but what the steps give."""
        training = self.training
        return bool(training.metrics) or training.validation is not None or training.passes_for_loss

    def is_allowed(self) -> bool:
        """Whether nobody has to look at each epoch, and what is kept of them can be measured."""
        training, look_back = self.training, sum(callback.looks_back for callback in self.training.callbacks)
        if isinstance(training.optimizer, LBFGS) or isinstance(training.schedule, OnPlateau) or look_back > 1:
            return False
        if any(map(sees_every_epoch, training.callbacks)):
            return False
        if not training.measuring.engines:  # what is kept could not be measured together
            one_step = len(training.batches) == 1 and not training.program.draws
            return one_step and not self.measures and not look_back
        return True

    def adapt(self, epochs: int, seconds: float) -> None:
        """Choose how many epochs come together from the time that some have taken."""
        if self.most:
            self.each = max(seconds, 1e-9) / epochs
            self.most = max(min(int(MANY_EPOCHS / self.each), 8 * epochs), 1)

    def next_epochs(self) -> int:
        """How many epochs may be run together next.

        Where training may go back to one of them, what is run beyond it is in vain, and is to be a small part.
        """
        most = self.most
        for callback in self.training.callbacks:
            if callback.looks_back and most > 1:
                few = max(IN_VAIN * (time.perf_counter() - self.began), FEW_EPOCHS) / self.each
                most = min(most, max(int(few), callback.fewest_to_come()))
        return most

    def begin(self) -> None:
        """Begin with an epoch that is run by itself, until more are run."""
        self.several, self.kept = 1, {}

    # -- looking back ----------------------------------------------------------------------

    @property
    def ran(self) -> range:
        """The epochs."""
        return range(self.training.epoch - self.several + 1, self.training.epoch + 1)

    def parameters_at(self, epoch: int, *, at_its_end: bool = True) -> dict[str, Array]:
        """A copy of the parameters and statistics at the end, or the beginning, of one of the epochs."""
        training, index = self.training, epoch - self.ran.start - (not at_its_end)
        values: Mapping[str, Array] = training.good
        if index >= 0:
            values = {name: array[index] for name, array in self.kept.items()} or training.values
        return {name: values[name].copy() for name in (*training.network.parameters, *training.network.statistics)}

    def go_back(self, epoch: int) -> None:
        """Forget the epochs after one of them; the optimizer's state is not needed any more."""
        training, beyond = self.training, self.training.epoch - epoch
        if beyond == 0:
            return
        assert self.before is not None
        values = {**training.values, **self.parameters_at(epoch)}
        training.put_back(self.before)
        self.several, training.epoch = self.several - beyond, epoch
        for stretch in training.stretches(self.several, {}, {}):  # draws the same once more
            training.step, training.lr = training.step + len(stretch.batches), float(stretch.lr[-1])
        training.values = values
        training.network.keep(training.values)
        training.history.forget(beyond)

    # -- running ---------------------------------------------------------------------------

    def run(self, epochs: int) -> bool:
        """Run some epochs, as many as stay finite and fit into memory; say whether there were any."""
        training, before, began = self.training, self.training.moment(), time.perf_counter()
        epochs, self.kept, chosen = self.rooms_for(epochs)
        self.before, training.good = before, before.values
        try:
            finite, columns = self.run_measured(epochs, chosen)
        except BaseException:  # Ctrl-C, or a metric that fails: the history has nothing of these epochs
            training.put_back(before)
            raise
        if finite < epochs:
            training.put_back(before)
            return finite > 1 and self.run(finite)
        training.epoch, self.several = training.epoch + epochs - 1, epochs
        training.network.keep(training.values)
        training.history.add_many(**columns)
        self.adapt(epochs, time.perf_counter() - began)
        return True

    def run_measured(self, epochs: int, room: dict[str, Array]) -> tuple[int, dict[str, list[float]]]:
        """Run some epochs and measure them: how many there were before a number was not finite, and the columns."""
        training, self.objectives, self.rates = self.training, np.zeros(epochs), np.zeros(epochs)
        cuts = self.cuts(epochs) if self.works_beside() else [0, epochs]
        do: Callable[..., Task[Any]] = training.aside.task if len(cuts) > 2 else Task
        first, waiting, measured, seconds = list[Task[Any]](), list[Task[Measured]](), 0, 0.0
        if training.passes_for_loss:
            first = [do(training.measuring.look, training.rows, training.kept_now())]
        for start, stop in pairwise(cuts):
            began, finite = time.perf_counter(), self.run_steps(start, stop, room)
            if finite < stop:
                return finite, {}
            seconds += time.perf_counter() - began
            ready = self.chosen_until(stop, epochs, room)
            if ready > measured:
                waiting.append(do(self.measured, measured, ready, room))
                measured = ready
        found = [task.result() for task in reversed(waiting)][::-1]  # aside, they are begun from the front
        self.looking = sum(piece.seconds for piece in found) / seconds
        columns = found[0].columns  # by far the longest
        for name, column in chain.from_iterable(piece.columns.items() for piece in found[1:]):
            columns[name] += column
        for task in first:
            objectives = finite_part(np.concatenate([task.result()[0], *(piece.J for piece in found)])[:-1])
            finite, columns["loss"] = len(objectives), (objectives / training.divisor).tolist()
        return finite, columns

    def cuts(self, epochs: int) -> list[int]:
        """Where epochs are cut, so that pieces can be measured beside the training of the next.

        With r seconds of measuring for each of training, each piece is r times as long as the one before it, so that it
        is trained while that one is measured.  At the end two pieces are left to be measured, side by side: they are
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
        return self.measures and self.training.is_measured_aside and self.training.aside.is_free

    def run_steps(self, start: int, stop: int, room: Mapping[str, Array]) -> int:
        """Run the steps of some epochs; say up to which all is finite."""
        training, met, rates = self.training, list[Array](), list[Array]()
        kept, chosen = ({name: array[start:stop] for name, array in arrays.items()} for arrays in (self.kept, room))
        for stretch in training.stretches(stop - start, kept, chosen):
            met.append(training.advance(stretch))
            rates.append(np.asarray(stretch.lr))
        steps = len(training.batches)
        self.rates[start:stop] = np.concatenate(rates)[steps - 1 :: steps]
        objectives = np.concatenate(met)
        if len(objectives):
            self.objectives[start:stop] = training.mean_objectives(objectives.reshape(-1, steps))
            return start + len(finite_part(self.objectives[start:stop]))
        finite = [np.isfinite(array.reshape(stop - start, -1)).all(axis=1) for array in kept.values()]
        return start + len(finite_part(np.where(np.all(finite, axis=0), 0, np.nan)))

    # -- measuring -------------------------------------------------------------------------

    def measured(self, start: int, stop: int, room: Mapping[str, Array]) -> Measured:
        """Measure some epochs."""
        training, J, began = self.training, np.empty(0), time.perf_counter()
        values = {name: array[start:stop] for name, array in self.kept.items()}
        chosen = next((array[start + 1 : stop + 1] for array in room.values()), None)
        if training.passes_for_loss:
            J, chosen = training.measuring.look(training.rows, values)
        columns = training.measured(values, chosen) if self.measures else {}
        loss = self.objectives[start:stop] / training.divisor
        columns = {"loss": loss, **columns, "lr": self.rates[start:stop]}
        found = {name: numbers(column) for name, column in columns.items()}
        return Measured(J, found, time.perf_counter() - began)

    def chosen_until(self, stop: int, epochs: int, room: Mapping[str, Array]) -> int:
        """Up to which epoch it is known what the network chooses at its end: in steps, it chooses at the beginning."""
        if room and stop < epochs:
            return stop - 1
        for array in room.values():
            array[stop] = self.training.measuring.look(self.training.rows, self.training.kept_now())[1][0]
        return stop

    def rooms_for(self, epochs: int) -> tuple[int, dict[str, Array], dict[str, Array]]:
        """For how many epochs there is room, the room for their parameters, and that for what their steps choose.

        Where nothing looks at these, there is none.  An epoch that is run by itself gets it too: so the steps are the
        same code, and lead to the same bits.
        """
        epochs = max(min(epochs, MOST_KEPT // max(self.bytes_of_epoch, 1)), 1)
        kept = self.room("kept", epochs, self.make_kept) if self.looks else {}
        return epochs, kept, self.room("chosen", epochs + 1, self.make_chosen) if self.by_steps else {}

    def room(self, what: str, epochs: int, make: Callable[[int], dict[str, Array]]) -> dict[str, Array]:
        """Room for so many epochs: the same again where it is large enough, as new memory costs more than steps."""
        if len(next(iter(self.rooms.get(what, {}).values()), ())) < epochs:
            self.rooms[what] = make(epochs)
        return {name: array[:epochs] for name, array in self.rooms[what].items()}

    def make_kept(self, epochs: int) -> dict[str, Array]:
        """Room for the parameters and statistics of some epochs."""
        now = self.training.kept_now()
        return {name: np.empty((epochs, *value.shape[1:]), value.dtype) for name, value in now.items()}

    def make_chosen(self, epochs: int) -> dict[str, Array]:
        """Room for what the network chooses of the training rows in some epochs."""
        return self.training.measuring.room(self.training.rows, epochs)

    @functools.cached_property
    def bytes_of_epoch(self) -> int:
        """How much is kept of an epoch, until it is measured."""
        training = self.training
        measured = [*([training.rows] if training.metrics else []), *filter(None, [training.validation])]
        chosen = [array for rows in measured for array in training.measuring.room(rows, 1).values()]
        return sum(array.nbytes for array in (*(self.make_kept(1).values() if self.looks else ()), *chosen))


def numbers(column: Array) -> list[float]:
    """The numbers of a column; one number, many times, where they are all equal, as learning rates often are."""
    first: list[float] = column[:1].tolist()
    return first * len(column) if (column == first).all() else column.tolist()


def finite_part(values: Array) -> Array:
    """What comes before the first number that is not finite."""
    finite = np.isfinite(values)
    return values if finite.all() else values[: int(finite.argmin())]
