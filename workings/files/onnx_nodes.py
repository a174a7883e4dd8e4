"""Translate the statements of a program to ONNX nodes.

Each operation of an expression becomes one node: ``X @ W1 + b1`` becomes a MatMul and an Add.  This module
contains no formulas, only the ONNX names of NumPy's functions.  Two functions missing in ONNX, ``expm1`` and
``log1p``, are composed of other operators without loss of precision near 0.  A function of the program is
inlined, if its source is elementwise.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import NotCompilableError
from workings.lowering.elementwise import Entrywise
from workings.lowering.index_notation import ELEMENTWISE
from workings.program.program import Program
from workings.support.arrays import Array, Values

if TYPE_CHECKING:
    from onnx import NodeProto

# fmt: off
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div", ast.Pow: "Pow", ast.MatMult: "MatMul",
    ast.Lt: "Less", ast.LtE: "LessOrEqual", ast.Gt: "Greater", ast.GtE: "GreaterOrEqual", ast.Eq: "Equal",
}
ARITHMETIC: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}
ONNX_OPERATORS = {  # NumPy's name -> ONNX's name
    "exp": "Exp", "log": "Log", "tanh": "Tanh", "sqrt": "Sqrt", "abs": "Abs", "absolute": "Abs", "sign": "Sign",
    "maximum": "Max", "minimum": "Min", "sin": "Sin", "cos": "Cos", "tan": "Tan", "sinh": "Sinh", "cosh": "Cosh",
    "arctan": "Atan", "arcsin": "Asin", "arccos": "Acos", "arcsinh": "Asinh", "arccosh": "Acosh",
    "arctanh": "Atanh", "floor": "Floor", "ceil": "Ceil", "power": "Pow", "reciprocal": "Reciprocal",
}
REDUCTIONS = {"sum": "ReduceSum", "max": "ReduceMax", "mean": "ReduceMean", "min": "ReduceMin"}
# fmt: on
NUMPY_FUNCTION = object()  # marker: NumPy's function of the same name
BOOLEAN_OPERATORS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")


@dataclass(frozen=True)
class Tensor:
    """A named value in the graph; ``is_boolean`` if it holds booleans."""

    name: str
    is_boolean: bool = False


@dataclass
class OnnxGraph:
    """Collects nodes and constants under unique names.

    Attributes
    ----------
    dtype : dtype
        The dtype of numeric constants and casts.
    """

    dtype: DTypeLike
    nodes: list[NodeProto] = field(default_factory=list)
    fixed: dict[str, Array] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    numbers: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def unused_name(self, wanted: str) -> str:
        """Return a unique name: the wanted one, with a number if it is taken."""
        name, number = wanted, 2
        while name in self.names:
            name, number = f"{wanted}_{number}", number + 1
        self.names.add(name)
        return name

    def node(self, kind: str, inputs: Sequence[Tensor], wanted: str = "", **attributes: Any) -> Tensor:
        """Add one node."""
        from onnx import helper

        name = self.unused_name(wanted or kind.lower())
        domain = {"domain": attributes.pop("domain")} if "domain" in attributes else {}
        made = helper.make_node(kind, [tensor.name for tensor in inputs], [name], name=name, **domain, **attributes)
        self.nodes.append(made)
        return Tensor(name, kind in BOOLEAN_OPERATORS)

    def array(self, wanted: str, values: Array) -> Tensor:
        """Add a constant array."""
        name = self.unused_name(wanted)
        self.fixed[name] = values
        return Tensor(name)

    def number(self, value: float) -> Tensor:
        """Add a constant number; equal numbers share one constant."""
        key = (repr(float(value)), np.dtype(self.dtype).name)
        if key not in self.numbers:
            self.numbers[key] = self.array("number", np.array(value, dtype=self.dtype))
        return self.numbers[key]

    def whole(self, *values: int) -> Tensor:
        """Add a constant array of integers, of shape (count,)."""
        return self.array("axes", np.array(values, dtype=np.int64))

    def cast(self, tensor: Tensor, dtype: DTypeLike) -> Tensor:
        """Add a cast to another dtype."""
        from onnx import helper

        return self.node("Cast", [tensor], to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def as_number(self, tensor: Tensor) -> Tensor:
        """Convert booleans to 1 and 0; return other tensors unchanged."""
        return self.cast(tensor, self.dtype) if tensor.is_boolean else tensor


@dataclass
class NodeWriter:
    """Adds the nodes of one program to a graph.

    Parameters
    ----------
    graph : OnnxGraph
    program : Program
    known : mapping of str to Tensor
        Inputs and arrays by name; results are added.
    widths : mapping of str to shape
        Shapes of arrays, for ``y.shape[1]``.
    """

    graph: OnnxGraph
    program: Program
    known: dict[str, Tensor]
    widths: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    statement: str = ""

    def write(self) -> dict[str, Tensor]:
        """Add all statements; return the tensors by name."""
        for statement in self.program.statements:
            self.statement = str(statement)
            tensor = self.value(statement.tree)
            self.known[statement.target] = self.rename_last(tensor, statement.target)
        return self.known

    def rename_last(self, tensor: Tensor, target: str) -> Tensor:
        """Rename the last node's result to the program's name for it."""
        last = self.graph.nodes[-1] if self.graph.nodes else None
        if last is None or last.output[0] != tensor.name or target in self.graph.names:
            return tensor
        self.graph.names.add(target)
        last.output[0] = last.name = target
        return Tensor(target, tensor.is_boolean)

    def refusal(self, why: str) -> NotCompilableError:
        """Return the error for a statement that cannot be written in ONNX."""
        return NotCompilableError(f"ONNX cannot take `{self.statement}`: {why}.")

    def value(self, node: ast.expr) -> Tensor:
        """Add the nodes of an expression; return its tensor."""
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
            case ast.BinOp(left=left, op=ast.Pow(), right=right) if (
                number_in(right) == 0.5
            ):  # as NumPy; it matters at -inf
                return graph.node("Sqrt", [self.number(left)])
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                if type(op) in OPERATORS:
                    return graph.node(OPERATORS[type(op)], [self.number(left), self.number(right)])
            case ast.Attribute(value=inner, attr="T"):
                return graph.node("Transpose", [self.number(inner)])
            case ast.Subscript(
                value=ast.Attribute(value=ast.Name(id=name), attr="shape"), slice=ast.Constant(value=int() as axis)
            ):
                return self.length(name, axis)
            case ast.Call():
                return self.call(node)
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart in ONNX")

    def number(self, node: ast.expr) -> Tensor:
        """Add the nodes of an expression; return its tensor as numbers."""
        return self.graph.as_number(self.value(node))

    def name(self, name: str) -> Tensor:
        """Return the tensor of a name in the program."""
        if name in self.known:
            return self.known[name]
        if name in self.program.constants:
            return self.graph.number(self.program.constants[name])
        raise self.refusal(f"it uses {name!r}, which is not available in a prediction")

    def length(self, name: str, axis: int) -> Tensor:
        """Return the number of rows or columns of an array as a constant."""
        shape = self.widths.get(name, ())
        length = shape[axis] if 0 <= axis < len(shape) else None
        if not isinstance(length, int):
            raise self.refusal(f"it uses the shape of {name}")
        return self.graph.number(length)

    # -- calls -------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Tensor:
        """Add a NumPy function, a method such as ``.sum(axis=1)``, or a function of the program."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr="hstack"):
                return self.concatenation(node)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if name in REDUCTIONS:
                return self.reduction(name, node.args[0], node.args[1:], node.keywords)
            case ast.Attribute(value=ast.Name(id="np"), attr=name) if not node.keywords:
                return self.elementwise(name, node.args)
            case ast.Attribute(value=inner, attr=name):
                return self.reduction(name, inner, node.args, node.keywords)
            case ast.Name(id=name) if name in self.program.functions and not node.keywords:
                function = self.program.functions[name]
                if function is NUMPY_FUNCTION or isinstance(function, np.ufunc):
                    return self.elementwise(getattr(function, "__name__", name), node.args)
                return self.inline(name, function, [self.number(argument) for argument in node.args])
        raise self.refusal(f"`{ast.unparse(node.func)}` has no counterpart in ONNX")

    def elementwise(self, name: str, args: list[ast.expr]) -> Tensor:
        """Add an elementwise function."""
        if name == "where":
            condition = self.value(args[0])
            if not condition.is_boolean:
                condition = self.graph.cast(condition, np.bool_)
            return self.graph.node("Where", [condition, self.number(args[1]), self.number(args[2])])
        given = [self.number(argument) for argument in args]
        if name in ONNX_OPERATORS:
            return self.graph.node(ONNX_OPERATORS[name], given)
        if name in COMPOSED:
            return COMPOSED[name](self.graph, *given)
        raise self.refusal(f"np.{name} has no counterpart in ONNX")

    def concatenation(self, node: ast.Call) -> Tensor:
        """Add an ``np.hstack``."""
        match node.args:
            case [ast.List(elts=parts)]:
                return self.graph.node("Concat", [self.number(part) for part in parts], axis=1)
        raise self.refusal("np.hstack must get a list")

    def reduction(self, name: str, inner: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Tensor:
        """Add a reduction over the columns: sum, mean, max, min or argmax."""
        try:
            given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        except ValueError:
            given = {"other": None}
        axis, keepdims = given.pop("axis", None), int(bool(given.pop("keepdims", False)))
        if given or args or axis not in (1, -1):
            raise self.refusal(f"`.{name}` must have axis=1, because a prediction cannot combine rows")
        tensor = self.number(inner)
        if name == "argmax":
            return self.graph.node("ArgMax", [tensor], axis=axis, keepdims=keepdims)
        if name not in REDUCTIONS:
            raise self.refusal(f"`.{name}` has no counterpart in ONNX")
        if name == "sum":  # in this operator set, only ReduceSum takes its axes as an input
            return self.graph.node("ReduceSum", [tensor, self.graph.whole(axis)], keepdims=keepdims)
        return self.graph.node(REDUCTIONS[name], [tensor], axes=[axis], keepdims=keepdims)

    def inline(self, name: str, function: Callable[..., object], given: list[Tensor]) -> Tensor:
        """Inline an elementwise function of the program."""
        functions: dict[str, Any] = {}

        def called(inner: str, meant: object) -> str:
            name = f"{inner}_" if meant is not None and inner in ELEMENTWISE else inner  # a user's is not NumPy's
            functions[name] = NUMPY_FUNCTION if meant is None else meant
            return name

        source = Entrywise(name, function, lambda value: repr(float(value)), called, "ONNX").source()
        tree = ast.parse(source).body[0]
        assert isinstance(tree, ast.FunctionDef)
        letters = dict(zip((argument.arg for argument in tree.args.args), given, strict=True))
        program = Program((), functions={**functions, "power2": power2, "power3": power3})
        inner = NodeWriter(self.graph, program, letters, statement=self.statement)
        for statement in tree.body:
            result = inner.line(statement)
        return result

    def line(self, node: ast.stmt) -> Tensor:
        """Add one statement of an inlined function; return its value."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.known[name] = self.number(value)
                return self.known[name]
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                results = [self.number(value) for value in values]
                for target, result in zip(names, results, strict=True):
                    self.known[ast.unparse(target)] = result
                return results[-1]
            case ast.Return(value=ast.expr() as value):
                return self.number(value)
        raise self.refusal(f"`{ast.unparse(node)}` has no counterpart in ONNX")


def number_in(node: ast.expr) -> float | None:
    """Evaluate an expression of numbers, such as ``0.5 * 1.2``; None for any other expression.

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


def power2(x: Values) -> Values:
    """is the square"""
    return x * x


def power3(x: Values) -> Values:
    """is the cube"""
    return x * x * x


def square(graph: OnnxGraph, x: Tensor) -> Tensor:
    """Add the nodes of x * x."""
    return graph.node("Mul", [x, x])


def expm1(graph: OnnxGraph, x: Tensor) -> Tensor:
    """Add the nodes of exp(x) - 1; below x = 1 it is 2 t / (1 - t) with t = tanh(x / 2), which is precise near 0."""
    one, two = graph.number(1.0), graph.number(2.0)
    small = graph.node("Min", [x, one])
    t = graph.node("Tanh", [graph.node("Div", [small, two])])
    near = graph.node("Div", [graph.node("Mul", [two, t]), graph.node("Sub", [one, t])])
    far = graph.node("Sub", [graph.node("Exp", [x]), one])
    return graph.node("Where", [graph.node("Greater", [x, one]), far, near])


def log1p(graph: OnnxGraph, x: Tensor) -> Tensor:
    """Add the nodes of log(1 + x) as log(u) x / (u - 1), u = 1 + x, precise near 0 (Goldberg 1991, theorem 4).

    Where u - 1 = x, also at infinity, it is log(u).
    """
    one = graph.number(1.0)
    u = graph.node("Add", [one, x])
    gained = graph.node("Sub", [u, one])
    is_small = graph.node("Equal", [gained, graph.number(0.0)])
    is_exact = graph.node("Equal", [gained, x])
    whole = graph.node("Log", [u])
    divisor = graph.node("Where", [is_small, one, gained])
    ratio = graph.node("Div", [graph.node("Mul", [whole, x]), divisor])
    return graph.node("Where", [is_small, x, graph.node("Where", [is_exact, whole, ratio])])


def heaviside(graph: OnnxGraph, x: Tensor, h: Tensor) -> Tensor:
    """Add the nodes of a step: 1 above 0, 0 below, h at 0, and NaN for NaN."""
    sign = graph.node("Sign", [x])
    step = graph.node("Max", [sign, graph.number(0.0)])
    return graph.node("Where", [graph.node("Equal", [sign, graph.number(0.0)]), h, step])


def clip(graph: OnnxGraph, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Add the nodes that limit x to [low, high]."""
    return graph.node("Min", [graph.node("Max", [x, low]), high])


COMPOSED: dict[str, Callable[..., Tensor]] = {
    "square": square,
    "expm1": expm1,
    "log1p": log1p,
    "heaviside": heaviside,
    "clip": clip,
}
