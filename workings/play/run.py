"""A run: training in small steps, forwards and back again.

It makes the same steps as ``fit`` with the reference engine: the same program, the same order of the rows, the same
dropout masks, so also the same bits.  The run remembers its course, a list of moments with their parameters, and can
return to any of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from workings.engines.contract import Stretch
from workings.model.model import Model
from workings.optimizers import LBFGS, Optimizer
from workings.play.step_makers import LBFGSSteps, ProgramSteps
from workings.program.program import Program
from workings.schedules import schedule_of
from workings.support.arrays import Array, Values
from workings.training import divergence
from workings.training.batches import Batches, Position, State, batch_bounds, one_batch
from workings.training.learning_rate import LearningRate
from workings.training.rows import Rows

MOST_MOMENTS, FEWEST_MOMENTS = 240, 12
NUMBERS_KEPT = 2**21  # numbers in all moments together: 16 MB


@dataclass(frozen=True)
class Moment:
    """A moment of a run: its step, what was measured, and the state to return to."""

    step: int
    batch: int
    epoch: int
    measured: tuple[float, ...]
    values: dict[str, Array]
    position: Position
    optimizer: type


class Run:
    """The training of one model.

    Attributes
    ----------
    model : Model
        It always has the current parameters.
    training, validation : Rows
        Prepared rows; the validation set may be None.
    state : State
        Parameters, statistics, the optimizer's state, and the number of steps made.
    epoch, batch : int
        The number of complete epochs, and the number of the next batch.
    course : list of Moment
        The moments of the run so far, from the first to the present one.
    stopped : str
        Why the run cannot continue; empty if it can.
    """

    def __init__(
        self, model: Model, training: Rows, validation: Rows | None, optimizer: Optimizer | LBFGS, batch_size: int
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.epoch = self.batch = 0
        self.state = State({})
        self.optimizer = optimizer
        self.course: list[Moment] = []
        self.stride = 1  # every how many recorded moments one is kept
        self.recorded = 0
        self.set_training(model, optimizer, batch_size)
        self.record()

    def set_training(self, model: Model, optimizer: Optimizer | LBFGS, batch_size: int) -> None:
        """Change regularizer, optimizer and batch size; the state of an optimizer of the same kind is kept.

        Raises
        ------
        InputError
            If a batch is too small for a layer, or if L-BFGS cannot train this network; nothing changes then.
        """
        rows = len(self.training.X)
        size = rows if batch_size == 0 else min(batch_size, rows)
        bounds = batch_bounds(rows, size)
        smallest = int((bounds[:, 1] - bounds[:, 0]).min())
        model.check_rows(smallest, f"the last batch of {rows} rows has {smallest}; choose another batch size")
        rule: Optimizer | None = None
        steps: ProgramSteps | LBFGSSteps
        if optimizer.takes_batches:
            rule, program = optimizer, model.step_program(optimizer)
            steps = ProgramSteps(program)
        else:
            program = model.step_program()
            steps = LBFGSSteps(model, program, self.training, optimizer, len(bounds))
        before = type(self.optimizer)
        self.model, self.optimizer, self.rule, self.steps = model, optimizer, rule, steps
        self.program: Program = program
        self.stopped = ""
        self.state = State(self.known(self.state.values, before), self.state.step, self.state.lr)
        self.rate = LearningRate(rule.schedule if rule else schedule_of(1.0))  # L-BFGS does not use it
        self.batches = Batches(self.model, self.training, bounds, shuffle=size < rows)
        if self.batch:
            self.batch = 0
            self.epoch += 1

    def known(self, values: Mapping[str, Array], kind: type) -> dict[str, Array]:
        """Return values for the present program; the state of another kind of optimizer begins anew.

        Two optimizers may call different things by the same name: v is a velocity, or a mean of squares.
        """
        start = self.model.start_values(self.program)
        others = () if kind is type(self.optimizer) else self.program.states
        return {name: value if name in others else values.get(name, value) for name, value in start.items()}

    # -- steps -------------------------------------------------------------------------------

    def advance(self, steps: int) -> int:
        """Make steps; return how many were made, fewer if the run diverged."""
        made = 0
        self.course = [moment for moment in self.course if moment.step <= self.state.step]
        while made < steps and not self.stopped:
            count = min(steps - made, len(self.batches) - self.batch)
            self.run(self.next_stretch(count))
            made += 0 if self.stopped else count
        if made:
            self.record()
        return made

    def learning_rate(self) -> float:
        """Return the learning rate of the next step; 0 for an optimizer without one."""
        return float(self.rate.at(self.state.step)) if self.rule else 0.0

    def work(self) -> float:
        """Return about how many multiplications a step makes."""
        return max(float(self.model.theta.size) * float(self.batches.bounds[0, 1]) * 6, 1.0)

    def steps_to_epoch(self) -> int:
        """Return the number of steps until the end of the epoch."""
        return len(self.batches) - self.batch

    def next_stretch(self, count: int) -> Stretch:
        """Draw the next ``count`` batches of this epoch."""
        bounds = self.batches.bounds[self.batch : self.batch + count]
        drawn = [self.batches.draw(bounds)] if self.batches.is_drawn else []
        return self.batches.stretch(range(1), bounds, drawn, self.state.step, self.rate, {}, {})

    def run(self, stretch: Stretch) -> None:
        """Run a stretch of steps; if a value is not finite, stop at the parameters before it."""
        before = dict(self.state.values)
        self.stopped = self.steps.run(stretch, self.state.values)
        if self.stopped:
            return
        if not all(np.isfinite(value).all() for value in self.state.values.values()):
            self.stopped = divergence.in_steps(self.program, stretch, before, self.epoch).message
            self.state.values = before
            return
        self.state.after(stretch)
        self.batch += len(stretch.batches)
        if self.batch == len(self.batches):
            self.epoch, self.batch = self.epoch + 1, 0
        self.model.set_values(self.state.values)

    def peek(self) -> dict[str, Values]:
        """Return all inputs of the next step by name, without making it."""
        position = self.batches.position()
        stretch = self.next_stretch(1)
        self.batches.go_to(position)
        return {**self.state.values, **one_batch(stretch, 0)}

    # -- the course --------------------------------------------------------------------------

    def measure(self) -> tuple[float, ...]:
        """Return objective and score of the training set, then of the validation set; nan without one."""
        found: list[float] = []
        for rows in (self.training, self.validation):
            if rows is None:
                found += [float("nan")] * 2
                continue
            with np.errstate(all="ignore"):  # a run that diverges is reported by its steps
                J, p = self.model.measure(rows.X, rows.y, None)
                found += [J, self.model.targets.score(rows.y, p, None)]
        return tuple(found)

    def moment(self) -> Moment:
        """Return the present moment."""
        position = copy.deepcopy(self.batches.position())
        values, kind = dict(self.state.values), type(self.optimizer)
        return Moment(self.state.step, self.batch, self.epoch, self.measure(), values, position, kind)

    def record(self) -> None:
        """Add the present moment to the course; of a long course, every second moment is dropped."""
        self.course = [moment for moment in self.course if moment.step < self.state.step]
        self.course.append(self.moment())
        size = sum(value.size for value in self.state.values.values())
        most = int(np.clip(NUMBERS_KEPT // max(size, 1), FEWEST_MOMENTS, MOST_MOMENTS))
        if len(self.course) > most:
            self.course = [*self.course[:-1:2], self.course[-1]]

    def go_to(self, index: int) -> None:
        """Return to a moment of the course; later moments are kept until the run continues from here."""
        moment = self.course[index]
        self.state = State(self.known(moment.values, moment.optimizer), moment.step)
        self.epoch, self.batch, self.stopped = moment.epoch, moment.batch, ""
        self.batches.go_to(copy.deepcopy(moment.position))
        self.model.set_values(self.state.values)

    def copy(self) -> Run:
        """Return a copy that trains by itself; rows and moments are shared, because they do not change."""
        shared = (self.training, self.validation, *self.course)
        return copy.deepcopy(self, {id(one): one for one in shared})

    def go_near(self, step: int) -> None:
        """Return to the moment of the course that is nearest to a step."""
        self.go_to(min(range(len(self.course)), key=lambda k: abs(self.course[k].step - step)))

    def set_entry(self, name: str, index: tuple[int, ...], value: float) -> None:
        """Set one entry of a parameter; the optimizer's state stays."""
        changed = self.state.values[name].copy()
        changed[index] = value
        self.state.values[name] = changed
        self.model.set_values(self.state.values)
        self.stopped = ""

    def restart(self) -> None:
        """Begin a new epoch with the optimizer's state at 0 and the step counted from 1 again."""
        self.state = State(self.model.start_values(self.program))
        self.epoch = self.batch = 0
        self.stopped = ""
        self.batches.order = None
        self.course = []
        self.record()
