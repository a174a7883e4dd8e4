"""Notes in plain words: the purpose of a function where it occurs, and where a value of a training step comes from."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from workings.layers import BatchNorm, Dropout, dropout_mask, number_layers
from workings.program.program import Program, Statement, text_of
from workings.program.writer import formula_code
from workings.support.arrays import Values

if TYPE_CHECKING:
    from workings.model.model import Model

FUNCTION_NOTES = {
    "log1p": "log1p(x) is log(1 + x). It stays exact where x is tiny: there 1 + x would be rounded to 1.",
    "expm1": "expm1(x) is exp(x) - 1. It stays exact where x is tiny: there the difference would lose its digits.",
    "sign": "sign(x) is 1 where x is positive, -1 where it is negative, and 0 at 0.",
    "erf": "erf is the error function: 2 / √π times the integral of exp(-t²) from 0 to x.",
}
SMALL = 1e-3  # a smaller number that is added below a fraction line is there to avoid a division by 0
ROUNDING = 1e-12  # a sum that is smaller than this, relative to its terms, is rounding


def function_notes(statement: Statement) -> tuple[str, ...]:
    """Return a line for each function of a statement that needs one.

    >>> from workings import Dense, Network
    >>> step = Network([Dense(1, "sigmoid"), Dense(1)], loss="SquaredError", n_in=1).program()
    >>> print(*function_notes(step["a1"]))
    max(z1, -88) replaces values below -88 by -88, so that exp cannot overflow; float32 ends near exp(88.7).
    """
    nodes = list(ast.walk(statement.tree))
    found = [note for node in nodes for note in notes_of(node)]
    return tuple(dict.fromkeys([*found, *division_notes(nodes)]))


def notes_of(node: ast.AST) -> Iterator[str]:
    """Yield the notes on one part of an expression."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr=("exp" | "expm1") as name), args=[argument]):
            yield from limit_notes(name, argument)
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="log"), args=[ast.Call() as inner]):
            if ast.unparse(inner.func) == "np.where":
                condition, yes, no = map(text_of, inner.args)
                yield f"The logarithm is taken of {yes} where {condition}, and else of {no}: log(0) is never asked for."
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np"), attr="heaviside"), args=[at, at_0]):
            x, c = text_of(at), text_of(at_0)
            yield f"heaviside({x}, {c}) is a step: 0 where {x} is negative, 1 where it is positive, and {c} at 0."
    called = ast.unparse(node.func).removeprefix("np.") if isinstance(node, ast.Call) else ""
    if called in FUNCTION_NOTES:
        yield FUNCTION_NOTES[called]


def limit_notes(name: str, argument: ast.expr) -> Iterator[str]:
    """Yield why the argument of an exponential has a limit."""
    for node in ast.walk(argument):
        match node:
            case ast.Call(func=ast.Attribute(attr=("maximum" | "minimum") as kind), args=[x, limit]):
                try:
                    value = ast.literal_eval(limit)
                except ValueError:
                    continue
                short, side = ("max", "below") if kind == "maximum" else ("min", "above")
                yield (
                    f"{short}({text_of(x)}, {value}) replaces values {side} {value} by {value}, so that {name} cannot "
                    f"overflow; float32 ends near exp(88.7)."
                )
            case ast.UnaryOp(op=ast.USub(), operand=ast.Call(func=ast.Attribute(attr="abs"), args=[x])):
                yield f"-|{text_of(x)}| is never above 0, so {name} cannot overflow."


def division_notes(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the purpose of a small number below a fraction line."""
    below = [node.right for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    for node in (inner for denominator in below for inner in ast.walk(denominator)):
        match node:
            case ast.BinOp(op=ast.Add(), right=ast.Constant(value=float(value))) if 0 < value < SMALL:
                yield f"{value:g} keeps the number below the fraction line away from 0."
            case ast.BinOp(op=ast.Add(), right=ast.Name(id=name)) if name.startswith("eps"):
                yield f"{name} keeps the number below the fraction line away from 0."


# -- where values come from -------------------------------------------------------------------


def origins(network: Model, program: Program, values: Mapping[str, object]) -> dict[str, str]:
    """Return where each input of a step comes from, in words."""
    known = {
        "X": "The inputs: a row for each sample, a column for each input.",
        "y": target_words(network),
        "w": "The weight of each row.",
        "n": "The number of rows.",
        "lr": "The learning rate of this step.",
        "t": "The number of this step of the optimizer: the first step is number 1.",
        **dict.fromkeys(program.parameters, "A parameter: its value before this step."),
        **dict.fromkeys(program.statistics, "A running statistic: its value before this step."),
        **dict.fromkeys(network.fixed_names, "An array that the layer needs and training does not change."),
        **dict.fromkeys(program.states, "The state of the optimizer: what it keeps from earlier steps."),
        **dict.fromkeys(program.draws, "Drawn at random for this step."),
    }
    return known | mask_origins(network)


def target_words(network: Model) -> str:
    """Return a description of the targets."""
    if network.loss.is_multiclass:
        return "The targets: a column for each class, with a 1 in the column of the row's class."
    if network.loss.is_classification:
        return "The targets: 1 for the second label, 0 for the first; a column for each output."
    return "The targets: a column for each output."


def mask_origins(network: Model) -> dict[str, str]:
    """Return how each dropout mask is drawn."""
    found = {}
    for layer, number in number_layers(network.layers):
        if isinstance(layer, Dropout) and type(layer).draw is Dropout.draw:
            kept = float(dropout_mask(np.ones(1), layer.rate)[0])
            code = formula_code(dropout_mask, u="u", rate=repr(layer.rate))
            found[f"mask{number}"] = (
                f"Drawn at random for this step: mask{number} = {code}, where each u is uniform between 0 and 1. So an "
                f"entry is 0 with probability {layer.rate:g}, and else 1 / (1 - {layer.rate:g}) = {kept:.6g}: a kept "
                f"input counts {kept:.6g} times, which makes up for the dropped ones on average. Training draws a new "
                f"mask in each step."
            )
    return found


def bias_note(
    network: Model,
    program: Program,
    statement: Statement,
    values: Mapping[str, Values],
) -> tuple[str, ...]:
    """Return why the gradient of a bias before batch normalization is 0; nothing for any other statement."""
    name = statement.target.removeprefix("d")
    if name not in program.parameters or not any(isinstance(layer, BatchNorm) for layer in network.layers):
        return ()
    match statement.tree:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=summed), attr="sum")):
            terms = np.abs(values[summed]).sum(axis=0)
            total = np.abs(np.asarray(values[summed]).sum(axis=0))
            rounding = ROUNDING if np.asarray(terms).dtype == np.float64 else 1e-4
            if terms.max() > 0 and (total <= rounding * terms.max()).all():
                return (
                    f"It is 0, up to rounding: batch normalization subtracts the mean of each column, and with it "
                    f"whatever {name} adds to the column. So {name} has no effect there; beta does its work.",
                )
    return ()
