"""LLVM's intermediate representation: values, and a builder that writes the instructions of one function as text.

A scalar or a vector is a ``Value``: its LLVM type and its name or constant.  An array is an ``ArrayValue``: a pointer,
a shape, and a scope, which tells LLVM that different arrays do not overlap.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

BITS = {"i1": 1, "i8": 8, "i32": 32, "i64": 64, "float": 32, "double": 64}
RANK = {kind: rank for rank, kind in enumerate(("i1", "i8", "i32", "i64", "float", "double"))}
WIDER = {frozenset(("i64", "float")): "double"}  # as in NumPy; other pairs have the type of the higher rank
FLOATS = ("float", "double")


@dataclass(frozen=True)
class Value:
    """A number or a vector: its LLVM type, and the text that refers to it."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.text}"


@dataclass(frozen=True)
class ArrayValue:
    """A contiguous array: the LLVM type of its numbers, its pointer, its shape, and its scope (None: unknown)."""

    kind: str
    pointer: str
    shape: tuple[Value, ...]
    scope: int | None = None


Result = Value | ArrayValue | tuple["Result", ...]


def integer(number: int) -> Value:
    """Return an integer constant.

    >>> str(integer(3))
    'i64 3'
    """
    return Value("i64", str(number))


def real(number: float, kind: str = "double") -> Value:
    """Return a floating-point constant; LLVM writes single precision with the bits of double precision, too.

    >>> str(real(0.5))
    'double 0x3FE0000000000000'
    """
    if kind == "float" and math.isfinite(number):
        number = struct.unpack("f", struct.pack("f", number))[0]
    return Value(kind, f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}")


def common_kind(kinds: Sequence[str]) -> str:
    """Return the type of a result of numbers of several types.

    >>> common_kind(["float", "double"]), common_kind(["i64", "float"]), common_kind(["i1", "i64"])
    ('double', 'double', 'i64')
    """
    wide = kinds[0]
    for kind in kinds[1:]:
        wide = WIDER.get(frozenset((wide, kind)), max(wide, kind, key=RANK.__getitem__))
    return wide


ONE = integer(1)
# Metadata of loops for LLVM.  Without the first, a loop that LLVM cannot vectorize gets eight copies of its body.
NOT_UNROLLED = '!{!"llvm.loop.unroll.runtime.disable"}'  # unless the number of iterations is a constant
NOT_VECTORIZED = '!{!"llvm.loop.vectorize.enable", i1 false}'


class LoopValues(list[Value]):
    """The values that go from one iteration of a loop to the next, and the loop variable."""

    variable: Value


@dataclass(frozen=True)
class Variable:
    """A number in memory that changes; LLVM turns it into registers."""

    builder: Builder
    kind: str
    pointer: str

    def load(self) -> Value:
        """Return its value."""
        return Value(self.kind, self.builder.emit(f"load {self.kind}, ptr {self.pointer}"))

    def store(self, value: Value) -> None:
        """Change its value."""
        self.builder.do(f"store {value}, ptr {self.pointer}")


@dataclass
class Module:
    """The text of a module: its functions, declarations of external functions, and metadata."""

    header: str
    functions: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    metadata: list[str] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)  # the nodes of properties of loops, by their content

    def node(self, content: str) -> str:
        """Add a metadata node; return its name."""
        self.metadata.append(content)
        return f"!{len(self.metadata) - 1}"

    def property(self, content: str) -> str:
        """Return the metadata node of a property of loops."""
        if content not in self.properties:
            self.properties[content] = self.node(content)
        return self.properties[content]

    def declare(self, name: str, result: str, kinds: Sequence[str]) -> None:
        """Declare an external function."""
        self.declared[name] = f"declare {result} @{name}({', '.join(kinds)})"

    def text(self) -> str:
        """Return the whole module."""
        metadata = [f"!{number} = {content}" for number, content in enumerate(self.metadata)]
        return "\n".join([self.header, *self.declared.values(), *self.functions, *metadata, ""])


class Builder:
    """Writes the instructions of one function.

    Parameters
    ----------
    module : Module
    flags : str
        What LLVM may assume when it transforms sums and products of floating-point numbers ("fast-math flags").
    """

    def __init__(self, module: Module, flags: str = "") -> None:
        self.module, self.flags = module, flags
        self.lines: list[str] = []
        self.slots: list[str] = []  # instructions at the function's beginning
        self.count = 0
        self.block = "start"
        self.is_closed = False  # whether the current block has ended
        self.scopes: list[tuple[str, str]] = []  # for each array: the list with its scope, and with all others
        self.domain = ""
        self.access_group = ""  # of the current loop, if its iterations use different entries of arrays

    # -- instructions --------------------------------------------------------------------------

    def emit(self, instruction: str) -> str:
        """Write an instruction with a result; return the name of the result."""
        self.count += 1
        self.lines.append(f"  %.{self.count} = {instruction}")
        return f"%.{self.count}"

    def do(self, instruction: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {instruction}")

    def op(self, name: str, left: Value, right: Value) -> Value:
        """Apply an operation to two values of one type."""
        flags = f" {self.flags}" if name[0] == "f" and self.flags else ""
        return Value(left.kind, self.emit(f"{name}{flags} {left}, {right.text}"))

    def compare(self, predicate: str, left: Value, right: Value) -> Value:
        """Compare two values of one type."""
        flags = f" {self.flags}" if self.flags and left.kind in FLOATS else ""
        name = f"fcmp{flags}" if left.kind in FLOATS else "icmp"
        lanes = left.kind.split(" x ")[0] + " x i1>" if left.kind.startswith("<") else "i1"
        return Value(lanes, self.emit(f"{name} {predicate} {left}, {right.text}"))

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """Choose one of two values."""
        return Value(yes.kind, self.emit(f"select {condition}, {yes}, {no}"))

    def call(self, name: str, result: str, arguments: Sequence[Value]) -> Value:
        """Call a function by name."""
        flags = f" {self.flags}" if self.flags and result in FLOATS else ""
        text = f"call{flags} {result} @{name}({', '.join(map(str, arguments))})"
        if result == "void":
            self.do(text)
            return integer(0)
        return Value(result, self.emit(text))

    def external(self, name: str, result: str, arguments: Sequence[Value]) -> Value:
        """Call a function that LLVM or the C library provides."""
        self.module.declare(name, result, [argument.kind for argument in arguments])
        return self.call(name, result, arguments)

    def convert(self, value: Value, kind: str) -> Value:
        """Convert a number to another type."""
        if value.kind == kind:
            return value
        if value.text.startswith("0x") and kind in FLOATS and value.kind in FLOATS:
            return real(struct.unpack("d", struct.pack("Q", int(value.text, 16)))[0], kind)
        if kind in FLOATS and value.text.lstrip("-").isdigit():
            return real(float(value.text), kind)
        if kind == "i1":
            zero = real(0, value.kind) if value.kind in FLOATS else Value(value.kind, "0")
            return self.compare("une" if value.kind in FLOATS else "ne", value, zero)
        return Value(kind, self.emit(f"{conversion(value.kind, kind)} {value} to {kind}"))

    def together(self, values: Sequence[Value]) -> list[Value]:
        """Convert numbers to their common type."""
        kind = common_kind([value.kind for value in values])
        return [self.convert(value, kind) for value in values]

    # -- memory --------------------------------------------------------------------------------

    def slot(self, kind: str, name: str) -> str:
        """Reserve memory for a variable that is assigned several times; LLVM turns it into registers."""
        self.slots.append(f"  %{name} = alloca {kind}")
        return f"%{name}"

    def offset(self, array: ArrayValue, indices: Sequence[Value]) -> Value:
        """Return the position of an entry, or of the first entry of a part, in the memory of an array."""
        position = indices[0]
        for index, length in zip(indices[1:], array.shape[1:], strict=False):
            position = self.sum_of(self.times(position, length), index)
        for length in array.shape[len(indices) :]:
            position = self.times(position, length)
        return position

    def times(self, a: Value, b: Value) -> Value:
        """Multiply two integers that do not overflow."""
        for x, y in ((a, b), (b, a)):
            if x.text in ("0", "1"):
                return x if x.text == "0" else y
        return Value("i64", self.emit(f"mul nsw {a}, {b.text}"))

    def sum_of(self, a: Value, b: Value) -> Value:
        """Add two integers that do not overflow."""
        for x, y in ((a, b), (b, a)):
            if x.text == "0":
                return y
        return Value("i64", self.emit(f"add nsw {a}, {b.text}"))

    def entry(self, array: ArrayValue, indices: Sequence[Value]) -> str:
        """Return a pointer to an entry of an array."""
        offset = self.offset(array, indices)
        if offset.text == "0":
            return array.pointer
        return self.emit(f"getelementptr inbounds {array.kind}, ptr {array.pointer}, {offset}")

    def load(self, array: ArrayValue, indices: Sequence[Value]) -> Value:
        """Load an entry of an array."""
        pointer = self.entry(array, indices)
        return Value(array.kind, self.emit(f"load {array.kind}, ptr {pointer}{self.aliasing(array)}"))

    def store(self, value: Value, array: ArrayValue, indices: Sequence[Value]) -> None:
        """Store a number in an array."""
        value, pointer = self.convert(value, array.kind), self.entry(array, indices)
        self.do(f"store {value}, ptr {pointer}{self.aliasing(array)}")

    def part(self, array: ArrayValue, start: Value, shape: tuple[Value, ...]) -> ArrayValue:
        """Return the part of an array that begins at an index of its first dimension."""
        return ArrayValue(array.kind, self.entry(array, [start]), shape, array.scope)

    def pointer_to(self, address: Value) -> str:
        """Convert an address to a pointer."""
        return self.emit(f"inttoptr {address} to ptr")

    def address_of(self, array: ArrayValue) -> Value:
        """Convert the pointer of an array to an address."""
        return Value("i64", self.emit(f"ptrtoint ptr {array.pointer} to i64"))

    def new_scope(self) -> int:
        """Return the scope of one more array, which overlaps with no other one."""
        if not self.domain:
            self.domain = self.module.node("")
            self.module.metadata[-1] = f"distinct !{{{self.domain}}}"
        self.scopes.append((self.module.node(""), self.module.node("")))
        return len(self.scopes) - 1

    def aliasing(self, array: ArrayValue) -> str:
        """Return the metadata of an access to an array."""
        group = f", !llvm.access.group {self.access_group}" if self.access_group else ""
        if array.scope is None:
            return group
        own, others = self.scopes[array.scope]
        return f", !alias.scope {own}, !noalias {others}{group}"

    def write_scopes(self) -> None:
        """Write the metadata of all scopes, after the last one is known."""
        nodes = [self.module.node(f"distinct !{{!{len(self.module.metadata)}, {self.domain}}}") for _ in self.scopes]
        for number, (own, others) in enumerate(self.scopes):
            self.module.metadata[int(own[1:])] = f"!{{{nodes[number]}}}"
            rest = [node for node in nodes if node != nodes[number]]
            self.module.metadata[int(others[1:])] = f"!{{{', '.join(rest)}}}"

    # -- control flow --------------------------------------------------------------------------

    def label(self) -> str:
        """Return the name of a new block."""
        self.count += 1
        return f".b{self.count}"

    def begin(self, label: str) -> None:
        """Begin a block."""
        if not self.is_closed:
            self.end(f"br label %{label}")
        self.lines.append(f"{label}:")
        self.block, self.is_closed = label, False

    def end(self, instruction: str) -> None:
        """End the current block with a branch or a return."""
        if not self.is_closed:
            self.do(instruction)
        self.is_closed = True

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """End the current block with a conditional branch."""
        self.end(f"br {condition}, label %{yes}, label %{no}")

    def if_else(self, condition: Value, yes: Callable[[], None], no: Callable[[], None] | None = None) -> None:
        """Write two branches, of which one runs."""
        first, second, after = self.label(), self.label(), self.label()
        self.branch(condition, first, second if no else after)
        self.begin(first)
        yes()
        self.end(f"br label %{after}")
        if no:
            self.begin(second)
            no()
        self.begin(after)

    @contextlib.contextmanager
    def loop(
        self, start: Value, stop: Value, step: Value, is_parallel: bool = False, is_vectorized: bool = True
    ) -> Iterator[Value]:
        """Write a loop with a positive step; its body is what is written inside the context.

        ``is_parallel`` tells LLVM that no iteration uses an entry of an array that another one writes, and
        ``is_vectorized`` whether it may process several iterations with one vector.
        """
        after = self.label()
        runs = self.label()
        self.branch(self.compare("slt", start, stop), runs, after)
        self.begin(runs)
        properties = [self.module.property(NOT_UNROLLED)]
        properties += [] if is_vectorized else [self.module.property(NOT_VECTORIZED)]
        self.access_group = self.module.node("distinct !{}") if is_parallel else ""
        if is_parallel:
            properties.append(self.module.node(f'!{{!"llvm.loop.parallel_accesses", {self.access_group}}}'))
        with self.loop_with(start, stop, [], step, properties) as values:
            yield values.variable
        self.access_group = ""
        self.begin(after)

    @contextlib.contextmanager
    def loop_with(
        self,
        start: Value,
        stop: Value,
        starts: Sequence[Value],
        step: Value = ONE,
        properties: Sequence[str] = (),
    ) -> Iterator[LoopValues]:
        """Write a loop that runs at least once; the context replaces the values that go to the next iteration.

        ``properties`` are metadata nodes, which tell LLVM about the loop.
        """
        before, body, after = self.block, self.label(), self.label()
        self.begin(body)
        position, starts = len(self.lines), [start, *starts]
        names = [Value(value.kind, self.emit("")) for value in starts]
        values = LoopValues(names[1:])
        values.variable = names[0]
        yield values
        following = Value("i64", self.emit(f"add nuw nsw {names[0]}, {step.text}"))
        for number, (name, first, new) in enumerate(zip(names, starts, [following, *values], strict=True)):
            incoming = f"[ {first.text}, %{before} ], [ {new.text}, %{self.block} ]"
            self.lines[position + number] = f"  {name.text} = phi {name.kind} {incoming}"
        again = self.compare("slt", following, stop)
        self.end(f"br {again}, label %{body}, label %{after}{self.loop_metadata(properties)}")
        self.begin(after)

    def loop_metadata(self, properties: Sequence[str]) -> str:
        """Return the mention of a loop's properties for the branch at its end."""
        if not properties:
            return ""
        parts = ", ".join([f"!{len(self.module.metadata)}", *properties])
        return f", !llvm.loop {self.module.node(f'distinct !{{{parts}}}')}"

    def variable(self, value: Value) -> Variable:
        """Return a variable in memory with its first value."""
        self.count += 1
        variable = Variable(self, value.kind, self.slot(value.kind, f".s{self.count}"))
        variable.store(value)
        return variable

    def text(self, signature: str, attributes: str) -> str:
        """Return the whole function."""
        return "\n".join([f"define {signature} {attributes} {{", "start:", *self.slots, *self.lines, "}"])


def conversion(old: str, new: str) -> str:
    """Return the instruction that converts numbers."""
    if old in FLOATS and new in FLOATS:
        return "fpext" if BITS[new] > BITS[old] else "fptrunc"
    if old in FLOATS:
        return "fptoui" if new == "i8" else "fptosi"
    if new in FLOATS:
        return "uitofp" if old == "i1" else "sitofp"
    if BITS[new] < BITS[old]:
        return "trunc"
    return "zext" if old == "i1" else "sext"
