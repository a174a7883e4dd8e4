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
    """Return the size in bytes of the processor's widest vectors of floats."""
    configured = numba.config.CPU_FEATURES
    features = binding.get_host_cpu_features().flatten() if configured is None else configured
    return next((size for size, name in ((64, "+avx512f"), (32, "+avx,")) if name in features + ","), 16)


VECTOR = vector_bytes()
HAS_MASKS = VECTOR > 16  # otherwise a partial load takes one instruction for each number
# The possible numbers of rows in a tile: first as many as there are registers for their sums, then for the remainder.
HEIGHTS = (12, 8, 4, 2, 1) if VECTOR == 64 else (6, 4, 2, 1)
ACROSS = 2  # vectors in a row of a tile
TALL = HEIGHTS[0]
DEPTH = 256  # terms of a sum for which panels of b are packed at a time
FEW_ROWS = 4 * TALL  # rows of a up to which packing b does not pay off
SMALL_PART = 2**17  # bytes from the first to the last row of b up to which packing does not pay off


class Emitter:
    """Emits LLVM instructions on vectors of one number type, for one function that Numba compiles."""

    def __init__(self, context: Any, builder: Any, real: Any) -> None:
        self.builder = builder
        self.size = real.bitwidth // 8
        self.lanes = VECTOR // self.size
        self.number = context.get_value_type(real)
        self.vector = ir.VectorType(self.number, self.lanes)
        self.places = ir.VectorType(ir.IntType(32), self.lanes)
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # LLVM uses 256 otherwise

    @staticmethod
    def integer(number: int) -> Any:
        """Return an integer constant."""
        return ir.Constant(ir.IntType(64), number)

    def call(self, name: str, result: Any, args: list[Any]) -> Any:
        """Call one of LLVM's vector functions."""
        kind = ir.FunctionType(result, [arg.type for arg in args])
        full = f"llvm.{name}.v{self.lanes}f{8 * self.size}" + (".p0" if "masked" in name else "")
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, full), args)

    def splat(self, value: Any) -> Any:
        """Return a vector whose lanes all hold one number."""
        kind = ir.VectorType(value.type, self.lanes)
        undefined, first = ir.Constant(kind, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        one = self.builder.insert_element(undefined, value, first)
        return self.builder.shuffle_vector(one, undefined, ir.Constant(self.places, [0] * self.lanes))

    def shuffle(self, x: Any, y: Any, places: list[int]) -> Any:
        """Return a vector with chosen lanes of two vectors."""
        return self.builder.shuffle_vector(x, y, ir.Constant(self.places, places))

    def mask(self, count: Any) -> Any:
        """Return a mask of the first ``count`` lanes."""
        counts = self.splat(self.builder.trunc(count, ir.IntType(32)))
        return self.builder.icmp_signed("<", ir.Constant(self.places, list(range(self.lanes))), counts)

    def at(self, address: Any, *offsets: Any, kind: Any = None) -> Any:
        """Return a pointer to an address plus offsets, which count numbers."""
        for offset in offsets:
            address = self.builder.add(address, self.builder.mul(offset, self.integer(self.size)))
        return self.builder.inttoptr(address, (kind or self.vector).as_pointer())

    def loop_variable(self, start: Any, before: Any) -> Any:
        """Return a value that a loop changes (a phi node), with its initial value."""
        value = self.builder.phi(start.type)
        value.add_incoming(start, before)
        return value

    def zero(self) -> Any:
        """Return a vector of zeros."""
        return ir.Constant(self.vector, [0.0] * self.lanes)

    def load(self, place: Any, mask: Any = None) -> Any:
        """Load a vector; lanes outside the mask are zero."""
        if mask is None:
            return self.builder.load(place, align=self.size)
        align = ir.Constant(ir.IntType(32), self.size)
        return self.call("masked.load", self.vector, [place, align, mask, self.zero()])

    def store(self, x: Any, place: Any, mask: Any = None) -> None:
        """Store the lanes of a vector that are in the mask."""
        if mask is None:
            self.builder.store(x, place, align=self.size)
            return
        self.call("masked.store", ir.VoidType(), [x, place, ir.Constant(ir.IntType(32), self.size), mask])


Column = tuple[Any, Any]  # the offset of a vector in a row of a tile, and the mask of its lanes if it is incomplete


@dataclass(frozen=True)
class Operands:
    """The operands of a product c = scale · a b, plus c if ``adds``: addresses and strides.

    The strides count numbers: ``a_row`` and ``c_row`` from row to row, ``a_k`` and ``b_k`` from one k to the next.
    ``width`` is the number of columns, ``k`` the number of terms.
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
            last = emit.mask(emit.builder.sub(operands.width, emit.integer(emit.lanes * (self.across - 1))))
        columns = [(emit.integer(emit.lanes * v), None if v < self.across - 1 else last) for v in range(self.across)]
        self.write(columns, self.sums(columns))

    def sums(self, columns: Sequence[Column]) -> list[list[Any]]:
        """Emit the loop over k; return the sums of products for each row and vector."""
        emit, operands, builder = self.emit, self.operands, self.emit.builder
        before, loop = builder.block, builder.append_basic_block("k")
        after = builder.append_basic_block("end")
        # Only every third row of a has its own address, so that few registers hold addresses.
        thirds = [
            builder.add(operands.a, builder.mul(operands.a_row, emit.integer(r * emit.size)))
            for r in range(0, self.height, 3)
        ]
        steps = [emit.integer(0), operands.a_row, builder.mul(operands.a_row, emit.integer(2))]
        builder.branch(loop)
        builder.position_at_end(loop)
        done, b, *a = (emit.loop_variable(start, before) for start in (emit.integer(0), operands.b, *thirds))
        sums = [[emit.loop_variable(emit.zero(), before) for _ in columns] for _ in range(self.height)]
        row_of_b = [emit.load(emit.at(b, offset), mask) for offset, mask in columns]
        new = []
        for r, row in enumerate(sums):  # one number of a at a time, so that the sums stay in registers
            number = emit.splat(builder.load(emit.at(a[r // 3], steps[r % 3], kind=emit.number), align=emit.size))
            new.append([emit.call("fmuladd", emit.vector, [number, y, z]) for y, z in zip(row_of_b, row, strict=True)])
        for old, value in zip(itertools.chain(*sums), itertools.chain(*new), strict=True):
            old.add_incoming(value, loop)
        for value, step in ((b, operands.b_k), *((third, operands.a_k) for third in a)):
            value.add_incoming(builder.add(value, builder.mul(step, emit.integer(emit.size))), loop)
        following = builder.add(done, emit.integer(1))
        done.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, operands.k), loop, after)
        builder.position_at_end(after)
        return new

    def write(self, columns: Sequence[Column], sums: Sequence[Sequence[Any]]) -> None:
        """Emit the stores of the sums to c, or their addition to c."""
        emit, operands, builder = self.emit, self.operands, self.emit.builder
        scale = emit.splat(operands.scale)
        with builder.if_else(operands.adds) as branches:
            for branch, adds in zip(branches, (True, False), strict=True):
                with branch:
                    for r, row in enumerate(sums):
                        for total, (offset, mask) in zip(row, columns, strict=True):
                            place = emit.at(operands.c, builder.mul(operands.c_row, emit.integer(r)), offset)
                            new = builder.fmul(scale, total)
                            if adds:
                                new = emit.call("fmuladd", emit.vector, [scale, total, emit.load(place, mask)])
                            emit.store(new, place, mask)


def emit_wide(emit: Emitter, height: int, operands: Operands) -> None:
    """Emit a tile with all its vectors; if masks are slow, also a version without masks for full tiles."""
    if HAS_MASKS:
        Tile(emit, height, ACROSS, operands).emit_all()
        return
    full = emit.builder.icmp_signed("==", operands.width, emit.integer(ACROSS * emit.lanes))
    with emit.builder.if_else(full) as (if_full, if_partial):
        with if_full:
            Tile(emit, height, ACROSS, operands, is_full=True).emit_all()
        with if_partial:
            Tile(emit, height, ACROSS, operands).emit_all()


@intrinsic
def strip(
    typing: Any, rows: Any, a: Any, a_row: Any, a_k: Any, b: Any, b_k: Any, k: Any, c: Any, c_row: Any, width: Any,
    scale: Any, adds: Any,
) -> Any:  # fmt: skip
    """Compute some rows of a panel, in tiles that are as high as possible; the panel has up to two vectors' width."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        emit, operands = Emitter(context, builder, scale), Operands(*args[1:])
        left, a, c = (cgutils.alloca_once_value(builder, value) for value in (args[0], operands.a, operands.c))
        start, end = builder.append_basic_block("rows"), builder.append_basic_block("done")
        builder.branch(start)
        builder.position_at_end(start)
        rows = builder.load(left)
        for height in HEIGHTS:
            with builder.if_then(builder.icmp_signed(">=", rows, emit.integer(height))):
                here = replace(operands, a=builder.load(a), c=builder.load(c))
                is_wide = builder.icmp_signed(">", operands.width, emit.integer(emit.lanes))
                with builder.if_else(is_wide) as (if_wide, if_narrow):
                    with if_wide:
                        emit_wide(emit, height, here)
                    with if_narrow:
                        Tile(emit, height, 1, here).emit_all()
                for address, step in ((a, operands.a_row), (c, operands.c_row)):
                    offset = builder.mul(step, emit.integer(height * emit.size))
                    builder.store(builder.add(builder.load(address), offset), address)
                builder.store(builder.sub(rows, emit.integer(height)), left)
                builder.branch(start)
        builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 10, scale, types.boolean), generate


@intrinsic
def copy(
    typing: Any, source: Any, source_row: Any, target: Any, target_row: Any, rows: Any, width: Any, like: Any
) -> Any:
    """Copy a panel of one vector's width, of which ``width`` columns exist."""

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
def transpose(
    typing: Any, source: Any, source_row: Any, target: Any, target_row: Any, rows: Any, columns: Any, like: Any
) -> Any:
    """Transpose a square of one vector's width, of which ``rows`` and ``columns`` exist."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, source_row, target, target_row, rows, columns, _ = args
        emit = Emitter(context, builder, like)
        lanes = range(emit.lanes)

        def mask_of(number: int, count: Any, width: Any) -> Any:
            exists = builder.icmp_signed("<", emit.integer(number), count)
            return emit.mask(builder.select(exists, width, emit.integer(0)))

        x = [
            emit.load(emit.at(source, builder.mul(source_row, emit.integer(r))), mask_of(r, rows, columns))
            for r in lanes
        ]
        half = 1
        while half < emit.lanes:  # exchange off-diagonal blocks of growing size
            low = [lane if not lane & half else emit.lanes + lane - half for lane in lanes]
            high = [lane + half if not lane & half else emit.lanes + lane for lane in lanes]
            for r in lanes:
                if not r & half:
                    y, z = x[r], x[r + half]
                    x[r], x[r + half] = emit.shuffle(y, z, low), emit.shuffle(y, z, high)
            half *= 2
        for r in lanes:
            place = emit.at(target, builder.mul(target_row, emit.integer(r)))
            emit.store(x[r], place, mask_of(r, columns, emit.integer(emit.lanes)))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6, like), generate


jit = numba.njit(error_model="numpy", nogil=True)


@jit
def pack(
    b: Any, b_line: Any, flip: Any, k_from: Any, k_to: Any, column: Any, width: Any, workspace: Any, panel: Any
) -> None:
    """Copy up to two vectors' width of b into a panel, padded with zeros to whole vectors."""
    size, zero = workspace.itemsize, workspace.dtype.type(0)
    lanes = VECTOR // size
    panel_line = padded(width, lanes)
    for j in range(0, width, lanes):
        here, target = min(lanes, width - j), panel + j * size
        if not flip:
            copy(b + (k_from * b_line + column + j) * size, b_line, target, panel_line, k_to - k_from, here, zero)
            continue
        for k in range(k_from, k_to, lanes):
            source = b + ((column + j) * b_line + k) * size
            there = target + (k - k_from) * panel_line * size
            transpose(source, b_line, there, panel_line, here, min(lanes, k_to - k), zero)


@jit
def padded(width: Any, lanes: Any) -> Any:
    """Return the width of a panel, padded to whole vectors."""
    return -(-width // lanes) * lanes


@jit
def multiply(
    a: Any, a_line: Any, flip_a: Any, b: Any, b_line: Any, flip_b: Any, c: Any, c_line: Any, first_row: Any,
    last_row: Any, first_column: Any, last_column: Any, k: Any, scale: Any, adds: Any, workspace: Any,
) -> None:  # fmt: skip
    """Compute some rows and columns of c = scale · a b (+ c).

    Matrices are represented by their addresses and the numbers from one line in memory to the next.  a has shape
    (m, k) and b (k, n); each is stored transposed if flipped.  ``workspace`` holds the panels.  All arguments but
    ``scale`` are int64, also the truth values, so that Numba compiles one function and not one for each constant.
    """
    size = workspace.itemsize
    lanes, here = VECTOR // size, np.int64(workspace.ctypes.data)
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
