"""A bound on the effect of rounding on a network's predictions, from the arithmetic of its statements.

Each addition of a sum rounds the partial sum that it makes, by at most ``u`` times its size; u is half the distance
from 1 to the next number.  Of k terms t in random order with the sum s, the square of a partial sum is on average at
most s² + Σt², and rounding errors are about independent.  So the sum's error is about √k · u · √(s² + Σt²), in whatever
order a file adds (Higham and Mary, "Sharper probabilistic backward error analysis for basic linear algebra kernels with
random data", SIAM J. Sci. Comput. 42, 2020).

Each result of the statements is changed by its error, with a random sign, and the statements carry the changes on to
the predictions (Parker, "Monte Carlo arithmetic", 1997).  So the bound holds at the magnitudes of this network, for a
user's functions as for our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from workings.engines.reference import Runner
from workings.model.model import Model
from workings.support.arrays import Array, Values

DRAWS = 3  # random changes of the same rows
ELEMENTWISE = 2  # rounding errors of a function such as exp, which differs between libraries in the last digit
EXACT = frozenset((np.maximum, np.minimum, np.negative, np.positive, np.absolute, np.sign, np.floor, np.ceil))


class Inexact(np.ndarray[tuple[int, ...], np.dtype[np.float64]]):
    """Float64 numbers that change each result by the rounding error of another precision, with a random sign."""

    unit: float = 0.0
    rng: np.random.Generator

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: ArrayLike, **kwargs: object) -> object:
        plain = [np.asarray(value) for value in inputs]
        settings = {name: value for name, value in kwargs.items() if name != "out"}
        result = getattr(ufunc, method)(*plain, **settings)
        if getattr(result, "dtype", None) != np.float64:  # a comparison
            return result
        if ufunc not in EXACT:
            error = self.unit * error_bound(ufunc, method, plain, settings, result)
            result = result + error * self.rng.choice((-1.0, 1.0), np.shape(result))
        return np.asarray(result).view(type(self))


def error_bound(
    function: np.ufunc, method: str, given: list[Array], settings: Mapping[str, Any], result: Array
) -> Values:
    """Return the bound on the error of each result, in units of the rounding error."""
    if function is np.matmul:
        return np.sqrt(given[0].shape[-1] * (result**2 + given[0] ** 2 @ given[1] ** 2))
    if function is np.add and method == "reduce":
        terms = given[0].size / max(np.size(result), 1)
        return np.sqrt(terms * (result**2 + np.add.reduce(given[0] ** 2, **settings)))
    return ELEMENTWISE * np.abs(result)


def rounded_outputs(network: Model, X: Array) -> tuple[Array, list[Array]]:
    """Return a network's outputs in float64, and the same with the rounding errors of the network's dtype.

    Outputs that are not finite have no rounding errors.

    Raises
    ------
    TypeError, ValueError
        By a function of a user that does not accept such arrays.
    """
    kind = type("Rounded", (Inexact,), {"unit": np.finfo(network.dtype).eps / 2, "rng": np.random.default_rng(0)})
    run = Runner(network.inference.needed_for("p"), ["p"], "rounding errors")
    arrays = {**network.parameters, **network.statistics, "X": X}
    values = {name: array.astype(np.float64) for name, array in arrays.items()}
    inexact: dict[str, object] = {name: array.view(kind) for name, array in values.items()}
    exact = np.asarray(run({**values, "n": len(X)})[0])
    found = [np.asarray(run({**inexact, "n": len(X)})[0]) for _ in range(DRAWS)]
    return exact, [np.where(np.isfinite(exact), each, exact) for each in found]
