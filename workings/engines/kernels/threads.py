"""A team of threads that share the work of large products, or of many rows.

The thread that trains posts what is to be done on a board of a few numbers, and helpers take some of its jobs if they
are awake; how is told in ``work_sharing.py``, which is what they run.  Here the threads are started and sent home.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, ClassVar

import numpy as np

from workings.engines.compiled.native import FUNCTION, address, is_switched_off
from workings.engines.contract import FEWEST_TO_SHARE, PANELS

PATIENCE = 20_000  # looks at the board, after which a helper lets others have the processor
MOST_THREADS = 64
# The places on the board.  DONE counts the jobs that are done.  From DESCRIPTION on: what ``product`` writes, and at
# last whether it is cut by columns.  Sections of rows are computed by the function PART, which is given a TABLE of
# arguments, in the STEP.  From TICKETS on, for each thread in a cache line of its own: how many jobs are meant for it,
# times JOBS, plus how many of them have been taken.
DONE, IS_OPEN, TEAM, ADDRESS, ROOMS, ROOM, BY_SECTIONS, POSTED = 0, 8, 9, 10, 11, 12, 13, 14
PART, TABLE, STEP, ROOM_OF_THREAD, DESCRIPTION, TICKETS = 16, 17, 18, 19, 24, 40
PLACES = TICKETS + 8 * MOST_THREADS
COUNTING = threading.Lock()
ALONE = threading.local()
SOURCE = '''"""Products of matrices: written by workings/engines/kernels/threads.py."""

import numba
import numpy as np
from numpy import {dtype} as real
from workings.engines.kernels import work_sharing


def compute(board):
    """Compute the product that stands on the board."""
    work_sharing.compute(board, real(0))


def help_out(given):
    """Help with the products on a board: given are its address, and which helper this is."""
    work_sharing.help_out(given, real(0))
'''


def work_alone() -> None:
    """Say that this thread is one of several at work, and is to have no helpers."""
    ALONE.asked = True


def threads() -> int:
    """How many threads may work: the processors at hand, or fewer by NUMBA_NUM_THREADS or OMP_NUM_THREADS."""
    if getattr(ALONE, "asked", False):
        return 1
    at_hand = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = (os.environ.get(name, "") for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"))
    return max(min([at_hand, *(int(number) for number in given if number.isdecimal())]), 1)


def room_for(dtype: Any) -> int:
    """How many numbers the room of one thread holds: its panels, and in the first room the scale of the product."""
    return PANELS // int(np.dtype(dtype).itemsize) + 1


class Team:
    """The board and the rooms for the products of one run; as a context, with helpers that are awake.

    Parameters
    ----------
    dtype : dtype
        float64 or float32.
    largest_product : int
        Multiplications in the largest product: helpers come only where it is worth sharing.
    """

    at_work: ClassVar[int] = 0  # teams of this process

    def __init__(self, dtype: Any, largest_product: int) -> None:
        wanted = threads() if largest_product >= FEWEST_TO_SHARE and not is_switched_off() else 1
        with COUNTING:  # networks that train at once, in threads of one process, share the processors
            self.size = min(max(wanted // (1 + Team.at_work), 1), MOST_THREADS)
        self.rooms = np.empty((self.size, room_for(dtype)), dtype)
        self.boards = np.zeros((1 + self.size, PLACES), np.int64)  # that of all, and one for each thread by itself
        self.boards[:, ROOM] = room_for(dtype)
        self.boards[:, TEAM] = [self.size, *(1 for _ in self.rooms)]
        self.boards[:, ROOMS] = [self.rooms.ctypes.data, *(room.ctypes.data for room in self.rooms)]
        self.board = self.boards.reshape(-1)
        self.source = SOURCE.format(dtype=np.dtype(dtype).name)
        if not is_switched_off():
            self.boards[:, ADDRESS] = address(self.source, "compute")
        self.helpers: list[threading.Thread] = []

    def __enter__(self) -> tuple[Any, Any]:
        with COUNTING:
            Team.at_work += 1
        self.board[IS_OPEN] = 1
        self.helpers = [threading.Thread(target=self.help, args=(who,), daemon=True) for who in range(1, self.size)]
        for helper in self.helpers:
            helper.start()
        return self.board, self.rooms

    def help(self, who: int) -> None:
        """What a helper does."""
        help_out, given = FUNCTION(address(self.source, "help_out")), np.array([self.board.ctypes.data, who])
        while self.board[IS_OPEN]:
            help_out(given.ctypes.data)
            time.sleep(0)

    def __exit__(self, *error: object) -> None:
        with COUNTING:
            Team.at_work -= 1
        self.board[IS_OPEN] = 0
        for helper in self.helpers:
            helper.join()
