"""Training data on disk: inputs, targets and weights as row streams, and what cannot be done with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from workings.errors import InputError
from workings.model.model import Model, as_weights
from workings.model.targets import LabelTargets, Targets
from workings.support.arrays import Array, Features, as_features, check_table, working_dtype
from workings.support.row_stream import RowStream, stream_of
from workings.training.class_weights import weights_of_classes, weights_of_rows, with_labels
from workings.training.recipe import Labels, Recipe, check_share
from workings.training.rows import Rows, parts_of
from workings.training.shuffling import SEED_BYTES


def streamed_rows(model: Model, X: RowStream, y: object, recipe: Recipe) -> tuple[Rows, Targets]:
    """Return the training set as streams, and the targets with their labels; build the model if it has no parameters.

    The rows are checked when they are read.

    Raises
    ------
    InputError
        For settings that need all rows in memory.
    """
    refuse_whole(recipe, len(X))
    dtype = model.dtype if model.n_in is not None or model.dtype_given else working_dtype(X)
    check_table(X, model.n_in, "X")
    targets, given = stream_of(y, X, "y"), model.targets
    learned = given.learn_from_stream(targets)
    features = X.mapped(lambda rows: as_features(rows, dtype, X.shape[1]), X.shape[1], dtype)
    encoded: Features = learned.encode_stream(targets, dtype)
    w: Features = None if recipe.sample_weight is None else stream_of_weights(recipe.sample_weight, X, dtype)
    if recipe.class_weight is not None:
        w = stream_of_class_weights(w, recipe.class_weight, encoded, with_labels(learned))
    if model.n_in is None:
        model.build(X.shape[1], dtype)
    return Rows(features, encoded, w), learned


def refuse_whole(recipe: Recipe, n: int) -> None:
    """Raise for settings that need all rows in memory."""
    if recipe.workers is not None:
        raise InputError(
            "workers= cannot be combined with a stream of rows. Pass the path of the file, a memory map, "
            "np.load(path, mmap_mode='r'), or train on the stream without workers."
        )
    if not recipe.optimizer.takes_batches:
        raise InputError("L-BFGS needs all rows in memory, and X is on disk. Use Adam() or SGD(0.1) with a batch_size.")
    if recipe.batch_size is None or recipe.batch_size >= n:
        raise InputError(f"A full batch needs all {n:,} rows in memory, and X is on disk: choose a smaller batch_size.")


def split_stream(rows: Rows, share: float, model: Model) -> tuple[Rows, Rows]:
    """Split off a random share of the rows of each block as the validation set, with the model's random generator."""
    check_share(share, len(rows.X))
    return rows.split_blocks(share, int.from_bytes(model.rng.bytes(SEED_BYTES), "little"))


def streamed_validation(model: Model, targets: Targets, X: RowStream, y: object) -> Rows:
    """Return a validation set as streams."""
    features = model.checked_stream(X, "validation X")
    encoded: Features = targets.encode_stream(stream_of(y, X, "validation y"), model.dtype)
    return Rows(features, encoded)


def stream_of_weights(given: object, X: RowStream, dtype: DTypeLike) -> RowStream:
    """Return sample weights as a stream, of shape (n, 1)."""

    def convert(w: Array) -> Array:
        """Check the weights of some rows."""
        weights = as_weights(w, w, dtype)
        if not weights.all():
            raise InputError(
                f"sample_weight has 0 at row {int(np.argmin(weights))}. Rows on disk cannot be left out: give weights "
                f"above 0, or a source without these rows."
            )
        return weights

    return stream_of(given, X, "sample_weight").mapped(convert, 1, dtype)


class ClassWeights:
    """A source of the weights of rows: the weights of their classes, times their sample weights."""

    def __init__(self, w: RowStream | None, encoded: RowStream, targets: LabelTargets, by_class: Array) -> None:
        self.w, self.encoded, self.targets, self.by_class = w, encoded, targets, by_class

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, rows: slice) -> Array:
        weights = weights_of_rows(self.encoded[rows], self.targets, self.by_class)
        return weights if self.w is None else weights * self.w[rows]


def stream_of_class_weights(
    w: RowStream | None, class_weight: Labels, encoded: RowStream, targets: LabelTargets
) -> RowStream:
    """Return the weights of rows as a stream, of shape (n, 1)."""
    by_class = weights_of_classes(class_weight, targets, parts_of(encoded))
    if not by_class.all():
        label = targets.classes.tolist()[int(np.argmin(by_class))] if targets.classes is not None else ""
        raise InputError(
            f"class_weight gives {label!r} the weight 0. Rows on disk cannot be left out: give weights above 0."
        )
    return RowStream(ClassWeights(w, encoded, targets, by_class), name="sample_weight")
