"""The trace: every named value of one step.

A step can return all values that it computed, by their names in the program.  Reports and checks of a step
read its trace and compute nothing again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workings.errors import unknown_name
from workings.program.program import Program, show_shape
from workings.support.arrays import Array, Values
from workings.support.notebook import preformatted_html


class Trace(Mapping[str, Values]):
    """The values of one step by name: ``trace["dz2"]``, ``trace["J"]``.

    It holds the inputs (``X``, ``y``, the parameters before the step) and all computed values.  If a step
    updates a parameter, ``trace["W1"]`` is the value before the step and ``trace.after["W1"]`` the value
    after it.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> net = Network([Dense(1, weights=[[2.0]])], loss=SquaredError())
    >>> trace = net.trace([[3.0]], [5.0])
    >>> trace["p"].item(), trace["dz1"].item(), trace["dW1"].item()
    (6.0, 2.0, 6.0)
    """

    def __init__(self, program: Program, before: Mapping[str, Values], after: Mapping[str, Values]) -> None:
        self.program = program
        self.after = {name: after[name] for name in program.carried if name in after}
        self.values_by_name = {**after, **before}

    def __getitem__(self, name: str) -> Values:
        known = self.program.aliases.get(name, name)
        if known not in self.values_by_name:
            raise unknown_name("name in the trace", name, self)
        return self.values_by_name[known]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.values_by_name, *(a for a, b in self.program.aliases.items() if b in self.values_by_name)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def first_not_finite(self) -> str | None:
        """Return the first name, in the order of the program, whose value is not finite; None if all are."""
        before = [(name, self.values_by_name.get(name)) for name in self.program.carried]
        during = [
            (s.target, self.after.get(s.target, self.values_by_name.get(s.target))) for s in self.program.statements
        ]
        for name, value in before + during:
            if value is not None and not isinstance(value, tuple) and not np.isfinite(value).all():
                return name
        return None

    def _repr_html_(self) -> str:
        """The names with their extremes, for a notebook."""
        return preformatted_html(repr(self))

    def __repr__(self) -> str:
        lines = ["name        shape         smallest       largest"]
        for name in self:
            if isinstance(self[name], tuple):  # several results, before each gets its name
                continue
            value: Array = np.asarray(self[name])
            if value.dtype.kind in "biuf" and value.size:
                shape = show_shape(tuple(value.shape))
                lines.append(f"{name:<11} {shape:<10} {float(value.min()):>11.6g}   {float(value.max()):>11.6g}")
        return "\n".join(lines)
