"""Checks of what the data holds: leaks, identifiers, codes for missing values, duplicates, and unsuitable targets.

They need no trained network.  ``measures.py`` has what they measure; comments give the source of each threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from workings.checks.comparison import as_trained, gain_of, with_targets
from workings.checks.data import MOST_NEIGHBOURS, code_among_targets, cross_validated_linear, neighbours
from workings.checks.evidence import Case, label_numbers
from workings.checks.findings import Finding, make_finding
from workings.checks.label_noise import check_label_noise
from workings.checks.measures import (
    FEWEST_ROWS,
    LEAK,
    column_score,
    correlation,
    identifiers,
    label_copies,
    missing_code,
    near_copies,
    repeated_rows,
    unit_columns,
    wraps_around,
)
from workings.losses import SquaredError
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.tables.target_transform import skewness

MOST_COLUMNS = 200  # columns that are searched for a leak: those that agree best with the target
OTHERS_ERROR = 3.0  # a leak predicts with at most a third of the others' error, plus the error of one row
EXACT = 1 - 1e-6  # rank correlation of a copy, or of an increasing function of the target
REPEATED, OVER_CHANCE = 0.05, 5.0  # share of repeated rows; and times as many as by chance
MANY_COLUMNS = 10  # from which rows of rounded numbers hardly repeat
MOST_NUMBERS = 10  # distinct targets that may be class numbers
ROWS_PER_NUMBER = 10
MOST_CLASSES = 15  # classes from which numbers may have been taken for classes …
FEW_IN_CLASS, SHARE_OF_RARE, ORDERED = 5, 0.3, 0.3  # … if many are rare, and similar rows have similar numbers
# Bulmer 1979, "Principles of Statistics": a skewness above 1 is high.  Twice that is the limit here, because networks
# stand some of it.
LARGEST_SKEWNESS = 2.0
LESS_SKEWED = 0.6  # of the skewness, as logarithms


def check_contents(case: Case) -> Iterator[Finding]:
    """Check the values of X and y, and their relation."""
    if len(case.X) < FEWEST_ROWS:
        return
    yield from check_missing_codes(case)
    yield from check_overflow(case)
    yield from check_identifiers(case)
    yield from check_leak(case)
    yield from check_duplicates(case)
    yield from check_numbers_of_classes(case)
    yield from check_classes_of_numbers(case)
    yield from check_skewness(case)
    yield from check_label_noise(case)


def check_missing_codes(case: Case) -> Iterator[Finding]:
    """Check for numbers such as -999 that stand for missing values."""
    X = case.X.astype(np.float64)
    found = [(j, code) for j, column in enumerate(X.T) if (code := missing_code(column)) is not None]
    if found:
        j, code = found[0]
        is_code = X[:, j] == code
        rest = X[~is_code, j]
        others = f" So it is in {len(found) - 1} other columns." if len(found) > 1 else ""
        yield make_finding(
            "missing-value-code",
            f"column {j} of X is {code:.6g} in {is_code.sum():,} of {len(X):,} rows; its other values lie between "
            f"{rest.min():.4g} and {rest.max():.4g}.{others}",
            f"missing = np.isclose(X[:, {j}], {code:.12g})\n"
            f"X = np.column_stack([X, missing])  # a column that tells where the value is missing\n"
            f"X[missing, {j}] = np.median(X[~missing, {j}])",
        )
        return
    code = code_among_targets(case)
    if code is not None:
        targets = case.y[:, 0].astype(np.float64)
        is_code = targets == code
        rest = targets[~is_code]
        yield make_finding(
            "missing-value-code",
            f"the target is {code:.6g} in {is_code.sum():,} of {len(targets):,} rows; the other targets lie between "
            f"{rest.min():.4g} and {rest.max():.4g}.",
            f"known = ~np.isclose(np.ravel(y), {code:.12g})\nX, y = X[known], y[known]  # rows with a known target",
        )


def check_overflow(case: Case) -> Iterator[Finding]:
    """Check whether 8-bit integers wrapped around."""
    X = case.X.astype(np.float64)
    found = wraps_around(X)
    if found is not None:
        low, high = found
        count = int((high <= X).sum())
        yield make_finding(
            "integer-overflow",
            f"X holds whole numbers from 0 to {low} and from {high} to {X.max():.0f}, and none in between. In uint8, "
            f"3 - 5 is 254: {count:,} entries seem to be negative numbers plus 256.",
            "X = np.where(X > 127, X.astype(float) - 256, X)  # better: X = X.astype(float) before any arithmetic",
        )
    elif X.min() >= -128 and X.min() < -100 and 100 < X.max() < 128 and (np.round(X) == X).all() and X.shape[1] > 15:
        yield make_finding(
            "integer-overflow",
            f"X holds whole numbers from {X.min():.0f} to {X.max():.0f}. Pixels from 0 to 255 overflow in int8: 255 "
            f"becomes -1.",
            "X = np.where(X < 0, X.astype(float) + 256, X) / 255  # better: read the pixels as uint8",
        )


def check_identifiers(case: Case) -> Iterator[Finding]:
    """Check for columns that number the rows."""
    found = identifiers(case.X.astype(np.float64))
    if found:
        column = case.X[:, found[0]]
        shown = ", ".join(f"{value:.6g}" for value in np.sort(column)[:3])
        yield make_finding(
            "identifier-column",
            f"column {', '.join(map(str, found))} of X numbers the {len(column):,} rows: no value occurs twice, and "
            f"they are {shown}, …",
            f"X = np.delete(X, {found if len(found) > 1 else found[0]}, axis=1)",
        )


def check_leak(case: Case) -> Iterator[Finding]:
    """Check whether one column alone tells the target, which the other columns do not."""
    is_labels = case.network.targets.has_labels
    if case.X.shape[1] < 2 or case.is_constant or (case.has_labels and not is_labels):
        return
    if not is_labels and case.y.shape[1] > 1:
        return
    X, y = case.all_rows.some(4 * MOST_NEIGHBOURS)[:2]
    target = label_numbers(y) if is_labels else y[:, 0].astype(np.float64)
    X = X.astype(np.float64)
    X[:, identifiers(case.X.astype(np.float64))] = 0  # a number of the row is another finding
    if is_labels and (copies := label_copies(X, target)):
        yield leak_finding(copies[0], f"column {copies[0]} of X is a copy of the class, up to scale and noise")
        return
    linear = np.abs(unit_columns(X).T @ unit_columns(target.astype(np.float64)[:, None]))[:, 0]
    tried = np.argsort(-linear)[:MOST_COLUMNS]
    scores = np.array([column_score(X[:, j], target, is_labels=is_labels) for j in tried])
    j, best = int(tried[scores.argmax()]), float(scores.max())
    if not is_labels and best > EXACT:
        yield leak_finding(j, f"column {j} of X is in the same order as the target, or in the reverse order")
        return
    if best < LEAK:
        return
    others = score_of_others(case, [int(k) for k, score in zip(tried, scores, strict=True) if score >= LEAK])
    if 1 - others < OTHERS_ERROR * (1 - best) + (10 if is_labels else 2) / len(X):
        return
    alone = (
        f"column {j} of X alone predicts the class of {best:.1%} of the rows; linear models of the other columns "
        f"predict {others:.1%} of rows that they have not seen"
        if is_labels
        else f"column {j} of X alone has a rank correlation of {best:.4f} with the target; linear models of the other "
        f"columns have {others:.4f} on rows that they have not seen"
    )
    yield leak_finding(j, alone)


def leak_finding(column: int, measured: str) -> Finding:
    """Make the finding that a column tells the target."""
    change = f"X = np.delete(X, {column}, axis=1)"
    return make_finding("target-leak", f"{measured}. Is it known before the target is?", change)


def score_of_others(case: Case, left_out: list[int]) -> float:
    """Return how well linear models, or the nearest row, predict other rows without some columns."""
    rows = case.all_rows._replace(X=np.delete(case.X, left_out, axis=1))
    if not rows.X.shape[1]:
        return 0.0
    y, p = cross_validated_linear(case, rows)
    sample = rows.some(MOST_NEIGHBOURS)
    nearest = neighbours(standardized(sample.X.astype(np.float64)))
    if case.has_labels:
        labels = label_numbers(sample.y)
        by_linear, by_nearest = (label_numbers(y) == label_numbers(p)).mean(), (labels == labels[nearest]).mean()
        return float(max(by_linear, by_nearest))
    by_linear = abs(correlation(y[:, 0], p[:, 0]))
    return float(max(by_linear, correlation(sample.y[:, 0], sample.y[nearest, 0])))


def check_duplicates(case: Case) -> Iterator[Finding]:
    """Check for rows that occur more than once, although by chance they would not."""
    found, by_chance = repeated_rows(case.X, case.y)
    n = len(case.X)
    can_repeat = has_few_values(case.X if case.has_labels else np.column_stack([case.X, case.y]))
    if found > REPEATED * n and found > OVER_CHANCE * by_chance and not can_repeat:
        yield make_finding(
            "duplicated-rows",
            f"{found:,} of {n:,} rows repeat an earlier row and its target; with the values of each column mixed, "
            f"{by_chance:,} would.",
            "kept = np.sort(np.unique(np.column_stack([X, np.asarray(y).reshape(len(X), -1)]), axis=0, "
            "return_index=True)[1])\nX, y = X[kept], y[kept]  # before the validation rows are split off",
        )
        return
    near, searched = near_copies((case.X.astype(np.float64), case.y))
    if near > REPEATED * searched:
        yield make_finding(
            "duplicated-rows",
            f"for {near:,} of {searched:,} rows, another row with the same target is nearly equal: 100 times nearer "
            f"than the next nearest.",
            "kept = np.sort(np.unique(np.round(X / (X.std(axis=0) + 1e-12), 2), axis=0, return_index=True)[1])\n"
            "X, y = X[kept], y[kept]  # before the validation rows are split off",
        )


def has_few_values(X: Array) -> bool:
    """Whether rows can repeat by chance: few columns have more than two values, and none has many, as on a grid."""
    counts = np.array([len(np.unique(column)) for column in X.T])
    return bool((counts > 2).sum() < MANY_COLUMNS and counts.max(initial=0) < len(X) / 4)


def check_numbers_of_classes(case: Case) -> Iterator[Finding]:
    """Check whether the targets of a regression seem to be class numbers."""
    if not case.network.loss.takes_any_number or case.y.shape[1] > 1 or case.is_constant:
        return
    values, counts = np.unique(case.y, return_counts=True)
    gaps = np.diff(values.astype(np.float64))
    is_even = len(values) > 2 and np.ptp(gaps) < 1e-3 * gaps.min()
    is_range = bool((values == np.arange(len(values)) + values[0]).all()) and values[0] in (-1, 0, 1)
    is_scaled = bool((values != np.round(values)).any())
    if not is_even or len(values) > MOST_NUMBERS or counts.mean() < ROWS_PER_NUMBER or not (is_range or is_scaled):
        return
    shown = ", ".join(f"{value:.4g}" for value in values)
    yield make_finding(
        "classes-as-numbers",
        f"the targets have only the values {shown}. A regression treats class 1 as if it lay between 0 and 2.",
        "y = np.unique(y, return_inverse=True)[1]  # class numbers\n"
        + case.code.with_loss("CrossEntropy()", len(values), "use MLPClassifier: model = MLPClassifier().fit(X, y)"),
    )


def check_classes_of_numbers(case: Case) -> Iterator[Finding]:
    """Check whether the classes seem to be measured numbers."""
    classes = case.network.targets.classes
    if not case.network.targets.has_labels or classes is None or len(classes) < MOST_CLASSES:
        return
    if classes.dtype.kind not in "iuf":
        return
    X, y = case.all_rows.some(MOST_NEIGHBOURS)[:2]
    counts = np.bincount(label_numbers(case.y), minlength=len(classes))
    rare = float((counts < FEW_IN_CLASS).mean())
    numbers = classes[label_numbers(y)].astype(np.float64)
    similar = correlation(numbers, numbers[neighbours(standardized(X.astype(np.float64)))])
    similar = max(similar, *(abs(correlation(column, numbers)) for column in X.T.astype(np.float64)))
    if rare > SHARE_OF_RARE and similar > ORDERED:
        yield make_finding(
            "numbers-as-classes",
            f"the {len(classes)} classes are numbers from {classes.min():.6g} to {classes.max():.6g}, {rare:.0%} of "
            f"them with fewer than {FEW_IN_CLASS} rows. Similar rows have similar numbers (correlation {similar:.2f}).",
            "from workings.tables.columns import standard\n"
            "mean_y, spread_y = np.mean(y), np.std(y)\n"
            "y = standard(y, mean_y, spread_y)  # numbers\n"
            + case.code.with_loss("SquaredError()", 1, "use MLPRegressor: model = MLPRegressor().fit(X, y)"),
        )


def check_skewness(case: Case) -> Iterator[Finding]:
    """Check whether a few targets are so large that they dominate the squared error."""
    if not isinstance(case.network.loss, SquaredError) or case.is_constant:
        return
    y = case.y.astype(np.float64)
    skews = [skewness(column) for column in y.T]
    worst = int(np.argmax(np.abs(skews)))
    skew, column = skews[worst], y[:, worst]
    if skew < LARGEST_SKEWNESS or len(np.unique(column)) < FEWEST_ROWS:
        return
    size = (column - column.mean()) ** 2
    share = float(np.sort(size)[-max(len(size) // 20, 1) :].sum() / size.sum())
    log = logarithm_for(y)
    after = skewness(log.of(y)[:, worst])
    if abs(after) >= LESS_SKEWED * skew:
        return
    measured = (
        f"the targets have a skewness of {skew:.2f}, and {after:.2f} as logarithms. The twentieth of the rows with the "
        f"most unusual targets makes up {share:.0%} of their variance."
    )
    before = as_trained(case)
    if before is None:
        yield make_finding("skewed-targets", measured, log.code, "" if case.network.is_fresh else "note")
        return
    p = log.back(with_targets(case, log.of).outputs)
    here, there = (np.abs(outputs - before.y).mean(axis=1) for outputs in (before.outputs, p))
    squares = gain_of(((before.outputs - before.y) ** 2 - (p - before.y) ** 2).mean(axis=1))
    if gain_of(here - there).is_better and not squares.is_worse:
        yield make_finding(
            "skewed-targets",
            f"{measured} In trials without a quarter of the rows, the mean absolute error on the rows left out is "
            f"{here.mean():.4g}, and {there.mean():.4g} with logarithms.",
            log.code,
        )


class Logarithm(NamedTuple):
    """A logarithm of the targets, its inverse, and the code of the change."""

    of: Callable[[Array], Array]
    back: Callable[[Array], Array]
    code: str


def logarithm_for(y: Array) -> Logarithm:
    """Return the logarithm that suits targets of shape (n, n_out): of positive numbers, from 0, or of any numbers."""
    low, middle = y.min(axis=0), np.median(y, axis=0)
    if (low > 0).all():
        return Logarithm(np.log, np.exp, "y = np.log(y)  # predictions: np.exp(net.predict(X))")
    if (low >= 0).all():
        return Logarithm(np.log1p, np.expm1, "y = np.log1p(y)  # predictions: np.expm1(net.predict(X))")
    shift = 0.1 * (middle - low) + 1e-12 - low
    return Logarithm(
        lambda values: np.log(np.maximum(values + shift, 1e-12)),
        lambda values: np.exp(values) - shift,
        "y = np.log(y - y.min(axis=0) + 0.1 * (np.median(y, axis=0) - y.min(axis=0)) + 1e-12)  "
        "# better: the logarithm of the targets before they are scaled",
    )
