"""Row sections: the rows of a step are cut into sections, which threads take from the first layer to the gradient.

A core reads each row from memory once and hardly anything that another core has written.  The number of sections
depends on the problem alone.  Each section adds up its own gradient, and the gradients are added in the order of the
sections, so the bits do not depend on the threads.  This file writes the code; ``kernels/work_sharing.py`` runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from workings.engines.kernels.threads import ROOM_OF_THREAD, STEP
from workings.lowering.index_notation import Dim

SECTIONS = 8  # enough for some threads to be done at about the same time
MOST_SUMMED = 2**19  # numbers that a section may sum up (2 or 4 MB)
LEAVE = ["if leave(asked):", "    return"]  # between pieces of a step, each of which is short


class Writing(Protocol):
    """What sections ask of the code that they are a part of: its arrays, their names, extents and dimensions."""

    @property
    def kept_between_loops(self) -> list[str]:
        """The arrays that need memory of their own."""

    @property
    def summed_over_rows(self) -> set[str]:
        """The operations that add up something over all rows."""

    def dims(self, name: str) -> tuple[Dim, ...]:
        """The dimensions of an array."""

    def extents(self, name: str) -> str:
        """The shape of an array in memory, as code."""

    def array(self, name: str) -> str:
        """The name of an array in the code."""

    def name(self, key: Any, wanted: str) -> str:
        """Return a name that nothing else has."""

    def taken_lines(self, chosen: Callable[[str], bool]) -> list[str]:
        """Lines that take memory for the chosen arrays."""


@dataclass
class Sections:
    """Writes what a program with sections has besides its loops.

    Attributes
    ----------
    writer : Writing
        The code around them.
    count : int
        How many sections there are.
    handed : list of str
        The numbers that are computed before the rows, and that sections need.
    sums : list of str
        The numbers that sections add up over rows.
    """

    writer: Writing
    count: int
    handed: list[str] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)

    @property
    def summed(self) -> list[str]:
        """The arrays that are added up over rows."""
        return sorted(self.writer.summed_over_rows & set(self.writer.kept_between_loops))

    def is_own(self, name: str) -> bool:
        """Whether each thread has an array of its own, for its block of rows."""
        return "n" in self.writer.dims(name)

    # -- room ------------------------------------------------------------------------------

    def room(self) -> dict[str, str]:
        """What all threads see, in order, with its extents."""
        writer = self.writer
        shared = [name for name in writer.kept_between_loops if not self.is_own(name) and name not in self.summed]
        room = {writer.array(name): writer.extents(name) for name in shared}
        room |= {self.parts(name): f"({self.count}, {writer.extents(name)[1:]}" for name in self.summed}
        return room | {"handed": f"({len(self.handed) + 1},)", "sums": f"({self.count}, {len(self.sums) + 1})"}

    def parts(self, name: str) -> str:
        """What the array is called that holds the sums of all sections."""
        return self.writer.name(("parts", name), f"{self.writer.array(name)}_parts")

    def numbers(self, of: Mapping[str, int], lanes: int) -> int:
        """How many numbers ``room`` takes, if each array by itself takes so many."""
        shared = sum(
            count * (self.count if name in self.summed else 1) for name, count in of.items() if not self.is_own(name)
        )
        return shared + len(self.handed) + self.count * (len(self.sums) + 1) + 3 * lanes

    # -- lines -----------------------------------------------------------------------------

    def find(self, before: Sequence[str], rows: Sequence[str], zeros: Sequence[str]) -> None:
        """Find the numbers that go in and out, from the lines before the rows, of the rows, and what is set to 0."""
        inside, outside = names_in(rows), names_in([*before, "pass"])
        self.handed = sorted((inside.read - inside.written) & outside.written)
        self.sums = sorted(names_in([*zeros, "pass"]).written)

    def taken(self, section: str) -> list[str]:
        """Take room for what all threads see; the arrays that are summed are those of one section."""
        lines = [f"{name}, used = taken(memory, used, {extents})" for name, extents in self.room().items()]
        return [*lines, *(f"{self.writer.array(name)} = {self.parts(name)}[{section}]" for name in self.summed)]

    def calling(self) -> list[str]:
        """What the thread that trains does: have all sections taken, and add up what they have summed."""
        given = [f"handed[{index}] = {name}" for index, name in enumerate(self.handed)]
        first = [f"{name} = sums[0, {index}]" for index, name in enumerate(self.sums)]
        added = [f"{name} += sums[section, {index}]" for index, name in enumerate(self.sums)]
        for name in self.summed:
            added += self.added(name)
        return [
            *given, f"board[{STEP}] = step", f"in_sections(board, rooms, {self.count})", *LEAVE, *first,
            f"for section in range(1, {self.count}):", *(f"    {line}" for line in added or ["pass"]),
        ]  # fmt: skip

    def added(self, name: str) -> list[str]:
        """Add the sums of one section to those of the first."""
        dims = [dim for dim in self.writer.dims(name) if dim != 1]
        letters = "kj"[: len(dims)]
        index = ", ".join(letters)
        lines = [f"{self.writer.array(name)}[{index}] += {self.parts(name)}[section, {index}]"]
        for letter, dim in reversed(list(zip(letters, dims, strict=True))):
            lines = [f"for {letter} in range({dim}):", *(f"    {line}" for line in lines)]
        return lines

    def function(self, arguments: str, sizes: Sequence[str], begin: Sequence[str], rows: Sequence[str]) -> list[str]:
        """The function for one section, of which the room and the rows are written."""
        body = [
            "use_wide_vectors()", *sizes, f"step = board[{STEP}]", *begin, "used = 0", *self.taken("section"),
            f"used += who * board[{ROOM_OF_THREAD}]", *self.writer.taken_lines(self.is_own),
            *(f"{name} = handed[{index}]" for index, name in enumerate(self.handed)),
            "board, rooms = own(board, rooms, who)",
            f"start, stop = section_bounds(start, stop, block, section, {self.count})", *rows,
            *(f"sums[section, {index}] = {name}" for index, name in enumerate(self.sums)),
        ]  # fmt: skip
        return [f"def part({arguments}, section, who):", *(f"    {line}" for line in body), "", ""]


@dataclass
class Names:
    """The names of some lines."""

    read: set[str]
    written: set[str]


def names_in(lines: Iterable[str]) -> Names:
    """The names that lines read and write."""
    found = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)]
    return Names(
        {node.id for node in found if isinstance(node.ctx, ast.Load)},
        {node.id for node in found if isinstance(node.ctx, ast.Store)},
    )
