"""The recipe for tables against PyTorch: equal first weights, then fifty steps, written from the paper's formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from workings import Network
from workings.layers import ClipPredictions
from workings.losses import CrossEntropy, Loss, SquaredError
from workings.table_recipe import TD_S_CLASSIFICATION, TD_S_REGRESSION, TableRecipe
from workings.tables.scaling import robust_scale

torch = pytest.importorskip("torch")

ROWS, BATCH, STEPS = 100, 20, 50
X = np.random.default_rng(0).standard_t(2, size=(ROWS, 6)) * np.array([1, 10, 100, 1, 1, 0.01])
SCALES = np.array([robust_scale(column) for column in X.T])
CLASSES = np.random.default_rng(1).integers(0, 3, ROWS)
NUMBERS = np.tanh(X[:, 0]) + 0.1 * np.random.default_rng(2).normal(size=ROWS)


def robust(x: np.ndarray) -> np.ndarray:
    """Scale by the median and the interquartile range, as NumPy computes them."""
    low, high = np.percentile(x, [25, 75], axis=0)
    return (x - np.median(x, axis=0)) / (high - low)


class PaperNetwork:
    """The network and its training in PyTorch; ``parameters`` are ours, by name, in their order."""

    def __init__(self, network: Network, activation: Any) -> None:
        self.values = {name: torch.tensor(value.copy()) for name, value in network.parameters.items()}
        for value in self.values.values():
            value.requires_grad_()
        self.activation = activation

    def outputs(self, x: Any) -> Any:
        """Return the outputs for scaled inputs: smooth clipping, learned scale, layers in NTK parametrization."""
        scale, *rest = self.values.values()
        h = x / torch.sqrt(1 + (x / 3) ** 2) * scale
        layers = list(zip(rest[::2], rest[1::2], strict=True))
        for number, (W, b) in enumerate(layers, start=1):
            h = h @ W / math.sqrt(W.shape[0]) + b
            h = self.activation(h) if number < len(layers) else h
        return h

    def train(self, x: np.ndarray, y: Any, loss: Any, lr: float, steps: int) -> None:
        """Take steps on consecutive batches, with a schedule of the learning rate and its factors by parameter."""
        scale, *rest = self.values.values()
        groups = [{"params": [scale]}, {"params": rest[::2]}, {"params": rest[1::2]}]
        optimizer = torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.95), eps=1e-8)
        inputs = torch.from_numpy(x)
        for step in range(steps):
            rate = lr * (0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * step / steps)))
            for group, factor in zip(optimizer.param_groups, (6.0, 1.0, 0.1), strict=True):
                group["lr"] = rate * factor
            rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
            optimizer.zero_grad()
            loss(self.outputs(inputs[rows]), y[rows]).backward()
            optimizer.step()


def same_training(recipe: TableRecipe, loss: Loss, outputs: int, engine: str, theirs: Any, activation: Any) -> float:
    """Return the largest difference of a parameter after fifty steps from equal first weights."""
    layers = [layer for layer in recipe.layers(outputs) if not isinstance(layer, ClipPredictions)]
    network = Network(layers, loss=loss, seed=3, n_in=6, dtype="float64")
    paper = PaperNetwork(network, activation)
    y = CLASSES if outputs == 3 else NUMBERS
    scaled = (X - SCALES[:, 0]) / SCALES[:, 1]
    np.testing.assert_allclose(scaled, robust(X), rtol=1e-12)
    network.fit(
        scaled, y, optimizer=recipe.optimizer(STEPS), epochs=STEPS * BATCH // ROWS, batch_size=BATCH, shuffle=False,
        engine=engine,
    )  # fmt: skip
    targets = torch.from_numpy(y) if outputs == 3 else torch.from_numpy(y)[:, None]
    paper.train(robust(X), targets, theirs, recipe.lr, STEPS)
    moved = [np.abs(network.parameters[name] - value.detach().numpy()).max() for name, value in paper.values.items()]
    assert len(moved) == 9
    return float(max(moved))


@pytest.mark.parametrize("engine", ["reference", pytest.param("compiled", marks=pytest.mark.slow)])
def test_fifty_steps_of_classification(engine: str) -> None:
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    loss, activation = CrossEntropy(label_smoothing=0.1), torch.nn.functional.selu
    assert same_training(TD_S_CLASSIFICATION, loss, 3, engine, theirs, activation) < 1e-6


@pytest.mark.parametrize("engine", ["reference", pytest.param("compiled", marks=pytest.mark.slow)])
def test_fifty_steps_of_regression(engine: str) -> None:
    activation = torch.nn.functional.mish
    assert same_training(TD_S_REGRESSION, SquaredError(), 1, engine, torch.nn.MSELoss(), activation) < 1e-6
