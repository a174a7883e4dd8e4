"""The consoles of the command line, and errors without a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from workings.errors import WorkingsError
from workings.support.escaping import visible, visible_lines


class PlainTyper(typer.Typer):
    """An application whose help is written in Markdown, and whose tracebacks show no values."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            add_completion=False, pretty_exceptions_show_locals=False, rich_markup_mode="markdown",
            context_settings={"help_option_names": ["-h", "--help"]}, **settings,
        )  # fmt: skip


class PlainConsole(Console):
    """Console that takes no text for a command: neither ``[red]`` nor control characters.

    All output of the command line, with the cells of tables, goes through it.  A style is an argument or a ``Text``.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Return a text as it is, with visible escapes instead of control characters."""
        return super().render_str(visible_lines(text), **{**settings, "markup": False, "emoji": False})


console = PlainConsole(stderr=True)
output = PlainConsole()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Print errors and warnings without a traceback; exit with 2 after an error, 130 after Ctrl-C.

    This holds for errors of the library and of the operating system, such as for a file name that is too long.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *rest: console.print(f"warning: {message}", highlight=False)
            yield
    except (WorkingsError, OSError, MemoryError) as error:
        if isinstance(error, BrokenPipeError):  # nobody reads the output
            raise
        console.print(Text("error:", style="bold red"), end=" ")
        own = isinstance(error, WorkingsError)
        text = str(error) if own else visible(str(error)) or "There is not enough memory."
        console.print(text, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        console.print("interrupted")
        raise typer.Exit(130) from error
