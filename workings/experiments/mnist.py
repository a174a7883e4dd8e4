"""The MNIST tutorial: a 784-32-16-10 network, implemented correctly, then improved.

The tutorial's code does not run.  This module trains its design as intended (weights 0.5·randn, full
batch), then the same network with He initialization, mini-batches and Adam.  The data are Kaggle's
train.csv, the IDX files, or the sample in the package.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workings import plots
from workings.datasets import Mnist, full_set, kaggle_csv, mnist
from workings.experiments.digits import most_wrong
from workings.experiments.figures import Figure
from workings.experiments.report import ExperimentSettings, Report
from workings.experiments.tasks import Task
from workings.layers import Dense
from workings.losses import CrossEntropy
from workings.model.model import Model
from workings.network import Network
from workings.optimizers import SGD, Adam
from workings.support.arrays import Array
from workings.training.callbacks import Callback, RunningTraining
from workings.training.fit import train as train_network
from workings.training.history import History
from workings.training.recipe import Recipe
from workings.training.recorders import Signals, Snapshots

PASSES = 300
EPOCHS = 20
DEV_ROWS = 1000


@dataclass(frozen=True)
class MnistData:
    """Training, dev and test rows with float32 pixels from 0 to 1; data without test rows use the dev rows as such."""

    X: Array
    y: Array
    X_dev: Array
    y_dev: Array
    X_test: Array
    y_test: Array
    source: str
    kind: str


def prepare(found: Mnist, seed: int) -> MnistData:
    """Shuffle the rows, hold out 1,000 dev rows, and scale the pixels to 0..1."""
    order = np.random.RandomState(seed).permutation(len(found.X_train))
    X, y = scale_pixels(found.X_train[order]), found.y_train[order]
    dev, test = (X[:DEV_ROWS], y[:DEV_ROWS]), (scale_pixels(found.X_test), found.y_test)
    kind = "full set" if found.full else "sample"
    return MnistData(X[DEV_ROWS:], y[DEV_ROWS:], *dev, *test, found.source, kind)


def prepare_csv(path: Path, seed: int) -> MnistData:
    """Prepare Kaggle's train.csv, which has no labelled test rows, in the same way."""
    pixels, labels = kaggle_csv(path)
    order = np.random.RandomState(seed).permutation(len(pixels))
    X, y = scale_pixels(pixels[order]), labels[order]
    dev = (X[:DEV_ROWS], y[:DEV_ROWS])
    source = f"{path.name} ({len(X):,} rows; the dev rows are also the test rows)"
    return MnistData(X[DEV_ROWS:], y[DEV_ROWS:], *dev, *dev, source, path.name)


def scale_pixels(pixels: Array) -> Array:
    """Scale pixels from 0..255 to 0..1, in float32."""
    return pixels.astype(np.float32) / np.float32(255)


def load(settings: ExperimentSettings) -> list[MnistData]:
    """Load the data that the settings name; together with the full set, also the sample."""
    seed = settings.seed_or(0)
    if settings.data is not None and not settings.data.is_dir():
        return [prepare_csv(settings.data, seed)]
    found = full_set(settings.data) if settings.data is not None else mnist("auto", fetch=settings.fetch)
    kinds = [found, mnist("sample")] if found.full else [found]
    return [prepare(kind, seed) for kind in kinds]


TRAINING = Recipe(Adam(2e-3), epochs=EPOCHS, batch_size=128)


class Accuracies(Callback):
    """Callback that records the accuracy on training and dev rows before every tenth epoch, and at the end."""

    def __init__(self, data: MnistData, every: int = 10) -> None:
        self.data, self.every = data, every
        self.columns: dict[str, list[float]] = {"accuracy": [], "val_accuracy": []}

    def on_epoch_begin(self, training: RunningTraining) -> None:
        if training.epoch % self.every == 0:
            self.record(training.network)

    def on_train_end(self, training: RunningTraining) -> None:
        self.record(training.network)

    def record(self, network: Model) -> None:
        """Record both accuracies."""
        self.columns["accuracy"].append(network.score(self.data.X, self.data.y))
        self.columns["val_accuracy"].append(network.score(self.data.X_dev, self.data.y_dev))


DESIGNED_TRAINING = Recipe(SGD(0.1), epochs=PASSES, batch_size=None)


def designed_network(seed: int) -> Network:
    """Return the tutorial's network, implemented correctly: weights 0.5·randn, biases 0.5·rand."""
    rng = np.random.RandomState(seed)
    sizes = (784, 32, 16, 10)
    # drawn with the tutorial's shape (out, in), so that the random numbers have the same order
    weights = [0.5 * rng.standard_normal((out, into)).T for into, out in itertools.pairwise(sizes)]
    biases = [0.5 * rng.random(units) for units in sizes[1:]]
    layers = [
        Dense(len(b), activation, weights=W, biases=b)
        for W, b, activation in zip(weights, biases, ("relu", "relu", "identity"), strict=True)
    ]
    return Network(layers, loss=CrossEntropy())


def design(seed: int | None = None) -> Task:
    """Return the training that the tutorial intended, on the sample in the package."""
    data = prepare(mnist("sample"), seed or 0)
    return Task(designed_network(seed or 0), data.X, data.y, DESIGNED_TRAINING)


def train_as_designed(settings: ExperimentSettings, data: MnistData) -> tuple[Network, Accuracies]:
    """Train the tutorial's design: full batch, learning rate 0.1, 300 epochs."""
    network = designed_network(settings.seed_or(0))
    accuracies = Accuracies(data)
    progress = settings.progress(f"as designed, {len(data.X):,} rows", PASSES)
    recipe = replace(DESIGNED_TRAINING, callbacks=[accuracies, progress])
    train_network(network, data.X, data.y, recipe, engine=settings.engine)
    return network, accuracies


def make_network(seed: int) -> Network:
    """Return the same network with He initialization."""
    return Network([Dense(32, "relu"), Dense(16, "relu"), Dense(10)], loss=CrossEntropy(), seed=seed)


def task(seed: int | None = None) -> Task:
    """Return the improved training, on the sample in the package."""
    data = prepare(mnist("sample"), seed or 0)
    return Task(make_network(seed or 0), data.X, data.y, TRAINING)


def train_improved(settings: ExperimentSettings, data: MnistData) -> tuple[Network, History, Snapshots, Signals]:
    """Train the same network with He initialization, batch size 128 and Adam, for 20 epochs."""
    network = make_network(settings.seed_or(0))
    snapshots, signals = Snapshots(every=1), Signals(data.X_dev[:300], data.y_dev[:300], every=1)
    recipe = replace(
        TRAINING,
        validation=(data.X_dev, data.y_dev),
        callbacks=[snapshots, signals, settings.progress(f"improved, {len(data.X):,} rows", EPOCHS)],
    )
    history = train_network(network, data.X, data.y, recipe, engine=settings.engine)
    return network, history, snapshots, signals


def run(settings: ExperimentSettings) -> list[Figure]:
    """Train, compare, and write the report."""
    kinds = load(settings)
    data = kinds[0]
    report = Report(
        "Handwritten digits",
        "784 pixels, two hidden layers of 32 and 16 units, ten digits: the tutorial's design, then improved.",
        settings.folder,
    )
    report.heading("Data")
    report.text(
        f"Source: {data.source}. {len(data.X):,} training rows, {DEV_ROWS:,} dev rows, {len(data.X_test):,} test rows."
    )
    report.picture(
        plots.images(data.X[:30], titles=[str(label) for label in data.y[:30]]),
        "samples",
        "Thirty of the training digits.",
    )
    trained = [(kind, train_as_designed(settings, kind), train_improved(settings, kind)) for kind in kinds]
    _, (_, accuracies), (network, history, snapshots, signals) = trained[0]
    with report.of(network):
        report_figures(report, trained)
        by_epoch = plots.curves(accuracies.columns, names=list(accuracies.columns))
        by_epoch.set_xlabel("epoch / 10")
        report.picture(by_epoch, "as-designed", "As designed: accuracy on training and dev rows, every ten epochs.")
        report.picture(plots.curves(history), "improved", "Improved: objective on training and dev rows, by epoch.")
        report_network(report, network, data)
        report_training(report, network, data, snapshots, signals)
        report.heading("Statements of one training step")
        report.program(network.program(Adam(2e-3)))
    return report.figures


Trained = tuple[MnistData, tuple[Network, Accuracies], tuple[Network, History, Snapshots, Signals]]


def report_figures(report: Report, trained: list[Trained]) -> None:
    """Report the accuracies of both trainings, for each data set."""
    report.heading("Accuracy: as designed, and improved")
    report.text(
        "The tutorial prints no result, and its code does not run (the documentation explains why, line by line). So "
        "there is nothing to compare with; the figures are accuracies. Weights of 0.5·randn make the initial scores so "
        "large that the softmax predicts wrong classes with high probability. Most of the 300 full-batch epochs at a "
        "learning rate of 0.1 correct that, and the final accuracy varies with the seed by 0.1 and more. He "
        "initialization, mini-batches and Adam give the same network a much higher accuracy."
    )
    figures = []
    for data, (_, accuracies), (network, *_) in trained:
        final = {name: column[-1] for name, column in accuracies.columns.items()}
        figures += [
            Figure(f"as designed, training ({data.kind})", None, None, final["accuracy"], digits=4),
            Figure(f"as designed, dev ({data.kind})", None, None, final["val_accuracy"], digits=4),
            Figure(f"improved, training ({data.kind})", None, None, network.score(data.X, data.y), digits=4),
            Figure(f"improved, dev ({data.kind})", None, None, network.score(data.X_dev, data.y_dev), digits=4),
            Figure(f"improved, test ({data.kind})", None, None, network.score(data.X_test, data.y_test), digits=4),
        ]
    report.compare(figures)


def report_network(report: Report, network: Network, data: MnistData) -> None:
    """Report the improved network's confusion matrix, its first-layer weights, and its worst errors."""
    report.heading("The improved network")
    report.picture(
        plots.confusion(data.y_test, network.predict(data.X_test)),
        "confusion",
        "Confusion matrix of the test digits.",
    )
    report.picture(
        plots.weights(network),
        "weights",
        "Weights of the 32 units of the first layer, as images. Each unit responds most to its own pattern.",
    )
    worst, titles = most_wrong(network, data.X_test, data.y_test, 10)
    report.picture(
        plots.images(data.X_test[worst], titles=titles, columns=5),
        "wrong",
        "Misclassified test digits with the highest predicted probability.",
    )


def report_training(
    report: Report,
    network: Network,
    data: MnistData,
    snapshots: Snapshots,
    signals: Signals,
) -> None:
    """Report the path of the training in the loss landscape (Li et al. 2018), and its activations and gradients."""
    report.heading("Training path, activations and gradients")
    report.picture(
        plots.landscape_of(network, data.X[:1000], data.y[:1000], snapshots),
        "landscape",
        "The loss on 1,000 training rows over the plane of the first two principal components of the training path.",
    )
    report.signals(signals, "On 300 dev rows", "ReLUs")
