"""Loops in C: the statements of a program as C99, for one row.

The statements become operations on single entries (``engines/operations.py``), as for the compiled engine, and each
operation becomes one loop that a person can read.  No formula is known here, only what each elementwise function of
NumPy is called in C.  A function that the program brings is written as a function of single numbers, if its source
shows that it is one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workings.errors import NotCompilableError
from workings.lowering.elementwise import Entrywise
from workings.lowering.index_notation import (
    COMPARISONS,
    OPERATORS,
    Apply,
    Axis,
    Dim,
    Leaf,
    Lowering,
    Number,
    Operation,
    Tree,
)
from workings.program.program import Program
from workings.support.arrays import Array

INDENT = "    "
IN_LINE = 6  # numbers on a line
LETTERS = {"a": "i", "b": "j", "c": "k"}
INFIX = {*OPERATORS.values()} - {"**"}
IS_TRUTH = frozenset(COMPARISONS.values())
# fmt: off
CALLED = {  # NumPy's name -> that of <math.h>
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "tanh": "tanh", "sqrt": "sqrt", "abs": "fabs",
    "absolute": "fabs", "maximum": "fmax", "minimum": "fmin", "sin": "sin", "cos": "cos", "tan": "tan",
    "sinh": "sinh", "cosh": "cosh", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "exp2": "exp2", "log2": "log2", "log10": "log10",
    "cbrt": "cbrt", "floor": "floor", "ceil": "ceil", "power": "pow", "**": "pow", "hypot": "hypot",
}
HELPERS = {  # what <math.h> has not: its arguments and its value
    "sign": ("x", "({real})((x > 0) - (x < 0))"),
    "heaviside": ("x, h", "x > 0 ? 1 : (x < 0 ? 0 : h)"),
    "square": ("x", "x * x"),
    "power2": ("x", "x * x"),
    "power3": ("x", "x * x * x"),
    "reciprocal": ("x", "1 / x"),
    "clip": ("x, low, high", "x < low ? low : (x > high ? high : x)"),
}
KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "main", "numbers",
    "categories", "i", "j", "k", "sum", "most", "x", "p", "isnan", "NAN", "INFINITY", "y0", "y1", "yn", "j0", "j1",
    "jn", "gamma", "lgamma", "tgamma", "erf", "erfc", "fma", "fmaf",
)) | frozenset(CALLED.values()) | frozenset(f"{name}f" for name in CALLED.values())
# fmt: on


@dataclass
class Parts:
    """What the loops need above them: functions and arrays of fixed numbers, each written once."""

    prefix: str
    functions: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """All of it, in the order in which it was needed."""
        return [*self.arrays.values(), *self.functions.values()]


@dataclass
class Loops:
    """Writes one program as C.

    Parameters
    ----------
    program : Program
    given : mapping of str to shape
        The names that the C function is given, with ``"n"`` for the one row.
    fixed : mapping of str to array
        The numbers that stand in the file.
    real : str
        ``"double"`` or ``"float"``.
    parts : Parts
    bytes_of : mapping of str to (array of int8, scale of each column)
        The matrices that stand in the file as bytes.
    results : tuple of str
        The arrays for which the C function is given room.
    names : mapping of str to str
        What some arrays are called in C.
    """

    program: Program
    given: Mapping[str, tuple[Dim, ...]]
    fixed: Mapping[str, Array]
    real: str
    parts: Parts
    bytes_of: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dims: dict[str, tuple[Dim, ...]] = {**self.given, **dict.fromkeys(self.program.constants, ())}
        dims |= {name: array.shape for name, array in self.fixed.items()}
        self.lowering = Lowering(self.program, dims, reader="C")
        self.lowering.run()

    def written(self) -> list[str]:
        """The loops, in the order of the statements, each statement above its own as a comment."""
        lines: list[str] = []
        said = ""
        for operation in self.lowering.operations:
            if operation.statement != said:
                said = operation.statement
                lines += [f"/* {said.replace('*/', '* /')} */"]
            lines += self.loop(operation)
        return lines

    # -- names and numbers -------------------------------------------------------------------

    def name(self, wanted: str) -> str:
        """What an array is called in C."""
        if wanted not in self.names:
            plain = wanted.replace(".", "_")
            while plain in KEYWORDS or plain in self.names.values():
                plain += "_"
            self.names[wanted] = plain
        return self.names[wanted]

    def number(self, value: float) -> str:
        """A number in the precision of the file."""
        return number(float(value), self.real)

    def axes(self, operation: Operation, axes: Sequence[Axis]) -> list[str]:
        """The axes along which there is more than one entry of a row."""
        return [axis for axis in axes if isinstance(axis, str) and isinstance(operation.dims.get(axis), int)]

    # -- loops -------------------------------------------------------------------------------

    def loop(self, operation: Operation) -> list[str]:
        """One operation: its room, if it needs some, and its loop."""
        if any(operation.dims.get(axis) == "n" for axis in operation.over):
            raise self.refusal(operation, "it takes several rows together, and C predicts one row after the other")
        out = self.axes(operation, operation.out)
        target = self.name(operation.target)
        lengths = "".join(f"[{operation.dims[axis]}]" for axis in out)
        place = target + "".join(f"[{LETTERS[axis]}]" for axis in out)
        lines = [] if operation.target in self.results else [f"{self.real} {target}{lengths};"]
        body = self.body(operation, place)
        if lines and not out and len(body) == 1:
            return [f"{self.real} {body[0]}"]
        if not out and len(body) > 1:  # its own room, as the body of a loop has
            body = ["{", *(INDENT + line for line in body), "}"]
        return lines + self.around(operation, out, body)

    def around(self, operation: Operation, axes: Sequence[str], body: list[str]) -> list[str]:
        """Loops along axes around some lines."""
        for axis in reversed(axes):
            i = LETTERS[axis]
            body = [
                f"for (int {i} = 0; {i} < {operation.dims[axis]}; {i}++) {{", *(INDENT + line for line in body), "}",
            ]  # fmt: skip
        return body

    def body(self, operation: Operation, place: str) -> list[str]:
        """What is done for one entry of the result."""
        tree, scale = self.without_scale(operation)
        value = self.text(tree, operation)
        if operation.kind == "map":
            return [f"{place} = {bare(value)};"]
        over = self.axes(operation, operation.over)
        if operation.kind == "sum":
            lines = self.around(operation, over, [self.added(tree, value, operation)])
            return [f"{self.real} sum = 0;", *lines, f"{place} = sum{scale};"]
        called = self.math("fmax")
        lines = self.around(operation, over, [f"most = {called}(most, {value});"])
        return [f"{self.real} most = -INFINITY;", *lines, f"{place} = most;"]

    def added(self, tree: Tree, value: str, operation: Operation) -> str:
        """One more term of a sum.

        In single precision a product is rounded together with the sum, as the BLAS behind NumPy does, so that both
        give the same last bits most of the time.
        """
        if self.real == "float" and operation.is_product and isinstance(tree, Apply):
            left, right = (bare(self.text(arg, operation)) for arg in tree.args)
            return f"sum = fmaf({left}, {right}, sum);"
        return f"sum += {bare(value)};"

    def without_scale(self, operation: Operation) -> tuple[Tree, str]:
        """For a product with a matrix of bytes: the scale of its column is taken out of the sum."""
        tree = operation.tree
        if operation.is_product and isinstance(tree, Apply):
            left, right = tree.args
            if isinstance(right, Leaf) and right.name in self.bytes_of and right.axes[1] in operation.out:
                index = f"[{LETTERS[str(right.axes[1])]}]"
                return Apply("*", (left, replace(right, name=f"bytes of {right.name}"))), (
                    f" * {self.array(f'{right.name}_scale', self.bytes_of[right.name][1])}{index}"
                )
        return tree, ""

    # -- expressions -------------------------------------------------------------------------

    def text(self, tree: Tree, operation: Operation) -> str:
        """One entry as an expression."""
        if isinstance(tree, Number):
            return self.number(tree.value)
        if isinstance(tree, Leaf):
            return self.entry(tree, operation)
        given = [self.text(arg, operation) for arg in tree.args]
        if tree.head == "where":
            chosen = tree.args[0]
            asked = given[0] if isinstance(chosen, Apply) and chosen.head in IS_TRUTH else f"{given[0]} != 0"
            return f"({asked.removeprefix(f'({self.real})')} ? {given[1]} : {given[2]})"
        return self.applied(tree.head, given, operation)

    def entry(self, leaf: Leaf, operation: Operation) -> str:
        """One entry of an array, or a number."""
        if leaf.name.startswith("size."):
            raise self.refusal(operation, "it asks for the number of rows, and C predicts one row after the other")
        if leaf.name in self.program.constants:
            return self.number(self.program.constants[leaf.name])
        index = "".join(f"[{LETTERS[axis]}]" for axis in self.axes(operation, leaf.axes))
        bare = leaf.name.removeprefix("bytes of ")
        if bare in self.bytes_of:
            entry = f"{self.array(bare, self.bytes_of[bare][0])}{index}"
            if bare != leaf.name:
                return entry
            column = self.axes(operation, leaf.axes[1:])
            scale = self.array(f"{bare}_scale", self.bytes_of[bare][1])
            return f"({entry} * {scale}{''.join(f'[{LETTERS[axis]}]' for axis in column) or '[0]'})"
        if leaf.name in self.fixed:
            return self.array(leaf.name, self.fixed[leaf.name]) + index
        return self.name(leaf.name) + index

    def array(self, name: str, values: Array) -> str:
        """The name of an array of fixed numbers, which is written above."""
        known = f"{self.parts.prefix}_{name}"
        if known not in self.parts.arrays:
            self.parts.arrays[known] = fixed_array(known, values, self.real)
        return known

    def applied(self, head: str, args: list[str], operation: Operation) -> str:
        """A function of entries."""
        head = head.removeprefix("call ")
        function = self.program.functions.get(head)
        if isinstance(function, np.ufunc):
            head, function = function.__name__, None
        if head in IS_TRUTH:
            return f"({self.real})({args[0]} {head} {args[1]})"
        if head in INFIX:
            return f"({args[0]} {head} {args[1]})"
        if head == "neg":
            return f"(-{args[0]})"
        if head == "**" and args[1] in (self.number(2), self.number(3)):
            return f"{self.helper('power2' if args[1] == self.number(2) else 'power3')}({args[0]})"
        if head in CALLED:
            return f"{self.math(CALLED[head])}({', '.join(args)})"
        if head in HELPERS:
            return f"{self.helper(head)}({', '.join(args)})"
        if function is None:
            raise self.refusal(operation, f"np.{head} has no counterpart in <math.h>")
        return f"{self.function(head, function)}({', '.join(args)})"

    def refusal(self, operation: Operation, why: str) -> NotCompilableError:
        """Say which statement cannot be written, and why."""
        return NotCompilableError(f"C cannot take `{operation.statement}`: {why}.")

    # -- functions ---------------------------------------------------------------------------

    def math(self, name: str) -> str:
        """A function of <math.h> in the precision of the file."""
        return f"{name}f" if self.real == "float" else name

    def helper(self, name: str) -> str:
        """A small function that <math.h> has not."""
        known = f"{self.parts.prefix}_{name}" + ("" if self.real == "double" else "f")
        letters, value = HELPERS[name]
        arguments = ", ".join(f"{self.real} {letter}" for letter in letters.split(", "))
        body = value.format(real=self.real)
        self.parts.functions.setdefault(
            known, f"static {self.real} {known}({arguments})\n{{\n{INDENT}return {body};\n}}\n"
        )
        return known

    def function(self, name: str, function: Any) -> str:
        """A function that the program brings, as a function of single numbers."""
        known = f"{self.parts.prefix}_{name}" + ("" if self.real == "double" else "f")
        if known not in self.parts.functions:
            self.parts.functions[known] = Scalar(self, name, function).written(known)
        return known


class Scalar:
    """Writes a function of single numbers, whose source is straight-line code and loops over constants."""

    def __init__(self, loops: Loops, name: str, function: Any) -> None:
        self.loops = loops
        self.functions: dict[str, Any] = {}
        source = Entrywise(name, function, lambda value: repr(float(value)), self.called, "C").source()
        self.tree = ast.parse(source).body[0]
        assert isinstance(self.tree, ast.FunctionDef)
        self.locals: dict[str, str] = {}

    def called(self, name: str, given: Any) -> str:
        """Note a function that is called; its name stays."""
        self.functions[name] = given
        return name

    def written(self, known: str) -> str:
        """The function in C."""
        assert isinstance(self.tree, ast.FunctionDef)
        real = self.loops.real
        arguments = [self.local(argument.arg) for argument in self.tree.args.args]
        body = [line for statement in self.tree.body for line in self.statement(statement)]
        head = f"static {real} {known}({', '.join(f'{real} {argument}' for argument in arguments)})"
        others = [name for name in self.locals.values() if name not in arguments]
        lines = [f"{real} {', '.join(others)};", *body] if others else body
        return "\n".join([head, "{", *(INDENT + line for line in lines), "}", ""])

    def local(self, name: str) -> str:
        """A letter of the function in C."""
        return self.locals.setdefault(name, f"{name}_" if name in KEYWORDS else name)

    def statement(self, node: ast.stmt) -> list[str]:
        """One statement; of several assignments at once, all right sides are computed first."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text = self.expression(value)
                return [f"{self.local(name)} = {bare(text)};"]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                texts = [self.expression(value) for value in values]
                news = [self.local(f"new_{name.id}") for name in names if isinstance(name, ast.Name)]
                olds = [self.local(name.id) for name in names if isinstance(name, ast.Name)]
                return [f"{a} = {b};" for a, b in zip([*news, *olds], [*texts, *news], strict=True)]
            case ast.Return(value=ast.expr() as value):
                return [f"return {bare(self.expression(value))};"]
        raise NotCompilableError(f"C cannot take `{ast.unparse(node)}`.")

    def expression(self, node: ast.expr) -> str:
        """An expression of single numbers."""
        functions = {**self.loops.program.functions, **self.functions}
        lowering = Lowering(Program((), functions=functions), dict.fromkeys(self.locals, ()), reader="C")
        tree = lowering.value(node).tree
        here = Operation("", (), (), {}, "map", tree, statement=ast.unparse(node))
        inner = Loops(Program((), functions=functions), {}, {}, self.loops.real, self.loops.parts)
        inner.names = dict(self.locals)
        return inner.text(tree, here)


# -- numbers ---------------------------------------------------------------------------------


def number(value: float, real: str) -> str:
    """A number as C writes it.

    >>> number(0.5, "double"), number(-2.0, "float"), number(float("nan"), "double")
    ('0.5', '(-2.0f)', 'NAN')
    """
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"
    text = repr(value) + ("f" if real == "float" else "")
    return f"({text})" if value < 0 else text


def bare(text: str) -> str:
    """An expression without the parentheses around all of it.

    >>> bare("((a + b) * c)"), bare("(a + b) * (c + d)")
    ('(a + b) * c', '(a + b) * (c + d)')
    """
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return text[1:-1] if text.startswith("(") and place == len(text) - 1 else text
    return text


def plain_number(value: Any, real: str) -> str:
    """An entry of an array of fixed numbers, as short as it can be read back to the same bits."""
    if isinstance(value, np.integer):
        return str(int(value))
    text = repr(value.item()) if value.dtype == np.float64 else str(value)
    if not np.isfinite(value):
        return number(float(value), real)
    text = text if any(sign in text for sign in ".e") else f"{text}.0"
    return f"{text}f" if real == "float" else text


def fixed_array(name: str, values: Array, real: str) -> str:
    """An array of fixed numbers; dimensions of one entry are left out.

    >>> print(fixed_array("net_b1", np.array([0.5, 2.0]), "double"))
    static const double net_b1[2] = {
        0.5, 2.0
    };
    <BLANKLINE>
    """
    kind = "signed char" if values.dtype == np.int8 else real
    shape = [size for size in values.shape if size != 1]
    rows = values.reshape(shape) if shape else values.reshape(1)
    if not shape:
        return f"static const {kind} {name} = {plain_number(rows[0], real)};\n"
    lengths = "".join(f"[{size}]" for size in shape)
    return f"static const {kind} {name}{lengths} = {{\n{entries(rows, real)}\n}};\n"


def entries(values: Array, real: str) -> str:
    """The entries of an array of one or more dimensions, set in."""
    if values.ndim == 1:
        texts = [plain_number(value, real) for value in values]
        lines = [", ".join(texts[start : start + IN_LINE]) for start in range(0, len(texts), IN_LINE)]
        return ",\n".join(INDENT + line for line in lines)
    rows = [entries(row, real).strip() for row in values]
    return ",\n".join(f"{INDENT}{{{row}}}" for row in rows)
