"""Formulas for the browser: every formula of the library as syntax in JSON, to compose programs without Python.

Each formula is parsed from its source, as everywhere else.  The playground without a server composes the statements of
a network from these (``program.js``) and evaluates them with ``arrays.js``.  Nothing is written a second time.
``compact.js`` reads the short form that is written here: names and numbers stand for themselves.
"""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from workings import losses, optimizers
from workings.activations import ACTIVATIONS
from workings.errors import ProgramError
from workings.initializers import INITIALIZERS
from workings.layers import BatchNorm, Dense, Dropout, Layer, chain_rule, dropout_mask
from workings.model.targets import more_probable, most_probable
from workings.program.writer import name_of, words_of
from workings.readings.copying import CopiedCode, inlined_call
from workings.readings.javascript.functions import copied_lines
from workings.readings.javascript.names import Names
from workings.regularizers import Regularizer
from workings.support.brief import brief
from workings.support.formulas import letters_of, meaning_of, read_formula
from workings.support.json_values import Json, JsonObject

Node = Json  # a name, a number, or a list of an operation and its operands
PLAIN_NUMBER = re.compile(r"\d{1,15}|0\.0{0,3}[1-9]\d*|[1-9]\d*\.\d*[1-9]")  # which JavaScript writes in the same way
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**"}
STANDARD = ("X", "y", "n", "w", "lr", "t", "z", "a", "p", "x", "dz", "losses", "dlosses", "d", "g", "theta", "W")
RATE = 0.123456789  # stands for a number in a text


@dataclass
class Catalogue:
    """Collects formulas, and the functions that are not straight-line code."""

    formulas: JsonObject = field(default_factory=dict)
    copied: CopiedCode = field(default_factory=CopiedCode)

    def add(self, function: Callable[..., object]) -> str:
        """Add a formula with all that it calls; return its name."""
        name = name_of(function)
        if name in self.formulas:
            return name
        self.formulas[name] = None  # so that a formula that calls itself ends
        formula = read_formula(function)
        found: list[Node] = [self.words(function), list(letters_of(function, STANDARD))]
        self.formulas[name] = found
        if formula is None:
            self.copied.add(name, function)
            return name
        local = {*formula.letters, *(line.name for line in formula.lines)}
        lines = [
            shortened(
                line.name, self.node(line.expression, function, local), line.words,
                self.called(line.expression, function),
            )
            for line in formula.lines
        ]  # fmt: skip
        results = [self.node(result, function, local) for result in formula.results]
        own = list(formula.letters)
        found += [results, lines, own] if own != found[1] else [results, lines] if lines else [results]
        return name

    def words(self, function: Callable[..., object]) -> str:
        """Return the words of a formula, with @ in place of what they are about."""
        return words_of(function, "@")

    def called(self, node: ast.expr, function: Callable[..., object]) -> str | None:
        """Return the name of the formula that a line only calls."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            value = meaning_of(function, node.func.id)
            if isinstance(value, types.FunctionType):
                return self.add(value)
        return None

    def node(self, node: ast.expr, function: Callable[..., object], local: set[str]) -> Node:
        """Return an expression in the short form that ``compact.js`` reads."""

        def inner(one: ast.expr) -> Node:
            return self.node(one, function, local)

        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return short_number(ast.unparse(node), value)
            case ast.Name(id=name):
                return self.name(name, function, local)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return [OPERATORS[type(op)], inner(left), inner(right)]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return ["minus", inner(operand)]
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return ["compare", type(op).__name__, inner(left), inner(right)]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name not in local:
                return ["call", self.function(name, function), *map(inner, args)]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=name), args=args, keywords=[]):
                return ["np", name, *map(inner, args)]
            case ast.Call(func=ast.Attribute(value=owner, attr=name), args=args, keywords=keywords):
                given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
                return ["method", name, inner(owner), list(map(inner, args)), *([given] if given else [])]
            case ast.Attribute(value=owner, attr=name):
                return ["attribute", name, inner(owner)]
            case ast.Subscript(value=value, slice=ast.Constant(value=int() as place)):
                return ["item", inner(value), place]
            case ast.List(elts=elements):
                return ["list", *map(inner, elements)]
        raise ProgramError(f"The page cannot take `{ast.unparse(node)}` of {name_of(function)}.")

    def name(self, name: str, function: Callable[..., object], local: set[str]) -> Node:
        """Return a letter of a formula, or the number that a global name stands for."""
        value = None if name in local else meaning_of(function, name)
        return short_number(repr(value), value) if isinstance(value, (bool, int, float)) else name

    def function(self, name: str, function: Callable[..., object]) -> str:
        """Return the name of a called function: a formula, or one of Python's own, marked by a dot."""
        value = meaning_of(function, name)
        return self.add(value) if isinstance(value, types.FunctionType) else f".{name}"


def short_number(text: str, value: bool | float | str | None) -> Node:
    """Return a number as syntax; with its text, if JavaScript writes it in another way.

    >>> short_number("0.5", 0.5), short_number("2.0", 2.0)
    (0.5, ['number', '2.0', 2.0])
    """
    is_plain = not isinstance(value, bool) and PLAIN_NUMBER.fullmatch(text)
    return value if is_plain else ["number", text, value]


def shortened(name: str, node: Node, words: str, called: str | None) -> list[Node]:
    """Return a line of a formula without what it does not say at its end."""
    if called is not None:
        return [name, node, words, called]
    return [name, node, words] if words else [name, node]


def layer_entry(catalogue: Catalogue, layer: Layer) -> JsonObject:
    """Return the letters and formulas of a layer."""
    return {
        "parameters": list(layer.parameters),
        "statistics": {letter: catalogue.add(formula) for letter, formula in layer.statistics.items()},
        "draws": list(layer.draws),
        "regularized": list(layer.regularized),
        "constants": constants_of(layer.constants),
        "formulas": {name: catalogue.add(formula) for name, formula in layer.formulas.items()},
    }


def constants_of(given: Mapping[str, float]) -> dict[str, Node]:
    """Return constants as syntax."""
    return {letter: short_number(repr(value), value) for letter, value in given.items()}


def loss_entry(catalogue: Catalogue, loss: losses.Loss) -> JsonObject:
    """Return the formulas and the constants of a loss."""
    reduce, scale = loss.reduce(weights=False)
    return {
        "repr": repr(loss),
        "brief": brief(loss),
        "constants": loss.constants,
        "formulas": {name: catalogue.add(formula) for name, formula in loss.formulas.items()},
        "reduce": catalogue.add(reduce),
        "scale": catalogue.add(scale),
        "target": loss.target,
    }


def optimizer_entry(catalogue: Catalogue, kind: type[optimizers.Optimizer]) -> JsonObject:
    """Return the rules, the state and the constants of an optimizer; @ stands for the learning rate in its text."""
    part = kind(RATE)
    return {
        "brief": brief(part).replace(repr(RATE), "@"),
        "repr": repr(part).replace(repr(RATE), "@"),
        "constants": part.constants,
        "state": list(part.state),
        "rules": [catalogue.add(rule) for rule in part.rules],
    }


def initializer_entry(catalogue: Catalogue, name: str) -> Node:
    """Return the expression of an initializer, of a random generator and a shape."""
    initializer = INITIALIZERS[name]()
    expression = inlined_call(initializer, rng="rng", shape="shape")
    assert expression is not None  # for initializers of activations
    return catalogue.node(expression, type(initializer).__call__, {"rng", "shape"})


def catalogue_of(
    regularizers: Mapping[str, type[Regularizer]],
    schedules: JsonObject,
) -> tuple[JsonObject, list[str]]:
    """Return all entries as plain values, and the lines of JavaScript of functions that are not straight-line code.

    ``schedules`` maps each name to the texts of a schedule whose rate and steps are marks.
    """
    catalogue = Catalogue()
    layers: tuple[Layer, ...] = (Dense(1), BatchNorm(), Dropout(0.5))
    used = {activation.initializer for activation in ACTIVATIONS.values()}
    found: JsonObject = {
        "layers": {type(layer).__name__: layer_entry(catalogue, layer) for layer in layers},
        "activations": {
            name: {
                "function": catalogue.add(activation.function),
                "derivative": catalogue.add(activation.derivative),
                "initializer": activation.initializer,
                "constants": constants_of(activation.constants),
            }
            for name, activation in ACTIVATIONS.items()
        },
        "losses": {name: loss_entry(catalogue, kind()) for name, kind in losses.LOSSES.items()},
        "optimizers": {name: optimizer_entry(catalogue, kind) for name, kind in optimizers.OPTIMIZERS.items()},
        "regularizers": {
            name: {
                "brief": brief(kind(RATE)).replace(repr(RATE), "@"),
                "repr": repr(kind(RATE)).replace(repr(RATE), "@"),
                "letter": next(iter(kind(RATE).constants)),
                "penalty": catalogue.add(kind(RATE).formulas(False)[0]),
                "gradient": catalogue.add(kind(RATE).formulas(False)[1]),
            }
            for name, kind in regularizers.items()
        },
        "initializers": {name: initializer_entry(catalogue, name) for name in sorted(used)},
        "schedules": schedules,
        "chain_rule": catalogue.add(chain_rule),
        "dropout_mask": catalogue.add(dropout_mask),
        "targets": {f.__name__: catalogue.add(f) for f in (most_probable, more_probable)},
        "formulas": catalogue.formulas,
    }
    names = Names([*catalogue.copied.constants, *catalogue.copied.functions])
    return found, copied_lines(catalogue.copied, names)
