"""Robust scaling: a centre and a spread of a column that outliers do not move."""

from __future__ import annotations

import numpy as np

from workings.support.arrays import Array


def robust_scale(values: Array) -> tuple[float, float]:
    """Return the median and the interquartile range of the values that are not missing.

    Where the interquartile range is 0, half of the whole range replaces it; where that is 0 too, 1 does.  As in
    RealMLP (Holzmüller et al. 2024, sec. 3).

    >>> robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 1000.0, np.nan]))
    (3.0, 2.0)
    >>> robust_scale(np.array([0.0, 0.0, 0.0, 0.0, 1.0])), robust_scale(np.array([7.0, 7.0]))
    ((0.0, 0.5), (7.0, 1.0))
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0, 1.0
    lowest, quarter, median, three_quarters, highest = np.quantile(known, [0, 0.25, 0.5, 0.75, 1])
    spread = three_quarters - quarter or 0.5 * highest - 0.5 * lowest
    return float(median), float(spread) if 0 < spread < np.inf else 1.0
