"""Checks of the data: scales, constant columns, class balance, the order of the rows, and whether X predicts y.

They need no trained network.  Comments give the source of each threshold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workings.checks.comparison import with_balanced_weights
from workings.checks.evidence import FOLDS, Case, label_numbers, rms, trained_without_hidden
from workings.checks.findings import Finding, make_finding
from workings.checks.measures import correlation, missing_code
from workings.checks.suggested_code import Code
from workings.model.model import Model
from workings.regularizers import L2
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.training.rows import Rows

# LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp", section 4.3: inputs of mean 0 and about equal variance.
# Pixels from 0 to 16 have a root mean square of 6 to 12 and train well, so the limit lies above that.
LARGEST_INPUT = 15.0  # root mean square of a column
SMALLEST_INPUT = 0.01  # of the largest column
LARGEST_TARGET = 10.0  # root mean square of the targets; standardized ones have 1
UNEVEN = 100.0  # the largest standard deviation of a column divided by the median of all columns
# Google, "Machine Learning Crash Course", "Imbalanced datasets": a minority of 1 to 20 % is a moderate imbalance.
IMBALANCE = 10.0  # rows of the most frequent class divided by rows of the rarest class
BETWEEN_BATCHES = 0.5  # share of the targets' variance that lies between batches: rows are sorted if it is more
FEWEST_TOGETHER = 10  # the fewest rows in each group whose means are compared
FEWEST_NEIGHBOURS = 60  # with fewer rows, the neighbours are not compared
MOST_NEIGHBOURS = 600  # rows that are compared with each other
LINEAR_PENALTY = 0.1  # of the linear models whose predictions of other rows are compared with chance
PERMUTATIONS, SIGNIFICANT = 300, 0.01  # of the targets, and the share below which X and y are related
UNUSUAL = 0.2  # the share below which a weak relation is likely
WEAK, POWER = 0.25, 0.84  # a correlation that the rows must show in four of five cases (normal quantile 0.8)
CHANCE = 2.33  # standard errors above chance that random targets exceed once in a hundred (normal quantile 0.99)


def check_data(case: Case) -> Iterator[Finding]:
    """Check X and y."""
    yield from check_input_scale(case)
    yield from check_constant_columns(case)
    yield from check_target_scale(case)
    yield from check_class_balance(case)
    yield from check_row_order(case)
    yield from check_neighbours(case)


STANDARDIZE = (
    "from workings.tables.columns import standard\n"
    "mean, spread = X.mean(axis=0), X.std(axis=0) + 1e-12\n"
    "X = standard(X, mean, spread)  # likewise for validation and new rows"
)


def check_input_scale(case: Case) -> Iterator[Finding]:
    """Check that the inputs have about mean 0 and standard deviation 1, and that the columns are on one scale."""
    X = case.X.astype(np.float64)
    size, spread = rms(X, axis=0), X.std(axis=0)
    varied = spread[spread > 0]
    column = int(size.argmax())
    if len(varied) and spread[column] > 0 and size[column] > LARGEST_INPUT:
        yield make_finding(
            "unscaled-inputs",
            f"column {column} of X has mean {X[:, column].mean():.4g} and standard deviation {spread[column]:.4g}; "
            f"0 and 1 would be best, and a root mean square up to {LARGEST_INPUT:g} is accepted.",
            STANDARDIZE,
        )
    elif len(varied) and varied.max() > UNEVEN * np.median(varied):
        yield make_finding(
            "unscaled-inputs",
            f"column {int(spread.argmax())} of X has standard deviation {varied.max():.4g}, the median column "
            f"{np.median(varied):.4g}: a factor of {varied.max() / np.median(varied):,.0f}.",
            STANDARDIZE,
        )
    elif len(varied) and size.max() < SMALLEST_INPUT:
        measured = f"no column of X has a root mean square above {size.max():.3g}."
        yield make_finding("unscaled-inputs", measured, STANDARDIZE)


def check_constant_columns(case: Case) -> Iterator[Finding]:
    """Check for columns that never change; columns of zeros, such as the borders of images, are harmless."""
    constant = np.flatnonzero((np.ptp(case.X, axis=0) == 0) & (case.X[0] != 0))
    if len(constant) and len(case.X) > 1:
        shown = ", ".join(map(str, constant[:5])) + (", …" if len(constant) > 5 else "")
        first = f"{case.X[0, constant[0]]:.4g} in all {len(case.X):,} rows"
        measured = (
            f"column {constant[0]} of X is {first}."
            if len(constant) == 1
            else f"{len(constant)} of {case.X.shape[1]} columns of X never change (column {shown}; "
            f"column {constant[0]} is {first})."
        )
        yield make_finding("constant-column", measured, "X = X[:, X.std(axis=0) > 0]")


def check_target_scale(case: Case) -> Iterator[Finding]:
    """Check that numeric targets have about mean 0 and standard deviation 1."""
    if not case.network.loss.takes_any_number:
        return
    y, code = case.y.astype(np.float64), code_among_targets(case)
    y = y if code is None else y[y[:, 0] != code]  # a code for missing values is another finding
    size = float(rms(y))
    if size > LARGEST_TARGET:
        yield make_finding(
            "unscaled-targets",
            f"the targets have mean {y.mean():.4g} and standard deviation {y.std():.4g}; 0 and 1 would be best.",
            "from workings.tables.columns import original, standard\n"
            "mean_y, spread_y = y.mean(axis=0), y.std(axis=0) + 1e-12\n"
            "y = standard(y, mean_y, spread_y)  # validation too; undo with original(predicted, mean_y, spread_y)",
        )


def code_among_targets(case: Case) -> float | None:
    """Return the number that seems to stand for a missing target, such as -999; None if there is none."""
    if case.has_labels or not case.network.loss.takes_any_number or case.y.shape[1] > 1:
        return None
    return missing_code(case.y[:, 0].astype(np.float64))


def check_class_balance(case: Case) -> Iterator[Finding]:
    """Check that the classes, or each label and its absence, are about equally frequent."""
    if case.is_weighted:
        return
    if not case.network.targets.has_labels:
        yield from check_label_balance(case)
        return
    counts = np.bincount(label_numbers(case.y), minlength=max(case.y.shape[1], 2))
    counts = counts[counts > 0]
    if len(counts) > 1 and counts.max() > IMBALANCE * counts.min():
        measured = f"the most frequent class has {counts.max():,} rows, the rarest {counts.min():,}."
        yield rare_class_finding(case, "class-imbalance", measured)


def rare_class_finding(case: Case, name: str, measured: str) -> Finding:
    """Make a finding about a rare class: advise class weights if they help held-out rows, else show what is missed.

    Before a training, nothing can be tried.
    """
    if case.network.is_fresh:
        return make_finding(name, measured, case.code.fit(class_weight="balanced"))
    tried = with_balanced_weights(case)
    if tried is not None and tried.helps:
        return make_finding(name, f"{measured} {tried.measured}", case.code.fit(class_weight="balanced"))
    return make_finding(name, f"{measured} {tried.measured if tried else ''}".strip(), SHARES_FOUND, "note")


SHARES_FOUND = (
    "p, labels = net.predict(X), np.ravel(y) if np.size(y) == len(X) else np.argmax(y, axis=1)\n"
    "print({k: np.mean(p[labels == k] == k) for k in np.unique(labels)})  # the share of each class that is found"
)


def check_label_balance(case: Case) -> Iterator[Finding]:
    """Check whether one of several labels is rare."""
    if not case.has_labels:
        return
    counts = (case.y > 0.5).sum(axis=0)
    label = int(np.where(counts > 0, counts, len(case.y)).argmin())  # a label that never occurs is another matter
    if 0 < counts[label] * (1 + IMBALANCE) < len(case.y):
        measured = (
            f"label {label} occurs in {counts[label]:,} of {len(case.y):,} rows, and the others in up to "
            f"{counts.max():,}."
        )
        if not case.network.is_fresh:  # weights for one label can harm the others
            with_label, given = f"net.predict(X)[y[:, {label}] > 0.5]", f"rows with label {label} for which it is found"
            yield make_finding(
                "class-imbalance", measured, f"print(np.mean({with_label}[:, {label}] > 0.5))  # {given}", "note"
            )
            return
        weight = round(len(case.y) / counts[label] / 2)
        weights = f"sample_weight = np.where(y[:, {label}] > 0, {weight}.0, 1.0)"
        change = f"{weights}\n{case.code.fit(sample_weight=Code('sample_weight'))}"
        yield make_finding("class-imbalance", measured, change)


def check_row_order(case: Case) -> Iterator[Finding]:
    """Check whether the rows are sorted by their targets and not shuffled."""
    if case.recipe.shuffle or case.is_full_batch:
        return
    if not case.network.targets.has_labels:
        yield from check_order_of_numbers(case)
        return
    labels = label_numbers(case.y)
    changes = int((np.diff(labels) != 0).sum())
    shares = np.bincount(labels) / len(labels)
    expected = (1 - (shares**2).sum()) * (len(labels) - 1)
    if changes < expected / 10:
        yield make_finding(
            "sorted-rows",
            f"from row to row the class changes {changes} times; in random order it would change about "
            f"{expected:,.0f} times. shuffle is False.",
            case.code.new_training(shuffle=True),
        )


def check_order_of_numbers(case: Case) -> Iterator[Finding]:
    """Check whether each batch has other targets than the next, because the rows are sorted by them."""
    size = max(case.batch_size, FEWEST_TOGETHER)  # single rows differ in random order, too
    if case.has_labels or len(case.y) < 4 * size or case.is_constant:
        return
    y = case.y.astype(np.float64)
    whole = len(y) // size * size
    means = y[:whole].reshape(-1, size, y.shape[1]).mean(axis=1)
    share = float((means.var(axis=0) / np.maximum(y.var(axis=0), 1e-300)).max())
    if share > BETWEEN_BATCHES:
        yield make_finding(
            "sorted-rows",
            f"the means of the targets of {size} rows after one another vary by {share:.0%} of the targets' variance; "
            f"in random order it would be about {1 / size:.1%}. shuffle is False.",
            case.code.new_training(shuffle=True),
        )


def check_neighbours(case: Case) -> Iterator[Finding]:
    """Check whether X predicts y better than chance, by neighbours, by linear models or by the network.

    If X predicts y, the target of a row's nearest neighbour does so, too (Cover & Hart 1967: with many rows, its error
    rate is at most twice the lowest possible one).
    """
    labels_are_given = case.network.targets.has_labels or not case.has_labels
    if case.is_constant or len(case.X) < FEWEST_NEIGHBOURS or not labels_are_given:
        return
    X, y = case.all_rows.some(MOST_NEIGHBOURS)[:2]
    nearest = neighbours(standardized(X.astype(np.float64)))
    if case.has_labels:
        labels = label_numbers(y)
        agree = float((labels == labels[nearest]).mean())
        chance = float(((np.bincount(labels) / len(labels)) ** 2).sum())
        error = np.sqrt(chance * (1 - chance) / len(labels))
        measured = f"the nearest other row has the same label for {agree:.1%} of the rows (chance: {chance:.1%})"
        related = agree > chance + CHANCE * error
    else:
        agree = float(np.mean([correlation(column, column[nearest]) for column in y.T.astype(np.float64)]))
        measured = f"the targets of rows and their nearest rows have a correlation of {agree:.3f} (chance: 0)"
        related = agree > CHANCE / np.sqrt(len(y))
    if related:
        return
    chance_of_linear = as_good_permutations(X, y)
    if chance_of_linear < SIGNIFICANT or predicts_rows(case, *cross_validated_linear(case)):
        return
    again, is_weak = case.refitted, chance_of_linear < UNUSUAL or WEAK * np.sqrt(len(case.X)) < CHANCE + POWER
    if again is not None and predicts_rows(case, again.held.y, outputs_of(again.network, again.held)):
        return
    yield make_finding(
        "unrelated-labels",
        f"{measured}. Linear models, each judged by the quarter of the rows left out, predict no better than by chance"
        f"{'' if again is None else ', and neither does this network, trained again without a quarter of the rows'} "
        f"({len(y):,} rows{', too few to tell a weak relation from none' if is_weak else ''}).",
        "print(X[:5], y[:5])  # do they belong together? Reload X and y; shuffle both with the same permutation",
        "note" if is_weak else "",
    )


def as_good_permutations(X: Array, y: Array) -> float:
    """Return the share of permutations of the targets that a linear regression explains as well as the targets.

    This permutation test (Fisher 1935) is more sensitive than held-out rows: it uses all rows.
    """
    basis, sizes = np.linalg.svd(standardized(X.astype(np.float64)), full_matrices=False)[:2]
    basis = basis[:, sizes > 1e-9 * sizes.max(initial=0)]
    rng, target = np.random.default_rng(0), y.astype(np.float64) - y.mean(axis=0)

    def explained(order: Array) -> float:
        return float(((basis.T @ target[order]) ** 2).sum())

    given = explained(np.arange(len(y))) * (1 - 1e-12)
    return float(np.mean([explained(rng.permutation(len(y))) >= given for _ in range(PERMUTATIONS)]))


def predicts_rows(case: Case, y: Array, p: Array) -> bool:
    """Whether outputs p agree with the targets of rows that were not used for training, more than by chance.

    Labels also count as predicted if their probabilities are higher where they are right: with weak columns, or a rare
    class, the most probable class may be the same in all rows.
    """
    if np.mean([correlation(*pair) for pair in zip(y.T, p.T, strict=True)]) > CHANCE / np.sqrt(len(y)):
        return True
    if not case.has_labels:
        return False
    labels, predicted = label_numbers(y), label_numbers(p)
    # if the labels were drawn anew for the same predictions, this share would agree
    chance = float(np.mean((np.bincount(labels) / len(labels))[np.minimum(predicted, labels.max())]))
    error = np.sqrt(max(chance * (1 - chance), 1e-12) / len(labels))
    return bool((labels == predicted).mean() > chance + CHANCE * error)


def cross_validated_linear(case: Case, rows: Rows | None = None) -> tuple[Array, Array]:
    """Return the targets of some rows, and the outputs of linear models that were trained without these rows."""
    rows = (case.all_rows if rows is None else rows).some(MOST_NEIGHBOURS)
    rows = rows._replace(X=standardized(rows.X.astype(np.float64)))
    fold = np.random.default_rng(0).permutation(len(rows.X)) % FOLDS
    p = np.zeros_like(rows.y, dtype=np.float64)
    for number in range(FOLDS):
        kept, held = rows.take(fold != number), rows.take(fold == number)
        if not np.ptp(kept.y, axis=0).any():  # all other rows have one class, so a model predicts this one
            p[fold == number] = kept.y[0]
            continue
        p[fold == number] = outputs_of(trained_without_hidden(case.network, kept, L2(LINEAR_PENALTY)), held)
    return rows.y, p


def outputs_of(network: Model, rows: Rows) -> Array:
    """Return the outputs of a network for some rows."""
    return network.measure(rows.X.astype(network.dtype), rows.y.astype(network.dtype), None)[1]


def neighbours(X: Array) -> Array:
    """Return the index of each row's nearest other row."""
    squares = (X**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * X @ X.T
    np.fill_diagonal(distances, np.inf)
    nearest: Array = distances.argmin(axis=1)
    return nearest
