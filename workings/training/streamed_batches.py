"""Batches of rows on disk: a thread reads the windows of an epoch ahead of the training.

The rows of each window are read into one array, and the steps of a stretch take their rows from it.  A batch that does
not fit into what is left of a window gets these rows and the first ones of the next window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from workings.engines.contract import Stretch
from workings.support.arrays import Array
from workings.support.row_stream import read_ahead
from workings.training.batches import NUMBERS_AT_A_TIME, Batches, State
from workings.training.learning_rate import LearningRate
from workings.training.rows import Rows
from workings.training.shuffling import SEED_BYTES, Window, shuffled_windows, windows_in_order


@dataclass(frozen=True)
class WindowRows:
    """The rows of some batches in memory.

    Attributes
    ----------
    rows : Rows
        The rows.
    order : int array or None
        The order in which they are used; None for the order in which they lie there.
    start : int
        The place of the first one in the order of all rows.
    batches : range
        The batches that they make.
    """

    rows: Rows
    order: Array | None
    start: int
    batches: range


class StreamedBatches(Batches):
    """Batches of rows that are read from disk in windows of blocks from all over the file."""

    window: WindowRows

    @property
    def order_settings(self) -> str:
        """The windows and blocks in which rows are shuffled; empty if all are in one window."""
        X = self.rows.X
        is_one = not self.shuffle or len(X) <= self.window_rows
        return "" if is_one else f" in windows of {self.window_rows} rows, dealt from {len(X.starts)} blocks"

    @property
    def window_rows(self) -> int:
        """The number of rows that are shuffled together, at least a batch."""
        return max(int(self.rows.X.window), int(self.bounds[0, 1]))

    def windows(self) -> Iterator[Window]:
        """Draw the order of an epoch; rows that fit into one window are shuffled as in memory."""
        X, n = self.rows.X, len(self.rows.X)
        most = self.window_rows
        if not self.shuffle:
            return windows_in_order(X.starts, n, most)
        if n <= most:
            (window,) = windows_in_order(X.starts, n, most)
            return iter([Window(window.blocks, self.next_order())])
        return shuffled_windows(X.starts, n, most, int.from_bytes(self.model.rng.bytes(SEED_BYTES), "little"))

    def read(self, windows: Iterator[Window]) -> Iterator[WindowRows]:
        """Read the rows of windows; rows that do not fill a batch go into the next window."""
        ends, first, start = self.bounds[:, 1], 0, 0
        left, capacity = empty_rows(self.rows, 0), self.window_rows + int(ends[0])  # JAX compiles for each size
        for window in windows:
            carried = len(left.X)
            n = carried + window.rows
            rows = read_rows(self.rows, window.blocks, left, max(n, capacity))
            order = np.arange(n)
            if window.order is not None:
                order[carried:] = carried + window.order
            stop = int(np.searchsorted(ends, start + n, side="right"))
            used = int(ends[stop - 1]) - start if stop > first else 0
            left = rows.take(order[used:])
            if used:
                yield WindowRows(rows, None if window.order is None else order[:used], start, range(first, stop))
            first, start = stop, start + used

    def draw(self, bounds: Array) -> tuple[Array | None, dict[str, Array]]:
        """Return the row order in the window, and draw the masks of consecutive batches."""
        start, stop = (int(bound) - self.window.start for bound in (bounds[0, 0], bounds[-1, 1]))
        order = None if self.window.order is None else self.window.order[start:stop]
        return order, self.draw_masks(bounds)

    def rows_of(self, start: int, stop: int) -> Rows:
        """Return the rows from which consecutive batches come."""
        if self.shuffle:
            return self.window.rows
        return self.window.rows.take(slice(start - self.window.start, stop - self.window.start))

    def stretches(
        self,
        epochs: int,
        state: State,
        rate: LearningRate,
        kept: Mapping[str, Array] | None = None,
        outputs: Mapping[str, Array] | None = None,
    ) -> Iterator[Stretch]:
        """Yield the stretches of steps for several epochs, while a thread reads the next window."""
        largest = int((self.bounds[:, 1] - self.bounds[:, 0]).max())
        steps = max(NUMBERS_AT_A_TIME // (self.numbers_of_row * largest), 1)
        for epoch in range(epochs):
            for window in read_ahead(self.read(self.windows())):
                self.window = window
                for first in window.batches[::steps]:
                    bounds = self.bounds[first : min(first + steps, window.batches.stop)]
                    drawn = [self.draw(bounds)]
                    yield self.stretch(
                        range(epoch, epoch + 1), bounds, drawn, state.step, rate, kept or {}, outputs or {}
                    )
            del self.window


def read_rows(rows: Rows, blocks: list[slice], before: Rows, capacity: int) -> Rows:
    """Read blocks of rows, after the rows ``before``, into the beginning of memory for ``capacity`` rows."""
    read, end = empty_rows(rows, capacity), 0
    for part in chain([before], map(rows.take, blocks)):
        begin, end = end, end + len(part.X)
        for array, given in zip(read, part, strict=True):
            if array is not None:
                array[begin:end] = given
    return read


def empty_rows(like: Rows, n: int) -> Rows:
    """Return memory for ``n`` rows of the same widths and types as others."""
    X, y, w = (None if part is None else np.empty((n, *part.shape[1:]), part.dtype) for part in like)
    return Rows(X, y, w)  # type: ignore[arg-type]
