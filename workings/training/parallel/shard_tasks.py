"""Tasks of data-parallel training: pure functions, which any process can run as often as it likes.

``contribution`` computes the part of some shards in a sum; ``advance`` makes the step that follows from the whole sum.
All engines run these two functions.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Engine, Stretch
from workings.engines.jax import JaxEngine
from workings.engines.kernels.threads import OF_THREAD
from workings.engines.reference import ReferenceEngine, Runner
from workings.errors import InputError
from workings.program.program import Program
from workings.support.arrays import Array, Values
from workings.training.parallel.exact_sums import MOST, ExactSum, sum_of
from workings.training.rows import Rows, RowSource

ENGINES: dict[str, type[ReferenceEngine] | type[CompiledEngine] | type[JaxEngine]] = {
    kind.name: kind for kind in (ReferenceEngine, CompiledEngine, JaxEngine)
}
MOST_JOBS = 16  # whose engines a process keeps


@dataclass(frozen=True, eq=False)
class Job:
    """What all tasks of a training share.

    Attributes
    ----------
    token : str
        Identifies the job, so that a process prepares its engine once.
    steps : Program
        What is run on each shard: its gradients, or whole steps on it.
    update : Program or None
        The update from the gradients; None if whole steps are run on each shard.
    engine : str
        The name of the engine that runs ``steps``.
    shapes : dict of str to tuple
        The names and shapes of the arrays that are summed: gradients, or values that steps change.
    dtype : str
        The precision of the network.
    losses : Program
        The loss of each row, for predictions.
    """

    token: str
    steps: Program
    update: Program | None
    engine: str
    shapes: Mapping[str, tuple[int, ...]]
    dtype: str
    losses: Program

    def __hash__(self) -> int:
        return hash(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job) and self.token == other.token

    @property
    def precision(self) -> int:
        """The number of parts of an exact sum; averages of an optimizer's state need remainders."""
        return 1 if self.update else 2

    @property
    def size(self) -> int:
        """The number of entries of a sum."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def arrays(self, flat: Array) -> dict[str, Array]:
        """Return the arrays in a flat vector by name, in the precision of the network."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()])
        parts = np.split(flat, ends[:-1])
        return {
            name: part.reshape(shape).astype(self.dtype, copy=False)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


class Shard(NamedTuple):
    """Rows that one task computes: a part of a batch, or of several consecutive batches.

    Attributes
    ----------
    number : int
        Its place among the shards of the batch.
    rows : int array, slice or Rows
        Which rows of the training set, or the rows themselves.
    bounds : int array of shape (steps, 2)
        The range of its rows in each step.
    weight : float
        The factor of its part in the sum.
    shares : array of shape (steps,)
        The factor of its objective in each step.
    lr : list of float
        The learning rate of each step.
    first_step : int
        The number of the first step.
    draws : dict of str to array
        Dropout masks for its rows.
    w : array of shape (rows, 1) or None
        The weights of its rows.
    """

    number: int
    rows: Rows | Array | slice
    bounds: Array
    weight: float
    shares: Array
    lr: list[float]
    first_step: int
    draws: Mapping[str, Array]
    w: Array | None = None

    def with_rows(self, data: RowSource) -> Shard:
        """Return the shard with its rows in place of their indices."""
        return self._replace(rows=taken(self.rows, data))


def taken(chosen: Rows | Array | slice, data: RowSource | None) -> Rows:
    """Return rows as they are, and the rows of the data for indices or a slice."""
    if isinstance(chosen, Rows):
        return chosen
    assert data is not None, "a task gets indices of rows only with the data"
    return data.take(chosen)


class Contribution(NamedTuple):
    """The part of some shards in a sum, and the objective of each shard in each step; 0 for other shards."""

    total: ExactSum
    objectives: Array


def losses_of(
    job: Job, values: Mapping[str, Array], data: RowSource | None, pieces: Sequence[Rows | Array | slice]
) -> list[Array]:
    """Return the losses of some rows, piece by piece; a piece is which rows, or the rows themselves."""
    run = loss_runner(job, threading.get_ident())
    found = [taken(piece, data) for piece in pieces]
    return [run({**values, "X": rows.X, "y": rows.y, "n": len(rows.y)})[0] for rows in found]


@functools.lru_cache(maxsize=MOST_JOBS)
def loss_runner(job: Job, thread: int) -> Runner:
    """Return the losses of rows as a function."""
    return Runner(job.losses, ["losses"], "losses")


def added(*several: Contribution) -> Contribution:
    """Return the sum of contributions; any order and any grouping gives the same bits."""
    objectives = np.sum([found.objectives for found in several], axis=0)
    return Contribution(sum_of([found.total for found in several]), objectives)


class StepResults(NamedTuple):
    """The values after some steps, and the objectives of these steps."""

    values: dict[str, Array]
    objectives: list[float]


def contribution(
    job: Job, values: Mapping[str, Array], data: RowSource | None, shards: Sequence[Shard], shape: tuple[int, int]
) -> Contribution:
    """Return the part of some shards in the sum over all shards.

    Parameters
    ----------
    job : Job
    values : dict of str to array
        Parameters, and for whole steps statistics and the optimizer's state.
    data : Rows or None
        The training set, or something with a method ``take`` that returns some of its rows; None if the shards contain
        their rows.
    shards : sequence of Shard
    shape : (int, int)
        The number of steps, and of all shards.
    """
    found = Contribution(ExactSum.zero(job.size, job.precision), np.zeros(shape))
    engine = engine_of(job, threading.get_ident())
    for shard in shards:
        after, objectives = run_shard(job, engine, values, data, shard)
        summed = (after[name] if job.update else changes(after[name], values[name]) for name in job.shapes)
        found.total.add(summed, shard.weight)
        found.objectives[: len(objectives), shard.number] = shard.shares * objectives
    return found


def contribution_alone(
    job: Job,
    values: Mapping[str, Array] | StepResults,
    data: RowSource | None,
    shards: Sequence[Shard],
    shape: tuple[int, int],
) -> Contribution:
    """Return a contribution, computed by this thread without helpers, because other workers share the processors."""
    values = values.values if isinstance(values, StepResults) else values
    before = getattr(OF_THREAD, "works_alone", False)
    OF_THREAD.works_alone = True
    try:
        return contribution(job, values, data, shards, shape)
    finally:
        OF_THREAD.works_alone = before


def changes(after: Array, before: Array) -> Array:
    """Return what was added to an array."""
    return np.subtract(after, before, dtype=np.float64)


@functools.lru_cache(maxsize=MOST_JOBS)
def engine_of(job: Job, thread: int) -> Engine:
    """Return the engine of a job; each thread has its own."""
    return ENGINES[job.engine](job.steps)


def run_shard(
    job: Job, engine: Engine, values: Mapping[str, Array], data: RowSource | None, shard: Shard
) -> tuple[dict[str, Array], Array]:
    """Run the steps of a shard; return the values after them, or the gradients, and the objective of each step."""
    rows = taken(shard.rows, data)
    after = {name: values[name] for name in job.steps.carried if name in values}
    if job.update and engine.name != "reference":  # these replace arrays, and so begin with some
        after |= {name: np.zeros(shape, job.dtype) for name, shape in job.shapes.items()}
    stretch = Stretch(rows.X, rows.y, shard.bounds, shard.lr, shard.first_step, w=shard.w, draws=shard.draws)
    objectives = engine.run(stretch, after)
    return after, np.asarray(objectives, np.float64)


def advance(
    job: Job,
    progress: StepResults,
    inputs: Mapping[str, Values],
    *contributions: Contribution,
) -> StepResults:
    """Make the step that follows from the sums over all shards.

    Parameters
    ----------
    job : Job
    progress : StepResults
        The values before the step, and the objectives of earlier steps.
    inputs : dict
        Numbers of the step: ``n``, ``lr``, ``t``, and the weights ``w`` of its rows.
    contributions : Contribution
        Those of all shards.

    Raises
    ------
    InputError
        If a sum is too large to be exact.
    """
    total, losses = contributions[0] if len(contributions) == 1 else added(*contributions)
    check_exact(total, int(inputs["t"]), is_gradient=job.update is not None)
    objectives, values = [math.fsum(step) for step in losses.tolist()], dict(progress.values)
    arrays = job.arrays(total.values())
    if job.update is None:
        values |= {name: (values[name] + change).astype(job.dtype) for name, change in arrays.items()}
    else:
        given = {**values, **arrays, **inputs, "loss": objectives[0]}
        update, names = updater(job, threading.get_ident())
        *new, J = update(given)
        values.update(zip(names, new, strict=True))
        objectives = [float(J)]
    return StepResults(values, [*progress.objectives, *objectives])


@functools.lru_cache(maxsize=MOST_JOBS)
def updater(job: Job, thread: int) -> tuple[Runner, list[str]]:
    """Return the update as a function, and the names of the values that it changes."""
    assert job.update is not None
    targets = {statement.target for statement in job.update.statements}
    names = [name for name in job.update.carried if name in targets]
    return Runner(job.update, [*names, "J"], "update"), names


def check_exact(total: ExactSum, step: int, *, is_gradient: bool) -> None:
    """Raise an error if a sum is too large to be exact, so that its order would matter."""
    if total.is_exact:
        return
    what = "gradients" if is_gradient else "changes of the parameters"
    raise InputError(
        f"At step {step} the largest {what} of the shards add up to {total.bound:,.0f}. Workers add exactly only below "
        f"{MOST:,.0f}, so that the result does not depend on their number. Scale the inputs and the targets to about "
        "-1..1, use a loss with reduction='mean', or lower the learning rate if training diverges."
    )


def parameters_of(progress: StepResults, names: Sequence[str]) -> dict[str, Array]:
    """Return the values with these names: what workers need for their gradients."""
    return {name: progress.values[name] for name in names}
