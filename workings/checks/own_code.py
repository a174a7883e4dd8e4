"""The gradient check for people who write their own: two plain functions, forward and backward.

``forward`` gives the loss, ``backward`` the gradients by name; the slopes of the one are compared with the other, in
float64, and a mismatch is read as it is for the library's own networks (``gradients.py``).  Most errors of hand-written
code show before any number is compared: a parameter that was changed, a name that is missing, a loss that is a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.checks.gradients import (
    GradientReport,
    ParameterCheck,
    check_parameter,
    measured_along,
    names_of,
    read_numbers,
)
from workings.errors import InputError
from workings.support.arrays import Array, describe

Forward = Callable[[dict[str, Array], Any, Any], Any]
Backward = Callable[[dict[str, Array], Any, Any], Mapping[str, ArrayLike]]


def check_my_gradients(
    forward: Forward,
    backward: Backward,
    parameters: Mapping[str, ArrayLike],
    X: ArrayLike,
    y: ArrayLike,
    *,
    tolerance: float = 1e-5,
    directions: int = 2,
) -> GradientReport:
    """Compare gradients of your own with central differences of your own loss, in float64.

    Parameters
    ----------
    forward : callable
        ``forward(parameters, X, y)`` gives the loss as one number.
    backward : callable
        ``backward(parameters, X, y)`` gives a dict with the gradient of each parameter, under the parameter's name.
    parameters : mapping of str to array
        The numbers to differentiate by; they are copied.
    X, y : arrays
        A few rows; handed on as they are, numbers in float64.
    tolerance : float
        The relative error that is still right.
    directions : int
        How many random directions are tried for each parameter before entries are.

    Returns
    -------
    GradientReport
        True if all gradients are right; its text says which are not, and what that looks like.

    Raises
    ------
    InputError
        If a function changes the parameters, the loss is not one number, or names do not fit.

    Examples
    --------
    >>> def forward(parameters, X, y):
    ...     return ((X @ parameters["W"] + parameters["b"] - y) ** 2).sum() / len(X)
    >>> def backward(parameters, X, y):
    ...     d = 2 * (X @ parameters["W"] + parameters["b"] - y)          # the division by len(X) is missing
    ...     return {"W": X.T @ d, "b": d.sum(axis=0)}
    >>> parameters = {"W": np.array([[1.0], [2.0]]), "b": np.zeros(1)}
    >>> X, y = np.array([[1.0, 2.0], [0.5, 1.0], [2.0, 0.0]]), np.array([[1.0], [0.0], [2.0]])
    >>> print(check_my_gradients(forward, backward, parameters, X, y))
    Gradients and finite differences differ.
    parameter   largest relative error
    W             6.6e-01  WRONG
                worst entry W[1, 0]: gradient 21, finite difference 7
    b             6.6e-01  WRONG
                worst entry b[0]: gradient 13, finite difference 4.33333
    W, b: the gradient is 3 times the slope: a sum where a mean was meant: divide by the number of rows.
    """
    values = as_numbers(parameters)
    data = in_doubles(X), in_doubles(y)
    loss = guarded_loss(forward, values, *data)
    gradients = guarded_gradients(backward, values, *data)
    rng = np.random.default_rng(0)
    checks = []
    for name, value in values.items():
        measure = measured_along(lambda changed: float(loss(changed)), values, name)
        checks.append(check_parameter(name, gradients[name], value, measure, tolerance, directions, rng))
    rows, outputs = len(np.atleast_1d(data[0])), columns_of(data[1])
    reading = read_numbers(checks, rows, outputs) or read_layers(checks)
    return GradientReport(tuple(checks), tuple(reading))


def read_layers(checks: list[ParameterCheck]) -> list[str]:
    """Say between which layers the mistake comes in, as far as the numbers at the ends of the names tell."""
    wrong, right = [c for c in checks if not c.ok], [c for c in checks if c.ok]
    if wrong and not right:
        return ["All gradients are wrong: look at the gradient of the loss, where the way back begins."]
    if not wrong or not all(re.search(r"\d+$", check.name) for check in checks):
        return []
    if max(map(layer_of, wrong)) >= min(map(layer_of, right)):
        return []
    return [
        f"{names_of(right)} {'is' if len(right) == 1 else 'are'} right, {names_of(wrong)} "
        f"{'is' if len(wrong) == 1 else 'are'} wrong: look at the way back between them, first at the derivative of "
        f"the activation."
    ]


def layer_of(check: ParameterCheck) -> int:
    """The number at the end of a parameter's name."""
    return int(re.findall(r"\d+$", check.name)[0])


def as_numbers(parameters: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """The parameters as arrays of float64 by name."""
    if not isinstance(parameters, Mapping) or not parameters:
        raise InputError(
            f"parameters must be a dict of arrays, as in {{'W1': W1, 'b1': b1}}, not {describe(parameters)}."
        )
    found = {}
    for name, value in parameters.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError(f"parameters[{name!r}] must hold finite numbers; it is {describe(value)}.")
        found[str(name)] = array.astype(np.float64)
    return found


def in_doubles(values: ArrayLike) -> Any:
    """Numbers in float64; whole numbers, such as labels, and text as they are."""
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def columns_of(y: Any) -> int:
    """How many outputs the targets have."""
    return int(y.shape[1]) if getattr(y, "ndim", 1) == 2 else 1


def called(what: str, function: Callable[..., Any], values: Mapping[str, Array], X: Any, y: Any) -> Any:
    """Call a function with copies of the parameters, which it must leave as they are."""
    given = {name: value.copy() for name, value in values.items()}
    with np.errstate(all="ignore"):
        result = function(given, X, y)
    for name, value in values.items():
        if name not in given or not np.array_equal(np.asarray(given[name]), value):
            raise InputError(
                f"{what} changed parameters[{name!r}]: it must only read them. Write W = W - lr * dW outside of it, "
                f"and not W -= …, which changes the array that was given."
            )
    return result


def guarded_loss(
    forward: Forward, values: Mapping[str, Array], X: Any, y: Any
) -> Callable[[Mapping[str, Array]], float]:
    """The loss as a function of the parameters, once it is known to give one number."""
    given = called("forward", forward, values, X, y)
    refuse_more_than_a_loss(given)
    result = np.asarray(given)
    if result.size != 1 or result.dtype.kind not in "biuf":
        shape = result.shape
        squared = len(shape) == 2 and shape[0] == shape[1] and shape[0] > 1
        why = (
            f" A square of ({shape[0]}, {shape[1]}) comes from (n,) against (n, 1): give predictions and targets the "
            f"same shape, with y.reshape(-1, 1), say." if squared else " Add the losses up, or take their mean."
        )  # fmt: skip
        raise InputError(f"forward must give the loss as one number; it gave {describe(result)}.{why}")
    if not np.isfinite(result).all():
        raise InputError(f"forward gives {result.item()}: look for a division by 0, the logarithm of 0 or an overflow.")
    again = np.asarray(called("forward", forward, values, X, y))
    if not np.array_equal(again, result):
        raise InputError("forward gives another loss each time: draw random numbers (dropout) outside of it, once.")
    return lambda changed: float(np.asarray(forward(dict(changed), X, y)).item())


def refuse_more_than_a_loss(given: Any) -> None:
    """Refuse what cannot be a loss, with the plain reason."""
    if given is None:
        raise InputError("forward gave nothing (None): it must end with return loss, the loss as one number.")
    if isinstance(given, Mapping):
        names = ", ".join(map(repr, list(given)[:5]))
        raise InputError(
            f"forward gave a dict (with {names}); it must give the loss alone, as one number: return the entry that "
            f"holds it, as in return values['loss']."
        )
    if isinstance(given, tuple) and len(given) != 1:
        raise InputError(
            f"forward gave {len(given)} things; it must give the loss alone, as one number: return loss, and not "
            f"return loss, cache."
        )


def guarded_gradients(backward: Backward, values: Mapping[str, Array], X: Any, y: Any) -> dict[str, Array]:
    """The gradients by name, once they are known to be those of the parameters."""
    result = called("backward", backward, values, X, y)
    if not isinstance(result, Mapping):
        raise InputError(
            f"backward must give a dict with the names of the parameters ({', '.join(values)}), not {describe(result)}."
        )
    missing = [name for name in values if name not in result]
    unknown = [str(name) for name in result if name not in values]
    if missing or unknown:
        lacks = f"has no {', '.join(map(repr, missing))}" if missing else ""
        more = f"has {', '.join(map(repr, unknown))}, which is no parameter" if unknown else ""
        raise InputError(
            f"What backward gives {' and '.join(filter(None, (lacks, more)))}. Give each gradient under its "
            f"parameter's name: {', '.join(map(repr, values))}."
        )
    return {name: np.asarray(result[name], dtype=np.float64) for name in values}
