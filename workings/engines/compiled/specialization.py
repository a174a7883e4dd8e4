"""Specialization: generates the source of a program for the sizes of a problem.

Loops over sizes up to 8 are unrolled.  Larger sizes are read from the arrays at run time, so that networks of several
widths share one compiled source.  (With one row in each step, all sizes are constants of the source: the loops are
short there, and constant bounds make them faster.)  The sizes also decide the memory layout of arrays with rows,
whether rows are processed in blocks, and which matrix products are computed in tiles.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workings.engines.compiled.fusion import Layout, LoopSchedule, is_large, make_schedule
from workings.engines.compiled.machine_code import name_of_dtype
from workings.engines.compiled.row_sections import MOST_SUMMED, SECTIONS
from workings.engines.compiled.source_writer import SourceOptions, SourceWriter, live_operations
from workings.engines.compiled.structure import Structure
from workings.engines.contract import CACHE_LINE, FEWEST_TO_SHARE, Stretch
from workings.lowering.index_notation import Apply, Dim, Leaf, Lowering, Operation
from workings.program.program import Program
from workings.support.arrays import Array

UNROLLED = 8  # the largest size that is unrolled
MOST_UNROLLED = 256  # entries of one row's operations that may be unrolled; more take a second to compile
ROW_MAJOR_FROM = 16  # columns from which a large matrix product is faster with row-major arrays
WIDE = 64  # columns from which arrays are row-major in any case
BLOCK_BYTES = 2**18  # bytes of intermediate results of one block of rows, so that they stay in the cache
FEWEST_IN_A_BLOCK, MOST_IN_A_BLOCK = 256, 4096  # rows
FEW_ROWS = 16  # the largest batch of a training step whose size is a constant of the source


@dataclass(frozen=True)
class ProblemSize:
    """The sizes of a problem, and the options that its source depends on.

    Attributes
    ----------
    dtype : str
        ``"float64"`` or ``"float32"``.
    shapes : tuple of (name, shape)
        The shapes of all inputs; the first dimension of arrays with rows is ``"n"``.
    batches : tuple of int
        The different batch sizes, the smallest first.
    one_batch, ordered : bool
        Whether all steps use the same rows; whether the rows are used in a given order.
    kept : tuple of str
        Names whose values are recorded after steps.
    by_step : bool
        Whether each step has its own parameter values.
    """

    dtype: str
    shapes: tuple[tuple[str, tuple[int | str, ...]], ...]
    batches: tuple[int, ...]
    one_batch: bool
    ordered: bool
    kept: tuple[str, ...] = ()
    by_step: bool = False


def size_of(stretch: Stretch, values: Mapping[str, Array], by_step: bool = False) -> ProblemSize:
    """Read the sizes from the arrays; with ``by_step``, the steps are the first dimension of values."""
    rows = {"X": stretch.X, "y": stretch.y, "w": stretch.w, **stretch.draws}
    shapes: list[tuple[str, tuple[int | str, ...]]] = [
        (name, array.shape[1:] if by_step else array.shape) for name, array in values.items()
    ]
    shapes += [(name, ("n", *array.shape[1:])) for name, array in rows.items() if array is not None]
    bounds = np.asarray(stretch.batches)
    counts = stretch.batch_sizes or np.unique(bounds[:, 1] - bounds[:, 0]).tolist()
    one = stretch.order is None and bool((bounds == (0, len(stretch.X))).all())
    ordered = stretch.order is not None
    return ProblemSize(
        name_of_dtype(stretch.X.dtype), tuple(shapes), tuple(counts), one, ordered, tuple(stretch.kept), by_step
    )


@dataclass(frozen=True)
class Dimensions:
    """The dimensions of the inputs by name, the sizes of symbolic dimensions, and the array axes that have them."""

    by_name: Mapping[str, tuple[Dim, ...]]
    sizes: Mapping[Dim, int]
    sources: Mapping[str, tuple[str, int]]


def dimensions(size: ProblemSize, used: frozenset[str], largest: int) -> Dimensions:
    """Name the dimensions: sizes up to ``largest`` are numbers, others get a symbol such as ``"d1"``."""
    rows: Dim = 1 if size.batches == (1,) else "n"
    symbols: dict[int, str] = {}
    sources: dict[str, tuple[str, int]] = {}
    by_name: dict[str, tuple[Dim, ...]] = {}
    for name, shape in size.shapes:
        for axis, number in enumerate(shape):
            if name in used and isinstance(number, int) and number > largest and number not in symbols:
                symbols[number] = f"d{len(symbols) + 1}"
                sources[symbols[number]] = (name, axis)
        by_name[name] = tuple(rows if isinstance(d, str) else symbols.get(d, d) for d in shape)
    sizes: dict[Dim, int] = {symbol: number for number, symbol in symbols.items()}
    return Dimensions(by_name, {**sizes, "n": size.batches[-1]}, sources)


def lower(program: Program, dims: Mapping[str, tuple[Dim, ...]]) -> Lowering:
    """Translate a program into operations."""
    scalars: dict[str, tuple[Dim, ...]] = dict.fromkeys(("n", "lr", "t", *program.constants), ())
    lowering = Lowering(program, {**dims, **scalars})
    lowering.run()
    return lowering


def unrolled_entries(operations: Sequence[Operation]) -> int:
    """Return how many entries of one row's operations are unrolled, at most."""
    on_rows = [operation.dims.values() for operation in operations if "n" in operation.dims.values()]
    return sum(math.prod(dim for dim in dims if isinstance(dim, int)) for dims in on_rows)


def layout_of(operations: Sequence[Operation], sizes: Mapping[Dim, int]) -> Layout:
    """Choose the row-major arrays: wide ones, and those of large matrix products."""
    column_major = Layout(sizes)
    products = [operation for operation in operations if is_large(operation, column_major)]
    of_products = {dim for operation in products for dim in operation.dims.values()}
    fewest = {dim: ROW_MAJOR_FROM if dim in of_products else WIDE for dim in sizes}
    return Layout(sizes, frozenset(dim for dim in sizes if dim != "n" and sizes[dim] >= fewest[dim]))


def block_size(operations: Sequence[Operation], layout: Layout, dtype: str) -> int:
    """Return the number of rows in a block: as many as fit into the cache with all their intermediate results."""
    widths = [
        math.prod(layout.size(dim) for dim in operation.dims.values() if dim != "n")
        for operation in operations
        if "n" in operation.dims.values() and not operation.over
    ]
    fitting = BLOCK_BYTES // (np.dtype(dtype).itemsize * max(sum(widths), 1))
    return with_odd_stride(max(min(fitting, MOST_IN_A_BLOCK), FEWEST_IN_A_BLOCK), dtype)


def with_odd_stride(rows: int, dtype: str) -> int:
    """Return the next number of rows that fill an odd number of cache lines.

    The columns of an intermediate result lie that far apart.  With a power of two, such as 4,096 bytes, they would
    share few places of the processor's cache and push each other out.
    """
    lanes = CACHE_LINE // np.dtype(dtype).itemsize
    return (-(-rows // lanes) | 1) * lanes


def can_use_blocks(operations: Sequence[Operation], schedule: LoopSchedule) -> bool:
    """Whether rows can be processed in blocks: no row needs a result of all rows."""
    phases_over_rows = sum(1 for groups in schedule.phases[1::2] if groups)
    has_maximum = any(o.kind == "max" and any(o.dims[axis] == "n" for axis in o.over) for o in operations)
    return phases_over_rows == 1 and not has_maximum


def section_count(operations: Sequence[Operation], layout: Layout, largest_product: int) -> int:
    """Return the number of sections for threads; 0 if sections do not pay off, or need too much memory."""
    summed = sum(
        math.prod(layout.size(operation.dims[axis]) for axis in operation.out if isinstance(axis, str))
        for operation in operations
        if any(operation.dims[axis] == "n" for axis in operation.over)
    )
    if largest_product < FEWEST_TO_SHARE or summed > MOST_SUMMED:
        return 0
    return SECTIONS


def with_fused_updates(
    operations: Sequence[Operation], layout: Layout, changed: Mapping[str, str]
) -> Sequence[Operation]:
    """Fuse W = W - lr · dW into the matrix product that computes dW, if dW is used for nothing else."""
    makers = {operation.target: operation for operation in operations if is_large(operation, layout)}
    readers = Counter(name for operation in operations for name in operation.reads)
    fused: dict[str, Operation] = {}
    for operation in operations:
        match operation.tree:
            case Apply("-", (Leaf(old, axes), Apply("*", (Leaf("lr") as lr, Leaf(gradient, same))))) if (
                changed.get(operation.target) == old and gradient in makers and readers[gradient] == 1 and axes == same
            ):
                scale = Apply("neg", (lr,))
                fused[gradient] = replace(makers[gradient], target=operation.target, scale=scale)
    targets = {operation.target: operation for operation in fused.values()}
    return [targets.get(o.target, o) for o in operations if o.target not in fused]


@dataclass(frozen=True)
class GeneratedSource:
    """The source of a program, and what is needed to call it.

    Attributes
    ----------
    text : str
        The source.
    block : int
        The number of rows in a block.
    memory, memory_per_thread : int
        The number of intermediate results to allocate for all threads, and for each thread if there are sections.
    sections : int
        The number of sections of rows that threads share; 0 for none.
    largest_product : int
        Multiplications in the largest of the large matrix products; 0 if there is none.
    rows, whole : tuple of str
        The names of its arguments with rows, and of the other arrays, in order.
    """

    text: str
    block: int
    memory: int
    memory_per_thread: int
    sections: int
    largest_product: int
    rows: tuple[str, ...]
    whole: tuple[str, ...]


@functools.lru_cache(maxsize=256)
def source_for(structure: Structure, size: ProblemSize, outputs: tuple[str, ...] = ()) -> GeneratedSource:
    """Return the source of a structure for the sizes of a problem; it is generated once in a process."""
    return generate(structure.program(), size, outputs)


def generate(program: Program, size: ProblemSize, outputs: Sequence[str] = ()) -> GeneratedSource:
    """Generate the source of a program; it records the values of ``outputs``, which have rows or are single numbers.

    Raises
    ------
    NotCompilableError
        If a statement is not supported; the message names it.
    """
    used = frozenset(program.inputs) | frozenset(program.carried)
    for largest in (UNROLLED, 4, 1):
        dims = dimensions(size, used, largest)
        lowering = lower(program, dims.by_name)
        if unrolled_entries(lowering.operations) <= MOST_UNROLLED:
            break
    changed = {lowering.current[name]: name for name in program.carried if name in lowering.current}
    objective = [lowering.current["J"]] if "J" in lowering.current else []
    recorded = [lowering.emit_output(name) for name in outputs]
    operations: Sequence[Operation] = live_operations(lowering.operations, [*changed, *objective, *recorded])
    layout = layout_of(operations, dims.sizes)
    schedule = make_schedule(operations, layout, changed)
    rows, block = size.batches[-1], block_size(operations, layout, size.dtype)
    in_blocks = rows > block and can_use_blocks(operations, schedule)
    if not in_blocks:
        operations = with_fused_updates(operations, layout, changed)
        schedule = make_schedule(operations, layout, changed)
    is_short = len(size.batches) == 1 and rows <= FEW_ROWS and not (size.by_step and rows > 1)
    few = rows if is_short else None
    with_rows = {name: dims.by_name[name] for name, shape in size.shapes if name in used and shape[:1] == ("n",)}
    whole = [name for name, shape in size.shapes if name in used and name not in with_rows]
    products = [operation.dims.values() for operation in operations if is_large(operation, layout)]
    largest_product = max((math.prod(layout.size(dim) for dim in of) for of in products), default=0)
    sections = section_count(operations, layout, largest_product) if in_blocks else 0
    options = SourceOptions(size.dtype, size.one_batch, size.ordered, in_blocks, few, size.kept, size.by_step, sections)
    sizes = {
        dim: str(dims.sizes[dim]) if few == 1 else options.extent(*source, with_rows)
        for dim, source in dims.sources.items()
    }
    writer = SourceWriter(lowering, schedule, options, with_rows, whole, changed, sizes, recorded)
    text, block = writer.module(), block if in_blocks else rows if few else with_odd_stride(rows, size.dtype)
    return GeneratedSource(
        text, block, *writer.memory_sizes(block), sections, largest_product, tuple(with_rows), tuple(whole)
    )
