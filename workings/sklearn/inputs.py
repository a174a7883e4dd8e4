"""Validation of inputs, targets and weights: scikit-learn's, after refusing what it would change in silence.

Errors are ours.  They contain scikit-learn's message, because its checks of estimators look for some phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from workings.errors import InputError, InputTypeError, MissingExtraError, WorkingsError
from workings.model.targets import refuse_missing
from workings.support.arrays import Array, as_finite, check_weight_range, describe
from workings.support.conversion import GAP_FIX, as_array, convertible, position
from workings.support.sparse import is_sparse

try:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import compute_sample_weight
    from sklearn.utils.validation import _check_sample_weight, validate_data
except ImportError as error:
    raise MissingExtraError("scikit-learn 1.6 or newer", "sklearn") from error


# What is wrong, in our words, by a phrase of scikit-learn's message; the first that fits.
WORDS: dict[str, str] = {
    "Complex data": "{name} has complex numbers, but it must hold real numbers.",
    "contains NaN|contains infinity": f"{{name}} has a value that is missing or not finite. {GAP_FIX}",
    r"0 sample\(s\)": "{name} has no rows: there must be at least one.",
    r"0 feature\(s\)": "{name} has no columns: there must be at least one.",
    "got 1D array": "{name} has one dimension, but rows are samples: a single sample is {name}.reshape(1, -1), a "
                    "single column is {name}.reshape(-1, 1).",
    "got scalar array|with dim|at least 1 dimension": "{name} has a wrong number of dimensions.",
    "unique column names": "X has several columns of one name: give each column its own name.",
    "inconsistent numbers of samples": "There must be one row for each sample.",
    "convert string|dtype='numeric'": "{name} has text, but it must hold numbers.",
    "requires y": "Pass targets.",
    "label type|label input types|handle a mix|legacy multi-label": "The labels in y are of a kind that does not fit.",
    "argument must be|an array element|Cannot cast": "{name} must hold numbers.",
    "feature names should match|Feature names are": "The names of X's columns do not fit.",
    r"features, but \w+ is expecting": "X has a wrong number of columns.",
}  # fmt: skip


@contextmanager
def own_errors(name: str = "X") -> Iterator[None]:
    """Turn scikit-learn's errors about data into ours; an estimator that is not fitted is another matter.

    Parameters
    ----------
    name : str
        The data in question, if scikit-learn's message does not name it.

    Raises
    ------
    InputError
        For any error in the block; an ``InputTypeError`` for a ``TypeError``.
    """
    try:
        yield
    except (WorkingsError, NotFittedError):
        raise
    except TypeError as error:
        raise InputTypeError(in_own_words(error, name)) from error
    except Exception as error:  # other libraries' types can raise any exception
        raise InputError(in_own_words(error, name)) from error


def in_own_words(error: Exception, name: str) -> str:
    """Return a message in our words that contains another library's message."""
    message = str(error).strip() or type(error).__name__
    named = re.match(r"Input (\w+)", message)
    for phrase, words in WORDS.items():
        if re.search(phrase, message):
            return f"{words.format(name=named[1] if named else name)} In scikit-learn's words: {message}"
    return f"X and y cannot be used: {message}"


def validate_inputs(estimator: object, X: object, *targets: object, **settings: object) -> Any:
    """Validate X, or X and y, with scikit-learn; text, masked values, dates and missing labels raise an error before.

    Raises
    ------
    InputError
        For values that a conversion would change; see ``workings.support.conversion.convertible``.
    """
    with own_errors():
        refuse_text(X)
        given = [convertible(X, "X"), *(readable_targets(y, "y") for y in targets)]
        return validate_data(estimator, *given, **settings)


def refuse_text(X: object) -> None:
    """Raise for text in X, also for text such as "3", which scikit-learn reads as a number in some calls only."""
    is_numeric = is_sparse(X) or (isinstance(X, np.ndarray) and X.dtype.kind in "biufcmMV")
    array = np.zeros(0) if is_numeric else as_array(X, "X")
    if array.dtype.kind not in "USO" or array.ndim == 0:
        return
    for place, value in np.ndenumerate(array):
        if isinstance(value, (str, bytes)):
            plain = value.item() if isinstance(value, np.generic) else value
            raise InputError(
                f"X has {plain!r} ({type(plain).__name__}) at {position(place)}; it must hold numbers. "
                f"Encode text columns as numbers first, for example with OneHotEncoder."
            )


def readable_targets(y: object, name: str) -> Any:
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
    given = as_finite(given, np.float64, "sample_weight") if given.dtype.kind == "O" and given.ndim else given
    if given.dtype.kind not in "biuf":
        raise InputError(f"sample_weight must hold numbers, not {describe(sample_weight)}.")
    with own_errors("sample_weight"):
        weights: Array = _check_sample_weight(given, X)
    if (weights < 0).any():
        raise InputError(f"Sample weights must be 0 or more; the smallest is {weights.min():g}.")
    check_weight_range(weights, np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
    return weights


def class_weights(class_weight: object, classes: Array, y: Array) -> Array:
    """Return the weight of each row according to ``class_weight``; ``classes`` are the labels, of each output."""
    complete = complete_class_weight(class_weight, classes)
    if isinstance(complete, Mapping) and y.ndim == 1:
        index = np.searchsorted(classes, y)
        weights: Array = np.array([complete[label] for label in classes.tolist()], np.float64)[index]
    else:
        with own_errors("class_weight"):
            weights = compute_sample_weight(complete, y)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError(f"class_weight must contain finite numbers of at least 0, not {class_weight!r}.")
    return weights


def complete_class_weight(class_weight: object, classes: Array) -> object:
    """Return class weights with 1 for each missing label, because a batch may have only such labels."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and not all(label in class_weight for label in labels):
        raise InputError(
            f"class_weight has {unknown[0]!r}, which is not a label: "
            f"the labels in y are {', '.join(map(repr, labels))}."
        )
    return {label: class_weight.get(label, 1.0) for label in labels}
