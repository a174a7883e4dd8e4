"""Targets: labels to numbers, and numbers back to labels.

Inside the program a target ``y`` always has one row for each sample and one column for each output.
Outside, people have labels: numbers from 0, words, two values.  What a target may be follows from
the loss; whatever else arrives is refused with both shapes, never reshaped or broadcast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from workings.errors import InputError
from workings.support.arrays import Array, Values, as_finite


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
    """What the targets of one network are.

    Attributes
    ----------
    kind : str
        ``"classes"``, ``"labels"`` (0 or 1, or two values), ``"numbers"`` or ``"counts"``.
    n_out : int
        The number of outputs.
    classes : array or None
        The label that stands behind each output, once it is known.
    """

    kind: str
    n_out: int
    classes: Array | None = field(default=None, compare=False)

    @property
    def has_labels(self) -> bool:
        """Whether each row has one label out of a list."""
        return self.kind == "classes" or (self.kind == "labels" and self.n_out == 1)

    @property
    def choice(self) -> Callable[[Array], Values] | None:
        """The formula that chooses labels by the outputs; None where there are no labels."""
        return {"classes": most_probable, "labels": more_probable}.get(self.kind)

    @property
    def shape(self) -> str:
        """The shape that targets must have, for people."""
        if self.kind == "classes":
            return f"(n,) with one label for each row, or (n, {self.n_out}) with one column for each class"
        return "(n,), because the network has one output" if self.n_out == 1 else f"(n, {self.n_out})"

    def learn(self, y: ArrayLike) -> Targets:
        """Learn the labels from the training targets, if there are labels.

        Raises
        ------
        InputError
            If the labels are not as many as the network can tell apart.
        """
        labels = np.asarray(y)
        if not self.has_labels or labels.ndim != 1 or self.classes is not None:
            return self
        found = np.unique(self.checked_labels(labels))
        count = self.n_out if self.kind == "classes" else 2
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

    def check_variety(self, y: ArrayLike) -> None:
        """Refuse training targets that are all the same label."""
        labels = np.asarray(y)
        if self.has_labels and labels.ndim == 1 and len(labels) and len(np.unique(self.checked_labels(labels))) < 2:
            raise InputError(
                f"y holds only one class, {labels[0].item() if hasattr(labels[0], 'item') else labels[0]!r}: "
                f"there is nothing to tell apart. Add rows of another class."
            )

    def checked_labels(self, labels: Array) -> Array:
        """Give labels as whole numbers or text; refuse fractions, gaps and mixtures."""
        if labels.dtype.kind == "f":
            if not np.isfinite(labels).all():
                row = int(np.flatnonzero(~np.isfinite(labels))[0])
                raise InputError(f"y has {labels[row]} at row {row}. Remove that row, or fill in its label.")
            if (labels != np.round(labels)).any():
                row = int(np.flatnonzero(labels != np.round(labels))[0])
                raise InputError(
                    f"y has {labels[row]} at row {row}, but class labels are whole numbers or text. "
                    f"For numbers to be predicted, use loss=SquaredError()."
                )
            return labels.astype(np.int64)
        if labels.dtype.kind == "b":
            return labels
        if labels.dtype.kind == "O":
            plain = [label.item() if isinstance(label, np.generic) else label for label in labels.tolist()]
            kinds = {type(label) for label in plain}
            if len(kinds) > 1 or not kinds <= {str, int, bool}:
                names = ", ".join(sorted(kind.__name__ for kind in kinds))
                raise InputError(f"y has labels of type {names}: use whole numbers only, or text only.")
            return np.array(plain)
        if labels.dtype.kind not in "iuU":
            raise InputError(f"y has type {labels.dtype}, but class labels are whole numbers or text.")
        return labels

    def encode(self, y: ArrayLike, dtype: DTypeLike) -> Array:
        """Give targets as an array of shape (n, n_out).

        Raises
        ------
        InputError
            For a shape that does not fit, a label that was not in the training data, or values
            that the loss cannot use.
        """
        array = np.asarray(y)
        if len(array.shape) > 0 and len(array) == 0:
            raise InputError(f"y has shape {array.shape}: there must be at least one row.")
        if self.has_labels and array.ndim == 1:
            return self.encode_labels(self.checked_labels(array), dtype)
        expected = (self.n_out,) if self.n_out > 1 or self.kind == "classes" else ()
        if array.shape[1:] != expected or array.ndim == 0:
            advice = " Pass y.ravel()." if array.ndim == 2 and array.shape[1] == 1 else ""
            raise InputError(f"y has shape {array.shape}, but targets must have shape {self.shape}.{advice}")
        numbers = as_finite(array, dtype, "y")
        self.check_values(numbers)
        return np.ascontiguousarray(numbers.reshape(len(array), self.n_out))

    def encode_labels(self, labels: Array, dtype: DTypeLike) -> Array:
        """One column for each class (or one for the second of two), 1 where it is the row's label."""
        if self.classes is None:
            return self.learn(labels).encode_labels(labels, dtype)
        classes = self.classes
        if labels.dtype.kind == "b" and classes.dtype.kind in "iu":
            labels = labels.astype(classes.dtype)
        known = np.isin(labels, classes)
        if not known.all():
            row = int(np.flatnonzero(~known)[0])
            shown = ", ".join(map(repr, classes[:10].tolist())) + (", …" if len(classes) > 10 else "")
            raise InputError(
                f"y has the label {labels[row].item()!r} at row {row}, which the network does not know: "
                f"its labels are {shown}. It was not in the training data."
            )
        columns = classes if self.kind == "classes" else classes[1:]
        return np.ascontiguousarray(one_hot(labels, columns).astype(dtype))

    def check_values(self, y: Array) -> None:
        """Refuse numbers that the loss has no meaning for."""
        if self.kind in ("classes", "labels") and ((y < 0) | (y > 1)).any():
            row = int(np.argwhere((y < 0) | (y > 1))[0][0])
            raise InputError(f"y has {y[row]} at row {row}: each entry must be a probability from 0 to 1.")
        if self.kind == "classes" and (np.abs(y.sum(axis=1) - 1) > 1e-4).any():
            row = int(np.flatnonzero(np.abs(y.sum(axis=1) - 1) > 1e-4)[0])
            raise InputError(f"y has a row that adds up to {y[row].sum():g} (row {row}): one-hot rows add up to 1.")
        if self.kind == "counts" and (y < 0).any():
            row = int(np.argwhere(y < 0)[0][0])
            raise InputError(f"y has {y[row].min():g} at row {row}: the Poisson loss is for counts, from 0.")

    def decode(self, p: Array) -> Array:
        """Give predictions as people want them: labels, or numbers of shape (n,) or (n, n_out)."""
        return self.named(p if self.choice is None else self.choice(p))

    def named(self, chosen: Array) -> Array:
        """Give what ``choice`` chose, or the outputs where there is no choice, as people want it."""
        if self.choice is None:
            return chosen[:, 0] if self.n_out == 1 else chosen
        whole = np.asarray(chosen, dtype=np.int64)
        if self.kind == "labels" and self.n_out > 1:
            return whole
        one = whole if self.kind == "classes" else whole[:, 0]
        return one if self.classes is None else np.asarray(self.classes[one])

    def probabilities(self, p: Array) -> Array:
        """Give probabilities, one column for each class (or for each of several labels).

        Raises
        ------
        InputError
            If the network predicts numbers.
        """
        if self.kind not in ("classes", "labels"):
            raise InputError("This network predicts numbers, not probabilities: use predict.")
        return both_labels(p) if self.has_labels and self.kind == "labels" else p

    def comparable(self, y: ArrayLike) -> Array:
        """Give targets in the form in which ``decode`` gives predictions."""
        array = np.asarray(y)
        if self.has_labels and array.ndim == 1:
            return self.checked_labels(array)
        if self.kind == "classes":
            return self.decode(array)
        return array
