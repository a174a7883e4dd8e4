"""Training on a table: its rows, its network, the settings of ``fit``, and the summary of the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings.activations import activation_named
from workings.cli.table_plan import Plan, TableSource
from workings.cli.table_splits import RowKinds, Split, named_column, row_kinds, split_rows
from workings.errors import InputError
from workings.layers import Dense, Dropout, Layer
from workings.losses import Loss, loss_named
from workings.metrics import accuracy, mean_absolute_error, r2
from workings.network import Network
from workings.optimizers import optimizer_named
from workings.readings.script.settings import Held
from workings.regularizers import L2
from workings.support.arrays import Array
from workings.tables import Preprocessing, marks_as_gaps, read_table
from workings.tables.wording import reading_notes
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.history import History

if TYPE_CHECKING:
    import polars as pl

Rows = tuple[Array, Array]


@dataclass(frozen=True)
class TrainedOnTable:
    """A network trained on a table, with its training, validation and test rows."""

    network: Network
    preprocessing: Preprocessing
    history: History
    training: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    frame: Any
    split: Split

    @property
    def held_out(self) -> tuple[str, tuple[Array, Array], Array]:
        """The rows to score the network with: the test rows, or else the validation rows; their name and indices."""
        if len(self.split.test):
            return "test", self.test, self.split.test
        return "validation", self.validation, self.split.validation

    @property
    def summary(self) -> str:
        """The columns, the layers, why the training ended, and the scores."""
        return "\n".join(summary_lines(self))


@dataclass(frozen=True)
class TableTraining:
    """A network to train on a table, with its training, validation and test rows and the settings of ``fit``."""

    network: Network
    preprocessing: Preprocessing
    training: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    settings: dict[str, Any]
    frame: Any
    split: Split

    def train(self, callback: Callback, engine: str) -> TrainedOnTable:
        """Train the network."""
        validation = self.validation if len(self.validation[0]) else None
        settings = {**self.settings, "validation": validation, "callbacks": [callback, *self.settings["callbacks"]]}
        history = self.network.fit(*self.training, engine=engine, **settings)
        rows = (self.training, self.validation, self.test)
        return TrainedOnTable(self.network, self.preprocessing, history, *rows, self.frame, self.split)

    def script(self, file: Path, seed: int) -> str:
        """Return the training as a script that reads the table; see :func:`workings.readings.script.script`."""
        validation = Held(len(self.validation[0]), seed) if len(self.validation[0]) else None
        return self.network.script(data=file, validation=validation, **self.settings)


@dataclass(frozen=True)
class LoadedTable:
    """A table with the encoding of its columns, and what a split of its rows respects."""

    frame: Any
    whole: Preprocessing
    kinds: RowKinds

    def training_on(self, split: Split, plan: Plan) -> TableTraining:
        """Create a network for the training rows of a split; other rows contribute only their categories and gaps."""
        preprocessing = self.whole.standardized_on(self.frame[split.training])
        X, y = preprocessing.transform(self.frame), preprocessing.targets(self.frame)
        network = make_network(plan, preprocessing)
        network.preprocessing = preprocessing.to_dict()
        settings = fit_settings(plan, balanced=plan.balanced and bool(preprocessing.classes))
        training, validation, test = ((X[rows], y[rows]) for rows in (split.training, split.validation, split.test))
        return TableTraining(network, preprocessing, training, validation, test, settings, self.frame, split)


def load_table(source: TableSource, plan: Plan) -> LoadedTable:
    """Read a table and learn the encoding of its columns; the column of groups is no feature."""
    choices, reading = source.choices, source.reading
    given = read_table(source.file, **asdict(reading))
    frame = marks_as_gaps(given, source.target) if choices.missing == "fill" else given
    named = () if plan.group in (None, source.target, *choices.use, *choices.drop) else (plan.group,)
    if plan.group is not None:
        named_column(frame, "--group", plan.group)
    choices = replace(choices, drop=(*choices.drop, *named))
    whole = Preprocessing.learn(frame, source.target, task=source.task, decimal=reading.decimal, **asdict(choices))
    return LoadedTable(frame, whole, row_kinds(frame, plan, whole.targets(frame) if whole.classes else None))


def prepare(source: TableSource, plan: Plan) -> TableTraining:
    """Read a table and create a network for it."""
    table = load_table(source, plan)
    return table.training_on(split_rows(table.kinds, plan), plan)


def fit_settings(plan: Plan, *, balanced: bool) -> dict[str, Any]:
    """Return the settings of ``fit``, without the validation rows."""
    optimizer = optimizer_named(plan.optimizer, plan.lr)
    return {
        "optimizer": optimizer,
        "epochs": plan.epochs,
        "batch_size": plan.batch_size if optimizer.takes_batches else None,
        "callbacks": [EarlyStopping("val_loss", patience=plan.patience)] if plan.validation else [],
        "class_weight": "balanced" if balanced else None,
    }


def make_network(plan: Plan, preprocessing: Preprocessing) -> Network:
    """Create the network of a plan, with the number of outputs that the target needs."""
    loss = choose_loss(plan.loss, preprocessing)
    activation_named(plan.activation)
    layers: list[Layer] = []
    for units in plan.units:
        layers.append(Dense(units, plan.activation))
        layers += [Dropout(plan.dropout)] if plan.dropout else []
    outputs = len(preprocessing.classes) if loss.is_multiclass else 1
    network = Network(
        [*layers, Dense(outputs)],
        loss=loss,
        regularizer=L2(plan.l2) if plan.l2 else None,
        seed=plan.seed,
        n_in=preprocessing.n_features,
    )
    if preprocessing.classes:  # of the whole table: a rare class may occur only in the validation rows
        network.set_classes(np.array(preprocessing.classes))
    return network


def choose_loss(name: str, preprocessing: Preprocessing) -> Loss:
    """Return the loss that ``--loss`` names, or raise an error if it does not suit the target."""
    classification = preprocessing.task == "classification"
    loss = loss_named(("CrossEntropy" if classification else "SquaredError") if name == "auto" else name)
    if classification != loss.is_classification:
        kind = "classification" if classification else "regression"
        suitable = "CrossEntropy" if classification else "SquaredError, AbsoluteError or Huber"
        raise InputError(f"--loss {name} does not suit {kind}: choose {suitable}.")
    if loss.is_classification and not loss.is_multiclass and len(preprocessing.classes) != 2:
        raise InputError(
            f"--loss {name} is for two classes; the target has {len(preprocessing.classes)}: use CrossEntropy."
        )
    if loss.takes_counts:
        raise InputError(
            "--loss Poisson is not available for tables, because their targets are standardized: use SquaredError."
        )
    return loss


def summary_lines(trained: TrainedOnTable) -> list[str]:
    """Return the lines of a training's summary."""
    network, preprocessing, history = trained.network, trained.preprocessing, trained.history
    lines = [
        preprocessing.reason,
        preprocessing.describe(),
        *reading_notes(preprocessing.table_columns),
        *preprocessing.notes,
        "",
        network.summary(),
        "",
        f"training ended: {history.stopped}",
    ]
    parts = {"training": trained.training, "validation": trained.validation, "test": trained.test}
    for name, (X, y) in parts.items():
        if len(X):
            score = format_score(network, preprocessing, X, y, trained.training[1])
            lines.append(f"{name:<11} {len(X):>7,} rows   {score}")
    return lines


def format_score(network: Network, preprocessing: Preprocessing, X: Array, y: Array, y_train: Array) -> str:
    """Return the score as text, next to that of a baseline that predicts the same for every row."""
    if preprocessing.task == "classification":
        labels, counts = np.unique(y_train, return_counts=True)
        most_frequent = labels[counts.argmax()]
        baseline = accuracy(y, np.full_like(y, most_frequent))
        return f"accuracy {network.score(X, y):.4f}   (baseline, always {str(most_frequent)!r}: {baseline:.4f})"
    p = network.predict(X)
    error = mean_absolute_error(preprocessing.untransform_target(y), preprocessing.untransform_target(p))
    return f"R² {r2(y, p):.4f}   mean absolute error {error:.6g}   (baseline, always the mean: R² 0)"


def predicted_frame(network: Network, preprocessing: Preprocessing, X: Array) -> pl.DataFrame:
    """Return the predictions of some rows as a table: labels with probabilities, or numbers."""
    if preprocessing.task == "classification":
        return preprocessing.predictions_frame(network.predict(X), network.predict_proba(X))
    return preprocessing.predictions_frame(preprocessing.untransform_target(network.predict(X)))
