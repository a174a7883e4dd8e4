"""A training: the model, the data, the recipe, and how far it is; what callbacks see.

It puts the parts together and holds the state.  The parts know nothing of each other's work: ``batches`` draws,
``steps`` runs the engine, ``evaluation`` measures, ``epoch_blocks`` runs several epochs at once.  ``loop`` is what
happens in each epoch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import numpy as np

from workings.engines.choice import ENGINES, WORTH_COMPILING
from workings.errors import DivergenceError, InputError, unknown_name
from workings.model.model import Model
from workings.model.targets import Targets
from workings.optimizers import LBFGS, Part
from workings.program.program import Program
from workings.support.arrays import Array, Features
from workings.training import divergence
from workings.training.background import Aside
from workings.training.batches import Batches, State, cut
from workings.training.callbacks import sees_every_epoch
from workings.training.data import TrainingData
from workings.training.divergence import Divergence
from workings.training.epoch_blocks import Block, EpochBlocks
from workings.training.evaluation import Evaluation
from workings.training.history import History, not_recorded
from workings.training.learning_rate import LearningRate
from workings.training.recipe import Recipe
from workings.training.rows import Rows
from workings.training.steps import Steps, epoch_of_one, make_steps

FirstLook = Callable[["Training"], Any]  # examines a training before its first step; returns its diagnosis


class Training:
    """A running training: what callbacks see.

    Attributes
    ----------
    network : Model
    recipe : Recipe
    history : History
    epoch, epochs : int
        The current epoch, from 0, and how many there are to be.
    ran : range
        The epochs since callbacks were last called; several, where no callback needs each.
    step : int
        How many steps have been made.
    stopped : str
        Why training is to end after this epoch; empty while it goes on.
    """

    worth_compiling: ClassVar[float] = WORTH_COMPILING  # seconds that compiling must save where nobody asked for it
    validation_name: ClassVar[str] = "validation"  # what users call it, for error messages
    metrics_name: ClassVar[str] = "metrics"  # likewise; empty where users cannot ask for them

    def __init__(
        self,
        network: Model,
        data: TrainingData,
        recipe: Recipe,
        *,
        engine: str = "auto",
        first_look: FirstLook | None = None,
    ) -> None:
        if engine not in ENGINES:
            raise unknown_name("engine", engine, ENGINES)
        self.network, self.data, self.recipe = network, data, recipe
        self.epochs, self.callbacks = recipe.epochs, tuple(recipe.callbacks)
        bounds = self.cut(len(data.rows.X), recipe.batch_size or len(data.rows.X))
        self.check_batches(bounds)
        self.batches = self.make_batches(network, data.rows, bounds, recipe.shuffle and len(bounds) > 1)
        self.evaluation = Evaluation(
            network, data, recipe.chosen_metrics, passes_for_loss=len(bounds) > 1 and not recipe.running_loss
        )
        self.learning_rate = LearningRate(recipe.schedule)
        network.targets = data.targets
        self.history = History()
        self.epoch, self.stopped = 0, ""
        self.result: Any = None  # what SciPy says of L-BFGS at its end
        self.set_steps(engine)
        self.history.settings = recipe.summary()
        if network.is_fresh:
            beginning = {**network.parameters, **network.statistics}
            self.history.begun = {name: value.copy() for name, value in beginning.items()}
        self.history.diagnosis = None if first_look is None else first_look(self)
        self.block = Block(1, self.state, self.state)

    # -- making the parts --------------------------------------------------------------------

    def cut(self, rows: int, batch_size: int) -> Array:
        """Return where the batches begin and end."""
        return cut(rows, batch_size)

    def make_batches(self, network: Model, rows: Rows, bounds: Array, shuffle: bool) -> Batches:
        """Return the batches, with their way of drawing orders."""
        return Batches(network, rows, bounds, shuffle)

    def check_batches(self, bounds: Array) -> None:
        """Refuse batches that are too small for a layer."""
        smallest, rows = int((bounds[:, 1] - bounds[:, 0]).min()), int(bounds[-1, 1])
        self.network.check_rows(
            smallest,
            f"with {rows} rows and batch_size={self.recipe.batch_size or rows} the last batch has {smallest}; "
            "choose another batch_size",
        )

    def set_steps(self, engine: str) -> None:
        """Write the program of a step and choose what runs it: an engine, or SciPy for L-BFGS."""
        network, optimizer = self.network, self.recipe.optimizer
        if isinstance(optimizer, LBFGS):
            if engine == "compiled":
                raise InputError("L-BFGS is run by SciPy, which asks for gradients: it cannot be compiled.")
            self.program = network.step_program(weighted=self.w is not None)
            self.history.engine = "reference (SciPy makes the steps)"
        else:
            self.steps = make_steps(
                network, optimizer, self.batches, self.evaluation, epochs=self.epochs, engine=engine,
                worth_compiling=self.worth_compiling,
            )  # fmt: skip
            self.program, self.history.engine = self.steps.program, self.steps.name
            self.blocks = self.make_blocks(self.steps)
        self.state = State(network.start_values(self.program))

    def make_blocks(self, steps: Steps) -> EpochBlocks:
        """Return what runs several epochs at once, where no callback and no schedule needs each of them."""
        look_back = sum(callback.looks_back for callback in self.callbacks)
        needs_each = look_back > 1 or any(map(sees_every_epoch, self.callbacks))
        needs_each = needs_each or self.learning_rate.monitor is not None
        return EpochBlocks(
            self.network, steps, self.batches, self.evaluation, self.learning_rate,
            background=Aside(), is_allowed=not needs_each, looks_back=look_back > 0,
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
        """The targets of the training set, as the program takes them."""
        return self.data.rows.y

    @property
    def w(self) -> Array | None:
        """The weights of the training set."""
        return self.data.rows.w

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
        """How many steps have been made."""
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
        """Return a copy of the parameters and statistics at the end, or the beginning, of one of the epochs ``ran``."""
        values = self.block.values_at(epoch - self.ran.start - (not at_its_end))
        return {name: values[name].copy() for name in (*self.network.parameters, *self.network.statistics)}

    def rate(self, t: int) -> float:
        """Return the learning rate of step ``t``, from 0."""
        return self.learning_rate.at(t)

    def set_rate(self, lr: float) -> None:
        """Set the learning rate from the next step on, whatever the schedule says."""
        self.learning_rate.set(lr)

    def stop(self, reason: str, after: int | None = None) -> None:
        """End training after this epoch, or after one of those ``ran``."""
        self.stopped = reason
        if after is not None:
            self.go_back(after)

    def not_recorded(self, owner: str, monitor: str) -> InputError:
        """Return the error for a monitor that the history has no column for."""
        return not_recorded(owner, monitor, self.history, self.validation_name, self.metrics_name)

    def tell(self, moment: str) -> None:
        """Call a method of every callback."""
        for callback in self.callbacks:
            getattr(callback, moment)(self)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A short text that changes with the data and the batches, for checkpoints."""
        size = self.recipe.batch_size or len(self.X)
        return f"{len(self.X)} rows in batches of {size}, shuffle={self.batches.shuffle}, {self.data.fingerprint()}"

    # -- what the loop does to it ------------------------------------------------------------

    def accept(self, block: Block) -> None:
        """Make the result of some epochs that of the training, and record it."""
        self.epoch, self.block, self.state = self.epoch + block.epochs - 1, block, block.after
        self.network.keep(self.values)
        self.history.add_many(**block.columns)
        monitor = self.learning_rate.monitor
        if monitor is not None:
            if monitor not in self.history:
                raise self.not_recorded("OnPlateau", monitor)
            self.learning_rate.follow(self.history[monitor][-1])

    def go_back(self, epoch: int) -> None:
        """Forget the epochs after one of those ``ran``; the optimizer's state is not needed any more."""
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
        self.network.keep(values)
        self.history.forget(beyond)

    def objective_now(self) -> float:
        """Return the objective on the training set, which must be finite.

        Raises
        ------
        DivergenceError
            If it is not.
        """
        J = float(self.evaluation.look(self.rows, epoch_of_one(self.network, self.values))[0][0])
        if not np.isfinite(J):
            self.fail_between_steps(J, self.block.before.values)
        return J

    def check_end(self) -> None:
        """Make sure that the last step led to numbers that can be used; large ones must still give an objective."""
        bound = math.sqrt(float(np.finfo(self.X.dtype).max))
        if not all(np.abs(value).max(initial=0) < bound for value in self.values.values()):
            self.objective_now()

    def fail_between_steps(self, J: float, last: dict[str, Array]) -> NoReturn:
        """Say why the objective is not finite; ``last`` are the last finite parameters."""
        has_rate = self.learning_rate.schedule is not None
        rate = (self.lr if self.step else self.rate(0)) if has_rate else None
        self.fail(divergence.between_steps(self.network, self.values, self.rows, J, self.step, rate, last))

    def fail(self, found: Divergence) -> NoReturn:
        """Put the last finite parameters back and raise the error."""
        self.network.keep(found.values)
        self.history.stopped = f"diverged {found.moment}: {found.name} was the first that was not finite"
        raise DivergenceError(
            f"Training diverged: {found.message} The network has its last finite parameters.",
            name=found.name, step=found.step, history=self.history,
        )  # fmt: skip
