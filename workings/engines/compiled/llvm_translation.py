"""Translation: turns functions of a small part of Python into LLVM's intermediate representation.

The code generator and the kernels are written in it: numbers, contiguous arrays, ``for`` over ``range``, ``while``,
``if``, calls, and nothing that allocates memory.  The types of the arguments determine all other types.  Python's
``ast`` parses the source; ``BUILTINS`` holds the functions that are not translated from source.
"""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workings.engines.compiled.llvm_ir import (
    FLOATS,
    ArrayValue,
    Builder,
    Module,
    Result,
    Value,
    common_kind,
    integer,
    real,
)
from workings.engines.compiled.outlining import (
    Uses,
    accesses_in,
    canonical,
    is_strided_copy,
    loops_to_outline,
    written_by_iteration,
)
from workings.errors import NotCompilableError

FAST = "reassoc nsz arcp contract"  # sums may be reordered, products and sums may be fused, and -0 may be 0
AS_WRITTEN = "nsz contract"
ATTRIBUTES = 'nounwind alignstack(64) "prefer-vector-width"="512"'  # LLVM uses 256 bits otherwise
Kind = str | tuple[str, int]  # the type of an argument; of an array, that of its numbers and its dimensions
INTEGER_OPERATIONS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.RShift: "ashr",
                      ast.BitAnd: "and", ast.BitOr: "or"}  # fmt: skip
REAL_OPERATIONS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
REAL_PREDICATES = {ast.Lt: "olt", ast.LtE: "ole", ast.Gt: "ogt", ast.GtE: "oge", ast.Eq: "oeq", ast.NotEq: "une"}
INTEGER_PREDICATES = {ast.Lt: "slt", ast.LtE: "sle", ast.Gt: "sgt", ast.GtE: "sge", ast.Eq: "eq", ast.NotEq: "ne"}


@dataclass(frozen=True)
class Source:
    """A function to translate: its syntax, the meaning of its free names, and its fast-math flags."""

    tree: ast.FunctionDef
    scope: Mapping[str, object]
    flags: str = FAST
    is_shared: bool = False  # whether other threads change its arrays

    @functools.cached_property
    def body(self) -> list[ast.stmt]:
        """The statements without the docstring."""
        return [s for s in self.tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]

    @functools.cached_property
    def assigned(self) -> Counter[str]:
        """How often each variable is assigned; a parameter has its first value from the call."""
        counts = stores_in(self.tree)
        counts.update(argument.arg for argument in self.tree.args.args)
        return counts

    @functools.cached_property
    def calls_by_address(self) -> bool:
        """Whether it calls functions that reach its arrays by other pointers, too.

        LLVM must know of that, or it moves a store behind the call that reads what was stored.
        """
        used = (self.scope.get(node.id) for node in ast.walk(self.tree) if isinstance(node, ast.Name))
        return any(getattr(value, "__globals__", {}).get("SHARES_MEMORY", False) for value in used)

    @functools.cached_property
    def loops(self) -> dict[int, Uses]:
        """The loops that become functions of their own."""
        return {} if self.is_shared else loops_to_outline(self.tree)

    @functools.cached_property
    def is_straight(self) -> bool:
        """Whether it has no loops and branches, so that calls are replaced by its statements."""
        return all(isinstance(s, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)) for s in self.body)


def stores_in(tree: ast.AST) -> Counter[str]:
    """Count the assignments to each name."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return Counter(node.id for node in names if isinstance(node.ctx, ast.Store))


@functools.cache
def lines_of(module: str) -> list[str]:
    """Return the source of a module."""
    return inspect.getsource(sys.modules[module]).splitlines()


def syntax_of(function: Callable[..., object]) -> ast.FunctionDef:
    """Return the syntax of a function, without parsing the rest of its module."""
    first, *others = lines_of(function.__module__)[function.__code__.co_firstlineno - 1 :]
    own = itertools.takewhile(lambda line: not line or line[0] in " )", others)
    tree = ast.parse("\n".join([first, *own])).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


@functools.cache
def source_of(function: Callable[..., object]) -> Source:
    """Return a function of the kernels as a source; ``flags`` of its module are its fast-math flags."""
    scope = function.__globals__
    return Source(
        syntax_of(function),
        scope,
        scope.get("FLAGS", FAST),
        scope.get("SHARES_MEMORY", False),
    )


@dataclass
class Translator:
    """Translates functions into one module; each is translated once for each combination of argument types."""

    module: Module
    known: dict[object, tuple[str, str]] = field(default_factory=dict)  # -> the function's name and type of its result
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def function(self, source: Source, kinds: tuple[Kind, ...]) -> tuple[str, str]:
        """Translate a function for argument types; return its name in the module, and the type of its result."""
        key = (id(source.tree), kinds)
        if key not in self.known:
            widened: dict[str, str] = {}
            while True:
                writer = FunctionWriter(self, source, widened)
                try:
                    self.known[key] = writer.whole(kinds, f"{source.tree.name}_{next(self.numbers)}")
                    break
                except WiderError as found:
                    widened[found.name] = found.kind
        return self.known[key]


class WiderError(Exception):
    """A variable is assigned a number of a wider type than before."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind


def kinds_of(value: Result) -> Kind:
    """Return the type of an argument; for an array, its number type and its number of dimensions."""
    if isinstance(value, ArrayValue):
        return value.kind, len(value.shape)
    assert isinstance(value, Value)
    return value.kind


def flattened(value: Result) -> list[Value]:
    """Return the numbers by which an argument is passed."""
    if isinstance(value, ArrayValue):
        return [Value("ptr", value.pointer), *value.shape]
    assert isinstance(value, Value)
    return [value]


class Passed:
    """The numbers and arrays that are passed to an outlined loop, each number and pointer once.

    Attributes
    ----------
    inside : list
        The values inside the function.
    outside, parameters : list
        What is passed, and the declarations of the parameters.
    kinds : tuple
        What the function depends on: the types, constants, and equal lengths of arrays.
    """

    def __init__(self, values: Sequence[Result]) -> None:
        self.outside: list[Value] = []
        self.parameters: list[str] = []
        self.known: dict[str, Value] = {}
        self.inside = [self.array(value) if isinstance(value, ArrayValue) else self.number(value) for value in values]
        self.kinds = tuple(map(str, self.inside))

    def number(self, value: Result, attribute: str = "") -> Value:
        """Pass a number or a pointer, unless it is a constant."""
        assert isinstance(value, Value)
        if not value.text.startswith("%"):
            return value
        if value.text not in self.known:
            self.known[value.text] = Value(value.kind, f"%.p{len(self.known)}")
            self.outside.append(value)
            self.parameters.append(f"{value.kind} {attribute}{self.known[value.text].text}")
        return self.known[value.text]

    def array(self, array: ArrayValue) -> ArrayValue:
        """Pass an array; it overlaps with no other one unless its scope is unknown."""
        pointer = self.number(Value("ptr", array.pointer), "" if array.scope is None else "noalias ")
        return ArrayValue(array.kind, pointer.text, tuple(map(self.number, array.shape)))


class FunctionWriter:
    """Translates one function."""

    def __init__(self, translator: Translator, source: Source, widened: dict[str, str]) -> None:
        self.translator, self.source, self.widened = translator, source, widened
        self.builder = Builder(translator.module, source.flags)
        self.names: dict[str, Result] = {}
        self.slots: dict[str, tuple[str, str]] = {}  # variables in memory: their type and pointer
        self.scope: Mapping[str, object] = source.scope
        self.result = "void"
        self.assigned: Counter[str] = Counter()
        self.loops: dict[int, Uses] = {}
        self.is_expanded = False  # whether the statements replace a call

    def whole(self, kinds: tuple[Kind, ...], name: str) -> tuple[str, str]:
        """Translate the function and add it to the module; return its name, and the type of its result."""
        parameters: list[str] = []
        self.assigned, self.loops = self.source.assigned, self.source.loops
        for argument, kind in zip(self.source.tree.args.args, kinds, strict=True):
            self.names[argument.arg] = self.parameter(argument.arg, kind, parameters)
        for argument in self.source.tree.args.args:
            value = self.names[argument.arg]
            if self.assigned[argument.arg] > 1 and isinstance(value, Value):
                self.assign_name(argument.arg, value)
        self.block(self.source.body)
        self.builder.end("ret void" if self.result == "void" else "unreachable")
        self.builder.write_scopes()
        signature = f"internal {self.result} @{name}({', '.join(parameters)})"
        self.translator.module.functions.append(self.builder.text(signature, ATTRIBUTES))
        return name, self.result

    def parameter(self, name: str, kind: Kind, parameters: list[str]) -> Result:
        """Declare a parameter: a number, or the pointer and the shape of an array."""
        if isinstance(kind, str):
            parameters.append(f"{kind} %{name}")
            return Value(kind, f"%{name}")
        shape = tuple(Value("i64", f"%{name}.{axis}") for axis in range(kind[1]))
        is_shared = self.source.is_shared
        attribute = "" if is_shared or self.source.calls_by_address else "noalias "
        parameters += [f"ptr {attribute}%{name}", *map(str, shape)]
        return ArrayValue(kind[0], f"%{name}", shape, None if is_shared else self.builder.new_scope())

    def error(self, node: ast.AST) -> NotCompilableError:
        """Make the error that some code is not part of the language."""
        return NotCompilableError(f"The compiled engine cannot translate `{ast.unparse(node)}`.")

    # -- statements ------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Translate statements."""
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Translate one statement."""
        match node:
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                loaded = self.value(target)
                self.assign(target, self.operation(op, loaded, self.value(value), node))
            case ast.For() if id(node) in self.loops:
                self.call_outlined(node)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=args)):
                bounds = [self.number(arg, "i64") for arg in args]
                start, stop, step = (
                    bounds if len(bounds) == 3 else (*([integer(0)] * (2 - len(bounds))), *bounds, integer(1))
                )
                with self.builder.loop(
                    start, stop, step, self.is_parallel(node), not is_strided_copy(node)
                ) as variable:
                    self.names[name] = variable
                    self.block(node.body)
            case ast.While(test=test, body=body):
                self.loop_while(test, body)
            case ast.If(test=test, body=body, orelse=orelse):
                otherwise = functools.partial(self.block, orelse) if orelse else None
                self.builder.if_else(self.truth(test), functools.partial(self.block, body), otherwise)
            case ast.Return(value=value):
                self.return_value(None if value is None else self.value(value))
            case ast.Expr(value=value):
                self.value(value)
            case ast.Pass():
                pass
            case _:
                raise self.error(node)

    def is_parallel(self, loop: ast.For) -> bool:
        """Whether no iteration of a loop uses an entry of an array that another one writes."""
        written = written_by_iteration(loop)
        if self.source.is_shared or not written:
            return False
        places = Counter(self.place(name) for name in accesses_in(loop))
        return all(places[self.place(name)] == 1 for name in written)

    def place(self, name: str) -> object:
        """Return what arrays have in common that may overlap."""
        array = self.names[name]
        assert isinstance(array, ArrayValue)
        return array.pointer if array.scope is None else array.scope

    def loop_while(self, test: ast.expr, body: Sequence[ast.stmt]) -> None:
        """Translate a loop with a condition."""
        check, inside, after = (self.builder.label() for _ in range(3))
        self.builder.begin(check)
        self.builder.branch(self.truth(test), inside, after)
        self.builder.begin(inside)
        self.block(body)
        self.builder.end(f"br label %{check}")
        self.builder.begin(after)

    def return_value(self, value: Result | None) -> None:
        """Translate a return; all results have the type of the first."""
        if value is None:
            self.builder.end("ret void")
            return
        assert isinstance(value, Value)
        self.result = value.kind if self.result == "void" else self.result
        self.builder.end(f"ret {self.builder.convert(value, self.result)}")

    def assign(self, target: ast.expr, value: Result) -> None:
        """Assign a value to a name, to an entry of an array, or to several of these."""
        match target:
            case ast.Name(id=name):
                self.assign_name(name, value)
            case ast.Tuple(elts=targets):
                assert isinstance(value, tuple)
                for inner, part in zip(targets, value, strict=True):
                    self.assign(inner, part)
            case ast.Subscript(value=array, slice=ast.Constant(value=value_of)) if value_of is Ellipsis:
                self.fill(self.value(array), value)
            case ast.Subscript(value=array, slice=index):
                entry = self.value(array)
                assert isinstance(entry, ArrayValue)
                assert isinstance(value, Value)
                self.builder.store(value, entry, self.indices(index, entry))
            case _:
                raise self.error(target)

    def assign_name(self, name: str, value: Result) -> None:
        """Assign a value to a variable; a number that is assigned several times has a slot."""
        if not isinstance(value, Value) or self.assigned[name] < 2 or self.is_expanded:
            self.names[name] = value
            return
        if name not in self.slots:
            kind = self.widened.get(name, value.kind)
            self.slots[name] = kind, self.builder.slot(kind, f"{name}.slot")
        kind, pointer = self.slots[name]
        common = common_kind([kind, value.kind])
        if common != kind:
            raise WiderError(name, common)
        self.builder.do(f"store {self.builder.convert(value, kind)}, ptr {pointer}")

    def fill(self, array: Result, value: Result) -> None:
        """Set all entries of an array to a number."""
        assert isinstance(array, ArrayValue)
        assert isinstance(value, Value)
        filling = ast.parse("for i in range(size): array[i] = number").body[0]
        assert isinstance(filling, ast.For)
        flat = ArrayValue(array.kind, array.pointer, (self.size(array),), array.scope)
        names: dict[str, Result] = {
            "array": flat,
            "size": flat.shape[0],
            "number": self.builder.convert(value, array.kind),
        }
        self.call_as_function(filling, names, set())

    def size(self, array: ArrayValue) -> Value:
        """Return the number of entries of an array."""
        return functools.reduce(self.builder.times, array.shape, integer(1))

    def call_outlined(self, loop: ast.For) -> None:
        """Call the function that a loop has become."""
        uses = self.loops[id(loop)]
        free = [name for name in uses.before if name in self.names or name in self.slots]
        self.call_as_function(loop, {name: self.named(name, loop) for name in free}, uses.written)

    def call_as_function(self, loop: ast.For, names: dict[str, Result], written: set[str]) -> None:
        """Translate a loop as a function, if no equal one exists, and call it."""
        passed = Passed(list(names.values()))
        key = canonical(loop, list(names), written), passed.kinds
        known = self.translator.known
        if key not in known:
            names = dict(zip(names, passed.inside, strict=True))
            known[key] = FunctionWriter(self.translator, self.source, self.widened).loop_function(loop, names, passed)
        self.builder.call(known[key][0], "void", passed.outside)

    def loop_function(self, loop: ast.For, names: dict[str, Result], passed: Passed) -> tuple[str, str]:
        """Translate a loop as a function; return its name, and the type of its result."""
        self.names, self.assigned = names, stores_in(loop)
        name = f"loop_{next(self.translator.numbers)}"
        self.statement(loop)
        self.builder.end("ret void")
        signature = f"internal void @{name}({', '.join(passed.parameters)})"
        self.translator.module.functions.append(self.builder.text(signature, f"noinline {ATTRIBUTES}"))
        return name, "void"

    # -- expressions -------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Result:
        """Translate an expression."""
        match node:
            case ast.Constant(value=number):
                return constant(number)
            case ast.Name(id=name):
                return self.named(name, node)
            case ast.Tuple(elts=elements):
                return tuple(self.value(element) for element in elements)
            case ast.BinOp(left=left, op=op, right=right):
                return self.operation(op, self.value(left), self.value(right), node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.negative(self.value(operand))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.builder.op("xor", self.truth(operand), Value("i1", "1"))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.comparison(op, self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=values):
                name = "and" if isinstance(op, ast.And) else "or"
                return functools.reduce(lambda a, b: self.builder.op(name, a, b), map(self.truth, values))
            case ast.IfExp(test=test, body=yes, orelse=no):
                return self.chosen(self.truth(test), self.value(yes), self.value(no))
            case ast.Subscript(value=array, slice=index):
                return self.subscript(self.value(array), index)
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                return constant(getattr(self.scope["np"], name))
            case ast.Attribute(value=array, attr=("shape" | "size") as name):
                entry = self.value(array)
                assert isinstance(entry, ArrayValue)
                return entry.shape if name == "shape" else self.size(entry)
            case ast.Call(func=function, args=args, keywords=[]):
                return self.call(function, args, node)
        raise self.error(node)

    def number(self, node: ast.expr, kind: str | None = None) -> Value:
        """Translate an expression whose value is a number."""
        value = self.value(node)
        assert isinstance(value, Value)
        return value if kind is None else self.builder.convert(value, kind)

    def truth(self, node: ast.expr) -> Value:
        """Translate a condition."""
        return self.number(node, "i1")

    def named(self, name: str, node: ast.AST) -> Result:
        """Return the value of a name: of a variable or of a constant."""
        if name in self.names:
            return self.names[name]
        if name in self.slots:
            kind, pointer = self.slots[name]
            return Value(kind, self.builder.emit(f"load {kind}, ptr {pointer}"))
        if name not in self.scope:
            raise self.error(node)
        return constant(self.scope[name])

    def operation(self, op: ast.operator, left: Result, right: Result, node: ast.AST) -> Value:
        """Apply an arithmetic operation."""
        assert isinstance(left, Value)
        assert isinstance(right, Value)
        builder = self.builder
        left, right = builder.together([left, right])
        if left.kind == "i1":
            left, right = (builder.convert(value, "i64") for value in (left, right))
        if isinstance(op, ast.Pow):
            left, right = (builder.convert(v, "double") if v.kind not in FLOATS else v for v in (left, right))
            return builder.external(intrinsic("pow", left.kind), left.kind, [left, right])
        if isinstance(op, ast.Div) and left.kind not in FLOATS:
            left, right = (builder.convert(value, "double") for value in (left, right))
        names: Mapping[type[ast.operator], str] = REAL_OPERATIONS if left.kind in FLOATS else INTEGER_OPERATIONS
        if type(op) in names:
            return builder.op(names[type(op)], left, right)
        if isinstance(op, (ast.FloorDiv, ast.Mod)):
            return self.floor_division(left, right, isinstance(op, ast.Mod))
        raise self.error(node)

    def floor_division(self, left: Value, right: Value, is_remainder: bool) -> Value:
        """Divide integers as Python does: the remainder has the sign of the divisor, which is positive here."""
        builder = self.builder
        remainder = builder.op("srem", left, right)
        is_negative = builder.compare("slt", remainder, integer(0))
        if is_remainder:
            return builder.op("add", remainder, builder.select(is_negative, right, integer(0)))
        below = builder.select(is_negative, integer(-1), integer(0))
        return builder.op("add", builder.op("sdiv", left, right), below)

    def negative(self, value: Result) -> Value:
        """Change the sign."""
        assert isinstance(value, Value)
        if value.kind in FLOATS:
            if value.text.startswith("0x"):
                return Value(value.kind, f"0x{int(value.text, 16) ^ 1 << 63:016X}")
            return Value(value.kind, self.builder.emit(f"fneg {self.builder.flags} {value}"))
        return integer(-int(value.text)) if value.text.isdigit() else self.builder.op("sub", integer(0), value)

    def comparison(self, op: ast.cmpop, left: Result, right: Result) -> Value:
        """Compare two numbers."""
        assert isinstance(left, Value)
        assert isinstance(right, Value)
        left, right = self.builder.together([left, right])
        predicates: Mapping[type[ast.cmpop], str] = REAL_PREDICATES if left.kind in FLOATS else INTEGER_PREDICATES
        return self.builder.compare(predicates[type(op)], left, right)

    def chosen(self, condition: Value, yes: Result, no: Result) -> Result:
        """Choose one of two numbers, or of two tuples of numbers; both are computed."""
        if isinstance(yes, tuple):
            assert isinstance(no, tuple)
            return tuple(self.chosen(condition, a, b) for a, b in zip(yes, no, strict=True))
        assert isinstance(yes, Value)
        assert isinstance(no, Value)
        yes, no = self.builder.together([yes, no])
        return self.builder.select(condition, yes, no)

    def indices(self, index: ast.expr, array: ArrayValue) -> list[Value]:
        """Translate an index; a negative constant counts from the end."""
        numbers = [self.number(i, "i64") for i in (index.elts if isinstance(index, ast.Tuple) else [index])]
        return [
            self.builder.op("add", length, number) if number.text.startswith("-") else number
            for number, length in zip(numbers, array.shape, strict=False)
        ]

    def subscript(self, value: Result, index: ast.expr) -> Result:
        """Read an entry of an array or of a tuple, or return a part of an array."""
        if isinstance(value, tuple):
            return value[int(ast.literal_eval(index))]
        assert isinstance(value, ArrayValue)
        builder = self.builder
        if isinstance(index, ast.Tuple) and isinstance(index.elts[-1], ast.Slice):  # array[step, start:stop]
            return self.subscript(self.subscript(value, index.elts[0]), index.elts[1])
        if isinstance(index, ast.Slice):
            assert index.lower is not None
            start = self.number(index.lower, "i64")
            stop = value.shape[0] if index.upper is None else self.number(index.upper, "i64")
            return builder.part(value, start, (builder.op("sub", stop, start), *value.shape[1:]))
        indices = self.indices(index, value)
        if len(indices) < len(value.shape):
            return builder.part(value, indices[0], value.shape[1:])
        return builder.load(value, indices)

    # -- calls ---------------------------------------------------------------------------------------

    def call(self, function: ast.expr, args: Sequence[ast.expr], node: ast.AST) -> Result:
        """Translate a call."""
        match function:
            case ast.Attribute(value=inner, attr="view"):
                return self.bits(self.number(inner), args[0])
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                meaning = getattr(self.scope[module], name)
            case ast.Name(id=name):
                meaning = self.scope.get(name, BUILTIN_NAMES.get(name))
            case _:
                raise self.error(node)
        arguments = [self.value(arg) for arg in args]
        if isinstance(meaning, type) and hasattr(meaning, "dtype"):
            (number,) = arguments
            assert isinstance(number, Value)
            return self.builder.convert(number, KINDS[meaning.__name__])
        if not isinstance(meaning, Source) and meaning in BUILTINS:
            return BUILTINS[meaning](self, *arguments)
        if isinstance(meaning, (Source, type(constant))):
            return self.call_source(meaning if isinstance(meaning, Source) else source_of(meaning), arguments)
        raise self.error(node)

    def bits(self, value: Value, dtype: ast.expr) -> Value:
        """Interpret the bits of a number as another type."""
        assert isinstance(dtype, ast.Attribute)
        kind = KINDS[dtype.attr]
        return Value(kind, self.builder.emit(f"bitcast {value} to {kind}"))

    def call_source(self, source: Source, arguments: Sequence[Result]) -> Result:
        """Call a function of the language; a straight one is expanded in place."""
        if source.is_straight:
            return self.expanded(source, arguments)
        name, result = self.translator.function(source, tuple(map(kinds_of, arguments)))
        return self.builder.call(name, result, [part for argument in arguments for part in flattened(argument)])

    def expanded(self, source: Source, arguments: Sequence[Result]) -> Result:
        """Translate the statements of a function in the place of a call."""
        kept = self.names, self.slots, self.scope, self.builder.flags, self.is_expanded
        names = [argument.arg for argument in source.tree.args.args]
        self.names, self.slots = dict(zip(names, arguments, strict=True)), {}
        self.scope, self.builder.flags, self.is_expanded = source.scope, source.flags, True
        result: Result = ()
        for statement in source.body:
            if isinstance(statement, ast.Return):
                assert statement.value is not None
                result = self.value(statement.value)
            else:
                self.statement(statement)
        self.names, self.slots, self.scope, self.builder.flags, self.is_expanded = kept
        return result


def constant(number: object) -> Value:
    """Return a constant of Python or NumPy."""
    if isinstance(number, bool):
        return Value("i1", str(int(number)))
    if isinstance(number, int):
        return integer(number)
    if isinstance(number, float) and type(number).__name__ in ("float", "float64"):
        return real(float(number))
    kind = KINDS[type(number).__name__]
    assert isinstance(number, (np.floating, np.integer))
    return real(float(number), kind) if kind in FLOATS else Value(kind, str(int(number)))


KINDS = {"float64": "double", "float32": "float", "int64": "i64", "int32": "i32", "uint8": "i8"}
SHORT = {"double": "f64", "float": "f32"}


def intrinsic(name: str, kind: str) -> str:
    """Return the name of one of LLVM's functions for a type of numbers."""
    return f"llvm.{name}.{SHORT[kind]}"


Builtin = Callable[..., Result]  # of a FunctionWriter and the arguments
BUILTINS: dict[object, Builtin] = {}
BUILTIN_NAMES: dict[str, object] = {"min": min, "abs": abs, "len": len}


def builtin(*meanings: object) -> Callable[[Builtin], Builtin]:
    """Register the translation of functions."""

    def register(function: Builtin) -> Builtin:
        BUILTINS.update(dict.fromkeys(meanings, function))
        return function

    return register


@builtin(min)
def least(writer: FunctionWriter, *numbers: Value) -> Result:
    """Translate ``min`` of two integers."""
    a, b = writer.builder.together(numbers)
    return writer.builder.select(writer.builder.compare("slt", a, b), a, b)


@builtin(len)
def length(writer: FunctionWriter, array: ArrayValue) -> Result:
    """Translate ``len``."""
    return array.shape[0]
