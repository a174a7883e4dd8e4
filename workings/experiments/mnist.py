"""MNIST with a 784-32-16-10 network: the tutorial's design coded rightly, and then done well.

The tutorial's own code cannot run.  Its design is trained as it was meant (weights 0.5·randn, full
batch), and then the same network with He's weights, mini-batches and Adam.  The data are Kaggle's
train.csv, the IDX files, or the sample in the package.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workings import plots
from workings.datasets import Mnist, full_set, kaggle_csv, mnist
from workings.experiments.digits import most_wrong
from workings.experiments.figures import Figure
from workings.experiments.report import Report, Settings
from workings.experiments.tasks import Task
from workings.layers import Dense
from workings.losses import CrossEntropy
from workings.model.model import Model
from workings.network import Network
from workings.optimizers import SGD, Adam
from workings.support.arrays import Array
from workings.training.callbacks import Callback, RunningTraining
from workings.training.history import History
from workings.training.recorders import Signals, Snapshots

PASSES = 300
EPOCHS = 20
DEV_ROWS = 1000


@dataclass(frozen=True)
class Data:
    """Training, dev and test rows; pixels from 0 to 1 in float32.  Without test files, dev rows serve as test."""

    X: Array
    y: Array
    X_dev: Array
    y_dev: Array
    X_test: Array
    y_test: Array
    source: str
    kind: str


def prepare(found: Mnist, seed: int) -> Data:
    """Shuffle, put 1,000 rows aside for dev, and scale the pixels to 0..1."""
    order = np.random.RandomState(seed).permutation(len(found.X_train))
    X, y = scaled(found.X_train[order]), found.y_train[order]
    dev, test = (X[:DEV_ROWS], y[:DEV_ROWS]), (scaled(found.X_test), found.y_test)
    kind = "full set" if found.full else "sample"
    return Data(X[DEV_ROWS:], y[DEV_ROWS:], *dev, *test, found.source, kind)


def prepare_csv(path: Path, seed: int) -> Data:
    """The same of Kaggle's train.csv, which has no labelled test rows."""
    pixels, labels = kaggle_csv(path)
    order = np.random.RandomState(seed).permutation(len(pixels))
    X, y = scaled(pixels[order]), labels[order]
    dev = (X[:DEV_ROWS], y[:DEV_ROWS])
    source = f"{path.name} ({len(X):,} rows; the dev rows serve as test rows)"
    return Data(X[DEV_ROWS:], y[DEV_ROWS:], *dev, *dev, source, path.name)


def scaled(pixels: Array) -> Array:
    """0..255 to 0..1, in float32."""
    return pixels.astype(np.float32) / np.float32(255)


def load(settings: Settings) -> list[Data]:
    """The data that were asked for; where the full set is found, the sample too."""
    seed = settings.seed_or(0)
    if settings.data is not None and not settings.data.is_dir():
        return [prepare_csv(settings.data, seed)]
    found = full_set(settings.data) if settings.data is not None else mnist("auto", fetch=settings.fetch)
    kinds = [found, mnist("sample")] if found.full else [found]
    return [prepare(kind, seed) for kind in kinds]


TRAINING: dict[str, Any] = {"optimizer": Adam(2e-3), "epochs": EPOCHS, "batch_size": 128}


class Accuracies(Callback):
    """Notes the accuracy on training and dev rows before every tenth pass, and at the end."""

    def __init__(self, data: Data, every: int = 10) -> None:
        self.data, self.every = data, every
        self.columns: dict[str, list[float]] = {"accuracy": [], "val_accuracy": []}

    def on_epoch_begin(self, training: RunningTraining) -> None:
        if training.epoch % self.every == 0:
            self.note(training.network)

    def on_train_end(self, training: RunningTraining) -> None:
        self.note(training.network)

    def note(self, network: Model) -> None:
        """Measure both."""
        self.columns["accuracy"].append(network.score(self.data.X, self.data.y))
        self.columns["val_accuracy"].append(network.score(self.data.X_dev, self.data.y_dev))


DESIGNED_TRAINING: dict[str, Any] = {"optimizer": SGD(0.1), "epochs": PASSES, "batch_size": None}


def designed_network(seed: int) -> Network:
    """The tutorial's design, coded rightly: weights 0.5·randn, biases 0.5·rand."""
    rng = np.random.RandomState(seed)
    sizes = (784, 32, 16, 10)
    weights = [0.5 * rng.standard_normal((out, into)).T for into, out in itertools.pairwise(sizes)]  # in its order
    biases = [0.5 * rng.random(units) for units in sizes[1:]]
    layers = [
        Dense(len(b), activation, weights=W, biases=b)
        for W, b, activation in zip(weights, biases, ("relu", "relu", "identity"), strict=True)
    ]
    return Network(layers, loss=CrossEntropy())


def design(seed: int | None = None) -> Task:
    """What the tutorial meant to train, on the sample in the package."""
    data = prepare(mnist("sample"), seed or 0)
    return Task(designed_network(seed or 0), data.X, data.y, DESIGNED_TRAINING)


def as_designed(settings: Settings, data: Data) -> tuple[Network, Accuracies]:
    """The tutorial's design, trained with full batches, learning rate 0.1, 300 passes."""
    network = designed_network(settings.seed_or(0))
    accuracies = Accuracies(data)
    network.fit(
        data.X, data.y, **DESIGNED_TRAINING, engine=settings.engine,
        callbacks=[accuracies, settings.watch(f"as designed, {len(data.X):,} rows", PASSES)],
    )  # fmt: skip
    return network, accuracies


def make_network(seed: int) -> Network:
    """The same network with He's weights."""
    return Network([Dense(32, "relu"), Dense(16, "relu"), Dense(10)], loss=CrossEntropy(), seed=seed)


def task(seed: int | None = None) -> Task:
    """What is trained in mini-batches, on the sample."""
    data = prepare(mnist("sample"), seed or 0)
    return Task(make_network(seed or 0), data.X, data.y, TRAINING)


def done_well(settings: Settings, data: Data) -> tuple[Network, History, Snapshots, Signals]:
    """The same network with He's weights, mini-batches of 128 and Adam, for 20 epochs."""
    network = make_network(settings.seed_or(0))
    snapshots, signals = Snapshots(every=1), Signals(data.X_dev[:300], data.y_dev[:300], every=1)
    history = network.fit(
        data.X, data.y, **TRAINING, validation=(data.X_dev, data.y_dev),
        callbacks=[snapshots, signals, settings.watch(f"done well, {len(data.X):,} rows", EPOCHS)],
        engine=settings.engine,
    )  # fmt: skip
    return network, history, snapshots, signals


def run(settings: Settings) -> list[Figure]:
    """Train, compare, and write the report."""
    kinds = load(settings)
    data = kinds[0]
    report = Report(
        "Handwritten digits",
        "784 pixels, two hidden layers of 32 and 16, ten digits: as the tutorial designed it, and done well.",
        settings.folder,
    )
    report.heading("The data")
    report.text(
        f"From {data.source}: {len(data.X):,} rows for training, {DEV_ROWS:,} for dev, {len(data.X_test):,} for test."
    )
    report.picture(
        plots.images(data.X[:30], titles=[str(label) for label in data.y[:30]]),
        "samples",
        "Thirty of the training digits.",
    )
    trained = [(kind, as_designed(settings, kind), done_well(settings, kind)) for kind in kinds]
    report_figures(report, trained)
    _, (_, accuracies), (network, history, snapshots, signals) = trained[0]
    rising = plots.curves(accuracies.columns, names=list(accuracies.columns))
    rising.set_xlabel("tens of passes")
    report.picture(rising, "as-designed", "As designed: accuracy on training and dev rows, every ten passes.")
    report.picture(plots.curves(history), "done-well", "Done well: the objective on training and dev rows, by epoch.")
    report_network(report, network, data)
    report_way(report, network, data, snapshots, signals)
    report.heading("One step, as it ran")
    report.program(network.program(Adam(2e-3)))
    report.write(network)
    return report.figures


Trained = tuple[Data, tuple[Network, Accuracies], tuple[Network, History, Snapshots, Signals]]


def report_figures(report: Report, trained: list[Trained]) -> None:
    """What both ways of training reach, for each kind of input."""
    report.heading("As designed, and done well")
    report.text(
        "The post prints no result and its code cannot run (the documentation says why, line by line), so there is "
        "nothing to compare with; the figures are shares of rows predicted rightly. Weights of 0.5·randn make sums so"
        " large at the start that the softmax is sure and wrong, and 300 full-batch passes at 0.1 spend most of their"
        " time undoing that; how far they get depends on the seed, by 0.1 and more. He's weights, mini-batches and "
        "Adam take the same network much further."
    )
    figures = []
    for data, (_, accuracies), (network, *_) in trained:
        final = {name: column[-1] for name, column in accuracies.columns.items()}
        figures += [
            Figure(f"as designed, training ({data.kind})", None, None, final["accuracy"], digits=4),
            Figure(f"as designed, dev ({data.kind})", None, None, final["val_accuracy"], digits=4),
            Figure(f"done well, training ({data.kind})", None, None, network.score(data.X, data.y), digits=4),
            Figure(f"done well, dev ({data.kind})", None, None, network.score(data.X_dev, data.y_dev), digits=4),
            Figure(f"done well, test ({data.kind})", None, None, network.score(data.X_test, data.y_test), digits=4),
        ]
    report.compare(figures)


def report_network(report: Report, network: Network, data: Data) -> None:
    """What the well-trained network confuses, sees, and gets most wrong."""
    report.heading("What it learned")
    report.picture(
        plots.confusion(data.y_test, network.predict(data.X_test)), "confusion", "Test digits: what is taken for what."
    )
    report.picture(
        plots.weights(network),
        "weights",
        "The weights of the 32 units of the first layer, as images: what each one looks for.",
    )
    worst, titles = most_wrong(network, data.X_test, data.y_test, 10)
    report.picture(plots.images(data.X_test[worst], titles=titles, columns=5), "wrong", "The digits it got most wrong.")


def report_way(report: Report, network: Network, data: Data, snapshots: Snapshots, signals: Signals) -> None:
    """How training went: the landscape with its way (Li et al. 2018), and what went through the layers."""
    report.heading("The way down")
    report.picture(
        plots.landscape_of(network, data.X[:1000], data.y[:1000], snapshots),
        "landscape",
        "The loss on 1,000 training rows over the plane of the two directions in which training moved most.",
    )
    report.signals(signals, "On 300 dev rows", "ReLUs")
