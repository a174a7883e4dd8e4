"""Exceptions of Workings, and helpers for their messages.

Every message says what was received, what was expected and what to change.  All exceptions that
the library raises on purpose derive from ``WorkingsError``.  Each also derives from the built-in
exception that a Python programmer expects (``ValueError``, ``OSError`` …).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from workings.support.escaping import visible, visible_lines
from workings.support.synonyms import NAMES

T = TypeVar("T")


class WorkingsError(Exception):
    """Base class of all exceptions that this library raises on purpose.

    A message may contain text from data: control characters become visible escapes, so that a terminal does
    not obey them.

    >>> print(InputError("The column a\\x1b[31m is missing."))
    The column a\\x1b[31m is missing.
    """

    def __str__(self) -> str:
        return visible_lines(super().__str__())


class InputError(WorkingsError, ValueError):
    """Invalid data or settings; the message says what to change."""


def all_of(problems: Sequence[InputError]) -> InputError:
    """Return the only problem, or one error that lists all of them.

    >>> print(all_of([InputError("There is no value in row 1."), InputError("Text 'x' in row 2.")]))
    2 problems:
    - There is no value in row 1.
    - Text 'x' in row 2.
    """
    if len(problems) == 1:
        return problems[0]
    return InputError("\n- ".join([f"{len(problems)} problems:", *map(str, problems)]))


class KeywordError(InputError, TypeError):
    """Wrong arguments of a call; the message names the parameter that is meant, or missing."""


class InputTypeError(InputError, TypeError):
    """Data of a type that cannot be used, where scikit-learn's rules demand a ``TypeError``."""


class MissingExtraError(WorkingsError, ImportError):
    """Missing optional package; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"This needs {package}, which is not installed. Install it in the folder of the repository: "
            f"pip install '.[{extra}]'"
        )


class FileError(WorkingsError, OSError):
    """File that is missing, damaged, of another format, or cannot be written."""


class ReportError(WorkingsError, RuntimeError):
    """Report that could not be completed; the model was written before it."""

    def __init__(self, report: object, model: object, error: BaseException) -> None:
        own = isinstance(error, WorkingsError)
        reason = visible(str(error) if own else f"{type(error).__name__}: {error}").rstrip(".")
        super().__init__(f"The report {report} is incomplete: {reason}. The model was written first: {model}")


class WorkersError(WorkingsError, RuntimeError):
    """Workers of a training failed, or were lost; the message says how to continue."""


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
        The step (counted from 1) in which, or after which, it appeared; 0 if it was there before the first
        step.
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


def count_of(number: int, thing: str) -> str:
    """Format a count with its noun, in the plural if needed.

    >>> count_of(1, "row"), count_of(20_000, "step")
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


def shortened(text: str, most: int = 40) -> str:
    """Return a text, without its end if it is long.

    >>> shortened("a note", most=10), shortened("a note on many things", most=10)
    ('a note', 'a note on…')
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error message, without its full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def unknown_name(kind: str, name: object, known: Iterable[object]) -> InputError:
    """Return the error for a name that is not in a registry; it suggests the most similar known name.

    >>> print(unknown_name("activation", "rellu", ["relu", "tanh"]))
    Unknown activation 'rellu'. Did you mean 'relu'? Known: relu, tanh.
    """
    names = list(known)
    return InputError(f"Unknown {kind} {name!r}.{nearest(name, names)} Known: {', '.join(map(str, names))}.")


def entry_named(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return the entry of a registry with this name.

    Raises
    ------
    InputError
        If there is none; the message suggests the most similar name.

    Examples
    --------
    >>> entry_named("colour", "red", {"red": "#ff0000"})
    '#ff0000'
    """
    if name not in known:
        raise unknown_name(kind, name, known)
    return known[name]


def nearest(name: object, known: Iterable[object]) -> str:
    """Suggest the most similar known name as a question for an error message; empty if no name is similar.

    >>> nearest("rellu", ["relu", "tanh"]), nearest("0", [0, 1])
    (" Did you mean 'relu'?", ' Did you mean 0?')
    """
    by_lower = {str(one).lower(): one for one in known}
    for meant in NAMES.get(str(name).lower(), ()):
        if meant.lower() in by_lower:
            return f" Did you mean {by_lower[meant.lower()]!r}?"
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=1)
    return f" Did you mean {by_lower[near[0]]!r}?" if near else ""
