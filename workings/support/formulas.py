"""Parse the source of a Python function as mathematical formulas.

A formula is straight-line code: assignments to names and one ``return``.  ``read_formula`` parses a
function's source into these lines, with the words of its comments and docstring; ``program/writer.py`` writes
them into the program of a network under the network's names.  A function without available source, or with
loops or branches, is not a formula; the program calls it by its name.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import io
import linecache
import textwrap
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Assignment:
    """One line of a formula: ``name = expression``, and the comment above it."""

    name: str
    expression: ast.expr
    words: str


@dataclass(frozen=True)
class Formula:
    """A parsed function: its arguments (letters), its lines, its results, and its words."""

    letters: tuple[str, ...]
    lines: tuple[Assignment, ...]
    results: tuple[ast.expr, ...]
    words: str


# Expressions with local names or a branch: a function that contains one is called by name, not inlined.
OWN_NAMES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.IfExp)


@functools.lru_cache(maxsize=1024)
def read_formula(function: Callable[..., object]) -> Formula | None:
    """Parse a plain function; return None if it is not straight-line code or has no source.

    >>> def line(x, W, b):
    ...     '''is a weighted sum'''
    ...     z = x @ W + b
    ...     return z
    >>> formula = read_formula(line)
    >>> formula.letters, [(a.name, ast.unparse(a.expression)) for a in formula.lines], formula.words
    (('x', 'W', 'b'), [('z', 'x @ W + b')], 'is a weighted sum')
    """
    found = source_and_tree(function)
    if found is None:
        return None
    source, node = found
    if not isinstance(node, ast.FunctionDef) or node.decorator_list or only_positional(node.args) is None:
        return None
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        return None
    if any(isinstance(inner, OWN_NAMES) for inner in ast.walk(node)):
        return None
    comments = comments_by_line(source)
    lines = []
    for statement in body[:-1]:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return None
        target = statement.targets[0]
        if not isinstance(target, ast.Name):
            return None
        lines.append(Assignment(target.id, statement.value, words_above(comments, statement.lineno)))
    value = body[-1].value
    results = tuple(value.elts) if isinstance(value, ast.Tuple) else (value,)
    words = (ast.get_docstring(node) or "").split("\n")[0]
    return Formula(tuple(a.arg for a in node.args.args), tuple(lines), results, words)


def function_tree(function: Callable[..., object]) -> ast.FunctionDef | None:
    """Return the source of a function as syntax; None if there is no source, or it is not a ``def``."""
    found = source_and_tree(function)
    return found[1] if found is not None and isinstance(found[1], ast.FunctionDef) else None


def source_and_tree(function: Callable[..., object]) -> tuple[str, ast.stmt] | None:
    """Return the source of a function, as text without indentation and as syntax; None if there is no source.

    The lines that the function's code records are enough for most functions.  ``inspect``, which searches all modules
    and reads every word, takes ten times as long.
    """
    for find in (lines_of_code, inspect.getsource):
        try:
            source = textwrap.dedent(find(function))
            return source, ast.parse(source).body[0]
        except (OSError, TypeError, SyntaxError, IndexError):
            continue
    return None


def lines_of_code(function: Callable[..., object]) -> str:
    """Return the lines of a plain function, up to the last one that has code; this may cut off closing brackets.

    Raises
    ------
    TypeError
        If it is not a plain function.
    """
    if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        raise TypeError(f"{function!r} has no lines of code of its own")
    code = function.__code__
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    last = max(line for _, _, line in code.co_lines() if line is not None)
    return "".join(lines[code.co_firstlineno - 1 : last])


def only_positional(arguments: ast.arguments) -> ast.arguments | None:
    """Return the arguments if all are positional, without defaults or stars; else None."""
    extras = (arguments.vararg, arguments.kwarg, *arguments.kwonlyargs, *arguments.defaults)
    return None if any(extras) else arguments


def letters_of(function: Callable[..., object], known: Iterable[str]) -> tuple[str, ...]:
    """Return the letters that a function takes: its positional arguments without defaults.

    A function of one argument with an unknown name, such as ``np.sin``, is a function of ``z``.

    >>> import numpy as np
    >>> letters_of(np.sin, ["z", "a"]), letters_of(lambda a: 1 - a**2, ["z", "a"])
    (('z',), ('a',))
    """
    needed = required_arguments(function)
    return ("z",) if len(needed) == 1 and needed[0] not in known and "z" in known else tuple(needed)


def required_arguments(function: Callable[..., object]) -> list[str]:
    """Return the names of a function's positional arguments without defaults."""
    if inspect.isfunction(function) and not {"__wrapped__", "__signature__"} & vars(function).keys():
        code, defaults = function.__code__, function.__defaults__ or ()
        return list(code.co_varnames[: code.co_argcount - len(defaults)])
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


def comments_by_line(source: str) -> dict[int, str]:
    """Return the comments that have a line to themselves, by line number."""
    if "#" not in source:
        return {}
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line.strip().startswith("#"):
            found[token.start[0]] = token.string.lstrip("# ").rstrip()
    return found


def words_above(comments: dict[int, str], line: int) -> str:
    """Join the comment lines directly above a line."""
    words: list[str] = []
    while (line := line - 1) in comments:
        words.insert(0, comments[line])
    return " ".join(words)


def meaning_of(function: object, name: str) -> object:
    """Return the value that a free name in a function refers to (closure, global or builtin); None if nothing."""
    if not inspect.isfunction(function):
        return None
    closed = inspect.getclosurevars(function)
    for place in (closed.nonlocals, closed.globals, function.__globals__, vars(builtins)):
        if name in place:
            return place[name]
    return None
