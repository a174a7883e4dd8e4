"""Optimizers: the update rules that change parameters by their gradients.

An optimizer names one or more update rules.  A rule is a plain function of one parameter ``theta``, its
gradient ``g``, the learning rate ``lr``, the step ``t`` (counted from 1), the optimizer's constants, and its
state in the letters of the paper; it returns the new values.  Clipping and weight decay are parts with
rules of their own; ``Chain`` puts them before an optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

import numpy as np

from workings.errors import InputError, unknown_name
from workings.schedules import LearningRateSchedule, monitor_of, schedule_of
from workings.support.arrays import Array, Values, describe
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_number, check_fields, number, whole_number

Rule = Callable[..., Values]


def sgd(theta: Array, g: Array, lr: float) -> Array:
    # A step against the gradient.
    theta = theta - lr * g
    return theta


def speed(v: Array, g: Array, lr: float, momentum: float) -> Array:
    """is the velocity: most of the previous one, minus lr times the gradient"""
    return momentum * v - lr * g


def scaled_step(theta: Array, g: Array, s: Array, lr: float, eps: float) -> Array:
    """is a step that is smaller where the gradients were large"""
    return theta - lr * g / (np.sqrt(s) + eps)


def heavy_ball(theta: Array, g: Array, v: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    # The velocity: most of the previous one, minus lr times the gradient.
    v = speed(v, g, lr, momentum)
    # A step with this velocity.
    theta = theta + v
    return theta, v


def nesterov(theta: Array, g: Array, v: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    # The velocity: most of the previous one, minus lr times the gradient.
    v = speed(v, g, lr, momentum)
    # A step with the velocity looked ahead by one step.
    theta = theta + momentum * v - lr * g
    return theta, v


def adagrad(theta: Array, g: Array, s: Array, lr: float, eps: float) -> tuple[Array, Array]:
    # The sum of all squared gradients so far.
    s = s + g**2
    # A step that is smaller where the gradients were large.
    theta = scaled_step(theta, g, s, lr, eps)
    return theta, s


def rmsprop(theta: Array, g: Array, s: Array, lr: float, rho: float, eps: float) -> tuple[Array, Array]:
    # The exponential moving average of the squared gradients.
    s = rho * s + (1 - rho) * g**2
    # A step that is smaller where recent gradients were large.
    theta = scaled_step(theta, g, s, lr, eps)
    return theta, s


def adam(
    theta: Array, g: Array, m: Array, v: Array, lr: float, t: int, beta1: float, beta2: float, eps: float
) -> tuple[Array, Array, Array]:
    # The exponential moving average of the gradients.
    m = beta1 * m + (1 - beta1) * g
    # The exponential moving average of the squared gradients.
    v = beta2 * v + (1 - beta2) * g**2
    # The average with its bias corrected, because it started at 0.
    m_hat = m / (1 - beta1**t)
    # The average of the squares with its bias corrected.
    v_hat = v / (1 - beta2**t)
    # A step of about lr, smaller where the gradient keeps changing.
    theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta, m, v


def adam_epsilon_hat(
    theta: Array, g: Array, m: Array, v: Array, lr: float, t: int, beta1: float, beta2: float, eps: float
) -> tuple[Array, Array, Array]:
    # The exponential moving average of the gradients.
    m = beta1 * m + (1 - beta1) * g
    # The exponential moving average of the squared gradients.
    v = beta2 * v + (1 - beta2) * g**2
    # A step of about lr, smaller where the gradient keeps changing; a factor corrects the bias of both averages.
    theta = scaled_step(theta, m, v, lr * np.sqrt(1 - beta2**t) / (1 - beta1**t), eps)
    return theta, m, v


def decay(theta: Array, lr: float, weight_decay: float) -> Array:
    # Decoupled weight decay: every parameter shrinks in proportion to its size.
    theta = theta - lr * weight_decay * theta
    return theta


def clip_by_value(g: Array, limit: float) -> Array:
    # Every entry of the gradient is clipped to the interval from -limit to limit.
    g = np.minimum(np.maximum(g, -limit), limit)
    return g


def squares(g: Array) -> Values:
    """the sum of the squares"""
    return (g**2).sum()


def global_norm(totals: list[Values]) -> Values:
    """is the norm of the whole gradient, over all parameters"""
    return np.sqrt(sum(totals))


def clip_by_norm(g: Array, norm: Values, max_norm: float) -> Array:
    # The gradient is scaled down to max_norm if its norm is larger; its direction stays the same.
    g = g * (max_norm / np.maximum(norm, max_norm))
    return g


def scaled_rate(lr: float, factor: float) -> float:
    """is the learning rate times a factor"""
    return lr * factor


class UpdateMethod(CheckedKeywords):
    """The base of all optimizers and their parts: the interface that a training uses."""

    takes_batches: ClassVar[bool]
    """Whether each step applies update rules to one batch.  For L-BFGS, SciPy chooses the steps, on all rows."""

    @property
    def parts(self) -> tuple[UpdateMethod, ...]:
        """The parts in order: several for a ``Chain``, else the optimizer itself."""
        return (self,)

    @property
    def schedule(self) -> LearningRateSchedule | None:
        """The learning rate as a function of the step, counted from 0; None if there is no learning rate."""
        return None

    @property
    def monitor(self) -> str | None:
        """The column of the history that the learning rate follows, as with ``OnPlateau``; None for all others."""
        return monitor_of(self.schedule)

    def chosen(self, parameters: Sequence[str]) -> Sequence[str]:
        """Return the parameters that this part and the parts after it update."""
        return parameters


@dataclass(frozen=True)
class Part(UpdateMethod):
    """A part of an update: its rules, their state, and their constants, which are its fields.

    The ``rules`` run in order for each parameter; each letter in ``state`` starts at 0.  ``gather`` maps a
    letter, such as ``norm``, to two formulas: one runs for each parameter, one reduces the results to a
    number.
    """

    takes_batches: ClassVar[Literal[True]] = True
    rules: ClassVar[tuple[Rule, ...]] = ()
    state: ClassVar[tuple[str, ...]] = ()
    gather: ClassVar[Mapping[str, tuple[Rule, Rule]]] = {}

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self,)

    @property
    def constants(self) -> dict[str, float]:
        """The constants of the rules, by letter."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "lr"}

    @property
    def rate_factors(self) -> Mapping[str, float]:
        """Factors of the learning rate for the parts after this one, by the letter of the parameters."""
        return {}

    @property
    def identity(self) -> tuple[object, ...]:
        """A key for caches: two optimizers with equal settings and rules have equal keys."""
        return repr(self), *(rule for part in self.parts for rule in part.rules)

    def __post_init__(self) -> None:
        check_fields(self, self.constants)


@dataclass(frozen=True)
class Optimizer(Part):
    """A part with a learning rate: a positive number or a schedule."""

    lr: float | LearningRateSchedule

    def __post_init__(self) -> None:
        schedule_of(self.lr)
        object.__setattr__(self, "lr", self.lr if callable(self.lr) else as_number(self.lr))
        super().__post_init__()

    @property
    def schedule(self) -> LearningRateSchedule:
        return schedule_of(self.lr)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent: theta = theta - lr · g.

    >>> SGD(0.1)
    SGD(lr=0.1)
    """

    rules = (sgd,)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with momentum (Polyak 1964), in the form of Sutskever et al. 2013 (eq. 1, 2).

    >>> Momentum(0.01)
    Momentum(lr=0.01, momentum=0.9)
    """

    momentum: float = field(default=0.9, metadata=number(at_least=0, below=1))

    rules = (heavy_ball,)
    state = ("v",)


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Nesterov momentum: the gradient is taken one step ahead (Nesterov 1983; Bengio et al. 2013, eq. 7).

    >>> Nesterov(0.01, momentum=0.8)
    Nesterov(lr=0.01, momentum=0.8)
    """

    momentum: float = field(default=0.9, metadata=number(at_least=0, below=1))

    rules = (nesterov,)
    state = ("v",)


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad: the step size of each entry decreases with its sum of squared gradients (Duchi et al. 2011).

    >>> AdaGrad(0.1)
    AdaGrad(lr=0.1, eps=1e-10)
    """

    eps: float = field(default=1e-10, metadata=number(at_least=0))

    rules = (adagrad,)
    state = ("s",)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp: a step size for each entry, from an average of squared gradients (Hinton 2012, lecture 6e).

    >>> RMSProp(1e-3)
    RMSProp(lr=0.001, rho=0.9, eps=1e-08)
    """

    rho: float = field(default=0.9, metadata=number(at_least=0, below=1))
    eps: float = field(default=1e-8, metadata=number(at_least=0))

    rules = (rmsprop,)
    state = ("s",)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: momentum, and a step size for each entry (Kingma & Ba 2015, algorithm 1).

    >>> Adam()
    Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)
    """

    lr: float | LearningRateSchedule = 1e-3
    beta1: float = field(default=0.9, metadata=number(at_least=0, below=1))
    beta2: float = field(default=0.999, metadata=number(at_least=0, below=1))
    eps: float = field(default=1e-8, metadata=number(at_least=0))

    rules = (adam,)
    state = ("m", "v")


@dataclass(frozen=True)
class AdamEpsilonHat(Adam):
    """Adam in the more efficient form at the end of section 2 of its paper (Kingma & Ba 2015).

    The bias correction is part of the step size, so ``eps`` is added to a root without bias correction
    ("epsilon hat") and has more effect in the first steps.  scikit-learn and Keras use this form.

    >>> AdamEpsilonHat(0.01).eps
    1e-08
    """

    rules = (adam_epsilon_hat,)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay of all parameters (Loshchilov & Hutter 2019, algorithm 2).

    >>> AdamW(3e-4, weight_decay=0.1).weight_decay
    0.1
    """

    lr: float | LearningRateSchedule = 1e-3
    beta1: float = field(default=0.9, metadata=number(at_least=0, below=1))
    beta2: float = field(default=0.999, metadata=number(at_least=0, below=1))
    eps: float = field(default=1e-8, metadata=number(at_least=0))
    weight_decay: float = field(default=0.01, metadata=number(at_least=0))

    rules = (decay, adam)
    state = ("m", "v")


@dataclass(frozen=True)
class Decay(Part):
    """Decoupled weight decay: subtract lr · ``weight_decay`` · theta before the step.

    >>> Chain(Decay(1e-3), SGD(0.1))
    Chain(Decay(weight_decay=0.001), SGD(lr=0.1))
    """

    weight_decay: float = field(default=0.01, metadata=number(at_least=0))

    rules = (decay,)


@dataclass(frozen=True)
class ClipByValue(Part):
    """Gradient clipping by value: every entry is clipped to ±``limit``.

    >>> Chain(ClipByValue(0.5), SGD(0.1))
    Chain(ClipByValue(limit=0.5), SGD(lr=0.1))
    """

    limit: float = field(default=1.0, metadata=number(above=0))

    rules = (clip_by_value,)


@dataclass(frozen=True)
class ClipByNorm(Part):
    """Gradient clipping by global norm: at most ``max_norm`` (Pascanu et al. 2013, algorithm 1).

    >>> Chain(ClipByNorm(1.0), SGD(0.1))
    Chain(ClipByNorm(max_norm=1.0), SGD(lr=0.1))
    """

    max_norm: float = field(default=1.0, metadata=number(above=0))

    rules = (clip_by_norm,)
    gather = {"norm": (squares, global_norm)}


@dataclass(frozen=True, init=False)
class Freeze(Part):
    """Freeze parameters: the parts after it do not update the parameters named here.

    >>> Chain(Freeze("b1", "b2"), SGD(0.5))
    Chain(Freeze('b1', 'b2'), SGD(lr=0.5))
    """

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        if not names or not all(isinstance(name, str) for name in names):
            raise InputError('Freeze takes the names of parameters, as in Chain(Freeze("b1", "b2"), SGD(0.1)).')
        object.__setattr__(self, "names", names)

    @property
    def constants(self) -> dict[str, float]:
        return {}

    def chosen(self, parameters: Sequence[str]) -> Sequence[str]:
        for name in self.names:
            if name not in parameters:
                raise unknown_name("parameter to freeze", name, parameters)
        left = [parameter for parameter in parameters if parameter not in self.names]
        if not left:
            raise InputError(f"{self!r} leaves no parameter to train.")
        return left

    def __repr__(self) -> str:
        return f"Freeze({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, init=False)
class RateFactors(Part):
    """Multiply the learning rate of some kinds of parameters, in the parts after it.

    A kind is named by its letter: ``W`` for weights, ``b`` for biases, ``s`` for the factors of ``Scale``, ``gamma``
    and ``beta`` for ``BatchNorm``.

    >>> Chain(RateFactors(b=0.1, s=6), SGD(0.5))
    Chain(RateFactors(b=0.1, s=6), SGD(lr=0.5))
    """

    factors: tuple[tuple[str, float], ...]

    def __init__(self, **factors: float) -> None:
        if not factors:
            raise InputError("RateFactors takes a factor by letter, as in Chain(RateFactors(b=0.1), SGD(0.1)).")
        for letter, value in factors.items():
            factor = as_number(value)
            if factor is None or not 0 < factor < 1e100:
                raise InputError(
                    f"The factor of the learning rate of {letter} must be a positive number, not {describe(value)}."
                )
        object.__setattr__(self, "factors", tuple((letter, as_number(f)) for letter, f in factors.items()))

    @property
    def constants(self) -> dict[str, float]:
        return {}

    @property
    def rate_factors(self) -> Mapping[str, float]:
        return dict(self.factors)

    def chosen(self, parameters: Sequence[str]) -> Sequence[str]:
        kinds = {kind_of(parameter) for parameter in parameters}
        for letter, _ in self.factors:
            if letter not in kinds:
                raise unknown_name("kind of parameter", letter, sorted(kinds))
        return parameters

    def __repr__(self) -> str:
        return f"RateFactors({', '.join(f'{letter}={factor!r}' for letter, factor in self.factors)})"


def kind_of(parameter: str) -> str:
    """Return the letter of a parameter's name.

    >>> kind_of("W12")
    'W'
    """
    return parameter.rstrip("0123456789")


@dataclass(frozen=True, init=False)
class Chain(Part):
    """A chain of parts that run in order; the last one is an optimizer.

    >>> Chain(ClipByNorm(1.0), Adam(1e-3)).schedule(0)
    0.001
    """

    links: tuple[Part, ...] = field(default=())

    def __init__(self, *links: Part) -> None:
        if not links or not isinstance(links[-1], Optimizer) or any(isinstance(p, Optimizer) for p in links[:-1]):
            raise InputError("A Chain ends with its one optimizer, as in Chain(ClipByNorm(1.0), SGD(0.1)).")
        object.__setattr__(self, "links", links)

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.links

    @property
    def constants(self) -> dict[str, float]:
        return {}

    @property
    def schedule(self) -> LearningRateSchedule | None:
        return self.links[-1].schedule

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.links))})"


@dataclass(frozen=True)
class LBFGS(UpdateMethod):
    """L-BFGS, a quasi-Newton method with a line search, for full batches (SciPy's L-BFGS-B, Zhu et al. 1997).

    It suits small data.  It approximates the Hessian from the last ``memory`` steps.  Training ends when one
    of these holds: no entry of the gradient exceeds ``tolerance``; an iteration reduces the objective J by no
    more than ``improvement`` · max(|J|, 1); the objective has been computed ``evaluations`` times (by default
    25 times for each epoch).  Use it as ``net.fit(X, y, optimizer=LBFGS(), epochs=200, batch_size=None)``.

    >>> LBFGS()
    LBFGS(memory=10, tolerance=1e-08, improvement=0.0, evaluations=None)
    """

    takes_batches: ClassVar[Literal[False]] = False

    memory: int = field(default=10, metadata=whole_number(at_least=1))
    tolerance: float = field(default=1e-8, metadata=number(at_least=0))
    improvement: float = field(default=0.0, metadata=number(at_least=0))
    evaluations: int | None = field(default=None, metadata=whole_number(at_least=1, optional=True))

    def __post_init__(self) -> None:
        check_fields(self)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__: kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamEpsilonHat, AdamW)
}


OPTIMIZER_NAMES = (*map(str.lower, OPTIMIZERS), "lbfgs")  # the choices of the command line


def optimizer_named(name: str, lr: float | None = None) -> Optimizer | LBFGS:
    """Return an optimizer by its name in any case, with a default learning rate if none is given.

    >>> optimizer_named("adam")
    Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)
    """
    if name.lower() == "lbfgs":
        return LBFGS()
    by_lower = {known.lower(): kind for known, kind in OPTIMIZERS.items()}
    if name.lower() not in by_lower:
        raise unknown_name("optimizer", name, OPTIMIZER_NAMES)
    usual = {"sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01}
    return by_lower[name.lower()](lr if lr is not None else usual.get(name.lower(), 1e-3))


def checked_optimizer(optimizer: object) -> Part | LBFGS:
    """Raise an error for anything but an optimizer, such as a name or a number."""
    if isinstance(optimizer, LBFGS) or (isinstance(optimizer, Part) and optimizer.schedule is not None):
        return optimizer
    known = {name.lower(): name for name in OPTIMIZERS}
    name = optimizer.__name__ if isinstance(optimizer, type) else known.get(str(optimizer).lower())
    hint = f" Write {name}(…), with parentheses." if name in OPTIMIZERS else ""
    raise InputError(f"optimizer must be an optimizer such as SGD(0.1) or Adam(), not {describe(optimizer)}.{hint}")
