"""Machine code: compiles a generated source to a C function, and calls it.

The C function takes one table of integers.  An integer argument is one entry; any other argument is represented by its
address and its length along each dimension.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import functools
import importlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workings.engines.compiled import cache, llvm
from workings.engines.compiled.llvm_ir import ArrayValue, Builder, Module, Result, Value, integer
from workings.engines.compiled.llvm_translation import ATTRIBUTES, KINDS, Source, Translator, flattened, kinds_of
from workings.support.arrays import Array

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
Argument = int | float | Array
ArgumentType = tuple[str, int]  # the type of the numbers, and the number of dimensions; -1 for a scalar
INTEGER, REAL = "int64", "float64"
FLUSH_TO_ZERO = 0x8000  # in the control register of x86's vector instructions
LOCK = threading.RLock()  # one thread compiles at a time
IN_TURN = """
import numpy as np
from workings.engines.kernels.language import array_at, call_at


def call_in_turn(function, tables):
    for number in range(len(tables)):
        call_at(function, array_at(tables[number], np.int64(0), (1,)))
"""
KNOWN: dict[object, tuple[int, ...]] = {}  # the addresses of what was loaded, by source and exports
FROM_CACHE_ONLY = ContextVar("FROM_CACHE_ONLY", default=False)


class NotCachedError(Exception):
    """Machine code is neither in this process nor in the cache, and may not be compiled."""


@contextlib.contextmanager
def only_from_cache(is_required: bool = True) -> Iterator[None]:
    """Raise ``NotCachedError`` in place of compiling, as long as the context lasts; not if it is not required."""
    token = FROM_CACHE_ONLY.set(is_required)
    try:
        yield
    finally:
        FROM_CACHE_ONLY.reset(token)


def renew_lock() -> None:
    """Replace the lock in a forked process: the thread that may hold it is not there."""
    global LOCK
    LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_lock)


class Call:
    """A call of machine code with a table of arguments; it keeps the arrays alive that the table points to.

    ``section`` is the address of the function that computes one section of rows, with the same table.
    """

    def __init__(self, entry: int, arguments: Sequence[Argument], section: int = 0) -> None:
        self.entry, self.section, (self.table, self.arrays) = entry, section, table_of(arguments)

    def __call__(self) -> None:
        FUNCTION(self.entry)(address_of(self.table))


class SeveralCalls(Call):
    """Several calls of one function, made one after the other by machine code."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls, addresses_of_tables = calls, np.array([address_of(call.table) for call in calls])
        super().__init__(in_turn(), [calls[0].entry, addresses_of_tables])


@functools.cache
def in_turn() -> int:
    """Return the address of the function that calls another one with each of several tables.

    It has two lines, so it is always compiled: whether several calls are made at once depends on their duration.
    """
    with only_from_cache(is_required=False):
        return addresses(IN_TURN, (Export("call_in_turn", ((INTEGER, -1), (INTEGER, 1))),))[0]


@dataclass
class MachineCode:
    """The compiled functions of a source, for all combinations of argument types that occur.

    ``sections`` is the name of the function for one section of rows, if there is one.
    """

    text: str
    function: str
    sections: str = ""
    entries: dict[tuple[ArgumentType, ...], tuple[int, ...]] = field(default_factory=dict)

    def __call__(self, *arguments: Argument) -> Call:
        """Return a call with some arguments: integers, floats and contiguous arrays."""
        types = tuple(map(type_of, arguments))
        if types not in self.entries:
            exports = [Export(self.function, types), *([Export(self.sections, types, 2)] if self.sections else [])]
            self.entries[types] = addresses(self.text, tuple(exports))
        function, *sections = self.entries[types]
        return Call(function, arguments, *sections)

    def calls(self, several: Sequence[Sequence[Argument]]) -> Call:
        """Return one call for several lists of arguments of the same types."""
        first = self(*several[0])
        rest = [Call(first.entry, arguments) for arguments in several[1:]]
        return SeveralCalls([first, *rest]) if rest else first


def type_of(argument: Argument) -> ArgumentType:
    """Return the type of an argument."""
    if isinstance(argument, np.ndarray):
        return name_of_dtype(argument.dtype), argument.ndim
    return (REAL if isinstance(argument, float) else INTEGER), -1


@functools.cache
def name_of_dtype(dtype: np.dtype[np.floating]) -> str:
    """Return the name of a dtype, which NumPy puts together anew each time."""
    return dtype.name


def table_of(arguments: Sequence[Argument]) -> tuple[Array, list[Array]]:
    """Return the table of some arguments, and the arrays that it points to."""
    numbers: list[int] = []
    arrays: list[Array] = []
    for argument in arguments:
        if isinstance(argument, (np.ndarray, float)):
            array = np.asarray(argument)
            arrays.append(array)
            numbers.append(address_of(array))
            numbers += array.shape
        else:
            numbers.append(argument)
    return np.array(numbers, dtype=np.int64), arrays


def address_of(array: Array) -> int:
    """Return the address of a contiguous array."""
    assert array.flags.c_contiguous
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # a quarter of the time of array.ctypes.data
    except (TypeError, ValueError):  # read-only or empty
        return array.ctypes.data


# -- from source to address ----------------------------------------------------------------------


@dataclass(frozen=True)
class Export:
    """A function that is called from outside: its name, the types of its arguments, and how many integers follow.

    ``is_inner`` says whether it is called by machine code only, which has set how tiny results are rounded.
    """

    function: str
    types: tuple[ArgumentType, ...]
    integers: int = 0
    is_inner: bool = False


def addresses(text: str, exports: tuple[Export, ...], is_vectorized: bool = False) -> tuple[int, ...]:
    """Return the addresses of compiled functions, which take a table of arguments and further integers.

    The machine code comes from this process, from the cache, or from the compiler.
    """
    with LOCK:
        if (text, exports) not in KNOWN:
            KNOWN[text, exports] = llvm.loaded(code_of(text, exports, is_vectorized), [e.function for e in exports])
        return KNOWN[text, exports]


def code_of(text: str, exports: tuple[Export, ...], is_vectorized: bool) -> bytes:
    """Return the machine code of functions, from the cache if it is there."""
    key = llvm.digest(text, repr(exports), llvm.fingerprint(), cache.fingerprint())
    code = cache.find(key)
    if code is None and FROM_CACHE_ONLY.get():
        raise NotCachedError(f"The machine code {key} is not in the cache.")
    if code is None:
        code = llvm.object_code(module_text(text, exports), is_vectorized)
        cache.keep(key, code, text)
    return code


def module_text(text: str, exports: Sequence[Export]) -> str:
    """Translate functions of a source, and all that they call, into LLVM's language."""
    importlib.import_module("workings.engines.compiled.builtins")
    module, scope = Module(llvm.header()), scope_of(text)
    translator = Translator(module)
    for export in exports:
        write_entry(translator, scope[export.function], export)
    return module.text()


def scope_of(text: str) -> dict[str, Any]:
    """Return the meaning of all names of a source: what it imports, and its functions."""
    scope: dict[str, Any] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                imported = importlib.import_module(module)
                scope.update({alias.asname or alias.name: getattr(imported, alias.name) for alias in names})
            case ast.Import(names=[ast.alias(name="numpy", asname="np")]):
                scope["np"] = np
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=value)):
                scope[name] = value
            case ast.FunctionDef(name=name):
                scope[name] = Source(node, scope, is_shared=scope.get("SHARES_MEMORY", False))
    return scope


@contextlib.contextmanager
def tiny_results_as_zero(builder: Builder) -> Iterator[None]:
    """Round results below the smallest normal number to 0, on x86, as long as what the context writes runs.

    With such numbers, an addition takes over a hundred cycles there.  The means of Adam and Momentum reach them when a
    gradient stays zero.
    """
    if "x86" not in builder.module.header:
        yield
        return
    before, during = (Value("ptr", builder.slot("i32", f".mode{number}")) for number in range(2))
    builder.external("llvm.x86.sse.stmxcsr", "void", [before])
    mode = Value("i32", builder.emit(f"load i32, {before}"))
    builder.do(f"store {builder.op('or', mode, Value('i32', str(FLUSH_TO_ZERO)))}, {during}")
    builder.external("llvm.x86.sse.ldmxcsr", "void", [during])
    yield
    builder.external("llvm.x86.sse.ldmxcsr", "void", [before])


def write_entry(translator: Translator, source: Source, export: Export) -> None:
    """Write the C function: it reads the arguments from the table and calls the function."""
    builder, position, arguments = Builder(translator.module), 0, []
    table = ArrayValue("i64", "%table", (integer(0),))

    def entry() -> Value:
        nonlocal position
        position += 1
        return builder.load(table, [Value("i64", str(position - 1))])

    for dtype, dimensions in export.types:
        kind = KINDS[dtype]
        first = entry()
        argument: Result = first
        if (dtype, dimensions) != (INTEGER, -1):
            pointer = builder.pointer_to(first)
            shape = tuple(entry() for _ in range(dimensions))
            argument = ArrayValue(kind, pointer, shape)
            argument = Value(kind, builder.emit(f"load {kind}, ptr {pointer}")) if dimensions < 0 else argument
        arguments.append(argument)
    arguments = arguments or [table]
    arguments += [Value("i64", f"%more{number}") for number in range(export.integers)]
    name, result = translator.function(source, tuple(map(kinds_of, arguments)))
    with contextlib.nullcontext() if export.is_inner else tiny_results_as_zero(builder):
        builder.call(name, result, [part for argument in arguments for part in flattened(argument)])
    builder.end("ret void")
    more = "".join(f", i64 %more{number}" for number in range(export.integers))
    translator.module.functions.append(builder.text(f"void @{export.function}(ptr %table{more})", ATTRIBUTES))
