"""Losses: how wrong the network is, as one number, and which way is less wrong.

Each loss is a description that names four formulas: its *link* turns the network's output ``z``
into the prediction ``p``; its *value* gives one loss for each row (or for each entry); its
*gradient* says how that changes with ``z``; a *reduction* makes one number of them.  Where the link
bends, values are computed from ``z``, not from ``p``, so that nothing overflows and no logarithm
meets a zero.
The comment above a line is what the readings say about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from workings.activations import identity, sigmoid, softplus
from workings.errors import InputError, ProgramError, unknown_name
from workings.support.arrays import Array, Values

Formula = Callable[..., Values]


def shifted(z: Array) -> Values:
    """are the scores with each row's largest taken off: the softmax stays the same and cannot overflow"""
    return z - z.max(axis=1, keepdims=True)


def softmax(z: Array) -> Values:
    """are the shares of the exponentials: positive, and each row adds up to 1"""
    s = shifted(z)
    # Each score as a positive weight.
    e = np.exp(s)
    return e / e.sum(axis=1, keepdims=True)


def log_softmax(z: Array) -> Values:
    """are the logarithms of the softmax, without ever taking the logarithm of 0"""
    s = shifted(z)
    # Each score as a positive weight.
    e = np.exp(s)
    return s - np.log(e.sum(axis=1, keepdims=True))


def cross_entropy(z: Array, y: Array) -> Values:
    """is minus the logarithm of the probability that the true class was given"""
    # The logarithm of each probability.
    log_p = log_softmax(z)
    return -(y * log_p).sum(axis=1, keepdims=True)


def binary_cross_entropy(z: Values, y: Values) -> Values:
    """is minus the logarithm of the probability that the true label was given"""
    return softplus(z) - y * z


def predicted_minus_true(p: Values, y: Values) -> Values:
    """is what was predicted minus what is true"""
    return p - y


def squared_error(p: Values, y: Values) -> Values:
    """is the square of the error"""
    return (p - y) ** 2


def squared_error_gradient(p: Values, y: Values) -> Values:
    """is twice the error"""
    return 2 * (p - y)


def half_squared_error(p: Values, y: Values) -> Values:
    """is half the square of the error, so that its derivative needs no 2"""
    return 0.5 * (p - y) ** 2


def absolute_error(p: Values, y: Values) -> Values:
    """is the size of the error"""
    return np.abs(p - y)


def absolute_error_gradient(p: Values, y: Values) -> Values:
    """is the sign of the error"""
    return np.sign(p - y)


def huber(p: Values, y: Values, delta: float) -> Values:
    """is half the square of a small error and grows only linearly for a large one"""
    # The size of each error.
    size = np.abs(p - y)
    return np.where(size < delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def huber_gradient(p: Values, y: Values, delta: float) -> Values:
    """is the error, cut off at delta"""
    return np.minimum(np.maximum(p - y, -delta), delta)


def rate(z: Values) -> Values:
    """are the expected counts; beyond e^60 the exponential is held"""
    return np.exp(np.minimum(z, 60))


def poisson(z: Values, y: Values) -> Values:
    """is minus the Poisson log-likelihood, but for a term that only depends on y

    Beyond z = 60 the exponential is continued along its tangent, so that the value is finite and
    its derivative still agrees with the gradient.
    """
    return rate(z) * (1 + z - np.minimum(z, 60)) - y * z


def half_poisson_deviance(z: Values, y: Values) -> Values:
    """is half the Poisson deviance: how far the likelihood is below that of a perfect prediction"""
    return poisson(z, y) + y * np.log(np.where(y > 0, y, 1)) - y


def smoothed(y: Array, smoothing: float) -> Values:
    """are the targets with a little of each one spread evenly over all classes"""
    return (1 - smoothing) * y + smoothing / y.shape[1]


def sum_up(losses: Array) -> Values:
    """is all of them added up"""
    return losses.sum()


def mean_over_rows(losses: Array, n: int) -> Values:
    """is the mean over the rows"""
    return losses.sum() / n


def mean_over_entries(losses: Array) -> Values:
    """is the mean over all rows and outputs"""
    return losses.sum() / losses.size


def weighted_sum(losses: Array, w: Array) -> Values:
    """is each row by its weight, added up"""
    return (w * losses).sum()


def weighted_mean_over_rows(losses: Array, w: Array) -> Values:
    """is the mean over the rows, each by its weight"""
    return (w * losses).sum() / w.sum()


def weighted_mean_over_entries(losses: Array, w: Array) -> Values:
    """is the mean over all rows and outputs, each row by its weight"""
    return (w * losses).sum() / (w.sum() * losses.shape[1])


def divided_by_rows(dlosses: Array, n: int) -> Values:
    """divided by the number of rows, because the loss is a mean"""
    return dlosses / n


def divided_by_entries(dlosses: Array, y: Array) -> Values:
    """divided by the number of rows and outputs, because the loss is a mean"""
    return dlosses / y.size


def weighted(dlosses: Array, w: Array) -> Values:
    """each row by its weight"""
    return w * dlosses


def weighted_by_share(dlosses: Array, w: Array) -> Values:
    """each row by its share of the weights"""
    return w / w.sum() * dlosses


def weighted_by_share_of_entries(dlosses: Array, w: Array, y: Array) -> Values:
    """each row by its share of the weights, divided by the number of outputs"""
    return w / (w.sum() * y.shape[1]) * dlosses


# What makes one number of many losses, and what that does to the gradient.
# fmt: off
REDUCTIONS: dict[tuple[str, bool], tuple[Formula, Formula]] = {
    # (what is taken, rows weighted?): (value,                  gradient)
    ("sum",             False): (sum_up,                     identity),
    ("mean of rows",    False): (mean_over_rows,             divided_by_rows),
    ("mean of entries", False): (mean_over_entries,          divided_by_entries),
    ("sum",             True):  (weighted_sum,               weighted),
    ("mean of rows",    True):  (weighted_mean_over_rows,    weighted_by_share),
    ("mean of entries", True):  (weighted_mean_over_entries, weighted_by_share_of_entries),
}
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What all losses share: a reduction, ``"mean"``, ``"sum"`` or ``"mean of rows"``.

    The mean is taken over rows and outputs, except for ``CrossEntropy``, which has one loss for
    each row; the mean of rows adds the outputs of a row up.  A loss of your own is a subclass that
    names its formulas, as those below do.
    """

    reduction: str = "mean"

    link: ClassVar[Formula] = identity
    value: ClassVar[Formula]
    gradient: ClassVar[Formula]
    target: ClassVar[str] = "numbers"  # what y holds: "numbers", "classes", "labels" (0 or 1) or "counts"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum", "mean of rows"):
            raise unknown_name("reduction", self.reduction, ("mean", "sum", "mean of rows"))

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
        """The numbers that the formulas take by name."""
        return {}

    def reduce(self, weights: bool) -> tuple[Formula, Formula]:
        """The formulas that make one number of the losses, and that scale the gradient."""
        over = "rows" if self.target == "classes" else "entries"
        return REDUCTIONS[(f"mean of {over}" if self.reduction == "mean" else self.reduction, weights)]

    def divisor(self, rows: int) -> int:
        """By what an objective of so many rows is divided to be one per row: by the rows where it is a sum.

        >>> SquaredError(reduction="sum").divisor(20), SquaredError().divisor(20)
        (20, 1)
        """
        return rows if self.reduction == "sum" else 1

    def settings(self) -> dict[str, Any]:
        """The fields, for files and for people."""
        return asdict(self)


@dataclass(frozen=True)
class SquaredError(Loss):
    r"""The square of the error: (p - y)², the default for numbers.

    ``half=True`` takes ½ (p - y)², as many tutorials do; the mean is over rows and outputs.

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
    """The size of the error, |p - y|: less moved by outliers; its gradient is only a sign.

    >>> AbsoluteError(reduction="sum")
    AbsoluteError(reduction='sum')
    """

    value = absolute_error
    gradient = absolute_error_gradient


@dataclass(frozen=True)
class Huber(Loss):
    """Half the squared error up to ``delta``, linear beyond (Huber 1964).

    >>> Huber(delta=0.5)
    Huber(reduction='mean', delta=0.5)
    """

    delta: float = 1.0

    value = huber
    gradient = huber_gradient

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.delta < np.inf:
            raise InputError(f"Huber's delta must be a positive number, not {self.delta!r}.")

    @property
    def constants(self) -> dict[str, float]:
        return {"delta": self.delta}


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """Softmax and -log of the true class's probability, for two or more classes.

    Targets are class labels, one for each row, or rows of probabilities (one-hot).
    ``label_smoothing`` spreads that share of each target over all classes (Szegedy et al. 2016).

    >>> CrossEntropy(label_smoothing=0.1)
    CrossEntropy(reduction='mean', label_smoothing=0.1)
    """

    label_smoothing: float = 0.0

    link = softmax
    value = cross_entropy
    gradient = predicted_minus_true
    target = "classes"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing must be at least 0 and below 1, not {self.label_smoothing!r}.")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        whole = super().formulas
        return {**whole, "target": smoothed} if self.label_smoothing else whole

    @property
    def constants(self) -> dict[str, float]:
        return {"smoothing": self.label_smoothing}


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """Sigmoid and -log of the true label's probability; one label or several, each 0 or 1.

    >>> BinaryCrossEntropy().target
    'labels'
    """

    link = sigmoid
    value = binary_cross_entropy
    gradient = predicted_minus_true
    target = "labels"


@dataclass(frozen=True)
class Poisson(Loss):
    """Counts: p = exp(z) is the expected number (McCullagh & Nelder 1989, ch. 6).

    With ``deviance=True`` the value is half the deviance: it differs by a number that only depends on
    the targets, and is 0 where every prediction is right.

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
    """Look a loss up by name; one that is passed is given back.

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
