"""Training data: check and weight the rows, and split them into a training set and a validation set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError
from workings.model.data_files import is_path, open_files, opened_array
from workings.model.model import Model
from workings.model.targets import LabelTargets, Targets
from workings.support.arrays import Array, Features, as_features, same_length
from workings.support.conversion import as_array
from workings.support.row_stream import RowStream, in_memory, opened
from workings.support.sparse import SparseRows, dense
from workings.training.class_weights import combined_weights
from workings.training.recipe import Recipe, check_share
from workings.training.rows import Rows
from workings.training.streamed_data import split_stream, streamed_rows, streamed_validation


@dataclass(frozen=True)
class TrainingData:
    """The training set, the validation set and the targets.

    Attributes
    ----------
    rows : Rows
        The training set, without the rows of weight 0.
    validation : Rows or None
        The validation set.
    targets : Targets
        The model's targets, with the labels of the training set.
    numbers : int array or None
        The numbers of the training set's rows among the given rows; None if it has all of them.
    given : int
        The number of the given rows; 0 for streams.
    """

    rows: Rows
    validation: Rows | None
    targets: Targets
    numbers: Array | None = None
    given: int = 0

    @property
    def has_streams(self) -> bool:
        """Whether any rows stay on disk."""
        return self.rows.are_streamed or (self.validation is not None and self.validation.are_streamed)

    def fingerprint(self) -> str:
        """Return a checksum of the training set as text."""
        return self.rows.fingerprint()


def prepare(model: Model, X: ArrayLike, y: ArrayLike, recipe: Recipe) -> TrainingData:
    """Check and weight the rows, and split off the validation set; build the model if it has no parameters yet.

    Raises
    ------
    InputError
        For invalid rows, targets, weights or validation sets.
    """
    X, y = opened_files(model, X, y, recipe)
    is_mapped_for_workers = recipe.workers is not None and isinstance(X, np.memmap)  # they read rows by their numbers
    X = X if is_mapped_for_workers else opened(X)
    if isinstance(X, RowStream):
        rows, targets = streamed_rows(model, X, y, recipe)
        if is_given(recipe):
            return TrainingData(rows, given_validation(model, targets, *recipe.validation, is_sparse=False), targets)
        validation: Rows | None = None
        if recipe.validation is not None:
            rows, validation = split_stream(rows, recipe.validation, model)
        return TrainingData(rows, validation, targets)
    y = in_memory(y)
    if model.targets.classes is None:  # a network that knows its labels may also be trained on rows of one label
        model.targets.check_variety(y)
    features, encoded, w = model.prepare(X, y, recipe.sample_weight)
    targets = model.targets.learn(y)
    rows = Rows(features, encoded, combined_weights(w, recipe.class_weight, encoded, targets))
    numbers = numbers_with_weight(rows)
    rows = rows if numbers is None else rows.take(numbers)
    if is_given(recipe):
        validation = given_validation(model, targets, *recipe.validation, is_sparse=is_sparse(rows))
    elif recipe.validation is None:
        validation = None
    else:
        kept, held_out = split(rows, recipe.validation, model, targets)
        rows, validation = rows.take(kept), rows.take(held_out)._replace(w=None)
        numbers = kept if numbers is None else numbers[kept]
    return TrainingData(rows, validation, targets, numbers, given=len(encoded))


def opened_files(model: Model, X: Features, y: Features, recipe: Recipe) -> tuple[Features, Features]:
    """Open data that is given as a path; the model learns the columns of a table if it knows none yet."""
    if not is_path(X):
        return X, opened_array(y, "y")
    dtype = model.dtype if model.n_in is not None or model.dtype_given else np.float64
    found = open_files(X, y, model.preprocessing, dtype=dtype, learns=model.n_in is None or model.is_fresh)
    if found.preprocessing is None:
        return found.X, found.y
    model.preprocessing = found.preprocessing
    if recipe.workers is None:
        return found.X, found.y
    return found.X[0 : len(found.X)], found.y[0 : len(found.y)]  # workers read rows by their numbers


def is_given(recipe: Recipe) -> bool:
    """Whether the validation set is given as rows."""
    return isinstance(recipe.validation, tuple) and len(recipe.validation) == 2


def numbers_with_weight(rows: Rows) -> Array | None:
    """Return the numbers of the rows with a weight above 0; None if all rows have one."""
    if rows.w is None or rows.w.all():
        return None
    if not rows.w.any():
        raise InputError("Every row has weight 0: give some rows a weight above 0.")
    return np.flatnonzero(rows.w[:, 0] > 0)


def is_sparse(rows: Rows) -> bool:
    """Whether X is sparse."""
    return isinstance(rows.X, SparseRows)


def given_validation(model: Model, targets: Targets, X: ArrayLike, y: ArrayLike, *, is_sparse: bool) -> Rows:
    """Check and encode a validation set; it is sparse only if the training set is, so that one engine runs both."""
    X, y = model.encode_table(*model.opened(X, y, "validation X"))
    if isinstance(X, RowStream):
        return streamed_validation(model, targets, X, y)
    y = in_memory(y, "validation y")
    features = as_features(X, model.dtype, model.n_in, "validation X")
    features = features if is_sparse else dense(features)
    y = as_array(y, "validation y")
    same_length(features, y, "validation y")
    try:
        return Rows(features, targets.encode(y, model.dtype))
    except InputError as error:
        raise InputError(f"In the validation data, {error}") from error


def split(rows: Rows, share: object, model: Model, targets: Targets) -> tuple[Array, Array]:
    """Draw a random share of the rows for validation, with the model's random generator.

    If each row has one label, the share is drawn from the rows of each label.

    Returns
    -------
    int array, int array
        The numbers of the rows to train on, in their order, and of the rows to validate on.
    """
    n = len(rows.X)
    held_out = check_share(share, n, "" if rows.w is None else " with a weight above 0")
    order = model.rng.permutation(n)
    if isinstance(targets, LabelTargets):
        order = stratified(order, targets.label_numbers(rows.y), held_out)
    return np.sort(order[held_out:]), order[:held_out]


def stratified(order: Array, labels: Array, rows: int) -> Array:
    """Rearrange a random order of rows so that its first ``rows`` rows have each label in proportion.

    Each label gets its share of these rows, rounded down; the largest remainders are rounded up, until the
    number is reached.  A label's last row is taken only if all others are.

    >>> stratified(np.array([5, 0, 3, 1, 4, 2]), np.array([0, 0, 0, 0, 1, 1]), 3).tolist()
    [5, 0, 3, 1, 4, 2]
    >>> stratified(np.arange(6), np.array([0, 0, 0, 0, 1, 2]), 2).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    labels = labels[order]
    counts = np.bincount(labels)
    quotas = rows * counts / len(order)
    taken = quotas.astype(np.int64)
    is_last = np.where(quotas == taken, 2, counts == taken + 1)
    taken[np.lexsort((taken - quotas, is_last))[: rows - taken.sum()]] += 1
    by_label = np.argsort(labels, kind="stable")
    place = np.empty(len(order), np.int64)  # of each row among the rows with its label
    place[by_label] = np.arange(len(order)) - (np.cumsum(counts) - counts)[labels[by_label]]
    is_taken = place < taken[labels]
    return np.concatenate([order[is_taken], order[~is_taken]])
