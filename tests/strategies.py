"""Strategies for Hypothesis: stacks of layers, losses, optimizers, regularizers and data that fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from workings import (
    BatchNorm,
    Chain,
    ClipByNorm,
    ClipByValue,
    Decay,
    Dense,
    Dropout,
    Layer,
    Network,
    NTKDense,
    PeriodicEmbedding,
    RateFactors,
    Scale,
    SmoothClip,
)
from workings.activations import ACTIVATIONS
from workings.losses import LOSSES, CrossEntropy, Huber, Loss, SquaredError
from workings.optimizers import OPTIMIZERS, Part
from workings.regularizers import REGULARIZERS, Regularizer

# The same examples every time, and a slow machine is no failure.
settings.register_profile(
    "workings",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    database=None,
    max_examples=50,
)
settings.load_profile("workings")

activations = st.sampled_from(sorted(ACTIVATIONS))
# Without a corner: rounding cannot tip them over, not even where BatchNorm makes zeros of equal rows.
smooth_activations = st.sampled_from(["identity", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "softplus", "mish"])
reductions = st.sampled_from(["mean", "sum"])


def numbers(smallest: float, largest: float) -> st.SearchStrategy[float]:
    """Finite numbers, both ends included."""
    return st.floats(smallest, largest, allow_nan=False, allow_infinity=False)


def rows_of(columns: int, largest: float = 1000.0) -> st.SearchStrategy[np.ndarray]:
    """Arrays of one to five rows."""
    row = st.lists(numbers(-largest, largest), min_size=columns, max_size=columns)
    return st.lists(row, min_size=1, max_size=5).map(lambda rows: np.array(rows, dtype=np.float64))


@st.composite
def losses(draw: st.DrawFn) -> Loss:
    """One of all losses, with some of its settings."""
    kind, reduction = LOSSES[draw(st.sampled_from(sorted(LOSSES)))], draw(reductions)
    if kind is SquaredError:
        return SquaredError(reduction=reduction, half=draw(st.booleans()))
    if kind is Huber:
        return Huber(reduction=reduction, delta=draw(numbers(0.1, 3)))
    if kind is CrossEntropy:
        return CrossEntropy(reduction=reduction, label_smoothing=draw(st.sampled_from([0.0, 0.1])))
    return kind(reduction=reduction)


@st.composite
def dense_layers(draw: st.DrawFn, names: st.SearchStrategy[str] = activations) -> Dense:
    """A layer of one to five units."""
    return Dense(draw(st.integers(1, 5)), draw(names), bias=draw(st.booleans()))


@st.composite
def stacks(
    draw: st.DrawFn, n_out: int, names: st.SearchStrategy[str], dropout: bool = True, batch_norm: bool = True
) -> list[Layer]:
    """Layers that end with ``n_out`` outputs."""
    ntk = st.builds(NTKDense, st.integers(1, 5), names)
    kinds: list[st.SearchStrategy[Layer]] = [
        dense_layers(names),
        dense_layers(names),
        ntk,
        st.just(Scale()),
        st.just(SmoothClip()),
        st.just(PeriodicEmbedding(2)),
    ]
    if dropout:
        kinds.append(st.builds(Dropout, numbers(0, 0.8)))
    if batch_norm:
        kinds.append(st.builds(BatchNorm, names))
    return [*draw(st.lists(st.one_of(kinds), max_size=4)), Dense(n_out, bias=draw(st.booleans()))]


@st.composite
def optimizers(draw: st.DrawFn) -> Part:
    """One of all optimizers, alone or behind clipping, decay and factors of the rate."""
    last = OPTIMIZERS[draw(st.sampled_from(sorted(OPTIMIZERS)))](0.01)
    parts = st.sampled_from([ClipByNorm(0.5), ClipByValue(0.1), Decay(0.03), RateFactors(W=0.5)])
    before = draw(st.lists(parts, max_size=2, unique=True))
    return Chain(*before, last) if before else last


def regularizers() -> st.SearchStrategy[list[Regularizer]]:
    """None, one or several."""
    kinds = st.lists(st.sampled_from(sorted(REGULARIZERS)), max_size=2, unique=True)
    return kinds.map(lambda names: [REGULARIZERS[name](0.02) for name in names])


def targets_for(loss: Loss, rng: np.random.Generator, rows: int, n_out: int) -> np.ndarray:
    """Targets that a loss is made for."""
    shape = (rows,) if n_out == 1 else (rows, n_out)
    if loss.target == "classes":
        return np.arange(rows) % n_out
    if loss.target == "labels":
        return (np.arange(rows * n_out).reshape(shape) % 2).astype(np.float64)
    if loss.target == "counts":
        return rng.poisson(2.0, size=shape).astype(np.float64)
    return rng.normal(size=shape)


@dataclass(frozen=True)
class Problem:
    """A network that is built, with data that fit it."""

    network: Network
    X: np.ndarray
    y: np.ndarray
    w: np.ndarray | None

    @property
    def given(self) -> dict[str, Any]:
        """The arguments by which a network takes data."""
        return {"X": self.X, "y": self.y, "sample_weight": self.w}


@st.composite
def problems(
    draw: st.DrawFn, names: st.SearchStrategy[str] = activations, dropout: bool = True, batch_norm: bool = True
) -> Problem:
    """A random network with two to eight rows of data, weighted or not."""
    loss = draw(losses())
    n_in, rows = draw(st.integers(1, 4)), draw(st.integers(2, 8))
    n_out = draw(st.integers(2, 3)) if loss.target == "classes" else draw(st.integers(1, 3))
    layers = draw(stacks(n_out, names, dropout, batch_norm))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    network = Network(layers, loss=loss, regularizer=draw(regularizers()), seed=seed, n_in=n_in)
    weights = rng.uniform(0.1, 2, size=rows) if draw(st.booleans()) else None
    return Problem(network, rng.normal(size=(rows, n_in)), targets_for(loss, rng, rows, n_out), weights)
