"""Transforms of a numeric target before training: its logarithm, or the normal quantiles of its ranks.

Each is increasing, and its inverse is a layer, which follows the trained network.  So predictions, explanations and
exports are in the target's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from workings.errors import InputError, unknown_name
from workings.layers import Exp, Interpolation, Layer
from workings.support.arrays import Array
from workings.support.keywords import CheckedKeywords
from workings.tables.columns import standard
from workings.tables.scaling import mean_and_spread

TRANSFORMS = ("auto", "none", "log", "quantile")
LARGE_SKEWNESS, LESS_SKEWED = 2.0, 0.5  # the skewness of transformed targets, and its share as logarithms
FEWEST_ROWS = 40
POINTS = 101  # of the quantile transform


@dataclass(frozen=True)
class LogTransform(CheckedKeywords):
    """Take the logarithm of a positive target, then standardize it by the ``mean`` and ``std`` of the logarithms.

    >>> transform = LogTransform.of(np.array([1.0, np.e, np.e**2]))
    >>> transform.apply(np.array([np.e, np.e**2])).round(4), transform.inverse
    (array([0.    , 1.2247]), Exp(factor=0.816496580927726, shift=1.0))
    """

    mean: float
    std: float

    @classmethod
    def of(cls, y: Array) -> LogTransform:
        """Return the transform of targets; raise if one is not positive."""
        if y.min() <= 0:
            raise InputError(f"The logarithm needs a positive target, but its least value is {y.min():g}.")
        return cls(*mean_and_spread(np.log(y), "target"))

    def apply(self, y: Array) -> Array:
        """Return the transformed targets."""
        return np.asarray(standard(np.log(y), self.mean, self.std))

    @property
    def inverse(self) -> Layer:
        """The layer that gives the target again."""
        return Exp(self.std, self.mean)


@dataclass(frozen=True)
class QuantileTransform(CheckedKeywords):
    """The quantiles of a normal distribution at the ranks of a target, linear between up to 101 points.

    >>> transform = QuantileTransform.of(np.array([1.0, 2.0, 3.0, 1000.0]))
    >>> transform.apply(np.array([1.0, 1000.0])).round(2)
    array([-1.15,  1.15])
    """

    quantiles: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, y: Array) -> QuantileTransform:
        """Return the transform of targets that are not all equal."""
        ordered = np.sort(y.astype(np.float64))
        values = np.unique(np.quantile(ordered, np.linspace(0, 1, POINTS)))
        below, up_to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
        shares = np.clip((below + up_to) / 2, 0.5, len(y) - 0.5) / len(y)
        quantiles, kept = np.unique([NormalDist().inv_cdf(share) for share in shares], return_index=True)
        return cls(tuple(quantiles.tolist()), tuple(values[kept].tolist()))

    def apply(self, y: Array) -> Array:
        """Return the transformed targets."""
        return np.interp(y, self.values, self.quantiles)

    @property
    def inverse(self) -> Layer:
        """The layer that gives the target again."""
        return Interpolation(self.quantiles, self.values)


TargetTransform = LogTransform | QuantileTransform


def skewness(values: Array) -> float:
    """Compute the skewness: the mean of the cubed standardized values; 0 for a constant.

    >>> round(skewness(np.array([0.0, 0.0, 0.0, 1.0])), 2)
    1.15
    """
    spread = float(values.std())
    return float((((values - values.mean()) / spread) ** 3).mean()) if spread > 0 else 0.0


def chosen_transform(kind: str, y: Array) -> str:
    """Return the name of the transform of targets ``y``; ``"auto"`` chooses by what they look like.

    ``"auto"`` takes the logarithm of at least 40 positive targets with a skewness of at least 2, if their logarithms
    have at most half of it, up to the sign.  Others stay as they are.  It never takes the quantiles: they can make a
    target that is nearly a sum of columns hard to predict.

    >>> y = np.exp(np.linspace(-6, 6, 100))
    >>> chosen_transform("auto", y), chosen_transform("auto", y - 1), chosen_transform("auto", np.log(y))
    ('log', 'none', 'none')
    """
    if kind not in TRANSFORMS:
        raise unknown_name("transform of the target", kind, TRANSFORMS)
    if kind != "auto":
        return kind
    if len(y) < FEWEST_ROWS or y.min() <= 0:
        return "none"
    with np.errstate(all="ignore"):  # for targets that overflow, nothing is chosen
        before, after = skewness(y), skewness(np.log(y))
    return "log" if before >= LARGE_SKEWNESS and abs(after) <= LESS_SKEWED * before else "none"


def transform_of(kind: str, y: Array) -> TargetTransform | None:
    """Return the transform of targets; None if they stay as they are."""
    chosen = chosen_transform(kind, y)
    if chosen == "log":
        return LogTransform.of(y)
    return QuantileTransform.of(y) if chosen == "quantile" and y.min() < y.max() else None


def target_scale(chosen: str, y: Array) -> tuple[float, float]:
    """Return the mean and the spread with which targets are standardized, for a transform from ``chosen_transform``.

    For a logarithm, the mean stays 0, so that the numbers stay positive.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = float(y.mean()), float(y.std()) or 1.0
    return (0.0, std) if chosen == "log" else (mean, std)
