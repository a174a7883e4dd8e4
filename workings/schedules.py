"""Schedules: the learning rate as a function of the step.

``schedule(t)`` returns the learning rate of step ``t``, counted from 0; it counts optimizer steps, not
epochs.  Every optimizer accepts a schedule as its learning rate.  ``OnPlateau`` depends on the training: it
receives one monitored value after each epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from workings.errors import InputError
from workings.support.arrays import describe
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_number, check_fields, number, whole_number

LearningRateSchedule: TypeAlias = Callable[[int], float]  # the learning rate of step t, counted from 0


@dataclass(frozen=True)
class Schedule(CheckedKeywords):
    """The base of all schedules: ``self(t)`` is the learning rate of step ``t``, counted from 0."""

    lr: float

    def __post_init__(self) -> None:
        positive_rate(self.lr)
        object.__setattr__(self, "lr", as_number(self.lr))
        check_fields(self)

    def __call__(self, t: int) -> float:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """A constant learning rate."""

    def __call__(self, t: int) -> float:
        return self.lr


@dataclass(frozen=True)
class Step(Schedule):
    """Step decay: lr · factor^⌊t / every⌋.

    >>> [Step(0.1, every=2)(t) for t in range(5)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    every: int = field(metadata=whole_number(at_least=1))
    factor: float = field(default=0.5, metadata=number(above=0))

    def __call__(self, t: int) -> float:
        return float(self.lr * self.factor ** (t // self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Exponential decay: lr · factor^t."""

    factor: float = field(metadata=number(above=0))

    def __call__(self, t: int) -> float:
        return self.lr * self.factor**t


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """Inverse scaling: lr / (1 + t / scale)^power."""

    power: float = field(default=0.5, metadata=number(at_least=0))
    scale: float = field(default=1.0, metadata=number(above=0))

    def __call__(self, t: int) -> float:
        return self.lr / float((1 + t / self.scale) ** self.power)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Cosine decay from ``lr`` to ``end`` over ``steps`` steps (Loshchilov & Hutter 2017, eq. 5)."""

    steps: int = field(metadata=whole_number(at_least=1))
    end: float = field(default=0.0, metadata=number(at_least=0))

    def __call__(self, t: int) -> float:
        return self.end + 0.5 * (self.lr - self.end) * (1 + math.cos(math.pi * min(t / self.steps, 1)))


@dataclass(frozen=True)
class CosineLog(Schedule):
    """Cycles between 0 and ``lr``, each about twice as long as the one before (Holzmüller et al. 2024, sec. 3).

    lr · ½ (1 - cos(2π · log2(1 + (2^cycles - 1) · t / steps))): it is 0 at both ends of each cycle.

    >>> [round(CosineLog(1.0, steps=30)(t), 6) for t in (0, 2, 6, 14, 30)]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """

    steps: int = field(metadata=whole_number(at_least=1))
    cycles: int = field(default=4, metadata=whole_number(at_least=1))

    def __call__(self, t: int) -> float:
        progress = math.log2(1 + (2**self.cycles - 1) * min(t / self.steps, 1))
        return self.lr * 0.5 * (1 - math.cos(2 * math.pi * progress))


@dataclass(frozen=True)
class FlatCosine(Schedule):
    """A constant rate for the share ``flat`` of the steps, then cosine decay to 0 (Holzmüller et al. 2024, sec. 3).

    >>> [round(FlatCosine(1.0, steps=8)(t), 6) for t in (0, 4, 6, 8, 9)]
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """

    steps: int = field(metadata=whole_number(at_least=1))
    flat: float = field(default=0.5, metadata=number(at_least=0, below=1))

    def __call__(self, t: int) -> float:
        progress = max(min(t / self.steps, 1) - self.flat, 0) / (1 - self.flat)
        return self.lr * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(frozen=True)
class WarmUp(CheckedKeywords):
    """Linear warm-up over the first ``steps`` steps, then another schedule or a constant rate.

    >>> [WarmUp(1.0, steps=4)(t) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    then: float | Schedule
    steps: int = field(metadata=whole_number(at_least=1))

    def __post_init__(self) -> None:
        schedule_of(self.then)
        if monitor_of(self.then) is not None:
            raise InputError("WarmUp cannot be followed by OnPlateau, which needs a value after each epoch.")
        object.__setattr__(self, "then", self.then if callable(self.then) else as_number(self.then))
        check_fields(self)

    def __call__(self, t: int) -> float:
        return float(schedule_of(self.then)(t) * min((t + 1) / self.steps, 1))


@dataclass(frozen=True)
class OnPlateau(Schedule):
    """Reduce on plateau: multiply the rate by ``factor`` if ``monitor`` does not improve for ``patience`` epochs.

    To improve is to decrease by more than ``min_delta``; accuracy and R² must increase instead.  The rate
    does not fall below ``min_lr``.
    """

    factor: float = field(default=0.1, metadata=number(above=0))
    patience: int = field(default=10, metadata=whole_number(at_least=0))
    monitor: str = "loss"
    min_delta: float = field(default=1e-4, metadata=number(at_least=0))
    min_lr: float = field(default=0.0, metadata=number(at_least=0))

    def __call__(self, t: int) -> float:
        return self.lr

    def follow(self, state: Mapping[str, float], value: float) -> dict[str, float]:
        """Return the next state, ``{"lr", "best", "wait"}``, after an epoch with the monitored ``value``."""
        low = -value if self.monitor.removeprefix("val_") in ("accuracy", "r2") else value
        if low < state.get("best", math.inf) - self.min_delta:
            return {"lr": state.get("lr", self.lr), "best": low, "wait": 0}
        wait = state.get("wait", 0) + 1
        if wait <= self.patience:
            return {**state, "wait": wait}
        return {**state, "lr": max(state.get("lr", self.lr) * self.factor, self.min_lr), "wait": 0}


def positive_rate(lr: object) -> float:
    """Return a learning rate as a float.

    Raises
    ------
    InputError
        If it is not a positive, finite number.
    """
    rate = as_number(lr)
    if rate is None or not rate > 0:
        raise InputError(f"A learning rate must be a positive number or a schedule, not {describe(lr)}.")
    return float(rate)


def schedule_of(lr: object) -> LearningRateSchedule:
    """Return a schedule as it is, and a constant schedule for a number."""
    return lr if callable(lr) and not isinstance(lr, type) else Constant(positive_rate(lr))


def rate_at(schedule: LearningRateSchedule | None, t: int) -> float:
    """Return the learning rate of step ``t`` from a schedule, which may be any function.

    Raises
    ------
    InputError
        If there is no schedule, or it does not return a number of at least 0.
    """
    if schedule is None:
        raise InputError("This optimizer has no learning rate.")
    given = schedule(t)
    rate = as_number(given)
    if rate is None or rate < 0:
        raise InputError(
            f"{schedule!r} gives the learning rate {given!r} at step {t}: it must be positive, and a number."
        )
    return float(rate)


def monitor_of(schedule: object) -> str | None:
    """Return the column of the history that a schedule follows, as ``OnPlateau`` does.

    It is None for a schedule that is a function of the step alone, and for a number.
    """
    found: str | None = getattr(schedule, "monitor", None)
    return found


SCHEDULES = {
    kind.__name__: kind
    for kind in (Constant, Step, Exponential, InverseScaling, Cosine, CosineLog, FlatCosine, WarmUp, OnPlateau)
}
