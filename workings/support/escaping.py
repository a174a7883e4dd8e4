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
    "…": r"\dots{}", "−": "$-$", "√": r"$\surd$", "<": "$<$", ">": "$>$", "|": "$|$", "π": r"$\pi$", "≥": r"$\ge$",
    "≤": r"$\le$", "≠": r"$\ne$", "±": r"$\pm$", "×": r"$\times$", "∞": r"$\infty$", "←": r"$\gets$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "η": r"$\eta$",
    "λ": r"$\lambda$", "μ": r"$\mu$", "ρ": r"$\rho$", "σ": r"$\sigma$", "θ": r"$\theta$",
}  # fmt: skip


LAST_ASCII = 126
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030a": "r", "\u030c": "v",
    "\u0304": "=", "\u0306": "u", "\u0307": ".", "\u030b": "H", "\u0327": "c",
}  # fmt: skip
LETTERS = {"ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}",
           "Ł": r"\L{}", "ı": r"\i{}", "§": r"\S{}", "£": r"\pounds{}", "©": r"\copyright{}",
           "°": r"\ensuremath{^\circ}", "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''"}  # fmt: skip


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


def latex_declarations(text: str) -> str:
    """Return declarations of the characters of a LaTeX document that pdfLaTeX may not know.

    Letters with accents are composed; any other character is printed as its number.  XeLaTeX and LuaLaTeX know all
    characters and skip the declarations.

    >>> print(latex_declarations("é 大"))
    \\ifdefined\\DeclareUnicodeCharacter
    \\DeclareUnicodeCharacter{00E9}{\\text{\\'{e}}}
    \\DeclareUnicodeCharacter{5927}{\\text{[U+5927]}}
    \\fi
    """
    unknown = sorted({letter for letter in text if ord(letter) > LAST_ASCII})
    lines = [rf"\DeclareUnicodeCharacter{{{ord(c):04X}}}{{\text{{{composed(c)}}}}}" for c in unknown]
    return "\n".join([r"\ifdefined\DeclareUnicodeCharacter", *lines, r"\fi"]) if lines else ""


def composed(character: str) -> str:
    """Return a letter with its accent in LaTeX, or the number of a character that has no accent."""
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in ACCENTS:
        return rf"\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return {**LATEX, **LETTERS}.get(character, f"[U+{ord(character):04X}]")


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
