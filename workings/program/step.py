"""The step: the statements of one training step, written layer by layer: forward, loss, backward, update."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from workings.layers import FullyConnected, Layer, chain_rule, number_layers
from workings.losses import Loss
from workings.optimizers import Part, kind_of, scaled_rate
from workings.program.program import Program, Scope, is_name, literal, name
from workings.program.writer import StatementWriter, name_of, words_of
from workings.regularizers import Regularizer
from workings.support.brief import brief
from workings.support.formulas import letters_of, read_formula


@dataclass
class Placed:
    """A layer in the network: the names of its input and outputs, and the expressions of its letters.

    The activation has a scope of its own, ``activation_scope``, with ``z``, ``a`` and its constants.
    """

    layer: Layer
    part: str
    suffix: str
    x: str
    z: str
    a: str
    scope: Scope
    activation_scope: Scope


def write_forward(writer: StatementWriter, layers: Sequence[Layer], mode: str) -> list[Placed]:
    """Write the forward statements of all layers, with their ``"forward"`` or ``"inference"`` formulas."""
    placed: list[Placed] = []
    x, dense = "X", "0"
    for layer, suffix in number_layers(layers):  # no intermediate value gets the name of a parameter or of its gradient
        letters = (*layer.parameters, *layer.untrained, *layer.draws)
        writer.used_names.update(f"{before}{letter}{suffix}" for letter in letters for before in ("", "d"))
    for position, (layer, suffix) in enumerate(number_layers(layers), start=1):
        writer.part = f"layer {position}: {brief(layer)}"
        dense = suffix if isinstance(layer, FullyConnected) else dense
        scope: Scope = {"x": name(x), "n": name("n")}
        scope |= {letter: literal(value) for letter, value in layer.constants.items()}
        for letter in (*layer.parameters, *layer.untrained, *layer.draws):
            scope[letter] = name(f"{letter}{suffix}")
        z = settle(writer, layer.formulas[mode], scope, "z", layer.output_name(x, suffix), suffix)
        activation = layer.activation_function
        activation_scope: Scope = {letter: literal(value) for letter, value in activation.constants.items()}
        activation_scope["z"] = name(z)
        target = f"{z}_activated" if f"a{dense}" in writer.used_names else f"a{dense}"
        a = settle(writer, activation.function, activation_scope, "a", target, suffix)
        placed.append(Placed(layer, writer.part, suffix, x, z, a, scope, activation_scope))
        x = a
    return placed


def settle(
    writer: StatementWriter, function: Callable[..., object], scope: Scope, letter: str, target: str, suffix: str
) -> str:
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


def returned_locals(function: Callable[..., object]) -> list[str]:
    """Return the names that a formula assigns and then returns."""
    formula = read_formula(function)
    if formula is None:
        return []
    computed = {line.name for line in formula.lines}
    return [r.id for r in formula.results if isinstance(r, ast.Name) and r.id in computed]


def write_loss(
    writer: StatementWriter, loss: Loss, regularizers: Sequence[Regularizer], placed: Sequence[Placed], weighted: bool
) -> Scope:
    """Write the prediction ``p``, the losses and the objective ``J``; return the scope of the loss."""
    writer.part = f"loss: {brief(loss)}"
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
    each = "Each row's loss is" if loss.is_multiclass else "Each output's loss is"  # (n, 1), or (n, n_out)
    writer.emit("losses", losses, words_of(formulas["value"], "losses").replace("losses is", each))
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
    writer: StatementWriter, regularizers: Sequence[Regularizer], placed: Sequence[Placed], weighted: bool
) -> None:
    """Write the objective ``J``: the loss plus the penalty of each regularizer on each regularized parameter."""
    writer.part = ", ".join(map(brief, regularizers))
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


def penalty_scope(writer: StatementWriter, regularizer: Regularizer, place: Placed, letter: str) -> Scope:
    """Return the scope of a regularizer for one parameter."""
    constants = {k: writer.constant(k, v, regularizer) for k, v in regularizer.constants.items()}
    return {"W": place.scope[letter], "n": name("n"), "w": name("w"), **constants}


def write_backward(
    writer: StatementWriter,
    loss: Loss,
    regularizers: Sequence[Regularizer],
    placed: Sequence[Placed],
    scope: Scope,
    weighted: bool,
) -> None:
    """Write the gradients, from the loss back to the first layer."""
    writer.stage, writer.part = "backward", f"loss: {brief(loss)}"
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


def write_layer_backward(
    writer: StatementWriter, regularizers: Sequence[Regularizer], place: Placed, weighted: bool
) -> None:
    """Write one layer's gradients: through its activation, to its parameters and to its input."""
    layer, scope = place.layer, place.scope
    if place.a != place.z:
        activation = layer.activation_function
        (slope,) = writer.write(activation.derivative, place.activation_scope, {}, place.suffix)
        (dz,) = writer.write(chain_rule, {"da": name(f"d{place.a}"), "slope": slope}, {}, place.suffix)
        words = words_of(activation.derivative, f"the derivative of {activation.name}")
        writer.emit(f"d{place.z}", dz, f"{words_of(chain_rule, f'd{place.z}')}; {words}")
    add_penalties(writer, regularizers, place, weighted)
    names = {f"d{letter}": f"d{letter}{place.suffix}" for letter in layer.parameters} | {"dx": f"d{place.x}"}
    writer.bind(layer.formulas["backward"], {**scope, "dz": name(f"d{place.z}")}, list(names), names, place.suffix)


def add_penalties(
    writer: StatementWriter,
    regularizers: Sequence[Regularizer],
    place: Placed,
    weighted: bool,
) -> None:
    """Let the statements of one layer's gradients add the derivatives of the penalties."""
    for letter in place.layer.regularized:
        for regularizer in regularizers:
            formula = regularizer.formulas(weighted)[1]
            (pull,) = writer.write(formula, penalty_scope(writer, regularizer, place, letter), {}, "")
            before = writer.added.get(f"d{letter}{place.suffix}")
            words = words_of(formula, "").removeprefix(f"{name_of(formula)} ")
            if before:
                pull, words = ast.BinOp(before[0], ast.Add(), pull), f"{before[1]}; {words}"
            writer.added[f"d{letter}{place.suffix}"] = (pull, words)


def write_update(writer: StatementWriter, optimizer: Part, parameters: Sequence[str]) -> tuple[str, ...]:
    """Write the optimizer's update of each parameter; return the names of its state."""
    writer.stage = "update"
    states: dict[str, None] = {}
    rates: dict[str, ast.expr] = {}  # the learning rate by the letter of the parameters
    for part in optimizer.parts:
        writer.part = f"optimizer: {brief(part)}"
        parameters = part.chosen(parameters)
        constants: Scope = {letter: writer.constant(letter, value, part) for letter, value in part.constants.items()}
        for letter, (each, together) in part.gather.items():
            totals = [writer.write(each, {"g": name(f"d{p}")}, {}, "")[0] for p in parameters]
            (whole,) = writer.write(together, {"totals": ast.List(totals, ast.Load())}, {}, "")
            constants[letter] = name(writer.unused_name(letter))
            writer.emit(constants[letter].id, whole, words_of(together, letter))  # type: ignore[attr-defined]
        write_rates(writer, part, rates)
        for parameter in parameters:
            own = {letter: f"{letter}_{parameter}" for letter in part.state}
            names = {"theta": parameter, "g": f"d{parameter}", **own}
            states.update(dict.fromkeys(own.values()))
            lr = rates.get(kind_of(parameter), name("lr"))
            scope = {**constants, "lr": lr, "t": name("t"), **{k: name(v) for k, v in names.items()}}
            for rule in part.rules:
                writer.bind(rule, dict(scope), results_of(rule, part, scope), names, f"_{parameter}")
    return tuple(states)


def write_rates(writer: StatementWriter, part: Part, rates: dict[str, ast.expr]) -> None:
    """Write the learning rates of kinds of parameters, ``lr_b`` for biases; change ``rates``."""
    for letter, factor in part.rate_factors.items():
        scope: Scope = {"lr": rates.get(letter, name("lr")), "factor": literal(factor)}
        (rate,) = writer.write(scaled_rate, scope, {}, "")
        target = writer.unused_name(f"lr_{letter}")
        writer.emit(target, rate, words_of(scaled_rate, target))
        rates[letter] = name(target)


def results_of(rule: Callable[..., object], part: Part, scope: Mapping[str, ast.expr]) -> list[str]:
    """Return the letters of a rule's results: theta and the state that it takes, or g if it takes no theta."""
    letters = letters_of(rule, scope)
    return ["theta", *(letter for letter in part.state if letter in letters)] if "theta" in letters else ["g"]


def write_statistics(writer: StatementWriter, placed: Iterable[Placed]) -> tuple[str, ...]:
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
    layers: Sequence[Layer],
    loss: Loss,
    regularizers: Sequence[Regularizer] = (),
    optimizer: Part | None = None,
    *,
    weighted: bool = False,
) -> Program:
    """Write the program of one training step: forward, backward and, with an optimizer, update."""
    writer = StatementWriter()
    placed = write_forward(writer, layers, "forward")
    scope = write_loss(writer, loss, regularizers, placed, weighted)
    write_backward(writer, loss, regularizers, placed, scope, weighted)
    parameters = parameter_names(placed)
    states = write_update(writer, optimizer, parameters) if optimizer else ()
    statistics = write_statistics(writer, placed) if optimizer else ()
    results = {*parameters, *states, *statistics} if optimizer else {f"d{p}" for p in parameters}
    fixed = tuple(f"{letter}{place.suffix}" for place in placed for letter in place.layer.fixed)
    return finish(writer, placed, states, (*statistics, *fixed)).needed_for("J", *results)


def update_program(
    layers: Sequence[Layer], regularizers: Sequence[Regularizer], optimizer: Part, *, weighted: bool = False
) -> Program:
    """Write the part of a step that follows the gradients of the loss: penalties and update.

    Its inputs are ``loss`` and the gradients, such as ``dW1``, which were summed over parts of the batch; see
    ``workings/training/parallel``.

    >>> from workings import SGD, Dense, L2
    >>> print(*update_program([Dense(2)], [L2(0.5)], SGD(0.1)).statements, sep="\\n")
    J = loss + lam / 2 * (W1**2).sum()
    dW1 = dW1 + lam * W1
    W1 = W1 - lr * dW1
    b1 = b1 - lr * db1
    """
    writer = StatementWriter()
    placed = write_forward(writer, layers, "forward")
    if regularizers:
        write_penalties(writer, regularizers, placed, weighted)
    else:
        writer.emit("J", name("loss"), "The objective J is the loss")
    writer.stage = "backward"
    for place in placed:
        writer.part = place.part
        add_penalties(writer, regularizers, place, weighted)
    for gradient in list(writer.added):
        writer.emit(gradient, name(gradient), f"{gradient} is the gradient of the loss")
    parameters = parameter_names(placed)
    states = write_update(writer, optimizer, parameters)
    return finish(writer, placed, states).needed_for("J", *parameters, *states)


def inference_program(
    layers: Sequence[Layer], loss: Loss, regularizers: Sequence[Regularizer] = (), *, weighted: bool = False
) -> Program:
    """Write the program of a prediction ``p`` and its objective ``J``, without random values."""
    writer = StatementWriter()
    placed = write_forward(writer, layers, "inference")
    write_loss(writer, loss, regularizers, placed, weighted)
    return finish(writer, placed)


def parameter_names(placed: Iterable[Placed]) -> tuple[str, ...]:
    """Return the names of the parameters, layer by layer."""
    return tuple(f"{letter}{place.suffix}" for place in placed for letter in place.layer.parameters)


def finish(
    writer: StatementWriter, placed: Sequence[Placed], states: tuple[str, ...] = (), statistics: tuple[str, ...] = ()
) -> Program:
    """Return the written statements as a Program."""
    aliases: dict[str, str] = {}
    for place in placed:
        if place.a == place.z and place.z.startswith("z"):
            aliases |= {f"a{place.suffix}": place.z, f"da{place.suffix}": f"d{place.z}"}
    draws = tuple(f"{letter}{place.suffix}" for place in placed for letter in place.layer.draws)
    return Program(
        statements=tuple(writer.statements),
        parameters=parameter_names(placed),
        statistics=statistics,
        states=states,
        draws=draws,
        constants=dict(writer.constants),
        functions=dict(writer.functions),
        aliases={name: other for name, other in aliases.items() if name not in writer.used_names},
    )
