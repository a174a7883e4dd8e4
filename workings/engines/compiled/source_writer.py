"""Code generation: writes a loop schedule as a readable Python function, which ``llvm_translation.py`` compiles.

The generated function runs many steps.  Each step consists of the loops of the schedule's groups.  Values that do not
change in a loop are read before it, and sums are accumulated in local variables.  The names are those of the program:
``dz1_ij`` is the entry of ``dz1`` at row i and column j.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workings.activations import erf
from workings.engines.compiled.fusion import Group, Index, Layout, LoopedOperation, LoopSchedule, flattened
from workings.engines.compiled.row_sections import RETURN_IF_STOPPED, Sections
from workings.engines.contract import CACHE_LINE
from workings.lowering.elementwise import Entrywise
from workings.lowering.index_notation import (
    COMPARISONS,
    INDEX,
    OPERATORS,
    Apply,
    Axis,
    Dim,
    Leaf,
    Lowering,
    Number,
    Operation,
    Tree,
    leaves,
)

# Names of the generated code that no value of a program may have.
RESERVED = frozenset((
    "i", "j", "k", "l", "step", "start", "stop", "begin", "rows", "block", "row", "first", "order", "objectives",
    "team_state", "workspaces", "starts", "stops", "rates", "np", "real", "memory", "allocate", "used",
    "stop_flag", "stop_requested", "product", "pointer", "entry", "table", "min", "range", "len", "train",
    "train_section", "section", "thread", "scalars", "sums", "run_sections", "section_bounds", "single_thread_team",
    "flat", "shaped", "kept_at", "slot",
))  # fmt: skip
IS_TRUTH = frozenset(COMPARISONS.values())
INFIX = IS_TRUTH | frozenset(OPERATORS.values())
# The elementary functions of kernels/vector_math.py, by their names in formulas: those of each precision, and others.
FAST: dict[str, dict[str, str]] = {
    "float64": {
        "exp": "exp64",
        "expm1": "expm1_64",
        "tanh": "tanh64",
        "log": "log64",
        "log1p": "log1p64",
        "logaddexp": "logaddexp64",
        "erf": "erf64",
    },
    "float32": {
        "exp": "exp32",
        "expm1": "expm1_32",
        "tanh": "tanh32",
        "log": "log32",
        "log1p": "log1p32",
        "logaddexp": "logaddexp32",
        "erf": "erf32",
    },
}
BOTH: tuple[str, ...] = (
    "where",
    "maximum",
    "minimum",
    "clip",
    "power2",
    "power3",
    "sign",
    "heaviside",
)
Combination = Mapping[Axis, int]  # the index of an entry along the unrolled axes


@dataclass(frozen=True)
class SourceOptions:
    """The options of a generated source.

    Attributes
    ----------
    dtype : str
        ``"float64"`` or ``"float32"``.
    one_batch : bool
        Whether every step uses the same rows, which are then copied only once.
    ordered : bool
        Whether the rows are used in a given order.
    in_blocks : bool
        Whether rows are processed in blocks.
    rows : int or None
        The batch size, if it is a small constant; 1 means no loop over rows.
    kept : tuple of str
        Names whose values are recorded after steps.
    by_step : bool
        Whether arrays without rows differ for each step.
    sections : int
        The number of sections of rows that threads share; 0 for none.
    """

    dtype: str
    one_batch: bool
    ordered: bool
    in_blocks: bool
    rows: int | None
    kept: tuple[str, ...]
    by_step: bool
    sections: int = 0

    def extent(self, name: str, axis: int, with_rows: Container[str]) -> str:
        """Return code for the length of an argument along an axis."""
        return f"{name}_steps.shape[{axis + 1}]" if self.by_step and name not in with_rows else f"{name}.shape[{axis}]"


@dataclass
class SourceWriter:
    """Writes the source of one program."""

    lowering: Lowering
    schedule: LoopSchedule
    options: SourceOptions
    row_inputs: Mapping[str, tuple[Dim, ...]]  # arguments with rows -> their dimensions
    inputs: Sequence[str]  # the other array arguments
    carried: Mapping[str, str]  # the name of a final value -> the name of the array that it overwrites
    sizes: Mapping[str, str]  # dimension -> code for its size
    outputs: Sequence[str]  # targets of the operations whose values are recorded
    names: dict[object, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)  # functions of the program -> their source
    used: set[str] = field(default_factory=set)  # functions that must be imported
    stored: set[str] = field(default_factory=set)  # names that need an array
    products: dict[str, str] = field(default_factory=dict)  # variables for the number of entries of matrices
    section_function: list[str] = field(default_factory=list)  # its lines, if there are sections

    def __post_init__(self) -> None:
        self.sections = Sections(self, self.options.sections)

    @property
    def layout(self) -> Layout:
        """The memory layout of arrays with rows."""
        return self.schedule.layout

    # -- names -------------------------------------------------------------------------------

    def name(self, key: object, preferred: str) -> str:
        """Return the name for a key in the source, which is not used for anything else."""
        if key not in self.names:
            preferred = preferred.replace(".", "_")
            unavailable = {*self.names.values(), *RESERVED}
            choices = itertools.chain([preferred], (f"{preferred}__{number}" for number in itertools.count(2)))
            self.names[key] = next(choice for choice in choices if choice not in unavailable)
        return self.names[key]

    def array(self, name: str) -> str:
        """Return the name of an array or a scalar in the source."""
        if name.startswith("size."):
            dim = name.removeprefix("size.")
            return "n" if dim == "n" else dim
        return self.name(self.carried.get(name, name), self.carried.get(name, name))

    def local(self, name: str, index: Sequence[Index]) -> str:
        """Return the name of the local variable for an entry."""
        base = self.array(name) if name not in self.carried else self.name(("new", name), f"{self.carried[name]}_new")
        if not index:
            return base
        parts = "".join(map(str, index)) if all(len(str(p)) == 1 for p in index) else "_".join(map(str, index))
        return self.name(("entry", name, tuple(index)), f"{base}_{parts}")

    def constant(self, number: float) -> str:
        """Write a number in the precision of the program."""
        text = repr(float(number)).replace("inf", "np.inf")
        return text if self.options.dtype == "float64" else f"real({text})"

    def function(self, name: str, function: Callable[..., object] | None = None) -> str:
        """Return the name of an elementwise function; a function of the program is added to the source.

        The error function of the formulas is one of the kernels.
        """
        function = None if function is erf else function
        if function is None or isinstance(function, np.ufunc):
            imported = name if function is None else function.__name__
            self.used.add(imported)
            return "abs" if imported in ("abs", "absolute") else imported
        if name not in self.helpers:
            self.helpers[name] = ""
            self.helpers[name] = Entrywise(name, function, self.constant, self.function).source()
        return name

    # -- memory ------------------------------------------------------------------------------

    def find_stored(self) -> None:
        """Find the names that need an array: those that other loops read with an index."""
        for group in self.groups():
            for member in group.members:
                self.find_stored_by(group, member)

    def find_stored_by(self, group: Group, member: LoopedOperation) -> None:
        """Find the names that need an array because of one operation."""
        target = member.operation.target
        if target in self.carried or group.is_large_product:
            self.stored.add(target)
        for leaf in leaves(member.operation.tree):
            maker = self.schedule.makers.get(leaf.name)
            if maker is None:
                continue
            is_here = any(m is maker for m in group.members)
            letters = member.index([axis for axis in leaf.axes if axis != 0])
            if group.is_large_product or letters != maker.result or (not is_here and any(maker.result)):
                self.stored.add(leaf.name)

    @property
    def has_products(self) -> bool:
        """Whether there are large matrix products."""
        return any(group.is_large_product for group in self.groups())

    def groups(self) -> Iterable[Group]:
        """Yield all groups in order."""
        return itertools.chain.from_iterable(self.schedule.phases)

    @property
    def summed_over_rows(self) -> set[str]:
        """The targets of operations that sum over rows."""
        members = [member for group in self.groups() for member in group.members if "i" in member.reduced]
        return {member.operation.target for member in members}

    def is_row_major(self, name: str) -> bool:
        """Whether an array with rows is row-major."""
        return any(dim in self.layout.by_rows for dim in self.dims(name) if dim != "n")

    def dims(self, name: str) -> tuple[Dim, ...]:
        """Return the dimensions of an array."""
        return self.lowering.dims[name]

    def keeps_single_entries(self, name: str) -> bool:
        """Whether an array has its dimensions with one entry, too, as the arguments do."""
        return name in self.carried or (name not in self.schedule.makers and name not in self.row_inputs)

    def is_read_in_place(self, name: str) -> bool:
        """Whether an argument with rows is read directly, without a copy, because its layout is the right one."""
        if name not in self.row_inputs:
            return False
        is_reordered = self.options.ordered and name in ("X", "y", "w")
        return self.options.rows == 1 or (self.is_row_major(name) and not is_reordered)

    def reference(self, name: str, index: Sequence[Index]) -> str:
        """Write the access to one entry of an array."""
        if self.options.rows == 1 and name in self.row_inputs:
            row = "row" if name in ("X", "y", "w") else "start"
            return f"{self.array(name)}[{', '.join([row, *map(str, index[1:])])}]"
        if self.is_read_in_place(name):
            return f"{self.array(name)}_rows[{', '.join(map(str, index))}]"
        indices = list(index)
        if not self.keeps_single_entries(name):
            indices = [i for i, dim in zip(index, self.dims(name), strict=True) if dim != 1]
            if "n" in self.dims(name) and len(indices) == 2 and not self.is_row_major(name):
                indices.reverse()
        array = f"{self.array(name)}_rows" if name in self.row_inputs else self.array(name)
        return f"{array}[{', '.join(map(str, indices))}]" if indices else array

    def extents(self, name: str) -> str:
        """Write the shape of an array in memory."""
        lengths = [self.extent(dim) for dim in self.dims(name) if dim != 1]
        if "n" in self.dims(name) and len(lengths) == 2 and not self.is_row_major(name):
            lengths.reverse()
        return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"

    def extent(self, dim: Dim) -> str:
        """Write the allocated length of a dimension."""
        return "block" if dim == "n" else str(dim)

    def count(self, dim: Dim) -> str:
        """Write the number of iterations of a loop along a dimension."""
        return "rows" if dim == "n" else str(dim)

    # -- loops -------------------------------------------------------------------------------

    def write_group(self, group: Group) -> list[str]:
        """Write one group of operations."""
        if group.is_large_product:
            return [self.write_product(group.members[0])]
        return LoopWriter(self, flattened(group, self.lowering.dims, self.entry_count)).lines()

    def entry_count(self, a: Dim, b: Dim) -> Dim:
        """Return the number of entries of a matrix: a number, or the name of a variable for it."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        known = [self.sizes.get(str(dim), str(dim)) for dim in (a, b)]
        if all(length.isdigit() for length in known):
            return math.prod(map(int, known))
        name = self.name(("entries", a, b), f"{a}_{b}" if isinstance(a, str) else f"d{a}_{b}")
        self.products[name] = f"{a} * {b}"
        return name

    def flat(self, name: str) -> str:
        """Return the name of an array as a vector."""
        return self.name(("flat", self.carried.get(name, name)), f"{self.array(name)}_flat")

    def write_product(self, member: LoopedOperation) -> str:
        """Write the call for a large matrix product."""
        operation = member.operation
        assert isinstance(operation.tree, Apply)
        left, right = operation.tree.args
        assert isinstance(left, Leaf)
        assert isinstance(right, Leaf)
        a, b = operation.out
        m, n, k = (self.count(operation.dims[str(axis)]) for axis in (a, b, "c"))
        is_sum_over_blocks = operation.dims["c"] == "n" and self.options.in_blocks
        adds = "begin != start" if is_sum_over_blocks else "False"
        A, flip_a = self.factor(left, (a, "c"))
        B, flip_b = self.factor(right, ("c", b))
        C, flip_c = self.factor(Leaf(operation.target, operation.out), (a, b))
        if flip_c:
            A, flip_a, B, flip_b, m, n = B, not flip_b, A, not flip_a, n, m
        scale = "1.0"
        if operation.scale is not None:
            scale, adds = LoopWriter(self, Group(())).text(operation.scale, member, {}), "True"
        return f"product(team_state, workspaces, {A}, {flip_a}, {B}, {flip_b}, {C}, {m}, {k}, {n}, {scale}, {adds})"

    def factor(self, leaf: Leaf, axes: tuple[Axis, Axis]) -> tuple[str, bool]:
        """Return the array of a factor of a matrix product, and whether it is stored transposed."""
        name = leaf.name
        array = f"{self.array(name)}_rows" if name in self.row_inputs else self.array(name)
        is_column_major = "n" in self.dims(name) and not self.is_row_major(name)
        return array, (leaf.axes != axes) != is_column_major

    # -- the whole function ------------------------------------------------------------------

    def arguments(self) -> list[str]:
        """Return the function's arguments, in order."""
        program = self.lowering.program
        by_step = "_steps" if self.options.by_step else ""
        arrays = [f"{self.array(name)}_kept" for name in self.options.kept]
        arrays += [*map(self.array, self.row_inputs), *(f"{self.array(name)}{by_step}" for name in self.inputs)]
        arrays += map(self.output, self.outputs)
        order = ["order"] if self.options.ordered else []
        team = ["team_state", "workspaces"] if self.has_products else []
        kept_at = ["kept_at"] if self.options.kept else []
        scalars = ["starts", "stops", "rates", *kept_at, "first", "block", "memory", "stop_flag", *team]
        scalars += map(self.array, program.constants)
        return [*scalars, *order, *arrays, "objectives"]

    def output(self, target: str) -> str:
        """Return the name of the array that records an operation's values."""
        return self.name(("output", target), target)

    def output_entry(self, target: str, index: Sequence[Index]) -> str:
        """Write the entry of an output array: by step, row and column, or by step only for a single number."""
        if not self.dims(target):
            return f"{self.output(target)}[step]"
        indices = iter(index)
        entry = [str(0 if dim == 1 else next(indices)) for dim in self.dims(target)]
        return f"{self.output(target)}_rows[{', '.join(entry)}]"

    def output_lines(self, start: str, stop: str) -> list[str]:
        """Select the rows of a step or of a block in the output arrays."""
        with_rows = [self.output(name) for name in self.outputs if self.dims(name)]
        return [f"{output}_rows = {output}[step, {start}:{stop}]" for output in with_rows]

    def kept_lines(self) -> list[str]:
        """Record values after a step."""
        lines: list[str] = []
        for name, array in zip(self.options.kept, map(self.array, self.options.kept), strict=True):
            dims = [dim for dim in self.dims(name) if isinstance(dim, int)]
            size = str(math.prod(dims)) if len(dims) == len(self.dims(name)) else f"{array}.size"
            lines += [f"for k in range({size}):", f"    {array}_kept_flat[slot * {size} + k] = {self.flat(name)}[k]"]
        return ["slot = kept_at[step]", "if slot >= 0:", *indented(lines)] if lines else []

    def flat_lines(self) -> list[str]:
        """View the arrays for recording as one-dimensional arrays."""
        lines: list[str] = []
        for name, array in zip(self.options.kept, map(self.array, self.options.kept), strict=True):
            lines += [f"{self.flat(name)}, {array}_kept_flat = flat({array}), flat({array}_kept)"]
        return lines

    @property
    def loads_once(self) -> bool:
        """Whether the rows are copied only once, before the first step."""
        return self.options.one_batch and not self.options.in_blocks and self.options.rows != 1

    def module(self) -> str:
        """Return the source of the whole module."""
        self.find_stored()
        steps = self.step_lines()
        loads = self.load_lines("0", "rows") if self.loads_once else []
        body = [
            *self.size_lines(),
            *self.memory_lines(),
            *self.flat_lines(),
            *([f"rows = {self.options.rows or 'stops[0] - starts[0]'}", *loads] if loads else []),
            "for step in range(len(starts)):",
            *indented(steps),
        ]
        head = f"def train({', '.join(self.arguments())}):"
        return "\n".join([*self.header(), *self.section_function, head, *indented(body), ""])

    def header(self) -> list[str]:
        """Write the imports, and the functions of the program."""
        dtype = self.options.dtype
        both = [name for name in BOTH if name in self.used]
        fast = [f"{FAST[dtype][name]} as {name}" for name in sorted(self.used & FAST[dtype].keys())]
        others = sorted(self.used - {*FAST[dtype], *BOTH, "abs", "absolute"})
        of_sections = ["run_sections", "section_bounds", "single_thread_team"] if self.section_function else []
        lines = [
            '"""One program of Workings, as loops: written by workings/engines/compiled/source_writer.py."""',
            "",
            "import numpy as np",
            f"from numpy import {', '.join([f'{dtype} as real', *others])}",
            "from workings.engines.kernels.language import allocate, flat, shaped, stop_requested",
        ]
        if both or fast:
            lines += [f"from workings.engines.kernels.vector_math import {', '.join(sorted(both) + fast)}"]
        if self.has_products:
            lines += [f"from workings.engines.kernels.work_sharing import {', '.join(['product', *of_sections])}"]
        lines += ["", ""]
        for helper in self.helpers.values():
            lines += [*helper.splitlines(), "", ""]
        return lines

    def size_lines(self) -> list[str]:
        """Read the sizes of symbolic dimensions from the arrays, and say which lengths of arrays are equal."""
        lines = [f"{dim} = {text}" for dim, text in (*self.sizes.items(), *self.products.items())]
        if not self.sizes:
            return lines
        for name in self.row_inputs:
            array = self.array(name)
            lengths = ", ".join([f"{array}.shape[0]", *map(str, self.dims(name)[1:])])
            lines.append(f"{array} = shaped({array}, ({lengths},))")
        return [*lines, *([] if self.options.by_step else self.shape_lines(""))]

    def shape_lines(self, suffix: str) -> list[str]:
        """Say which lengths of arrays without rows are equal; a suffix selects their values in one step."""
        return [
            f"{array} = shaped({array}{suffix}, ({', '.join(map(str, self.dims(name)))},))"
            for name, array in zip(self.inputs, map(self.array, self.inputs), strict=True)
            if self.dims(name)
        ]

    def memory_lines(self) -> list[str]:
        """Allocate the arrays that are stored between loops."""
        lines = (
            self.sections.allocation_lines("0") if self.section_function else self.allocation_lines(lambda name: True)
        )
        return ["used = 0", *lines] if lines else []

    def allocation_lines(self, chosen: Callable[[str], bool]) -> list[str]:
        """Allocate the chosen arrays."""
        names = {name: self.array(name) for name in self.stored_between_loops} | {
            name: f"{self.array(name)}_rows" for name in self.copied_inputs
        }
        return [
            f"{array}, used = allocate(memory, used, {self.extents(name)})"
            for name, array in names.items()
            if chosen(name)
        ]

    @property
    def stored_between_loops(self) -> list[str]:
        """The names that need memory."""
        return sorted(name for name in self.stored if name not in self.carried and self.extents(name) != "()")

    @property
    def copied_inputs(self) -> list[str]:
        """The arguments with rows that are copied into the layout of the loops."""
        return [] if self.options.rows == 1 else [name for name in self.row_inputs if not self.is_read_in_place(name)]

    def memory_sizes(self, block: int) -> tuple[int, int]:
        """Return how many numbers must be allocated for blocks of a size: for all threads, and for each thread."""
        lanes = CACHE_LINE // np.dtype(self.options.dtype).itemsize
        counts = {
            name: math.prod(block if dim == "n" else self.layout.size(dim) for dim in self.dims(name))
            for name in (*self.stored_between_loops, *self.copied_inputs)
        }
        aligned = {name: -(-count // lanes) * lanes for name, count in counts.items()}
        if not self.section_function:
            return sum(aligned.values()), 0
        per_thread = sum(count for name, count in aligned.items() if self.sections.is_per_thread(name))
        return self.sections.shared_size(aligned, lanes), per_thread

    def begin_lines(self) -> list[str]:
        """Write the beginning of a step."""
        lines = ["start, stop = starts[step], stops[step]"]
        if self.options.rows:
            lines = ["start = starts[step]"]
        if self.options.by_step:
            lines += self.shape_lines("_steps[step]")
        lines += [f"n = {self.options.rows or 'stop - start'}", "lr = rates[step]", "t = first + step"]
        if self.options.rows == 1:
            lines.append(f"row = {'order[start]' if self.options.ordered else 'start'}")
        return [*lines, *([] if self.options.in_blocks else self.output_lines("start", "start + n"))]

    def step_lines(self) -> list[str]:
        """Write one step."""
        lines = self.begin_lines()
        phases = [self.phase_lines(groups) for groups in self.schedule.phases]
        lines += self.zero_lines() if self.options.in_blocks and not self.options.sections else []
        first_over_rows = next((number for number in range(1, len(phases), 2) if phases[number]), None)
        for number, phase in enumerate(phases):
            if number == first_over_rows and not self.options.in_blocks:
                loads = [] if self.loads_once else self.load_lines("start", "start + rows")
                lines += ["rows = n", *loads]
            if number % 2 and phase and self.options.in_blocks:
                loads = [*self.load_lines("begin", "begin + rows"), *self.output_lines("begin", "begin + rows")]
                phase = [*RETURN_IF_STOPPED, "rows = min(block, stop - begin)", *loads, *phase]
                phase = ["for begin in range(start, stop, block):", *indented(phase)]
                if self.options.sections:
                    phase = self.divide_into_sections([line for lines in phases[:number] for line in lines], phase)
            lines += phase
        objective = self.lowering.current.get("J")
        if objective is not None:
            lines.append(f"objectives[step] = {self.local(objective, ())}")
        return [*lines, *self.kept_lines()]

    def divide_into_sections(self, before: Sequence[str], rows: Sequence[str]) -> list[str]:
        """Move the lines of the rows into the function for one section; return the lines that call it."""
        zeros = self.zero_lines()
        empty = [f"{self.array(name)}[...] = {self.constant(0)}" for name in self.sections.summed]
        self.sections.find_scalars(before, rows, zeros)
        arguments = ", ".join(self.arguments())
        lines = [*dict.fromkeys([*empty, *zeros]), *rows]
        self.section_function = self.sections.function(arguments, self.size_lines(), self.begin_lines(), lines)
        return self.sections.call_lines()

    def phase_lines(self, groups: Sequence[Group]) -> list[str]:
        """Write the groups of one phase."""
        lines: list[str] = []
        for group in groups:
            lines += self.write_group(group)
            lines += RETURN_IF_STOPPED if group.is_large_product and not self.options.in_blocks else []
        return lines

    def load_lines(self, start: str, stop: str) -> list[str]:
        """Copy the rows of a step or of a block into the layout of the loops, if necessary."""
        lines: list[str] = []
        for name, dims in self.row_inputs.items():
            array = self.array(name)
            if self.is_read_in_place(name):
                lines.append(f"{array}_rows = {array}[{start}:{stop}]")
                continue
            row = f"{start} + i" if start != "0" else "i"
            if self.options.ordered and name in ("X", "y", "w"):
                row = f"order[{row}]"
            feature = "0" if dims[1] == 1 else "j"
            copy = f"{self.reference(name, ('i', feature))} = {array}[row, {feature}]"
            inner = [copy] if dims[1] == 1 else [f"for j in range({self.extent(dims[1])}):", f"    {copy}"]
            lines += ["for i in range(rows):", *indented([f"row = {row}", *inner])]
        return lines

    def zero_lines(self) -> list[str]:
        """Set the sums over blocks to zero."""
        lines = []
        for group in self.groups():
            for member in group.members:
                if "i" in member.reduced and not group.is_large_product:
                    lines += self.zero(member)
        return lines

    def zero(self, member: LoopedOperation) -> list[str]:
        """Set one sum to zero."""
        target = member.operation.target
        if any(isinstance(letter, str) for letter in member.result):
            return [f"{self.array(target)}[...] = {self.constant(0)}"]
        return [f"{self.local(target, index)} = {self.constant(0)}" for index in self.entries(member)]

    def entries(self, member: LoopedOperation) -> list[tuple[Index, ...]]:
        """Return the index of every entry of an unrolled result."""
        operation = member.operation
        return [
            tuple(index_of(axis, member, combination) for axis in operation.out)
            for combination in combinations(operation, member, operation.out)
        ]


def indented(lines: Iterable[str]) -> list[str]:
    """Indent lines by one level."""
    return [f"    {line}" for line in lines]


def index_of(axis: Axis, member: LoopedOperation, combination: Combination) -> Index:
    """Return the loop variable of an axis, or a number if the axis is unrolled."""
    return axis if isinstance(axis, int) else member.letters.get(axis, combination.get(axis, 0))


def combinations(operation: Operation, member: LoopedOperation, axes: Sequence[Axis]) -> list[Combination]:
    """Return the indices of all entries along the unrolled axes."""
    unrolled = [axis for axis in axes if isinstance(axis, str) and axis not in member.letters]
    ranges = [range(int(operation.dims[axis])) for axis in unrolled]
    return [dict(zip(unrolled, numbers, strict=True)) for numbers in itertools.product(*ranges)]


class LoopWriter:
    """Writes the loops of one group: the lines before each loop, inside the innermost one, and after each loop."""

    def __init__(self, writer: SourceWriter, group: Group) -> None:
        self.writer, self.group = writer, group
        self.depth = len(group.loops)
        self.before: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.after: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.body: list[str] = []
        self.computed_here = {member.operation.target for member in group.members}
        self.loaded: set[str] = set()

    def lines(self) -> list[str]:
        """Return the lines of the loops."""
        for member in self.group.members:
            self.write(member)
        lines = self.body
        for level in reversed(range(self.depth)):
            letter, dim = self.group.loops[level]
            loop = [f"for {letter} in range({self.writer.count(dim)}):", *indented(lines)]
            lines = [*self.before[level], *loop, *self.after[level]]
        return [*self.flat_lines(), *lines]

    def flat_lines(self) -> list[str]:
        """View the matrices of a flat loop as vectors."""
        if not self.group.is_flat:
            return []
        read = [leaf.name for member in self.group.members for leaf in leaves(member.operation.tree) if leaf.axes]
        names = [name for name in read if name not in self.computed_here]
        targets = [member.operation.target for member in self.group.members]
        names += [name for name in targets if name in self.writer.stored]
        views = {self.writer.flat(name): self.writer.array(name) for name in names}
        return [f"{flat} = shaped({array}, ({self.group.loops[0][1]},))" for flat, array in views.items()]

    def write(self, member: LoopedOperation) -> None:
        """Write one operation: an assignment for every unrolled entry."""
        operation = member.operation
        for outer in combinations(operation, member, operation.out):
            index = tuple(index_of(axis, member, outer) for axis in operation.out)
            terms = [
                self.text(operation.tree, member, {**outer, **inner})
                for inner in combinations(operation, member, operation.over)
            ]
            if is_truth(operation.tree) and operation.kind != "map":
                terms = [self.as_number(term) for term in terms]
            self.assign(member, index, self.reduced(operation.kind, terms))

    def reduced(self, kind: str, terms: list[str]) -> str:
        """Write the sum, the maximum or the argmax of some terms; a map has only one term."""
        if kind in ("map", "sum"):
            return without_extra_parentheses(" + ".join(f"({term})" for term in terms))
        maximum = self.writer.function("maximum")
        largest = [*itertools.accumulate(terms, lambda a, b: f"{maximum}({a}, {b})")]
        return largest[-1] if kind == "max" else self.argmax(terms, largest)

    def argmax(self, terms: Sequence[str], largest: Sequence[str]) -> str:
        """Write the index of the first maximum; ``largest`` holds the maximum of the terms up to each one."""
        where, index = self.writer.function("where"), self.writer.constant(0)
        for number, (before, term) in enumerate(zip(largest, terms[1:], strict=False), start=1):
            index = f"{where}({before} < {term}, {self.writer.constant(number)}, {index})"
        return index

    def assign(self, member: LoopedOperation, index: tuple[Index, ...], text: str) -> None:
        """Write the assignment of one entry."""
        target = member.operation.target
        if target in self.writer.outputs:
            self.body.append(f"{self.writer.output_entry(target, index)} = {text}")
            return
        if member.reduced:
            self.accumulate(member, index, text)
            return
        local = self.writer.local(target, index)
        self.body.append(f"{local} = {text}")
        if target in self.writer.stored:
            self.body.append(f"{self.stored_entry(target, index)} = {local}")

    def accumulate(self, member: LoopedOperation, index: tuple[Index, ...], text: str) -> None:
        """Write a reduction over loops, in a local variable if it reduces over the innermost loops."""
        operation, writer = member.operation, self.writer
        level = next(
            (d for d in range(self.depth) if all(letter in member.reduced for letter, _ in self.group.loops[d:])),
            self.depth,
        )
        in_blocks = writer.options.in_blocks and "i" in member.reduced
        start = writer.constant(0 if operation.kind == "sum" else -np.inf)
        if level == self.depth:
            entry = self.stored_entry(operation.target, index)
            reset = f"{writer.array(operation.target)}[...] = {start}"
            self.before[0] += [] if in_blocks or reset in self.before[0] else [reset]
            self.body.append(self.with_term(operation.kind, entry, text))
            return
        local = writer.local(operation.target, index)
        self.before[level] += [] if in_blocks and level == 0 else [f"{local} = {start}"]
        self.body.append(self.with_term(operation.kind, local, text))
        if operation.target in writer.stored:
            sign = "+=" if in_blocks and level > 0 else "="
            self.after[level].append(f"{self.stored_entry(operation.target, index)} {sign} {local}")

    def with_term(self, kind: str, result: str, term: str) -> str:
        """Write the statement that adds one term to a sum or a maximum."""
        if kind == "sum":
            return f"{result} += {term}"
        return f"{result} = {self.writer.function('maximum')}({result}, {term})"

    def stored_entry(self, target: str, index: tuple[Index, ...]) -> str:
        """Write the array entry that stores an entry of a result."""
        if self.group.is_flat:
            return f"{self.writer.flat(target)}[{index[0]}]"
        dims, indices = self.writer.dims(target), iter(index)
        return self.writer.reference(target, [0 if dim == 1 else next(indices) for dim in dims])

    # -- expressions ---------------------------------------------------------------------------

    def text(self, tree: Tree, member: LoopedOperation, combination: Combination) -> str:
        """Write an expression for one entry."""
        return without_extra_parentheses(self.term(tree, member, combination))

    def term(self, tree: Tree, member: LoopedOperation, combination: Combination) -> str:
        """Write an expression for one entry, with all parentheses."""
        is_scalar = not member.operation.dims and not member.operation.out
        if isinstance(tree, Number):
            return repr(tree.value) if is_scalar else self.writer.constant(tree.value)
        if isinstance(tree, Leaf):
            return self.entry(tree, member, combination, is_scalar)
        if tree.head == "**" and isinstance(tree.args[1], Number) and tree.args[1].value in (2, 3):
            power = self.writer.function(f"power{int(tree.args[1].value)}")
            return f"{power}({self.term(tree.args[0], member, combination)})"
        args = [self.term(arg, member, combination) for arg in tree.args]
        for number, arg in enumerate(tree.args):
            if is_truth(arg) and (tree.head, number) != ("where", 0):
                args[number] = self.as_number(args[number])
        return self.applied(tree.head, args, is_scalar)

    def as_number(self, condition: str) -> str:
        """Write a condition as a number: 1 if it is true, else 0."""
        return f"{self.writer.function('where')}({condition}, {self.writer.constant(1)}, {self.writer.constant(0)})"

    def applied(self, head: str, args: list[str], is_scalar: bool) -> str:
        """Write a function of entries."""
        if head in INFIX:
            return f"({args[0]} {head} {args[1]})"
        if head == "neg":
            return f"(-{args[0]})"
        if head.startswith("call "):
            name = head.removeprefix("call ")
            return f"{self.writer.function(name, self.writer.lowering.program.functions[name])}({', '.join(args)})"
        if head in ("square", "reciprocal"):
            return f"({args[0]} * {args[0]})" if head == "square" else f"({self.writer.constant(1)} / {args[0]})"
        return f"{self.writer.function(head)}({', '.join(args)})"

    def entry(self, leaf: Leaf, member: LoopedOperation, combination: Combination, is_scalar: bool) -> str:
        """Write one entry of an array: computed in this loop, in a local variable, or read from memory."""
        writer = self.writer
        index = tuple(index_of(axis, member, combination) for axis in leaf.axes)
        if leaf.name == INDEX:
            return f"real({index[0]})" if isinstance(index[0], str) else writer.constant(index[0] or 0)
        maker = writer.schedule.makers.get(leaf.name)
        indices = tuple(i for i, axis in zip(index, leaf.axes, strict=True) if axis != 0)
        is_unrolled = maker is not None and not any(maker.result) and not any(isinstance(i, str) for i in indices)
        if leaf.name in self.computed_here or is_unrolled:
            text = writer.local(leaf.name, indices)
        elif writer.lowering.dims.get(leaf.name):
            return self.read(leaf.name, index)
        else:
            text = writer.array(leaf.name)
        return text if indices or is_scalar or writer.options.dtype == "float64" else f"real({text})"

    def read(self, name: str, index: tuple[Index, ...]) -> str:
        """Read an entry from memory, before the outermost loop in which it does not change."""
        local = self.writer.name(("read", name, index), f"{self.writer.array(name)}_{''.join(map(str, index))}")
        if local not in self.loaded:
            self.loaded.add(local)
            letters = [letter for letter, _ in self.group.loops]
            level = max((letters.index(i) + 1 for i in index if isinstance(i, str)), default=0)
            entry = (
                f"{self.writer.flat(name)}[{index[0]}]" if self.group.is_flat else self.writer.reference(name, index)
            )
            line = f"{local} = {entry}"
            (self.body if level == self.depth else self.before[level]).append(line)
        return local


def is_truth(tree: Tree) -> bool:
    """Whether a tree is a condition."""
    return isinstance(tree, Apply) and tree.head in IS_TRUTH


@functools.lru_cache(maxsize=4096)
def without_extra_parentheses(text: str) -> str:
    """Return the same expression without unnecessary parentheses."""
    return ast.unparse(ast.parse(text, mode="eval"))


def live_operations(operations: Sequence[Operation], results: Iterable[str]) -> list[Operation]:
    """Return the operations that some results depend on."""
    needed, live = set(results), []
    for operation in reversed(operations):
        if operation.target in needed:
            needed |= operation.reads
            live.append(operation)
    return live[::-1]
