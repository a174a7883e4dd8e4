"""The settings of data-parallel training: what runs the tasks, and how batches are cut into shards.

Nothing here imports an engine such as Dask or MPI.  An engine is known by what it can do: an executor or a client has
``submit``, a communicator has ``Allreduce``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workings.errors import InputError
from workings.model.data_files import is_path
from workings.support.arrays import describe
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_whole_number


@dataclass(frozen=True)
class Workers(CheckedKeywords):
    """Workers that train one network together, and how they share the work.

    The results depend on ``shard_rows`` and ``local_steps``, and not on the number of workers or what runs them.

    Parameters
    ----------
    engine : client, executor, communicator or None
        A client of Dask's distributed scheduler, an executor of ``concurrent.futures`` or loky, or a communicator of
        mpi4py.  None: this process alone computes all shards.
    shard_rows : int
        The number of rows in a shard.  Each batch is cut into shards of this size; the last one may have fewer.  One
        batch keeps at most as many workers busy as it has shards.
    local_steps : int
        With 1, each step uses the exact sum of the gradients of all shards.  With more, each shard of a batch is a
        batch of its own: it is trained for this many steps, and then the parameters and the optimizer's states of all
        shards are averaged (local SGD, Stich 2019).
    data : path, pair of paths, or None
        A file with the rows of ``X`` and ``y``, which each worker opens itself: ``"rows.npz"`` with arrays X and y,
        ``("X.npy", "y.npy")``, which stay on disk, or ``("rows.parquet", "target column")``, also for a folder of
        Parquet files.  None: the files whose paths ``fit`` gets as ``X`` and ``y``; if it gets arrays, a client gets
        the rows once, and an executor gets the rows of each task with it.

    Raises
    ------
    InputError
        For an engine that has neither ``submit`` nor ``Allreduce``, for numbers below 1, and for other kinds of files.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from workings import Dense, Network, SGD
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.0, 5.0, 7.0]
    >>> nets = [Network([Dense(1)], loss="SquaredError", seed=0) for _ in range(2)]
    >>> for net, engine in zip(nets, (None, ThreadPoolExecutor(2))):
    ...     history = net.fit(X, y, optimizer=SGD(0.1), epochs=50, batch_size=4, workers=Workers(engine, shard_rows=2))
    >>> bool((nets[0].theta == nets[1].theta).all())
    True
    """

    engine: Any = field(default=None, compare=False, repr=False)
    shard_rows: int = 256
    local_steps: int = 1
    data: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.engine is not None and not is_communicator(self.engine) and not has(self.engine, "submit"):
            raise InputError(
                "workers must be a client or an executor with a method submit, or a communicator with a method "
                f"Allreduce, not {describe(self.engine)}."
            )
        for name in ("shard_rows", "local_steps"):
            number = as_whole_number(getattr(self, name))
            if number is None or number < 1:
                raise InputError(f"{name} must be a whole number from 1, not {describe(getattr(self, name))}.")
            object.__setattr__(self, name, number)
        if self.data is not None:
            from workings.training.parallel.row_files import checked_source

            object.__setattr__(self, "data", checked_source(self.data))

    @property
    def rank(self) -> int:
        """The rank of this process in a communicator; 0 without one."""
        return rank_and_size(self.engine)[0] if is_communicator(self.engine) else 0


def checked_workers(workers: object, comm: object = None) -> Workers | None:
    """Return the settings for the arguments ``workers`` and ``comm`` of ``fit``; None without workers."""
    if workers is not None and comm is not None:
        raise InputError("Give either workers or comm, not both.")
    if comm is not None:
        if not is_communicator(comm):
            raise InputError(f"comm must be a communicator such as mpi4py's MPI.COMM_WORLD, not {describe(comm)}.")
        return Workers(comm)
    return workers if workers is None or isinstance(workers, Workers) else Workers(workers)


def with_files(workers: Workers | None, X: object, y: object) -> Workers | None:
    """Return settings with which workers open the files themselves whose paths ``fit`` got as X and y."""
    if workers is None or workers.data is not None or not is_path(X):
        return workers
    if Path(X).suffix.lower() == ".npz":
        return replace(workers, data=X)
    return replace(workers, data=(X, y)) if is_path(y) else workers


def has(engine: object, method: str) -> bool:
    """Whether an object, which is not a class, has a method."""
    return not isinstance(engine, type) and callable(getattr(engine, method, None))


def is_communicator(engine: object) -> bool:
    """Whether an object is a communicator: it adds arrays of all processes, and knows their number."""
    return has(engine, "Allreduce") and all(has(engine, f"Get_{name}") or hasattr(engine, name) for name in RANK)


def is_client(engine: object) -> bool:
    """Whether an object takes futures as arguments of tasks, as Dask's client does."""
    return all(has(engine, method) for method in ("submit", "scatter", "gather"))


RANK = ("rank", "size")


def rank_and_size(comm: object) -> tuple[int, int]:
    """Return the number of this process in a communicator, and the number of processes."""
    rank, size = (getattr(comm, f"Get_{name}", lambda name=name: getattr(comm, name))() for name in RANK)
    return int(rank), int(size)
