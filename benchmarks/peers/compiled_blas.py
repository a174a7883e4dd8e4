"""Workings with the compiled engine, and BLAS in place of its own matrix product.

``benchmarks/kernels.py`` compares it with the engine as it is.  The program, the update fused into the product and
all other loops stay the same.  Only ``multiply`` of ``kernels/matmul.py`` becomes a call of SciPy's BLAS, before
anything is compiled; so a process that has prepared this peer must not be used for another one.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, intrinsic

from benchmarks.jobs import Job
from benchmarks.peers.contract import library
from benchmarks.peers.ours import Fit

ADDRESSES = {32: "sgemm", 64: "dgemm"}  # bits of a number -> the routine
NEVER = 2**62  # multiplications from which the engine's threads share a product
KEPT: list[Any] = []  # compiled functions: their machine code lives as long as they do


@intrinsic
def gemm(
    typing: Any, flip_a: Any, flip_b: Any, m: Any, n: Any, k: Any, scale: Any, a: Any, a_line: Any, b: Any, b_line: Any,
    beta: Any, c: Any, c_line: Any,
) -> Any:  # fmt: skip
    """Call BLAS with column-major matrices: c = scale · op(a) op(b) + beta · c."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def by_reference(value: Any, kind: Any = None) -> Any:
            value = value if kind is None else builder.trunc(value, kind)
            return cgutils.alloca_once_value(builder, value)

        letter, whole, number = ir.IntType(8), ir.IntType(32), context.get_value_type(scale)

        def transposed(flip: Any) -> Any:
            is_flipped = builder.icmp_signed("!=", flip, ir.Constant(flip.type, 0))
            return by_reference(builder.select(is_flipped, letter(ord("T")), letter(ord("N"))))

        def matrix(address: Any) -> Any:
            return builder.inttoptr(address, number.as_pointer())

        given = [transposed(args[0]), transposed(args[1]), *(by_reference(size, whole) for size in args[2:5])]
        given += [by_reference(args[5]), matrix(args[6]), by_reference(args[7], whole), matrix(args[8])]
        given += [by_reference(args[9], whole), by_reference(args[10]), matrix(args[11]), by_reference(args[12], whole)]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        address = get_cython_function_address("scipy.linalg.cython_blas", ADDRESSES[scale.bitwidth])
        builder.call(builder.inttoptr(ir.IntType(64)(address), kind.as_pointer()), given)
        return context.get_dummy_value()

    whole = types.int64
    sizes = [whole] * 5
    return types.void(*sizes, scale, whole, whole, whole, whole, scale, whole, whole), generate


@numba.njit(error_model="numpy", nogil=True)
def multiply(
    a: Any, a_line: Any, flip_a: Any, b: Any, b_line: Any, flip_b: Any, c: Any, c_line: Any, first_row: Any,
    last_row: Any, first_column: Any, last_column: Any, k: Any, scale: Any, adds: Any, room: Any,
) -> None:  # fmt: skip
    """Do what ``multiply`` of ``kernels/matmul.py`` does: cᵀ = scale · bᵀ aᵀ (+ cᵀ) in BLAS's column-major order."""
    size = room.itemsize
    a_here = a + first_row * (1 if flip_a != 0 else a_line) * size
    b_here = b + first_column * (b_line if flip_b != 0 else 1) * size
    c_here = c + (first_row * c_line + first_column) * size
    beta = room.dtype.type(1 if adds != 0 else 0)
    gemm(
        flip_b, flip_a, last_column - first_column, last_row - first_row, k, scale, b_here, b_line, a_here, a_line,
        beta, c_here, c_line,
    )  # fmt: skip


@functools.cache
def compiled_here(text: str, name: str, more: int = 0) -> int:
    """Compile a function of a source in this process: the cache on disk contains the engine's own product."""
    from workings.engines.compiled.native import compile_function

    KEPT.append(compile_function(text, name, more, cache=False))
    return int(KEPT[-1].address)


def swap() -> None:
    """Put BLAS in place of the engine's own product."""
    library("scipy.linalg.cython_blas", "scipy")
    from workings.engines.kernels import threads, work_sharing

    vars(work_sharing)["multiply"] = multiply
    vars(threads)["address"] = compiled_here


def fit_with_blas(job: Job) -> Fit:
    """Return the network with BLAS in place, after its first steps.

    Raises
    ------
    RuntimeError
        If the network has no large product, so that BLAS is never called.
    """
    swap()
    fit = Fit(job, "compiled")
    if not KEPT:
        raise RuntimeError("this network has no product that is large enough for BLAS")
    return fit


def prepare(job: Job) -> Fit:
    """A network that the compiled engine trains with BLAS.

    BLAS shares each product between its threads; the engine starts none and does not cut rows into sections.
    """
    from workings.engines.compiled import specialization
    from workings.engines.kernels import threads

    for module in (threads, specialization):
        vars(module)["FEWEST_TO_SHARE"] = NEVER
    return fit_with_blas(job)
