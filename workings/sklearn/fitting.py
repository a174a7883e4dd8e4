"""Training by scikit-learn's rules: its row order, its stopping criteria and its callbacks.

``EstimatorTraining`` is a ``Training`` on data that scikit-learn has validated.  The other classes are
callbacks.  ``Convergence`` fills an estimator's attributes from the history and decides when to stop.
``Scores`` records a validation score.  ``ScikitLearnCallbacks`` calls the callbacks of scikit-learn 1.9.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from workings.engines.contract import Stretch
from workings.errors import InputError
from workings.model.model import Model
from workings.schedules import InverseScaling
from workings.support.arrays import Array
from workings.training.batches import Batches, State
from workings.training.callbacks import Callback, RunningTraining
from workings.training.epoch_blocks import EpochBlocks
from workings.training.learning_rate import LearningRate
from workings.training.rows import Rows
from workings.training.step_runners import Steps
from workings.training.training import Training

# The attributes of an estimator that a resumed fit takes over.
RESUMED = ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_",
           "validation_loss_curve_", "_no_improvement_count")  # fmt: skip


class EstimatorTraining(Training):
    """A training on validated data, which shuffles like scikit-learn and keeps rows of weight 0 in batches.

    A batch of such rows alone is left out.

    It compiles for shorter trainings than ``Network.fit``: cross-validation and searches fit an estimator
    many times, and one compiled program serves all of these fits, also with most other layer sizes.
    """

    worth_compiling: ClassVar[float] = 0.7
    validation_name: ClassVar[str] = "validation_set"
    metrics_name: ClassVar[str] = ""

    def batch_bounds(self, rows: int, batch_size: int) -> Array:
        """Add a last batch that is too small for a layer to the one before it; scikit-learn has no such layer."""
        bounds = super().batch_bounds(rows, batch_size)
        start, stop = bounds[-1]
        if len(bounds) > 1 and stop - start < max(layer.fewest_rows for layer in self.network.layers):
            return np.vstack([bounds[:-2], (bounds[-2, 0], stop)])
        return bounds

    def make_batches(self, network: Model, rows: Rows, bounds: Array, shuffle: bool) -> Batches:
        """Return batches that are shuffled as scikit-learn does."""
        return EstimatorBatches(network, rows, bounds, shuffle)

    def make_blocks(self, steps: Steps) -> EpochBlocks:
        """Return the runner of epoch blocks; if batches may be left out, epochs run one by one."""
        blocks = super().make_blocks(steps)
        if isinstance(self.batches, EstimatorBatches) and self.batches.may_leave_out:
            blocks.most = 0
        return blocks


class EstimatorBatches(Batches):
    """Batches whose order in each epoch is a permutation of the order before, as scikit-learn draws it.

    A batch whose rows all have weight 0 has no loss and no gradient, and is left out.
    """

    def __init__(self, model: Model, rows: Rows, bounds: Array, shuffle: bool) -> None:
        super().__init__(model, rows, bounds, shuffle)
        without_weight = 0 if rows.w is None else int(np.count_nonzero(rows.w == 0))
        self.may_leave_out = without_weight >= (bounds[:, 1] - bounds[:, 0]).min()
        self.sizes: list[Array] = []  # the number of rows in each batch of the last epoch, without those left out

    def stretches(
        self,
        epochs: int,
        state: State,
        rate: LearningRate,
        kept: Mapping[str, Array] | None = None,
        outputs: Mapping[str, Array] | None = None,
    ) -> Iterator[Stretch]:
        self.sizes = []
        for stretch in super().stretches(epochs, state, rate, kept, outputs):
            some = self.with_weight(stretch) if self.may_leave_out else stretch
            if len(some.batches):
                yield some

    def with_weight(self, stretch: Stretch) -> Stretch:
        """Return a stretch without the batches whose rows all have weight 0."""
        assert stretch.w is not None
        weights = stretch.w[:, 0] if stretch.order is None else stretch.w[stretch.order, 0]
        batches = np.asarray(stretch.batches)
        before = np.concatenate([[0], np.cumsum(weights > 0)])  # the number of rows with a weight before each row
        chosen = before[batches[:, 1]] > before[batches[:, 0]]
        batches = batches[chosen]
        self.sizes.append(batches[:, 1] - batches[:, 0])
        kept_at = np.full(len(batches), -1)
        rates = np.asarray(stretch.lr)[: len(batches)]
        return replace(stretch, batches=batches, lr=rates, kept_at=kept_at, batch_sizes=None)

    def mean_objective(self, objectives: Array) -> float:
        """Return the mean objective of an epoch's steps, weighted by their rows; their sum, if the loss is a sum."""
        if not self.may_leave_out or self.model.loss.reduction == "sum":
            return super().mean_objective(objectives)
        sizes = np.concatenate(self.sizes)
        return math.fsum(sizes * objectives) / int(sizes.sum())

    def memory(self) -> dict[str, Array]:
        return {} if self.order is None else {"order": self.order}

    def remember(self, memory: Mapping[str, Array]) -> None:
        order = memory.get("order")
        if order is not None and not np.array_equal(np.sort(order), np.arange(len(self.rows.X))):
            raise InputError("The order of the rows is not a permutation.")
        self.order = order

    def next_order(self) -> Array:
        """Shuffle the order of the epoch before."""
        drawn = super().next_order()
        return drawn if self.order is None else self.order[drawn]


class Convergence(Callback):
    """Store each epoch in the estimator, and stop or slow down training by scikit-learn's rules.

    ``follows`` is what early stopping monitors: a column of the history, or a function that returns the
    score.  At the end of training, also after an error, the best weights are restored.
    """

    looks_back = True

    def __init__(self, estimator: Any, follows: str | Callable[[], float] | None) -> None:
        self.estimator, self.follows = estimator, follows
        by_rule = estimator.solver == "sgd" and estimator.optimizer is None and estimator.schedule is None
        self.rate = estimator.learning_rate if by_rule else "constant"
        self.every_epoch = callable(follows) or self.rate in ("invscaling", "adaptive")

    def on_epoch_end(self, training: RunningTraining) -> None:
        for index, epoch in enumerate(training.ran, start=-len(training.ran)):
            self.record(training, index, epoch)
            if self.rate == "invscaling":
                rule = InverseScaling(float(self.estimator.learning_rate_init), power=float(self.estimator.power_t))
                training.set_rate(rule(self.estimator.t_))
            if self.estimator._no_improvement_count > self.estimator.n_iter_no_change and self.ends(training, epoch):
                break

    def fewest_to_come(self) -> int:
        patience = min(self.estimator.n_iter_no_change, sys.maxsize)  # n_iter_no_change may be infinite
        return int(patience) + 1 - int(self.estimator._no_improvement_count)

    def record(self, training: RunningTraining, index: int, epoch: int) -> None:
        """Store one epoch in the estimator's attributes."""
        own = self.estimator
        own.n_iter_, own.t_ = own.n_iter_ + 1, own.t_ + len(training.X)
        own.loss_ = training.history["loss"][index]
        own.loss_curve_.append(own.loss_)
        if own.verbose:
            print(f"Iteration {own.n_iter_}, loss = {own.loss_:.8f}")
        if "val_loss" in training.history:
            own.validation_loss_curve_.append(training.history["val_loss"][index])
        if self.follows is None:
            self.count(own.loss_ > own.best_loss_ - own.tol)
            own.best_loss_ = min(own.best_loss_, own.loss_)
            return
        score = self.follows() if callable(self.follows) else training.history[self.follows][index]
        own.validation_scores_.append(score)
        if own.verbose:
            print(f"Validation score: {score:f}")
        self.count(score < own.best_validation_score_ + own.tol)
        if score > own.best_validation_score_:
            own.best_validation_score_, own._best = score, training.parameters_at(epoch)

    def on_train_end(self, training: RunningTraining) -> None:
        if self.follows is not None and self.estimator._best:
            training.network.set_values(self.estimator._best)

    def settings(self) -> dict[str, object]:
        names = ("tol", "n_iter_no_change", "early_stopping", "learning_rate", "scoring")
        return {name: getattr(self.estimator, name) for name in names}

    def state(self) -> dict[str, Any]:
        return {name: getattr(self.estimator, name) for name in RESUMED} | self.best_weights()

    def best_weights(self) -> dict[str, Array]:
        """Return the weights that early stopping restores at the end."""
        return dict(getattr(self.estimator, "_best", None) or {}) if self.follows is not None else {}

    def restore(self, state: dict[str, Any]) -> None:
        for name in RESUMED:
            setattr(self.estimator, name, state[name])
        if self.follows is not None:
            self.estimator._best = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}

    def count(self, no_better: bool) -> None:
        """Count consecutive epochs without improvement."""
        self.estimator._no_improvement_count = self.estimator._no_improvement_count + 1 if no_better else 0

    def ends(self, training: RunningTraining, epoch: int) -> bool:
        """Stop training after an epoch, or divide the learning rate by 5; return whether training stops."""
        own, what = self.estimator, "loss" if self.follows is None else "score"
        why = f"The {what} did not improve by tol={own.tol:g} for {own.n_iter_no_change} epochs."
        ending = self.rate != "adaptive" or training.rate(training.step) <= 1e-6
        if ending:
            training.stop(why, epoch)
        else:
            training.set_rate(training.rate(training.step) / 5)
            own._no_improvement_count = 0
        if own.verbose:
            print(f"{why} {'Stopping.' if ending else f'The learning rate is now {training.rate(training.step):g}.'}")
        return ending


class Scores(Callback):
    """Record a validation score of the estimator after each epoch, without early stopping."""

    every_epoch = True

    def __init__(self, estimator: Any, score: Callable[[], float]) -> None:
        self.estimator, self.score = estimator, score

    def on_epoch_end(self, training: RunningTraining) -> None:
        own, score = self.estimator, self.score()
        own.validation_scores_.append(score)
        own.best_validation_score_ = max(own.best_validation_score_, score)
        if own.verbose:
            print(f"Validation score: {score:f}")


class ScikitLearnCallbacks(Callback):
    """Call the callbacks of scikit-learn 1.9 for each epoch, and stop training if one of them requests it."""

    def __init__(self, estimator: Any, context: Any, X: object, y: object, weights: Array | None) -> None:
        self.estimator, self.context = estimator, context
        self.data = {"X": X, "y": y, "metadata": None if weights is None else {"sample_weight": weights}}
        self.task: Any = None

    def on_train_begin(self, training: RunningTraining) -> None:
        self.context.call_on_fit_task_begin(**self.arguments())

    def on_epoch_begin(self, training: RunningTraining) -> None:
        if training.epoch < training.epochs:  # L-BFGS starts one epoch more than there are
            self.task = self.context.subcontext(task_name="epoch")
            self.task.call_on_fit_task_begin(**self.arguments())

    def on_epoch_end(self, training: RunningTraining) -> None:
        task, self.task = self.task, None
        if task.call_on_fit_task_end(**self.arguments()):
            training.stop("stopped by a callback of scikit-learn")

    def on_train_end(self, training: RunningTraining) -> None:
        if self.task is not None:
            self.task.call_on_fit_task_end(estimator=self.estimator)
        self.context.call_on_fit_task_end(**self.arguments())

    def arguments(self) -> dict[str, object]:
        """Return the arguments for scikit-learn's callbacks."""
        return {"estimator": self.estimator, "reconstruction_attributes": self.estimator._snapshot, **self.data}
