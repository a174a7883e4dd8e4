"""From a table to a trained network with its report, and from a network to predictions for a table."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workings import files, plots
from workings.activations import activation_named
from workings.checks.doctor import diagnose_alone
from workings.checks.findings import Diagnosis, make_finding
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import Plan
from workings.errors import FileError, InputError
from workings.experiments.report import Report
from workings.layers import Dense, Dropout, Layer
from workings.losses import Loss, loss_named
from workings.metrics import accuracy, mean_absolute_error, r2
from workings.network import Network
from workings.optimizers import LBFGS, optimizer_named
from workings.readings.script.settings import Held
from workings.regularizers import L2
from workings.support.arrays import Array
from workings.support.atomic_files import writable_folder, write_bytes
from workings.tables import (
    ClassTarget,
    LabelsTarget,
    NumberColumn,
    Preprocessing,
    marks_as_gaps,
    read_table,
    write_table,
)
from workings.tables.columns import drawn_rows
from workings.training.callbacks import Callback, EarlyStopping
from workings.training.history import History

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Fitted:
    """A network that was trained on a table, and the rows that it was given and not given."""

    network: Network
    preprocessing: Preprocessing
    history: History
    training: tuple[Array, Array]
    held: tuple[Array, Array]

    @property
    def told(self) -> str:
        """What was trained, and how good it is."""
        return "\n".join(findings(self.network, self.preprocessing, self.history, self.training, self.held))


@dataclass(frozen=True)
class Prepared:
    """A network that is to be trained on a table: its rows, those that it is not given, and the settings of ``fit``."""

    network: Network
    preprocessing: Preprocessing
    training: tuple[Array, Array]
    held: tuple[Array, Array]
    settings: dict[str, Any]

    def trained(self, watch: Callback, engine: str) -> Fitted:
        """Train it."""
        held = self.held if len(self.held[0]) else None
        settings = {**self.settings, "validation": held, "callbacks": [watch, *self.settings["callbacks"]]}
        history = self.network.fit(*self.training, engine=engine, **settings)
        return Fitted(self.network, self.preprocessing, history, self.training, self.held)

    def script(self, file: Path, seed: int) -> str:
        """The training as a file that reads the table itself; see :func:`workings.readings.script.script`."""
        held = Held(len(self.held[0]), seed) if len(self.held[0]) else None
        return self.network.script(data=file, validation=held, **self.settings)


def prepared(file: Path, target: str, plan: Plan, *, impute: bool, drop: tuple[str, ...], task: str) -> Prepared:
    """Read a table and make a network for it."""
    frame = marks_as_gaps(read_table(file), target) if impute else read_table(file)
    whole = Preprocessing.learn(frame, target, task=task, impute=impute, drop=drop)
    held = held_out(frame.height, plan)
    kept = np.setdiff1d(np.arange(frame.height), held)
    preprocessing = whole.standardized_on(frame[kept])  # nothing of the validation rows but their categories
    X, y = preprocessing.transform(frame), preprocessing.targets(frame)
    network = make_network(plan, preprocessing)
    network.preprocessing = preprocessing.to_dict()
    settings = fit_settings(plan, balanced=plan.balanced and bool(preprocessing.classes))
    return Prepared(network, preprocessing, (X[kept], y[kept]), (X[held], y[held]), settings)


def fit_settings(plan: Plan, *, balanced: bool) -> dict[str, Any]:
    """The settings of ``fit``, without the rows to validate on."""
    optimizer = optimizer_named(plan.optimizer, plan.lr)
    return {
        "optimizer": optimizer, "epochs": plan.epochs,
        "batch_size": None if isinstance(optimizer, LBFGS) else plan.batch_size,
        "callbacks": [EarlyStopping("val_loss", patience=plan.patience)] if plan.validation else [],
        "class_weight": "balanced" if balanced else None,
    }  # fmt: skip


def fitted(
    file: Path, target: str, plan: Plan, *, impute: bool, drop: tuple[str, ...], task: str,
    watch: Callable[[int], Callback],
) -> Fitted:  # fmt: skip
    """Read a table and train."""
    made = prepared(file, target, plan, impute=impute, drop=drop, task=task)
    return made.trained(watch(plan.epochs), plan.engine)


def train(
    file: Path, target: str, plan: Plan, folder: Path, *, impute: bool, drop: tuple[str, ...], task: str,
    watch: Callable[[int], Callback], script: Path | None = None,
) -> str:  # fmt: skip
    """Read a table, train, write model, report and the script if one is wanted; give what is to be said about it."""
    writable_folder(folder)
    made = prepared(file, target, plan, impute=impute, drop=drop, task=task)
    text = made.script(file, plan.seed) if script is not None else ""  # refused before the training, if at all
    found = made.trained(watch(plan.epochs), plan.engine)
    write_report(file, folder, found.network, found.preprocessing, found.history, found.told, found.held)
    lines = [found.told, "", f"model   {folder / 'model.safetensors'}", f"report  {folder / 'report.html'}"]
    if script is not None:
        write_bytes(script, text.encode())
        lines.append(f"script  {script}")
    return "\n".join([*lines, f"next    workings predict {folder / 'model.safetensors'} {file}"])


def make_network(plan: Plan, preprocessing: Preprocessing) -> Network:
    """The network that a plan asks for, with the outputs that the target needs."""
    loss = chosen_loss(plan.loss, preprocessing)
    activation_named(plan.activation)
    layers: list[Layer] = []
    for units in plan.units:
        layers.append(Dense(units, plan.activation))
        layers += [Dropout(plan.dropout)] if plan.dropout else []
    outputs = len(preprocessing.classes) if loss.target == "classes" else 1
    network = Network(
        [*layers, Dense(outputs)], loss=loss, regularizer=L2(plan.l2) if plan.l2 else None, seed=plan.seed,
        n_in=preprocessing.n_features,
    )  # fmt: skip
    if preprocessing.classes:  # those of the whole table, whichever rows are held out
        network.targets = replace(network.targets, classes=np.array(preprocessing.classes))
    return network


def chosen_loss(name: str, preprocessing: Preprocessing) -> Loss:
    """The loss that was asked for, if it suits the target."""
    classification = preprocessing.task == "classification"
    loss = loss_named(("CrossEntropy" if classification else "SquaredError") if name == "auto" else name)
    if classification != (loss.target in ("classes", "labels")):
        kind = "classes" if classification else "numbers"
        fits = "CrossEntropy" if classification else "SquaredError, AbsoluteError or Huber"
        raise InputError(f"--loss {name} does not suit a target of {kind}: choose {fits}.")
    if loss.target == "labels" and len(preprocessing.classes) != 2:
        raise InputError(
            f"--loss {name} is for two classes; the target has {len(preprocessing.classes)}: use CrossEntropy."
        )
    if loss.target == "counts":
        raise InputError("--loss Poisson is not for tables yet, because targets are standardized; use SquaredError.")
    return loss


def held_out(n: int, plan: Plan) -> Array:
    """The numbers of the rows that are kept for validation."""
    share = plan.validation or 0.0
    if not 0 <= share < 1:
        raise InputError(f"--validation is a share from 0 to below 1, not {share:g}.")
    rows = round(n * share)
    if share and not 0 < rows < n:
        raise InputError(f"--validation {share:g} of {n} rows leaves {rows} to validate on.")
    return drawn_rows(n, rows, plan.seed)


Rows = tuple[Array, Array]


def findings(network: Network, preprocessing: Preprocessing, history: History, training: Rows, held: Rows) -> list[str]:
    """What there is to say about a training, line by line."""
    lines = [
        preprocessing.reason,
        preprocessing.describe(),
        "",
        network.summary(),
        "",
        f"training ended: {history.stopped}",
    ]
    for name, (X, y) in {"training": training, "validation": held}.items():
        if len(X):
            lines.append(f"{name:<11} {len(X):>7,} rows   {measured(network, preprocessing, X, y, training[1])}")
    return lines


def measured(network: Network, preprocessing: Preprocessing, X: Array, y: Array, y_train: Array) -> str:
    """How good the predictions are, beside those of a model that does not look at the row."""
    if preprocessing.task == "classification":
        labels, counts = np.unique(y_train, return_counts=True)
        usual = labels[counts.argmax()]
        always = accuracy(y, np.full_like(y, usual))
        return f"accuracy {network.score(X, y):.4f}   (always {str(usual)!r}: {always:.4f})"
    p = network.predict(X)
    error = mean_absolute_error(preprocessing.untransform_target(y), preprocessing.untransform_target(p))
    return f"R² {r2(y, p):.4f}   mean absolute error {error:.6g}   (always the mean: R² 0)"


def write_report(
    file: Path, folder: Path, network: Network, preprocessing: Preprocessing, history: History, told: str,
    held: Rows,
) -> None:  # fmt: skip
    """Write the model and its report."""
    report = Report(f"{file.name}: {preprocessing.target.name}", preprocessing.reason, folder)
    report.heading("What came out")
    report.code(told)
    report.picture(
        plots.curves(history), "curves", "The objective by epoch, on the training rows and on the validation rows."
    )
    X, y = held
    if len(X) and preprocessing.task == "classification" and len(preprocessing.classes) <= 30:
        names = [str(label) for label in preprocessing.classes]
        seen = np.isin(preprocessing.classes, np.concatenate([y, network.predict(X)]))
        shown = [name for name, is_seen in zip(names, seen, strict=True) if is_seen]
        report.picture(
            plots.confusion(y, network.predict(X), shown), "confusion", "Validation rows: what is taken for what."
        )
    report.heading("What a step computes")
    report.program(network.program())
    report.write(network)


def model_at(path: Path) -> Network:
    """Read a model file of any kind that is read."""
    return files.load(path) if path.suffix.lower() in files.READERS else Network.load(path)


def examine(trained: Fitted, terms: TableTerms) -> Diagnosis:
    """Ask the doctor of a training on a table; constant columns, which standardizing makes 0, are named."""
    trained.history.settings["terms"] = terms
    diagnosis = trained.network.diagnose(*trained.training, trained.history)
    numbers = {column.name for column in trained.preprocessing.columns if isinstance(column, NumberColumn)}
    rows = f"read_table({str(terms.file)!r})"
    shown = f"from workings.tables import read_table\nprint({rows}.head())  # do these rows belong to their targets?"
    diagnosis = replace(diagnosis, findings=tuple(
        replace(one, change=shown) if one.name == "unrelated-labels" else one for one in diagnosis.findings
    ))  # fmt: skip
    columns = zip(trained.preprocessing.feature_names, trained.training[0].T, strict=True)
    constant = [name for name, values in columns if name in numbers and not values.any()]
    if not constant:
        return diagnosis
    named = make_finding(
        "constant-column", f"{', '.join(constant)}: the same number in every row.", terms.command(drop=constant)
    )
    return Diagnosis((*diagnosis.findings, named), diagnosis.looked_at)


def examine_model(model: Path, table: Path | None) -> Diagnosis:
    """Ask the doctor of a model file, with the rows of a table or without."""
    network = model_at(model)
    return diagnose_alone(network) if table is None else network.diagnose(*rows_for(network, table))


def predict(model: Path, file: Path, out: Path | None, unknown: str = "error") -> tuple[pl.DataFrame, str]:
    """Predict the rows of a table; write the predictions if asked to; say how good they are if it can be known."""
    network = model_at(model)
    if network.preprocessing is None:
        raise InputError(
            f"{model} was not trained on a table, so it does not know columns: use Network.load and predict."
        )
    preprocessing, frame = frame_for(network, file)
    X = preprocessing.transform(frame, unknown=unknown)
    if preprocessing.task == "classification":
        predictions = preprocessing.predictions_frame(network.predict(X), network.predict_proba(X))
    else:
        predictions = preprocessing.predictions_frame(preprocessing.untransform_target(network.predict(X)))
    if out is not None:
        write_table(predictions, out)
    return predictions, known_score(network, preprocessing, frame, X)


def rows_for(network: Network, file: Path | None) -> Rows:
    """Rows with their targets for a model: of a table with its columns, or X and y of an ``.npz`` file."""
    if file is None:
        raise InputError("Which rows? Name a file after the model: a table with its columns, or an .npz with X and y.")
    if file.suffix == ".npz":
        return arrays_in(file)
    if network.preprocessing is None:
        raise InputError("This model was not trained on a table: give its rows as an .npz file that holds X and y.")
    preprocessing, frame = frame_for(network, file)
    return preprocessing.transform(frame), preprocessing.targets(frame)


def preprocessing_of(network: Network) -> Preprocessing:
    """What a model knows of columns; several labels for each row are a target of their own."""
    known = Preprocessing.from_dict(network.preprocessing)
    has_several = network.targets.kind == "labels" and network.n_out > 1
    if not has_several or not isinstance(known.target, ClassTarget):
        return known
    return replace(known, target=LabelsTarget(known.target.name, known.target.classes))


def frame_for(network: Network, file: Path) -> tuple[Preprocessing, Any]:
    """What a model knows of columns, and these columns of a table, read as the model knows them."""
    preprocessing = preprocessing_of(network)
    return preprocessing, read_table(file, columns=preprocessing.table_columns)


def arrays_in(file: Path) -> Rows:
    """X and y of an ``.npz`` file; nothing in it is executed."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["X"], arrays["y"]
    except FileNotFoundError as error:
        raise FileError(f"There is no file {file}.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"{file} is no .npz file that holds X and y: {error}.") from error


def known_score(network: Network, preprocessing: Preprocessing, frame: Any, X: Array) -> str:
    """The score on a table that has the target too; nothing where it has not, or not everywhere."""
    name, has_one = preprocessing.target.name, network.n_out == 1 or network.targets.has_labels
    if name not in frame.columns or not has_one:
        return ""
    try:
        y = preprocessing.targets(frame)
    except InputError:
        return ""
    metric = "accuracy" if preprocessing.task == "classification" else "R²"
    return f"The file has {name!r} too: {metric} {network.score(X, y):.4f} on its {len(X):,} rows."


def columns_of(preprocessing: Preprocessing) -> list[str]:
    """What a table must have for a prediction, a line for each column."""
    lines = []
    for column in preprocessing.columns:
        fill = "" if column.fill is None else f"; gaps become {column.fill}"
        if isinstance(column, NumberColumn):
            is_scaled = (column.mean, column.std) != (0.0, 1.0)
            how = f"mean {column.mean:.6g}, standard deviation {column.std:.6g}" if is_scaled else "taken as it is"
            lines.append(f"  {column.name}: number, {how}{fill}")
        else:
            shown = ", ".join(column.categories[:8]) + (", …" if len(column.categories) > 8 else "")
            lines.append(f"  {column.name}: one of {len(column.categories)}: {shown}{fill}")
    return lines
