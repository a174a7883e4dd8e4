"""Layers: the formulas of the forward and the backward pass of each kind of layer.

A layer is an immutable description; the network holds the parameters.  The formulas are plain functions in
standard notation: ``x`` is the input, ``z`` the output, ``a`` the output after the activation; ``dz`` is the
upstream gradient, ``dx`` the gradient of the input.  A formula takes the letters it needs as arguments and
returns results by their letters; the backward formula may use values of the forward formula.  Scripts and
worked steps print the comment above a line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import ClassVar

import numpy as np

from workings.activations import Activation, activation_named
from workings.errors import InputError, unknown_name
from workings.initializers import (
    Given,
    Initializer,
    InitializerLike,
    Membership,
    Normal,
    NormalOrOne,
    Runs,
    UniformInGroups,
    UniformTurn,
    initializer_of,
)
from workings.support.arrays import Array, RandomSource, Values, describe
from workings.support.keywords import CheckedKeywords
from workings.support.ranges import as_whole_number, check_fields, number, whole_number

Formula = Callable[..., Values]
FULL_TURN = 2 * math.pi
PHASES = ("random", "quarters")
UNBOUNDED = float(np.finfo(np.float32).max)  # a bound that is never reached, and that a file can hold


def chain_rule(da: Values, slope: Values) -> Values:
    """is the upstream gradient times the activation's derivative"""
    return da * slope


def dense(x: Array, W: Array, b: Array) -> Array:
    """is each unit's weighted sum of its inputs plus its bias"""
    return x @ W + b


def dense_backward(x: Array, W: Array, dz: Array) -> tuple[Array, Array, Array]:
    # The gradient of the weights: each input times each unit's gradient, summed over the rows.
    dW = x.T @ dz
    # The gradient of the biases: each unit's gradient, summed over the rows.
    db = dz.sum(axis=0)
    # The gradient of the inputs: the sum over the units of gradient times weight.
    dx = dz @ W.T
    return dW, db, dx


def dense_without_bias(x: Array, W: Array) -> Array:
    """is each unit's weighted sum of its inputs"""
    return x @ W


def dense_without_bias_backward(x: Array, W: Array, dz: Array) -> tuple[Array, Array]:
    # The gradient of the weights: each input times each unit's gradient, summed over the rows.
    dW = x.T @ dz
    # The gradient of the inputs: the sum over the units of gradient times weight.
    dx = dz @ W.T
    return dW, dx


def ntk_dense(x: Array, W: Array, b: Array) -> Values:
    """is each unit's weighted sum of its inputs, divided by the root of their number, plus its bias"""
    return x @ W / W.shape[0] ** 0.5 + b


def ntk_dense_backward(x: Array, W: Array, dz: Array) -> tuple[Array, Array, Array]:
    # The gradient of the weighted sums before the division.
    dz_divided = dz / W.shape[0] ** 0.5
    # The gradient of the weights: each input times each unit's gradient, summed over the rows.
    dW = x.T @ dz_divided
    # The gradient of the biases: each unit's gradient, summed over the rows.
    db = dz.sum(axis=0)
    # The gradient of the inputs: the sum over the units of gradient times weight.
    dx = dz_divided @ W.T
    return dW, db, dx


def ntk_weights(W: Array) -> Values:
    """are the weights of a Dense layer with the same outputs as an NTKDense"""
    return W / W.shape[0] ** 0.5


def scaled_weights(W: Array, s: Array) -> Array:
    """are the weights of a layer that also scales its inputs by s"""
    return s[:, None] * W


def side_by_side(*W: Array) -> Array:
    """are the weights of several layers with the same inputs, whose units stand side by side"""
    return np.concatenate(W, axis=-1)


def block_diagonal(*W: Array) -> Array:
    """are the weights of several layers side by side, each with inputs of its own: all others have the weight 0"""
    rows, columns = (np.cumsum([0, *sizes]) for sizes in zip(*(each.shape for each in W), strict=True))
    found = np.zeros((rows[-1], columns[-1]), W[0].dtype)
    for each, row, column in zip(W, rows, columns, strict=False):
        found[row : row + each.shape[0], column : column + each.shape[1]] = each
    return found


def mean_weights(*W: Array) -> Values:
    """are the weights of the mean of several layers' outputs, each with inputs of its own"""
    return np.concatenate(W, axis=0) / len(W)


def mean_of(*b: Array) -> Values:
    """is the mean of several layers' biases, or of their weights if they have the same inputs"""
    return np.mean(b, axis=0)


def scale(x: Array, s: Array) -> Array:
    """are the inputs, each column multiplied by its own learned factor"""
    return x * s


def scale_backward(x: Array, s: Array, dz: Array) -> tuple[Array, Array]:
    # The gradient of the factors: each input times its gradient, summed over the rows.
    ds = (dz * x).sum(axis=0)
    # The gradient of the inputs.
    dx = dz * s
    return ds, dx


def smooth_clip(x: Array, limit: float) -> Values:
    """are almost the inputs near 0, and approach the limits far from it"""
    return x / (1 + (x / limit) ** 2) ** 0.5


def smooth_clip_backward(x: Array, limit: float, dz: Array) -> Values:
    # The upstream gradient times the derivative, which is 1 at 0 and approaches 0 far from it.
    dx = dz / (1 + (x / limit) ** 2) ** 1.5
    return dx


def unclipped(x: Array) -> Array:
    """are the unchanged inputs"""
    return x


def unclipped_backward(dz: Array) -> Array:
    # The gradient of unchanged inputs is the upstream gradient.
    dx = dz
    return dx


def clipped(x: Array, low: float, high: float) -> Array:
    """are the inputs, clipped to the interval from low to high"""
    return np.minimum(np.maximum(x, low), high)


def periodic(x: Array, f: Array, phi: Array, S: Array, o: Array) -> Values:
    """are the cosines of the numbers of turns where o is 1, and these numbers themselves where it is 0"""
    # Each unit's number of turns: its one input times its frequency, plus its phase.
    turns = x @ (S * f) + phi
    z = np.where(o > 0, np.cos(FULL_TURN * turns), turns)
    return z


def periodic_backward(x: Array, f: Array, S: Array, o: Array, turns: Array, dz: Array) -> tuple[Values, ...]:
    # The upstream gradient times the derivative: that of the cosine, or 1.
    dturns = dz * np.where(o > 0, -FULL_TURN * np.sin(FULL_TURN * turns), 1)
    # The gradient of the frequencies: each unit's gradient times its one input, summed over the rows.
    df = (S * (x.T @ dturns)).sum(axis=0)
    # The gradient of the phases: each unit's gradient, summed over the rows.
    dphi = dturns.sum(axis=0)
    # The gradient of the inputs: the sum over their units of gradient times frequency.
    dx = dturns @ (S * f).T
    return df, dphi, dx


def grouped_dense(x: Array, E: Array, c: Array, M: Array) -> Values:
    """is each unit's weighted sum of the inputs of its group, plus its bias; M is 1 within the groups, else 0"""
    return x @ (M * E) + c


def grouped_dense_backward(x: Array, E: Array, M: Array, dz: Array) -> tuple[Array, Array, Array]:
    # The gradient of the weights: each input times the gradient of each unit of its group, summed over the rows.
    dE = M * (x.T @ dz)
    # The gradient of the biases: each unit's gradient, summed over the rows.
    dc = dz.sum(axis=0)
    # The gradient of the inputs: the sum over the units of their group of gradient times weight.
    dx = dz @ (M * E).T
    return dE, dc, dx


def weights_in_groups(E: Array, M: Array) -> Values:
    """are the weights of a Dense layer with the same outputs as a GroupedDense"""
    return M * E


def weights_of_both(E: Array, W: Array) -> Values:
    """are the weights of two layers without an activation between them, as one layer"""
    return E @ W


def bias_of_both(c: Array, W: Array, b: Array) -> Values:
    """is the bias of two layers without an activation between them, as one layer"""
    return c @ W + b


def piecewise(x: Array, S: Array, edge: Array, gap: Array, low: Array, high: Array) -> Array:
    """are the positions in the bins, clipped to the interval from low to high"""
    # The position of each unit's one input in its bin: 0 at the lower edge, 1 at the upper edge.
    u = (x @ S - edge) / gap
    z = np.minimum(np.maximum(u, low), high)
    return z


def piecewise_backward(S: Array, gap: Array, low: Array, high: Array, u: Array, dz: Array) -> Values:
    # The gradient of a position: the upstream gradient between low and high, else 0.
    du = np.where(u > low, np.where(u < high, dz, 0), 0)
    # The gradient of the inputs: the sum over their bins, each divided by its width.
    dx = du / gap @ S.T
    return dx


def exponential(x: Array, factor: float, shift: float) -> Values:
    """are the exponentials of the inputs times a factor, plus a shift"""
    z = np.exp(factor * x + shift)
    return z


def exponential_backward(factor: float, z: Array, dz: Array) -> Values:
    # The upstream gradient times the derivative: the factor times the output.
    dx = dz * factor * z
    return dx


def interpolation(x: Array, edge: Array, rise: Array, gap: Array, low: Array, high: Array, start: Array) -> Values:
    """are the outputs on the line through the points, which goes on straight at both ends"""
    # The position of the input in each interval: 0 at its beginning, 1 at its end.
    u = (x - edge) / gap
    z = (rise * np.minimum(np.maximum(u, low), high)).sum(axis=1, keepdims=True) + start
    return z


def interpolation_backward(rise: Array, gap: Array, low: Array, high: Array, u: Array, dz: Array) -> Values:
    # The upstream gradient times the slope of the interval that the input is in.
    dx = dz * np.where(u > low, np.where(u < high, rise / gap, 0), 0).sum(axis=1, keepdims=True)
    return dx


def dropout(x: Array, mask: Array) -> Array:
    """are the inputs with some set to 0 and the others scaled up to keep the expected value"""
    return x * mask


def dropout_inference(x: Array) -> Array:
    """are the unchanged inputs"""
    return x


def dropout_mask(u: Array, rate: float) -> Array:
    """is 0 with probability ``rate``, else 1 / (1 - rate), for ``u`` uniform on [0, 1)"""
    return (u >= rate) / (1 - rate)


def dropout_backward(dz: Array, mask: Array) -> Array:
    # The gradient of a dropped input is 0; the others are scaled like the inputs.
    dx = dz * mask
    return dx


def standard_deviation(variance: Array, eps: float) -> Array:
    """is the square root of the variance plus eps, which avoids a division by 0"""
    return np.sqrt(variance + eps)


def normalized(x: Array, mean: Array, variance: Array, eps: float) -> Array:
    """are the inputs normalized to mean 0 and variance 1 in each column"""
    return (x - mean) / standard_deviation(variance, eps)


def batch_norm(x: Array, gamma: Array, beta: Array, eps: float) -> Array:
    # The mean of each column over the batch.
    mean = x.mean(axis=0)
    # The variance of each column over the batch.
    variance = x.var(axis=0)
    # The inputs normalized to mean 0 and variance 1 in each column.
    x_hat = normalized(x, mean, variance, eps)
    # Scaled by gamma and shifted by beta, which are learned.
    z = gamma * x_hat + beta
    return z


def batch_norm_backward(x_hat: Array, variance: Array, gamma: Array, eps: float, dz: Array) -> tuple[Array, ...]:
    # The gradient of gamma, summed over the rows.
    dgamma = (dz * x_hat).sum(axis=0)
    # The gradient of beta, summed over the rows.
    dbeta = dz.sum(axis=0)
    # The gradient of the normalized inputs.
    dx_hat = dz * gamma
    # The gradient of the inputs: mean and variance depend on every row too, which subtracts two means.
    dx = (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0)) / standard_deviation(variance, eps)
    return dgamma, dbeta, dx


def batch_norm_inference(
    x: Array, gamma: Array, beta: Array, running_mean: Array, running_variance: Array, eps: float
) -> Array:
    """are the inputs normalized with the running statistics, then scaled and shifted"""
    return gamma * normalized(x, running_mean, running_variance, eps) + beta


def running_mean(running_mean: Array, mean: Array, momentum: float) -> Array:
    """is the exponential moving average of the batch mean"""
    return (1 - momentum) * running_mean + momentum * mean


def running_variance(running_variance: Array, variance: Array, momentum: float, n: int) -> Array:
    """is the exponential moving average of the batch variance, made unbiased by n / (n - 1)"""
    return (1 - momentum) * running_variance + momentum * variance * n / (n - 1)


@dataclass(frozen=True)
class Layer(CheckedKeywords):
    """The base of all layers: letters, formulas, constants and initial values."""

    regularized: ClassVar[tuple[str, ...]] = ()  # the letters of the parameters that have a penalty
    statistics: ClassVar[Mapping[str, Formula]] = {}  # the letters of running statistics, with their update formulas
    fixed: ClassVar[tuple[str, ...]] = ()  # the letters of arrays that training does not change
    draws: ClassVar[tuple[str, ...]] = ()  # the letters of random values, drawn for each step
    fewest_rows: ClassVar[int] = 1  # the smallest batch size

    @property
    def parameters(self) -> tuple[str, ...]:
        """The letters of the parameters, which training changes."""
        return ()

    @property
    def untrained(self) -> tuple[str, ...]:
        """The letters of the arrays that are stored beside the parameters: running statistics and fixed arrays."""
        return (*self.statistics, *self.fixed)

    def initializers_for(self, n_in: int) -> Mapping[str, Initializer]:
        """Return the initializer of each array, by its letter; arrays that ``start`` makes in another way have none."""
        return {}

    @property
    def formulas(self) -> Mapping[str, Formula]:
        """The formulas by name: ``forward``, ``backward`` and ``inference``."""
        raise NotImplementedError

    @property
    def activation_function(self) -> Activation:
        """The activation that is applied to ``z``."""
        return activation_named(getattr(self, "activation", "identity"))

    @property
    def constants(self) -> dict[str, float]:
        """The constants of the formulas, by letter."""
        return {}

    def width(self, n_in: int) -> int:
        """Return the number of outputs for ``n_in`` inputs."""
        return n_in

    def output_name(self, x: str, number: str) -> str:
        """Return the name of the layer's output in the program; ``x`` is the name of its input."""
        return f"{x}_{type(self).__name__.lower()}"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter and statistic, by letter."""
        return {}

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        """Return the initial value of each parameter and statistic, by letter."""
        return {}

    def draw(self, rng: RandomSource, n: int, n_in: int) -> dict[str, Array]:
        """Draw the random values of a batch of ``n`` rows, by letter."""
        return {}

    def connections(self, arrays: Mapping[str, Array]) -> Array | None:
        """Return the weights between inputs and units, for drawings; None if there is a unit for each input.

        ``arrays`` holds the parameters and fixed arrays, by letter.
        """
        return next((arrays[letter] for letter in self.parameters if arrays[letter].ndim == 2), None)


@dataclass(frozen=True)
class FullyConnected(Layer):
    """The base of layers with one weight for each input and unit: ``W`` of shape (n_in, units), and ``b`` (units,)."""

    units: int = field(metadata=whole_number(at_least=1))
    activation: str | Activation = "identity"
    bias: bool = field(default=True, kw_only=True)
    weights: InitializerLike = field(default=None, kw_only=True, compare=False)
    biases: InitializerLike = field(default=None, kw_only=True, compare=False)

    regularized = ("W",)

    def __post_init__(self) -> None:
        check_fields(self)
        _ = self.initializers  # raises for unknown names

    @property
    def initializers(self) -> dict[str, Initializer]:
        """The initializer of each parameter, by letter."""
        first = {
            "W": initializer_of(self.weights, self.activation_function.initializer),
            "b": initializer_of(self.biases, "zeros"),
        }
        return {letter: first[letter] for letter in self.parameters}

    def initializers_for(self, n_in: int) -> Mapping[str, Initializer]:
        return self.initializers

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("W", "b") if self.bias else ("W",)

    def width(self, n_in: int) -> int:
        return self.units

    def effective_weights(self, W: Array) -> Array:
        """Return the matrix that the inputs are multiplied by."""
        return W

    def output_name(self, x: str, number: str) -> str:
        return f"z{number}"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        W, b = (n_in, self.units), (self.units,)
        return {"W": W, "b": b} if self.bias else {"W": W}

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        first = self.initializers
        found = {letter: first[letter](rng, shape) for letter, shape in self.shapes(n_in).items()}
        for letter, shape in self.shapes(n_in).items():
            if np.shape(found[letter]) != shape:
                raise InputError(
                    f"The initializer of {letter} gave shape {np.shape(found[letter])}; {self!r} needs {shape}."
                )
        return found

    def __repr__(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"{type(self).__name__}({self.units}, {self.activation_function.name!r}{bias})"


@dataclass(frozen=True, repr=False)
class Dense(FullyConnected):
    """A fully connected layer: a = activation(x W + b).

    Parameters
    ----------
    units : int
        The number of units; inputs of shape (n, n_in) give outputs of shape (n, units).
    activation : str or Activation
        A name, or your own activation; the last layer needs ``"identity"``, the default.
    bias : bool
        Whether the layer has a bias ``b``.
    weights, biases : initializer, its name, an array, or None
        The initial values: ``W`` has shape (n_in, units), ``b`` (units,).  By default He initialization for
        the ReLU family, LeCun for SELU, Glorot for all others; biases start at 0.

    Raises
    ------
    InputError
        If ``units`` is not a whole number of at least 1, or a name is unknown.

    Examples
    --------
    >>> Dense(32, "relu").width(n_in=784)
    32
    """

    @property
    def formulas(self) -> Mapping[str, Formula]:
        if self.bias:
            return {"forward": dense, "backward": dense_backward, "inference": dense}
        return {
            "forward": dense_without_bias,
            "backward": dense_without_bias_backward,
            "inference": dense_without_bias,
        }


@dataclass(frozen=True, repr=False)
class NTKDense(FullyConnected):
    """A fully connected layer in NTK parametrization: a = activation(x W / √n_in + b), where W starts at N(0, 1).

    Dividing in the layer, not in the initial weights, keeps the size of a step relative to the weights the same for
    layers of all widths.  Source: Jacot et al. 2018, sec. 2.1.

    Parameters
    ----------
    units, activation
        As in ``Dense``.  The layer always has a bias.
    weights, biases : initializer, its name, an array, or None
        The initial values: ``W`` has shape (n_in, units), ``b`` (units,).  By default both are drawn from a normal
        distribution with mean 0 and standard deviation 1.

    Raises
    ------
    InputError
        If ``units`` is not a whole number of at least 1, if ``bias`` is False, or if a name is unknown.

    Examples
    --------
    >>> float(NTKDense(32, "selu").start(np.random.default_rng(0), n_in=784)["W"].std().round(1))
    1.0
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bias:
            raise InputError("NTKDense always has a bias: use Dense for a layer without one.")

    @property
    def initializers(self) -> dict[str, Initializer]:
        given = {"W": self.weights, "b": self.biases}
        return {letter: initializer_of(Normal(1.0) if g is None else g, "normal") for letter, g in given.items()}

    def effective_weights(self, W: Array) -> Array:
        return np.asarray(ntk_weights(W))

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": ntk_dense, "backward": ntk_dense_backward, "inference": ntk_dense}


@dataclass(frozen=True)
class Scale(Layer):
    """A learned factor for each column, which starts at 1: z = x · s.

    In front of the first layer, training can give columns more or less weight (Holzmüller et al. 2024, sec. 3).

    Examples
    --------
    >>> Scale().start(np.random.default_rng(0), n_in=3)["s"]
    array([1., 1., 1.])
    """

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("s",)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": scale, "backward": scale_backward, "inference": scale}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_scaled"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        return {"s": (n_in,)}

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        return {"s": np.ones(n_in)}


@dataclass(frozen=True)
class SmoothClip(Layer):
    """Limit outliers smoothly: z = x / √(1 + (x / limit)²), between -limit and limit (Holzmüller et al. 2024, sec. 3).

    For inputs on a scale of about 1: the median of a column is at 0, and half of its values within 1.

    Examples
    --------
    >>> net_input = np.array([0.0, 1.0, 1000.0])
    >>> smooth_clip(net_input, **SmoothClip().constants).round(2)
    array([0.  , 0.95, 3.  ])
    """

    limit: float = field(default=3.0, metadata=number(above=0))

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": smooth_clip, "backward": smooth_clip_backward, "inference": smooth_clip}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_clipped"

    @property
    def constants(self) -> dict[str, float]:
        return {"limit": self.limit}


def as_places(values: object, what: str) -> tuple[int, ...]:
    """Return whole numbers of at least 0 as a tuple; ``what`` names them in the error for anything else."""
    given = tuple(values) if isinstance(values, (tuple, list, range, np.ndarray)) else (values,)
    numbers = [as_whole_number(value) for value in given]
    if any(one is None or one < 0 for one in numbers):
        raise InputError(f"{what} must be whole numbers of at least 0, not {describe(values)}.")
    return tuple(one for one in numbers if one is not None)


@dataclass(frozen=True)
class DrawnByLetter(Layer):
    """The base of layers that draw each array with an initializer of its own."""

    def initializers_for(self, n_in: int) -> dict[str, Initializer]:
        """Return the initializer of each array, by letter."""
        raise NotImplementedError

    def start(self, rng: RandomSource, n_in: int) -> dict[str, Array]:
        first, shapes = self.initializers_for(n_in), self.shapes(n_in)
        return {letter: np.asarray(first[letter](rng, shape)) for letter, shape in shapes.items()}


@dataclass(frozen=True, repr=False)
class PeriodicEmbedding(DrawnByLetter):
    """Embed numbers by cosines with learned frequencies: cos(2π (x f + φ)), beside the number itself.

    Each embedded input becomes 1 + ``frequencies`` outputs: the input itself, and its cosines.  Other inputs stay as
    they are.  The input itself and the others have a learned factor and shift, too, which start at 1 and 0.

    Followed by a ``GroupedDense``, it is the embedding PBLD of Holzmüller et al. 2024 (appendix A), apart from where
    the input itself is kept.  With ``phases="quarters"`` and a ``GroupedDense`` with ReLU, it is PLR of Gorishniy et
    al. 2022 (sec. 3.3), apart from that and from frequencies of cosines and sines that are learned separately.

    Parameters
    ----------
    frequencies : int
        The number of cosines of each embedded input.
    columns : sequence of int, or None
        The places of the inputs to embed; None for all.
    std : float
        The standard deviation of the initial frequencies, which are drawn from a normal distribution.
    phases : str
        The initial phases: ``"random"``, uniform between -1/2 and 1/2 turns, or ``"quarters"``, in turn 0 and -1/4, for
        cosines and sines.
    repeats : int
        The number of such embeddings that stand side by side, as after merging networks.

    Examples
    --------
    >>> PeriodicEmbedding(16, columns=[0, 2]).width(n_in=3)
    35
    """

    frequencies: int = field(default=16, metadata=whole_number(at_least=1))
    columns: Sequence[int] | None = None
    std: float = field(default=0.1, metadata=number(above=0), kw_only=True)
    phases: str = field(default="random", kw_only=True)
    repeats: int = field(default=1, metadata=whole_number(at_least=1), kw_only=True)

    fixed = ("S", "o")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.columns is not None:
            columns = as_places(self.columns, "PeriodicEmbedding's columns")
            object.__setattr__(self, "columns", tuple(sorted(set(columns))))
        if self.phases not in PHASES:
            raise unknown_name("kind of phases", self.phases, PHASES)

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("f", "phi")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": periodic, "backward": periodic_backward, "inference": periodic}

    def cosines(self, n_in: int) -> tuple[int, ...]:
        """Return the number of cosines of each input."""
        chosen = range(n_in) if self.columns is None else self.columns
        return tuple(self.frequencies * (place in chosen) for place in range(n_in))

    def runs(self, n_in: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return 0 for a kept input and 1 for its cosines in turn, and the number of outputs of each."""
        counts = self.cosines(n_in)
        return (0, 1) * (n_in * self.repeats), tuple(x for count in counts for x in (1, count)) * self.repeats

    def width(self, n_in: int) -> int:
        return (n_in + sum(self.cosines(n_in))) * self.repeats

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_periodic"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        if self.columns and max(self.columns) >= n_in:
            raise InputError(f"{self!r} embeds the input at place {max(self.columns)}, but there are {n_in} inputs.")
        width = self.width(n_in)
        return {"f": (width,), "phi": (width,), "S": (n_in, width), "o": (width,)}

    def __repr__(self) -> str:
        columns = "" if self.columns is None else f", columns={list(self.columns)}"
        phases = "" if self.phases == "random" else f", phases={self.phases!r}"
        repeats = "" if self.repeats == 1 else f", repeats={self.repeats}"
        return f"PeriodicEmbedding({self.frequencies}{columns}, std={self.std:g}{phases}{repeats})"

    def connections(self, arrays: Mapping[str, Array]) -> Array | None:
        return np.asarray(weights_in_groups(arrays["f"], arrays["S"]))

    def initializers_for(self, n_in: int) -> dict[str, Initializer]:
        values, counts = self.runs(n_in)
        units = tuple(1 + count for count in self.cosines(n_in))
        quarters = tuple(-0.25 * (place % 2) for place in range(self.frequencies))
        of_all = tuple(x for count in self.cosines(n_in) for x in (0.0, *quarters[:count])) * self.repeats
        return {
            "f": NormalOrOne(float(self.std), values, counts),
            "phi": UniformTurn(values, counts) if self.phases == "random" else Given(np.array(of_all)),
            "S": Membership((1,) * n_in, units, self.repeats),
            "o": Runs(values, counts),
        }


@dataclass(frozen=True, repr=False)
class GroupedDense(DrawnByLetter):
    """A fully connected layer for each group of inputs: a = activation(x (M E) + c), with M = 0 between groups.

    After an embedding of numbers, a group holds the outputs of one column, so that each column has weights of its own.
    For the one-hot encoding of a column, the rows of its weights are learned vectors of the categories: an embedding,
    as PyTorch's ``nn.Embedding``.

    Parameters
    ----------
    groups : sequence of (inputs, units)
        The number of inputs and of units of each group, in the order of the inputs.
    activation : str or Activation
        As in ``Dense``.

    Raises
    ------
    InputError
        If the groups are not pairs of whole numbers of at least 1, or if they do not have as many inputs as there are.

    Examples
    --------
    >>> GroupedDense([(17, 4), (1, 1)]).width(n_in=18)
    5
    """

    groups: Sequence[Sequence[int]]
    activation: str | Activation = "identity"

    fixed = ("M",)
    regularized = ("E",)

    def __post_init__(self) -> None:
        activation_named(self.activation)
        given = self.groups if isinstance(self.groups, (tuple, list)) else ()
        pairs = tuple(as_places(pair, "The numbers of GroupedDense's groups") for pair in given)
        if not pairs or any(len(pair) != 2 or 0 in pair for pair in pairs):
            raise InputError(
                f"GroupedDense's groups must be pairs of whole numbers of at least 1, the inputs and the units of each "
                f"group, not {describe(self.groups)}."
            )
        object.__setattr__(self, "groups", pairs)

    @property
    def inputs(self) -> tuple[int, ...]:
        """The number of inputs of each group."""
        return tuple(pair[0] for pair in self.groups)

    @property
    def units(self) -> tuple[int, ...]:
        """The number of units of each group."""
        return tuple(pair[1] for pair in self.groups)

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("E", "c")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": grouped_dense, "backward": grouped_dense_backward, "inference": grouped_dense}

    def width(self, n_in: int) -> int:
        return sum(self.units)

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_grouped"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        if sum(self.inputs) != n_in:
            raise InputError(f"The groups of {self!r} have {sum(self.inputs)} inputs, but there are {n_in}.")
        width = self.width(n_in)
        return {"E": (n_in, width), "c": (width,), "M": (n_in, width)}

    def initializers_for(self, n_in: int) -> dict[str, Initializer]:
        return {
            "E": UniformInGroups(self.inputs, self.units),
            "c": initializer_of(None, "zeros"),
            "M": Membership(self.inputs, self.units),
        }

    def __repr__(self) -> str:
        runs = [(pair, len(list(same))) for pair, same in groupby(self.groups)]
        groups = " + ".join(f"[{pair}]" + (f" * {count}" if count > 1 else "") for pair, count in runs)
        return f"GroupedDense({groups}, {self.activation_function.name!r})"


@dataclass(frozen=True, repr=False)
class PiecewiseLinearEncoding(DrawnByLetter):
    """Encode numbers by their position in bins, between 0 and 1 (Gorishniy et al. 2022, sec. 3.2).

    Bins below the number are 1, bins above it are 0, and its own bin is (x - lower edge) / width.  The first bin has
    no lower limit, and the last one no upper limit.  The layer has no parameters.

    Parameters
    ----------
    edges : sequence of sequences of float
        The ascending edges of the bins of each input, at least two; none for an input that stays as it is.

    Examples
    --------
    >>> X = np.array([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0], [4.0, 8.0]])
    >>> layer = PiecewiseLinearEncoding.of(X, bins=2, columns=[0])
    >>> layer.edges, layer.width(n_in=2)
    (((0.0, 1.5, 4.0), ()), 3)
    """

    edges: Sequence[Sequence[float]]

    fixed = ("S", "edge", "gap", "low", "high")

    def __post_init__(self) -> None:
        try:
            edges = tuple(tuple(float(edge) for edge in own) for own in self.edges)
        except (TypeError, ValueError):
            edges = ()
        ascends = all(len(own) != 1 and all(a < b for a, b in pairwise(own)) for own in edges)
        if not edges or not ascends or not all(math.isfinite(edge) for own in edges for edge in own):
            raise InputError(
                f"PiecewiseLinearEncoding's edges must be ascending finite numbers for each input, at least two or "
                f"none, not {describe(self.edges)}."
            )
        object.__setattr__(self, "edges", edges)

    @classmethod
    def of(cls, X: Array, bins: int = 8, columns: Sequence[int] | None = None) -> PiecewiseLinearEncoding:
        """Return the encoding with quantiles of the rows ``X`` of shape (n, n_in) as edges.

        A column with few different values has fewer bins; with one value, it stays as it is.
        """
        chosen = range(X.shape[1]) if columns is None else columns
        shares = np.linspace(0, 1, bins + 1)
        edges = [np.unique(np.quantile(column.astype(np.float64), shares)) for column in X.T]
        kept = [own if place in chosen and len(own) > 1 else () for place, own in enumerate(edges)]
        return cls(tuple(tuple(map(float, own)) for own in kept))

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of outputs of each input."""
        return tuple(max(len(own) - 1, 1) for own in self.edges)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": piecewise, "backward": piecewise_backward, "inference": piecewise}

    def width(self, n_in: int) -> int:
        return sum(self.counts)

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_piecewise"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        if len(self.edges) != n_in:
            raise InputError(f"PiecewiseLinearEncoding has edges of {len(self.edges)} inputs, but there are {n_in}.")
        width = self.width(n_in)
        return {"S": (n_in, width), **dict.fromkeys(self.fixed[1:], (width,))}

    def __repr__(self) -> str:
        return f"PiecewiseLinearEncoding(<{sum(map(bool, self.edges))} inputs with bins>)"

    def connections(self, arrays: Mapping[str, Array]) -> Array | None:
        return arrays["S"]

    def initializers_for(self, n_in: int) -> dict[str, Initializer]:
        arrays: dict[str, list[Sequence[float]]] = {
            "edge": [own[:-1] or (0.0,) for own in self.edges],
            "gap": [[b - a for a, b in pairwise(own)] or [1.0] for own in self.edges],
            "low": [(-UNBOUNDED, *[0.0] * (count - 1)) for count in self.counts],
            "high": [(*[1.0] * (count - 1), UNBOUNDED) for count in self.counts],
        }
        given = {letter: Given(np.concatenate(values)) for letter, values in arrays.items()}
        return {"S": Membership((1,) * n_in, self.counts), **given}


@dataclass(frozen=True)
class ClipPredictions(Layer):
    """Clip predictions to the interval from ``low`` to ``high``, such as the range of the training targets.

    As the last layer, it acts in predictions alone; a training step is as without it.

    Examples
    --------
    >>> clipped(np.array([-5.0, 0.5, 5.0]), **ClipPredictions(-1, 1).constants)
    array([-1. ,  0.5,  1. ])
    """

    low: float = field(metadata=number())
    high: float = field(metadata=number())

    def __post_init__(self) -> None:
        check_fields(self)
        if self.low > self.high:
            raise InputError(f"low must be at most high, but they are {self.low:g} and {self.high:g}.")

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": unclipped, "backward": unclipped_backward, "inference": clipped}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_clipped"

    @property
    def constants(self) -> dict[str, float]:
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True)
class Exp(Layer):
    """Exponentials: z = exp(``factor`` · x + ``shift``), which are never negative.

    As the last layer, it turns the prediction of a standardized logarithm into a number again.

    Examples
    --------
    >>> exponential(np.array([0.0, 1.0]), **Exp(2.0, shift=1.0).constants).round(2)
    array([ 2.72, 20.09])
    """

    factor: float = field(default=1.0, metadata=number())
    shift: float = field(default=0.0, metadata=number())

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": exponential, "backward": exponential_backward, "inference": exponential}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_exp"

    @property
    def constants(self) -> dict[str, float]:
        return {"factor": self.factor, "shift": self.shift}


@dataclass(frozen=True, repr=False)
class Interpolation(DrawnByLetter):
    """Interpolate linearly between points, as ``np.interp``, but straight on at both ends; for a single input.

    As the last layer, it turns the prediction of a transformed target into the target again.

    Parameters
    ----------
    inputs, outputs : sequence of float
        The ascending inputs, at least two, and the output at each.

    Examples
    --------
    >>> Interpolation([0.0, 1.0, 3.0], [10.0, 20.0, 80.0])
    Interpolation(<3 points>)
    """

    inputs: Sequence[float]
    outputs: Sequence[float]

    fixed = ("edge", "rise", "gap", "low", "high", "start")

    def __post_init__(self) -> None:
        points = PiecewiseLinearEncoding([self.inputs]).edges[0]
        try:
            outputs = tuple(float(value) for value in self.outputs)
        except (TypeError, ValueError):
            outputs = ()
        if len(points) < 2 or len(outputs) != len(points) or not all(map(math.isfinite, outputs)):
            raise InputError("Interpolation needs as many finite outputs as inputs, at least two.")
        object.__setattr__(self, "inputs", points)
        object.__setattr__(self, "outputs", outputs)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": interpolation, "backward": interpolation_backward, "inference": interpolation}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_interpolated"

    def shapes(self, n_in: int) -> dict[str, tuple[int, ...]]:
        if n_in != 1:
            raise InputError(f"Interpolation is for a single input, but there are {n_in}.")
        return {**dict.fromkeys(self.fixed[:-1], (len(self.inputs) - 1,)), "start": (1,)}

    def initializers_for(self, n_in: int) -> dict[str, Initializer]:
        count = len(self.inputs) - 1
        arrays: dict[str, Sequence[float]] = {
            "edge": self.inputs[:-1],
            "rise": [b - a for a, b in pairwise(self.outputs)],
            "gap": [b - a for a, b in pairwise(self.inputs)],
            "low": (-UNBOUNDED, *[0.0] * (count - 1)),
            "high": (*[1.0] * (count - 1), UNBOUNDED),
            "start": self.outputs[:1],
        }
        return {letter: Given(np.array(values)) for letter, values in arrays.items()}

    def __repr__(self) -> str:
        return f"Interpolation(<{len(self.inputs)} points>)"


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout: during training, set each input to 0 with probability ``rate`` (Srivastava et al. 2014).

    The remaining inputs are divided by 1 - ``rate`` (inverted dropout), so predictions need no correction.
    The masks are drawn from the network's random generator.

    Examples
    --------
    >>> Dropout(0.5).draw(np.random.default_rng(0), n=1, n_in=4)["mask"]
    array([[2., 0., 0., 0.]])
    """

    rate: float = field(default=0.5, metadata=number(at_least=0, below=1))

    draws = ("mask",)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def formulas(self) -> Mapping[str, Formula]:
        return {"forward": dropout, "backward": dropout_backward, "inference": dropout_inference}

    def output_name(self, x: str, number: str) -> str:
        return f"{x}_drop"

    def draw(self, rng: RandomSource, n: int, n_in: int) -> dict[str, Array]:
        return {"mask": dropout_mask(rng.random((n, n_in)), self.rate)}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalization: mean 0 and variance 1 in each column over the batch, then a learned scale and shift.

    Predictions use running statistics, the exponential moving averages of the batch statistics.  ``momentum``
    is the weight of the new batch, as in PyTorch; Keras calls the same setting 0.9.  An activation may
    follow, as in ``Dense(32), BatchNorm("relu")``.  Source: Ioffe & Szegedy 2015, algorithms 1 and 2.

    Examples
    --------
    >>> BatchNorm("relu").shapes(n_in=3)["gamma"], BatchNorm().fewest_rows
    ((3,), 2)
    """

    activation: str | Activation = "identity"
    momentum: float = field(default=0.1, kw_only=True, metadata=number(above=0, at_most=1))
    eps: float = field(default=1e-5, kw_only=True, metadata=number(above=0, at_most=1))

    statistics = {"running_mean": running_mean, "running_variance": running_variance}
    fewest_rows = 2

    def __post_init__(self) -> None:
        activation_named(self.activation)
        check_fields(self)

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
        return f"BatchNorm({self.activation_function.name!r})"


def number_layers(layers: Iterable[Layer]) -> Iterator[tuple[Layer, str]]:
    """Number the layers of each kind from 1, so that W1 belongs to the first layer with weights.

    >>> [number for _, number in number_layers([Dense(3), Dropout(0.5), Dense(2)])]
    ['1', '1', '2']
    """
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    for layer in layers:
        kind, letters = type(layer).__name__, (*layer.parameters, *layer.untrained, *layer.draws)
        counts[kind] += 1
        while any(f"{letter}{counts[kind]}" in taken for letter in letters):
            counts[kind] += 1  # another kind of layer uses the same letter
        taken.update(f"{letter}{counts[kind]}" for letter in letters)
        yield layer, str(counts[kind])


LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense,
        NTKDense,
        Scale,
        SmoothClip,
        PeriodicEmbedding,
        GroupedDense,
        PiecewiseLinearEncoding,
        Exp,
        Interpolation,
        ClipPredictions,
        Dropout,
        BatchNorm,
    )
}
