"""The result of a translation: code for another system, with notes on different conventions."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from workings.readings.translate.formatting import WIDTH
from workings.support.notebook import Readable


class Difference(str):
    """A note on a difference that no setting of the other system can remove."""


@dataclass(frozen=True, repr=False)
class Translation(Readable):
    """A network's training as code for another system, with notes on different conventions.

    Attributes
    ----------
    system : str
        ``"torch"``, ``"keras"`` or ``"sklearn"``.
    code : str
        The code alone.  It needs arrays ``X`` and ``y``, and with ``weights="given"`` a mapping ``weights``
        of names to arrays; afterwards ``model`` is the trained model.
    notes : tuple of str
        One note for each difference of convention, with the equivalent setting.
    differences : tuple of str
        The notes on differences that no setting can remove; empty if the weights stay equal.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> translated = Network([Dense(1)], loss=SquaredError()).translate("torch", optimizer=SGD(0.1))
    >>> translated.is_equal, [line for line in translated.code.splitlines() if line.startswith("optimizer")]
    (True, ['optimizer = torch.optim.SGD(model.parameters(), lr=0.1)'])
    """

    system: str
    code: str
    notes: tuple[str, ...]
    differences: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the same initial weights and row orders lead to the same weights, except for rounding."""
        return not self.differences

    def __str__(self) -> str:
        lines: list[str] = []
        for note in self.notes:
            mark = "NOT EQUAL: " if note in self.differences else ""
            lines += textwrap.wrap(mark + note, WIDTH, initial_indent="# - ", subsequent_indent="#   ")
        return "\n".join([*lines, "", self.code])
