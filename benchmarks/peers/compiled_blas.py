"""Workings with the compiled engine, and BLAS in place of its own matrix product.

``benchmarks/kernels.py`` compares it with the engine as it is.  The program, the update fused into the product and
all other loops stay the same.  Only ``multiply`` of ``kernels/matmul.py`` becomes a call of SciPy's BLAS, before
anything is compiled; so a process that has prepared this peer must not be used for another one.
"""

from __future__ import annotations

import ctypes
from typing import Any

from benchmarks.jobs import Job
from benchmarks.peers.contract import library
from benchmarks.peers.ours import Fit
from workings.engines.kernels.language import itemsize, zero

SHARES_MEMORY = True  # read by the translator, like FLAGS of the kernels
FLAGS = ""
ROUTINES = {"float": "sgemm", "double": "dgemm"}  # the type of a number -> the routine
NEVER = 2**62  # multiplications from which the engine's threads share a product
CALLS: list[str] = []  # the routines of which calls were compiled


def gemm(
    flip_a: Any, flip_b: Any, m: Any, n: Any, k: Any, scale: Any, a: Any, a_line: Any, b: Any, b_line: Any, beta: Any,
    c: Any, c_line: Any,
) -> None:  # fmt: skip
    """Call BLAS with column-major matrices: c = scale · op(a) op(b) + beta · c."""


def multiply(
    a: Any, a_line: Any, flip_a: Any, b: Any, b_line: Any, flip_b: Any, c: Any, c_line: Any, first_row: Any,
    last_row: Any, first_column: Any, last_column: Any, k: Any, scale: Any, adds: Any, room: Any,
) -> None:  # fmt: skip
    """Do what ``multiply`` of ``kernels/matmul.py`` does: cᵀ = scale · bᵀ aᵀ (+ cᵀ) in BLAS's column-major order."""
    size = itemsize(room)
    a_here = a + first_row * (1 if flip_a != 0 else a_line) * size
    b_here = b + first_column * (b_line if flip_b != 0 else 1) * size
    c_here = c + (first_row * c_line + first_column) * size
    beta = zero(room) + (1 if adds != 0 else 0)
    gemm(
        flip_b, flip_a, last_column - first_column, last_row - first_row, k, scale, b_here, b_line, a_here, a_line,
        beta, c_here, c_line,
    )  # fmt: skip


def emit_gemm(writer: Any, args: list[Any]) -> Any:
    """Translate ``gemm``: BLAS takes all arguments by reference."""
    from workings.engines.compiled.llvm_ir import Value, integer

    builder = writer.builder
    flip_a, flip_b, m, n, k, scale, a, a_line, b, b_line, beta, c, c_line = args

    def by_reference(value: Any, kind: str) -> str:
        return f"ptr {builder.variable(builder.convert(value, kind)).pointer}"

    def transposed(flip: Any) -> str:
        is_flipped = builder.compare("ne", flip, integer(0))
        letter = builder.select(is_flipped, Value("i8", str(ord("T"))), Value("i8", str(ord("N"))))
        return by_reference(letter, "i8")

    def matrix(address: Any, line: Any) -> list[str]:
        return [f"ptr {builder.pointer_to(address)}", by_reference(line, "i32")]

    given = [transposed(flip_a), transposed(flip_b), *(by_reference(number, "i32") for number in (m, n, k))]
    given += [by_reference(scale, scale.kind), *matrix(a, a_line), *matrix(b, b_line)]
    given += [by_reference(beta, scale.kind), *matrix(c, c_line)]
    CALLS.append(ROUTINES[scale.kind])
    builder.do(f"call void {builder.pointer_to(integer(address_of(CALLS[-1])))}({', '.join(given)})")
    return ()


def address_of(routine: str) -> int:
    """Return the address of a routine of SciPy's BLAS."""
    from scipy.linalg import cython_blas

    api, capsule = ctypes.pythonapi, cython_blas.__pyx_capi__[routine]
    api.PyCapsule_GetName.restype, api.PyCapsule_GetPointer.restype = ctypes.c_char_p, ctypes.c_void_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule)))


def swap() -> None:
    """Put BLAS in place of the engine's own product; the cache, which contains the engine's own, is not used."""
    library("scipy.linalg.cython_blas", "scipy")
    from workings.engines.compiled import llvm, machine_code
    from workings.engines.compiled.llvm_translation import BUILTINS
    from workings.engines.kernels import work_sharing

    BUILTINS[gemm] = emit_gemm
    vars(work_sharing)["multiply"] = multiply
    vars(machine_code)["code_of"] = lambda text, exports, _: llvm.object_code(machine_code.module_text(text, exports))


def fit_with_blas(job: Job) -> Fit:
    """Return the network with BLAS in place, after its first steps.

    Raises
    ------
    RuntimeError
        If the network has no large product, so that BLAS is never called.
    """
    swap()
    fit = Fit(job, "compiled")
    if not CALLS:
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
