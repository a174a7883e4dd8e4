"""Tasks: what an experiment trains, as data: a network, its rows, and the settings of ``fit``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workings.arrays import Array
from workings.network import Network


@dataclass(frozen=True)
class Task:
    """A network before its training, and what it is to learn; ``settings`` are those of ``fit``."""

    network: Network
    X: Array
    y: Array
    settings: dict[str, Any]
