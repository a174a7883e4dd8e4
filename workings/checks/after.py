"""After training: is the network better than what needs no network?

It is measured beside the best fixed answer and beside a model without hidden layers, on the rows it learned from: a
network that cannot do better on these will not on others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from workings.checks.before import dense_layers
from workings.checks.data import one_label_each
from workings.checks.evidence import Case, copied, label_numbers, remade
from workings.checks.findings import Finding, found
from workings.layers import Dense

# Karpathy 2019 and Goodfellow et al. 2016, section 11.2: always have a baseline.  An accuracy counts as better
# where it is so by two standard errors.  Beside a linear model, one unit can lower the loss a little by not being too
# sure where the line is wrong; so a loss is better where it is lower by a seventh, or the score by a hundredth.
ERRORS = 2.0
BETTER_LOSS, BETTER_SCORE = 0.85, 0.01
GOOD_ENOUGH = 0.95  # a linear model's score above which there is little left to be better at
MANY_UNITS = 32  # in hidden layers, from which more of them are not what is lacking
RARE = 5  # rows of a class below which it need not be predicted


def check_result(case: Case) -> Iterator[Finding]:
    """Everything about what came out; nothing before training."""
    if case.network.is_fresh:
        return
    yield from check_classes(case)
    yield from check_one_answer(case)
    yield from check_linear(case)


def check_classes(case: Case) -> Iterator[Finding]:
    """Is there a class that is never predicted?"""
    if not one_label_each(case):
        return
    X, y, _ = case.rows
    labels, predicted = label_numbers(y), label_numbers(copied(case.network).measure(X, y, None)[1])
    counts = np.bincount(labels, minlength=int(labels.max()) + 1)
    missed = [label for label in np.flatnonzero(counts >= RARE) if not (predicted == label).any()]
    if missed:
        shown = ", ".join(map(str, missed))
        rows = sum(int(counts[label]) for label in missed)
        own = isinstance(case.settings.get("class_weight"), Mapping)  # weights that may be what is wrong
        yield found(
            "class-never-predicted",
            f"of {len(labels):,} rows, {rows:,} are of class {shown}, and none is predicted to be.",
            case.longer_code() if case.is_weighted and not own else case.fit_code(class_weight="balanced"),
        )


def check_one_answer(case: Case) -> Iterator[Finding]:
    """Is the network better than one fixed answer?"""
    (_, y, w), score = case.rows, case.score
    if score == 1 or (case.is_constant and not case.has_labels):  # one answer is right there
        return
    if one_label_each(case):
        by_class = np.bincount(label_numbers(y), weights=None if w is None else w[:, 0])
        usual = float(by_class.max() / by_class.sum())
        needed = usual + ERRORS * np.sqrt(usual * (1 - usual) / len(y))
        measured = f"its accuracy is {score:.3f}; always giving the most frequent class has {usual:.3f}."
    else:
        needed, measured = 0.02, f"its R² is {score:.3f}; always giving the mean has 0."
    if score <= needed and case.loss_of(copied(case.network)) > 0.9 * case.one_answer:
        yield found("no-better-than-one-answer", measured, case.longer_code())


def check_linear(case: Case) -> Iterator[Finding]:
    """Is a network with hidden layers better than a model without?"""
    if len(dense_layers(case.network)) < 2:
        return
    loss, score = case.loss_of(copied(case.network)), case.score
    plain_loss, plain_score = case.linear
    no_better = loss > BETTER_LOSS * plain_loss and score < plain_score + BETTER_SCORE
    if no_better and plain_score < GOOD_ENOUGH:
        name = "accuracy" if case.has_labels else "R²"
        yield found(
            "no-better-than-linear",
            f"its loss is {loss:.4g} and its {name} {score:.3f}; a model without hidden layers has {plain_loss:.4g} "
            f"and {plain_score:.3f}.",
            wider_or_plain(case),
        )


def wider_or_plain(case: Case) -> str:
    """The network with more units where it has few; else the model without hidden layers, which does as well."""
    *hidden, last = case.network.layers
    if sum(layer.units for layer in hidden if isinstance(layer, Dense)) >= MANY_UNITS:
        return case.network_code([last])
    return case.network_code([*(remade(x, 4 * x.units) if isinstance(x, Dense) else x for x in hidden), last])
