"""Names and texts in JavaScript: identifiers, numbers, strings and comments."""

from __future__ import annotations

import importlib.resources
import math
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from workings.support.escaping import in_javascript

KEYWORDS = frozenset((
    "arguments", "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default",
    "delete", "do", "else", "enum", "eval", "export", "extends", "false", "finally", "for", "function", "if",
    "implements", "import", "in", "instanceof", "interface", "let", "new", "null", "package", "private", "protected",
    "public", "return", "static", "super", "switch", "this", "throw", "true", "try", "typeof", "undefined", "var",
    "void", "while", "with", "yield", "Infinity", "NaN", "Math", "Object", "Array", "Float64Array", "np",
))  # fmt: skip


@cache
def file_text(name: str) -> str:
    """Return one of the JavaScript files of this folder."""
    return (importlib.resources.files("workings.readings.javascript") / name).read_text(encoding="utf-8")


@cache
def array_functions() -> dict[str, tuple[int, int]]:
    """Return the functions of ``arrays.js``: the least and the largest number of arguments of each.

    >>> array_functions()["maximum"], array_functions()["sum"]
    ((2, 2), (1, 2))
    """
    found = re.findall(r"^export function (\w+)\((.*)\) \{$", file_text("arrays.js"), flags=re.MULTILINE)
    return {name: arity(parameters.split(", ")) for name, parameters in found}


def arity(parameters: list[str]) -> tuple[int, int]:
    """Return the least and the largest number of arguments; ``along`` is optional, ``...`` takes any number."""
    optional = sum("=" in parameter or parameter in ("along", "stop") for parameter in parameters)
    return len(parameters) - optional, 99 if parameters[-1].startswith("...") else len(parameters)


@cache
def file_names(name: str) -> frozenset[str]:
    """Return the names that a file of this folder defines."""
    return frozenset(re.findall(r"^(?:export )?(?:function\*?|const|let) (\w+)", file_text(name), flags=re.MULTILINE))


class Names:
    """JavaScript names for the names of a program: the same ones, unless JavaScript reserves them.

    ``shared`` are those that the whole module sees; they also keep clear of the module's own names in ``taken``.

    >>> names = Names(shared=["sign"], taken=["sign"])
    >>> names["W1"], names["new"], names["sign"]
    ('W1', 'new_', 'sign_')
    """

    def __init__(self, shared: Iterable[str] = (), taken: Iterable[str] = ()) -> None:
        self.shared, self.taken = set(shared), frozenset(taken)
        self.known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self.known:
            reserved = KEYWORDS | self.taken if name in self.shared else KEYWORDS
            chosen = name
            while chosen in reserved or chosen in self.known.values():
                chosen += "_"
            self.known[name] = chosen
        return self.known[name]

    def entry(self, name: str) -> str:
        """Return the name as an entry of an object or of a destructuring pattern."""
        return name if self[name] == name else f"{name}: {self[name]}"

    def entries(self, names: Iterable[str]) -> str:
        """Return names as an object or as a destructuring pattern."""
        texts = [self.entry(name) for name in names]
        return f"{{ {', '.join(texts)} }}" if texts else "{}"


def literal(value: Any) -> str:
    """Return a Python value as a JavaScript literal.

    >>> print(literal(0.1), literal([1, float("inf")]), literal("</script>"), literal(None), literal(2**60))
    0.1 [1, Infinity] "\\u003c/script>" null 1152921504606846976n
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return in_javascript(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, int):
        return str(value) if abs(value) < 2**53 else f"{value}n"
    return number(value)


def number(value: float) -> str:
    """Return a number as a literal that reads back to the same bits.

    >>> number(1e-05), number(2.0), number(float("-inf")), number(-0.0)
    ('1e-05', '2', '-Infinity', '-0')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).removesuffix(".0")
