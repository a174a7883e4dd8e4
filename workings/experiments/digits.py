"""Digits of 8×8 pixels with a 64-200-10 network, one sample at a time; and the list of things to try.

The tutorial prints no result.  Its code, mended, is reproduced over five seeds, on raw pixels and on
pixels divided by 16; then each item of its list is tried alone against the baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workings import plots
from workings.datasets import digits
from workings.experiments.figures import Figure
from workings.experiments.report import Report, Settings
from workings.experiments.tasks import Task
from workings.initializers import LeCunNormal
from workings.layers import Dense, Dropout, Layer
from workings.losses import CrossEntropy
from workings.network import Network
from workings.optimizers import SGD, Momentum, Nesterov, Optimizer
from workings.regularizers import L2, Regularizer
from workings.support.arrays import Array
from workings.training.callbacks import Callback
from workings.training.history import History
from workings.training.recorders import Signals

EPOCHS = 10
SEEDS = 5
OWN_MEANS = {"raw pixels": 0.973889, "pixels / 16": 0.939444}  # means over the seeds 0 to 4 of its mended code
TOLERANCE = 1.5 / 360 / SEEDS  # one test row of one seed


def dense(units: int, activation: str = "identity") -> Dense:
    """A layer with the tutorial's weights, randn / √fan_in."""
    return Dense(units, activation, weights=LeCunNormal())


BASELINE_OPTIMIZER = SGD(0.01)


TRAINING: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 1, "shuffle": False}


@dataclass(frozen=True)
class Variant:
    """One thing to try: what differs from the baseline."""

    layers: tuple[Layer, ...] = (dense(200, "sigmoid"), dense(10))
    optimizer: Optimizer = BASELINE_OPTIMIZER
    regularizer: Regularizer | None = None


BASELINE = "baseline: 200 sigmoid, SGD 0.01"
VARIANTS = {
    BASELINE: Variant(),
    "dropout 0.2 of the hidden units": Variant(layers=(dense(200, "sigmoid"), Dropout(0.2), dense(10))),
    "momentum 0.9": Variant(optimizer=Momentum(0.01)),
    "Nesterov momentum 0.9": Variant(optimizer=Nesterov(0.01)),
    "L2 0.0001": Variant(regularizer=L2(1e-4)),
    "tanh": Variant(layers=(dense(200, "tanh"), dense(10))),
    "ReLU": Variant(layers=(dense(200, "relu"), dense(10))),
    "two hidden layers, 200 and 100": Variant(layers=(dense(200, "sigmoid"), dense(100, "sigmoid"), dense(10))),
}


@dataclass(frozen=True)
class Split:
    """80 % of the rows for training, 20 % for the test, after a shuffle."""

    X: Array
    y: Array
    X_test: Array
    y_test: Array


def split(seed: int, scale: float = 1.0) -> Split:
    """Shuffle and split as the tutorial does; pixels are divided by ``scale``."""
    X, y = digits()
    order = np.random.RandomState(seed).permutation(len(X))
    X, y = X[order] / scale, y[order]
    rows = int(0.8 * len(X))
    return Split(X[:rows], y[:rows], X[rows:], y[rows:])


def make_network(variant: Variant, seed: int) -> Network:
    """A network that is to be tried."""
    seeds = np.random.RandomState(seed)
    return Network(variant.layers, loss=CrossEntropy(), regularizer=variant.regularizer, seed=seeds)


def task(seed: int | None = None) -> Task:
    """What the tutorial trains."""
    data, variant = split(seed or 0), Variant()
    return Task(make_network(variant, seed or 0), data.X, data.y, {"optimizer": variant.optimizer, **TRAINING})


def train(
    settings: Settings, variant: Variant, data: Split, seed: int, what: str, others: Sequence[Callback] = ()
) -> tuple[Network, History]:
    """Per-sample training for ten epochs, in the order of the shuffle, as the tutorial does."""
    network = make_network(variant, seed)
    history = network.fit(
        data.X, data.y, optimizer=variant.optimizer, **TRAINING, validation=(data.X_test, data.y_test),
        callbacks=[*others, settings.watch(what, EPOCHS)], engine=settings.engine,
    )  # fmt: skip
    return network, history


def accuracies(settings: Settings, variant: Variant, scale: float, what: str) -> list[float]:
    """The test accuracy after ten epochs for each of five seeds."""
    first = settings.seed_or(0)
    found = []
    for seed in range(first, first + SEEDS):
        _, history = train(settings, variant, split(seed, scale), seed, f"{what}, seed {seed}")
        found.append(history["val_accuracy"][-1])
    return found


def run(settings: Settings) -> list[Figure]:
    """Train, compare, and write the report."""
    seed = settings.seed_or(0)
    data = split(seed)
    signals = Signals(data.X_test, data.y_test)
    network, history = train(settings, Variant(), data, seed, "raw pixels", [signals])
    raw = accuracies(settings, Variant(), 1.0, "raw pixels")
    tried = {name: accuracies(settings, variant, 16.0, name) for name, variant in VARIANTS.items()}
    report = Report(
        "Digits, one at a time",
        "64 pixels, 200 sigmoids, 10 digits; the weights move after every single sample.",
        settings.folder,
    )
    report.heading("The data")
    report.picture(
        plots.images(data.X[:20], titles=[str(label) for label in data.y[:20]]),
        "samples",
        "Twenty of the 1,797 digits of 8×8 pixels. They are scikit-learn's (from the UCI repository), not MNIST.",
    )
    report_accuracy(report, settings, {"raw pixels": raw, "pixels / 16": tried[BASELINE]})
    report_one(report, network, history, data, seed)
    report.signals(signals, f"Raw pixels, seed {seed}, on the test rows", "sigmoids")
    report_variants(report, tried)
    report.heading("One step, as it ran")
    report.program(network.program(BASELINE_OPTIMIZER))
    report.write(network)
    return report.figures


def report_one(report: Report, network: Network, history: History, data: Split, seed: int) -> None:
    """One of the networks on raw pixels: its curves, and what it confuses."""
    report.picture(
        plots.curves(history, names=["loss", "val_loss"]),
        "curves",
        f"Raw pixels, seed {seed}: the objective on the training rows, and on the test rows.",
    )
    report.picture(
        plots.confusion(data.y_test, network.predict(data.X_test)),
        "confusion",
        f"Raw pixels, seed {seed}: which digits of the {len(data.y_test)} test rows are taken for which.",
    )
    report_wrong(report, network, data)


def report_accuracy(report: Report, settings: Settings, found: dict[str, list[float]]) -> None:
    """What the tutorial's network reaches, on both scales of pixels."""
    compare = settings.seed in (None, 0)
    report.heading("What the network reaches")
    report.text(
        "The post prints no result, and its code does not run as it stands. Mended, with the seeds 0 to 4 for "
        "shuffle and weights, it gives the means in the second column. Pixels divided by 16, as most people would "
        "prepare them, learn more slowly here: the learning rate was picked for the raw ones."
    )
    report.compare(
        [
            Figure(f"test accuracy, {name}", None, own, float(np.mean(found[name])), TOLERANCE, compare, 4)
            for name, own in OWN_MEANS.items()
        ]
    )
    rows = [[name, *(f"{v:.4f}" for v in (np.mean(a), min(a), max(a)))] for name, a in found.items()]
    report.table([f"input ({SEEDS} seeds)", "mean", "lowest", "highest"], rows)


def report_wrong(report: Report, network: Network, data: Split) -> None:
    """The test digits that it got most wrong."""
    worst, titles = most_wrong(network, data.X_test, data.y_test, 10)
    if titles:
        report.picture(
            plots.images(data.X_test[worst], titles=titles, columns=5), "wrong", "The digits it got most wrong."
        )


def most_wrong(network: Network, X: Array, y: Array, count: int) -> tuple[Array, list[str]]:
    """The rows whose wrong answer was given with the greatest probability, and titles for them."""
    p, said = network.predict_proba(X), network.predict(X)
    wrong = np.flatnonzero(said != y)
    worst = wrong[np.argsort(-p[wrong].max(axis=1))][:count]
    return worst, [f"true {y[row]}, said {said[row]} ({p[row].max():.2f})" for row in worst]


def report_variants(report: Report, found: dict[str, list[float]]) -> None:
    """Its list of things to try, each alone against the baseline."""
    means, spreads = summary(found.values())
    report.heading("Things to try, tried")
    report.text(
        "Each item of the post's list alone, everything else as in the baseline: pixels / 16, one sample a step, ten"
        " epochs, learning rate 0.01, five seeds. The spread is the standard deviation over the seeds. A difference "
        "that is smaller than the spread says nothing."
    )
    report.table(
        ["variant", "mean test accuracy", "spread", "against the baseline"],
        [
            [name, f"{mean:.4f}", f"± {spread:.4f}", f"{mean - means[0]:+.4f}"]
            for name, mean, spread in zip(found, means, spreads, strict=True)
        ],
    )
    report.picture(
        plots.bars(list(found), means, spreads, baseline=float(means[0]), xlabel="test accuracy after ten epochs"),
        "variants",
        "Mean and standard deviation over five seeds; the dashed line is the baseline.",
    )


def summary(runs: Iterable[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each row of runs."""
    table = np.array(list(runs))
    return [float(v) for v in table.mean(axis=1)], [float(v) for v in table.std(axis=1, ddof=1)]
