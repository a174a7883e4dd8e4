"""Targets of tables: classes or numbers, and the choice between classification and regression."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from workings.errors import InputError, all_of, count_of, some, unknown_name
from workings.support.arrays import Array
from workings.support.conversion import refuse_final_nul
from workings.support.keywords import CheckedKeywords
from workings.tables.cells import (
    MOST_CATEGORIES,
    as_numbers,
    as_texts,
    date_format,
    is_text,
    load_polars,
    number_format,
    numbers_in_text,
    refuse_like_numbers,
    refuse_many,
    refuse_missing,
    refuse_stray_text,
    refuse_unusable,
    resolve_zero_padded,
    with_gaps,
)
from workings.tables.features import standardize
from workings.tables.number_text import NumberFormat
from workings.tables.plain_csv import plain_text
from workings.tables.scaling import mean_and_spread
from workings.tables.values import read_numbers
from workings.tables.wording import first_row, place

if TYPE_CHECKING:
    import polars as pl


REGRESSION = '`--task regression` (task="regression" in Python)'
CLASSIFICATION = '`--task classification` (task="classification" in Python)'
TASKS = ("auto", "classification", "regression")


@dataclass(frozen=True)
class ClassTarget(CheckedKeywords):
    """A classification target: one of several classes.

    Parameters
    ----------
    name : str
        The column's name.
    classes : tuple of str, of int or of bool
        In sorted order, as in the table.

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
        """Learn the classes of a label column; there must be at least two."""
        labels = as_labels(column)
        if is_text(labels):
            refuse_many(labels, "Choose another target.")
        classes = tuple(sorted(set(labels.to_list())))
        if len(classes) < 2:
            raise InputError(
                f"The target {column.name!r} has only one class, {classes[0]!r}, in {count_of(len(labels), 'row')}: "
                f"there is nothing to tell apart. Add rows of another class, or choose another target."
            )
        if len(classes) > MOST_CATEGORIES:
            raise InputError(f"The target {column.name!r} has {len(classes)} classes. For numbers, use {REGRESSION}.")
        return cls(column.name, classes)

    @property
    def is_text(self) -> bool:
        """Whether the classes are text, such as "01", and not numbers or booleans."""
        return isinstance(self.classes[0], str)

    def encode(self, column: pl.Series) -> Array:
        """Return the labels, of shape (n,); raise for one that is not among the classes."""
        labels = as_texts(column) if self.is_text else as_labels(as_class_values(column, type(self.classes[0])))
        known = {plain_text(label): label for label in self.classes} if self.is_text else {}
        known |= {label: label for label in self.classes}
        given = labels.to_list()
        for row, label in enumerate(given):
            if label not in known:
                raise InputError(
                    f"The label {label!r} in {place(row, column)} was not in the training table; known are "
                    f"{some(self.classes)}. Correct it, or train again with such rows."
                )
        return np.array([known[label] for label in given], dtype=type(self.classes[0]))

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """Return the names of the prediction columns: only one."""
        return ("prediction",)

    def describe(self) -> str:
        """Describe the target."""
        return f"target {self.name!r}: classification, {len(self.classes)} classes ({some(self.classes, most=5)})"


@dataclass(frozen=True)
class LabelsTarget(ClassTarget):
    """A multilabel target: each label holds for a row or not.

    Only imported models have it, because the target of a table is a single column.

    Examples
    --------
    >>> LabelsTarget("target", ("sweet", "ripe")).predicted_names(2)
    ('prediction(sweet)', 'prediction(ripe)')
    """

    def encode(self, column: pl.Series) -> Array:
        """Raise: a single column does not hold several labels per row."""
        raise InputError(
            f"The model predicts {len(self.classes)} labels for each row, which the one column {column.name!r} does "
            f"not hold. Give X and y, with one column for each label, as an .npz file."
        )

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """Return the names of the prediction columns, one per label."""
        return tuple(f"prediction({label_text(label)})" for label in self.classes)

    def describe(self) -> str:
        """Describe the target."""
        return f"target {self.name!r}: {len(self.classes)} labels ({some(self.classes, most=5)}), each yes or no"


@dataclass(frozen=True)
class NumberTarget(CheckedKeywords):
    """A regression target: standardized for training; predictions are converted back to its unit.

    Parameters
    ----------
    name : str
        The column's name.
    mean, std : float
        Mean and standard deviation in the training table.
    form : NumberFormat or None
        How text in the column is written, such as $1,163.74; None for the usual way.

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
    form: NumberFormat | None = field(default=None, repr=False)
    is_text: ClassVar[bool] = False

    @classmethod
    def learn(cls, column: pl.Series) -> NumberTarget:
        """Learn the mean and standard deviation of a numeric column, which must not be constant."""
        if is_text(column) and column.cast(load_polars().Float64, strict=False).is_null().all():
            raise InputError(
                f"The target {column.name!r} holds text, such as {column.drop_nulls()[0]!r}, but regression predicts "
                f"numbers. For labels, use `--task classification`."
            )
        values = as_numbers(column).to_numpy()
        if values.min() == values.max():
            raise InputError(
                f"The target {column.name!r} is {values[0]:g} in {count_of(len(values), 'row')}: there is nothing to "
                f"predict. Add rows with other values, or choose another target."
            )
        return cls(column.name, *mean_and_spread(values, column.name))

    def encode(self, column: pl.Series) -> Array:
        """Return the standardized numbers, of shape (n,)."""
        numbers = numbers_in_text(column) if self.form is None else formatted_numbers(column, self.form)
        return standardize(as_numbers(numbers).to_numpy(), self.mean, self.std, self.name)

    def predicted_names(self, count: int) -> tuple[str, ...]:
        """Return the names of the prediction columns; an imported model with several outputs gets numbered names."""
        return ("prediction",) if count == 1 else tuple(f"prediction({number})" for number in range(count))

    def describe(self) -> str:
        """Describe the target."""
        is_scaled = (self.mean, self.std) != (0.0, 1.0)  # imported models may have an unscaled target
        how = f"standardized ({self.mean:.4g} ± {self.std:.4g})" if is_scaled else "not standardized"
        return f"target {self.name!r}: regression, {how}"


Target = ClassTarget | NumberTarget
TARGET_TASKS: dict[str, type[Target]] = {kind.task: kind for kind in (ClassTarget, NumberTarget)}


def label_text(label: object) -> str:
    """Return a label as text for column names."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def as_class_values(column: pl.Series, kind: type) -> pl.Series:
    """Convert text to booleans or numbers to match the type of the classes, if all values allow it."""
    if kind is not bool or not is_text(column):
        return numbers_in_text(column)
    texts = with_gaps(column).str.to_lowercase()
    are_logical = texts.is_in(["true", "false"]).all()
    return texts == "true" if are_logical else column


def as_labels(column: pl.Series) -> pl.Series:
    """Return labels as text, booleans or whole numbers; raise for fractions."""
    refuse_unusable(column)
    polars = load_polars()
    given = with_gaps(column)
    if is_text(column):
        refuse_final_nul(given, f"The target {column.name!r}")
    if is_text(column) or column.dtype in (polars.Boolean, polars.Int64):
        return given
    labels: pl.Series = given.cast(polars.Int64, strict=False)
    wrong = labels.is_null() | (labels.cast(polars.Float64) != given.cast(polars.Float64))
    if wrong.any():
        row = first_row(wrong)
        raise InputError(
            f"The label {given[row]} in {place(row, column)} is not text, true/false or a whole number of 64 bits. "
            f"To predict numbers, use {REGRESSION}."
        )
    return labels


def learn_target(column: pl.Series, task: str, decimal: str | None = None) -> tuple[Target, str]:
    """Learn the target; return it with the reason for its task."""
    if task not in TASKS:
        raise unknown_name("task", task, TASKS)
    refuse_unusable(column)
    problems: list[InputError] = []
    try:
        refuse_missing([with_gaps(column)], "Training needs the target of every row: fill it in, or remove the row.")
    except InputError as problem:
        problems.append(problem)
    try:
        refuse_dates(column)
        form = None if task == "classification" else number_format(column, decimal)
        numbers = typed_target(column, form, task)
        chosen, reason = reason_for(numbers, form, task)
    except InputError as problem:
        raise all_of([*problems, problem]) from problem
    if problems:
        raise all_of(problems)
    if chosen == "classification" and not is_text(numbers) and 20 < numbers.n_unique() > len(numbers) / 2:
        raise InputError(
            f"The target {column.name!r} has {column.n_unique()} different values in {len(column)} rows: too many for "
            f"classes. Use {REGRESSION}, or group the values."
        )
    target = TARGET_TASKS[chosen].learn(numbers)
    return (replace(target, form=form) if isinstance(target, NumberTarget) else target), reason


def refuse_dates(column: pl.Series) -> None:
    """Raise for a target of dates or times in text."""
    if is_text(column) and date_format(column, "day-first") is not None:
        raise InputError(
            f"The target {column.name!r} holds dates or times, such as {with_gaps(column).drop_nulls()[0]!r}. Replace "
            f"them with numbers, such as the days since some event, or with classes, such as the month."
        )


def typed_target(column: pl.Series, form: NumberFormat | None, task: str) -> pl.Series:
    """Return a target as numbers, if it holds numbers in a format of its own or is to be predicted as numbers."""
    if form is not None:
        return formatted_numbers(column, form)
    return numbers_in_text(column) if task == "regression" else resolve_zero_padded(column)


def reason_for(column: pl.Series, form: NumberFormat | None, task: str) -> tuple[str, str]:
    """Return the task of a target, and the reason for it."""
    if task != "auto":
        return task, f"the task {task} was requested"
    chosen, because = ("regression", form.describe()) if form is not None else decide_task(with_gaps(column))
    return chosen, f"the target {column.name!r} is {because}: {chosen}"


def formatted_numbers(column: pl.Series, form: NumberFormat) -> pl.Series:
    """Parse the numbers of a text column; raise for text in another format.  Numbers stay as they are."""
    numbers: pl.Series = load_polars().Series(column.name, read_numbers(column, column.name, form=form))
    return numbers.fill_nan(None)


def decide_task(column: pl.Series) -> tuple[str, str]:
    """Choose between classification and regression; return the task and the reason.

    Whole numbers are classes if they are few (at most 10, or at most 20 and fewer than 5 % of the
    rows) and occur twice on average.

    >>> import polars
    >>> decide_task(polars.Series([0, 1, 1, 0]))
    ('classification', 'whole numbers with 2 different values in 4 rows')
    """
    n, count = len(column), column.n_unique()
    if is_text(column):
        refuse_stray_text(column, f" For classes that look like numbers, use {CLASSIFICATION}.")
        refuse_like_numbers(with_gaps(column), f"Write them as plain numbers. For classes, use {CLASSIFICATION}.")
        return "classification", f"text with {count_of(count, 'value')}"
    if column.dtype == load_polars().Boolean:
        return "classification", "true or false"
    if not column.dtype.is_integer():
        return "regression", "decimal numbers"
    return task_of_whole_numbers(count, n)


def task_of_whole_numbers(count: int, n: int) -> tuple[str, str]:
    """Return the task for a target of whole numbers, ``count`` of them different in ``n`` rows, and the reason."""
    task = "classification" if are_classes(count, n) else "regression"
    return task, f"whole numbers with {count} different values in {n} rows"


def are_classes(count: int, n: int) -> bool:
    """is whether whole numbers with count different values in n rows are classes"""
    return 2 * count <= n and (count <= 10 or (count <= 20 and count < 0.05 * n))
