"""Evaluation: the objective and the metrics on given rows, for the parameters of one epoch or several.

If training is compiled, so is evaluation: one call for all epochs of a block returns their objectives and
counts the correctly predicted rows.  For metrics other than accuracy it returns the predicted class of each
row, and the metrics are computed from the classes.  Only metrics that depend on the labels receive the labels
themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Stretch
from workings.metrics import METRICS, Metric, accuracy, is_right, of_each, part_of_score, score_of_parts
from workings.model.model import Model
from workings.program.program import Program, Statement
from workings.program.writer import formula_code
from workings.support.arrays import Array
from workings.training.rows import Rows
from workings.training.training_data import TrainingData


class Evaluation:
    """Measure the loss and the metrics of a model during training.

    Parameters
    ----------
    network : Model
    data : TrainingData
        The training set, the validation set, and the targets with their labels.
    metrics : mapping of str to metric
        The metrics on both sets.
    passes_for_loss : bool
        Whether the training loss needs a separate forward pass, because no single step computes it.
    """

    def __init__(
        self, network: Model, data: TrainingData, metrics: Mapping[str, Metric], passes_for_loss: bool
    ) -> None:
        self.network, self.rows, self.validation, self.targets = network, data.rows, data.validation, data.targets
        self.metrics, self.passes_for_loss = metrics, passes_for_loss
        self.outputs = (self.output_name,) if metrics or self.validation is not None else ()
        self.engines: dict[tuple[bool, bool], CompiledEngine] = {}  # by the kind of the rows
        self.true_values: dict[int, tuple[Rows, Array]] = {}  # the true classes or targets of rows, by id(rows)

    @property
    def output_name(self) -> str:
        """The name of the value that compiled code returns.

        ``"right"``: the number of correctly predicted rows; ``"choice"``: the predicted class of each row;
        ``"p"``: the outputs.
        """
        if self.targets.choice is None:
            return "p"
        by_accuracy = self.targets.has_labels and all(metric is accuracy for metric in self.metrics.values())
        return "right" if by_accuracy else "choice"

    def compile(self, kinds: Mapping[tuple[bool, bool], Rows], values: Mapping[str, Array]) -> None:
        """Evaluate rows of these kinds with compiled code from now on, see ``kind_of``.

        Raises
        ------
        NotCompilableError
            If something cannot be compiled.
        """
        engines = {kind: self.engine(*kind) for kind in kinds}
        for kind, engine in engines.items():
            engine.source(steps_with_all(kinds[kind], 1), values)
        self.engines = engines

    def engine(self, weighted: bool, penalized: bool) -> CompiledEngine:
        """Return the compiled engine that evaluates rows of a kind."""

        def make() -> CompiledEngine:
            program = self.with_outputs(self.network.inference_program(weighted=weighted, penalized=penalized))
            return CompiledEngine(program.needed_for("J", *self.outputs), self.outputs, by_step=True)

        engine: CompiledEngine = self.network.runner(("measuring", weighted, penalized, self.outputs), make)
        return engine

    @property
    def is_needed(self) -> bool:
        """Whether anything is measured that the steps do not compute."""
        return bool(self.metrics) or self.validation is not None or self.passes_for_loss

    @property
    def divisor(self) -> float:
        """The number by which the objective is divided to get the loss in the history."""
        return self.network.loss.divisor(len(self.rows.X))

    def compile_all(self, values: Mapping[str, Array]) -> None:
        """Evaluate the training set and the validation set with compiled code from now on.

        Raises
        ------
        NotCompilableError
            If something cannot be compiled.
        """
        measured = [self.rows._replace(w=None), self.rows, *([] if self.validation is None else [self.validation])]
        self.compile({kind_of(rows): rows.first_part() for rows in measured}, values)

    def columns(self, values: Mapping[str, Array], predicted: Array | None = None) -> dict[str, Array]:
        """Return the metrics on the training set, and loss and metrics on the validation set, of one epoch or several.

        ``predicted`` are the predictions for the training set, as ``measure`` returns them, if they are
        known.
        """
        found: dict[str, Array] = {}
        if self.metrics:
            if predicted is None:
                found = self.results(self.rows, values, self.metrics)[1]
            else:
                found = self.metrics_of(self.rows, predicted, self.metrics)
        if self.validation is not None:
            of_validation = self.with_loss(self.validation, values, self.validation_metrics())
            found |= {f"val_{name}": value for name, value in of_validation.items()}
        return found

    def bytes_of_outputs(self) -> int:
        """Return the bytes of memory needed for the outputs of an epoch until it is evaluated."""
        measured = [*([self.rows] if self.metrics else []), *filter(None, [self.validation])]
        in_memory = [rows for rows in measured if not rows.are_streamed]
        return sum(array.nbytes for rows in in_memory for array in self.buffer(rows, 1).values())

    def with_outputs(self, program: Program) -> Program:
        """Return the program with a last statement: the predicted class of each row, or the number of correct ones."""
        choice = self.targets.choice
        if choice is None or not self.outputs:
            return program
        predicted = formula_code(choice, p="p")
        if "choice" in self.outputs:
            return program.followed_by(
                Statement("choice", predicted, "forward", "targets", "The classes or labels that the outputs choose.")
            )
        right = f"({formula_code(is_right, y_true=formula_code(choice, p='y'), y_pred=predicted)}).sum()"
        return program.followed_by(Statement("right", right, "forward", "metrics", "How many rows are right."))

    def buffer(self, rows: Rows, epochs: int) -> dict[str, Array]:
        """Return an empty buffer for the outputs of several epochs."""
        if "right" in self.outputs:
            return {"right": np.empty(epochs)}
        has_columns = not self.targets.is_multiclass or "p" in self.outputs
        shape = rows.y.shape if has_columns else rows.y.shape[:1]
        fits_byte = "choice" in self.outputs and rows.y.shape[1] <= 256  # a class fits into one byte
        return {name: np.empty((epochs, *shape), np.uint8 if fits_byte else rows.X.dtype) for name in self.outputs}

    def measure(self, rows: Rows, values: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return J and the predictions for each epoch.

        J has shape (epochs,).  The predictions are classes or outputs of shape (epochs, n, …), or the number
        of correct rows of shape (epochs,).  The first dimension of each of ``values`` is the epochs; without
        compiled code, there is only one epoch.
        """
        return self.measure_in_memory(rows, values, penalized=True)

    def objective(self, rows: Rows, values: Mapping[str, Array]) -> float:
        """Return J for one epoch."""
        return float(self.results(rows, values, {})[0][0])

    def results(
        self, rows: Rows, values: Mapping[str, Array], metrics: Mapping[str, Metric]
    ) -> tuple[Array, dict[str, Array]]:
        """Return J and metrics for each epoch; rows on disk are measured part by part, for one epoch."""
        if rows.are_streamed:
            return results_in_parts(self, rows, values, metrics)
        J, found = self.measure(rows, values)
        return J, self.metrics_of(rows, found, metrics) if metrics else {}

    def measure_in_memory(self, rows: Rows, values: Mapping[str, Array], *, penalized: bool) -> tuple[Array, Array]:
        """Measure rows in memory, as ``measure``; without penalties, J is the loss."""
        if not self.engines:
            objective, p = self.network.measure(rows.X, rows.y, rows.w, penalized=penalized)
            return np.array([objective]), self.predictions(p)[None]
        epochs = len(next(iter(values.values())))
        buffer = self.buffer(rows, epochs)
        engine = self.engines[rows.w is not None, penalized]
        J = engine.run(replace(steps_with_all(rows, epochs), outputs=buffer), dict(values))
        return J, next(iter(buffer.values()), J)

    def predictions(self, p: Array) -> Array:
        """Return the predicted classes of outputs; for regression, the outputs."""
        return p if self.targets.choice is None else np.asarray(self.targets.choice(p))

    def with_loss(self, rows: Rows, values: Mapping[str, Array], metrics: Mapping[str, Metric]) -> dict[str, Array]:
        """Return the loss and the given metrics on rows, for each epoch."""
        J, found = self.results(rows, values, metrics)
        return {"loss": J / self.network.loss.divisor(len(rows.X)), **found}

    def metrics_of(self, rows: Rows, found: Array, metrics: Mapping[str, Metric]) -> dict[str, Array]:
        """Return metrics for each epoch, from predictions or from the number of correct rows."""
        if found.ndim == 1:  # a number for each epoch
            return {name: found / len(rows.y) for name in metrics}
        if id(rows) not in self.true_values:
            self.true_values[id(rows)] = rows, self.predictions(rows.y)
        _, truth = self.true_values[id(rows)]
        return {name: self.metric_of(metric, truth, found) for name, metric in metrics.items()}

    @property
    def column_names(self) -> list[str]:
        """The columns of the history that an epoch fills, besides the learning rate."""
        of_validation = [] if self.validation is None else ["loss", *self.validation_metrics()]
        return ["loss", *self.metrics, *(f"val_{name}" for name in of_validation)]

    def validation_metrics(self) -> dict[str, Metric]:
        """Return the metrics for the validation set: accuracy or R², and the user's metrics."""
        return {self.targets.metric: METRICS[self.targets.metric], **self.metrics}

    def metric_of(self, metric: Metric, truth: Array, predicted: Array) -> Array:
        """Return a metric for each epoch, from predictions of shape (epochs, n, …)."""
        with np.errstate(all="ignore"):  # divergence is reported later, with the name of its first value
            return of_each(metric, *self.named(metric, truth, predicted))

    def named(self, metric: Metric, truth: Array, predicted: Array) -> tuple[Array, Array]:
        """Return true values and predictions as a metric takes them: with the labels, unless it does without."""
        if metric is accuracy and self.targets.choice is not None:  # accuracy does not depend on the labels
            return flat(truth.astype(predicted.dtype), 1), flat(predicted, 2)
        flattened = predicted.reshape(-1, *predicted.shape[2:])
        named = self.targets.labels_for(flattened)
        return self.targets.labels_for(truth), named.reshape(*predicted.shape[:2], *named.shape[1:])

    def part_of_metric(self, metric: Metric, part: Rows, predicted: Array) -> object:
        """Return what a metric needs to know of some rows: the number of right rows, or see ``part_of_score``."""
        if predicted.ndim == 1:
            return float(predicted[0])
        true, names = self.named(metric, self.predictions(part.y), predicted)
        with np.errstate(all="ignore"):
            return part_of_score(metric, true, names[0], None)


def kind_of(rows: Rows) -> tuple[bool, bool]:
    """Return whether rows have weights, and whether penalties are added to their loss; rows on disk have parts."""
    return rows.w is not None, not rows.are_streamed


def results_in_parts(
    evaluation: Evaluation, rows: Rows, values: Mapping[str, Array], metrics: Mapping[str, Metric]
) -> tuple[Array, dict[str, Array]]:
    """Measure rows on disk part by part, for one epoch: merge the losses, and what the metrics need to know."""
    losses, weighted = list[tuple[float, float]](), rows.w is not None
    scores: dict[str, list[Any]] = {name: [] for name in metrics}
    for part in rows.parts(evaluation.network.rows_in_chunk):
        loss, predicted = evaluation.measure_in_memory(part, values, penalized=False)
        losses.append((float(loss[0]), float(len(part.X) if part.w is None else part.w.sum())))
        for name, metric in metrics.items():
            scores[name].append(evaluation.part_of_metric(metric, part, predicted))
    J = np.array([evaluation.network.objective_of_parts(losses, len(rows.X), weighted=weighted)])
    if metrics and isinstance(next(iter(scores.values()))[0], float):  # numbers of right rows
        return J, {name: np.array([math.fsum(found) / len(rows.X)]) for name, found in scores.items()}
    return J, {name: np.array([score_of_parts(metrics[name], found)]) for name, found in scores.items()}


def flat(array: Array, dimensions: int) -> Array:
    """Remove a last dimension of size 1 from an array with more than ``dimensions`` dimensions."""
    return array[..., 0] if array.ndim > dimensions and array.shape[-1] == 1 else array


def steps_with_all(rows: Rows, steps: int) -> Stretch:
    """Return a stretch of ``steps`` steps, each with all rows."""
    return Stretch(rows.X, rows.y, np.broadcast_to((0, len(rows.X)), (steps, 2)), np.zeros(steps), 1, None, rows.w)
