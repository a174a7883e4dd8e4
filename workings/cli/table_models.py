"""Train a network on a table, and predict the rows of a table with a trained network."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workings import files
from workings.checks.data import LARGEST_INPUT
from workings.checks.doctor import diagnose_alone
from workings.checks.evidence import rms
from workings.checks.findings import Diagnosis, Finding, make_finding
from workings.cli.table_doctor import drift_finding, in_tables_terms, leak_lines
from workings.cli.table_phrasing import TableTerms
from workings.cli.table_plan import Plan, TableSource, reading_options
from workings.cli.table_report import write_report
from workings.cli.table_scores import predictions_of
from workings.cli.table_splits import Split, folds_of, split_rows
from workings.cli.table_training import (
    LoadedTable,
    Rows,
    TrainedOnTable,
    load_table,
    predicted_frame,
    prepare,
    without_raw_warning,
)
from workings.cli.table_why import why_lines
from workings.ensemble import LIST, Ensemble
from workings.errors import InputError, ReportError, count_of
from workings.network import Network
from workings.readings.script.script_settings import TABLES
from workings.support.arrays import Array
from workings.support.atomic_files import writable_folder, write_bytes
from workings.support.npz import read_npz
from workings.table_recipe import without_inverse
from workings.tables import (
    ClassTarget,
    LabelsTarget,
    NumberColumn,
    Preprocessing,
    read_table,
    write_table,
)
from workings.tables.cells import load_polars
from workings.tables.columns import original
from workings.tables.files import TextOptions, column_text
from workings.tables.training_rows import TrainingRows, training_rows_in
from workings.tables.wording import unknown_column
from workings.training.callbacks import Callback

if TYPE_CHECKING:
    import polars as pl


UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
AS_FOUND = TextOptions()  # decimal sign, delimiter and encoding as the file shows them


@without_raw_warning()
def train_on_table(source: TableSource, plan: Plan, progress: Callable[[int], Callback]) -> TrainedOnTable:
    """Read a table and train a network on it; ``progress(epochs)`` returns a callback that shows the progress."""
    return prepare(source, plan).train(progress, plan.engine)


@without_raw_warning()
def train(
    source: TableSource, plan: Plan, folder: Path, progress: Callable[[int], Callback], script: Path | None = None
) -> tuple[str, ReportError | None]:
    """Train on a table; write the model, optionally a script, and the report.

    Returns a summary for the terminal, and the error of a report that could not be completed.
    """
    file, reading = source.file, source.reading
    if script is not None:
        refuse_for_script(file, reading, plan)
    table = load_table(source, plan)
    split = split_rows(table.kinds, plan)
    plan = table.within_time(split, plan)
    training = table.training_on(split, plan)
    model, problem = folder / "model.safetensors", None
    with folder_for_results(folder):
        text = training.script(file, plan.rows_seed) if script is not None else ""  # first: it may raise an error
        validated, folds = cross_validate(table, split, plan, folder, progress)
        trained = training.train(progress, plan.engine)
        keep_training_rows(trained, folder if plan.folds else None)
        compared: list[str] = []
        try:
            compared = write_report(file, folder, trained, folds)  # which writes the model first
        except ReportError as error:
            problem = error
        if script is not None:
            write_bytes(script, text.encode())
    lines = [
        trained.summary,
        *compared,
        *validated,
        *leak_lines(trained),
        "",
        f"model   {model}",
        f"report  {folder / 'report.html'}",
    ]
    lines += [f"folds   {folder / OUT_OF_FOLD}"] if plan.folds else []
    lines += [f"script  {script}"] if script is not None else []
    predict = shlex.join(["workings", "predict", str(model), str(file), *reading_options(reading)])
    return "\n".join([*lines, f"next    {predict}"]), problem


def refuse_for_script(file: Path, reading: TextOptions, plan: Plan) -> None:
    """Raise for a table that a script with NumPy alone cannot read, and for splits that it does not support."""
    given = {"--test": plan.test, "--group": plan.group, "--time-order": plan.time_order, "--folds": plan.folds}
    splits = [option for option, value in given.items() if value]
    if (plan.ensemble or 1) > 1:
        raise InputError("--script writes the training of one network: leave out --ensemble.")
    if splits:
        raise InputError(f"--script writes a training with random validation rows: leave out {' and '.join(splits)}.")
    if reading.delimiter or reading.encoding or (file.is_file() and file.read_bytes()[:2] in UTF_16):
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


OUT_OF_FOLD = "out_of_fold.csv"


def cross_validate(
    table: LoadedTable, split: Split, plan: Plan, folder: Path, progress: Callable[[int], Callback]
) -> tuple[list[str], dict[str, list[float]]]:
    """Train a network for each fold of the rows that are not for testing; write the predictions of the held-out rows.

    Each network has validation rows of its own for early stopping.  Returns lines for the summary, and the scores of
    each fold; none without folds.
    """
    if not plan.folds:
        return [], {}
    rows = np.sort(np.concatenate([split.training, split.validation]))
    if len(rows) < 2 * plan.folds:
        raise InputError(f"--folds {plan.folds} of {len(rows)} rows: each fold needs at least two rows.")
    frames, scores = [], []
    for number, (known, held) in enumerate(folds_of(table.kinds.taken(rows), plan.folds, plan.seed), start=1):
        inner = split_rows(table.kinds.taken(rows[known]), replace(plan, test=0.0))
        training, validation = rows[known][inner.training], rows[known][inner.validation]
        part = replace(inner, training=training, validation=validation, test=rows[held])
        trained = table.training_on(part, plan).train(progress, plan.engine)
        frames.append(fold_predictions(trained, table, rows[held], number))
        scores.append(predictions_of(trained, *trained.test).scores)
    polars = load_polars()
    write_table(polars.concat(frames).sort("row"), folder / OUT_OF_FOLD)
    found = columns_of(scores)
    texts = [f"{name} {np.mean(values):.4f} ± {np.std(values):.4f}" for name, values in found.items()]
    line = f"{'folds':<11} {len(rows):>7,} rows   {'   '.join(texts)}   (mean ± spread of {plan.folds} folds)"
    return [line], found


def columns_of(scores: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return the values of each score, one for each fold."""
    return {name: [each[name] for each in scores] for name in scores[0]}


def fold_predictions(trained: TrainedOnTable, table: LoadedTable, rows: Array, fold: int) -> pl.DataFrame:
    """Return the predictions of a fold's rows as a table, with the number of each row and its target."""
    polars, preprocessing = load_polars(), trained.preprocessing
    X, y = trained.test
    true = y if preprocessing.classes else preprocessing.untransform_target(y)
    about = polars.DataFrame({"row": rows + 1, "fold": [fold] * len(rows), "true": true.tolist()})
    predicted = predicted_frame(trained.network, preprocessing, X)
    frame: pl.DataFrame = polars.concat([about, predicted], how="horizontal")
    return frame


def load_predictor(path: Path) -> Network | Ensemble:
    """Load a model file of any readable format, or the ensemble that a list names."""
    return Ensemble.load(path.parent) if path.name == LIST else load_model(path)


def load_model(path: Path) -> Network:
    """Load a model file of any readable format; of an ensemble, the one network that its networks are merged into."""
    if path.name == LIST:
        return Ensemble.load(path.parent).merged()
    return files.load(path) if path.suffix.lower() in files.READERS else Network.load(path)


@without_raw_warning()
def diagnose_training(trained: TrainedOnTable, terms: TableTerms) -> Diagnosis:
    """Diagnose a training on a table; also report constant columns, which standardization sets to 0."""
    terms = replace(terms, classification=bool(trained.preprocessing.classes))
    trained.history.terms = terms
    X, y = trained.training
    network, learned = without_inverse(trained.network, y)
    diagnosis = network.diagnose(X, learned, trained.history)
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
    return in_tables_terms(Diagnosis(findings, diagnosis.looked_at), trained, terms)


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
    learned, targets = without_inverse(network, y)
    found = learned.diagnose(X, targets)
    if network.preprocessing is None or table.suffix == ".npz":
        return found
    kept = [finding for finding in found.findings if finding.name not in ("unscaled-inputs", "constant-column")]
    shifted = shifted_columns(load_preprocessing(network), X, model, table)
    sentences = [line.removeprefix("drift: ") for line in drift_lines(network, *read_rows(network, table, reading))]
    return Diagnosis((*shifted, *drift_finding(sentences, model, table), *kept), found.looked_at)


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
                f"{column.mean:.4g} ± {column.std:.4g} ({' ± '.join(column.scaling_words)})"
            )
    if not parts:
        return []
    words = shlex.join(["workings", "summary", str(model)])
    fix = f"{words}  # compare the units: {table.name} needs the units of the training table"
    return [make_finding("unscaled-inputs", "; ".join(parts) + ".", fix)]


@without_raw_warning()
def predict(
    model: Path,
    file: Path,
    out: Path | None,
    unknown: str = "error",
    reading: TextOptions = AS_FOUND,
    keep: Sequence[str] = (),
    intervals: float | None = None,
    why: int | None = None,
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Predict the rows of a table, write the predictions to ``out``; return them with the score and drift as lines.

    ``keep`` names columns of the table to copy, as the file has them.  ``intervals`` is the share of values that
    should lie between the columns ``lower`` and ``upper``.  ``why`` is the number of a row, from 1: the last lines say
    what each column adds to its prediction.
    """
    predictor = load_predictor(model)
    network = predictor[0] if isinstance(predictor, Ensemble) else predictor
    if network.preprocessing is None:
        raise InputError(
            f"{model} was not trained on a table and has no column names: "
            "use Network.load and Network.predict with an array."
        )
    preprocessing, frame = read_rows(network, file, reading)
    X = preprocessing.transform(frame, unknown=unknown)
    predictions = predicted_frame(predictor, preprocessing, X)
    known = training_rows_in(network.preprocessing)
    reasons = [] if why is None else why_lines(predictor, preprocessing, known, X, frame, why)
    if intervals is not None:
        predictions = with_intervals(predictions, network, preprocessing, intervals)
    predictions = with_columns_of(predictions, kept_columns(file, reading, keep))
    if out is not None:
        write_table(predictions, out)
    score = score_on_table(predictor, network, preprocessing, frame, X)
    lines = [score, *drift_lines(network, preprocessing, frame)]
    return predictions, [line for line in lines if line], reasons


def with_intervals(
    predictions: pl.DataFrame, network: Network, preprocessing: Preprocessing, coverage: float
) -> pl.DataFrame:
    """Return the predictions with the columns ``lower`` and ``upper``."""
    if preprocessing.task == "classification":
        raise InputError("--intervals is for numbers; a classification has the probability of each class already.")
    known = training_rows_in(network.preprocessing)
    if known is None or "prediction" not in predictions.columns:
        raise InputError("--intervals needs the errors of held-out rows, which only `workings train` stores.")
    width, middle = known.half_width(coverage), predictions["prediction"]
    return predictions.with_columns((middle - width).alias("lower"), (middle + width).alias("upper"))


def kept_columns(file: Path, reading: TextOptions, keep: Sequence[str]) -> list[pl.Series]:
    """Return some columns of a table; columns of a CSV file stay text, so that nothing changes."""
    if not keep:
        return []
    frame = read_table(file, **asdict(reading))
    for name in keep:
        if name not in frame.columns:
            raise unknown_column("column to keep", name, frame)
    return [column_text(frame, name) for name in dict.fromkeys(keep)]


def with_columns_of(predictions: pl.DataFrame, kept: Sequence[pl.Series]) -> pl.DataFrame:
    """Return the predictions behind some columns of the table."""
    both = [column.name for column in kept if column.name in predictions.columns]
    if both:
        raise InputError(f"The predictions have a column {both[0]!r} of their own. Rename it in the table.")
    return load_polars().DataFrame([*kept, *predictions])  # type: ignore[no-any-return]


def drift_lines(network: Network, preprocessing: Preprocessing, frame: pl.DataFrame) -> list[str]:
    """Return a line for each column whose values differ from those of the training rows."""
    known = training_rows_in(network.preprocessing)
    sentences = [] if known is None else known.drift(preprocessing.table_columns, frame, frame.height)
    return [f"drift: {sentence}" for sentence in sentences]


def keep_training_rows(trained: TrainedOnTable, folds: Path | None) -> None:
    """Store the distributions of the training rows in the network, and the errors of held-out rows of a regression."""
    preprocessing, errors = trained.preprocessing, None
    if not preprocessing.classes and folds is not None:
        found = read_table(folds / OUT_OF_FOLD)
        errors = found["true"].to_numpy() - found["prediction"].to_numpy()
    else:
        errors = trained.errors
    table, count = trained.frame[trained.split.training], len(trained.split.training)
    known = TrainingRows.learn(preprocessing.table_columns, table, count, errors)
    trained.network.preprocessing = {**preprocessing.to_dict(), "training": known.to_dict()}


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


def read_rows(network: Network, file: Path, reading: TextOptions = AS_FOUND) -> tuple[Preprocessing, pl.DataFrame]:
    """Return a model's preprocessing, and a table read with the column types of that preprocessing."""
    preprocessing = load_preprocessing(network)
    return preprocessing, read_table(file, columns=preprocessing.table_columns, **asdict(reading))


def score_on_table(
    predictor: Network | Ensemble, network: Network, preprocessing: Preprocessing, frame: pl.DataFrame, X: Array
) -> str:
    """Return the score as text, or why there is none; empty if the table has no target column or the model several."""
    name, has_one_target = preprocessing.target.name, network.n_out == 1 or network.targets.has_labels
    if name not in frame.columns or not has_one_target:
        return ""
    try:
        y = preprocessing.targets(frame)
    except InputError as error:
        return f"no score on the target column {name!r}: {error}"
    metric = "accuracy" if preprocessing.task == "classification" else "R²"
    return f"score on the target column {name!r}: {metric} {predictor.score(X, y):.4f} ({count_of(len(X), 'row')})"


def column_lines(preprocessing: Preprocessing) -> list[str]:
    """Return one line for each column that a table needs for a prediction."""
    lines = []
    for column in preprocessing.columns:
        fill = "" if column.fill is None else f"; missing values are replaced by {column.fill}"
        if isinstance(column, NumberColumn):
            is_scaled = (column.mean, column.std) != (0.0, 1.0)
            scale = f"{column.scaling_words[0]} {column.mean:.6g}, {column.scaling_words[1]} {column.std:.6g}"
            scale = scale if is_scaled else "not standardized"
            kind = "number" if column.form is None else column.form.describe()
            lines.append(f"  {column.name}: {kind}, {scale}{fill}")
        else:
            shown = ", ".join(column.categories[:8]) + (", …" if len(column.categories) > 8 else "")
            lines.append(f"  {column.name}: {len(column.categories)} categories: {shown}{fill}")
    return lines
