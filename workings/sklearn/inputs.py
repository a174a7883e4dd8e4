"""Validation of inputs, targets and weights: scikit-learn's, after refusing what it would change in silence."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from workings.errors import InputError, MissingExtraError, first_line
from workings.model.targets import refuse_missing
from workings.support.arrays import as_finite
from workings.support.conversion import as_array, convertible

try:
    from sklearn.utils.validation import _check_sample_weight, validate_data
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error


def validated(estimator: Any, X: Any, *targets: Any, **settings: Any) -> Any:
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
    if not (hasattr(y, "dtype") or isinstance(y, (list, tuple))):
        return y
    array = as_array(y, name)
    if array.dtype.kind == "O" and array.ndim == 1:
        refuse_missing(array, name)
    return array if array.dtype.kind in "OU" else y


def validated_weights(sample_weight: Any, X: Any) -> Any:
    """Validate sample weights, of shape (n,); a single number counts for all rows."""
    if isinstance(sample_weight, numbers.Number):
        return _check_sample_weight(sample_weight, X)
    w = as_array(sample_weight, "sample_weight")
    return _check_sample_weight(as_finite(w, np.float64, "sample_weight") if w.dtype.kind == "O" else w, X)
