"""Native code: a compiled source as a C function, and how it is called.

Machine code is called with one table of whole numbers: for each argument itself, or where it lies in memory and how
long it is along each dimension.  Numba compiles it; but to load what Numba keeps takes each process a third of a second
and 100 MB.  So where a C compiler is at hand to link it, the machine code is kept as a shared library beside its
source, and the next process calls that, without Numba.  Elsewhere, and where linking fails, Numba's own cache serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from workings.engines.compiled.cache import folders, load, module_name
from workings.errors import FileError
from workings.support.arrays import Array
from workings.support.atomic_files import write_bytes

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-shared", "-fPIC", "-lm")
LINKING = 60  # seconds that it may take
# What may go wrong on the way to a shared library: then there is none.
UNLINKED = (OSError, FileError, subprocess.SubprocessError, RuntimeError, NameError)
SYSTEMS = ("linux",)  # where what a linker makes was tried
LANES = {"avx512f": 8, "avx2": 4}  # numbers of float64 in a vector of processors with such features
# Options of LLVM, and what it chooses by itself: from how many lanes on the rest of a loop is computed in vectors, too,
# and how many lanes these have (1 for what LLVM thinks best).
SHORT_VECTORS = {"epilogue-vectorization-minimum-VF": 16, "epilogue-vectorization-force-VF": 1}
SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")  # on which the machine code depends, too
# What Numba calls where something is raised, or the last reference is dropped: neither happens in our loops.
NEVER_CALLED = re.compile(r"^declare [^@]*@((?:numba|NRT)_\w+)\(", re.MULTILINE)
ENTRY = '''

def entry({parameters}):
    """What is called from outside: each argument's number, or its address and shape, stand in one table."""
    {function}(
        {arguments},
    )
'''
Argument = int | float | Array
Kind = tuple[np.dtype[Any], int]  # of numbers, and how many dimensions; -1 for a number by itself
WHOLE, REAL = np.dtype(np.int64), np.dtype(np.float64)


def is_switched_off() -> bool:
    """Whether Numba is told to let Python run what it would compile."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Call:
    """A call of machine code with a table; what the table points to is held, so that it stays."""

    def __init__(self, entry: Callable[[int], None], arguments: Sequence[Argument]) -> None:
        self.entry, (self.table, self.arrays) = entry, table_of(arguments)

    def __call__(self) -> None:
        self.entry(address_of(self.table))


def machine_code(text: str, function: str) -> Callable[..., Call]:
    """A function of a source as machine code: given arguments, it gives what is to be called, all being compiled.

    Arguments are whole numbers, real ones, and arrays that lie in one piece.  Where Numba is switched off, the function
    itself is called.
    """
    if is_switched_off():
        return cast(Callable[..., Call], functools.partial(functools.partial, load(text, function)))
    entries: dict[tuple[Kind, ...], Callable[[int], None]] = {}

    def given(*arguments: Argument) -> Call:
        kinds = tuple(map(kind_of, arguments))
        if kinds not in entries:
            entries[kinds] = FUNCTION(address(with_entry(text, function, kinds), "entry"))
        return Call(entries[kinds], arguments)

    return given


def part_of(text: str, function: str, arguments: Sequence[Argument], more: tuple[str, ...]) -> int:
    """Where the machine code of a function begins that is given a table of such arguments, and more whole numbers."""
    return address(with_entry(text, function, tuple(map(kind_of, arguments)), more), "entry", len(more))


def kind_of(argument: Argument) -> Kind:
    """What an argument is."""
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.ndim
    return (REAL if isinstance(argument, float) else WHOLE), -1


def table_of(arguments: Sequence[Argument]) -> tuple[Array, list[Array]]:
    """The table of some arguments, and the arrays that it points to."""
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
    """Where an array begins; it must lie in one piece."""
    assert array.flags.c_contiguous
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # a quarter of the time of array.ctypes.data
    except (TypeError, ValueError):  # it may not be written to, or is empty
        return array.ctypes.data


def with_entry(text: str, function: str, kinds: Sequence[Kind], more: tuple[str, ...] = ()) -> str:
    """A source, and below it the function that takes such arguments from a table, and more whole numbers."""
    place, arguments = 0, []
    for dtype, dimensions in kinds:
        shape = "".join(f"table[{place + 1 + axis}], " for axis in range(dimensions)) or "1, "
        array = f"numba.carray(pointer(table[{place}], np.{dtype.name}(0)), ({shape[:-1]}))"
        array = f"{array}[0]" if dimensions < 1 else array
        arguments.append(f"table[{place}]" if (dtype, dimensions) == (WHOLE, -1) else array)
        place += 1 + max(dimensions, 0)
    imports = "import numpy as np\nfrom workings.engines.kernels.vector_math import pointer\n"
    text = text.replace("import numpy as np\n", imports, 1)
    given = ",\n        ".join([*arguments, *more])
    return text + ENTRY.format(parameters=", ".join(["table", *more]), function=function, arguments=given)


# -- from source to address ----------------------------------------------------------------------


@functools.cache
def address(text: str, name: str, more: int = 0) -> int:
    """Where the machine code of a source's function begins, which takes one table, and maybe more whole numbers.

    It is compiled if it has not been before.
    """
    library = f"{module_name(text)}-{name}-{machine()}.so"
    found = next(filter(None, (begin_in(folder / library, name) for folder in folders())), None)
    if found is None and linker() is None:
        return int(compiled(text, name, more, cache=True).address)
    if found is None:
        function = compiled(text, name, more, cache=False)
        kept = Path(sys.modules[module_name(text)].__file__ or "").with_name(library)
        with contextlib.suppress(*UNLINKED):
            write_bytes(kept, linked(function.inspect_llvm(), function.native_name, name))
        found = begin_in(kept, name) or int(function.address)
    return found


def compiled(text: str, name: str, more: int, cache: bool) -> Any:
    """A function of a source, compiled by Numba."""
    import numba

    whole = numba.types.int64
    given = [numba.types.CPointer(whole), *(whole for _ in range(more))]
    with short_vectors():
        return numba.cfunc(numba.types.void(*given), cache=cache, error_model="numpy")(load(text, name))


@contextlib.contextmanager
def short_vectors() -> Iterator[None]:
    """Have what whole vectors leave over of a loop computed in short ones, where LLVM would take number by number.

    Twenty rows are two vectors of eight and then one of four: with four single rows they took twice as long.
    """
    from llvmlite import binding
    from numba.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:  # LLVM's options are those of the process
        lanes = next((count for feature, count in LANES.items() if binding.get_host_cpu_features().get(feature)), 0)
        can_be_set_again = binding.llvm_version_info >= (20,)
        chosen = (lanes, lanes // 2) if lanes and can_be_set_again else ()
        for option, value in zip(SHORT_VECTORS, chosen, strict=False):
            binding.set_option("", f"-{option}={value}")
        try:
            yield
        finally:
            for option, value in SHORT_VECTORS.items() if chosen else ():
                binding.set_option("", f"-{option}={value}")


LIBRARIES: list[ctypes.CDLL] = []  # that are open; they stay so


def begin_in(path: Path, name: str) -> int | None:
    """Where a function begins in a shared library, if there is such a library."""
    if not path.exists():
        return None
    try:
        LIBRARIES.append(ctypes.CDLL(str(path)))
        return ctypes.cast(getattr(LIBRARIES[-1], name), ctypes.c_void_p).value
    except (OSError, AttributeError):  # of another machine, or damaged
        return None


@functools.cache
def linker() -> str | None:
    """The C compiler that links, if there is one and it does."""
    found = next(filter(None, map(shutil.which, COMPILERS)), None) if sys.platform in SYSTEMS else None
    with contextlib.suppress(*UNLINKED):
        return found if found and library_of(found, "void nothing(void) {}") else None
    return None


@functools.cache
def machine() -> str:
    """A short name for all that machine code depends on but the source: the processor and the versions."""
    cpu = Path("/proc/cpuinfo")
    about = cpu.read_text(encoding="utf-8", errors="replace") if cpu.exists() else ""
    lines = [line for line in about.splitlines() if line.startswith(("model name", "flags", "Features"))]
    known = [platform.machine(), *lines[:2], *(importlib.metadata.version(name) for name in ("numba", "llvmlite"))]
    known += [*SHORT_VECTORS, *(os.environ.get(name, "") for name in SETTINGS)]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def linked(text: str, symbol: str, name: str) -> bytes:
    """The shared library of what Numba compiled, with its function under its own name."""
    from llvmlite import binding
    from numba import config

    module = binding.parse_assembly(text)
    module.get_function(symbol).name = name
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=config.CPU_NAME or binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES,
        opt=3, reloc="pic", codemodel="default",
    )  # fmt: skip
    stubs = "".join(f"void {function}(void) {{ __builtin_trap(); }}\n" for function in NEVER_CALLED.findall(text))
    return library_of(linker() or "", stubs, target.emit_object(module))


def library_of(compiler: str, source: str, *objects: bytes) -> bytes:
    """The shared library that a C compiler makes of a source and of machine code."""
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "source.c"), Path(folder, "library.so")
        code.write_text(source, encoding="utf-8")
        pieces = [Path(folder, f"{number}.o") for number in range(len(objects))]
        for piece, content in zip(pieces, objects, strict=True):
            piece.write_bytes(content)
        command = [compiler, str(code), *map(str, pieces), *FLAGS, "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True, timeout=LINKING)
        return library.read_bytes()
