"""Nodes: the statements of a program as ONNX operators on whole arrays.

Each piece of an expression becomes one node: ``X @ W1 + b1`` a MatMul and an Add.  No formula is known here, only
what NumPy's functions are called in ONNX; two that ONNX has not, ``expm1`` and ``log1p``, are put together of those
it has so that they keep their digits.  A function that the program brings is written out, if its source shows that
it works entry by entry.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workings.errors import NotCompilableError
from workings.lowering.elementwise import Entrywise
from workings.program.program import Program
from workings.support.arrays import Array

# fmt: off
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div", ast.Pow: "Pow", ast.MatMult: "MatMul",
    ast.Lt: "Less", ast.LtE: "LessOrEqual", ast.Gt: "Greater", ast.GtE: "GreaterOrEqual", ast.Eq: "Equal",
}
ARITHMETIC: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}
CALLED = {  # NumPy's name -> that of ONNX
    "exp": "Exp", "log": "Log", "tanh": "Tanh", "sqrt": "Sqrt", "abs": "Abs", "absolute": "Abs", "sign": "Sign",
    "maximum": "Max", "minimum": "Min", "sin": "Sin", "cos": "Cos", "tan": "Tan", "sinh": "Sinh", "cosh": "Cosh",
    "arctan": "Atan", "arcsin": "Asin", "arccos": "Acos", "arcsinh": "Asinh", "arccosh": "Acosh",
    "arctanh": "Atanh", "floor": "Floor", "ceil": "Ceil", "power": "Pow", "reciprocal": "Reciprocal",
}
REDUCED = {"sum": "ReduceSum", "max": "ReduceMax", "mean": "ReduceMean", "min": "ReduceMin"}
# fmt: on
NUMPYS = object()  # stands for NumPy's function of the same name
TRUTHS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


@dataclass(frozen=True)
class Tensor:
    """A named array in the graph; ``is_true`` if it holds true and false."""

    name: str
    is_true: bool = False


@dataclass
class Graph:
    """Collects nodes and fixed arrays; every name is given once.

    Attributes
    ----------
    dtype : dtype
        Of the numbers that are computed with.
    """

    dtype: Any
    nodes: list[Any] = field(default_factory=list)
    fixed: dict[str, Array] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    numbers: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def unused(self, wanted: str) -> str:
        """The wanted name, with a number where it is taken."""
        name, number = wanted, 2
        while name in self.names:
            name, number = f"{wanted}_{number}", number + 1
        self.names.add(name)
        return name

    def node(self, kind: str, inputs: Sequence[Tensor], wanted: str = "", **attributes: Any) -> Tensor:
        """Write one node."""
        from onnx import helper

        name = self.unused(wanted or kind.lower())
        domain = {"domain": attributes.pop("domain")} if "domain" in attributes else {}
        made = helper.make_node(kind, [tensor.name for tensor in inputs], [name], name=name, **domain, **attributes)
        self.nodes.append(made)
        return Tensor(name, kind in TRUTHS)

    def array(self, wanted: str, values: Array) -> Tensor:
        """A fixed array, which the file holds."""
        name = self.unused(wanted)
        self.fixed[name] = values
        return Tensor(name)

    def number(self, value: float) -> Tensor:
        """A fixed number; one that comes again is kept once."""
        key = (repr(float(value)), np.dtype(self.dtype).name)
        if key not in self.numbers:
            self.numbers[key] = self.array("number", np.array(value, dtype=self.dtype))
        return self.numbers[key]

    def whole(self, *values: int) -> Tensor:
        """Fixed whole numbers, of shape (count,)."""
        return self.array("axes", np.array(values, dtype=np.int64))

    def cast(self, tensor: Tensor, dtype: Any) -> Tensor:
        """The same in another type."""
        from onnx import helper

        return self.node("Cast", [tensor], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def as_number(self, tensor: Tensor) -> Tensor:
        """True and false as 1 and 0."""
        return self.cast(tensor, self.dtype) if tensor.is_true else tensor


@dataclass
class Nodes:
    """Writes one program into a graph.

    Parameters
    ----------
    graph : Graph
    program : Program
    known : mapping of str to Tensor
        What is given: inputs and arrays; results are added.
    widths : mapping of str to shape
        The shapes of given arrays, for ``y.shape[1]``.
    """

    graph: Graph
    program: Program
    known: dict[str, Tensor]
    widths: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    statement: str = ""

    def write(self) -> dict[str, Tensor]:
        """Write all statements; give what each name stands for."""
        for statement in self.program.statements:
            self.statement = str(statement)
            tensor = self.value(statement.tree)
            self.known[statement.target] = self.named(tensor, statement.target)
        return self.known

    def named(self, tensor: Tensor, target: str) -> Tensor:
        """Call the last node's result by the program's own name."""
        last = self.graph.nodes[-1] if self.graph.nodes else None
        if last is None or last.output[0] != tensor.name or target in self.graph.names:
            return tensor
        self.graph.names.add(target)
        last.output[0] = last.name = target
        return Tensor(target, tensor.is_true)

    def refusal(self, why: str) -> NotCompilableError:
        """Say which statement cannot be written, and why."""
        return NotCompilableError(f"ONNX cannot take `{self.statement}`: {why}.")

    def value(self, node: ast.expr) -> Tensor:
        """An expression as a tensor."""
        graph = self.graph
        known = number_in(node)
        if known is not None:
            return graph.number(known)
        match node:
            case ast.Name(id=name):
                return self.name(name)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return graph.node("Neg", [self.number(inner)])
            case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]):
                return Tensor(
                    graph.node("Not", [graph.node("Equal", [self.number(left), self.number(right)])]).name, True
                )
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                if type(op) in OPERATORS:
                    return graph.node(OPERATORS[type(op)], [self.number(left), self.number(right)])
            case ast.Attribute(value=inner, attr="T"):
                return graph.node("Transpose", [self.number(inner)])
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id=name), attr="shape"), slice=ast.Constant(value=1)):
                return self.width(name)
            case ast.Call():
                return self.call(node)
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart in ONNX")

    def number(self, node: ast.expr) -> Tensor:
        """An expression as numbers."""
        return self.graph.as_number(self.value(node))

    def name(self, name: str) -> Tensor:
        """A name of the program."""
        if name in self.known:
            return self.known[name]
        if name in self.program.constants:
            return self.graph.number(self.program.constants[name])
        raise self.refusal(f"it asks for {name!r}, which a prediction has not")

    def width(self, name: str) -> Tensor:
        """The number of columns of an array."""
        shape = self.widths.get(name, ())
        if len(shape) < 2 or not isinstance(shape[1], int):
            raise self.refusal(f"it asks for the shape of {name}")
        return self.graph.number(shape[1])

    # -- calls -------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Tensor:
        """A function of NumPy, a method such as ``.sum(axis=1)``, or a function that the program brings."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr="hstack"):
                return self.beside(node)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in REDUCED:
                return self.reduced(name, node.args[0], node.args[1:], node.keywords)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if not node.keywords:
                return self.elementwise(name, node.args)
            case ast.Attribute(value=inner, attr=name):
                return self.reduced(name, inner, node.args, node.keywords)
            case ast.Name(id=name) if name in self.program.functions and not node.keywords:
                function = self.program.functions[name]
                if function is NUMPYS or isinstance(function, np.ufunc):
                    return self.elementwise(getattr(function, "__name__", name), node.args)
                return self.written_out(name, function, [self.number(argument) for argument in node.args])
        raise self.refusal(f"`{ast.unparse(node.func)}` has no counterpart in ONNX")

    def elementwise(self, name: str, args: list[ast.expr]) -> Tensor:
        """A function of entries."""
        if name == "where":
            condition = self.value(args[0])
            if not condition.is_true:
                condition = self.graph.cast(condition, np.bool_)
            return self.graph.node("Where", [condition, self.number(args[1]), self.number(args[2])])
        given = [self.number(argument) for argument in args]
        if name in CALLED:
            return self.graph.node(CALLED[name], given)
        if name in COMPOSED:
            return COMPOSED[name](self.graph, *given)
        raise self.refusal(f"np.{name} has no counterpart in ONNX")

    def beside(self, node: ast.Call) -> Tensor:
        """Arrays side by side."""
        match node.args:
            case [ast.List(elts=parts)]:
                return self.graph.node("Concat", [self.number(part) for part in parts], axis=1)
        raise self.refusal("np.hstack takes a list here")

    def reduced(self, name: str, inner: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Tensor:
        """A sum, mean or extreme along an axis, or the place of the largest."""
        try:
            given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        except ValueError:
            given = {"other": None}
        axis, keepdims = given.pop("axis", None), int(bool(given.pop("keepdims", False)))
        if given or args or axis not in (1, -1):
            raise self.refusal(f"`.{name}` takes axis=1 here: whatever takes several rows together is no prediction")
        tensor = self.number(inner)
        if name == "argmax":
            return self.graph.node("ArgMax", [tensor], axis=axis, keepdims=keepdims)
        if name not in REDUCED:
            raise self.refusal(f"`.{name}` has no counterpart in ONNX")
        if name == "sum":  # the one whose axes became an input first
            return self.graph.node("ReduceSum", [tensor, self.graph.whole(axis)], keepdims=keepdims)
        return self.graph.node(REDUCED[name], [tensor], axes=[axis], keepdims=keepdims)

    def written_out(self, name: str, function: Any, given: list[Tensor]) -> Tensor:
        """A function that works entry by entry, written out where it is called."""
        functions: dict[str, Any] = {}

        def called(inner: str, meant: Any) -> str:
            functions[inner] = NUMPYS if meant is None else meant
            return inner

        source = Entrywise(name, function, lambda value: repr(float(value)), called, "ONNX").source()
        tree = ast.parse(source).body[0]
        assert isinstance(tree, ast.FunctionDef)
        letters = dict(zip((argument.arg for argument in tree.args.args), given, strict=True))
        program = Program((), functions={**functions, "power2": power2, "power3": power3})
        inner = Nodes(self.graph, program, letters, statement=self.statement)
        for statement in tree.body:
            result = inner.line(statement)
        return result

    def line(self, node: ast.stmt) -> Tensor:
        """One line of a function that is written out; give its value."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.known[name] = self.number(value)
                return self.known[name]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                results = [self.number(value) for value in values]
                self.known |= {name.id: result for name, result in zip(names, results, strict=True)  # type: ignore[attr-defined]
                               }  # fmt: skip
                return results[-1]
            case ast.Return(value=ast.expr() as value):
                return self.number(value)
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart in ONNX")


def number_in(node: ast.expr) -> float | None:
    """What an expression of numbers alone is worth, such as ``0.5 * 1.2``; None for any other.

    >>> number_in(ast.parse("-(0.5 * 3)", mode="eval").body), number_in(ast.parse("0.5 * z", mode="eval").body)
    (-1.5, None)
    """
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            worth = number_in(inner)
            return None if worth is None else -worth
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            a, b = number_in(left), number_in(right)
            return None if a is None or b is None else float(ARITHMETIC[type(op)](a, b))
    return None


def power2(x: Any) -> Any:
    """is the square"""
    return x * x


def power3(x: Any) -> Any:
    """is the cube"""
    return x * x * x


def square(graph: Graph, x: Tensor) -> Tensor:
    """x times itself."""
    return graph.node("Mul", [x, x])


def expm1(graph: Graph, x: Tensor) -> Tensor:
    """exp(x) - 1 without loss of digits near 0: 2 t / (1 - t) with t = tanh(x / 2), which is right up to x = 1."""
    one, two = graph.number(1.0), graph.number(2.0)
    small = graph.node("Min", [x, one])
    t = graph.node("Tanh", [graph.node("Div", [small, two])])
    near = graph.node("Div", [graph.node("Mul", [two, t]), graph.node("Sub", [one, t])])
    far = graph.node("Sub", [graph.node("Exp", [x]), one])
    return graph.node("Where", [graph.node("Greater", [x, one]), far, near])


def log1p(graph: Graph, x: Tensor) -> Tensor:
    """log(1 + x) without loss of digits near 0: log(u) x / (u - 1) with u = 1 + x (Goldberg 1991, theorem 4)."""
    one = graph.number(1.0)
    u = graph.node("Add", [one, x])
    gained = graph.node("Sub", [u, one])
    is_small = graph.node("Equal", [gained, graph.number(0.0)])
    divisor = graph.node("Where", [is_small, one, gained])
    ratio = graph.node("Div", [graph.node("Mul", [graph.node("Log", [u]), x]), divisor])
    return graph.node("Where", [is_small, x, ratio])


def heaviside(graph: Graph, x: Tensor, h: Tensor) -> Tensor:
    """1 above 0, 0 below, and h at 0."""
    zero = graph.number(0.0)
    above = graph.as_number(graph.node("Greater", [x, zero]))
    return graph.node("Where", [graph.node("Equal", [x, zero]), h, above])


def clip(graph: Graph, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """x, but not below low and not above high."""
    return graph.node("Min", [graph.node("Max", [x, low]), high])


COMPOSED: dict[str, Callable[..., Tensor]] = {
    "square": square, "expm1": expm1, "log1p": log1p, "heaviside": heaviside, "clip": clip,
}  # fmt: skip
