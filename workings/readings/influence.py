"""Influence: how one weight acts on the objective, path by path.

The chain rule, followed forwards.  The backward statements say how the gradient of a layer's output becomes that of
its input; given a 1 in one place and 0 everywhere else they say how much that output moves with each input.
So every factor comes from the program's own statements, and the paths must add up to the gradient that the backward
pass has found on its own way; that is checked, and shown.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from workings.checks.gradients import in_float64, slope_along
from workings.engines.reference import Runner, Tracer
from workings.errors import InputError, ProgramError, unknown_name
from workings.program.program import Program, Statement
from workings.readings.entries import Entries, Index, at
from workings.support.arrays import Array

MOST_PATHS = 4096  # that are followed one by one; of more, the strongest
MOST_ROWS = 64  # for a layer that mixes rows, such as BatchNorm


@dataclass(frozen=True)
class Link:
    """One factor of a path in one row: how much a value moves with the one before it.

    ``names`` is the factor as syntax, with the names of the program; None where it is no single expression.
    """

    of: ast.expr
    by: ast.expr
    names: ast.expr | None
    value: float


@dataclass(frozen=True)
class Way:
    """One way from the parameter to J: the units that it passes, and what it adds to the gradient, all rows together.

    ``links`` are its factors in the chosen row, the last one ∂J/∂ of the network's last value.
    """

    parameter: str
    stations: tuple[str, ...]
    adds: float
    links: tuple[Link, ...]

    def __str__(self) -> str:
        return f"{' → '.join([self.parameter, *self.stations, 'J'])}: {self.adds:.6g}"


@dataclass(frozen=True, repr=False)
class Paths:
    """How one entry of a parameter acts on the objective; see :class:`workings.readings.explain.Influence`.

    Attributes
    ----------
    parameter : str
        The entry, such as ``W1[0,2]``.
    gradient, slope : float
        What the backward pass has found, and what finite differences measure.
    paths : tuple of Way
        The ways to J, the strongest first.
    rest : float
        What the paths that are not followed one by one add together; 0 where all are.
    penalty : float
        What a regularizer adds, which goes by no unit.
    row : int
        The row whose factors are written out.
    mixes : bool
        Whether a layer mixes rows, so that the factors of one row are not the whole.
    """

    program: Program
    parameter: str
    gradient: float
    slope: float
    paths: tuple[Way, ...]
    rest: float
    penalty: float
    row: int
    mixes: bool

    @property
    def total(self) -> float:
        """All paths together."""
        return sum(path.adds for path in self.paths) + self.rest + self.penalty


def influence(program: Program, values: Mapping[str, Any], why: str, row: int | None) -> Paths:
    """Follow one entry of a parameter to the objective; ``values`` are those of the step.

    Without a row, that one is written out to which the strongest way owes most.
    """
    parameter, index = entry_of(program, values, why)
    known = in_float64({**Tracer(program)(values)})
    route = Route(program, known, stations_of(program, f"d{parameter}"), index, row)
    paths, rest = route.ways(shown(parameter, index))
    measure = slope_along(Runner(program.needed_for("J"), ["J"], "objective"), in_float64(values), parameter)
    direction = np.zeros(np.shape(values[parameter]))
    direction[index] = 1.0
    left, right, _ = measure(direction, 1e-6)
    return Paths(
        program, shown(parameter, index), float(known[f"d{parameter}"][index]), (left + right) / 2,
        tuple(paths), rest, route.penalty(), route.row, route.mixes,
    )  # fmt: skip


def entry_of(program: Program, values: Mapping[str, Any], why: str) -> tuple[str, Index]:
    """Read ``"W1[0,2]"``."""
    found = re.fullmatch(r"\s*(\w+)\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]\s*", why) if isinstance(why, str) else None
    if found is None:
        raise InputError(f'why names one entry of a parameter, such as "{program.parameters[0]}[0,0]", not {why!r}.')
    parameter, index = found[1], tuple(int(place) for place in found[2].split(","))
    if parameter not in program.parameters:
        raise unknown_name("parameter", parameter, program.parameters)
    shape = np.shape(values[parameter])
    if len(index) != len(shape) or any(place >= size for place, size in zip(index, shape, strict=True)):
        raise InputError(f"{parameter} has shape {shape}, counted from 0: it has no entry {list(index)}.")
    return parameter, index


def shown(letters: str, index: Index) -> str:
    """A name and a place, as people write it."""
    return f"{letters}[{','.join(map(str, index))}]" if index else letters


@dataclass(frozen=True)
class Segment:
    """The backward statements between two stations: from the gradient of ``source`` to that of ``target``."""

    source: str
    target: str
    statements: tuple[Statement, ...]


def stations_of(program: Program, target: str) -> list[Segment]:
    """The stations that all of a gradient has passed, from the parameter to the end of the network."""
    backward = list(program.stage("backward"))
    flow = flowing(backward)
    segments: list[Segment] = []
    while target != backward[0].target:
        segment = last_segment(backward, flow, target)
        segments.append(segment)
        target = segment.source
    return segments


def flowing(backward: Sequence[Statement]) -> set[str]:
    """The names that the gradient passes through."""
    flow = {backward[0].target}
    for statement in backward[1:]:
        if statement.reads & flow:
            flow.add(statement.target)
    return flow


def last_segment(backward: Sequence[Statement], flow: set[str], target: str) -> Segment:
    """The nearest name through which everything goes that leads to ``target``."""
    end = next(number for number, statement in enumerate(backward) if statement.target == target)
    needed, kept = set(backward[end].reads), [backward[end]]
    for statement in reversed(backward[:end]):
        if statement.target in needed and needed & flow == {statement.target}:
            return Segment(statement.target, target, tuple(reversed(kept)))
        if statement.target in needed:
            needed = (needed - {statement.target}) | statement.reads
            kept.append(statement)
    raise ProgramError(f"The gradient of {target[1:]} does not come from that of the network's last value.")


@dataclass
class Jacobian:
    """How a station moves with the one before it.

    ``slopes`` has the shape (units after, rows, units before) where each row goes its own way, and
    (units after, rows after, rows before, units before) where a layer mixes rows.
    """

    slopes: Array

    @property
    def mixes(self) -> bool:
        """Whether rows act on each other."""
        return self.slopes.ndim == 4

    def push(self, unit: int, moves: Array) -> Array:
        """What the moves of one unit, of shape (rows,), make of all units after it: (units after, rows)."""
        of_unit = self.slopes[..., unit]
        return (of_unit * moves).sum(axis=-1) if self.mixes else of_unit * moves

    def push_all(self, moves: Array) -> Array:
        """The same for the moves of all units, (rows, units before): (rows, units after)."""
        return np.array(sum(self.push(unit, moves[:, unit]) for unit in range(moves.shape[1]))).T

    def slope(self, after: int, before: int, row: int) -> float:
        """One entry, within a row."""
        return float(self.slopes[after, row, row, before] if self.mixes else self.slopes[after, row, before])


@dataclass(frozen=True)
class Trail:
    """A way that is being followed: the units so far, and how the last one moves in each row."""

    units: tuple[int, ...]
    moves: Array


class Route:
    """From an entry of a parameter to the end of the network, with the values of the step."""

    def __init__(
        self, program: Program, values: Mapping[str, Any], segments: Sequence[Segment], index: Index, row: int | None
    ) -> None:
        self.program, self.values, self.segments, self.index = program, dict(values), segments, index
        self.row, self.is_chosen = row or 0, row is not None
        self.runners = [
            Runner(replace(program, statements=segment.statements), [segment.target], segment.target)
            for segment in segments
        ]
        self.still = [self.back(number, np.zeros_like(self.gradient(number))) for number in range(len(segments))]
        self.jacobians = [self.jacobian(number) for number in range(1, len(segments))]

    def gradient(self, number: int) -> Array:
        """The gradient where a segment begins on its way back."""
        return np.asarray(self.values[self.segments[number].source])

    def back(self, number: int, seed: Array) -> Array:
        """What a segment makes of a gradient."""
        (moved,) = self.runners[number]({**self.values, self.segments[number].source: seed})
        return np.asarray(moved, dtype=np.float64)

    def alone(self, number: int, place: Any) -> Array:
        """What a segment makes of a gradient that is 1 in some place and 0 elsewhere, without a regularizer's pull."""
        seed = np.zeros_like(self.gradient(number))
        seed[place] = 1.0
        return self.back(number, seed) - self.still[number]

    def penalty(self) -> float:
        """What a regularizer adds to the parameter's gradient."""
        return float(self.still[0][self.index])

    @property
    def mixes(self) -> bool:
        """Whether rows act on each other anywhere."""
        return any(jacobian.mixes for jacobian in self.jacobians)

    def jacobian(self, number: int) -> Jacobian:
        """How the station at the end of a segment moves with the one at its beginning."""
        rows, units = self.gradient(number).shape
        if self.is_mixing(number):
            if rows > MOST_ROWS:
                raise InputError(
                    f"A layer mixes rows, so paths can be followed for {MOST_ROWS} rows at most, not {rows}."
                )
            return Jacobian(np.array([[self.alone(number, (r, u)) for r in range(rows)] for u in range(units)]))
        return Jacobian(np.array([self.alone(number, np.s_[:, unit]) for unit in range(units)]))

    def is_mixing(self, number: int) -> bool:
        """Whether one row of a gradient changes another row of what a segment makes of it."""
        gradient = self.gradient(number)
        seed = np.zeros_like(gradient)
        seed[0] = np.random.default_rng(0).uniform(0.5, 1.5, gradient.shape[1])  # nothing cancels by chance
        return bool(np.abs(self.back(number, seed) - self.still[number])[1:].max(initial=0) > 0)

    def first(self) -> list[Trail]:
        """The units that the parameter acts on at once, and how they move with it in each row."""
        rows, units = self.gradient(0).shape
        seed = np.random.default_rng(0).uniform(0.5, 1.5, rows)
        trails = []
        for unit in range(units):
            column = np.zeros((rows, units))
            column[:, unit] = seed
            if (self.back(0, column) - self.still[0])[self.index] != 0:
                trails.append(Trail((unit,), np.array([self.alone(0, (r, unit))[self.index] for r in range(rows)])))
        return trails

    def ways(self, parameter: str) -> tuple[list[Way], float]:
        """All ways to J with what each adds; of very many, the strongest, and what the others add together."""
        trails = self.first()
        moves = np.zeros_like(self.gradient(0))
        for trail in trails:
            moves[:, trail.units[-1]] += trail.moves
        followed_all = True
        for jacobian in self.jacobians:
            onward = [after for trail in trails for after in steps_of(trail, jacobian)]
            trails = sorted(onward, key=lambda trail: -float(np.abs(trail.moves).sum()))[:MOST_PATHS]
            followed_all = followed_all and len(trails) == len(onward)
            moves = jacobian.push_all(moves)
        end = self.gradient(len(self.segments) - 1)
        trails.sort(key=lambda trail: -abs(float((trail.moves * end[:, trail.units[-1]]).sum())))
        if trails and not self.is_chosen:
            self.row = int(np.abs(trails[0].moves * end[:, trails[0].units[-1]]).argmax())
        ways = [self.way(parameter, trail, end) for trail in trails]
        rest = float((moves * end).sum()) - sum(way.adds for way in ways)
        return ways, 0.0 if followed_all else rest

    def way(self, parameter: str, trail: Trail, end: Array) -> Way:
        """A trail that has come to its end, with its factors in the chosen row."""
        letters = [segment.source[1:] for segment in self.segments]
        stations = tuple(f"{name}[·,{unit}]" for name, unit in zip(letters, trail.units, strict=True))
        adds = float((trail.moves * end[:, trail.units[-1]]).sum())
        return Way(parameter, stations, adds, tuple(self.links(trail, end)))

    def links(self, trail: Trail, end: Array) -> list[Link]:
        """The factors of a way in the chosen row, from the parameter to J."""
        places: list[tuple[str, Index]] = [(self.segments[0].target[1:], self.index)]
        places += [
            (segment.source[1:], (self.row, unit)) for segment, unit in zip(self.segments, trail.units, strict=True)
        ]
        values = [float(self.alone(0, (self.row, trail.units[0]))[self.index])]
        for jacobian, (before, after) in zip(self.jacobians, pairwise(trail.units), strict=True):
            values.append(jacobian.slope(after, before, self.row))
        found = [
            Link(at(*of), at(*by), self.factor(number, of[1], by[1]), value)
            for number, ((by, of), value) in enumerate(zip(pairwise(places), values, strict=True))
        ]
        last = at(self.segments[-1].source, places[-1][1])
        return [*found, Link(last, last, None, float(end[places[-1][1]]))]

    def factor(self, number: int, of: Index, by: Index) -> ast.expr | None:
        """A factor as the backward statement says it: what the gradient of one entry is multiplied by."""
        segment = self.segments[number]
        if len(segment.statements) != 1:
            return None
        seed = np.zeros_like(self.gradient(number))
        seed[of] = 1.0
        entries = Entries(self.program, {**self.values, segment.source: seed})
        written = entries.written(segment.statements[0].expression, by, numbers=False)
        wanted = ast.unparse(at(segment.source, of))
        found = [term for term in terms_of(written) if wanted in ast.unparse(term)] if written is not None else []
        return without(found[0], wanted) if len(found) == 1 else None


def steps_of(trail: Trail, jacobian: Jacobian) -> list[Trail]:
    """A trail, one station further, by every unit that it can reach."""
    moved = jacobian.push(trail.units[-1], trail.moves)
    reached = np.flatnonzero(np.abs(jacobian.slopes[..., trail.units[-1]]).reshape(len(moved), -1).max(axis=1))
    return [Trail((*trail.units, int(unit)), moved[unit]) for unit in reached]


def terms_of(node: ast.expr) -> list[ast.expr]:
    """The terms of a sum."""
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return [*terms_of(left), *terms_of(right)]
    return [node]


def without(node: ast.expr, leaf: str) -> ast.expr | None:
    """A product without one of its factors; None if the factor is not one of them.

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
    """Whether a piece of syntax is the number 1."""
    return isinstance(node, ast.Constant) and node.value == 1
