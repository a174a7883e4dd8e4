"""PyTorch, eager: modules, autograd, and the fused optimizer.

Its linear layers hold their weights as (n_out, n_in), so they are turned on the way in and out.  The
L2 term is the optimizer's ``weight_decay`` on the weights only, which is our ``lam``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.jobs import Job, named
from benchmarks.peers.contract import library
from workings.support.arrays import Array

ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "ReLU", "gelu": "GELU", "identity": "Identity"}


class Eager:
    """A Sequential, its optimizer, and the rows as tensors that share NumPy's memory."""

    note = ""

    def __init__(self, job: Job) -> None:
        self.torch = torch = library("torch", "torch")
        torch.set_num_threads(job.workload.threads)
        self.job, self.workload = job, job.workload
        self.classes = self.workload.loss == "cross-entropy"
        self.X = torch.from_numpy(job.X)
        self.y = torch.from_numpy(job.y if self.classes else job.Y)
        self.linear = [self.make_linear(*shape) for shape in self.workload.layers]
        self.model = torch.nn.Sequential(*self.modules())
        self.reset()

    def make_linear(self, n_in: int, n_out: int) -> Any:
        """Return a linear layer with the workload's dtype."""
        return self.torch.nn.Linear(n_in, n_out, self.workload.bias, dtype=getattr(self.torch, self.workload.dtype))

    def modules(self) -> list[Any]:
        """Return alternating linear layers and activations; the loss includes the softmax."""
        names = [self.workload.hidden] * (len(self.linear) - 1) + [self.workload.output]
        activations = [getattr(self.torch.nn, ACTIVATIONS[name])() for name in names]
        return [module for both in zip(self.linear, activations, strict=True) for module in both]

    def reset(self) -> None:
        with self.torch.no_grad():
            for k, linear in enumerate(self.linear):
                linear.weight.copy_(self.torch.from_numpy(self.job.weights[k].T.copy()))
                if self.workload.bias:
                    linear.bias.copy_(self.torch.from_numpy(self.job.biases[k]))
        self.optimizer = self.make_optimizer()

    def make_optimizer(self) -> Any:
        """Return the fused optimizer, with decay on the weights only."""
        kind = self.torch.optim.Adam if self.workload.optimizer == "adam" else self.torch.optim.SGD
        groups = [{"params": [linear.weight for linear in self.linear], "weight_decay": self.workload.lam}]
        if self.workload.bias:
            groups.append({"params": [linear.bias for linear in self.linear], "weight_decay": 0.0})
        return kind(groups, lr=self.workload.lr, fused=True)

    def run(self, steps: int) -> None:
        rows, epochs = self.workload.passes(steps)
        size = self.workload.batch_rows
        for _ in range(epochs):
            for start in range(0, rows, size):
                self.step(self.X[start : start + size], self.y[start : start + size])

    def step(self, X: Any, y: Any) -> None:
        """Run one step, as in a usual PyTorch script."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(X), y)
        loss.backward()
        self.optimizer.step()

    def loss(self, out: Any, y: Any) -> Any:
        """The loss of the workload."""
        if self.classes:
            return self.torch.nn.functional.cross_entropy(out, y, reduction=self.workload.reduction)
        return 0.5 * self.torch.nn.functional.mse_loss(out, y, reduction="sum")

    def parameters(self) -> dict[str, Array]:
        weights = [linear.weight.detach().numpy().T.copy() for linear in self.linear]
        biases = [linear.bias.detach().numpy().copy() for linear in self.linear] if self.workload.bias else []
        return named(weights, biases)

    def forward(self, X: Array) -> Array:
        with self.torch.inference_mode():
            out = self.model(self.torch.from_numpy(X))
            return np.asarray((out.softmax(dim=1) if self.classes else out).numpy())


def prepare(job: Job) -> Eager:
    """Return the prepared training."""
    return Eager(job)
