"""Functions of the language in which kernels and generated loops are written, beyond Python's own and NumPy's.

They have no bodies: ``compiled/builtins.py`` translates calls of them.
"""

from __future__ import annotations

from typing import Any


def allocate(memory: Any, used: Any, shape: Any) -> Any:
    """Return an array in the memory of a program, after its ``used`` numbers, and how many numbers are used then."""


def flat(array: Any) -> Any:
    """View an array as one-dimensional."""


def shaped(array: Any, shape: Any) -> Any:
    """Return the same array with its lengths under other names, so that the compiler knows which lengths are equal."""


def array_at(address: Any, like: Any, shape: Any) -> Any:
    """Return the array at an address, with numbers of the same type as ``like``."""


def address(array: Any) -> Any:
    """Return the address of an array's first number."""


def itemsize(array: Any) -> Any:
    """Return the number of bytes of a number of an array."""


def zero(array: Any) -> Any:
    """Return the number 0 with the type of an array's numbers."""


def stop_requested(stop_flag: Any) -> Any:
    """Whether another thread set the stop flag, an array of one number."""


def add(state: Any, position: Any, value: Any) -> Any:
    """Add to an entry of an array of integers in one step (atomically); return the old value."""


def read(state: Any, position: Any) -> Any:
    """Read an entry that other threads change."""


def write(state: Any, position: Any, value: Any) -> None:
    """Write an entry that other threads read."""


def pause() -> None:
    """Tell an x86 processor that this thread is waiting in a loop."""


def call_at(address: Any, *arguments: Any) -> None:
    """Call the function at an address; arrays are passed by their address."""
