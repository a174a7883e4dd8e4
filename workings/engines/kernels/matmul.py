"""Matrix products, as machine code for the processor's vector registers.

A product is divided into tiles of C that fit into the vector registers.  For each tile, one loop over k loads a few
vectors of b and adds their multiples by single numbers of a, which it reads directly.  If tiles would read b with large
strides, b is first packed into panels as wide as a tile.  Each entry of C is summed in the order of k, whatever the
tile, so the bits depend neither on the tiles nor on the threads.

Method: Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", and BLIS (Van Zee & van de Geijn
2015).  Unlike there, a is not packed: in networks for learning and teaching, layers are narrow, and packing would take
as long as multiplying.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workings.engines.compiled.llvm import vector_bytes
from workings.engines.compiled.llvm_ir import BITS, Builder, Result, Value, integer
from workings.engines.compiled.llvm_translation import SHORT, FunctionWriter, builtin
from workings.engines.contract import PANELS
from workings.engines.kernels.language import address, itemsize, zero
from workings.support.arrays import Array

SHARES_MEMORY = True
FLAGS = ""  # each entry of a product is summed in the order of k
VECTOR = vector_bytes()
HAS_MASKS = VECTOR == 64  # otherwise a mask takes one of the registers, and a partial load takes longer
# The possible numbers of rows in a tile: first as many as there are registers for their sums, then for the remainder.
HEIGHTS = (12, 8, 4, 2, 1) if VECTOR == 64 else (6, 4, 2, 1)
ACROSS = 2  # vectors in a row of a tile
TALL = HEIGHTS[0]
DEPTH = 256  # terms of a sum for which panels of b are packed at a time
FEW_ROWS = 4 * TALL  # rows of a up to which packing b does not pay off
SMALL_PART = 2**17  # bytes from the first to the last row of b up to which packing does not pay off


class Emitter:
    """Emits LLVM instructions on vectors of one number type."""

    def __init__(self, builder: Builder, kind: str) -> None:
        self.builder = builder
        self.size = BITS[kind] // 8
        self.lanes = VECTOR // self.size
        self.number = kind
        self.vector = f"<{self.lanes} x {kind}>"
        self.short = f"v{self.lanes}{SHORT[kind]}"

    def call(self, name: str, result: str, args: list[Value]) -> Value:
        """Call one of LLVM's vector functions."""
        return self.builder.external(f"llvm.{name}.{self.short}{'.p0' if 'masked' in name else ''}", result, args)

    def splat(self, value: Value) -> Value:
        """Return a vector whose lanes all hold one number."""
        kind = f"<{self.lanes} x {value.kind}>"
        one = Value(kind, self.builder.emit(f"insertelement {kind} undef, {value}, i32 0"))
        return self.shuffle(one, Value(kind, "undef"), [0] * self.lanes)

    def shuffle(self, x: Value, y: Value, places: list[int]) -> Value:
        """Return a vector with chosen lanes of two vectors."""
        return Value(x.kind, self.builder.emit(f"shufflevector {x}, {y}, {self.places(places)}"))

    def places(self, numbers: Sequence[int]) -> Value:
        """Return a vector of small integers."""
        return Value(f"<{self.lanes} x i32>", f"<{', '.join(f'i32 {number}' for number in numbers)}>")

    def mask(self, count: Value) -> Value:
        """Return a mask of the first ``count`` lanes."""
        counts = self.splat(self.builder.convert(count, "i32"))
        return self.builder.compare("slt", self.places(range(self.lanes)), counts)

    def plus(self, address: Value, *steps: Value) -> Value:
        """Return an address plus steps, which count numbers."""
        for step in steps:
            address = self.builder.sum_of(address, self.builder.times(step, integer(self.size)))
        return address

    def at(self, address: Value, *steps: Value) -> Value:
        """Return a pointer to an address plus steps, which count numbers."""
        return Value("ptr", self.builder.pointer_to(self.plus(address, *steps)))

    def zero(self) -> Value:
        """Return a vector of zeros."""
        return Value(self.vector, "zeroinitializer")

    def load(self, place: Value, mask: Value | None = None) -> Value:
        """Load a vector; lanes outside the mask are zero."""
        if mask is None:
            return self.load_as(self.vector, place)
        return self.call("masked.load", self.vector, [place, Value("i32", str(self.size)), mask, self.zero()])

    def load_as(self, kind: str, place: Value) -> Value:
        """Load a number or a vector."""
        return Value(kind, self.builder.emit(f"load {kind}, {place}, align {self.size}"))

    def store(self, x: Value, place: Value, mask: Value | None = None) -> None:
        """Store the lanes of a vector that are in the mask."""
        if mask is None:
            self.builder.do(f"store {x}, {place}, align {self.size}")
            return
        self.call("masked.store", "void", [x, place, Value("i32", str(self.size)), mask])


Column = tuple[
    Value, Value | None
]  # the offset of a vector in a row of a tile, and the mask of its lanes if it is incomplete


@dataclass(frozen=True)
class Operands:
    """The operands of a product c = scale · a b, plus c if ``adds``: addresses and strides.

    The strides count numbers: ``a_row`` and ``c_row`` from row to row, ``a_k`` and ``b_k`` from one k to the next.
    ``width`` is the number of columns, ``k`` the number of terms.
    """

    a: Value
    a_row: Value
    a_k: Value
    b: Value
    b_k: Value
    k: Value
    c: Value
    c_row: Value
    width: Value
    scale: Value
    adds: Value


@dataclass(frozen=True)
class Tile:
    """Emits the instructions for a tile with ``height`` rows of ``across`` vectors."""

    emit: Emitter
    height: int
    across: int
    operands: Operands
    is_full: bool = False  # whether no mask is needed

    def emit_all(self) -> None:
        """Emit the loop over k, and the stores after it."""
        emit, operands = self.emit, self.operands
        last = None
        if not self.is_full:
            last = emit.mask(emit.builder.op("sub", operands.width, integer(emit.lanes * (self.across - 1))))
        columns = [(integer(emit.lanes * v), None if v < self.across - 1 else last) for v in range(self.across)]
        self.write(columns, self.sums(columns))

    def sums(self, columns: Sequence[Column]) -> list[list[Value]]:
        """Emit the loop over k; return the sums of products for each row and vector."""
        emit, operands, builder = self.emit, self.operands, self.emit.builder
        # Only every third row of a has its own address, so that few registers hold addresses.
        thirds = [emit.plus(operands.a, builder.times(operands.a_row, integer(r))) for r in range(0, self.height, 3)]
        steps = [integer(0), operands.a_row, builder.times(operands.a_row, integer(2))]
        starts = [operands.b, *thirds, *([emit.zero()] * (self.height * len(columns)))]
        with builder.loop_with(integer(0), operands.k, starts) as values:
            b, *a = values[: 1 + len(thirds)]
            sums = iter(values[1 + len(thirds) :])
            row_of_b = [emit.load(emit.at(b, offset), mask) for offset, mask in columns]
            new = []
            for r in range(self.height):  # one number of a at a time, so that the sums stay in registers
                number = emit.splat(emit.load_as(emit.number, emit.at(a[r // 3], steps[r % 3])))
                new.append([emit.call("fmuladd", emit.vector, [number, y, next(sums)]) for y in row_of_b])
            moved = [emit.plus(b, operands.b_k), *(emit.plus(third, operands.a_k) for third in a)]
            values[:] = [*moved, *itertools.chain(*new)]
        return new

    def write(self, columns: Sequence[Column], sums: Sequence[Sequence[Value]]) -> None:
        """Emit the stores of the sums to c, or their addition to c."""
        emit, operands, builder = self.emit, self.operands, self.emit.builder
        scale = emit.splat(operands.scale)

        def store(adds: bool) -> None:
            for r, row in enumerate(sums):
                for total, (offset, mask) in zip(row, columns, strict=True):
                    place = emit.at(operands.c, builder.times(operands.c_row, integer(r)), offset)
                    if adds:
                        new = emit.call("fmuladd", emit.vector, [scale, total, emit.load(place, mask)])
                    else:
                        new = builder.op("fmul", scale, total)
                    emit.store(new, place, mask)

        builder.if_else(operands.adds, functools.partial(store, True), functools.partial(store, False))


def emit_wide(emit: Emitter, height: int, operands: Operands) -> None:
    """Emit a tile with all its vectors; if masks are slow, also a version without masks for full tiles."""
    partial = Tile(emit, height, ACROSS, operands)
    if HAS_MASKS:
        partial.emit_all()
        return
    full = emit.builder.compare("eq", operands.width, integer(ACROSS * emit.lanes))
    emit.builder.if_else(full, replace(partial, is_full=True).emit_all, partial.emit_all)


def strip(
    rows: int, a: int, a_row: int, a_k: int, b: int, b_k: int, k: int, c: int, c_row: int, width: int, scale: float,
    adds: bool,
) -> None:  # fmt: skip
    """Compute some rows of a panel, in tiles that are as high as possible; the panel has up to two vectors' width."""


@builtin(strip)
def emit_strip(writer: FunctionWriter, rows: Value, *args: Value) -> Result:
    """Translate ``strip``: a loop in which the highest tile that fits computes the next rows."""
    builder = writer.builder
    operands = Operands(*args)
    operands = replace(operands, adds=builder.convert(operands.adds, "i1"))
    emit = Emitter(builder, operands.scale.kind)
    left, a, c = (builder.variable(value) for value in (rows, operands.a, operands.c))
    start, end = builder.label(), builder.label()
    builder.begin(start)

    def tile(height: int) -> None:
        here = replace(operands, a=a.load(), c=c.load())
        is_wide = builder.compare("sgt", operands.width, integer(emit.lanes))
        narrow = Tile(emit, height, 1, here).emit_all
        builder.if_else(is_wide, functools.partial(emit_wide, emit, height, here), narrow)
        a.store(emit.plus(a.load(), builder.times(operands.a_row, integer(height))))
        c.store(emit.plus(c.load(), builder.times(operands.c_row, integer(height))))
        left.store(builder.op("sub", left.load(), integer(height)))
        builder.end(f"br label %{start}")

    for height in HEIGHTS:
        fits = builder.compare("sge", left.load(), integer(height))
        builder.if_else(fits, functools.partial(tile, height))
    builder.begin(end)
    return ()


def copy(source: int, source_row: int, target: int, target_row: int, rows: int, width: int, like: float) -> None:
    """Copy a panel of one vector's width, of which ``width`` columns exist."""


@builtin(copy)
def emit_copy(
    writer: FunctionWriter,
    source: Value,
    source_row: Value,
    target: Value,
    target_row: Value,
    rows: Value,
    width: Value,
    like: Value,
) -> Result:
    """Translate ``copy``."""
    builder, emit = writer.builder, Emitter(writer.builder, like.kind)
    mask = emit.mask(width)
    with builder.loop(integer(0), rows, integer(1)) as index:
        x = emit.load(emit.at(source, builder.times(index, source_row)), mask)
        emit.store(x, emit.at(target, builder.times(index, target_row)))
    return ()


def transpose(
    source: int,
    source_row: int,
    target: int,
    target_row: int,
    rows: int,
    columns: int,
    like: float,
) -> None:
    """Transpose a square of one vector's width, of which ``rows`` and ``columns`` exist."""


@builtin(transpose)
def emit_transpose(
    writer: FunctionWriter,
    source: Value,
    source_row: Value,
    target: Value,
    target_row: Value,
    rows: Value,
    columns: Value,
    like: Value,
) -> Result:
    """Translate ``transpose``: load the rows, exchange blocks of growing size, and store the columns."""
    builder, emit = writer.builder, Emitter(writer.builder, like.kind)
    lanes = range(emit.lanes)

    def mask_of(number: int, count: Value, width: Value) -> Value:
        exists = builder.compare("slt", integer(number), count)
        return emit.mask(builder.select(exists, width, integer(0)))

    x = [emit.load(emit.at(source, builder.times(source_row, integer(r))), mask_of(r, rows, columns)) for r in lanes]
    half = 1
    while half < emit.lanes:
        low = [lane if not lane & half else emit.lanes + lane - half for lane in lanes]
        high = [lane + half if not lane & half else emit.lanes + lane for lane in lanes]
        for r in lanes:
            if not r & half:
                y, z = x[r], x[r + half]
                x[r], x[r + half] = emit.shuffle(y, z, low), emit.shuffle(y, z, high)
        half *= 2
    for r in lanes:
        place = emit.at(target, builder.times(target_row, integer(r)))
        emit.store(x[r], place, mask_of(r, columns, integer(emit.lanes)))
    return ()


def pack(
    b: int, b_line: int, flip: bool, k_from: int, k_to: int, column: int, width: int, workspace: Array, panel: int
) -> None:
    """Copy up to two vectors' width of b into a panel, padded with zeros to whole vectors."""
    size, nothing = itemsize(workspace), zero(workspace)
    lanes = VECTOR // size
    panel_line = padded(width, lanes)
    for j in range(0, width, lanes):
        here, target = min(lanes, width - j), panel + j * size
        if not flip:
            copy(b + (k_from * b_line + column + j) * size, b_line, target, panel_line, k_to - k_from, here, nothing)
        else:
            for k in range(k_from, k_to, lanes):
                source = b + ((column + j) * b_line + k) * size
                there = target + (k - k_from) * panel_line * size
                transpose(source, b_line, there, panel_line, here, min(lanes, k_to - k), nothing)


def padded(width: int, lanes: int) -> int:
    """Return the width of a panel, padded to whole vectors."""
    return -(-width // lanes) * lanes


def multiply(
    a: int, a_line: int, flip_a: int, b: int, b_line: int, flip_b: int, c: int, c_line: int, first_row: int,
    last_row: int, first_column: int, last_column: int, k: int, scale: float, adds: int, workspace: Array,
) -> None:  # fmt: skip
    """Compute some rows and columns of c = scale · a b (+ c).

    Matrices are represented by their addresses and the numbers from one line in memory to the next.  a has shape
    (m, k) and b (k, n); each is stored transposed if flipped.  ``workspace`` holds the panels.  All arguments but
    ``scale`` are integers, also the truth values.
    """
    size = itemsize(workspace)
    lanes, here = VECTOR // size, address(workspace)
    at_once, tile = PANELS // size // DEPTH, ACROSS * lanes
    a_row, a_k = (1, a_line) if flip_a != 0 else (a_line, 1)
    packs = flip_b != 0 or (last_row - first_row > FEW_ROWS and min(k, DEPTH) * b_line * size > SMALL_PART)
    for k_from in range(0, k, DEPTH):
        k_to = min(k_from + DEPTH, k)
        for begin in range(first_column, last_column, at_once):
            end = min(begin + at_once, last_column)
            if packs:
                for j in range(begin, end, tile):
                    panel = here + (j - begin) * (k_to - k_from) * size
                    pack(b, b_line, flip_b != 0, k_from, k_to, j, min(tile, end - j), workspace, panel)
            for i in range(first_row, last_row, TALL):
                rows, a_here = min(TALL, last_row - i), a + (i * a_row + k_from * a_k) * size
                for j in range(begin, end, tile):
                    width, panel, b_k = min(tile, end - j), b + (k_from * b_line + j) * size, b_line
                    if packs:
                        panel, b_k = here + (j - begin) * (k_to - k_from) * size, padded(width, lanes)
                    c_here = c + (i * c_line + j) * size
                    is_added = adds != 0 or k_from > 0
                    depth = k_to - k_from
                    strip(rows, a_here, a_row, a_k, panel, b_k, depth, c_here, c_line, width, scale, is_added)
