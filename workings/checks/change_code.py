"""The code of the doctor's suggested changes, complete with its imports, in the terms of the interface in use.

By default, a change is code for a network with the name ``net``.  Users of an estimator or of the command line have no
such object.  Their interfaces pass ``Terms``, which express the same changes as parameters or options.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Protocol

from workings import layers, losses, optimizers, regularizers, schedules
from workings.layers import Layer
from workings.model.model import Model
from workings.regularizers import Regularizer
from workings.training import callbacks, early_stopping

MODULES: dict[str, tuple[ModuleType, ...]] = {  # the path from which users import -> the modules of the classes
    "workings": (callbacks, early_stopping, layers, losses, optimizers, regularizers),
    "workings.schedules": (schedules,),
}
ABOVE = {
    "workings": ("Network",),
    "workings.schedules": (),
}  # classes of higher levels, which this module cannot import


class Terms(Protocol):
    """How an interface other than ``Network`` expresses changes of a training and of a network."""

    opening: str  # code that assigns ``net``; empty if the interface has none

    def trained(self, changed: Mapping[str, object]) -> str:
        """Return code for the same training with other settings of ``fit``."""

    def more_epochs(self, epochs: int, before: int) -> str:
        """Return code for a number of further epochs, after the number of epochs ``before``."""

    def changed_network(
        self, network: Model, parts: Sequence[Layer | str], penalties: Sequence[Regularizer]
    ) -> str | None:
        """Return code for the network with other layers and regularizers; None if the interface has no such option."""


def with_imports(code: str, opening: str = "") -> str:
    """Return code with the imports that it needs; text that is not Python, such as a command, is left as it is.

    ``opening`` is code that assigns ``net`` (and ``X`` and ``y``), for interfaces without these names.

    >>> print(with_imports("net = Network([Dense(2)], loss=CrossEntropy())"))
    from workings import CrossEntropy, Dense, Network
    net = Network([Dense(2)], loss=CrossEntropy())
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    lines = ["import numpy as np"] if "np" in used else []
    for path, modules in MODULES.items():
        needed = sorted(
            name for name in used if name in ABOVE[path] or any(defines(module, name) for module in modules)
        )
        lines += [f"from {path} import {', '.join(needed)}"] if needed else []
    lines += [opening] if used & assigned_names(opening) else []
    return "\n".join([*lines, code])


def assigned_names(code: str) -> set[str]:
    """Return the names that code assigns."""
    names = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def defines(module: ModuleType, name: str) -> bool:
    """Whether a module defines a class of this name."""
    value = getattr(module, name, None)
    return isinstance(value, type) and value.__module__ == module.__name__
