"""The schedule: which operations run in one loop, and in which order the loops come.

Operations over the same axes are fused: they run in one loop, and what only the loop itself needs is
never stored.  Rows (axis ``i``) come in phases: a phase over rows ends where something needs a sum
over all rows; with a single phase, rows can be taken a block at a time.  Small sizes are written
out instead of looped over.  Products of large matrices stand alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workings.lowering.index_notation import Axis, Dim, Leaf, Operation, leaves

MOST_COPIES = 32  # entries of a parameter that are written out one by one; beyond, there is a loop
LARGE_PRODUCT = 256  # multiplications for each row, from which a product stands alone
Loop = tuple[str, Dim]  # the letter that counts, and what it counts to
Index = str | int


@dataclass(frozen=True)
class Layout:
    """How arrays of rows lie in memory.

    Attributes
    ----------
    sizes : mapping of Dim to int
        The number behind each dimension, for judging only.
    by_rows : frozenset of Dim
        Dimensions whose arrays keep each row together; all others keep each column together, so
        that loops run along the rows.
    """

    sizes: Mapping[Dim, int]
    by_rows: frozenset[Dim] = frozenset()

    def size(self, dim: Dim) -> int:
        """The number behind a dimension."""
        return dim if isinstance(dim, int) else self.sizes[dim]


@dataclass(frozen=True)
class Placed:
    """An operation and the loops it needs: the letter of each axis that is looped over, outermost first."""

    operation: Operation
    letters: Mapping[str, str]
    loops: tuple[Loop, ...]

    def index(self, axes: Sequence[Axis]) -> tuple[Index | None, ...]:
        """The letters of some axes; None where they are written out."""
        return tuple(axis if isinstance(axis, int) else self.letters.get(axis) for axis in axes)

    @property
    def reduced(self) -> tuple[str, ...]:
        """The letters of the loops that it reduces over."""
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
    """Operations in one loop; or one product, which stands alone."""

    loops: tuple[Loop, ...]
    members: list[Placed] = field(default_factory=list)
    alone: bool = False


def placed(operation: Operation, layout: Layout) -> Placed:
    """Choose the loops of an operation."""
    dims = operation.dims
    on_rows = "n" in dims.values()
    copies = math.prod(dim for dim in dims.values() if isinstance(dim, int))
    is_long = not on_rows and copies > MOST_COPIES
    looped = [axis for axis, dim in dims.items() if isinstance(dim, str) or is_long]
    letters = {axis: "i" for axis in looped if dims[axis] == "n"}
    features = in_order(operation, [axis for axis in looped if axis not in letters])
    letters |= dict(zip(features, "kj"[2 - len(features) :] if len(features) < 3 else "lkj", strict=True))
    inner_rows = bool(features) and dims[features[-1]] not in layout.by_rows
    rows = [(letters[axis], dims[axis]) for axis in looped if letters[axis] == "i"]
    others = [(letters[axis], dims[axis]) for axis in features]
    return Placed(operation, letters, tuple([*others, *rows] if inner_rows else [*rows, *others]))


def in_order(operation: Operation, features: list[str]) -> list[str]:
    """Put two axes in the order in which a matrix that is read has them, so that the inner loop runs along its rows."""
    for leaf in (*leaves(operation.tree), Leaf("", operation.out)):
        if len(features) == 2 and set(features) <= set(leaf.axes):
            return [axis for axis in leaf.axes if axis in features]
    return features


def is_large(operation: Operation, layout: Layout) -> bool:
    """Whether this is a product large enough, and of enough dimensions, to be computed in tiles."""
    dims = list(operation.dims.values())
    if not operation.is_product or len(dims) < 3:
        return False
    features = math.prod(layout.size(dim) for dim in dims if dim != "n")
    return all(isinstance(dim, str) for dim in dims) or features >= LARGE_PRODUCT


def phases_of(operations: Sequence[Operation]) -> list[int]:
    """The phase of each operation: even ones need no rows, odd ones run over rows."""
    phase: dict[str, int] = {}
    by_name = {operation.target: operation for operation in operations}
    found = []
    for operation in operations:
        on_rows = "n" in operation.dims.values()
        first = 1 if on_rows else 0
        for name in operation.reads & by_name.keys():
            is_sum = any(by_name[name].dims[axis] == "n" for axis in by_name[name].over)
            after = phase[name] + is_sum
            first = max(first, after + ((after % 2 == 1) != on_rows))
        phase[operation.target] = first
        found.append(first)
    return as_late_as_possible(operations, found)


def as_late_as_possible(operations: Sequence[Operation], phases: list[int]) -> list[int]:
    """Move what needs no rows to the phase in which it is first read, so that less has to be kept."""
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
class Schedule:
    """Groups of operations in the order in which they run, phase by phase.

    Attributes
    ----------
    phases : list of lists of Group
        Those at odd places run over rows.
    home : mapping of str to (phase, place)
        Where each name is computed.
    """

    layout: Layout
    replaces: Mapping[str, str]  # the final name of each name that is carried on -> that name
    phases: list[list[Group]] = field(default_factory=list)
    home: dict[str, tuple[int, int]] = field(default_factory=dict)
    makers: dict[str, Placed] = field(default_factory=dict)
    readers: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, operation: Operation, phase: int) -> None:
        """Put an operation into the first group that it fits into."""
        place = placed(operation, self.layout)
        overwritten = self.replaces.get(operation.target)
        if overwritten is not None:  # what is overwritten must have been read by all others
            phase = max(phase, self.readers.get(overwritten, (0, 0))[0])
        while len(self.phases) <= phase:
            self.phases.append([])
        groups = self.phases[phase]
        first = max((self.after(place, leaf, phase) for leaf in leaves(operation.tree)), default=0)
        if overwritten is not None and self.readers.get(overwritten, (-1, 0))[0] == phase:
            first = max(first, self.readers[overwritten][1])
        number = self.find(groups, place, first)
        groups[number].members.append(place)
        self.home[operation.target], self.makers[operation.target] = (phase, number), place
        for name in operation.reads:
            self.readers[name] = max(self.readers.get(name, (0, 0)), (phase, number))

    def after(self, place: Placed, leaf: Leaf, phase: int) -> int:
        """The first group in which a name can be read."""
        made, number = self.home.get(leaf.name, (-1, 0))
        if made != phase:
            return 0
        alone = self.phases[phase][number].alone or is_large(place.operation, self.layout)
        return number if not alone and self.is_at_hand(place, leaf) else number + 1

    def is_at_hand(self, place: Placed, leaf: Leaf) -> bool:
        """Whether a name that is computed in the same loop is complete where it is read."""
        maker = self.makers[leaf.name]
        index = place.index([axis for axis in leaf.axes if axis != 0])
        return not maker.reduced and maker.result == index

    def find(self, groups: list[Group], place: Placed, first: int) -> int:
        """The number of a group for an operation, which is made if there is none."""
        if is_large(place.operation, self.layout):
            groups.append(Group(place.loops, alone=True))
            return len(groups) - 1
        for number in range(len(groups) if place.operation.by_itself else first, len(groups)):
            if groups[number].loops == place.loops and not groups[number].alone:
                return number
        groups.append(Group(place.loops))
        return len(groups) - 1


def make_schedule(operations: Sequence[Operation], layout: Layout, replaces: Mapping[str, str]) -> Schedule:
    """Schedule operations that come in the order of the program."""
    schedule = Schedule(layout, replaces)
    for operation, phase in zip(operations, phases_of(operations), strict=True):
        schedule.add(operation, phase)
    return schedule
