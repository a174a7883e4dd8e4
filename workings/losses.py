"""Losses: the loss functions and their gradients.

Each loss names four formulas.  The *link* computes the prediction ``p`` from the network's output ``z``; the
*value* computes one loss for each row or entry; the *gradient* is the derivative of the value with respect to
``z``; the *reduction* is the mean or the sum.  If the link is not linear, the value is computed from ``z``, not
from ``p``, so that nothing overflows and no logarithm of 0 is taken.
Scripts and worked steps print the comment above a line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np

from workings.activations import identity, sigmoid, softplus
from workings.errors import InputError, ProgramError, unknown_name
from workings.support.arrays import Array, Values
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import check_fields, number

Formula = Callable[..., Values]


def shifted(z: Array) -> Values:
    """are the logits minus each row's maximum: the softmax stays the same and cannot overflow"""
    return z - z.max(axis=1, keepdims=True)


def softmax(z: Array) -> Values:
    """are the class probabilities: each exponential divided by the sum of its row"""
    s = shifted(z)
    # The exponential of each shifted logit.
    e = np.exp(s)
    return e / e.sum(axis=1, keepdims=True)


def log_softmax(z: Array) -> Values:
    """are the logarithms of the softmax, computed without taking the logarithm of 0"""
    s = shifted(z)
    # The exponential of each shifted logit.
    e = np.exp(s)
    return s - np.log(e.sum(axis=1, keepdims=True))


def cross_entropy(z: Array, y: Array) -> Values:
    """is the sum over the classes of target times -log p, which is -log p of the true class if only its target is 1"""
    # The logarithm of each probability.
    log_p = log_softmax(z)
    return -(y * log_p).sum(axis=1, keepdims=True)


def binary_cross_entropy(z: Values, y: Values) -> Values:
    """is the negative logarithm of the predicted probability of the true label"""
    return softplus(z) - y * z


def predicted_minus_true(p: Values, y: Values) -> Values:
    """is the prediction minus the target"""
    return p - y


def squared_error(p: Values, y: Values) -> Values:
    """is the squared error"""
    return (p - y) ** 2


def squared_error_gradient(p: Values, y: Values) -> Values:
    """is twice the error"""
    return 2 * (p - y)


def half_squared_error(p: Values, y: Values) -> Values:
    """is half the squared error, so that its derivative has no factor of 2"""
    return 0.5 * (p - y) ** 2


def absolute_error(p: Values, y: Values) -> Values:
    """is the absolute error"""
    return np.abs(p - y)


def absolute_error_gradient(p: Values, y: Values) -> Values:
    """is the sign of the error"""
    return np.sign(p - y)


def huber(p: Values, y: Values, delta: float) -> Values:
    """is half the squared error below delta, and linear in the error above"""
    # The absolute error.
    size = np.abs(p - y)
    return np.where(size < delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def huber_gradient(p: Values, y: Values, delta: float) -> Values:
    """is the error clipped to the interval from -delta to delta"""
    return np.minimum(np.maximum(p - y, -delta), delta)


def rate(z: Values) -> Values:
    """are the expected counts: the exponential, at most e^60"""
    return np.exp(np.minimum(z, 60))


def poisson(z: Values, y: Values) -> Values:
    """is the negative Poisson log-likelihood without the term that depends on y alone

    Beyond z = 60 the exponential is continued along its tangent, so that the value is finite and
    its derivative still agrees with the gradient.
    """
    return rate(z) * (1 + z - np.minimum(z, 60)) - y * z


def half_poisson_deviance(z: Values, y: Values) -> Values:
    """is half the Poisson deviance, which is 0 for a perfect prediction"""
    return poisson(z, y) + y * np.log(np.where(y > 0, y, 1)) - y


def smoothed(y: Array, smoothing: float) -> Values:
    """are the smoothed targets: 1 - smoothing of each target stays, and smoothing is spread evenly over all classes"""
    return (1 - smoothing) * y + smoothing / y.shape[1]


def sum_up(losses: Array) -> Values:
    """is the sum over all rows and outputs"""
    return losses.sum()


def mean_over_rows(losses: Array, n: int) -> Values:
    """is the mean over the rows"""
    return losses.sum() / n


def mean_over_entries(losses: Array) -> Values:
    """is the mean over all rows and outputs"""
    return losses.sum() / losses.size


def weighted_sum(losses: Array, w: Array) -> Values:
    """is the weighted sum over the rows"""
    return (w * losses).sum()


def weighted_mean_over_rows(losses: Array, w: Array) -> Values:
    """is the weighted mean over the rows"""
    return (w * losses).sum() / w.sum()


def weighted_mean_over_entries(losses: Array, w: Array) -> Values:
    """is the weighted mean over all rows and outputs"""
    return (w * losses).sum() / (w.sum() * losses.shape[1])


def divided_by_rows(dlosses: Array, n: int) -> Values:
    """divided by the number of rows, because the loss is a mean"""
    return dlosses / n


def divided_by_entries(dlosses: Array, y: Array) -> Values:
    """divided by the number of rows times outputs, because the loss is a mean"""
    return dlosses / y.size


def weighted(dlosses: Array, w: Array) -> Values:
    """each row multiplied by its weight"""
    return w * dlosses


def weighted_by_share(dlosses: Array, w: Array) -> Values:
    """each row multiplied by its share of the total weight"""
    return w / w.sum() * dlosses


def weighted_by_share_of_entries(dlosses: Array, w: Array, y: Array) -> Values:
    """each row multiplied by its share of the total weight, divided by the number of outputs"""
    return w / (w.sum() * y.shape[1]) * dlosses


# The formulas that reduce the losses to one number, and that scale the gradient accordingly.
# fmt: off
REDUCTIONS: dict[tuple[str, bool], tuple[Formula, Formula]] = {
    # (reduction, rows weighted?):     (value,                  gradient)
    ("sum",             False): (sum_up,                     identity),
    ("mean of rows",    False): (mean_over_rows,             divided_by_rows),
    ("mean of entries", False): (mean_over_entries,          divided_by_entries),
    ("sum",             True):  (weighted_sum,               weighted),
    ("mean of rows",    True):  (weighted_mean_over_rows,    weighted_by_share),
    ("mean of entries", True):  (weighted_mean_over_entries, weighted_by_share_of_entries),
}
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Loss(CheckedKeywords):
    """The base of all losses; ``reduction`` is ``"mean"``, ``"sum"`` or ``"mean of rows"``.

    The mean is over rows and outputs; ``CrossEntropy`` has one loss for each row, so its mean is over rows.
    The mean of rows sums over the outputs of each row.  For your own loss, write a subclass that names its
    formulas, as the subclasses below do.
    """

    reduction: str = "mean"

    link: ClassVar[Formula] = identity
    value: ClassVar[Formula]
    gradient: ClassVar[Formula]
    target: ClassVar[str] = "numbers"  # the kind of y: "numbers", "classes", "labels" (0 or 1) or "counts"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum", "mean of rows"):
            raise unknown_name("reduction", self.reduction, ("mean", "sum", "mean of rows"))
        check_fields(self)

    @property
    def is_classification(self) -> bool:
        """Whether targets are classes or labels, so that the outputs are their probabilities."""
        return self.target in ("classes", "labels")

    @property
    def is_multiclass(self) -> bool:
        """Whether each row has one class, with one output for each class."""
        return self.target == "classes"

    @property
    def takes_any_number(self) -> bool:
        """Whether targets can be any number, and the loss applies no activation to the outputs."""
        return self.target == "numbers"

    @property
    def takes_counts(self) -> bool:
        """Whether targets are counts from 0."""
        return self.target == "counts"

    @property
    def formulas(self) -> Mapping[str, Formula]:
        """The formulas of this loss by name: ``target``, ``link``, ``value``, ``gradient``."""
        kind = type(self)
        for name in ("value", "gradient"):
            if not hasattr(kind, name):
                raise ProgramError(f"{kind.__name__} has no {name}: name a formula for it, as in `{name} = my_{name}`.")
        return {"target": identity, "link": kind.link, "value": kind.value, "gradient": kind.gradient}

    @property
    def constants(self) -> dict[str, float]:
        """The constants of the formulas, by letter."""
        return {}

    def reduce(self, weights: bool) -> tuple[Formula, Formula]:
        """Return the formulas that reduce the losses to one number, and that scale the gradient."""
        over = "rows" if self.is_multiclass else "entries"
        return REDUCTIONS[(f"mean of {over}" if self.reduction == "mean" else self.reduction, weights)]

    def divisor(self, rows: int) -> int:
        """Return what the objective of a number of rows is divided by to be per row: the rows if it is a sum.

        >>> SquaredError(reduction="sum").divisor(20), SquaredError().divisor(20)
        (20, 1)
        """
        return rows if self.reduction == "sum" else 1

    def merged(self, values: Sequence[float], sizes: Sequence[float]) -> float:
        """Return the loss on all rows from those on their parts; ``sizes`` are the rows, or weights, of each part.

        >>> SquaredError().merged([1.0, 4.0], [20, 10]), SquaredError(reduction="sum").merged([1.0, 4.0], [20, 10])
        (2.0, 5.0)
        """
        if self.reduction == "sum":
            return math.fsum(values)
        return math.fsum(value * size for value, size in zip(values, sizes, strict=True)) / math.fsum(sizes)

    def settings(self) -> dict[str, object]:
        """Return the fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class SquaredError(Loss):
    r"""Squared error, (p - y)²: the default for numbers.

    ``half=True`` uses ½ (p - y)², as many tutorials do; the mean is over rows and outputs.

    Examples
    --------
    >>> SquaredError(half=True, reduction="sum")
    SquaredError(reduction='sum', half=True)
    """

    half: bool = False

    value = squared_error
    gradient = squared_error_gradient

    @property
    def formulas(self) -> Mapping[str, Formula]:
        whole = super().formulas
        return {**whole, "value": half_squared_error, "gradient": predicted_minus_true} if self.half else whole


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """Absolute error, |p - y|: less sensitive to outliers; its gradient is the sign of the error.

    >>> AbsoluteError(reduction="sum")
    AbsoluteError(reduction='sum')
    """

    value = absolute_error
    gradient = absolute_error_gradient


@dataclass(frozen=True)
class Huber(Loss):
    """Huber loss: half the squared error up to ``delta``, linear beyond (Huber 1964).

    >>> Huber(delta=0.5)
    Huber(reduction='mean', delta=0.5)
    """

    delta: float = field(default=1.0, metadata=number(above=0))

    value = huber
    gradient = huber_gradient

    @property
    def constants(self) -> dict[str, float]:
        return {"delta": self.delta}


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax and cross-entropy, for two or more classes.

    Targets are one class label for each row, or rows of probabilities such as one-hot vectors.
    ``label_smoothing`` spreads that share of each target evenly over all classes (Szegedy et al. 2016).

    >>> CrossEntropy(label_smoothing=0.1)
    CrossEntropy(reduction='mean', label_smoothing=0.1)
    """

    label_smoothing: float = field(default=0.0, metadata=number(at_least=0, below=1))

    link = softmax
    value = cross_entropy
    gradient = predicted_minus_true
    target = "classes"

    @property
    def formulas(self) -> Mapping[str, Formula]:
        whole = super().formulas
        return {**whole, "target": smoothed} if self.label_smoothing else whole

    @property
    def constants(self) -> dict[str, float]:
        return {"smoothing": self.label_smoothing}


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """Sigmoid and binary cross-entropy, for one label or several, each 0 or 1.

    >>> BinaryCrossEntropy().target
    'labels'
    """

    link = sigmoid
    value = binary_cross_entropy
    gradient = predicted_minus_true
    target = "labels"


@dataclass(frozen=True)
class Poisson(Loss):
    """Poisson loss for counts: p = exp(z) is the expected count (McCullagh & Nelder 1989, ch. 6).

    With ``deviance=True`` the value is half the deviance: it differs by a term that depends only on the targets,
    and is 0 if every prediction is exact.

    >>> Poisson().target
    'counts'
    """

    deviance: bool = False

    link = rate
    value = poisson
    gradient = predicted_minus_true
    target = "counts"

    @property
    def formulas(self) -> Mapping[str, Formula]:
        whole = super().formulas
        return {**whole, "value": half_poisson_deviance} if self.deviance else whole


LOSSES: dict[str, type[Loss]] = {
    kind.__name__: kind for kind in (SquaredError, AbsoluteError, Huber, CrossEntropy, BinaryCrossEntropy, Poisson)
}


def loss_named(given: str | Loss) -> Loss:
    """Return a loss by its name in any case; a loss is returned as it is.

    >>> loss_named("Huber")
    Huber(reduction='mean', delta=1.0)
    """
    if isinstance(given, Loss):
        return given
    if isinstance(given, type) and issubclass(given, Loss):
        raise InputError(f"{given.__name__} is a class: write {given.__name__}(), with parentheses.")
    by_lower = {name.lower(): kind for name, kind in LOSSES.items()}
    if isinstance(given, str) and given.lower() in by_lower:
        return by_lower[given.lower()]()
    raise unknown_name("loss", given, LOSSES)
