"""The worked step: one training step in detail, as a worked example.

The program's statements are run in order.  For each, the result is kept, one entry is written out with its numbers,
and gradients are compared with finite differences.  All values come from the program's statements; this module only
selects what to show.  ``text_latex.py`` formats the result as text and LaTeX, ``page.py`` as HTML.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from workings.checks.gradients import check_entry, in_float64, slope_along
from workings.engines.reference import Runner, inputs_of
from workings.optimizers import Part
from workings.program.program import Program, Shape, Statement, show_shape
from workings.readings.derivation import WorkedLine, work_derivation
from workings.readings.entries import EntryWriter, Index
from workings.readings.notes import bias_note, function_notes, origins
from workings.support.arrays import Array, Values
from workings.support.brief import brief
from workings.tables.columns import columns_in

if TYPE_CHECKING:
    from workings.model.model import Model

MOST_NAMES = 20  # column names to list
FEW_SLOPES = 64  # up to this size all entries of a gradient are checked, else only the entry that is written out
NEAR = 1e-7  # at this relative error, no smaller step size is tried
MOST_ROWS, FEW_ROWS = 8, 6  # rows that are shown if there are no more; rows that are shown of more
SMALLEST_SIDE = 7  # of an image
TOLERANCE = {"float64": 1e-4, "float32": 1e-2}  # allowed relative error between finite differences and gradients


@dataclass(frozen=True, eq=False)
class FiniteDifferences:
    """Finite differences for comparison with a gradient.

    Attributes
    ----------
    values : array of the gradient's shape
        The finite differences; nan where none was computed.
    error : float
        The largest relative difference from the gradient.
    corners : int
        The number of entries at a kink, as of ReLU at 0, where any slope between the one-sided ones is correct.
    agrees : bool
    """

    values: Array
    error: float
    corners: int
    agrees: bool


@dataclass(frozen=True, eq=False, repr=False)
class WorkedStatement:
    """One statement, its result, and one entry of the result written out.

    Attributes
    ----------
    statement : Statement
    value : array or number
        The result.
    reads : mapping of str to shape
        The shapes of the inputs.
    index : tuple of int
        The entry that is written out.
    names, numbers : syntax or None
        The expression of that entry, with names and with numbers; None if it cannot be written out.
    slopes : FiniteDifferences or None
        For gradients.
    entries : EntryWriter or None
        Writes out the other entries.
    notes : tuple of str
        The purpose of the statement's functions, and the reason for its value.
    """

    statement: Statement
    value: Values
    reads: Mapping[str, Shape]
    index: Index
    names: ast.expr | None
    numbers: ast.expr | None
    slopes: FiniteDifferences | None
    entries: EntryWriter | None = None
    notes: tuple[str, ...] = ()

    @property
    def entry(self) -> float:
        """The value of the entry that is written out."""
        return float(np.asarray(self.value)[self.index])

    def __repr__(self) -> str:
        shape = show_shape(np.shape(self.value))
        place = "".join(f"[{','.join(map(str, self.index))}]" for _ in self.index[:1])
        return f"{self.statement}  # {shape}, {self.statement.target}{place} = {self.entry:.6g}"


@dataclass(frozen=True, repr=False)
class WorkedStep:
    """One training step with all its values; see :class:`workings.readings.explain.Explanation`.

    Attributes
    ----------
    program : Program
    given : mapping of str to array or number
        The inputs: X, y, the parameters, the learning rate.
    steps : tuple of WorkedStatement
        The statements in order of execution.
    before, after : float
        The objective J of these rows before the update, and after it (None without an optimizer).
    row, unit : int
        The row and the unit that are written out.
    about : tuple of str
        Summary of the network, the settings and the data.
    origins : mapping of str to str
        Where each input comes from, in words.
    derivation : tuple of WorkedLine
        The derivation of the loss's gradient; empty for a loss without a derivation.
    image : tuple of int or None
        The height and width of the inputs, if they look like the pixels of a square image.
    """

    program: Program
    given: Mapping[str, Values]
    steps: tuple[WorkedStatement, ...]
    before: float
    after: float | None
    row: int
    unit: int
    about: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    derivation: tuple[WorkedLine, ...] = ()
    image: tuple[int, int] | None = None

    @property
    def rows(self) -> int:
        """The number of rows of the step."""
        return len(self.given["X"])

    @property
    def shown_rows(self) -> list[int]:
        """The rows to show at first: all of them if they are few, else six, with the row that is written out."""
        return shown_rows(self.rows, self.row)

    def __getitem__(self, target: str) -> WorkedStatement:
        """Return the last statement that computes a name."""
        statement = self.program[target]
        return next(worked for worked in reversed(self.steps) if worked.statement == statement)


def work_step(
    network: Model,
    program: Program,
    values: Mapping[str, object],
    optimizer: Part | None,
    row: int,
    unit: int,
) -> WorkedStep:
    """Run the statements of one step on ``values`` and keep each result; one row and one unit are written out."""
    runner = StatementRunner(program, values, row, unit)
    steps = tuple(with_notes(network, program, [*map(runner.run, program.statements)], runner.values))
    after = runner.objective({**values, **{name: runner.values[name] for name in program.parameters}})
    return WorkedStep(
        program,
        {name: values[name] for name in shown_inputs(program, values)},
        steps,
        runner.objective(values),
        None if optimizer is None else after,
        runner.row,
        runner.unit,
        about(network, optimizer, values),
        origins(network, program, values),
        work_derivation(network, program, runner.values, runner.row, runner.unit),
        image_shape(network),
    )


def with_notes(
    network: Model, program: Program, steps: Iterable[WorkedStatement], values: Mapping[str, object]
) -> Iterator[WorkedStatement]:
    """Yield statements with their notes; those on an update only once, as it is the same for each parameter."""
    said: set[str] = set()
    for worked in steps:
        statement = worked.statement
        notes = (*function_notes(statement), *bias_note(network, program, statement, values))
        yield replace(worked, notes=tuple(note for note in notes if note not in said))
        said.update(notes if statement.stage == "update" else ())


def shown_rows(count: int, row: int) -> list[int]:
    """Return the rows to show at first: all of them if they are few, else six, with the row that is written out.

    >>> shown_rows(8, 3), shown_rows(20, 17)
    ([0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 17])
    """
    if count <= MOST_ROWS:
        return list(range(count))
    return list(range(FEW_ROWS)) if row < FEW_ROWS else [*range(FEW_ROWS - 1), row]


def image_shape(network: Model) -> tuple[int, int] | None:
    """Return the shape of images, if the inputs are as many as the pixels of a square and have no names."""
    side = math.isqrt(network.n_in or 1)
    is_image = side >= SMALLEST_SIDE and side * side == network.n_in and network.preprocessing is None
    return (side, side) if is_image else None


def shown_inputs(program: Program, values: Mapping[str, Values]) -> list[str]:
    """Return the names of the inputs to show: data, parameters, the rest."""
    inputs = [name for name in program.inputs if values.get(name) is not None]
    inputs = [
        name for name in inputs if name not in program.states or np.any(values[name])
    ]  # hide states that are still 0
    first = [name for name in ("X", "y", "w") if name in inputs]
    parameters = [name for name in program.parameters if name in inputs]
    return [*first, *parameters, *(name for name in inputs if name not in {*first, *parameters})]


def about(network: Model, optimizer: object, values: Mapping[str, object]) -> tuple[str, ...]:
    """Summarize the network, the settings and the data in a few lines."""
    rows = "1 row" if values["n"] == 1 else f"{values['n']:,} rows"
    layers = " → ".join([f"{network.n_in} inputs" if network.n_in != 1 else "1 input", *map(brief, network.layers)])
    columns = columns_in(network.preprocessing)
    named = [] if columns is None else [f"columns of X: {numbered_names(columns.names)}"]
    if network.classes is not None and network.n_out == len(network.classes) and not are_their_indices(network.classes):
        named += [f"class of each output: {numbered_names(map(str, network.classes.tolist()))}"]
    rules = [*map(brief, (network.loss, *network.regularizers)), *([] if optimizer is None else [brief(optimizer)])]
    return layers, "; ".join(rules), f"{rows}, {network.dtype}", *named


def are_their_indices(classes: Array) -> bool:
    """Return whether the classes are 0, 1, 2 and so on, so that the number of an output is its class."""
    return bool(classes.tolist() == list(range(len(classes))))


def numbered_names(names: Iterable[str]) -> str:
    """Return names with their indices; only the first of many.

    >>> numbered_names(["east", "north"])
    '0: east, 1: north'
    """
    names_listed = [f"{place}: {name}" for place, name in enumerate(names)]
    return ", ".join(names_listed[:MOST_NAMES]) + (
        f" … ({len(names_listed) - MOST_NAMES} more)" if len(names_listed) > MOST_NAMES else ""
    )


class StatementRunner:
    """Runs the statements in order and writes out one entry of each; ``values`` holds the current values by name."""

    def __init__(self, program: Program, values: Mapping[str, object], row: int, unit: int) -> None:
        self.program, self.start, self.row, self.unit = program, dict(values), row, unit
        self.values: dict[str, Values] = dict(values)
        self.forward = Runner(program.needed_for("J"), ["J"], "objective")
        self.ran: list[Statement] = []
        self.places: dict[str, Index] = {}  # the entry of each parameter that is written out

    def objective(self, values: Mapping[str, object]) -> float:
        """Return J for some values."""
        return float(self.forward(values)[0])

    def run(self, statement: Statement) -> WorkedStatement:
        """Run a statement and write out one entry of its result."""
        alone = replace(self.program, statements=(statement,))
        reads = inputs_of(alone, self.values)
        (value,) = Runner(alone, [statement.target], statement.target)(reads)
        shapes = {name: np.shape(reads[name]) for name in names_in_order(statement, reads)}
        if isinstance(value, tuple):  # several results, which following statements unpack
            return WorkedStatement(statement, value, shapes, (), None, None, None)
        index = self.place(statement.target, np.asarray(value))
        entries = EntryWriter(self.program, reads)
        names, numbers = (entries.entry(statement.expression, index, numbers=kind) for kind in (False, True))
        slopes = (
            self.finite_differences(statement.target, np.asarray(value), index)
            if statement.stage == "backward"
            else None
        )
        self.values[statement.target] = value
        self.ran.append(statement)
        return WorkedStatement(statement, value, shapes, index, names, numbers, slopes, entries)

    def place(self, target: str, value: Array) -> Index:
        """Return the index of the entry to write out: the chosen row and unit; for parameters, the chosen unit."""
        for parameter in self.program.parameters:
            is_of = target in (parameter, f"d{parameter}") or target.endswith(f"_{parameter}")
            if is_of and value.shape == np.shape(self.values[parameter]):
                return self.places.setdefault(parameter, place_of_parameter(value, self.unit))
        last = tuple(min(self.unit, size - 1) for size in value.shape[-1:])
        rows = (self.row if size == self.start["n"] else 0 for size in value.shape[:-1])
        return (*rows, *last)

    def finite_differences(self, target: str, gradient: Array, index: Index) -> FiniteDifferences | None:
        """Return finite differences for a gradient; None if the target is not the gradient of a named value."""
        name = target.removeprefix("d")
        after = self.after(name)
        if target == name or after is None or np.shape(self.values[name]) != gradient.shape:
            return None
        measure = slope_along(Runner(after, ["J"], f"J by {name}"), in_float64(self.values), name)
        chosen = list(np.ndindex(gradient.shape)) if gradient.size <= FEW_SLOPES else [index]
        found = np.full(gradient.shape, np.nan)
        tolerance, worst, corners = TOLERANCE[gradient.dtype.name], 0.0, 0
        for place in chosen:
            slope, error, corner = check_entry(gradient, place, measure, NEAR)
            found[place] = gradient[place] if corner else slope  # at a kink, any subgradient is right
            worst, corners = max(worst, 0.0 if corner else error), corners + corner
        return FiniteDifferences(found, worst, corners, worst <= tolerance)

    def after(self, name: str) -> Program | None:
        """Return the statements from a name to J; None if J does not depend on it."""
        forward = list(self.program.stage("forward"))
        known = [number for number, statement in enumerate(forward) if statement.target == name]
        if not known and name not in self.program.parameters:
            return None
        later = forward[known[-1] + 1 if known else 0 :]
        rest = replace(self.program, statements=tuple(later)).needed_for("J")
        return rest if name in rest.inputs else None


def place_of_parameter(gradient: Array, unit: int) -> Index:
    """Return the index of a parameter to write out: for the chosen unit, the first input with a nonzero gradient."""
    column = min(unit, gradient.shape[-1] - 1)
    if gradient.ndim == 1:
        return (column,)
    moved = np.flatnonzero(gradient[:, column])
    return (int(moved[0]) if len(moved) else 0, column)


def names_in_order(statement: Statement, reads: Mapping[str, object]) -> list[str]:
    """Return the names that a statement reads, in order of appearance."""
    walked = [node for node in ast.walk(statement.tree) if isinstance(node, ast.Name)]
    walked.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for name in dict.fromkeys(node.id for node in walked) if name in reads]
