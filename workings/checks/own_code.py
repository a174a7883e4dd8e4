"""The gradient check for your own code: two plain functions, forward and backward.

``forward`` returns the loss and ``backward`` the gradients by name.  The gradients are compared with finite differences
of the loss, in float64; mismatches are explained as for the networks of this library (``gradients.py``).  Common errors
are reported before any number is compared: a changed parameter, a missing name, a loss that is an array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.checks.gradients import (
    ALL_WRONG,
    GradientReport,
    ParameterCheck,
    check_parameters,
    explain_numbers,
    names_of,
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
    """Compare the gradients of your own code with central differences of its loss, in float64.

    Parameters
    ----------
    forward : callable
        ``forward(parameters, X, y)`` returns the loss as one number.
    backward : callable
        ``backward(parameters, X, y)`` returns a dict with the gradient of each parameter, under the parameter's name.
    parameters : mapping of str to array
        The values at which the gradients are checked; they are copied.
    X, y : arrays
        A few rows. They are passed on unchanged, except that floating-point numbers become float64.
    tolerance : float
        The largest accepted relative error.
    directions : int
        The number of random directions for each parameter.

    Returns
    -------
    GradientReport
        True if all gradients are right; print it to read which are wrong, and the likely mistake.

    Raises
    ------
    InputError
        If a function changes the parameters, the loss is not one number, or the names do not match.

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
    W, b: the gradient is 3 times the derivative: a sum where a mean was meant: divide by the number of rows.
    """
    values = as_float64_arrays(parameters)
    data = floats_as_float64(X), floats_as_float64(y)
    loss = checked_loss(forward, values, *data)
    checks = check_parameters(
        loss, lambda changed: checked_gradients(backward, changed, *data), values, tuple(values), tolerance, directions
    )
    rows, outputs = len(np.atleast_1d(data[0])), number_of_outputs(data[1])
    reading = explain_numbers(checks, rows, outputs) or explain_layers(checks)
    return GradientReport(tuple(checks), tuple(reading))


def explain_layers(checks: list[ParameterCheck]) -> list[str]:
    """Say between which layers the mistake is, if the parameters' names end with layer numbers."""
    wrong, right = [c for c in checks if not c.ok], [c for c in checks if c.ok]
    if wrong and not right:
        return [ALL_WRONG]
    if not wrong or not all(re.search(r"\d+$", check.name) for check in checks):
        return []
    if max(map(layer_of, wrong)) >= min(map(layer_of, right)):
        return []
    return [
        f"{names_of(right)} {'is' if len(right) == 1 else 'are'} right, {names_of(wrong)} "
        f"{'is' if len(wrong) == 1 else 'are'} wrong: check the backward pass between them, first the derivative of "
        f"the activation."
    ]


def layer_of(check: ParameterCheck) -> int:
    """Return the layer number at the end of a parameter's name."""
    return int(re.findall(r"\d+$", check.name)[0])


def as_float64_arrays(parameters: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Convert the parameters to float64 arrays."""
    if not isinstance(parameters, Mapping) or not parameters:
        raise InputError(
            f"parameters must be a dict of arrays, such as {{'W1': W1, 'b1': b1}}, not {describe(parameters)}."
        )
    arrays = {}
    for name, value in parameters.items():
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError(f"parameters[{name!r}] must hold finite numbers; it is {describe(value)}.")
        arrays[str(name)] = array.astype(np.float64)
    return arrays


def floats_as_float64(values: ArrayLike) -> Array:
    """Convert floating-point numbers to float64; leave integers, such as labels, and text as they are."""
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def number_of_outputs(y: Array) -> int:
    """Return the number of outputs that the targets have."""
    return int(y.shape[1]) if y.ndim == 2 else 1


def call_with_copies(
    name: str, function: Callable[..., Any], parameters: Mapping[str, Array], X: Array, y: Array
) -> Any:
    """Call a function with copies of the parameters, which it must not change."""
    copies = {key: value.copy() for key, value in parameters.items()}
    with np.errstate(all="ignore"):
        result = function(copies, X, y)
    for key, value in parameters.items():
        if key not in copies or not np.array_equal(np.asarray(copies[key]), value):
            raise InputError(
                f"{name} changed parameters[{key!r}], but it must only read them. Update parameters elsewhere, and use "
                f"W = W - lr * dW rather than W -= …, which changes the array in place."
            )
    return result


def checked_loss(
    forward: Forward, parameters: Mapping[str, Array], X: Array, y: Array
) -> Callable[[Mapping[str, Array]], float]:
    """Return the loss as a function of the parameters, after a check that it is one finite number."""
    returned = call_with_copies("forward", forward, parameters, X, y)
    check_returned_loss(returned)
    loss = np.asarray(returned)
    if loss.size != 1 or loss.dtype.kind not in "biuf":
        raise InputError(
            f"forward must return the loss as one number; it returned {describe(loss)}. {advice_for(loss)}"
        )
    if not np.isfinite(loss).all():
        raise InputError(f"forward returns {loss.item()}: look for a division by 0, the logarithm of 0 or an overflow.")
    again = np.asarray(call_with_copies("forward", forward, parameters, X, y))
    if not np.array_equal(again, loss):
        raise InputError(
            "forward returns a different loss in each call: draw random numbers (dropout) once, outside of it."
        )
    return lambda changed: float(np.asarray(forward(dict(changed), X, y)).item())


def advice_for(loss: Array) -> str:
    """Say how to make one number of several losses; a square array typically comes from unwanted broadcasting."""
    if loss.ndim == 2 and loss.shape[0] == loss.shape[1] > 1:
        return (
            f"The shape {loss.shape} comes from broadcasting (n,) against (n, 1): give predictions and targets the "
            f"same shape, for example with y.reshape(-1, 1)."
        )
    return "Add the losses up, or take their mean."


def check_returned_loss(returned: Any) -> None:
    """Refuse None, a dict or several values instead of a loss."""
    if returned is None:
        raise InputError("forward returned None: end it with return loss, where loss is one number.")
    if isinstance(returned, Mapping):
        names = ", ".join(map(repr, list(returned)[:5]))
        raise InputError(
            f"forward returned a dict (with {names}), but it must return only the loss, as one number: return the "
            f"entry that holds it, as in return values['loss']."
        )
    if isinstance(returned, tuple) and len(returned) != 1:
        raise InputError(
            f"forward returned {len(returned)} values, but it must return only the loss, as one number: write return "
            f"loss instead of return loss, cache."
        )


def checked_gradients(backward: Backward, parameters: Mapping[str, Array], X: Array, y: Array) -> dict[str, Array]:
    """Return the gradients by name, after a check that each parameter has one."""
    gradients = call_with_copies("backward", backward, parameters, X, y)
    if not isinstance(gradients, Mapping):
        raise InputError(
            f"backward must return a dict with the names of the parameters ({', '.join(parameters)}), not "
            f"{describe(gradients)}."
        )
    missing = [name for name in parameters if name not in gradients]
    unknown = [str(name) for name in gradients if name not in parameters]
    if missing or unknown:
        lacks = f"has no {', '.join(map(repr, missing))}" if missing else ""
        extra = f"has {', '.join(map(repr, unknown))}, which is not a parameter" if unknown else ""
        raise InputError(
            f"The dict that backward returns {' and '.join(filter(None, (lacks, extra)))}. Return each gradient under "
            f"its parameter's name: {', '.join(map(repr, parameters))}."
        )
    return {name: np.asarray(gradients[name], dtype=np.float64) for name in parameters}
