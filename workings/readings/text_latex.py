"""Format explanations as text for the terminal and as LaTeX.

Numbers have at least six significant digits.  Large arrays are summarized by their extremes and one row.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

import numpy as np

from workings.program.program import STAGE_WORDS, Program, show_shape
from workings.readings.derivation import WorkedLine, check_lines
from workings.readings.equations import PRODUCT, SUM, EquationWriter, LatexNotation, PlainNotation
from workings.readings.influence import PathAnalysis, WeightPath
from workings.readings.worked_step import WorkedStatement, WorkedStep, shown_rows
from workings.support.arrays import Array, Values
from workings.support.escaping import in_latex, latex_declarations

DIGITS = 6
MOST_ROWS, MOST_COLUMNS = 8, 8  # largest array that is shown in full
WIDTH = 100
LONGEST = 400  # longest expression of an entry, in characters
LINE = 76  # length of a line in LaTeX, in characters of plain text
NO_PATH = "its input is 0 in all of these rows, or a derivative on every path is 0"
SUMMED = "the contribution above is the sum over all rows"
MOST_SHOWN = 12  # paths to list


def number(value: float, digits: int = DIGITS) -> str:
    """Format a number with a number of significant digits.

    >>> number(0.1 + 0.2), number(3.0), number(-1.23456789e-7), number(1234567.0)
    ('0.3', '3', '-1.23457e-07', '1234567')
    """
    is_whole = float(value).is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else f"{float(value):.{digits}g}"


def objective_text(value: float) -> str:
    """Format the objective, with more digits for comparison."""
    return number(value, 9)


def shape_of(value: Values) -> tuple[int, ...]:
    """Return the shape of an array or a number."""
    return tuple(np.shape(value))


def is_small(value: object) -> bool:
    """Return whether an array is small enough to be shown in full."""
    rows, columns = (1, 1, *shape_of(value))[-2:]
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def extremes(value: object) -> str:
    """Describe an array by its smallest and largest entries, with their indices.

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


def shapes_line(worked: WorkedStatement) -> str:
    """Return the shapes of a statement's inputs and result."""
    known = [(name, shape) for name, shape in worked.reads.items() if shape]
    read = ", ".join(f"{name} {show_shape(shape)}" for name, shape in known)
    result = f"{worked.statement.target} {show_shape(shape_of(worked.value))}"
    return f"{read} → {result}" if read else result


def entry_name(worked: WorkedStatement) -> str:
    """Return the name of the written-out entry in code."""
    places = ",".join(map(str, worked.index))
    return f"{worked.statement.target}[{places}]" if worked.index else worked.statement.target


def finite_difference_line(worked: WorkedStatement) -> str:
    """Return the comparison of a gradient with finite differences; empty if there is none."""
    slopes = worked.slopes
    if slopes is None:
        return ""
    there = number(float(slopes.values[worked.index]))
    count = int(np.isfinite(slopes.values).sum())
    by = entry_name(worked).removeprefix("d")
    text = f"finite difference of J with respect to {by}: {there}"
    if count > 1:
        text += f"; all {count} entries agree to {slopes.error:.0e}" if slopes.agrees else ""
    if slopes.corners:
        text += f"; {slopes.corners} at a kink, where any slope between the one-sided ones is correct"
    return text if slopes.agrees else f"{text}; GRADIENT AND FINITE DIFFERENCE DIFFER by {slopes.error:.0e}"


# -- text ------------------------------------------------------------------------------------


def text_of_step(explanation: WorkedStep) -> str:
    """Return a worked step as text for the terminal."""
    lines = ["One training step in detail", *(f"  {line}" for line in explanation.about)]
    writer = EquationWriter(explanation.program, PlainNotation(DIGITS))
    lines += [*wrapped(selection(explanation), "  "), "", "Inputs"]
    for name, value in explanation.given.items():
        lines += [*array_lines(name, value, explanation, writer), *wrapped(explanation.origins.get(name, ""), "      ")]
    stage = part = ""
    for worked in explanation.steps:
        if worked.statement.stage != stage:
            stage, part = worked.statement.stage, ""
            lines += ["", STAGE_WORDS[stage], "=" * len(STAGE_WORDS[stage])]
        if worked.statement.part != part:
            part = worked.statement.part
            lines += ["", heading(part, explanation.program)]
        lines += ["", *worked_lines(worked, writer, explanation)]
        if is_derived(worked, explanation):
            lines += ["", *derivation_text(explanation, writer)]
    return "\n".join([*lines, "", *result_lines(explanation)])


def selection(explanation: WorkedStep) -> str:
    """Describe which row and units are written out, and how everything is counted."""
    which = f"unit {explanation.unit} of each layer" + (" (the last one of smaller layers)" if explanation.unit else "")
    return (
        f"Written out: row {explanation.row}, {which}. Rows, columns and units count from 0, as in NumPy: X[0,0] is "
        f"row 0, column 0 of X. The number in a name such as W1 belongs to the name."
    )


def heading(part: str, program: Program) -> str:
    """Return the heading of a layer, loss or optimizer; a layer has no number, but the names of its parameters.

    >>> from workings import Dense, Dropout, Network
    >>> program = Network([Dense(3, "tanh"), Dropout(0.4), Dense(1)], loss="SquaredError", n_in=2).program()
    >>> [heading(part, program) for part in dict.fromkeys(s.part for s in program.stage("forward"))][:2]
    ["Dense(3, 'tanh') with W1 and b1", 'Dropout(rate=0.4) with mask1']
    """
    layer = re.fullmatch(r"layer \d+: (.*)", part)
    if layer is None:
        return part
    read = {name for s in program.stage("forward") if s.part == part for name in s.reads}
    names = [name for name in (*program.parameters, *program.draws) if name in read]
    listed = " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])
    return f"{layer[1]} with {listed}" if listed else layer[1]


def wrapped(text: str, indent: str) -> list[str]:
    """Wrap a text, with all its lines indented."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def name_with_symbol(name: str, writer: EquationWriter) -> str:
    """Return a name, with its symbol in equations if that differs.

    >>> from workings import Dense, Network, SGD
    >>> program = Network([Dense(1)], loss="SquaredError", n_in=1).program(SGD(0.1))
    >>> writer = EquationWriter(program, PlainNotation())
    >>> name_with_symbol("lr", writer), name_with_symbol("n", writer)
    ('lr (η)', 'n')
    """
    symbol = writer.name(name)
    return name if symbol == name else f"{name} ({symbol})"


def result_lines(explanation: WorkedStep) -> list[str]:
    """Return the objective before and after the step."""
    lines = [f"J before the step: {objective_text(explanation.before)}"]
    if explanation.after is not None:
        change = explanation.after - explanation.before
        lines += [f"J after the step:  {objective_text(explanation.after)}  ({change:+.6g})"]
    return lines


def worked_lines(worked: WorkedStatement, writer: EquationWriter, explanation: WorkedStep) -> Iterator[str]:
    """Yield the lines of one statement: equation, explanation, notes, shapes, one entry, values."""
    yield f"  {writer.equation(worked.statement)}"
    yield from (line for words in (worked.statement.words, *worked.notes) for line in wrapped(words, "    "))
    yield f"    {shapes_line(worked)}"
    if isinstance(worked.value, tuple):
        return
    yield from entry_lines(worked, writer)
    if comparison := finite_difference_line(worked):
        yield from textwrap.wrap(comparison, WIDTH, initial_indent="    ", subsequent_indent="      ")
    if shape_of(worked.value):
        yield from array_lines(worked.statement.target, worked.value, explanation, writer)


def entry_lines(worked: WorkedStatement, writer: EquationWriter) -> Iterator[str]:
    """Yield one entry with names, with numbers, and its value."""
    head = entry_symbol(worked, writer)
    space = " " * len(head)
    result = number(worked.entry) if worked.index or worked.statement.target != "J" else objective_text(worked.entry)
    sign = writer.sign(worked.statement)
    for text in entry_forms(worked, writer):
        if text != result:
            yield from wrap_line(f"    {head}{sign}", text)
            head, sign = space, writer.notation.equals
    yield f"    {head}{sign}{result}"


def entry_forms(worked: WorkedStatement, writer: EquationWriter) -> list[str]:
    """Return the entry with names and with numbers; empty if it cannot be written out."""
    if worked.names is None or worked.numbers is None or plain_length(worked.names, writer) > LONGEST:
        return []
    return list(dict.fromkeys([writer.piece(worked.names).text, writer.piece(worked.numbers).text]))


def plain_length(node: ast.expr, writer: EquationWriter) -> int:
    """Return the length of an expression as plain text."""
    return len(EquationWriter(writer.program, PlainNotation(DIGITS)).piece(node).text)


def entry_symbol(worked: WorkedStatement, writer: EquationWriter) -> str:
    """Return the written-out entry as a symbol in equations."""
    places = ",".join(map(str, worked.index))
    target = worked.statement.target
    return writer.entry(target, places) if worked.index else writer.name(target)


def wrap_line(head: str, text: str) -> list[str]:
    """Wrap a long line with a hanging indent."""
    indent = " " * len(head)
    return textwrap.wrap(text, max(WIDTH, len(head) + 30), initial_indent=head, subsequent_indent=indent)


def array_lines(name: str, value: object, explanation: WorkedStep, writer: EquationWriter) -> list[str]:
    """Return the lines of an array: in full if it is small, else its extremes and some rows."""
    array = np.asarray(value)
    if array.ndim == 0:
        return [f"    {name_with_symbol(name, writer)} = {number(float(array))}"]
    if is_small(array):
        return [f"    {name} =", *(f"      {line}" for line in columns(array))]
    lines = [f"    {name} {show_shape(array.shape)}: {extremes(array)}"]
    if array.ndim == 1:
        return [*lines, *wrap_line(f"      {name}: ", "  ".join(columns(array)))]
    places = shown_rows(len(array), explanation.row if len(array) == explanation.rows else 0)
    cells = columns(array[places, : 2 * MOST_COLUMNS])
    more = f"  … ({array.shape[1] - 2 * MOST_COLUMNS} more)" if array.shape[1] > 2 * MOST_COLUMNS else ""
    names = [f"{name}[{place}]" for place in places]
    width = max(map(len, names))
    for title, line in zip(names, cells, strict=True):
        lines += wrap_line(f"      {title:<{width}}  ", line + more)
    left = len(array) - len(places)
    return [*lines, *([f"      … ({left} more {'row' if left == 1 else 'rows'})"] if left else [])]


def is_derived(worked: WorkedStatement, explanation: WorkedStep) -> bool:
    """Return whether a statement is the gradient of the loss, whose derivation follows it."""
    return bool(explanation.derivation) and worked.statement == explanation.program.stage("backward")[0]


def derivation_title(explanation: WorkedStep, writer: EquationWriter) -> str:
    """Return the question that a derivation answers."""
    equation = writer.equation(explanation.program.stage("backward")[0])
    return f"Why {equation}? {derivation_place(explanation)}"


def derivation_place(explanation: WorkedStep) -> str:
    """Return whose numbers a derivation has: the row, and the unit of the last layer, which may have fewer units."""
    row, unit = explanation.derivation[-1].index
    return f"With the numbers of row {row}, unit {unit}:"


def derivation_sides(line: WorkedLine, writer: EquationWriter) -> tuple[str, str, str]:
    """Return the left side of a line, its right side, and its entry with numbers (may be empty)."""
    left = writer.name(line.equals)
    if line.of:
        of = writer.expression(line.of)
        left = writer.notation.derivative(
            of if line.of.isidentifier() else writer.notation.group(of), writer.name(line.by)
        )
    return left, writer.expression(line.expression), "" if line.numbers is None else writer.piece(line.numbers).text


def derivation_end(line: WorkedLine) -> str:
    """Return which value of the program a line gives."""
    places = ",".join(map(str, line.index))
    is_number = line.entry == 1 and not line.equals
    return f", as {line.equals}[{places}] of the program" if line.equals and line.agrees and not is_number else ""


def derivation_text(explanation: WorkedStep, writer: EquationWriter) -> Iterator[str]:
    """Yield the lines of a derivation as text."""
    yield f"    {derivation_title(explanation, writer)}"
    for place, line in enumerate(explanation.derivation, start=1):
        left, right, numbers = derivation_sides(line, writer)
        yield from wrap_line(f"      {place}. ", line.words)
        yield from wrap_line(f"         {left} = ", right)
        if line.is_finite and right != number(line.entry):
            value = number(line.entry)
            terms = f"{numbers} = " if numbers not in ("", value) else ""
            yield from wrap_line("           here: ", f"{terms}{value}{derivation_end(line)}")
        yield from (text for words in check_lines(line) for text in wrapped(words, "           "))


def columns(array: Array) -> list[str]:
    """Return the rows of a small array with aligned columns."""
    cells = [[number(float(entry)) for entry in line] for line in np.atleast_2d(array)]
    widths = [max(len(line[j]) for line in cells) for j in range(len(cells[0]))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def text_of_influence(influence: PathAnalysis) -> str:
    """Return the paths of one weight as text for the terminal."""
    count = len(influence.paths)
    lines = [f"How {influence.parameter} affects J"]
    gradient, slope = number(influence.gradient), number(influence.slope)
    lines += [f"  ∂J/∂{influence.parameter} = {gradient}, by finite differences {slope}", ""]
    width = max((len(str(path).rpartition(":")[0]) for path in influence.paths[:MOST_SHOWN]), default=10)
    for path in influence.paths[:MOST_SHOWN]:
        name = str(path).rpartition(":")[0]
        lines.append(f"  {name:<{width}}  adds {number(path.adds):>12}")
    lines += [f"  {words:<{width}}  adds {number(adds):>12}" for words, adds in other_contributions(influence)]
    lines += [f"  {f'{count:,} paths' if count != 1 else '1 path':<{width}}  sum  {number(influence.total):>12}"]
    if influence.paths:
        lines += ["", *path_lines(influence, influence.paths[0])]
    else:
        lines += ["", f"{influence.parameter} does not affect J: {NO_PATH}."]
    return "\n".join(lines)


def other_contributions(influence: PathAnalysis) -> list[tuple[str, float]]:
    """Return the contributions of paths that are not listed, and of regularizers."""
    found = []
    beyond = influence.paths[MOST_SHOWN:]
    if beyond or influence.rest:
        words = f"{len(beyond):,} weaker paths" + (" and all others" if influence.rest else "")
        found.append((words, sum(path.adds for path in beyond) + influence.rest))
    if influence.penalty:
        found.append(("the regularizer", influence.penalty))
    return found


def path_lines(influence: PathAnalysis, path: WeightPath) -> Iterator[str]:
    """Yield the factors of the strongest path in one row."""
    writer = EquationWriter(influence.program, PlainNotation(DIGITS))
    only = ", within this row only (a layer combines rows)" if influence.mixes else ""
    yield f"Factors of the first path in row {influence.row}{only}; {SUMMED}:"
    for of, name, value in factors(path, writer):
        yield f"  {of} = {name + ' = ' if name else ''}{number(value)}"
    product = float(np.prod([link.value for link in path.links]))
    yield f"  {' · '.join(with_sign(number(link.value)) for link in path.links)} = {number(product)}"


def with_sign(text: str) -> str:
    """Put a negative factor in parentheses."""
    return f"({text})" if text.startswith("-") else text


def factors(path: WeightPath, writer: EquationWriter) -> Iterator[tuple[str, str, float]]:
    """Yield each factor: the derivative, its expression (may be empty), its value."""
    for link in path.links:
        name = "" if link.names is None else writer.piece(link.names).text
        yield derivative(link.of, link.by, writer), name, link.value


def derivative(of: ast.expr, by: ast.expr, writer: EquationWriter) -> str:
    """Return the derivative of one entry with respect to another; the last factor is already a gradient."""
    if of is by:
        return writer.piece(of).text
    return writer.notation.derivative(writer.piece(of).text, writer.piece(by).text)


# -- LaTeX -----------------------------------------------------------------------------------

PREAMBLE = r"""\documentclass{article}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath}
\setlength{\parindent}{0pt}
\raggedright
\allowdisplaybreaks
"""


def latex_of_step(explanation: WorkedStep) -> str:
    """Return a worked step as a LaTeX document."""
    writer = EquationWriter(explanation.program, LatexNotation("alphabet", DIGITS))
    lines = [
        r"\section*{One training step in detail}",
        *(rf"{in_latex(line)}\\" for line in explanation.about),
    ]
    lines += [in_latex(selection(explanation))]
    lines += [r"\subsection*{Inputs}"]
    for name, value in explanation.given.items():
        lines += [in_latex(explanation.origins.get(name, "")), latex_array(writer.name(name), value)]
    stage = part = ""
    for worked in explanation.steps:
        if worked.statement.stage != stage:
            stage = worked.statement.stage
            lines += ["", rf"\subsection*{{{STAGE_WORDS[stage]}}}"]
            part = ""
        if worked.statement.part != part:
            part = worked.statement.part
            lines += ["", rf"\paragraph*{{{in_latex(heading(part, explanation.program))}}}\mbox{{}}\\"]
        lines += ["", *latex_worked(worked, writer)]
        lines += latex_derivation(explanation, writer) if is_derived(worked, explanation) else []
    lines += ["", *(rf"\textbf{{{in_latex(line)}}}\\" for line in result_lines(explanation))]
    return latex_document(lines)


def latex_document(lines: list[str]) -> str:
    """Return a document with a preamble that knows each of its characters."""
    body = "\n".join([r"\begin{document}", *lines, r"\end{document}", ""])
    return f"{PREAMBLE}{latex_declarations(body)}\n{body}"


def latex_worked(worked: WorkedStatement, writer: EquationWriter) -> Iterator[str]:
    """Yield the LaTeX of one statement."""
    yield from map(in_latex, (worked.statement.words, *worked.notes))
    texts = [writer.aligned(worked.statement)]
    if not isinstance(worked.value, tuple):
        texts += latex_entry(worked, writer)
    yield "\\begin{align*}\n" + " \\\\\n".join(texts) + "\n\\end{align*}"
    if slope := finite_difference_line(worked):
        yield in_latex(f"{slope[0].upper()}{slope[1:]}.")
    if not isinstance(worked.value, tuple) and shape_of(worked.value):
        yield latex_array(writer.name(worked.statement.target), worked.value)


def latex_derivation(explanation: WorkedStep, writer: EquationWriter) -> Iterator[str]:
    """Yield the LaTeX of a derivation."""
    gradient = writer.equation(explanation.program.stage("backward")[0])
    where = derivation_place(explanation)
    yield rf"\paragraph*{{Why ${gradient}$?}}\mbox{{}}\\" + f"\n{where}\n\\begin{{enumerate}}"
    for line in explanation.derivation:
        left, right, numbers = derivation_sides(line, writer)
        sides = [f"{left} &= {right}"]
        if line.is_finite:
            value = writer.notation.number(line.entry).text
            forms = [] if line.numbers is None else [" \\\\\n&\\quad ".join(split_sum(line.numbers, writer)), value]
            sides += [f"&= {text}" for text in dict.fromkeys(forms or [numbers, value]) if text not in ("", right)]
        yield rf"\item {in_latex(line.words)}"
        yield "\\begin{align*}\n" + " \\\\\n".join(sides) + "\n\\end{align*}"
        yield from map(in_latex, check_lines(line))
    yield r"\end{enumerate}"


def latex_entry(worked: WorkedStatement, writer: EquationWriter) -> Iterator[str]:
    """Yield one entry with names, with numbers, and its value; long sums are split over several lines."""
    head, result = entry_symbol(worked, writer), writer.notation.number(worked.entry).text
    nodes = [node for node in (worked.names, worked.numbers) if node is not None and worked.numbers is not None]
    nodes = [node for node in nodes if plain_length(first_term(node), writer) <= 2 * LINE]
    texts = dict.fromkeys(" \\\\\n&\\quad ".join(split_sum(node, writer)) for node in nodes)
    sign = writer.sign(worked.statement)
    for text in [*(text for text in texts if text != result), result]:
        yield f"{head} &{sign.lstrip()}{text}"
        head, sign = "", writer.notation.equals


def first_term(node: ast.expr) -> ast.expr:
    """Return the first term of a sum."""
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        node = node.left
    return node


def split_sum(node: ast.expr, writer: EquationWriter) -> list[str]:
    """Split a long sum into lines that begin with a sign."""
    later: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        if plain_length(node, writer) <= LINE:
            break
        sign, precedence = ("+", SUM) if isinstance(node.op, ast.Add) else ("-", PRODUCT)
        later.insert(0, f"{sign} {writer.operand_after_sign(writer.piece(node.right), precedence)}")
        node = node.left
    return [writer.piece(node).text, *later]


def latex_array(symbol: str, value: object) -> str:
    """Return an array as a matrix, or its extremes if it is large."""
    array = np.asarray(value)
    notation = LatexNotation("alphabet", DIGITS)
    if array.ndim == 0:
        return rf"\[ {symbol} = {notation.number(float(array)).text} \]"
    if not is_small(array):
        return rf"\[ {symbol}: \text{{{show_shape(array.shape)}, {extremes(array)}}} \]"
    rows = [" & ".join(notation.number(float(entry)).text for entry in line) for line in np.atleast_2d(array)]
    return rf"\[ {symbol} = \begin{{pmatrix}} " + r" \\ ".join(rows) + r" \end{pmatrix} \]"


def latex_of_influence(influence: PathAnalysis) -> str:
    """Return the paths of one weight as a LaTeX document."""
    writer = EquationWriter(influence.program, LatexNotation("alphabet", DIGITS))
    lines = [rf"\section*{{How {in_latex(influence.parameter)} affects $J$}}"]
    rows = [(str(path).rpartition(":")[0], path.adds) for path in influence.paths[:MOST_SHOWN]] + other_contributions(
        influence
    )
    lines += [r"\begin{tabular}{lr}", *(rf"{in_latex(path)} & {number(adds)} \\" for path, adds in rows), r"\hline"]
    lines += [rf"total & {number(influence.total)} \\", r"\end{tabular}", ""]
    lines += [f"The gradient is {number(influence.gradient)}, by finite differences {number(influence.slope)}."]
    if influence.paths:
        shown = factors(influence.paths[0], writer)
        texts = [f"{of} &= {name + ' = ' if name else ''}{number(value)}" for of, name, value in shown]
        lines += [
            f"Factors of the first path in row {influence.row}; {SUMMED}:",
            "\\begin{align*}\n" + " \\\\\n".join(texts) + "\n\\end{align*}",
        ]
    return latex_document(lines)


def sections(steps: tuple[WorkedStatement, ...]) -> Iterator[tuple[str, list[WorkedStatement]]]:
    """Yield the statements by stage."""
    for stage in dict.fromkeys(worked.statement.stage for worked in steps):
        yield stage, [worked for worked in steps if worked.statement.stage == stage]
