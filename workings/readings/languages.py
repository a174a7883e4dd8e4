"""Languages: the programming languages in which ``net.script`` writes a network and its training."""

from __future__ import annotations

from collections.abc import Callable

from workings.errors import unknown_name

LANGUAGES = ("python", "javascript")


def script_writer(language: str) -> Callable[..., str]:
    """Return the function that writes scripts in a language.

    Raises
    ------
    InputError
        For an unknown language.

    Examples
    --------
    >>> script_writer("javascript").__name__
    'javascript'
    """
    if language == "python":
        from workings.readings.script import script

        return script
    if language == "javascript":
        from workings.readings.javascript import javascript

        return javascript
    raise unknown_name("language", language, LANGUAGES)
