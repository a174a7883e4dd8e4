"""Products of matrices, left to BLAS: the one that SciPy brings, called from compiled code.

``product`` is called from a compiled program without a return to Python; it writes into a given array
or adds to it.  How many threads BLAS may use is set from outside, for a whole run, by the size of the
products: threads that wait for each other on tiny products cost more than they bring.
"""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address, intrinsic

FEWEST_FOR_THREADS = 2**20  # multiplications in a product, from which threads pay


def address_of_product(dtype: Any) -> int:
    """Where BLAS's product of general matrices begins in memory, for float64 or float32."""
    name = {"float64": "dgemm", "float32": "sgemm"}[np.dtype(dtype).name]
    address: int = get_cython_function_address("scipy.linalg.cython_blas", name)
    return address


@intrinsic
def call_blas(
    typing: Any, address: Any, flip_b: Any, flip_a: Any, n: Any, m: Any, k: Any, b: Any, a: Any, beta: Any, c: Any
) -> Any:
    """Call ``gemm`` of BLAS, which takes columns for rows: so the factors come in the other order."""
    real = c.dtype

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, flips, sizes = args[0], args[1:3], args[3:6]
        number, integer, byte = context.get_value_type(real), ir.IntType(32), ir.IntType(8)

        def kept(value: Any, kind: Any) -> Any:
            place = cgutils.alloca_once(builder, kind)
            builder.store(value, place)
            return place

        def matrix(index: int, kind: Any) -> tuple[Any, Any]:
            array = context.make_array(kind)(context, builder, args[index])
            bytes_apart = cgutils.unpack_tuple(builder, array.strides)[0]
            width = builder.sdiv(bytes_apart, context.get_constant(types.intp, np.dtype(str(real)).itemsize))
            return array.data, kept(builder.trunc(width, integer), integer)

        letters = [kept(builder.select(f, byte(ord("T")), byte(ord("N"))), byte) for f in flips]
        counts = [kept(builder.trunc(size, integer), integer) for size in sizes]
        right, left, result = matrix(6, signature.args[6]), matrix(7, signature.args[7]), matrix(9, signature.args[9])
        given = [*letters, *counts, kept(number(1.0), number), *right, *left, kept(args[8], number), *result]
        kind = ir.FunctionType(ir.VoidType(), [value.type for value in given])
        builder.call(builder.inttoptr(where, kind.as_pointer()), given)
        return context.get_dummy_value()

    flag, size = types.boolean, types.intp
    return types.void(types.intp, flag, flag, size, size, size, b, a, real, c), generate


@numba.njit(error_model="numpy")
def product(address: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, beta: Any) -> None:
    """Compute c = a b + beta c; a has shape (m, k), b (k, n), each kept with rows for columns if flipped."""
    call_blas(address, flip_b, flip_a, n, m, k, b, a, c.dtype.type(beta), c)


def product_in_python(
    address: Any, a: Any, flip_a: Any, b: Any, flip_b: Any, c: Any, m: Any, k: Any, n: Any, beta: Any
) -> None:
    """Do the same with NumPy, for NUMBA_DISABLE_JIT."""
    left, right = (a[:k, :m].T if flip_a else a[:m, :k]), (b[:n, :k].T if flip_b else b[:k, :n])
    c[:m, :n] = left @ right + (beta * c[:m, :n] if beta else 0)


if numba.config.DISABLE_JIT:
    product = product_in_python


@functools.cache
def controller() -> Any:
    """The BLAS libraries of this process; finding them takes a few milliseconds."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def threads_for(largest_product: int) -> AbstractContextManager[Any]:
    """Hold BLAS to one thread while products are small."""
    if largest_product >= FEWEST_FOR_THREADS:
        return nullcontext()
    limit: AbstractContextManager[Any] = controller().limit(limits=1, user_api="blas")
    return limit
