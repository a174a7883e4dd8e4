"""The worked step: one step of training as on a blackboard.

The program's statements are run one after the other; of each is kept what it gave, one entry written out with its
numbers, and, beside a gradient, the slope that finite differences measure there.  Nothing is computed here that the
program does not say: this file only chooses what is shown.  ``text_latex.py`` writes it as text and as LaTeX,
``page.py`` as a page for the browser.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.checks.gradients import check_entry, in_float64, slope_along
from workings.engines.reference import Runner, inputs_of
from workings.optimizers import Part
from workings.program.program import Program, Shape, Statement, show_shape
from workings.readings.entries import Entries, Index
from workings.support.arrays import Array
from workings.tables.columns import columns_in

if TYPE_CHECKING:
    from workings.model.model import Model

MOST_NAMES = 20  # of columns that are told
FEW_SLOPES = 64  # entries of a gradient that are all measured; of a larger one only the entry that is written out
NEAR = 1e-7  # a slope that is so near is not measured again with smaller steps
TOLERANCE = {"float64": 1e-4, "float32": 1e-2}  # how far slopes and gradients may be apart, in relation


@dataclass(frozen=True, eq=False)
class Slopes:
    """Finite differences beside a gradient.

    Attributes
    ----------
    values : array of the gradient's shape
        The measured slopes; nan where none was measured.
    error : float
        The largest relative difference from the gradient.
    corners : int
        How many entries lie on a corner, as of ReLU, where any slope between is right.
    agrees : bool
    """

    values: Array
    error: float
    corners: int
    agrees: bool


@dataclass(frozen=True, eq=False, repr=False)
class Worked:
    """One statement, what it gave, and one entry of that written out.

    Attributes
    ----------
    statement : Statement
    value : array or number
        What it gave.
    reads : mapping of str to shape
        The shapes of what it read.
    index : tuple of int
        The entry that is written out.
    names, numbers : syntax or None
        That entry, with names and with numbers; None where it has no written form.
    slopes : Slopes or None
        For gradients.
    """

    statement: Statement
    value: Any
    reads: Mapping[str, Shape]
    index: Index
    names: ast.expr | None
    numbers: ast.expr | None
    slopes: Slopes | None

    @property
    def entry(self) -> float:
        """The entry that is written out."""
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
        What went in: X, y, the parameters, the learning rate.
    steps : tuple of Worked
        The statements in the order in which they ran.
    before, after : float
        The objective J of these rows before the update and, with an optimizer, after it; else None.
    row, unit : int
        What is written out.
    about : tuple of str
        What is worked, in a few lines.
    """

    program: Program
    given: Mapping[str, Any]
    steps: tuple[Worked, ...]
    before: float
    after: float | None
    row: int
    unit: int
    about: tuple[str, ...]

    def __getitem__(self, target: str) -> Worked:
        """Give the last statement that computes a name."""
        statement = self.program[target]
        return next(worked for worked in reversed(self.steps) if worked.statement == statement)


def work_step(
    network: Model,
    program: Program,
    values: Mapping[str, Any],
    optimizer: Part | None,
    row: int,
    unit: int,
) -> WorkedStep:
    """Run the statements of one step on ``values`` and keep what each gave; one row and one unit are written out."""
    work = Work(program, values, row, unit)
    steps = tuple(map(work.worked, program.statements))
    after = work.objective({**values, **{name: work.values[name] for name in program.parameters}})
    return WorkedStep(
        program, {name: values[name] for name in given_names(program, values)}, steps,
        work.objective(values), None if optimizer is None else after, work.row, work.unit,
        about(network, optimizer, values),
    )  # fmt: skip


def given_names(program: Program, values: Mapping[str, Any]) -> list[str]:
    """What is shown as going in, in the order of the alphabet: data, parameters, the rest."""
    inputs = [name for name in program.inputs if values.get(name) is not None]
    inputs = [name for name in inputs if name not in program.states or np.any(values[name])]  # most begin at 0
    first = [name for name in ("X", "y", "w") if name in inputs]
    parameters = [name for name in program.parameters if name in inputs]
    return [*first, *parameters, *(name for name in inputs if name not in {*first, *parameters})]


def about(network: Model, optimizer: Any, values: Mapping[str, Any]) -> tuple[str, ...]:
    """What is worked, in a few lines."""
    rows = "1 row" if values["n"] == 1 else f"{values['n']:,} rows"
    layers = " → ".join([f"{network.n_in} inputs" if network.n_in != 1 else "1 input", *map(repr, network.layers)])
    columns = columns_in(network.preprocessing)
    named = [] if columns is None else [f"columns of X: {numbered_names(columns.names)}"]
    if network.classes is not None and network.n_out == len(network.classes):
        named += [f"outputs: {numbered_names(map(str, network.classes.tolist()))}"]
    rules = [repr(network.loss), *map(repr, network.regularizers), *([] if optimizer is None else [repr(optimizer)])]
    return layers, "; ".join(rules), f"{rows}, {network.dtype}", *named


def numbered_names(names: Iterable[str]) -> str:
    """Names with their places; of very many, the first.

    >>> numbered_names(["east", "north"])
    '0 east, 1 north'
    """
    told = [f"{place} {name}" for place, name in enumerate(names)]
    return ", ".join(told[:MOST_NAMES]) + (f" … ({len(told) - MOST_NAMES} more)" if len(told) > MOST_NAMES else "")


class Work:
    """Runs the statements one after the other, and works one entry of each.

    ``values`` holds what each name is worth so far.
    """

    def __init__(self, program: Program, values: Mapping[str, Any], row: int, unit: int) -> None:
        self.program, self.start, self.row, self.unit = program, dict(values), row, unit
        self.values: dict[str, Any] = dict(values)
        self.forward = Runner(program.needed_for("J"), ["J"], "objective")
        self.ran: list[Statement] = []
        self.places: dict[str, Index] = {}  # of each parameter, the entry that is written out

    def objective(self, values: Mapping[str, Any]) -> float:
        """J for some values."""
        return float(self.forward(values)[0])

    def worked(self, statement: Statement) -> Worked:
        """Run a statement, and work it."""
        alone = replace(self.program, statements=(statement,))
        reads = inputs_of(alone, self.values)
        (value,) = Runner(alone, [statement.target], statement.target)(reads)
        shapes = {name: np.shape(reads[name]) for name in in_order(statement, reads)}
        if isinstance(value, tuple):  # several results, before they get their names
            return Worked(statement, value, shapes, (), None, None, None)
        index = self.place(statement.target, np.asarray(value))
        entries = Entries(self.program, reads)
        names, numbers = (entries.written(statement.expression, index, numbers=kind) for kind in (False, True))
        slopes = self.slopes(statement.target, np.asarray(value), index) if statement.stage == "backward" else None
        self.values[statement.target] = value
        self.ran.append(statement)
        return Worked(statement, value, shapes, index, names, numbers, slopes)

    def place(self, target: str, value: Array) -> Index:
        """Which entry of a result is written out: the chosen row and unit, for parameters the chosen unit."""
        for parameter in self.program.parameters:
            is_of = target in (parameter, f"d{parameter}") or target.endswith(f"_{parameter}")
            if is_of and value.shape == np.shape(self.values[parameter]):
                return self.places.setdefault(parameter, place_of_parameter(value, self.unit))
        last = tuple(min(self.unit, size - 1) for size in value.shape[-1:])
        rows = (self.row if size == self.start["n"] else 0 for size in value.shape[:-1])
        return (*rows, *last)

    def slopes(self, target: str, gradient: Array, index: Index) -> Slopes | None:
        """The finite differences beside a gradient; None for what is no gradient of something that has a name."""
        name = target.removeprefix("d")
        after = self.after(name)
        if target == name or after is None or np.shape(self.values[name]) != gradient.shape:
            return None
        measure = slope_along(Runner(after, ["J"], f"J by {name}"), in_float64(self.values), name)
        chosen = list(np.ndindex(gradient.shape)) if gradient.size <= FEW_SLOPES else [index]
        found, floor = np.full(gradient.shape, np.nan), 1e-4 * float(np.abs(gradient).max(initial=0))
        tolerance, worst, corners = TOLERANCE[gradient.dtype.name], 0.0, 0
        for place in chosen:
            direction = np.zeros(gradient.shape)
            direction[place] = 1.0
            found[place], error, corner = check_entry(float(gradient[place]), direction, measure, NEAR, floor)
            worst, corners = max(worst, error), corners + corner
        return Slopes(found, worst, corners, worst <= tolerance)

    def after(self, name: str) -> Program | None:
        """The statements from a name to J; None if J does not come of it."""
        forward = list(self.program.stage("forward"))
        known = [number for number, statement in enumerate(forward) if statement.target == name]
        if not known and name not in self.program.parameters:
            return None
        later = forward[known[-1] + 1 if known else 0 :]
        rest = replace(self.program, statements=tuple(later)).needed_for("J")
        return rest if name in rest.inputs else None


def place_of_parameter(gradient: Array, unit: int) -> Index:
    """The entry of a parameter that is written out: of the chosen unit the first input that has a gradient."""
    column = min(unit, gradient.shape[-1] - 1)
    if gradient.ndim == 1:
        return (column,)
    moved = np.flatnonzero(gradient[:, column])
    return (int(moved[0]) if len(moved) else 0, column)


def in_order(statement: Statement, reads: Mapping[str, Any]) -> list[str]:
    """The names that a statement reads, in the order in which it names them."""
    walked = [node for node in ast.walk(statement.tree) if isinstance(node, ast.Name)]
    walked.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for name in dict.fromkeys(node.id for node in walked) if name in reads]
