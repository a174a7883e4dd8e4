"""Figures: the published number, the result of the tutorial's code, and the number measured here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workings.support.atomic_files import write_bytes


@dataclass(frozen=True)
class Figure:
    """One number to reproduce.

    Attributes
    ----------
    name : str
        Description, with the unit.
    published : float or None
        The number printed in the tutorial; None if it prints none.
    own_code : float or None
        The result of running the tutorial's code; None if it does not run.
    measured : float
        The number measured here.
    tolerance : float
        Largest difference from ``own_code`` (or from ``published``, if there is no ``own_code``).
    compare : bool
        Whether to compare at all; False for another random seed or other data.
    digits : int
        Number of decimals to show, as in the reference.
    """

    name: str
    published: float | None
    own_code: float | None
    measured: float
    tolerance: float = 0.0
    compare: bool = True
    digits: int = 6

    @property
    def reference(self) -> float | None:
        """The number to compare with: the result of the tutorial's code, or else the published number."""
        return self.published if self.own_code is None else self.own_code

    @property
    def agrees(self) -> bool | None:
        """Whether the measured number agrees with the reference; None if there is no reference."""
        if self.reference is None or not self.compare:
            return None
        return abs(self.measured - self.reference) <= self.tolerance

    @property
    def agrees_with_code_alone(self) -> bool:
        """Whether it agrees with the tutorial's code where that code differs from the published number."""
        shown = {show_number(value, self.digits) for value in (self.published, self.own_code) if value is not None}
        return len(shown) > 1 and bool(self.agrees)

    def row(self) -> dict[str, object]:
        """Return the figure as a dict of JSON values."""
        return {
            "name": self.name,
            "published": self.published,
            "own_code": self.own_code,
            "measured": self.measured,
            "agrees": self.agrees,
        }


def write_figures(figures: Sequence[Figure], path: Path) -> None:
    """Write figures as a JSON list, atomically."""
    write_bytes(path, (json.dumps([figure.row() for figure in figures], indent=1) + "\n").encode())


def show_number(value: float | None, digits: int) -> str:
    """Format a number with a fixed number of decimals; None becomes a dash.

    >>> show_number(0.02039406, 8), show_number(0.9722222, 4), show_number(None, 4)
    ('0.02039406', '0.9722', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def show_agreement(figure: Figure, with_code: str = "agrees with code") -> str:
    """Return "agrees", "DIFFERS" or a dash; ``with_code`` if only the tutorial's code agrees, not its printed number.

    If the numbers that are shown differ, it says how much they may differ.

    >>> show_agreement(Figure("cost", 0.688, 0.781, 0.781)), show_agreement(Figure("cost", 0.688, None, 0.7))
    ('agrees with code', 'DIFFERS')
    >>> show_agreement(Figure("accuracy", None, 0.99, 0.98, tolerance=0.015))
    'agrees within 0.015'
    """
    agrees = with_code if figure.agrees_with_code_alone else "agrees"
    if show_number(figure.measured, figure.digits) != show_number(figure.reference, figure.digits):
        agrees = f"{agrees} within {figure.tolerance:g}"
    return {True: agrees, False: "DIFFERS", None: "–"}[figure.agrees]
