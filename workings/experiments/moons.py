"""Two moons: tanh units bend the boundary that logistic regression can only draw straight.

The tutorial's network and its sweep of hidden sizes, reproduced; then what it only advises: a held-out
set, mini-batches and a decaying learning rate.  Its learning rate lies at the edge of stability, and
the report shows what that means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workings import plots
from workings.checks.curvature import sharpness
from workings.datasets import moons
from workings.errors import MissingExtraError, counted
from workings.experiments.figures import Figure
from workings.experiments.report import Report, Settings
from workings.experiments.tasks import Task
from workings.initializers import LeCunNormal
from workings.layers import Dense
from workings.losses import CrossEntropy
from workings.network import Network
from workings.optimizers import SGD, Optimizer
from workings.regularizers import L2
from workings.schedules import Exponential
from workings.support.arrays import Array
from workings.training.callbacks import Callback
from workings.training.history import History
from workings.training.recorders import Snapshots

PASSES = 20_000
SIZES = (1, 2, 3, 4, 5, 20, 50)
SWEEP = (0.865, 0.835, 0.975, 0.99, 0.99, 0.99, 0.99)
# With 1, 2 and 4 units its code does not settle: changing one first weight by 1e-15 moves the accuracy after 20,000
# passes by so much.  With 2 it ranges from 0.58 to 0.96 within the last 1,000 passes, so there is nothing to compare.
UNSETTLED = {1: 0.01, 4: 0.015}
CHAOTIC = 2
# What its code prints: the first two losses, and the last ten, which lie on one of two branches.  The last bit of
# the arithmetic (another build of NumPy, or the row maximum taken off in the softmax) decides on which.
FIRST = (0.432387, 0.068947)
UPPER = (0.071314, 0.071315, 0.071315, *(0.071316,) * 7)
LOWER = (0.070758,) * 10
ORBIT = (0.070758, 0.071316)
SETTLED = 0.067804
STRAIGHT = 0.85


TRAINING: dict[str, Any] = {"optimizer": SGD(0.01), "epochs": PASSES, "batch_size": None}


def make_network(hidden: int, seed: int, reduction: str = "sum", lam: float = 0.01) -> Network:
    """The tutorial's network: weights randn / √fan_in, biases 0, the loss summed over the samples."""
    layers = [Dense(hidden, "tanh", weights=LeCunNormal()), Dense(2, weights=LeCunNormal())]
    return Network(
        layers, loss=CrossEntropy(reduction=reduction), regularizer=L2(lam), seed=np.random.RandomState(seed)
    )


def task(seed: int | None = None) -> Task:
    """What the tutorial trains."""
    return Task(make_network(3, seed or 0), *moons(200, 0.2, seed=seed or 0), TRAINING)


def train(
    settings: Settings, network: Network, X: Array, y: Array, what: str, lr: float = 0.01,
    others: Sequence[Callback] = (),
) -> History:  # fmt: skip
    """Full-batch gradient descent, 20,000 passes."""
    watch = settings.watch(what, PASSES)
    how = {**TRAINING, "optimizer": SGD(lr)}
    return network.fit(X, y, **how, callbacks=[*others, watch], engine=settings.engine)


def straight_line(X: Array, y: Array) -> object:
    """Logistic regression with its penalty chosen by cross-validation, as in the tutorial.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegressionCV
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "sklearn") from error
    settings = {"l1_ratios": (0.0,), "use_legacy_attributes": False, "scoring": "accuracy"}
    return LogisticRegressionCV(**settings).fit(X, y)


def printed_losses(losses: Sequence[float], compare: bool) -> list[Figure]:
    """The losses after every 1,000th pass, beside what the tutorial's code prints on the same branch."""
    branch = min((UPPER, LOWER), key=lambda values: abs(values[-1] - losses[-1]))
    known: list[float | None] = [*FIRST, *(None,) * 8, *branch]
    return [
        Figure(f"loss after pass {1000 * i:,}", None, own, loss, 5e-7 if i < 2 else 1e-6, compare)
        for i, (own, loss) in enumerate(zip(known, losses, strict=True))
    ]


def run(settings: Settings) -> list[Figure]:
    """Train, compare, and write the report."""
    seed = settings.seed_or(0)
    X, y = moons(200, 0.2, seed=seed)
    network = make_network(3, seed)
    snapshots = Snapshots(count=40)
    history = train(settings, network, X, y, "3 hidden units", others=[snapshots])
    report = Report(
        "Two moons",
        "Three tanh units bend a boundary that logistic regression can only draw straight.",
        settings.folder,
    )
    report_training(report, network, history, X, y, settings)
    report_straight(report, network, X, y, settings)
    report_inside(report, network, X, y, snapshots)
    report_sweep(report, X, y, settings)
    report_advice(report, settings)
    report.heading("One step, as it ran")
    report.program(network.program(SGD(0.01)))
    report.write(network)
    return report.figures


def report_training(report: Report, network: Network, history: History, X: Array, y: Array, settings: Settings) -> None:
    """The losses that the tutorial's code prints, the orbit they end on, and a smaller learning rate."""
    compare = settings.seed in (None, 0)
    report.heading("The loss, every 1,000 passes")
    report.text(
        "The post shows no losses; these are what its code prints when it is run. From the third on they depend on "
        "the last bit of the arithmetic, because the learning rate is at the edge of stability (below): the last ten "
        "lie on one of two branches, and each is shown beside the tutorial's value on the branch that our arithmetic "
        "took."
    )
    # Printed after the update: the loss that the next epoch begins with.
    report.compare(printed_losses(history["loss"][1::1000], compare))
    slower = make_network(3, settings.seed_or(0))
    settled = train(settings, slower, X, y, "3 hidden units, lr 0.005", lr=0.005)
    low, high = sorted(history["loss"][-2:])
    report.heading("At the edge of stability")
    report.compare(
        [
            Figure("lower value of the orbit", None, ORBIT[0], low, 1e-6, compare),
            Figure("upper value of the orbit", None, ORBIT[1], high, 1e-6, compare),
            Figure("loss at the end, lr 0.005", None, SETTLED, settled["loss"][-1], 1e-6, compare),
        ]
    )
    report_stability(report, history["loss"], settled["loss"], sharpness(slower, X, y))


def report_stability(report: Report, orbiting: list[float], settled: list[float], curvature: float) -> None:
    """Why the loss jumps between two values, in words and pictures."""
    report.text(
        "With the learning rate 0.01 the loss does not settle: from some point on it jumps between two values, step "
        "by step. A step of gradient descent overshoots a valley whose curvature is greater than 2 / lr, which is 200 "
        "here, and the loss is a sum over 200 rows, so that the step is as long as 2.0 would be for the mean. Where "
        f"half the learning rate settles, the greatest curvature is {curvature:.0f}: stable for 0.005, whose limit is "
        "400, but not for 0.01. The steps of 0.01 are thrown from one side of that valley to the other and come to "
        "rest on an orbit of two points, higher up.",
        f"Half the learning rate ends at {settled[-1]:.6f}, below both values of the orbit.",
    )
    report.picture(plots.orbit(orbiting), "orbit", "The last losses at lr 0.01: an orbit of two values.")
    both = {"lr 0.01": orbiting, "lr 0.005": settled}
    report.picture(
        objective_curves(both),
        "curves",
        "Both runs: 0.01 falls faster at first, bursts, and stays above; 0.005 bursts once and goes on falling.",
    )


def objective_curves(curves: dict[str, list[float]]) -> Any:
    """Several runs in one picture."""
    drawn = plots.curves(curves, names=list(curves), log=True)
    drawn.set_ylabel("objective per sample")
    return drawn


def report_straight(report: Report, network: Network, X: Array, y: Array, settings: Settings) -> None:
    """The baseline of a straight line beside the network."""
    line = straight_line(X, y)
    compare = settings.seed in (None, 0)
    accuracy = float(line.score(X, y))  # type: ignore[attr-defined]
    report.heading("A straight line, and a bent one")
    report.compare([Figure("logistic regression, training", None, STRAIGHT, accuracy, 1e-9, compare, 4)])
    report.picture(
        plots.boundaries(
            {"logistic regression": line, "3 tanh units": network}, X, y, columns=2,
            captions={
                "logistic regression": f"training accuracy {accuracy:.3f}",
                "3 tanh units": f"training accuracy {network.score(X, y):.3f}",
            },
        ),
        "boundary",
        "The boundary of logistic regression is straight; three tanh units bend it around the moons.",
    )  # fmt: skip


def report_inside(report: Report, network: Network, X: Array, y: Array, snapshots: Snapshots) -> None:
    """What each hidden unit sees, and how training got there."""
    report.heading("What each unit sees, and how it learned to")
    report.picture(
        plots.units(network, X, y),
        "units",
        "Each hidden unit draws one straight line, on which its weighted sum is 0; its tanh is near -1 on one side and "
        "near 1 on the other. The output layer puts the three together.",
    )
    report.film(
        plots.film(network, X, y, snapshots),
        "replay",
        "The training at forty moments, close together at first: a nearly straight line comes first, and is bent "
        "later.",
    )
    report.picture(
        plots.landscape_of(network, X, y, snapshots),
        "landscape",
        "The objective, summed over the 200 rows, on the plane of the two directions in which training moved most, and "
        "the way that it took.",
    )


def report_sweep(report: Report, X: Array, y: Array, settings: Settings) -> None:
    """Seven hidden sizes: boundaries, training accuracy, and accuracy on rows that were held out."""
    X_new, y_new = moons(2000, 0.2, seed=settings.seed_or(0) + 1)
    networks = {size: make_network(size, settings.seed_or(0)) for size in SIZES}
    for size, network in networks.items():
        train(settings, network, X, y, title(size))
    training = [network.score(X, y) for network in networks.values()]
    held_out = [network.score(X_new, y_new) for network in networks.values()]
    report.heading("How many hidden units?")
    report.compare(sweep_figures(training, settings.seed in (None, 0)))
    captions = [f"training {a:.3f}, held out {b:.3f}" for a, b in zip(training, held_out, strict=True)]
    titles = [title(size) for size in SIZES]
    report.picture(
        plots.boundaries(
            dict(zip(titles, networks.values(), strict=True)), X, y, captions=dict(zip(titles, captions, strict=True))
        ),
        "sweep",
        "Seven hidden sizes: one unit draws a straight line, two end in a burst; from three on the moons are told "
        "apart.",
    )
    rows = [[n, f"{a:.4f}", f"{b:.4f}"] for n, a, b in zip(SIZES, training, held_out, strict=True)]
    report.table(["hidden units", "training accuracy (200)", "held-out accuracy (2,000 new rows)"], rows)
    report.text(*ABOUT_THE_SWEEP)


ABOUT_THE_SWEEP = (
    "With 1, 2 and 4 units the learning rate is too large to settle. With 2 units the loss bursts until the end: the "
    "last bit of the arithmetic decides which accuracy is found after the last pass, and there is nothing to compare "
    "with. At a learning rate of 0.0005 two units tell the moons apart almost as well as three.",
    "The post suspects that larger hidden layers overfit here, and advises a test set. On 2,000 new rows the accuracy"
    " falls from three or four units on, by a point or two: it is right, modestly. The smallest layers are worse than"
    " the largest.",
)


def sweep_figures(training: Sequence[float], compare: bool) -> list[Figure]:
    """The training accuracies beside those of the tutorial's code."""
    return [
        Figure(
            f"training accuracy, {size} hidden", None, known, accuracy, UNSETTLED.get(size, 0.005) + 1e-9,
            compare and size != CHAOTIC, 4,
        )
        for size, known, accuracy in zip(SIZES, SWEEP, training, strict=True)
    ]  # fmt: skip


def title(size: int) -> str:
    """The title of one panel."""
    return counted(size, "hidden unit")


def report_advice(report: Report, settings: Settings) -> None:
    """What the post only advises: a held-out set, mini-batches, and a learning rate that falls."""
    histories = train_as_advised(settings)
    columns = ("loss", "val_loss", "val_accuracy")
    rows = [[name, *(f"{history[column][-1]:.4f}" for column in columns)] for name, history in histories.items()]
    report.heading("What the post advises, done")
    report.text(
        "A held-out set, mini-batches and a decaying learning rate, for the network with three hidden units, with the "
        "mean of the losses and the same regularization for each row, 1,000 epochs: the full batch at learning rate "
        "0.5; mini-batches of 32 at 0.5; mini-batches of 32 with a rate that falls from 0.5 to 0.005."
    )
    report.table(["way of training", "objective", "held-out objective", "held-out accuracy"], rows)
    report.picture(
        objective_curves({name: history["loss"] for name, history in histories.items()}),
        "advice",
        "Mini-batches learn faster per epoch; with a falling rate they also come to rest.",
    )


def train_as_advised(settings: Settings, epochs: int = 1000) -> dict[str, History]:
    """The network with three hidden units, trained in three ways on the mean of the losses."""
    seed = settings.seed_or(0)
    X, y = moons(200, 0.2, seed=seed)
    steps = epochs * -(-len(X) // 32)
    ways: dict[str, tuple[Optimizer, int | None]] = {
        "full batch": (SGD(0.5), None),
        "mini-batches": (SGD(0.5), 32),
        "falling rate": (SGD(Exponential(0.5, 0.01 ** (1 / steps))), 32),
    }
    return {
        name: make_network(3, seed, reduction="mean", lam=0.01 / 200).fit(
            X, y, optimizer=optimizer, epochs=epochs, batch_size=batch_size,
            validation=moons(2000, 0.2, seed=seed + 1), callbacks=[settings.watch(name, epochs)],
            engine=settings.engine,
        )
        for name, (optimizer, batch_size) in ways.items()
    }  # fmt: skip
