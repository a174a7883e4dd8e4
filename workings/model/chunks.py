"""Prediction: run a program on many rows in chunks, to limit memory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Stretch
from workings.engines.reference import Runner
from workings.layers import Layer
from workings.support.arrays import Array, Features
from workings.support.sparse import DENSE_AT_ONCE, SparseRows

if TYPE_CHECKING:
    from workings.engines.jax import JaxRunner

CHUNK = 2**22  # maximum bytes of intermediate results per chunk
FEWEST_ROWS = 64  # minimum rows per chunk, for wide networks
PREDICTED_AT_ONCE = 2**18  # rows that compiled code predicts before Python can react to Ctrl-C


def rows_in_chunk(layers: Sequence[Layer], n_in: int, itemsize: int) -> int:
    """Return the number of rows per chunk."""
    width, widths = n_in, 0
    for layer in layers:
        width = layer.width(width)
        widths += 2 * width  # z and a
    return max(CHUNK // (widths * itemsize), FEWEST_ROWS)


def in_chunks(run: Runner | JaxRunner, values: Mapping[str, object], size: int, **data: Features) -> list[Array]:
    """Run a program on chunks of ``size`` rows; return each of its results for all rows."""
    X, n = data["X"], len(data["X"])
    if isinstance(X, SparseRows) and not run.multiplies_X:  # then each chunk becomes dense
        size = max(min(size, DENSE_AT_ONCE * n // X.dense_bytes), 1)
    whole: list[Array] = []
    for start in range(0, n, size):
        chunk = {name: array[start : start + size] for name, array in data.items()}
        results = run({**values, **chunk, "n": len(chunk["X"])})
        whole = whole or [np.empty((n, *result.shape[1:]), result.dtype) for result in results]
        for array, result in zip(whole, results, strict=True):
            array[start : start + size] = result
    return whole


def pieces(n: int) -> list[slice]:
    """Return the pieces of n rows that compiled code predicts at once, so that Ctrl-C takes effect between them.

    >>> pieces(300_000)
    [slice(0, 150000, None), slice(150000, 300000, None)]
    """
    count = math.ceil(n / PREDICTED_AT_ONCE)
    bounds = [n * piece // count for piece in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def compiled_outputs(engine: CompiledEngine, X: Array, p: Array, values: Mapping[str, Array]) -> Array:
    """Fill ``p`` with the predictions of compiled code, in pieces."""
    for piece in pieces(len(X)):
        rows, part = X[piece], p[piece]
        engine.run(Stretch(rows, part, [(0, len(rows))], [0.0], 1, outputs={"p": part[None]}), dict(values))
    return p
