"""Parameters: named views of one flat vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, unknown_name
from workings.support.arrays import Array, as_finite
from workings.support.conversion import as_array


class Parameters(Mapping[str, Array]):
    """Named views of one flat vector; writing to a name writes into the vector.

    >>> parameters = Parameters({"W1": (2, 1), "b1": (1,)}, np.array([1.0, 2.0, 3.0]))
    >>> parameters["b1"] = 5.0
    >>> parameters["W1"][1, 0] = 7.0
    >>> parameters.theta
    array([1., 7., 5.])
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], theta: Array) -> None:
        # Arrays in a file that joblib maps into memory are read-only, and training writes into them.
        theta = theta if theta.flags.writeable else np.array(theta)
        self.shapes, self.theta = dict(shapes), theta
        self.views: dict[str, Array] = {}
        start = 0
        for name, shape in self.shapes.items():
            stop = start + math.prod(shape)
            self.views[name] = theta[start:stop].reshape(shape)
            start = stop

    def __getitem__(self, name: str) -> Array:
        if name not in self.views:
            raise KeyError(str(unknown_name("parameter", name, self.views)))
        return self.views[name]

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        view = self[name]
        array = as_array(value, name)
        if array.ndim and array.shape != view.shape:
            raise InputError(f"{name} has shape {view.shape}; the new value has {array.shape}.")
        view[...] = as_finite(array, view.dtype, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.views)

    def __len__(self) -> int:
        return len(self.views)

    def __reduce__(self) -> tuple[object, ...]:
        return Parameters, (self.shapes, self.theta)

    def __repr__(self) -> str:
        return f"Parameters({', '.join(f'{name}: {shape}' for name, shape in self.shapes.items())})"
