"""Figures: what was published, what the tutorial's own code gives, and what we measure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workings.support.atomic_files import write_bytes


@dataclass(frozen=True)
class Figure:
    """One number to be reproduced.

    Attributes
    ----------
    name : str
        What it is, with its unit.
    published : float or None
        What the post prints; None where it prints nothing.
    own_code : float or None
        What the post's own code gives when it is run; None where it cannot run.
    measured : float
        What we measure.
    tolerance : float
        How far ``measured`` may be from ``own_code`` (or from ``published``, where there is no own code).
    compare : bool
        Whether there is anything to compare with: not with another seed or other data.
    digits : int
        How many decimals are shown: those that the reference has.
    """

    name: str
    published: float | None
    own_code: float | None
    measured: float
    tolerance: float = 0.0
    compare: bool = True
    digits: int = 6

    @property
    def agrees(self) -> bool | None:
        """Whether it agrees; None where there is nothing to compare with."""
        reference = self.published if self.own_code is None else self.own_code
        if reference is None or not self.compare:
            return None
        return abs(self.measured - reference) <= self.tolerance

    @property
    def agrees_with_code_alone(self) -> bool:
        """Whether it agrees with the post's own code, which does not give what the post prints."""
        shown = {show_number(value, self.digits) for value in (self.published, self.own_code) if value is not None}
        return len(shown) > 1 and bool(self.agrees)

    def row(self) -> dict[str, Any]:
        """The figure as JSON values."""
        return {
            "name": self.name,
            "published": self.published,
            "own_code": self.own_code,
            "measured": self.measured,
            "agrees": self.agrees,
        }


def write_figures(figures: Sequence[Figure], path: Path) -> None:
    """Write figures as a JSON list, in one safe move."""
    write_bytes(path, (json.dumps([figure.row() for figure in figures], indent=1) + "\n").encode())


def show_number(value: float | None, digits: int) -> str:
    """Write a number with the decimals that matter, or a dash where there is none.

    >>> show_number(0.02039406, 8), show_number(0.9722222, 4), show_number(None, 4)
    ('0.02039406', '0.9722', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def show_agreement(figure: Figure, with_code: str = "agrees with its code") -> str:
    """Say in a few words whether a figure agrees, and with what, where the post and its own code do not.

    >>> show_agreement(Figure("cost", 0.688, 0.781, 0.781)), show_agreement(Figure("cost", 0.688, None, 0.7))
    ('agrees with its code', 'DIFFERS')
    """
    agrees = with_code if figure.agrees_with_code_alone else "agrees"
    return {True: agrees, False: "DIFFERS", None: "–"}[figure.agrees]
