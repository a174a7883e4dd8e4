"""Exchanges: who computes the contributions, and how they come together.

One class for each kind of engine: this process alone, the processes of a communicator, an executor, and a client that
takes futures as arguments.  All run the tasks of ``tasks.py``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

import numpy as np

from workings.errors import InputError, WorkersError, WorkingsError, count_of, first_line
from workings.support.arrays import Array, Values
from workings.support.interruption import Interruption
from workings.training.parallel.exact_sums import ExactSum
from workings.training.parallel.parallel_settings import Workers, is_client, is_communicator, rank_and_size
from workings.training.parallel.row_files import RowsInFile
from workings.training.parallel.shard_tasks import (
    Contribution,
    Job,
    Shard,
    StepResults,
    added,
    advance,
    contribution,
    contribution_alone,
    losses_of,
    parameters_of,
)

if TYPE_CHECKING:
    from workings.support import interfaces
    from workings.training.rows import Rows

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
ATTEMPTS = 4  # to run steps, after workers were lost with what they held
PAUSE = 1.0  # seconds before the second attempt, in which a worker can restart
FAN_IN = 4  # contributions that a worker adds up at a time
ROUNDS_AT_A_TIME = 32  # rounds whose tasks are submitted together


class Round(NamedTuple):
    """One exchange: the shards of its steps, and the numbers of the update."""

    shards: list[Shard]
    inputs: dict[str, Values]

    @property
    def shape(self) -> tuple[int, int]:
        """The number of its steps, and of its shards."""
        return max(len(shard.bounds) for shard in self.shards), len(self.shards)


class Exchange(Protocol):
    """Runs rounds."""

    def run(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Run rounds one after the other, and return the progress after them."""
        ...

    def losses(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Return the losses of the training rows, piece by piece."""
        ...

    @property
    def name(self) -> str:
        """What computes the shards, in words."""
        ...


class ThisProcess:
    """Computes all shards in this process."""

    name = "this process"

    def __init__(self, job: Job, data: Rows | RowsInFile) -> None:
        self.job, self.data = job, data

    def run(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Run rounds one after the other, and return the progress after them."""
        for one in rounds:
            found = contribution(self.job, progress.values, self.data, one.shards, one.shape)
            progress = advance(self.job, progress, one.inputs, found)
        return progress

    def losses(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Return the losses of the training rows, piece by piece."""
        return losses_of(self.job, values, self.data, pieces)


class CommunicatorExchange:
    """Computes some of the shards; the others are computed by the other processes of a communicator.

    Each process makes the same steps: it has the same parameters, draws the same orders, and gets the same sums.
    """

    def __init__(self, comm: interfaces.Communicator, job: Job, data: Rows | RowsInFile) -> None:
        self.comm, self.job, self.data = comm, job, data
        self.rank, self.size = rank_and_size(comm)
        self.interruption = Interruption()  # counts how often Ctrl-C was pressed

    @property
    def name(self) -> str:
        """What computes the shards, in words."""
        return count_of(self.size, "rank")

    def run(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Run rounds one after the other, and return the progress after them."""
        for one in rounds:
            own = one.shards[self.rank :: self.size]
            found = contribution(self.job, progress.values, self.data, own, one.shape)
            progress = advance(self.job, progress, one.inputs, self.added_up(found))
        return progress

    def losses(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Return the losses of the training rows, piece by piece."""
        own = losses_of(self.job, values, self.data, pieces[self.rank :: self.size] or pieces[:1])
        ends = np.cumsum([length_of(piece) for piece in pieces])
        all_losses = np.zeros((ends[-1], *own[0].shape[1:]))
        for end, found in zip(ends[self.rank :: self.size], own, strict=False):
            all_losses[end - len(found) : end] = found
        return [self.summed(all_losses).astype(own[0].dtype)]

    def added_up(self, own: Contribution) -> Contribution:
        """Return the sum of the contributions of all processes; after Ctrl-C in one, raise KeyboardInterrupt in all."""
        *objectives, bound, presses = self.summed(
            np.append(own.objectives.ravel(), [own.total.bound, self.interruption.count])
        )
        if presses:
            raise KeyboardInterrupt
        total = ExactSum(self.summed(own.total.parts), float(bound))
        return Contribution(total, np.reshape(objectives, own.objectives.shape))

    def total(self, number: int) -> int:
        """Return the sum of a number over all processes."""
        return int(self.summed(np.array([float(number)]))[0])

    def summed(self, array: Array) -> Array:
        """Return the sum of an array over all processes."""
        total = np.empty_like(array)
        self.comm.Allreduce(array, total)
        return total

    def check_equal(self, number: int, what: str) -> None:
        """Raise an error in every process if a number from 0 to 2^20 differs between processes."""
        total, squares = map(int, self.summed(np.array([float(number), float(number) ** 2])).tolist())
        if self.size * squares != total**2:
            raise InputError(
                f"The processes of the communicator differ in {what}. Each must make the same network, with the same "
                "seed, and call fit with the same data and settings."
            )


def length_of(piece: Array | slice) -> int:
    """Return the number of rows of a piece."""
    return piece.stop - piece.start if isinstance(piece, slice) else len(piece)


class ExecutorExchange:
    """Submits the shards of each round to an executor, and makes the step in this process."""

    name = "an executor"

    def __init__(self, executor: interfaces.Executor, job: Job, data: Rows | RowsInFile) -> None:
        self.executor, self.job, self.data = executor, job, data

    def run(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Run rounds one after the other, and return the progress after them."""
        names = self.job.steps.carried
        for one in rounds:
            values = {name: progress.values[name] for name in names if name in progress.values}
            shards = one.shards if self.in_file else [shard.with_rows(self.data) for shard in one.shards]
            found = self.results(contribution_alone, values, shards, one.shape)
            progress = advance(self.job, progress, one.inputs, *found)
        return progress

    def losses(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Return the losses of the training rows, piece by piece."""
        sent = pieces if self.in_file else [self.data.take(piece) for piece in pieces]
        return [loss for losses in self.results(losses_of, values, sent) for loss in losses]

    @property
    def in_file(self) -> bool:
        """Whether workers open the rows themselves; else the rows go with each task."""
        return isinstance(self.data, RowsInFile)

    def results(
        self, function: Callable[..., R], values: dict[str, Array], parts: Sequence[T], *more: object
    ) -> list[R]:
        """Split parts among the workers, and return the result of a function for each group."""
        data = self.data if self.in_file else None
        futures: list[interfaces.Future[R]] = []
        try:
            for group in split(parts, getattr(self.executor, "_max_workers", len(parts))):
                futures.append(self.executor.submit(function, self.job, values, data, group, *more))
            return [future.result() for future in futures]
        except BaseException as error:
            for future in futures:
                future.cancel()
            raise explained(error) from error


def explained(error: BaseException) -> BaseException:
    """Return an error of an executor in words of ours; other errors are returned unchanged."""
    if isinstance(error, WorkingsError) or not isinstance(error, Exception):
        return error
    reason = f"{type(error).__name__}: {first_line(error)}"
    if "pickle" in reason.lower():
        return InputError(
            "The network cannot be sent to another process: define its own functions and classes in a module, not in a "
            f"session or in a function. ({reason})"
        )
    return WorkersError(
        f"The workers failed: {reason} Restart them and the training. With Checkpoint(path, resume=True), it continues "
        "from the last epoch that was written, with the same bits."
    )


def split(shards: Sequence[T], count: int) -> list[Sequence[T]]:
    """Split shards into at most ``count`` groups of about the same size, in order.

    >>> split([1, 2, 3, 4, 5], 2)
    [[1, 2], [3, 4, 5]]
    """
    bounds = np.linspace(0, len(shards), min(max(count, 1), len(shards)) + 1).round().astype(int)
    return [shards[start:stop] for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]


class ClientExchange:
    """Submits several rounds at once to a client that takes futures as arguments, such as Dask's.

    The parameters go from worker to worker.  If a worker is lost, the scheduler repeats its tasks elsewhere.  If data
    are lost with it, the rounds are submitted again.
    """

    def __init__(self, client: interfaces.Client, job: Job, data: Rows | RowsInFile) -> None:
        self.client, self.job, self.data = client, job, data
        self.data_future: object = None
        self.is_pure = options(client.submit, pure=False)  # else each argument is hashed
        self.is_broadcast = options(client.scatter, broadcast=True, hash=False)
        self.unhashed = options(client.scatter, hash=False)

    @property
    def name(self) -> str:
        """What computes the shards, in words."""
        return f"{type(self.client).__module__.partition('.')[0]}'s {type(self.client).__name__}"

    def run(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Run rounds one after the other, and return the progress after them."""
        for first in range(0, len(rounds), ROUNDS_AT_A_TIME):
            progress = self.with_retries(self.run_once, progress, rounds[first : first + ROUNDS_AT_A_TIME])
        return progress

    def losses(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Return the losses of the training rows, piece by piece."""
        return self.with_retries(self.losses_once, values, pieces)

    def losses_once(self, values: dict[str, Array], pieces: Sequence[Array | slice]) -> list[Array]:
        """Submit tasks for the losses, and gather the results."""
        workers, sent = self.workers(), [self.client.scatter(one, **self.is_broadcast) for one in (self.job, values)]
        futures = [
            self.submit(place, workers, losses_of, *sent, self.scattered_data(), group)
            for place, group in enumerate(split(pieces, len(workers) or len(pieces)))
        ]
        return [loss for losses in self.client.gather(futures) for loss in losses]

    def with_retries(self, function: Callable[P, R], *arguments: P.args, **settings: P.kwargs) -> R:
        """Call a function that submits tasks; if workers are lost with what they held, call it again."""
        for attempt in range(ATTEMPTS):
            try:
                return function(*arguments, **settings)
            except WorkingsError:
                raise
            except Exception as error:
                self.data_future = None
                if attempt == ATTEMPTS - 1:
                    raise explained(error) from error
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def run_once(self, progress: StepResults, rounds: Sequence[Round]) -> StepResults:
        """Submit the tasks of all rounds, and gather the last result."""
        workers, data = self.workers(), self.scattered_data()
        state, job = self.client.scatter(progress, **self.unhashed), self.client.scatter(self.job, **self.is_broadcast)
        names = [name for name in self.job.steps.carried if name in progress.values]
        has_more = len(names) < len(progress.values)  # the optimizer's state stays on the first worker
        for one in rounds:
            values = self.submit(0, workers, parameters_of, state, names) if has_more else state
            found = [
                self.submit(place, workers, contribution_alone, job, values, data, group, one.shape)
                for place, group in enumerate(split(one.shards, len(workers) or len(one.shards)))
            ]
            while len(found) > FAN_IN:  # a tree, so that no worker receives too many sums
                parts = range(0, len(found), FAN_IN)
                found = [self.submit(place, workers, added, *found[place : place + FAN_IN]) for place in parts]
            state = self.submit(0, workers, advance, job, state, one.inputs, *found)
        result: StepResults = self.client.gather(state)
        return result

    def scattered_data(self) -> object:
        """Return a future of the rows, which each worker gets once."""
        if self.data_future is None:
            self.data_future = self.client.scatter(self.data, **self.is_broadcast)
        return self.data_future

    def submit(
        self,
        place: int,
        workers: Sequence[str],
        function: Callable[..., object],
        *arguments: object,
    ) -> object:
        """Submit a task; if workers are known, prefer the one at a place."""
        wishes = {"workers": [workers[place % len(workers)]], "allow_other_workers": True} if workers else {}
        return self.client.submit(function, *arguments, **self.is_pure, **options(self.client.submit, **wishes))

    def workers(self) -> list[str]:
        """Return the address of each worker, once for each of its threads; empty if the client does not tell."""
        threads = getattr(self.client, "nthreads", None)
        if not callable(threads):
            return []
        return [address for address, count in threads().items() for _ in range(count)]


def options(function: Callable[..., object], **wanted: object) -> dict[str, Any]:
    """Return the keyword arguments that a function names as parameters.

    >>> options(lambda x, broadcast=False: x, broadcast=True, hash=False)
    {'broadcast': True}
    """
    known = inspect.signature(function).parameters
    return {name: value for name, value in wanted.items() if name in known}


def exchange_for(workers: Workers, job: Job, data: Rows | RowsInFile) -> Exchange:
    """Return what runs the rounds."""
    engine = workers.engine
    if engine is None:
        return ThisProcess(job, data)
    if is_communicator(engine):
        return CommunicatorExchange(engine, job, data)
    return ClientExchange(engine, job, data) if is_client(engine) else ExecutorExchange(engine, job, data)
