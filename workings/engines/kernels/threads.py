"""A team of threads that share the work of large matrix products, or of many rows.

The training thread divides the work into jobs, and helper threads take some of them.  All threads see the state of the
team, an array of integers.  This file starts and ends the helpers; ``work_sharing.py`` is what they run.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from workings.engines.contract import FEWEST_TO_SHARE, PANELS
from workings.support.arrays import Array

IDLE_POLLS = 20_000  # how often a helper looks for jobs in vain before it yields the processor
MOST_THREADS = 64
# Positions in the state of a team.
JOBS_DONE = 0
IS_OPEN = 8  # 0 ends the helpers
THREADS = 9  # the number of threads
PRODUCT_FUNCTION = 10  # the address of the compiled function ``compute``
WORKSPACES = 11  # the address of the threads' workspaces
WORKSPACE_SIZE = 12  # the numbers in the workspace of one thread
IS_BY_SECTIONS = 13  # whether the jobs are sections of rows; else they are parts of a matrix product
JOB_COUNT = 14  # the number of jobs
SECTION_FUNCTION = 16  # the address of the compiled function that computes one section
SECTION_ARGUMENTS = 17  # the address of its table of arguments
STEP = 18  # the step of the sections
SHARE_FUNCTION = 20  # the address of the compiled function ``share``
THREAD_MEMORY = 19  # the numbers that each thread stores between the loops of a section
PRODUCT = 24  # from here on: the arguments of ``product``, and whether it is divided by columns
# From here on, for each thread in its own cache line: the number of jobs intended for it, times MOST_JOBS, plus the
# number of these that were taken.
TICKETS = 40
STATE_SIZE = TICKETS + 8 * MOST_THREADS
OF_THREAD = threading.local()
SOURCE = '''"""Matrix products and the sharing of work: written by workings/engines/kernels/threads.py."""

from numpy import {dtype} as real
from workings.engines.kernels.work_sharing import compute as compute_product, help_out as do_jobs, share as share_jobs

SHARES_MEMORY = True


def compute(state):
    compute_product(state, real(0))


def share(state):
    share_jobs(state, real(0))


def help_out(arguments):
    do_jobs(arguments, real(0))
'''


def addresses_for(dtype: DTypeLike) -> tuple[int, ...]:
    """Compile the functions of ``SOURCE``, each with the address of one array; return their addresses."""
    from workings.engines.compiled.machine_code import Export, addresses  # only for large products

    inner = (Export(name, (), is_inner=True) for name in ("compute", "share"))
    return addresses(SOURCE.format(dtype=np.dtype(dtype).name), (*inner, Export("help_out", ())), True)


def work_alone() -> None:
    """Make the current thread train without helpers, because it is itself one of several."""
    OF_THREAD.works_alone = True


def threads() -> int:
    """Return how many threads may work: the available processors, NUMBA_NUM_THREADS or OMP_NUM_THREADS if lower."""
    if getattr(OF_THREAD, "works_alone", False):
        return 1
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = (os.environ.get(name, "") for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"))
    return max(min([available, *(int(limit) for limit in limits if limit.isdecimal())]), 1)


def workspace_size(dtype: DTypeLike) -> int:
    """Return how many numbers a thread's workspace holds: its panels, and one for the scale of the product."""
    return PANELS // int(np.dtype(dtype).itemsize) + 1


class Team:
    """The state and the workspaces of a team of threads; as a context manager, it runs the helpers.

    Parameters
    ----------
    dtype : dtype
        float64 or float32.
    largest_product : int
        Multiplications in the largest matrix product; there are helpers only if it is large enough to share.
    """

    active: ClassVar[set[Team]] = set()  # the teams of this process that are at work, in one thread each

    def __init__(self, dtype: DTypeLike, largest_product: int) -> None:
        wanted = threads() if largest_product >= FEWEST_TO_SHARE else 1
        self.size = min(max(wanted // (1 + len(Team.active)), 1), MOST_THREADS)  # teams share the processors
        self.workspaces = np.empty((self.size, workspace_size(dtype)), dtype)
        self.workspaces[:, -1] = np.nan  # the scale, so that a product without one is seen
        self.states = np.zeros((1 + self.size, STATE_SIZE), np.int64)  # of the team, and of each thread alone
        self.states[:, WORKSPACE_SIZE] = workspace_size(dtype)
        self.states[:, THREADS] = [self.size, *(1 for _ in self.workspaces)]
        places = [workspace.ctypes.data for workspace in self.workspaces]
        self.states[:, WORKSPACES] = [self.workspaces.ctypes.data, *places]
        self.state = self.states.reshape(-1)
        compute, share, self.help_function = addresses_for(dtype)
        self.states[:, PRODUCT_FUNCTION], self.states[:, SHARE_FUNCTION] = compute, share
        self.helpers: list[threading.Thread] = []

    def __enter__(self) -> tuple[Array, Array]:
        Team.active.add(self)  # without a lock, which an exception at a wrong moment would not release
        self.state[IS_OPEN] = 1
        numbers = range(1, self.size)
        self.helpers = [threading.Thread(target=self.help, args=(number,), daemon=True) for number in numbers]
        for helper in self.helpers:
            helper.start()
        return self.state, self.workspaces

    def help(self, thread: int) -> None:
        """Take jobs until the team is closed; this is what a helper thread runs."""
        help_out = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.help_function)
        arguments = np.array([self.state.ctypes.data, thread])
        while self.state[IS_OPEN]:
            help_out(arguments.ctypes.data)
            time.sleep(0)

    def __exit__(self, *error: object) -> None:
        Team.active.discard(self)
        self.state[IS_OPEN] = 0
        for helper in self.helpers:
            helper.join()
