"""Row streams: rows that stay on disk and are read a slice at a time.

A source is any object with a length and slices of rows: a memory-mapped ``.npy`` file, a Zarr or HDF5 array, or a class
of your own.  ``RowStream`` gives its rows as arrays, converted and checked, in bounded memory.  It also says in which
blocks the rows are best read, and how many of them are shuffled together.  A small source is read into memory at once,
so that it can be used like any other array.
"""

from __future__ import annotations

import array
import copy
import mmap
from collections import UserList, deque
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from workings.errors import InputError, WorkingsError, count_of, first_line
from workings.support.conversion import as_array
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_whole_number
from workings.support.sparse import SparseRows

BLOCK_BYTES = 2**20  # of a block: consecutive rows that are read together
WINDOW_BYTES = 2**27  # of a window: the rows that are shuffled together; a training holds two
READ_AT_ONCE = 2 * WINDOW_BYTES  # up to this size, a source is read into memory as a whole
PART_BYTES = 2**24  # of a part: the rows that are evaluated together
IN_MEMORY = (list, tuple, range, str, bytes, bytearray, memoryview, array.array, deque, UserList, Mapping, Set,
             SparseRows)  # fmt: skip
# Attributes of objects whose values are in memory: arrays of other libraries, tables, columns and sparse matrices.
OF_MEMORY = ("__array_interface__", "__cuda_array_interface__", "__dlpack__", "__dataframe__", "columns",
             "column_names", "iloc", "numpy", "to_numpy", "to_pylist", "tocsr")  # fmt: skip
T = TypeVar("T")


class RowStream(CheckedKeywords):
    """Rows that stay on disk: ``fit``, ``predict``, ``outputs``, ``score`` and ``objective`` read them in blocks.

    They make a stream of any source above 256 MB by themselves.  Make one yourself to choose the blocks and windows, or
    to stream rows that would fit into memory.

    Parameters
    ----------
    source : object with a length and slices
        ``len(source)`` or ``source.shape[0]`` is the number of rows, and ``source[start:stop]`` returns these rows: an
        array, or what ``np.asarray`` converts to one.
    window : int or None
        The number of rows that are shuffled together, in memory; by default 128 MB of them.  A training needs memory
        for two windows.
    block : int or None
        The number of consecutive rows that are read together; by default 1 MB of them, and whole chunks of a Zarr,
        HDF5 or Dask array.

    Attributes
    ----------
    shape : tuple of int
        (n, n_in) or, for targets, (n,).
    dtype : dtype
        The type of the rows.
    starts : int array
        The first row of each block.

    Raises
    ------
    InputError
        If the source gives no rows in slices; later, if a slice has another number of rows than it should have.

    Examples
    --------
    >>> rows = RowStream(np.arange(12.0).reshape(6, 2), window=4, block=2)
    >>> len(rows), rows[1:3].tolist(), rows.starts.tolist()
    (6, [[2.0, 3.0], [4.0, 5.0]], [0, 2, 4])
    """

    def __init__(self, source: Any, *, window: int | None = None, block: int | None = None, name: str = "X") -> None:
        self.source, self.name = source, name
        self.convert: Callable[[object], NDArray[Any]] | None = None
        self.shape: tuple[int, ...] = (length_of(source, name),)
        first = self[0:1]
        self.dtype: np.dtype[Any] = first.dtype
        self.shape += first.shape[1:]
        self.starts = block_starts(source, self.shape[0], checked_size(block, "block"), self.bytes_per_row)
        self.window = checked_size(window, "window") or max(WINDOW_BYTES // self.bytes_per_row, 1)

    def __repr__(self) -> str:
        rows, blocks = count_of(self.shape[0], "row"), count_of(len(self.starts), "block")
        return f"RowStream of {rows} in {blocks}, window={self.window}"

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def bytes_per_row(self) -> int:
        """The bytes of a row in the computation, in float32 or float64."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * (4 if self.dtype == np.float32 else 8)

    def mapped(self, convert: Callable[[Any], NDArray[Any]], columns: int, dtype: Any) -> RowStream:
        """Return the stream whose slices are converted by a function, which gives rows of that width and type."""
        stream = copy.copy(self)
        stream.convert, stream.shape, stream.dtype = convert, (len(self), columns), np.dtype(dtype)
        return stream

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise InputError(f"{self.name} is a stream of rows, which is read in slices such as {self.name}[:1000].")
        start, stop, _ = rows.indices(self.shape[0])
        found = self.read(start, max(start, stop))
        if len(found) != max(stop - start, 0):
            raise InputError(f"{self.name}[{start}:{stop}] has {len(found)} rows, but {stop - start} were asked for.")
        if self.convert is None:
            return found
        try:
            return self.convert(found)
        except InputError as error:
            raise InputError(f"{error} (Rows are counted from row {start:,}.)" if start else str(error)) from error

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Read rows of the source, without conversion."""
        try:
            given = self.source[start:stop]
        except WorkingsError:
            raise
        except Exception as error:  # a class may raise anything
            raise InputError(
                f"{self.name} ({type(self.source).__name__}) gives no rows in slices: [{start}:{stop}] raised "
                f"{type(error).__name__}: {first_line(error)}."
            ) from error
        if isinstance(given, np.memmap):
            rows = np.array(given)
            forget_pages(given)
            return rows
        found = as_array(given, self.name)
        if not found.ndim:  # as for text
            raise InputError(
                f"{self.name} ({type(self.source).__name__}) gives no rows in slices. Open a file first, as with "
                "np.load(path, mmap_mode='r')."
            )
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array().astype(dtype or self.dtype, copy=False)

    def array(self) -> NDArray[Any]:
        """Read all rows into memory.

        Raises
        ------
        InputError
            If they take more than 256 MB.
        """
        size = len(self) * self.bytes_per_row
        if size > READ_AT_ONCE:
            raise InputError(
                f"{self.name} has {len(self):,} rows on disk, which would take {size / 2**30:.1f} GB, and this "
                f"operation needs them in memory. Pass fewer rows, such as {self.name}[:10000]."
            )
        return self[0 : len(self)]

    def parts(self, multiple: int = 1) -> Iterator[slice]:
        """Yield the slices in which all rows are evaluated one after the other; each is a multiple of some rows."""
        rows = max(PART_BYTES // max(self.bytes_per_row, 1) // multiple, 1) * multiple
        for start in range(0, len(self), rows):
            yield slice(start, min(start + rows, len(self)))


class ShareOfBlocks:
    """The source of some rows of each block of a stream: a share that is held out, or the others.

    The share is drawn at random in each block, with the seed, and has its number of rows to within one.
    """

    def __init__(
        self,
        rows: RowStream,
        starts: NDArray[np.int64],
        share: float,
        seed: int,
        *,
        held_out: bool,
    ) -> None:
        self.rows, self.seed, self.held_out = rows, seed, held_out
        ends = np.append(starts[1:], len(rows))
        until = np.round(share * np.append(0, ends)).astype(np.int64)  # rows held out of the blocks before
        self.held = np.diff(until)
        sizes = self.held if held_out else ends - starts - self.held
        self.blocks = [(number, int(starts[number]), int(ends[number])) for number in np.flatnonzero(sizes).tolist()]
        self.bounds = np.append(0, np.cumsum(sizes[sizes > 0]))

    @property
    def starts(self) -> NDArray[np.int64]:
        """The first row of each block."""
        return self.bounds[:-1]

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, last = np.searchsorted(self.bounds, [rows.start, max(rows.stop - 1, rows.start)], side="right") - 1
        found = np.concatenate([self.of_block(index) for index in range(first, last + 1)])
        return found[rows.start - self.bounds[first] : rows.stop - self.bounds[first]]

    def of_block(self, index: int) -> NDArray[Any]:
        """Read the rows of a block."""
        number, start, stop = self.blocks[index]
        order = np.random.default_rng([self.seed, number]).permutation(stop - start)
        held = int(self.held[number])
        return self.rows[start:stop][np.sort(order[:held] if self.held_out else order[held:])]


def length_of(source: Any, name: str) -> int:
    """Return the number of rows of a source, from its shape if it has one; raise if there is none."""
    shape = getattr(source, "shape", None)
    try:
        rows = int(shape[0]) if shape else len(source)
    except Exception as error:
        raise InputError(f"{name} ({type(source).__name__}) has no length: a source of rows needs one.") from error
    if not rows:
        raise InputError(f"{name} has no rows: there must be at least one.")
    return rows


def checked_size(given: int | None, name: str) -> int | None:
    """Return a number of rows from 1, or None; raise for anything else."""
    rows = None if given is None else as_whole_number(given)
    if given is not None and (rows is None or rows < 1):
        raise InputError(f"{name} is a number of rows from 1, not {given!r}.")
    return rows


def block_starts(source: object, n: int, block: int | None, bytes_per_row: int) -> NDArray[np.int64]:
    """Return the first row of each block of a source: as given, or whole chunks of about 1 MB."""
    if block is None:
        own = getattr(source, "starts", None)
        if own is not None:
            return np.asarray(own, dtype=np.int64)
        block = max(BLOCK_BYTES // max(bytes_per_row, 1), 1)
        chunk = (getattr(source, "chunks", None) or (1,))[0]
        if not isinstance(chunk, int):  # Dask's chunks differ in size
            return np.cumsum([0, *chunk[:-1]])
        block = -(-block // chunk) * chunk
    return np.arange(0, n, block)


def is_source(values: object) -> bool:
    """Return whether an object is a source of rows that are not in memory.

    >>> class Rows:
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, rows):
    ...         return np.zeros((3, 2))[rows]
    >>> is_source(Rows()), is_source(np.zeros((3, 2))), is_source([[0.0, 1.0]])
    (True, False, False)
    """
    if isinstance(values, np.ndarray):
        return isinstance(values, np.memmap)
    kind = type(values)
    own = getattr(values, "__dict__", {})
    if isinstance(values, IN_MEMORY) or any(hasattr(kind, name) or name in own for name in OF_MEMORY):
        return False  # attributes are looked up in the class: a property of a lazy table could run its query
    return hasattr(kind, "__getitem__") and (hasattr(kind, "__len__") or hasattr(values, "shape"))


def opened(values: object, name: str = "X") -> Any:
    """Return a stream of a large source, a small source as an array, and anything else as it is."""
    if isinstance(values, RowStream) or not is_source(values):
        return values
    if isinstance(values, np.memmap) and values.nbytes <= READ_AT_ONCE:
        return values
    stream = RowStream(values, name=name)
    return stream.array() if len(stream) * stream.bytes_per_row <= READ_AT_ONCE else stream


def in_memory(values: object, name: str = "y") -> Any:
    """Return all rows of a source as an array, and anything else as it is."""
    if isinstance(values, np.memmap) or not (isinstance(values, RowStream) or is_source(values)):
        return values
    stream = values if isinstance(values, RowStream) else RowStream(values, name=name)
    return stream[0 : len(stream)]


def stream_of(values: object, X: RowStream, name: str) -> RowStream:
    """Return targets or weights as a stream; raise if they have another number of rows than X."""
    if not isinstance(values, RowStream):
        values = RowStream(values if is_source(values) else as_array(values, name), name=name)
    if len(values) != len(X):
        raise InputError(f"X has {len(X)} rows but {name} has {len(values)}: they must have one row for each sample.")
    stream: RowStream = values
    return stream


def forget_pages(rows: np.memmap[Any, Any]) -> None:
    """Release the memory of a mapped file that was read; the system keeps the file in its own cache if it can."""
    mapped: object = rows
    while mapped is not None and not isinstance(mapped, mmap.mmap):
        mapped = getattr(mapped, "base", None)
    is_shared = getattr(rows, "mode", "c") != "c"  # pages of copy-on-write may hold changes
    if mapped is not None and is_shared and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def read_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield the items of an iterator; a thread computes the next one while the caller uses the last one.

    >>> list(read_ahead(iter("abc")))
    ['a', 'b', 'c']
    """
    end = object()
    with ThreadPoolExecutor(1, "workings reads") as thread:
        following = thread.submit(next, items, end)
        while (item := following.result()) is not end:
            following = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
