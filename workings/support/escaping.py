"""Escape text that comes from data: names of classes, columns, categories, targets and files.

Such a text may contain what an output language takes for a command: ``$`` in a plot, ``<`` in HTML, an escape
sequence in a terminal.  There is one function per output language.  Each first makes invisible characters
visible: control characters, marks that reverse the direction of text, lone surrogates.  A backslash escape,
as in a Python string, takes their place.
"""

from __future__ import annotations

import html
import json
import unicodedata

JOINERS = "\u200c\u200d"  # they have no effect on the direction, and Persian words and emoji need them
LINES = "\n\t"
LATEX = {
    "\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}", **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "→": r"$\to$", "·": r"$\cdot$", "∂": r"$\partial$", "½": r"$\tfrac12$", "Σ": r"$\Sigma$", "²": "$^2$",
    "β": r"$\beta$", "…": r"\dots{}", "−": "$-$", "√": r"$\surd$", "<": "$<$", ">": "$>$", "|": "$|$",
}  # fmt: skip


def visible(text: object, keep: str = "") -> str:
    """Return text on one line with only visible characters; others become backslash escapes, except those in ``keep``.

    >>> print(visible("red\\x1b[31m\\n"), visible("a\\u202eb"), visible("Größe 大"))
    red\\x1b[31m\\n a\\u202eb Größe 大
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(c if c in keep or is_visible(c) else c.encode("unicode_escape").decode() for c in words)


def is_visible(character: str) -> bool:
    """Whether a character is a visible one, a space, or needed inside words."""
    kind = unicodedata.category(character)
    return kind not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn") or character in JOINERS


def visible_lines(text: object) -> str:
    """Return text of several lines with only visible characters, line breaks and tabs.

    >>> visible_lines("one\\ntwo\\r")
    'one\\ntwo\\\\r'
    """
    return visible(text, keep=LINES)


def in_plot(text: object, keep: str = "") -> str:
    """Return text for Matplotlib, which draws text between two dollar signs as mathematics.

    >>> print(in_plot("$50k-$100k"))
    \\$50k-\\$100k
    """
    return visible(text, keep).replace("$", r"\$")


def in_html(text: object) -> str:
    """Return text for HTML and SVG, inside an element or a quoted attribute.

    >>> in_html('<b title="1">')
    '&lt;b title=&quot;1&quot;&gt;'
    """
    return html.escape(visible_lines(text))


def in_latex(text: object) -> str:
    """Return text for LaTeX.

    >>> print(in_latex("50 % of b_1 → c"))
    50 \\% of b\\_1 $\\to$ c
    """
    return "".join(LATEX.get(letter, letter) for letter in visible(text))


def in_comment(text: object) -> str:
    """Return text for a comment in Python or C, on one line; it cannot end a C comment or begin another.

    >>> print(in_comment("a */ b\\n"))
    a * / b\\n
    """
    words = visible(text)
    for pair in ("*/", "/*", "??", "??"):  # a trigraph begins with two question marks
        words = words.replace(pair, " ".join(pair))
    return words.removesuffix("\\") + "\\ " if words.endswith("\\") else words  # it would continue the line


def in_javascript(text: object) -> str:
    """Return text as a string literal of JavaScript, which may stand inside a ``<script>`` of an HTML page.

    >>> print(in_javascript('say "</script>" \u2028'))
    "say \\"\\u003c/script>\\" \\u2028"
    """
    return json.dumps(str(text)).replace("<", r"\u003c")


def in_javascript_comment(text: object) -> str:
    """Return text for a comment of JavaScript, on one line; it ends no comment and no ``<script>`` of an HTML page.

    >>> print(in_javascript_comment("a */ </script> <!-- b"))
    a * / < /script> < !-- b
    """
    return in_comment(text).replace("</", "< /").replace("<!", "< !").replace("<script", "< script")
