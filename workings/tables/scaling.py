"""Learn the scaling of a numeric column: the number to subtract from its values, and the number to divide them by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array

STANDARD, ROBUST = "standard", "robust"


def mean_and_spread(values: Array, name: str) -> tuple[float, float]:
    """Return the mean and standard deviation; (mean, 1) if all values are equal.

    >>> mean_and_spread(np.array([1.0, 3.0]), "age"), mean_and_spread(np.array([0.1, 0.1]), "age")
    ((2.0, 1.0), (0.1, 1.0))
    """
    if values.min() == values.max():
        return float(values[0]), 1.0
    with np.errstate(all="ignore"):
        mean, std = float(values.mean()), float(values.std())
    if not np.isfinite([mean, std]).all():
        raise InputError(
            f"Column {name!r} has values up to {np.abs(values).max():g}, too large to standardize. Rescale it."
        )
    return mean, std or 1.0  # a standard deviation that underflows to 0 counts as 1


def robust_scale(values: Array, name: str = "") -> tuple[float, float]:
    """Return the median and the interquartile range of the values.

    Where the interquartile range is 0, half of the whole range replaces it; where that is 0 too, 1 does.  As in
    RealMLP (Holzmüller et al. 2024, sec. 3).

    >>> robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]))
    (3.0, 2.0)
    >>> robust_scale(np.array([0.0, 0.0, 0.0, 0.0, 1.0])), robust_scale(np.array([7.0, 7.0]))
    ((0.0, 0.5), (7.0, 1.0))
    """
    if not len(values):
        return 0.0, 1.0
    lowest, quarter, median, three_quarters, highest = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    spread = three_quarters - quarter or 0.5 * highest - 0.5 * lowest
    return float(median), float(spread) if 0 < spread < np.inf else 1.0


SCALINGS: dict[str, Callable[[Array, str], tuple[float, float]]] = {STANDARD: mean_and_spread, ROBUST: robust_scale}
SCALING_WORDS = {STANDARD: ("mean", "standard deviation"), ROBUST: ("median", "interquartile range")}


def scale_and_fill(x: Array, name: str, *, scaling: str, is_filled: bool) -> tuple[float, float, float | None]:
    """Return the two numbers of a column's scaling, and the value that fills its gaps, which is the median or None.

    ``x`` holds the column's numbers, with NaN where one is missing.  The standard scaling is that of the filled
    column; the robust one is that of the numbers that are not missing.

    >>> x = np.array([1.0, 2.0, np.nan, 6.0])
    >>> scale_and_fill(x, "age", scaling="robust", is_filled=True)
    (2.0, 2.5, 2.0)
    >>> scale_and_fill(x, "age", scaling="standard", is_filled=True)[2]
    2.0
    """
    known = x[~np.isnan(x)]
    if scaling == ROBUST:
        center, spread = robust_scale(known)
        return center, spread, center if is_filled else None
    if not is_filled:
        return *mean_and_spread(known, name), None
    with np.errstate(over="ignore"):
        fill = float(np.median(known))
    return *mean_and_spread(np.where(np.isnan(x), fill, x), name), fill
