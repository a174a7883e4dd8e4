"""Targets: encode labels as numbers and decode predictions to labels; one class for each kind of targets.

In the program a target ``y`` has one row for each sample and one column for each output.  Users pass labels:
integers, text or booleans.  The loss determines the kind of targets.  A wrong shape raises an error that
names both shapes; targets are never reshaped or broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from workings.errors import InputError
from workings.metrics import accuracy, r2
from workings.support.arrays import Array, Values, as_finite
from workings.support.conversion import as_array, is_missing
from workings.support.row_stream import RowStream

MOST_LABELS = 100_000  # of a training set on disk


def one_hot(labels: Array, classes: Array) -> Values:
    """is true in the column of the row's label

    >>> one_hot(np.array(["b", "a"]), np.array(["a", "b"]))
    array([[False,  True],
           [ True, False]])
    """
    return labels[:, None] == classes


def most_probable(p: Array) -> Values:
    """is the column of each row's largest probability"""
    return p.argmax(axis=1)


def more_probable(p: Array) -> Values:
    """is whether the second of two labels is the more probable one"""
    return p > 0.5


def both_labels(p: Array) -> Array:
    """are the probabilities of the first and of the second of two labels"""
    return np.hstack([1 - p, p])


def second_label(y: Array) -> Values:
    """is 1 where the row has the second of two labels, and else 0"""
    return y[:, 0].astype(np.int64)


def balanced(counts: Array) -> Values:
    """is the weight of each class with which all that occur count alike

    >>> balanced(np.array([30, 10, 0]))
    array([ 0.66666667,  2.        , 20.        ])
    """
    return counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))


@dataclass(frozen=True)
class Targets:
    """Numeric targets, one number for each output; the base class of the other kinds.

    Attributes
    ----------
    n_out : int
        The number of outputs.
    classes : array or None
        The class labels; None before they are known.
    """

    n_out: int
    classes: Array | None = field(default=None, compare=False)

    kind: ClassVar[str] = "numbers"  # the value of ``Loss.target``
    is_classification: ClassVar[bool] = False  # whether the outputs are probabilities
    is_multiclass: ClassVar[bool] = False  # whether there is one output for each class
    has_labels: ClassVar[bool] = False  # whether each row has exactly one label
    metric: ClassVar[str] = "r2"  # the name of the usual metric, in ``METRICS``

    @property
    def choice(self) -> Callable[[Array], Values] | None:
        """The formula that predicts label numbers from the outputs; None for regression."""
        return None

    @property
    def shape(self) -> str:
        """The shape that targets must have, in words."""
        return "(n,), because the network has one output" if self.n_out == 1 else f"(n, {self.n_out})"

    @property
    def label_count(self) -> int:
        """The number of labels that one output, or one output for each class, can distinguish."""
        return 2

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row of targets that are numbers."""
        return (self.n_out,) if self.n_out > 1 else ()

    # -- labels ----------------------------------------------------------------------------

    def learn(self, y: ArrayLike) -> Targets:
        """Return these targets with the class labels of the training set, if they have labels.

        Raises
        ------
        InputError
            If the number of labels does not fit the number of outputs.
        """
        return self

    def check_variety(self, y: ArrayLike) -> None:
        """Raise an error if all training targets are the same label."""

    def learn_from_stream(self, y: RowStream) -> Targets:
        """Return these targets with the labels of a training set on disk, as ``learn``."""
        return self

    # -- encoding --------------------------------------------------------------------------

    def encode_stream(self, y: RowStream, dtype: DTypeLike) -> RowStream:
        """Return targets on disk as a stream of encoded rows, of shape (n, n_out)."""
        return y.mapped(lambda rows: self.encode(rows, dtype), self.n_out, dtype)

    def encode(self, y: ArrayLike, dtype: DTypeLike) -> Array:
        """Return targets as an array of shape (n, n_out).

        Raises
        ------
        InputError
            For a wrong shape, a label that was not in the training data, or values that the loss
            does not accept.
        """
        array = as_array(y, "y")
        if len(array.shape) > 0 and len(array) == 0:
            raise InputError(f"y has shape {array.shape}: there must be at least one row.")
        if array.ndim == 0 or array.shape[1:] != self.row_shape:
            advice = " Pass y.ravel()." if array.ndim == 2 and array.shape[1] == 1 else ""
            raise InputError(f"y has shape {array.shape}, but targets must have shape {self.shape}.{advice}")
        numbers = as_finite(array, dtype, "y")
        self.check_values(numbers)
        return np.ascontiguousarray(numbers.reshape(len(array), self.n_out))

    def check_values(self, y: Array) -> None:
        """Raise an error for numbers that the loss does not accept."""

    # -- decoding --------------------------------------------------------------------------

    def predicted_by(self, p: Array) -> Array:
        """Return encoded targets that the outputs ``p`` predict exactly, of the same shape."""
        return p

    def score(self, encoded: Array, p: Array, weights: Array | None) -> float:
        """Return the usual metric of outputs ``p`` for encoded targets: the accuracy or R²."""
        return r2(encoded, p, weights)

    def decode(self, p: Array) -> Array:
        """Return predictions in the user's form: labels, or numbers of shape (n,) or (n, n_out)."""
        return self.labels_for(p if self.choice is None else self.choice(p))

    def labels_for(self, chosen: Array) -> Array:
        """Return the labels for the result of ``choice``; for regression, the outputs."""
        return chosen[:, 0] if self.n_out == 1 else chosen

    def probabilities(self, p: Array) -> Array:
        """Return probabilities, one column for each class (or for each of several labels).

        Raises
        ------
        InputError
            If the network predicts numbers.
        """
        raise InputError("This network predicts numbers, not probabilities: use predict.")

    def comparable(self, y: ArrayLike) -> Array:
        """Return targets in the same form as ``decode`` returns predictions."""
        return as_array(y, "y")


class CountTargets(Targets):
    """Counts from 0, for the Poisson loss."""

    kind = "counts"

    def predicted_by(self, p: Array) -> Array:
        return np.round(p)

    def check_values(self, y: Array) -> None:
        if (y < 0).any():
            row = int(np.argwhere(y < 0)[0][0])
            raise InputError(f"y has {y[row].min():g} at row {row}: the Poisson loss is for counts, from 0.")


class SeveralLabels(Targets):
    """Several labels for each row, 0 or 1 each."""

    kind = "labels"
    is_classification = True
    metric = "accuracy"

    def predicted_by(self, p: Array) -> Array:
        return np.asarray(more_probable(p), dtype=p.dtype)

    def score(self, encoded: Array, p: Array, weights: Array | None) -> float:
        true, predicted = np.asarray(more_probable(encoded)), np.asarray(more_probable(p))
        return accuracy(true, predicted, weights)

    @property
    def choice(self) -> Callable[[Array], Values]:
        """Predict each label whose probability is above 0.5."""
        return more_probable

    def check_values(self, y: Array) -> None:
        if ((y < 0) | (y > 1)).any():
            row = int(np.argwhere((y < 0) | (y > 1))[0][0])
            raise InputError(f"y has {y[row]} at row {row}: each entry must be a probability from 0 to 1.")

    def labels_for(self, chosen: Array) -> Array:
        return np.asarray(chosen, dtype=np.int64)

    def probabilities(self, p: Array) -> Array:
        return p


class LabelTargets(SeveralLabels):
    """One of two labels for each row, with one output; the base class of ``ClassTargets``."""

    has_labels = True

    def label_numbers(self, encoded: Array) -> Values:
        """Return the number of each row's label, from encoded targets."""
        return second_label(encoded)

    def learn(self, y: ArrayLike) -> Targets:
        labels = as_array(y, "y")
        if labels.ndim != 1 or self.classes is not None:
            return self
        found, count = np.unique(checked_labels(labels)), self.label_count
        if found.dtype.kind in "iu" and found[0] >= 0 and found[-1] < count:
            return replace(self, classes=np.arange(count))
        if len(found) != count:
            shown = ", ".join(map(repr, found[:5].tolist())) + (", …" if len(found) > 5 else "")
            fix = f"Dense({len(found)}) with CrossEntropy()"
            raise InputError(
                f"y holds {len(found)} classes ({shown}), but the last layer's {self.n_out} "
                f"unit{'s' if self.n_out > 1 else ''} can tell {count} apart. End the network with {fix}."
            )
        return replace(self, classes=found)

    def learn_from_stream(self, y: RowStream) -> Targets:
        if len(y.shape) > 1 or self.classes is not None:
            return self
        labels = distinct_labels(y)
        self.check_variety(labels)
        return self.learn(labels)

    def check_variety(self, y: ArrayLike) -> None:
        labels = as_array(y, "y")
        if labels.ndim == 1 and len(labels) and len(np.unique(checked_labels(labels))) < 2:
            raise InputError(
                f"y holds only one class, {labels[0].item() if hasattr(labels[0], 'item') else labels[0]!r}: "
                f"there is nothing to tell apart. Add rows of another class."
            )

    def encode(self, y: ArrayLike, dtype: DTypeLike) -> Array:
        array = as_array(y, "y")
        if array.ndim != 1 or len(array) == 0:
            return super().encode(array, dtype)
        labels = checked_labels(array)
        known = self if self.classes is not None else self.learn(labels)
        assert known.classes is not None
        classes = known.classes
        if labels.dtype.kind == "b" and classes.dtype.kind in "iu":
            labels = labels.astype(classes.dtype)
        check_known(labels, classes)
        return np.ascontiguousarray(one_hot(labels, self.columns(classes)).astype(dtype))

    def columns(self, classes: Array) -> Array:
        """Return the labels with a column of their own; with two labels and one output, only the second."""
        return classes[1:]

    def labels_for(self, chosen: Array) -> Array:
        numbers = self.numbers_of(np.asarray(chosen, dtype=np.int64))
        return numbers if self.classes is None else np.asarray(self.classes[numbers])

    def numbers_of(self, chosen: Array) -> Array:
        """Return the number of each row's label, from the result of ``choice``."""
        return chosen[:, 0]

    def probabilities(self, p: Array) -> Array:
        return both_labels(p)

    def comparable(self, y: ArrayLike) -> Array:
        array = as_array(y, "y")
        return checked_labels(array) if array.ndim == 1 else array


class ClassTargets(LabelTargets):
    """One of several classes for each row, with one output for each class."""

    kind = "classes"
    is_multiclass = True

    def predicted_by(self, p: Array) -> Array:
        return np.asarray(p == p.max(axis=1, keepdims=True), dtype=p.dtype)

    def score(self, encoded: Array, p: Array, weights: Array | None) -> float:
        return accuracy(most_probable(encoded), most_probable(p), weights)

    @property
    def choice(self) -> Callable[[Array], Values]:
        """Predict the class with the largest probability."""
        return most_probable

    @property
    def shape(self) -> str:
        return f"(n,) with one label for each row, or (n, {self.n_out}) with one column for each class"

    @property
    def row_shape(self) -> tuple[int, ...]:
        return (self.n_out,)

    @property
    def label_count(self) -> int:
        return self.n_out

    def label_numbers(self, encoded: Array) -> Values:
        return most_probable(encoded)

    def columns(self, classes: Array) -> Array:
        return classes

    def check_values(self, y: Array) -> None:
        super().check_values(y)
        if (np.abs(y.sum(axis=1) - 1) > 1e-4).any():
            row = int(np.flatnonzero(np.abs(y.sum(axis=1) - 1) > 1e-4)[0])
            raise InputError(f"y has a row that adds up to {y[row].sum():g} (row {row}): one-hot rows add up to 1.")

    def numbers_of(self, chosen: Array) -> Array:
        return chosen

    def probabilities(self, p: Array) -> Array:
        return p

    def comparable(self, y: ArrayLike) -> Array:
        array = as_array(y, "y")
        return checked_labels(array) if array.ndim == 1 else self.decode(array)


def targets_of(kind: str, n_out: int, classes: Array | None = None) -> Targets:
    """Return the targets of a loss with ``n_out`` outputs; ``kind`` is the loss's ``target``.

    >>> targets_of("labels", 1), targets_of("numbers", 2).shape
    (LabelTargets(n_out=1, classes=None), '(n, 2)')
    """
    if kind == "labels":
        return LabelTargets(n_out, classes) if n_out == 1 else SeveralLabels(n_out, classes)
    return {known.kind: known for known in (Targets, CountTargets, ClassTargets)}[kind](n_out, classes)


def checked_labels(labels: Array) -> Array:
    """Return labels as whole numbers, booleans or text; raise an error for fractions, missing or mixed labels."""
    if labels.dtype.kind == "O":
        labels = plain_labels(labels)
    if labels.dtype.kind == "f":
        return whole_labels(labels)
    if labels.dtype.kind not in "biuU":
        raise InputError(f"y has type {labels.dtype}, but class labels are whole numbers or text.")
    return labels


def distinct_labels(y: RowStream) -> Array:
    """Return the labels that occur in a stream, each once.

    Raises
    ------
    InputError
        If there are more than ``MOST_LABELS``.

    Examples
    --------
    >>> distinct_labels(RowStream(np.array([3, 1, 3]), block=1)).tolist()
    [1, 3]
    """
    found: Array | None = getattr(y.source, "labels", None)  # a table on disk knows them
    if found is not None:
        return found
    for part in y.parts():
        labels = np.unique(checked_labels(y[part]))
        found = labels if found is None else np.unique(np.concatenate([found, labels]))
        if len(found) > MOST_LABELS:
            raise InputError(
                f"y has more than {MOST_LABELS:,} different values, too many for class labels. For numbers to be "
                f"predicted, use loss=SquaredError()."
            )
    assert found is not None
    return found


def check_exact(labels: Array) -> None:
    """Raise an error for labels that are too large for their float type: whole numbers next to each other are equal."""
    limit = 2.0 ** (np.finfo(labels.dtype).nmant + 1)
    if (np.abs(labels) >= limit).any():
        row = int(np.argmax(np.abs(labels) >= limit))
        raise InputError(
            f"y has {labels.flat[row].item()!r} at row {row}. From {limit:.0f}, {labels.dtype} does not distinguish "
            f"all whole numbers, so different labels may have become equal. Pass labels as integers or as text."
        )


def whole_labels(labels: Array) -> Array:
    """Return labels that are floats as integers; raise unless they are whole, and small enough to be exact."""
    if not np.isfinite(labels).all():
        row = int(np.argmin(np.isfinite(labels)))
        raise InputError(f"y has {labels[row]} at row {row}. Remove that row, or fill in its label.")
    if (labels != np.round(labels)).any():
        row = int(np.argmax(labels != np.round(labels)))
        raise InputError(
            f"y has {labels[row]} at row {row}, but class labels are whole numbers or text. "
            f"For numbers to be predicted, use loss=SquaredError()."
        )
    check_exact(labels)
    return labels.astype(np.int64)


def refuse_missing(labels: Array, name: str) -> None:
    """Raise for a missing label in an object array."""
    for row, label in enumerate(labels.tolist()):
        if is_missing(label):
            raise InputError(f"{name} has {label!r} at row {row}. Remove that row, or fill in its label.")


def plain_labels(labels: Array) -> Array:
    """Return an object array of labels as an array of integers, floats, booleans or text; raise for mixed labels."""
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels.tolist()]
    refuse_missing(labels, "y")
    kinds = {type(label) for label in plain}
    if len(kinds) > 1 or not kinds <= {str, int, bool, float}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        decode = " Decode bytes first, as with y.asstr()[:] of h5py, or np.char.decode(y)." if bytes in kinds else ""
        raise InputError(f"y has labels of type {names}: use whole numbers only, or text only.{decode}")
    array = np.array(plain)
    if kinds == {int} and array.dtype.kind not in "iu":
        raise InputError("y has labels that no integer type of 64 bits holds. Use text labels, such as y.astype(str).")
    return array


def check_known(labels: Array, classes: Array) -> None:
    """Raise an error for labels that were not in the training data."""
    known = np.isin(labels, classes)
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        shown = ", ".join(map(repr, classes[:10].tolist())) + (", …" if len(classes) > 10 else "")
        raise InputError(
            f"y has the label {labels[row].item()!r} at row {row}, which the network does not know: "
            f"its labels are {shown}. It was not in the training data."
        )
