"""Jobs: the data and initial parameters of a workload, the same for every peer.

The rows are shuffled here, and every peer uses them in this order, so that all see the same batches; the initial
parameters come from the same seed.  A job is written to a file that each worker reads.  This also keeps the memory
for creating it (unpacking files, selecting rows) out of the workers.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Workload
from workings import datasets
from workings.support.arrays import Array

ROOT = Path(__file__).resolve().parent.parent
NEAR = ROOT.parent / "shared" / "mnist"
XOR_TARGETS = (0.0, 1.0, 1.0, 0.0)  # the tutorial's, as in workings/experiments/xor.py


@dataclass(frozen=True, eq=False)
class Job:
    """A workload with its rows, targets and initial parameters; ``source`` says where the rows come from."""

    workload: Workload
    X: Array
    y: Array
    weights: list[Array]
    biases: list[Array]
    source: str

    @property
    def Y(self) -> Array:
        """Return the targets with one column per output: one-hot rows for labels."""
        if self.workload.loss == "squared error":
            return self.y.reshape(len(self.X), -1)
        return np.eye(self.workload.sizes[-1], dtype=self.X.dtype)[self.y]

    @property
    def start(self) -> dict[str, Array]:
        """Return the initial parameters by their names in Workings."""
        return named(self.weights, self.biases)

    def save(self, path: Path) -> Path:
        """Write the job to a file."""
        words = json.dumps({"workload": asdict(self.workload), "source": self.source})
        np.savez(path, X=self.X, y=self.y, words=np.array(words), **self.start)  # type: ignore[arg-type]
        return path


def named(weights: list[Array], biases: list[Array]) -> dict[str, Array]:
    """Return weights and biases of the layers as W1, b1, W2 …"""
    letters = (("W", weights), ("b", biases))
    return {f"{letter}{k}": array for letter, arrays in letters for k, array in enumerate(arrays, start=1)}


def load(path: str | Path) -> Job:
    """Read a job from a file."""
    with np.load(path) as file:
        words: dict[str, Any] = json.loads(str(file["words"]))
        words["workload"]["sizes"] = tuple(words["workload"]["sizes"])
        workload = Workload(**words["workload"])
        layers = range(1, len(workload.layers) + 1)
        weights = [file[f"W{k}"] for k in layers]
        biases = [file[f"b{k}"] for k in layers] if workload.bias else []
        return Job(workload, file["X"], file["y"], weights, biases, words["source"])


def make(workload: Workload, seed: int = 0) -> Job:
    """Create the job of a workload from a fixed seed."""
    rng = np.random.default_rng(seed)
    X, y, source = DATA[workload.data](workload, rng)
    scale = 2.0 if workload.hidden == "relu" else 1.0
    weights = [rng.standard_normal(shape) * np.sqrt(scale / shape[0]) for shape in workload.layers]
    biases = [np.zeros(out) for _, out in workload.layers] if workload.bias else []
    dtype = np.dtype(workload.dtype)
    return Job(
        workload,
        X.astype(dtype, copy=False),
        y.astype(dtype) if workload.loss == "squared error" else y.astype(np.int64),
        [W.astype(dtype) for W in weights],
        [b.astype(dtype) for b in biases],
        source,
    )


Made = tuple[Array, Array, str]


def xor(workload: Workload, rng: np.random.Generator) -> Made:
    """Return the four rows with the tutorial's targets."""
    return datasets.xor()[0], np.array(XOR_TARGETS), "the four rows of the tutorial"


def moons(workload: Workload, rng: np.random.Generator) -> Made:
    """Return two moons as in the experiment."""
    return *datasets.moons(workload.rows, noise=0.2, seed=0), "two moons, noise 0.2"


def digits(workload: Workload, rng: np.random.Generator) -> Made:
    """Return scikit-learn's digits, shuffled and scaled to 0 to 1; random numbers without scikit-learn."""
    try:
        X, y = datasets.digits()
    except ImportError:
        return *random_rows(workload, rng)[:2], "random numbers of the digits' shape (scikit-learn is not installed)"
    order = rng.permutation(len(X))[: workload.rows]
    return X[order] / 16, y[order], f"{workload.rows:,} of scikit-learn's digits"


def mnist(workload: Workload, rng: np.random.Generator) -> Made:
    """Return MNIST's training images scaled to 0 to 1, in float32; random numbers if the files are missing."""
    folder = mnist_folder()
    if folder is None:
        return *random_rows(workload, rng)[:2], "random numbers of MNIST's shape (its files were not found)"
    images, labels = datasets.read_pair(*(datasets.idx_file(folder, name) for name in datasets.MNIST_FILES[:2]))
    order = rng.permutation(len(images))[: workload.rows]
    X = images[order].astype(np.float32)
    X /= np.float32(255)
    return X, labels[order], f"{workload.rows:,} of MNIST's 60,000 training images"


def mnist_folder() -> Path | None:
    """Return the folder in WORKINGS_DATA, or the folder ``NEAR``, if it holds all four files."""
    folders = [Path(given) for given in [os.environ.get("WORKINGS_DATA", "")] if given]
    return next((folder for folder in [*folders, NEAR] if not datasets.missing_files(folder)), None)


def random_rows(workload: Workload, rng: np.random.Generator) -> Made:
    """Return normally distributed inputs and uniformly distributed labels."""
    X = rng.standard_normal((workload.rows, workload.sizes[0]), dtype=np.dtype(workload.dtype))
    return X, rng.integers(workload.sizes[-1], size=workload.rows), "random numbers"


def numbers(workload: Workload, rng: np.random.Generator) -> Made:
    """Return normally distributed inputs and targets, with one target for each output."""
    X = rng.standard_normal((workload.rows, workload.sizes[0]))
    return X, rng.standard_normal((workload.rows, workload.sizes[-1])), "random numbers"


DATA = {"xor": xor, "moons": moons, "digits": digits, "mnist": mnist, "random": random_rows, "numbers": numbers}
