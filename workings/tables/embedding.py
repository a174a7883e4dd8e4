"""Embed the columns of a table: the layers between its encoded columns and the first dense layer.

They are settings of RealMLP (Holzmüller et al. 2024, appendix A) and of Gorishniy et al. 2022, "On embeddings for
numerical features in tabular deep learning".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workings.layers import GroupedDense, Layer, PeriodicEmbedding, PiecewiseLinearEncoding, SmoothClip, smooth_clip
from workings.support.arrays import Array
from workings.support.keywords import CheckedKeywords
from workings.tables.columns import CategoryColumn, Columns

EMBEDDINGS = ("periodic", "piecewise")
FREQUENCIES, UNITS = 16, 4  # of each number
BINS = 8
MOST_ONE_HOT, VECTOR = 8, 8  # a column with more categories gets vectors of this length
RATE = 0.1  # the factor of the learning rate for embeddings


@dataclass(frozen=True)
class InputBlock(CheckedKeywords):
    """Inputs that stand side by side: a number, the mark of its missing values, or a one-hot encoded column."""

    width: int = 1
    is_number: bool = False


def input_blocks(columns: Columns) -> tuple[InputBlock, ...]:
    """Return the blocks of the inputs that ``Columns.encode`` makes of a table."""
    found: list[InputBlock] = []
    for column in columns.columns:
        if isinstance(column, CategoryColumn):
            found.append(InputBlock(column.width))
        else:
            found += [InputBlock(is_number=True), *([InputBlock()] if column.indicator else [])]
    return tuple(found)


def embedding_layers(kind: str, blocks: Sequence[InputBlock], X: Array) -> list[Layer]:
    """Return the layers that embed the inputs, for encoded rows ``X`` after ``SmoothClip``.

    ``"periodic"`` embeds each number by 16 cosines and 4 units of its own, ``"piecewise"`` by its position in 8 bins
    whose edges are quantiles of ``X``.  Either way, each of more than 8 categories of a column gets a learned vector of
    length 8.  Without anything to embed, there are no layers.

    >>> import numpy as np
    >>> blocks = [InputBlock(is_number=True), InputBlock(20), InputBlock(2)]
    >>> embedding_layers("periodic", blocks, np.zeros((5, 23)))
    [PeriodicEmbedding(16, columns=[0], std=0.1), GroupedDense([(17, 4)] + [(20, 8)] + [(1, 1)] * 2, 'identity')]
    """
    places, start = [], 0
    for block in blocks:
        places += [start] if block.is_number else []
        start += block.width
    layers: list[Layer] = []
    outputs = dict.fromkeys(places, 1)
    if places and kind == "periodic":
        layers = [PeriodicEmbedding(FREQUENCIES, places)]
        outputs = dict.fromkeys(places, 1 + FREQUENCIES)
    elif places:
        encoding = PiecewiseLinearEncoding.of(smooth_clip(X, **SmoothClip().constants), BINS, places)
        layers, outputs = [encoding], {place: encoding.counts[place] for place in places}
    groups = column_groups(kind, blocks, outputs)
    return layers if all(pair == (1, 1) for pair in groups) else [*layers, GroupedDense(groups)]


def column_groups(kind: str, blocks: Sequence[InputBlock], outputs: dict[int, int]) -> list[tuple[int, int]]:
    """Return the groups of a ``GroupedDense``; ``outputs`` holds the number of embedded values of each number."""
    groups: list[tuple[int, int]] = []
    place = 0
    for block in blocks:
        if block.is_number and kind == "periodic":
            groups.append((outputs[place], UNITS))
        elif block.width > MOST_ONE_HOT:
            groups.append((block.width, VECTOR))
        else:
            groups += [(1, 1)] * (outputs[place] if block.is_number else block.width)
        place += block.width
    return groups
