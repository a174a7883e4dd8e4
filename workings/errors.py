"""The errors of Workings, and the help they give.

Every message says what arrived, what was expected and what to change.  All errors that the
library raises on purpose derive from ``WorkingsError``; each also derives from the built-in
class that Python programmers would expect (``ValueError``, ``OSError`` …).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WorkingsError(Exception):
    """The base of all errors raised on purpose by this library."""


class InputError(WorkingsError, ValueError):
    """Data or a setting that cannot be used; the message says what to change."""


class MissingExtraError(WorkingsError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs {package}, which is not installed. Install it with: pip install 'workings[{extra}]'"
        )


class FileError(WorkingsError, OSError):
    """A file that cannot be read as what it claims to be, or cannot be written."""


class ProgramError(WorkingsError, TypeError):
    """A formula that does not fit the program; the message names the letters it may use."""


class NotCompilableError(ProgramError):
    """A program that an engine cannot run; the message names the statement and says why."""


class DivergenceError(WorkingsError, ArithmeticError):
    """Training produced a number that is not finite.

    Attributes
    ----------
    name : str
        The first name in the program whose value was not finite.
    step : int
        The step (counted from 1) in which, or after which, it appeared; 0 where it was there before the first.
    history : History or None
        What had been recorded until then.
    """

    def __init__(self, message: str, *, name: str, step: int, history: object = None) -> None:
        super().__init__(message)
        self.name = name
        self.step = step
        self.history = history


class WorkingsWarning(UserWarning):
    """Something that can be used, but is most often a mistake."""


def counted(number: int, thing: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(20_000, "step")
    ('1 row', '20,000 steps')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def some(names: Iterable[object], most: int = 10) -> str:
    """List a few names, and say how many more there are.

    >>> some("abcd", most=3)
    'a, b, c and 1 more'
    """
    texts = [str(name) for name in names]
    rest = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + rest


def unknown_name(kind: str, name: object, known: Iterable[str]) -> InputError:
    """Make the error for a name that is not in a registry, with the nearest one suggested.

    >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
    Unknown activation 'rellu'. Did you mean 'relu'? Known: relu, tanh.
    """
    names = list(known)
    return InputError(f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {', '.join(names)}.")


def nearest(name: object, known: Iterable[str]) -> str:
    """The name that was probably meant, as a question to be put into an error; empty where none is near.

    >>> nearest("rellu", ["relu", "tanh"])
    " Did you mean 'relu'?"
    """
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
