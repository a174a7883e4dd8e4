"""Learning rates of optimizers: read one, or return the optimizer with another one."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from workings.optimizers import Chain, Part
from workings.schedules import Constant, Schedule, schedule_of

RATES = ("lr", "then", "end", "min_lr")  # the fields of schedules that are rates or schedules
LATEST_STEP = 10**6  # up to which a schedule that begins with 0 is searched for its highest rate


def with_rate(optimizer: Part, lr: float) -> Part:
    """Return the same optimizer with another initial learning rate; a schedule keeps its kind if possible."""
    if isinstance(optimizer, Chain):
        return Chain(*optimizer.links[:-1], with_rate(optimizer.links[-1], lr))
    known = rate_of(optimizer)
    factor = lr / known if known > 0 else np.inf
    return replace(optimizer, lr=scaled(optimizer.lr, factor, lr))  # type: ignore[attr-defined,call-arg]


def scaled(rate: object, factor: float, otherwise: float) -> Any:
    """Multiply a rate or schedule by a factor; a custom function becomes a constant rate, ``otherwise``."""
    if factor == 1 and not callable(rate):
        return rate
    if isinstance(rate, (int, float)):
        return twelve_digits(otherwise)
    if not is_dataclass(rate) or isinstance(rate, type) or not 0 < factor < np.inf:
        return otherwise
    held = {f.name: getattr(rate, f.name) for f in fields(rate) if f.name in RATES}
    changed = {
        name: scaled(value, factor, value * factor if isinstance(value, (int, float)) else otherwise)
        for name, value in held.items()
    }
    return replace(rate, **changed) if changed else otherwise


def with_constant_rate(optimizer: Part, t: int) -> Part:
    """Return the same optimizer with the learning rate that its schedule has at step ``t``, from now on."""
    if isinstance(optimizer, Chain):
        return Chain(*optimizer.links[:-1], with_constant_rate(optimizer.links[-1], t))
    schedule = optimizer.schedule
    if schedule is None or isinstance(schedule, Constant):
        return optimizer
    rate = float(schedule(t))
    return replace(optimizer, lr=twelve_digits(rate)) if rate > 0 else optimizer  # type: ignore[call-arg]


def twelve_digits(value: float) -> float:
    """Round a number to twelve significant digits, to remove rounding errors."""
    return float(f"{value:.12g}")


def rate_of(optimizer: Part) -> float:
    """Return the initial learning rate of an optimizer, or the highest one if its schedule begins with 0."""
    schedule = schedule_of(optimizer.schedule)
    initial = float(schedule(0))
    if initial > 0:
        return initial
    if isinstance(schedule, Schedule):
        return schedule.lr
    later = np.unique(np.geomspace(1, LATEST_STEP, 200).astype(int))
    return max(float(schedule(int(t))) for t in later)
