"""HTML pages of explanations, for browsers and notebooks.

A page is one self-contained file.  It supports light and dark mode, narrow screens, printing, keyboard navigation and
screen readers: equations are MathML, numbers are tables with headings, and heat maps have a text description.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from workings.program.program import STAGE_WORDS
from workings.readings.derivation import WorkedLine, check_lines
from workings.readings.equations import EquationWriter, PlainNotation
from workings.readings.influence import PathAnalysis, WeightPath
from workings.readings.mathml import NAMESPACE, MathmlNotation, block, row, tag
from workings.readings.page_arrays import ArrayOnPage, array, paragraph, scroll
from workings.readings.page_style import PAGE_STYLE, SCRIPT, STYLE
from workings.readings.path_drawing import drawing
from workings.readings.text_latex import (
    DIGITS,
    MOST_SHOWN,
    NO_PATH,
    SUMMED,
    derivation_end,
    derivation_place,
    derivation_sides,
    entry_forms,
    entry_name,
    entry_symbol,
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
from workings.readings.worked_step import WorkedStatement, WorkedStep
from workings.support.escaping import in_html

HOW_TO_ASK = (
    "Point at a number in a table or an equation, or go to it with the Tab and arrow keys: it shows which statement "
    "computed it, and from which numbers. Escape closes this."
)


def document(title: str, body: str) -> str:
    """Return a complete HTML page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{in_html(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{PAGE_STYLE}{STYLE}</style></head>'
        f'<body><main class="workings">{body}</main><script>{SCRIPT}</script></body></html>\n'
    )


def fragment(body: str) -> str:
    """Return an HTML fragment for a notebook."""
    return f'<style>{STYLE}</style><div class="workings">{body}</div><script>{SCRIPT}</script>'


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


# -- the worked step ---------------------------------------------------------------------------


def step_body(explanation: WorkedStep) -> str:
    """Return the body of a worked step."""
    writer = EquationWriter(explanation.program, MathmlNotation(DIGITS))
    pieces = ["<h1>One training step in detail</h1>", *(paragraph(line, "about") for line in explanation.about)]
    pieces += [paragraph(selection(explanation), "about"), paragraph(HOW_TO_ASK, "about"), result(explanation)]
    pieces += [contents(explanation), drawing(explanation)]
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


def given_array(name: str, value: object, explanation: WorkedStep) -> str:
    """Return an input, and where it comes from."""
    words = explanation.origins.get(name, "")
    plain = EquationWriter(explanation.program, PlainNotation(DIGITS))
    return array(ArrayOnPage(name, np.asarray(value), explanation, plain, words=words)) + paragraph(words, "note")


def article(worked: WorkedStatement, writer: EquationWriter, explanation: WorkedStep) -> str:
    """Return one statement: code, equation, explanation, shapes, one entry, finite difference, values."""
    statement, number_of = worked.statement, explanation.steps.index(worked)
    pieces = [f'<h4 id="h{number_of}"><code>{in_html(str(statement))}</code></h4>']
    pieces += [scroll(block(writer.equation(statement)), f"equation of {statement.target}")]
    pieces += [paragraph(statement.words)] if statement.words else []
    pieces += [paragraph(note, "note") for note in worked.notes]
    pieces += [paragraph(shapes_line(worked), "shapes")]
    if not isinstance(worked.value, tuple):
        pieces += [scroll(entry_block(worked, writer, places=True), f"{entry_name(worked)} written out")]
        pieces += [paragraph(finite_difference_line(worked), "slope")] if worked.slopes is not None else []
        pieces += [computed_array(worked, explanation)] if shape_of(worked.value) else []
    pieces += [derivation_aside(explanation, writer)] if is_derived(worked, explanation) else []
    return f'<article id="s{number_of}" aria-labelledby="h{number_of}">{"".join(pieces)}</article>'


def computed_array(worked: WorkedStatement, explanation: WorkedStep) -> str:
    """Return the result of a statement."""
    plain = EquationWriter(explanation.program, PlainNotation(DIGITS))
    return array(ArrayOnPage(worked.statement.target, np.asarray(worked.value), explanation, plain, worked))


def derivation_aside(explanation: WorkedStep, writer: EquationWriter) -> str:
    """Return the derivation of the loss's gradient: a list of lines, each with its numbers."""
    gradient = writer.equation(explanation.program.stage("backward")[0])
    title = f"{tag('math', gradient, xmlns=NAMESPACE)}"
    lines = "".join(f"<li>{derivation_line(line, writer)}</li>" for line in explanation.derivation)
    where = paragraph(derivation_place(explanation), "about")
    return f'<aside aria-label="Derivation"><p>Why {title}?</p>{where}<ol>{lines}</ol></aside>'


def derivation_line(line: WorkedLine, writer: EquationWriter) -> str:
    """Return one line of a derivation: words, equation, numbers."""
    left, right, numbers = derivation_sides(line, writer)
    sides = [(left, right)]
    if line.is_finite:
        value = writer.notation.number(line.entry).text
        sides += [("", text) for text in dict.fromkeys([numbers, value]) if text not in ("", right)]
    equal = tag("mtd", writer.notation.equals)
    rows = [tag("mtr", tag("mtd", row(a)), equal, tag("mtd", row(b))) for a, b in sides]
    table_of_sides = tag("mtable", *rows, **{"class": "worked", "displaystyle": "true"})
    end = derivation_end(line).removeprefix(", ")
    said = [f"The last number is {end.removeprefix('as ')}."] if end and line.is_finite else []
    pieces = [paragraph(line.words), scroll(block(table_of_sides), "equation of the derivation")]
    return "".join([*pieces, *(paragraph(words, "slope") for words in [*said, *check_lines(line)])])


def entry_block(worked: WorkedStatement, writer: EquationWriter, *, places: bool = False) -> str:
    """Return one entry with names, with numbers, and its value, as aligned equations.

    With ``places``, each number has the name of the entry that it is.
    """
    value = worked.entry
    digits = 9 if worked.statement.target == "J" else DIGITS
    end = MathmlNotation(digits).number(value).text
    texts = [text for text in entry_forms(worked, writer) if text != writer.notation.number(value).text]
    if places and len(texts) == 2 and worked.numbers is not None:
        texts[1] = EquationWriter(writer.program, MathmlNotation(DIGITS, places=True)).piece(worked.numbers).text
    lines, left = [], entry_symbol(worked, writer)
    sign = writer.sign(worked.statement)
    for text in [*texts, end]:
        lines.append(tag("mtr", tag("mtd", row(left)), tag("mtd", sign), tag("mtd", row(text))))
        left, sign = "", writer.notation.equals
    return block(tag("mtable", *lines, **{"class": "worked", "displaystyle": "true"}))


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
    words = f"{count:,} {'path' if count == 1 else 'paths'} to J, the strongest first"
    caption = f"<caption><span>{words}</span></caption>"
    pieces += [scroll(f"<table>{caption}{head}<tbody>{lines}{total}</tbody></table>", "paths to J")]
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
