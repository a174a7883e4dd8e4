"""Validation of stored preprocessing, which may come from a damaged or manipulated file."""

from __future__ import annotations

import sys
from typing import Any

from workings.errors import FileError, some

MOST_STORED = 100_000  # categories or classes; imported models may have more than ``Preprocessing.learn`` allows


def damaged(what: str, expected: str, value: object) -> FileError:
    """Return the error for an invalid stored value."""
    shown = repr(value)[:60] if isinstance(value, (str, float, bool)) else type(value).__name__
    return FileError(
        f"The stored preprocessing is damaged: {what} must be {expected}, not {shown}. Train and save again."
    )


def stored_entries(stored: object, keys: tuple[str, ...]) -> list[object]:
    """Return the values of a dict; raise unless it has exactly these keys."""
    if not isinstance(stored, dict):
        raise damaged("each record", "a dict", stored)
    if set(stored) != set(keys):
        raise damaged("a record's keys", some(keys), some(stored))
    return [stored[key] for key in keys]


def stored_kind(stored: object, key: str, kinds: dict[str, Any]) -> Any:
    """Look up the class of a stored record."""
    kind = stored.get(key) if isinstance(stored, dict) else stored
    if not isinstance(kind, str) or kind not in kinds:
        raise damaged(f"a record's {key!r}", f"one of {some(kinds)}", kind)
    return kinds[kind]


def stored_list(value: object, what: str) -> list[Any]:
    """Return a list; raise unless it is a list with entries."""
    if not isinstance(value, list) or not value:
        raise damaged(what, "a list with entries", value)
    return value


def stored_word(value: object, what: str) -> str:
    """Return a string; raise for anything else."""
    if not isinstance(value, str):
        raise damaged(what, "text", value)
    return value


def stored_text(value: object, what: str) -> str:
    """Return a string; raise for anything else and for blank text."""
    text = stored_word(value, what)
    if not text.strip():
        raise damaged(what, "text", value)
    return text


def stored_number(value: object, what: str) -> float:
    """Return a finite number; raise for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise damaged(what, "a finite number", value)
    return float(value)


def stored_spread(value: object, what: str) -> float:
    """Return a number above 0; raise for anything else."""
    number = stored_number(value, what)
    if number <= 0:
        raise damaged(what, "a number above 0", number)
    return number


def stored_label(value: object) -> str | int | bool:
    """Return a class label; raise for anything but text, booleans and 64-bit integers."""
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return stored_word(value, "a class")


def stored_order(values: tuple[Any, ...], what: str) -> None:
    """Raise unless labels have one type, are sorted and distinct, and are not too many."""
    if len({type(value) for value in values}) > 1 or list(values) != sorted(set(values)):
        raise damaged(what, "different, in sorted order and of one type", "a list that is not")
    if len(values) > MOST_STORED:
        raise damaged(what, f"at most {MOST_STORED}", f"a list of {len(values)}")
