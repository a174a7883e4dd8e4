"""The gradient check for your own code: two plain functions, forward and backward.

``forward`` returns the loss and ``backward`` the gradients by name.  The gradients are compared with finite differences
of the loss, in float64; mismatches are explained as for the networks of this library (``gradients.py``).  Common errors
are reported before any number is compared: a changed parameter, a missing name, a loss that is an array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from workings.checks.gradients import (
    ALL_WRONG,
    DOUBLE,
    SINGLE,
    Arithmetic,
    GradientReport,
    ParameterCheck,
    check_parameters,
    explain_numbers,
    names_of,
)
from workings.errors import InputError
from workings.support.arrays import Array, describe
from workings.support.keywords import checked_keywords

SINGLE_TOLERANCE = 1e-3  # for a loss in float32
FLOAT32_ROUNDING, FLOAT16_ROUNDING = 1e-9, 1e-5  # relative second differences from which a loss is this imprecise
FLOAT32 = "The loss is computed in float32, so relative errors up to 1e-3 are accepted. float64 is checked up to 1e-5."

Forward = Callable[[dict[str, Array], ArrayLike, ArrayLike], float]
Backward = Callable[[dict[str, Array], ArrayLike, ArrayLike], Mapping[str, ArrayLike]]


@checked_keywords
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
        A few samples, as rows or as columns. Each call gets copies, with floating-point numbers as float64.
    tolerance : float
        The largest accepted relative error. If the loss is computed in float32, it is at least 1e-3.
    directions : int
        The number of random directions for each parameter.

    Returns
    -------
    GradientReport
        True if all gradients are right; print it to read which are wrong, and the likely mistake.

    Raises
    ------
    InputError
        If a function changes its arguments or returns something else in each call, if the loss is not one number or
        compares each prediction with all targets, or if a gradient is missing or is no array of real numbers.

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
    data = FunctionData(as_data(X, "X"), as_data(y, "y"))
    loss = checked_loss(forward, values, *data)
    check_broadcasting(forward, values, *data)
    check_repeated_calls(forward, backward, values, *data)
    arithmetic = arithmetic_of(loss, values)
    tolerance = tolerance if arithmetic is DOUBLE else max(tolerance, SINGLE_TOLERANCE)
    checks = check_parameters(
        loss,
        lambda changed: checked_gradients(forward, backward, changed, *data),
        values,
        tuple(values),
        tolerance,
        directions,
        arithmetic,
    )
    as_columns = has_samples_as_columns(values, data.X)
    rows, outputs = data.samples(as_columns), data.outputs(as_columns)
    reading = explain_numbers(checks, rows, outputs, n_in=data.features(as_columns), as_columns=as_columns)
    reading = [*reading, *explain_layers([check for check in checks if not is_explained(check, reading)])]
    note = [] if arithmetic is DOUBLE else [FLOAT32]
    return GradientReport(tuple(checks), (*reading, *note))


class FunctionData(NamedTuple):
    """The inputs and targets of the user's functions."""

    X: Array
    y: Array

    def samples(self, as_columns: bool) -> int:
        """Return the number of samples."""
        return int(self.X.shape[-1]) if as_columns else len(np.atleast_1d(self.X))

    def features(self, as_columns: bool) -> int:
        """Return the number of inputs of a sample; 0 if it is not known."""
        return int(self.X.shape[0 if as_columns else 1]) if self.X.ndim == 2 else 0

    def outputs(self, as_columns: bool) -> int:
        """Return the number of outputs that the targets have."""
        return int(self.y.shape[0 if as_columns else 1]) if self.y.ndim == 2 else 1


def has_samples_as_columns(parameters: Mapping[str, Array], X: Array) -> bool:
    """Whether each column of X is a sample, as in deeplearning.ai's and Nielsen's courses, where z1 is W1 @ X + b1.

    >>> has_samples_as_columns({"W1": np.zeros((4, 3)), "b1": np.zeros((4, 1))}, np.zeros((3, 10)))
    True
    """
    if X.ndim != 2:
        return False
    matrices = [value for value in parameters.values() if value.ndim == 2 and min(value.shape) > 1]
    matrices = matrices or [value for value in parameters.values() if value.ndim == 2]
    by_rows = any(value.shape[0] == X.shape[1] for value in matrices)
    by_columns = any(value.shape[1] == X.shape[0] for value in matrices)
    if by_rows != by_columns:
        return by_columns
    return any(value.ndim == 2 and value.shape[0] > 1 and value.shape[1] == 1 for value in parameters.values())


def arithmetic_of(loss: Callable[[Mapping[str, Array]], float], values: Mapping[str, Array]) -> Arithmetic:
    """Return the precision of a loss, from its second differences for tiny steps, which are hardly more than rounding.

    A loss that is rounded at the end does not change at all for tiny steps; its values are exact in float32.

    Raises
    ------
    InputError
        If it is so imprecise that finite differences say nothing.
    """
    rng, found, values_there = np.random.default_rng(0), [], []
    for _ in range(5):
        here = {name: value + 1e-3 * rng.standard_normal(value.shape) for name, value in values.items()}
        step = {name: 1e-7 * rng.standard_normal(value.shape) for name, value in values.items()}
        middle, up, down = (loss({name: here[name] + sign * step[name] for name in here}) for sign in (0.0, 1.0, -1.0))
        found.append(abs(up - 2 * middle + down) / max(abs(middle), 1e-300))
        values_there.append(middle)
    exact = [kind for kind in (np.float16, np.float32) if (np.array(values_there, kind) == values_there).all()]
    rounding = max(float(np.median(found)), float(np.finfo(exact[0]).eps) / 2 if exact else 0.0)
    if rounding > FLOAT16_ROUNDING:
        raise InputError(
            "The loss is rounded to about three digits, as in float16, so finite differences say nothing about it: "
            "compute it in float64."
        )
    return SINGLE if rounding > FLOAT32_ROUNDING else DOUBLE


def is_explained(check: ParameterCheck, reading: Sequence[str]) -> bool:
    """Whether one of the explanations names a wrong parameter."""
    return not check.ok and any(re.search(rf"\bd?{re.escape(check.name)}\b", text) for text in reading)


def explain_layers(checks: list[ParameterCheck]) -> list[str]:
    """Say between which layers the mistake is, if the parameters' names end with layer numbers.

    If only the weights of a layer are wrong, and its biases are right, the mistake is in their product.
    """
    wrong, right = [c for c in checks if not c.ok], [c for c in checks if c.ok]
    if wrong and not right:
        return [ALL_WRONG]
    if not wrong or not all(re.search(r"\d+$", check.name) for check in checks):
        return []
    only_weights = [check for check in wrong if any(is_bias_of(other, check) for other in right)]
    products = [explain_product(check, layer_of(check)) for check in only_weights]
    wrong = [check for check in wrong if check not in only_weights]
    if not wrong or max(map(layer_of, wrong)) >= min(map(layer_of, right)):
        return products
    return [
        *products,
        f"{names_of(right)} {'is' if len(right) == 1 else 'are'} right, {names_of(wrong)} "
        f"{'is' if len(wrong) == 1 else 'are'} wrong: check the backward pass between them, first the derivative of "
        f"the activation.",
    ]


def is_bias_of(bias: ParameterCheck, weights: ParameterCheck) -> bool:
    """Whether a parameter seems to be the bias that belongs to some weights: a vector with the same number."""
    sizes = [size for size in shape_of(bias) if size > 1]
    return layer_of(bias) == layer_of(weights) and bias.name != weights.name and len(sizes) < 2


def shape_of(check: ParameterCheck) -> tuple[int, ...]:
    """Return the shape of a parameter's gradient, as far as it was checked entry by entry."""
    return tuple(max(place) + 1 for place in zip(*check.places, strict=True)) if check.places else ()


def explain_product(check: ParameterCheck, number: int) -> str:
    """Explain weights whose gradient is wrong, although the gradient of the biases of the same layer is right."""
    takes = "X" if number == 1 else f"the activation a{number - 1}, not z{number - 1}"
    return (
        f"The biases of layer {number} are right, so dz{number} is right, and d{check.name} multiplies it with the "
        f"wrong array: it needs {takes}."
    )


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
        array = as_plain_array(value, f"parameters[{name!r}]")
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError(f"parameters[{name!r}] must hold finite numbers; it is {describe(value)}.")
        arrays[str(name)] = array.astype(np.float64)
    return arrays


def as_data(values: ArrayLike, name: str) -> Array:
    """Copy inputs or targets; floating-point numbers become float64, integers, such as labels, and text stay."""
    array = as_plain_array(values, name)
    return array.astype(np.float64) if array.dtype.kind == "f" else array.copy()


def as_plain_array(values: ArrayLike, name: str) -> Array:
    """Convert values to an array; raise an error in our own words if its rows have different lengths."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} must be an array, but its rows have different lengths or shapes.") from error


def call_with_copies(
    name: str, function: Callable[..., object], parameters: Mapping[str, Array], X: Array, y: Array
) -> object:
    """Call a function with copies of its arguments, which it must not change."""
    copies = {key: value.copy() for key, value in parameters.items()}
    data = {"X": (X, X.copy()), "y": (y, y.copy())}
    with np.errstate(all="ignore"):
        result = function(copies, data["X"][1], data["y"][1])
    for key, (before, after) in data.items():
        if not same_values(before, after):
            raise InputError(
                f"{name} changed {key}, but it must only read it: a later call, and the rest of your program, get "
                f"other data. Write {key} = {key} - … rather than {key} -= …, which changes the array in place."
            )
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
    return lambda changed: float(np.asarray(forward(dict(changed), X.copy(), y.copy())).item())


def same_values(a: Array, b: Array) -> bool:
    """Whether two arrays of one shape hold the same values; NaN equals NaN."""
    return bool(((a == b) | ((a != a) & (b != b))).all())


def check_broadcasting(forward: Forward, parameters: Mapping[str, Array], X: Array, y: Array) -> None:
    """Raise an error if predictions of shape (n, 1) and targets of shape (n,) are broadcast inside a mean.

    The loss then compares each prediction with every target, so it is the same for every order of the targets, but
    not if y has another shape.
    """
    n = y.size
    column, row, vector = (n, 1), (1, n), (n,)
    if n < 2 or y.dtype.kind not in "biuf" or y.shape not in (column, row, vector) or n not in X.shape:
        return
    if has_samples_as_columns(parameters, X):
        others = [row, vector, column]
    else:
        others = [vector, column, row] if y.ndim == 2 else [column, row]
    if not ignores_order(forward, parameters, X, y):
        return
    for shape in [shape for shape in others if shape != y.shape]:
        other = y.reshape(shape)
        if ignores_order(forward, parameters, X, other) is False:
            given, right = (quiet_loss(forward, parameters, X, targets) for targets in (y, other))
            raise InputError(
                f"forward compares each prediction with all targets: with y of shape {y.shape} the loss is {given:.6g} "
                f"in any order of y, and with shape {shape} it is {right:.6g} and depends on the order. NumPy "
                f"broadcasts (n, 1) against (n,) to (n, n). Give predictions and targets the same shape, here with "
                f"{reshaping(y.shape, shape)}."
            )


def reshaping(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return the code that gives y another shape.

    >>> reshaping((5,), (5, 1)), reshaping((5, 1), (5,))
    ('y.reshape(-1, 1)', 'y[:, 0]')
    """
    if len(shape) == 2:
        return "y.reshape(-1, 1)" if shape[1] == 1 else "y.reshape(1, -1)"
    return "y[:, 0]" if given[1] == 1 else "y[0]"


def ignores_order(forward: Forward, parameters: Mapping[str, Array], X: Array, y: Array) -> bool | None:
    """Whether the loss is the same for every order of the targets; None if forward does not take them.

    Targets that are all equal have one order only.
    """
    flat = y.ravel()
    orders = (flat, np.roll(flat, 1), np.random.default_rng(0).permutation(flat))
    try:
        losses = [quiet_loss(forward, parameters, X, order.reshape(y.shape)) for order in orders]
    except Exception:  # a function of a user, which need not accept other shapes
        return None
    return bool(np.allclose(losses, losses[0], rtol=1e-6, atol=0))


def quiet_loss(forward: Forward, parameters: Mapping[str, Array], X: Array, y: Array) -> float:
    """Return the loss for copies of the arguments, without warnings."""
    copies = {key: value.copy() for key, value in parameters.items()}
    with np.errstate(all="ignore"):
        return float(np.asarray(forward(copies, X.copy(), y.copy())).item())


def check_repeated_calls(
    forward: Forward, backward: Backward, parameters: Mapping[str, Array], X: Array, y: Array
) -> None:
    """Raise an error if backward returns something else in each call."""
    first, second, third = (
        {name: value.copy() for name, value in checked_gradients(forward, backward, parameters, X, y).items()}
        for _ in range(3)
    )
    changed = [n for n in first if first[n].shape != second[n].shape or not same_values(first[n], second[n])]
    if not changed:
        return
    if all(np.allclose(third[n] - second[n], second[n] - first[n], rtol=1e-6) for n in changed):
        raise InputError(
            f"backward adds to the gradients of the call before: {', '.join(changed)} "
            f"{'grows' if len(changed) == 1 else 'grow'} in each call. Begin with zeros in each call, or write dW = … "
            f"instead of dW += …."
        )
    raise InputError(
        f"backward returns different gradients in each call ({', '.join(changed)}): it must not keep anything from the "
        f"call before. Draw random numbers (dropout) once, outside of it."
    )


def advice_for(loss: Array) -> str:
    """Say how to make one number of several losses; a square array typically comes from unwanted broadcasting."""
    if loss.ndim == 2 and loss.shape[0] == loss.shape[1] > 1:
        return (
            f"The shape {loss.shape} comes from broadcasting (n,) against (n, 1): give predictions and targets the "
            f"same shape, for example with y.reshape(-1, 1)."
        )
    return "Add the losses up, or take their mean."


def check_returned_loss(returned: object) -> None:
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


def checked_gradients(
    forward: Forward, backward: Backward, parameters: Mapping[str, Array], X: Array, y: Array
) -> dict[str, Array]:
    """Return the gradients by name, after a check that each parameter has one.

    ``forward`` is called before, because many programs keep its values for ``backward``.
    """
    call_with_copies("forward", forward, parameters, X, y)
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
    return {name: as_gradient(gradients[name], name) for name in parameters}


def as_gradient(value: object, name: str) -> Array:
    """Convert a gradient to a float64 array; raise an error unless it holds real numbers."""
    what = f"backward returned {{}} as the gradient of {name!r}: it must be an array of real numbers, shaped as {name}."
    if value is None:
        raise InputError(what.format("None"))
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(what.format("rows of different lengths")) from error
    if array.dtype.kind == "c":
        raise InputError(what.format("complex numbers"))
    if array.dtype.kind not in "biuf":
        raise InputError(what.format(describe(value)))
    return array.astype(np.float64)
