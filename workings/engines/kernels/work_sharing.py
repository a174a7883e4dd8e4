"""Work sharing: machine code by which threads share large matrix products, or the rows of large steps.

The training thread writes the work into the state of the team, divided into jobs, and takes jobs itself until none is
left; helpers that are awake take some, too.  Each thread starts with the jobs intended for it, which are the same in
every step, so that their data are in its cache.  Taking a job is an atomic addition, so no job is done twice, and no
thread waits for a helper that the operating system put to sleep.  The bits do not depend on which thread does a job.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from workings.engines.compiled.native import is_switched_off
from workings.engines.contract import FEWEST_TO_SHARE
from workings.engines.kernels.matmul import ACROSS, TALL, VECTOR, multiply
from workings.engines.kernels.threads import (
    IDLE_POLLS,
    IS_BY_SECTIONS,
    IS_OPEN,
    JOB_COUNT,
    JOBS_DONE,
    PRODUCT,
    PRODUCT_FUNCTION,
    SECTION_ARGUMENTS,
    SECTION_FUNCTION,
    STATE_SIZE,
    THREADS,
    TICKETS,
    WORKSPACE_SIZE,
    WORKSPACES,
)
from workings.engines.kernels.vector_math import pointer

JOBS_PER_THREAD = 2  # of a matrix product
MOST_JOBS = 2**16


def atomic(operation: str) -> Any:
    """Make an atomic function on an entry of an array: ``add``, which returns the old value, ``read`` or ``write``."""

    @intrinsic
    def function(typing: Any, state: Any, position: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            where = builder.gep(array.data, [args[1]])
            if operation == "add":
                return builder.atomic_rmw("add", where, args[2], "seq_cst")
            if operation == "read":
                return builder.load_atomic(where, "seq_cst", 8)
            builder.store_atomic(args[2], where, "seq_cst", 8)
            return args[2]

        return types.int64(state, types.int64, types.int64), generate

    return function


add, read, write = map(atomic, ("add", "read", "write"))


@intrinsic
def pause(typing: Any) -> Any:
    """Tell an x86 processor that this thread is waiting in a loop."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if "x86" in builder.module.triple:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


jit = numba.njit(error_model="numpy", nogil=True)


@jit
def compute_part(
    state: Any, workspace: Any, scale: Any, first_row: Any, last_row: Any, first_column: Any, last_column: Any
) -> None:
    """Compute some rows and columns of the product that the state describes."""
    p = state[PRODUCT:]
    multiply(
        p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], first_row, last_row, first_column, last_column, p[10], scale,
        p[11], workspace,
    )  # fmt: skip


@intrinsic
def call_section_function(typing: Any, address: Any, table: Any, section: Any, thread: Any) -> Any:
    """Call the function that computes one section, by its address and that of its table of arguments."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [number.as_pointer(), number, number])
        table = builder.inttoptr(args[1], number.as_pointer())
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [table, args[2], args[3]])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


@jit
def run_job(state: Any, workspaces: Any, thread: Any, job: Any, jobs: Any) -> None:
    """Do one job: some rows or columns of a matrix product, or one section."""
    if state[IS_BY_SECTIONS]:
        call_section_function(state[SECTION_FUNCTION], state[SECTION_ARGUMENTS], job, thread)
    else:
        run_product_job(state, workspaces[thread], workspaces[0, -1], job, jobs)


@jit
def run_product_job(state: Any, workspace: Any, scale: Any, job: Any, jobs: Any) -> None:
    """Compute one job's rows or columns of the product that the state describes."""
    m, n, by_columns = state[PRODUCT + 8], state[PRODUCT + 9], state[PRODUCT + 12]
    unit, length = (ACROSS * (VECTOR // workspace.itemsize), n) if by_columns else (TALL, m)
    units = -(-length // unit)
    first, last = job * units // jobs * unit, min((job + 1) * units // jobs * unit, length)
    if by_columns:
        compute_part(state, workspace, scale, np.int64(0), m, first, last)
    else:
        compute_part(state, workspace, scale, first, last, np.int64(0), n)


@jit
def next_job(state: Any, owner: Any) -> Any:
    """Take the next of the jobs intended for a thread; return -1 if none is left."""
    position = TICKETS + 8 * owner
    ticket = read(state, position, 0)
    if ticket % MOST_JOBS < ticket // MOST_JOBS:
        ticket = add(state, position, 1)
    if ticket % MOST_JOBS >= ticket // MOST_JOBS:
        return np.int64(-1)
    return owner * state[JOB_COUNT] // state[THREADS] + ticket % MOST_JOBS


@jit
def run_jobs(state: Any, workspaces: Any, thread: Any) -> Any:
    """Do jobs until none is left, first the thread's own, then those of the others; return their number."""
    count = 0
    for offset in range(state[THREADS]):
        owner = (thread + offset) % state[THREADS]
        job = next_job(state, owner)
        while job >= 0:
            run_job(state, workspaces, thread, job, state[JOB_COUNT])
            add(state, JOBS_DONE, 1)
            count += 1
            job = next_job(state, owner)
    return count


@jit
def share_jobs(state: Any, workspaces: Any, jobs: Any) -> None:
    """Offer jobs to the team, do some of them, and wait until all are done."""
    state[JOB_COUNT] = jobs
    write(state, JOBS_DONE, 0)
    for thread in range(state[THREADS]):
        count = (thread + 1) * jobs // state[THREADS] - thread * jobs // state[THREADS]
        write(state, TICKETS + 8 * thread, count * MOST_JOBS)
    run_jobs(state, workspaces, 0)
    while read(state, JOBS_DONE, 0) < jobs:
        pause()


@jit
def share_product(state: Any, workspaces: Any, m: Any, n: Any) -> None:
    """Share the product that the state describes, divided by columns or by rows."""
    columns, rows = -(-n // (ACROSS * (VECTOR // workspaces.itemsize))), -(-m // TALL)
    wanted = state[THREADS] * JOBS_PER_THREAD
    by_columns = columns >= wanted or columns >= rows
    jobs = min(columns if by_columns else rows, wanted)
    state[PRODUCT + 12], state[IS_BY_SECTIONS] = by_columns, 0
    share_jobs(state, workspaces, jobs)


@jit
def run_sections(state: Any, workspaces: Any, sections: Any) -> None:
    """Share the sections of a step."""
    state[IS_BY_SECTIONS] = 1
    share_jobs(state, workspaces, sections)


@jit
def section_bounds(start: Any, stop: Any, block: Any, section: Any, sections: Any) -> Any:
    """Return the first and the last row of a section between start and stop: whole blocks, evenly divided."""
    blocks = -(-(stop - start) // block)
    first, last = section * blocks // sections, (section + 1) * blocks // sections
    return start + first * block, min(start + last * block, stop)


@jit
def single_thread_team(state: Any, workspaces: Any, thread: Any) -> Any:
    """Return the state and the workspace for the products that a thread computes alone."""
    at = np.int64(state.ctypes.data) + (1 + thread) * STATE_SIZE * state.itemsize
    size = workspaces.shape[1]
    workspace = pointer(
        np.int64(workspaces.ctypes.data) + thread * size * workspaces.itemsize, workspaces.dtype.type(0)
    )
    return numba.carray(pointer(at, np.int64(0)), (STATE_SIZE,)), numba.carray(workspace, (1, size))


@jit
def workspaces_of(state: Any, like: Any) -> Any:
    """Return the workspaces of all threads, for numbers of the same type as ``like``."""
    return numba.carray(pointer(state[WORKSPACES], like), (state[THREADS], state[WORKSPACE_SIZE]))


@jit
def compute(state_at: Any, like: Any) -> None:
    """Compute the product that the state describes."""
    state = numba.carray(state_at, (STATE_SIZE,))
    workspaces = workspaces_of(state, like)
    m, n, k = state[PRODUCT + 8], state[PRODUCT + 9], state[PRODUCT + 10]
    if state[THREADS] > 1 and m * n * k >= FEWEST_TO_SHARE:
        share_product(state, workspaces, m, n)
    else:
        compute_part(state, workspaces[0], workspaces[0, -1], np.int64(0), m, np.int64(0), n)


@intrinsic
def call_compute(typing: Any, address: Any, state: Any) -> Any:
    """Call ``compute`` by its address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(state)(context, builder, args[1])
        kind = ir.FunctionType(ir.VoidType(), [array.data.type])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [array.data])
        return context.get_dummy_value()

    return types.void(types.int64, state), generate


@jit
def help_out(arguments: Any, like: Any) -> None:
    """Do jobs until there have been none for a while or the team is closed.

    The arguments are the address of the team's state, and the number of this helper.
    """
    state, thread = numba.carray(pointer(arguments[0], np.int64(0)), (STATE_SIZE,)), arguments[1]
    workspaces, polls = workspaces_of(state, like), 0
    while polls < IDLE_POLLS and read(state, IS_OPEN, 0):
        if run_jobs(state, workspaces, thread) > 0:
            polls = 0
        pause()
        polls += 1


@jit
def product(
    state: Any, workspaces: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, scale: Any,
    adds: Any,
) -> None:  # fmt: skip
    """Compute c = scale · a b (+ c); a has shape (m, k) and b (k, n), and each is stored transposed if flipped."""
    p, size = state[PRODUCT:], workspaces.itemsize
    p[0], p[1], p[2] = a.ctypes.data, a.strides[0] // size, flip_a
    p[3], p[4], p[5] = b.ctypes.data, b.strides[0] // size, flip_b
    p[6], p[7] = c.ctypes.data, c.strides[0] // size
    p[8], p[9], p[10], p[11] = m, n, k, adds
    workspaces[0, -1] = scale
    call_compute(state[PRODUCT_FUNCTION], state)


def product_in_python(
    state: Any, workspaces: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, scale: Any,
    adds: Any,
) -> None:  # fmt: skip
    """Compute the product with NumPy, for NUMBA_DISABLE_JIT."""
    left, right = (a[:k, :m].T if flip_a else a[:m, :k]), (b[:n, :k].T if flip_b else b[:k, :n])
    c[:m, :n] = workspaces.dtype.type(scale) * (left @ right) + (c[:m, :n] if adds else 0)


if is_switched_off():
    product = product_in_python
