"""Source: the schedule written as a Python function that Numba can compile, and that a person can read.

One function runs many steps.  For each step it goes through the groups of the schedule; for each group it
writes the loops, with what can be read before a loop read before it, and sums kept in local numbers.  The
names are those of the program: ``dz1_ij`` is the entry of ``dz1`` at row i and column j.
"""

from __future__ import annotations

import ast
import functools
import itertools
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workings.engines.compiled.fusion import Group, Index, Layout, Placed, Schedule
from workings.engines.compiled.row_sections import LEAVE, Sections
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

RESERVED = frozenset((
    "i", "j", "k", "l", "step", "start", "stop", "begin", "rows", "block", "row", "first", "order", "objectives",
    "board", "rooms", "starts", "stops", "rates", "np", "numba", "real", "memory", "taken", "used", "asked", "leave",
    "product", "pointer", "entry", "table", "min", "range", "len", "train", "section", "who", "handed", "sums", "part",
    "in_sections", "section_bounds", "own", "flat", "kept_at", "place",
))  # fmt: skip
IS_TRUTH = frozenset(COMPARISONS.values())
INFIX = IS_TRUTH | frozenset(OPERATORS.values())
# The elementary functions under the names by which a compiled program finds them: by precision, and for both.
FAST: dict[str, dict[str, str]] = {
    "float64": {
        "exp": "exp64",
        "expm1": "expm1_64",
        "tanh": "tanh64",
        "log": "log64",
        "log1p": "log1p64",
        "logaddexp": "logaddexp64",
    },
    "float32": {
        "exp": "exp32",
        "expm1": "expm1_32",
        "tanh": "tanh32",
        "log": "log32",
        "log1p": "log1p32",
        "logaddexp": "logaddexp32",
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
    "use_wide_vectors",
    "taken",
    "leave",
    "flat",
)
Combination = Mapping[Axis, int]  # which entry, along the axes that are written out


@dataclass(frozen=True)
class Shape:
    """What is fixed when the source is written.

    Attributes
    ----------
    dtype : str
        ``"float64"`` or ``"float32"``.
    one_batch : bool
        Whether every step takes the same rows, which are then put in place once.
    ordered : bool
        Whether rows come in an order of their own.
    in_blocks : bool
        Whether rows are taken a block at a time.
    rows : int or None
        The number of rows in every step, where it is small enough to be written out; 1 means no loop.
    kept : tuple of str
        What is kept of each step.
    by_step : bool
        Whether arrays without rows are handed in for each step.
    sections : int
        Into how many sections the rows are cut, which threads share; 0 for none.
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
        """The length of an array that is handed in."""
        return f"{name}_steps.shape[{axis + 1}]" if self.by_step and name not in with_rows else f"{name}.shape[{axis}]"


@dataclass
class Writer:
    """Writes the source of one program."""

    lowering: Lowering
    schedule: Schedule
    shape: Shape
    row_inputs: Mapping[str, tuple[Dim, ...]]
    inputs: Sequence[str]  # the other arrays that are handed in
    carried: Mapping[str, str]  # final name -> the name of the array that is changed
    sizes: Mapping[str, str]  # dimension -> the expression that gives it
    outputs: Sequence[str]  # operations that are handed back
    names: dict[Any, str] = field(default_factory=dict)
    helpers: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    memory: dict[str, str] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)
    part: list[str] = field(default_factory=list)  # the function for one section, if there are sections

    def __post_init__(self) -> None:
        self.sections = Sections(self, self.shape.sections)

    @property
    def layout(self) -> Layout:
        """How arrays of rows lie in memory."""
        return self.schedule.layout

    # -- names -------------------------------------------------------------------------------

    def name(self, key: Any, wanted: str) -> str:
        """A name that nothing else has."""
        if key not in self.names:
            wanted = wanted.replace(".", "_")
            taken = {*self.names.values(), *RESERVED}
            choices = itertools.chain([wanted], (f"{wanted}__{number}" for number in itertools.count(2)))
            self.names[key] = next(choice for choice in choices if choice not in taken)
        return self.names[key]

    def array(self, name: str) -> str:
        """What an array, or a scalar, is called in the source."""
        if name.startswith("size."):
            dim = name.removeprefix("size.")
            return "n" if dim == "n" else dim
        return self.name(self.carried.get(name, name), self.carried.get(name, name))

    def local(self, name: str, index: Sequence[Index]) -> str:
        """What one entry is called."""
        base = self.array(name) if name not in self.carried else self.name(("new", name), f"{self.carried[name]}_new")
        if not index:
            return base
        parts = "".join(map(str, index)) if all(len(str(p)) == 1 for p in index) else "_".join(map(str, index))
        return self.name(("entry", name, tuple(index)), f"{base}_{parts}")

    def constant(self, number: float) -> str:
        """A number in the precision of the program."""
        text = repr(float(number)).replace("inf", "np.inf")
        return text if self.shape.dtype == "float64" else f"real({text})"

    def function(self, name: str, given: Any = None) -> str:
        """The name of an elementwise function in the source; one that the program brings is written above."""
        if given is None or isinstance(given, np.ufunc):
            known = name if given is None else given.__name__
            self.used.add(known)
            return "abs" if known in ("abs", "absolute") else known
        if name not in self.helpers:
            self.helpers[name] = ""
            self.helpers[name] = Entrywise(name, given, self.constant, self.function).written()
        return name

    # -- where values are kept ---------------------------------------------------------------

    def choose_memory(self) -> None:
        """Find the names that must be kept in arrays: those that other loops read by a letter."""
        for group in self.groups():
            for member in group.members:
                self.choose_for(group, member)

    def choose_for(self, group: Group, member: Placed) -> None:
        """Mark what one operation needs in an array."""
        target = member.operation.target
        if target in self.carried or group.alone:
            self.stored.add(target)
        for leaf in leaves(member.operation.tree):
            maker = self.schedule.makers.get(leaf.name)
            if maker is None:
                continue
            is_here = any(m is maker for m in group.members)
            letters = member.index([axis for axis in leaf.axes if axis != 0])
            if group.alone or letters != maker.result or (not is_here and any(maker.result)):
                self.stored.add(leaf.name)

    @property
    def has_products(self) -> bool:
        """Whether there are large products."""
        return any(group.alone for group in self.groups())

    def groups(self) -> Iterable[Group]:
        """All groups in order."""
        return itertools.chain.from_iterable(self.schedule.phases)

    @property
    def summed_over_rows(self) -> set[str]:
        """The operations that add up something over all rows."""
        members = [member for group in self.groups() for member in group.members if "i" in member.reduced]
        return {member.operation.target for member in members}

    def is_by_rows(self, name: str) -> bool:
        """Whether an array of rows keeps each row together."""
        return any(dim in self.layout.by_rows for dim in self.dims(name) if dim != "n")

    def dims(self, name: str) -> tuple[Dim, ...]:
        """The dimensions of an array."""
        return self.lowering.dims[name]

    def is_whole(self, name: str) -> bool:
        """Whether an array has its dimensions of one entry too, as those that are handed in do."""
        return name in self.carried or (name not in self.schedule.makers and name not in self.row_inputs)

    def is_direct(self, name: str) -> bool:
        """Whether rows are read where they stand, because they are read row by row in any case."""
        if name not in self.row_inputs:
            return False
        return self.shape.rows == 1 or (self.is_by_rows(name) and not (self.shape.ordered and name in ("X", "y", "w")))

    def reference(self, name: str, index: Sequence[Index]) -> str:
        """How one entry of an array is read or written."""
        if self.shape.rows == 1 and name in self.row_inputs:
            row = "row" if name in ("X", "y", "w") else "start"
            return f"{self.array(name)}[{', '.join([row, *map(str, index[1:])])}]"
        if self.is_direct(name):
            return f"{self.array(name)}_rows[{', '.join(map(str, index))}]"
        kept = list(index)
        if not self.is_whole(name):
            kept = [i for i, dim in zip(index, self.dims(name), strict=True) if dim != 1]
            if "n" in self.dims(name) and len(kept) == 2 and not self.is_by_rows(name):
                kept.reverse()
        array = f"{self.array(name)}_rows" if name in self.row_inputs else self.array(name)
        return f"{array}[{', '.join(map(str, kept))}]" if kept else array

    def extents(self, name: str) -> str:
        """The shape of an array in memory."""
        kept = [self.extent(dim) for dim in self.dims(name) if dim != 1]
        if "n" in self.dims(name) and len(kept) == 2 and not self.is_by_rows(name):
            kept.reverse()
        return f"({', '.join(kept)}{',' if len(kept) == 1 else ''})"

    def extent(self, dim: Dim) -> str:
        """The room along a dimension."""
        return "block" if dim == "n" else str(dim)

    def count(self, dim: Dim) -> str:
        """How often a loop along a dimension runs."""
        return "rows" if dim == "n" else str(dim)

    # -- loops -------------------------------------------------------------------------------

    def write_group(self, group: Group) -> list[str]:
        """Write one group of operations."""
        if group.alone:
            return [self.write_product(group.members[0])]
        return Loops(self, group).written()

    def write_product(self, member: Placed) -> str:
        """Write a large product."""
        operation = member.operation
        assert isinstance(operation.tree, Apply)
        left, right = operation.tree.args
        assert isinstance(left, Leaf)
        assert isinstance(right, Leaf)
        a, b = operation.out
        m, n, k = (self.count(operation.dims[str(axis)]) for axis in (a, b, "c"))
        is_sum = operation.dims["c"] == "n" and self.shape.in_blocks
        adds = "begin != start" if is_sum else "False"
        A, flip_a = self.factor(left, (a, "c"))
        B, flip_b = self.factor(right, ("c", b))
        C, flip_c = self.factor(Leaf(operation.target, operation.out), (a, b))
        if flip_c:
            A, flip_a, B, flip_b, m, n = B, not flip_b, A, not flip_a, n, m
        scale = "1.0"
        if operation.scale is not None:
            scale, adds = Loops(self, Group(())).text(operation.scale, member, {}), "True"
        return f"product(board, rooms, {A}, {flip_a}, {B}, {flip_b}, {C}, {m}, {k}, {n}, {scale}, {adds})"

    def factor(self, leaf: Leaf, axes: tuple[Axis, Axis]) -> tuple[str, bool]:
        """A factor of a large product, and whether its rows are the columns of what is meant."""
        name = leaf.name
        array = f"{self.array(name)}_rows" if name in self.row_inputs else self.array(name)
        by_columns = "n" in self.dims(name) and not self.is_by_rows(name)
        return array, (leaf.axes != axes) != by_columns

    # -- the whole function ------------------------------------------------------------------

    def arguments(self) -> list[str]:
        """What the function is given, in order."""
        program = self.lowering.program
        by_step = "_steps" if self.shape.by_step else ""
        arrays = [f"{self.array(name)}_kept" for name in self.shape.kept]
        arrays += [*map(self.array, self.row_inputs), *(f"{self.array(name)}{by_step}" for name in self.inputs)]
        arrays += map(self.output, self.outputs)
        order = ["order"] if self.shape.ordered else []
        team = ["board", "rooms"] if self.has_products else []
        kept_at = ["kept_at"] if self.shape.kept else []
        scalars = ["starts", "stops", "rates", *kept_at, "first", "block", "memory", "asked", *team]
        scalars += map(self.array, program.constants)
        return [*scalars, *order, *arrays, "objectives"]

    def output(self, target: str) -> str:
        """What the array is called into which an operation is handed back."""
        return self.name(("output", target), target)

    def output_place(self, target: str, index: Sequence[Index]) -> str:
        """Where an entry is handed back: by step, row and column; by step only, if it has no rows."""
        if not self.dims(target):
            return f"{self.output(target)}[step]"
        given = iter(index)
        place = [str(0 if dim == 1 else next(given)) for dim in self.dims(target)]
        return f"{self.output(target)}_rows[{', '.join(place)}]"

    def output_lines(self, start: str, stop: str) -> list[str]:
        """Find the rows of a step, or of a block, that are handed back."""
        with_rows = [self.output(name) for name in self.outputs if self.dims(name)]
        return [f"{output}_rows = {output}[step, {start}:{stop}]" for output in with_rows]

    def kept_lines(self) -> list[str]:
        """Keep what a step has led to."""
        lines: list[str] = []
        for name, array in zip(self.shape.kept, map(self.array, self.shape.kept), strict=True):
            dims = [dim for dim in self.dims(name) if isinstance(dim, int)]
            size = str(math.prod(dims)) if len(dims) == len(self.dims(name)) else f"{array}.size"
            lines += [f"for k in range({size}):", f"    {array}_kept_flat[place * {size} + k] = {array}_flat[k]"]
        return ["place = kept_at[step]", "if place >= 0:", *indented(lines)] if lines else []

    def flat_lines(self) -> list[str]:
        """See what is kept, and where, as numbers in one row."""
        lines: list[str] = []
        for array in map(self.array, self.shape.kept):
            lines += [f"{array}_flat, {array}_kept_flat = flat({array}), flat({array}_kept)"]
        return lines

    @property
    def loads_once(self) -> bool:
        """Whether the rows are put in place once, before the first step."""
        return self.shape.one_batch and not self.shape.in_blocks and self.shape.rows != 1

    def written(self) -> str:
        """The source of the whole module."""
        self.choose_memory()
        steps = self.step_lines()
        loads = self.load_lines("0", "rows") if self.loads_once else []
        body = [
            "use_wide_vectors()",
            *self.size_lines(),
            *self.empty_lines(),
            *self.flat_lines(),
            *([f"rows = {self.shape.rows or 'stops[0] - starts[0]'}", *loads] if loads else []),
            "for step in range(len(starts)):",
            *indented(steps),
        ]
        head = f"def train({', '.join(self.arguments())}):"
        part = [OPTIONS, *self.part] if self.part else []
        return "\n".join([*self.header(), *part, OPTIONS, head, *indented(body), ""])

    def header(self) -> list[str]:
        """The imports, and the functions that the program brings."""
        dtype = self.shape.dtype
        always = ("use_wide_vectors", "taken", "leave", *(["flat"] if self.shape.kept else []))
        here = [name for name in BOTH if name in self.used or name in always]
        fast = [f"{FAST[dtype][name]} as {name}" for name in sorted(self.used & FAST[dtype].keys())]
        others = sorted(self.used - {*FAST[dtype], *BOTH, "abs", "absolute"})
        shared = [*(["in_sections", "own"] if self.part else []), "product", *(["section_bounds"] if self.part else [])]
        lines = [
            '"""One program of Workings, as loops: written by workings/engines/compiled/codegen.py."""',
            "",
            "import numba",
            "import numpy as np",
            f"from numpy import {', '.join([f'{dtype} as real', *others])}",
            f"from workings.engines.kernels.vector_math import {', '.join(sorted(here) + fast)}",
            *([f"from workings.engines.kernels.work_sharing import {', '.join(shared)}"] if self.has_products else []),
            "",
            "",
        ]
        for helper in self.helpers.values():
            lines += [HELPER, *helper.splitlines(), "", ""]
        return lines

    def size_lines(self) -> list[str]:
        """Read the sizes that stand for themselves off the arrays."""
        return [f"{dim} = {text}" for dim, text in self.sizes.items()]

    def empty_lines(self) -> list[str]:
        """Room for what is kept between loops."""
        lines = self.sections.taken("0") if self.part else self.taken_lines(lambda name: True)
        return ["used = 0", *lines] if lines else []

    def taken_lines(self, chosen: Callable[[str], bool]) -> list[str]:
        """Take room for some of what is kept between loops."""
        names = {name: self.array(name) for name in self.kept_between_loops} | {
            name: f"{self.array(name)}_rows" for name in self.put_in_place
        }
        return [
            f"{array}, used = taken(memory, used, {self.extents(name)})"
            for name, array in names.items()
            if chosen(name)
        ]

    @property
    def kept_between_loops(self) -> list[str]:
        """The names that need room of their own."""
        return sorted(name for name in self.stored if name not in self.carried and self.extents(name) != "()")

    @property
    def put_in_place(self) -> list[str]:
        """The arrays of rows that are copied to where the loops find them."""
        return [] if self.shape.rows == 1 else [name for name in self.row_inputs if not self.is_direct(name)]

    def room(self, block: int) -> tuple[int, int]:
        """How many numbers the room must hold, with so many rows at a time: for all, and more for each thread."""
        lanes = CACHE_LINE // np.dtype(self.shape.dtype).itemsize
        counts = {
            name: math.prod(block if dim == "n" else self.layout.size(dim) for dim in self.dims(name))
            for name in (*self.kept_between_loops, *self.put_in_place)
        }
        numbers = {name: -(-count // lanes) * lanes for name, count in counts.items()}
        if not self.part:
            return sum(numbers.values()), 0
        own = sum(count for name, count in numbers.items() if self.sections.is_own(name))
        return self.sections.numbers(numbers, lanes), own

    def begin_lines(self) -> list[str]:
        """What a step begins with."""
        lines = ["start, stop = starts[step], stops[step]"]
        if self.shape.rows:
            lines = ["start = starts[step]"]
        if self.shape.by_step:
            lines += [f"{self.array(name)} = {self.array(name)}_steps[step]" for name in self.inputs]
        lines += [f"n = {self.shape.rows or 'stop - start'}", "lr = rates[step]", "t = first + step"]
        if self.shape.rows == 1:
            lines.append(f"row = {'order[start]' if self.shape.ordered else 'start'}")
        return [*lines, *([] if self.shape.in_blocks else self.output_lines("start", "start + n"))]

    def step_lines(self) -> list[str]:
        """One step."""
        lines = self.begin_lines()
        written = [self.phase_lines(number, groups) for number, groups in enumerate(self.schedule.phases)]
        lines += self.zero_lines() if self.shape.in_blocks and not self.shape.sections else []
        rows_come = next((number for number in range(1, len(written), 2) if written[number]), None)
        for number, phase in enumerate(written):
            if number == rows_come and not self.shape.in_blocks:
                loads = [] if self.loads_once else self.load_lines("start", "start + rows")
                lines += ["rows = n", *loads]
            if number % 2 and phase and self.shape.in_blocks:
                loads = [*self.load_lines("begin", "begin + rows"), *self.output_lines("begin", "begin + rows")]
                phase = [*LEAVE, "rows = min(block, stop - begin)", *loads, *phase]
                phase = ["for begin in range(start, stop, block):", *indented(phase)]
                if self.shape.sections:
                    phase = self.in_sections([line for lines in written[:number] for line in lines], phase)
            lines += phase
        objective = self.lowering.current.get("J")
        if objective is not None:
            lines.append(f"objectives[step] = {self.local(objective, ())}")
        return [*lines, *self.kept_lines()]

    def in_sections(self, before: Sequence[str], rows: Sequence[str]) -> list[str]:
        """Move the lines of the rows into the function for one section; what is left is the call."""
        zeros = self.zero_lines()
        empty = [f"{self.array(name)}[...] = {self.constant(0)}" for name in self.sections.summed]
        self.sections.find(before, rows, zeros)
        arguments = ", ".join(self.arguments())
        lines = [*dict.fromkeys([*empty, *zeros]), *rows]
        self.part = self.sections.function(arguments, self.size_lines(), self.begin_lines(), lines)
        return self.sections.calling()

    def phase_lines(self, number: int, groups: Sequence[Group]) -> list[str]:
        """The groups of one phase."""
        lines: list[str] = []
        for group in groups:
            lines += self.write_group(group)
            lines += LEAVE if group.alone and not self.shape.in_blocks else []
        return lines

    def load_lines(self, start: str, stop: str) -> list[str]:
        """Put the rows of a step, or of a block, where the loops find them."""
        lines: list[str] = []
        for name, dims in self.row_inputs.items():
            array = self.array(name)
            if self.is_direct(name):
                lines.append(f"{array}_rows = {array}[{start}:{stop}]")
                continue
            row = f"{start} + i" if start != "0" else "i"
            if self.shape.ordered and name in ("X", "y", "w"):
                row = f"order[{row}]"
            feature = "0" if dims[1] == 1 else "j"
            copy = f"{self.reference(name, ('i', feature))} = {array}[row, {feature}]"
            inner = [copy] if dims[1] == 1 else [f"for j in range({self.extent(dims[1])}):", f"    {copy}"]
            lines += ["for i in range(rows):", *indented([f"row = {row}", *inner])]
        return lines

    def zero_lines(self) -> list[str]:
        """Set to zero what is added up over the blocks."""
        lines = []
        for group in self.groups():
            for member in group.members:
                if "i" in member.reduced and not group.alone:
                    lines += self.zero(member)
        return lines

    def zero(self, member: Placed) -> list[str]:
        """Set one sum to zero."""
        target = member.operation.target
        if any(isinstance(letter, str) for letter in member.result):
            return [f"{self.array(target)}[...] = {self.constant(0)}"]
        return [f"{self.local(target, index)} = {self.constant(0)}" for index in self.entries(member)]

    def entries(self, member: Placed) -> list[tuple[Index, ...]]:
        """The index of every entry of a result that is written out."""
        operation = member.operation
        return [
            tuple(index_of(axis, member, combination) for axis in operation.out)
            for combination in combinations(operation, member, operation.out)
        ]


HELPER = '@numba.njit(forceinline=True, fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")'
OPTIONS = '@numba.njit(fastmath={"reassoc", "contract", "nsz", "arcp"}, error_model="numpy")'


def indented(lines: Iterable[str]) -> list[str]:
    """Lines one level further in."""
    return [f"    {line}" for line in lines]


def index_of(axis: Axis, member: Placed, combination: Combination) -> Index:
    """The letter of an axis, or the number where it is written out."""
    return axis if isinstance(axis, int) else member.letters.get(axis, combination.get(axis, 0))


def combinations(operation: Operation, member: Placed, axes: Sequence[Axis]) -> list[Combination]:
    """All entries along the axes that are written out."""
    written = [axis for axis in axes if isinstance(axis, str) and axis not in member.letters]
    ranges = [range(int(operation.dims[axis])) for axis in written]
    return [dict(zip(written, numbers, strict=True)) for numbers in itertools.product(*ranges)]


class Loops:
    """Writes the loops of one group: what comes before each loop, inside, and after it."""

    def __init__(self, writer: Writer, group: Group) -> None:
        self.writer, self.group = writer, group
        self.depth = len(group.loops)
        self.before: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.after: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.body: list[str] = []
        self.made = {member.operation.target: member for member in group.members}
        self.loaded: set[str] = set()

    def written(self) -> list[str]:
        """The lines of the loops."""
        for member in self.group.members:
            self.write(member)
        lines = self.body
        for level in reversed(range(self.depth)):
            letter, dim = self.group.loops[level]
            loop = [f"for {letter} in range({self.writer.count(dim)}):", *indented(lines)]
            lines = [*self.before[level], *loop, *self.after[level]]
        return lines

    def write(self, member: Placed) -> None:
        """Write one operation: an assignment for every entry that is written out."""
        operation = member.operation
        for outer in combinations(operation, member, operation.out):
            index = tuple(index_of(axis, member, outer) for axis in operation.out)
            terms = [
                self.text(operation.tree, member, {**outer, **inner})
                for inner in combinations(operation, member, operation.over)
            ]
            if is_truth(operation.tree) and operation.kind != "map":
                terms = [self.as_number(term) for term in terms]
            self.assign(member, index, self.together(operation.kind, terms))

    def together(self, kind: str, terms: list[str]) -> str:
        """The sum or the maximum of some terms, or the place of the first largest; of a map, there is one term."""
        if kind in ("map", "sum"):
            return tidy(" + ".join(f"({term})" for term in terms))
        maximum = self.writer.function("maximum")
        largest = [*itertools.accumulate(terms, lambda a, b: f"{maximum}({a}, {b})")]
        return largest[-1] if kind == "max" else self.place_of_largest(terms, largest)

    def place_of_largest(self, terms: Sequence[str], largest: Sequence[str]) -> str:
        """The place of the last term that is larger than the largest of those before it."""
        where, place = self.writer.function("where"), self.writer.constant(0)
        for number, (before, term) in enumerate(zip(largest, terms[1:], strict=False), start=1):
            place = f"{where}({before} < {term}, {self.writer.constant(number)}, {place})"
        return place

    def assign(self, member: Placed, index: tuple[Index, ...], text: str) -> None:
        """Write what an entry becomes."""
        target = member.operation.target
        if target in self.writer.outputs:
            self.body.append(f"{self.writer.output_place(target, index)} = {text}")
            return
        if member.reduced:
            self.accumulate(member, index, text)
            return
        local = self.writer.local(target, index)
        self.body.append(f"{local} = {text}")
        if target in self.writer.stored:
            self.body.append(f"{self.place(target, index)} = {local}")

    def accumulate(self, member: Placed, index: tuple[Index, ...], text: str) -> None:
        """Write a reduction over loops: into a local number where the innermost loops are those it reduces."""
        operation, writer = member.operation, self.writer
        level = next(
            (d for d in range(self.depth) if all(letter in member.reduced for letter, _ in self.group.loops[d:])),
            self.depth,
        )
        in_blocks = writer.shape.in_blocks and "i" in member.reduced
        start = writer.constant(0 if operation.kind == "sum" else -np.inf)
        if level == self.depth:
            place = self.place(operation.target, index)
            empty = f"{writer.array(operation.target)}[...] = {start}"
            self.before[0] += [] if in_blocks or empty in self.before[0] else [empty]
            self.body.append(self.added(operation.kind, place, text))
            return
        local = writer.local(operation.target, index)
        self.before[level] += [] if in_blocks and level == 0 else [f"{local} = {start}"]
        self.body.append(self.added(operation.kind, local, text))
        if operation.target in writer.stored:
            sign = "+=" if in_blocks and level > 0 else "="
            self.after[level].append(f"{self.place(operation.target, index)} {sign} {local}")

    def added(self, kind: str, place: str, text: str) -> str:
        """One more term."""
        if kind == "sum":
            return f"{place} += {text}"
        return f"{place} = {self.writer.function('maximum')}({place}, {text})"

    def place(self, target: str, index: tuple[Index, ...]) -> str:
        """Where the entry of a result is kept."""
        dims, given = self.writer.dims(target), iter(index)
        return self.writer.reference(target, [0 if dim == 1 else next(given) for dim in dims])

    # -- expressions ---------------------------------------------------------------------------

    def text(self, tree: Tree, member: Placed, combination: Combination) -> str:
        """An expression for one entry."""
        return tidy(self.term(tree, member, combination))

    def term(self, tree: Tree, member: Placed, combination: Combination) -> str:
        """An expression for one entry, with all its parentheses."""
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
        """1 where something is true, else 0."""
        return f"{self.writer.function('where')}({condition}, {self.writer.constant(1)}, {self.writer.constant(0)})"

    def applied(self, head: str, args: list[str], is_scalar: bool) -> str:
        """A function of entries."""
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

    def entry(self, leaf: Leaf, member: Placed, combination: Combination, is_scalar: bool) -> str:
        """One entry of an array: computed in this loop, kept in a local number, or read from memory."""
        writer = self.writer
        index = tuple(index_of(axis, member, combination) for axis in leaf.axes)
        if leaf.name == INDEX:
            return f"real({index[0]})" if isinstance(index[0], str) else writer.constant(index[0] or 0)
        maker = writer.schedule.makers.get(leaf.name)
        shown = tuple(i for i, axis in zip(index, leaf.axes, strict=True) if axis != 0)
        is_one = maker is not None and not any(maker.result) and not any(isinstance(i, str) for i in shown)
        if leaf.name in self.made or is_one:
            text = writer.local(leaf.name, shown)
        elif writer.lowering.dims.get(leaf.name):
            return self.read(leaf.name, index)
        else:
            text = writer.array(leaf.name)
        return text if shown or is_scalar or writer.shape.dtype == "float64" else f"real({text})"

    def read(self, name: str, index: tuple[Index, ...]) -> str:
        """Read an entry from memory, before the first loop that it does not change in."""
        local = self.writer.name(("read", name, index), f"{self.writer.array(name)}_{''.join(map(str, index))}")
        if local not in self.loaded:
            self.loaded.add(local)
            letters = [letter for letter, _ in self.group.loops]
            level = max((letters.index(i) + 1 for i in index if isinstance(i, str)), default=0)
            line = f"{local} = {self.writer.reference(name, index)}"
            (self.body if level == self.depth else self.before[level]).append(line)
        return local


def is_truth(tree: Tree) -> bool:
    """Whether an entry is true or false."""
    return isinstance(tree, Apply) and tree.head in IS_TRUTH


@functools.lru_cache(maxsize=4096)
def tidy(text: str) -> str:
    """Return the same expression without parentheses that are not needed."""
    return ast.unparse(ast.parse(text, mode="eval"))


def alive(operations: Sequence[Operation], results: Iterable[str]) -> list[Operation]:
    """The operations that some results need."""
    wanted, kept = set(results), []
    for operation in reversed(operations):
        if operation.target in wanted:
            wanted |= operation.reads
            kept.append(operation)
    return kept[::-1]
