"""Schedules: the learning rate as a function of the step.

``schedule(t)`` gives the learning rate for step ``t``, counted from 0, in the steps of the
optimizer (not in epochs).  All optimizers take one in place of a number.  ``OnPlateau`` also
looks at how the training goes; it is told one number after each epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from workings.errors import InputError
from workings.support.arrays import describe


@dataclass(frozen=True)
class Schedule:
    """A learning rate that changes; ``self(t)`` is the rate of step ``t``, from 0."""

    lr: float

    def __post_init__(self) -> None:
        positive_rate(self.lr)
        for f in fields(self):
            check_setting(type(self).__name__, f.name, getattr(self, f.name))

    def __call__(self, t: int) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    def __call__(self, t: int) -> float:
        return self.lr


@dataclass(frozen=True)
class Step(Schedule):
    """lr · factor^⌊t / every⌋.

    >>> [Step(0.1, every=2)(t) for t in range(5)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    every: int
    factor: float = 0.5

    def __call__(self, t: int) -> float:
        return float(self.lr * self.factor ** (t // self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """lr · factor^t."""

    factor: float

    def __call__(self, t: int) -> float:
        return self.lr * self.factor**t


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """lr / (1 + t / scale)^power."""

    power: float = 0.5
    scale: float = 1.0

    def __call__(self, t: int) -> float:
        return self.lr / float((1 + t / self.scale) ** self.power)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From ``lr`` down to ``end`` along half a cosine over ``steps`` steps (Loshchilov & Hutter 2017, eq. 5)."""

    steps: int
    end: float = 0.0

    def __call__(self, t: int) -> float:
        return self.end + 0.5 * (self.lr - self.end) * (1 + math.cos(math.pi * min(t / self.steps, 1)))


@dataclass(frozen=True)
class WarmUp:
    """Grows in a straight line over the first ``steps`` steps, then follows another schedule or rate.

    >>> [WarmUp(1.0, steps=4)(t) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    then: float | Schedule
    steps: int

    def __post_init__(self) -> None:
        schedule_of(self.then)
        if isinstance(self.then, OnPlateau):
            raise InputError("WarmUp cannot be followed by OnPlateau, which is told how each epoch went.")
        check_setting("WarmUp", "steps", self.steps)

    def __call__(self, t: int) -> float:
        return float(schedule_of(self.then)(t) * min((t + 1) / self.steps, 1))


@dataclass(frozen=True)
class OnPlateau(Schedule):
    """Multiplies the rate by ``factor`` when ``monitor`` has not got better for ``patience`` epochs.

    Better means lower by more than ``min_delta``, or higher for accuracy and R².  The rate does not
    fall below ``min_lr``.
    """

    factor: float = 0.1
    patience: int = 10
    monitor: str = "loss"
    min_delta: float = 1e-4
    min_lr: float = 0.0

    def __call__(self, t: int) -> float:
        return self.lr

    def follow(self, state: dict[str, Any], value: float) -> dict[str, Any]:
        """Give the next state, ``{"lr", "best", "wait"}``, after an epoch that ended at ``value``."""
        low = -value if self.monitor.removeprefix("val_") in ("accuracy", "r2") else value
        if low < state.get("best", math.inf) - self.min_delta:
            return {"lr": state.get("lr", self.lr), "best": low, "wait": 0}
        wait = state.get("wait", 0) + 1
        if wait <= self.patience:
            return {**state, "wait": wait}
        return {**state, "lr": max(state.get("lr", self.lr) * self.factor, self.min_lr), "wait": 0}


def check_setting(owner: str, name: str, value: object) -> None:
    """Refuse settings with which a rate would not be a positive number."""
    if name in ("steps", "every", "patience"):
        least = 0 if name == "patience" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(f"{owner} needs {name} as a whole number from {least}, not {describe(value)}.")
    elif name in ("factor", "scale", "end", "min_lr", "min_delta", "power"):
        kind = "positive number" if name in ("factor", "scale") else "number from 0"
        is_number = isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf
        if not is_number or (kind == "positive number" and not value):
            raise InputError(f"{owner} needs {name} as a {kind}, not {describe(value)}.")


def positive_rate(lr: object) -> float:
    """Refuse learning rates that are not positive, finite numbers."""
    if isinstance(lr, bool) or not isinstance(lr, Real) or not (0 < float(lr) < math.inf):
        raise InputError(f"A learning rate must be a positive number or a schedule, not {describe(lr)}.")
    return float(lr)


def schedule_of(lr: Any) -> Any:
    """Make a schedule of a number; a schedule that is passed is given back."""
    return lr if callable(lr) and not isinstance(lr, type) else Constant(positive_rate(lr))


SCHEDULES = {kind.__name__: kind for kind in (Constant, Step, Exponential, InverseScaling, Cosine, WarmUp, OnPlateau)}
