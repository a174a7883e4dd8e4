"""Steps: the program of a training step, and the engine that runs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workings.engines.choice import choose
from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Engine, Stretch
from workings.engines.jax import JaxEngine
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
    """

    program: Program
    engine: Engine
    name: str
    outputs: tuple[str, ...] = ()
    allows_background: bool = False

    def advance(self, state: State, stretch: Stretch) -> Array:
        """Run the steps of a stretch, update the state, and return the objectives of the steps."""
        objectives = np.asarray(self.engine.run(stretch, state.values))
        state.after(stretch)
        return objectives


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
) -> Steps:
    """Write the program of a step and choose the engine that runs it.

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
        engine, run, values, in_step, epochs * len(batches), worth_compiling,
        is_sparse=isinstance(rows.X, SparseRows),
    )  # fmt: skip
    if name == "jax":
        on_device: JaxEngine = model.runner((*key, name), lambda: JaxEngine(run))
        on_device.check(example(batches), values)
        return Steps(program, on_device, f"{name} ({why}, on {on_device.device})")
    if name == "compiled":
        try:
            return compiled_steps(model, program, run, key, batches, evaluation, f"{name} ({why})")
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
    return Stretch(rows.X, rows.y, batches.bounds, np.zeros(1), 1, order, rows.w, draws)


def epoch_of_one(model: Model, values: dict[str, Array]) -> dict[str, Array]:
    """Return parameters and statistics with a first dimension of 1, as if they were kept from a block of one epoch."""
    return {name: values[name][None] for name in (*model.parameters, *model.statistics)}
