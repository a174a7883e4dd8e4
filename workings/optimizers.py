"""Optimizers: what one step does with the gradient.

Each optimizer names one or more update rules.  A rule is a plain function of one parameter
``theta``, its gradient ``g``, the learning rate ``lr``, the step ``t`` (counted from 1), the
optimizer's constants, and its state in the letters of the paper; what it returns are the new
values.  Clipping and decay are rules of their own, to be put in front with ``Chain``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from workings.errors import InputError, unknown_name
from workings.schedules import Schedule, schedule_of
from workings.support.arrays import Array, Values, describe

Rule = Callable[..., Any]


def sgd(theta: Array, g: Array, lr: float) -> Array:
    # A small step downhill.
    theta = theta - lr * g
    return theta


def speed(v: Array, g: Array, lr: float, momentum: float) -> Array:
    """is most of the speed there was, and a push downhill"""
    return momentum * v - lr * g


def scaled_step(theta: Array, g: Array, s: Array, lr: float, eps: float) -> Array:
    """is a step that is shorter where the gradients were large"""
    return theta - lr * g / (np.sqrt(s) + eps)


def heavy_ball(theta: Array, g: Array, v: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    # The speed: most of what it was, and a push downhill.
    v = speed(v, g, lr, momentum)
    # A step at that speed.
    theta = theta + v
    return theta, v


def nesterov(theta: Array, g: Array, v: Array, lr: float, momentum: float) -> tuple[Array, Array]:
    # The speed: most of what it was, and a push downhill.
    v = speed(v, g, lr, momentum)
    # A step at the speed that the next push will find.
    theta = theta + momentum * v - lr * g
    return theta, v


def adagrad(theta: Array, g: Array, s: Array, lr: float, eps: float) -> tuple[Array, Array]:
    # The squares of all gradients so far.
    s = s + g**2
    # A step that is shorter where the gradients were large.
    theta = scaled_step(theta, g, s, lr, eps)
    return theta, s


def rmsprop(theta: Array, g: Array, s: Array, lr: float, rho: float, eps: float) -> tuple[Array, Array]:
    # A running mean of the squared gradients.
    s = rho * s + (1 - rho) * g**2
    # A step that is shorter where the gradients were large of late.
    theta = scaled_step(theta, g, s, lr, eps)
    return theta, s


def adam(
    theta: Array, g: Array, m: Array, v: Array, lr: float, t: int, beta1: float, beta2: float, eps: float
) -> tuple[Array, Array, Array]:
    # A running mean of the gradients.
    m = beta1 * m + (1 - beta1) * g
    # A running mean of the squared gradients.
    v = beta2 * v + (1 - beta2) * g**2
    # Both began at 0; this makes up for it.
    m_hat = m / (1 - beta1**t)
    # The same for the squares.
    v_hat = v / (1 - beta2**t)
    # A step of about lr, shorter where the gradient keeps changing its mind.
    theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta, m, v


def adam_epsilon_hat(
    theta: Array, g: Array, m: Array, v: Array, lr: float, t: int, beta1: float, beta2: float, eps: float
) -> tuple[Array, Array, Array]:
    # A running mean of the gradients.
    m = beta1 * m + (1 - beta1) * g
    # A running mean of the squared gradients.
    v = beta2 * v + (1 - beta2) * g**2
    # A step of about lr, shorter where the gradient keeps changing its mind; a factor makes up for beginning at 0.
    theta = scaled_step(theta, m, v, lr * np.sqrt(1 - beta2**t) / (1 - beta1**t), eps)
    return theta, m, v


def decay(theta: Array, lr: float, weight_decay: float) -> Array:
    # Every parameter shrinks a little, apart from the gradient.
    theta = theta - lr * weight_decay * theta
    return theta


def clip_by_value(g: Array, limit: float) -> Array:
    # No entry of the gradient is larger than the limit.
    g = np.minimum(np.maximum(g, -limit), limit)
    return g


def squares(g: Array) -> Values:
    """the sum of the squares"""
    return (g**2).sum()


def global_norm(totals: list[Values]) -> Values:
    """is the length of the whole gradient, all parameters together"""
    return np.sqrt(sum(totals))


def clip_by_norm(g: Array, norm: Values, max_norm: float) -> Array:
    # The whole gradient is shortened to the limit where it is longer, and keeps its direction.
    g = g * (max_norm / np.maximum(norm, max_norm))
    return g


@dataclass(frozen=True)
class Part:
    """One part of an update: rules, the state they keep, and their constants (the other fields).

    ``rules`` are run in order for each parameter; the letters in ``state`` begin at 0.  ``gather``
    names a formula for each parameter and one that makes one number of the results: ``norm``.
    """

    rules: ClassVar[tuple[Rule, ...]] = ()
    state: ClassVar[tuple[str, ...]] = ()
    gather: ClassVar[Mapping[str, tuple[Rule, Rule]]] = {}

    @property
    def constants(self) -> dict[str, float]:
        """The numbers that the rules take by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "lr"}

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts in order; a ``Chain`` has several."""
        return (self,)

    def chosen(self, parameters: Sequence[str]) -> Sequence[str]:
        """The parameters that this part, and those after it, act on: all, unless it leaves some out."""
        return parameters

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes this optimizer another one than others: its settings and its rules."""
        return repr(self), *(rule for part in self.parts for rule in part.rules)

    def __post_init__(self) -> None:
        for letter, value in self.constants.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InputError(f"{type(self).__name__} needs {letter} as a number from 0, not {value!r}.")
            if letter in ("momentum", "rho", "beta1", "beta2") and value >= 1:
                raise InputError(f"{type(self).__name__} needs {letter} below 1, not {value!r}.")
            if letter in ("limit", "max_norm") and value == 0:
                raise InputError(f"{type(self).__name__} needs {letter} above 0: at 0 nothing would be left.")


@dataclass(frozen=True)
class Optimizer(Part):
    """A part with a learning rate: a positive number, or a schedule."""

    lr: float | Schedule

    def __post_init__(self) -> None:
        schedule_of(self.lr)
        super().__post_init__()

    @property
    def schedule(self) -> Any:
        """The learning rate as a function of the step."""
        return schedule_of(self.lr)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent: theta = theta - lr · g.

    >>> SGD(0.1)
    SGD(lr=0.1)
    """

    rules = (sgd,)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent with a speed (Polyak 1964), in the form of Sutskever et al. 2013 (eq. 1, 2).

    >>> Momentum(0.01)
    Momentum(lr=0.01, momentum=0.9)
    """

    momentum: float = 0.9

    rules = (heavy_ball,)
    state = ("v",)


@dataclass(frozen=True)
class Nesterov(Optimizer):
    """Momentum whose gradient is taken one step ahead (Nesterov 1983; Bengio et al. 2013, eq. 7).

    >>> Nesterov(0.01, momentum=0.8)
    Nesterov(lr=0.01, momentum=0.8)
    """

    momentum: float = 0.9

    rules = (nesterov,)
    state = ("v",)


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """A step size of its own for each parameter, which only shrinks (Duchi et al. 2011).

    >>> AdaGrad(0.1)
    AdaGrad(lr=0.1, eps=1e-10)
    """

    eps: float = 1e-10

    rules = (adagrad,)
    state = ("s",)


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """A step size of its own for each parameter, from recent gradients (Hinton 2012, lecture 6e).

    >>> RMSProp(1e-3)
    RMSProp(lr=0.001, rho=0.9, eps=1e-08)
    """

    rho: float = 0.9
    eps: float = 1e-8

    rules = (rmsprop,)
    state = ("s",)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Momentum and a step size of its own for each parameter (Kingma & Ba 2015, algorithm 1).

    >>> Adam()
    Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)
    """

    lr: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    rules = (adam,)
    state = ("m", "v")


@dataclass(frozen=True)
class AdamEpsilonHat(Adam):
    """Adam in the quicker form that its authors give at the end of their section 2 (Kingma & Ba 2015).

    The correction for the beginning is in the length of the step, so that ``eps`` is added to a root
    that is not corrected yet ("epsilon hat"): it weighs more in the first steps.  scikit-learn and Keras do so.

    >>> AdamEpsilonHat(0.01).eps
    1e-08
    """

    rules = (adam_epsilon_hat,)


@dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled decay of all parameters (Loshchilov & Hutter 2019, algorithm 2).

    >>> AdamW(3e-4, weight_decay=0.1).weight_decay
    0.1
    """

    lr: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01

    rules = (decay, adam)
    state = ("m", "v")


@dataclass(frozen=True)
class Decay(Part):
    """Decoupled decay: every parameter shrinks by lr · ``weight_decay`` before the step.

    >>> Chain(Decay(1e-3), SGD(0.1))
    Chain(Decay(weight_decay=0.001), SGD(lr=0.1))
    """

    weight_decay: float = 0.01

    rules = (decay,)


@dataclass(frozen=True)
class ClipByValue(Part):
    """Cuts every entry of the gradient off at ``limit``.

    >>> Chain(ClipByValue(0.5), SGD(0.1))
    Chain(ClipByValue(limit=0.5), SGD(lr=0.1))
    """

    limit: float = 1.0

    rules = (clip_by_value,)


@dataclass(frozen=True)
class ClipByNorm(Part):
    """Shortens the whole gradient to ``max_norm`` where it is longer (Pascanu et al. 2013, algorithm 1).

    >>> Chain(ClipByNorm(1.0), SGD(0.1))
    Chain(ClipByNorm(max_norm=1.0), SGD(lr=0.1))
    """

    max_norm: float = 1.0

    rules = (clip_by_norm,)
    gather = {"norm": (squares, global_norm)}


@dataclass(frozen=True, init=False)
class Freeze(Part):
    """Leaves parameters as they are: the parts after it do not see the names that it is given.

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
class Chain(Part):
    """Parts run one after the other; the last one is an optimizer.

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
    def schedule(self) -> Any:
        """The learning rate of the optimizer as a function of the step."""
        return self.links[-1].schedule  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.links))})"


@dataclass(frozen=True)
class LBFGS:
    """Quasi-Newton steps with a line search, for full batches; SciPy does the work (L-BFGS-B, Zhu et al. 1997).

    Good for small data.  ``memory`` pairs of steps are kept; training ends when no entry of the
    gradient exceeds ``tolerance``, when an iteration makes the objective smaller by no more than
    ``improvement`` (as a share of the objective, or of 1 where that is more), or when it has been computed
    ``evaluations`` times (by default 25 times for each epoch).
    Used as ``net.fit(X, y, optimizer=LBFGS(), epochs=200, batch_size=None)``.

    >>> LBFGS()
    LBFGS(memory=10, tolerance=1e-08, improvement=0.0, evaluations=None)
    """

    memory: int = 10
    tolerance: float = 1e-8
    improvement: float = 0.0
    evaluations: int | None = None

    def __post_init__(self) -> None:
        for name in ("memory", "evaluations"):
            value = getattr(self, name)
            is_number = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 1
            if not is_number and (name, value) != ("evaluations", None):
                raise InputError(f"LBFGS needs {name} as a whole number from 1, not {value!r}.")
        for name in ("tolerance", "improvement"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise InputError(f"LBFGS needs {name} as a number from 0, not {value!r}.")


OPTIMIZERS: dict[str, type[Optimizer]] = {
    kind.__name__: kind for kind in (SGD, Momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamEpsilonHat, AdamW)
}


OPTIMIZER_NAMES = (*map(str.lower, OPTIMIZERS), "lbfgs")  # as the command line has them


def optimizer_named(name: str, lr: float | None = None) -> Optimizer | LBFGS:
    """Make an optimizer by its name (in any case), with a usual learning rate where none is given.

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


def checked_optimizer(optimizer: Any) -> Part | LBFGS:
    """Refuse what is not an optimizer, such as a name or a number."""
    if isinstance(optimizer, LBFGS) or (isinstance(optimizer, Part) and hasattr(optimizer, "schedule")):
        return optimizer
    known = {name.lower(): name for name in OPTIMIZERS}
    name = optimizer.__name__ if isinstance(optimizer, type) else known.get(str(optimizer).lower())
    hint = f" Write {name}(…), with parentheses." if name in OPTIMIZERS else ""
    raise InputError(f"optimizer must be an optimizer such as SGD(0.1) or Adam(), not {describe(optimizer)}.{hint}")
