"""Initializers: the initial weights and biases.

If initial weights are too large, units saturate or values explode from layer to layer; if they are too small,
values vanish; if they are equal, all units learn the same.  An initializer takes a random generator and a
shape, (fan_in, fan_out) for weights, and returns the initial values.  The scaled ones keep the variance of
the activations about the same from layer to layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from workings.errors import InputError, unknown_name
from workings.support.arrays import Array, RandomSource, Values, describe
from workings.support.conversion import as_array
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import check_fields, number, whole_number

Shape = tuple[int, ...]
Initializer = Callable[[RandomSource, Shape], Array]
InitializerLike = Initializer | ArrayLike | str | None


@dataclass(frozen=True)
class Normal(CheckedKeywords):
    """A normal distribution with mean 0 and standard deviation ``std``."""

    std: float = field(default=0.01, metadata=number())

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True)
class Uniform(CheckedKeywords):
    """A uniform distribution from ``low`` to ``high``."""

    low: float = field(default=-0.05, metadata=number())
    high: float = field(default=0.05, metadata=number())

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return self.low + (self.high - self.low) * rng.random(shape)


@dataclass(frozen=True)
class GlorotNormal(CheckedKeywords):
    """A normal distribution with variance 2 / (fan_in + fan_out), for tanh and sigmoid (Glorot & Bengio 2010)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) * np.sqrt(2 / sum(shape))


@dataclass(frozen=True)
class GlorotUniform(CheckedKeywords):
    """A uniform distribution on ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(6 / sum(shape))


@dataclass(frozen=True)
class GlorotUniformOf(CheckedKeywords):
    """A uniform distribution on ±√(factor / fans), where ``fans`` is fan_in + fan_out; for weights and biases.

    scikit-learn uses it, with a ``factor`` of 2 in networks with the logistic sigmoid.
    """

    fans: int = field(metadata=whole_number(at_least=1))
    factor: float = field(default=6.0, metadata=number(at_least=0))

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(self.factor / self.fans)


@dataclass(frozen=True)
class HeNormal(CheckedKeywords):
    """A normal distribution with variance 2 / fan_in, for the ReLU family (He et al. 2015, eq. 10)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) * np.sqrt(2 / shape[0])


@dataclass(frozen=True)
class HeUniform(CheckedKeywords):
    """A uniform distribution on ±√(6 / fan_in), with the variance of ``HeNormal``."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(6 / shape[0])


@dataclass(frozen=True)
class LeCunNormal(CheckedKeywords):
    """A normal distribution with variance 1 / fan_in (LeCun et al. 1998, eq. 16)."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return rng.standard_normal(shape) / np.sqrt(shape[0])


@dataclass(frozen=True)
class LeCunUniform(CheckedKeywords):
    """A uniform distribution on ±√(3 / fan_in), with the variance of ``LeCunNormal``."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return (2 * rng.random(shape) - 1) * np.sqrt(3 / shape[0])


@dataclass(frozen=True)
class Zeros(CheckedKeywords):
    """All zeros: for biases, but not for the weights of a hidden layer."""

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return np.zeros(shape)


@dataclass(frozen=True)
class Constant(CheckedKeywords):
    """The same ``value`` everywhere."""

    value: float = field(default=0.0, metadata=number())

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, rng: RandomSource, shape: Shape) -> Values:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class Given(CheckedKeywords):
    """Given initial values, whose shape must match."""

    values: Array = field(compare=False)

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        if self.values.shape != shape:
            raise InputError(f"The given values have shape {self.values.shape}, but the layer needs {shape}.")
        return self.values.copy()


@dataclass(frozen=True)
class Membership(CheckedKeywords):
    """1 where an input and a unit belong to the same group, else 0.

    ``inputs`` and ``units`` hold the number of inputs and of units of each group; the units stand ``repeats`` times
    side by side.

    >>> Membership((2, 1), (1, 2))(np.random.default_rng(0), (3, 3))
    array([[1., 0., 0.],
           [1., 0., 0.],
           [0., 1., 1.]])
    """

    inputs: tuple[int, ...]
    units: tuple[int, ...]
    repeats: int = 1

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        return np.tile(
            np.repeat(np.repeat(np.eye(len(self.inputs)), self.inputs, axis=0), self.units, axis=1), (1, self.repeats)
        )


@dataclass(frozen=True)
class Runs(CheckedKeywords):
    """Each of the ``values`` as often as ``counts`` says.

    >>> Runs((0, 1), (1, 3))(np.random.default_rng(0), (4,))
    array([0., 1., 1., 1.])
    """

    values: tuple[float, ...]
    counts: tuple[int, ...]

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        return np.repeat(self.values, self.counts).astype(float)


@dataclass(frozen=True)
class NormalOrOne(CheckedKeywords):
    """A normal distribution with standard deviation ``std`` where ``Runs(values, counts)`` is 1, and 1 elsewhere."""

    std: float
    values: tuple[int, ...]
    counts: tuple[int, ...]

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        return np.where(np.repeat(self.values, self.counts), self.std * rng.standard_normal(shape), 1.0)


@dataclass(frozen=True)
class UniformTurn(CheckedKeywords):
    """A uniform distribution on -1/2 to 1/2 where ``Runs(values, counts)`` is 1, and 0 elsewhere."""

    values: tuple[int, ...]
    counts: tuple[int, ...]

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        return np.repeat(self.values, self.counts) * (rng.random(shape) - 0.5)


@dataclass(frozen=True)
class UniformInGroups(CheckedKeywords):
    """A uniform distribution on ±1 / √fan_in within groups, and 0 elsewhere; fan_in is the number of a group's inputs.

    The weight of a group with one input and one unit starts at 1.  ``inputs`` and ``units`` are as for ``Membership``.
    """

    inputs: tuple[int, ...]
    units: tuple[int, ...]

    def __call__(self, rng: RandomSource, shape: Shape) -> Array:
        return np.repeat(np.repeat(np.eye(len(self.inputs)), self.inputs, axis=0), self.units, axis=1) * np.where(
            np.repeat(np.multiply(self.inputs, self.units) == 1, self.units),
            1.0,
            (2 * rng.random(shape) - 1) / np.sqrt(np.repeat(self.inputs, self.units)),
        )


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
    """Return the initializer for a name, an array, an initializer, or None (the default).

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
    array = as_array(given, "weights")
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise InputError(f"Initial values must be finite numbers, not {describe(given)}.")
    return Given(array.astype(np.float64))
