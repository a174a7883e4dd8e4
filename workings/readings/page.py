"""Pages: readings for a browser and for notebooks.

A page is one file that asks for nothing from outside.  It follows the reader's choice of a dark or a light screen,
fits a narrow one, prints, and can be read with a keyboard and by a screen reader: equations are MathML, numbers are
tables with headings, and a picture of a large array says its extremes in words.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from workings.program.program import STAGE_WORDS, show_shape
from workings.readings.equations import GREEK, Teller
from workings.readings.influence import Paths, Way
from workings.readings.mathml import MathML, block, row, tag
from workings.readings.text_latex import (
    DIGITS,
    MOST_SHOWN,
    NO_WAY,
    SUMMED,
    extremes,
    factors,
    number,
    others,
    place_told,
    precise,
    sections,
    shape_of,
    shapes_told,
    slope_told,
    told_twice,
    with_sign,
    written_out,
    written_place,
)
from workings.readings.worked_step import Slopes, Worked, WorkedStep
from workings.support.arrays import Array
from workings.support.colours import blue_to_orange

MOST_IN_TABLE, MOST_COLUMNS = 64, 12  # entries and columns of an array that is a table from the start
MOST_TO_OPEN = 2_000  # entries of an array all of whose rows can be opened
WIDEST, TALLEST, CELL = 640, 320, 18  # of a heat map, in pixels of the page

STYLE = """
.workings { --ink: #1a1a1a; --paper: #fff; --soft: #f3f3f0; --line: #c9c9c4; --quiet: #55554f; --link: #005a8c;
  color: var(--ink); background: var(--paper); font: 1.05rem/1.55 Georgia, "Times New Roman", serif; }
@media (prefers-color-scheme: dark) { .workings { --ink: #e8e8e4; --paper: #16181a; --soft: #212427; --line: #4a4d50;
  --quiet: #b4b4ac; --link: #7cc4f0; } }
.workings * { box-sizing: border-box; }
.workings h1, .workings h2, .workings h3, .workings th, .workings caption, .workings nav, .workings figcaption,
.workings summary { font-family: system-ui, sans-serif; }
.workings h1 { line-height: 1.2; margin: 0 0 .4rem; } .workings h2 { margin: 2.6rem 0 .4rem; }
.workings h3 { font-size: 1rem; font-weight: 600; color: var(--quiet); margin: 1.8rem 0 .4rem; }
.workings h4 { margin: 0 0 .3rem; font-size: .85rem; font-weight: normal; overflow-wrap: anywhere; }
.workings code { font-family: ui-monospace, Consolas, monospace; }
.workings a { color: var(--link); }
.workings nav ul { display: flex; flex-wrap: wrap; gap: .2rem .8rem; list-style: none; padding: 0; margin: .2rem 0; }
.workings nav a { display: inline-block; padding: .15rem 0; font-size: .85rem;
  font-family: ui-monospace, Consolas, monospace; }
.workings article { border-left: 3px solid var(--line); padding: .2rem 0 .4rem 1rem; margin: 1.4rem 0; }
.workings article > p { margin: .35rem 0; }
.workings .about, .workings .shapes, .workings .slope { color: var(--quiet); font-size: .92rem; }
.workings .about { margin: .15rem 0; overflow-wrap: anywhere; }
.workings .result { background: var(--soft); padding: .6rem 1rem; border-radius: 4px;
  font-variant-numeric: tabular-nums; }
.workings .scroll { overflow-x: auto; }
.workings .scroll:focus-visible, .workings summary:focus-visible, .workings a:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px; }
.workings math { font-size: 1.08rem; } .workings math[display=block] { margin: .5rem 0; width: max-content; }
.workings mtable.worked mtd { text-align: left; padding: .4em .25em; }
.workings mtable.worked mtd:first-child { text-align: right; }
.workings mtable.cases { border-left: 2px solid; border-radius: .5em; margin-left: .2em; padding-left: .2em; }
.workings mtable.cases mtd { text-align: left; }
.workings table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
.workings caption { text-align: left; font-size: .85rem; color: var(--quiet); padding-bottom: .2rem; }
.workings th, .workings td { border: 0; border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: right;
  vertical-align: top; background: none; color: inherit; }
.workings th { font-weight: 500; color: var(--quiet); }
.workings .way { text-align: left; }
.workings td span { display: block; color: var(--quiet); font-size: .8rem; }
.workings .given { display: flex; flex-wrap: wrap; gap: .2rem 2rem; align-items: flex-start; }
.workings .given > * { max-width: 100%; }
.workings figure { margin: .6rem 0; } .workings figcaption { font-size: .85rem; color: var(--quiet); }
.workings img { image-rendering: pixelated; max-width: 100%; border: 1px solid var(--line); display: block; }
.workings details { margin: .3rem 0; } .workings summary { cursor: pointer; font-size: .88rem; padding: .15rem 0; }
@media (max-width: 36rem) { .workings article { padding-left: .6rem; } .workings { font-size: 1rem; } }
@media print { .workings { font-size: 10pt; } .workings article, .workings figure { break-inside: avoid; }
  .workings h2, .workings h3 { break-after: avoid; }
  .workings nav { display: none; } .workings .scroll { overflow: visible; } }
"""
PAGE_STYLE = """
:root { color-scheme: light dark; } body { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #16181a; } }
main.workings { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
@media print { main.workings { max-width: none; } }
"""


def document(title: str, body: str) -> str:
    """A whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{PAGE_STYLE}{STYLE}</style></head>'
        f'<body><main class="workings">{body}</main></body></html>\n'
    )


def fragment(body: str) -> str:
    """The same for a notebook."""
    return f'<style>{STYLE}</style><div class="workings">{body}</div>'


def page_of_step(explanation: WorkedStep) -> str:
    """A worked step as a page."""
    return document("One training step, worked", step_body(explanation))


def step_in_notebook(explanation: WorkedStep) -> str:
    """A worked step in a notebook."""
    return fragment(step_body(explanation))


def page_of_influence(influence: Paths) -> str:
    """The ways of one weight as a page."""
    return document(f"How {influence.parameter} acts on J", influence_body(influence))


def influence_in_notebook(influence: Paths) -> str:
    """The ways of one weight in a notebook."""
    return fragment(influence_body(influence))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of text."""
    return tag("p", html.escape(text), **({"class": kind} if kind else {}))


def scroll(content: str, label: str) -> str:
    """What may be wider than the screen: it scrolls, by keyboard too."""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{html.escape(label, quote=True)}">{content}</div>'
    )


# -- the worked step ---------------------------------------------------------------------------


def step_body(explanation: WorkedStep) -> str:
    """The worked step without the page around it."""
    teller = Teller(explanation.program, MathML(DIGITS))
    pieces = ["<h1>One training step, worked</h1>", *(paragraph(line, "about") for line in explanation.about)]
    pieces += [paragraph(f"Written out: {written_out(explanation)}.", "about"), result(explanation)]
    pieces += [contents(explanation)]
    given = [f"<div>{array(name, value, explanation.row)}</div>" for name, value in explanation.given.items()]
    pieces += [f'<section><h2 id="given">What goes in</h2><div class="given">{"".join(given)}</div></section>']
    for stage, several in sections(explanation.steps):
        pieces += [f'<section><h2 id="{stage}">{STAGE_WORDS[stage]}</h2>', *stage_body(explanation, several, teller)]
        pieces += ["</section>"]
    return "".join([*pieces, result(explanation)])


def stage_body(explanation: WorkedStep, several: Sequence[Worked], teller: Teller) -> Iterator[str]:
    """The statements of one stage, with a heading where another layer begins."""
    part = ""
    for worked in several:
        if worked.statement.part != part:
            part = worked.statement.part
            yield f"<h3>{html.escape(part)}</h3>"
        yield article(worked, teller, explanation.row, explanation.steps.index(worked))


def result(explanation: WorkedStep) -> str:
    """The objective before and after."""
    text = f"<strong>J before the step: {precise(explanation.before)}</strong>"
    if explanation.after is not None:
        change = explanation.after - explanation.before
        text += f"<br><strong>J after the step: {precise(explanation.after)}</strong> ({change:+.6g})"
    return f'<p class="result">{text}</p>'


def contents(explanation: WorkedStep) -> str:
    """Links to the statements."""
    lists = []
    for stage, several in sections(explanation.steps):
        links = "".join(
            f'<li><a href="#s{explanation.steps.index(worked)}">{html.escape(worked.statement.target)}</a></li>'
            for worked in several
        )
        lists.append(f'<ul aria-label="{stage}"><li>{stage}:</li>{links}</ul>')
    return f'<nav aria-label="Statements">{"".join(lists)}</nav>'


def article(worked: Worked, teller: Teller, row_shown: int, number_of: int) -> str:
    """One statement: code, equation, words, shapes, one entry, the slope, all numbers."""
    statement = worked.statement
    pieces = [f'<h4 id="h{number_of}"><code>{html.escape(str(statement))}</code></h4>']
    pieces += [scroll(block(teller.equation(statement)), f"equation of {statement.target}")]
    pieces += [paragraph(statement.words)] if statement.words else []
    pieces += [paragraph(shapes_told(worked), "shapes")]
    if not isinstance(worked.value, tuple):
        pieces += [scroll(entry_of(worked, teller), f"{place_told(worked)} written out")]
        pieces += [paragraph(slope_told(worked), "slope")] if worked.slopes is not None else []
        pieces += [array(statement.target, worked.value, row_shown, worked.slopes)] if shape_of(worked.value) else []
    return f'<article id="s{number_of}" aria-labelledby="h{number_of}">{"".join(pieces)}</article>'


def entry_of(worked: Worked, teller: Teller) -> str:
    """One entry with names, with numbers, and what it is, below each other."""
    value = worked.entry
    digits = 9 if worked.statement.target == "J" else DIGITS
    end = MathML(digits).number(value).text
    texts = [text for text in told_twice(worked, teller) if text != teller.writes.number(value).text]
    lines, left = [], written_place(worked, teller)
    for text in [*texts, end]:
        lines.append(tag("mtr", tag("mtd", row(left)), tag("mtd", tag("mo", "=")), tag("mtd", row(text))))
        left = ""
    return block(tag("mtable", *lines, **{"class": "worked", "displaystyle": "true"}))


# -- arrays ------------------------------------------------------------------------------------


def array(name: str, value: Any, row_shown: int, slopes: Slopes | None = None) -> str:
    """An array: a number, a table if it is small, else a heat map whose rows can be opened."""
    numbers = np.asarray(value)
    if numbers.ndim == 0:
        symbol = f" ({GREEK[name]})" if name in GREEK else ""
        return f"<p><code>{html.escape(name)}</code>{symbol} = {number(float(numbers))}</p>"
    title = f"{name} {show_shape(numbers.shape)}"
    if numbers.size <= MOST_IN_TABLE and numbers.ndim <= 2 and numbers.shape[-1] <= MOST_COLUMNS:
        beside = None if slopes is None else slopes.values
        note = "; below each entry its finite difference" if beside is not None else ""
        return table(title + note, numbers, beside)
    return heat_map(title, numbers) + opened(name, numbers, row_shown)


def opened(name: str, numbers: Array, row_shown: int) -> str:
    """The row that is worked, and all rows if they are not too many, to be opened."""
    if numbers.ndim != 2:
        return detail(f"all {numbers.size:,} entries of {name}", table(name, numbers))
    chosen = min(row_shown, len(numbers) - 1)
    text = detail(f"row {chosen} of {name}", table(f"{name}, row {chosen}", numbers[[chosen]], first_row=chosen))
    if len(numbers) > 1 and numbers.size <= MOST_TO_OPEN:
        text += detail(f"all {len(numbers):,} rows of {name}", table(name, numbers))
    return text


def detail(summary: str, content: str) -> str:
    """Something to be opened."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def table(caption: str, numbers: Array, beside: Array | None = None, first_row: int = 0) -> str:
    """Numbers with the places that code gives them; an array of one dimension is one line."""
    cells = np.atleast_2d(numbers)
    measured = np.full(cells.shape, np.nan) if beside is None else np.atleast_2d(beside)
    head = "".join(f'<th scope="col">{column}</th>' for column in range(cells.shape[1]))
    lines = []
    for place, (line, slopes) in enumerate(zip(cells, measured, strict=True), start=first_row):
        inner = "".join(cell(float(entry), float(slope)) for entry, slope in zip(line, slopes, strict=True))
        lines.append(f'<tr><th scope="row">{"entry" if numbers.ndim == 1 else place}</th>{inner}</tr>')
    whole = (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return scroll(whole, caption)


def cell(entry: float, slope: float) -> str:
    """One number, with the slope below it where it was measured."""
    below = f"<span>{number(slope)}</span>" if np.isfinite(slope) else ""
    return f"<td>{number(entry)}{below}</td>"


def heat_map(title: str, numbers: Array) -> str:
    """An array as a picture, blue below 0 and orange above, with its extremes in words."""
    flat = np.atleast_2d(numbers.reshape(len(numbers), -1) if numbers.ndim > 2 else numbers)
    words = f"{title}: {extremes(numbers)}"
    width = min(max(flat.shape[1] * CELL, 60), WIDEST)
    height = min(max(flat.shape[0] * CELL, 18), TALLEST)
    largest = float(np.abs(flat).max()) or 1.0
    shades = np.round(np.nan_to_num(flat) / largest * 100 + 100).astype(np.uint8)
    source = base64.b64encode(png(shades, blue_to_orange(201))).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="Heat map of {html.escape(words, quote=True)}" '
        f'width="{width}" height="{height}" style="width:{width}px;height:{height}px">'
        f"<figcaption>{html.escape(words)}. Blue is below 0, orange above.</figcaption></figure>"
    )


def png(shades: Array, palette: Array) -> bytes:
    """A picture of numbered colours as a PNG file (W3C PNG specification, third edition, sections 5 and 11).

    >>> png(np.zeros((1, 1), np.uint8), blue_to_orange(2))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = shades.shape
    lines = np.pad(shades, ((0, 0), (1, 0)))  # each line begins with the number of its filter, 0 for none
    return b"".join([
        b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        chunk(b"PLTE", palette.tobytes()), chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)), chunk(b"IEND", b""),
    ])  # fmt: skip


# -- the ways of one weight --------------------------------------------------------------------


def influence_body(influence: Paths) -> str:
    """The ways of one weight without the page around them."""
    rows = [(str(way).rpartition(":")[0], way.adds) for way in influence.paths[:MOST_SHOWN]] + others(influence)
    lines = "".join(
        f'<tr><th scope="row" class="way">{html.escape(text)}</th><td>{number(adds)}</td></tr>' for text, adds in rows
    )
    total = f'<tr><th scope="row" class="way">in all</th><td><strong>{number(influence.total)}</strong></td></tr>'
    count = len(influence.paths)
    pieces = [f"<h1>How <code>{html.escape(influence.parameter)}</code> acts on J</h1>"]
    pieces += [
        f'<p class="result"><strong>The gradient is {number(influence.gradient)}</strong>'
        f"<br>by finite differences {number(influence.slope)}; all ways add up to {number(influence.total)}.</p>"
    ]
    head = '<thead><tr><th scope="col" class="way">way</th><th scope="col">adds to the gradient</th></tr></thead>'
    caption = f"{count:,} {'way' if count == 1 else 'ways'} to J, the strongest first"
    pieces += [scroll(f"<table><caption>{caption}</caption>{head}<tbody>{lines}{total}</tbody></table>", "ways to J")]
    if not influence.paths:
        pieces += [paragraph(f"It moves nothing: {NO_WAY}.")]
    else:
        pieces += [f"<h2>The first of them in row {influence.row}</h2>", paragraph(f"{SUMMED.capitalize()}.")]
        pieces += [paragraph("A layer mixes rows: these are the factors within the row alone.")] * influence.mixes
        teller = Teller(influence.program, MathML(DIGITS))
        pieces += [scroll(factors_of(influence.paths[0], teller), "factors")]
    return "".join(pieces)


def factors_of(way: Way, teller: Teller) -> str:
    """The factors of a way below each other, and their product."""
    equal = tag("mtd", tag("mo", "="))
    lines = []
    for of, name, value in factors(way, teller):
        told = row(name, tag("mo", "=")) if name else ""
        lines.append(tag("mtr", tag("mtd", row(of)), equal, tag("mtd", row(told, teller.writes.number(value).text))))
    values = [link.value for link in way.links]
    product = teller.writes.number(float(np.prod(values))).text
    signed = [tag("mtext", with_sign(number(value))) for value in values]
    text = row(teller.writes.between_numbers.join(signed))
    lines.append(tag("mtr", tag("mtd", tag("mtext", "product")), equal, tag("mtd", row(text, tag("mo", "="), product))))
    return block(tag("mtable", *lines, **{"class": "worked", "displaystyle": "true"}))
