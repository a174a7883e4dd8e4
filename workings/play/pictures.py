"""Heat maps: the value of each unit, and the prediction, over a plane through the input space.

The program runs on a grid in float32, and each map becomes one byte per point, so that many fit into a message.
"""

from __future__ import annotations

import ast
import base64
import binascii
from dataclasses import dataclass

import numpy as np

from workings.engines.reference import Runner
from workings.errors import InputError
from workings.model.model import Model
from workings.play.play_data import PADDING, PlayData
from workings.program.program import Program
from workings.support.arrays import Array
from workings.support.json_values import JsonObject

SIDE, UNIT_SIDE = 72, 36  # points along each side of the map of the prediction, and of the maps of units
MIDDLE, LARGEST = 128, 127


def encoded(array: Array) -> str:
    """Return the bytes of an array as base64 text."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")


def decoded(content: str) -> bytes:
    """Return the bytes of base64 text.

    >>> decoded("aGk=")
    b'hi'
    """
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("The content of a file must be base64 text.") from error


def number(value: float) -> float | None:
    """Return a finite number, or None, which JSON can hold.

    >>> number(1.5), number(float("nan"))
    (1.5, None)
    """
    return value if np.isfinite(value) else None


def single(array: Array) -> Array:
    """Return an array in float32; larger numbers become the largest one.

    >>> single(np.array([1.5, 1e300])).tolist()
    [1.5, 3.4028234663852886e+38]
    """
    largest = np.finfo(np.float32).max
    return np.clip(array, -largest, largest).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane through the input space: two columns vary, the others keep their means.

    Attributes
    ----------
    axes : (int, int)
        The columns that vary.
    low, high : arrays of shape (2,)
        The ends of the plane along both.
    inputs : array of shape (SIDE², features), float32
        The inputs of the network at each point, row by row from the top left.
    """

    axes: tuple[int, int]
    low: Array
    high: Array
    inputs: Array

    @classmethod
    def of(cls, data: PlayData, axes: tuple[int, int] = (0, 1)) -> Plane:
        """Return the plane that shows all points of the data."""
        chosen = data.raw[:, list(axes)].astype(np.float64)
        low, high = chosen.min(axis=0), chosen.max(axis=0)
        middle, half = (low + high) / 2, (0.5 + PADDING) * np.maximum(high - low, 1e-6)
        if data.columns == ("x1", "x2"):
            half[:] = half.max()  # a square, so that circles are round
        low, high = middle - half, middle + half
        grid = np.tile(data.raw.mean(axis=0), (SIDE * SIDE, 1))
        grid[:, axes[0]] = np.tile(np.linspace(low[0], high[0], SIDE), SIDE)
        grid[:, axes[1]] = np.repeat(np.linspace(high[1], low[1], SIDE), SIDE)
        return cls(axes, low, high, np.ascontiguousarray(data.inputs(grid), dtype=np.float32))


def unit_names(program: Program) -> list[str]:
    """Return the names of the values that each Dense layer but the first gets: the hidden units, layer by layer.

    >>> from workings import Dense, Network
    >>> unit_names(Network([Dense(3, "tanh"), Dense(1)], loss="SquaredError", n_in=2).inference)
    ['a1']
    """
    names = []
    for statement in program.statements:
        for node in ast.walk(statement.tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult) and isinstance(node.left, ast.Name):
                names.append(node.left.id)
    return names[1:]


class Maps:
    """Draws the heat maps of one model over one plane; images have no plane, and no maps."""

    def __init__(self, model: Model, plane: Plane | None) -> None:
        self.model, self.plane = model, plane
        self.units = unit_names(model.inference)
        results = [*self.units, "p"]
        self.runner = Runner(model.inference.needed_for(*results), results, "maps")

    def values_at(self, inputs: Array) -> list[Array]:
        """Return the values of the hidden units of each layer, and the prediction, for rows of inputs."""
        state = {**self.model.parameters, **self.model.statistics}
        values = {name: single(value) for name, value in state.items()}
        return list(self.runner({**values, "X": inputs.astype(np.float32)}))

    def draw(self, low: float, high: float) -> JsonObject | None:
        """Return all maps as bytes; ``low`` and ``high`` are the ends of the scale of the prediction."""
        if self.plane is None:
            return None
        *units, p = self.values_at(self.plane.inputs)
        hidden = [signed_bytes(thinned(layer)) for layer in units]
        return {"units": [encoded(layer) for layer in hidden], "output": encoded(scaled_bytes(p, low, high))}


def thinned(layer: Array) -> Array:
    """Return every second point in both directions, of shape (units, UNIT_SIDE²)."""
    step = SIDE // UNIT_SIDE
    square = layer.reshape(SIDE, SIDE, -1)[::step, ::step]
    return np.ascontiguousarray(square.reshape(UNIT_SIDE * UNIT_SIDE, -1).T)


def signed_bytes(maps: Array) -> Array:
    """Return maps of shape (units, points) as bytes: 128 is 0, each map uses the full range.

    >>> signed_bytes(np.array([[-2.0, 0.0, 1.0]])).tolist()
    [[1, 128, 192]]
    """
    maps = np.nan_to_num(maps)
    largest = np.abs(maps).max(axis=1, keepdims=True)
    return as_bytes(MIDDLE + LARGEST * (maps / np.maximum(largest, 1e-9)))


def scaled_bytes(p: Array, low: float, high: float) -> Array:
    """Return predictions of shape (points, outputs) as bytes of shape (outputs, points), 0 at ``low``, 255 at ``high``.

    >>> scaled_bytes(np.array([[0.0], [0.5], [1.0]]), 0, 1).tolist()
    [[0, 128, 255]]
    """
    return as_bytes(255 * ((np.clip(p.T, low, high) - low) / max(high - low, 1e-9)))


def as_bytes(values: Array) -> Array:
    """Round to bytes; a value that is not finite becomes the middle."""
    finite = np.nan_to_num(values, nan=MIDDLE, posinf=255, neginf=0)
    return np.clip(np.round(finite), 0, 255).astype(np.uint8)


# -- views for the page ---------------------------------------------------------------------


def scale_of(data: PlayData) -> tuple[float, float]:
    """Return the ends of the scale of predictions: 0 and 1 for classes, the range of the targets for numbers."""
    if data.classes:
        return 0.0, 1.0
    return float(data.y.min()), float(data.y.max())


def data_view(data: PlayData, plane: Plane | None, axes: tuple[int, int] = (0, 1)) -> JsonObject:
    """Return data for the page: points, labels, names, and the ends of the plane."""
    low, high = (plane.low, plane.high) if plane is not None else (np.zeros(2), np.ones(2))
    return {
        "name": data.name,
        "words": data.words,
        "columns": list(data.columns),
        "classes": list(data.classes),
        "features": list(data.features),
        "offered": list(data.offered),
        "training": data.training,
        "rows": len(data.y),
        "axes": list(axes),
        "low": low.tolist(),
        "high": high.tolist(),
        "points": encoded(data.raw[:, list(axes)].astype(np.float32)),
        "targets": encoded(data.y.astype(np.float32)),
        "image_side": data.side,
        "target_range": list(scale_of(data)),
    }


def picture_of(model: Model, data: PlayData) -> JsonObject:
    """Return the prediction of a network over the plane of its two inputs, with the points, for the page."""
    plane = Plane.of(data)
    with np.errstate(all="ignore"):
        maps = Maps(model, plane).draw(*scale_of(data))
    assert maps is not None  # only images have none
    names = list(data.classes) if model.n_out == len(data.classes) else ["p"] * model.n_out
    return {"data": data_view(data, plane), "outputs": names, "side": SIDE, "map": maps["output"]}
