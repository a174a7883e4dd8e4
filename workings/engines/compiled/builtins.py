"""Translate functions that have no source in the language: NumPy's functions and ``kernels/language.py``'s."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from workings.engines.compiled.llvm_ir import BITS, FLOATS, ArrayValue, Result, Value, integer, real
from workings.engines.compiled.llvm_translation import FunctionWriter, builtin, intrinsic
from workings.engines.contract import CACHE_LINE
from workings.engines.kernels import language

# LLVM's functions of one number, by NumPy's names, and those of the C library.
OF_LLVM = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "exp2": "exp2", "log2": "log2", "log10": "log10",
           "sin": "sin", "cos": "cos", "absolute": "fabs"}  # fmt: skip
OF_C = {"tan": "tan", "sinh": "sinh", "cosh": "cosh", "arctan": "atan", "arcsin": "asin", "arccos": "acos",
        "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "cbrt": "cbrt", "arctan2": "atan2",
        "hypot": "hypot"}  # fmt: skip


def bytes_of(array: ArrayValue) -> int:
    """Return the number of bytes of a number."""
    return BITS[array.kind] // 8


def floats(writer: FunctionWriter, values: Sequence[Value]) -> list[Value]:
    """Convert numbers to one floating-point type."""
    alike = writer.builder.together(values)
    return [v if v.kind in FLOATS else writer.builder.convert(v, "double") for v in alike]


def of_llvm(name: str, writer: FunctionWriter, *numbers: Value) -> Result:
    """Call one of LLVM's functions."""
    args = floats(writer, numbers)
    return writer.builder.external(intrinsic(name, args[0].kind), args[0].kind, args)


def of_c(name: str, writer: FunctionWriter, *numbers: Value) -> Result:
    """Call a function of the C library."""
    args = floats(writer, numbers)
    full = name if args[0].kind == "double" else f"{name}f"
    return writer.builder.external(full, args[0].kind, args)


for names, call in ((OF_LLVM, of_llvm), (OF_C, of_c)):
    for name, called in names.items():
        builtin(getattr(np, name))(functools.partial(call, called))
builtin(abs)(functools.partial(of_llvm, "fabs"))
builtin(np.power)(functools.partial(of_llvm, "pow"))


@builtin(language.allocate)
def allocate(writer: FunctionWriter, memory: ArrayValue, used: Value, shape: tuple[Value, ...]) -> Result:
    """Each array starts at a cache line if the memory does."""
    builder = writer.builder
    lanes = CACHE_LINE // bytes_of(memory)
    array = ArrayValue(memory.kind, builder.entry(memory, [used]), shape, builder.new_scope())
    padded = builder.op("and", builder.sum_of(writer.size(array), integer(lanes - 1)), integer(-lanes))
    return array, builder.sum_of(used, padded)


@builtin(language.flat)
def flat(writer: FunctionWriter, array: ArrayValue) -> Result:
    """View an array as one-dimensional."""
    return ArrayValue(array.kind, array.pointer, (writer.size(array),), array.scope)


@builtin(language.shaped)
def shaped(writer: FunctionWriter, array: ArrayValue, shape: tuple[Value, ...]) -> Result:
    """Give an array other lengths."""
    return ArrayValue(array.kind, array.pointer, shape, array.scope)


@builtin(language.array_at)
def array_at(writer: FunctionWriter, address: Value, like: Value, shape: tuple[Value, ...]) -> Result:
    """Make an array of an address."""
    return ArrayValue(like.kind, writer.builder.pointer_to(address), shape)


@builtin(language.address)
def address(writer: FunctionWriter, array: ArrayValue) -> Result:
    """Return an array's address."""
    return writer.builder.address_of(array)


@builtin(language.itemsize)
def itemsize(writer: FunctionWriter, array: ArrayValue) -> Result:
    """Return the bytes of a number."""
    return integer(bytes_of(array))


@builtin(language.zero)
def zero(writer: FunctionWriter, array: ArrayValue) -> Result:
    """Return 0 with the type of an array's numbers."""
    return real(0.0, array.kind)


@builtin(language.stop_requested)
def stop_requested(writer: FunctionWriter, stop_flag: ArrayValue) -> Result:
    """Read the stop flag."""
    return writer.builder.compare("ne", read_atomically(writer, stop_flag, integer(0)), integer(0))


@builtin(language.add)
def add(writer: FunctionWriter, array: ArrayValue, position: Value, value: Value) -> Result:
    """Add atomically."""
    place = writer.builder.entry(array, [position])
    return Value("i64", writer.builder.emit(f"atomicrmw add ptr {place}, {value} seq_cst"))


@builtin(language.read)
def read(writer: FunctionWriter, array: ArrayValue, position: Value) -> Result:
    """Read atomically."""
    return read_atomically(writer, array, position)


def read_atomically(writer: FunctionWriter, array: ArrayValue, position: Value) -> Value:
    """Read an entry that other threads change."""
    place = writer.builder.entry(array, [position])
    return Value("i64", writer.builder.emit(f"load atomic i64, ptr {place} seq_cst, align 8"))


@builtin(language.write)
def write(writer: FunctionWriter, array: ArrayValue, position: Value, value: Value) -> Result:
    """Write atomically."""
    place = writer.builder.entry(array, [position])
    writer.builder.do(f"store atomic {value}, ptr {place} seq_cst, align 8")
    return ()


@builtin(language.pause)
def pause(writer: FunctionWriter) -> Result:
    """Wait for a moment, on x86."""
    if "x86" in writer.builder.module.header:
        writer.builder.external("llvm.x86.sse2.pause", "void", [])
    return ()


@builtin(language.call_at)
def call_at(writer: FunctionWriter, address: Value, *args: Value | ArrayValue) -> Result:
    """Call a function by its address."""
    pointer = writer.builder.pointer_to(address)
    given = [f"ptr {arg.pointer}" if isinstance(arg, ArrayValue) else str(arg) for arg in args]
    writer.builder.do(f"call void {pointer}({', '.join(given)})")
    return ()
