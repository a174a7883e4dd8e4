"""A diagram of a network as SVG, without a plotting library.

Columns of circles are layers.  Lines are weights: orange if positive, blue if negative, with a width that
increases with the magnitude.  The paper is white, so that a dark page does not hide the text.  Only the first
and last units of a wide layer are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workings.layers import Dense, number_layers
from workings.model.model import Model
from workings.support.arrays import Array
from workings.support.escaping import in_html

POSITIVE, NEGATIVE = "#d55e00", "#0072b2"  # as in the plots and heat maps
SHOWN = 10  # largest number of units that are drawn per layer
ACROSS, DOWN, MARGIN = 130, 22, 30


def diagram(network: Model) -> str:
    """Draw the dense layers of a network with their weights.

    Parameters
    ----------
    network : Model
        A network with parameters.

    Returns
    -------
    str
        An ``<svg>`` element.

    Examples
    --------
    >>> from workings import Dense, Network
    >>> drawn = diagram(Network([Dense(3, "tanh"), Dense(1)], loss="SquaredError", seed=0, n_in=2))
    >>> drawn.startswith("<svg"), drawn.count("<circle"), drawn.count("<line")
    (True, 6, 9)
    """
    matrices = [
        network.parameters[f"W{number}"] for layer, number in number_layers(network.layers) if isinstance(layer, Dense)
    ]
    sizes = [matrices[0].shape[0], *(W.shape[1] for W in matrices)]
    units = [shown_units(size) for size in sizes]
    height = DOWN * max(map(len, units)) + 2 * MARGIN
    places = [[height / 2 + DOWN * (i - (len(of) - 1) / 2) for i in range(len(of))] for of in units]
    pieces = [line for column, W in enumerate(matrices) for line in lines(column, W, units, places)]
    for column, (size, heights) in enumerate(zip(sizes, places, strict=True)):
        x = MARGIN + ACROSS * column
        pieces += [f'<circle cx="{x}" cy="{y:g}" r="7" fill="#fff" stroke="#555"/>' for y in heights]
        pieces.append(f'<text x="{x}" y="{height - 6}" text-anchor="middle" fill="#1a1a1a">{size}</text>')
    width = ACROSS * len(matrices) + 2 * MARGIN
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{in_html(repr(network))}" '
        f'style="background:#fff;border-radius:4px" font-family="sans-serif" font-size="12">{"".join(pieces)}</svg>'
    )


def shown_units(size: int) -> list[int]:
    """Return the indices of the units to draw."""
    half = SHOWN // 2
    return list(range(size)) if size <= SHOWN else [*range(half), *range(size - half, size)]


def lines(column: int, W: Array, units: Sequence[Sequence[int]], places: Sequence[Sequence[float]]) -> list[str]:
    """Return the SVG lines between a column and the next one."""
    largest = float(np.abs(W).max()) or 1.0
    x = MARGIN + ACROSS * column
    return [
        f'<line x1="{x}" y1="{y1:g}" x2="{x + ACROSS}" y2="{y2:g}" stroke="{POSITIVE if W[i, j] > 0 else NEGATIVE}" '
        f'stroke-width="{0.3 + 2 * abs(W[i, j]) / largest:.2f}"/>'
        for i, y1 in zip(units[column], places[column], strict=True)
        for j, y2 in zip(units[column + 1], places[column + 1], strict=True)
    ]
