"""Showing: readings as text for the terminal and as LaTeX.

At least six significant digits, a column that stays readable at eighty characters, and of large arrays their
extremes and the one row that is worked.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from workings.program.program import STAGE_WORDS, show_shape
from workings.readings.equations import PRODUCT, SUM, Latex, Plain, Teller
from workings.readings.influence import Paths, Way
from workings.readings.worked_step import Worked, WorkedStep

DIGITS = 6
MOST_ROWS, MOST_COLUMNS = 8, 8  # of an array that is shown whole
WIDTH = 100
LONGEST = 400  # characters of an entry that is written out
LINE = 76  # characters of plain text that a line of LaTeX holds
NO_WAY = "its input is 0 in all of these rows, or nothing of it comes through"
SUMMED = "what it adds above is the sum over all rows"
MOST_SHOWN = 12  # paths whose sums are listed


def number(value: float, digits: int = DIGITS) -> str:
    """A number with so many significant digits.

    >>> number(0.1 + 0.2), number(3.0), number(-1.23456789e-7), number(1234567.0)
    ('0.3', '3', '-1.23457e-07', '1234567')
    """
    is_whole = float(value).is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else f"{float(value):.{digits}g}"


def precise(value: float) -> str:
    """The objective, with more digits: what is compared needs them."""
    return number(value, 9)


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of an array or a number."""
    return tuple(np.shape(value))


def in_full(value: Any) -> bool:
    """Return whether an array is small enough to be shown whole."""
    rows, columns = (1, 1, *shape_of(value))[-2:]
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def extremes(value: Any) -> str:
    """The smallest and the largest entry of an array, with their places.

    >>> extremes(np.array([[1.0, 2.0], [-3.0, 0.5]]))
    'from -3 at [1,0] to 2 at [0,1], mean 0.125'
    """
    array = np.asarray(value)
    if array.min() == array.max():
        return f"all {number(float(array.min()))}"
    found = []
    for flat in (array.argmin(), array.argmax()):
        place = np.unravel_index(flat, array.shape)
        found.append(f"{number(float(array[place]))} at [{','.join(map(str, place))}]")
    return f"from {found[0]} to {found[1]}, mean {number(float(array.mean()))}"


def shapes_told(worked: Worked) -> str:
    """What was read and what came of it, as shapes."""
    known = [(name, shape) for name, shape in worked.reads.items() if shape]
    read = ", ".join(f"{name} {show_shape(shape)}" for name, shape in known)
    result = f"{worked.statement.target} {show_shape(shape_of(worked.value))}"
    return f"{read} → {result}" if read else result


def place_told(worked: Worked) -> str:
    """The entry that is worked, as code names it."""
    places = ",".join(map(str, worked.index))
    return f"{worked.statement.target}[{places}]" if worked.index else worked.statement.target


def slope_told(worked: Worked) -> str:
    """What finite differences say of a gradient."""
    slopes = worked.slopes
    if slopes is None:
        return ""
    there = number(float(slopes.values[worked.index]))
    count = int(np.isfinite(slopes.values).sum())
    text = f"finite difference of J at {place_told(worked)}: {there}"
    if count > 1:
        text += f"; all {count} entries agree to {slopes.error:.0e}" if slopes.agrees else ""
    if slopes.corners:
        text += f"; {slopes.corners} on a corner, where any slope between is right"
    return text if slopes.agrees else f"{text}; THEY DIFFER by {slopes.error:.0e}"


# -- text ------------------------------------------------------------------------------------


def text_of_step(explanation: WorkedStep) -> str:
    """The whole step for the terminal."""
    lines = ["One training step, worked", *(f"  {line}" for line in explanation.about)]
    teller = Teller(explanation.program, Plain(DIGITS))
    lines += [f"  written out: {written_out(explanation)}", "", "What goes in"]
    for name, value in explanation.given.items():
        lines += array_lines(name, value, explanation.row, teller)
    stage = part = ""
    for worked in explanation.steps:
        if worked.statement.stage != stage:
            stage, part = worked.statement.stage, ""
            lines += ["", STAGE_WORDS[stage], "=" * len(STAGE_WORDS[stage])]
        if worked.statement.part != part:
            part = worked.statement.part
            lines += ["", part]
        lines += ["", *worked_lines(worked, teller, explanation.row)]
    return "\n".join([*lines, "", *result_lines(explanation)])


def written_out(explanation: WorkedStep) -> str:
    """Which row and units are written out."""
    which = f"unit {explanation.unit} of each layer" + (" (its last, where it has fewer)" if explanation.unit else "")
    return f"row {explanation.row}, {which}, counted from 0"


def called(name: str, teller: Teller) -> str:
    """A number's name, and how equations write it where that is another one.

    >>> from workings import Dense, Network, SGD
    >>> program = Network([Dense(1)], loss="SquaredError", n_in=1).program(SGD(0.1))
    >>> called("lr", Teller(program, Plain())), called("n", Teller(program, Plain()))
    ('lr (η)', 'n')
    """
    symbol = teller.name(name)
    return name if symbol == name else f"{name} ({symbol})"


def result_lines(explanation: WorkedStep) -> list[str]:
    """The objective before and after."""
    lines = [f"J before the step: {precise(explanation.before)}"]
    if explanation.after is not None:
        change = explanation.after - explanation.before
        lines += [f"J after the step:  {precise(explanation.after)}  ({change:+.6g})"]
    return lines


def worked_lines(worked: Worked, teller: Teller, row: int) -> Iterator[str]:
    """One statement: its equation, its words, its shapes, one entry, its numbers."""
    yield f"  {teller.equation(worked.statement)}"
    yield from textwrap.wrap(worked.statement.words, WIDTH, initial_indent="    ", subsequent_indent="    ")
    yield f"    {shapes_told(worked)}"
    if isinstance(worked.value, tuple):
        return
    yield from entry_lines(worked, teller)
    if told := slope_told(worked):
        yield from textwrap.wrap(told, WIDTH, initial_indent="    ", subsequent_indent="      ")
    if shape_of(worked.value):
        yield from array_lines(worked.statement.target, worked.value, row, teller)


def entry_lines(worked: Worked, teller: Teller) -> Iterator[str]:
    """One entry, with names, with numbers, and what it is."""
    head = written_place(worked, teller)
    space = " " * len(head)
    result = number(worked.entry) if worked.index or worked.statement.target != "J" else precise(worked.entry)
    texts = told_twice(worked, teller)
    for text in texts:
        if text != result:
            yield from folded(f"    {head} = ", text)
            head = space
    yield f"    {head} = {result}"


def told_twice(worked: Worked, teller: Teller) -> list[str]:
    """The entry with names and with numbers, where there is such a form."""
    if worked.names is None or worked.numbers is None or plain_length(worked.names, teller) > LONGEST:
        return []
    return list(dict.fromkeys([teller.piece(worked.names).text, teller.piece(worked.numbers).text]))


def plain_length(node: ast.expr, teller: Teller) -> int:
    """How many characters a piece has as plain text."""
    return len(Teller(teller.program, Plain(DIGITS)).piece(node).text)


def written_place(worked: Worked, teller: Teller) -> str:
    """The entry that is worked, as an equation names it."""
    places = ",".join(map(str, worked.index))
    target = worked.statement.target
    return teller.entry(target, places) if worked.index else teller.name(target)


def folded(head: str, text: str) -> list[str]:
    """A long line, folded below its own beginning."""
    indent = " " * len(head)
    return textwrap.wrap(text, max(WIDTH, len(head) + 30), initial_indent=head, subsequent_indent=indent)


def array_lines(name: str, value: Any, row: int, teller: Teller) -> list[str]:
    """An array: whole if it is small, else its extremes and one row."""
    array = np.asarray(value)
    if array.ndim == 0:
        return [f"    {called(name, teller)} = {number(float(array))}"]
    if in_full(array):
        return [f"    {name} =", *(f"      {line}" for line in columns(array))]
    lines = [f"    {name} {show_shape(array.shape)}: {extremes(array)}"]
    chosen = array[min(row, len(array) - 1)] if array.ndim == 2 else array
    title = f"{name}[{min(row, len(array) - 1)}]" if array.ndim == 2 else name
    shown = [number(float(entry)) for entry in chosen[: 2 * MOST_COLUMNS]]
    more = f" … ({len(chosen) - len(shown)} more)" if len(chosen) > len(shown) else ""
    return [*lines, *folded(f"      {title}: ", "  ".join(shown) + more)]


def columns(array: Any) -> list[str]:
    """The rows of a small array, its columns below each other."""
    cells = [[number(float(entry)) for entry in line] for line in np.atleast_2d(array)]
    widths = [max(len(line[j]) for line in cells) for j in range(len(cells[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def text_of_influence(influence: Paths) -> str:
    """The paths of one weight for the terminal."""
    count = len(influence.paths)
    lines = [f"How {influence.parameter} acts on J"]
    lines += [
        f"  ∂J/∂{influence.parameter} = {number(influence.gradient)}, "
        f"and by finite differences {number(influence.slope)}", "",
    ]  # fmt: skip
    width = max((len(str(path).rpartition(":")[0]) for path in influence.paths[:MOST_SHOWN]), default=10)
    for path in influence.paths[:MOST_SHOWN]:
        way = str(path).rpartition(":")[0]
        lines.append(f"  {way:<{width}}  adds {number(path.adds):>12}")
    lines += [f"  {words:<{width}}  adds {number(adds):>12}" for words, adds in others(influence)]
    lines += [f"  {f'{count:,} ways' if count != 1 else '1 way':<{width}}  sum  {number(influence.total):>12}"]
    if influence.paths:
        lines += ["", *way_lines(influence, influence.paths[0])]
    else:
        lines += [
            "",
            f"{influence.parameter} moves nothing: {NO_WAY}.",
        ]
    return "\n".join(lines)


def others(influence: Paths) -> list[tuple[str, float]]:
    """What is added by ways that are not listed, and by no way at all."""
    found = []
    beyond = influence.paths[MOST_SHOWN:]
    if beyond or influence.rest:
        words = f"{len(beyond):,} weaker ways" + (" and all further ones" if influence.rest else "")
        found.append((words, sum(path.adds for path in beyond) + influence.rest))
    if influence.penalty:
        found.append(("the regularizer, by itself", influence.penalty))
    return found


def way_lines(influence: Paths, way: Way) -> Iterator[str]:
    """The factors of the strongest way in one row."""
    teller = Teller(influence.program, Plain(DIGITS))
    only = ", within the row alone (a layer mixes rows)" if influence.mixes else ""
    yield f"The first of them in row {influence.row}{only}; {SUMMED}:"
    for of, name, value in factors(way, teller):
        yield f"  {of} = {name + ' = ' if name else ''}{number(value)}"
    product = float(np.prod([link.value for link in way.links]))
    yield f"  {' · '.join(with_sign(number(link.value)) for link in way.links)} = {number(product)}"


def with_sign(text: str) -> str:
    """A factor, in parentheses if it is negative."""
    return f"({text})" if text.startswith("-") else text


def factors(way: Way, teller: Teller) -> Iterator[tuple[str, str, float]]:
    """Each factor: what is derived by what, its form if it has one, its value."""
    for link in way.links:
        name = "" if link.names is None else teller.piece(link.names).text
        yield derivative(link.of, link.by, teller), name, link.value


def derivative(of: ast.expr, by: ast.expr, teller: Teller) -> str:
    """One entry by another; the last factor is a gradient already."""
    if of is by:
        return teller.piece(of).text
    return teller.writes.derivative(teller.piece(of).text, teller.piece(by).text)


# -- LaTeX -----------------------------------------------------------------------------------

PREAMBLE = r"""\documentclass{article}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath}
\setlength{\parindent}{0pt}
\raggedright
\allowdisplaybreaks
\begin{document}
"""


def escaped(text: str) -> str:
    """Plain text for LaTeX.

    >>> escaped("50 % of b_1 → c")
    '50 \\\\% of b\\\\_1 $\\\\to$ c'
    """
    special = {
        "\\": r"\textbackslash{}",
        "→": r"$\to$",
        "^": r"\^{}",
        "~": r"\~{}",
        "·": r"$\cdot$",
        "∂": r"$\partial$",
    }
    special |= {"½": r"$\tfrac12$", "Σ": r"$\Sigma$", "²": "$^2$", "β": r"$\beta$", "…": r"\dots{}", "−": "$-$"}
    special |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
    return "".join(special.get(letter, letter) for letter in text)


def latex_of_step(explanation: WorkedStep) -> str:
    """The whole step as a document."""
    teller = Teller(explanation.program, Latex("alphabet", DIGITS))
    lines = [PREAMBLE + r"\section*{One training step, worked}", *(rf"{escaped(line)}\\" for line in explanation.about)]
    lines += [f"Written out: {written_out(explanation)}."]
    lines += [r"\subsection*{What goes in}"]
    lines += [latex_array(teller.name(name), value) for name, value in explanation.given.items()]
    stage = ""
    for worked in explanation.steps:
        if worked.statement.stage != stage:
            stage = worked.statement.stage
            lines += ["", rf"\subsection*{{{STAGE_WORDS[stage]}}}"]
        lines += ["", *latex_worked(worked, teller)]
    lines += ["", *(rf"\textbf{{{escaped(line)}}}\\" for line in result_lines(explanation))]
    return "\n".join([*lines, r"\end{document}", ""])


def latex_worked(worked: Worked, teller: Teller) -> Iterator[str]:
    """One statement."""
    yield escaped(worked.statement.words)
    texts = [teller.equation(worked.statement).replace(" = ", " &= ", 1)]
    if not isinstance(worked.value, tuple):
        texts += latex_entry(worked, teller)
    yield "\\begin{align*}\n" + " \\\\\n".join(texts) + "\n\\end{align*}"
    if slope := slope_told(worked):
        yield escaped(f"{slope[0].upper()}{slope[1:]}.")
    if not isinstance(worked.value, tuple) and shape_of(worked.value):
        yield latex_array(teller.name(worked.statement.target), worked.value)


def latex_entry(worked: Worked, teller: Teller) -> Iterator[str]:
    """One entry with names, with numbers, and what it is; a long sum goes over several lines."""
    head, result = written_place(worked, teller), teller.writes.number(worked.entry).text
    told = [node for node in (worked.names, worked.numbers) if node is not None and worked.numbers is not None]
    told = [node for node in told if plain_length(beginning(node), teller) <= 2 * LINE]
    texts = dict.fromkeys(" \\\\\n&\\quad ".join(in_lines(node, teller)) for node in told)
    for text in [*(text for text in texts if text != result), result]:
        yield f"{head} &= {text}"
        head = ""


def beginning(node: ast.expr) -> ast.expr:
    """The first term of a sum."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        node = node.left
    return node


def in_lines(node: ast.expr, teller: Teller) -> list[str]:
    """A sum that is too long for a line, cut before its last terms; each line begins with its sign."""
    later: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        if plain_length(node, teller) <= LINE:
            break
        sign, strength = ("+", SUM) if isinstance(node.op, ast.Add) else ("-", PRODUCT)
        later.insert(0, f"{sign} {teller.after_sign(teller.piece(node.right), strength)}")
        node = node.left
    return [teller.piece(node).text, *later]


def latex_array(symbol: str, value: Any) -> str:
    """An array as a matrix, or as its extremes."""
    array = np.asarray(value)
    writes = Latex("alphabet", DIGITS)
    if array.ndim == 0:
        return rf"\[ {symbol} = {writes.number(float(array)).text} \]"
    if not in_full(array):
        return rf"\[ {symbol}: \text{{{show_shape(array.shape)}, {extremes(array)}}} \]"
    rows = [" & ".join(writes.number(float(entry)).text for entry in line) for line in np.atleast_2d(array)]
    return rf"\[ {symbol} = \begin{{pmatrix}} " + r" \\ ".join(rows) + r" \end{pmatrix} \]"


def latex_of_influence(influence: Paths) -> str:
    """The paths of one weight as a document."""
    teller = Teller(influence.program, Latex("alphabet", DIGITS))
    lines = [PREAMBLE + rf"\section*{{How {escaped(influence.parameter)} acts on $J$}}"]
    rows = [(str(path).rpartition(":")[0], path.adds) for path in influence.paths[:MOST_SHOWN]] + others(influence)
    lines += [r"\begin{tabular}{lr}", *(rf"{escaped(way)} & {number(adds)} \\" for way, adds in rows), r"\hline"]
    lines += [rf"in all & {number(influence.total)} \\", r"\end{tabular}", ""]
    lines += [f"The gradient is {number(influence.gradient)}, by finite differences {number(influence.slope)}."]
    if influence.paths:
        told = factors(influence.paths[0], teller)
        texts = [f"{of} &= {name + ' = ' if name else ''}{number(value)}" for of, name, value in told]
        lines += [
            f"The first way in row {influence.row}; {SUMMED}:",
            "\\begin{align*}\n" + " \\\\\n".join(texts) + "\n\\end{align*}",
        ]
    return "\n".join([*lines, r"\end{document}", ""])


def sections(steps: tuple[Worked, ...]) -> Iterator[tuple[str, list[Worked]]]:
    """The statements by stage."""
    for stage in dict.fromkeys(worked.statement.stage for worked in steps):
        yield stage, [worked for worked in steps if worked.statement.stage == stage]
