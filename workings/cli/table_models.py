"""Train a network on a table, and predict the rows of a table with a trained network."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings import files, plots
from workings.activations import activation_named
from workings.checks.data import LARGEST_INPUT
from workings.checks.doctor import diagnose_alone
from workings.checks.evidence import rms
from workings.checks.findings import Diagnosis, Finding, make_finding
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import Plan, TableSource, reading_options
from workings.errors import InputError, ReportError, count_of
from workings.experiments.report import Report
from workings.layers import Dense, Dropout, Layer
from workings.losses import Loss, loss_named
from workings.metrics import accuracy, mean_absolute_error, r2
from workings.network import Network
from workings.optimizers import optimizer_named
from workings.readings.script.settings import TABLES, Held
from workings.regularizers import L2
from workings.support.arrays import Array
from workings.support.atomic_files import writable_folder, write_bytes
from workings.support.npz import read_npz
from workings.tables import (
    ClassTarget,
    LabelsTarget,
    NumberColumn,
    Preprocessing,
    marks_as_gaps,
    read_table,
    write_table,
)
from workings.tables.columns import original, shuffled_rows
from workings.tables.files import TextOptions
from workings.tables.wording import reading_notes
from workings.training.callbacks import Callback
from workings.training.early_stopping import EarlyStopping
from workings.training.history import History
from workings.training.training_data import stratified

if TYPE_CHECKING:
    import polars as pl


UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
AS_FOUND = TextOptions()  # decimal sign, delimiter and encoding as the file shows them


@dataclass(frozen=True)
class TrainedOnTable:
    """A network trained on a table, with its training rows and its validation rows."""

    network: Network
    preprocessing: Preprocessing
    history: History
    training: tuple[Array, Array]
    validation: tuple[Array, Array]

    @property
    def summary(self) -> str:
        """The columns, the layers, why the training ended, and the scores."""
        lines = summary_lines(self.network, self.preprocessing, self.history, self.training, self.validation)
        return "\n".join(lines)


@dataclass(frozen=True)
class TableTraining:
    """A network to train on a table, with its training rows, its validation rows and the settings of ``fit``."""

    network: Network
    preprocessing: Preprocessing
    training: tuple[Array, Array]
    validation: tuple[Array, Array]
    settings: dict[str, Any]

    def train(self, callback: Callback, engine: str) -> TrainedOnTable:
        """Train the network."""
        validation = self.validation if len(self.validation[0]) else None
        settings = {**self.settings, "validation": validation, "callbacks": [callback, *self.settings["callbacks"]]}
        history = self.network.fit(*self.training, engine=engine, **settings)
        return TrainedOnTable(self.network, self.preprocessing, history, self.training, self.validation)

    def script(self, file: Path, seed: int) -> str:
        """Return the training as a script that reads the table; see :func:`workings.readings.script.script`."""
        validation = Held(len(self.validation[0]), seed) if len(self.validation[0]) else None
        return self.network.script(data=file, validation=validation, **self.settings)


def prepare(source: TableSource, plan: Plan) -> TableTraining:
    """Read a table and create a network for it."""
    choices, reading = source.choices, source.reading
    given = read_table(source.file, **asdict(reading))
    frame = marks_as_gaps(given, source.target) if choices.missing == "fill" else given
    whole = Preprocessing.learn(frame, source.target, task=source.task, decimal=reading.decimal, **asdict(choices))
    held_out = validation_indices(frame.height, plan, whole.targets(frame) if whole.classes else None)
    kept = np.setdiff1d(np.arange(frame.height), held_out)
    preprocessing = whole.standardized_on(frame[kept])  # the validation rows contribute only their categories
    X, y = preprocessing.transform(frame), preprocessing.targets(frame)
    network = make_network(plan, preprocessing)
    network.preprocessing = preprocessing.to_dict()
    settings = fit_settings(plan, balanced=plan.balanced and bool(preprocessing.classes))
    return TableTraining(network, preprocessing, (X[kept], y[kept]), (X[held_out], y[held_out]), settings)


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


def train_on_table(source: TableSource, plan: Plan, progress: Callable[[int], Callback]) -> TrainedOnTable:
    """Read a table and train a network on it; ``progress(epochs)`` returns a callback that shows the progress."""
    training = prepare(source, plan)
    return training.train(progress(plan.epochs), plan.engine)


def train(
    source: TableSource, plan: Plan, folder: Path, progress: Callable[[int], Callback], script: Path | None = None
) -> tuple[str, ReportError | None]:
    """Train on a table; write the model, optionally a script, and the report.

    Returns a summary for the terminal, and the error of a report that could not be completed.
    """
    file, reading = source.file, source.reading
    if script is not None:
        refuse_for_script(file, reading)
    training = prepare(source, plan)
    model, problem = folder / "model.safetensors", None
    with folder_for_results(folder):
        text = training.script(file, plan.seed) if script is not None else ""  # before training: it may raise an error
        trained = training.train(progress(plan.epochs), plan.engine)
        try:
            write_report(file, folder, trained)  # which writes the model first
        except ReportError as error:
            problem = error
        if script is not None:
            write_bytes(script, text.encode())
    lines = [trained.summary, "", f"model   {model}", f"report  {folder / 'report.html'}"]
    lines += [f"script  {script}"] if script is not None else []
    predict = shlex.join(["workings", "predict", str(model), str(file), *reading_options(reading)])
    return "\n".join([*lines, f"next    {predict}"]), problem


def refuse_for_script(file: Path, reading: TextOptions) -> None:
    """Raise for a table that a script with NumPy alone cannot read."""
    if reading.delimiter or reading.encoding or (file.is_file() and file.open("rb").read(2) in UTF_16):
        raise InputError(
            "--script reads files in UTF-8 with commas, semicolons or tabs: save the table so, and leave out "
            "--delimiter and --encoding."
        )
    if file.suffix.lower() not in TABLES:
        raise InputError(f"--script reads CSV files with NumPy alone, not {file.name}: save the table as CSV.")


@contextmanager
def folder_for_results(folder: Path) -> Iterator[None]:
    """Create a folder and check that it is writable; after an error, remove the folders that are still empty."""
    created = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        writable_folder(folder)
        yield
    except BaseException:
        for each in created:
            with suppress(OSError):  # not empty, or not created
                each.rmdir()
        raise


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


def validation_indices(n: int, plan: Plan, labels: Array | None) -> Array:
    """Return the indices of the validation rows; with labels, drawn from each label in proportion."""
    share = plan.validation or 0.0
    if not 0 <= share < 1:
        raise InputError(f"--validation is a fraction from 0 to below 1, not {share:g}.")
    rows = round(n * share)
    if share and not 0 < rows < n:
        raise InputError(
            f"--validation {share:g} of {n} rows gives {rows} validation rows and {n - rows} training rows; "
            "each set needs at least one row."
        )
    order = shuffled_rows(n, plan.seed)
    if labels is not None:
        order = stratified(order, np.unique(labels, return_inverse=True)[1], rows)
    return np.sort(order[:rows])


Rows = tuple[Array, Array]


def summary_lines(
    network: Network, preprocessing: Preprocessing, history: History, training: Rows, validation: Rows
) -> list[str]:
    """Return the lines of a training's summary."""
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
    for name, (X, y) in {"training": training, "validation": validation}.items():
        if len(X):
            lines.append(f"{name:<11} {len(X):>7,} rows   {format_score(network, preprocessing, X, y, training[1])}")
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


def write_report(file: Path, folder: Path, trained: TrainedOnTable) -> None:
    """Write the model, then its report.

    Raises
    ------
    ReportError
        If the report could not be completed.
    """
    network, preprocessing = trained.network, trained.preprocessing
    rows = count_of(len(trained.training[0]) + len(trained.validation[0]), "row")
    report = Report(f"{file.name}: {preprocessing.target.name}", f"{preprocessing.task.capitalize()}, {rows}", folder)
    with report.of(network):
        report.heading("Results")
        report.code(trained.summary)
        words = "Objective by epoch on the training rows and on the validation rows."
        report.draw_plot(lambda: plots.curves(trained.history), "curves", words)
        X, y = trained.validation
        if len(X) and preprocessing.task == "classification" and len(preprocessing.classes) <= 30:
            words = "Confusion matrix of the validation rows."
            report.draw_plot(lambda: confusion_of(preprocessing, y, network.predict(X)), "confusion", words)
        report.heading("Statements of one training step")
        report.program(network.program())


def confusion_of(preprocessing: Preprocessing, y: Array, predicted: Array) -> Any:
    """Plot the confusion matrix of the classes that occur."""
    occurring = np.isin(preprocessing.classes, np.concatenate([y, predicted]))
    names = [str(label) for label, occurs in zip(preprocessing.classes, occurring, strict=True) if occurs]
    return plots.confusion(y, predicted, names)


def load_model(path: Path) -> Network:
    """Load a model file of any readable format."""
    return files.load(path) if path.suffix.lower() in files.READERS else Network.load(path)


def diagnose_training(trained: TrainedOnTable, terms: TableTerms) -> Diagnosis:
    """Diagnose a training on a table; also report constant columns, which standardization sets to 0."""
    trained.history.settings["terms"] = terms
    diagnosis = trained.network.diagnose(*trained.training, trained.history)
    rows = f"read_table({str(terms.source.file)!r})"
    code = f"from workings.tables import read_table\nprint({rows}.head())  # do these rows belong to their targets?"
    findings = tuple(
        replace(finding, change=code) if finding.name == "unrelated-labels" else finding
        for finding in diagnosis.findings
    )
    constant = constant_columns(trained)
    if constant:
        text = f"{', '.join(constant)}: the same number in every row."
        findings = (*findings, make_finding("constant-column", text, terms.command(drop=constant)))
    return Diagnosis(findings, diagnosis.looked_at)


def constant_columns(trained: TrainedOnTable) -> list[str]:
    """Return the names of the numeric columns that have the same value in every training row."""
    numeric = {column.name for column in trained.preprocessing.columns if isinstance(column, NumberColumn)}
    columns = zip(trained.preprocessing.feature_names, trained.training[0].T, strict=True)
    return [name for name, values in columns if name in numeric and not values.any()]


def diagnose_model(model: Path, table: Path | None, reading: TextOptions = AS_FOUND) -> Diagnosis:
    """Diagnose a model file, on the rows of a table if one is given.

    The model standardizes the rows as in training.  So constant columns are no problem of the model, and a column on
    another scale is named as the table names it.
    """
    network = load_model(model)
    if table is None:
        return diagnose_alone(network)
    X, y = load_rows(network, table, reading)
    found = network.diagnose(X, y)
    if network.preprocessing is None or table.suffix == ".npz":
        return found
    kept = [finding for finding in found.findings if finding.name not in ("unscaled-inputs", "constant-column")]
    return Diagnosis((*shifted_columns(load_preprocessing(network), X, model, table), *kept), found.looked_at)


def shifted_columns(preprocessing: Preprocessing, X: Array, model: Path, table: Path) -> list[Finding]:
    """Report numeric columns that are on another scale than in the training table."""
    parts = []
    for column, place in zip(
        preprocessing.table_columns.numbers, preprocessing.table_columns.number_places, strict=True
    ):
        x = X[:, place].astype(np.float64)
        if rms(x) > LARGEST_INPUT:
            values = original(x, column.mean, column.std)
            parts.append(
                f"column {column.name!r} has mean {values.mean():.4g} in {table.name}; in training it was "
                f"{column.mean:.4g} ± {column.std:.4g}"
            )
    if not parts:
        return []
    words = shlex.join(["workings", "summary", str(model)])
    fix = f"{words}  # compare the units: write the columns of {table.name} in those of the training table"
    return [make_finding("unscaled-inputs", "; ".join(parts) + ".", fix)]


def predict(
    model: Path, file: Path, out: Path | None, unknown: str = "error", reading: TextOptions = AS_FOUND
) -> tuple[pl.DataFrame, str]:
    """Predict the rows of a table, write the predictions to ``out``, and return them with their score as text."""
    network = load_model(model)
    if network.preprocessing is None:
        raise InputError(
            f"{model} was not trained on a table and has no column names: "
            "use Network.load and Network.predict with an array."
        )
    preprocessing, frame = read_rows(network, file, reading)
    X = preprocessing.transform(frame, unknown=unknown)
    if preprocessing.task == "classification":
        predictions = preprocessing.predictions_frame(network.predict(X), network.predict_proba(X))
    else:
        predictions = preprocessing.predictions_frame(preprocessing.untransform_target(network.predict(X)))
    if out is not None:
        write_table(predictions, out)
    return predictions, score_on_table(network, preprocessing, frame, X)


def load_rows(network: Network, file: Path | None, reading: TextOptions = AS_FOUND) -> Rows:
    """Load rows and targets for a model, from a table with the model's columns or from an ``.npz`` file."""
    if file is None:
        raise InputError(
            "Rows are missing: after the model, name a table with the model's columns, or an .npz file with X and y."
        )
    if file.suffix == ".npz":
        return read_npz(file)
    if network.preprocessing is None:
        raise InputError("This model was not trained on a table: pass its rows as an .npz file with X and y.")
    preprocessing, frame = read_rows(network, file, reading)
    return preprocessing.transform(frame), preprocessing.targets(frame)


def load_preprocessing(network: Network) -> Preprocessing:
    """Return the preprocessing stored in a model; with several labels per row, its target is a ``LabelsTarget``."""
    stored = Preprocessing.from_dict(network.preprocessing)
    has_several = network.targets.is_classification and not network.targets.has_labels
    if not has_several or not isinstance(stored.target, ClassTarget):
        return stored
    return replace(stored, target=LabelsTarget(stored.target.name, stored.target.classes))


def read_rows(network: Network, file: Path, reading: TextOptions = AS_FOUND) -> tuple[Preprocessing, Any]:
    """Return a model's preprocessing, and a table read with the column types of that preprocessing."""
    preprocessing = load_preprocessing(network)
    return preprocessing, read_table(file, columns=preprocessing.table_columns, **asdict(reading))


def score_on_table(network: Network, preprocessing: Preprocessing, frame: Any, X: Array) -> str:
    """Return the score as text, or why there is none; empty if the table has no target column or the model several."""
    name, has_one_target = preprocessing.target.name, network.n_out == 1 or network.targets.has_labels
    if name not in frame.columns or not has_one_target:
        return ""
    try:
        y = preprocessing.targets(frame)
    except InputError as error:
        return f"no score on the target column {name!r}: {error}"
    metric = "accuracy" if preprocessing.task == "classification" else "R²"
    return f"score on the target column {name!r}: {metric} {network.score(X, y):.4f} ({count_of(len(X), 'row')})"


def column_lines(preprocessing: Preprocessing) -> list[str]:
    """Return one line for each column that a table needs for a prediction."""
    lines = []
    for column in preprocessing.columns:
        fill = "" if column.fill is None else f"; missing values are replaced by {column.fill}"
        if isinstance(column, NumberColumn):
            is_scaled = (column.mean, column.std) != (0.0, 1.0)
            scale = f"mean {column.mean:.6g}, standard deviation {column.std:.6g}" if is_scaled else "not standardized"
            kind = "number" if column.form is None else column.form.describe()
            lines.append(f"  {column.name}: {kind}, {scale}{fill}")
        else:
            shown = ", ".join(column.categories[:8]) + (", …" if len(column.categories) > 8 else "")
            lines.append(f"  {column.name}: {len(column.categories)} categories: {shown}{fill}")
    return lines
