"""Pipelines: scikit-learn's preprocessing before a network, folded into the columns of a table.

The fitted steps are followed from the table on, and each column that a step gives is a record of which column of the
table it comes from and what becomes of it (``files/features.py``).  Steps are known by their class, and read by the
attributes that scikit-learn documents; a step that is not known, or one of a class of its own, is refused by its name.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workings.errors import InputError
from workings.files.assembling import check_rows
from workings.files.features import Coded, Feature, Text, one_hot_of, rescaled, with_table
from workings.files.verification import Rows, generated_rows, largest_difference, words_of
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import Columns, NumberColumn, columns_in

SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
WRAPPERS = ("Pipeline", "TransformedTargetRegressor", *SEARCHES)
TARGET = "target"  # what is predicted has no name in scikit-learn


def from_pipeline(estimator: Any, network_of: Callable[[Any], Model]) -> Model:
    """Make a network, with the columns of its table, of a fitted Pipeline, or of what it may stand in.

    Parameters
    ----------
    estimator : Pipeline, TransformedTargetRegressor, a search with a ``best_estimator_``, or an MLP with names
    network_of : function
        What makes a network of the last step.

    Raises
    ------
    InputError
        For a step that cannot be folded; the message names it and says what can.
    """
    source = f"This {type(estimator).__name__}"
    steps = Steps(source)
    last = steps.unwrapped(estimator)
    network = network_of(last)
    if len(steps.scales) > 1:  # a table has one unit for what it predicts
        network, steps.scales = rescaled(network, steps.scales, source), []
    first = steps.preprocessing[0][1] if steps.preprocessing else last
    names = getattr(first, "feature_names_in_", None)
    count = int(getattr(first, "n_features_in_", network.n_in or 1))
    raw = [f"x{index}" for index in range(count)] if names is None else [str(name) for name in names]
    features = steps.followed(raw)
    reason = f"taken over from scikit-learn's {type(estimator).__name__}"
    found = with_table(network, features, source, target=TARGET, scale=steps.scale, reason=reason)
    steps.check(found, estimator, raw, has_names=names is not None)
    return found


def is_of(estimator: Any, kinds: Sequence[str]) -> bool:
    """Return whether this is one of scikit-learn's own classes, by its name."""
    return type(estimator).__name__ in kinds and type(estimator).__module__.partition(".")[0] == "sklearn"


@dataclass
class Steps:
    """Follows the steps of one pipeline.

    Attributes
    ----------
    source : str
        For messages.
    preprocessing : list of (name, step)
        What stands before the network.
    scales : list of (mean, std)
        What turns each output into its target's own unit; none where targets are as they are.
    originals : mapping of str to mapping
        For each column of categories the value of the table behind each text.
    """

    source: str
    preprocessing: list[tuple[str, Any]] = field(default_factory=list)
    scales: list[tuple[float, float]] = field(default_factory=list)
    originals: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def scale(self) -> tuple[float, float] | None:
        """What turns a prediction into the one target's own unit."""
        return self.scales[0] if self.scales else None

    def unwrapped(self, estimator: Any) -> Any:
        """The last step, with what stands before it noted."""
        if is_of(estimator, SEARCHES):
            return self.unwrapped(self.fitted(estimator, "best_estimator_"))
        if is_of(estimator, ("Pipeline",)):
            self.preprocessing += estimator.steps[:-1]
            return self.unwrapped(estimator.steps[-1][1])
        if is_of(estimator, ("TransformedTargetRegressor",)):
            transformer = self.fitted(estimator, "transformer_")
            target: list[Record] = [NumberColumn(TARGET)] * int(getattr(transformer, "n_features_in_", 1))
            found = self.step("transformer", transformer, target)
            self.scales = [(each.mean, each.std) for each in found if isinstance(each, NumberColumn)]
            return self.unwrapped(estimator.regressor_)
        return estimator

    def fitted(self, step: Any, attribute: str) -> Any:
        """An attribute that a fitted step has."""
        if not hasattr(step, attribute):
            raise InputError(f"{self.source} has a {type(step).__name__} without {attribute}: fit it first.")
        return getattr(step, attribute)

    def refusal(self, name: str, step: Any, why: str) -> InputError:
        """Say which step cannot be folded, and what can."""
        return InputError(
            f"{self.source} has the step {name!r}, {type(step).__name__}, {why}. Steps that are taken over: "
            f"{', '.join(FOLLOWED)}. Otherwise take over what comes after it, Network.from_sklearn(pipeline[-1]), and "
            f"make its X with the steps themselves."
        )

    def followed(self, raw: Sequence[str]) -> list[Feature]:
        """What each column that comes out of the steps is."""
        records: list[Record] = [NumberColumn(name) for name in raw]
        for name, step in self.preprocessing:
            records = self.step(name, step, records)
        texts = [record.name for record in records if isinstance(record, Text)]
        if texts:
            raise InputError(f"{self.source} gives the network words, in the column {texts[0]!r}: encode them first.")
        return [record for record in records if not isinstance(record, Text)]

    def step(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """What a step makes of columns."""
        if step is None or step == "passthrough":
            return records
        follow = FOLLOWED.get(type(step).__name__)
        if follow is None or not is_of(step, (type(step).__name__,)):
            raise self.refusal(name, step, "which is not known")
        return follow(self, name, step, records)

    # -- steps that hold steps -------------------------------------------------------------------

    def pipeline(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """One step after the other."""
        for inner, each in step.steps:
            records = self.step(f"{name}: {inner}", each, records)
        return records

    def beside(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """Steps for some columns each, side by side."""
        found: list[Record] = []
        names = list(getattr(step, "feature_names_in_", ()))
        for inner, each, chosen in self.fitted(step, "transformers_"):
            places = self.places(f"{name}: {inner}", step, chosen, names, len(records))
            if places and not (isinstance(each, str) and each == "drop"):
                found += self.step(f"{name}: {inner}", each, [records[place] for place in places])
        return found

    def places(self, name: str, step: Any, chosen: Any, names: list[Any], count: int) -> list[int]:
        """Which columns a ColumnTransformer chooses, however it says so."""
        if isinstance(chosen, slice) and not any(isinstance(end, str) for end in (chosen.start, chosen.stop)):
            return list(range(count))[chosen]
        given = [chosen] if isinstance(chosen, str | int | np.integer) else chosen
        if isinstance(given, slice):
            raise self.refusal(name, step, "which chooses columns by a slice of names")
        values = np.asarray(given)
        if values.dtype.kind == "b":
            return [int(place) for place in np.flatnonzero(values)]
        return [names.index(value) if isinstance(value, str) else range(count)[int(value)] for value in values.tolist()]

    # -- numbers ---------------------------------------------------------------------------------

    def scaler(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """Less something, divided by something; either may be left out."""
        if getattr(step, "clip", False):
            raise self.refusal(name, step, "which clips")
        center = getattr(step, "mean_", getattr(step, "center_", None)) if getattr(step, "with_mean", True) else None
        scale = self.fitted(step, "scale_")
        if is_of(step, ("MinMaxScaler",)):
            scale, center = 1 / scale, -step.min_ / scale
        centers = [0.0] * len(records) if center is None else center
        scales = [1.0] * len(records) if scale is None else scale
        return [
            self.number(name, step, record).scaled(float(mean), float(std))
            for record, mean, std in zip(records, centers, scales, strict=True)
        ]

    def number(self, name: str, step: Any, record: Record) -> Feature:
        """A record that is numbers."""
        if isinstance(record, Text):
            raise self.refusal(name, step, f"which takes the column {record.name!r} of words")
        return record

    def imputer(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """Gaps filled with a number, or with a word."""
        missing = step.missing_values
        if step.add_indicator or not (missing is None or missing != missing or str(missing) == "<NA>"):
            raise self.refusal(name, step, "whose gaps are not NaN, or which marks them in columns of their own")
        found: list[Record] = []
        for record, value in zip(records, self.fitted(step, "statistics_"), strict=True):
            if value is None or value != value:
                raise self.refusal(name, step, f"which drops the column {record.name!r}, because it is empty")
            found.append(self.filled(name, step, record, value))
        return found

    def filled(self, name: str, step: Any, record: Record, value: Any) -> Record:
        """One column with its gaps filled."""
        if isinstance(value, str):
            return Text(record.name, value) if is_raw(record) else record
        return record.filled(float(value)) if isinstance(record, NumberColumn) else record

    # -- categories ------------------------------------------------------------------------------

    def text(self, name: str, step: Any, record: Record, categories: Array, is_open: bool) -> tuple[Text, list[str]]:
        """A column of categories as words, and the words."""
        if not is_raw(record):
            raise self.refusal(name, step, f"which takes the column {record.name!r} after another step has changed it")
        if any(value is None or value != value for value in categories.tolist()):
            raise self.refusal(name, step, f"which has gaps of {record.name!r} as a category; fill them before it")
        originals = {str(value): value for value in categories.tolist()}
        fill = None if record.fill is None else words_like(record.fill, categories)
        if fill is not None and fill not in originals:
            fill = fill if is_open else None
        self.originals[record.name] = originals
        return Text(record.name, fill), list(originals)

    def one_hot(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """One column for each category, but for those that are dropped or put together."""
        found: list[Record] = []
        dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(records)
        rare = getattr(step, "infrequent_categories_", [None] * len(records))
        is_open = step.handle_unknown != "error"
        for record, categories, drop, few in zip(records, self.fitted(step, "categories_"), dropped, rare, strict=True):
            text, words = self.text(name, step, record, categories, is_open)
            if few is not None and drop is not None:
                raise self.refusal(name, step, "which drops a category and puts others together")
            known = one_hot_of(text, words, (text.fill,) if text.fill is not None else ())
            rest = {str(value) for value in ([] if few is None else few.tolist())}
            kept = [each for place, (word, each) in enumerate(zip(words, known, strict=True))
                    if place != drop and word not in rest]  # fmt: skip
            found += [*kept, *([] if few is None else [self.together(step, known[0], words, rest)])]
        return found

    def together(self, step: Any, like: Coded, words: list[str], rare: set[str]) -> Coded:
        """The one column of all rare categories, and of unknown ones if the encoder says so."""
        if step.handle_unknown in ("infrequent_if_exist", "warn"):
            return Coded(like.name, like.words, {word: 0.0 for word in words if word not in rare}, 1.0, like.fill)
        return Coded(like.name, like.words, dict.fromkeys(sorted(rare), 1.0), 0.0, like.fill)

    def ordinal(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """A number for each category."""
        found: list[Record] = []
        if any(few is not None for few in getattr(step, "infrequent_categories_", None) or ()):
            raise self.refusal(name, step, "which puts rare categories together")
        is_open = step.handle_unknown == "use_encoded_value" and step.unknown_value == step.unknown_value
        rest = float(step.unknown_value) if is_open else 0.0
        for record, categories in zip(records, self.fitted(step, "categories_"), strict=True):
            text, words = self.text(name, step, record, categories, is_open)
            known = tuple(dict.fromkeys([*words, *([] if text.fill is None else [text.fill])]))
            codes = {word: float(code) for code, word in enumerate(words)}
            found.append(Coded(text.name, known, codes, rest, text.fill))
        return found

    def function(self, name: str, step: Any, records: list[Record]) -> list[Record]:
        """What changes nothing."""
        if step.func is not None:
            raise self.refusal(name, step, "whose function is Python's")
        return records

    # -- the proof -------------------------------------------------------------------------------

    def check(self, network: Model, estimator: Any, raw: Sequence[str], *, has_names: bool) -> None:
        """Compare the network with what the whole pipeline predicts for generated rows of its table.

        Raises
        ------
        InputError
            If they differ.
        """
        columns, rows = columns_in(network.preprocessing), generated_rows(network)
        assert columns is not None
        table = self.table(columns, rows, raw, has_names=has_names)
        predict = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
        # What one rounding of the table's own numbers does: a large mean takes digits away.
        nudged = columns.features(rows.numbers * (1 + np.finfo(np.float64).eps), rows.codes)
        rounding = largest_difference(network.outputs(nudged), network.outputs(rows.X))
        check_rows(network, self.source, rows, predict(table), scale=self.scale, rounding=rounding)

    def table(self, columns: Columns, rows: Rows, raw: Sequence[str], *, has_names: bool) -> Any:
        """Generated rows as the pipeline takes them."""
        texts = dict(zip((column.name for column in columns.words), words_of(columns, rows.codes).T, strict=True))
        values: dict[str, Any] = {name: np.zeros(len(rows)) for name in raw}  # of columns that are dropped
        values |= {column.name: rows.numbers[:, place] for place, column in enumerate(columns.numbers)}
        for name, words in texts.items():
            known = {**self.originals[name], "": np.nan}
            column = np.array([known.get(word, word) for word in words], dtype=object)
            values[name] = (
                column if any(isinstance(value, str) for value in known.values()) else column.astype(np.float64)
            )
        if has_names:
            return frame_of({name: values[name] for name in raw})
        return np.column_stack([values[name] for name in raw])


Record = Feature | Text


def is_raw(record: Record) -> bool:
    """Return whether a column is as the table has it, but for gaps that are filled."""
    return isinstance(record, Text) or (isinstance(record, NumberColumn) and (record.mean, record.std) == (0.0, 1.0))


def words_like(fill: Any, categories: Array) -> str:
    """What fills gaps, written as the categories are: 3.0 as 3 among whole numbers."""
    is_number = not isinstance(fill, str) and categories.dtype.kind in "iuf"
    return str(np.array([fill]).astype(categories.dtype).tolist()[0]) if is_number else str(fill)


def frame_of(values: Mapping[str, Array]) -> Any:
    """A table with named columns, by whichever library is there."""
    if importlib.util.find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame(dict(values))
    import polars

    lists = {name: [None if value != value else value for value in array.tolist()] for name, array in values.items()}
    return polars.DataFrame(lists)


FOLLOWED: dict[str, Callable[[Steps, str, Any, list[Record]], list[Record]]] = {
    **dict.fromkeys(("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"), Steps.scaler),
    "SimpleImputer": Steps.imputer, "OneHotEncoder": Steps.one_hot, "OrdinalEncoder": Steps.ordinal,
    "ColumnTransformer": Steps.beside, "Pipeline": Steps.pipeline, "FunctionTransformer": Steps.function,
}  # fmt: skip
