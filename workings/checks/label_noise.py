"""The check for label noise: rows with a wrong label, told apart from classes that overlap.

A wrong label lies deep in the region of another class, models that were not trained on the row contradict it as well,
and nothing predicts which rows of a region it hits.  Where classes overlap, the rows nearer to the other class have its
label more often, and the models' outputs tell these rows.  Comments give the source of each threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from workings.checks.comparison import as_trained
from workings.checks.data import MOST_NEIGHBOURS, cross_validated_linear
from workings.checks.evidence import Case, label_numbers
from workings.checks.findings import Finding, make_finding
from workings.checks.measures import nearest_rows, votes
from workings.metrics import area_under_roc, wilson_interval
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.training.rows import Rows

NEIGHBOURS = 9  # that decide to which class the place of a row belongs
DEEP = 8  # of them that belong to the same region, so that the row is not at the border
MANY_NEIGHBOURS = 25  # whose labels are a model of their own
# Northcutt, Athalye & Mueller 2021, "Pervasive Label Errors in Test Sets": 3.3 % of the labels are wrong on average.
USUAL = 0.033  # the share that a region must exceed beyond chance …
FEWEST = 5  # … and the number of rows in it
MOST = 0.25  # of the rows deep in a region
FOUND, MOST_FOUND = 0.5, 0.8  # share of a class's rows in its region, for this share of the classes
KNOWN = 0.2  # of the way from always the most frequent class to no error: below it, the labels may be unrelated to X
CONTRADICTED = 0.5  # share of the doubtful rows to which each model gives another label
CHANCE = 1.64  # standard errors of a one-sided test at 5 %, and of Wilson's bound


class Regions(NamedTuple):
    """The class to whose region each row belongs, and whether it lies deep in it."""

    of: Array
    deep: Array


def check_label_noise(case: Case) -> Iterator[Finding]:
    """Check whether many rows have another label than the rows around them, and it is not known which."""
    if not case.network.targets.has_labels or case.is_constant or len(case.X) < 10 * NEIGHBOURS:
        return
    if case.w is not None and case.recipe.class_weight is None:
        return  # the weights of the rows say already which are doubtful
    rows = case.all_rows.some(MOST_NEIGHBOURS)
    labels, regions = label_numbers(rows.y), regions_of(rows)
    if not (has_separate_regions(labels, regions) and has_doubtful_rows(labels, regions)):
        return
    rows, outputs = rows_with_outputs(case)
    labels, regions = label_numbers(rows.y), regions_of(rows)
    doubtful = regions.deep & (regions.of != labels)
    outputs = [p for p in outputs if known_share(p, labels) >= KNOWN]
    if doubtful.sum() > MOST * regions.deep.sum():
        return  # a weak relation of X and y looks the same
    if not outputs or not has_doubtful_rows(labels, regions):
        return
    if not all(contradicts(p, labels, doubtful) for p in outputs):
        return
    if max(predictability(p, labels, regions) for p in outputs) > CHANCE:
        return  # the classes overlap: that one of the three models seems to tell the rows is enough
    yield make_finding(
        "label-noise",
        f"of {regions.deep.sum():,} rows that lie deep in the region of one class, {doubtful.sum():,} have another "
        f"label ({doubtful.sum() / regions.deep.sum():.1%}). Models that were not trained on them contradict these "
        f"labels too, and cannot tell which rows have one.",
        doubtful_code(case),
    )


def regions_of(rows: Rows) -> Regions:
    """Return the regions of the classes: the class of most rows nearby, after one more vote without the labels."""
    labels = label_numbers(rows.y)
    nearest = nearest_rows(standardized(np.asarray(rows.X, dtype=np.float64)), NEIGHBOURS)
    first = votes(labels, nearest, int(labels.max()) + 1).argmax(axis=1)
    second = votes(first, nearest, int(labels.max()) + 1).argmax(axis=1)
    around = votes(second, nearest, int(labels.max()) + 1)
    return Regions(second, around[np.arange(len(labels)), second] >= DEEP)


def has_separate_regions(labels: Array, regions: Regions) -> bool:
    """Whether most classes have a region with most of their rows."""
    found = [np.mean(regions.of[labels == label] == label) for label in np.unique(labels)]
    return float(np.mean(np.array(found) >= FOUND)) >= MOST_FOUND


def has_doubtful_rows(labels: Array, regions: Regions) -> bool:
    """Whether a region has more rows with another label than is usual, beyond chance."""
    for label in np.unique(labels):
        inside = regions.deep & (regions.of == label)
        count = int((labels[inside] != label).sum())
        if count >= FEWEST and wilson_interval(count, int(inside.sum()), CHANCE)[0] > USUAL:
            return True
    return False


def rows_with_outputs(case: Case) -> tuple[Rows, list[Array]]:
    """Return rows, and the probabilities that models give their classes without having been trained on them.

    The models are linear ones, the network trained again without these rows, and the rows around.
    """
    if case.refits:
        held = [again.held for again in case.refits]
        weights = None if case.w is None else np.concatenate([rows.w for rows in held])
        whole = Rows(np.concatenate([rows.X for rows in held]), np.concatenate([rows.y for rows in held]), weights)
        chosen = np.random.default_rng(0).permutation(len(whole.X))[:MOST_NEIGHBOURS]
        judged = as_trained(case)
        assert judged is not None
        rows, outputs = whole.take(chosen), [judged.outputs[chosen]]
    else:
        rows, outputs = case.all_rows.some(MOST_NEIGHBOURS), []
    outputs.append(cross_validated_linear(case, rows)[1])
    labels = label_numbers(rows.y)
    nearest = nearest_rows(standardized(np.asarray(rows.X, dtype=np.float64)), MANY_NEIGHBOURS)
    around = votes(labels, nearest, max(int(labels.max()) + 1, 2)) / MANY_NEIGHBOURS
    return rows, [*(p if p.shape[1] > 1 else np.column_stack([1 - p, p]) for p in outputs), around]


def known_share(p: Array, labels: Array) -> float:
    """Return how far the accuracy is on the way from always the most frequent class, 0, to no error, 1."""
    usual = float(np.bincount(labels).max() / len(labels))
    return (float((p.argmax(axis=1) == labels).mean()) - usual) / (1 - usual)


def contradicts(p: Array, labels: Array, doubtful: Array) -> bool:
    """Whether probabilities of the classes are against the labels of most doubtful rows."""
    return bool((p[doubtful].argmax(axis=1) != labels[doubtful]).mean() >= CONTRADICTED)


def predictability(p: Array, labels: Array, regions: Regions) -> float:
    """Return by how many standard errors probabilities predict, within regions, which rows have another label.

    This is the statistic of Mann & Whitney (1947), the area under the ROC curve times the number of pairs, added up
    over the regions.
    """
    total = expected = variance = 0.0
    for label in np.unique(labels):
        inside = regions.deep & (regions.of == label)
        other = labels[inside] != label
        count, rest = int(other.sum()), int((~other).sum())
        if count and rest:
            total += area_under_roc(other, -p[inside, label]) * count * rest
            expected += count * rest / 2
            variance += count * rest * (count + rest + 1) / 12
    return (total - expected) / np.sqrt(variance) if variance else 0.0


def doubtful_code(case: Case) -> str:
    """Return code that shows the rows whose labels the network finds least probable."""
    true = "np.searchsorted(net.classes, y)" if case.network.targets.classes is not None else "y"
    return (
        f"p = net.predict_proba(X)[np.arange(len(y)), {true}]\n"
        "print(np.argsort(p)[:20])  # the rows whose labels are least probable: check them by hand"
    )
