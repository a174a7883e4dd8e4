"""Layers: what comes in, what goes out, and how the gradient comes back.

A layer is a description; its numbers live in the network.  Its formulas are plain functions in the
textbook's letters: ``x`` comes in, ``z`` goes out (and through the activation as ``a``), ``dz``
comes back as ``dx``.  A formula takes the letters it needs as arguments and gives those it names in
its ``return``; the backward formula may use what the forward one computed.  The comment above a
line is what the readings say about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from workings.activations import Activation, activation_named
from workings.errors import InputError
from workings.initializers import InitializerLike, initializer_of
from workings.support.arrays import Array, RandomSource, Values, describe

Formula = Callable[..., Any]


def chain_rule(da: Values, slope: Values) -> Values:
    """is the gradient behind the activation times the activation's slope"""
    return da * slope


def dense(x: Array, W: Array, b: Array) -> Array:
    """is each unit's weighted sum of its inputs, plus its bias"""
    return x @ W + b


def dense_backward(x: Array, W: Array, dz: Array) -> tuple[Array, Array, Array]:
    # Each weight's gradient: its input times its unit's gradient, added over the rows.
    dW = x.T @ dz
    # Each bias's gradient: its unit's gradient, added over the rows.
    db = dz.sum(axis=0)
    # Each input's gradient: the gradients of the units it feeds, by their weights.
    dx = dz @ W.T
    return dW, db, dx


def dense_without_bias(x: Array, W: Array) -> Array:
    """is each unit's weighted sum of its inputs"""
    return x @ W


def dense_without_bias_backward(x: Array, W: Array, dz: Array) -> tuple[Array, Array]:
    # Each weight's gradient: its input times its unit's gradient, added over the rows.
    dW = x.T @ dz
    # Each input's gradient: the gradients of the units it feeds, by their weights.
    dx = dz @ W.T
    return dW, dx


def dropout(x: Array, mask: Array) -> Array:
    """are the inputs with some set to 0 and the others enlarged to make up for it"""
    return x * mask


def dropout_inference(x: Array) -> Array:
    """are the inputs as they are"""
    return x


def dropout_mask(u: Array, rate: float) -> Array:
    """is 0 with probability ``rate``, else 1 / (1 - rate), for ``u`` drawn evenly from 0..1"""
    return (u >= rate) / (1 - rate)


def dropout_backward(dz: Array, mask: Array) -> Array:
    # What was dropped has no part in the loss.
    dx = dz * mask
    return dx


def standard_deviation(variance: Array, eps: float) -> Array:
    """is the root of the variance, kept from 0 by eps"""
    return np.sqrt(variance + eps)


def normalized(x: Array, mean: Array, variance: Array, eps: float) -> Array:
    """are the inputs, each column with mean 0 and variance 1"""
    return (x - mean) / standard_deviation(variance, eps)


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    # Each column's mean over the batch.
    mean = x.mean(axis=0)
    # Each column's variance over the batch.
    variance = x.var(axis=0)
    # Each column with mean 0 and variance 1.
    x_hat = normalized(x, mean, variance, eps)
    # Scaled and moved by what the layer learns.
    z = gamma * x_hat + beta
    return z


def batch_norm_backward(x_hat: Array, variance: Array, gamma: Array, eps: float, dz: Array) -> tuple[Array, ...]:
    # Each scale's gradient, added over the rows.
    dgamma = (dz * x_hat).sum(axis=0)
    # Each shift's gradient, added over the rows.
    dbeta = dz.sum(axis=0)
    # The gradient of the normalized inputs.
    dx_hat = dz * gamma
    # Mean and variance depend on every row too, which takes off these two means.
    dx = (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / standard_deviation(variance, eps)
    return dgamma, dbeta, dx


def batch_norm_inference(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_variance: Array, eps: float
) -> Array:
    """are the inputs normalized with the running statistics, scaled and moved"""
    return gamma * normalized(x, running_mean, running_variance, eps) + beta


def running_mean(running_mean: Array, mean: Array, momentum: float) -> Array:
    """moves a little towards this batch's mean"""
    return (1 - momentum) * running_mean + momentum * mean


def running_variance(running_variance: Array, variance: Array, momentum: float, n: int) -> Array:
    """moves a little towards this batch's variance, made unbiased by n / (n - 1)"""
    return (1 - momentum) * running_variance + momentum * variance * n / (n - 1)


@dataclass(frozen=True)
class Layer:
    """What the network and its program ask of a layer: letters, formulas, constants, first values."""

    regularized: ClassVar[tuple[str, ...]] = ()  # the letters of the parameters that a regularizer acts on
    statistics: ClassVar[Mapping[str, Formula]] = {}  # the letters of running values, each with what moves it
    draws: ClassVar[tuple[str, ...]] = ()  # the letters of what is drawn anew for each step
    fewest_rows: ClassVar[int] = 1  # that a batch must have

    @property
    def parameters(self) -> tuple[str, ...]:
        """The letters of what training changes."""
        return ()

    @property
    def formulas(self) -> Mapping[str, Formula]:
        """The formulas by name: ``forward``, ``backward`` and ``inference``."""
        raise NotImplementedError

    @property
    def bend(self) -> Activation:
        """The activation that follows the layer's own formula."""
        return activation_named(getattr(self, "activation", "identity"))

    @property
    def constants(self) -> dict[str, float]:
        """The numbers that the formulas take by name."""
        return {}

    def width(self, n_in: int) -> int:
        """How many columns go out when ``n_in`` come in."""
        return n_in

    def output_name(self, x: str, number: str) -> str:
        """What its result is called in the program: by default after what went in."""
        return f"{x}_{type(self).__name__.lower()}"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter and statistic, by letter."""
        return {}

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        """The first value of each parameter and statistic, by letter."""
        return {}

    def draw(self, rng: RandomSource, n: int, n_in: int) -> dict[str, Array]:
        """What the layer wants drawn for ``n`` rows, by letter."""
        return {}


@dataclass(frozen=True)
class Dense(Layer):
    """Every input to every unit: a = activation(x W + b).

    Parameters
    ----------
    units : int
        How many units; the layer takes (n, n_in) and gives (n, units).
    activation : str or Activation
        By name, or a record of your own; ``"identity"`` by default, which the last layer needs.
    bias : bool
        Whether there is a ``b``.
    weights, biases : initializer, its name, an array, or None
        The first values: ``W`` has shape (n_in, units), ``b`` (units,).  By default He's for the
        ReLU family, LeCun's for SELU, Glorot's for all others, and biases 0.

    Raises
    ------
    InputError
        If the number of units is not a whole number from 1, or a name is not known.

    Examples
    --------
    >>> Dense(32, "relu").width(n_in=784)
    32
    """

    units: int
    activation: str | Activation = "identity"
    bias: bool = field(default=True, kw_only=True)
    weights: InitializerLike = field(default=None, kw_only=True, compare=False)
    biases: InitializerLike = field(default=None, kw_only=True, compare=False)

    regularized = ("W",)

    def __post_init__(self) -> None:
        if isinstance(self.units, bool) or not isinstance(self.units, (int, np.integer)) or self.units < 1:
            raise InputError(f"Dense needs a whole number of units, at least 1, not {describe(self.units)}.")
        initializer_of(self.weights, self.bend.initializer)
        initializer_of(self.biases, "zeros")

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("W", "b") if self.bias else ("W",)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        if self.bias:
            return {"forward": dense, "backward": dense_backward, "inference": dense}
        return {
            "forward": dense_without_bias,
            "backward": dense_without_bias_backward,
            "inference": dense_without_bias,
        }

    def width(self, n_in: int) -> int:
        return self.units

    def output_name(self, x: str, number: str) -> str:
        return f"z{number}"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        W, b = (n_in, self.units), (self.units,)
        return {"W": W, "b": b} if self.bias else {"W": W}

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        first = {"W": (self.weights, self.bend.initializer), "b": (self.biases, "zeros")}
        found = {letter: initializer_of(*first[letter])(rng, shape) for letter, shape in self.shapes(n_in).items()}
        for letter, shape in self.shapes(n_in).items():
            if np.shape(found[letter]) != shape:
                raise InputError(
                    f"The initializer of {letter} gave shape {np.shape(found[letter])}; {self!r} needs {shape}."
                )
        return found

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"Dense({self.units}, {self.bend.name!r}{bias})"


@dataclass(frozen=True)
class Dropout(Layer):
    """While training, sets each input to 0 with probability ``rate`` (Srivastava et al. 2014).

    The inputs that stay are divided by 1 - ``rate`` ("inverted" dropout), so that nothing needs to
    change when the network predicts.  The masks are drawn from the network's seed.

    Examples
    --------
    >>> Dropout(0.5).draw(np.random.default_rng(0), n=1, n_in=4)["mask"]
    array([[2., 0., 0., 0.]])
    """

    rate: float = 0.5

    draws = ("mask",)

    def __post_init__(self) -> None:
        if isinstance(self.rate, bool) or not isinstance(self.rate, (int, float)) or not 0 <= self.rate < 1:
            raise InputError(f"Dropout's rate must be at least 0 and below 1, not {self.rate!r}.")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": dropout, "backward": dropout_backward, "inference": dropout_inference}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_drop"

    def draw(self, rng: RandomSource, n: int, n_in: int) -> dict[str, Array]:
        return {"mask": dropout_mask(rng.random((n, n_in)), self.rate)}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Gives each column mean 0 and variance 1 over the batch, then a learned scale and shift.

    For predictions it uses running statistics, which move towards each batch's by ``momentum``
    (PyTorch's meaning: 0.1 moves a tenth; Keras calls the same setting 0.9).  An activation may
    follow, as after ``Dense``: ``Dense(32), BatchNorm("relu")``.  Source: Ioffe & Szegedy 2015,
    algorithms 1 and 2.

    Examples
    --------
    >>> BatchNorm("relu").shapes(n_in=3)["gamma"], BatchNorm().fewest_rows
    ((3,), 2)
    """

    activation: str | Activation = "identity"
    momentum: float = field(default=0.1, kw_only=True)
    eps: float = field(default=1e-5, kw_only=True)

    statistics = {"running_mean": running_mean, "running_variance": running_variance}
    fewest_rows = 2

    def __post_init__(self) -> None:
        activation_named(self.activation)
        if isinstance(self.eps, bool) or not isinstance(self.eps, (int, float)) or not 0 < self.eps <= 1:
            raise InputError(f"BatchNorm's eps must be a small positive number, not {self.eps!r}.")
        if not isinstance(self.momentum, (int, float)) or not 0 < self.momentum <= 1:
            raise InputError(f"BatchNorm's momentum must be above 0 and at most 1, not {self.momentum!r}.")

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("gamma", "beta")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": batch_norm, "backward": batch_norm_backward, "inference": batch_norm_inference}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_norm"

    @property
    def constants(self) -> dict[str, float]:
        return {"momentum": self.momentum, "eps": self.eps}

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys((*self.parameters, *self.statistics), (n_in,))

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        first = {"gamma": 1.0, "beta": 0.0, "running_mean": 0.0, "running_variance": 1.0}
        return {letter: np.full(shape, first[letter]) for letter, shape in self.shapes(n_in).items()}

    def __repr__(self) -> str:
        return f"BatchNorm({self.bend.name!r})"


def numbered(layers: Iterable[Layer]) -> Iterator[tuple[Layer, str]]:
    """Number the layers of each kind from 1, so that W1 belongs to the first one that has weights.

    >>> [number for _, number in numbered([Dense(3), Dropout(0.5), Dense(2)])]
    ['1', '1', '2']
    """
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    for layer in layers:
        kind, letters = type(layer).__name__, (*layer.parameters, *layer.statistics, *layer.draws)
        counts[kind] += 1
        while any(f"{letter}{counts[kind]}" in taken for letter in letters):
            counts[kind] += 1  # another kind of layer has the same letter
        taken.update(f"{letter}{counts[kind]}" for letter in letters)
        yield layer, str(counts[kind])


LAYERS: dict[str, type[Layer]] = {kind.__name__: kind for kind in (Dense, Dropout, BatchNorm)}
