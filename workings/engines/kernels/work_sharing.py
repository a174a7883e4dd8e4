"""How large products, and the rows of large steps, are shared between threads, as machine code.

The thread that trains posts on a board of a few numbers what is to be done, cut into jobs, and takes jobs itself until
none is left; helpers, if they are awake, take some too.  Each thread begins with those that are meant for it, which are
the same in every step, so that it finds in its cache what it has had before.  A job is taken by adding one to a number
on the board, so nothing is ever done twice, and a helper that the system has put to sleep holds up nobody.  Which
thread does a job does not change the bits.
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
    ADDRESS,
    BY_SECTIONS,
    DESCRIPTION,
    DONE,
    IS_OPEN,
    PART,
    PATIENCE,
    PLACES,
    POSTED,
    ROOM,
    ROOMS,
    TABLE,
    TEAM,
    TICKETS,
)
from workings.engines.kernels.vector_math import pointer

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


@intrinsic
def call_part(typing: Any, address: Any, table: Any, section: Any, who: Any) -> Any:
    """Call the function for one section by its address, with a table of arguments by its own."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [number.as_pointer(), number, number])
        table = builder.inttoptr(args[1], number.as_pointer())
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [table, args[2], args[3]])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


@compiled
def run_job(board: Any, rooms: Any, who: Any, job: Any, jobs: Any) -> None:
    """Do one job of what is posted: some rows or columns of a product, or one section."""
    if board[BY_SECTIONS]:
        call_part(board[PART], board[TABLE], job, who)
    else:
        run_part(board, rooms[who], rooms[0, -1], job, jobs)


@compiled
def run_part(board: Any, room: Any, scale: Any, job: Any, jobs: Any) -> None:
    """Compute one job's rows or columns of the product on the board."""
    m, n, by_columns = board[DESCRIPTION + 8], board[DESCRIPTION + 9], board[DESCRIPTION + 12]
    unit, length = (ACROSS * (VECTOR // room.itemsize), n) if by_columns else (TALL, m)
    units = -(-length // unit)
    first, last = job * units // jobs * unit, min((job + 1) * units // jobs * unit, length)
    if by_columns:
        part(board, room, scale, np.int64(0), m, first, last)
    else:
        part(board, room, scale, first, last, np.int64(0), n)


@compiled
def next_job(board: Any, whose: Any) -> Any:
    """The next of the jobs that are meant for some thread; -1 if none is left."""
    place = TICKETS + 8 * whose
    ticket = read(board, place, 0)
    if ticket % JOBS < ticket // JOBS:
        ticket = add(board, place, 1)
    if ticket % JOBS >= ticket // JOBS:
        return np.int64(-1)
    return whose * board[POSTED] // board[TEAM] + ticket % JOBS


@compiled
def take_jobs(board: Any, rooms: Any, who: Any) -> Any:
    """Take jobs until none is left, first one's own, then those of the others; say how many it were."""
    taken = 0
    for other in range(board[TEAM]):
        whose = (who + other) % board[TEAM]
        job = next_job(board, whose)
        while job >= 0:
            run_job(board, rooms, who, job, board[POSTED])
            add(board, DONE, 1)
            taken += 1
            job = next_job(board, whose)
    return taken


@compiled
def post(board: Any, rooms: Any, jobs: Any) -> None:
    """Post jobs, take some, and wait until all are done."""
    board[POSTED] = jobs
    write(board, DONE, 0)
    for who in range(board[TEAM]):
        mine = (who + 1) * jobs // board[TEAM] - who * jobs // board[TEAM]
        write(board, TICKETS + 8 * who, mine * JOBS)
    take_jobs(board, rooms, 0)
    while read(board, DONE, 0) < jobs:
        pause()


@compiled
def share(board: Any, rooms: Any, m: Any, n: Any) -> None:
    """Post the product whose description is on the board."""
    columns, rows = -(-n // (ACROSS * (VECTOR // rooms.itemsize))), -(-m // TALL)
    wanted = board[TEAM] * JOBS_PER_THREAD
    by_columns = columns >= wanted or columns >= rows
    jobs = min(columns if by_columns else rows, wanted)
    board[DESCRIPTION + 12], board[BY_SECTIONS] = by_columns, 0
    post(board, rooms, jobs)


@compiled
def in_sections(board: Any, rooms: Any, sections: Any) -> None:
    """Post the sections of a step."""
    board[BY_SECTIONS] = 1
    post(board, rooms, sections)


@compiled
def section_bounds(start: Any, stop: Any, block: Any, section: Any, sections: Any) -> Any:
    """The rows from start to stop that belong to a section: whole blocks, about as many as to every other."""
    blocks = -(-(stop - start) // block)
    first, last = section * blocks // sections, (section + 1) * blocks // sections
    return start + first * block, min(start + last * block, stop)


@compiled
def own(board: Any, rooms: Any, who: Any) -> Any:
    """The board and the room for the products that a thread computes alone."""
    at = np.int64(board.ctypes.data) + (1 + who) * PLACES * board.itemsize
    room = pointer(np.int64(rooms.ctypes.data) + who * rooms.shape[1] * rooms.itemsize, rooms.dtype.type(0))
    return numba.carray(pointer(at, np.int64(0)), (PLACES,)), numba.carray(room, (1, rooms.shape[1]))


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
        if take_jobs(board, rooms, who) > 0:
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
