"""Errors for wrong arguments of a call, which name the parameter that is meant, or missing.

``CheckedKeywords`` is a base of layers, losses, optimizers, schedules, callbacks, networks and estimators;
``checked_keywords`` decorates functions.  Signatures stay as they are written.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import ParamSpec, Self, TypeVar

from workings.errors import KeywordError, count_of, nearest
from workings.support.synonyms import ADVICE, PARAMETERS

P = ParamSpec("P")
T = TypeVar("T")
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class CheckedKeywords:
    """A base of classes whose errors for wrong arguments name the parameter that is meant, or missing.

    >>> class Circle(CheckedKeywords):
    ...     def __init__(self, epochs):
    ...         self.epochs = epochs
    >>> Circle(n_epochs=3)
    Traceback (most recent call last):
        ...
    workings.errors.KeywordError: Circle has no parameter 'n_epochs'. Did you mean 'epochs'? It has: epochs.
    >>> Circle()
    Traceback (most recent call last):
        ...
    workings.errors.KeywordError: Circle needs epochs. It has: epochs.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        if cls.__init__ is object.__init__:
            if args or kwargs:
                raise wrong_call(cls.__name__, without_parameters, args, kwargs) or TypeError(cls.__name__)
        elif not hasattr(cls.__init__, "__wrapped__"):  # dataclasses make it after the class
            cls.__init__ = checked(cls.__init__, cls.__name__)  # type: ignore[method-assign]
        return super().__new__(cls)


def without_parameters() -> None:
    """Do nothing: the signature of a class without parameters."""


def checked_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that its error for wrong arguments names the parameter that is meant, or missing."""
    return checked(function, function.__name__)


def checked(function: Callable[P, T], owner: str) -> Callable[P, T]:
    """Wrap a function; its arguments are examined only after Python refused them."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            is_from_call = error.__traceback__ is not None and error.__traceback__.tb_next is None
            wrong = wrong_call(owner, function, args, kwargs) if is_from_call else None
            if wrong is None:
                raise
        raise wrong

    return call


def wrong_call(
    owner: str, function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]
) -> KeywordError | None:
    """Return the error for arguments that a function does not take; None if it takes them.

    The message names the parameter or the code that is meant, or what is missing, and all parameters.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        pass
    else:
        return None
    parameters = [parameter for name, parameter in signature.parameters.items() if name not in ("self", "cls")]
    given = len(args) - (len(parameters) < len(signature.parameters))
    by_name = [parameter.name for parameter in parameters if parameter.kind in BY_NAME]
    by_place = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    has = f" It has: {', '.join(by_name)}." if by_name else ""
    unknown = [name for name in kwargs if name not in by_name]
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    missing = [name for name in required if name not in kwargs and name not in by_place[:given] and name in by_name]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return KeywordError(f"{owner} has no parameter {unknown[0]!r}.{suggestion(owner, unknown[0], by_name)}{has}")
    if given > len(by_place):
        most = f"at most {count_of(len(by_place), 'argument')} without a name" if by_place else "no such arguments"
        return KeywordError(f"{owner} was called with {given} arguments without a name, but takes {most}.{has}")
    if missing:
        return KeywordError(f"{owner} needs {' and '.join(missing)}.{has}")
    twice = next(name for name in kwargs if name in by_place[:given])
    return KeywordError(f"{owner} was given {twice!r} twice: by its place, and by its name.{has}")


def suggestion(owner: str, name: str, known: Collection[str]) -> str:
    """Return a suggestion for an unknown parameter as a sentence; empty if there is none.

    >>> suggestion("Dense", "n_units", ["units", "activation"])
    " Did you mean 'units'?"
    >>> suggestion("SGD", "momentum", ["lr"])
    ' Use Momentum(lr, momentum=0.9) or Nesterov(lr, momentum=0.9).'
    """
    word = name.lower()
    if (owner, word) in ADVICE:
        return f" {ADVICE[owner, word]}."
    meant = next((one for one in PARAMETERS.get(word, ()) if one in known), None)
    if meant is not None:
        return f" Did you mean {meant!r}?"
    if near := nearest(name, known):
        return near
    return f" {ADVICE['', word]}." if ("", word) in ADVICE else ""
