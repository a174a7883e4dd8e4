"""The derivation of the loss's gradient, evaluated with the numbers of one row.

The lines come from :mod:`workings.derivations`.  Each line is compared with the value of the program that it must
equal, and the last one with the program's own gradient.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workings.derivations import DerivationLine, derivation_of
from workings.program.program import Program, Statement
from workings.program.writer import formula_code
from workings.readings.entries import EntryWriter, Index
from workings.support.arrays import Array

if TYPE_CHECKING:
    from workings.model.model import Model

TOLERANCE = {"float64": 1e-9, "float32": 1e-4}  # allowed difference, relative to the largest value


@dataclass(frozen=True, eq=False, repr=False)
class WorkedLine:
    """One line of a derivation with its value.

    Attributes
    ----------
    words : str
    of, by : str
        If ``of`` is not empty, the line is the derivative of this expression with respect to ``by``.
    expression : str
        The right side.
    equals : str
        The name of the program's value that it must equal; may be empty.
    value : array
    index : tuple of int
        The entry that is written out.
    numbers : syntax or None
        This entry with numbers.
    agrees : bool
        Whether the value is the program's.
    """

    words: str
    of: str
    by: str
    expression: str
    equals: str
    value: Array
    index: Index
    numbers: ast.expr | None
    agrees: bool

    @property
    def entry(self) -> float:
        """The value of the entry that is written out."""
        return float(self.value[self.index])

    @property
    def is_finite(self) -> bool:
        """Whether the line can be evaluated as it stands."""
        return bool(np.isfinite(self.entry))


def work_derivation(
    network: Model, program: Program, values: Mapping[str, object], row: int, unit: int
) -> tuple[WorkedLine, ...]:
    """Evaluate the derivation of the loss's gradient; empty for a loss without one."""
    lines, closing = derivation_of(network.loss)
    if not lines:
        return ()
    gradient = program.stage("backward")[0]
    letters = {"z": gradient.target.removeprefix("d"), "p": "p", "y": "y_smooth" if "y_smooth" in values else "y"}
    worker = LineWorker(program, values, letters, row, unit)
    return (*map(worker.line, lines), worker.last_line(network, gradient, closing))


class LineWorker:
    """Evaluates the lines of a derivation; ``letters`` maps z, p and y to the names of the program."""

    def __init__(
        self, program: Program, values: Mapping[str, object], letters: Mapping[str, str], row: int, unit: int
    ) -> None:
        self.values, self.letters, self.row, self.unit = values, letters, row, unit
        self.entries = EntryWriter(program, values)

    def line(self, line: DerivationLine) -> WorkedLine:
        """Evaluate one line."""
        of = "" if line.of is None else formula_code(line.of, **self.letters)
        of = "p" if of == self.letters["z"] else of  # the prediction is z itself
        expression = formula_code(line.formula, **self.letters)
        equals = {"y": self.letters["y"]}.get(line.equals, line.equals)
        return self.worked(line.words, of, self.letters[line.by] if of else "", expression, equals)

    def last_line(self, network: Model, gradient: Statement, closing: str) -> WorkedLine:
        """Evaluate the loss's own gradient, which must equal the program's."""
        inner = formula_code(network.loss.formulas["gradient"], **self.letters)
        scale = network.loss.reduce("w" in gradient.reads)[1]
        names = {"n": "n", "w": "w", "y": self.letters["y"]}
        expression = formula_code(scale, dlosses=inner, z=inner, **names)
        words = f"{closing}: {gradient.words}"
        return self.worked(words, "", "", expression, gradient.target)

    def worked(self, words: str, of: str, by: str, expression: str, equals: str) -> WorkedLine:
        """Evaluate an expression, and compare it with the program's value."""
        value = np.asarray(self.entries.value(ast.parse(expression, mode="eval").body))
        index = (self.row, min(self.unit, value.shape[-1] - 1))
        numbers = self.entries.entry(expression, index, numbers=True)
        return WorkedLine(words, of, by, expression, equals, value, index, numbers, self.agree(value, equals))

    def agree(self, value: Array, equals: str) -> bool:
        """Whether a value belongs to a name of the program."""
        if not equals:
            return True
        known = np.asarray(self.values[equals])
        largest = max(float(np.abs(known).max(initial=0)), 1e-30)
        tolerance = TOLERANCE.get(known.dtype.name, 1e-9) * largest
        return known.shape == value.shape and bool((np.abs(known - value) <= tolerance).all())


def check_lines(line: WorkedLine) -> Iterator[str]:
    """Yield what must be said of a line whose value is not the program's."""
    if line.agrees:
        return
    if np.isfinite(line.value).all():
        yield f"THE PROGRAM'S {line.equals} DIFFERS from this line."
    else:
        yield f"As it stands, exp or log leaves the range of numbers here; the program computes {line.equals} safely."
