"""Format pieces of code for a script in the style of code formatters."""

from __future__ import annotations

import textwrap

from workings.support.arrays import Array

WIDTH = 88  # columns, the default of code formatters
INDENT = "    "


def with_fmt_skip(line: str) -> str:
    """Return a line with ``fmt: skip`` if it is too long, so that formatters do not change it."""
    is_long = len(line) > WIDTH and not line.lstrip().startswith(("#", '"""', "def ", "for ", "if "))
    return f"{line}  # fmt: skip" if is_long else line


def string_literal(text: str) -> str:
    """Return text as a string literal, with the double quotes that formatters use.

    >>> print(string_literal("red"), string_literal('a "b"'))
    "red" 'a "b"'
    """
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain.startswith("'") and '"' not in text else plain


def names_tuple(names: tuple[str, ...]) -> str:
    """Return names as the code of a tuple.

    >>> print(names_tuple(("age", "fare")), names_tuple(("age",)), names_tuple(()))
    ("age", "fare") ("age",) ()
    """
    return f"({', '.join(map(string_literal, names))}{',' if len(names) == 1 else ''})"


def rows_of(array: Array) -> str:
    """Return an array as the code of nested lists, one row per line."""
    values = array.tolist()
    if array.ndim < 2 and array.dtype.kind not in "OU":
        return "\n    ".join(textwrap.wrap(repr(values), WIDTH - 4))
    rows = [string_literal(value) if isinstance(value, str) else repr(value) for value in values]
    whole = f"[{', '.join(rows)}]"
    return whole if array.ndim < 2 and len(whole) < WIDTH - 4 else "[\n    " + ",\n    ".join(rows) + ",\n]"


def labels_line(classes: Array) -> str:
    """Return the assignment of the class labels as code.

    >>> import numpy as np
    >>> print(labels_line(np.array(["a", 'say "b"'])))
    classes = np.array(["a", 'say "b"'])
    """
    labels = [string_literal(label) if isinstance(label, str) else repr(label) for label in classes.tolist()]
    return f"classes = np.array([{', '.join(labels)}]{unsigned(classes)})"


def unsigned(array: Array) -> str:
    """Return the dtype argument that unsigned numbers need, because NumPy guesses float64 for those from 2**63."""
    return f", dtype=np.{array.dtype.name}" if array.dtype.kind == "u" else ""
