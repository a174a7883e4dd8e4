"""Text: small pieces of code for a script, written so that formatters leave them as they are."""

from __future__ import annotations

import textwrap

from workings.support.arrays import Array

WIDTH = 88  # columns, as formatters have it
INDENT = "    "


def fitting(line: str) -> str:
    """A line that formatters leave as it is."""
    is_long = len(line) > WIDTH and not line.lstrip().startswith(("#", '"""', "def ", "for ", "if "))
    return f"{line}  # fmt: skip" if is_long else line


def quoted(text: str) -> str:
    """Text as code, in double quotes wherever formatters want them.

    >>> print(quoted("red"), quoted('a "b"'))
    "red" 'a "b"'
    """
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain.startswith("'") and '"' not in text else plain


def names_told(names: tuple[str, ...]) -> str:
    """Names as a tuple.

    >>> print(names_told(("age", "fare")), names_told(("age",)), names_told(()))
    ("age", "fare") ("age",) ()
    """
    return f"({', '.join(map(quoted, names))}{',' if len(names) == 1 else ''})"


def rows_of(array: Array) -> str:
    """An array as nested lists, a row on each line."""
    values = array.tolist()
    if array.ndim < 2:
        return "\n    ".join(textwrap.wrap(repr(values), WIDTH - 4)).replace("'", '"')
    return "[\n    " + ",\n    ".join(map(repr, values)) + ",\n]"


def labels_line(classes: Array) -> str:
    """The labels behind the outputs as code, whatever text they are.

    >>> import numpy as np
    >>> print(labels_line(np.array(["a", 'say "b"'])))
    classes = np.array(["a", 'say "b"'])
    """
    labels = [quoted(label) if isinstance(label, str) else repr(label) for label in classes.tolist()]
    return f"classes = np.array([{', '.join(labels)}])"
