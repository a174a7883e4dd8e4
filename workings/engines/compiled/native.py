"""Machine code: compiles a generated source to a C function, caches it as a shared library, and calls it.

The C function takes one table of integers.  An integer argument is one entry; any other argument is represented by its
address and its length along each dimension.  Numba compiles the function, but loading Numba's own cache takes each
process a third of a second and 100 MB.  If a C compiler is available to link it, the machine code is therefore stored
as a shared library next to its source, and later processes call that without Numba.  If linking is not possible,
Numba's cache is used.
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
from workings.support.interruption import interrupted_afterwards

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-shared", "-fPIC", "-lm")
LINKER_TIMEOUT = 60  # seconds
LINKER_ERRORS = (OSError, FileError, subprocess.SubprocessError, RuntimeError, NameError)
SYSTEMS = ("linux",)  # systems on which linking was tested
LANES = {"avx512f": 8, "avx2": 4}  # float64 numbers in a vector of processors with these features
# LLVM's options for the remainder of a vectorized loop, with their defaults: the least number of lanes of the main loop
# from which the remainder is vectorized, too, and the number of lanes of the remainder (1: chosen by LLVM).
SHORT_VECTORS = {"epilogue-vectorization-minimum-VF": 16, "epilogue-vectorization-force-VF": 1}
SETTINGS = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")  # variables that change the machine code
# Functions that Numba calls for exceptions and reference counts, neither of which occurs in the generated loops.
NEVER_CALLED = re.compile(r"^declare [^@]*@((?:numba|NRT)_\w+)\(", re.MULTILINE)
ENTRY = '''

def entry({parameters}):
    """Call the function with arguments from a table: integers, or the addresses and shapes of arrays."""
    {function}(
        {arguments},
    )
'''
Argument = int | float | Array
ArgumentType = tuple[np.dtype[Any], int]  # the type of the numbers, and the number of dimensions; -1 for a scalar
INTEGER, REAL = np.dtype(np.int64), np.dtype(np.float64)


def is_switched_off() -> bool:
    """Whether compilation is disabled by NUMBA_DISABLE_JIT, so that Python runs the generated source."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


class Call:
    """A call of machine code with a table of arguments; it keeps the arrays alive that the table points to."""

    def __init__(self, entry: Callable[[int], None], arguments: Sequence[Argument]) -> None:
        self.entry, (self.table, self.arrays) = entry, table_of(arguments)

    def __call__(self) -> None:
        self.entry(address_of(self.table))


def machine_code(text: str, function: str) -> Callable[..., Call]:
    """Return a function that compiles a source for its arguments and returns a ``Call`` with them.

    Arguments are integers, floats and contiguous arrays.  If compilation is disabled, Python runs the function.
    """
    if is_switched_off():
        return cast(Callable[..., Call], functools.partial(functools.partial, load(text, function)))
    entries: dict[tuple[ArgumentType, ...], Callable[[int], None]] = {}

    def prepare(*arguments: Argument) -> Call:
        types = tuple(map(type_of, arguments))
        if types not in entries:
            entries[types] = FUNCTION(address(with_entry(text, function, types), "entry"))
        return Call(entries[types], arguments)

    return prepare


def address_with_integers(text: str, function: str, arguments: Sequence[Argument], integers: tuple[str, ...]) -> int:
    """Return the address of a compiled function that takes a table of such arguments, and further integers."""
    return address(with_entry(text, function, tuple(map(type_of, arguments)), integers), "entry", len(integers))


def type_of(argument: Argument) -> ArgumentType:
    """Return the type of an argument."""
    if isinstance(argument, np.ndarray):
        return argument.dtype, argument.ndim
    return (REAL if isinstance(argument, float) else INTEGER), -1


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


def with_entry(text: str, function: str, types: Sequence[ArgumentType], integers: tuple[str, ...] = ()) -> str:
    """Append a function to a source that takes its arguments from a table, and further integers."""
    position, arguments = 0, []
    for dtype, dimensions in types:
        shape = "".join(f"table[{position + 1 + axis}], " for axis in range(dimensions)) or "1, "
        array = f"numba.carray(pointer(table[{position}], np.{dtype.name}(0)), ({shape[:-1]}))"
        array = f"{array}[0]" if dimensions < 1 else array
        arguments.append(f"table[{position}]" if (dtype, dimensions) == (INTEGER, -1) else array)
        position += 1 + max(dimensions, 0)
    imports = "import numpy as np\nfrom workings.engines.kernels.vector_math import pointer\n"
    text = text.replace("import numpy as np\n", imports, 1)
    lines = ",\n        ".join([*arguments, *integers])
    return text + ENTRY.format(parameters=", ".join(["table", *integers]), function=function, arguments=lines)


# -- from source to address ----------------------------------------------------------------------


@functools.cache
def address(text: str, name: str, integers: int = 0) -> int:
    """Return the address of a source's compiled function, which takes a table and a number of further integers.

    It is compiled if it is not in the cache.
    """
    library = f"{module_name(text)}-{name}-{machine()}.so"
    cached = next(filter(None, (address_in(folder / library, name) for folder in folders())), None)
    if cached is not None:
        return cached
    if linker() is None:
        return int(compile_function(text, name, integers, cache=True).address)
    function = compile_function(text, name, integers, cache=False)
    path = Path(sys.modules[module_name(text)].__file__ or "").with_name(library)
    with contextlib.suppress(*LINKER_ERRORS):
        write_bytes(path, linked(function.inspect_llvm(), function.native_name, name))
    return address_in(path, name) or int(function.address)


def compile_function(text: str, name: str, integers: int, cache: bool) -> Any:
    """Compile a function of a source with Numba."""
    with interrupted_afterwards():
        import numba

        python_function = load(text, name)
    integer = numba.types.int64
    types = [numba.types.CPointer(integer), *(integer for _ in range(integers))]
    with vectorized_remainders():
        return numba.cfunc(numba.types.void(*types), cache=cache, error_model="numpy")(python_function)


@contextlib.contextmanager
def vectorized_remainders() -> Iterator[None]:
    """Make LLVM compute the remainder of a vectorized loop in shorter vectors, not number by number.

    Twenty rows are two vectors of eight and one of four; with four single rows instead, they took twice as long.
    """
    from llvmlite import binding
    from numba.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:  # LLVM's options belong to the whole process
        lanes = next((count for feature, count in LANES.items() if binding.get_host_cpu_features().get(feature)), 0)
        can_be_set_again = binding.llvm_version_info >= (20,)
        values = (lanes, lanes // 2) if lanes and can_be_set_again else ()
        for option, value in zip(SHORT_VECTORS, values, strict=False):
            binding.set_option("", f"-{option}={value}")
        try:
            yield
        finally:
            for option, value in SHORT_VECTORS.items() if values else ():
                binding.set_option("", f"-{option}={value}")


LIBRARIES: list[ctypes.CDLL] = []  # open shared libraries, which are never closed


def address_in(path: Path, name: str) -> int | None:
    """Return the address of a function in a shared library; None if the library does not exist or cannot be used."""
    if not path.exists():
        return None
    try:
        LIBRARIES.append(ctypes.CDLL(str(path)))
        return ctypes.cast(getattr(LIBRARIES[-1], name), ctypes.c_void_p).value
    except (OSError, AttributeError):  # from another machine, or damaged
        return None


@functools.cache
def linker() -> str | None:
    """Return the C compiler for linking, if there is one that works."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None) if sys.platform in SYSTEMS else None
    with contextlib.suppress(*LINKER_ERRORS):
        return compiler if compiler and shared_library(compiler, "void nothing(void) {}") else None
    return None


@functools.cache
def machine() -> str:
    """Return a hash of everything besides the source that changes the machine code: processor, versions, settings."""
    cpu = Path("/proc/cpuinfo")
    info = cpu.read_text(encoding="utf-8", errors="replace") if cpu.exists() else ""
    lines = [line for line in info.splitlines() if line.startswith(("model name", "flags", "Features"))]
    parts = [platform.machine(), *lines[:2], *(importlib.metadata.version(name) for name in ("numba", "llvmlite"))]
    parts += [*SHORT_VECTORS, *(os.environ.get(name, "") for name in SETTINGS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def linked(text: str, symbol: str, name: str) -> bytes:
    """Link a function that Numba compiled into a shared library, under a simple name."""
    from llvmlite import binding
    from numba import config

    module = binding.parse_assembly(text)
    module.get_function(symbol).name = name
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=config.CPU_NAME or binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten() if config.CPU_FEATURES is None else config.CPU_FEATURES,
        opt=3,
        reloc="pic",
        codemodel="default",
    )
    stubs = "".join(f"void {function}(void) {{ __builtin_trap(); }}\n" for function in NEVER_CALLED.findall(text))
    return shared_library(linker() or "", stubs, target.emit_object(module))


def shared_library(compiler: str, source: str, *objects: bytes) -> bytes:
    """Make a shared library of a C source and of object files."""
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "source.c"), Path(folder, "library.so")
        code.write_text(source, encoding="utf-8")
        paths = [Path(folder, f"{number}.o") for number in range(len(objects))]
        for path, content in zip(paths, objects, strict=True):
            path.write_bytes(content)
        command = [compiler, str(code), *map(str, paths), *FLAGS, "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True, timeout=LINKER_TIMEOUT)
        return library.read_bytes()
