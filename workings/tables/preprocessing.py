"""Preprocessing: encode the columns of a table for a network, and decode its predictions.

It is learned from the training table and applied unchanged to every later one, so it is stored with the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, all_of, count_of, shortened, some
from workings.support.arrays import Array
from workings.support.json_values import JsonObject
from workings.support.keywords import CheckedKeywords, checked_keywords
from workings.tables.cells import (
    are_numbers,
    begin_like_numbers,
    date_format,
    is_text,
    load_polars,
    numbers_in_text,
    refuse_frame,
    refuse_missing,
    refuse_unusable,
    resolve_zero_padded,
    with_gaps,
)
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, original, read_stored, refuse_absent
from workings.tables.dates import DatePart
from workings.tables.features import MISSING_CATEGORY, learn_columns, restandardize
from workings.tables.files import column_text, index_columns
from workings.tables.plain_csv import unmarked
from workings.tables.scaling import ROBUST, STANDARD
from workings.tables.schema import damaged, stored_order, stored_text
from workings.tables.screening import ColumnChoices, screened
from workings.tables.target_column import ClassTarget, NumberTarget, Target, formatted_numbers, label_text, learn_target
from workings.tables.values import naming_lines
from workings.tables.wording import unknown_column

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Preprocessing(CheckedKeywords):
    """Encoding of a table's columns for a network, and decoding of its predictions.

    Create one with ``Preprocessing.learn``.

    Parameters
    ----------
    columns : tuple of NumberColumn and CategoryColumn
        The features, in the order of the training table.
    target : ClassTarget or NumberTarget
        The target.
    reason : str
        Why the task is classification or regression.
    notes : tuple of str
        The changes of the columns of the training table, a line for each that is not simply encoded.  They are not
        stored.

    Examples
    --------
    >>> import polars
    >>> table = polars.DataFrame({"weight": [150, 7, 143], "colour": ["red", "blue", "red"], "fruit": ["a", "b", "a"]})
    >>> preprocessing = Preprocessing.learn(table, "fruit")
    >>> preprocessing.reason
    "the target 'fruit' is text with 2 values: classification"
    >>> preprocessing.feature_names
    ('weight', 'colour=blue', 'colour=red')
    >>> preprocessing.transform(table).round(2)
    array([[ 0.76,  0.  ,  1.  ],
           [-1.41,  1.  ,  0.  ],
           [ 0.65,  0.  ,  1.  ]])
    >>> preprocessing.targets(table).tolist()
    ['a', 'b', 'a']
    """

    columns: tuple[Column, ...]
    target: Target
    reason: str
    notes: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    @checked_keywords
    @naming_lines
    def learn(
        cls,
        frame: pl.DataFrame,
        target: str,
        *,
        task: str = "auto",
        impute: bool = False,
        missing: str | None = None,
        drop: Iterable[str] = (),
        use: Iterable[str] = (),
        max_categories: int | None = None,
        dates: str | None = None,
        decimal: str | None = None,
        scaling: str = STANDARD,
    ) -> Preprocessing:
        """Learn the encoding from the training table.

        Parameters
        ----------
        frame : polars.DataFrame
            n rows; every column that is not the target or dropped is a feature.  pandas' index
            (``__index_level_0__`` in Parquet, ``Unnamed: 0`` in CSV) is left out and mentioned in ``reason``.
            Identifiers, constant columns and nearly empty ones are left out, too; ``notes`` say so.
        target : str
            The target column.
        task : str
            ``"classification"``, ``"regression"``, or ``"auto"``: text, true/false and few whole
            numbers are classes, other numbers are predicted as numbers.
        impute : bool
            Whether to fill missing values of every column, here and in later tables: numbers with the median,
            categories with the most frequent one; the same as ``missing="fill"``.
        missing : str, optional
            What to do with missing values: ``"indicate"`` (default) also marks them where the training table has
            some: in a column of their own, or as a category of their own.  ``"fill"`` only fills, and ``"refuse"``
            raises an error.  Missing values in the target always raise an error.
        drop : iterable of str
            Columns to leave out.
        use : iterable of str
            Columns to use that would be left out.  Numbers with a suffix, such as 1.5M, are used as categories.
        max_categories : int, optional
            The most categories of a column; the rarest are encoded as zeros, as categories that are not in the
            training table then are, too.  By default, 50 for columns with too many, and all otherwise.
        dates : str, optional
            ``"day-first"``, ``"month-first"`` or ``"year-first"``, for columns of dates such as 05/01/2024 and
            05.01.24.  A column of dates becomes numbers: year, month, day, weekday, hour and minute, as far as they
            differ from row to row.
        decimal : str, optional
            The decimal sign of numbers in text columns: ``"."`` or ``","``.  It is needed where a column such as
            1,234 and 5,678 has two readings; other formats, such as $1.50 or 1.234,5, are recognized.
        scaling : str
            How numbers are scaled: ``"standard"`` subtracts the mean and divides by the standard deviation,
            ``"robust"`` subtracts the median and divides by the interquartile range, as the recipe for tables does.

        Raises
        ------
        InputError
            For an unknown column or task, missing values in the target, infinities, text in a numeric column, dates
            with two readings, durations, nested values, and targets that are all equal.  One error lists all problems.
        """
        refuse_frame(frame)
        if target not in frame.columns:
            raise unknown_column("target column", target, frame)
        dropped = names_in(frame, target, drop, "drop")
        used = names_in(frame, target, use, "use")
        gaps = treatment_of_gaps(impute, missing)
        choices = ColumnChoices(gaps, tuple(dropped), tuple(used), max_categories, dates, scaling)
        index = [name for name in index_columns(frame) if name not in (target, *dropped, *used)]
        left_out = {target, *dropped, *index}
        features = [resolve_zero_padded(column) for column in frame if column.name not in left_out]
        if not features:
            raise InputError(
                f"There is no column except the target {target!r} to learn from{index_note(index)}. Add one, or drop "
                f"fewer columns."
            )
        if frame.height == 0:
            raise InputError(f"The table has no rows (columns {some(frame.columns)}). Add at least two.")
        formats, unclear = date_formats(features, dates)
        features, notes = screened(features, choices, formats)
        clear = [column for column in features if column.name not in unclear]
        columns, problems = learn_columns(clear, choices, formats, decimal)
        problems += unclear.values()
        try:
            learned, reason = learn_target(frame[target], task, decimal)
        except InputError as problem:
            raise all_of([problem, *problems]) from problem
        if problems:
            raise all_of(problems)
        given = {column.name: column for column in features}
        notes += [*notes_of_dates(columns), *notes_of_gaps(columns, given, choices)]
        notes += notes_of_categories(columns, given)
        notes += notes_of_classes(learned, with_gaps(frame[target]))
        return cls(tuple(columns), learned, reason + index_note(index), tuple(notes))

    @property
    def table_columns(self) -> Columns:
        """The columns and the target's scale, as stored with a network."""
        target = self.target
        scale = (target.mean, target.std) if isinstance(target, NumberTarget) else None
        return Columns(self.columns, target.name, scale, target.form if isinstance(target, NumberTarget) else None)

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return self.target.task

    @property
    def classes(self) -> tuple[Any, ...]:
        """The classes in sorted order; none for regression."""
        return self.target.classes if isinstance(self.target, ClassTarget) else ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the columns of ``X``, such as ``'age'`` and ``'colour=red'``."""
        return self.table_columns.names

    @property
    def n_features(self) -> int:
        """The number of columns of ``X``."""
        return len(self.feature_names)

    def standardized_on(self, frame: pl.DataFrame) -> Preprocessing:
        """Learn the scaling of numbers again from some rows only, such as the training split.

        Categories and classes are kept.
        """
        columns = tuple(restandardize(column, frame[column.source]) for column in self.columns)
        target = self.target
        if isinstance(target, NumberTarget):
            given = frame[target.name]
            numbers = numbers_in_text(given) if target.form is None else formatted_numbers(given, target.form)
            target = replace(NumberTarget.learn(with_gaps(numbers)), form=target.form)
        return replace(self, columns=columns, target=target)

    def transform(self, frame: object, *, unknown: str = "error") -> Array:
        """Encode a table as inputs ``X``, of shape (n, n_features), float64.

        Parameters
        ----------
        frame : polars.DataFrame, or another table with named columns
            n rows, with every feature column; others are ignored.
        unknown : str
            What to do with a category that was not in the training table: ``"error"``, or ``"ignore"``,
            which encodes it as zeros.

        Raises
        ------
        InputError
            For a missing column, text in a numeric column, infinities, unknown categories, and missing values if
            ``impute`` was False.
        """
        return self.table_columns.encode(frame, unknown=unknown)

    @naming_lines
    def targets(self, frame: pl.DataFrame) -> Array:
        """Encode the target column as ``y``, of shape (n,): class labels, or standardized float64 numbers.

        Raises
        ------
        InputError
            If the target column is absent or has missing values, or for a class that was not in the training table.
        """
        refuse_frame(frame)
        refuse_absent([self.target.name], frame.columns)
        column = column_text(frame, self.target.name) if self.reads_text else frame[self.target.name]
        refuse_unusable(column)
        refuse_missing([with_gaps(column)], "Fill the target in, or remove the row.")
        return self.target.encode(column)

    @property
    def reads_text(self) -> bool:
        """Whether the target is read as text: classes, or numbers in a format of their own."""
        return self.target.is_text or self.table_columns.target_form is not None

    def untransform_target(self, p: ArrayLike) -> Array:
        """Convert a regression network's outputs to the target's original unit; the shape is kept.

        >>> Preprocessing((), NumberTarget("price", 200.0, 100.0), "").untransform_target([0.0, 2.0])
        array([200., 400.])
        """
        if not isinstance(self.target, NumberTarget):
            raise InputError(f"The target {self.target.name!r} is a class: its predictions are labels already.")
        outputs: Array = np.asarray(p, dtype=np.float64)
        return np.asarray(original(outputs, self.target.mean, self.target.std))

    def predictions_frame(self, labels: ArrayLike, probabilities: ArrayLike | None = None) -> pl.DataFrame:
        """Return predictions as a table for ``write_table``.

        Parameters
        ----------
        labels : array, shape (n,) or (n, 1)
            Predicted labels, or numbers in the target's original unit.  For an imported model with several outputs,
            the shape is (n, outputs).
        probabilities : array, shape (n, classes), optional
            The probability of each class, in the order of ``classes``.

        Returns
        -------
        polars.DataFrame
            n rows: ``prediction``, or ``prediction(label)`` for each of several, and with probabilities
            ``p(class)`` for each class.

        Examples
        --------
        >>> preprocessing = Preprocessing((), ClassTarget("fruit", ("apple", "pear")), "")
        >>> preprocessing.predictions_frame(["pear"], [[0.25, 0.75]]).to_dicts()
        [{'prediction': 'pear', 'p(apple)': 0.25, 'p(pear)': 0.75}]
        """
        given = np.asarray(labels)
        count = given.shape[1] if given.ndim == 2 else 1
        names = self.target.predicted_names(count)
        if given.ndim not in (1, 2) or count != len(names):
            what = "one value for each row: (n,) or (n, 1)" if len(names) == 1 else f"shape (n, {len(names)})"
            raise InputError(f"Predictions have shape {given.shape}, but must have {what}.")
        columns = given.reshape(len(given), count).T.tolist()
        table = {**dict(zip(names, columns, strict=True)), **self.probability_columns(probabilities, len(given))}
        frame: pl.DataFrame = load_polars().DataFrame(table)
        return frame

    def probability_columns(self, probabilities: ArrayLike | None, n: int) -> dict[str, list[float]]:
        """Return one named column per class; empty without probabilities."""
        if probabilities is None:
            return {}
        p = np.asarray(probabilities, dtype=np.float64)
        if p.shape != (n, len(self.classes)) or not self.classes:
            raise InputError(
                f"Probabilities have shape {p.shape}, but with {count_of(n, 'prediction')} and "
                f"{len(self.classes)} classes they must have shape {(n, len(self.classes))}. A regression has none."
            )
        return {f"p({label_text(label)})": p[:, i].tolist() for i, label in enumerate(self.classes)}

    def describe(self) -> str:
        """Summarize the encoding of the columns and the target.

        >>> columns = (NumberColumn("age", 30.0, 5.0), CategoryColumn("colour", ("blue", "red")))
        >>> print(Preprocessing(columns, NumberTarget("price", 200.0, 100.0), "").describe())
        1 numeric column standardized, 1 category one-hot encoded (2 values);
        target 'price': regression, standardized (200 ± 100)
        """
        numbers = [column for column in self.columns if isinstance(column, NumberColumn)]
        words = [column for column in self.columns if isinstance(column, CategoryColumn)]
        values = count_of(sum(len(column.categories) for column in words), "value")
        noun = "category" if len(words) == 1 else "categories"
        plain = [column for column in numbers if (column.mean, column.std) == (0.0, 1.0)]
        robust = [column for column in numbers if column not in plain and column.scaling == ROBUST]
        scaled = len(numbers) - len(plain) - len(robust)
        parts = [f"{count_of(scaled, 'numeric column')} standardized"] if scaled else []
        how = "scaled by median and interquartile range"
        parts += [f"{count_of(len(robust), 'numeric column')} {how}"] if robust else []
        parts += [f"{count_of(len(plain), 'numeric column')} not standardized"] if plain else []
        parts += [f"{len(words)} {noun} one-hot encoded ({values})"] if words else []
        parts += ["gaps filled"] if any(column.fill is not None for column in self.columns) else []
        return f"{', '.join(parts)}; {self.target.describe()}"

    def to_dict(self) -> JsonObject:
        """Return a dict of lists, text and numbers, which JSON stores exactly."""
        return self.table_columns.stored(self.classes, self.reason)

    @classmethod
    def from_dict(cls, stored: object) -> Preprocessing:
        """Read the result of ``to_dict``.

        Raises
        ------
        FileError
            For anything that ``to_dict`` does not write.

        Examples
        --------
        >>> import json
        >>> one = Preprocessing((NumberColumn("age", 30.0, 5.0),), ClassTarget("sick", (False, True)), "")
        >>> Preprocessing.from_dict(json.loads(json.dumps(one.to_dict()))) == one
        True
        """
        columns, classes, reason = read_stored(stored)
        check_learned(columns, classes)
        target = (
            NumberTarget(columns.target, *columns.scale, columns.target_form)
            if columns.scale
            else ClassTarget(columns.target, classes)
        )
        return cls(columns.columns, target, reason)


def check_learned(columns: Columns, classes: tuple[object, ...]) -> None:
    """Raise for names, categories and classes that ``Preprocessing.learn`` cannot produce."""
    names = [
        stored_text(name, "a column's name") for name in (*(each.name for each in columns.columns), columns.target)
    ]
    if len(set(names)) < len(names):
        raise damaged("the names of columns and target", "all different", some(names))
    for column in columns.words:
        for word in column.categories:
            stored_text(word, f"a category of {column.name!r}")
        stored_order(column.categories, f"the categories of {column.name!r}")
    for label in classes:
        if isinstance(label, str):
            stored_text(label, "a class")
    stored_order(classes, "the classes")
    if len(classes) == 1:
        raise damaged("the classes", "at least two", list(classes))


def index_note(index: list[str]) -> str:
    """Describe the index columns that are left out.

    >>> index_note(["Unnamed: 0"]), index_note([])
    ("; left out: 'Unnamed: 0', pandas' index, which only numbers the rows", '')
    """
    listed = some([repr(name) for name in index])
    return f"; left out: {listed}, pandas' index, which only numbers the rows" if index else ""


def names_in(frame: pl.DataFrame, target: str, given: Iterable[str], verb: str) -> list[str]:
    """Check the columns to drop or to use; a single name may be given as a string."""
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in frame.columns:
            raise unknown_column(f"column to {verb}", name, frame)
        if name == target:
            done = {"drop": "be dropped", "use": "also be a feature"}[verb]
            raise InputError(f"The column {name!r} is the target: it cannot {done}. Choose another target.")
    return names


def treatment_of_gaps(impute: bool, missing: str | None) -> str:
    """Return how missing values are treated; ``impute`` is short for ``missing="fill"``.

    >>> treatment_of_gaps(False, None), treatment_of_gaps(True, None), treatment_of_gaps(False, "refuse")
    ('indicate', 'fill', 'refuse')
    """
    if impute and missing not in (None, "fill"):
        raise InputError(
            f"Missing values are to be filled (`--impute`, impute=True) and to be treated as {missing!r} (`--missing`, "
            f"missing=). Leave out one of the two."
        )
    return "fill" if impute else missing or "indicate"


def date_formats(columns: Iterable[pl.Series], order: str | None) -> tuple[dict[str, str], dict[str, InputError]]:
    """Return the format of each column of dates, and the problem of each column whose format is not clear."""
    formats: dict[str, str] = {}
    unclear: dict[str, InputError] = {}
    for column in columns:
        try:
            form = date_format(column, order)
        except InputError as problem:
            unclear[column.name] = problem
            continue
        if form is not None:
            formats[column.name] = form
    return formats, unclear


def notes_of_dates(columns: Iterable[Column]) -> list[str]:
    """Return a line for each column of dates."""
    parts: dict[str, list[DatePart]] = {}
    for column in columns:
        if isinstance(column, NumberColumn) and column.date is not None:
            parts.setdefault(column.source, []).append(column.date)
    return [
        f"{source}: dates, taken apart into {', '.join(each.part for each in found)}{found[0].century_note}"
        for source, found in parts.items()
    ]


def notes_of_gaps(columns: Iterable[Column], given: Mapping[str, pl.Series], choices: ColumnChoices) -> list[str]:
    """Return a line for each column whose missing values are filled."""
    notes = []
    for source, column in {each.source: each for each in reversed(list(columns))}.items():
        gaps = column.gap_mask(given[source])
        if column.fill is None or not gaps.any():
            continue
        count = count_of(int(gaps.sum()), "missing value")
        if isinstance(column, NumberColumn):
            marks = f", and marked in a column of their own, '{column.names[1]}'" if column.indicator else ""
            median = f"the median {column.fill:.6g}" if column.date is None else "the median of each part"
            notes.append(f"{source}: {count} filled with {median}{marks}")
        elif choices.missing == "fill":
            notes.append(f"{column.name}: {count} filled with the most frequent category {column.fill!r}")
        else:
            notes.append(f"{column.name}: {count} read as a category of their own, {column.fill!r}")
    return notes[::-1]


def notes_of_words(name: str, texts: pl.Series, noun: str) -> list[str]:
    """Return a line for each doubt: words that differ in case alone, and numbers that are read as words.

    >>> import polars
    >>> notes_of_words("kind", polars.Series(["red", "Red", "blue"]), "categories")
    ["kind: 'red' and 'Red' are different categories; write them alike if they mean the same"]
    >>> notes_of_words("age", polars.Series(["7", "12", "unknown"]), "categories")
    ["age: read as categories, because 1 of 3 values is no number, such as 'unknown'"]
    """
    if not is_text(texts):
        return []
    known, notes = texts.drop_nulls().unique(maintain_order=True), list[str]()
    alike = known.filter(known.str.to_lowercase().is_duplicated())
    if len(alike):
        pair = alike.filter(alike.str.to_lowercase() == alike[0].lower()).head(3)
        listed = " and ".join(repr(shortened(word)) for word in pair)
        notes.append(f"{name}: {listed} are different {noun}; write them alike if they mean the same")
    others = texts.drop_nulls().filter(~are_numbers(texts.drop_nulls()))
    if begin_like_numbers(known):
        listed = " and ".join(map(repr, known[:2]))
        notes.append(
            f"{name}: {len(known)} {noun} that begin like numbers, such as {listed}, but are not read as numbers"
        )
    elif 0 < 2 * len(others) < len(texts) - texts.null_count():
        count = f"{len(others)} of {len(texts) - texts.null_count()} values {'is' if len(others) == 1 else 'are'}"
        what = "no number" if len(others) == 1 else "no numbers"
        notes.append(f"{name}: read as {noun}, because {count} {what}, such as {shortened(others[0])!r}")
    return notes


def notes_of_classes(target: Target, texts: pl.Series) -> list[str]:
    """Return a line for each doubt about the classes, such as one that may stand for a missing value.

    >>> import polars
    >>> notes_of_classes(ClassTarget("y", ("NA", "b")), polars.Series(["NA", "b"]))
    ["y: 'NA' is read as a class; if it stands for a missing value, remove those rows"]
    """
    if not isinstance(target, ClassTarget) or not target.is_text:
        return []
    marks = [label for label in target.classes if not unmarked(label)]
    said = "is read as a class; if it stands for a missing value, remove those rows"
    notes = [f"{target.name}: {mark!r} {said}" for mark in marks]
    return [*notes, *notes_of_words(target.name, texts, "classes")]


def notes_of_categories(columns: Iterable[Column], given: Mapping[str, pl.Series]) -> list[str]:
    """Return a line for each column whose categories are cut, look like numbers, or differ in case alone."""
    notes = []
    for column in columns:
        if isinstance(column, CategoryColumn):
            notes += notes_of_words(column.name, with_gaps(given[column.name]), "categories")
        if isinstance(column, CategoryColumn) and column.unknown == "zeros":
            count = with_gaps(given[column.name]).drop_nulls().n_unique()
            kept = len(column.categories) - (column.fill is not None and column.fill.startswith(MISSING_CATEGORY[:-1]))
            notes.append(
                f"{column.name}: the {kept} most frequent of {count} categories are kept, all others are encoded "
                f"as zeros; `--max-categories` changes the number"
            )
    return notes
