"""scikit-learn: ``MLPClassifier`` and ``MLPRegressor``, with stochastic gradient descent or Adam.

Its loss is always a mean and its penalty is divided by the rows, so a sum becomes a larger learning rate.
For two classes it has a single output, and its regressor has no activation after the last layer: there it
trains the nearest equivalent, and a note says so.  ``warm_start`` makes it start from given parameters.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from benchmarks.jobs import Job, named
from benchmarks.peers.contract import library
from benchmarks.workloads import Workload
from workings.support.arrays import Array

NOTES = {
    "xor": "scikit-learn's regressor has biases and no activation after the last layer",
    "adam": "scikit-learn's Adam adds epsilon before bias correction of the second moment",
    "two classes": "for two classes, scikit-learn has one logistic output instead of two with softmax",
}


class Estimator:
    """An estimator whose ``fit`` starts from given parameters."""

    def __init__(self, job: Job) -> None:
        self.job, self.workload = job, job.workload
        self.classes = self.workload.loss == "cross-entropy"
        self.note = note_of(self.workload)
        module = library("sklearn.neural_network", "scikit-learn")
        self.model = getattr(module, "MLPClassifier" if self.classes else "MLPRegressor")(**settings_of(self.workload))
        self.build()
        self.first = ([W.copy() for W in self.model.coefs_], [b.copy() for b in self.model.intercepts_])
        if [W.shape for W in self.first[0]] == self.workload.layers and self.workload.bias:
            self.first = (job.weights, job.biases)
        self.reset()

    def build(self) -> None:
        """Create the estimator's arrays by fitting one epoch on enough rows to contain all labels."""
        labels = {"classes": np.arange(self.workload.sizes[-1])} if self.classes else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.partial_fit(self.job.X[:64], self.job.y[:64], **labels)

    def reset(self) -> None:
        self.model.coefs_ = [W.copy() for W in self.first[0]]
        self.model.intercepts_ = [b.copy() for b in self.first[1]]

    def run(self, steps: int) -> None:
        rows, epochs = self.workload.passes(steps)
        self.model.set_params(max_iter=epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "has not converged yet"
            self.model.fit(self.job.X[:rows], self.job.y[:rows])

    def parameters(self) -> dict[str, Array]:
        return named(self.model.coefs_, self.model.intercepts_)

    def forward(self, X: Array) -> Array:
        return np.asarray(self.model.predict_proba(X) if self.classes else self.model.predict(X))


def note_of(workload: Workload) -> str:
    """Return why its parameters cannot be the same; empty if they can."""
    if workload.loss != "cross-entropy":
        return NOTES["xor"]
    if workload.sizes[-1] == 2:
        return NOTES["two classes"]
    return NOTES["adam"] if workload.optimizer == "adam" else ""


def settings_of(workload: Workload) -> dict[str, Any]:
    """Return the same training as parameters of the estimator."""
    rows = workload.batch_rows if workload.reduction == "sum" else 1
    return {
        "hidden_layer_sizes": workload.sizes[1:-1],
        "activation": {"sigmoid": "logistic"}.get(workload.hidden, workload.hidden),
        "solver": workload.optimizer, "learning_rate_init": workload.lr * rows, "momentum": 0.0,
        "alpha": workload.lam, "batch_size": workload.batch_rows, "shuffle": False, "warm_start": True,
        "tol": 0.0, "n_iter_no_change": np.inf, "random_state": 0,
    }  # fmt: skip


def prepare(job: Job) -> Estimator:
    """Return the prepared training."""
    return Estimator(job)
