"""Write JavaScript modules of functions of the library, which parts of the static page import."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from workings.readings.copying import CopiedCode
from workings.readings.javascript.functions import copied_lines
from workings.readings.javascript.names import Names


def functions_module(about: str, functions: Iterable[Callable[..., object]], further: str = "", *names: str) -> str:
    """Return a module that exports functions of the library, translated from their source.

    ``further`` is JavaScript code for the end of the module.  Its names in ``names`` are exported, too.

    >>> def twice(x):
    ...     return 2 * x
    >>> print(functions_module("Products.", [twice]))
    // Products. Written from the library's Python source.
    import * as np from "./arrays.js";
    <BLANKLINE>
    function twice(x) {
      return np.multiply(2, x);
    }
    <BLANKLINE>
    export { twice };
    <BLANKLINE>
    """
    copied, exported = CopiedCode(), list(names)
    for function in functions:
        copied.add(function.__name__, function)
        exported.append(function.__name__)
    lines = copied_lines(copied, Names([*copied.constants, *copied.functions]))
    head = [f"// {about} Written from the library's Python source.", 'import * as np from "./arrays.js";']
    more = [further] if further else []
    return "\n".join([*head, *lines, "", *more, f"export {{ {', '.join(exported)} }};", ""])
