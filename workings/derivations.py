"""Derivations: why the gradient of a loss with respect to the network's output z is so short.

A derivation is a few lines in standard notation.  A line writes the loss in another form, or it is the derivative of a
part of the loss.  It names the value of a training step that it must equal, so a worked step evaluates it with the
numbers of a row and checks it.  The last line is not here: it is the loss's own gradient
(:mod:`workings.losses`).  The tests compare every derivative with finite differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workings.activations import identity, identity_derivative, sigmoid
from workings.losses import (
    Formula,
    Loss,
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    poisson,
    predicted_minus_true,
    rate,
    softmax,
    squared_error,
    squared_error_gradient,
)
from workings.support.arrays import Array, Values


@dataclass(frozen=True)
class DerivationLine:
    """One line of a derivation.

    Attributes
    ----------
    words : str
        What the line does, and why.
    formula : function
        The right side, a function of ``z``, ``p`` and ``y``.
    equals : str
        The name of the value that it must equal in every training step: ``losses``, ``p`` or ``y``; empty if none.
    of : function or None
        If given, ``formula`` is the derivative of this function with respect to ``by``.
    by : str
        ``"z"`` or ``"p"``.
    """

    words: str
    formula: Formula
    equals: str = ""
    of: Formula | None = None
    by: str = "z"


def minus_log_probability(p: Array, y: Array) -> Values:
    """is minus the logarithm of each probability, times its target, summed over the classes"""
    return -(y * np.log(p)).sum(axis=1, keepdims=True)


def log_sum_minus_target(z: Array, y: Array) -> Values:
    """is the logarithm of the sum of the exponentials, minus target times z"""
    return np.log(np.exp(z).sum(axis=1, keepdims=True)) - (y * z).sum(axis=1, keepdims=True)


def log_sum(z: Array) -> Values:
    """is the logarithm of the sum of the exponentials"""
    return np.log(np.exp(z).sum(axis=1, keepdims=True))


def share_of_sum(z: Array) -> Values:
    """is the exponential of each z, divided by the sum of its row"""
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def target_sum(z: Array, y: Array) -> Values:
    """is target times z, summed over the classes"""
    return (y * z).sum(axis=1, keepdims=True)


def minus_log_of_both(p: Array, y: Array) -> Values:
    """is minus the logarithm of p if the target is 1, and of 1 - p if it is 0"""
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def log_minus_target(z: Array, y: Array) -> Values:
    """is the logarithm of 1 + exp(z), minus target times z"""
    return np.log(1 + np.exp(z)) - y * z


def log_of_one_plus(z: Array) -> Values:
    """is the logarithm of 1 + exp(z)"""
    return np.log(1 + np.exp(z))


def share_of_one_plus(z: Array) -> Values:
    """is the exponential of z, divided by 1 plus this exponential"""
    return np.exp(z) / (1 + np.exp(z))


def count_minus_target(z: Array, y: Array) -> Values:
    """is the expected count, minus target times z"""
    return np.exp(z) - y * z


def exponential(z: Array) -> Values:
    """is the exponential"""
    return np.exp(z)


def target_times_z(z: Array, y: Array) -> Values:
    """is target times z"""
    return y * z


def target(y: Array) -> Array:
    """is the target"""
    return y


SOFTMAX = (
    DerivationLine("The loss of a row: minus the logarithm of each probability, times its target.",
                   minus_log_probability, "losses"),
    DerivationLine("The softmax gives log p = z - log Σ exp(z). The targets of a row add up to 1, so the logarithm of "
                   "the sum stands there once.", log_sum_minus_target, "losses"),
    DerivationLine("First part: the derivative of log(u) is u' / u, and only one exponential of the sum contains this "
                   "z. The quotient is the softmax p.", share_of_sum, "p", of=log_sum),
    DerivationLine("Second part: each z is multiplied by its own target, so the derivative is the target.",
                   target, "y", of=target_sum),
)  # fmt: skip
SIGMOID = (
    DerivationLine("The loss: minus the logarithm of p if the target is 1, and of 1 - p if it is 0.",
                   minus_log_of_both, "losses"),
    DerivationLine("The sigmoid gives log p = z - log(1 + exp(z)) and log(1 - p) = -log(1 + exp(z)).",
                   log_minus_target, "losses"),
    DerivationLine("First part: the derivative of log(u) is u' / u. The quotient is the sigmoid p.",
                   share_of_one_plus, "p", of=log_of_one_plus),
    DerivationLine("Second part: z is multiplied by its target, so the derivative is the target.",
                   target, "y", of=target_times_z),
)  # fmt: skip
IDENTITY = DerivationLine("This loss applies no activation: p is the output of the last layer, so its derivative is 1.",
                          identity_derivative, of=identity)  # fmt: skip
SQUARE = (
    DerivationLine("The loss: the square of prediction minus target.", squared_error, "losses"),
    DerivationLine("The derivative of u² is 2 u.", squared_error_gradient, of=squared_error, by="p"),
    IDENTITY,
)
HALF_SQUARE = (
    DerivationLine("The loss: half the square of prediction minus target.", half_squared_error, "losses"),
    DerivationLine("The derivative of u² is 2 u, and the half cancels the 2.",
                   predicted_minus_true, of=half_squared_error, by="p"),
    IDENTITY,
)  # fmt: skip
COUNT = (
    DerivationLine("The loss: the expected count exp(z), minus the target times z.", count_minus_target, "losses"),
    DerivationLine("First part: the exponential is its own derivative. It is the expected count p.",
                   exponential, "p", of=exponential),
    DerivationLine("Second part: z is multiplied by its target, so the derivative is the target.",
                   target, "y", of=target_times_z),
)  # fmt: skip

# The derivation, and the words of its last line, by the formulas of a loss.
# fmt: off
DIFFERENCE, CHAIN = "First part minus second part", "The chain rule multiplies both derivatives"
DERIVATIONS: dict[tuple[Formula, Formula, Formula], tuple[tuple[DerivationLine, ...], str]] = {
    # (applied to z, value, gradient):                     (lines,       the last line)
    (softmax,  cross_entropy,        predicted_minus_true):   (SOFTMAX,     DIFFERENCE),
    (sigmoid,  binary_cross_entropy, predicted_minus_true):   (SIGMOID,     DIFFERENCE),
    (identity, squared_error,        squared_error_gradient): (SQUARE,      CHAIN),
    (identity, half_squared_error,   predicted_minus_true):   (HALF_SQUARE, CHAIN),
    (rate,     poisson,              predicted_minus_true):   (COUNT,       DIFFERENCE),
}
# fmt: on


def derivation_of(loss: Loss) -> tuple[tuple[DerivationLine, ...], str]:
    """Return the derivation of a loss's gradient and the words of its last line; empty for a loss without one.

    >>> from workings import CrossEntropy, Huber
    >>> len(derivation_of(CrossEntropy())[0]), derivation_of(Huber())
    (4, ((), ''))
    """
    formulas = loss.formulas
    return DERIVATIONS.get((formulas["link"], formulas["value"], formulas["gradient"]), ((), ""))
