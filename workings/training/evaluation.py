"""Evaluation: the objective and the metrics of some rows, at the parameters of one epoch or of several.

Where training is compiled, so is evaluation: one call for all epochs of a block returns their objectives and counts the
rows that are predicted correctly.  For other metrics than accuracy it returns the class that the outputs choose for
each row, and the metrics are computed from that.  Only metrics that depend on the labels receive the labels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from workings.engines.compiled.engine import CompiledEngine
from workings.engines.contract import Stretch
from workings.metrics import METRICS, Metric, accuracy, is_right, of_each
from workings.model.model import Model
from workings.program.program import Program, Statement
from workings.program.writer import told
from workings.support.arrays import Array
from workings.training.data import TrainingData
from workings.training.rows import Rows


class Evaluation:
    """What is measured of a model while it trains.

    Parameters
    ----------
    network : Model
    data : TrainingData
        The training set, the validation set, and the targets with their labels.
    metrics : mapping of str to metric
        Measured on both sets.
    passes_for_loss : bool
        Whether the loss of all rows takes a forward pass of its own, because no single step gives it.
    """

    def __init__(
        self, network: Model, data: TrainingData, metrics: Mapping[str, Metric], passes_for_loss: bool
    ) -> None:
        self.network, self.rows, self.validation, self.targets = network, data.rows, data.validation, data.targets
        self.metrics, self.passes_for_loss = metrics, passes_for_loss
        self.outputs = (self.looked_at,) if metrics or self.validation is not None else ()
        self.engines: dict[bool, CompiledEngine] = {}  # for rows with weights, and without
        self.truths: dict[int, tuple[Rows, Array]] = {}  # what the targets of rows that were measured on choose

    @property
    def looked_at(self) -> str:
        """What is asked of compiled code: how many rows are right, else what each row's outputs choose, else these."""
        if self.targets.choice is None:
            return "p"
        by_accuracy = self.targets.has_labels and all(metric is accuracy for metric in self.metrics.values())
        return "right" if by_accuracy else "choice"

    def compile(self, kinds: Mapping[bool, Rows], values: Mapping[str, Array]) -> None:
        """Measure with compiled code from now on.

        Raises
        ------
        NotCompilableError
            If something cannot be compiled.
        """
        engines = {weighted: self.engine(weighted) for weighted in kinds}
        for weighted, engine in engines.items():
            engine.source(steps_with_all(kinds[weighted], 1), values)
        self.engines = engines

    def engine(self, weighted: bool) -> CompiledEngine:
        """The compiled engine that measures rows with weights, or without."""

        def make() -> CompiledEngine:
            program = self.choosing(self.network.inference_program(weighted=weighted))
            return CompiledEngine(program.needed_for("J", *self.outputs), self.outputs, by_step=True)

        engine: CompiledEngine = self.network.runner(("measuring", weighted, self.outputs), make)
        return engine

    @property
    def is_needed(self) -> bool:
        """Whether anything is measured that the steps do not give."""
        return bool(self.metrics) or self.validation is not None or self.passes_for_loss

    @property
    def divisor(self) -> float:
        """What the objective is divided by to give the loss of the history."""
        return self.network.loss.divisor(len(self.rows.X))

    def compile_all(self, values: Mapping[str, Array]) -> None:
        """Measure all rows of the training with compiled code from now on.

        Raises
        ------
        NotCompilableError
            If something cannot be compiled.
        """
        measured = [self.rows._replace(w=None), self.rows, *([] if self.validation is None else [self.validation])]
        self.compile({rows.w is not None: rows for rows in measured}, values)

    def columns(self, values: Mapping[str, Array], chosen: Array | None = None) -> dict[str, Array]:
        """Return the metrics on the training set, and loss and metrics on the validation set, of one epoch or several.

        ``chosen`` is what was chosen for the rows of the training set, where it is known.
        """
        found: dict[str, Array] = {}
        if self.metrics:
            chosen = self.look(self.rows, values)[1] if chosen is None else chosen
            found = self.metrics_of(self.rows, chosen, self.metrics)
        if self.validation is not None:
            of_validation = self.measured(self.validation, values, self.for_validation())
            found |= {f"val_{name}": value for name, value in of_validation.items()}
        return found

    def bytes_of_choices(self) -> int:
        """How many bytes are kept of what is chosen in an epoch, until it is measured."""
        measured = [*([self.rows] if self.metrics else []), *filter(None, [self.validation])]
        return sum(array.nbytes for rows in measured for array in self.room(rows, 1).values())

    def choosing(self, program: Program) -> Program:
        """A program that computes p, and then what p chooses, or how many rows it chooses rightly."""
        choice = self.targets.choice
        if choice is None or not self.outputs:
            return program
        chosen = told(choice, p="p")
        if "choice" in self.outputs:
            return program.followed_by(Statement("choice", chosen, "forward", "targets", "What the outputs choose."))
        right = f"({told(is_right, y_true=told(choice, p='y'), y_pred=chosen)}).sum()"
        return program.followed_by(Statement("right", right, "forward", "metrics", "How many rows are right."))

    def room(self, rows: Rows, epochs: int) -> dict[str, Array]:
        """Room for what is looked at in some epochs."""
        if "right" in self.outputs:
            return {"right": np.empty(epochs)}
        has_columns = self.targets.kind != "classes" or "p" in self.outputs
        shape = rows.y.shape if has_columns else rows.y.shape[:1]
        few = "choice" in self.outputs and rows.y.shape[1] <= 256  # then a byte holds what is chosen
        return {name: np.empty((epochs, *shape), np.uint8 if few else rows.X.dtype) for name in self.outputs}

    def look(self, rows: Rows, values: Mapping[str, Array]) -> tuple[Array, Array]:
        """J of shape (epochs,), and of shape (epochs, n, …) what was chosen, or p; or how many rows are right.

        The values have the epochs as their first dimension; without compiled code, there is only one.
        """
        if not self.engines:
            objective, p = self.network.measure(rows.X, rows.y, rows.w)
            return np.array([objective]), self.chosen(p)[None]
        epochs = len(next(iter(values.values())))
        room = self.room(rows, epochs)
        J = self.engines[rows.w is not None].run(replace(steps_with_all(rows, epochs), outputs=room), dict(values))
        return J, next(iter(room.values()), J)

    def chosen(self, p: Array) -> Array:
        """What outputs choose; themselves, where there is no choice."""
        return p if self.targets.choice is None else np.asarray(self.targets.choice(p))

    def measured(self, rows: Rows, values: Mapping[str, Array], metrics: Mapping[str, Metric]) -> dict[str, Array]:
        """The loss, and some metrics, of some rows for each epoch."""
        J, found = self.look(rows, values)
        return {"loss": J / self.network.loss.divisor(len(rows.X)), **self.metrics_of(rows, found, metrics)}

    def metrics_of(self, rows: Rows, found: Array, metrics: Mapping[str, Metric]) -> dict[str, Array]:
        """Some metrics of what was chosen in each of several epochs, or of how many rows are right."""
        if found.ndim == 1:  # a number for each epoch
            return {name: found / len(rows.y) for name in metrics}
        if id(rows) not in self.truths:
            self.truths[id(rows)] = rows, self.chosen(rows.y)
        _, truth = self.truths[id(rows)]
        return {name: self.metric_of(metric, truth, found) for name, metric in metrics.items()}

    def for_validation(self) -> dict[str, Metric]:
        """The metrics on validation rows: the usual one of such targets, and those that were asked for."""
        usual = "r2" if self.targets.choice is None else "accuracy"
        return {usual: METRICS[usual], **self.metrics}

    def metric_of(self, metric: Metric, truth: Array, chosen: Array) -> Array:
        """A metric of what was chosen in each of several epochs, of shape (epochs, n, …)."""
        with np.errstate(all="ignore"):  # a training that is about to diverge is told of by its first wrong name
            if metric is accuracy and self.targets.choice is not None:  # whatever the labels are called
                return of_each(metric, flat(truth.astype(chosen.dtype), 1), flat(chosen, 2))
            together = chosen.reshape(-1, *chosen.shape[2:])
            named = self.targets.named(together)
            return of_each(metric, self.targets.named(truth), named.reshape(*chosen.shape[:2], *named.shape[1:]))


def flat(array: Array, dimensions: int) -> Array:
    """The same array without a last dimension of one entry, if it has one more than so many dimensions."""
    return array[..., 0] if array.ndim > dimensions and array.shape[-1] == 1 else array


def steps_with_all(rows: Rows, steps: int) -> Stretch:
    """Some steps, each with all rows."""
    return Stretch(rows.X, rows.y, np.broadcast_to((0, len(rows.X)), (steps, 2)), np.zeros(steps), 1, None, rows.w)
