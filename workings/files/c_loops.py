"""Generate C99 loops from the statements of a program, for one row.

The statements are lowered to index notation (``lowering/index_notation.py``), as for the compiled engine, and
each operation becomes one readable loop.  This module contains no formulas, only the C names of NumPy's
elementwise functions, and C's definitions of those that C lacks or defines otherwise: NumPy's maximum,
minimum and sign of NaN are NaN, but not in C.  A function of the program becomes a C function of
scalars, if its source is elementwise.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workings.errors import NotCompilableError
from workings.lowering.elementwise import Entrywise
from workings.lowering.index_notation import (
    COMPARISONS,
    ELEMENTWISE,
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
NUMBERS_PER_LINE = 6
READABLE = 10_000  # larger arrays are written as bytes, which compilers read ten times faster than numbers
BYTES_PER_LINE = 2_000  # C99 promises string literals of 4,095 characters
LETTERS = {"a": "i", "b": "j", "c": "k"}
INFIX = {*OPERATORS.values()} - {"**"}
COMPARISON_OPERATORS = frozenset(COMPARISONS.values())
# fmt: off
C_FUNCTIONS = {  # NumPy's name -> the name in <math.h>
    "exp": "exp", "expm1": "expm1", "log": "log", "log1p": "log1p", "tanh": "tanh", "sqrt": "sqrt", "abs": "fabs",
    "absolute": "fabs", "sin": "sin", "cos": "cos", "tan": "tan",
    "sinh": "sinh", "cosh": "cosh", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "exp2": "exp2", "log2": "log2", "log10": "log10",
    "cbrt": "cbrt", "floor": "floor", "ceil": "ceil", "power": "pow", "**": "pow", "hypot": "hypot",
}
HELPERS = {  # functions that <math.h> lacks, or defines otherwise for NaN (fmax, fmin): arguments and value
    "maximum": ("a, b", "a > b || a != a ? a : b"),
    "minimum": ("a, b", "a < b || a != a ? a : b"),
    "sign": ("x", "x > 0 ? 1 : (x < 0 ? -1 : (x == 0 ? 0 : x))"),
    "heaviside": ("x, h", "x > 0 ? 1 : (x < 0 ? 0 : (x == 0 ? h : x))"),
    "square": ("x", "x * x"),
    "power2": ("x", "x * x"),
    "power3": ("x", "x * x * x"),
    "reciprocal": ("x", "1 / x"),
}
KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "alignas", "alignof",
    "asm", "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true", "typeof", "typeof_unqual",
    "linux", "unix", "near", "far", "main", "numbers",
    "categories", "i", "j", "k", "sum", "most", "x", "p", "isnan", "NAN", "INFINITY", "y0", "y1", "yn", "j0", "j1",
    "jn", "gamma", "lgamma", "tgamma", "erf", "erfc", "fma", "fmaf",
)) | frozenset(C_FUNCTIONS.values()) | frozenset(f"{name}f" for name in C_FUNCTIONS.values())
# fmt: on


C_CHARACTERS = [  # each byte in a string literal; a ? could begin a trigraph
    chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in range(256)
]
C_CHARACTERS[ord('"')], C_CHARACTERS[ord("\\")] = '\\"', "\\\\"
FEWEST_BY_COLUMNS = 8  # columns of a matrix that are computed side by side
OF_BYTES = """\
/* The large arrays are written as their bytes, which compilers read faster than numbers. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The arrays of this file are written for machines that store the least significant byte first."
#endif
#ifdef __clang__
#if __has_warning("-Wunterminated-string-initialization")
#pragma clang diagnostic ignored "-Wunterminated-string-initialization"
#endif
#elif defined(__GNUC__) && __GNUC__ >= 15
#pragma GCC diagnostic ignored "-Wunterminated-string-initialization"
#endif
"""


@dataclass
class CDefinitions:
    """Definitions that the loops use: functions and constant arrays, each written once.

    Attributes
    ----------
    prefix : str
        The prefix of all names.
    names : mapping
        The C name of each definition; ``taken`` holds the names of the file's public functions and arrays.
    """

    prefix: str
    taken: set[str] = field(default_factory=set)
    names: dict[Any, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """All definitions, in order of first use."""
        has_bytes = any(text.startswith("static const union") for text in self.arrays.values())
        return [*([OF_BYTES] if has_bytes else []), *self.arrays.values(), *self.functions.values()]

    def name(self, key: object, wanted: str) -> str:
        """Return the C name of a definition: the wanted one with the prefix, and with ``_`` if it is taken."""
        if key not in self.names:
            known = f"{self.prefix}_{wanted}"
            while known in self.taken:
                known += "_"
            self.taken.add(known)
            self.names[key] = known
        return self.names[key]


@dataclass
class CLoopWriter:
    """Writes one program as C loops.

    Parameters
    ----------
    program : Program
    given : mapping of str to shape
        The shapes of the C function's arguments, with ``"n"`` for the axis of rows.
    fixed : mapping of str to array
        The constant arrays of the file.
    real : str
        ``"double"`` or ``"float"``.
    parts : CDefinitions
    bytes_of : mapping of str to (array of int8, scale of each column)
        The matrices that are stored as bytes.
    results : tuple of str
        The output arrays, which are arguments of the C function.
    names : mapping of str to str
        C names of some arrays.
    """

    program: Program
    given: Mapping[str, tuple[Dim, ...]]
    fixed: Mapping[str, Array]
    real: str
    parts: CDefinitions
    bytes_of: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dims: dict[str, tuple[Dim, ...]] = {**self.given, **dict.fromkeys(self.program.constants, ())}
        dims |= {name: array.shape for name, array in self.fixed.items()}
        self.lowering = Lowering(self.program, dims, reader="C")
        self.lowering.run()

    def lines(self) -> list[str]:
        """Return the loops in the order of the statements, with each statement as a comment."""
        lines: list[str] = []
        previous = ""
        for operation in self.lowering.operations:
            if operation.statement != previous:
                previous = operation.statement
                lines += [f"/* {previous.replace('*/', '* /')} */"]
            lines += self.loop(operation)
        return lines

    # -- names and numbers -------------------------------------------------------------------

    def name(self, wanted: str) -> str:
        """Return the C name of an array."""
        if wanted not in self.names:
            plain = wanted.replace(".", "_")
            while plain in KEYWORDS or plain in self.names.values():
                plain += "_"
            self.names[wanted] = plain
        return self.names[wanted]

    def number(self, value: float) -> str:
        """Return a number literal in the precision of the file."""
        return number(float(value), self.real)

    def axes(self, operation: Operation, axes: Sequence[Axis]) -> list[str]:
        """Return the axes with more than one entry, except the axis of the rows."""
        return [axis for axis in axes if isinstance(axis, str) and isinstance(operation.dims.get(axis), int)]

    # -- loops -------------------------------------------------------------------------------

    def loop(self, operation: Operation) -> list[str]:
        """Return the declaration and the loop of one operation."""
        if any(operation.dims.get(axis) == "n" for axis in operation.over):
            raise self.refusal(operation, "it combines several rows, and the C code predicts one row at a time")
        out = self.axes(operation, operation.out)
        target = self.name(operation.target)
        lengths = "".join(f"[{operation.dims[axis]}]" for axis in out)
        place = target + "".join(f"[{LETTERS[axis]}]" for axis in out)
        lines = [] if operation.target in self.results else [f"{self.real} {target}{lengths};"]
        if self.is_by_columns(operation):
            return lines + self.by_columns(operation, place)
        body = self.body(operation, place)
        if lines and not out and len(body) == 1:
            return [f"{self.real} {body[0]}"]
        if not out and len(body) > 1:  # a scope of its own for local variables
            body = ["{", *(INDENT + line for line in body), "}"]
        return lines + self.in_loops(operation, out, body)

    def in_loops(self, operation: Operation, axes: Sequence[str], body: list[str]) -> list[str]:
        """Return lines nested in loops over axes."""
        for axis in reversed(axes):
            i = LETTERS[axis]
            body = [
                f"for (int {i} = 0; {i} < {operation.dims[axis]}; {i}++) {{",
                *(INDENT + line for line in body),
                "}",
            ]
        return body

    def is_by_columns(self, operation: Operation) -> bool:
        """Whether an operation multiplies a row by a matrix with enough columns to compute them side by side."""
        out, over, tree = self.axes(operation, operation.out), self.axes(operation, operation.over), operation.tree
        if not operation.is_product or not isinstance(tree, Apply) or len(out) != 1 or len(over) != 1:
            return False
        matrix = tree.args[1]
        is_in_order = isinstance(matrix, Leaf) and self.axes(operation, matrix.axes) == [*over, *out]
        columns = operation.dims[out[0]]
        return is_in_order and isinstance(columns, int) and columns >= FEWEST_BY_COLUMNS

    def by_columns(self, operation: Operation, place: str) -> list[str]:
        """Return the loops of a row times a matrix: the terms of all columns, one row of the matrix after the other.

        Each sum has its terms in the same order as in a loop of its own.  Compilers compute several columns at once.
        """
        tree, scale = self.without_scale(operation)
        out, over = self.axes(operation, operation.out), self.axes(operation, operation.over)
        term = self.accumulation(place, tree, self.text(tree, operation), operation)
        lines = [*self.in_loops(operation, out, [f"{place} = 0;"]), *self.in_loops(operation, [*over, *out], [term])]
        return [*lines, *self.in_loops(operation, out, [f"{place} = {place}{scale};"])] if scale else lines

    def body(self, operation: Operation, place: str) -> list[str]:
        """Return the lines that compute one entry of the result."""
        tree, scale = self.without_scale(operation)
        value = self.text(tree, operation)
        if operation.kind == "map":
            return [f"{place} = {bare(value)};"]
        over = self.axes(operation, operation.over)
        if operation.kind == "sum":
            lines = self.in_loops(operation, over, [self.accumulation("sum", tree, value, operation)])
            return [f"{self.real} sum = 0;", *lines, f"{place} = sum{scale};"]
        called = self.helper("maximum")
        lines = self.in_loops(operation, over, [f"most = {called}(most, {bare(value)});"])
        return [f"{self.real} most = -INFINITY;", *lines, f"{place} = most;"]

    def accumulation(self, place: str, tree: Tree, value: str, operation: Operation) -> str:
        """Return the statement that adds one term to a sum.

        In single precision a product uses a fused multiply-add, like the BLAS behind NumPy, so that both
        usually give the same last bits.
        """
        if self.real == "float" and operation.is_product and isinstance(tree, Apply):
            left, right = (bare(self.text(arg, operation)) for arg in tree.args)
            return f"{place} = fmaf({left}, {right}, {place});"
        return f"{place} += {bare(value)};"

    def without_scale(self, operation: Operation) -> tuple[Tree, str]:
        """Factor the column scale of a quantized matrix out of the sum of a product."""
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
        """Return one entry as a C expression."""
        if isinstance(tree, Number):
            return self.number(tree.value)
        if isinstance(tree, Leaf):
            return self.entry(tree, operation)
        given = [self.text(arg, operation) for arg in tree.args]
        if tree.head == "where":
            chosen = tree.args[0]
            asked = (
                given[0] if isinstance(chosen, Apply) and chosen.head in COMPARISON_OPERATORS else f"{given[0]} != 0"
            )
            return f"({asked.removeprefix(f'({self.real})')} ? {given[1]} : {given[2]})"
        return self.function_call(tree.head, given, operation)

    def entry(self, leaf: Leaf, operation: Operation) -> str:
        """Return one entry of an array, or a number."""
        if leaf.name.startswith("size."):
            raise self.refusal(operation, "it uses the number of rows, and the C code predicts one row at a time")
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
            return f"({entry} * {scale}{''.join(f'[{LETTERS[axis]}]' for axis in column)})"
        if leaf.name in self.fixed:
            return self.array(leaf.name, self.fixed[leaf.name]) + index
        return self.name(leaf.name) + index

    def array(self, name: str, values: Array) -> str:
        """Define a constant array if it is new, and return its name."""
        known = self.parts.name(("array", name), name)
        if known not in self.parts.arrays:
            self.parts.arrays[known] = fixed_array(known, values, self.real)
        return known if values.size <= READABLE else f"{known}.numbers"

    def function_call(self, head: str, args: list[str], operation: Operation) -> str:
        """Return an elementwise function or operator applied to expressions."""
        function = self.program.functions.get(head.removeprefix("call ")) if head.startswith("call ") else None
        head = function.__name__ if isinstance(function, np.ufunc) else head.removeprefix("call ")
        if function is not None and not isinstance(function, np.ufunc):
            return f"{self.function(head, function)}({', '.join(args)})"
        if head in COMPARISON_OPERATORS:
            return f"({self.real})({args[0]} {head} {args[1]})"
        if head in INFIX:
            return f"({args[0]} {head} {args[1]})"
        if head == "neg":
            return f"(-{args[0]})"
        if head == "**" and args[1] in (self.number(2), self.number(3)):
            return f"{self.helper('power2' if args[1] == self.number(2) else 'power3')}({args[0]})"
        if head == "**" and args[1] == self.number(0.5):  # NumPy takes the square root, whose value at -inf is NaN
            return f"{self.math('sqrt')}({args[0]})"
        if head == "clip":
            return f"{self.helper('minimum')}({self.helper('maximum')}({args[0]}, {args[1]}), {args[2]})"
        if head in C_FUNCTIONS:
            return f"{self.math(C_FUNCTIONS[head])}({', '.join(args)})"
        if head in HELPERS:
            return f"{self.helper(head)}({', '.join(args)})"
        raise self.refusal(operation, f"np.{head} has no counterpart in <math.h>")

    def refusal(self, operation: Operation, why: str) -> NotCompilableError:
        """Return the error for a statement that cannot be written in C."""
        return NotCompilableError(f"C cannot take `{operation.statement}`: {why}.")

    # -- functions ---------------------------------------------------------------------------

    def math(self, name: str) -> str:
        """Return the name of a <math.h> function in the precision of the file."""
        return f"{name}f" if self.real == "float" else name

    def helper(self, name: str) -> str:
        """Define one of the ``HELPERS`` if it is new, and return its name."""
        known = self.parts.name((name, self.real), self.math(name))
        letters, value = HELPERS[name]
        arguments = ", ".join(f"{self.real} {letter}" for letter in letters.split(", "))
        self.parts.functions.setdefault(
            known, f"static {self.real} {known}({arguments})\n{{\n{INDENT}return {value};\n}}\n"
        )
        return known

    def function(self, name: str, function: Callable[..., object]) -> str:
        """Define a function of the program as a C function of scalars if it is new, and return its name."""
        known = self.parts.name((function, self.real), self.math(name))
        if known not in self.parts.functions:
            self.parts.functions[known] = ScalarFunctionWriter(self, name, function).definition(known)
        return known


class ScalarFunctionWriter:
    """Writes a function of scalars, whose source is straight-line code or loops over constants."""

    def __init__(self, loops: CLoopWriter, name: str, function: Callable[..., object]) -> None:
        self.loops = loops
        self.functions: dict[str, Callable[..., object]] = {}
        source = Entrywise(name, function, lambda value: repr(float(value)), self.register_function, "C").source()
        self.tree = ast.parse(source).body[0]
        assert isinstance(self.tree, ast.FunctionDef)
        self.locals: dict[str, str] = {}

    def register_function(self, name: str, given: Any) -> str:
        """Register a called function, and return its name; a user's function called ``sign`` is not NumPy's."""
        called = f"{name}_" if given is not None and name in ELEMENTWISE else name
        self.functions[called] = given
        return called

    def definition(self, known: str) -> str:
        """Return the C definition of the function."""
        assert isinstance(self.tree, ast.FunctionDef)
        real = self.loops.real
        arguments = [self.local(argument.arg) for argument in self.tree.args.args]
        body = [line for statement in self.tree.body for line in self.statement(statement)]
        head = f"static {real} {known}({', '.join(f'{real} {argument}' for argument in arguments)})"
        others = [name for name in self.locals.values() if name not in arguments]
        lines = [f"{real} {', '.join(others)};", *body] if others else body
        return "\n".join([head, "{", *(INDENT + line for line in lines), "}", ""])

    def local(self, name: str) -> str:
        """Return the C name of a local variable."""
        if name not in self.locals:
            plain = name
            while plain in KEYWORDS or plain in self.locals.values():
                plain += "_"
            self.locals[name] = plain
        return self.locals[name]

    def statement(self, node: ast.stmt) -> list[str]:
        """Return one statement; a tuple assignment computes all right-hand sides first."""
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
        """Return an expression of scalars."""
        functions = {**self.loops.program.functions, **self.functions}
        lowering = Lowering(Program((), functions=functions), dict.fromkeys(self.locals, ()), reader="C")
        tree = lowering.value(node).tree
        here = Operation("", (), (), {}, "map", tree, statement=ast.unparse(node))
        inner = CLoopWriter(Program((), functions=functions), {}, {}, self.loops.real, self.loops.parts)
        inner.names = dict(self.locals)
        return inner.text(tree, here)


# -- numbers ---------------------------------------------------------------------------------


def number(value: float, real: str) -> str:
    """Return a C number literal.

    >>> number(0.5, "double"), number(-2.0, "float"), number(float("nan"), "double")
    ('0.5', '(-2.0f)', 'NAN')
    """
    if not np.isfinite(value):
        return "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "(-INFINITY)"
    text = repr(value) + ("f" if real == "float" else "")
    return f"({text})" if value < 0 else text


def bare(text: str) -> str:
    """Remove parentheses that enclose the whole expression.

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
    """Return the shortest literal of an array entry that reads back to the same bits."""
    if isinstance(value, np.integer):
        return str(int(value))
    text = repr(value.item()) if value.dtype == np.float64 else str(value)
    if not np.isfinite(value):
        return number(float(value), real)
    text = text if any(sign in text for sign in ".e") else f"{text}.0"
    return f"{text}f" if real == "float" else text


def fixed_array(name: str, values: Array, real: str) -> str:
    """Return the definition of a constant array, without dimensions of length 1.

    >>> print(fixed_array("net_b1", np.array([0.5, 2.0]), "double"))
    static const double net_b1[2] = {
        0.5, 2.0
    };
    <BLANKLINE>
    """
    kind = "signed char" if values.dtype == np.int8 else real
    shape = [size for size in values.shape if size != 1]
    rows = values.reshape(shape) if shape else values.reshape(1)
    if values.size > READABLE:
        return array_of_bytes(name, rows, kind)
    if not shape:
        return f"static const {kind} {name} = {plain_number(rows[0], real)};\n"
    lengths = "".join(f"[{size}]" for size in shape)
    return f"static const {kind} {name}{lengths} = {{\n{entries(rows, real)}\n}};\n"


def array_of_bytes(name: str, values: Array, kind: str) -> str:
    """Return the definition of a large array: its bytes in memory as string literals, in a union with its numbers."""
    content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    lines = [content[start : start + BYTES_PER_LINE] for start in range(0, len(content), BYTES_PER_LINE)]
    lengths = "".join(f"[{size}]" for size in values.shape)
    return "\n".join(
        [
            "static const union {",
            f"{INDENT}char bytes[{len(lines)}][{BYTES_PER_LINE}];",
            f"{INDENT}{kind} numbers{lengths};",
            f"}} {name} = {{{{",
            *(f"{c_text(line)}," for line in lines),
            "}};",
            "",
        ]
    )


def c_text(words: str | bytes) -> str:
    """Return text as a C string literal; special and non-ASCII bytes are escaped.

    >>> print(c_text('say "é"'))
    "say \\"\\303\\251\\""
    """
    content = words.encode() if isinstance(words, str) else words
    return f'"{"".join(map(C_CHARACTERS.__getitem__, content))}"'


def entries(values: Array, real: str) -> str:
    """Return the indented entries of an array of one or more dimensions."""
    if values.ndim == 1:
        texts = [plain_number(value, real) for value in values]
        lines = [", ".join(texts[start : start + NUMBERS_PER_LINE]) for start in range(0, len(texts), NUMBERS_PER_LINE)]
        return ",\n".join(INDENT + line for line in lines)
    rows = [entries(row, real).strip() for row in values]
    return ",\n".join(f"{INDENT}{{{row}}}" for row in rows)
