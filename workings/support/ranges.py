"""Allowed ranges of numeric settings, declared next to the dataclass field.

A dataclass declares a range as ``field(default=0.9, metadata=number(at_least=0, below=1))`` and calls
``check_fields(self)`` in ``__post_init__``.  NumPy scalars and arrays without dimensions are stored as the
equal Python values, so that they have the same ``repr`` and the same text in a program and in a file.  A
boolean is no number, and a field of type ``bool`` holds nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

import numpy as np

from workings.errors import InputError
from workings.support.arrays import describe


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range of finite numbers; ``whole`` excludes fractions, ``optional`` also allows None.

    >>> share = Range(at_least=0, below=1)
    >>> share.words, share.holds(0.5), share.holds(1)
    ('a number of at least 0 and below 1', True, False)
    """

    at_least: float = -math.inf
    above: float = -math.inf
    below: float = math.inf
    at_most: float = math.inf
    whole: bool = False
    optional: bool = False

    def holds(self, value: object) -> bool:
        """Return whether a value is in the range."""
        number = as_number(value)
        if number is None or (self.whole and not isinstance(number, int)):
            return value is None and self.optional
        return self.above < number < self.below and self.at_least <= number <= self.at_most

    @property
    def words(self) -> str:
        """The range in words, for error messages."""
        kind, bounds = "whole number" if self.whole else "number", self.bounds
        if bounds == "above 0":
            kind, bounds = f"positive {kind}", ""
        elif not bounds and not self.whole:
            kind = f"finite {kind}"
        return " ".join(filter(None, ("a", kind, bounds))) + (", or None" if self.optional else "")

    @property
    def bounds(self) -> str:
        """The bounds in words; empty if there are none."""
        low = f"of at least {self.at_least:g}" if self.at_least > -math.inf else f"above {self.above:g}"
        high = f"at most {self.at_most:g}" if self.at_most < math.inf else f"below {self.below:g}"
        return " and ".join(bound for bound in (low, high) if "inf" not in bound)

    def check(self, owner: str, name: str, value: object) -> Any:
        """Return the value as a Python number.

        Raises
        ------
        InputError
            If the value is out of range.
        """
        if not self.holds(value):
            raise InputError(f"{owner}'s {name} must be {self.words}, not {describe(value)}.")
        return as_number(value)


def number(**bounds: float) -> dict[str, Any]:
    """Return the metadata of a field that holds a number: ``at_least``, ``above``, ``below``, ``at_most``."""
    return {"range": Range(**bounds)}  # type: ignore[arg-type]


def whole_number(*, at_least: int, optional: bool = False) -> dict[str, object]:
    """Return the metadata of a field that holds a whole number."""
    return {"range": Range(at_least=at_least, whole=True, optional=optional)}


def as_number(value: object) -> int | float | None:
    """Return a finite number as Python's ``int`` or ``float``; None for anything else, booleans included.

    >>> import numpy as np
    >>> as_number(np.int64(3)), as_number(np.float32(0.5)), as_number(True), as_number("3"), as_number(math.nan)
    (3, 0.5, None, None, None)
    >>> as_number(np.array(3.0)), as_number(np.array([3.0]))
    (3.0, None)
    """
    value = as_plain(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        found = float(value)
    except OverflowError:  # a whole number beyond float64
        return None
    if not math.isfinite(found):
        return None
    return int(value) if isinstance(value, Integral) else found


def as_plain(value: Any) -> Any:
    """Return a NumPy scalar, or an array without dimensions, as the equal Python value; anything else unchanged.

    >>> import numpy as np
    >>> as_plain(np.bool_(True)), as_plain(np.array(2)), as_plain(np.str_("relu")), as_plain([1])
    (True, 2, 'relu', [1])
    """
    is_single = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    is_masked = isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value)  # NumPy would make it 0
    return value.item() if is_single and not is_masked else value


def as_whole_number(value: object) -> int | None:
    """Return a whole number as Python's ``int``; None for anything else, booleans and floats included.

    >>> import numpy as np
    >>> as_whole_number(np.uint8(3)), as_whole_number(np.array(3)), as_whole_number(3.0), as_whole_number(True)
    (3, 3, None, None)
    """
    number = as_number(value)
    return number if isinstance(number, int) else None


def check_fields(owner: Any, constants: Collection[str] = ()) -> None:
    """Check the fields of a dataclass that have a range or are switches, and store their values as Python's.

    ``constants`` names further numeric fields; without a declared range, they must be at least 0.

    Raises
    ------
    InputError
        If a value is out of range, or a field of type ``bool`` is neither True nor False; the message names the field
        and what is allowed.
    """
    kind = type(owner).__name__
    for field in fields(owner):
        allowed = field.metadata.get("range") or (Range(at_least=0) if field.name in constants else None)
        value = getattr(owner, field.name)
        plain = as_plain(value) if allowed is None else allowed.check(kind, field.name, value)
        if allowed is None and field.type in (bool, "bool"):
            plain = checked_switch(f"{kind}'s {field.name}", value)
        if plain is not value:
            object.__setattr__(owner, field.name, plain)


def checked_switch(what: str, value: object) -> bool:
    """Return a switch as Python's ``bool``; raise for anything but True and False, NumPy's included.

    >>> import numpy as np
    >>> checked_switch("Dense's bias", np.False_)
    False
    """
    plain = as_plain(value)
    if not isinstance(plain, bool):
        raise InputError(f"{what} must be True or False, not {describe(value)}.")
    return plain
