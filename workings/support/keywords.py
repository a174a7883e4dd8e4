"""Errors for unknown keyword arguments, which name the parameter that is meant.

``CheckedKeywords`` is a base of layers, losses, optimizers, schedules, callbacks and networks;
``checked_keywords`` decorates functions.  Signatures stay as they are written.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, ParamSpec, Self, TypeVar

from workings.errors import KeywordError, nearest
from workings.support.synonyms import ADVICE, PARAMETERS

P = ParamSpec("P")
T = TypeVar("T")


class CheckedKeywords:
    """A base of classes whose errors for unknown keyword arguments name the parameter that is meant.

    >>> class Circle(CheckedKeywords):
    ...     def __init__(self, epochs):
    ...         self.epochs = epochs
    >>> Circle(n_epochs=3)
    Traceback (most recent call last):
        ...
    workings.errors.KeywordError: Circle has no parameter 'n_epochs'. Did you mean 'epochs'? It has: epochs.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        if cls.__init__ is object.__init__:
            if args:
                raise TypeError(f"{cls.__name__}() takes no arguments")
            check_keywords(cls.__name__, kwargs, {})
        elif kwargs:
            check_keywords(cls.__name__, kwargs, parameters_of(cls.__init__))
        return super().__new__(cls)


def checked_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that its error for an unknown keyword argument names the parameter that is meant."""
    parameters = parameters_of(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        check_keywords(function.__name__, kwargs, parameters)
        return function(*args, **kwargs)

    return checked


@functools.lru_cache(maxsize=256)
def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name, without ``self``."""
    return {name: p for name, p in inspect.signature(function).parameters.items() if name != "self"}


def check_keywords(owner: str, given: Collection[str], parameters: dict[str, inspect.Parameter]) -> None:
    """Raise an error for the first given keyword that is not a parameter.

    Raises
    ------
    KeywordError
        The message names the parameter or the code that is meant, and all parameters.
    """
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = [name for name, parameter in parameters.items() if parameter.kind in by_name]
    if all(name in known for name in given):
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = next(name for name in given if name not in known)
    has = f" It has: {', '.join(known)}." if known else ""
    raise KeywordError(f"{owner} has no parameter {unknown!r}.{suggestion(owner, unknown, known)}{has}")


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
