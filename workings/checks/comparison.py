"""Comparisons on held-out rows: what a change of the network or of its training does to rows it was not trained on.

A change that lowers the objective of the training rows can make predictions of other rows worse.  So the doctor tries
it: copies are trained without a fold of the rows, as the training was and with the change, and both are judged by that
fold (cross-validation; Stone 1974, "Cross-Validatory Choice and Assessment of Statistical Predictions").  Each row is
its own control, so the standard error belongs to the mean difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from workings.checks.evidence import MOST_WORK, Case, Refitted, label_numbers, row_losses
from workings.layers import Layer
from workings.model.model import Model
from workings.model.targets import balanced
from workings.optimizers import Part
from workings.support.arrays import Array
from workings.training.rows import Rows

STANDARD_ERRORS = 2.0  # by which a mean must differ from 0: by chance it does in one of twenty cases
MOST_STEPS = 1500  # of a trial


class HeldOut(NamedTuple):
    """The loss of each held-out row, its targets, and the outputs for it."""

    losses: Array
    y: Array
    outputs: Array

    @property
    def right(self) -> Array:
        """Whether the most probable class of each row is its class."""
        return np.asarray(label_numbers(self.y) == label_numbers(self.outputs), dtype=np.float64)


class Gain(NamedTuple):
    """The mean of a difference, positive if the change is better, and its standard error."""

    mean: float
    error: float

    @property
    def is_better(self) -> bool:
        """Whether the change is better beyond chance."""
        return self.mean > STANDARD_ERRORS * self.error

    @property
    def is_worse(self) -> bool:
        """Whether the change is worse beyond chance."""
        return self.mean < -STANDARD_ERRORS * self.error


def gain_of(differences: Array) -> Gain:
    """Return the mean difference and its standard error.

    >>> gain_of(np.array([1.0, 2.0, 3.0, 2.0])).is_better
    True
    """
    if not np.isfinite(differences).all():
        return Gain(-np.inf, 0.0)  # a trial that diverged
    return Gain(float(differences.mean()), float(differences.std() / np.sqrt(len(differences))))


def loss_gain(before: HeldOut, after: HeldOut) -> Gain:
    """Return by how much the loss of held-out rows is lower afterwards."""
    return gain_of(before.losses - after.losses)


def judged(networks: Sequence[Model], refits: Sequence[Refitted]) -> HeldOut:
    """Judge each network by the rows that were held out of its training."""
    held = [again.held for again in refits]
    losses = [row_losses(network, rows) for network, rows in zip(networks, held, strict=True)]
    outputs = [outputs_of(network, rows) for network, rows in zip(networks, held, strict=True)]
    return HeldOut(*map(np.concatenate, (losses, [rows.y for rows in held], outputs)))


def outputs_of(network: Model, rows: Rows) -> Array:
    """Return the outputs of a network for some rows."""
    return network.measure(rows.X.astype(network.dtype), rows.y.astype(network.dtype), None)[1]


def as_trained(case: Case) -> HeldOut | None:
    """Judge the training as it was; None if it cannot be repeated (see ``Case.refit``)."""
    return judged([again.network for again in case.refits], case.refits) if case.refits else None


def with_layers(
    case: Case, layers: Sequence[Layer], optimizer: Part | None = None, steps: int | None = None
) -> HeldOut:
    """Judge a new network with other layers, by default trained as the network was."""
    used = case.optimizer if optimizer is None else optimizer
    assert isinstance(used, Part)
    new = Model(
        list(layers),
        loss=case.network.loss,
        regularizer=list(case.network.regularizers),
        seed=0,
        dtype=str(case.network.dtype),
    )
    new.build(case.X.shape[1])
    networks = [case.trial(new, used, steps or case.steps_in(again.kept), again.kept)[0] for again in case.refits]
    return judged(networks, case.refits)


def trained_again(case: Case, optimizer: Part) -> HeldOut:
    """Judge the same network, trained from the initial parameters with another optimizer."""
    start = case.start
    assert start is not None
    networks = [case.trial(start, optimizer, case.steps_in(again.kept), again.kept)[0] for again in case.refits]
    return judged(networks, case.refits)


def trained_further(
    case: Case,
    optimizer: Part,
    steps: int,
    weigh: Callable[[Array], Array] | None = None,
) -> HeldOut:
    """Judge the network after more steps; ``weigh`` returns a weight of each row for its targets."""
    networks = []
    for again in case.refits:
        kept = again.kept if weigh is None else again.kept._replace(w=weigh(again.kept.y)[:, None])
        networks.append(case.trial(again.network, optimizer, steps, kept)[0])
    return judged(networks, case.refits)


def with_targets(case: Case, change: Callable[[Array], Array]) -> HeldOut:
    """Judge the network trained with other targets, a function of the targets; its outputs are in their terms."""
    start, optimizer = case.start, case.optimizer
    assert start is not None
    assert isinstance(optimizer, Part)
    changed = [Refitted(again.network, *map(changed_targets(change), again[1:])) for again in case.refits]
    networks = [case.trial(start, optimizer, case.steps_in(again.kept), again.kept)[0] for again in changed]
    return judged(networks, changed)


def changed_targets(change: Callable[[Array], Array]) -> Callable[[Rows], Rows]:
    """Return a function that changes the targets of rows."""
    return lambda rows: rows._replace(y=change(np.asarray(rows.y, dtype=np.float64)).astype(rows.y.dtype))


def most_steps(case: Case) -> int:
    """Return the largest number of further steps that takes seconds at most."""
    return min(MOST_STEPS, MOST_WORK // (case.batch_size * case.network.theta.size))


# -- weights for rare classes -----------------------------------------------------------------


class WeightTrial(NamedTuple):
    """What weights for a rare class do to held-out rows."""

    helps: bool
    measured: str


def balanced_weights(y: Array) -> Array:
    """Return a weight for each row, so that all classes count alike."""
    labels = label_numbers(y)
    return np.asarray(balanced(np.bincount(labels)))[labels]


def with_balanced_weights(case: Case) -> WeightTrial | None:
    """Try weights that balance the classes, for as many steps again; None if the training cannot be repeated.

    They help if the mean accuracy of the classes rises beyond chance, and neither the accuracy nor the loss of all
    rows gets worse beyond chance.  With overlapping classes, a weight only trades errors of one class for those of
    another.
    """
    before, optimizer = as_trained(case), case.optimizer
    if before is None or not isinstance(optimizer, Part):
        return None
    after = trained_further(case, optimizer, min(case.steps_done, most_steps(case)), balanced_weights)
    by_class = balanced_weights(before.y)
    of_classes, of_rows = gain_of(by_class * (after.right - before.right)), gain_of(after.right - before.right)
    helps = of_classes.is_better and not of_rows.is_worse and not loss_gain(before, after).is_worse
    shares = [(by_class * judged.right).mean() for judged in (before, after)]
    return WeightTrial(
        helps,
        f"In trials without a quarter of the rows, class weights take the mean accuracy of the classes on the rows "
        f"left out from {shares[0]:.3f} to {shares[1]:.3f}, and the accuracy from {before.right.mean():.3f} to "
        f"{after.right.mean():.3f}.",
    )
