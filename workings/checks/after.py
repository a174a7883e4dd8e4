"""Checks of the result of a training: whether the network beats simpler models.

The baselines are the best constant prediction and a model without hidden layers.  All are measured on the training
rows: a network that is not better there will not be better on other rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from workings.checks.before import dense_layers
from workings.checks.evidence import (
    FEWEST_ROWS_TO_SPLIT,
    FOLDS,
    MOST_ROWS,
    Case,
    copied,
    label_numbers,
    remade,
    undisturbed,
)
from workings.checks.findings import Finding, make_finding
from workings.layers import FullyConnected
from workings.model.model import Model
from workings.optimizers import Adam

# Karpathy 2019 and Goodfellow et al. 2016, section 11.2: always have a baseline.  An accuracy counts as better if it
# is higher by two standard errors.  A network with one hidden unit can lower the loss of a linear model a little, by
# being less confident where that is wrong.  So a network counts as better if its loss is lower by a seventh, or its
# score higher by a hundredth.
STANDARD_ERRORS = 2.0
BETTER_LOSS, BETTER_SCORE = 0.85, 0.01
GOOD_ENOUGH = 0.95  # a linear model's score above which there is little room for improvement
ENOUGH_UNITS = 16  # of a hidden layer, to learn something in NEW_STEPS that is not linear
MANY_UNITS = 32  # hidden units from which a lack of units is not the reason
NEW_STEPS = 600  # of a training that shows what the network can do
RARE = 5  # a class with fewer rows need not be predicted


def check_result(case: Case) -> Iterator[Finding]:
    """Check the result of the training, if the network was trained."""
    if case.network.is_fresh:
        return
    yield from check_classes(case)
    yield from check_constant_baseline(case)
    yield from check_linear_baseline(case)


def check_classes(case: Case) -> Iterator[Finding]:
    """Check whether each class is predicted for some rows."""
    if not case.network.targets.has_labels:
        return
    X, y, _ = case.rows
    labels, predicted = label_numbers(y), label_numbers(copied(case.network).measure(X, y, None)[1])
    counts = np.bincount(labels, minlength=int(labels.max()) + 1)
    missed = [label for label in np.flatnonzero(counts >= RARE) if not (predicted == label).any()]
    if missed:
        shown = ", ".join(map(str, missed))
        rows = sum(int(counts[label]) for label in missed)
        own_weights = isinstance(case.settings.get("class_weight"), Mapping)  # they may be the reason
        yield make_finding(
            "class-never-predicted",
            f"of {len(labels):,} rows, {rows:,} are of class {shown}, but it is predicted for none.",
            case.longer_code() if case.is_weighted and not own_weights else case.fit_code(class_weight="balanced"),
        )


def check_constant_baseline(case: Case) -> Iterator[Finding]:
    """Check whether the network is better than a constant prediction."""
    (_, y, w), score = case.rows, case.score
    if score == 1 or (case.is_constant and not case.has_labels):  # a constant prediction is right then
        return
    if case.network.targets.has_labels:
        by_class = np.bincount(label_numbers(y), weights=None if w is None else w[:, 0])
        baseline = float(by_class.max() / by_class.sum())
        needed = baseline + STANDARD_ERRORS * np.sqrt(baseline * (1 - baseline) / len(y))
        measured = f"its accuracy is {score:.3f}; always predicting the most frequent class gives {baseline:.3f}."
    else:
        needed, measured = 0.02, f"its R² is {score:.3f}; always predicting the mean gives 0."
    if score <= needed and case.loss_of(copied(case.network)) > 0.9 * case.one_answer:
        yield make_finding("no-better-than-one-answer", measured, case.longer_code())


def check_linear_baseline(case: Case) -> Iterator[Finding]:
    """Check whether a network with hidden layers is better than a model without."""
    if len(dense_layers(case.network)) < 2:
        return
    loss, score = case.loss_of(copied(case.network)), case.score
    linear_loss, linear_score = case.linear
    no_better = loss > BETTER_LOSS * linear_loss and score < linear_score + BETTER_SCORE
    if no_better and linear_score < GOOD_ENOUGH:
        name = "accuracy" if case.has_labels else "R²"
        again, is_better = trained_anew(case)
        can_do_more = again < BETTER_LOSS * linear_loss and is_better
        tried = f" Trained anew, with {NEW_STEPS} steps of Adam, it has {again:.4g}." if can_do_more else ""
        yield make_finding(
            "no-better-than-linear",
            f"its loss is {loss:.4g} and its {name} {score:.3f}; a model without hidden layers has {linear_loss:.4g} "
            f"and {linear_score:.3f}.{tried}",
            case.longer_code() if can_do_more else wider_or_linear(case),
        )


def trained_anew(case: Case) -> tuple[float, bool]:
    """Return the loss after a usual training from the initial parameters; infinity if they are not known.

    If it is low, the hidden layers are good for something, and the training was cut short.  Where a callback kept the
    best epoch, it was cut short only if the new network is better on the validation rows, too: that is the second
    value.
    """
    if case.start is None:
        return np.inf, False
    network = case.trial(undisturbed(case.start), Adam(0.01), NEW_STEPS, case.trial_rows())[0]
    kept = case.kept_validation_loss
    is_better = kept == np.inf or case.loss_of(network, case.validation) < kept
    return case.loss_of(network), is_better


def wider_or_linear(case: Case) -> str:
    """Return code with more units if they help on held-out rows, else for a model without hidden layers.

    With many units, or with too few rows to hold some out, more units are not tried.
    """
    *hidden, last = case.network.layers
    units = sum(layer.units for layer in hidden if isinstance(layer, FullyConnected))
    wider = [*(remade(x, max(4 * x.units, ENOUGH_UNITS)) if isinstance(x, FullyConnected) else x for x in hidden), last]
    if units >= MANY_UNITS or not gains_from(case, wider):
        return case.network_code(output_layers(case.network))
    return case.network_code(wider)


def output_layers(network: Model) -> list[Any]:
    """Return the layers from the last fully connected one on, which are a model without hidden layers."""
    layers = list(network.layers)
    places = [i for i, layer in enumerate(layers) if isinstance(layer, FullyConnected)]
    return layers[places[-1] :]


def gains_from(case: Case, layers: Sequence[Any]) -> bool:
    """Whether a network with these layers has a lower loss on held-out rows than a model without hidden layers."""
    rows = case.all_rows.some(MOST_ROWS)
    if len(rows.X) < FEWEST_ROWS_TO_SPLIT:
        return True
    is_held = np.random.default_rng(0).permutation(len(rows.X)) % FOLDS == 0
    kept, held = rows.take(~is_held), rows.take(is_held)
    losses = []
    for tried in (layers, output_layers(case.network)):
        model = Model(list(tried), loss=case.network.loss, seed=0, dtype=str(case.network.dtype))
        model.build(case.X.shape[1])
        losses.append(case.loss_of(case.trial(undisturbed(model), Adam(0.01), NEW_STEPS, kept)[0], held))
    return losses[0] < BETTER_LOSS * losses[1]
