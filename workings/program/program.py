"""The program: the named statements of one training step.

This module turns a network, a loss and an optimizer into a list of statements in three stages: forward, backward
and update.  It contains no mathematics.  Each statement is the source of a formula (``formulas.py``) with the
network's names in place of the formula's letters: ``x @ W + b`` becomes ``z1 = X @ W1 + b1``.  Engines run these
statements; scripts, worked steps and checks read the same ones.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, get_args

from workings.errors import ProgramError, unknown_name
from workings.layers import Dense, Layer, chain_rule, numbered
from workings.losses import Loss
from workings.optimizers import Part
from workings.regularizers import Regularizer
from workings.support.formulas import Formula, letters_of, meaning_of, read_formula

Stage = Literal["forward", "backward", "update"]
STAGES: tuple[Stage, ...] = get_args(Stage)
STAGE_WORDS: Mapping[str, str] = {
    "forward": "Forward: from the inputs to the objective",
    "backward": "Backward: the gradient of the objective with respect to each value, from last to first",
    "update": "Update: a step against the gradient",
}
Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Statement:
    """One line of the program: ``target = expression``.

    ``part`` is the layer, loss or optimizer that it belongs to; ``words`` says in one sentence what it does;
    ``shape`` is the shape of its result, with ``"n"`` for the number of rows in the batch.
    """

    target: str
    expression: str
    stage: Stage
    part: str
    words: str
    shape: Shape | None = None

    def __post_init__(self) -> None:
        checked_stage(self.stage)

    @property
    def tree(self) -> ast.expr:
        """The right-hand side as syntax, parsed once; to change it, take a copy."""
        return parse_expression(self.expression)

    @property
    def reads(self) -> frozenset[str]:
        """The names on the right-hand side."""
        return names_read(self.expression)

    def __str__(self) -> str:
        return f"{self.target} = {self.expression}"


@dataclass(frozen=True)
class Program:
    """The statements of one step, and the names that they use.

    Attributes
    ----------
    statements : tuple of Statement
        In the order in which they run.
    parameters, statistics, states, draws : tuple of str
        The names of the trained parameters; of the layers' running statistics; of the optimizer's state, which
        starts at 0; of the random values drawn for each step.
    constants : mapping of str to float
        Fixed numbers such as ``lam`` and ``beta1``.
    functions : mapping of str to object
        Functions that are not straight-line code, which the statements call by name.
    aliases : mapping of str to str
        Standard names without a statement: without an activation, ``a1`` is an alias of ``z1``.

    Examples
    --------
    >>> from workings import Dense, Network, SquaredError
    >>> program = Network([Dense(1)], loss=SquaredError(), n_in=2).program()
    >>> print(program["dW1"], program["dW1"].shape)
    dW1 = X.T @ dz1 (2, 1)
    """

    statements: tuple[Statement, ...]
    parameters: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def carried(self) -> tuple[str, ...]:
        """The names whose values are carried from one step to the next."""
        return self.parameters + self.statistics + self.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names that must be given (data, parameters …), in the order of their first use."""
        known = {"np", *self.constants, *self.functions, *dir(builtins)}
        needed: dict[str, None] = {}
        for statement in self.statements:
            needed.update(dict.fromkeys(sorted(statement.reads - known)))
            known.add(statement.target)
        return tuple(needed)

    def __getitem__(self, target: str) -> Statement:
        """Return the statement that computes a name; the last one, if several do."""
        name = self.aliases.get(target, target)
        for statement in reversed(self.statements):
            if statement.target == name:
                return statement
        raise unknown_name("name in the program", target, [s.target for s in self.statements])

    def stage(self, name: str) -> tuple[Statement, ...]:
        """Return the statements of one stage: forward, backward or update."""
        stage = checked_stage(name)
        return tuple(s for s in self.statements if s.stage == stage)

    def needed_for(self, *results: str) -> Program:
        """Return the same program without the statements that these results do not need."""
        live, kept = set(results), []
        for statement in reversed(self.statements):
            if statement.target in live:
                live = (live - {statement.target}) | statement.reads
                kept.append(statement)
        return replace(self, statements=tuple(reversed(kept)))

    def only_multiplies(self, name: str) -> bool:
        """Return whether a name occurs only as ``name @ …`` and ``name.T @ …``, which sparse matrices support."""
        nodes = [node for s in self.statements for node in ast.walk(s.tree)]
        first = [node.left for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)]
        factors = [left.value if isinstance(left, ast.Attribute) and left.attr == "T" else left for left in first]
        uses = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
        return uses == sum(is_name(factor, name) for factor in factors)

    def without(self, other: Program) -> Program:
        """Return the same program without the statements of another one."""
        return replace(self, statements=tuple(s for s in self.statements if s not in other.statements))

    def followed_by(self, statement: Statement) -> Program:
        """Return the same program with one more statement at its end."""
        return replace(self, statements=(*self.statements, statement))

    def replacing(self, target: str, expression: str) -> Program:
        """Return the same program with another right-hand side for one name, for example to try out a mistake."""
        old = self[target]
        new = replace(old, expression=checked_expression(expression))
        return replace(self, statements=tuple(new if s is old else s for s in self.statements))

    def with_shapes(self, shapes: Mapping[str, Shape]) -> Program:
        """Return the same program with the shape of each result in its statement."""
        return replace(self, statements=tuple(replace(s, shape=shapes.get(s.target)) for s in self.statements))

    def __str__(self) -> str:
        width = min(max((len(str(s)) for s in self.statements), default=0), 60)
        lines = []
        if self.constants:
            lines += ["constants", "  " + ", ".join(f"{k} = {v:g}" for k, v in self.constants.items()), ""]
        for stage, statements in groupby(self.statements, key=lambda s: s.stage):
            lines.append(stage)
            for s in statements:
                lines.append(f"  {s!s:<{width}}  {show_shape(s.shape):<10}  {s.words}".rstrip())
            lines.append("")
        return "\n".join(lines).strip("\n")


def checked_stage(name: str) -> Stage:
    """Return the name of a stage; raise an error for any other name."""
    for stage in STAGES:
        if stage == name:
            return stage
    raise unknown_name("stage", name, STAGES)


def checked_expression(text: str) -> str:
    """Return the text of an expression.

    Raises
    ------
    ProgramError
        If Python cannot parse it as an expression.
    """
    try:
        parse_expression(text)
    except SyntaxError as error:
        raise ProgramError(f"{text!r} is not an expression: {error.msg}.") from error
    return text


@functools.lru_cache(maxsize=1024)
def parse_expression(text: str) -> ast.expr:
    """Parse an expression, each text once.

    All callers share the tree, so none may change it; give a ``NodeTransformer`` a copy.

    >>> parse_expression("X @ W1 + b1") is parse_expression("X @ W1 + b1")
    True
    """
    return ast.parse(text, mode="eval").body


@functools.lru_cache(maxsize=1024)
def names_read(text: str) -> frozenset[str]:
    """Return the names that an expression reads, each text parsed once.

    >>> sorted(names_read("X @ W1 + b1"))
    ['W1', 'X', 'b1']
    """
    return names_in(parse_expression(text))


def show_shape(shape: Shape | None) -> str:
    """Return a shape as text, with n for the number of rows.

    >>> show_shape(("n", 3)), show_shape(()), show_shape(None)
    ('(n, 3)', 'scalar', '')
    """
    if shape is None:
        return ""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else "scalar"


def names_in(tree: ast.AST) -> frozenset[str]:
    """Return all names in a piece of syntax."""
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def text_of(expression: ast.expr) -> str:
    """Return an expression as code, with ``a**2`` without spaces, as formatters write it."""
    return re.sub(r"(\w) \*\* (\w)", r"\1**\2", ast.unparse(expression))


def name(text: str) -> ast.Name:
    """Return a name as syntax."""
    return ast.Name(text, ast.Load())


def literal(value: Any) -> ast.Constant:
    """Return a number as syntax; a NumPy scalar becomes the equal Python number."""
    return ast.Constant(value.item() if hasattr(value, "item") else value)


def is_name(node: ast.expr, text: str) -> bool:
    """Return whether an expression is only this name."""
    return isinstance(node, ast.Name) and node.id == text


Scope = dict[str, ast.expr]  # the expression that each letter of a formula stands for


class Writer:
    """Writes statements: formulas with the network's names in place of their letters."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.functions: dict[str, Any] = {}
        self.constants: dict[str, float] = {}
        self.owned: dict[tuple[str, int], str] = {}  # the names of each part's constants
        self.taken: set[str] = {"X", "y", "n", "w", "lr", "t", "np", "p", "losses", "loss", "J"}
        self.added: dict[str, tuple[ast.expr, str]] = {}  # added to a gradient by the statement that computes it
        self.stage: Stage = "forward"
        self.part = ""

    def unused(self, wanted: str) -> str:
        """Return the wanted name, with a number if it is taken already."""
        candidate, number = wanted, 2
        while candidate in self.taken:
            candidate, number = f"{wanted}_{number}", number + 1
        self.taken.add(candidate)
        return candidate

    def emit(self, target: str, expression: ast.expr, words: str) -> None:
        """Write one statement."""
        if target in self.added:
            more, why = self.added.pop(target)
            expression, words = ast.BinOp(expression, ast.Add(), more), f"{words.rstrip('.')}; {why}."
        self.taken.add(target)
        self.statements.append(Statement(target, text_of(expression), self.stage, self.part, sentence(words)))

    def already(self, expression: ast.expr) -> str | None:
        """Return the name of an equal expression that was computed before any update; None if there is none."""
        if self.stage == "update":
            return None
        text = text_of(expression)
        return next((s.target for s in self.statements if s.expression == text), None)

    def constant(self, letter: str, value: float, owner: object) -> ast.expr:
        """Return the name of a constant; if two parts use one letter for two numbers, the second gets a longer name."""
        key = (letter, id(owner))
        if key not in self.owned:
            is_other = letter in self.taken and self.constants.get(letter) != value
            self.owned[key] = self.unused(f"{letter}_{type(owner).__name__.lower()}") if is_other else letter
        self.taken.add(self.owned[key])
        self.constants[self.owned[key]] = float(value)
        return name(self.owned[key])

    def bind(
        self, function: Callable[..., Any], scope: Scope, results: Sequence[str], names: Mapping[str, str], suffix: str
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
        self, function: Callable[..., Any], scope: Scope, names: Mapping[str, str], suffix: str, results: int = 1
    ) -> tuple[ast.expr, ...]:
        """Write a formula's lines and return its results as expressions.

        ``scope`` maps letters to expressions; the formula's own letters are added to it.  ``names`` gives the names
        of some of these letters; the names of the others end with ``suffix``.  The number of ``results`` matters
        only for a function that is called by its name.
        """
        formula = read_formula(function)
        if formula is None:
            return self.call(function, scope, results)
        asked = zip(formula.letters, letters_of(function, scope), strict=True)
        inner = {letter: self.stands_for(meant, function, scope) for letter, meant in asked}
        self.name_long_arguments(formula, inner, suffix)
        for line in formula.lines:
            expression = Renamer(self, function, inner, suffix).visit(line.expression)
            known = None if line.name in names else self.already(expression)
            if known is None:
                known = names.get(line.name) or self.unused(line.name + suffix)
                self.emit(known, expression, line.words or words_of_call(line.expression, function, known))
            inner[line.name] = scope[line.name] = name(known)
        return tuple(Renamer(self, function, inner, suffix).visit(r) for r in formula.results)

    def call(self, function: Callable[..., Any], scope: Scope, results: int) -> tuple[ast.expr, ...]:
        """Call a function by its name, because it is not straight-line code."""
        arguments = [self.stands_for(letter, function, scope) for letter in letters_of(function, scope)]
        result = ast.Call(self.function(function), arguments, [])
        if results == 1:
            return (result,)
        together = self.unused("results")
        self.emit(together, result, f"{together} are the results of {name_of(function)}")
        return tuple(ast.Subscript(name(together), ast.Constant(i), ast.Load()) for i in range(results))

    def function(self, function: Any, wanted: str = "") -> ast.expr:
        """Return the name of a function or another object in the program."""
        wanted = wanted or name_of(function)
        wanted = wanted if wanted.isidentifier() else "function"
        for known, value in self.functions.items():
            if value is function:
                return name(known)
        known = self.unused(wanted)
        self.functions[known] = function
        return name(known)

    def stands_for(self, letter: str, function: Callable[..., Any], scope: Scope) -> ast.expr:
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
            pieces = [*formula.results, *(line.expression for line in formula.lines)]
            uses = sum(is_name(node, letter) for piece in pieces for node in ast.walk(piece))  # type: ignore[arg-type]
            if uses > 1 and not isinstance(inner[letter], (ast.Name, ast.Constant)):
                known = self.already(inner[letter])
                if known is None:
                    known = self.unused(letter + suffix)
                    self.emit(known, inner[letter], f"{known} is an input that is used more than once")
                inner[letter] = name(known)


class Renamer(ast.NodeVisitor):
    """Replaces letters by their expressions, and calls of formulas by the formulas.

    It returns new syntax and leaves the formula's own tree unchanged.
    """

    def __init__(self, writer: Writer, function: Callable[..., Any], scope: Scope, suffix: str) -> None:
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
        return type(node)(**{field: self.replaced(part) for field, part in ast.iter_fields(node)})

    def replaced(self, part: Any) -> Any:
        """Replace a part of a node: a node, a list of parts, or something that is no syntax."""
        if isinstance(part, list):
            return [self.replaced(one) for one in part]
        return self.visit(part) if isinstance(part, ast.AST) else part


def told(function: Callable[..., Any], **letters: str) -> str:
    """Return a formula of one line as code, with expressions in place of its letters."""
    scope: Scope = {letter: parse_expression(text) for letter, text in letters.items()}
    return text_of(Writer().write(function, scope, {}, "")[0])


def words_of(function: Callable[..., Any], subject: str) -> str:
    """Return the first line of a formula's docstring, as a sentence about ``subject`` or about the function."""
    formula = read_formula(function)
    words = formula.words if formula else (inspect.getdoc(function) or "").split("\n")[0]
    if not words:
        return f"{subject} is the result of {name_of(function)}"
    if words.split()[0] in ("is", "are"):
        return f"{subject} {words}"
    return f"{name_of(function)} {words}" if words[0].islower() else words


def name_of(function: Any) -> str:
    """Return the name of a function."""
    return str(getattr(function, "__name__", type(function).__name__))


def words_of_call(expression: ast.expr, function: Callable[..., Any], subject: str) -> str:
    """Return the words of the formula that a line calls, if the line is only this call."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name):
        called = meaning_of(function, expression.func.id)
        if isinstance(called, types.FunctionType):
            return words_of(called, subject)
    return ""


def sentence(words: str) -> str:
    """Return the words with a full stop at their end."""
    return words if not words or words.endswith((".", "!", "?")) else words + "."


@dataclass
class Placed:
    """A layer in the network: the names of its input and outputs, and the expressions of its letters.

    The activation has a scope of its own, ``bend``, with ``z``, ``a`` and its constants.
    """

    layer: Layer
    part: str
    suffix: str
    x: str
    z: str
    a: str
    scope: Scope
    bend: Scope


def write_forward(writer: Writer, layers: Sequence[Layer], mode: str) -> list[Placed]:
    """Write the forward statements of all layers, with their ``"forward"`` or ``"inference"`` formulas."""
    placed: list[Placed] = []
    x, dense = "X", "0"
    for position, (layer, suffix) in enumerate(numbered(layers), start=1):
        writer.part = f"layer {position}: {layer!r}"
        dense = suffix if isinstance(layer, Dense) else dense
        scope: Scope = {"x": name(x), "n": name("n")}
        scope |= {letter: literal(value) for letter, value in layer.constants.items()}
        for letter in (*layer.parameters, *layer.statistics, *layer.draws):
            scope[letter] = name(f"{letter}{suffix}")
            writer.taken.add(f"{letter}{suffix}")
        z = settle(writer, layer.formulas[mode], scope, "z", layer.output_name(x, suffix), suffix)
        bend: Scope = {letter: literal(value) for letter, value in layer.bend.constants.items()}
        bend["z"] = name(z)
        bent = f"a{dense}"
        a = settle(writer, layer.bend.function, bend, "a", f"{z}_bent" if bent in writer.taken else bent, suffix)
        placed.append(Placed(layer, writer.part, suffix, x, z, a, scope, bend))
        x = a
    return placed


def settle(writer: Writer, function: Callable[..., Any], scope: Scope, letter: str, target: str, suffix: str) -> str:
    """Write a formula with one result, named ``target``; return the name of the result.

    A formula that returns its argument unchanged needs no statement and no new name.
    """
    named = letter in returned_locals(function)
    (result,) = writer.write(function, scope, {letter: target} if named else {}, suffix)
    if isinstance(result, ast.Name) and not named:
        scope[letter] = result
        return result.id
    if not named:
        writer.emit(target, result, words_of(function, target))
    scope[letter] = name(target)
    return target


def returned_locals(function: Callable[..., Any]) -> list[str]:
    """Return the names that a formula assigns and then returns."""
    formula = read_formula(function)
    if formula is None:
        return []
    computed = {line.name for line in formula.lines}
    return [r.id for r in formula.results if isinstance(r, ast.Name) and r.id in computed]


def write_loss(
    writer: Writer, loss: Loss, regularizers: Sequence[Regularizer], placed: Sequence[Placed], weighted: bool
) -> Scope:
    """Write the prediction ``p``, the losses and the objective ``J``; return the scope of the loss."""
    writer.part = f"loss: {loss!r}"
    uses = set().union(*(letters_of(formula, ()) for formula in loss.formulas.values()))
    scope: Scope = {k: writer.constant(k, v, loss) for k, v in loss.constants.items() if k in uses}
    scope |= {"z": name(placed[-1].a), "y": name("y"), "n": name("n"), "w": name("w")}
    formulas = loss.formulas
    (p,) = writer.write(formulas["link"], scope, {}, "")
    is_same = is_name(p, placed[-1].a)
    words = "The prediction is the output of the last layer" if is_same else words_of(formulas["link"], "p")
    writer.emit("p", p, words)
    scope["p"] = name("p")
    (y,) = writer.write(formulas["target"], {**scope, "z": name("y")}, {}, "")
    if not isinstance(y, ast.Name):
        writer.emit("y_smooth", y, words_of(formulas["target"], "y_smooth"))
        scope["y"] = name("y_smooth")
    (losses,) = writer.write(formulas["value"], scope, {}, "")
    writer.emit("losses", losses, words_of(formulas["value"], "losses").replace("losses is", "Each row's loss is"))
    scope["losses"] = name("losses")
    reduce = loss.reduce(weighted)[0]
    (total,) = writer.write(reduce, scope, {}, "")
    if regularizers:
        writer.emit("loss", total, words_of(reduce, "The loss"))
        write_penalties(writer, regularizers, placed, weighted)
    else:
        writer.emit("J", total, words_of(reduce, "The objective J"))
    return scope


def write_penalties(
    writer: Writer, regularizers: Sequence[Regularizer], placed: Sequence[Placed], weighted: bool
) -> None:
    """Write the objective ``J``: the loss plus the penalty of each regularizer on each regularized parameter."""
    writer.part = ", ".join(map(repr, regularizers))
    J: ast.expr = name("loss")
    words = []
    for regularizer in regularizers:
        formula = regularizer.formulas(weighted)[0]
        words.append(words_of(formula, "").removeprefix(f"{name_of(formula)} "))
        for place in placed:
            for letter in place.layer.regularized:
                (penalty,) = writer.write(formula, penalty_scope(writer, regularizer, place, letter), {}, "")
                J = ast.BinOp(J, ast.Add(), penalty)
    writer.emit("J", J, f"The objective J is the loss plus, for each W, {' and '.join(words)}")


def penalty_scope(writer: Writer, regularizer: Regularizer, place: Placed, letter: str) -> Scope:
    """Return the scope of a regularizer for one parameter."""
    constants = {k: writer.constant(k, v, regularizer) for k, v in regularizer.constants.items()}
    return {"W": place.scope[letter], "n": name("n"), "w": name("w"), **constants}


def write_backward(
    writer: Writer, loss: Loss, regularizers: Sequence[Regularizer], placed: Sequence[Placed], scope: Scope,
    weighted: bool,
) -> None:  # fmt: skip
    """Write the gradients, from the loss back to the first layer."""
    writer.stage, writer.part = "backward", f"loss: {loss!r}"
    gradient, scale = loss.formulas["gradient"], loss.reduce(weighted)[1]
    (d,) = writer.write(gradient, scope, {}, "")
    (scaled,) = writer.write(scale, {**scope, "z": d, "dlosses": d}, {}, "")
    target = f"d{placed[-1].a}"
    words = words_of(gradient, target)
    words += (
        ""
        if scaled is d or ast.dump(scaled) == ast.dump(d)
        else f", {words_of(scale, '').removeprefix(f'{name_of(scale)} ')}"
    )
    writer.emit(target, scaled, words)
    for place in reversed(placed):
        writer.part = place.part
        write_layer_backward(writer, regularizers, place, weighted)


def write_layer_backward(writer: Writer, regularizers: Sequence[Regularizer], place: Placed, weighted: bool) -> None:
    """Write one layer's gradients: through its activation, to its parameters and to its input."""
    layer, scope = place.layer, place.scope
    if place.a != place.z:
        (slope,) = writer.write(layer.bend.derivative, place.bend, {}, place.suffix)
        (dz,) = writer.write(chain_rule, {"da": name(f"d{place.a}"), "slope": slope}, {}, place.suffix)
        words = words_of(layer.bend.derivative, f"the derivative of {layer.bend.name}")
        writer.emit(f"d{place.z}", dz, f"{words_of(chain_rule, f'd{place.z}')}; {words}")
    for letter in layer.regularized:
        for regularizer in regularizers:
            formula = regularizer.formulas(weighted)[1]
            (pull,) = writer.write(formula, penalty_scope(writer, regularizer, place, letter), {}, "")
            before = writer.added.get(f"d{letter}{place.suffix}")
            words = words_of(formula, "").removeprefix(f"{name_of(formula)} ")
            if before:
                pull, words = ast.BinOp(before[0], ast.Add(), pull), f"{before[1]}; {words}"
            writer.added[f"d{letter}{place.suffix}"] = (pull, words)
    names = {f"d{letter}": f"d{letter}{place.suffix}" for letter in layer.parameters} | {"dx": f"d{place.x}"}
    writer.bind(layer.formulas["backward"], {**scope, "dz": name(f"d{place.z}")}, list(names), names, place.suffix)


def write_update(writer: Writer, optimizer: Part, parameters: Sequence[str]) -> tuple[str, ...]:
    """Write the optimizer's update of each parameter; return the names of its state."""
    writer.stage = "update"
    states: dict[str, None] = {}
    for part in optimizer.parts:
        writer.part = f"optimizer: {part!r}"
        parameters = part.chosen(parameters)
        constants: Scope = {letter: writer.constant(letter, value, part) for letter, value in part.constants.items()}
        for letter, (each, together) in part.gather.items():
            totals = [writer.write(each, {"g": name(f"d{p}")}, {}, "")[0] for p in parameters]
            (whole,) = writer.write(together, {"totals": ast.List(totals, ast.Load())}, {}, "")
            constants[letter] = name(writer.unused(letter))
            writer.emit(constants[letter].id, whole, words_of(together, letter))  # type: ignore[attr-defined]
        for parameter in parameters:
            own = {letter: f"{letter}_{parameter}" for letter in part.state}
            names = {"theta": parameter, "g": f"d{parameter}", **own}
            states.update(dict.fromkeys(own.values()))
            scope = {**constants, "lr": name("lr"), "t": name("t"), **{k: name(v) for k, v in names.items()}}
            for rule in part.rules:
                writer.bind(rule, dict(scope), results_of(rule, part, scope), names, f"_{parameter}")
    return tuple(states)


def results_of(rule: Callable[..., Any], part: Part, scope: Mapping[str, ast.expr]) -> list[str]:
    """Return the letters of a rule's results: theta and the state that it takes, or g if it takes no theta."""
    letters = letters_of(rule, scope)
    return ["theta", *(letter for letter in part.state if letter in letters)] if "theta" in letters else ["g"]


def write_statistics(writer: Writer, placed: Iterable[Placed]) -> tuple[str, ...]:
    """Write the updates of the running statistics; return their names."""
    writer.stage, names = "update", []
    for place in placed:
        writer.part = place.part
        for letter, formula in place.layer.statistics.items():
            target = f"{letter}{place.suffix}"
            (moved,) = writer.write(formula, place.scope, {}, place.suffix)
            words, own = words_of(formula, target), f"{name_of(formula)} "
            writer.emit(target, moved, f"{target} {words.removeprefix(own)}" if words.startswith(own) else words)
            names.append(target)
    return tuple(names)


def step_program(
    layers: Sequence[Layer], loss: Loss, regularizers: Sequence[Regularizer] = (), optimizer: Part | None = None,
    *, weighted: bool = False,
) -> Program:  # fmt: skip
    """Write the program of one training step: forward, backward and, with an optimizer, update."""
    writer = Writer()
    placed = write_forward(writer, layers, "forward")
    scope = write_loss(writer, loss, regularizers, placed, weighted)
    write_backward(writer, loss, regularizers, placed, scope, weighted)
    parameters = parameter_names(placed)
    states = write_update(writer, optimizer, parameters) if optimizer else ()
    statistics = write_statistics(writer, placed) if optimizer else ()
    results = {*parameters, *states, *statistics} if optimizer else {f"d{p}" for p in parameters}
    return finish(writer, placed, states, statistics).needed_for("J", *results)


def inference_program(
    layers: Sequence[Layer], loss: Loss, regularizers: Sequence[Regularizer] = (), *, weighted: bool = False
) -> Program:
    """Write the program of a prediction ``p`` and its objective ``J``, without random values."""
    writer = Writer()
    placed = write_forward(writer, layers, "inference")
    write_loss(writer, loss, regularizers, placed, weighted)
    return finish(writer, placed)


def parameter_names(placed: Iterable[Placed]) -> tuple[str, ...]:
    """Return the names of the parameters, layer by layer."""
    return tuple(f"{letter}{place.suffix}" for place in placed for letter in place.layer.parameters)


def finish(
    writer: Writer, placed: Sequence[Placed], states: tuple[str, ...] = (), statistics: tuple[str, ...] = ()
) -> Program:
    """Return the written statements as a Program."""
    aliases: dict[str, str] = {}
    for place in placed:
        if place.a == place.z and place.z.startswith("z"):
            aliases |= {f"a{place.suffix}": place.z, f"da{place.suffix}": f"d{place.z}"}
    draws = tuple(f"{letter}{place.suffix}" for place in placed for letter in place.layer.draws)
    return Program(
        tuple(writer.statements), parameter_names(placed), statistics, states, draws,
        dict(writer.constants), dict(writer.functions), {k: v for k, v in aliases.items() if k not in writer.taken},
    )  # fmt: skip
