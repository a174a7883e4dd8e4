"""Targets: what a table's network is to predict, one out of a list of classes or a number, and how that is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from workings.errors import InputError, counted, some, unknown_name
from workings.support.arrays import Array
from workings.tables.cells import (
    MOST_CATEGORIES,
    as_numbers,
    as_texts,
    few_or_numbers,
    is_text,
    load_polars,
    numbers_in_text,
    refuse_many,
    refuse_missing,
    refuse_stray_text,
    refuse_unusable,
    with_gaps,
)
from workings.tables.features import mean_and_spread, standardized
from workings.tables.wording import first_row, place

if TYPE_CHECKING:
    import polars as pl


TASKS = ("auto", "classification", "regression")


@dataclass(frozen=True)
class ClassTarget:
    """A target that is one out of a list of classes.

    Parameters
    ----------
    name : str
        The column.
    classes : tuple of str, of int or of bool
        In sorted order, as they stand in the table.

    Examples
    --------
    >>> import polars
    >>> label = ClassTarget.learn(polars.Series("label", ["yes", "no", "yes"]))
    >>> label.classes, label.encode(polars.Series("label", ["no"])).tolist()
    (('no', 'yes'), ['no'])
    """

    task: ClassVar[str] = "classification"
    name: str
    classes: tuple[Any, ...]

    @classmethod
    def learn(cls, column: pl.Series) -> ClassTarget:
        """Learn the classes of a column of n labels; there must be at least two."""
        labels = as_labels(column)
        if is_text(labels):
            refuse_many(labels, "Choose another target.")
        classes = tuple(sorted(set(labels.to_list())))
        if len(classes) < 2:
            raise InputError(
                f"The target {column.name!r} has only one class, {classes[0]!r}, in {counted(len(labels), 'row')}: "
                f"there is nothing to tell apart. Add rows of another class, or choose another target."
            )
        if len(classes) > MOST_CATEGORIES:
            raise InputError(
                f"The target {column.name!r} has {len(classes)} classes. Use task='regression' for numbers."
            )
        return cls(column.name, classes)

    @property
    def is_text(self) -> bool:
        """Whether the classes are words, such as 01, and not numbers or true and false."""
        return isinstance(self.classes[0], str)

    def encode(self, column: pl.Series) -> Array:
        """Give labels, of shape (n,); refuse one that is not among the classes."""
        labels = as_texts(column) if self.is_text else as_labels(column_of(column, type(self.classes[0])))
        known = {label: label for label in self.classes}
        given = labels.to_list()
        for row, label in enumerate(given):
            if label not in known:
                raise InputError(
                    f"The label {label!r} in {place(row, column)} was not in the training table; known are "
                    f"{some(self.classes)}. Correct it, or train again with such rows."
                )
        return np.array([known[label] for label in given], dtype=type(self.classes[0]))

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """What the columns of predictions are called: there is one."""
        return ("prediction",)

    def describe(self) -> str:
        """Say what the target is."""
        return f"target {self.name!r}: classification, {len(self.classes)} classes ({some(self.classes, most=5)})"


@dataclass(frozen=True)
class LabelsTarget(ClassTarget):
    """A target of several labels, each of which a row has or has not.

    It is what a model that was taken over predicts; a table, whose target is one column, teaches no such model.

    Examples
    --------
    >>> LabelsTarget("target", ("sweet", "ripe")).predicted_names(2)
    ('prediction(sweet)', 'prediction(ripe)')
    """

    def encode(self, column: pl.Series) -> Array:
        """Refuse a column: it does not hold several labels for each row."""
        raise InputError(
            f"The model predicts {len(self.classes)} labels for each row, which the one column {column.name!r} does "
            f"not hold. Give X and y, with one column for each label, as an .npz file."
        )

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """What the columns of predictions are called, one for each label."""
        return tuple(f"prediction({label_text(label)})" for label in self.classes)

    def describe(self) -> str:
        """Say what the target is."""
        return f"target {self.name!r}: {len(self.classes)} labels ({some(self.classes, most=5)}), each yes or no"


@dataclass(frozen=True)
class NumberTarget:
    """A target that is a number: it is standardized for training, and predictions are turned back.

    Parameters
    ----------
    name : str
        The column.
    mean, std : float
        Of the training table.

    Examples
    --------
    >>> import polars
    >>> price = NumberTarget.learn(polars.Series("price", [100.0, 300.0]))
    >>> price.encode(polars.Series("price", [200, 400])).tolist()
    [0.0, 2.0]
    """

    task: ClassVar[str] = "regression"
    name: str
    mean: float
    std: float
    is_text: ClassVar[bool] = False

    @classmethod
    def learn(cls, column: pl.Series) -> NumberTarget:
        """Learn mean and standard deviation of a column of n numbers, which must differ."""
        if is_text(column) and column.cast(load_polars().Float64, strict=False).is_null().all():
            raise InputError(
                f"The target {column.name!r} holds text, such as {column.drop_nulls()[0]!r}, but a regression predicts "
                f"numbers. Labels are predicted by a classification: `--task classification`."
            )
        values = as_numbers(column).to_numpy()
        if values.min() == values.max():
            raise InputError(
                f"The target {column.name!r} is {values[0]:g} in {counted(len(values), 'row')}: there is nothing to "
                f"predict. Add rows with other values, or choose another target."
            )
        return cls(column.name, *mean_and_spread(values, column.name))

    def encode(self, column: pl.Series) -> Array:
        """Give standardized numbers, of shape (n,)."""
        return standardized(as_numbers(numbers_in_text(column)).to_numpy(), self.mean, self.std, self.name)

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """What the columns of predictions are called; several outputs, of a model that was taken over, are counted."""
        return ("prediction",) if count == 1 else tuple(f"prediction({number})" for number in range(count))

    def describe(self) -> str:
        """Say what the target is."""
        is_scaled = (self.mean, self.std) != (0.0, 1.0)  # a model that was taken over may take a target as it is
        how = f"standardized ({self.mean:.4g} ± {self.std:.4g})" if is_scaled else "in its own unit"
        return f"target {self.name!r}: regression, {how}"


Target = ClassTarget | NumberTarget
TARGET_TASKS: dict[str, type[Target]] = {kind.task: kind for kind in (ClassTarget, NumberTarget)}


def label_text(label: Any) -> str:
    """A label as it stands in the names of columns."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def column_of(column: pl.Series, kind: type) -> pl.Series:
    """Give text as labels of a kind, where all of it is; any other column as it is."""
    if kind is not bool or not is_text(column):
        return numbers_in_text(column)
    texts = with_gaps(column).str.to_lowercase()
    are_logical = texts.is_in(["true", "false"]).all()
    return texts == "true" if are_logical else column


def as_labels(column: pl.Series) -> pl.Series:
    """Give labels as text, true/false or whole numbers; refuse fractions."""
    refuse_unusable(column)
    polars = load_polars()
    given = with_gaps(column)
    if is_text(column) or column.dtype in (polars.Boolean, polars.Int64):
        return given
    labels: pl.Series = given.cast(polars.Int64, strict=False)
    wrong = labels.is_null() | (labels.cast(polars.Float64) != given.cast(polars.Float64))
    if wrong.any():
        row = first_row(wrong)
        raise InputError(
            f"The label {given[row]} in {place(row, column)} is not text, true/false or a whole number of 64 bits. "
            f"For numbers to be predicted, use task='regression'."
        )
    return labels


def learned_target(column: pl.Series, task: str) -> tuple[Target, str]:
    """Learn the target; give it with the reason for its task."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    refuse_unusable(column)
    column = numbers_in_text(column) if task == "regression" else few_or_numbers(column)
    gapped = with_gaps(column)
    refuse_missing([gapped], "A row without its target teaches nothing: fill the target in, or remove the row.")
    if task == "auto":
        task, because = decided_task(gapped)
        reason = f"the target {column.name!r} is {because}: {task}"
    else:
        reason = f"task={task!r} was asked for"
    if task == "classification" and not is_text(column) and 20 < column.n_unique() > len(column) / 2:
        raise InputError(
            f"The target {column.name!r} has {column.n_unique()} different values in {len(column)} rows: too many for "
            f"classes. Use task='regression' (`--task regression`), or group the values."
        )
    return TARGET_TASKS[task].learn(column), reason


def decided_task(column: pl.Series) -> tuple[str, str]:
    """Decide between classes and numbers; give the task and what speaks for it.

    Whole numbers are classes if they are few (at most 10, or at most 20 and fewer than 5 % of the
    rows) and occur twice on average.

    >>> import polars
    >>> decided_task(polars.Series([0, 1, 1, 0]))
    ('classification', 'whole numbers with 2 different values in 4 rows')
    """
    n, count = len(column), column.n_unique()
    if is_text(column):
        refuse_stray_text(column, " For classes that look like numbers, use task='classification'.")
        return "classification", f"text with {counted(count, 'value')}"
    if column.dtype == load_polars().Boolean:
        return "classification", "true or false"
    if not column.dtype.is_integer():
        return "regression", "decimal numbers"
    few = 2 * count <= n and (count <= 10 or (count <= 20 and count < 0.05 * n))
    return "classification" if few else "regression", f"whole numbers with {count} different values in {n} rows"
