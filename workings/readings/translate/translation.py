"""The result of a translation: code for another system, with notes on how its conventions differ."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from workings.readings.translate.formatting import WIDTH


class Difference(str):
    """A note on something that no setting of the other system makes equal."""


@dataclass(frozen=True)
class Translation:
    """A network's training in another system: code that runs there, and how the conventions differ.

    Attributes
    ----------
    system : str
        ``"torch"``, ``"keras"`` or ``"sklearn"``.
    code : str
        The code alone.  It needs arrays ``X`` and ``y``, and with ``weights="given"`` a mapping ``weights``
        of names to arrays; afterwards ``model`` is the trained model.
    notes : tuple of str
        One sentence for each difference of convention, with the equal setting.
    differences : tuple of str
        Those of the notes that name what no setting makes equal; nothing where the weights stay equal.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> told = Network([Dense(1)], loss=SquaredError()).translate("torch", optimizer=SGD(0.1))
    >>> told.is_equal, [line for line in told.code.splitlines() if line.startswith("optimizer")]
    (True, ['optimizer = torch.optim.SGD(model.parameters(), lr=0.1)'])
    """

    system: str
    code: str
    notes: tuple[str, ...]
    differences: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the same weights and orders lead to the same weights, but for rounding."""
        return not self.differences

    def __str__(self) -> str:
        lines: list[str] = []
        for note in self.notes:
            mark = "NOT EQUAL: " if note in self.differences else ""
            lines += textwrap.wrap(mark + note, WIDTH, initial_indent="# - ", subsequent_indent="#   ")
        return "\n".join([*lines, "", self.code])
