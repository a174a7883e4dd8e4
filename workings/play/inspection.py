"""Inspection: what the page shows of one weight, one unit or the loss.

It uses the rows of the training set, in one batch.  A weight comes with its gradient beside the finite difference,
the objective as a function of this weight alone, its values over the run, and the paths by which it affects the
objective.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from workings.checks.gradients import in_float64
from workings.engines.reference import Runner, Tracer
from workings.errors import InputError
from workings.layers import Dense
from workings.play.pictures import number
from workings.play.run import Run
from workings.play.walk import described
from workings.readings.equations import EquationWriter
from workings.readings.influence import indexed_text, influence
from workings.readings.mathml import MathmlNotation
from workings.readings.text_latex import DIGITS
from workings.readings.worked_step import FiniteDifferences, StatementRunner
from workings.support.arrays import Array, as_random
from workings.support.json_values import JsonObject

POINTS = 61  # of the objective as a function of one weight
MOST_SHOWN = 8  # paths
MOST_FOLLOWED = 600  # paths, which takes about a second


@dataclass(frozen=True)
class Entry:
    """One entry of a parameter."""

    name: str
    index: tuple[int, ...]

    @property
    def text(self) -> str:
        """The entry as text, such as ``W1[0,2]``."""
        return indexed_text(self.name, self.index)


def checked_entry(run: Run, name: str, index: list[int]) -> Entry:
    """Return an entry of a parameter.

    Raises
    ------
    InputError
        If there is no such parameter or entry.
    """
    if name not in run.model.parameters:
        raise InputError(f"There is no parameter {name[:40]!r}; there are {', '.join(run.model.parameters)}.")
    shape = run.model.parameters[name].shape
    if len(index) != len(shape) or not all(0 <= place < size for place, size in zip(index, shape, strict=True)):
        raise InputError(f"{name} has shape {shape}, counted from 0: it has no entry {index}.")
    return Entry(name, tuple(index))


class OneGradient(StatementRunner):
    """Runs statements, and compares only one gradient with finite differences."""

    wanted = ""

    def finite_differences(self, target: str, gradient: Array, index: tuple[int, ...]) -> FiniteDifferences | None:
        """Return finite differences for the wanted gradient; None for all others."""
        return super().finite_differences(target, gradient, index) if target == self.wanted else None


class Inspection:
    """The training set as one batch, with all values of a step without update."""

    def __init__(self, run: Run, row: int) -> None:
        self.run, self.row = run, min(row, len(run.training.X) - 1)
        model, rows = run.model, run.training
        self.program = model.runner("inspected", model.program)
        drawn = model.draw_masks(len(rows.X), as_random(0))
        self.values = model.step_values(self.program, rows.X, rows.y, None, drawn)
        self.writer = EquationWriter(self.program, MathmlNotation(DIGITS))

    def objective(self) -> Runner:
        """Return J as a function of the values."""
        found: Runner = self.run.model.runner(
            "inspected J", lambda: Runner(self.program.needed_for("J"), ["J"], "objective")
        )
        return found

    def weight_now(self, entry: Entry) -> JsonObject:
        """Return the value of a weight, its gradient, and the objective."""
        tracer: Tracer = self.run.model.runner("inspected trace", lambda: Tracer(self.program))
        trace = tracer(self.values)
        return {
            "entry": entry.text,
            "name": entry.name,
            "index": list(entry.index),
            "value": float(trace[entry.name][entry.index]),
            "gradient": number(float(trace[f"d{entry.name}"][entry.index])),
            "J": number(float(trace["J"])),
        }

    def weight_gradients(self) -> list[Array]:
        """Return the gradients of all weights, from the first layer to the last."""
        tracer: Tracer = self.run.model.runner("inspected trace", lambda: Tracer(self.program))
        trace = tracer(self.values)
        return [np.asarray(trace[f"d{name}"]) for name in self.run.model.parameters if name.startswith("W")]

    def weight(self, entry: Entry) -> JsonObject:
        """Return everything about one weight."""
        runner = OneGradient(self.program, self.values, self.row, entry.index[-1])
        runner.wanted = f"d{entry.name}"
        runner.places[entry.name] = entry.index
        statements = self.program.statements
        last = next(k for k, s in enumerate(statements) if s.target == runner.wanted)
        *_, worked = [runner.run(statement) for statement in statements[: last + 1]]
        return {
            **self.weight_now(entry),
            "gradient_statement": described(worked, self.writer),
            "slope": None if worked.slopes is None else number(float(worked.slopes.values[entry.index])),
            "profile": self.profile(entry),
            "course": [
                [moment.step, number(float(moment.values[entry.name][entry.index]))] for moment in self.run.course
            ],
            "why": self.why(entry),
        }

    def profile(self, entry: Entry) -> JsonObject:
        """Return the objective as a function of one weight, all others as they are."""
        value = float(self.values[entry.name][entry.index])
        reach = max(2.0, 1.5 * abs(value))
        places = np.linspace(value - reach, value + reach, POINTS)
        return {"at": places.tolist(), "J": [number(self.objective_at(entry, place)) for place in places]}

    def objective_at(self, entry: Entry, value: float) -> float:
        """Return J with another value of one weight."""
        moved = in_float64({entry.name: self.values[entry.name]})[entry.name].copy()
        moved[entry.index] = value
        return float(self.objective()({**self.values, entry.name: moved})[0])

    def why(self, entry: Entry) -> JsonObject:
        """Return the paths from a weight to the objective, or why they cannot be followed."""
        count = self.path_count(entry.name)
        if count > MOST_FOLLOWED:
            words = f"There are {count:,} paths from this weight to the loss; up to {MOST_FOLLOWED:,} are followed."
            return {"paths": [], "total": None, "words": words}
        try:
            found = influence(self.program, self.values, entry.text, None)
        except InputError as error:
            return {"paths": [], "total": None, "words": str(error)}
        return {
            "paths": [{"path": str(path).rpartition(":")[0], "adds": path.adds} for path in found.paths[:MOST_SHOWN]],
            "more": max(len(found.paths) - MOST_SHOWN, 0),
            "penalty": found.penalty,
            "total": found.total,
            "words": "",
        }

    def path_count(self, name: str) -> int:
        """Return the number of paths from an entry of a parameter to the objective."""
        widths = [layer.units for layer in self.run.model.layers if isinstance(layer, Dense)]
        number = re.search(r"\d+$", name)
        return math.prod(widths[int(number[0]) if number else 0 :])

    def unit(self, layer: int, unit: int) -> JsonObject:
        """Return the statements of one layer, written out for one unit and the chosen row."""
        parameter = f"W{layer}"
        if parameter not in self.run.model.parameters:
            raise InputError(f"There is no layer {layer}.")
        if unit >= self.run.model.parameters[parameter].shape[1]:
            raise InputError(f"Layer {layer} has no unit {unit}, counted from 0.")
        runner = OneGradient(self.program, self.values, self.row, unit)
        found, is_inside = [], False
        for statement in self.program.stage("forward"):
            worked = runner.run(statement)
            reads_weights = {name for name in statement.reads if name in self.run.model.parameters and name[0] == "W"}
            if reads_weights:
                is_inside = parameter in reads_weights and statement.target == f"z{layer}"
            if is_inside and statement.target not in ("losses", "J"):
                found.append(described(worked, self.writer))
        return {"layer": layer, "unit": unit, "row": self.row, "statements": found}

    def loss(self) -> JsonObject:
        """Return the statements of the loss, written out for the chosen row."""
        runner = OneGradient(self.program, self.values, self.row, 0)
        found = []
        for statement in self.program.stage("forward"):
            worked = runner.run(statement)
            if not statement.part.startswith("layer"):
                found.append(described(worked, self.writer))
        return {"row": self.row, "statements": found}
