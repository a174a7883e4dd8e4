"""Rows: checked and encoded inputs, targets and weights."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

from workings.support.arrays import Array, Features
from workings.support.row_stream import RowStream, ShareOfBlocks, read_ahead

RUNS = 10  # of consecutive rows in a sample of rows on disk


class RowSource(Protocol):
    """Rows, in memory or elsewhere, of which some can be taken."""

    def take(self, chosen: Array | slice) -> Rows:
        """Return some of the rows."""
        ...


class Rows(NamedTuple):
    """Inputs, targets and weights in the form that the program uses.

    Attributes
    ----------
    X, y : arrays of shape (n, n_in) and (n, n_out)
        X may be :class:`~workings.support.sparse.SparseRows`.  All may be
        :class:`~workings.support.row_stream.RowStream`.
    w : array of shape (n, 1) or None
        The weight of each row.
    """

    X: Features
    y: Array
    w: Array | None = None

    @property
    def weights(self) -> Array | None:
        """The weights as users pass them, of shape (n,)."""
        return None if self.w is None else self.w[:, 0]

    def fingerprint(self) -> str:
        """Return a checksum as text."""
        crc = 0
        for array in self:
            for part in () if array is None else parts_of(array):
                crc = zlib.crc32(part.tobytes(), crc)
        return f"{crc:08x}"

    @property
    def are_streamed(self) -> bool:
        """Whether the rows stay on disk."""
        return isinstance(self.X, RowStream)

    def parts(self, multiple: int = 1) -> Iterator[Rows]:
        """Yield all rows in parts that fit into memory; rows in memory are one part."""
        if isinstance(self.X, RowStream):
            return read_ahead(map(self.take, self.X.parts(multiple)))
        return iter([self])

    def take(self, chosen: Array | slice) -> Rows:
        """Return the rows at the given positions, in a slice, or where a mask is true."""
        return Rows(self.X[chosen], self.y[chosen], None if self.w is None else self.w[chosen])

    def split_blocks(self, share: float, seed: int) -> tuple[Rows, Rows]:
        """Split off a share of the rows of each block of rows on disk; return the others, and the share."""
        X: RowStream = self.X

        def some(rows: Any, *, held_out: bool) -> Any:
            return RowStream(ShareOfBlocks(rows, X.starts, share, seed, held_out=held_out), window=X.window)

        w = None if self.w is None else some(self.w, held_out=False)
        rest = Rows(some(X, held_out=False), some(self.y, held_out=False), w)
        return rest, Rows(some(X, held_out=True), some(self.y, held_out=True))

    def first_part(self) -> Rows:
        """Return the first part of rows on disk; rows in memory are one part."""
        return self.take(next(self.X.parts())) if isinstance(self.X, RowStream) else self

    def some(self, most: int) -> Rows:
        """Return a random sample of at most ``most`` rows."""
        if len(self.X) <= most:
            return self.take(slice(0, len(self.X))) if self.are_streamed else self
        if self.are_streamed:
            return self.some_on_disk(most)
        return self.take(np.sort(np.random.default_rng(0).permutation(len(self.X))[:most]))

    def some_on_disk(self, most: int) -> Rows:
        """Return some runs of consecutive rows, spread over the file."""
        size = most // RUNS
        begins = [run * (len(self.X) - size) // (RUNS - 1) for run in range(RUNS)]
        runs = [self.take(slice(begin, begin + size)) for begin in begins]
        X, y, w = (None if column[0] is None else np.concatenate(column) for column in zip(*runs, strict=True))
        return Rows(X, y, w)  # type: ignore[arg-type]


def parts_of(array: object) -> Iterator[Any]:
    """Yield an array as one part, or the rows of a stream in parts."""
    return read_ahead(array[part] for part in array.parts()) if isinstance(array, RowStream) else iter([array])
