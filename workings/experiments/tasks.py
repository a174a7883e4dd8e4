"""Tasks: what an experiment trains, as data: a network, its rows, and the settings of ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workings.network import Network
from workings.support.arrays import Array


@dataclass(frozen=True)
class Task:
    """A network before its training, and what it is to learn; ``settings`` are those of ``fit``."""

    network: Network
    X: Array
    y: Array
    settings: dict[str, Any]
