"""HTML pages of explanations, for browsers and notebooks.

A page is one self-contained file.  It supports light and dark mode, narrow screens, printing, keyboard navigation and
screen readers: equations are MathML, numbers are tables with headings, and heat maps have a text description.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from workings.program.program import STAGE_WORDS, show_shape
from workings.readings.derivation import WorkedLine, check_lines
from workings.readings.equations import GREEK, EquationWriter
from workings.readings.influence import PathAnalysis, WeightPath
from workings.readings.mathml import NAMESPACE, MathmlNotation, block, row, tag
from workings.readings.text_latex import (
    DIGITS,
    MOST_SHOWN,
    NO_PATH,
    SUMMED,
    derivation_end,
    derivation_sides,
    entry_forms,
    entry_name,
    entry_symbol,
    extremes,
    factors,
    finite_difference_line,
    heading,
    is_derived,
    number,
    objective_text,
    other_contributions,
    sections,
    selection,
    shape_of,
    shapes_line,
    with_sign,
)
from workings.readings.worked_step import FiniteDifferences, WorkedStatement, WorkedStep
from workings.support.arrays import Array
from workings.support.colours import blue_to_orange
from workings.support.escaping import in_html

MOST_IN_TABLE, MOST_COLUMNS = 64, 12  # entries and columns of the largest array that is shown as a table
MOST_TO_OPEN = 2_000  # entries of the largest array of which all rows can be expanded
WIDEST, TALLEST, CELL = 640, 320, 18  # size of a heat map, in CSS pixels

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
.workings .about, .workings .shapes, .workings .slope, .workings .note { color: var(--quiet); font-size: .92rem; }
.workings .about { margin: .15rem 0; overflow-wrap: anywhere; }
.workings aside { background: var(--soft); border-radius: 4px; padding: .4rem 1rem; margin: .8rem 0; }
.workings aside p { margin: .3rem 0; } .workings aside ol { margin: .3rem 0; padding-left: 1.4rem; }
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
    """Return a complete HTML page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{in_html(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{PAGE_STYLE}{STYLE}</style></head>'
        f'<body><main class="workings">{body}</main></body></html>\n'
    )


def fragment(body: str) -> str:
    """Return an HTML fragment for a notebook."""
    return f'<style>{STYLE}</style><div class="workings">{body}</div>'


def page_of_step(explanation: WorkedStep) -> str:
    """Return a worked step as an HTML page."""
    return document("One training step in detail", step_body(explanation))


def step_in_notebook(explanation: WorkedStep) -> str:
    """Return a worked step as HTML for a notebook."""
    return fragment(step_body(explanation))


def page_of_influence(influence: PathAnalysis) -> str:
    """Return the paths of one weight as an HTML page."""
    return document(f"How {influence.parameter} affects J", influence_body(influence))


def influence_in_notebook(influence: PathAnalysis) -> str:
    """Return the paths of one weight as HTML for a notebook."""
    return fragment(influence_body(influence))


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of text."""
    return tag("p", in_html(text), **({"class": kind} if kind else {}))


def scroll(content: str, label: str) -> str:
    """Return content in a container that scrolls horizontally, also by keyboard."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{in_html(label)}">{content}</div>'


# -- the worked step ---------------------------------------------------------------------------


def step_body(explanation: WorkedStep) -> str:
    """Return the body of a worked step."""
    writer = EquationWriter(explanation.program, MathmlNotation(DIGITS))
    pieces = ["<h1>One training step in detail</h1>", *(paragraph(line, "about") for line in explanation.about)]
    pieces += [paragraph(selection(explanation), "about"), result(explanation)]
    pieces += [contents(explanation)]
    given = [f"<div>{given_array(name, value, explanation)}</div>" for name, value in explanation.given.items()]
    pieces += [f'<section><h2 id="given">Inputs</h2><div class="given">{"".join(given)}</div></section>']
    for stage, several in sections(explanation.steps):
        pieces += [f'<section><h2 id="{stage}">{STAGE_WORDS[stage]}</h2>', *stage_body(explanation, several, writer)]
        pieces += ["</section>"]
    return "".join([*pieces, result(explanation)])


def stage_body(explanation: WorkedStep, several: Sequence[WorkedStatement], writer: EquationWriter) -> Iterator[str]:
    """Yield the statements of one stage, with a heading for each layer."""
    part = ""
    for worked in several:
        if worked.statement.part != part:
            part = worked.statement.part
            yield f"<h3>{in_html(heading(part, explanation.program))}</h3>"
        yield article(worked, writer, explanation)


def result(explanation: WorkedStep) -> str:
    """Return the objective before and after the step."""
    text = f"<strong>J before the step: {objective_text(explanation.before)}</strong>"
    if explanation.after is not None:
        change = explanation.after - explanation.before
        text += f"<br><strong>J after the step: {objective_text(explanation.after)}</strong> ({change:+.6g})"
    return f'<p class="result">{text}</p>'


def contents(explanation: WorkedStep) -> str:
    """Return links to the statements."""
    lists = []
    for stage, several in sections(explanation.steps):
        links = "".join(
            f'<li><a href="#s{explanation.steps.index(worked)}">{in_html(worked.statement.target)}</a></li>'
            for worked in several
        )
        lists.append(f'<ul aria-label="{stage}"><li>{stage}:</li>{links}</ul>')
    return f'<nav aria-label="Statements">{"".join(lists)}</nav>'


def given_array(name: str, value: Any, explanation: WorkedStep) -> str:
    """Return an input, and where it comes from."""
    return array(name, value, explanation.row) + paragraph(explanation.origins.get(name, ""), "note")


def article(worked: WorkedStatement, writer: EquationWriter, explanation: WorkedStep) -> str:
    """Return one statement: code, equation, explanation, shapes, one entry, finite difference, values."""
    statement, row_shown, number_of = worked.statement, explanation.row, explanation.steps.index(worked)
    pieces = [f'<h4 id="h{number_of}"><code>{in_html(str(statement))}</code></h4>']
    pieces += [scroll(block(writer.equation(statement)), f"equation of {statement.target}")]
    pieces += [paragraph(statement.words)] if statement.words else []
    pieces += [paragraph(note, "note") for note in worked.notes]
    pieces += [paragraph(shapes_line(worked), "shapes")]
    if not isinstance(worked.value, tuple):
        pieces += [scroll(entry_block(worked, writer), f"{entry_name(worked)} written out")]
        pieces += [paragraph(finite_difference_line(worked), "slope")] if worked.slopes is not None else []
        pieces += [array(statement.target, worked.value, row_shown, worked.slopes)] if shape_of(worked.value) else []
    pieces += [derivation_aside(explanation, writer)] if is_derived(worked, explanation) else []
    return f'<article id="s{number_of}" aria-labelledby="h{number_of}">{"".join(pieces)}</article>'


def derivation_aside(explanation: WorkedStep, writer: EquationWriter) -> str:
    """Return the derivation of the loss's gradient: a list of lines, each with its numbers."""
    gradient = writer.equation(explanation.program.stage("backward")[0])
    title = f"{tag('math', gradient, xmlns=NAMESPACE)}"
    lines = "".join(f"<li>{derivation_line(line, writer)}</li>" for line in explanation.derivation)
    where = f"With the numbers of row {explanation.row}, unit {explanation.unit}:"
    return f'<aside aria-label="Derivation"><p>Why {title}?</p>{paragraph(where, "about")}<ol>{lines}</ol></aside>'


def derivation_line(line: WorkedLine, writer: EquationWriter) -> str:
    """Return one line of a derivation: words, equation, numbers."""
    left, right, numbers = derivation_sides(line, writer)
    sides = [(left, right)]
    if line.is_finite:
        value = writer.notation.number(line.entry).text
        sides += [("", text) for text in dict.fromkeys([numbers, value]) if text]
    equal = tag("mtd", writer.notation.equals)
    rows = [tag("mtr", tag("mtd", row(a)), equal, tag("mtd", row(b))) for a, b in sides]
    table_of_sides = tag("mtable", *rows, **{"class": "worked", "displaystyle": "true"})
    end = derivation_end(line).removeprefix(", ")
    said = [f"The last number is {end.removeprefix('as ')}."] if end and line.is_finite else []
    pieces = [paragraph(line.words), scroll(block(table_of_sides), "equation of the derivation")]
    return "".join([*pieces, *(paragraph(words, "slope") for words in [*said, *check_lines(line)])])


def entry_block(worked: WorkedStatement, writer: EquationWriter) -> str:
    """Return one entry with names, with numbers, and its value, as aligned equations."""
    value = worked.entry
    digits = 9 if worked.statement.target == "J" else DIGITS
    end = MathmlNotation(digits).number(value).text
    texts = [text for text in entry_forms(worked, writer) if text != writer.notation.number(value).text]
    lines, left = [], entry_symbol(worked, writer)
    sign = writer.sign(worked.statement)
    for text in [*texts, end]:
        lines.append(tag("mtr", tag("mtd", row(left)), tag("mtd", sign), tag("mtd", row(text))))
        left, sign = "", writer.notation.equals
    return block(tag("mtable", *lines, **{"class": "worked", "displaystyle": "true"}))


# -- arrays ------------------------------------------------------------------------------------


def array(name: str, value: Any, row_shown: int, slopes: FiniteDifferences | None = None) -> str:
    """Return a number, a small array as a table, or a large one as a heat map with expandable rows."""
    numbers = np.asarray(value)
    if numbers.ndim == 0:
        symbol = f" ({GREEK[name]})" if name in GREEK else ""
        return f"<p><code>{in_html(name)}</code>{symbol} = {number(float(numbers))}</p>"
    title = f"{name} {show_shape(numbers.shape)}"
    if numbers.size <= MOST_IN_TABLE and numbers.ndim <= 2 and numbers.shape[-1] <= MOST_COLUMNS:
        beside = None if slopes is None else slopes.values
        note = "; finite differences below the entries" if beside is not None else ""
        return table(title + note, numbers, beside)
    return heat_map(title, numbers) + expandable(name, numbers, row_shown)


def expandable(name: str, numbers: Array, row_shown: int) -> str:
    """Return expandable tables of the written-out row, and of all rows if there are not too many."""
    if numbers.ndim != 2:
        return details(f"all {numbers.size:,} entries of {name}", table(name, numbers))
    chosen = min(row_shown, len(numbers) - 1)
    text = details(f"row {chosen} of {name}", table(f"{name}, row {chosen}", numbers[[chosen]], first_row=chosen))
    if len(numbers) > 1 and numbers.size <= MOST_TO_OPEN:
        text += details(f"all {len(numbers):,} rows of {name}", table(name, numbers))
    return text


def details(summary: str, content: str) -> str:
    """Return an expandable element."""
    return f"<details><summary>{in_html(summary)}</summary>{content}</details>"


def table(caption: str, numbers: Array, beside: Array | None = None, first_row: int = 0) -> str:
    """Return a table of numbers with indices; a one-dimensional array is one row."""
    cells = np.atleast_2d(numbers)
    measured = np.full(cells.shape, np.nan) if beside is None else np.atleast_2d(beside)
    head = "".join(f'<th scope="col">{column}</th>' for column in range(cells.shape[1]))
    lines = []
    for place, (line, slopes) in enumerate(zip(cells, measured, strict=True), start=first_row):
        inner = "".join(cell(float(entry), float(slope)) for entry, slope in zip(line, slopes, strict=True))
        lines.append(f'<tr><th scope="row">{"entry" if numbers.ndim == 1 else place}</th>{inner}</tr>')
    whole = (
        f"<table><caption>{in_html(caption)}</caption><thead><tr><td></td>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return scroll(whole, caption)


def cell(entry: float, slope: float) -> str:
    """Return a table cell, with the finite difference below the number if there is one."""
    below = f"<span>{number(slope)}</span>" if np.isfinite(slope) else ""
    return f"<td>{number(entry)}{below}</td>"


def heat_map(title: str, numbers: Array) -> str:
    """Return an array as an image, blue below 0 and orange above, with a text description."""
    flat = np.atleast_2d(numbers.reshape(len(numbers), -1) if numbers.ndim > 2 else numbers)
    words = f"{title}: {extremes(numbers)}"
    width = min(max(flat.shape[1] * CELL, 60), WIDEST)
    height = min(max(flat.shape[0] * CELL, 18), TALLEST)
    largest = float(np.abs(flat).max()) or 1.0
    shades = np.round(np.nan_to_num(flat) / largest * 100 + 100).astype(np.uint8)
    source = base64.b64encode(png(shades, blue_to_orange(201))).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="Heat map of {in_html(words)}" '
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


# -- the paths of one weight --------------------------------------------------------------------


def influence_body(influence: PathAnalysis) -> str:
    """Return the body of an influence page."""
    rows = [(str(path).rpartition(":")[0], path.adds) for path in influence.paths[:MOST_SHOWN]] + other_contributions(
        influence
    )
    lines = "".join(
        f'<tr><th scope="row" class="way">{in_html(text)}</th><td>{number(adds)}</td></tr>' for text, adds in rows
    )
    total = f'<tr><th scope="row" class="way">total</th><td><strong>{number(influence.total)}</strong></td></tr>'
    count = len(influence.paths)
    pieces = [f"<h1>How <code>{in_html(influence.parameter)}</code> affects J</h1>"]
    pieces += [
        f'<p class="result"><strong>The gradient is {number(influence.gradient)}</strong>'
        f"<br>by finite differences {number(influence.slope)}; the sum over all paths is {number(influence.total)}.</p>"
    ]
    head = (
        '<thead><tr><th scope="col" class="way">path</th><th scope="col">contribution to the gradient</th></tr></thead>'
    )
    caption = f"{count:,} {'path' if count == 1 else 'paths'} to J, the strongest first"
    pieces += [scroll(f"<table><caption>{caption}</caption>{head}<tbody>{lines}{total}</tbody></table>", "paths to J")]
    if not influence.paths:
        pieces += [paragraph(f"It does not affect J: {NO_PATH}.")]
    else:
        pieces += [f"<h2>Factors of the first path in row {influence.row}</h2>", paragraph(f"{SUMMED.capitalize()}.")]
        pieces += [paragraph("A layer combines rows: these are the factors within this row only.")] * influence.mixes
        writer = EquationWriter(influence.program, MathmlNotation(DIGITS))
        pieces += [scroll(factors_of(influence.paths[0], writer), "factors")]
    return "".join(pieces)


def factors_of(path: WeightPath, writer: EquationWriter) -> str:
    """Return the factors of a path as aligned equations, and their product."""
    equal = tag("mtd", tag("mo", "="))
    lines = []
    for of, name, value in factors(path, writer):
        texts = row(name, tag("mo", "=")) if name else ""
        lines.append(tag("mtr", tag("mtd", row(of)), equal, tag("mtd", row(texts, writer.notation.number(value).text))))
    values = [link.value for link in path.links]
    product = writer.notation.number(float(np.prod(values))).text
    signed = [tag("mtext", with_sign(number(value))) for value in values]
    text = row(writer.notation.between_numbers.join(signed))
    lines.append(tag("mtr", tag("mtd", tag("mtext", "product")), equal, tag("mtd", row(text, tag("mo", "="), product))))
    return block(tag("mtable", *lines, **{"class": "worked", "displaystyle": "true"}))
