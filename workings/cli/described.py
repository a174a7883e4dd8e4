"""Settings as text: a network and its training in one line, read without running anything.

``"Adam(lr=0.01); L2(1e-4); Dense(32, 'relu'), Dense(10); CrossEntropy(); batch_size=32"`` holds calls of the
library's own names with literals, in any order, and settings such as ``batch_size=32``.  It is taken apart as
syntax; whatever else stands in it is refused before anything is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workings import initializers
from workings.errors import InputError, WorkingsError, unknown_name
from workings.layers import LAYERS, Layer
from workings.losses import LOSSES, Loss
from workings.network import Network
from workings.optimizers import LBFGS, OPTIMIZERS, Chain, ClipByNorm, ClipByValue, Decay, Freeze, Part
from workings.regularizers import REGULARIZERS, Regularizer
from workings.schedules import SCHEDULES

PARTS = (Chain, ClipByNorm, ClipByValue, Decay, Freeze, LBFGS)
NAMES: dict[str, Callable[..., Any]] = {
    **LAYERS,
    **LOSSES,
    **REGULARIZERS,
    **OPTIMIZERS,
    **SCHEDULES,
    **{part.__name__: part for part in PARTS},
}
INITIALIZERS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind for kind in initializers.INITIALIZERS.values() if isinstance(kind, type)
}
SETTINGS = ("epochs", "batch_size", "rows", "shuffle", "weights", "sample_weight", "class_weight", "validation")
EXAMPLE = "Adam(lr=0.01); L2(1e-4); Dense(32, 'relu'), Dense(10); CrossEntropy(); batch_size=32"


def described(text: str) -> tuple[Network, dict[str, Any]]:
    """Read a network and the settings of its training from text.

    Parameters
    ----------
    text : str
        Layers, a loss, regularizers, an optimizer, and settings such as ``batch_size=32``, separated by semicolons
        or commas.  A ``batch_size`` of 0 or None is all rows.

    Returns
    -------
    network, settings
        ``settings`` has ``"optimizer"`` if the text names one.

    Raises
    ------
    InputError
        For text that is anything else.

    Examples
    --------
    >>> net, settings = described("SGD(0.1); Dense(3, 'tanh'), Dense(2); CrossEntropy(); batch_size=None")
    >>> net, settings
    (Network([Dense(3, 'tanh'), Dense(2, 'identity')], loss=CrossEntropy(reduction='mean', label_smoothing=0.0)),
     {'batch_size': None, 'optimizer': SGD(lr=0.1)})
    """
    things: list[Any] = []
    settings: dict[str, Any] = {}
    for statement in statements(text):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name not in SETTINGS:
                    raise unknown_name("setting", name, SETTINGS)
                settings[name] = literal(value)
                if name == "batch_size" and settings[name] == 0:  # as on the command line
                    settings[name] = None
            case ast.Expr(value=ast.Tuple(elts=elements) | ast.List(elts=elements)):
                things += [made(element, NAMES) for element in elements]
            case ast.Expr(value=value):
                things.append(made(value, NAMES))
            case _:
                raise not_known(statement)
    network = network_of(things)
    optimizer = the_one([thing for thing in things if isinstance(thing, (Part, LBFGS))], "optimizer")
    return network, settings if optimizer is None else {**settings, "optimizer": optimizer}


def described_or_loaded(what: str) -> tuple[Network, dict[str, Any]]:
    """Load a network from a model file if the text looks like its name; else read settings as text."""
    if what.endswith(".safetensors") or ("(" not in what and Path(what).is_file()):
        return Network.load(what), {}
    return described(what)


def statements(text: str) -> list[ast.stmt]:
    """Parse the text."""
    try:
        return ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"These settings cannot be read ({error}). An example: {EXAMPLE}") from error


def not_known(node: ast.AST) -> InputError:
    """Make the error for anything but calls of known names with literals."""
    return InputError(
        f"Settings hold only calls of the library's names with numbers and texts, not {ast.unparse(node)[:60]!r}. "
        f"An example: {EXAMPLE}"
    )


def literal(node: ast.expr) -> Any:
    """Read a number, a text, or a list of them."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise not_known(node) from None


def made(node: ast.expr, names: Mapping[str, Callable[..., Any]]) -> Any:
    """Make the object that a call of one of the library's names describes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise not_known(node)
    if node.func.id not in names:
        raise unknown_name("name", node.func.id, names)
    given = [argument(value, names) for value in node.args]
    named = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise not_known(node)
        is_start = keyword.arg in ("weights", "biases")
        named[keyword.arg] = argument(keyword.value, INITIALIZERS if is_start else names)
    return called(node, names[node.func.id], given, named)


def argument(node: ast.expr, names: Mapping[str, Callable[..., Any]]) -> Any:
    """Read an argument: a call or a literal."""
    return made(node, names) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else literal(node)


def called(node: ast.expr, kind: Callable[..., Any], given: list[Any], named: dict[str, Any]) -> Any:
    """Call a class with arguments that may be wrong."""
    try:
        return kind(*given, **named)
    except WorkingsError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{ast.unparse(node)[:60]} cannot be made: {error}") from error


def network_of(things: list[Any]) -> Network:
    """Make the network of the layers, the loss and the regularizers."""
    layers = [thing for thing in things if isinstance(thing, Layer)]
    if not layers:
        raise InputError(f"These settings have no layers. An example: {EXAMPLE}")
    loss = the_one([thing for thing in things if isinstance(thing, Loss)], "loss")
    if loss is None:
        examples = "CrossEntropy() for classes, or SquaredError() for numbers"
        raise InputError(f"These settings have no loss: add {examples}.")
    penalties = [thing for thing in things if isinstance(thing, Regularizer)]
    return Network(layers, loss=loss, regularizer=penalties or None)


def the_one(found: list[Any], what: str) -> Any:
    """Return the only one of its kind, or None."""
    if len(found) > 1:
        plural = f"{what}es" if what.endswith("s") else f"{what}s"
        raise InputError(f"These settings have two {plural}, {found[0]!r} and {found[1]!r}: leave one of them out.")
    return found[0] if found else None
