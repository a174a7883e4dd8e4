"""Runners: programs and engines that all networks with the same description share.

Writing the program of a network takes longer than training a small one for an epoch, and it depends on the layers, the
loss and the regularizers alone.  So networks with equal descriptions share their programs and compiled functions, if
all parts are Workings' own.  A part that a user wrote may change between two networks, for example because its
formula reads a global number; each network with such a part has runners of its own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

from workings.activations import Activation
from workings.layers import Layer
from workings.losses import Loss
from workings.regularizers import Regularizer

MOST_DESCRIPTIONS = 256  # whose runners are kept in memory
PACKAGE = f"{__name__.partition('.')[0]}."


def runners_for(layers: Sequence[Layer], loss: Loss, regularizers: Sequence[Regularizer]) -> dict[object, object]:
    """Return the runners of all networks with a description, or new ones if a part of it is a user's.

    >>> from workings import Dense, SquaredError
    >>> runners_for([Dense(2)], SquaredError(), []) is runners_for([Dense(2)], SquaredError(), [])
    True
    """
    parts: list[Layer | Loss | Regularizer] = [*layers, loss, *regularizers]
    keys = tuple(key_of(part) for part in parts)
    return {} if None in keys else shared_runners(keys)


@functools.lru_cache(maxsize=MOST_DESCRIPTIONS)
def shared_runners(keys: tuple[object, ...]) -> dict[object, object]:
    """Return the runners of the networks whose parts have these keys."""
    return {}


def key_of(part: Layer | Loss | Regularizer) -> tuple[object, ...] | None:
    """Return the type, settings and activation of a part, on which a program depends; None for a user's part."""
    activation = part.activation_function if isinstance(part, Layer) else None
    functions = () if activation is None else (activation.function, activation.derivative)
    if not is_ours(type(part), *functions):
        return None
    settings = [(f.name, getattr(part, f.name)) for f in dataclasses.fields(part) if f.compare]
    plain = [(name, value) for name, value in settings if not isinstance(value, Activation)]
    if not all(isinstance(value, (bool, int, float, str, type(None))) for _, value in plain):
        return None
    return type(part), repr(plain), None if activation is None else activation_key(activation)


def activation_key(activation: Activation) -> tuple[object, ...]:
    """Return the properties of an activation that a program depends on."""
    return activation.name, activation.function, activation.derivative, repr(dict(activation.constants))


def is_ours(*values: object) -> bool:
    """Whether classes or functions belong to this package."""
    return all(str(getattr(value, "__module__", "")).startswith(PACKAGE) for value in values)
