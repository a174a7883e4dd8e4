"""The compiled engine: runs many steps of a program as one function of machine code.

It runs the same program as the reference engine, only faster.  The statements become operations on single entries
(``lowering/index_notation.py``), which are fused into loops (``fusion.py``).  The loops become the source of a Python
function (``source_writer.py``), specialized for the sizes of the problem (``specialization.py``).  The source is
translated into LLVM's language (``llvm_translation.py``), compiled and loaded (``machine_code.py``, ``llvm.py``), and
kept (``cache.py``).
This file calls the function, for as many steps at a time as Ctrl-C and progress reports allow.
"""

from __future__ import annotations

import importlib.util
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from workings.engines.compiled.structure import structure_of
from workings.engines.contract import CACHE_LINE, FEWEST_TO_SHARE, SPARSE, Stretch
from workings.errors import MissingExtraError, NotCompilableError
from workings.program.program import Program
from workings.support.arrays import Array
from workings.support.sparse import SparseRows

if TYPE_CHECKING:  # imported where they are used: most short trainings need no compiler
    from workings.engines.compiled.machine_code import Call, MachineCode
    from workings.engines.compiled.specialization import GeneratedSource, ProblemSize

NEEDS = ("llvmlite", "platformdirs")
LONGEST_CALL = 0.05  # seconds in machine code, after which Python handles Ctrl-C
MOST_WAITING = 4  # how much longer a call may take than its CPU time, if the machine is busy with other work


def is_installed() -> bool:
    """Whether the packages are installed that the compiled engine needs."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDS)


@dataclass(frozen=True)
class PreparedRun:
    """The arguments of the compiled function for one stretch.

    Attributes
    ----------
    source : GeneratedSource
        The source of the function.
    dtype : dtype
        The type of the numbers.
    changed : list of array
        The values that the steps change.
    first : int
        The number of the first step.
    by_step, sliced : list of array
        Arrays with one entry for each step.
    fixed : list
        The arguments that are the same in all steps.
    objectives : array of shape (steps,)
        Where the function stores the objectives.
    """

    source: GeneratedSource
    dtype: np.dtype[np.floating]
    changed: list[Array]
    first: int
    by_step: list[Array]
    fixed: list[float | Array]
    sliced: list[Array]
    objectives: Array

    def arguments(self, part: slice, shared: Sequence[float | Array]) -> tuple[float | Array, ...]:
        """Return the arguments for some of the steps; ``shared`` are those that all runs share."""
        steps, slices = ([array[part] for array in arrays] for arrays in (self.by_step, self.sliced))
        return (*steps, self.first + part.start, *shared, *self.fixed, *slices)


def next_parts(waiting: list[tuple[PreparedRun, int]], steps: int) -> list[tuple[PreparedRun, slice]]:
    """Take the next steps, at most ``steps``, of the runs that wait, which are given with the steps done so far."""
    parts = []
    while waiting and steps > 0:
        run, done = waiting.pop(0)
        part = slice(done, min(done + steps, len(run.objectives)))
        parts.append((run, part))
        steps -= part.stop - done
        if part.stop < len(run.objectives):
            waiting.insert(0, (run, part.stop))
    return parts


class CompiledEngine:
    """Runs training steps of a program as compiled loops.

    Parameters
    ----------
    program : Program
    outputs : sequence of str
        Names whose values are recorded in the ``outputs`` of a stretch: arrays with rows, or single numbers.
    by_step : bool
        Whether parameters and statistics differ for each step; the steps are then their first dimension.

    Raises
    ------
    MissingExtraError
        If llvmlite is not installed.
    NotCompilableError
        From ``source`` and ``run``, if a statement of the program is not supported; the message names it.
    """

    name = "compiled"

    def __init__(self, program: Program, outputs: Sequence[str] = (), *, by_step: bool = False) -> None:
        if not is_installed():
            raise MissingExtraError("llvmlite", "fast")
        self.program, self.outputs, self.by_step = program, tuple(outputs), by_step
        self.has_objective = any(s.target == "J" for s in program.statements)
        targets = {s.target for s in program.statements}
        self.changed = [name for name in program.carried if name in targets]
        self.structure = structure_of(program)
        self.sources: dict[ProblemSize, GeneratedSource] = {}
        self.functions: dict[str, MachineCode] = {}
        self.seconds_per_step = math.inf  # not known before the first call

    @property
    def shares(self) -> bool:
        """Whether a matrix product is so large that several threads share it."""
        return any(source.largest_product >= FEWEST_TO_SHARE for source in self.sources.values())

    def run(self, stretch: Stretch, values: dict[str, Array]) -> Array:
        """Run the steps and replace ``values``; return the objective J of each step if the program computes it."""
        return self.run_many([stretch], [values])[0]

    def run_many(self, stretches: Sequence[Stretch], values: Sequence[dict[str, Array]]) -> list[Array]:
        """Run several stretches, each with its own values; return the objectives of each.

        Those with the same source run in one call, one after the other, by the same instructions as alone.
        """
        runs = [self.prepared(*both) for both in zip(stretches, values, strict=True)]
        together: dict[str, list[PreparedRun]] = {}
        for number, run in enumerate(runs):
            alone = f" {number}" if run.source.sections else ""  # several threads share its rows
            together.setdefault(run.source.text + alone, []).append(run)
        for same in together.values():
            self.run_prepared(same)
        return [run.objectives if self.has_objective else run.objectives[:0] for run in runs]

    def prepared(self, stretch: Stretch, values: dict[str, Array]) -> PreparedRun:
        """Return the arguments of a run; ``values`` get copies that the run may change."""
        source = self.source(stretch, values)
        changed = aligned_copies([values[name] for name in self.changed])
        values.update(zip(self.changed, changed, strict=True))
        bounds = np.asarray(stretch.batches, dtype=np.int64)
        by_step = [np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1])]
        by_step += [np.asarray(stretch.lr, dtype=np.float64)]
        by_step += [np.arange(len(bounds)) if stretch.kept_at is None else stretch.kept_at] if stretch.kept else []
        fixed, sliced = self.arguments(source, stretch, values)
        objectives = np.empty(len(bounds))
        sliced += [*(stretch.outputs[name] for name in self.outputs), objectives]
        return PreparedRun(source, stretch.X.dtype, changed, stretch.first_step, by_step, fixed, sliced, objectives)

    def run_prepared(self, runs: Sequence[PreparedRun]) -> None:
        """Run the steps of runs with the same source, in calls that are short enough for Ctrl-C."""
        from workings.engines.compiled.machine_code import MachineCode

        source, dtype = runs[0].source, runs[0].dtype
        if source.text not in self.functions:
            self.functions[source.text] = MachineCode(source.text, "train", "train_section" if source.sections else "")
        train, stop_flag = self.functions[source.text], np.zeros(1, np.int64)
        with team_for(source, dtype) as team:
            memory, waiting = memory_for(source, team, dtype), [(run, 0) for run in runs]
            while waiting:
                parts = next_parts(waiting, max(int(LONGEST_CALL / self.seconds_per_step), 1))
                shared: tuple[float | Array, ...] = (source.block, memory, stop_flag, *team)
                call = train.calls([run.arguments(part, shared) for run, part in parts])
                if source.sections:
                    set_section_function(team[0], source, call)
                steps = sum(len(run.objectives[part]) for run, part in parts)
                self.seconds_per_step = self.timed(call, stop_flag, [run for run, _ in parts]) / steps

    def timed(self, call: Callable[[], None], stop_flag: Array, runs: Sequence[PreparedRun]) -> float:
        """Run a call and return its seconds; Ctrl-C can interrupt a call that may take long."""
        start, cpu = time.perf_counter(), time.thread_time()
        if (
            self.seconds_per_step * len(runs) < LONGEST_CALL
            or threading.current_thread() is not threading.main_thread()
        ):
            with np.errstate(all="ignore"):
                call()
            cpu = time.thread_time() - cpu
        else:
            cpu = call_interruptibly(call, stop_flag, [array for run in runs for array in run.changed])
        return max(cpu, (time.perf_counter() - start) / MOST_WAITING)

    def source(self, stretch: Stretch, values: Mapping[str, Array]) -> GeneratedSource:
        """Return the source for the sizes of a stretch.

        Raises
        ------
        NotCompilableError
            For an unsupported statement, and for sparse inputs.
        """
        if isinstance(stretch.X, SparseRows):
            raise NotCompilableError(SPARSE)
        from workings.engines.compiled.specialization import size_of, source_for

        size = size_of(stretch, values, self.by_step)
        if size not in self.sources:
            self.sources[size] = source_for(self.structure, size, self.outputs)
        return self.sources[size]

    def arguments(
        self, source: GeneratedSource, stretch: Stretch, values: Mapping[str, Array]
    ) -> tuple[list[float | Array], list[Array]]:
        """Return the program's arguments of the function: those for all steps, and those with one entry per step."""
        arrays = {"X": stretch.X, "y": stretch.y, "w": stretch.w, **stretch.draws, **values}
        order = [] if stretch.order is None else [np.ascontiguousarray(stretch.order, dtype=np.int64)]
        rows = [np.ascontiguousarray(arrays[name]) for name in source.rows]
        whole = [np.ascontiguousarray(arrays[name]) for name in source.whole]
        constants = map(float, self.program.constants.values())
        fixed: list[float | Array] = [*constants, *order, *stretch.kept.values(), *rows]
        return (fixed, whole) if self.by_step else ([*fixed, *whole], [])


def call_interruptibly(call: Callable[[], None], stop_flag: Array, changed: Sequence[Array]) -> float:
    """Run a call in its own thread and return its CPU seconds; on Ctrl-C, stop it and restore the changed arrays."""
    before = [array.copy() for array in changed]
    thread = CallThread(call)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        stop_flag[0] = 1
        thread.join()
        for array, old in zip(changed, before, strict=True):
            array[...] = old
        raise
    if thread.error is not None:
        raise thread.error
    return thread.seconds


class CallThread(threading.Thread):
    """A thread that runs one call and stores its CPU seconds, or the exception that it raises."""

    error: BaseException | None = None
    seconds = 0.0

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.call = call

    def run(self) -> None:
        """Run the call."""
        began = time.thread_time()
        try:
            with np.errstate(all="ignore"):
                self.call()
            self.seconds = time.thread_time() - began
        except BaseException as error:  # raised again in the waiting thread
            self.error = error


def aligned_copies(arrays: Sequence[Array]) -> list[Array]:
    """Copy arrays so that each starts at a cache line."""
    ends = list(accumulate((-(-array.nbytes // CACHE_LINE) * CACHE_LINE for array in arrays), initial=0))
    memory = aligned_array((ends[-1],), np.uint8)
    copies: list[Array] = []
    for array, begin in zip(arrays, ends[:-1], strict=True):
        copies.append(memory[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape))
        copies[-1][...] = array
    return copies


def aligned_array(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """Allocate an array that starts at a cache line."""
    length = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(length + CACHE_LINE, np.uint8)
    begin = -memory.ctypes.data % CACHE_LINE
    array: Array = memory[begin : begin + length].view(dtype).reshape(shape)
    return array


def memory_for(source: GeneratedSource, team: Sequence[Array], dtype: DTypeLike) -> Array:
    """Allocate the memory for intermediate results: that of all threads, and that of each thread of a team."""
    threads = len(team[1]) if team else 0
    return aligned_array((source.memory + threads * source.memory_per_thread,), dtype)


def set_section_function(team_state: Array, source: GeneratedSource, call: Call) -> None:
    """Tell a team the function that computes one section, and its arguments."""
    from workings.engines.compiled.machine_code import address_of
    from workings.engines.kernels.threads import SECTION_ARGUMENTS, SECTION_FUNCTION, THREAD_MEMORY

    team_state[[SECTION_FUNCTION, SECTION_ARGUMENTS]] = call.section, address_of(call.table)
    team_state[THREAD_MEMORY] = source.memory_per_thread


def team_for(source: GeneratedSource, dtype: DTypeLike) -> AbstractContextManager[Sequence[Array]]:
    """Return a team of threads as a context manager, which gives its arguments; no arguments without large products."""
    if not source.largest_product:
        return nullcontext(())
    from workings.engines.kernels.threads import Team

    return Team(dtype, source.largest_product)
