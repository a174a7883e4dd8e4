"""Operations: the program in index notation, as a compiler wants it.

A statement such as ``dW1 = X.T @ dz1 + lam * W1`` speaks of whole arrays.  Here it becomes two
operations that say what happens to single entries: ``t[a, b] = sum over c of X[c, a] * dz1[c, b]``,
then ``dW1[a, b] = t[a, b] + lam * W1[a, b]``.  An operation is a map or a reduction over named axes;
products of matrices are sums like any other.  No formula is known here: what is read is the
program, and what cannot be read is refused by its name.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workings.errors import NotCompilableError
from workings.program.program import Program, Statement

Dim = str | int  # "n" for rows, "d1", "d2" … for sizes known when it runs, a number for small sizes
Axis = str | int  # "a", "b", "c" for an axis that an operation runs along, 0 where there is one entry only


@dataclass(frozen=True)
class Number:
    """A constant that stands in the program."""

    value: float


@dataclass(frozen=True)
class Leaf:
    """One entry of a named array (or a scalar, with no axes)."""

    name: str
    axes: tuple[Axis, ...] = ()


INDEX = "axis.index"  # the leaf that is the number of its own place along its axis


@dataclass(frozen=True)
class Apply:
    """A function of entries: an operator such as ``+``, or an elementwise function by name."""

    head: str
    args: tuple[Tree, ...]


Tree = Number | Leaf | Apply


def leaves(tree: Tree) -> Iterable[Leaf]:
    """All entries that a tree reads."""
    if isinstance(tree, Apply):
        return itertools.chain.from_iterable(leaves(arg) for arg in tree.args)
    return (tree,) if isinstance(tree, Leaf) else ()


def moved(tree: Tree, axes: Mapping[Axis, Axis]) -> Tree:
    """The same tree with other names for its axes."""
    if isinstance(tree, Apply):
        return Apply(tree.head, tuple(moved(arg, axes) for arg in tree.args))
    return Leaf(tree.name, tuple(axes.get(axis, axis) for axis in tree.axes)) if isinstance(tree, Leaf) else tree


@dataclass(frozen=True)
class Value:
    """What an expression of arrays is: its dimensions, and each entry as a tree over the axes a and b.

    The last dimension is axis ``b``, the one before it axis ``a``, as NumPy aligns them.
    """

    dims: tuple[Dim, ...]
    tree: Tree

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axis of each dimension; 0 where there is one entry only."""
        return tuple(0 if dim == 1 else axis for axis, dim in zip("ab"[2 - len(self.dims) :], self.dims, strict=True))


@dataclass(frozen=True)
class Operation:
    """``target[out] = tree``, or a sum or a maximum of it over the axes ``over``.

    Attributes
    ----------
    target : str
        The name of the result.
    out, over : tuple of axes
        The axes of the result, and those that are reduced.
    dims : mapping of axis to dimension
    kind : str
        ``"map"``, ``"sum"``, ``"max"``, or ``"place"``: that of the first largest of entries that are written out.
    tree : Tree
        The entry.
    is_product : bool
        Whether this is a product of two matrices, which may be computed in tiles.
    statement : str
        The statement it came from, for people.
    by_itself : bool
        Whether it has a loop of its own, because it would keep others from being vectorized.
    scale : Tree or None
        For a product that is added, times this, to what its target had before.
    """

    target: str
    out: tuple[Axis, ...]
    over: tuple[str, ...]
    dims: Mapping[str, Dim]
    kind: str
    tree: Tree
    is_product: bool = False
    statement: str = ""
    by_itself: bool = False
    scale: Tree | None = None

    @property
    def reads(self) -> frozenset[str]:
        """The names it needs."""
        return frozenset(leaf.name for leaf in leaves(self.tree))


@dataclass
class Lowering:
    """Turns statements into operations, one after the other.

    ``current`` says under which name the newest value of a name is kept: a statement that computes
    a name anew gives it another one, so that each name has one value.
    """

    program: Program
    dims: dict[str, tuple[Dim, ...]]
    operations: list[Operation] = field(default_factory=list)
    current: dict[str, str] = field(default_factory=dict)
    statement: str = ""
    reader: str = "The compiled engine"

    def run(self) -> None:
        """Read all statements."""
        for statement in self.program.statements:
            self.statement = str(statement)
            self.read(statement)

    def read(self, statement: Statement) -> None:
        """Read one statement."""
        value = self.value(statement.tree)
        known = self.dims.get(statement.target)
        if known is not None and statement.target in self.program.carried and known != value.dims:
            raise self.refusal(f"it changes the shape of {statement.target}")
        last = self.operations[-1] if self.operations else None
        name = self.fresh(statement.target)
        if last is not None and value.tree == Leaf(last.target, value.axes) and "." in last.target:
            self.operations[-1] = replace(last, target=name)  # the operation just written is the whole statement
        else:
            self.emit(name, value, "map")
        self.dims[name] = value.dims
        self.current[statement.target] = name

    def fresh(self, wanted: str) -> str:
        """A name that no value has yet; the parts of a statement have a dot in their names."""
        taken = {*self.dims, *(operation.target for operation in self.operations)}
        names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
        return next(name for name in names if name not in taken)

    def emit(self, name: str, value: Value, kind: str, over: tuple[str, ...] = (), product: Dim | None = None) -> None:
        """Write one operation."""
        dims = {axis: dim for axis, dim in zip(value.axes, value.dims, strict=True) if isinstance(axis, str)}
        if product is not None and product != 1:
            dims["c"] = product
        over = tuple(axis for axis in over if axis in dims)
        out = tuple(axis for axis in dims if axis not in over and axis != "c")
        is_product = product is not None
        tree = value.tree if dims.get("c") or not is_product else moved(value.tree, {"c": 0})
        self.operations.append(Operation(name, out, over, dims, kind, tree, is_product, self.statement))

    def hand_back(self, name: str) -> str:
        """Add an operation that reads a name entry by entry, to be written where it is wanted."""
        value, target = self.entry(name), self.fresh(f"output.{name}")
        self.emit(target, value, "map")
        self.operations[-1] = replace(self.operations[-1], by_itself=value.dims[1:] not in ((), (1,)))
        self.dims[target] = value.dims
        return target

    def named(self, value: Value) -> Value:
        """The same value under a name of its own, so that it is computed once."""
        if isinstance(value.tree, (Leaf, Number)):
            return value
        name = self.fresh(f"part.{len(self.operations)}")
        self.emit(name, value, "map")
        self.dims[name] = value.dims
        return Value(value.dims, Leaf(name, value.axes))

    def refusal(self, why: str) -> NotCompilableError:
        """Say which statement cannot be compiled, and why."""
        return NotCompilableError(f"{self.reader} cannot take `{self.statement}`: {why}.")

    # -- expressions -----------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """Read an expression."""
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return Value((), Number(number))
            case ast.Name(id=name):
                return self.entry(name)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return Value((), Number(-number))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.combined("neg", [self.value(inner)])
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.product(self.value(left), self.value(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return self.combined(OPERATORS[type(op)], [self.value(left), self.value(right)])
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return self.combined(COMPARISONS[type(op)], [self.value(left), self.value(right)])
            case ast.Attribute(value=inner, attr="T"):
                return transposed(self.value(inner))
            case ast.Attribute(value=inner, attr="size"):
                return self.size(self.value(inner).dims)
            case ast.Subscript(value=ast.Attribute(value=inner, attr="shape"), slice=ast.Constant(value=int() as axis)):
                return self.size(self.value(inner).dims[axis : axis + 1 or None])
            case ast.Call():
                return self.call(node)
        raise self.refusal(f"`{ast.unparse(node)}` is nothing that it knows how to compile")

    def entry(self, name: str) -> Value:
        """A name of the program."""
        known = self.current.get(name, name)
        if known not in self.dims:
            raise self.refusal(f"the name {name!r} is not known")
        dims = self.dims[known]
        return Value(dims, Leaf(known, Value(dims, Number(0)).axes))

    def size(self, dims: Sequence[Dim]) -> Value:
        """How many entries there are along some dimensions."""
        sizes: list[Tree] = [Number(dim) if isinstance(dim, int) else Leaf(f"size.{dim}") for dim in dims if dim != 1]
        whole: Tree = Number(1)
        for number, size in enumerate(sizes):
            whole = Apply("*", (whole, size)) if number else size
        return Value((), whole)

    def combined(self, head: str, values: Sequence[Value]) -> Value:
        """A function of entries of several arrays, broadcast as NumPy does.

        Parts with fewer entries than the whole get a name, so that they are computed once.
        """
        dims = self.broadcast([value.dims for value in values])
        entries = [self.named(v) if counted(v.dims) != counted(dims) else v for v in values]
        return Value(dims, Apply(head, tuple(entry.tree for entry in entries)))

    def broadcast(self, shapes: Sequence[tuple[Dim, ...]]) -> tuple[Dim, ...]:
        """The dimensions of a combination."""
        longest = max(len(dims) for dims in shapes)
        padded = [(1,) * (longest - len(dims)) + dims for dims in shapes]
        result = []
        for column in zip(*padded, strict=True):
            different = {dim for dim in column if dim != 1}
            if len(different) > 1:
                raise self.refusal(f"its shapes {', '.join(map(str, shapes))} do not fit together")
            result.append(different.pop() if different else 1)
        return tuple(result)

    def product(self, left: Value, right: Value) -> Value:
        """A product of two matrices: a sum over the axis that they share."""
        if len(left.dims) != 2 or len(right.dims) != 2 or left.dims[1] != right.dims[0]:
            raise self.refusal(f"it multiplies arrays of the shapes {left.dims} and {right.dims}")
        left, right = self.named(left), self.named(right)
        tree = Apply("*", (moved(left.tree, {"b": "c"}), moved(right.tree, {"a": "c"})))
        return self.part(Value((left.dims[0], right.dims[1]), tree), "sum", ("c",), left.dims[1])

    def part(self, value: Value, kind: str, over: tuple[str, ...], product: Dim | None = None) -> Value:
        """A part of a statement that needs an operation of its own."""
        name = self.fresh(f"part.{len(self.operations)}")
        self.emit(name, value, kind, over, product)
        out = self.operations[-1].out
        dims = tuple(dim if axis in out else 1 for axis, dim in zip(value.axes, value.dims, strict=True))
        self.dims[name] = dims
        return Value(dims, Leaf(name, Value(dims, Number(0)).axes))

    def reduction(self, kind: str, value: Value, axis: int | None, keepdims: bool) -> Value:
        """A sum or a maximum along an axis, or over everything."""
        axes = value.axes if axis is None else (value.axes[axis],)
        whole = self.part(value, kind, tuple(a for a in axes if isinstance(a, str)))
        if axis is None:
            return self.without(whole, slice(0))
        if keepdims or len(value.dims) < 2:
            return whole if keepdims else self.without(whole, slice(0))
        if axis in (1, -1):
            raise self.refusal("a reduction along axis 1 needs keepdims=True")
        return self.without(whole, slice(1, None))

    def without(self, value: Value, kept: slice) -> Value:
        """The same entries with some of their dimensions; along the others there is one entry."""
        assert isinstance(value.tree, Leaf)
        last, name, dims = self.operations[-1], value.tree.name, value.dims[kept]
        self.operations[-1] = replace(last, out=tuple(a for a in last.out if a in value.tree.axes[kept]))
        self.dims[name] = dims
        return Value(dims, Leaf(name, Value(dims, Number(0)).axes))

    def first_largest(self, value: Value, axis: int | None, keepdims: bool) -> Value:
        """The place of the largest entry, and of the first where several are.

        Where the columns are looped over, it is the largest of minus the places of the largest.  Where an entry is not
        a number, nothing is said of the place but that it is one.
        """
        if len(value.dims) != 2 or axis not in (1, -1):
            raise self.refusal("argmax needs two dimensions and axis=1")
        value = self.named(value)
        if value.dims[0] == "n" and isinstance(value.dims[1], int):  # they are written out
            place = self.reduction("place", value, axis, True)
            return place if keepdims else self.without(place, slice(1))
        is_less = self.combined("<", [value, self.reduction("max", value, axis, True)])
        places = Apply("where", (is_less.tree, Number(-math.inf), Apply("neg", (Leaf(INDEX, value.axes[1:]),))))
        first = self.part(Value(value.dims, places), "max", tuple(a for a in value.axes[1:] if isinstance(a, str)))
        first = first if keepdims else self.without(first, slice(1))
        return Value(first.dims, Apply("neg", (first.tree,)))

    # -- calls -----------------------------------------------------------------------------

    def call(self, node: ast.Call) -> Value:
        """A method such as ``.sum(axis=0)``, a function of NumPy, or one that the program brings."""
        match node.func:
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return self.numpy(name, node)
            case ast.Attribute(value=inner, attr=name):
                return self.method(name, self.value(inner), node.args, node.keywords)
            case ast.Name(id="sum"):
                return self.total(node)
            case ast.Name(id=name) if name in self.program.functions and not node.keywords:
                return self.combined(f"call {name}", [self.value(arg) for arg in node.args])
        raise self.refusal(f"`{ast.unparse(node.func)}` is nothing that it knows how to compile")

    def numpy(self, name: str, node: ast.Call) -> Value:
        """A function of NumPy: elementwise, or a reduction."""
        if name in METHODS:
            return self.method(name, self.value(node.args[0]), node.args[1:], node.keywords)
        if name not in ELEMENTWISE or node.keywords:
            raise self.refusal(f"np.{name} is not one of the functions that it knows")
        if name in ("ones_like", "zeros_like"):
            return Value((), Number(float(name == "ones_like")))
        return self.combined(name, [self.value(arg) for arg in node.args])

    def method(self, name: str, value: Value, args: list[ast.expr], keywords: list[ast.keyword]) -> Value:
        """A reduction by its name."""
        given: dict[str, Any] = {"axis": None, "keepdims": False}
        try:
            given |= dict(zip(("axis", "dtype", "out"), map(ast.literal_eval, args), strict=False))
            given |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
        except ValueError:
            given["other"] = True
        if name not in METHODS or given.keys() != {"axis", "keepdims"} or given["axis"] not in (None, 0, 1, -1):
            raise self.refusal(f"`.{name}` with {', '.join(given)} is nothing that it knows how to compile")
        return METHODS[name](self, value, given["axis"], given["keepdims"])

    def mean(self, value: Value, axis: int | None, keepdims: bool) -> Value:
        """The sum by the number of entries."""
        count = self.size(value.dims if axis is None else (value.dims[axis],))
        return self.named(self.combined("/", [self.reduction("sum", value, axis, keepdims), count]))

    def variance(self, value: Value, axis: int | None, keepdims: bool) -> Value:
        """The mean square of what differs from the mean."""
        value = self.named(value)
        away = self.named(self.combined("-", [value, self.mean(value, axis, True)]))
        return self.mean(self.combined("*", [away, away]), axis, keepdims)

    def total(self, node: ast.Call) -> Value:
        """Python's ``sum`` of a list of numbers."""
        if len(node.args) != 1 or not isinstance(node.args[0], ast.List):
            raise self.refusal("`sum` takes a list here")
        values = [self.value(element) for element in node.args[0].elts]
        whole = Value((), Number(0))
        for value in values:
            whole = self.combined("+", [whole, value])
        return whole


def counted(dims: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The dimensions along which there is more than one entry, with those of one entry after them kept."""
    while dims and dims[0] == 1:
        dims = dims[1:]
    return dims


def transposed(value: Value) -> Value:
    """The same entries with rows for columns."""
    return Value(value.dims[::-1], moved(value.tree, {"a": "b", "b": "a"})) if len(value.dims) == 2 else value


Reduction = Callable[[Lowering, Value, int | None, bool], Value]
METHODS: dict[str, Reduction] = {
    "sum": lambda lowering, *given: lowering.reduction("sum", *given),
    "max": lambda lowering, *given: lowering.reduction("max", *given),
    "argmax": Lowering.first_largest,
    "mean": Lowering.mean,
    "var": Lowering.variance,
}
OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
# Functions of NumPy of which an entry of the result depends on the same entry of what goes in.
ELEMENTWISE = frozenset((
    "exp", "expm1", "log", "log1p", "tanh", "sqrt", "abs", "sign", "maximum", "minimum", "where", "heaviside",
    "ones_like", "zeros_like", "sin", "cos", "tan", "sinh", "cosh", "arctan", "arcsin", "arccos", "arctan2",
    "arcsinh", "arccosh", "arctanh", "exp2", "log2", "log10", "cbrt", "floor", "ceil", "square", "power", "hypot",
    "reciprocal", "logaddexp", "clip",
))  # fmt: skip
