"""A drawing of a network as SVG in which the written-out path of a worked step is highlighted.

Columns are the inputs, the outputs of each layer, and the objective.  A circle is a unit with its value in the
written-out row; it leads to the statement that computed the value.  Lines are weights, as in ``diagram.py``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from workings.readings.page_arrays import source_of
from workings.readings.text_latex import number
from workings.readings.worked_step import WorkedStep
from workings.support.arrays import Array
from workings.support.escaping import in_html

SHOWN = 8  # largest number of units that are drawn per column
ACROSS, DOWN, MARGIN, PICTURE = 100, 34, 42, 84  # pixels
NARROWEST = 0.75  # on a narrow page, the drawing shrinks to this part of its width; then it scrolls


@dataclass(frozen=True)
class Column:
    """One column: the name of its array, the values of the written-out row, and the units that are drawn.

    ``weights`` belong to the lines from the column before; ``lit`` is the highlighted unit, which is written out.
    """

    name: str
    values: Array
    units: list[int]
    lit: int
    weights: Array | None
    weights_name: str = ""

    def height(self, unit: int, whole: float) -> float:
        """Return the vertical position of a unit."""
        return whole / 2 + DOWN * (self.units.index(unit) - (len(self.units) - 1) / 2)


def drawing(explanation: WorkedStep) -> str:
    """Return the drawing with a caption; empty for a network without fully connected layers."""
    columns = columns_of(explanation)
    if not columns:
        return ""
    has_image = explanation.image is not None and columns[0].values.size == np.prod(explanation.image)
    height = DOWN * max(len(column.units) for column in columns[1 if has_image else 0 :]) + 2 * MARGIN
    height = max(height, PICTURE + 2 * MARGIN)
    width = ACROSS * len(columns) + 2 * MARGIN
    pieces = [*lines(columns, height, has_image), *objective(explanation, columns, height)]
    for place, column in enumerate(columns):
        is_image = has_image and place == 0
        pieces += image(explanation, column, height) if is_image else units(explanation, column, place, height)
        more = f" … {column.values.size}" if len(column.units) < column.values.size and not is_image else ""
        pieces.append(
            f'<text x="{MARGIN + ACROSS * place}" y="{height - 8}" text-anchor="middle">{column.name}{more}</text>'
        )
    lit = " → ".join(f"{column.name}[{explanation.row},{column.lit}]" for column in columns)
    svg = (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="group" '
        f'style="max-width:100%;min-width:{NARROWEST * width:g}px;height:auto" '
        f'aria-label="Drawing of the network. Highlighted: {in_html(lit)} → J">{"".join(pieces)}</svg>'
    )
    caption = (
        f"Highlighted: the path that is written out below, {lit} → J, for row {explanation.row}. Clear lines are the "
        f"terms of its sums. A line is a weight: orange above 0, blue below, thicker if larger. Select a unit to see "
        f"how its number is computed."
    )
    return (
        f'<figure><div class="scroll" tabindex="0" role="group" aria-label="drawing of the network">{svg}</div>'
        f"<figcaption>{in_html(caption)}</figcaption></figure>"
    )


def columns_of(explanation: WorkedStep) -> list[Column]:
    """Return the columns: what enters each fully connected layer, and the prediction."""
    found = list(products(explanation))
    if not found:
        return []
    columns: list[Column] = []
    weights, weights_name = None, ""
    for x, W in [*found, ("p", "")]:
        values = np.asarray(value_of(explanation, x))[explanation.row]
        lit = min(explanation.unit, values.size - 1)
        if not columns and f"d{W}" in {worked.statement.target for worked in explanation.steps}:
            lit = explanation[f"d{W}"].index[0]  # the input whose weight is written out
        columns.append(Column(x, values, drawn_units(values.size, lit), lit, weights, weights_name))
        weights, weights_name = (np.asarray(explanation.given[W]), W) if W else (None, "")
    return columns


def products(explanation: WorkedStep) -> Iterator[tuple[str, str]]:
    """Yield the input and the weights of each fully connected layer."""
    for statement in explanation.program.stage("forward"):
        for node in ast.walk(statement.tree):
            match node:
                case ast.BinOp(left=ast.Name(id=x), op=ast.MatMult(), right=ast.Name(id=W)):
                    if W in explanation.program.parameters:
                        yield x, W


def value_of(explanation: WorkedStep, name: str) -> object:
    """Return the value of a name."""
    return explanation.given[name] if name in explanation.given else explanation[name].value


def drawn_units(size: int, lit: int) -> list[int]:
    """Return the units to draw: all, or the first and last ones with the highlighted one.

    >>> drawn_units(3, 1), drawn_units(100, 50)
    ([0, 1, 2], [0, 1, 2, 3, 50, 97, 98, 99])
    """
    if size <= SHOWN:
        return list(range(size))
    half = SHOWN // 2
    return sorted({*range(half), lit, *range(size - half + (half <= lit < size - half), size)})


def lines(columns: list[Column], height: float, has_image: bool) -> Iterator[str]:
    """Yield the lines between neighbouring columns; the highlighted ones last, so that they are on top."""
    found: list[tuple[int, str]] = []
    for place, (before, after) in enumerate(pairwise(columns)):
        W = after.weights
        if W is None or W.shape != (before.values.size, after.values.size):
            continue
        if has_image and place == 0:
            yield from image_lines(after, height)
            continue
        largest, x = float(np.abs(W).max()) or 1.0, MARGIN + ACROSS * place
        for i in before.units:
            for j in after.units:
                level = (j == after.lit) * (2 if i == before.lit else 1)
                ends = (x, before.height(i, height), x + ACROSS, after.height(j, height))
                found.append((level, line(W, (i, j), ends, level, largest, after)))
    yield from (text for _, text in sorted(found, key=lambda one: one[0]))


def image_lines(after: Column, height: float) -> Iterator[str]:
    """Yield one line from the image to each unit, for the weights of all pixels."""
    for unit in after.units:
        kind = "lit" if unit == after.lit else "sum"
        yield (
            f'<line x1="{MARGIN + PICTURE / 2}" y1="{height / 2:g}" x2="{MARGIN + ACROSS}" '
            f'y2="{after.height(unit, height):g}" class="{kind}" stroke-width="1.5"><title>all weights of unit {unit}: '
            f"{after.weights_name}[:,{unit}]</title></line>"
        )


def line(
    W: Array,
    index: tuple[int, int],
    ends: tuple[float, ...],
    level: int,
    largest: float,
    column: Column,
) -> str:
    """Return one weight as a line."""
    weight = float(W[index])
    kind = ("", "sum", "lit")[level] + (" plus" if weight > 0 else " minus")
    x1, y1, x2, y2 = ends
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind.strip()}" '
        f'stroke-width="{1 + 3 * abs(weight) / largest:.2f}"><title>{column.weights_name}[{index[0]},{index[1]}] = '
        f"{number(weight)}</title></line>"
    )


def units(explanation: WorkedStep, column: Column, place: int, height: float) -> Iterator[str]:
    """Yield the units of a column: circles with their values, which lead to their statement."""
    statement = "" if column.name in explanation.given else explanation[column.name].statement
    link = "given" if not statement else f"s{explanation.steps.index(explanation[column.name])}"
    x = MARGIN + ACROSS * place
    for unit in column.units:
        y, value = column.height(unit, height), number(float(column.values[unit]))
        at = f"{column.name}[{explanation.row},{unit}]"
        words = f"{at} = {value}" + (f", computed by {statement}" if statement else ", an input")
        kind = ' class="lit"' if unit == column.lit else ""
        yield (
            f'<a href="#{link}"{kind} data-at="{in_html(at)}" aria-label="{in_html(words)}">'
            f"<title>{in_html(words)}</title>"
            f'<circle cx="{x}" cy="{y:g}" r="8"></circle><text class="value" x="{x}" y="{y + 20:g}" '
            f'text-anchor="middle">{number(float(column.values[unit]), 3)}</text></a>'
        )


def image(explanation: WorkedStep, column: Column, height: float) -> Iterator[str]:
    """Yield the written-out row as an image, in place of a column of inputs."""
    assert explanation.image is not None
    pixels = column.values.reshape(explanation.image)
    source = source_of(pixels, float(np.abs(column.values).max()) or 1.0, bool(column.values.min() >= 0))
    yield (
        f'<image href="{source}" x="{MARGIN - PICTURE / 2}" y="{height / 2 - PICTURE / 2}" width="{PICTURE}" '
        f'height="{PICTURE}" style="image-rendering: pixelated">'
        f"<title>row {explanation.row} of {column.name}</title></image>"
    )


def objective(explanation: WorkedStep, columns: list[Column], height: float) -> Iterator[str]:
    """Yield the objective J behind the prediction."""
    last, x = columns[-1], MARGIN + ACROSS * (len(columns) - 1)
    for unit in last.units:
        kind = ' class="lit"' if unit == last.lit else ""
        y = last.height(unit, height)
        yield f'<line x1="{x}" y1="{y:g}" x2="{x + ACROSS}" y2="{height / 2:g}"{kind} stroke-width="1.5"></line>'
    words = f"J = {number(explanation.before, 9)}, computed by {explanation['J'].statement}"
    place = f"s{explanation.steps.index(explanation['J'])}"
    yield (
        f'<a href="#{place}" class="lit" aria-label="{in_html(words)}"><title>{in_html(words)}</title>'
        f'<circle cx="{x + ACROSS}" cy="{height / 2:g}" r="13"></circle>'
        f'<text x="{x + ACROSS}" y="{height / 2 + 4:g}" text-anchor="middle">J</text></a>'
    )
