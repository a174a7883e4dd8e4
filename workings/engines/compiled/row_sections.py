"""Row sections: generates code in which threads share the rows of a step.

The rows are divided into sections.  A thread computes a section from the first layer to the gradient, so a core reads
each row from memory once, and hardly anything that another core wrote.  The number of sections depends on the problem
alone.  The gradients of the sections are added in a fixed order, so the bits do not depend on the number of threads.
This file writes the code; ``kernels/work_sharing.py`` runs it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workings.engines.kernels.threads import STEP, THREAD_MEMORY
from workings.lowering.index_notation import Dim

SECTIONS = 8  # so many that threads finish at about the same time
MOST_SUMMED = 2**19  # numbers that a section may sum up (2 or 4 MB)
RETURN_IF_STOPPED = ["if stop_requested(stop_flag):", "    return"]  # between the parts of a step, which are short


class SurroundingCode(Protocol):
    """What sections need to know of the surrounding code: its arrays, with their names, extents and dimensions."""

    @property
    def stored_between_loops(self) -> list[str]:
        """The names that need memory."""

    @property
    def summed_over_rows(self) -> set[str]:
        """The targets of operations that sum over rows."""

    def dims(self, name: str) -> tuple[Dim, ...]:
        """Return the dimensions of an array."""

    def extents(self, name: str) -> str:
        """Return code for the shape of an array in memory."""

    def array(self, name: str) -> str:
        """Return the name of an array in the code."""

    def name(self, key: object, preferred: str) -> str:
        """Return a name that is not used for anything else."""

    def entry_count(self, a: Dim, b: Dim) -> Dim:
        """Return the number of entries of a matrix."""

    def flat(self, name: str) -> str:
        """Return the name of an array as a vector."""

    def allocation_lines(self, chosen: Callable[[str], bool]) -> list[str]:
        """Return lines that allocate the chosen arrays."""


@dataclass
class Sections:
    """Writes the code of sections, apart from the loops.

    Attributes
    ----------
    writer : SurroundingCode
        The surrounding code.
    count : int
        The number of sections.
    scalars : list of str
        The scalars that are computed before the rows and that sections read.
    sums : list of str
        The scalars that sections sum over rows.
    """

    writer: SurroundingCode
    count: int
    scalars: list[str] = field(default_factory=list)
    sums: list[str] = field(default_factory=list)

    @property
    def summed(self) -> list[str]:
        """The arrays that are summed over rows."""
        return sorted(self.writer.summed_over_rows & set(self.writer.stored_between_loops))

    def is_per_thread(self, name: str) -> bool:
        """Whether each thread has its own array, for its block of rows."""
        return "n" in self.writer.dims(name)

    # -- memory ----------------------------------------------------------------------------

    def shared_arrays(self) -> dict[str, str]:
        """Return the arrays that all threads share, in order, with their extents."""
        writer = self.writer
        stored = [name for name in writer.stored_between_loops if not self.is_per_thread(name)]
        arrays = {writer.array(name): writer.extents(name) for name in stored if name not in self.summed}
        arrays |= {self.parts(name): f"({self.count}, {writer.extents(name)[1:]}" for name in self.summed}
        return arrays | {"scalars": f"({len(self.scalars) + 1},)", "sums": f"({self.count}, {len(self.sums) + 1})"}

    def parts(self, name: str) -> str:
        """Return the name of the array with the sums of all sections."""
        return self.writer.name(("parts", name), f"{self.writer.array(name)}_parts")

    def shared_size(self, counts: Mapping[str, int], lanes: int) -> int:
        """Return how many numbers ``shared_arrays`` need, from the number of entries of each array."""
        shared = sum(
            count * (self.count if name in self.summed else 1)
            for name, count in counts.items()
            if not self.is_per_thread(name)
        )
        return shared + len(self.scalars) + self.count * (len(self.sums) + 1) + 3 * lanes

    # -- lines -----------------------------------------------------------------------------

    def find_scalars(self, before: Sequence[str], rows: Sequence[str], zeros: Sequence[str]) -> None:
        """Find the scalars that sections read and sum, in the lines before the rows, of the rows and of the zeros."""
        inside, outside = names_in(rows), names_in([*before, "pass"])
        self.scalars = sorted((inside.read - inside.written) & outside.written)
        self.sums = sorted(names_in([*zeros, "pass"]).written)

    def allocation_lines(self, section: str) -> list[str]:
        """Allocate the shared arrays; the arrays that are summed refer to one section."""
        lines = [f"{name}, used = allocate(memory, used, {extents})" for name, extents in self.shared_arrays().items()]
        return [*lines, *(f"{self.writer.array(name)} = {self.parts(name)}[{section}]" for name in self.summed)]

    def call_lines(self) -> list[str]:
        """Let the threads compute all sections, and add up their sums."""
        inputs = [f"scalars[{index}] = {name}" for index, name in enumerate(self.scalars)]
        first = [f"{name} = sums[0, {index}]" for index, name in enumerate(self.sums)]
        added = [f"{name} += sums[section, {index}]" for index, name in enumerate(self.sums)]
        for name in self.summed:
            added += self.addition_lines(name)
        return [
            *inputs,
            f"team_state[{STEP}] = step",
            f"run_sections(team_state, {self.count})",
            *RETURN_IF_STOPPED,
            *first,
            f"for section in range(1, {self.count}):",
            *(f"    {line}" for line in added or ["pass"]),
        ]

    def addition_lines(self, name: str) -> list[str]:
        """Add the sums of one section to those of the first."""
        dims = [dim for dim in self.writer.dims(name) if dim != 1]
        total, part = self.writer.array(name), self.writer.name(("part", name), f"{self.writer.array(name)}_part")
        lines, of_section = [], f"{self.parts(name)}[section]"
        count = dims[0]
        if len(dims) == 2:
            count, matrix, total = self.writer.entry_count(*dims), total, self.writer.flat(name)
            lines, of_section = [f"{total} = shaped({matrix}, ({count},))"], f"shaped({of_section}, ({count},))"
        return [*lines, f"{part} = {of_section}", f"for k in range({count}):", f"    {total}[k] += {part}[k]"]

    def function(self, arguments: str, sizes: Sequence[str], begin: Sequence[str], rows: Sequence[str]) -> list[str]:
        """Write the function that computes one section, from the lines for the sizes, the step and the rows."""
        body = [
            *sizes,
            f"step = team_state[{STEP}]",
            *begin,
            "used = 0",
            *self.allocation_lines("section"),
            f"used += thread * team_state[{THREAD_MEMORY}]",
            *self.writer.allocation_lines(self.is_per_thread),
            *(f"{name} = scalars[{index}]" for index, name in enumerate(self.scalars)),
            "team_state, workspaces = single_thread_team(team_state, workspaces, thread)",
            f"start, stop = section_bounds(start, stop, block, section, {self.count})",
            *rows,
            *(f"sums[section, {index}] = {name}" for index, name in enumerate(self.sums)),
        ]
        return [f"def train_section({arguments}, section, thread):", *(f"    {line}" for line in body), "", ""]


@dataclass
class NamesInCode:
    """The names that some lines of code read and write."""

    read: set[str]
    written: set[str]


def names_in(lines: Iterable[str]) -> NamesInCode:
    """Find the names that lines of code read and write."""
    names = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)]
    return NamesInCode(
        {name.id for name in names if isinstance(name.ctx, ast.Load)},
        {name.id for name in names if isinstance(name.ctx, ast.Store)},
    )
