"""Checks of the validation rows against the training rows: scale, order of the columns, targets, and copies.

The history keeps a sample of the validation rows.  Comments give the source of each threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from workings.checks.evidence import Case, copied, label_numbers, row_losses, score_of
from workings.checks.findings import Finding, make_finding
from workings.checks.measures import near_copies, repeated_rows, row_keys, unit_columns
from workings.model.model import Model
from workings.support.arrays import Array
from workings.training.rows import Rows

FEWEST_ROWS = 10  # validation rows
FEWEST_FOR_ORDER = 20  # likewise, to look for another order of the columns
COMMON, OVER_CHANCE = 0.02, 5.0  # share of validation rows that are training rows, and times as many as by chance
# Rows of few different values have twins without any mistake.  How many is known from the training rows, and the
# number of common rows must be so many standard errors (of Poisson counts) above that.
BEYOND_TWINS = 4.0
# The distance of two distribution functions (Kolmogorov and Smirnov).  For equal distributions it exceeds
# 1.95 · √(1/n + 1/m) once in a thousand.  A third more is required, because columns of real data drift.
DIFFERENT, CERTAIN = 0.3, 2.6
ALIKE = 0.25  # the largest distance of columns that differ only in their scale
EXTREME = 0.02  # of the values at either end, which do not count for the scale: one outlier could set it alone
OTHER_SCALE = 1.5  # ratio of standard deviations, or shift in standard deviations, from which the scale is another one
LEARNED = 0.8  # of the constant prediction's loss: below it, the network knows what the columns mean
BETTER = 0.6  # times the validation loss, with the columns in another order
# The loss must be lower in so many rows (sign test).  The best of some hundred orders exceeds 3.5 standard errors by
# chance once in twenty cases.
BEST_OF_MANY = 3.5
GOOD, NO_BETTER = 0.5, 0.0  # of the way from a constant prediction to a perfect one: training and validation rows
RENAMED = 0.7  # of the training accuracy, which the validation rows must have with other class numbers
WAS_GOOD = 0.9  # of the constant prediction's loss, for the lowest validation loss
# Ratio of the standard deviations and of the distances of the quartiles; rows; standard errors of the first ratio, and
# how often the values are mixed to measure these.
WIDER, FEWEST_FOR_WIDTH, FAR_BEYOND_CHANCE, MIXED = 2.0, 40, 5.0, 100
MOST_SWAPS, MOST_ROTATIONS = 20, 100  # columns up to which single swaps, and all rotations, are tried
NEARLY_EQUAL = 0.05  # share of validation rows that are nearly training rows
SEVERAL = 0.5  # of the columns that have another distribution, if no single one is on another scale
LEVELS = np.linspace(0.02, 0.98, 25)  # quantiles that describe a column


def check_split(case: Case) -> Iterator[Finding]:
    """Compare the validation rows with the training rows."""
    held = case.validation
    if held is None or len(held.X) < FEWEST_ROWS or len(case.X) < FEWEST_ROWS:
        return
    if case.recipe.validation is None:  # not a share of X
        yield from check_common_rows(case, held)
        yield from check_scale(case, held)
        yield from check_column_order(case, held)
        yield from check_targets(case, held)
    yield from check_held_out_baseline(case, held)


def held_out_code(case: Case) -> str:
    """Return code that holds out a share of the training rows, which are prepared in the same way.

    If no callback could use the validation rows, the network itself is right, and a second one measures in its place:
    trained without these rows, the network would only be worse.
    """
    if case.code.terms is not None or case.network.edits or "callbacks" in case.training.given:
        return f"{case.code.new_training(validation=0.2)}  # holds out rows of X itself"
    second = case.code.of_network().replace("net = ", "second = ", 1)
    return (
        f"{second}  # the same network, to measure with rows of X itself; net is trained on all rows\n"
        f"{case.code.fit(validation=0.2).replace('net.fit(', 'second.fit(', 1)}"
    )


def check_common_rows(case: Case, held: Rows) -> Iterator[Finding]:
    """Check for validation rows that are training rows, too."""
    known = np.unique(row_keys(case.X, case.y))
    common = int(np.isin(row_keys(held.X, held.y), known).sum())
    rng = np.random.default_rng(0)
    mixed = np.column_stack([rng.permutation(column) for column in np.column_stack([held.X, held.y]).T])
    by_chance = int(np.isin(row_keys(mixed), known).sum())
    n = len(held.X)
    # as many as among the training rows themselves, where a row repeats an earlier one half as often
    twins = 2 * n * repeated_rows(case.X, case.y)[0] / len(case.X)
    most = twins + BEYOND_TWINS * np.sqrt(1 + twins * (1 + n / len(case.X)))
    if common > max(COMMON * n, most) and common > OVER_CHANCE * by_chance and common > 1.5 * twins:
        yield make_finding(
            "shared-rows",
            f"{common:,} of {n:,} validation rows are training rows, too, with the same target; by chance, "
            f"{by_chance:,} would be.",
            held_out_code(case),
        )
        return
    near, searched = near_copies((np.asarray(held.X, dtype=np.float64), held.y), (case.X.astype(np.float64), case.y))
    if near > NEARLY_EQUAL * searched:
        yield make_finding(
            "shared-rows",
            f"{near:,} of {searched:,} validation rows are nearly a training row with the same target: 100 times "
            f"nearer than the next nearest.",
            held_out_code(case),
        )


def distance(a: Array, b: Array) -> float:
    """Return the largest distance of two distribution functions.

    >>> distance(np.arange(10.0), np.arange(10.0) + 100)
    1.0
    """
    values = np.concatenate([a, b])
    steps = [np.searchsorted(np.sort(column), values, side="right") / len(column) for column in (a, b)]
    return float(np.abs(steps[0] - steps[1]).max())


def is_different(a: Array, b: Array) -> bool:
    """Whether two samples have clearly different distributions."""
    return bool(distance(a, b) > max(DIFFERENT, CERTAIN * np.sqrt(1 / len(a) + 1 / len(b))))


def rescaled(a: Array, b: Array) -> Array:
    """Return ``b`` with the quartiles of ``a``, or with its mean and standard deviation if they are equal."""
    (low, middle, high), (own_low, own_middle, own_high) = (np.quantile(x, (0.25, 0.5, 0.75)) for x in (a, b))
    if high > low and own_high > own_low:
        return np.asarray((b - own_middle) / (own_high - own_low) * (high - low) + middle)
    return np.asarray((b - b.mean()) / max(b.std(), 1e-300) * a.std() + a.mean())


def without_extremes(values: Array) -> Array:
    """Return the values without those at both ends; all of them if the others are equal."""
    low, high = np.quantile(values, (EXTREME, 1 - EXTREME))
    bulk = values[(low <= values) & (values <= high)]
    return bulk if np.ptp(bulk) else values


def on_another_scale(a: Array, b: Array) -> bool:
    """Whether two samples differ, and mostly in their scale or their mean; or the second is constant."""
    if not np.ptp(a) or not np.ptp(b):
        return bool(np.ptp(a)) and is_different(a, b)
    a_bulk, b_bulk = without_extremes(a), without_extremes(b)
    ratio = b_bulk.std() / a_bulk.std()
    shift = abs(b_bulk.mean() - a_bulk.mean()) / max(a_bulk.std(), b_bulk.std())
    if max(ratio, 1 / ratio, 1 + shift) < OTHER_SCALE:
        return False
    return (is_different(a, b) or is_wider(a, b)) and distance(a, rescaled(a, b)) < ALIKE


def is_wider(a: Array, b: Array) -> bool:
    """Whether the standard deviations of two samples have another ratio than by chance, and a large one.

    Chance is measured with the values mixed, because it depends on the tails of the distribution.
    """
    ratio = log_ratio(a, b)
    if abs(ratio) < np.log(2 * OTHER_SCALE) and not has_wider_quartiles(a, b, ratio):
        return False
    rng, both = np.random.default_rng(0), np.concatenate([a - np.median(a), b - np.median(b)])
    mixed = [rng.permutation(both) for _ in range(MIXED)]
    chance = np.std([log_ratio(values[: len(a)], values[len(a) :]) for values in mixed])
    return bool(abs(ratio) > FAR_BEYOND_CHANCE * chance)


def has_wider_quartiles(a: Array, b: Array, ratio: float) -> bool:
    """Whether both the standard deviations and the distances of the quartiles have a ratio above 2, or below 1/2."""
    own, theirs = (float(np.ptp(np.quantile(x, (0.25, 0.75)))) for x in (a, b))
    if min(len(a), len(b)) < FEWEST_FOR_WIDTH or min(own, theirs) == 0:
        return False
    by_quartiles = float(np.log(theirs / own))
    return min(abs(ratio), abs(by_quartiles)) > np.log(WIDER) and (ratio > 0) == (by_quartiles > 0)


def log_ratio(a: Array, b: Array) -> float:
    """Return the logarithm of the ratio of two standard deviations, without extreme values."""
    return float(np.log(without_extremes(b).std() / without_extremes(a).std()))


def check_scale(case: Case, held: Rows) -> Iterator[Finding]:
    """Check for columns whose validation rows are on another scale."""
    X, Z = case.X.astype(np.float64), np.asarray(held.X, dtype=np.float64)
    other = [j for j in range(X.shape[1]) if on_another_scale(X[:, j], Z[:, j])]
    different = [j for j in range(X.shape[1]) if is_different(X[:, j], Z[:, j])]
    if is_reordered(case, held):
        return
    if not other and len(different) > max(SEVERAL * X.shape[1], 1):
        yield make_finding(
            "validation-scale",
            f"{len(different)} of {X.shape[1]} columns have another distribution in the validation rows, so these were "
            f"prepared in another way, or come from elsewhere. Column {different[0]} has the quartiles "
            f"{quartiles(X[:, different[0]])} in the training rows, and {quartiles(Z[:, different[0]])} in these.",
            held_out_code(case),
        )
    if not other:
        return
    widths = np.maximum(Z.std(axis=0), 1e-300) / np.maximum(X.std(axis=0), 1e-300)
    j = max(other, key=lambda k: abs(np.log(widths[k])) + abs(Z[:, k].mean() - X[:, k].mean()))
    yield make_finding(
        "validation-scale",
        f"in {len(other)} of {X.shape[1]} columns the validation rows are on another scale. Column {j} has mean "
        f"{X[:, j].mean():.4g} and standard deviation {X[:, j].std():.4g} in the training rows; in the "
        f"validation rows, {Z[:, j].mean():.4g} and {Z[:, j].std():.4g}.",
        held_out_code(case),
    )


def quartiles(values: Array) -> str:
    """Write the quartiles of some values.

    >>> quartiles(np.arange(5.0))
    '1, 2 and 3'
    """
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return f"{low:.4g}, {middle:.4g} and {high:.4g}"


def check_column_order(case: Case, held: Rows) -> Iterator[Finding]:
    """Check whether the columns of the validation rows are in another order."""
    order = better_order(case, held)
    if order is None:
        return
    moved = [j for j in range(len(order)) if order[j] != j]
    network = copied(case.network)
    before = case.loss_of(network, held)
    after = case.loss_of(network, held._replace(X=np.asarray(held.X)[:, order]))
    shown = ", ".join(f"{order[j]} for {j}" for j in moved[:5]) + (", …" if len(moved) > 5 else "")
    yield make_finding(
        "validation-columns",
        f"with {len(moved)} columns of the validation rows in another order ({shown}), the validation loss falls from "
        f"{before:.4g} to {after:.4g}.",
        held_out_code(case),
    )


def is_reordered(case: Case, held: Rows) -> bool:
    """Whether another order of the columns explains the validation rows."""
    return better_order(case, held) is not None


def better_order(case: Case, held: Rows) -> list[int] | None:
    """Return an order of the validation rows' columns with which the network does far better; None if there is none."""
    columns = case.X.shape[1]
    if case.network.is_fresh or columns < 2 or len(held.X) < max(FEWEST_FOR_ORDER, 2 * columns):
        return None  # of few rows, some order of many columns fits by chance
    if any(check_targets(case, held)):
        return None  # the network's losses say nothing with other targets
    network = copied(case.network)
    before = case.loss_of(network, held)
    own_loss = case.loss_of(network)
    if before < 1.3 * own_loss or own_loss > LEARNED * case.constant_loss:
        return None

    def loss(order: list[int]) -> float:
        return case.loss_of(network, held._replace(X=np.asarray(held.X)[:, order]))

    own = list(range(columns))
    rotations = range(1, columns) if columns <= MOST_ROTATIONS else (1, columns - 1)
    tried = [own[::-1], matched(case, held), *(own[k:] + own[:k] for k in rotations)]
    best: list[int] = min(tried, key=loss)
    if columns <= MOST_SWAPS:
        best = min(best, swapped(own, loss), swapped(best, loss), key=loss)
    is_explained = loss(best) < min(BETTER * before, max(2 * own_loss, LEARNED * case.constant_loss))
    if best == own or not is_explained:
        return None
    reordered = held._replace(X=np.asarray(held.X)[:, best])
    is_lower = row_losses(network, reordered) < row_losses(network, held)
    return best if 2 * is_lower.sum() - len(is_lower) > BEST_OF_MANY * np.sqrt(len(is_lower)) else None


def swapped(order: list[int], loss: Callable[[list[int]], float]) -> list[int]:
    """Swap two columns as long as the loss falls."""
    best, lowest = order, loss(order)
    for _ in range(len(order)):
        swaps = [swap(best, i, j) for i in range(len(order)) for j in range(i)]
        found = min(swaps, key=loss)
        if loss(found) >= lowest:
            break
        best, lowest = found, loss(found)
    return best


def swap(order: list[int], i: int, j: int) -> list[int]:
    """Return an order with two columns swapped."""
    changed = list(order)
    changed[i], changed[j] = changed[j], changed[i]
    return changed


def matched(case: Case, held: Rows) -> list[int]:
    """Return, for each training column, the validation column with the most similar values and relation to y."""
    own, theirs = (signature(rows.X.astype(np.float64), rows.y) for rows in (case.rows, held))
    cost = np.sqrt(((own[:, None] - theirs[None]) ** 2).mean(axis=2))
    order = [-1] * len(cost)
    for place in np.argsort(cost, axis=None, kind="stable"):
        i, j = divmod(int(place), len(cost))
        if order[i] < 0 and j not in order:
            order[i] = j
    return order


def signature(X: Array, y: Array) -> Array:
    """Return quantiles of each column, and its correlations with the targets."""
    relation = unit_columns(X).T @ unit_columns(y.astype(np.float64))
    return np.column_stack([np.quantile(X, LEVELS, axis=0).T, 3 * np.repeat(relation, 3, axis=1)])


def check_targets(case: Case, held: Rows) -> Iterator[Finding]:
    """Check whether the validation targets are distributed as the training targets."""
    if case.network.targets.has_labels:
        own, theirs = label_numbers(case.y), label_numbers(held.y)
        classes = int(max(own.max(), theirs.max())) + 1
        shares, other = (np.bincount(labels, minlength=classes) / len(labels) for labels in (own, theirs))
        apart = float(np.abs(shares - other).sum() / 2)
        chance = np.sqrt(classes / len(theirs)) + np.sqrt(classes / len(own))
        if apart > max(DIFFERENT, chance):
            k = int(np.abs(shares - other).argmax())
            yield make_finding(
                "validation-targets",
                f"class {k} (in sorted order) is the target of {shares[k]:.0%} of the training rows and of "
                f"{other[k]:.0%} of the validation rows.",
                held_out_code(case),
            )
        else:
            yield from check_class_numbers(case, held)
    elif not case.has_labels:
        for a, b in zip(case.y.T.astype(np.float64), held.y.T.astype(np.float64), strict=True):
            if is_different(a, b) or on_another_scale(a, b):
                yield make_finding(
                    "validation-targets",
                    f"the training targets have mean {a.mean():.4g} and standard deviation {a.std():.4g}; the "
                    f"validation targets have {b.mean():.4g} and {b.std():.4g}.",
                    held_out_code(case),
                )
                return


def check_class_numbers(case: Case, held: Rows) -> Iterator[Finding]:
    """Check whether the validation targets number the classes in another order.

    Then the network gives most validation rows of a class one other class, and another one for each class.
    """
    if case.network.is_fresh or len(held.X) < FEWEST_FOR_ORDER or held.y.shape[1] == 1:
        return
    network = copied(case.network)
    true, found = label_numbers(held.y), label_numbers(network.measure(held.X, held.y, None)[1])
    counts = np.zeros((held.y.shape[1],) * 2)
    np.add.at(counts, (true, found), 1)
    usual, present = counts.argmax(axis=1), np.unique(true)
    before, after = float((found == true).mean()), float((found == usual[true]).mean())
    moved = [k for k in present if usual[k] != k]
    train = score_of(network, case.rows)
    if not moved or len(set(usual[present])) < len(present) or after < max(2 * before, RENAMED * train, GOOD):
        return
    shown = ", ".join(f"{usual[k]} for {k}" for k in moved[:5]) + (", …" if len(moved) > 5 else "")
    yield make_finding(
        "validation-targets",
        f"the accuracy is {train:.3f} on the training rows and {before:.3f} on the validation rows. With other class "
        f"numbers ({shown}, in sorted order) it would be {after:.3f} there.",
        held_out_code(case),
    )


def check_held_out_baseline(case: Case, held: Rows) -> Iterator[Finding]:
    """Check whether the network is worse than a constant prediction on the validation rows, but good in training."""
    if case.network.is_fresh or case.is_constant or not np.ptp(held.y, axis=0).any():
        return
    curve = np.asarray(case.columns.get("val_loss", ()), dtype=np.float64)
    if len(curve) and curve.min() < WAS_GOOD * case.constant_loss:
        return  # the network was good on these rows before it overfitted
    network = copied(case.network)
    if case.has_labels:
        if not case.network.targets.has_labels:
            return
        own, theirs = (float(np.bincount(label_numbers(y)).max() / len(y)) for y in (case.y, held.y))
        train, validation = (
            (score - c) / (1 - c) for score, c in zip(scores(network, case, held), (own, theirs), strict=True)
        )
        name, reference = "accuracy", f"always predicting its most frequent class gives {theirs:.3f}"
    else:
        train, validation = scores(network, case, held)
        name, reference = "R²", "always predicting its mean gives 0"
    if train > GOOD and validation <= NO_BETTER:
        first, second = scores(network, case, held)
        yield make_finding(
            "validation-below-baseline",
            f"the {name} is {first:.3f} on the training rows and {second:.3f} on the validation rows; {reference}.",
            held_out_code(case),
        )


def scores(network: Model, case: Case, held: Rows) -> tuple[float, float]:
    """Return the accuracy or R² on the training rows and on the validation rows."""
    return score_of(network, case.rows), score_of(network, held)
