"""Regularizers: a price on large weights.

Each adds a penalty to the objective ``J`` and its derivative to the gradient of every ``W``; biases
are free.  Conventions differ between libraries, so ours is in the formula: ``L2(lam)`` adds
``lam / 2`` times the sum of the squares to ``J``, whether the loss is a mean or a sum.  (PyTorch's
``weight_decay`` in SGD is this ``lam``; scikit-learn divides its ``alpha`` by the rows of the batch.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workings.arrays import Array, Values
from workings.errors import InputError


def l2(W: Array, lam: float) -> Values:
    """lam/2 times the sum of its squares"""
    return lam / 2 * (W**2).sum()


def l2_gradient(W: Array, lam: float) -> Array:
    """the price pulls each weight towards 0 in proportion to its size"""
    return lam * W


def l1(W: Array, lam1: float) -> Values:
    """lam1 times the sum of its sizes"""
    return lam1 * np.abs(W).sum()


def l1_gradient(W: Array, lam1: float) -> Array:
    """the price pulls each weight towards 0 with the same force"""
    return lam1 * np.sign(W)


@dataclass(frozen=True)
class Regularizer:
    """What the program asks of a regularizer: two formulas of ``W``, and a constant that both take.

    Subclass it with formulas and fields of your own; the fields' names are the letters.
    """

    penalty: ClassVar[Callable[..., Values]]
    gradient: ClassVar[Callable[..., Array]]

    @property
    def constants(self) -> dict[str, float]:
        """The numbers that the formulas take by name."""
        return dict(self.__dict__)

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


REGULARIZERS: dict[str, type[Regularizer]] = {"L2": L2, "L1": L1}
