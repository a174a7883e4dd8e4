"""Elementwise functions: rewrites the array functions that a program calls as functions of single numbers.

A formula may call a function that is not straight-line code, such as an error function with a loop over its
coefficients.  If its source contains only sums, products, elementwise functions and loops over constants,
each entry of its result depends on the same entry of its arguments, and it can be compiled for single
numbers.  Anything else is an error, which names the unsupported code.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from workings.errors import NotCompilableError
from workings.lowering.index_notation import COMPARISONS, ELEMENTWISE, OPERATORS
from workings.support.formulas import function_tree, meaning_of


def plain_function(name: str, function: Callable[..., object], reader: str = "The compiled engine") -> ast.FunctionDef:
    """Parse the source of a function.

    Raises
    ------
    NotCompilableError
        If there is no source, or it is not a plain Python function.
    """
    tree = function_tree(function)
    if tree is None or tree.decorator_list or not isinstance(function, types.FunctionType):
        why = "its source is not available" if tree is None else "it is not a plain Python function"
        raise NotCompilableError(f"{reader} cannot take {name}: {why}.")
    return tree


class Entrywise(ast.NodeTransformer):
    """Rewrites a function for single numbers.

    ``constant`` writes a number, and ``call`` the name of a function, in the target language; ``reader``
    names the target in error messages.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., object],
        constant: Callable[[float], str],
        call: Callable[[str, Callable[..., object] | None], str],
        reader: str = "The compiled engine",
    ) -> None:
        self.name, self.function, self.constant, self.call_name = name, function, constant, call
        self.reader = reader
        self.local_names: set[str] = set()

    def source(self) -> str:
        """Return the source of the function for single numbers, under the same name."""
        tree = plain_function(self.name, self.function, self.reader)
        arguments = [argument.arg for argument in tree.args.args]
        if tree.args.vararg or tree.args.kwarg or tree.args.kwonlyargs or tree.args.defaults:
            raise self.error(tree, "only arguments without defaults")
        assigned = (
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        self.local_names = {*arguments, *assigned}
        body = [inner for statement in tree.body for inner in self.statements(statement)]
        lines = [ast.unparse(ast.fix_missing_locations(statement)) for statement in body]
        return "\n".join([f"def {self.name}({', '.join(arguments)}):", *(f"    {line}" for line in lines)])

    def error(self, node: ast.AST, allowed: str) -> NotCompilableError:
        """Make the error that the function contains unsupported code."""
        return NotCompilableError(
            f"{self.reader} cannot take {self.name}: it contains `{ast.unparse(node).splitlines()[0]}`, but an "
            f"elementwise function may have {allowed}."
        )

    def statements(self, node: ast.stmt) -> list[ast.stmt]:
        """Rewrite one statement; a loop over constants is unrolled."""
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                return []
            case ast.Assign(targets=[ast.Name()], value=value) | ast.Return(value=ast.expr() as value):
                node.value = self.visit(value)
                return [node]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                node.value = ast.Tuple([self.visit(value) for value in values], ast.Load())
                return [node]
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                whole = ast.BinOp(ast.Name(name, ast.Load()), op, value)
                return self.statements(ast.Assign([ast.Name(name, ast.Store())], whole))
            case ast.For(target=ast.Name(id=name), iter=values, orelse=[]):
                return self.loop(name, values, node)
        raise self.error(node, "only assignments, loops over constants, and a return")

    def loop(self, name: str, values: ast.expr, node: ast.For) -> list[ast.stmt]:
        """Unroll a loop over constants."""
        try:
            match values:
                case ast.Call(func=ast.Name(id="range"), args=args):
                    numbers = list(range(*(ast.literal_eval(arg) for arg in args)))
                case _:
                    numbers = list(ast.literal_eval(values))
        except (ValueError, TypeError):
            raise self.error(node, "only loops over constants") from None
        lines: list[ast.stmt] = []
        for number in numbers:
            lines.append(ast.parse(f"{name} = {self.constant(float(number))}").body[0])
            for inner in node.body:
                lines += self.statements(ast.parse(ast.unparse(inner)).body[0])
        return lines

    def visit(self, node: ast.AST) -> Any:
        """Rewrite an expression; raise an error if it is not elementwise."""
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return ast.parse(self.constant(float(number)), mode="eval").body
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2 | 3 as power), left=left):
                return ast.Call(ast.Name(self.call_name(f"power{power}", None), ast.Load()), [self.visit(left)], [])
            case ast.BinOp(op=op) if type(op) in OPERATORS:
                return self.generic_visit(node)
            case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
                return self.generic_visit(node)
            case ast.UnaryOp(op=ast.USub()) | ast.USub() | ast.operator() | ast.cmpop() | ast.Load():
                return self.generic_visit(node)
            case ast.Name(id=name):
                return self.visit_name(node, name)
            case ast.Call(func=function, args=args, keywords=[]):
                return ast.Call(self.function_name(function), [self.visit(arg) for arg in args], [])
        raise self.error(node, "only sums, products and elementwise functions")

    def visit_name(self, node: ast.Name, name: str) -> ast.expr:
        """Rewrite a local variable, or a constant from outside the function."""
        if name in self.local_names:
            return node
        value = meaning_of(self.function, name)
        if isinstance(value, (bool, int, float)):
            return ast.parse(self.constant(float(value)), mode="eval").body
        raise self.error(node, "only local variables and constants")

    def function_name(self, function: ast.expr) -> ast.expr:
        """Rewrite the name of an elementwise function of NumPy, or of a function that can be rewritten, too."""
        match function:
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in ELEMENTWISE:
                return ast.Name(self.call_name(name, None), ast.Load())
            case ast.Name(id=name):
                value = meaning_of(self.function, name)
                if isinstance(value, (types.FunctionType, np.ufunc)):
                    return ast.Name(self.call_name(name, value), ast.Load())
        raise self.error(function, "only elementwise functions")
