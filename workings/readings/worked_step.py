"""The worked step: one step of training as on a blackboard.

The program's statements are run one after the other; of each is kept what it gave, one entry written out with its
numbers, and, beside a gradient, the slope that finite differences measure there.  Nothing is computed here that the
program does not say: this file only chooses what is shown.  ``showing.py`` writes it as text and as LaTeX,
``page.py`` as a page for the browser.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.arrays import Array, as_random, describe
from workings.checks.gradients import check_entry, doubled, slope_along
from workings.columns import columns_in
from workings.engines.reference import Runner, inputs_of
from workings.errors import InputError
from workings.optimizers import LBFGS, Part
from workings.program import Program, Shape, Statement, show_shape
from workings.readings.entries import Entries, Index
from workings.readings.influence import Influence, influence
from workings.schedules import OnPlateau
from workings.sparse import dense
from workings.training import checked_optimizer
from workings.writing import write_bytes

if TYPE_CHECKING:
    from workings.network import Network

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
class Explanation:
    """One training step, worked; ``str`` is for the terminal, ``html`` a page, ``latex`` a document.

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

    def __str__(self) -> str:
        from workings.readings.showing import text_of_step

        return text_of_step(self)

    __repr__ = __str__

    @property
    def latex(self) -> str:
        """The step as a LaTeX document that needs amsmath alone."""
        from workings.readings.showing import latex_of_step

        return latex_of_step(self)

    @property
    def html(self) -> str:
        """The step as one page that asks for nothing from outside."""
        from workings.readings.page import page_of_step

        return page_of_step(self)

    def _repr_html_(self) -> str:
        from workings.readings.page import step_in_notebook

        return step_in_notebook(self)

    def save(self, path: str | Path) -> Path:
        """Write the step to a file: ``.html``, ``.tex`` or ``.txt``.

        Raises
        ------
        InputError
            For another kind of file.
        FileError
            If the file cannot be written.
        """
        return save_reading(self, path)


def save_reading(reading: Explanation | Influence, path: str | Path) -> Path:
    """Write a reading to a file, as its name ends."""
    path = Path(path)
    kinds = {".html": lambda: reading.html, ".tex": lambda: reading.latex, ".txt": lambda: f"{reading}\n"}
    if path.suffix not in kinds:
        raise InputError(f"A reading is written as {', '.join(kinds)}; the name is {path.name!r}.")
    write_bytes(path, kinds[path.suffix]().encode())
    return path


def explain(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    optimizer: Part | None = None,
    row: int | None = None,
    unit: int = 0,
    sample_weight: ArrayLike | None = None,
    why: str | None = None,
) -> Explanation | Influence:
    """Work one training step: every equation with its words, its shapes and its numbers.

    Parameters
    ----------
    X, y : arrays of shape (n, n_in) and (n,) or (n, n_out)
        The rows of the step; few are easier to read.
    optimizer : optimizer or None
        Whose update is worked, too. Where it is the one that ``net.step`` has been called with, its state goes on.
    row : int or None
        Which row is written out term by term: by default the first; with ``why`` the one that adds most.
    unit : int
        Which unit of each layer is written out; of a layer that has fewer, its last.
    sample_weight : array of shape (n,) or None
    why : str or None
        One entry of a parameter, ``"W1[0,2]"``: how it acts on the objective, path by path.

    Returns
    -------
    Explanation, or Influence with ``why``
        The network is not changed (but for being built, if it was not).

    Raises
    ------
    InputError
        For rows, units or names that are not there.

    Examples
    --------
    >>> from workings import Dense, Network, SGD, SquaredError
    >>> net = Network([Dense(1, weights=[[2.0], [3.0]])], loss=SquaredError(half=True))
    >>> step = explain(net, [[1.0, 0.5]], [4.0], optimizer=SGD(0.1))
    >>> step["z1"].entry, step["dW1"].entry, round(step.after, 6)
    (3.5, -0.5, 0.075078)
    >>> print(explain(net, [[1.0, 0.5]], [4.0], why="W1[1,0]").paths[0])
    W1[1,0] → z1[·,0] → J: -0.25
    """
    features, targets, w = network.prepare(X, y, sample_weight)
    features, n = dense(features), len(features)
    for name, value in (("row", 0 if row is None else row), ("unit", unit)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
            raise InputError(f"{name} must be a whole number from 0, not {describe(value)}.")
    if row is not None and row >= n:
        raise InputError(f"There is no row {row}: X has {n} rows, counted from 0.")
    widest = max(layer.width(network.n_in or 1) for layer in network.layers)
    if unit >= widest:
        raise InputError(f"There is no unit {unit}: the widest layer has {widest}, counted from 0.")
    program = network.program(checked(optimizer), weighted=w is not None)
    drawn = network.draw(n, as_random(0))
    values = {**network.step_values(program, features, targets, w, drawn), **next_step(network, optimizer)}
    if why is not None:
        return influence(network.program(weighted=w is not None), values, why, row)
    work = Work(program, values, int(row or 0), int(unit))
    steps = tuple(map(work.worked, program.statements))
    after = work.objective({**values, **{name: work.values[name] for name in program.parameters}})
    return Explanation(
        program, {name: values[name] for name in given_names(program, values)}, steps,
        work.objective(values), None if optimizer is None else after, work.row, work.unit,
        about(network, optimizer, values),
    )  # fmt: skip


def checked(optimizer: Any) -> Part | None:
    """Refuse an optimizer whose step is no list of statements, or needs a history."""
    if optimizer is None:
        return None
    if isinstance(checked_optimizer(optimizer), LBFGS):
        raise InputError("SciPy makes the steps of L-BFGS: leave the optimizer out to see the gradients alone.")
    if isinstance(optimizer.schedule, OnPlateau):
        raise InputError("OnPlateau follows a history, which one step does not have: give a number.")
    return optimizer  # type: ignore[no-any-return]


def next_step(network: Network, optimizer: Any) -> dict[str, Any]:
    """The learning rate, the number of the step and the optimizer's state, as ``net.step`` would go on."""
    if optimizer is None:
        return {}
    known: dict[str, Any] = {"t": 0, "values": {}}
    if network.state.get("optimizer") == optimizer:
        known = network.state
    return {**known["values"], "lr": optimizer.schedule(known["t"]), "t": known["t"] + 1}


def given_names(program: Program, values: Mapping[str, Any]) -> list[str]:
    """What is shown as going in, in the order of the alphabet: data, parameters, the rest."""
    inputs = [name for name in program.inputs if values.get(name) is not None]
    inputs = [name for name in inputs if name not in program.states or np.any(values[name])]  # most begin at 0
    first = [name for name in ("X", "y", "w") if name in inputs]
    parameters = [name for name in program.parameters if name in inputs]
    return [*first, *parameters, *(name for name in inputs if name not in {*first, *parameters})]


def about(network: Network, optimizer: Any, values: Mapping[str, Any]) -> tuple[str, ...]:
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
        measure = slope_along(Runner(after, ["J"], f"J by {name}"), doubled(self.values), name)
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
    walked = [node for node in ast.walk(ast.parse(statement.expression)) if isinstance(node, ast.Name)]
    walked.sort(key=lambda node: (node.lineno, node.col_offset))
    return [name for name in dict.fromkeys(node.id for node in walked) if name in reads]
