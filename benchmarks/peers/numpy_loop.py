"""Plain NumPy: a training loop as in a tutorial, with manually derived gradients.

Lists of weights and biases, a forward pass that keeps what each layer gives, a backward pass from the
last layer to the first, and an update.  It checks nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.jobs import Job, named
from workings.support.arrays import Array


def sigmoid(z: Array) -> Array:
    """The logistic function, as a script would write it."""
    return np.asarray(1 / (1 + np.exp(-z)))


def relu(z: Array) -> Array:
    """The positive part."""
    return np.maximum(z, 0)


def softmax(z: Array) -> Array:
    """Probabilities, with the largest entry of each row taken off first."""
    scores = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def times_sigmoid_slope(da: Array, a: Array) -> Array:
    """Back through a sigmoid that gave a."""
    return np.asarray(da * a * (1 - a))


def times_tanh_slope(da: Array, a: Array) -> Array:
    """Back through a tanh that gave a."""
    return np.asarray(da * (1 - a**2))


def times_relu_slope(da: Array, a: Array) -> Array:
    """Back through a relu that gave a."""
    return np.asarray(da * (a > 0))


Both = tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]
HIDDEN: dict[str, Both] = {
    "sigmoid": (sigmoid, times_sigmoid_slope),
    "tanh": (np.tanh, times_tanh_slope),
    "relu": (relu, times_relu_slope),
    "identity": (lambda z: z, lambda da, a: da),
}


class Loop:
    """The script's variables."""

    note = ""

    def __init__(self, job: Job) -> None:
        self.job, self.workload, self.Y = job, job.workload, job.Y
        self.activate, self.back = HIDDEN[self.workload.hidden]
        self.activate_last, self.back_last = HIDDEN[self.workload.output]
        self.classes = self.workload.loss == "cross-entropy"
        self.reset()

    def reset(self) -> None:
        self.weights = [W.copy() for W in self.job.weights]
        self.biases = [b.copy() for b in self.job.biases]
        self.t = 0
        self.m = [np.zeros_like(array) for array in self.weights + self.biases]
        self.v = [np.zeros_like(array) for array in self.weights + self.biases]

    def run(self, steps: int) -> None:
        rows, epochs = self.workload.passes(steps)
        size = self.workload.batch_rows
        update = self.adam if self.workload.optimizer == "adam" else self.sgd
        for _ in range(epochs):
            for start in range(0, rows, size):
                update(self.gradients(self.job.X[start : start + size], self.Y[start : start + size]))

    def layer(self, x: Array, k: int) -> Array:
        """A layer before its activation."""
        return x @ self.weights[k] + self.biases[k] if self.biases else x @ self.weights[k]

    def activations(self, X: Array) -> list[Array]:
        """Return the outputs of all layers, beginning with X."""
        given, last = [X], len(self.weights) - 1
        for k in range(last):
            given.append(self.activate(self.layer(given[-1], k)))
        z = self.layer(given[-1], last)
        return [*given, softmax(z) if self.classes else self.activate_last(z)]

    def gradients(self, X: Array, Y: Array) -> list[Array]:
        """The gradients of all weights, then of all biases."""
        given = self.activations(X)
        dz = given[-1] - Y if self.classes else self.back_last(given[-1] - Y, given[-1])
        if self.workload.reduction == "mean":
            dz /= len(X)
        dW: list[Array] = []
        db: list[Array] = []
        for k in range(len(self.weights) - 1, -1, -1):
            dW.insert(0, given[k].T @ dz)
            if self.workload.lam:
                dW[0] += self.workload.lam * self.weights[k]
            if self.biases:
                db.insert(0, dz.sum(axis=0))
            if k:
                dz = self.back(dz @ self.weights[k].T, given[k])
        return dW + db

    def sgd(self, gradients: list[Array]) -> None:
        """Run one step of gradient descent."""
        for array, g in zip(self.weights + self.biases, gradients, strict=True):
            array -= self.workload.lr * g

    def adam(self, gradients: list[Array]) -> None:
        """A step of Adam (Kingma & Ba 2015, algorithm 1)."""
        self.t += 1
        for k, (array, g) in enumerate(zip(self.weights + self.biases, gradients, strict=True)):
            self.m[k] = 0.9 * self.m[k] + 0.1 * g
            self.v[k] = 0.999 * self.v[k] + 0.001 * g**2
            m_hat, v_hat = self.m[k] / (1 - 0.9**self.t), self.v[k] / (1 - 0.999**self.t)
            array -= self.workload.lr * m_hat / (np.sqrt(v_hat) + 1e-8)

    def parameters(self) -> dict[str, Array]:
        return named(self.weights, self.biases)

    def forward(self, X: Array) -> Array:
        return self.activations(X)[-1]


def prepare(job: Job) -> Loop:
    """Return the prepared training."""
    return Loop(job)
