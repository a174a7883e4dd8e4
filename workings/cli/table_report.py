"""The report of a training on a table: scores beside simple models, the columns' effects, and single predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workings import plots
from workings.cli.table_effects import dependences, permutation_importance, places_of
from workings.cli.table_scores import COVERAGE, Predictions, baselines, predictions_of, score_text
from workings.cli.table_training import TrainedOnTable
from workings.cli.table_why import contribution_table, numbers_predicted
from workings.errors import count_of
from workings.experiments.report import Report
from workings.metrics import confusion_counts, f1_of, precision_of, recall_of
from workings.plots.predictions import calibration, partial_dependence, predicted_against_true
from workings.support.arrays import Array
from workings.tables.columns import Column, NumberColumn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST_ROWS = 20  # held-out rows from which the report describes scores and columns in detail
MOST_CLASSES = 30  # of a confusion matrix and of a table of classes
MOST_SHOWN = 6  # columns whose partial dependence is drawn
FoldScores = Mapping[str, Sequence[float]]


def write_report(file: Path, folder: Path, trained: TrainedOnTable, folds: FoldScores | None = None) -> list[str]:
    """Write the model, then its report; return lines for the summary: the scores beside simple models.

    Raises
    ------
    ReportError
        If the report could not be completed.
    """
    network, preprocessing = trained.network, trained.preprocessing
    rows = count_of(sum(len(X) for X, _ in (trained.training, trained.validation, trained.test)), "row")
    report = Report(f"{file.name}: {preprocessing.target.name}", f"{preprocessing.task.capitalize()}, {rows}", folder)
    lines: list[str] = []
    with report.of(network):
        report.heading("Results")
        report.code(trained.summary)
        words = "Objective by epoch on the training rows and on the validation rows."
        report.draw_plot(lambda: plots.curves(trained.history), "curves", words)
        name, (X, y), indices = trained.held_out
        if len(X) and preprocessing.classes and len(preprocessing.classes) <= MOST_CLASSES:
            words = f"Confusion matrix of the {name} rows."
            report.draw_plot(lambda: confusion_of(trained, y, network.predict(X)), "confusion", words)
        if len(X) >= LEAST_ROWS:
            lines = write_scores(report, trained, folds)
            write_effects(report, trained)
            write_single_predictions(report, trained, indices)
        write_columns(report, trained)
        report.heading("Statements of one training step")
        report.program(trained.network.program())
    return lines


def confusion_of(trained: TrainedOnTable, y: Array, predicted: Array) -> Axes:
    """Plot the confusion matrix of the classes that occur."""
    classes = trained.preprocessing.classes
    occurring = np.isin(classes, np.concatenate([y, predicted]))
    names = [str(label) for label, occurs in zip(classes, occurring, strict=True) if occurs]
    return plots.confusion(y, predicted, names)


# -- scores ----------------------------------------------------------------------------------


def write_scores(report: Report, trained: TrainedOnTable, folds: FoldScores | None) -> list[str]:
    """Write the scores on the held-out rows, and their plots; return lines for the summary."""
    name, (X, y), _ = trained.held_out
    rows = predictions_of(trained, X, y)
    others = baselines(trained, X, y)
    report.heading(f"Scores on the {name} rows")
    report.text(
        f"In brackets: {COVERAGE} % intervals, Wilson's for the accuracy, else from {name} sets drawn again from these "
        f"rows (bootstrap). All models are trained on the same training rows."
        + (
            " AUC, F1, precision and recall are means over the classes."
            if len(trained.preprocessing.classes) > 2
            else ""
        )
        + ("" if len(others) > 1 else " Install scikit-learn to compare with more models: pip install '.[sklearn]'.")
    )
    scores, intervals = rows.scores, rows.intervals
    head = ["", "network", *others, *(["folds: mean ± spread"] if folds else [])]
    table = []
    for each, value in scores.items():
        cells = [score_text(value, intervals[each], 4), *(f"{other.scores[each]:.4g}" for other in others.values())]
        found = (folds or {}).get(each)
        cells += [] if not folds else ["" if found is None else f"{np.mean(found):.4g} ± {np.std(found):.4g}"]
        table.append([each, *cells])
    report.table(head, table)
    if trained.preprocessing.classes:
        write_classes(report, trained, rows)
    else:
        words = f"Left: predictions of the {name} rows against the true values. Right: the errors of the predictions."
        report.draw_plot(lambda: predicted_against_true(rows.true, rows.predicted), "predictions", words)
    return summary_of(name, scores, intervals, others)


def summary_of(
    name: str,
    scores: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    others: Mapping[str, Predictions],
) -> list[str]:
    """Return the lines of the terminal's summary: the scores with intervals, and the simple models."""
    texts = [f"{each} {score_text(value, intervals[each], 3)}" for each, value in scores.items()]
    first = next(iter(scores))
    rivals = [f"{rival} {found.scores[first]:.4f}" for rival, found in others.items()]
    return [f"{name:<11} {'   '.join(texts)}", f"{'compare':<11} {first} of {', of '.join(rivals)}"]


def write_classes(report: Report, trained: TrainedOnTable, rows: Predictions) -> None:
    """Write the scores of each class, and the calibration of the probabilities."""
    classes, p = trained.preprocessing.classes, rows.probabilities
    assert p is not None
    if len(classes) <= MOST_CLASSES:
        counts = confusion_counts(rows.true, rows.predicted, np.arange(len(classes)))
        columns = (precision_of(counts), recall_of(counts), f1_of(counts), counts.sum(axis=1))
        table = [
            [str(label), *(f"{values[i]:.3f}" for values in columns[:3]), f"{columns[3][i]:,}"]
            for i, label in enumerate(classes)
        ]
        report.table(["class", "precision", "recall", "F1", "rows"], table)
    if len(classes) == 2:
        happened, chance, what = rows.true == 1, p[:, 1], f"of {classes[1]!r}"
    else:
        happened, chance, what = rows.true == rows.predicted, p.max(axis=1), "of the predicted class"
    words = f"Calibration: the probability {what}, and how often it was right. Points on the line are well calibrated."
    report.draw_plot(lambda: calibration(happened, chance), "calibration", words)


# -- columns -----------------------------------------------------------------------------------


def write_effects(report: Report, trained: TrainedOnTable) -> None:
    """Write the importance of each column, and the partial dependence of the most important ones."""
    name, (X, y), _ = trained.held_out
    columns, preprocessing = trained.preprocessing.table_columns, trained.preprocessing
    importance = permutation_importance(columns, X, y, trained.network.score)
    score = "accuracy" if preprocessing.classes else "R²"
    report.heading("Importance of the columns")
    report.text(
        f"How much the {score} on the {name} rows falls if the values of one column are permuted among the rows."
    )
    table = [[column, f"{mean:.4f} ± {std:.4f}"] for column, (mean, std) in list(importance.items())[:30]]
    report.table(["column", f"fall of {score}"], table)
    predict = numbers_predicted(trained.network, trained.preprocessing)
    found = dependences(columns, trained.training[0], list(importance)[: 2 * MOST_SHOWN], predict)[:MOST_SHOWN]
    if not found:
        return
    labels = [str(label) for label in preprocessing.classes[1:2] if len(preprocessing.classes) == 2]
    labels = labels or [str(label) for label in preprocessing.classes]
    what = f"p({labels[0]})" if len(labels) == 1 else "mean probability" if labels else "mean prediction"
    words = "Partial dependence: the mean prediction if every training row had this value in the column."
    parts = ([each.name for each in found], [each.values for each in found], [each.predictions for each in found])
    report.draw_plot(lambda: partial_dependence(*parts, what, labels if len(labels) > 1 else ()), "dependence", words)


def write_single_predictions(report: Report, trained: TrainedOnTable, indices: Array) -> None:
    """Explain the network's prediction for a held-out row and for the row with the worst prediction."""
    _, (X, y), _ = trained.held_out
    rows = predictions_of(trained, X, y)
    if rows.probabilities is None:
        errors = np.abs(rows.true - rows.predicted)
    else:
        errors = -np.take_along_axis(rows.probabilities, rows.true[:, None], axis=1)[:, 0]
    report.heading("Why this prediction")
    report.text(
        "What each column adds to the mean prediction of the training rows, for two rows: a typical one, and the one "
        "that is predicted worst. The contributions add up to the prediction (Shapley values)."
    )
    for place in dict.fromkeys([int(np.argsort(errors)[len(errors) // 2]), int(errors.argmax())]):
        write_single(report, trained, X[place], int(indices[place]), rows.taken(np.array([place])))


def write_single(report: Report, trained: TrainedOnTable, x: Array, row: int, prediction: Predictions) -> None:
    """Write what each column contributes to one prediction."""
    classes = trained.preprocessing.classes
    true, predicted = prediction.true[0], prediction.predicted[0]
    shown = (classes[true], classes[predicted]) if classes else (f"{true:.6g}", f"{predicted:.6g}")
    report.text(f"Row {row + 1} of the table: {shown[1]} is predicted, {shown[0]} is true.")
    report.table(
        *contribution_table(trained.network, trained.preprocessing, x, trained.training[0], trained.frame, row)
    )


def write_columns(report: Report, trained: TrainedOnTable) -> None:
    """Write the preprocessing of each column."""
    preprocessing = trained.preprocessing
    report.heading("Columns")
    table = []
    for name in places_of(preprocessing.table_columns):
        parts = [column for column in preprocessing.columns if column.source == name]
        table.append([name, "; ".join(dict.fromkeys(encoding_of(part) for part in parts))])
    report.table(["column", "encoding"], table)
    report.text(*preprocessing.notes)


def encoding_of(column: Column) -> str:
    """Describe how a column is encoded."""
    if not isinstance(column, NumberColumn):
        others = "; others are zeros" if column.unknown == "zeros" else ""
        return f"one-hot, {count_of(len(column.categories), 'category').replace('categorys', 'categories')}{others}"
    gaps = "" if column.fill is None else f", missing: {column.fill:.6g}{' and a mark' if column.indicator else ''}"
    part = f"{column.date.part}: " if column.date else ""
    return f"{part}(x - {column.mean:.6g}) / {column.std:.6g}{gaps}"
