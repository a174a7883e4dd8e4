"""scikit-learn: ``MLPClassifier`` and ``MLPRegressor``, with stochastic gradient descent or Adam.

Its loss is always a mean and its penalty is divided by the rows, so a sum becomes a larger learning rate.
For two classes it has a single output, and its regressor no activation behind the last layer: there it
trains the nearest network it can, which is said in a note.  ``warm_start`` makes it begin with the
parameters that we give it.
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
    "xor": "scikit-learn's regressor has biases and no activation behind the last layer",
    "adam": "scikit-learn's Adam adds its epsilon before the second moment is corrected",
    "two classes": "for two classes scikit-learn has one logistic output in place of two with a softmax",
}


class Estimator:
    """An estimator whose ``fit`` goes on from given parameters."""

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
        """Have it make its arrays, by a fit of one pass over enough rows to know all labels."""
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
    """Why its numbers cannot be the same, if they cannot."""
    if workload.loss != "cross-entropy":
        return NOTES["xor"]
    if workload.sizes[-1] == 2:
        return NOTES["two classes"]
    return NOTES["adam"] if workload.optimizer == "adam" else ""


def settings_of(workload: Workload) -> dict[str, Any]:
    """The same training in its words."""
    rows = workload.batch_rows if workload.reduction == "sum" else 1
    return {
        "hidden_layer_sizes": workload.sizes[1:-1],
        "activation": {"sigmoid": "logistic"}.get(workload.hidden, workload.hidden),
        "solver": workload.optimizer, "learning_rate_init": workload.lr * rows, "momentum": 0.0,
        "alpha": workload.lam, "batch_size": workload.batch_rows, "shuffle": False, "warm_start": True,
        "tol": 0.0, "n_iter_no_change": np.inf, "random_state": 0,
    }  # fmt: skip


def prepare(job: Job) -> Estimator:
    """The estimator, ready to run."""
    return Estimator(job)
