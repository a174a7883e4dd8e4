"""A team of threads that share the work of large products.

The thread that trains posts a product on a board of a few numbers, and helpers take some of its jobs if they are
awake; how is told in ``sharing.py``, which is what they run.  Here the threads are started and sent home.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, ClassVar

import numpy as np

from workings.engines.contract import FEWEST_TO_SHARE, PANELS
from workings.engines.native import FUNCTION, address, is_switched_off

PATIENCE = 20_000  # looks at the board, after which a helper lets others have the processor
# The places on the board.  TICKET holds how many jobs the product has, times JOBS, plus the next job; it and DONE lie
# in cache lines of their own.  From DESCRIPTION on: what ``product`` writes, and at last whether it is cut by columns.
TICKET, DONE, IS_OPEN, TEAM, ADDRESS, ROOMS, ROOM, DESCRIPTION, PLACES = 0, 8, 16, 17, 18, 19, 20, 24, 37
COUNTING = threading.Lock()
SOURCE = '''"""Products of matrices: written by workings/engines/team.py."""

import numba
import numpy as np
from numpy import {dtype} as real
from workings.engines import sharing


def compute(board):
    """Compute the product that stands on the board."""
    sharing.compute(board, real(0))


def help_out(given):
    """Help with the products on a board: given are its address, and which helper this is."""
    sharing.help_out(given, real(0))
'''


def threads() -> int:
    """How many threads may work: the processors at hand, or fewer by NUMBA_NUM_THREADS or OMP_NUM_THREADS."""
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
            self.size = max(wanted // (1 + Team.at_work), 1)
        self.rooms = np.empty((self.size, room_for(dtype)), dtype)
        self.board = np.zeros(PLACES, np.int64)
        self.board[[TEAM, ROOMS, ROOM]] = self.size, self.rooms.ctypes.data, room_for(dtype)
        self.source = SOURCE.format(dtype=np.dtype(dtype).name)
        if not is_switched_off():
            self.board[ADDRESS] = address(self.source, "compute")
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
