"""Functions of the language in which kernels and generated loops are written, beyond Python's own and NumPy's.

They do nothing in Python: ``compiled/builtins.py`` translates calls of them.
"""

from __future__ import annotations

import numpy as np

from workings.support.arrays import Array


def allocate(memory: Array, used: int, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Return an array in the memory of a program, after its ``used`` numbers, and how many numbers are used then."""
    raise NotImplementedError


def flat(array: Array) -> Array:
    """View an array as one-dimensional."""
    raise NotImplementedError


def shaped(array: Array, shape: tuple[int, ...]) -> Array:
    """Return the same array with its lengths under other names, so that the compiler knows which lengths are equal."""
    raise NotImplementedError


def array_at(address: int, like: float | np.int64, shape: tuple[int, ...]) -> Array:
    """Return the array at an address, with numbers of the same type as ``like``."""
    raise NotImplementedError


def address(array: Array) -> int:
    """Return the address of an array's first number."""
    raise NotImplementedError


def itemsize(array: Array) -> int:
    """Return the number of bytes of a number of an array."""
    raise NotImplementedError


def zero(array: Array) -> float:
    """Return the number 0 with the type of an array's numbers."""
    raise NotImplementedError


def stop_requested(stop_flag: Array) -> bool:
    """Whether another thread set the stop flag, an array of one number."""
    raise NotImplementedError


def add(state: Array, position: int, value: int) -> int:
    """Add to an entry of an array of integers in one step (atomically); return the old value."""
    raise NotImplementedError


def read(state: Array, position: int) -> int:
    """Read an entry that other threads change."""
    raise NotImplementedError


def write(state: Array, position: int, value: int) -> None:
    """Write an entry that other threads read."""


def pause() -> None:
    """Tell an x86 processor that this thread is waiting in a loop."""


def call_at(address: int, *arguments: float | Array) -> None:
    """Call the function at an address; arrays are passed by their address."""
