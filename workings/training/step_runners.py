"""Steps: the program of a training step, and the engine that runs it."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from workings.engines.choice import choose
from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Engine, Stretch
from workings.engines.reference import ReferenceEngine
from workings.errors import NotCompilableError
from workings.metrics import METRICS
from workings.model.model import Model
from workings.optimizers import Part
from workings.program.program import Program
from workings.support.arrays import Array, as_random
from workings.support.sparse import SparseRows
from workings.training.batches import Batches, State
from workings.training.evaluation import Evaluation

MOST_TOGETHER = 32  # trainings whose steps run in one call: each needs memory for its epochs
T = TypeVar("T")


@dataclass(frozen=True)
class Steps:
    """The program of a training step and the engine that runs it.

    Attributes
    ----------
    program : Program
        The statements of one step.
    engine : Engine
        The engine that runs the steps.
    name : str
        The name of the engine, and the reason for choosing it.
    outputs : tuple of str
        What compiled steps return in addition to their objectives: the predictions for each row.
    allows_background : bool
        Whether epochs may be evaluated in a background thread.
    together : int
        The number of trainings whose steps run in one call: with more than one, steps are handed to the caller.
    """

    program: Program
    engine: Engine
    name: str
    outputs: tuple[str, ...] = ()
    allows_background: bool = False
    together: int = 1

    @property
    def waits(self) -> bool:
        """Whether the caller runs the steps, to run several trainings in one call."""
        return self.together > 1

    def seconds(self, steps: int) -> float:
        """Return about how long the steps of all trainings take, from earlier ones; infinity if that is not known."""
        per_step = self.engine.seconds_per_step if isinstance(self.engine, CompiledEngine) else math.inf
        return per_step * steps * self.together

    def advance(self, state: State, stretch: Stretch) -> Waiting[Array]:
        """Run the steps of a stretch, update the state, and return the objectives of the steps."""
        steps = PendingSteps(self.engine, stretch, state.values)
        objectives = (yield steps) if self.waits else steps.engine.run(stretch, state.values)
        state.after(stretch)
        return np.asarray(objectives)


class PendingSteps(NamedTuple):
    """Steps of a training that wait until they are run: the engine, the stretch and the values that they change."""

    engine: Engine
    stretch: Stretch
    values: dict[str, Array]


Waiting = Generator[PendingSteps, Sequence[float] | Array, T]  # a computation that waits for its steps


def completed(computation: Waiting[T]) -> T:
    """Return the result of a computation that runs its steps itself."""
    try:
        next(computation)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("only several trainings wait for their steps")


def run_pending(several: Sequence[PendingSteps]) -> list[Sequence[float] | Array]:
    """Run the steps of several trainings, with one call for each compiled engine; return the objectives of each."""
    objectives: dict[int, Sequence[float] | Array] = {}
    by_engine: dict[int, list[int]] = {}
    for number, steps in enumerate(several):
        by_engine.setdefault(id(steps.engine), []).append(number)
    for numbers in by_engine.values():
        engine, chosen = several[numbers[0]].engine, [several[number] for number in numbers]
        if isinstance(engine, CompiledEngine):
            found: Sequence[Sequence[float] | Array] = engine.run_many(
                [steps.stretch for steps in chosen], [steps.values for steps in chosen]
            )
        else:
            found = [engine.run(steps.stretch, steps.values) for steps in chosen]
        objectives.update(zip(numbers, found, strict=True))
    return [objectives[number] for number in range(len(several))]


def is_finite(objectives: Array, state: State) -> bool:
    """Whether the objectives are finite; without objectives, whether the state is."""
    return all(np.isfinite(value).all() for value in ([objectives] if len(objectives) else state.values.values()))


def make_steps(
    model: Model,
    optimizer: Part,
    batches: Batches,
    evaluation: Evaluation,
    *,
    epochs: int,
    engine: str,
    worth_compiling: float,
    fits: int = 1,
) -> Steps:
    """Write the program of a step and choose the engine that runs it, for one training or for several (``fits``).

    Raises
    ------
    NotCompilableError
        When ``engine="compiled"`` or ``engine="jax"`` and something cannot be compiled.
    """
    rows, without_J = batches.rows, evaluation.passes_for_loss  # J comes from a separate forward pass
    key = ("step", *optimizer.identity, rows.w is not None, without_J)

    def write() -> tuple[Program, Program]:
        program = model.step_program(optimizer, weighted=rows.w is not None)
        return program, program.needed_for(*program.carried) if without_J else program

    program, run = model.runner(key, write)
    values = model.start_values(program)
    in_step = int(batches.bounds[0, 1])
    name, why = choose(
        engine,
        run,
        values,
        in_step,
        epochs * len(batches),
        worth_compiling,
        is_sparse=isinstance(rows.X, SparseRows),
        fits=fits,
    )
    if name == "jax":
        from workings.engines.jax import JaxEngine

        on_device: JaxEngine = model.runner((*key, name), lambda: JaxEngine(run))
        on_device.check(example(batches), values)
        return Steps(program, on_device, f"{name} ({why}, on {on_device.device})")
    if name == "compiled":
        try:
            steps = compiled_steps(model, program, run, key, batches, evaluation, f"{name} ({why})")
            return replace(steps, together=min(fits, MOST_TOGETHER))
        except NotCompilableError as error:
            if engine == "compiled":
                raise
            name, why = "reference", str(error)
    return Steps(program, model.runner((*key, name), lambda: ReferenceEngine(run)), f"{name} ({why})")


def compiled_steps(
    model: Model,
    program: Program,
    run: Program,
    key: tuple[object, ...],
    batches: Batches,
    evaluation: Evaluation,
    name: str,
) -> Steps:
    """Compile the steps and the evaluation.

    Raises
    ------
    NotCompilableError
        If something cannot be compiled.
    """
    outputs = outputs_of_steps(model, batches, evaluation)
    with_outputs = evaluation.with_outputs(run) if outputs else run
    engine: CompiledEngine = model.runner((*key, "compiled", outputs), lambda: CompiledEngine(with_outputs, outputs))
    values = model.start_values(program)
    engine.source(example(batches), values)
    ours = all(metric in METRICS.values() for metric in evaluation.metrics.values())  # others may not be thread-safe
    evaluation.compile_all(epoch_of_one(model, values))
    return Steps(program, engine, name, outputs, ours and not engine.shares)


def outputs_of_steps(model: Model, batches: Batches, evaluation: Evaluation) -> tuple[str, ...]:
    """Return the outputs of compiled steps from which the training metrics are computed, if that is possible.

    A full-batch step starts with the predictions at the end of the epoch before.
    """
    is_inference = len(batches) == 1 and not batches.draws and not model.statistics
    return evaluation.outputs if evaluation.metrics and is_inference else ()


def example(batches: Batches) -> Stretch:
    """Return a stretch with the types and the structure of the training's stretches, to compile for."""
    rows, order = batches.rows, np.zeros(len(batches.rows.X), np.int64) if batches.shuffle else None
    draws = batches.model.draw_masks(1, as_random(0))
    bounds = batches.bounds[[0, -1]]
    return Stretch(rows.X, rows.y, bounds, np.zeros(1), 1, order, rows.w, draws, batch_sizes=batches.batch_sizes)


def epoch_of_one(model: Model, values: dict[str, Array]) -> dict[str, Array]:
    """Return parameters and statistics with a first dimension of 1, as if they were kept from a block of one epoch."""
    return {name: values[name][None] for name in (*model.parameters, *model.statistics)}
