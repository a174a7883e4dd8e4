"""Identity: a text that says what a value is, to compare it with a value of another process.

Two values with the same text do the same; addresses never occur in it.  A function is identified by its
compiled code, its defaults, and the values that it uses.  An object is identified by its class and its state,
as ``pickle`` would store them.  Functions and classes of installed packages are identified by their names.
"""

from __future__ import annotations

import builtins
import copyreg
import dataclasses
import dis
import functools
import hashlib
import sys
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workings.errors import InputError
from workings.support.arrays import describe

PLAIN = (type(None), bool, int, float, complex, str, type(...))
DIGITS = 8  # of a checksum
PACKAGES = {"site-packages", "dist-packages"}  # folders of installed packages
# Entries of a class that are made by Python, or say nothing about what it does.
OF_EVERY_CLASS = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__slots__",
                  "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__parameters__", "__orig_bases__",
                  "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"}  # fmt: skip


def identity(value: object, known: Mapping[int, str] | None = None, *, is_strict: bool = True) -> str:
    """Return a text that says what a value is.

    Parameters
    ----------
    value : object
    known : mapping of int to str
        The texts of some objects, by ``id``.
    is_strict : bool
        Whether to raise an error for a value that cannot be identified, such as an open file; else its type
        is used.

    Raises
    ------
    InputError
        If a part of the value cannot be identified.

    Examples
    --------
    >>> from functools import partial
    >>> identity([1.5, "a"]), identity(partial(max, 3))
    ("[1.5, 'a']", 'partial(builtins.max, 3)')
    >>> halve, again, third = (lambda x: x / 2), (lambda x: x / 2), (lambda x: x / 3)
    >>> identity(halve) == identity(again), identity(halve) == identity(third)
    (True, False)
    """
    return Identification(known or {}, is_strict).text(value)


class Identification:
    """Identifies the parts of one value."""

    def __init__(self, known: Mapping[int, str], is_strict: bool) -> None:
        self.known, self.is_strict = known, is_strict
        self.seen: dict[int, tuple[object, str]] = {}  # values by id, which keeps them alive, and their texts

    def text(self, value: object) -> str:
        """Return the text of a value; a value that contains itself is numbered."""
        if isinstance(value, np.generic) and not isinstance(value, np.void):
            value = value.item()
        if type(value) in PLAIN:
            return repr(value)
        if id(value) in self.known:
            return self.known[id(value)]
        if id(value) not in self.seen:
            self.seen[id(value)] = value, f"part {len(self.seen)}"
            self.seen[id(value)] = value, self.text_of_new(value)
        return self.seen[id(value)][1]

    def text_of_new(self, value: object) -> str:
        """Return the text of a value that has not occurred yet."""
        for kind, method in KINDS.items():
            if isinstance(value, kind):
                return method(self, value)
        if dataclasses.is_dataclass(value):
            fields = [f"{f.name}={self.text(getattr(value, f.name))}" for f in dataclasses.fields(value)]
            return f"{self.text(type(value))}({', '.join(fields)})"
        if "__wrapped__" in getattr(value, "__dict__", {}) and is_installed(type(value).__module__):
            return self.wrapper(value)
        return self.object(value)

    def list(self, value: Sequence[object]) -> str:
        """Return the text of a list or tuple."""
        inner = ", ".join(map(self.text, value))
        return f"[{inner}]" if type(value) is list else f"({inner})"

    def set(self, value: Collection[object]) -> str:
        """Return the text of a set, whose order differs from process to process."""
        return f"{{{', '.join(sorted(map(self.text, value)))}}}"

    def dict(self, value: Mapping[Any, object]) -> str:
        """Return the text of a mapping."""
        return f"{{{', '.join(f'{self.text(key)}: {self.text(item)}' for key, item in value.items())}}}"

    def bytes(self, value: builtins.bytes) -> str:
        """Return the text of bytes."""
        return f"{len(value)} bytes {checksum(bytes(value))}"

    def array(self, value: NDArray[np.generic]) -> str:
        """Return the text of an array."""
        content = self.list(value.ravel().tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return f"array of shape {value.shape} and type {value.dtype} {checksum(content)}"

    def module(self, value: types.ModuleType) -> str:
        """Return the name of a module."""
        return f"module {value.__name__}"

    def partial(self, value: functools.partial[object]) -> str:
        """Return the text of a function with some of its arguments."""
        arguments = [*map(self.text, value.args), *(f"{name}={self.text(v)}" for name, v in value.keywords.items())]
        return f"partial({', '.join([self.text(value.func), *arguments])})"

    def method(self, value: types.MethodType) -> str:
        """Return the text of a method of an object."""
        return f"{self.text(value.__func__)} of {self.text(value.__self__)}"

    def builtin(self, value: types.BuiltinFunctionType) -> str:
        """Return the text of a function that is not written in Python."""
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return f"{getattr(value, '__module__', None) or 'numpy'}.{value.__name__}"
        return f"{value.__name__} of {self.text(owner)}"

    def ufunc(self, value: np.ufunc) -> str:
        """Return the name of a function of NumPy or SciPy; one of ``np.frompyfunc`` hides what it computes."""
        for module in (np, sys.modules.get("scipy.special")):
            if getattr(module, value.__name__, None) is value:
                return f"numpy.{value.__name__}"
        return self.text_of_unknown(value)

    def vectorized(self, value: np.vectorize) -> str:
        """Return the text of a function that ``np.vectorize`` made, without what it keeps between calls."""
        settings = (value.otypes, value.signature, value.excluded)
        return f"vectorize({self.text(value.pyfunc)}, {self.text(settings)})"

    def wrapper(self, value: Any) -> str:
        """Return the text of a function whose results Python keeps, or which Numba or JAX compiles."""
        options = getattr(value, "targetoptions", None)  # of Numba
        return f"{self.text(type(value))} of {self.text(value.__wrapped__)} {self.text(options)}"

    def function(self, value: types.FunctionType) -> str:
        """Return the text of a function that is written in Python."""
        name = value.__name__
        if is_installed(value.__module__) and "<" not in value.__qualname__:
            return f"{value.__module__}.{value.__qualname__}"
        code = value.__code__
        cells = dict(zip(code.co_freevars, (value.__closure__ or ()), strict=True))
        parts = [
            self.code(code),
            self.text(value.__defaults__),
            self.text(value.__kwdefaults__),
            *(f"{free}={self.cell(cell)}" for free, cell in cells.items()),
            *(
                f"{free}={self.text_of_global(value.__globals__[free], code)}"
                for free in global_names(code)
                if free in value.__globals__
            ),
        ]
        return f"function {name} {checksum(' '.join(parts).encode())}"

    def cell(self, cell: types.CellType) -> str:
        """Return the text of a variable of an outer function."""
        try:
            content = cell.cell_contents
        except ValueError:  # it has no value yet
            return "empty"
        return self.text(content)

    def text_of_global(self, value: object, code: types.CodeType) -> str:
        """Return the text of a global value; of a module that is not installed, with what the code may use of it."""
        if not isinstance(value, types.ModuleType) or is_installed(value.__name__):
            return self.text(value)
        found = {name: getattr(value, name) for name in code.co_names if hasattr(value, name)}
        return f"{self.text(value)} {self.dict(found)}"

    def code(self, code: types.CodeType) -> str:
        """Return the text of compiled code, without names of files and numbers of lines."""
        constants = [self.code(c) if isinstance(c, types.CodeType) else self.text(c) for c in code.co_consts]
        names = (code.co_names, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount], code.co_freevars)
        return f"{code.co_code.hex()} {names} {constants}"

    def kind(self, value: type) -> str:
        """Return the text of a class."""
        name = f"{value.__module__}.{value.__qualname__}"
        if is_installed(value.__module__):
            return str(value.__name__) if value.__module__.startswith("workings.") else name
        own = {key: entry for key, entry in vars(value).items() if key not in OF_EVERY_CLASS}
        parts = [*map(self.text, value.__bases__), *(f"{key}={self.entry(entry)}" for key, entry in own.items())]
        return f"{value.__name__} {checksum(' '.join(parts).encode())}"

    def entry(self, value: object) -> str:
        """Return the text of the body of a class."""
        if isinstance(value, (staticmethod, classmethod)):
            return f"{type(value).__name__} {self.text(value.__func__)}"
        if isinstance(value, property):
            return f"property {self.text(value.fget)}"
        is_slot = isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType))
        return "slot" if is_slot else self.text(value)

    def object(self, value: object) -> str:
        """Return the text of any other object, from what ``pickle`` would store."""
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            stored = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception as error:  # a class may raise anything
            return self.text_of_unknown(value, error)
        kind = self.text(type(value))
        if isinstance(stored, str):
            return f"{kind} {stored}"
        _, arguments, *rest = stored
        parts = [self.text(part if index < 1 else list(part or ())) for index, part in enumerate(rest[:3])]
        return f"{kind} {checksum(' '.join([self.text(arguments), *parts]).encode())}"

    def text_of_unknown(self, value: Any, error: Exception | None = None) -> str:
        """Return the type of a value that cannot be identified, or raise an error."""
        if self.is_strict:
            raise InputError(f"{describe(value)} cannot be compared with a value of another run.") from error
        return f"{type(value).__name__} that cannot be compared"


def checksum(content: bytes) -> str:
    """Return a short checksum with a mark before it."""
    return f"#{hashlib.sha256(content).hexdigest()[:DIGITS]}"


def global_names(code: types.CodeType) -> list[str]:
    """Return the names of the global values that code uses, with the functions in it."""
    names = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names += global_names(inner)
    return sorted(set(names))


@functools.cache
def is_installed(module: str) -> bool:
    """Whether a module belongs to Python, to this library, or to an installed package."""
    root = (module or "").partition(".")[0]
    if root == "__main__":  # a script or a notebook, whatever program runs it
        return False
    folders = Path(getattr(sys.modules.get(root), "__file__", None) or "").parts
    return root == "workings" or root in sys.stdlib_module_names or not PACKAGES.isdisjoint(folders)


KINDS: dict[type | tuple[type, ...], Callable[[Identification, Any], str]] = {
    (list, tuple): Identification.list,
    (set, frozenset): Identification.set,
    (dict, types.MappingProxyType): Identification.dict,
    (bytes, bytearray): Identification.bytes,
    np.ndarray: Identification.array,
    type: Identification.kind,
    functools.partial: Identification.partial,
    types.FunctionType: Identification.function,
    types.MethodType: Identification.method,
    types.BuiltinFunctionType: Identification.builtin,
    np.ufunc: Identification.ufunc,
    np.vectorize: Identification.vectorized,
    types.ModuleType: Identification.module,
}
