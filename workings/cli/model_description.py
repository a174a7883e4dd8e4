"""Parse a network and its training from one line of text, without executing the text.

The text ``"Adam(lr=0.01); L2(1e-4); Dense(32, 'relu'), Dense(10); CrossEntropy(); batch_size=32"`` consists of calls of
the library's classes with literal arguments, in any order, and settings such as ``batch_size=32``.  The text is parsed
as Python syntax; anything else raises an error before any class is called.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from workings import initializers
from workings.errors import InputError, WorkingsError, unknown_name
from workings.layers import LAYERS, Layer
from workings.losses import LOSSES, Loss
from workings.network import Network
from workings.optimizers import (
    LBFGS,
    OPTIMIZERS,
    Chain,
    ClipByNorm,
    ClipByValue,
    Decay,
    Freeze,
    RateFactors,
    UpdateMethod,
)
from workings.regularizers import REGULARIZERS, Regularizer
from workings.schedules import SCHEDULES

T = TypeVar("T")
PARTS = (Chain, ClipByNorm, ClipByValue, Decay, Freeze, RateFactors, LBFGS)
NAMES: dict[str, Callable[..., object]] = {
    **LAYERS,
    **LOSSES,
    **REGULARIZERS,
    **OPTIMIZERS,
    **SCHEDULES,
    **{part.__name__: part for part in PARTS},
}
INITIALIZERS: dict[str, Callable[..., object]] = {
    kind.__name__: kind for kind in initializers.INITIALIZERS.values() if isinstance(kind, type)
}
SETTINGS = ("epochs", "batch_size", "rows", "shuffle", "weights", "sample_weight", "class_weight", "validation")
EXAMPLE = "Adam(lr=0.01); L2(1e-4); Dense(32, 'relu'), Dense(10); CrossEntropy(); batch_size=32"


def parse_description(text: str) -> tuple[Network, dict[str, Any]]:
    """Parse a network and the settings of its training.

    Parameters
    ----------
    text : str
        Layers, a loss, regularizers, an optimizer, and settings such as ``batch_size=32``, separated by semicolons
        or commas.  A ``batch_size`` of 0 or None means full batch.

    Returns
    -------
    network, settings
        ``settings`` has the key ``"optimizer"`` if the text names an optimizer.

    Raises
    ------
    InputError
        If the text contains anything else.

    Examples
    --------
    >>> net, settings = parse_description("SGD(0.1); Dense(3, 'tanh'), Dense(2); CrossEntropy(); batch_size=None")
    >>> net, settings
    (Network([Dense(3, 'tanh'), Dense(2, 'identity')], loss=CrossEntropy(reduction='mean', label_smoothing=0.0)),
     {'batch_size': None, 'optimizer': SGD(lr=0.1)})
    """
    parts: list[object] = []
    settings: dict[str, Any] = {}
    for statement in statements(text):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name not in SETTINGS:
                    raise unknown_name("setting", name, SETTINGS)
                settings[name] = parse_literal(value)
                if name == "batch_size" and settings[name] == 0:  # as on the command line
                    settings[name] = None
            case ast.Expr(value=ast.Tuple(elts=elements) | ast.List(elts=elements)):
                parts += [build(element, NAMES) for element in elements]
            case ast.Expr(value=value):
                parts.append(build(value, NAMES))
            case _:
                raise syntax_error(statement)
    network = build_network(parts)
    optimizer = only_one([part for part in parts if isinstance(part, UpdateMethod)], "optimizer")
    return network, settings if optimizer is None else {**settings, "optimizer": optimizer}


def described_or_loaded(what: str) -> tuple[Network, dict[str, Any]]:
    """Load a network if ``what`` looks like the path of a model file; else parse it as settings."""
    if what.endswith(".safetensors") or ("(" not in what and Path(what).is_file()):
        return Network.load(what), {}
    return parse_description(what)


def statements(text: str) -> list[ast.stmt]:
    """Parse the text into statements."""
    try:
        return ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"The settings cannot be parsed ({error}). Example: {EXAMPLE}") from error


def syntax_error(node: ast.AST) -> InputError:
    """Return the error for syntax other than calls of the library's classes with literal arguments."""
    return InputError(
        f"Settings may contain only calls of the library's classes with numbers and strings as arguments, "
        f"not {ast.unparse(node)[:60]!r}. Example: {EXAMPLE}"
    )


def parse_literal(node: ast.expr) -> object:
    """Evaluate a number, a string, or a collection of them."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise syntax_error(node) from None


def build(node: ast.expr, names: Mapping[str, Callable[..., object]]) -> object:
    """Create the object that a call of one of the library's classes describes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise syntax_error(node)
    if node.func.id not in names:
        raise unknown_name("name", node.func.id, names)
    arguments = [parse_argument(value, names) for value in node.args]
    keywords = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise syntax_error(node)
        is_initializer = keyword.arg in ("weights", "biases")
        keywords[keyword.arg] = parse_argument(keyword.value, INITIALIZERS if is_initializer else names)
    return create(node, names[node.func.id], arguments, keywords)


def parse_argument(node: ast.expr, names: Mapping[str, Callable[..., object]]) -> object:
    """Parse an argument: a call or a literal."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return build(node, names) if is_call else parse_literal(node)


def create(
    node: ast.expr,
    kind: Callable[..., object],
    arguments: list[object],
    keywords: dict[str, object],
) -> object:
    """Call a class, and turn errors about its arguments into an ``InputError``."""
    try:
        return kind(*arguments, **keywords)
    except WorkingsError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{ast.unparse(node)[:60]} cannot be created: {error}") from error


def build_network(parts: list[object]) -> Network:
    """Create the network from its layers, its loss and its regularizers."""
    layers = [part for part in parts if isinstance(part, Layer)]
    if not layers:
        raise InputError(f"The settings contain no layers. Example: {EXAMPLE}")
    loss = only_one([part for part in parts if isinstance(part, Loss)], "loss")
    if loss is None:
        examples = "CrossEntropy() for classification, or SquaredError() for regression"
        raise InputError(f"The settings contain no loss: add {examples}.")
    penalties = [part for part in parts if isinstance(part, Regularizer)]
    return Network(layers, loss=loss, regularizer=penalties or None)


def only_one(found: list[T], what: str) -> T | None:
    """Return the only element, or None if there is none; raise an error if there are several."""
    if len(found) > 1:
        plural = f"{what}es" if what.endswith("s") else f"{what}s"
        raise InputError(f"The settings contain two {plural}, {found[0]!r} and {found[1]!r}: remove one of them.")
    return found[0] if found else None
