"""Copying: functions taken out of their files, so that a script can stand by itself.

A method that only returns an expression, such as an initializer's or a schedule's, is told with its owner's
settings in place of ``self.…``.  A function that is not straight-line code is copied whole, with all that it uses.
"""

from __future__ import annotations

import ast
import copy
import csv
import inspect
import io
import math
import re
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from workings.errors import ProgramError
from workings.program.program import text_of
from workings.schedules import Constant, WarmUp, schedule_of
from workings.support.formulas import function_tree

MODULES = {"np": np, "math": math, "csv": csv, "io": io}  # that a script may use


def tree_of(function: Callable[..., Any], what: str) -> ast.FunctionDef:
    """The source of a function, as syntax.

    Raises
    ------
    ProgramError
        If there is no source, or it is no plain function.
    """
    tree = function_tree(function)
    if tree is None:
        raise ProgramError(
            f"{what} is no plain function (def name(…)) with source, so no script can be written with it."
        )
    return tree


def parsed(text: str) -> ast.expr:
    """A piece of code as syntax."""
    return ast.parse(text, mode="eval").body


class Settings(ast.NodeTransformer):
    """Puts settings in place of ``self.…``, and what they stand for in place of letters."""

    def __init__(self, owner: object, letters: Mapping[str, str], calls: Mapping[str, str]) -> None:
        self.owner, self.letters, self.calls = owner, letters, calls

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            value = getattr(self.owner, node.attr)
            return parsed(repr(value.item() if isinstance(value, np.generic) else value))
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return parsed(self.letters[node.id]) if node.id in self.letters else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple) and isinstance(node.slice, ast.Constant):
            return node.value.elts[node.slice.value]  # type: ignore[index]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if any(isinstance(inner, ast.Name) for inner in ast.walk(node.test)):
            return node
        decided = eval(compile(ast.Expression(node.test), "<setting>", "eval"), {"__builtins__": {}})
        return node.body if decided else node.orelse

    def visit_Call(self, node: ast.Call) -> ast.expr:
        known = self.calls.get(ast.unparse(node))
        if known is not None:
            return parsed(known)
        self.generic_visit(node)
        if ast.unparse(node.func) == "sum" and isinstance(node.args[0], ast.Tuple):
            return parsed(repr(sum(ast.literal_eval(node.args[0]))))
        return node


def with_settings(owner: Any, calls: Mapping[str, str] | None = None, **letters: str) -> ast.expr | None:
    """What calling an object returns, with its settings in place; None if that is more than one expression.

    >>> from workings.schedules import Step
    >>> ast.unparse(with_settings(Step(0.1, every=2), t="(step - 1)"))
    'float(0.1 * 0.5 ** ((step - 1) // 2))'
    """
    tree = tree_of(type(owner).__call__, repr(owner))
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return None
    value: ast.expr = Settings(owner, letters, calls or {}).visit(copy.deepcopy(body[0].value))
    return ast.fix_missing_locations(value)


def method_with_settings(owner: Any, name: str, told: str = "") -> str:
    """A whole method as a function, of its own name or another one, with its owner's settings in place."""
    tree = tree_of(getattr(type(owner), name), f"{type(owner).__name__}.{name}")
    tree = ast.fix_missing_locations(Settings(owner, {}, {}).visit(tree))
    tree.args.args = tree.args.args[1:]
    return without_annotations(tree, told or name)


def literal(value: Any) -> str:
    """A value as code, in double quotes where formatters want them.

    >>> print(literal(("a", "b")), literal('say "b"'))
    ("a", "b") 'say "b"'
    """
    text = repr(value)
    return text if '"' in text or "\\'" in text else text.replace("'", '"')


class Unannotated(ast.NodeTransformer):
    """Takes the annotations off assignments."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return node if node.value is None else ast.Assign([node.target], node.value)


def without_annotations(tree: ast.FunctionDef, name: str) -> str:
    """The source of a function under a name, without annotations and decorators."""
    tree = ast.fix_missing_locations(Unannotated().visit(tree))
    words = ast.get_docstring(tree)
    if words is not None:  # its first line: the rest is for those who have this library
        tree.body[0] = ast.Expr(ast.Constant(words.split("\n")[0]))
    tree.name, tree.returns, tree.decorator_list = name, None, []
    for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    return re.sub(r"(\w) \*\* (\w)", r"\1**\2", ast.unparse(tree)).replace("'", '"')


def meanings_in(function: Any) -> dict[str, Any]:
    """What a function uses from around it, by name; that of functions and comprehensions inside it, too."""
    used = inspect.getclosurevars(function)
    names = {name for code in codes_in(function.__code__) for name in code.co_names}
    inner = {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    return {**used.globals, **used.nonlocals, **inner}


def codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of what is defined in it."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from codes_in(inner)


class Copied:
    """Functions and constants that a script needs above its statements, each after what it uses."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.constants: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.modules: set[str] = set()

    def add(self, name: str, value: Any) -> None:
        """Copy what stands behind a name.

        Raises
        ------
        ProgramError
            For what cannot be copied, and for two things of one name.
        """
        if name in self.values:
            if self.values[name] is not value and self.values[name] != value:
                raise ProgramError(f"Two different things are called {name!r}: give one of them another name.")
            return
        self.values[name] = value
        if isinstance(value, np.ufunc):
            self.constants[name] = f"{name} = np.{value.__name__}"
        elif isinstance(value, types.ModuleType):
            self.add_module(name, value)
        elif isinstance(value, types.FunctionType):
            self.add_function(name, value)
        elif isinstance(value, (bool, int, float, str, tuple, list)):
            self.constants[name] = f"{name} = {literal(value)}"
        elif isinstance(value, np.ndarray):
            self.constants[name] = f"{name} = np.array({value.tolist()!r})"
        else:
            raise ProgramError(f"{name} is {type(value).__name__}, which no script can hold.")

    def add_module(self, name: str, module: types.ModuleType) -> None:
        """Note a module that is to be imported."""
        if MODULES.get(name) is not module:
            raise ProgramError(f"{name} is the module {module.__name__}: a script has NumPy (np) and math alone.")
        self.modules.add(name)

    def add_function(self, name: str, function: types.FunctionType) -> None:
        """Copy a function, after what it uses."""
        tree = tree_of(function, name)
        for free, value in meanings_in(function).items():
            if value is not function:
                self.add(free, value)
        self.functions[name] = without_annotations(tree, name)


def rate_with_settings(schedule: Any, copied: Copied, t: str) -> str:
    """The learning rate of a step as one expression; ``t`` is what counts the steps from 0.

    A schedule of somebody's own that is more than one expression is copied as a function called ``schedule``.
    """
    if isinstance(schedule, Constant):
        return repr(float(schedule.lr))
    if isinstance(schedule, WarmUp):
        then = rate_with_settings(schedule_of(schedule.then), copied, t)
        expression = with_settings(schedule, {"schedule_of(self.then)(t)": then}, t=t)
    elif isinstance(schedule, types.FunctionType):
        copied.add(schedule.__name__, schedule)
        return f"float({schedule.__name__}({t.strip('()')}))"
    else:
        expression = with_settings(schedule, t=t)
    if expression is None:
        for name, value in meanings_in(type(schedule).__call__).items():
            copied.add(name, value)
        copied.functions["schedule"] = method_with_settings(schedule, "__call__", "schedule")
        return f"float(schedule({t.strip('()')}))"
    return text_of(expression)
