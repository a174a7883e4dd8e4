"""Validation of inputs, targets and weights: scikit-learn's, after refusing what it would change in silence."""

from __future__ import annotations

from typing import Any

import numpy as np

from workings.errors import InputError, MissingExtraError, first_line
from workings.model.targets import refuse_missing
from workings.support.arrays import Array, as_finite, describe
from workings.support.conversion import as_array, convertible
from workings.support.sparse import is_sparse

try:
    from sklearn.utils.validation import _check_sample_weight, validate_data
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error


def validate_inputs(estimator: Any, X: Any, *targets: Any, **settings: Any) -> Any:
    """Validate X, or X and y, with scikit-learn; masked values, dates and missing labels raise an error before.

    Raises
    ------
    InputError
        For values that a conversion would change; see ``workings.support.conversion.convertible``.
    """
    given = [convertible(X, "X"), *(readable_targets(y, "y") for y in targets)]
    try:
        return validate_data(estimator, *given, **settings)
    except (ValueError, TypeError):  # scikit-learn's own messages, which its checks of estimators expect
        raise
    except Exception as error:  # other libraries' types can raise any exception
        raise InputError(f"X and y cannot be converted to arrays: {first_line(error)}.") from error


def readable_targets(y: Any, name: str) -> Any:
    """Return targets that scikit-learn reads without changing one; raise for missing labels."""
    y = convertible(y, name)
    if is_sparse(y) or not (hasattr(y, "dtype") or isinstance(y, (list, tuple))):
        return y
    array = as_array(y, name)
    if array.dtype.kind == "O" and array.ndim == 1:
        refuse_missing(array, name)
    return array if array.dtype.kind in "OU" else y


def validated_weights(sample_weight: Any, X: Any) -> Array:
    """Validate sample weights, of shape (n,); a single number is the weight of every row."""
    given = as_array(sample_weight, "sample_weight")
    if given.ndim == 0 and given.dtype.kind in "biuf":
        given = np.full(X.shape[0], given, dtype=np.float64)
    given = as_finite(given, np.float64, "sample_weight") if given.dtype.kind == "O" else given
    if given.dtype.kind not in "biuf":
        raise InputError(f"sample_weight must hold numbers, not {describe(sample_weight)}.")
    try:
        weights: Array = _check_sample_weight(given, X)
    except ValueError as error:
        raise InputError(str(error)) from error
    if (weights < 0).any():
        raise InputError(f"Sample weights must be 0 or more; the smallest is {weights.min():g}.")
    return weights
