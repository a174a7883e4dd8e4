"""Advice: how a change is written so that whoever asked can run it as it stands.

The doctor's changes are code for a network that is called ``net``.  Who brought an estimator or a table knows no such
name: their doors hand in ``Terms``, which say the same changes as parameters or options.  Whatever the terms, code
brings the imports that it needs.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

from workings import layers, losses, optimizers, regularizers, schedules
from workings.model.model import Model
from workings.training import callbacks, early_stopping

MODULES: dict[str, tuple[ModuleType, ...]] = {  # by what people import their classes from
    "workings": (callbacks, early_stopping, layers, losses, optimizers, regularizers),
    "workings.schedules": (schedules,),
}
ABOVE = {"workings": ("Network",), "workings.schedules": ()}  # classes of modules that this one does not import


class Terms(Protocol):
    """How the changes of a training and of a network are said by those who did not call ``Network.fit``."""

    opening: str  # code that makes ``net`` of what they have; empty where there is none

    def trained(self, changed: Mapping[str, Any]) -> str:
        """The same training with other settings of ``fit``."""

    def gone_on(self, epochs: int) -> str:
        """So many epochs more."""

    def made(self, network: Model, parts: Sequence[Any], penalties: Sequence[Any]) -> str | None:
        """The network with other layers and regularizers; None where these terms have no words for it."""


def with_imports(code: str, opening: str = "") -> str:
    """Code with what it needs in front; what is no Python, such as a command line, stays as it is.

    ``opening`` says what ``net`` is (and ``X`` and ``y``), for those who have nothing of that name.

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
        needed = sorted(name for name in used if name in ABOVE[path] or any(is_of(name, module) for module in modules))
        lines += [f"from {path} import {', '.join(needed)}"] if needed else []
    lines += [opening] if used & names_made(opening) else []
    return "\n".join([*lines, code])


def names_made(code: str) -> set[str]:
    """The names that code makes."""
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)}  # fmt: skip


def is_of(name: str, module: ModuleType) -> bool:
    """Whether a module makes a class of this name."""
    found = getattr(module, name, None)
    return isinstance(found, type) and found.__module__ == module.__name__
