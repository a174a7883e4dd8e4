"""Structures: everything about a program that its generated source depends on, as a key.

Two programs with equal structures have the same source, so that a source is written once, however many networks have
the structure.  The values of constants such as a penalty are not part of it.  The code generator gets only the program
that ``Structure.program`` makes of the key, so nothing outside the key can influence the source.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from workings.program.program import Program, Stage, Statement
from workings.support.formulas import meaning_of


@dataclass(frozen=True)
class FunctionKey:
    """A function that a program calls: its code, and the values that its free names have now.

    Two functions are equal if both are.  ``function`` itself is not compared.
    """

    code: object
    free: tuple[tuple[str, object], ...]
    function: Callable[..., object] = field(compare=False)


@dataclass(frozen=True)
class Structure:
    """The statements of a program and its names; of constants only the names, of functions their code."""

    statements: tuple[tuple[str, str, Stage], ...]
    names: tuple[tuple[str, ...], ...]
    constants: tuple[str, ...]
    functions: tuple[tuple[str, FunctionKey], ...]

    def program(self) -> Program:
        """Return a program with this structure."""
        statements = tuple(Statement(target, text, stage, "", "") for target, text, stage in self.statements)
        functions = {name: key.function for name, key in self.functions}
        parameters, statistics, states, draws = self.names
        constants = dict.fromkeys(self.constants, 0.0)
        return Program(statements, parameters, statistics, states, draws, constants, functions)


def structure_of(program: Program) -> Structure:
    """Return the structure of a program."""
    statements = tuple((s.target, s.expression, s.stage) for s in program.statements)
    names = (program.parameters, program.statistics, program.states, program.draws)
    functions = tuple((name, function_key(function)) for name, function in program.functions.items())
    return Structure(statements, names, tuple(program.constants), functions)


def function_key(function: Callable[..., object], callers: tuple[object, ...] = ()) -> FunctionKey:
    """Return the key of a function: with the numbers and functions that it reads, recursively."""
    if not isinstance(function, types.FunctionType):
        return FunctionKey(Identity(function), (), function)
    callers = (*callers, function)
    free = tuple((name, free_value(function, name, callers)) for name in free_names(function.__code__))
    return FunctionKey((function.__code__, repr(function.__defaults__)), free, function)


@lru_cache(maxsize=1024)
def free_names(code: types.CodeType) -> tuple[str, ...]:
    """Return the names that a function's code may read from outside."""
    return (*code.co_names, *code.co_freevars)


def free_value(function: Callable[..., object], name: str, callers: tuple[object, ...]) -> object:
    """Return what a name stands for in a function: a number, the key of a function, or an object's identity."""
    value = meaning_of(function, name)
    if isinstance(value, types.FunctionType):
        return callers.index(value) if value in callers else function_key(value, callers)
    return repr(value) if isinstance(value, (bool, int, float)) else Identity(value)


class Identity:
    """A key that is equal for the same object only; it keeps the object in memory."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
