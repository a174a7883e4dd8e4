"""Influence: how one weight affects the objective, path by path through the network.

This is the chain rule in forward direction.  The backward statements map the gradient of a layer's output to
that of its input.  Applied to a gradient that is 1 in one entry and 0 elsewhere, they give the local
derivatives.  So every factor of a path comes from the program's statements.  The contributions of all paths
must sum to the gradient of the backward pass; the result shows both.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from workings.checks.gradients import in_float64, slope_along
from workings.engines.reference import Runner, Tracer
from workings.errors import InputError, ProgramError, unknown_name
from workings.program.program import Program, Statement
from workings.readings.entries import EntryWriter, Index, indexed_name
from workings.support.arrays import Array, Values

MOST_PATHS = 4096  # of more paths, only the strongest are followed individually
MOST_ROWS = 64  # limit for layers that combine rows, such as BatchNorm


@dataclass(frozen=True)
class PathFactor:
    """One factor of a path in one row: the derivative of a value with respect to the previous one.

    ``names`` is the factor as syntax, with the names of the program; None if it is not a single expression.
    """

    of: ast.expr
    by: ast.expr
    names: ast.expr | None
    value: float


@dataclass(frozen=True)
class WeightPath:
    """One path from the parameter to J: the units on it, and its contribution to the gradient, summed over rows.

    ``links`` are its factors in the chosen row; the last one is the derivative of J with respect to the last
    value.
    """

    parameter: str
    stations: tuple[str, ...]
    adds: float
    links: tuple[PathFactor, ...]

    def __str__(self) -> str:
        return f"{' → '.join([self.parameter, *self.stations, 'J'])}: {self.adds:.6g}"


@dataclass(frozen=True, repr=False)
class PathAnalysis:
    """How one entry of a parameter affects the objective; see :class:`workings.readings.explain.Influence`.

    Attributes
    ----------
    parameter : str
        The entry, such as ``W1[0,2]``.
    gradient, slope : float
        The gradient of the backward pass, and the finite difference.
    paths : tuple of WeightPath
        The paths to J, the strongest first.
    rest : float
        The sum of all paths that are not followed individually; 0 if there are none.
    penalty : float
        The contribution of regularizers.
    row : int
        The row whose factors are written out.
    mixes : bool
        Whether a layer combines rows, so that the factors within one row are incomplete.
    """

    program: Program
    parameter: str
    gradient: float
    slope: float
    paths: tuple[WeightPath, ...]
    rest: float
    penalty: float
    row: int
    mixes: bool

    @property
    def total(self) -> float:
        """The sum of all contributions."""
        return sum(path.adds for path in self.paths) + self.rest + self.penalty


def influence(program: Program, values: Mapping[str, Values], why: str, row: int | None) -> PathAnalysis:
    """Follow one entry of a parameter to the objective; ``values`` holds the values of the step.

    Without ``row``, the row that contributes most to the strongest path is written out.
    """
    parameter, index = entry_of(program, values, why)
    known = in_float64({**Tracer(program)(values)})
    finder = PathFinder(program, known, segments_to(program, f"d{parameter}"), index, row)
    paths, rest = finder.find_paths(indexed_text(parameter, index))
    measure = slope_along(Runner(program.needed_for("J"), ["J"], "objective"), in_float64(values), parameter)
    direction = np.zeros(np.shape(values[parameter]))
    direction[index] = 1.0
    left, right, _ = measure(direction, 1e-6)
    return PathAnalysis(
        program,
        indexed_text(parameter, index),
        float(known[f"d{parameter}"][index]),
        (left + right) / 2,
        tuple(paths),
        rest,
        finder.penalty(),
        finder.row,
        finder.mixes,
    )


def entry_of(program: Program, values: Mapping[str, Values], why: str) -> tuple[str, Index]:
    """Parse an entry such as ``"W1[0,2]"``."""
    found = re.fullmatch(r"\s*(\w+)\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]\s*", why) if isinstance(why, str) else None
    if found is None:
        raise InputError(
            f'why must name one entry of a parameter, such as "{program.parameters[0]}[0,0]", not {why!r}.'
        )
    parameter, index = found[1], tuple(int(place) for place in found[2].split(","))
    if parameter not in program.parameters:
        raise unknown_name("parameter", parameter, program.parameters)
    shape = np.shape(values[parameter])
    if len(index) != len(shape) or any(place >= size for place, size in zip(index, shape, strict=True)):
        raise InputError(f"{parameter} has shape {shape}, counted from 0: it has no entry {list(index)}.")
    return parameter, index


def indexed_text(letters: str, index: Index) -> str:
    """Return an indexed name as text."""
    return f"{letters}[{','.join(map(str, index))}]" if index else letters


@dataclass(frozen=True)
class GradientPath:
    """The backward statements from the gradient of ``source`` to the gradient of ``target``."""

    source: str
    target: str
    statements: tuple[Statement, ...]


def segments_to(program: Program, target: str) -> list[GradientPath]:
    """Split the backward pass to a gradient into segments, from the parameter to the end of the network."""
    backward = list(program.stage("backward"))
    flow = gradient_names(backward)
    segments: list[GradientPath] = []
    while target != backward[0].target:
        segment = last_segment(backward, flow, target)
        segments.append(segment)
        target = segment.source
    return segments


def gradient_names(backward: Sequence[Statement]) -> set[str]:
    """Return the names in the backward pass that depend on the first gradient."""
    flow = {backward[0].target}
    for statement in backward[1:]:
        if statement.reads & flow:
            flow.add(statement.target)
    return flow


def last_segment(backward: Sequence[Statement], flow: set[str], target: str) -> GradientPath:
    """Return the segment from the nearest gradient on which ``target`` depends alone."""
    end = next(number for number, statement in enumerate(backward) if statement.target == target)
    needed, kept = set(backward[end].reads), [backward[end]]
    for statement in reversed(backward[:end]):
        if statement.target in needed and needed & flow == {statement.target}:
            return GradientPath(statement.target, target, tuple(reversed(kept)))
        if statement.target in needed:
            needed = (needed - {statement.target}) | statement.reads
            kept.append(statement)
    raise ProgramError(f"The gradient of {target[1:]} does not come from the gradient of the network's last value.")


@dataclass
class Jacobian:
    """The derivatives of one layer's values with respect to the previous layer's.

    ``slopes`` has the shape (units after, rows, units before) if rows are independent, and
    (units after, rows after, rows before, units before) if a layer combines rows.
    """

    slopes: Array

    @property
    def mixes(self) -> bool:
        """Whether rows depend on each other."""
        return self.slopes.ndim == 4

    def push(self, unit: int, derivatives: Array) -> Array:
        """Propagate the derivative of one unit, of shape (rows,), to all units after it: (units after, rows)."""
        of_unit = self.slopes[..., unit]
        return (of_unit * derivatives).sum(axis=-1) if self.mixes else of_unit * derivatives

    def push_all(self, derivatives: Array) -> Array:
        """Propagate the derivatives of all units, (rows, units before), to those after: (rows, units after)."""
        return np.array(sum(self.push(unit, derivatives[:, unit]) for unit in range(derivatives.shape[1]))).T

    def slope(self, after: int, before: int, row: int) -> float:
        """Return one entry within a row."""
        return float(self.slopes[after, row, row, before] if self.mixes else self.slopes[after, row, before])


@dataclass(frozen=True)
class PartialPath:
    """A path under construction: the units so far, and the derivative of the last one in each row."""

    units: tuple[int, ...]
    derivatives: Array


class PathFinder:
    """Finds the paths from an entry of a parameter to the end of the network."""

    def __init__(
        self,
        program: Program,
        values: Mapping[str, object],
        segments: Sequence[GradientPath],
        index: Index,
        row: int | None,
    ) -> None:
        self.program, self.values, self.segments, self.index = program, dict(values), segments, index
        self.row, self.is_chosen = row or 0, row is not None
        self.runners = [
            Runner(replace(program, statements=segment.statements), [segment.target], segment.target)
            for segment in segments
        ]
        self.penalties = [
            self.propagate(number, np.zeros_like(self.gradient(number))) for number in range(len(segments))
        ]
        self.jacobians = [self.make_jacobian(number) for number in range(1, len(segments))]

    def gradient(self, number: int) -> Array:
        """Return the gradient at the beginning of a segment."""
        return np.asarray(self.values[self.segments[number].source])

    def propagate(self, number: int, seed: Array) -> Array:
        """Apply the statements of a segment to a gradient."""
        (moved,) = self.runners[number]({**self.values, self.segments[number].source: seed})
        return np.asarray(moved, dtype=np.float64)

    def propagate_unit(self, number: int, place: tuple[int | slice, ...]) -> Array:
        """Apply a segment to a gradient that is 1 at some index and 0 elsewhere, without regularization."""
        seed = np.zeros_like(self.gradient(number))
        seed[place] = 1.0
        return self.propagate(number, seed) - self.penalties[number]

    def penalty(self) -> float:
        """Return the contribution of regularizers to the parameter's gradient."""
        return float(self.penalties[0][self.index])

    @property
    def mixes(self) -> bool:
        """Whether any layer combines rows."""
        return any(jacobian.mixes for jacobian in self.jacobians)

    def make_jacobian(self, number: int) -> Jacobian:
        """Compute the Jacobian of a segment."""
        rows, units = self.gradient(number).shape
        if self.is_mixing(number):
            if rows > MOST_ROWS:
                raise InputError(
                    f"A layer combines rows, so paths can be followed for at most {MOST_ROWS} rows, not {rows}."
                )
            return Jacobian(
                np.array([[self.propagate_unit(number, (r, u)) for r in range(rows)] for u in range(units)])
            )
        return Jacobian(np.array([self.propagate_unit(number, np.s_[:, unit]) for unit in range(units)]))

    def is_mixing(self, number: int) -> bool:
        """Return whether one row of a gradient affects another row of a segment's result."""
        gradient = self.gradient(number)
        seed = np.zeros_like(gradient)
        seed[0] = np.random.default_rng(0).uniform(
            0.5, 1.5, gradient.shape[1]
        )  # random, so that nothing cancels by coincidence
        return bool(np.abs(self.propagate(number, seed) - self.penalties[number])[1:].max(initial=0) > 0)

    def first_paths(self) -> list[PartialPath]:
        """Return paths to the units that the parameter affects directly, with their derivatives in each row."""
        rows, units = self.gradient(0).shape
        seed = np.random.default_rng(0).uniform(0.5, 1.5, rows)
        paths = []
        for unit in range(units):
            column = np.zeros((rows, units))
            column[:, unit] = seed
            if (self.propagate(0, column) - self.penalties[0])[self.index] != 0:
                slopes = [self.propagate_unit(0, (row, unit))[self.index] for row in range(rows)]
                paths.append(PartialPath((unit,), np.array(slopes)))
        return paths

    def find_paths(self, parameter: str) -> tuple[list[WeightPath], float]:
        """Return the paths to J, and the sum of those that are not followed because there are too many."""
        paths = self.first_paths()
        derivatives = np.zeros_like(self.gradient(0))
        for path in paths:
            derivatives[:, path.units[-1]] += path.derivatives
        followed_all = True
        for jacobian in self.jacobians:
            extended = [after for path in paths for after in extensions(path, jacobian)]
            paths = sorted(extended, key=lambda path: -float(np.abs(path.derivatives).sum()))[:MOST_PATHS]
            followed_all = followed_all and len(paths) == len(extended)
            derivatives = jacobian.push_all(derivatives)
        end = self.gradient(len(self.segments) - 1)
        paths.sort(key=lambda path: -abs(float((path.derivatives * end[:, path.units[-1]]).sum())))
        if paths and not self.is_chosen:
            self.row = int(np.abs(paths[0].derivatives * end[:, paths[0].units[-1]]).argmax())
        found = [self.complete(parameter, path, end) for path in paths]
        rest = float((derivatives * end).sum()) - sum(path.adds for path in found)
        return found, 0.0 if followed_all else rest

    def complete(self, parameter: str, path: PartialPath, end: Array) -> WeightPath:
        """Return a finished path with its factors in the chosen row."""
        letters = [segment.source[1:] for segment in self.segments]
        stations = tuple(f"{name}[·,{unit}]" for name, unit in zip(letters, path.units, strict=True))
        adds = float((path.derivatives * end[:, path.units[-1]]).sum())
        return WeightPath(parameter, stations, adds, tuple(self.factors(path, end)))

    def factors(self, path: PartialPath, end: Array) -> list[PathFactor]:
        """Return the factors of a path in the chosen row, from the parameter to J."""
        places: list[tuple[str, Index]] = [(self.segments[0].target[1:], self.index)]
        places += [
            (segment.source[1:], (self.row, unit)) for segment, unit in zip(self.segments, path.units, strict=True)
        ]
        values = [float(self.propagate_unit(0, (self.row, path.units[0]))[self.index])]
        for jacobian, (before, after) in zip(self.jacobians, pairwise(path.units), strict=True):
            values.append(jacobian.slope(after, before, self.row))
        found = [
            PathFactor(indexed_name(*of), indexed_name(*by), self.factor(number, of[1], by[1]), value)
            for number, ((by, of), value) in enumerate(zip(pairwise(places), values, strict=True))
        ]
        last = indexed_name(self.segments[-1].source, places[-1][1])
        return [*found, PathFactor(last, last, None, float(end[places[-1][1]]))]

    def factor(self, number: int, of: Index, by: Index) -> ast.expr | None:
        """Return a factor as an expression of the backward statement: the multiplier of one entry's gradient."""
        segment = self.segments[number]
        if len(segment.statements) != 1:
            return None
        seed = np.zeros_like(self.gradient(number))
        seed[of] = 1.0
        entries = EntryWriter(self.program, {**self.values, segment.source: seed})
        written = entries.entry(segment.statements[0].expression, by, numbers=False)
        wanted = ast.unparse(indexed_name(segment.source, of))
        found = [term for term in terms_of(written) if wanted in ast.unparse(term)] if written is not None else []
        return without(found[0], wanted) if len(found) == 1 else None


def extensions(path: PartialPath, jacobian: Jacobian) -> list[PartialPath]:
    """Extend a path by one layer, to every unit that it reaches."""
    moved = jacobian.push(path.units[-1], path.derivatives)
    reached = np.flatnonzero(np.abs(jacobian.slopes[..., path.units[-1]]).reshape(len(moved), -1).max(axis=1))
    return [PartialPath((*path.units, int(unit)), moved[unit]) for unit in reached]


def terms_of(node: ast.expr) -> list[ast.expr]:
    """Return the terms of a sum."""
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return [*terms_of(left), *terms_of(right)]
    return [node]


def without(node: ast.expr, leaf: str) -> ast.expr | None:
    """Return a product without one of its factors; None if it does not contain the factor.

    >>> ast.unparse(without(ast.parse("a * (b * c)", mode="eval").body, "c"))
    'a * b'
    """
    if ast.unparse(node) == leaf:
        return ast.Constant(1)
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            for one, other in ((left, right), (right, left)):
                rest = without(one, leaf)
                if rest is not None:
                    if is_one(rest):
                        return copy.deepcopy(other)
                    return ast.BinOp(rest, ast.Mult(), right) if one is left else ast.BinOp(left, ast.Mult(), rest)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            rest = without(left, leaf)
            return None if rest is None else ast.BinOp(rest, ast.Div(), right)
    return None


def is_one(node: ast.expr) -> bool:
    """Return whether an expression is the number 1."""
    return isinstance(node, ast.Constant) and node.value == 1
