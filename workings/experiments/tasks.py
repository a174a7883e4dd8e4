"""Tasks: the training of an experiment as data: a network, its rows, and the settings of ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workings.network import Network
from workings.support.arrays import Array


@dataclass(frozen=True)
class Task:
    """An untrained network, its training data, and the settings of ``fit``."""

    network: Network
    X: Array
    y: Array
    settings: dict[str, Any]
