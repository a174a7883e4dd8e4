"""Shuffling of rows on disk, in two stages: the blocks, then the rows of some blocks at a time.

Rows on disk are read fast only in blocks of consecutive rows.  Several blocks make a window, which is in memory as a
whole, and whose rows are permuted.  All orders of an epoch follow from one seed, so no order of all rows is ever in
memory.

Each window gets blocks from all over the file: the file is cut into runs of as many blocks as there are windows, and
the blocks of a run go to the windows at random, one to each.  So a window is like the whole file even if the file is
sorted, whatever it is sorted by.  In a file that is sorted by class, the rows of a class in a window of B blocks differ
from its share by about one block.  With blocks drawn at random, its share p would differ by about √(p(1 - p) / B).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workings.support.arrays import Array

SEED_BYTES = 16  # of the seed of an epoch


@dataclass(frozen=True)
class Window:
    """The blocks of a window, and the order of their rows.

    Attributes
    ----------
    blocks : list of slice
        The rows of each block, in the order in which they lie in the window.
    order : int array or None
        The order in which the rows of the window are used; None for the order in which they lie there.
    """

    blocks: list[slice]
    order: Array | None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(block.stop - block.start for block in self.blocks)


def windows_in_order(starts: Array, n: int, most: int) -> Iterator[Window]:
    """Yield the windows of ``n`` rows in the order of the file.

    >>> [window.blocks for window in windows_in_order(np.array([0, 2, 4]), 5, most=4)]
    [[slice(0, 2, None), slice(2, 4, None)], [slice(4, 5, None)]]
    """
    for blocks in grouped(blocks_of(starts, n), most):
        yield Window(blocks, None)


def shuffled_windows(starts: Array, n: int, most: int, seed: int) -> Iterator[Window]:
    """Yield the windows of an epoch: blocks from all over the file, about ``most`` rows, and the order of these rows.

    Windows have equal numbers of blocks, to within one.  They have at most ``most`` rows if the blocks are of one size.

    >>> windows = list(shuffled_windows(np.array([0, 2, 4, 6]), 8, most=4, seed=0))
    >>> [(window.blocks, window.order.tolist()) for window in windows]
    [([slice(0, 2, None), slice(4, 6, None)], [3, 0, 2, 1]), ([slice(2, 4, None), slice(6, 8, None)], [2, 1, 0, 3])]
    """
    blocks = blocks_of(starts, n)
    typical = int(np.median([block.stop - block.start for block in blocks]))
    windows = -(-len(blocks) // max(most // max(typical, 1), 1))
    for number, indices in enumerate(dealt(len(blocks), windows, np.random.default_rng([seed, 0])), 1):
        chosen = [blocks[index] for index in indices]
        rows = sum(block.stop - block.start for block in chosen)
        yield Window(chosen, np.random.default_rng([seed, number]).permutation(rows))


def dealt(blocks: int, windows: int, rng: np.random.Generator) -> list[list[int]]:
    """Deal blocks to windows, of each run of consecutive blocks one to each; return the blocks of each window.

    >>> dealt(7, 2, np.random.default_rng(0))
    [[0, 2, 4], [1, 3, 5, 6]]
    """
    window = np.concatenate([rng.permutation(windows) for _ in range(0, blocks, windows)])[:blocks]
    order = np.argsort(window, kind="stable")
    return [part.tolist() for part in np.split(order, np.cumsum(np.bincount(window, minlength=windows))[:-1])]


def blocks_of(starts: Array, n: int) -> list[slice]:
    """Return the rows of each block."""
    return [slice(*bounds) for bounds in zip(starts.tolist(), [*starts[1:].tolist(), n], strict=True)]


def grouped(blocks: list[slice], most: int) -> Iterator[list[slice]]:
    """Yield consecutive blocks with at most ``most`` rows together; a larger block is alone."""
    group, rows = list[slice](), 0
    for block in blocks:
        size = block.stop - block.start
        if group and rows + size > most:
            yield group
            group, rows = [], 0
        group.append(block)
        rows += size
    yield group
