"""Features: what becomes of a table's columns on their way to a network, step by step.

Other libraries write preprocessing as steps, one after the other: fill, standardize, spread over categories, put side
by side.  Following such steps means one record for each column of numbers there is: a ``NumberColumn``, or a number for
each word (``Coded``), each with the column of the table from which it comes.  In the end they become our ``Columns``.
What these cannot say, such as a category that is left out or words that are counted, goes into the first layer's
weights: one row for each category.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workings.errors import InputError
from workings.layers import Dense, numbered
from workings.losses import Loss
from workings.model.model import Model
from workings.support.arrays import Array
from workings.tables.columns import CategoryColumn, Column, Columns, NumberColumn, original, standard

NO_CLASSES: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Text:
    """A column of words as the table has it; a gap is ``fill``."""

    name: str
    fill: str | None = None


@dataclass(frozen=True)
class Coded:
    """A number for each word of a column.

    Attributes
    ----------
    name : str
        The column that it comes from.
    words : tuple of str
        All words that are known.
    values : mapping of str to float
        The number of each word that has one of its own.
    rest : float
        The number of any other word.
    fill : str or None
        The word that stands for a gap.
    """

    name: str
    words: tuple[str, ...] = field(compare=False)  # long, and the same for each category
    values: Mapping[str, float]
    rest: float = 0.0
    fill: str | None = None

    def scaled(self, mean: float, std: float) -> Coded:
        """The same, standardized."""
        values = {word: float(standard(value, mean, std)) for word, value in self.values.items()}
        return replace(self, values=values, rest=float(standard(self.rest, mean, std)))

    def is_each_of(self, numbers: Sequence[float]) -> list[Coded]:
        """For each of some numbers: 1 where it is the word's, 0 elsewhere."""
        words: dict[float, list[str]] = defaultdict(list)
        for word in self.words:
            words[self.values.get(word, self.rest)].append(word)
        return [
            replace(self, values=dict.fromkeys(words[number], 1.0), rest=float(self.rest == number))
            for number in map(float, numbers)
        ]


Feature = NumberColumn | Coded


def one_hot_of(text: Text, categories: Sequence[str], others: Sequence[str] = ()) -> list[Coded]:
    """One record for each category of a column of words; others are known but have none."""
    words = tuple(dict.fromkeys([*categories, *others]))
    return [Coded(text.name, words, {word: 1.0}, 0.0, text.fill) for word in categories]


def features_of(columns: Columns) -> list[Feature]:
    """The records that say what ``Columns`` say."""
    found: list[Feature] = []
    for column in columns.columns:
        if isinstance(column, NumberColumn):
            found.append(column)
        else:
            found += one_hot_of(Text(column.name, column.fill), column.categories)
    return found


def columns_of(features: Sequence[Feature], source: str) -> tuple[Column, ...]:
    """The columns that records come from, in the order in which they come.

    Raises
    ------
    InputError
        If a column is used in several ways that do not go together, or its numbers cannot be ours.
    """
    by_name: dict[str, list[Feature]] = defaultdict(list)
    for feature in features:
        by_name[feature.name].append(feature)
    return tuple(column_of(name, several, source) for name, several in by_name.items())


def column_of(name: str, features: list[Feature], source: str) -> Column:
    """One column of all records that come from it."""
    first = features[0]
    if isinstance(first, NumberColumn):
        if len(features) > 1:
            raise InputError(
                f"{source} uses the column {name!r} {len(features)} times; a column of numbers is used once."
            )
        if not (np.isfinite([first.mean, first.std, first.fill or 0.0]).all() and first.std > 0):
            raise InputError(f"{source} scales the column {name!r} by {1 / first.std if first.std else np.inf:g}.")
        return first
    coded = [feature for feature in features if isinstance(feature, Coded)]
    if len(coded) < len(features) or len({feature.fill for feature in coded}) > 1:
        raise InputError(f"{source} uses the column {name!r} in ways that do not go together.")
    words = {word for known in {id(feature.words): feature.words for feature in coded}.values() for word in known}
    if first.fill is not None and first.fill not in words:
        raise InputError(f"{source} fills gaps of {name!r} with {first.fill!r}, which is none of its categories.")
    return CategoryColumn(name, tuple(sorted(words)), first.fill)


def with_table(
    network: Model, features: Sequence[Feature], source: str, *, target: str = "target",
    scale: tuple[float, float] | None = None, reason: str = "",
) -> Model:  # fmt: skip
    """The network with the columns of a table before it.

    Parameters
    ----------
    network : Model
        It takes the features.
    features : list of NumberColumn and Coded
        What each column of its X is.
    source : str
        Where they come from, for messages.
    target : str
        What is predicted.
    scale : (mean, std) or None
        What turns a prediction into the target's own unit.
    reason : str
        What is kept about where it comes from.

    Raises
    ------
    InputError
        If the features do not fit into ``Columns``.
    """
    names = {feature.name for feature in features}
    while target in names:
        target += "_"
    columns = Columns(columns_of(features, source), target, scale)
    found = (
        copy.deepcopy(network) if list(features) == features_of(columns) else spread(network, features, columns, source)
    )
    outputs = max(network.n_out, 2)  # one output tells two labels apart
    classes = list(range(outputs)) if network.classes is None else network.classes.tolist()
    is_label = network.targets.kind in ("classes", "labels")
    found.preprocessing = columns.stored(classes if is_label else NO_CLASSES, reason)
    return found


def rescaled(network: Model, scales: Sequence[tuple[float, float]], source: str) -> Model:
    """The network whose last layer gives each output in its target's own unit."""
    layer, number = list(numbered(network.layers))[-1]
    mean, std = np.array(scales).T
    if not isinstance(layer, Dense) or layer.bend.name != "identity" or type(network.loss).link is not Loss.link:
        raise InputError(f"{source} has several targets with scales of their own, behind {layer!r}, which bends.")
    if mean.any() and not layer.bias:
        raise InputError(f"{source} has several targets with means of their own, behind a layer without biases.")
    found = copy.deepcopy(network)
    values = {f"W{number}": network.parameters[f"W{number}"] * std}
    if layer.bias:
        values[f"b{number}"] = original(network.parameters[f"b{number}"], mean, std)
    found.rng_made = None  # its parameters do not come from a seed
    found.keep({**network.parameters, **{name: array.astype(network.dtype) for name, array in values.items()}})
    return found


def spread(network: Model, features: Sequence[Feature], columns: Columns, source: str) -> Model:
    """The network whose first weights have a row for each category."""
    first = network.layers[0]
    if not isinstance(first, Dense):
        raise InputError(f"{source} has categories in another form than one column for each, before {first!r}.")
    values = network.start_values(network.inference)
    W, b = rows_of(features, columns, values["W1"].astype(np.float64))
    if b.any() and not first.bias:
        raise InputError(f"{source} has categories that are less than 0 or more, before a layer without biases.")
    values["W1"] = W
    if first.bias:
        values["b1"] = values["b1"] + b
    found = copy.deepcopy(network).place(len(W), values)
    found.rng_made = None  # its parameters do not come from a seed
    return found


def rows_of(features: Sequence[Feature], columns: Columns, W: Array) -> tuple[Array, Array]:
    """The weights of each column of our X, and what comes to the biases."""
    starts = np.cumsum([0, *(column.width for column in columns.columns)]).tolist()
    places = {column.name: (start, column) for start, column in zip(starts, columns.columns, strict=False)}
    rows, b = np.zeros((columns.width, W.shape[1])), np.zeros(W.shape[1])
    orders = {column.name: {word: i for i, word in enumerate(column.categories)} for column in columns.words}
    for feature, weights in zip(features, W, strict=True):
        start, _ = places[feature.name]
        if isinstance(feature, NumberColumn):
            rows[start] = weights
            continue
        for word, value in feature.values.items():
            rows[start + orders[feature.name][word]] += (value - feature.rest) * weights
        b += feature.rest * weights
    return rows, b
