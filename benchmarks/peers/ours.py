"""Workings as a user calls it: one call of ``fit``, including all checks and the history.

Nothing is subtracted.  With several batches, the history records the running loss, as scikit-learn does; the peers
that are plain loops record none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.jobs import Job
from benchmarks.peers.contract import MissingError
from benchmarks.workloads import Workload
from workings import L2, SGD, Adam, CrossEntropy, Dense, Network, SquaredError
from workings.errors import InputError, MissingExtraError
from workings.support.arrays import Array


class Fit:
    """A network and the ``fit`` that trains it."""

    note = ""

    def __init__(self, job: Job, engine: str) -> None:
        self.job, self.engine = job, engine
        self.network = network_of(job)
        self.optimizer = optimizer_of(job.workload)
        self.refuse_unknown_engine()

    def refuse_unknown_engine(self) -> None:
        """Check with a few steps whether the engine is installed."""
        try:
            self.run(min(self.job.workload.batches, 8))
        except MissingExtraError as error:
            raise MissingError(str(error)) from error
        except InputError as error:
            if "engine" not in str(error):
                raise
            raise MissingError(f"this version of Workings has no engine {self.engine!r}") from error
        self.reset()

    def reset(self) -> None:
        for name, array in self.job.start.items():
            self.network.parameters[name] = array

    def run(self, steps: int, **more: Any) -> None:
        rows, epochs = self.job.workload.passes(steps)
        self.network.fit(
            self.job.X[:rows], self.job.y[:rows], optimizer=self.optimizer, epochs=epochs,
            batch_size=self.job.workload.batch, shuffle=False, engine=self.engine, **{"running_loss": True, **more},
        )  # fmt: skip

    def parameters(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self.network.parameters.items()}

    def forward(self, X: Array) -> Array:
        return self.network.predict_proba(X, engine=self.engine)


def network_of(job: Job) -> Network:
    """Return the network with the job's initial parameters."""
    workload = job.workload
    classes = workload.loss == "cross-entropy"
    loss = CrossEntropy(reduction=workload.reduction) if classes else SquaredError(half=True, reduction="sum")
    activations = [workload.hidden] * (len(workload.layers) - 1) + [workload.output]
    layers = [
        Dense(out, activation, bias=workload.bias, weights=W, biases=job.biases[k] if workload.bias else None)
        for k, ((_, out), W, activation) in enumerate(zip(workload.layers, job.weights, activations, strict=True))
    ]
    network = Network(layers, loss=loss, regularizer=L2(workload.lam) if workload.lam else None, seed=0)
    network.build(workload.sizes[0], job.X.dtype)
    if classes:
        network.learn_labels(np.arange(workload.sizes[-1]))
    return network


def optimizer_of(workload: Workload) -> SGD | Adam:
    """The optimizer of a workload."""
    return Adam(workload.lr) if workload.optimizer == "adam" else SGD(workload.lr)
