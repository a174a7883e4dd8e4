"""A walk through one step: its statements one by one, each with its equation, its numbers and its words.

The walk runs the statements of the next step on copies, so the network stays as it is until the walk is taken.
"""

from __future__ import annotations

import numpy as np

from workings.play.pictures import number
from workings.play.run import Run
from workings.program.program import STAGE_WORDS
from workings.readings.equations import EquationWriter
from workings.readings.mathml import MathmlNotation, block
from workings.readings.page import entry_block
from workings.readings.text_latex import DIGITS, finite_difference_line, shapes_line
from workings.readings.worked_step import StatementRunner, WorkedStatement
from workings.support.json_values import JsonObject

MOST_CELLS, MOST_ROWS_SHOWN = 144, 12


class Walk:
    """The statements of a run's next step, run as far as they have been asked for."""

    def __init__(self, run: Run, row: int, unit: int) -> None:
        program = run.model.program(run.rule)
        self.row = row
        self.runner = StatementRunner(program, run.peek(), row, unit)
        self.writer = EquationWriter(program, MathmlNotation(DIGITS))
        self.statements = program.statements
        self.ran: list[WorkedStatement] = []
        self.step = run.state.step

    def worked(self, index: int) -> WorkedStatement:
        """Run the statements up to one of them, and return it."""
        while len(self.ran) <= index:
            self.ran.append(self.runner.run(self.statements[len(self.ran)]))
        return self.ran[index]

    def describe(self, index: int) -> JsonObject:
        """Return one statement for the page."""
        return {
            **described(self.worked(index), self.writer),
            "index": index,
            "outline": [{"target": s.target, "stage": s.stage} for s in self.statements],
            "off": self.dropped(),
        }

    def dropped(self) -> dict[str, list[int]]:
        """Return the units that dropout sets to 0 in the chosen row of this step, by the number of their mask."""
        masks = {name[4:]: value for name, value in self.runner.values.items() if name.startswith("mask")}
        return {layer: np.flatnonzero(mask[self.row] == 0).tolist() for layer, mask in masks.items()}


def described(worked: WorkedStatement, writer: EquationWriter) -> JsonObject:
    """Return a worked statement for the page: code, equation, entry with numbers, words, values."""
    statement = worked.statement
    is_array = not isinstance(worked.value, tuple)
    return {
        "target": statement.target,
        "code": str(statement),
        "stage": statement.stage,
        "stage_words": STAGE_WORDS[statement.stage],
        "part": statement.part,
        "words": statement.words,
        "reads": sorted(statement.reads),
        "equation": block(writer.equation(statement)),
        "entry": entry_block(worked, writer) if is_array else "",
        "index_shown": list(worked.index),
        "value": worked.entry if is_array else None,
        "shapes": shapes_line(worked),
        "slope": finite_difference_line(worked),
        "agrees": worked.slopes is None or worked.slopes.agrees,
        "table": table_of(worked.value) if is_array else None,
    }


def table_of(value: object) -> JsonObject | None:
    """Return the first rows of a small array as nested lists; None for a single number or a wide array."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0 or array.ndim > 2:
        return None
    rows = np.atleast_2d(array)
    shown = rows[:MOST_ROWS_SHOWN]
    if shown.size > MOST_CELLS:
        return None
    return {"rows": [[number(entry) for entry in row] for row in shown.tolist()], "more": len(rows) - len(shown)}
