"""Rows: checked and encoded inputs, targets and weights."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from workings.support.arrays import Array, Features


class Rows(NamedTuple):
    """Inputs, targets and weights in the form that the program uses.

    Attributes
    ----------
    X, y : arrays of shape (n, n_in) and (n, n_out)
        X may be :class:`~workings.support.sparse.SparseRows`.
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
            crc = crc if array is None else zlib.crc32(array.tobytes(), crc)
        return f"{crc:08x}"

    def take(self, chosen: Array | slice) -> Rows:
        """Return the rows at the given positions, in a slice, or where a mask is true."""
        return Rows(self.X[chosen], self.y[chosen], None if self.w is None else self.w[chosen])

    def some(self, most: int) -> Rows:
        """Return a random sample of at most ``most`` rows."""
        if len(self.X) <= most:
            return self
        return self.take(np.sort(np.random.default_rng(0).permutation(len(self.X))[:most]))
