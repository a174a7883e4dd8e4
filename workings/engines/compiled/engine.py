"""The compiled engine: the program as one function of machine code that runs many steps.

It reads the same program as the reference engine and may only be faster.  The statements become operations
on single entries (``lowering/index_notation.py``), these are fused into loops (``fusion.py``), the loops are written
as a Python function (``codegen.py``) for the structure of the problem (``specialization.py``), and Numba compiles
it (``native.py``) from a file that can be read (``cache.py``).  Here the function is called: with all steps of
a stretch, cut only so that Ctrl-C and progress come through.
"""

from __future__ import annotations

import importlib.util
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate
from typing import Any

import numpy as np

from workings.engines.compiled.native import Call, address_of, machine_code, part_of
from workings.engines.compiled.specialization import Size, Written, size_of, write
from workings.engines.contract import CACHE_LINE, FEWEST_TO_SHARE, SPARSE, Stretch
from workings.engines.kernels.threads import PART, ROOM_OF_THREAD, TABLE, Team
from workings.errors import MissingExtraError, NotCompilableError
from workings.program.program import Program
from workings.support.arrays import Array
from workings.support.sparse import SparseRows

NEEDS = ("numba", "platformdirs")
LONGEST_CALL = 0.05  # seconds in machine code, after which Python looks whether somebody wants to stop


def is_installed() -> bool:
    """Whether all is there that the compiled engine needs."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDS)


class CompiledEngine:
    """Runs a program as compiled loops.

    Parameters
    ----------
    program : Program
    outputs : sequence of str
        Names that are written into the ``outputs`` of a stretch: arrays with rows, or single numbers.
    by_step : bool
        Whether parameters and statistics come with the steps as their first dimension: others for each step.

    Raises
    ------
    MissingExtraError
        If Numba is not installed.
    NotCompilableError
        From ``source`` and ``run``, for a program with a statement that it cannot take; the message names it.
    """

    name = "compiled"

    def __init__(self, program: Program, outputs: Sequence[str] = (), *, by_step: bool = False) -> None:
        if not is_installed():
            raise MissingExtraError("Numba", "fast")
        self.program, self.outputs, self.by_step = program, tuple(outputs), by_step
        self.has_objective = any(s.target == "J" for s in program.statements)
        targets = {s.target for s in program.statements}
        self.changed = [name for name in program.carried if name in targets]
        self.sources: dict[Size, Written] = {}
        self.functions: dict[str, Callable[..., Call]] = {}
        self.pace = math.inf  # seconds that a step takes; not known yet

    @property
    def shares(self) -> bool:
        """Whether a product is so large that several threads share it."""
        return any(written.largest_product >= FEWEST_TO_SHARE for written in self.sources.values())

    def run(self, stretch: Stretch, values: dict[str, Array]) -> Array:
        """Run the steps, put the new values in place of the old ones, give each step's J if it is in the program."""
        written = self.source(stretch, values)
        if written.text not in self.functions:
            self.functions[written.text] = machine_code(written.text, "train")
        train = self.functions[written.text]
        values.update(zip(self.changed, aligned_copies([values[name] for name in self.changed]), strict=True))
        bounds = np.asarray(stretch.batches, dtype=np.int64)
        objectives = np.empty(len(bounds))
        by_step = [np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1])]
        by_step += [np.asarray(stretch.lr, dtype=np.float64)]
        by_step += [np.arange(len(bounds)) if stretch.kept_at is None else stretch.kept_at] if stretch.kept else []
        fixed, last = self.arguments(written, stretch, values)
        last += [*(stretch.outputs[name] for name in self.outputs), objectives]
        asked = np.zeros(1, np.int64)
        with team_for(written, stretch.X.dtype) as team:
            memory, done = room_for(written, team, stretch.X.dtype), 0
            while done < len(bounds):
                part = slice(done, done + max(int(LONGEST_CALL / self.pace), 1))
                steps, lasts = ([array[part] for array in arrays] for arrays in (by_step, last))
                first = stretch.first_step + done
                given = (*steps, first, written.block, memory, asked, *team, *fixed, *lasts)
                call = train(*given)
                if written.sections:
                    show_sections(team[0], written, given, call)
                self.pace = self.seconds(call, asked, values) / len(steps[0])
                done += len(steps[0])
        return objectives if self.has_objective else objectives[:0]

    def seconds(self, call: Callable[[], None], asked: Array, values: Mapping[str, Array]) -> float:
        """Make a call, and say how long it took; one that may last is made so that Ctrl-C comes through."""
        began = time.perf_counter()
        if self.pace < LONGEST_CALL or threading.current_thread() is not threading.main_thread():
            with np.errstate(all="ignore"):
                call()
        else:
            call_to_be_left(call, asked, [values[name] for name in self.changed])
        return time.perf_counter() - began

    def source(self, stretch: Stretch, values: Mapping[str, Array]) -> Written:
        """The source for these sizes.

        Raises
        ------
        NotCompilableError
            For a statement that cannot be taken, and for inputs that are sparse.
        """
        if isinstance(stretch.X, SparseRows):
            raise NotCompilableError(SPARSE)
        size = size_of(stretch, values, self.by_step)
        if size not in self.sources:
            self.sources[size] = write(self.program, size, self.outputs)
        return self.sources[size]

    def arguments(
        self, written: Written, stretch: Stretch, values: Mapping[str, Array]
    ) -> tuple[list[Any], list[Array]]:
        """The numbers and arrays of the program that the function is given: once, and for each step."""
        arrays = {"X": stretch.X, "y": stretch.y, "w": stretch.w, **stretch.draws, **values}
        order = [] if stretch.order is None else [np.ascontiguousarray(stretch.order, dtype=np.int64)]
        rows, whole = (
            [np.ascontiguousarray(arrays[name]) for name in names] for names in (written.rows, written.whole)
        )
        once = [*map(float, self.program.constants.values()), *order, *stretch.kept.values(), *rows]
        return (once, whole) if self.by_step else ([*once, *whole], [])


def call_to_be_left(call: Callable[[], None], asked: Array, changed: Sequence[Array]) -> None:
    """Make a call in a thread of its own; on Ctrl-C it is asked to return, and what it has changed is undone."""
    before = [array.copy() for array in changed]
    thread = Caller(call)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        asked[0] = 1
        thread.join()
        for array, old in zip(changed, before, strict=True):
            array[...] = old
        raise
    if thread.error is not None:
        raise thread.error


class Caller(threading.Thread):
    """A thread that makes one call, and keeps what it raises."""

    error: BaseException | None = None

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.call = call

    def run(self) -> None:
        """Make the call."""
        try:
            with np.errstate(all="ignore"):
                self.call()
        except BaseException as error:  # raised again where it is waited for
            self.error = error


def aligned_copies(arrays: Sequence[Array]) -> list[Array]:
    """Copies of which no vector lies across two cache lines, if their rows fill them."""
    ends = list(accumulate((-(-array.nbytes // CACHE_LINE) * CACHE_LINE for array in arrays), initial=0))
    room = aligned((ends[-1],), np.uint8)
    copies: list[Array] = []
    for array, begin in zip(arrays, ends[:-1], strict=True):
        copies.append(room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape))
        copies[-1][...] = array
    return copies


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array that begins with a cache line."""
    length = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(length + CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    whole: Array = room[begin : begin + length].view(dtype).reshape(shape)
    return whole


def room_for(written: Written, team: Sequence[Array], dtype: Any) -> Array:
    """Room for what is kept between loops, by the thread that trains or by all of a team."""
    threads = len(team[1]) if team else 0
    return aligned((written.room + threads * written.room_of_thread,), dtype)


def show_sections(board: Array, written: Written, given: Sequence[Any], call: Call) -> None:
    """Tell a team how one section is computed, and of what."""
    board[PART] = part_of(written.text, "part", given, ("section", "who"))
    board[[TABLE, ROOM_OF_THREAD]] = address_of(call.table), written.room_of_thread


def team_for(written: Written, dtype: Any) -> AbstractContextManager[Sequence[Array]]:
    """What large products need, if there are any: the board and the rooms of a team of threads."""
    if not written.largest_product:
        return nullcontext(())
    return Team(dtype, written.largest_product)
