"""MathML: equations for browsers, without scripts or special fonts.

It is the third output format of ``equations.py``, besides LaTeX and plain text.  Screen readers read MathML
as mathematics, and it prints at full resolution.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from workings.readings.equations import ATOM, GREEK, POWER, PRODUCT, Piece, PlainNotation
from workings.support.escaping import in_html

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
SIGNS = {"sum": "∑", "max": "max", "mean": "mean", "var": "var"}


def tag(name: str, *inner: str, **attributes: str) -> str:
    """Return an XML element.

    >>> tag("mfrac", tag("mn", "1"), tag("mi", "n"))
    '<mfrac><mn>1</mn><mi>n</mi></mfrac>'
    """
    given = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(inner)}</{name}>"


def row(*inner: str) -> str:
    """Group several parts in an ``<mrow>``."""
    return tag("mrow", *inner)


def fence(text: str, *, tall: bool = True) -> str:
    """Return a bracket or bar, stretched to its content if ``tall``."""
    return tag("mo", text, **({} if tall else {"stretchy": "false"}))


def block(content: str) -> str:
    """Return a displayed equation."""
    return tag("math", content, xmlns=NAMESPACE, display="block")


class MathmlNotation(PlainNotation):
    """Writes equations as MathML; with ``places``, each number of an entry has the name of the entry."""

    times = dot = '<mspace width="0.2em"></mspace>'
    entrywise, between_numbers = tag("mo", "⊙"), tag("mo", "·")
    plus, minus, equals, becomes = (tag("mo", sign) for sign in "+−=←")
    negative = tag("mo", "−", form="prefix")

    def __init__(self, digits: int | None = None, *, places: bool = False) -> None:
        super().__init__(digits)
        self.has_places = places

    def placed(self, piece: Piece, place: str) -> Piece:
        if not self.has_places or not place:
            return piece
        return Piece(tag("mrow", piece.text, **{"data-entry": in_html(place)}), piece.precedence, piece.is_scalar)

    def plain_text(self, text: str) -> str:
        # Fractions, roots and tables are visually separate from what precedes them.
        before = re.split("<mfrac>|<msqrt>|<mtable", text)[0]
        return re.sub(r"<[^>]*>", "", before)

    def ends_with_number(self, text: str) -> bool:
        return text.removesuffix("</mrow>").endswith("</mn>")

    def symbol(self, letters: str, number: str, hat: bool, of_layer: bool) -> str:
        base = tag("mi", in_html(GREEK.get(letters, letters)))
        base = tag("mover", base, tag("mo", "^", stretchy="false"), accent="true") if hat else base
        return tag("msub", base, tag("mn", number)) if number else base

    def with_label(self, symbol: str, mark: str) -> str:
        word = tag("mtext", in_html(mark))
        found = re.fullmatch(r"<msub>(.*)(<mn>\d+</mn>)</msub>", symbol)
        if found:
            return tag("msub", found[1], row(found[2], tag("mo", ",", separator="true"), word))
        return tag("msub", symbol, word)

    def number(self, value: float) -> Piece:
        plain = super().number(value)
        digits, _, exponent = plain.text.partition("e")
        sign = self.negative if digits.startswith("-") else ""
        text = sign + tag("mn", digits.removeprefix("-"))
        if exponent:
            power = tag("msup", tag("mn", "10"), row(self.number(int(exponent)).text))
            text = sign + power if digits.removeprefix("-") == "1" else text + self.between_numbers + power
        return Piece(text, PRODUCT if sign or exponent else ATOM, True)

    def entry(self, symbol: str, index: str) -> str:
        comma = tag("mo", ",", separator="true")
        places = comma.join(tag("mn", place) for place in index.split(","))
        return row(symbol, fence("[", tall=False), places, fence("]", tall=False))

    def omission(self, words: str, worth: float | None) -> Piece:
        label = tag("mtext", words + ("" if worth is None else ":\u00a0"))
        number = "" if worth is None else self.number(worth).text
        return Piece(row(fence("[", tall=False), label, number, fence("]", tall=False)), ATOM, True)

    def gradient(self, of: str) -> str:
        return tag("mfrac", row(tag("mi", "∂"), tag("mi", "J")), row(tag("mi", "∂"), of))

    def derivative(self, of: str, by: str) -> str:
        return tag("mfrac", row(tag("mi", "∂"), of), row(tag("mi", "∂"), by))

    def state(self, symbol: str, to: str) -> str:
        return tag("msub", symbol, row(to))

    def identifier(self, text: str) -> str:
        return tag("mi", in_html(text))

    def group(self, text: str) -> str:
        return row(fence("("), text, fence(")"))

    def fraction(self, above: Piece, below: Piece) -> Piece:
        return Piece(tag("mfrac", row(above.text), row(below.text)), ATOM, above.is_scalar and below.is_scalar)

    def base(self, piece: Piece) -> str:
        """Return the base of a power, in parentheses if it has an exponent already or is a fraction."""
        has_one = piece.precedence == POWER or piece.text.startswith("<mfrac>")
        return self.group(piece.text) if has_one else self.in_parentheses(piece, ATOM)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        text = tag("msup", row(self.base(base)), row(exponent.text))
        return Piece(text, POWER, base.is_scalar and exponent.is_scalar)

    def transpose(self, piece: Piece) -> Piece:
        return Piece(tag("msup", row(self.base(piece)), tag("mo", "⊤", lspace="0", rspace="0")), POWER)

    def root(self, piece: Piece) -> Piece:
        return Piece(tag("msqrt", piece.text), ATOM, piece.is_scalar)

    def absolute(self, piece: Piece) -> Piece:
        return Piece(row(fence("|"), piece.text, fence("|")), ATOM, piece.is_scalar)

    def call(self, name: str, pieces: Iterable[Piece]) -> Piece:
        args = list(pieces)
        inside = self.group(tag("mo", ",", separator="true").join(arg.text for arg in args))
        function = tag("mi", in_html(name)) + tag("mo", "\u2061")
        return Piece(row(function, inside), ATOM, all(arg.is_scalar for arg in args))

    def indicator(self, left: Piece, sign: str, right: Piece) -> Piece:
        condition = row(left.text, tag("mo", in_html(sign)), right.text)
        return Piece(row(fence("["), condition, fence("]")), ATOM, left.is_scalar and right.is_scalar)

    def cases(self, condition: Piece, yes: Piece, no: Piece) -> Piece:
        holds = condition.text.removeprefix(f"<mrow>{fence('[')}").removesuffix(f"{fence(']')}</mrow>")
        lines = [(yes.text, tag("mtext", "if\u00a0") + holds), (no.text, tag("mtext", "else"))]
        rows = (tag("mtr", tag("mtd", row(a)), tag("mtd", row(b))) for a, b in lines)
        return Piece(row(tag("mtable", *rows, **{"class": "cases"})), ATOM)

    def reduction(self, kind: str, index: str, piece: Piece, scalar: bool) -> Piece:
        sign = tag("mo", SIGNS[kind], movablelimits="false")
        head = tag("munder", sign, tag("mi", index)) if index else sign
        return Piece(row(head, self.in_parentheses(piece, PRODUCT + 1)), PRODUCT, scalar)
