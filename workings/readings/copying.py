"""Copy functions into generated scripts, so that the scripts do not need this library.

A method that only returns an expression, as in an initializer or a schedule, is inlined, with its
owner's settings in place of ``self.…``.  A function that is not straight-line code is copied with everything
that it uses.
"""

from __future__ import annotations

import ast
import copy
import csv
import datetime
import inspect
import io
import math
import re
import types
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from workings.errors import ProgramError
from workings.program.program import text_of
from workings.schedules import Constant, WarmUp, schedule_of
from workings.support.formulas import function_tree

MODULES = {
    "np": np,
    "math": math,
    "csv": csv,
    "datetime": datetime,
    "io": io,
    "re": re,
    "unicodedata": unicodedata,
}  # modules that a script may import
LONGEST_LINE = 88  # of ruff and Black, with their usual settings


def tree_of(function: Callable[..., object], what: str) -> ast.FunctionDef:
    """Return the syntax tree of a function.

    Raises
    ------
    ProgramError
        If there is no source, or it is not a plain function.
    """
    tree = function_tree(function)
    if tree is None:
        raise ProgramError(
            f"{what} is not a plain function (def name(…)) with available source, so a script cannot contain it."
        )
    return tree


def parse(text: str) -> ast.expr:
    """Parse an expression."""
    return ast.parse(text, mode="eval").body


class SettingsInliner(ast.NodeTransformer):
    """Replaces ``self.…`` by the owner's settings, and names by expressions."""

    def __init__(self, owner: object, letters: Mapping[str, str], calls: Mapping[str, str]) -> None:
        self.owner, self.letters, self.calls = owner, letters, calls

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            value = getattr(self.owner, node.attr)
            return parse(repr(value.item() if isinstance(value, np.generic) else value))
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return parse(self.letters[node.id]) if node.id in self.letters else node

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
            return parse(known)
        self.generic_visit(node)
        if ast.unparse(node.func) == "sum" and isinstance(node.args[0], ast.Tuple):
            return parse(repr(sum(ast.literal_eval(node.args[0]))))
        return node


def inlined_call(owner: object, calls: Mapping[str, str] | None = None, **letters: str) -> ast.expr | None:
    """Return the expression of an object's ``__call__`` with its settings inlined; None if it is not one expression.

    >>> from workings.schedules import Step
    >>> ast.unparse(inlined_call(Step(0.1, every=2), t="(step - 1)"))
    'float(0.1 * 0.5 ** ((step - 1) // 2))'
    """
    tree = tree_of(type(owner).__call__, repr(owner))
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return None
    value: ast.expr = SettingsInliner(owner, letters, calls or {}).visit(copy.deepcopy(body[0].value))
    return ast.fix_missing_locations(value)


def inlined_method(owner: object, name: str, new_name: str = "") -> str:
    """Return a method as the source of a function, with its owner's settings inlined."""
    tree = tree_of(getattr(type(owner), name), f"{type(owner).__name__}.{name}")
    tree = ast.fix_missing_locations(SettingsInliner(owner, {}, {}).visit(tree))
    tree.args.args = tree.args.args[1:]
    return without_annotations(tree, new_name or name)


def constant_text(name: str, value: bool | int | float | str | tuple[Any, ...] | list[Any]) -> str:
    """Return an assignment as code, with an entry on each line if one line is too long for formatters.

    >>> print(constant_text("MARKS", ("-" * 40, "." * 40)))
    MARKS = (
        "----------------------------------------",
        "........................................",
    )
    """
    line = f"{name} = {literal(value)}"
    if isinstance(value, (bool, int, float, str)) or len(line) <= LONGEST_LINE:
        return line
    begin, end = "()" if isinstance(value, tuple) else "[]"
    return "\n".join([f"{name} = {begin}", *(f"    {literal(entry)}," for entry in value), end])


def literal(value: object) -> str:
    """Return a value as code, with the double quotes that formatters use.

    >>> print(literal(("a", "b")), literal('say "b"'))
    ("a", "b") 'say "b"'
    """
    text = repr(value)
    return text if '"' in text or "\\'" in text else text.replace("'", '"')


class AnnotationRemover(ast.NodeTransformer):
    """Removes annotations from assignments."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return node if node.value is None else ast.Assign([node.target], node.value)


def without_annotations(tree: ast.FunctionDef, name: str) -> str:
    """Return the source of a function under a name, without annotations and decorators."""
    tree = ast.fix_missing_locations(AnnotationRemover().visit(tree))
    words = ast.get_docstring(tree)
    if words is not None:  # keep only the first line; the rest refers to this library
        tree.body[0] = ast.Expr(ast.Constant(words.split("\n")[0]))
    tree.name, tree.returns, tree.decorator_list = name, None, []
    for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs):
        argument.annotation = None
    return re.sub(r"(\w) \*\* (\w)", r"\1**\2", ast.unparse(tree)).replace("'", '"')


def names_used(function: Callable[..., object]) -> dict[str, object]:
    """Return the global and closure values that a function uses, including those of nested functions."""
    used = inspect.getclosurevars(function)
    names = {name for code in nested_code(function.__code__) for name in code.co_names}
    inner = {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    return {**used.globals, **used.nonlocals, **inner}


def nested_code(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield the code objects nested in a function's code."""
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from nested_code(inner)


class CopiedCode:
    """Functions and constants that a script needs before its statements, each after its dependencies."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.constants: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.modules: set[str] = set()

    def add(self, name: str, value: object) -> None:
        """Copy the value of a name.

        Raises
        ------
        ProgramError
            For a value that cannot be copied, and for two different values with the same name.
        """
        if name in self.values:
            if self.values[name] is not value and self.values[name] != value:
                raise ProgramError(f"Two different values are named {name!r}: rename one of them.")
            return
        self.values[name] = value
        if isinstance(value, np.ufunc):
            self.constants[name] = f"{name} = np.{value.__name__}"
        elif isinstance(value, types.ModuleType):
            self.add_module(name, value)
        elif isinstance(value, types.FunctionType):
            self.add_function(name, value)
        elif isinstance(value, (bool, int, float, str, tuple, list)):
            self.constants[name] = constant_text(name, value)
        elif isinstance(value, np.ndarray):
            self.constants[name] = f"{name} = np.array({value.tolist()!r})"
        else:
            raise ProgramError(f"{name} is of type {type(value).__name__}, which a script cannot contain.")

    def add_module(self, name: str, module: types.ModuleType) -> None:
        """Record a module to import."""
        if MODULES.get(name) is not module:
            raise ProgramError(
                f"{name} is the module {module.__name__}: a script can only import NumPy (as np), csv, datetime, io, "
                f"math, re and unicodedata."
            )
        self.modules.add(name)

    def add_function(self, name: str, function: types.FunctionType) -> None:
        """Copy a function after its dependencies."""
        tree = tree_of(function, name)
        for free, value in names_used(function).items():
            if value is not function:
                self.add(free, value)
        self.functions[name] = without_annotations(tree, name)


def rate_expression(schedule: object, copied: CopiedCode, t: str) -> str:
    """Return the learning rate of a step as one expression; ``t`` is the number of the step, from 0.

    A user-defined schedule that is not a single expression is copied as a function named ``schedule``.
    """
    if isinstance(schedule, Constant):
        return repr(float(schedule.lr))
    if isinstance(schedule, WarmUp):
        then = rate_expression(schedule_of(schedule.then), copied, t)
        expression = inlined_call(schedule, {"schedule_of(self.then)(t)": then}, t=t)
    elif isinstance(schedule, types.FunctionType):
        copied.add(schedule.__name__, schedule)
        return f"float({schedule.__name__}({t.strip('()')}))"
    else:
        expression = inlined_call(schedule, t=t)
    if expression is None:
        for name, value in names_used(type(schedule).__call__).items():
            copied.add(name, value)
        copied.functions["schedule"] = inlined_method(schedule, "__call__", "schedule")
        return f"float(schedule({t.strip('()')}))"
    return text_of(expression)
