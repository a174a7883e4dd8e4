"""Exact sums: add arrays such that the result does not depend on the order.

Before an array is added, its entries are rounded to multiples of a power of 2.  Sums of such multiples have no
rounding error as long as they are small enough, so that any order and any grouping gives the same bits.  A second,
finer power of 2 can hold the remainders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from workings.support.arrays import Array

STEP_SIZES = (2.0**-40, 2.0**-80)  # the multiples to which entries and their remainders are rounded
MOST = 2.0**12  # below this, sums of multiples of 2^-40 have no rounding error in float64
CHUNK = 2**15  # entries at a time, which stay in a processor's cache


@dataclass
class ExactSum:
    """A sum of arrays of one size.

    Attributes
    ----------
    parts : array of shape (precision, size)
        The sum in multiples of ``STEP_SIZES``.
    bound : float
        The sum of the largest absolute entries of the arrays; the sum is exact below ``MOST``.
    """

    parts: Array
    bound: float = 0.0

    @classmethod
    def zero(cls, size: int, precision: int = 1) -> ExactSum:
        """Return a sum of nothing; with a precision of 2, it also holds remainders."""
        return cls(np.zeros((precision, size)))

    def add(self, arrays: Iterable[Array], factor: float) -> None:
        """Add the entries of arrays, one array after the other, times a factor.

        >>> total = ExactSum.zero(3)
        >>> total.add([np.array([1.0, -3.0]), np.array([2.0])], 0.5)
        >>> total.values(), total.bound
        (array([ 0.5, -1.5,  1. ]), 1.5)
        """
        start, largest, scaled = 0, 0.0, factor / STEP_SIZES[0]
        with np.errstate(all="ignore"):  # numbers that are not finite are reported later, by name
            for array in arrays:
                flat = array.reshape(-1)
                for first in range(0, flat.size, CHUNK):
                    some = np.multiply(flat[first : first + CHUNK], scaled, dtype=np.float64)
                    largest = max(largest, self.add_rounded(some, slice(start + first, start + first + len(some))))
                start += flat.size
        self.bound += largest * STEP_SIZES[0]

    def add_rounded(self, some: Array, where: slice) -> float:
        """Round multiples of the first step size, add them, and return the largest of their absolute values."""
        rounded = np.rint(some)
        self.parts[0, where] += rounded
        if len(self.parts) > 1:
            self.parts[1, where] += np.rint((some - rounded) * (STEP_SIZES[0] / STEP_SIZES[1]))
        return float(max(rounded.max(), -rounded.min()))

    def values(self) -> Array:
        """Return the sum as numbers."""
        total = self.parts[0] * STEP_SIZES[0]
        for part, size in zip(self.parts[1:], STEP_SIZES[1:], strict=False):
            total = total + part * size
        return np.asarray(total)

    @property
    def is_exact(self) -> bool:
        """Whether the sum is exact; sums that are not finite are reported elsewhere."""
        return self.bound < MOST or not np.isfinite(self.bound)


def sum_of(several: Sequence[ExactSum]) -> ExactSum:
    """Return the sum of sums.

    >>> one = ExactSum(np.array([[3.0]]), 0.5)
    >>> sum_of([one, one])
    ExactSum(parts=array([[6.]]), bound=1.0)
    """
    total = ExactSum(several[0].parts.copy(), several[0].bound)
    for other in several[1:]:
        total.parts += other.parts
        total.bound += other.bound
    return total
