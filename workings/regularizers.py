"""Regularizers: a price on large weights.

Each adds a penalty to the objective ``J`` and its derivative to the gradient of every ``W``; biases
are free.  Conventions differ between libraries, so ours is in the formula: ``L2(lam)`` adds
``lam / 2`` times the sum of the squares to ``J``, whether the loss is a mean or a sum.  (PyTorch's
``weight_decay`` in SGD is this ``lam``; scikit-learn divides its ``alpha`` by the rows of the batch, which
is ``L2PerRow(alpha)``.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array, Values


def l2(W: Array, lam: float) -> Values:
    """lam/2 times the sum of its squares"""
    return lam / 2 * (W**2).sum()


def l2_gradient(W: Array, lam: float) -> Array:
    """the price pulls each weight towards 0 in proportion to its size"""
    return lam * W


def l2_per_row(W: Array, alpha: float, n: int) -> Values:
    """alpha/2 times the sum of its squares, divided by the number of rows"""
    return alpha / 2 * (W**2).sum() / n


def l2_per_row_gradient(W: Array, alpha: float, n: int) -> Array:
    """the price pulls each weight towards 0 in proportion to its size, less with more rows"""
    return alpha / n * W


def l2_per_weight(W: Array, alpha: float, w: Array) -> Values:
    """alpha/2 times the sum of its squares, divided by the sum of the rows' weights"""
    return alpha / 2 * (W**2).sum() / w.sum()


def l2_per_weight_gradient(W: Array, alpha: float, w: Array) -> Values:
    """the price pulls each weight towards 0 in proportion to its size, less where rows weigh more"""
    return alpha / w.sum() * W


def l1(W: Array, lam1: float) -> Values:
    """lam1 times the sum of its sizes"""
    return lam1 * np.abs(W).sum()


def l1_gradient(W: Array, lam1: float) -> Array:
    """the price pulls each weight towards 0 with the same force"""
    return lam1 * np.sign(W)


@dataclass(frozen=True)
class Regularizer:
    """What the program asks of a regularizer: two formulas of ``W``, and a constant that both take.

    Subclass it with formulas and fields of your own; the fields' names are the letters.  The formulas
    may also take ``n``, the rows of the batch.
    """

    penalty: ClassVar[Callable[..., Values]]
    gradient: ClassVar[Callable[..., Array]]

    @property
    def constants(self) -> dict[str, float]:
        """The numbers that the formulas take by name."""
        return dict(self.__dict__)

    def formulas(self, weights: bool) -> tuple[Callable[..., Values], Callable[..., Array]]:
        """The penalty and its gradient, for rows that have weights ``w`` and for those that have none."""
        kind = type(self)
        return kind.penalty, kind.gradient

    def __post_init__(self) -> None:
        for letter, value in self.constants.items():
            if isinstance(value, bool) or not (np.isreal(value) and 0 <= value < np.inf):
                raise InputError(f"{type(self).__name__} needs {letter} as a number from 0, not {value!r}.")


@dataclass(frozen=True)
class L2(Regularizer):
    """Adds lam/2 · Σ W² to the objective ("ridge", "weight decay").

    >>> L2(0.01)
    L2(lam=0.01)
    """

    lam: float

    penalty = l2
    gradient = l2_gradient


@dataclass(frozen=True)
class L1(Regularizer):
    """Adds lam1 · Σ |W| to the objective ("lasso"): many weights end near 0.

    >>> L1(0.01)
    L1(lam1=0.01)
    """

    lam1: float

    penalty = l1
    gradient = l1_gradient


@dataclass(frozen=True)
class L2PerRow(Regularizer):
    """Adds alpha/2 · Σ W², divided by the rows of the batch, to the objective, as scikit-learn does.

    The pull in a step depends on the size of the batch; in an epoch it adds up to about the same for all sizes
    of batches.  Where rows have weights, their sum takes the place of the number of rows.

    >>> L2PerRow(1e-4)
    L2PerRow(alpha=0.0001)
    """

    alpha: float

    penalty = l2_per_row
    gradient = l2_per_row_gradient

    def formulas(self, weights: bool) -> tuple[Callable[..., Values], Callable[..., Array]]:
        return (l2_per_weight, l2_per_weight_gradient) if weights else super().formulas(weights)


REGULARIZERS: dict[str, type[Regularizer]] = {"L2": L2, "L1": L1, "L2PerRow": L2PerRow}
