"""Loop fusion: decides which operations share a loop, and in which order the loops run.

Operations over the same axes are fused into one loop, and intermediate results that only this loop needs are not
stored.  Loops over rows (axis ``i``) form phases.  A phase ends where an operation needs a sum over all rows; with a
single phase, rows can be processed in blocks.  Loops over small sizes are unrolled.  Large matrix products are not
fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from workings.lowering.index_notation import Axis, Dim, Leaf, Operation, leaves, with_axes

MOST_COPIES = 32  # entries of a parameter up to which a loop is unrolled
LARGE_PRODUCT = 256  # multiplications for each row from which a matrix product is not fused
Loop = tuple[str, Dim]  # the loop variable, and the dimension that it runs along
Index = str | int  # a loop variable, or a number in unrolled code


@dataclass(frozen=True)
class Layout:
    """The memory layout of arrays with rows.

    Attributes
    ----------
    sizes : mapping of Dim to int
        The size of each dimension, for decisions only.
    by_rows : frozenset of Dim
        Dimensions whose arrays are row-major.  All others are column-major, so that inner loops run over the rows.
    """

    sizes: Mapping[Dim, int]
    by_rows: frozenset[Dim] = frozenset()

    def size(self, dim: Dim) -> int:
        """Return the size of a dimension."""
        return dim if isinstance(dim, int) else self.sizes[dim]


@dataclass(frozen=True)
class LoopedOperation:
    """An operation with its loops, outermost first, and the loop variable of each axis that is not unrolled."""

    operation: Operation
    letters: Mapping[str, str]
    loops: tuple[Loop, ...]

    def index(self, axes: Sequence[Axis]) -> tuple[Index | None, ...]:
        """Return the loop variables of some axes; None for unrolled ones."""
        return tuple(axis if isinstance(axis, int) else self.letters.get(axis) for axis in axes)

    @property
    def reduced(self) -> tuple[str, ...]:
        """The variables of the loops that it reduces over."""
        return tuple(self.letters[axis] for axis in self.operation.over if axis in self.letters)

    @property
    def result(self) -> tuple[Index | None, ...]:
        """The index of its result."""
        return self.index(self.operation.out)

    @property
    def on_rows(self) -> bool:
        """Whether it runs over rows."""
        return "n" in self.operation.dims.values()


@dataclass
class Group:
    """Operations that share their loops, or one large matrix product."""

    loops: tuple[Loop, ...]
    members: list[LoopedOperation] = field(default_factory=list)
    is_large_product: bool = False
    is_flat: bool = False  # whether a matrix is treated as a vector of all its entries, in one loop

    @property
    def names(self) -> set[str]:
        """The names that its operations read and compute."""
        return {name for member in self.members for name in (*member.operation.reads, member.operation.target)}


def maps_whole(member: LoopedOperation, dims: Mapping[str, tuple[Dim, ...]]) -> bool:
    """Whether an operation computes each entry of an array from scalars and from the same entries of like arrays."""
    operation = member.operation
    read = [leaf for leaf in leaves(operation.tree) if leaf.axes or dims.get(leaf.name)]
    letters, lengths = zip(*member.loops, strict=True)
    return not member.reduced and all(
        member.index(leaf.axes) == letters and dims.get(leaf.name) == lengths
        for leaf in (Leaf(operation.target, operation.out), *read)
    )


def flattened(group: Group, dims: Mapping[str, tuple[Dim, ...]], size: Callable[[Dim, Dim], Dim]) -> Group:
    """Return the same group with one loop over all entries, if it only maps entries of whole matrices to each other.

    The update of a matrix of weights is then the same code as that of a vector.  ``size`` names a product of two
    dimensions; matrices whose dimensions are numbers have code of their own in any case.
    """
    lengths = [dim for _, dim in group.loops]
    is_matrix = len(lengths) == 2 and "n" not in lengths and any(isinstance(dim, str) for dim in lengths)
    if not is_matrix or not all(maps_whole(member, dims) for member in group.members):
        return group
    dim = size(*lengths)
    members = [
        LoopedOperation(
            replace(member.operation, out=("a",), dims={"a": dim}, tree=with_axes(member.operation.tree, ("a",))),
            {"a": "k"},
            (("k", dim),),
        )
        for member in group.members
    ]
    return Group((("k", dim),), members, is_flat=True)


def with_loops(operation: Operation, layout: Layout) -> LoopedOperation:
    """Choose the loops of an operation."""
    dims = operation.dims
    on_rows = "n" in dims.values()
    copies = math.prod(dim for dim in dims.values() if isinstance(dim, int))
    is_long = not on_rows and copies > MOST_COPIES
    looped = [axis for axis, dim in dims.items() if isinstance(dim, str) or is_long]
    letters = {axis: "i" for axis in looped if dims[axis] == "n"}
    features = in_memory_order(operation, [axis for axis in looped if axis not in letters])
    letters |= dict(zip(features, "kj"[2 - len(features) :] if len(features) < 3 else "lkj", strict=True))
    inner_rows = bool(features) and dims[features[-1]] not in layout.by_rows
    rows = [(letters[axis], dims[axis]) for axis in looped if letters[axis] == "i"]
    others = [(letters[axis], dims[axis]) for axis in features]
    return LoopedOperation(operation, letters, tuple([*others, *rows] if inner_rows else [*rows, *others]))


def in_memory_order(operation: Operation, features: list[str]) -> list[str]:
    """Put two axes in the order of a matrix with both, so that the inner loop runs along contiguous memory."""
    for leaf in (*leaves(operation.tree), Leaf("", operation.out)):
        if len(features) == 2 and set(features) <= set(leaf.axes):
            return [axis for axis in leaf.axes if axis in features]
    return features


def is_large(operation: Operation, layout: Layout) -> bool:
    """Whether an operation is a matrix product that is large enough to be computed in tiles."""
    dims = list(operation.dims.values())
    if not operation.is_product or len(dims) < 3:
        return False
    features = math.prod(layout.size(dim) for dim in dims if dim != "n")
    return all(isinstance(dim, str) for dim in dims) or features >= LARGE_PRODUCT


def phases_of(operations: Sequence[Operation]) -> list[int]:
    """Return the phase of each operation: odd phases run over rows, even phases do not."""
    phase: dict[str, int] = {}
    by_name = {operation.target: operation for operation in operations}
    phases = []
    for operation in operations:
        on_rows = "n" in operation.dims.values()
        first = 1 if on_rows else 0
        for name in operation.reads & by_name.keys():
            is_sum = any(by_name[name].dims[axis] == "n" for axis in by_name[name].over)
            after = phase[name] + is_sum
            first = max(first, after + ((after % 2 == 1) != on_rows))
        phase[operation.target] = first
        phases.append(first)
    return as_late_as_possible(operations, phases)


def as_late_as_possible(operations: Sequence[Operation], phases: list[int]) -> list[int]:
    """Move operations without rows to the phase that first reads them, so that less has to be stored."""
    needed: dict[str, int] = {}
    for number in reversed(range(len(operations))):
        operation = operations[number]
        latest = needed.get(operation.target)
        if latest is not None and operation.dims and "n" not in operation.dims.values():
            phases[number] = max(phases[number], latest - latest % 2)
        for name in operation.reads:
            needed[name] = min(needed.get(name, phases[number]), phases[number])
    return phases


@dataclass
class LoopSchedule:
    """Groups of operations in the order in which they run, phase by phase.

    Attributes
    ----------
    replaces : mapping of str to str
        The carried name that each final value overwrites.
    phases : list of lists of Group
        The phases with odd numbers run over rows.
    group_of : mapping of str to (phase, number)
        The group that computes each name.
    makers : mapping of str to LoopedOperation
        The operation that computes each name.
    last_reader : mapping of str to (phase, number)
        The last group that reads each name.
    """

    layout: Layout
    replaces: Mapping[str, str]
    phases: list[list[Group]] = field(default_factory=list)
    group_of: dict[str, tuple[int, int]] = field(default_factory=dict)
    makers: dict[str, LoopedOperation] = field(default_factory=dict)
    last_reader: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, operation: Operation, phase: int) -> None:
        """Put an operation into the first group that it fits into."""
        looped = with_loops(operation, self.layout)
        overwritten = self.replaces.get(operation.target)
        if overwritten is not None:  # all other operations must have read the old value
            phase = max(phase, self.last_reader.get(overwritten, (0, 0))[0])
        while len(self.phases) <= phase:
            self.phases.append([])
        groups = self.phases[phase]
        first = max((self.first_group_for(looped, leaf, phase) for leaf in leaves(operation.tree)), default=0)
        if overwritten is not None and self.last_reader.get(overwritten, (-1, 0))[0] == phase:
            first = max(first, self.last_reader[overwritten][1])
        number = self.find_group(groups, looped, first)
        groups[number].members.append(looped)
        self.group_of[operation.target], self.makers[operation.target] = (phase, number), looped
        for name in operation.reads:
            self.last_reader[name] = max(self.last_reader.get(name, (0, 0)), (phase, number))

    def first_group_for(self, looped: LoopedOperation, leaf: Leaf, phase: int) -> int:
        """Return the number of the first group in which an operation can read a name."""
        computed_in, number = self.group_of.get(leaf.name, (-1, 0))
        if computed_in != phase:
            return 0
        is_product = self.phases[phase][number].is_large_product or is_large(looped.operation, self.layout)
        return number if not is_product and self.is_complete(looped, leaf) else number + 1

    def is_complete(self, looped: LoopedOperation, leaf: Leaf) -> bool:
        """Whether an entry that is computed in the same loop is complete when the operation reads it."""
        maker = self.makers[leaf.name]
        index = looped.index([axis for axis in leaf.axes if axis != 0])
        return not maker.reduced and maker.result == index

    def find_group(self, groups: list[Group], looped: LoopedOperation, first: int) -> int:
        """Return the number of a group for an operation; append one if none fits."""
        if is_large(looped.operation, self.layout):
            groups.append(Group(looped.loops, is_large_product=True))
            return len(groups) - 1
        for number in range(len(groups) if looped.operation.has_own_loop else first, len(groups)):
            if groups[number].loops == looped.loops and self.fits(groups[number], looped):
                return number
        groups.append(Group(looped.loops))
        return len(groups) - 1

    def fits(self, group: Group, looped: LoopedOperation) -> bool:
        """Whether an operation may be in a group with the same loops.

        Two parameters whose sizes are known at run time have loops of their own, which are often equal.
        """
        arrays = {leaf.name for leaf in leaves(looped.operation.tree) if leaf.axes}
        is_update = bool(arrays) and not looped.on_rows and any(isinstance(dim, str) for _, dim in looped.loops)
        return not group.is_large_product and not (is_update and arrays.isdisjoint(group.names))


def make_schedule(operations: Sequence[Operation], layout: Layout, replaces: Mapping[str, str]) -> LoopSchedule:
    """Fuse and schedule operations, which are in the order of the program."""
    schedule = LoopSchedule(layout, replaces)
    for operation, phase in zip(operations, phases_of(operations), strict=True):
        schedule.add(operation, phase)
    return schedule
