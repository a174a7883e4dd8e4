"""Split the rows of a table into training, validation and test rows, and into folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workings.cli.table_plan import Plan
from workings.errors import InputError, count_of
from workings.support.arrays import Array
from workings.tables.cells import date_format, numbers_in_text, with_gaps
from workings.tables.columns import shuffled_rows
from workings.tables.dates import DatePart
from workings.tables.wording import unknown_column
from workings.training.training_data import stratified

if TYPE_CHECKING:
    import polars as pl

ELAPSED = {"year": 535_680, "month": 44_640, "day": 1440, "hour": 60, "minute": 1}  # minutes, at most, of each part


@dataclass(frozen=True)
class Split:
    """The indices of the training, validation and test rows of a table, each in order.

    ``seeds`` are the seeds of the networks that are trained on them.
    """

    training: Array
    validation: Array
    test: Array
    seeds: tuple[int, ...] = (0,)

    @property
    def known(self) -> Array:
        """The indices of the training and validation rows, in order."""
        return np.sort(np.concatenate([self.training, self.validation]))

    @property
    def held_out(self) -> Array:
        """The places of the validation rows among the known rows."""
        return np.searchsorted(self.known, self.validation)


@dataclass(frozen=True)
class RowKinds:
    """The columns that a split of rows respects.

    Attributes
    ----------
    n : int
        The number of rows.
    labels : array of shape (n,) or None
        The class of each row: each set gets its share of each class.
    groups : array of shape (n,) or None
        The group of each row, as a number: the rows of a group stay together.
    times : array of shape (n,) or None
        The time of each row: later rows are held out.
    """

    n: int
    labels: Array | None = None
    groups: Array | None = None
    times: Array | None = None

    def taken(self, rows: Array) -> RowKinds:
        """Return the kinds of some rows."""
        parts = (None if each is None else each[rows] for each in (self.labels, self.groups, self.times))
        return RowKinds(len(rows), *parts)


def row_kinds(
    frame: pl.DataFrame,
    plan: Plan,
    labels: Array | None,
    target: str,
    dates: str | None = None,
) -> RowKinds:
    """Read the columns that the plan's split names; ``dates`` is the order in dates such as 05/01/2024."""
    if plan.group is not None and plan.time_order is not None:
        raise InputError("--group and --time-order are two ways to split the rows: leave out one of them.")
    groups = None if plan.group is None else group_numbers(named_column(frame, "--group", plan.group, target))
    times = (
        None
        if plan.time_order is None
        else time_numbers(named_column(frame, "--time-order", plan.time_order, target), dates)
    )
    return RowKinds(frame.height, labels if groups is None and times is None else None, groups, times)


def named_column(frame: pl.DataFrame, option: str, name: str, target: str) -> pl.Series:
    """Return the column that an option names, which is not the target and must have a value in each row."""
    if name not in frame.columns:
        raise unknown_column(f"column of {option}", name, frame)
    if name == target:
        raise InputError(f"{option}: column {name!r} is the target, by which rows are not split. Name another column.")
    column = with_gaps(frame[name])
    if column.null_count():
        raise InputError(
            f"{option}: column {name!r} has no value in {count_of(column.null_count(), 'row')}. Fill it in."
        )
    return column


def group_numbers(column: pl.Series) -> Array:
    """Return a number for each group."""
    numbers: Array = np.unique(np.array([str(value) for value in column.to_list()]), return_inverse=True)[1]
    return numbers


def time_numbers(column: pl.Series, order: str | None = None) -> Array:
    """Return numbers that increase with time: numbers as they are, dates in minutes."""
    numbers = numbers_in_text(column)
    if numbers.dtype.is_numeric():
        return np.asarray(numbers.to_numpy(), dtype=np.float64)
    form = date_format(column, order)
    if form is None:
        raise InputError(f"--time-order: column {column.name!r} holds neither numbers nor dates, but {column[0]!r}.")
    parts = {part: DatePart(column.name, part, form).read(column, marks=False) for part in ELAPSED}
    return np.asarray(sum(parts[part] * minutes for part, minutes in ELAPSED.items()))


def split_rows(kinds: RowKinds, plan: Plan) -> Split:
    """Split the rows of a table; the test rows are drawn first.

    For the recipe, ``TableRecipe.draws`` gives the validation rows and the seeds, so that an estimator with the same
    rows and seed trains the same networks.
    """
    test = held_out(kinds, plan.test, "--test", plan.seed)
    rest = np.setdiff1d(np.arange(kinds.n), test)
    left, share = kinds.taken(rest), plan.validation or 0.0
    check_share(share, "--validation")
    recipe = plan.recipe_for(classification=kinds.labels is not None)
    codes = None if left.labels is None else np.unique(left.labels, return_inverse=True)[1]
    draws = [] if recipe is None else list(recipe.draws(left.n, codes, plan.rows_seed))
    is_free = left.groups is None and left.times is None
    rows = draws[0].held_out if draws and is_free else held_out(left, share, "--validation", plan.seed)
    seeds = tuple(draw.seed for draw in draws) or (plan.seed,)
    return Split(np.setdiff1d(rest, rest[rows]), rest[rows], test, seeds)


def held_out(kinds: RowKinds, share: float, option: str, seed: int) -> Array:
    """Return the indices of the rows to hold out, in order.

    >>> held_out(RowKinds(6, times=np.array([3, 1, 2, 6, 5, 4])), 0.5, "--test", 0).tolist()
    [3, 4, 5]
    >>> held_out(RowKinds(6, groups=np.array([0, 0, 1, 1, 2, 2])), 0.3, "--test", 0).tolist()
    [4, 5]
    """
    check_share(share, option)
    n, rows = kinds.n, round(kinds.n * share)
    if share and not 0 < rows < n:
        raise InputError(
            f"{option} {share:g} of {n} rows gives {rows} {option[2:]} rows and {n - rows} training rows; "
            "each set needs at least one row."
        )
    if kinds.groups is not None and rows:
        return rows_of_groups(kinds.groups, rows, option, seed)
    if kinds.times is not None:
        order = np.argsort(-kinds.times, kind="stable")
    else:
        order = shuffled_rows(n, seed)
        if kinds.labels is not None:
            order = stratified(order, np.unique(kinds.labels, return_inverse=True)[1], rows)
    return np.sort(order[:rows])


def check_share(share: float, option: str) -> None:
    """Raise for a share of rows that is not from 0 to below 1."""
    if not 0 <= share < 1:
        raise InputError(f"{option} is a fraction from 0 to below 1, not {share:g}.")


def rows_of_groups(groups: Array, rows: int, option: str, seed: int) -> Array:
    """Return the rows of groups in random order, until they are about ``rows``; at least one group remains."""
    known, counts = np.unique(groups, return_counts=True)
    if len(known) < 2:
        raise InputError(f"{option}: there is only one group, so none can be held out. Name another column.")
    order = shuffled_rows(len(known), seed)[:-1]
    total = np.cumsum(counts[order])
    taken = order[: int(np.argmin(np.abs(total - rows))) + 1]
    return np.flatnonzero(np.isin(groups, known[taken]))


def folds_of(kinds: RowKinds, folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return the training rows and the held-out rows of each fold.

    With times, a fold holds out a stretch of time and trains on the rows before it; the first stretch is never held
    out.

    >>> [held.tolist() for _, held in folds_of(RowKinds(4, labels=np.array([0, 0, 1, 1])), 2, 0)]
    [[0, 2], [1, 3]]
    """
    if kinds.times is not None:
        stretches = np.array_split(np.argsort(kinds.times, kind="stable"), folds + 1)
        return [(np.sort(np.concatenate(stretches[:k])), np.sort(stretches[k])) for k in range(1, folds + 1)]
    numbers = fold_numbers(kinds, folds, seed)
    return [(np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)) for fold in range(folds)]


def fold_numbers(kinds: RowKinds, folds: int, seed: int) -> Array:
    """Return the fold of each row: groups stay together, and each fold gets its share of each class."""
    order = shuffled_rows(kinds.n, seed)
    numbers = np.empty(kinds.n, dtype=np.int64)
    if kinds.groups is not None:
        known, counts = np.unique(kinds.groups, return_counts=True)
        if len(known) < folds:
            raise InputError(f"--folds {folds} needs at least {folds} groups; there are {len(known)}.")
        sizes, fold_of = np.zeros(folds), np.empty(len(known), dtype=np.int64)
        for group in np.argsort(-counts, kind="stable"):  # the largest group into the smallest fold
            fold_of[group] = sizes.argmin()
            sizes[fold_of[group]] += counts[group]
        return fold_of[np.searchsorted(known, kinds.groups)]
    if kinds.labels is not None:
        codes = np.unique(kinds.labels, return_inverse=True)[1]
        order = order[np.argsort(codes[order], kind="stable")]
    numbers[order] = np.arange(kinds.n) % folds
    return numbers
