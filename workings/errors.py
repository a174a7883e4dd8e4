"""Exceptions of Workings, and helpers for their messages.

Every message says what was received, what was expected and what to change.  All exceptions that
the library raises on purpose derive from ``WorkingsError``.  Each also derives from the built-in
exception that a Python programmer expects (``ValueError``, ``OSError`` …).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkingsError(Exception):
    """Base class of all exceptions that this library raises on purpose."""


class InputError(WorkingsError, ValueError):
    """Invalid data or settings; the message says what to change."""


class MissingExtraError(WorkingsError, ImportError):
    """Missing optional package; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs {package}, which is not installed. Install it with: pip install 'workings[{extra}]'"
        )


class FileError(WorkingsError, OSError):
    """File that is missing, damaged, of another format, or cannot be written."""


class ProgramError(WorkingsError, TypeError):
    """Invalid formula in a program; the message lists the names that the formula may use."""


class NotCompilableError(ProgramError):
    """Program that an engine cannot compile; the message names the statement and the reason."""


class DivergenceError(WorkingsError, ArithmeticError):
    """Training diverged: a value became infinite or NaN.

    Attributes
    ----------
    name : str
        Name of the first variable of the program that was not finite.
    step : int
        The step (counted from 1) in which, or after which, it appeared; 0 if it was there before the first step.
    history : History or None
        The metrics recorded until then.
    """

    def __init__(self, message: str, *, name: str, step: int, history: object = None) -> None:
        super().__init__(message)
        self.name = name
        self.step = step
        self.history = history


class WorkingsWarning(UserWarning):
    """Warning about input that is valid but usually a mistake."""


def counted(number: int, thing: str) -> str:
    """Format a count with its noun, in the plural if needed.

    >>> counted(1, "row"), counted(20_000, "step")
    ('1 row', '20,000 steps')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def some(names: Iterable[object], most: int = 10) -> str:
    """Format the first few names, and the number of the remaining ones.

    >>> some("abcd", most=3)
    'a, b, c and 1 more'
    """
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error message, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Return the error for a name that is not in a registry; it suggests the most similar known name.

    >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
    Unknown activation 'rellu'. Did you mean 'relu'? Known: relu, tanh.
    """
    names = list(known)
    return InputError(f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {', '.join(names)}.")


def nearest(name: object, known: Iterable[str]) -> str:
    """Suggest the most similar known name as a question for an error message; empty if no name is similar.

    >>> nearest("rellu", ["relu", "tanh"])
    " Did you mean 'relu'?"
    """
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
