"""Initializers: the first weights.

Too large, and the units saturate or the numbers explode from layer to layer; too small, and they
fade; all equal, and every unit learns the same.  An initializer takes a source of random numbers
and a shape, (fan_in, fan_out) for weights, and gives the first values.  The scaled ones keep the
spread of the signal about the same from layer to layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, unknown_name
from workings.support.arrays import Array, RandomSource, Values, describe

Shape = tuple[int, ...]
Initializer = Callable[[RandomSource, Shape], Array]
InitializerLike = Initializer | ArrayLike | str | None


@dataclass(frozen=True)
class Normal:
    """Numbers from a normal distribution of mean 0: ``std`` · randn."""

    std: float = 0.01

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True)
class Uniform:
    """Numbers drawn evenly from ``low`` to ``high``."""

    low: float = -0.05
    high: float = 0.05

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return self.low + (self.high - self.low) * rng.random(shape)


@dataclass(frozen=True)
class GlorotNormal:
    """Variance 2 / (fan_in + fan_out), for tanh and sigmoid (Glorot & Bengio 2010)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) * np.sqrt(2 / sum(shape))


@dataclass(frozen=True)
class GlorotUniform:
    """Evenly from ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(6 / sum(shape))


@dataclass(frozen=True)
class GlorotUniformOf:
    """Evenly from ±√(factor / fans): Glorot's for a layer whose fan_in + fan_out is given, for its biases too.

    scikit-learn draws so, with a ``factor`` of 2 in networks of the logistic sigmoid.
    """

    fans: int
    factor: float = 6.0

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(self.factor / self.fans)


@dataclass(frozen=True)
class HeNormal:
    """Variance 2 / fan_in, for the ReLU family (He et al. 2015, eq. 10)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) * np.sqrt(2 / shape[0])


@dataclass(frozen=True)
class HeUniform:
    """Evenly from ±√(6 / fan_in), of the same variance as ``HeNormal``."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(6 / shape[0])


@dataclass(frozen=True)
class LeCunNormal:
    """Variance 1 / fan_in: randn / √fan_in (LeCun et al. 1998, eq. 16)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) / np.sqrt(shape[0])


@dataclass(frozen=True)
class LeCunUniform:
    """Evenly from ±√(3 / fan_in), of the same variance as ``LeCunNormal``."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(3 / shape[0])


@dataclass(frozen=True)
class Zeros:
    """All 0: right for biases, and never for the weights of a hidden layer."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return np.zeros(shape)


@dataclass(frozen=True)
class Constant:
    """All the same ``value``."""

    value: float = 0.0

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class Given:
    """Just these numbers, whose shape must fit."""

    values: Array = field(compare=False)

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        if self.values.shape != shape:
            raise InputError(f"The given values have shape {self.values.shape}, but the layer needs {shape}.")
        return self.values.copy()


INITIALIZERS: dict[str, Callable[[], Initializer]] = {
    "normal": Normal,
    "uniform": Uniform,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "lecun_normal": LeCunNormal,
    "lecun_uniform": LeCunUniform,
    "zeros": Zeros,
    "constant": Constant,
}


def initializer_of(given: InitializerLike, default: str) -> Initializer:
    """Make an initializer of a name, an array, an initializer, or None (for the default's name).

    >>> initializer_of(None, "he_normal")
    HeNormal()
    >>> initializer_of([[1.0, 2.0]], "zeros")(np.random.default_rng(0), (1, 2))
    array([[1., 2.]])
    """
    if given is None:
        return INITIALIZERS[default]()
    if isinstance(given, str):
        if given not in INITIALIZERS:
            raise unknown_name("initializer", given, INITIALIZERS)
        return INITIALIZERS[given]()
    if callable(given):
        return given
    array = np.array(given)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"First values must be finite numbers, not {describe(given)}.")
    return Given(array.astype(np.float64))
