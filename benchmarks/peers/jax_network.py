"""Code shared by both JAX peers: the loss as a pure function, its gradient, and the update of a step.

A batch is sliced inside the compiled step, because slicing a JAX array outside costs more than a small
step does.  The state of a training is one pytree: parameters, the optimizer's two moments, and the step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.jobs import Job, named
from benchmarks.peers.contract import library
from benchmarks.workloads import Workload
from workings.support.arrays import Array


class JaxNetwork:
    """Rows and state on the device; a subclass defines how steps are run."""

    note = ""

    def __init__(self, job: Job) -> None:
        self.jax = jax = library("jax", "jax")
        jax.config.update("jax_enable_x64", job.workload.dtype == "float64")
        self.job, self.workload = job, job.workload
        self.X, self.Y = jax.numpy.asarray(job.X), jax.numpy.asarray(job.Y)
        self.forward_compiled = jax.jit(self.outputs)
        self.reset()
        self.compile()

    def compile(self) -> None:
        """Compile the function that runs steps."""
        raise NotImplementedError

    def reset(self) -> None:
        jnp = self.jax.numpy
        parameters = {name: jnp.array(array) for name, array in self.job.start.items()}
        moments = [{name: jnp.zeros_like(array) for name, array in parameters.items()} for _ in range(2)]
        adam = self.workload.optimizer == "adam"
        self.state: Any = (parameters, *(moments if adam else ({}, {})), jnp.asarray(0))

    def outputs(self, parameters: Any, X: Any) -> Any:
        """The predictions: probabilities, or the last activation."""
        z = self.last(parameters, X)
        return (
            self.jax.nn.softmax(z)
            if self.workload.loss == "cross-entropy"
            else self.activation(z, self.workload.output)
        )

    def activation(self, z: Any, name: str) -> Any:
        """An activation by name; JAX's GELU is an approximation by default."""
        if name == "identity":
            return z
        return self.jax.nn.gelu(z, approximate=False) if name == "gelu" else getattr(self.jax.nn, name)(z)

    def last(self, parameters: Any, X: Any) -> Any:
        """The last layer before its activation."""
        for k in range(1, len(self.workload.layers) + 1):
            z = X @ parameters[f"W{k}"]
            z = z + parameters[f"b{k}"] if self.workload.bias else z
            X = self.activation(z, self.workload.hidden)
        return z

    def loss(self, parameters: Any, X: Any, Y: Any) -> Any:
        """The objective of a batch."""
        z = self.last(parameters, X)
        if self.workload.loss == "cross-entropy":
            total = -(Y * self.jax.nn.log_softmax(z)).sum()
        else:
            total = 0.5 * ((self.activation(z, self.workload.output) - Y) ** 2).sum()
        total = total / len(X) if self.workload.reduction == "mean" else total
        if self.workload.lam:
            total += self.workload.lam / 2 * sum((W**2).sum() for name, W in parameters.items() if name[0] == "W")
        return total

    def batch(self, t: Any, X: Any, Y: Any) -> tuple[Any, Any]:
        """The rows of step t, counted from 0."""
        if self.workload.batches == 1:
            return X, Y
        size = self.workload.batch_rows
        start = t % self.workload.batches * size
        cut = self.jax.lax.dynamic_slice_in_dim
        return cut(X, start, size), cut(Y, start, size)

    def step(self, state: Any, X: Any, Y: Any) -> Any:
        """The state after one more step."""
        parameters, m, v, t = state
        gradients = self.jax.grad(self.loss)(parameters, *self.batch(t, X, Y))
        if self.workload.optimizer == "adam":
            return adam(self.jax.numpy, self.workload, state, gradients)
        moved = {name: array - self.workload.lr * gradients[name] for name, array in parameters.items()}
        return moved, m, v, t + 1

    def parameters(self) -> dict[str, Array]:
        arrays = {name: np.array(array) for name, array in self.state[0].items()}
        layers = range(1, len(self.workload.layers) + 1)
        return named([arrays[f"W{k}"] for k in layers], [arrays[f"b{k}"] for k in layers] if self.workload.bias else [])

    def forward(self, X: Array) -> Array:
        return np.asarray(self.forward_compiled(self.state[0], X))


def adam(jnp: Any, workload: Workload, state: Any, gradients: Any) -> Any:
    """A step of Adam (Kingma & Ba 2015, algorithm 1)."""
    parameters, m, v, t = state
    t = t + 1
    m = {name: 0.9 * m[name] + 0.1 * g for name, g in gradients.items()}
    v = {name: 0.999 * v[name] + 0.001 * g**2 for name, g in gradients.items()}
    first, second = 1 - 0.9**t, 1 - 0.999**t
    moved = {
        name: array - workload.lr * (m[name] / first) / (jnp.sqrt(v[name] / second) + 1e-8)
        for name, array in parameters.items()
    }
    return moved, m, v, t
