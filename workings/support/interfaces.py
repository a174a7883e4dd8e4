"""Interfaces: what Workings uses of objects of other libraries that it does not import.

A training accepts SciPy's sparse matrices, Dask's clients, the communicators of mpi4py, and any executor.  Each
protocol here names the attributes and methods that are used, so that another library's object with the same ones
works, too.  Fitted estimators and modules have their libraries' own types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Shaped(Protocol):
    """A matrix of any kind: an array, a sparse matrix, or rows on disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows and columns."""
        ...

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        ...


class SparseMatrix(Protocol):
    """A sparse matrix or array of SciPy in CSR form."""

    shape: tuple[int, ...]
    ndim: int
    dtype: np.dtype[np.generic]
    data: NDArray[np.generic]
    indices: NDArray[np.integer]
    indptr: NDArray[np.integer]

    @property
    def T(self) -> SparseMatrix:
        """The transposed matrix."""
        ...

    def tocsr(self) -> SparseMatrix:
        """Return the matrix in CSR form."""
        ...

    def astype(self, dtype: DTypeLike, copy: bool = True) -> SparseMatrix:
        """Return the matrix with entries of another type."""
        ...

    def toarray(self) -> NDArray[np.floating]:
        """Return a dense array."""
        ...

    def __getitem__(self, rows: slice | NDArray[np.integer], /) -> SparseMatrix: ...

    def __matmul__(self, other: NDArray[np.floating], /) -> NDArray[np.floating]: ...


class Future(Protocol[R_co]):
    """The result of a task that may still run."""

    def result(self) -> R_co:
        """Wait for the result and return it."""
        ...

    def cancel(self) -> object:
        """Cancel the task, unless it runs already."""
        ...

    def add_done_callback(self, function: Callable[[Future[R_co]], object], /) -> object:
        """Call a function with the future when its task is done."""
        ...


class Executor(Protocol):
    """Runs tasks: an executor of ``concurrent.futures`` or loky, or a client of Dask."""

    def submit(self, function: Callable[..., R], /, *arguments: object, **settings: object) -> Future[R]:
        """Start a task: a call of a function."""
        ...


class Client(Executor, Protocol):
    """A client that takes futures as arguments of tasks, such as Dask's."""

    def scatter(self, data: object, /, **settings: object) -> object:
        """Send data to the workers; return a future of it."""
        ...

    def gather(self, futures: object, /) -> Any:
        """Return the results of one future, or of a list of them."""
        ...


class Communicator(Protocol):
    """A communicator of mpi4py: the processes that train together."""

    def Allreduce(self, own: NDArray[np.floating], total: NDArray[np.floating], /) -> object:
        """Add up an array over all processes, in each of them."""
        ...
