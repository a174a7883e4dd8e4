"""Arrays on a page: tables whose numbers show where they come from, images, and heat maps.

A number of a table can be selected with the mouse or the keyboard.  It then shows the statement that computed it and
the entry with its names and numbers; an input shows in words where it comes from.
"""

from __future__ import annotations

import ast
import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workings.program.program import show_shape
from workings.readings.entries import Index
from workings.readings.equations import GREEK, EquationWriter
from workings.readings.mathml import tag
from workings.readings.text_latex import extremes, number
from workings.readings.worked_step import MOST_ROWS, WorkedStatement, WorkedStep, shown_rows
from workings.support.arrays import Array
from workings.support.colours import blue_to_orange
from workings.support.escaping import in_html

MOST_COLUMNS = 12  # columns of the widest array that is shown as a table
MOST_TO_OPEN = 2_000  # entries of the largest array of which all rows can be expanded
MOST_ORIGINS = 120  # numbers of one table that show where they come from
MOST_IMAGES = 64  # images that can be expanded
WIDEST, TALLEST, CELL = 640, 320, 18  # size of a heat map, in CSS pixels
IMAGE = 112  # size of an image of pixels, in CSS pixels


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of text."""
    return tag("p", in_html(text), **({"class": kind} if kind else {}))


def scroll(content: str, label: str) -> str:
    """Return content in a container that scrolls horizontally, also by keyboard."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{in_html(label)}">{content}</div>'


def details(summary: str, content: str) -> str:
    """Return an expandable element."""
    return f"<details><summary>{in_html(summary)}</summary>{content}</details>"


@dataclass(frozen=True)
class ArrayOnPage:
    """An array of a worked step: its name, its values, and where its numbers come from.

    ``worked`` is the statement that computed it; without one, it is an input, which ``words`` describe.  ``writer``
    writes expressions as plain text.
    """

    name: str
    numbers: Array
    explanation: WorkedStep
    writer: EquationWriter
    worked: WorkedStatement | None = None
    words: str = ""

    @property
    def slopes(self) -> Array | None:
        """The finite differences of a gradient."""
        return None if self.worked is None or self.worked.slopes is None else self.worked.slopes.values

    @property
    def title(self) -> str:
        """The name and the shape."""
        return f"{self.name} {show_shape(self.numbers.shape)}"

    @property
    def has_samples(self) -> bool:
        """Whether each row belongs to a row of X."""
        return self.numbers.ndim == 2 and len(self.numbers) == self.explanation.rows and not self.is_of_parameter

    @property
    def is_of_parameter(self) -> bool:
        """Whether it is a parameter, its gradient, or a state that belongs to it."""
        return any(
            self.name in (p, f"d{p}") or self.name.endswith(f"_{p}") for p in self.explanation.program.parameters
        )

    @property
    def is_new_value(self) -> bool:
        """Whether the statement replaced an earlier value of the same name."""
        return self.worked is not None and self.name in self.explanation.program.carried

    def rows(self) -> list[int]:
        """Return the rows to show at first."""
        return shown_rows(len(self.numbers), self.explanation.row if self.has_samples else 0)

    def origin(self, index: Index) -> tuple[str, str]:
        """Return where a number comes from, as HTML, and the names of the entries that it is computed from."""
        place = ",".join(map(str, index))
        head = f"<b>{in_html(f'{self.name}[{place}] = {number(float(self.numbers[index]))}')}</b>"
        if self.worked is None or self.worked.entries is None:
            return head + in_html(self.words), ""
        statement, entries = self.worked.statement, self.worked.entries
        head += f"<code>{in_html(str(statement))}</code>"
        forms = [entries.entry(statement.expression, index, numbers=kind) for kind in (False, True)]
        shown = dict.fromkeys(self.writer.piece(form).text for form in forms if form is not None)
        lines = "".join(f"<i>= {in_html(text)}</i>" for text in shown)
        return head + lines, " ".join(names_in_entry(forms[0]))


def names_in_entry(form: ast.expr | None) -> list[str]:
    """Return the entries that a written-out entry reads, such as ``X[0,1]``."""
    parts = [] if form is None else [node for node in ast.walk(form) if isinstance(node, ast.Subscript)]
    return list(dict.fromkeys(ast.unparse(part).replace(", ", ",").replace("(", "").replace(")", "") for part in parts))


def array(shown: ArrayOnPage) -> str:
    """Return a number, a table of an array's first rows, images, or a heat map; other rows can be expanded."""
    numbers = shown.numbers
    if numbers.ndim == 0:
        symbol = f" ({GREEK[shown.name]})" if shown.name in GREEK else ""
        return f"<p><code>{in_html(shown.name)}</code>{symbol} = {number(float(numbers))}</p>"
    if pictures := images(shown):
        return pictures + expandable(shown)
    note = "; finite differences below the entries" if shown.slopes is not None else ""
    is_narrow = numbers.ndim <= 2 and numbers.shape[-1] <= MOST_COLUMNS
    if is_narrow and (numbers.ndim == 1 or len(numbers) <= MOST_ROWS):
        return table(shown, shown.title + note, range(len(numbers)))
    if is_narrow:
        places = shown.rows()
        caption = f"{shown.title}: {len(places)} of {len(numbers):,} rows; {extremes(numbers)}{note}"
        return table(shown, caption, places) + other_rows(shown, places)
    return heat_map(shown.title, numbers) + expandable(shown)


def other_rows(shown: ArrayOnPage, places: Sequence[int]) -> str:
    """Return an expandable table of the rows that are not shown at first."""
    numbers = shown.numbers
    left = [place for place in range(len(numbers)) if place not in set(places)]
    if not left:
        return ""
    if numbers.size > MOST_TO_OPEN:
        words = f"The other {len(left):,} rows of {shown.name} are too many for this page"
        return paragraph(f"{words}: explain fewer rows, or choose one with row=….", "note")
    rows = "row" if len(left) == 1 else "rows"
    return details(
        f"the other {len(left):,} {rows} of {shown.name}", table(shown, f"{shown.title}: the other rows", left)
    )


def expandable(shown: ArrayOnPage) -> str:
    """Return expandable tables of the first rows of a wide array, and of the others."""
    numbers = shown.numbers
    if numbers.ndim != 2:
        return details(f"all {numbers.size:,} entries of {shown.name}", table(shown, shown.name, range(len(numbers))))
    chosen = min(shown.explanation.row, len(numbers) - 1) if shown.has_samples else 0
    text = details(f"row {chosen} of {shown.name}", table(shown, f"{shown.name}, row {chosen}", [chosen]))
    return text + (other_rows(shown, [chosen]) if len(numbers) > 1 else "")


def table(shown: ArrayOnPage, caption: str, places: Sequence[int]) -> str:
    """Return a table of some rows, with indices; a one-dimensional array is one row."""
    cells = np.atleast_2d(shown.numbers)
    is_line = shown.numbers.ndim == 1
    rows = [0] if is_line else places
    slopes = np.full(cells.shape, np.nan) if shown.slopes is None else np.atleast_2d(shown.slopes)
    has_origins = len(rows) * cells.shape[1] <= MOST_ORIGINS
    head = "".join(f'<th scope="col">{column}</th>' for column in range(cells.shape[1]))
    lines = []
    for place in rows:
        inner = ""
        for column in range(cells.shape[1]):
            index = (column,) if is_line else (place, column)
            inner += cell(shown, index, float(cells[place, column]), float(slopes[place, column]), has_origins)
        lines.append(f'<tr><th scope="row">{"entry" if is_line else place}</th>{inner}</tr>')
    whole = (
        f"<table><caption><span>{in_html(caption)}</span></caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return scroll(whole, caption)


def cell(shown: ArrayOnPage, index: Index, entry: float, slope: float, has_origin: bool) -> str:
    """Return a table cell: a number, the finite difference below it if there is one, and where it comes from."""
    below = f"<small>{number(slope)}</small>" if np.isfinite(slope) else ""
    if not has_origin:
        return f"<td>{number(entry)}{below}</td>"
    text, names = shown.origin(index)
    at = "" if shown.is_new_value else f' data-at="{in_html(shown.name)}[{",".join(map(str, index))}]"'
    of = f' data-from="{in_html(names)}"' if names else ""
    return f'<td tabindex="0"{at}{of}>{number(entry)}{below}<span class="from">{text}</span></td>'


# -- pictures ----------------------------------------------------------------------------------


def images(shown: ArrayOnPage) -> str:
    """Return the rows of X, or the weights of each unit of the first layer, as images; empty for other arrays."""
    shape, numbers = shown.explanation.image, shown.numbers
    if shape is None or numbers.ndim != 2:
        return ""
    pixels = shape[0] * shape[1]
    if shown.has_samples and numbers.shape[1] == pixels and shown.name.removeprefix("d").startswith("X"):
        label, pictures = "row", numbers
    elif shown.is_of_parameter and numbers.shape[0] == pixels and is_of_first_weights(shown):
        label, pictures = "unit", numbers.T
    else:
        return ""
    chosen = shown.explanation.row if label == "row" else min(shown.explanation.unit, len(pictures) - 1)
    first = shown_rows(len(pictures), chosen)
    others = [place for place in range(len(pictures)) if place not in first][:MOST_IMAGES]
    whole = gallery(shown, pictures, shape, label, first)
    more = f"{len(others)} more of {shown.name} as images"
    note = f"{shown.title}: {extremes(numbers)}. Each {label} as {shape[0]} × {shape[1]} pixels. "
    note += "Dark is high." if label == "row" and numbers.min() >= 0 else "Blue is below 0, orange above."
    return (
        whole
        + paragraph(note, "note")
        + (details(more, gallery(shown, pictures, shape, label, others)) if others else "")
    )


def is_of_first_weights(shown: ArrayOnPage) -> bool:
    """Return whether an array belongs to the first weights: they, their gradient or an optimizer's state of them."""
    return shown.name.endswith(first_weights(shown.explanation))


def first_weights(explanation: WorkedStep) -> str:
    """Return the name of the first layer's weights."""
    shapes = {name: np.shape(explanation.given[name]) for name in explanation.program.parameters}
    return next((name for name, shape in shapes.items() if len(shape) == 2), "-")


def gallery(shown: ArrayOnPage, pictures: Array, shape: Index, label: str, places: Sequence[int]) -> str:
    """Return some images with captions."""
    largest = float(np.abs(shown.numbers).max()) or 1.0
    is_grey = label == "row" and float(shown.numbers.min()) >= 0
    inner = "".join(
        f"<figure>{picture(pictures[place].reshape(shape), largest, is_grey, f'{label} {place} of {shown.name}')}"
        f"<figcaption>{label} {place}</figcaption></figure>"
        for place in places
    )
    return f'<div class="images">{inner}</div>'


def picture(pixels: Array, largest: float, is_grey: bool, words: str) -> str:
    """Return one image: grey if nothing is below 0, else blue and orange."""
    height, width = pixels.shape
    size = max(IMAGE // max(height, width), 1)
    text = f"{words} as {height} × {width} pixels: {extremes(pixels)}"
    return (
        f'<img src="{source_of(pixels, largest, is_grey)}" alt="{in_html(text)}" '
        f'width="{width * size}" height="{height * size}">'
    )


def source_of(pixels: Array, largest: float, is_grey: bool) -> str:
    """Return an image as the address of its data."""
    finite = np.nan_to_num(pixels)
    grey = np.repeat(np.linspace(255, 0, 201).round().astype(np.uint8)[:, None], 3, axis=1)
    shades = finite / largest * 200 if is_grey else finite / largest * 100 + 100
    data = png(np.round(np.clip(shades, 0, 200)).astype(np.uint8), grey if is_grey else blue_to_orange(201))
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


def heat_map(title: str, numbers: Array) -> str:
    """Return an array as an image, blue below 0 and orange above, with a text description."""
    flat = np.atleast_2d(numbers.reshape(len(numbers), -1) if numbers.ndim > 2 else numbers)
    words = f"{title}: {extremes(numbers)}"
    width = min(max(flat.shape[1] * CELL, 60), WIDEST)
    height = min(max(flat.shape[0] * CELL, 18), TALLEST)
    source = source_of(flat, float(np.abs(flat).max()) or 1.0, is_grey=False)
    return (
        f'<figure><img src="{source}" alt="Heat map of {in_html(words)}" '
        f'width="{width}" height="{height}" style="width:{width}px;height:{height}px">'
        f"<figcaption>{in_html(words)}. Blue is below 0, orange above.</figcaption></figure>"
    )


def png(shades: Array, palette: Array) -> bytes:
    """Encode an image with a colour palette as PNG (W3C PNG specification, third edition, sections 5 and 11).

    >>> png(np.zeros((1, 1), np.uint8), blue_to_orange(2))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = shades.shape
    lines = np.pad(shades, ((0, 0), (1, 0)))  # each line begins with its filter type, 0 for none
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        chunk(b"PLTE", palette.tobytes()), chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), chunk(b"IEND", b""),
    ])  # fmt: skip
