"""Class weights: the weight of each label, and of each row by its label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from workings.errors import InputError, unknown_name
from workings.model.targets import LabelTargets, Targets, balanced
from workings.support.arrays import Array
from workings.training.recipe import Labels


def combined_weights(w: Array | None, class_weight: Labels, encoded: Array, targets: Targets) -> Array | None:
    """Return one weight for each row: its sample weight times the weight of its label.

    Parameters
    ----------
    w : array of shape (n, 1) or None
        The sample weights.
    class_weight : dict, "balanced" or None
        The weight of each label.
    encoded : array of shape (n, n_out)
        The encoded targets.
    targets : Targets
        The targets, with their labels.
    """
    if class_weight is None:
        return w
    label_targets = with_labels(targets)
    by_class = weights_of_classes(class_weight, label_targets, [encoded])
    weights = weights_of_rows(encoded, label_targets, by_class)
    return weights if w is None else weights * w


def with_labels(targets: Targets) -> LabelTargets:
    """Return targets that have one label for each row; raise for others."""
    if not isinstance(targets, LabelTargets) or targets.classes is None:
        raise InputError("class_weight needs targets that are labels, one for each row.")
    return targets


def weights_of_classes(class_weight: Labels, targets: LabelTargets, parts: Iterable[Array]) -> Array:
    """Return the weight of each class; ``parts`` are the encoded targets, from which balanced weights are counted."""
    labels = [] if targets.classes is None else targets.classes.tolist()
    if isinstance(class_weight, Mapping):
        return weights_by_class(class_weight, labels)
    counts = sum(np.bincount(targets.label_numbers(part), minlength=len(labels)) for part in parts)
    return np.asarray(balanced(np.asarray(counts)))


def weights_of_rows(encoded: Array, targets: LabelTargets, by_class: Array) -> Array:
    """Return the weight of each row's class, of shape (n, 1)."""
    weights: Array = by_class[targets.label_numbers(encoded)].reshape(-1, 1).astype(encoded.dtype)
    return weights


def weights_by_class(class_weight: Mapping[object, float], labels: list[object]) -> Array:
    """Return the weight of each label; the default is 1."""
    for label in class_weight:
        if label not in labels:
            raise unknown_name("label in class_weight", label, labels)
    by_class = np.array([class_weight.get(label, 1.0) for label in labels], dtype=np.float64)
    if not by_class.any():
        raise InputError(f"class_weight must hold numbers from 0, not all 0; it is {dict(class_weight)!r}.")
    return by_class
