"""Validation of input arrays, and random generators.

Values that are not finite, text in place of numbers, and shapes that do not fit raise an ``InputError`` that
names the position.  No array is silently reshaped, parsed from text, broadcast or truncated, because a
network would train on the wrong numbers without an error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from workings.errors import InputError
from workings.support.conversion import GAP_FIX, as_array, at_position, is_missing, is_real
from workings.support.sparse import DENSE_AT_ONCE, SparseRows, is_sparse

if TYPE_CHECKING:
    from workings.support.interfaces import Shaped, SparseMatrix

Array = NDArray[Any]
Values = Any  # a number or an array; formulas accept both
Features = Any  # an array, or SparseRows for a large sparse matrix; both support slicing and @
RandomSource = np.random.Generator | np.random.RandomState


def describe(values: object) -> str:
    """Describe a value briefly, for error messages.

    >>> describe(np.zeros((3, 2))), describe("abc")
    ('an array of shape (3, 2) and type float64', "'abc' (str)")
    """
    if isinstance(values, np.ndarray):
        return f"an array of shape {values.shape} and type {values.dtype}"
    text = repr(values)
    return f"{text if len(text) < 60 else text[:57] + '...'} ({type(values).__name__})"


def working_dtype(X: object, dtype: DTypeLike | None = None) -> np.dtype[Any]:
    """Return the dtype to compute in: float32 for float32 data, else float64; ``dtype`` overrides this."""
    if dtype is None:
        return np.dtype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = np.dtype(object)
    if chosen not in (np.float32, np.float64):
        raise InputError(f"dtype must be float32 or float64, not {describe(dtype)}.")
    return chosen


def as_features(X: ArrayLike, dtype: DTypeLike, n_in: int | None = None, name: str = "X") -> Features:
    """Validate inputs and return a C-ordered array of shape (n, n_in); a large sparse matrix stays sparse.

    Raises
    ------
    InputError
        If ``X`` is not two-dimensional, empty, not numeric, not finite or of another width.
    """
    if isinstance(X, SparseRows) or is_sparse(X):
        matrix = X.matrix if isinstance(X, SparseRows) else X
        check_table(matrix, n_in, name)
        rows = finite_rows(matrix, dtype, name)
        return rows.dense() if rows.dense_bytes <= DENSE_AT_ONCE else rows
    if isinstance(X, (str, os.PathLike)):
        raise InputError(f"{name} is {os.fspath(X)!r}. This operation opens no files: load the rows, as with np.load.")
    array = as_array(X, name)
    if array.dtype.names or (array.ndim == 0 and array.dtype.kind == "O"):
        raise InputError(
            f"{name} must be an array or a table of numbers, not {describe(array.item() if array.ndim == 0 else X)}."
        )
    if array.ndim == 1 and hasattr(X, "to_frame"):
        raise InputError(
            f"{name} is one row or column of a table. Give a table: of pandas, table.iloc[[0]] is a row and "
            'table[["a"]] a column.'
        )
    check_table(array, n_in, name)
    return np.ascontiguousarray(as_finite(array, dtype, name))


def check_table(array: Shaped, n_in: int | None, name: str) -> None:
    """Raise unless an array has two dimensions, at least one row, and the expected number of columns."""
    if array.ndim == 1:
        raise InputError(
            f"{name} has shape {array.shape}, but rows are samples: a single sample is {name}.reshape(1, -1), "
            f"a single column is {name}.reshape(-1, 1)."
        )
    if array.ndim != 2:
        raise InputError(f"{name} must have two dimensions (samples, features); it has shape {array.shape}.")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise InputError(f"{name} has shape {array.shape}: there must be at least one row and one column.")
    if n_in is not None and array.shape[1] != n_in:
        raise InputError(f"{name} has {array.shape[1]} columns (shape {array.shape}), but this network takes {n_in}.")


def finite_rows(matrix: SparseMatrix, dtype: DTypeLike, name: str) -> SparseRows:
    """Cast a sparse matrix to ``dtype``; raise for non-numeric and non-finite values, like ``as_finite``."""
    rows = matrix.tocsr()
    if rows.dtype.kind not in "biuf":
        raise InputError(f"{name} is a sparse matrix of type {rows.dtype}, but it must hold numbers.")
    with np.errstate(over="ignore"):
        cast = rows.astype(dtype, copy=False)
    wrong = np.flatnonzero(~np.isfinite(cast.data))
    if len(wrong):
        place = int(np.searchsorted(rows.indptr, wrong[0], side="right")) - 1, int(rows.indices[wrong[0]])
        raise InputError(not_finite(rows.data[wrong[0]], place, name))
    return SparseRows(cast)


def as_finite(array: Array, dtype: DTypeLike, name: str) -> Array:
    """Cast numbers to ``dtype``; raise for text and for non-finite values, naming their position."""
    if array.dtype.kind not in "biuf":
        array = objects_to_floats(array, name)
    with np.errstate(over="ignore", invalid="ignore"):  # overflow becomes infinite, which raises below
        cast = array.astype(dtype, copy=False)
        is_finite = np.isfinite(
            cast.sum()
        )  # needs no temporary array; a sum of finite numbers can overflow, so check again below
    if not is_finite and not np.isfinite(cast).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(cast))[0])
        raise InputError(not_finite(array[place], place, name))
    return cast


def not_finite(value: object, place: tuple[int, ...], name: str) -> str:
    """Return the error message for a value that is not finite."""
    return f"{name} has {value}{at_position(place)}. {GAP_FIX}"


def objects_to_floats(array: Array, name: str) -> Array:
    """Convert an object array of real numbers to floats; raise for missing values, text, dates and complex numbers."""
    if array.dtype.kind != "O":
        is_text = array.dtype.kind in "US"
        advice = " Encode text columns as numbers first (`workings train` does that for tables)." if is_text else ""
        raise InputError(
            f"{name} has type {array.dtype}, but it must hold numbers; the first value is {array.flat[0]!r}.{advice}"
        )
    if set(map(type, array.ravel().tolist())) <= {float, np.float64}:
        return array.astype(np.float64)
    floats = np.empty(array.shape)
    for place, value in np.ndenumerate(array):
        if is_missing(value):
            value = np.nan  # ``as_finite`` names its place
        elif not is_real(value):
            raise InputError(
                f"{name} has {value!r} ({type(value).__name__}){at_position(place)}; it must hold numbers."
            )
        try:
            floats[place] = value
        except (OverflowError, ValueError) as error:
            raise InputError(f"{name} has a number{at_position(place)} that float64 cannot hold.") from error
    return floats


def same_length(X: Features, other: Array, name: str = "y") -> None:
    """Raise unless two arrays have the same number of rows."""
    if other.ndim == 0:
        raise InputError(f"{name} is {describe(other.item())}, but it must have one row for each sample.")
    if X.shape[0] != len(other):
        raise InputError(
            f"X has {X.shape[0]} rows but {name} has {len(other)}: they must have one row for each sample."
        )


def as_random(seed: int | RandomSource | None) -> RandomSource:
    """Return the random generator for a seed; a generator is returned unchanged."""
    if isinstance(seed, (np.random.Generator, np.random.RandomState)):
        return seed
    seed = seed.item() if isinstance(seed, np.ndarray) and seed.ndim == 0 else seed
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0):
        raise InputError(f"seed must be a whole number from 0, a Generator or a RandomState, not {describe(seed)}.")
    return np.random.default_rng(seed)


def state_of(source: RandomSource) -> object:
    """Return the state of a random generator."""
    return source.get_state(legacy=False) if isinstance(source, np.random.RandomState) else source.bit_generator.state


def put_state(source: RandomSource, state: Any) -> None:
    """Set the state of a random generator."""
    if isinstance(source, np.random.RandomState):
        source.set_state(state)
    else:
        source.bit_generator.state = state


def how_made(seed: int | RandomSource | None) -> str | None:
    """Return the code that creates a random generator; None if its seed is unknown.

    >>> how_made(3), how_made(np.random.RandomState(5)), how_made(np.random.default_rng(5))
    ('np.random.default_rng(3)', 'np.random.RandomState(5)', None)
    """
    if isinstance(seed, (int, np.integer)) or (isinstance(seed, np.ndarray) and seed.ndim == 0):
        return f"np.random.default_rng({seed})"
    if isinstance(seed, np.random.RandomState):  # before the first draw, the first word of its state is the seed
        words = np.asarray(seed.get_state()[1])  # type: ignore[index]
        known = np.asarray(np.random.RandomState(words[0]).get_state()[1])  # type: ignore[index]
        return f"np.random.RandomState({words[0]})" if (words == known).all() else None
    return None


def check_weight_range(weights: Array, dtype: DTypeLike) -> None:
    """Raise for weights so large or small that their sums overflow, or their products become 0.

    >>> check_weight_range(np.array([0.0, 1e-3, 1e6]), np.float64)
    """
    limits, known = np.finfo(dtype), np.asarray(weights, dtype=np.float64)
    low, high = float(limits.tiny / limits.eps), float(limits.max * limits.eps)
    least, most = known[known > 0].min(initial=np.inf), known.max(initial=0.0)
    with np.errstate(over="ignore"):
        total = known.sum()
    if total > high or least < low:
        raise InputError(
            f"Sample weights must be 0 or at least {low:.1g}, with a sum of at most {high:.1g}; they are up to "
            f"{most:g}, and the smallest above 0 is {least:g}. Only their ratios matter: divide all by their mean."
        )
