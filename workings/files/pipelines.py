"""Import scikit-learn pipelines: convert fitted preprocessing steps to the columns of a table.

The steps are read in order, starting from the table, and each column is described by a feature record
(``files/encoded_features.py``).  Supported steps are recognized by their class and read through their documented
attributes.  An unknown step, or one of a user-defined class, raises an error that names it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.errors import InputError
from workings.files.assembling import check_agreement_on
from workings.files.encoded_features import (
    EncodedFeature,
    NumericFeature,
    TextFeature,
    one_hot_of,
    with_original_units,
    with_preprocessing,
    with_scaling_layer,
)
from workings.files.verification import GeneratedRows, generated_rows, largest_difference
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Columns, NumberColumn, columns_in, position_names
from workings.tables.values import spellings

if TYPE_CHECKING:
    from pandas import DataFrame
    from sklearn.base import BaseEstimator

SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
WRAPPERS = ("Pipeline", "TransformedTargetRegressor", *SEARCHES)
TARGET_NAME = "target"  # targets have no name in scikit-learn


def from_pipeline(estimator: BaseEstimator, network_of: Callable[[BaseEstimator], Model]) -> Model:
    """Import a fitted Pipeline, or a search or regressor that contains one, as a network with preprocessing.

    Parameters
    ----------
    estimator : Pipeline, TransformedTargetRegressor, a search with a ``best_estimator_``, or an MLP with names
    network_of : function
        Converts the last step to a network.

    Raises
    ------
    InputError
        For an unsupported step; the message names it and lists supported ones.
    """
    source = f"This {type(estimator).__name__}"
    steps = PipelineReader(source)
    last = steps.unwrap(estimator)
    network = network_of(last)
    names, count = steps.input_columns(last)
    raw = position_names(count) if names is None else names
    features = steps.features_after_steps(raw)
    takes_numbers = names is None and all(isinstance(feature, NumberColumn) for feature in features)
    if steps.scales and (takes_numbers or len(steps.scales) > 1):  # preprocessing stores one scale for the target
        network, steps.scales = with_original_units(network, steps.scales, source), []
    if takes_numbers and not is_plain(features, raw):
        network, features = with_scaling_layer(network, features, source)
    reason = f"imported from scikit-learn's {type(estimator).__name__}"
    found = with_preprocessing(
        network, features, source, target=TARGET_NAME, scale=steps.scale, reason=reason,
        array_width=count if names is None else None,
    )  # fmt: skip
    steps.check(found, estimator, raw, has_names=names is not None)
    return found


def is_of(estimator: object, kinds: Sequence[str]) -> bool:
    """Return whether an object's class is one of scikit-learn's own, by name."""
    return type(estimator).__name__ in kinds and type(estimator).__module__.partition(".")[0] == "sklearn"


@dataclass
class PipelineReader:
    """Reads the steps of one pipeline.

    Attributes
    ----------
    source : str
        Description of the pipeline, for messages.
    preprocessing : list of (name, step)
        The steps before the network.
    scales : list of (mean, std)
        Converts each output to its target's original unit; empty for unscaled targets.
    originals : mapping of str to mapping
        For each categorical column, the table's value for each category text.
    dtypes : mapping of str to dtype
        For each categorical column, the type of its values.
    """

    source: str
    preprocessing: list[tuple[str, BaseEstimator]] = field(default_factory=list)
    scales: list[tuple[float, float]] = field(default_factory=list)
    originals: dict[str, dict[str, object]] = field(default_factory=dict)
    dtypes: dict[str, np.dtype[np.generic]] = field(default_factory=dict)

    @property
    def scale(self) -> tuple[float, float] | None:
        """The scale of a single target; None for unscaled targets."""
        return self.scales[0] if self.scales else None

    def unwrap(self, estimator: BaseEstimator) -> BaseEstimator:
        """Return the last step, and record the preprocessing and target scaling around it."""
        if is_of(estimator, SEARCHES):
            return self.unwrap(self.fitted_attribute(estimator, "best_estimator_"))
        if is_of(estimator, ("Pipeline",)):
            self.preprocessing += estimator.steps[:-1]
            return self.unwrap(estimator.steps[-1][1])
        if is_of(estimator, ("TransformedTargetRegressor",)):
            transformer = self.fitted_attribute(estimator, "transformer_")
            target: list[Record] = [NumberColumn(TARGET_NAME)] * int(getattr(transformer, "n_features_in_", 1))
            found = self.step("transformer", transformer, target)
            self.scales = [(each.mean, each.std) for each in found if isinstance(each, NumberColumn)]
            return self.unwrap(estimator.regressor_)
        return estimator

    def fitted_attribute(self, step: object, attribute: str) -> Any:
        """Return an attribute that fitting creates; raise if the step is not fitted."""
        if not hasattr(step, attribute):
            raise InputError(f"{self.source} has a {type(step).__name__} without {attribute}: fit it first.")
        return getattr(step, attribute)

    def refusal(self, name: str, step: object, why: str) -> InputError:
        """Return the error for an unsupported step; it lists supported ones."""
        return InputError(
            f"{self.source} has the step {name!r}, {type(step).__name__}, {why}. Supported steps: "
            f"{', '.join(STEP_READERS)}. Otherwise import only the last step, "
            f"Network.from_sklearn(pipeline[-1]), and compute its X with the pipeline."
        )

    def features_after_steps(self, raw: Sequence[str]) -> list[NumericFeature]:
        """Return a feature record for each output column of the preprocessing."""
        records: list[Record] = [NumberColumn(name) for name in raw]
        for name, step in self.preprocessing:
            records = self.step(name, step, records)
        texts = [record.name for record in records if isinstance(record, TextFeature)]
        if texts:
            raise InputError(f"{self.source} passes text to the network, in the column {texts[0]!r}: encode it first.")
        return [record for record in records if not isinstance(record, TextFeature)]

    def input_columns(self, last: object) -> tuple[list[str] | None, int]:
        """Return the names and the number of the columns of the pipeline's input; no names if it is an array."""
        first = next(inner_steps(step for _, step in [*self.preprocessing, ("", last)]))
        names = getattr(first, "feature_names_in_", None)
        count = int(getattr(first, "n_features_in_", 1))
        return None if names is None else [str(name) for name in names], count

    def step(self, name: str, step: object, records: list[Record]) -> list[Record]:
        """Apply a step to feature records."""
        if changes_nothing(step):
            return records
        follow = STEP_READERS.get(type(step).__name__)
        if follow is None or not is_of(step, (type(step).__name__,)):
            raise self.refusal(name, step, "which is not supported")
        return follow(self, name, step, records)

    # -- steps that hold steps -------------------------------------------------------------------

    def pipeline(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a nested Pipeline."""
        for inner, each in step.steps:
            records = self.step(f"{name}: {inner}", each, records)
        return records

    def column_transformer(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a ColumnTransformer."""
        found: list[Record] = []
        names = list(getattr(step, "feature_names_in_", ()))
        for inner, each, chosen in self.fitted_attribute(step, "transformers_"):
            places = self.places(f"{name}: {inner}", step, chosen, names, len(records))
            if places and not (isinstance(each, str) and each == "drop"):
                made = self.step(f"{name}: {inner}", each, [records[place] for place in places])
                found += self.weighted(name, step, made, (step.transformer_weights or {}).get(inner, 1.0))
        return found

    def weighted(self, name: str, step: object, records: list[Record], weight: float) -> list[Record]:
        """Multiply the outputs of one transformer by its weight."""
        if weight == 1:
            return records
        if not (np.isfinite(weight) and weight > 0):
            raise self.refusal(name, step, f"with the transformer weight {weight!r}, which is not above 0")
        return [self.as_number(name, step, record).scaled(0.0, 1 / weight) for record in records]

    def places(self, name: str, step: object, chosen: object, names: list[str], count: int) -> list[int]:
        """Return the indices of the columns that a ColumnTransformer selects."""
        if isinstance(chosen, slice) and not any(isinstance(end, str) for end in (chosen.start, chosen.stop)):
            return list(range(count))[chosen]
        given = [chosen] if isinstance(chosen, str | int | np.integer) else chosen
        if isinstance(given, slice):  # of names, with both ends; scikit-learn ignores its step
            start = 0 if given.start is None else names.index(given.start)
            return list(range(start, count if given.stop is None else names.index(given.stop) + 1))
        values = np.asarray(given)
        if values.dtype.kind == "b":
            return [int(place) for place in np.flatnonzero(values)]
        given = values.tolist()
        return [names.index(value) if isinstance(value, str) else range(count)[int(value)] for value in given]

    # -- numbers ---------------------------------------------------------------------------------

    def scaler(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a scaler: subtract a center, divide by a scale; either may be absent."""
        if getattr(step, "clip", False):
            raise self.refusal(name, step, "which clips values")
        center = getattr(step, "mean_", getattr(step, "center_", None)) if getattr(step, "with_mean", True) else None
        scale = self.fitted_attribute(step, "scale_")
        if is_of(step, ("MinMaxScaler",)):
            scale, center = 1 / scale, -step.min_ / scale
        centers = [0.0] * len(records) if center is None else center
        scales = [1.0] * len(records) if scale is None else scale
        return [
            self.as_number(name, step, record).scaled(float(mean), float(std))
            for record, mean, std in zip(records, centers, scales, strict=True)
        ]

    def as_number(self, name: str, step: object, record: Record) -> NumericFeature:
        """Return a record; raise if it is text."""
        if isinstance(record, TextFeature):
            raise self.refusal(name, step, f"which gets the text column {record.name!r}")
        return record

    def imputer(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a SimpleImputer."""
        missing = step.missing_values
        if step.add_indicator or not (missing is None or missing != missing or str(missing) == "<NA>"):
            raise self.refusal(name, step, "whose missing values are not NaN, or which adds indicator columns")
        found: list[Record] = []
        for record, value in zip(records, self.fitted_attribute(step, "statistics_"), strict=True):
            if value is None or value != value:
                raise self.refusal(name, step, f"which drops the column {record.name!r}, because it is empty")
            found.append(self.with_fill(name, step, record, value))
        return found

    def with_fill(self, name: str, step: BaseEstimator, record: Record, value: str | float) -> Record:
        """Return one record with a fill value."""
        if isinstance(value, str):
            return TextFeature(record.name, value) if is_raw(record) else record
        return record.filled(float(value)) if isinstance(record, NumberColumn) else record

    # -- categories ------------------------------------------------------------------------------

    def text_feature(
        self, name: str, step: object, record: Record, categories: Array, is_open: bool
    ) -> tuple[TextFeature, list[str]]:
        """Return a text feature for a categorical column, and its categories as text."""
        if not is_raw(record):
            raise self.refusal(name, step, f"which takes the column {record.name!r} after another step has changed it")
        if any(value is None or value != value for value in categories.tolist()):
            raise self.refusal(
                name, step, f"which has missing values of {record.name!r} as a category; fill them first"
            )
        originals = {category_text(value): value for value in categories}
        if len(originals) < len(categories):
            raise self.refusal(name, step, f"which has two categories of {record.name!r} that are equal as text")
        fill = None if record.fill is None else fill_text(record.fill, categories)
        if fill is not None and fill not in originals:
            fill = fill if is_open else None
        self.originals[record.name], self.dtypes[record.name] = originals, categories.dtype
        return TextFeature(record.name, fill, is_open), list(originals)

    def one_hot_encoder(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a OneHotEncoder, with dropped and infrequent categories."""
        found: list[Record] = []
        dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(records)
        rare = getattr(step, "infrequent_categories_", [None] * len(records))
        is_open = step.handle_unknown != "error"
        for record, categories, drop, few in zip(
            records, self.fitted_attribute(step, "categories_"), dropped, rare, strict=True
        ):
            text, words = self.text_feature(name, step, record, categories, is_open)
            if few is not None and drop is not None:
                raise self.refusal(name, step, "which drops a category and combines infrequent ones")
            known = one_hot_of(text, words, (text.fill,) if text.fill is not None else ())
            rest = {category_text(value) for value in ([] if few is None else few)}
            kept = [
                each
                for place, (word, each) in enumerate(zip(words, known, strict=True))
                if place != drop and word not in rest
            ]
            found += [*kept, *([] if few is None else [self.infrequent_feature(step, known[0], words, rest)])]
        return found

    def infrequent_feature(
        self, step: BaseEstimator, like: EncodedFeature, words: list[str], rare: set[str]
    ) -> EncodedFeature:
        """Return the combined feature of infrequent categories, and of unknown ones if the encoder maps them there."""
        if step.handle_unknown in ("infrequent_if_exist", "warn"):
            return EncodedFeature(
                like.name, like.words, {word: 0.0 for word in words if word not in rare}, 1.0, like.fill, like.is_open
            )
        return EncodedFeature(like.name, like.words, dict.fromkeys(sorted(rare), 1.0), 0.0, like.fill, like.is_open)

    def ordinal_encoder(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply an OrdinalEncoder."""
        found: list[Record] = []
        if any(few is not None for few in getattr(step, "infrequent_categories_", None) or ()):
            raise self.refusal(name, step, "which combines infrequent categories")
        is_open = step.handle_unknown == "use_encoded_value" and step.unknown_value == step.unknown_value
        rest = float(step.unknown_value) if is_open else 0.0
        for record, categories in zip(records, self.fitted_attribute(step, "categories_"), strict=True):
            text, words = self.text_feature(name, step, record, categories, is_open)
            known = tuple(dict.fromkeys([*words, *([] if text.fill is None else [text.fill])]))
            codes = {word: float(code) for code, word in enumerate(words)}
            found.append(EncodedFeature(text.name, known, codes, rest, text.fill, is_open))
        return found

    def function_transformer(self, name: str, step: BaseEstimator, records: list[Record]) -> list[Record]:
        """Apply a FunctionTransformer without a function, which changes nothing."""
        if step.func is not None:
            raise self.refusal(name, step, "which calls a Python function")
        return records

    # -- verification -------------------------------------------------------------------------------

    def check(self, network: Model, estimator: BaseEstimator, raw: Sequence[str], *, has_names: bool) -> None:
        """Compare the network with the whole pipeline, on generated rows of its table, as users pass it to ``predict``.

        Raises
        ------
        InputError
            If they differ.
        """
        columns, rows = columns_in(network.preprocessing), generated_rows(network)
        assert columns is not None
        self.check_table(network, columns, rows, raw)
        predict = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
        try:
            predicted = predict(self.table(columns, rows, raw, has_names=has_names))
        except Exception as error:  # a step may raise any
            raise InputError(f"{self.source} refuses rows of its own columns: {error}") from error
        # The effect of rounding the table's numbers once: subtracting a large mean cancels digits.
        nudged = columns.features(rows.numbers * (1 + np.finfo(np.float64).eps), rows.codes)
        rounding = largest_difference(network.outputs(nudged), network.outputs(rows.X))
        check_agreement_on(network, self.source, rows, predicted, scale=self.scale, rounding=rounding)

    def check_table(self, network: Model, columns: Columns, rows: GeneratedRows, raw: Sequence[str]) -> None:
        """Raise unless the network reads the pipeline's own table as the rows that were generated."""
        for has_names in (True,) if columns.array_width is None else (True, False):
            table = self.table(columns, rows, raw, has_names=has_names)
            try:
                found = network.outputs(table)
            except InputError as error:
                raise InputError(f"{self.source} has columns that the network would refuse: {error}") from error
            if not np.array_equal(found, network.outputs(rows.X), equal_nan=True):
                raise InputError(f"{self.source} has columns that the network would read as other values.")

    def table(
        self,
        columns: Columns,
        rows: GeneratedRows,
        raw: Sequence[str],
        *,
        has_names: bool,
    ) -> DataFrame | Array:
        """Return generated rows as input of the pipeline."""
        values: dict[str, Array] = {name: np.zeros(len(rows)) for name in raw}  # for columns that are dropped
        values |= {column.name: rows.numbers[:, place] for place, column in enumerate(columns.numbers)}
        for column, codes in zip(columns.words, rows.codes.T, strict=True):
            values[column.name] = self.values_of(column, codes)
        if has_names:
            return data_frame({name: values[name] for name in raw})
        return np.column_stack([values[name] for name in raw])

    def values_of(self, column: CategoryColumn, codes: Array) -> Array:
        """Return the table's values for the category numbers of one column, in the type that the encoder knows."""
        originals, dtype = self.originals[column.name], self.dtypes[column.name]
        known = [originals.get(text, text) for text in column.categories]
        has_gaps, is_text = bool((codes < 0).any()), any(isinstance(value, str) for value in known)
        if has_gaps and dtype.kind in "biu":
            dtype = np.dtype(np.float64)
        gap = np.datetime64("NaT") if dtype.kind in "mM" else np.nan
        found = np.empty(len(codes), dtype=object)
        found[:] = [known[code] if code >= 0 else gap for code in codes.tolist()]
        return found if is_text or dtype.kind in "OUS" else found.astype(dtype)


Record = NumericFeature | TextFeature


def is_plain(features: Sequence[NumericFeature], raw: Sequence[str]) -> bool:
    """Return whether the features are unscaled columns in their order."""
    return all(map(is_raw, features)) and [feature.name for feature in features] == list(raw)


def changes_nothing(step: object) -> bool:
    """Return whether a step of a pipeline is None or ``"passthrough"``."""
    return step is None or (isinstance(step, str) and step == "passthrough")


def inner_steps(steps: Iterable[BaseEstimator]) -> Iterator[BaseEstimator]:
    """Yield the steps that are no pipelines and change something, in order."""
    for step in steps:
        if is_of(step, ("Pipeline",)):
            yield from inner_steps(inner for _, inner in step.steps)
        elif not changes_nothing(step):
            yield step


def is_raw(record: Record) -> bool:
    """Return whether a column is unchanged except for filled missing values."""
    return isinstance(record, TextFeature) or (
        isinstance(record, NumberColumn) and (record.mean, record.std) == (0.0, 1.0)
    )


def category_text(value: object) -> str:
    """Return a category as text, as the table reads it: a date without a time is 2024-01-05."""
    if isinstance(value, np.datetime64):
        return spellings(value.astype("datetime64[us]").item())[-1]
    plain = value.item() if isinstance(value, np.generic) else value
    return str(0.0 if isinstance(plain, float) and plain == 0 else plain)  # not -0.0, which is equal


def fill_text(fill: object, categories: Array) -> str:
    """Return a fill value as text in the type of the categories: 3.0 becomes 3 among whole numbers."""
    is_number = not isinstance(fill, str) and categories.dtype.kind in "iuf"
    return str(np.array([fill]).astype(categories.dtype).tolist()[0]) if is_number else str(fill)


def data_frame(values: Mapping[str, Array]) -> DataFrame:
    """Return a pandas data frame, or a polars one if pandas is not installed."""
    if importlib.util.find_spec("pandas") is not None:
        import pandas

        return pandas.DataFrame(dict(values))
    import polars

    lists = {name: [None if value != value else value for value in array.tolist()] for name, array in values.items()}
    return polars.DataFrame(lists)


STEP_READERS: dict[str, Callable[[PipelineReader, str, object, list[Record]], list[Record]]] = {
    **dict.fromkeys(("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"), PipelineReader.scaler),
    "SimpleImputer": PipelineReader.imputer,
    "OneHotEncoder": PipelineReader.one_hot_encoder,
    "OrdinalEncoder": PipelineReader.ordinal_encoder,
    "ColumnTransformer": PipelineReader.column_transformer,
    "Pipeline": PipelineReader.pipeline,
    "FunctionTransformer": PipelineReader.function_transformer,
}
