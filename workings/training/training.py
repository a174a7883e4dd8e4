"""A training: the model, the data, the recipe and the state, as callbacks see it.

It creates the parts and holds the state.  The parts are independent: ``batches`` draws orders and masks,
``steps`` runs the engine, ``evaluation`` measures loss and metrics, and ``epoch_blocks`` runs several epochs
at once.  ``loop`` contains the loop over the epochs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar, NamedTuple, NoReturn

import numpy as np

from workings.engines.choice import ENGINES, WORTH_COMPILING
from workings.errors import DivergenceError, InputError, unknown_name
from workings.model.model import Model
from workings.model.targets import Targets
from workings.optimizers import LBFGS, Part
from workings.program.program import Program
from workings.support.arrays import Array, Features
from workings.support.interruption import Interruption
from workings.training import divergence
from workings.training.background import BackgroundThread
from workings.training.batches import Batches, Position, State, batch_bounds
from workings.training.callbacks import sees_every_epoch
from workings.training.divergence import Divergence
from workings.training.early_stopping import EarlyStopping
from workings.training.epoch_blocks import Block, EpochBlocks
from workings.training.evaluation import Evaluation
from workings.training.history import History, not_recorded
from workings.training.lbfgs import check_smooth, scipy_optimize
from workings.training.learning_rate import LearningRate
from workings.training.recipe import Recipe
from workings.training.rows import Rows
from workings.training.step_runners import Steps, epoch_of_one, make_steps
from workings.training.training_data import TrainingData

if TYPE_CHECKING:  # imported where they are used: most trainings need neither workers nor rows on disk
    from scipy.optimize import OptimizeResult

    from workings.training.parallel.sharded_engine import ParallelEngine

VALIDATION_ROWS = 1000  # that a history keeps for the doctor
FirstLook = Callable[["Training"], object]  # examines a training before its first step; returns its diagnosis


class Record(NamedTuple):
    """The training at the end of the last recorded epoch, or at its beginning; Ctrl-C returns to it.

    Attributes
    ----------
    state : State
        Parameters, statistics and the optimizer's state.
    epochs : int
        The number of epochs in the history.
    plateau : dict
        The state of the learning rate.
    position : Position or None
        The state of the random draws; None if nothing has been drawn since.
    """

    state: State
    epochs: int
    plateau: dict[str, float]
    position: Position | None = None


class Training:
    """A running training; :class:`~workings.training.callbacks.RunningTraining` is what callbacks see of it.

    Attributes
    ----------
    recipe : Recipe
        The settings.
    block : Block
        The epochs that were run last.
    state : State
        The values after the steps so far.

    With ``fits`` above 1, it is one of several trainings whose compiled steps run in one call.
    """

    worth_compiling: ClassVar[float] = WORTH_COMPILING  # least saving of compiling over its time, for "auto"
    validation_name: ClassVar[str] = "validation"  # the name of the setting in error messages
    metrics_name: ClassVar[str] = "metrics"  # likewise; empty if users cannot set it

    def __init__(
        self,
        network: Model,
        data: TrainingData,
        recipe: Recipe,
        *,
        engine: str = "auto",
        first_look: FirstLook | None = None,
        fits: int = 1,
    ) -> None:
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        self.network, self.data, self.recipe = network, data, recipe
        self.epochs, self.callbacks = recipe.epochs, tuple(recipe.callbacks)
        bounds = self.batch_bounds(len(data.rows.X), recipe.batch_size or len(data.rows.X))
        self.check_batches(bounds)
        self.batches = self.make_batches(network, data.rows, bounds, recipe.shuffle and len(bounds) > 1)
        self.evaluation = Evaluation(
            network, data, recipe.chosen_metrics, passes_for_loss=len(bounds) > 1 and not recipe.running_loss
        )
        self.learning_rate = LearningRate(recipe.schedule)
        network.set_targets(data.targets)
        self.history = History()
        self.epoch, self.stopped = 0, ""
        self.result: OptimizeResult | None = None  # SciPy's result of L-BFGS
        self.check_monitors()
        self.set_steps(engine, fits)
        self.history.settings = recipe.summary()
        self.history.validation = None if data.validation is None else data.validation.some(VALIDATION_ROWS)
        if network.is_fresh:
            beginning = {**network.parameters, **network.statistics}
            self.history.begun = {name: value.copy() for name, value in beginning.items()}
        self.history.diagnosis = None if first_look is None else first_look(self)
        self.block = Block(1, self.state, self.state)
        self.begin()

    # -- making the parts --------------------------------------------------------------------

    def batch_bounds(self, rows: int, batch_size: int) -> Array:
        """Return the bounds of the batches; subclasses may cut differently."""
        return batch_bounds(rows, batch_size)

    def make_batches(self, network: Model, rows: Rows, bounds: Array, shuffle: bool) -> Batches:
        """Return the batches; subclasses may draw orders differently."""
        if rows.are_streamed:
            from workings.training.streamed_batches import StreamedBatches

            return StreamedBatches(network, rows, bounds, shuffle)
        return Batches(network, rows, bounds, shuffle)

    def check_batches(self, bounds: Array) -> None:
        """Raise an error if a batch is too small for a layer."""
        smallest, rows = int((bounds[:, 1] - bounds[:, 0]).min()), int(bounds[-1, 1])
        self.network.check_rows(
            smallest,
            f"with {rows} rows and batch_size={self.recipe.batch_size or rows} the last batch has {smallest}; "
            "choose another batch_size",
        )

    def set_steps(self, engine: str, fits: int) -> None:
        """Create the program of a step and choose the engine that runs it; SciPy runs L-BFGS."""
        if self.optimizer.takes_batches:
            self.steps = self.steps_of_batches(self.optimizer, engine, fits)
            self.program, self.history.engine = self.steps.program, self.steps.name
            self.blocks = self.make_blocks(self.steps)
        else:
            self.program = self.program_for_scipy(engine)
            self.history.engine = "reference (SciPy makes the steps)"
        self.state = State(self.network.start_values(self.program))

    def steps_of_batches(self, optimizer: Part, engine: str, fits: int) -> Steps:
        """Return what runs the steps: an engine in this process, or workers."""
        parts, workers = (self.network, optimizer, self.batches), self.recipe.workers
        if workers is not None:
            from workings.training.parallel.sharded_engine import parallel_steps

            return parallel_steps(*parts, self.data, workers, epochs=self.epochs, engine=engine)
        return make_steps(
            *parts,
            self.evaluation,
            epochs=self.epochs,
            engine=engine,
            worth_compiling=self.worth_compiling,
            fits=fits,
        )

    def program_for_scipy(self, engine: str) -> Program:
        """Return the program whose objective and gradient L-BFGS asks for; refuse what SciPy cannot run."""
        if self.recipe.workers is not None:
            raise InputError("L-BFGS cannot run with workers, because SciPy makes its steps.")
        if engine in ("compiled", "jax"):
            raise InputError(f"L-BFGS cannot run with engine={engine!r}, because SciPy makes its steps.")
        scipy_optimize()  # a clear error if SciPy is not installed
        check_smooth(self.network, len(self.batches))
        return self.network.step_program(weighted=self.w is not None)

    def check_monitors(self) -> None:
        """Refuse monitors that no column of the history is going to have; a user's callback may add columns."""
        monitors = [("OnPlateau", self.learning_rate.monitor)]
        for callback in self.callbacks:
            if not type(callback).__module__.startswith("workings."):
                return
            if isinstance(callback, EarlyStopping):
                monitors.append(("EarlyStopping", callback.monitor if isinstance(callback.monitor, str) else None))
        columns = [*self.evaluation.column_names, *(["lr"] if self.learning_rate.schedule is not None else [])]
        for owner, monitor in monitors:
            if monitor is not None and monitor not in columns:
                raise not_recorded(owner, monitor, columns, self.validation_name, self.metrics_name)

    def make_blocks(self, steps: Steps) -> EpochBlocks:
        """Return the runner of epoch blocks; it runs single epochs if a callback or schedule needs every epoch."""
        look_back = sum(callback.looks_back for callback in self.callbacks)
        needs_each = look_back > 1 or any(map(sees_every_epoch, self.callbacks))
        needs_each = needs_each or self.learning_rate.monitor is not None
        needs_each = needs_each or self.data.has_streams or self.recipe.workers is not None
        return EpochBlocks(
            self.network, steps, self.batches, self.evaluation, self.learning_rate,
            background=BackgroundThread(), is_allowed=not needs_each, looks_back=look_back > 0,
        )  # fmt: skip

    # -- what callbacks see ------------------------------------------------------------------

    steps: Steps
    blocks: EpochBlocks
    program: Program

    @property
    def optimizer(self) -> Part | LBFGS:
        """The optimizer."""
        return self.recipe.optimizer

    @property
    def X(self) -> Features:
        """The inputs of the training set."""
        return self.data.rows.X

    @property
    def y(self) -> Array:
        """The encoded targets of the training set."""
        return self.data.rows.y

    @property
    def w(self) -> Array | None:
        """The weights of the training set."""
        return self.data.rows.w

    @property
    def waits(self) -> bool:
        """Whether one call runs its steps and the steps of other trainings."""
        return self.recipe.optimizer.takes_batches and self.steps.waits

    @property
    def rows(self) -> Rows:
        """The training set."""
        return self.data.rows

    @property
    def validation(self) -> Rows | None:
        """The validation set."""
        return self.data.validation

    @property
    def targets(self) -> Targets:
        """The targets, with their labels."""
        return self.data.targets

    @property
    def values(self) -> dict[str, Array]:
        """Parameters, statistics and the optimizer's state."""
        return self.state.values

    @property
    def step(self) -> int:
        """The number of steps made so far."""
        return self.state.step

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return self.state.lr

    @property
    def ran(self) -> range:
        """The epochs since callbacks were last called."""
        return range(self.epoch - self.block.epochs + 1, self.epoch + 1)

    def parameters_at(self, epoch: int, *, at_its_end: bool = True) -> dict[str, Array]:
        """Return a copy of the parameters and statistics at the end, or the start, of an epoch of ``ran``."""
        index = epoch - self.ran.start - (not at_its_end)
        if not -1 <= index < self.block.epochs:
            known = f"epoch {self.epoch}" if len(self.ran) == 1 else f"epochs {self.ran.start} to {self.epoch}"
            raise InputError(f"The parameters of {known} are known, but not the parameters of epoch {epoch}.")
        values = self.block.values_at(index)
        return {name: values[name].copy() for name in (*self.network.parameters, *self.network.statistics)}

    def rate(self, t: int) -> float:
        """Return the learning rate of step ``t``, from 0."""
        return self.learning_rate.at(t)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate from the next step on; it replaces the schedule."""
        self.learning_rate.set(lr)

    def stop(self, reason: str, after: int | None = None) -> None:
        """Stop training after this epoch, or after an earlier epoch of ``ran``."""
        self.stopped = reason
        if after is not None:
            self.go_back(after)

    def not_recorded(self, owner: str, monitor: str) -> InputError:
        """Return the error for a monitor that the history has no column for."""
        return not_recorded(owner, monitor, self.history, self.validation_name, self.metrics_name)

    def notify_end(self) -> None:
        """Call ``on_train_end`` of every callback, even if one raises an error; then raise it."""
        with ExitStack() as ending:
            for callback in reversed(self.callbacks):  # the stack calls the last one first
                ending.callback(callback.on_train_end, self)

    def notify(self, method: str) -> None:
        """Call the method with this name of every callback."""
        for callback in self.callbacks:
            getattr(callback, method)(self)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A text with a checksum of the data and the batch settings, for checkpoints."""
        size = self.recipe.batch_size or len(self.X)
        how = f"shuffle={self.batches.shuffle}{self.batches.order_settings}"
        return f"{len(self.X)} rows in batches of {size}, {how}, {self.data.fingerprint()}"

    @functools.cached_property
    def parallel_engine(self) -> ParallelEngine | None:
        """The engine whose workers run the steps; None without workers."""
        if self.recipe.workers is None:
            return None
        from workings.training.parallel.sharded_engine import ParallelEngine

        return self.steps.engine if isinstance(self.steps.engine, ParallelEngine) else None

    @property
    def is_first_process(self) -> bool:
        """Whether this process writes files: the only one, or the first of a communicator."""
        return self.recipe.workers is None or self.recipe.workers.rank == 0

    def check_processes(self, content: object, what: str) -> None:
        """Raise an error if something differs between the processes of a communicator."""
        if self.parallel_engine is not None:
            self.parallel_engine.check_equal([content], what)

    # -- called by the loop ------------------------------------------------------------------

    def share(self, interruption: Interruption) -> None:
        """Let Ctrl-C in one process of a communicator end the training in all."""
        if self.parallel_engine is not None:
            self.parallel_engine.share(interruption)

    def accept(self, block: Block) -> None:
        """Take over the state after a block of epochs, and add its columns to the history."""
        self.epoch, self.block, self.state = self.epoch + block.epochs - 1, block, block.after
        self.network.set_values(self.values)
        self.history.add_many(**block.columns)
        monitor = self.learning_rate.monitor
        if monitor is not None:
            if monitor not in self.history:
                raise self.not_recorded("OnPlateau", monitor)
            self.learning_rate.follow(self.history[monitor][-1])
        self.remember()

    def begin(self) -> None:
        """Remember the state before the first epoch."""
        self.remember()
        self.start, self.began_fresh = self.state, self.network.is_fresh

    def remember(self) -> None:
        """Remember the state after the last recorded epoch."""
        self.record = Record(self.state, self.history.epochs, dict(self.learning_rate.plateau))

    def begin_drawing(self) -> Position:
        """Add the state of the random draws to the record, before the next epochs draw; return this state."""
        position = self.batches.position()
        self.record = self.record._replace(position=position)
        return position

    def return_to_record(self) -> None:
        """Return to the end of the last recorded epoch: parameters, history, learning rate and random draws."""
        self.state, self.learning_rate.plateau = self.record.state, dict(self.record.plateau)
        self.history.forget_after(self.record.epochs)
        if self.record.position is not None:
            self.batches.go_to(self.record.position)
        self.network.set_values(self.values, is_fresh=self.began_fresh and not self.record.epochs)

    def go_back(self, epoch: int) -> None:
        """Undo the epochs after an epoch of ``ran``; the optimizer's state is not restored, because training ends."""
        beyond, block = self.epoch - epoch, self.block
        if beyond == 0:
            return
        assert block.position is not None
        values = {**self.values, **self.parameters_at(epoch)}
        self.batches.go_to(block.position)
        state = block.before.copy()
        for stretch in self.batches.stretches(block.epochs - beyond, state, self.learning_rate):  # draws the same again
            state.after(stretch)
        state.values = values
        self.epoch, self.state = epoch, state
        self.block = Block(block.epochs - beyond, block.before, state, block.position, block.kept)
        self.network.set_values(values)
        self.history.forget_after(self.history.epochs - beyond)
        self.remember()

    def objective_now(self) -> float:
        """Return the objective on the training set, and check that it is finite.

        Raises
        ------
        DivergenceError
            If it is not finite.
        """
        if self.parallel_engine is not None:
            J = self.parallel_engine.objective(self.values)
        else:
            J = self.evaluation.objective(self.rows, epoch_of_one(self.network, self.values))
        if not np.isfinite(J):
            self.fail_between_steps(J, self.block.before.values)
        return J

    def objective_of_network(self) -> float:
        """Return the objective on the training set at the parameters of the network, without compiled code."""
        if self.rows.are_streamed:
            values = {**self.network.parameters, **self.network.statistics}
            return self.evaluation.objective(self.rows, epoch_of_one(self.network, values))
        return self.network.measure(*self.rows)[0]

    def check_end(self) -> None:
        """Check that the parameters after the last step are usable; if some are large, J must still be finite."""
        bound = math.sqrt(float(np.finfo(self.X.dtype).max))
        if not all(np.abs(value).max(initial=0) < bound for value in self.values.values()):
            self.objective_now()

    def fail_between_steps(self, J: float, last: dict[str, Array]) -> NoReturn:
        """Find out why the objective is not finite and raise the error; ``last`` are the last finite parameters."""
        has_rate = self.learning_rate.schedule is not None
        rate = (self.lr if self.step else self.rate(0)) if has_rate else None
        self.fail(divergence.between_steps(self.network, self.values, self.rows, J, self.step, rate, last))

    def fail(self, found: Divergence) -> NoReturn:
        """Restore the best finite parameters that are known and raise the error."""
        kept = self.keep_best_of(found)
        self.history.stopped = f"diverged {found.moment}: {found.name} was the first that was not finite"
        raise DivergenceError(
            f"Training diverged: {found.message} {kept}", name=found.name, step=found.step, history=self.history
        )

    def keep_best_of(self, found: Divergence) -> str:
        """Keep the last finite parameters, or earlier ones with a lower objective; return which, in words.

        The last finite parameters may be so large that no further training can start from them.
        """
        known = {"its last finite parameters": found.values}
        if self.record.epochs:
            known[f"the parameters of epoch {self.record.epochs - 1}"] = self.record.state.values
        known["the parameters that training began with"] = self.start.values
        objectives = {}
        for words, values in known.items():
            self.network.set_values(values)
            J = self.objective_of_network()
            objectives[words] = float(J) if np.isfinite(J) else math.inf
        last, best = next(iter(known)), min(objectives, key=lambda words: objectives[words])
        self.network.set_values(known[best])
        if best == last:
            return f"The network has {last}."
        return f"The network has {best}: their objective is {objectives[best]:g}, not {objectives[last]:g}."
