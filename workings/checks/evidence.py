"""The evidence for a diagnosis: a network, its data and its training, with the quantities that the checks share.

``Case`` holds them and runs trials on copies; its ``code`` writes the code of suggested changes.  The network itself
is never changed.  The copies take class numbers as targets, whatever the labels of the data are.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from workings.activations import Activation
from workings.checks.known_training import KnownTraining
from workings.checks.suggested_code import SuggestedCode
from workings.errors import DivergenceError, WorkingsWarning
from workings.layers import BatchNorm, Dense, FullyConnected
from workings.losses import Loss
from workings.model.model import Model
from workings.model.targets import more_probable, most_probable
from workings.optimizers import LBFGS, Adam, Part
from workings.program.trace import Trace
from workings.regularizers import Regularizer
from workings.support.arrays import Array, Values, as_random
from workings.tables.columns import standardized
from workings.training.fit import train
from workings.training.history import History
from workings.training.recipe import Recipe
from workings.training.rows import Rows

MOST_ROWS = 1000  # rows of a measurement; more would hardly change it
FOLDS = 4  # of the rows, each held out once to judge trials
FEWEST_ROWS_TO_SPLIT = 40  # ten for each fold
MOST_WORK = 10**9  # rows times parameters times steps of a trial: a few seconds
ROWS_TO_OVERFIT = 10  # rows that the network must be able to overfit


class Refitted(NamedTuple):
    """A network trained again without some of the rows, which therefore can judge it."""

    network: Model
    kept: Rows
    held: Rows


@dataclass(frozen=True, eq=False)
class Case:
    """A network with its data, ``X`` of shape (n, n_in) and ``y`` of shape (n, n_out), as the program takes them.

    ``w`` of shape (n, 1) is the product of sample weights and class weights, if there are any; ``columns`` and
    ``validation`` come from the history: its columns, and the validation rows that it kept.
    """

    network: Model
    X: Array
    y: Array
    w: Array | None = None
    columns: Mapping[str, Sequence[float]] = field(default_factory=dict)
    training: KnownTraining = field(default_factory=KnownTraining)
    begun: Mapping[str, Array] = field(default_factory=dict)
    validation: Rows | None = None

    # -- facts ------------------------------------------------------------------------------

    @property
    def recipe(self) -> Recipe:
        """The settings of the training; ``training.known`` has the names of the known ones."""
        return self.training.recipe

    @property
    def optimizer(self) -> Part | LBFGS | None:
        """The optimizer of the training, if it is known."""
        return self.recipe.optimizer if self.training.has_optimizer else None

    @property
    def step_optimizer(self) -> Part | None:
        """The optimizer, if each of its steps applies update rules to one batch; None for L-BFGS."""
        return self.optimizer if self.optimizer is not None and self.optimizer.takes_batches else None

    @property
    def batch_size(self) -> int:
        """The batch size; all rows, if it is not known."""
        return min(self.recipe.batch_size or len(self.X), len(self.X))

    @property
    def is_full_batch(self) -> bool:
        """Whether each step uses all rows."""
        return self.batch_size == len(self.X)

    @property
    def losses(self) -> Array:
        """The objective of each epoch; empty without a history."""
        return np.asarray(self.columns.get("loss", ()), dtype=np.float64)

    @property
    def has_labels(self) -> bool:
        """Whether the targets are class labels."""
        return self.network.targets.is_classification

    @property
    def is_constant(self) -> bool:
        """Whether all rows have the same target, so that a constant prediction is right."""
        return not np.ptp(self.y, axis=0).any()

    @property
    def is_weighted(self) -> bool:
        """Whether the training used sample weights or class weights."""
        has_weights = self.recipe.class_weight is not None or "sample_weight" in self.training.given
        return has_weights or self.w is not None

    def trained_by(self, optimizer: Part) -> Sequence[str]:
        """Return the parameters that an optimizer updates: all but those that ``Freeze`` covers."""
        names: Sequence[str] = tuple(self.network.parameters)
        for part in optimizer.parts:
            names = part.chosen(names)
        return names

    @functools.cached_property
    def score(self) -> float:
        """The accuracy or R² of the network as it is now, on ``rows``."""
        return score_of(copied(self.network), self.rows)

    @functools.cached_property
    def start(self) -> Model | None:
        """A copy of the network with its initial parameters; None if they are not known."""
        if not self.begun:
            return copied(self.network) if self.network.is_fresh else None
        network = copied(self.network)
        network.set_values({**network.parameters, **network.statistics, **self.begun})
        return network

    @property
    def all_rows(self) -> Rows:
        """All rows with their weights."""
        return Rows(self.X, self.y, self.w)

    @functools.cached_property
    def rows(self) -> Rows:
        """The rows for measurements: a random sample if there are many."""
        return self.all_rows.some(MOST_ROWS)

    @functools.cached_property
    def ten_rows(self) -> Rows:
        """Ten rows, spread over the classes."""
        if not self.has_labels or self.network.n_out > ROWS_TO_OVERFIT:
            return self.all_rows.some(ROWS_TO_OVERFIT)
        order = np.random.default_rng(0).permutation(len(self.X))
        labels = label_numbers(self.y)[order]
        by_class = [order[labels == label] for label in np.unique(labels)]
        most = max(map(len, by_class))
        turn = [rows[i] for i in range(most) for rows in by_class if i < len(rows)]
        return self.all_rows.take(np.array(turn[:ROWS_TO_OVERFIT]))

    @functools.cached_property
    def refitted(self) -> Refitted | None:
        """The network trained again without the first fold of the rows; None if ``refit`` cannot do it."""
        return self.refit(0)

    @functools.cached_property
    def refits(self) -> tuple[Refitted, ...]:
        """The network trained again without each fold of the rows; empty if ``refit`` cannot do it."""
        if self.refitted is None:
            return ()
        others = map(self.refit, range(1, FOLDS))
        return (self.refitted, *(again for again in others if again is not None))

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended the training."""
        return "was not better for" in self.training.stopped

    @property
    def steps_done(self) -> int:
        """The number of steps that the training made."""
        return len(self.losses) * -(-len(self.X) // self.batch_size)

    @property
    def steps_planned(self) -> int:
        """The number of steps of all epochs that were planned; the steps done, if this is not known."""
        if "epochs" not in self.training.known:
            return self.steps_done
        return max(self.recipe.epochs, len(self.losses)) * -(-len(self.X) // self.batch_size)

    def steps_in(self, rows: Rows) -> int:
        """Return the number of steps of as many epochs with some of the rows."""
        return len(self.losses) * -(-len(rows.X) // self.batch_size)

    def refit(self, fold: int) -> Refitted | None:
        """Train a copy as the network was trained, without a fold of the rows (one of FOLDS).

        None if the initial parameters or the settings are not known, if there are fewer than FEWEST_ROWS_TO_SPLIT
        rows, if the others have one class, or if it would take longer than some seconds.
        """
        n, optimizer, epochs = len(self.X), self.optimizer, len(self.losses)
        if self.start is None or not isinstance(optimizer, Part) or not epochs or n < FEWEST_ROWS_TO_SPLIT:
            return None
        is_held = np.random.default_rng(0).permutation(n) % FOLDS == fold
        kept, held = self.all_rows.take(~is_held), self.all_rows.take(is_held).some(MOST_ROWS)
        steps = self.steps_in(kept)
        is_long = steps * self.batch_size * self.network.theta.size > MOST_WORK
        if is_long or not np.ptp(kept.y, axis=0).any():
            return None
        return Refitted(self.trial(self.start, optimizer, steps, kept)[0], kept, held)

    @functools.cached_property
    def first_trace(self) -> Trace | None:
        """The trace of the first step, before the update."""
        return None if self.start is None else trace_of(self.start, self.rows)

    @functools.cached_property
    def constant_loss(self) -> float:
        """The loss of the best constant prediction: log K for K classes of equal size, the variance for numbers."""
        rows = self.rows._replace(X=np.zeros((len(self.rows.X), 1)))
        return self.loss_of(trained_without_hidden(self.network, rows), rows)

    @functools.cached_property
    def linear(self) -> tuple[float, float]:
        """The loss and the score of a model without hidden layers, on ``rows``."""
        rows = self.rows._replace(X=standardized(self.rows.X.astype(np.float64)))
        model = trained_without_hidden(self.network, rows)
        return self.loss_of(model, rows), score_of(model, rows)

    def loss_of(self, network: Model, rows: Rows | None = None) -> float:
        """Compute the loss per row without penalties, by default on the case's ``rows``."""
        bare = copied(network).without(regularizers=True)
        return self.objective_of(bare, self.rows if rows is None else rows)

    @functools.cached_property
    def kept_validation_loss(self) -> float:
        """The network's validation loss, if a callback may have kept an epoch before the last; else infinity."""
        if self.validation is None or "callbacks" not in self.training.given:
            return np.inf
        return self.loss_of(self.network, self.validation)

    @functools.cached_property
    def code(self) -> SuggestedCode:
        """The code of suggested changes."""
        return SuggestedCode(self.network, self.training, self.is_full_batch)

    # -- trials ----------------------------------------------------------------------------

    def trial(self, network: Model, optimizer: Part, steps: int, rows: Rows) -> tuple[Model, Array]:
        """Train a copy for about a number of steps; return it and the objective of each epoch.

        If training diverges, the last objective is infinity.
        """
        tried, n = copied(network), len(rows.X)
        batch = min(self.batch_size, n)
        if any(isinstance(layer, BatchNorm) for layer in network.layers):  # which needs two rows or more in each batch
            batch = next(size for size in range(max(batch, 2), n + 1) if size == n or n % size != 1)
        epochs = max(steps * batch // n, 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", WorkingsWarning)
                history = trained(tried, rows, Recipe(optimizer, epochs, batch))
        except DivergenceError as error:
            losses = error.history["loss"] if isinstance(error.history, History) and len(error.history) else []
            return tried, np.array([*losses, np.inf])
        return tried, np.array([*history["loss"], self.objective_of(tried, rows)])

    def objective_of(self, network: Model, rows: Rows) -> float:
        """Compute the objective per row, as a history records it."""
        X, y, w = (None if array is None else array.astype(network.dtype) for array in rows)
        return network.measure(X, y, w)[0] / network.loss.divisor(len(rows.X))  # type: ignore[arg-type]

    def trial_rows(self) -> Rows:
        """Return the rows for trials: a loss that sums over rows needs more of them than a mean."""
        if self.network.loss.reduction == "sum" or not self.is_full_batch:
            return self.all_rows.some(max(MOST_ROWS, 4 * self.batch_size))
        return self.rows


def remade(
    layer: FullyConnected, units: int | None = None, activation: str | Activation | None = None
) -> FullyConnected:
    """Return a layer of the same kind with other units or another activation, and with default initial weights."""
    changed = type(layer)(units or layer.units, activation or layer.activation, bias=layer.bias)
    is_same = changed == layer and layer.weights is None and layer.biases is None
    return layer if is_same else changed


def copied(network: Model) -> Model:
    """Return a copy for trials, which takes class numbers as targets."""
    return network.with_classes(None)


def without_dropout_and_penalties(network: Model) -> Model:
    """Return a copy without dropout and regularizers, to be trained with another optimizer.

    If statements of the forward or backward pass were edited, dropout and regularizers stay.  Edits of the update are
    removed, because they belong to the optimizer whose statements they replace.
    """
    found = copied(network).without(edited_updates=True)
    return found if found.edits else found.without(regularizers=True, dropout=True)


def plain(network: Model, y: Array) -> Array:
    """Return targets in the shape that ``fit`` takes."""
    return y[:, 0] if y.shape[1] == 1 and not network.targets.is_multiclass else y


def rms(values: Array, axis: int | None = None) -> Values:
    """Compute the root mean square, the typical size of an entry."""
    return np.sqrt(np.square(values, dtype=np.float64).mean(axis=axis))


def label_numbers(y: Array) -> Array:
    """Return the class number of each row."""
    return np.asarray(most_probable(y) if y.shape[1] > 1 else more_probable(y)[:, 0], dtype=np.int64)


def trained(network: Model, rows: Rows, recipe: Recipe) -> History:
    """Train a copy on some rows with the reference engine."""
    data = given(rows, network)
    recipe = replace(recipe, sample_weight=data["sample_weight"])
    return train(network, data["X"], data["y"], recipe, engine="reference")


class FitArguments(TypedDict):
    """Rows as the arguments of ``fit``."""

    X: Array
    y: Array
    sample_weight: Array | None


def given(rows: Rows, network: Model, dtype: DTypeLike | None = None) -> FitArguments:
    """Return rows as the arguments of ``fit``."""
    w = None if rows.weights is None else rows.weights.astype(dtype or rows.w.dtype)  # type: ignore[union-attr]
    X, y = rows.X.astype(dtype or rows.X.dtype), rows.y.astype(dtype or rows.y.dtype)
    return {"X": X, "y": plain(network, y), "sample_weight": w}


def trace_of(network: Model, rows: Rows, optimizer: Part | None = None, lr: float = 0.0) -> Trace:
    """Compute the trace of one step; the dropout masks are the same in each call."""
    tracer = network.tracer(optimizer, rows.w is not None)
    values = network.step_values(tracer.program, *rows, network.draw_masks(len(rows.X), as_random(0)))
    return tracer({**values, "lr": lr, "t": 1})


def trained_without_hidden(network: Model, rows: Rows, regularizer: Regularizer | None = None) -> Model:
    """Train a model without hidden layers for the same targets: the baseline of a network.

    For numeric targets it starts at their mean, with a learning rate proportional to their standard deviation.
    """
    is_numbers = network.loss.takes_any_number
    mean = np.average(rows.y, axis=0, weights=rows.weights)
    layer = Dense(network.n_out, weights="zeros", biases=mean if is_numbers else None)
    model = Model([layer], loss=mean_of(network.loss), regularizer=regularizer, seed=0, dtype="float64")
    rate = 0.05 * (max(float(rows.y.std()), 1e-12) if is_numbers else 1.0)
    trained(model, rows, Recipe(Adam(rate), epochs=300, batch_size=None))
    return model


def mean_of(loss: Loss) -> Loss:
    """Return the same loss as a mean over the rows, so that one learning rate suits any number of rows."""
    return replace(loss, reduction="mean")


def score_of(network: Model, rows: Rows) -> float:
    """Compute the accuracy for labels or R² for numbers, with the weights of the rows."""
    p = network.measure(rows.X.astype(network.dtype), rows.y.astype(network.dtype), None)[1]
    return network.targets.score(rows.y, p, rows.weights)


def row_losses(network: Model, rows: Rows) -> Array:
    """Compute the loss of each row, times its weight, without penalties."""
    bare = copied(network).without(regularizers=True)
    X, y = rows.X.astype(bare.dtype), rows.y.astype(bare.dtype)
    losses = np.array([bare.measure(X[i : i + 1], y[i : i + 1], None)[0] for i in range(len(X))])
    return losses if rows.weights is None else losses * rows.weights
