"""The validation split of an estimator: a fraction of the rows, drawn with scikit-learn's own function."""

from __future__ import annotations

import functools
import math

import numpy as np

from workings.errors import InputError
from workings.support.arrays import Array
from workings.training.rows import Rows


def split_rows(
    rows: Rows, fraction: float, rng: np.random.RandomState, classes: Array | None, *, as_scikit_learn: bool
) -> tuple[Rows, Rows]:
    """Return the rows to train on and the validation rows; with ``classes``, these are drawn by class.

    Raises
    ------
    InputError
        If there are too few validation rows, or all rows of a part have weight 0.
    """
    train, held_out = drawn_indices(rows, fraction, rng, classes, as_scikit_learn)
    if len(held_out) < 2:
        raise InputError(
            f"The validation set is too small: {len(held_out)} row. Increase 'validation_fraction' "
            f"or the size of your dataset."
        )
    parts = rows.take(train), rows.take(held_out)
    for part, name in zip(parts, ("training", "validation"), strict=True):
        if part.w is not None and not part.w.any():
            raise InputError(
                f"Every row of the {name} set has weight 0, after {len(held_out)} of {len(rows.X)} rows were held "
                f"out for validation: give more rows a weight above 0."
            )
    return parts


def drawn_indices(
    rows: Rows, fraction: float, rng: np.random.RandomState, classes: Array | None, as_scikit_learn: bool
) -> tuple[Array, Array]:
    """Draw the indices of the rows to train on and of the validation rows.

    scikit-learn draws them by class only if there are two classes.  So does ``early_stopping``, to have
    the same rows, and both refuse a class of one row.  A fraction in ``validation_set`` is drawn by class
    in any case; then a class of one row stays in the training set.
    """
    from sklearn.model_selection import train_test_split  # takes time to import

    indices, draw = np.arange(len(rows.X)), functools.partial(train_test_split, random_state=rng)
    if classes is None:
        train, held_out = draw(indices, test_size=fraction)
        return train, held_out
    labels = rows.y[:, 0].astype(np.int64) if rows.y.shape[1] == 1 else rows.y.argmax(axis=1)
    is_alone = (np.bincount(labels)[labels] == 1) & (not as_scikit_learn)
    names = rows.y.astype(bool) if as_scikit_learn else classes[labels]
    size = math.ceil(fraction * len(indices)) if is_alone.any() else fraction
    try:
        train, held_out = draw(indices[~is_alone], test_size=size, stratify=names[~is_alone])
    except ValueError as error:
        raise InputError(
            f"Validation rows cannot be drawn by class: {error} Use another fraction, or pass validation_set=0.1, "
            f"which leaves a class of one row in the training set."
        ) from error
    return np.concatenate([train, indices[is_alone]]), held_out
