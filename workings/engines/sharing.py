"""How large products are shared between threads, as machine code.

The thread that trains posts a product on a board of a few numbers, cut into jobs, and takes jobs itself until
none is left; helpers, if they are awake, take some too.  A job is taken by adding one to a number on the
board, so nothing is ever done twice, and a helper that the system has put to sleep holds up nobody.  Which
thread computes an entry does not change its bits.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from workings.engines.contract import FEWEST_TO_SHARE
from workings.engines.elementary import pointer
from workings.engines.native import is_switched_off
from workings.engines.products import ACROSS, TALL, VECTOR, multiply
from workings.engines.team import (
    ADDRESS,
    DESCRIPTION,
    DONE,
    IS_OPEN,
    PATIENCE,
    PLACES,
    ROOM,
    ROOMS,
    TEAM,
    TICKET,
)

JOBS_PER_THREAD = 2
JOBS = 2**16


def atomic(operation: str) -> Any:
    """A function on one number in memory that all threads see at once; ``add`` gives what it was before."""

    @intrinsic
    def function(typing: Any, board: Any, place: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            where = builder.gep(array.data, [args[1]])
            if operation == "add":
                return builder.atomic_rmw("add", where, args[2], "seq_cst")
            if operation == "read":
                return builder.load_atomic(where, "seq_cst", 8)
            builder.store_atomic(args[2], where, "seq_cst", 8)
            return args[2]

        return types.int64(board, types.int64, types.int64), generate

    return function


add, read, write = map(atomic, ("add", "read", "write"))


@intrinsic
def pause(typing: Any) -> Any:
    """Tell an x86 processor that this thread only waits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if "x86" in builder.module.triple:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


compiled = numba.njit(error_model="numpy", nogil=True)


@compiled
def part(
    board: Any, room: Any, scale: Any, first_row: Any, last_row: Any, first_column: Any, last_column: Any
) -> None:  # fmt: skip
    """Compute some rows and columns of the product on the board."""
    given = board[DESCRIPTION:]
    multiply(
        given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7], first_row, last_row,
        first_column, last_column, given[10], scale, given[11], room,
    )  # fmt: skip


@compiled
def run_job(board: Any, room: Any, scale: Any, job: Any, jobs: Any) -> None:
    """Compute one job's rows or columns of the product on the board."""
    m, n, by_columns = board[DESCRIPTION + 8], board[DESCRIPTION + 9], board[PLACES - 1]
    unit, length = (ACROSS * (VECTOR // room.itemsize), n) if by_columns else (TALL, m)
    units = -(-length // unit)
    first, last = job * units // jobs * unit, min((job + 1) * units // jobs * unit, length)
    if by_columns:
        part(board, room, scale, np.int64(0), m, first, last)
    else:
        part(board, room, scale, first, last, np.int64(0), n)


@compiled
def take_jobs(board: Any, rooms: Any, who: Any) -> None:
    """Take jobs until none is left."""
    while True:
        ticket = read(board, TICKET, 0)
        if ticket % JOBS >= ticket // JOBS:
            return
        ticket = add(board, TICKET, 1)
        if ticket % JOBS >= ticket // JOBS:
            return
        run_job(board, rooms[who], rooms[0, -1], ticket % JOBS, ticket // JOBS)
        add(board, DONE, 1)


@compiled
def share(board: Any, rooms: Any, m: Any, n: Any) -> None:
    """Post the product on the board, take part in it, and wait until all of it is done."""
    columns, rows = -(-n // (ACROSS * (VECTOR // rooms.itemsize))), -(-m // TALL)
    wanted = board[TEAM] * JOBS_PER_THREAD
    by_columns = columns >= wanted or columns >= rows
    jobs = min(columns if by_columns else rows, wanted)
    board[PLACES - 1] = by_columns
    write(board, DONE, 0)
    write(board, TICKET, jobs * JOBS)
    take_jobs(board, rooms, 0)
    while read(board, DONE, 0) < jobs:
        pause()


@compiled
def rooms_of(board: Any, number: Any) -> Any:
    """The rooms of all threads, for numbers of one kind, of which one is given."""
    return numba.carray(pointer(board[ROOMS], number), (board[TEAM], board[ROOM]))


@compiled
def compute(board_at: Any, number: Any) -> None:
    """Compute the product that stands on the board."""
    board = numba.carray(board_at, (PLACES,))
    rooms = rooms_of(board, number)
    m, n, k = board[DESCRIPTION + 8], board[DESCRIPTION + 9], board[DESCRIPTION + 10]
    if board[TEAM] > 1 and m * n * k >= FEWEST_TO_SHARE:
        share(board, rooms, m, n)
    else:
        part(board, rooms[0], rooms[0, -1], np.int64(0), m, np.int64(0), n)


@intrinsic
def call(typing: Any, address: Any, board: Any) -> Any:
    """Call ``compute`` by its address."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(board)(context, builder, args[1])
        kind = ir.FunctionType(ir.VoidType(), [array.data.type])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [array.data])
        return context.get_dummy_value()

    return types.void(types.int64, board), generate


@compiled
def help_out(given: Any, number: Any) -> None:
    """Take jobs as they come, until there have been none for a while or the board is closed.

    Given are where the board lies, and which helper this is.
    """
    board, who = numba.carray(pointer(given[0], np.int64(0)), (PLACES,)), given[1]
    rooms, looks = rooms_of(board, number), 0
    while looks < PATIENCE and read(board, IS_OPEN, 0):
        ticket = read(board, TICKET, 0)
        if ticket % JOBS < ticket // JOBS:
            take_jobs(board, rooms, who)
            looks = 0
        pause()
        looks += 1


@compiled
def product(
    board: Any, rooms: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, scale: Any,
    adds: Any,
) -> None:  # fmt: skip
    """Compute c = scale · a b (+ c); a has shape (m, k), b (k, n), each kept with rows for columns if flipped."""
    given, size = board[DESCRIPTION:], rooms.itemsize
    given[0], given[1], given[2] = a.ctypes.data, a.strides[0] // size, flip_a
    given[3], given[4], given[5] = b.ctypes.data, b.strides[0] // size, flip_b
    given[6], given[7] = c.ctypes.data, c.strides[0] // size
    given[8], given[9], given[10], given[11] = m, n, k, adds
    rooms[0, -1] = scale
    call(board[ADDRESS], board)


def product_in_python(
    board: Any, rooms: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, scale: Any,
    adds: Any,
) -> None:  # fmt: skip
    """Do the same with NumPy, for NUMBA_DISABLE_JIT."""
    left, right = (a[:k, :m].T if flip_a else a[:m, :k]), (b[:n, :k].T if flip_b else b[:k, :n])
    c[:m, :n] = rooms.dtype.type(scale) * (left @ right) + (c[:m, :n] if adds else 0)


if is_switched_off():
    product = product_in_python
