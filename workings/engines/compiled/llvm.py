"""LLVM: turns the text of a module into machine code for this processor, and loads machine code into the process.

``WORKINGS_CPU_FEATURES`` changes the processor's features: with ``-avx512f``, a processor with AVX-512 gets the same
machine code as one without it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workings.support.interruption import interrupted_afterwards

LANES = {64: 8, 32: 4}  # float64 numbers in a vector of so many bytes
# LLVM's options for the remainder of a vectorized loop, with their defaults: the least number of lanes of the main loop
# from which the remainder is vectorized, too, and the number of lanes of the remainder (1: chosen by LLVM).
SHORT_VECTORS = {"epilogue-vectorization-minimum-VF": 16, "epilogue-vectorization-force-VF": 1}
# LLVM's pass that computes the addresses of a loop from each other.  In a tile of a matrix product, that is a chain of
# additions that takes longer than the products.  Other loops are as fast without it, and compile in a fifth less time.
OWN_ADDRESSES = {"disable-lsr": True}
LEVEL = 3  # of LLVM's optimization of loops
EDITION = "3"  # to be changed whenever this file makes other machine code of the same text
LIBRARIES: list[object] = []  # what was loaded lives as long as the process


@functools.cache
def binding() -> Any:
    """Return llvmlite's binding, initialized for this processor."""
    with interrupted_afterwards():  # a module whose import is broken off cannot be imported again
        import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@functools.cache
def features() -> str:
    """Return the processor's features under LLVM's names, changed as the environment says."""
    changed = os.environ.get("WORKINGS_CPU_FEATURES", "")
    return ",".join(filter(None, [binding().get_host_cpu_features().flatten(), changed]))


def has_feature(name: str) -> bool:
    """Whether the processor has a feature; the last mention counts."""
    mentions = [feature for feature in features().split(",") if feature[1:] == name]
    return bool(mentions) and mentions[-1][0] == "+"


@functools.cache
def vector_bytes() -> int:
    """Return the size in bytes of the processor's widest vectors of floats."""
    return next((size for size, name in ((64, "avx512f"), (32, "avx")) if has_feature(name)), 16)


def target_machine() -> Any:
    """Return LLVM's description of this processor."""
    llvm = binding()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features(), opt=LEVEL, reloc="pic", codemodel="default", jit=True
    )


@functools.cache
def header() -> str:
    """Return the first lines of a module: the name of the target, and how it lays out data."""
    target = target_machine()
    return f'target triple = "{target.triple}"\ntarget datalayout = "{target.target_data}"'


@functools.cache
def fingerprint() -> str:
    """Return everything besides a module's text that its machine code depends on: processor, versions, settings."""
    versions = [str(binding().llvm_version_info), importlib.metadata.version("llvmlite"), platform.python_version()]
    return "\n".join(
        [header(), binding().get_host_cpu_name(), features(), *versions, *SHORT_VECTORS, str(LEVEL), EDITION]
    )


def digest(*texts: str) -> str:
    """Return a hash of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def object_code(text: str, is_vectorized: bool = False) -> bytes:
    """Compile a module; return its machine code as an object file.

    With ``is_vectorized``, its loops consist of vector instructions already, and LLVM does not optimize them again.
    """
    llvm, target = binding(), target_machine()
    module = llvm.parse_assembly(text)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=0 if is_vectorized else LEVEL)
    tuning.loop_vectorization, tuning.slp_vectorization = True, False
    builder = llvm.create_pass_builder(target, tuning)
    manager = builder.getModulePassManager()
    if is_vectorized:
        manager.add_sroa_pass()
        manager.add_instruction_combine_pass()
    with options(OWN_ADDRESSES, dict.fromkeys(OWN_ADDRESSES, False)):
        with vectorized_remainders():
            manager.run(module, builder)
        code: bytes = target.emit_object(module)
    return code


def vectorized_remainders() -> contextlib.AbstractContextManager[None]:
    """Make LLVM compute the remainder of a vectorized loop in shorter vectors, not number by number.

    Twenty rows are two vectors of eight and one of four; with four single rows instead, they took twice as long.
    """
    lanes = LANES.get(vector_bytes(), 0)
    values = zip(SHORT_VECTORS, (lanes, lanes // 2), strict=True) if lanes else ()
    return options(dict(values), SHORT_VECTORS)


@contextlib.contextmanager
def options(values: Mapping[str, int], defaults: Mapping[str, int]) -> Iterator[None]:
    """Set options of LLVM for a while; they belong to the whole process, so the caller holds a lock."""
    for option, value in values.items():
        binding().set_option("", f"-{option}={value:d}")
    try:
        yield
    finally:
        for option in values:
            binding().set_option("", f"-{option}={defaults[option]:d}")


@functools.cache
def linker() -> Any:
    """Return LLVM's linker for this process.

    It loads the sections of an object file into one piece of memory.  LLVM's older one (MCJIT) puts each where there is
    room, and aborts the process if two of them are more than 2 GB apart.
    """
    return binding().create_lljit_compiler(target_machine(), use_jit_link=True)


def loaded(code: bytes, names: Sequence[str]) -> tuple[int, ...]:
    """Load an object file; return the addresses of its functions."""
    library = binding().JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in names:
        library.export_symbol(name)
    tracker = library.link(linker(), f"library {len(LIBRARIES)}")
    LIBRARIES.append(tracker)
    return tuple(tracker[name] for name in names)
