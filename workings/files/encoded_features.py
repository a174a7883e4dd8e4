"""Features: intermediate description of preprocessing from other libraries.

Other libraries describe preprocessing as a sequence of steps: fill, standardize, one-hot encode, concatenate.
An importer follows these steps with one record per numeric feature: a ``NumberColumn``, or an
``EncodedFeature`` that maps categories to numbers.  Each record names the table column that it comes from.
At the end, the records become ``Columns``.  Encodings that ``Columns`` cannot express, such as dropped or
ordinal categories, are folded into the weights of the first layer: one row per category.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from workings.errors import InputError
from workings.layers import BatchNorm, Dense, number_layers
from workings.losses import Loss
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, original, standard

NO_CLASSES: tuple[object, ...] = ()
NO_EPS = 1e-300  # too small to change a variance


@dataclass(frozen=True)
class TextFeature:
    """A text column without further encoding; missing values become ``fill``.

    If it ``is_open``, its encoder gives unknown categories the number of all other categories.
    """

    name: str
    fill: str | None = None
    is_open: bool = False


@dataclass(frozen=True)
class EncodedFeature:
    """A feature that maps each category of a column to a number.

    Attributes
    ----------
    name : str
        The table column that it comes from.
    words : tuple of str
        All known categories.
    values : mapping of str to float
        The numbers of some categories.
    rest : float
        The number of all other categories.
    fill : str or None
        The category for missing values.
    is_open : bool
        Whether unknown categories get ``rest``; otherwise they raise an error.
    """

    name: str
    words: tuple[str, ...] = field(compare=False)  # long, and shared by the features of one column
    values: Mapping[str, float]
    rest: float = 0.0
    fill: str | None = None
    is_open: bool = False

    def scaled(self, mean: float, std: float) -> EncodedFeature:
        """Return the feature followed by a standardization."""
        values = {word: float(standard(value, mean, std)) for word, value in self.values.items()}
        return replace(self, values=values, rest=float(standard(self.rest, mean, std)))

    def indicators(self, numbers: Sequence[float]) -> list[EncodedFeature]:
        """Return one indicator feature per number: 1 for the categories that map to it, 0 for others."""
        words: dict[float, list[str]] = defaultdict(list)
        for word in self.words:
            words[self.values.get(word, self.rest)].append(word)
        return [
            replace(self, values=dict.fromkeys(words[number], 1.0), rest=float(self.rest == number))
            for number in map(float, numbers)
        ]


@dataclass(frozen=True)
class GapFeature:
    """A feature that is 1 where a numeric column has no value, and 0 elsewhere."""

    name: str


NumericFeature = NumberColumn | EncodedFeature
Feature = NumericFeature | GapFeature


def one_hot_of(text: TextFeature, categories: Sequence[str], others: Sequence[str] = ()) -> list[EncodedFeature]:
    """One-hot encode a text column; ``others`` are known categories without a feature."""
    words = tuple(dict.fromkeys([*categories, *others]))
    return [EncodedFeature(text.name, words, {word: 1.0}, 0.0, text.fill, text.is_open) for word in categories]


def features_of(columns: Columns) -> list[Feature]:
    """Return the features that ``Columns`` describe."""
    found: list[Feature] = []
    for column in columns.columns:
        if isinstance(column, NumberColumn):
            found.append(replace(column, indicator=False))
            found += [GapFeature(column.name)] if column.indicator else []
        else:
            found += one_hot_of(TextFeature(column.name, column.fill, column.unknown == "zeros"), column.categories)
    return found


def columns_of(features: Sequence[Feature], source: str) -> tuple[Column, ...]:
    """Convert features to table columns, in order of first use.

    Raises
    ------
    InputError
        If a column is used in ways that cannot be combined, or its scale is not a positive finite number.
    """
    by_name: dict[str, list[Feature]] = defaultdict(list)
    for feature in features:
        by_name[feature.name].append(feature)
    return tuple(column_of(name, several, source) for name, several in by_name.items())


def column_of(name: str, features: list[Feature], source: str) -> Column:
    """Combine all features of one table column."""
    first, rest = features[0], features[1:]
    if isinstance(first, NumberColumn):
        if rest == [GapFeature(name)] and first.fill is not None:
            return replace(first, indicator=True)
        if rest:
            raise InputError(
                f"{source} uses the column {name!r} {len(features)} times; a numeric column can be used only once."
            )
        if not (np.isfinite([first.mean, first.std, first.fill or 0.0]).all() and first.std > 0):
            raise InputError(f"{source} scales the column {name!r} by {1 / first.std if first.std else np.inf:g}.")
        return first
    coded = [feature for feature in features if isinstance(feature, EncodedFeature)]
    if (
        isinstance(first, GapFeature)
        or len(coded) < len(features)
        or len({(feature.fill, feature.is_open) for feature in coded}) > 1
    ):
        raise InputError(f"{source} uses the column {name!r} in ways that cannot be combined.")
    words = {word for known in {id(feature.words): feature.words for feature in coded}.values() for word in known}
    if first.fill is not None and first.fill not in words:
        raise InputError(f"{source} fills gaps of {name!r} with {first.fill!r}, which is not one of its categories.")
    return CategoryColumn(name, tuple(sorted(words)), first.fill, "zeros" if first.is_open else "error")


def with_preprocessing(
    network: Model,
    features: Sequence[Feature],
    source: str,
    *,
    target: str = "target",
    scale: tuple[float, float] | None = None,
    reason: str = "",
    array_width: int | None = None,
) -> Model:
    """Return the network with preprocessing that takes a table's columns.

    Parameters
    ----------
    network : Model
        A network whose inputs are the features.
    features : list of NumberColumn and EncodedFeature
        The meaning of each column of its X.
    source : str
        Description of the imported model, for messages.
    target : str
        The name of the target.
    scale : (mean, std) or None
        Converts a prediction to the target's original unit.
    reason : str
        Note on the origin, stored in the preprocessing.
    array_width : int or None
        The number of columns of the arrays that the source takes; None if it takes tables with names.

    Raises
    ------
    InputError
        If ``Columns`` cannot describe the features, or an array can be read in two ways.
    """
    names = {feature.name for feature in features}
    while target in names:
        target += "_"
    columns = Columns(columns_of(features, source), target, scale, array_width=array_width)
    if array_width == columns.width and not columns.are_unscaled:
        raise InputError(
            f"{source} was fitted on an array, whose {array_width} columns have the same number as the encoded ones, "
            f"so they cannot be told apart. Fit it on a table with column names."
        )
    found = (
        copy.deepcopy(network)
        if list(features) == features_of(columns)
        else fold_categories(network, features, columns, source)
    )
    outputs = max(network.n_out, 2)  # a single output distinguishes two labels
    classes = list(range(outputs)) if network.classes is None else network.classes.tolist()
    is_label = network.targets.is_classification
    found.preprocessing = columns.stored(classes if is_label else NO_CLASSES, reason)
    return found


def with_original_units(network: Model, scales: Sequence[tuple[float, float]], source: str) -> Model:
    """Return a network whose last layer computes each output in its target's original unit."""
    layer, number = list(number_layers(network.layers))[-1]
    mean, std = np.array(scales).T
    if (
        not isinstance(layer, Dense)
        or layer.activation_function.name != "identity"
        or type(network.loss).link is not Loss.link
    ):
        raise InputError(f"{source} scales several targets, but {layer!r} is not linear.")
    if mean.any() and not layer.bias:
        raise InputError(f"{source} shifts several targets, but the last layer has no biases.")
    found = copy.deepcopy(network)
    values = {f"W{number}": network.parameters[f"W{number}"] * std}
    if layer.bias:
        values[f"b{number}"] = original(network.parameters[f"b{number}"], mean, std)
    return found.place(network.n_in or 1, {**network.parameters, **network.statistics, **values})


def with_scaling_layer(
    network: Model, features: Sequence[NumericFeature], source: str
) -> tuple[Model, list[NumericFeature]]:
    """Return a network that takes unscaled numbers, and their features: a ``BatchNorm`` in front scales them.

    An array does not say whether it is scaled.  So a network takes the arrays that its source takes, with the columns
    in their order.
    """
    columns_of(features, source)  # raises for scales that cannot be used
    given = {**network.parameters, **network.statistics}
    arrays = [
        {letter: given[f"{letter}{number}"] for letter in (*layer.parameters, *layer.untrained)}
        for layer, number in number_layers(network.layers)
    ]
    order = sorted(range(len(features)), key=lambda place: (len(features[place].name), features[place].name))
    if isinstance(network.layers[0], Dense):
        arrays[0]["W"] = arrays[0]["W"][order]
    numbers = [feature for feature in map(features.__getitem__, order) if isinstance(feature, NumberColumn)]
    mean, std = (np.array([getattr(number, name) for number in numbers]) for name in ("mean", "std"))
    ones, zeros = np.ones(len(numbers)), np.zeros(len(numbers))
    arrays.insert(0, {"gamma": ones, "beta": zeros, "running_mean": mean, "running_variance": std**2})
    found = network.with_layers([BatchNorm(eps=NO_EPS), *network.layers])
    names = [number for _, number in number_layers(found.layers)]
    values = {f"{k}{number}": array for number, each in zip(names, arrays, strict=True) for k, array in each.items()}
    return found.place(len(numbers), values), [replace(number, mean=0.0, std=1.0) for number in numbers]


def fold_categories(network: Model, features: Sequence[Feature], columns: Columns, source: str) -> Model:
    """Return a network whose first layer has a row of weights per category."""
    first = network.layers[0]
    if not isinstance(first, Dense):
        raise InputError(f"{source} has categories that are not one-hot encoded, before {first!r}.")
    values = network.start_values(network.inference)
    W, b = folded_weights(features, columns, values["W1"].astype(np.float64))
    if b.any() and not first.bias:
        raise InputError(f"{source} has encoded categories with an offset, before a layer without biases.")
    values["W1"] = W
    if first.bias:
        values["b1"] = values["b1"] + b
    return copy.deepcopy(network).place(len(W), values)


def folded_weights(features: Sequence[Feature], columns: Columns, W: Array) -> tuple[Array, Array]:
    """Return the weights for the one-hot columns of X, and the addition to the biases."""
    starts = np.cumsum([0, *(column.width for column in columns.columns)]).tolist()
    places = {column.name: (start, column) for start, column in zip(starts, columns.columns, strict=False)}
    rows, b = np.zeros((columns.width, W.shape[1])), np.zeros(W.shape[1])
    orders = {column.name: {word: i for i, word in enumerate(column.categories)} for column in columns.words}
    for feature, weights in zip(features, W, strict=True):
        start, _ = places[feature.name]
        if not isinstance(feature, EncodedFeature):
            rows[start + isinstance(feature, GapFeature)] = weights
            continue
        for word, value in feature.values.items():
            rows[start + orders[feature.name][word]] += (value - feature.rest) * weights
        b += feature.rest * weights
    return rows, b
