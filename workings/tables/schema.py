"""Checks of the stored description of a table's columns: what ``to_dict`` did not write is refused."""

from __future__ import annotations

import sys
from typing import Any

from workings.errors import FileError, some

MOST_STORED = 100_000  # categories or classes; a model that was taken over may have more than are learned here


def damaged(what: str, expected: str, value: object) -> FileError:
    """Make the error for a stored value that cannot be what was written."""
    shown = repr(value)[:60] if isinstance(value, (str, float, bool)) else type(value).__name__
    return FileError(
        f"The stored preprocessing is damaged: {what} must be {expected}, not {shown}. Train and save again."
    )


def stored_entries(stored: object, keys: tuple[str, ...]) -> list[Any]:
    """Give the entries of a dict that must have exactly these keys."""
    if not isinstance(stored, dict):
        raise damaged("each record", "a dict", stored)
    if set(stored) != set(keys):
        raise damaged("a record's keys", some(keys), some(stored))
    return [stored[key] for key in keys]


def stored_kind(stored: object, key: str, kinds: dict[str, Any]) -> Any:
    """Look up the class that a stored record belongs to."""
    kind = stored.get(key) if isinstance(stored, dict) else stored
    if not isinstance(kind, str) or kind not in kinds:
        raise damaged(f"a record's {key!r}", f"one of {some(kinds)}", kind)
    return kinds[kind]


def stored_list(value: object, what: str) -> list[Any]:
    """Give a list that must not be empty."""
    if not isinstance(value, list) or not value:
        raise damaged(what, "a list with entries", value)
    return value


def stored_word(value: object, what: str) -> str:
    """Give text."""
    if not isinstance(value, str):
        raise damaged(what, "text", value)
    return value


def stored_text(value: object, what: str) -> str:
    """Give text that must not be blank."""
    text = stored_word(value, what)
    if not text.strip():
        raise damaged(what, "text", value)
    return text


def stored_number(value: object, what: str) -> float:
    """Give a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise damaged(what, "a finite number", value)
    return float(value)


def stored_spread(value: object, what: str) -> float:
    """Give a number above 0."""
    number = stored_number(value, what)
    if number <= 0:
        raise damaged(what, "a number above 0", number)
    return number


def stored_label(value: object) -> str | int | bool:
    """Give a class label."""
    if isinstance(value, bool) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return stored_word(value, "a class")


def stored_order(values: tuple[Any, ...], what: str) -> None:
    """Refuse labels of several types, in disorder, twice, or too many."""
    if len({type(value) for value in values}) > 1 or list(values) != sorted(set(values)):
        raise damaged(what, "different, in sorted order and of one type", "a list that is not")
    if len(values) > MOST_STORED:
        raise damaged(what, f"at most {MOST_STORED}", f"a list of {len(values)}")
