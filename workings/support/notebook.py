"""Show objects as their text: in Python's prompt, and in a notebook."""

from __future__ import annotations

from workings.support.escaping import in_html

STYLE = "font-family: ui-monospace, Consolas, monospace; line-height: 1.4; white-space: pre; overflow-x: auto"


def preformatted_html(text: object) -> str:
    """Return text as HTML that keeps its lines; it has the notebook's colours.

    >>> preformatted_html("a < b").endswith(">a &lt; b</pre>")
    True
    """
    return f'<pre style="{STYLE}">{in_html(text)}</pre>'


class Readable:
    """Base class of objects that Python's prompt and notebooks show as the text of ``str``.

    A dataclass needs ``repr=False``, because its own ``__repr__`` would list all fields.
    """

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The text for a notebook."""
        return preformatted_html(self)


class Text(str):
    """Text of several lines, which Python's prompt and notebooks show as it is, without quotation marks.

    >>> Text("one\\ntwo")
    one
    two
    """

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The text for a notebook."""
        return preformatted_html(self)
