"""Format Python code: calls, lists, and lines wrapped as code formatters wrap them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 88  # columns, the default of code formatters
INDENT = "    "


def indent_lines(lines: Iterable[str]) -> list[str]:
    """Indent each line once; empty lines stay empty."""
    return [line and INDENT + line for line in lines]


def plain(value: float) -> float:
    """Remove the rounding errors in the last bits of a computed number.

    >>> plain(1e-4 * 32)
    0.0032
    """
    return float(f"{value:.15g}")


def keywords(**settings: object) -> list[str]:
    """Write keyword arguments; those that are None are left out.

    >>> keywords(lr=0.1, momentum=None)
    ['lr=0.1']
    """
    return [f"{name}={value}" for name, value in settings.items() if value is not None]


def call(function: str, *arguments: object, **settings: object) -> str:
    """Write a call; keyword arguments that are None are left out.

    >>> call("SGD", "model.parameters()", lr=0.1, momentum=None)
    'SGD(model.parameters(), lr=0.1)'
    """
    return f"{function}({', '.join([*map(str, arguments), *keywords(**settings)])})"


def listing(name: str, items: Sequence[str]) -> list[str]:
    """Write an assignment of a list, on one line or with one item on each line."""
    line = f"{name} = [{', '.join(items)}]"
    return [line] if len(line) <= WIDTH else [f"{name} = [", *(f"{INDENT}{item}," for item in items), "]"]


def wrap_call(line: str, indent: str = "") -> list[str]:
    """Wrap a call that is too long for a line: one argument on each line."""
    if len(line) + len(indent) <= WIDTH:
        return [indent + line]
    head, rest = line.split("(", 1)
    body, tail = rest.rsplit(")", 1)
    return [f"{indent}{head}(", *(f"{indent}{INDENT}{part}," for part in arguments_in(body)), f"{indent}){tail}"]


def arguments_in(text: str) -> list[str]:
    """Split a list of arguments at the commas outside of brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
