"""Index notation: the statements of a program as operations on single entries, from which loops are generated.

A statement such as ``dW1 = X.T @ dz1 + lam * W1`` is about whole arrays.  Lowering splits it into two
operations on single entries: ``t[a, b] = sum over c of X[c, a] * dz1[c, b]``, then ``dW1[a, b] = t[a, b] +
lam * W1[a, b]``.  An operation is a map or a reduction over named axes; a matrix product is a sum like any
other.  This file contains no formulas.  It translates the statements of any program, and names what it does
not support.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workings.errors import NotCompilableError
from workings.program.program import Program, Statement

Dim = str | int  # "n" for rows, "d1", "d2" … for sizes that are known at run time, a number for small sizes
Axis = str | int  # "a", "b", "c" for an axis of an operation, 0 for a dimension with one entry


@dataclass(frozen=True)
class Number:
    """A constant of the program."""

    value: float


@dataclass(frozen=True)
class Leaf:
    """One entry of a named array, or a scalar, which has no axes."""

    name: str
    axes: tuple[Axis, ...] = ()


# Functions of NumPy that take longer than reading a stored result.
SLOW = frozenset(("exp", "expm1", "log", "log1p", "tanh", "logaddexp", "sin", "cos", "tan", "sinh", "cosh", "arctan"))
INDEX = "axis.index"  # the leaf whose value is its own index along its axis


@dataclass(frozen=True)
class Apply:
    """A function applied to entries: an operator such as ``+``, or an elementwise function by name."""

    head: str
    args: tuple[Tree, ...]


Tree = Number | Leaf | Apply


def leaves(tree: Tree) -> Iterable[Leaf]:
    """Yield all entries that a tree reads."""
    if isinstance(tree, Apply):
        return itertools.chain.from_iterable(leaves(arg) for arg in tree.args)
    return (tree,) if isinstance(tree, Leaf) else ()


def with_renamed_axes(tree: Tree, axes: Mapping[Axis, Axis]) -> Tree:
    """Return the same tree with other names for its axes."""
    if isinstance(tree, Apply):
        return Apply(tree.head, tuple(with_renamed_axes(arg, axes) for arg in tree.args))
    return Leaf(tree.name, tuple(axes.get(axis, axis) for axis in tree.axes)) if isinstance(tree, Leaf) else tree


def with_axes(tree: Tree, axes: tuple[Axis, ...]) -> Tree:
    """Return the same tree with the same axes for all entries of arrays."""
    if isinstance(tree, Apply):
        return Apply(tree.head, tuple(with_axes(arg, axes) for arg in tree.args))
    return Leaf(tree.name, axes) if isinstance(tree, Leaf) and tree.axes else tree


@dataclass(frozen=True)
class IndexedArray:
    """The value of an array expression: its dimensions, and one entry as a tree over the axes a and b.

    The last dimension is axis ``b``, the one before it axis ``a``, as in NumPy's broadcasting.
    """

    dims: tuple[Dim, ...]
    tree: Tree

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axis of each dimension; 0 for a dimension with one entry."""
        return tuple(0 if dim == 1 else axis for axis, dim in zip("ab"[2 - len(self.dims) :], self.dims, strict=True))


@dataclass(frozen=True)
class Operation:
    """An assignment ``target[out] = tree``, or a sum or maximum of the tree over the axes ``over``.

    Attributes
    ----------
    target : str
        The name of the result.
    out, over : tuple of axes
        The axes of the result, and those of the reduction.
    dims : mapping of axis to dimension
    kind : str
        ``"map"``, ``"sum"``, ``"max"``, or ``"place"``: the index of the first maximum (argmax) of unrolled
        entries.
    tree : Tree
        One entry of the result, or one term of the reduction.
    is_product : bool
        Whether this is a matrix product, which may be computed in tiles.
    statement : str
        The statement that it comes from, for error messages.
    has_own_loop : bool
        Whether it is kept out of the loops of other operations, because it would prevent their vectorization.
    scale : Tree or None
        If not None: the product is multiplied by it and added to the old value of the target.
    """

    target: str
    out: tuple[Axis, ...]
    over: tuple[str, ...]
    dims: Mapping[str, Dim]
    kind: str
    tree: Tree
    is_product: bool = False
    statement: str = ""
    has_own_loop: bool = False
    scale: Tree | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The names of the arrays and scalars that it reads."""
        return frozenset(leaf.name for leaf in leaves(self.tree))


@dataclass
class Lowering:
    """Translates the statements of a program into operations.

    Each operation gets a name that is assigned only once (static single assignment).  ``current`` maps each
    name of the program to the name of its newest value.
    """

    program: Program
    dims: dict[str, tuple[Dim, ...]]
    operations: list[Operation] = field(default_factory=list)
    current: dict[str, str] = field(default_factory=dict)
    statement: str = ""
    reader: str = "The compiled engine"
    repeated: frozenset[str] = frozenset()  # calls that occur several times, as text
    computed: dict[tuple[tuple[Dim, ...], Tree], str] = field(default_factory=dict)  # their values -> names

    def run(self) -> None:
        """Translate all statements."""
        counts = Counter(text for statement in self.program.statements for text in self.slow_calls(statement.tree))
        self.repeated = frozenset(text for text, count in counts.items() if count > 1)
        for statement in self.program.statements:
            self.statement = str(statement)
            self.translate(statement)

    def translate(self, statement: Statement) -> None:
        """Translate one statement."""
        value = self.value(statement.tree)
        known = self.dims.get(statement.target)
        if known is not None and statement.target in self.program.carried and known != value.dims:
            raise self.error(f"it changes the shape of {statement.target}")
        last = self.operations[-1] if self.operations else None
        name = self.unused_name(statement.target)
        if last is not None and value.tree == Leaf(last.target, value.axes) and "." in last.target:
            self.operations[-1] = replace(last, target=name)  # the last operation is the whole statement
            self.computed = {key: name if old == last.target else old for key, old in self.computed.items()}
        else:
            self.emit(name, value, "map")
        self.dims[name] = value.dims
        self.current[statement.target] = name

    def is_repeated(self, call: ast.Call) -> bool:
        """Whether a call of a slow function occurs several times in the program."""
        return bool(self.repeated) and ast.unparse(call) in self.repeated

    def slow_calls(self, tree: ast.AST) -> Iterable[str]:
        """Yield the calls of functions in an expression that take longer than reading a stored result."""
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name)) if name in SLOW:
                    yield ast.unparse(node)
                case ast.Call(func=ast.Name(id=name)) if name in self.program.functions:
                    yield ast.unparse(node)

    def unused_name(self, preferred: str) -> str:
        """Return a name that no value has yet; names of intermediate results contain a dot."""
        used = {*self.dims, *(operation.target for operation in self.operations)}
        names = itertools.chain([preferred], (f"{preferred}_{number}" for number in itertools.count(2)))
        return next(name for name in names if name not in used)

    def emit(
        self,
        name: str,
        value: IndexedArray,
        kind: str,
        over: tuple[str, ...] = (),
        product: Dim | None = None,
    ) -> None:
        """Append one operation."""
        dims = {axis: dim for axis, dim in zip(value.axes, value.dims, strict=True) if isinstance(axis, str)}
        if product is not None and product != 1:
            dims["c"] = product
        over = tuple(axis for axis in over if axis in dims)
        out = tuple(axis for axis in dims if axis not in over and axis != "c")
        is_product = product is not None
        tree = value.tree if dims.get("c") or not is_product else with_renamed_axes(value.tree, {"c": 0})
        self.operations.append(Operation(name, out, over, dims, kind, tree, is_product, self.statement))

    def emit_output(self, name: str) -> str:
        """Append an operation that copies a value into an output array; return its target."""
        value, target = self.entry(name), self.unused_name(f"output.{name}")
        self.emit(target, value, "map")
        self.operations[-1] = replace(self.operations[-1], has_own_loop=value.dims[1:] not in ((), (1,)))
        self.dims[target] = value.dims
        return target

    def computed_once(self, value: IndexedArray) -> IndexedArray:
        """Give a value its own name, so that it is computed only once."""
        if isinstance(value.tree, (Leaf, Number)):
            return value
        name = self.unused_name(f"part.{len(self.operations)}")
        self.emit(name, value, "map")
        self.dims[name] = value.dims
        return IndexedArray(value.dims, Leaf(name, value.axes))

    def computed_only_once(self, value: IndexedArray) -> IndexedArray:
        """Give a value a name that later equal values get, too."""
        key = value.dims, value.tree
        if key not in self.computed:
            named = self.computed_once(value)
            assert isinstance(named.tree, Leaf)
            self.computed[key] = named.tree.name
        return IndexedArray(value.dims, Leaf(self.computed[key], value.axes))

    def error(self, why: str) -> NotCompilableError:
        """Make the error that the current statement is not supported."""
        return NotCompilableError(f"{self.reader} cannot take `{self.statement}`: {why}.")

    # -- expressions -----------------------------------------------------------------------

    def value(self, node: ast.expr) -> IndexedArray:
        """Translate an expression."""
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return IndexedArray((), Number(number))
            case ast.Name(id=name):
                return self.entry(name)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return IndexedArray((), Number(-number))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.elementwise("neg", [self.value(inner)])
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.product(self.value(left), self.value(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.elementwise(OPERATORS[type(op)], [self.value(left), self.value(right)])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return self.elementwise(COMPARISONS[type(op)], [self.value(left), self.value(right)])
            case ast.Attribute(value=inner, attr="T"):
                return transpose(self.value(inner))
            case ast.Attribute(value=inner, attr="size"):
                return self.size(self.value(inner).dims)
            case ast.Subscript(value=ast.Attribute(value=inner, attr="shape"), slice=ast.Constant(value=int() as axis)):
                return self.size(self.value(inner).dims[axis : axis + 1 or None])
            case ast.Call() if self.is_repeated(node):
                return self.computed_only_once(self.call(node))
            case ast.Call():
                return self.call(node)
        raise self.error(f"`{ast.unparse(node)}` is not supported")

    def entry(self, name: str) -> IndexedArray:
        """Return the newest value of a name of the program."""
        current = self.current.get(name, name)
        if current not in self.dims:
            raise self.error(f"the name {name!r} is unknown")
        dims = self.dims[current]
        return IndexedArray(dims, Leaf(current, IndexedArray(dims, Number(0)).axes))

    def size(self, dims: Sequence[Dim]) -> IndexedArray:
        """Return the number of entries along some dimensions."""
        sizes: list[Tree] = [Number(dim) if isinstance(dim, int) else Leaf(f"size.{dim}") for dim in dims if dim != 1]
        product: Tree = Number(1)
        for number, size in enumerate(sizes):
            product = Apply("*", (product, size)) if number else size
        return IndexedArray((), product)

    def elementwise(self, head: str, values: Sequence[IndexedArray]) -> IndexedArray:
        """Apply a function to the entries of several arrays, with NumPy's broadcasting.

        Operands with fewer entries than the result get a name, so that they are computed only once.
        """
        dims = self.broadcast([value.dims for value in values])
        shape = without_leading_ones(dims)
        entries = [self.computed_once(v) if without_leading_ones(v.dims) != shape else v for v in values]
        return IndexedArray(dims, Apply(head, tuple(entry.tree for entry in entries)))

    def broadcast(self, shapes: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
        """Return the dimensions of the result of broadcasting."""
        longest = max(len(dims) for dims in shapes)
        padded = [(1,) * (longest - len(dims)) + dims for dims in shapes]
        result = []
        for column in zip(*padded, strict=True):
            different = {dim for dim in column if dim != 1}
            if len(different) > 1:
                raise self.error(f"the shapes {', '.join(map(str, shapes))} cannot be broadcast together")
            result.append(different.pop() if different else 1)
        return tuple(result)

    def product(self, left: IndexedArray, right: IndexedArray) -> IndexedArray:
        """Multiply two matrices: a sum over the axis that they share."""
        if len(left.dims) != 2 or len(right.dims) != 2 or left.dims[1] != right.dims[0]:
            raise self.error(f"it multiplies arrays of the shapes {left.dims} and {right.dims}")
        left, right = self.computed_once(left), self.computed_once(right)
        tree = Apply("*", (with_renamed_axes(left.tree, {"b": "c"}), with_renamed_axes(right.tree, {"a": "c"})))
        return self.intermediate(IndexedArray((left.dims[0], right.dims[1]), tree), "sum", ("c",), left.dims[1])

    def intermediate(
        self, value: IndexedArray, kind: str, over: tuple[str, ...], product: Dim | None = None
    ) -> IndexedArray:
        """Append an operation for an intermediate result of a statement."""
        name = self.unused_name(f"part.{len(self.operations)}")
        self.emit(name, value, kind, over, product)
        out = self.operations[-1].out
        dims = tuple(dim if axis in out else 1 for axis, dim in zip(value.axes, value.dims, strict=True))
        self.dims[name] = dims
        return IndexedArray(dims, Leaf(name, IndexedArray(dims, Number(0)).axes))

    def reduction(self, kind: str, value: IndexedArray, axis: int | None, keepdims: bool) -> IndexedArray:
        """Compute a sum or a maximum along an axis, or over all entries."""
        axes = value.axes if axis is None else (value.axes[axis],)
        result = self.intermediate(value, kind, tuple(a for a in axes if isinstance(a, str)))
        if axis is None:
            return self.squeeze(result, slice(0))
        if keepdims or len(value.dims) < 2:
            return result if keepdims else self.squeeze(result, slice(0))
        if axis in (1, -1):
            raise self.error("a reduction along axis 1 needs keepdims=True")
        return self.squeeze(result, slice(1, None))

    def squeeze(self, value: IndexedArray, kept: slice) -> IndexedArray:
        """Keep some dimensions of the last operation's result, and remove the others, which have one entry."""
        assert isinstance(value.tree, Leaf)
        last, name, dims = self.operations[-1], value.tree.name, value.dims[kept]
        self.operations[-1] = replace(last, out=tuple(a for a in last.out if a in value.tree.axes[kept]))
        self.dims[name] = dims
        return IndexedArray(dims, Leaf(name, IndexedArray(dims, Number(0)).axes))

    def argmax(self, value: IndexedArray, axis: int | None, keepdims: bool) -> IndexedArray:
        """Return the index of the first maximum of each row.

        In a loop over the columns, this is the maximum of the negative indices of the largest entries, with
        the sign changed back.  If an entry is NaN, the index is valid but arbitrary.
        """
        if len(value.dims) != 2 or axis not in (1, -1):
            raise self.error("argmax needs two dimensions and axis=1")
        value = self.computed_once(value)
        if value.dims[0] == "n" and isinstance(value.dims[1], int):  # the columns are unrolled
            index = self.reduction("place", value, axis, True)
            return index if keepdims else self.squeeze(index, slice(1))
        is_less = self.elementwise("<", [value, self.reduction("max", value, axis, True)])
        negative = Apply("where", (is_less.tree, Number(-math.inf), Apply("neg", (Leaf(INDEX, value.axes[1:]),))))
        columns = tuple(a for a in value.axes[1:] if isinstance(a, str))
        first = self.intermediate(IndexedArray(value.dims, negative), "max", columns)
        first = first if keepdims else self.squeeze(first, slice(1))
        return IndexedArray(first.dims, Apply("neg", (first.tree,)))

    # -- calls -----------------------------------------------------------------------------

    def call(self, node: ast.Call) -> IndexedArray:
        """Translate a method such as ``.sum(axis=0)``, a function of NumPy, or a function of the program."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self.numpy(name, node)
            case ast.Attribute(value=inner, attr=name):
                return self.method(name, self.value(inner), node.args, node.keywords)
            case ast.Name(id="sum"):
                return self.python_sum(node)
            case ast.Name(id=name) if name in self.program.functions and not node.keywords:
                return self.elementwise(f"call {name}", [self.value(arg) for arg in node.args])
        raise self.error(f"`{ast.unparse(node.func)}` is not supported")

    def numpy(self, name: str, node: ast.Call) -> IndexedArray:
        """Translate a function of NumPy: an elementwise function or a reduction."""
        if name in METHODS:
            return self.method(name, self.value(node.args[0]), node.args[1:], node.keywords)
        if name not in ELEMENTWISE or node.keywords:
            raise self.error(f"np.{name} is not supported")
        if name in ("ones_like", "zeros_like"):
            return IndexedArray((), Number(float(name == "ones_like")))
        return self.elementwise(name, [self.value(arg) for arg in node.args])

    def method(self, name: str, value: IndexedArray, args: list[ast.expr], keywords: list[ast.keyword]) -> IndexedArray:
        """Translate a method that is a reduction."""
        arguments: dict[str, Any] = {"axis": None, "keepdims": False}
        try:
            arguments |= dict(zip(("axis", "dtype", "out"), map(ast.literal_eval, args), strict=False))
            arguments |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        except ValueError:
            arguments["other"] = True
        is_known = name in METHODS and arguments.keys() == {"axis", "keepdims"}
        if not is_known or arguments["axis"] not in (None, 0, 1, -1):
            raise self.error(f"`.{name}` with the arguments {', '.join(arguments)} is not supported")
        return METHODS[name](self, value, arguments["axis"], arguments["keepdims"])

    def mean(self, value: IndexedArray, axis: int | None, keepdims: bool) -> IndexedArray:
        """Compute the sum divided by the number of entries."""
        count = self.size(value.dims if axis is None else (value.dims[axis],))
        return self.computed_once(self.elementwise("/", [self.reduction("sum", value, axis, keepdims), count]))

    def variance(self, value: IndexedArray, axis: int | None, keepdims: bool) -> IndexedArray:
        """Compute the mean squared deviation from the mean."""
        value = self.computed_once(value)
        deviation = self.computed_once(self.elementwise("-", [value, self.mean(value, axis, True)]))
        return self.mean(self.elementwise("*", [deviation, deviation]), axis, keepdims)

    def python_sum(self, node: ast.Call) -> IndexedArray:
        """Translate Python's ``sum`` of a list of numbers."""
        if len(node.args) != 1 or not isinstance(node.args[0], ast.List):
            raise self.error("`sum` is supported for a list only")
        total = IndexedArray((), Number(0))
        for value in [self.value(element) for element in node.args[0].elts]:
            total = self.elementwise("+", [total, value])
        return total


def without_leading_ones(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Return the dimensions without the first ones that have one entry."""
    while dims and dims[0] == 1:
        dims = dims[1:]
    return dims


def transpose(value: IndexedArray) -> IndexedArray:
    """Exchange the two axes of a matrix."""
    if len(value.dims) != 2:
        return value
    return IndexedArray(value.dims[::-1], with_renamed_axes(value.tree, {"a": "b", "b": "a"}))


Reduction = Callable[[Lowering, IndexedArray, int | None, bool], IndexedArray]
METHODS: dict[str, Reduction] = {
    "sum": lambda lowering, *arguments: lowering.reduction("sum", *arguments),
    "max": lambda lowering, *arguments: lowering.reduction("max", *arguments),
    "argmax": Lowering.argmax,
    "mean": Lowering.mean,
    "var": Lowering.variance,
}
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
# Functions of NumPy whose result depends entry by entry on their arguments.
ELEMENTWISE = frozenset((
    "exp", "expm1", "log", "log1p", "tanh", "sqrt", "abs", "sign", "maximum", "minimum", "where", "heaviside",
    "ones_like", "zeros_like", "sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "arctan2",
    "arcsinh", "arccosh", "arctanh", "exp2", "log2", "log10", "cbrt", "floor", "ceil", "square", "power", "hypot",
    "reciprocal", "logaddexp", "clip",
))  # fmt: skip
