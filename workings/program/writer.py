"""The writer: statements from the source of formulas, with the network's names in place of the formulas' letters."""

from __future__ import annotations

import ast
import builtins
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workings.errors import ProgramError
from workings.program.program import Scope, Stage, Statement, is_name, name, parse_expression, text_of
from workings.support.formulas import Formula, letters_of, meaning_of, read_formula


class StatementWriter:
    """Writes statements: formulas with the network's names in place of their letters."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.functions: dict[str, Any] = {}  # functions of NumPy and of users
        self.constants: dict[str, float] = {}
        self.owned: dict[tuple[str, int], str] = {}  # the names of each part's constants
        self.used_names: set[str] = {"X", "y", "n", "w", "lr", "t", "np", "p", "losses", "loss", "J"}
        self.added: dict[str, tuple[ast.expr, str]] = {}  # added to a gradient by the statement that computes it
        self.stage: Stage = "forward"
        self.part = ""

    def unused_name(self, wanted: str) -> str:
        """Return the wanted name, with a number if it is taken already."""
        candidate, number = wanted, 2
        while candidate in self.used_names:
            candidate, number = f"{wanted}_{number}", number + 1
        self.used_names.add(candidate)
        return candidate

    def emit(self, target: str, expression: ast.expr, words: str) -> None:
        """Write one statement."""
        if target in self.added:
            more, why = self.added.pop(target)
            expression, words = ast.BinOp(expression, ast.Add(), more), f"{words.rstrip('.')}; {why}."
        self.used_names.add(target)
        self.statements.append(Statement(target, text_of(expression), self.stage, self.part, sentence(words)))

    def find_equal(self, expression: ast.expr) -> str | None:
        """Return the name of an equal expression that was computed before any update; None if there is none."""
        if self.stage == "update":
            return None
        text = text_of(expression)
        return next((s.target for s in self.statements if s.expression == text), None)

    def constant(self, letter: str, value: float, owner: object) -> ast.expr:
        """Return the name of a constant; if two parts use one letter for two numbers, the second gets a longer name."""
        key = (letter, id(owner))
        if key not in self.owned:
            is_other = letter in self.used_names and self.constants.get(letter) != value
            self.owned[key] = self.unused_name(f"{letter}_{type(owner).__name__.lower()}") if is_other else letter
        self.used_names.add(self.owned[key])
        self.constants[self.owned[key]] = float(value)
        return name(self.owned[key])

    def bind(
        self,
        function: Callable[..., object],
        scope: Scope,
        results: Sequence[str],
        names: Mapping[str, str],
        suffix: str,
    ) -> None:
        """Write a formula and assign its results, in this order, to their names.

        Results that the formula itself computed under their letters may be in any order.
        """
        found = self.write(function, scope, names, suffix, len(results))
        if len(found) != len(results):
            raise ProgramError(
                f"{name_of(function)} returns {len(found)} values; in {self.part} it must return "
                f"{len(results)}: {', '.join(results)}."
            )
        wanted = [names[letter] for letter in results]
        open_ones = [(t, r) for t, r in zip(wanted, found, strict=True) if not any(is_name(r, w) for w in wanted)]
        for target, result in open_ones:  # all are computed before any is assigned
            self.emit(f"{target}_new" if len(open_ones) > 1 else target, result, words_of(function, target))
        for target, _ in open_ones if len(open_ones) > 1 else ():
            self.emit(target, name(f"{target}_new"), f"{target} is set to its new value")

    def write(
        self, function: Callable[..., object], scope: Scope, names: Mapping[str, str], suffix: str, results: int = 1
    ) -> tuple[ast.expr, ...]:
        """Write a formula's lines and return its results as expressions.

        ``scope`` maps letters to expressions; the formula's own letters are added to it.  ``names`` gives the
        names of some of these letters; the names of the others end with ``suffix``.  The number of
        ``results`` matters only for a function that is called by its name.
        """
        formula = read_formula(function)
        if formula is None:
            return self.call(function, scope, results)
        asked = zip(formula.letters, letters_of(function, scope), strict=True)
        inner = {letter: self.expression_for(meant, function, scope) for letter, meant in asked}
        self.name_long_arguments(formula, inner, suffix)
        for line in formula.lines:
            expression = Renamer(self, function, inner, suffix).visit(line.expression)
            known = None if line.name in names else self.find_equal(expression)
            if known is None:
                known = names.get(line.name) or self.unused_name(line.name + suffix)
                self.emit(known, expression, line.words or words_of_call(line.expression, function, known))
            inner[line.name] = scope[line.name] = name(known)
        return tuple(Renamer(self, function, inner, suffix).visit(r) for r in formula.results)

    def call(self, function: Callable[..., object], scope: Scope, results: int) -> tuple[ast.expr, ...]:
        """Call a function by its name, because it is not straight-line code."""
        arguments = [self.expression_for(letter, function, scope) for letter in letters_of(function, scope)]
        result = ast.Call(self.function(function), arguments, [])
        if results == 1:
            return (result,)
        together = self.unused_name("results")
        self.emit(together, result, f"{together} are the results of {name_of(function)}")
        return tuple(ast.Subscript(name(together), ast.Constant(i), ast.Load()) for i in range(results))

    def function(self, function: object, wanted: str = "") -> ast.expr:
        """Return the name of a function or another object in the program."""
        wanted = wanted or name_of(function)
        wanted = wanted if wanted.isidentifier() else "function"
        for known, value in self.functions.items():
            if value is function:
                return name(known)
        known = self.unused_name(wanted)
        self.functions[known] = function
        return name(known)

    def expression_for(self, letter: str, function: Callable[..., object], scope: Scope) -> ast.expr:
        """Return the expression that a letter of a formula stands for."""
        if letter == "self":
            raise ProgramError(
                f"{name_of(function)} is a method, with self. A formula must be a plain function: define it outside of "
                f"the class, and assign it in the class."
            )
        if letter not in scope:
            raise ProgramError(
                f"{name_of(function)} uses the letter {letter!r}, which is not defined in "
                f"{self.part or 'this formula'}. It may use: {', '.join(sorted(scope))}."
            )
        return scope[letter]

    def name_long_arguments(self, formula: Formula, inner: Scope, suffix: str) -> None:
        """Compute an argument under a name of its own if it is an expression that the formula uses twice."""
        for letter in formula.letters:
            if isinstance(inner[letter], (ast.Name, ast.Constant)):
                continue
            pieces = [*formula.results, *(line.expression for line in formula.lines)]
            uses = sum(is_name(node, letter) for piece in pieces for node in ast.walk(piece))  # type: ignore[arg-type]
            if uses > 1:
                known = self.find_equal(inner[letter])
                if known is None:
                    known = self.unused_name(letter + suffix)
                    self.emit(known, inner[letter], f"{known} is an input that is used more than once")
                inner[letter] = name(known)


class Renamer(ast.NodeVisitor):
    """Replaces letters by their expressions, and calls of formulas by the formulas.

    It returns new syntax and leaves the formula's own tree unchanged.
    """

    def __init__(self, writer: StatementWriter, function: Callable[..., object], scope: Scope, suffix: str) -> None:
        self.writer, self.function, self.scope, self.suffix = writer, function, scope, suffix

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.scope:
            return self.scope[node.id]
        value = meaning_of(self.function, node.id)
        if isinstance(value, (bool, int, float)):
            return ast.Constant(value)
        if node.id == "np" or value is getattr(builtins, node.id, self):
            return node
        return self.writer.function(value, node.id) if value is not None else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called = meaning_of(self.function, node.func.id) if isinstance(node.func, ast.Name) else None
        if not isinstance(called, types.FunctionType) or node.keywords or node.func.id in self.scope:  # type: ignore[attr-defined]
            return self.generic_visit(node)  # type: ignore[no-any-return]
        arguments = [self.visit(argument) for argument in node.args]
        formula = read_formula(called)
        if formula is None or len(formula.results) != 1 or len(formula.letters) != len(arguments):
            return ast.Call(self.writer.function(called), arguments, [])
        return self.writer.write(called, dict(zip(formula.letters, arguments, strict=True)), {}, self.suffix)[0]

    def generic_visit(self, node: ast.AST) -> Any:
        """Return a node of the same kind, with its parts replaced."""
        return type(node)(**{field: self.visit_part(part) for field, part in ast.iter_fields(node)})

    def visit_part(self, part: object) -> object:
        """Replace a part of a node: a node, a list of parts, or something that is no syntax."""
        if isinstance(part, list):
            return [self.visit_part(one) for one in part]
        return self.visit(part) if isinstance(part, ast.AST) else part


def formula_code(function: Callable[..., object], **letters: str) -> str:
    """Return a formula of one line as code, with expressions in place of its letters."""
    scope: Scope = {letter: parse_expression(text) for letter, text in letters.items()}
    return text_of(StatementWriter().write(function, scope, {}, "")[0])


def words_of(function: Callable[..., object], subject: str) -> str:
    """Return the first line of a formula's docstring, as a sentence about ``subject`` or about the function."""
    formula = read_formula(function)
    words = formula.words if formula else (inspect.getdoc(function) or "").split("\n")[0]
    if not words:
        return f"{subject} is the result of {name_of(function)}"
    if words.split()[0] in ("is", "are"):
        return f"{subject} {words}"
    return f"{name_of(function)} {words}" if words[0].islower() else words


def name_of(function: object) -> str:
    """Return the name of a function."""
    return str(getattr(function, "__name__", type(function).__name__))


def words_of_call(expression: ast.expr, function: Callable[..., object], subject: str) -> str:
    """Return the words of the formula that a line calls, if the line is only this call."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
        called = meaning_of(function, expression.func.id)
        if isinstance(called, types.FunctionType):
            return words_of(called, subject)
    return ""


def sentence(words: str) -> str:
    """Return the words with a full stop at their end."""
    return words if not words or words.endswith((".", "!", "?")) else words + "."
