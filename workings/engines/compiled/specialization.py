"""The structure of a problem: what its source depends on, and the choices that follow from its sizes.

A source is written for a structure, not for a size: sizes up to 8 are written out, larger ones are read from
the arrays, so that a sweep over widths compiles once.  (With one row in each step, they stand in the source: there
the loops are short, and it pays to know where they end.)  From the sizes follows how arrays of rows lie in
memory, whether rows come a block at a time, and which products are computed in tiles.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workings.engines.compiled.codegen import Shape, Writer, alive
from workings.engines.compiled.fusion import Layout, Schedule, is_large, make_schedule
from workings.engines.compiled.native import is_switched_off
from workings.engines.compiled.row_sections import MOST_SUMMED, SECTIONS
from workings.engines.contract import FEWEST_TO_SHARE, Stretch
from workings.lowering.index_notation import Apply, Dim, Leaf, Lowering, Operation
from workings.program.program import Program
from workings.support.arrays import Array

WRITTEN_OUT = 8  # the largest size that is written out
MOST_WRITTEN_OUT = 512  # entries of one row's operations that may be written out
BY_ROWS_FROM = 16  # columns, from which a large product is quicker with rows kept together
WIDE = 64  # columns, from which rows are kept together in any case
ROOM = 2**18  # bytes of what is computed of one block of rows, so that it stays in the cache
FEWEST_IN_A_BLOCK, MOST_IN_A_BLOCK = 256, 4096  # rows
FEW_ROWS = 16  # rows in every step, up to which their number is written out


@dataclass(frozen=True)
class Size:
    """The numbers of one problem.

    Attributes
    ----------
    dtype : str
        ``"float64"`` or ``"float32"``.
    shapes : tuple of (name, shape)
        Of everything that is handed in; the first dimension of what has rows is ``"n"``.
    batches : tuple of int
        The different numbers of rows in a step, the smallest first.
    one_batch, ordered : bool
        Whether all steps take the same rows; whether rows come in an order of their own.
    kept : tuple of str
        What is kept of each step.
    by_step : bool
        Whether each step has values of its own.
    """

    dtype: str
    shapes: tuple[tuple[str, tuple[int | str, ...]], ...]
    batches: tuple[int, ...]
    one_batch: bool
    ordered: bool
    kept: tuple[str, ...] = ()
    by_step: bool = False


def size_of(stretch: Stretch, values: Mapping[str, Array], by_step: bool = False) -> Size:
    """Read the sizes off the arrays; with ``by_step``, values have the steps as their first dimension."""
    rows = {"X": stretch.X, "y": stretch.y, "w": stretch.w, **stretch.draws}
    shapes: list[tuple[str, tuple[int | str, ...]]] = [
        (name, array.shape[1:] if by_step else array.shape) for name, array in values.items()
    ]
    shapes += [(name, ("n", *array.shape[1:])) for name, array in rows.items() if array is not None]
    bounds = np.asarray(stretch.batches)
    counts = sorted(set((bounds[:, 1] - bounds[:, 0]).tolist()))
    one = stretch.order is None and bool((bounds == (0, len(stretch.X))).all())
    ordered = stretch.order is not None
    return Size(stretch.X.dtype.name, tuple(shapes), tuple(counts), one, ordered, tuple(stretch.kept), by_step)


@dataclass(frozen=True)
class Dimensions:
    """The dimensions of what is handed in, the numbers behind their symbols, and the arrays they are read from."""

    of: Mapping[str, tuple[Dim, ...]]
    numbers: Mapping[Dim, int]
    found: Mapping[str, tuple[str, int]]


def dimensions(size: Size, used: frozenset[str], largest: int) -> Dimensions:
    """Name the dimensions: numbers up to ``largest`` stand for themselves, others get a symbol."""
    rows: Dim = 1 if size.batches == (1,) else "n"
    symbols: dict[int, str] = {}
    found: dict[str, tuple[str, int]] = {}
    of: dict[str, tuple[Dim, ...]] = {}
    for name, shape in size.shapes:
        for axis, number in enumerate(shape):
            if name in used and isinstance(number, int) and number > largest and number not in symbols:
                symbols[number] = f"d{len(symbols) + 1}"
                found[symbols[number]] = (name, axis)
        of[name] = tuple(rows if isinstance(d, str) else symbols.get(d, d) for d in shape)
    return Dimensions(of, {**{symbol: number for number, symbol in symbols.items()}, "n": size.batches[-1]}, found)


def lowered(program: Program, dims: Mapping[str, tuple[Dim, ...]]) -> Lowering:
    """Read a program as operations."""
    scalars: dict[str, tuple[Dim, ...]] = dict.fromkeys(("n", "lr", "t", *program.constants), ())
    lowering = Lowering(program, {**dims, **scalars})
    lowering.run()
    return lowering


def written_out(operations: Sequence[Operation]) -> int:
    """How many entries of one row's operations are written out, at the most."""
    on_rows = [operation.dims.values() for operation in operations if "n" in operation.dims.values()]
    return sum(math.prod(dim for dim in dims if isinstance(dim, int)) for dims in on_rows)


def layout_of(operations: Sequence[Operation], numbers: Mapping[Dim, int]) -> Layout:
    """Choose which arrays keep rows together: wide ones, and those of large products."""
    plain = Layout(numbers)
    products = [operation for operation in operations if is_large(operation, plain)]
    of_products = {dim for operation in products for dim in operation.dims.values()}
    fewest = {dim: BY_ROWS_FROM if dim in of_products else WIDE for dim in numbers}
    return Layout(numbers, frozenset(dim for dim in numbers if dim != "n" and numbers[dim] >= fewest[dim]))


def fitting_rows(operations: Sequence[Operation], layout: Layout, dtype: str) -> int:
    """How many rows at a time: as many as the cache holds with all that is computed of them."""
    widths = [
        math.prod(layout.size(dim) for dim in operation.dims.values() if dim != "n")
        for operation in operations
        if "n" in operation.dims.values() and not operation.over
    ]
    fitting = ROOM // (np.dtype(dtype).itemsize * max(sum(widths), 1))
    return max(min(fitting // 64 * 64, MOST_IN_A_BLOCK), FEWEST_IN_A_BLOCK)


def can_be_cut(operations: Sequence[Operation], schedule: Schedule) -> bool:
    """Whether rows can come a block at a time: nothing in a row needs to know of all rows first."""
    over_rows = sum(1 for groups in schedule.phases[1::2] if groups)
    largest = any(o.kind == "max" and any(o.dims[axis] == "n" for axis in o.over) for o in operations)
    return over_rows == 1 and not largest


def sections_of(operations: Sequence[Operation], layout: Layout, largest_product: int) -> int:
    """Into how many sections rows that come in blocks are cut; 0 if that is not worth it, or takes too much room."""
    summed = sum(
        math.prod(layout.size(operation.dims[axis]) for axis in operation.out if isinstance(axis, str))
        for operation in operations
        if any(operation.dims[axis] == "n" for axis in operation.over)
    )
    if is_switched_off() or largest_product < FEWEST_TO_SHARE or summed > MOST_SUMMED:
        return 0
    return SECTIONS


def updated_at_once(operations: Sequence[Operation], layout: Layout, changed: Mapping[str, str]) -> Sequence[Operation]:
    """Let large products that are only a step of gradient descent, W = W - lr · dW, be added to W themselves."""
    makers = {operation.target: operation for operation in operations if is_large(operation, layout)}
    readers = Counter(name for operation in operations for name in operation.reads)
    found: dict[str, Operation] = {}
    for operation in operations:
        match operation.tree:
            case Apply("-", (Leaf(old, axes), Apply("*", (Leaf("lr") as lr, Leaf(gradient, same))))) if (
                changed.get(operation.target) == old and gradient in makers and readers[gradient] == 1 and axes == same
            ):
                scale = Apply("neg", (lr,))
                found[gradient] = replace(makers[gradient], target=operation.target, scale=scale)
    targets = {operation.target: operation for operation in found.values()}
    return [targets.get(o.target, o) for o in operations if o.target not in found]


@dataclass(frozen=True)
class Written:
    """A program as source, and what is needed to call it.

    Attributes
    ----------
    text : str
        The source.
    block : int
        Rows at a time.
    room, room_of_thread : int
        Numbers that are kept between its loops; those that each thread keeps besides, if rows come in sections.
    sections : int
        Into how many sections rows are cut; 0 for none.
    largest_product : int
        Multiplications in the largest of the large products; 0 if there is none.
    rows, whole : tuple of str
        The arrays with rows that it takes, and the others, in order.
    """

    text: str
    block: int
    room: int
    room_of_thread: int
    sections: int
    largest_product: int
    rows: tuple[str, ...]
    whole: tuple[str, ...]


def write(program: Program, size: Size, outputs: Sequence[str] = ()) -> Written:
    """Write the source of a program; outputs are names, with rows or of one number, that it hands back.

    Raises
    ------
    NotCompilableError
        With the statement that cannot be taken.
    """
    used = frozenset(program.inputs) | frozenset(program.carried)
    for largest in (WRITTEN_OUT, 4, 1):
        dims = dimensions(size, used, largest)
        lowering = lowered(program, dims.of)
        if written_out(lowering.operations) <= MOST_WRITTEN_OUT:
            break
    changed = {lowering.current[name]: name for name in program.carried if name in lowering.current}
    objective = [lowering.current["J"]] if "J" in lowering.current else []
    handed_back = [lowering.hand_back(name) for name in outputs]
    operations: Sequence[Operation] = alive(lowering.operations, [*changed, *objective, *handed_back])
    layout = layout_of(operations, dims.numbers)
    schedule = make_schedule(operations, layout, changed)
    rows, block = size.batches[-1], fitting_rows(operations, layout, size.dtype)
    in_blocks = rows > block and can_be_cut(operations, schedule)
    if not in_blocks:
        operations = updated_at_once(operations, layout, changed)
        schedule = make_schedule(operations, layout, changed)
    few = rows if len(size.batches) == 1 and rows <= FEW_ROWS else None
    on_rows = {name: dims.of[name] for name, shape in size.shapes if name in used and shape[:1] == ("n",)}
    whole = [name for name, shape in size.shapes if name in used and name not in on_rows]
    products = [operation.dims.values() for operation in operations if is_large(operation, layout)]
    largest_product = max((math.prod(layout.size(dim) for dim in of) for of in products), default=0)
    sections = sections_of(operations, layout, largest_product) if in_blocks else 0
    shape = Shape(size.dtype, size.one_batch, size.ordered, in_blocks, few, size.kept, size.by_step, sections)
    sizes = {dim: str(dims.numbers[dim]) if few == 1 else shape.extent(*at, on_rows) for dim, at in dims.found.items()}
    writer = Writer(lowering, schedule, shape, on_rows, whole, changed, sizes, handed_back)
    text, block = writer.written(), block if in_blocks else rows
    return Written(text, block, *writer.room(block), sections, largest_product, tuple(on_rows), tuple(whole))
