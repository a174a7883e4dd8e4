"""Products of matrices, as machine code that knows the processor's vectors.

A product is cut into tiles of C that fit into the vector registers: for each tile, one loop over k loads a
few vectors of b and adds their multiples by single numbers of a, which it reads where they stand.  Where
tiles would read b against its grain, b is packed into panels as wide as a tile.  Each entry of C is summed
in the order of k, whatever the tile, so that its bits depend on neither the cut nor the threads.

Method: Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication", and BLIS (Van Zee & van
de Geijn 2015), but for a, which is not packed: the networks that people learn with have narrow layers, for
which packing costs as much as multiplying.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from workings.engines.contract import PANELS


def vector_bytes() -> int:
    """The bytes of the widest vectors of numbers that the processor has."""
    given = numba.config.CPU_FEATURES
    features = binding.get_host_cpu_features().flatten() if given is None else given
    return next((size for size, name in ((64, "+avx512f"), (32, "+avx,")) if name in features + ","), 16)


VECTOR = vector_bytes()
HAS_MASKS = VECTOR > 16  # else reading a part of a vector takes one instruction for each number
# Rows of a tile: as many as there are registers for their sums, and what may be left of them.
HEIGHTS = (12, 8, 4, 2, 1) if VECTOR == 64 else (6, 4, 2, 1)
ACROSS = 2  # vectors in a row of a tile
TALL = HEIGHTS[0]
DEPTH = 256  # terms of a sum that are added up before the next panels of b are packed
FEW_ROWS = 4 * TALL  # rows of a, up to which packing b does not pay
SMALL_PART = 2**17  # bytes from the first to the last row of b, up to which packing does not pay


class Emitter:
    """Emits instructions on vectors of one kind of number, for one function that Numba compiles."""

    def __init__(self, context: Any, builder: Any, real: Any) -> None:
        self.builder = builder
        self.size = real.bitwidth // 8
        self.lanes = VECTOR // self.size
        self.number = context.get_value_type(real)
        self.vector = ir.VectorType(self.number, self.lanes)
        self.places = ir.VectorType(ir.IntType(32), self.lanes)
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # LLVM takes 256 otherwise

    @staticmethod
    def whole(number: int) -> Any:
        """A constant."""
        return ir.Constant(ir.IntType(64), number)

    def call(self, name: str, result: Any, args: list[Any]) -> Any:
        """Call one of LLVM's functions on vectors."""
        kind = ir.FunctionType(result, [arg.type for arg in args])
        full = f"llvm.{name}.v{self.lanes}f{8 * self.size}" + (".p0" if "masked" in name else "")
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, full), args)

    def splat(self, value: Any) -> Any:
        """A vector of one number."""
        kind = ir.VectorType(value.type, self.lanes)
        undefined, first = ir.Constant(kind, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        one = self.builder.insert_element(undefined, value, first)
        return self.builder.shuffle_vector(one, undefined, ir.Constant(self.places, [0] * self.lanes))

    def shuffle(self, x: Any, y: Any, places: list[int]) -> Any:
        """Entries of two vectors."""
        return self.builder.shuffle_vector(x, y, ir.Constant(self.places, places))

    def mask(self, count: Any) -> Any:
        """Which lanes are among the first so many."""
        counts = self.splat(self.builder.trunc(count, ir.IntType(32)))
        return self.builder.icmp_signed("<", ir.Constant(self.places, list(range(self.lanes))), counts)

    def at(self, address: Any, *offsets: Any, kind: Any = None) -> Any:
        """A pointer to so many numbers after an address."""
        for offset in offsets:
            address = self.builder.add(address, self.builder.mul(offset, self.whole(self.size)))
        return self.builder.inttoptr(address, (kind or self.vector).as_pointer())

    def carried(self, start: Any, before: Any) -> Any:
        """A value that a loop changes, and what it is when the loop begins."""
        value = self.builder.phi(start.type)
        value.add_incoming(start, before)
        return value

    def zero(self) -> Any:
        """A vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.lanes)

    def load(self, place: Any, mask: Any = None) -> Any:
        """Read a vector; zeros where the mask is not."""
        if mask is None:
            return self.builder.load(place, align=self.size)
        align = ir.Constant(ir.IntType(32), self.size)
        return self.call("masked.load", self.vector, [place, align, mask, self.zero()])

    def store(self, x: Any, place: Any, mask: Any = None) -> None:
        """Write a vector where the mask is."""
        if mask is None:
            self.builder.store(x, place, align=self.size)
            return
        self.call("masked.store", ir.VoidType(), [x, place, ir.Constant(ir.IntType(32), self.size), mask])


Column = tuple[Any, Any]  # where a vector begins in a row of a tile, and the mask of its lanes, if some are not there


@dataclass(frozen=True)
class Operands:
    """What a tile is computed from: addresses, and how many numbers lie between rows, or from one k to the next.

    ``width`` is the number of columns, ``k`` the number of terms; c = scale · a b, to which c is added if ``adds``.
    """

    a: Any
    a_row: Any
    a_k: Any
    b: Any
    b_k: Any
    k: Any
    c: Any
    c_row: Any
    width: Any
    scale: Any
    adds: Any


@dataclass(frozen=True)
class Tile:
    """Emits the instructions for a tile of so many rows and vectors."""

    emit: Emitter
    height: int
    across: int
    given: Operands
    is_full: bool = False  # whether no mask is needed

    def emit_all(self) -> None:
        """Emit the loop over k, and what comes after it."""
        emit, given = self.emit, self.given
        last = None
        if not self.is_full:
            last = emit.mask(emit.builder.sub(given.width, emit.whole(emit.lanes * (self.across - 1))))
        columns = [(emit.whole(emit.lanes * v), None if v < self.across - 1 else last) for v in range(self.across)]
        self.write(columns, self.sums(columns))

    def sums(self, columns: Sequence[Column]) -> list[list[Any]]:
        """The loop over k: the sums of the products for each row and vector."""
        emit, given, builder = self.emit, self.given, self.emit.builder
        before, loop = builder.block, builder.append_basic_block("k")
        after = builder.append_basic_block("end")
        # Rows of a are reached from every third one, so that few registers hold addresses.
        thirds = [
            builder.add(given.a, builder.mul(given.a_row, emit.whole(r * emit.size))) for r in range(0, self.height, 3)
        ]
        steps = [emit.whole(0), given.a_row, builder.mul(given.a_row, emit.whole(2))]
        builder.branch(loop)
        builder.position_at_end(loop)
        done, b, *a = (emit.carried(start, before) for start in (emit.whole(0), given.b, *thirds))
        sums = [[emit.carried(emit.zero(), before) for _ in columns] for _ in range(self.height)]
        row_of_b = [emit.load(emit.at(b, offset), mask) for offset, mask in columns]
        new = []
        for r, row in enumerate(sums):  # one number of a at a time, so that the sums stay in registers
            number = emit.splat(builder.load(emit.at(a[r // 3], steps[r % 3], kind=emit.number), align=emit.size))
            new.append([emit.call("fmuladd", emit.vector, [number, y, z]) for y, z in zip(row_of_b, row, strict=True)])
        for old, value in zip(itertools.chain(*sums), itertools.chain(*new), strict=True):
            old.add_incoming(value, loop)
        for value, step in ((b, given.b_k), *((third, given.a_k) for third in a)):
            value.add_incoming(builder.add(value, builder.mul(step, emit.whole(emit.size))), loop)
        further = builder.add(done, emit.whole(1))
        done.add_incoming(further, loop)
        builder.cbranch(builder.icmp_signed("<", further, given.k), loop, after)
        builder.position_at_end(after)
        return new

    def write(self, columns: Sequence[Column], sums: Sequence[Sequence[Any]]) -> None:
        """Write the sums, or add them to what is there."""
        emit, given, builder = self.emit, self.given, self.emit.builder
        scale = emit.splat(given.scale)
        with builder.if_else(given.adds) as branches:
            for branch, adds in zip(branches, (True, False), strict=True):
                with branch:
                    for r, row in enumerate(sums):
                        for total, (offset, mask) in zip(row, columns, strict=True):
                            place = emit.at(given.c, builder.mul(given.c_row, emit.whole(r)), offset)
                            new = builder.fmul(scale, total)
                            if adds:
                                new = emit.call("fmuladd", emit.vector, [scale, total, emit.load(place, mask)])
                            emit.store(new, place, mask)


def emit_wide(emit: Emitter, height: int, given: Operands) -> None:
    """Emit a tile of all its vectors; without masks where it is full, if masks are dear."""
    if HAS_MASKS:
        Tile(emit, height, ACROSS, given).emit_all()
        return
    full = emit.builder.icmp_signed("==", given.width, emit.whole(ACROSS * emit.lanes))
    with emit.builder.if_else(full) as (whole, part):
        with whole:
            Tile(emit, height, ACROSS, given, is_full=True).emit_all()
        with part:
            Tile(emit, height, ACROSS, given).emit_all()


@intrinsic
def strip(
    typing: Any, rows: Any, a: Any, a_row: Any, a_k: Any, b: Any, b_k: Any, k: Any, c: Any, c_row: Any, width: Any,
    scale: Any, adds: Any,
) -> Any:  # fmt: skip
    """Compute some rows of a panel, in tiles as high as is left; the panel may be as wide as two vectors."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit, given = Emitter(context, builder, scale), Operands(*args[1:])
        left, a, c = (cgutils.alloca_once_value(builder, value) for value in (args[0], given.a, given.c))
        start, end = builder.append_basic_block("rows"), builder.append_basic_block("done")
        builder.branch(start)
        builder.position_at_end(start)
        rows = builder.load(left)
        for height in HEIGHTS:
            with builder.if_then(builder.icmp_signed(">=", rows, emit.whole(height))):
                here = replace(given, a=builder.load(a), c=builder.load(c))
                with builder.if_else(builder.icmp_signed(">", given.width, emit.whole(emit.lanes))) as (wide, narrow):
                    with wide:
                        emit_wide(emit, height, here)
                    with narrow:
                        Tile(emit, height, 1, here).emit_all()
                for place, step in ((a, given.a_row), (c, given.c_row)):
                    builder.store(
                        builder.add(builder.load(place), builder.mul(step, emit.whole(height * emit.size))), place
                    )
                builder.store(builder.sub(rows, emit.whole(height)), left)
                builder.branch(start)
        builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 10, scale, types.boolean), generate


@intrinsic
def copy(
    typing: Any, source: Any, source_row: Any, target: Any, target_row: Any, rows: Any, width: Any, like: Any
) -> Any:
    """Copy a panel of one vector's width, of which ``width`` columns are there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, source_row, target, target_row, rows, width, _ = args
        emit = Emitter(context, builder, like)
        mask = emit.mask(width)
        with cgutils.for_range(builder, rows) as loop:
            x = emit.load(emit.at(source, builder.mul(loop.index, source_row)), mask)
            emit.store(x, emit.at(target, builder.mul(loop.index, target_row)))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, like), generate


@intrinsic
def turn(
    typing: Any, source: Any, source_row: Any, target: Any, target_row: Any, rows: Any, columns: Any, like: Any
) -> Any:
    """Write a square of one vector's width with its rows for columns; ``rows`` and ``columns`` of it are there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, source_row, target, target_row, rows, columns, _ = args
        emit = Emitter(context, builder, like)
        lanes = range(emit.lanes)

        def unless_beyond(number: int, count: Any, width: Any) -> Any:
            there = builder.icmp_signed("<", emit.whole(number), count)
            return emit.mask(builder.select(there, width, emit.whole(0)))

        x = [
            emit.load(emit.at(source, builder.mul(source_row, emit.whole(r))), unless_beyond(r, rows, columns))
            for r in lanes
        ]
        half = 1
        while half < emit.lanes:  # exchange blocks off the diagonal, ever larger ones
            low = [lane if not lane & half else emit.lanes + lane - half for lane in lanes]
            high = [lane + half if not lane & half else emit.lanes + lane for lane in lanes]
            for r in lanes:
                if not r & half:
                    y, z = x[r], x[r + half]
                    x[r], x[r + half] = emit.shuffle(y, z, low), emit.shuffle(y, z, high)
            half *= 2
        for r in lanes:
            place = emit.at(target, builder.mul(target_row, emit.whole(r)))
            emit.store(x[r], place, unless_beyond(r, columns, emit.whole(emit.lanes)))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, like), generate


compiled = numba.njit(error_model="numpy", nogil=True)


@compiled
def pack(
    b: Any, b_line: Any, flip: Any, k_from: Any, k_to: Any, column: Any, width: Any, room: Any, panel: Any
) -> None:
    """Put up to two vectors' width of b into a panel, filled up with zeros to whole vectors."""
    size, zero = room.itemsize, room.dtype.type(0)
    lanes = VECTOR // size
    panel_line = full(width, lanes)
    for j in range(0, width, lanes):
        here, target = min(lanes, width - j), panel + j * size
        if not flip:
            copy(b + (k_from * b_line + column + j) * size, b_line, target, panel_line, k_to - k_from, here, zero)
            continue
        for k in range(k_from, k_to, lanes):
            source = b + ((column + j) * b_line + k) * size
            there = target + (k - k_from) * panel_line * size
            turn(source, b_line, there, panel_line, here, min(lanes, k_to - k), zero)


@compiled
def full(width: Any, lanes: Any) -> Any:
    """The width of a panel in whole vectors."""
    return -(-width // lanes) * lanes


@compiled
def multiply(
    a: Any, a_line: Any, flip_a: Any, b: Any, b_line: Any, flip_b: Any, c: Any, c_line: Any, first_row: Any,
    last_row: Any, first_column: Any, last_column: Any, k: Any, scale: Any, adds: Any, room: Any,
) -> None:  # fmt: skip
    """Compute some rows and columns of c = scale · a b (+ c).

    Matrices are given by their addresses and by the numbers from one line in memory to the next; a has shape (m, k),
    b (k, n), each kept with rows for columns if flipped.  ``room`` holds the panels.  All numbers but ``scale`` are
    int64, the truths too, so that Numba compiles one function and not one for each constant.
    """
    size = room.itemsize
    lanes, here = VECTOR // size, np.int64(room.ctypes.data)
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
                    pack(b, b_line, flip_b != 0, k_from, k_to, j, min(tile, end - j), room, panel)
            for i in range(first_row, last_row, TALL):
                rows, a_here = min(TALL, last_row - i), a + (i * a_row + k_from * a_k) * size
                for j in range(begin, end, tile):
                    width, panel, b_k = min(tile, end - j), b + (k_from * b_line + j) * size, b_line
                    if packs:
                        panel, b_k = here + (j - begin) * (k_to - k_from) * size, full(width, lanes)
                    c_here = c + (i * c_line + j) * size
                    strip(
                        rows, a_here, a_row, a_k, panel, b_k, k_to - k_from, c_here, c_line, width, scale,
                        adds != 0 or k_from > 0,
                    )  # fmt: skip
