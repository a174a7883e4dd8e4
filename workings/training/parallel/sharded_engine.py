"""The parallel engine: runs training steps whose batches are cut into shards.

It takes the same stretches as other engines.  It cuts each batch into shards of a fixed number of rows; an exchange
computes them, adds them up and makes the step.  On each shard, another engine runs a part of the same program.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from workings.engines.choice import choose
from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Stretch
from workings.engines.jax import JaxEngine
from workings.errors import NotCompilableError, count_of
from workings.model.model import Model
from workings.optimizers import Part
from workings.program.program import Program
from workings.program.step import step_program, update_program
from workings.support.arrays import Array, Values
from workings.support.interruption import Interruption
from workings.support.sparse import SparseRows
from workings.training.batches import Batches
from workings.training.parallel.checks import check_additive, check_network
from workings.training.parallel.exchanges import CommunicatorExchange, Round, exchange_for
from workings.training.parallel.parallel_settings import Workers
from workings.training.parallel.row_files import RowsInFile
from workings.training.parallel.shard_tasks import Job, Shard, StepResults
from workings.training.rows import Rows
from workings.training.step_runners import Steps, example
from workings.training.training_data import TrainingData

MOST_PIECES = 4096  # of all rows, when their losses are computed
CHECKSUM = 0xFFFFF  # 20 bits, whose squares are added exactly


class ParallelEngine:
    """Runs training steps with workers.

    Parameters
    ----------
    model : Model
    data : TrainingData
        The training set, and the encoder of the targets.
    job : Job
        What all tasks share.
    workers : Workers
        The settings.
    """

    name = "parallel"

    numbers: Array | None = None  # of the training rows in the file; None if it has no others

    def __init__(self, model: Model, data: TrainingData, job: Job, workers: Workers) -> None:
        rows = data.rows
        self.model, self.rows, self.job, self.settings = model, rows, job, workers
        source: Rows | RowsInFile = Rows(rows.X, rows.y)
        if workers.data is not None:
            encoding = "" if model.preprocessing is None else json.dumps(model.preprocessing)
            source = RowsInFile(workers.data, data.targets, model.n_in or 1, model.dtype.name, encoding)
            source.check(rows, data.given, data.numbers)
            self.numbers = data.numbers
        self.exchange = exchange_for(workers, job, source)
        if isinstance(self.exchange, CommunicatorExchange):
            about = (repr(workers), str(job.steps), str(job.update), rows.fingerprint())
            self.check_equal(about, "their data, network or settings")

    def run(self, stretch: Stretch, values: dict[str, Array]) -> list[float]:
        """Run the steps and replace ``values``; return the objective J of each step."""
        drawn = (stretch.order, *stretch.draws.values(), np.asarray(stretch.lr), stretch.first_step)
        self.check_equal((*values.values(), *drawn), "their parameters, random numbers or learning rates")
        progress = StepResults(dict(values), [])
        for steps, slot in self.segments(stretch):
            rounds = [self.round(stretch, group) for group in self.groups(steps)]
            progress = self.exchange.run(progress, rounds)
            for name, kept in stretch.kept.items() if slot >= 0 else ():
                kept[slot] = progress.values[name]
        values.update(progress.values)
        return progress.objectives

    def objective(self, values: Mapping[str, Array]) -> float:
        """Return the objective J on all training rows, from the losses that the workers compute."""
        n, w = len(self.rows.X), self.rows.w
        size = max(self.settings.shard_rows, n // MOST_PIECES)
        pieces = [self.in_source(slice(start, min(start + size, n))) for start in range(0, n, size)]
        now = {name: values[name] for name in (*self.model.parameters, *self.model.statistics)}
        losses = np.concatenate(self.exchange.losses(now, pieces))
        _, whole = self.model.runner(("J", w is not None, True), lambda: self.model.measuring(w is not None, True))
        (J,) = whole({**now, "losses": losses, "y": self.rows.y, "n": n, "w": w})
        return float(J)

    def check_equal(self, content: Iterable[object], what: str) -> None:
        """Check that all processes of a communicator have the same arrays, numbers or texts.

        Raises
        ------
        InputError
            In every process, if they differ.
        """
        if isinstance(self.exchange, CommunicatorExchange):
            crc = 0
            for one in content:
                crc = zlib.crc32(one.tobytes() if isinstance(one, np.ndarray) else repr(one).encode(), crc)
            self.exchange.check_equal(crc & CHECKSUM, what)

    def share(self, interruption: Interruption) -> None:
        """Let Ctrl-C in one process of a communicator end the training in all, at the same step."""
        if isinstance(self.exchange, CommunicatorExchange):
            self.exchange.interruption = interruption
            interruption.total = self.exchange.total

    # -- cutting -----------------------------------------------------------------------------

    def segments(self, stretch: Stretch) -> Iterator[tuple[range, int]]:
        """Yield the steps of each epoch in a stretch, and the place where the values after them are recorded."""
        first, steps = 0, len(stretch.batches)
        slots = np.full(steps, -1) if stretch.kept_at is None else np.asarray(stretch.kept_at)
        for step in range(steps):
            if slots[step] >= 0 or step + 1 == steps:
                yield range(first, step + 1), int(slots[step])
                first = step + 1

    def groups(self, steps: range) -> Iterator[range]:
        """Yield the steps of each exchange."""
        size = self.settings.local_steps
        for first in range(steps.start, steps.stop, size):
            yield range(first, min(first + size, steps.stop))

    def round(self, stretch: Stretch, steps: range) -> Round:
        """Return the shards of the steps of one exchange, and the numbers of the update."""
        bounds = np.asarray(stretch.batches)[steps.start : steps.stop].tolist()
        rates = [float(lr) for lr in stretch.lr[steps.start : steps.stop]]
        first, size = stretch.first_step + steps.start, self.settings.shard_rows
        shards = []
        for number, offset in enumerate(range(0, max(stop - start for start, stop in bounds), size)):
            parts = [
                slice(start + offset, min(start + offset + size, stop))
                for start, stop in bounds
                if start + offset < stop
            ]
            shards.append(self.shard(stretch, number, parts, bounds, rates, first))
        inputs: dict[str, Values] = {"n": bounds[0][1] - bounds[0][0], "lr": rates[0], "t": first}
        if stretch.w is not None:
            inputs["w"] = at_positions(stretch.w, stretch.order, [slice(*bounds[0])])
        return Round(shards, inputs)

    def shard(
        self,
        stretch: Stretch,
        number: int,
        parts: Sequence[slice],
        bounds: Sequence[Sequence[int]],
        rates: Sequence[float],
        first_step: int,
    ) -> Shard:
        """Return one shard, whose rows are at the positions ``parts`` of the batches with these bounds."""
        lengths = np.array([part.stop - part.start for part in parts])
        ends = np.cumsum(lengths)
        draws = {name: at_positions(array, None, parts) for name, array in stretch.draws.items()}
        whole = [slice(start, stop) for start, stop in bounds]
        shares = [self.weight(stretch, [part], [batch]) for part, batch in zip(parts, whole, strict=False)]
        return Shard(
            number, self.chosen(stretch, parts), np.column_stack([ends - lengths, ends]),
            self.weight(stretch, parts, whole), np.array(shares), list(rates[: len(parts)]), first_step, draws,
            None if stretch.w is None else at_positions(stretch.w, stretch.order, parts),
        )  # fmt: skip

    def chosen(self, stretch: Stretch, parts: Sequence[slice]) -> Rows | Array | slice:
        """Return the indices of the rows at some positions; the rows themselves if the stretch has its own rows."""
        positions = parts[0] if len(parts) == 1 else np.concatenate([np.arange(p.start, p.stop) for p in parts])
        where = positions if stretch.order is None else stretch.order[positions]
        if has_all(stretch, self.rows):
            return self.in_source(where)
        return Rows(stretch.X, stretch.y).take(where)

    def in_source(self, where: Array | slice) -> Array | slice:
        """Return where some rows of the training set are in the source of the workers."""
        return where if self.numbers is None else self.numbers[where]

    def weight(self, stretch: Stretch, parts: Sequence[slice], whole: Sequence[slice]) -> float:
        """Return the factor of a shard: its share of the rows or of their weights; 1 if the loss is a sum."""
        if self.model.loss.reduction == "sum":
            return 1.0
        if stretch.w is None:
            own, all_rows = (sum(part.stop - part.start for part in some) for some in (parts, whole))
            return float(own / all_rows)
        own_weight, weight = (
            float(at_positions(stretch.w, stretch.order, some).sum(dtype=np.float64)) for some in (parts, whole)
        )
        return own_weight / weight


def has_all(stretch: Stretch, rows: Rows) -> bool:
    """Whether a stretch has all training rows in their order, and not copies of some of them."""
    if not (isinstance(rows.y, np.ndarray) and len(stretch.y) == len(rows.y)):
        return False
    return bool(np.may_share_memory(stretch.y, rows.y))


def at_positions(array: Array, order: Array | None, parts: Sequence[slice]) -> Array:
    """Return the rows of an array at some positions of an order."""
    chosen = [array[part] if order is None else array[order[part]] for part in parts]
    return chosen[0] if len(chosen) == 1 else np.concatenate(chosen)


def parallel_steps(
    model: Model, optimizer: Part, batches: Batches, data: TrainingData, workers: Workers, *, epochs: int, engine: str
) -> Steps:
    """Write the program of a step, and choose the engine that workers run.

    Raises
    ------
    InputError
        If a part of the network needs whole batches.
    NotCompilableError
        When ``engine="compiled"`` or ``engine="jax"`` and something cannot be compiled.
    """
    check_network(model, workers)
    weighted, is_local = batches.rows.w is not None, workers.local_steps > 1
    program = model.step_program(optimizer, weighted=weighted)
    job = local_job(model, program) if is_local else gradient_job(model, optimizer, weighted)
    rows = min(workers.shard_rows, int(batches.bounds[0, 1]))
    shards = -(-int(batches.bounds[0, 1]) // workers.shard_rows)
    name, why = choose(
        engine,
        job.steps,
        model.start_values(program),
        rows,
        epochs * len(batches) * shards,
        is_sparse=isinstance(batches.rows.X, SparseRows),
    )
    try:
        check_engine(name, job, model, batches, rows)
    except NotCompilableError as error:
        if engine != "auto":
            raise
        name, why = "reference", str(error)
    job = replace(job, engine=name)
    if not is_local:
        check_additive(job, model, batches)
    made = ParallelEngine(model, data, job, workers)
    how = f"{count_of(shards, 'shard')} of {count_of(rows, 'row')} in each batch, computed by {made.exchange.name}"
    how += f", averaged after {workers.local_steps} steps" if is_local else ""
    return Steps(program, made, f"{name} ({why}), {how}")


def gradient_job(model: Model, optimizer: Part, weighted: bool) -> Job:
    """Return a job whose tasks compute gradients."""
    update = update_program(model.layers, model.regularizers, optimizer, weighted=weighted)
    gradients = step_program(model.layers, model.loss, weighted=weighted)
    shapes = {f"d{name}": view.shape for name, view in model.parameters.items() if f"d{name}" in update.inputs}
    gradients = replace(gradients.needed_for("J", *shapes), states=tuple(shapes))
    return Job(uuid.uuid4().hex, gradients, update, "reference", shapes, model.dtype.name, losses_program(model))


def local_job(model: Model, program: Program) -> Job:
    """Return a job whose tasks make whole steps."""
    shapes = {name: value.shape for name, value in model.start_values(program).items()}
    return Job(uuid.uuid4().hex, program, None, "reference", shapes, model.dtype.name, losses_program(model))


def losses_program(model: Model) -> Program:
    """Return the program of the loss of each row."""
    return model.inference_program().needed_for("losses")


def check_engine(name: str, job: Job, model: Model, batches: Batches, rows: int) -> None:
    """Raise an error if an engine cannot run the tasks of a job."""
    values: dict[str, Array] = {**model.start_values(job.steps)} if job.update is None else {}
    values |= {**model.parameters, **model.statistics}
    values |= {} if job.update is None else {key: np.zeros(shape, job.dtype) for key, shape in job.shapes.items()}
    stretch = replace(example(batches), batches=np.array([[0, rows]]), order=None)
    if name == "compiled":
        CompiledEngine(job.steps).source(stretch, values)
    elif name == "jax":
        JaxEngine(job.steps).check(stretch, values)
