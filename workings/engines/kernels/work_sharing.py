"""Work sharing: machine code by which threads share large matrix products, or the rows of large steps.

The training thread writes the work into the state of the team, divided into jobs, and takes jobs itself until none is
left; helpers that are awake take some, too.  Each thread starts with the jobs intended for it, which are the same in
every step, so that their data are in its cache.  Taking a job is an atomic addition, so no job is done twice, and no
thread waits for a helper that the operating system put to sleep.  The bits do not depend on which thread does a job.
"""

from __future__ import annotations

import numpy as np

from workings.engines.contract import FEWEST_TO_SHARE
from workings.engines.kernels.language import (
    add,
    address,
    array_at,
    call_at,
    itemsize,
    pause,
    read,
    write,
    zero,
)
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
    SHARE_FUNCTION,
    STATE_SIZE,
    THREADS,
    TICKETS,
    WORKSPACE_SIZE,
    WORKSPACES,
)
from workings.support.arrays import Array

FLAGS = ""
SHARES_MEMORY = True  # other threads change the state, so that arrays are not declared to be unshared
JOBS_PER_THREAD = 2  # of a matrix product
MOST_JOBS = 2**16


def compute_part(
    state: Array, workspace: Array, scale: float, first_row: int, last_row: int, first_column: int, last_column: int
) -> None:
    """Compute some rows and columns of the product that the state describes."""
    p = state[PRODUCT:]
    multiply(
        p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], first_row, last_row, first_column, last_column, p[10], scale,
        p[11], workspace,
    )  # fmt: skip


def run_job(state: Array, workspaces: Array, thread: int, job: int, jobs: int) -> None:
    """Do one job: some rows or columns of a matrix product, or one section."""
    if state[IS_BY_SECTIONS]:
        call_at(state[SECTION_FUNCTION], state[SECTION_ARGUMENTS], job, thread)
    else:
        run_product_job(state, workspaces[thread], workspaces[0, -1], job, jobs)


def run_product_job(state: Array, workspace: Array, scale: float, job: int, jobs: int) -> None:
    """Compute one job's rows or columns of the product that the state describes."""
    m, n, by_columns = state[PRODUCT + 8], state[PRODUCT + 9], state[PRODUCT + 12]
    unit, length = (ACROSS * (VECTOR // itemsize(workspace)), n) if by_columns else (TALL, m)
    units = -(-length // unit)
    first, last = job * units // jobs * unit, min((job + 1) * units // jobs * unit, length)
    if by_columns:
        compute_part(state, workspace, scale, 0, m, first, last)
    else:
        compute_part(state, workspace, scale, first, last, 0, n)


def next_job(state: Array, owner: int) -> int:
    """Take the next of the jobs intended for a thread; return -1 if none is left."""
    position = TICKETS + 8 * owner
    ticket = read(state, position)
    if ticket % MOST_JOBS < ticket // MOST_JOBS:
        ticket = add(state, position, 1)
    if ticket % MOST_JOBS >= ticket // MOST_JOBS:
        return -1
    return owner * state[JOB_COUNT] // state[THREADS] + ticket % MOST_JOBS


def run_jobs(state: Array, workspaces: Array, thread: int) -> int:
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


def share_jobs(state: Array, workspaces: Array, jobs: int) -> None:
    """Offer jobs to the team, do some of them, and wait until all are done."""
    state[JOB_COUNT] = jobs
    write(state, JOBS_DONE, 0)
    for thread in range(state[THREADS]):
        count = (thread + 1) * jobs // state[THREADS] - thread * jobs // state[THREADS]
        write(state, TICKETS + 8 * thread, count * MOST_JOBS)
    run_jobs(state, workspaces, 0)
    while read(state, JOBS_DONE) < jobs:
        pause()


def share_product(state: Array, workspaces: Array, m: int, n: int) -> None:
    """Share the product that the state describes, divided by columns or by rows."""
    columns, rows = -(-n // (ACROSS * (VECTOR // itemsize(workspaces)))), -(-m // TALL)
    wanted = state[THREADS] * JOBS_PER_THREAD
    by_columns = columns >= wanted or columns >= rows
    jobs = min(columns if by_columns else rows, wanted)
    state[PRODUCT + 12], state[IS_BY_SECTIONS] = by_columns, 0
    share_jobs(state, workspaces, jobs)


def run_sections(state: Array, sections: int) -> None:
    """Share the sections of a step."""
    state[IS_BY_SECTIONS], state[JOB_COUNT] = 1, sections
    call_at(state[SHARE_FUNCTION], state)


def share(state: Array, like: float) -> None:
    """Share the jobs that the state describes."""
    share_jobs(state, workspaces_of(state, like), state[JOB_COUNT])


def section_bounds(start: int, stop: int, block: int, section: int, sections: int) -> tuple[int, int]:
    """Return the first and the last row of a section between start and stop: whole blocks, evenly divided."""
    blocks = -(-(stop - start) // block)
    first, last = section * blocks // sections, (section + 1) * blocks // sections
    return start + first * block, min(start + last * block, stop)


def single_thread_team(state: Array, workspaces: Array, thread: int) -> tuple[Array, Array]:
    """Return the state and the workspace for the products that a thread computes alone."""
    at = address(state) + (1 + thread) * STATE_SIZE * itemsize(state)
    size = workspaces.shape[1]
    workspace = address(workspaces) + thread * size * itemsize(workspaces)
    return array_at(at, np.int64(0), (STATE_SIZE,)), array_at(workspace, zero(workspaces), (1, size))


def workspaces_of(state: Array, like: float) -> Array:
    """Return the workspaces of all threads, for numbers of the same type as ``like``."""
    return array_at(state[WORKSPACES], like, (state[THREADS], state[WORKSPACE_SIZE]))


def compute(state: Array, like: float) -> None:
    """Compute the product that the state describes."""
    workspaces = workspaces_of(state, like)
    m, n, k = state[PRODUCT + 8], state[PRODUCT + 9], state[PRODUCT + 10]
    if state[THREADS] > 1 and m * n * k >= FEWEST_TO_SHARE:
        share_product(state, workspaces, m, n)
    else:
        compute_part(state, workspaces[0], workspaces[0, -1], 0, m, 0, n)


def help_out(arguments: Array, like: float) -> None:
    """Do jobs until there have been none for a while or the team is closed.

    The arguments are the address of the team's state, and the number of this helper.
    """
    state, thread = array_at(arguments[0], np.int64(0), (STATE_SIZE,)), arguments[1]
    workspaces, polls = workspaces_of(state, like), 0
    while polls < IDLE_POLLS and read(state, IS_OPEN):
        if run_jobs(state, workspaces, thread) > 0:
            polls = 0
        pause()
        polls += 1


def product(
    state: Array, workspaces: Array, a: Array, flip_a: int, b: Array, flip_b: int, c: Array, m: int, k: int, n: int,
    scale: float, adds: int,
) -> None:  # fmt: skip
    """Compute c = scale · a b (+ c); a has shape (m, k) and b (k, n), and each is stored transposed if flipped."""
    p = state[PRODUCT:]
    p[0], p[1], p[2] = address(a), a.shape[1], flip_a
    p[3], p[4], p[5] = address(b), b.shape[1], flip_b
    p[6], p[7] = address(c), c.shape[1]
    p[8], p[9], p[10], p[11] = m, n, k, adds
    workspaces[0, -1] = scale
    call_at(state[PRODUCT_FUNCTION], state)
