"""Statements: write the statements of a program as functions in JavaScript.

Each function takes the values that its statements read by name, and returns all values that they compute by name.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from workings.program.program import STAGE_WORDS, Program, Shape, Statement, show_shape
from workings.readings.javascript.expressions import Expressions
from workings.readings.javascript.functions import INDENT
from workings.readings.javascript.names import Names
from workings.support.escaping import in_javascript_comment

WIDTH = 110  # columns
SCALARS = frozenset(("n", "lr", "t"))


@dataclass
class JavaScriptStatementWriter:
    """Writes statements as functions.

    Attributes
    ----------
    names : Names
        The JavaScript name of each name.
    constants, functions : mapping
        The constants and functions of the module.
    shapes : mapping of str to shape
        The shapes of inputs, for comments.
    """

    names: Names
    constants: Mapping[str, float]
    functions: Mapping[str, Callable[..., object]]
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    def function(self, name: str, words: str, program: Program, carried: Sequence[str] = ()) -> list[str]:
        """Return a function that computes statements; it returns what they compute, and the ``carried`` values."""
        known = {*self.constants, *self.functions, "np"}
        inputs = [one for one in Program(program.statements).inputs if one not in known]
        targets = list(dict.fromkeys(s.target for s in program.statements))
        lines = [f"/** {in_javascript_comment(words)} */", *self.head(name, inputs, targets)]
        lines += [INDENT + line for line in self.body(program, inputs)]
        results = [*targets, *(one for one in carried if one not in targets and one in inputs)]
        return [*lines, *self.result(results), "}"]

    def head(self, name: str, inputs: Sequence[str], targets: Sequence[str]) -> list[str]:
        """Return the first lines of a function, which name its inputs."""
        line = f"function {name}({self.names.entries(inputs)}) {{"
        if len(line) <= WIDTH:
            return [line]
        entries = wrapped(f"{', '.join(map(self.names.entry, inputs))},", INDENT)
        return [f"function {name}({{", *entries, "}) {"]

    def result(self, targets: Sequence[str]) -> list[str]:
        """Return the last lines of a function, which return its results."""
        line = f"{INDENT}return {self.names.entries(targets)};"
        if len(line) <= WIDTH:
            return ["", line]
        entries = wrapped(f"{', '.join(map(self.names.entry, targets))},", 2 * INDENT)
        return ["", f"{INDENT}return {{", *entries, f"{INDENT}}};"]

    def body(self, program: Program, inputs: Iterable[str]) -> list[str]:
        """Return the statements with their explanations."""
        given = {*inputs}
        assigned = [s.target for s in program.statements]
        known, numbers = {*given, *self.constants}, {*self.constants, *(SCALARS & given)}
        numbers |= {name for name in given if self.shapes.get(name) == ()}
        lines: list[str] = []
        stage = part = ""
        said: set[tuple[str, str]] = set()
        for statement in program.statements:
            if statement.stage != stage:
                stage = statement.stage
                lines += ["", f"// {STAGE_WORDS[stage]}."] if lines else [f"// {STAGE_WORDS[stage]}."]
            if statement.part != part:
                part = statement.part
                lines += ["", *comment(part)]
            if statement.words and (statement.part, statement.words) not in said:
                lines += comment(statement.words)
            if statement.stage == "update":
                said.add((statement.part, statement.words))
            declared = "" if statement.target in known else "let " if assigned.count(statement.target) > 1 else "const "
            lines += self.assignment(statement, declared, known, numbers)
            known.add(statement.target)
            numbers = numbers | {statement.target} if statement.shape == () else numbers - {statement.target}
        return lines

    def assignment(self, statement: Statement, declared: str, known: set[str], numbers: set[str]) -> list[str]:
        """Return one statement; the Python statement and the shape of its result are its comment."""
        expressions = Expressions(self.names, known, numbers, self.functions, str(statement))
        text = f"{declared}{self.names[statement.target]} = {expressions.text(statement.tree)};"
        shape = show_shape(statement.shape)
        note = in_javascript_comment(f"{statement}{f'  {shape}' if shape else ''}")
        line = f"{text}  // {note}"
        return [line] if len(line) <= WIDTH else [f"// {note}", text]


def comment(words: str) -> list[str]:
    """Return words as comment lines."""
    return wrapped(in_javascript_comment(words), "// ")


def wrapped(text: str, indent: str) -> list[str]:
    """Return text in lines that fit."""
    return textwrap.wrap(text, WIDTH - 10, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
