"""Objects as short code: ``Adam(lr=0.01)`` in place of a ``repr`` that lists every setting."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any


def brief(thing: object) -> str:
    """Return an object as code, without the arguments that have their default values.

    A first argument that is a number other than 0, such as a learning rate, is always shown.  An object whose ``repr``
    is not the call of its class is returned as its ``repr``.

    Examples
    --------
    >>> from workings import Adam, Chain, ClipByNorm, CrossEntropy, Dense
    >>> brief(Adam(0.01)), brief(Dense(2)), brief(CrossEntropy(label_smoothing=0.1))
    ('Adam(lr=0.01)', 'Dense(2)', 'CrossEntropy(label_smoothing=0.1)')
    >>> brief(Chain(ClipByNorm(1.0), Adam()))
    'Chain(ClipByNorm(max_norm=1.0), Adam(lr=0.001))'
    """
    text = repr(thing)
    try:
        call = ast.parse(text, mode="eval").body
        parameters = inspect.signature(type(thing)).parameters
    except (SyntaxError, ValueError, TypeError):
        return text
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != type(thing).__name__:
        return text
    return f"{type(thing).__name__}({', '.join(kept_arguments(thing, call, parameters))})"


def kept_arguments(thing: object, call: ast.Call, parameters: Any) -> Iterator[str]:
    """Yield the arguments of an object's ``repr`` that differ from the defaults."""
    left_out = False
    names = list(parameters)
    for place, node in enumerate(call.args):
        name = names[min(place, len(names) - 1)]
        if parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            yield argument(getattr(thing, name, ())[place:][:1], node)
        elif ast.unparse(node) == repr(parameters[name].default):
            left_out = True
        else:
            yield (f"{name}=" if left_out else "") + argument([getattr(thing, name, None)], node)
    for keyword in call.keywords:
        name = str(keyword.arg)
        is_default = name in parameters and ast.unparse(keyword.value) == repr(parameters[name].default)
        if not is_default or (name == names[0] and is_number(keyword.value)):
            yield f"{name}={argument([getattr(thing, name, None)], keyword.value)}"


def is_number(node: ast.expr) -> bool:
    """Return whether an argument is a number other than 0."""
    return isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value != 0


def argument(values: Any, node: ast.expr) -> str:
    """Return an argument as code; an object inside the object is short, too."""
    return brief(values[0]) if len(values) and is_dataclass(values[0]) else ast.unparse(node)
