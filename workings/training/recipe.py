"""The recipe: the settings of one training, checked before the network changes.

``fit``, the script export, the history and the doctor use the same object, so each setting is named and
checked in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, count_of, unknown_name
from workings.metrics import METRICS, Metric
from workings.model.data_files import opened_array
from workings.optimizers import LBFGS, Part, checked_optimizer
from workings.schedules import LearningRateSchedule
from workings.support.arrays import describe
from workings.support.ranges import as_number, as_plain, as_whole_number
from workings.training.callbacks import Callback
from workings.training.parallel.parallel_settings import Workers, checked_workers

Validation = tuple[ArrayLike, ArrayLike] | float | None
Labels = Mapping[Any, float] | str | None  # the weight of each label


@dataclass(frozen=True, eq=False)
class Recipe:
    """The settings of a training; see :meth:`workings.Network.fit` for what each means.

    Raises
    ------
    InputError
        For a setting that is invalid for any data.

    Examples
    --------
    >>> from workings import SGD
    >>> Recipe(SGD(0.1), epochs=10).batch_size
    32
    """

    optimizer: Part | LBFGS
    epochs: int
    batch_size: int | None = 32
    shuffle: bool = True
    validation: Any = None  # as in ``fit``, or rows that were prepared already
    sample_weight: ArrayLike | None = None
    class_weight: Labels = None
    metrics: Sequence[str] | Mapping[str, Metric] = ()
    callbacks: Sequence[Callback] = ()
    running_loss: bool = False
    workers: Workers | None = None

    def __post_init__(self) -> None:
        checked_optimizer(self.optimizer)
        object.__setattr__(self, "epochs", whole_number(self.epochs, "epochs"))
        for name in ("validation", "shuffle", "running_loss"):
            object.__setattr__(self, name, as_plain(getattr(self, name)))
        if self.batch_size is not None:
            object.__setattr__(self, "batch_size", whole_number(self.batch_size, "batch_size"))
        object.__setattr__(self, "metrics", chosen_metrics(self.metrics))
        object.__setattr__(self, "callbacks", checked_callbacks(self.callbacks))
        object.__setattr__(self, "sample_weight", opened_array(self.sample_weight, "sample_weight"))
        object.__setattr__(self, "class_weight", checked_class_weight(self.class_weight))
        object.__setattr__(self, "workers", checked_workers(self.workers))

    @property
    def chosen_metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        return dict(self.metrics)  # type: ignore[arg-type]

    @property
    def schedule(self) -> LearningRateSchedule | None:
        """The learning rate as a function of the step; None for L-BFGS, which has none."""
        return self.optimizer.schedule

    @property
    def names_not_stored(self) -> tuple[str, ...]:
        """The names of the settings that were given but are not stored in the history."""
        acting = any(callback.every_epoch or callback.looks_back for callback in self.callbacks)
        given = {
            "validation": self.validation is not None,
            "sample_weight": self.sample_weight is not None,
            "metrics": bool(self.metrics),
            "callbacks": acting,
            "running_loss": self.running_loss,
            "workers": self.workers is not None,
        }
        return tuple(name for name, is_given in given.items() if is_given)

    def arguments(self) -> dict[str, Any]:
        """Return the settings as keyword arguments of ``fit``; settings that equal their default are left out.

        >>> from workings import SGD
        >>> Recipe(SGD(0.1), epochs=10, shuffle=False).arguments()
        {'optimizer': SGD(lr=0.1), 'epochs': 10, 'shuffle': False}
        """
        defaults = {setting.name: setting.default for setting in fields(self)}
        values = {name: getattr(self, name) for name in defaults}
        is_default = {name: value is defaults[name] for name, value in values.items()} | {"metrics": not self.metrics}
        return {name: value for name, value in values.items() if not is_default[name]}

    def summary(self) -> dict[str, object]:
        """Return the settings to store in the history."""
        weights = self.class_weight
        return {
            "optimizer": self.optimizer,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "validation": self.validation if isinstance(self.validation, float) else None,  # a share, not the rows
            "class_weight": {**weights} if isinstance(weights, Mapping) else weights,
            "sample_weight": None if self.sample_weight is None else np.array(self.sample_weight),
            "given": self.names_not_stored,
        }


def whole_number(value: object, name: str) -> int:
    """Return a whole number from 1 as an int; raise an error for anything else."""
    number = as_whole_number(value)
    if number is None or number < 1:
        raise InputError(f"{name} must be a whole number from 1, not {describe(value)}.")
    return number


def checked_callbacks(callbacks: object) -> tuple[Callback, ...]:
    """Check a list of callbacks and sort it: those that may go back to an earlier epoch first, checkpoints last.

    So the others see only epochs that are not undone, and checkpoints see the changes by the others.
    """
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Sequence):
        raise InputError(f"callbacks is a list, such as [EarlyStopping()], not {describe(callbacks)}.")
    for callback in callbacks:
        if not isinstance(callback, Callback):
            raise InputError(
                f"callbacks holds {describe(callback)}, which is not a callback: derive it from workings.Callback."
            )
    return tuple(sorted(callbacks, key=lambda callback: callback.runs_last - callback.looks_back))


def chosen_metrics(metrics: Sequence[str] | Mapping[str, Metric]) -> dict[str, Callable[..., float]]:
    """Return metrics by name; look up built-in metrics."""
    if isinstance(metrics, Mapping):
        for name in ("loss", "lr"):
            if name in metrics:
                raise InputError(f"A metric cannot be called {name!r}: the history has a column of this name.")
        for name, metric in metrics.items():
            if not callable(metric):
                raise InputError(f"The metric {name!r} must be a function, not {describe(metric)}.")
        return dict(metrics)
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    return {name: METRICS[name] for name in names}


def checked_class_weight(given: object) -> Labels:
    """Raise an error unless class weights are None, "balanced", or a mapping of labels to numbers from 0."""
    if given is None or (isinstance(given, str) and given == "balanced"):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f'class_weight must be None, "balanced" or a dict of label to weight, not {describe(given)}.')
    weights = {as_plain(label): as_number(value) for label, value in given.items()}
    for weight in weights.values():
        if weight is None or weight < 0:
            raise InputError(f"class_weight must hold numbers from 0, not all 0; it is {dict(given)!r}.")
    return weights  # type: ignore[return-value]


def check_share(share: object, n: int, kind: str = "") -> int:
    """Return how many of ``n`` rows a validation share holds out; raise if it is no share, or leaves no rows."""
    if not isinstance(share, float) or not 0 < share < 1:
        raise InputError(f"validation must be (X, y) or a share between 0 and 1, not {describe(share)}.")
    held_out = round(n * share)
    if not 0 < held_out < n:
        raise InputError(
            f"A validation share of {share:g} of {count_of(n, 'row')}{kind} leaves {held_out} to validate on."
        )
    return held_out
