"""Regularizers: penalties on large weights.

Each adds a penalty to the objective ``J`` and its derivative to the gradient of every ``W``; biases have no
penalty.  Conventions differ between libraries.  Here ``L2(lam)`` adds ``lam / 2`` times the sum of the
squared weights to ``J``, whether the loss is a mean or a sum.  PyTorch's ``weight_decay`` in SGD is this
``lam``.  scikit-learn divides its ``alpha`` by the number of rows in the batch, as ``L2PerRow(alpha)`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from workings.support.arrays import Array, Values
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import check_fields, number


def l2(W: Array, lam: float) -> Values:
    """lam/2 times the sum of its squared entries"""
    return lam / 2 * (W**2).sum()


def l2_gradient(W: Array, lam: float) -> Array:
    """the L2 penalty pulls each weight towards 0 in proportion to its size"""
    return lam * W


def l2_per_row(W: Array, alpha: float, n: int) -> Values:
    """alpha/2 times the sum of its squared entries, divided by the number of rows"""
    return alpha / 2 * (W**2).sum() / n


def l2_per_row_gradient(W: Array, alpha: float, n: int) -> Array:
    """the L2 penalty, divided by the number of rows, pulls each weight towards 0"""
    return alpha / n * W


def l2_per_weight(W: Array, alpha: float, w: Array) -> Values:
    """alpha/2 times the sum of its squared entries, divided by the sum of the weights of the rows"""
    return alpha / 2 * (W**2).sum() / w.sum()


def l2_per_weight_gradient(W: Array, alpha: float, w: Array) -> Values:
    """the L2 penalty, divided by the sum of the weights of the rows, pulls each weight towards 0"""
    return alpha / w.sum() * W


def l1(W: Array, lam1: float) -> Values:
    """lam1 times the sum of its absolute values"""
    return lam1 * np.abs(W).sum()


def l1_gradient(W: Array, lam1: float) -> Array:
    """the L1 penalty pulls each weight towards 0 by the same amount"""
    return lam1 * np.sign(W)


@dataclass(frozen=True)
class Regularizer(CheckedKeywords):
    """The base of all regularizers: a penalty of ``W``, its gradient, and the constants of both.

    For your own regularizer, write a subclass with two formulas and with fields; a field's name is a letter
    of the formulas.  The formulas may also take ``n``, the number of rows in the batch.
    """

    penalty: ClassVar[Callable[..., Values]]
    gradient: ClassVar[Callable[..., Array]]

    @property
    def constants(self) -> dict[str, float]:
        """The constants of the formulas, by letter."""
        return dict(self.__dict__)

    def formulas(self, weights: bool) -> tuple[Callable[..., Values], Callable[..., Array]]:
        """Return the penalty and its gradient, for rows with weights ``w`` or without."""
        kind = type(self)
        return kind.penalty, kind.gradient

    def __post_init__(self) -> None:
        check_fields(self, self.constants)


@dataclass(frozen=True)
class L2(Regularizer):
    """L2 regularization: adds lam/2 · Σ W² to the objective ("ridge", "weight decay").

    >>> L2(0.01)
    L2(lam=0.01)
    """

    lam: float = field(metadata=number(at_least=0))

    penalty = l2
    gradient = l2_gradient


@dataclass(frozen=True)
class L1(Regularizer):
    """L1 regularization: adds lam1 · Σ |W| to the objective ("lasso"), which drives many weights to near 0.

    >>> L1(0.01)
    L1(lam1=0.01)
    """

    lam1: float = field(metadata=number(at_least=0))

    penalty = l1
    gradient = l1_gradient


@dataclass(frozen=True)
class L2PerRow(Regularizer):
    """L2 regularization as in scikit-learn: adds alpha/2 · Σ W² / n to the objective, with n rows in the batch.

    The effect of one step depends on the batch size; over an epoch it is about the same for all batch sizes.
    If rows have weights, their sum replaces n.

    >>> L2PerRow(1e-4)
    L2PerRow(alpha=0.0001)
    """

    alpha: float = field(metadata=number(at_least=0))

    penalty = l2_per_row
    gradient = l2_per_row_gradient

    def formulas(self, weights: bool) -> tuple[Callable[..., Values], Callable[..., Array]]:
        return (l2_per_weight, l2_per_weight_gradient) if weights else super().formulas(weights)


REGULARIZERS: dict[str, type[Regularizer]] = {"L2": L2, "L1": L1, "L2PerRow": L2PerRow}
