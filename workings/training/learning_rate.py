"""The learning rate of a training: its schedule, and changes by callbacks or ``OnPlateau``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from workings.errors import InputError
from workings.schedules import Constant, LearningRateSchedule, OnPlateau, monitor_of, positive_rate, rate_at
from workings.support.arrays import Array


class LearningRate:
    """The learning rate by step.

    Attributes
    ----------
    schedule : callable
        The rate as a function of the step, counted from 0.
    plateau : dict
        The state of ``OnPlateau``; its entry ``"lr"`` replaces the schedule's rate.
    """

    def __init__(self, schedule: LearningRateSchedule | None) -> None:
        self.schedule = schedule
        self.plateau: dict[str, float] = {}

    @property
    def monitor(self) -> str | None:
        """The column of the history that the schedule monitors, if any."""
        return monitor_of(self.schedule)

    def at(self, t: int) -> float:
        """Return the rate of step ``t``, counted from 0.

        Raises
        ------
        InputError
            If there is no learning rate, as with L-BFGS, or if the schedule returns no positive number.
        """
        if self.schedule is None:
            raise InputError("L-BFGS has no learning rate: SciPy's line search chooses the steps.")
        rate = self.plateau.get("lr")
        return rate_at(self.schedule, t) if rate is None else float(rate)

    def of_steps(self, first: int, count: int) -> Sequence[float] | Array:
        """Return the rates of ``count`` steps from step ``first`` on."""
        if isinstance(self.schedule, Constant):
            return np.full(count, self.at(first))
        return [self.at(first + i) for i in range(count)]

    def set(self, lr: float) -> None:
        """Replace the schedule's rate from the next step on."""
        if self.schedule is None:
            raise InputError("L-BFGS has no learning rate to set: SciPy's line search chooses the steps.")
        self.plateau = {**self.plateau, "lr": positive_rate(lr)}

    def follow(self, value: float) -> None:
        """Update the rate from the monitored value of an epoch."""
        self.plateau = cast(OnPlateau, self.schedule).follow(self.plateau, value)
